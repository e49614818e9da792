"""The picture of a view that stays where no live one can be: saved notebooks, nbconvert, GitHub, terminals.

It holds no script, loads nothing, and reads well when a sanitizer has taken its style, classes and drawing away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from locus_nb._payloads.format import COMMON_RULES, MAX_CLASSES, clean, counted, cut, day, duration, html
from locus_nb._views.fold import fold
from locus_nb._views.static_table import (
    MAX_RUNS,
    MAX_TEXT_ROWS,
    MAX_TEXT_WIDTH,
    elapsed,
    errors_html,
    events_table,
    events_text,
    runs_table,
)
from locus_nb._views.waterfall import waterfall

if TYPE_CHECKING:
    from collections.abc import Sequence

    from locus_nb._views.rows import Row
    from locus_nb._views.tally import Tally

MAX_BYTES = 150_000
MAX_TITLE = 120

_EMPTY = {"waiting": "Waiting for the first event.", "ended": "Ended without an event."}
# Who reads this later must not take it for how things stand then.
_STATUSES = {
    "waiting": "waiting when this was written",
    "live": "live when this was written",
    "failed": "failed: the view followed no more, the log says why",
}

# JupyterLab's own rules for tables have two classes, so these that it would overrule have two as well.
STYLE = """<style>
.locus-static{max-width:100%;font-size:12px;line-height:1.4;margin:4px 0}
.locus-static p{margin:2px 8px 6px;font-size:13px;overflow-wrap:anywhere}
.locus-static p.locus-static-note{opacity:.7;font-size:12px}
.locus-static p.locus-static-missing{padding:3px 8px;border-left:3px solid #dc4c4c;background:rgba(220,76,76,.1)}
.locus-static-lanes{display:grid;grid-template-columns:fit-content(180px) 1fr;margin:4px 16px 8px 8px}
.locus-static-lanes>div{min-width:0}
.locus-static-lanes>:first-child{padding-top:16px}
.locus-static-lanes>:first-child>div{height:20px;padding-right:10px;overflow:hidden;line-height:20px;\
text-align:right;text-overflow:ellipsis;unicode-bidi:isolate;white-space:nowrap}
.locus-static-lanes svg{display:block;overflow:visible;max-width:none}
.locus-static-lanes text{font:10px system-ui,sans-serif;fill:currentColor;opacity:.7;stroke:none}
.locus-static-errors{margin:4px 8px;padding:3px 0;border-left:3px solid #dc4c4c;background:rgba(220,76,76,.09)}
.locus-static.locus-static .locus-static-errors p{margin:1px 8px;font-size:12px;unicode-bidi:isolate}
.locus-static-scroll{container-type:inline-size;max-height:420px;overflow:auto}
.locus-static-events{display:flex;flex-direction:column-reverse}
.locus-static-events>table{flex:none}
.locus-static.locus-static .locus-static-scroll th{position:sticky;top:0;z-index:1;opacity:1;\
box-shadow:0 1px rgba(128,128,128,.4);background:var(--jp-layout-color0,var(--vscode-editor-background,Canvas))}
@media print{.locus-static-scroll{max-height:none}}
.locus-static table{border-collapse:collapse;table-layout:auto;width:100%;margin:0 0 6px;font-size:12px;color:inherit}
.locus-static.locus-static :is(tbody,thead) tr{background:none;border-bottom:1px solid rgba(128,128,128,.25)}
.locus-static.locus-static :is(th,td){text-align:left;padding:2px 8px;border:0;white-space:nowrap;max-width:none}
.locus-static th{font-weight:normal;opacity:.7}
.locus-static td{font-family:ui-monospace,Menlo,Consolas,monospace;vertical-align:top;unicode-bidi:isolate}
.locus-static.locus-static .locus-static-events :is(th,td):is(:first-child,:nth-last-child(3)){text-align:right}
.locus-static.locus-static .locus-static-events :is(th,td):nth-last-child(2){padding:2px 0;text-align:center}
.locus-static.locus-static .locus-static-events td:last-child{font-family:inherit;white-space:normal;width:99%;\
min-width:12em;overflow-wrap:anywhere}
.locus-static.locus-static .locus-static-events td:is(:nth-child(3),:nth-child(4)){max-width:32ch;overflow:hidden;\
text-overflow:ellipsis}
@container (max-width:720px){
.locus-static.locus-static .locus-static-events :is(th,td),
.locus-static.locus-static .locus-static-runs :is(th,td){padding:2px 5px}
.locus-static.locus-static .locus-static-of-all :is(th,td):nth-child(2),
.locus-static.locus-static .locus-static-runs :is(th,td):is(:nth-child(6),:nth-child(7)){display:none}
.locus-static.locus-static .locus-static-of-all td:nth-child(3){max-width:24ch}
.locus-static.locus-static .locus-static-of-all td:nth-child(4){max-width:12ch}
}
.locus-static b{unicode-bidi:isolate}
.locus-static-events td:nth-child(-n+2),.locus-static-events td:nth-last-child(3){opacity:.7}
.locus-static.locus-static .locus-static-runs :is(th,td):nth-child(n+4){text-align:right}
.locus-static.locus-static .locus-static-runs :is(th,td):first-child{width:99%;max-width:0;min-width:14ch}
.locus-static-events td:nth-child(3)::before{content:"";display:inline-block;width:7px;height:7px;\
margin-right:7px;border-radius:2px;background:#c9953b}
.locus-static .m td:nth-child(3)::before{background:#4f8edc}
.locus-static .t td:nth-child(3)::before{background:#2aa58d}
.locus-static .k td:nth-child(3)::before{background:#a274d6}
.locus-static .e td:nth-child(3)::before{background:#8b95a1}
.locus-static .a td:nth-child(3)::before{background:#d0689f}
.locus-static .x td:nth-child(3)::before{background:#dc4c4c}
.locus-static.locus-static tbody tr.x{background:rgba(220,76,76,.09)}
COMMON_RULES</style>""".replace("COMMON_RULES", COMMON_RULES)


class About(NamedTuple):
    """What a picture says besides its rows.

    Attributes:
        title: What is watched: a run id, or "all runs". A run with a name is called by it before.
        status: "waiting", "live", "ended" or "failed".
        missing: How many events never reached the view.
        total: How many events the view saw, also those no longer at hand.
        tallies: The runs in numbers, the one with the newest event last.
        one_run: Whether one run is watched.
    """

    title: str
    status: str
    missing: int
    total: int
    tallies: Sequence[Tally]
    one_run: bool


def picture_html(rows: Sequence[Row], about: About, *, css_class: str = "") -> str:
    """Give a header, a waterfall of one run or a table of all, and a table of events; times are in UTC.

    Self-contained, script-free, everything escaped. At most 500 lines and about 150 kB, whatever the rows hold:
    longer texts are cut, and what does not fit is said to be left out.

    Args:
        rows: The rows at hand, ascending by seq.
        about: What is known besides.
        css_class: A class by which a page can find it.
    """
    items = fold(rows)
    title, *facts = (html(text, MAX_TITLE) for text in (*_titles(about), *_facts(rows, about)))
    names = _names(about)
    parts = [
        f'<div class="{html(f"locus-static {css_class}", MAX_CLASSES)}">{STYLE}',
        f"<p><b>{title}</b> · {' · '.join(facts)}</p>",
        banner(about.missing),
        waterfall(items, rows) if about.one_run else _runs(about),
        errors_html(items, names=names),
    ]
    room = MAX_BYTES - sum(len(part.encode()) for part in parts) - 1_000
    table, shown = events_table(items, names=names, ended=_ended(rows, about), room=room)
    if table:
        classes = "locus-static-scroll locus-static-events" + (
            "" if about.one_run else " locus-static-of-all"
        )
        parts.append(f'<div class="{classes}">{table}</div>')
    notes = _notes(len(items) - shown, rows, about)
    return "".join([*parts, *(f'<p class="locus-static-note">{note}</p>' for note in notes), "</div>"])


def picture_text(rows: Sequence[Row], about: About) -> str:
    """Give the header and the newest 20 rows as lines of at most 120 characters; times are in UTC."""
    lines = [" · ".join([*_titles(about), *_facts(rows, about)])]
    lines += events_text(rows, names=_names(about))
    lines += _notes(max(0, len(rows) - MAX_TEXT_ROWS), rows, about)
    return "\n".join(cut(line, MAX_TEXT_WIDTH) for line in lines)


def _titles(about: About) -> list[str]:
    """What is watched: of a run its name, if it has one, and its id."""
    name = about.tallies[-1].name if about.one_run and about.tallies else ""
    return [clean(title, MAX_TITLE) for title in dict.fromkeys((name, about.title)) if title]


def _names(about: About) -> dict[str, str] | None:
    """What the runs of rows are called; None where all rows are of one run."""
    return None if about.one_run else {tally.run_id: tally.name for tally in about.tallies}


def _ended(rows: Sequence[Row], about: About) -> set[str]:
    """The runs in which nothing goes on: by their tallies, and all of a view that has ended."""
    if about.status == "ended":
        return {row.run_id for row in rows}
    return {tally.run_id for tally in about.tallies if tally.ended_ms is not None}


def _facts(rows: Sequence[Row], about: About) -> list[str]:
    """What the line over the picture says after its title."""
    facts = [clean(_STATUSES.get(about.status, about.status), MAX_TITLE)]
    if about.one_run and about.tallies:
        facts += _facts_of_run(about.tallies[-1])
    elif about.tallies:
        facts.append(counted(len(about.tallies), "run"))
    facts.append(counted(max(about.total, len(rows)), "event"))
    if about.missing > 0:
        facts.append(f"{counted(about.missing, 'event')} missing")
    if rows:
        facts.append(f"last on {day(rows[-1].time_ms)}")
    return facts


def _facts_of_run(tally: Tally) -> list[str]:
    facts = [] if tally.status == "running" else [tally.status]
    if tally.events:
        facts.append(duration(elapsed(tally)))
    numbers = (
        (tally.iterations, "iteration"),
        (tally.model_calls, "model call"),
        (tally.tool_calls, "tool call"),
        (tally.errors, "error"),
    )
    facts += [counted(number, noun) for number, noun in numbers if number]
    if tally.input_tokens or tally.output_tokens:
        facts.append(f"{tally.input_tokens:,} + {tally.output_tokens:,} tokens")
    return facts


def banner(missing: int) -> str:
    """Give what says that events are missing; empty if none are."""
    if missing <= 0:
        return ""
    said = f"<b>{counted(missing, 'event')} missing</b>: dropped, or no longer in history"
    return f'<p class="locus-static-missing">{said}</p>'


def _runs(about: About) -> str:
    table = runs_table(about.tallies)
    earlier = len(about.tallies) - MAX_RUNS
    note = (
        f'<p class="locus-static-note">{counted(earlier, "earlier run")} not shown</p>' if earlier > 0 else ""
    )
    return f'<div class="locus-static-scroll locus-static-runs">{table}</div>{note}' if table else ""


def _notes(left_out: int, rows: Sequence[Row], about: About) -> list[str]:
    """What the lines under the table say."""
    gone = max(about.total, len(rows)) - len(rows)
    notes: list[str] = []
    if left_out + gone > 0:
        # Of rows that are gone nobody knows which belonged together.
        notes.append(f"{counted(left_out + gone, 'earlier event')} not shown")
    if not rows:
        notes.append(_EMPTY.get(about.status, "No events yet."))
    return notes
