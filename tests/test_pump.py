from __future__ import annotations

import gc
import logging
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from locus_nb import EventBus
from locus_nb._views.pump import TICK, Pump, _Flush, the_pump
from locus_nb._wakeup import Wakeup
from tests.bus_kit import GRACE_S, event, in_threads, ns, put, python

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locus_nb import Batch


class Pause(threading.Event):
    """An event that tells for how long it was waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.timeouts: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        """Take a note, and wait."""
        self.timeouts.append(timeout)
        return super().wait(timeout)


class Sleep(Wakeup):
    """A wakeup that tells when somebody begins to wait for it."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = threading.Event()

    def wait(self, timeout: float = -1) -> bool:
        """Take a note, and wait."""
        self.begun.set()
        return super().wait(timeout)


class Sink:
    """Takes notes; works off all it was given in a tick, unless told to be stuck."""

    def __init__(self, *, more_ticks: int = 0, stuck: bool = False) -> None:
        self.batches: list[Batch] = []
        self.numbers: list[int] = []
        self.threads: set[threading.Thread] = set()
        self.ticks = 0
        self.unread = 0
        self.failed = 0
        self.more_ticks = more_ticks
        self.stuck = stuck
        self.seen = threading.Condition()

    def put(self, batch: Batch) -> None:
        """Take a note."""
        self.batches.append(batch)
        self.unread += len(batch.events)
        with self.seen:
            self.numbers += ns(batch.events)
            self.seen.notify_all()

    def tick(self) -> bool:
        """Count."""
        self.threads.add(threading.current_thread())
        with self.seen:
            self.ticks += 1
            self.seen.notify_all()
        if not self.stuck:
            self.unread = 0
        self.more_ticks -= 1
        return self.more_ticks > 0

    def fail(self) -> None:
        """Take a note."""
        self.failed += 1

    def wait_for(self, count: int) -> list[int]:
        """The numbers of the events it got, once there are so many."""
        with self.seen:
            assert self.seen.wait_for(lambda: len(self.numbers) >= count, GRACE_S), self.numbers
            return list(self.numbers)


class Broken(Sink):
    """Fails at everything it can."""

    def put(self, batch: Batch) -> None:
        """Fail."""
        raise ValueError("no room for this batch")


class BrokenLater(Sink):
    """Fails at its ticks."""

    def tick(self) -> bool:
        """Fail."""
        raise ValueError("no tick today")


@pytest.fixture
def pump() -> Iterator[Pump]:
    """A pump that has none of its sinks left, and no thread, when the test is over."""
    made = Pump()
    made._wakeup = Sleep()
    made._hurry = Pause()
    yield made
    for sink in tuple(made._pairs):
        made.detach(sink)
    thread = made._thread
    if thread is not None:
        thread.join(GRACE_S)
    assert made._thread is None


def parked(pump: Pump) -> bool:
    """Whether the pump lies down, to be woken by news alone, within the grace time."""
    assert isinstance(pump._wakeup, Sleep)
    return pump._wakeup.begun.wait(GRACE_S)


def test_carries_everything_in_order(pump: Pump) -> None:
    """A sink gets what is in the subscription, and then what is published, in the bus's order."""
    bus, sink = EventBus(), Sink()
    put(bus, range(5))
    pump.attach(bus.subscribe("run"), sink)
    sink.wait_for(5)
    put(bus, range(5, 500))
    assert sink.wait_for(500) == list(range(500))


def test_one_daemon_thread_for_all(pump: Pump) -> None:
    """All sinks are served by one daemon thread, which keeps no process alive."""
    bus, sinks = EventBus(), [Sink(), Sink(), Sink()]
    for sink in sinks:
        pump.attach(bus.subscribe("run"), sink)
    put(bus, [1])
    for sink in sinks:
        sink.wait_for(1)
    assert pump.flush()
    (thread,) = set.union(*(sink.threads for sink in sinks))
    assert thread.daemon
    assert thread.name == "locus_nb-pump"


