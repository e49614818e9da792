from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pytest
from nbclient import NotebookClient

if TYPE_CHECKING:
    from collections.abc import Iterator

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.name)
def running(request: pytest.FixtureRequest) -> Iterator[NotebookClient]:
    """Each notebook with a kernel of its own, in which nothing has run yet."""
    path: Path = request.param
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(path.parent)}})
    with client.setup_kernel():
        yield client


def run(client: NotebookClient, index: int) -> list[str]:
    """Run one cell, which must not fail; the kinds of its outputs."""
    cell = client.execute_cell(client.nb.cells[index], index)
    return [output["output_type"] for output in cell.get("outputs", [])]


def test_each_cell_may_be_run_twice(running: NotebookClient) -> None:
    """Every cell run twice in a row in one kernel, then all once more, behaves as it did the first time."""
    cells = range(len(running.nb.cells))
    first: list[list[str]] = []
    for index in cells:
        first.append(run(running, index))
        assert run(running, index) == first[index]
    assert [run(running, index) for index in cells] == first


def test_each_cell_may_be_run_again_alone(running: NotebookClient) -> None:
    """After a whole run, any code cell run again alone leaves the claims of the last cell true."""
    cells = [index for index, cell in enumerate(running.nb.cells) if cell["cell_type"] == "code"]
    first = {index: run(running, index) for index in cells}
    for index in cells:
        assert run(running, index) == first[index]
        assert run(running, cells[-1]) == first[cells[-1]]
