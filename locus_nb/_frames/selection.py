"""Which events a frame is made of: runs, event types, a stretch of time."""

# The raw values of an event, not what its properties make of them, are what is quick to read.
# ruff: noqa: SLF001
# pyright: reportPrivateUsage=false

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

from locus_nb._event import StreamEvent
from locus_nb._payloads.patterns import is_like
from locus_nb._source import BulkSource, is_source
from locus_nb._store.asked import asked_types, checked_run_id, checked_source, several
from locus_nb._store.memory import at_one_moment, listed_run_ids, source_or_default

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from locus_nb._history import RunRecord
    from locus_nb._source import Source


class Selection(NamedTuple):
    """What a frame was asked to be made of.

    Attributes:
        events: Those that were asked for, in no order.
        records: What the source knows of the runs that were asked for, if that was wanted; None if events were
            given.
    """

    events: list[StreamEvent]
    records: dict[str, RunRecord | None] | None


def select(run: object, source: object, caller: str, *, records: bool = False) -> Selection:
    """Find what a frame is to be made of, all of it of one moment as far as the source can tell.

    Args:
        run: A run id, any object with a `run_id` or `id` that is one, an iterable of such, or a table with a column
            `run_id`: their events; a run without any, or an unknown one, has none. Or an iterable of `StreamEvent`.
            None: every run.
        source: Where to look for runs; None: where the runs themselves are from, such as a `Run`, else the process's
            bus, and its store for what left memory.
        caller: The function that was called, for the messages.
        records: Ask for the records too.

    Raises:
        TypeError: `run` is none of these, or mixes events with runs; `source` is no source.
        ValueError: A run id is empty, or the runs are of several sources.
    """
    members = several(run)
    if members is not None:
        are_events = [isinstance(member, StreamEvent) for member in members]
        if all(are_events):
            source_or_default(source, caller)
            return Selection(cast("list[StreamEvent]", members), None)
        if any(are_events):
            raise TypeError(f"{caller} was given events and runs together: pass either, or make two frames")
    asked = [] if run is None else [run] if members is None else members
    where = _source_of(asked, caller) if source is None else checked_source(source, caller)
    run_ids = [checked_run_id(each, caller, also=", or StreamEvents") for each in asked]
    with at_one_moment(where) as now:
        unique = list(dict.fromkeys(listed_run_ids(now) if run is None else run_ids))
        events = _events_of(now, unique)
        return Selection(events, {run_id: now.run_record(run_id) for run_id in unique if records})


def of_types(events: list[StreamEvent], event_type: object, caller: str) -> list[StreamEvent]:
    """Leave the events of these types: names, in which `*` stands for anything; None: all.

    Raises:
        TypeError: `event_type` is neither a str nor an iterable of such.
    """
    patterns = asked_types(event_type, caller)
    if patterns is None:
        return events
    types = {event._event_type for event in events}
    wanted = {each for each in types if any(is_like(each, pattern) for pattern in patterns)}
    return [event for event in events if event._event_type in wanted]


def _source_of(runs: Iterable[object], caller: str) -> Source:
    """Give the one source that runs are from; an id is taken for a run of the process's bus."""
    default = source_or_default(None, caller)
    own = [getattr(run, "source", None) for run in runs]
    first, *others = dict.fromkeys(each if is_source(each) else default for each in own) or [default]
    if others:
        raise ValueError(
            f"{caller} reads one source, and these runs are of several: make a frame of each, and use pandas.concat"
        )
    return first


def _events_of(source: Source, run_ids: Sequence[str]) -> list[StreamEvent]:
    if isinstance(source, BulkSource):
        return source.events_of(run_ids)
    return [event for run_id in run_ids for event in source.history(run_id)]
