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
from locus_nb._frames.pairs import PHASES, pairs_of
from locus_nb._payloads.chunks import clean_chunks
from locus_nb._payloads.kinds import kind_of
from locus_nb._payloads.outcomes import error_texts, error_types, statuses
from locus_nb._payloads.redact import redact_name
from locus_nb._sums.calls import KINDS, NAMED_BY, key_of, name_of, told_by

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from locus_nb._event import StreamEvent
    from locus_nb._frames.columns import GrowingColumn
    from locus_nb._payloads.chunks import Chunk
    from locus_nb._payloads.kinds import Family, Kind
    from locus_nb._sums.calls import Key

    Places = NDArray[np.intp]

_NO_CODES = np.empty(0, np.int8)
# Nanoseconds, as a float that 64 bits surely hold.
_EARLIEST = -9.2e18
# Milliseconds: longer than from the earliest time to the latest.
_LONGEST = 1e14


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

    They are what `calls_of` finds in each run.

    Args:
        events: In the order of their source.
        runs: The code of each event's run.
        families: Of which spans; of others nothing is read.
        payload: What is read of payloads, and as what.
        redact: Take secrets out of payloads.
        attributes: Keep the payloads themselves.
        tellers: Events that tell of spans: their places among all, and the keys of what they tell of.

    Attributes:
        told_of: The place of the span that each of `tellers` tells of; -1 for none.
    """

    def __init__(
        self,
        events: Sequence[StreamEvent],
        runs: NDArray[Any],
        *,
        families: Collection[Family] = KINDS,
        payload: Mapping[str, type[GrowingColumn]],
        redact: bool,
        attributes: bool = False,
        tellers: Sequence[tuple[int, Key]] = (),
    ) -> None:
        self._redact = redact
        self._runs = runs.astype(np.int64)
        self._ids = TextColumn()
        self._keys: list[Hashable] = []
        self._rows: list[int] = []
        self._phases: list[NDArray[np.int8]] = [_NO_CODES]
        self._families: list[NDArray[np.int8]] = [_NO_CODES]
        self._names = NameColumn()
        self._columns: dict[str, GrowingColumn] = {name: column() for name, column in payload.items()}
        self._columns["duration_ms"] = AmountColumn()
        self._payloads = DictColumn() if attributes else None
        raws = [event._data for event in events]
        for event_type, alike in rows_by_type(events):
            kind = kind_of(event_type)
            if kind.family in families and kind.phase in ("start", "end"):
                for chunk in clean_chunks(event_type, alike, raws, secrets=not redact, copy=False):
                    self._take(chunk, kind)
                    self._keys += _keys_in(chunk, kind, raws)
        # One more, empty: what stands at the place -1.
        for column in (*self._columns.values(), self._names, self._ids):
            column.skip(1)
        self.told_of = self._pair(tellers)
        self.runs: NDArray[Any] = runs[self.rows]
        self._time(own_times(events))

    def __len__(self) -> int:
        return len(self._begins)

    def _take(self, chunk: Chunk, kind: Kind) -> None:
        length = len(chunk.rows)
        self._rows += chunk.rows
        self._phases.append(np.full(length, PHASES.index(kind.phase), np.int8))
        self._families.append(np.full(length, KINDS.index(kind.family), np.int8))
        add_to(self._ids, chunk.columns.get("span_id"), chunk)
        self._names.add(_names_in(chunk, kind, redact=self._redact))
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

    def _pair(self, tellers: Sequence[tuple[int, Key]]) -> Places:
        rows = np.array(self._rows + [row for row, _ in tellers], np.intp)
        families = np.concatenate([*self._families, _families_of(tellers)])
        phases = np.concatenate([*self._phases, np.full(len(tellers), PHASES.index("point"), np.int8)])
        numbers = _numbered(self._keys + [_in_family(key) for _, key in tellers])
        keys = (numbers * len(KINDS) + families) * (self._runs.max(initial=0) + 1) + self._runs[rows]
        # What begins or ends a call goes before what it tells of that.
        marks = np.argsort(rows, kind="stable")
        marks = marks[numbers[marks] >= 0]
        pairs = pairs_of(keys[marks], phases[marks])
        # One more, of no event: what the mark -1 finds.
        places = np.append(marks, -1)
        begins, ends = places[pairs.begins], places[pairs.ends]
        heads = np.where(begins >= 0, begins, ends)
        order = np.flatnonzero(heads >= 0)
        order = order[np.argsort(rows[heads[order]], kind="stable")]
        self._begins, self._ends = begins[order], ends[order]
        self.rows = rows[heads[order]]
        self.kinds = families[heads[order]]
        final = np.full(len(begins), -1, np.intp)
        final[order] = np.arange(len(order))
        told_of = np.full(len(rows), -1, np.intp)
        told_of[marks] = final[pairs.of_marks]
        return told_of[len(self._rows) :]

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

    @property
    def names(self) -> Any:
        """The name of each."""
        return self._of(self._names, "begin")

    @property
    def span_ids(self) -> Any:
        """The id of each."""
        return self._of(self._ids, "begin")

    @property
    def attributes(self) -> NDArray[np.object_]:
        """The payloads of each in one dict."""
        assert self._payloads is not None  # noqa: S101 - told to the type checker
        kept = self._payloads.dicts
        places = zip(self._begins.tolist(), self._ends.tolist(), strict=True)
        return objects([_both(kept, begin, end) for begin, end in places])

    def _of(self, column: GrowingColumn, prefer: Literal["begin", "end"]) -> Any:
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


def _keys_in(chunk: Chunk, kind: Kind, raws: Sequence[dict[Any, Any]]) -> Iterable[Hashable]:
    """Give what the call of each event is known by in its family and run, before secrets were taken out; or None."""
    ids = chunk.columns.get("span_id", ())
    if chunk.ordinary and set(map(type, ids)) == {str} and all(ids):
        return ids
    keys = (key_of(kind, chunk.event_type, told_by(raws[row])) for row in chunk.rows)
    return (key and _in_family(key) for key in keys)


def _in_family(key: Key) -> Hashable:
    """Give what a call is known by in its family: its id, or else what stands for one."""
    return key[1] or key[1:]


def _families_of(tellers: Iterable[tuple[int, Key]]) -> NDArray[np.int8]:
    return np.array([KINDS.index(key[0]) for _, key in tellers], np.int8)


def _numbered(keys: Sequence[Hashable]) -> NDArray[np.int64]:
    """Give a number for each, the same for equal ones, -1 for None."""
    numbers: dict[Hashable, int] = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    numbers[None] = -1
    return np.fromiter(map(numbers.__getitem__, keys), np.int64, len(keys))


def _names_in(chunk: Chunk, kind: Kind, *, redact: bool) -> Sequence[str]:
    """Give what `name_of` does, for each event."""
    names = chunk.columns.get(NAMED_BY.get(kind.family, ""), ())
    if set(map(type, names)) == {str} and all(names):
        return names
    event_type = redact_name(chunk.event_type) if redact else chunk.event_type
    return [name_of(kind, event_type, payload) for payload in chunk.payloads]
