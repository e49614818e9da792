"""What model calls cost: tokens times prices, and NaN where that is not known.

Input tokens include those from and into a cache, as everywhere here: these are priced as such, and the rest of the
input as input. So no token is counted twice.
"""

from __future__ import annotations

import warnings
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
import pandas as pd

from locus_nb._errors import UnknownPriceWarning
from locus_nb._frames.columns import objects
from locus_nb._payloads.format import cut

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from locus_nb._frames.prices import Prices, Rate, Rates

    Amounts = NDArray[np.float64]
    Times = NDArray[np.int64]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND_NS = 1_000_000_000
_NO_TIME = np.iinfo(np.int64).min
_MILLION = 1e6
# Models named in a warning, and of each name so much.
_NAMED = 10
_LONGEST_NAME = 100


class Costs(NamedTuple):
    """What calls cost, in their order, and why some costs are NaN.

    Attributes:
        usd: US dollars; NaN where unknown.
        unpriced: The models of which no price is known, sorted.
        partly_priced: The models that lack the one price that was needed, of cached or output tokens, sorted.
    """

    usd: Amounts
    unpriced: tuple[str, ...]
    partly_priced: tuple[str, ...]


class _Tokens(NamedTuple):
    input: Amounts
    output: Amounts
    cache_read: Amounts
    cache_write: Amounts

    def at(self, rows: NDArray[np.intp]) -> _Tokens:
        return _Tokens(*(column[rows] for column in self))


def costs_usd(
    prices: Prices,
    models: Any,
    *,
    input_tokens: Any,
    output_tokens: Any,
    cache_read: Any = 0,
    cache_write: Any = 0,
    at_ns: Times | None = None,
) -> Costs:
    """Give what calls cost, one each.

    A cost is NaN where the model is missing or has no known price, where the input or output tokens are missing,
    where more are cached than were read, and where there are cached tokens without a price for them. Never 0 for that.

    Args:
        prices: What `prices_of` gave.
        models: Names of models; missing where it is no str. A sequence, array, or pandas column.
        input_tokens: Tokens read, those from and into a cache included. Whole numbers in an array or pandas column;
            missing where they are NA, NaN or negative.
        output_tokens: Tokens written; likewise.
        cache_read: Those of the input that came from a cache; taken for 0 where missing. Or one number for all.
        cache_write: Those of the input that were put into a cache; likewise.
        at_ns: When each call was made, in nanoseconds since the Unix epoch (UTC), the smallest number for missing:
            prices change. None, and where missing: now.

    Example:
        >>> from locus_nb._frames.prices import prices_of
        >>> prices = prices_of({"m": {"input": 10, "output": 50, "cache_read": 1}})
        >>> counts = {"input_tokens": [100_000, 100_000, 1], "output_tokens": [0, 10_000, 1]}
        >>> costs = costs_usd(prices, ["m", "m", "x"], **counts, cache_read=[0, 90_000, 0])
        >>> costs.usd.round(6).tolist(), costs.unpriced
        ([1.0, 0.69, nan], ('x',))
    """
    codes, names = _factorized(models)
    length = len(codes)
    tokens = _Tokens(
        _amounts(input_tokens, length),
        _amounts(output_tokens, length),
        np.nan_to_num(_amounts(cache_read, length)),
        np.nan_to_num(_amounts(cache_write, length)),
    )
    usd = np.full(length, np.nan)
    unpriced: set[str] = set()
    partly: set[str] = set()
    now = datetime.now(UTC)
    for rows in _groups(codes):
        name = names[codes[rows[0]]]
        for some, moment in _moments(rows, at_ns if prices.varies(name) else None, now):
            rates = prices.rates(name, moment)
            if rates is None:
                unpriced.add(name)
                continue
            own = tokens.at(some)
            usd[some] = cost = _costs(rates, own)
            if (np.isnan(cost) & _are_known(own)).any():
                partly.add(name)
    return Costs(usd, tuple(sorted(unpriced)), tuple(sorted(partly)))


def cost_usd(
    prices: Prices,
    model: str | None,
    *,
    input_tokens: int | None,
    output_tokens: int | None,
    cache_read: int | None = 0,
    cache_write: int | None = 0,
    at: datetime | None = None,
) -> float:
    """Give what one call costs in US dollars, as `costs_usd` does for many; `at` is an aware time, None for now.

    Example:
        >>> from locus_nb._frames.prices import prices_of
        >>> prices = prices_of({"m": {"input": 10, "output": 50}})
        >>> cost_usd(prices, "m", input_tokens=100_000, output_tokens=10_000)
        1.5
        >>> cost_usd(prices, "m", input_tokens=100_000, output_tokens=10_000, cache_read=1)
        nan
    """
    costs = costs_usd(
        prices,
        [model],
        input_tokens=[input_tokens],
        output_tokens=[output_tokens],
        cache_read=[cache_read],
        cache_write=[cache_write],
        at_ns=None if at is None else np.array([_ns(at)], np.int64),
    )
    return float(costs.usd[0])


