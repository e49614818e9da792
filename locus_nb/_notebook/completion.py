"""What may come next in a line of `%%locus` or `%locus`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from locus_nb._notebook.options import CELL_OPTIONS, COMMANDS, LIVE

if TYPE_CHECKING:
    from collections.abc import Iterable

_LINE = re.compile(r"(?:.*=)?\s*(%%?)locus\s(?:(.*)\s)?(\S*)$")


def completions(before: str) -> tuple[str, list[str]]:
    """Give the word that stands before the cursor, and the words that it may become.

    Args:
        before: The cursor's line up to the cursor.
    """
    found = _LINE.match(before)
    if found is None:
        return "", []
    escape, said, word = found[1], (found[2] or "").split(), found[3]
    if escape == "%":
        candidates: Iterable[str] = () if said else COMMANDS
    elif said[-1:] == ["--live"]:
        candidates = LIVE
    elif word.startswith("--live="):
        candidates = [f"--live={tab}" for tab in LIVE]
    else:
        candidates = [each for each in CELL_OPTIONS if each == "--tag" or each not in said]
        candidates = candidates if said[-1:] != ["--tag"] else ()
    return word, [each for each in candidates if each.startswith(word) and each != word]


def make_matcher() -> Any:
    """Make what IPython's completer asks; None if that is too old for it (before 8.6)."""
    from IPython.core import completer  # noqa: PLC0415 - what is above needs no IPython

    ipython: Any = completer
    if not hasattr(ipython, "context_matcher"):
        return None

    def locus_matcher(context: Any) -> dict[str, Any]:
        word, words = completions(context.text_until_cursor)
        found = [ipython.SimpleCompletion(text=each, type="param") for each in words]
        return {"completions": found, "matched_fragment": word, "suppress": bool(found), "ordered": True}

    return ipython.context_matcher()(locus_matcher)
