"""The thread that carries a bus's events to a store: `locus_nb store`.

It looks at its subscription every `TICK` seconds and writes when half a second has passed, 500 events wait or a run
has ended. After some idle seconds it sleeps until the next event. So a publish has to wake it next to never.
"""

# An event's raw type is what is quick to read, and the length of the subscription's queue is set here.
# ruff: noqa: SLF001
# pyright: reportPrivateUsage=false

from __future__ import annotations

import sqlite3
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from locus_nb._errors import StoreError
from locus_nb._store.account import counted
from locus_nb._store.alarm import Alarm, go_round
from locus_nb._store.failures import Failures
from locus_nb._store.lifetime import outlive
from locus_nb._store.sqlite import BUSY_S, is_held
from locus_nb._store.stats import StoreStats
from locus_nb._store.storage import Limits, encoded
from locus_nb._wire import jsonable
from locus_nb.event_types import LIVE_ONLY

if TYPE_CHECKING:
    from pathlib import Path

    from locus_nb._bus import EventBus
    from locus_nb._event import StreamEvent
    from locus_nb._history import RunRecord
    from locus_nb._store.account import Account
    from locus_nb._store.storage import Storage

TICK = 0.05
BATCH_S = 0.5
BATCH_EVENTS = 500
RETRY_S = 1.0
# Idle for this long (seconds), it sleeps until it is woken, which costs whoever publishes then some microseconds.
_IDLE_S = 5.0
# Events it takes in while it cannot write; more wait, and are dropped, in its subscription.
MOST_PENDING = 65_536
_QUEUE = 65_536
_PRUNE_EVERY_S = 60.0
# As often as it takes to write all that can be pending and queued.
_PASSES = 4
# What is asked of the bus's history at first: all.
_EVERYTHING = 1 << 62
# What may be wrong with the place, and right again later. Anything else is wrong with the events.
MAY_PASS = (OSError, sqlite3.OperationalError, StoreError)

# How long it goes on trying when its bus's readers were ended.
_END_S = 10.0


@dataclass(slots=True, eq=False)
class _Flush:
    """Somebody waits until all that was published before is committed."""

    done: threading.Event = field(default_factory=threading.Event)
    through: bool = False

    def answer(self, *, through: bool) -> None:
        """Let whoever waits go on."""
        self.through = through
        self.done.set()


