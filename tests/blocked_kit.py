"""A kernel whose cell blocks while the tests use its views in JupyterLab, in the words of the tests."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.cell_kit import CellViews
from tests.jupyter import JupyterLab

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from tests.browser import Chromium
    from tests.jupyter import LabTab

# A thread does what the test asks for by a file, because the cell that is blocked cannot.
SETUP = """
import json, threading, time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from locus_nb import StreamEvent, dashboard, emit_sync, get_event_bus, run_context, watch

def begin(run, span, *, name="search", iteration=1):
    with run_context(run):
        emit_sync("agent.tool.started", tool_name=name, span_id=span, iteration=iteration, arg_keys=["query"])

def end(run, span, *, name="search", error=None, ms=20.0, iteration=1):
    with run_context(run):
        emit_sync("agent.tool.completed", tool_name=name, span_id=span, iteration=iteration, error=error,
                  success=error is None, duration_ms=ms, output_preview=f"{span} is done")

def call(run, span, *, error=None, ms=20.0, **facts):
    begin(run, span, **facts)
    end(run, span, error=error, ms=ms, **facts)

def close(run):
    get_event_bus().close_stream_nowait(run)

for n in range(20):
    call("run-a", f"a{n}", ms=10.0 * n, iteration=n // 5 + 1)
call("run-a", "slow", name="weather", error="TimeoutError: no answer\\n  in 4 s", ms=4000.0)
for n in range(20):
    call("run-b", f"b{n}", name="weather")
with run_context("run-a"):
    emit_sync("agent.think", iteration=5, reasoning_preview="so far, so good")
    emit_sync("agent.tool.started", tool_name="open", span_id="open")

BEGAN = datetime.now(UTC) - timedelta(seconds=10)

def tell(ms, event_type, **data):
    at = BEGAN + timedelta(milliseconds=ms)
    get_event_bus().publish_nowait(StreamEvent("report", event_type, data, at))

model, tool = {"model": "mock-1"}, {"tool_name": "search"}
tell(0, "agent.model.started", iteration=1, span_id="m1", **model)
tell(400, "agent.model.completed", iteration=1, span_id="m1", duration_ms=400, **model)
tell(401, "agent.think", iteration=1)
tell(410, "agent.tool.started", span_id="t1", **tool)
tell(420, "agent.tool.started", span_id="t2", **tool)
tell(600, "agent.tool.completed", span_id="t2", success=False, duration_ms=180, error="no answer", **tool)
tell(900, "agent.tool.completed", span_id="t1", success=True, duration_ms=490, output_preview="12 C", **tool)
tell(910, "agent.model.started", iteration=2, span_id="m2", **model)
tell(1000, "agent.model.completed", iteration=2, span_id="m2", duration_ms=90, **model)
tell(1000, "agent.terminate", reason="complete", iterations_used=2)
close("report")

def note(view):
    said.append({"main": threading.current_thread() is threading.main_thread(),
                 "selected": view.selected_df["seq"].tolist()})

def answer(path, value):
    path.with_suffix(".tmp").write_text(json.dumps(value))
    path.with_suffix(".tmp").rename(path)

def obey():
    while not Path("gate").exists():
        for order in sorted(Path().glob("order-*")):
            exec(order.read_text(), globals())
            order.unlink()
        # Orders come as files from another process, of which no event tells.
        time.sleep(0.01)

said = []
view = watch()
view.on_selection(note)
threading.Thread(target=obey).start()
view
"""
BOARD = 'board = dashboard("report")\nboard'
LEAVING = 'leaving = [watch("report"), watch("report")]\ndisplay(*leaving)'
# Its gate is a file of another process, of which no event tells.
BLOCK = 'while not Path("gate").exists():\n    time.sleep(0.01)'
CELLS = [SETUP, BOARD, LEAVING, BLOCK]


class Blocked(CellViews):
    """The view of all runs in a notebook whose kernel runs a cell that does not end."""

    def __init__(self, folder: Path, notebook: LabTab) -> None:
        super().__init__(notebook, 0)
        self.folder = folder
        self._orders = 0

    def cell(self, index: int) -> CellViews:
        """What another cell shows."""
        return CellViews(self.notebook, index)

    def order(self, code: str) -> None:
        """Have a thread of the kernel do something; the cell stays blocked."""
        self._orders += 1
        path = self.folder / f"new-{self._orders}"
        path.write_text(code)
        path.rename(self.folder / f"order-{self._orders:03}")

    def ask(self, value: str, *, once: str = "True") -> Any:
        """The value of an expression in the kernel, `once` another one is true."""
        path = self.folder / f"answer-{self._orders}.json"
        # What is waited for is any state of the kernel's views, of which no event tells.
        self.order(
            f"while not ({once}):\n    time.sleep(0.01)\nanswer(Path({path.name!r}), {value})",
        )
        self.page.call(lambda page: wait_for(page, path))
        return json.loads(path.read_text())

    def reset(self) -> None:
        """Back to the table of all runs: nothing selected, followed, filtered, sorted, replayed or paused."""
        assert not self.notebook.is_finished
        if self.text("pause").endswith("Resume"):
            self.click("pause")
        self.click('run-line:not([aria-selected="true"]):has-text("all runs")', maybe=True)
        self.tab("Timeline")
        self.press("waterfall", "Escape")
        self.press("waterfall", "0")
        self.tab("Table")
        self.filter("")
        while self.evaluate("root.querySelector('.lo-head [aria-sort$=ending]') !== null"):
            self.click('head [aria-sort$="ending"] button')
        for _ in range(3):
            self.press("grid", "Escape")
        self.wait("texts('count')[0].endsWith(' events') && texts('note').length === 0")


def wait_for(page: Any, path: Path) -> None:
    """Let the page go on until a file is there; fails after 10 s."""
    for _ in range(500):
        if path.exists():
            return
        page.wait_for_timeout(20)
    raise TimeoutError(f"{path.name} did not come")


@contextmanager
def blocked_kernel(chromium: Chromium, folder: Path) -> Generator[Blocked]:
    """Views in JupyterLab, and a cell that is blocked until the end; any error in the page fails."""
    with (
        JupyterLab(folder) as lab,
        lab.open(
            chromium, "blocked.ipynb", CELLS, viewport={"width": 2000, "height": 4500}, timezone_id="UTC"
        ) as notebook,
    ):
        for cell in range(len(CELLS) - 1):
            notebook.run(cell)
        kernel = Blocked(lab.notebooks, notebook)
        kernel.wait("texts('count')[0].endsWith(' events')")
        notebook.start(len(CELLS) - 1)
        try:
            yield kernel
        finally:
            (lab.notebooks / "gate").touch()
            notebook.finish()
        assert notebook.page.errors == []
