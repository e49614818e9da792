from __future__ import annotations

import _thread
import asyncio
import dis
import gc
import itertools
import random
import signal
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import locus_nb
from locus_nb import (
    EventBus,
    Subscription,
    Wakeup,
    emit,
    emit_sync,
    get_event_bus,
    reset_event_bus,
    run_context,
)
from tests.bus_kit import Clock, check_counts, drain, event, in_threads, ns, put

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

PACKAGE = str(Path(locus_nb.__file__).parent)


@pytest.fixture
def _restless() -> Iterator[None]:
    """Let threads be switched as often as the interpreter can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def _per_run(numbers: list[tuple[str, int]]) -> dict[str, list[int]]:
    runs: dict[str, list[int]] = {}
    for run_id, n in numbers:
        runs.setdefault(run_id, []).append(n)
    return runs


# Threads


def _publish_in_own_loop(bus: EventBus, run_id: str, count: int) -> None:
    async def main() -> None:
        for n in range(count):
            await bus.publish(event(n, run_id))

    asyncio.run(main())


# asyncio's debug mode makes each read and each publish several times as dear, but gives a reader no more of
# the interpreter beside four publishers: there all fits queue and overflow.
EACH = 2_000 if sys.flags.dev_mode else 5_000


@pytest.mark.parametrize("how", ["events", "batches"])
def test_four_threads_with_loops_reach_a_reader_on_the_main_loop(how: str) -> None:
    """4 threads x 5,000 events by `await publish`: none lost, repeated or reordered, one total order."""

    async def main() -> None:
        bus = EventBus(history_per_run=EACH)
        everything, one = bus.subscribe_global(), bus.subscribe("2")
        threads = [
            asyncio.ensure_future(asyncio.to_thread(_publish_in_own_loop, bus, str(k), EACH))
            for k in range(4)
        ]
        reading = asyncio.ensure_future(_collect(one, "events"))
        ending = asyncio.gather(*threads)
        ending.add_done_callback(lambda _: (bus.close_global_nowait(), bus.close_stream_nowait("2")))
        seen = await _collect(everything, how)
        await ending
        assert [seq for seq, _, _ in seen] == list(range(1, 4 * EACH + 1))
        runs = _per_run([(run_id, n) for _, run_id, n in seen])
        assert runs == {str(k): list(range(EACH)) for k in range(4)}
        assert [n for _, _, n in await reading] == list(range(EACH))
        assert bus.stats()["dropped_events_total"] == 0
        for k in range(4):
            assert ns(bus.history(str(k))) == list(range(EACH))

    asyncio.run(main())


async def _collect(subscription: Subscription, how: str) -> list[tuple[int | None, str, int]]:
    seen: list[tuple[int | None, str, int]] = []
    if how == "events":
        async for each in subscription:
            seen.append((each.seq, each.run_id, each.data["n"]))  # noqa: PERF401 - what was read so far stays
    else:
        while batch := await subscription.next_batch():
            seen += [(each.seq, each.run_id, each.data["n"]) for each in batch.events]
    return seen


@pytest.mark.usefixtures("_restless")
def test_restless_threads_reach_readers_everywhere() -> None:
    """Readers in plain threads, in other loops and by waking get everything from restless publishers, in order."""
    bus = EventBus(max_queue_size=64, overflow_queues=1_000, slow_timeout=float("inf"))
    subscriptions = [bus.subscribe_global() for _ in range(3)]
    left = iter(range(2, -1, -1))

    def publish(run_id: str) -> list[tuple[int | None, str, int]]:
        _publish_in_own_loop(bus, run_id, 700)
        put(bus, range(700, 1_000), run_id)
        if next(left) == 0:
            bus.close_global_nowait()
        return []

    def block() -> list[tuple[int | None, str, int]]:
        return [(each.seq, each.run_id, each.data["n"]) for each in subscriptions[0]]

    def loop() -> list[tuple[int | None, str, int]]:
        return asyncio.run(_collect(subscriptions[1], "batches"))

    def wake() -> list[tuple[int | None, str, int]]:
        seen: list[tuple[int | None, str, int]] = []
        wakeup = Wakeup()
        while True:
            batch = subscriptions[2].next_batch_nowait()
            if batch is None:
                if subscriptions[2].wake_with(wakeup):
                    wakeup.wait()
            elif batch:
                seen += [(each.seq, each.run_id, each.data["n"]) for each in batch.events]
            else:
                return seen

    publishers = [lambda k=k: publish(str(k)) for k in range(3)]
    for seen in in_threads(block, loop, wake, *publishers)[:3]:
        assert [seq for seq, _, _ in seen] == list(range(1, 3_001))
        assert _per_run([(run_id, n) for _, run_id, n in seen]) == {
            str(k): list(range(1_000)) for k in range(3)
        }


@pytest.mark.usefixtures("_restless")
def test_mixed_emits_from_many_threads_keep_each_threads_order() -> None:
    """`emit`, `emit_sync`, from loops and plain threads, all into one run: each thread's order is kept."""
    everything = get_event_bus().subscribe_global()

    def plain(name: str) -> None:
        with run_context("run"):
            for n in range(500):
                emit_sync(name, n=n)

    def looping(name: str) -> None:
        async def main() -> None:
            async with run_context("run"):
                for n in range(0, 500, 2):
                    await emit(name, n=n)
                    emit_sync(name, n=n + 1)

        asyncio.run(main())

    works: list[Callable[[], None]] = [lambda name=name: plain(name) for name in "abc"]
    works += [lambda name=name: looping(name) for name in "def"]
    in_threads(*works)
    batch = everything.next_batch_nowait()
    assert batch is not None
    seen = list(batch.events)
    while batch := everything.next_batch_nowait():
        seen += batch.events
    assert [each.seq for each in seen] == list(range(1, 3_001))
    assert _per_run([(each.event_type, each.data["n"]) for each in seen]) == {
        name: list(range(500)) for name in "abcdef"
    }
    assert get_event_bus().stats()["emit_failures_total"] == 0


