from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import TimeoutError as NotInTimeError

from tests.cell_kit import CellViews
from tests.jupyter import PANEL, JupyterLab

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

# Steps that a thread emits when the test asks for them by a file, also while a cell is blocked.
STEPS = """
import threading, time
from pathlib import Path
import ipywidgets
from IPython.display import display
from locus_nb import emit_sync, run_context, watch

def steps(run, count):
    with run_context(run):
        for n in range(count):
            emit_sync("agent.think", iteration=n + 1, reasoning_preview=f"step {n}")

def wait_for(name):
    while not Path(name).exists():
        time.sleep(0.01)
"""

OPEN = """
with run_context("open"):
    emit_sync("agent.tool.started", tool_name="search", span_id="s")
watch("open")
"""

BOARD = "from locus_nb import dashboard\ndashboard('run')"

ROWS = "[...document.querySelectorAll('.lo-row')].filter((row) => !row.hidden)"
TYPES = f"{ROWS}.map((row) => row.querySelector('.lo-type').textContent)"
STATUS = "document.querySelector('.lo-status')?.textContent"
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
        assert notebook.page.evaluate("() => document.querySelector('.lo-count').textContent") == "11 events"
        assert notebook.page.evaluate("() => document.querySelector('.lo-missing').hidden")
        notebook.run(2)
        (output,) = notebook.outputs(2)
        assert output.get("data") == {"text/plain": "'as told'"}, output
        assert notebook.page.errors == []


def wait_for_picture(notebook: LabTab, cell: int, text: str) -> None:
    """Wait until the picture that would be saved says that: it follows its cell by a second or so."""
    html = (
        f"{PANEL}.content.widgets[cell].model.sharedModel.getOutputs().map((one) => one.data?.['text/html'])"
    )
    notebook.page.wait(f"([cell, text]) => {html}.join().includes(text)", [cell, text])


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
        wait_for_picture(notebook, 1, "22 events")
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
    rows = "[...document.querySelectorAll('.jp-OutputArea-child')].map((row) => [row.offsetHeight > 0, row.innerText])"
    try:
        page.wait(f"() => String({rows}.map(([isShown]) => isShown)) === 'true,false'")
    except NotInTimeError as error:
        error.add_note(str(page.evaluate(f"() => {rows}")))
        raise


def test_restarted_kernel_leaves_the_static_table(lab: JupyterLab, chromium: Chromium) -> None:
    """A kernel restarted under a live view leaves its rows readable, and nothing grows; run again, the view is live."""
    (lab.notebooks / "open-gate").touch()
    cells = [AGENT + BLOCKED.format(gate="open-gate", hears=False), OPEN]
    with lab.open(chromium, "restarted.ipynb", cells, viewport={"width": 1280, "height": 2000}) as notebook:
        for cell in range(2):
            notebook.run(cell)
        shown(notebook, 1, "1 event")
        notebook.restart_kernel()
        check_no_news(CellViews(notebook, 1))
        assert CellViews(notebook, 0).texts("status") == ["ended"]
        for cell in range(2):
            notebook.run(cell)
        view = shown(notebook, 1, "1 event")
        assert view.texts("status") == ["live"]
    with lab.open(chromium, "restart.ipynb", cells[:1]) as notebook:
        notebook.run(0)
        wait_for_rows(notebook.page, "agent.terminate")
        notebook.restart_kernel()
        notebook.page.wait(f"() => {STATIC_SHOWN} + document.querySelectorAll('.locus-live').length === 1")
        notebook.run(0)
        wait_for_rows(notebook.page, "agent.terminate")
        notebook.page.wait("() => document.querySelector('.lo-count').textContent === '11 events'")
        check_one_live_table(notebook)
        assert notebook.page.errors == []


def test_hostile_text_is_shown_as_it_is(lab: JupyterLab, chromium: Chromium) -> None:
    """Markup in run ids, event types and payloads makes no element, and runs nothing, live or static."""
    with lab.open(chromium, "hostile.ipynb", [AGENT, HOSTILE]) as notebook:
        notebook.run(0)
        notebook.run(1)
        page = notebook.page
        page.wait(f"() => {ROWS}.length === 2")
        page.click(".lo-row")
        page.wait("() => document.querySelector('.lo-payload').textContent.includes('<img')")
        made = "() => document.querySelectorAll(':is(.locus-live, .locus-static) :is(img, script)').length"
        assert page.evaluate(made) == 0
        assert page.evaluate("() => document.title.length") > 1
        assert page.errors == []


