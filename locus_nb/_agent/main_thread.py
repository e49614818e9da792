"""What the main thread does for others while it waits for them: only there can `input()` ask the user."""

from __future__ import annotations

import contextvars
import os
import signal
import threading
from collections import deque
from concurrent import futures
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from math import inf
from queue import Empty, SimpleQueue
from time import monotonic
from typing import TYPE_CHECKING, Generic, TypeVar

from locus_nb._agent.alarm import alarm
from locus_nb._agent.interruptible import interruptible, is_main
from locus_nb._readers import running_loop

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Generator
    from concurrent.futures import Future
    from contextlib import AbstractContextManager

T = TypeVar("T")

# Seconds after which a loop that sleeps is roused.
_ROUSE_S = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Errand:
    """Something that only the main thread can do.

    Attributes:
        run: Does it.
        stop: Has it come back soon, because the main thread no longer needs to wait. Any thread.
        drop: Called where nothing comes of it, because the main thread no longer waits, or `run` raised: with True if
            the main thread was interrupted. Then not before what is waited for has ended.
    """

    run: Callable[[], None]
    stop: Callable[[], None]
    drop: Callable[[bool], None]


class _LoopQueue:
    """What a loop of the main thread is to do, one errand after the other. It stands still for each.

    Attributes:
        takers: How many on the loop take errands.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.takers = 0
        self._loop = loop
        self._errands: deque[tuple[Errand, contextvars.Context]] = deque()
        self._rouse_at = 0.0

    def put(self, context: contextvars.Context, errand: Errand) -> bool:
        """Have it done in that context; False if the loop does not run any more. Any thread."""
        if not self._loop.is_running():
            return False
        self._errands.append((errand, context))
        if self._call(self._run_next):
            return True
        self._errands.pop()
        return False

    def rouse(self) -> None:
        """Have the loop look up if it sleeps. However many ask for that, it does so once in a while."""
        now = monotonic()
        if now >= self._rouse_at:
            self._rouse_at = now + _ROUSE_S / 2
            self._call(_nothing)

    def take_back(self) -> list[Errand]:
        """Give what has not been begun, of which nothing is done any more."""
        errands: list[Errand] = []
        with suppress(IndexError):
            while True:
                errands.append(self._errands.popleft()[0])
        return errands

    def _call(self, callback: Callable[[], None]) -> bool:
        try:
            self._loop.call_soon_threadsafe(callback)
        except RuntimeError:
            # It is closed by now.
            return False
        return True

    def _run_next(self) -> None:
        try:
            errand, context = self._errands.popleft()
        except IndexError:
            # One before it was interrupted, and this one dropped with it.
            return
        is_interrupted = False
        with interruptible():
            try:
                context.run(errand.run)
            except KeyboardInterrupt:
                is_interrupted = True
            except BaseException:
                errand.drop(False)  # noqa: FBT003 - what an errand is told
                raise
        if not is_interrupted:
            return
        # What waits for its turn is interrupted too.
        dropped = [errand, *self.take_back()]
        try:
            # Out of a callback it would end the loop, which may be the kernel's: whoever else handles it does so now.
            signal.raise_signal(signal.SIGINT)
        finally:
            # IPython stops its loop, and leaves the task that waits where it is.
            for each in dropped:
                each.drop(True)  # noqa: FBT003 - what an errand is told


# Reentrant, because garbage collection may end a coroutine on a loop that takes errands in the midst of anything.
_lock = threading.RLock()
# What takes an errand, or gives False: the main thread's waits, and its loops. The newest is asked first.
_takers: list[Callable[[Errand], bool]] = []
# Those of the loops among them.
_queues: dict[asyncio.AbstractEventLoop, _LoopQueue] = {}


def hand(errand: Errand) -> bool:
    """Give the main thread something to do; False if it does not wait here, and then nothing is done."""
    with _lock:
        return any(take(errand) for take in tuple(reversed(_takers)))


def wait(future: Future[T], timeout: float | None = None) -> T:
    """Give the result of a future; the main thread does what it is handed meanwhile.

    While another thread waits the main thread's loop looks up now and then: a signal does not wake one that
    sleeps, so that an interrupt of a cell that awaits an agent would not be heard before something else happens.

    Args:
        future: Another thread settles it.
        timeout: Seconds; None for ever.

    Raises:
        TimeoutError: It is not settled by then; an errand under way is stopped.
        BaseException: What the future, or an errand, raises.
    """
    if not is_main():
        return _wait_beside(future, timeout)
    with waiting(future) as result:
        return result(timeout)


def _wait_beside(future: Future[T], timeout: float | None) -> T:
    ends = inf if timeout is None else monotonic() + timeout
    while (left := ends - monotonic()) > 0 and not future.done():
        futures.wait([future], min(left, _ROUSE_S))
        with _lock:
            queues = tuple(_queues.values())
        for queue in queues:
            queue.rouse()
    return future.result(0)


def waiting(future: Future[T]) -> AbstractContextManager[Callable[[float | None], T]]:
    """Do what `wait` does, and take errands already before: for what settles the future is only then begun."""
    return _Wait(future) if is_main() else nullcontext(future.result)


class _Wait(Generic[T]):
    """The main thread waits for a future, and does what it is handed."""

    def __init__(self, future: Future[T]) -> None:
        self._future = future
        self._errands: SimpleQueue[Errand | None] = SimpleQueue()
        self._under_way: Errand | None = None
        self._taking = _taking(self._take)

    def __enter__(self) -> Callable[[float | None], T]:
        self._taking.__enter__()
        return self._result

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._taking.__exit__(None, None, None)
        # What came after the last one.
        is_interrupted = kind is not None and not issubclass(kind, Exception)
        while not self._errands.empty():
            errand = self._errands.get()
            if errand is not None:
                self._drop(errand, is_interrupted=is_interrupted)

    def _take(self, errand: Errand) -> bool:
        self._errands.put(errand)
        return True

    def _result(self, timeout: float | None) -> T:
        ends = None if timeout is None else monotonic() + timeout
        self._future.add_done_callback(self._come_back)
        while (errand := self._next(ends)) is not None:
            self._under_way = errand
            # Settled before this one was seen to be under way, it would not be stopped.
            if self._future.done():
                self._errands.put(errand)
                break
            with nullcontext() if ends is None else alarm(ends - monotonic(), errand.stop):
                self._run(errand)
        return self._future.result()

    def _run(self, errand: Errand) -> None:
        try:
            errand.run()
        except BaseException as error:
            self._drop(errand, is_interrupted=not isinstance(error, Exception))
            raise
        finally:
            self._under_way = None

    def _drop(self, errand: Errand, *, is_interrupted: bool) -> None:
        if is_interrupted:
            # First whoever waits here is interrupted: an agent would be told at once that its tool got no answer.
            self._future.add_done_callback(lambda _: errand.drop(True))  # noqa: FBT003 - what an errand is told
        else:
            errand.drop(False)  # noqa: FBT003 - as above

    def _next(self, ends: float | None) -> Errand | None:
        try:
            return self._errands.get(timeout=None if ends is None else max(0.0, ends - monotonic()))
        except Empty:
            raise TimeoutError from None

    def _come_back(self, _: Future[T]) -> None:
        self._errands.put(None)
        errand = self._under_way
        if errand is not None:
            errand.stop()


@contextmanager
def loop_takes_errands() -> Generator[None]:
    """Have the running loop, if it is the main thread's, do meanwhile what that is handed. It stands still for it.

    What it has not begun when the last on the loop leaves this is dropped.
    """
    loop = running_loop()
    if loop is None or not is_main():
        yield
        return
    with _lock:
        queue = _queues.setdefault(loop, _LoopQueue(loop))
        queue.takers += 1
    try:
        # What `input()` asks for belongs to the cell that this code is part of.
        with _taking(partial(queue.put, contextvars.copy_context())):
            yield
    finally:
        left: list[Errand] = []
        with _lock:
            queue.takers -= 1
            # Not its own in a forked child.
            if queue.takers == 0 and _queues.get(loop) is queue:
                del _queues[loop]
                left = queue.take_back()
        for errand in left:
            errand.drop(False)  # noqa: FBT003 - what an errand is told


def _nothing() -> None:
    """For a loop to look up."""


@contextmanager
def _taking(take: Callable[[Errand], bool]) -> Generator[None]:
    with _lock:
        _takers.append(take)
    try:
        yield
    finally:
        with _lock, suppress(ValueError):
            # There is none in a forked child.
            _takers.remove(take)


def _begin_in_child() -> None:
    # What waited there stayed in the parent, and a thread perhaps held the lock.
    global _lock  # noqa: PLW0603 - the one lock of what this module keeps
    _lock = threading.RLock()
    _takers.clear()
    _queues.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_in_child)
