from __future__ import annotations

import random
from typing import TYPE_CHECKING

import nbformat
import pytest

from tests.notebook_kit import NOTEBOOKS, Cell, code_of, notebook_kernel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.notebook_kit import NotebookKernel

THREAD = """
from threading import Thread
thread = Thread(target=lambda: 1 / 0)
thread.start()
thread.join()
"""
TASK = """
import asyncio

async def fail():
    raise ValueError("in a task")

async def begin():
    asyncio.ensure_future(fail())
    await asyncio.sleep(0)

await begin()
"""
TASK_OF_ANOTHER_LOOP = f"""
{TASK.replace("await begin()", "")}
thread = __import__("threading").Thread(target=asyncio.run, args=[begin()])
thread.start()
thread.join()
"""
NEVER_AWAITED = """
async def step():
    pass

step() and None
"""
FINALIZER = """
class Handle:
    def __del__(self):
        raise OSError("in a finalizer")

Handle() and None
"""
CAUGHT = """
import asyncio
from concurrent.futures import ThreadPoolExecutor

async def fail():
    raise ValueError("and somebody sees it")

with ThreadPoolExecutor() as pool:
    assert isinstance(pool.submit(lambda: 1 / 0).exception(), ZeroDivisionError)
assert isinstance((await asyncio.gather(fail(), return_exceptions=True))[0], ValueError)
"""


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[NotebookKernel]:
    """A kernel in which nothing has run yet."""
    with notebook_kernel(tmp_path) as running:
        yield running


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_each_cell_may_be_run_twice(kernel: NotebookKernel, path: Path) -> None:
    """Every cell run twice in a row in one kernel, then all once more, behaves as it did the first time."""
    cells = code_of(path)
    first = []
    for cell in cells:
        first.append(kernel.run(cell))
        assert kernel.run(cell) == first[-1], cell.source
    assert kernel.run_all(cells) == first


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_each_cell_may_be_run_again_alone(kernel: NotebookKernel, path: Path) -> None:
    """After a whole run, any code cell run again alone leaves the claims of the last cell true."""
    cells = code_of(path)
    first = kernel.run_all(cells)
    for cell, outputs in zip(cells, first, strict=True):
        assert kernel.run(cell) == outputs, cell.source
        assert kernel.run(cells[-1]) == first[-1], cell.source
    kernel.check()


def test_any_order_of_the_notebooks_does(kernel: NotebookKernel) -> None:
    """All notebooks in one kernel, in one random order and then in another, behave the same both times."""
    first = {path: kernel.run_all(code_of(path)) for path in random.sample(NOTEBOOKS, len(NOTEBOOKS))}
    for path in random.sample(NOTEBOOKS, len(NOTEBOOKS)):
        assert kernel.run_all(code_of(path)) == first[path], path.name


@pytest.mark.parametrize(
    "source, said",
    [
        (THREAD, "ZeroDivisionError"),
        (TASK, "in a task"),
        (TASK_OF_ANOTHER_LOOP, "in a task"),
        (NEVER_AWAITED, "never awaited"),
        (FINALIZER, "in a finalizer"),
    ],
    ids=["thread", "task", "task of another loop", "never awaited", "finalizer"],
)
def test_what_fails_beside_the_cells_fails_the_suite(
    kernel: NotebookKernel, tmp_path: Path, source: str, said: str
) -> None:
    """A notebook whose cells all end well fails its test if a thread, a task or a finalizer has failed."""
    path = tmp_path / "bad.ipynb"
    cells = [nbformat.v4.new_code_cell(each) for each in (source, "assert True")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    with pytest.raises(AssertionError, match=said):
        kernel.run_all(code_of(path))


def test_what_somebody_sees_is_no_failure(kernel: NotebookKernel) -> None:
    """An exception of a thread or a task that a cell has taken does not fail the suite."""
    kernel.run_all([Cell("caught", CAUGHT)])
