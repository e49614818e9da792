from __future__ import annotations

import asyncio
import gc
import json
import threading
from typing import TYPE_CHECKING, Any, cast

import pytest

from locus_nb import EventBus, StreamEvent, get_event_bus, reset_event_bus
from locus_nb._readers import Readers
from tests.bus_kit import Clock, check_counts, drain, event, in_threads, ns, put, python

if TYPE_CHECKING:
    from collections.abc import Callable


# Publishing


def test_one_total_order_for_all_readers() -> None:
    """History, the run's readers and the global ones see one order, whatever call published."""

    async def main() -> None:
        bus = EventBus()
        one, everything = bus.subscribe("a"), bus.subscribe_global()
        for n in range(10):
            await bus.publish(event(n, "a"))
            bus.publish_nowait(event(n, "b"))
        assert drain(one) == ns(bus.history("a")) == list(range(10))
        batch = everything.next_batch_nowait()
        assert batch is not None
        assert [each.seq for each in batch.events] == list(range(1, 21))
        assert [each.run_id for each in batch.events] == ["a", "b"] * 10

    asyncio.run(main())


def test_every_event_a_reader_gets_is_in_history_already() -> None:
    """History comes first: who has read an event finds it in `history`."""
    bus = EventBus()
    one, everything = bus.subscribe("run"), bus.subscribe_global()
    for n in range(5):
        one_event = event(n)
        bus.publish_nowait(one_event)
        assert next(one) is next(everything) is bus.history("run")[-1] is one_event


def test_publish_works_without_a_loop() -> None:
    """`publish` may be driven by hand or by another framework: it finishes without asking a loop."""
    bus = EventBus(max_queue_size=2)
    subscription = bus.subscribe("run")
    for n in range(10):
        with pytest.raises(StopIteration):
            bus.publish(event(n)).send(None)
    assert drain(subscription) == list(range(10))


@pytest.mark.parametrize(
    "run_id, error", [("", ValueError), (None, TypeError), (7, TypeError), (b"r", TypeError)]
)
def test_a_bad_run_id_is_refused_and_nothing_recorded(run_id: Any, error: type[Exception]) -> None:
    """An empty or non-str run id is an error at every call that takes one; the bus stays empty."""

    async def main() -> None:
        bus = EventBus()
        everything = bus.subscribe_global()
        bad = StreamEvent(run_id, "t", {})
        calls: list[Callable[[], Any]] = [
            lambda: bus.publish_nowait(bad),
            lambda: bus.subscribe(run_id),
            lambda: bus.close_stream_nowait(run_id),
            lambda: bus.drop_history_nowait(run_id),
            lambda: bus.open_stream_nowait(run_id),
        ]
        for call in calls:
            with pytest.raises(error, match="run id"):
                call()
        for coroutine in (bus.publish(bad), bus.close_stream(run_id), bus.drop_history(run_id)):
            with pytest.raises(error, match="run id"):
                await coroutine
        stats = bus.stats()
        assert (stats["published_events_total"], stats["history_runs"], stats["active_runs"]) == (0, 0, 0)
        assert bus.run_ids() == ()
        assert everything.next_batch_nowait() is None
        assert bad.seq is None

    asyncio.run(main())


@pytest.mark.parametrize("thing", [None, "event", {"run_id": "r"}, object()])
def test_only_events_are_published(thing: Any) -> None:
    """Anything but a StreamEvent is a TypeError that says what to do, without a chained second error."""
    bus = EventBus()
    with pytest.raises(TypeError, match="StreamEvent") as caught:
        bus.publish_nowait(thing)
    assert caught.value.__suppress_context__
    with pytest.raises(TypeError, match="StreamEvent"):
        asyncio.run(bus.publish(thing))


def test_publishing_from_a_thread_without_and_with_its_own_loop() -> None:
    """A reader on the main loop gets what threads publish, with a loop of their own or none."""

    async def main() -> None:
        bus = EventBus()
        subscription = bus.subscribe("run")

        async def burst() -> None:
            for n in range(100, 200):
                await bus.publish(event(n))

        await asyncio.to_thread(put, bus, range(100))
        await asyncio.to_thread(asyncio.run, burst())
        await bus.close_stream("run")
        assert [each.data["n"] async for each in subscription] == list(range(200))

    asyncio.run(main())


def test_attributes_of_a_bus_may_be_assigned() -> None:
    """A bus is an ordinary object: adapters and tests may replace its methods."""
    bus: Any = EventBus()
    seen: list[StreamEvent] = []
    bus.publish_nowait = seen.append
    bus.publish_nowait(event(1))
    assert ns(seen) == [1]


@pytest.mark.parametrize(
    "option, bad",
    [
        ("max_queue_size", 0),
        ("history_per_run", -1),
        ("max_runs_retained", 0),
        ("max_global_subscribers", -1),
        ("overflow_queues", -1),
        ("slow_timeout", -0.1),
        ("slow_timeout", float("nan")),
        ("max_queue_size", 1.5),
        ("history_per_run", None),
        ("max_runs_retained", True),
        ("slow_timeout", "1"),
    ],
)
def test_a_bad_bound_is_refused_by_name(option: str, bad: Any) -> None:
    """A bound of the wrong type or too small is an error that names it."""
    kind = ValueError if isinstance(bad, int | float) and bad is not True and bad != 1.5 else TypeError
    with pytest.raises(kind, match=option):
        cast("Any", EventBus)(**{option: bad})


def test_options_are_keyword_only_and_unknown_ones_named() -> None:
    """The bounds are given by name; an unknown name is a TypeError that says it."""
    with pytest.raises(TypeError):
        EventBus(5)  # pyright: ignore[reportCallIssue]
    with pytest.raises(TypeError, match="max_size"):
        EventBus(max_size=5)  # pyright: ignore[reportCallIssue]


