"""The one thread that carries what the bus has to whatever shows or stores it.

    subscription -> pump -> sink

It is a thread because a cell may block the kernel's main thread for as long as an agent runs.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
import time
from collections import deque
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Protocol

from locus_nb._wakeup import Wakeup

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from locus_nb._subscription import Batch, Subscription

# Seconds from tick to tick while there is something to carry; 20 a second is what an eye can use.
TICK = 0.05

# A sink that has this many events unread lets the rest wait in its subscription, where drops are counted.
_ENOUGH = 1000

_log = logging.getLogger(__name__)
# Without a handler of its own a logger's errors are printed, into whichever cell runs now.
_log.addHandler(logging.NullHandler())


@dataclass(frozen=True, slots=True, eq=False)
class _Flush:
    """Somebody waits until each sink has worked off this many of the events offered to it."""

    marks: dict[Sink, int]
    done: threading.Event = field(default_factory=threading.Event)


class Sink(Protocol):
    """Where events go. All methods but `attach` are called from the pump's thread only."""

    @property
    def unread(self) -> int:
        """Events taken in `put` and not yet worked off."""
        ...

    def put(self, batch: Batch) -> None:
        """Take what the subscription had; must not wait."""
        ...

    def tick(self) -> bool:
        """Do one tick's work; True if there will be more without any further event."""
        ...

    def fail(self) -> None:
        """Hear that it raised, and is carried nothing more; must not raise again."""
        ...


