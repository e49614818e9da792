from __future__ import annotations

import asyncio
import gc
import time
from typing import TYPE_CHECKING, Any

import pytest

from locus_nb import EventBus, Wakeup, _bus
from tests.bus_kit import Clock, check_counts, drain, event, in_threads, ns, put

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from locus_nb import Subscription


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def bus(clock: Clock) -> EventBus:
    """A bus whose readers have room for 4 events, and for 64 more for one second."""
    return EventBus(max_queue_size=4, clock=clock)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The pauses that publishers made, none of which take time."""
    made: list[float] = []
    monkeypatch.setattr(_bus.time, "sleep", made.append)
    yield made
    monkeypatch.undo()


# Queue, overflow and the one second


@pytest.mark.parametrize("late, dropped", [(0.0, 0), (0.99, 0), (1.0, 6), (1.01, 6), (1e9, 6)])
def test_an_event_waits_at_most_one_second_for_room(
    bus: EventBus, clock: Clock, late: float, dropped: int
) -> None:
    """A reader that recovers in time loses nothing; after one second what found the queue full is dropped."""
    subscription = bus.subscribe("run")
    put(bus, range(10))
    assert (subscription.backlog, subscription.dropped) == (10, 0)
    clock.advance(late)
    assert drain(subscription) == list(range(10 - dropped))
    assert (subscription.dropped, bus.stats()["dropped_events_total"]) == (dropped, dropped)
    check_counts(subscription)


def test_the_timeout_is_an_option(clock: Clock) -> None:
    """`slow_timeout` is the seconds an event waits; 0 drops at once, infinity never."""
    for timeout, seconds, dropped in [(5.0, 4.9, 0), (5.0, 5.0, 2), (0.0, 0.0, 2), (float("inf"), 1e12, 0)]:
        bus = EventBus(max_queue_size=4, slow_timeout=timeout, clock=clock)
        subscription = bus.subscribe("run")
        put(bus, range(6))
        clock.advance(seconds)
        assert subscription.dropped == dropped


def test_each_event_has_a_second_of_its_own(bus: EventBus, clock: Clock) -> None:
    """The clock of each event starts when it was published."""
    subscription = bus.subscribe("run")
    put(bus, range(4))
    for n in range(4, 8):
        put(bus, [n])
        clock.advance(0.4)
    # Events 4 and 5 arrived 1.6 and 1.2 seconds ago, 6 and 7 have 0.2 and 0.6 left.
    assert (subscription.dropped, subscription.backlog) == (2, 6)
    clock.advance(0.2)
    assert (subscription.dropped, subscription.backlog) == (3, 5)
    assert drain(subscription) == [0, 1, 2, 3, 7]


def test_an_event_dates_from_its_publishing_not_from_its_handing_out(clock: Clock) -> None:
    """A lone event that nobody handed out yet is dropped one second after it was published."""
    bus = EventBus(max_queue_size=8, clock=clock)
    subscription = bus.subscribe("run")
    put(bus, range(8))
    put(bus, [8])
    assert bus._intake, "it should still wait to be handed out"
    clock.advance(1.0)
    assert (drain(subscription), subscription.dropped) == (list(range(8)), 1)


@pytest.mark.parametrize("seconds, dropped", [(0.99, 0), (1.01, 3)])
def test_room_made_in_time_lets_the_oldest_in(
    bus: EventBus, clock: Clock, seconds: float, dropped: int
) -> None:
    """Reading k events in time saves the k oldest in the overflow, and no more."""
    subscription = bus.subscribe("run")
    put(bus, range(9))
    clock.advance(seconds)
    # At 0.99 s the room that 3 reads make goes to 4, 5 and 6; at 1.01 s all five are gone already.
    assert [next(subscription).data["n"] for _ in range(3)] == [0, 1, 2]
    clock.advance(0.5)
    assert drain(subscription) == ([3, 4, 5, 6] if not dropped else [3])
    assert subscription.dropped == (2 if not dropped else 5)
    check_counts(subscription)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 64, 1024])
@pytest.mark.parametrize("seconds", [0.99, 1.01])
def test_a_reader_that_recovers_in_time_loses_nothing(clock: Clock, size: int, seconds: float) -> None:
    """With queue and whole overflow full, reading in time loses nothing, for queues of any size."""
    bus = EventBus(max_queue_size=size, clock=clock)
    one_by_one, in_batches, everything = bus.subscribe("run"), bus.subscribe("run"), bus.subscribe_global()
    put(bus, range(17 * size))
    clock.advance(seconds)
    kept = list(range(17 * size if seconds < 1 else size))
    put(bus, [-1])
    bus.close_stream_nowait("run")
    bus.close_global_nowait()
    beyond = [] if seconds < 1 else [-1]
    assert ns(one_by_one) == kept + beyond
    assert drain(in_batches) == drain(everything) == kept + beyond


@pytest.mark.parametrize("size", [1, 4, 64])
def test_a_reader_that_reads_while_it_is_behind_goes_on_in_order(clock: Clock, size: int) -> None:
    """One read for each publish with a full overflow: nothing is lost, order is kept, for ever."""
    bus = EventBus(max_queue_size=size, clock=clock)
    subscription = bus.subscribe("run")
    put(bus, range(17 * size))
    for n in range(17 * size, 40 * size):
        assert next(subscription).data["n"] == n - 17 * size
        put(bus, [n])
        clock.advance(0.5 / (17 * size))
    assert (subscription.dropped, subscription.backlog) == (0, 17 * size)


def test_the_overflow_is_bounded(bus: EventBus) -> None:
    """Beyond 16 queues of overflow an event is dropped at once; the oldest are kept, in order."""
    subscription = bus.subscribe("run")
    put(bus, range(100))
    assert (subscription.backlog, subscription.dropped) == (4 + 64, 32)
    put(bus, range(100, 103))
    assert (subscription.backlog, subscription.dropped) == (68, 35)
    assert drain(subscription) == list(range(68))
    put(bus, [103])
    assert drain(subscription) == [103]
    check_counts(subscription)


def test_a_burst_handed_out_at_once_is_split_as_single_events_are(clock: Clock) -> None:
    """What fits the queue, what fits the overflow and what is dropped does not depend on slices."""
    bus = EventBus(max_queue_size=100, overflow_queues=1, clock=clock)
    subscription = bus.subscribe("run")
    with bus._lock:
        bus._busy = True
        put(bus, range(250))
        bus._busy = False
    assert (subscription.backlog, subscription.dropped) == (200, 50)
    clock.advance(1.0)
    assert (drain(subscription), subscription.dropped) == (list(range(100)), 150)


def test_closing_stops_the_clock(bus: EventBus, clock: Clock) -> None:
    """What waits in the overflow when the stream is closed is delivered, however late it is read."""
    subscription, everything = bus.subscribe("run"), bus.subscribe_global()
    put(bus, range(20))
    clock.advance(0.99)
    bus.close_stream_nowait("run")
    bus.close_global_nowait()
    clock.advance(1e6)
    put(bus, [20])
    assert ns(subscription) == ns(everything) == list(range(20))
    assert bus.stats()["dropped_events_total"] == 0


def test_closing_too_late_delivers_what_was_kept(bus: EventBus, clock: Clock) -> None:
    """Closing after the second is over brings nothing back."""
    subscription = bus.subscribe("run")
    put(bus, range(6))
    clock.advance(1.0)
    bus.close_stream_nowait("run")
    assert (ns(subscription), subscription.dropped) == ([0, 1, 2, 3], 2)


def test_a_batch_tells_how_many_were_dropped_since_the_last(bus: EventBus, clock: Clock) -> None:
    """`Batch.dropped` counts from batch to batch, also when there is nothing else to tell."""
    subscription = bus.subscribe("run")
    put(bus, range(7))
    clock.advance(1.0)
    batch = subscription.next_batch_nowait()
    assert batch is not None
    assert (ns(batch.events), batch.dropped, batch.closed) == ([0, 1, 2, 3], 3, False)
    assert subscription.next_batch_nowait() is None
    put(bus, range(5))
    assert drain(subscription) == [0, 1, 2, 3, 4]
    put(bus, range(6))
    clock.advance(1.0)
    subscription.close()
    batch = subscription.next_batch_nowait()
    assert batch is not None
    assert (batch.events, batch.dropped, batch.closed) == ((), 2, True)
    assert batch
    assert subscription.next_batch_nowait() == ((), True, 0, ())
    check_counts(subscription)


@pytest.mark.parametrize("count", [9, 60, 5_000])
def test_peak_backlog_is_the_highest_there_was(bus: EventBus, count: int) -> None:
    """`peak_backlog` is the highest backlog that a reader had, however it reads; what is dropped is not in it."""
    subscription = bus.subscribe("run")
    put(bus, range(count))
    highest = subscription.backlog
    assert next(subscription).data["n"] == 0
    drain(subscription)
    put(bus, range(3))
    drain(subscription)
    assert subscription.peak_backlog == highest


# Neither the publisher nor another reader waits


def test_a_full_reader_delays_nobody(bus: EventBus, clock: Clock, pauses: list[float]) -> None:
    """Beside three stuck readers a publisher never pauses or yields, and a fast reader gets everything."""
    stuck = [bus.subscribe("run"), bus.subscribe("run"), bus.subscribe_global()]
    fast = bus.subscribe("run")
    clock.advance(0.1)
    for n in range(500):
        with pytest.raises(StopIteration):
            bus.publish(event(n)).send(None)
        assert drain(fast) == [n]
    assert pauses == []
    assert [each.backlog for each in stuck] == [68] * 3
    assert [each.dropped for each in stuck] == [432] * 3
    assert (fast.dropped, fast.delivered) == (0, 500)


def test_a_slow_reader_loses_for_itself_alone(bus: EventBus, clock: Clock) -> None:
    """Drops are counted for the reader that was slow, and in total."""
    slow, other = bus.subscribe("run"), bus.subscribe_global()
    for n in range(20):
        put(bus, [n])
        clock.advance(0.3)
        assert drain(other) == [n]
    assert (other.dropped, bus.stats()["dropped_events_total"]) == (0, slow.dropped)
    assert slow.dropped == 13
    assert drain(slow) == [0, 1, 2, 3, 17, 18, 19]
    check_counts(slow)


def test_idle_readers_stay_asleep_while_another_one_lags(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader with a full overflow and drops behind it does not keep waking those that wait."""

    async def main() -> None:
        bus = EventBus(max_queue_size=2, overflow_queues=1, clock=clock)
        stuck = [bus.subscribe("run"), bus.subscribe_global()]
        idle = [bus.subscribe("run"), bus.subscribe("run"), bus.subscribe_global(), bus.subscribe_global()]
        put(bus, range(10))
        assert [each.dropped for each in stuck] == [6, 6]
        for each in idle:
            drain(each)
        tasks = [asyncio.ensure_future(anext(each)) for each in idle]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        looks, take = [], bus.take

        def counted(*arguments: Any) -> Any:
            looks.append(1)
            return take(*arguments)

        monkeypatch.setattr(bus, "take", counted)
        for _ in range(50):
            await asyncio.sleep(0)
        assert looks == []
        put(bus, [10])
        assert ns(await asyncio.gather(*tasks)) == [10] * 4

    asyncio.run(main())


