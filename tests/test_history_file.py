from __future__ import annotations

import json
import os
import sqlite3
import sys
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from locus_nb import EventBus, RunRecord, Store, StoreError, StreamEvent, configure, events_df, history, load
from locus_nb._store import file_history, folder, mounts, sqlite_file
from locus_nb._store import store as store_module
from locus_nb._store.folder import candidates
from locus_nb._store.jsonl import JsonlStorage
from locus_nb._store.jsonl_reader import JsonlSnapshot
from locus_nb._store.sqlite import SqliteStorage
from locus_nb._store.storage import Limits
from locus_nb._wire import jsonable
from tests.bus_kit import event, in_threads, ns, put
from tests.store_kit import as_stored, ns_of, stored

if TYPE_CHECKING:
    from collections.abc import Callable

SECRET = "sk-" + "Ab3" * 8
HOLDS_SECRET = {"tool_name": "search", "output_preview": f"it is {SECRET}", "span_id": "s"}
KINDS = pytest.mark.parametrize("kind", ["sqlite", "jsonl"])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


# Round trips

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=()))
    | st.binary(max_size=20)
    | st.datetimes()
    | st.sampled_from(["api_key=abc123", "Bearer abcdefgh", "\ud800", "\x00", "line\nline\r\u2028"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=())) | st.integers(), inner, max_size=4)
    ),
    max_leaves=10,
)
names = st.text(st.characters(exclude_categories=()), min_size=1)
events_made = st.lists(
    st.builds(
        StreamEvent,
        st.sampled_from(["a", "A", "b/../c", "\ud800", "x" * 300, "nul\x00", "%", "~2", "."]) | names,
        st.sampled_from(["agent.think", "agent.tool.started"]) | names,
        st.dictionaries(names | st.sampled_from(["password", "value", "name"]), values, max_size=5),
        st.datetimes(timezones=st.just(UTC)),
        st.none() | names,
    ),
    max_size=8,
)


@KINDS
@settings(max_examples=50)
@given(events=events_made)
def test_what_is_stored_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, kind: str, events: list[StreamEvent]
) -> None:
    """Whatever events hold, they come back equal in their wire form, secrets taken out, each run in its order."""
    path = tmp_path_factory.mktemp("store") / "runs"
    found = stored(path, events, kind=kind)
    assert {each.run_id for each in found} == {jsonable(each.run_id) for each in events}
    for run_id in {each.run_id for each in events}:
        wires = [as_stored(each) for each in events if jsonable(each.run_id) == jsonable(run_id)]
        assert [each.to_dict() for each in found if each.run_id == jsonable(run_id)] == wires
        assert [each.to_dict() for each in history(path).history(run_id)] == wires
    if kind == "sqlite":
        assert [each.seq for each in found] == list(range(1, len(events) + 1))


@KINDS
def test_the_frame_of_a_store_is_that_of_memory(path: Path, kind: Any) -> None:
    """`events_df` of a store equals that of the bus it came from, but for a folder's `seq`, which only ascends."""
    bus = EventBus()
    with Store(path, bus=bus, kind=kind) as store:
        for run in ("one", "two"):
            bus.publish_nowait(StreamEvent(run, "agent.think", {"iteration": 1, "api_key": "abc"}))
            bus.publish_nowait(
                StreamEvent(run, "agent.tokens.used", {"prompt_tokens": 3, "completion_tokens": 4})
            )
        assert store.flush()
    for run in (None, "two"):
        found, kept = history(path).events_df(run), events_df(run, source=bus)
        assert found["seq"].is_monotonic_increasing
        assert found["seq"].is_unique
        if kind == "jsonl":
            found["seq"] = kept["seq"]
        pd.testing.assert_frame_equal(found, kept)
    assert history(path).events_df("nobody").empty


