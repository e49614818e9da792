"""Which run the current code belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locus_nb._bus import EventBus, get_event_bus
from locus_nb._cell import current_cell
from locus_nb._entered import ENTERED, RunToken, run_id_of
from locus_nb._event import exact, run_id_error

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from locus_nb._cell import Cell
    from locus_nb._history import RunRecord


def current_run_id() -> str | None:
    """The run this code belongs to; None outside of one.

    A process that has `LOCUS_RUN_ID` in its environment when it first uses this package belongs to that run
    wherever it is in no other. Nobody puts it there unasked: whoever starts a process inside of a run passes
    `env=os.environ | {"LOCUS_RUN_ID": current_run_id()}`. What the process emits is on a bus of its own.
    """
    now = ENTERED.get()
    return now.run_id if now is not None and now.left is None else run_id_of(now)


def set_run_id(run_id: str | None) -> RunToken:
    """Make `run_id` the current run of this context; undo it with `reset_run_id`.

    The id is checked when something is published, not here. Nothing is opened, so the run's record has no cell: that
    is `run_context`'s, and `run`'s.
    """
    return RunToken(run_id)


def reset_run_id(token: RunToken) -> None:
    """Undo a `set_run_id`, also in another context than it was done in.

    Raises:
        RuntimeError: The token was used before, in the context where it was made.
    """
    token.leave()


def fresh_run_id() -> str:
    """Make an id that no other run has."""
    from uuid import uuid4  # noqa: PLC0415 - costs a third of the package's import time

    return f"run-{uuid4().hex[:12]}"


def checked_run_id(run_id: str | None) -> str:
    """Give the id, or a fresh one for None.

    Raises:
        TypeError, ValueError: It cannot name a run.
    """
    error = None if run_id is None else run_id_error(run_id)
    if error is not None:
        raise error
    return fresh_run_id() if run_id is None else exact(run_id)


def open_run(
    run_id: str, *, name: str | None = None, tags: Mapping[str, str] | None = None, listed: bool = False
) -> EventBus:
    """Open a run's stream, again if it was closed, and note the notebook cell that it begins in; give its bus.

    It begins where it is opened. While it is open it keeps its cell, unless that cell is run again.
    """
    bus = get_event_bus()
    cell = current_cell()
    if cell is None or not _begins(bus.run_record(run_id), cell):
        bus.open_stream_nowait(run_id, name=name, tags=tags, listed=listed)
    else:
        bus.open_stream_nowait(run_id, name=name, tags=tags, listed=listed, **cell._asdict())
    return bus


def _begins(record: RunRecord | None, cell: Cell) -> bool:
    """Whether a run that is opened in a cell begins there, rather than to go on there."""
    if record is None or record.closed or record.execution_count is None:
        return True
    return cell.cell_id is not None and record.cell_id == cell.cell_id


class run_context:  # noqa: N801 - reads as the statement it is used in
    """Make everything emitted inside belong to one run: `with` and `async with`.

    Yields the run id, nests, and restores what was before. The stream is opened (again, if it was
    closed before) but not closed: that is `close_stream`'s, and `run` is the statement that does it. In a
    notebook the run's record says in which cell it began. Threads started by `asyncio.to_thread`,
    tasks and `Agent` keep the run; a bare `threading.Thread` and a `ThreadPoolExecutor` do not: give them what
    `propagate` makes, or enter the run there. A process is told by its environment, see `current_run_id`.
    Entered in a notebook cell with top-level await, it binds that cell only, because such a cell has a context
    of its own; entered in a plain cell, it holds until it is left, in a cell of either kind. What was begun inside
    keeps the run also after it is left; and if it is left elsewhere, so does what is begun where it was entered,
    until something asks for the run there or a cell begins.

    Args:
        run_id: The run; a fresh unique id if None.

    Raises:
        TypeError, ValueError: `run_id` cannot name a run.
        RuntimeError: On entering the same object again.

    Example:
        >>> from locus_nb import current_run_id, run_context
        >>> with run_context("run-1") as run_id:
        ...     current_run_id()
        'run-1'
        >>> current_run_id() is None
        True
    """

    __slots__ = ("_token", "run_id")

    def __init__(self, run_id: str | None = None) -> None:
        self.run_id = checked_run_id(run_id)
        self._token: RunToken | None = None

    def __enter__(self) -> str:
        if self._token is not None:
            msg = f"run_context({self.run_id!r}) was entered before: make a new one for each `with`"
            raise RuntimeError(msg)
        open_run(self.run_id)
        self._token = RunToken(self.run_id)
        return self.run_id

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._token is not None:
            self._token.leave()

    async def __aenter__(self) -> str:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)
