"""A live view in real Chromium: header, filter, drawer, keys, and what it leaves behind."""

from __future__ import annotations

import asyncio
import json
import re
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from unicodedata import category

import pytest

from locus_nb import StreamEvent, emit_sync, events_df, run_context
from locus_nb._views.rows import row_of, text_of
from tests.page_kit import HOSTILE, LiveView, ended, row, started, tally

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


def seen(text: str) -> str:
    """What there is to see of a text, in one line; the joiner of pictures is part of them."""
    hidden = (category(one) in ("Cc", "Cf", "Zl", "Zp") and one != "\u200d" for one in text)
    return " ".join(
        "".join(" " if is_hidden else one for one, is_hidden in zip(text, hidden, strict=True)).split()
    )


def test_chip_of_a_hidden_name_filters_by_the_real_one(table: LiveView) -> None:
    """A chip shows what there is to see of an event type, and filters for all of it."""
    table.deliver(
        [row(1, event_type="\u202egnp.elif"), row(2, event_type="gnp.elif"), row(3, event_type="\u200b")]
    )
    assert table.texts("chip-type") == ["gnp.elif", "gnp.elif", "(no name)"]
    for at, seq in ((1, 1), (2, 2), (3, 3)):
        table.tab.click(f".lo-chip:nth-child({at})")
        table.drawn()
        assert table.seqs() == [seq]
        table.filter("")


def test_hostile_text_stays_text(chromium_page: Tab) -> None:
    """Of whatever an event holds all is shown that can be seen; it makes no element, runs no script, turns nothing."""
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
        names = [seen(text) or "(no name)" for text in texts]
        assert table.texts("type")[1:] == table.texts("run")[1:] == table.texts("chip-type") == names
        assert table.texts("preview")[1:] == [seen(text) for text in texts]
        for at, text in enumerate(texts, 1):
            chromium_page.click(f".lo-row:nth-child({at})")
            table.drawn()
            assert json.loads(table.text("payload"))["data_text"] == text
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
    table.tab.click(".lo-row:nth-child(2)")
    table.drawn()
    assert json.loads(table.text("payload"))["data"] == {"answer": 42}
    assert table.selected() == [2]
    table.press("Escape")
    assert table.texts("details") == []
    table.tab.click(".lo-row:nth-child(1)")
    table.drawn()
    assert json.loads(table.text("payload"))["data"] == {}
    table.tab.click(".lo-close")
    table.drawn()
    assert table.texts("details") == []


def test_handled_keys_stay_in_the_table(table: LiveView) -> None:
    """The notebook's shortcuts do not see the keys that the table uses, and see those with a modifier."""
    table.tab.evaluate(
        "() => { window.keys = []; document.addEventListener('keydown', (event) => keys.push(event.key)) }"
    )
    table.points(1, 5)
    table.tab.click(".lo-row:nth-child(1)")
    table.drawn()
    table.press("ArrowDown", "Enter", "Escape", "Control+Enter", "s")
    assert table.tab.evaluate("() => keys") == ["Control", "Enter"]


def test_details_survive_their_row(table: LiveView) -> None:
    """The details stay open and as they are while rows pour in."""
    table.deliver([row(1, detail="first")])
    table.tab.click(".lo-row:nth-child(1)")
    table.drawn()
    table.points(2, 1_000)
    assert json.loads(table.text("payload"))["data_text"] == "first"


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


def test_an_output_that_holds_the_twin_in_another_one_stays(chromium_page: Tab) -> None:
    """Of outputs inside of outputs only the one of the twin itself is hidden: the view may be in the others."""
    chromium_page.evaluate(
        """() => {
            const [outer, inner] = ["outer", "inner"].map((name) =>
                Object.assign(document.createElement("div"), { className: `jp-OutputArea-child ${name}` }));
            const twin = Object.assign(document.createElement("div"), { className: "twin-1" });
            twin.append("static");
            inner.append(twin);
            outer.append("above", inner);
            document.body.append(outer);
        }"""
    )
    table = LiveView(chromium_page, twin="twin-1")
    table.show()
    table.deliver([])
    visible = (
        """() => [".outer", ".inner"].map((selector) => document.querySelector(selector).checkVisibility())"""
    )
    assert chromium_page.evaluate(visible) == [True, False]


