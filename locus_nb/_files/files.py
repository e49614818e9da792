"""Runs in files: saved, and loaded again as a source of runs."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterable
from contextlib import contextmanager
from glob import glob
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from locus_nb._errors import UnreadableRunError
from locus_nb._event import restored, run_id_error
from locus_nb._files.whole_file import whole_file
from locus_nb._payloads.format import counted
from locus_nb._store.run_file import RunFile, joined, read_file, seq_of
from locus_nb._store.run_lines import KeptEvent, event_line, head_line

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence
    from typing import BinaryIO

    from locus_nb._event import StreamEvent
    from locus_nb._history import RunRecord
    from locus_nb._source import Source

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
        StoreError: `path` is the file of a store.
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


def kept_runs(source: Source, run_ids: Iterable[str]) -> LoadedRuns:
    """Give runs as `load` would give them after they were saved: as they are now, without secrets."""
    lines = RunFile("")
    for run_id in run_ids:
        record, events = _at_one_moment(source, run_id)
        if record is not None:
            head = head_line(record, events=len(events))
            for number, line in enumerate([head, *map(event_line, events)], lines.lines + 1):
                lines.add(number, f"{line}\n".encode())
    return LoadedRuns(_merged([lines]))


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
        runs: Mapping[str, tuple[RunRecord, Sequence[KeptEvent]]],
        problems: Sequence[str] = (),
    ) -> None:
        self._runs = _numbered(runs)
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

    def __reduce__(self) -> tuple[Any, ...]:
        # An event that is pickled by itself would have no number any more.
        kept = {run_id: (record, list(map(_kept, events))) for run_id, (record, events) in self._runs.items()}
        return LoadedRuns, (kept, self.problems)

    def __repr__(self) -> str:
        events = sum(len(events) for _, events in self._runs.values())
        problems = f", {counted(len(self.problems), 'file')} with problems" if self.problems else ""
        return f"<LoadedRuns: {counted(len(self), 'run')}, {counted(events, 'event')}{problems}>"


def load(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]], *, partial: bool = False
) -> LoadedRuns:
    """Load runs that were saved; what comes equals what was saved, but for `seq`.

    Events are numbered anew, from 1, in the order of the files' own numbers over all files. Nothing in a file is
    carried out, and each line is checked before it is used. Files that are packed by gzip are known by their content.

    Args:
        paths: A file, a pattern such as `"runs/*.jsonl"` (`**` stands for any directories), or several of those. A
            file may hold several runs. A run that is in several files is there once, if its events are the same in
            all, or, if a store wrote them, put together from all. So is an event that is in a file twice.
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
    files = [read_file(path) for path in _files(paths)]
    runs = _merged(files)
    bad = [file for file in files if file.problems]
    loaded = LoadedRuns(runs, [file.told() for file in bad])
    if bad and not partial:
        raise _error(bad, loaded)
    return loaded


def _error(bad: Sequence[RunFile], loaded: LoadedRuns) -> UnreadableRunError:
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


# All files


def _merged(files: Iterable[RunFile]) -> dict[str, tuple[RunRecord, list[KeptEvent]]]:
    """Put the runs of all files together; a file that contradicts an earlier one is said to have a problem."""
    runs: dict[str, tuple[RunRecord, list[KeptEvent]]] = {}
    first_in: dict[str, RunFile] = {}
    for file in files:
        for record, events in file.runs():
            run_id = record.run_id
            if run_id not in runs:
                runs[run_id], first_in[run_id] = (record, events), file
                continue
            known, same = runs[run_id]
            if run_id in file.lacks and run_id in first_in[run_id].lacks:
                both = (runs[run_id], (record, events))
                runs[run_id] = joined(*(both if record.closed >= known.closed else both[::-1]))
            elif list(map(_content, events)) != list(map(_content, same)):
                file.note_conflict(run_id, first_in[run_id])
            elif record.closed >= known.closed:
                # Of a run that was saved before and after its end the later word holds.
                runs[run_id] = record, same
    return runs


def _content(event: KeptEvent) -> tuple[object, ...]:
    return event[1:]


def _numbered(
    runs: Mapping[str, tuple[RunRecord, Sequence[KeptEvent]]],
) -> dict[str, tuple[RunRecord, tuple[StreamEvent, ...]]]:
    """Make the events, and give them their numbers over all runs; the run with the newest event comes last."""
    made: dict[str, list[StreamEvent]] = {run_id: [] for run_id in runs}
    kept = sorted((event for _, events in runs.values() for event in events), key=seq_of)
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
        return (events[-1].seq or 0 if events else 0), runs[run_id][0].started_at_ns

    return {run_id: (runs[run_id][0], tuple(made[run_id])) for run_id in sorted(runs, key=last_used)}


def _kept(event: StreamEvent) -> KeptEvent:
    return KeptEvent(
        event.seq or 0,
        event.run_id,
        event.event_type,
        dict(event.data),
        event.timestamp_ns // 1_000,
        event.event_id,
    )
