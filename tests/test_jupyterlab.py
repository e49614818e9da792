from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.jupyter import JupyterLab

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.browser import Chromium, Tab
    from tests.jupyter import LabTab

AGENT = """
import threading, time
from pathlib import Path
from IPython.display import display
from locus_nb import Agent, emit_sync, get_event_bus, run_context, tool, watch

@tool
def weather(city: str) -> str:
    "The weather in a city; waits for the file that names this notebook's gate."
    deadline = time.monotonic() + 60
    while not gate.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    while hears and not view._sink._greeted and time.monotonic() < deadline:
        time.sleep(0.01)
    heard.append(view._sink._greeted)
    return f"Sunny in {city}"
"""

BLOCKED = """
gate, hears, heard = Path("{gate}"), {hears}, []
view = watch("run-1")
display(view)
with run_context("run-1"):
    message = Agent("mock", tools=[weather]).run_sync("What is the weather in Paris?").message
get_event_bus().close_stream_nowait("run-1")
"""

HOSTILE = """
view = watch()
for markup in ['<img src=x onerror="document.title = 1">', "</style></div><script>alert(1)</script>"]:
    with run_context(markup):
        emit_sync(markup, preview=markup)
view
"""

ROWS = "[...document.querySelectorAll('.locus-live-row')].filter((row) => !row.hidden)"
TYPES = f"{ROWS}.map((row) => row.querySelector('.locus-live-type').textContent)"
STATUS = "document.querySelector('.locus-live-status')?.textContent"
STATIC_SHOWN = (
    "[...document.querySelectorAll('.locus-static')].filter((table) => table.checkVisibility()).length"
)
NO_SUBSHELLS = (
    "() => { window.jupyterapp.shell.currentWidget.context.sessionContext.session.kernel"
    ".commsOverSubshells = 'disabled'; }"
)


@pytest.fixture(scope="module")
def lab(chromium: Chromium, tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterLab]:
    """One JupyterLab for this file, on loopback."""
    with JupyterLab(tmp_path_factory.mktemp("lab")) as server:
        yield server


def wait_for_rows(page: Tab, *types: str) -> None:
    """Wait until rows of these types are painted, with the static table hidden."""
    page.wait(
        f"(types) => types.every((type) => {TYPES}.includes(type)) && {STATIC_SHOWN} === 0", list(types)
    )


@pytest.mark.parametrize("subshells", [True, False])
def test_rows_are_painted_while_the_cell_is_blocked(
    lab: JupyterLab,
    chromium: Chromium,
    subshells: bool,  # noqa: FBT001 - a case
) -> None:
    """A run is seen live in the cell that is blocked in `run_sync`, also where the kernel hears no page."""
    gate = lab.notebooks / f"gate-{subshells}"
    cells = [
        AGENT,
        BLOCKED.format(gate=gate.name, hears=subshells),
        f"assert heard == [{subshells}]\n'as told'",
    ]
    with lab.open(chromium, f"blocked-{subshells}.ipynb", cells) as notebook:
        if not subshells:
            notebook.page.evaluate(NO_SUBSHELLS)
        notebook.run(0)
        notebook.start(1)
        wait_for_rows(notebook.page, "agent.model.completed", "agent.tool.started")
        assert not notebook.is_finished
        assert notebook.page.evaluate(f"() => {STATUS}") == "live"
        gate.touch()
        notebook.finish()
        notebook.page.wait(f"() => {STATUS} === 'ended'")
        wait_for_rows(notebook.page, "agent.tool.completed", "agent.terminate")
        assert (
            notebook.page.evaluate("() => document.querySelector('.locus-live-count').textContent")
            == "11 events"
        )
        assert notebook.page.evaluate("() => document.querySelector('.locus-live-missing').hidden")
        notebook.run(2)
        (output,) = notebook.outputs(2)
        assert output.get("data") == {"text/plain": "'as told'"}, output
        assert notebook.page.errors == []


