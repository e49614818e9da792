"""How the bus works: one door in, one lock, and everything handed out in one order.

Publishing appends to `_intake` and takes no lock: an append is atomic, and its order is the bus's
total order. *Settling* numbers what has come in and hands it to histories and inboxes, under the
lock. It is done by whoever needs it: a reader that wants more, a look at the bus, and the publisher
when a reader sleeps or half a queue has come in. So a burst is handed over in slices, and nobody,
not even a `__del__` that emits while the lock is held, can find the bus half changed.

Every change under the lock may be done twice: when an interrupt strikes, the change is made again
before the interrupt goes on (see `_atomic`).
"""

# The bus marks the events it takes: these marks are theirs and its alone.
# ruff: noqa: SLF001
# pyright: reportPrivateUsage=false

from __future__ import annotations

import gc
import threading
import time
from collections import deque
from itertools import count
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple, Unpack

from locus_nb._atomic import commit
from locus_nb._inbox import Inbox
from locus_nb._readers import Readers, check_free, running_loop
from locus_nb._subscription import Batch, SubscriptionStats
from locus_nb.event_types import LIVE_ONLY

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Mapping

    from locus_nb._atomic import Step
    from locus_nb._event import StreamEvent
    from locus_nb._history import RunLogs, RunRecord, RunStatus
    from locus_nb._readers import Waiter
    from locus_nb._wakeup import Wakeup

Args = TypeVarTuple("Args")
R = TypeVar("R")

# How long a publisher in another thread than a moving reader's steps aside, in seconds per half queue that the
# reader is behind: on a crowded machine it takes a while until the reader's thread gets its turn. And at most.
_PAUSE = 0.0001
_LONGEST_PAUSE = 0.001


