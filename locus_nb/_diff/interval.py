"""How sure the difference of two means is: an interval that is wide enough for small and unequal groups."""

from __future__ import annotations

import math
from itertools import combinations
from typing import TYPE_CHECKING, Any, cast

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Values = NDArray[np.float64]

LEVEL = 0.95
# As many ways to share the values out are tried: all there are, or so many drawn ones.
_WAYS = 5_000
_SEED = 20_260_105
# Values at one time; of groups so large fewer ways are drawn, which makes the interval no narrower on average.
_AT_ONCE = 4_000_000
_FEWEST_WAYS = 1_000
# Two ways to add up the same numbers may differ by so much of them.
_ROUNDING = 1 + 1e-9
_ANGLES = 20_000
# From here on Student's distribution is the normal one to four digits.
_MOST_FREEDOM = 10_000.0


def interval_of(a: Values, b: Values) -> tuple[float, float]:
    """Give the 95 % interval of how much larger the mean behind `b` is than that behind `a`; the same at every call.

    It is `delta ± c * s`, with s² the sum of both groups' variances, each divided by its size. For c there are two
    answers, and the larger one is taken:

    - Student's quantile, with the degrees of freedom of B. L. Welch (The generalization of "Student's" problem when
      several different population variances are involved, Biometrika 34, 1947): right for normal values, too small
      for two or three runs, and for unequal groups of skewed values.
    - What 95 % of all ways to share the same values out into groups of these sizes stay within, in units of their own
      s (A. Janssen, Studentized permutation tests for non-i.i.d. hypotheses, Statistics & Probability Letters 36,
      1997): right for values of any distribution and for groups of any sizes, as long as that is the same in both.
      Of more than 5,000 ways so many are drawn, with a fixed seed.

    So where nothing differs, the interval leaves out 0 in at most 5 % of cases, whatever the values are like.

    Returns:
        Its ends; NaN where a group has less than two values, or where they are too large to add up.

    Example:
        >>> import numpy as np
        >>> low, high = interval_of(np.array([1.0, 2.0, 3.0, 4.0]), np.array([7.0, 8.0, 9.0, 10.0]))
        >>> round(low, 2), round(high, 2)
        (3.77, 8.23)
    """
    if min(len(a), len(b)) <= 1:
        return math.nan, math.nan
    delta = float(b.mean() - a.mean())
    parts = [_variance(values) / len(values) for values in (a, b)]
    spread = math.sqrt(sum(parts))
    if not spread:
        return delta, delta
    if not math.isfinite(spread):
        return math.nan, math.nan
    shares = [part / sum(parts) for part in parts]
    freedom = 1 / sum(share * share / (len(values) - 1) for share, values in zip(shares, (a, b), strict=True))
    half = max(_student(freedom), _shared_out(a, b)) * spread * _ROUNDING
    return (delta - half, delta + half) if math.isfinite(half) else (math.nan, math.nan)


def _variance(values: Values) -> float:
    # The mean of equal numbers may be off them by a rounding.
    return float(values.var(ddof=1)) if values.min() < values.max() else 0.0


def _student(freedom: float) -> float:
    """Give what Student's t stays within in 95 % of cases.

    That is sqrt(freedom) times the tangent of an angle whose density is the cosine to the power of `freedom - 1`.
    """
    freedom = min(freedom, _MOST_FREEDOM)
    edges = np.linspace(0, math.pi / 2, _ANGLES + 1)
    within = np.append(0.0, np.cumsum(np.cos((edges[1:] + edges[:-1]) / 2) ** (freedom - 1)))
    angle: float = cast("Any", np).interp(LEVEL * within[-1], within, edges)
    return math.sqrt(freedom) * math.tan(angle)


def _shared_out(a: Values, b: Values) -> float:
    """Give what the difference of means stays within, in units of its s, in 95 % of ways to share the values out."""
    values = np.concatenate([a, b])
    values = values - values.mean()
    values /= np.abs(values).max()
    found = np.concatenate([_differences(values[ways], values) for ways in _ways(len(a), len(values))])
    # Where neither group has a variance.
    found[np.isnan(found)] = math.inf
    return float(np.sort(found)[len(found) - 1 - int((1 - LEVEL) * len(found) + 1e-9)])


def _ways(size: int, number: int) -> list[NDArray[Any]]:
    """Give ways to choose so many out of a number: lines of their places, what is at hand among them."""
    if math.comb(number, size) <= _WAYS:
        return [np.array(list(combinations(range(number), size)))]
    rng = np.random.default_rng(_SEED)
    left = min(_WAYS, max(_FEWEST_WAYS, _AT_ONCE // number)) - 1
    ways: list[NDArray[Any]] = [np.arange(size)[None]]
    while left:
        lines = min(left, max(1, _AT_ONCE // number))
        ways.append(rng.permuted(np.tile(np.arange(number, dtype=np.int32), (lines, 1)), axis=1)[:, :size])
        left -= lines
    return ways


def _differences(first: Values, values: Values) -> Values:
    """Give the differences of means, in units of their s, between each line of `first` and all others of `values`."""
    sizes = first.shape[1], len(values) - first.shape[1]
    sums, squares = first.sum(axis=1), (first * first).sum(axis=1)
    others = values.sum() - sums, (values * values).sum() - squares
    shares = _share(sums, squares, sizes[0]) + _share(*others, sizes[1])
    return np.abs(sums / sizes[0] - others[0] / sizes[1]) / np.sqrt(shares)


def _share(sums: Values, squares: Values, size: int) -> Values:
    """Give variances divided by their group's size; not negative, as they may come out by rounding."""
    return np.maximum(squares - sums * sums / size, 0) / (size - 1) / size
