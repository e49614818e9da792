from __future__ import annotations

import asyncio
import contextvars
import functools
import gc
import inspect
import threading
import types
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from locus_nb import (
    Agent,
    PropagatingExecutor,
    ToolCall,
    current_run_id,
    emit,
    emit_sync,
    get_event_bus,
    propagate,
    run,
    run_context,
    tool,
)
from locus_nb.testing import ScriptedModel
from tests.bus_kit import GRACE_S, in_threads

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator

other: contextvars.ContextVar[str] = contextvars.ContextVar("other", default="unset")


def said(run_id: str) -> list[Any]:
    """What the events of a run say."""
    return [event.data["said"] for event in get_event_bus().history(run_id)]


def test_a_thread_keeps_the_run() -> None:
    """A function that was wrapped inside a run emits into it from a bare thread, and gives what it gives."""
    with run_context("r"):
        carried = propagate(lambda a, *, b: (current_run_id(), a, b))
    assert in_threads(lambda: carried(1, b=2)) == [("r", 1, 2)]
    assert carried(1, b=2) == ("r", 1, 2)
    assert current_run_id() is None


def test_the_whole_context_is_kept() -> None:
    """Other variables are carried too, as they were when it was wrapped."""

    def wrapped() -> Callable[[], str]:
        other.set("then")
        carried = propagate(other.get)
        other.set("now")
        return carried

    # In a context of its own: the next test begins without.
    assert in_threads(contextvars.copy_context().run(wrapped)) == ["then"]


def test_many_threads_call_it_at_once() -> None:
    """Calls that overlap do not meet: each has a copy, and what it sets is gone afterwards."""
    together = threading.Barrier(4)

    def work(name: str) -> tuple[str | None, str]:
        before = other.get()
        other.set(name)
        together.wait(GRACE_S)
        return current_run_id(), f"{before} {other.get()}"

    with run_context("r"):
        carried = propagate(work)
    names = "abcd"
    found = in_threads(*(lambda name=name: carried(name) for name in names))
    assert found == [("r", f"unset {name}") for name in names]
    assert carried.__wrapped__ is work  # pyright: ignore[reportFunctionMemberAccess] - as functools.wraps does
    assert other.get() == "unset"


def test_it_may_call_itself() -> None:
    """A wrapped function may be called from inside of itself."""

    def work(depth: int) -> list[str | None]:
        return [current_run_id(), *(carried(depth - 1) if depth else [])]

    with run_context("r"):
        carried = propagate(work)
    assert carried(3) == ["r"] * 4


def test_exceptions_pass() -> None:
    """What the function raises is raised, of every kind."""

    def fail() -> None:
        raise ZeroDivisionError

    async def fail_later() -> None:
        await asyncio.sleep(0)
        fail()

    with pytest.raises(ZeroDivisionError):
        propagate(fail)()
    with pytest.raises(ZeroDivisionError):
        asyncio.run(propagate(fail_later)())


# Coroutines


async def step(name: str) -> str | None:
    """Emit before and after a turn of the loop, and in a task."""
    await emit("step", said=f"{name} 1")
    await asyncio.sleep(0)
    await emit("step", said=f"{name} 2")
    return await asyncio.create_task(_current())


async def _current() -> str | None:
    await asyncio.sleep(0)
    return current_run_id()


def test_a_coroutine_keeps_the_run_in_every_step() -> None:
    """A wrapped coroutine function is one, and emits into its run also after it waited, on any loop."""
    with run_context("r"):
        carried = propagate(step)
        bound = propagate(functools.partial(step, "b"))
    assert inspect.iscoroutinefunction(carried)
    assert asyncio.run(carried("a")) == "r"
    assert in_threads(lambda: asyncio.run(bound())) == ["r"]
    assert said("r") == ["a 1", "a 2", "b 1", "b 2"]


