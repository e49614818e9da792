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
        left_elsewhere: What undoes it in other contexts where it was left, from under a block that goes on there.
    """

    __slots__ = ("left", "left_elsewhere", "run_id")

    def __init__(self, run_id: str | None) -> None:
        self.run_id = run_id
        self.left: Token[Entered | None] | None = None
        # Several contexts may leave it at once.
        self.left_elsewhere: list[Token[Entered | None]] = []


# The run of a process that was started inside of one; looked at once, so that asking costs nothing.
_INHERITED = Entered(inherited) if (inherited := os.environ.get(RUN_VARIABLE)) else None
ENTERED: ContextVar[Entered | None] = ContextVar("locus_nb_entered", default=_INHERITED)


class RunToken:
    """Enters a run in this context, and leaves it again.

    A block may be left in another context than it was entered in: two notebook cells are two, if one of them
    awaits. Where it was entered the run is then still current, until somebody asks there or a cell begins.
    """

    __slots__ = ("_entered", "_is_used", "_token")

    def __init__(self, run_id: str | None) -> None:
        self._entered = Entered(run_id)
        self._token = ENTERED.set(self._entered)
        self._is_used = False

    def leave(self) -> None:
        """Restore what was before, in any context; another run that is current there stays so, and none stays none.

        Raises:
            RuntimeError: It was left before, where it was entered.
        """
        # What others have left is undone first, or it would be taken for a block that goes on.
        run_id_of(ENTERED.get())
        now = ENTERED.get()
        left = self._entered
        left.left = self._token
        try:
            ENTERED.reset(self._token)
        except ValueError:
            self._leave_elsewhere(now)
            before_each_cell(begin_cell)
            return
        except RuntimeError:
            if self._is_used:
                raise
            # Left elsewhere before, it was undone here when somebody asked.
            now = None
        self._is_used = True
        if now is not None and now is not left and now.left is None:
            left.left = _put_under(left, now)

    def _leave_elsewhere(self, now: Entered | None) -> None:
        if now is None:
            return
        ENTERED.set(_standing(self._entered))
        if now is not self._entered:
            self._entered.left_elsewhere.append(_put_under(self._entered, now))


def _put_under(left: Entered, now: Entered) -> Token[Entered | None]:
    """Keep `now` current, which may in its turn restore what was left; give what undoes that then."""
    token = ENTERED.set(left)
    ENTERED.set(now)
    return token


def run_id_of(now: Entered | None) -> str | None:
    """Give the run of what a context says is entered, once what was left elsewhere is undone here.

    What was given a copy of the context inside of the block, a task or a call in a thread, keeps the run.
    """
    while now is not None and now.left is not None and _undo(now.left, *now.left_elsewhere):
        now = ENTERED.get()
    return None if now is None else now.run_id


def _undo(*tokens: Token[Entered | None]) -> bool:
    """Restore what was before, if one of the tokens is of this context, and unused."""
    for token in tokens:
        try:
            ENTERED.reset(token)
        except (ValueError, RuntimeError):
            # Of another context, of which this may be a copy.
            continue
        return True
    return False


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
