from __future__ import annotations

import copy
import pickle
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from locus_nb import (
    EventBus,
    Run,
    RunList,
    Store,
    StreamEvent,
    diff,
    emit_sync,
    get_event_bus,
    history,
    last_run,
    run,
    run_context,
    runs,
    runs_df,
)
from locus_nb._frames import frames as frames_module
from tests.run_kit import call_model, counting, html_of, put, text_of
from tests.test_picture import TAGS, Reader

if TYPE_CHECKING:
    from pathlib import Path

AT = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)


def kept(**runs_and_ends: str) -> EventBus:
    """A bus with runs that were opened an hour apart and ended as is said."""
    bus = EventBus()
    for hour, (run_id, reason) in enumerate(runs_and_ends.items()):
        bus.open_stream_nowait(run_id, name=f"{run_id}-name", tags={"hour": str(hour)})
        bus.publish_nowait(StreamEvent(run_id, "agent.think", {}, AT + timedelta(hours=hour)))
        if reason:
            put(bus, run_id, "agent.terminate", reason=reason)
            bus.close_stream_nowait(run_id)
    return bus


def ids(found: RunList) -> list[str]:
    """The ids of runs."""
    return [run.id for run in found]


def test_newest_run_comes_first() -> None:
    """The run with the newest event is the first of the list, and the last run."""
    bus = kept(a="complete", b="error", c="")
    assert ids(runs(source=bus)) == ["c", "b", "a"]
    put(bus, "a", "agent.think")
    assert ids(runs(source=bus)) == ["a", "c", "b"]
    assert last_run(source=bus) == Run("a", source=bus)


def test_run_without_an_event_is_found_once_it_has_ended(tmp_path: Path) -> None:
    """A block that ended without an event is in the list where it ended, with its status; a bare context is not."""
    bus = get_event_bus()
    with run("first", run_id="a"):
        emit_sync("my.step")
    with suppress(ZeroDivisionError), run("boom", run_id="b"):
        assert ids(runs()) == ["a"]
        _ = 1 / 0
    with run_context("bare"):
        pass
    bus.close_stream_nowait("bare")
    assert ids(runs()) == ["b", "a"]
    assert (last_run(), runs()["b"].status, len(runs()["b"].events)) == (Run("b"), "error", 0)
    assert runs_df()["run_id"].tolist() == runs().df()["run_id"].tolist()[::-1] == ["a", "b"]
    # It is no run with history.
    assert (bus.run_ids(), bus.stats()["history_runs"]) == (("a",), 1)
    with run(run_id="c"):
        emit_sync("my.step")
    bus.close_stream_nowait("b")
    assert ids(runs()) == ["c", "b", "a"]
    with Store(tmp_path / "runs.db", bus=bus):
        assert ids(runs()) == ["c", "b", "a"]
    with run(run_id="b"):
        assert ids(runs()) == ["c", "a"]
        emit_sync("my.step")
        assert ids(runs()) == ["b", "c", "a"]
    bus.drop_history_nowait("b")
    assert ids(runs()) == ["c", "a"]


def test_runs_without_an_event_do_not_pile_up() -> None:
    """There are at most as many of them as runs with history, the newest, and none of those is evicted for them."""
    bus = EventBus(max_runs_retained=3)
    put(bus, "kept", "my.step")
    for n in range(50):
        bus.open_stream_nowait(f"r{n}", listed=True)
        bus.close_stream_nowait(f"r{n}")
    assert bus.listed_run_ids() == ("kept", "r47", "r48", "r49")
    for n in range(50):
        put(bus, f"r{n}", "my.step")
    # These have lost their events.
    assert bus.listed_run_ids() == ("r47", "r48", "r49")


def test_empty_bus_has_no_runs() -> None:
    """Without any run the list is empty and says so, and there is no last run."""
    found = runs(source=EventBus())
    assert (len(found), list(found), last_run(source=EventBus())) == (0, [], None)
    assert text_of(found) == "0 runs"
    assert "<b>0 runs</b>" in html_of(found)


