"""How a list of runs shows itself: a table, as text and as html."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from locus_nb._payloads.format import clean, clock, counted, cut, day, duration, html
from locus_nb._runs.picture import MAX_NOTE, cell_text, cost_text, tag_texts, tokens_text, unpriced_notes
from locus_nb._views.picture import STYLE
from locus_nb._views.rows import text_of
from locus_nb._views.static_table import MARKS, MAX_TEXT_WIDTH, aligned

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from locus_nb._runs.facts import RunFacts

MAX_RUNS = 50
MAX_NAME = 40
MAX_ID = 12
_NS_IN_MS = 1_000_000
_HEAD = ("", "run", "status", "started (UTC)", "duration", "events", "tokens", "cost", "errors")
# Numbers stand to the right; a page too narrow for all does without when, how many events, and the cost.
_RUNS_STYLE = """<style>
.locus-static.locus-static .locus-static-list :is(th,td){padding:2px 8px}
.locus-static.locus-static .locus-static-list :is(th,td):nth-child(n+5){text-align:right}
.locus-static.locus-static .locus-static-list :is(th,td):nth-child(2){width:99%;max-width:40ch;overflow:hidden;\
text-overflow:ellipsis}
.locus-static.locus-static .locus-static-list :is(th,td).locus-tags{text-align:left;max-width:32ch;overflow:hidden;\
text-overflow:ellipsis}
.locus-static.locus-static .locus-static-list td:first-child{text-align:right;opacity:.6}
@container (max-width:720px){
.locus-static.locus-static .locus-static-list :is(th,td){padding:2px 5px}
.locus-static.locus-static .locus-static-list :is(th,td):is(:nth-child(4),:nth-child(6),:nth-child(8)){display:none}
}
</style>"""


def runs_html(shown: Sequence[RunFacts], total: int) -> str:
    """Give a table of runs, in their order, and how many more there are; escaped, without a script."""
    more = _more(shown)
    head = "".join(f"<th{_class_of(name)}>{name}</th>" for name in (*_HEAD, *more))
    body = "\n".join(_line(number, facts, more) for number, facts in enumerate(shown))
    table = f"<table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table>" if shown else ""
    scroll = f'<div class="locus-static-scroll locus-static-list">{table}</div>' if table else ""
    notes = "".join(
        f'<p class="locus-static-note">{html(note, MAX_NOTE)}</p>' for note in _notes(shown, total)
    )
    title = f"<p><b>{counted(total, 'run')}</b></p>"
    return f'<div class="locus-static">{STYLE}{_RUNS_STYLE}{title}{scroll}{notes}</div>'


def runs_text(shown: Sequence[RunFacts], total: int) -> str:
    """Give the same as lines of at most 120 characters."""
    more = _more(shown)
    cells = [(*_HEAD, *more), *(_cells(number, facts, more) for number, facts in enumerate(shown))]
    table = [cut(line.rstrip(), MAX_TEXT_WIDTH) for line in aligned(cells)] if shown else []
    notes = [cut(note, MAX_TEXT_WIDTH) for note in _notes(shown, total)]
    return "\n".join([counted(total, "run"), *table, *notes])


def _more(shown: Sequence[RunFacts]) -> list[str]:
    """Give the columns that are there if any of the runs has something to say in them."""
    return [name for name, say in _MORE.items() if any(map(say, shown))]


def _class_of(name: str) -> str:
    return ' class="locus-tags"' if name == "tags" else ""


def _line(number: int, facts: RunFacts, more: Sequence[str]) -> str:
    row_class = ' class="x"' if facts.record and facts.record.status == "error" else ""
    named = zip((*_HEAD, *more), _cells(number, facts, more), strict=True)
    cells = "".join(f"<td{_class_of(name)}>{html(cell, MAX_NAME)}</td>" for name, cell in named)
    return f"<tr{row_class}>{cells}</tr>"


def _cells(number: int, facts: RunFacts, more: Sequence[str]) -> tuple[str, ...]:
    record, sums = facts.record, facts.sums
    status = record.status if record else "running" if facts.events else "unknown"
    start = facts.started_ns
    began = "" if start is None else f"{day(start / _NS_IN_MS)} {clock(start / _NS_IN_MS)[:8]}"
    missing = f" (+{facts.missing:,} missing)" if facts.missing > 0 else ""
    return (
        str(number),
        _name(facts),
        f"{MARKS.get(status, '?')} {status}",
        began,
        "" if math.isnan(facts.elapsed_ms) else duration(facts.elapsed_ms),
        f"{sums.events:,}{missing}",
        tokens_text(sums.tokens) if sums.tokens.total else "",
        "" if math.isnan(sums.cost_usd) else cost_text(sums.cost_usd),
        f"✕ {len(sums.errors):,}" if sums.errors else "",
        *(_MORE[name](facts) for name in more),
    )


def _name(facts: RunFacts) -> str:
    """Give its name, and as much of its id as tells it from others of that name."""
    if not (facts.record and facts.record.name) or facts.title == facts.run_id:
        return clean(facts.title, MAX_NAME)
    return f"{clean(facts.title, MAX_NAME - MAX_ID - 3)} · {clean(text_of(facts.run_id), MAX_ID)}"


def _cell(facts: RunFacts) -> str:
    return cell_text(facts.record) if facts.record else ""


def _tags(facts: RunFacts) -> str:
    return clean(" ".join(tag_texts(facts.record)), MAX_NAME) if facts.record else ""


_MORE: dict[str, Callable[[RunFacts], str]] = {"cell": _cell, "tags": _tags}


def _notes(shown: Sequence[RunFacts], total: int) -> list[str]:
    more = [f"{total - len(shown):,} more"] if total > len(shown) else []
    return [*more, *unpriced_notes(shown)]
