from __future__ import annotations

import _thread
import asyncio
import contextlib
import gc
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from locus_nb import EventBus, StreamEvent, emit, emit_sync, get_event_bus, reset_event_bus, run_context

PATIENCE_S = 60.0


def numbered(run_id: str, number: int) -> StreamEvent:
    """Make an event that says where it stands in its publisher's order."""
    return StreamEvent(run_id, "storm.tick", {"n": number})


def assert_whole(events: list[StreamEvent], publishers: int, each: int) -> None:
    """Each publisher's events are all there, in its order, and the bus's order is kept."""
    assert [event.seq for event in events] == list(range(1, publishers * each + 1))
    for publisher in range(publishers):
        mine = [event.data["n"] for event in events if event.run_id == f"run-{publisher}"]
        assert mine == list(range(each))


@pytest.mark.parametrize("repeat", range(3))
def test_threads_with_loops_of_their_own(repeat: int) -> None:
    """Four threads, each with its loop, publish 5,000 events each: a reader on the main loop gets all, in order."""
    bus = EventBus()
    subscription = bus.subscribe_global()

    async def publish(publisher: int) -> None:
        for number in range(5000):
            await bus.publish(numbered(f"run-{publisher}", number))

    async def read() -> list[StreamEvent]:
        events: list[StreamEvent] = []
        async for event in subscription:
            events.append(event)
            if len(events) == 20_000:
                break
        return events

    async def main() -> list[StreamEvent]:
        working = [asyncio.to_thread(asyncio.run, publish(publisher)) for publisher in range(4)]
        reading = asyncio.create_task(read())
        await asyncio.gather(*working)
        return await asyncio.wait_for(reading, PATIENCE_S)

    events = asyncio.run(main())
    assert_whole(events, 4, 5000)
    assert bus.stats()["dropped_events_total"] == 0


def test_mixed_emits_keep_each_threads_order() -> None:
    """`emit` and `emit_sync` in turn, from plain threads and from loops, stay in the order they were called in."""
    subscription = get_event_bus().subscribe_global()

    async def in_a_loop(number: int) -> None:
        await emit("storm.tick", n=number)
        emit_sync("storm.tick", n=number + 1)

    def work(publisher: int) -> None:
        with run_context(f"run-{publisher}"):
            for number in range(0, 600, 3):
                emit_sync("storm.tick", n=number)
                if publisher % 2:
                    asyncio.run(in_a_loop(number + 1))
                else:
                    emit_sync("storm.tick", n=number + 1)
                    emit_sync("storm.tick", n=number + 2)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    get_event_bus().close_global_nowait()
    assert_whole(list(subscription), 4, 600)


def test_everybody_ends_when_the_bus_is_reset_amid_publishing() -> None:
    """Readers in threads and in loops of their own all end when the bus is reset, while others publish."""
    bus = get_event_bus()
    publishing = threading.Event()

    def read_in_thread(subscription: Any) -> list[int]:
        return [event.seq for event in subscription]

    async def read_in_loop(subscription: Any) -> list[int]:
        return [event.seq async for event in subscription]

    def publish() -> None:
        for number in range(4000):
            bus.publish_nowait(numbered("run-0", number))
            if number == 500:
                publishing.set()

    subscriptions = [bus.subscribe("run-0") for _ in range(6)] + [bus.subscribe_global() for _ in range(6)]
    with ThreadPoolExecutor(16) as pool:
        readers = [
            pool.submit(asyncio.run, read_in_loop(subscription))
            if number % 2
            else pool.submit(read_in_thread, subscription)
            for number, subscription in enumerate(subscriptions)
        ]
        publisher = pool.submit(publish)
        assert publishing.wait(PATIENCE_S)
        reset_event_bus()
        publisher.result(PATIENCE_S)
        for reader in readers:
            seen = reader.result(PATIENCE_S)
            assert seen == sorted(set(seen))
    for subscription in subscriptions:
        stats = subscription.stats()
        assert stats.offered == stats.delivered + stats.dropped + stats.discarded + stats.backlog
    assert bus.stats()["published_events_total"] == 4000


def test_garbage_may_publish_at_any_moment() -> None:
    """Objects whose `__del__` publishes, collected while the bus hands out, lose nothing and lock nothing."""
    bus = EventBus()
    made = 0

    class Ring:
        def __init__(self) -> None:
            self.ring = self

        def __del__(self) -> None:
            bus.publish_nowait(StreamEvent("garbage", "storm.last_words", {}))

    subscription = bus.subscribe_global()
    thresholds = gc.get_threshold()
    gc.set_threshold(5, 2, 2)
    try:
        for number in range(3000):
            Ring()
            made += 1
            bus.publish_nowait(numbered("run-0", number))
            if number % 50 == 0:
                bus.subscribe("run-0").close()
    finally:
        gc.set_threshold(*thresholds)
    gc.collect()
    bus.close_global_nowait()
    events = list(subscription)
    assert [event.seq for event in events] == list(range(1, 3000 + made + 1))
    assert [event.data["n"] for event in events if event.run_id == "run-0"] == list(range(3000))


def test_interrupts_lose_nothing() -> None:
    """Hundreds of Ctrl-C into a publishing main thread: nothing lost, doubled, reordered or left locked."""
    bus = EventBus(max_queue_size=64, history_per_run=50)
    everything, stalled = bus.subscribe_global(), bus.subscribe("run-1")
    seen: list[int | None] = []
    reader = threading.Thread(target=lambda: seen.extend(event.seq for event in everything))
    reader.start()
    struck, enough, armed = 0, threading.Event(), False

    def interrupt(*_: object) -> None:
        nonlocal struck
        if armed:
            struck += 1
            raise KeyboardInterrupt

    def strike() -> None:
        while not enough.wait(0.0005):
            _thread.interrupt_main()

    pest = threading.Thread(target=strike)
    before = signal.signal(signal.SIGINT, interrupt)
    pest.start()
    number = 0
    try:
        while struck < 300:
            with contextlib.suppress(KeyboardInterrupt):
                armed = True
                while True:
                    bus.publish_nowait(numbered(f"run-{number % 3}", number))
                    number += 1
                    if number % 500 == 0:
                        bus.stats()
                        bus.subscribe("run-2").close()
            armed = False
    finally:
        armed = False
        enough.set()
        pest.join()
        signal.signal(signal.SIGINT, before)
    bus.close_global_nowait()
    reader.join(PATIENCE_S)
    assert not reader.is_alive()
    assert seen == sorted(set(seen))  # pyright: ignore[reportArgumentType] - published events have a seq
    for subscription in (everything, stalled):
        stats = subscription.stats()
        assert stats.offered == stats.delivered + stats.dropped + stats.discarded + stats.backlog
    assert everything.delivered == len(seen)
    assert everything.offered == bus.stats()["published_events_total"]
