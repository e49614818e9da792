"""Runs in files: saved, and loaded again as a source of runs."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterable
from contextlib import contextmanager
from glob import glob
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from locus_nb._errors import UnreadableRunError
from locus_nb._event import restored, run_id_error
from locus_nb._history import RunRecord
from locus_nb._run_lines import BadLine, Head, KeptEvent, event_line, head_line, read_line
from locus_nb._whole_file import whole_file

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence
    from typing import BinaryIO

    from locus_nb._event import StreamEvent
    from locus_nb._source import Source

_GZIP = b"\x1f\x8b"
_LARGEST = (1 << 63) - 1
# So often a run that goes on meanwhile is looked at for one moment in which its events and its record agree.
_TRIES = 10


def save_run(source: Source, run_id: str, path: str | os.PathLike[str], *, redact: bool = True) -> None:
    """Write a run to a file, as lines of JSON; `load` reads it.

    The file is there as a whole or not at all, and takes the place of one that is there. It is compressed if its name
    ends in `.gz`. Of a run that goes on it holds what there was so far.

    Args:
        source: Where the run is.
        run_id: The run.
        path: The file; its directory has to exist.
        redact: Take secrets out of payloads, and of the run's name and tags. False: leave them in.

    Raises:
        TypeError, ValueError: `run_id` cannot name a run, or `source` does not know it.
        FileNotFoundError: The directory does not exist.
        OSError: The file cannot be written.
    """
    error = run_id_error(run_id)
    if error is not None:
        raise error
    record, events = _at_one_moment(source, run_id)
    if record is None:
        raise ValueError(f"There is no run {run_id!r} to save: it was never known, or is known no more")
    with whole_file(path) as file, _packed(file, path) as out:
        out.write(f"{head_line(record, events=len(events), secrets=not redact)}\n".encode())
        for event in events:
            out.write(f"{event_line(event, secrets=not redact)}\n".encode())


def _at_one_moment(source: Source, run_id: str) -> tuple[RunRecord | None, Sequence[StreamEvent]]:
    record = source.run_record(run_id)
    events: Sequence[StreamEvent] = ()
    for _ in range(_TRIES):
        events = source.history(run_id)
        before, record = record, source.run_record(run_id)
        if record == before:
            break
    return record, events


@contextmanager
def _packed(file: BinaryIO, path: str | os.PathLike[str]) -> Generator[BinaryIO]:
    if not os.fspath(path).lower().endswith(".gz"):
        yield file
        return
    # Without the time and the name of the temporary file: the same run gives the same bytes.
    with gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0) as packed:
        yield cast("BinaryIO", packed)


class LoadedRuns:
    """Runs that were loaded from files; made by `load`. A source of runs, as the bus is, that never changes.

    `problems` says, a line for each file, what could not be read; it is empty unless that was asked for by
    `partial=True`, or this is what an `UnreadableRunError` offers.

    Example:
        >>> from locus_nb import events_df, load
        >>> runs = load([])
        >>> frame = events_df(event for run_id in runs.run_ids() for event in runs.history(run_id))
        >>> len(runs), len(frame)
        (0, 0)
    """

    __slots__ = ("_runs", "problems")

    def __init__(
        self,
        runs: Mapping[str, tuple[RunRecord, tuple[StreamEvent, ...]]],
        problems: Sequence[str] = (),
    ) -> None:
        self._runs = dict(runs)
        self.problems = tuple(problems)

    def run_ids(self) -> tuple[str, ...]:
        """The runs, the one with the newest event last."""
        return tuple(self._runs)

    def history(self, run_id: str) -> tuple[StreamEvent, ...]:
        """Events of the run, oldest first; empty for an unknown run."""
        return self._runs[run_id][1] if run_id in self._runs else ()

    def run_record(self, run_id: str) -> RunRecord | None:
        """What is known of the run; None for an unknown one."""
        return self._runs[run_id][0] if run_id in self._runs else None

    def __len__(self) -> int:
        """How many runs."""
        return len(self._runs)

    def __repr__(self) -> str:
        events = sum(len(events) for _, events in self._runs.values())
        problems = f", {len(self.problems)} with problems" if self.problems else ""
        return f"<LoadedRuns: {len(self)} runs, {events:,} events{problems}>"


def load(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]], *, partial: bool = False
) -> LoadedRuns:
    """Load runs that were saved; what comes equals what was saved, but for `seq`.

    Events are numbered anew, from 1, in the order of the files' own numbers over all files. Nothing in a file is
    carried out, and each line is checked before it is used. Files that are packed by gzip are known by their content.

    Args:
        paths: A file, a pattern such as `"runs/*.jsonl"` (`**` stands for any directories), or several of those. A
            file may hold several runs. A run that is in several files is there once, if its events are the same in
            all. So is an event that is in a file twice.
        partial: Give what can be read, where there is a problem: `problems` then says what could not, and a run that
            lacks events for that counts them as `trimmed` in its record.

    Raises:
        TypeError: `paths` is none of these.
        FileNotFoundError: There is no such file, or none for a pattern.
        IsADirectoryError: A path is a directory.
        UnreadableRunError: A file is cut off, damaged or of another kind, or two files hold different events of the
            same run. It names the file, the line and the reason, and its `runs` are what `partial=True` would give.
        OSError: A file cannot be read.

    Example:
        >>> from locus_nb import load
        >>> load([])
        <LoadedRuns: 0 runs, 0 events>
    """
    files = [_read(path) for path in _files(paths)]
    runs = _merged(files)
    bad = [file for file in files if file.problems]
    loaded = LoadedRuns(_numbered(runs), [file.told() for file in bad])
    if bad and not partial:
        raise _error(bad, loaded)
    return loaded


def _error(bad: Sequence[_File], loaded: LoadedRuns) -> UnreadableRunError:
    line, reason = bad[0].problem or (None, "")
    more = f"; {len(bad) - 1} more of the files have problems" if len(bad) > 1 else ""
    return UnreadableRunError(
        f"load cannot read all of {bad[0].told()}{more}. What could be read, {loaded!r}, is this error's .runs; "
        "load(..., partial=True) gives it without an error",
        path=bad[0].path,
        line=line,
        reason=reason,
        runs=loaded,
    )


# Which files


def _files(paths: object) -> list[str]:
    """Give the files that are meant, each once."""
    if isinstance(paths, str | os.PathLike):
        found = _matches(cast("str | os.PathLike[str]", paths))
    elif isinstance(paths, Iterable) and not isinstance(paths, bytes | bytearray):
        found = [file for path in cast("Iterable[Any]", paths) for file in _matches(path)]
    else:
        raise TypeError(_WANTED.format(type(paths).__name__))
    once: dict[str, str] = {}
    for file in found:
        once.setdefault(os.path.realpath(file), file)
    return list(once.values())


_WANTED = "load takes a path, a pattern such as 'runs/*.jsonl', or several of those; not {}"


def _matches(path: str | os.PathLike[str]) -> list[str]:
    name = os.fspath(path) if isinstance(path, str | os.PathLike) else None  # pyright: ignore[reportUnnecessaryIsInstance] - said to those without pyright
    if not isinstance(name, str):
        raise TypeError(_WANTED.format(type(path).__name__))
    if Path(name).is_dir():
        raise IsADirectoryError(
            f"load reads files, and {name} is a directory: pass {str(Path(name, '*.jsonl'))!r}"
        )
    if Path(name).exists():
        return [name]
    # Not Path.glob, which takes no absolute pattern.
    found = sorted(match for match in glob(name, recursive=True) if not Path(match).is_dir())  # noqa: PTH207
    if not found:
        raise FileNotFoundError(
            f"load found no file {name!r}: it looks in {Path.cwd()}, if that is not absolute"
        )
    return found


# One file


class _File:
    """What one file holds, as far as it can be read."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.records: dict[str, RunRecord] = {}
        # Events that a head said are in the file.
        self.promised: dict[str, int] = {}
        # By id and number: an event may be in a file twice, if whoever wrote it tried again.
        self.events: dict[str, dict[tuple[str, int], KeptEvent]] = {}
        # Line and reason of the first one, and how many there are.
        self.problem: tuple[int | None, str] | None = None
        self.problems = 0
        self.lines = 0

    def add(self, number: int, line: bytes) -> bool:
        """Take a line; False if the rest of the file is not worth a look."""
        self.lines = number
        try:
            found = read_line(line)
        except BadLine as bad:
            cut_off = not line.endswith(b"\n")
            reason = f"it is cut off, or {bad.reason}" if cut_off and not bad.hopeless else bad.reason
            self._note(number, reason)
            return not bad.hopeless
        if isinstance(found, Head):
            self._add_head(found)
        else:
            self._add_event(number, found)
        return True

    def _add_head(self, head: Head) -> None:
        run_id = head.record.run_id
        self.records[run_id] = head.record
        if head.events is not None:
            self.promised[run_id] = head.events

    def _add_event(self, number: int, event: KeptEvent) -> None:
        if not self.records and not self.events:
            self._note(number, "it is an event, where a file of runs begins with a run")
        events = self.events.setdefault(event.run_id, {})
        if events.setdefault((event.event_id, event.seq), event) != event:
            self._note(number, "it has the number and the id of another event before it")

    def _note(self, number: int | None, reason: str) -> None:
        self.problem = self.problem or (number, reason)
        self.problems += 1

    def note_conflict(self, run_id: str, other: _File) -> None:
        """Say that another file holds something else."""
        self._note(None, f"its events of run {run_id!r} are not those that {other.path} holds")

    def stop_short(self, reason: str) -> None:
        """Say that what comes after the last line cannot be had."""
        self._note(self.lines + 1, reason)

    def finish(self) -> None:
        """Look at what the file lacks as a whole."""
        if not self.lines:
            self.stop_short("the file is empty")
        elif not self.problems:
            for run_id in self.events.keys() - self.records.keys():
                self._note(
                    None, f"it holds events of run {run_id!r}, and nothing that says what is known of it"
                )
            for run_id, promised in self.promised.items():
                if (found := len(self.events.get(run_id, ()))) < promised:
                    self.stop_short(f"the file is cut off, after {found:,} of {promised:,} events")

    def told(self) -> str:
        """Say the file, the line and the reason, of the first problem."""
        line, reason = self.problem or (None, "")
        more = f" (and {self.problems - 1:,} more)" if self.problems > 1 else ""
        return f"{self.path}: {reason}{more}" if line is None else f"{self.path}, line {line}: {reason}{more}"

    def runs(self) -> Iterator[tuple[RunRecord, list[KeptEvent]]]:
        """Give the runs, each with its events in their order."""
        for run_id in self.records.keys() | self.events.keys():
            events = sorted(self.events.get(run_id, {}).values(), key=_seq_of)
            record = self.records.get(run_id) or _record_of(run_id, events)
            yield (self._without_the_missing(record, len(events)) if self.problems else record), events

    def _without_the_missing(self, record: RunRecord, found: int) -> RunRecord:
        missing = self.promised.get(record.run_id, record.total - record.trimmed) - found
        return record._replace(trimmed=min(record.trimmed + missing, record.total)) if missing > 0 else record