@pytest.mark.usefixtures("_restless")
def test_a_thread_s_close_comes_after_its_own_events() -> None:
    """Each of many threads publishes and closes its run: its reader gets every event, none is late."""
    bus = EventBus(max_queue_size=8)

    def work(name: str) -> None:
        for turn in range(60):
            run_id = f"{name}-{turn}"
            reader = bus.subscribe(run_id)
            put(bus, range(3), run_id)
            bus.close_stream_nowait(run_id)
            assert ns(reader) == [0, 1, 2]

    in_threads(*(lambda name=name: work(name) for name in "abcdef"))
    assert bus.stats()["late_events_total"] == 0


@pytest.mark.usefixtures("_restless")
@pytest.mark.parametrize("end", ["close", "reset", "leave"])
def test_everybody_ends_however_closing_races_with_reading(end: str) -> None:
    """Readers on loops, other loops and threads, asleep, reading or just beginning, all end at a close."""
    for turn in range(15):
        reset_event_bus()
        bus = get_event_bus()
        put(bus, range(turn))
        readers = [bus.subscribe("run", follow=end != "close") for _ in range(6)]
        together = threading.Barrier(8)

        def finish(bus: EventBus = bus, readers: list[Subscription] = readers) -> None:
            if end == "close":
                bus.close_stream_nowait("run")
            elif end == "reset":
                reset_event_bus()
            else:
                for reader in readers:
                    reader.close()

        def publish(bus: EventBus = bus, together: threading.Barrier = together) -> None:
            together.wait()
            _publish_in_own_loop(bus, "run", 20)

        def close(together: threading.Barrier = together, finish: Callable[[], None] = finish) -> None:
            together.wait()
            finish()
            finish()

        def read(
            place: int, together: threading.Barrier = together, readers: list[Subscription] = readers
        ) -> None:
            together.wait()
            reader = readers[place]
            if place < 2:
                numbers = ns(reader)
            else:
                numbers = [n for _, _, n in asyncio.run(_collect(reader, ["events", "batches"][place % 2]))]
            assert numbers == [*range(turn), *range(20)][: len(numbers)]
            check_counts(reader)

        in_threads(publish, close, *(lambda place=place: read(place) for place in range(6)))
        assert not bus._parked
        assert not list(bus._readers)


