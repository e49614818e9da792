"""The page of the bus monitor in real Chromium, with a stand-in for anywidget."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.browser import Tab

FACTS = {
    "active_runs": 2,
    "history_runs": 50,
    "max_runs": 200,
    "history_per_run": 500,
    "published": 1_000,
    "dropped": 0,
    "late": 0,
    "refused": 0,
    "evicted": 0,
    "trimmed": 0,
    "emit_failures": 0,
    "readers": 1,
    "resets": 0,
}
HOSTILE = [
    "<script>window.struck = 1</script>",
    "<img src=x onerror='window.struck = 1'>",
    "\u202egnp.exe\u202c",
    "\u200b",
    "one\ntwo",
    "x" * 1_000_000,
]
UNSEEN = "[\u200b\u202e\u202c\\n]"
UNREADABLE: list[dict[str, Any]] = [
    {"kind": "other"},
    {"samples": None},
    {"readers": "none"},
    {"facts": None},
    {"facts": {**FACTS, "dropped": -1}},
    {"facts": {**FACTS, "max_runs": "200"}},
    {"samples": [[1, 2, 3]]},
    {"samples": [["1", 2, 3, 4]]},
    {"samples": [[1, 2, 3, -4]]},
    {"readers": [[1, "label", None, 0, 0, 0, 0, 0, 0, 0]]},
    {"readers": [[1, 2, None, 0, 4, 0, 0, 0, 0, 0]]},
    {"readers": [[1, "label", 3, 0, 4, 0, 0, 0, 0, 0]]},
]
FRESH = "document.querySelector('.lo-status').dataset.state === 'live'"


def reader(number: int, **changes: Any) -> list[Any]:
    """A reader as Python tells of it."""
    fields = {
        "id": number,
        "label": f"reader {number}",
        "run": None,
        "backlog": 0,
        "capacity": 100,
        "overflow": 0,
        "peak": 0,
        "offered": 10,
        "delivered": 10,
        "dropped": 0,
    }
    return list((fields | changes).values())


class Monitor:
    """One monitor on the page, in the words of the tests."""

    def __init__(self, tab: Tab) -> None:
        self.tab = tab
        tab.evaluate(
            """async () => {
                Object.assign(window, await import("/page.js"));
                window.widget = await FakeWidget.open({ view: "monitor", twin: "twin-1" });
                await widget.show();
                await drawn();
            }"""
        )

    def deliver(self, *samples: tuple[float, int, int, int], **changes: Any) -> None:
        """Deliver what Python says, and let the page draw."""
        content = {"kind": "stats", "samples": samples, "readers": [reader(1)], "facts": FACTS, **changes}
        self.tab.evaluate(
            "async (content) => { widget.model.trigger('msg:custom', content, []); await drawn() }", content
        )

    def texts(self, selector: str) -> list[str]:
        """The texts of the visible elements of that selector."""
        return self.tab.evaluate(
            """(selector) => [...document.querySelectorAll(selector)]
                .filter((node) => node.checkVisibility()).map((node) => node.textContent)""",
            selector,
        )

    def figures(self) -> dict[str, str]:
        """The figures under the chart by name."""
        return dict(
            self.tab.evaluate(
                """() => [...document.querySelectorAll(".lo-figure")]
                    .map((node) => [node.childNodes[1].textContent, node.firstChild.textContent])"""
            )
        )

    def shapes(self, name: str) -> list[dict[str, float]]:
        """The boxes of a path of the chart, in its own units: 600 wide, 64 high."""
        return self.tab.evaluate(
            """(name) => {
                const path = document.querySelector(`.lo-chart .lo-${name}`).getAttribute("d");
                return path.split("Z").filter(Boolean).map((box) => {
                    const [left, bottom, up, right] = box.match(/-?[0-9.]+/g).map(Number);
                    return { left: Math.round(left), right: Math.round(right), height: Math.round(-up) };
                });
            }""",
            name,
        )

    def readers(self) -> list[int]:
        """The readers in sight, from the top."""
        return self.tab.evaluate(
            """() => [...document.querySelectorAll(".lo-reader")]
                .filter((node) => node.checkVisibility()).map((node) => Number(node.dataset.reader))"""
        )


@pytest.fixture
def monitor(chromium_page: Tab) -> Monitor:
    """A monitor that has heard nothing."""
    return Monitor(chromium_page)


# The line


def test_says_hello_and_acknowledges_once_a_second(monitor: Monitor) -> None:
    """A monitor says hello when it is shown, waits, and acknowledges what comes, at most once a second."""
    assert monitor.texts(".lo-status") == ["waiting"]
    for at in range(5):
        monitor.deliver((at * 250, at, 0, 0))
    assert monitor.texts(".lo-status") == ["live"]
    sent = monitor.tab.evaluate("widget.model.sent")
    assert sent == [{"kind": "hello", "last_seq": 0}, {"kind": "ack", "last_seq": 0}]
    monitor.tab.wait("widget.model.sent.length === 3")


@pytest.mark.parametrize("width", [240, 300, 600])
def test_monitor_fits_a_narrow_box(monitor: Monitor, width: int) -> None:
    """At any width the chart, its axis, the figures and the list of readers are inside of the monitor."""
    lost = dict.fromkeys(("dropped", "trimmed", "published"), 123_456_789)
    monitor.deliver((0, 0, 0, 0), (1_000, 123_456, 99, 9_999), facts=FACTS | lost)
    outside = """(width) => {
        const view = document.querySelector(".locus-live");
        view.style.width = `${width}px`;
        const right = view.getBoundingClientRect().right;
        return [...document.querySelectorAll(".lo-bar, .lo-chart *, .lo-figures *, .lo-readers *")]
            .filter((node) => node.checkVisibility() && node.getBoundingClientRect().right > right)
            .map((node) => node.outerHTML.slice(0, 60));
    }"""
    assert monitor.tab.evaluate(outside, width) == []


def test_second_view_shows_what_was_heard(monitor: Monitor) -> None:
    """Another output of the same monitor shows the minute at once, while the kernel is silent."""
    monitor.deliver((0, 0, 0, 0), (1000, 500, 0, 0))
    monitor.tab.evaluate("async () => { await widget.show(); await drawn() }")
    assert monitor.texts(".lo-chart b") == ["500", "500"]


@pytest.mark.parametrize("changes", UNREADABLE)
def test_unreadable_messages_are_counted(monitor: Monitor, changes: dict[str, Any]) -> None:
    """What is no message of a monitor changes nothing that was there and is said; bad parts alone are left out."""
    monitor.deliver((0, 0, 0, 0), (1000, 500, 0, 0))
    monitor.deliver(**changes)
    assert monitor.texts(".lo-note") == ["1 unreadable message ignored"]
    assert monitor.texts(".lo-chart b") == ["500"]


@pytest.mark.parametrize("content", ["null", "'stats'", "[]", "undefined"])
def test_message_that_is_nothing_is_counted(monitor: Monitor, content: str) -> None:
    """Not even a message without any content breaks the monitor."""
    monitor.tab.evaluate(f"async () => {{ widget.model.trigger('msg:custom', {content}); await drawn() }}")
    assert monitor.texts(".lo-note") == ["1 unreadable message ignored"]


def test_dead_kernel_is_said(monitor: Monitor) -> None:
    """When the line is closed the figures stay, and the monitor says why no more come."""
    monitor.tab.evaluate("widget.model.dead = true")
    monitor.deliver((0, 0, 0, 0), (1000, 500, 0, 0))
    assert monitor.texts(".lo-note") == ["the kernel cannot be reached"]
    assert monitor.texts(".lo-chart b") == ["500"]


def test_twin_is_hidden_while_the_monitor_lives(monitor: Monitor) -> None:
    """The static picture is hidden as soon as the monitor has heard of the bus, and comes back after it."""
    monitor.tab.evaluate("document.body.insertAdjacentHTML('beforeend', '<p class=twin-1>picture</p>')")
    assert monitor.texts(".twin-1") == ["picture"]
    monitor.deliver((0, 0, 0, 0))
    assert monitor.texts(".twin-1") == []
    monitor.tab.evaluate("widget.hide(0)")
    assert monitor.texts(".twin-1") == ["picture"]


# Time


def test_rate_is_a_difference_by_the_time_it_took(monitor: Monitor) -> None:
    """Each stretch is as wide as it lasted and as high as its rate: a late sample is a wide step, and marked."""
    monitor.deliver((0, 0, 0, 0), (1_000, 100, 0, 0), (11_000, 1_100, 0, 0), (12_000, 1_150, 0, 0))
    assert monitor.shapes("dense") == [
        {"left": 480, "right": 490, "height": 64},
        {"left": 590, "right": 600, "height": 32},
    ]
    assert monitor.shapes("sparse") == [{"left": 490, "right": 590, "height": 64}]
    assert monitor.texts(".lo-chart b") == ["50"]
    assert monitor.texts(".lo-rates") == ["mean 95.8 · peak 100"]


def test_bus_that_began_anew_makes_no_negative_rate(monitor: Monitor) -> None:
    """Where totals went down there is a gap in the chart, and it is said that the bus was reset."""
    facts = {**FACTS, "resets": 1}
    monitor.deliver((0, 900, 0, 0), (1_000, 1_000, 0, 0), (2_000, 10, 0, 0), (3_000, 20, 0, 0), facts=facts)
    assert [shape["left"] for shape in monitor.shapes("dense")] == [570, 590]
    assert monitor.texts(".lo-rates") == ["mean 55 · peak 100"]
    assert monitor.texts(".lo-note") == ["the bus was reset: counts are of the new one"]


def test_samples_of_the_same_time_and_older_ones_are_left_out(monitor: Monitor) -> None:
    """What is told twice, as after another page's hello, counts once."""
    monitor.deliver((0, 0, 0, 0), (1_000, 100, 0, 0))
    monitor.deliver((0, 0, 0, 0), (1_000, 100, 0, 0), (2_000, 200, 0, 0))
    assert len(monitor.shapes("dense")) == 2


