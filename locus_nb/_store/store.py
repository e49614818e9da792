"""What keeps a bus's events beyond the process: the handle of a store."""

from __future__ import annotations

import os
import warnings
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from locus_nb._bus import EventBus, buses, get_event_bus
from locus_nb._errors import StoreError, warn
from locus_nb._store.account import account_of, inherit
from locus_nb._store.backlog import MAY_PASS
from locus_nb._store.jsonl import JsonlStorage
from locus_nb._store.lifetime import await_ending
from locus_nb._store.mounts import file_system, is_shared
from locus_nb._store.sqlite import SqliteStorage
from locus_nb._store.storage import Limits
from locus_nb._store.writer import Writer

if TYPE_CHECKING:
    from types import TracebackType

    from locus_nb._store.stats import StoreStats
    from locus_nb._store.storage import Storage

Kind = Literal["sqlite", "jsonl"]


class Store:
    """Keeps a bus's events and runs in a file, from those in its history on, until it is closed.

    One daemon thread writes, in batches of half a second or 500 events and at the end of a run; publishing never
    waits for it. Secrets are taken out of what is written; events that are live only (streaming chunks) are not
    kept. What was written and what was not is in `stats()`, and in `bus.readers()`.

    What was published before `flush()` returned True outlives the death of the process, `kill -9` included;
    without it at most the last batch is lost. A power loss may take the newest batches (`synchronous=NORMAL`),
    and never damages the file. At the end of the process all is written; a file that somebody
    else holds is waited for 10 seconds.

    A full disk, a damaged, read-only or locked file never reaches the agent: it is logged once (and so printed,
    unless logging is configured otherwise), told by a `RuntimeWarning` at the next call of this object, and
    counted. Up to 65,536 events are kept until writing works again; more are dropped, and counted.

    One id is one run, for good: events under an id that the file holds already, from an earlier session too, are added
    to that run, whatever the bus has forgotten of it (`drop_history`). A new run takes a new id.

    To copy an SQLite store that is in use, have SQLite do it: `sqlite3 runs.db ".backup copy.db"`, `VACUUM INTO`, or
    `sqlite3.connect("runs.db").backup(...)`. Its newest events may be in `runs.db-wal`, which a plain copy lacks: that
    has all only after `close()`, or from outside this process after `flush()` or a quiet second. A file that is
    moved away takes all along that was written, and a new one is begun. What somebody else deletes of a run that goes
    on (a run, the file) counts as missing in its record.

    Where the file of one run cannot be written (of JSONL), other runs' are; its own events wait, as above.

    Several processes may write one file, also events of the same run. A forked child does not go on storing:
    call `configure`, or make a store, in the child. A store that is forgotten with its bus, without `close`, gives
    a `ResourceWarning`.

    Args:
        path: An SQLite file, made if there is none (its folder must exist). On a network file system, where
            SQLite's log would not be safe: a folder, with one JSONL file per run.
        bus: Whose events; default: the process's bus. A bus has one store at a time.
        kind: `sqlite` or `jsonl`, whatever the file system. What is shared over a network is known on Linux only;
            on another system say `jsonl` there.
        keep_runs: Runs that are kept at most; the longest unused go first, whole, and never one that runs.
        keep_days: Days that a run is kept after its last event.
        keep_mb: Megabytes (of 1,000,000 bytes) that all may take, an empty file's 0.1 not counted. Limits are kept
            to at opening, at closing, and about once a minute.

    Raises:
        StoreError: The path leads to something else, damaged, or of another version; the bus has a store, or
            as many global readers as it may have.
        FileNotFoundError: There is no such folder.
        TypeError, ValueError: A limit is no number, or negative; `kind` is none.

    Example:
        >>> import tempfile
        >>> from locus_nb import EventBus, Store, StreamEvent, history
        >>> bus = EventBus()
        >>> with tempfile.TemporaryDirectory() as folder, Store(f"{folder}/runs.db", bus=bus) as store:
        ...     bus.publish_nowait(StreamEvent("run-1", "agent.think", {"iteration": 1}))
        ...     store.flush(), history(store.path).run_ids()
        (True, ('run-1',))
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        bus: EventBus | None = None,
        kind: Kind | None = None,
        keep_runs: int | None = None,
        keep_days: float | None = None,
        keep_mb: float | None = None,
    ) -> None:
        self._writer: Writer | None = None
        self._told_of_end = False
        self._bus = get_event_bus() if bus is None else bus
        self._path = Path(path).absolute()
        self._limits = checked_limits(keep_runs, keep_days, keep_mb)
        if self._bus.store is not None and not self._bus.store.closed:
            raise StoreError(
                f"Cannot store this bus's events in {str(path)!r} too: they are stored in "
                f"{str(self._bus.store.path)!r}; close that store first, or use configure(store=...)"
            )
        await_ending(self._path)
        self._kind: Kind
        self._kind, storage, failure = opened(self._path, kind)
        writer = Writer(
            self._bus,
            storage,
            limits=self._limits,
            account=account_of(self._bus, self._path),
            where=self._path,
        )
        if failure is not None:
            writer.failures.note(failure)
        writer.start()
        self._writer = writer
        self._bus.store = self
        self._tell()

    @property
    def path(self) -> Path:
        """Where it writes, absolute."""
        return self._path

    @property
    def kind(self) -> Kind:
        """Whether that is an SQLite file or a folder of JSONL files."""
        return self._kind

    @property
    def limits(self) -> Limits:
        """How much is kept."""
        return self._limits

    @property
    def closed(self) -> bool:
        """Whether it stores nothing any more: it was closed, its bus's readers were ended, or this is a fork."""
        return self._writer is None or self._writer.closed

    def stats(self) -> StoreStats:
        """What was written and what was not. Any thread."""
        self._tell()
        return self._own_writer().stats()

    def flush(self, timeout: float = 10.0) -> bool:
        """Wait until all that was published before is committed; any thread.

        Args:
            timeout: Seconds.

        Returns:
            False if it could not be written, or not in time, and once for events that were lost before; of a closed
            store, if something was published since. What was dropped before is not waited for.
        """
        through = self._own_writer().flush(timeout)
        self._tell()
        return through

    def close(self, timeout: float = 10.0) -> None:
        """Write what there is and let go of the file; what cannot be written is lost, counted and told. Idempotent.

        Args:
            timeout: Seconds to wait while somebody else holds the file. One try is made in any case.
        """
        self._own_writer().close(timeout)
        self._tell()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        # It may never have become whole.
        writer = getattr(self, "_writer", None)
        if writer is not None and not writer.closed:
            warnings.warn(f"{self!r} was not closed", ResourceWarning, source=self, stacklevel=1)
            writer.forget()

    def __repr__(self) -> str:
        return f"<Store {str(self._path)!r}{', closed' if self.closed else ''}>"

    def _own_writer(self) -> Writer:
        assert self._writer is not None  # noqa: S101 - it is whole
        return self._writer

    def _tell(self) -> None:
        """Warn of what went wrong in the thread."""
        writer = self._own_writer()
        if not self._told_of_end and writer.was_ended and writer.is_missed():
            self._told_of_end = True
            writer.failures.unsaid.append(
                "it was closed when the readers of its bus were ended, and what was published since is not stored; "
                "make a store, or call configure(), again"
            )
        unsaid = writer.failures.unsaid
        with suppress(IndexError):
            while True:
                warn(
                    f"Events could not be stored in {str(self._path)!r}: {unsaid.popleft()}; see stats()",
                    RuntimeWarning,
                )