def _seq_of(event: KeptEvent) -> int:
    return event.seq


def _read(path: str) -> _File:
    read = _File(path)
    with _unpacked(path) as lines:
        try:
            for number, line in enumerate(lines, 1):
                if line.isspace():
                    continue
                if not read.add(number, line):
                    break
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            read.stop_short(f"what is packed by gzip ends here: {error}")
    read.finish()
    return read


@contextmanager
def _unpacked(path: str) -> Generator[Iterable[bytes]]:
    with Path(path).open("rb") as file:
        is_packed = file.read(len(_GZIP)) == _GZIP
        file.seek(0)
        if not is_packed:
            yield file
            return
        with gzip.GzipFile(fileobj=file) as lines:
            yield lines


def _record_of(run_id: str, events: Sequence[KeptEvent]) -> RunRecord:
    """Give what can be said of a run of which only events are left."""
    return RunRecord(
        run_id=run_id,
        name=None,
        tags={},
        status="running",
        started_at_ns=max(-_LARGEST, min(_LARGEST, *(event.time_us * 1_000 for event in events))),
        ended_at_ns=None,
        cell_id=None,
        execution_count=None,
        closed=False,
        trimmed=0,
        total=len(events),
    )


# All files


class _Run(NamedTuple):
    record: RunRecord
    events: list[KeptEvent]
    file: _File


