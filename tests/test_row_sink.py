from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locus_nb import EventBus, StreamEvent
from locus_nb._views import row_sink as row_sink_module
from locus_nb._views.page import Wish
from locus_nb._views.row_sink import RowSink
from locus_nb._views.rows import Row, row_of
from tests.bus_kit import Clock, event

if TYPE_CHECKING:
    from collections.abc import Sequence


class Message:
    """A message to the page, its rows decoded."""

    def __init__(self, content: dict[str, Any], buffers: list[bytes]) -> None:
        rows, tallies = (json.loads(buffer.decode()) for buffer in buffers)
        self.content = content
        self.tallies: dict[str, list[Any]] = {tally[0]: tally for tally in tallies}
        assert len(self.tallies) == len(tallies)
        self.seqs: list[int] = [row[0] for row in rows]
        assert content["kind"] == "rows"
        assert content["count"] == len(rows)
        assert set(content) == {
            "kind",
            "now",
            "prev",
            "last",
            "count",
            "missing",
            "status",
            "total",
            "run",
            "wishes",
            "questions",
        }

    def __getitem__(self, key: str) -> Any:
        return self.content[key]


class Desk:
    """A view's sink between a bus and a page that only takes notes, with a clock that stands still.

    Its queue is large, so that a tick's batch is what was put.
    """

    def __init__(self, run_id: str | None = "run", *, missed: int = 0) -> None:
        self.clock = Clock()
        self.bus = EventBus(clock=self.clock, max_queue_size=20_000, history_per_run=20_000)
        if run_id is None:
            self.subscription = self.bus.subscribe_global()
        else:
            self.subscription = self.bus.subscribe(run_id, follow=True)
        self.busy = False
        self.questions: list[dict[str, Any]] = []
        self.sent: list[Message] = []
        self.sink = RowSink(
            self._send,
            run_id=run_id,
            missed=missed,
            is_busy=lambda: self.busy,
            questions=lambda: list(self.questions),
            clock=self.clock,
            wall_clock=self.clock,
        )

    def _send(self, content: dict[str, Any], buffers: list[bytes]) -> None:
        self.sent.append(Message(content, buffers))

    def put(self, count: int) -> None:
        """Publish events, and hand them to the sink."""
        for n in range(count):
            self.bus.publish_nowait(event(n))
        self.carry()

    def carry(self) -> None:
        """Hand the sink what the subscription has."""
        while batch := self.subscription.next_batch_nowait():
            self.sink.put(batch)
        if batch is not None:
            self.sink.put(batch)

    def tick(self, seconds: float = 0.05) -> list[Message]:
        """Let time pass, and one tick; what it sent."""
        self.clock.advance(seconds)
        before = len(self.sent)
        self.sink.tick()
        return self.sent[before:]

    def hello(self, last_seq: object = 0) -> list[Message]:
        """Have the page say hello; what it is answered in the next tick."""
        self.sink.hear({"kind": "hello", "last_seq": last_seq})
        return self.tick()

    def ack(self, last_seq: int) -> None:
        """Have the page acknowledge."""
        self.sink.hear({"kind": "ack", "last_seq": last_seq})


def seqs(messages: Sequence[Message]) -> list[int]:
    """The rows of messages, in the order they were sent."""
    return [seq for message in messages for seq in message.seqs]


def test_first_tick_says_how_it_stands() -> None:
    """A view without events tells the page so, before the page has said anything."""
    (message,) = Desk().tick()
    assert message.content == {
        "kind": "rows",
        "now": 1_000_050.0,
        "prev": 0,
        "last": 0,
        "count": 0,
        "missing": 0,
        "status": "waiting",
        "total": 0,
        "run": "run",
        "wishes": [],
        "questions": [],
    }