def warn_unpriced(costs: Costs, *, stacklevel: int = 2) -> None:
    """Say of which models costs are NaN because a price is unknown; nothing if there are none.

    Args:
        costs: The costs.
        stacklevel: Whose line is shown: 1 for that of who calls this, 2 for that of who called them, and so on.

    Warns:
        UnknownPriceWarning: Once, of all of them.
    """
    said: list[str] = []
    if costs.unpriced:
        said.append(f"No price is known for {_listed(costs.unpriced)}")
    if costs.partly_priced:
        said.append(
            f"No price for cached tokens, or none for output, is known for {_listed(costs.partly_priced)}"
        )
    if said:
        warnings.warn(
            f"{'. '.join(said)}. These costs are NaN: pass prices= with a table that has them, such as "
            "{'my-model': {'input': 3, 'output': 15, 'cache_read': 0.3}} (US dollars per million tokens)",
            UnknownPriceWarning,
            stacklevel=stacklevel + 1,
        )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(cut(repr(name), _LONGEST_NAME) for name in names[:_NAMED]) + more


def _costs(rates: Rates, tokens: _Tokens) -> Amounts:
    uncached = tokens.input - tokens.cache_read - tokens.cache_write
    parts = (
        (rates.input, uncached),
        (rates.output, tokens.output),
        (rates.cache_read, tokens.cache_read),
        (rates.cache_write, tokens.cache_write),
    )
    usd = sum(_part(rate, count, tokens.input) for rate, count in parts) / _MILLION + rates.call
    return np.where(uncached < 0, np.nan, usd)


def _part(rate: Rate | None, count: Amounts, read: Amounts) -> Amounts:
    """Give what so many tokens cost, in millionths; of none it does not matter whether a price is known."""
    if rate is None:
        return np.where(count == 0, 0.0, np.nan)
    if not rate.starts:
        return count * rate.prices[0]
    # A tier begins behind its start, and holds for all tokens of the call.
    tier = np.searchsorted(np.array(rate.starts, np.float64), read, side="left")
    return count * np.array(rate.prices)[tier]


def _are_known(tokens: _Tokens) -> NDArray[np.bool_]:
    uncached = tokens.input - tokens.cache_read - tokens.cache_write
    return (uncached >= 0) & ~np.isnan(tokens.output)


def _factorized(models: Any) -> tuple[NDArray[np.intp], list[str]]:
    """Give the number of each row's name, -1 where it is missing, and the names."""
    if not isinstance(models, pd.Categorical | pd.Series | pd.Index | np.ndarray):
        models = objects(list(models))
    codes, names = cast("tuple[NDArray[np.intp], Any]", pd.factorize(cast("Any", models)))
    names = list(names)
    are_names = np.array([isinstance(name, str) for name in names] + [False])
    return np.where(are_names[codes], codes, -1), names


def _groups(codes: NDArray[np.intp]) -> Iterator[NDArray[np.intp]]:
    """Give the rows of each number from 0."""
    order = np.argsort(codes, kind="stable")
    starts = np.flatnonzero(np.diff(codes[order], prepend=-1))
    yield from np.split(order, starts)[1:]


def _moments(
    rows: NDArray[np.intp], at_ns: Times | None, now: datetime
) -> Iterator[tuple[NDArray[np.intp], datetime]]:
    """Group rows by their time, to the second."""
    if at_ns is None:
        yield rows, now
        return
    times = at_ns[rows]
    seconds, codes = np.unique(
        np.where(times == _NO_TIME, _ns(now), times) // _SECOND_NS, return_inverse=True
    )
    for places, second in zip(_groups(codes), seconds.tolist(), strict=True):
        yield rows[places], _EPOCH + timedelta(seconds=second)


def _ns(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1_000


def _amounts(values: Any, length: int) -> Amounts:
    """Give counts as floats, NaN where they are missing."""
    if isinstance(values, int):
        return np.full(length, float(values))
    column: Any = pd.Series(values)
    amounts: Amounts = column.astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(amounts >= 0, amounts, np.nan)