def test_two_views_show_the_same_rows(table: LiveView) -> None:
    """A second view has all rows at once, and keeps its own filter and selection."""
    table.points(1, 8)
    table.show()
    assert table.texts("preview")[1:9] == table.texts("preview")[10:]
    table.tab.call(lambda page: page.locator(".lo-filter").nth(1).fill("think"))
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
    table.tab.click(".lo-row:nth-child(3)")
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
    """Once drawn and acknowledged, a page without messages and a reader's doing only waits for news to be due."""
    table.points(1, 50)
    table.tab.wait("() => leftovers.count().timers === 1 && leftovers.count().frames === 0")
    started = table.tab.evaluate("() => leftovers.started")
    for _ in range(10):
        table.drawn()
    assert table.tab.evaluate("() => [leftovers.started, leftovers.count().timers]") == [started, 1]


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
                apart: ["run-", "trip-"].flatMap((name) => [1, 2, 3, 4].map((more) =>
                    Math.abs(format.hueOf(name + 3) - format.hueOf(name + (3 + more))) >= 24)),
                hues: ["run-A", "run-B"].map((run) => format.hueOf(run) === format.hueOf("run-A")),
            }};
        }}"""
    )
    assert got == {
        "times": ["00:00:00.000", "09:30:00.042", "\u2013", "\u2013"],
        "counts": ["0 events", "1 event", "1,200 events"],
        "lengths": ["850 µs", "3.2 ms", "1.24 s", "2 m 05 s", "1 h 02 m", "\u2013"],
        "apart": [True] * 8,
        "hues": [True, False],
    }


def test_header_says_how_a_run_stands(chromium_page: Tab) -> None:
    """The header of one run says its name, outcome, time, iterations, calls, tokens and errors."""
    view = LiveView(chromium_page, run="run-A")
    view.show()
    facts = {"iterations": 3, "model_calls": 4, "tool_calls": 1, "errors": 2}
    facts |= {"name": "nightly", "started": 1_000, "ended": 2_240, "input_tokens": 2436, "output_tokens": 192}
    view.deliver([row(1)], [tally("run-A", "error", **facts)], status="ended")
    assert view.text("title") == "nightly"
    assert view.text("outcome") == "✕"
    assert view.text("status") == "ended"
    assert view.texts("fact") == [
        "1.24 s elapsed",
        "3 iterations",
        "4 model calls",
        "1 tool call",
        "2,436 + 192 tokens",
        "2 errors",
    ]


def test_header_of_all_runs_sums_them(table: LiveView) -> None:
    """The header of all runs says how many there are, how many run, and what they did together."""
    counts: dict[str, Any] = {"tool_calls": 2, "input_tokens": 10, "output_tokens": 1}
    table.deliver([row(1)], [tally("run-A", **counts), tally("run-B", "ok", **counts)])
    assert table.texts("fact") == ["2 runs", "1 running", "4 tool calls", "20 + 2 tokens"]


PANES = "() => [...document.querySelectorAll('.lo-tab')].map((tab) => [tab.textContent, tab.ariaSelected])"


def test_tabs_are_a_tablist(table: LiveView) -> None:
    """The tabs are a tab list of which one is selected, and the panel is named by it."""
    assert ["Table", "true"] in table.tab.evaluate(PANES)
    named = """() => document.getElementById(
        document.querySelector("[role=tabpanel]").getAttribute("aria-labelledby")).textContent"""
    assert table.tab.evaluate(named) == "Table"
    table.tab.call(lambda page: page.focus(".lo-tab"))
    table.press("End", "Home")
    assert table.tab.evaluate("() => document.activeElement.textContent") == "Table"


def test_pause_holds_the_view_and_not_the_run(table: LiveView) -> None:
    """Paused, a view keeps its rows as they are and counts what comes; resumed, it has caught up."""
    table.deliver([row(1), started(2, time_ms=10)], [tally("run-A")])
    table.tab.click(".lo-pause")
    table.deliver([ended(3), row(4), row(5)], [tally("run-A", "ok")])
    assert table.text("fresh") == "3 new"
    assert table.seqs() == [1, 2]
    assert table.texts("sign") == ["", "", "●"]
    assert table.text("pause").endswith("Resume")
    table.filter("status:running")
    assert table.seqs() == [2]
    table.filter("type:agent.think")
    assert table.seqs() == [1]
    table.click_row(1)
    assert json.loads(table.text("payload"))["data"] == {}
    table.wait_told(selected=[1], filter="type:agent.think", paused=True, run="")
    table.press("Space")
    assert table.texts("fresh") == []
    table.filter("")
    assert table.seqs() == [1, 2, 4, 5]
    assert "✓" in table.texts("sign")
    assert {kind["kind"] for kind in table.tab.evaluate("() => widget.model.sent")} <= {
        "hello",
        "ack",
        "view",
    }


def test_paused_view_keeps_rows_that_the_store_lets_go(table: LiveView) -> None:
    """What a paused view shows stays, even if the page's store has no room for it any more."""
    table.points(1, 10)
    table.tab.call(lambda page: page.focus(".lo-grid"))
    table.press("Space")
    table.tab.evaluate(
        "() => { for (let at = 11; at <= 200_511; at += 500) widget.deliver(pointRows(at, 500)) }"
    )
    table.drawn()
    assert table.seqs() == list(range(1, 11))
    assert table.text("fresh") == "201,000 new"
    table.filter("tokens")
    assert table.seqs() == [2, 8]