def test_newest_rows_are_sent_unasked_at_each_change() -> None:
    """Until a hello is heard each change sends the newest 200 rows again, and which row is before them."""
    desk = Desk()
    desk.put(150)
    (first,) = desk.tick()
    desk.put(100)
    (second,) = desk.tick()
    assert (first["prev"], first.seqs) == (0, list(range(1, 151)))
    assert (second["prev"], second.seqs) == (50, list(range(51, 251)))
    assert desk.tick() == []


def test_quick_run_leaves_no_holes_before_the_hello() -> None:
    """More than 200 new rows in one tick are all sent, for a busy kernel may never hear of a hole."""
    desk = Desk()
    desk.put(300)
    desk.tick()
    desk.put(700)
    (message,) = desk.tick()
    assert (message["prev"], message.seqs) == (300, list(range(301, 1_001)))


def test_unheard_view_repeats_itself_for_three_idle_seconds() -> None:
    """Without news the rows are sent again once a second, until an idle kernel must have heard a page."""
    desk = Desk()
    desk.put(3)
    desk.tick()
    times = [second for second in range(1, 61) if any(desk.tick(0.1) for _ in range(10))]
    assert times
    assert max(times) <= 3
    assert not desk.sink.tick()


def test_unheard_view_goes_on_while_a_cell_runs() -> None:
    """A busy kernel may hear nothing, so the rows are sent once a second for as long as it is busy."""
    desk = Desk()
    desk.busy = True
    desk.put(3)
    desk.tick()
    sent = [message for _ in range(600) for message in desk.tick(0.1)]
    assert 50 <= len(sent) <= 60
    assert all(message.seqs == [1, 2, 3] for message in sent)
    assert desk.sink.tick()


def test_unheard_view_of_an_idle_kernel_sends_nothing() -> None:
    """Where nobody answers no rows are sent, not even new ones, until a cell runs or a page speaks."""
    desk = Desk()
    desk.tick(4)
    desk.put(5)
    assert desk.tick() == []
    desk.busy = True
    assert seqs(desk.tick()) == [1, 2, 3, 4, 5]
    desk.busy = False
    desk.tick(4)
    desk.put(1)
    assert desk.tick() == []
    assert seqs(desk.hello(5)) == [6]


def test_hello_is_answered_with_what_follows() -> None:
    """The page gets the rows after the one it names, and `prev` names that one."""
    desk = Desk()
    desk.put(10)
    desk.tick()
    (message,) = desk.hello(7)
    assert (message["prev"], message.seqs) == (7, [8, 9, 10])
    (again,) = desk.hello(0)
    assert (again["prev"], again.seqs) == (0, list(range(1, 11)))


def test_first_acknowledgement_is_as_good_as_a_hello() -> None:
    """A page whose hello waits for a blocked cell is known by what it acknowledges, and gets what follows."""
    desk = Desk()
    desk.busy = True
    desk.put(250)
    desk.tick()
    desk.ack(30)
    assert desk.tick()[0]["prev"] == 30
    desk.ack(250)
    desk.put(1)
    assert seqs(desk.tick()) == [251]


def test_hello_is_answered_also_without_rows() -> None:
    """A page that has everything is told the state of the view."""
    desk = Desk()
    desk.put(3)
    desk.tick()
    (message,) = desk.hello(3)
    assert (message["prev"], message.seqs, message["total"], message["status"]) == (3, [], 3, "live")


def test_several_hellos_are_answered_once() -> None:
    """Of the hellos that came since the last tick the one that lacks most is answered."""
    desk = Desk()
    desk.put(9)
    desk.tick()
    for last_seq in (6, 4, 8):
        desk.sink.hear({"kind": "hello", "last_seq": last_seq})
    assert seqs(desk.tick()) == [5, 6, 7, 8, 9]


def test_rows_come_a_thousand_at_a_time() -> None:
    """A tick makes and sends at most 1,000 rows; the next one goes on where it ended."""
    desk = Desk()
    desk.hello()
    desk.put(2_500)
    messages: list[Message] = []
    while desk.sink.unread:
        messages += desk.tick()
    assert [(message["prev"], len(message.seqs)) for message in messages] == [
        (0, 1_000),
        (1_000, 1_000),
        (2_000, 500),
    ]
    assert desk.tick() == []


