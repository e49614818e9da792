"""What a call used: tokens and a cost, once however often events say it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from locus_nb._payloads.numbers import amount, count, input_tokens, summed
from locus_nb.event_types import AGENT_TOKENS_USED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_TOKENS = ("prompt_tokens", "completion_tokens", "total_tokens", "cache_read_tokens", "cache_write_tokens")


class Counts(NamedTuple):
    """Tokens as they were told; -1 for what was not.

    Attributes:
        input: What models read, cached tokens included.
        output: What they wrote.
        read: Those of `input` that came out of a cache.
        written: Those of `input` that were put into one.
    """

    input: int = -1
    output: int = -1
    read: int = -1
    written: int = -1

    @property
    def total(self) -> int:
        """Input and output; -1 if neither was told."""
        return _sum_of((self.input, self.output))


class Told(NamedTuple):
    """What one event tells.

    Attributes:
        tokens: Those of an `agent.tokens.used`; None of any other event.
        cost_usd: The cost it says; NaN for none.
        model: The model it names.
        time_us: When it was made, in microseconds since the Unix epoch.
    """

    tokens: Counts | None
    cost_usd: float
    model: str | None
    time_us: int


if TYPE_CHECKING:
    # What tokens of a model cost at a time, in US dollars; NaN where that is unknown.
    Price = Callable[[str | None, Counts, int], float]


def tells_usage(event_type: str, raw: dict[Any, Any]) -> bool:
    """Say whether an event may tell of tokens or of a cost; quick."""
    try:
        return event_type == AGENT_TOKENS_USED or "cost_usd" in raw
    except Exception:  # noqa: BLE001 - an edge: methods of a payload's own keys; its copy tells
        return True


def usage_in(event_type: str, told: Mapping[str, Any], time_us: int) -> Told | None:
    """Give what an event tells of tokens or of a cost; None if that is nothing."""
    tells_tokens = event_type == AGENT_TOKENS_USED
    if not tells_tokens and "cost_usd" not in told:
        return None
    cost = amount(told.get("cost_usd"))
    if not 0 <= cost < math.inf:
        cost = math.nan
    if not tells_tokens and math.isnan(cost):
        return None
    return Told(_tokens_in(told) if tells_tokens else None, cost, model_in(told), time_us)


def model_in(told: Mapping[str, Any]) -> str | None:
    """Give the model that a payload names."""
    model = told.get("model")
    return model if isinstance(model, str) and model else None


def _tokens_in(told: Mapping[str, Any]) -> Counts:
    prompt, completion, total, read, written = (count(told.get(key)) for key in _TOKENS)
    return Counts(input_tokens(prompt, completion, total, read, written), completion, read, written)


class Used:
    """What one call used, by all that was told of it.

    Attributes:
        counts: Each time it was told tokens.
    """

    __slots__ = ("_said", "_told", "counts")

    def __init__(self) -> None:
        self.counts: list[Counts] = []
        self._told: list[Told] = []
        self._said = math.nan

    def add(self, told: Told) -> None:
        """Take what another event tells."""
        if told.tokens is None:
            self._said = told.cost_usd
        else:
            self.counts.append(told.tokens)
            self._told.append(told)

    def tokens(self) -> Counts:
        """Give the tokens in sum."""
        return summed_counts(self.counts)

    def cost_usd(self, model: str | None, price: Price | None) -> float:
        """Give what it cost; NaN where that, or a part of it, is unknown.

        What comes with its tokens is its cost, in sum; else what was told of it last; else what the tokens cost
        by `price` of which it was not told.

        Args:
            model: The model that was called, where the tokens do not say.
            price: None: nothing is estimated.
        """
        if not self._told:
            return self._said
        cost = summed(told.cost_usd for told in self._told)
        if math.isnan(cost):
            cost = self._said
        if math.isnan(cost) and price is not None:
            cost = summed(
                price(told.model or model, tokens, told.time_us)
                if math.isnan(told.cost_usd)
                else told.cost_usd
                for told, tokens in zip(self._told, self.counts, strict=True)
            )
        return cost


def summed_counts(counts: Iterable[Counts]) -> Counts:
    """Add up what was told; -1 for what never was."""
    told = list(counts)
    return told[0] if len(told) == 1 else Counts(*map(_sum_of, zip(*told, strict=True)))


def _sum_of(numbers: Iterable[int]) -> int:
    total = -1
    for number in numbers:
        if number >= 0:
            total = number if total < 0 else total + number
    return total
