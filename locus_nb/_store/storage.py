"""What a store writes, and what it asks of the place it writes to: an SQLite file, or a folder of JSONL."""

# The raw values of an event are what is quick to read.
# ruff: noqa: SLF001
# pyright: reportPrivateUsage=false

from __future__ import annotations

import json
from operator import add
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from locus_nb._event import event_ids
from locus_nb._history import RunRecord
from locus_nb._payloads.chunks import clean_chunks
from locus_nb._payloads.redact import redact_name, redact_tags, redact_text
from locus_nb._wire import dumps, jsonable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from locus_nb._event import StreamEvent


class StoredEvents(NamedTuple):
    """Events as they are stored: columns of the same length, secrets taken out, every text valid UTF-8.

    `times_us` are microseconds since the Unix epoch (UTC), `data` strict JSON text.
    """

    run_ids: Sequence[str]
    event_ids: Sequence[str]
    event_types: Sequence[str]
    times_us: Sequence[int]
    data: Sequence[str]


class RunChange(NamedTuple):
    """What is new of a run, to be added to what the store has of it; several processes' changes add up.

    Attributes:
        record: What is known of it; None if that did not change. Its counts are not meant, but these:
        stored: Events that are written now.
        missed: Events that history no longer held when the store began, or began again.
        dropped: Events that the store should have and has not; negative if they came after all.
        before: Events of it that the store was given before, and has, unless somebody took them away.
    """

    record: RunRecord | None
    stored: int
    missed: int
    dropped: int
    before: int = 0


class Outcome(NamedTuple):
    """What came of a write, by the run ids that are stored.

    Attributes:
        lacking: Events that were there before and are not any more; the store tells of them as missed.
        failed: Why nothing was written of some runs, though of others it was.
    """

    lacking: dict[str, int]
    failed: dict[str, Exception]


class Limits(NamedTuple):
    """How much is kept: whole runs go, the longest unused first. None is no limit."""

    runs: int | None = None
    days: float | None = None
    mb: float | None = None


class Storage(Protocol):
    """A place that events are written to, by one thread at a time.

    All methods may raise `OSError` or `sqlite3.Error`, and have then changed nothing.
    """

    def open(self) -> None:
        """Be ready to write; nothing if it is.

        Raises:
            StoreError: What is there is foreign, damaged or of another version.
        """
        ...

    def held(self, run_id: str, ids: Sequence[str]) -> set[str]:
        """Say which of these events of a run it holds already."""
        ...

    def write(self, events: StoredEvents, changes: Mapping[str, RunChange]) -> Outcome:
        """Add events, and what is new of their runs and others: of each run all of it or nothing."""
        ...

    def settle(self) -> None:
        """See that a copy of what is at the path now is whole, as far as nobody reads an older state just then."""
        ...

    def prune(self, limits: Limits, is_running: Callable[[str], bool]) -> None:
        """Forget whole runs beyond the limits, never one that runs."""
        ...

    def close(self) -> None:
        """Let go of the files; idempotent. `open` opens again."""
        ...

    def abandon(self) -> None:
        """Let go of them in a forked child, so that the parent notices nothing."""
        ...


def encoded(events: Sequence[StreamEvent]) -> StoredEvents:
    """Make events what is stored of them."""
    types = [event._event_type for event in events]
    raws: list[dict[Any, Any]] = [event._data for event in events]
    rows: dict[str, list[int]] = {}
    for row, event_type in enumerate(types):
        rows.setdefault(event_type, []).append(row)
    names = {event_type: redact_name(name) for event_type, name in zip(rows, _valid(list(rows)), strict=True)}
    data = [""] * len(events)
    for event_type, alike in rows.items():
        for chunk in clean_chunks(event_type, alike, raws, secrets=False):
            for row, text in zip(chunk.rows, _texts(chunk.payloads), strict=True):
                data[row] = text
    return StoredEvents(
        run_ids=_valid([event._run_id for event in events]),
        event_ids=_valid(event_ids(events)),
        event_types=list(map(names.__getitem__, types)),
        times_us=[event._time for event in events],
        data=data,
    )


def plain_changes(changes: Mapping[str, RunChange]) -> dict[str, RunChange]:
    """Give the changes as they are stored, by the run ids that are stored."""
    plain: dict[str, RunChange] = {}
    for run_id, (record, *counts) in changes.items():
        name = run_id if run_id.isascii() else jsonable(run_id)
        _, *before = plain.get(name, _NO_CHANGE)
        plain[name] = RunChange(record and _plain_record(record), *map(add, counts, before))
    return plain


def by_use(changes: Mapping[str, RunChange], events: StoredEvents) -> list[str]:
    """Give the runs that change: first those that have no events now, then those whose last one comes first."""
    last = {run_id: row for row, run_id in enumerate(events.run_ids)}
    return sorted(changes, key=lambda run_id: last.get(run_id, -1))


def _plain_record(record: RunRecord) -> RunRecord:
    """Give a record as it is stored: secrets taken out, every text valid UTF-8."""
    if not record.tags and record.name is None and record.cell_id is None and record.run_id.isascii():
        return record
    return record._replace(
        run_id=jsonable(record.run_id),
        name=None if record.name is None else redact_text(record.name, key="name"),
        tags=redact_tags(record.tags),
        cell_id=None if record.cell_id is None else redact_text(record.cell_id, key="cell_id"),
    )


def unknown(run_id: str, events: StoredEvents) -> RunRecord:
    """Give the record of a run of which only these events are known."""
    first_us = events.times_us[events.run_ids.index(run_id)] if run_id in events.run_ids else 0
    return RunRecord(run_id, None, {}, "running", first_us * 1000, None, None, None, False, 0, 0)  # noqa: FBT003 - a record


def still_open(record: RunRecord) -> RunRecord:
    """Give the record of a run as it was before its end; the same if it has not ended."""
    if not record.closed:
        return record
    return record._replace(status="running", ended_at_ns=None, closed=False)


_NO_CHANGE = RunChange(None, 0, 0, 0)


def _valid(texts: list[str]) -> list[str]:
    return texts if "".join(texts).isascii() else [jsonable(text) for text in texts]


def _texts(payloads: Sequence[dict[str, Any]]) -> list[str]:
    """Give what `dumps` gives for copies that `jsonable` made."""
    if _encode is None:
        return [dumps(payload) for payload in payloads]
    try:
        return ["".join(_encode(payload, 0)) for payload in payloads]
    except (RecursionError, MemoryError):
        return [dumps(payload) for payload in payloads]


def _encoder() -> Any:
    """Give the encoder that `json.JSONEncoder` makes for each call anew, if the interpreter has it in C."""
    make: Any = getattr(json.encoder, "c_make_encoder", None)
    text: Any = getattr(json.encoder, "c_encode_basestring", None)
    return make and text and make(None, None, text, None, ":", ",", False, False, False)  # noqa: FBT003 - takes no keywords


_encode = _encoder()