def test_the_default_bounds() -> None:
    """The bounds without options are those of the contract: 1,024, 500, 200, 50, 1 s, 16 queues."""
    clock = Clock()
    bus = EventBus(clock=clock)
    slow = bus.subscribe("run")
    put(bus, range(17 * 1024 + 1))
    assert len(bus.history("run")) == 500
    assert (slow.backlog, slow.dropped) == (17 * 1024, 1)
    clock.advance(1.0)
    assert (slow.backlog, slow.dropped) == (1024, 16 * 1024 + 1)
    for n in range(200):
        put(bus, [n], f"run-{n}")
    assert (len(bus.run_ids()), bus.history("run")) == (200, ())
    everything = [bus.subscribe_global() for _ in range(51)]
    assert [each.refused for each in everything] == [False] * 50 + [True]


# Subscribing to a run


def test_replay_then_live_then_the_end() -> None:
    """A late reader gets the history, then what is published, then the end."""

    async def main() -> None:
        bus = EventBus()
        put(bus, range(3))
        subscription = bus.subscribe("run")
        put(bus, range(3, 5))
        await bus.close_stream("run")
        assert [each.data["n"] async for each in subscription] == [0, 1, 2, 3, 4]

    asyncio.run(main())


def test_a_subscription_is_registered_when_the_call_returns() -> None:
    """What is published right after `subscribe` is delivered, before anybody iterated."""
    bus = EventBus()
    one, everything = bus.subscribe("run"), bus.subscribe_global()
    assert (bus.stats()["active_runs"], bus.stats()["global_subscribers"]) == (1, 1)
    put(bus, range(3))
    assert drain(one) == drain(everything) == [0, 1, 2]


def test_no_gap_and_no_duplicate_at_the_seam() -> None:
    """Readers that join while another thread publishes see every number exactly once, in order."""
    bus = EventBus(history_per_run=100_000, max_queue_size=100_000)
    started, last = threading.Event(), 5_000

    def publish() -> None:
        for n in range(last):
            put(bus, [n])
            if n == 100:
                started.set()
        bus.close_stream_nowait("run")

    def read() -> list[int]:
        started.wait()
        return [n for _ in range(5) for n in ns(bus.subscribe("run"))]

    _, *seen = in_threads(publish, read, read)
    for numbers in seen:
        assert numbers == list(range(last)) * 5


def test_replay_never_counts_against_the_queue() -> None:
    """History longer than the queue is replayed whole, and leaves the whole queue to live events."""
    bus = EventBus(max_queue_size=4, history_per_run=100, overflow_queues=0)
    put(bus, range(50))
    subscription = bus.subscribe("run")
    put(bus, range(50, 54))
    assert (subscription.offered, subscription.backlog, subscription.dropped) == (54, 54, 0)
    put(bus, [54])
    assert subscription.dropped == 1
    assert [next(subscription).data["n"] for _ in range(50)] == list(range(50))
    put(bus, [55])
    assert subscription.dropped == 2
    assert drain(subscription) == [50, 51, 52, 53]
    put(bus, range(56, 60))
    assert (drain(subscription), subscription.dropped) == ([56, 57, 58, 59], 2)


def test_a_reader_of_a_closed_run_gets_history_longer_than_the_queue_and_the_end() -> None:
    """Neither events nor the end marker are cut when history is longer than the queue."""
    bus = EventBus(max_queue_size=2, history_per_run=100)
    put(bus, range(100))
    bus.close_stream_nowait("run")
    assert ns(bus.subscribe("run")) == list(range(100))


def test_missed_tells_what_history_no_longer_held() -> None:
    """A late reader knows how many events of its run were trimmed, or evicted with the run."""
    bus = EventBus(history_per_run=3, max_runs_retained=1)
    put(bus, range(10))
    assert (bus.subscribe("run").missed, bus.subscribe("run").offered) == (7, 3)
    put(bus, [0], "other")
    assert (bus.subscribe("run").missed, bus.subscribe("run").offered) == (10, 0)
    put(bus, [10])
    late = bus.subscribe("run")
    assert (late.missed, drain(late)) == (10, [10])
    assert bus.subscribe("new").missed == 0


def test_subscribers_hold_no_loop_from_the_thread_they_were_made_in() -> None:
    """A subscription can be made in a thread without a loop and read in a loop, and the other way."""
    bus = EventBus()
    (made_in_thread,) = in_threads(lambda: bus.subscribe("run"))

    async def main() -> None:
        made_in_loop = bus.subscribe("run")
        put(bus, range(3))
        bus.close_stream_nowait("run")
        assert [each.data["n"] async for each in made_in_thread] == [0, 1, 2]
        assert in_threads(lambda: ns(made_in_loop)) == [[0, 1, 2]]

    asyncio.run(main())


# Global readers


def test_a_global_reader_gets_every_event_from_now_on() -> None:
    """Events before it joined are not delivered, unless asked for; events between are never lost."""
    bus = EventBus()
    put(bus, [0], "a")
    everything = bus.subscribe_global()
    put(bus, [1], "b")
    put(bus, [2], "a")
    assert drain(everything) == [1, 2]
    assert everything.offered == 2


def test_a_global_reader_is_not_ended_by_close_stream() -> None:
    """Closing one run leaves the readers of all runs where they are."""
    bus = EventBus()
    everything = bus.subscribe_global()
    put(bus, [0], "a")
    bus.close_stream_nowait("a")
    put(bus, [1], "b")
    assert drain(everything) == [0, 1]
    assert not everything.closed


