"""One thread with an event loop, for synchronous callers of coroutines: scripts, cells and threads alike."""

from __future__ import annotations

import asyncio
import atexit
import contextvars
import os
import threading
from concurrent.futures import Future
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from locus_nb._agent.interruptible import interruptible
from locus_nb._agent.main_thread import waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from contextlib import AbstractContextManager

T = TypeVar("T")

# How long an interrupted caller waits for its coroutine to end, and the process for the thread, in seconds.
INTERRUPT_SECONDS = 5.0
EXIT_SECONDS = 1.0


def run_on_worker(
    function: Callable[[], Coroutine[Any, Any, T]],
    *,
    interrupted: Callable[[], AbstractContextManager[None]] = nullcontext,
) -> T:
    """Run the coroutine that `function` makes on the worker's loop, and wait for its result.

    Works wherever a thread can wait, a notebook cell with a running loop included: that loop stands still
    meanwhile. The coroutine runs in a copy of the caller's context; what it sets there stays there. Callers
    in several threads share the loop, so their coroutines take turns. The worker is a daemon thread, started
    at the first use, again in a forked child; an idle one never delays the end of the process.

    Interrupted while it waits (by KeyboardInterrupt, or any exception put into this thread), it cancels the
    coroutine, waits until that has ended, but no longer than 5 s, and raises the interruption. A second
    interruption ends the wait. What has not ended then keeps the worker to itself: the next caller gets a new
    one. In the main thread Ctrl-C raises KeyboardInterrupt also while a loop runs there, whose own handler would
    only tell the loop, which stands still. The main thread does meanwhile what `main_thread.hand` gives it.

    Args:
        function: Makes the coroutine.
        interrupted: Makes what is entered around that wait for the end of an interrupted coroutine.

    Raises:
        RuntimeError: Called on the worker's own loop, where waiting would block what is waited for.
        BaseException: What the coroutine raises, KeyboardInterrupt and SystemExit included.
    """
    job = _Job(function, interrupted)
    with interruptible():
        try:
            with waiting(job.outcome) as result:
                _worker().take(job)
                return result(None)
        except BaseException:
            job.interrupt()
            raise


class _Job(Generic[T]):
    """One coroutine under way on the worker's loop, and the caller who waits for it."""

    def __init__(
        self,
        function: Callable[[], Coroutine[Any, Any, T]],
        interrupted: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self.outcome: Future[T] = Future()
        self._function = function
        self._interrupted = interrupted
        self._context = contextvars.copy_context()
        self._worker: _Worker | None = None
        self._task: asyncio.Task[None] | None = None

    def hand_to(self, worker: _Worker) -> None:
        self._worker = worker
        worker.call(self._start)

    def _start(self) -> None:
        if self.outcome.done():
            # Interrupted before it began.
            return
        self._task = asyncio.get_running_loop().create_task(self._run(), context=self._context)
        self._task.add_done_callback(self._ended)
        if self._worker is not None:
            self._worker.keep(self._task)

    async def _run(self) -> None:
        # Everything is caught: KeyboardInterrupt or SystemExit out of a task would end the loop for all.
        try:
            result = await self._function()
        except asyncio.CancelledError as error:
            self._cancelled(error)
        except BaseException as error:  # noqa: BLE001 - raised again in the caller
            self.outcome.set_exception(error)
        else:
            self.outcome.set_result(result)

    def _cancelled(self, error: asyncio.CancelledError) -> None:
        # At the end of the process only a daemon thread can still wait: it is stopped where it stands,
        # rather than woken to print a traceback.
        if not _holder.leaving:
            self.outcome.set_exception(error)

    def _ended(self, _task: asyncio.Task[None] | None = None) -> None:
        # A task that is cancelled before its first step never enters `_run`.
        if not self.outcome.done():
            self._cancelled(asyncio.CancelledError())

    def interrupt(self) -> None:
        """Cancel the coroutine, if it is under way, and wait a while for its end."""
        if self._worker is None or self.outcome.done():
            return
        with self._interrupted():
            # In the loop's order this comes after `_start`, if that was called for before the interruption.
            self._worker.call(self._cancel)
            ended = threading.Event()
            self.outcome.add_done_callback(lambda _: ended.set())
            try:
                ended.wait(INTERRUPT_SECONDS)
            finally:
                if not ended.is_set():
                    _abandon(self._worker)

    def _cancel(self) -> None:
        if self._task is None:
            self._ended()
        else:
            self._task.cancel()


class _Worker:
    """The thread and its loop."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_retired = False
        # Named as the package: the thread belongs to the process and outlives its user.
        self._thread = threading.Thread(target=self._serve, name="locus_nb-worker", daemon=True)
        self._thread.start()

    def take(self, job: _Job[Any]) -> None:
        if threading.current_thread() is self._thread:
            raise RuntimeError(
                "run_sync() was called on the loop that it would run on, by an async tool or model: waiting "
                "there would never end. Use `await agent.arun(prompt)`, or make the tool a sync function"
            )
        job.hand_to(self)

    def call(self, function: Callable[[], None]) -> None:
        self._loop.call_soon_threadsafe(function)

    def keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._let_go)

    def retire(self) -> None:
        """Stop when all that is under way has ended, whenever that is."""
        self.call(self._retire)

    def _retire(self) -> None:
        self._is_retired = True
        if not self._tasks:
            self._stopping.set()

    def _let_go(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if self._is_retired:
            self._retire()

    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def stop(self) -> None:
        """Cancel what is under way and close the loop; waits at most 1 s."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
            self._thread.join(EXIT_SECONDS)

    def _serve(self) -> None:
        # The runner cancels what is left and closes the loop, so that nothing warns at exit.
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._stopped())

    async def _stopped(self) -> None:
        await self._stopping.wait()


class _Holder:
    """The process's worker, if it has one."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.worker: _Worker | None = None
        self.leaving = False


_holder = _Holder()


def _worker() -> _Worker:
    with _holder.lock:
        if _holder.worker is None or not _holder.worker.is_alive():
            _holder.worker = _Worker()
        return _holder.worker


def _abandon(worker: _Worker) -> None:
    """Give nothing more to this worker, where something does not end; what it has under way goes on."""
    with _holder.lock:
        if _holder.worker is worker:
            _holder.worker = None
    worker.retire()


def stop_worker() -> None:
    """Cancel what is under way and stop the worker, if there is one; the next call starts another."""
    with _holder.lock:
        worker, _holder.worker = _holder.worker, None
    if worker is not None:
        worker.stop()


def _leave() -> None:
    _holder.leaving = True
    stop_worker()


def _forget() -> None:
    # The parent's thread does not exist in a forked child, and its loop must not be closed there: they share
    # the kernel's side of it. The lock may have been held by a thread that is gone.
    _holder.lock, _holder.worker = threading.Lock(), None


atexit.register(_leave)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