def test_list_is_looked_up_and_cut() -> None:
    """An index gives a run, a slice a list, an id its run; what is not there is an IndexError or a KeyError."""
    bus = kept(a="complete", b="error", c="")
    found = runs(source=bus)
    assert found[0] == Run("c", source=bus)
    assert found[-1] == found["a"]
    assert ids(found[1:]) == ["b", "a"]
    assert isinstance(found[:1], RunList)
    assert "b" in found
    assert Run("b", source=bus) in found
    assert "z" not in found
    assert found[:2] == RunList(list(found)[:2]) != found
    assert len({found, runs(source=bus)}) == 1
    with pytest.raises(KeyError, match="z"):
        found["z"]
    with pytest.raises(IndexError):
        found[3]


def test_list_holds_runs_only() -> None:
    """What is no run is refused, and what to do is said."""
    with pytest.raises(TypeError, match="holds Runs, not str: pass Run"):
        RunList(["run"])  # pyright: ignore[reportArgumentType] - what is refused


@pytest.mark.parametrize(
    "wanted, found",
    [
        ({"status": "error"}, ["b"]),
        ({"status": ["ok", "running"]}, ["c", "a"]),
        ({"name": "b-name"}, ["b"]),
        ({"name": "*-n*"}, ["c", "b", "a"]),
        ({"name": "?-name"}, []),
        ({"name": "b"}, []),
        ({"tag": "hour"}, ["c", "b", "a"]),
        ({"tag": "hour=1"}, ["b"]),
        ({"tag": {"hour": "2"}}, ["c"]),
        ({"tag": {"hour": "2", "x": "y"}}, []),
        ({"since": AT + timedelta(hours=1)}, ["c", "b"]),
        ({"until": AT + timedelta(hours=1)}, ["a"]),
        ({"since": "2026-01-05T11:30:00+01:00", "until": "2026-01-05T11:30:00Z"}, ["b"]),
        ({"where": lambda run: run.id > "a", "status": "ok"}, []),
        ({}, ["c", "b", "a"]),
    ],
)
def test_filter_keeps_what_fits(wanted: dict[str, Any], found: list[str]) -> None:
    """A filter keeps the runs for which all that is asked for holds, in their order."""
    assert ids(runs(source=kept(a="complete", b="error", c="")).filter(**wanted)) == found


def test_run_without_a_name_is_found_by_its_id() -> None:
    """A run that has no name is called by its id."""
    bus = EventBus()
    put(bus, "plan-[1]", "agent.think")
    assert (
        ids(runs(source=bus).filter(name="plan*"))
        == ids(runs(source=bus).filter(name="plan-[1]"))
        == ["plan-[1]"]
    )


@pytest.mark.parametrize("which", ["since", "until"])
def test_naive_times_are_refused(which: str) -> None:
    """A time without a zone is a guess, and refused."""
    with pytest.raises(ValueError, match=f"filter refuses a naive {which}"):
        RunList().filter(**{which: AT.replace(tzinfo=None)})  # pyright: ignore[reportArgumentType] - one of both


def test_status_that_no_run_has_is_refused() -> None:
    """A misspelt status is an error that names those there are, not an empty list."""
    with pytest.raises(ValueError, match=r"status='failed'.* use running, ok, error, interrupted"):
        RunList().filter(status=["ok", "failed"])


def test_run_that_is_called_as_its_id_is_named_once() -> None:
    """A name that is the id says it all."""
    bus = EventBus()
    bus.open_stream_nowait("shop-4", name="shop-4")
    put(bus, "shop-4", "agent.think")
    assert text_of(runs(source=bus)).count("shop-4") == 1


def test_unknown_start_is_in_no_span_of_time() -> None:
    """A run of which nothing is known began neither before nor after anything."""
    assert ids(RunList([Run("nope", source=EventBus())]).filter(since=AT)) == []


def test_list_shows_itself_as_a_table() -> None:
    """A table has a line for each run: its number, name and id, status, start, events, tokens, cost, errors."""
    bus = kept(a="complete", b="error")
    call_model(bus, "a", "m", used={"cost_usd": 0.5})
    cells = Reader(html_of(runs(source=bus))).cells
    assert cells[0] == [
        "",
        "run",
        "status",
        "started (UTC)",
        "duration",
        "events",
        "tokens",
        "cost",
        "errors",
        "tags",
    ]
    assert [cells[1][i] for i in (0, 1, 2, 3, 5, 6, 7, 8, 9)] == [
        *("0", "a-name · a", "✓ ok", "2026-01-05 09:30:00", "5", "100 + 10", "$0.50", "", "hour=0"),
    ]
    assert [cells[2][i] for i in (1, 2, 8)] == ["b-name · b", "✕ error", "✕ 1"]
    assert text_of(runs(source=bus)).splitlines()[0] == "2 runs"
    assert Reader(html_of(runs(source=bus))).tags <= TAGS