def test_only_the_last_minute_is_drawn(monitor: Monitor) -> None:
    """Older stretches leave the chart, and the peak is that of what is drawn."""
    monitor.deliver((0, 0, 0, 0), (1_000, 10_000, 0, 0), (2_000, 10_010, 0, 0), (61_500, 10_070, 0, 0))
    assert [shape["left"] for shape in monitor.shapes("dense")] == [0]
    assert monitor.texts(".lo-rates") == ["mean 1.16 · peak 10"]


def test_silence_is_said_and_time_goes_on(monitor: Monitor) -> None:
    """Without messages the badge says since when, and the chart moves on: what is old does not stand at "now"."""
    monitor.deliver((0, 0, 0, 0), (1_000, 100, 0, 0))
    assert monitor.shapes("dense")[0]["right"] == 600
    monitor.tab.wait(f"!({FRESH})")
    assert monitor.texts(".lo-status") == ["no news for 2 s"]
    assert monitor.shapes("dense")[0]["right"] <= 580
    monitor.deliver((1_250, 110, 0, 0))
    assert monitor.texts(".lo-status") == ["live"]
    assert monitor.shapes("dense")[-1]["right"] == 600


def test_drops_are_marked_when_they_happened(monitor: Monitor) -> None:
    """A stretch in which events were dropped has a mark over it, and their number is said."""
    monitor.deliver((0, 0, 0, 0), (1_000, 10, 0, 0), (2_000, 20, 7, 0), (3_000, 30, 7, 0))
    assert monitor.shapes("lost") == [{"left": 580, "right": 590, "height": 4}]
    assert monitor.texts(".lo-loss") == ["▀ 7 dropped"]


