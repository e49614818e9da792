"""What `doctor` finds in real kernels: with a page, without one, and with what it needs missing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.bus_kit import GRACE_S
from tests.front_end import Cell, front_end
from tests.jupyter import JupyterLab
from tests.test_jupyterlab import NO_SUBSHELLS, STATIC_SHOWN

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.browser import Chromium
    from tests.front_end import FrontEnd
    from tests.jupyter import LabTab

WIDGET = "application/vnd.jupyter.widget-view+json"
ASK = "from locus_nb import doctor\nfound = doctor()\nfound"
# Widgets that are open, and threads of ours that do not end by themselves.
LEFT = """
import ipywidgets, threading, time
from locus_nb._views.pump import the_pump
def left():
    return [type(one).__name__ for one in (*ipywidgets.widgets.widget._instances.values(), *the_pump()._pairs)]
deadline = time.monotonic() + 30
while left() and time.monotonic() < deadline:
    time.sleep(0.01)
"""
LOST = "[left(), get_event_bus().stats()['published_events_total'], len(runs())]"


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FrontEnd]:
    """A kernel whose front end names its cells, and shows no widget unless a test says so."""
    with front_end(tmp_path_factory.mktemp("kernel")) as made:
        yield made


def report_of(shown: Any) -> str:
    """The text of a report that was displayed or updated, "" of anything else."""
    return shown.get("text/plain", "") if "locus-doctor" in shown.get("text/html", "") else ""


def updates(message: dict[str, Any]) -> str:
    """What a message puts in the place of a report."""
    is_update = message["msg_type"] == "update_display_data"
    return report_of(message["content"]["data"]) if is_update else ""


def test_a_page_that_answers_later_is_told_in_place(front: FrontEnd) -> None:
    """A report says that no page has answered; when one has, it says that, and nothing is left."""
    cell = front.run("from locus_nb import *\ndoctor(wait=0.05)")
    probed, shown = cell.shown
    assert "no page had answered when this was written" in report_of(shown)
    assert "answered after" not in report_of(shown)
    front.tell_widget(json.loads(json.dumps(probed))[WIDGET]["model_id"], {"kind": "hello", "last_seq": 0})
    told = updates(front.wait(Cell("none"), updates))
    assert "Live views work here; a cell that is busy does not hear their page." in told
    assert "once the cell was over" in told
    front.run(LEFT)
    assert front.ask(LOST) == [[], 0, 0]


def test_a_page_that_does_not_answer_is_a_problem(front: FrontEnd) -> None:
    """In a front end that has a page, silence is told as why nothing shows, and what to do."""
    front.run(
        "from locus_nb._doctor import page_probe; before, page_probe.PAGE_DUE = page_probe.PAGE_DUE, 0.3"
    )
    shown = front.run("from locus_nb import *\ndoctor(wait=0.05)").shown
    assert report_of(shown[1])
    told = updates(front.wait(Cell("none"), updates))
    assert "Nothing shows live here, because no page answered." in told
    assert 'python -m pip install "ipywidgets>=8.1" anywidget' in told
    front.run("page_probe.PAGE_DUE = before")
    front.run(LEFT)
    assert front.ask(LOST) == [[], 0, 0]


def test_other_views_stay_as_they_are(front: FrontEnd) -> None:
    """A view in the same cell goes on, is the only one on the page, and is found again where the cell runs again."""
    source = "one = doctor(wait=0.01)\nview = watch('run')\ntwo = doctor(wait=0.01)\ndisplay(view)"
    front.run("from locus_nb import *\nfrom locus_nb._views.view import views_on_page", "views")
    for _ in range(2):
        front.run(source, "same")
        assert front.ask("[len(views_on_page()), views_on_page()[0] is view, view.status]") == [
            1,
            True,
            "waiting",
        ]
    front.run("view.close(); one._probe.end(); two._probe.end()")
    front.run(LEFT)
    assert front.ask(LOST) == [[], 0, 0]


def test_a_cell_that_is_interrupted_leaves_nothing(front: FrontEnd) -> None:
    """An interrupt while the page is waited for is one, and takes the probe with it."""
    cell = front.start("from locus_nb import *\ndoctor(wait=60)")
    front.wait(cell, lambda message: message["msg_type"] == "display_data")
    front.interrupt(cell)
    assert cell.error == "KeyboardInterrupt"
    front.run(LEFT)
    assert front.ask(LOST)[0] == []


@pytest.mark.parametrize(
    "package, said",
    [
        ("anywidget", "Nothing shows live here, because anywidget:"),
        ("ipywidgets", "Nothing shows live here, because ipywidgets:"),
        ("pandas", "1 problem below."),
    ],
)
def test_a_broken_package_is_found(tmp_path: Path, package: str, said: str) -> None:
    """In a kernel where a package fails on import, that is what is told, and nothing raises."""
    (tmp_path / package).mkdir()
    (tmp_path / package / "__init__.py").write_text("raise RuntimeError('of another version')")
    with front_end(tmp_path) as front:
        cell = front.run("import sys; sys.path.insert(0, '')\nfrom locus_nb import doctor\ndoctor(wait=0.01)")
        assert cell.status == "ok", cell.trace
        told = cell.out or "".join(report_of(each) for each in cell.shown)
        assert said in told
        assert "RuntimeError: of another version" in told


def test_a_notebook_that_nobody_sees_claims_no_page() -> None:
    """Under nbclient the saved report says that no page had answered, and holds no script and no widget of a probe."""
    cells = [
        "from locus_nb import doctor",
        "found = doctor(wait=0.05)\nfound",
        "assert found.ok\nfound.conclusion",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
    NotebookClient(notebook, timeout=120).execute()
    html = "".join(each["data"].get("text/html", "") for each in notebook.cells[1].outputs)
    assert html.count("locus-doctor") > 1
    assert "no page had answered when this was written" in html
    assert "answered after" not in html
    assert "work here" not in html
    assert "<script" not in html
    assert "unknown front end" in html


@pytest.fixture(scope="module")
def lab(chromium: Chromium, tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterLab]:
    """One JupyterLab for this file."""
    with JupyterLab(tmp_path_factory.mktemp("lab")) as server:
        yield server


def wait_for_report(notebook: LabTab, words: str) -> None:
    """Wait until a report on the page says that."""
    shown = "[...document.querySelectorAll('.locus-static')].map((one) => one.innerText).join()"
    notebook.page.wait(f"(words) => {shown}.includes(words)", words, timeout=GRACE_S)


@pytest.mark.parametrize(
    "subshells, conclusion",
    [
        (True, "Live views work here, also while a cell is busy."),
        (False, "Live views work here; a cell that is busy does not hear their page."),
    ],
)
def test_jupyterlab_answers(
    lab: JupyterLab,
    chromium: Chromium,
    subshells: bool,  # noqa: FBT001 - a case
    conclusion: str,
) -> None:
    """A page in JupyterLab is heard, while the cell is blocked where there are subshells; the probe leaves no trace."""
    cells = [ASK, LEFT + "assert left() == [], left()\nassert found.ok\n'none left'"]
    with lab.open(chromium, f"doctor-{subshells}.ipynb", cells) as notebook:
        if not subshells:
            notebook.page.evaluate(NO_SUBSHELLS)
        notebook.run(0)
        wait_for_report(notebook, conclusion)
        assert notebook.page.evaluate(f"() => {STATIC_SHOWN}") == 1
        assert notebook.page.evaluate("() => document.querySelectorAll('.locus-live').length") == 0
        rows = "[...document.querySelectorAll('.jp-OutputArea-child')].filter((row) => row.offsetHeight > 0)"
        assert notebook.page.evaluate(f"() => {rows}.length") == 1
        assert not any(WIDGET in each.get("data", {}) for each in notebook.outputs(0))
        notebook.run(1)
        (output,) = notebook.outputs(1)
        assert output.get("data") == {"text/plain": "'none left'"}, output
        assert notebook.page.errors == []
