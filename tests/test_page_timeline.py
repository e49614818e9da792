"""The timeline of a live view in real Chromium."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.page_kit import HOSTILE, LiveView, ended, row, started, tally

if TYPE_CHECKING:
    from tests.browser import Tab

AGENT = [
    started(1, "m1", family="model", name="mock-1", time_ms=0, iteration=1, event_type="agent.model.started"),
    ended(2, "m1", family="model", name="mock-1", time_ms=400, duration=400),
    row(3, time_ms=401, family="think", iteration=1),
    started(4, "t1", time_ms=410),
    started(5, "t2", time_ms=420),
    ended(6, "t2", time_ms=600, duration=180, status="error", error="TimeoutError: no answer"),
    ended(7, "t1", time_ms=900, duration=490),
    started(
        8, "m2", family="model", name="mock-1", time_ms=910, iteration=2, event_type="agent.model.started"
    ),
    ended(9, "m2", family="model", name="mock-1", time_ms=1000, duration=90),
    row(10, time_ms=1000, event_type="agent.terminate", family="end", status="ok"),
]


class TimelineView(LiveView):
    """A live view that shows its timeline."""

    def show(self) -> None:
        """Shows the widget in one more output, with the timeline open."""
        super().show()
        self.tab.click("[role=tab]:text-is('Timeline')")
        self.drawn()

    def bars(self) -> list[str]:
        """The bars in sight from the left: their look and text."""
        return self.tab.evaluate(
            """() => [...document.querySelectorAll(".lo-span")].filter((node) => !node.hidden)
                .map((node) => [node.getBoundingClientRect().left, `${node.dataset.look}: ${node.textContent}`])
                .sort((a, b) => a[0] - b[0]).map(([, text]) => text)"""
        )

    def box(self, selector: str) -> dict[str, float]:
        """Where the first visible element with that selector is."""
        return self.tab.evaluate(
            """(selector) => [...document.querySelectorAll(selector)].find((node) => !node.hidden)
                .getBoundingClientRect().toJSON()""",
            selector,
        )

    def labels(self) -> list[str]:
        """The labels of the lines, from the top."""
        return self.texts("lane")

    def zoom(self) -> str:
        """How many times the chart is zoomed in, or "fit"."""
        return self.text("corner").removesuffix("\u00d7")

    def at(self, share: float, line: int) -> tuple[float, float]:
        """The place on the page of a share of the plot's width, within a line."""
        box = self.box(".lo-plot")
        return box["left"] + share * box["width"], box["top"] + 22 * line + 11

    def mouse(self, action: str, *arguments: object) -> None:
        """Moves the mouse or turns its wheel, and lets the page draw."""
        self.tab.call(lambda page: getattr(page.mouse, action)(*arguments))
        self.drawn()

    def focus(self) -> None:
        """Puts the keyboard on the chart."""
        self.tab.evaluate("() => document.querySelector('.lo-waterfall').focus()")


@pytest.fixture
def timeline(chromium_page: Tab) -> TimelineView:
    """The timeline of one run that has ended."""
    timeline = TimelineView(chromium_page, run="run-A")
    timeline.show()
    timeline.deliver(AGENT, [tally("run-A", "ok", ended=1000, last=1000)], status="ended")
    return timeline


def test_draws_a_line_for_each_lane(timeline: TimelineView) -> None:
    """Iterations, marks, model calls and each tool have lines, parallel calls one of their own."""
    assert timeline.labels() == ["iterations", "events", "model", "search", ""]
    assert timeline.texts("band") == ["1", "2"]
    assert timeline.bars() == [
        "ok: \u2068mock-1\u2069  400 ms",
        "ok: \u2068search\u2069  490 ms",
        "error: ✕ 180 ms",
        "ok: 90 ms",
    ]
    label = timeline.tab.evaluate("() => document.querySelector('.lo-waterfall').ariaLabel")
    assert label == "Timeline: 4 spans in 3 lanes, 1 s"


def test_bars_lie_where_their_times_are(timeline: TimelineView) -> None:
    """A bar's left and right are its begin and end on the axis, to the pixel."""
    plot = timeline.box(".lo-plot")
    bar = timeline.box(".lo-span[data-look~=error]")
    scale = timeline.box(".lo-span")["width"] / 400
    assert bar["left"] == pytest.approx(plot["left"] + 1 + 420 * scale, abs=1.5)
    assert bar["width"] == pytest.approx(180 * scale, abs=1.5)


