"""The shipped ESM in real Chromium, with a stand-in for anywidget."""

from __future__ import annotations

import asyncio
import re
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.browser import Tab

PURE = "const table = await import('/live_table.js');"
HOSTILE = [
    "<script>window.struck = 1</script>",
    "<img src=x onerror='window.struck = 1'>",
    '<a href="javascript:window.struck = 1">x</a>',
    "&lt;b&gt;&amp;",
    "</pre></div><style>* { display: none }</style>",
    "one\ntwo\r\n\tthree\u2028four",
    "\u202eevil\u202c \u05e9\u05dc\u05d5\u05dd",
    "\U0001f680\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "\x00\x07\x1b[31m",
    "\ufffd",
    "${window.struck = 1}",
    "__proto__",
]

UNREADABLE = [
    "widget.model.trigger('msg:custom', null, [])",
    "widget.model.trigger('msg:custom', 'rows', undefined)",
    "widget.model.trigger('msg:custom', { kind: 'other' }, [])",
    "widget.deliverText('[]', { kind: 'rows' })",
    "widget.deliverText('[{', { kind: 'rows', prev: 0, last: 0, count: 1, missing: 0, total: 1, status: 'live' })",
    "widget.deliverText('{}', { kind: 'rows', prev: 0, last: 0, count: 0, missing: 0, total: 1, status: 'live' })",
    "widget.deliver([], { status: 'fine' })",
    "widget.deliver([], { prev: -1 })",
    "widget.deliver([], { missing: '3' })",
    "widget.deliver([], { count: 4 })",
    "widget.deliver([[1, 0, 't', 'r', 'p']])",
    "widget.deliver([['1', 0, 't', 'r', 'p', 'd']])",
    "widget.deliver([[0, 0, 't', 'r', 'p', 'd'], [2, null, 't', 'r', 'p', 'd'], [3, 0, {}, 'r', 'p', 'd']])",
    """widget.model.trigger(
        'msg:custom', { kind: 'rows', prev: 0, last: 0, count: 0, missing: 0, total: 0, status: 'live' })""",
]


class Table:
    """One widget on the page, in the words of the tests."""

    def __init__(self, tab: Tab, **state: str) -> None:
        self.tab = tab
        tab.evaluate("async (state) => { window.widget = await FakeWidget.open(state) }", state)

    def show(self) -> None:
        """Shows the widget in one more output."""
        self.tab.evaluate("async () => { await widget.show(); await drawn() }")

    def deliver(self, rows: list[Any], **content: Any) -> None:
        """Delivers rows as Python sends them, and lets the page draw."""
        self.tab.evaluate(
            "async ([rows, content]) => { widget.deliver(rows, content); await drawn() }", [rows, content]
        )

    def agent(self, first: int, count: int, run: str = "run-A", **content: Any) -> None:
        """Delivers rows of an agent, and lets the page draw."""
        self.tab.evaluate(
            """async ([first, count, run, content]) => {
                widget.deliver(agentRows(first, count, run), content);
                await drawn();
            }""",
            [first, count, run, content],
        )

    def texts(self, part: str) -> list[str]:
        """The texts of the visible parts with that name, in order."""
        return self.tab.evaluate(
            """(part) => [...document.querySelectorAll(`.locus-live-${part}`)]
                .filter((node) => node.checkVisibility()).map((node) => node.textContent)""",
            part,
        )

    def text(self, part: str) -> str:
        """The text of the only visible part with that name, "" without one."""
        texts = self.texts(part)
        assert len(texts) <= 1
        return "".join(texts)

    def seqs(self) -> list[int]:
        """The seqs of the rows in sight, from the top."""
        return self.tab.evaluate(
            """() => {
                const grid = document.querySelector(".locus-live-grid").getBoundingClientRect();
                const top = grid.top + 26;
                return [...document.querySelectorAll(".locus-live-row")]
                    .filter((row) => !row.hidden)
                    .map((row) => [row.getBoundingClientRect(), Number(row.firstChild.textContent)])
                    .filter(([box]) => box.top >= top - 1 && box.bottom <= grid.bottom + 1)
                    .map(([, seq]) => seq);
            }"""
        )

    def scroll_to(self, top: int) -> None:
        """Scrolls as a reader does, and lets the page draw."""
        self.tab.evaluate(
            """async (top) => {
                document.querySelector(".locus-live-grid").scrollTop = top;
                await drawn();
            }""",
            top,
        )

    def press(self, *keys: str) -> None:
        """Presses keys where the focus is, and lets the page draw."""
        for key in keys:
            self.tab.press(key)
        self.drawn()

    def drawn(self) -> None:
        """Lets the page draw."""
        self.tab.evaluate("() => drawn()")

    def sent(self, kind: str) -> list[int]:
        """The last_seq of each message of that kind that the page sent."""
        return self.tab.evaluate(
            "(kind) => widget.model.sent.filter((one) => one.kind === kind).map((one) => one.last_seq)", kind
        )

    def selected(self) -> list[int]:
        """The seqs of the rows said to be selected."""
        return self.tab.evaluate(
            """() => [...document.querySelectorAll('.locus-live-row[aria-selected="true"]')]
                .map((row) => Number(row.firstChild.textContent))"""
        )


@pytest.fixture
def table(chromium_page: Tab) -> Table:
    """A table of all runs, shown once."""
    table = Table(chromium_page)
    table.show()
    return table


def row(seq: int, **changes: Any) -> list[Any]:
    """A row with the given seq."""
    parts = {
        "time_ms": 0,
        "event_type": "agent.think",
        "run_id": "run-A",
        "preview": f"p{seq}",
        "detail": "{}",
    }
    return [seq, *(parts | changes).values()]


def test_sources_never_write_markup() -> None:
    """The ESM has no way to turn text into markup or code."""
    source = files("locus_nb").joinpath("static/live_table.js").read_text(encoding="utf-8")
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


def test_shows_every_column_of_a_row(table: Table) -> None:
    """A row shows its seq, local time, full event type, run and preview."""
    table.deliver([row(7, time_ms=1_767_605_400_042, event_type="agent.model.completed", preview="hello")])
    cells = table.tab.evaluate(
        "() => [...document.querySelector('.locus-live-row').children].map((c) => c.textContent)"
    )
    assert cells == ["7", "09:30:00.042", "agent.model.completed", "run-A", "hello"]
    assert table.text("title") == "all runs"
    assert table.text("status") == "live"
    assert table.text("count") == "1 event"


def test_watching_one_run_hides_the_run_column(chromium_page: Tab) -> None:
    """With one run watched its id is the title, and the column is gone."""
    table = Table(chromium_page, run="run-A")
    table.show()
    table.agent(1, 3)
    assert table.text("title") == "run-A"
    assert table.texts("run") == []
    assert len(table.texts("preview")) == 4


def test_long_event_types_are_shown_in_full(table: Table) -> None:
    """The type column is as wide as the longest event type."""
    table.deliver([row(1, event_type="multiagent.handoff.candidate.completed")])
    widths = "(e) => [e.scrollWidth, e.clientWidth]"
    needed, given = table.tab.call(
        lambda page: page.eval_on_selector(".locus-live-row .locus-live-type", widths)
    )
    assert needed <= given


def test_hostile_text_stays_text(chromium_page: Tab) -> None:
    """Whatever an event holds is shown letter by letter; it makes no element and runs no script."""
    elements: list[int] = []
    for texts in (["harmless"] * len(HOSTILE), HOSTILE):
        table = Table(chromium_page)
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
            assert table.text("payload") == text
        elements.append(chromium_page.evaluate("() => document.querySelectorAll('.locus-live *').length"))
        chromium_page.evaluate("() => widget.hide(0)")
    assert elements[0] == elements[1]
    assert chromium_page.evaluate("() => window.struck") is None


def test_hostile_traits_stay_text(chromium_page: Tab) -> None:
    """A run id or twin class with markup or CSS in it changes nothing on the page."""
    table = Table(
        chromium_page, run="<img src=x onerror='window.struck = 1'>", twin="x, body { display: none } .y"
    )
    table.show()
    table.agent(1, 2)
    assert table.text("title").startswith("<img")
    assert table.tab.evaluate("() => [document.images.length, getComputedStyle(document.body).display]") == [
        0,
        "block",
    ]


def test_only_rows_in_sight_are_in_the_document(table: Table) -> None:
    """However many rows there are, the document holds a screenful."""
    table.agent(1, 20_000)
    assert table.tab.evaluate("() => document.querySelectorAll('.locus-live-row').length") < 40
    assert table.text("count") == "20,000 events"


def test_rows_in_any_order_are_shown_in_order_once(table: Table) -> None:
    """Older rows are merged in, known ones are ignored."""
    table.deliver([row(5), row(6)], prev=4)
    table.deliver([row(1), row(2)], prev=0)
    table.deliver([row(2), row(3), row(5)], prev=1)
    table.deliver([row(6, preview="again"), row(4)], prev=3)
    assert table.seqs() == [1, 2, 3, 4, 5, 6]
    assert "again" not in table.texts("preview")


def test_store_agrees_with_a_sorted_set(chromium_page: Tab) -> None:
    """Whatever the order, overlap and size of messages, the store is the newest rows in order, each once."""
    worst = chromium_page.evaluate(
        f"""async () => {{
            {PURE}
            let state = 7;
            const random = (below) => (state = (state * 48271) % 2147483647) % below;
            for (let round = 0; round < 60; round++) {{
                const store = new table.RowStore({{ maxRows: 10_000 }});
                const all = new Set();
                for (let message = 0; message < 40; message++) {{
                    const length = random(9);
                    const rows = Array.from({{ length }}, () => [1 + random(200), 0, "t", "r", "", ""]);
                    for (const one of rows) all.add(one[0]);
                    store.merge(random(200), rows);
                }}
                const want = [...all].sort((a, b) => a - b).join();
                if (store.rows.map((one) => one[0]).join() !== want) return `round ${{round}}`;
            }}
            return "";
        }}"""
    )
    assert worst == ""


def test_head_moves_only_over_rows_without_a_gap(chromium_page: Tab) -> None:
    """`head` stops before a gap, and jumps over everything known once the gap is filled."""
    heads = chromium_page.evaluate(
        f"""async () => {{
            {PURE}
            const store = new table.RowStore();
            const rows = (...seqs) => seqs.map((seq) => [seq, 0, "t", "r", "", ""]);
            const heads = [];
            const messages = [[0, 2, 4], [9, 11], [15, 16], [11, 15], [4, 7, 9], [30], [0, 40]];
            for (const [prev, ...seqs] of messages) {{
                store.merge(prev, rows(...seqs));
                heads.push([store.head, store.hasGap]);
            }}
            return heads;
        }}"""
    )
    assert heads == [[4, False], [4, True], [4, True], [4, True], [16, False], [16, True], [40, False]]


def test_store_drops_the_oldest_and_counts_them(chromium_page: Tab) -> None:
    """Past its limits of rows or of text the store lets the oldest go for good, and counts them."""
    result = chromium_page.evaluate(
        f"""async () => {{
            {PURE}
            const rows = (from, to, text) =>
                Array.from({{ length: to - from + 1 }}, (_, i) => [from + i, 0, "t", "r", "", text]);
            const few = new table.RowStore({{ maxRows: 10 }});
            few.merge(0, rows(1, 25, ""));
            few.merge(0, rows(3, 12, ""));
            const short = new table.RowStore({{ maxChars: 100 }});
            short.merge(0, rows(1, 30, "0123456789"));
            short.merge(30, rows(31, 31, "x".repeat(500)));
            return [few, short].map((store) => [store.rows[0][0], store.rows.length, store.dropped]);
        }}"""
    )
    assert result == [[16, 10, 15], [31, 1, 30]]


def test_rows_that_python_no_longer_keeps_are_said(table: Table) -> None:
    """A page that comes late says how many rows were let go before; while it catches up it says nothing yet."""
    table.tab.evaluate("() => widget.deliver(agentRows(501, 50), { prev: 0, last: 600, total: 600 })")
    table.drawn()
    assert table.text("note") == ""
    table.tab.evaluate("() => widget.deliver(agentRows(551, 50), { last: 600, total: 600 })")
    table.drawn()
    assert table.text("note") == "500 earlier events no longer kept"


HIDDEN = """async ({ frames, rows }) => {
    const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
    const output = document.querySelector(".output");
    const show = () => { output.style.display = ""; };
    await drawn();
    // Before the table draws; with no frame in between it is shown again right after, and no resize is reported.
    requestAnimationFrame(() => { output.style.display = "none"; });
    widget.deliver(agentRows(101, rows));
    if (frames === 0) requestAnimationFrame(show);
    for (let index = 0; index < frames; index++) await frame();
    show();
    await frame();
    await frame();
    await frame();
    await frame();
}"""


@pytest.mark.parametrize("frames", [0, 1, 2, 10])
@pytest.mark.parametrize("rows", [0, 5])
def test_table_hidden_for_a_moment_is_whole_again(table: Table, frames: int, rows: int) -> None:
    """Hidden for some frames, as JupyterLab does to change its theme, a table shows its newest rows again."""
    table.agent(1, 100)
    before = table.seqs()
    table.tab.evaluate(HIDDEN, {"frames": frames, "rows": rows})
    table.drawn()
    assert table.seqs()[-1] == 100 + rows
    assert len(table.seqs()) == len(before)


def test_failed_view_says_so(table: Table) -> None:
    """A view that failed on Python's side is not shown as live."""
    table.tab.evaluate("() => widget.deliver(agentRows(1, 5), { status: 'failed' })")
    table.drawn()
    assert table.text("status") == "failed"
    assert "failed" in table.text("note")


def test_two_hundred_thousand_rows_are_kept_and_more_are_said(table: Table) -> None:
    """The page keeps 200,000 rows, says how many older ones it let go, and leaves those in sight."""
    table.tab.evaluate(
        "() => { for (let at = 1; at <= 201_000; at += 500) widget.deliver(agentRows(at, 500)) }"
    )
    table.drawn()
    assert table.text("note") == "1,000 earlier events no longer kept"
    assert table.text("count") == "201,000 events"
    assert table.seqs()[-1] == 201_000
    assert table.tab.evaluate("() => document.querySelector('.locus-live-grid').ariaRowCount") == "200001"
    table.scroll_to(240_000)
    before = table.seqs()
    table.agent(201_001, 500)
    assert table.seqs() == before
    assert before[0] == 11_001


def test_says_hello_when_shown(chromium_page: Tab) -> None:
    """Each view says up to where the page has its rows."""
    table = Table(chromium_page)
    table.show()
    table.agent(1, 30)
    table.show()
    assert table.sent("hello") == [0, 30]


def test_gap_asks_python_again(table: Table) -> None:
    """A gap is asked for with the newest seq before it, not more than once a second, and then filled."""
    table.agent(1, 10)
    table.deliver([row(20)], prev=19)
    table.deliver([row(21)], prev=20)
    assert table.sent("hello") == [0]
    table.tab.wait("() => widget.model.sent.filter((one) => one.kind === 'hello').length === 2")
    assert table.sent("hello") == [0, 10]
    table.tab.evaluate("() => widget.deliver(agentRows(11, 9), { prev: 10 })")
    table.drawn()
    assert table.tab.evaluate("() => leftovers.count().timers") <= 1
    assert table.seqs() == list(range(10, 22))


def test_message_without_rows_can_show_a_gap(table: Table) -> None:
    """A lost last message is asked for when only the status follows it."""
    table.agent(1, 10)
    table.deliver([], prev=14, status="ended")
    table.tab.wait("() => widget.model.sent.filter((one) => one.kind === 'hello').length === 2")
    assert table.text("status") == "ended"
    assert table.sent("hello") == [0, 10]


def test_gap_that_nobody_fills_is_given_up_and_said(chromium_page: Tab) -> None:
    """After six unanswered questions, ever further apart, the page stops asking and says so."""
    chromium_page.call(lambda page: page.clock.install())
    table = Table(chromium_page)
    chromium_page.evaluate(
        "async () => { await widget.show(); widget.deliver([[20, 0, 't', 'r', '', '']], { prev: 19 }) }"
    )
    chromium_page.call(lambda page: page.clock.run_for(120_000))
    assert table.sent("hello") == [0] * 7
    assert table.text("note") == "1 gap that the kernel did not fill"
    assert table.sent("ack")[-1] == 0
    chromium_page.evaluate("() => widget.deliver([[21, 0, 't', 'r', '', '']])")
    chromium_page.call(lambda page: page.clock.run_for(120_000))
    assert table.sent("hello") == [0] * 7
    assert table.sent("ack")[-1] == 21


def test_acknowledges_about_once_a_second(chromium_page: Tab) -> None:
    """While rows come, one acknowledgement a second carries the newest seq without a gap; then none."""
    chromium_page.call(lambda page: page.clock.install())
    table = Table(chromium_page)
    chromium_page.evaluate("() => widget.show()")
    for tick in range(60):
        chromium_page.evaluate("(at) => widget.deliver(agentRows(at, 10))", 1 + tick * 10)
        chromium_page.call(lambda page: page.clock.run_for(50))
    chromium_page.call(lambda page: page.clock.run_for(60_000))
    acks = table.sent("ack")
    assert 3 <= len(acks) <= 5
    assert acks[-1] == 600


def test_unreadable_messages_are_ignored_and_counted(table: Table) -> None:
    """A message that is not of the wire leaves the table as it is, and a small note counts it."""
    for at, script in enumerate(UNREADABLE, start=1):
        table.tab.evaluate(f"async () => {{ {script}; await drawn() }}")
        assert table.text("note") == f"{at} unreadable message{'s' * (at > 1)} ignored", script
    table.agent(5, 2, prev=0)
    assert table.seqs() == [5, 6]


def test_missing_events_are_said(table: Table) -> None:
    """The badge says how many events are missing, and is gone without any."""
    table.agent(1, 3)
    assert table.texts("missing") == []
    table.agent(4, 1, missing=1)
    assert table.text("missing") == "1 event missing"
    table.agent(5, 1, missing=1_234)
    assert table.text("missing") == "1,234 events missing"


def test_says_what_it_waits_for(table: Table) -> None:
    """An empty table says whether it waits, found nothing or is over."""
    assert table.text("empty") == "Waiting for the first event …"
    table.deliver([], status="ended")
    assert table.text("empty") == "Ended without an event."
    table.agent(1, 3)
    assert table.text("empty") == ""
    table.tab.call(lambda page: page.fill(".locus-live-filter", "nothing like it"))
    table.drawn()
    assert table.text("empty") == "No event matches the filter."


def test_one_click_opens_the_details(table: Table) -> None:
    """A click shows the payload as text, the button and Escape close it."""
    table.deliver([row(1), row(2, detail='{\n  "answer": 42\n}')])
    table.tab.click(".locus-live-row:nth-child(2)")
    table.drawn()
    assert table.text("payload") == '{\n  "answer": 42\n}'
    assert table.selected() == [2]
    table.press("Escape")
    assert table.texts("details") == []
    table.tab.click(".locus-live-row:nth-child(1)")
    assert table.text("payload") == "{}"
    table.tab.click(".locus-live-close")
    assert table.texts("details") == []


def test_keyboard_reaches_every_row(table: Table) -> None:
    """Arrows, page keys, Home and End move the selection and keep it in sight; Enter opens, Escape closes."""
    table.agent(1, 500)
    table.tab.call(lambda page: page.focus(".locus-live-grid"))
    table.press("ArrowUp")
    assert table.selected() == [500]
    table.press("Home")
    assert table.selected() == [1]
    assert table.seqs()[0] == 1
    table.press("ArrowDown", "ArrowDown", "Enter")
    assert table.selected() == [3]
    assert table.texts("details-head")[0].startswith("#3")
    table.press("PageDown", "ArrowUp")
    assert table.texts("details-head")[0].startswith("#13")
    table.press("End")
    assert table.selected() == [500]
    assert table.seqs()[-1] == 500
    table.press("Escape")
    assert table.texts("details") == []


def test_handled_keys_stay_in_the_table(table: Table) -> None:
    """The notebook's shortcuts do not see the keys that the table uses, and see the others."""
    table.tab.evaluate(
        "() => { window.keys = []; document.addEventListener('keydown', (event) => keys.push(event.key)) }"
    )
    table.agent(1, 5)
    table.tab.click(".locus-live-row:nth-child(1)")
    table.press("ArrowDown", "Enter", "Escape", "Control+Enter", "s")
    assert table.tab.evaluate("() => keys") == ["Control", "Enter", "s"]


def test_accessible_names_and_counts(table: Table) -> None:
    """The table is a grid of rows and cells that says its size, its selection and where it stands."""
    table.agent(1, 300)
    table.tab.click(".locus-live-row:nth-child(10)")
    table.drawn()
    seen = table.tab.evaluate(
        """() => {
            const grid = document.querySelector("[role=grid]");
            const row = document.getElementById(grid.getAttribute("aria-activedescendant"));
            const cells = [...row.children].every((cell) => cell.role === "gridcell");
            return [grid.ariaRowCount, row.role, row.ariaSelected, Number(row.ariaRowIndex), cells];
        }"""
    )
    assert seen == ["301", "row", "true", table.selected()[0] + 1, True]


def test_filter_finds_type_run_and_preview(table: Table) -> None:
    """Each word of the filter occurs in type, run or preview, whatever its case, also in later rows."""
    table.deliver(
        [
            row(1, event_type="agent.tool.started", run_id="run-A", preview="Weather"),
            row(2, event_type="agent.think", run_id="run-B", preview="tool"),
            row(3, event_type="agent.think", run_id="run-A", preview="nothing"),
        ]
    )
    for query, seqs in {"TOOL": [1, 2], "tool run-a": [1], "weather": [1], "<b>": [], " ": [1, 2, 3]}.items():
        table.tab.call(lambda page, query=query: page.fill(".locus-live-filter", query))
        table.drawn()
        assert table.seqs() == seqs
    table.tab.call(lambda page: page.fill(".locus-live-filter", "tool"))
    table.deliver([row(9, preview="a tool"), row(10)], prev=8)
    table.deliver([row(5, preview="a tool"), row(6)], prev=4)
    assert table.seqs() == [1, 2, 5, 9]
    assert table.text("count") == "4 of 7 events"
    table.press("Escape")
    assert len(table.seqs()) == 7


def test_filter_keeps_up_when_old_rows_leave(table: Table) -> None:
    """A filtered table lets go of what the store let go, and takes in what follows."""
    table.tab.evaluate(
        """async () => {
            for (let at = 1; at <= 199_501; at += 500) widget.deliver(agentRows(at, 500));
            document.querySelector(".locus-live-filter").value = "agent.think";
            document.querySelector(".locus-live-filter").dispatchEvent(new Event("input"));
            await drawn();
            widget.deliver(agentRows(200_001, 1_200));
            await drawn();
        }"""
    )
    assert table.text("count") == "33,333 of 201,200 events"
    assert table.seqs()[-1] == 201_198
    table.scroll_to(0)
    assert table.seqs()[0] == 1_206


def test_follows_until_the_reader_scrolls_up(table: Table) -> None:
    """The newest row stays in sight until the reader scrolls up; a button then jumps back to it."""
    table.agent(1, 100)
    table.agent(101, 100)
    assert table.seqs()[-1] == 200
    assert table.texts("jump") == []
    table.scroll_to(480)
    before = table.seqs()
    table.agent(201, 100)
    assert table.seqs() == before
    assert table.text("jump") == f"↓ Jump to newest · {300 - before[-1]} below"
    table.tab.click(".locus-live-jump")
    table.agent(301, 1)
    assert table.seqs()[-1] == 301
    assert table.texts("jump") == []


def test_scrolling_to_the_end_follows_again(table: Table) -> None:
    """A reader who scrolls down to the newest row follows again without the button."""
    table.agent(1, 100)
    table.scroll_to(0)
    table.scroll_to(1_000_000)
    table.agent(101, 50)
    assert table.seqs()[-1] == 150


def test_wheel_up_stops_following(table: Table) -> None:
    """One turn of the wheel is enough to stop the table while rows pour in."""
    table.agent(1, 300)
    table.tab.call(lambda page: page.hover(".locus-live-grid"))
    table.tab.call(lambda page: page.mouse.wheel(0, -60))
    table.tab.wait("() => document.querySelector('.locus-live-grid').scrollTop < 288 * 24 - 30")
    table.agent(301, 300)
    assert table.seqs()[-1] < 300


def test_filter_keeps_the_place(table: Table) -> None:
    """What the reader looks at stays in sight when the filter changes, even if nothing passed in between."""
    table.agent(1, 1_200)
    table.scroll_to(600 * 24)
    for query, seqs in {"zzz": [], "think": range(606, 606 + 72, 6), "": range(606, 618)}.items():
        table.tab.call(lambda page, query=query: page.fill(".locus-live-filter", query))
        table.drawn()
        assert table.seqs() == list(seqs)


def test_rows_stand_still_while_older_ones_come(table: Table) -> None:
    """Rows merged in above do not move what the reader looks at."""
    table.deliver([row(seq) for seq in range(101, 301)], prev=100)
    table.scroll_to(1_200)
    before = table.seqs()
    table.deliver([row(seq) for seq in range(1, 101)], prev=0)
    assert table.seqs() == before


def test_clicked_row_is_the_one_that_was_pressed(table: Table) -> None:
    """A row pressed while rows pour in does not slip away before the button is released."""
    table.agent(1, 200)
    box = table.tab.evaluate(
        """() => {
            const { x, y } = [...document.querySelectorAll(".locus-live-row")].at(-4).getBoundingClientRect();
            return [x + 80, y + 8];
        }"""
    )
    seq = table.tab.evaluate(
        "([x, y]) => document.elementFromPoint(x, y).closest('[role=row]').firstChild.textContent", box
    )
    table.tab.call(lambda page: (page.mouse.move(*box), page.mouse.down()))
    table.agent(201, 100)
    table.tab.call(lambda page: page.mouse.up())
    table.drawn()
    assert table.texts("details-head")[0].startswith(f"#{seq}agent")


def test_details_survive_their_row(table: Table) -> None:
    """The details stay open and as they are while rows pour in."""
    table.deliver([row(1, detail="first")])
    table.tab.click(".locus-live-row:nth-child(1)")
    table.agent(2, 1_000)
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
    table = Table(chromium_page, twin="twin-1")
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


def test_two_views_show_the_same_rows(table: Table) -> None:
    """A second view has all rows at once, and keeps its own filter and selection."""
    table.agent(1, 8)
    table.show()
    assert table.texts("preview")[1:9] == table.texts("preview")[10:]
    table.tab.call(lambda page: page.locator(".locus-live-filter").nth(1).fill("think"))
    table.agent(9, 1)
    assert table.texts("count") == ["9 events", "1 of 9 events"]
    table.tab.evaluate("() => widget.hide(0)")
    table.agent(10, 3)
    assert table.texts("count") == ["2 of 12 events"]


def test_render_in_the_same_element_replaces_the_view(table: Table) -> None:
    """Rendered again in its element, the table is there once and has its rows."""
    table.agent(1, 4)
    table.tab.evaluate(
        "async () => { widget.hide(0); await widget.render(widget.views[0].el); await drawn() }"
    )
    assert len(table.texts("grid")) == 1
    assert table.seqs() == [1, 2, 3, 4]


def test_nothing_is_left_behind(table: Table) -> None:
    """An aborted view leaves no element, listener or frame; an aborted widget no timer or handler either."""
    table.agent(1, 50)
    table.deliver([row(99)], prev=98)
    table.tab.click(".locus-live-row:nth-child(3)")
    table.tab.evaluate("() => { widget.deliver(agentRows(100, 5)); widget.hide(0) }")
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
            const { default: factory } = await import("/live_table.js");
            const { FakeModel } = await import("/page.js");
            const model = new FakeModel({ run: "", twin: "" });
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


def test_idle_table_does_nothing(table: Table) -> None:
    """Once drawn and acknowledged, a page without messages and without a reader's doing starts nothing."""
    table.agent(1, 50)
    table.tab.wait("() => leftovers.count().timers === 0 && leftovers.count().frames === 0")
    started = table.tab.evaluate("() => leftovers.started")
    for _ in range(10):
        table.drawn()
    assert table.tab.evaluate("() => [leftovers.started, leftovers.count().timers]") == [started, 0]


def test_dead_kernel_leaves_the_rows(table: Table) -> None:
    """When nothing can be sent any more, the rows stay and the note says why none come."""
    table.agent(1, 3)
    table.tab.evaluate("async () => { widget.model.dead = true; await widget.show(); await drawn() }")
    assert table.texts("note") == ["the kernel cannot be reached"] * 2
    assert table.texts("count") == ["3 events", "3 events"]


def test_run_and_twin_may_change(table: Table) -> None:
    """A changed trait is shown without a message."""
    table.tab.evaluate("async () => { widget.model.change('run', 'run-Z'); await drawn() }")
    assert table.text("title") == "run-Z"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_follow_the_theme(table: Table, scheme: str) -> None:
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
    """Times, counts, families and hues are what their documentation says."""
    got = chromium_page.evaluate(
        f"""async () => {{
            {PURE}
            const family = (type, detail = "{{}}") => table.familyOf([1, 0, type, "", "", detail]);
            return {{
                times: [0, 1767605400042, NaN, 1e300].map(table.formatTime),
                counts: [table.counted(0, "event"), table.counted(1, "event"), table.counted(1200, "event")],
                families: ["agent.model.chunk", "agent.tokens.used", "agent.tool.started", "agent.think",
                    "agent.terminate", "rag.query", "rag.query.failed", "error"].map((type) => family(type)),
                failed: [family("agent.tool.completed", '{{\\n  "success": false\\n}}'),
                    family("agent.terminate", '{{\\n  "reason": "error"\\n}}'),
                    family("agent.tool.completed", '{{\\n  "success": true\\n}}')],
                hues: ["run-A", "run-B"].map((run) => table.hueOf(run) === table.hueOf("run-A")),
            }};
        }}"""
    )
    assert got == {
        "times": ["00:00:00.000", "09:30:00.042", "\u2013", "\u2013"],
        "counts": ["0 events", "1 event", "1,200 events"],
        "families": ["model", "model", "tool", "think", "end", "other", "error", "error"],
        "failed": ["error", "error", "tool"],
        "hues": [True, False],
    }