# Figures


def test_figures_are_those_of_the_bus(monitor: Monitor) -> None:
    """Every count stands under its name, losses in another colour once there are any."""
    facts = {**FACTS, "dropped": 12, "trimmed": 34_567, "late": 5}
    monitor.deliver((0, 1_000, 12, 44), facts=facts)
    assert monitor.figures() == {
        "runs kept": "50 / 200",
        "published": "1,000",
        "backlog": "44",
        "trimmed": "34,567",
        "evicted": "0",
        "dropped": "12",
        "late": "5",
        "refused": "0",
        "failed emits": "0",
    }
    assert monitor.texts(".lo-figure.lo-loss b") == ["12", "5"]
    assert monitor.tab.evaluate("document.querySelector('.lo-figure i').style.width") == "25%"


# Readers


def test_readers_stand_worst_first(monitor: Monitor) -> None:
    """Who dropped most comes first, then whose queue is fullest; each says its queue in words too."""
    readers = [
        reader(1, backlog=10),
        reader(2, backlog=90, peak=95),
        reader(3, dropped=5),
        reader(4, run="run-A", backlog=250, overflow=150, peak=300, dropped=60),
    ]
    monitor.deliver((0, 0, 0, 0), readers=readers, facts={**FACTS, "readers": 4})
    assert monitor.readers() == [4, 3, 2, 1]
    assert monitor.texts(".lo-reader-dropped") == ["60 dropped", "5 dropped", "\u2013", "\u2013"]
    assert monitor.texts(".lo-reader-backlog") == ["250 / 100", "0 / 100", "90 / 100", "10 / 100"]
    assert monitor.texts(".lo-reader .lo-named > :last-child") == ["run-A", *["all runs"] * 3]
    said = monitor.tab.evaluate(
        """() => [...document.querySelectorAll(".lo-reader .lo-meter")].map((meter) =>
            [meter.getAttribute("aria-label"), ...[...meter.children].map(({ style }) => style.width || style.left)])"""
    )
    words = "250 unread of 100, 150 of them wait for room; at most 300 so far"
    assert said[0] == [words, "100%", "100%", "100%"]
    assert said[2] == ["90 unread of 100; at most 95 so far", "90%", "0%", "95%"]


