"""Reading a folder of JSONL files, one or more per run, as it is now."""

from __future__ import annotations

from contextlib import contextmanager
from operator import attrgetter
from typing import TYPE_CHECKING

from locus_nb._bus import buses
from locus_nb._errors import StoreError, warn
from locus_nb._event import restored
from locus_nb._store.folder import candidates, files_of, run_id_in
from locus_nb._store.past import Wanted
from locus_nb._store.run_file import joined, read_stored
from locus_nb._wire import jsonable

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    from locus_nb._event import StreamEvent
    from locus_nb._history import RunRecord
    from locus_nb._store.run_file import Part
    from locus_nb._store.run_lines import KeptEvent

_seq_of = attrgetter("seq")


class JsonlSnapshot:
    """The folder's answers; a `Snapshot`. Each run is read at one moment.

    What cannot be read of a file is warned of, by the file, the line and the reason, and its run lacks it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._all: dict[str, list[Path]] | None = None
        self._read: dict[str, tuple[RunRecord, list[StreamEvent]] | None] = {}

    def run_ids(self) -> tuple[str, ...]:
        """All runs, least recently used first."""
        return tuple(self._paths())

    def records(self) -> list[RunRecord]:
        """All runs, least recently used first."""
        return [found[0] for run_id in self._paths() if (found := self._run(run_id)) is not None]

    def run_record(self, run_id: str) -> RunRecord | None:
        """What is known of the run; None for an unknown one."""
        found = self._run(jsonable(run_id))
        return None if found is None else found[0]

    def history(self, run_id: str) -> tuple[StreamEvent, ...]:
        """Events of the run, in the order in which they were written."""
        found = self._run(jsonable(run_id))
        return () if found is None else tuple(found[1])

    def events_of(self, run_ids: Sequence[str]) -> list[StreamEvent]:
        """Give all events of some runs, in the order of the store."""
        return self.events(Wanted(run_ids))

    def events(self, wanted: Wanted) -> list[StreamEvent]:
        """Give events in the order in which they were written."""
        run_ids = self._paths() if wanted.run_ids is None else dict.fromkeys(map(jsonable, wanted.run_ids))
        events = [
            event
            for run_id in run_ids
            if (found := self._run(run_id)) is not None
            for event in found[1]
            if wanted.fits(event.event_type, event.timestamp_ns // 1000)
        ]
        events.sort(key=_seq_of)
        return events

    def _paths(self) -> dict[str, list[Path]]:
        """Give the files of all runs, the run last used last."""
        if self._all is None:
            found: dict[str, list[Path]] = {}
            with _readable(self._folder):
                for path in files_of(self._folder):
                    if (run_id := run_id_in(path)) is not None:
                        found[run_id] = [*found.pop(run_id, ()), path]
            self._all = found
        return self._all

    def _paths_of(self, run_id: str) -> Sequence[Path]:
        """Give the files of one run; those of all are looked at only if none has the name that a store gives."""
        if self._all is None:
            paths = [path for path in candidates(self._folder, run_id) if run_id_in(path) == run_id]
            if paths:
                return sorted(paths, key=_modified)
        return self._paths().get(run_id, ())

    def _run(self, run_id: str) -> tuple[RunRecord, list[StreamEvent]] | None:
        if run_id not in self._read:
            with _readable(self._folder):
                paths = self._paths_of(run_id)
                parts = [part for path in paths if (part := _part_of(path, run_id)) is not None]
            whole = parts[0] if parts else None
            for part in parts[1:]:
                whole = joined(whole or part, part)
            self._read[run_id] = whole and (whole[0], list(map(_event, whole[1])))
        return self._read[run_id]


@contextmanager
def _readable(folder: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(f"Cannot read the store {str(folder)!r}: {error}; look who may read it") from error


def check_folder(folder: Path) -> None:
    """Say whether a folder without runs may be a store.

    Raises:
        StoreError: There is something else in it, and nobody is about to begin a store there.
    """
    begun = any(not stat.st_size for stat in files_of(folder).values())
    ours = any(bus.store is not None and bus.store.path == folder for bus in buses())
    if not begun and not ours and next(folder.iterdir(), None) is not None:
        raise StoreError(
            f"Cannot open {str(folder)!r} as a store: it is a folder, and none of its files is a run's; "
            "name the store itself"
        )


def _modified(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _part_of(path: Path, run_id: str) -> Part | None:
    """Give what a file holds of a run; None if it is gone."""
    file = read_stored(path)
    if file is None:
        return None
    if file.problems:
        warn(
            f"Not all of a store can be read, and what cannot is missing in its run: {file.told()}",
            RuntimeWarning,
        )
    return next(((record, events) for record, events in file.runs() if record.run_id == run_id), None)


def _event(kept: KeptEvent) -> StreamEvent:
    return restored(
        kept.run_id,
        event_type=kept.event_type,
        data=kept.data,
        time_us=kept.time_us,
        event_id=kept.event_id,
        seq=kept.seq,
    )
