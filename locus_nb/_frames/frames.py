"""Events, runs and calls as pandas DataFrames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from locus_nb._event import run_id_error
from locus_nb._frames.event_columns import in_order, own_columns, payload_columns
from locus_nb._frames.run_columns import run_columns
from locus_nb._frames.selection import of_types, select
from locus_nb._frames.span_columns import model_columns, span_columns, tool_columns
from locus_nb._frames.spans import of_spans
from locus_nb._frames.tables import EVENTS, MODEL_CALLS, RUNS, SPANS, TOOLS, chosen, documented
from locus_nb._rest import gc_at_rest
from locus_nb._store.asked import between
from locus_nb._sums.calls import KINDS
from locus_nb._sums.cost import pricing_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from locus_nb._history import RunRecord
    from locus_nb._source import Source
    from locus_nb._sums.cost import Pricing


@documented(columns=EVENTS)
def events_df(
    run: object = None,
    *,
    source: Source | None = None,
    redact: bool = True,
    event_type: str | Iterable[str] | None = None,
    since: datetime | str | None = None,
    until: datetime | str | None = None,
    columns: str | Iterable[str] | None = None,
) -> pd.DataFrame:
    """Give events as a table, one row each, in their source's order.

    The columns, their order and their dtypes are always these, also without any row:

    {columns}

    What a payload lacks, or holds in another type than its column's (a negative count, a text as a number, a
    number beyond 64 bits), is NA. `prompt_tokens` includes those read from or written to a cache, unless the
    payload's own numbers say otherwise (its total contains them besides, or they are more than the prompt):
    then they are added. Nothing is estimated: `cost_usd` is what an emitter put into the payload.

    Args:
        run: A run id, any object with a `run_id` or `id` that is one, or an iterable of such: their events in
            history; a run without any, or an unknown one, has no rows. Or a table with a column `run_id`, such as
            some rows of `runs_df`. Or an iterable of `StreamEvent`, which need not be in history or published;
            unpublished ones come last. None: every run there is.
        source: Where to look for runs: an `EventBus`, what `history` or `load` gave; None: where a `Run` is
            from, and ids on the process's bus. A bus that has a store is read together with that, which also has
            what left memory, and earlier sessions. Once it takes the store to have all of what is asked for,
            `seq` is the place there: merge tables on `event_id`.
        redact: Take secrets out of `data` and all that is read from it; `data` is then a deep, JSON-able
            copy. The ids of runs and events and the event types stay, though a lone surrogate in one is
            written as its escape. False: `data` is a shallow copy of the payload as it was emitted, or, of an
            event that only a store or a file has, as that was written: without secrets.
        event_type: Only events of these types; `*` stands for anything, as in `agent.tool.*`.
        since: Only events of that time and later: aware, or ISO 8601 with an offset.
        until: Only events before that time.
        columns: Names or groups of columns, which then come in that order; `otel` among them, or alone for all:
            those that have a name in OpenTelemetry's conventions for generative AI come under that, as above.

    Raises:
        TypeError: `run` is none of these, or mixes events with runs; `source` is no source; another argument has
            another type.
        ValueError: A run id is empty, a time is naive, or a column is unknown.

    Example:
        >>> from locus_nb import StreamEvent, events_df
        >>> used = {"prompt_tokens": 120, "completion_tokens": 30, "model": "mock"}
        >>> df = events_df([StreamEvent("run-1", "agent.tokens.used", used)])
        >>> df[["input_tokens", "output_tokens", "preview"]].to_dict("records")
        [{'input_tokens': 120, 'output_tokens': 30, 'preview': '120 + 30 tokens'}]
    """
    names = chosen(EVENTS, columns, "events_df")
    time = between(since, until, "events_df")
    with gc_at_rest():
        events = of_types(select(run, source, "events_df").events, event_type, "events_df")
        if time is not None:
            events = [event for event in events if time[0] <= event.timestamp_ns // 1000 < time[1]]
        events, seqs = in_order(events)
        return _frame(names, own_columns(events, seqs) | payload_columns(events, redact=redact))


@documented(columns=RUNS)
def runs_df(
    run: object = None,
    *,
    source: Source | None = None,
    redact: bool = True,
    since: datetime | str | None = None,
    until: datetime | str | None = None,
    prices: object = None,
    columns: str | Iterable[str] | None = None,
) -> pd.DataFrame:
    """Give runs as a table, one row each, in the order in which they are asked for, or were last used.

    The columns, their order and their dtypes are always these, also without any row:

    {columns}

    A run that is known without an event has a row too, an unknown one has none. Where only events are given,
    all that only a source knows of a run is missing, and a run is taken to go on until its `agent.terminate`.
    Tokens are the sums of `events_df`; a sum beyond 64 bits is missing. A call that tells its tokens and its cost is
    counted once, whatever events say so. If the cost of one call is unknown, that of the run is what its last
    `agent.terminate` tells of the whole, or else unknown, too.

    Args:
        run: As in `events_df`.
        source: As in `events_df`.
        redact: Take secrets out of names, tags and reasons.
        since: Only runs that began at that time or later: aware, or ISO 8601 with an offset.
        until: Only runs that began before that time.
        prices: What tokens cost whose cost was not told: `"genai-prices"` for that package (extra `cost`), or a
            table, a dict or DataFrame of model names, in which `*` stands for anything, with the US dollars for a
            million tokens: `{"my-model": {"input": 3, "output": 15, "cache_read": 0.3, "cache_write": 3.75}}`.
            None: those of `configure(prices=...)`, if any. False: nothing is estimated. Where a price, the model or
            the tokens are unknown, so is the cost, and a warning says why; tokens of a kind that costs 0 may be.
        columns: As in `events_df`.

    Raises:
        TypeError, ValueError: As in `events_df`.

    Example:
        >>> from locus_nb import StreamEvent, runs_df
        >>> end = StreamEvent("run-1", "agent.terminate", {"reason": "complete"})
        >>> runs_df([end])[["run_id", "status", "event_count"]].to_dict("records")
        [{'run_id': 'run-1', 'status': 'ok', 'event_count': 1}]
    """
    names = chosen(RUNS, columns, "runs_df")
    time, pricing = between(since, until, "runs_df"), _pricing(prices, names)
    with gc_at_rest():
        events, known = select(run, source, "runs_df", records=True)
        events, _ = in_order([event for event in events if run_id_error(event.run_id) is None])
        records: dict[str, RunRecord | None] = dict.fromkeys(event.run_id for event in events)
        if known is not None:
            records = {run_id: record for run_id, record in known.items() if record or run_id in records}
        made = run_columns(events, records, redact=redact, pricing=pricing)
        return _within(_frame(names, made), made["started_at"], time, pricing)


@documented(columns=SPANS)
def spans_df(
    run: object = None,
    *,
    source: Source | None = None,
    redact: bool = True,
    event_type: str | Iterable[str] | None = None,
    since: datetime | str | None = None,
    until: datetime | str | None = None,
    columns: str | Iterable[str] | None = None,
) -> pd.DataFrame:
    """Give spans as a table, one row each, in the order in which they began.

    A span is an event whose type ends in `started` and one of the same run, kind and `span_id` that ends it: an end
    belongs to the latest of those starts that has none yet. One without an end has none; an end without a start is
    a row of its own, which began as long before as it says it took. Model calls and tools that name no `span_id`
    are paired by their name.

    The columns, their order and their dtypes are always these, also without any row:

    {columns}

    Args:
        run: As in `events_df`.
        source: As in `events_df`.
        redact: Take secrets out of `attributes` and all that is read from payloads. Always a JSON-able copy.
        event_type: Only starts and ends of these types; `*` stands for anything, as in `agent.tool.*`.
        since: Only spans that began at that time or later: aware, or ISO 8601 with an offset.
        until: Only spans that began before that time.
        columns: As in `events_df`.

    Raises:
        TypeError, ValueError: As in `events_df`.

    Example:
        >>> from locus_nb import StreamEvent, spans_df
        >>> tool = {"tool_name": "search", "span_id": "s1"}
        >>> start = StreamEvent("run-1", "agent.tool.started", tool)
        >>> end = StreamEvent("run-1", "agent.tool.completed", tool | {"success": True, "duration_ms": 12.5})
        >>> spans_df([start, end])[["name", "duration_ms", "status_code"]].to_dict("records")
        [{'name': 'search', 'duration_ms': 12.5, 'status_code': 'OK'}]
    """
    names = chosen(SPANS, columns, "spans_df")
    time = between(since, until, "spans_df")
    with gc_at_rest():
        events = of_types(select(run, source, "spans_df").events, event_type, "spans_df")
        events, _ = in_order(of_spans(events, KINDS))
        made = span_columns(events, redact=redact)
        return _within(_frame(names, made), made["start_time"], time)


@documented(columns=TOOLS)
def tools_df(
    run: object = None,
    *,
    source: Source | None = None,
    redact: bool = True,
    since: datetime | str | None = None,
    until: datetime | str | None = None,
    columns: str | Iterable[str] | None = None,
) -> pd.DataFrame:
    """Give calls of tools as a table, one row each, in the order in which they began.

    The rows are those of `spans_df` whose `span_kind` is `tool`. The columns, their order and their dtypes are
    always these, also without any row:

    {columns}

    Args:
        run: As in `events_df`.
        source: As in `events_df`.
        redact: Take secrets out.
        since: As in `spans_df`.
        until: As in `spans_df`.
        columns: As in `events_df`.

    Raises:
        TypeError, ValueError: As in `events_df`.

    Example:
        >>> from locus_nb import StreamEvent, tools_df
        >>> start = StreamEvent("run-1", "agent.tool.started", {"tool_name": "search", "span_id": "s1"})
        >>> tools_df([start])["end_time"].isna().tolist()
        [True]
    """
    names = chosen(TOOLS, columns, "tools_df")
    time = between(since, until, "tools_df")
    with gc_at_rest():
        events, _ = in_order(of_spans(select(run, source, "tools_df").events, ("tool",)))
        made = tool_columns(events, redact=redact)
        return _within(_frame(names, made), made["start_time"], time)


@documented(columns=MODEL_CALLS)
def model_calls_df(
    run: object = None,
    *,
    source: Source | None = None,
    redact: bool = True,
    since: datetime | str | None = None,
    until: datetime | str | None = None,
    prices: object = None,
    columns: str | Iterable[str] | None = None,
) -> pd.DataFrame:
    """Give calls of models as a table, one row each, in the order in which they began.

    The rows are those of `spans_df` whose `span_kind` is `model`, with the tokens and the cost that events of
    the same `span_id` tell: of the call that last began or ended, or else of the first that will. What is told
    without a call of its own is in `runs_df` only. The columns, their order
    and their dtypes are always these, also without any row:

    {columns}

    Args:
        run: As in `events_df`.
        source: As in `events_df`.
        redact: Take secrets out.
        since: As in `spans_df`.
        until: As in `spans_df`.
        prices: As in `runs_df`.
        columns: As in `events_df`.

    Raises:
        TypeError, ValueError: As in `events_df`.

    Example:
        >>> from locus_nb import StreamEvent, model_calls_df
        >>> call = {"model": "mock", "span_id": "m1"}
        >>> used = call | {"prompt_tokens": 120, "completion_tokens": 30}
        >>> types = ["agent.model.started", "agent.model.completed", "agent.tokens.used"]
        >>> df = model_calls_df([StreamEvent("run-1", each, used) for each in types])
        >>> df[["model", "input_tokens", "total_tokens"]].to_dict("records")
        [{'model': 'mock', 'input_tokens': 120, 'total_tokens': 150}]
    """
    names = chosen(MODEL_CALLS, columns, "model_calls_df")
    time, pricing = between(since, until, "model_calls_df"), _pricing(prices, names)
    with gc_at_rest():
        events, _ = in_order(select(run, source, "model_calls_df").events)
        made = model_columns(events, redact=redact, pricing=pricing)
        return _within(_frame(names, made), made["start_time"], time, pricing)


def _frame(names: Sequence[tuple[str, str]], made: Mapping[str, Any]) -> pd.DataFrame:
    return pd.DataFrame({shown: made[name] for name, shown in names}, copy=False)


def _pricing(prices: object, names: Iterable[tuple[str, str]]) -> Pricing | None:
    """Begin to price; not where no cost is asked for."""
    pricing = pricing_of(prices)
    return pricing if "cost_usd" in dict(names) else None


def _within(
    frame: pd.DataFrame,
    began: pd.DatetimeIndex,
    time: tuple[int, int] | None,
    pricing: Pricing | None = None,
) -> pd.DataFrame:
    """Leave the rows that began in a stretch of time, and say of these where a price is unknown.

    What began at an unknown time did in none.
    """
    if time is None:
        if pricing is not None:
            pricing.warn()
        return frame
    known = np.array(began.notna())
    microseconds = np.array(began.asi8) // 1000
    here = known & (microseconds >= time[0]) & (microseconds < time[1])
    if pricing is not None:
        pricing.warn(np.flatnonzero(here).tolist())
    return cast("Any", frame[here]).reset_index(drop=True)
