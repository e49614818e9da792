"""Asking the user: `questions` are what is open, `keyboard` asks by `input()`, and `tool` is what an agent is given.

A question knows nothing of views: they enter themselves as places where questions are shown.
"""
