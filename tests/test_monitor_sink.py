from __future__ import annotations

import gc
import json
import threading
from typing import Any

import pytest

from locus_nb import EventBus, get_event_bus, reset_event_bus
from locus_nb._subscription import Batch
from locus_nb._views.monitor_sink import MonitorSink
from locus_nb._views.samples import MAX_READERS, MAX_SAMPLES, Samples
from tests.bus_kit import Clock, put

HELLO = {"kind": "hello", "last_seq": 0}
ACK = {"kind": "ack", "last_seq": 0}


class Page:
    """A monitor's sink with a bus, a clock, a main shell and a page that takes notes."""

    def __init__(self, bus: EventBus | None = None) -> None:
        self.bus = bus or EventBus()
        self.clock = Clock()
        self.busy = False
        self.messages: list[dict[str, Any]] = []
        self.rests = 0
        self.samples = Samples(lambda: self.bus, clock=self.clock, wall=lambda: 5_000.0)
        self.sink = MonitorSink(
            self.send, self.samples, is_busy=lambda: self.busy, at_rest=self.rest, clock=self.clock
        )

    def send(self, content: dict[str, Any], buffers: list[bytes]) -> None:
        """Take a note of what can be sent."""
        assert buffers == []
        self.messages.append(json.loads(json.dumps(content, allow_nan=False)))

    def rest(self) -> None:
        """Count."""
        self.rests += 1

    def tick(self, seconds: float = 0.25) -> bool:
        """Let time pass, and do a tick's work."""
        self.clock.advance(seconds)
        return self.sink.tick()

    def pass_seconds(self, seconds: int) -> None:
        """Tick four times a second for so long."""
        for _ in range(4 * seconds):
            self.tick()

    def say(self, content: object) -> bool:
        """Say something as the page does, and do a tick's work."""
        self.sink.hear(content)
        return self.tick()

    @property
    def last(self) -> dict[str, Any]:
        """The newest message."""
        return self.messages[-1]


# Samples


def test_sample_holds_the_totals_of_the_bus() -> None:
    """A sample is the time by a clock that never goes back, and the totals at that moment."""
    page = Page(EventBus(max_queue_size=2, overflow_queues=0))
    with page.bus.subscribe("run"), page.bus.subscribe_global():
        put(page.bus, range(3))
        page.clock.advance(1.5)
        picture = page.samples.look()
    assert picture.samples == ((5_000_000, 0, 0, 0), (5_001_500, 3, 2, 4))
    assert picture.facts["published"] == 3


def test_newest_samples_are_kept() -> None:
    """No more than a minute's samples are kept, the newest."""
    page = Page()
    for n in range(MAX_SAMPLES + 10):
        put(page.bus, [n])
        page.clock.advance(1)
        page.samples.look()
    published = [sample.published for sample in page.samples.picture.samples]
    assert published == list(range(11, MAX_SAMPLES + 11))


def test_worst_readers_are_told_first_and_the_others_counted() -> None:
    """Who dropped most comes first, then whose queue is fullest; beyond 100 there is only their number."""
    bus = EventBus(max_queue_size=2, overflow_queues=0)
    subscriptions = [bus.subscribe(f"run-{n}") for n in range(MAX_READERS + 5)]
    put(bus, range(9), "run-7")
    put(bus, range(2), "run-8")
    put(bus, range(1), "run-9")
    picture = Page(bus).samples.look()
    assert [reader.run_id for reader in picture.readers[:4]] == ["run-7", "run-8", "run-9", "run-0"]
    assert len(picture.readers) == MAX_READERS
    assert picture.facts["readers"] == len(subscriptions)


def test_look_goes_on_with_the_new_bus_after_a_reset() -> None:
    """A bus that is reset is followed by its successor, the change is counted, and what was sampled stays."""
    clock = Clock()
    samples = Samples(get_event_bus, clock=clock)
    put(get_event_bus(), range(5))
    clock.advance(1)
    assert samples.look().samples[-1].published == 5
    reset_event_bus()
    picture = samples.look()
    assert [sample.published for sample in picture.samples] == [0, 5, 0]
    assert picture.facts["resets"] == 1
    assert picture.facts["published"] == 0


def test_looks_in_quick_succession_make_one_sample() -> None:
    """A look right after another one tells the newest facts, but makes no sample: its rate would say nothing."""
    page = Page()
    put(page.bus, range(5))
    page.clock.advance(0.09)
    picture = page.samples.look()
    assert (len(picture.samples), picture.facts["published"]) == (1, 5)
    page.clock.advance(0.01)
    assert len(page.samples.look().samples) == 2


def test_facts_tell_bounds_and_losses() -> None:
    """What left history, was late or refused stands in the facts beside the bus's bounds."""
    bus = EventBus(history_per_run=2, max_runs_retained=1, max_global_subscribers=0)
    put(bus, range(3), "first")
    put(bus, range(1), "second")
    bus.close_stream_nowait("second")
    put(bus, range(1), "second")
    bus.count_emit_failure()
    assert bus.subscribe_global().refused
    facts = Page(bus).samples.look().facts
    assert facts == {
        "active_runs": 0,
        "history_runs": 1,
        "max_runs": 1,
        "history_per_run": 2,
        "published": 5,
        "dropped": 0,
        "late": 1,
        "refused": 1,
        "evicted": 1,
        "trimmed": 1,
        "emit_failures": 1,
        "readers": 0,
        "resets": 0,
    }


# The page


def test_nothing_is_sampled_without_a_page() -> None:
    """Before a page is expected a tick does nothing and asks for no further one."""
    page = Page()
    assert not page.tick()
    assert len(page.samples.picture.samples) == 1
    assert page.messages == []


