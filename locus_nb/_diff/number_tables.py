"""The tables of numbers by which a comparison shows itself: totals, metrics of groups, kinds of steps."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from locus_nb._diff.words import (
    DELTA,
    MAX_NAME,
    key_text,
    known_text,
    label_of,
    percent_text,
    signed,
    value_text,
)
from locus_nb._payloads.format import html

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from locus_nb._diff.compare import Comparison
    from locus_nb._diff.facts import DiffFacts, StepCount, Total

MAX_COUNTS = 50
_VERDICTS = {
    "higher": "▲ higher",
    "lower": "▼ lower",
    "same": "= same",
    "unclear": "≈ unclear",
    "too few": "? too few runs",
    "unknown": "? unknown",
}
_GROUPS_HEAD = ("", "mean a", "mean b", DELTA, "verdict", "95 % interval", "median a", "median b")
# Of these a zero on both sides is not worth a line.
_SELDOM = {"cache_read_input_tokens", "cache_write_input_tokens", "tool_errors", "errors"}


class Table(NamedTuple):
    """Lines of cells under a head, with a class for each line."""

    css_class: str
    head: Sequence[str]
    lines: Sequence[tuple[str, Sequence[str]]]


def tables_of(facts: DiffFacts) -> Iterator[Table]:
    """Give the tables of a comparison, in order."""
    if not facts.of_groups:
        totals = [total for total in facts.totals if total.metric not in _SELDOM or _is_there(total)]
        lines = [("", _total_cells(total)) for total in totals]
        yield Table("locus-diff-numbers", ("", "a", "b", DELTA, ""), lines)
        return
    sizes = len(facts.a), len(facts.b)
    shown = [each for each in facts.comparisons if each.metric not in _SELDOM or _differs_from_0(each)]
    lines = [
        ("v" if each.verdict in ("higher", "lower") else "", _comparison_cells(each, sizes)) for each in shown
    ]
    yield Table("locus-diff-numbers locus-diff-groups", _GROUPS_HEAD, lines)
    counts = sorted(facts.counts, key=lambda count: -count.per_run_a - count.per_run_b)[:MAX_COUNTS]
    head = ("step", "per run: a", "b", "took: a", "b", "errors: a", "b")
    yield Table("locus-diff-numbers", head, [("", _count_cells(count)) for count in counts])


def _is_there(total: Total) -> bool:
    return any(value and not math.isnan(value) for value in (total.a, total.b))


def _differs_from_0(comparison: Comparison) -> bool:
    return any(value and not math.isnan(value) for value in (comparison.mean_a, comparison.mean_b))


def _total_cells(total: Total) -> Sequence[str]:
    name = total.metric
    return (
        label_of(name),
        value_text(name, total.a),
        value_text(name, total.b),
        signed(name, total.delta),
        percent_text(total.percent),
    )


def _comparison_cells(each: Comparison, sizes: tuple[int, int]) -> Sequence[str]:
    name = each.metric
    ends = (each.low, each.high)
    told = not math.isnan(each.low) and any(ends)
    percent = "" if math.isnan(each.percent) or not each.delta else f" ({percent_text(each.percent)})"
    known = known_text(each, sizes)
    label = f"{label_of(name)} ({known})" if known else label_of(name)
    return (
        label,
        value_text(name, each.mean_a),
        value_text(name, each.mean_b),
        signed(name, each.delta) + percent,
        _VERDICTS[each.verdict],
        " … ".join(signed(name, end, zero=True) for end in ends) if told else "",
        *(
            "" if math.isnan(median) else value_text(name, median)
            for median in (each.median_a, each.median_b)
        ),
    )


def _count_cells(count: StepCount) -> Sequence[str]:
    return (
        key_text(count.key),
        f"{count.per_run_a:.3g}",
        f"{count.per_run_b:.3g}",
        *(
            "" if math.isnan(mean) else value_text("duration_ms", mean)
            for mean in (count.mean_duration_ms_a, count.mean_duration_ms_b)
        ),
        f"✕ {count.errors_a}" if count.errors_a else "",
        f"✕ {count.errors_b}" if count.errors_b else "",
    )


def table_html(table: Table) -> str:
    """Give one as escaped html; the empty text without a line."""
    if not table.lines:
        return ""
    head = "".join(f"<th>{html(name, MAX_NAME)}</th>" for name in table.head)
    lines = "\n".join(
        f'<tr class="{css_class}">{"".join(f"<td>{html(cell, MAX_NAME)}</td>" for cell in cells)}</tr>'
        for css_class, cells in table.lines
    )
    body = f"<table><thead><tr>{head}</tr></thead><tbody>\n{lines}\n</tbody></table>"
    return f'<div class="locus-static-scroll locus-diff {table.css_class}">{body}</div>'
