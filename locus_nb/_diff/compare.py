"""Whether two groups of numbers differ, by how much, and how sure that is. numpy, and no more."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from locus_nb._diff.interval import LEVEL, interval_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

Verdict = Literal["higher", "lower", "same", "unclear", "too few", "unknown"]

_FEW = 3


class Comparison(NamedTuple):
    """One metric in two groups of runs; NaN where there is nothing to say.

    Attributes:
        metric: Its name.
        n_a: Runs of `a` of which it is known.
        n_b: As above, of `b`.
        mean_a: Mean over these.
        mean_b: As above, of `b`.
        median_a: Median over these.
        median_b: As above, of `b`.
        delta: `mean_b - mean_a`.
        percent: `delta` in percent of `mean_a`.
        low: Lower end of the 95 % interval of `delta`.
        high: Its upper end.
        verdict: `higher` or `lower` if the interval leaves out 0; `same` if no two values differ; `unclear` if it
            holds 0; `too few` if it is known of so few runs that chance alone would put all of one group above all
            of the other in more than 5 % of cases; `unknown` if it is known of no run of a group.
    """

    metric: str
    n_a: int
    n_b: int
    mean_a: float
    mean_b: float
    median_a: float
    median_b: float
    delta: float
    percent: float
    low: float
    high: float
    verdict: Verdict


def compare(metric: str, a: Sequence[float], b: Sequence[float]) -> Comparison:
    """Compare a metric's values in two groups, unknown ones (NaN) left out; the same at every call.

    The interval and its sources are those of `interval_of`. In simulations of groups that do not differ, of normal,
    exponential, log-normal, Poisson and yes-or-no values, at most 6 % were said to (2 runs against 8 or 20, 3 against
    20, 4 against 4 or 40, 10 against 10). Where the few runs of one group vary three times as much as the many of the
    other, 2 against 20 were in 9 % of cases, 4 against 40 in 4 %.
    """
    # Sums of numbers near the largest there are become infinite, and the interval then says nothing.
    with np.errstate(all="ignore"):
        return _compare(metric, _known(a), _known(b))


def _compare(metric: str, values_a: NDArray[np.float64], values_b: NDArray[np.float64]) -> Comparison:
    mean_a, mean_b = _mean(values_a), _mean(values_b)
    delta = mean_b - mean_a
    low, high = interval_of(values_a, values_b)
    return Comparison(
        metric=metric,
        n_a=len(values_a),
        n_b=len(values_b),
        mean_a=mean_a,
        mean_b=mean_b,
        median_a=float(np.median(values_a)) if len(values_a) else math.nan,
        median_b=float(np.median(values_b)) if len(values_b) else math.nan,
        delta=delta,
        percent=percent_of(mean_a, delta),
        low=low,
        high=high,
        verdict=_verdict(values_a, values_b, low, high),
    )


def percent_of(base: float, delta: float) -> float:
    """Give a difference in percent of what it is added to; NaN if that is 0 or unknown."""
    return 100 * delta / base if base else math.nan


def _known(values: Sequence[float]) -> NDArray[np.float64]:
    found = np.array(values, np.float64)
    return found[np.isfinite(found)]


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if len(values) else math.nan


def _verdict(a: NDArray[np.float64], b: NDArray[np.float64], low: float, high: float) -> Verdict:
    fewer, more = sorted((len(a), len(b)))
    if not fewer:
        return "unknown"
    # From 4 and 4 on there are enough ways to share them out.
    if fewer <= _FEW and 2 / math.comb(fewer + more, fewer) > 1 - LEVEL:
        return "too few"
    if len(np.unique(np.concatenate([a, b]))) == 1:
        return "same"
    return "higher" if low > 0 else "lower" if high < 0 else "unclear"
