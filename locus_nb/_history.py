"""What is kept of runs: the log of each, and which logs are still there."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Mapping
from itertools import islice
from operator import attrgetter
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

from locus_nb._atomic import commit
from locus_nb._event import exact
from locus_nb.event_types import AGENT_TERMINATE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from locus_nb._event import StreamEvent

RunStatus = Literal["running", "ok", "error", "interrupted"]
STATUSES: tuple[RunStatus, ...] = get_args(RunStatus)

_NO_TAGS: Mapping[str, str] = MappingProxyType({})


class RunRecord(NamedTuple):
    """What is known of a run at one moment; it travels in a `Batch` when a run is opened or closed.

    `status` is `running` until the stream is closed; then what whoever closed it said, else `error` or
    `interrupted` if the run's last `agent.terminate` says so, also one that comes later, else `ok`. Times are
    nanoseconds since the Unix epoch (UTC).
    `total` counts the run's events, those that are live only left out, and `trimmed` those of them that are not
    at hand: history no longer holds them, or a store had to drop them, which is what `dropped` counts.
    """

    run_id: str
    name: str | None
    tags: Mapping[str, str]
    status: RunStatus
    started_at_ns: int
    ended_at_ns: int | None
    cell_id: str | None
    execution_count: int | None
    closed: bool
    trimmed: int
    total: int
    dropped: int = 0


class RunLog:
    """The history of one run, and what is known of the run itself. Guarded by the bus's lock."""

    __slots__ = (
        "before",
        "cell_id",
        "closed",
        "ended_at_ns",
        "events",
        "execution_count",
        "listed",
        "name",
        "outcome",
        "run_id",
        "said",
        "started_at_ns",
        "status",
        "tags",
        "total",
        "turn",
    )

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.events: deque[StreamEvent] | tuple[()] = ()
        self.total = 0
        # Events of the run's earlier lives: an old end does not decide about a new one.
        self.before = 0
        self.name: str | None = None
        self.tags = _NO_TAGS
        self.cell_id: str | None = None
        self.execution_count: int | None = None
        self.started_at_ns = time.time_ns()
        self.closed = False
        self.status: RunStatus = "running"
        # Whether whoever closed it said how it ended.
        self.said = False
        # What an `agent.terminate` said that was evicted before the run was closed.
        self.outcome: RunStatus | None = None
        self.ended_at_ns: int | None = None
        # Whether it is among the runs that there are also if it ends without an event.
        self.listed = False
        # When it was last used, among all runs.
        self.turn = 0

    @property
    def trimmed(self) -> int:
        """Events of this run that history no longer holds."""
        return self.total - len(self.events)

    def open(self) -> None:
        """Take events again after a close; nothing if it is open."""
        if self.closed:
            self.before = self.total
            self.outcome = None
        self.ended_at_ns = None
        self.status = "running"
        self.closed = False

    def close(self, status: RunStatus | None = None) -> None:
        """End it, with the status given, else the one its last `agent.terminate` names; nothing if it has ended."""
        if self.closed:
            return
        self.ended_at_ns = time.time_ns()
        self.note_outcome()
        self.said = status is not None
        self.status = status or self.outcome or "ok"
        self.closed = True

    def late_end(self, late: Sequence[StreamEvent]) -> RunStatus | None:
        """Give how the run ended by events that come after its close; None if they do not say, or may not."""
        return None if self.said else _outcome(reversed(late))

    def note_outcome(self) -> None:
        """Remember what the last `agent.terminate` in history says, if there is one since it was opened."""
        self.outcome = _outcome(islice(reversed(self.events), self.total - self.before)) or self.outcome

    def record(self) -> RunRecord:
        """The run as it is now."""
        return RunRecord(
            run_id=self.run_id,
            name=self.name,
            tags=self.tags,
            status=self.status,
            started_at_ns=self.started_at_ns,
            ended_at_ns=self.ended_at_ns,
            cell_id=self.cell_id,
            execution_count=self.execution_count,
            closed=self.closed,
            trimmed=self.trimmed,
            total=self.total,
        )


def _outcome(newest_first: Iterable[StreamEvent]) -> RunStatus | None:
    for event in newest_first:
        if event.event_type == AGENT_TERMINATE:
            reason = _reason(event)
            return "error" if reason == "error" else "interrupted" if reason == "interrupted" else "ok"
    return None


def _reason(event: StreamEvent) -> str | None:
    try:
        reason = event.data.get("reason")
    except Exception:  # noqa: BLE001 - an edge: methods of a payload's own keys, which must not stop the bus
        return None
    # Asked without running any code of the payload's.
    return exact(reason) if issubclass(type(reason), str) else None


