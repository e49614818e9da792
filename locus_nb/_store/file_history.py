"""Runs that were stored: read from a file, whoever writes it meanwhile."""

from __future__ import annotations

from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from locus_nb._errors import StoreError
from locus_nb._store.jsonl_reader import JsonlSnapshot, check_folder
from locus_nb._store.past import wanted
from locus_nb._store.sqlite_reader import sqlite_snapshot

if TYPE_CHECKING:
    import os
    from collections.abc import Generator, Iterable, Sequence
    from contextlib import AbstractContextManager
    from datetime import datetime

    import pandas as pd

    from locus_nb._event import StreamEvent
    from locus_nb._history import RunRecord
    from locus_nb._runs.run_list import RunList
    from locus_nb._store.past import Snapshot


def history(path: str | os.PathLike[str]) -> History:
    """Open what a store keeps, to read it: an SQLite file or a folder of JSONL files.

    Raises:
        FileNotFoundError: There is nothing at `path`.
        StoreError: It is no store, such as a folder of other things, damaged, of another version, or may not be read.

    Example:
        >>> from locus_nb import history
        >>> history("runs.db").runs()  # doctest: +SKIP
        <RunList of 1 run>
    """
    return History(path)


class History:
    """Runs in a store. Made by `history`; holds no file open, so there is nothing to close.

    It may be used from any thread and while other processes write: each call sees one consistent moment of an
    SQLite file, and of a JSONL folder each run at one moment. Events are as they were stored: payloads of JSON values,
    without secrets unless redaction was off then. Frames and Parquet files are redacted now, as those of a bus are;
    `redact=False` gives what the store has. An event's `seq` is its place in the file (of JSONL: the time, in
    microseconds, at which it was written). To copy a store that is in use see `Store`.

    Args:
        path: The store.

    Raises:
        StoreError: From any call: the store is damaged, of another version, or cannot be read.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path).absolute()
        if not self._path.exists():
            raise FileNotFoundError(
                f"There is no store at {str(self._path)!r}: begin one by configure(store=...), or name another path"
            )
        with self._now() as snapshot:
            if not snapshot.run_ids() and self._path.is_dir():
                check_folder(self._path)

    @property
    def path(self) -> Path:
        """Where it is, absolute."""
        return self._path

    def run_ids(self) -> tuple[str, ...]:
        """All runs, least recently used first."""
        with self._now() as snapshot:
            return tuple(snapshot.run_ids())

    def runs(self) -> RunList:
        """Give the runs as a list, as `locus_nb.runs` does: the newest used first."""
        return import_module("locus_nb._runs.run_list").runs(source=self)

    def records(self) -> tuple[RunRecord, ...]:
        """What is known of all runs, least recently used first. `trimmed` counts events the store lacks."""
        with self._now() as snapshot:
            return tuple(snapshot.records())

    def events_of(self, run_ids: Sequence[str]) -> list[StreamEvent]:
        """Give all events of some runs, in the order of the store."""
        with self._now() as snapshot:
            return snapshot.events_of(run_ids)

    def run_record(self, run_id: str) -> RunRecord | None:
        """What is known of the run; None for an unknown one."""
        with self._now() as snapshot:
            return snapshot.run_record(run_id)

    def history(self, run_id: str) -> tuple[StreamEvent, ...]:
        """Events of the run, in the order of the store; empty for an unknown run."""
        with self._now() as snapshot:
            return tuple(snapshot.history(run_id))

    def events(
        self,
        run: object = None,
        *,
        event_type: str | Iterable[str] | None = None,
        since: datetime | str | None = None,
        until: datetime | str | None = None,
    ) -> list[StreamEvent]:
        """Read events of many runs at once, in the order of the store.

        Args:
            run: A run id, an object with a `run_id` or `id` that is one, or an iterable of such, or a table that
                has a column `run_id`; None: all.
            event_type: Only of these types; `*` stands for any text, as in `agent.tool.*`.
            since: Only those made at this time or later: aware, or ISO 8601 with an offset.
            until: Only those made before.

        Raises:
            TypeError, ValueError: `run` is none of these; a time is none, or naive.
        """
        asked = wanted(run, event_type, since, until, caller="History.events")
        with self._now() as snapshot:
            return snapshot.events(asked)

    def events_df(
        self,
        run: object = None,
        *,
        event_type: str | Iterable[str] | None = None,
        since: datetime | str | None = None,
        until: datetime | str | None = None,
        **options: Any,
    ) -> pd.DataFrame:
        """Give stored events as a table, as `locus_nb.events_df` does; the arguments are those of `events`.

        Further keywords are those of `locus_nb.events_df`.
        """
        events = self.events(run, event_type=event_type, since=since, until=until)
        return _frames().events_df(events, **options)

    def runs_df(self, run: object = None, **options: Any) -> pd.DataFrame:
        """Give stored runs as a table, as `locus_nb.runs_df` does, whose keywords it takes."""
        return self._frame("runs_df", run, options)

    def spans_df(self, run: object = None, **options: Any) -> pd.DataFrame:
        """Give stored spans as a table, as `locus_nb.spans_df` does, whose keywords it takes."""
        return self._frame("spans_df", run, options)

    def tools_df(self, run: object = None, **options: Any) -> pd.DataFrame:
        """Give stored tool calls as a table, as `locus_nb.tools_df` does, whose keywords it takes."""
        return self._frame("tools_df", run, options)

    def model_calls_df(self, run: object = None, **options: Any) -> pd.DataFrame:
        """Give stored model calls as a table, as `locus_nb.model_calls_df` does, whose keywords it takes."""
        return self._frame("model_calls_df", run, options)

    def stored_df(
        self,
        run: object = None,
        *,
        event_type: str | Iterable[str] | None = None,
        since: datetime | str | None = None,
        until: datetime | str | None = None,
        redact: bool = True,
    ) -> pd.DataFrame:
        """Give the events of an SQLite store in the columns it has: quicker than `events_df`.

        Columns: `run_id`, `seq`, `event_id`, `timestamp` (datetime64[us, UTC]), `event_type`, and `data` as JSON
        text. It takes the extra `adbc`; the arguments are those of `events`, and `redact` as in `events_df`. False
        gives the rows as they stand, several times as fast.

        Raises:
            ModuleNotFoundError: The extra is not installed.
            StoreError: The store is a folder of JSONL files.
        """
        if self._path.is_dir():
            raise StoreError(
                f"Cannot read {str(self._path)!r} by SQL: it is a folder of JSONL files; use events_df()"
            )
        asked = wanted(run, event_type, since, until, caller="History.stored_df")
        return import_module("locus_nb._store.adbc").stored_frame(self._path, asked, secrets=not redact)

    def to_parquet(self, path: str | os.PathLike[str], run: object = None, **asked: Any) -> Path:
        """Write stored events to a Parquet file: what `locus_nb.to_parquet` makes of `events_df`.

        Args:
            path: The file, written anew.
            run: As in `events`.
            **asked: The keywords of `events_df`.

        Returns:
            The file.

        Raises:
            ModuleNotFoundError: pyarrow is not installed.
        """
        parquet = import_module("locus_nb._files.parquet")
        # Before what may take a while.
        parquet.check_installed("History.to_parquet")
        return parquet.to_parquet(self.events_df(run, **asked), path, caller="History.to_parquet")

    def __repr__(self) -> str:
        return f"<History {str(self._path)!r}>"

    def _frame(self, name: str, run: object, options: dict[str, Any]) -> pd.DataFrame:
        with self._now() as snapshot:
            return getattr(_frames(), name)(run, source=snapshot, **options)

    def __eq__(self, other: object) -> bool:
        return self._path == other._path if isinstance(other, History) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._path)

    def _now(self) -> AbstractContextManager[Snapshot]:
        return snapshot_of(self._path)


@contextmanager
def snapshot_of(path: Path) -> Generator[Snapshot]:
    """Read a store as it is now.

    Raises:
        StoreError: It is none, damaged, of another version, or cannot be read.
    """
    if path.is_dir():
        yield JsonlSnapshot(path)
    else:
        with sqlite_snapshot(path) as snapshot:
            yield snapshot


def _frames() -> Any:
    """Give the module that makes frames; pandas comes at its first use."""
    return import_module("locus_nb._frames.frames")
