from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from locus_nb import EventBus, Subscription
from locus_nb._inbox import EndOfStream, Inbox
from tests.bus_kit import Clock, event, ns

RUNS = ("a", "b", "c", "d", "e")
OVERFLOW_QUEUES = 2
TIMEOUT_S = 1.0
CHUNK = "agent.model.chunk"


@dataclass
class Reader:
    """What one reader must get, by the letter of the contract."""

    subscription: Subscription
    run_id: str | None
    size: int
    follow: bool = False
    replayed: deque[int] = field(default_factory=deque[int])
    queue: deque[int] = field(default_factory=deque[int])
    overflow: deque[tuple[int, float]] = field(default_factory=deque[tuple[int, float]])
    offered: int = 0
    delivered: int = 0
    dropped: int = 0
    discarded: int = 0
    missed: int = 0
    told: int = 0
    closed: bool = False
    refused: bool = False

    @property
    def backlog(self) -> int:
        return len(self.replayed) + len(self.queue) + len(self.overflow)

    def offer(self, number: int, now: float) -> None:
        self.expire(now)
        self.offered += 1
        if not self.overflow and len(self.queue) < self.size:
            self.queue.append(number)
        elif len(self.overflow) < OVERFLOW_QUEUES * self.size:
            self.overflow.append((number, now))
        else:
            self.dropped += 1

    def expire(self, now: float) -> None:
        while self.overflow and self.overflow[0][1] + TIMEOUT_S <= now:
            self.overflow.popleft()
            self.dropped += 1

    def read(self, most: int) -> list[int]:
        taken: list[int] = []
        while len(taken) < most and (self.replayed or self.queue):
            taken.append((self.replayed or self.queue).popleft())
        while self.overflow and len(self.queue) < self.size:
            self.queue.append(self.overflow.popleft()[0])
        self.delivered += len(taken)
        return taken

    def end(self) -> None:
        self.queue.extend(number for number, _ in self.overflow)
        self.overflow.clear()
        self.closed = True

    def leave(self) -> None:
        self.discarded += self.backlog
        for part in (self.replayed, self.queue, self.overflow):
            part.clear()
        self.closed = True


@dataclass
class Run:
    """What must be known of one run."""

    events: list[int] = field(default_factory=list[int])
    kept: int = 0
    closed: bool = False


def _read_one(subscription: Subscription) -> int | None:
    """The next event's number, None at the end; an error, not a wait, where there is neither."""
    if subscription._ready:
        return next(subscription).data["n"]
    try:
        taken = subscription._bus.take(subscription._inbox, Inbox.take)
    except EndOfStream:
        return None
    assert taken is not None, "the reader would wait, though there should be something to read"
    return taken.data["n"]


