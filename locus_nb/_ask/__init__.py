"""Asking the user: `tool` is `ask_user`, which waits until a `question` is over.

`questions` are those that are open, `patience` is how long a page is waited for, and `keyboard` asks by `input()`.
Nothing here knows of views: they enter themselves as panels, where questions are shown.
"""
