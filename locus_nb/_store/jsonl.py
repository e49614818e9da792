r"""A folder with one JSONL file per run: what a store writes where SQLite's log would not be safe.

The lines are those of `run_lines`: the run, then its events, and the run again as it changed. A line counts once its
`\n` is there; what stands behind the last one was torn, by a crash or a full disk, and is taken out before the file is
written again. An event's `seq` is the time in microseconds at which it was written, or one more than the last one's:
so all of them have one order, whichever process or session they are from.

A writer holds a lock on the file that it adds to. A file that another process holds, or that cannot be locked,
is left alone and the run continued in a file of its own; whoever reads puts them together.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections import OrderedDict
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING
from urllib.parse import quote

from locus_nb._errors import StoreError
from locus_nb._store.run_file import read_stored
from locus_nb._store.run_lines import BadLine, Head, head_line, read_line
from locus_nb._store.storage import plain_changes, still_open, unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from locus_nb._history import RunRecord
    from locus_nb._store.storage import Limits, RunChange, StoredEvents

ENDING = ".jsonl"
_MOST_OPEN = 64
_LONGEST_NAME = 120
_DAY_S = 86_400
_ABANDONED_S = _DAY_S
_BLOCK = 1 << 16
# Lines in which one of ours is looked for, if the first one is damaged or something else.
_LOOKED_AT = 100
# The end of an event's line.
_SEQ = re.compile(rb'"seq":(\d{1,18})}\n')
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class JsonlStorage:
    """Writes events to one file per run in a folder; a `Storage`."""

    def __init__(self, path: Path) -> None:
        self._folder = path
        self._files: OrderedDict[str, _RunFile] = OrderedDict()
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
            self._files.popitem()[1].close()

    def abandon(self) -> None:
        """Let go in a forked child: the parent's lock stays the parent's."""
        self.close()

    def held(self, run_id: str, ids: Sequence[str]) -> set[str]:
        """Say which of these events of a run the folder holds already."""
        found: set[str] = set()
        for path in candidates(self._folder, run_id):
            if (file := read_stored(path)) is not None:
                found.update(event_id for event_id, _ in file.events.get(run_id, ()))
        return found.intersection(ids)

    def write(self, events: StoredEvents, changes: Mapping[str, RunChange]) -> None:
        """Add all, each run's in one call of the system; what was added is taken back if one fails."""
        self.open()
        plain = plain_changes(changes)
        rows: dict[str, list[int]] = {run_id: [] for run_id in plain}
        for row, run_id in enumerate(events.run_ids):
            rows.setdefault(run_id, []).append(row)
        before: list[tuple[_RunFile, int]] = []
        try:
            for run_id, its in rows.items():
                record, _, *lacks = plain[run_id]
                known = record or unknown(run_id, events)
                # A new file says that its run has ended only behind its events.
                file = self._file(run_id, still_open(known) if its else known)
                before.append((file, file.size))
                first = self._next_seqs(file, len(its))
                lines = [_event_line(events, row, seq) for seq, row in enumerate(its, first)]
                if record is not None and (any(lacks) or file.told != record):
                    lines.append(_head(record, *lacks))
                file.add("".join(lines))
                file.told = record or file.told
        except BaseException:
            for file, size in before:
                file.take_back(size)
            self.close()
            raise
        for run_id in [run_id for run_id, (record, *_) in plain.items() if record and record.closed]:
            self._files.pop(run_id).close()
        while len(self._files) > _MOST_OPEN:
            self._files.popitem(last=False)[1].close()

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
                self._files.pop(run_id).close()
            for path in paths:
                path.unlink(missing_ok=True)
                size -= files[path].st_size
            left -= 1

    def _next_seqs(self, file: _RunFile, count: int) -> int:
        """Give the first of so many numbers in a row, above all that the file and this process have."""
        first = max(self._last_seq, file.last_seq, time.time_ns() // 1000) + 1
        self._last_seq = file.last_seq = first + count - 1
        return first

    def _file(self, run_id: str, record: RunRecord) -> _RunFile:
        file = self._files.get(run_id)
        if file is None:
            file = self._files[run_id] = _RunFile.of(self._folder, run_id, record)
        self._files.move_to_end(run_id)
        return file


class _RunFile:
    """A file that this process alone adds to."""

    def __init__(self, number: int, path: Path) -> None:
        self._number = number
        self._path = path
        self.size = self.last_seq = 0
        self.told: RunRecord | None = None

    @classmethod
    def of(cls, folder: Path, run_id: str, record: RunRecord) -> _RunFile:
        """Go on in the run's file, or begin one."""
        for path in candidates(folder, run_id, also_new=True):
            file = cls._opened(path)
            if file is None:
                continue
            try:
                file.repair()
                if not file.size:
                    file.add(_head(record))
                    file.told = record
                    return file
                if run_id_in(path) == run_id:
                    return file
            except BaseException:
                file.close()
                raise
            file.close()
        raise StoreError(f"Cannot keep the run {run_id!r} in {str(folder)!r}: every name for it is taken")

    @classmethod
    def _opened(cls, path: Path) -> _RunFile | None:
        """Give the file if nobody else can add to it."""
        is_new = not path.exists()
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | (os.O_EXCL if is_new else 0)
        try:
            number = os.open(path, flags, 0o644)
        except FileExistsError:
            return None
        # Without a lock only one that nobody else has seen is safe.
        if _lock(number) or is_new:
            return cls(number, path)
        os.close(number)
        return None

    def add(self, text: str) -> None:
        """Append; what is written in part is taken back by the caller."""
        left = memoryview(text.encode())
        size = len(left)
        while left:
            left = left[os.write(self._number, left) :]
        self.size += size
        # The system's own stamp may be the same for several milliseconds, and tells which run was used last.
        now = time.time_ns()
        os.utime(self._path, ns=(now, now))

    def take_back(self, size: int) -> None:
        """Cut off what was added beyond `size`; if that fails too, the tail is repaired when it is next opened."""
        with suppress(OSError):
            os.ftruncate(self._number, size)

    def close(self) -> None:
        """Close it, and give up the lock."""
        os.close(self._number)

    def repair(self) -> None:
        """Cut off a torn tail, and see how far its numbers go."""
        end = os.fstat(self._number).st_size
        whole = end
        while whole > 0:
            start = max(0, whole - _BLOCK)
            os.lseek(self._number, start, os.SEEK_SET)
            tail = os.read(self._number, whole - start)
            self.last_seq = max([self.last_seq, *map(int, _SEQ.findall(tail))])
            found = tail.rfind(b"\n")
            whole = start + found + 1 if found >= 0 else start
            if found >= 0:
                break
        if whole < end:
            os.ftruncate(self._number, whole)
        self.size = whole


def files_of(folder: Path) -> dict[Path, os.stat_result]:
    """Give the folder's files, the one that was written to last last; others may be deleting some."""
    found: dict[Path, os.stat_result] = {}
    for path in folder.glob(f"*{ENDING}"):
        with suppress(FileNotFoundError):
            found[path] = path.stat()
    return dict(sorted(found.items(), key=lambda each: (each[1].st_mtime_ns, each[0])))


def run_id_in(path: Path) -> str | None:
    """Say which run a file holds; None if it is none of a store, or gone.

    Raises:
        StoreError: It is of another version.
    """
    with suppress(FileNotFoundError), path.open("rb") as file:
        for line in islice(file, _LOOKED_AT):
            try:
                found = read_line(line)
            except BadLine as bad:
                if bad.foreign:
                    raise StoreError(f"Cannot read {str(path)!r}: {bad.reason}") from bad
                continue
            return found.record.run_id if isinstance(found, Head) else found.run_id
    return None


def candidates(folder: Path, run_id: str, *, also_new: bool = False) -> Iterator[Path]:
    """Give the files a run may be in; with `also_new` those that it could be in, without end."""
    base = quote(run_id, safe=" ")
    if len(base) > _LONGEST_NAME or base != run_id.lower():
        # File systems may not tell capitals from small letters.
        base = f"{base[:_LONGEST_NAME]}~{hashlib.sha256(run_id.encode()).hexdigest()[:12]}"
    count = 1
    while True:
        path = folder / (f"{base}{ENDING}" if count == 1 else f"{base}~{count}{ENDING}")
        if not also_new and not path.exists():
            return
        yield path
        count += 1


def _head(record: RunRecord, missed: int = 0, dropped: int = 0) -> str:
    # Its secrets were taken out before.
    return head_line(record, lacks=(missed, dropped), secrets=True) + "\n"


def _event_line(events: StoredEvents, row: int, seq: int) -> str:
    when = (_EPOCH + timedelta(microseconds=events.times_us[row])).isoformat()
    data = events.data[row]
    if not data.startswith("{"):
        # What was beyond what can be copied is a text that says so.
        data = f'{{"unreadable":{data}}}'
    return (
        f'{{"event_id":{_text(events.event_ids[row])},"run_id":{_text(events.run_ids[row])},'
        f'"event_type":{_text(events.event_types[row])},"timestamp":"{when}",'
        f'"data":{data},"seq":{seq}}}\n'
    )


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _is_closed(run_id: str, paths: Sequence[Path]) -> bool:
    """Say whether the last record of each file is that of a closed run."""
    files = [file for path in paths if (file := read_stored(path)) is not None]
    return all(run_id in file.records and file.records[run_id].closed for file in files)


def _now_s() -> float:
    return datetime.now(UTC).timestamp()


def _lock(number: int) -> bool:
    """Hold the file alone, until it is closed; False if another process holds it, or nobody can."""
    try:
        import fcntl  # noqa: PLC0415 - not on every system
    except ImportError:
        return False
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
