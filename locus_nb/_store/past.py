"""What a store is asked: which events, and the answers of one moment."""

from __future__ import annotations

import fnmatch
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from locus_nb._source import Source

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from locus_nb._event import StreamEvent
    from locus_nb._history import RunRecord

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Wanted(NamedTuple):
    """Which events are asked for; None is all.

    Args:
        run_ids: Of these runs.
        event_type: Of this type; `*` stands for any text.
        since_us: Made at this time or later, in microseconds since the Unix epoch (UTC).
        until_us: Made before.
    """

    run_ids: Sequence[str] | None = None
    event_type: str | None = None
    since_us: int | None = None
    until_us: int | None = None

    @property
    def glob(self) -> str:
        """The event type as both SQLite's GLOB and `fnmatch` read it: only `*` is special."""
        text = self.event_type or "*"
        return text.replace("[", "[[]").replace("?", "[?]")

    def fits(self, event_type: str, time_us: int) -> bool:
        """Say whether an event of the runs is wanted."""
        return (
            (self.event_type is None or fnmatch.fnmatchcase(event_type, self.glob))
            and (self.since_us is None or time_us >= self.since_us)
            and (self.until_us is None or time_us < self.until_us)
        )


class Snapshot(Source, Protocol):
    """A store at one moment; to be used by one thread."""

    def records(self) -> list[RunRecord]:
        """All runs, least recently used first."""
        ...

    def events(self, wanted: Wanted) -> list[StreamEvent]:
        """Give events in the order of the store."""
        ...


def microseconds(name: str, moment: datetime | None) -> int | None:
    """Give an aware time as the store has it.

    Raises:
        TypeError: It is no datetime.
        ValueError: It is naive.
    """
    if moment is None:
        return None
    if not isinstance(moment, datetime):  # pyright: ignore[reportUnnecessaryIsInstance] - said to those without pyright
        raise TypeError(f"{name} is a datetime, not {type(moment).__name__}")
    if moment.utcoffset() is None:
        raise ValueError(
            f"{name} is aware, not a naive datetime, whose zone is a guess: use datetime.now(UTC)"
        )
    return (moment - _EPOCH) // _MICROSECOND


def payloads(texts: Iterable[str]) -> list[dict[str, Any]]:
    """Parse the payloads of many events at once."""
    parsed: list[Any] = json.loads("[" + ",".join(texts) + "]")
    if set(map(type, parsed)) <= {dict}:
        return parsed
    # Payloads that were beyond what can be copied were stored as a text that says so.
    return [each if isinstance(each, dict) else {"unreadable": each} for each in parsed]
