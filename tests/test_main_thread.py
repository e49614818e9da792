"""What the main thread does for others while it waits, and what a call hears that is left to itself."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from contextvars import copy_context

import pytest

from locus_nb._agent import main_thread
from locus_nb._agent.live_call import LIVE_CALL, LiveCall, when_left
from locus_nb._agent.main_thread import Errand
from tests.bus_kit import GRACE_S


class Notes:
    """An errand that notes what becomes of it."""

    def __init__(self) -> None:
        self.said: list[object] = []
        self.begun = threading.Event()
        self.stopped = threading.Event()
        self.errand = Errand(self.run, self.stopped.set, self.said.append)

    def run(self) -> None:
        """Note the thread."""
        self.said.append(threading.current_thread())
        self.begun.set()


def test_without_a_waiting_main_thread_nothing_is_done() -> None:
    """Who hands something over hears that nobody takes it."""
    notes = Notes()
    assert not main_thread.hand(notes.errand)
    assert notes.said == []


def test_the_main_thread_does_what_it_is_handed_while_it_waits() -> None:
    """Errands run in the main thread, one after the other, before it has the result."""
    notes = [Notes(), Notes()]
    future: Future[str] = Future()

    def work() -> None:
        for note in notes:
            assert main_thread.hand(note.errand)
            assert note.begun.wait(GRACE_S)
        future.set_result("done")

    with ThreadPoolExecutor(1) as pool, main_thread.waiting(future) as result:
        working = pool.submit(work)
        assert result(GRACE_S) == "done"
        working.result()
    assert [note.said for note in notes] == [[threading.main_thread()]] * 2
    assert not main_thread.hand(notes[0].errand)


def test_another_thread_waits_without_errands() -> None:
    """Only the main thread takes errands; another one simply waits."""
    future: Future[str] = Future()
    with ThreadPoolExecutor(1) as pool:
        waits = pool.submit(main_thread.wait, future, GRACE_S)
        assert not main_thread.hand(Notes().errand)
        future.set_result("done")
        assert waits.result(GRACE_S) == "done"


def test_what_waits_for_is_late_or_fails() -> None:
    """A future that is not settled in time is a TimeoutError, and one that failed raises what it failed with."""
    future: Future[str] = Future()
    with pytest.raises(TimeoutError):
        main_thread.wait(future, 0.01)
    future.set_exception(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        main_thread.wait(future)


def test_an_errand_is_stopped_when_the_wait_is_over() -> None:
    """What runs when the main thread may go on is told to come back."""
    future: Future[str] = Future()
    notes = Notes()

    def run() -> None:
        future.set_result("done")
        assert notes.stopped.wait(GRACE_S)

    with main_thread.waiting(future) as result:
        assert main_thread.hand(Errand(run, notes.stopped.set, notes.errand.drop))
        assert result(GRACE_S) == "done"
    assert notes.said == []


def test_an_errand_is_stopped_when_the_time_is_over() -> None:
    """A wait ends in time also while an errand is under way, which is told to come back."""
    future: Future[str] = Future()
    notes = Notes()

    def run() -> None:
        assert notes.stopped.wait(GRACE_S)

    with main_thread.waiting(future) as result:
        assert main_thread.hand(Errand(run, notes.stopped.set, notes.errand.drop))
        with pytest.raises(TimeoutError):
            result(0.01)
    assert notes.said == []


@pytest.mark.parametrize("interrupted", [True, False])
def test_what_comes_too_late_is_dropped(interrupted: bool) -> None:  # noqa: FBT001 - a case
    """What the main thread does not get to is dropped; by an interrupt not before what is waited for has ended."""
    future: Future[str] = Future()
    notes = Notes()

    def interrupt() -> None:
        raise KeyboardInterrupt

    def wait() -> None:
        with main_thread.waiting(future) as result:
            if interrupted:
                main_thread.hand(Errand(interrupt, interrupt, notes.errand.drop))
            else:
                future.set_result("done")
            main_thread.hand(notes.errand)
            result(GRACE_S)

    with pytest.raises(KeyboardInterrupt) if interrupted else nullcontext():
        wait()
    assert notes.said == ([] if interrupted else [False])
    future.cancel()
    assert notes.said == ([True, True] if interrupted else [False])


def fail() -> None:
    """An errand that raises."""
    raise ZeroDivisionError


def test_an_errand_that_raises_is_dropped() -> None:
    """Whoever handed it over hears that nothing comes of it, and the error is raised where the main thread waits."""
    future: Future[str] = Future()
    said: list[bool] = []
    with main_thread.waiting(future) as result:
        assert main_thread.hand(Errand(fail, fail, said.append))
        with pytest.raises(ZeroDivisionError):
            result(GRACE_S)
    assert said == [False]


def test_an_errand_that_raises_on_a_loop_is_dropped() -> None:
    """There the loop is told of the error, as of that of any callback, and goes on."""
    said: list[bool] = []

    async def main() -> list[object]:
        told: asyncio.Queue[object] = asyncio.Queue()
        asyncio.get_running_loop().set_exception_handler(lambda _, what: told.put_nowait(what["exception"]))
        with main_thread.loop_takes_errands():
            assert main_thread.hand(Errand(fail, fail, said.append))
            return [await told.get()]

    (error,) = asyncio.run(main())
    assert isinstance(error, ZeroDivisionError)
    assert said == [False]


def test_an_interrupted_errand_is_dropped_when_the_wait_is_over() -> None:
    """Ctrl-C in an errand interrupts first who waits, and then whoever handed it over."""

    def interrupt() -> None:
        raise KeyboardInterrupt

    def wait() -> None:
        with main_thread.waiting(future) as result:
            assert main_thread.hand(Errand(interrupt, fail, said.append))
            result(GRACE_S)

    future: Future[str] = Future()
    said: list[bool] = []
    with pytest.raises(KeyboardInterrupt):
        wait()
    assert said == []
    future.cancel()
    assert said == [True]


def test_a_loop_of_the_main_thread_takes_errands() -> None:
    """While an agent runs on the main thread's loop that does what it is handed; another thread's loop does not."""
    notes = Notes()

    async def main() -> None:
        with main_thread.loop_takes_errands():
            assert await asyncio.to_thread(main_thread.hand, notes.errand)
            await asyncio.to_thread(notes.begun.wait, GRACE_S)
        assert not await asyncio.to_thread(main_thread.hand, notes.errand)

    asyncio.run(main())
    assert notes.said == [threading.main_thread()]

    async def elsewhere() -> bool:
        with main_thread.loop_takes_errands():
            return main_thread.hand(notes.errand)

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(asyncio.run, elsewhere()).result(GRACE_S) is False


def test_what_a_loop_has_not_begun_is_dropped_with_its_last_taker() -> None:
    """When nothing on the loop takes errands any more whoever handed one over hears that nothing comes of it."""
    notes = Notes()

    async def main() -> None:
        with main_thread.loop_takes_errands():
            with main_thread.loop_takes_errands():
                assert main_thread.hand(notes.errand)
            assert notes.said == []
        assert notes.said == [False]

    asyncio.run(main())
    assert notes.said == [False]


def test_an_interrupt_of_one_errand_drops_those_that_wait() -> None:
    """Interrupted once, a loop does nothing of what it was handed before, and its main task ends."""
    dropped: list[bool] = []
    waiting = Notes()

    def interrupted() -> None:
        raise KeyboardInterrupt

    async def main() -> None:
        # Two of them on one loop, as two questions are.
        with main_thread.loop_takes_errands(), main_thread.loop_takes_errands():
            assert main_thread.hand(Errand(interrupted, lambda: None, dropped.append))
            assert main_thread.hand(waiting.errand)
            await asyncio.Event().wait()

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(main())
    assert dropped == waiting.said == [True]


@pytest.mark.parametrize("closed", [False, True])
def test_a_loop_that_has_stopped_takes_nothing(closed: bool) -> None:  # noqa: FBT001 - a case
    """What a loop has left behind that runs no more is nobody who waits; one below it takes the errand."""
    notes = Notes()
    loop = asyncio.new_event_loop()

    async def left() -> None:
        with main_thread.loop_takes_errands():
            loop.stop()
            await asyncio.Event().wait()

    task = loop.create_task(left())
    loop.run_forever()
    try:
        if closed:
            loop.close()
        assert not main_thread.hand(notes.errand)
        future: Future[None] = Future()
        with ThreadPoolExecutor(1) as pool:
            # It rouses the loops that there are.
            waits = pool.submit(main_thread.wait, future, GRACE_S)
            future.set_result(None)
            waits.result(GRACE_S)
    finally:
        task.get_coro().close()  # type: ignore[union-attr]  # is one
        task._log_destroy_pending = False  # type: ignore[attr-defined]  # it was left behind on purpose
        loop.close()
    assert notes.said == []


def test_a_call_hears_that_it_is_left() -> None:
    """Who asked for it is told once that nobody waits any more, at once if that is so, and not after it left."""
    call, said = LiveCall(), []
    with call.tells(lambda: said.append("before")):
        pass
    with call.tells(lambda: said.append("meanwhile")):
        call.leave()
        call.leave()
    assert said == ["meanwhile"]
    with call.tells(lambda: said.append("at once")):
        assert said == ["meanwhile", "at once"]


def test_code_that_is_part_of_no_call_hears_nothing() -> None:
    """Outside of a tool's call there is nothing to be left by."""
    said: list[str] = []
    with when_left(lambda: said.append("left")):
        pass
    call = LiveCall()

    def inside() -> None:
        LIVE_CALL.set(call)
        with when_left(lambda: said.append("left")):
            call.leave()

    copy_context().run(inside)
    assert said == ["left"]
