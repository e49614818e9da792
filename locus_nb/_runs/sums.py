"""What a run's events come to: tokens, cost, calls and errors, of payloads in which anything may stand."""

# The raw values of an event, not what its properties make of them, are what is quick to read.
# ruff: noqa: SLF001
# pyright: reportPrivateUsage=false

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from locus_nb._event import exact
from locus_nb._payloads.kinds import kind_of
from locus_nb._payloads.numbers import amount, count, input_tokens, summed
from locus_nb._payloads.outcomes import names_failure, status_of
from locus_nb._wire import jsonable
from locus_nb.event_types import AGENT_TOKENS_USED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from locus_nb._event import StreamEvent
    from locus_nb._payloads.kinds import Family

_TOKENS = ("prompt_tokens", "completion_tokens", "total_tokens", "cache_read_tokens", "cache_write_tokens")
_NAMED_BY = ("tool_name", "model", "agent_name")
_READ = frozenset(
    (
        *(*_TOKENS, *_NAMED_BY, "span_id", "iteration", "cost_usd"),
        *("success", "error", "error_type", "reason", "stop_reason"),
    )
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
        model_calls: Calls of models: those that began, and those that ended of whose beginning nothing is known;
            as many as `model_calls_df` has rows.
        tool_calls: Calls of tools, counted so too.
        tool_errors: Those of them that failed.
        errors: The events that tell of an error, in order.
        tokens: Tokens, from `agent.tokens.used`.
        cost_usd: US dollars, of what emitters put into payloads as `cost_usd`; what one call says with its tokens
            and once more is one cost. NaN if there is none, or if a call has tokens and no cost: an unknown part
            makes the whole unknown. As `runs_df` has it.
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
    number = iterations = 0
    errors: list[StreamEvent] = []
    models, tools = _Calls("model"), _Calls("tool")
    bill = _Bill()
    for event in events:
        number += 1
        told, event_type = _told(event._data), event._event_type
        iterations = max(iterations, count(told.get("iteration")))
        failed = status_of(event_type, told) == "error"
        models.add(event, told, failed=failed)
        tools.add(event, told, failed=failed)
        bill.add(event_type, told)
        if failed or names_failure(event_type):
            errors.append(event)
    return Sums(
        events=number,
        iterations=iterations,
        model_calls=models.number,
        tool_calls=tools.number,
        tool_errors=tools.errors,
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
    """Counts the calls of one kind, as `spans_df` makes rows of them."""

    def __init__(self, family: Family) -> None:
        self._family = family
        self._open: set[str] = set()
        self.number = 0
        self.errors = 0

    def add(self, event: StreamEvent, told: Mapping[str, Any], *, failed: bool) -> None:
        """Count an event that begins one, or ends one of whose beginning nothing is known."""
        kind = kind_of(event._event_type)
        if kind.family != self._family or kind.phase not in {"start", "end"}:
            return
        call = _span_in(told) or _name_in(event._event_type, told)
        if kind.phase == "start":
            self.number += 1
            self._open.add(call)
            return
        self.number += call not in self._open
        self._open.discard(call)
        self.errors += failed


def _span_in(told: Mapping[str, Any]) -> str | None:
    span = told.get("span_id")
    return f"id {span}" if isinstance(span, str) and span else None


def _name_in(event_type: str, told: Mapping[str, Any]) -> str:
    """Give what a call without an id is known by."""
    for key in _NAMED_BY:
        name = told.get(key)
        if isinstance(name, str) and name:
            return f"name {name}"
    return f"name {event_type.rpartition('.')[0]}"


class _Cost:
    """What one call cost, as far as that was said: with its tokens, else by what was said last."""

    def __init__(self) -> None:
        self.with_tokens: list[float] = []
        self.said = math.nan

    def usd(self) -> float:
        """Give it; NaN where it is unknown."""
        total = summed(self.with_tokens) if self.with_tokens else math.nan
        return self.said if math.isnan(total) else total


class _Bill:
    """Adds up tokens, and what they cost as far as that was said."""

    def __init__(self) -> None:
        self._tokens = [0, 0, 0, 0]
        self._costs: dict[object, _Cost] = {}

    def add(self, event_type: str, told: Mapping[str, Any]) -> None:
        """Take an event of any type."""
        cost = amount(told.get("cost_usd"))
        has_cost = 0 <= cost < math.inf
        tells_tokens = event_type == AGENT_TOKENS_USED
        if tells_tokens:
            prompt, completion, total, read, written = (count(told.get(key)) for key in _TOKENS)
            used = (input_tokens(prompt, completion, total, read, written), completion, read, written)
            self._tokens = [sum(pair) for pair in zip(self._tokens, (max(0, n) for n in used), strict=True)]
        if not tells_tokens and not has_cost:
            return
        call = self._costs.setdefault(_span_in(told) or object(), _Cost())
        if tells_tokens:
            call.with_tokens.append(cost if has_cost else math.nan)
        else:
            call.said = cost

    def tokens(self) -> Tokens:
        """Give all of them."""
        read, wrote, *cached = self._tokens
        return Tokens(read, wrote, *cached, total=read + wrote)

    def cost_usd(self) -> float:
        """Give what all of it cost; NaN where that is not known."""
        costs = [call.usd() for call in self._costs.values()]
        return summed(costs) if costs and not any(map(math.isnan, costs)) else math.nan
