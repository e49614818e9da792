"""What models charge per token: the user's own table, or the data of the package genai-prices."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping
from decimal import Decimal
from numbers import Real
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast

from locus_nb._optional import optional
from locus_nb._payloads.patterns import is_like

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    import pandas as pd
    from genai_prices.types import ModelInfo, ModelPrice

PACKAGE = "genai-prices"
# No model has a longer name; the package would search it for hundreds of others.
_LONGEST_NAME = 200


class Rate(NamedTuple):
    """What a token costs, in US dollars per million; for all of a call's by how many tokens the model read.

    `prices[0]` holds up to and with `starts[0]` input tokens, `prices[1]` from there on to `starts[1]`, and so on.
    """

    prices: tuple[float, ...]
    starts: tuple[int, ...] = ()


class Rates(NamedTuple):
    """What a model charges; None for what nobody says. `call` is US dollars for each call."""

    input: Rate
    output: Rate | None
    cache_read: Rate | None
    cache_write: Rate | None
    call: float = 0.0


class Prices(Protocol):
    """Who knows what models charge."""

    def rates(self, model: str, at: datetime) -> Rates | None:
        """What the model charges at an aware time; None if that is not known."""
        ...

    def varies(self, model: str) -> bool:
        """Whether it depends on the time."""
        ...


def prices_of(prices: object) -> Prices:
    """Take what a user passes as `prices`.

    Args:
        prices: True or `"genai-prices"`: the data that comes with the package of that name, as installed; nothing is
            fetched. Or a table, in US dollars per million tokens: a mapping of model names to mappings with the keys
            `input` and `output`, and `cache_read` and `cache_write` where they are known; or a DataFrame with these
            columns, and the names as its index or in a column `model`. In a name `*` stands for any text; the name
            itself goes before a pattern, and the pattern with the most other characters before the rest. Or what
            this gave before.

    Raises:
        TypeError: It is none of these, or has something that is no number for a price.
        ValueError: A model or a price is missing, there twice, or unknown; a price is negative or not finite.
        ModuleNotFoundError: genai-prices is not installed.

    Example:
        >>> from datetime import UTC, datetime
        >>> prices = prices_of({"my-model-*": {"input": 1, "output": 5, "cache_read": 0.1}})
        >>> prices.rates("my-model-2", datetime.now(UTC)).output
        Rate(prices=(5.0,), starts=())
    """
    if isinstance(prices, PriceTable | PackagePrices):
        return prices
    if prices is True or (isinstance(prices, str) and prices == PACKAGE):
        return PackagePrices()
    if _is_pandas("DataFrame", prices):
        return PriceTable(_rows_of(cast("pd.DataFrame", prices)))
    if isinstance(prices, Mapping):
        return PriceTable(cast("Mapping[Any, Any]", prices))
    if isinstance(prices, str):
        raise ValueError(f"prices={prices!r} is not known: pass {PACKAGE!r}, or a table of your own")  # noqa: TRY004 - a str may be right
    raise TypeError(
        f"prices is {PACKAGE!r}, a mapping of models to prices, or such a DataFrame; "
        f"not {type(prices).__name__}"
    )


_of_process: Prices | None = None


def default_prices() -> Prices | None:
    """Give the prices of the process, by which tokens are priced where no others are asked for; None for none."""
    return _of_process


def set_default_prices(prices: object) -> None:
    """Set the prices of the process.

    Args:
        prices: As `prices_of` takes them; None or False: none.

    Raises:
        TypeError, ValueError, ModuleNotFoundError: As `prices_of` does; the former ones then stay.
    """
    global _of_process  # noqa: PLW0603 - they are the process's
    _of_process = None if prices is None or prices is False else prices_of(prices)


# A table of the user's own

_REQUIRED = ("input", "output")
_KINDS = (*_REQUIRED, "cache_read", "cache_write")


class PriceTable:
    """Prices that were written down, as `prices_of` says."""

    def __init__(self, table: Mapping[Any, Any]) -> None:
        self._by_name: dict[str, Rates] = {}
        self._by_pattern: list[tuple[str, Rates]] = []
        for name in sorted(map(_checked_name, table), key=_without_stars, reverse=True):
            rates = _rates_of_row(name, table[name])
            if "*" in name:
                self._by_pattern.append((name, rates))
            else:
                self._by_name[name] = rates

    def rates(self, model: str, at: datetime) -> Rates | None:  # noqa: ARG002 - at any time
        """What the table says of the model; None if it does not."""
        if model in self._by_name:
            return self._by_name[model]
        return next((rates for pattern, rates in self._by_pattern if is_like(model, pattern)), None)

    def varies(self, model: str) -> bool:  # noqa: ARG002 - no model's
        """False."""
        return False


def _without_stars(name: str) -> int:
    return len(name) - name.count("*")


def _checked_name(name: object) -> str:
    if not isinstance(name, str):
        raise TypeError(f"A price table names each model by a str, not by {type(name).__name__} {name!r}")
    if not name:
        raise ValueError("A price table has an empty text for the name of a model")
    return name


def _rates_of_row(name: str, row: object) -> Rates:
    if not isinstance(row, Mapping):
        raise TypeError(
            f"The price table has a {type(row).__name__} for {name!r}: "
            "pass a mapping such as {'input': 3, 'output': 15} (US dollars per million tokens)"
        )
    prices = cast("Mapping[object, object]", row)
    for key in prices:
        if key not in _KINDS:
            raise ValueError(f"The price table has {key!r} for {name!r}: the prices are {', '.join(_KINDS)}")
    for key in _REQUIRED:
        if _is_missing(prices.get(key)):
            raise ValueError(f"The price table has no {key!r} for {name!r}")
    found = {key: _rate(name, key, price) for key, price in prices.items() if not _is_missing(price)}
    return Rates(found["input"], found["output"], found.get("cache_read"), found.get("cache_write"))


def _rate(name: str, key: object, price: object) -> Rate:
    if isinstance(price, bool) or not isinstance(price, Real | Decimal):
        raise TypeError(f"The price table has {price!r} as {key!r} for {name!r}, which is no number")
    usd = float(cast("float", price))
    if not 0 <= usd < math.inf:
        raise ValueError(
            f"The price table has {price!r} as {key!r} for {name!r}: a price is finite and not negative"
        )
    return Rate((usd,))


def _is_missing(price: object) -> bool:
    return price is None or _is_pandas("NA", price) or (isinstance(price, float) and math.isnan(price))


def _is_pandas(name: str, value: object) -> bool:
    """Say whether it is, or is one of, what pandas calls so; who has such a thing has loaded pandas."""
    known = getattr(sys.modules.get("pandas"), name, None)
    return known is not None and (value is known or (isinstance(known, type) and isinstance(value, known)))


def _rows_of(frame: pd.DataFrame) -> dict[Any, dict[Any, Any]]:
    table: Any = frame.set_index("model") if "model" in frame.columns else frame
    names: list[Any] = table.index.tolist()
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"The price table has two rows for {twice!r}")
    rows: Iterable[dict[Any, Any]] = table.to_dict("records")
    return dict(zip(names, rows, strict=True))


# The package


class PackagePrices:
    """The prices that come with genai-prices, as it finds them by the name of a model.

    A name of the form `provider/model` or `provider:model` is looked up as that provider's, then as a whole. What
    it has no token prices for (images, hours of audio), and what it does not know, has none here.

    Raises:
        ModuleNotFoundError: genai-prices is not installed.
    """

    def __init__(self) -> None:
        with optional(PACKAGE, caller=f"prices={PACKAGE!r}", extra="cost"):
            from genai_prices import Usage, calc_price  # noqa: PLC0415 - an extra

        nothing = Usage()
        self._find: Callable[[str, str | None], ModelInfo] = lambda model, provider: (
            calc_price(nothing, model, provider_id=provider).model
        )
        self._models: dict[str, ModelInfo | None] = {}
        # By identity: a model has few, and they stay.
        self._rates: dict[int, tuple[ModelPrice, Rates | None]] = {}

    def rates(self, model: str, at: datetime) -> Rates | None:
        """What the package says of the model at that time; None if it says nothing."""
        info = self._info(model)
        if info is None:
            return None
        price = info.get_prices(at)
        if id(price) not in self._rates:
            self._rates[id(price)] = price, _rates_of_package(price)
        return self._rates[id(price)][1]

    def varies(self, model: str) -> bool:
        """Whether the package has several prices for it, by date or time of day."""
        info = self._info(model)
        return info is not None and isinstance(info.prices, list)

    def _info(self, model: str) -> ModelInfo | None:
        if model not in self._models:
            self._models[model] = self._found(model) if len(model) <= _LONGEST_NAME else None
        return self._models[model]

    def _found(self, model: str) -> ModelInfo | None:
        spellings: list[tuple[str, str | None]] = [(model, None)]
        if len(parts := re.split("[/:]", model, maxsplit=1)) > 1 and all(parts):
            # First: as a whole it may be taken for another provider's, who has another price.
            spellings.insert(0, (parts[1], parts[0]))
        for name, provider in spellings:
            try:
                return self._find(name, provider)
            except LookupError:
                continue
        return None


def _rates_of_package(price: ModelPrice) -> Rates | None:
    values: dict[str, Any] = {key: getattr(price, key) for key in _PACKAGE_KEYS}
    per_input, output, read, written = map(_rate_of_package, map(values.get, _PACKAGE_KEYS[:4]))
    if per_input is None:
        return None
    calls = values["requests_kcount"]
    return Rates(
        per_input, output, read, written, float(calls) / 1_000 if isinstance(calls, Decimal) else 0.0
    )


_PACKAGE_KEYS = ("input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok", "requests_kcount")


def _rate_of_package(price: Any) -> Rate | None:
    if price is None or isinstance(price, Decimal):
        return None if price is None else Rate((float(price),))
    tiers = sorted(price.tiers, key=lambda tier: tier.start)
    return Rate(
        (float(price.base), *(float(tier.price) for tier in tiers)), tuple(tier.start for tier in tiers)
    )
