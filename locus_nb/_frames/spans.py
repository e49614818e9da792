"""Spans: the starts and ends among many events, each start with its end."""

# The raw values of an event, not what its properties make of them, are what is quick to read.
# ruff: noqa: SLF001
# pyright: reportPrivateUsage=false

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np
import pandas as pd

from locus_nb._frames.columns import AmountColumn, DictColumn, NameColumn, TextColumn, objects
from locus_nb._frames.event_columns import NO_TIME, add_to, own_times, rows_by_type
from locus_nb._payloads.chunks import clean_chunks
from locus_nb._payloads.kinds import kind_of
from locus_nb._payloads.outcomes import error_texts, error_types, statuses
from locus_nb._payloads.redact import redact_name

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from numpy.typing import NDArray

    from locus_nb._event import StreamEvent
    from locus_nb._frames.columns import Column
    from locus_nb._payloads.chunks import Chunk
    from locus_nb._payloads.kinds import Family, Kind

    Places = NDArray[np.intp]

# Those of the agent itself may lack an id: then a start and the next end of the same name are one span.
_PAIRED_BY_NAME = {"model", "tool"}
KINDS: tuple[Family, ...] = ("model", "tool", "agent", "other")
# Nanoseconds, as a float that 64 bits surely hold.
_EARLIEST = -9.2e18
# Milliseconds: longer than from the earliest time to the latest.
_LONGEST = 1e14
_NAMED_BY = ("tool_name", "model", "agent_name")


def of_spans(events: list[StreamEvent], families: Collection[Family]) -> list[StreamEvent]:
    """Leave the events that begin or end a span of these kinds, as far as their types tell."""
    kinds = {event_type: kind_of(event_type) for event_type in {event._event_type for event in events}}
    wanted = {
        event_type
        for event_type, kind in kinds.items()
        if kind.family in families and kind.phase in ("start", "end")
    }
    return [event for event in events if event._event_type in wanted]


