from __future__ import annotations

import asyncio
import contextvars
import threading
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from locus_nb import _entered, current_run_id, emit_sync, get_event_bus, reset_run_id, run_context, set_run_id
from tests.bus_kit import GRACE_S, drain, in_threads, ns, put, python

if TYPE_CHECKING:
    from collections.abc import Generator


def test_outside_of_a_run_there_is_none() -> None:
    """`current_run_id` is None outside of a run."""
    assert current_run_id() is None


def test_with_and_async_with_yield_the_id_and_restore() -> None:
    """Both statements yield the given id, set it inside, and restore what was before."""

    async def main() -> None:
        async with run_context("a") as run_id:
            assert (run_id, current_run_id()) == ("a", "a")
            with run_context("b") as inner:
                assert (inner, current_run_id()) == ("b", "b")
            assert current_run_id() == "a"
        assert current_run_id() is None

    asyncio.run(main())


def test_without_an_id_a_fresh_one_is_made() -> None:
    """Each context without an id has a unique one."""
    ids = set()
    for _ in range(100):
        with run_context() as run_id:
            assert current_run_id() == run_id
            ids.add(run_id)
    assert len(ids) == 100
    assert all(isinstance(each, str) and each for each in ids)


@pytest.mark.parametrize("run_id, error", [("", ValueError), (7, TypeError), (b"r", TypeError)])
def test_a_bad_id_is_refused(run_id: Any, error: type[Exception]) -> None:
    """A context that cannot name a run is not made."""
    with pytest.raises(error, match="run id"):
        run_context(run_id)
    assert current_run_id() is None


def test_an_error_inside_restores_and_goes_on() -> None:
    """An exception passes through, and the run is left."""
    with pytest.raises(ZeroDivisionError), run_context("a"):
        raise ZeroDivisionError
    assert current_run_id() is None


def test_a_context_is_entered_once() -> None:
    """Entering the same object again is a RuntimeError, nested or later; the run stays right."""
    context = run_context("a")
    with context:
        with pytest.raises(RuntimeError, match="entered before"), context:
            pass
        assert current_run_id() == "a"
    with pytest.raises(RuntimeError, match="entered before"), context:
        pass
    assert current_run_id() is None


def test_it_puts_no_event_of_its_own_and_does_not_close() -> None:
    """Entering and leaving publishes nothing and leaves the stream open."""
    bus = get_event_bus()
    everything = bus.subscribe_global()
    with run_context("a"):
        reader = bus.subscribe("a")
    assert not reader.closed
    batch = everything.next_batch_nowait()
    assert batch is not None
    assert (batch.events, [record.run_id for record in batch.runs]) == ((), ["a"])
    assert bus.stats()["published_events_total"] == 0
    assert bus.history("a") == ()


def test_a_run_is_running_until_its_stream_is_closed() -> None:
    """Its record is there from the start: running, then ok, or error if `agent.terminate` says so."""
    bus = get_event_bus()
    for run_id, reason, status in [("a", "complete", "ok"), ("b", "error", "error")]:
        with run_context(run_id):
            emit_sync("agent.terminate", reason=reason)
        record = bus.run_record(run_id)
        assert record is not None
        assert record.status == "running"
        bus.close_stream_nowait(run_id)
        record = bus.run_record(run_id)
        assert record is not None
        assert record.status == status


def test_entering_a_closed_run_opens_it_again() -> None:
    """A re-run cell can be followed live: history first, then what is new, nothing late."""
    bus = get_event_bus()
    for turn in range(3):
        with run_context("run"):
            reader = bus.subscribe("run")
            put(bus, [turn])
            assert (drain(reader), reader.closed) == (list(range(turn + 1)), False)
        bus.close_stream_nowait("run")
        assert ns(bus.subscribe("run")) == list(range(turn + 1))
        assert reader.closed
    assert bus.stats()["late_events_total"] == 0


def test_tasks_and_to_thread_keep_the_run_and_each_other_apart() -> None:
    """Concurrent tasks have runs of their own; a thread of `asyncio.to_thread` has its task's."""

    async def dispatch(run_id: str) -> list[str | None]:
        async with run_context(run_id):
            seen = [current_run_id()]
            await asyncio.sleep(0)
            seen.append(await asyncio.to_thread(current_run_id))
            seen.append(await asyncio.create_task(_current()))
            return seen

    async def main() -> None:
        assert await asyncio.gather(dispatch("a"), dispatch("b")) == [["a"] * 3, ["b"] * 3]
        assert current_run_id() is None

    asyncio.run(main())