@pytest.mark.usefixtures("_restless")
def test_readers_come_and_go_while_others_publish() -> None:
    """Subscribing, leaving, forgetting and looking beside publishers never raises, and nothing is left behind."""
    bus, over = EventBus(max_queue_size=16, max_runs_retained=3), threading.Event()
    kept = bus.subscribe_global()
    ending = iter(range(1, -1, -1))

    def publish() -> None:
        for n in range(1_500):
            put(bus, [n], f"run-{n % 5}")
        if next(ending) == 0:
            over.set()

    def churn(seed: int) -> None:
        chance = random.Random(seed)
        while not over.is_set():
            reader = (
                bus.subscribe(f"run-{chance.randrange(5)}")
                if chance.random() < 0.7
                else bus.subscribe_global()
            )
            if chance.random() < 0.5:
                reader.next_batch_nowait()
                check_counts(reader)
            if chance.random() < 0.5:
                reader.close()
            bus.stats()
            bus.history("run-1")

    in_threads(publish, publish, lambda: churn(1), lambda: churn(2))
    assert kept.offered == 3_000
    check_counts(kept)
    bus.stats()
    assert list(bus._readers) == [kept._inbox]


# Garbage collection in the midst of anything


def test_collections_that_use_the_bus_find_it_whole() -> None:
    """A `__del__` may publish, close, read, look, or give up a read in the midst of any change: all still adds up."""
    chance = random.Random(7)

    async def main() -> None:
        bus = EventBus(
            max_queue_size=8, overflow_queues=1_000, slow_timeout=float("inf"), max_runs_retained=2
        )
        everything, one = bus.subscribe_global(), bus.subscribe("run")
        polled = [bus.subscribe("run"), bus.subscribe_global()]
        reads: list[Any] = []
        numbers = itertools.count()
        left: list[int] = []

        def forget() -> None:
            bus.subscribe(f"gone-{chance.randrange(3)}")
            bus.subscribe_global(replay=3)

        def begin_a_read() -> None:
            if not reads:
                reads.extend(each.__anext__() for each in polled)
                for read in reads:
                    _step(read)

        def give_up_a_read() -> None:
            while reads:
                reads.pop().close()

        deeds: list[Callable[[], Any]] = [
            lambda: put(bus, [next(numbers)], "gc"),
            lambda: put(bus, [next(numbers) for _ in range(9)], "gc"),
            lambda: bus.close_stream_nowait(f"gone-{chance.randrange(3)}"),
            lambda: bus.open_stream_nowait(f"gone-{chance.randrange(3)}"),
            lambda: bus.drop_history_nowait("gone-1"),
            lambda: kept.append(bus.subscribe(f"kept-{chance.randrange(9)}")),
            kept.clear,
            forget,
            begin_a_read,
            give_up_a_read,
            lambda: (bus.stats(), bus.history("run"), bus.run_ids()),
        ]

        def in_the_midst(phase: str, _: object) -> None:
            # A bounded number a step: each deed makes the bus work, and work makes collections.
            if phase == "start" and left and chance.random() < 0.2:
                left.pop()
                chance.choice(deeds)()

        seen: list[Any] = []
        read: list[int] = []
        with _collecting_all_the_time(in_the_midst):
            for n in range(150):
                left[:] = [1] * 5
                put(bus, [n])
                bus.stats()
                if n % 3 == 0 and (batch := everything.next_batch_nowait()):
                    seen += batch.events
                if n % 5 == 0:
                    read.append(next(one).data["n"])
                if n % 7 == 0:
                    bus.close_stream_nowait(f"kept-{n % 9}")
        give_up_a_read()
        while batch := everything.next_batch_nowait():
            seen += batch.events
        stats = bus.stats()
        assert [each.seq for each in seen] == list(range(1, stats["published_events_total"] + 1))
        runs = _per_run([(each.run_id, each.data["n"]) for each in seen])
        assert runs["run"] == list(range(150))
        assert runs["gc"] == list(range(next(numbers)))
        assert read + drain(one) == list(range(150))
        assert stats["dropped_events_total"] == 0
        for each in (everything, one):
            check_counts(each)

    kept: list[Subscription] = []
    asyncio.run(main())


def _step(read: Any) -> None:
    try:
        read.send(None)
    except StopIteration:
        return


@contextmanager
def _collecting_all_the_time(callback: Callable[[str, object], None]) -> Iterator[None]:
    before = gc.get_threshold()
    gc.collect()
    gc.callbacks.append(callback)
    gc.set_threshold(1)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.callbacks.remove(callback)