def test_other_frames_are_asked_with_the_store_as_source(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The frames of runs, spans, tools and model calls are made by the frames' own functions, of one moment."""
    stored(path, [event(1)])
    asked: list[tuple[str, object, list[int], dict[str, Any]]] = []

    class Frames:
        def __getattr__(self, name: str) -> Callable[..., str]:
            def frame(run: object, *, source: Any, **options: Any) -> str:
                asked.append((name, run, ns(source.history("run")), options))
                return name

            return frame

    monkeypatch.setattr(file_history, "_frames", Frames)
    found = history(path)
    for name in ("runs_df", "spans_df", "tools_df", "model_calls_df"):
        assert getattr(found, name)("run", columns="otel") == name
    assert [each[1:] for each in asked] == [("run", [1], {"columns": "otel"})] * 4


# What is asked


@KINDS
def test_events_are_filtered(path: Path, kind: Any) -> None:
    """Events are asked for by run, by a pattern of types in which only `*` is special, and by time."""
    began = datetime(2024, 1, 1, tzinfo=UTC)
    types = ["agent.tool.started", "agent.tool.completed", "agent.think", "a[b]?"]
    events = [
        StreamEvent(run, each, {"n": n}, began + timedelta(seconds=n))
        for run in ("r1", "r2", "r3")
        for n, each in enumerate(types)
    ]
    stored(path, events, kind=kind)
    found = history(path)
    assert ns(found.events("r1", event_type="agent.tool.*")) == [0, 1]
    assert ns(found.events("r1", event_type="a[b]?")) == [3]
    assert ns(found.events("r1", event_type="a?ent*")) == []
    assert ns(found.events("r1", since=began + timedelta(seconds=1), until=began + timedelta(seconds=3))) == [
        1,
        2,
    ]
    record = found.run_record("r2")
    assert {each.run_id for each in found.events(["r1", record])} == {"r1", "r2"}
    assert found.events([]) == []
    assert len(found.events()) == 12
    assert ns(found.events("r1", event_type=["agent.think", "*.started"])) == [0, 2]
    assert found.events(event_type=[]) == []
    assert ns(found.events("r1", since="2024-01-01T00:00:02+00:00")) == [2, 3]


@KINDS
def test_both_ways_to_ask_a_store_are_one(path: Path, kind: Any) -> None:
    """A frame of a store is the same, asked by its method or by the function, in whatever form."""
    types = ["agent.tool.started", "agent.tool.completed", "a[b]?"]
    stored(path, [event(n, run, each) for run in ("r1", "r2") for n, each in enumerate(types)], kind=kind)
    found = history(path)
    some = found.runs_df().query("run_id == 'r2'")
    asked: list[dict[str, Any]] = [
        {"event_type": ["agent.tool.*", "x"]},
        {"event_type": "agent.tool.starte?"},
        {"event_type": "a[b]?"},
        {"since": "2020-01-01T00:00:00Z", "until": pd.Timestamp("2100-01-01", tz="UTC")},
        {"run": some},
        {"run": some["run_id"]},
        {"run": found.runs()},
    ]
    for options in asked:
        pd.testing.assert_frame_equal(found.events_df(**options), events_df(source=found, **options))
    assert set(found.events_df(some)["run_id"]) == {"r2"}
    assert found == history(path)
    assert len({found, history(path)}) == 1
    assert found.runs() == history(path).runs()


@pytest.mark.parametrize(
    "run, options, error",
    [
        (5, {}, TypeError),
        ([5], {}, TypeError),
        ("", {}, ValueError),
        (None, {"since": "today"}, ValueError),
        (None, {"since": "2020-01-01"}, ValueError),
        (None, {"since": 5}, TypeError),
        (None, {"since": pd.NaT}, TypeError),
        (None, {"event_type": 5}, TypeError),
        (pd.DataFrame({"status": ["ok"]}), {}, TypeError),
        (None, {"until": datetime(2024, 1, 1)}, ValueError),  # noqa: DTZ001 - naive on purpose
    ],
)
def test_bad_questions_are_refused(path: Path, run: Any, options: Any, error: type[Exception]) -> None:
    """What is no run, no time or a naive one is refused, by its name."""
    stored(path, [])
    with pytest.raises(error, match=r"^(History\.events|A run id)"):
        history(path).events(run, **options)


@KINDS
def test_runs_are_listed_least_recently_used_first(path: Path, kind: Any) -> None:
    """Runs come in the order of their last event, with a record each."""
    bus = EventBus()
    with Store(path, bus=bus, kind=kind) as store:
        for run in ("a", "b", "a", "c"):
            put(bus, [1], run)
            assert store.flush()
    found = history(path)
    assert found.run_ids() == ("b", "a", "c")
    assert [(record.run_id, record.total) for record in found.records()] == [("b", 1), ("a", 2), ("c", 1)]
    assert found.run_record("nobody") is None
    assert found.history("nobody") == ()


def test_each_answer_is_of_one_moment_while_it_is_written(path: Path) -> None:
    """Read from several threads while it is written, a run is never seen in part of a batch or out of order."""
    bus = EventBus()
    done = threading.Event()

    def write() -> None:
        with Store(path, bus=bus) as store:
            for start in range(0, 3000, 100):
                put(bus, range(start, start + 100))
                assert store.flush()
        done.set()

    def read() -> int:
        found, reads, last = history(path), 0, 0
        while not done.is_set() or not reads:
            numbers = ns(found.history("run"))
            assert numbers == list(range(len(numbers)))
            assert len(numbers) % 100 == 0
            assert len(numbers) >= last
            last = len(numbers)
            reads += 1
        return last

    Store(path, bus=EventBus()).close()
    in_threads(write, read, read)
    assert ns_of(path, "run") == list(range(3000))


def test_it_reads_where_nothing_may_be_written(path: Path) -> None:
    """A finished file is read without leaving anything beside it."""
    stored(path, [event(n) for n in range(3)])
    assert ns_of(path, "run") == [0, 1, 2]
    assert {each.name for each in path.parent.iterdir()} <= {"runs.db", "runs.db-shm", "runs.db-wal"}


# What is no store


def test_nothing_there(tmp_path: Path) -> None:
    """A path that leads nowhere is named."""
    with pytest.raises(FileNotFoundError, match=r"nothing\.db"):
        history(tmp_path / "nothing.db")


def _foreign(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()


def _newer(path: Path) -> None:
    stored(path, [event()])
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()


def _text(path: Path) -> None:
    path.write_text("this is no database\n" * 1000, "utf-8")


def _damaged(path: Path) -> None:
    stored(path, [StreamEvent("run", "x", {"n": n, "text": "x" * 1000}) for n in range(200)])
    content = bytearray(path.read_bytes())
    content[100:] = b"\xff" * (len(content) - 100)
    path.write_bytes(content)


@pytest.mark.parametrize(
    "make, says",
    [
        (_foreign, "something else"),
        (_newer, "version 99"),
        (_text, "not a database"),
        (_damaged, "malformed|not a database|corrupt"),
    ],
)
def test_what_is_no_store_is_refused_and_left_alone(
    path: Path, make: Callable[[Path], None], says: str
) -> None:
    """A foreign, damaged or newer file is refused with its name, the reason and what to do, and not changed."""
    make(path)
    content = path.read_bytes()
    for use in (lambda: history(path), lambda: Store(path, bus=EventBus())):
        with pytest.raises(StoreError, match=says) as refused:
            use()
        assert "runs.db" in str(refused.value)
    assert path.read_bytes() == content


def test_a_folder_of_other_things_is_no_store(tmp_path: Path) -> None:
    """A folder in which no file is a run's is refused by name, unless it is empty or a store just begins there."""
    folder = tmp_path / "papers"
    folder.mkdir()
    assert history(folder).run_ids() == ()
    (folder / "notes.txt").write_text("mine", "utf-8")
    (folder / "theirs.jsonl").write_text('{"their": 1}\n', "utf-8")
    with pytest.raises(StoreError, match=r"papers.*none of its files is a run's"):
        history(folder)
    bus = EventBus()
    with Store(folder, bus=bus) as store:
        assert history(folder).run_ids() == ()
        put(bus, [1])
        assert store.flush()
    assert history(folder).run_ids() == ("run",)


def test_a_file_that_cannot_be_read_is_named(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a file of a folder may not be read, the error is a StoreError that names the store and the reason."""
    stored(path, [event(1)], kind="jsonl")
    found = history(path)

    def refuse(file: Path) -> None:
        raise PermissionError(13, "Permission denied", str(file))

    monkeypatch.setattr("locus_nb._store.jsonl_reader.read_stored", refuse)
    with pytest.raises(StoreError, match=r"runs\.db.*Permission denied.*run\.jsonl"):
        found.records()


@KINDS
def test_an_empty_place_is_an_empty_store(path: Path, kind: Any) -> None:
    """A file without content, as one that is just being made, and an empty folder hold no runs and can be used."""
    if kind == "sqlite":
        path.touch()
    else:
        path.mkdir()
    assert history(path).records() == ()
    assert history(path).events() == []
    assert ns(stored(path, [event(1)])) == [1]


# JSONL


def test_the_lines_are_what_files_have(path: Path) -> None:
    """A run's file begins with its record, has an event per line, and its last record holds."""
    bus = EventBus()
    with Store(path, bus=bus, kind="jsonl") as store:
        put(bus, range(2), "run-1")
        assert store.flush()
        bus.close_stream_nowait("run-1")
    first, *events, last = [json.loads(line) for line in (path / "run-1.jsonl").read_bytes().splitlines()]
    assert (first["locus_nb"], first["kind"], first["record"]["status"]) == (1, "run", "running")
    assert RunRecord(**last["record"]) == bus.run_record("run-1")
    kept = bus.history("run-1")
    seqs = [each.seq for each in history(path).history("run-1")]
    assert events == [each.to_dict() | {"seq": seq} for each, seq in zip(kept, seqs, strict=True)]
    assert seqs[0] is not None
    assert seqs == [seqs[0], seqs[0] + 1]


@pytest.mark.parametrize("torn", [b'{"event_id":"x","run_', b"\xff\xfe", b'{"locus_nb":1'])
def test_a_torn_tail_is_repaired(path: Path, torn: bytes) -> None:
    """What a crash left of a line is not read, and taken out when the run goes on."""
    stored(path, [event(n) for n in range(3)], kind="jsonl")
    with (path / "run.jsonl").open("ab") as file:
        file.write(torn)
    assert ns_of(path, "run") == [0, 1, 2]
    assert ns(stored(path, [event(3)], kind="jsonl")) == [0, 1, 2, 3]
    assert all(json.loads(line) for line in (path / "run.jsonl").read_bytes().splitlines())
    assert len(list(path.iterdir())) == 1


def test_a_file_of_its_own_where_another_holds_the_run(path: Path) -> None:
    """Two stores that write the same run use a file each, and are read as one run."""
    buses = [EventBus(), EventBus()]
    stores = [Store(path, bus=bus, kind="jsonl") for bus in buses]
    for number, bus in enumerate(buses):
        put(bus, range(number * 10, number * 10 + 3))
        assert stores[number].flush()
    for store in stores:
        store.close()
    assert sorted(file.name for file in path.iterdir()) == ["run.jsonl", "run~2.jsonl"]
    assert history(path).run_ids() == ("run",)
    assert sorted(ns_of(path, "run")) == [0, 1, 2, 10, 11, 12]


@pytest.mark.parametrize("content", ['{"their": 1}\n', '{"their": "only line"}', '{"a": 1}\n{"b": "no end"}'])
def test_a_file_of_something_else_is_left_alone(path: Path, content: str) -> None:
    """A file in the folder that is not ours is neither read nor written, whole lines or not."""
    path.mkdir()
    other = path / "run.jsonl"
    other.write_text(content, "utf-8")
    assert ns(stored(path, [event(1)], kind="jsonl")) == [1]
    assert other.read_text("utf-8") == content


def test_what_is_no_file_is_left_alone(path: Path) -> None:
    """A folder with the name of a run's file is passed over, by whoever reads, writes and prunes."""
    (path / "run.jsonl").mkdir(parents=True)
    assert ns(stored(path, [event(1)], kind="jsonl", keep_runs=1)) == [1]
    assert history(path).run_ids() == ("run",)
    assert ns_of(path, "run") == [1]


def test_a_run_that_lost_one_of_its_files_is_the_same_in_all_answers(path: Path) -> None:
    """When one of a run's files is deleted, what is asked of the run and of all runs is still the same."""
    buses = [EventBus() for _ in range(3)]
    stores = [Store(path, bus=bus, kind="jsonl") for bus in buses]
    for n, (bus, store) in enumerate(zip(buses, stores, strict=True)):
        put(bus, [n])
        assert store.flush()
    for store in stores:
        store.close()
    (path / "run~2.jsonl").unlink()
    assert ns_of(path, "run") == ns(history(path).events()) == [0, 2]
    (path / "run.jsonl").unlink()
    assert ns_of(path, "run") == ns(history(path).events()) == [2]


def test_no_file_is_hidden(path: Path) -> None:
    """A run whose id begins with a dot is found by the pattern that finds all others."""
    stored(path, [event(1, ".run"), event(2, "run"), event(3, "..")], kind="jsonl")
    assert set(load(path / "*.jsonl").run_ids()) == {".run", "run", ".."}
    assert ns_of(path, ".run") == [1]


@KINDS
def test_the_order_of_use_is_that_of_the_last_events(
    path: Path, kind: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Runs are in the order of their last events, in one batch or several, however late it is told how they ended."""
    monkeypatch.setattr("locus_nb._store.backlog.BATCH_EVENTS", 5)
    bus = EventBus()
    runs = [f"run-{number}" for number in range(4)]
    for number, run in enumerate([*runs, "run-1", *runs[2:], "run-0"]):
        put(bus, [number], run)
    with Store(path, bus=bus, kind=kind) as store:
        assert store.flush()
        order = ("run-1", "run-2", "run-3", "run-0")
        assert bus.run_ids() == history(path).run_ids() == order
        bus.close_stream_nowait("run-2")
        assert store.flush()
        assert history(path).run_ids() == order
        put(bus, range(3), "run-1")
        put(bus, range(3), "run-3")
        put(bus, range(3), "run-1")
        assert store.flush()
    assert history(path).run_ids() == ("run-2", "run-0", "run-3", "run-1")


def test_a_newer_folder_is_refused(path: Path) -> None:
    """A file of another version is refused by name."""
    stored(path, [event(1)], kind="jsonl")
    file = path / "run.jsonl"
    file.write_text(file.read_text("utf-8").replace('{"locus_nb":1', '{"locus_nb":7'), "utf-8")
    with pytest.raises(StoreError, match="version 7"):
        history(path)


def test_a_failed_write_is_taken_back(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk is full in the midst of a batch, what was written of it goes, and no event comes twice."""
    real, calls = os.write, iter([True, False, False])

    def write(number: int, data: Any) -> int:
        if next(calls, True):
            return real(number, data)
        real(number, bytes(data)[:10])
        raise OSError(28, "No space left on device")

    bus = EventBus()
    with Store(path, bus=bus, kind="jsonl") as store:
        put(bus, range(3))
        monkeypatch.setattr("locus_nb._store.growing_file.os.write", write)
        with pytest.warns(RuntimeWarning, match="No space left"):
            assert not store.flush()
        assert not store.flush()
        assert store.flush()
    monkeypatch.undo()
    assert ns_of(path, "run") == [0, 1, 2]


def test_sessions_of_one_run_come_in_their_order(path: Path) -> None:
    """Events that several sessions wrote of one run are in the order of writing, and so are their spans."""
    for session in range(3):
        events = [
            StreamEvent("run", f"agent.tool.{what}", {"tool_name": "t", "span_id": "s", "session": session})
            for what in ("started", "completed")
        ]
        stored(path, events, kind="jsonl")
    events = history(path).events()
    assert [event.data["session"] for event in events] == [0, 0, 1, 1, 2, 2]
    assert len(history(path).tools_df()) == 3
    assert history(path).runs_df()["tool_calls"].tolist() == [3]
    assert [event.data for event in load(path / "*.jsonl").history("run")] == [event.data for event in events]


def test_two_processes_at_a_time_are_put_in_order(path: Path) -> None:
    """Events that two stores write of one run by turns are in the order of writing, here and as loaded files."""
    buses = [EventBus(), EventBus()]
    stores = [Store(path, bus=bus, kind="jsonl") for bus in buses]
    for n in range(6):
        put(buses[n % 2], [n])
        assert stores[n % 2].flush()
    for store in stores:
        store.close()
    assert ns_of(path, "run") == list(range(6))
    loaded = load(path / "*.jsonl")
    assert ns(list(loaded.history("run"))) == list(range(6))
    record = loaded.run_record("run")
    assert record is not None
    assert record == history(path).run_record("run")
    assert (record.total, record.trimmed) == (6, 0)


def test_a_clock_that_goes_back_does_not_change_the_order(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session whose clock is behind writes behind what its run's file has."""
    stored(path, [event(0), event(1)], kind="jsonl")
    monkeypatch.setattr("locus_nb._store.jsonl.time.time_ns", lambda: 10**15)
    stored(path, [event(2), event(3)], kind="jsonl")
    monkeypatch.undo()
    assert ns_of(path, "run") == [0, 1, 2, 3]


_GOOD = {
    "run_id": "bad", "name": None, "tags": {}, "status": "ok", "started_at_ns": 1, "ended_at_ns": 2, "cell_id": None,
    "execution_count": None, "closed": True, "trimmed": 0, "total": 1, "dropped": 0,
}  # fmt: skip


def _head_with(**fields: Any) -> str:
    return json.dumps({"locus_nb": 1, "kind": "run", "record": _GOOD | fields, "lacks": [0, 0]})


def _event_with(**fields: Any) -> str:
    line = {"event_id": "1", "run_id": "bad", "event_type": "a.b", "timestamp": "2026-01-01T00:00:00+00:00"}
    return json.dumps(line | {"data": {}, "seq": 1} | fields)


@pytest.mark.parametrize(
    "lines, at",
    [
        *[
            ([_head_with(**fields), _event_with()], 1)
            for fields in (
                {"tags": None},
                {"total": None},
                {"started_at_ns": "x"},
                {"ended_at_ns": "x"},
                {"name": 5},
            )
        ],
        ([_head_with(), _event_with(), _event_with(event_id="2").replace('"seq": 1', '"seq": 1e999')], 3),
        ([_head_with(), _event_with(), "[" * 100_000 + "]" * 100_000], 3),
        ([_head_with(), "{broken", _event_with()], 2),
        ([f"#{_head_with()}", _event_with()], 1),
    ],
)
def test_a_bad_line_is_named_and_costs_only_itself(path: Path, lines: list[str], at: int) -> None:
    """A damaged line is warned of by file, line and reason, its run is not complete, and all else is read."""
    stored(path, [event(n) for n in range(3)], kind="jsonl")
    (path / "bad.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    found = history(path)
    assert set(found.run_ids()) == {"run", "bad"}
    with pytest.warns(RuntimeWarning, match=rf"bad\.jsonl, line {at}: "):
        frame = found.runs_df()
    assert dict(zip(frame["run_id"], frame["complete"], strict=True)) == {"run": True, "bad": False}
    with pytest.warns(RuntimeWarning, match="bad"):
        assert len(found.events()) == 4
    assert ns_of(path, "run") == [0, 1, 2]


def test_files_that_go_while_they_are_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs that another process deletes meanwhile are left out, by whoever reads and by whoever prunes."""
    stored(path, [event(n, run) for n, run in enumerate(["a", "b", "c"])], kind="jsonl")
    monkeypatch.setattr("locus_nb._store.jsonl_reader.run_id_in", _taking_away(path / "b.jsonl"))
    assert [record.run_id for record in history(path).records()] == ["a", "c"]
    stored(path, [event(1, "b")], kind="jsonl")
    real = Path.stat

    def stat(self: Path, **options: Any) -> os.stat_result:
        if self.name == "b.jsonl":
            self.unlink(missing_ok=True)
        return real(self, **options)

    monkeypatch.setattr(Path, "stat", stat)
    JsonlStorage(path).prune(Limits(runs=1), lambda run_id: False)
    monkeypatch.undo()
    assert history(path).run_ids() == ("a", "c")


def _taking_away(gone: Path) -> Callable[[Path], str | None]:
    real = folder.run_id_in

    def run_id_in(path: Path) -> str | None:
        found = real(path) if path.exists() else None
        gone.unlink(missing_ok=True)
        return found

    return run_id_in


def test_one_run_is_read_without_a_look_at_all(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is asked of one run does not take longer for the number of others, but for one in a file of another name."""
    stored(path, [event(n, f"run-{n}") for n in range(9)], kind="jsonl")
    (path / "run-8.jsonl").rename(path / "renamed.jsonl")
    looked: list[str] = []
    real = folder.run_id_in

    def looking(file: Path) -> str | None:
        looked.append(file.name)
        return real(file)

    monkeypatch.setattr("locus_nb._store.jsonl_reader.run_id_in", looking)
    snapshot = JsonlSnapshot(path)
    assert snapshot.run_record("run-3") is not None
    assert ns(list(snapshot.history("run-4"))) == [4]
    assert looked == ["run-3.jsonl", "run-4.jsonl"]
    assert ns(list(snapshot.history("run-8"))) == [8]


# Where


def test_network_file_systems_are_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The longest mount point above a path decides; on a network file system a store is a folder of JSONL."""
    table = tmp_path / "mounts"
    table.write_text(
        "disk / ext4 rw 0 0\nserver:/home /home nfs4 rw 0 0\nx /home/me/my\\040disk ext4 rw 0 0\n"
        f"ann@host: {tmp_path}/far fuse.sshfs rw 0 0\n",
        "utf-8",
    )
    kinds = [mounts.file_system(Path(name), table) for name in ("/home/a", "/homes", "/home/me/my disk/x")]
    assert kinds == ["nfs4", "ext4", "ext4"]
    assert mounts.file_system(Path("/"), tmp_path / "no such file") == ""
    monkeypatch.setattr(store_module, "is_shared", lambda path: mounts.is_shared(path, table))
    monkeypatch.setattr(store_module, "file_system", lambda path: mounts.file_system(path, table))
    far = tmp_path / "far"
    far.mkdir()
    with Store(far / "runs.db", bus=EventBus()) as store:
        assert store.kind == "jsonl"
    with Store(far / "other.db", bus=EventBus(), kind="sqlite") as store:
        assert store.kind == "sqlite"
    with pytest.raises(StoreError, match=r"fuse\.sshfs"):
        Store(far / "other.db", bus=EventBus())
    with Store(tmp_path / "near.db", bus=EventBus()) as store:
        assert store.kind == "sqlite"
    for kind in ("virtiofs", "vboxsf", "fuse.blobfuse2", "fuse.mount-s3", "wekafs"):
        table.write_text(f"disk / ext4 rw 0 0\nx /far {kind} rw 0 0\n", "utf-8")
        assert mounts.is_shared(Path("/far/runs.db"), table)


def test_a_long_name_and_capitals_have_files_of_their_own(tmp_path: Path) -> None:
    """Run ids that a file system would take for one another, or refuse, get different short names."""
    runs = ["run", "RUN", "Run", "a/b", "a%2Fb", "..", "x" * 5000, "x" * 5001, "é"]
    files = {next(candidates(tmp_path, run, also_new=True)).name.lower() for run in runs}
    assert len(files) == len(runs)
    assert all(len(name) < 200 and "/" not in name for name in files)


# Retention


def _finished(bus: EventBus, runs: list[str], count: int = 3) -> None:
    for run in runs:
        bus.open_stream_nowait(run)
        put(bus, range(count), run)
        bus.close_stream_nowait(run)


@KINDS
def test_old_runs_go_whole_and_running_ones_stay(path: Path, kind: Any) -> None:
    """Beyond the number of runs the longest unused go, whole; one that runs stays, however old."""
    bus = EventBus()
    with Store(path, bus=bus, kind=kind, keep_runs=3) as store:
        bus.open_stream_nowait("running")
        put(bus, [1], "running")
        assert store.flush()
        for number in range(6):
            _finished(bus, [f"run-{number}"])
            assert store.flush()
    found = history(path)
    assert found.run_ids() == ("running", "run-4", "run-5")
    assert len(found.events()) == 7


@KINDS
def test_runs_are_kept_for_so_many_days(path: Path, kind: Any) -> None:
    """A run goes when its last event is older than asked; one left open by a dead process goes too."""
    stored(path, [event(1, "left-open")], kind=kind)
    bus = EventBus()
    with Store(path, bus=bus, kind=kind):
        _finished(bus, ["old"])
    _age(path, kind, days=3)
    bus = EventBus()
    with Store(path, bus=bus, kind=kind):
        _finished(bus, ["new"])
    storage: Any = SqliteStorage(path) if kind == "sqlite" else JsonlStorage(path)
    storage.prune(Limits(days=4), lambda run_id: False)
    assert history(path).run_ids() == ("left-open", "old", "new")
    storage.prune(Limits(days=2), lambda run_id: run_id == "left-open")
    assert history(path).run_ids() == ("left-open", "new")
    storage.prune(Limits(days=2), lambda run_id: False)
    assert history(path).run_ids() == ("new",)
    storage.close()


def _age(path: Path, kind: str, *, days: int) -> None:
    if kind == "jsonl":
        for file in path.iterdir():
            past = file.stat().st_mtime_ns - days * 86_400 * 10**9
            os.utime(file, ns=(past, past))
        return
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE runs SET used_at_ns = used_at_ns - ?", (days * 86_400 * 10**9,))
    connection.close()


@KINDS
def test_the_file_shrinks(path: Path, kind: Any) -> None:
    """Beyond a size the longest unused runs go, and the room is given back to the file system."""

    def size() -> int:
        return (
            path.stat().st_size if kind == "sqlite" else sum(each.stat().st_size for each in path.iterdir())
        )

    bus = EventBus()
    with Store(path, bus=bus, kind=kind):
        for number in range(20):
            run = f"run-{number:02}"
            bus.publish_nowait(StreamEvent(run, "x", {"text": "x" * 100_000, "n": number}))
            bus.close_stream_nowait(run)
    assert size() > 2_000_000
    Store(path, bus=EventBus(), kind=kind, keep_mb=1).close()
    assert 500_000 < size() <= 1_100_000
    assert history(path).run_ids()[-1] == "run-19"


@KINDS
def test_a_small_size_keeps_the_newest_runs(path: Path, kind: Any) -> None:
    """A size smaller than an empty file is no reason to delete runs that fit it."""
    bus = EventBus()
    with Store(path, bus=bus, kind=kind, keep_mb=0.05):
        for number in range(6):
            bus.publish_nowait(StreamEvent(f"run-{number}", "x", {"text": "x" * 12_000}))
            bus.close_stream_nowait(f"run-{number}")
    kept = history(path).run_ids()
    assert 2 <= len(kept) < 6
    assert kept[-1] == "run-5"


# Extras


def test_parquet_holds_the_frame(path: Path, tmp_path: Path) -> None:
    """`to_parquet` writes the columns of `events_df`, payloads as JSON text."""
    stored(path, [StreamEvent("run", "agent.think", {"iteration": 2})])
    file = history(path).to_parquet(tmp_path / "events.parquet", "run")
    df = pd.read_parquet(file)
    assert list(df.columns) == list(history(path).events_df().columns)
    assert df["data"].tolist() == ['{"iteration":2}']
    assert df["iteration"].tolist() == [2]


def test_stored_df_is_the_file_as_it_stands(path: Path, tmp_path: Path) -> None:
    """`stored_df` gives what the file holds, in its order, of the runs, types and times that are asked for."""
    began = datetime(2024, 1, 1, tzinfo=UTC)
    stored(
        path,
        [StreamEvent(run, "a.b", {"n": n}, began, f"{run}{n}") for n in range(2) for run in ("r1", "r2")],
    )
    df = history(path).stored_df("r2", event_type="a.*", since=began)
    assert list(df.columns) == ["run_id", "seq", "event_id", "timestamp", "event_type", "data"]
    assert df["data"].tolist() == ['{"n":0}', '{"n":1}']
    assert df["timestamp"].tolist() == [pd.Timestamp(began)] * 2
    assert history(path).stored_df("r2", until=began).empty
    (tmp_path / "empty.db").touch()
    Store(tmp_path / "no runs.db", bus=EventBus()).close()
    for empty in (
        history(path).stored_df("nobody"),
        history(tmp_path / "empty.db").stored_df(),
        history(tmp_path / "no runs.db").stored_df(event_type="x"),
    ):
        assert len(empty) == 0
        pd.testing.assert_series_equal(empty.dtypes, df.dtypes)
    stored(tmp_path / "folder", [event()], kind="jsonl")
    with pytest.raises(StoreError, match="events_df"):
        history(tmp_path / "folder").stored_df()


def test_stored_df_changes_only_what_holds_a_secret(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many payloads each that holds a secret is redacted, in its place; the others stay letter by letter."""
    monkeypatch.setattr("locus_nb._store.adbc._TOGETHER", 8)
    stored(path, [StreamEvent("run", f"x.{n % 3}", {"n": n}, event_id=f"{n}") for n in range(50)])
    texts = [
        '{"n": 1, "note" : "plain"}'
        if n % 2
        else '{"n":1,"note":"Bearer abc123def"}'
        if n % 4
        else '"too deep"'
        for n in range(50)
    ]
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executemany(
            "UPDATE events SET data = ? WHERE event_id = ?", [(text, f"{n}") for n, text in enumerate(texts)]
        )
    assert history(path).stored_df()["data"].tolist() == [
        text.replace("Bearer abc123def", "Bearer [redacted: bearer token]") for text in texts
    ]
    assert history(path).stored_df(redact=False)["data"].tolist() == texts


@KINDS
def test_what_leaves_a_store_is_redacted(path: Path, tmp_path: Path, kind: Any) -> None:
    """Of a store written with redaction off no frame and no Parquet file has a secret, unless that is asked for."""
    configure(redact=False)
    try:
        stored(path, [StreamEvent("run", "agent.tool.completed", HOLDS_SECRET)], kind=kind)
    finally:
        configure(redact=True)
    found = history(path)
    frames = ("events_df", "runs_df", "spans_df", "tools_df", "model_calls_df")
    names = [*frames, "stored_df"] if kind == "sqlite" else frames
    for name in names:
        assert SECRET not in getattr(found, name)().to_csv(), name
    for name in {*names} & {"events_df", "spans_df", "tools_df", "stored_df"}:
        assert SECRET in getattr(found, name)(redact=False).to_csv(), name
    for options, is_there in (({}, False), ({"redact": False}, True)):
        file = found.to_parquet(tmp_path / "events.parquet", **options)
        assert (SECRET in pd.read_parquet(file).to_csv()) is is_there
    pd.testing.assert_frame_equal(found.events_df(), events_df(source=found))
    pd.testing.assert_frame_equal(found.events_df(redact=False), events_df(source=found, redact=False))


def test_missing_extras_are_named(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its extra a method names itself, the package and the line that installs it."""
    stored(path, [event()])
    monkeypatch.setitem(sys.modules, "adbc_driver_sqlite.dbapi", None)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ModuleNotFoundError, match=r"stored_df needs adbc.*'locus-nb\[adbc\]'"):
        history(path).stored_df()
    with pytest.raises(ModuleNotFoundError, match=r"History.to_parquet needs .*pyarrow.*locus-nb\[parquet\]"):
        history(path).to_parquet(tmp_path / "events.parquet")


def test_a_locked_file_says_so(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that somebody holds alone is refused after a while, with what to do."""
    stored(path, [event()])
    monkeypatch.setattr("locus_nb._store.sqlite_reader.BUSY_S", 0.01)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreError, match=r"locked; try again"):
        history(path)
    other.close()
    assert repr(history(path)) == f"<History {str(path)!r}>"
    assert sqlite_file.VERSION == 2