async def _current() -> str | None:
    await asyncio.sleep(0)
    return current_run_id()


def test_a_bare_thread_enters_the_run_itself() -> None:
    """A thread started inside a run is outside of it until it enters."""
    seen: list[str | None] = []

    def work() -> None:
        seen.append(current_run_id())
        with run_context("run"):
            seen.append(current_run_id())

    with run_context("run"):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert seen == [None, "run"]


def test_a_run_left_in_another_context_restores_without_the_token() -> None:
    """Entered in one cell with top-level await and left in another: no "different Context" error, and no run there."""
    first, second = contextvars.copy_context(), contextvars.copy_context()
    outer, inner = run_context("outer"), run_context("inner")
    first.run(outer.__enter__)
    first.run(inner.__enter__)
    second.run(inner.__exit__, None, None, None)
    assert second.run(current_run_id) is None
    second.run(outer.__exit__, None, None, None)
    assert second.run(current_run_id) is None
    assert first.run(current_run_id) is None
    assert current_run_id() is None


def test_a_run_left_in_another_run_leaves_that_alone() -> None:
    """Runs of a task that starts, left in the run of the task that stops: what that emits all stays in its own."""

    async def start(stack: ExitStack) -> None:
        stack.enter_context(run_context("outer"))
        stack.enter_context(run_context("inner"))

    async def stop(stack: ExitStack) -> str | None:
        with run_context("shutdown"):
            emit_sync("before")
            stack.close()
            emit_sync("after")
        return current_run_id()

    async def main() -> None:
        stack = ExitStack()
        await asyncio.create_task(start(stack))
        assert await asyncio.create_task(stop(stack)) is None

    asyncio.run(main())
    assert [each.event_type for each in get_event_bus().history("shutdown")] == ["before", "after"]


def test_runs_left_in_any_order_leave_those_that_are_open() -> None:
    """Whatever is left first, the innermost that is open is current, also where nobody asked in between."""
    first, second, third, fourth = (set_run_id(f"run-{n}") for n in range(4))
    for token in (third, fourth, first):
        reset_run_id(token)
    assert current_run_id() == "run-1"
    reset_run_id(second)
    assert current_run_id() is None


def test_runs_left_elsewhere_leave_those_that_are_open() -> None:
    """As above, where the innermost was left in another context."""
    first, second, third = (set_run_id(f"run-{n}") for n in range(3))
    contextvars.copy_context().run(reset_run_id, third)
    reset_run_id(first)
    assert current_run_id() == "run-1"
    reset_run_id(second)
    assert current_run_id() is None


