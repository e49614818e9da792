from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))


def outputs_of(notebook: nbformat.NotebookNode) -> list[list[str]]:
    """The kinds of output of each cell, in order."""
    return [[output["output_type"] for output in cell.get("outputs", [])] for cell in notebook.cells]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_each_cell_may_be_run_twice(path: Path) -> None:
    """Every cell run twice in a row in one kernel, then all once more, behaves as it did the first time."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, timeout=120, resources={"metadata": {"path": str(path.parent)}})
    with client.setup_kernel():
        for index, cell in enumerate(notebook.cells):
            client.execute_cell(cell, index)
            first = outputs_of(notebook)[index]
            client.execute_cell(cell, index)
            assert outputs_of(notebook)[index] == first
        before = outputs_of(notebook)
        for index, cell in enumerate(notebook.cells):
            client.execute_cell(cell, index)
        assert outputs_of(notebook) == before
