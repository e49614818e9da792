"""The event bus: what agents do goes in, every reader gets it in one order.

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

import asyncio
import os
import threading
import time
import weakref
from collections import deque
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NoReturn, ParamSpec, TypedDict, TypeVar

from locus_nb._atomic import commit
from locus_nb._event import StreamEvent, run_id_error
from locus_nb._history import HistoryView, RunLogs
from locus_nb._inbox import Inbox
from locus_nb._readers import Readers, check_free, running_loop
from locus_nb._subscription import Batch, Subscription, SubscriptionStats
from locus_nb.event_types import LIVE_ONLY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from locus_nb._atomic import Step
    from locus_nb._history import RunRecord
    from locus_nb._readers import Waiter

P = ParamSpec("P")
R = TypeVar("R")

# How long a publisher in another thread than a moving reader's steps aside, per half queue (seconds).
_PAUSE = 0.0001


class BusStats(TypedDict):
    """What `EventBus.stats` tells; JSON-able. Depths are backlogs, one per subscription."""

    active_runs: int
    global_subscribers: int
    history_runs: int
    dropped_events_total: int
    queue_depths: dict[str, list[int]]
    global_queue_depths: list[int]
    global_subscribers_refused_total: int
    evicted_runs_total: int
    trimmed_events_total: int
    published_events_total: int
    late_events_total: int
    emit_failures_total: int


class EventBus:
    """Carries events from any thread to readers in any thread or loop.

    Args:
        max_queue_size: Unread events a reader may have before it counts as full.
        history_per_run: Newest events of a run that are kept for late readers.
        max_runs_retained: Runs whose history is kept; the least recently published to goes first.
        max_global_subscribers: Readers of all runs at one time; one more is refused.
        slow_timeout: How long an event waits for room at a full reader, in seconds, before it is dropped.
        overflow_queues: How many queues' worth of events may wait so, per reader.
        clock: Monotonic seconds; for tests.

    Raises:
        TypeError, ValueError: A bound is not an int, or too small; `slow_timeout` is not a number of seconds.

    Example:
        >>> import asyncio
        >>> from locus_nb import EventBus, StreamEvent
        >>> async def main():
        ...     bus = EventBus()
        ...     await bus.publish(StreamEvent("run-1", "agent.think", {"iteration": 1}))
        ...     await bus.close_stream("run-1")
        ...     return [event.event_type async for event in bus.subscribe("run-1")]
        >>> asyncio.run(main())
        ['agent.think']
    """

    def __init__(
        self,
        *,
        max_queue_size: int = 1024,
        history_per_run: int = 500,
        max_runs_retained: int = 200,
        max_global_subscribers: int = 50,
        slow_timeout: float = 1.0,
        overflow_queues: int = 16,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        _check_bound("max_queue_size", max_queue_size, least=1)
        _check_bound("history_per_run", history_per_run, least=0)
        _check_bound("max_runs_retained", max_runs_retained, least=1)
        _check_bound("max_global_subscribers", max_global_subscribers, least=0)
        _check_bound("overflow_queues", overflow_queues, least=0)
        _check_seconds("slow_timeout", slow_timeout)
        self._max_queue_size = max_queue_size
        self._max_global_subscribers = max_global_subscribers
        self._slow_timeout = slow_timeout
        self._overflow_size = overflow_queues * max_queue_size
        self._clock = clock
        self._half = max(1, max_queue_size // 2)
        self._history: Mapping[str, tuple[StreamEvent, ...]] = HistoryView(self.history, self.run_ids)
        self._logs = RunLogs(events_per_run=history_per_run, max_runs=max_runs_retained)
        self._intake: list[StreamEvent] = []
        self._seq = self._late = self._trimmed = self._refused = self._emit_failures = 0
        # The intake at which `publish` steps aside for readers: what is left of half a queue.
        self._step_aside_at = self._half
        self._since_aside = 0
        # Whether events are stamped as they come in: only while one may find a reader full.
        self._timed = False
        self._begin()
        _buses.add(self)

    def _begin(self) -> None:
        # Reentrant, because garbage collection may run a `__del__` that publishes under the lock.
        self._lock = threading.RLock()
        self._busy = self._reentered = False
        self._changes: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque()
        self._readers = Readers()
        self._parked = self._readers.parked

    async def publish(self, event: StreamEvent) -> None:
        """Record `event` and hand it to the run's readers, then to the global ones.

        Never waits for a reader. May yield to the loop once per half queue so that readers on the
        same loop get their turn, and in another thread than a moving reader's pauses 0.1 ms instead.

        Raises:
            ValueError: The event was published before, or its run id is empty.
            TypeError: It is not a `StreamEvent`, or its run id is not a str.
        """
        try:
            if event._place is not None:
                _refuse(event)
        except AttributeError:
            _refuse(event)
        event._place = self
        if self._timed:
            event._arrived = self._clock()
        intake = self._intake
        intake.append(event)
        if len(intake) >= self._step_aside_at:
            self.settle()
            if self._step_aside():
                await asyncio.sleep(0)
        elif self._parked and (event._run_id in self._parked or None in self._parked):
            self.settle()

    def publish_nowait(self, event: StreamEvent) -> None:
        """Do what `publish` does, from anywhere, without ever stepping aside.

        A reader that cannot keep up with a burst keeps what fits its queue and overflow.

        Raises:
            ValueError: The event was published before, or its run id is empty.
            TypeError: It is not a `StreamEvent`, or its run id is not a str.
        """
        try:
            if event._place is not None:
                _refuse(event)
        except AttributeError:
            _refuse(event)
        event._place = self
        if self._timed:
            event._arrived = self._clock()
        intake = self._intake
        intake.append(event)
        if len(intake) >= self._half or (
            self._parked and (event._run_id in self._parked or None in self._parked)
        ):
            self.settle()

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

    async def close_stream(self, run_id: str) -> None:
        """End the run's readers once they have read their backlog. History stays. Idempotent.

        Raises:
            TypeError, ValueError: `run_id` cannot name a run.
        """
        self.close_stream_nowait(run_id)

    def close_stream_nowait(self, run_id: str) -> None:
        """Do what `close_stream` does, from anywhere."""
        _check_run_id(run_id)
        self._change(self._close, run_id)

    def open_stream_nowait(
        self,
        run_id: str,
        *,
        name: str | None = None,
        tags: Mapping[str, str] | None = None,
        cell_id: str | None = None,
        execution_count: int | None = None,
    ) -> None:
        """Announce a run, and open it again if it was closed; global readers hear of it.

        What is given is kept in the run's record, what is left out stays as it was.

        Raises:
            TypeError, ValueError: `run_id` cannot name a run.
        """
        _check_run_id(run_id)
        known = {"name": name, "tags": None if tags is None else dict(tags)}
        known |= {"cell_id": cell_id, "execution_count": execution_count}
        self._change(self._open, run_id, {key: value for key, value in known.items() if value is not None})

    async def drop_history(self, run_id: str) -> None:
        """Forget the run's history and that it was closed. Its readers stay. Idempotent.

        Raises:
            TypeError, ValueError: `run_id` cannot name a run.
        """
        self.drop_history_nowait(run_id)

    def drop_history_nowait(self, run_id: str) -> None:
        """Do what `drop_history` does, from anywhere."""
        _check_run_id(run_id)
        self._change(self._logs.drop, run_id)

    async def close_global(self) -> None:
        """End all global readers once they have read their backlog. Idempotent."""
        self.close_global_nowait()

    def close_global_nowait(self) -> None:
        """Do what `close_global` does, from anywhere."""
        self._change(self._readers.end, self._readers.of_all)

    def close_all_nowait(self) -> None:
        """End every reader of this bus, as `reset_event_bus` does."""
        self._change(self._readers.end, self._readers)

    def subscribe(self, run_id: str, *, follow: bool = False) -> Subscription:
        """Read one run: its history first, then live events, until the stream is closed.

        Registered when this returns, from any thread, with or without a loop.

        Args:
            run_id: The run; it need not exist yet.
            follow: Stay when the stream is closed, and go on if it is opened again. Batches tell.

        Raises:
            TypeError, ValueError: `run_id` cannot name a run.
        """
        _check_run_id(run_id)
        inbox = self._inbox(run_id)
        inbox.follow = follow
        subscription = Subscription(self, inbox)
        self._change(self._join_run, inbox)
        return subscription

    def subscribe_global(self, *, replay: int = 0) -> Subscription:
        """Read every run from now on, until `close_global`.

        Over the cap the subscription has ended, and says `refused`.

        Args:
            replay: Begin with this many of the newest events in history.

        Raises:
            TypeError, ValueError: `replay` is not an int, or negative.
        """
        _check_bound("replay", replay, least=0)
        inbox = self._inbox(None)
        subscription = Subscription(self, inbox)
        self._change(self._join_all, inbox, replay)
        return subscription

    def history(self, run_id: str) -> tuple[StreamEvent, ...]:
        """Events of the run that are kept, oldest first; empty for an unknown run."""
        return self._settled(self._events_of, run_id)

    def run_ids(self) -> tuple[str, ...]:
        """Runs with history, least recently published to first."""
        return self._settled(lambda: tuple(self._logs.retained))

    def run_record(self, run_id: str) -> RunRecord | None:
        """What is known of the run now; None for an unknown one."""
        return self._settled(self._record_of, run_id)

    def stats(self) -> BusStats:
        """Counts of the whole bus, at one moment."""
        return self._settled(self._stats)

    @property
    def _dropped_events(self) -> int:
        return self.stats()["dropped_events_total"]

    # What follows is for the package's own modules.

    def count_emit_failure(self) -> None:
        """Count an event that `emit` could not publish."""
        with self._lock:
            self._emit_failures += 1

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
        return Batch(events, inbox.closed and not inbox.backlog, dropped, runs)

    def alarm(self, inbox: Inbox, wakeup: threading.Event) -> bool:
        """Have `wakeup` set at the next news; False, and nothing done, if there is some already.

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
        # Queued, so that one made by a `__del__` in the midst of another waits for its end.
        self._changes.append((change, args))
        self.settle()

    def _settled(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Do `work` under the lock; what a `__del__` changes in the midst of it waits for its end."""
        with self._lock:
            self.settle()
            busy, self._busy = self._busy, True
            try:
                return work(*args, **kwargs)
            finally:
                self._busy = busy
                if self._reentered and not busy:
                    self.settle()

    def _take(self, inbox: Inbox, take: Callable[[Inbox], R | None], waiter: Waiter | None) -> R | None:
        check_free(inbox)
        inbox.loop = running_loop()
        taken = take(inbox)
        if taken is None and waiter is not None:
            self._readers.park(inbox, waiter)
        return taken

    def _lie_down(self, inbox: Inbox, wakeup: threading.Event) -> bool:
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
                change(*args)
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
            late += len(group) if log.closed else 0
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
        """Give each event its place; the events by run, the one used last coming last, and if any is live only."""
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
        here, now = running_loop(), self._clock()
        elsewhere = False
        with self._lock:
            for inbox in self._readers:
                backlog = inbox.backlog
                if backlog and inbox.moving(now):
                    if here is not None and inbox.loop is here:
                        return True
                    elsewhere = elsewhere or backlog >= self._half
        if elsewhere:
            time.sleep(_PAUSE)
        return False

    def _inbox(self, run_id: str | None) -> Inbox:
        inbox = Inbox(
            run_id,
            size=self._max_queue_size,
            overflow=self._overflow_size,
            timeout=self._slow_timeout,
            margin=self._half,
            now=self._clock(),
        )
        inbox.loop = running_loop()
        return inbox

    def _join_run(self, inbox: Inbox) -> None:
        assert inbox.run_id is not None  # noqa: S101 - told to the type checker
        log = self._logs.find(inbox.run_id)
        if log is not None:
            inbox.replay(log.events, missed=log.trimmed)
            inbox.note_run(inbox.run_id)
            inbox.closed = log.closed and not inbox.follow
        if not inbox.closed:
            self._readers.join(inbox)

    def _join_all(self, inbox: Inbox, replay: int) -> None:
        if len(self._readers.of_all) >= self._max_global_subscribers and inbox not in self._readers.of_all:
            if not inbox.refused:
                commit([(setattr, self, "_refused", self._refused + 1), (setattr, inbox, "refused", True)])
            inbox.closed = True
            return
        if replay:
            logs = self._logs.retained.values()
            past = sorted((event for log in logs for event in log.events), key=_place_of)[-replay:]
            lost = self._trimmed + self._logs.lost
            inbox.replay(past, missed=min(replay - len(past), lost))
            for run_id in self._logs.retained:
                inbox.note_run(run_id)
        self._readers.join(inbox)

    def _open(self, run_id: str, known: Mapping[str, Any]) -> None:
        log = self._logs.open(run_id)
        for name, value in known.items():
            setattr(log, name, value)
        self._readers.tell(run_id)

    def _close(self, run_id: str) -> None:
        self._logs.close(run_id)
        self._readers.tell(run_id)
        self._readers.end(inbox for inbox in self._readers.of_run.get(run_id, ()) if not inbox.follow)

    def _events_of(self, run_id: str) -> tuple[StreamEvent, ...]:
        log = self._logs.retained.get(run_id)
        return () if log is None else tuple(log.events)

    def _record_of(self, run_id: str) -> RunRecord | None:
        log = self._logs.find(run_id)
        return None if log is None else log.record()

    def _stats(self) -> BusStats:
        readers = self._readers
        depths = {run_id: [inbox.backlog for inbox in inboxes] for run_id, inboxes in readers.of_run.items()}
        return {
            "active_runs": len(readers.of_run),
            "global_subscribers": len(readers.of_all),
            "history_runs": len(self._logs.retained),
            "dropped_events_total": readers.dropped,
            "queue_depths": depths,
            "global_queue_depths": [inbox.backlog for inbox in readers.of_all],
            "global_subscribers_refused_total": self._refused,
            "evicted_runs_total": self._logs.evicted,
            "trimmed_events_total": self._trimmed,
            "published_events_total": self._seq,
            "late_events_total": self._late,
            "emit_failures_total": self._emit_failures,
        }


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


def _refuse(event: object) -> NoReturn:
    if not isinstance(event, StreamEvent):
        msg = f"publish takes a StreamEvent, not {type(event).__name__}: make one, or use emit()"
        raise TypeError(msg) from None
    error = run_id_error(event.run_id)
    if error is not None:
        raise error
    msg = f"{event!r} was published before: an event is published once, make a new one"
    raise ValueError(msg)


def _check_run_id(run_id: object) -> None:
    error = run_id_error(run_id)
    if error is not None:
        raise error


def _check_bound(name: str, value: object, *, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        msg = f"{name} is an int, not {type(value).__name__}"
        raise TypeError(msg)
    if value < least:
        msg = f"{name} is at least {least}, not {value}"
        raise ValueError(msg)


def _check_seconds(name: str, value: object) -> None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        msg = f"{name} is a number of seconds, not {type(value).__name__}"
        raise TypeError(msg)
    if not value >= 0:
        msg = f"{name} is at least 0, not {value}"
        raise ValueError(msg)


_buses: weakref.WeakSet[EventBus] = weakref.WeakSet()
_the_bus: EventBus | None = None
_the_bus_lock = threading.Lock()


def get_event_bus() -> EventBus:
    """The bus of this process, made at the first call."""
    global _the_bus  # noqa: PLW0603 - the one bus of the process is what this module keeps
    bus = _the_bus
    if bus is None:
        with _the_bus_lock:
            bus = _the_bus = _the_bus or EventBus()
    return bus


def reset_event_bus() -> None:
    """End all readers of the process's bus and forget it; the next use makes a new one. Any thread."""
    global _the_bus
    with _the_bus_lock:
        bus, _the_bus = _the_bus, None
    if bus is not None:
        bus.close_all_nowait()


def _begin_in_child() -> None:
    # The parent's readers and the threads that may hold its locks are not here.
    global _the_bus_lock  # noqa: PLW0603 - see get_event_bus
    _the_bus_lock = threading.Lock()
    for bus in tuple(_buses):
        bus._begin()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_in_child)