def test_without_an_event_it_says_so(chromium_page: Tab) -> None:
    """An empty timeline is no blank."""
    timeline = TimelineView(chromium_page, run="run-A")
    timeline.show()
    assert timeline.texts("empty") == ["Waiting for the first event …"]
    timeline.deliver([row(1)])
    assert timeline.texts("empty") == []


def test_a_running_span_grows_with_an_open_end(chromium_page: Tab) -> None:
    """A started span reaches to now, and its completion fills in the length."""
    timeline = TimelineView(chromium_page, run="run-A")
    timeline.show()
    timeline.deliver([started(1, time_ms=0)], [tally("run-A")])
    assert [bar.partition(":")[0] for bar in timeline.bars()] == ["running"]
    timeline.deliver([ended(2, time_ms=12.5)], [tally("run-A")])
    assert timeline.bars() == ["ok: \u2068search\u2069  12.5 ms"]


def test_a_span_without_an_end_says_so_after_its_run(chromium_page: Tab) -> None:
    """After the end of its run an open span is hatched up to there and reads "never completed"."""
    timeline = TimelineView(chromium_page, run="run-A")
    timeline.show()
    timeline.deliver([started(1, time_ms=0), row(2, time_ms=500)], [tally("run-A", "error", ended=500)])
    assert timeline.bars() == ["open: ○ \u2068search\u2069  never completed"]


def test_a_click_selects_and_opens_the_drawer(timeline: TimelineView) -> None:
    """A click on a bar outlines it and shows its payload; with shift it selects the range to it."""
    timeline.mouse("click", *timeline.at(0.2, 2))
    timeline.wait_told(selected=[1, 2])
    assert timeline.texts("payload") != []
    assert [bar for bar in timeline.bars() if "chosen" in bar] == ["ok chosen: \u2068mock-1\u2069  400 ms"]
    timeline.tab.call(lambda page: page.keyboard.down("Shift"))
    timeline.mouse("click", *timeline.at(0.5, 4))
    timeline.tab.call(lambda page: page.keyboard.up("Shift"))
    assert len([bar for bar in timeline.bars() if "chosen" in bar]) == 3


def test_the_pointer_shows_what_a_bar_is(timeline: TimelineView) -> None:
    """Over a bar stand its name, length, time and error; over nothing stands nothing."""
    timeline.mouse("move", *timeline.at(0.5, 4))
    lines = timeline.text("tip").split("\n")
    assert lines[:2] == ["search", "180 ms · ✕ error"]
    assert lines[2].startswith("at 420 ms · 1970-01-01 00:00:00.420")
    assert lines[3] == "TimeoutError: no answer"
    timeline.mouse("move", *timeline.at(0.9, 4))
    assert timeline.texts("tip") == []


@pytest.mark.parametrize("how", ["keys", "buttons", "wheel", "drag"])
def test_zooms_in_and_out(timeline: TimelineView, how: str) -> None:
    """Keys, buttons, ctrl and wheel, and a drag over the axis show less of the time, and each way back all."""
    x, y = timeline.at(0.5, 2)
    if how == "keys":
        timeline.focus()
        timeline.press("+", "+")
        assert timeline.zoom() == "2.3"
        timeline.press("-", "-")
    elif how == "buttons":
        timeline.tab.click(".lo-zoom >> nth=1")
        timeline.drawn()
        assert timeline.zoom() == "1.5"
        timeline.tab.click(".lo-zoom >> nth=2")
        timeline.drawn()
    elif how == "wheel":
        timeline.mouse("move", x, y)
        timeline.tab.call(lambda page: page.keyboard.down("Control"))
        timeline.mouse("wheel", 0, -300)
        assert timeline.zoom() == "1.9"
        timeline.mouse("wheel", 0, 900)
        timeline.tab.call(lambda page: page.keyboard.up("Control"))
    else:
        axis = timeline.box(".lo-axis")
        timeline.mouse("move", x, axis["top"] + 8)
        timeline.mouse("down")
        timeline.mouse("move", x + 90, axis["top"] + 8)
        assert timeline.box(".lo-shade")["width"] == pytest.approx(90, abs=1)
        timeline.mouse("up")
        width = timeline.box(".lo-plot")["width"] - 1
        assert timeline.zoom() == f"{width / 90:.2g}"
        timeline.mouse("dblclick", x, axis["top"] + 8)
    assert timeline.zoom() == "fit"


