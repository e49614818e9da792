from __future__ import annotations

import sqlite3
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

import locus_nb
from locus_nb import EventBus, Store, StreamEvent, configure, get_event_bus, history
from locus_nb._bus import _the_bus
from locus_nb._store import file_history, memory
from locus_nb._store.memory import at_one_moment
from locus_nb._store.sqlite import SqliteStorage
from tests.bus_kit import Clock, event, ns, put
from tests.store_kit import ns_of, stored

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


@pytest.fixture(autouse=True)
def no_store_stays() -> Iterator[None]:
    yield
    configure(store=None)


def test_runs_that_left_memory_are_found(path: Path) -> None:
    """Evicted runs and trimmed events are found in the store; what memory has whole is not read from there."""
    bus = EventBus(max_runs_retained=2, history_per_run=5, store=path)
    for run in ("a", "b", "c"):
        put(bus, range(3), run)
    put(bus, range(10), "long")
    with at_one_moment(bus) as now:
        assert list(now.run_ids()) == ["a", "b", "c", "long"]
        assert ns(now.history("a")) == [0, 1, 2]
        assert ns(now.history("long")) == list(range(10))
        assert now.history("c") == bus.history("c")
        record, evicted = now.run_record("long"), now.run_record("a")
        assert record is not None
        assert evicted is not None
        assert (record.total, record.trimmed, evicted.trimmed) == (10, 0, 0)
        assert now.run_record("nobody") is None
        assert now.history("nobody") == ()
    assert bus.store is not None
    bus.store.close()