def test_global_replay_gives_the_newest_events_in_order() -> None:
    """`replay=N` begins with the newest N events of all histories, and tells how many were lost."""
    bus = EventBus(history_per_run=3)
    for n in range(12):
        put(bus, [n], "ab"[n % 2])
    assert drain(bus.subscribe_global(replay=4)) == [8, 9, 10, 11]
    everything = bus.subscribe_global(replay=100)
    put(bus, [12])
    assert (drain(everything), everything.missed) == ([6, 7, 8, 9, 10, 11, 12], 6)
    assert bus.subscribe_global(replay=7).missed == 0
    assert bus.subscribe_global(replay=8).missed == 1


@pytest.mark.parametrize(
    "replay, error", [(-1, ValueError), ("5", TypeError), (True, TypeError), (1.0, TypeError)]
)
def test_a_bad_replay_is_refused(replay: Any, error: type[Exception]) -> None:
    """`replay` is a whole number, at least 0; a refused call registers nobody."""
    bus = EventBus()
    with pytest.raises(error, match="replay"):
        bus.subscribe_global(replay=replay)
    assert bus.stats()["global_subscribers"] == 0


def test_over_the_cap_a_global_reader_ends_at_once_and_says_so() -> None:
    """One global reader too many is refused and counted; a place that gets free is given again."""

    async def main() -> None:
        bus = EventBus(max_global_subscribers=2)
        put(bus, [0])
        first, second, third = (bus.subscribe_global() for _ in range(3))
        fourth = bus.subscribe_global(replay=1)
        put(bus, [1])
        assert [each.refused for each in (first, second, third, fourth)] == [False, False, True, True]
        assert [each async for each in third] == []
        assert not await fourth.next_batch()
        assert third.closed
        stats = bus.stats()
        assert (stats["global_subscribers"], stats["global_subscribers_refused_total"]) == (2, 2)
        assert drain(first) == [1]
        first.close()
        assert not bus.subscribe_global().refused
        del second
        gc.collect()
        assert not bus.subscribe_global().refused

    asyncio.run(main())


def test_a_cap_of_none_refuses_everybody() -> None:
    """`max_global_subscribers=0` allows no global reader and leaves the others alone."""
    bus = EventBus(max_global_subscribers=0)
    one = bus.subscribe("run")
    assert bus.subscribe_global().refused
    put(bus, [1])
    assert drain(one) == [1]


# Closing and dropping


def test_close_delivers_all_that_is_buffered_then_ends() -> None:
    """A reader with a full queue and a filled overflow still gets everything before its end."""
    bus = EventBus(max_queue_size=4, overflow_queues=2, clock=Clock())
    subscription = bus.subscribe("run")
    put(bus, range(12))
    bus.close_stream_nowait("run")
    assert subscription.closed
    assert ns(subscription) == list(range(12))
    assert (subscription.delivered, subscription.dropped, subscription.discarded) == (12, 0, 0)


def test_close_is_idempotent_also_for_unknown_ids() -> None:
    """Closing twice, or a run nobody has seen, is fine; a later reader of it ends at once."""

    async def main() -> None:
        bus = EventBus()
        for _ in range(2):
            await bus.close_stream("never seen")
            bus.close_stream_nowait("never seen")
            await bus.close_global()
            bus.close_global_nowait()
            await bus.drop_history("unheard of")
            bus.drop_history_nowait("unheard of")
        assert [each async for each in bus.subscribe("never seen")] == []

    asyncio.run(main())


def test_history_stays_after_close() -> None:
    """Every later reader of a closed run gets the history and the end."""
    bus = EventBus()
    put(bus, range(3))
    bus.close_stream_nowait("run")
    assert ns(bus.history("run")) == [0, 1, 2]
    assert ns(bus.subscribe("run")) == ns(bus.subscribe("run")) == [0, 1, 2]


def test_close_ends_readers_on_whatever_loop_or_thread_they_wait() -> None:
    """Readers asleep in the main loop, a thread's loop and a plain thread all end, run and global."""

    async def read(bus: EventBus) -> list[int]:
        async for each in bus.subscribe("run"):
            assert each.data["n"] == 0
        return [each.data["n"] async for each in bus.subscribe_global()]

    def read_in_thread(bus: EventBus) -> list[int]:
        return ns(bus.subscribe("run")) + ns(bus.subscribe_global())

    async def main() -> None:
        bus = EventBus()
        tasks = [
            asyncio.ensure_future(read(bus)),
            asyncio.ensure_future(asyncio.to_thread(asyncio.run, read(bus))),
            asyncio.ensure_future(asyncio.to_thread(read_in_thread, bus)),
        ]
        while _asleep(bus) < 3:
            await asyncio.sleep(0)
        put(bus, [0])
        bus.close_stream_nowait("run")
        while bus.stats()["global_subscribers"] < 3 or _asleep(bus) < 3:
            await asyncio.sleep(0)
        await bus.close_global()
        await asyncio.wait_for(asyncio.gather(*tasks), 60)

    asyncio.run(main())


def _asleep(bus: EventBus) -> int:
    with bus._lock:
        return sum(len(sleepers) for sleepers in bus._parked.values())


def test_a_later_reader_of_an_evicted_closed_run_ends() -> None:
    """A closed run is remembered as closed after its history is evicted, until it is dropped."""
    bus = EventBus(max_runs_retained=2)
    put(bus, [0], "old")
    bus.close_stream_nowait("old")
    for n in range(5):
        put(bus, [n], f"run-{n}")
    assert bus.history("old") == ()
    assert ns(bus.subscribe("old")) == []
    bus.drop_history_nowait("old")
    assert not bus.subscribe("old").closed


