"""Events as pandas DataFrames."""

# The raw values of an event, not what its properties make of them, are what is quick to read.
# ruff: noqa: SLF001
# pyright: reportPrivateUsage=false

from __future__ import annotations

import gc
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from locus_nb import event_types
from locus_nb._bus import EventBus, get_event_bus
from locus_nb._columns import AmountColumn, CountColumn, DictColumn, NameColumn, TextColumn, counts, objects
from locus_nb._event import StreamEvent, event_ids, run_id_error
from locus_nb._numbers import input_tokens
from locus_nb._outcomes import error_types, statuses
from locus_nb._payloads import TOGETHER, clean_chunks
from locus_nb._preview import previews_of
from locus_nb._wire import jsonable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from locus_nb._payloads import Chunk

    _Column = AmountColumn | CountColumn | NameColumn | TextColumn

_COLUMNS = (
    "run_id seq event_id timestamp elapsed_ms event_type category span_id parent_span_id agent_name "
    "iteration status duration_ms model tool_name input_tokens output_tokens cost_usd error_type preview data"
)
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
_NO_TIME = np.iinfo(np.int64).min
# In microseconds.
_LAST_TIME = np.iinfo(np.int64).max // 1000


def events_df(run: object = None, *, bus: EventBus | None = None, redact: bool = True) -> pd.DataFrame:
    """Give events as a table, one row each, in the bus's order.

    The columns, their order and their dtypes are always these, also without any row:

    | column | dtype | what, and where from |
    |---|---|---|
    | `run_id` | category | the run |
    | `seq` | Int64 | place in the bus's total order; NA for an event that was not published |
    | `event_id` | string | unique id |
    | `timestamp` | datetime64[ns, UTC] | when it was made; NaT outside the years 1678 to 2262 |
    | `elapsed_ms` | Float64 | milliseconds since the earliest event of its run in this frame |
    | `event_type` | category | dotted name |
    | `category` | category | family: the event type up to its first dot |
    | `span_id`, `parent_span_id` | string | payload |
    | `agent_name` | category | payload |
    | `iteration` | Int64 | payload, from 1 |
    | `status` | category | of what has ended: `ok`, `error` or `interrupted`; NA for all else |
    | `duration_ms` | Float64 | payload, milliseconds |
    | `model`, `tool_name` | category | payload |
    | `input_tokens` | Int64 | `agent.tokens.used`: prompt tokens, cached ones included |
    | `output_tokens` | Int64 | `agent.tokens.used`: completion tokens |
    | `cost_usd` | Float64 | payload, US dollars; NA where unknown, never 0 for that |
    | `error_type` | category | payload, or the class named at the start of its error |
    | `preview` | string | one line about the event, at most 240 characters |
    | `data` | object | the payload, a dict |

    What a payload lacks, or holds in another type than its column's (a negative count, a text as a number, a
    number beyond 64 bits), is NA. `prompt_tokens` includes those read from or written to a cache, unless the
    payload's own numbers say otherwise (its total contains them besides, or they are more than the prompt):
    then they are added. Nothing is estimated: `cost_usd` is what an emitter put into the payload.

    Args:
        run: A run id, any object with a `run_id` or `id` that is one, or an iterable of such: their events in
            history; a run without any, or an unknown one, has no rows. Or an iterable of `StreamEvent`, which
            need not be in history or published; unpublished ones come last. None: every run in history.
        bus: Where to look for runs; default: the process's bus.
        redact: Take secrets out of `data` and all that is read from it; `data` is then a deep, JSON-able
            copy. The ids of runs and events and the event types stay, though a lone surrogate in one is
            written as its escape. False: `data` is a shallow copy of the payload as it was emitted.

    Raises:
        TypeError: `run` is none of these, or mixes events with runs; `bus` is no `EventBus`.
        ValueError: A run id is empty.

    Example:
        >>> from locus_nb import StreamEvent, events_df
        >>> used = {"prompt_tokens": 120, "completion_tokens": 30, "model": "mock"}
        >>> df = events_df([StreamEvent("run-1", "agent.tokens.used", used)])
        >>> df[["input_tokens", "output_tokens", "preview"]].to_dict("records")
        [{'input_tokens': 120, 'output_tokens': 30, 'preview': '120 + 30 tokens'}]
    """
    # Some hundred thousand new objects set it off again and again, and none of them is garbage.
    collecting = gc.isenabled()
    try:
        gc.disable()
        events, seqs = _in_order(_events_of(run, bus))
        columns = _own_columns(events, seqs) | _payload_columns(events, redact=redact)
        return pd.DataFrame({name: columns[name] for name in _COLUMNS.split()}, copy=False)
    finally:
        if collecting:
            gc.enable()


def _in_order(events: list[StreamEvent]) -> tuple[list[StreamEvent], NDArray[np.int64]]:
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


def _events_of(run: object, bus: object) -> list[StreamEvent]:
    bus = get_event_bus() if bus is None else bus
    if not isinstance(bus, EventBus):
        raise TypeError(
            f"events_df looks for runs on an EventBus, not on {type(bus).__name__}: pass bus=EventBus"
        )
    if run is None:
        return _history(bus, bus.run_ids())
    if _run_id(run) is None and isinstance(run, Iterable) and not isinstance(run, bytes | bytearray):
        members = list(cast("Iterable[object]", run))
        are_events = [isinstance(member, StreamEvent) for member in members]
        if all(are_events):
            return cast("list[StreamEvent]", members)
        if any(are_events):
            raise TypeError("events_df was given events and runs together: pass either, or make two frames")
        return _history(bus, map(_checked_run_id, members))
    return _history(bus, [_checked_run_id(run)])


