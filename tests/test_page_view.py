"""A live view in real Chromium: header, filter, drawer, keys, and what it leaves behind."""

from __future__ import annotations

import asyncio
import re
from importlib.resources import files
from typing import TYPE_CHECKING

import pytest

from tests.page_kit import HOSTILE, LiveView, row

if TYPE_CHECKING:
    from tests.browser import Tab

PURE = "const format = await import('/page/format.js');"


@pytest.fixture
def table(chromium_page: Tab) -> LiveView:
    """A view of all runs, shown once."""
    table = LiveView(chromium_page)
    table.show()
    return table


def test_sources_never_write_markup() -> None:
    """The ESM has no way to turn text into markup or code."""
    source = files("locus_nb").joinpath("static/live.js").read_text(encoding="utf-8")
    sinks = (
        r"innerHTML|outerHTML|insertAdjacentHTML|setHTML|srcdoc|createContextualFragment"
        r"|document\.write|DOMParser|\beval\b|new Function"
    )
    assert re.findall(sinks, source) == []
    assert re.findall(r"^\s*import\s", source, flags=re.MULTILINE) == []


def test_main_thread_stays_free_for_asyncio(chromium_page: Tab) -> None:
    """A test that drives the page may still call asyncio.run."""
    assert chromium_page.evaluate("() => 1 + 1") == 2
    assert asyncio.run(asyncio.sleep(0, "ran")) == "ran"


def test_hostile_text_stays_text(chromium_page: Tab) -> None:
    """Whatever an event holds is shown letter by letter; it makes no element and runs no script."""
    elements: list[int] = []
    for texts in ([f"harmless {at}" for at in range(len(HOSTILE))], HOSTILE):
        table = LiveView(chromium_page)
        table.show()
        table.deliver(
            [
                row(at, event_type=text, run_id=text, preview=text, detail=text)
                for at, text in enumerate(texts, 1)
            ]
        )
        assert table.texts("type")[1:] == texts
        assert table.texts("run")[1:] == texts
        assert table.texts("preview")[1:] == texts
        for at, text in enumerate(texts, 1):
            chromium_page.click(f".locus-live-row:nth-child({at})")
            table.drawn()
            assert table.text("payload") == text
        elements.append(chromium_page.evaluate("() => document.querySelectorAll('.locus-live *').length"))
        chromium_page.evaluate("() => widget.hide(0)")
    assert elements[0] == elements[1]
    assert chromium_page.evaluate("() => window.struck") is None


def test_hostile_traits_stay_text(chromium_page: Tab) -> None:
    """A run id or twin class with markup or CSS in it changes nothing on the page."""
    table = LiveView(
        chromium_page, run="<img src=x onerror='window.struck = 1'>", twin="x, body { display: none } .y"
    )
    table.show()
    table.points(1, 2)
    assert table.text("title").startswith("<img")
    assert table.tab.evaluate("() => [document.images.length, getComputedStyle(document.body).display]") == [
        0,
        "block",
    ]


def test_one_click_opens_the_details(table: LiveView) -> None:
    """A click shows the payload as text, the button and Escape close it."""
    table.deliver([row(1), row(2, detail='{\n  "answer": 42\n}')])
    table.tab.click(".locus-live-row:nth-child(2)")
    table.drawn()
    assert table.text("payload") == '{\n  "answer": 42\n}'
    assert table.selected() == [2]
    table.press("Escape")
    assert table.texts("details") == []
    table.tab.click(".locus-live-row:nth-child(1)")
    table.drawn()
    assert table.text("payload") == "{}"
    table.tab.click(".locus-live-close")
    table.drawn()
    assert table.texts("details") == []


def test_handled_keys_stay_in_the_table(table: LiveView) -> None:
    """The notebook's shortcuts do not see the keys that the table uses, and see the others."""
    table.tab.evaluate(
        "() => { window.keys = []; document.addEventListener('keydown', (event) => keys.push(event.key)) }"
    )
    table.points(1, 5)
    table.tab.click(".locus-live-row:nth-child(1)")
    table.drawn()
    table.press("ArrowDown", "Enter", "Escape", "Control+Enter", "s")
    assert table.tab.evaluate("() => keys") == ["Control", "Enter", "s"]


def test_details_survive_their_row(table: LiveView) -> None:
    """The details stay open and as they are while rows pour in."""
    table.deliver([row(1, detail="first")])
    table.tab.click(".locus-live-row:nth-child(1)")
    table.drawn()
    table.points(2, 1_000)
    assert table.text("payload") == "first"


def test_twin_is_hidden_only_while_rows_are_shown(chromium_page: Tab) -> None:
    """The static twin and its output row are hidden from the first rows message until the last view goes."""
    chromium_page.evaluate(
        """() => {
            for (const className of ["jp-OutputArea-child", "other"]) {
                const output = Object.assign(document.createElement("div"), { className });
                const twin = Object.assign(document.createElement("div"), { className: "twin-1" });
                twin.append("static");
                output.append(twin);
                document.body.append(output);
            }
        }"""
    )
    table = LiveView(chromium_page, twin="twin-1")
    visible = """() => [".jp-OutputArea-child:not(.output)", ".other > .twin-1"].map((selector) =>
        document.querySelector(selector).checkVisibility())"""
    table.show()
    assert chromium_page.evaluate(visible) == [True, True]
    table.deliver([])
    assert chromium_page.evaluate(visible) == [False, False]
    table.show()
    chromium_page.evaluate("() => widget.hide(0)")
    assert chromium_page.evaluate(visible) == [False, False]
    chromium_page.evaluate("() => widget.hide(1)")
    assert chromium_page.evaluate(visible) == [True, True]


