r"""A folder with one JSONL file per run: what a store writes where SQLite's log would not be safe.

The lines are those of `run_lines`: the run, then its events, and the run again as it changed. An event's `seq` is the
time in microseconds at which it was written, or one more than the last one's: so all of them have one order, whichever
process or session they are from.

A writer holds a lock on the file that it adds to. A file that another process holds, or that cannot be locked,
is left alone and the run continued in a file of its own; whoever reads puts them together.
"""

from __future__ import annotations

import json
import time
from collections import OrderedDict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from locus_nb._errors import StoreError
from locus_nb._store.folder import candidates, files_of, run_id_in
from locus_nb._store.growing_file import GrowingFile, line_of
from locus_nb._store.run_file import read_stored
from locus_nb._store.storage import Outcome, by_use, plain_changes, still_open, unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from locus_nb._history import RunRecord
    from locus_nb._store.storage import Limits, RunChange, StoredEvents

_MOST_OPEN = 64
# Files that were closed whose size is remembered.
_MOST_LEFT = 10_000
_DAY_S = 86_400
_ABANDONED_S = _DAY_S
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class JsonlStorage:
    """Writes events to one file per run in a folder; a `Storage`."""

    def __init__(self, path: Path) -> None:
        self._folder = path
        self._files: OrderedDict[str, GrowingFile] = OrderedDict()
        # Which files were closed, and how large: one that is still as large lacks nothing.
        self._left: OrderedDict[str, tuple[tuple[int, int], int]] = OrderedDict()
        self._last_seq = 0

    def open(self) -> None:
        """Make the folder if there is none."""
        if self._folder.exists() and not self._folder.is_dir():
            raise StoreError(
                f"Cannot keep runs in {str(self._folder)!r}: it is a file and not a folder; name a folder"
            )
        self._folder.mkdir(exist_ok=True)

    def close(self) -> None:
        """Close all files."""
        while self._files:
            self._close(next(iter(self._files)))

    def abandon(self) -> None:
        """Let go in a forked child: the parent's lock stays the parent's."""
        self.close()

    def held(self, run_id: str, ids: Sequence[str]) -> set[str]:
        """Say which of these events of a run the folder holds already."""
        return {event_id for event_id, _ in self._events_of(run_id)}.intersection(ids)

    def write(self, events: StoredEvents, changes: Mapping[str, RunChange]) -> Outcome:
        """Add all, each run's in one call of the system; what was added to a file is taken back if that fails."""
        self.open()
        plain = plain_changes(changes)
        rows: dict[str, list[str]] = {run_id: [] for run_id in by_use(plain, events)}
        # What an event itself is to blame for comes up before anything is written.
        for row, run_id in enumerate(events.run_ids):
            rows[run_id].append(_event_text(events, row))
        outcome = Outcome({}, {})
        for run_id, its in rows.items():
            try:
                lacking = self._add(run_id, its, plain[run_id], events)
            except (OSError, StoreError) as error:
                outcome.failed[run_id] = error
            else:
                if lacking:
                    outcome.lacking[run_id] = lacking
        if len(outcome.failed) == len(rows) > 1:
            raise next(iter(outcome.failed.values()))
        return outcome

    def settle(self) -> None:
        """Do nothing: what was written is in the files."""

    def prune(self, limits: Limits, is_running: Callable[[str], bool]) -> None:
        """Delete the files of whole runs."""
        files = files_of(self._folder)
        runs: dict[str, list[Path]] = {}
        for path in files:
            if (run_id := run_id_in(path)) is not None:
                # Behind what was used before it.
                runs[run_id] = [*runs.pop(run_id, ()), path]
        left, size = len(runs), sum(stat.st_size for stat in files.values())
        now = _now_s()
        for run_id, paths in runs.items():
            age_s = now - max(files[path].st_mtime for path in paths)
            too_many = limits.runs is not None and left > limits.runs
            too_old = limits.days is not None and age_s > limits.days * _DAY_S
            if not (too_many or too_old or (limits.mb is not None and size > limits.mb * 1_000_000)):
                break
            if not _is_closed(run_id, paths) and (age_s < _ABANDONED_S or is_running(run_id)):
                continue
            if run_id in self._files:
                self._close(run_id)
            for path in paths:
                path.unlink(missing_ok=True)
                size -= files[path].st_size
            left -= 1

    def _add(self, run_id: str, texts: Sequence[str], change: RunChange, events: StoredEvents) -> int:
        """Write what is new of one run; how many events its files lack that they had."""
        record, _, missed, dropped, _ = change
        known = record or unknown(run_id, events)
        # A new file says that its run has ended only behind its events.
        file, lacking = self._file(run_id, still_open(known) if texts else known, change.before)
        first = self._next_seqs(file, len(texts))
        lines = [f'{text}"seq":{seq}}}\n' for seq, text in enumerate(texts, first)]
        if lacking or missed or dropped or (record is not None and file.told != record):
            lines.append(line_of(record or file.told or known, missed + lacking, dropped))
        size = file.size
        try:
            file.add("".join(lines), is_use=bool(texts))
        except BaseException:
            file.take_back(size)
            file.size = size
            self._close(run_id)
            raise
        file.told = record or file.told
        if record and record.closed:
            self._close(run_id)
        return lacking

    def _next_seqs(self, file: GrowingFile, count: int) -> int:
        """Give the first of so many numbers in a row, above all that the file and this process have."""
        first = max(self._last_seq, file.last_seq, time.time_ns() // 1000) + 1
        self._last_seq = file.last_seq = first + count - 1
        return first

    def _file(self, run_id: str, record: RunRecord, before: int) -> tuple[GrowingFile, int]:
        """Give the run's file, and how many of the `before` events that its files had they lack."""
        file = self._files.get(run_id)
        if file is not None and file.is_there():
            self._files.move_to_end(run_id)
            return file, 0
        if file is not None:
            self._close(run_id)
        file = self._files[run_id] = GrowingFile.of(self._folder, run_id, record)
        while len(self._files) > _MOST_OPEN:
            self._close(next(iter(self._files)))
        identity, size = self._left.get(run_id, (None, 0))
        if not before or (identity == file.identity and file.size >= size):
            return file, 0
        return file, max(0, before - len(self._events_of(run_id)))

    def _events_of(self, run_id: str) -> list[tuple[str, int]]:
        """Give the ids and numbers of the run's events."""
        files = filter(None, map(read_stored, candidates(self._folder, run_id)))
        return [each for file in files for each in file.events.get(run_id, ())]

    def _close(self, run_id: str) -> None:
        file = self._files.pop(run_id)
        self._left[run_id] = file.identity, file.size
        self._left.move_to_end(run_id)
        if len(self._left) > _MOST_LEFT:
            self._left.popitem(last=False)
        file.close()


def _event_text(events: StoredEvents, row: int) -> str:
    """Give an event's line up to its number, which is known when it is written."""
    when = (_EPOCH + timedelta(microseconds=events.times_us[row])).isoformat()
    data = events.data[row]
    if not data.startswith("{"):
        # What was beyond what can be copied is a text that says so.
        data = f'{{"unreadable":{data}}}'
    return (
        f'{{"event_id":{_text(events.event_ids[row])},"run_id":{_text(events.run_ids[row])},'
        f'"event_type":{_text(events.event_types[row])},"timestamp":"{when}",'
        f'"data":{data},'
    )


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _is_closed(run_id: str, paths: Sequence[Path]) -> bool:
    """Say whether the last record of each file is that of a closed run."""
    files = [file for path in paths if (file := read_stored(path)) is not None]
    return all(run_id in file.records and file.records[run_id].closed for file in files)


def _now_s() -> float:
    return datetime.now(UTC).timestamp()