def shown(notebook: LabTab, cell: int, *counts: str) -> CellViews:
    """A cell whose views count so many events, and have painted the newest."""
    views = CellViews(notebook, cell)
    views.wait_texts("tools .lo-count", *counts)
    return views


def test_a_reloaded_page_has_all_rows(lab: JupyterLab, chromium: Chromium) -> None:
    """A page that is loaded anew gets all rows that are kept, and what comes after, in each view that it had."""
    cells = [
        STEPS,
        "view = watch('run')\nsteps('run', 500)\nview",
        BOARD,
        "steps('run', 7)",
        "steps('run', 5)",
    ]
    with lab.open(chromium, "reload.ipynb", cells, viewport={"width": 1280, "height": 4000}) as notebook:
        for cell in range(4):
            notebook.run(cell)
        shown(notebook, 1, "507 events")
        shown(notebook, 2, "507 events", "507 events")
        notebook.save()
        notebook.reload()
        view = shown(notebook, 1, "507 events")
        board = shown(notebook, 2, "507 events", "507 events")
        board.wait("texts('figures')[0].includes('507')")
        notebook.run(4)
        for count in (view, board):
            count.wait("texts('tools .lo-count').every((text) => text === '512 events')")
        board.wait("texts('figures')[0].includes('512')")
        view.filter('"step 0"')
        view.wait_texts("count", "3 of 512 rows")
        assert view.texts("missing") == view.texts("note") == []
        assert notebook.page.evaluate(f"() => {STATIC_SHOWN}") == 0
        assert notebook.page.errors == []


def test_a_second_view_has_all_rows(lab: JupyterLab, chromium: Chromium) -> None:
    """Displayed twice, and beside the notebook, a view has all rows each time, and each its own filter."""
    cells = [STEPS, "view = watch('run')\nsteps('run', 300)\ndisplay(view, view)", "steps('run', 5)"]
    with lab.open(chromium, "twice.ipynb", cells, viewport={"width": 1600, "height": 1800}) as notebook:
        notebook.run(0)
        notebook.run(1)
        views = shown(notebook, 1, "300 events", "300 events")
        views.filter('"step 299"')
        views.wait_texts("count", "1 of 300 rows", "300 events")
        notebook.new_view(1)
        counts = "[...document.querySelectorAll('.lo-count')].map((one) => one.textContent)"
        notebook.page.wait(f"() => {counts}.join() === '1 of 300 rows,300 events,300 events,300 events'")
        notebook.run(2)
        notebook.page.wait(f"() => {counts}.join() === '1 of 305 rows,305 events,305 events,305 events'")
        assert notebook.page.evaluate(f"() => {STATIC_SHOWN}") == 0
        assert notebook.page.errors == []


def test_an_interrupted_cell_loses_nothing(lab: JupyterLab, chromium: Chromium) -> None:
    """What was emitted before the kernel was interrupted is shown, and the next cell goes on in the same view."""
    cells = [
        STEPS,
        "view = watch('run')\ndisplay(view)\nsteps('run', 50)\ntime.sleep(60)",
        "steps('run', 5)",
    ]
    with lab.open(chromium, "interrupt.ipynb", cells) as notebook:
        notebook.run(0)
        notebook.start(1)
        view = shown(notebook, 1, "50 events")
        notebook.interrupt_kernel()
        notebook.finish()
        assert notebook.outputs(1)[-1]["ename"] == "KeyboardInterrupt"
        notebook.run(2)
        view.wait_texts("count", "55 events")
        assert view.texts("status") == ["live"]
        assert view.texts("missing") == view.texts("note") == []
        assert notebook.page.errors == []


def test_a_killed_kernel_leaves_the_picture(lab: JupyterLab, chromium: Chromium) -> None:
    """Of a kernel that was killed the picture remains, at once and in the saved notebook."""
    cells = [STEPS, "view = watch('run')\nsteps('run', 5)\nview", "import os\nos.kill(os.getpid(), 9)"]
    with lab.open(chromium, "killed.ipynb", cells) as notebook:
        notebook.run(0)
        notebook.run(1)
        shown(notebook, 1, "5 events")
        wait_for_picture(notebook, 1, "step 4")
        notebook.start(2)
        notebook.page.wait(f"() => {STATIC_SHOWN} + document.querySelectorAll('.locus-live').length === 1")
        check_no_news(CellViews(notebook, 1))
        notebook.save()
    with lab.open(chromium, "killed.ipynb") as notebook:
        check_one_picture(notebook, "step 4")


