"""Which events a frame is made of: runs, event types, a stretch of time."""

# The raw values of an event, not what its properties make of them, are what is quick to read.
# ruff: noqa: SLF001
# pyright: reportPrivateUsage=false

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any, NamedTuple, cast

from locus_nb._event import StreamEvent, run_id_error
from locus_nb._source import BulkSource, Source
from locus_nb._store.memory import default_source

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Selection(NamedTuple):
    """What a frame was asked to be made of.

    Attributes:
        events: Those that were asked for, in no order.
        run_ids: The runs that were asked for, each once; empty if events were given.
        source: Where they are from.
        given: Whether events were given, not runs.
    """

    events: list[StreamEvent]
    run_ids: list[str]
    source: Source
    given: bool


def select(run: object, source: object, caller: str) -> Selection:
    """Find the events that a frame is to be made of.

    Args:
        run: A run id, any object with a `run_id` or `id` that is one, or an iterable of such: their events; a run
            without any, or an unknown one, has none. Or an iterable of `StreamEvent`. None: every run.
        source: Where to look for runs; None: the process's bus, and its store for what left memory.
        caller: The function that was called, for the messages.

    Raises:
        TypeError: `run` is none of these, or mixes events with runs; `source` is no source.
        ValueError: A run id is empty.
    """
    found = default_source() if source is None else _checked_source(source, caller)
    if run is None:
        return _of_runs(found, found.run_ids())
    if _run_id(run) is None and isinstance(run, Iterable) and not isinstance(run, bytes | bytearray):
        members = list(cast("Iterable[object]", run))
        are_events = [isinstance(member, StreamEvent) for member in members]
        if all(are_events):
            return Selection(cast("list[StreamEvent]", members), [], found, given=True)
        if any(are_events):
            raise TypeError(f"{caller} was given events and runs together: pass either, or make two frames")
        return _of_runs(found, [checked_run_id(member, caller) for member in members])
    return _of_runs(found, [checked_run_id(run, caller)])


def checked_run_id(run: object, caller: str) -> str:
    """Give the id of a run, or of an object that stands for one.

    Raises:
        TypeError: It is neither.
        ValueError: The id is empty.
    """
    run_id = _run_id(run)
    if run_id is None:
        raise TypeError(
            f"{caller} takes a run's id, an object with one as run_id or id, several of those, or StreamEvents; "
            f"not {type(run).__name__}"
        )
    if (error := run_id_error(run_id)) is not None:
        raise error
    return run_id


def of_types(events: list[StreamEvent], event_type: object, caller: str) -> list[StreamEvent]:
    """Leave the events of these types: names, in which `*` stands for anything; None: all.

    Raises:
        TypeError: `event_type` is neither a str nor an iterable of such.
    """
    if event_type is None:
        return events
    patterns = [event_type] if isinstance(event_type, str) else event_type
    if not isinstance(patterns, Iterable):
        raise TypeError(f"{caller} takes a name or names as event_type, not {type(event_type).__name__}")
    names = list(cast("Iterable[Any]", patterns))
    if not all(isinstance(name, str) for name in names):
        raise TypeError(f"{caller} takes names of event types, in which * stands for anything, not {names!r}")
    types = {event._event_type for event in events}
    wanted = {each for each in types if any(fnmatchcase(each, name) for name in names)}
    return [event for event in events if event._event_type in wanted]


def between(since: object, until: object, caller: str) -> tuple[int, int] | None:
    """Give a stretch of time in microseconds since the Unix epoch, its end excluded; None for all time.

    Raises:
        TypeError: One is neither an aware datetime nor a text.
        ValueError: One is naive, or a text that is no time in ISO 8601 with an offset.
    """
    if since is None and until is None:
        return None
    first = _microseconds(since, "since", caller) if since is not None else -(2**63)
    last = _microseconds(until, "until", caller) if until is not None else 2**63
    return first, last


def _of_runs(source: Source, run_ids: Iterable[str]) -> Selection:
    unique = list(dict.fromkeys(run_ids))
    if isinstance(source, BulkSource):
        events = source.events_of(unique)
    else:
        events = [event for run_id in unique for event in source.history(run_id)]
    return Selection(events, unique, source, given=False)


def _checked_source(source: object, caller: str) -> Source:
    if not all(callable(getattr(source, name, None)) for name in ("run_ids", "history", "run_record")):
        raise TypeError(
            f"{caller} reads runs from a source such as an EventBus or what load() gives, not from "
            f"{type(source).__name__}"
        )
    return cast("Source", source)


def _run_id(run: object) -> str | None:
    for run_id in (run, getattr(run, "run_id", None), getattr(run, "id", None)):
        if isinstance(run_id, str):
            return run_id
    return None


def _microseconds(time: object, name: str, caller: str) -> int:
    if isinstance(time, str):
        time = datetime.fromisoformat(time)
    if not isinstance(time, datetime):
        raise TypeError(
            f"{caller} takes an aware datetime, or one as text, as {name}, not {type(time).__name__}"
        )
    if time.utcoffset() is None:
        raise ValueError(f"{caller} refuses a naive {name}, whose zone is a guess: use datetime.now(UTC)")
    return (time - _EPOCH) // _MICROSECOND
