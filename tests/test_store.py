from __future__ import annotations

import gc
import itertools
import logging
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
import warnings
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import locus_nb
from locus_nb import (
    EventBus,
    Store,
    StoreError,
    StreamEvent,
    configure,
    get_event_bus,
    history,
    reset_event_bus,
)
from locus_nb._files.files import save_run
from locus_nb._store import backlog as backlog_module
from locus_nb._store import growing_file, sqlite_file
from locus_nb._store import writer as writer_module
from locus_nb._store.jsonl import JsonlStorage
from locus_nb._store.sqlite import SqliteStorage
from tests.bus_kit import GRACE_S, event, in_threads, ns, put, python
from tests.store_kit import ns_of

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(locus_nb.__file__).parents[1]
KINDS = pytest.mark.parametrize("kind", ["sqlite", "jsonl"])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


@pytest.fixture(autouse=True)
def no_store_stays() -> Iterator[None]:
    yield
    configure(store=None)


# Writing


@KINDS
def test_what_is_flushed_is_in_the_file(path: Path, kind: Any) -> None:
    """After `flush` returned True all that was published before is read back, in its order."""
    bus = EventBus()
    with Store(path, bus=bus, kind=kind) as store:
        put(bus, range(1234))
        assert store.flush()
        assert ns_of(path, "run") == list(range(1234))
        assert store.stats() == (1234, 0, 0, 0, 0, None)


@KINDS
def test_it_begins_with_history(path: Path, kind: Any) -> None:
    """Attached in the midst of a run, while another thread publishes, a store has each event once."""
    bus = EventBus(history_per_run=5000)
    put(bus, range(300))
    publishing = threading.Thread(target=put, args=(bus, range(300, 3000)))
    publishing.start()
    with Store(path, bus=bus, kind=kind) as store:
        publishing.join()
        assert store.flush()
    assert ns_of(path, "run") == list(range(3000))


@KINDS
def test_attached_again_it_doubles_nothing(path: Path, kind: Any) -> None:
    """A store that is closed and opened again on the same bus adds only what came meanwhile."""
    bus = EventBus()
    for start in (0, 10, 20):
        put(bus, range(start, start + 10))
        Store(path, bus=bus, kind=kind).close()
    assert ns_of(path, "run") == list(range(30))
    assert history(path).records()[0].trimmed == 0


@KINDS
def test_records_travel(path: Path, kind: Any) -> None:
    """What is known of a run is stored: name, tags, cell, how it ended, and how many events it had."""
    bus = EventBus()
    with Store(path, bus=bus, kind=kind) as store:
        bus.open_stream_nowait("run", name="first", tags={"k": "v"}, cell_id="c1", execution_count=3)
        put(bus, range(3))
        assert store.flush()
        bus.publish_nowait(StreamEvent("run", "agent.terminate", {"reason": "error"}))
        bus.close_stream_nowait("run")
        assert store.flush()
    record = history(path).run_record("run")
    assert record == bus.run_record("run")
    assert record is not None
    assert (record.status, record.total, record.trimmed, record.closed) == ("error", 4, 0, True)