def stats_of(store: Store) -> StoreStats:
    """Give what its `stats()` gives, without the warnings, which are for whoever works with the store."""
    return store._own_writer().stats()  # noqa: SLF001 - this module's own  # pyright: ignore[reportPrivateUsage]


def checked_limits(runs: int | None, days: float | None, mb: float | None) -> Limits:
    """Give what is kept.

    Raises:
        TypeError: One is no number.
        ValueError: One is negative.
    """
    for name, limit, kinds in (
        ("keep_runs", runs, int),
        ("keep_days", days, int | float),
        ("keep_mb", mb, int | float),
    ):
        if limit is None:
            continue
        if not isinstance(limit, kinds) or isinstance(limit, bool):
            raise TypeError(f"{name} is a number, not {type(limit).__name__}")
        if not limit >= 0:
            raise ValueError(f"{name} is at least 0, not {limit}")
    return Limits(runs, days, mb)  # pyright: ignore[reportArgumentType] - checked above


def checked_kind(kind: Kind | None) -> Kind | None:
    """Give the kind of a store.

    Raises:
        ValueError: There is none such.
    """
    if kind not in {None, "sqlite", "jsonl"}:
        raise ValueError(f"kind is 'sqlite' or 'jsonl', not {kind!r}")
    return kind


def _kind_for(path: Path) -> Kind:
    """Choose by what is there, or else by the file system.

    Raises:
        StoreError: There is a file, where SQLite's log is not safe.
    """
    if path.is_dir():
        return "jsonl"
    if not is_shared(path):
        return "sqlite"
    if path.exists():
        raise StoreError(
            f"Cannot store in {str(path)!r}: on {file_system(path)}, a network file system, SQLite's log is not "
            "safe; name a folder or a new path for JSONL files, or pass kind='sqlite' if only this machine uses it"
        )
    return "jsonl"


def opened(path: Path, kind: Kind | None) -> tuple[Kind, Storage, BaseException | None]:
    """Open what is written to; what may pass is only told, so that the agent can begin.

    Raises:
        StoreError, FileNotFoundError, ValueError: As `Store` does.
    """
    chosen = checked_kind(kind)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {str(path.parent)!r} for the store {path.name!r}")
    found: Kind = chosen or _kind_for(path)
    storage: Storage = JsonlStorage(path) if found == "jsonl" else SqliteStorage(path)
    try:
        storage.open()
    except StoreError:
        raise
    except MAY_PASS as error:
        return found, storage, error
    return found, storage, None


def _begin_in_child() -> None:
    for bus in buses():
        if bus.store is not None:
            inherit(bus)
            bus.store = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_in_child)
