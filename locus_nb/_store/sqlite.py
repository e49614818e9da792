"""The SQLite file of a store: its schema, how it is opened, and how it is written.

`events.seq` is the order in the file, also where several processes write it. The file is in WAL mode with
`synchronous=NORMAL`: what was committed outlives the death of any process, `kill -9` included; a power loss or a
crash of the operating system may take the newest commits, and never damages the file
(https://sqlite.org/pragma.html#pragma_synchronous).
"""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import contextmanager, suppress
from itertools import chain
from typing import TYPE_CHECKING, Any

from locus_nb._errors import StoreError
from locus_nb._store.storage import Outcome, by_use, plain_changes, unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
    from pathlib import Path

    from locus_nb._store.storage import Limits, RunChange, StoredEvents

# "locu"
APPLICATION_ID = 0x6C6F6375
VERSION = 2
# How long one process waits for another one's transaction, in seconds.
BUSY_S = 1.0

_SCHEMA = f"""
CREATE TABLE runs (
    run INTEGER PRIMARY KEY,
    run_id TEXT NOT NULL UNIQUE,
    name TEXT,
    tags TEXT NOT NULL,
    status TEXT NOT NULL,
    started_at_ns INTEGER NOT NULL,
    ended_at_ns INTEGER,
    cell_id TEXT,
    execution_count INTEGER,
    closed INTEGER NOT NULL,
    stored INTEGER NOT NULL,
    missed INTEGER NOT NULL,
    dropped INTEGER NOT NULL,
    used_at_ns INTEGER NOT NULL
);
CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    run INTEGER NOT NULL,
    event_id TEXT NOT NULL,
    event_type TEXT NOT NULL,
    time_us INTEGER NOT NULL,
    data TEXT NOT NULL
);
CREATE INDEX events_of_run ON events (run);
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {VERSION};
"""
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
# Bytes. Larger pages are fewer calls of the system for the same batch.
_PAGE = 16_384
# Of a file without runs: its head, its map of pages, and the first page of each table and index.
_EMPTY_PAGES = 6
# Rows in one statement: each statement gives up the interpreter's lock and has to wait for it again, for up to
# 5 ms where the agent computes. More than these gain nothing.
_ROWS_AT_ONCE = 100
_INSERT_MANY = _INSERT + ",".join([_ROW] * _ROWS_AT_ONCE)
_DAY_NS = 86_400 * 10**9
# A run that was left open by a process that died counts as running for this long.
_ABANDONED_NS = _DAY_NS
# Connections of the process that this one was forked from (https://sqlite.org/howtocorrupt.html, section 2.6).
_abandoned: list[sqlite3.Connection] = []


