from __future__ import annotations

import asyncio
import gc
import threading
import warnings
from typing import TYPE_CHECKING, Any

import pytest

from locus_nb import Batch, EventBus, LocusError, SubscriptionBusyError, Wakeup
from tests.bus_kit import GRACE_S, check_counts, drain, event, in_threads, ns, put

if TYPE_CHECKING:
    from locus_nb import Subscription


def _asleep(bus: EventBus) -> int:
    with bus._lock:
        return sum(len(sleepers) for sleepers in bus._parked.values())


async def _until_asleep(bus: EventBus, count: int = 1) -> None:
    while _asleep(bus) < count:
        await asyncio.sleep(0)


# Ways of reading


def test_three_ways_of_reading_give_the_same() -> None:
    """Async iteration, blocking iteration and batches give the same events, then the end, again and again."""

    async def main() -> None:
        bus = EventBus(max_queue_size=4)
        by_event, blocking, in_batches = (bus.subscribe("run") for _ in range(3))
        put(bus, range(9))
        bus.close_stream_nowait("run")
        assert [each.data["n"] async for each in by_event] == list(range(9))
        assert ns(blocking) == list(range(9))
        batch = await in_batches.next_batch()
        assert (ns(batch.events), batch.closed, batch.dropped) == (list(range(9)), True, 0)
        assert batch
        for _ in range(2):
            with pytest.raises(StopAsyncIteration):
                await anext(by_event)
            with pytest.raises(StopIteration):
                next(blocking)
            assert not await in_batches.next_batch()
            assert in_batches.next_batch_nowait() == Batch((), True, 0, ())

    asyncio.run(main())


def test_ways_of_reading_may_be_mixed() -> None:
    """One consumer may go from events to batches to blocking reads and lose or repeat nothing."""

    async def main() -> None:
        bus = EventBus(max_queue_size=64)
        subscription = bus.subscribe("run")
        put(bus, range(20))
        seen = [(await anext(subscription)).data["n"], next(subscription).data["n"]]
        put(bus, range(20, 100))
        seen += [(await anext(subscription)).data["n"]]
        seen += ns((await subscription.next_batch()).events)
        put(bus, range(100, 105))
        bus.close_stream_nowait("run")
        seen += [next(subscription).data["n"]]
        seen += [each.data["n"] async for each in subscription]
        assert seen == list(range(105))
        check_counts(subscription)

    asyncio.run(main())


def test_next_batch_nowait_tells_nothing_from_the_end() -> None:
    """None means nothing now, a false batch means never again."""
    bus = EventBus()
    subscription = bus.subscribe("run")
    assert subscription.next_batch_nowait() is None
    put(bus, [1])
    assert drain(subscription) == [1]
    assert subscription.next_batch_nowait() is None
    bus.close_stream_nowait("run")
    batch = subscription.next_batch_nowait()
    assert batch is not None
    assert not batch
    assert batch.closed


def test_a_batch_is_false_only_at_the_end() -> None:
    """A batch that tells anything, or that is not the last, is true."""
    assert not Batch((), True, 0, ())
    assert Batch((), False, 0, ())
    assert Batch((), True, 1, ())
    assert Batch((event(),), True, 0, ())


def test_both_kinds_of_context_manager_close() -> None:
    """Leaving `with` or `async with`, by an error too, takes the reader off the bus."""

    async def main() -> None:
        bus = EventBus()
        with bus.subscribe("run") as one:
            put(bus, [1])
        async with bus.subscribe_global() as two:
            put(bus, [2, 3])
        three = bus.subscribe("run")
        with pytest.raises(ZeroDivisionError):
            async with three:
                raise ZeroDivisionError
        stats = bus.stats()
        assert (stats["active_runs"], stats["global_subscribers"]) == (0, 0)
        assert (one.discarded, two.discarded, three.discarded) == (1, 2, 3)
        assert one.closed
        assert [each async for each in one] == []

    asyncio.run(main())


