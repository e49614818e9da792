"""One run as an SVG waterfall: what took how long, and what went on at the same time.

Across, all is in percent of the width, so that it fits any page and no letter is stretched; down, in pixels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from locus_nb._payloads.format import clean, counted, duration, html
from locus_nb._payloads.kinds import title_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from locus_nb._views.fold import Item
    from locus_nb._views.rows import Row

MAX_LANES = 24
MAX_BARS = 200
MAX_BANDS = 60
MAX_LABEL = 40
MAX_SAID = 80

COLOURS = {
    "model": "#4f8edc",
    "tool": "#2aa58d",
    "think": "#a274d6",
    "end": "#8b95a1",
    "agent": "#d0689f",
    "other": "#c9953b",
    "error": "#dc4c4c",
}
_RANKS = {"agent": 0, "model": 1, "tool": 2}

_HEAD, _LANE, _BAR, _FOOT = 16, 20, 12, 18
_ROOM = 99.0
_TICKS = 5
_SECOND = 1_000.0
_ROUND_S = (2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 21_600, 43_200, 86_400)
# A mark of a form of its own over the end of what failed.
_CROSS = (
    '<circle r="5.5" fill="#dc4c4c" stroke="none"/>'
    '<path d="M-2.3-2.3 2.3 2.3M2.3-2.3-2.3 2.3" stroke="#fff" stroke-width="1.6" fill="none"/>'
)
_ARROW = '<path d="M-1-4 4 0-1 4" fill="none" stroke-width="1.6"/>'


class Lane(NamedTuple):
    """What is drawn in one line, none of it over another."""

    label: str
    family: str
    items: list[Item]


class _Scale(NamedTuple):
    """From times to places."""

    begin: float
    end: float

    def x(self, time_ms: float) -> float:
        share = (time_ms - self.begin) / max(self.end - self.begin, 0.001)
        return _ROOM * min(1.0, max(0.0, share))


def waterfall(items: Sequence[Item], rows: Sequence[Row]) -> str:
    """Give a run's items as a picture, the newest 200 of those that took time; empty if none did.

    Iterations are bands, calls of a model, each tool and each agent are lanes, with more than one where they
    went on at the same time. What failed has a colour and a mark, what never ended is open at its end.
    Everything is escaped; there is no script.
    """
    spans = [item for item in items if item.lead.phase != "point"]
    shown = spans[-MAX_BARS:]
    if not shown:
        return ""
    begin = min(item.begin_ms for item in shown)
    scale = _Scale(begin, max([item.last.time_ms for item in shown] + [row.time_ms for row in rows[-1:]]))
    all_lanes = lanes(shown, scale.end)
    kept = all_lanes[:MAX_LANES]
    drawn = "".join(_drawn(lane, number, scale) for number, lane in enumerate(kept))
    height = _HEAD + _LANE * len(kept) + _FOOT
    labels = "".join(f"<div>{html(lane.label, MAX_LABEL)}</div>" for lane in kept)
    svg = (
        f'<svg width="100%" height="{height}" role="img" aria-label="Waterfall of {counted(len(shown), "span")}">'
        f"{_bands(items, scale, height - _FOOT)}{drawn}{_axis(scale, height - _FOOT)}</svg>"
    )
    left_out = (len(spans) - len(shown), "earlier span"), (len(all_lanes) - len(kept), "more lane")
    notes = "".join(
        f'<p class="locus-static-note">{counted(number, noun)} not drawn</p>'
        for number, noun in left_out
        if number
    )
    return f'<div class="locus-static-lanes"><div>{labels}</div><div>{svg}</div></div>{notes}'


def lanes(items: Iterable[Item], end_ms: float) -> list[Lane]:
    """Put items into lanes: by agent, then agents', models', tools' and other ones, in the order they came.

    As the page does: all models share a group, each tool and each other kind of span has its own, and what goes
    on at one time stands in lanes of its own. Unlike there, a lane names its agent itself, there is no line of
    points, and not the lanes of a group but all of them are bounded.
    """
    agents: dict[str, int] = {}
    groups: dict[tuple[int, int, str], list[Item]] = {}
    for item in items:
        row = item.lead
        agent = agents.setdefault(row.agent or "", len(agents))
        groups.setdefault((agent, _RANKS.get(row.family, 3), _group(row)), []).append(item)
    several = len(agents) > 1
    found: list[Lane] = []
    # Sorted by agent and rank only: the order within is that of their first items.
    for (_, _, name), members in sorted(groups.items(), key=lambda group: group[0][:2]):
        row = members[0].lead
        label = f"{row.agent} · {name}" if several and row.agent else name
        found += [Lane(label, row.family, line) for line in _side_by_side(members, end_ms)]
    return found


def _group(row: Row) -> str:
    return "model" if row.family == "model" else _name(row)


def _name(row: Row) -> str:
    if row.name and row.family in ("model", "tool"):
        return row.name
    return title_of(row.event_type) if row.phase != "point" else row.event_type


def _side_by_side(items: Iterable[Item], end_ms: float) -> list[list[Item]]:
    """Share items out among as many lines as there are at one time."""
    lines: list[tuple[float, list[Item]]] = []
    for item in sorted(items, key=lambda item: item.begin_ms):
        end = end_ms if item.is_open else _end_of(item)
        for number, (busy_until, line) in enumerate(lines):
            if busy_until <= item.begin_ms:
                line.append(item)
                lines[number] = (end, line)
                break
        else:
            lines.append((end, [item]))
    return [line for _, line in lines]


def _end_of(item: Item) -> float:
    return max(item.last.time_ms, item.begin_ms)


def _drawn(lane: Lane, number: int, scale: _Scale) -> str:
    y = _HEAD + _LANE * number + (_LANE - _BAR) // 2
    colour = COLOURS.get(lane.family, COLOURS["other"])
    return f'<g fill="{colour}" stroke="{colour}">{"".join(_bar(item, y, scale) for item in lane.items)}</g>'


def _bar(item: Item, y: int, scale: _Scale) -> str:
    failed = item.last.status == "error"
    left = scale.x(item.begin_ms)
    right = _ROOM if item.is_open else scale.x(_end_of(item))
    paint = f' fill="{COLOURS["error"]}" stroke="{COLOURS["error"]}"' if failed else ""
    if item.is_open:
        paint = ' fill-opacity=".2" stroke-dasharray="3 2"'
    mark = _CROSS if failed else _ARROW if item.is_open else ""
    middle = f'<svg x="{right:.2f}%" y="{y + _BAR // 2}" overflow="visible">{mark}</svg>' if mark else ""
    return (
        f'<rect x="{left:.2f}%" y="{y}" width="{right - left:.2f}%" height="{_BAR}" rx="2"{paint}>'
        f"<title>{html(_said(item), MAX_SAID)}</title></rect>{middle}"
    )


def _said(item: Item) -> str:
    took = item.duration_ms
    ended = "not completed" if item.is_open else duration(took) if took is not None else ""
    parts = (clean(_name(item.lead), MAX_LABEL), ended, item.last.error or item.last.preview)
    return " · ".join(filter(None, parts))


def _bands(items: Iterable[Item], scale: _Scale, height: int) -> str:
    """The iterations, one shaded and one not, with their numbers where there is room for them."""
    parts: list[str] = []
    free = 0.0
    for number, begin, end in _iterations(items)[-MAX_BANDS:]:
        x = scale.x(begin)
        width = scale.x(scale.end if end is None else end) - x
        if number % 2:
            parts.append(
                f'<rect x="{x:.2f}%" y="0" width="{width:.2f}%" height="{height}" fill="#888" fill-opacity=".1"/>'
            )
        # A number may reach into the next bands, which then go without one of their own.
        room = 1.4 + 1.4 * len(str(number))
        if x >= free and x + room <= _ROOM:
            free = x + room
            parts.append(f'<text x="{x:.2f}%" dx="4" y="11">{number}</text>')
    return "".join(parts)


def _iterations(items: Iterable[Item]) -> list[tuple[int, float, float | None]]:
    """Give each iteration's number, begin and end; None while it goes on.

    As the page does: they are those of the run's first agent, and when it has terminated a run that is opened again
    begins anew.
    """
    found: list[tuple[int, float, float | None]] = []
    teller: str | None = None
    for row in (item.lead for item in items):
        number, begin, end = found[-1] if found else (0, row.time_ms, row.time_ms)
        if found and row.agent != teller:
            continue
        if row.family == "end" and end is None:
            found[-1] = (number, begin, max(row.time_ms, begin))
        if row.iteration is None or row.family not in ("model", "think"):
            continue
        if end is None and row.iteration <= number:
            continue
        teller = row.agent
        starts = max(row.time_ms, begin)
        if end is None:
            found[-1] = (number, begin, starts)
        found.append((row.iteration, starts, None))
    return found


def _axis(scale: _Scale, y: int) -> str:
    whole = max(scale.end - scale.begin, 0.001)
    step = _step(whole / _TICKS)
    parts = [f'<line x1="0" x2="100%" y1="{y}" y2="{y}" stroke="#888" stroke-opacity=".5"/>']
    for number in range(int(whole / step) + 1):
        x = scale.x(scale.begin + number * step)
        anchor = "start" if number == 0 else "end" if x > _ROOM - 6 else "middle"
        label = duration(number * step) if number else "0"
        parts.append(
            f'<line x1="{x:.2f}%" x2="{x:.2f}%" y1="{_HEAD}" y2="{y + 3}" stroke="#888" stroke-opacity=".25"/>'
            f'<text x="{x:.2f}%" y="{y + 14}" text-anchor="{anchor}">{label}</text>'
        )
    return "".join(parts)


def _step(least: float) -> float:
    """The smallest round time that is not below `least`: of a clock, or 1, 2 or 5 times a power of ten."""
    if least > _SECOND and least <= _ROUND_S[-1] * _SECOND:
        return _SECOND * next(step for step in _ROUND_S if step * _SECOND >= least)
    power = 10.0 ** (len(str(int(least))) - 1) if least >= 1 else 0.001
    while True:
        for factor in (1, 2, 5):
            if power * factor >= least:
                return power * factor
        power *= 10
