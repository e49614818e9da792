r"""A file of one run that this process adds to, and no other.

A line counts once its `\n` is there; what stands behind the last one was torn, by a crash or a full disk, and is taken
out before the file is written again. It is locked as long as it is open.
"""

from __future__ import annotations

import os
import re
import time
from contextlib import suppress
from itertools import chain
from typing import TYPE_CHECKING

from locus_nb._store.folder import candidates, run_id_in
from locus_nb._store.run_lines import head_line

if TYPE_CHECKING:
    from pathlib import Path

    from locus_nb._history import RunRecord

_BLOCK = 1 << 16
# The end of an event's line.
_SEQ = re.compile(rb'"seq":(\d{1,18})}\n')


class GrowingFile:
    """One file, open and locked. Made by `of`."""

    def __init__(self, number: int, path: Path) -> None:
        self._number = number
        self._path = path
        stat = os.fstat(number)
        self.identity = stat.st_dev, stat.st_ino
        self.size = stat.st_size
        self.last_seq = 0
        self.told: RunRecord | None = None

    @classmethod
    def of(cls, folder: Path, run_id: str, record: RunRecord) -> GrowingFile:
        """Go on in the run's file, or begin one. What holds anything else, or nothing that can be read, stays."""
        # The names have no end.
        files = filter(None, map(cls._opened, candidates(folder, run_id, also_new=True)))
        return next(chain.from_iterable(file.ready(run_id, record) for file in files))

    @classmethod
    def _opened(cls, path: Path) -> GrowingFile | None:
        """Give the file if nobody else can add to it."""
        is_new = not path.exists()
        if not is_new and not path.is_file():
            return None
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

    def ready(self, run_id: str, record: RunRecord) -> tuple[GrowingFile, ...]:
        """Give it, ready to be added to, if it holds the run or nothing; else close it."""
        try:
            is_ours = not self.size or run_id_in(self._path) == run_id
            if is_ours:
                self._repair()
            if is_ours and not self.size:
                self.add(line_of(record))
                self.told = record
        except BaseException:
            self.close()
            raise
        if is_ours:
            return (self,)
        self.close()
        return ()

    def is_there(self) -> bool:
        """Say whether its path still leads to it: nobody put another file there, deleted it, or cut it off."""
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            return False
        return (stat.st_dev, stat.st_ino) == self.identity and stat.st_size >= self.size

    def add(self, text: str, *, is_use: bool = True) -> None:
        """Append; what is written in part is taken back by the caller.

        Args:
            text: Whole lines.
            is_use: Whether the run counts as used now.
        """
        left = memoryview(text.encode())
        size = len(left)
        used_at_ns = os.fstat(self._number).st_mtime_ns
        while left:
            left = left[os.write(self._number, left) :]
        self.size += size
        # The system's own stamp may be the same for several milliseconds, and tells which run was used last.
        now = time.time_ns()
        os.utime(self._path, ns=(now, now if is_use else used_at_ns))

    def take_back(self, size: int) -> None:
        """Cut off what was added beyond `size`; if that fails too, the tail is repaired when it is next opened."""
        with suppress(OSError):
            os.ftruncate(self._number, size)

    def close(self) -> None:
        """Close it, and give up the lock."""
        os.close(self._number)

    def _repair(self) -> None:
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


def line_of(record: RunRecord, missed: int = 0, dropped: int = 0) -> str:
    """Give the line for what is known of a run, whose secrets were taken out before."""
    return head_line(record, lacks=(missed, dropped), secrets=True) + "\n"


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