def test_close_discards_what_was_not_read_and_counts_it() -> None:
    """Unread events of queue and overflow are discarded at close, not dropped; closing again changes nothing."""

    async def main() -> None:
        bus = EventBus(max_queue_size=4, overflow_queues=1)
        subscription = bus.subscribe("run")
        put(bus, range(10))
        next(subscription)
        subscription.close()
        await subscription.aclose()
        subscription.close()
        put(bus, [10])
        stats = subscription.stats()
        assert (stats.offered, stats.delivered, stats.dropped, stats.discarded) == (10, 1, 2, 7)
        assert (stats.backlog, stats.closed, stats.refused) == (0, True, False)
        assert bus.stats()["dropped_events_total"] == 2

    asyncio.run(main())


def test_closing_ends_the_consumer_that_waits() -> None:
    """Closed from elsewhere, a waiting reader ends: on its loop, on another loop, in a thread."""

    async def wait(subscription: Subscription) -> list[int]:
        return [each.data["n"] async for each in subscription]

    async def main() -> None:
        bus = EventBus()
        here, there, blocked = (bus.subscribe("run") for _ in range(3))
        tasks = [
            asyncio.ensure_future(wait(here)),
            asyncio.ensure_future(asyncio.to_thread(asyncio.run, wait(there))),
            asyncio.ensure_future(asyncio.to_thread(ns, blocked)),
        ]
        await _until_asleep(bus, 3)
        here.close()
        await there.aclose()
        in_threads(blocked.close)
        assert await asyncio.wait_for(asyncio.gather(*tasks), GRACE_S) == [[], [], []]
        assert bus.stats()["active_runs"] == 0
        assert not bus._parked

    asyncio.run(main())


def test_the_repr_tells_what_it_reads_and_how_it_stands() -> None:
    """The repr names the run, the backlog and the drops."""
    bus = EventBus(max_queue_size=1, overflow_queues=0)
    one, everything = bus.subscribe("run-1"), bus.subscribe_global()
    put(bus, [1, 2], "run-1")
    assert repr(one) == "<Subscription to 'run-1', backlog 1, dropped 1>"
    assert repr(everything) == "<Subscription to all runs, backlog 1, dropped 1>"


# Waking


def test_a_sleeping_reader_gets_each_event_without_delay() -> None:
    """Every publish wakes a reader that sleeps, from the loop itself or from a thread, one by one."""

    async def main() -> None:
        bus = EventBus()
        subscription, everything = bus.subscribe("run"), bus.subscribe_global()
        for n in range(50):
            both = asyncio.gather(anext(subscription), everything.next_batch())
            await _until_asleep(bus, 2)
            if n % 2:
                await asyncio.to_thread(put, bus, [n])
            else:
                put(bus, [n])
            one, batch = await asyncio.wait_for(both, GRACE_S)
            assert (one.data["n"], ns(batch.events)) == (n, [n])

    asyncio.run(main())


def test_a_blocked_thread_is_woken_by_each_event() -> None:
    """A thread in `for event in subscription` hands events back one by one without a wake-up lost."""
    bus = EventBus()
    there, back = bus.subscribe("there"), bus.subscribe("back")

    def echo() -> None:
        for each in there:
            put(bus, [each.data["n"]], "back")

    def ask() -> list[int]:
        answers: list[int] = []
        for n in range(300):
            put(bus, [n], "there")
            answers.append(next(back).data["n"])
        bus.close_stream_nowait("there")
        return answers

    assert in_threads(echo, ask)[1] == list(range(300))


def test_one_thread_can_wait_for_several_subscriptions() -> None:
    """`wake_with` calls a wakeup at the next news, once; with news already there it refuses."""
    bus = EventBus()
    one, everything = bus.subscribe("run"), bus.subscribe_global()
    wakeup = Wakeup()
    assert one.wake_with(wakeup)
    assert everything.wake_with(wakeup)
    assert not wakeup.wait(0)
    put(bus, [1])
    assert wakeup.wait(0)
    assert not wakeup.wait(0), "what came at one moment is one call, for however many subscriptions"
    assert not one.wake_with(wakeup)
    assert drain(one) == drain(everything) == [1]
    put(bus, [2])
    assert not wakeup.wait(0), "it is called once, not at every event"
    assert drain(one) == [2]
    assert one.wake_with(wakeup)
    bus.close_stream_nowait("run")
    assert wakeup.wait(0)


