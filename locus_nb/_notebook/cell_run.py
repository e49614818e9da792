"""What a cell with a `%%locus` line does when it runs: it is a run, and shows that if asked."""

from __future__ import annotations

import sys
import weakref
from typing import TYPE_CHECKING, Any

from IPython.utils.text import DollarFormatter

from locus_nb._notebook.cell_source import show_magic
from locus_nb._notebook.options import OFF, read_cell_line
from locus_nb._payloads.format import clean
from locus_nb._payloads.redact import redact_text
from locus_nb._runs.block import run
from locus_nb._views.notebook import show_output
from locus_nb._views.view import show_view, views_on_page
from locus_nb._views.watch import watch

if TYPE_CHECKING:
    from types import TracebackType

    from locus_nb._runs.run import Run
    from locus_nb._views.watch import RowsView

# So many views of cells live at one time; a page of more is of cells that ran long ago.
MAX_LIVE = 20
# Characters of the name of a run that is named after its cell.
MAX_TITLE = 60

_opened: weakref.WeakSet[RowsView] = weakref.WeakSet()


class cell_run:  # noqa: N801 - reads as the statement it is used in
    """Make a cell's code one run; a `with` that `cell_tree` puts around it.

    Without a kernel there is no live view: what it would show is printed when the run is over.

    Args:
        shell: The IPython shell that runs the cell.
        line: What stands behind `%%locus`.
        title: The run's name if the line has none.

    Raises:
        UsageError: The line holds something unknown; the cell's code does not run.
    """

    def __init__(self, shell: Any, line: str, title: str) -> None:
        # Only the cell's code knows what the cell is called.
        show_magic(sys._getframe(1).f_code.co_filename)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
        name, tags, self._live = read_cell_line(_expanded(shell, line))
        # A line of code may hold a secret, which nobody meant for a name; it is found in the whole line only.
        self._run = run(
            name or clean(redact_text(title), MAX_TITLE) or f"cell {shell.execution_count - 1}", tags=tags
        )
        self._can_show = getattr(shell, "kernel", None) is not None
        self._made: Run | None = None

    def __enter__(self) -> Run:
        made = self._made = self._run.__enter__()
        try:
            if self._live != OFF and self._can_show:
                _show_live(made, self._live)
        except BaseException:
            self._run.__exit__(*sys.exc_info())
            raise
        return made

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run.__exit__(kind, error, trace)
        if self._live != OFF and not self._can_show:
            with watch(self._made) as view:
                view.freeze()
                show_output(view.picture())


def show(value: object) -> None:
    """Show the value of a cell's expression, as the shell would."""
    sys.displayhook(value)


def _show_live(made: Run, tab: str) -> None:
    """Show the live view of a run, and end the oldest of those that cells have opened."""
    view = watch(made, tab=tab)
    _opened.add(view)
    show_view(view)
    for old in [each for each in views_on_page() if each in _opened][:-MAX_LIVE]:
        old.close()


def _expanded(shell: Any, line: str) -> str:
    """Put variables in, as in the line of any magic; what cannot be put in stays as it is."""
    try:
        return DollarFormatter().vformat(line, [], shell.user_ns)
    except Exception:  # noqa: BLE001 - an edge: whatever the user's objects raise, and what is no format at all
        return line
