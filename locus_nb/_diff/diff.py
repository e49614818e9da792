"""Two runs, or two groups of runs, compared."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from locus_nb._diff.compare import Comparison
from locus_nb._diff.facts import StepCount, diff_facts
from locus_nb._diff.picture import diff_html, diff_text
from locus_nb._diff.tables import CATEGORIES, COUNTS, METRICS, STEPS, TOTALS
from locus_nb._frames.tables import documented
from locus_nb._runs.run import Run
from locus_nb._runs.run_list import RunList, facts_of_all, runs
from locus_nb._source import is_source
from locus_nb._store.asked import checked_run_id, several

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd

    from locus_nb._diff.facts import DiffFacts
    from locus_nb._diff.step_changes import StepChange
    from locus_nb._frames.tables import Column
    from locus_nb._runs.facts import RunFacts
    from locus_nb._runs.steps import StepKey
    from locus_nb._source import Source


def diff(a: object, b: object, *, source: Source | None = None) -> Diff:
    """Compare two runs step by step, or two groups of runs metric by metric.

    **Two runs.** Steps are the calls of models, tools and agents that have ended, in the order they began. They
    are aligned by their key (kind, name, agent) so that as many as can be stand side by side, in order, those
    that came out the same before others. A pair is `same`, or `changed` if one of these differs: the status, the
    error, the arguments of a tool as far as events tell them (their names), the preview of the output. Durations
    and tokens may differ in a pair that is the same; they have columns of their own. What only `b` has is
    `added`, what only `a` has `removed`.

    **Two groups.** If one of both is a list, a run is taken for a group of one. Each metric has its mean and
    median over the runs of which it is known, the difference of means (`b - a`), and a 95 % interval of that, made
    for small and unequal groups (Welch's, widened where a permutation test asks for it): the same runs give the same
    numbers. The verdict is `higher` or `lower` only if the interval leaves out 0. Of twenty metrics that do not
    differ at all one is still expected to look as if it did.

    Runs are read now, once. A run that goes on is compared as far as it is, its duration up to its newest event.
    Events that are no longer kept are missing, and the result says so. Secrets are taken out.

    Args:
        a: A run id, a `Run`, or an object with a `run_id` or `id`; or several of those, such as a `RunList`; or all
            runs of what `history` or `load` gave.
        b: What to compare it with.
        source: Where ids are looked for; the process's own bus if None. A `Run` brings its own.

    Raises:
        TypeError: `a` or `b` is none of these.
        ValueError: A run is unknown, or a group is empty.

    Example:
        >>> from locus_nb import EventBus, StreamEvent, diff
        >>> bus = EventBus()
        >>> for run_id, city in (("before", "Porto"), ("after", "Lisbon")):
        ...     told = {"tool_name": "weather", "span_id": "s", "success": True, "output_preview": city}
        ...     bus.publish_nowait(StreamEvent(run_id, "agent.tool.completed", told))
        >>> found = diff("before", "after", source=bus)
        >>> found.df[["change", "name", "preview_a", "preview_b"]].to_dict("records")
        [{'change': 'changed', 'name': 'weather', 'preview_a': 'weather: Porto', 'preview_b': 'weather: Lisbon'}]
    """
    sides = [_runs_of("a", a, source), _runs_of("b", b, source)]
    looked = [_known_facts(side) for side in sides]
    of_groups = any(isinstance(side, RunList) for side in sides)
    group_a, group_b = (side if isinstance(side, RunList) else RunList([side]) for side in sides)
    return Diff(
        group_a if of_groups else group_a[0],
        group_b if of_groups else group_b[0],
        diff_facts(*looked, of_groups=of_groups),
    )


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Diff:
    """Two runs, or two groups of runs, compared; made by `diff`, and as it was then for good.

    As the last expression of a cell it shows what differs. Its frames always have the same columns and dtypes.

    Attributes:
        a: What was compared: a `Run`, or a `RunList`.
        b: What it was compared with.
    """

    a: Run | RunList
    b: Run | RunList
    _facts: DiffFacts

    @property
    @documented(steps=STEPS, metrics=METRICS)
    def df(self) -> pd.DataFrame:
        """The steps of two runs, or the metrics of two groups.

        Of steps, one row for each, in order; NA where a side has no such step:

        {steps}

        Of groups, one row for each metric; NA where unknown. The metrics are those of `totals` and before them
        `share_ok`, the share of the ended runs that ended well:

        {metrics}
        """
        facts = self._facts
        if facts.of_groups:
            return _frame(METRICS, {name: _each(name, facts.comparisons) for name in Comparison._fields})
        return _frame(STEPS, _step_columns(facts.changes))

    @property
    @documented(totals=TOTALS)
    def totals(self) -> pd.DataFrame:
        """Each metric of both sides, summed over the runs.

        {totals}

        The metrics: `duration_ms`, `total_tokens`, `input_tokens`, `output_tokens`, `cache_read_input_tokens`,
        `cache_write_input_tokens`, `cost_usd`, `iterations`, `model_calls`, `tool_calls`, `tool_errors`, `errors`.
        """
        return _frame(TOTALS, {column.name: _each(column.name, self._facts.totals) for column in TOTALS})

    @property
    @documented(counts=COUNTS)
    def steps(self) -> pd.DataFrame:
        """The steps by what they are of, one row for each kind, name and agent, in the order they were met.

        {counts}
        """
        counts = self._facts.counts
        numbers = (name for name in StepCount._fields if name != "key")
        keys = _key_columns([count.key for count in counts])
        return _frame(COUNTS, keys | {name: _each(name, counts) for name in numbers})

    def __repr__(self) -> str:
        return diff_text(self._facts)

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        return {"text/plain": diff_text(self._facts), "text/html": diff_html(self._facts)}


def _runs_of(name: str, side: object, source: Source | None) -> Run | RunList:
    """Give the run that is meant, or the group."""
    if is_source(side):
        group = runs(source=side)
    elif (members := several(side)) is None:
        return _run_of(name, side, source)
    else:
        group = RunList(_run_of(name, member, source) for member in members)
    if not group:
        raise ValueError(f"diff was given no run as {name}: pass at least one")
    return group


def _run_of(name: str, member: object, source: Source | None) -> Run:
    if isinstance(member, Run):
        return member
    return Run(checked_run_id(member, f"diff, as {name},"), source=source)


def _known_facts(side: Run | RunList) -> list[RunFacts]:
    looked = facts_of_all(side if isinstance(side, RunList) else [side])
    for facts in looked:
        if not facts.is_known:
            raise ValueError(
                f"diff found no run {facts.run_id!r}: pass the id of a run that has events, or its source"
            )
    return looked


def _step_columns(changes: Sequence[StepChange]) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {
        "change": _each("change", changes),
        "what": [", ".join(change.what) or None for change in changes],
        **_key_columns([change.either.key for change in changes]),
    }
    for name in _OF_BOTH:
        a, b = (
            [None if step is None else getattr(step, name) for step in _each(side, changes)] for side in "ab"
        )
        columns |= {f"{name}_a": a, f"{name}_b": b}
        if name in _WITH_DELTA:
            columns[f"{name}_delta"] = list(map(_delta, a, b))
    return columns


_WITH_DELTA = ("duration_ms", "input_tokens", "output_tokens")
_OF_BOTH = ("seq", "iteration", "status", *_WITH_DELTA, "preview", "error")


def _key_columns(keys: Sequence[StepKey]) -> dict[str, list[Any]]:
    return {
        "kind": _each("kind", keys),
        "name": _each("name", keys),
        "agent_name": [key.agent or None for key in keys],
    }


def _each(name: str, members: Iterable[object]) -> list[Any]:
    return [getattr(member, name) for member in members]


def _delta(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else b - a


def _frame(table: Sequence[Column], values: dict[str, list[Any]]) -> pd.DataFrame:
    """Make a frame of the declared columns, of these dtypes whatever they hold."""
    import pandas as pd  # noqa: PLC0415 - only who wants a frame needs it

    made: dict[str, Any] = {}
    for name, dtype, *_ in table:
        kind: Any = pd.CategoricalDtype(list(CATEGORIES[name])) if name in CATEGORIES else dtype
        made[name] = pd.array(_known(values[name]), dtype=kind)
    return pd.DataFrame(made)


def _known(values: list[Any]) -> list[Any]:
    return [None if isinstance(value, float) and math.isnan(value) else value for value in values]