def test_wake_with_wakes_also_for_a_reader_that_is_forgotten() -> None:
    """The last reference gone, the wakeup is called at the next look at the bus, so that nobody waits for nothing."""
    bus, wakeup = EventBus(), Wakeup()
    subscription = bus.subscribe("run")
    assert subscription.wake_with(wakeup)
    del subscription
    gc.collect()
    bus.stats()
    assert wakeup.wait(0)


# Cancelling


def test_polling_with_wait_for_loses_nothing() -> None:
    """Reads cancelled by `wait_for`, at any moment, neither end the subscription nor lose an event."""

    async def main() -> None:
        bus = EventBus()
        subscription = bus.subscribe("run")
        seen: list[int] = []
        for n in range(100):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(subscription), 0.000_001)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(subscription.next_batch(), 0)
            if n % 3:
                put(bus, [n])
            else:
                asyncio.get_running_loop().call_soon(put, bus, [n])
            seen.append((await asyncio.wait_for(anext(subscription), GRACE_S)).data["n"])
        assert seen == list(range(100))
        check_counts(subscription)

    asyncio.run(main())


@pytest.mark.parametrize("publish_first", [True, False])
def test_a_read_cancelled_as_the_event_comes_loses_nothing(*, publish_first: bool) -> None:
    """Woken and cancelled in the same turn of the loop, the event is still there for the next read."""

    async def main() -> None:
        bus = EventBus()
        subscription = bus.subscribe("run")
        for n in range(20):
            reading = asyncio.ensure_future(anext(subscription))
            await _until_asleep(bus)
            if publish_first:
                put(bus, [n])
                reading.cancel()
            else:
                reading.cancel()
                put(bus, [n])
            with pytest.raises(asyncio.CancelledError):
                await reading
            assert subscription.backlog == 1
            assert (await anext(subscription)).data["n"] == n
        assert not bus._parked

    asyncio.run(main())


def test_a_cancelled_read_leaves_nobody_asleep_on_the_bus() -> None:
    """After a timeout no waiter is left behind, so publishing costs nothing for it."""

    async def main() -> None:
        bus = EventBus()
        subscription = bus.subscribe("run")
        for _ in range(5):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0):
                    await anext(subscription)
        assert not bus._parked
        assert subscription._inbox.reader is None

    asyncio.run(main())


# One consumer


def test_a_second_consumer_on_the_loop_is_refused() -> None:
    """While one task waits for an event or a batch, another that asks gets SubscriptionBusyError; the first goes on."""

    async def main() -> None:
        bus = EventBus()
        subscription = bus.subscribe("run")
        first = asyncio.ensure_future(anext(subscription))
        await _until_asleep(bus)
        for second in (anext(subscription), subscription.next_batch()):
            with pytest.raises(SubscriptionBusyError, match="own subscribe"):
                await second
        with pytest.raises(SubscriptionBusyError):
            subscription.next_batch_nowait()
        with pytest.raises(SubscriptionBusyError):
            subscription.wake_with(Wakeup())
        with pytest.raises(SubscriptionBusyError):
            next(subscription)
        put(bus, [1, 2])
        assert (await first).data["n"] == 1
        assert (await anext(subscription)).data["n"] == 2

    asyncio.run(main())


def test_a_second_consumer_in_another_thread_is_refused() -> None:
    """While a thread blocks in a read, the main thread is refused, and the other way round."""
    bus = EventBus()
    subscription = bus.subscribe("run")

    def second() -> bool:
        while not _asleep(bus):
            pass
        with pytest.raises(SubscriptionBusyError):
            next(subscription)
        with pytest.raises(SubscriptionBusyError):
            asyncio.run(_read_one(subscription))
        put(bus, [1])
        bus.close_stream_nowait("run")
        return True

    assert in_threads(lambda: ns(subscription), second) == [[1], True]


