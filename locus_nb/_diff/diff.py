"""Two runs, or two groups of runs, compared."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from locus_nb._diff.compare import Comparison
from locus_nb._diff.facts import diff_facts
from locus_nb._diff.picture import diff_html, diff_text
from locus_nb._diff.step_changes import CHANGES
from locus_nb._runs.run import Run
from locus_nb._runs.run_list import RunList, facts_of_all, runs
from locus_nb._source import is_source
from locus_nb._store.asked import checked_run_id, several

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

    from locus_nb._diff.facts import DiffFacts
    from locus_nb._diff.step_changes import StepChange
    from locus_nb._runs.facts import RunFacts
    from locus_nb._runs.steps import Step
    from locus_nb._source import Source

_KINDS = ("model", "tool", "agent", "other")
_STATUSES = ("ok", "error", "interrupted")


def diff(a: object, b: object, *, source: Source | None = None) -> Diff:
    """Compare two runs step by step, or two groups of runs metric by metric.

    **Two runs.** Steps are the calls of models, tools and agents that have ended, in the order they began. They
    are aligned by their key (kind, name, agent) so that as many as can be stand side by side, in order, those
    that came out the same before others. A pair is `same`, or `changed` if one of these differs: the status, the
    error, the arguments of a tool as far as events tell them (their names), the preview of the output. Durations
    and tokens may differ in a pair that is the same; they have columns of their own. What only `b` has is
    `added`, what only `a` has `removed`.

    **Two groups.** If one of both is a list, a run is taken for a group of one. Each metric has its mean and
    median over the runs, the difference of means (`b - a`), and a 95 % interval of that by a bootstrap with a
    fixed seed: the same runs give the same numbers. The verdict is `higher` or `lower` only if the interval
    leaves out 0. Of twenty metrics that do not differ at all one is still expected to look as if it did.

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
    def df(self) -> pd.DataFrame:
        """The steps of two runs, or the metrics of two groups.

        Of steps, one row for each, in order; NA where a side has no such step:

        | column | dtype | what |
        |---|---|---|
        | `change` | category | `same`, `changed`, `added` or `removed` |
        | `what` | string | of a changed step: which of status, arguments, error, output |
        | `kind` | category | `model`, `tool`, `agent` or `other` |
        | `name`, `agent_name` | string | of the model or tool; of who called it, NA if nobody said |
        | `seq_a`, `seq_b` | Int64 | the event it begins with |
        | `iteration_a`, `iteration_b` | Int64 | from 1 |
        | `status_a`, `status_b` | category | `ok`, `error` or `interrupted` |
        | `duration_ms_a`, `_b`, `_delta` | Float64 | milliseconds; `delta` is `b - a` |
        | `input_tokens_a`, `_b`, `_delta` | Int64 | tokens, cached ones included |
        | `output_tokens_a`, `_b`, `_delta` | Int64 | tokens |
        | `preview_a`, `preview_b` | string | what came out, at most 240 characters |
        | `error_a`, `error_b` | string | what was said of the error |

        Of metrics, one row for each: `metric` (string), `n_a`, `n_b` (Int64: the runs of which it is known),
        `mean_a`, `mean_b`, `median_a`, `median_b`, `delta` (of the means), `percent`, `low`, `high` (the 95 %
        interval of `delta`; all Float64, NA where unknown), `verdict` (string: `higher`, `lower`, `unclear`,
        `same`, `too few`). The metrics are those of `totals` and before them `share_ok`, the share of the ended
        runs that ended well.
        """
        return _metrics_frame(self._facts.comparisons) if self._facts.of_groups else self._steps_frame()

    @property
    def totals(self) -> pd.DataFrame:
        """Each metric of both sides, summed over the runs: `metric`, `a`, `b`, `delta`, `percent`.

        `metric` is a string, the others are Float64, NA where unknown. The metrics: `duration_ms`,
        `total_tokens`, `input_tokens`, `output_tokens`, `cache_read_input_tokens`, `cache_write_input_tokens`,
        `cost_usd`, `iterations`, `model_calls`, `tool_calls`, `tool_errors`, `errors`.
        """
        totals = self._facts.totals
        numbers = ("a", "b", "delta", "percent")
        columns = {name: [getattr(total, name) for total in totals] for name in numbers}
        return _frame(
            {"metric": ([total.metric for total in totals], "text")}
            | {name: (values, "real") for name, values in columns.items()}
        )

    @property
    def steps(self) -> pd.DataFrame:
        """The steps by what they are of, one row for each kind, name and agent, in the order they were met.

        `kind` (category), `name`, `agent_name` (string), `per_run_a`, `per_run_b` (how many a run has),
        `mean_duration_ms_a`, `mean_duration_ms_b` (Float64, NA where unknown), `errors_a`, `errors_b` (Int64).
        """
        counts = self._facts.counts
        reals = ("per_run_a", "per_run_b", "mean_duration_ms_a", "mean_duration_ms_b")
        columns: dict[str, tuple[list[Any], str]] = {
            "kind": ([count.key.kind for count in counts], "kind"),
            "name": ([count.key.name for count in counts], "text"),
            "agent_name": ([count.key.agent or None for count in counts], "text"),
        }
        columns |= {name: ([getattr(count, name) for count in counts], "real") for name in reals}
        columns |= {
            name: ([getattr(count, name) for count in counts], "whole") for name in ("errors_a", "errors_b")
        }
        return _frame(columns)

    def __repr__(self) -> str:
        return diff_text(self._facts)

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        return {"text/plain": diff_text(self._facts), "text/html": diff_html(self._facts)}

    def _steps_frame(self) -> pd.DataFrame:
        changes = self._facts.changes
        columns: dict[str, tuple[list[Any], str]] = {
            "change": ([change.change for change in changes], "change"),
            "what": ([", ".join(change.what) or None for change in changes], "text"),
            "kind": ([change.either.key.kind for change in changes], "kind"),
            "name": ([change.either.key.name for change in changes], "text"),
            "agent_name": ([change.either.key.agent or None for change in changes], "text"),
        }
        for name, kind, of in _STEP_COLUMNS:
            pairs = [_both(change, of) for change in changes]
            columns[f"{name}_a"] = [left for left, _ in pairs], kind
            columns[f"{name}_b"] = [right for _, right in pairs], kind
            if name in _WITH_DELTA:
                columns[f"{name}_delta"] = [_delta(*pair) for pair in pairs], kind
        return _frame(columns)