class _Mortal:
    """Payload that says something when it goes."""

    def __init__(self, bus: EventBus) -> None:
        self.bus = bus

    def __del__(self) -> None:
        put(self.bus, [-1], "obituary")


def test_payloads_that_publish_when_they_go() -> None:
    """Payloads trimmed from history or dropped, whose `__del__` publishes, harm nothing and are all heard."""
    bus = EventBus(max_queue_size=64, history_per_run=2)
    slow, obituaries = bus.subscribe("run"), bus.subscribe("obituary")
    heard: list[int] = []
    for _ in range(100):
        bus.publish_nowait(locus_nb.StreamEvent("run", "t", {"mortal": _Mortal(bus)}))
        heard += drain(obituaries)
    slow.close()
    heard += drain(obituaries)
    bus.drop_history_nowait("run")
    gc.collect()
    heard += drain(obituaries)
    assert heard == [-1] * 100
    check_counts(slow)


# A `__del__` at any moment


def _amid(deed: Callable[[], object], point: int, work: Callable[[], object]) -> bool:
    """Do `deed` at the `point`-th call or return in `work`, as a `__del__` might; whether it came to that."""
    passed = 0

    def profile(_frame: FrameType, _kind: str, _arg: object) -> None:
        nonlocal passed
        passed += 1
        if passed == point:
            deed()

    sys.setprofile(profile)
    try:
        work()
    finally:
        sys.setprofile(None)
    return passed >= point


def test_a_thread_that_lies_down_may_publish_at_every_step() -> None:
    """A blocked read in whose midst something publishes to it, or ends it, wakes up with all that came."""
    for end in (False, True):
        point, came = 0, True
        while came:
            point += 1
            bus = EventBus()
            subscription = bus.subscribe("run")

            def deed(bus: EventBus = bus, *, end: bool = end) -> None:
                put(bus, [1])
                if end:
                    bus.close_stream_nowait("run")

            def work(subscription: Subscription = subscription) -> None:
                assert next(subscription).data["n"] == 1

            def look(bus: EventBus = bus) -> None:
                while not bus._parked and not subscription.delivered:
                    pass
                # Without this the last point, which is behind the read, would wait for ever.
                put(bus, [1])

            came = in_threads(lambda: _amid(deed, point, work), look)[0]
            check_counts(subscription)
        assert point > 20, "there was hardly a step to publish at"


def test_a_wakeup_may_be_called_in_the_midst_of_its_own_wait_and_call() -> None:
    """`Wakeup` called again at every step of `call` and `wait` never hangs, and the call is never lost."""

    def work(wakeup: Wakeup) -> None:
        wakeup.call()
        assert wakeup.wait(60)

    point, came = 0, True
    while came:
        point += 1
        wakeup = Wakeup()
        came = in_threads(lambda: _amid(wakeup.call, point, lambda: work(wakeup)))[0]
    assert point > 4


def test_a_bus_is_asked_for_in_the_midst_of_its_making() -> None:
    """`get_event_bus` and `reset_event_bus` in the midst of themselves: no hang, and one bus for all."""
    point, came = 0, True
    while came:
        point += 1
        reset_event_bus()
        buses: list[EventBus] = []
        came = _amid(lambda: buses.append(get_event_bus()), point, lambda: buses.append(get_event_bus()))
        buses.append(get_event_bus())
        assert len(set(buses)) == 1, point
        assert _amid(get_event_bus, point, reset_event_bus) or point > 5
    assert point > 10


# Interrupts


def _interrupting(action: Callable[[], object], point: int) -> bool:
    """Run `action`, raising KeyboardInterrupt where CPython may for the `point`-th time; whether it came to that.

    CPython looks for signals when a function begins, after a call, and when a loop goes back. What strikes
    in a `__del__` it swallows, so that none is raised there. From 3.12 on it tells of the opcodes of what was
    traced before only: so an action is traced in vain first, at point 0.
    """
    last: dict[FrameType, int] = {}
    passed = 0

    def trace(frame: FrameType, kind: str, _: object) -> Any:
        nonlocal passed
        if not frame.f_code.co_filename.startswith(PACKAGE) or frame.f_code.co_name in {"__del__", "forget"}:
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        if kind == "opcode":
            before = last.get(frame)
            last[frame] = frame.f_lasti
            code = frame.f_code.co_code
            if before is not None and _may_be_interrupted(code[before], code[frame.f_lasti]):
                passed += 1
                if passed == point:
                    raise KeyboardInterrupt
        elif kind == "return":
            last.pop(frame, None)
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        action()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
        last.clear()
    return False


