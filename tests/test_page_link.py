"""What a page hears from Python and says back: rows, gaps, acknowledgements."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.page_kit import LiveView, row, started, tally

if TYPE_CHECKING:
    from tests.browser import Tab

PURE = """
    const { RowStore } = await import("/page/store.js");
    const { Row } = await import("/page/row.js");
    const { wireRow } = await import("/page.js");
    const rows = (...seqs) => seqs.map((seq) => new Row(wireRow(seq, "t", { detail: "" })));
"""


@pytest.fixture
def table(chromium_page: Tab) -> LiveView:
    """A view of all runs, shown once."""
    table = LiveView(chromium_page)
    table.show()
    return table


KNOWN = "kind: 'rows', now: 0, prev: 0, last: 0, missing: 0, status: 'live'"
UNREADABLE = [
    "widget.model.trigger('msg:custom', null, [])",
    "widget.model.trigger('msg:custom', 'rows', undefined)",
    "widget.model.trigger('msg:custom', { kind: 'other' }, [])",
    "widget.deliverText('[]', { kind: 'rows' })",
    f"widget.deliverText('[{{', {{ {KNOWN}, count: 1, total: 1 }})",
    f"widget.deliverText('{{}}', {{ {KNOWN}, count: 0, total: 1 }})",
    "widget.deliver([], { status: 'fine' })",
    "widget.deliver([], { now: null })",
    "widget.deliver([], { prev: -1 })",
    "widget.deliver([], { missing: '3' })",
    "widget.deliver([], { count: 4 })",
    "widget.deliver([[1, 0, 't', 'r', 'p', 'd']])",
    "widget.deliver([['1', ...wireRow(1, 't').slice(1)]])",
    "widget.deliver([wireRow(0, 't'), wireRow(2, 't', { time: null }), wireRow(3, {})])",
    "widget.deliver([wireRow(1, 't', { phase: 'middle' }), wireRow(2, 't', { duration: -1 })])",
    "widget.deliver([], {}, [['run-A']])",
    f"widget.model.trigger('msg:custom', {{ {KNOWN}, count: 0, total: 0 }})",
]


def test_rows_in_any_order_are_shown_in_order_once(table: LiveView) -> None:
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
                const store = new RowStore({{ maxRows: 10_000 }});
                const all = new Set();
                for (let message = 0; message < 40; message++) {{
                    const length = random(9);
                    const seqs = Array.from({{ length }}, () => 1 + random(200));
                    for (const seq of seqs) all.add(seq);
                    store.merge(random(200), rows(...seqs));
                }}
                const want = [...all].sort((a, b) => a - b).join();
                if (store.rows.map((one) => one.seq).join() !== want) return `round ${{round}}`;
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
            const store = new RowStore();
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
            const range = (from, to, detail) => Array.from(
                {{ length: to - from + 1 }}, (_, i) => new Row(wireRow(from + i, "t", {{ detail }})));
            const few = new RowStore({{ maxRows: 10 }});
            few.merge(0, range(1, 25, ""));
            few.merge(0, range(3, 12, ""));
            const short = new RowStore({{ maxChars: 100 }});
            short.merge(0, range(1, 30, "0123456789"));
            short.merge(30, range(31, 31, "x".repeat(500)));
            return [few, short].map((store) => [store.rows[0].seq, store.rows.length, store.dropped]);
        }}"""
    )
    assert result == [[16, 10, 15], [31, 1, 30]]


def test_store_counts_all_texts_of_a_row(chromium_page: Tab) -> None:
    """Types, runs and names count as text, too: rows of nothing else do not fill the memory."""
    rows = chromium_page.evaluate(
        f"""async () => {{
            {PURE}
            const long = "x".repeat(1000);
            const names = ["type", "run", "span", "parent", "agent", "name"];
            return names.map((name) => {{
                const store = new RowStore({{ maxChars: 3000 }});
                const made = Array.from({{ length: 9 }}, (_, at) => new Row(wireRow(1 + at, "t")));
                for (const row of made) row[name] = long;
                store.merge(0, made);
                return store.rows.length;
            }});
        }}"""
    )
    assert rows == [2] * 6


