"""How a run shows itself: in a line of facts, as a waterfall, as a tree."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from locus_nb._payloads.format import clean, counted, cut, day, duration, html
from locus_nb._payloads.numbers import summed
from locus_nb._payloads.redact import redact_tags, redact_text
from locus_nb._runs.still import Still
from locus_nb._runs.tree import tree_html, tree_of, tree_text
from locus_nb._sums.gaps import said_of as gaps_said
from locus_nb._views.fold import fold
from locus_nb._views.picture import STYLE, banner
from locus_nb._views.rows import rows_of, text_of
from locus_nb._views.static_table import MARKS, MAX_TEXT_WIDTH, aligned
from locus_nb._views.waterfall import MAX_LANES, lanes, waterfall

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from locus_nb._history import RunRecord
    from locus_nb._runs.facts import RunFacts
    from locus_nb._sums.sums import Tokens
    from locus_nb._views.fold import Item

MAX_TITLE = 120
MAX_TAG = 40
MAX_NOTE = 400
MAX_TAGS = 6
_TEXT_LINES = 24
_BAR_WIDTH = 60
_LABEL_WIDTH = 32
_NS_IN_MS = 1_000_000
_CENTS_FROM = 0.1
# The tree's colours are those of the events' table; its stems join only where lines stand close.
_TREE_STYLE = """<style>
.locus-static .locus-static-tree{margin:2px 8px 6px;font:12px/1.35 ui-monospace,Menlo,Consolas,monospace;\
color:inherit;background:none;white-space:pre}
.locus-static-tree i{font-style:normal;opacity:.45}
.locus-static-tree b{font-weight:600}
.locus-static-tree .g b{font-weight:normal;opacity:.8}
.locus-static-tree span>span{opacity:.75}
.locus-static-tree b::before{content:"";display:inline-block;width:7px;height:7px;margin-right:6px;\
border-radius:2px;background:#c9953b}
.locus-static-tree .g b::before{display:none}
.locus-static-tree .m b::before{background:#4f8edc}
.locus-static-tree .t b::before{background:#2aa58d}
.locus-static-tree .k b::before{background:#a274d6}
.locus-static-tree .e b::before{background:#8b95a1}
.locus-static-tree .a b::before{background:#d0689f}
.locus-static-tree .x b::before{background:#dc4c4c}
.locus-static-tree .x{background:rgba(220,76,76,.12)}
</style>"""


def run_bundle(facts: RunFacts) -> dict[str, str]:
    """Give a run as text and as html: facts, what is missing, the waterfall; in text the tree instead."""
    rows = rows_of(facts.events)
    items = fold(rows)
    text = [*_wrapped([clean(facts.title, MAX_TITLE), *said_of(facts)]), *_notes(facts)]
    root = tree_of(items, facts.title)
    if root.children:
        text += tree_text(root, ended=_has_ended(facts), limit=_TEXT_LINES)[1:]
    return {"text/plain": "\n".join(text), "text/html": _framed(facts, waterfall(items, rows))}


def timeline_still(facts: RunFacts) -> Still:
    """Give a run's waterfall."""
    rows = rows_of(facts.events)
    items = fold(rows)
    text = [clean(facts.title, MAX_TITLE), *_bars(items), *_notes(facts)]
    return Still("\n".join(text), _framed(facts, waterfall(items, rows)))


def tree_still(facts: RunFacts) -> Still:
    """Give a run's tree."""
    root = tree_of(fold(rows_of(facts.events)), facts.title)
    ended = _has_ended(facts)
    text = [*tree_text(root, ended=ended), *_notes(facts)]
    return Still("\n".join(text), _framed(facts, _TREE_STYLE + tree_html(root, ended=ended)))


def said_of(facts: RunFacts) -> list[str]:
    """Say how a run stands: status, time, calls, tokens, cost, events, and what is missing."""
    record, sums = facts.record, facts.sums
    status = record.status if record else "running" if facts.events else "unknown"
    said = [f"{MARKS.get(status, '?')} {status}"]
    if not math.isnan(facts.elapsed_ms):
        said.append(duration(facts.elapsed_ms) + ("" if _has_ended(facts) else " so far"))
    numbers = (
        (sums.iterations, "iteration"),
        (sums.model_calls, "model call"),
        (sums.tool_calls, "tool call"),
        (len(sums.errors), "error"),
    )
    said += [counted(number, noun) for number, noun in numbers if number]
    if sums.tokens.total:
        said += [f"{tokens_text(sums.tokens)} tokens", cost_text(sums.cost_usd)]
    elif not math.isnan(sums.cost_usd):
        said.append(cost_text(sums.cost_usd))
    said.append(counted(sums.events, "event"))
    if facts.missing > 0:
        said.append(f"{counted(facts.missing, 'event')} missing")
    if facts.started_ns is not None:
        said.append(f"on {day(facts.started_ns / _NS_IN_MS)}")
    return said


def tokens_text(tokens: Tokens) -> str:
    """Give input and output tokens, and how many of the former were cached.

    Example:
        >>> from locus_nb._sums.sums import Tokens
        >>> tokens_text(Tokens(1_200, 30, 200, 0, 1_230))
        '1,200 (200 cached) + 30'
    """
    cached = f" ({tokens.cache_read:,} cached)" if tokens.cache_read else ""
    return f"{tokens.input:,}{cached} + {tokens.output:,}"


def cost_text(cost_usd: float) -> str:
    """Give US dollars, to three digits where they are small.

    Example:
        >>> [cost_text(cost) for cost in (12.5, 0.00123, 0.0, float("nan"))]
        ['$12.50', '$0.00123', '$0.00', 'cost unknown']
    """
    if not math.isfinite(cost_usd):
        return "cost unknown"
    return f"${cost_usd:,.2f}" if cost_usd >= _CENTS_FROM or cost_usd == 0 else f"${cost_usd:.3g}"


def unpriced_notes(runs: Iterable[RunFacts]) -> list[str]:
    """Say why costs of these runs are unknown, where prices were asked for."""
    gaps = {gap for facts in runs for gap in facts.gaps}
    return [f"{redact_text(said)}." for said in gaps_said(gaps)]


def _has_ended(facts: RunFacts) -> bool:
    return facts.record is not None and facts.record.ended_at_ns is not None


def _wrapped(said: Sequence[str]) -> list[str]:
    """Give facts as lines of at most 120 characters, the later ones indented."""
    lines = [said[0]]
    for fact in said[1:]:
        if len(lines[-1]) + len(fact) + 3 <= MAX_TEXT_WIDTH:
            lines[-1] += f" · {fact}"
        else:
            lines.append(f"  {fact}")
    return [cut(line, MAX_TEXT_WIDTH) for line in lines]


def _framed(facts: RunFacts, body: str) -> str:
    said = " · ".join(html(fact, MAX_TITLE) for fact in [*_labels(facts), *said_of(facts)])
    notes = "".join(f'<p class="locus-static-note">{html(note, MAX_NOTE)}</p>' for note in _notes(facts))
    head = f"<p><b>{html(facts.title, MAX_TITLE)}</b> · {said}</p>"
    return (
        f'<div class="locus-static locus-static-run">{STYLE}{head}{banner(facts.missing)}{body}{notes}</div>'
    )


def _labels(facts: RunFacts) -> list[str]:
    """Give the id of a run that is called by its name, the cell in which it began, and its tags."""
    record = facts.record
    if record is None:
        return []
    labels = [text_of(facts.run_id)] if record.name else []
    return [*labels, *filter(None, [cell_text(record)]), *tag_texts(record)]


def cell_text(record: RunRecord) -> str:
    """Give what the notebook writes beside the cell in which a run began; empty for none."""
    return "" if record.execution_count is None else f"[{record.execution_count}]"


def tag_texts(record: RunRecord) -> list[str]:
    """Give a run's tags, secrets taken out, each cut."""
    tags = list(redact_tags(record.tags).items())
    return [f"{clean(key, MAX_TAG)}={clean(value, MAX_TAG)}" for key, value in tags[:MAX_TAGS]]


def _notes(facts: RunFacts) -> list[str]:
    if not facts.is_known:
        return ["No such run here: its id is unknown to this source, or the source has forgotten it."]
    if not facts.events:
        return ["Its events are no longer here." if facts.missing else "It has no events."]
    return unpriced_notes([facts])


def _bars(items: Sequence[Item]) -> list[str]:
    """Give the lanes of the waterfall as lines of text."""
    spans = [item for item in items if item.lead.phase != "point"]
    if not spans:
        return ["Nothing in it has a beginning and an end."]
    begin = min(item.begin_ms for item in spans)
    end = max(item.last.time_ms for item in items)
    scale = _BAR_WIDTH / max(end - begin, 0.001)
    found = lanes(spans, end)
    lines: list[tuple[str, str, str]] = []
    for lane in found[:MAX_LANES]:
        cells = ["·"] * _BAR_WIDTH
        for item in lane.items:
            left = min(_BAR_WIDTH - 1, int((item.begin_ms - begin) * scale))
            stop = end if item.is_open else item.last.time_ms
            right = max(left + 1, min(_BAR_WIDTH, round((stop - begin) * scale)))
            letter = "░" if item.is_open else "▒" if item.last.status == "error" else "█"
            cells[left:right] = letter * (right - left)
        took = summed(item.duration_ms or 0.0 for item in lane.items)
        lines.append(
            (clean(lane.label, _LABEL_WIDTH), "".join(cells), duration(took) if took < math.inf else "")
        )
    said = [cut(line.rstrip(), MAX_TEXT_WIDTH) for line in aligned(lines)]
    if any("░" in line or "▒" in line for line in said):
        said.append("▒ failed  ░ not completed")
    more = len(found) - MAX_LANES
    return said + ([f"{counted(more, 'more lane')} not drawn"] if more > 0 else [])
