from __future__ import annotations

import asyncio
import contextvars
from typing import TYPE_CHECKING, Any

import pytest

from locus_nb import (
    EventBus,
    Wakeup,
    emit,
    emit_sync,
    get_event_bus,
    reset_event_bus,
    run_context,
    set_run_id,
)
from locus_nb import _emit as emit_module
from tests.bus_kit import drain, in_threads, ns

if TYPE_CHECKING:
    from collections.abc import Callable


def test_both_put_an_event_of_the_current_run() -> None:
    """`await emit` and `emit_sync` publish type and payload under the current run, at once."""

    async def main() -> None:
        bus = get_event_bus()
        async with run_context("run"):
            await emit("agent.think", iteration=1)
            assert len(bus.history("run")) == 1
            emit_sync("agent.think", iteration=2)
            assert [dict(each.data) for each in bus.history("run")] == [{"iteration": 1}, {"iteration": 2}]
        assert {(each.run_id, each.event_type) for each in bus.history("run")} == {("run", "agent.think")}

    asyncio.run(main())


def test_outside_of_a_run_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a run both do nothing, count nothing, and make no bus."""
    asked: list[EventBus] = []

    def bus() -> EventBus:
        asked.append(get_event_bus())
        return asked[-1]

    monkeypatch.setattr(emit_module, "get_event_bus", bus)
    emit_sync("t", n=1)
    asyncio.run(emit("t", n=1))
    assert asked == []
    stats = get_event_bus().stats()
    assert (stats["published_events_total"], stats["emit_failures_total"]) == (0, 0)


def test_any_keyword_is_payload() -> None:
    """`run_id`, `event_type`, `data`, `self` and `timestamp` are legal payload keys."""
    payload: dict[str, Any] = {
        "run_id": 1,
        "event_type": 2,
        "data": 3,
        "self": 4,
        "timestamp": 5,
        "event_id": 6,
    }
    with run_context("run"):
        emit_sync("t", **payload)
        asyncio.run(emit("t", **payload))
    for each in get_event_bus().history("run"):
        assert (dict(each.data), each.run_id, each.event_type) == (payload, "run", "t")
    with pytest.raises(TypeError), run_context("run"):
        emit_sync(event_type="t")  # pyright: ignore[reportCallIssue]


@pytest.mark.parametrize("event_type", ["", None, 7, object()])
def test_what_cannot_be_published_is_counted(event_type: Any) -> None:
    """A bad event type raises nothing; it is counted as an emit failure."""
    with run_context("run"):
        emit_sync(event_type, n=1)
        asyncio.run(emit(event_type, n=1))
    stats = get_event_bus().stats()
    assert (stats["published_events_total"], stats["emit_failures_total"]) == (0, 2)


@pytest.mark.parametrize("run_id", ["", 7])
def test_a_bad_run_is_counted(run_id: Any) -> None:
    """A run id that `set_run_id` let through, but that names nothing, is counted as an emit failure."""

    def say() -> None:
        set_run_id(run_id)
        emit_sync("t")

    contextvars.copy_context().run(say)
    assert get_event_bus().stats()["emit_failures_total"] == 1


def test_a_bus_that_raises_does_not_break_the_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever `publish_nowait` raises stays inside `emit`, and is counted; an interrupt goes through."""
    bus = get_event_bus()

    errors: list[BaseException] = [KeyboardInterrupt(), RecursionError(), MemoryError(), RuntimeError("x")]

    def broken(_: object) -> None:
        raise errors.pop()

    monkeypatch.setattr(bus, "publish_nowait", broken)
    with run_context("run"):
        for _ in range(3):
            emit_sync("t")
        assert bus.stats()["emit_failures_total"] == 3
        with pytest.raises(KeyboardInterrupt):
            emit_sync("t")


def test_emitting_at_the_end_of_the_stack_leaves_the_bus_whole() -> None:
    """Emitted deeper and deeper until the recursion limit, nothing is lost, doubled or stuck."""
    bus = get_event_bus()
    reader = bus.subscribe("run")
    wakeup = Wakeup()
    said = 0

    def dig() -> None:
        nonlocal said
        reader.wake_with(wakeup)
        emit_sync("t", n=said)
        said += 1
        dig()

    with run_context("run"), pytest.raises(RecursionError):
        dig()
    with run_context("run"):
        emit_sync("t", n=-1)
    numbers = drain(reader)
    assert bus.stats()["published_events_total"] == len(numbers)
    assert numbers == [*range(len(numbers) - 1), -1]
    assert len(numbers) - 1 in {said, said + 1}


def test_emit_never_yields_to_the_loop() -> None:
    """`await emit` finishes in one step, full reader or not, so it keeps the order of the code."""
    bus = get_event_bus()

    async def main() -> None:
        kept = bus.subscribe("run")
        turns: list[int] = []

        async def bystander() -> None:
            while True:
                turns.append(1)
                await asyncio.sleep(0)

        task = asyncio.ensure_future(bystander())
        await asyncio.sleep(0)
        turns.clear()
        async with run_context("run"):
            for n in range(5_000):
                await emit("t", n=n)
        assert (turns, kept.backlog) == ([], 5_000)
        task.cancel()

    asyncio.run(main())


def test_mixed_emits_keep_the_order_of_the_code() -> None:
    """`await emit`, `emit_sync` and emits in `to_thread` of one run arrive in the order they were made."""

    async def main() -> None:
        everything = get_event_bus().subscribe_global()
        async with run_context("run"):
            for n in range(0, 300, 3):
                await emit("t", n=n)
                emit_sync("t", n=n + 1)
                await asyncio.to_thread(emit_sync, "t", n=n + 2)
        assert drain(everything) == list(range(300))

    asyncio.run(main())


def test_plain_threads_emit_in_order() -> None:
    """Threads without a loop, and with one, emit into their runs; each thread's order is kept."""

    def plain(name: str) -> None:
        with run_context(name):
            for n in range(500):
                emit_sync("t", n=n)

    def looping(name: str) -> None:
        async def main() -> None:
            async with run_context(name):
                for n in range(500):
                    await (emit("t", n=n) if n % 2 else _emit_sync(n))

        asyncio.run(main())

    works: list[Callable[[], None]] = [lambda name=name: plain(name) for name in "ab"]
    works += [lambda name=name: looping(name) for name in "cd"]
    in_threads(*works)
    for name in "abcd":
        assert ns(get_event_bus().history(name)) == list(range(500))


async def _emit_sync(n: int) -> None:
    emit_sync("t", n=n)


def test_emit_follows_a_reset() -> None:
    """After a reset in the midst of a run, events go to the new bus."""
    old = get_event_bus()
    with run_context("run"):
        emit_sync("t", n=0)
        reset_event_bus()
        emit_sync("t", n=1)
    assert ns(old.history("run")) == [0]
    assert ns(get_event_bus().history("run")) == [1]
    assert isinstance(get_event_bus(), EventBus)
