"""The columns of `runs_df`."""

# The raw values of an event, not what its properties make of them, are what is quick to read.
# ruff: noqa: SLF001
# pyright: reportPrivateUsage=false

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from locus_nb._frames.columns import NameColumn, TextColumn, objects
from locus_nb._frames.event_columns import NO_TIME, own_times, rows_by_type, time_column
from locus_nb._frames.span_columns import amount_array, count_array, count_column, usage_columns
from locus_nb._payloads.chunks import clean_chunks
from locus_nb._payloads.outcomes import statuses
from locus_nb._payloads.redact import redact_tags, redact_text
from locus_nb._sums.sums import sums_of
from locus_nb.event_types import AGENT_TERMINATE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from locus_nb._event import StreamEvent
    from locus_nb._history import RunRecord
    from locus_nb._sums.cost import Pricing
    from locus_nb._sums.sums import Sums

_NS = 1_000_000


def run_columns(
    events: Sequence[StreamEvent],
    records: dict[str, RunRecord | None],
    *,
    redact: bool,
    pricing: Pricing | None,
) -> dict[str, Any]:
    """Make the columns of `RUNS`.

    Args:
        events: Of these runs, in the order of their source.
        records: The runs, each with what its source knows of it.
        redact: Take secrets out of names, tags and reasons.
        pricing: What tokens cost whose cost was not told; its rows are those of the runs.
    """
    count = len(records)
    code_of = {run_id: code for code, run_id in enumerate(records)}
    runs = np.fromiter((code_of[event._run_id] for event in events), np.int64, len(events))
    known = list(records.values())
    lives = _Lives(events, runs, known)
    ends = _Ends(events, runs, count, redact=redact)
    running = lives.running(ends)
    sums = _sums(events, runs, count, pricing)
    return {
        "run_id": _names(list(records)),
        "name": _texts("name", [record and record.name for record in known], redact=redact),
        "status": _names([_status(record, ends.statuses[place]) for place, record in enumerate(known)]),
        **lives.columns(running),
        "iterations": count_column([each.iterations for each in sums]),
        "model_calls": count_column([each.model_calls for each in sums]),
        "tool_calls": count_column([each.tool_calls for each in sums]),
        "tool_errors": count_column([each.tool_errors for each in sums]),
        **usage_columns([each.counts for each in sums], [each.cost_usd for each in sums]),
        "terminate_reason": _names(ends.reasons),
        **lives.counts(),
        "cell_id": _texts("cell_id", [record and record.cell_id for record in known], redact=redact),
        "execution_count": count_column([record and record.execution_count for record in known]),
        "tags": objects([_tags(record, redact=redact) for record in known]),
    }


class _Lives:
    """When each run began and ended, and how much of it is here."""

    def __init__(
        self, events: Sequence[StreamEvent], runs: NDArray[np.int64], records: Sequence[RunRecord | None]
    ) -> None:
        times = own_times(events)
        has_time = times != NO_TIME
        self._records = records
        self._has_record = np.array([record is not None for record in records], np.bool_)
        self._first = np.full(len(records), np.iinfo(np.int64).max)
        self._last = np.full(len(records), NO_TIME)
        np.minimum.at(self._first, runs[has_time], times[has_time])
        np.maximum.at(self._last, runs[has_time], times[has_time])
        self._here = np.bincount(runs, minlength=len(records))
        self._trimmed = np.array([record.trimmed if record else 0 for record in records], np.int64)
        self._dropped = np.array([record.dropped if record else 0 for record in records], np.int64)

    def running(self, ends: _Ends) -> NDArray[np.bool_]:
        """Say which runs still go on."""
        return np.array(
            [
                record.status == "running" if record else status is None
                for record, status in zip(self._records, ends.statuses, strict=True)
            ],
            np.bool_,
        )

    def columns(self, running: NDArray[np.bool_]) -> dict[str, Any]:
        """Give when they began and ended, and how long they took."""
        heard = np.array([record.started_at_ns if record else 0 for record in self._records], np.int64)
        closed = np.array([(record and record.ended_at_ns) or NO_TIME for record in self._records], np.int64)
        some = self._last != NO_TIME
        first = np.where(heard > 0, np.minimum(self._first, heard), self._first)
        began = np.where(some, first, np.where(heard > 0, heard, NO_TIME))
        ended = np.where(running, NO_TIME, np.where(some, self._last, closed))
        both = (began != NO_TIME) & (ended != NO_TIME)
        took = np.where(both, np.maximum(ended - np.where(both, began, 0), 0) / _NS, np.nan)
        return {
            "started_at": time_column(began),
            "ended_at": time_column(ended),
            "duration_ms": amount_array(took),
        }

    def counts(self) -> dict[str, Any]:
        """Give how many events are here, and how many are not."""
        return {
            "event_count": count_array(self._here),
            "dropped_events": self._told(self._dropped),
            "trimmed_events": self._told(self._trimmed - self._dropped),
            "complete": pd.arrays.BooleanArray(self._trimmed == 0, ~self._has_record),
        }

    def _told(self, counts: NDArray[np.int64]) -> Any:
        """Give what only a record tells, NA without one."""
        return count_array(np.where(self._has_record, counts, -1))


class _Ends:
    """How each run ended, by its last `agent.terminate`."""

    def __init__(
        self, events: Sequence[StreamEvent], runs: NDArray[np.int64], count: int, *, redact: bool
    ) -> None:
        self.reasons: list[Any] = [None] * count
        self.statuses: list[str | None] = [None] * count
        raws = [event._data for event in events]
        found: list[tuple[int, Any, str | None]] = []
        for event_type, rows in rows_by_type(events):
            if event_type == AGENT_TERMINATE:
                for chunk in clean_chunks(event_type, rows, raws, secrets=not redact, copy=False):
                    nothing = (None,) * len(chunk.rows)
                    reasons = chunk.columns.get("reason", nothing)
                    found += zip(chunk.rows, reasons, statuses(chunk) or nothing, strict=True)
        for row, reason, status in sorted(found, key=lambda each: each[0]):
            code = int(runs[row])
            self.reasons[code] = reason
            self.statuses[code] = status or "ok"


def _status(record: RunRecord | None, told: str | None) -> str:
    return record.status if record else told or "running"


def _sums(
    events: Sequence[StreamEvent], runs: NDArray[np.int64], count: int, pricing: Pricing | None
) -> list[Sums]:
    of_run: list[list[StreamEvent]] = [[] for _ in range(count)]
    codes: list[int] = runs.tolist()
    for event, run in zip(events, codes, strict=True):
        of_run[run].append(event)
    if pricing is None:
        return [sums_of(mine) for mine in of_run]
    sums: list[Sums] = []
    for pricing.row, mine in enumerate(of_run):
        sums.append(sums_of(mine, pricing.usd))
    return sums


def _tags(record: RunRecord | None, *, redact: bool) -> dict[str, Any] | None:
    if record is None or not record.tags:
        # Not an empty dict: no Parquet file can hold a column of such.
        return None
    return redact_tags(dict(record.tags)) if redact else dict(record.tags)


def _names(texts: Sequence[Any]) -> Any:
    column = NameColumn()
    column.add(texts)
    return column.array(np.arange(len(texts)))


def _texts(key: str, texts: Sequence[Any], *, redact: bool) -> Any:
    column = TextColumn()
    column.add([redact_text(text, key=key) if redact and text else text for text in texts])
    return column.array(np.arange(len(texts)))