def _may_be_interrupted(before: int, now: int) -> bool:
    # A call that raised goes on in a handler at once.
    if dis.opname[now] == "PUSH_EXC_INFO":
        return False
    name = dis.opname[before]
    return name.startswith("CALL") or name in {"RESUME", "JUMP_BACKWARD"}


class _Scene:
    """A bus in the middle of everything, and an action to be interrupted."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.bus = EventBus(
            max_queue_size=4,
            history_per_run=3,
            max_runs_retained=2,
            max_global_subscribers=2,
            overflow_queues=1,
            clock=self.clock,
        )
        bus = self.bus
        self.everything = bus.subscribe_global()
        self.stuck, self.asleep = bus.subscribe("run"), bus.subscribe("run")
        self.seen: list[int | None] = []
        self.published = [event(n, run_id) for n, run_id in enumerate(["old", "other", *["run"] * 6])]
        for each in self.published:
            bus.publish_nowait(each)
            self.read()
        drain(self.asleep)
        # What the others asked for and has not been done: joining, being refused, leaving, closing.
        self.joining = Subscription(bus, bus._inbox("run"))
        self.refused = Subscription(bus, bus._inbox(None))
        self.ending = bus.subscribe("ends")
        bus.subscribe("forgotten")
        self.other = bus.subscribe_global()
        self.wakeup = Wakeup()
        assert self.asleep.wake_with(self.wakeup)
        bus._changes.append((bus._join_run, (self.joining._inbox,)))
        bus._changes.append((bus._join_all, (self.refused._inbox, 0)))
        bus._changes.append((bus._close, ("ends",)))
        bus._changes.append((bus._close, ("old",)))
        self.clock.advance(1.0)
        self.tried: list[locus_nb.StreamEvent] = []

    def read(self) -> None:
        while batch := self.everything.next_batch_nowait():
            self.seen += [each.seq for each in batch.events]

    def act(self) -> None:
        for n, run_id in enumerate(["run", "new", "run", "run"]):
            self.tried.append(event(100 + n, run_id))
            self.bus.publish_nowait(self.tried[-1])
        self.bus.close_stream_nowait("other")
        self.bus.drop_history_nowait("new")
        self.bus.subscribe("run").close()

    def check(self, point: int) -> None:
        bus = self.bus
        in_threads(lambda: put(bus, [200]))
        self.read()
        stats = bus.stats()
        came = [each for each in self.tried if each.seq is not None]
        # All but the one that was interrupted on its way in.
        assert len(came) >= len(self.tried) - 1, point
        assert stats["published_events_total"] == 8 + len(came) + 1
        assert self.seen == list(range(1, stats["published_events_total"] + 1)), point
        of_run = [each.data["n"] for each in (*self.published, *came) if each.run_id == "run"] + [200]
        assert ns(bus.history("run")) == of_run[-3:], point
        joined = drain(self.joining)
        assert len(joined) >= 3, point
        assert joined == of_run[-len(joined) :], point
        # Of the first 6, 4 are in its queue and 2 waited too long; 4 new ones have room where these were.
        assert (self.stuck.offered, self.stuck.delivered) == (len(of_run), 0), point
        assert self.stuck.dropped == 2, point
        check_counts(self.stuck)
        assert drain(self.asleep) == of_run[6:], point
        assert self.wakeup.wait(0), point
        assert self.ending.closed, point
        assert (self.refused.refused, stats["global_subscribers_refused_total"]) == (True, 1), point
        assert stats["queue_depths"].keys() == {"run"}, point
        assert (stats["late_events_total"], stats["global_subscribers"]) == (0, 2), point
        assert len(bus.run_ids()) <= 2, point
        assert (list(bus._changes), bus._intake, bus._busy) == ([], [], False), point


def test_an_interrupt_anywhere_loses_doubles_and_locks_nothing() -> None:
    """KeyboardInterrupt at each place CPython may raise it, in publish, close, drop, subscribe: all adds up."""
    _interrupting(_Scene().act, 0)
    point = 1
    while True:
        scene = _Scene()
        if not _interrupting(scene.act, point):
            break
        scene.check(point)
        point += 1
    scene.check(0)
    assert point > 100, "the trap was hardly ever sprung"


@pytest.mark.parametrize("everything", [False, True])
def test_an_interrupt_after_a_join_replays_nothing_twice(*, everything: bool) -> None:
    """Interrupted when it has just joined, with an event published meanwhile, a reader gets each event once."""
    bus = EventBus()
    put(bus, [1])
    name = "_join_all" if everything else "_join_run"
    join = getattr(bus, name)

    def interrupted(*args: Any) -> None:
        join(*args)
        setattr(bus, name, join)
        bus._changes[0] = (join, args)
        in_threads(lambda: put(bus, [2]))
        raise KeyboardInterrupt

    subscription = Subscription(bus, bus._inbox(None if everything else "run"))
    with pytest.raises(KeyboardInterrupt):
        bus._change(interrupted, subscription._inbox, *([9] if everything else []))
    assert drain(subscription) == [1, 2]
    check_counts(subscription)


def test_an_interrupt_of_a_subscribe_leaves_no_reader_behind() -> None:
    """KeyboardInterrupt anywhere in `subscribe` or `subscribe_global`: nobody is registered, the cap is free."""
    point, interrupted = 0, True
    while interrupted or point == 1:
        bus = EventBus()
        put(bus, range(3))

        def subscribe(bus: EventBus = bus) -> None:
            bus.subscribe("run")
            bus.subscribe_global(replay=2)

        interrupted = _interrupting(subscribe, point)
        put(bus, [3])
        stats = bus.stats()
        assert (stats["active_runs"], stats["global_subscribers"]) == (0, 0), point
        assert ns(bus.subscribe("run").next_batch_nowait().events) == [0, 1, 2, 3], point  # pyright: ignore[reportOptionalMemberAccess]
        point += 1
    assert point > 50, "the trap was hardly ever sprung"


def _interrupt_inside(_: int, frame: FrameType | None) -> None:
    """Interrupt the package's own code only: what strikes in a `__del__` or a gc callback is swallowed."""
    if frame is None or not frame.f_code.co_filename.startswith(PACKAGE):
        return
    while frame is not None:
        if frame.f_code.co_name == "__del__":
            return
        frame = frame.f_back
    raise KeyboardInterrupt


