"""The picture of a bus that stays where no live monitor can be: self-contained html without script, and text."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING

from locus_nb._payloads.format import (
    COMMON_RULES,
    MAX_CLASSES,
    clock,
    counted,
    duration,
    html,
    middle,
    name_html,
)
from locus_nb._payloads.redact import redact_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from locus_nb._readers import ReaderStats
    from locus_nb._views.samples import BusPicture, Sample

MAX_READERS = 20
MAX_LABEL = 60

# Characters of a run id that are looked for in a label.
_LOOKED_AT = 100
_WIDTH, _HEIGHT, _SPAN_MS = 600, 48, 60_000.0

# As many classes as outdo JupyterLab's own rules for tables, and those of the other pictures.
_STYLE = """<style>
.locus-static-monitor{max-width:100%;overflow:auto;font-size:12px;font-variant-numeric:tabular-nums}
.locus-static.locus-static-monitor p{margin:2px 8px 6px;font-size:13px}
.locus-static-monitor svg{display:block;width:calc(100% - 16px);max-width:900px;height:56px;margin:4px 8px;
border-bottom:1px solid rgba(128,128,128,.5)}
.locus-static-monitor table{border-collapse:collapse;table-layout:auto;width:100%;max-width:916px;margin:4px 0;\
font-size:12px;color:inherit}
.locus-static-monitor tr{background:none;border-bottom:1px solid rgba(128,128,128,.25)}
.locus-static.locus-static-monitor.locus-static :is(th,td){padding:2px 8px;border:0;text-align:right;white-space:nowrap}
.locus-static.locus-static-monitor.locus-static :is(th,td):first-child{text-align:left;unicode-bidi:isolate;width:99%;\
max-width:0;min-width:12ch}
.locus-static.locus-static-monitor .ends{display:flex;justify-content:space-between;max-width:900px;\
margin:-2px 8px 4px;font-size:11px;opacity:.7}
.locus-static-monitor td{font-family:ui-monospace,Menlo,Consolas,monospace}
.locus-static-monitor th{font-weight:normal;opacity:.7}
.locus-static-monitor .x{color:#dc4c4c;font-weight:600}
COMMON_RULES</style>""".replace("COMMON_RULES", COMMON_RULES)


def monitor_html(picture: BusPicture, *, css_class: str = "") -> str:
    """A bus's figures as self-contained, script-free HTML: facts, events per second, the worst 20 readers.

    Everything is escaped; a reader's name is cut at 60 characters, in the middle.

    Args:
        picture: What the monitor saw last.
        css_class: A class by which a page can find it.
    """
    classes = html(f"locus-static locus-static-monitor {css_class}", MAX_CLASSES)
    facts = " · ".join(_marked(fact) for fact in _facts(picture.facts))
    notes = "".join(f"<p>{note}</p>" for note in _notes(picture))
    return (
        f'<div class="{classes}">{_STYLE}<p><b>Bus monitor</b> · {_time(picture)}</p>'
        f"<p>{facts}</p>{_chart(picture.samples)}{_table(picture.readers[:MAX_READERS])}{notes}</div>"
    )


def monitor_text(picture: BusPicture) -> str:
    """Say the same in lines of plain text."""
    lines = [f"Bus monitor · {_time(picture)}", " · ".join(words for words, _ in _facts(picture.facts))]
    lines.append(_rate_words(picture.samples))
    rows = [_HEAD, *map(_cells, picture.readers[:MAX_READERS])]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    if picture.readers:
        lines.extend(_aligned(row, widths) for row in rows)
    return "\n".join([*lines, *_notes(picture)])


_HEAD = ("reader", "backlog", "peak", "delivered", "dropped")


def _cells(reader: ReaderStats) -> tuple[str, ...]:
    counts = (reader.peak_backlog, reader.delivered, reader.dropped)
    backlog = f"{reader.backlog:,} / {reader.capacity:,}"
    return (middle(_name(reader), MAX_LABEL), backlog, *(f"{count:,}" for count in counts))


def _name(reader: ReaderStats) -> str:
    """Give its label, and its run where the label does not say it."""
    label, run = reader.label, "all runs" if reader.run_id is None else reader.run_id
    # A view's label holds the id, or the beginning of one that is very long, in quotes.
    is_said = label == run or json.dumps(run[:_LOOKED_AT], ensure_ascii=False)[:_LOOKED_AT] in label
    shown = redact_name(label)
    return shown if is_said else " · ".join(filter(None, (shown, run)))


def _table(readers: Sequence[ReaderStats]) -> str:
    if not readers:
        return ""
    head = "".join(f"<th>{name}</th>" for name in _HEAD)
    rows = "".join(_row(reader) for reader in readers)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _row(reader: ReaderStats) -> str:
    _, *counts, dropped = _cells(reader)
    cells = [name_html(_name(reader), MAX_LABEL), *counts]
    mark = f'<td class="x">✕ {dropped}</td>' if reader.dropped else f"<td>{dropped}</td>"
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + mark + "</tr>"


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    name, *counts = zip(row, widths, strict=True)
    return "  ".join([name[0].ljust(name[1]), *(cell.rjust(width) for cell, width in counts)])


def _facts(facts: dict[str, int]) -> list[tuple[str, bool]]:
    """What is said of the bus, and whether it is a loss."""
    words = [
        (f"{facts['published']:,} published", False),
        (f"{facts['dropped']:,} dropped", facts["dropped"] > 0),
        (f"{facts['history_runs']:,} of {facts['max_runs']:,} runs kept", False),
        (f"{counted(facts['trimmed'], 'event')} trimmed", False),
        (f"{counted(facts['evicted'], 'run')} evicted", False),
    ]
    losses = (
        ("late", counted(facts["late"], "late event")),
        ("refused", f"{counted(facts['refused'], 'reader')} refused"),
        ("emit_failures", counted(facts["emit_failures"], "failed emit")),
    )
    return [*words, *((said, True) for name, said in losses if facts[name])]


def _marked(fact: tuple[str, bool]) -> str:
    words, is_loss = fact
    return f'<span class="x">✕ {words}</span>' if is_loss else words


def _notes(picture: BusPicture) -> list[str]:
    more = picture.facts["readers"] - min(len(picture.readers), MAX_READERS)
    notes = ["Nobody reads this bus."] if not picture.facts["readers"] else []
    if more:
        notes.append(f"and {more:,} more readers")
    if picture.facts["resets"]:
        notes.append("The bus was reset while this was watched: counts are of the newest one.")
    return notes


def _time(picture: BusPicture) -> str:
    at = datetime.fromtimestamp(picture.samples[-1].at_ms / 1000, UTC)
    return f"as of {at:%Y-%m-%d %H:%M:%S} UTC"


def _rates(samples: Sequence[Sample]) -> list[tuple[float, float, float]]:
    """The last minute's stretches: from and to as milliseconds before the end, events per second.

    A rate is the difference of two totals by that of their times. Where the bus was replaced there is none.
    """
    end = samples[-1].at_ms
    return [
        (end - before.at_ms, end - after.at_ms, rate)
        for before, after in pairwise(samples)
        if before.published <= after.published
        and before.at_ms < after.at_ms
        and end - after.at_ms < _SPAN_MS
        and (rate := (after.published - before.published) * 1000 / (after.at_ms - before.at_ms)) >= 0
    ]


def _rate_words(samples: Sequence[Sample]) -> str:
    rates = _rates(samples)
    if not rates:
        return "events/s: no samples yet"
    peak = max(rate for _, _, rate in rates)
    time = sum(begin - end for begin, end, _ in rates)
    mean = sum(rate * (begin - end) for begin, end, rate in rates) / time
    return f"events/s: mean {mean:,.1f} · peak {peak:,.1f}, over the last {duration(time)} that were sampled"


def _chart(samples: Sequence[Sample]) -> str:
    """Each stretch of time as a step as wide as it lasted, so that the area is the number of events."""
    rates = _rates(samples)
    words = _rate_words(samples)
    if not rates:
        return f"<p>{words}</p>"
    top = max(*(rate for _, _, rate in rates), 1.0)
    steps = "".join(
        f"M{_across(begin)} {_HEIGHT}V{_HEIGHT * (1 - rate / top):.1f}H{_across(end)}V{_HEIGHT}Z"
        for begin, end, rate in rates
    )
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" role="img" aria-label="{words}">'
        f'<path d="{steps}" fill="#4f8edc" fill-opacity=".7"/></svg>'
        f'<p class="ends"><span>60 s before</span><span>{clock(samples[-1].at_ms)}</span></p><p>{words}</p>'
    )


def _across(before_end: float) -> str:
    return f"{max(0.0, _WIDTH * (1 - before_end / _SPAN_MS)):.1f}"