async def _read_one(subscription: Subscription) -> int:
    return (await anext(subscription)).data["n"]


def test_what_comes_for_one_who_waits_is_not_taken_by_another() -> None:
    """Between an event's coming and the waiting consumer's turn, a second consumer gets the error, not the event."""

    async def main() -> None:
        bus = EventBus()
        subscription = bus.subscribe("run")
        first = asyncio.ensure_future(_read_one(subscription))
        await _until_asleep(bus)
        put(bus, range(3))
        for read in (anext(subscription), subscription.next_batch()):
            with pytest.raises(SubscriptionBusyError):
                await read
        for read in (subscription.next_batch_nowait, lambda: next(subscription)):
            with pytest.raises(SubscriptionBusyError):
                read()
        assert await first == 0
        assert [await _read_one(subscription) for _ in range(2)] == [1, 2]
        check_counts(subscription)

    asyncio.run(main())


def test_the_error_is_one_of_the_package_and_a_runtime_error() -> None:
    """SubscriptionBusyError can be caught as LocusError and as RuntimeError."""
    assert issubclass(SubscriptionBusyError, LocusError)
    assert issubclass(SubscriptionBusyError, RuntimeError)


def test_two_greedy_threads_get_each_event_once_or_a_clear_error() -> None:
    """Two threads that read one subscription at once never get an event twice, nor an error of another kind."""
    bus = EventBus(max_queue_size=64, overflow_queues=1000)
    subscription = bus.subscribe("run")
    put(bus, range(20_000))
    bus.close_stream_nowait("run")
    together = threading.Barrier(2)

    def read() -> list[int]:
        numbers: list[int] = []
        together.wait()
        while True:
            try:
                numbers += ns(subscription)
            except SubscriptionBusyError:
                continue
            return numbers

    one, two = in_threads(read, read)
    assert sorted(one + two) == list(range(20_000))


def test_a_greedy_thread_and_one_that_takes_batches_get_each_event_once() -> None:
    """One thread that iterates and one that takes batches, at once, never get an event twice."""
    for _ in range(10):
        bus = EventBus(max_queue_size=10_000)
        subscription = bus.subscribe("run")
        put(bus, range(5_000))
        bus.settle()
        bus.close_stream_nowait("run")
        together = threading.Barrier(2)

        def iterate(
            subscription: Subscription = subscription, together: threading.Barrier = together
        ) -> list[int]:
            together.wait()
            return ns(subscription)

        def take(
            subscription: Subscription = subscription, together: threading.Barrier = together
        ) -> list[int]:
            together.wait()
            return drain(subscription)

        one, two = in_threads(iterate, take)
        assert sorted(one + two) == list(range(5_000))
        check_counts(subscription)