class Exchange:
    """The inside of an `EventBus`: what its publishers and its subscriptions work through.

    Args:
        logs: Where history is kept.
        size: Unread events a reader may have.
        overflow_size: Events that may wait for room beyond that.
        timeout: Seconds they may wait.
        max_readers_of_all: Global readers at one time.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        *,
        logs: RunLogs,
        size: int,
        overflow_size: int,
        timeout: float,
        max_readers_of_all: int,
        clock: Callable[[], float],
    ) -> None:
        self._logs = logs
        self._max_queue_size = size
        self._overflow_size = overflow_size
        self._slow_timeout = timeout
        self._max_global_subscribers = max_readers_of_all
        self._clock = clock
        self._half = max(1, size // 2)
        self._intake: list[StreamEvent] = []
        self._seq = self._late = self._trimmed = self._refused = 0
        # The intake at which `publish` steps aside for readers: what is left of half a queue.
        self._step_aside_at = self._half
        self._since_aside = 0
        # Each subscription's number; one call of a C function, so that no lock is needed.
        self._numbers = count(1)
        # Whether events are stamped as they come in: only while one may find a reader full.
        self._timed = False
        self._begin()

    def _begin(self) -> None:
        # Reentrant, because garbage collection may run a `__del__` that publishes under the lock.
        self._lock = threading.RLock()
        self._busy = self._reentered = False
        self._changes: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque()
        self._readers = Readers()
        self._parked = self._readers.parked

    def _begin_in_child(self) -> None:
        inherited = tuple(self._readers)
        self._begin()
        for inbox in inherited:
            inbox.waiter = inbox.reader = None
            inbox.leave()

    def settle(self) -> None:
        """Number all that has been published, hand it out, and wake the readers it is for.

        Whatever looks at the bus does this first; there is no need to call it.
        """
        readers = self._readers
        if not (self._intake or self._changes or readers.forgotten or readers.lagging):
            return
        with self._lock:
            if self._busy:
                self._reentered = True
                return
            self._busy = True
            try:
                self._work_off()
            except BaseException:
                self._work_off()
                raise
            finally:
                self._busy = False

    def take(self, inbox: Inbox, take: Callable[[Inbox], R | None], waiter: Waiter | None = None) -> R | None:
        """What `take` finds in the inbox; if that is None, have `waiter` woken at the next news.

        Raises:
            SubscriptionBusyError: Another consumer is waiting in a read.
        """
        taken = self._settled(self._take, inbox, take, waiter)
        # A publisher may have looked for sleepers before this one lay down.
        if taken is None and self._intake:
            self.settle()
        return taken

    def is_there(self, inbox: Inbox) -> bool:
        """Whether a look into the inbox would be worth while; a guess, without the lock."""
        return bool(self._intake or inbox.ready or inbox.held)

    def take_batch(self, inbox: Inbox) -> Batch | None:
        """All there is in an inbox and to tell of runs; None if that is nothing. Under the lock."""
        if not inbox.has_news():
            return None
        dropped = inbox.dropped - inbox.dropped_told
        inbox.dropped_told = inbox.dropped
        logs = [self._logs.find(run_id) for run_id in inbox.stirred_runs]
        inbox.stirred_runs.clear()
        events = inbox.take_all()
        runs = tuple(log.record() for log in logs if log is not None)
        return Batch(events, inbox.closed, dropped, runs)

    def alarm(self, inbox: Inbox, wakeup: Wakeup) -> bool:
        """Have `wakeup` called at the next news; False, and nothing done, if there is some already.

        Raises:
            SubscriptionBusyError: A consumer is waiting in a read.
        """
        asleep = self._settled(self._lie_down, inbox, wakeup)
        if self._intake:
            self.settle()
        return asleep

    def unpark(self, inbox: Inbox, waiter: Waiter) -> None:
        """End a wait, woken or not."""
        if inbox.waiter is waiter:
            with self._lock:
                self._readers.unpark(inbox, waiter)
        if inbox.reader is waiter:
            inbox.reader = None

    def leave(self, inbox: Inbox) -> None:
        """End a reader at once."""
        if not inbox.left:
            self._change(self._readers.leave, inbox)

    def forget(self, inbox: Inbox) -> None:
        """End a reader whose subscription is garbage collected; takes no lock."""
        if not inbox.left:
            self._readers.forgotten.append(inbox)

    def look(self, inbox: Inbox) -> SubscriptionStats:
        """The counts of a reader."""
        return self._settled(_subscription_stats, inbox)

    def _change(self, change: Callable[..., None], *args: Any) -> None:
        # Queued, so that one made by a `__del__` in the midst of another waits for its end. What such a `__del__`
        # published after asking for it may then come before it.
        self._changes.append((change, args))
        self.settle()

    def _settled(self, work: Callable[[Unpack[Args]], R], *args: *Args) -> R:
        """Do `work` under the lock; what a `__del__` changes in the midst of it waits for its end."""
        with self._lock:
            self.settle()
            busy, self._busy = self._busy, True
            try:
                return work(*args)
            finally:
                self._busy = busy
                if self._reentered and not busy:
                    self.settle()

    def _take(self, inbox: Inbox, take: Callable[[Inbox], R | None], waiter: Waiter | None) -> R | None:
        if inbox.reader is not None:
            check_free(inbox)
        inbox.loop = running_loop()
        taken = take(inbox)
        if taken is None and waiter is not None:
            self._readers.park(inbox, waiter)
        return taken

    def _lie_down(self, inbox: Inbox, wakeup: Wakeup) -> bool:
        check_free(inbox)
        inbox.loop = running_loop()
        if inbox.has_news():
            return False
        self._readers.park(inbox, wakeup, reading=False)
        return True

    def _work_off(self) -> None:
        while True:
            self._reentered = False
            now = self._clock()
            self._readers.bury()
            self._readers.expire(now)
            self._hand_out()
            self._readers.expire(now)
            while self._changes:
                # Whoever asked for this change may have published before, while others were handed out.
                self._hand_out()
                change, args = self._changes[0]
                try:
                    change(*args)
                except Exception:
                    # Its maker hears of it; the next one must not find it here again.
                    self._changes.popleft()
                    raise
                self._changes.popleft()
            self._readers.wake(now)
            if not self._reentered:
                return

    def _hand_out(self) -> None:
        """Number what has come in, and put it into histories and inboxes."""
        events = self._intake[:]
        if events:
            self._record(events)
        self._logs.evict()

    def _record(self, events: list[StreamEvent]) -> None:
        """Number, keep and offer these first events of the intake: all of them or none."""
        groups, live_only = self._number(events)
        steps: list[Step] = []
        trimmed, late = self._trimmed, self._late
        for run_id, group in groups.items():
            log, history = self._logs.used(run_id)
            if not log.total:
                self._readers.tell(run_id)
            if log.closed:
                late += len(group)
                if (end := log.late_end(group)) not in (None, log.status):
                    steps.append((setattr, log, "status", end))
                    self._readers.tell(run_id)
            kept = [event for event in group if event._event_type not in LIVE_ONLY] if live_only else group
            trimmed += max(0, len(history) + len(kept) - self._logs.events_per_run)
            steps.append((setattr, log, "total", log.total + len(kept)))
            steps.append((history.extend, kept))
        self._readers.offer(groups, events, steps, now=self._clock())
        self._since_aside += len(events)
        self._step_aside_at = max(0, self._half - self._since_aside)
        steps.append((setattr, self, "_trimmed", trimmed))
        steps.append((setattr, self, "_late", late))
        steps.append((setattr, self, "_seq", self._seq + len(events)))
        steps.append((self._intake.__delitem__, slice(len(events))))
        commit(steps)
        self._timed = self._readers.nearly_full

    def _number(self, events: list[StreamEvent]) -> tuple[dict[str, list[StreamEvent]], bool]:
        """Give each event its place; the events by run, last used last, and whether any is live only."""
        first = events[0]._run_id
        live_only = mixed = False
        for seq, event in enumerate(events, self._seq + 1):
            event._place = seq
            if event._run_id is not first:
                mixed = True
            if event._event_type in LIVE_ONLY:
                live_only = True
        return (_by_run(events) if mixed else {first: events}), live_only

    def _step_aside(self) -> bool:
        """Let readers catch up, if there are any that move: True if the loop should have a turn."""
        self._since_aside = 0
        self._step_aside_at = self._half
        moving = self._settled(self._moving)
        here = running_loop()
        if here is not None and any(loop is here for loop, _ in moving):
            return True
        furthest = max((behind for _, behind in moving), default=0)
        if furthest >= self._half:
            # A reader on another thread's loop gets its turn: that is promised, and no event tells of it.
            time.sleep(min(_PAUSE * (furthest // self._half), _LONGEST_PAUSE))
        return False

    def _moving(self) -> list[tuple[asyncio.AbstractEventLoop | None, int]]:
        """The readers that move and have something to read: where they read, and how far they are behind."""
        now = self._clock()
        return [(inbox.loop, inbox.behind) for inbox in self._readers if inbox.backlog and inbox.moving(now)]

    def _inbox(self, run_id: str | None, label: str | None = None) -> Inbox:
        number = next(self._numbers)
        # One whose `subscribe` was interrupted may be forgotten, and leave, before it joins.
        inbox = Inbox(
            run_id,
            size=self._max_queue_size,
            overflow=self._overflow_size,
            timeout=self._slow_timeout,
            margin=self._half,
            now=self._clock(),
            number=number,
            label=f"reader {number}" if label is None else label,
        )
        inbox.loop = running_loop()
        return inbox

    def _join_run(self, inbox: Inbox) -> None:
        assert inbox.run_id is not None  # noqa: S101 - told to the type checker
        if inbox.left or inbox.joined:
            return
        log = self._logs.find(inbox.run_id)
        steps: list[Step] = [(setattr, inbox, "joined", True)]
        if log is not None:
            inbox.replay(log.events, steps, missed=log.trimmed)
            inbox.note_run(inbox.run_id)
        if log is not None and log.closed and not inbox.follow:
            steps.append((setattr, inbox, "closed", True))
        else:
            self._readers.join(inbox, steps)
        commit(steps)

    def _join_all(self, inbox: Inbox, replay: int) -> None:
        if inbox.left or inbox.joined:
            return
        steps: list[Step] = [(setattr, inbox, "joined", True)]
        if self._is_crowded():
            steps.append((setattr, self, "_refused", self._refused + 1))
            steps.extend((setattr, inbox, name, True) for name in ("refused", "closed"))
            commit(steps)
            return
        if replay:
            logs = self._logs.retained.values()
            past = sorted((event for log in logs for event in log.events), key=_place_of)[-replay:]
            lacking = self._trimmed + self._logs.lacking
            inbox.replay(past, steps, missed=min(replay - len(past), lacking))
            for run_id in self._logs.retained:
                inbox.note_run(run_id)
        self._readers.join(inbox, steps)
        commit(steps)

    def _is_crowded(self) -> bool:
        """Whether there are as many global readers as there may be."""
        readers = self._readers
        if len(readers.of_all) >= self._max_global_subscribers:
            readers.free()
            if readers.stranded:
                # Only the collector can tell whether it is garbage.
                readers.stranded = False
                gc.collect()
                readers.bury()
        return len(readers.of_all) >= self._max_global_subscribers

    def _open(self, run_id: str, known: Mapping[str, Any]) -> None:
        log = self._logs.open(run_id)
        for name, value in known.items():
            setattr(log, name, value)
        self._readers.tell(run_id)

    def _close(self, run_id: str, status: RunStatus | None = None) -> None:
        self._logs.close(run_id, status)
        self._readers.tell(run_id)
        self._readers.end(inbox for inbox in self._readers.of_run.get(run_id, ()) if not inbox.follow)

    def _events_of(self, run_id: str) -> tuple[StreamEvent, ...] | None:
        log = self._logs.find(run_id)
        return None if log is None else tuple(log.events)

    def _record_of(self, run_id: str) -> RunRecord | None:
        log = self._logs.find(run_id)
        return None if log is None else log.record()


def _subscription_stats(inbox: Inbox) -> SubscriptionStats:
    backlog = inbox.backlog
    return SubscriptionStats(
        offered=inbox.offered,
        delivered=inbox.offered - inbox.dropped - inbox.discarded - backlog,
        dropped=inbox.dropped,
        discarded=inbox.discarded,
        backlog=backlog,
        missed=inbox.missed,
        peak_backlog=inbox.peak,
        refused=inbox.refused,
        closed=inbox.closed,
    )


_place_of = attrgetter("_place")


def _by_run(events: list[StreamEvent]) -> dict[str, list[StreamEvent]]:
    last = dict.fromkeys(event._run_id for event in reversed(events))
    groups: dict[str, list[StreamEvent]] = {run_id: [] for run_id in reversed(last)}
    for event in events:
        groups[event._run_id].append(event)
    return groups
