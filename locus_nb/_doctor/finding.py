"""One thing that was looked at."""

from __future__ import annotations

from typing import Literal, NamedTuple

Verdict = Literal["ok", "note", "problem"]


class Finding(NamedTuple):
    """One line of what `doctor` found.

    Attributes:
        topic: What it belongs to: `here`, `page`, `packages`, `extras`, `events`, `variables`.
        name: What was looked at; unique in a report.
        found: What was found, in words.
        verdict: `ok`, `note` (worth knowing, or it cannot be told), or `problem`: something will not work.
        cure: What to do about it; empty where there is nothing to do.

    Example:
        >>> from locus_nb import doctor
        >>> doctor(wait=0)["pandas"].verdict
        'ok'
    """

    topic: str
    name: str
    found: str
    verdict: Verdict = "ok"
    cure: str = ""
