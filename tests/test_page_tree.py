"""The tree of a live view in real Chromium."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import TimeoutError as Timeout

from tests.page_kit import HOSTILE, LiveView, ended, row, started, tally

if TYPE_CHECKING:
    from tests.browser import Tab

MODEL = {"family": "model", "name": "mock-1"}
AGENT = [
    started(1, "m1", time_ms=0, iteration=1, **MODEL),
    ended(2, "m1", time_ms=400, duration=400, **MODEL),
    row(
        3,
        event_type="agent.tokens.used",
        time_ms=400,
        family="model",
        span="m1",
        input_tokens=812,
        output_tokens=64,
    ),
    started(4, "t1", time_ms=410),
    ended(5, "t1", time_ms=900, duration=490, preview="12 °C"),
    started(6, "m2", time_ms=910, iteration=2, **MODEL),
    ended(7, "m2", time_ms=1000, duration=90, **MODEL),
    row(
        8,
        event_type="agent.tokens.used",
        time_ms=1000,
        family="model",
        span="m2",
        input_tokens=900,
        output_tokens=6,
    ),
]
REPORT = ["▾✓report", " ▾✓iteration 1", "  ✓mock-1", "  ✓search", " ▾✓iteration 2", "  ✓mock-1"]
LINES = """() => [...document.querySelectorAll(".lo-branch")].filter((node) => !node.hidden)
    .map((node) => " ".repeat(node.ariaLevel - 1) + node.firstChild.textContent)"""


SPAN = [started(1, time_ms=1_000), ended(2, time_ms=1_400, duration=400)]


class TreeView(LiveView):
    """A live view that shows its tree."""

    def show(self) -> None:
        """Shows the widget in one more output, with the tree open."""
        super().show()
        self.tab.click("[role=tab]:text-is('Tree')")
        self.drawn()

    def lines(self) -> list[str]:
        """The lines in sight: indented by level, with twisty, sign and label."""
        return self.tab.evaluate(LINES)

    def becomes(self, lines: list[str]) -> None:
        """Waits until these are the lines in sight: a tree takes in what is new within a quarter of a second."""
        script = f"(lines) => JSON.stringify(({LINES})()) === JSON.stringify(lines)"
        try:
            self.tab.wait(script, lines, timeout=5)
        except Timeout:
            assert self.lines() == lines

    def cells(self, label: str) -> list[str]:
        """Length, tokens and what is said in the first line with that label."""
        return self.tab.evaluate(
            """(label) => [...[...document.querySelectorAll(".lo-branch")]
                .find((node) => !node.hidden && node.firstChild.textContent.endsWith(label)).children]
                .slice(2).map((cell) => cell.textContent)""",
            label,
        )

    def focus(self) -> None:
        """Puts the keyboard on the tree."""
        self.tab.evaluate("() => document.querySelector('[role=treegrid]').focus()")

    def active(self) -> str:
        """The label of the line where the keyboard is."""
        return self.tab.evaluate(
            """() => {
                const grid = document.querySelector("[role=treegrid]");
                const line = document.getElementById(grid.getAttribute("aria-activedescendant"));
                return line?.querySelector(".lo-name").textContent ?? "";
            }"""
        )


@pytest.fixture
def tree(chromium_page: Tab) -> TreeView:
    """The tree of one run that has ended."""
    tree = TreeView(chromium_page, run="run-A")
    tree.show()
    tree.deliver(AGENT, [tally("run-A", "ok", name="report")], status="ended")
    tree.becomes(REPORT)
    return tree


def test_calls_hang_below_their_iteration(tree: TreeView) -> None:
    """A run holds its iterations, and they hold model calls and tool calls."""
    assert tree.lines() == REPORT


def test_runs_and_iterations_sum_up(tree: TreeView) -> None:
    """Above its calls stand how long an iteration took and the tokens that it used."""
    assert tree.cells("report") == ["1 s", "1,712 → 70", ""]
    assert tree.cells("iteration 1") == ["900 ms", "812 → 64", ""]
    assert tree.cells("search") == ["490 ms", "", "12 °C"]


def test_a_bar_lies_in_its_parents_time(tree: TreeView) -> None:
    """The second call of an iteration begins where it began in that iteration."""
    left, width = tree.tab.evaluate(
        """() => {
            const { style } = document.querySelectorAll(".lo-reach")[3];
            return [parseFloat(style.left), parseFloat(style.width)];
        }"""
    )
    assert left == pytest.approx(410 / 9, abs=0.1)
    assert width == pytest.approx(490 / 9, abs=0.1)


def test_subagents_hang_below_the_span_that_called_them(chromium_page: Tab) -> None:
    """A span with another's id as its parent hangs below it, in another run as well; agents are told apart."""
    tree = TreeView(chromium_page)
    tree.show()
    tree.deliver(
        [
            started(1, "ask", time_ms=0, name="ask", agent="planner"),
            started(2, "m", time_ms=1, iteration=1, agent="critic", parent="ask", **MODEL),
            ended(3, "m", time_ms=5, agent="critic", **MODEL),
            started(4, "far", time_ms=6, run_id="run-B", parent="ask", name="far"),
            ended(5, "far", time_ms=7, run_id="run-B", name="far"),
            ended(6, "ask", time_ms=9, name="ask", agent="planner"),
            started(7, "own", time_ms=10, name="own", agent="critic"),
            ended(8, "own", time_ms=11, name="own", agent="critic"),
        ],
        [tally("run-A", "ok"), tally("run-B", "ok")],
    )
    tree.becomes(
        [
            "▾✓run-A",
            " ▾✓planner",
            "  ▾✓ask",
            "   ▾✓critic",
            "    ▾✓iteration 1",
            "     ✓mock-1",
            "   ✓far",
            " ▾✓critic",
            "  ✓own",
        ]
    )