def test_what_could_not_be_stored_is_taken_from_memory(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the store fails, memory's events follow the stored ones, and none of them counts as missing."""
    bus = EventBus(history_per_run=5, store=path)
    assert bus.store is not None
    put(bus, range(7))
    assert bus.store.flush()

    def fail(self: SqliteStorage, events: Any, records: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(SqliteStorage, "write", fail)
    put(bus, range(7, 9))
    with pytest.warns(RuntimeWarning, match="No space left") as caught:
        frame = locus_nb.runs_df("run", source=bus)
    assert caught[0].filename == __file__
    assert frame[["event_count", "trimmed_events", "dropped_events", "complete"]].to_numpy().tolist() == [
        [9, 0, 0, True]
    ]
    events = locus_nb.Run("run", source=bus).events
    assert ns(events) == list(range(9))
    assert sorted(each.seq or 0 for each in events) == [each.seq for each in events]
    with pytest.warns(RuntimeWarning, match="2 events are lost"):
        bus.store.close()


def test_dropped_events_that_memory_has_are_not_missing(path: Path) -> None:
    """Events and missing events of a run add up to those that there were, where the store dropped some."""
    bus = EventBus(history_per_run=5)
    with Store(path, bus=bus) as store:
        put(bus, range(3))
        bus.close_stream_nowait("run")
        assert store.flush()
    put(bus, range(3, 20))
    with sqlite3.connect(path) as file:
        # As if all that came since had been dropped.
        file.execute("UPDATE runs SET dropped = 17")
    file.close()
    frame = locus_nb.runs_df("run", source=bus)
    assert frame[["event_count", "trimmed_events", "dropped_events", "complete"]].to_numpy().tolist() == [
        [8, 0, 12, False]
    ]


def test_without_a_store_memory_is_all() -> None:
    """A bus without a store is read as it is."""
    bus = EventBus()
    with at_one_moment(bus) as now:
        assert now is bus


@pytest.mark.parametrize("ask", [lambda bus: bus, lambda bus: None])
def test_a_bus_that_is_passed_is_read_with_its_store(path: Path, ask: Any) -> None:
    """Whether a bus is passed as source or is the process's, what left its memory is found everywhere."""
    bus = EventBus(store=path, max_runs_retained=3, history_per_run=5)
    _the_bus["bus"] = bus
    for run in range(6):
        for n in range(8):
            bus.publish_nowait(StreamEvent(f"r{run}", "agent.tool.started", {"span_id": str(n)}))
        bus.close_stream_nowait(f"r{run}")
    source = ask(bus)
    assert len(locus_nb.events_df(source=source)) == len(locus_nb.tools_df(source=source)) == 48
    assert locus_nb.runs_df(source=source)["event_count"].tolist() == [8] * 6
    assert locus_nb.runs_df(source=source)["complete"].all()
    assert [run.id for run in locus_nb.runs(source=source)] == [f"r{n}" for n in range(5, -1, -1)]
    run = locus_nb.Run("r0", source=source)
    assert len(run.events) == len(run.df()) == 8
    assert run == locus_nb.runs(source=source)[-1]
    assert locus_nb.diff("r0", "r5", source=source).df["change"].tolist() == []
    assert bus.store is not None
    bus.store.close()


def test_a_run_brings_its_own_source(path: Path) -> None:
    """A `Run`, a `RunList` and some of its runs are read where they are from, unless a source is passed."""
    stored(path, [StreamEvent(run, "agent.think", {}) for run in "aab"])
    kept = history(path).runs()
    assert len(locus_nb.events_df(kept)) == len(locus_nb.events_df(list(kept))) == 3
    assert locus_nb.runs_df(kept)["run_id"].tolist() == kept.df()["run_id"].tolist() == ["b", "a"]
    assert len(locus_nb.events_df(kept["a"])) == 2
    assert locus_nb.events_df(kept["a"], source=EventBus()).empty
    with pytest.raises(ValueError, match=r"events_df reads one source.*pandas\.concat"):
        locus_nb.events_df([kept["a"], "b"])


def test_one_id_is_one_run(path: Path) -> None:
    """What an earlier session stored under an id belongs to the run of that id, before and after memory is trimmed."""
    stored(path, [event(n) for n in range(5)])
    bus = EventBus(history_per_run=50, store=path)
    run = locus_nb.Run("run", source=bus)
    put(bus, range(5, 8))
    assert ns(run.events) == list(range(8))
    put(bus, range(8, 100))
    assert ns(run.events) == list(range(100))
    bus.drop_history_nowait("run")
    assert ns(run.events) == list(range(100))
    put(bus, range(100, 102))
    assert ns(run.events) == list(range(102))
    frame = locus_nb.runs_df("run", source=bus)
    assert frame[["event_count", "trimmed_events", "complete"]].to_numpy().tolist() == [[102, 0, True]]
    assert bus.store is not None
    bus.store.close()
    assert ns_of(path, "run") == list(range(102))


def test_payloads_do_not_depend_on_neighbours(path: Path) -> None:
    """With `redact=False` an event that memory has is as it was emitted, also next to one that only the store has."""
    bus = EventBus(max_runs_retained=1, store=path)
    for run in ("gone", "here"):
        bus.publish_nowait(StreamEvent(run, "my.own", {"api_key": "abc", "pair": (1, 2)}))
    alone = locus_nb.events_df("here", source=bus, redact=False)
    both = locus_nb.events_df(["here", "gone"], source=bus, redact=False)
    assert alone["data"].tolist() == [{"api_key": "abc", "pair": (1, 2)}]
    assert both["run_id"].tolist() == ["gone", "here"]
    assert both["data"].tolist() == [{"api_key": "[redacted: api_key]", "pair": [1, 2]}, *alone["data"]]
    assert both["event_id"].tolist()[1:] == alone["event_id"].tolist()
    assert both["seq"].is_monotonic_increasing
    assert bus.store is not None
    bus.store.close()


def test_events_of_the_same_id_are_all_kept(path: Path) -> None:
    """Events that were given the same id are all there, whether memory, the store or both have them."""
    bus = EventBus(max_runs_retained=1, store=path)
    for run in ("gone", "here"):
        for n in range(2):
            bus.publish_nowait(StreamEvent(run, "my.own", {"n": n}, event_id="same"))
    assert bus.store is not None
    assert bus.store.flush()
    bus.store.close()
    put(bus, [2, 3], "here")
    frame = locus_nb.events_df(["gone", "here"], source=bus)
    assert [data["n"] for data in frame["data"]] == [0, 1, 0, 1, 2, 3]


def test_handles_outlive_the_store(path: Path) -> None:
    """When the store is switched off, handles that were made before are read from memory alone."""
    configure(store=path)
    bus = get_event_bus()
    for n in range(bus.max_runs_retained + 5):
        put(bus, [n], f"run-{n}")
    kept = locus_nb.runs()
    assert len(kept) == bus.max_runs_retained + 5
    assert len(kept[-1].events) == 1
    configure(store=None)
    assert kept[-1].events == ()
    assert "run-0" in repr(kept[-1]) + repr(kept[-5:])
    assert kept.df()["event_count"].tolist() == [*[1] * bus.max_runs_retained, *[0] * 5]


def test_an_unreadable_store_leaves_what_memory_has(path: Path) -> None:
    """If the store cannot be read, what memory has is given, and a warning at the caller's line says so."""
    bus = EventBus(store=path)
    assert bus.store is not None
    put(bus, range(3))
    bus.store.close()
    path.write_bytes(b"this is no database" * 1000)
    for ask in (
        lambda: len(locus_nb.events_df(source=bus)),
        lambda: len(locus_nb.Run("run", source=bus).events),
        lambda: locus_nb.runs_df(source=bus)["event_count"].tolist()[0],
        lambda: 3 * len(locus_nb.runs(source=bus)),
    ):
        with pytest.warns(RuntimeWarning, match=r"only what is in memory.*not a database") as caught:
            assert ask() == 3
        assert [each.filename for each in caught] == [__file__]


def test_a_store_that_breaks_meanwhile_leaves_what_memory_has(path: Path) -> None:
    """If a page of the store is damaged, what memory has is given, and a warning says that this is not all."""
    bus = EventBus(max_runs_retained=1, store=path)
    assert bus.store is not None
    put(bus, range(2000), "gone")
    put(bus, range(3), "here")
    assert bus.store.flush()
    bus.store.close()
    with path.open("r+b") as file:
        file.seek(16_384 * 2)
        file.write(b"\xff" * (path.stat().st_size - 16_384 * 2))
    with pytest.warns(RuntimeWarning, match="only what is in memory"):
        assert locus_nb.events_df(["gone", "here"], source=bus)["run_id"].tolist() == ["here"] * 3


def test_a_locked_store_is_waited_for_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A question about many runs flushes the store once, and while that takes too long the next ones do not wait."""
    bus = EventBus(max_runs_retained=5, store=path)
    store = bus.store
    assert store is not None
    for n in range(60):
        put(bus, [n], f"run-{n}")
    assert store.flush()
    waited: list[float] = []
    clock = Clock()

    def flush(timeout: float) -> bool:
        waited.append(timeout)
        clock.advance(timeout)
        return False

    monkeypatch.setattr(store, "flush", flush)
    monkeypatch.setattr(memory, "time", SimpleNamespace(monotonic=clock))
    assert locus_nb.runs_df(source=bus)["event_count"].tolist() == [1] * 60
    kept = locus_nb.runs(source=bus)
    assert len(kept.filter(status="running", since="2020-01-01T00:00:00Z")) == 60
    assert "run-30" in repr(kept[-50:])
    assert waited == [memory._PATIENCE_S]
    clock.advance(10)
    assert len(kept[0].events) == 1
    assert len(waited) == 2
    monkeypatch.undo()
    store.close()


def test_a_frame_opens_a_store_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many runs there are, a frame or a list of them reads the store at one moment."""
    stored(path, [event(n, run_id=f"run-{n}") for n in range(30)], kind="jsonl")
    opened: list[Path] = []
    snapshot = file_history.JsonlSnapshot

    def noted(folder: Path) -> Any:
        opened.append(folder)
        return snapshot(folder)

    monkeypatch.setattr(file_history, "JsonlSnapshot", noted)
    kept = history(path).runs()
    for ask in (
        lambda: locus_nb.runs_df(source=history(path)),
        kept.df,
        lambda: kept.filter(status="running"),
        lambda: repr(kept),
        lambda: locus_nb.diff(kept[:10], kept[10:]),
    ):
        opened.clear()
        ask()
        assert len(opened) <= 2


def test_runs_that_left_memory_are_found_in_the_store(tmp_path: Path) -> None:
    """What a bus has evicted or trimmed is still there by its id, in lists and in frames, if the bus has a store."""
    locus_nb.configure(store=tmp_path / "runs.db")
    bus = locus_nb.get_event_bus()
    for n in range(bus.max_runs_retained + 1):
        bus.publish_nowait(StreamEvent(f"run-{n}", "agent.think", {"iteration": n + 1}))
    for n in range(bus.history_per_run + 5):
        bus.publish_nowait(StreamEvent("long", "agent.think", {"iteration": n + 1}))
    assert not bus.history("run-0")
    assert len(locus_nb.Run("run-0").events) == len(locus_nb.events_df("run-0")) == 1
    assert locus_nb.runs()["run-0"] == locus_nb.Run("run-0")
    assert locus_nb.runs_df("long")["complete"].tolist() == [True]
    frame = locus_nb.events_df()
    assert list(frame["iteration"]) == [*range(1, bus.max_runs_retained + 2), *range(1, 506)]
    assert len(locus_nb.runs().df()) == bus.max_runs_retained + 2
    assert len(locus_nb.runs()) == len(locus_nb.history(tmp_path / "runs.db").runs())
    locus_nb.configure(store=None)