def test_rows_that_python_no_longer_keeps_are_said(table: LiveView) -> None:
    """A page that comes late says how many rows were let go before; while it catches up it says nothing yet."""
    table.tab.evaluate("() => widget.deliver(pointRows(501, 50), { prev: 0, last: 600, total: 600 })")
    table.drawn()
    assert table.text("note") == ""
    table.tab.evaluate("() => widget.deliver(pointRows(551, 50), { last: 600, total: 600 })")
    table.drawn()
    assert table.text("note") == "500 earlier events no longer kept"


def test_two_hundred_thousand_rows_are_kept_and_more_are_said(table: LiveView) -> None:
    """The page keeps 200,000 rows, says how many older ones it let go, and leaves those in sight."""
    table.tab.evaluate(
        "() => { for (let at = 1; at <= 201_000; at += 500) widget.deliver(pointRows(at, 500)) }"
    )
    table.drawn()
    assert table.text("note") == "1,000 earlier events no longer kept"
    assert table.text("count") == "201,000 events"
    assert table.seqs()[-1] == 201_000
    assert table.tab.evaluate("() => document.querySelector('.lo-grid').ariaRowCount") == "200001"
    table.scroll_to(240_000)
    before = table.seqs()
    table.points(201_001, 500)
    assert table.seqs() == before
    assert before[0] == 11_001


def test_says_hello_when_shown(chromium_page: Tab) -> None:
    """Each view says up to where the page has its rows."""
    table = LiveView(chromium_page)
    table.show()
    table.points(1, 30)
    table.show()
    assert table.sent("hello") == [0, 30]


def test_gap_asks_python_again(table: LiveView) -> None:
    """A gap is asked for with the newest seq before it, not more than once a second, and then filled."""
    table.points(1, 10)
    table.deliver([row(20)], prev=19)
    table.deliver([row(21)], prev=20)
    assert table.sent("hello") == [0]
    table.tab.wait("() => widget.model.sent.filter((one) => one.kind === 'hello').length === 2")
    assert table.sent("hello") == [0, 10]
    table.tab.evaluate("() => widget.deliver(pointRows(11, 9), { prev: 10 })")
    table.drawn()
    table.tab.wait("() => leftovers.count().timers === 0")
    assert table.sent("hello") == [0, 10]
    assert table.seqs() == list(range(10, 22))


def test_message_without_rows_can_show_a_gap(table: LiveView) -> None:
    """A lost last message is asked for when only the status follows it."""
    table.points(1, 10)
    table.deliver([], prev=14, status="ended")
    table.tab.wait("() => widget.model.sent.filter((one) => one.kind === 'hello').length === 2")
    assert table.text("status") == "ended"
    assert table.sent("hello") == [0, 10]


def test_gap_that_nobody_fills_is_given_up_and_said(chromium_page: Tab) -> None:
    """After six unanswered questions, ever further apart, the page stops asking and says so."""
    chromium_page.call(lambda page: page.clock.install())
    table = LiveView(chromium_page)
    chromium_page.evaluate(
        "async () => { await widget.show(); widget.deliver([wireRow(20, 't')], { prev: 19 }) }"
    )
    chromium_page.call(lambda page: page.clock.run_for(120_000))
    assert table.sent("hello").count(0) == 7
    assert table.text("note") == "1 gap that the kernel did not fill"
    assert table.sent("ack")[-1] == 0
    chromium_page.evaluate("() => widget.deliver([wireRow(21, 't')])")
    chromium_page.call(lambda page: page.clock.run_for(120_000))
    assert table.sent("hello").count(0) == 7
    assert table.sent("ack")[-1] == 21


def test_acknowledges_about_once_a_second(chromium_page: Tab) -> None:
    """While rows come, one acknowledgement a second carries the newest seq without a gap; then none."""
    table = LiveView(chromium_page)
    chromium_page.evaluate("() => widget.show()")
    chromium_page.call(lambda page: page.clock.install(time=0))
    chromium_page.call(lambda page: page.clock.pause_at(1_000))
    for tick in range(60):
        chromium_page.evaluate("(at) => widget.deliver(pointRows(at, 10))", 1 + tick * 10)
        chromium_page.call(lambda page: page.clock.run_for(50))
    chromium_page.call(lambda page: page.clock.run_for(60_000))
    acks = table.sent("ack")
    assert acks == [10, 200, 400, 600]


