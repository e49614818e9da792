"""The columns of the frames of a `Diff`."""

from __future__ import annotations

from locus_nb._diff.step_changes import CHANGES
from locus_nb._frames.tables import Column
from locus_nb._sums.calls import KINDS

STATUSES = ("ok", "error", "interrupted")
_CATEGORY, _COUNT, _AMOUNT, _TEXT = "category", "Int64", "Float64", "string"

_OF_STEP = (
    Column("kind", _CATEGORY, "", "", "`model`, `tool`, `agent` or `other`"),
    Column("name", _TEXT, "", "", "of the model, tool or agent, else the event type without its last part"),
    Column("agent_name", _TEXT, "", "", "of who called it; NA if nobody said"),
)


def _both(name: str, dtype: str, unit: str, meaning: str, *, delta: bool = False) -> tuple[Column, ...]:
    sides = tuple(Column(f"{name}_{side}", dtype, unit, "", f"in `{side}`: {meaning}") for side in "ab")
    return (*sides, Column(f"{name}_delta", dtype, unit, "", "`b - a`")) if delta else sides


STEPS = (
    Column("change", _CATEGORY, "", "", ", ".join(f"`{change}`" for change in CHANGES)),
    Column("what", _TEXT, "", "", "of a changed step: which of status, arguments, error, output"),
    *_OF_STEP,
    *_both("seq", _COUNT, "", "the event it begins with"),
    *_both("iteration", _COUNT, "", "from 1"),
    *_both("status", _CATEGORY, "", "`ok`, `error` or `interrupted`"),
    *_both("duration_ms", _AMOUNT, "ms", "how long it took", delta=True),
    *_both("input_tokens", _COUNT, "tokens", "prompt tokens, cached ones included", delta=True),
    *_both("output_tokens", _COUNT, "tokens", "completion tokens", delta=True),
    *_both("preview", _TEXT, "", "what came out, at most 240 characters"),
    *_both("error", _TEXT, "", "what was said of the error"),
)

_METRIC = Column("metric", _TEXT, "", "", "its name, which says its unit")
_DELTA = Column("delta", _AMOUNT, "the metric's", "", "`b - a`")
_PERCENT = Column("percent", _AMOUNT, "%", "", "`delta`, of what `a` has; NA if that is 0")

METRICS = (
    _METRIC,
    *_both("n", _COUNT, "runs", "those of which it is known"),
    *_both("mean", _AMOUNT, "the metric's", "mean over these"),
    *_both("median", _AMOUNT, "the metric's", "median over these"),
    Column("delta", _AMOUNT, "the metric's", "", "of the means, `b - a`"),
    _PERCENT,
    Column("low", _AMOUNT, "the metric's", "", "lower end of the 95 % interval of `delta`"),
    Column("high", _AMOUNT, "the metric's", "", "its upper end"),
    Column("verdict", _TEXT, "", "", "`higher`, `lower`, `unclear`, `same`, `too few`, `unknown`"),
)

TOTALS = (
    _METRIC,
    Column("a", _AMOUNT, "the metric's", "", "sum over the runs of `a`; NA where unknown of one"),
    Column("b", _AMOUNT, "the metric's", "", "as above, of `b`"),
    _DELTA,
    _PERCENT,
)

COUNTS = (
    *_OF_STEP,
    *_both("per_run", _AMOUNT, "steps", "how many a run has, on average"),
    *_both("mean_duration_ms", _AMOUNT, "ms", "mean over those of which it is known"),
    *_both("errors", _COUNT, "steps", "how many failed, in all"),
)

# A category column has these, whatever occurs.
CATEGORIES = {"change": CHANGES, "kind": KINDS, "status_a": STATUSES, "status_b": STATUSES}