class Spans:
    """The spans of some events, in the order in which they began, or were first heard of.

    Within a run a start belongs to the next event that ends a span of the same kind and id; a second start before
    that begins another one. An end without a start is a span of its own. Model calls and tools without an id are
    paired by name instead; whatever else has none is no span.

    Args:
        events: In the order of their source.
        runs: The code of each event's run.
        families: Of which spans; of others nothing is read.
        payload: What is read of payloads, and as what.
        redact: Take secrets out of payloads.
        attributes: Keep the payloads themselves.
    """

    def __init__(
        self,
        events: Sequence[StreamEvent],
        runs: NDArray[Any],
        *,
        families: Collection[Family] = KINDS,
        payload: Mapping[str, type[Column]],
        redact: bool,
        attributes: bool = False,
    ) -> None:
        self.ids: list[Any] = []
        self._redact = redact
        self._rows: list[int] = []
        self._starts: list[NDArray[np.bool_]] = []
        self._families: list[NDArray[np.int8]] = []
        self._names = NameColumn()
        self._columns: dict[str, Column] = {name: column() for name, column in payload.items()}
        self._columns["duration_ms"] = AmountColumn()
        self._payloads = DictColumn() if attributes else None
        raws = [event._data for event in events]
        for event_type, alike in rows_by_type(events):
            kind = kind_of(event_type)
            if kind.family in families and kind.phase in ("start", "end"):
                for chunk in clean_chunks(event_type, alike, raws, secrets=not redact, copy=False):
                    self._take(chunk, kind)
        # One more, empty: what stands at the place -1.
        for column in (*self._columns.values(), self._names):
            column.skip(1)
        self._pair(runs)
        self._time(own_times(events))

    def __len__(self) -> int:
        return len(self._begins)

    def _take(self, chunk: Chunk, kind: Kind) -> None:
        length = len(chunk.rows)
        self._rows += chunk.rows
        self._starts.append(np.full(length, kind.phase == "start"))
        self._families.append(np.full(length, KINDS.index(kind.family), np.int8))
        self.ids += chunk.columns.get("span_id", (None,) * length)
        self._names.add(_names_in(chunk, redact=self._redact))
        for name, column in self._columns.items():
            read = _READ.get(name)
            if read is None:
                add_to(column, chunk.columns.get(name), chunk)
            elif name == "arg_keys" or kind.phase == "end":
                add_to(column, read(chunk), chunk)
            else:
                column.skip(length)
        if self._payloads is not None:
            self._payloads.add(chunk.payloads)

    def _pair(self, runs: NDArray[Any]) -> None:
        rows = np.array(self._rows, np.intp)
        starts = np.concatenate([np.empty(0, np.bool_), *self._starts])
        families = np.concatenate([np.empty(0, np.int8), *self._families])
        everywhere = np.arange(len(rows))
        codes = codes_of(self.ids)
        names = self._names.array(everywhere).codes.astype(np.int64)
        without = codes < 0
        keys = np.where(without, -1 - names, codes) * len(KINDS) + families
        known = np.isin(families, [KINDS.index(each) for each in KINDS if each in _PAIRED_BY_NAME])
        keys = keys - keys.min(initial=0)
        keys = runs[rows].astype(np.int64) * (keys.max(initial=0) + 1) + keys
        order = np.argsort(keys * (rows.max(initial=0) + 1) + rows)
        order = order[~without[order] | known[order]]
        same = keys[order][1:] == keys[order][:-1]
        is_start = starts[order]
        pairs = same & is_start[:-1] & ~is_start[1:]
        has_end, has_start = np.append(pairs, False), np.insert(pairs, 0, False)
        after = np.append(order[1:], -1)
        begins = np.concatenate([order[is_start], np.full((~is_start & ~has_start).sum(), -1)])
        ends = np.concatenate([np.where(has_end, after, -1)[is_start], order[~is_start & ~has_start]])
        first = rows[np.where(begins >= 0, begins, ends)]
        by_first = np.argsort(first)
        self._begins, self._ends = begins[by_first], ends[by_first]
        self.rows = first[by_first]
        self.runs: NDArray[Any] = runs[self.rows]
        self.keys = keys[np.where(self._begins >= 0, self._begins, self._ends)]
        self.kinds = families[np.where(self._begins >= 0, self._begins, self._ends)]
        self._id_codes = codes

    def _time(self, times: NDArray[np.int64]) -> None:
        """Find when each began and ended, in nanoseconds, and how long it took, in milliseconds."""
        own = np.append(times[np.array(self._rows, np.intp)], NO_TIME)
        began, ended = own[self._begins], own[self._ends]
        told = self.column("duration_ms", "end")
        both = (began != NO_TIME) & (ended != NO_TIME)
        between = np.where(both, ended - began, 0) / 1e6
        told_ns = np.minimum(told.to_numpy(np.float64, na_value=0.0), _LONGEST) * 1e6
        fits = ~told.isna() & (ended != NO_TIME) & (self._begins < 0) & (ended - told_ns > _EARLIEST)
        self.began = np.where(fits, ended - np.where(fits, told_ns, 0).astype(np.int64), began)
        self.ended = ended
        missing = told.isna() & (~both | (between < 0))
        took = np.where(told.isna(), between, told.to_numpy(np.float64, na_value=0.0))
        self.took = pd.arrays.FloatingArray(np.where(missing, 0.0, took), missing)

    def column(self, name: str, prefer: Literal["begin", "end"] = "begin") -> Any:
        """What was read of payloads: of a span's start where that tells it, else of its end; or the other way."""
        return self._of(self._columns[name], prefer)

    def is_kind(self, kind: Family) -> NDArray[np.bool_]:
        """Say which are of that kind."""
        return self.kinds == KINDS.index(kind)

    @property
    def names(self) -> Any:
        """The name of each."""
        return self._of(self._names, "begin")

    @property
    def span_ids(self) -> Any:
        """The id of each."""
        column = TextColumn()
        column.add(self.ids)
        column.skip(1)
        return self._of(column, "begin")

    @property
    def attributes(self) -> NDArray[np.object_]:
        """The payloads of each in one dict."""
        assert self._payloads is not None  # noqa: S101 - told to the type checker
        kept = self._payloads.dicts
        places = zip(self._begins.tolist(), self._ends.tolist(), strict=True)
        return objects([_both(kept, begin, end) for begin, end in places])

    def places_of(self, ids: Sequence[Any], rows: NDArray[np.intp], runs: NDArray[Any]) -> Places:
        """Find the spans that events of these ids are about, which began before; -1 where there is none."""
        codes = codes_of([*self.ids, *ids])
        mine = codes[: len(self.ids)]
        first = np.where(self._begins >= 0, self._begins, self._ends)
        width = codes.max(initial=0) + 1
        span_keys = self.runs.astype(np.int64) * width + mine[first]
        keys = runs[rows].astype(np.int64) * width + codes[len(self.ids) :]
        order = np.lexsort((self.rows, span_keys))
        order = order[mine[first][order] >= 0]
        height = max(int(self.rows.max(initial=0)), int(rows.max(initial=0))) + 1
        # A place in front, of no span: what is found before the first one.
        found = np.insert(order, 0, -1)
        known = span_keys[order] * height + self.rows[order]
        place = found[cast("Places", np.searchsorted(known, keys * height + rows, side="right"))]
        right = (place >= 0) & (codes[len(self.ids) :] >= 0)
        right &= (span_keys[place] if len(span_keys) else -1) == keys
        return np.where(right, place, -1)

    def _of(self, column: Column, prefer: Literal["begin", "end"]) -> Any:
        first, second = (self._begins, self._ends) if prefer == "begin" else (self._ends, self._begins)
        return column.array(np.where(column.known()[first], first, second))


