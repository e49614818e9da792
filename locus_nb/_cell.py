"""The notebook cell that this code belongs to, if there is one."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable


class Cell(NamedTuple):
    """A cell, one of its executions.

    Attributes:
        cell_id: What the front end calls it; None if it does not say.
        execution_count: The number in its brackets; None if it gets none, or nobody knows it any more.
    """

    cell_id: str | None
    execution_count: int | None


def running_shell() -> Any:
    """Give the IPython shell of this process; None without one, and then IPython is not loaded for it."""
    # A notebook has IPython loaded; asking a module that is not loaded would load it.
    ipython = sys.modules.get("IPython")
    return None if ipython is None else ipython.get_ipython()


def current_cell() -> Cell | None:
    """Give the cell that this code belongs to; None outside of a notebook, or if it cannot be told.

    It is the cell whose context this code has: that of a task is the cell that made it, also when another one
    runs by now. A thread without a context belongs to the cell that runs.
    """
    try:
        return _cell_of(running_shell())
    except Exception:  # noqa: BLE001 - an edge: another library's objects, of any version; a run needs no cell
        return None


def before_each_cell(call: Callable[[], None]) -> None:
    """Have something called at the beginning of each cell from now on, in the cell's own context; once if asked twice.

    Nothing outside of IPython.
    """
    try:
        shell = running_shell()
        if shell is not None:
            shell.events.register("pre_execute", call)
    except Exception:  # noqa: BLE001 - as above
        return


def request_of(shell: Any) -> dict[str, Any]:
    """Give the message that this code is run for, as the kernel knows it; empty without a kernel."""
    kernel = getattr(shell, "kernel", None)
    return {} if kernel is None else kernel.get_parent()


def cell_id_of(request: dict[str, Any]) -> str | None:
    """Give what the front end calls the cell of a request; None if it does not say."""
    return request.get("metadata", {}).get("cellId")


def _cell_of(shell: Any) -> Cell | None:
    if shell is None:
        return None
    running = _running_cell(shell)
    request = request_of(shell)
    text = request.get("content", {}).get("code")
    if text is None:
        # A message of a widget: a thread is given that too, if it was the kernel's latest.
        return running and Cell(*running[:2])
    cell_id = cell_id_of(request)
    if running is not None and (cell_id, text) == (running[0], running[2]):
        return Cell(cell_id, running[1])
    return Cell(cell_id, _number_of(shell, text))


def _running_cell(shell: Any) -> tuple[str | None, int | None, str] | None:
    """Give the id, the number and the text of what the shell runs now; the count it keeps may be the next one."""
    result = shell.displayhook.exec_result
    return result and (result.info.cell_id, result.execution_count, result.info.raw_cell)


def _number_of(shell: Any, text: str) -> int | None:
    """Give the number of the newest cell with this text."""
    typed = shell.history_manager.input_hist_raw
    text = text.rstrip("\n")
    return next((number for number in range(len(typed) - 1, 0, -1) if typed[number] == text), None)