def _history(bus: EventBus, run_ids: Iterable[str]) -> list[StreamEvent]:
    return [event for run_id in dict.fromkeys(run_ids) for event in bus.history(run_id)]


def _run_id(run: object) -> str | None:
    for run_id in (run, getattr(run, "run_id", None), getattr(run, "id", None)):
        if isinstance(run_id, str):
            return run_id
    return None


def _checked_run_id(run: object) -> str:
    run_id = _run_id(run)
    if run_id is None:
        raise TypeError(
            f"events_df takes a run's id, an object with one as run_id or id, several of those, or StreamEvents; "
            f"not {type(run).__name__}"
        )
    if (error := run_id_error(run_id)) is not None:
        raise error
    return run_id


def _own_columns(events: Sequence[StreamEvent], seqs: NDArray[np.int64]) -> dict[str, Any]:
    """Make the columns that the events themselves fill."""
    run_id = NameColumn()
    run_id.add([event._run_id for event in events])
    runs = run_id.array(np.arange(len(events)))
    ids = event_ids(events)
    if not "".join(ids).isascii():
        ids = [jsonable(each) for each in ids]
    times = _times([event._time for event in events])
    return {
        "run_id": runs,
        "seq": pd.arrays.IntegerArray(seqs, seqs == _UNPUBLISHED),
        "event_id": pd.arrays.StringArray(objects(ids)),
        "timestamp": pd.DatetimeIndex(times.view("M8[ns]")).tz_localize("UTC"),
        "elapsed_ms": _elapsed(times, runs.codes),
    }


def _times(microseconds: list[int]) -> NDArray[np.int64]:
    """Give times in nanoseconds, `_NO_TIME` for those that 64 bits do not hold."""
    times = np.array(microseconds, np.int64)
    return np.where(abs(times) <= _LAST_TIME, times * 1000, _NO_TIME)


def _elapsed(times: NDArray[np.int64], runs: NDArray[Any]) -> Any:
    """Give milliseconds since each run's earliest time."""
    known = times != _NO_TIME
    # One more, found by the code -1 of an event whose run id is none.
    earliest = np.full(runs.max(initial=-1) + 2, np.iinfo(np.int64).max)
    np.minimum.at(earliest, runs[known], times[known])
    # Unsigned, so that a difference of more than 292 years is right too.
    since = times.view(np.uint64) - earliest[runs].view(np.uint64)
    return pd.arrays.FloatingArray(np.where(known, since, 0) / 1e6, ~known)


def _payload_columns(events: Sequence[StreamEvent], *, redact: bool) -> dict[str, Any]:
    """Make the columns that come of event types and payloads."""
    plain = {name: column() for name, column in _FROM_PAYLOAD.items()}
    names = {name: NameColumn() for name in ("event_type", "category", "status", "error_type")}
    tokens = {name: CountColumn() for name in ("input_tokens", "output_tokens")}
    preview, data = TextColumn(), DictColumn()
    raws = [event._data for event in events]
    rows: list[int] = []
    for event_type, alike in _rows_by_type(events):
        for chunk in clean_chunks(event_type, alike, raws, secrets=not redact):
            rows += chunk.rows
            for name, column in plain.items():
                _add(column, chunk.columns.get(name), chunk)
            names["event_type"].add_same(event_type, len(chunk.rows))
            names["category"].add_same(event_types.category(event_type), len(chunk.rows))
            _add(names["status"], statuses(chunk), chunk)
            _add(names["error_type"], error_types(chunk), chunk)
            _add_tokens(tokens, chunk)
            preview.add(previews_of(event_type, chunk.payloads, chunk.columns))
            data.add(chunk.payloads if redact or chunk.ordinary else [dict(raws[row]) for row in chunk.rows])
    order = np.empty(len(rows), np.intp)
    order[rows] = np.arange(len(rows))
    filled = plain | names | tokens | {"preview": preview, "data": data}
    return {name: column.array(order) for name, column in filled.items()}


def _rows_by_type(events: Sequence[StreamEvent]) -> Iterator[tuple[str, list[int]]]:
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


def _add(column: _Column, values: Sequence[Any] | None, chunk: Chunk) -> None:
    if values is None:
        column.skip(len(chunk.rows))
    else:
        column.add(values)


def _add_tokens(tokens: Mapping[str, CountColumn], chunk: Chunk) -> None:
    length = len(chunk.rows)
    if chunk.event_type != event_types.AGENT_TOKENS_USED:
        for column in tokens.values():
            column.skip(length)
        return

    def numbers(key: str) -> NDArray[np.int64]:
        return counts(chunk.columns[key]) if key in chunk.columns else np.full(length, -1)

    prompt, completion, total = (
        numbers("prompt_tokens"),
        numbers("completion_tokens"),
        numbers("total_tokens"),
    )
    read, written = numbers("cache_read_tokens"), numbers("cache_write_tokens")
    tokens["input_tokens"].add_counts(input_tokens(prompt, completion, total, read, written))
    tokens["output_tokens"].add_counts(completion)
