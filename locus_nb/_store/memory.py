"""All that a bus and its store know: runs that left memory are found in the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locus_nb._bus import EventBus, get_event_bus
from locus_nb._event import restored
from locus_nb._store.file_history import History

if TYPE_CHECKING:
    from collections.abc import Sequence

    from locus_nb._event import StreamEvent
    from locus_nb._history import RunRecord
    from locus_nb._source import Source


def default_source(bus: EventBus | None = None) -> Source:
    """Where to look for runs: the bus's memory, and its store for those that memory lacks in part or whole.

    Args:
        bus: Default: the process's bus.
    """
    bus = get_event_bus() if bus is None else bus
    return bus if bus.store is None else Memory(bus)


class Memory:
    """A bus together with its store; a `Source`. What was published before a question is in the answer."""

    def __init__(self, bus: EventBus) -> None:
        self._bus = bus

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Memory) and self._bus is other._bus

    def __hash__(self) -> int:
        return hash(self._bus)

    def run_ids(self) -> Sequence[str]:
        """The store's runs that memory lacks, then those in memory, each least recently used first."""
        kept = dict.fromkeys(self._bus.run_ids())
        stored = self._stored()
        gone = () if stored is None else (run_id for run_id in stored.run_ids() if run_id not in kept)
        return (*gone, *kept)

    def history(self, run_id: str) -> Sequence[StreamEvent]:
        """Events of the run, oldest first. Read from the store if memory lacks some, with the store's `seq`."""
        kept = self._bus.history(run_id)
        found = self._stored() if self._is_lacking(run_id) else None
        if found is None:
            return kept
        stored = found.history(run_id)
        return (*stored, *_fresh(stored, kept))

    def events_of(self, run_ids: Sequence[str]) -> list[StreamEvent]:
        """Events of these runs in one order: the bus's, or, if memory lacks some of them, the store's."""
        found = self._stored() if any(map(self._is_lacking, run_ids)) else None
        if found is None:
            return [event for run_id in run_ids for event in self._bus.history(run_id)]
        stored = found.events(run_ids)
        kept = [event for run_id in run_ids for event in self._bus.history(run_id)]
        return [*stored, *_fresh(stored, sorted(kept, key=lambda event: event.seq or 0))]

    def run_record(self, run_id: str) -> RunRecord | None:
        """What is known of the run; `trimmed` counts events that neither memory nor store has."""
        record = self._bus.run_record(run_id)
        found = self._stored() if self._is_lacking(run_id) else None
        stored = None if found is None else found.run_record(run_id)
        if record is None or stored is None:
            return record or stored
        lacking = min(record.trimmed, stored.trimmed)
        return record._replace(total=stored.total, trimmed=lacking, dropped=lacking)

    def _is_lacking(self, run_id: str) -> bool:
        record = self._bus.run_record(run_id)
        return record is None or record.trimmed > 0

    def _stored(self) -> History | None:
        """Give what the store holds; None while it has written nothing, and when the bus has none any more."""
        store = self._bus.store
        if store is None:
            return None
        store.flush()
        return History(store.path) if store.path.exists() else None


def _fresh(stored: Sequence[StreamEvent], kept: Sequence[StreamEvent]) -> list[StreamEvent]:
    """Give the events of memory that could not be stored yet, with places behind the stored ones."""
    ids = {event.event_id for event in stored}
    last = max((event.seq or 0 for event in stored), default=0)
    fresh = [event for event in kept if event.event_id not in ids]
    return [_replaced(event, last + count) for count, event in enumerate(fresh, 1)]


def _replaced(event: StreamEvent, seq: int) -> StreamEvent:
    """Give an event of memory with a place behind the stored ones."""
    return restored(
        event.run_id,
        event_type=event.event_type,
        data=dict(event.data),
        time_us=event.timestamp_ns // 1000,
        event_id=event.event_id,
        seq=seq,
    )