def test_late_page_gets_all_rows_in_parts() -> None:
    """A page that says hello after 2,500 rows gets them in three ticks, each asking for the next."""
    desk = Desk()
    desk.put(2_500)
    while desk.sink.unread:
        desk.tick()
    desk.sent.clear()
    desk.sink.hear({"kind": "hello", "last_seq": 0})
    assert [desk.sink.tick() for _ in range(3)] == [True, True, False]
    assert seqs(desk.sent) == list(range(1, 2_501))


def test_store_is_bounded_and_the_answer_has_no_hole() -> None:
    """Beyond 10,000 rows the oldest are gone; a hello from before them is still answered from its `n` on."""
    desk = Desk()
    desk.put(10_500)
    while desk.sink.unread:
        desk.tick()
    assert len(desk.sink.store) == 10_000
    (message,) = desk.hello(20)
    assert (message["prev"], message.seqs[0], message["total"]) == (20, 501, 10_500)


def test_failed_view_tells_the_page_if_it_can() -> None:
    """A view that raised tells the page once more how it stands; where the sending fails it stays silent."""
    desk = Desk()
    desk.put(3)
    desk.hello()
    desk.sink.fail()
    assert (desk.sent[-1]["status"], desk.sink.status) == ("failed", "failed")

    def fail(*_: object) -> None:
        raise OSError("the line is gone")

    broken = RowSink(fail, run_id="run")
    broken.fail()
    assert broken.status == "failed"


def test_greeted_page_gets_only_what_is_new() -> None:
    """After the hello each tick sends one message with the new rows, and nothing when there are none."""
    desk = Desk()
    desk.hello()
    desk.put(2)
    desk.put(1)
    (message,) = desk.tick()
    assert (message["prev"], message.seqs) == (0, [1, 2, 3])
    assert desk.tick() == []
    desk.put(1)
    (message,) = desk.tick()
    assert (message["prev"], message.seqs) == (3, [4])


def test_status_goes_out_without_rows() -> None:
    """A run that ends without a further event is told at once, `prev` being the newest row sent."""
    desk = Desk()
    desk.hello()
    desk.put(2)
    desk.tick()
    desk.bus.close_stream_nowait("run")
    desk.carry()
    (message,) = desk.tick()
    assert (message["prev"], message.seqs, message["status"]) == (2, [], "ended")
    assert desk.tick() == []


@pytest.mark.parametrize("busy", [False, True])
def test_page_that_no_longer_acknowledges_is_sent_nothing(busy: bool) -> None:  # noqa: FBT001 - a case
    """Ten idle seconds without an acknowledgement stop the rows; while a cell runs they never stop."""
    desk = Desk()
    desk.hello()
    desk.busy = busy
    sent = 0
    for _ in range(60):
        desk.put(1)
        sent += len(desk.tick(0.5))
    assert sent == (60 if busy else 21)


@pytest.mark.parametrize("kind", ["ack", "hello"])
def test_page_that_speaks_again_gets_the_rest(kind: str) -> None:
    """A page that was given up is sent what it lacks as soon as it says anything."""
    desk = Desk()
    desk.hello()
    desk.put(4)
    desk.tick()
    desk.tick(11)
    desk.put(3)
    assert desk.tick() == []
    desk.sink.hear({"kind": kind, "last_seq": 4})
    assert seqs(desk.tick()) == [5, 6, 7]


def test_message_without_rows_needs_no_acknowledgement() -> None:
    """A page acknowledges rows only: a run that ended and is opened again an hour later is sent at once."""
    desk = Desk()
    desk.hello()
    desk.put(2)
    desk.tick()
    desk.ack(2)
    desk.bus.close_stream_nowait("run")
    desk.carry()
    desk.tick()
    desk.bus.open_stream_nowait("run")
    desk.carry()
    assert [message["status"] for message in desk.tick(3_600)] == ["live"]
    desk.put(1)
    assert seqs(desk.tick(3_600)) == [3]


