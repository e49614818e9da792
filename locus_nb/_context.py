"""Which run the current code belongs to."""

from __future__ import annotations

from contextvars import ContextVar, Token
from typing import TYPE_CHECKING

from locus_nb._bus import get_event_bus
from locus_nb._event import run_id_error

if TYPE_CHECKING:
    from types import TracebackType

RUN_ID: ContextVar[str | None] = ContextVar("locus_nb_run_id", default=None)


def current_run_id() -> str | None:
    """The run this code belongs to; None outside of one."""
    return RUN_ID.get()


def set_run_id(run_id: str | None) -> Token[str | None]:
    """Make `run_id` the current run of this context; undo it with `reset_run_id`.

    It is checked when something is published, not here.
    """
    return RUN_ID.set(run_id)


def reset_run_id(token: Token[str | None]) -> None:
    """Undo a `set_run_id`, also in another context than it was done in.

    Raises:
        RuntimeError: The token was used before.
    """
    try:
        RUN_ID.reset(token)
    except ValueError:
        # Two notebook cells with top-level await are two contexts.
        before = token.old_value
        RUN_ID.set(None if before is Token.MISSING else before)


class run_context:  # noqa: N801 - reads as the statement it is used in
    """Make everything emitted inside belong to one run: `with` and `async with`.

    Yields the run id, nests, and restores what was before. The stream is opened (again, if it was
    closed before) but not closed: that is `close_stream`'s. Threads started by `asyncio.to_thread`,
    tasks and `Agent` keep the run; a bare `threading.Thread` does not, and enters the run itself.
    Entered in a notebook cell with top-level await, it binds that cell only; and left in such a cell, one that
    was entered in a plain cell stays for the cells that follow, because an awaiting cell has a context of its own.

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
        if run_id is None:
            from uuid import uuid4  # noqa: PLC0415 - costs a third of the package's import time

            run_id = f"run-{uuid4().hex[:12]}"
        error = run_id_error(run_id)
        if error is not None:
            raise error
        self.run_id = run_id
        self._token: Token[str | None] | None = None

    def __enter__(self) -> str:
        if self._token is not None:
            msg = f"run_context({self.run_id!r}) was entered before: make a new one for each `with`"
            raise RuntimeError(msg)
        get_event_bus().open_stream_nowait(self.run_id)
        self._token = set_run_id(self.run_id)
        return self.run_id

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._token is not None:
            reset_run_id(self._token)

    async def __aenter__(self) -> str:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)