def test_flush_ends_while_others_publish(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`flush` waits for what was published before, not for those who go on publishing and opening runs."""
    bus = EventBus()
    write, numbers = SqliteStorage.write, itertools.count()

    def begetting(self: SqliteStorage, events: Any, changes: Any) -> Any:
        outcome = write(self, events, changes)
        if not store.closed:
            bus.open_stream_nowait(run := f"busy-{next(numbers)}")
            put(bus, range(5), run)
        return outcome

    with Store(path, bus=bus) as store:
        monkeypatch.setattr(SqliteStorage, "write", begetting)
        for n in range(5):
            put(bus, [n])
            assert store.flush(GRACE_S)
            assert ns_of(path, "run") == list(range(n + 1))
        monkeypatch.undo()


@KINDS
def test_secrets_stay_behind(path: Path, kind: Any) -> None:
    """No secret reaches the file, be it in a payload, a run's name or its tags."""
    bus = EventBus()
    with Store(path, bus=bus, kind=kind):
        bus.open_stream_nowait("run", name="api_key=hunter2", tags={"password": "hunter2"})
        bus.publish_nowait(StreamEvent("run", "x", {"api_key": "hunter2", "note": "pwd=hunter2"}))
    files = [path] if path.is_file() else list(path.iterdir())
    assert not any(b"hunter2" in file.read_bytes() for file in files)


def test_live_only_events_are_not_stored(path: Path) -> None:
    """Streaming chunks are delivered and not kept, and are no loss."""
    bus = EventBus()
    with Store(path, bus=bus) as store:
        for kind in ("agent.model.chunk", "agent.think"):
            bus.publish_nowait(event(event_type=kind))
        assert store.flush()
        assert store.stats().written == 1
    assert [each.event_type for each in history(path).events()] == ["agent.think"]
    assert history(path).records()[0].trimmed == 0


def test_the_end_of_a_run_is_written_at_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When a run is closed, its events are written without waiting for a batch to fill."""
    monkeypatch.setattr(backlog_module, "BATCH_S", 3600.0)
    written = threading.Event()
    write = SqliteStorage.write

    def telling(self: SqliteStorage, events: Any, changes: Any) -> Any:
        outcome = write(self, events, changes)
        if any(record is not None and record.closed for record, *_ in changes.values()):
            written.set()
        return outcome

    monkeypatch.setattr(SqliteStorage, "write", telling)
    bus = EventBus()
    with Store(path, bus=bus):
        put(bus, range(3))
        bus.close_stream_nowait("run")
        assert written.wait(GRACE_S)
        assert ns_of(path, "run") == [0, 1, 2]


def test_it_is_seen_among_the_readers(path: Path) -> None:
    """A store shows among the bus's readers under the name of its file, and leaves when it is closed."""
    bus = EventBus()
    store = Store(path, bus=bus)
    assert [reader.label for reader in bus.readers()] == ["store runs.db"]
    store.close()
    store.close()
    assert bus.readers() == ()
    assert store.closed
    assert repr(store) == f"<Store {str(path)!r}, closed>"


def test_the_end_of_the_bus_ends_the_store(path: Path) -> None:
    """When the readers of a bus are ended, its store writes what there is and closes."""
    bus = EventBus(store=path)
    put(bus, range(5))
    bus.close_all_nowait()
    assert bus.store is not None
    bus.store.close()
    assert ns_of(path, "run") == list(range(5))


def test_a_forgotten_store_warns(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that is forgotten together with its bus writes all, gives a ResourceWarning, and its thread ends."""
    monkeypatch.setattr(writer_module, "_IDLE_S", 0.0)
    bus = EventBus(store=path)
    assert bus.store is not None
    assert bus.store.flush()
    put(bus, range(5))
    writer = bus.store._own_writer()
    thread = writer._thread
    del bus, writer

    def forget() -> None:
        while thread.is_alive():
            gc.collect()
            thread.join(0.01)

    with pytest.warns(ResourceWarning, match="was not closed"):
        forget()
    assert ns_of(path, "run") == list(range(5))


def test_a_full_bus_refuses_a_store(path: Path) -> None:
    """On a bus with as many global readers as it may have, a store is refused and says what to do."""
    bus = EventBus(max_global_subscribers=0)
    with pytest.raises(StoreError, match="max_global_subscribers"):
        Store(path, bus=bus)


def test_a_bus_has_one_store(path: Path) -> None:
    """A second store of a bus is refused: each event would be kept twice."""
    bus = EventBus(store=path)
    with pytest.raises(StoreError, match="close that store first"):
        Store(path, bus=bus)
    assert bus.store is not None
    bus.store.close()


@pytest.mark.parametrize(
    "options, error",
    [
        ({"keep_runs": "3"}, TypeError),
        ({"keep_days": -1}, ValueError),
        ({"keep_mb": True}, TypeError),
        ({"kind": "csv"}, ValueError),
    ],
)
def test_bad_options_are_refused(path: Path, options: Any, error: type[Exception]) -> None:
    """A limit that is no number, or negative, or an unknown kind is refused before anything is made."""
    with pytest.raises(error):
        Store(path, bus=EventBus(), **options)
    assert not path.exists()


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    """A store in a folder that does not exist is refused by the folder's name."""
    with pytest.raises(FileNotFoundError, match="nowhere"):
        Store(tmp_path / "nowhere" / "runs.db", bus=EventBus())


# What one event cannot do


def test_one_bad_event_costs_only_itself(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An event that cannot be stored at all is lost, counted and told, and all others are stored."""
    write = SqliteStorage.write

    def picky(self: SqliteStorage, events: Any, changes: Any) -> Any:
        if any('"n":7}' in data for data in events.data):
            raise ValueError("string or blob too big")
        return write(self, events, changes)

    monkeypatch.setattr(SqliteStorage, "write", picky)
    bus = EventBus()
    put(bus, range(20))
    store = Store(path, bus=bus)
    with pytest.warns(RuntimeWarning, match="too big.*lost"):
        assert not store.flush()
    # It has been said.
    assert store.flush()
    store.close()
    assert ns_of(path, "run") == [n for n in range(20) if n != 7]
    assert (store.stats().written, store.stats().lost) == (19, 1)


# What is lacking


def _failing(*_: Any) -> None:
    raise OSError(28, "No space left on device")


def _counts(path: Path, run_id: str = "run") -> tuple[int, int, int]:
    """Of a run: how many events it had, how many are missing, and how many of these were dropped."""
    record = history(path).run_record(run_id)
    assert record is not None
    return record.total, record.trimmed, record.dropped


@KINDS
def test_drops_show_in_a_run_that_stays_open(path: Path, kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Events that were dropped are missing in their run's record though the run is never closed, and in no other's."""
    monkeypatch.setattr(backlog_module, "MOST_PENDING", 100)
    monkeypatch.setattr(writer_module, "_QUEUE", 50)
    bus = EventBus(slow_timeout=0.0, overflow_queues=0)
    with Store(path, bus=bus, kind=kind) as store:
        put(bus, range(3), "other")
        assert store.flush()
        storage: Any = type(store._own_writer()._storage)
        with monkeypatch.context() as failing, warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            failing.setattr(storage, "write", _failing)
            put(bus, range(1000))
            store.flush()
        assert store.flush()
        dropped = store.stats().dropped
        assert dropped >= 850
        assert _counts(path) == (1000, dropped, dropped)
        # Those that come later are counted too, and do not hide it.
        put(bus, range(1000, 1007))
        put(bus, range(3, 5), "other")
        assert store.flush()
        assert _counts(path) == (1007, dropped, dropped)
        assert _counts(path, "other") == (5, 0, 0)
        bus.close_stream_nowait("run")
    assert _counts(path) == (1007, dropped, dropped)
    assert history(path).runs_df("run")["complete"].tolist() == [False]


@KINDS
def test_a_lost_event_is_missing_in_its_run(path: Path, kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An event that could not be stored at all counts as dropped in the record of its run."""
    bus = EventBus()
    with Store(path, bus=bus, kind=kind) as store:
        put(bus, range(3))
        assert store.flush()
        storage: Any = type(store._own_writer()._storage)
        with monkeypatch.context() as failing:
            failing.setattr(storage, "write", raising(ValueError("too big")))
            put(bus, range(3, 5))
            with pytest.warns(RuntimeWarning, match="too big"):
                store.flush()
        assert store.flush()
        assert _counts(path) == (5, 2, 2)


@KINDS
def test_an_ended_run_is_never_called_complete_before_its_events(
    path: Path, kind: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whenever a process is killed, a run whose end is in its store has all its events there, or lacks some."""
    bus, numbers, seen = EventBus(), itertools.count(), []

    def end_a_run() -> None:
        put(bus, range(700), run := f"run-{next(numbers)}")
        bus.close_stream_nowait(run, status="ok")

    def look() -> None:
        for record in history(path).records():
            held = record.total - record.trimmed
            seen.append((record.closed, held))
            assert held == 700 or record.trimmed or not record.closed

    def looking(real: Any) -> Any:
        def write(*args: Any, **options: Any) -> Any:
            if next(writes) % 2 and next(numbers) < 20:
                end_a_run()
            outcome = real(*args, **options)
            look()
            return outcome

        return write

    writes = itertools.count()
    with Store(path, bus=bus, kind=kind) as store:
        assert store.flush()
        owner: Any = SqliteStorage if kind == "sqlite" else growing_file.GrowingFile
        name = "write" if kind == "sqlite" else "add"
        monkeypatch.setattr(owner, name, looking(getattr(owner, name)))
        for _ in range(3):
            end_a_run()
        assert store.flush(GRACE_S)
        monkeypatch.undo()
    assert (True, 700) in seen
    assert {(record.status, record.total, record.trimmed) for record in history(path).records()} == {
        ("ok", 700, 0)
    }


@KINDS
@pytest.mark.parametrize("how", ["pruned", "deleted"])
def test_what_others_took_away_is_missing(path: Path, kind: Any, how: str) -> None:
    """A run that somebody deleted from the store, and that goes on, lacks what was there, and keeps its name."""
    bus = EventBus()
    with Store(path, bus=bus, kind=kind) as store:
        bus.open_stream_nowait("run", name="first", tags={"k": "v"})
        put(bus, range(10))
        bus.close_stream_nowait("run", status="ok")
        assert store.flush()
        if how == "pruned":
            other = EventBus()
            with Store(path, bus=other, kind=kind, keep_runs=1):
                put(other, range(2), "other")
                other.close_stream_nowait("other")
            assert history(path).run_ids() == ("other",)
        elif kind == "jsonl":
            (path / "run.jsonl").unlink()
        else:
            for name in ("runs.db", "runs.db-wal", "runs.db-shm"):
                path.with_name(name).unlink(missing_ok=True)
        put(bus, range(10, 15))
        assert store.flush()
        put(bus, range(15, 17))
        assert store.flush()
        record = history(path).run_record("run")
        assert record is not None
        assert (record.total, record.trimmed, record.dropped) == (17, 10, 0)
        assert (record.name, record.tags, record.status) == ("first", {"k": "v"}, "ok")
    assert ns_of(path, "run") == list(range(10, 17))


def test_a_run_saved_over_its_own_file_goes_on(path: Path) -> None:
    """When a run's file in a store is replaced, what comes later goes into the new one, and what that lacks is told."""
    bus = EventBus()
    with Store(path, bus=bus, kind="jsonl") as store:
        put(bus, range(5))
        assert store.flush()
        save_run(bus, "run", path / "run.jsonl")
        put(bus, range(5, 10))
        assert store.flush()
        assert ns_of(path, "run") == list(range(10))
        assert _counts(path) == (10, 0, 0)
        part = (path / "run.jsonl").read_bytes().splitlines(keepends=True)[:4]
        (path / "run.jsonl").write_bytes(b"".join(part))
        put(bus, range(10, 12))
        assert store.flush()
    assert ns_of(path, "run") == [0, 1, 2, 10, 11]
    assert _counts(path) == (12, 7, 0)
    assert history(path).runs_df()["complete"].tolist() == [False]


def files_that_refuse(monkeypatch: pytest.MonkeyPatch, *names: str) -> set[str]:
    """Have files of a JSONL store refuse what is written, as long as their names are in what this gives."""
    add = growing_file.GrowingFile.add
    bad = set(names)

    def picky(self: growing_file.GrowingFile, text: str, **options: Any) -> None:
        if self._path.name in bad:
            raise PermissionError(13, "Permission denied")
        add(self, text, **options)

    monkeypatch.setattr(growing_file.GrowingFile, "add", picky)
    return bad


def test_one_run_that_cannot_be_written_holds_back_no_other(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the file of one run fails, others are written, and its own events wait until it can be written again."""
    bad = files_that_refuse(monkeypatch, "bad.jsonl")
    monkeypatch.setattr(backlog_module, "BATCH_EVENTS", 7)
    bus = EventBus()
    with Store(path, bus=bus, kind="jsonl") as store:
        for start in range(0, 30, 10):
            for n in range(start, start + 10):
                put(bus, [n], "bad")
                put(bus, [n], f"good-{n % 3}")
            bus.open_stream_nowait("bad", name="late")
            if start:
                assert not store.flush()
            else:
                with pytest.warns(RuntimeWarning, match=r"Permission denied.*kept in memory"):
                    assert not store.flush()
            assert sorted(history(path).run_ids()) == ["good-0", "good-1", "good-2"]
            for good in range(3):
                assert ns_of(path, f"good-{good}") == list(range(good, start + 10, 3))
            assert store.stats()[:4] == (start + 10, start + 10, 0, 0)
        bus.close_stream_nowait("bad")
        bad.clear()
        assert store.flush()
    assert ns_of(path, "bad") == list(range(30))
    record = history(path).run_record("bad")
    assert record is not None
    assert (record.name, record.status, record.total, record.trimmed) == ("late", "ok", 30, 0)


def test_events_of_a_run_that_stays_stuck_are_bounded(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a run whose file cannot be written a bounded number of events waits; more are lost, counted and missing."""
    monkeypatch.setattr(backlog_module, "MOST_PENDING", 50)
    path.mkdir()
    (path / "bad.jsonl").write_text("", "utf-8")
    bad = files_that_refuse(monkeypatch, "bad.jsonl")
    bus = EventBus()
    with Store(path, bus=bus, kind="jsonl") as store, warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for n in range(20):
            put(bus, range(10 * n, 10 * n + 10), "bad")
            put(bus, [n], "good")
            store.flush()
        stats = store.stats()
        assert (stats.written, stats.pending, stats.lost) == (20, 50, 150)
        bad.clear()
        store.flush()
    assert sum("too many wait" in str(each.message) for each in told) == 1
    assert ns_of(path, "good") == list(range(20))
    assert ns_of(path, "bad") == list(range(50))
    assert _counts(path, "bad") == (200, 150, 150)


def test_many_runs_at_once_take_few_files(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many runs are written at once, no more than some of their files are open."""
    opened = growing_file.GrowingFile.of
    most = []

    def counting(*args: Any) -> growing_file.GrowingFile:
        most.append(len(storage._files))
        return opened(*args)

    monkeypatch.setattr(growing_file.GrowingFile, "of", counting)
    bus = EventBus()
    with Store(path, bus=bus, kind="jsonl") as store:
        storage: Any = store._own_writer()._storage
        for n in range(3):
            for run in range(150):
                put(bus, [n], f"run-{run}")
            assert store.flush()
    assert max(most) <= 64
    assert all(ns_of(path, f"run-{run}") == [0, 1, 2] for run in range(150))


def raising(error: Exception) -> Any:
    def fail(*_: Any) -> None:
        raise error

    return fail


@KINDS
def test_what_was_gone_before_is_missing_and_not_dropped(path: Path, kind: Any) -> None:
    """Events that memory had trimmed before a store began, or began again, are missing, and were not dropped."""
    bus = EventBus(history_per_run=5)
    put(bus, range(12))
    with Store(path, bus=bus, kind=kind) as store:
        assert store.flush()
        assert _counts(path) == (12, 7, 0)
        put(bus, range(12, 14))
    put(bus, range(14, 100))
    with Store(path, bus=bus, kind=kind) as store:
        put(bus, range(100, 103))
    assert ns_of(path, "run") == [*range(7, 14), *range(95, 103)]
    assert _counts(path) == (103, 7 + 81, 0)


@KINDS
def test_several_processes_counts_add_up(path: Path, kind: Any) -> None:
    """Stores of several buses that write one run, at a time or one after the other, hide nothing of one another."""
    for round_ in range(2):
        buses = [EventBus(history_per_run=3), EventBus()]
        put(buses[0], range(10))
        put(buses[1], range(100, 140))
        stores = [Store(path, bus=bus, kind=kind) for bus in buses]
        assert all(store.flush() for store in stores)
        for store in stores:
            store.close()
        assert _counts(path) == (50 * (round_ + 1), 7 * (round_ + 1), 0)


def test_a_run_is_not_forgotten_while_the_bus_knows_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that is closed again after many others lacks nothing, and one that the bus forgot begins anew."""
    monkeypatch.setattr("locus_nb._store.account._FEW", 10)
    bus = EventBus(max_runs_retained=30)
    with Store(path, bus=bus) as store:
        store._own_writer()._backlog._account._many = 10
        for count in (10, 20):
            put(bus, range(10), "long")
            bus.close_stream_nowait("long")
            for number in range(28):
                put(bus, [1], f"{count}-{number}")
                bus.close_stream_nowait(f"{count}-{number}")
                assert store.flush()
            assert _counts(path, "long") == (count, 0, 0)
        assert len(store._own_writer()._backlog._account._runs) < 60
        bus.drop_history_nowait("long")
        put(bus, range(15), "long")
        bus.close_stream_nowait("long")
    assert _counts(path, "long") == (35, 0, 0)


# A place that fails


def test_a_full_disk_is_told_once_and_outlived(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A full disk is logged and warned of once, counted, and does not reach who publishes; with room all goes on."""
    monkeypatch.setattr(writer_module, "RETRY_S", 0.0)
    real = sqlite_file._opened
    pages = ["PRAGMA max_page_count = 1"]

    def small(where: Path) -> sqlite3.Connection:
        connection = real(where)
        for statement in pages:
            connection.execute(statement).fetchall()
        return connection

    monkeypatch.setattr(sqlite_file, "_opened", small)
    bus = EventBus()
    store = Store(path, bus=bus)
    with caplog.at_level(logging.WARNING):
        for n in range(3):
            bus.publish_nowait(StreamEvent("run", "x", {"n": n, "text": "x" * 50_000}))
            with warnings.catch_warnings(record=n > 0) as caught:
                if n:
                    assert not store.flush()
                else:
                    with pytest.warns(RuntimeWarning, match="disk is full"):
                        assert not store.flush()
            assert not caught
    assert len(caplog.records) == 1
    stats = store.stats()
    assert (stats.written, stats.pending, stats.dropped, stats.lost) == (0, 3, 0, 0)
    assert stats.failed >= 3
    assert stats.last_error is not None
    pages.clear()
    assert store.flush()
    store.close()
    assert ns_of(path, "run") == [0, 1, 2]


def test_what_cannot_be_written_until_the_end_is_lost_and_counted(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that is closed while its place fails counts what it had as lost."""

    def fail(self: SqliteStorage, events: Any, changes: Any) -> None:
        raise OSError(28, "No space left on device")

    bus = EventBus()
    store = Store(path, bus=bus)
    monkeypatch.setattr(SqliteStorage, "write", fail)
    put(bus, range(9))
    with pytest.warns(RuntimeWarning, match="No space left|9 events are lost"):
        store.close()
    assert store.stats()[:4] == (0, 0, 0, 9)


def test_memory_is_bounded_while_it_fails(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While nothing can be written, no more than a bound is kept; the rest is dropped and counted."""

    def fail(self: SqliteStorage, events: Any, changes: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(SqliteStorage, "write", fail)
    monkeypatch.setattr(backlog_module, "MOST_PENDING", 100)
    monkeypatch.setattr(writer_module, "_QUEUE", 50)
    bus = EventBus(slow_timeout=0.0, overflow_queues=0)
    store = Store(path, bus=bus)
    put(bus, range(100))
    with pytest.warns(RuntimeWarning, match="No space left"):
        store.flush()
    put(bus, range(1000))
    stats = store.stats()
    assert stats.pending + stats.dropped == 1100
    assert stats.pending <= 100 + 50
    with pytest.warns(RuntimeWarning, match="events are lost"):
        store.close()
    stats = store.stats()
    assert (stats.written, stats.pending) == (0, 0)
    assert stats.lost + stats.dropped == 1100


def test_a_read_only_file_is_told_and_counted(path: Path) -> None:
    """A file that may only be read leaves the agent alone: it is told at once, and counted."""
    Store(path, bus=EventBus()).close()
    bus = EventBus()
    with unwritable(path):
        with pytest.warns(RuntimeWarning, match="could not be stored"):
            store = Store(path, bus=bus)
        put(bus, range(3))
        assert not store.flush()
        assert store.stats().pending == 3
    assert store.flush()
    store.close()
    assert ns_of(path, "run") == [0, 1, 2]


class unwritable:  # noqa: N801 - reads as what it does
    """A file that cannot be written, also by root, whom no permission stops: its WAL is a folder."""

    def __init__(self, path: Path) -> None:
        self._wal = path.with_name(f"{path.name}-wal")

    def __enter__(self) -> None:
        self._wal.mkdir()

    def __exit__(self, *_: object) -> None:
        self._wal.rmdir()


@pytest.mark.parametrize("how", ["close", "close_all_nowait", "del"])
def test_a_lock_is_waited_for_at_the_end(path: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    """A store that ends while somebody else holds its file goes on trying, and loses nothing."""
    monkeypatch.setattr(sqlite_file, "BUSY_S", 0.01)
    bus = EventBus(store=path)
    store = bus.store
    assert store is not None
    assert store.flush()
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    put(bus, range(3))
    writer, tried = store._own_writer(), threading.Event()
    note = writer.failures.note

    def noting(error: BaseException, *then: str) -> None:
        note(error, *then)
        if writer.failures.count > 2:
            tried.set()

    monkeypatch.setattr(writer.failures, "note", noting)

    def free() -> None:
        assert tried.wait(GRACE_S)
        other.execute("ROLLBACK")
        other.close()

    freeing = threading.Thread(target=free)
    freeing.start()
    if how == "close":
        with pytest.warns(RuntimeWarning, match="locked"):
            store.close(GRACE_S)
    elif how == "close_all_nowait":
        bus.close_all_nowait()
        writer._thread.join(GRACE_S)
        with pytest.warns(RuntimeWarning, match="locked"):
            store.stats()
    else:
        with pytest.warns(ResourceWarning, match="not closed"):
            bus.store = store = None
        writer._thread.join(GRACE_S)
    freeing.join()
    assert writer.stats().lost == 0
    assert ns_of(path, "run") == [0, 1, 2]


def test_at_the_end_a_lock_is_not_waited_for_for_ever(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that is closed while its file stays locked gives up in time, and says how many events are lost."""
    monkeypatch.setattr(sqlite_file, "BUSY_S", 0.01)
    bus = EventBus(store=path)
    store = bus.store
    assert store is not None
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    put(bus, range(3))
    store._own_writer().close(0)
    store._own_writer()._thread.join(GRACE_S)
    with pytest.warns(RuntimeWarning, match="3 events are lost|locked"):
        assert store.stats().lost == 3
    other.close()


def test_a_loss_at_the_end_of_the_process_is_printed(path: Path) -> None:
    """Whoever only configured a store, and never asked it, reads at the end of the process what was lost."""
    Store(path, bus=EventBus()).close()
    script = (
        f"from locus_nb import *\nfrom locus_nb._store import sqlite_file\nsqlite_file.BUSY_S = 0.01\n"
        f"from locus_nb._store import lifetime\nlifetime._AT_EXIT_S = 0.1\n"
        f"configure(store={str(path)!r})\n"
        "for n in range(7): get_event_bus().publish_nowait(StreamEvent('run', 'x', {'n': n}))"
    )
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    other.close()
    assert "database is locked" in done.stderr
    assert "7 events are lost" in done.stderr


def test_a_damaged_file_is_not_taken_for_bad_events(path: Path) -> None:
    """When the file is damaged under a store, nothing is given up: it is told, and flush says that it failed."""
    bus = EventBus()
    store = Store(path, bus=bus)
    bus.publish_nowait(StreamEvent("run", "x", {"text": "x" * 1_000_000}))
    assert store.flush()
    with sqlite3.connect(path) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    other.close()
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(16_384)
        file.write(b"\xff" * (size - 16_384))
    put(bus, range(9))
    with pytest.warns(RuntimeWarning, match=r"StoreError.*malformed.*kept in memory"):
        assert not store.flush()
    assert (store.stats().lost, store.stats().pending) == (0, 9)
    for name in ("runs.db", "runs.db-wal", "runs.db-shm"):
        path.with_name(name).unlink(missing_ok=True)
    assert store.flush()
    store.close()
    assert ns_of(path, "run") == list(range(9))


def test_a_damaged_file_that_is_to_shrink_is_told_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When old runs cannot be deleted from a damaged file, that is told, once, and every event is still counted."""
    bus = EventBus()
    with Store(path, bus=bus):
        for run in range(30):
            for n in range(100):
                bus.publish_nowait(StreamEvent(f"run-{run}", "x", {"n": n, "text": "x" * 200}))
            bus.close_stream_nowait(f"run-{run}")
    content = bytearray(path.read_bytes())
    for page in range(16_384 * 3, len(content), 16_384):
        content[page : page + 200] = b"\xff" * 200
    path.write_bytes(content)
    bus = EventBus()
    monkeypatch.setattr(writer_module, "_PRUNE_EVERY_S", 0.0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        store = Store(path, bus=bus, keep_runs=2)
        for n in range(5):
            put(bus, [n])
            store.flush()
            assert not store.closed
            assert sum(store.stats()[:4]) == n + 1
        store.close()
        assert sum(store.stats()[:4]) == 5
    said = [str(each.message) for each in caught]
    assert sum("Cannot shrink the store" in each for each in said) == 1
    assert len(said) == len(set(said))
    with pytest.raises(StoreError, match=r"runs\.db"):
        history(path).stored_df()


def test_flush_of_a_closed_store_promises_nothing(path: Path) -> None:
    """After the end `flush` is True for what was published before, and False once anything came after it."""
    bus = EventBus()
    store = Store(path, bus=bus)
    put(bus, range(3))
    store.close()
    assert store.flush()
    put(bus, [3])
    assert not store.flush()


def test_a_store_that_its_bus_ended_says_what_it_misses(path: Path) -> None:
    """When the bus's global readers are ended, and events are published all the same, the store warns once."""
    bus = EventBus(store=path)
    store = bus.store
    assert store is not None
    put(bus, range(3))
    bus.close_global_nowait()
    store._own_writer()._thread.join(GRACE_S)
    assert store.flush()
    put(bus, [3])
    with pytest.warns(RuntimeWarning, match=r"readers of its bus were ended.*configure\(\)"):
        assert not store.flush()
    assert not store.flush()
    assert ns_of(path, "run") == [0, 1, 2]


def test_an_error_of_its_own_ends_the_waiting(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the writer's thread dies of an error of its own, whoever waits in `flush` goes on at once."""
    bus = EventBus()
    store = Store(path, bus=bus)
    assert store.flush()
    monkeypatch.setattr(backlog_module.Backlog, "take", raising(RuntimeError("a mistake")))
    with pytest.warns(RuntimeWarning, match=r"a mistake.*nothing is stored any more"):
        assert not store.flush(threading.TIMEOUT_MAX)
    assert store.closed


def test_a_refused_store_costs_nothing(path: Path, tmp_path: Path) -> None:
    """Configured with a path that is refused, the store that there is goes on."""
    store = configure(store=path)
    foreign = tmp_path / "foreign.db"
    foreign.write_text("no database\n" * 1000, "utf-8")
    for bad, error in ((foreign, StoreError), (tmp_path / "nowhere" / "x.db", FileNotFoundError)):
        with pytest.raises(error):
            configure(store=bad)
    assert store is not None
    assert get_event_bus().store is store
    put(get_event_bus(), [1])
    assert store.flush()
    assert ns_of(path, "run") == [1]


def test_a_locked_file_is_waited_for(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While somebody else holds the file nothing is lost, and it is written when it is free."""
    monkeypatch.setattr(sqlite_file, "BUSY_S", 0.01)
    bus = EventBus()
    store = Store(path, bus=bus)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    put(bus, range(3))
    with pytest.warns(RuntimeWarning, match="locked"):
        assert not store.flush()
    other.execute("ROLLBACK")
    other.close()
    assert store.flush()
    store.close()
    assert ns_of(path, "run") == [0, 1, 2]


def test_a_file_that_was_taken_away_is_begun_again(path: Path) -> None:
    """When the file is deleted under a store, what comes next goes into a new one."""
    bus = EventBus()
    with Store(path, bus=bus) as store:
        put(bus, range(3))
        assert store.flush()
        for name in ("runs.db", "runs.db-wal", "runs.db-shm"):
            path.with_name(name).unlink(missing_ok=True)
        put(bus, range(3, 6))
        assert store.flush()
        assert ns_of(path, "run") == [3, 4, 5]


# Copies


@KINDS
@pytest.mark.parametrize("how", ["flushed", "quiet"])
def test_a_copy_of_a_quiet_store_is_whole(
    path: Path, tmp_path: Path, kind: Any, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy of the file that was made after a flush, or when nothing happened for a while, has all events."""
    settled = threading.Event()
    storage: Any = SqliteStorage if kind == "sqlite" else JsonlStorage
    settle = storage.settle

    def telling(self: Any) -> None:
        settle(self)
        # Nothing is written any more.
        if [record.total for record in history(path).records() if record.closed] == [200] * 5:
            settled.set()

    monkeypatch.setattr(storage, "settle", telling)
    monkeypatch.setattr(writer_module, "_QUIET_S", 0.0)
    bus = EventBus()
    with Store(path, bus=bus, kind=kind) as store:
        for run in range(5):
            put(bus, range(200), f"run-{run}")
            bus.close_stream_nowait(f"run-{run}")
        assert store.flush() if how == "flushed" else settled.wait(GRACE_S)
        copy = tmp_path / "copy.db"
        (shutil.copy if kind == "sqlite" else shutil.copytree)(path, copy)
        assert [len(history(copy).history(f"run-{run}")) for run in range(5)] == [200] * 5


def test_sqlite_copies_a_store_in_use(path: Path, tmp_path: Path) -> None:
    """What SQLite copies of a file that is written has all that was committed, also what only the log has."""
    bus = EventBus()
    with Store(path, bus=bus) as store, closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM runs").fetchall()
        put(bus, range(700))
        assert store.flush()
        other.execute("ROLLBACK")
        other.execute("VACUUM INTO ?", (str(tmp_path / "copy.db"),))
        assert ns_of(tmp_path / "copy.db", "run") == list(range(700))
        with closing(sqlite3.connect(tmp_path / "backup.db")) as backup:
            other.backup(backup)
        assert ns_of(tmp_path / "backup.db", "run") == list(range(700))


@pytest.mark.parametrize("then", ["publish", "close"])
def test_a_file_that_was_moved_is_whole(path: Path, tmp_path: Path, then: str) -> None:
    """When the file is moved away under a store, all that was in it goes along, and what comes next is begun anew."""
    bus = EventBus()
    old = tmp_path / "old.db"
    with Store(path, bus=bus) as store:
        put(bus, range(700))
        assert store.flush()
        with closing(sqlite3.connect(path, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM runs").fetchall()
            put(bus, range(700, 1000))
            # Somebody who reads keeps these in the log.
            assert store.flush()
            reader.execute("ROLLBACK")
        path.rename(old)
        if then == "publish":
            put(bus, range(1000, 1010), "new")
            put(bus, range(1000, 1010))
            assert store.flush()
            assert ns_of(old, "run") == list(range(1000))
            assert ns_of(path, "new") == ns_of(path, "run") == list(range(1000, 1010))
            assert _counts(path) == (1010, 1000, 0)
    assert ns_of(old, "run") == list(range(1000))
    with closing(sqlite3.connect(old)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


# Other processes


WRITE_UNTIL_KILLED = """
import sys
from locus_nb import EventBus, StreamEvent, Store
bus = EventBus()
store = Store(sys.argv[1], bus=bus, kind=sys.argv[2])
n = 0
while True:
    for _ in range(50):
        bus.publish_nowait(StreamEvent("run", "x", {"n": n, "text": "y" * 200}))
        n += 1
    assert store.flush()
    print(n, flush=True)
"""


@pytest.mark.parametrize("kind, tries", [("sqlite", 50), ("jsonl", 10)])
def test_kill_loses_nothing_acknowledged(tmp_path: Path, kind: str, tries: int) -> None:
    """A process that is killed in the midst of writing loses nothing that `flush` acknowledged, and no order."""
    rng = random.Random(5)
    for start in range(0, tries, 5):
        several = [
            (tmp_path / f"{number}.db", rng.randint(1, 12)) for number in range(start, min(tries, start + 5))
        ]
        in_threads(*[lambda one=one: _killed(kind, *one) for one in several])


def _killed(kind: str, path: Path, lines: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WRITE_UNTIL_KILLED, str(path), kind],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as process:
        assert process.stdout is not None
        acknowledged = [int(process.stdout.readline()) for _ in range(lines)][-1]
        process.kill()
        acknowledged = max([acknowledged, *map(int, process.stdout.read().splitlines())])
    found = ns_of(path, "run")
    assert found == list(range(len(found)))
    assert len(found) >= acknowledged


WRITE_SOME = """
import sys
from locus_nb import EventBus, StreamEvent, Store
bus = EventBus()
with Store(sys.argv[1], bus=bus, kind=sys.argv[2]) as store:
    for n in range(2000):
        bus.publish_nowait(StreamEvent("shared", "x", {"n": n, "who": sys.argv[3]}))
        bus.publish_nowait(StreamEvent(sys.argv[3], "x", {"n": n}))
        if n % 100 == 0:
            while not store.flush():
                pass
while store.stats().pending:
    pass
assert store.stats().written == 4000, store.stats()
"""


@KINDS
def test_two_processes_write_one_file(path: Path, kind: str) -> None:
    """Two processes that write one file, also into the same run, lose nothing and keep their orders."""

    def write(who: str) -> None:
        command = [sys.executable, "-W", "ignore", "-c", WRITE_SOME, str(path), kind, who]
        done = subprocess.run(
            command, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")

    in_threads(lambda: write("a"), lambda: write("b"))
    found = history(path)
    assert set(found.run_ids()) == {"shared", "a", "b"}
    shared = found.history("shared")
    for who in "ab":
        assert ns(found.history(who)) == list(range(2000))
        assert [each.data["n"] for each in shared if each.data["who"] == who] == list(range(2000))
    if kind == "sqlite":
        record = found.run_record("shared")
        assert record is not None
        assert (record.total, record.trimmed) == (4000, 0)
        with sqlite3.connect(path) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        connection.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@KINDS
def test_a_fork_leaves_the_file_alone(path: Path, kind: str) -> None:
    """A forked child stores nothing until it asks for it; both then write the file, and no event twice."""
    script = f"""
import os, warnings
warnings.simplefilter("ignore", DeprecationWarning)
from locus_nb import configure, get_event_bus, StreamEvent
def put(numbers, who):
    for n in numbers:
        get_event_bus().publish_nowait(StreamEvent(who, "x", {{"n": n}}))
store = configure(store={str(path)!r}, kind={kind!r})
put(range(100), "parent")
pid = os.fork()
if pid == 0:
    assert store.closed and get_event_bus().store is None
    put(range(5), "unheard")
    with configure(store={str(path)!r}, kind={kind!r}) as own:
        put(range(100), "child")
        while not own.flush():
            pass
    os._exit(0)
put(range(100, 200), "parent")
while not store.flush():
    pass
assert os.waitpid(pid, 0)[1] == 0
store.close()
print("done")
"""
    assert python(script).strip() == "done"
    assert ns_of(path, "parent") == list(range(200))
    assert ns_of(path, "child") == list(range(100))
    # What came after the fork is the child's own, and was in its history when it asked.
    assert ns_of(path, "unheard") == list(range(5))


@KINDS
def test_the_end_of_the_process_writes_all(path: Path, kind: str) -> None:
    """A process that ends without closing its store has written all, silently."""
    python(
        f"from locus_nb import *\nconfigure(store={str(path)!r}, kind={kind!r})\n"
        "for n in range(700): get_event_bus().publish_nowait(StreamEvent('run', 'x', {'n': n}))",
        "-X",
        "dev",
        "-W",
        "error",
    )
    assert ns_of(path, "run") == list(range(700))


# configure


def test_configure_is_idempotent(path: Path, tmp_path: Path) -> None:
    """Configured again with the same nothing changes; with another path the first is closed; with None it ends."""
    first = configure(store=path)
    assert first is not None
    assert configure(store=str(path)) is first
    second = configure(store=tmp_path / "other.db", keep_runs=5)
    assert second is not None
    assert (first.closed, second.closed) == (True, False)
    assert get_event_bus().store is second
    assert configure(store=False) is None
    assert second.closed
    assert get_event_bus().store is None


@KINDS
def test_after_a_reset_the_same_file_has_all(path: Path, kind: Any) -> None:
    """Configured again right after `reset_event_bus`, the file has what the old bus's store had still to write."""
    for n in range(5):
        configure(store=path, kind=kind)
        put(get_event_bus(), range(300), f"run-{n}")
        reset_event_bus()
        configure(store=path, kind=kind)
        assert len(history(path).history(f"run-{n}")) == 300


def test_reset_ends_the_store(path: Path) -> None:
    """After `reset_event_bus` the old bus's events are in the file, and the new bus has no store."""
    store = configure(store=path)
    assert store is not None
    put(get_event_bus(), range(3))
    reset_event_bus()
    store.close()
    assert ns_of(path, "run") == [0, 1, 2]
    assert get_event_bus().store is None
