"""Names in which `*` stands for anything: of event types, runs and models alike."""

from __future__ import annotations

from fnmatch import fnmatchcase


def glob(pattern: str) -> str:
    """Give a pattern, in which only `*` is special, as `fnmatch` and SQLite's GLOB read it."""
    return pattern.replace("[", "[[]").replace("?", "[?]")


def is_like(text: str, pattern: str) -> bool:
    """Say whether a text fits a pattern, in which `*` stands for anything, and nothing else is special.

    Example:
        >>> is_like("agent.tool.started", "agent.tool.*"), is_like("why?", "wh??")
        (True, False)
    """
    return fnmatchcase(text, glob(pattern))