class SqliteStorage:
    """Writes events to an SQLite file; a `Storage`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._file: tuple[int, int] | None = None
        # Whether there may be something in the log that is not in the file itself.
        self._is_logged = False

    def open(self) -> None:
        """Open the file, made if there is none; again if another one took its place."""
        if self._connection is not None and self._file == _identity(self._path):
            return
        self.close()
        self._connection = _opened(self._path)
        self._file = _identity(self._path)

    def close(self) -> None:
        """Close the file; one that was moved or deleted is made whole before, which SQLite does not do then."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if self._file != _identity(self._path):
            # What is at the path now must not be given this log. A damaged file, a full disk: it stays as it is.
            with suppress(sqlite3.Error):
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        connection.close()

    def abandon(self) -> None:
        """Let go in a forked child, without a call into SQLite, which would take part in the parent's work."""
        if self._connection is not None:
            _abandoned.append(self._connection)
        self._connection = None

    def held(self, run_id: str, ids: Sequence[str]) -> set[str]:
        """Say which of these events of a run the file holds already."""
        with told(self._path, "read"):
            rows = self._now_open().execute(
                "SELECT event_id FROM events WHERE run = (SELECT run FROM runs WHERE run_id = ?)", (run_id,)
            )
            return {event_id for (event_id,) in rows}.intersection(ids)

    def write(self, events: StoredEvents, changes: Mapping[str, RunChange]) -> Outcome:
        """Add all in one transaction."""
        connection, now = self._now_open(), time.time_ns()
        plain = plain_changes(changes)
        runs: dict[str, int] = {}
        outcome = Outcome({}, {})
        self._is_logged = True
        with told(self._path, "write"), _transaction(connection):
            # Each a moment after the one that was used before it.
            for moment, run_id in enumerate(by_use(plain, events), now):
                change = plain[run_id]
                runs[run_id], stored = self._tell(run_id, change, events, moment)
                if (lacking := change.before + change.stored - stored) > 0:
                    connection.execute(_MISS, (lacking, runs[run_id]))
                    outcome.lacking[run_id] = lacking
            _insert(connection, [runs[run_id] for run_id in events.run_ids], events)
        return outcome

    def settle(self) -> None:
        """Bring what is in the log into the file itself; what somebody still needs of an older state stays there."""
        if self._connection is None or not self._is_logged:
            return
        # Nothing is lost if it fails, and the next write tells why.
        with suppress(sqlite3.Error):
            busy, logged, moved = self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            self._is_logged = bool(busy) or moved < logged

    def prune(self, limits: Limits, is_running: Callable[[str], bool]) -> None:
        """Delete runs one by one, each in a transaction, and give their room back."""
        with told(self._path, "shrink"):
            self._prune(self._now_open(), limits, is_running)

    def _prune(
        self, connection: sqlite3.Connection, limits: Limits, is_running: Callable[[str], bool]
    ) -> None:
        now = time.time_ns()
        rows: list[tuple[int, str, int, int]] = connection.execute(
            "SELECT run, run_id, closed, used_at_ns FROM runs ORDER BY used_at_ns, run"
        ).fetchall()
        left = len(rows)
        pruned = False
        for run, run_id, closed, used_at_ns in rows:
            too_many = limits.runs is not None and left > limits.runs
            too_old = limits.days is not None and now - used_at_ns > limits.days * _DAY_NS
            if not (too_many or too_old or _is_too_large(connection, limits.mb)):
                break
            if not closed and (now - used_at_ns < _ABANDONED_NS or is_running(run_id)):
                continue
            with _transaction(connection):
                connection.execute("DELETE FROM events WHERE run = ?", (run,))
                connection.execute("DELETE FROM runs WHERE run = ?", (run,))
            left -= 1
            pruned = True
        if pruned:
            # A script, because only that takes as many steps as this pragma has.
            connection.executescript("PRAGMA incremental_vacuum")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def _now_open(self) -> sqlite3.Connection:
        self.open()
        return self._own()

    def _own(self) -> sqlite3.Connection:
        assert self._connection is not None  # noqa: S101 - told to the type checker
        return self._connection

    def _tell(self, run_id: str, change: RunChange, events: StoredEvents, now: int) -> tuple[int, int]:
        """Write what is new of a run; its key and how many events it has. Another process may have deleted it."""
        record, *counts, _ = change
        if record is None:
            found = self._own().execute(_USE, (*counts, now, run_id)).fetchall()
            if found:
                return found[0]
            record = unknown(run_id, events)
        _, name, tags, status, started, ended, cell, execution, closed, *_ = record
        row = (
            run_id, name, json.dumps(tags, ensure_ascii=False) if tags else "{}", status, started, ended, cell,
            execution, closed, *counts, now,
        )  # fmt: skip
        return self._own().execute(_TELL, row).fetchall()[0]


def is_held(error: BaseException) -> bool:
    """Say whether somebody else's lock is in the way."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def check(connection: sqlite3.Connection, path: Path) -> bool:
    """Say whether the file is a store: False for one that is still empty.

    Raises:
        StoreError: It is another application's, damaged, or of another version.
    """
    with told(path, "open"), _one_look(connection):
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if not (application or version or tables):
        return False
    if application != APPLICATION_ID:
        raise StoreError(
            f"Cannot open {str(path)!r} as a store: it is a database of something else; name another file"
        )
    if version != VERSION:
        raise StoreError(
            f"Cannot open the store {str(path)!r}: its schema is version {version}, this locus_nb knows "
            f"{VERSION}; use the locus_nb that wrote it, or begin a new file"
        )
    return True


@contextmanager
def told(path: Path, doing: str) -> Generator[None, None, None]:
    """Turn SQLite's word for a file that is damaged, or no database at all, into ours."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF not in {
            sqlite3.SQLITE_CORRUPT,
            sqlite3.SQLITE_NOTADB,
        }:
            raise
        raise StoreError(
            f"Cannot {doing} the store {str(path)!r}: {error}; restore it from a copy, save what "
            f"`sqlite3 {path.name} .recover` can, or begin a new file"
        ) from error


def _opened(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        if not check(connection, path):
            # Takes effect only before the first page is written.
            connection.execute(f"PRAGMA page_size = {_PAGE}")
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        with told(path, "open"):
            connection.execute("PRAGMA journal_mode = WAL").fetchall()
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(f"PRAGMA journal_size_limit = {64 << 20}").fetchall()
            with _transaction(connection):
                if not check(connection, path):
                    for statement in _SCHEMA.split(";"):
                        connection.execute(statement)
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Generator[None, None, None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # A full disk rolls back by itself.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def _one_look(connection: sqlite3.Connection) -> Generator[None, None, None]:
    """See one moment of the file, in which another process may just make its tables."""
    began = not connection.in_transaction
    if began:
        connection.execute("BEGIN")
    try:
        yield
    finally:
        if began and connection.in_transaction:
            connection.execute("ROLLBACK")


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


def _is_too_large(connection: sqlite3.Connection, mb: float | None) -> bool:
    if mb is None:
        return False
    pragmas = ("page_count", "freelist_count", "page_size")
    pages, free, size = chain.from_iterable(
        connection.execute(f"PRAGMA {name}").fetchone() for name in pragmas
    )
    return (pages - free - _EMPTY_PAGES) * size > mb * 1_000_000


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