# Stepping aside


async def _read_events(subscription: Subscription) -> list[int]:
    return [each.data["n"] async for each in subscription]


async def _read_batches(subscription: Subscription) -> list[int]:
    numbers: list[int] = []
    while batch := await subscription.next_batch():
        numbers += ns(batch.events)
    return numbers


@pytest.mark.parametrize("size", [1, 2, 10, 1024])
@pytest.mark.parametrize("read", [_read_events, _read_batches])
def test_a_tight_burst_of_five_queues_loses_nothing(
    clock: Clock, size: int, read: Callable[[Subscription], asyncio.Future[list[int]]]
) -> None:
    """`await publish` gives willing readers on the loop their turn: a burst needs no overflow at all."""

    async def main() -> None:
        bus = EventBus(max_queue_size=size, overflow_queues=0, clock=clock)
        subscriptions = [bus.subscribe("run"), bus.subscribe("run"), bus.subscribe_global()]
        tasks = [asyncio.ensure_future(read(each)) for each in subscriptions]
        await asyncio.sleep(0)
        for n in range(5 * size):
            await bus.publish(event(n))
        await bus.close_stream("run")
        await bus.close_global()
        assert await asyncio.gather(*tasks) == [list(range(5 * size))] * 3
        assert bus.stats()["dropped_events_total"] == 0

    asyncio.run(main())