@pytest.mark.usefixtures("_restless")
def test_a_flood_under_interrupts_from_another_thread() -> None:
    """Fifty real signals that strike inside the bus in a flood: nothing lost, doubled or locked."""
    bus = EventBus(max_queue_size=8, overflow_queues=1_000, slow_timeout=float("inf"), history_per_run=5)
    everything, asked, over = bus.subscribe_global(), threading.Semaphore(0), threading.Event()
    returned: list[int] = []
    seen: list[tuple[int | None, int]] = []

    def fire() -> None:
        while True:
            asked.acquire()
            if over.is_set():
                return
            _thread.interrupt_main()

    def read() -> list[tuple[int | None, int]]:
        return [(each.seq, each.data["n"]) for each in everything]

    def flood() -> int:
        for n in itertools.count():
            if n - len(returned) >= 50:
                return n
            if n % 5 == 0:
                asked.release()
            try:
                bus.publish_nowait(event(n, f"run-{n % 3}"))
            except KeyboardInterrupt:
                continue
            returned.append(n)
        raise AssertionError

    firing = threading.Thread(target=fire)
    reading = threading.Thread(target=lambda: seen.extend(read()))
    before = signal.signal(signal.SIGINT, _interrupt_inside)
    try:
        firing.start()
        reading.start()
        tried = flood()
    finally:
        over.set()
        asked.release()
        firing.join()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGINT, before)
        bus.close_global_nowait()
        reading.join()
    published = bus.stats()["published_events_total"]
    assert len(returned) <= published <= tried
    assert [seq for seq, _ in seen] == list(range(1, published + 1))
    numbers = [n for _, n in seen]
    assert numbers == sorted(set(numbers))
    assert set(returned) <= set(numbers)
    check_counts(everything)