@pytest.mark.parametrize("how", ["read", "wake_with"])
def test_what_comes_while_a_reader_lies_down_wakes_it(how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An event published after a reader looked and before it is listed as asleep wakes it all the same."""
    bus = EventBus()
    subscription = bus.subscribe("run")
    park = bus._readers.park

    def publish_just_before(*args: Any, **kwargs: Any) -> None:
        monkeypatch.undo()
        # Another thread's publish finds nobody asleep, and leaves its event in the intake.
        in_threads(lambda: put(bus, [7]))
        park(*args, **kwargs)

    monkeypatch.setattr(bus._readers, "park", publish_just_before)
    if how == "read":
        assert in_threads(lambda: next(subscription).data["n"]) == [7]
    else:
        wakeup = Wakeup()
        assert subscription.wake_with(wakeup)
        assert wakeup.wait(0)


def test_one_consumer_after_another_in_other_loops_and_threads_is_fine() -> None:
    """A subscription may be read in one loop, then another, then a thread, from where the last one stopped."""
    bus = EventBus()
    subscription = asyncio.run(_subscribe(bus))
    put(bus, range(3))
    assert asyncio.run(_read_one(subscription)) == 0
    assert in_threads(lambda: next(subscription).data["n"]) == [1]
    assert asyncio.run(_read_one(subscription)) == 2
    assert in_threads(lambda: _waits_in_loop(bus, subscription), lambda: _publish_when_asleep(bus)) == [
        7,
        None,
    ]


async def _subscribe(bus: EventBus) -> Subscription:
    return bus.subscribe("run")


def _waits_in_loop(bus: EventBus, subscription: Subscription) -> int:
    return asyncio.run(_read_one(subscription))


def _publish_when_asleep(bus: EventBus) -> None:
    while not _asleep(bus):
        pass
    put(bus, [7])


# Leaving without a word


def test_a_reader_left_by_break_or_return_is_gone_silently() -> None:
    """Its last reference gone, a reader is off the bus at once, without a warning, run and global."""

    async def leave_by_return(bus: EventBus) -> None:
        async for _ in bus.subscribe("run"):
            return

    async def main() -> None:
        bus = EventBus()
        put(bus, range(3))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            async for _ in bus.subscribe("run"):
                break
            await leave_by_return(bus)
            for _ in bus.subscribe("run"):
                break
            async for _ in bus.subscribe_global(replay=1):
                break
            bus.subscribe("run")
            bus.subscribe_global()
            stats = bus.stats()
        assert (stats["active_runs"], stats["global_subscribers"]) == (0, 0)
        put(bus, [3])
        assert not list(bus._readers)

    asyncio.run(main())


def test_a_forgotten_reader_in_a_cycle_goes_with_the_collection() -> None:
    """A subscription held only by a reference cycle leaves when it is collected, in the midst of anything."""
    bus = EventBus()
    cycle: list[object] = [bus.subscribe("run")]
    cycle.append(cycle)
    del cycle
    gc.collect()
    assert bus.stats()["active_runs"] == 0


def test_a_read_that_nobody_awaits_any_more_is_given_up() -> None:
    """A suspended read that is thrown away leaves no sleeper behind; the subscription can be read again."""

    async def main() -> None:
        bus = EventBus()
        subscription = bus.subscribe("run")
        reading = subscription.__anext__()
        reading.send(None)
        assert bus._parked
        reading.close()
        assert not bus._parked
        put(bus, [1])
        assert (await anext(subscription)).data["n"] == 1

    asyncio.run(main())


def test_a_bus_can_be_collected_with_its_readers() -> None:
    """A bus that nobody holds is freed, its subscriptions and events too."""
    bus = EventBus()
    subscription = bus.subscribe("run")
    put(bus, range(3))
    drain(subscription)
    bus.stats()
    marks = [id(bus)]
    del bus, subscription
    gc.collect()
    assert not [each for each in gc.get_objects() if id(each) in marks and isinstance(each, EventBus)]


# Following


def test_a_following_reader_survives_the_close() -> None:
    """With `follow=True` batches tell of close and reopening, and events go on; `close()` ends it."""

    async def main() -> None:
        bus = EventBus()
        following = bus.subscribe("run", follow=True)
        put(bus, [0])
        batch = await following.next_batch()
        assert ([record.status for record in batch.runs], ns(batch.events)) == (["running"], [0])
        bus.close_stream_nowait("run")
        batch = await following.next_batch()
        assert ([record.status for record in batch.runs], batch.closed) == (["ok"], False)
        bus.open_stream_nowait("run")
        put(bus, [1])
        batch = await following.next_batch()
        assert ([record.status for record in batch.runs], ns(batch.events)) == (["running"], [1])
        reset = asyncio.ensure_future(following.next_batch())
        await _until_asleep(bus)
        bus.close_all_nowait()
        assert not await reset

    asyncio.run(main())


def test_a_follower_of_a_closed_run_gets_its_record_and_stays() -> None:
    """Joining a closed run with `follow=True` gives history and record, and waits for more."""
    bus = EventBus()
    put(bus, [0])
    bus.close_stream_nowait("run")
    following = bus.subscribe("run", follow=True)
    batch = following.next_batch_nowait()
    assert batch is not None
    assert (ns(batch.events), [record.status for record in batch.runs], batch.closed) == ([0], ["ok"], False)
    assert following.next_batch_nowait() is None
