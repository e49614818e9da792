"""One file of runs: what it holds, as far as it can be read, and what is wrong with it."""

from __future__ import annotations

import gzip
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from locus_nb._history import RunRecord
from locus_nb._payloads.format import cut
from locus_nb._store.run_lines import BadLine, Head, KeptEvent, read_line

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence

_GZIP = b"\x1f\x8b"
_LARGEST = (1 << 63) - 1
_LONGEST_ID = 100


class RunFile:
    """What one file holds, as far as it can be read.

    Args:
        path: The file.
        is_stored: Whether it is one of a store, whose runs lack what cannot be read, and what their heads say.
    """

    def __init__(self, path: str, *, is_stored: bool = False) -> None:
        self.path = path
        self._is_stored = is_stored
        self.records: dict[str, RunRecord] = {}
        # Events that a head said are in the file.
        self.promised: dict[str, int] = {}
        # Of runs that a store wrote: events that were gone before, and that were dropped.
        self.lacks: dict[str, tuple[int, int]] = {}
        # By id and number: an event may be in a file twice, if whoever wrote it tried again.
        self.events: dict[str, dict[tuple[str, int], KeptEvent]] = {}
        # Line and reason of the first one, and how many there are.
        self.problem: tuple[int | None, str] | None = None
        self.problems = 0
        self.lines = 0
        self._bad_lines = 0

    def add(self, number: int, line: bytes) -> bool:
        """Take a line; False if the rest of the file is not worth a look."""
        self.lines = number
        try:
            found = read_line(line)
        except BadLine as bad:
            cut_off = not line.endswith(b"\n")
            reason = f"it is cut off, or {bad.reason}" if cut_off and not bad.hopeless else bad.reason
            self._note(number, reason)
            self._bad_lines += 1
            return not bad.hopeless
        if isinstance(found, Head):
            self._add_head(found)
        else:
            self._add_event(number, found)
        return True

    def _add_head(self, head: Head) -> None:
        run_id = head.record.run_id
        before = self.records.get(run_id)
        self.records[run_id] = head.record if before is None else continued(before, head.record)
        if head.lacks is not None:
            missed, dropped = self.lacks.get(run_id, (0, 0))
            self.lacks[run_id] = missed + head.lacks[0], dropped + head.lacks[1]
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
            if self._is_stored or run_id in self.lacks:
                yield self._counted(record, len(events)), events
            else:
                yield (self._without_the_missing(record, len(events)) if self.problems else record), events

    def _counted(self, record: RunRecord, found: int) -> RunRecord:
        missed, dropped = self.lacks.get(record.run_id, (record.trimmed - record.dropped, record.dropped))
        # A line that cannot be read was an event, as almost all are.
        trimmed = max(0, missed) + max(0, dropped) + self._bad_lines
        return record._replace(total=found + trimmed, trimmed=trimmed, dropped=max(0, dropped))

    def _without_the_missing(self, record: RunRecord, found: int) -> RunRecord:
        missing = self.promised.get(record.run_id, record.total - record.trimmed) - found
        return record._replace(trimmed=min(record.trimmed + missing, record.total)) if missing > 0 else record


def continued(before: RunRecord, later: RunRecord) -> RunRecord:
    """Give the later record, with what only the earlier one knows."""
    return later._replace(
        name=before.name if later.name is None else later.name,
        tags=later.tags or before.tags,
        cell_id=before.cell_id if later.cell_id is None else later.cell_id,
        execution_count=before.execution_count if later.execution_count is None else later.execution_count,
        started_at_ns=min(before.started_at_ns, later.started_at_ns),
    )


Part = tuple[RunRecord, "list[KeptEvent]"]


def joined(first: Part, second: Part) -> Part:
    """Put together what two files of a store hold of one run; the second one's word holds."""
    (before, events), (later, more) = first, second
    union = {(event.event_id, event.seq): event for event in (*events, *more)}
    trimmed = before.trimmed + later.trimmed
    record = continued(before, later)._replace(
        total=len(union) + trimmed, trimmed=trimmed, dropped=before.dropped + later.dropped
    )
    return record, sorted(union.values(), key=seq_of)


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


def read_stored(path: Path) -> RunFile | None:
    """Read a file that a store may be writing; a line at its end that is not whole is left out. None if it is gone."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    read = RunFile(str(path), is_stored=True)
    for number, line in enumerate(content[: content.rfind(b"\n") + 1].split(b"\n")[:-1], 1):
        if line and not line.isspace() and not read.add(number, line + b"\n"):
            break
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
