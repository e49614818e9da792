"""Asking the user: `tool` is `ask_user`, whose `asking` waits until an `inquiry` is over.

`questions` are the inquiries that are open, `patience` is how long a page is waited for, `keyboard` asks by `input()`,
and `callbacks` are code that answers, which sees an inquiry as a `question`. Nothing here knows of views: they enter
themselves as panels, where questions are shown.
"""
