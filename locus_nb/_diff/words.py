"""How a comparison says numbers and names."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from locus_nb._diff.facts import SHARE_OK
from locus_nb._payloads.format import clean, duration
from locus_nb._runs.picture import cost_text

if TYPE_CHECKING:
    from locus_nb._diff.compare import Comparison
    from locus_nb._runs.steps import StepKey

MAX_NAME = 48
UNKNOWN = "unknown"
MINUS = "\N{MINUS SIGN}"
DELTA = f"b {MINUS} a"
_LABELS = {
    "duration_ms": "duration",
    "cache_read_input_tokens": "from cache",
    "cache_write_input_tokens": "into cache",
    "cost_usd": "cost",
    SHARE_OK: "ended ok",
}


def key_text(key: StepKey) -> str:
    """Say what a step is of."""
    by = f" ({key.agent})" if key.agent and key.agent != key.name else ""
    return clean(f"{key.kind} {key.name}{by}" if key.kind != "other" else f"{key.name}{by}", MAX_NAME)


def label_of(metric: str) -> str:
    """Say what a metric is called."""
    return _LABELS.get(metric, metric.replace("_", " "))


def known_text(comparison: Comparison, sizes: tuple[int, int]) -> str:
    """Say for how many runs a metric is known; the empty text if that is all, or none."""
    known = comparison.n_a, comparison.n_b
    return "" if known == sizes or not any(known) else f"known of {known[0]:,} and {known[1]:,} runs"


def value_text(metric: str, value: float) -> str:
    """Say a value of a metric, in its unit, or that it is unknown."""
    if not math.isfinite(value):
        return UNKNOWN
    if metric == "duration_ms":
        return duration(value)
    if metric == "cost_usd":
        return cost_text(value)
    if metric == SHARE_OK:
        return f"{100 * value:.3g} %"
    return f"{value:,.0f}" if value.is_integer() or abs(value) >= 1000 else f"{value:.3g}"  # noqa: PLR2004 - four digits are enough


def signed(metric: str, value: float, *, zero: bool = False) -> str:
    """Give a difference with its sign; an empty text for none, or 0 where that is asked for."""
    if math.isnan(value) or (value == 0 and not zero):
        return ""
    sign = "+" if value > 0 else MINUS if value < 0 else ""
    return f"{sign}{value_text(metric, abs(value))}"


def percent_text(value: float) -> str:
    """Say percents with their sign; the empty text for none."""
    if math.isnan(value) or value == 0:
        return ""
    sign = "+" if value > 0 else MINUS
    return f"{sign}{abs(value):,.3g} %" if abs(value) < 1000 else f"{sign}{abs(value):,.0f} %"  # noqa: PLR2004 - as above
