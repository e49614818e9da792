"""The run that a context is in: entered there, and left there or elsewhere."""

from __future__ import annotations

import os
from contextvars import ContextVar, Token

from locus_nb._cell import before_each_cell

RUN_VARIABLE = "LOCUS_RUN_ID"


class Entered:
    """A run that a block of code has entered; None in its place is no run.

    Attributes:
        run_id: The run.
        left: None until the block is left; then what undoes the entering, in the context where it was entered.
    """

    __slots__ = ("left", "run_id")

    def __init__(self, run_id: str | None) -> None:
        self.run_id = run_id
        self.left: Token[Entered | None] | None = None


# The run of a process that was started inside of one; looked at once, so that asking costs nothing.
_INHERITED = Entered(inherited) if (inherited := os.environ.get(RUN_VARIABLE)) else None
ENTERED: ContextVar[Entered | None] = ContextVar("locus_nb_entered", default=_INHERITED)


class RunToken:
    """Enters a run in this context, and leaves it again.

    A block may be left in another context than it was entered in: two notebook cells are two, if one of them
    awaits. Where it was entered the run is then still current, until somebody asks there or a cell begins.
    """

    __slots__ = ("_entered", "_token")

    def __init__(self, run_id: str | None) -> None:
        self._entered = Entered(run_id)
        self._token = ENTERED.set(self._entered)

    def leave(self) -> None:
        """Restore what was before, in any context.

        Raises:
            RuntimeError: It was left before, where it was entered.
        """
        now = ENTERED.get()
        self._entered.left = self._token
        try:
            ENTERED.reset(self._token)
        except ValueError:
            ENTERED.set(_standing(self._entered))
            before_each_cell(begin_cell)
            return
        if now is not None and now is not self._entered and now.left is None:
            # It was not the innermost, which stays current; in its turn that restores this one, to be undone then.
            self._entered.left = ENTERED.set(self._entered)
            ENTERED.set(now)


def run_id_of(now: Entered | None) -> str | None:
    """Give the run of what a context says is entered, once what was left elsewhere is undone here.

    What was given a copy of the context inside of the block, a task or a call in a thread, keeps the run.
    """
    while now is not None and now.left is not None:
        try:
            ENTERED.reset(now.left)
        except (ValueError, RuntimeError):
            # A copy of the context it was entered in.
            break
        now = ENTERED.get()
    return None if now is None else now.run_id


def begin_cell() -> None:
    """Forget blocks that were left: a cell's context may be a copy of one that still has them."""
    now = ENTERED.get()
    if now is not (standing := _standing(now)):
        ENTERED.set(standing)


def _standing(now: Entered | None) -> Entered | None:
    """Give the innermost block, from this one outwards, that was not left."""
    while now is not None and now.left is not None:
        before = now.left.old_value
        now = _INHERITED if before is Token.MISSING else before
    return now
