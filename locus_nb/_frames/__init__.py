"""DataFrames of events: `frames` is what users call, and `tables` declares the columns.

`selection` says which events are meant. `event_columns`, `span_columns` and `run_columns` make each frame's columns,
out of those that `columns` fills; `spans` pairs starts with ends, `usage` sums the tokens of each call, and `cost`
prices them by `prices`.
"""
