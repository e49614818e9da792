"""The SQLite file of a store: its schema, whether a file is one, and how one is held open to be written.

The file is in WAL mode with `synchronous=NORMAL`: what was committed outlives the death of any process, `kill -9`
included; a power loss or a crash of the operating system may take the newest commits, and never damages the file
(https://sqlite.org/pragma.html#pragma_synchronous).
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager, suppress
from itertools import chain
from typing import TYPE_CHECKING

from locus_nb._errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

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
# Bytes. Larger pages are fewer calls of the system for the same batch.
_PAGE = 16_384
# Of a file without runs: its head, its map of pages, and the first page of each table and index.
_EMPTY_PAGES = 6
# Connections of the process that this one was forked from (https://sqlite.org/howtocorrupt.html, section 2.6).
_abandoned: list[sqlite3.Connection] = []


class SqliteFile:
    """An SQLite file that is held open to be written, and opened anew when another one took its place.

    Attributes:
        path: Where it is.
        is_logged: Whether there may be something in the log that is not in the file itself; said by whoever writes.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self.is_logged = False

    def open(self) -> sqlite3.Connection:
        """Give the connection to the file that is at the path now, made if there is none.

        Raises:
            StoreError: It is another application's, damaged, or of another version.
        """
        if self._connection is None or self._identity != _identity(self.path):
            self.close()
            self._connection = _opened(self.path)
            self._identity = _identity(self.path)
        return self._connection

    def close(self) -> None:
        """Close the file; one that was moved or deleted is made whole before, which SQLite does not do then."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        if self._identity != _identity(self.path):
            # What is at the path now must not be given this log. A damaged file, a full disk: it stays as it is.
            with suppress(sqlite3.Error):
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        connection.close()

    def abandon(self) -> None:
        """Let go in a forked child, without a call into SQLite, which would take part in the parent's work."""
        if self._connection is not None:
            _abandoned.append(self._connection)
        self._connection = None

    def settle(self) -> None:
        """Bring what is in the log into the file itself; what somebody still needs of an older state stays there."""
        if self._connection is None or not self.is_logged:
            return
        # Nothing is lost if it fails, and the next write tells why.
        with suppress(sqlite3.Error):
            busy, logged, moved = self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            self.is_logged = bool(busy) or moved < logged


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
def transaction(connection: sqlite3.Connection) -> Generator[None, None, None]:
    """Have all that is done within written, or nothing."""
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


def is_held(error: BaseException) -> bool:
    """Say whether somebody else's lock is in the way."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def is_larger_than(mb: float, connection: sqlite3.Connection) -> bool:
    """Say whether what a file keeps takes more megabytes; the room of what was deleted does not count."""
    pragmas = ("page_count", "freelist_count", "page_size")
    pages, free, size = chain.from_iterable(
        connection.execute(f"PRAGMA {name}").fetchone() for name in pragmas
    )
    return (pages - free - _EMPTY_PAGES) * size > mb * 1_000_000


def give_back(connection: sqlite3.Connection) -> None:
    """Give the room of what was deleted back to the file system."""
    # A script, because only that takes as many steps as this pragma has.
    connection.executescript("PRAGMA incremental_vacuum")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


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
            with transaction(connection):
                if not check(connection, path):
                    for statement in _SCHEMA.split(";"):
                        connection.execute(statement)
    except BaseException:
        connection.close()
        raise
    return connection


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


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
