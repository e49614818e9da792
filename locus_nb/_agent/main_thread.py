"""What the main thread does for others while it waits for them: only there can `input()` ask the user."""

from __future__ import annotations

import contextvars
import signal
import threading
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from time import monotonic
from typing import TYPE_CHECKING, TypeVar

from locus_nb._readers import running_loop

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from concurrent.futures import Future
    from contextlib import AbstractContextManager

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Errand:
    """Something that only the main thread can do.

    Attributes:
        run: Does it.
        drop: Called instead where the main thread no longer waits: with True if it was interrupted.
    """

    run: Callable[[], None]
    drop: Callable[[bool], None]


class _Taker:
    """Where errands go: a wait of the main thread, or a loop that runs in it."""

    def __init__(self, hand_over: Callable[[Errand], None]) -> None:
        self.hand_over = hand_over


_lock = threading.Lock()
# The main thread's waits, and the loops that run in it; the newest takes what comes.
_takers: list[_Taker] = []


def is_main() -> bool:
    """Whether this is the main thread."""
    return threading.current_thread() is threading.main_thread()


def hand(errand: Errand) -> bool:
    """Give the main thread something to do; False if it does not wait here, and then nothing is done."""
    with _lock:
        if not _takers:
            return False
        _takers[-1].hand_over(errand)
    return True


def wait(future: Future[T], timeout: float | None = None) -> T:
    """Give the result of a future; the main thread does what it is handed meanwhile.

    Args:
        future: Another thread settles it.
        timeout: Seconds; None for ever.

    Raises:
        TimeoutError: It is not settled by then.
        BaseException: What the future, or an errand, raises.
    """
    with waiting(future) as result:
        return result(timeout)


@contextmanager
def waiting(future: Future[T]) -> Generator[Callable[[float | None], T]]:
    """Do what `wait` does, and take errands already before: for what settles the future is only then begun."""
    if not is_main():
        yield future.result
        return
    errands: SimpleQueue[Errand | None] = SimpleQueue()
    is_interrupted = True

    def result(timeout: float | None) -> T:
        ends = None if timeout is None else monotonic() + timeout
        future.add_done_callback(lambda _: errands.put(None))
        try:
            while (errand := errands.get(timeout=ends and max(0.0, ends - monotonic()))) is not None:
                errand.run()
        except Empty:
            raise TimeoutError from None
        return future.result()

    try:
        with _taking(_Taker(errands.put)):
            yield result
        is_interrupted = False
    except Exception:
        is_interrupted = False
        raise
    finally:
        # What came after the last one.
        while not errands.empty():
            left = errands.get()
            if left is not None:
                left.drop(is_interrupted)


def loop_takes_errands() -> AbstractContextManager[None]:
    """Have the running loop, if it is the main thread's, do meanwhile what that is handed. It stands still for it."""
    loop = running_loop()
    if loop is None or not is_main():
        return nullcontext()
    # What `input()` asks for belongs to the cell that this code is part of.
    context = contextvars.copy_context()

    def hand_over(errand: Errand) -> None:
        loop.call_soon_threadsafe(_run_on_loop, errand, context=context)

    return _taking(_Taker(hand_over))


def _run_on_loop(errand: Errand) -> None:
    is_interrupted = False
    with interruptible():
        try:
            errand.run()
        except KeyboardInterrupt:
            is_interrupted = True
    # Out of a callback it would end the loop, which may be the kernel's: whoever else handles it does so now.
    if is_interrupted:
        signal.raise_signal(signal.SIGINT)


@contextmanager
def _taking(taker: _Taker) -> Generator[None]:
    with _lock:
        _takers.append(taker)
    try:
        yield
    finally:
        with _lock:
            _takers.remove(taker)


@contextmanager
def interruptible() -> Generator[None]:
    """Have Ctrl-C raise KeyboardInterrupt also while a loop runs in this thread, which stands still for it."""
    if not is_main() or running_loop() is None:
        yield
        return
    before = signal.getsignal(signal.SIGINT)
    # Not one that was set outside of Python, nor where somebody wants to hear nothing.
    if before is None or before is signal.SIG_IGN:
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
