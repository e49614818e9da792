"""A run as an object: a handle by which its facts, its events and its pictures are read."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from locus_nb._bus import EventBus
from locus_nb._event import exact, run_id_error
from locus_nb._files.run_page import run_html
from locus_nb._files.whole_file import whole_file
from locus_nb._payloads.format import clean
from locus_nb._runs.facts import ended_ns_of, facts_of, started_ns_of
from locus_nb._runs.picture import run_bundle, said_of, timeline_still, tree_still
from locus_nb._store.asked import run_id_of
from locus_nb._store.memory import at_one_moment, moments, source_or_default
from locus_nb._sums.cost import pricing_of
from locus_nb._sums.sums import sums_of
from locus_nb._views.rows import text_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    import pandas as pd

    from locus_nb._event import StreamEvent
    from locus_nb._history import RunRecord, RunStatus
    from locus_nb._runs.facts import RunFacts
    from locus_nb._runs.still import Still
    from locus_nb._source import Source
    from locus_nb._sums.sums import Tokens

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NS_IN_MS = 1_000_000
_MAX_NAME = 60
_NO_TAGS: Mapping[str, str] = MappingProxyType({})


class Run:
    """One run, wherever it is kept: in the bus's memory, in a store, in a file.

    A light handle that holds no events: whatever is asked of it is read from the source at that moment, so that
    of a run which goes on it is up to date. It need not exist: an unknown run, or one that was evicted, has no
    events, no times and no status but what its source still knows. Payloads of any form are taken; none makes
    this raise. Two handles are equal if id and source are the same. A pickled one of a bus holds the run as it
    was then, as a saved file does: without secrets.

    As the last expression of a cell it shows its status, times, tokens, cost and waterfall, as of then.

    Args:
        run_id: The run's id, or an object that has it as `run_id` or `id`.
        source: What holds the run: an `EventBus`, together with its store if it has one, or what `history` or
            `load` gave; the process's own bus if None.

    Raises:
        TypeError: `run_id` is neither a str nor has one; `source` is no source.
        ValueError: It is empty.

    Example:
        >>> from locus_nb import EventBus, Run, StreamEvent
        >>> bus = EventBus()
        >>> bus.publish_nowait(StreamEvent("run-1", "agent.think", {"iteration": 1}))
        >>> bus.close_stream_nowait("run-1")
        >>> run = Run("run-1", source=bus)
        >>> run.status, len(run.events), run.tokens.total
        ('ok', 1, 0)
    """

    __slots__ = ("_run_id", "_source")

    def __init__(self, run_id: object, *, source: Source | None = None) -> None:
        found = run_id if (named := run_id_of(run_id)) is None else named
        if (error := run_id_error(found)) is not None:
            raise error
        self._run_id: str = exact(found)
        self._source: Source = source_or_default(source, "Run")

    @property
    def run_id(self) -> str:
        """Its id."""
        return self._run_id

    @property
    def id(self) -> str:
        """Its id, by its short name."""
        return self._run_id

    @property
    def source(self) -> Source:
        """What it is read from."""
        return self._source

    @property
    def name(self) -> str | None:
        """The name it was given, if any."""
        record = self._record()
        return record.name if record else None

    @property
    def tags(self) -> Mapping[str, str]:
        """The tags it was given; read-only."""
        record = self._record()
        return MappingProxyType(dict(record.tags)) if record else _NO_TAGS

    @property
    def status(self) -> RunStatus | None:
        """`running` until it is closed, then `ok`, `error` or `interrupted`; None for an unknown run."""
        record = self._record()
        return record.status if record else None

    @property
    def started_at(self) -> datetime | None:
        """When it began (UTC); None for an unknown run."""
        return _moment(started_ns_of(*self._seen()))

    @property
    def ended_at(self) -> datetime | None:
        """Its latest event (UTC), or without one when it was closed; None while it has not been."""
        return _moment(ended_ns_of(*self._seen()))

    @property
    def duration_ms(self) -> float:
        """Milliseconds from its start to its end; NaN while it has none."""
        record, events = self._seen()
        start, end = started_ns_of(record, events), ended_ns_of(record, events)
        return math.nan if start is None or end is None else max(0.0, (end - start) / _NS_IN_MS)

    @property
    def cell_id(self) -> str | None:
        """The id of the notebook cell it began in, if that is known."""
        record = self._record()
        return record.cell_id if record else None

    @property
    def execution_count(self) -> int | None:
        """The execution count of that cell."""
        record = self._record()
        return record.execution_count if record else None

    @property
    def events(self) -> tuple[StreamEvent, ...]:
        """Its events that are kept, oldest first; as they were emitted, secrets included."""
        with at_one_moment(self._source) as now:
            return tuple(now.history(self._run_id))

    @property
    def trimmed(self) -> int:
        """How many of its events are no longer kept."""
        record = self._record()
        return record.trimmed if record else 0

    @property
    def tokens(self) -> Tokens:
        """Its tokens: `input` (cached ones included), `output`, `cache_read`, `cache_write`, `total`."""
        return sums_of(self.events).tokens

    @property
    def cost(self) -> float:
        """Its cost in US dollars, as emitters put it into payloads as `cost_usd`, or by `configure(prices=...)`.

        NaN if neither says it, or not of a model call that has tokens: what is unknown is not taken for 0. A warning
        says what those prices, or the events, lack.
        """
        pricing = pricing_of(None)
        cost = sums_of(self.events, pricing and pricing.usd).cost_usd
        if pricing is not None:
            pricing.warn()
        return cost

    @property
    def errors(self) -> tuple[StreamEvent, ...]:
        """Its events that tell of an error, oldest first."""
        return sums_of(self.events).errors

    def df(self, **options: Any) -> pd.DataFrame:
        """Give its events as a table; `options` are those of `events_df`.

        Raises:
            TypeError: An option is unknown to `events_df`.
        """
        return self._frame("events_df", options)

    def spans_df(self, **options: Any) -> pd.DataFrame:
        """Give its spans as a table; `options` are those of `spans_df`.

        Raises:
            TypeError: An option is unknown to `spans_df`.
        """
        return self._frame("spans_df", options)

    def tools_df(self, **options: Any) -> pd.DataFrame:
        """Give its calls of tools as a table; `options` are those of `tools_df`.

        Raises:
            TypeError: An option is unknown to `tools_df`.
        """
        return self._frame("tools_df", options)

    def model_calls_df(self, **options: Any) -> pd.DataFrame:
        """Give its calls of models as a table; `options` are those of `model_calls_df`.

        Raises:
            TypeError: An option is unknown to `model_calls_df`.
        """
        return self._frame("model_calls_df", options)

    def timeline(self) -> Still:
        """Give its waterfall as it is now, to be shown: what took how long, and what went on at the same time.

        The newest 200 calls, in at most 24 lanes; secrets taken out.
        """
        return timeline_still(self._facts())

    def tree(self) -> Still:
        """Give its tree as it is now, to be shown: agents, their iterations, the calls in them.

        At most 500 lines; secrets taken out.
        """
        return tree_still(self._facts())

    def save(self, path: str | Path) -> None:
        """Write it to a file that `load` reads, as JSON lines.

        Raises:
            StoreError: `path` is the file of a store.
            OSError: The file cannot be written.
        """
        from locus_nb._files.files import save_run  # noqa: PLC0415 - only who writes a file needs it

        with at_one_moment(self._source) as now:
            save_run(now, self._run_id, path)

    def to_html(self, path: str | Path) -> None:
        """Write it as a self-contained page without a script; secrets taken out.

        Raises:
            StoreError: `path` is the file of a store.
            OSError: The file cannot be written.
        """
        with whole_file(path) as file, at_one_moment(self._source) as now:
            file.write(run_html(now, self._run_id).encode())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Run):
            return NotImplemented
        return self._run_id == other._run_id and self._source == other._source

    def __hash__(self) -> int:
        return hash((self._run_id, self._source))

    def __reduce__(self) -> tuple[Any, ...]:
        return _pickled, (self._run_id, portable([self])[self._source])

    def __copy__(self) -> Run:
        # It never changes, and its source is what others publish to.
        return self

    def __deepcopy__(self, memo: object) -> Run:
        return self

    def __repr__(self) -> str:
        facts = self._facts()
        name = f" {clean(facts.title, _MAX_NAME)!r}" if facts.record and facts.record.name else ""
        return f"<Run {text_of(self._run_id)!r}{name}: {', '.join(said_of(facts))}>"

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        return run_bundle(self._facts())

    def _record(self) -> RunRecord | None:
        with at_one_moment(self._source) as now:
            return now.run_record(self._run_id)

    def _seen(self) -> tuple[RunRecord | None, tuple[StreamEvent, ...]]:
        with at_one_moment(self._source) as now:
            return now.run_record(self._run_id), tuple(now.history(self._run_id))

    def _facts(self) -> RunFacts:
        with at_one_moment(self._source) as now:
            return facts_of(now, self._run_id)

    def _frame(self, name: str, options: dict[str, Any]) -> pd.DataFrame:
        from locus_nb._frames import frames  # noqa: PLC0415 - only who wants a frame needs pandas

        return getattr(frames, name)(self._run_id, source=self._source, **options)


def portable(runs: Iterable[Run]) -> dict[Source, Source]:
    """Give the sources of runs, each with what of it can leave the process: of a bus, its runs as they are now."""
    of: dict[Source, list[str]] = {}
    for run in runs:
        of.setdefault(run.source, []).append(run.run_id)
    with moments(of) as now:
        return {
            source: _kept(now[source], run_ids) if isinstance(source, EventBus) else source
            for source, run_ids in of.items()
        }


def _kept(source: Source, run_ids: Iterable[str]) -> Source:
    from locus_nb._files.files import kept_runs  # noqa: PLC0415 - only who pickles a run needs it

    return kept_runs(source, run_ids)


def _pickled(run_id: str, source: Source) -> Run:
    return Run(run_id, source=source)


def _moment(time_ns: int | None) -> datetime | None:
    return None if time_ns is None else _EPOCH + timedelta(microseconds=time_ns // 1000)