def test_stream_stands_still_while_paused(table: LiveView) -> None:
    """Chunks that come while a view is paused do not change the row that they are folded into."""
    chunk = {"event_type": "agent.model.chunk", "phase": "chunk", "span": "s", "preview": "x" * 50}
    table.deliver([started(1), row(2, time_ms=1000, **chunk)])
    table.tab.click(".lo-pause")
    table.deliver([row(3, time_ms=2000, **chunk)])
    assert table.texts("text") == [f"50 characters · 50/s · {'x' * 50}"]
    table.tab.click(".lo-pause")
    table.drawn()
    assert table.texts("text") == [f"100 characters · 50/s · {'x' * 50}"]


def test_keys_search_pause_and_step_back(table: LiveView) -> None:
    """The key "/" goes to the filter, Enter back to the rows; Escape closes drawer, filter, selection."""
    table.points(1, 12)
    table.click_row(3)
    table.press("/")
    table.tab.call(lambda page: page.keyboard.type("agent /x"))
    table.press("Backspace", "Backspace", "Backspace", "Enter")
    table.press("Space")
    assert table.text("pause").endswith("Resume")
    assert table.texts("details") != []
    filter_text = "() => document.querySelector('.lo-filter').value"
    table.press("Escape")
    assert (table.texts("details"), table.tab.evaluate(filter_text)) == ([], "agent")
    table.press("Escape")
    assert (table.selected(), table.tab.evaluate(filter_text)) == ([3], "")
    table.press("Escape")
    assert table.selected() == []


def test_drawer_is_as_high_as_its_payload(table: LiveView) -> None:
    """A short payload takes little room, a long one no more than a bound, until the drawer is drawn larger."""
    table.deliver([row(1), row(2, detail=json.dumps([1] * 100, indent=2))])
    height = "() => document.querySelector('.lo-payloads').offsetHeight"
    table.click_row(1)
    assert table.tab.evaluate(height) < 150
    table.click_row(2)
    assert table.tab.evaluate(height) == 190
    table.tab.evaluate("() => { document.querySelector('.lo-payloads').style.height = '400px' }")
    assert table.tab.evaluate(height) == 400


def test_escape_in_the_filter_clears_the_filter(table: LiveView) -> None:
    """Escape while typing takes the filter back, and leaves the drawer open and the focus where it is."""
    table.points(1, 12)
    table.click_row(3)
    table.press("/", "x", "Escape")
    assert table.tab.evaluate("() => [document.activeElement.className, document.activeElement.value]") == [
        "lo-filter",
        "",
    ]
    assert table.texts("details") != []


def test_space_in_a_payload_scrolls_it(table: LiveView) -> None:
    """The space bar does not pause a view whose reader is in a payload."""
    table.points(1, 3)
    table.click_row(1)
    table.tab.call(lambda page: page.focus(".lo-payload"))
    table.press("Space")
    assert table.text("pause").endswith("Pause")


def test_drawer_shows_start_and_end(table: LiveView) -> None:
    """The drawer of a span has its facts and both payloads, and takes the end in when it comes."""
    table.deliver([started(1, detail='{"a": 1}', agent="planner", iteration=2)])
    table.click_row(1)
    assert [json.loads(text)["data"] for text in table.texts("payload")] == [{"a": 1}]
    assert table.texts("part-title") == []
    table.deliver([ended(2, detail='{"b": 2}', duration=1500.0)])
    assert [json.loads(text)["data"] for text in table.texts("payload")] == [{"a": 1}, {"b": 2}]
    assert len(table.texts("part-title")) == 2
    facts = table.texts("drawer-fact")
    assert facts[0] == "run-A"
    assert facts[2:] == ["1.5 s", "ok", "search", "planner", "iteration 2"]


IMPORTED = "from locus_nb import events_df\n"
COPIED = "() => navigator.clipboard.readText()"


@pytest.mark.parametrize("allowed", [True, False])
def test_copies_json_and_pandas(table: LiveView, *, allowed: bool) -> None:
    """Copy gives the payload as JSON or the code that finds the events, also where the browser's clipboard fails."""
    grant = ["clipboard-read", "clipboard-write"]
    table.tab.call(lambda page: page.context.grant_permissions(grant))
    if not allowed:
        table.tab.evaluate(
            "() => { Clipboard.prototype.writeText = () => Promise.reject(new Error('not allowed')) }"
        )
    run = 'a"\\\n\u202e\U0001f680'
    table.deliver(
        [started(1, detail='{"a": 1}', run_id=run), row(2), row(3), ended(12, detail="2", run_id=run)]
    )
    table.click_row(1)
    code = IMPORTED + r'events_df("a\"\\\u000a\u202e\U0001f680").query("seq in [1, 12]")'
    copied: list[str] = []
    for part in ("copy", "pandas"):
        table.tab.click(f".lo-{part}")
        table.tab.wait("() => document.querySelector('.lo-copied').textContent === 'copied'")
        copied.append(table.tab.evaluate(COPIED))
    assert [(event["seq"], event["run_id"], event["data"]) for event in json.loads(copied[0])] == [
        (1, run, {"a": 1}),
        (12, run, 2),
    ]
    assert copied[1] == code
    table.click_row(2)
    table.tab.click(".lo-copy")
    table.tab.wait(
        """() => navigator.clipboard.readText().then((text) =>
            text === document.querySelector(".lo-payload").textContent)"""
    )
    table.click_row(3, shift=True)
    table.tab.click(".lo-pandas")
    code = IMPORTED + 'events_df("run-A").query("seq in [2, 3]")'
    table.tab.wait("(code) => navigator.clipboard.readText().then((text) => text === code)", code)
    assert table.tab.evaluate("() => document.querySelectorAll('textarea').length") == 0
    table.tab.wait("() => document.querySelector('.lo-copied').textContent === ''")