def test_errors_are_open_by_themselves(chromium_page: Tab) -> None:
    """Among many runs, which are closed, one with an error shows it and says what it was."""
    tree = TreeView(chromium_page)
    tree.show()
    rows = []
    for index in range(5):
        failed = {"status": "error", "error": "TimeoutError: no answer"} if index == 2 else {}
        run = f"run-{index}"
        rows += [started(len(rows) + 1, run_id=run), ended(len(rows) + 2, run_id=run, **failed)]
    tree.deliver(rows, [tally(f"run-{index}", "ok") for index in range(5)])
    tree.becomes(["▸✓run-0", "▸✓run-1", "▾✓run-2", " ✕search", "▸✓run-3", "▸✓run-4"])
    assert tree.cells("run-2")[2] == "1 error"
    assert tree.cells("search")[2] == "TimeoutError: no answer"


def test_open_spans_run_and_then_never_completed(chromium_page: Tab) -> None:
    """A started call is running, in its iteration and run too, and reads "never completed" after the run."""
    tree = TreeView(chromium_page, run="run-A")
    tree.show()
    tree.deliver([started(1, time_ms=0), row(2, time_ms=5)], [tally("run-A")])
    tree.becomes(["▾●run-A", " ●search"])
    tree.deliver([row(3, time_ms=9)], [tally("run-A", "ok", ended=9, last=9)])
    tree.becomes(["▾✓run-A", " ○search"])
    assert tree.cells("search")[2] == "never completed"


def test_a_call_took_what_its_end_says(chromium_page: Tab) -> None:
    """A length that an event tells counts for more than the time between two events, as in table and timeline."""
    tree = TreeView(chromium_page, run="run-A")
    tree.show()
    tree.deliver([started(1, time_ms=1000), ended(2, time_ms=1100, duration=900)], [tally("run-A", "ok")])
    tree.becomes(["▾✓run-A", " ✓search"])
    assert tree.cells("search")[0] == "900 ms"


@pytest.mark.parametrize("width", [600, 1200])
def test_deep_calls_keep_their_names(chromium_page: Tab, width: int) -> None:
    """However deep a call hangs, and however little room there is, its sign and name have 120 pixels."""
    chromium_page.call(lambda page: page.set_viewport_size({"width": width, "height": 700}))
    tree = TreeView(chromium_page)
    tree.show()
    rows = [started(seq, f"s{seq}", parent=f"s{seq - 1}", name=f"tool-{seq}") for seq in range(1, 400)]
    tree.deliver(rows, [tally("run-A")])
    tree.tab.wait("() => document.querySelector('[role=treegrid]').scrollHeight > 9000")
    tree.focus()
    tree.press("End")
    tree.tab.wait("() => document.querySelector('[role=treegrid]').scrollTop > 5000")
    rooms, said = tree.tab.evaluate(
        """() => {
            const rows = [...document.querySelectorAll(".lo-branch")].filter((one) => !one.hidden);
            return [rows.map(({ firstChild: cell }) =>
                cell.getBoundingClientRect().right - cell.children[1].getBoundingClientRect().left),
                rows.at(-1).lastChild.textContent];
        }"""
    )
    assert min(rooms) >= 120
    assert said == "nested deeper · search(query)"


