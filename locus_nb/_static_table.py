"""The table that stays where no live one can be: saved notebooks, nbconvert, GitHub, plain terminals.

It holds no script, and reads well when a sanitizer has taken its style and classes away.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from locus_nb._rows import Row

MAX_ROWS = 200
MAX_BYTES = 56_000
MAX_TEXT_ROWS = 20
MAX_TEXT_WIDTH = 120
MAX_PREVIEW = 120
MAX_TYPE = 60
MAX_RUN = 36

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BLANKS = re.compile(r"\s+")
# Controls, lone surrogates, and the marks that turn the direction of the text around them.
_HARMFUL = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
_FAILED_TYPE = re.compile(r"(^|[._])(error|failed|failure|exception)([._]|$)")
_FAILED_DETAIL = {
    "agent.tool.completed": re.compile(r'^ {1,4}"success": false\b', re.MULTILINE),
    "agent.terminate": re.compile(r'^ {1,4}"reason": "error"', re.MULTILINE),
}
_FAMILIES = (
    ("agent.model.", "m"),
    ("agent.tokens.", "m"),
    ("agent.tool.", "t"),
    ("agent.think", "k"),
    ("agent.terminate", "e"),
)
_EMPTY = {"waiting": "Waiting for the first event.", "ended": "Ended without an event."}
# Who reads this later must not take it for how things stand then.
_STATUSES = {
    "waiting": "waiting when this was written",
    "live": "live when this was written",
    "failed": "failed: the view followed no more, the log says why",
}

# JupyterLab's own rules for tables have two classes, so these that it would overrule have two as well. The
# last rule takes away the line by which it says, over the table, that a closed kernel's widget is gone.
_STYLE = """<style>
.locus-static{max-width:100%;max-height:480px;overflow:auto;font-size:12px}
@media print{.locus-static{max-height:none}}
.locus-static table{border-collapse:collapse;table-layout:auto;width:100%;margin:0;font-size:12px;color:inherit}
.locus-static caption{text-align:left;padding:4px 8px;font-size:13px;color:inherit}
.locus-static tr{background:none;border-bottom:1px solid rgba(128,128,128,.25)}
.locus-static.locus-static :is(th,td){text-align:left;padding:2px 8px;border:0;white-space:nowrap;max-width:none}
.locus-static th{font-weight:normal;opacity:.7}
.locus-static td{font-family:ui-monospace,Menlo,Consolas,monospace;vertical-align:top}
.locus-static.locus-static :is(th,td):first-child{text-align:right}
.locus-static.locus-static td:last-child{font-family:inherit;white-space:normal;width:99%;min-width:12em}
.locus-static td:nth-child(-n+2){opacity:.7}
.locus-static td:nth-child(3)::before{content:"";display:inline-block;width:7px;height:7px;
margin-right:7px;border-radius:2px;background:#c9953b}
.locus-static .m td:nth-child(3)::before{background:#4f8edc}
.locus-static .t td:nth-child(3)::before{background:#2aa58d}
.locus-static .k td:nth-child(3)::before{background:#a274d6}
.locus-static .e td:nth-child(3)::before{background:#8b95a1}
.locus-static .x td:nth-child(3)::before{background:#dc4c4c}
.locus-static .x td{background:rgba(220,76,76,.09)}
.locus-static p{margin:2px 8px 4px;opacity:.7}
.jp-OutputArea-child:not(:has(.locus-live)):has(>.jp-OutputArea-output:not([data-mime-type])):has(\
+.jp-OutputArea-child .locus-static){display:none}
</style>"""


def static_html(
    rows: Sequence[Row], *, title: str, status: str, missing: int, total: int, css_class: str = ""
) -> str:
    """The newest rows as a self-contained, script-free HTML table; times are in UTC.

    Everything is escaped. At most 200 rows and about 60 kB, whatever the rows hold: longer previews are
    cut, and rows that do not fit are said as "N earlier events not shown". A column for the run is there
    unless the title is the id of the only run.

    Args:
        rows: The rows at hand, ascending by seq.
        title: What is watched: a run id, or "all runs".
        status: "waiting", "live", "ended" or "failed".
        missing: How many events never reached the view.
        total: How many events the view saw, also those no longer at hand.
        css_class: A class by which a page can find the table.
    """
    with_run = any(row[3] != title for row in rows)
    lines = _html_lines(rows, with_run=with_run)
    names = ["seq", "time (UTC)", "type", "run", "preview"]
    head = "".join(f"<th>{name}</th>" for name in names if with_run or name != "run")
    caption = " · ".join(map(_html, _facts(rows, status=status, missing=missing, total=total)))
    classes = escape(_clean(f"locus-static {css_class}", MAX_PREVIEW), quote=True)
    body = "\n".join(lines)
    parts = [
        f'<div class="{classes}">{_STYLE}<table>',
        f"<caption><b>{_html(title)}</b> · {caption}</caption>",
        f"<thead><tr>{head}</tr></thead>" if lines else "",
        f"<tbody>\n{body}\n</tbody></table>" if lines else "</table>",
        "".join(f"<p>{note}</p>" for note in _notes(len(lines), rows, status=status, total=total)),
        "</div>",
    ]
    return "".join(parts)


def static_text(rows: Sequence[Row], *, title: str, status: str, missing: int, total: int) -> str:
    """The newest 20 rows as lines of plain text, at most 120 characters wide; times are in UTC.

    What does not fit is said as "N earlier events not shown"; the arguments are those of `static_html`.
    """
    with_run = any(row[3] != title for row in rows)
    shown = rows[-MAX_TEXT_ROWS:]
    cells = [("seq", "time (UTC)", "type", "run", "preview"), *(_cells(row) for row in shown)]
    if not with_run:
        cells = [(*line[:3], line[4]) for line in cells]
    facts = [_clean(title, MAX_PREVIEW), *_facts(rows, status=status, missing=missing, total=total)]
    lines = [" · ".join(facts)]
    if shown:
        lines.extend(_aligned(cells))
    lines.extend(_notes(len(shown), rows, status=status, total=total))
    return "\n".join(_cut(line.rstrip(), MAX_TEXT_WIDTH) for line in lines)


def _html_lines(rows: Sequence[Row], *, with_run: bool) -> list[str]:
    """The table rows of the newest rows that fit, oldest first."""
    lines: list[str] = []
    room = MAX_BYTES - len(_STYLE)
    for row in reversed(rows[-MAX_ROWS:]):
        cells = [escape(cell, quote=False) for cell in _cells(row)]
        if not with_run:
            del cells[3]
        line = f'<tr class="{_family(row)}">{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'
        room -= len(line.encode()) + 1
        if room < 0:
            break
        lines.append(line)
    return lines[::-1]


def _cells(row: Row) -> tuple[str, str, str, str, str]:
    seq, time_ms, event_type, run_id, preview, *_ = row
    return (
        str(seq),
        _clock(time_ms),
        _clean(event_type, MAX_TYPE),
        _clean(run_id, MAX_RUN),
        _clean(preview, MAX_PREVIEW),
    )


def _aligned(cells: Sequence[Sequence[str]]) -> Iterable[str]:
    """The cells as lines whose columns stand under each other, the first one to the right."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for first, *others in cells:
        padded = (cell.ljust(width) for cell, width in zip(others, widths[1:], strict=True))
        yield "  ".join([first.rjust(widths[0]), *padded])


def _facts(rows: Sequence[Row], *, status: str, missing: int, total: int) -> list[str]:
    """What the line over the table says after its title."""
    facts = [_clean(_STATUSES.get(status, status), MAX_TYPE), _counted(max(total, len(rows)), "event")]
    if missing > 0:
        facts.append(f"{_counted(missing, 'event')} missing")
    if rows:
        facts.append(f"last on {_day(rows[-1][1])}")
    return facts


def _notes(shown: int, rows: Sequence[Row], *, status: str, total: int) -> list[str]:
    """What the lines under the table say."""
    earlier = max(total, len(rows)) - shown
    if earlier > 0:
        return [f"{_counted(earlier, 'earlier event')} not shown"]
    return [] if shown else [_EMPTY.get(status, "No events yet.")]


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _html(text: str) -> str:
    return escape(_clean(text, MAX_PREVIEW), quote=False)


def _clean(text: str, limit: int) -> str:
    """One harmless line of at most `limit` characters; a cut one ends in an ellipsis."""
    # Cut first, generously, so that a huge text costs no more than a long one.
    return _cut(_HARMFUL.sub("\ufffd", _BLANKS.sub(" ", text[: 4 * limit]).strip()), limit)


def _cut(line: str, limit: int) -> str:
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def _moment(time_ms: int) -> datetime | None:
    try:
        return _EPOCH + timedelta(milliseconds=time_ms)
    except (OverflowError, ValueError):
        return None


def _clock(time_ms: int) -> str:
    moment = _moment(time_ms)
    return moment.strftime("%H:%M:%S.") + f"{moment.microsecond // 1000:03}" if moment else "-"


def _day(time_ms: int) -> str:
    moment = _moment(time_ms)
    return moment.date().isoformat() if moment else "-"


def _family(row: Row) -> str:
    """The class that gives a row its colour, as `familyOf` does on the page."""
    event_type, detail = row[2], row[5]
    failed = _FAILED_DETAIL.get(event_type)
    if _FAILED_TYPE.search(event_type) or (failed and failed.search(detail)):
        return "x"
    return next((family for prefix, family in _FAMILIES if event_type.startswith(prefix)), "o")