def test_coroutines_of_two_runs_take_turns() -> None:
    """Calls that are gathered, of two runs and several of one, stay apart."""
    with run_context("a"):
        first = propagate(step)
    with run_context("b"):
        second = propagate(step)

    async def main() -> None:
        with run_context("outer"):
            found = await asyncio.gather(first("x"), second("y"), first("z"))
            assert (found, current_run_id()) == (["a", "b", "a"], "outer")

    asyncio.run(main())
    assert said("a") == ["x 1", "z 1", "x 2", "z 2"]
    assert said("b") == ["y 1", "y 2"]
    assert said("outer") == []


def test_a_cancelled_coroutine_cleans_up_in_its_run() -> None:
    """Cancellation reaches the coroutine, may be answered by it, and what it emits then is its run's."""

    async def work(begun: asyncio.Event) -> str:
        try:
            begun.set()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await emit("step", said="cancelled")
            await asyncio.sleep(0)
            await emit("step", said="cleaned up")
            raise
        return "never"

    with run_context("r"):
        carried = propagate(work)

    async def main() -> None:
        begun = asyncio.Event()
        task = asyncio.create_task(carried(begun))  # pyright: ignore[reportArgumentType] - an async function
        await begun.wait()
        task.cancel()
        await asyncio.wait({task})
        assert task.cancelled()

    asyncio.run(main())
    assert said("r") == ["cancelled", "cleaned up"]


def test_timeouts_work_inside() -> None:
    """What looks at the current task works in a wrapped coroutine: a timeout ends the wait in it, not the task."""

    async def work() -> str:
        try:
            async with asyncio.timeout(0):
                await asyncio.Event().wait()
        except TimeoutError:
            return "timed out"
        return "never"

    assert asyncio.run(propagate(work)()) == "timed out"


# Generators


def test_a_generator_keeps_the_run_in_every_step() -> None:
    """Sending, throwing, closing and returning reach a wrapped generator, in its run, from any thread."""

    def work() -> Generator[Any, Any, str]:
        try:
            while True:
                try:
                    got = yield current_run_id()
                except ValueError:
                    emit_sync("step", said="thrown")
                else:
                    emit_sync("step", said=got)
                    if got == "end":
                        return "returned"
        finally:
            emit_sync("step", said="closed")

    with run_context("r"):
        carried = propagate(work)
    assert inspect.isgeneratorfunction(carried)
    generator = carried()
    assert [next(generator), generator.send("sent"), generator.throw(ValueError)] == ["r"] * 3
    assert in_threads(lambda: generator.send("elsewhere")) == ["r"]
    generator.close()
    assert said("r") == ["sent", "thrown", "elsewhere", "closed"]
    ended = carried()
    next(ended)
    with pytest.raises(StopIteration, match="returned"):
        ended.send("end")
    assert current_run_id() is None


def test_an_async_generator_keeps_the_run_in_every_step() -> None:
    """A wrapped async generator is one; sent, thrown and closed it emits into its run, whatever run is read in."""

    async def work() -> AsyncGenerator[Any, Any]:
        try:
            while True:
                try:
                    got = yield current_run_id()
                except ValueError:
                    await emit("step", said="thrown")
                else:
                    await asyncio.sleep(0)
                    await emit("step", said=got)
                    if got == "end":
                        return
        finally:
            await asyncio.sleep(0)
            await emit("step", said="closed")

    with run_context("r"):
        carried = propagate(work)
    assert inspect.isasyncgenfunction(carried)

    async def main() -> None:
        with run_context("reader"):
            generator = carried()
            assert [await anext(generator), await generator.asend("sent")] == ["r", "r"]
            assert await generator.athrow(ValueError) == "r"
            await asyncio.create_task(generator.aclose())  # pyright: ignore[reportArgumentType] - a coroutine
            ended = carried()
            await anext(ended)
            with pytest.raises(StopAsyncIteration):
                await ended.asend("end")
            assert current_run_id() == "reader"

    asyncio.run(main())
    assert said("r") == ["sent", "thrown", "closed", "end", "closed"]
    assert said("reader") == []