def test_drawer_shows_events_as_json(chromium_page: Tab) -> None:
    """An event in the drawer is the JSON that `to_dict` makes of it, but for its id, however large its numbers.

    What cannot be seen, or turns what follows around, is escaped in it.
    """
    hidden = "\u200b\u2066\u2028\x7f\U000e0001"
    data = {"n": 2**70, "text": "a\nb \U0001f468\u200d\U0001f469", hidden: [1.0, {"x": None, "y": hidden}]}
    event = StreamEvent("run-\u202eA", "tool.\u202e", data)
    told = row_of(event)._replace(seq=7)
    of = JSON_OF + "return eventJson(row(fields));"
    text = chromium_page.evaluate(f"async (fields) => {{ {of} }}", list(told))
    shown = json.loads(text)
    assert not set(hidden + "\u202e").intersection(text)
    assert r'"run-\u202eA"' in text
    assert r'"\u200b\u2066\u2028\u007f\udb40\udc01"' in text
    assert "\U0001f468\u200d\U0001f469" in text
    wanted = {"seq": 7, **event.to_dict()}
    del wanted["event_id"]
    assert shown == wanted
    assert list(shown) == ["seq", "run_id", "event_type", "timestamp", "data"]


JSON_OF = """
    const { eventJson, eventsJson, isCut } = await import("/page/eventjson.js");
    const { Row } = await import("/page/row.js");
    const row = (fields) => new Row(fields);
"""
LARGE = [
    {"text": "x" * 10_000},
    {"text": '"\\' * 5_000},
    {"text": "\x01" * 5_000},
    {"first": 1, "texts": [f"{n}" * 50 for n in range(1_000)]},
    {"first": 1, "deep": [[{"numbers": list(range(5_000))}]]},
    {f"key {n} " + "y" * 300: n for n in range(100)},
    {"first": {"a": [1, 2]}, "second": {"b": "z" * 9_000}},
]


@pytest.mark.parametrize("shift", range(5))
def test_large_payloads_are_copied_as_valid_json(chromium_page: Tab, shift: int) -> None:
    """Wherever a payload was cut the JSON is valid, says so, and has what is whole before; several make an array."""
    rows: list[Any] = []
    for seq, data in enumerate(LARGE, start=1):
        event = StreamEvent("run-A", "large", {"shift": "s" * shift, **data})
        rows.append(row_of(event)._replace(seq=seq))
    of = JSON_OF + "return eventsJson(rows.map(row));"
    events = json.loads(chromium_page.evaluate(f"async (rows) => {{ {of} }}", [list(one) for one in rows]))
    assert [event["seq"] for event in events] == list(range(1, len(LARGE) + 1))
    for event, data in zip(events, LARGE, strict=True):
        assert event["data_cut"] is True
        shown = event["data"]
        assert shown.pop("shift") == "s" * shift
        assert list(shown) == list(data)[: len(shown)]
        assert len(json.dumps(shown)) > 1_000
    assert events[0]["data"]["text"].rstrip("…") in LARGE[0]["text"]
    assert events[3]["data"]["first"] == events[4]["data"]["first"] == 1


def test_copying_says_that_a_payload_was_cut(table: LiveView) -> None:
    """The button says beforehand, and again when it is done, that of a large payload only the beginning is there."""
    table.tab.call(lambda page: page.context.grant_permissions(["clipboard-read", "clipboard-write"]))
    large = row_of(StreamEvent("run-A", "large", LARGE[0]))._replace(seq=2)
    table.deliver([row(1), list(large)])
    for seq, more in ((1, ""), (2, ": of large payloads only the beginning")):
        table.click_row(seq)
        assert table.tab.evaluate("() => document.querySelector('.lo-copy').title") == f"Copy as JSON{more}"
        table.tab.click(".lo-copy")
        table.tab.wait("(text) => document.querySelector('.lo-copied').textContent === text", f"copied{more}")
        assert json.loads(table.tab.evaluate(COPIED)) == json.loads(table.text("payload"))