def test_rests_without_a_clock(pump: Pump) -> None:
    """With nothing to carry the thread waits without a timeout: it costs nothing until there is news."""
    bus, sink = EventBus(), Sink()
    pump.attach(bus.subscribe("run"), sink)
    put(bus, [1])
    sink.wait_for(1)
    assert parked(pump)
    pump._wakeup.begun.clear()  # type: ignore[attr-defined] # the fixture's Sleep
    put(bus, [2])
    sink.wait_for(2)
    assert parked(pump)


def test_keeps_nothing_of_a_round_while_it_rests(pump: Pump) -> None:
    """At rest the thread holds no flush any more, and so none of the sinks that were there at the time."""
    pump.attach(EventBus().subscribe("run"), Sink())
    assert parked(pump)
    pump._wakeup.begun.clear()  # type: ignore[attr-defined] # the fixture's Sleep
    assert pump.flush()
    assert parked(pump)
    # What an earlier test left to be collected may hold one.
    gc.collect()
    assert _Flush not in {type(each) for each in gc.get_objects()}


def test_ticks_on_while_a_sink_has_more_to_do(pump: Pump) -> None:
    """A sink whose tick says so is ticked again, 20 times a second, without any event."""
    sink = Sink(more_ticks=4)
    pump.attach(EventBus().subscribe("run"), sink)
    assert parked(pump)
    assert sink.ticks >= 4
    assert isinstance(pump._hurry, Pause)
    pauses = [pause for pause in pump._hurry.timeouts if pause is not None]
    assert len(pauses) >= 3
    assert all(TICK / 10 <= pause <= TICK for pause in pauses)


def test_sleeps_no_longer_than_a_sink_asks_for(pump: Pump) -> None:
    """A sink that asks for it in its tick is ticked again after that time, without any event; then no more."""
    sink = Sink()
    asked = [0.02, 0.01, 0.01]

    def tick() -> bool:
        if asked:
            pump.sleep_at_most(60)
            pump.sleep_at_most(asked.pop())
        return Sink.tick(sink)

    sink.tick = tick  # type: ignore[method-assign]
    pump.attach(EventBus().subscribe("run"), sink)
    with sink.seen:
        assert sink.seen.wait_for(lambda: sink.ticks >= 4, GRACE_S)
    assert parked(pump)
    assert asked == []


def test_burst_makes_few_ticks(pump: Pump) -> None:
    """What comes within a tick is one batch: sinks are not ticked for each event."""
    bus, sink = EventBus(max_queue_size=10_000), Sink()
    pump.attach(bus.subscribe("run"), sink)
    put(bus, range(5_000))
    sink.wait_for(5_000)
    assert len(sink.batches) < 50


def test_full_sink_leaves_events_where_drops_are_counted(pump: Pump) -> None:
    """A sink with 1,000 unread events is given no more: the rest stays in its subscription."""
    bus, sink = EventBus(max_queue_size=1_200), Sink(stuck=True)
    subscription = bus.subscribe("run")
    put(bus, range(1_000))
    pump.attach(subscription, sink)
    sink.wait_for(1_000)
    put(bus, range(1_000, 1_010))
    assert not pump.flush(0.1)
    assert sink.unread == 1_000
    assert subscription.backlog == 10
    sink.stuck = False
    assert sink.wait_for(1_010) == list(range(1_010))


class BrokenCount(Sink):
    """Cannot even say how much it has to do."""

    @property
    def unread(self) -> int:
        """Fail."""
        raise ValueError("no count")

    @unread.setter
    def unread(self, _: int) -> None:
        """Take nothing."""


