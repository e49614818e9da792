"""How a comparison shows itself, as text and as html."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING

from locus_nb._diff.number_tables import table_html, tables_of
from locus_nb._diff.step_changes import CHANGES
from locus_nb._diff.step_lines import SIGNS, steps_html, steps_text
from locus_nb._diff.words import known_text, label_of, percent_text, value_text
from locus_nb._payloads.format import clean, counted, cut, html
from locus_nb._runs.picture import unpriced_notes
from locus_nb._views.picture import STYLE
from locus_nb._views.static_table import MARKS, MAX_TEXT_WIDTH, aligned

if TYPE_CHECKING:
    from collections.abc import Sequence

    from locus_nb._diff.compare import Comparison
    from locus_nb._diff.facts import DiffFacts
    from locus_nb._runs.facts import RunFacts

MAX_TITLE = 60

_STYLE = """<style>
.locus-static.locus-static .locus-diff :is(th,td){padding:2px 8px;vertical-align:top}
.locus-static.locus-static .locus-diff table{width:auto;min-width:50%}
.locus-static.locus-static .locus-diff-numbers :is(th,td):nth-child(n+2){text-align:right}
.locus-static.locus-static .locus-diff-steps table{width:100%}
.locus-static.locus-static .locus-diff-steps :is(th,td):nth-child(n+3):nth-child(-n+5){text-align:right}
.locus-static.locus-static .locus-diff-steps td:is(:nth-child(2),:last-child){white-space:normal;overflow-wrap:anywhere}
.locus-static.locus-static .locus-diff-steps td:last-child{font-family:inherit;width:60%;min-width:12em}
.locus-static.locus-static .locus-diff-steps td:nth-child(2){min-width:9em}
.locus-static.locus-static .locus-diff .q td{opacity:.65}
.locus-static.locus-static .locus-diff tbody tr.p{background:rgba(42,165,80,.13)}
.locus-static.locus-static .locus-diff tbody tr.n{background:rgba(220,76,76,.12)}
.locus-static.locus-static .locus-diff tbody tr.c{background:rgba(214,158,46,.13)}
.locus-static.locus-static .locus-diff tbody tr.v td{font-weight:600}
.locus-diff-steps td>div{unicode-bidi:isolate}
@container (max-width:720px){
.locus-static.locus-static .locus-diff :is(th,td){padding:2px 5px}
.locus-static.locus-static .locus-diff-groups :is(th,td):nth-child(n+6){display:none}
}
</style>"""


def diff_html(facts: DiffFacts) -> str:
    """Give a comparison as self-contained, escaped html without a script."""
    said = "".join(f"<p>{html(line, 600)}</p>" for line in _said(facts))
    tables = "".join(map(table_html, tables_of(facts)))
    steps = "" if facts.of_groups else steps_html(facts.changes)
    notes = "".join(f'<p class="locus-static-note">{html(note, 400)}</p>' for note in _notes(facts))
    missing = "".join(f'<p class="locus-static-missing">{html(line, 200)}</p>' for line in _missing(facts))
    return f'<div class="locus-static">{STYLE}{_STYLE}{_title_html(facts)}{missing}{said}{tables}{steps}{notes}</div>'


def diff_text(facts: DiffFacts) -> str:
    """Give the same as lines of at most 120 characters."""
    lines = [_title(facts), *_missing(facts)]
    lines += [part for line in _said(facts) for part in wrap(line, MAX_TEXT_WIDTH)]
    for table in tables_of(facts):
        if table.lines:
            cells = [table.head, *(cells for _, cells in table.lines)]
            lines += ["", *(line.rstrip() for line in aligned(cells))]
    if not facts.of_groups:
        lines += ["", *steps_text(facts.changes)]
    lines += [part for note in _notes(facts) for part in ("", *wrap(note, MAX_TEXT_WIDTH))]
    return "\n".join(cut(line, MAX_TEXT_WIDTH) for line in lines)


def _title(facts: DiffFacts) -> str:
    return f"{_named(facts.a, facts)} → {_named(facts.b, facts)}"


def _title_html(facts: DiffFacts) -> str:
    a, b = (html(_named(side, facts), MAX_TITLE) for side in (facts.a, facts.b))
    return f"<p><b>{a}</b> → <b>{b}</b></p>"


def _named(side: Sequence[RunFacts], facts: DiffFacts) -> str:
    if facts.of_groups:
        return counted(len(side), "run")
    record = side[0].record
    status = record.status if record else "running"
    return f"{clean(side[0].title, MAX_TITLE - 16)} {MARKS.get(status, '')} {status}"


def _missing(facts: DiffFacts) -> list[str]:
    return [
        f"{counted(missing, 'event')} missing in {name}: what they told of is not compared"
        for name, side in (("a", facts.a), ("b", facts.b))
        if (missing := sum(each.missing for each in side)) > 0
    ]


def _said(facts: DiffFacts) -> list[str]:
    """Say in a line or two what differs."""
    if facts.of_groups:
        return _said_of_groups(facts.comparisons, (len(facts.a), len(facts.b)))
    if not facts.changes:
        return ["Neither has a step that has ended."]
    found = [change.change for change in facts.changes]
    return [
        "Steps: "
        + " · ".join(
            f"{SIGNS[change]} {found.count(change):,} {change}" for change in CHANGES if change in found
        )
    ]


def _said_of_groups(comparisons: Sequence[Comparison], sizes: tuple[int, int]) -> list[str]:
    clear = [
        f"{label_of(each.metric)} {each.verdict} by {value_text(each.metric, abs(each.delta))}"
        f"{_in_brackets(percent_text(each.percent), known_text(each, sizes))}"
        for each in comparisons
        if each.verdict in ("higher", "lower")
    ]
    unclear = [label_of(each.metric) for each in comparisons if each.verdict == "unclear"]
    # Of one side alone: where nobody knows it, there is nothing to miss.
    unknown = [label_of(each.metric) for each in comparisons if bool(each.n_a) != bool(each.n_b)]
    if {each.verdict for each in comparisons} <= {"too few", "unknown"}:
        return ["Too few runs to tell a change from chance: compare at least 4 with 4."]
    said = (
        ["Clearly different in b: " + "; ".join(clear) + "."] if clear else ["Nothing is clearly different."]
    )
    more = (("No clear difference in: ", unclear), ("Not compared, as unknown in a or b: ", unknown))
    return said + [f"{head}{', '.join(names)}." for head, names in more if names]


def _in_brackets(*texts: str) -> str:
    told = "; ".join(filter(None, texts))
    return f" ({told})" if told else ""


def _notes(facts: DiffFacts) -> list[str]:
    unpriced = unpriced_notes([*facts.a, *facts.b])
    if not facts.of_groups:
        return unpriced
    said = (
        "The verdict is that of the 95 % interval of the difference of means. "
        "Of twenty metrics that do not differ one is expected to look as if it did."
    )
    return [*unpriced, said]