def test_unreadable_messages_are_ignored_and_counted(table: LiveView) -> None:
    """A message that is not of the wire leaves the table as it is, and a small note counts it."""
    for at, script in enumerate(UNREADABLE, start=1):
        table.tab.evaluate(f"async () => {{ {script}; await drawn() }}")
        assert table.text("note") == f"{at} unreadable message{'s' * (at > 1)} ignored", script
    table.points(5, 2, prev=0)
    assert table.seqs() == [5, 6]


def test_missing_events_are_said(table: LiveView) -> None:
    """The badge says how many events are missing, and is gone without any."""
    table.points(1, 3)
    assert table.texts("missing") == []
    table.points(4, 1, missing=1)
    assert table.text("missing") == "1 event missing"
    table.points(5, 1, missing=1_234)
    assert table.text("missing") == "1,234 events missing"


def test_dead_kernel_leaves_the_rows(table: LiveView) -> None:
    """When nothing can be sent any more, the rows stay and the note says why none come."""
    table.points(1, 3)
    table.tab.evaluate("async () => { widget.model.dead = true; await widget.show(); await drawn() }")
    assert table.texts("note") == ["the kernel cannot be reached"] * 2
    assert table.texts("count") == ["3 events", "3 events"]


def test_view_without_news_stands_still_and_says_so(chromium_page: Tab) -> None:
    """Eight seconds after the last message a live view stops there, says so, and asks; with news it goes on."""
    chromium_page.call(lambda page: page.clock.install(time=1_000))
    chromium_page.call(lambda page: page.clock.pause_at(1_000_000))
    table = LiveView(chromium_page, run="run-A")
    rows, tallies = [started(1, time_ms=1_000_000)], [tally("run-A", started=1_000_000)]
    chromium_page.evaluate(
        "async ([rows, tallies]) => { await widget.show(); widget.deliver(rows, {}, tallies) }",
        [rows, tallies],
    )
    chromium_page.call(lambda page: page.clock.run_for(5_000))
    chromium_page.evaluate("() => widget.deliver([])")
    chromium_page.call(lambda page: page.clock.run_for(7_500))
    assert table.texts("status") == ["live"]
    assert table.texts("value")[0].startswith("12.")
    assert table.sent("hello") == [0]
    chromium_page.call(lambda page: page.clock.run_for(900))
    assert table.texts("status") == ["no news for 8 s"]
    (elapsed,), (length,) = table.texts("value"), table.texts("length")
    assert elapsed.startswith("5.")
    assert length.startswith("5")
    chromium_page.call(lambda page: page.clock.run_for(40_000))
    assert table.texts("status")[0].startswith("no news for 4")
    assert (table.texts("value"), table.texts("length")) == ([elapsed], [length])
    # The kernel may have given the page up, while it could not be heard.
    assert table.sent("hello") == [0, 1]
    chromium_page.call(lambda page: page.clock.run_for(100_000))
    assert table.texts("status") == ["no news for more than 1 m 00 s"]
    chromium_page.evaluate("() => widget.deliver([])")
    chromium_page.call(lambda page: page.clock.run_for(50))
    assert table.texts("status") == ["live"]
    assert table.texts("value")[0].startswith("2 m 3")
    chromium_page.evaluate("() => widget.deliver([], { status: 'ended' })")
    chromium_page.call(lambda page: page.clock.run_for(100_000))
    assert table.texts("status") == ["ended"]


def test_each_message_is_acknowledged(table: LiveView) -> None:
    """Python hears of a page that listens also while there are no rows."""
    table.deliver([])
    table.tab.wait("() => widget.model.sent.some((one) => one.kind === 'ack')")


def test_failed_view_says_so(table: LiveView) -> None:
    """A view that failed on Python's side is not shown as live."""
    table.tab.evaluate("() => widget.deliver(pointRows(1, 5), { status: 'failed' })")
    table.drawn()
    assert table.text("status") == "failed"
    assert "failed" in table.text("note")
