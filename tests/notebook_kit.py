"""Notebooks run in one kernel, which also hears what fails where no cell is: in threads, tasks and finalizers."""

from __future__ import annotations

import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import nbformat

from tests.kernel_kit import running_kernel

if TYPE_CHECKING:
    from collections.abc import Generator

    from tests.kernel_kit import Kernel

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))

# A thread's exception is printed, a task's is logged when the task is collected, a finalizer's is printed, and a
# coroutine that nobody awaited is warned of: no cell fails by any of these, so they are noted here.
LISTEN = """
def _listen():
    import gc, logging, sys, threading, warnings

    failures = []

    class Note(logging.Handler):
        def emit(self, record):
            error = record.exc_info[1] if record.exc_info else None
            failures.append(f"asyncio: {record.getMessage()}: {error!r}")

    def of_thread(args):
        failures.append(f"{args.thread and args.thread.name}: {args.exc_value!r}")

    def of_finalizer(args):
        failures.append(f"{args.err_msg or 'finalizer'}: {args.exc_value!r} in {args.object!r}")

    def heard():
        gc.collect()
        return failures

    logging.getLogger("asyncio").addHandler(Note(logging.ERROR))
    threading.excepthook = of_thread
    sys.unraisablehook = of_finalizer
    warnings.filterwarnings("error", "coroutine .* was never awaited", RuntimeWarning)
    sys.heard_beside_cells = heard

_listen()
del _listen
"""

# What IPython says, and no notebook, where a cell with `%load_ext` is run again.
LOADED = re.compile(r"The \w+ extension is already loaded\..*\n.*%reload_ext \w+\n")


class Cell(NamedTuple):
    """A code cell of a notebook: what names it, and its text."""

    id: str
    source: str


class Outputs(NamedTuple):
    """Of what kind the outputs of a cell are: whether it printed, and the formats of what it showed."""

    printed: bool
    shown: tuple[tuple[str, ...], ...]


class NotebookKernel:
    """A kernel that runs cells of notebooks as a front end does."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        kernel.run(LISTEN)

    def run(self, cell: Cell) -> Outputs:
        """Run a cell, which must not fail."""
        ran = self._kernel.run(cell.source, cell_id=cell.id)
        return Outputs(
            bool(LOADED.sub("", ran.printed)), tuple(tuple(sorted(bundle)) for bundle in ran.shown)
        )

    def run_all(self, cells: list[Cell]) -> list[Outputs]:
        """Run cells, none of which may fail, and see that nothing failed beside them."""
        outputs = [self.run(cell) for cell in cells]
        self.check()
        return outputs

    def check(self) -> None:
        """See that nothing has failed in a thread, a task or a finalizer."""
        failures = self._kernel.value("__import__('sys').heard_beside_cells()")
        assert failures == [], "it failed where no cell is:\n" + "\n".join(failures)


@contextmanager
def notebook_kernel(folder: Path) -> Generator[NotebookKernel]:
    """A kernel of its own, in which no notebook has run yet; ends with its `with`."""
    with running_kernel(folder) as kernel:
        yield NotebookKernel(kernel)


def code_of(path: Path) -> list[Cell]:
    """The code cells of a notebook, by ids that no other notebook has."""
    notebook = nbformat.read(path, as_version=4)
    cells = [cell for cell in notebook.cells if cell["cell_type"] == "code"]
    return [Cell(f"{path.stem} {cell['id']}", cell["source"]) for cell in cells]
