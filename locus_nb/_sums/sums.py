"""What a run's events come to: tokens, cost, calls and errors, of payloads in which anything may stand."""

# The raw values of an event, not what its properties make of them, are what is quick to read.
# ruff: noqa: SLF001
# pyright: reportPrivateUsage=false

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from locus_nb._payloads.kinds import kind_of
from locus_nb._payloads.numbers import count, summed
from locus_nb._payloads.outcomes import status_of
from locus_nb._sums.calls import calls_of, key_of, told_by
from locus_nb._sums.usage import Counts, Used, model_in, summed_counts, usage_in
from locus_nb.event_types import AGENT_TERMINATE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from locus_nb._event import StreamEvent
    from locus_nb._payloads.kinds import Kind, Phase
    from locus_nb._sums.calls import Key
    from locus_nb._sums.usage import Price, Told


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
    numbers, usage = bill.calls()
    return Sums(
        events=number,
        iterations=iterations,
        model_calls=numbers["model"],
        tool_calls=numbers["tool"],
        tool_errors=tool_errors,
        errors=tuple(errors),
        counts=summed_counts(counts for _, used in usage for counts in used.counts),
        cost_usd=_cost_usd(usage, bill.of_whole, price),
    )


class _Bill:
    """The events of a run that begin, end, or tell of a call."""

    def __init__(self) -> None:
        self.of_whole = math.nan
        self._marks: list[tuple[Key, Phase]] = []
        self._told: list[tuple[str | None, Told | None]] = []

    def add(self, event: StreamEvent, kind: Kind, told: Mapping[str, Any]) -> None:
        """Take an event of any type."""
        usage = usage_in(event._event_type, told, event._time)
        is_mark = kind.phase in ("start", "end")
        if event._event_type == AGENT_TERMINATE:
            self.of_whole = usage.cost_usd if usage else self.of_whole
        elif is_mark or usage is not None:
            # Of what has no key nothing else tells.
            key = key_of(kind, event._event_type, told) or (None, len(self._marks))
            self._marks.append((key, kind.phase))
            self._told.append((model_in(told) if is_mark and kind.family == "model" else None, usage))

    def calls(self) -> tuple[Counter[str | None], list[tuple[str | None, Used]]]:
        """Give how many calls of each family there are, and the model and the usage of those that have some."""
        calls = calls_of(self._marks)
        models: dict[int, str] = {}
        used: dict[int, Used] = {}
        for call, (model, usage) in zip(calls.of_marks, self._told, strict=True):
            if model is not None:
                models.setdefault(call, model)
            if usage is not None:
                used.setdefault(call, Used()).add(usage)
        begun = (
            key[0]
            for key, begin, end in zip(calls.keys, calls.begins, calls.ends, strict=True)
            if max(begin, end) >= 0
        )
        return Counter(begun), [(models.get(call), each) for call, each in used.items()]


def _cost_usd(usage: Sequence[tuple[str | None, Used]], of_whole: float, price: Price | None) -> float:
    told = _sum(usage, None)
    if math.isnan(told):
        told = of_whole
    return _sum(usage, price) if math.isnan(told) and price is not None else told


def _sum(usage: Sequence[tuple[str | None, Used]], price: Price | None) -> float:
    return summed(used.cost_usd(model, price) for model, used in usage) if usage else math.nan
