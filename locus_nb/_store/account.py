"""How many events each run had on its bus, and how many of them a store has: the rest is told, never guessed."""

# An event's raw run is what is quick to read.
# ruff: noqa: SLF001
# pyright: reportPrivateUsage=false

from __future__ import annotations

import os
import time
import weakref
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from locus_nb._store.storage import RunChange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from locus_nb._bus import EventBus
    from locus_nb._event import StreamEvent
    from locus_nb._history import RunRecord

_FEW = 10_000


@dataclass(slots=True, eq=False)
class _Run:
    """One run, for as long as the bus knows it; another one of the same id begins anew."""

    began_at_ns: int
    # As many as the bus said it had.
    total: int = 0
    # As many as the store has, or need not have.
    have: int = 0
    # As many of this process's as the present writer gave it, or found there.
    stored: int = 0
    # Gone from the bus's history before the store could have them, and not yet told.
    missed: int = 0
    # Told as dropped.
    dropped: int = 0
    # Not known when the present writer began.
    is_new: bool = True
    seen: bool = False


class Account:
    """What one bus had of each run, and what of it one store was given; also from one `Store` to the next.

    Args:
        after: Events up to this `seq` are not this process's to store.
        inherited: The runs that they belong to.
    """

    def __init__(self, after: int = 0, inherited: Iterable[RunRecord] = ()) -> None:
        self.after = after
        self._runs = {
            record.run_id: _Run(record.started_at_ns, record.total, record.total) for record in inherited
        }
        self._since = 0
        self._many = _FEW

    def begin(self) -> None:
        """Take note that a writer joins the bus now."""
        self._since = time.time_ns()
        for run in self._runs.values():
            run.is_new = run.seen = False
            run.stored = 0

    def meet(self, records: Iterable[RunRecord], events: Iterable[StreamEvent]) -> None:
        """Look at runs of which the bus tells, together with the events it hands out at that moment.

        What a run had before the writer joined, and has no more, is missed. What it lacks later was dropped.
        """
        counts: Counter[str] | None = None
        for record in records:
            run = self._run(record)
            if not run.seen and record.started_at_ns < self._since:
                counts = counted(events) if counts is None else counts
                known = max(run.total, run.have)
                gap = max(0, record.total - counts[record.run_id] - known)
                run.total = known + gap
                run.have += gap
                run.missed += gap
            run.seen = True

    def leave_out(self, counts: Mapping[str, int], held: Mapping[str, int]) -> None:
        """Take note of events in the bus's history that the store has, or need not have, and of those it has."""
        for run_id, count in held.items():
            if (run := self._runs.get(run_id)) is not None:
                run.stored = count
        for run_id, count in counts.items():
            if (run := self._runs.get(run_id)) is not None and run.is_new:
                run.have += count

    def lacking(self, run_ids: Iterable[str]) -> list[str]:
        """Give those of the runs of which events were dropped: what else they had only the bus can tell."""
        return [run_id for run_id in run_ids if run_id in self._runs and self._runs[run_id].dropped]

    def changes(
        self,
        written: Mapping[str, int],
        records: Mapping[str, RunRecord],
        waiting: Mapping[str, int],
    ) -> dict[str, RunChange]:
        """Say what is new of the runs.

        Args:
            written: How many events of which runs are to be written now.
            records: What is known of runs, and that as of now; others' drops stay what they were.
            waiting: How many events of each run are still to be written then.
        """
        changes = {
            run_id: RunChange(None, count, 0, 0, self._stored(run_id)) for run_id, count in written.items()
        }
        for run_id, record in records.items():
            run, count = self._run(record), written.get(run_id, 0)
            lacking = max(run.total, record.total) - run.have - count
            dropped = max(0, lacking - waiting.get(run_id, 0))
            changes[run_id] = RunChange(record, count, run.missed, dropped - run.dropped, run.stored)
        return changes

    def note(self, changes: Mapping[str, RunChange], lacking: Mapping[str, int]) -> None:
        """Take note that this was written, and what of earlier writes is gone and told as missed."""
        for run_id, change in changes.items():
            run = self._runs.get(run_id) if change.record is None else self._run(change.record)
            if run is None:
                continue
            run.have += change.stored
            run.stored += change.stored - lacking.get(run_id, 0)
            run.missed -= change.missed
            run.dropped += change.dropped
            if change.record is not None:
                run.total = max(run.total, change.record.total)

    def forget(self, is_known: Callable[[str], bool]) -> None:
        """Forget runs that the bus has forgotten, once there are many."""
        if len(self._runs) > self._many:
            self._runs = {run_id: run for run_id, run in self._runs.items() if is_known(run_id)}
            self._many = max(_FEW, 2 * len(self._runs))

    def _stored(self, run_id: str) -> int:
        return self._runs[run_id].stored if run_id in self._runs else 0

    def _run(self, record: RunRecord) -> _Run:
        run = self._runs.get(record.run_id)
        if run is None or run.began_at_ns != record.started_at_ns:
            run = self._runs[record.run_id] = _Run(record.started_at_ns)
        return run


def counted(events: Iterable[StreamEvent]) -> Counter[str]:
    """Count the events of each run."""
    return Counter([event._run_id for event in events])


_accounts: weakref.WeakKeyDictionary[EventBus, dict[str, Account]] = weakref.WeakKeyDictionary()
# Buses that a process was forked with: what they had until then is its parent's to store.
_inherited: weakref.WeakKeyDictionary[EventBus, tuple[int, tuple[RunRecord, ...]]] = (
    weakref.WeakKeyDictionary()
)
_NOTHING: tuple[int, tuple[RunRecord, ...]] = (0, ())


def account_of(bus: EventBus, path: Path) -> Account:
    """Give the account of a bus with the store at `path`: each time the same."""
    accounts = _accounts.setdefault(bus, {})
    return accounts.setdefault(os.path.realpath(path), Account(*_inherited.get(bus, _NOTHING)))


def inherit(bus: EventBus) -> None:
    """Begin all accounts of a bus anew in a forked child."""
    records = tuple(filter(None, map(bus.run_record, bus.run_ids())))
    _inherited[bus] = bus.stats()["published_events_total"], records
    _accounts.pop(bus, None)