class BusMachine(RuleBasedStateMachine):
    """Drives one bus and the plain model of it in step."""

    @initialize(
        size=st.integers(1, 9), per_run=st.integers(0, 12), runs=st.integers(1, 4), watched=st.booleans()
    )
    def begin(self, *, size: int, per_run: int, runs: int, watched: bool) -> None:
        self.clock = Clock()
        self.bus = EventBus(
            max_queue_size=size,
            history_per_run=per_run,
            max_runs_retained=runs,
            max_global_subscribers=3,
            overflow_queues=OVERFLOW_QUEUES,
            clock=self.clock,
        )
        self.size, self.per_run, self.most_runs, self.watched = size, per_run, runs, watched
        self.readers: list[Reader] = []
        self.runs: dict[str, Run] = {}
        self.used: list[str] = []
        self.published = self.late = self.trimmed = self.evicted = self.refused = 0

    # The model

    def _publish(self, run_id: str, event_type: str) -> None:
        self.published += 1
        run = self.runs.setdefault(run_id, Run())
        self.late += run.closed
        if event_type != CHUNK:
            run.kept += 1
            run.events.append(self.published)
            while len(run.events) > self.per_run:
                del run.events[0]
                self.trimmed += 1
        if run_id in self.used:
            self.used.remove(run_id)
        self.used.append(run_id)
        for reader in self._listening(run_id):
            reader.offer(self.published, self.clock.now)
        # Histories are evicted when events are handed out, which a burst may put off.
        if not self.bus._intake:
            self._evict()

    def _evict(self) -> None:
        while len(self.used) > self.most_runs:
            run = self.runs[self.used.pop(0)]
            self.evicted += 1
            run.events = []

    def _lacking(self) -> int:
        return sum(run.kept - len(run.events) for run in self.runs.values())

    def _listening(self, run_id: str | None) -> list[Reader]:
        return [each for each in self.readers if not each.closed and each.run_id in {run_id, None}]

    def _change(self) -> None:
        """Hand out what was published, as every change and look does, and let old events expire."""
        self.bus.settle()
        self._evict()
        for reader in self.readers:
            reader.expire(self.clock.now)

    # What may happen

    @rule(run_id=st.sampled_from(RUNS), count=st.integers(1, 30), waits=st.booleans(), chunk=st.booleans())
    def publish(self, *, run_id: str, count: int, waits: bool, chunk: bool) -> None:
        for _ in range(count):
            one = event(self.published + 1, run_id, CHUNK if chunk else "test.event")
            if waits:
                assert not list(self.bus.publish(one).__await__())
            else:
                self.bus.publish_nowait(one)
            self._publish(run_id, one.event_type)

    @rule(first=st.sampled_from(RUNS), second=st.sampled_from(RUNS), count=st.integers(1, 10))
    def publish_interleaved(self, first: str, second: str, count: int) -> None:
        for n in range(count):
            run_id = second if n % 2 else first
            self.bus.publish_nowait(event(self.published + 1, run_id))
            self._publish(run_id, "test.event")

    @rule(run_id=st.sampled_from(RUNS), follow=st.booleans())
    def subscribe(self, *, run_id: str, follow: bool) -> None:
        self._change()
        run = self.runs.get(run_id, Run())
        reader = Reader(self.bus.subscribe(run_id, follow=follow), run_id, self.size, follow)
        reader.replayed.extend(run.events)
        reader.offered = len(run.events)
        reader.missed = run.kept - len(run.events)
        reader.closed = run.closed and not follow
        self.readers.append(reader)

    @rule(replay=st.sampled_from([0, 0, 1, 5, 100]))
    def subscribe_global(self, replay: int) -> None:
        self._change()
        reader = Reader(self.bus.subscribe_global(replay=replay), None, self.size)
        if sum(not each.closed for each in self.readers if each.run_id is None) >= 3:
            reader.closed = reader.refused = True
            self.refused += 1
        elif replay:
            past = sorted(number for run in self.runs.values() for number in run.events)[-replay:]
            reader.replayed.extend(past)
            reader.offered = len(past)
            reader.missed = min(replay - len(past), self._lacking())
        self.readers.append(reader)

    @precondition(lambda self: self.readers)
    @rule(data=st.data(), count=st.integers(1, 12))
    def read_some(self, data: st.DataObject, count: int) -> None:
        reader = data.draw(st.sampled_from(self.readers))
        for _ in range(count):
            self._change()
            due = reader.read(1)
            if not due and not reader.closed:
                break
            assert _read_one(reader.subscription) == (due[0] if due else None)

    @precondition(lambda self: self.readers)
    @rule(data=st.data())
    def read_batch(self, data: st.DataObject) -> None:
        reader = data.draw(st.sampled_from(self.readers))
        self._change()
        batch = reader.subscription.next_batch_nowait()
        due = reader.read(len(reader.replayed) + len(reader.queue))
        dropped, reader.told = reader.dropped - reader.told, reader.dropped
        if batch is None:
            assert not due
            assert not dropped
            assert not (reader.closed)
            return
        assert (ns(batch.events), batch.dropped, batch.closed) == (due, dropped, reader.closed)
        assert bool(batch) == (not reader.closed or bool(due or dropped or batch.runs))
        assert reader.run_id is None or reader.follow or not batch.runs
        for record in batch.runs:
            run = self.runs[record.run_id]
            assert (record.closed, record.trimmed) == (run.closed, run.kept - len(run.events))

    @rule(seconds=st.sampled_from([0.01, 0.3, 0.69, 0.99, 1.0, 1.01, 60.0]))
    def time_passes(self, seconds: float) -> None:
        self._change()
        self.clock.advance(seconds)

    @rule(run_id=st.sampled_from(RUNS))
    def close_stream(self, run_id: str) -> None:
        self._change()
        self.bus.close_stream_nowait(run_id)
        self.runs.setdefault(run_id, Run()).closed = True
        for reader in self._listening(run_id):
            if reader.run_id is not None and not reader.follow:
                reader.end()

    @rule()
    def close_global(self) -> None:
        self._change()
        self.bus.close_global_nowait()
        for reader in self._listening(None):
            reader.end()

    @rule(run_id=st.sampled_from(RUNS))
    def reopen(self, run_id: str) -> None:
        self._change()
        self.bus.open_stream_nowait(run_id)
        self.runs.setdefault(run_id, Run()).closed = False

    @rule(run_id=st.sampled_from(RUNS))
    def drop_history(self, run_id: str) -> None:
        self._change()
        self.bus.drop_history_nowait(run_id)
        self.runs.pop(run_id, None)
        if run_id in self.used:
            self.used.remove(run_id)

    @precondition(lambda self: self.readers)
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        reader = data.draw(st.sampled_from(self.readers))
        self._change()
        reader.subscription.close()
        reader.leave()

    @rule()
    def look(self) -> None:
        self._change()
        stats = self.bus.stats()
        assert stats["published_events_total"] == self.published
        assert stats["late_events_total"] == self.late
        assert stats["trimmed_events_total"] == self.trimmed
        assert stats["evicted_runs_total"] == self.evicted
        assert stats["global_subscribers_refused_total"] == self.refused
        assert stats["dropped_events_total"] == sum(reader.dropped for reader in self.readers)
        here = [reader for reader in self.readers if not reader.closed]
        assert stats["global_queue_depths"] == [each.backlog for each in here if each.run_id is None]
        for run_id in RUNS:
            depths = [each.backlog for each in here if each.run_id == run_id]
            assert stats["queue_depths"].get(run_id, []) == depths
            assert ns(self.bus.history(run_id)) == self.runs.get(run_id, Run()).events
        assert self.bus.run_ids() == tuple(self.used)
        for reader in self.readers:
            self._compare(reader)

    def _compare(self, reader: Reader) -> None:
        seen = reader.subscription.stats()
        assert seen.offered == seen.delivered + seen.dropped + seen.discarded + seen.backlog
        assert (seen.offered, seen.delivered, seen.dropped, seen.discarded, seen.backlog) == (
            reader.offered,
            reader.delivered,
            reader.dropped,
            reader.discarded,
            reader.backlog,
        )
        assert (seen.missed, seen.closed, seen.refused) == (reader.missed, reader.closed, reader.refused)

    @invariant()
    def equation(self) -> None:
        if self.watched:
            self.look()

    def teardown(self) -> None:
        if not hasattr(self, "bus"):
            return
        self.look()
        self.bus.close_all_nowait()
        for reader in self.readers:
            if not reader.closed:
                reader.end()
            assert ns(reader.subscription) == reader.read(reader.backlog)
            self._compare(reader)


BusMachine.TestCase.settings = settings(max_examples=100, stateful_step_count=50)


class TestBus(BusMachine.TestCase):
    """Whatever happens in whatever order, each reader gets what the model of the contract says, and no more."""
