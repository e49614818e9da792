"""How a comparison shows itself, as text and as html: each change by a sign and a word, never by colour alone."""

from __future__ import annotations

import math
from textwrap import wrap
from typing import TYPE_CHECKING, NamedTuple

from locus_nb._diff.facts import SHARE_OK
from locus_nb._diff.step_changes import CHANGES
from locus_nb._payloads.format import clean, counted, cut, duration, html
from locus_nb._runs.picture import cost_text, unpriced_notes
from locus_nb._views.picture import STYLE
from locus_nb._views.static_table import MARKS, MAX_TEXT_WIDTH, aligned

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from locus_nb._diff.compare import Comparison
    from locus_nb._diff.facts import DiffFacts, StepCount, Total
    from locus_nb._diff.step_changes import StepChange
    from locus_nb._runs.facts import RunFacts
    from locus_nb._runs.steps import Step, StepKey

MAX_TITLE = 60
MAX_NAME = 48
MAX_PREVIEW = 160
MAX_LINES = 200
MAX_TEXT_LINES = 60
MAX_COUNTS = 50

MINUS = "\N{MINUS SIGN}"
_DELTA = f"b {MINUS} a"
SIGNS = {"same": "=", "changed": "~", "added": "+", "removed": MINUS}
_VERDICTS = {
    "higher": "▲ higher",
    "lower": "▼ lower",
    "same": "= same",
    "unclear": "≈ unclear",
    "too few": "? too few runs",
}
_LABELS = {
    "duration_ms": "duration",
    "cache_read_input_tokens": "from cache",
    "cache_write_input_tokens": "into cache",
    "cost_usd": "cost",
    SHARE_OK: "ended ok",
}
_GROUPS_HEAD = ("", "mean a", "mean b", _DELTA, "verdict", "95 % interval", "median a", "median b")
# Of these a zero on both sides is not worth a line.
_SELDOM = {"cache_read_input_tokens", "cache_write_input_tokens", "tool_errors", "errors"}
# As many steps that stayed the same are shown around the others.
_AROUND = 1
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
_ROW_CLASSES = {"same": "q", "changed": "c", "added": "p", "removed": "n"}


class _Table(NamedTuple):
    """Lines of cells under a head, with a class for each line."""

    css_class: str
    head: Sequence[str]
    lines: Sequence[tuple[str, Sequence[str]]]


def diff_html(facts: DiffFacts) -> str:
    """Give a comparison as self-contained, escaped html without a script."""
    said = "".join(f"<p>{html(line, 600)}</p>" for line in _said(facts))
    tables = "".join(map(_table_html, _tables(facts)))
    steps = "" if facts.of_groups else _steps_html(facts.changes)
    notes = "".join(f'<p class="locus-static-note">{html(note, 400)}</p>' for note in _notes(facts))
    missing = "".join(f'<p class="locus-static-missing">{html(line, 200)}</p>' for line in _missing(facts))
    return f'<div class="locus-static">{STYLE}{_STYLE}{_title_html(facts)}{missing}{said}{tables}{steps}{notes}</div>'


def diff_text(facts: DiffFacts) -> str:
    """Give the same as lines of at most 120 characters."""
    lines = [_title(facts), *_missing(facts)]
    lines += [part for line in _said(facts) for part in wrap(line, MAX_TEXT_WIDTH)]
    for table in _tables(facts):
        if table.lines:
            cells = [table.head, *(cells for _, cells in table.lines)]
            lines += ["", *(line.rstrip() for line in aligned(cells))]
    if not facts.of_groups:
        lines += ["", *_steps_text(facts.changes)]
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
        return _said_of_groups(facts.comparisons)
    if not facts.changes:
        return ["Neither has a step that has ended."]
    found = [change.change for change in facts.changes]
    return [
        "Steps: "
        + " · ".join(
            f"{SIGNS[change]} {found.count(change):,} {change}" for change in CHANGES if change in found
        )
    ]


def _said_of_groups(comparisons: Sequence[Comparison]) -> list[str]:
    clear = [
        f"{_label(each.metric)} {each.verdict} by {_value(each.metric, abs(each.delta))}{_percent_in(each)}"
        for each in comparisons
        if each.verdict in ("higher", "lower")
    ]
    unclear = [_label(each.metric) for each in comparisons if each.verdict == "unclear"]
    few = all(each.verdict == "too few" for each in comparisons)
    if few:
        return ["Too few runs to tell a change from chance: compare at least 4 with 4."]
    said = (
        ["Clearly different in b: " + "; ".join(clear) + "."] if clear else ["Nothing is clearly different."]
    )
    return said + (["No clear difference in: " + ", ".join(unclear) + "."] if unclear else [])