def test_few_readers_are_shown_and_all_at_a_click(monitor: Monitor) -> None:
    """Eight readers are shown, the others counted; a click shows all that Python tells of, another one hides them."""
    readers = [reader(number, backlog=100 - number) for number in range(1, 31)]
    monitor.deliver((0, 0, 0, 0), readers=readers, facts={**FACTS, "readers": 130})
    assert monitor.readers() == list(range(1, 9))
    assert monitor.texts(".lo-more") == ["and 122 more"]
    monitor.tab.click(".lo-more")
    assert monitor.readers() == list(range(1, 31))
    assert monitor.texts(".lo-more") == ["show fewer · 100 more are not listed"]
    monitor.tab.click(".lo-more")
    assert len(monitor.readers()) == 8


def test_readers_stay_in_place_under_the_pointer(monitor: Monitor) -> None:
    """While the pointer is over the readers they keep their order; when it has gone they are sorted again."""
    monitor.deliver((0, 0, 0, 0), readers=[reader(1), reader(2, backlog=9)])
    assert monitor.readers() == [2, 1]
    monitor.tab.call(lambda page: page.hover("[data-reader='1']"))
    monitor.deliver(
        (250, 0, 0, 0), readers=[reader(1, backlog=50), reader(2, backlog=9), reader(3, backlog=99)]
    )
    assert monitor.readers() == [2, 1, 3]
    monitor.tab.call(lambda page: page.mouse.move(1, 1))
    monitor.deliver(
        (500, 0, 0, 0), readers=[reader(1, backlog=50), reader(2, backlog=9), reader(3, backlog=99)]
    )
    assert monitor.readers() == [3, 1, 2]