def test_an_async_generator_that_raises() -> None:
    """What an async generator raises reaches who reads it."""

    async def work() -> AsyncGenerator[int, None]:
        yield 1
        raise ZeroDivisionError

    async def main() -> list[int]:
        return [n async for n in propagate(work)()]

    with pytest.raises(ZeroDivisionError):
        asyncio.run(main())


# Functions that are none of these, and give one


class Stepper:
    """Is called as a coroutine function is."""

    async def __call__(self, name: str) -> str | None:
        return await step(name)


def as_before(function: Callable[..., Any]) -> Callable[..., Any]:
    """What decorators of other libraries do: a plain function around any kind."""

    @functools.wraps(function)
    def wrapper(*args: Any, **options: Any) -> Any:
        return function(*args, **options)

    return wrapper


def count(name: str) -> Generator[str | None]:
    """Emit before and after a value."""
    emit_sync("step", said=f"{name} 1")
    yield current_run_id()
    emit_sync("step", said=f"{name} 2")


async def acount(name: str) -> AsyncGenerator[str | None, None]:
    """Do the same, awaiting."""
    await emit("step", said=f"{name} 1")
    yield current_run_id()
    await asyncio.sleep(0)
    await emit("step", said=f"{name} 2")


@types.coroutine
def old_step(name: str) -> Generator[None, None, str | None]:
    """A coroutine as a generator."""
    emit_sync("step", said=f"{name} 1")
    yield
    emit_sync("step", said=f"{name} 2")
    return current_run_id()


async def _awaited(made: Any) -> list[str | None]:
    return [await made]


async def _read(made: Any) -> list[str | None]:
    return [each async for each in made]


@pytest.mark.parametrize(
    "function, read",
    [
        (Stepper(), lambda made: asyncio.run(_awaited(made))),
        (as_before(step), lambda made: asyncio.run(_awaited(made))),
        (old_step, lambda made: asyncio.run(_awaited(made))),
        (as_before(old_step), lambda made: asyncio.run(_awaited(made))),
        (as_before(count), list),
        (as_before(acount), lambda made: asyncio.run(_read(made))),
    ],
)
def test_what_a_plain_function_gives_keeps_the_run(
    function: Callable[..., Any], read: Callable[[Any], list[str | None]]
) -> None:
    """A coroutine, generator or async generator that a function gives is one, and runs in the function's run."""
    with run_context("r"):
        carried = propagate(function)
    plain = function("plain")
    made = carried("x")
    assert type(made) is type(plain)
    assert (made.__name__, made.__qualname__) == (plain.__name__, plain.__qualname__)
    assert inspect.isawaitable(made) is inspect.isawaitable(plain)
    assert read(made) == ["r"]
    assert read(plain) == [None]
    assert said("r") == ["x 1", "x 2"]
    assert current_run_id() is None


def test_what_a_plain_function_gives_is_ended_unread() -> None:
    """A coroutine that is cancelled before its first step, or closed, complains no more than without."""
    carried = propagate(lambda: step("never"))

    async def main() -> None:
        task = asyncio.create_task(carried())
        task.cancel()
        await asyncio.wait({task})
        assert task.cancelled()

    asyncio.run(main())
    carried().close()
    propagate(lambda: count("never"))().close()
    gc.collect()


def test_other_things_that_a_function_gives_are_themselves() -> None:
    """What is no coroutine and no generator is given as it is: futures and tasks too."""
    thing = object()
    assert propagate(lambda: thing)() is thing

    async def main() -> None:
        future: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        assert propagate(lambda: future)() is future
        with run_context("r"):
            carried = propagate(lambda: asyncio.ensure_future(_current()))
        task = carried()
        assert isinstance(task, asyncio.Task)
        assert await task == "r"
        future.cancel()

    asyncio.run(main())


@pytest.mark.parametrize("bad", [None, "work", 7])
def test_what_cannot_be_called_is_refused(bad: Any) -> None:
    """Only functions are carried."""
    with pytest.raises(TypeError, match=r"propagate\(\) takes a function, not"):
        propagate(bad)


