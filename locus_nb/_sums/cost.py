"""What model calls cost: tokens times prices, and NaN where that is not known.

Input tokens include those from and into a cache, as everywhere here: these are priced as such, and the rest of the
input as input. So no token is counted twice.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from locus_nb._errors import UnknownPriceWarning, warn
from locus_nb._sums.gaps import Gap, warning_of
from locus_nb._sums.prices import default_prices, prices_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from locus_nb._sums.prices import Prices, Rate, Rates
    from locus_nb._sums.usage import Counts

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLION = 1e6


class Pricing:
    """What calls cost by some prices, and what was missing where that is unknown.

    Args:
        prices: Who knows what models charge.

    Attributes:
        row: Of which row of a table the calls are that are priced now; 0 at first.

    Example:
        >>> from locus_nb._sums.prices import prices_of
        >>> from locus_nb._sums.usage import Counts
        >>> pricing = Pricing(prices_of({"m": {"input": 10, "output": 50, "cache_read": 1}}))
        >>> pricing.usd("m", Counts(100_000, 10_000, 90_000), 0), pricing.usd("x", Counts(1, 1), 0)
        (0.69, nan)
        >>> sorted(pricing.gaps)
        [Gap(missing='price', model='x')]
    """

    def __init__(self, prices: Prices) -> None:
        self.row = 0
        self._prices = prices
        self._steady: dict[str, Rates | None] = {}
        self._gaps: dict[int, set[Gap]] = {}

    @property
    def gaps(self) -> frozenset[Gap]:
        """What was missing, of all rows."""
        return frozenset[Gap]().union(*self._gaps.values())

    def usd(self, model: str | None, tokens: Counts, time_us: int) -> float:
        """Give what one call costs, in US dollars.

        NaN where the model is missing or has no known price, where the input or output tokens are missing (those
        that cost nothing excepted), where more are cached than were read, and where there are cached tokens without
        a price for them. Never 0 for that.

        Args:
            model: Its name; None: it is unknown.
            tokens: What it used; of those from or into a cache -1 is taken for 0.
            time_us: When it was made, in microseconds since the Unix epoch (UTC): prices change.
        """
        if model is None:
            return self._nan(Gap("model"))
        rates = self._rates(model, time_us)
        if rates is None:
            return self._nan(Gap("price", model))
        read, written = max(0, tokens.read), max(0, tokens.written)
        uncached = -1 if tokens.input < 0 else tokens.input - read - written
        if uncached < 0 <= tokens.input:
            return self._nan(Gap("tokens", model))
        parts = (
            (rates.input, uncached),
            (rates.output, tokens.output),
            (rates.cache_read, read),
            (rates.cache_write, written),
        )
        if any(rate is None and number for rate, number in parts):
            return self._nan(Gap("part", model))
        usd = sum(_part(rate, number, tokens.input) for rate, number in parts if rate) / _MILLION + rates.call
        return self._nan(Gap("tokens", model)) if math.isnan(usd) else usd

    def warn(self, rows: Iterable[int] | None = None) -> None:
        """Say why costs are NaN; nothing where none is.

        Args:
            rows: Of which rows; None: of all.

        Warns:
            UnknownPriceWarning: Once, of all that was missing.
        """
        gaps = self.gaps if rows is None else {gap for row in rows for gap in self._gaps.get(row, ())}
        if said := warning_of(gaps):
            warn(said, UnknownPriceWarning)

    def _nan(self, gap: Gap) -> float:
        self._gaps.setdefault(self.row, set()).add(gap)
        return math.nan

    def _rates(self, model: str, time_us: int) -> Rates | None:
        if model not in self._steady:
            rates = self._prices.rates(model, _EPOCH + timedelta(microseconds=time_us))
            if self._prices.varies(model):
                return rates
            self._steady[model] = rates
        return self._steady[model]


def pricing_of(prices: object) -> Pricing | None:
    """Begin to price, by what a user passes as `prices`.

    Args:
        prices: None: those of the process, if it has any. False: none. Else as `prices_of` takes it.

    Returns:
        None without prices.

    Raises:
        TypeError, ValueError, ModuleNotFoundError: As `prices_of` does.
    """
    found = default_prices() if prices is None else None if prices is False else prices_of(prices)
    return None if found is None else Pricing(found)


def _part(rate: Rate, number: int, read: int) -> float:
    """Give what so many tokens cost, in millionths; NaN where it depends on a number that is missing."""
    if number == 0 or not any(rate.prices):
        return 0.0
    if number < 0 or (read < 0 and rate.starts):
        return math.nan
    # A tier begins behind its start, and holds for all tokens of the call.
    return number * rate.prices[bisect_left(rate.starts, read)]