def test_two_views_show_the_same_rows(table: LiveView) -> None:
    """A second view has all rows at once, and keeps its own filter and selection."""
    table.points(1, 8)
    table.show()
    assert table.texts("preview")[1:9] == table.texts("preview")[10:]
    table.tab.call(lambda page: page.locator(".locus-live-filter").nth(1).fill("think"))
    table.points(9, 1)
    assert table.texts("count") == ["9 events", "2 of 9 rows"]
    table.tab.evaluate("() => widget.hide(0)")
    table.points(10, 3)
    assert table.texts("count") == ["2 of 12 rows"]


def test_render_in_the_same_element_replaces_the_view(table: LiveView) -> None:
    """Rendered again in its element, the table is there once and has its rows."""
    table.points(1, 4)
    table.tab.evaluate(
        "async () => { widget.hide(0); await widget.render(widget.views[0].el); await drawn() }"
    )
    assert len(table.texts("grid")) == 1
    assert table.seqs() == [1, 2, 3, 4]


def test_nothing_is_left_behind(table: LiveView) -> None:
    """An aborted view leaves no element, listener or frame; an aborted widget no timer or handler either."""
    table.points(1, 50)
    table.deliver([row(99)], prev=98)
    table.tab.click(".locus-live-row:nth-child(3)")
    table.drawn()
    table.tab.evaluate("() => { widget.deliver(pointRows(100, 5)); widget.hide(0) }")
    left = """() => [
        document.querySelectorAll(".output *").length, leftovers.count(), widget.model.handlers.length
    ]"""
    elements, counts, handlers = table.tab.evaluate(left)
    assert (elements, counts["listeners"], counts["frames"], handlers) == (1, 0, 0, 1)
    table.tab.evaluate("() => widget.close()")
    assert table.tab.evaluate(left) == [1, {"timers": 0, "frames": 0, "listeners": 0}, 0]


def test_cleanup_works_without_a_signal(chromium_page: Tab) -> None:
    """A host that gives no signal calls the functions that initialize and render return."""
    left = chromium_page.evaluate(
        """async () => {
            const { default: factory } = await import("/live.js");
            const { FakeModel } = await import("/page.js");
            const model = new FakeModel({ view: "runs", run: "", twin: "" });
            const widget = factory();
            const el = document.body.appendChild(document.createElement("div"));
            const stop = widget.initialize({ model: model.proxy(1) });
            const unshow = widget.render({ model: model.proxy(2), el });
            await drawn();
            for (const end of [unshow, stop, unshow, stop]) end();
            return [el.children.length, model.handlers.length, leftovers.count()];
        }"""
    )
    assert left == [0, 0, {"timers": 0, "frames": 0, "listeners": 0}]


def test_idle_table_does_nothing(table: LiveView) -> None:
    """Once drawn and acknowledged, a page without messages and without a reader's doing starts nothing."""
    table.points(1, 50)
    table.tab.wait("() => leftovers.count().timers === 0 && leftovers.count().frames === 0")
    started = table.tab.evaluate("() => leftovers.started")
    for _ in range(10):
        table.drawn()
    assert table.tab.evaluate("() => [leftovers.started, leftovers.count().timers]") == [started, 0]


def test_run_and_twin_may_change(table: LiveView) -> None:
    """A changed trait is shown without a message."""
    table.tab.evaluate("async () => { widget.model.change('run', 'run-Z'); await drawn() }")
    assert table.text("title") == "run-Z"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_follow_the_theme(table: LiveView, scheme: str) -> None:
    """The theme's variables decide the colours; without them the page's colour scheme does."""
    table.tab.evaluate("(scheme) => { document.documentElement.style.colorScheme = scheme }", scheme)
    colour = """() => getComputedStyle(document.querySelector(".locus-live"))
        .backgroundColor.match(/\\d+/g).map(Number)"""
    assert (sum(table.tab.evaluate(colour)) < 200) is (scheme == "dark")
    table.tab.evaluate(
        "() => document.documentElement.style.setProperty('--jp-layout-color0', 'rgb(1, 2, 3)')"
    )
    assert table.tab.evaluate(colour) == [1, 2, 3]


def test_pure_parts(chromium_page: Tab) -> None:
    """Times, counts and hues are what their documentation says."""
    got = chromium_page.evaluate(
        f"""async () => {{
            {PURE}
            return {{
                times: [0, 1767605400042, NaN, 1e300].map(format.formatTime),
                counts: [0, 1, 1200].map((number) => format.counted(number, "event")),
                lengths: [0.85, 3.2, 1240, 125000, 3720000, NaN].map(format.formatDuration),
                hues: ["run-A", "run-B"].map((run) => format.hueOf(run) === format.hueOf("run-A")),
            }};
        }}"""
    )
    assert got == {
        "times": ["00:00:00.000", "09:30:00.042", "\u2013", "\u2013"],
        "counts": ["0 events", "1 event", "1,200 events"],
        "lengths": ["850 µs", "3.2 ms", "1.24 s", "2 m 05 s", "1 h 02 m", "\u2013"],
        "hues": [True, False],
    }