def test_the_last_closed_ids_are_remembered_whatever_else_happens() -> None:
    """Ten times `max_runs_retained` closed ids are remembered; opened and evicted runs do not push them out."""
    bus = EventBus(max_runs_retained=2)
    bus.open_stream_nowait("run-0")
    for n in range(20):
        bus.close_stream_nowait(f"run-{n}")
    for n in range(100):
        bus.open_stream_nowait(f"open-{n}")
        put(bus, [n], f"unclosed-{n}")
    assert all(bus.subscribe(f"run-{n}").closed for n in range(20))
    bus.close_stream_nowait("one more")
    assert [bus.subscribe(f"run-{n}").closed for n in (0, 1, 19)] == [False, True, True]


def test_closed_ids_are_forgotten_in_the_order_of_closing() -> None:
    """The ids remembered are those closed last, not those seen first."""
    bus = EventBus(max_runs_retained=1)
    bus.open_stream_nowait("seen first")
    for n in range(9):
        bus.close_stream_nowait(f"run-{n}")
    bus.close_stream_nowait("seen first")
    for n in range(9, 18):
        bus.close_stream_nowait(f"run-{n}")
    assert bus.subscribe("seen first").closed
    bus.close_stream_nowait("one more")
    assert not bus.subscribe("seen first").closed


def test_closed_ids_are_forgotten_in_the_order_of_closing_whenever_evicted() -> None:
    """A run that was closed long ago and evicted only now does not push out ids that were closed since."""
    bus = EventBus(max_runs_retained=2)
    put(bus, [0], "old")
    bus.close_stream_nowait("old")
    for n in range(20):
        bus.close_stream_nowait(f"run-{n}")
    put(bus, [0], "one")
    put(bus, [0], "two")
    assert bus.history("old") == ()
    assert [bus.subscribe(run_id).closed for run_id in ("old", "run-0", "run-19")] == [False, True, True]


@pytest.mark.parametrize("reason", ["error", "interrupted"])
def test_a_run_s_end_is_remembered_when_its_events_are_not(reason: str) -> None:
    """Evicted between its `agent.terminate` and its close, a run has the status that its terminate gave it."""
    bus = EventBus(max_runs_retained=1)
    bus.publish_nowait(StreamEvent("run", "agent.terminate", {"reason": reason}))
    put(bus, [0], "other")
    assert bus.history("run") == ()
    bus.open_stream_nowait("run")
    bus.close_stream_nowait("run")
    record = bus.run_record("run")
    assert record is not None
    assert record.status == reason
    bus.open_stream_nowait("run")
    bus.close_stream_nowait("run")
    record = bus.run_record("run")
    assert record is not None
    assert record.status == "ok", "an old end does not decide about a new life"


class _Proxy:
    """An object that pretends to be another, as unbound context-local proxies do, and fails at it."""

    @property
    def __class__(self) -> Any:  # type: ignore[override] # the odd thing about it
        raise RuntimeError("outside of a context")


class _Unhashable(str):
    __slots__ = ()
    __hash__ = None  # pyright: ignore[reportAssignmentType] - that is what is wrong with it

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("asked to compare")


class _Quarrelsome(str):
    """A payload's key that cannot be compared with `reason`, whose hash it has."""

    __slots__ = ()

    def __hash__(self) -> int:
        return hash("reason")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("not comparable")


@pytest.mark.parametrize(
    "data, status",
    [
        ({"reason": _Proxy()}, "ok"),
        ({"reason": _Unhashable("error")}, "error"),
        ({"reason": ["error"]}, "ok"),
        ({_Quarrelsome("x"): 1}, "ok"),
        ({}, "ok"),
    ],
)
@pytest.mark.parametrize("evicted", [False, True])
def test_no_payload_of_a_terminate_stops_the_bus(data: dict[str, Any], status: str, *, evicted: bool) -> None:
    """Whatever the `reason` of an `agent.terminate` is, its run ends, is evicted, and others go on."""
    bus = EventBus(max_runs_retained=1)
    reader = bus.subscribe("run")
    bus.publish_nowait(StreamEvent("run", "agent.terminate", data))
    if evicted:
        put(bus, [0], "other")
        assert bus.run_ids() == ("other",)
    bus.close_stream_nowait("run")
    assert reader.closed
    record = bus.run_record("run")
    assert record is not None
    assert record.status == status


def test_readers_stranded_on_closed_loops_leave_room_for_others() -> None:
    """Global readers whose loop was closed, asleep or just woken, are gone when one more wants in, or at a look."""
    for woken in (False, True):
        bus = EventBus(max_global_subscribers=5)
        for _ in range(5):
            _strand(bus)
        if woken:
            put(bus, [1])
        one = bus.subscribe_global()
        assert not one.refused
        put(bus, [2])
        assert drain(one) == [2]
        _strand(bus)
        bus.stats()
        gc.collect()
        assert bus.stats()["global_subscribers"] == 1


def _strand(bus: EventBus) -> None:
    """Leave a global reader waiting on a loop that is closed."""

    async def read() -> None:
        async for _ in bus.subscribe_global():
            pass

    loop = asyncio.new_event_loop()
    task = loop.create_task(read())
    # Or asyncio would print that it was forgotten, which is what this is about.
    task._log_destroy_pending = False  # type: ignore[attr-defined]
    loop.call_soon(loop.stop)
    loop.run_forever()
    loop.close()