def _merged(files: Iterable[_File]) -> dict[str, _Run]:
    """Put the runs of all files together; a file that contradicts an earlier one is said to have a problem."""
    runs: dict[str, _Run] = {}
    for file in files:
        for record, events in file.runs():
            first = runs.setdefault(record.run_id, _Run(record, events, file))
            if first.file is file:
                continue
            if list(map(_content, events)) != list(map(_content, first.events)):
                file.note_conflict(record.run_id, first.file)
            elif record.closed >= first.record.closed:
                # Of a run that was saved before and after its end the later word holds.
                runs[record.run_id] = first._replace(record=record)
    return runs


def _content(event: KeptEvent) -> tuple[object, ...]:
    return event[1:]


def _numbered(runs: Mapping[str, _Run]) -> dict[str, tuple[RunRecord, tuple[StreamEvent, ...]]]:
    """Make the events, and give them their numbers over all runs; the run with the newest event comes last."""
    made: dict[str, list[StreamEvent]] = {run_id: [] for run_id in runs}
    kept = sorted((event for run in runs.values() for event in run.events), key=_seq_of)
    for seq, event in enumerate(kept, 1):
        made[event.run_id].append(
            restored(
                event.run_id,
                event_type=event.event_type,
                data=event.data,
                time_us=event.time_us,
                event_id=event.event_id,
                seq=seq,
            )
        )

    def last_used(run_id: str) -> tuple[int, int]:
        events = made[run_id]
        return (events[-1].seq or 0 if events else 0), runs[run_id].record.started_at_ns

    return {run_id: (runs[run_id].record, tuple(made[run_id])) for run_id in sorted(runs, key=last_used)}