def _percent_in(comparison: Comparison) -> str:
    return "" if math.isnan(comparison.percent) else f" ({_percent(comparison.percent)})"


def _notes(facts: DiffFacts) -> list[str]:
    unpriced = unpriced_notes([*facts.a, *facts.b])
    if not facts.of_groups:
        return unpriced
    said = (
        "The verdict is that of the 95 % interval of the difference of means, by a bootstrap. "
        "Of twenty metrics that do not differ one is expected to look as if it did."
    )
    return [*unpriced, said]


def _tables(facts: DiffFacts) -> Iterator[_Table]:
    if not facts.of_groups:
        totals = [total for total in facts.totals if total.metric not in _SELDOM or _is_there(total)]
        lines = [("", _total_cells(total)) for total in totals]
        yield _Table("locus-diff-numbers", ("", "a", "b", _DELTA, ""), lines)
        return
    sizes = len(facts.a), len(facts.b)
    shown = [each for each in facts.comparisons if each.metric not in _SELDOM or _differs_from_0(each)]
    lines = [
        ("v" if each.verdict in ("higher", "lower") else "", _comparison_cells(each, sizes)) for each in shown
    ]
    yield _Table("locus-diff-numbers locus-diff-groups", _GROUPS_HEAD, lines)
    counts = sorted(facts.counts, key=lambda count: -count.per_run_a - count.per_run_b)[:MAX_COUNTS]
    head = ("step", "per run: a", "b", "took: a", "b", "errors: a", "b")
    yield _Table("locus-diff-numbers", head, [("", _count_cells(count)) for count in counts])


def _is_there(total: Total) -> bool:
    return any(value and not math.isnan(value) for value in (total.a, total.b))


def _differs_from_0(comparison: Comparison) -> bool:
    return any(value and not math.isnan(value) for value in (comparison.mean_a, comparison.mean_b))


def _total_cells(total: Total) -> Sequence[str]:
    name = total.metric
    return (
        _label(name),
        _value(name, total.a),
        _value(name, total.b),
        _signed(name, total.delta),
        _percent(total.percent),
    )


def _comparison_cells(each: Comparison, sizes: tuple[int, int]) -> Sequence[str]:
    name = each.metric
    ends = (each.low, each.high)
    told = not math.isnan(each.low) and any(ends)
    percent = "" if math.isnan(each.percent) or not each.delta else f" ({_percent(each.percent)})"
    # Where it is not known of all.
    label = _label(name) + (f" (of {each.n_a}, {each.n_b})" if (each.n_a, each.n_b) != sizes else "")
    return (
        label,
        _value(name, each.mean_a),
        _value(name, each.mean_b),
        _signed(name, each.delta) + percent,
        _VERDICTS[each.verdict],
        " … ".join(_signed(name, end, zero=True) for end in ends) if told else "",
        _value(name, each.median_a),
        _value(name, each.median_b),
    )


def _count_cells(count: StepCount) -> Sequence[str]:
    return (
        _key_text(count.key),
        f"{count.per_run_a:.3g}",
        f"{count.per_run_b:.3g}",
        _value("duration_ms", count.mean_duration_ms_a),
        _value("duration_ms", count.mean_duration_ms_b),
        f"✕ {count.errors_a}" if count.errors_a else "",
        f"✕ {count.errors_b}" if count.errors_b else "",
    )


def _table_html(table: _Table) -> str:
    if not table.lines:
        return ""
    head = "".join(f"<th>{html(name, MAX_NAME)}</th>" for name in table.head)
    lines = "\n".join(
        f'<tr class="{css_class}">{"".join(f"<td>{html(cell, MAX_NAME)}</td>" for cell in cells)}</tr>'
        for css_class, cells in table.lines
    )
    body = f"<table><thead><tr>{head}</tr></thead><tbody>\n{lines}\n</tbody></table>"
    return f'<div class="locus-static-scroll locus-diff {table.css_class}">{body}</div>'


def _steps_html(changes: Sequence[StepChange]) -> str:
    if not changes:
        return ""
    head = "".join(f"<th>{name}</th>" for name in ("", "step", "a took", "b took", _DELTA, "what came out"))
    lines: list[str] = []
    for part in _shown(changes, MAX_LINES):
        if isinstance(part, str):
            lines.append(f'<tr class="q"><td></td><td colspan="5">{part}</td></tr>')
            continue
        cells = [html(cell, MAX_NAME) for cell in _step_cells(part)]
        told = "".join(f"<div>{html(line, MAX_PREVIEW)}</div>" for line in _told(part))
        body = "".join(f"<td>{cell}</td>" for cell in [*cells, told])
        lines.append(f'<tr class="{_ROW_CLASSES[part.change]}">{body}</tr>')
    body = "\n".join(lines)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table>"
    return f'<div class="locus-static-scroll locus-diff locus-diff-steps">{table}</div>'