def test_ctrl_and_wheel_keep_the_time_under_the_pointer(timeline: TimelineView) -> None:
    """What lies under the pointer stays there while zooming."""
    bar = timeline.box(".lo-span[data-look~=error]")
    timeline.mouse("move", bar["left"], bar["top"] + 4)
    timeline.tab.call(lambda page: page.keyboard.down("Control"))
    timeline.mouse("wheel", 0, -400)
    timeline.tab.call(lambda page: page.keyboard.up("Control"))
    assert timeline.box(".lo-span[data-look~=error]")["left"] == pytest.approx(bar["left"], abs=1.5)


def test_pans_by_wheel_and_keys(timeline: TimelineView) -> None:
    """Zoomed in, shift and wheel, a sideways wheel and ctrl and arrows move along the time."""
    timeline.focus()
    timeline.press("+", "+", "+")
    timeline.mouse("move", *timeline.at(0.5, 2))
    lefts = [timeline.box(".lo-span[data-look~=error]")["left"]]

    def moved() -> bool:
        lefts.append(timeline.box(".lo-span[data-look~=error]")["left"])
        return lefts[-1] < lefts[-2] - 3

    timeline.mouse("wheel", 40, 0)
    assert moved()
    timeline.tab.call(lambda page: page.keyboard.down("Shift"))
    timeline.mouse("wheel", 0, 40)
    timeline.tab.call(lambda page: page.keyboard.up("Shift"))
    assert moved()
    timeline.press("Control+ArrowRight")
    assert moved()


def test_arrows_go_from_span_to_span(timeline: TimelineView) -> None:
    """Left and right follow the order of the spans, up and down the lanes, and Enter opens the drawer."""
    timeline.focus()
    seen = []
    for key in ["ArrowRight", "ArrowRight", "ArrowRight", "ArrowLeft", "ArrowDown", "End", "Home"]:
        timeline.press(key)
        seen.append(
            timeline.tab.evaluate("() => document.querySelector('.lo-said').textContent").partition(",")[0]
        )
    assert seen == ["mock-1", "search", "search", "search", "search", "mock-1", "mock-1"]
    timeline.press("Enter")
    timeline.wait_told(selected=[1, 2])
    assert timeline.texts("payload") != []


def seek(timeline: TimelineView, notch: int) -> None:
    """Moves the scrubber, and lets the page draw."""
    timeline.tab.evaluate(
        """(notch) => {
            const range = document.querySelector(".lo-range");
            range.value = notch;
            range.dispatchEvent(new Event("input", { bubbles: true }));
        }""",
        notch,
    )
    timeline.drawn()


def test_the_scrubber_shows_how_it_was(timeline: TimelineView) -> None:
    """What lies after the cursor is hidden, and spans across it run; Escape leads back to now."""
    seek(timeline, 500)
    assert timeline.text("clock") == "500 ms of 1 s"
    assert timeline.bars() == [
        "ok: \u2068mock-1\u2069  400 ms",
        "running: 90 ms",
        "running: 80 ms",
    ]
    assert timeline.texts("band") == ["1"]
    timeline.focus()
    timeline.press("Escape")
    assert len(timeline.bars()) == 4
    seek(timeline, 100)
    timeline.tab.click(".lo-back")
    timeline.drawn()
    assert len(timeline.bars()) == 4


def test_play_runs_to_the_end(timeline: TimelineView) -> None:
    """Space plays from the start to the end, where it shows now again, and tells Python nothing."""
    timeline.tab.evaluate(
        """() => {
            document.querySelector('.lo-speed').value = '16';
            const play = document.querySelector('.lo-play'), said = [];
            new MutationObserver(() => said.push(play.ariaLabel.split(" ")[0])).observe(play, { attributes: true });
            window.said = said;
        }"""
    )
    timeline.focus()
    timeline.press(" ")
    timeline.tab.wait("() => said.at(-1) === 'Replay'")
    assert timeline.tab.evaluate("() => [...new Set(said)]") == ["Pause", "Replay"]
    timeline.drawn()
    assert len(timeline.bars()) == 4
    assert timeline.text("clock") == "1 s of 1 s"
    said = "() => widget.model.sent.filter((one) => one.paused || one.filter || one.selected?.length > 0)"
    assert timeline.tab.evaluate(said) == []


def test_play_stops_at_a_second_press(timeline: TimelineView) -> None:
    """Space again holds the cursor where it is."""
    timeline.tab.evaluate("() => { document.querySelector('.lo-speed').value = '1' }")
    timeline.focus()
    timeline.press(" ", " ")
    held = timeline.text("clock")
    timeline.drawn()
    assert timeline.text("clock") == held
    assert timeline.texts("back") == ["now"]


