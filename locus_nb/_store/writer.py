"""The thread that carries a bus's events to a store: `locus_nb-store`.

It looks at its subscription every `TICK` seconds and writes when half a second has passed, 500 events wait or a run
has ended. After some idle seconds it sleeps until the next event. So a publish has to wake it next to never.
"""

# The length of the subscription's queue is set here.
# ruff: noqa: SLF001
# pyright: reportPrivateUsage=false

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from locus_nb._errors import StoreError
from locus_nb._store.alarm import Alarm, go_round
from locus_nb._store.backlog import MAY_PASS, Backlog
from locus_nb._store.failures import KEPT, Failures
from locus_nb._store.lifetime import outlive
from locus_nb._store.sqlite_file import BUSY_S, is_held
from locus_nb._store.stats import StoreStats
from locus_nb._store.storage import Limits

if TYPE_CHECKING:
    from pathlib import Path

    from locus_nb._bus import EventBus
    from locus_nb._store.account import Account
    from locus_nb._store.storage import Storage

TICK = 0.05
RETRY_S = 1.0
# Idle for this long (seconds), it sleeps until it is woken, which costs whoever publishes then some microseconds.
_IDLE_S = 5.0
# Quiet for this long (seconds), it sees that a copy of the file is whole.
_QUIET_S = 1.0
_QUEUE = 65_536
_PRUNE_EVERY_S = 60.0
# As often as it takes to write all that can be pending and queued.
_PASSES = 4
# What is asked of the bus's history at first: all.
_EVERYTHING = 1 << 62
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
        self.where = where
        label = f"store {where.name}"
        self.failures = Failures(where)
        self._retry_at = 0.0
        self._prune_at = 0.0
        self.closed = False
        self._closing = self._ended = self._is_held = False
        # When it is too late to wait for somebody's lock, once it is to end.
        self._try_until: float | None = None
        self._lost_told = 0
        self._flushes: deque[_Flush] = deque()
        self._alarm = Alarm(self)
        # Held while files are touched, so that a fork never finds them in the midst of that.
        self.io = threading.RLock()
        last = bus.stats()["published_events_total"]
        self._subscription = bus.subscribe_global(replay=_EVERYTHING, label=label)
        if self._subscription.refused:
            raise StoreError(
                "Cannot store this bus's events: it has as many global readers as it may have; close one, or make "
                "the bus with a larger max_global_subscribers"
            )
        # A longer queue than a view's: what is dropped here is gone for good.
        self._subscription._inbox.size = _QUEUE
        self._backlog = Backlog(
            bus, self._subscription, storage, account=account, failures=self.failures, last=last
        )
        # Not before: until then a run may be on its way into history.
        account.begin()
        outlive(self)
        self._thread = threading.Thread(
            target=go_round, args=(self._alarm,), name=f"locus_nb-{label}", daemon=True
        )

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stats(self) -> StoreStats:
        """All counts. Any thread."""
        reader = self._subscription.stats()
        return StoreStats(
            written=self._backlog.written,
            pending=len(self._backlog) + reader.backlog,
            dropped=reader.dropped,
            lost=self._backlog.lost,
            failed=self.failures.count,
            last_error=self.failures.last,
        )

    def flush(self, timeout: float) -> bool:
        """Wait until all that was published before is committed; False if that fails or takes too long."""
        flush = _Flush()
        self._flushes.append(flush)
        self._alarm.call()
        if self.closed or not self._thread.is_alive():
            return self.closed and not self._backlog.lost and not self.is_missed()
        return flush.done.wait(timeout) and flush.through

    def close(self, timeout: float) -> bool:
        """Write what there is, leave the bus and end the thread; False if it takes too long. Idempotent."""
        self._try_until = time.monotonic() + timeout - BUSY_S
        self._closing = True
        self._alarm.call()
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join(timeout)
        return self.closed

    def is_ending(self) -> bool:
        """Say whether it is about to end by itself: its bus's readers were ended, or nobody holds its store."""
        return not self.closed and (self._closing or self._subscription.closed)

    def join(self, timeout: float) -> None:
        """Wait for its end."""
        self._thread.join(timeout)

    def is_missed(self) -> bool:
        """Say whether something was published since it ended."""
        return self.closed and self._bus.stats()["published_events_total"] > self._backlog.last

    def round(self) -> float | None:
        """Do what is due; seconds until the next round, -1: when it is woken, None: never. Its thread only."""
        backlog, closing, lost = self._backlog, self._closing, self._lost_told
        flushes = tuple(self._flushes)
        with self.io:
            if self.closed:
                return None
            self._ended = backlog.take() or self._ended
            through = True
            at_once = bool(closing or flushes or self._ended)
            # There may be more than it takes in at a time, but not more than this if somebody goes on publishing.
            for _ in range(_PASSES if at_once else 1):
                if not through or not self._is_due(at_once=at_once):
                    break
                through = self._write()
                self._ended = backlog.take() or self._ended
            if through:
                self._prune(at_once=bool(closing or self._ended))
                if at_once or time.monotonic() - backlog.busy_at > _QUIET_S:
                    self._storage.settle()
            for flush in flushes:
                self._lost_told = backlog.lost
                flush.answer(through=through and backlog.lost == lost)
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
        self._backlog.clear()
        self._storage.abandon()
        self._flushes.clear()

    def _is_due(self, *, at_once: bool) -> bool:
        if at_once:
            return bool(self._backlog)
        return time.monotonic() >= self._retry_at and self._backlog.is_due()

    def _write(self) -> bool:
        """Write all that is pending now; False if it failed."""
        try:
            self._backlog.write()
        except MAY_PASS as error:
            self._stand_back(error)
            return False
        return True

    def _prune(self, *, at_once: bool) -> None:
        """Keep to the limits, now and then."""
        now = time.monotonic()
        if self._limits == Limits() or not (at_once or now >= self._prune_at):
            return
        self._prune_at = now + _PRUNE_EVERY_S
        try:
            self._storage.prune(self._limits, self._is_running)
        except MAY_PASS as error:
            self._stand_back(error, "Old runs stay for now")

    def _stand_back(self, error: BaseException, then: str = KEPT) -> None:
        """Try again later, with the files opened anew."""
        self._is_held = is_held(error)
        self.failures.note(error, then)
        with suppress(*MAY_PASS):
            self._storage.close()
        self._retry_at = time.monotonic() + RETRY_S

    def _is_running(self, run_id: str) -> bool:
        record = self._bus.run_record(run_id)
        return record is not None and not record.closed

    def _is_worth_waiting(self) -> bool:
        """Say whether at the end another try is to be made: only somebody else's lock is about to go."""
        if self._try_until is None:
            self._try_until = time.monotonic() + _END_S
        return self._is_held and time.monotonic() < self._try_until

    def _pause(self) -> float:
        if self._backlog:
            return TICK
        if time.monotonic() - self._backlog.busy_at > _IDLE_S and self._subscription.wake_with(self._alarm):
            return -1
        return TICK

    def _end(self) -> None:
        """Leave; what could not be written is lost."""
        self._subscription.close()
        if lost := self._backlog.give_up(self._subscription.stats().discarded):
            self.failures.tell(f"{lost:,} events are lost: the store was closed before they could be written")
        with suppress(*MAY_PASS):
            self._storage.close()
        self.closed = True
        while self._flushes:
            self._flushes.popleft().answer(through=False)

    @property
    def was_ended(self) -> bool:
        """Whether it was its bus that ended it."""
        return self._ended and not self._closing
