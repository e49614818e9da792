"""The columns of `events_df`, of many events at once."""

# The raw values of an event, not what its properties make of them, are what is quick to read.
# ruff: noqa: SLF001
# pyright: reportPrivateUsage=false

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
import pandas as pd

from locus_nb import event_types
from locus_nb._event import event_ids
from locus_nb._frames.columns import (
    AmountColumn,
    CountColumn,
    DictColumn,
    NameColumn,
    TextColumn,
    counts,
    objects,
    texts_array,
)
from locus_nb._payloads.chunks import TOGETHER, clean_chunks
from locus_nb._payloads.numbers import input_tokens
from locus_nb._payloads.outcomes import error_types, statuses
from locus_nb._payloads.preview import previews_of
from locus_nb._payloads.redact import redact_name
from locus_nb._wire import jsonable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from locus_nb._event import StreamEvent
    from locus_nb._frames.columns import GrowingColumn
    from locus_nb._payloads.chunks import Chunk

_FROM_PAYLOAD = {
    "span_id": TextColumn,
    "parent_span_id": TextColumn,
    "agent_name": NameColumn,
    "iteration": CountColumn,
    "duration_ms": AmountColumn,
    "model": NameColumn,
    "tool_name": NameColumn,
    "cost_usd": AmountColumn,
}
_UNPUBLISHED = np.iinfo(np.int64).max
NO_TIME = np.iinfo(np.int64).min
# In microseconds.
_LAST_TIME = np.iinfo(np.int64).max // 1000


def in_order(events: list[StreamEvent]) -> tuple[list[StreamEvent], NDArray[np.int64]]:
    """Sort events by their places in the bus's order, which come with them."""
    seqs = _seqs(events)
    if (seqs[1:] >= seqs[:-1]).all():
        return events, seqs
    order = np.argsort(seqs, kind="stable")
    return [events[place] for place in order.tolist()], seqs[order]


def _seqs(events: Sequence[StreamEvent]) -> NDArray[np.int64]:
    # Whoever looked for events in history has had them numbered.
    places = [event._place for event in events]
    if set(map(type, places)) <= {int}:
        return np.array(places, np.int64)
    return np.array([event.seq or _UNPUBLISHED for event in events], np.int64)


def own_columns(events: Sequence[StreamEvent], seqs: NDArray[np.int64]) -> dict[str, Any]:
    """Make the columns that the events themselves fill."""
    runs = run_column(events)
    ids = event_ids(events)
    if not "".join(ids).isascii():
        ids = [jsonable(each) for each in ids]
    times = own_times(events)
    return {
        "run_id": runs,
        "seq": pd.arrays.IntegerArray(seqs, seqs == _UNPUBLISHED),
        "event_id": texts_array(ids),
        "timestamp": time_column(times),
        "elapsed_ms": _elapsed(times, runs.codes),
    }


def run_column(events: Sequence[StreamEvent]) -> pd.Categorical:
    """Give the runs of events."""
    column = NameColumn()
    column.add([event._run_id for event in events])
    return column.array(np.arange(len(events)))


def own_times(events: Sequence[StreamEvent]) -> NDArray[np.int64]:
    """Give when events were made, in nanoseconds, `NO_TIME` where 64 bits do not hold that."""
    times = np.array([event._time for event in events], np.int64)
    return np.where(abs(times) <= _LAST_TIME, times * 1000, NO_TIME)


def time_column(times: NDArray[np.int64]) -> pd.DatetimeIndex:
    """Give nanoseconds since the Unix epoch as times, NaT for `NO_TIME`."""
    return pd.DatetimeIndex(times.view("M8[ns]")).tz_localize("UTC")


def _elapsed(times: NDArray[np.int64], runs: NDArray[Any]) -> Any:
    """Give milliseconds since each run's earliest time."""
    known = times != NO_TIME
    # One more, found by the code -1 of an event whose run id is none.
    earliest = np.full(runs.max(initial=-1) + 2, np.iinfo(np.int64).max)
    np.minimum.at(earliest, runs[known], times[known])
    # Unsigned, so that a difference of more than 292 years is right too.
    since = times.view(np.uint64) - earliest[runs].view(np.uint64)
    return pd.arrays.FloatingArray(np.where(known, since, 0) / 1e6, ~known)