class Writer:
    """Takes what a bus has, and has a `Storage` write it.

    Args:
        bus: Whose events, from those in its history on.
        storage: Where to.
        limits: How much of it is kept.
        account: What the bus had, and what of it the storage has.
        where: Its path.

    Raises:
        StoreError: The bus has as many global readers as it may have.
    """

    def __init__(
        self, bus: EventBus, storage: Storage, *, limits: Limits, account: Account, where: Path
    ) -> None:
        self._bus = bus
        self._storage = storage
        self._limits = limits
        label = f"store {where.name}"
        self._account = account
        self._pending: list[StreamEvent] = []
        self._records: dict[str, RunRecord] = {}
        self._waiting_since = self._busy_at = time.monotonic()
        self._run_closed = False
        # Runs that were written to, since all that is known of runs was written; and whether others may lack events.
        self._touched: set[str] = set()
        self._amiss = False
        self._is_first = True
        self._written = self._lost = 0
        self.failures = Failures(where)
        self._retry_at = 0.0
        self._prune_at = 0.0
        self.closed = False
        self._closing = self._ended = self._is_held = False
        # When it is too late to wait for somebody's lock, once it is to end.
        self._try_until: float | None = None
        self._lost_told = 0
        # The last event that it took, or that was there before.
        self._last = bus.stats()["published_events_total"]
        self._flushes: deque[_Flush] = deque()
        self._alarm = Alarm(self)
        # Held while files are touched, so that a fork never finds them in the midst of that.
        self.io = threading.RLock()
        self._subscription = bus.subscribe_global(replay=_EVERYTHING, label=label)
        if self._subscription.refused:
            raise StoreError(
                "Cannot store this bus's events: it has as many global readers as it may have; close one, or make "
                "the bus with a larger max_global_subscribers"
            )
        # A longer queue than a view's: what is dropped here is gone for good.
        self._subscription._inbox.size = _QUEUE
        # Not before: until then a run may be on its way into history.
        account.begin()
        outlive(self)
        self._thread = threading.Thread(
            target=go_round, args=(self._alarm,), name=f"locus_nb {label}", daemon=True
        )

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stats(self) -> StoreStats:
        """All counts. Any thread."""
        return StoreStats(
            written=self._written,
            pending=len(self._pending),
            dropped=self._subscription.stats().dropped,
            lost=self._lost,
            failed=self.failures.count,
            last_error=self.failures.last,
        )

    def flush(self, timeout: float) -> bool:
        """Wait until all that was published before is committed; False if that fails or takes too long."""
        flush = _Flush()
        self._flushes.append(flush)
        self._alarm.call()
        if self.closed or not self._thread.is_alive():
            return self.closed and not self._lost and not self.is_missed()
        return flush.done.wait(timeout) and flush.through

    def close(self, timeout: float) -> bool:
        """Write what there is, leave the bus and end the thread; False if it takes too long. Idempotent."""
        self._try_until = time.monotonic() + timeout - BUSY_S
        self._closing = True
        self._alarm.call()
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join(timeout)
        return self.closed

    def is_missed(self) -> bool:
        """Say whether something was published since it ended."""
        return self.closed and self._bus.stats()["published_events_total"] > self._last

    def round(self) -> float | None:
        """Do what is due; seconds until the next round, -1: when it is woken, None: never. Its thread only."""
        closing, lost = self._closing, self._lost_told
        flushes = tuple(self._flushes)
        with self.io:
            if self.closed:
                return None
            self._ended = self._take() or self._ended
            through = True
            at_once = bool(closing or flushes or self._ended)
            # There may be more than it takes in at a time, but not more than this if somebody goes on publishing.
            for _ in range(_PASSES if at_once else 1):
                if not through or not self._is_due(at_once=at_once):
                    break
                through = self._write()
                self._ended = self._take() or self._ended
            if through:
                self._prune(at_once=bool(closing or self._ended))
            for flush in flushes:
                self._lost_told = self._lost
                flush.answer(through=through and self._lost == lost)
                self._flushes.popleft()
            if (closing or self._ended) and (through or not self._is_worth_waiting()):
                self._end()
                return None
        return self._pause()

    def forget(self) -> None:
        """Write what there is and end, now that nobody holds its store any more."""
        self._closing = True
        self._alarm.call()
        # Collected together with its bus it was idle, and its thread finds it no more.
        if self._alarm.kept is None:
            with suppress(*MAY_PASS):
                self._storage.close()

    def fail(self, error: BaseException) -> None:
        """End after an error of its own; nothing is written any more."""
        self.failures.note(error, "This is an error of locus_nb's own, and nothing is stored any more")
        with self.io:
            self._end()

    def begin_in_child(self) -> None:
        """Be closed in a forked child: the thread, and what it had to write, stayed with the parent."""
        self.io = threading.RLock()
        self.closed = self._closing = True
        self._pending.clear()
        self._storage.abandon()
        self._flushes.clear()

    def _take(self) -> bool:
        """Take what the subscription has, as far as there is room; True at its end."""
        while len(self._pending) < MOST_PENDING:
            batch = self._subscription.next_batch_nowait()
            if batch is None:
                return False
            if not batch:
                return True
            if batch.events:
                self._last = max(self._last, batch.events[-1].seq or 0)
            now = time.monotonic()
            if not self._pending:
                self._waiting_since = now
            self._busy_at = now
            events = [event for event in batch.events if event._event_type not in LIVE_ONLY]
            self._pending += events
            self._account.meet(batch.runs, events)
            self._amiss = self._amiss or batch.dropped > 0
            for record in batch.runs:
                self._records[record.run_id] = record
                self._run_closed = self._run_closed or record.closed
        return False

    def _is_due(self, *, at_once: bool) -> bool:
        if not self._has_something():
            return False
        if at_once:
            return True
        now = time.monotonic()
        if now < self._retry_at:
            return False
        return self._run_closed or len(self._pending) >= BATCH_EVENTS or now - self._waiting_since >= BATCH_S

    def _write(self) -> bool:
        """Write all that is pending now, some at a time; False if it failed."""
        left = len(self._pending)
        try:
            if self._is_first:
                left -= self._leave_out()
            while True:
                some = self._pending[: min(left, BATCH_EVENTS)]
                left -= len(some)
                self._write_some(some, last=left <= 0)
                # While it works off a burst the next one is under way.
                self._take()
                if left <= 0:
                    break
        except MAY_PASS as error:
            self._stand_back(error)
            return False
        self._run_closed = False
        self._waiting_since = time.monotonic()
        return True

    def _write_some(self, events: list[StreamEvent], *, last: bool) -> None:
        """Write the first of the pending events, each of them or it is lost; `last`: and all that is known of runs."""
        counts = counted(events)
        self._touched.update(counts)
        amiss = self._amiss
        records = self._known() if last else {}
        changes = self._account.changes(counts, records, lambda: counted(self._pending[len(events) :]))
        # A run is used by what is written of it.
        changes = {
            run_id: change
            for run_id, change in changes.items()
            if run_id in counts or run_id in self._records or change.missed or change.dropped
        }
        try:
            if changes:
                self._storage.write(encoded(events), changes)
        except MAY_PASS:
            self._amiss = self._amiss or amiss
            raise
        except Exception as error:  # noqa: BLE001 - an edge: what one event holds must not keep back all others
            self._amiss = self._amiss or amiss
            if len(events) > 1:
                half = len(events) // 2
                self._write_some(events[:half], last=False)
                self._write_some(events[half:], last=last)
                return
            self.failures.note(error, "This event is lost, and counted")
            self._lost += len(events)
            self._amiss = True
            del self._pending[: len(events)]
            return
        self._written += len(events)
        self._account.note(changes)
        self._account.forget(self._is_known)
        del self._pending[: len(events)]
        if last:
            self._touched.clear()
            for run_id, record in records.items():
                if self._records.get(run_id) is record:
                    del self._records[run_id]

    def _known(self) -> dict[str, RunRecord]:
        """Give what is known of runs and not yet written; if events were dropped, of all that may lack some."""
        asked = set(self._account.lacking(self._touched))
        if self._amiss:
            asked.update(self._bus.run_ids(), self._touched)
            self._amiss = False
        found = [record for run_id in asked if (record := self._bus.run_record(run_id)) is not None]
        for record in found:
            if record.run_id in self._records:
                self._records[record.run_id] = record
        if asked:
            # What these count is pending from now on, and what comes with it is newer.
            self._take()
        return {record.run_id: record for record in found} | self._records

    def _leave_out(self) -> int:
        """Leave out what history held that is in the store already, or is not this process's to write."""
        before = self._pending
        ids: dict[str, list[str]] = {}
        for event in before:
            ids.setdefault(event.run_id, []).append(jsonable(event.event_id))
        held = {run_id: self._storage.held(jsonable(run_id), its) for run_id, its in ids.items()}
        self._pending = [
            event
            for event in before
            if (event.seq or 0) > self._account.after and jsonable(event.event_id) not in held[event.run_id]
        ]
        self._account.leave_out(counted(before) - counted(self._pending))
        self._is_first = False
        return len(before) - len(self._pending)

    def _prune(self, *, at_once: bool) -> None:
        """Keep to the limits, now and then."""
        now = time.monotonic()
        if self._limits == Limits() or not (at_once or now >= self._prune_at):
            return
        self._prune_at = now + _PRUNE_EVERY_S
        try:
            self._storage.prune(self._limits, self._is_running)
        except MAY_PASS as error:
            self._stand_back(error)

    def _stand_back(self, error: BaseException) -> None:
        """Try again later, with the files opened anew."""
        self._is_held = is_held(error)
        self.failures.note(error)
        with suppress(*MAY_PASS):
            self._storage.close()
        self._retry_at = time.monotonic() + RETRY_S

    def _has_something(self) -> bool:
        return bool(self._pending or self._records or self._amiss)

    def _is_running(self, run_id: str) -> bool:
        record = self._bus.run_record(run_id)
        return record is not None and not record.closed

    def _is_worth_waiting(self) -> bool:
        """Say whether at the end another try is to be made: only somebody else's lock is about to go."""
        if self._try_until is None:
            self._try_until = time.monotonic() + _END_S
        return self._is_held and time.monotonic() < self._try_until

    def _is_known(self, run_id: str) -> bool:
        return self._bus.run_record(run_id) is not None

    def _pause(self) -> float:
        if self._has_something():
            return TICK
        if time.monotonic() - self._busy_at > _IDLE_S and self._subscription.wake_with(self._alarm):
            return -1
        return TICK

    def _end(self) -> None:
        """Leave; what could not be written is lost."""
        self._subscription.close()
        if self._pending:
            self._lost += len(self._pending)
            self.failures.tell(
                f"{len(self._pending):,} events are lost: the store was closed before they could be written"
            )
        self._pending.clear()
        self._records.clear()
        with suppress(*MAY_PASS):
            self._storage.close()
        self.closed = True
        while self._flushes:
            self._flushes.popleft().answer(through=False)

    @property
    def was_ended(self) -> bool:
        """Whether it was its bus that ended it."""
        return self._ended and not self._closing