def _steps_text(changes: Sequence[StepChange]) -> list[str]:
    parts = list(_shown(changes, MAX_TEXT_LINES))
    cells = [_step_cells(part) for part in parts if not isinstance(part, str)]
    widths = [max((len(line[column]) for line in cells), default=0) for column in range(5)]
    lines: list[str] = []
    for part in parts:
        if isinstance(part, str):
            lines.append(f"  {part}")
            continue
        line = "  ".join(
            cell.ljust(width) if column <= 1 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(_step_cells(part), widths, strict=True))
        )
        lines.append(line.rstrip())
        if part.change != "same":
            lines += [f"      {clean(told, MAX_PREVIEW)}" for told in _told(part)]
    return lines


def _shown(changes: Sequence[StepChange], limit: int) -> Iterator[StepChange | str]:
    """Give what is worth a line: what is not the same, and what stands next to it; else how much is left out."""
    wanted = {
        near
        for place, change in enumerate(changes)
        if change.change != "same"
        for near in range(place - _AROUND, place + _AROUND + 1)
    }
    short = len(changes) <= limit // 8
    shown = left_out = 0
    for place, change in enumerate(changes):
        if shown >= limit:
            yield f"… {counted(len(changes) - place, 'more step')} not shown"
            return
        if not short and place not in wanted:
            left_out += 1
            continue
        if left_out:
            yield f"… {counted(left_out, 'step')} the same"
            left_out = 0
        shown += 1
        yield change
    if left_out:
        yield f"… {counted(left_out, 'step')} the same"


def _step_cells(change: StepChange) -> Sequence[str]:
    a, b = change.a, change.b
    took_a, took_b = (
        math.nan if step is None or step.duration_ms is None else step.duration_ms for step in (a, b)
    )
    return (
        f"{SIGNS[change.change]} {change.change}",
        _key_text(change.either.key),
        _took(a),
        _took(b),
        _signed("duration_ms", took_b - took_a),
    )


def _took(step: Step | None) -> str:
    if step is None:
        return ""
    took = "" if step.duration_ms is None else duration(step.duration_ms)
    return f"{MARKS.get(step.status or '', '')} {took}".strip()


def _told(change: StepChange) -> list[str]:
    """Say what came out: once if it is the same, else of each side."""
    a, b = change.a, change.b
    if change.change != "changed" or a is None or b is None:
        return [change.either.error or change.either.preview]
    before, after = _outcome(a, change.what), _outcome(b, change.what)
    told = [f"a: {before}", f"b: {after}"] if before != after else [before]
    return [f"{', '.join(change.what)}:", *told] if change.what != ("output",) else told


def _outcome(step: Step, what: Sequence[str]) -> str:
    parts = [step.arguments if "arguments" in what else "", step.error or step.preview]
    return " → ".join(filter(None, parts))


def _key_text(key: StepKey) -> str:
    by = f" ({key.agent})" if key.agent and key.agent != key.name else ""
    return clean(f"{key.kind} {key.name}{by}" if key.kind != "other" else f"{key.name}{by}", MAX_NAME)


def _label(metric: str) -> str:
    return _LABELS.get(metric, metric.replace("_", " "))


def _value(metric: str, value: float) -> str:
    if not math.isfinite(value):
        return "unknown" if metric == "cost_usd" else ""
    if metric == "duration_ms":
        return duration(value)
    if metric == "cost_usd":
        return cost_text(value)
    if metric == SHARE_OK:
        return f"{100 * value:.3g} %"
    return f"{value:,.0f}" if value.is_integer() or abs(value) >= 1000 else f"{value:.3g}"  # noqa: PLR2004 - four digits are enough


def _signed(metric: str, value: float, *, zero: bool = False) -> str:
    """Give a difference with its sign; an empty text for none, or 0 where that is asked for."""
    if math.isnan(value) or (value == 0 and not zero):
        return ""
    sign = "+" if value > 0 else MINUS if value < 0 else ""
    return f"{sign}{_value(metric, abs(value))}"


def _percent(value: float) -> str:
    if math.isnan(value) or value == 0:
        return ""
    sign = "+" if value > 0 else MINUS
    return f"{sign}{abs(value):,.3g} %" if abs(value) < 1000 else f"{sign}{abs(value):,.0f} %"  # noqa: PLR2004 - as above