def test_a_coroutine_is_no_function() -> None:
    """Called too early, it says what to do."""
    coroutine = _current()
    with pytest.raises(TypeError, match="pass the function, not what it gives"):
        propagate(coroutine)  # pyright: ignore[reportArgumentType] - what is refused
    coroutine.close()


# Executors


def test_an_executor_keeps_the_run_of_each_submit() -> None:
    """Each call runs in the run it was submitted in, though the threads are shared and older than the runs."""
    with PropagatingExecutor(ThreadPoolExecutor(2)) as pool:
        assert pool.submit(current_run_id).result() is None
        futures: list[Future[str | None]] = []
        for n in range(20):
            with run_context(f"r{n}"):
                futures.append(pool.submit(current_run_id))
        assert [future.result() for future in futures] == [f"r{n}" for n in range(20)]
        with run_context("r"):
            assert list(pool.map(lambda n: (current_run_id(), n), range(3))) == [("r", 0), ("r", 1), ("r", 2)]
            future = pool.submit(dict, [(1, 2)], fn=2, self=3)  # pyright: ignore[reportCallIssue] - `dict` takes any
        assert future.result() == {1: 2, "fn": 2, "self": 3}


def test_a_loop_takes_the_executor() -> None:
    """`loop.run_in_executor` carries the run of the task that calls it."""

    async def look(pool: Executor, name: str) -> str | None:
        with run_context(name):
            return await asyncio.get_running_loop().run_in_executor(pool, current_run_id)

    async def main() -> None:
        with PropagatingExecutor(ThreadPoolExecutor(1)) as pool:
            assert await asyncio.gather(look(pool, "a"), look(pool, "b")) == ["a", "b"]

    asyncio.run(main())


def test_shutdown_is_the_executors() -> None:
    """Shut down, it cancels what waits if asked to, takes nothing more, and neither does what it is made of."""
    threads = ThreadPoolExecutor(1)
    pool = PropagatingExecutor(threads)
    gate = threading.Event()
    pool.submit(gate.wait, GRACE_S)
    waiting = pool.submit(current_run_id)
    pool.shutdown(wait=False, cancel_futures=True)
    assert waiting.cancelled()
    gate.set()
    for closed in (pool, threads):
        with pytest.raises(RuntimeError, match="after shutdown"):
            closed.submit(current_run_id)
    pool.shutdown()
    assert "ThreadPoolExecutor" in repr(pool)


def test_what_is_no_executor_of_threads_is_refused() -> None:
    """A pool of processes cannot carry a context, which is said at once, with what to do instead."""
    with pytest.raises(TypeError, match="takes an executor, not int"):
        PropagatingExecutor(4)  # pyright: ignore[reportArgumentType] - what is refused
    with ProcessPoolExecutor(1) as processes, pytest.raises(TypeError, match="each has a bus of its own"):
        PropagatingExecutor(processes)


# Agents


def test_parallel_tools_in_threads_land_in_the_right_run() -> None:
    """Sync tools of agents that work at once, each in threads and with a pool of its own, emit into their runs."""
    together = threading.Barrier(3)

    def meet(name: str) -> str:
        together.wait(GRACE_S)
        emit_sync("step", said=name)
        return name

    @tool
    def look(name: str) -> str:
        """Look."""
        meet(name)
        with PropagatingExecutor(ThreadPoolExecutor(2)) as pool:
            return "".join(pool.map(str, [name, pool.submit(current_run_id).result()]))

    async def work(name: str) -> None:
        with run(name, run_id=name):
            model = ScriptedModel([ToolCall("look", {"name": name}), f"{name} is done"])
            await Agent(model, tools=[look]).arun("Look.")

    async def main() -> None:
        await asyncio.gather(*map(work, "abc"))

    asyncio.run(main())
    for name in "abc":
        events = get_event_bus().history(name)
        assert [event.data["said"] for event in events if event.event_type == "step"] == [name]
        (completed,) = [event for event in events if event.event_type == "agent.tool.completed"]
        assert completed.data["output_preview"] == name * 2
        assert events[-1].event_type == "agent.terminate"
