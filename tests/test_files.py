"""What saving a run to a file and loading it again promise."""

from __future__ import annotations

import gzip
import json
import os
import pickle
import stat
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from locus_nb import (
    EventBus,
    LocusError,
    RunRecord,
    Store,
    StoreError,
    StreamEvent,
    UnreadableRunError,
    events_df,
    history,
    load,
)
from locus_nb._files.files import save_run
from locus_nb._files.whole_file import whole_file
from locus_nb._payloads.redact import redact
from locus_nb._store.run_lines import event_line, head_line
from tests.test_frames import ANYTHING as FIELD_VALUES
from tests.test_frames import EVENT_TYPES, FIELDS
from tests.test_wire import ANYTHING, KEYS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from locus_nb._source import Source

SECRET = "sk-" + "Ab3" * 8
START = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
PAYLOADS = st.dictionaries(KEYS, ANYTHING, max_size=4) | st.dictionaries(
    FIELDS | st.text(), FIELD_VALUES, max_size=6
)
TEXTS = st.text(st.characters(), min_size=1, max_size=8)
TIMES = st.datetimes(timezones=st.just(UTC))


def filled(*run_ids: str, events: int = 3, closed: bool = True) -> EventBus:
    """Make a bus with runs, their events interleaved."""
    bus = EventBus(history_per_run=10_000)
    for run_id in run_ids:
        bus.open_stream_nowait(
            run_id, name=f"name of {run_id}", tags={"k": "v"}, cell_id="c1", execution_count=3
        )
    for n in range(events):
        for run_id in run_ids:
            data = {"n": n, "text": "é\u2028\x85\n", "iteration": n + 1}
            bus.publish_nowait(StreamEvent(run_id, "agent.think", data))
    for run_id in run_ids if closed else ():
        bus.close_stream_nowait(run_id)
    return bus


def saved(path: Path, *, events: int = 3, **changes: Any) -> Path:
    """Save a run "a" of a bus of its own."""
    save_run(filled("a", events=events, **changes), "a", path)
    return path


def frame_of(source: Source, run_id: str) -> pd.DataFrame:
    """Give the frame of a run, without what loading numbers anew."""
    return events_df(list(source.history(run_id))).drop(columns="seq")


def check_equal(loaded: Source, original: Source, run_id: str) -> None:
    """Hold that a loaded run is the one that was saved."""
    assert loaded.run_record(run_id) == original.run_record(run_id)
    assert [each.to_dict() for each in loaded.history(run_id)] == [
        each.to_dict() for each in original.history(run_id)
    ]
    pd.testing.assert_frame_equal(frame_of(loaded, run_id), frame_of(original, run_id))


def test_a_loaded_run_equals_the_saved_one(tmp_path: Path) -> None:
    """What is loaded has the same record, events and frame, and numbers of its own from 1."""
    bus = filled("a", "b")
    save_run(bus, "b", tmp_path / "b.jsonl")
    loaded = load(tmp_path / "b.jsonl")
    assert loaded.run_ids() == ("b",)
    check_equal(loaded, bus, "b")
    assert [each.seq for each in bus.history("b")] == [2, 4, 6]
    assert [each.seq for each in loaded.history("b")] == [1, 2, 3]
    assert loaded.problems == ()
    assert repr(loaded) == "<LoadedRuns: 1 run, 3 events>"


def test_the_form_of_a_file(tmp_path: Path) -> None:
    """The first line says what is known of the run, each other one is an event's wire form with its `seq`."""
    bus = filled("a", events=2)
    save_run(bus, "a", tmp_path / "a.jsonl")
    content = (tmp_path / "a.jsonl").read_bytes()
    assert content.endswith(b"}\n")
    assert b"\r" not in content
    assert "é" in content.decode()
    lines = content.decode().split("\n")[:-1]
    # Whoever splits a text at all that Unicode calls the end of a line gets the same.
    assert content.decode().splitlines() == lines
    head, *events = map(json.loads, lines)
    record = bus.run_record("a")
    assert record is not None
    assert head == {"locus_nb": 1, "kind": "run", "record": record._asdict(), "events": 2}
    assert list(head)[:3] == ["locus_nb", "kind", "record"]
    assert events == [{**each.to_dict(), "seq": each.seq} for each in bus.history("a")]