def check_no_news(view: CellViews) -> None:
    """A view has no picture instead, says that nothing is heard any more, and what was running stands still."""
    view.wait("/^no news for (8|9|[1-9]\\d) s$/.test(texts('status')[0])")
    before = view.texts("value")
    view.wait("/^no news for [1-9]\\d s$/.test(texts('status')[0])")
    assert view.texts("value") == before


def check_one_picture(notebook: LabTab, text: str) -> None:
    """One picture is on the page, says that, and nothing else of a view takes room."""
    rows = "[...document.querySelectorAll('.jp-OutputArea-child')].filter((row) => row.offsetHeight > 0)"
    # The widget's own output is there until JupyterLab has found out that it has no model.
    notebook.page.wait(f"() => {STATIC_SHOWN} === 1 && {rows}.length === 1")
    assert notebook.page.evaluate("() => document.querySelectorAll('.locus-live').length") == 0
    assert text in notebook.page.evaluate("() => document.querySelector('.locus-static').innerText")


def test_a_frozen_view_is_one_picture(lab: JupyterLab, chromium: Chromium) -> None:
    """Frozen in a later cell a view is its picture alone, at once and in the saved notebook without its kernel."""
    cells = [STEPS, "view = watch('run')\nsteps('run', 5)\nview", "view.freeze()"]
    with lab.open(chromium, "frozen.ipynb", cells) as notebook:
        notebook.run(0)
        notebook.run(1)
        shown(notebook, 1, "5 events")
        notebook.run(2)
        check_one_picture(notebook, "step 4")
        notebook.save()
        notebook.shut_down_kernel()
    with lab.open(chromium, "frozen.ipynb") as notebook:
        check_one_picture(notebook, "step 4")
        assert notebook.page.errors == []


def test_a_reopened_tab_has_what_came_meanwhile(lab: JupyterLab, chromium: Chromium) -> None:
    """A tab that is closed while a cell runs, and opened again, shows in the end all that is kept."""
    cells = [
        STEPS,
        "view = watch('run')\nview",
        "steps('run', 200)\nwait_for('closed')\nsteps('run', 3000)\nwait_for('opened')\nsteps('run', 10)",
        "steps('run', 1)",
    ]
    with lab.open(chromium, "closed.ipynb", cells) as notebook:
        notebook.run(0)
        notebook.run(1)
        shown(notebook, 1, "0 events")
        notebook.save()
        notebook.start(2)
        shown(notebook, 1, "200 events")
    (lab.notebooks / "closed").touch()
    with lab.open(chromium, "closed.ipynb", idle=False) as notebook:
        (lab.notebooks / "opened").touch()
        view = shown(notebook, 1, "3,210 events")
        notebook.run(3)
        view.filter('"step 0"')
        view.wait_texts("count", "4 of 3,211 rows")
        assert view.texts("missing") == view.texts("note") == []
        check_one_live_table(notebook)
        assert notebook.page.errors == []


def test_keys_in_a_view_do_nothing_to_the_notebook(lab: JupyterLab, chromium: Chromium) -> None:
    """Keys that JupyterLab merges, adds or deletes cells by do so no longer in a view, and controls keep theirs."""
    cells = [
        STEPS,
        "view = watch('run')\nsteps('run', 15)\ntime.sleep(0.5)\nsteps('run', 15)\nview",
        "'last'",
    ]
    with lab.open(chromium, "keys.ipynb", cells, viewport={"width": 1280, "height": 1600}) as notebook:
        notebook.run(0)
        notebook.run(1)
        view = shown(notebook, 1, "30 events")
        sources = f"{PANEL}.content.widgets.map((cell) => cell.model.sharedModel.getSource())"
        keys = ["m", "b", "a", "j", "k", "x", "d", "d", "Shift+M", "Shift+J"]
        for part in ("grid", "pause", "tab", "chip"):
            view.press(part, *keys)
        view.tab("Tree")
        view.press("grid", *keys)
        view.tab("Timeline")
        for part in ("waterfall", "play", "speed"):
            view.press(part, *keys)
        before = view.evaluate("all('range')[0].value")
        view.press("range", *keys, "ArrowLeft", "ArrowLeft")
        assert float(view.evaluate("all('range')[0].value")) < float(before)
        view.press("speed", "ArrowDown")
        assert view.evaluate("all('speed')[0].value") == "1"
        assert notebook.page.evaluate(f"() => {sources}") == cells
        assert notebook.page.evaluate(f"() => {PANEL}.content.activeCellIndex") == 1
        notebook.page.evaluate("() => { window.ran = false }")
        view.press("speed", "Shift+Enter")
        notebook.page.wait(f"() => {PANEL}.content.activeCellIndex === 2")
        assert notebook.page.errors == []