def _arg_keys(chunk: Chunk) -> Sequence[str | None] | None:
    keys = chunk.columns.get("arg_keys")
    return None if keys is None else list(map(_joined, keys))


def _joined(names: object) -> str | None:
    return ", ".join(map(str, cast("list[Any]", names))) if isinstance(names, list) else None


# What is not simply the value of a payload's key.
_READ: dict[str, Callable[[Chunk], Sequence[Any] | None]] = {
    "status": statuses,
    "error_type": error_types,
    "error": error_texts,
    "arg_keys": _arg_keys,
}


def _both(payloads: list[dict[Any, Any]], begin: int, end: int) -> dict[Any, Any]:
    if begin < 0:
        return payloads[end].copy()
    return payloads[begin].copy() if end < 0 else payloads[begin] | payloads[end]


def codes_of(ids: Sequence[Any]) -> NDArray[np.int64]:
    """Give the same number to the same texts, -1 to what is none."""
    if not set(map(type, ids)) <= {str}:
        ids = [each if isinstance(each, str) and each else None for each in ids]
    codes, _ = pd.factorize(objects(ids))
    return codes.astype(np.int64)


def _names_in(chunk: Chunk, *, redact: bool) -> Sequence[Any]:
    """Give the name of the tool, model or agent of each event, else the event type without its last part."""
    event_type = redact_name(chunk.event_type) if redact else chunk.event_type
    title = event_type.rpartition(".")[0] or event_type
    names: Sequence[Any] | None = None
    for key in _NAMED_BY:
        more = chunk.columns.get(key)
        if more is not None:
            names = (
                more if names is None else [name or other for name, other in zip(names, more, strict=True)]
            )
    if names is None:
        return (title,) * len(chunk.rows)
    if set(map(type, names)) <= {str} and all(names):
        return names
    return [name if isinstance(name, str) and name else title for name in names]