def test_a_run_left_in_several_threads_at_once_comes_back_in_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads that are each in a run of their own, and leave the one around it at once, are in none afterwards."""
    together, put_under = threading.Barrier(3), _entered._put_under

    def slowly(*blocks: Any) -> Any:
        together.wait(GRACE_S)
        return put_under(*blocks)

    monkeypatch.setattr(_entered, "_put_under", slowly)
    seen: list[str | None] = []

    def work() -> None:
        with run_context("inner"):
            reset_run_id(outer)
            together.wait(GRACE_S)
        seen.append(current_run_id())

    outer = set_run_id("outer")
    in_threads(*[partial(contextvars.copy_context().run, work) for _ in range(3)])
    assert seen == [None] * 3
    reset_run_id(outer)


@pytest.mark.parametrize("later", [run_context, set_run_id], ids=["run_context", "set_run_id"])
def test_a_run_left_from_under_another_one_is_not_restored(later: Any) -> None:
    """In a copy of the context of two runs, left below a third, neither comes back when that is left."""

    def entered(name: str) -> run_context:
        context = run_context(name)
        context.__enter__()
        return context

    home = contextvars.copy_context()
    outer, inner = home.run(entered, "outer"), home.run(entered, "inner")
    begun_inside = home.run(contextvars.copy_context)

    def leave_both() -> list[str | None]:
        third = later("third")
        if later is run_context:
            third.__enter__()
        seen: list[str | None] = []
        for context in (inner, outer):
            context.__exit__(None, None, None)
            seen.append(current_run_id())
        if later is run_context:
            third.__exit__(None, None, None)
        else:
            reset_run_id(third)
        return [*seen, current_run_id()]

    assert begun_inside.run(leave_both) == ["third", "third", None]
    assert home.run(current_run_id) is None


def test_of_two_runs_left_from_under_another_one_the_outer_may_stay() -> None:
    """Left below a third, a run gives way to the one around it when that third is left."""
    home = contextvars.copy_context()
    outer, inner = run_context("outer"), run_context("inner")
    home.run(outer.__enter__)
    home.run(inner.__enter__)
    begun_inside = home.run(contextvars.copy_context)

    def leave() -> tuple[str | None, str | None]:
        with run_context("third"):
            inner.__exit__(None, None, None)
            within = current_run_id()
        return within, current_run_id()

    assert begun_inside.run(leave) == ("third", "outer")
    assert begun_inside.run(outer.__exit__, None, None, None) is None
    assert begun_inside.run(current_run_id) is None


def test_a_run_left_in_another_context_is_left_where_it_was_entered() -> None:
    """Nobody is in it there any more, nor is anything emitted into it; what was begun inside keeps it."""

    def entered() -> tuple[run_context, contextvars.Context]:
        context = run_context("inner")
        context.__enter__()
        return context, contextvars.copy_context()

    def after() -> str | None:
        emit_sync("late")
        return current_run_id()

    with run_context("outer"):
        home = contextvars.copy_context()
    context, begun_inside = home.run(entered)
    contextvars.copy_context().run(context.__exit__, None, None, None)
    assert begun_inside.run(after) == "inner"
    # The one that emits is the first to ask.
    assert home.run(after) == "outer"
    assert begun_inside.run(after) == "inner"
    assert [len(get_event_bus().history(run_id)) for run_id in ("inner", "outer")] == [2, 1]


def test_runs_that_overlap_are_each_left() -> None:
    """Of two that are not nested the later one stays current when the earlier is left, and then neither is."""

    def steps(name: str) -> Generator[str | None]:
        with run_context(name):
            yield current_run_id()
            yield current_run_id()

    with run_context("outer"):
        assert list(zip(steps("a"), steps("b"), strict=True)) == [("a", "b"), ("b", "b")]
        assert current_run_id() == "outer"
        first, second = run_context("a"), run_context("b")
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert current_run_id() == "b"
        second.__exit__(None, None, None)
        assert current_run_id() == "outer"
    assert current_run_id() is None


def test_a_run_entered_in_an_await_cell_binds_that_cell_only() -> None:
    """What is set in one task's context is not seen in the next one."""

    async def cell_one(context: run_context) -> str | None:
        await context.__aenter__()
        return current_run_id()

    async def cell_two(context: run_context) -> str | None:
        before = current_run_id()
        await context.__aexit__(None, None, None)
        return before or current_run_id()

    async def main() -> None:
        context = run_context("run")
        assert await asyncio.create_task(cell_one(context)) == "run"
        assert await asyncio.create_task(cell_two(context)) is None

    asyncio.run(main())


def test_set_and_reset_go_together() -> None:
    """`set_run_id` gives the token that `reset_run_id` takes, once, also in another context; None is allowed."""
    token = set_run_id("a")
    inner = set_run_id(None)
    assert current_run_id() is None
    reset_run_id(inner)
    assert current_run_id() == "a"
    contextvars.copy_context().run(reset_run_id, token)
    reset_run_id(token)
    assert current_run_id() is None
    with pytest.raises(RuntimeError):
        reset_run_id(token)


def test_many_threads_in_many_runs_do_not_meet() -> None:
    """Each thread sees its own runs only."""
    together = threading.Barrier(4)

    def work(name: str) -> bool:
        together.wait()
        for n in range(200):
            with run_context(f"{name}-{n}") as run_id:
                assert current_run_id() == run_id
        return current_run_id() is None

    assert all(in_threads(*(lambda name=name: work(name) for name in "abcd")))


def test_a_process_belongs_to_the_run_in_its_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """`LOCUS_RUN_ID` is the current run wherever no other is: at first, in threads, and after a run was left."""
    script = """
import contextvars
from threading import Thread
from locus_nb import _entered, current_run_id, emit_sync, get_event_bus, reset_run_id, run_context, set_run_id
emit_sync("step")
thread = Thread(target=emit_sync, args=["step"])
thread.start()
thread.join()
with run_context("inner"):
    print(current_run_id())
contextvars.copy_context().run(reset_run_id, set_run_id("other"))
token = contextvars.Context().run(set_run_id, "elsewhere")
reset_run_id(token)
print(current_run_id(), len(get_event_bus().history("r")))
"""
    monkeypatch.setenv("LOCUS_RUN_ID", "r")
    assert python(script) == "inner\nr 2\n"
    monkeypatch.setenv("LOCUS_RUN_ID", "")
    assert python("from locus_nb import current_run_id; print(current_run_id())") == "None\n"