class _Equal(StreamEvent):
    """Says that it is equal to anything."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = StreamEvent.__hash__


class _Incomparable(StreamEvent):
    """Can only be compared with its like, as many a class."""

    def __eq__(self, other: object) -> bool:
        return self.event_id == other.event_id  # type: ignore[attr-defined]

    __hash__ = StreamEvent.__hash__


@pytest.mark.parametrize("kind", [_Equal, _Incomparable])
def test_events_are_never_compared(kind: type[StreamEvent]) -> None:
    """What a subclass's `__eq__` says or raises loses, doubles and breaks nothing, in queue and overflow."""
    bus = EventBus(max_queue_size=4)
    slow, everything = bus.subscribe("run"), bus.subscribe_global()
    for n in range(20):
        bus.publish_nowait(kind("run", "t", {"n": n}))
        bus.settle()
    assert drain(slow) == [next(everything).data["n"] for _ in range(20)] == list(range(20))
    check_counts(slow)


def test_what_was_dropped_on_purpose_is_not_missing() -> None:
    """A global reader misses what was trimmed and evicted, but not what `drop_history` forgot."""
    bus = EventBus(history_per_run=2, max_runs_retained=2)
    for run_id in ("trimmed", "again", "third"):
        put(bus, range(5), run_id)
    assert bus.subscribe_global(replay=100).missed == 3 + 3 + 5
    bus.drop_history_nowait("trimmed")
    bus.drop_history_nowait("third")
    assert bus.subscribe_global(replay=100).missed == 3
    bus.drop_history_nowait("again")
    assert bus.subscribe_global(replay=100).missed == 0


def test_bookkeeping_is_bounded() -> None:
    """Endless runs, opened, used, closed, reopened and dropped, leave no more than the bounds allow."""
    bus = EventBus(max_runs_retained=3, history_per_run=2)
    for n in range(1_000):
        run_id = f"run-{n}"
        bus.open_stream_nowait(run_id)
        put(bus, range(n % 4), run_id)
        bus.subscribe(run_id).close()
        (bus.close_stream_nowait, bus.open_stream_nowait, bus.drop_history_nowait)[n % 3](run_id)
        bus.close_stream_nowait(f"unknown-{n}")
    logs, readers = bus._logs, bus._readers
    assert len(logs.retained) <= 3
    assert len(logs._closed) <= 30
    assert len(logs._open_husks) <= 30
    assert not (readers.of_run)
    assert not (readers.of_all)
    assert not (readers.parked)
    assert not (readers.lagging)
    assert not (readers.forgotten)
    assert not (bus._changes)
    assert not (bus._intake)


def test_drop_forgets_history_and_closed_state() -> None:
    """After a drop the run is as new: no history, not closed, nothing missed; its readers stay."""

    async def main() -> None:
        bus = EventBus()
        reader = bus.subscribe("run")
        put(bus, range(3))
        await bus.drop_history("run")
        assert (bus.history("run"), bus.run_ids(), bus.run_record("run")) == ((), (), None)
        put(bus, [3])
        bus.close_stream_nowait("run")
        assert [each.data["n"] async for each in reader] == [0, 1, 2, 3]
        bus.drop_history_nowait("run")
        again = bus.subscribe("run")
        put(bus, [4])
        assert (drain(again), again.closed, again.missed) == ([4], False, 0)

    asyncio.run(main())