def test_cells_and_tags_are_shown_where_there_are_any() -> None:
    """A list of runs without tags has no column of them; a run that began in a cell names it, and no secret is told."""
    bus = EventBus()
    put(bus, "plain", "agent.think")
    assert Reader(html_of(runs(source=bus))).cells[0][-1] == "errors"
    bus.open_stream_nowait("cell", tags={"<b>": "&", "api_key": "abc"}, execution_count=7)
    put(bus, "cell", "agent.think")
    head, cell, plain = Reader(html_of(runs(source=bus))).cells
    assert head[-2:] == ["cell", "tags"]
    assert cell[-2:] == ["[7]", "<b>=& api_key=[redacted: api_key]"]
    assert plain[-2:] == ["", ""]
    assert "[7]   <b>=&" in text_of(runs(source=bus))


def test_table_is_bounded() -> None:
    """At most 50 runs are shown, and how many more there are is said."""
    bus = EventBus()
    for n in range(60):
        put(bus, f"run-{n}", "agent.think")
    found = runs(source=bus)
    assert len(Reader(html_of(found)).cells) == 51
    assert "10 more" in html_of(found)
    assert text_of(found).splitlines()[-1] == "10 more"
    assert repr(found) == text_of(found)


def test_frame_is_of_these_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The list's frame is that of its runs, in its order, from their source."""
    calls: list[Any] = []
    monkeypatch.setattr(frames_module, "runs_df", counting(calls, "a frame"), raising=False)
    bus = kept(a="complete", b="error")
    frame: Any = runs(source=bus).df(redact=False)
    assert frame == "a frame"
    assert calls == [((tuple(runs(source=bus)),), {"redact": False})]


def test_frame_of_several_sources_is_refused() -> None:
    """Runs of two sources make no frame, because ids may be the same."""
    both = RunList([Run("a", source=EventBus()), Run("a", source=EventBus())])
    with pytest.raises(ValueError, match=r"several.*pandas\.concat"):
        both.df()


def test_runs_can_travel(tmp_path: Path) -> None:
    """Runs of a bus that are pickled are those of then, without secrets; those of a store are read from there."""
    bus = kept(a="complete", b="error")
    put(bus, "a", "my.own", api_key="abc", n=1)
    found = runs(source=bus)
    again = pickle.loads(pickle.dumps(found))
    put(bus, "a", "my.own", n=2)
    assert ids(again) == ["a", "b"]
    assert again["b"].status == "error"
    assert [dict(event.data) for event in again["a"].events] == [
        *({}, {"reason": "complete"}, {"api_key": "[redacted: api_key]", "n": 1})
    ]
    assert again.df()["event_count"].tolist() == [3, 2]
    assert pickle.loads(pickle.dumps(found["b"])).name == "b-name"
    unknown = Run("nobody", source=bus)
    assert pickle.loads(pickle.dumps(unknown)).status is None
    assert copy.copy(found) == copy.deepcopy(found) == found
    assert copy.deepcopy(found["a"]) == found["a"]
    with Store(tmp_path / "runs.db", bus=bus):
        pass
    stored = history(tmp_path / "runs.db").runs()
    assert pickle.loads(pickle.dumps(stored)) == copy.copy(stored) == stored


def test_a_diff_can_travel() -> None:
    """A difference that is pickled or copied shows what it did."""
    bus = kept(a="complete", b="error")
    call_model(bus, "a", "m")
    for found in (diff("a", "b", source=bus), diff(runs(source=bus), "b", source=bus)):
        for again in (pickle.loads(pickle.dumps(found)), copy.deepcopy(found)):
            assert html_of(again) == html_of(found)
            assert again.df.equals(found.df)


def test_what_is_no_source_is_refused() -> None:
    """What holds no runs is refused, and what would is said."""
    asks: list[Any] = [runs, last_run, lambda source: Run("a", source=source)]
    for ask in asks:
        with pytest.raises(TypeError, match=r"reads runs from a source: an EventBus, history.*not from str"):
            ask(source="runs.db")