class RunLogs:
    """All runs the bus knows: those with history, least recently published to first, and husks.

    A husk is a run known without events: opened, closed or evicted. It remembers how many events were
    lost, and with what the run ended. Open ones are bounded by 10 times as many as runs retained; so are
    closed runs, husks or not: it is these that were closed last.
    """

    def __init__(self, *, events_per_run: int, max_runs: int) -> None:
        self.events_per_run = events_per_run
        self.max_runs = max_runs
        self.retained: OrderedDict[str, RunLog] = OrderedDict()
        self.evicted = 0
        # Events that were evicted, less those that runs lacked when they were dropped: together with the
        # trimmed ones this is what the runs that are known lack.
        self.lacking = 0
        self._open_husks: OrderedDict[str, RunLog] = OrderedDict()
        self._closed: OrderedDict[str, RunLog] = OrderedDict()
        self._turns = 0

    def find(self, run_id: str) -> RunLog | None:
        """The log of a run; None for an unknown one."""
        return self.retained.get(run_id) or self._open_husks.get(run_id) or self._closed.get(run_id)

    def open(self, run_id: str) -> RunLog:
        """The log of a run, made if there is none, opened if it was closed."""
        log = self.find(run_id) or RunLog(run_id)
        log.open()
        if run_id not in self.retained:
            self._keep(log, self._open_husks)
        self._closed.pop(run_id, None)
        return log

    def close(self, run_id: str, status: RunStatus | None = None) -> None:
        """End a run; an unknown one is known, and closed, from now on."""
        log = self.find(run_id) or RunLog(run_id)
        if not log.closed and run_id not in self.retained:
            self._use(log)
        log.close(status)
        self._keep(log, self._closed)
        self._open_husks.pop(run_id, None)

    def used(self, run_id: str) -> tuple[RunLog, deque[StreamEvent]]:
        """The log and the events of a run that is about to take some: it is now the most recently used."""
        log = self.find(run_id) or RunLog(run_id)
        events = log.events
        if not isinstance(events, deque):
            events = log.events = deque(maxlen=self.events_per_run)
        self.retained[run_id] = log
        self.retained.move_to_end(run_id)
        self._use(log)
        self._open_husks.pop(run_id, None)
        return log, events

    def listed(self) -> tuple[str, ...]:
        """Runs with history, and, up to as many, listed ones that ended without an event; least recently used first."""
        empty = [
            log
            for run_id, log in self._closed.items()
            if log.listed and log.closed and not log.total and run_id not in self.retained
        ]
        runs = [*self.retained.values(), *empty[-self.max_runs :]]
        return tuple(log.run_id for log in sorted(runs, key=attrgetter("turn")))

    def evict(self) -> None:
        """Forget the events of the least recently used runs over the bound."""
        while len(self.retained) > self.max_runs:
            run_id, log = next(iter(self.retained.items()))
            if not log.closed:
                log.note_outcome()
                self._keep(log, self._open_husks)
            lacking = self.lacking + len(log.events)
            counts = [(setattr, self, "evicted", self.evicted + 1), (setattr, self, "lacking", lacking)]
            commit([*counts, (self.retained.pop, run_id, None), (setattr, log, "events", ())])

    def drop(self, run_id: str) -> None:
        """Forget a run altogether."""
        log = self.find(run_id)
        if log is not None:
            places = (self.retained, self._open_husks, self._closed)
            forget = [(place.pop, run_id, None) for place in places]
            commit([(setattr, self, "lacking", self.lacking - log.trimmed), *forget])

    def _use(self, log: RunLog) -> None:
        self._turns += 1
        log.turn = self._turns

    def _keep(self, log: RunLog, runs: OrderedDict[str, RunLog]) -> None:
        runs[log.run_id] = log
        runs.move_to_end(log.run_id)
        if len(runs) > 10 * self.max_runs:
            runs.pop(next(iter(runs)), None)


class HistoryView(Mapping[str, "tuple[StreamEvent, ...]"]):
    """Run id to events, oldest first, of every run with history; each read is a snapshot.

    Safe to use from any thread while others publish: a run that is evicted while this is gone through has no
    events, and is no error.
    """

    def __init__(
        self,
        events_of: Callable[[str], tuple[StreamEvent, ...] | None],
        run_ids: Callable[[], tuple[str, ...]],
    ) -> None:
        self._events_of = events_of
        self._run_ids = run_ids

    def __getitem__(self, run_id: str) -> tuple[StreamEvent, ...]:
        events = self._events_of(run_id)
        if events is None:
            raise KeyError(run_id)
        return events

    def __contains__(self, run_id: object) -> bool:
        return run_id in self._run_ids()

    def __iter__(self) -> Iterator[str]:
        return iter(self._run_ids())

    def __len__(self) -> int:
        return len(self._run_ids())
