"""What a store has yet to write: the events that its subscription handed out, and what is new of their runs."""

# An event's raw type is what is quick to read.
# ruff: noqa: SLF001
# pyright: reportPrivateUsage=false

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from typing import TYPE_CHECKING, TypeVar

from locus_nb._errors import StoreError
from locus_nb._store.account import counted
from locus_nb._store.storage import Outcome, encoded, still_open
from locus_nb._store.stuck import StuckRuns
from locus_nb._wire import jsonable
from locus_nb.event_types import LIVE_ONLY

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from locus_nb._bus import EventBus
    from locus_nb._event import StreamEvent
    from locus_nb._history import RunRecord
    from locus_nb._store.account import Account
    from locus_nb._store.failures import Failures
    from locus_nb._store.storage import Storage
    from locus_nb._subscription import Subscription

BATCH_S = 0.5
BATCH_EVENTS = 500
# Events it takes in while they cannot be written; more wait, and are dropped, in its subscription.
MOST_PENDING = 65_536
# What may be wrong with the place, and right again later. Anything else is wrong with the events.
MAY_PASS = (OSError, sqlite3.OperationalError, StoreError)
_NOTHING = Outcome({}, {})
T = TypeVar("T")


class Backlog:
    """Takes what a subscription has, and has a `Storage` write it. One thread's at a time.

    Args:
        bus: Whose events.
        subscription: Where they come from.
        storage: Where to.
        account: What the bus had, and what of it the storage has.
        failures: Told of what is lost.
        last: The last event that was there before.

    Attributes:
        written: Events that were written.
        lost: Events that could not be.
        last: The last event that it took, or that was there before.
        busy_at: When it last took something, on the monotonic clock.
    """

    def __init__(
        self,
        bus: EventBus,
        subscription: Subscription,
        storage: Storage,
        *,
        account: Account,
        failures: Failures,
        last: int,
    ) -> None:
        self._bus = bus
        self._subscription = subscription
        self._storage = storage
        self._account = account
        self._failures = failures
        self._pending: list[StreamEvent] = []
        self._stuck = StuckRuns(MOST_PENDING, failures)
        self._records: dict[str, RunRecord] = {}
        self._waiting_since = self.busy_at = time.monotonic()
        self._run_closed = False
        # Whether the subscription may have more, for which there was no room.
        self._is_full = False
        # Runs that were written to, since all that is known of runs was written; and whether others may lack events.
        self._touched: set[str] = set()
        self._amiss = False
        self._is_first = True
        self.written = self.lost = 0
        self.last = last

    def __len__(self) -> int:
        return len(self._pending) + len(self._stuck.events)

    def __bool__(self) -> bool:
        """Whether there is anything to write, be it only of runs."""
        return bool(self._pending or self._stuck.events or self._records or self._amiss)

    def take(self) -> bool:
        """Take what the subscription has, as far as there is room; True at its end."""
        while len(self._pending) < MOST_PENDING:
            batch = self._subscription.next_batch_nowait()
            self._is_full = False
            if batch is None:
                return False
            if not batch:
                return True
            if batch.events:
                self.last = max(self.last, batch.events[-1].seq or 0)
            now = time.monotonic()
            if not self._pending:
                self._waiting_since = now
            self.busy_at = now
            events = [event for event in batch.events if event._event_type not in LIVE_ONLY]
            self._account.meet(batch.runs, events)
            self._pending += self._not_stuck(events) if self._stuck.run_ids else events
            self._amiss = self._amiss or batch.dropped > 0
            for record in batch.runs:
                self._records[record.run_id] = record
                self._run_closed = self._run_closed or record.closed
        self._is_full = True
        return False

    def is_due(self) -> bool:
        """Say whether it is time to write: a run has ended, or many events wait, or some for long."""
        return bool(self) and (
            self._run_closed
            or len(self._pending) >= BATCH_EVENTS
            or time.monotonic() - self._waiting_since >= BATCH_S
        )

    def write(self) -> None:
        """Write all that is pending now, some at a time, and take in what comes meanwhile.

        A run that cannot be written alone is set aside, and tried again, behind all others, at the next call.

        Raises:
            OSError, sqlite3.OperationalError, StoreError: The place, or the file of one run, cannot be written to;
                what is left is still here.
        """
        stuck, self._stuck.failure = set(self._stuck.run_ids), None
        left = len(self._pending)
        if self._is_first:
            left -= self._leave_out()
        self._write_through(left)
        if stuck:
            again = self._stuck.release(stuck)
            self._pending[:0] = again
            try:
                self._write_through(len(again))
            except BaseException:
                self._stuck.run_ids.update(stuck)
                self._pending = self._not_stuck(self._pending)
                raise
        self._run_closed = any(record.closed for record in self._records.values())
        self._waiting_since = time.monotonic()
        if self._stuck.failure is not None:
            raise self._stuck.failure

    def _write_through(self, left: int) -> None:
        """Write so many of the pending events, if there still are as many, and what is known of runs."""
        last = False
        while not last:
            some = self._pending[: min(left, BATCH_EVENTS)]
            left = min(left, len(self._pending)) - len(some)
            last = left <= 0
            self._write_some(some, last=last)
            # While it works off a burst the next one is under way.
            self.take()

    def give_up(self, unread: int) -> int:
        """Forget what could not be written, and say how many events are lost, with those that were never taken."""
        lost = len(self) + unread
        self.lost += lost
        self.clear()
        return lost

    def clear(self) -> None:
        """Forget all: it is another's."""
        self._pending.clear()
        self._stuck.events.clear()
        self._records.clear()

    def _write_some(self, events: list[StreamEvent], *, last: bool) -> None:
        """Write the first of the pending events, each of them or it is lost; `last`: and all that is known of runs."""
        counts = counted(events)
        self._touched.update(counts)
        amiss = self._amiss
        known = self._known() if last else {}
        waiting = counted([*self._pending[len(events) :], *self._stuck.events]) if known else Counter[str]()
        # Only together with its last event, or after it: a run must not be called complete while it lacks some.
        records = {
            run_id: still_open(record) if self._is_full or waiting[run_id] else record
            for run_id, record in known.items()
            if run_id not in self._stuck
        }
        changes = self._account.changes(counts, records, waiting)
        # A run is used by what is written of it.
        changes = {
            run_id: change
            for run_id, change in changes.items()
            if run_id in counts or run_id in self._records or change.missed or change.dropped
        }
        outcome = _NOTHING
        try:
            if changes:
                outcome = self._storage.write(encoded(events), changes)
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
            self._failures.note(error, "This event is lost, and counted")
            self.lost += len(events)
            self._amiss = True
            del self._pending[: len(events)]
            return
        del self._pending[: len(events)]
        failed = _named(changes, outcome.failed)
        if failed:
            self._stuck.fail(failed)
            unwritten = [event for event in events if event._run_id in failed]
            self._pending = self._not_stuck([*unwritten, *self._pending])
        self.written += len(events) - sum(counts[run_id] for run_id in failed)
        lacking = _named(changes, outcome.lacking)
        self._account.note({run: change for run, change in changes.items() if run not in failed}, lacking)
        self._account.forget(self._is_known)
        if last:
            self._touched.clear()
        self._note_told(records, failed, lacking)

    def _note_told(
        self, records: Mapping[str, RunRecord], failed: Collection[str], lacking: Iterable[str]
    ) -> None:
        """Take note that records were written, but for some; and that all is to be told again of other runs."""
        for run_id, record in records.items():
            if run_id in failed:
                self._records.setdefault(run_id, record)
            elif self._records.get(run_id) is record:
                del self._records[run_id]
        # Of what is gone the name and the tags are too.
        for run_id in lacking:
            if run_id not in self._records and (record := self._bus.run_record(run_id)) is not None:
                self._records[run_id] = record

    def _not_stuck(self, events: Iterable[StreamEvent]) -> list[StreamEvent]:
        """Give the events of runs that are not stuck; the others are set aside, or lost if they are too many."""
        others, lost = self._stuck.sift(events)
        self.lost += lost
        self._amiss = self._amiss or lost > 0
        return others

    def _known(self) -> dict[str, RunRecord]:
        """Give what is known of runs and not yet written; if events were dropped, of all that may lack some."""
        asked = set(self._account.lacking(self._touched))
        if self._amiss:
            asked.update(self._bus.run_ids(), self._touched)
            self._amiss = False
        found = [record for run_id in asked if (record := self._bus.run_record(run_id)) is not None]
        for record in found:
            if record.run_id in self._records or record.run_id in self._stuck:
                self._records[record.run_id] = record
        if asked:
            # What these count is pending from now on, and what comes with it is newer.
            self.take()
        if self._is_full:
            # What these count may not be pending yet.
            self._amiss = self._amiss or bool(asked)
            return dict(self._records)
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
        self._account.leave_out(
            counted(before) - counted(self._pending), {run_id: len(its) for run_id, its in held.items()}
        )
        self._is_first = False
        return len(before) - len(self._pending)

    def _is_known(self, run_id: str) -> bool:
        return self._bus.run_record(run_id) is not None


def _named(changes: Iterable[str], found: Mapping[str, T]) -> dict[str, T]:
    """Give by the bus's run ids what is by those that are stored."""
    return (
        {run_id: found[plain] for run_id in changes if (plain := jsonable(run_id)) in found} if found else {}
    )
