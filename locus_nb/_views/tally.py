"""What each run comes to in numbers: exact, also of events whose rows are gone."""

from __future__ import annotations

from collections import OrderedDict
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from locus_nb._payloads.redact import redact_text
from locus_nb._views.rows import text_of

if TYPE_CHECKING:
    from locus_nb._history import RunRecord
    from locus_nb._views.rows import Row

_LONGEST_NAME = 200
_FACTS = ("run_id", "name", "status", "started_ms", "ended_ms", "last_ms")
_COUNTS = ("events", "iterations", "model_calls", "tool_calls", "errors", "input_tokens", "output_tokens")
# JavaScript's Number.MAX_SAFE_INTEGER: the page takes no larger one for a count.
_LARGEST = 2**53 - 1


class Tally:
    """One run in numbers, of all its events that a view took.

    Times are milliseconds since the Unix epoch (UTC); `ended_ms` is None while the run goes on. `status` is
    `running`, `ok`, `error` or `interrupted`, as the bus's record of the run says. `iterations` is the highest
    seen; calls are counted when they start, `errors` are rows with the status `error`.
    """

    __slots__ = _FACTS + _COUNTS

    def __init__(self, run_id: str, time_ms: float) -> None:
        self.run_id = run_id
        self.name = ""
        self.status = "running"
        self.started_ms = self.last_ms = time_ms
        self.ended_ms: float | None = None
        self.events = self.iterations = self.model_calls = self.tool_calls = self.errors = 0
        self.input_tokens = self.output_tokens = 0

    def add(self, row: Row) -> None:
        """Count an event."""
        self.events += 1
        self.started_ms = min(self.started_ms, row.time_ms)
        self.last_ms = max(self.last_ms, row.time_ms)
        if row.iteration is not None and row.iteration > self.iterations:
            self.iterations = row.iteration
        if row.event_type == "agent.model.started":
            self.model_calls += 1
        elif row.event_type == "agent.tool.started":
            self.tool_calls += 1
        if row.status == "error":
            self.errors += 1
        self.input_tokens += row.input_tokens or 0
        self.output_tokens += row.output_tokens or 0

    def note(self, record: RunRecord) -> None:
        """Take what the bus knows of the run."""
        self.name = redact_text(record.name, key="name")[:_LONGEST_NAME] if record.name else ""
        self.status = record.status
        self.started_ms = min(self.started_ms, _ms(record.started_at_ns))
        self.ended_ms = None if record.ended_at_ns is None else _ms(record.ended_at_ns)

    def cells(self) -> tuple[Any, ...]:
        """The tally as the page takes it, its fields in the order of the wire; counts end at 2**53-1."""
        return (*_facts(self), *[min(count, _LARGEST) for count in _counts(self)])


_facts, _counts = attrgetter(*_FACTS), attrgetter(*_COUNTS)


def _ms(time_ns: int) -> float:
    # To the microsecond, as the times of rows are.
    return time_ns // 1_000 / 1_000


class Tallies:
    """The tallies of one view's runs: of the `size` that had an event last.

    One thread writes; `newest`, `of` and `noted` may be asked from any.
    """

    def __init__(self, size: int = 500) -> None:
        self._size = size
        self._by_run: OrderedDict[str, Tally] = OrderedDict()
        self._changed: dict[str, Tally] = {}
        self._noted = 0

    @property
    def noted(self) -> int:
        """How often `note` was called: a run may begin, end or be renamed without an event."""
        return self._noted

    @property
    def changed(self) -> bool:
        """Whether there is anything that `take_changed` has not given."""
        return bool(self._changed)

    def add(self, row: Row) -> None:
        """Count an event for its run."""
        tally = self._by_run.get(row.run_id)
        if tally is None:
            tally = self._begin(row.run_id, row.time_ms)
        tally.add(row)
        self._by_run.move_to_end(row.run_id)
        self._changed[row.run_id] = tally

    def note(self, record: RunRecord) -> None:
        """Take what the bus knows of a run."""
        run_id = text_of(record.run_id)
        tally = self._by_run.get(run_id) or self._begin(run_id, _ms(record.started_at_ns))
        tally.note(record)
        self._changed[run_id] = tally
        self._noted += 1

    def of(self, run_id: str) -> Tally | None:
        """The tally of a run; None if it has none, or none any more."""
        return self._by_run.get(text_of(run_id))

    def newest(self) -> list[Tally]:
        """All of them, the run that had an event last at the end."""
        # In one call, because another thread may write.
        return list(self._by_run.values())

    def take_changed(self) -> list[tuple[Any, ...]]:
        """Give the cells of those that changed since this was last asked."""
        cells = [tally.cells() for tally in self._changed.values()]
        self._changed.clear()
        return cells

    def take_all(self) -> list[tuple[Any, ...]]:
        """Give the cells of all, and take none for changed any more."""
        self._changed.clear()
        return [tally.cells() for tally in self._by_run.values()]

    def _begin(self, run_id: str, time_ms: float) -> Tally:
        tally = self._by_run[run_id] = Tally(run_id, time_ms)
        if len(self._by_run) > self._size:
            gone, _ = self._by_run.popitem(last=False)
            self._changed.pop(gone, None)
        return tally
