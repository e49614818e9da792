"""Reading the SQLite file of a store, at one moment, while others write it."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from locus_nb._errors import StoreError
from locus_nb._event import restored_all
from locus_nb._history import RunRecord
from locus_nb._payloads.patterns import glob
from locus_nb._rest import gc_at_rest
from locus_nb._store.past import Wanted, payloads
from locus_nb._store.sqlite_file import BUSY_S, check, told
from locus_nb._wire import jsonable

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence
    from pathlib import Path

    from locus_nb._event import StreamEvent

# Rows parsed together.
_TOGETHER = 2048

_EVENTS = "SELECT seq, run, event_id, event_type, time_us, data FROM events"
_RUNS = """
SELECT run_id, name, tags, status, started_at_ns, ended_at_ns, cell_id, execution_count, closed, stored,
       missed, dropped
FROM runs
"""


@contextmanager
def sqlite_snapshot(path: Path) -> Generator[SqliteSnapshot, None, None]:
    """Read the file as it is now, whoever writes it meanwhile.

    Raises:
        StoreError: It is foreign, damaged, of another version, or cannot be read.
    """
    try:
        with told(path, "read"), closing(_connected(path)) as connection:
            connection.execute("BEGIN")
            yield SqliteSnapshot(connection, is_empty=not check(connection, path))
    except sqlite3.OperationalError as error:
        raise StoreError(
            f"Cannot read the store {str(path)!r}: {error}; try again, or look who may read and who holds it"
        ) from error


class SqliteSnapshot:
    """The answers of one moment; a `Snapshot`."""

    def __init__(self, connection: sqlite3.Connection, *, is_empty: bool) -> None:
        self._connection = connection
        self._is_empty = is_empty

    def run_ids(self) -> tuple[str, ...]:
        """All runs, least recently used first."""
        return tuple(row[0] for row in self._rows("SELECT run_id FROM runs ORDER BY used_at_ns, run"))

    def records(self) -> list[RunRecord]:
        """All runs, least recently used first."""
        return [_record(*row) for row in self._rows(f"{_RUNS} ORDER BY used_at_ns, run")]

    def run_record(self, run_id: str) -> RunRecord | None:
        """What is known of the run; None for an unknown one."""
        for row in self._rows(f"{_RUNS} WHERE run_id = ?", (jsonable(run_id),)):
            return _record(*row)
        return None

    def history(self, run_id: str) -> tuple[StreamEvent, ...]:
        """Events of the run, in the order of the file."""
        return tuple(self.events(Wanted([run_id])))

    def keys_of(self, wanted: Wanted) -> list[int] | None:
        """Give the file's keys of the wanted runs; None for all."""
        if wanted.run_ids is None:
            return None
        asked = set(map(jsonable, wanted.run_ids))
        return [run for run, run_id in self._rows("SELECT run, run_id FROM runs") if run_id in asked]

    def events_of(self, run_ids: Sequence[str]) -> list[StreamEvent]:
        """Give all events of some runs, in the order of the store."""
        return self.events(Wanted(run_ids))

    def events(self, wanted: Wanted) -> list[StreamEvent]:
        """Give events in the order of the file, with their places in it as `seq`."""
        names: dict[int, str] = dict(self._rows("SELECT run, run_id FROM runs"))
        where, values = conditions(wanted, self.keys_of(wanted))
        # Of the type ever the same text.
        types: dict[str, str] = {}
        events: list[StreamEvent] = []
        with gc_at_rest():
            cursor = self._rows(f"{_EVENTS} {where} ORDER BY seq", values)
            while rows := cursor.fetchmany(_TOGETHER):
                seqs, runs, ids, kinds, times, data = zip(*rows, strict=True)
                events += restored_all(
                    map(names.__getitem__, runs),
                    event_types=[types.setdefault(kind, kind) for kind in kinds],
                    payloads=payloads(data),
                    times_us=times,
                    ids=ids,
                    seqs=seqs,
                )
        return events

    def _rows(self, statement: str, values: Iterable[Any] = ()) -> sqlite3.Cursor:
        if self._is_empty:
            return self._connection.execute("SELECT 1 WHERE 0")
        return self._connection.execute(statement, tuple(values))


def conditions(wanted: Wanted, runs: Sequence[int] | None) -> tuple[str, list[Any]]:
    """Give the WHERE of a statement for the wanted events, of runs with these keys, and its values."""
    found: list[str] = []
    values: list[Any] = []
    if runs is not None:
        # Not bound: a statement may have fewer values than a file runs. They are numbers of the file's own.
        found.append(f"run IN ({','.join(map(str, runs))})")
    if wanted.event_types is not None:
        found.append(f"({' OR '.join(['event_type GLOB ?'] * len(wanted.event_types)) or 'FALSE'})")
        values += map(glob, wanted.event_types)
    if wanted.time is not None:
        found.append("time_us >= ? AND time_us < ?")
        values += wanted.time
    return (f"WHERE {' AND '.join(found)}" if found else ""), values


def _record(  # noqa: PLR0917 - the columns of a row, in their order
    run_id: str,
    name: str | None,
    tags: str,
    status: Any,
    started_at_ns: int,
    ended_at_ns: int | None,
    cell_id: str | None,
    execution_count: int | None,
    closed: int,
    stored: int,
    missed: int,
    dropped: int,
) -> RunRecord:
    dropped = max(0, dropped)
    return RunRecord(
        run_id=run_id,
        name=name,
        tags=json.loads(tags),
        status=status,
        started_at_ns=started_at_ns,
        ended_at_ns=ended_at_ns,
        cell_id=cell_id,
        execution_count=execution_count,
        closed=bool(closed),
        trimmed=missed + dropped,
        total=stored + missed + dropped,
        dropped=dropped,
    )


def _connected(path: Path) -> sqlite3.Connection:
    connection = _connected_as(path, "mode=ro")
    try:
        connection.execute("PRAGMA application_id").fetchone()
    except sqlite3.OperationalError:
        connection.close()
        if path.with_name(f"{path.name}-wal").exists():
            raise
        # In a folder that may not be written there can be no shared memory; nobody writes there either.
        return _connected_as(path, "mode=ro&immutable=1")
    except sqlite3.DatabaseError:
        connection.close()
        raise
    return connection


def _connected_as(path: Path, how: str) -> sqlite3.Connection:
    uri = f"file:{quote(str(path.absolute()))}?{how}"
    return sqlite3.connect(uri, uri=True, timeout=BUSY_S, isolation_level=None)