@given(
    st.lists(
        st.tuples(EVENT_TYPES | TEXTS, PAYLOADS, TIMES | st.none(), st.uuids().map(str) | st.none()),
        max_size=6,
    ),
    st.none() | st.text(),
    st.dictionaries(st.text(), st.text(), max_size=3),
    st.sampled_from(["run", "\udc80", "é\n"]),
    st.booleans(),
)
def test_any_run_survives_a_file(
    given_events: list[tuple[Any, ...]],
    name: str | None,
    tags: dict[str, str],
    run_id: str,
    keep_secrets: bool,  # noqa: FBT001 - hypothesis gives it
) -> None:
    """Whatever a run holds, its wire forms, record and frame come back from a file, secrets taken out or kept."""
    bus = EventBus()
    bus.open_stream_nowait(run_id, name=name, tags=tags)
    for event_type, data, time, event_id in given_events:
        bus.publish_nowait(StreamEvent(run_id, event_type, data, time, event_id))
    with tempfile.TemporaryDirectory() as directory:
        save_run(bus, run_id, Path(directory, "x.jsonl"), redact=not keep_secrets)
        loaded = load(Path(directory, "x.jsonl"))
    (loaded_id,) = loaded.run_ids()
    wire = [each.to_dict() for each in bus.history(run_id)]
    if not keep_secrets:
        wire = [{**each, "data": redact(each["data"])} for each in wire]
    assert [each.to_dict() for each in loaded.history(loaded_id)] == wire
    pd.testing.assert_frame_equal(frame_of(loaded, loaded_id), frame_of(bus, run_id))
    record = bus.run_record(run_id)
    if keep_secrets and json.dumps([name, tags, run_id], ensure_ascii=False).isascii():
        assert loaded.run_record(loaded_id) == record


def test_secrets_stay_out_of_files(tmp_path: Path) -> None:
    """No secret of a payload, a name or a tag is in the file, unless that is asked for."""
    bus = EventBus()
    bus.open_stream_nowait("a", name=f"with {SECRET}", tags={"api_key": "hunter2", "note": SECRET})
    bus.publish_nowait(StreamEvent("a", "my.own", {"password": "hunter2", "text": SECRET}))
    save_run(bus, "a", tmp_path / "a.jsonl")
    text = (tmp_path / "a.jsonl").read_text("utf-8")
    assert SECRET not in text
    assert "hunter2" not in text
    save_run(bus, "a", tmp_path / "a.jsonl", redact=False)
    check_equal(load(tmp_path / "a.jsonl"), bus, "a")


def test_a_packed_file(tmp_path: Path) -> None:
    """A name that ends in .gz gives a file packed by gzip, the same for the same run; it loads under any name."""
    bus = filled("a")
    for name in ("a.jsonl.gz", "again.jsonl.gz"):
        save_run(bus, "a", tmp_path / name)
    packed = (tmp_path / "a.jsonl.gz").read_bytes()
    assert packed == (tmp_path / "again.jsonl.gz").read_bytes()
    assert gzip.decompress(packed).startswith(b'{"locus_nb":1')
    (tmp_path / "b.jsonl").write_bytes(packed)
    check_equal(load(tmp_path / "b.jsonl"), bus, "a")


def test_a_run_without_events(tmp_path: Path) -> None:
    """A run of which only the record is known is saved and loaded as such."""
    bus = filled("a", events=0)
    save_run(bus, "a", tmp_path / "a.jsonl")
    loaded = load(tmp_path / "a.jsonl")
    assert loaded.run_ids() == ("a",)
    assert (loaded.history("a"), loaded.history("x"), loaded.run_record("x")) == ((), (), None)
    check_equal(loaded, bus, "a")


def test_a_trimmed_run(tmp_path: Path) -> None:
    """A run that lost events in memory is whole as a file: its record says what is missing."""
    bus = EventBus(history_per_run=2)
    for n in range(5):
        bus.publish_nowait(StreamEvent("a", "my.own", {"n": n}))
    save_run(bus, "a", tmp_path / "a.jsonl")
    loaded = load(tmp_path / "a.jsonl")
    check_equal(loaded, bus, "a")
    record = loaded.run_record("a")
    assert record is not None
    assert (record.trimmed, record.total) == (3, 5)