def test_a_change_comes_after_what_its_thread_published_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Publish, then close, drop or subscribe: in that order, though another thread is just handing out."""
    bus, missing = EventBus(), []
    reader = bus.subscribe("closed")
    expire, done = Readers.expire, []

    def meanwhile(readers: Readers, now: float) -> None:
        # Another thread publishes and asks for changes after the intake was emptied.
        expire(readers, now)
        if not done:
            return
        if done.pop() == "handed out":
            put(bus, [1], "closed")
            put(bus, [2], "dropped")
            bus.close_stream_nowait("closed")
            bus.drop_history_nowait("dropped")
            missing.append(bus)
        else:
            done.append("handed out")

    monkeypatch.setattr(Readers, "expire", meanwhile)
    put(bus, [0], "closed")
    done.append("first call")
    bus.settle()
    assert missing, "the trap was not sprung"
    assert ns(reader) == [0, 1]
    assert bus.stats()["late_events_total"] == 0
    assert bus.history("dropped") == ()


def test_an_end_that_is_told_late_counts_unless_another_was_given() -> None:
    """An `agent.terminate` after the close says how the run ended, to readers too, but not against who closed it."""
    bus = EventBus()
    everything = bus.subscribe_global()
    bus.publish_nowait(StreamEvent("told", "agent.terminate", {"reason": "complete"}))
    bus.close_stream_nowait("told")
    bus.close_stream_nowait("given", status="ok")
    everything.next_batch_nowait()
    for run_id in ("told", "given"):
        bus.publish_nowait(StreamEvent(run_id, "agent.terminate", {"reason": "interrupted"}))
    assert [bus.run_record(run_id).status for run_id in ("told", "given")] == ["interrupted", "ok"]  # pyright: ignore[reportOptionalMemberAccess]
    batch = everything.next_batch_nowait()
    assert batch is not None
    assert ("told", "interrupted", True) in [(each.run_id, each.status, each.closed) for each in batch.runs]
    bus.open_stream_nowait("told")
    bus.close_stream_nowait("told")
    assert bus.run_record("told").status == "ok"  # pyright: ignore[reportOptionalMemberAccess]


def test_late_events_are_kept_counted_and_sent_to_global_readers() -> None:
    """Publishing after close goes to history and to global readers, and is counted as late."""
    bus = EventBus()
    reader, everything = bus.subscribe("run"), bus.subscribe_global()
    put(bus, [0])
    bus.close_stream_nowait("run")
    put(bus, [1, 2])
    assert ns(reader) == [0]
    assert drain(everything) == [0, 1, 2]
    assert ns(bus.history("run")) == [0, 1, 2]
    assert bus.stats()["late_events_total"] == 2
    assert ns(bus.subscribe("run")) == [0, 1, 2]


def test_a_run_opened_again_is_followed_live_again() -> None:
    """After `open_stream` new readers stay, a following one goes on, and nothing is late."""
    bus = EventBus()
    following = bus.subscribe("run", follow=True)
    put(bus, [0])
    bus.close_stream_nowait("run")
    bus.open_stream_nowait("run")
    again = bus.subscribe("run")
    put(bus, [1])
    assert (drain(again), again.closed) == ([0, 1], False)
    assert (drain(following), following.closed) == ([0, 1], False)
    assert bus.stats()["late_events_total"] == 0


# History and retention


def test_the_last_events_of_a_run_are_kept_and_the_rest_counted() -> None:
    """History holds the newest `history_per_run` events of each run; what is trimmed is counted."""
    bus = EventBus(history_per_run=3)
    put(bus, range(5), "a")
    put(bus, range(2), "b")
    assert (ns(bus.history("a")), ns(bus.history("b"))) == ([2, 3, 4], [0, 1])
    assert bus.stats()["trimmed_events_total"] == 2
    record = bus.run_record("a")
    assert record is not None
    assert record.trimmed == 2


def test_one_burst_longer_than_history_is_trimmed_and_counted() -> None:
    """A burst handed over at once is trimmed as single events are."""
    bus = EventBus(history_per_run=3, max_queue_size=1024)
    put(bus, range(100))
    assert (ns(bus.history("run")), bus.stats()["trimmed_events_total"]) == ([97, 98, 99], 97)


def test_no_history_is_allowed() -> None:
    """`history_per_run=0` keeps nothing and delivers everything."""
    bus = EventBus(history_per_run=0)
    reader = bus.subscribe("run")
    put(bus, range(3))
    assert (bus.history("run"), drain(reader), bus.stats()["trimmed_events_total"]) == ((), [0, 1, 2], 3)


def test_the_least_recently_published_to_run_goes_first() -> None:
    """A busy old run stays; reading, subscribing and closing do not count as use."""
    bus = EventBus(max_runs_retained=3)
    for run_id in "abc":
        put(bus, [0], run_id)
    put(bus, [1], "a")
    bus.history("b")
    kept = bus.subscribe("b")
    bus.close_stream_nowait("b")
    put(bus, [0], "d")
    assert bus.run_ids() == ("c", "a", "d")
    assert bus.stats()["evicted_runs_total"] == 1
    assert ns(kept) == [0]


def test_a_burst_over_many_runs_keeps_those_used_last() -> None:
    """Runs of one burst are evicted by their last event in it, as if settled one by one."""
    bus = EventBus(max_runs_retained=2)
    for n, run_id in enumerate("abcab"):
        bus.publish_nowait(event(n, run_id))
    assert bus.run_ids() == ("a", "b")


def test_chunks_are_live_only() -> None:
    """Streaming chunks are delivered and counted, and never in history, replay or trimming."""
    bus = EventBus(history_per_run=2)
    reader, everything = bus.subscribe("run"), bus.subscribe_global()
    bus.publish_nowait(event(0))
    for n in range(1, 601):
        bus.publish_nowait(event(n, event_type="agent.model.chunk"))
    bus.publish_nowait(event(601))
    assert drain(reader) == drain(everything) == list(range(602))
    assert ns(bus.history("run")) == [0, 601]
    late = bus.subscribe("run")
    assert (drain(late), late.missed) == ([0, 601], 0)
    assert drain(bus.subscribe_global(replay=1000)) == [0, 601]
    stats = bus.stats()
    assert (stats["published_events_total"], stats["trimmed_events_total"]) == (602, 0)


def test_the_private_history_mapping_is_kept() -> None:
    """`_history` is a mapping of run id to events: `get`, `in`, `len`, items, and KeyError for an unknown run."""
    bus = EventBus(max_runs_retained=2)
    put(bus, range(2), "a")
    put(bus, range(3), "b")
    assert ns(bus._history.get("a", ())) == [0, 1]
    assert bus._history.get("nobody", ()) == ()
    assert {run_id: len(events) for run_id, events in bus._history.items()} == {"a": 2, "b": 3}
    assert ("a" in bus._history, "z" in bus._history, len(bus._history)) == (True, False, 2)
    with pytest.raises(KeyError):
        bus._history["z"]


def test_history_can_be_read_while_others_publish() -> None:
    """Reads from another thread never raise and always give an unbroken, ordered stretch."""
    bus, over = EventBus(history_per_run=50, max_runs_retained=3), threading.Event()

    def publish() -> None:
        for n in range(4_000):
            put(bus, [n], f"run-{n // 100 % 7}")
        over.set()

    def read() -> int:
        reads = 0
        while not over.is_set() or not reads:
            for run_id, events in bus._history.items():
                numbers = ns(bus.history(run_id))
                assert numbers == sorted(set(numbers))
                assert ns(events) == sorted(set(ns(events)))
            bus.stats()
            reads += 1
        return reads

    assert in_threads(publish, read)[1]


# What is known of runs


def test_what_happened_to_runs_travels_in_batches() -> None:
    """Global readers hear of runs opened, first seen, closed and reopened, with name, tags and status."""

    async def main() -> None:
        bus = EventBus()
        everything = bus.subscribe_global()
        bus.open_stream_nowait("a", name="first", tags={"k": "v"}, cell_id="c1", execution_count=3)
        opened = await everything.next_batch()
        (record,) = opened.runs
        assert opened
        assert (opened.events, opened.closed, opened.dropped) == ((), False, 0)
        assert (record.run_id, record.name, dict(record.tags), record.status) == (
            "a",
            "first",
            {"k": "v"},
            "running",
        )
        assert (record.cell_id, record.execution_count, record.closed, record.ended_at_ns) == (
            "c1",
            3,
            False,
            None,
        )
        put(bus, [0], "b")
        assert [each.run_id for each in (await everything.next_batch()).runs] == ["b"]
        put(bus, [1], "b")
        assert (await everything.next_batch()).runs == ()
        await bus.close_stream("a")
        (record,) = (await everything.next_batch()).runs
        assert (record.status, record.closed, record.name) == ("ok", True, "first")
        assert record.ended_at_ns is not None
        assert record.ended_at_ns >= record.started_at_ns
        bus.open_stream_nowait("a")
        (record,) = (await everything.next_batch()).runs
        assert (record.status, record.closed, record.ended_at_ns, record.name) == (
            "running",
            False,
            None,
            "first",
        )

    asyncio.run(main())


@pytest.mark.parametrize(
    "reasons, status",
    [
        ([], "ok"),
        (["complete"], "ok"),
        (["max_iterations"], "ok"),
        (["error"], "error"),
        (["interrupted"], "interrupted"),
        (["error", "complete"], "ok"),
        ([None], "ok"),
        ([["unhashable"]], "ok"),
    ],
)
def test_a_run_ends_with_the_status_its_last_terminate_names(reasons: list[Any], status: str) -> None:
    """A run is `running` until closed, then `error` or `interrupted` if `agent.terminate` says so, else `ok`."""
    bus = EventBus()
    put(bus, [0])
    for reason in reasons:
        bus.publish_nowait(StreamEvent("run", "agent.terminate", {"reason": reason}))
    put(bus, [1])
    before = bus.run_record("run")
    bus.close_stream_nowait("run")
    after = bus.run_record("run")
    assert before is not None
    assert after is not None
    assert (before.status, after.status) == ("running", status)


def test_a_reader_that_never_asks_for_batches_hoards_nothing() -> None:
    """A global reader that only iterates events remembers a bounded number of runs to tell of."""
    bus = EventBus(max_runs_retained=1)
    everything = bus.subscribe_global()
    for n in range(10_100):
        bus.open_stream_nowait(f"run-{n}")
    assert len(everything._inbox.stirred_runs) == 10_000


# Statistics


def test_stats_are_json_with_exactly_the_documented_keys() -> None:
    """`stats` has the keys of the contract, depths of run and global queues among them."""
    bus = EventBus(max_queue_size=2, overflow_queues=0)
    kept = [bus.subscribe("a"), bus.subscribe("a"), bus.subscribe("b"), bus.subscribe_global()]
    next_of_first = iter(kept[0])
    put(bus, [0, 1], "a")
    next(next_of_first)
    put(bus, [2], "a")
    stats = bus.stats()
    assert json.loads(json.dumps(stats)) == {
        "active_runs": 2,
        "global_subscribers": 1,
        "history_runs": 1,
        "dropped_events_total": 2,
        "queue_depths": {"a": [2, 2], "b": [0]},
        "global_queue_depths": [2],
        "global_subscribers_refused_total": 0,
        "evicted_runs_total": 0,
        "trimmed_events_total": 0,
        "published_events_total": 3,
        "late_events_total": 0,
        "emit_failures_total": 0,
    }
    assert bus._dropped_events == 2


def test_dropped_events_of_readers_that_left_stay_counted() -> None:
    """`dropped_events_total` never goes back, however a reader leaves."""
    bus = EventBus(max_queue_size=1, overflow_queues=0)
    ended, closed, forgotten = (bus.subscribe("run") for _ in range(3))
    put(bus, range(3))
    assert bus._dropped_events == 6
    closed.close()
    closed.close()
    del forgotten
    gc.collect()
    assert bus._dropped_events == 6
    bus.close_stream_nowait("run")
    assert (bus._dropped_events, ended.dropped) == (6, 2)
    ended.close()
    assert bus._dropped_events == 6


# The bus of the process


def test_there_is_one_bus_until_it_is_reset() -> None:
    """`get_event_bus` gives the same bus to everybody, from any thread; after a reset a new one."""
    together = threading.Barrier(4)

    def get() -> EventBus:
        together.wait()
        return get_event_bus()

    first = get_event_bus()
    assert set(in_threads(get, get, get, get)) == {first}
    reset_event_bus()
    assert get_event_bus() is not first


def test_reset_ends_the_readers_of_the_old_bus_from_any_thread() -> None:
    """Readers asleep on a loop and in a thread end when another thread resets; they keep what was buffered."""

    async def main() -> None:
        bus = get_event_bus()
        buffered = bus.subscribe("run")
        put(bus, [7])

        async def read() -> list[int]:
            return [each.data["n"] async for each in bus.subscribe_global()]

        tasks = [
            asyncio.ensure_future(read()),
            asyncio.ensure_future(asyncio.to_thread(ns, bus.subscribe("other"))),
        ]
        while _asleep(bus) < 2:
            await asyncio.sleep(0)
        await asyncio.to_thread(reset_event_bus)
        assert await asyncio.wait_for(asyncio.gather(*tasks), 60) == [[], []]
        assert [each.data["n"] async for each in buffered] == [7]

    asyncio.run(main())


def test_reset_without_a_bus_is_fine() -> None:
    """Resetting twice does nothing the second time."""
    reset_event_bus()
    reset_event_bus()


FORK = """
import os, threading, warnings
from locus_nb import StreamEvent, get_event_bus
warnings.simplefilter("ignore", DeprecationWarning)
bus = get_event_bus()
run, everything = bus.subscribe("run"), bus.subscribe_global()
bus.publish_nowait(StreamEvent("run", "t", {}))
waiting = bus.subscribe("run")
reader = threading.Thread(target=lambda: list(waiting), daemon=True)
reader.start()
while not bus._parked:
    pass
