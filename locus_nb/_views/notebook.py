"""The notebook around us, if there is one: which cell runs, whether one does, and when it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from locus_nb._cell import cell_id_of, request_of, running_shell

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

# What takes the place of an output that is no longer needed; the style of pictures hides it.
NOTHING = {"text/html": '<div class="locus-gone"></div>', "text/plain": ""}


class Place(NamedTuple):
    """Where in a notebook something was asked for: in which cell, and how often in its run before.

    A cell that the front end does not name is told apart by its text, which another cell may share.
    """

    cell: Hashable
    ordinal: int
    named: bool


class Notebook:
    """The IPython shell of this process. Outside of one nothing runs and nothing ends.

    Args:
        find_shell: Gives the shell, or None; for tests.
    """

    def __init__(self, find_shell: Callable[[], Any]) -> None:
        self._find_shell = find_shell
        self._shell: Any = None
        # Cells that run, each but the first one inside another (`%run other.ipynb` runs such), all for this message.
        self._running = 0
        self._message: str = ""
        # Cell to how often it asked for a place in its last run.
        self._calls: dict[Hashable, int] = {}
        self._cell_end: list[Callable[[], None]] = []
        self._displays_heard: set[type] = set()

    def connect(self) -> bool:
        """Listen to the shell's cells, once; False outside of a notebook. Call it from a cell."""
        shell = self._find_shell()
        if shell is None:
            return False
        if shell is not self._shell:
            self._shell = shell
            self._displays_heard.clear()
            # Whoever calls this runs in a cell.
            self._running, self._message = 1, self.message()[0]
            shell.events.register("pre_run_cell", self._begin_cell)
            shell.events.register("post_run_cell", self._end_cell)
        return True

    def is_busy(self) -> bool:
        """Whether a cell runs now."""
        return self._running > 0

    def place(self) -> Place | None:
        """The next place in the cell that this code belongs to; None outside of a notebook."""
        if self._shell is None:
            return None
        cell, named = self._cell()
        ordinal = self._calls.get(cell, 0)
        self._calls[cell] = ordinal + 1
        return Place(cell, ordinal, named)

    def is_left_over(self, place: Place) -> bool:
        """Whether a place is of the cell that runs, from an earlier run, and was not given again in this one."""
        if self._shell is None or not place.named:
            return False
        return (place.cell, True) == self._cell() and place.ordinal >= self._calls.get(place.cell, 0)

    def message(self) -> tuple[str, bool]:
        """What this code answers to: the id of the front end's message, and whether that is a cell; "" for none."""
        header: dict[str, Any] = request_of(self._shell).get("header", {})
        return str(header.get("msg_id", "")), header.get("msg_type") == "execute_request"

    def on_cell_end(self, call: Callable[[], None]) -> None:
        """Call `call` at the end of each cell from now on; of cells inside one another at the end of the outermost."""
        if call not in self._cell_end:
            self._cell_end.append(call)

    def on_display(self, kind: type, call: Callable[[Any], None]) -> bool:
        """Call `call` with each object of a type just before it is displayed, from now on; once per type and shell.

        It is displayed as ever. Not called for objects that display themselves by `_ipython_display_`. False if
        that type was asked for before.
        """
        if self._shell is None or kind in self._displays_heard:
            return False
        self._displays_heard.add(kind)
        formatter = self._shell.display_formatter.mimebundle_formatter
        before: Callable[[Any], Any] = formatter.for_type(kind) or _own_bundle

        def bundle(shown: Any) -> Any:
            call(shown)
            return before(shown)

        formatter.for_type(kind, bundle)
        return True

    def _cell(self) -> tuple[Hashable, bool]:
        cell_id = cell_id_of(request_of(self._shell))
        if cell_id is not None:
            return cell_id, True
        typed = self._shell.user_ns.get("In") or [""]
        return typed[-1], False

    def _begin_cell(self, *_info: object) -> None:
        message = self.message()[0]
        if self._running and message and message == self._message:
            self._running += 1
            return
        self._running, self._message = 1, message
        self._calls[self._cell()[0]] = 0

    def _end_cell(self, *_result: object) -> None:
        # Of an empty cell IPython tells the end alone.
        self._running = max(0, self._running - 1)
        if self._running:
            return
        for call in tuple(self._cell_end):
            call()


def show_object(shown: object) -> None:
    """Show an object as it shows itself."""
    _ipython().display(shown)


def show_output(data: Mapping[str, Any], **about: Any) -> None:
    """Show an output of these types."""
    _ipython().display(data, raw=True, **about)


def update_output(display_id: str, data: Mapping[str, Any]) -> None:
    """Put something else in the place of an output."""
    _ipython().update_display(data, display_id=display_id, raw=True)


def _ipython() -> Any:
    from IPython import display  # noqa: PLC0415 - only who shows something needs it

    return display


def _own_bundle(shown: Any) -> Any:
    from IPython.utils.dir2 import get_real_method  # noqa: PLC0415 - only called by IPython

    method = get_real_method(shown, "_repr_mimebundle_")
    return None if method is None else method(include=None, exclude=None)


NOTEBOOK = Notebook(running_shell)
