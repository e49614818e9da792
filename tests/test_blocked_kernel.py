"""Everything a user does in a view, in a real JupyterLab, while the kernel sits in `time.sleep`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.jupyter import JupyterLab

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.browser import Chromium, Tab
    from tests.jupyter import LabTab

# A thread does what the test asks for by a file, because the cell that is blocked cannot.
SETUP = """
import json, threading, time
from pathlib import Path
from locus_nb import emit_sync, get_event_bus, run_context, watch

def call(run, span, *, name="search", error=None, ms=20.0, iteration=1):
    with run_context(run):
        facts = {"tool_name": name, "span_id": span, "iteration": iteration}
        emit_sync("agent.tool.started", arg_keys=["query"], **facts)
        emit_sync("agent.tool.completed", success=error is None, duration_ms=ms, error=error,
                  output_preview=f"{span} is done", **facts)

for n in range(20):
    call("run-a", f"a{n}", ms=10.0 * n, iteration=n // 5 + 1)
call("run-a", "slow", name="weather", error="TimeoutError: no answer\\n  in 4 s", ms=4000.0)
for n in range(20):
    call("run-b", f"b{n}", name="weather")
with run_context("run-a"):
    emit_sync("agent.think", iteration=5, reasoning_preview="so far, so good")
    emit_sync("agent.tool.started", tool_name="open", span_id="open")

view = watch()

def note(view):
    chosen = view.selected_df["seq"].tolist()
    said = {"main": threading.current_thread() is threading.main_thread(), "selected": chosen}
    Path("said.tmp").write_text(json.dumps(said))
    Path("said.tmp").rename("said.json")

view.on_selection(note)

def obey():
    while not Path("gate").exists():
        for order in sorted(Path().glob("order-*")):
            exec(order.read_text())
            order.unlink()
        time.sleep(0.01)

threading.Thread(target=obey).start()
view
"""
BLOCK = 'while not Path("gate").exists():\n    time.sleep(0.01)'

EVENTS = 20 * 2 + 2 + 20 * 2 + 2


class Blocked:
    """The view in the page, and a kernel that does not answer."""

    def __init__(self, folder: Path, notebook: LabTab) -> None:
        self.folder = folder
        self.notebook = notebook
        self.page: Tab = notebook.page
        self._orders = 0

    def order(self, code: str) -> None:
        """Have a thread of the kernel do something; the cell stays blocked."""
        self._orders += 1
        path = self.folder / f"new-{self._orders}"
        path.write_text(code)
        path.rename(self.folder / f"order-{self._orders:03}")

    def reset(self) -> None:
        """Back to the table of all events, nothing selected, filtered, sorted or paused."""
        assert not self.notebook.is_finished
        (self.folder / "said.json").unlink(missing_ok=True)
        if self.text("pause").endswith("Resume"):
            self.page.click(".locus-live-pause")
        self.tab("Table")
        self.page.call(lambda page: page.fill(".locus-live-filter", ""))
        for _ in range(3):
            self.page.call(lambda page: page.press(".locus-live-grid", "Escape"))
        self.wait_text("count", f"{self.total:,} events")

    @property
    def total(self) -> int:
        """Events of the view."""
        return EVENTS + self._extra

    _extra = 0

    def tab(self, name: str) -> None:
        """Open a tab of the view."""
        self.page.click(f'.locus-live >> role=tab[name="{name}"]')

    def filter(self, text: str) -> None:
        """Type a filter."""
        self.page.call(lambda page: page.fill(".locus-live-filter", text))

    def text(self, part: str) -> str:
        """The text of a part of the view."""
        return self.page.evaluate(
            "(part) => document.querySelector(`.locus-live-${part}`)?.textContent ?? ''", part
        )

    def wait_text(self, part: str, text: str) -> None:
        """Wait until a part of the view says this."""
        self.page.wait(
            "([part, text]) => document.querySelector(`.locus-live-${part}`)?.textContent === text",
            [part, text],
        )

    def click(self, seq: int, *modifiers: Any) -> None:
        """Click the row with that seq, which must be in sight."""
        self.page.call(lambda page: page.click(row_of(seq), modifiers=list(modifiers)))

    def said(self) -> dict[str, Any]:
        """What the callback in the kernel was told last."""
        path = self.folder / "said.json"
        self.page.call(lambda page: wait_for(page, path))
        return json.loads(path.read_text())


def row_of(seq: int) -> str:
    """The selector of the row with that seq."""
    return f'.locus-live-grid .locus-live-row:not([hidden]):has(.locus-live-seq:text-is("{seq}"))'


def wait_for(page: Any, path: Path) -> None:
    """Let the page go on until a file is there; fails after 10 s."""
    for _ in range(500):
        if path.exists():
            return
        page.wait_for_timeout(20)
    raise TimeoutError(f"{path.name} did not come")


@pytest.fixture(scope="module")
def kernel(chromium: Chromium, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Blocked]:
    """A view in JupyterLab and a cell that has been blocked since."""
    with (
        JupyterLab(tmp_path_factory.mktemp("lab")) as lab,
        lab.open(chromium, "blocked.ipynb", [SETUP, BLOCK]) as notebook,
    ):
        notebook.run(0)
        counted = "() => document.querySelector('.locus-live-count')?.textContent.endsWith('events')"
        notebook.page.wait(counted)
        notebook.start(1)
        try:
            yield Blocked(lab.notebooks, notebook)
        finally:
            (lab.notebooks / "gate").touch()
            notebook.finish()
        assert notebook.page.errors == []


@pytest.fixture
def view(kernel: Blocked) -> Blocked:
    """The same view for each test, as if nothing had been done in it."""
    kernel.reset()
    return kernel


def test_the_filter_answers(view: Blocked) -> None:
    """A filter by tool, status and duration leaves what fits, and an error's lines stand open below it."""
    view.filter("tool:weather status:error dur>500")
    view.wait_text("count", "1 of 43 rows")
    assert "no answer" in view.text("grid")


def test_chips_choose_event_types(view: Blocked) -> None:
    """A click on a chip shows that event type only."""
    view.page.click('.locus-live-chip:has-text("agent.think")')
    view.wait_text("count", "1 of 43 rows")


def test_columns_sort(view: Blocked) -> None:
    """A click on a column's head sorts by it: the longest call comes last, after another click first."""
    head = '.locus-live-head [role="columnheader"]:has-text("duration") button'
    view.filter("-status:running -type:think")
    for _ in range(2):
        view.page.click(head)
    view.page.wait(
        "() => document.querySelector('.locus-live-grid .locus-live-row:not([hidden])').textContent.includes('4 s')"
    )
    view.page.click(head)


def test_pausing_counts_what_is_new(view: Blocked) -> None:
    """While it is paused the view says how much is new; then it shows that too."""
    view.page.call(lambda page: page.press(".locus-live-grid", "Space"))
    view.order('call("run-b", "while-paused")')
    view._extra += 2
    view.wait_text("fresh", "2 new")
    view.page.call(lambda page: page.press(".locus-live-grid", "Space"))
    view.wait_text("count", f"{view.total} events")


def test_what_python_asks_for_is_done(view: Blocked) -> None:
    """A filter and a pause set by Python code reach the page from another thread."""
    view.order('view.filter = "agent.think"; view.pause()')
    view.wait_text("pause", "▶ Resume")
    view.wait_text("count", "1 of 44 rows" if view.total > EVENTS else "1 of 43 rows")
    view.order('view.filter = ""; view.resume()')
    view.wait_text("count", f"{view.total} events")


def test_a_selection_reaches_python(view: Blocked) -> None:
    """A clicked row is a DataFrame in a callback, which the kernel runs beside the blocked cell."""
    view.filter("tool:weather status:error")
    view.page.wait("() => document.querySelector('.locus-live-count').textContent.startsWith('1 of')")
    view.click(41)
    assert view.said() == {"main": False, "selected": [41, 42]}


def test_a_range_says_the_time_between(view: Blocked) -> None:
    """Two rows, the second one clicked with shift, give the time between them."""
    view.filter("run:run-a tool:search dur<=20")
    view.page.wait("() => document.querySelector('.locus-live-count').textContent.startsWith('3 of')")
    view.click(1)
    view.click(5, "Shift")
    view.page.wait(
        "() => /^2 rows selected · .* between/.test(document.querySelector('.locus-live-note').textContent)"
    )


def test_keys_move_open_and_close(view: Blocked) -> None:
    """Arrows select, Enter opens the payload, Escape closes it, and a slash leads to the filter."""
    view.page.call(lambda page: page.press(".locus-live-grid", "Home"))
    view.page.press("ArrowDown")
    view.page.press("Enter")
    view.page.wait("() => document.querySelector('.locus-live-payload')?.checkVisibility()")
    view.page.press("Escape")
    view.page.wait("() => !document.querySelector('.locus-live-payload')?.checkVisibility()")
    view.page.press("/")
    view.page.wait("() => document.activeElement.classList.contains('locus-live-filter')")


def test_scrolling_stops_following(view: Blocked) -> None:
    """Who scrolls up stays there while events come, and a button leads back to the newest."""
    view.page.evaluate("() => { document.querySelector('.locus-live-grid').scrollTop = 0; }")
    view.page.wait("() => document.querySelector('.locus-live-jump')?.checkVisibility()")
    view.page.click(".locus-live-jump")
    view.page.wait("() => !document.querySelector('.locus-live-jump')?.checkVisibility()")


def test_payloads_are_copied(view: Blocked) -> None:
    """The drawer copies the payload as JSON, and code that gives the same event in pandas."""
    view.filter("agent.think")
    view.page.wait("() => document.querySelector('.locus-live-count').textContent.startsWith('1 of')")
    view.page.call(lambda page: page.context.grant_permissions(["clipboard-read", "clipboard-write"]))
    view.click(83)
    read = "() => navigator.clipboard.readText()"
    view.page.click(".locus-live-copy")
    view.page.wait("() => document.querySelector('.locus-live-copied').textContent !== ''")
    assert json.loads(view.page.evaluate(read))["reasoning_preview"] == "so far, so good"
    view.page.click(".locus-live-pandas")
    view.page.wait(f"async () => (await ({read})()).includes('events_df')")
    assert "83" in view.page.evaluate(read)
