"""What events say: `redact` takes out what `shapes` knows, of many at once in `chunks`; `preview` makes one line.

`kinds` tells by an event's type what it is about, `outcomes` how something ended, `numbers` reads counts and amounts,
and `format` writes texts and times as people read them.
"""