BOXES = """
import anywidget

class Other(anywidget.AnyWidget):
    _esm = "export default { render({ el }) { el.textContent = 'of another package'; } }"

names = ["run", "run", "run"]
tab, accordion, row = [watch(name) for name in names]
slider = ipywidgets.IntSlider(value=3)
boxes = [
    ipywidgets.HBox([row, ipywidgets.VBox([slider, Other()])]),
    ipywidgets.Tab([ipywidgets.Label("first"), tab], titles=["one", "two"]),
    ipywidgets.Accordion([accordion], titles=["more"]),
]
display(*boxes)
steps("run", 30)
"""


def test_views_sit_in_boxes(lab: JupyterLab, chromium: Chromium) -> None:
    """In a box, a tab and an accordion, beside other widgets, a view is drawn as soon as it can be seen."""
    cells = [STEPS, BOXES, "wait_for('seen')", "steps('run', 5)"]
    with lab.open(chromium, "boxes.ipynb", cells, viewport={"width": 1600, "height": 2600}) as notebook:
        notebook.run(0)
        notebook.run(1)
        views = shown(notebook, 1, "30 events")
        assert "of another package" in views.evaluate("root.textContent")
        assert views.evaluate("root.querySelectorAll('.widget-slider').length") == 1
        notebook.start(2)
        # The first tab of the box, which the view is not in, is open before.
        for title, counts in (("two", ["30 events"] * 2), ("more", ["30 events"] * 3)):
            notebook.page.click(f'.jp-Cell .jupyter-widgets :text-is("{title}")')
            views.wait_texts("count", *counts)
            views.wait("all('grid').at(-1).querySelectorAll('.lo-row:not([hidden])').length > 3")
        assert not notebook.is_finished
        (lab.notebooks / "seen").touch()
        notebook.finish()
        notebook.run(3)
        views.wait_texts("count", *["35 events"] * 3)
        assert notebook.page.errors == []


TAB = """
ran, all_runs, kept, hidden = watch("run"), watch(), watch("run"), watch("run")
steps("run", 5)
ipywidgets.Tab([ran, ipywidgets.VBox([all_runs])], titles=["one", "all"])
"""
ROWS_SHOWN = (
    "[...root.querySelectorAll('.jp-OutputArea-child')].filter((row) => row.offsetHeight > 0)"
    ".map((row) => row.querySelector('.locus-static') ? 'picture' : row.querySelector('.locus-live') ? 'live' : '?')"
    ".join()"
)


def test_views_in_boxes_leave_pictures(lab: JupyterLab, chromium: Chromium) -> None:
    """Hidden while any view of the box is live, pictures are what stays when it is frozen, and reopened."""
    cells = [
        STEPS,
        TAB,
        "ipywidgets.Stack([kept, hidden], selected_index=0)",
        "ran.freeze()",
        "all_runs.freeze()",
    ]
    with lab.open(chromium, "left.ipynb", cells, viewport={"width": 1280, "height": 3000}) as notebook:
        for cell in range(3):
            notebook.run(cell)
        tab, stack = shown(notebook, 1, "5 events"), shown(notebook, 2, "5 events")
        for views in (tab, stack):
            views.wait(f"{ROWS_SHOWN} === 'live'")
        notebook.run(3)
        tab.wait(f"{ROWS_SHOWN} === 'picture,live'")
        notebook.run(4)
        tab.wait(f"{ROWS_SHOWN} === 'picture,picture'")
        wait_for_picture(notebook, 2, "step 4")
        notebook.save()
        notebook.shut_down_kernel()
    with lab.open(chromium, "left.ipynb", viewport={"width": 1280, "height": 3000}) as notebook:
        for cell in (1, 2):
            views = CellViews(notebook, cell)
            views.wait(f"{ROWS_SHOWN} === 'picture,picture'")
            assert views.evaluate("root.textContent.split('step 4').length") > 2
        assert notebook.page.errors == []