def test_a_reader_made_outside_of_the_loop_gets_its_turn_too(clock: Clock) -> None:
    """A subscription made before the loop ran, never without something to read, loses nothing of a burst."""
    bus = EventBus(max_queue_size=10, overflow_queues=1, clock=clock)
    put(bus, range(10))
    subscription = bus.subscribe("run")

    async def read() -> list[int]:
        numbers: list[int] = []
        async for each in subscription:
            numbers.append(each.data["n"])
            if subscription.backlog < 2:
                await asyncio.sleep(0)
        return numbers

    async def main() -> None:
        task = asyncio.ensure_future(read())
        await asyncio.sleep(0)
        for n in range(10, 500):
            await bus.publish(event(n))
        await bus.close_stream("run")
        assert await task == list(range(500))

    asyncio.run(main())


def test_publish_does_not_yield_for_a_reader_that_does_not_move(clock: Clock, pauses: list[float]) -> None:
    """Once a reader has not moved for 50 ms, a burst gives nobody else on the loop a turn, and never pauses."""

    async def main() -> None:
        bus = EventBus(max_queue_size=4, clock=clock)
        turns: list[int] = []

        async def bystander() -> None:
            while True:
                turns.append(1)
                await asyncio.sleep(0)

        stuck = [bus.subscribe("run"), bus.subscribe_global(), *in_threads(lambda: bus.subscribe("run"))]
        task = asyncio.ensure_future(bystander())
        await asyncio.sleep(0)
        clock.advance(0.051)
        turns.clear()
        for n in range(100):
            await bus.publish(event(n))
        assert (turns, pauses) == ([], [])
        next(stuck[0])
        for n in range(100):
            await bus.publish(event(n))
        assert len(turns) == 50
        task.cancel()

    asyncio.run(main())


