"""Where runs are read from: the bus's memory, a store, files. All answer the same three questions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeGuard, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from locus_nb._event import StreamEvent
    from locus_nb._history import RunRecord


class Source(Protocol):
    """What holds runs and their events; an `EventBus` is one. Safe to ask from any thread."""

    def run_ids(self) -> Sequence[str]:
        """The runs it holds, least recently used first."""
        ...

    def history(self, run_id: str) -> Sequence[StreamEvent]:
        """Events of the run, oldest first; empty for an unknown run."""
        ...

    def run_record(self, run_id: str) -> RunRecord | None:
        """What is known of the run; None for an unknown one."""
        ...


@runtime_checkable
class BulkSource(Source, Protocol):
    """A source that gives the events of many runs in less time than run by run."""

    def events_of(self, run_ids: Sequence[str]) -> list[StreamEvent]:
        """Events of these runs, in the order of the source."""
        ...


def is_source(value: object) -> TypeGuard[Source]:
    """Say whether it answers the questions of a source."""
    return all(callable(getattr(value, name, None)) for name in ("run_ids", "history", "run_record"))
