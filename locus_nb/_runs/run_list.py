"""Several runs: a list that is looked up, cut, filtered, made into a table, and shows itself."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, overload

from locus_nb._history import STATUSES
from locus_nb._payloads.patterns import is_like
from locus_nb._runs.facts import RunFacts, facts_of, started_ns_of
from locus_nb._runs.list_picture import MAX_RUNS, runs_html, runs_text
from locus_nb._runs.run import Run, portable
from locus_nb._store.asked import between
from locus_nb._store.memory import at_one_moment, listed_run_ids, moments, source_or_default

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    import pandas as pd

    from locus_nb._history import RunRecord
    from locus_nb._source import Source


def runs(*, source: Source | None = None) -> RunList:
    """Give the runs that there are, the last used one first.

    Of a bus that is those with events in its history, and those that `run` or a `%%locus` cell made and that ended
    without one: they were used when they ended, and are at most `max_runs_retained`. Then comes what only its store
    has, if it has one: evicted runs and those of earlier sessions, also of such in which nothing was emitted. The
    list is of those there are now; each `Run` in it is read anew whenever it is asked.

    Args:
        source: What holds runs: an `EventBus`, or what `history` or `load` gave; the process's own bus if None.

    Raises:
        TypeError: `source` is no source.

    Example:
        >>> from locus_nb import EventBus, StreamEvent, runs
        >>> bus = EventBus()
        >>> for name in ("first", "second"):
        ...     bus.publish_nowait(StreamEvent(name, "agent.think", {}))
        >>> [run.id for run in runs(source=bus)]
        ['second', 'first']
    """
    source = source_or_default(source, "runs")
    return RunList(Run(run_id, source=source) for run_id in reversed(_run_ids(source)))


def last_run(*, source: Source | None = None) -> Run | None:
    """Give the run that was last used, the first of `runs()`; None if there is none.

    Args:
        source: As of `runs`.

    Raises:
        TypeError: `source` is no source.

    Example:
        >>> from locus_nb import EventBus, last_run
        >>> last_run(source=EventBus()) is None
        True
    """
    source = source_or_default(source, "last_run")
    run_ids = _run_ids(source)
    return Run(run_ids[-1], source=source) if run_ids else None


def _run_ids(source: Source) -> Sequence[str]:
    with at_one_moment(source) as now:
        return listed_run_ids(now)


def facts_of_all(runs: Iterable[Run]) -> list[RunFacts]:
    """Look at several runs now, each of their sources at one moment."""
    runs = tuple(runs)
    with moments(run.source for run in runs) as now:
        return [facts_of(now[run.source], run.run_id) for run in runs]


class RunList(Sequence[Run]):
    """Runs in an order; never changes, though the runs in it do.

    An index gives a `Run`, a slice a `RunList`, a run's id the `Run` of that id. As the last expression of a cell
    it shows a table of its first 50 runs.

    Args:
        runs: The runs.

    Raises:
        TypeError: One of them is no `Run`.

    Example:
        >>> from locus_nb import EventBus, StreamEvent, runs
        >>> bus = EventBus()
        >>> for name in ("plan", "cook", "eat"):
        ...     bus.publish_nowait(StreamEvent(name, "agent.think", {}))
        >>> kept = runs(source=bus)
        >>> len(kept), kept["plan"] == kept[-1], [run.id for run in kept[:2]]
        (3, True, ['eat', 'cook'])
    """

    __slots__ = ("_runs",)

    def __init__(self, runs: Iterable[Run] = ()) -> None:
        self._runs = tuple(runs)
        for run in self._runs:
            if not isinstance(run, Run):  # pyright: ignore[reportUnnecessaryIsInstance] - said to those without it
                raise TypeError(f"A RunList holds Runs, not {type(run).__name__}: pass Run(run_id)")

    def filter(
        self,
        *,
        status: str | Collection[str] | None = None,
        name: str | None = None,
        tag: str | Mapping[str, str] | None = None,
        since: datetime | str | None = None,
        until: datetime | str | None = None,
        where: Callable[[Run], object] | None = None,
    ) -> RunList:
        """Give those runs for which all of it holds, in the same order.

        Args:
            status: The run's status, or several of which it has one.
            name: The run's name, or its id if it has none; `*` stands for anything.
            tag: A tag's name, a `name=value`, or a mapping of names to values that the run has all of.
            since: It began then or later: aware, or ISO 8601 with an offset.
            until: It began earlier.
            where: Called with each run that is left; what it gives is taken for true or false.

        Raises:
            TypeError, ValueError: `since` or `until` is no time, or naive; no run ever has that status.
            Exception: What `where` raises.

        Example:
            >>> from locus_nb import EventBus, runs
            >>> bus = EventBus()
            >>> len(runs(source=bus).filter(status=["error", "interrupted"], where=lambda run: run.cost > 0.1))
            0
        """
        time = between(since, until, "filter")
        statuses = _statuses(status)
        tags = _tags(tag)

        def fits(now: Source, run_id: str) -> bool:
            record = now.run_record(run_id)
            return (
                (statuses is None or (record and record.status) in statuses)
                and (name is None or is_like((record and record.name) or run_id, name))
                and all(_has_tag(record, *pair) for pair in tags)
                and (time is None or _is_between(now, record, run_id, time))
            )

        with moments(run.source for run in self._runs) as now:
            found = [run for run in self._runs if fits(now[run.source], run.run_id)]
        return RunList(run for run in found if where is None or where(run))

    def df(self, **options: Any) -> pd.DataFrame:
        """Give the runs as a table, one row each; `options` are those of `runs_df`.

        Raises:
            TypeError: An option is unknown to `runs_df`.
            ValueError: The runs are of more than one source.
        """
        from locus_nb._frames.frames import runs_df  # noqa: PLC0415 - only who wants a frame needs pandas

        return runs_df(self._runs, **options)

    def __len__(self) -> int:
        return len(self._runs)

    @overload
    def __getitem__(self, index: int | str) -> Run: ...
    @overload
    def __getitem__(self, index: slice) -> RunList: ...
    def __getitem__(self, index: int | str | slice) -> Run | RunList:
        if isinstance(index, str):
            for run in self._runs:
                if run.run_id == index:
                    return run
            raise KeyError(index)
        return RunList(self._runs[index]) if isinstance(index, slice) else self._runs[index]

    def __contains__(self, run: object) -> bool:
        if isinstance(run, str):
            return any(each.run_id == run for each in self._runs)
        return run in self._runs

    def __iter__(self) -> Iterator[Run]:
        return iter(self._runs)

    def __eq__(self, other: object) -> bool:
        return self._runs == other._runs if isinstance(other, RunList) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._runs)

    def __reduce__(self) -> tuple[Any, ...]:
        # Together, so that they are of one source afterwards too.
        kept = portable(self._runs)
        return _pickled, ([(run.run_id, kept[run.source]) for run in self._runs],)

    def __copy__(self) -> RunList:
        return self

    def __deepcopy__(self, memo: object) -> RunList:
        return self

    def __repr__(self) -> str:
        return runs_text(self._shown(), len(self))

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        shown = self._shown()
        return {"text/plain": runs_text(shown, len(self)), "text/html": runs_html(shown, len(self))}

    def _shown(self) -> list[RunFacts]:
        return facts_of_all(self._runs[:MAX_RUNS])


def _pickled(runs: Sequence[tuple[str, Source]]) -> RunList:
    return RunList(Run(run_id, source=source) for run_id, source in runs)


def _statuses(status: str | Collection[str] | None) -> Collection[str] | None:
    if status is None:
        return None
    statuses = {status} if isinstance(status, str) else set(status)
    for unknown in statuses.difference(STATUSES):
        raise ValueError(f"filter(status={unknown!r}) finds no run, ever: use {', '.join(STATUSES)}")
    return statuses


def _tags(tag: str | Mapping[str, str] | None) -> list[tuple[str, str | None]]:
    if tag is None:
        return []
    if isinstance(tag, str):
        name, is_pair, value = tag.partition("=")
        return [(name, value if is_pair else None)]
    return list(tag.items())


def _has_tag(record: RunRecord | None, name: str, value: str | None) -> bool:
    return record is not None and name in record.tags and (value is None or record.tags[name] == value)


def _is_between(now: Source, record: RunRecord | None, run_id: str, time: tuple[int, int]) -> bool:
    start = started_ns_of(record, tuple(now.history(run_id)))
    return start is not None and time[0] <= start // 1000 < time[1]