def test_long_rest_is_no_silence() -> None:
    """A page has its ten seconds from the first rows it has not acknowledged, not from when it last spoke."""
    desk = Desk()
    desk.hello()
    desk.put(1)
    desk.tick()
    desk.ack(1)
    desk.tick(3_600)
    desk.put(1)
    assert seqs(desk.tick()) == [2]
    desk.put(1)
    assert seqs(desk.tick(1)) == [3]


@pytest.mark.parametrize(
    "said",
    [
        None,
        "hello",
        [],
        {},
        {"kind": "hello"},
        {"kind": "bye", "last_seq": 0},
        {"kind": [], "last_seq": 0},
        {"kind": "hello", "last_seq": "1"},
        {"kind": "hello", "last_seq": True},
        {"kind": "hello", "last_seq": None},
        {"kind": "hello", "last_seq": 1.5},
    ],
)
def test_what_is_no_message_is_ignored(said: object) -> None:
    """Anything that is no hello or acknowledgement with an int as `last_seq` changes nothing."""
    desk = Desk()
    desk.put(1)
    desk.tick()
    desk.sink.hear(said)
    assert desk.tick() == []


@pytest.mark.parametrize("said, prev", [(10**30, 3), (-5, 0)])
def test_impossible_seq_is_taken_for_the_nearest_one(said: int, prev: int) -> None:
    """A page that claims rows from beyond the newest still gets the rows that come."""
    desk = Desk()
    desk.put(3)
    desk.tick()
    assert desk.hello(said)[0]["prev"] == prev
    desk.put(1)
    assert seqs(desk.tick())[-1] == 4


def test_statuses_of_one_run() -> None:
    """One run waits until it is opened or has an event, is live until it is closed, and may be again."""
    desk = Desk()
    seen = [desk.sink.status]
    for change in (
        lambda: desk.put(1),
        lambda: desk.bus.close_stream_nowait("run"),
        lambda: desk.bus.open_stream_nowait("run"),
        lambda: desk.put(1),
        lambda: desk.bus.close_stream_nowait("run"),
        desk.bus.close_all_nowait,
    ):
        change()
        desk.carry()
        desk.tick()
        seen.append(desk.sink.status)
    assert seen == ["waiting", "live", "ended", "live", "live", "ended", "ended"]


def test_statuses_of_all_runs() -> None:
    """A view of all runs is live from the start, also when one of them ends, until the bus closes it."""
    desk = Desk(None)
    assert desk.sink.status == "live"
    desk.put(1)
    desk.bus.close_stream_nowait("run")
    desk.carry()
    assert desk.sink.status == "live"
    assert desk.tick()[0]["run"] is None
    desk.bus.close_global_nowait()
    desk.carry()
    assert desk.tick()[0]["status"] == "ended"


def test_missing_is_what_history_and_the_queue_lost() -> None:
    """Events gone before the view began and events dropped since add up, and are told without any row."""
    desk = Desk(missed=7)
    desk.hello()
    desk.bus = bus = EventBus(clock=desk.clock, max_queue_size=4, overflow_queues=1)
    desk.subscription = bus.subscribe("run")
    for n in range(10):
        bus.publish_nowait(StreamEvent("run", "test.event", {"n": n}))
    desk.carry()
    assert desk.sink.missing == 9
    (message,) = desk.tick()
    assert (message["missing"], message["total"], len(message.seqs)) == (9, 8, 8)


EVENTS = 6


