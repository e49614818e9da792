"""Runs that cannot be written while others can: the file of one run is damaged, or another's to write."""

# An event's raw run is what is quick to read.
# ruff: noqa: SLF001
# pyright: reportPrivateUsage=false

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from locus_nb._event import StreamEvent
    from locus_nb._store.failures import Failures


class StuckRuns:
    """These runs, and their events, which are kept here so that they hold back no others.

    Args:
        most: Events that are kept.
        failures: Told, once, of those that are lost because there are more.

    Attributes:
        run_ids: The runs.
        events: Their events.
        failure: Why the last of them got stuck; whoever tries again sets it to None.
    """

    def __init__(self, most: int, failures: Failures) -> None:
        self._most = most
        self._failures = failures
        self._is_told = False
        self.run_ids: set[str] = set()
        self.events: list[StreamEvent] = []
        self.failure: Exception | None = None

    def __contains__(self, run_id: str) -> bool:
        return run_id in self.run_ids

    def fail(self, failed: Mapping[str, Exception]) -> None:
        """Take note of runs that could not be written, and why."""
        self.run_ids.update(failed)
        self.failure = next(iter(failed.values()))

    def sift(self, events: Iterable[StreamEvent]) -> tuple[list[StreamEvent], int]:
        """Keep those of the events that are of these runs; the others, and how many are lost as there are too many."""
        others: list[StreamEvent] = []
        for event in events:
            (self.events if event._run_id in self.run_ids else others).append(event)
        lost = max(0, len(self.events) - self._most)
        if lost:
            del self.events[-lost:]
            if not self._is_told:
                self._is_told = True
                self._failures.tell(
                    "events of runs that cannot be written are lost, and counted: too many wait"
                )
        return others, lost

    def release(self, run_ids: Iterable[str]) -> list[StreamEvent]:
        """Give the events of these runs, which are stuck no more."""
        released = set(run_ids)
        events = [event for event in self.events if event._run_id in released]
        self.events = [event for event in self.events if event._run_id not in released]
        self.run_ids -= released
        return events