class Pump:
    """Carries batches from subscriptions to sinks in one daemon thread, which ends when it has none.

    A sink whose methods raise is taken out and reported once, to the log: the thread never prints, because
    its output would land in whichever cell runs now.
    """

    def __init__(self, *, tick: float = TICK) -> None:
        self._tick = tick
        # Reentrant, because a `__del__` may close a view in the midst of anything.
        self._lock = threading.RLock()
        # A subscription that has ended, or never was, is None; its sink may still have work.
        self._pairs: dict[Sink, Subscription | None] = {}
        self._wakeup = Wakeup()
        # Set to cut the wait between two ticks short.
        self._hurry = threading.Event()
        # Seconds; -1 for ever.
        self._longest_sleep: float = -1
        self._flushes: list[_Flush] = []
        self._forgotten: deque[Sink] = deque()
        self._thread: threading.Thread | None = None
        self._ended = False

    def attach(self, subscription: Subscription | None, sink: Sink) -> None:
        """Carry what `subscription` has to `sink` from now on; None: only tick it. Any thread."""
        with self._lock:
            self._pairs[sink] = subscription
            if not self._ended and (self._thread is None or not self._thread.is_alive()):
                self._thread = threading.Thread(target=self._run, name="locus_nb-pump", daemon=True)
                self._thread.start()
        self.wake()

    def detach(self, sink: Sink) -> None:
        """Carry nothing to `sink` any more; its subscription is closed. Any thread; idempotent."""
        with self._lock:
            subscription = self._pairs.pop(sink, None)
        if subscription is not None:
            subscription.close()
        self.wake()

    def forget(self, sink: Sink) -> None:
        """Do what `detach` does, a little later; takes no lock, so garbage collection may call it."""
        if sink in self._pairs:
            self._forgotten.append(sink)
            self.wake()

    def wake(self) -> None:
        """Have all sinks ticked soon."""
        self._wakeup.call()

    def sleep_at_most(self, seconds: float) -> None:
        """Have all sinks ticked again within that time. For a sink in its `tick`; holds until the next one."""
        asked = self._longest_sleep
        self._longest_sleep = seconds if asked < 0 else min(asked, seconds)

    def flush(self, timeout: float = 2.0) -> bool:
        """Wait until all that was published before has reached its sink; False if it takes too long.

        What is published meanwhile is not waited for. Not from the pump's own thread. At the end of the process,
        when there is no thread any more, False at once.
        """
        if self._ended or sys.is_finalizing():
            return False
        with self._lock:
            pairs = dict(self._pairs)
        flush = _Flush({sink: 0 if s is None else s.offered for sink, s in pairs.items()})
        with self._lock:
            if not self._pairs:
                return True
            self._flushes.append(flush)
        self._hurry.set()
        self.wake()
        through = flush.done.wait(timeout)
        if not through:
            with self._lock, suppress(ValueError):
                self._flushes.remove(flush)
        return through

    def end(self, timeout: float = 1.0) -> None:
        """Carry nothing any more, for good; waits that long for what is being carried. Not from the pump's thread."""
        self._ended = True
        self._hurry.set()
        self.wake()
        if self._thread is not None:
            self._thread.join(timeout)

    def _run(self) -> None:
        while not self._ended:
            pause = self._round()
            if pause is None:
                return
            pause()

    def _round(self) -> Callable[[], object] | None:
        """Carry and tick once; what to wait with until the next round, None if there is nothing to carry to.

        Apart from `_run`, so that the thread keeps nothing of the round while it sleeps.
        """
        self._hurry.clear()
        while self._forgotten:
            self.detach(self._forgotten.popleft())
        begun = time.monotonic()
        with self._lock:
            pairs, flushes = dict(self._pairs), tuple(self._flushes)
            if not pairs:
                self._thread = None
                self._finish(flushes)
                return None
        carried = [self._carry(sink, subscription) for sink, subscription in pairs.items()]
        self._longest_sleep = -1
        active = [self._tick_of(sink) for sink in pairs]
        through = [flush for flush in flushes if self._is_through(flush)]
        self._finish(through)
        if len(through) < len(flushes):
            return _at_once
        if any(carried) or any(active) or any(self._unread_of(sink) for sink in pairs):
            # A slow tick makes the pause shorter, but never so short that it takes all of the CPU.
            return partial(self._hurry.wait, max(begun + self._tick - time.monotonic(), self._tick / 10))
        if all(s.wake_with(self._wakeup) for s in pairs.values() if s is not None):
            return partial(self._wakeup.wait, self._longest_sleep)
        return _at_once

    def _carry(self, sink: Sink, subscription: Subscription | None) -> bool:
        """Move what the subscription has to the sink; True if that was something."""
        if subscription is None or self._unread_of(sink) >= _ENOUGH:
            return False
        batch = subscription.next_batch_nowait()
        if batch is None:
            return False
        with self._guard(sink):
            sink.put(batch)
        if not batch:
            with self._lock:
                if sink in self._pairs:
                    self._pairs[sink] = None
        return True

    def _tick_of(self, sink: Sink) -> bool:
        with self._guard(sink):
            return sink.tick()
        return False

    def _unread_of(self, sink: Sink) -> int:
        with self._guard(sink):
            return sink.unread
        return 0

    @contextmanager
    def _guard(self, sink: Sink) -> Generator[None, None, None]:
        try:
            yield
        except BaseException:  # noqa: BLE001 - one view that fails, even to exit, must not stop the others
            # Once for each: it is asked for more in the same round.
            if sink in self._pairs:
                _log.exception("locus_nb stopped a view: its %s failed", type(sink).__name__)
                self.detach(sink)
                sink.fail()

    def _is_through(self, flush: _Flush) -> bool:
        with self._lock:
            pairs = {sink: self._pairs[sink] for sink in flush.marks if sink in self._pairs}
        for sink, subscription in pairs.items():
            if subscription is None:
                if self._unread_of(sink):
                    return False
                continue
            stats = subscription.stats()
            if stats.offered - stats.backlog - self._unread_of(sink) < flush.marks[sink]:
                return False
        return True

    def _finish(self, flushes: Iterable[_Flush]) -> None:
        for flush in flushes:
            flush.done.set()
            with suppress(ValueError):
                self._flushes.remove(flush)


def _at_once() -> None:
    """Do not wait."""


_the_pump = Pump()


def the_pump() -> Pump:
    """The pump of this process."""
    return _the_pump


def _begin_in_child() -> None:
    # The thread stayed in the parent, and perhaps held the lock.
    global _the_pump  # noqa: PLW0603 - the one pump of the process is what this module keeps
    _the_pump = Pump()


def _at_exit() -> None:
    # What is sent while the kernel takes its sockets down is an error on its stderr.
    _the_pump.end()


atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_in_child)