def test_publish_yields_at_most_once_per_half_queue(clock: Clock) -> None:
    """One `await publish` gives the loop at most one turn, and only every half queue."""
    bus = EventBus(max_queue_size=10, clock=clock)

    async def main() -> None:
        subscription = bus.subscribe("run")
        await asyncio.sleep(0)
        yields = []
        for n in range(50):
            publishing = bus.publish(event(n))
            try:
                publishing.send(None)
            except StopIteration:
                yields.append(0)
            else:
                yields.append(1)
                with pytest.raises(StopIteration):
                    publishing.send(None)
        assert yields == [0, 0, 0, 0, 1] * 10
        assert subscription.backlog == 50

    asyncio.run(main())


def test_a_foreign_thread_pauses_for_a_moving_reader(clock: Clock, pauses: list[float]) -> None:
    """For a reader in another thread it pauses 0.1 ms per half queue of backlog while it moves, then never."""
    bus = EventBus(max_queue_size=10, clock=clock)
    (subscription,) = in_threads(lambda: bus.subscribe("run"))

    async def burst() -> None:
        for n in range(20):
            await bus.publish(event(n))

    asyncio.run(burst())
    assert pauses == pytest.approx([0.0001, 0.0002, 0.0003, 0.0004])
    clock.advance(0.051)
    asyncio.run(burst())
    assert len(pauses) == 4
    next(subscription)
    asyncio.run(burst())
    assert len(pauses) == 8
    clock.advance(0.05)
    asyncio.run(burst())
    assert len(pauses) == 12
    clock.advance(0.001)
    asyncio.run(burst())
    assert len(pauses) == 12


@pytest.mark.parametrize("size", [1, 2, 1024])
def test_no_pause_is_long_and_replay_makes_none_longer(size: int, clock: Clock, pauses: list[float]) -> None:
    """However far behind a moving reader is, and however much history it began with, a pause takes 1 ms at most."""
    bus = EventBus(max_queue_size=size, history_per_run=50_000, overflow_queues=100, clock=clock)
    put(bus, range(30_000))
    (late,) = in_threads(lambda: bus.subscribe("run"))
    assert next(late).data["n"] == 0

    async def burst() -> None:
        for n in range(size):
            await bus.publish(event(n))

    asyncio.run(burst())
    assert 0 < max(pauses) < 0.00021
    for _ in range(60):
        asyncio.run(burst())
    assert max(pauses) == pytest.approx(0.001)


