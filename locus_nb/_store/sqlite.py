"""Events and runs as rows of an SQLite file.

`events.seq` is the order in the file, also where several processes write it.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from locus_nb._store.sqlite_file import SqliteFile, give_back, is_larger_than, told, transaction
from locus_nb._store.storage import Outcome, by_use, plain_changes, unknown

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from locus_nb._store.storage import Limits, RunChange, StoredEvents

_TELL = """
INSERT INTO runs (run_id, name, tags, status, started_at_ns, ended_at_ns, cell_id, execution_count, closed,
                  stored, missed, dropped, used_at_ns)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (run_id) DO UPDATE SET
    name = coalesce(excluded.name, name),
    tags = iif(excluded.tags = '{}', tags, excluded.tags),
    status = excluded.status,
    started_at_ns = min(started_at_ns, excluded.started_at_ns),
    ended_at_ns = excluded.ended_at_ns,
    cell_id = coalesce(excluded.cell_id, cell_id),
    execution_count = coalesce(excluded.execution_count, execution_count),
    closed = excluded.closed,
    stored = stored + excluded.stored,
    missed = missed + excluded.missed,
    dropped = dropped + excluded.dropped,
    used_at_ns = iif(excluded.stored, max(used_at_ns, excluded.used_at_ns), used_at_ns)
RETURNING run, stored
"""
_USE = """
UPDATE runs SET stored = stored + ?, missed = missed + ?, dropped = dropped + ?, used_at_ns = max(used_at_ns, ?)
WHERE run_id = ? RETURNING run, stored
"""
_MISS = "UPDATE runs SET missed = missed + ? WHERE run = ?"
_INSERT = "INSERT INTO events (run, event_id, event_type, time_us, data) VALUES "
_ROW = "(?,?,?,?,?)"
_WIDTH = 5
# Rows in one statement: each statement gives up the interpreter's lock and has to wait for it again, for up to
# 5 ms where the agent computes. More than these gain nothing.
_ROWS_AT_ONCE = 100
_INSERT_MANY = _INSERT + ",".join([_ROW] * _ROWS_AT_ONCE)
_DAY_NS = 86_400 * 10**9
# A run that was left open by a process that died counts as running for this long.
_ABANDONED_NS = _DAY_NS


class SqliteStorage:
    """Writes events to an SQLite file; a `Storage`."""

    def __init__(self, path: Path) -> None:
        self._file = SqliteFile(path)

    def open(self) -> None:
        """Open the file, made if there is none; again if another one took its place."""
        self._file.open()

    def close(self) -> None:
        """Close the file; one that was moved or deleted is made whole before."""
        self._file.close()

    def abandon(self) -> None:
        """Let go in a forked child."""
        self._file.abandon()

    def settle(self) -> None:
        """Bring what is in the log into the file itself; what somebody still needs of an older state stays there."""
        self._file.settle()

    def held(self, run_id: str, ids: Sequence[str]) -> set[str]:
        """Say which of these events of a run the file holds already."""
        with told(self._file.path, "read"):
            rows = self._file.open().execute(
                "SELECT event_id FROM events WHERE run = (SELECT run FROM runs WHERE run_id = ?)", (run_id,)
            )
            return {event_id for (event_id,) in rows}.intersection(ids)

    def write(self, events: StoredEvents, changes: Mapping[str, RunChange]) -> Outcome:
        """Add all in one transaction."""
        connection, now = self._file.open(), time.time_ns()
        plain = plain_changes(changes)
        runs: dict[str, int] = {}
        outcome = Outcome({}, {})
        self._file.is_logged = True
        with told(self._file.path, "write"), transaction(connection):
            # Each a moment after the one that was used before it.
            for moment, run_id in enumerate(by_use(plain, events), now):
                change = plain[run_id]
                runs[run_id], stored = _tell(connection, run_id, change, events, moment)
                if (lacking := change.before + change.stored - stored) > 0:
                    connection.execute(_MISS, (lacking, runs[run_id]))
                    outcome.lacking[run_id] = lacking
            _insert(connection, [runs[run_id] for run_id in events.run_ids], events)
        return outcome

    def prune(self, limits: Limits, is_running: Callable[[str], bool]) -> None:
        """Delete runs one by one, each in a transaction, and give their room back."""
        with told(self._file.path, "shrink"):
            _prune(self._file.open(), limits, is_running)


def _prune(connection: sqlite3.Connection, limits: Limits, is_running: Callable[[str], bool]) -> None:
    now = time.time_ns()
    rows: list[tuple[int, str, int, int]] = connection.execute(
        "SELECT run, run_id, closed, used_at_ns FROM runs ORDER BY used_at_ns, run"
    ).fetchall()
    left = len(rows)
    pruned = False
    for run, run_id, closed, used_at_ns in rows:
        too_many = limits.runs is not None and left > limits.runs
        too_old = limits.days is not None and now - used_at_ns > limits.days * _DAY_NS
        if not (too_many or too_old or (limits.mb is not None and is_larger_than(limits.mb, connection))):
            break
        if not closed and (now - used_at_ns < _ABANDONED_NS or is_running(run_id)):
            continue
        with transaction(connection):
            connection.execute("DELETE FROM events WHERE run = ?", (run,))
            connection.execute("DELETE FROM runs WHERE run = ?", (run,))
        left -= 1
        pruned = True
    if pruned:
        give_back(connection)


def _tell(
    connection: sqlite3.Connection, run_id: str, change: RunChange, events: StoredEvents, now: int
) -> tuple[int, int]:
    """Write what is new of a run; its key and how many events it has. Another process may have deleted it."""
    record, *counts, _ = change
    if record is None:
        found = connection.execute(_USE, (*counts, now, run_id)).fetchall()
        if found:
            return found[0]
        record = unknown(run_id, events)
    _, name, tags, status, started, ended, cell, execution, closed, *_ = record
    row = (
        run_id, name, json.dumps(tags, ensure_ascii=False) if tags else "{}", status, started, ended, cell,
        execution, closed, *counts, now,
    )  # fmt: skip
    return connection.execute(_TELL, row).fetchall()[0]


def _insert(connection: sqlite3.Connection, runs: Sequence[int], events: StoredEvents) -> None:
    count = len(runs)
    flat: list[Any] = [None] * (_WIDTH * count)
    columns: Iterable[Sequence[Any]] = (
        runs,
        events.event_ids,
        events.event_types,
        events.times_us,
        events.data,
    )
    for place, column in enumerate(columns):
        flat[place::_WIDTH] = column
    whole = count - count % _ROWS_AT_ONCE
    for start in range(0, whole * _WIDTH, _ROWS_AT_ONCE * _WIDTH):
        connection.execute(_INSERT_MANY, flat[start : start + _ROWS_AT_ONCE * _WIDTH])
    if rest := count - whole:
        connection.execute(_INSERT + ",".join([_ROW] * rest), flat[whole * _WIDTH :])
