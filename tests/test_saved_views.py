from __future__ import annotations

import json
from contextlib import nullcontext
from typing import TYPE_CHECKING

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbconvert import HTMLExporter
from papermill import PapermillExecutionError, execute_notebook

if TYPE_CHECKING:
    from pathlib import Path

    from tests.browser import Chromium

FROZEN = """
from locus_nb import emit_sync, run_context, watch

def tell(run):
    with run_context(run):
        for n in range(125):
            tool = {"tool_name": "search", "span_id": f"{run}-{n}"}
            emit_sync("agent.model.started", iteration=n + 1, model="mock", span_id=f"{run}-m{n}")
            emit_sync("agent.tool.started", arg_keys=["query"], **tool)
            output = f"{n} hits, of which the first is the one that was looked for, and the others are not"
            emit_sync("agent.tool.completed", success=n % 50 != 7, duration_ms=3.5, output_preview=output, **tool)
            emit_sync("agent.model.completed", model="mock", duration_ms=9.0, span_id=f"{run}-m{n}")
"""
MB = 1_000_000


@pytest.fixture(scope="module")
def saved() -> nbformat.NotebookNode:
    """A notebook that has run, with ten views of 500 events each, all frozen."""
    cells = [FROZEN]
    cells += [f'tell("run-{n}")\nview = watch("run-{n}")\ndisplay(view)\nview.freeze()' for n in range(10)]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
    NotebookClient(notebook, timeout=120).execute()
    return notebook


def test_ten_frozen_views_stay_small(saved: nbformat.NotebookNode) -> None:
    """Ten frozen views of 500 events each take less than 3 MB of a saved notebook, and each leaves one picture."""
    assert len(nbformat.writes(saved)) < 3 * MB
    for cell in saved.cells[1:]:
        shown = [output["data"] for output in cell["outputs"]]
        assert sum("locus-static" in data.get("text/html", "") for data in shown) == 1
        assert not any("application/vnd.jupyter.widget-view+json" in data for data in shown)
        assert "<script" not in json.dumps(shown)


def test_frozen_views_are_shown_offline(
    saved: nbformat.NotebookNode, chromium: Chromium, tmp_path: Path
) -> None:
    """What nbconvert makes of them is seen in a browser that reaches nothing: header, waterfall and table."""
    page, _ = HTMLExporter().from_notebook_node(saved)
    path = tmp_path / "saved.html"
    path.write_text(page)
    tab = chromium.tab(path.as_uri(), offline=True)
    seen = tab.evaluate(
        """() => [...document.querySelectorAll(".locus-static")].map((view) => [
            view.checkVisibility(), view.querySelectorAll("svg[role=img]").length,
            view.querySelectorAll("tbody tr").length > 100,
        ])"""
    )
    assert seen == [[True, True, True]] * 10
    tab.close()


BOXED = """
from ipywidgets import HBox, IntSlider, Tab, VBox

left, right = watch("left"), watch("right")
"""


def test_views_in_boxes_are_shown_offline(chromium: Chromium, tmp_path: Path) -> None:
    """Of views in a box, also in a nested one, an executed and converted notebook shows a picture each, once."""
    notebook = notebook_of(
        FROZEN, BOXED, "VBox([IntSlider(), Tab([left]), HBox([right])])", "tell('left'), tell('right')"
    )
    NotebookClient(notebook, timeout=120).execute()
    page, _ = HTMLExporter().from_notebook_node(notebook)
    path = tmp_path / "boxed.html"
    path.write_text(page)
    tab = chromium.tab(path.as_uri(), offline=True)
    seen = tab.evaluate(
        """() => [...document.querySelectorAll(".locus-static")].map((view) => [
            view.checkVisibility(), view.querySelector("b").textContent, view.querySelectorAll("tbody tr").length > 100,
        ])"""
    )
    assert seen == [[True, "left", True], [True, "right", True]]
    tab.close()


OUTPUT = """
from ipywidgets import Output, VBox, interactive

out, late = Output(), VBox()
display(out, late)
with out:
    display(watch("out"))
    print("beside it")
late.children = [watch("late")]
"""


INSIDE = """
outer, inner = Output(), Output()
display(outer)
with outer:
    display(inner)
    with inner:
        display(watch("in"))
"""


def test_views_in_outputs_leave_pictures() -> None:
    """A notebook run by nbclient has the pictures of views in Output widgets, and of those put into a box later."""
    shows = "interactive(lambda run: display(watch(run)), run=['chosen', 'other'])"
    runs = "for run in ('out', 'late', 'chosen', 'in'): tell(run)"
    notebook = notebook_of(FROZEN, OUTPUT, shows, INSIDE, runs)
    NotebookClient(notebook, timeout=120).execute()
    for cell, names in ((1, ["out", "late"]), (2, ["chosen"]), (3, ["in"])):
        data = [output["data"] for output in notebook.cells[cell]["outputs"] if "data" in output]
        pictures = [one["text/html"] for one in data if "locus-static" in one.get("text/html", "")]
        assert len(pictures) == len(names)
        assert all(f"<b>{name}</b>" in picture for name, picture in zip(names, pictures, strict=True))
        assert all("125 iterations" in picture for picture in pictures)


LIVE = """
display(watch(run))
with run_context(run):
    emit_sync("agent.think", reasoning_preview="the last words")
    emit_sync("agent.tool.started", tool_name="search", span_id="s")
"""
RAISES = (
    LIVE
    + """
    raise RuntimeError("in the middle of the run")
"""
)


def notebook_of(*cells: str) -> nbformat.NotebookNode:
    """A notebook of code cells."""
    made = [nbformat.v4.new_code_cell(source) for source in cells]
    return nbformat.v4.new_notebook(cells=made)


def picture_in(cell: nbformat.NotebookNode) -> str:
    """The one picture in a cell's outputs."""
    data = [output.get("data", {}) for output in cell["outputs"]]
    (picture,) = [one["text/html"] for one in data if "locus-static" in one.get("text/html", "")]
    return picture


def test_a_cell_that_raises_leaves_a_picture() -> None:
    """A notebook whose cell raises in the middle of a run holds the picture of what the run had emitted by then."""
    notebook = notebook_of(FROZEN, f"run = 'broken'\n{RAISES}")
    with pytest.raises(CellExecutionError, match="in the middle of the run"):
        NotebookClient(notebook, timeout=120).execute()
    picture = picture_in(notebook.cells[1])
    assert "the last words" in picture
    assert "· 2 events ·" in picture


@pytest.mark.parametrize("fails", [False, True])
def test_papermill_saves_a_notebook_with_pictures(
    tmp_path: Path,
    fails: bool,  # noqa: FBT001 - a case
) -> None:
    """Run by papermill, with parameters put in, a notebook holds its pictures; one that fails, up to the error."""
    notebook = notebook_of("run = 'default'", FROZEN, RAISES if fails else LIVE, BOXED, "HBox([left])")
    notebook.cells[0].metadata["tags"] = ["parameters"]
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    given, saved = tmp_path / "given.ipynb", tmp_path / "saved.ipynb"
    nbformat.write(notebook, given)
    expected = pytest.raises(PapermillExecutionError, match="in the middle") if fails else nullcontext()
    with expected:
        execute_notebook(given, saved, {"run": "injected"}, progress_bar=False)
    cells = nbformat.read(saved, as_version=4).cells
    ran = next(cell for cell in cells if "display(watch(run))" in cell.source)
    assert "<b>injected</b>" in picture_in(ran)
    assert "the last words" in picture_in(ran)
    if not fails:
        assert "<b>left</b>" in picture_in(cells[-1])
