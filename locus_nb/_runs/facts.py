"""What is known of one run at one moment: its record, its events, and what they come to."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from locus_nb._payloads.redact import redact_text
from locus_nb._sums.cost import pricing_of
from locus_nb._sums.sums import sums_of
from locus_nb._views.rows import text_of

if TYPE_CHECKING:
    from locus_nb._event import StreamEvent
    from locus_nb._history import RunRecord
    from locus_nb._source import Source
    from locus_nb._sums.gaps import Gap
    from locus_nb._sums.sums import Sums

_NS_IN_MS = 1_000_000


class RunFacts(NamedTuple):
    """A run as it was when it was looked at.

    Attributes:
        run_id: Its id.
        record: What its source knows of it; None if it knows nothing.
        events: The events that are at hand, oldest first.
        sums: What these come to.
        gaps: What was missing to price its tokens, where that was asked for.
    """

    run_id: str
    record: RunRecord | None
    events: tuple[StreamEvent, ...]
    sums: Sums
    gaps: frozenset[Gap] = frozenset()

    @property
    def is_known(self) -> bool:
        """Whether its source knows anything of it."""
        return self.record is not None or bool(self.events)

    @property
    def title(self) -> str:
        """Its name, else its id, without secrets."""
        name = self.record.name if self.record else None
        return redact_text(name, key="name") if name else text_of(self.run_id)

    @property
    def missing(self) -> int:
        """Events that are no longer there."""
        return self.record.trimmed if self.record else 0

    @property
    def started_ns(self) -> int | None:
        """When it began; see `started_ns_of`."""
        return started_ns_of(self.record, self.events)

    @property
    def elapsed_ms(self) -> float:
        """Milliseconds from its start to its end, or to its newest event while it has none; NaN without either."""
        start = self.started_ns
        end = ended_ns_of(self.record, self.events)
        if end is None and self.events:
            end = _latest(self.events)
        return math.nan if start is None or end is None else max(0.0, (end - start) / _NS_IN_MS)


def facts_of(source: Source, run_id: str) -> RunFacts:
    """Look at a run now; of an unknown one there is nothing. Tokens are priced as `configure` says."""
    # The record first: events that come in between are then at worst too many, not reported as missing.
    record = source.run_record(run_id)
    events = tuple(source.history(run_id))
    pricing = pricing_of(None)
    sums = sums_of(events, pricing and pricing.usd)
    return RunFacts(run_id, record, events, sums, pricing.gaps if pricing else frozenset())


def started_ns_of(record: RunRecord | None, events: tuple[StreamEvent, ...]) -> int | None:
    """Give when a run began, in nanoseconds since the Unix epoch; None if nothing is known of it.

    A bus learns of a run that nobody announced when it looks at its first events, which are older than that.
    """
    times = [record.started_at_ns] if record else []
    times += [event.timestamp_ns for event in events]
    return min(times, default=None)


def ended_ns_of(record: RunRecord | None, events: tuple[StreamEvent, ...]) -> int | None:
    """Give when a run ended, in nanoseconds since the Unix epoch; None while it goes on.

    That is its latest event; of one without events, when it was closed.
    """
    if record is None or record.status == "running":
        return None
    return _latest(events) if events else record.ended_at_ns


def _latest(events: tuple[StreamEvent, ...]) -> int:
    return max(event.timestamp_ns for event in events)
