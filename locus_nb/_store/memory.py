"""All that a bus and its store know, as one: runs that left memory are found in the store."""

from __future__ import annotations

import os
import sqlite3
import time
import weakref
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, TypeVar

from locus_nb._bus import EventBus, get_event_bus
from locus_nb._errors import StoreError, warn
from locus_nb._event import restored
from locus_nb._store.asked import checked_source
from locus_nb._store.file_history import History, snapshot_of
from locus_nb._wire import jsonable

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping, Sequence

    from locus_nb._event import StreamEvent
    from locus_nb._history import RunRecord
    from locus_nb._source import Source
    from locus_nb._store.past import Snapshot
    from locus_nb._store.store import Store

_T = TypeVar("_T")
_UNREADABLE = (StoreError, OSError, sqlite3.Error)
# Seconds that a question waits for the store to be up to date, and how often it does that where it was in vain.
_PATIENCE_S = 1.0
_AGAIN_S = 5.0
# Stores that were not up to date in time, and until when they are not waited for.
_behind: weakref.WeakKeyDictionary[Store, float] = weakref.WeakKeyDictionary()


def source_or_default(source: object, caller: str) -> Source:
    """Give a source that was passed to `caller`; for None the process's bus.

    Raises:
        TypeError: It is no source.
    """
    return get_event_bus() if source is None else checked_source(source, caller)


def bus_of(source: Source) -> EventBus | None:
    """Give the bus where runs of a source go on: itself, or the process's, whose store it is; None if there is none."""
    if isinstance(source, EventBus):
        return source
    own = get_event_bus()
    if not isinstance(source, History) or own.store is None:
        return None
    return own if os.path.realpath(own.store.path) == os.path.realpath(source.path) else None


@contextmanager
def at_one_moment(source: Source) -> Generator[Source]:
    """Give what answers many questions to a source from one moment: a bus with its store, a store opened once.

    Raises:
        StoreError: `source` is a `History` that cannot be read. A bus whose store cannot be read is warned of.
    """
    with moments([source]) as of:
        yield of[source]


def listed_run_ids(now: Source) -> Sequence[str]:
    """Give the runs that there are, least recently used first; of a bus also those that ended without an event."""
    return now.listed_run_ids() if isinstance(now, EventBus) else now.run_ids()


@contextmanager
def moments(sources: Iterable[Source]) -> Generator[Mapping[Source, Source]]:
    """Do what `at_one_moment` does, for several."""
    with ExitStack() as stack:
        yield {source: _now(source, stack) for source in dict.fromkeys(sources)}


def _now(source: Source, stack: ExitStack) -> Source:
    if isinstance(source, History):
        return stack.enter_context(snapshot_of(source.path))
    store = source.store if isinstance(source, EventBus) else None
    if not isinstance(source, EventBus) or store is None or not store.path.exists():
        return source
    _wait_for(store)
    try:
        return Memory(source, stack.enter_context(snapshot_of(store.path)))
    except _UNREADABLE as error:
        _tell(error)
        return source


def _wait_for(store: Store) -> None:
    """Have it write what was published; not again and again where that fails."""
    began = time.monotonic()
    if store.closed or began < _behind.get(store, began):
        return
    if not store.flush(_PATIENCE_S) and time.monotonic() - began >= _PATIENCE_S / 2:
        _behind[store] = time.monotonic() + _AGAIN_S


def _tell(error: BaseException) -> None:
    warn(f"The bus's store could not be read, and only what is in memory is given: {error}", RuntimeWarning)