def test_copied_code_gives_what_is_selected(chromium_page: Tab) -> None:
    """Run in Python, the code gives just the rows it is made of, of however odd runs; of many, all up to the last."""
    runs = ["long" * 100, "plain", 'a"\\\n\u202e', "half \ud800", "other"]
    for run in runs:
        with run_context(run):
            for _ in range(110):
                emit_sync("agent.think")
    known = events_df(runs[1:4])
    made = [(int(seq), str(run)) for seq, run in zip(known["seq"], known["run_id"], strict=True)]
    cut = [(int(seq), text_of(runs[0])) for seq in events_df(runs[0])["seq"]]
    of = "async (rows) => (await import('/page/pandas.js')).pandasFor(rows.map(([seq, run]) => ({ seq, run })))"
    for rows in (made[:1], made[100:120], made[219:320:2], made[221:223], cut[1:4], made):
        code = chromium_page.evaluate(of, rows)
        first, last = code.splitlines()
        scope: dict[str, Any] = {}
        exec(first, scope)
        frame = eval(last, scope)
        assert [int(seq) for seq in frame["seq"]] == [seq for seq, _ in rows]


NOTEBOOK_KEYS = """() => {
    window.heard = [];
    document.body.addEventListener("keydown", (event) => { heard.push(event.key); });
}"""


@pytest.mark.parametrize(
    "part", ["grid", "waterfall", "tree .lo-grid", "pause", "tab", "range", "speed", "payload"]
)
def test_keys_stay_in_the_view(table: LiveView, part: str) -> None:
    """Wherever the focus is, plain keys do not reach the notebook; those with a modifier, and to leave or run, do."""
    table.points(1, 6)
    table.click_row(3)
    tab = {"tree .lo-grid": "Tree", "waterfall": "Timeline", "range": "Timeline", "speed": "Timeline"}
    table.tab.click(f'.lo-tab:text-is("{tab.get(part, "Table")}")')
    table.drawn()
    table.tab.evaluate(NOTEBOOK_KEYS)
    table.tab.evaluate("(part) => document.querySelector(`.lo-${part}`).focus()", part)
    table.press("m", "b", "j", "k", "d", "d", "x", "A", "0", "ArrowDown", "ArrowRight", "Home")
    assert table.tab.evaluate("() => heard") == []
    table.press("Control+s", "Meta+b", "Alt+b", "Shift+Enter")
    assert [key for key in table.tab.evaluate("() => heard") if len(key) == 1 or key == "Enter"] == [
        "s",
        "b",
        "b",
        "Enter",
    ]


def test_escape_reaches_the_notebook_when_the_view_has_no_use_for_it(table: LiveView) -> None:
    """Escape closes and clears what there is in the view, one after the other, and is the notebook's then."""
    table.points(1, 6)
    table.click_row(3)
    table.tab.evaluate(NOTEBOOK_KEYS)
    table.press("Escape", "Escape")
    assert table.tab.evaluate("() => heard") == []
    table.press("Escape")
    assert table.tab.evaluate("() => heard") == ["Escape"]


def test_wish_of_python_is_granted_once(table: LiveView) -> None:
    """What Python code asks for is done once; what the user does afterwards stays."""
    table.points(1, 12)
    wish = {"n": 1, "filter": "think", "paused": True}
    table.deliver([], wishes=[wish])
    assert table.seqs() == [3, 9]
    table.wait_told(selected=[], filter="think", paused=True, run="", wish=1)
    table.filter("")
    table.deliver([], wishes=[wish])
    assert len(table.seqs()) > 2
    table.deliver([], wishes=[{"n": 2, "filter": "", "paused": False}])
    assert table.texts("fresh") == []


def test_python_is_told_once_how_a_view_begins(table: LiveView) -> None:
    """A view in which nobody did anything tells Python how it stands, once: after a reload it begins afresh."""
    table.points(1, 12)
    table.points(13, 12)
    table.tab.wait("() => leftovers.count().timers === 0")
    told = table.tab.evaluate("() => widget.model.sent.filter(({ kind }) => kind === 'view')")
    assert told == [
        {"kind": "view", "selected": [], "filter": "", "paused": False, "run": "", "wish": 0},
    ]


def test_wish_changes_only_what_it_asks_for(table: LiveView) -> None:
    """A wish to pause leaves the user's filter as it is, and one for a filter the pause; of several each counts."""
    table.points(1, 6)
    table.filter("think")
    table.deliver([], wishes=[{"n": 1, "filter": None, "paused": True}])
    table.wait_told(filter="think", paused=True, wish=1)
    table.tab.click(".lo-pause")
    table.deliver(
        [], wishes=[{"n": 1, "filter": None, "paused": True}, {"n": 2, "filter": "tool", "paused": None}]
    )
    table.wait_told(filter="tool", paused=False, wish=2)
    wishes = [{"n": 3, "filter": "model", "paused": None}, {"n": 4, "filter": None, "paused": True}]
    table.deliver([], wishes=wishes)
    table.wait_told(filter="model", paused=True, wish=4)


def test_new_page_is_paused_when_it_has_what_there_is(table: LiveView) -> None:
    """A page that is made with a wish to pause shows all that was there first, and only later rows are new to it."""
    wishes = [{"n": 1, "filter": None, "paused": True}]
    table.points(1, 3, last=6, wishes=wishes)
    assert table.texts("count") == ["3 events"]
    table.points(4, 3, wishes=wishes)
    table.wait_told(filter="", paused=True, wish=1)
    assert table.texts("count") == ["6 rows"]
    table.points(7, 2)
    assert table.texts("fresh") == ["2 new"]