def test_a_foreign_thread_pauses_for_a_reader_that_it_has_just_woken(
    clock: Clock, pauses: list[float]
) -> None:
    """A reader that slept for long, as it had nothing to read, counts as moving from the moment it is woken."""
    bus = EventBus(max_queue_size=8, clock=clock)
    subscription, wakeup = bus.subscribe("run"), Wakeup()
    assert subscription.wake_with(wakeup)
    clock.advance(3_600)

    async def burst() -> None:
        for n in range(8):
            await bus.publish(event(n))

    asyncio.run(burst())
    assert pauses == pytest.approx([0.0001, 0.0002])


def test_publish_nowait_never_pauses(clock: Clock, pauses: list[float]) -> None:
    """`publish_nowait` neither sleeps nor yields, and keeps queue plus overflow for a reader that moves."""

    async def main() -> None:
        bus = EventBus(max_queue_size=4, clock=clock)
        here = bus.subscribe("run")
        (elsewhere,) = in_threads(lambda: bus.subscribe("run"))
        task = asyncio.ensure_future(_read_events(here))
        await asyncio.sleep(0)
        put(bus, range(100))
        assert (here.backlog, elsewhere.backlog, here.delivered) == (68, 68, 0)
        assert pauses == []
        await bus.close_stream("run")
        assert await task == list(range(68))

    asyncio.run(main())


def test_readers_of_other_runs_are_not_waited_for(clock: Clock, pauses: list[float]) -> None:
    """A publisher has no reason to pause when the readers have nothing to read."""
    bus = EventBus(max_queue_size=4, clock=clock)
    in_threads(lambda: bus.subscribe("other"))
    for n in range(50):
        with pytest.raises(StopIteration):
            bus.publish(event(n)).send(None)
    assert pauses == []


# Readers that are gone


def test_a_reader_on_a_closed_loop_costs_nothing(clock: Clock) -> None:
    """Its loop closed under it, a waiting reader is woken in vain once, and publishing goes on as before."""
    bus = EventBus(max_queue_size=4, clock=clock)
    loop = asyncio.new_event_loop()
    subscription = bus.subscribe("run")
    waiting = loop.create_task(anext(subscription))  # pyright: ignore[reportArgumentType]
    loop.call_soon(loop.stop)
    loop.run_forever()
    assert bus._parked
    loop.close()
    put(bus, [0])
    assert not bus._parked
    put(bus, range(1, 200))
    assert subscription.backlog == 68
    # The same subscription can be read elsewhere now.
    assert next(subscription).data["n"] == 0
    assert asyncio.run(_first(subscription)) == 1
    check_counts(subscription)
    waiting._log_destroy_pending = False  # pyright: ignore[reportAttributeAccessIssue]
    del waiting
    gc.collect()


async def _first(subscription: Subscription) -> int:
    return (await anext(subscription)).data["n"]


def test_a_reader_whose_loop_is_blocked_costs_one_wake_up(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader asleep on a loop that does not turn is woken once, not once per publish."""
    wakes: list[object] = []

    async def main() -> None:
        bus = EventBus(max_queue_size=1000, clock=clock)
        loop = asyncio.get_running_loop()
        tasks = [asyncio.ensure_future(anext(bus.subscribe("run"))) for _ in range(5)]
        await asyncio.sleep(0)
        wake = loop.call_soon_threadsafe

        def counted(*arguments: Any) -> object:
            wakes.append(arguments)
            return wake(*arguments)

        monkeypatch.setattr(loop, "call_soon_threadsafe", counted)
        in_threads(lambda: put(bus, range(100)))
        assert len(wakes) == 1
        assert ns(await asyncio.gather(*tasks)) == [0] * 5

    asyncio.run(main())


def test_stuck_readers_do_not_make_publishing_dearer(clock: Clock) -> None:
    """With a stuck reader beside it a publish does no more work per event than without, but for half queues."""
    settled: list[int] = []

    class Counting(EventBus):
        def _work_off(self) -> None:
            settled.append(1)
            super()._work_off()

    for stuck in (0, 1, 20):
        bus = Counting(max_queue_size=100, clock=clock)
        kept = [bus.subscribe("run") for _ in range(stuck)]
        settled.clear()
        put(bus, range(5_000))
        assert len(settled) == 100
        assert len(kept) == stuck


def test_the_real_clock_is_monotonic_time() -> None:
    """Without a clock of its own the bus reads `time.monotonic`, so a change of the date moves nothing."""
    assert EventBus()._clock is time.monotonic
