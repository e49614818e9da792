"""The list of runs in a view of all runs, in real Chromium, with a stand-in for anywidget."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.browser import Tab

START = 1_767_605_400_000
HOSTILE = [
    "<script>window.struck = 1</script>",
    "<img src=x onerror='window.struck = 1'>",
    "\u202egnp.exe\u202c \u05e9\u05dc\u05d5\u05dd",
    "\u200b",
    "one\ntwo",
    "__proto__",
    "x" * 1_000_000,
]
UNSEEN = "[\u200b\u202e\u202c\\n]"


def tally(run: str, **changes: Any) -> list[Any]:
    """A run's tally as Python tells of it."""
    fields = {
        "run": run,
        "name": "",
        "status": "running",
        "started": START,
        "ended": None,
        "last": START,
        "events": 1,
        "iterations": 0,
        "model_calls": 0,
        "tool_calls": 0,
        "errors": 0,
        "input_tokens": 0,
        "output_tokens": 0,
    }
    return list((fields | changes).values())


class Runs:
    """One view of all runs on the page, in the words of the tests; its clock stands still."""

    def __init__(self, tab: Tab) -> None:
        self.tab = tab
        tab.evaluate(
            """async () => {
                Object.assign(window, await import("/page.js"));
                window.now = 1_000_000;
                performance.now = () => window.now;
                window.widget = await FakeWidget.open({ view: "runs" });
                await widget.show();
                document.querySelector(".lo-split").style.height = "320px";
                await drawn();
            }"""
        )

    def deliver(self, *tallies: list[Any], ms: int = 250) -> None:
        """Let time pass, deliver tallies and let the page draw."""
        self.tab.evaluate(
            """async ([tallies, ms]) => {
                window.now += ms;
                widget.deliver([], {}, tallies);
                await drawn();
            }""",
            [tallies, ms],
        )

    def cells(self, part: str) -> list[str]:
        """The texts of a column, from the top."""
        return self.tab.evaluate(
            """(part) => [...document.querySelectorAll(`.lo-window .lo-run-${part}`)]
                .filter((node) => node.checkVisibility()).map((node) => node.textContent)""",
            part,
        )

    def names(self) -> list[str]:
        """The names in sight, from the top."""
        return self.cells("name")

    def selected(self) -> list[str]:
        """The names of the lines that are followed."""
        return self.tab.evaluate(
            """() => [...document.querySelectorAll(".lo-window [aria-selected=true]")]
                .filter((node) => node.checkVisibility())
                .map((node) => node.querySelector("b").textContent)"""
        )

    def click(self, name: str) -> None:
        """Click a run's line, and let the page draw."""
        self.tab.call(lambda page: page.click(f".lo-window b:text-is('{name}')"))
        self.draw()

    def sort(self, column: str) -> None:
        """Click a column's head, move away, and let the page draw."""
        self.tab.call(lambda page: page.click(f".lo-sort:text-is('{column}')"))
        self.leave()

    def leave(self) -> None:
        """Move the pointer away and have the list take in what is new."""
        self.tab.call(lambda page: page.mouse.move(899, 699))
        self.deliver()

    def press(self, *keys: str) -> None:
        """Press keys where the focus is, and let the page draw."""
        for key in keys:
            self.tab.press(key)
        self.draw()

    def draw(self) -> None:
        """Let the page draw."""
        self.tab.evaluate("async () => { await drawn() }")


@pytest.fixture
def runs(chromium_page: Tab) -> Runs:
    """A view of all runs that has heard of none."""
    return Runs(chromium_page)


def test_running_runs_come_first_then_the_newest(runs: Runs) -> None:
    """The first line stands for all runs; then those that run, then the others, the newest first each."""
    runs.deliver(
        tally("a", status="ok", ended=START),
        tally("b", started=START + 1, status="error"),
        tally("c", started=START - 9),
        tally("d", started=START - 8, name="weather"),
        tally("e", started=START + 2, status="interrupted"),
    )
    assert runs.names() == ["All runs", "weather", "c", "e", "b", "a"]
    assert runs.cells("sign") == ["", "\u25cf", "\u25cf", "\u25a0", "\u2715", "\u2713"]
    said = runs.tab.evaluate(
        """() => [...document.querySelectorAll(".lo-window .lo-run-sign")]
            .filter((node) => node.checkVisibility()).map((node) => node.getAttribute("aria-label"))"""
    )
    assert said == ["", "running", "running", "interrupted", "error", "ok"]