def test_with_reduced_motion_play_steps(timeline: TimelineView) -> None:
    """Who wants no motion sees the events one after the other, each at its own time."""
    timeline.tab.call(lambda page: page.emulate_media(reduced_motion="reduce"))
    timeline.focus()
    timeline.press(" ")
    assert timeline.text("clock") == "400 ms of 1 s"


def test_a_pause_freezes_the_timeline(chromium_page: Tab) -> None:
    """While the view is paused, what comes is not drawn and running bars do not grow."""
    timeline = TimelineView(chromium_page, run="run-A")
    timeline.show()
    timeline.deliver([started(1, time_ms=0), row(2, time_ms=50)], [tally("run-A")])
    chromium_page.click(".lo-pause")
    timeline.drawn()
    before = timeline.bars()
    timeline.deliver([ended(3, time_ms=60), started(4, "b", time_ms=70)], [tally("run-A")])
    assert timeline.bars() == before
    chromium_page.click(".lo-pause")
    timeline.drawn()
    assert len(timeline.bars()) == 2


def test_many_runs_are_a_line_each_until_opened(chromium_page: Tab) -> None:
    """From seven runs on each is one line with its total; a click on its name opens its lanes."""
    timeline = TimelineView(chromium_page)
    timeline.show()
    rows: list[Any] = []
    for index in range(8):
        run = f"run-{index}"
        rows += [
            started(len(rows) + 1, "a", run_id=run, time_ms=index),
            ended(len(rows) + 2, "a", run_id=run, time_ms=index + 3),
        ]
    timeline.deliver(rows, [tally(f"run-{index}", "ok", name=f"case {index}") for index in range(8)])
    assert timeline.labels() == [f"▸ ✓ case {index}" for index in range(8)]
    assert timeline.bars() == ["ok out: 3 ms"] * 8
    box = timeline.box(".lo-lane")
    timeline.mouse("click", box["left"] + 20, box["top"] + 8)
    assert timeline.labels()[:3] == ["▾ ✓ case 0", "search", "▸ ✓ case 1"]


def test_a_filter_is_a_filter_of_the_timeline(timeline: TimelineView) -> None:
    """Only items that pass the filter have bars."""
    timeline.filter("status:error")
    assert timeline.bars() == ["error: ✕ \u2068search\u2069  180 ms"]


def test_never_more_than_1500_bars(chromium_page: Tab) -> None:
    """However many spans there are, the document holds about 1,500 bars."""
    timeline = TimelineView(chromium_page)
    timeline.show()
    chromium_page.evaluate(
        "async () => { widget.deliver(agentRows(1, 60_000)); await drawn(); await drawn(); }"
    )
    assert 100 < len(timeline.bars()) <= 1600
    assert any("crowd" in bar for bar in timeline.bars())


@pytest.mark.parametrize("text", [*HOSTILE, "x" * 1_000_000, "\u200b\u200d\u2060", "\u202e\u2067\u2069abc"])
def test_hostile_names_are_inert(chromium_page: Tab, text: str) -> None:
    """Whatever a tool, an agent or a run is called, it is text, and every line stays in its place."""
    timeline = TimelineView(chromium_page)
    timeline.show()
    fields = {"name": text[:200], "agent": text[:200], "run_id": text}
    error = {"error": text[:500], "status": "error", "preview": text}
    timeline.deliver([started(1, time_ms=0, **fields), ended(2, time_ms=50, **fields, **error)])
    timeline.deliver([started(3, "b", time_ms=60), row(4, time_ms=100, preview=text)])
    timeline.mouse("move", *timeline.at(0.2, 2))
    assert chromium_page.evaluate("() => window.struck") is None
    assert chromium_page.evaluate("() => document.querySelectorAll('img, a').length") == 0
    width = chromium_page.evaluate("() => document.documentElement.scrollWidth - innerWidth")
    assert width <= 0
    heights = chromium_page.evaluate(
        """() => [...document.querySelectorAll(".lo-lane, .lo-span")]
            .filter((node) => !node.hidden).map((node) => node.getBoundingClientRect().height)"""
    )
    assert set(heights) == {22, 16}


def test_nothing_is_left_behind(timeline: TimelineView) -> None:
    """After the view is gone no timer, frame or listener of a zoomed, playing timeline runs on."""
    timeline.focus()
    timeline.press("+", " ")
    timeline.mouse("move", *timeline.at(0.2, 2))
    timeline.tab.evaluate("() => widget.close()")
    assert timeline.tab.evaluate("() => leftovers.count()") == {"timers": 0, "frames": 0, "listeners": 0}