def test_fulfilled_wish_is_nothing_to_a_later_view(table: LiveView) -> None:
    """A view that is made after a wish was fulfilled and undone begins afresh, and Python is told its number."""
    table.points(1, 12)
    table.deliver([], wishes=[{"n": 1, "filter": "think", "paused": True}])
    table.wait_told(selected=[], filter="think", paused=True, run="", wish=1)
    table.tab.evaluate("() => widget.hide(0)")
    table.show()
    table.deliver([], wishes=[{"n": 1, "filter": "think", "paused": True}])
    assert table.tab.evaluate("() => document.querySelector('.lo-filter').value") == ""


def test_what_runs_is_as_old_as_the_kernel_says(chromium_page: Tab) -> None:
    """However long ago the last event was, and whenever the page came: the messages tell the kernel's time."""
    chromium_page.call(lambda page: page.clock.install(time=1_000))
    chromium_page.call(lambda page: page.clock.pause_at(500_000))
    table = LiveView(chromium_page, run="run-A")
    rows, tallies = [started(1, time_ms=1_000_000)], [tally("run-A", started=1_000_000)]
    chromium_page.evaluate(
        """async ([rows, tallies]) => {
            await widget.show();
            widget.deliver(rows, { now: 1_025_000 }, tallies);
        }""",
        [rows, tallies],
    )
    chromium_page.call(lambda page: page.clock.run_for(1_000))
    (elapsed,), (length,) = table.texts("value"), table.texts("length")
    # It is drawn four times a second.
    assert 25.6 < float(elapsed.split()[0]) <= 26
    assert 25.6 < float(length.split()[0]) <= 26
    chromium_page.evaluate("() => widget.deliver([wireRow(2, 't', { time: 1e15 })], { now: 1_030_000 })")
    chromium_page.call(lambda page: page.clock.run_for(1_000))
    assert 30.6 < float(table.texts("value")[0].split()[0]) <= 31


@pytest.mark.parametrize("status", ["ended", "failed"])
def test_what_still_ran_when_the_view_was_over_stands_still(chromium_page: Tab, status: str) -> None:
    """A view that takes in no more, as after a reset of the bus, shows nothing as running, and its time stands."""
    chromium_page.call(lambda page: page.clock.install(time=1_000))
    chromium_page.call(lambda page: page.clock.pause_at(500_000))
    for run in ("run-A", ""):
        table = LiveView(chromium_page, run=run)
        rows = [started(1, time_ms=1_000), row(2, time_ms=5_000)]
        chromium_page.evaluate(
            """async ([rows, tallies, status]) => {
                document.querySelector(".output")?.remove();
                await widget.show();
                widget.deliver(rows, { now: 9_000 }, tallies);
                widget.deliver([], { now: 10_000, status });
            }""",
            [rows, [tally("run-A", started=1_000, last=5_000)], status],
        )
        chromium_page.call(lambda page: page.clock.run_for(20_000))
        if run:
            assert (table.text("outcome"), table.texts("value")) == ("○", ["4 s"])
        else:
            # The age has no room here.
            line = chromium_page.evaluate(
                "() => [...document.querySelectorAll('.lo-run-line')].at(-1).textContent"
            )
            assert line == "○run-A< 1 m0\u2013"
            assert table.texts("value") == ["1"]
        assert "never completed" in table.texts("preview")[1]
        for name in ("timeline", "tree"):
            chromium_page.call(lambda page, name=name: page.click(f".lo-tab:text-is('{name.title()}')"))
            chromium_page.call(lambda page: page.clock.run_for(1_000))
            texts = " ".join(table.texts("span") + table.texts("branch"))
            assert "never completed" in texts
            assert "●" not in texts


def test_names_turn_nothing_around(table: LiveView) -> None:
    """A name that writes from right to left, or never ends doing so, leaves the facts beside it in their order."""
    order = """() => [...document.querySelectorAll(".lo-drawer-fact")].map(
        (fact) => fact.getBoundingClientRect().left)"""
    for name in ("search", "\u202e\u2066\u05e9\u05dc\u05d5\u05dd"):
        table.deliver([started(1 if name == "search" else 2, name, name=name, run_id=name, agent=name)])
        table.click_row(1 if name == "search" else 2)
        lefts = table.tab.evaluate(order)
        assert len(lefts) >= 5
        assert lefts == sorted(lefts)


def test_shift_click_marks_no_text(table: LiveView) -> None:
    """A range of rows is selected as rows, and not as the text between two clicks as well."""
    table.points(1, 8)
    table.tab.call(lambda page: page.click(".lo-row:nth-child(2) .lo-preview"))
    table.tab.call(lambda page: page.click(".lo-row:nth-child(5) .lo-preview", modifiers=["Shift"]))
    table.drawn()
    assert table.selected() == [2, 3, 4, 5]
    assert table.tab.evaluate("() => String(document.getSelection())") == ""


