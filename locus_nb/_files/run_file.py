"""One file of runs: what it holds, as far as it can be read, and what is wrong with it."""

from __future__ import annotations

import gzip
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from locus_nb._files.run_lines import BadLine, Head, KeptEvent, read_line
from locus_nb._history import RunRecord
from locus_nb._payloads.format import cut

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence

_GZIP = b"\x1f\x8b"
_LARGEST = (1 << 63) - 1
_LONGEST_ID = 100


class RunFile:
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

    def note_conflict(self, run_id: str, other: RunFile) -> None:
        """Say that another file holds something else."""
        self._note(None, f"its events of run {_shown(run_id)} are not those that {other.path} holds")

    def stop_short(self, reason: str) -> None:
        """Say that what comes after the last line cannot be had."""
        self._note(self.lines + 1, reason)

    def finish(self) -> None:
        """Look at what the file lacks as a whole."""
        if not self.lines:
            self.stop_short("the file is empty")
        elif not self.problems:
            for run_id in [run_id for run_id in self.events if run_id not in self.records]:
                self._note(None, f"it has events of run {_shown(run_id)}, and no line for the run itself")
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
        for run_id in dict.fromkeys([*self.records, *self.events]):
            events = sorted(self.events.get(run_id, {}).values(), key=seq_of)
            record = self.records.get(run_id) or _record_of(run_id, events)
            yield (self._without_the_missing(record, len(events)) if self.problems else record), events

    def _without_the_missing(self, record: RunRecord, found: int) -> RunRecord:
        missing = self.promised.get(record.run_id, record.total - record.trimmed) - found
        return record._replace(trimmed=min(record.trimmed + missing, record.total)) if missing > 0 else record


def seq_of(event: KeptEvent) -> int:
    """Give an event's number."""
    return event.seq


def read_file(path: str) -> RunFile:
    """Read a file of runs, whatever it holds.

    Raises:
        OSError: It cannot be read.
    """
    read = RunFile(path)
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


def _shown(run_id: str) -> str:
    return cut(repr(run_id), _LONGEST_ID)
