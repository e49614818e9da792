"""The columns of `spans_df`, `tools_df` and `model_calls_df`."""

# The raw values of an event, not what its properties make of them, are what is quick to read.
# ruff: noqa: SLF001
# pyright: reportPrivateUsage=false

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from locus_nb._frames.columns import CountColumn, NameColumn, TextColumn, counts
from locus_nb._frames.event_columns import run_column, time_column
from locus_nb._frames.spans import Spans
from locus_nb._payloads.kinds import kind_of
from locus_nb._sums.calls import KINDS, key_of, told_by
from locus_nb._sums.usage import Used, tells_usage, usage_in

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from locus_nb._event import StreamEvent
    from locus_nb._frames.columns import GrowingColumn
    from locus_nb._sums.calls import Key
    from locus_nb._sums.cost import Pricing
    from locus_nb._sums.usage import Counts, Told

_AGENT: dict[str, type[GrowingColumn]] = {
    "parent_span_id": TextColumn,
    "agent_name": NameColumn,
    "iteration": CountColumn,
    "status": NameColumn,
    "error_type": NameColumn,
    "error": TextColumn,
}
_OF_TOOL: dict[str, type[GrowingColumn]] = {
    "tool_name": NameColumn,
    "arg_keys": TextColumn,
    "output_preview": TextColumn,
}
_OF_MODEL: dict[str, type[GrowingColumn]] = {
    "model": NameColumn,
    "stop_reason": NameColumn,
    "message_count": CountColumn,
    "tool_count": CountColumn,
    "tool_call_count": CountColumn,
    "content_preview": TextColumn,
}
_CODES = ["OK", "ERROR", "UNSET"]


def span_columns(events: Sequence[StreamEvent], *, redact: bool) -> dict[str, Any]:
    """Make the columns of `SPANS`."""
    runs = run_column(events)
    payload: dict[str, type[GrowingColumn]] = {
        "parent_span_id": TextColumn,
        "status": NameColumn,
        "error": TextColumn,
    }
    spans = Spans(events, runs.codes, payload=payload, redact=redact, attributes=True)
    status = spans.column("status", "end")
    code_of = {"ok": "OK", "error": "ERROR", "interrupted": "ERROR"}
    # The last one is what the code -1 finds.
    codes = [_CODES.index(code_of[name]) for name in status.categories]
    by_status = np.array([*codes, _CODES.index("UNSET")])
    return {
        **_places(spans, runs),
        "name": spans.names,
        "span_kind": _named(spans.kinds, KINDS),
        **_times(spans),
        "status_code": _named(by_status[status.codes], _CODES),
        "status_message": spans.column("error", "end"),
        "attributes": spans.attributes,
    }


def tool_columns(events: Sequence[StreamEvent], *, redact: bool) -> dict[str, Any]:
    """Make the columns of `TOOLS`."""
    runs = run_column(events)
    spans = Spans(events, runs.codes, families=("tool",), payload=_AGENT | _OF_TOOL, redact=redact)
    return {
        **_places(spans, runs),
        **{name: spans.column(name) for name in ("agent_name", "iteration", "tool_name")},
        **_times(spans),
        **_outcome(spans),
        **{name: spans.column(name) for name in ("arg_keys", "output_preview")},
    }


def model_columns(events: Sequence[StreamEvent], *, redact: bool, pricing: Pricing | None) -> dict[str, Any]:
    """Make the columns of `MODEL_CALLS`; the rows of `pricing` are those of the calls."""
    runs = run_column(events)
    tellers, told = _tellers(events)
    spans = Spans(
        events, runs.codes, families=("model",), payload=_AGENT | _OF_MODEL, redact=redact, tellers=tellers
    )
    calls = [Used() for _ in range(len(spans))]
    places: list[int] = spans.told_of.tolist()
    for place, usage in zip(places, told, strict=True):
        if place >= 0:
            calls[place].add(usage)
    models = spans.column("model")
    named = [None if pd.isna(model) else str(model) for model in models]
    return {
        **_places(spans, runs),
        **{name: spans.column(name) for name in ("agent_name", "iteration")},
        "model": models,
        **_times(spans),
        **_outcome(spans),
        "stop_reason": spans.column("stop_reason", "end"),
        **{name: spans.column(name) for name in ("message_count", "tool_count", "tool_call_count")},
        **usage_columns([call.tokens() for call in calls], _costs(calls, named, pricing)),
        "output_preview": spans.column("content_preview", "end"),
    }


def _costs(calls: Sequence[Used], models: Sequence[str | None], pricing: Pricing | None) -> list[float]:
    costs: list[float] = []
    for row, (call, model) in enumerate(zip(calls, models, strict=True)):
        if pricing is not None:
            pricing.row = row
        costs.append(call.cost_usd(model, pricing and pricing.usd))
    return costs


def usage_columns(tokens: Sequence[Counts], costs: Sequence[float]) -> dict[str, Any]:
    """Make the columns of tokens and cost; a number beyond 64 bits is none."""
    told = dict(zip(_SUMS, zip(*tokens, strict=True), strict=False)) or dict.fromkeys(_SUMS, ())
    numbers = {**told, "total_tokens": [each.total for each in tokens]}
    return {
        **{name: count_column(values) for name, values in numbers.items()},
        "cost_usd": amount_array(np.array(costs, np.float64)),
    }


def count_column(values: Sequence[Any]) -> Any:
    """Give whole numbers as Int64, NA for what is none from 0 below 2**63."""
    return count_array(counts(values))


def count_array(values: NDArray[np.int64]) -> Any:
    """Give whole numbers as Int64, NA for what is negative."""
    return pd.arrays.IntegerArray(np.maximum(values, 0), values < 0)


def amount_array(values: NDArray[np.float64]) -> Any:
    """Give amounts as Float64, NA for NaN."""
    return pd.arrays.FloatingArray(np.nan_to_num(values), np.isnan(values))


def _tellers(events: Sequence[StreamEvent]) -> tuple[list[tuple[int, Key]], list[Told]]:
    """Give the events that tell what a call used: the place of each and the key of the call, and what it tells."""
    tellers: list[tuple[int, Key]] = []
    told: list[Told] = []
    for place, event in enumerate(events):
        event_type, raw = event._event_type, event._data
        if tells_usage(event_type, raw):
            payload = told_by(raw)
            usage = usage_in(event_type, payload, event._time)
            key = key_of(kind_of(event_type), event_type, payload)
            if usage is not None and key is not None:
                tellers.append((place, key))
                told.append(usage)
    return tellers, told


_SUMS = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_write_input_tokens")


def _named(codes: NDArray[Any], names: Sequence[str]) -> pd.Categorical:
    # Always of dtype object, which pandas would not choose for each set of names.
    categories = cast("Any", pd.Index)(names, dtype=object)
    return pd.Categorical.from_codes(cast("Any", codes), categories)


def _places(spans: Spans, runs: pd.Categorical) -> dict[str, Any]:
    return {
        "run_id": runs[spans.rows],
        "span_id": spans.span_ids,
        "parent_id": spans.column("parent_span_id"),
    }


def _times(spans: Spans) -> dict[str, Any]:
    return {
        "start_time": time_column(spans.began),
        "end_time": time_column(spans.ended),
        "duration_ms": spans.took,
    }


def _outcome(spans: Spans) -> dict[str, Any]:
    return {name: spans.column(name, "end") for name in ("status", "error_type", "error")}
