"""A block of code that is a run: its name, its tags, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from locus_nb._context import checked_run_id, open_run
from locus_nb._entered import RunToken
from locus_nb._event import exact
from locus_nb._interruption import is_interruption
from locus_nb._runs.run import Run

if TYPE_CHECKING:
    from types import TracebackType

    from locus_nb._bus import EventBus
    from locus_nb._history import RunStatus


class run:  # noqa: N801 - reads as the statement it is used in
    """Make a block of code one run, from its first line to its last: `with` and `async with`.

    Yields the `Run`. Like `run_context` it makes the run current inside, nests, restores what was before, is carried
    along by tasks, agents and `propagate`, and puts no events of its own on the bus. Entered in a plain notebook cell
    it holds for the cells that follow, until one of either kind leaves it; entered in a cell with top-level await,
    which has a context of its own, it is current in that cell only, wherever it is left: what later cells emit is
    not in it. Beyond that it gives the run a name and tags, and closes its stream on exit, with
    the status `error` if an exception leaves the block, `interrupted` if that is KeyboardInterrupt or a
    cancellation; else with what the run's last `agent.terminate` says, and `ok` without one. What is emitted
    after that is kept, and counted as late: an agent whose events are no longer read (`async for`, then `break`)
    may be interrupted only then, and so is the run. The exception goes on. `runs` and `last_run` find it once something
    is emitted in it, or once it has ended.

    Args:
        name: What the run is called, wherever it is shown; it need not be unique.
        tags: Names and values by which runs are told apart later; kept as they are now.
        run_id: The run's id; a fresh unique one if None. One that is known already is opened again and goes on:
            who follows it sees it live. It keeps the name and the tags it has where none are given.

    Raises:
        TypeError, ValueError: `name`, `tags` or `run_id` is not what it should be.
        RuntimeError: On entering the same object again.

    Example:
        >>> from locus_nb import emit_sync, run
        >>> with run("trip", tags={"prompt": "v2"}) as trip:
        ...     emit_sync("agent.think", iteration=1)
        >>> trip.name, dict(trip.tags), trip.status, len(trip.events)
        ('trip', {'prompt': 'v2'}, 'ok', 1)
    """

    __slots__ = ("_bus", "_name", "_run_id", "_tags", "_token")

    def __init__(
        self,
        name: str | None = None,
        *,
        tags: Mapping[str, str] | None = None,
        run_id: str | None = None,
    ) -> None:
        self._name = _checked_name(name)
        self._tags = _checked_tags(tags)
        self._run_id = checked_run_id(run_id)
        self._bus: EventBus | None = None
        self._token: RunToken | None = None

    def __enter__(self) -> Run:
        if self._bus is not None:
            msg = f"run({self._name or self._run_id!r}) was entered before: make a new one for each `with`"
            raise RuntimeError(msg)
        self._bus = open_run(self._run_id, name=self._name, tags=self._tags, listed=True)
        self._token = RunToken(self._run_id)
        return Run(self._run_id, source=self._bus)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        token, self._token = self._token, None
        if self._bus is None or token is None:
            return
        try:
            token.leave()
        finally:
            self._bus.close_stream_nowait(self._run_id, status=_end(error))

    async def __aenter__(self) -> Run:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)


def _end(error: BaseException | None) -> RunStatus | None:
    """How a run ends that this exception leaves; None if that is the run's own to say."""
    if is_interruption(error):
        return "interrupted"
    # `sys.exit()` is how a program ends that has nothing to complain of.
    is_fine = error is None or (isinstance(error, SystemExit) and not error.code)
    return None if is_fine else "error"


def _checked_name(name: object) -> str | None:
    if name is None:
        return None
    if not isinstance(name, str):
        raise TypeError(f"A run's name is a str, not {type(name).__name__}: run('trip'), or run(run_id=...)")
    if not name.strip():
        raise ValueError("A run's name is not empty: run('trip'), or run() for a run without a name")
    return exact(name)


def _checked_tags(tags: object) -> dict[str, str] | None:
    if tags is None:
        return None
    if not isinstance(tags, Mapping):
        raise TypeError(f"A run's tags are a mapping, not {type(tags).__name__}: tags={{'prompt': 'v2'}}")
    checked: dict[str, str] = {}
    for key, value in cast("Mapping[object, object]", tags).items():
        if not isinstance(key, str):
            raise TypeError(f"A tag's name is a str, not {type(key).__name__}: tags={{'prompt': 'v2'}}")
        if not key.strip():
            raise ValueError("A tag's name is not empty: tags={'prompt': 'v2'}")
        if not isinstance(value, str):
            raise TypeError(f"The tag {key!r} is a str, not {type(value).__name__}: pass str(...) of it")
        checked[exact(key)] = exact(value)
    return checked
