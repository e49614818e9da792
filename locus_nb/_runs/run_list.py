"""Several runs: a list that is looked up, cut, filtered, made into a table, and shows itself."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, overload

from locus_nb._runs.facts import RunFacts, facts_of
from locus_nb._runs.list_picture import MAX_RUNS, runs_html, runs_text
from locus_nb._runs.run import Run
from locus_nb._store.memory import default_source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    import pandas as pd

    from locus_nb._source import Source


def runs(*, source: Source | None = None) -> RunList:
    """Give the runs that have events, the one with the newest event first.

    The list is of those there are now; each `Run` in it is read anew whenever it is asked.

    Args:
        source: What holds runs, such as an `EventBus`; the process's own bus if None, and its store.

    Example:
        >>> from locus_nb import EventBus, StreamEvent, runs
        >>> bus = EventBus()
        >>> for name in ("first", "second"):
        ...     bus.publish_nowait(StreamEvent(name, "agent.think", {}))
        >>> [run.id for run in runs(source=bus)]
        ['second', 'first']
    """
    source = default_source() if source is None else source
    return RunList(Run(run_id, source=source) for run_id in reversed(source.run_ids()))


def last_run(*, source: Source | None = None) -> Run | None:
    """Give the run that has the newest event; None if no run has any.

    Args:
        source: As of `runs`.

    Example:
        >>> from locus_nb import EventBus, last_run
        >>> last_run(source=EventBus()) is None
        True
    """
    source = default_source() if source is None else source
    run_ids = source.run_ids()
    return Run(run_ids[-1], source=source) if run_ids else None


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
        since: datetime | None = None,
        until: datetime | None = None,
        where: Callable[[Run], object] | None = None,
    ) -> RunList:
        """Give those runs for which all of it holds, in the same order.

        Args:
            status: The run's status, or several of which it has one.
            name: The run's name, or its id if it has none; `*` and `?` stand for any letters, or any one.
            tag: A tag's name, a `name=value`, or a mapping of names to values that the run has all of.
            since: It began then or later.
            until: It began earlier.
            where: Called with each run that is left; what it gives is taken for true or false.

        Raises:
            ValueError: `since` or `until` is naive.
            Exception: What `where` raises.

        Example:
            >>> from locus_nb import EventBus, runs
            >>> bus = EventBus()
            >>> len(runs(source=bus).filter(status=["error", "interrupted"], where=lambda run: run.cost > 0.1))
            0
        """
        for which, moment in (("since", since), ("until", until)):
            if moment is not None and moment.utcoffset() is None:
                raise ValueError(
                    f"filter takes no naive {which}, whose zone is a guess: use datetime.now(UTC)"
                )
        statuses = {status} if isinstance(status, str) else None if status is None else set(status)
        wanted = _tags(tag)

        def fits(run: Run) -> bool:
            return (
                (statuses is None or run.status in statuses)
                and (name is None or _is_called(run, name))
                and all(_has_tag(run, *pair) for pair in wanted)
                and _is_between(run, since, until)
                and (where is None or bool(where(run)))
            )

        return RunList(filter(fits, self._runs))

    def df(self, **options: Any) -> pd.DataFrame:
        """Give the runs as a table, one row each; `options` are those of `runs_df`.

        Raises:
            TypeError: An option is unknown to `runs_df`.
            ValueError: The runs are of more than one source.
        """
        sources = dict.fromkeys(run.source for run in self._runs)
        if len(sources) > 1:
            raise ValueError(
                "df() reads one source, and these runs are of several: make a frame of each, and use pandas.concat"
            )
        source = next(iter(sources), None)
        from locus_nb._frames.frames import runs_df  # noqa: PLC0415 - only who wants a frame needs pandas

        return runs_df([run.run_id for run in self._runs], source=source, **options)

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

    def __repr__(self) -> str:
        return runs_text(self._shown(), len(self))

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        shown = self._shown()
        return {"text/plain": runs_text(shown, len(self)), "text/html": runs_html(shown, len(self))}

    def _shown(self) -> list[RunFacts]:
        return [facts_of(run.source, run.run_id) for run in self._runs[:MAX_RUNS]]


def _tags(tag: str | Mapping[str, str] | None) -> list[tuple[str, str | None]]:
    if tag is None:
        return []
    if isinstance(tag, str):
        name, is_pair, value = tag.partition("=")
        return [(name, value if is_pair else None)]
    return list(tag.items())


def _has_tag(run: Run, name: str, value: str | None) -> bool:
    tags = run.tags
    return name in tags and (value is None or tags[name] == value)


def _is_called(run: Run, pattern: str) -> bool:
    name = run.name or run.run_id
    return name == pattern or fnmatchcase(name, pattern)


def _is_between(run: Run, since: datetime | None, until: datetime | None) -> bool:
    if since is None and until is None:
        return True
    start = run.started_at
    if start is None:
        return False
    return (since is None or start >= since) and (until is None or start < until)