def payload_columns(events: Sequence[StreamEvent], *, redact: bool) -> dict[str, Any]:
    """Make the columns that come of event types and payloads."""
    plain = {name: column() for name, column in _FROM_PAYLOAD.items()}
    names = {name: NameColumn() for name in ("event_type", "category", "status", "error_type")}
    tokens = {name: CountColumn() for name in ("input_tokens", "output_tokens")}
    preview, data = TextColumn(), DictColumn()
    raws = [event._data for event in events]
    rows: list[int] = []
    for event_type, alike in rows_by_type(events):
        for chunk in clean_chunks(event_type, alike, raws, secrets=not redact):
            rows += chunk.rows
            for name, column in plain.items():
                add_to(column, chunk.columns.get(name), chunk)
            names["event_type"].add_same(redact_name(event_type) if redact else event_type, len(chunk.rows))
            names["category"].add_same(event_types.category(event_type), len(chunk.rows))
            add_to(names["status"], statuses(chunk), chunk)
            add_to(names["error_type"], error_types(chunk), chunk)
            _add_tokens(tokens, chunk)
            preview.add(previews_of(event_type, chunk.payloads, chunk.columns))
            data.add(chunk.payloads if redact or chunk.ordinary else [dict(raws[row]) for row in chunk.rows])
    order = np.empty(len(rows), np.intp)
    order[rows] = np.arange(len(rows))
    filled = plain | names | tokens | {"preview": preview, "data": data}
    return {name: column.array(order) for name, column in filled.items()}


def rows_by_type(events: Sequence[StreamEvent]) -> Iterator[tuple[str, list[int]]]:
    """Group rows by event type, one stretch of the frame after the other.

    What was made together lies together in memory: so each part of that is fetched once, not once per type.
    """
    types = [event._event_type for event in events]
    codes, names = pd.factorize(objects(types))
    stretches = np.arange(len(types)) // (TOGETHER // 2 * max(len(names), 1))
    groups = stretches * len(names) + codes
    # Of few groups the numbers are short, and those are sorted in one pass.
    order = np.argsort(groups.astype(np.min_scalar_type(groups.max(initial=0))), kind="stable")
    starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    for rows in np.split(order, starts)[1:]:
        yield cast("str", names[codes[rows[0]]]), rows.tolist()


def add_to(column: GrowingColumn, values: Sequence[Any] | None, chunk: Chunk) -> None:
    """Add the values of a chunk to a column; None: it has none."""
    if values is None:
        column.skip(len(chunk.rows))
    else:
        column.add(values)


def _add_tokens(tokens: Mapping[str, CountColumn], chunk: Chunk) -> None:
    if chunk.event_type != event_types.AGENT_TOKENS_USED:
        for column in tokens.values():
            column.skip(len(chunk.rows))
        return
    told = tokens_in(chunk)
    tokens["input_tokens"].add_counts(told.input)
    tokens["output_tokens"].add_counts(told.output)


class TokenArrays(NamedTuple):
    """The counts of some `agent.tokens.used`, -1 where one is unknown; cached ones are part of the input."""

    input: NDArray[np.int64]
    output: NDArray[np.int64]
    read: NDArray[np.int64]
    written: NDArray[np.int64]


def tokens_in(chunk: Chunk) -> TokenArrays:
    """Read the counts of a chunk of `agent.tokens.used`."""

    def numbers(key: str) -> NDArray[np.int64]:
        return counts(chunk.columns[key]) if key in chunk.columns else np.full(len(chunk.rows), -1)

    prompt, completion, total = map(numbers, ("prompt_tokens", "completion_tokens", "total_tokens"))
    read, written = numbers("cache_read_tokens"), numbers("cache_write_tokens")
    return TokenArrays(input_tokens(prompt, completion, total, read, written), completion, read, written)
