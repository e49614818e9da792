"""The quick check: whether a text is ordinary, that is, whether no pattern for secrets can match in it.

It says so of most texts, by a few searches for what every shape, and every name that tells, holds.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from locus_nb._payloads.names import LONGEST_NAME, MARK, may_tell
from locus_nb._wire import MAX_ERROR, MAX_PREVIEW, MAX_REPR, jsonable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def is_ordinary(text: str) -> bool:
    """Say that no pattern can match: a few substring searches, many times cheaper than the patterns."""
    if len(text) < _SHORTEST:
        return True
    if ("A" in text or "J" in text) and _any_in(_CAPITALS, text):
        return False
    if "earer" in text or _may_hold_beside(text):
        return False
    if (len(text) >= _LONG and _may_hold_long(text)) or (
        (text[-1] == "…" or len(text) >= MAX_PREVIEW) and _may_go_on(text)
    ):
        return False
    return not ((":" in text or "=" in text) and _may_tell(text))


def all_ordinary(texts: Sequence[str]) -> bool:
    """Say that no pattern would change one of `texts`, or make it fit UTF-8; False if one wants a closer look.

    Asks about all at once what `without_secrets` asks about one, so it costs much less.
    """
    text = "\n".join(texts)
    if "earer" in text or not (text.isascii() or jsonable(text) is text):
        return False
    # One character is found ten times as fast as two.
    for character in "AJ":
        if character in text and _any_in(_CAPITALS, "\n".join([each for each in texts if character in each])):
            return False
    if _may_hold_beside(text) or _may_hold_long(text):
        return False
    if any(_may_go_on(each) for each in texts if len(each) >= MAX_PREVIEW or each[-1:] == "…"):
        return False
    return not ((":" in text or "=" in text) and _may_tell(text))


def cut_at(text: str) -> int:
    """Say where a text was cut before it came here, as previews are; 0 if it was not.

    What has just that length, or ends with an ellipsis, is taken as cut, unless it was redacted before.
    """
    end = len(text)
    if text[-1:] == "…":
        end -= 1
    elif end not in _CUTS:
        end = MAX_REPR if text.startswith("... (", MAX_REPR) and text.endswith(" characters)") else 0
    return 0 if end and _MARKED in text else end


def continued(text: str) -> Iterator[tuple[int, str]]:
    """Give the ways in which a cut text may go on: from where on it may hold a secret, and the rest of that."""
    if not text[-1:].strip():
        return
    near = text[-_LONGEST_WORD:]
    last = near.rsplit(None, 1)[-1]
    if "earer" in near:
        last = near[near.rindex("earer") - 1 :]
    elif last.isalpha() and last.islower():
        last = ""
    start = len(text) - len(last)
    if last:
        yield start, _MORE_LETTERS
    if "://" in last and _USER(last) and not _PORT(last):
        yield start, "@0"
    element = near.find("<")
    if element >= 0:
        yield len(text) - len(near) + element, "</"


def _may_go_on(text: str) -> bool:
    """Say whether a text was cut, perhaps in a secret."""
    end = cut_at(text)
    head = text[:end]
    return any(not is_ordinary(head[start:] + rest) for start, rest in continued(head))


def _may_hold_beside(text: str) -> bool:
    """Say whether a secret may stand beside a dash, a comma, a blank or an angle bracket in `text`."""
    return (
        ("-" in text and _may_dash(text))
        or ("," in text and _may_pair(text))
        or (" " in text and _may_say(text))
        or ("<" in text and _may_mark(text))
    )


def _may_hold_long(text: str) -> bool:
    """Say whether `text` may hold one of the shapes that take at least `_LONG` characters."""
    if "_" in text and (_UNDERSCORE(text) or _any_in(_UNDERSCORED, text)):
        return True
    # The second look is the slower one, and most dots pass the first where a cut text is tried with more letters.
    if "." in text and _DOT(text) and _DOTTED(text):
        return True
    if ("asic" in text and _BASIC_CODE(text)) or ("SK" in text and _TWILIO(text)):
        return True
    return "~" in text or "dapi" in text or "hooks" in text


def _may_tell(text: str) -> bool:
    """Say whether one side of a `:` or `=` in `text` may tell that a secret is on the other."""
    if "@" in text and ("://" in text or "@tcp(" in text or "@unix(" in text):
        return True
    short = len(text) < _CUTTING or len(text) < _CUTTING_EACH * (text.count(":") + text.count("="))
    if short and not may_tell(text):
        return False
    *before, _ = text.replace("=", ":").split(":")
    names = [part.rstrip(_AFTER_NAMES)[-LONGEST_NAME:] for part in before]
    if may_tell("\n".join(names)):
        return True
    return _any_in(("val", "Val", "VAL"), text) and may_tell("\n".join(_NAMES_BESIDE(text)))


def _may_dash(text: str) -> bool:
    """Say whether what stands before or after a dash may be a prefix, or a flag that names a secret."""
    if _DASH(text) or "xox" in text or ("curl" in text and ":" in text):
        return True
    return "--" in text and may_tell("\n".join(_FLAGS(text)))


def _may_pair(text: str) -> bool:
    """Say whether `text` may hold a pair whose first is the name of a secret."""
    if "(" in text and ("uth" in text or ".login(" in text):
        return True
    return ("[" in text or "(" in text) and may_tell("\n".join(_FIRST_OF_PAIR(text)))


def _may_say(text: str) -> bool:
    """Say whether a secret's name and a secret may stand in `text` with nothing but a blank between."""
    if ("%" in text and "env" in text) or "set" in text or "ENV " in text or "machine " in text:
        return may_tell(text)
    if "assw" in text or "ASSW" in text or "entified" in text or "ENTIFIED" in text:
        return _SQL(text) is not None
    return False