def test_huge_payloads_keep_the_layout(table: LiveView) -> None:
    """A preview of 1 MB, a payload line without a space and 10,000 keys change no height and no width."""
    detail = "{" + ", ".join(f'"key{at}": {at}' for at in range(10_000)) + "}"
    table.deliver([row(1)])
    table.click_row(1)
    size = """() => [document.querySelector(".locus-live").offsetWidth, document.body.scrollWidth,
        document.querySelector(".lo-row").offsetHeight,
        document.querySelector(".lo-payloads").offsetHeight <= 190]"""
    before = table.tab.evaluate(size)
    table.deliver(
        [
            row(2, preview="x" * 1_000_000, detail="y" * 1_000_000, name="n" * 200, agent="a" * 200),
            row(
                3, detail=detail, status="error", error="e" * 500, event_type="t" * 5_000, run_id="r" * 5_000
            ),
        ]
    )
    for seq in (2, 3):
        table.click_row(seq)
        assert table.tab.evaluate(size) == before


def test_drawn_at_both_widths_without_overlap(table: LiveView) -> None:
    """At 600 and at 1200 px every part stays inside the view, and no two controls overlap."""
    overlaps = """() => {
        const view = document.querySelector(".locus-live").getBoundingClientRect();
        const parts = [...document.querySelectorAll(
            ".lo-bar > *, .lo-fact, .lo-tools > *, .lo-buttons > *")]
            .filter((node) => node.checkVisibility() && node.offsetWidth > 0);
        const wrong = [];
        for (const one of parts) {
            const box = one.getBoundingClientRect();
            if (box.right > view.right || box.left < view.left) wrong.push(one.className);
            for (const other of parts) {
                const its = other.getBoundingClientRect();
                const apart = its.left >= box.right || its.right <= box.left ||
                    its.top >= box.bottom || its.bottom <= box.top;
                if (one !== other && !one.contains(other) && !other.contains(one) && !apart)
                    wrong.push([one.className, other.className]);
            }
        }
        return wrong;
    }"""
    big = dict.fromkeys(("iterations", "model_calls", "tool_calls", "errors", "input_tokens"), 1_234_567)
    table.deliver([row(1)], [tally("run-" + "x" * 90, name="n" * 90, **big)], missing=1_234_567)
    table.click_row(1)
    table.tab.click(".lo-pause")
    for width in (600, 1200):
        table.tab.call(lambda page, width=width: page.set_viewport_size({"width": width, "height": 800}))
        table.drawn()
        assert table.tab.evaluate(overlaps) == []


CELLS = """() => {
    const wrong = [];
    for (const grid of document.querySelectorAll(".lo-panel .lo-grid")) {
        if (!grid.checkVisibility()) continue;
        const box = grid.getBoundingClientRect();
        const right = box.left + grid.clientWidth + 1;
        if (grid.scrollWidth > grid.clientWidth) wrong.push(["scrolls", grid.scrollWidth, grid.clientWidth]);
        for (const line of grid.querySelectorAll(".lo-head, .lo-tree-head, .lo-row, .lo-branch")) {
            const cells = [...line.children].filter((cell) => cell.checkVisibility());
            let last = box.left;
            for (const cell of cells) {
                const its = cell.getBoundingClientRect();
                if (its.left < last - 1 || its.right > right) wrong.push([line.className, cell.className, its]);
                last = its.right;
            }
            const room = cells.at(-1).getBoundingClientRect().width / grid.clientWidth;
            if (cells.length > 0 && room < 0.2) wrong.push([line.className, "the last cell", room]);
        }
        const ends = (selector) => [...grid.querySelectorAll(selector)]
            .filter((node) => node.checkVisibility() && node.textContent)
            .map((node) => node.getBoundingClientRect().right);
        const [head, ...others] = ends(".lo-head .lo-duration, .lo-length");
        if (others.some((end) => Math.abs(end - head) > 1)) wrong.push(["duration", head, others]);
        for (const cell of grid.querySelectorAll(".lo-length, .lo-branch > .lo-duration"))
            if (cell.checkVisibility() && cell.scrollWidth > cell.clientWidth) wrong.push(["cut", cell.textContent]);
    }
    return wrong;
}"""