def test_page_that_says_hello_gets_all_samples_then_news() -> None:
    """After a hello comes everything that is kept, and then four times a second what is new."""
    page = Page()
    assert page.say(HELLO)
    assert len(page.last["samples"]) == 2
    put(page.bus, range(10))
    assert page.tick(0.1)
    assert len(page.messages) == 1
    assert page.tick(0.15)
    assert [sample[1:] for sample in page.last["samples"]] == [[10, 0, 0]]
    page.pass_seconds(2)
    assert len(page.messages) == 10
    assert all(len(message["samples"]) == 1 for message in page.messages[1:])


def test_second_hello_gets_all_again() -> None:
    """A page that is reloaded gets everything that is kept."""
    page = Page()
    page.say(HELLO)
    page.pass_seconds(1)
    page.say(HELLO)
    assert len(page.last["samples"]) == len(page.samples.picture.samples) == 7


def test_acknowledged_page_is_served_on() -> None:
    """As long as the page acknowledges it gets its four messages a second."""
    page = Page()
    page.say(HELLO)
    for _ in range(30):
        page.pass_seconds(1)
        page.say(ACK)
    assert len(page.messages) == 1 + 30 * 5


def test_silent_page_stops_the_sampling_until_it_speaks() -> None:
    """A page that acknowledges nothing for 10 s gets no more, nothing is sampled, and its next word resumes."""
    page = Page()
    page.say(HELLO)
    page.pass_seconds(10)
    assert not page.tick()
    count = len(page.samples.picture.samples)
    page.pass_seconds(60)
    assert len(page.samples.picture.samples) == count
    assert len(page.messages) == 41
    assert page.say(ACK)
    assert page.last["samples"] == [list(page.samples.picture.samples[-1])]


def test_blocked_kernel_is_no_silence() -> None:
    """While a cell runs the page may be unheard: it is served on, and has its 10 s once the shell is idle."""
    page = Page()
    page.say(HELLO)
    page.busy = True
    page.pass_seconds(60)
    assert page.tick()
    page.busy = False
    page.pass_seconds(9)
    assert page.tick()
    page.pass_seconds(1)
    assert not page.tick()


def test_unheard_page_gets_everything_once_a_second() -> None:
    """Where no hello comes through, all that is kept is sent again every second while the shell is busy."""
    page = Page()
    page.busy = True
    page.sink.expect_page()
    page.pass_seconds(5)
    assert len(page.messages) == 5
    assert [len(message["samples"]) for message in page.messages] == [2, 6, 10, 14, 18]
    page.busy = False
    page.pass_seconds(3)
    assert not page.tick()


def test_first_acknowledgement_counts_as_a_hello() -> None:
    """A page whose hello is held up says by its acknowledgement that it is there, and gets everything."""
    page = Page()
    page.sink.expect_page()
    page.tick()
    page.say(ACK)
    assert page.sink.greeted
    assert len(page.last["samples"]) == 3


@pytest.mark.parametrize("said", [None, "hello", [], {}, {"kind": 1}, {"kind": "view"}, {"kind": ["hello"]}])
def test_what_a_page_makes_up_is_no_news(said: object) -> None:
    """A message that is neither a hello nor an acknowledgement is as good as none."""
    page = Page()
    assert not page.say(said)
    assert not page.sink.greeted


def test_hostile_labels_can_be_sent() -> None:
    """A label is cut at 200 characters, and what UTF-8 cannot hold is replaced."""
    page = Page()
    with page.bus.subscribe("\ud800" + "r" * 300, label="<b>\udfff\u202e" + "x" * 1_000_000):
        page.say(HELLO)
    number, label, run, *counts = page.last["readers"][0]
    assert (number, label[:6], len(label)) == (1, "<b>?\u202ex", 200)
    assert run == "?" + "r" * 199
    assert counts == [0, 1024, 0, 0, 0, 0, 0]


def test_a_label_is_sent_without_secrets() -> None:
    """What a page is told of a reader's label has no secret; its run's id is told as it is."""
    page = Page()
    with page.bus.subscribe("run", label="password=hunter2"):
        page.say(HELLO)
    assert page.last["readers"][0][1:3] == ["password=[redacted: password]", "run"]


def test_rest_is_told_when_it_was_asked_for() -> None:
    """`rest_soon` has the monitor refreshed once, at the next tick."""
    page = Page()
    page.sink.rest_soon()
    page.tick()
    page.tick()
    assert page.rests == 1


def test_failure_is_told_and_never_raises() -> None:
    """A sink that is taken out says so, whatever its view makes of it."""
    page = Page()
    page.sink.fail()
    assert page.sink.failed
    assert page.rests == 1

    def fail() -> None:
        raise ValueError("no rest")

    MonitorSink(page.send, page.samples, at_rest=fail).fail()


def test_takes_no_events() -> None:
    """It has no subscription: there is never anything unread."""
    page = Page()
    page.sink.put(Batch((), closed=False, dropped=0, runs=()))
    assert page.sink.unread == 0


def test_looks_from_many_threads_are_in_order() -> None:
    """Looks from several threads at once give samples whose times and totals never go back."""
    page = Page()
    start = threading.Barrier(4)

    def look() -> None:
        start.wait()
        for n in range(50):
            put(page.bus, [n])
            page.clock.advance(0.1)
            page.samples.look()

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    gc.collect(0)
    totals = [sample.published for sample in page.samples.look().samples]
    assert totals == sorted(totals)
    assert totals[-1] == 200
