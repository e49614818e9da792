"""What a run's events come to: tokens, cost, calls and errors, of payloads in which anything may stand."""

# The raw values of an event, not what its properties make of them, are what is quick to read.
# ruff: noqa: SLF001
# pyright: reportPrivateUsage=false

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from locus_nb._event import exact
from locus_nb._numbers import amount, count, input_tokens, summed
from locus_nb._outcomes import names_failure, status_of
from locus_nb._wire import jsonable
from locus_nb.event_types import (
    AGENT_MODEL_COMPLETED,
    AGENT_MODEL_STARTED,
    AGENT_TOKENS_USED,
    AGENT_TOOL_COMPLETED,
    AGENT_TOOL_STARTED,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from locus_nb._event import StreamEvent

_TOKENS = ("prompt_tokens", "completion_tokens", "total_tokens", "cache_read_tokens", "cache_write_tokens")
_READ = frozenset(
    (*_TOKENS, "span_id", "iteration", "cost_usd", "success", "error", "error_type", "reason", "stop_reason")
)
# Of these types no code of a payload's own can run.
_PLAIN = {str, int, float, bool, type(None)}


class Tokens(NamedTuple):
    """Tokens of all model calls together.

    Attributes:
        input: What models read, cached tokens included.
        output: What they wrote.
        cache_read: Those of `input` that came out of a cache.
        cache_write: Those of `input` that were put into one.
        total: `input` and `output` together.
    """

    input: int
    output: int
    cache_read: int
    cache_write: int
    total: int


class Sums(NamedTuple):
    """One run in numbers, of the events that are at hand.

    Attributes:
        events: How many there are.
        iterations: The highest seen.
        model_calls: Calls of models: those that began, and those that ended of whose beginning nothing is known.
        tool_calls: Calls of tools, counted so too.
        tool_errors: Those of them that failed.
        errors: The events that tell of an error, in order.
        tokens: Tokens, from `agent.tokens.used`.
        cost_usd: US dollars, the sum of what emitters put into payloads as `cost_usd`. NaN if none did, or if
            a model call has tokens and no cost: an unknown part makes the whole unknown.
    """

    events: int
    iterations: int
    model_calls: int
    tool_calls: int
    tool_errors: int
    errors: tuple[StreamEvent, ...]
    tokens: Tokens
    cost_usd: float


def sums_of(events: Iterable[StreamEvent]) -> Sums:
    """Sum up the events of one run. Never raises, whatever their payloads hold."""
    number = iterations = tool_errors = 0
    errors: list[StreamEvent] = []
    models, tools = (
        _Calls(AGENT_MODEL_STARTED, AGENT_MODEL_COMPLETED),
        _Calls(AGENT_TOOL_STARTED, AGENT_TOOL_COMPLETED),
    )
    bill = _Bill()
    for event in events:
        number += 1
        told, event_type = _told(event._data), event._event_type
        iterations = max(iterations, count(told.get("iteration")))
        models.add(event_type, told)
        tools.add(event_type, told)
        bill.add(event_type, told)
        failed = status_of(event_type, told) == "error"
        tool_errors += failed and event_type == AGENT_TOOL_COMPLETED
        if failed or names_failure(event_type):
            errors.append(event)
    return Sums(
        events=number,
        iterations=iterations,
        model_calls=models.number,
        tool_calls=tools.number,
        tool_errors=tool_errors,
        errors=tuple(errors),
        tokens=bill.tokens(),
        cost_usd=bill.cost_usd(),
    )


def _told(data: Mapping[Any, Any]) -> dict[str, Any]:
    """Give what is read here of a payload, as plain values."""
    return {
        exact(key): value if type(value) in _PLAIN else jsonable(value)
        for key, value in data.items()
        if isinstance(key, str) and exact(key) in _READ
    }


class _Calls:
    """Counts the calls of one kind."""

    def __init__(self, start: str, end: str) -> None:
        self._start, self._end = start, end
        self._open: set[object] = set()
        self._unnamed = 0
        self.number = 0

    def add(self, event_type: str, told: Mapping[str, Any]) -> None:
        """Count an event that begins one, or ends one that never began."""
        if event_type not in (self._start, self._end):
            return
        span = told.get("span_id")
        span = span if isinstance(span, str) and span else None
        if event_type == self._start:
            self.number += 1
            self._unnamed += span is None
            self._open.add(span)
        elif span is None:
            # Without a name each end belongs to one of the beginnings without one.
            self.number += self._unnamed == 0
            self._unnamed = max(0, self._unnamed - 1)
        elif span not in self._open:
            self.number += 1
            self._open.add(span)


class _Bill:
    """Adds up tokens, and what they cost as far as that was said."""

    def __init__(self) -> None:
        self._tokens = [0, 0, 0, 0]
        self._costs: list[float] = []
        self._priced: set[str] = set()
        self._unpriced: set[str | None] = set()

    def add(self, event_type: str, told: Mapping[str, Any]) -> None:
        """Take an event of any type."""
        span = told.get("span_id")
        span = span if isinstance(span, str) and span else None
        cost = amount(told.get("cost_usd"))
        has_cost = 0 <= cost < math.inf
        if has_cost:
            self._costs.append(cost)
            if span is not None:
                self._priced.add(span)
        if event_type == AGENT_TOKENS_USED:
            prompt, completion, total, read, written = (count(told.get(key)) for key in _TOKENS)
            used = (input_tokens(prompt, completion, total, read, written), completion, read, written)
            used = [max(0, number) for number in used]
            self._tokens = [sum(pair) for pair in zip(self._tokens, used, strict=True)]
            if any(used) and not has_cost:
                self._unpriced.add(span)

    def tokens(self) -> Tokens:
        """Give all of them."""
        read, wrote, *cached = self._tokens
        return Tokens(read, wrote, *cached, total=read + wrote)

    def cost_usd(self) -> float:
        """Give what all of it cost; NaN where that is not known."""
        known = self._costs and not self._unpriced - self._priced
        return summed(self._costs) if known else math.nan