class Memory:
    """A bus together with its store as that is at one moment; a `Source`. Made by `at_one_moment`.

    One id is one run, of which this has all that either has, whatever session or process it is from. Events that
    memory has are as they were emitted, those that only the store has as they were stored. If memory has all that
    is asked for, `seq` is the bus's; else all have the store's, and what could not be stored yet comes last.
    """

    def __init__(self, bus: EventBus, stored: Snapshot) -> None:
        self._bus = bus
        self._stored: Snapshot | None = stored
        self._records: dict[str, RunRecord | None] = {}
        # Runs whose events were given, and those events of memory that the store has too.
        self._given: set[str] = set()
        self._both: set[StreamEvent] = set()

    def run_ids(self) -> Sequence[str]:
        """The store's runs that memory lacks, then those in memory, each least recently used first."""
        kept = dict.fromkeys(self._bus.listed_run_ids())
        plain = set(map(jsonable, kept))
        stored = self._ask(lambda stored: stored.run_ids(), ())
        return (*(run_id for run_id in stored if run_id not in plain), *kept)

    def history(self, run_id: str) -> Sequence[StreamEvent]:
        """Events of the run, oldest first."""
        return tuple(self.events_of([run_id]))

    def events_of(self, run_ids: Sequence[str]) -> list[StreamEvent]:
        """Events of these runs, in the order of the bus or of the store."""
        stored: list[StreamEvent] = []
        if not all(map(self._is_whole, run_ids)):
            stored = self._ask(lambda stored: stored.events_of(run_ids), stored)
        kept = [event for run_id in run_ids for event in self._bus.history(run_id)]
        self._given.update(run_ids)
        return _merged(stored, kept, self._both) if stored else kept

    def run_record(self, run_id: str) -> RunRecord | None:
        """What is known of the run; `trimmed` counts events that neither memory nor store has."""
        record, stored = self._bus.run_record(run_id), self._record(run_id)
        if record is None or stored is None:
            return record or stored
        here = _count(stored) + self._only_here(run_id)
        if self._stored is None:
            return record
        total = max(record.total, stored.total, here)
        return record._replace(
            name=stored.name if record.name is None else record.name,
            tags=record.tags or stored.tags,
            started_at_ns=min(record.started_at_ns, stored.started_at_ns),
            cell_id=stored.cell_id if record.cell_id is None else record.cell_id,
            execution_count=(
                stored.execution_count if record.execution_count is None else record.execution_count
            ),
            trimmed=total - here,
            total=total,
            dropped=min(stored.dropped, total - here),
        )

    def _only_here(self, run_id: str) -> int:
        """Count the events that the store lacks."""
        kept = self._bus.history(run_id)
        if not kept or self._is_whole(run_id):
            return 0
        if run_id not in self._given:
            self.events_of([run_id])
        return sum(event not in self._both for event in kept)

    def _is_whole(self, run_id: str) -> bool:
        """Say whether memory has all events of the run that there are."""
        record, stored = self._bus.run_record(run_id), self._record(run_id)
        if record is None:
            return stored is None
        return not record.trimmed and (stored is None or _count(stored) == record.total)

    def _record(self, run_id: str) -> RunRecord | None:
        if run_id not in self._records:
            self._records[run_id] = self._ask(lambda stored: stored.run_record(run_id), None)
        return self._records[run_id]

    def _ask(self, question: Callable[[Snapshot], _T], otherwise: _T) -> _T:
        """Ask the store; once it cannot be read, memory is all there is."""
        if self._stored is None:
            return otherwise
        try:
            return question(self._stored)
        except _UNREADABLE as error:
            self._stored = None
            self._records.clear()
            _tell(error)
            return otherwise


def _count(stored: RunRecord) -> int:
    return stored.total - stored.trimmed


def _merged(
    stored: Sequence[StreamEvent], kept: Sequence[StreamEvent], both: set[StreamEvent]
) -> list[StreamEvent]:
    """Give all events once, those of memory at the places of the stored ones, or, without one, behind all.

    Args:
        stored: What the store has.
        kept: What memory has.
        both: Takes those of memory that the store has too.
    """
    fresh: dict[tuple[str, str], list[StreamEvent]] = {}
    for event in sorted(kept, key=lambda event: event.seq or 0, reverse=True):
        fresh.setdefault(_key(event), []).append(event)
    found: list[StreamEvent] = []
    for event in stored:
        same = fresh.get(_key(event))
        if same:
            both.add(same[-1])
            event = _placed(same.pop(), event.seq or 0)  # noqa: PLW2901 - it stands for both
        found.append(event)
    last = max((event.seq or 0 for event in stored), default=0)
    left = sorted((event for events in fresh.values() for event in events), key=lambda event: event.seq or 0)
    return [*found, *(_placed(event, last + count) for count, event in enumerate(left, 1))]


def _key(event: StreamEvent) -> tuple[str, str]:
    return jsonable(event.run_id), jsonable(event.event_id)


def _placed(event: StreamEvent, seq: int) -> StreamEvent:
    """Give an event of memory with another place."""
    return restored(
        event.run_id,
        event_type=event.event_type,
        data=dict(event.data),
        time_us=event.timestamp_ns // 1000,
        event_id=event.event_id,
        seq=seq,
    )
