"""Tables that stay where no live one can be: events, runs, and events as plain text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locus_nb._payloads.format import clean, clock, counted, cut, duration, html, middle, name_html

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping, Sequence

    from locus_nb._views.fold import Item
    from locus_nb._views.rows import Row
    from locus_nb._views.tally import Tally

MAX_ITEMS = 500
MAX_RUNS = 50
MAX_TEXT_ROWS = 20
MAX_TEXT_WIDTH = 120
MAX_PREVIEW = 160
MAX_TYPE = 60
MAX_RUN = 36
MAX_NAME = 100
MAX_ERRORS = 3
# An error among so few lines is seen without being named above them.
_FEW = 15
MARKS = {"ok": "✓", "error": "✕", "interrupted": "■", "running": "…"}

_CLASSES = {"model": "m", "tool": "t", "think": "k", "end": "e", "agent": "a"}


def events_table(
    items: Sequence[Item], *, names: Mapping[str, str] | None, ended: Container[str], room: int
) -> tuple[str, int]:
    """Give the newest 500 items as html of at most about `room` bytes, oldest first, and how many those are.

    Args:
        items: What there is, ascending.
        names: What runs are called, by their ids; None for rows of one run, which is not named in each.
        ended: Runs in which what is open was never completed.
        room: Bytes.
    """
    lines: list[str] = []
    for item in reversed(items[-MAX_ITEMS:]):
        line = _line(item, names=names, ended=ended)
        room -= len(line.encode()) + 1
        if room < 0:
            break
        lines.append(line)
    columns = ["seq", "time (UTC)", "type", "run", "took", "", "preview"]
    head = "".join(f"<th>{column}</th>" for column in columns if names is not None or column != "run")
    body = "\n".join(reversed(lines))
    table = f"<table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table>" if lines else ""
    return table, len(lines)


def runs_table(tallies: Sequence[Tally]) -> str:
    """Give the newest 50 runs as html, the one with the newest event first; empty without any."""
    if not tallies:
        return ""
    lines = [_run_line(tally) for tally in reversed(tallies[-MAX_RUNS:])]
    columns = ["run", "", "status", "elapsed", "events", "model calls", "tool calls", "errors", "tokens"]
    head = "".join(f"<th>{column}</th>" for column in columns)
    body = "\n".join(lines)
    return f"<table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table>"


def errors_html(items: Sequence[Item], *, names: Mapping[str, str] | None) -> str:
    """Give how many of the newest 500 items failed, and the newest three of them, as html.

    Empty where there are none, or so few items that all are seen at once. `names` as in `events_table`.
    """
    shown = items[-MAX_ITEMS:]
    failed = [item for item in shown if item.last.status == "error"]
    if not failed or len(shown) <= _FEW:
        return ""
    lines = [f"<p>✕ {' · '.join(_error_words(item, names))}</p>" for item in failed[-MAX_ERRORS:]]
    said = counted(len(failed), "error") + (", the newest:" if len(failed) > MAX_ERRORS else ":")
    return f'<div class="locus-static-errors"><p><b>{said}</b></p>{"".join(lines)}</div>'


def events_text(rows: Sequence[Row], *, names: Mapping[str, str] | None) -> list[str]:
    """Give the newest 20 rows as lines of at most 120 characters, under a line that names their parts.

    `names` as in `events_table`.
    """
    cells = [("seq", "time (UTC)", "type", "run", "preview")]
    cells += (_cells(row, names or {}) for row in rows[-MAX_TEXT_ROWS:])
    if names is None:
        cells = [(*line[:3], line[4]) for line in cells]
    return [cut(line.rstrip(), MAX_TEXT_WIDTH) for line in aligned(cells)] if rows else []


def elapsed(tally: Tally) -> float:
    """Give the milliseconds from a run's start to its end, or to its newest event if that is later."""
    return max(0.0, max(tally.ended_ms or 0.0, tally.last_ms) - tally.started_ms)


def _line(item: Item, *, names: Mapping[str, str] | None, ended: Container[str]) -> str:
    row, last = item.lead, item.last
    took = item.duration_ms
    never = "never completed" if row.run_id in ended else "…"
    family = "x" if last.status == "error" else _CLASSES.get(row.family, "o")
    cells = [
        str(row.seq),
        clock(row.time_ms),
        html(last.event_type, MAX_TYPE),
        None if names is None else name_html(_called(row, names), MAX_RUN, title=False),
        never if item.is_open else duration(took) if took is not None else "",
        MARKS.get(last.status or "", ""),
        html(_preview(item), MAX_PREVIEW),
    ]
    return f'<tr class="{family}">{"".join(f"<td>{cell}</td>" for cell in cells if cell is not None)}</tr>'


def _preview(item: Item) -> str:
    told = [item.last.preview]
    if item.used is not None:
        told.append(item.used.preview)
    if item.chunks:
        told.append(counted(item.chunks, "chunk"))
    return " · ".join(filter(None, told))


def _called(row: Row, names: Mapping[str, str]) -> str:
    return names.get(row.run_id) or row.run_id


def _error_words(item: Item, names: Mapping[str, str] | None) -> list[str]:
    told = [(item.last.event_type, MAX_TYPE), (_preview(item), MAX_PREVIEW)]
    if names is not None:
        told.insert(0, (middle(_called(item.lead, names), MAX_RUN), MAX_RUN))
    return [str(item.lead.seq), *(html(*text) for text in told)]


def _run_line(tally: Tally) -> str:
    tokens = (
        f"{tally.input_tokens:,} + {tally.output_tokens:,}"
        if tally.input_tokens or tally.output_tokens
        else ""
    )
    cells = (
        name_html(tally.name or tally.run_id, MAX_NAME),
        MARKS.get(tally.status, ""),
        tally.status,
        duration(elapsed(tally)),
        *(f"{number:,}" for number in (tally.events, tally.model_calls, tally.tool_calls, tally.errors)),
        tokens,
    )
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _cells(row: Row, names: Mapping[str, str]) -> tuple[str, str, str, str, str]:
    return (
        str(row.seq),
        clock(row.time_ms),
        clean(row.event_type, MAX_TYPE),
        middle(_called(row, names), MAX_RUN),
        clean(row.preview, MAX_PREVIEW),
    )


def aligned(cells: Sequence[Sequence[str]]) -> Iterable[str]:
    """Give cells as lines whose columns stand under each other, the first one to the right."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for first, *others in cells:
        padded = (cell.ljust(width) for cell, width in zip(others, widths[1:], strict=True))
        yield "  ".join([first.rjust(widths[0]), *padded])