def test_line_tells_how_a_run_stands(runs: Runs) -> None:
    """A line has the run's events, tokens and errors; the first one has their sums and how many run."""
    runs.tab.call(lambda page: page.set_viewport_size({"width": 1200, "height": 700}))
    runs.deliver(
        tally("a", events=12_345, errors=3, input_tokens=900, output_tokens=600, status="ok"),
        tally("b", events=55),
    )
    assert runs.cells("events") == ["12.4K", "55", "12.3K"]
    assert runs.cells("tokens") == ["1.5K", "", "1.5K"]
    assert runs.cells("errors") == ["\u2715 3", "", "\u2715 3"]
    running = runs.tab.evaluate("document.querySelector('.lo-window .lo-run-line b + *').textContent")
    assert running == "1 running"
    title = runs.tab.evaluate("document.querySelectorAll('.lo-window .lo-run-line')[2].title")
    assert title.startswith(
        "\u2068a\u2069 \u00b7 ok \u00b7 started 2026-01-05 09:30:00.000 \u00b7 12,345 events"
    )


def test_age_is_how_long_ago_a_run_began(runs: Runs) -> None:
    """Ages are in one figure, and those of ended runs not finer than they are kept up to date."""
    runs.tab.call(lambda page: page.set_viewport_size({"width": 1200, "height": 700}))
    ages = runs.tab.evaluate(
        """async () => {
            const { formatAge } = await import("/page/format.js");
            return [-5, 0, 59_999, 60_000, 3_599_999, 3_600_000, 86_400_000, 1e12, NaN].map(formatAge);
        }"""
    )
    assert ages == ["0 s", "0 s", "59 s", "1 m", "59 m", "1 h", "1 d", "11,574 d", "\u2013"]
    runs.deliver(tally("a"), tally("b", status="ok"))
    runs.tab.evaluate(
        """async (time) => {
            widget.deliver([wireRow(1, "t", { time })]);
            now += 1000;
            await drawn();
            widget.deliver([]);
            await drawn();
        }""",
        START + 10_000,
    )
    assert runs.cells("age")[1:] == ["10 s", "< 1 m"]


def test_rate_is_smoothed_and_comes_to_rest(runs: Runs) -> None:
    """A run's speed rises to what its tallies show and falls to nothing when nothing more comes."""
    for second in range(21):
        runs.deliver(tally("a", events=100 * second), ms=1_000)
    assert runs.cells("rate") == ["100/s", "100/s"]
    runs.deliver(ms=2_000)
    assert runs.cells("rate") == ["37/s", "37/s"]
    runs.deliver(ms=7_000)
    assert runs.cells("rate") == ["1.1/s", "1.1/s"]
    runs.deliver(ms=60_000)
    assert runs.cells("rate") == ["", ""]


