r"""A folder with one JSONL file per run: what a store writes where SQLite's log would not be safe.

Line 1 of a file is `{"locus_nb": 1, "kind": "run", "record": {...}}`. A further line is an event, `{"event_id",
"run_id", "event_type", "timestamp", "data", "seq"}`, or the record again as it changed: the last one holds. A line
counts once its `\n` is there; what stands behind the last one was torn, by a crash or a full disk, and is taken
out before the file is written again.

A writer holds a lock on the file that it adds to. A file that another process holds, or that cannot be locked,
is left alone and the run continued in a file of its own; whoever reads puts them together.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections import OrderedDict
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

from locus_nb._errors import StoreError
from locus_nb._store.storage import plain_changes, unknown
from locus_nb._wire import dumps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from locus_nb._history import RunRecord
    from locus_nb._store.storage import Limits, RunChange, StoredEvents

VERSION = 1
ENDING = ".jsonl"
_MOST_OPEN = 64
_LONGEST_NAME = 120
_DAY_S = 86_400
_ABANDONED_S = _DAY_S
_BLOCK = 1 << 16
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class JsonlStorage:
    """Writes events to one file per run in a folder; a `Storage`."""

    def __init__(self, path: Path) -> None:
        self._folder = path
        self._files: OrderedDict[str, _RunFile] = OrderedDict()

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
            found.update(line["event_id"] for line in lines_of(path) if line.get("run_id") == run_id)
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
                file = self._file(run_id, record or unknown(run_id, events))
                before.append((file, file.size))
                lines = [_event_line(events, row) for row in its]
                if record is not None and (any(lacks) or file.told != record):
                    lines.append(record_line(record, lacks))
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
        files = {path: path.stat() for path in self._folder.glob(f"*{ENDING}")}
        runs: dict[str, list[Path]] = {}
        for path in sorted(files, key=lambda path: files[path].st_mtime_ns):
            if (header := header_of(path)) is not None:
                run_id = header["run_id"]
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
            if not _is_closed(paths) and (age_s < _ABANDONED_S or is_running(run_id)):
                continue
            if run_id in self._files:
                self._files.pop(run_id).close()
            for path in paths:
                path.unlink(missing_ok=True)
                size -= files[path].st_size
            left -= 1

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
        self.size = 0
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
                    file.add(record_line(record))
                    file.told = record
                    return file
                if (found := header_of(path)) is not None and found["run_id"] == run_id:
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
        """Cut off a torn tail."""
        end = os.fstat(self._number).st_size
        whole = end
        while whole > 0:
            start = max(0, whole - _BLOCK)
            os.lseek(self._number, start, os.SEEK_SET)
            found = os.read(self._number, whole - start).rfind(b"\n")
            whole = start + found + 1 if found >= 0 else start
            if found >= 0:
                break
        if whole < end:
            os.ftruncate(self._number, whole)
        self.size = whole


def record_line(record: RunRecord, lacks: Sequence[int] = (0, 0)) -> str:
    """Give a line with what is known of the run, and how many more of its events are missed and dropped."""
    fields = record._asdict() | {"tags": dict(record.tags)}
    return dumps({"locus_nb": VERSION, "kind": "run", "record": fields, "lacks": lacks}) + "\n"


def lines_of(path: Path) -> Iterator[dict[str, Any]]:
    """Read the lines that are whole; a torn one at the end, or one that is no JSON object, is left out."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return
    for line in content[: content.rfind(b"\n") + 1].split(b"\n"):
        try:
            parsed = json.loads(line)
        except ValueError:
            continue
        if isinstance(parsed, dict):
            yield parsed


def header_of(path: Path) -> dict[str, Any] | None:
    """Give the record in the first line; None if the file is none of a store.

    Raises:
        StoreError: It is of another version.
    """
    parsed: Any
    try:
        with path.open("rb") as file:
            line = file.readline()
        parsed = json.loads(line) if line.endswith(b"\n") else None
    except (OSError, ValueError):
        return None
    header = cast("dict[str, Any]", parsed) if isinstance(parsed, dict) else {}
    if "locus_nb" not in header:
        return None
    if header["locus_nb"] != VERSION:
        raise StoreError(
            f"Cannot read {str(path)!r}: its form is version {header['locus_nb']!r}, this locus_nb knows "
            f"{VERSION}; use the locus_nb that wrote it"
        )
    record = header.get("record")
    fields = cast("dict[str, Any]", record) if isinstance(record, dict) else {}
    return fields if isinstance(fields.get("run_id"), str) else None


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


def _event_line(events: StoredEvents, row: int) -> str:
    when = (_EPOCH + timedelta(microseconds=events.times_us[row])).isoformat()
    return (
        f'{{"event_id":{_text(events.event_ids[row])},"run_id":{_text(events.run_ids[row])},'
        f'"event_type":{_text(events.event_types[row])},"timestamp":"{when}",'
        f'"data":{events.data[row]},"seq":{events.seqs[row]}}}\n'
    )


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _is_closed(paths: Sequence[Path]) -> bool:
    """Say whether the last record of each file is that of a closed run."""
    for path in paths:
        records = [line["record"] for line in lines_of(path) if line.get("kind") == "run"]
        if not records or not records[-1].get("closed"):
            return False
    return True


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