def test_saved_notebook_shows_the_static_table_and_a_rerun_the_live_one(
    lab: JupyterLab, chromium: Chromium
) -> None:
    """Hidden while live, the static table is saved, shown with a fresh kernel, and gone when run again."""
    (lab.notebooks / "open-gate").touch()
    cells = [AGENT, BLOCKED.format(gate="open-gate", hears=False)]
    with lab.open(chromium, "saved.ipynb", cells) as notebook:
        notebook.run(0)
        for _ in range(2):
            notebook.run(1)
            wait_for_rows(notebook.page, "agent.terminate")
            check_one_live_table(notebook)
        notebook.save()
        assert "agent.terminate" in (lab.notebooks / "saved.ipynb").read_text()
        notebook.shut_down_kernel()
    with lab.open(chromium, "saved.ipynb") as notebook:
        notebook.page.wait(f"() => {STATIC_SHOWN} === 1")
        table = notebook.page.evaluate("() => document.querySelector('.locus-static').innerText")
        assert "run-1 · ended" in table
        assert "22 events" in table
        assert "agent.terminate" in table
        assert notebook.page.evaluate("() => document.querySelectorAll('.locus-live').length") == 0
        align = "() => getComputedStyle(document.querySelector('.locus-static td:last-child')).textAlign"
        assert notebook.page.evaluate(align) == "left"
        # JupyterLab's line about the widget that is gone takes no room.
        heights = notebook.page.evaluate(
            "() => [...document.querySelectorAll('.jp-OutputArea-child')].map((row) => row.offsetHeight > 0)"
        )
        assert heights == [False, True]
        notebook.run(0)
        notebook.run(1)
        wait_for_rows(notebook.page, "agent.terminate")
        check_one_live_table(notebook)


def check_one_live_table(notebook: LabTab) -> None:
    """One live table is on the page, its twin hidden without a trace, and its run has one reader."""
    page = notebook.page
    assert page.evaluate("() => document.querySelectorAll('.locus-live').length") == 1
    assert page.evaluate("() => document.querySelectorAll('.locus-static').length") == 1
    rows = page.evaluate(
        "() => [...document.querySelectorAll('.jp-OutputArea-child')].map((row) => row.offsetHeight)"
    )
    assert [height > 0 for height in rows] == [True, False]


def test_restarted_kernel_leaves_the_static_table(lab: JupyterLab, chromium: Chromium) -> None:
    """A kernel restarted under a live view leaves its rows readable; run again, the view is live."""
    (lab.notebooks / "open-gate").touch()
    with lab.open(
        chromium, "restart.ipynb", [AGENT + BLOCKED.format(gate="open-gate", hears=False)]
    ) as notebook:
        notebook.run(0)
        wait_for_rows(notebook.page, "agent.terminate")
        notebook.restart_kernel()
        notebook.page.wait(f"() => {STATIC_SHOWN} + document.querySelectorAll('.locus-live').length === 1")
        notebook.run(0)
        wait_for_rows(notebook.page, "agent.terminate")
        notebook.page.wait("() => document.querySelector('.locus-live-count').textContent === '11 events'")
        check_one_live_table(notebook)
        assert notebook.page.errors == []


def test_hostile_text_is_shown_as_it_is(lab: JupyterLab, chromium: Chromium) -> None:
    """Markup in run ids, event types and payloads makes no element, and runs nothing, live or static."""
    with lab.open(chromium, "hostile.ipynb", [AGENT, HOSTILE]) as notebook:
        notebook.run(0)
        notebook.run(1)
        page = notebook.page
        page.wait(f"() => {ROWS}.length === 2")
        page.click(".locus-live-row")
        page.wait("() => document.querySelector('.locus-live-payload').textContent.includes('<img')")
        made = "() => document.querySelectorAll(':is(.locus-live, .locus-static) :is(img, script)').length"
        assert page.evaluate(made) == 0
        assert page.evaluate("() => document.title.length") > 1
        assert page.errors == []