@pytest.mark.parametrize("run", ["", "run-A"])
@pytest.mark.parametrize("width", [240, 300, 400, 430, 500, 540, 600, 740, 900, 1200])
def test_rows_fit_their_view(chromium_page: Tab, width: int, run: str) -> None:
    """At any width each cell of a row is inside of its table, beside the others, with room for the preview."""
    table = LiveView(chromium_page, run=run)
    table.show()
    names = ["multiagent.handoff.completed", "t" * 44, "Z" + "\u0310" * 60]
    table.deliver(
        [
            *(row(at, event_type=name, preview=name * 9) for at, name in enumerate(names, 1)),
            started(4, "a", time_ms=0, run_id="run-A"),
            ended(5, "a", time_ms=104_700_000, duration=104_700_000.0, run_id="run-A"),
            ended(6, "b", duration=123.0, run_id="run-B" * 8, status="error", error="one\ntwo\nthree"),
        ],
        [tally("run-A"), tally("run-B" * 8, "ok")],
    )
    chromium_page.call(
        lambda page: page.add_style_tag(content=f"body {{ margin: 0; width: {width}px; }}"),
    )
    chromium_page.call(lambda page: page.set_viewport_size({"width": width, "height": 900}))
    table.drawn()
    assert chromium_page.evaluate(CELLS) == []
    chromium_page.click('.lo-tab:text-is("Tree")')
    table.drawn()
    assert chromium_page.evaluate(CELLS) == []
    chromium_page.click('.lo-tab:text-is("Timeline")')
    chromium_page.call(lambda page: page.locator(".lo-range").fill("500"))
    table.drawn()
    right = """(part) => Math.max(...[...document.querySelectorAll(part)]
        .filter((node) => node.checkVisibility()).map((node) => node.getBoundingClientRect().right))"""
    assert chromium_page.evaluate(right, ".lo-replay > *") <= chromium_page.evaluate(right, ".locus-live")
    assert chromium_page.evaluate("() => document.documentElement.scrollWidth") <= width


def test_pause_stands_beside_the_other_tools(table: LiveView) -> None:
    """However narrow the view, no button stands alone on a line while another part has room for it."""
    table.points(1, 3)
    for width in (440, 480, 520, 560, 600):
        table.tab.call(lambda page, width=width: page.set_viewport_size({"width": width, "height": 800}))
        table.drawn()
        tops = "(part) => document.querySelector(`.lo-${part}`).getBoundingClientRect().top"
        assert abs(table.tab.evaluate(tops, "pause") - table.tab.evaluate(tops, "tabs")) < 5


def test_table_is_as_high_as_its_rows(table: LiveView) -> None:
    """Few rows take little room, many no more than twelve lines, until the table is drawn to another height."""
    height = "() => document.querySelector('.lo-panel .lo-grid').offsetHeight"
    table.points(1, 4)
    assert table.tab.evaluate(height) == 26 + 4 * 24
    table.points(5, 5)
    assert table.tab.evaluate(height) == 26 + 9 * 24
    table.points(10, 100)
    assert table.tab.evaluate(height) == 26 + 12 * 24
    assert table.seqs()[-1] == 109
    table.tab.evaluate("() => { document.querySelector('.lo-panel .lo-grid').style.height = '500px' }")
    table.drawn()
    assert table.tab.evaluate(height) == 500


def test_no_time_is_the_same_everywhere(table: LiveView) -> None:
    """What took no time took 0 s, in the table, the tree and the timeline."""
    table.deliver([started(1, time_ms=5), ended(2, time_ms=5, duration=0.0)], [tally("run-A", "ok", ended=0)])
    assert table.texts("length") == ["0 s"]
    table.tab.click('.lo-tab:text-is("Tree")')
    table.drawn()
    assert set(table.texts("branch > .lo-duration")) == {"0 s"}
    table.tab.click('.lo-tab:text-is("Timeline")')
    table.drawn()
    assert table.text("clock") == "0 s of 0 s"


def test_followed_run_is_all_that_the_view_is_about(table: LiveView) -> None:
    """A click on a run shows its rows, chips and figures alone, without a run column; Python is told."""
    rows = [row(1), row(2, run_id="run-B", event_type="rag.query"), row(3)]
    table.deliver(rows, [tally("run-A", tool_calls=2), tally("run-B", tool_calls=5)])
    table.tab.wait("() => /run-B/.test(document.querySelector('.lo-runs').textContent)")
    table.tab.call(lambda page: page.locator(".lo-run-line:visible").filter(has_text="run-B").first.click())
    table.drawn()
    assert table.seqs() == [2]
    assert table.text("title") == "run-B"
    assert "5 tool calls" in table.texts("fact")
    assert table.texts("chip") == ["rag.query1"]
    assert table.text("count") == "1 of 3 rows"
    assert table.tab.evaluate("() => document.querySelectorAll('.lo-pane .lo-run').length") > 0
    table.wait_told(run="run-B", filter="")


def test_view_opens_on_the_tab_that_python_names(chromium_page: Tab) -> None:
    """A view begins with the tab that its widget names, where the user leaves it; without such a tab, the table."""
    for named, opened in [
        ("timeline", "Timeline"),
        ("tree", "Tree"),
        ("table", "Table"),
        ("no-such", "Table"),
    ]:
        view = LiveView(chromium_page, run="run-A", tab=named)
        view.show()
        view.points(1, 3)
        chosen = '[role="tab"][aria-selected="true"]'
        assert chromium_page.evaluate(f"() => document.querySelector('{chosen}').textContent") == opened
        chromium_page.evaluate(
            "async () => { document.querySelector('[role=\"tab\"]').click(); await drawn(); }"
        )
        view.points(4, 3)
        assert chromium_page.evaluate(f"() => document.querySelector('{chosen}').textContent") == "Table"
        chromium_page.evaluate("() => widget.close()")
