"""How texts, times and counts read in a static picture: harmless, short, of one line."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Context
from html import escape
from math import floor, isfinite

# Those of a box of a hundred views.
MAX_CLASSES = 3_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BLANKS = re.compile(r"\s+")
# Controls, lone surrogates, marks without a width, and those that turn the direction of the text around them.
_HARMFUL = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff\ufffe\uffff]"
)
# As many of them on one letter as any language needs.
_STACKED = re.compile(
    "([\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]{4})"
    "[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+"
)
# In the style of every picture: they take away a box of nothing but views of which none is live, and in JupyterLab
# the place of a picture that has moved, and the line by which it says that a closed kernel's widget is gone: over
# the view's picture, under those of what a box held, and in an Output widget with theirs in the same cell.
# And a name whose beginning gives way where there is no room for it.
COMMON_RULES = """.locus-name{display:flex}
.locus-name>span{white-space:pre}
.locus-name>:first-child{overflow:hidden;text-overflow:ellipsis}
.locus-name>:last-child{flex:none}
.locus-box-of-views.locus-box-of-views:not(:has(.locus-live)),\
.jp-OutputArea-child:not(:has(.locus-live)):has(>.jp-OutputArea-output>.locus-box-of-views),.jp-OutputArea-child:has(>.jp-OutputArea-output>.locus-gone){display:none}
.jp-OutputArea-child:not(:has(>.jp-OutputArea-output *)):has(>.jp-OutputArea-output:not([data-mime-type])):is(\
:has(+.jp-OutputArea-child .locus-static),.jp-OutputArea-child:has(.locus-boxed)+*,\
.jp-OutputArea:has(.locus-boxed) .jp-OutputArea *){display:none}
"""
_HOUR_S = 3_600
# A name of so many characters has room everywhere; of a longer one so much of its end is always shown.
_SHORT, _TAIL = 12, 8
_UNKNOWN = "\N{EN DASH}"
# As a browser rounds.
_THREE = Context(prec=3, rounding=ROUND_HALF_UP)


def clean(text: str, limit: int) -> str:
    """Give one harmless line of at most `limit` characters; a cut one ends in an ellipsis."""
    # Cut first, generously, so that a huge text costs no more than a long one.
    line = _BLANKS.sub(" ", text[: 4 * limit]).strip()
    return cut(_harmless(line), limit)


def clean_lines(text: str) -> str:
    """Give all lines of a text, each harmless: nothing in them hides, moves or repaints what is around it."""
    lines = text.replace("\r\n", "\n").replace("\t", "    ").split("\n")
    return "\n".join(map(_harmless, lines))


def _harmless(line: str) -> str:
    return _STACKED.sub(r"\1", _HARMFUL.sub("\ufffd", line))


def cut(line: str, limit: int) -> str:
    """Give at most `limit` characters of a line."""
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def middle(text: str, limit: int) -> str:
    """Give what `clean` does, cut in the middle: names of a kind often differ at their ends."""
    # Cut first, generously, as there.
    whole = clean(text if len(text) <= 8 * limit else f"{text[: 4 * limit]} {text[-4 * limit :]}", 8 * limit)
    if len(whole) <= limit:
        return whole
    return f"{whole[: limit - 1 - _TAIL]}…{whole[-_TAIL:]}"


def name_html(text: str, limit: int, *, title: bool = True) -> str:
    """Give what `middle` does, as html that is cut in the middle again where it is too wide; a title has more of it."""
    name = middle(text, limit)
    if len(name) <= _SHORT:
        return escape(name)
    head, tail = escape(name[:-_TAIL]), escape(name[-_TAIL:])
    whole = f' title="{html(text, 2 * limit)}"' if title else ""
    return f'<span class="locus-name"{whole}><span>{head}</span><span>{tail}</span></span>'


def html(text: str, limit: int) -> str:
    """Give what `clean` does, escaped, also for an attribute."""
    return escape(clean(text, limit))


def clock(time_ms: float) -> str:
    """Give the time of day in UTC, to the millisecond."""
    moment = _moment(time_ms)
    return moment.strftime("%H:%M:%S.") + f"{moment.microsecond // 1000:03}" if moment else _UNKNOWN


def day(time_ms: float) -> str:
    """Give the date in UTC."""
    moment = _moment(time_ms)
    return moment.date().isoformat() if moment else _UNKNOWN


def duration(ms: float) -> str:
    """Give milliseconds in at most three figures, in the unit that suits them, as the live views do.

    Example:
        >>> [duration(ms) for ms in (0.25, 12.34, 250, 1500, 83_000, 7_260_000)]
        ['250 µs', '12.3 ms', '250 ms', '1.5 s', '1 m 23 s', '2 h 01 m']
    """
    if not isfinite(ms):
        return _UNKNOWN
    if ms < 0.9995:  # noqa: PLR2004 - what is nearer to the next unit, in three figures, has that
        microseconds = floor(ms * 1000 + 0.5)
        return f"{microseconds} µs" if microseconds > 0 else "0 s"
    if ms < 999.5:  # noqa: PLR2004 - as above
        return f"{_three_figures(ms)} ms"
    if ms < 59_950:  # noqa: PLR2004 - as above
        return f"{_three_figures(ms / 1000)} s"
    seconds = floor(ms / 1000 + 0.5)
    if seconds < _HOUR_S:
        return f"{seconds // 60} m {seconds % 60:02} s"
    return f"{seconds // _HOUR_S:,} h {seconds % _HOUR_S // 60:02} m"


def counted(number: int, noun: str) -> str:
    """Give a number with its noun."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _three_figures(number: float) -> str:
    return f"{_THREE.create_decimal(number).normalize():f}"


def _moment(time_ms: float) -> datetime | None:
    try:
        return _EPOCH + timedelta(milliseconds=time_ms)
    except (OverflowError, ValueError):
        return None
