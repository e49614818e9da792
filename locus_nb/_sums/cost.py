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
from locus_nb._payloads.format import cut
from locus_nb._sums.prices import default_prices, prices_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from locus_nb._sums.prices import Prices, Rate, Rates
    from locus_nb._sums.usage import Counts

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLION = 1e6
# Models named in a warning, and of each name so much.
_NAMED = 10
_LONGEST_NAME = 100


class Pricing:
    """What calls cost by some prices, and which prices were missing.

    Args:
        prices: Who knows what models charge.

    Example:
        >>> from locus_nb._sums.prices import prices_of
        >>> from locus_nb._sums.usage import Counts
        >>> pricing = Pricing(prices_of({"m": {"input": 10, "output": 50, "cache_read": 1}}))
        >>> pricing.usd("m", Counts(100_000, 10_000, 90_000), 0), pricing.usd("x", Counts(1, 1), 0)
        (0.69, nan)
        >>> pricing.unpriced
        ('x',)
    """

    def __init__(self, prices: Prices) -> None:
        self._prices = prices
        self._steady: dict[str, Rates | None] = {}
        self._unpriced: set[str] = set()
        self._partly: set[str] = set()

    @property
    def unpriced(self) -> tuple[str, ...]:
        """The models of which no price is known, sorted."""
        return tuple(sorted(self._unpriced))

    @property
    def partly_priced(self) -> tuple[str, ...]:
        """The models that lack the one price that was needed, of cached or output tokens, sorted."""
        return tuple(sorted(self._partly))

    @property
    def without_price(self) -> tuple[str, ...]:
        """All of them."""
        return tuple(sorted(self._unpriced | self._partly))

    def usd(self, model: str | None, tokens: Counts, time_us: int) -> float:
        """Give what one call costs, in US dollars.

        NaN where the model is missing or has no known price, where the input or output tokens are missing, where
        more are cached than were read, and where there are cached tokens without a price for them. Never 0 for
        that.

        Args:
            model: Its name; None: it is unknown.
            tokens: What it used; of those from or into a cache -1 is taken for 0.
            time_us: When it was made, in microseconds since the Unix epoch (UTC): prices change.
        """
        if model is None:
            return math.nan
        rates = self._rates(model, time_us)
        if rates is None:
            self._unpriced.add(model)
            return math.nan
        read, written = max(0, tokens.read), max(0, tokens.written)
        uncached = tokens.input - read - written
        if tokens.input < 0 or tokens.output < 0 or uncached < 0:
            return math.nan
        parts = (
            (rates.input, uncached),
            (rates.output, tokens.output),
            (rates.cache_read, read),
            (rates.cache_write, written),
        )
        usd = sum(_part(rate, number, tokens.input) for rate, number in parts) / _MILLION + rates.call
        if math.isnan(usd):
            self._partly.add(model)
        return usd

    def warn(self) -> None:
        """Say of which models costs are NaN because a price is unknown; nothing if there are none.

        Warns:
            UnknownPriceWarning: Once, of all of them.
        """
        said: list[str] = []
        if self._unpriced:
            said.append(f"No price is known for {listed(self.unpriced)}")
        if self._partly:
            said.append(
                f"No price for cached tokens, or none for output, is known for {listed(self.partly_priced)}"
            )
        if said:
            warn(
                f"{'. '.join(said)}. These costs are NaN: pass prices= with a table that has them, such as "
                "{'my-model': {'input': 3, 'output': 15, 'cache_read': 0.3}} (US dollars per million tokens)",
                UnknownPriceWarning,
            )

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


def listed(names: Sequence[str]) -> str:
    """Give names as text, the first ten of them."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(cut(repr(name), _LONGEST_NAME) for name in names[:_NAMED]) + more


def _part(rate: Rate | None, number: int, read: int) -> float:
    """Give what so many tokens cost, in millionths; of none it does not matter whether a price is known."""
    if number == 0:
        return 0.0
    # A tier begins behind its start, and holds for all tokens of the call.
    return math.nan if rate is None else number * rate.prices[bisect_left(rate.starts, read)]
