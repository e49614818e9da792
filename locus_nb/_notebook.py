"""The notebook around us, if there is one: which cell runs, whether one does, and when it ends."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable


class Notebook:
    """The IPython shell of this process. Outside of one nothing runs and nothing ends.

    Args:
        find_shell: Gives the shell, or None; for tests.
    """

    def __init__(self, find_shell: Callable[[], Any]) -> None:
        self._find_shell = find_shell
        self._shell: Any = None
        self._busy = False
        self._calls = 0
        self._cell_end: list[Callable[[], None]] = []

    def connect(self) -> bool:
        """Listen to the shell's cells, once; False outside of a notebook. Call it from a cell."""
        shell = self._find_shell()
        if shell is None:
            return False
        if shell is not self._shell:
            self._shell = shell
            # Whoever calls this runs in a cell.
            self._busy = True
            shell.events.register("pre_run_cell", self._begin_cell)
            shell.events.register("post_run_cell", self._end_cell)
        return True

    def is_busy(self) -> bool:
        """Whether a cell runs now."""
        return self._busy

    def place(self) -> tuple[Hashable, int] | None:
        """Which cell runs, and how often this was asked in it before; None outside of a notebook.

        A front end that does not name its cells has them told apart by their text.
        """
        if self._shell is None:
            return None
        ordinal = self._calls
        self._calls += 1
        return self._cell(), ordinal

    def is_left_over(self, place: tuple[Hashable, int]) -> bool:
        """Whether a place is of the cell that runs, from an earlier run, and was not given again in this one."""
        cell, ordinal = place
        return self._shell is not None and ordinal >= self._calls and cell == self._cell()

    def on_cell_end(self, call: Callable[[], None]) -> None:
        """Call `call` at the end of each cell from now on."""
        if call not in self._cell_end:
            self._cell_end.append(call)

    def _cell(self) -> Hashable:
        kernel = getattr(self._shell, "kernel", None)
        parent: Any = kernel.get_parent() if kernel is not None else {}
        cell_id = parent.get("metadata", {}).get("cellId")
        if cell_id is not None:
            return cell_id
        typed = self._shell.user_ns.get("In") or [""]
        return ("text", typed[-1])

    def _begin_cell(self, *_info: object) -> None:
        self._busy = True
        self._calls = 0

    def _end_cell(self, *_result: object) -> None:
        self._busy = False
        for call in tuple(self._cell_end):
            call()


def _running_shell() -> Any:
    # A notebook has IPython loaded; asking a module that is not loaded would load it.
    ipython = sys.modules.get("IPython")
    return None if ipython is None else ipython.get_ipython()


NOTEBOOK = Notebook(_running_shell)