_STEP_COLUMNS: tuple[tuple[str, str, Callable[[Step], Any]], ...] = (
    ("seq", "whole", lambda step: step.seq),
    ("iteration", "whole", lambda step: step.iteration),
    ("status", "status", lambda step: step.status),
    ("duration_ms", "real", lambda step: step.duration_ms),
    ("input_tokens", "whole", lambda step: step.input_tokens),
    ("output_tokens", "whole", lambda step: step.output_tokens),
    ("preview", "text", lambda step: step.preview),
    ("error", "text", lambda step: step.error),
)
_WITH_DELTA = {"duration_ms", "input_tokens", "output_tokens"}


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


def _both(change: StepChange, of: Callable[[Step], Any]) -> tuple[Any, Any]:
    return (None if change.a is None else of(change.a), None if change.b is None else of(change.b))


def _delta(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else b - a


def _metrics_frame(comparisons: Sequence[Comparison]) -> pd.DataFrame:
    kinds = {"metric": "text", "verdict": "text", "n_a": "whole", "n_b": "whole"}
    return _frame(
        {
            name: ([getattr(comparison, name) for comparison in comparisons], kinds.get(name, "real"))
            for name in Comparison._fields
        }
    )


def _frame(columns: dict[str, tuple[list[Any], str]]) -> pd.DataFrame:
    """Make a frame whose dtypes are those of its columns' kinds, whatever they hold."""
    import pandas as pd  # noqa: PLC0415 - only who wants a frame needs it

    dtypes: dict[str, Any] = {
        "text": pd.StringDtype("python"),
        "whole": "Int64",
        "real": "Float64",
        "change": pd.CategoricalDtype(list(CHANGES)),
        "kind": pd.CategoricalDtype(list(_KINDS)),
        "status": pd.CategoricalDtype(list(_STATUSES)),
    }
    made: dict[str, Any] = {
        name: pd.array(_known(values), dtype=dtypes[kind]) for name, (values, kind) in columns.items()
    }
    return pd.DataFrame(made)


def _known(values: list[Any]) -> list[Any]:
    return [None if isinstance(value, float) and math.isnan(value) else value for value in values]
