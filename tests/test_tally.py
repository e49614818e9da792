from __future__ import annotations

from typing import Any

from locus_nb import EventBus, StreamEvent
from locus_nb._views.rows import row_of
from locus_nb._views.tally import Tallies

CALL: list[tuple[str, dict[str, Any]]] = [
    ("agent.model.started", {"iteration": 1, "span_id": "m"}),
    ("agent.tokens.used", {"prompt_tokens": 120, "completion_tokens": 30}),
    ("agent.model.completed", {"span_id": "m"}),
    ("agent.tool.started", {"tool_name": "t", "span_id": "s"}),
    ("agent.tool.completed", {"tool_name": "t", "span_id": "s", "success": False}),
    ("agent.think", {"iteration": 2}),
    ("agent.terminate", {"reason": "complete"}),
]


def counted(tallies: Tallies, bus: EventBus, run_id: str = "run") -> list[StreamEvent]:
    """Have a run make one call, and count its events."""
    events = [StreamEvent(run_id, event_type, data) for event_type, data in CALL]
    for event in events:
        bus.publish_nowait(event)
        tallies.add(row_of(event))
    return events


def test_tally_counts_what_a_run_did() -> None:
    """Events, the highest iteration, calls at their start, errors and tokens of a run are counted."""
    tallies = Tallies()
    events = counted(tallies, EventBus())
    tally = tallies.of("run")
    assert tally is not None
    times = [row_of(event).time_ms for event in events]
    assert tally.cells() == ("run", "", "running", min(times), None, max(times), 7, 2, 1, 1, 1, 120, 30)


def test_counts_fit_what_a_page_can_count() -> None:
    """A sum beyond 2**53-1, which JavaScript takes for no whole number, is given as that, and is kept exact here."""
    tallies = Tallies()
    huge = {"prompt_tokens": 2**62, "completion_tokens": 2**53 - 1, "iteration": 2**60}
    for _ in range(2):
        tallies.add(row_of(StreamEvent("run", "agent.tokens.used", huge)))
    (cells,) = tallies.take_changed()
    assert cells[6:] == (2, 2**53 - 1, 0, 0, 0, 2**53 - 1, 2**53 - 1)
    assert tallies.take_all() == [cells]
    (tally,) = tallies.newest()
    assert (tally.input_tokens, tally.output_tokens) == (2**63, 2**54 - 2)


def test_record_of_the_bus_gives_name_and_status() -> None:
    """What the bus knows of a run is taken over: its name without secrets, its status, when it began and ended."""
    bus, tallies = EventBus(), Tallies()
    bus.open_stream_nowait("run", name="api_key=hush-hush " + "n" * 300)
    counted(tallies, bus)
    for close, status in ((False, "running"), (True, "ok")):
        if close:
            bus.close_stream_nowait("run")
        record = bus.run_record("run")
        assert record is not None
        tallies.note(record)
        tally = tallies.of("run")
        assert tally is not None
        assert tally.status == status
        assert tally.ended_ms == (record.ended_at_ns and record.ended_at_ns // 1000 / 1000)
        assert tally.started_ms == record.started_at_ns // 1000 / 1000
        assert tally.name.startswith("api_key=[redacted: api_key]")
        assert len(tally.name) == 200


def test_newest_runs_are_kept() -> None:
    """Beyond the bound the run whose last event is the oldest is forgotten; one that goes on is not."""
    bus, tallies = EventBus(), Tallies(3)
    for run_id in ("a", "b", "c", "a", "d"):
        counted(tallies, bus, run_id)
    assert [(tally.run_id, tally.events) for tally in tallies.newest()] == [("c", 7), ("a", 14), ("d", 7)]
    assert tallies.of("b") is None
    assert sorted(cells[0] for cells in tallies.take_changed()) == ["a", "c", "d"]


def test_changes_are_given_once() -> None:
    """A tally is given as changed once after each change; giving all leaves none changed."""
    bus, tallies = EventBus(), Tallies()
    counted(tallies, bus, "a")
    counted(tallies, bus, "b")
    assert [cells[0] for cells in tallies.take_changed()] == ["a", "b"]
    assert not tallies.changed
    counted(tallies, bus, "a")
    assert tallies.changed
    assert [cells[0] for cells in tallies.take_all()] == ["b", "a"]
    assert tallies.take_changed() == []


def test_run_whose_id_is_no_unicode_has_one_tally() -> None:
    """The bus's record and the rows of a run meet also where its id has to be written otherwise."""
    bus, tallies = EventBus(), Tallies()
    counted(tallies, bus, "run-\ud800")
    record = bus.run_record("run-\ud800")
    assert record is not None
    tallies.note(record)
    assert len(tallies.newest()) == 1
    assert tallies.of("run-\ud800") is tallies.newest()[0]
