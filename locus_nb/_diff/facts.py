"""What two runs, or two groups of runs, have of difference: in numbers, and step by step."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from locus_nb._diff.compare import compare, percent_of
from locus_nb._diff.step_changes import step_changes
from locus_nb._payloads.numbers import summed
from locus_nb._runs.steps import steps_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from locus_nb._diff.compare import Comparison
    from locus_nb._diff.step_changes import StepChange
    from locus_nb._runs.facts import RunFacts
    from locus_nb._runs.steps import Step, StepKey

METRICS = (
    *("duration_ms", "total_tokens", "input_tokens", "output_tokens", "cache_read_input_tokens"),
    *(
        "cache_write_input_tokens",
        "cost_usd",
        "iterations",
        "model_calls",
        "tool_calls",
        "tool_errors",
        "errors",
    ),
)
SHARE_OK = "share_ok"


class Total(NamedTuple):
    """One metric of both sides, summed over the runs of each; NaN where it is unknown of one."""

    metric: str
    a: float
    b: float

    @property
    def delta(self) -> float:
        """How much more `b` has."""
        return self.b - self.a

    @property
    def percent(self) -> float:
        """That in percent of what `a` has; NaN if that is 0."""
        return percent_of(self.a, self.delta)


class StepCount(NamedTuple):
    """Steps of one key in both groups.

    Attributes:
        key: What they are of.
        per_run_a: How many a run of `a` has, on average.
        per_run_b: As above, of `b`.
        mean_duration_ms_a: How long one takes in `a`, on average over those of which it is known; else NaN.
        mean_duration_ms_b: As above, of `b`.
        errors_a: How many of `a`'s failed, in all.
        errors_b: As above, of `b`.
    """

    key: StepKey
    per_run_a: float
    per_run_b: float
    mean_duration_ms_a: float
    mean_duration_ms_b: float
    errors_a: int
    errors_b: int


class DiffFacts(NamedTuple):
    """Two sides compared.

    Attributes:
        a: The runs of the one side.
        b: The runs of the other.
        of_groups: Whether groups were compared, not two runs.
        totals: Each metric of both, summed over the runs.
        changes: What became of each step; of groups none.
        comparisons: Each metric in both groups; of two runs none.
        counts: The kinds of steps, in the order they were met.
    """

    a: Sequence[RunFacts]
    b: Sequence[RunFacts]
    of_groups: bool
    totals: Sequence[Total]
    changes: Sequence[StepChange]
    comparisons: Sequence[Comparison]
    counts: Sequence[StepCount]


def diff_facts(a: Sequence[RunFacts], b: Sequence[RunFacts], *, of_groups: bool) -> DiffFacts:
    """Compare two runs, or two groups of them; neither is empty."""
    steps_a, steps_b = ([steps_of(facts.events) for facts in side] for side in (a, b))
    columns_a, columns_b = map(_columns, (a, b))
    totals = [Total(name, summed(columns_a[name]), summed(columns_b[name])) for name in METRICS]
    comparisons = [compare(name, columns_a[name], columns_b[name]) for name in columns_a] if of_groups else []
    changes = [] if of_groups else step_changes(steps_a[0], steps_b[0])
    return DiffFacts(a, b, of_groups, totals, changes, comparisons, _counts(steps_a, steps_b))


def _columns(side: Sequence[RunFacts]) -> dict[str, list[float]]:
    """Give the values of each metric, one for each run."""
    values = list(map(_values, side))
    return {name: [each[name] for each in values] for name in (SHARE_OK, *METRICS)}


def _values(facts: RunFacts) -> dict[str, float]:
    """Give each metric of one run; NaN where it is unknown, as of tokens that were never told."""
    sums = facts.sums
    counts = sums.counts
    tokens = (counts.total, counts.input, counts.output, counts.read, counts.written)
    status = facts.record.status if facts.record else "running"
    numbers = (
        facts.elapsed_ms,
        *(math.nan if number < 0 else number for number in tokens),
        sums.cost_usd,
        *(sums.iterations, sums.model_calls, sums.tool_calls, sums.tool_errors, len(sums.errors)),
    )
    ok = math.nan if status == "running" else float(status == "ok")
    return {SHARE_OK: ok, **{name: float(value) for name, value in zip(METRICS, numbers, strict=True)}}


def _counts(a: Sequence[Sequence[Step]], b: Sequence[Sequence[Step]]) -> list[StepCount]:
    found: dict[StepKey, tuple[list[Step], list[Step]]] = defaultdict(lambda: ([], []))
    for place, runs in enumerate((a, b)):
        for steps in runs:
            for step in steps:
                found[step.key][place].append(step)
    return [
        StepCount(
            key,
            len(in_a) / len(a),
            len(in_b) / len(b),
            _mean_duration(in_a),
            _mean_duration(in_b),
            sum(step.status == "error" for step in in_a),
            sum(step.status == "error" for step in in_b),
        )
        for key, (in_a, in_b) in found.items()
    ]


def _mean_duration(steps: Sequence[Step]) -> float:
    known = [step.duration_ms for step in steps if step.duration_ms is not None]
    return summed(known) / len(known) if known else math.nan