def _may_mark(text: str) -> bool:
    """Say whether `text` may hold an element of XML that is called as a secret."""
    return "</" in text and may_tell("\n".join(_IN_ANGLES(text)))


def _any_in(parts: tuple[str, ...], text: str) -> bool:
    for part in parts:  # noqa: SIM110 - a generator costs more than the searches
        if part in text:
            return True
    return False


# `pwd=ab`
_SHORTEST = 6
_CAPITALS = ("AKIA", "ASIA", "AIza", "EARER", "eyJ", ":AA", "TT3", "ATBB", "LTAI", "AGE-", "EAAA")
# One look at the letter before tells of most dashes that they follow no prefix.
_DASH = re.compile(
    r"-(?:BEGIN |us[0-9]|(?<=[KUXcikptxy]-)(?:(?<=sk-)|(?<=pplx-)|(?<=pypi-)|(?<=xai-)|(?<=xapp-)|(?<=tvly-)"
    r"|(?<=nvapi-)|(?<=[MR]AK-)|(?<=HRKU-)|(?<=OCSPX-)|(?<=key-)|(?<=pat-)|(?<=fc-)|(?<=sq0[a-z]{2}p-)"
    r"|(?<=gl[dr]t-)|(?<=glft-)|(?<=gl[a-z]{2}t-)|(?<=gl[a-z]{3}t-)|(?<=glagent-)))"
).search
# `ghp_` and thirteen more. One more than a span's id, which comes with every event.
_LONG = 17
_UNDERSCORE = re.compile(r"_[A-Za-z0-9]{12}").search
_UNDERSCORED = ("_pat_", "_oat_", "figd_", "tgp_", "jina_", "pscale_", "sb_secret_")
_DOT = re.compile(r"\.[\w-]{20}", re.ASCII).search
_DOTTED = re.compile(
    r"(?:ya29|SG|hv[brs]|dp\.[a-z]{2,5}(?:\.[\w-]{1,40})?|dt0[a-z][0-9]{2}|\.atlasv1|\.[\w-]{6}|[\w-]{17}"
    r"|eyJ[\w-]{1,40}|\.[A-Z0-9]{24})\.[\w-]{20}",
    re.ASCII,
).search
_BASIC_CODE = re.compile(r"asic\s{1,4}[A-Za-z0-9+/]{11}", re.ASCII).search
_TWILIO = re.compile(r"SK[a-f0-9]{32}").search
_FLAGS = re.compile(r"--[A-Za-z][\w-]*+", re.ASCII).findall
_FIRST_OF_PAIR = re.compile(
    r"[\[(](?:[\w.]{1,60}+,)?\s{0,4}[bBfFrRuU]{0,2}\\{0,31}[\"'`][\w-]++", re.ASCII
).findall
_SQL = re.compile(
    r"(?:password|identified(?: with \w{1,40})? by) {1,4}\\{0,31}[\"'`]", re.ASCII | re.IGNORECASE
).search
_IN_ANGLES = re.compile(r"[<>]\s{0,8}[\w.:-]++", re.ASCII).findall
_NAMES_BESIDE = re.compile(
    r"(?i:name|key|header|variable|field|param|parameter)[^\w]{1,72}([\w.-]++)", re.ASCII
).findall
_MARKED = MARK.rstrip("]")
_CUTS = frozenset({MAX_PREVIEW, MAX_ERROR})
_LONGEST_WORD = 256
# They fit any shape.
_MORE_LETTERS = "0" * 64
# A name and a colon, behind which stands a password or a port.
_USER = re.compile(r"://[^\s/?#\"':]{0,256}:\S{0,256}\Z").search
_PORT = re.compile(r":[0-9]{0,5}\Z").search
# What may come between the end of a name and `:` or `=`.
_AFTER_NAMES = " \t\n\r\f\v\\\"'`]?!*"
# To cut out what may be names takes as long as to search this many characters, or so many for each name.
_CUTTING, _CUTTING_EACH = 200, 50