def test_tallies_of_changed_runs_travel_with_the_rows() -> None:
    """A greeted page is told the tallies of the runs that changed, and all of them after a hello."""
    desk = Desk(None)
    desk.hello()
    for run_id in ("a", "b"):
        desk.bus.publish_nowait(event(1, run_id))
    desk.carry()
    assert sorted(desk.tick()[0].tallies) == ["a", "b"]
    desk.bus.publish_nowait(event(2, "a"))
    desk.carry()
    (message,) = desk.tick()
    assert {run_id: tally[EVENTS] for run_id, tally in message.tallies.items()} == {"a": 2}
    assert desk.tick() == []
    assert sorted(desk.hello(3)[0].tallies) == ["a", "b"]


def test_end_of_a_run_is_told_without_rows() -> None:
    """In a view of all runs the end of one is told at once, though no row comes and the view stays live."""
    desk = Desk(None)
    desk.put(1)
    desk.hello()
    desk.bus.close_stream_nowait("run")
    desk.carry()
    (message,) = desk.tick()
    assert (message.seqs, message.tallies["run"][2]) == ([], "ok")


def test_unheard_view_sends_all_tallies() -> None:
    """Until a hello is heard each message holds all tallies, for a page may have come just now."""
    desk = Desk(None)
    for run_id in ("a", "b"):
        desk.bus.publish_nowait(event(1, run_id))
        desk.carry()
        (message,) = desk.tick()
    assert sorted(message.tallies) == ["a", "b"]


def test_wish_is_told_once_and_to_each_page_that_says_hello() -> None:
    """What Python asks of the page goes out at the next tick, and again to a page that comes later."""
    desk = Desk()
    desk.hello()
    desk.sink.wishes = (Wish(1, "status:error"), Wish(2, paused=True))
    wishes = [
        {"n": 1, "filter": "status:error", "paused": None},
        {"n": 2, "filter": None, "paused": True},
    ]
    assert [message["wishes"] for message in desk.tick()] == [wishes]
    assert desk.tick() == []
    assert desk.hello()[0]["wishes"] == wishes


def test_open_questions_go_out_at_each_change_and_to_each_page() -> None:
    """A question goes out without any row, is gone in the next message, and is told anew when that is asked for."""
    desk = Desk()
    desk.hello()
    desk.questions = [{"id": "q"}]
    assert [message["questions"] for message in desk.tick()] == [[{"id": "q"}]]
    assert desk.tick() == []
    assert desk.hello()[0]["questions"] == [{"id": "q"}]
    desk.sink.tell_again()
    assert [message["questions"] for message in desk.tick()] == [[{"id": "q"}]]
    desk.questions = []
    assert [message["questions"] for message in desk.tick()] == [[]]


@pytest.mark.parametrize("call", [1, 2, 3])
@pytest.mark.parametrize("what", ["questions", "wishes"])
def test_what_changes_while_a_message_is_made_is_told(call: int, what: str) -> None:
    """A wish or a question of whatever moment, also while a message is put together, is in that or the next one."""
    desk = Desk()
    calls: list[list[dict[str, Any]]] = []
    open_now: list[dict[str, Any]] = []

    def questions() -> list[dict[str, Any]]:
        calls.append(list(open_now))
        if len(calls) == call and what == "wishes":
            desk.sink.wishes = (Wish(1, "status:error"),)
        elif len(calls) == call:
            open_now.append({"id": "q"})
        return calls[-1]

    desk.hello()
    desk.sink._questions = questions
    desk.put(1)
    # In all less than the 3 s after which everything is told once more.
    told = [message[what] for _ in range(call + 2) for message in desk.tick()]
    assert len(calls) >= call
    assert told[-1]


@pytest.mark.parametrize("ask", ["tell_again", "expect_page"])
def test_page_is_told_anew_though_asked_for_while_a_message_is_made(ask: str) -> None:
    """What is asked for while a message is put together holds for the next one, with all tallies."""
    desk = Desk()
    desk.hello()
    desk.sink._questions = lambda: getattr(desk.sink, ask)() or []
    desk.put(1)
    assert len(desk.tick()) == 1
    desk.sink._questions = list
    assert [list(message.tallies) for message in desk.tick()] == [["run"]]
    assert desk.tick() == []