def test_the_grid_has_headed_columns(tree: TreeView) -> None:
    """As many column headers as a row has cells, and the row is counted with the others."""
    seen = tree.tab.evaluate(
        """() => {
            const grid = document.querySelector("[role=treegrid]");
            const roles = (row, role) => [...row.children].filter((cell) => cell.role === role).length;
            const rows = [...grid.querySelectorAll("[role=row]")].filter((row) => !row.hidden);
            const cells = rows.slice(1).map((row) => roles(row, "gridcell"));
            return [grid.ariaRowCount, roles(rows[0], "columnheader"), ...cells];
        }"""
    )
    assert seen == ["7", *[5] * 7]


def test_keys_walk_open_and_close(tree: TreeView) -> None:
    """Arrows walk, right opens and goes in, left closes and goes out, and `*` closes and opens all."""
    tree.focus()
    tree.press("Home", "ArrowDown")
    assert tree.active() == "iteration 1"
    tree.press("ArrowLeft")
    assert tree.lines() == ["▾✓report", " ▸✓iteration 1", " ▾✓iteration 2", "  ✓mock-1"]
    tree.press("ArrowRight", "ArrowRight")
    assert tree.active() == "mock-1"
    tree.press("ArrowLeft")
    assert tree.active() == "iteration 1"
    tree.press("*")
    assert tree.lines() == ["▸✓report"]
    tree.press("*")
    assert len(tree.lines()) == 6


def test_enter_opens_the_drawer(tree: TreeView) -> None:
    """Enter on a call shows its payload and tells Python of it; on an iteration it opens and closes."""
    tree.focus()
    tree.press("Home", "ArrowDown", "ArrowDown", "Enter")
    tree.wait_told(selected=[1, 2])
    assert tree.texts("payload") != []
    tree.press("ArrowUp", "Enter")
    assert len(tree.lines()) == 4


def test_a_click_on_a_twisty_closes(tree: TreeView) -> None:
    """A click on the twisty closes what hangs below, and the grid says so."""
    tree.tab.click(".lo-twisty >> nth=1")
    tree.drawn()
    assert len(tree.lines()) == 4
    states = "() => [...document.querySelectorAll('.lo-branch')].slice(0, 2).map((one) => one.ariaExpanded)"
    assert tree.tab.evaluate(states) == ["true", "false"]


def test_a_filter_is_a_filter_of_the_tree(tree: TreeView) -> None:
    """Only calls that pass the filter hang in the tree."""
    tree.filter("tool:search")
    tree.becomes(["▾✓report", " ✓search"])


@pytest.mark.parametrize("text", [*HOSTILE, "x" * 1_000_000, "\u200b\u200d\u2060", "\u202e\u2067\u2069abc"])
def test_hostile_names_are_inert(chromium_page: Tab, text: str) -> None:
    """Whatever a tool, an agent, a run or an error is called, it is text in a line of the usual height."""
    tree = TreeView(chromium_page)
    tree.show()
    fields = {"name": text[:200], "agent": text[:200], "run_id": text, "parent": text[:200]}
    tree.deliver(
        [started(1, text[:200], **fields), ended(2, text[:200], error=text[:500], preview=text, **fields)]
    )
    tree.tab.wait("() => document.querySelectorAll('.lo-branch:not([hidden])').length >= 2")
    assert chromium_page.evaluate("() => window.struck") is None
    assert chromium_page.evaluate("() => document.querySelectorAll('img, a').length") == 0
    assert chromium_page.evaluate("() => document.documentElement.scrollWidth - innerWidth") <= 0
    heights = "() => [...document.querySelectorAll('.lo-branch')].map((one) => one.offsetHeight)"
    assert set(chromium_page.evaluate(heights)) <= {0, 24}


def test_nothing_is_left_behind(tree: TreeView) -> None:
    """After the view is gone no timer, frame or listener of the tree runs on."""
    tree.deliver([started(9, "late", time_ms=1001)])
    tree.tab.evaluate("() => widget.close()")
    assert tree.tab.evaluate("() => leftovers.count()") == {"timers": 0, "frames": 0, "listeners": 0}


def test_run_takes_until_its_end(chromium_page: Tab) -> None:
    """What a run took is the time until it ended, or now, also where no call goes on by then."""
    tree = TreeView(chromium_page, run="run-A")
    tree.show()
    tree.deliver(SPAN, [tally("run-A", started=1_000, last=1_400)], now=2_000)
    tree.becomes(["▾●run-A", " ✓search"])
    assert tree.cells("run-A")[0].startswith("1.")
    end = row(3, event_type="agent.terminate", family="end", time_ms=2_500)
    tree.deliver([end], [tally("run-A", "ok", started=1_000, ended=2_500, last=2_500)], now=9_000)
    tree.becomes(["▾✓run-A", " ✓search"])
    tree.tab.wait("() => document.querySelector('.lo-branch .lo-duration').textContent === '1.5 s'")
    assert tree.cells("search")[0] == "400 ms"