OUTPUT = """
output, late = ipywidgets.Output(), ipywidgets.VBox()
display(output, late)
view = watch("run")
with output:
    display(view)
late.children = [watch("run")]
steps("run", 5)
"""
SEEN = (
    "[texts('count').length, [...root.querySelectorAll('.locus-static')]"
    ".filter((picture) => picture.checkVisibility()).length]"
)


def test_views_in_an_output_leave_pictures(lab: JupyterLab, chromium: Chromium) -> None:
    """Frozen or saved, a view in an Output widget, and one put into a box that is on the page, is its picture."""
    cells = [STEPS, OUTPUT, "view.freeze()"]
    with lab.open(chromium, "output.ipynb", cells, viewport={"width": 1280, "height": 3000}) as notebook:
        notebook.run(0)
        notebook.run(1)
        views = shown(notebook, 1, "5 events", "5 events")
        views.wait(f"String({SEEN}) === '2,0'")
        notebook.run(2)
        views.wait(f"String({SEEN}) === '1,1'")
        notebook.save()
        notebook.reload()
        views.wait(f"String({SEEN}) === '1,1'")
        views.wait("!root.innerText.includes('Error displaying')")
        notebook.save()
        notebook.shut_down_kernel()
    with lab.open(chromium, "output.ipynb", viewport={"width": 1280, "height": 3000}) as notebook:
        views = CellViews(notebook, 1)
        views.wait(f"String({SEEN}) === '0,2'")
        assert views.evaluate("root.textContent.split('step 4').length") > 2
        assert notebook.page.errors == []


SLIDER = """
steps("one", 5)
steps("two", 3)
ipywidgets.interactive(lambda run: display(watch(run)), run=["one", "two"])
"""


def test_view_that_a_slider_shows_leaves_its_picture(lab: JupyterLab, chromium: Chromium) -> None:
    """What `interactive` shows last is live, and its picture is what the saved notebook has."""
    with lab.open(chromium, "slider.ipynb", [STEPS, SLIDER]) as notebook:
        notebook.run(0)
        notebook.run(1)
        views = shown(notebook, 1, "5 events")
        select = '.jp-Cell[data-windowed-list-index="1"] select'
        notebook.page.call(lambda page: page.locator(select).first.select_option("two"))
        views.wait("String(texts('count')) === '3 events'")
        views.wait(f"String({SEEN}) === '1,0'")
        (picture,) = [out["data"]["text/html"] for out in notebook.outputs(1) if "text/html" in out["data"]]
        assert "<b>two</b>" in picture
        assert notebook.page.errors == []


CLOSED = """
view = watch("run")
display(ipywidgets.HBox([view, ipywidgets.Button(description="beside it")]))
steps("run", 5)
"""
# As long as anywidget gives a widget to be made; asked for later, it is over later.
MADE_OR_NOT = "new Promise((done) => AbortSignal.timeout(2000).addEventListener('abort', done))"


def test_a_closed_view_leaves_the_page_whole(lab: JupyterLab, chromium: Chromium) -> None:
    """Closed at once, or in a box, a view is no error to the page, and the rest of its box is there when reloaded."""
    cells = [STEPS, CLOSED, "with watch('run') as short: display(short)", "view.close()"]
    with lab.open(chromium, "whole.ipynb", cells) as notebook:
        notebook.run(0)
        notebook.run(1)
        box = shown(notebook, 1, "5 events")
        notebook.run(2)
        notebook.page.evaluate(f"() => {MADE_OR_NOT}")
        assert notebook.page.errors == []
        notebook.run(3)
        for _ in range(2):
            box.wait("root.querySelector('button')?.textContent === 'beside it'")
            box.wait(f"String({SEEN}) === '0,1'")
            assert "error" not in box.evaluate("root.innerText")
            notebook.save()
            notebook.reload()
        assert notebook.page.errors == []