def test_what_cannot_be_saved(tmp_path: Path) -> None:
    """A run that is not known, an id that is none, and a directory that is none are refused; nothing is written."""
    with pytest.raises(ValueError, match="no run 'x' to save"):
        save_run(EventBus(), "x", tmp_path / "x.jsonl")
    with pytest.raises(TypeError, match="run id is a str"):
        save_run(EventBus(), 3, tmp_path / "x.jsonl")  # type: ignore[arg-type] # that is the point
    with pytest.raises(FileNotFoundError, match="make the directory"):
        save_run(filled("a"), "a", tmp_path / "none" / "x.jsonl")
    with pytest.raises(IsADirectoryError, match="it is a directory"):
        save_run(filled("a"), "a", tmp_path)
    assert list(tmp_path.iterdir()) == []


class Failing(EventBus):
    """A source whose second event cannot be had."""

    def history(self, run_id: str) -> Any:
        """Fail in the midst."""
        return FailingEvents(super().history(run_id))


class FailingEvents(tuple[StreamEvent, ...]):
    """Events of which the second fails."""

    __slots__ = ()

    def __iter__(self) -> Any:
        """Give one, and fail."""
        yield self[0]
        msg = "the disk is gone"
        raise OSError(msg)


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_a_file_is_replaced_as_a_whole(tmp_path: Path, name: str) -> None:
    """Where saving fails in the midst, the file that was there stays as it was, and nothing is left beside it."""
    path = saved(tmp_path / name)
    before = path.read_bytes()
    bus = Failing()
    bus.publish_nowait(StreamEvent("a", "my.own", {}))
    with pytest.raises(OSError, match="the disk is gone"):
        save_run(bus, "a", path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_saving_through_a_link(tmp_path: Path) -> None:
    """Saving to a symbolic link replaces the file that it leads to; the rights are those of any new file."""
    (tmp_path / "there").mkdir()
    (tmp_path / "link.jsonl").symlink_to(tmp_path / "there" / "a.jsonl")
    saved(tmp_path / "link.jsonl")
    (tmp_path / "plain").write_text("")
    assert (tmp_path / "link.jsonl").is_symlink()
    assert (tmp_path / "there" / "a.jsonl").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_what_is_no_plain_file_is_not_replaced(tmp_path: Path) -> None:
    """Saving to a pipe, as to a device, or over the file of a store is refused, and that stays as it was."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match="name a new file"):
        saved(pipe)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    bus = filled("a")
    with Store(tmp_path / "runs.db", bus=bus) as store:
        with pytest.raises(StoreError, match="file of a store"):
            save_run(bus, "a", tmp_path / "runs.db")
        assert store.flush()
    assert history(tmp_path / "runs.db").run_ids() == ("a",)


def test_a_replaced_file_stays_as_private_as_it_was(tmp_path: Path) -> None:
    """Saving over a file leaves alone who may read it, also while it is written."""
    path = saved(tmp_path / "a.jsonl")
    path.chmod(0o600)
    saved(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with whole_file(path) as file:
        assert stat.S_IMODE(os.fstat(file.fileno()).st_mode) == 0o600


class Moving:
    """A source of a run that goes on while it is looked at."""

    def __init__(self, moves: int) -> None:
        self.bus = filled("a", events=1, closed=False)
        self.moves = moves

    def run_ids(self) -> tuple[str, ...]:
        """The one run."""
        return self.bus.run_ids()

    def history(self, run_id: str) -> tuple[StreamEvent, ...]:
        """Give the events, and then there is one more."""
        events = self.bus.history(run_id)
        if self.moves:
            self.moves -= 1
            self.bus.publish_nowait(StreamEvent(run_id, "my.own", {}))
        return events

    def run_record(self, run_id: str) -> RunRecord | None:
        """The record as it is now."""
        return self.bus.run_record(run_id)


def test_a_run_that_goes_on_is_saved_at_one_moment(tmp_path: Path) -> None:
    """The record and the events in a file agree, also where events come while it is written."""
    source = Moving(moves=3)
    save_run(source, "a", tmp_path / "a.jsonl")
    loaded = load(tmp_path / "a.jsonl")
    record = loaded.run_record("a")
    assert record is not None
    assert len(loaded.history("a")) == record.total == 4
    save_run(Moving(moves=1_000), "a", tmp_path / "b.jsonl")
    assert len(load(tmp_path / "b.jsonl")) == 1


# Which files


def test_loading_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pattern, a path, and an iterable of both load all files they mean, each once, in the order of their events."""
    monkeypatch.chdir(tmp_path)
    bus = filled("b", "a", "c")
    Path("runs/deep").mkdir(parents=True)
    for run_id, name in (("a", "a.jsonl"), ("b", "b.jsonl.gz"), ("c", "deep/c[1].jsonl")):
        save_run(bus, run_id, Path("runs", name))
    for paths, run_ids in [
        ("runs/*.jsonl", ("a",)),
        (tmp_path / "runs" / "*", ("b", "a")),
        ("runs/**/*.jsonl*", ("b", "a", "c")),
        ("runs/deep/c[1].jsonl", ("c",)),
        (Path("runs").glob("*.jsonl"), ("a",)),
        (["runs/*.jsonl", "runs/a.jsonl", Path("runs/b.jsonl.gz")], ("b", "a")),
        ([], ()),
    ]:
        assert load(paths).run_ids() == run_ids
    loaded = load("runs/**/*.jsonl*")
    seqs = {run_id: [each.seq for each in loaded.history(run_id)] for run_id in loaded.run_ids()}
    assert seqs == {"b": [1, 4, 7], "a": [2, 5, 8], "c": [3, 6, 9]}
    for run_id in loaded.run_ids():
        check_equal(loaded, bus, run_id)


def test_paths_that_lead_nowhere(tmp_path: Path) -> None:
    """A missing file, a pattern without one, a directory, and what is no path are refused by name."""
    for missing in (tmp_path / "a.jsonl", tmp_path / "*.jsonl"):
        with pytest.raises(FileNotFoundError, match=r"load found no file '.*jsonl'"):
            load(missing)
    with pytest.raises(IsADirectoryError, match=r"is a directory: pass '.*\*\.jsonl'"):
        load(tmp_path)
    for wrong in (3, None, b"a.jsonl", [3], [b"a.jsonl"]):
        with pytest.raises(TypeError, match="load takes a path"):
            load(wrong)  # type: ignore[arg-type] # that is the point


def lines_of(*sources: tuple[EventBus, str]) -> list[str]:
    """Give the lines of runs as a store writes them: the record before and after the events."""
    lines: list[str] = []
    for bus, run_id in sources:
        record = bus.run_record(run_id)
        assert record is not None
        opened = record._replace(status="running", ended_at_ns=None, closed=False, total=0, trimmed=0)
        lines += [head_line(opened), *map(event_line, bus.history(run_id)), head_line(record)]
    return lines


def write(path: Path, lines: Iterable[str], end: str = "\n") -> Path:
    """Write a file by hand."""
    path.write_bytes("\n".join(lines).encode("utf-8", "surrogateescape") + end.encode())
    return path


def test_several_runs_in_a_file(tmp_path: Path) -> None:
    """A file may hold several runs, their lines in any order; of several records of a run the last holds."""
    bus = filled("a", "b")
    lines = lines_of((bus, "a"), (bus, "b"))
    mixed = [*lines[::5], lines[4], *[line for n, line in enumerate(lines) if n % 5 and n != 4]]
    for order in (lines, mixed):
        loaded = load(write(tmp_path / "x.jsonl", [*order, "", "  "]))
        assert loaded.run_ids() == ("a", "b")
        assert [each.seq for each in loaded.history("b")] == [2, 4, 6]
    check_equal(load(write(tmp_path / "x.jsonl", lines)), bus, "b")
    check_equal(load(write(tmp_path / "x.jsonl", lines, end="")), bus, "a")


def test_an_event_that_was_written_twice(tmp_path: Path) -> None:
    """The same event twice in a file is one event; two events with the same id stay two, as they are in memory."""
    bus = EventBus()
    for n in (1, 2):
        bus.publish_nowait(StreamEvent("a", "my.own", {"n": n}, event_id="same"))
    save_run(bus, "a", tmp_path / "a.jsonl")
    check_equal(load(tmp_path / "a.jsonl"), bus, "a")
    lines = (tmp_path / "a.jsonl").read_text("utf-8").splitlines()
    check_equal(load(write(tmp_path / "b.jsonl", [*lines, lines[2]])), bus, "a")
    with pytest.raises(UnreadableRunError, match=r"line 4: it has the number and the id of another event"):
        load(write(tmp_path / "b.jsonl", [*lines, lines[2].replace('"n":2', '"n":3')]))


def test_one_run_in_two_files(tmp_path: Path) -> None:
    """A run that two files hold alike is there once, with the record of its end; else the error names both files."""
    bus = filled("a", closed=False)
    save_run(bus, "a", tmp_path / "2.jsonl")
    bus.close_stream_nowait("a")
    save_run(bus, "a", tmp_path / "1.jsonl")
    loaded = load(tmp_path / "*.jsonl")
    check_equal(loaded, bus, "a")
    bus.publish_nowait(StreamEvent("a", "my.own", {}))
    save_run(bus, "a", tmp_path / "3.jsonl")
    with pytest.raises(UnreadableRunError) as caught:
        load(tmp_path / "*.jsonl")
    error = caught.value
    assert str(tmp_path / "1.jsonl") in str(error)
    assert str(tmp_path / "3.jsonl") in str(error)
    assert (error.path, error.line) == (str(tmp_path / "3.jsonl"), None)
    assert error.runs is not None
    assert len(error.runs.history("a")) == 3


# Files that are damaged, or of another kind


def refused(path: Path) -> UnreadableRunError:
    """Give the error of loading a file, which is what `partial=True` gives, and nothing else, besides."""
    with pytest.raises(UnreadableRunError) as caught:
        load(path)
    error = caught.value
    assert isinstance(error, LocusError)
    assert isinstance(error, ValueError)
    assert error.path == str(path)
    assert error.reason in str(error)
    where = f"{path}, line {error.line}: " if error.line else f"{path}: "
    assert where in str(error)
    assert "partial=True" in str(error)
    partial = load(path, partial=True)
    assert error.runs is not None
    assert partial.problems == error.runs.problems
    assert partial.problems[0].startswith(where)
    for run_id in partial.run_ids():
        pd.testing.assert_frame_equal(frame_of(partial, run_id), frame_of(error.runs, run_id))
    assert "1 file with problems" in repr(partial)
    return error


def kept(error: UnreadableRunError) -> int:
    """How many events an error offers."""
    assert error.runs is not None
    return sum(len(error.runs.history(run_id)) for run_id in error.runs.run_ids())


def test_a_file_cut_anywhere(tmp_path: Path) -> None:
    """Wherever a file was cut, the error names the line, and offers all events whose lines are whole."""
    path = saved(tmp_path / "a.jsonl", events=4)
    whole = path.read_bytes()
    ends = [n for n, byte in enumerate(whole) if byte == ord("\n")]
    for cut in {*range(0, len(whole) - 1, 7), *ends[:-1]}:
        path.write_bytes(whole[:cut])
        error = refused(path)
        complete = sum(end <= cut for end in ends)
        assert error.line == complete + 1
        assert kept(error) == max(0, complete - 1)
        assert "cut off" in error.reason or "empty" in error.reason
    path.write_bytes(whole[:-1])
    assert len(load(path).history("a")) == 4


def test_a_partly_read_run_says_so(tmp_path: Path) -> None:
    """A run of which lines were lost counts these events as trimmed, so that no frame takes it for complete."""
    path = saved(tmp_path / "a.jsonl", events=5)
    lines = path.read_text("utf-8").splitlines()
    for content in (lines[:3], [*lines[:2], "{", *lines[3:4], lines[4][:-3], lines[5]]):
        error = refused(write(path, content))
        assert error.runs is not None
        record = error.runs.run_record("a")
        assert record is not None
        assert record.trimmed == 5 - kept(error) > 0
    write(path, [*lines_of((filled("a"), "a")), "{"])
    record = load(path, partial=True).run_record("a")
    assert record is not None
    assert (record.trimmed, record.total) == (0, 3)


def test_a_packed_file_that_was_cut(tmp_path: Path) -> None:
    """Of a packed file that was cut, or goes on with something else, what could be unpacked is offered."""
    path = saved(tmp_path / "a.jsonl.gz", events=2_000)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    error = refused(path)
    assert "gzip" in error.reason or "cut off" in error.reason
    assert 100 < kept(error) < 2_000
    path.write_bytes(whole + b"more")
    assert kept(refused(path)) == 2_000
    path.write_bytes(whole[:400] + b"\x00" * 400 + whole[800:])
    assert kept(refused(path)) < 2_000


def test_a_damaged_line_in_the_midst(tmp_path: Path) -> None:
    """Of a file with a damaged line all others are offered, and the error counts the damaged ones."""
    path = saved(tmp_path / "a.jsonl", events=5)
    lines = path.read_text("utf-8").splitlines()
    for bad in ("", "x", "\udcff\udcfe"):
        content = [lines[0], lines[1], lines[2] + bad if bad else "[]", lines[3], lines[4][:9], lines[5]]
        error = refused(write(path, content))
        assert error.line == 3
        assert "(and 1 more)" in str(error)
        assert kept(error) == 3


def test_a_file_that_lost_its_head(tmp_path: Path) -> None:
    """Of a file without a legible head the events are offered, as a run of which only they are known."""
    path = saved(tmp_path / "a.jsonl")
    lines = path.read_text("utf-8").splitlines()
    for content in (lines[1:], ["x", *lines[1:]]):
        error = refused(write(path, content))
        assert (error.line, kept(error)) == (1, 3)
        assert error.runs is not None
        record = error.runs.run_record("a")
        assert record is not None
        assert (record.name, record.status, record.closed, record.total) == (None, "running", False, 3)
        assert record.started_at_ns == error.runs.history("a")[0].timestamp_ns
    other = lines[1].replace('"run_id":"a"', '"run_id":"%s"' % ("b" * 10_000))
    assert other != lines[1]
    error = refused(write(path, [*lines, other]))
    assert "no line for the run itself" in error.reason
    assert kept(error) == 4
    assert len(str(error)) < 1_000


@pytest.mark.parametrize(
    "content,reason",
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\xff\xfe", "not UTF-8"),
        (b"PK\x03\x04", "not JSON"),
        (b"\x1f\x8b", "gzip"),
        (b"\x1f\x8bnot packed at all", "gzip"),
        (b"\xff\xfe{\x00}\x00", "not UTF-8"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (b"run_id,seq\na,1\n", "not JSON"),
        (b"[]\n", "not an object"),
        (b"3\n", "not an object"),
        (b"{}\n", "no event of a run: it lacks 'data', 'event_id'"),
        (b'{"cells": [], "nbformat": 4}\n', "lacks"),
        (b'{"locus_nb": 2, "kind": "run", "record": {}}\n', "version 2 of this form"),
        (b'{"locus_nb": -1}\n', "version -1"),
        (b'{"locus_nb": %s}\n' % (b"9" * 4_000), "a version of this form"),
        (b'{"locus_nb": "1"}\n', "whole number"),
        (b'{"locus_nb": true}\n', "whole number"),
        (b'{"locus_nb": 1.0}\n', "whole number"),
        (b'{"locus_nb": 1}\n', "no head of a run: it lacks 'kind', 'record'"),
        (b'{"locus_nb": 1, "kind": "store", "record": {}}\n', "'kind' is not 'run'"),
        (b'{"locus_nb": 1, "kind": ["run"], "record": {}}\n', "'kind' is not 'run'"),
        (b'{"locus_nb": 1, "kind": "run", "record": []}\n', "'record' is not an object"),
        (b'{"locus_nb": 1, "kind": "run", "record": {}, "x": 1}\n', "unknown key 'x'"),
        (b'{"locus_nb": 1, "kind": "run", "record": {}}\n', "no record of a run: it lacks 'cell_id'"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
    ],
)
def test_a_file_of_another_kind(tmp_path: Path, content: bytes, reason: str) -> None:
    """What was never a file of runs is refused at its first line, with the reason, and offers nothing."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(content)
    error = refused(path)
    assert error.line == 1
    assert reason in error.reason
    assert kept(error) == 0
    assert len(str(error)) < 1_000


def test_a_pickled_notebook_is_not_carried_out(tmp_path: Path) -> None:
    """Nothing in a file is carried out: a pickle is bytes like any others."""

    class Trap:
        def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
            return exec, (f"open({str(tmp_path / 'sprung')!r}, 'w')",)

    path = tmp_path / "a.jsonl"
    path.write_bytes(pickle.dumps(Trap()))
    refused(path)
    assert not (tmp_path / "sprung").exists()


def damaged(line: str, **changes: Any) -> str:
    """Change values of a line's object; `...` takes a key away, a `str` that begins with `=` is JSON text."""
    fields = json.loads(line)
    raw = {key: value[1:] for key, value in changes.items() if isinstance(value, str) and value[:1] == "="}
    for key, value in changes.items():
        if value is ...:
            del fields[key]
        else:
            fields[key] = f"<{key}>" if key in raw else value
    text = json.dumps(fields)
    for key, value in raw.items():
        text = text.replace(f'"<{key}>"', value)
    return text


@pytest.mark.parametrize(
    "changes,reason",
    [
        ({"run_id": ""}, "'run_id' is not a text that is not empty"),
        ({"run_id": 3}, "'run_id'"),
        ({"run_id": None}, "'run_id'"),
        ({"run_id": ...}, "lacks 'run_id'"),
        ({"event_id": ""}, "'event_id'"),
        ({"event_id": ["x"]}, "'event_id'"),
        ({"event_type": ""}, "'event_type'"),
        ({"event_type": {}}, "'event_type'"),
        ({"event_type": "\ud800"}, "'event_type'"),
        ({"seq": 0}, "'seq' is not a whole number from 1"),
        ({"seq": -1}, "'seq'"),
        ({"seq": 1.0}, "'seq'"),
        ({"seq": True}, "'seq'"),
        ({"seq": "1"}, "'seq'"),
        ({"seq": None}, "'seq'"),
        ({"seq": 2**63}, "'seq'"),
        ({"timestamp": 0}, "'timestamp' is not a text"),
        ({"timestamp": "yesterday"}, "'timestamp' is not a time"),
        ({"timestamp": "2026-01-02T03:04:05"}, "no offset"),
        ({"timestamp": "0001-01-01T00:00:00+14:00"}, "years 1 to 9999"),
        ({"timestamp": "9999-12-31T23:59:59-14:00"}, "years 1 to 9999"),
        ({"timestamp": "10000-01-01T00:00:00+00:00"}, "'timestamp'"),
        ({"data": []}, "'data' is not an object"),
        ({"data": None}, "'data' is not an object"),
        ({"data": "=NaN"}, "NaN is no number"),
        ({"data": '={"x": Infinity}'}, "Infinity is no number"),
        ({"data": '={"x": 1e999}'}, "'data' holds what no saved event does"),
        ({"data": {"x": 10**3_000}}, "'data' holds what no saved event does"),
        ({"data": '={"x": %s}' % ("1" * 10_000)}, "not JSON"),
        ({"data": {"x": "\ud800"}}, "'data' holds what no saved event does"),
        ({"data": {"\ud800": 1}}, "'data' holds what no saved event does"),
        ({"data": '={"x": %s}' % ("[" * 200 + "]" * 200)}, "too much nesting"),
        ({"data": '={"x": %s}' % ('{"x":' * 100_000)}, "nested too deeply"),
        ({"extra": 1}, "unknown key 'extra'"),
        ({"x" * 10_000: 1}, "unknown key"),
    ],
)
def test_a_bad_event(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    """An event with anything that a saved one never has is refused, with its line and the reason; the others stay."""
    path = saved(tmp_path / "a.jsonl")
    lines = path.read_text("utf-8").splitlines()
    lines[2] = damaged(lines[2], **changes)
    error = refused(write(path, lines))
    assert error.line == 3
    assert reason in error.reason
    assert kept(error) == 2
    assert len(str(error)) < 1_000


@pytest.mark.parametrize(
    "changes,reason",
    [
        ({"run_id": ""}, "'run_id'"),
        ({"name": 3}, "'name' is not a text or null"),
        ({"tags": None}, "'tags' is not an object of texts"),
        ({"tags": {"a": 1}}, "'tags'"),
        ({"tags": {"\ud800": "a"}}, "'tags'"),
        ({"status": "fine"}, "'status' is not one of error, interrupted, ok, running"),
        ({"status": []}, "'status'"),
        ({"started_at_ns": None}, "'started_at_ns'"),
        ({"started_at_ns": 2**63}, "'started_at_ns'"),
        ({"started_at_ns": 1.5}, "'started_at_ns'"),
        ({"ended_at_ns": -(2**63) - 1}, "'ended_at_ns'"),
        ({"cell_id": 1}, "'cell_id'"),
        ({"execution_count": "1"}, "'execution_count'"),
        ({"closed": 1}, "'closed' is not true or false"),
        ({"trimmed": -1}, "'trimmed'"),
        ({"trimmed": 4}, "'trimmed' is more than its 'total'"),
        ({"total": True}, "'total'"),
        ({"total": ...}, "lacks 'total'"),
        ({"colour": "red"}, "unknown key 'colour'"),
    ],
)
def test_a_bad_record(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    """A record with anything that a saved one never has is refused, with the reason; the events are offered."""
    path = saved(tmp_path / "a.jsonl")
    head, *events = path.read_text("utf-8").splitlines()
    record = damaged(json.dumps(json.loads(head)["record"]), **changes)
    error = refused(write(path, [damaged(head, record=f"={record}"), *events]))
    assert error.line == 1
    assert reason in error.reason
    assert kept(error) == 3


@pytest.mark.parametrize("events", [-1, None, "3", 2.0, True])
def test_a_bad_promise(tmp_path: Path, events: Any) -> None:
    """A head that promises something else than a number of events is refused."""
    path = saved(tmp_path / "a.jsonl")
    head, *others = path.read_text("utf-8").splitlines()
    assert (
        "'events' is not a whole number"
        in refused(write(path, [damaged(head, events=events), *others])).reason
    )


def test_other_spellings_of_a_time(tmp_path: Path) -> None:
    """A time with another offset is the same moment, in UTC."""
    path = saved(tmp_path / "a.jsonl", events=1)
    head, event = path.read_text("utf-8").splitlines()
    for text in ("2026-01-02T03:04:05.678901Z", "2026-01-02T05:04:05.678901+02:00"):
        loaded = load(write(path, [head, damaged(event, timestamp=text)]))
        assert loaded.history("a")[0].timestamp == START


def test_several_bad_files(tmp_path: Path) -> None:
    """The error is about the first bad file, counts the others, and offers what all files hold."""
    saved(tmp_path / "1.jsonl")
    for name in ("2.jsonl", "3.jsonl"):
        (tmp_path / name).write_text("x\n" * 1_000)
    with pytest.raises(
        UnreadableRunError, match=r"2\.jsonl, line 1: .* \(and 999 more\); 1 more of the files"
    ) as caught:
        load(tmp_path / "*.jsonl")
    assert kept(caught.value) == 3
    assert len(load(tmp_path / "*.jsonl", partial=True).problems) == 2


@given(st.binary(max_size=300) | st.text(max_size=100).map(lambda text: f'{{"locus_nb":1{text}'.encode()))
def test_any_bytes_make_a_clear_error(content: bytes) -> None:
    """Whatever bytes a file holds, loading it either works or raises the one error."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "x.jsonl")
        path.write_bytes(content)
        with pytest.raises(UnreadableRunError):
            load(path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
EVENT_KEYS = ("event_id", "run_id", "event_type", "timestamp", "data", "seq")


@given(
    st.lists(
        st.tuples(st.sampled_from(EVENT_KEYS), JSON) | st.tuples(st.sampled_from(RunRecord._fields), JSON),
        max_size=3,
    )
)
def test_what_is_loaded_breaks_nothing(changes: list[tuple[str, Any]]) -> None:
    """Whatever stands in the fields of a file, what of it is loaded makes a frame and can be saved again."""
    bus = filled("a", events=2)
    head, *events = lines_of((bus, "a"))[3:] + lines_of((bus, "a"))[1:3]
    fields = json.loads(head)
    for key, value in changes:
        if key in fields["record"]:
            fields["record"][key] = value
        if key in EVENT_KEYS:
            events[0] = damaged(events[0], **{key: value})
    with tempfile.TemporaryDirectory() as directory:
        loaded = load(write(Path(directory, "x.jsonl"), [json.dumps(fields), *events]), partial=True)
        for run_id in loaded.run_ids():
            frame = frame_of(loaded, run_id)
            assert len(frame) == len(loaded.history(run_id))
            save_run(loaded, run_id, Path(directory, "y.jsonl"), redact=False)
            check_equal(load(Path(directory, "y.jsonl")), loaded, run_id)


def test_the_error_can_travel(tmp_path: Path) -> None:
    """The error, and the runs that it offers, survive pickling, as what a worker process raises must."""
    path = saved(tmp_path / "a.jsonl")
    path.write_bytes(path.read_bytes()[:-9])
    error = refused(path)
    again: UnreadableRunError = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error)
    assert (again.path, again.line, again.reason) == (error.path, error.line, error.reason)
    assert error.runs is not None
    assert again.runs is not None
    assert again.runs.problems == error.runs.problems
    check_equal(again.runs, error.runs, "a")
    assert [each.seq for each in again.runs.history("a")] == [1, 2]
