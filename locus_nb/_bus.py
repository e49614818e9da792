"""The event bus: what agents do goes in, every reader gets it in one order. How: see `_exchange`."""

# The bus marks the events it takes: these marks are theirs and its alone.
# ruff: noqa: SLF001
# pyright: reportPrivateUsage=false

from __future__ import annotations

import asyncio
import os
import time
import weakref
from importlib import import_module
from typing import TYPE_CHECKING, Literal, NoReturn, TypedDict

from locus_nb._event import StreamEvent, exact, run_id_error
from locus_nb._exchange import Exchange
from locus_nb._history import HistoryView, RunLogs
from locus_nb._readers import ReaderStats, reader_stats
from locus_nb._subscription import Subscription

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from locus_nb._history import RunRecord, RunStatus
    from locus_nb._store.store import Store


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


class EventBus(Exchange):
    """Carries events from any thread to readers in any thread or loop.

    Args:
        max_queue_size: Unread events a reader may have before it counts as full.
        history_per_run: Newest events of a run that are kept for late readers.
        max_runs_retained: Runs whose history is kept; the least recently published to goes first.
        max_global_subscribers: Readers of all runs at one time; one more is refused.
        slow_timeout: How long an event waits for room at a full reader, in seconds, before it is dropped.
        overflow_queues: How many queues' worth of events may wait so, per reader.
        clock: Monotonic seconds; for tests.
        store: Where events are kept beyond the process, see `Store`, which also takes limits; None: nowhere.

    Attributes:
        store: The `Store` that keeps its events; None without one.

    Raises:
        TypeError, ValueError: A bound is not an int, or too small; `slow_timeout` is not a number of seconds.
        StoreError, FileNotFoundError: There can be no store at that path.

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
        store: str | os.PathLike[str] | None = None,
    ) -> None:
        _check_bound("max_queue_size", max_queue_size, least=1)
        _check_bound("history_per_run", history_per_run, least=0)
        _check_bound("max_runs_retained", max_runs_retained, least=1)
        _check_bound("max_global_subscribers", max_global_subscribers, least=0)
        _check_bound("overflow_queues", overflow_queues, least=0)
        _check_seconds("slow_timeout", slow_timeout)
        super().__init__(
            logs=RunLogs(events_per_run=history_per_run, max_runs=max_runs_retained),
            size=max_queue_size,
            overflow_size=overflow_queues * max_queue_size,
            timeout=slow_timeout,
            max_readers_of_all=max_global_subscribers,
            clock=clock,
        )
        self._emit_failures = 0
        self._history: Mapping[str, tuple[StreamEvent, ...]] = HistoryView(
            lambda run_id: self._settled(self._events_of, exact(run_id)), self.run_ids
        )
        _buses.add(self)
        self.store: Store | None = None
        if store is not None:
            # By its name: it stands on this module, and most buses need none.
            import_module("locus_nb._store.store").Store(store, bus=self)

    async def publish(self, event: StreamEvent) -> None:
        """Record `event` and hand it to the run's readers, then to the global ones.

        Never waits for a reader. May yield to the loop once per half queue so that readers on the
        same loop get their turn; for one that moves in another thread it pauses instead, 0.1 ms per half
        queue that the reader is behind.

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
        # What follows stands in `publish` too: one call more would be a fifth of its time.
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

    async def close_stream(self, run_id: str, *, status: RunStatus | None = None) -> None:
        """End the run's readers once they have read their backlog. History stays. Idempotent.

        Args:
            run_id: The run.
            status: `ok`, `error` or `interrupted`; if None, what the run's last `agent.terminate` says, also one that
                comes after this, else `ok`. A run that is closed already keeps what it has.

        Raises:
            TypeError, ValueError: `run_id` cannot name a run.
            ValueError: `status` is none of these.
        """
        self.close_stream_nowait(run_id, status=status)

    def close_stream_nowait(self, run_id: str, *, status: RunStatus | None = None) -> None:
        """Do what `close_stream` does, from anywhere."""
        run_id = _exact_run_id(run_id)
        if status not in _ENDS:
            msg = f"A run ends as ok, error or interrupted, not as {status!r}: pass one of these, or nothing"
            raise ValueError(msg)
        self._change(self._close, run_id, status)

    def open_stream_nowait(
        self,
        run_id: str,
        *,
        name: str | None = None,
        tags: Mapping[str, str] | None = None,
        cell_id: str | None = None,
        execution_count: int | None = None,
        listed: bool = False,
    ) -> None:
        """Announce a run, and open it again if it was closed; global readers hear of it.

        What is given is kept in the run's record, what is left out stays as it was. A `listed` run is among
        `listed_run_ids` also if it is closed without an event.

        Raises:
            TypeError, ValueError: `run_id` cannot name a run.
        """
        run_id = _exact_run_id(run_id)
        known = {"name": name, "tags": None if tags is None else dict(tags)}
        known |= {"cell_id": cell_id, "execution_count": execution_count, "listed": listed or None}
        self._change(self._open, run_id, {key: value for key, value in known.items() if value is not None})

    async def drop_history(self, run_id: str) -> None:
        """Forget the run's history and that it was closed. Its readers stay, and what a store has. Idempotent.

        Raises:
            TypeError, ValueError: `run_id` cannot name a run.
        """
        self.drop_history_nowait(run_id)

    def drop_history_nowait(self, run_id: str) -> None:
        """Do what `drop_history` does, from anywhere."""
        run_id = _exact_run_id(run_id)
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

    def subscribe(self, run_id: str, *, follow: bool = False, label: str | None = None) -> Subscription:
        """Read one run: its history first, then live events, until the stream is closed.

        Registered when this returns, from any thread, with or without a loop (but in a `__del__` that is run in
        the midst of the bus's own work: at its end).

        Args:
            run_id: The run; it need not exist yet.
            follow: Stay when the stream is closed, and go on if it is opened again. Batches tell.
            label: What `readers` calls it; `reader N` if None, for the bus's Nth subscription.

        Raises:
            TypeError, ValueError: `run_id` cannot name a run.
            TypeError: `label` is not a str.
        """
        run_id = _exact_run_id(run_id)
        inbox = self._inbox(run_id, _exact_label(label))
        inbox.follow = follow
        subscription = Subscription(self, inbox)
        self._change(self._join_run, inbox)
        return subscription

    def subscribe_global(self, *, replay: int = 0, label: str | None = None) -> Subscription:
        """Read every run from now on, until `close_global`.

        Over the cap the subscription has ended, and says `refused`.

        Args:
            replay: Begin with this many of the newest events in history.
            label: What `readers` calls it; `reader N` if None, for the bus's Nth subscription.

        Raises:
            TypeError, ValueError: `replay` is not an int, or negative.
            TypeError: `label` is not a str.
        """
        _check_bound("replay", replay, least=0)
        inbox = self._inbox(None, _exact_label(label))
        subscription = Subscription(self, inbox)
        self._change(self._join_all, inbox, replay)
        return subscription

    def history(self, run_id: str) -> tuple[StreamEvent, ...]:
        """Events of the run that are kept, oldest first; empty for an unknown run."""
        return self._settled(self._events_of, exact(run_id)) or ()

    def run_ids(self) -> tuple[str, ...]:
        """Runs with history, least recently published to first."""
        return self._settled(lambda: tuple(self._logs.retained))

    def listed_run_ids(self) -> tuple[str, ...]:
        """Runs with history, and listed ones that were closed without an event, least recently used first.

        Of the latter there are at most `max_runs_retained`. A run without an event was used when it was closed.
        """
        return self._settled(self._logs.listed)

    def run_record(self, run_id: str) -> RunRecord | None:
        """What is known of the run now; None for an unknown one."""
        return self._settled(self._record_of, exact(run_id))

    def stats(self) -> BusStats:
        """Counts of the whole bus, at one moment."""
        return self._settled(self._stats)

    def readers(self) -> tuple[ReaderStats, ...]:
        """All registered readers at one moment: those of all runs, then those of single runs.

        A reader is registered from `subscribe` until it leaves or its stream is closed.
        """
        return self._settled(self._readers_now)

    @property
    def history_per_run(self) -> int:
        """Newest events of a run that are kept."""
        return self._logs.events_per_run

    @property
    def max_runs_retained(self) -> int:
        """Runs whose history is kept."""
        return self._logs.max_runs

    @property
    def _dropped_events(self) -> int:
        return self.stats()["dropped_events_total"]

    def count_emit_failure(self) -> None:
        """Count an event that `emit` could not publish."""
        with self._lock:
            self._emit_failures += 1

    def _readers_now(self) -> tuple[ReaderStats, ...]:
        self._readers.free()
        return tuple(map(reader_stats, self._readers))

    def _stats(self) -> BusStats:
        readers = self._readers
        readers.free()
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