@given(data=st.data())
def test_page_that_asks_at_each_gap_ends_with_every_row(data: st.DataObject) -> None:
    """Whatever messages are lost either way, the page's next hello gives it all rows, each in order."""
    desk = Desk()
    have: set[int] = set()
    head = 0
    heard = 0

    def deliver() -> None:
        nonlocal head, heard
        for message in desk.sent[heard:]:
            if data.draw(st.booleans(), label="arrives"):
                have.update(message.seqs)
                if message["prev"] <= head:
                    head = max([head, *message.seqs])
                elif data.draw(st.booleans(), label="hello arrives"):
                    desk.sink.hear({"kind": "hello", "last_seq": head})
        heard = len(desk.sent)

    for _ in range(data.draw(st.integers(1, 12), label="ticks")):
        desk.busy = data.draw(st.booleans(), label="busy")
        desk.put(data.draw(st.sampled_from([0, 1, 30, 250]), label="events"))
        desk.tick(data.draw(st.sampled_from([0.05, 1.0, 11.0]), label="seconds"))
        deliver()
    before = len(desk.sent)
    desk.hello(head)
    while desk.sink.tick():
        desk.tick()
    for message in desk.sent[before:]:
        assert message["prev"] <= head
        have.update(message.seqs)
        head = max([head, *message.seqs])
    total = desk.sink.store.total
    assert head == total
    assert have == set(range(1, total + 1))


def test_event_whose_row_cannot_be_made_costs_no_other_its_row(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An event that cannot be shown has a row that says so; the view goes on, and logs the first one only."""
    made = row_of

    def fail_on_even(event: StreamEvent) -> Row:
        if event.seq is not None and event.seq % 2 == 0:
            raise RuntimeError("dictionary changed size during iteration")
        return made(event)

    monkeypatch.setattr(row_sink_module, "row_of", fail_on_even)
    desk = Desk()
    desk.put(4)
    desk.tick()
    rows = desk.sink.store.newest(4)
    assert [row.seq for row in rows] == [1, 2, 3, 4]
    assert len({(row.event_type, row.run_id) for row in rows}) == 1
    assert rows[1].preview == rows[1].detail == "<the payload cannot be shown: RuntimeError>"
    assert desk.sink.tallies.newest()[0].events == 4
    assert [record.message for record in caplog.records] == [
        "locus_nb cannot show the payload of an event; its row says so, as later ones do"
    ]


def test_page_that_listens_is_sent_a_sign_of_life() -> None:
    """While a view is not over, a page that acknowledges is sent something every 3 s, and the pump knows when."""
    desk = Desk()
    sleeps: list[float] = []
    desk.sink._sleep_at_most = sleeps.append
    desk.put(1)
    assert len(desk.hello()) == 1
    assert sleeps.pop() == 3
    assert desk.tick(2.9) == []
    assert 0 <= sleeps.pop() <= 0.11
    (sign,) = desk.tick(0.1)
    assert (sign["prev"], sign["last"], sign.seqs, sign["status"]) == (1, 1, [], "live")
    for _ in range(20):
        desk.ack(1)
        assert len(desk.tick(3)) == 1
    desk.bus.close_stream_nowait("run")
    desk.carry()
    assert len(desk.tick()) == 1
    sleeps.clear()
    desk.ack(1)
    assert desk.tick(3) == []
    assert sleeps == []


def test_page_that_went_away_is_sent_no_signs_of_life() -> None:
    """Without an acknowledgement they end after ten idle seconds, and the pump may sleep."""
    desk = Desk()
    sleeps: list[float] = []
    desk.sink._sleep_at_most = sleeps.append
    desk.hello()
    assert 3 <= sum(len(desk.tick(1)) for _ in range(20)) <= 5
    sleeps.clear()
    assert [desk.tick(100), sleeps] == [[], []]