def test_run_that_has_ended_has_no_speed(runs: Runs) -> None:
    """The speed of a run is gone with its end; until then it takes three characters, and fits its column."""
    for second in range(5):
        runs.deliver(tally("a", events=7_777_777 * second), tally("b", events=second // 4), ms=1_000)
    assert [len(rate) <= 5 for rate in runs.cells("rate")] == [True] * 3
    fits = (
        "[...document.querySelectorAll('.lo-run-rate')].every((cell) => cell.scrollWidth <= cell.clientWidth)"
    )
    assert runs.tab.evaluate(f"() => {fits}")
    runs.deliver(tally("a", status="ok", events=7_777_777 * 4), ms=1_000)
    assert "\u2013" in runs.cells("rate")


def test_first_tally_is_no_speed(runs: Runs) -> None:
    """What a run had before the page came is not taken for speed, nor is a tally that was told again."""
    runs.deliver(tally("a", events=10_000))
    assert runs.cells("rate") == ["", ""]
    runs.deliver(tally("a", events=9_000), ms=1_000)
    assert runs.cells("rate") == ["", ""]


def test_list_changes_four_times_a_second_at_most(runs: Runs) -> None:
    """What comes within a quarter of a second is shown at its end: the list is calm."""
    runs.deliver(tally("a", events=1))
    runs.deliver(tally("a", events=2), tally("b"), ms=100)
    assert runs.names() == ["All runs", "a"]
    assert runs.cells("events") == ["1", "1"]
    runs.deliver(ms=150)
    assert runs.names() == ["All runs", "a", "b"]
    assert runs.cells("events") == ["3", "2", "1"]


def test_what_came_late_is_shown_without_more_news(runs: Runs) -> None:
    """What came within a quarter of a second of the last change is shown though nothing follows."""
    runs.deliver(tally("a"))
    runs.deliver(tally("b"), ms=0)
    assert runs.names() == ["All runs", "a"]
    runs.tab.evaluate("now += 300")
    runs.tab.wait("document.querySelectorAll('.lo-window .lo-run-line:not([hidden])').length > 2")
    assert runs.names() == ["All runs", "a", "b"]


# What the user does


def test_click_follows_a_run_and_another_click_all(runs: Runs) -> None:
    """A click follows a run; a click on it again, or on the first line, follows all."""
    runs.deliver(tally("a"), tally("b"))
    assert runs.selected() == ["All runs"]
    runs.click("b")
    assert runs.selected() == ["b"]
    runs.click("a")
    assert runs.selected() == ["a"]
    runs.click("a")
    assert runs.selected() == ["All runs"]
    runs.click("b")
    runs.click("All runs")
    assert runs.selected() == ["All runs"]


def test_keyboard_follows_a_run(runs: Runs) -> None:
    """Arrows, Home and End lead through the lines, Enter follows, Escape follows all; the page sees no key."""
    runs.deliver(*[tally(f"run-{number}", started=START - number) for number in range(40)])
    runs.tab.evaluate(
        """() => {
            window.keys = [];
            document.addEventListener("keydown", ({ key }) => keys.push(key));
            document.querySelector(".lo-run-list").focus();
        }"""
    )
    runs.press("ArrowDown", "ArrowDown", "Enter")
    assert runs.selected() == ["run-1"]
    runs.press("Escape")
    assert runs.selected() == ["All runs"]
    runs.press("End", "Enter")
    assert runs.selected() == ["run-39"]
    active = runs.tab.evaluate(
        """() => {
            const list = document.querySelector(".lo-run-list");
            const line = document.getElementById(list.getAttribute("aria-activedescendant"));
            return [line.querySelector("b").textContent, line.getBoundingClientRect().bottom
                <= list.getBoundingClientRect().bottom + 1];
        }"""
    )
    assert active == ["run-39", True]
    assert runs.tab.evaluate("keys") == []


def test_lines_stay_in_place_under_the_pointer(runs: Runs) -> None:
    """While the pointer is over the list its lines keep their places; new runs come at the end until it leaves."""
    runs.deliver(tally("a", started=START + 1), tally("b"))
    runs.tab.call(lambda page: page.hover(".lo-window b:text-is('b')"))
    runs.deliver(tally("a", started=START + 1, status="ok"), tally("c", started=START + 5))
    assert runs.names() == ["All runs", "a", "b", "c"]
    assert runs.cells("sign")[1] == "\u2713"
    runs.leave()
    assert runs.names() == ["All runs", "c", "b", "a"]


def test_heads_sort_both_ways_and_back(runs: Runs) -> None:
    """A column's head sorts by it, then the other way round, then as without it; ARIA says which."""
    runs.deliver(
        tally("a", name="Beta", events=5, started=START + 2),
        tally("b", name="alpha", events=7, started=START + 1),
        tally("c", name="gamma", events=1, started=START),
    )
    runs.sort("events")
    assert runs.names()[1:] == ["alpha", "Beta", "gamma"]
    runs.sort("events")
    assert runs.names()[1:] == ["gamma", "Beta", "alpha"]
    sorts = """[...document.querySelectorAll('.lo-run-head [aria-sort]')]
        .map((node) => [node.textContent, node.getAttribute('aria-sort')]).filter(([, sort]) => sort !== 'none')"""
    assert runs.tab.evaluate(sorts) == [["events", "ascending"]]
    runs.sort("events")
    assert runs.names()[1:] == ["Beta", "alpha", "gamma"]
    assert runs.tab.evaluate(sorts) == []
    runs.sort("run")
    assert runs.names()[1:] == ["alpha", "Beta", "gamma"]


def test_many_runs_are_virtual(runs: Runs) -> None:
    """Of 500 runs only the lines in sight are in the page, and the last one can be scrolled to."""
    runs.deliver(*[tally(f"run-{number}", started=START - number) for number in range(500)])
    count = "document.querySelectorAll('.lo-window .lo-run-line').length"
    assert runs.tab.evaluate(count) < 40
    runs.tab.evaluate("document.querySelector('.lo-run-list').scrollTop = 1e6")
    runs.draw()
    assert runs.names()[-1] == "run-499"
    rows = runs.tab.evaluate("document.querySelector('.lo-run-list').getAttribute('aria-rowcount')")
    assert rows == "502"


def test_narrow_view_has_one_line_instead(runs: Runs) -> None:
    """At 600 px there is one line that tells what is followed; it opens the list, and a click in that closes it."""
    runs.tab.call(lambda page: page.set_viewport_size({"width": 600, "height": 700}))
    runs.deliver(tally("a"), tally("b"))
    assert runs.names() == []
    strip = "document.querySelector('.lo-run-strip')"
    assert runs.tab.evaluate(f"{strip}.querySelector('b').textContent") == "All runs"
    runs.tab.click(".lo-run-strip")
    runs.draw()
    assert runs.tab.evaluate(f"{strip}.getAttribute('aria-expanded')") == "true"
    assert runs.names() == ["All runs", "a", "b"]
    runs.click("b")
    assert runs.names() == []
    assert runs.tab.evaluate(f"{strip}.querySelector('b').textContent") == "b"


def test_view_of_one_run_has_no_list(chromium_page: Tab) -> None:
    """A view of one run has no list of runs."""
    chromium_page.evaluate(
        """async () => {
            const { FakeWidget, drawn } = await import("/page.js");
            const widget = await FakeWidget.open({ run: "run-A" });
            await widget.show();
            await drawn();
        }"""
    )
    assert chromium_page.evaluate("document.querySelectorAll('.lo-runs').length") == 0


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_are_inert_text(runs: Runs, text: str) -> None:
    """A run's id or name makes no element, strikes nothing, stays in its line, and can be followed."""
    runs.deliver(tally(text), tally("b", name=text, started=START - 1))
    shown = " ".join(re.sub(UNSEEN, " ", text[:200]).split()) or None
    assert runs.names()[1:] == [shown or "run", shown or "b"]
    runs.tab.call(lambda page: page.locator(".lo-window .lo-run-line").nth(1).click())
    runs.draw()
    assert runs.selected() == [shown or "run"]
    assert runs.tab.evaluate("window.struck") is None
    over = runs.tab.evaluate(
        """() => {
            const list = document.querySelector(".lo-run-list");
            const heights = [...list.querySelectorAll(".lo-run-line")].map((line) => line.offsetHeight);
            return [list.scrollWidth - list.clientWidth, Math.max(...heights)];
        }"""
    )
    assert over == [0, 24]


def test_a_name_never_turns_what_stands_beside_it(runs: Runs) -> None:
    """What a name from right to left stands beside is where it is beside any name, in the words of a hover too."""
    places = """() => [...document.querySelectorAll(".lo-window .lo-run-line")].slice(1, 3)
        .map((line) => [...line.children].map((cell) => cell.getBoundingClientRect().left))"""
    runs.deliver(tally("\u202eevil"), tally("plain", started=START - 1))
    turned, straight = runs.tab.evaluate(places)
    assert turned == straight
    title = runs.tab.evaluate("() => document.querySelectorAll('.lo-window .lo-run-line')[1].title")
    assert title.startswith("\u2068evil\u2069 · running · started ")


def test_nothing_is_left_after_the_end(runs: Runs) -> None:
    """A view that is hidden and closed leaves no timer, frame or listener of the list of runs."""
    runs.deliver(tally("a"))
    runs.deliver(tally("a", events=99), ms=100)
    counts = runs.tab.evaluate(
        """async () => {
            widget.hide(0);
            widget.close();
            await drawn();
            return leftovers.count();
        }"""
    )
    assert counts == {"timers": 0, "frames": 0, "listeners": 0}