@pytest.mark.parametrize("broken", [Broken(), BrokenLater(), BrokenCount()])
def test_failing_sink_stops_alone(
    pump: Pump, broken: Sink, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """A sink that raises is taken out and reported once, to the log and not on the screen; others go on."""
    bus, sink = EventBus(), Sink()
    doomed = bus.subscribe("run")
    pump.attach(doomed, broken)
    pump.attach(bus.subscribe("run"), sink)
    put(bus, [1])
    sink.wait_for(1)
    assert pump.flush()
    put(bus, [2])
    assert sink.wait_for(2) == [1, 2]
    assert pump.flush()
    assert doomed.closed
    assert (broken.failed, sink.failed) == (1, 0)
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert type(broken).__name__ in record.getMessage()
    assert capfd.readouterr() == ("", "")


def test_failure_prints_nothing_where_no_logging_is_set_up() -> None:
    """In a process without logging a failing sink is silent: its words would land in some cell."""
    said = python("""
import threading
from locus_nb import EventBus, StreamEvent
from locus_nb._views.pump import Pump
class Sink:
    unread = 0
    def put(self, batch): raise ValueError("no")
    def tick(self): return False
    def fail(self): pass
bus, pump = EventBus(), Pump()
bus.publish_nowait(StreamEvent("run", "t", {}))
pump.attach(bus.subscribe("run"), Sink())
for thread in threading.enumerate():
    if thread is not threading.current_thread():
        thread.join()
print("over")
""")
    assert said == "over\n"


def test_flush_waits_for_no_thread_at_the_end_of_the_process(
    pump: Pump, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the interpreter ends, and its daemon threads have, a flush says no at once instead of waiting."""
    bus, sink = EventBus(), Sink(stuck=True)
    pump.attach(bus.subscribe("run"), sink)
    put(bus, [1])
    sink.wait_for(1)
    with monkeypatch.context() as patched:
        patched.setattr(sys, "is_finalizing", lambda: True)
        assert not pump.flush(timeout=float("inf"))


def test_ended_pump_carries_nothing_more() -> None:
    """Ended, it has no thread, also for a sink that still has work or comes later, and a flush says no at once."""
    pump, bus, sink = Pump(), EventBus(), Sink(stuck=True)
    pump.attach(bus.subscribe("run"), sink)
    put(bus, [1])
    sink.wait_for(1)
    thread = pump._thread
    assert thread is not None
    pump.end(GRACE_S)
    assert not thread.is_alive()
    ticks = sink.ticks
    pump.attach(bus.subscribe("run"), Sink())
    assert not thread.is_alive()
    assert pump._thread is thread
    assert not pump.flush(timeout=float("inf"))
    assert sink.ticks == ticks


def test_pump_ends_before_what_it_sends_by() -> None:
    """At the end of the process nothing is carried once those that were there before this package clean up."""
    said = python("""
import atexit, time
atexit.register(lambda: print(view.status, the_pump()._thread.is_alive()))
from locus_nb import watch
from locus_nb._views.pump import the_pump
view = watch("run")
""")
    assert said == "waiting False\n"


def test_thread_ends_with_the_last_sink_and_starts_anew(pump: Pump) -> None:
    """Without sinks there is no thread; the next sink starts one."""
    bus, first, second = EventBus(), Sink(), Sink()
    pump.attach(bus.subscribe("run"), first)
    thread = pump._thread
    assert thread is not None
    pump.detach(first)
    thread.join(GRACE_S)
    assert pump._thread is None
    pump.attach(bus.subscribe("run"), second)
    put(bus, [1])
    assert second.wait_for(1) == [1]


def test_detached_sink_gets_nothing_more(pump: Pump) -> None:
    """Detaching closes the subscription, may be done twice, and by anyone who was never attached."""
    bus, sink, other = EventBus(), Sink(), Sink()
    subscription = bus.subscribe("run")
    pump.attach(subscription, sink)
    pump.attach(bus.subscribe("run"), other)
    pump.detach(sink)
    pump.detach(sink)
    pump.detach(Sink())
    assert subscription.closed
    put(bus, [1])
    other.wait_for(1)
    assert sink.numbers == []


def test_end_is_told_once_and_costs_nothing(pump: Pump) -> None:
    """A subscription that has ended gives its last batch, a false one, and the pump rests."""
    bus, sink = EventBus(), Sink()
    pump.attach(bus.subscribe("run"), sink)
    put(bus, [1])
    bus.close_stream_nowait("run")
    sink.wait_for(1)
    assert pump.flush()
    assert parked(pump)
    assert [bool(batch) for batch in sink.batches].count(False) == 1
    assert sink.batches[-1].closed


def test_reset_ends_what_is_carried(pump: Pump) -> None:
    """A bus that is closed altogether ends its sinks' subscriptions, and the pump goes on with others."""
    old, new, before, after = EventBus(), EventBus(), Sink(), Sink()
    pump.attach(old.subscribe_global(), before)
    pump.attach(new.subscribe_global(), after)
    old.close_all_nowait()
    put(new, [1])
    after.wait_for(1)
    assert pump.flush()
    assert before.batches[-1].closed


def test_flush_waits_for_what_was_published(pump: Pump) -> None:
    """After a flush all that was published before has been put and worked off."""
    bus, sink = EventBus(max_queue_size=5_000), Sink()
    pump.attach(bus.subscribe("run"), sink)
    for n in range(20):
        put(bus, range(100))
        assert pump.flush()
        assert len(sink.numbers) == (n + 1) * 100
        assert sink.unread == 0


def test_flush_does_not_wait_for_what_comes_later(pump: Pump) -> None:
    """A run that never pauses does not keep a flush from ending."""
    bus, sink, over = EventBus(), Sink(), threading.Event()
    pump.attach(bus.subscribe("run"), sink)

    def publish() -> None:
        while not over.is_set():
            bus.publish_nowait(event())

    def flush() -> list[bool]:
        try:
            return [pump.flush(GRACE_S) for _ in range(5)]
        finally:
            over.set()

    assert in_threads(publish, flush)[1] == [True] * 5


def test_flush_without_sinks_is_done(pump: Pump) -> None:
    """Where nothing is carried nothing is waited for."""
    assert pump.flush(0)


def test_flush_ends_when_its_sink_goes(pump: Pump) -> None:
    """A flush that waits for a stuck sink is through when that is detached."""
    bus, sink, begun = EventBus(), Sink(stuck=True), threading.Event()
    put(bus, range(3))
    pump.attach(bus.subscribe("run"), sink)

    def flush() -> bool:
        begun.set()
        return pump.flush(GRACE_S)

    def detach() -> None:
        begun.wait(GRACE_S)
        sink.wait_for(3)
        pump.detach(sink)

    assert in_threads(flush, detach)[0] is True


def test_sinks_may_come_and_go_from_any_thread(pump: Pump) -> None:
    """Threads that attach, flush and detach at once, while others publish, neither hang nor lose events."""
    bus = EventBus()

    def visit() -> None:
        for _ in range(20):
            sink = Sink()
            pump.attach(bus.subscribe("run"), sink)
            bus.publish_nowait(event())
            assert sink.wait_for(1)
            assert pump.flush(GRACE_S)
            pump.detach(sink)

    in_threads(*[visit] * 4)
    assert bus.stats()["active_runs"] == 0


def test_process_has_one_pump_and_a_forked_child_its_own() -> None:
    """A child starts without its parent's views, and its own are carried."""
    assert the_pump() is the_pump()
    said = python("""
import os, threading, warnings
warnings.simplefilter("ignore")
from locus_nb import EventBus, StreamEvent
from locus_nb._views.pump import the_pump
class Sink:
    unread = 0
    def __init__(self): self.got = threading.Event()
    def put(self, batch): self.got.set()
    def tick(self): return False
def carried():
    bus, sink = EventBus(), Sink()
    the_pump().attach(bus.subscribe("run"), sink)
    bus.publish_nowait(StreamEvent("run", "t", {}))
    return sink.got.wait(60)
carried()
pid = os.fork()
if pid == 0:
    os._exit(0 if not the_pump()._pairs and carried() else 1)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
""")
    assert said == "0\n"


def test_a_sink_that_asks_to_exit_stops_only_itself() -> None:
    """SystemExit out of one view ends that view; the pump and the other views go on."""
    bus, pump = EventBus(), Pump()
    exiting, other = bus.subscribe("run"), bus.subscribe("run")
    seen: list[int] = []

    class Exits:
        unread = 0

        def put(self, batch: Batch) -> None:
            raise SystemExit

        def tick(self) -> bool:
            return False

        def fail(self) -> None:
            return

    class Reads(Exits):
        def put(self, batch: Batch) -> None:
            seen.extend(each.data["n"] for each in batch.events)

    sink = Reads()
    pump.attach(exiting, Exits())
    pump.attach(other, sink)
    put(bus, [1])
    assert pump.flush()
    put(bus, [2])
    assert pump.flush()
    pump.detach(sink)
    assert seen == [1, 2]
