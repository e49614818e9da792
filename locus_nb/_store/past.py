"""What a store is asked: which events, and the answers of one moment."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from locus_nb._payloads.patterns import is_like
from locus_nb._source import BulkSource
from locus_nb._store.asked import asked_run_ids, asked_types, between
from locus_nb._wire import jsonable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from locus_nb._event import StreamEvent
    from locus_nb._history import RunRecord


class Wanted(NamedTuple):
    """Which events are asked for; None is all.

    Args:
        run_ids: Of these runs.
        event_types: Of one of these types; `*` stands for any text.
        time: Made in this stretch of time, in microseconds since the Unix epoch (UTC), its end excluded.
    """

    run_ids: Sequence[str] | None = None
    event_types: Sequence[str] | None = None
    time: tuple[int, int] | None = None

    def fits(self, event_type: str, time_us: int) -> bool:
        """Say whether an event of the runs is wanted."""
        return (self.event_types is None or any(is_like(event_type, each) for each in self.event_types)) and (
            self.time is None or self.time[0] <= time_us < self.time[1]
        )


def wanted(run: object, event_type: object, since: object, until: object, *, caller: str) -> Wanted:
    """Say which events a caller asks for.

    Raises:
        TypeError, ValueError: One of the arguments is not what it should be.
    """
    types = asked_types(event_type, caller)
    # As they are stored.
    plain = None if types is None else [jsonable(each) for each in types]
    return Wanted(asked_run_ids(run, caller), plain, between(since, until, caller))


class Snapshot(BulkSource, Protocol):
    """A store at one moment; to be used by one thread."""

    def records(self) -> list[RunRecord]:
        """All runs, least recently used first."""
        ...

    def events(self, wanted: Wanted) -> list[StreamEvent]:
        """Give events in the order of the store."""
        ...


def payloads(texts: Iterable[str]) -> list[dict[str, Any]]:
    """Parse the payloads of many events at once."""
    parsed: list[Any] = json.loads("[" + ",".join(texts) + "]")
    if set(map(type, parsed)) <= {dict}:
        return parsed
    # Payloads that were beyond what can be copied were stored as a text that says so.
    return [each if isinstance(each, dict) else {"unreadable": each} for each in parsed]
