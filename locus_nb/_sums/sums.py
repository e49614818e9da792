"""What a run's events come to: tokens, cost, calls and errors, of payloads in which anything may stand."""

# The raw values of an event, not what its properties make of them, are what is quick to read.
# ruff: noqa: SLF001
# pyright: reportPrivateUsage=false

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

from locus_nb._payloads.kinds import kind_of
from locus_nb._payloads.numbers import count, summed
from locus_nb._payloads.outcomes import status_of
from locus_nb._sums.calls import Calls, key_of, told_by
from locus_nb._sums.usage import Counts, Used, model_in, summed_counts, usage_in
from locus_nb.event_types import AGENT_TERMINATE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from locus_nb._event import StreamEvent
    from locus_nb._payloads.kinds import Kind
    from locus_nb._sums.usage import Price


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
        model_calls: Calls of models: as many as `model_calls_df` has rows.
        tool_calls: Calls of tools: as many as `tools_df` has rows.
        tool_errors: Those of them that failed.
        errors: The events that tell of an error, in order.
        counts: Tokens, from `agent.tokens.used`; -1 for what was never told.
        cost_usd: US dollars: what its calls cost together, as emitters put that into payloads as `cost_usd`, each
            call's once. If that is unknown of one, or there is none, what its last `agent.terminate` tells of the
            whole; else by prices. NaN if that is unknown too, in whole or in part.
    """

    events: int
    iterations: int
    model_calls: int
    tool_calls: int
    tool_errors: int
    errors: tuple[StreamEvent, ...]
    counts: Counts
    cost_usd: float

    @property
    def tokens(self) -> Tokens:
        """The tokens, 0 for what was never told."""
        read, wrote, *cached = (max(0, number) for number in self.counts)
        return Tokens(read, wrote, *cached, total=read + wrote)


def sums_of(events: Iterable[StreamEvent], price: Price | None = None) -> Sums:
    """Sum up the events of one run. Never raises, whatever their payloads hold.

    Args:
        events: In the order of their source.
        price: What tokens cost whose cost was not told.
    """
    number = iterations = tool_errors = 0
    errors: list[StreamEvent] = []
    bill = _Bill()
    for event in events:
        number += 1
        told, event_type = told_by(event._data), event._event_type
        kind = kind_of(event_type)
        if (iteration := told.get("iteration")) is not None:
            iterations = max(iterations, count(iteration))
        failed = (kind.phase == "end" or "success" in told) and status_of(event_type, told) == "error"
        if failed or kind.failure:
            errors.append(event)
        if failed and kind.phase == "end" and kind.family == "tool":
            tool_errors += 1
        bill.add(event, kind, told)
    return Sums(
        events=number,
        iterations=iterations,
        model_calls=bill.calls.number_of("model"),
        tool_calls=bill.calls.number_of("tool"),
        tool_errors=tool_errors,
        errors=tuple(errors),
        counts=summed_counts(used.tokens() for used in bill.used.values()),
        cost_usd=bill.cost_usd(price),
    )


class _Bill:
    """The calls of a run, and what each used."""

    def __init__(self) -> None:
        self.calls = Calls()
        self.used: dict[int, Used] = {}
        self._models: dict[int, str] = {}
        self._of_whole = math.nan
        self._alone = 0

    def add(self, event: StreamEvent, kind: Kind, told: Mapping[str, Any]) -> None:
        """Take an event of any type."""
        usage = usage_in(event._event_type, told, event._time)
        begins, ends = kind.phase == "start", kind.phase == "end"
        if not begins and not ends and usage is None:
            return
        if event._event_type == AGENT_TERMINATE:
            self._of_whole = usage.cost_usd if usage else self._of_whole
            return
        key = key_of(kind, event._event_type, told)
        if key is None:
            # Nothing else tells of it.
            self._alone -= 1
            call = self._alone
        elif begins:
            call = self.calls.start(key, 0)
        else:
            call = self.calls.end(key, 0) if ends else self.calls.tell(key)
        if (begins or ends) and (model := model_in(told)) is not None:
            self._models.setdefault(call, model)
        if usage is not None:
            self.used.setdefault(call, Used()).add(usage)

    def cost_usd(self, price: Price | None) -> float:
        """Give what it comes to; NaN where that is unknown."""
        told = self._sum(None)
        if math.isnan(told):
            told = self._of_whole
        return self._sum(price) if math.isnan(told) and price is not None else told

    def _sum(self, price: Price | None) -> float:
        costs = [used.cost_usd(self._models.get(call), price) for call, used in self.used.items()]
        return summed(costs) if costs else math.nan