def test_bus_without_readers_says_so(monitor: Monitor) -> None:
    """Without any reader there is a word instead of an empty list."""
    monitor.deliver((0, 0, 0, 0), readers=[], facts={**FACTS, "readers": 0})
    assert monitor.readers() == []
    assert monitor.texts(".lo-reader-head span")[0] == "Nobody reads this bus."


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_labels_are_inert_text(monitor: Monitor, text: str) -> None:
    """A label or a run id makes no element, strikes nothing, and stays in its line and column."""
    monitor.deliver((0, 0, 0, 0), readers=[reader(1, label=text, run=text), reader(2)])
    shown = " ".join(re.sub(UNSEEN, " ", text[:200]).split())
    assert monitor.texts(".lo-reader-label") == [shown or "(no label)", "reader 2"]
    assert monitor.texts(".lo-reader-run") == [shown or "(no name)", "all runs"]
    titles = monitor.tab.evaluate(
        "() => [...document.querySelectorAll('.lo-reader')].map((one) => one.title)"
    )
    assert titles[0].startswith(f"\u2068{shown or '(no label)'}\u2069 · 0 unread")
    assert monitor.tab.evaluate("window.struck") is None
    box = monitor.tab.evaluate(
        """() => {
            const [first, second] = [...document.querySelectorAll(".lo-reader")]
                .map((node) => [node.getBoundingClientRect().height, node.children[2].getBoundingClientRect().right]);
            const root = document.querySelector(".locus-live");
            return { first, second, over: root.scrollWidth - root.clientWidth };
        }"""
    )
    assert box["first"] == box["second"]
    assert box["over"] <= 0


# The end


def test_nothing_is_left_after_the_end(monitor: Monitor) -> None:
    """A monitor that is hidden and closed leaves no timer, frame, listener or element."""
    monitor.deliver((0, 0, 0, 0), (1_000, 100, 0, 0))
    left = monitor.tab.evaluate(
        """async () => {
            widget.hide(0);
            widget.close();
            await drawn();
            const { leftovers } = await import("/page.js");
            const handlers = widget.model.handlers.length;
            return [leftovers.count(), leftovers.started, handlers, document.querySelectorAll(".locus-live").length];
        }"""
    )
    counts, started, handlers, roots = left
    assert counts == {"timers": 0, "frames": 0, "listeners": 0}
    assert started > 0
    assert (handlers, roots) == (0, 0)


def test_forgotten_monitor_has_no_timer(monitor: Monitor) -> None:
    """A minute after the last message nothing moves any more: there is no timer, and the badge says so."""
    monitor.deliver((0, 0, 0, 0), (1_000, 100, 0, 0))
    monitor.tab.evaluate(
        """async () => {
            const now = performance.now.bind(performance);
            performance.now = () => now() + 61_000;
            widget.model.trigger("change:twin");
            await drawn();
        }"""
    )
    assert monitor.texts(".lo-status") == ["no news for more than 1 m 00 s"]
    assert monitor.shapes("dense") == []
    assert monitor.tab.evaluate("async () => (await import('/page.js')).leftovers.count().timers") == 0


def test_rates_are_rounded_up_to_a_readable_scale(chromium_page: Tab) -> None:
    """The scale of the chart is the next of 1, 2, 5, 10, 20 and so on."""
    rounded = chromium_page.evaluate(
        """async () => {
            const { roundUp } = await import("/page/rates.js");
            return [0, 0.3, 1, 1.5, 2, 3, 9, 10, 11, 7182, NaN].map(roundUp);
        }"""
    )
    assert rounded == [1, 1, 1, 2, 2, 5, 10, 10, 20, 10_000, 1]