holds, release = threading.Event(), threading.Event()
def hold():
    with bus._lock:
        holds.set()
        release.wait()
        bus._changes.append((bus._close, ("unfinished",)))
holder = threading.Thread(target=hold)
holder.start()
holds.wait()
child = os.fork()
if child == 0:
    try:
        stats = bus.stats()
        assert (stats["active_runs"], stats["global_subscribers"]) == (0, 0), stats
        assert len(bus.history("run")) == 1
        own = bus.subscribe("run")
        bus.publish_nowait(StreamEvent("run", "t", {}))
        bus.close_stream_nowait("run")
        assert [event.seq for event in own] == [1, 2]
        assert [list(each) for each in (run, everything, waiting)] == [[], [], []]
        run.close()
        assert get_event_bus() is bus
        os._exit(0)
    except BaseException:
        import traceback
        traceback.print_exc()
        os._exit(1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
release.set()
holder.join()
assert bus.stats()["active_runs"] == 1
assert bus.stats()["queue_depths"] == {"run": [1, 0]} or bus.stats()["queue_depths"] == {"run": [1, 1]}
bus.close_stream_nowait("run")
reader.join()
"""


def test_a_forked_child_starts_without_its_parents_readers() -> None:
    """A child forked while another thread holds the lock has the history, no readers, and works."""
    python(FORK)


EVERYTHING = """
import asyncio, gc, threading
from locus_nb import EventBus, StreamEvent, emit, emit_sync, get_event_bus, run_context

async def main():
    bus = get_event_bus()
    everything, seen = bus.subscribe_global(), []
    async def read():
        async for event in bus.subscribe("run"):
            seen.append(event.data["n"])
    reader = asyncio.create_task(read())
    await asyncio.sleep(0)
    async with run_context("run"):
        for n in range(3000):
            await bus.publish(StreamEvent("run", "t", {"n": n}))
        await emit("t", n=3000)
        await asyncio.to_thread(emit_sync, "t", n=3001)
        for n in range(3002, 3005):
            await asyncio.to_thread(lambda: asyncio.run(emit("t", n=n)))
    async for event in bus.subscribe("run"):
        break
    polling = bus.subscribe("later")
    for _ in range(3):
        try:
            await asyncio.wait_for(anext(polling), 0.001)
        except TimeoutError:
            pass
    await bus.close_stream("run")
    await reader
    if seen != list(range(3005)):
        raise SystemExit(f"lost: {len(seen)}")
    if (await everything.next_batch()).events[0].seq != 1:
        raise SystemExit("not the first")
    thread = threading.Thread(target=list, args=(bus.subscribe("thread"),))
    thread.start()
    bus.close_stream_nowait("thread")
    await asyncio.to_thread(thread.join)
    await bus.close_global()

asyncio.run(main())
gc.collect()
print("done")
"""


@pytest.mark.parametrize("options", [("-X", "dev", "-W", "error"), ("-OO",), ()], ids=" ".join)
def test_debug_modes_and_optimisation_change_nothing(options: tuple[str, ...]) -> None:
    """The same script loses nothing and says nothing on stderr under `-X dev -W error`, `-OO` and plainly."""
    assert python(EVERYTHING, *options) == "done\n"


# Found by review


def test_ids_and_types_of_a_subclass_are_taken_as_bare_text() -> None:
    """A subclass of str that cannot be hashed or compared names runs and types like its text, and harms nothing."""
    bus = EventBus()
    bus.publish_nowait(StreamEvent(_Unhashable("run"), _Unhashable("test.event"), {"n": 1}))
    bus.close_stream_nowait(_Unhashable("run"))
    (read,) = bus.subscribe(_Unhashable("run"))
    assert type(read.run_id) is type(read.event_type) is str
    assert bus.history("run") == bus.history(_Unhashable("run")) == (read,)


def test_a_change_that_fails_fails_once() -> None:
    """A change that raises is its maker's error, and not that of everyone after."""
    bus = EventBus()

    def broken() -> None:
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        bus._change(broken)
    assert bus.stats()["published_events_total"] == 0


def test_an_old_end_does_not_decide_about_a_new_life() -> None:
    """A run opened again after an error is ok if its new life was."""
    bus = EventBus()
    bus.publish_nowait(StreamEvent("run", "agent.terminate", {"reason": "error"}))
    bus.close_stream_nowait("run")
    first = bus.run_record("run")
    bus.open_stream_nowait("run")
    bus.publish_nowait(event(1))
    bus.close_stream_nowait("run")
    second = bus.run_record("run")
    assert first is not None
    assert second is not None
    assert (first.status, second.status) == ("error", "ok")


def test_room_made_without_the_lock_is_used_before_the_clock_strikes() -> None:
    """A reader that takes events in time loses none of those that waited for the room it made."""
    seconds = [0.0]
    bus = EventBus(clock=lambda: seconds[0])
    subscription = bus.subscribe("run")
    put(bus, range(1024 + 31))
    assert subscription.backlog == 1024 + 31
    seconds[0] = 0.9
    for _ in range(32):
        next(subscription)
    seconds[0] = 1.5
    assert subscription.dropped == 0
    assert subscription.backlog == 1023


def test_waiting_events_are_never_overtaken() -> None:
    """Events in the overflow come before new ones, also when an interrupt left the queue empty."""
    bus = EventBus(max_queue_size=8)
    subscription = bus.subscribe("run")
    put(bus, range(10))
    assert subscription.backlog == 10
    # What an interrupt between taking a batch and moving the overflow up leaves.
    inbox = subscription._inbox
    assert len(inbox.overflow) == 2
    inbox.held.clear()
    put(bus, range(10, 13))
    assert drain(subscription) == [8, 9, 10, 11, 12]