def _refuse(event: object) -> NoReturn:
    if not isinstance(event, StreamEvent):
        msg = f"publish takes a StreamEvent, not {type(event).__name__}: make one, or use emit()"
        raise TypeError(msg) from None
    error = run_id_error(event.run_id)
    if error is not None:
        raise error
    msg = f"{event!r} was published before: an event is published once, make a new one"
    raise ValueError(msg)


def _exact_run_id(run_id: str) -> str:
    error = run_id_error(run_id)
    if error is not None:
        raise error
    return exact(run_id)


def _exact_label(label: str | None) -> str | None:
    if label is None:
        return None
    if not isinstance(label, str):  # pyright: ignore[reportUnnecessaryIsInstance] - said to those without pyright
        msg = f"label is a str, not {type(label).__name__}"
        raise TypeError(msg)
    return exact(label)


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


_ENDS = (None, "ok", "error", "interrupted")
_buses: weakref.WeakSet[EventBus] = weakref.WeakSet()
# Empty, or the bus of this process. Changed in one call of a C function each, so that no lock is needed: a
# `__del__` that emits may run in the midst of either.
_the_bus: dict[Literal["bus"], EventBus] = {}


def buses() -> tuple[EventBus, ...]:
    """All buses of this process that are still there."""
    return tuple(_buses)


def get_event_bus() -> EventBus:
    """The bus of this process, made at the first call."""
    return _the_bus.get("bus") or _the_bus.setdefault("bus", EventBus())


def reset_event_bus() -> None:
    """End all readers of the process's bus and forget it; the next use makes a new one. Any thread.

    To whoever still holds the old one it is an ordinary bus of their own.
    """
    bus = _the_bus.pop("bus", None)
    if bus is not None:
        bus.close_all_nowait()


def _begin_in_child() -> None:
    # The threads that may hold the parent's locks are not here, nor is anybody for whom its readers read.
    for bus in tuple(_buses):
        bus._begin_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_in_child)
