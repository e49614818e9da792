"""The table of a live view in real Chromium."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.page_kit import LiveView, ended, row, started, tally

if TYPE_CHECKING:
    from tests.browser import Tab


@pytest.fixture
def table(chromium_page: Tab) -> LiveView:
    """A view of all runs, shown once."""
    table = LiveView(chromium_page)
    table.show()
    return table


HIDDEN = """async ({ frames, rows }) => {
    const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
    const output = document.querySelector(".output");
    const show = () => { output.style.display = ""; };
    await drawn();
    // Before the table draws; with no frame in between it is shown again right after, and no resize is reported.
    requestAnimationFrame(() => { output.style.display = "none"; });
    widget.deliver(pointRows(101, rows));
    if (frames === 0) requestAnimationFrame(show);
    for (let index = 0; index < frames; index++) await frame();
    show();
    await frame();
    await frame();
    await frame();
    await frame();
}"""


def test_shows_every_column_of_a_row(table: LiveView) -> None:
    """A row shows its seq, local time, full event type, run and preview."""
    table.deliver([row(7, time_ms=1_767_605_400_042, event_type="agent.model.completed", preview="hello")])
    cells = table.tab.evaluate(
        "() => [...document.querySelector('.lo-row').children].map((c) => c.textContent)"
    )
    assert cells == ["7", "09:30:00.042", "agent.model.completed", "run-A", "", "", "hello"]
    assert table.text("title") == "all runs"
    assert table.text("status") == "live"
    assert table.text("count") == "1 event"


def test_watching_one_run_hides_the_run_column(chromium_page: Tab) -> None:
    """With one run watched its id is the title, and the column is gone."""
    table = LiveView(chromium_page, run="run-A")
    table.show()
    table.points(1, 3)
    assert table.text("title") == "run-A"
    assert table.texts("run") == []
    assert len(table.texts("preview")) == 4


def test_long_event_types_are_shown_in_full(table: LiveView) -> None:
    """Where there is room the type column is as wide as the longest event type; elsewhere its title says it."""
    name = "multiagent.handoff.candidate.completed"
    table.deliver([row(1, event_type=name)])
    widths = "(e) => [e.scrollWidth - e.clientWidth, e.title]"
    for width in (900, 1400):
        table.tab.call(lambda page, width=width: page.set_viewport_size({"width": width, "height": 700}))
        table.drawn()
        lacking, title = table.tab.call(lambda page: page.eval_on_selector(".lo-row .lo-type", widths))
        assert (lacking <= 0) is (width == 1400)
        assert title == name


def test_only_rows_in_sight_are_in_the_document(table: LiveView) -> None:
    """However many rows there are, the document holds a screenful."""
    table.points(1, 20_000)
    assert table.tab.evaluate("() => document.querySelectorAll('.lo-row').length") < 40
    assert table.text("count") == "20,000 events"


@pytest.mark.parametrize("frames", [0, 1, 2, 10])
@pytest.mark.parametrize("rows", [0, 5])
def test_table_hidden_for_a_moment_is_whole_again(table: LiveView, frames: int, rows: int) -> None:
    """Hidden for some frames, as JupyterLab does to change its theme, a table shows its newest rows again."""
    table.points(1, 100)
    before = table.seqs()
    table.tab.evaluate(HIDDEN, {"frames": frames, "rows": rows})
    table.drawn()
    assert table.seqs()[-1] == 100 + rows
    assert len(table.seqs()) == len(before)


def test_says_what_it_waits_for(table: LiveView) -> None:
    """An empty table says whether it waits, found nothing or is over."""
    assert table.text("empty") == "Waiting for the first event …"
    table.deliver([], status="ended")
    assert table.text("empty") == "Ended without an event."
    table.points(1, 3)
    assert table.text("empty") == ""
    table.tab.call(lambda page: page.fill(".lo-filter", "nothing like it"))
    table.drawn()
    assert table.text("empty") == "No event matches the filter."


def test_keyboard_reaches_every_row(table: LiveView) -> None:
    """Arrows, page keys, Home and End move the selection and keep it in sight; Enter opens, Escape closes."""
    table.points(1, 500)
    table.tab.call(lambda page: page.focus(".lo-grid"))
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


def test_accessible_names_and_counts(table: LiveView) -> None:
    """The table is a grid of rows and cells that says its size, its selection and where it stands."""
    table.points(1, 300)
    table.tab.click(".lo-row:nth-child(10)")
    table.drawn()
    seen = table.tab.evaluate(
        """() => {
            const grid = document.querySelector(".lo-grid");
            const row = document.getElementById(grid.getAttribute("aria-activedescendant"));
            const cells = [...row.children].every((cell) => cell.role === "gridcell");
            return [grid.ariaRowCount, row.role, row.ariaSelected, Number(row.ariaRowIndex), cells];
        }"""
    )
    assert seen == ["301", "row", "true", table.selected()[0] + 1, True]


def test_filter_finds_type_run_and_preview(table: LiveView) -> None:
    """Each word of the filter occurs in type, run or preview, whatever its case, also in later rows."""
    table.deliver(
        [
            row(1, event_type="agent.tool.started", run_id="run-A", preview="Weather"),
            row(2, event_type="agent.think", run_id="run-B", preview="tool"),
            row(3, event_type="agent.think", run_id="run-A", preview="nothing"),
        ]
    )
    for query, seqs in {"TOOL": [1, 2], "tool run-a": [1], "weather": [1], "<b>": [], " ": [1, 2, 3]}.items():
        table.tab.call(lambda page, query=query: page.fill(".lo-filter", query))
        table.drawn()
        assert table.seqs() == seqs
    table.tab.call(lambda page: page.fill(".lo-filter", "tool"))
    table.deliver([row(9, preview="a tool"), row(10)], prev=8)
    table.deliver([row(5, preview="a tool"), row(6)], prev=4)
    assert table.seqs() == [1, 2, 5, 9]
    assert table.text("count") == "4 of 7 rows"
    table.press("Escape")
    assert len(table.seqs()) == 7


def test_filter_keeps_up_when_old_rows_leave(table: LiveView) -> None:
    """A filtered table lets go of what the store let go, and takes in what follows."""
    table.tab.evaluate(
        """async () => {
            for (let at = 1; at <= 199_501; at += 500) widget.deliver(pointRows(at, 500));
            document.querySelector(".lo-filter").value = "agent.think";
            document.querySelector(".lo-filter").dispatchEvent(new Event("input"));
            await drawn();
            widget.deliver(pointRows(200_001, 1_200));
            await drawn();
        }"""
    )
    assert table.text("count") == "33,333 of 200,000 rows"
    assert table.seqs()[-1] == 201_195
    table.scroll_to(0)
    assert table.seqs()[0] == 1_203


def test_follows_until_the_reader_scrolls_up(table: LiveView) -> None:
    """The newest row stays in sight until the reader scrolls up; a button then jumps back to it."""
    table.points(1, 100)
    table.points(101, 100)
    assert table.seqs()[-1] == 200
    assert table.texts("jump") == []
    table.scroll_to(480)
    before = table.seqs()
    table.points(201, 100)
    assert table.seqs() == before
    assert table.text("jump") == f"↓ {300 - before[-1]} below"
    bottoms = "(parts) => parts.map((part) => document.querySelector(part).getBoundingClientRect().bottom)"
    jump, head = table.tab.evaluate(bottoms, [".lo-jump", ".lo-head"])
    # It covers no row.
    assert jump <= head
    table.tab.click(".lo-jump")
    table.points(301, 1)
    assert table.seqs()[-1] == 301
    assert table.texts("jump") == []


def test_scrolling_to_the_end_follows_again(table: LiveView) -> None:
    """A reader who scrolls down to the newest row follows again without the button."""
    table.points(1, 100)
    table.scroll_to(0)
    table.scroll_to(1_000_000)
    table.points(101, 50)
    assert table.seqs()[-1] == 150


def test_wheel_up_stops_following(table: LiveView) -> None:
    """One turn of the wheel is enough to stop the table while rows pour in."""
    table.points(1, 300)
    table.tab.call(lambda page: page.hover(".lo-grid"))
    table.tab.call(lambda page: page.mouse.wheel(0, -60))
    table.tab.wait("() => document.querySelector('.lo-grid').scrollTop < 288 * 24 - 30")
    table.points(301, 300)
    assert table.seqs()[-1] < 300


def test_filter_keeps_the_place(table: LiveView) -> None:
    """What the reader looks at stays in sight when the filter changes, even if nothing passed in between."""
    table.points(1, 1_200)
    table.scroll_to(600 * 24)
    for query, seqs in {"zzz": [], "think": range(603, 603 + 72, 6), "": range(603, 615)}.items():
        table.tab.call(lambda page, query=query: page.fill(".lo-filter", query))
        table.drawn()
        assert table.seqs() == list(seqs)


def test_rows_stand_still_while_older_ones_come(table: LiveView) -> None:
    """Rows merged in above do not move what the reader looks at."""
    table.deliver([row(seq) for seq in range(101, 301)], prev=100)
    table.scroll_to(1_200)
    before = table.seqs()
    table.deliver([row(seq) for seq in range(1, 101)], prev=0)
    assert table.seqs() == before


def test_clicked_row_is_the_one_that_was_pressed(table: LiveView) -> None:
    """A row pressed while rows pour in does not slip away before the button is released."""
    table.points(1, 200)
    box = table.tab.evaluate(
        """() => {
            const { x, y } = [...document.querySelectorAll(".lo-row")].at(-4).getBoundingClientRect();
            return [x + 80, y + 8];
        }"""
    )
    seq = table.tab.evaluate(
        "([x, y]) => document.elementFromPoint(x, y).closest('[role=row]').firstChild.textContent", box
    )
    table.tab.call(lambda page: (page.mouse.move(*box), page.mouse.down()))
    table.points(201, 100)
    table.tab.call(lambda page: page.mouse.up())
    table.drawn()
    assert table.texts("details-head")[0].startswith(f"#{seq}agent")


STATES = """() => [...document.querySelectorAll(".lo-row")].filter((row) => !row.hidden)
    .map((row) => [
        row.querySelector(".lo-type").textContent,
        row.querySelector(".lo-length").textContent,
        row.querySelector(".lo-sign").textContent,
        row.querySelector(".lo-text").textContent,
    ])"""


def test_end_fills_the_row_of_its_start(table: LiveView) -> None:
    """A started span has a bar at once; its end puts type, duration, sign and preview into the same row."""
    table.deliver([started(1, "a"), started(2, "b", time_ms=40)], [tally("run-A")])
    (first, second) = table.tab.evaluate(STATES)
    assert (first[0], first[2]) == ("agent.tool.started", "●")
    assert second[1:] == ["0 µs", "●", "search(query)"] or second[1].endswith("s")
    table.deliver(
        [ended(3, "b", status="error", duration=1500.0, preview="failed"), ended(4, "a", preview="3 hits")]
    )
    assert table.tab.evaluate(STATES) == [
        ["agent.tool.completed", "12.5 ms", "✓", "3 hits"],
        ["agent.tool.completed", "1.5 s", "✕", "failed"],
    ]
    assert table.seqs() == [1, 2]


def test_bar_of_a_running_span_grows(chromium_page: Tab) -> None:
    """While a span runs its bar and its time grow without a message, about four times a second; then nothing."""
    chromium_page.call(lambda page: page.clock.install(time=1_000_000))
    table = LiveView(chromium_page, run="run-A")
    chromium_page.evaluate("() => widget.show()")
    chromium_page.evaluate(
        "([rows, tallies]) => widget.deliver(rows, {}, tallies)",
        [[started(1, time_ms=1_000_000)], [tally("run-A", started=1_000_000)]],
    )
    seen: list[Any] = []
    bar = "() => parseFloat(document.querySelector('.lo-reach').style.width)"
    for _ in range(3):
        chromium_page.call(lambda page: page.clock.run_for(3_000))
        chromium_page.evaluate("() => widget.deliver([])")
        seen.append(chromium_page.evaluate(bar))
    assert 0 < seen[0] < seen[1] < seen[2]
    assert table.texts("length")[0].startswith("8.") or table.texts("length")[0].startswith("9")
    assert table.texts("value")[0].startswith("9.")
    chromium_page.evaluate(
        """() => {
            window.changes = 0;
            new MutationObserver(() => { window.changes++; }).observe(
                document.querySelector(".lo-length"), { characterData: true, childList: true, subtree: true });
        }"""
    )
    for _ in range(5):
        chromium_page.evaluate("() => widget.deliver([])")
        chromium_page.call(lambda page: page.clock.run_for(2_000))
    assert 30 <= chromium_page.evaluate("() => changes") <= 48
    chromium_page.evaluate("(tallies) => widget.deliver([], {}, tallies)", [tally("run-A", "ok")])
    chromium_page.call(lambda page: page.clock.run_for(2_000))
    before = chromium_page.evaluate("() => changes")
    chromium_page.call(lambda page: page.clock.run_for(10_000))
    assert chromium_page.evaluate("() => changes") == before


@pytest.mark.parametrize("by", ["tally", "status"])
def test_span_without_an_end_says_so_when_its_run_is_over(table: LiveView, by: str) -> None:
    """A span still open when its run has ended, or the view has, reads "never completed" and shows no time."""
    table.deliver([started(1), started(2, "b", run_id="run-B")], [tally("run-A"), tally("run-B")])
    if by == "tally":
        table.deliver([], [tally("run-A", "error")])
    else:
        table.deliver([], status="ended")
    rows = table.tab.evaluate(STATES)
    assert rows[0] == ["agent.tool.started", "", "○", "never completed · search(query)"]
    assert (rows[1][2] == "●") is (by == "tally")


def test_chunks_fold_into_one_growing_row(table: LiveView) -> None:
    """Streamed chunks are one row with their characters, rate and newest text, until the end replaces it."""
    model = {"family": "model", "name": "gpt-5"}
    chunks = [
        row(
            seq, event_type="agent.model.chunk", phase="chunk", span="m", time_ms=1000 * seq, preview="x" * 50
        )
        for seq in range(2, 6)
    ]
    table.deliver([started(1, "m", event_type="agent.model.started", time_ms=1000, **model), *chunks])
    assert table.tab.evaluate(STATES)[0][3] == f"200 characters · 50/s · {'x' * 50}"
    assert table.seqs() == [1]
    table.deliver([ended(6, "m", event_type="agent.model.completed", preview="done", **model)])
    assert table.tab.evaluate(STATES)[0] == ["agent.model.completed", "12.5 ms", "✓", "done"]


def test_errors_open_by_themselves_and_close(table: LiveView) -> None:
    """Up to three lines of an error stand below its row; twisty and arrow keys close and open them."""
    error = "ValueError: no\n\n  at line 1\n  at line 2\n  at line 3\n  at line 4"
    table.deliver([row(1), started(2), row(3), ended(4, status="error", error=error), row(5)])
    lines = ["ValueError: no", "  at line 1", "  at line 2"]
    shown = """() => [...document.querySelectorAll(".lo-row[data-part] .lo-text")]
        .filter((node) => node.checkVisibility()).map((node) => node.textContent)"""
    assert table.tab.evaluate(shown) == lines
    assert table.tab.evaluate("() => document.querySelector('.lo-grid').ariaRowCount") == "8"
    table.tab.click(".lo-row:nth-child(2) .lo-twisty")
    table.drawn()
    assert table.tab.evaluate(shown) == []
    assert table.selected() == []
    table.click_row(2)
    for key, expected in {"ArrowRight": lines, "ArrowLeft": []}.items():
        table.press(key)
        assert table.tab.evaluate(shown) == expected
    table.press("ArrowRight", "ArrowDown")
    assert table.selected() == [3]
    table.press("ArrowUp")
    assert table.selected() == [2]
    table.tab.click(".lo-row[data-part]")
    table.drawn()
    assert table.selected() == [2]


def test_error_in_the_preview_is_not_repeated(table: LiveView) -> None:
    """An error of one line that a short preview says already has no line of its own; a longer one has."""
    short, long = "search: too slow", "search: " + "very " * 20 + "slow"
    table.deliver(
        [
            row(1, status="error", error="too slow", preview=short),
            row(2, status="error", error="very " * 20 + "slow", preview=long),
            row(3, status="error", error="too slow\nby far", preview=short),
        ]
    )
    assert table.tab.evaluate("() => document.querySelector('.lo-grid').ariaRowCount") == "7"


def test_lines_of_errors_agree_with_a_list(chromium_page: Tab) -> None:
    """Whatever items have errors, each line is that of the item and part that a plain list would say."""
    wrong = chromium_page.evaluate(
        """async () => {
            const { ErrorLines } = await import("/page/errors.js");
            let state = 7;
            const random = (below) => (state = (state * 48271) % 2147483647) % below;
            for (let round = 0; round < 50; round++) {
                const items = Array.from({ length: random(60) }, (_, seq) => ({ seq, more: random(3) && random(4) }));
                const lines = new ErrorLines(), half = random(items.length + 1);
                lines.update(items.slice(0, half), 0, (item) => item.more);
                lines.update(items, half, (item) => item.more);
                const list = items.flatMap((item, index) =>
                    Array.from({ length: 1 + item.more }, (_, part) => `${index}/${part}`));
                if (lines.count !== list.length) return "count";
                for (const [line, want] of list.entries()) {
                    const { item, index, part } = lines.at(line);
                    if (`${index}/${part}` !== want || item !== items[index]) return `${round} ${line}`;
                    if (part === 0 && lines.lineOf(index) !== line) return `lineOf ${round} ${line}`;
                }
            }
            return "";
        }"""
    )
    assert wrong == ""


def test_heads_sort(table: LiveView) -> None:
    """A click on a head sorts upwards, a second downwards, a third takes the order back; what lacks is last."""
    table.deliver(
        [
            row(1, duration=5.0, preview="b", event_type="t.c"),
            row(2, preview="C", event_type="t.a", run_id="run-B"),
            row(3, duration=700.0, preview="a", event_type="t.b", status="error"),
            row(4, duration=60.0, preview="d", event_type="t.a", status="ok"),
        ]
    )
    orders = {
        "duration": ([1, 4, 3, 2], [3, 4, 1, 2]),
        "type": ([2, 4, 3, 1], [1, 3, 2, 4]),
        "run": ([1, 3, 4, 2], [2, 1, 3, 4]),
        "preview": ([3, 1, 2, 4], [4, 2, 1, 3]),
        "sign": ([3, 4, 1, 2], [4, 3, 1, 2]),
    }
    for name, (up, down) in orders.items():
        head = f".lo-head > .lo-{name}"
        for want, said in ((up, "ascending"), (down, "descending"), ([1, 2, 3, 4], "none")):
            table.tab.click(f"{head} > button")
            table.drawn()
            assert table.seqs() == want, (name, said)
            assert table.tab.evaluate("(head) => document.querySelector(head).ariaSort", head) == said
    table.tab.click(".lo-head > .lo-seq > button")
    table.drawn()
    assert table.seqs() == [4, 3, 2, 1]


def test_sorted_table_takes_new_rows_in_once_a_second(chromium_page: Tab) -> None:
    """Sorted otherwise than by seq, the table stands still between sortings and does not follow."""
    chromium_page.call(lambda page: page.clock.install())
    table = LiveView(chromium_page)
    chromium_page.evaluate("() => widget.show()")

    def deliver(seq: int) -> None:
        rows = [row(seq, duration=float(1000 - seq))]
        chromium_page.evaluate("(rows) => widget.deliver(rows)", rows)
        chromium_page.call(lambda page: page.clock.run_for(50))

    for seq in (1, 2, 3):
        deliver(seq)
    chromium_page.click(".lo-head > .lo-duration > button")
    chromium_page.call(lambda page: page.clock.run_for(50))
    assert table.seqs() == [3, 2, 1]
    deliver(4)
    assert table.seqs() == [3, 2, 1]
    chromium_page.call(lambda page: page.clock.run_for(1_100))
    assert table.seqs() == [4, 3, 2, 1]
    assert table.texts("jump") == []


def test_shift_click_in_another_order_selects_what_stands_between(table: LiveView) -> None:
    """In a sorted table a range is what stands between the two clicks, whatever its seqs, and stays that."""
    previews = {1: "c", 2: "a", 3: "e", 4: "b", 5: "d"}
    table.deliver([row(seq, preview=text, time_ms=seq * 100.0) for seq, text in previews.items()])
    table.tab.click(".lo-head .lo-preview button")
    table.drawn()
    assert table.seqs() == [2, 4, 1, 5, 3]
    table.click_row(4)
    table.click_row(5, shift=True)
    assert table.selected() == [4, 1, 5]
    assert table.text("note") == "3 rows selected · 100 ms between the ends"
    table.wait_told(selected=[1, 4, 5])
    table.press("Shift+ArrowDown")
    assert table.selected() == [4, 1, 5, 3]
    table.tab.click(".lo-head .lo-seq button")
    table.drawn()
    assert table.selected() == [5, 4, 3, 1]
    table.filter("-d")
    assert table.text("note").startswith("3 rows selected")
    table.wait_told(selected=[1, 3, 4])
    table.filter("")
    table.tab.click("role=tab[name='Timeline']")
    table.drawn()
    chosen = "document.querySelectorAll('.lo-mark[data-look~=chosen]').length"
    assert table.tab.evaluate(f"() => {chosen}") == 4


def test_line_that_was_pressed_is_clicked(table: LiveView) -> None:
    """A list that is drawn anew between press and release loses no click, and opens what was pressed."""
    table.points(1, 100)
    table.scroll_to(480)
    x, y = table.tab.evaluate(
        """() => {
            const rows = [...document.querySelectorAll(".lo-row")];
            const box = rows.find((one) => one.firstChild.textContent === "25").getBoundingClientRect();
            return [box.left + 60, box.top + 12];
        }"""
    )
    for top in (450, 800):
        table.scroll_to(480)
        table.tab.call(lambda page: page.mouse.move(x, y))
        table.tab.call(lambda page: page.mouse.down())
        table.scroll_to(top)
        table.tab.call(lambda page: page.mouse.up())
        table.drawn()
        assert table.text("details-head").startswith("#25")
        table.press("Escape", "Escape")
    table.scroll_to(480)
    table.tab.call(lambda page: page.mouse.move(x, y))
    table.tab.call(lambda page: page.mouse.down())
    table.tab.call(lambda page: page.mouse.move(x, y + 60))
    table.tab.call(lambda page: page.mouse.up())
    table.drawn()
    assert table.texts("details-head") == []


def test_shift_click_says_the_time_between(table: LiveView) -> None:
    """Shift with a click or an arrow selects up to there; the note says how many and the time between."""
    table.deliver([row(seq, time_ms=seq * 310.0) for seq in range(1, 8)])
    table.click_row(2)
    table.click_row(6, shift=True)
    assert table.selected() == [2, 3, 4, 5, 6]
    assert table.text("note") == "5 rows selected · 1.24 s between the ends"
    table.click_row(3, shift=True)
    assert table.selected() == [2, 3]
    assert table.text("note") == "2 rows selected · 310 ms between the ends"
    table.press("Shift+ArrowDown", "Shift+ArrowDown")
    assert table.selected() == [2, 3, 4, 5]
    table.wait_told(selected=[2, 3, 4, 5])
    table.press("ArrowDown")
    assert table.selected() == [6]
    assert table.text("note") == ""


def test_run_names_are_shown_for_ids(table: LiveView) -> None:
    """A run with a name is shown by it, with its id as the title."""
    table.deliver([row(1)], [tally("run-A", name="nightly")])
    assert table.texts("run")[1:] == ["nightly"]
    assert table.tab.evaluate("() => document.querySelector('.lo-row > .lo-run').title") == "run-A"


def test_lines_of_errors_stay_right_as_the_front_leaves(chromium_page: Tab) -> None:
    """While old rows leave a full store, each line is the one that is counted anew, with and without a filter."""
    wrong = chromium_page.evaluate(
        """async () => {
            const { RowStore } = await import("/page/store.js");
            const { Fold } = await import("/page/fold.js");
            const { Shown } = await import("/page/shown.js");
            const { ErrorLines } = await import("/page/errors.js");
            const { Row } = await import("/page/row.js");
            const store = new RowStore({ maxRows: 40 });
            const fold = new Fold(store);
            const more = (item) => (item.seq % 5 === 0 ? 2 : 0);
            const wrong = [];
            for (const test of [null, (item) => item.seq % 3 !== 0]) {
                const shown = new Shown(fold);
                const lines = new ErrorLines();
                let version = -1, dropped = 0, length = 0;
                for (let step = 0; step < 60; step++) {
                    const first = (store.rows.at(-1)?.seq ?? 0) + 1;
                    const rows = Array.from({ length: (step * 7) % 13 }, (_, n) => new Row(wireRow(first + n, "t")));
                    store.merge(first - 1, rows);
                    fold.update();
                    shown.update(test);
                    const isSame = version === shown.version && lines.items === shown.items;
                    const gone = isSame ? shown.dropped - dropped : 0;
                    if (gone > 0) lines.shift(gone);
                    lines.update(shown.items, isSame ? length - gone : 0, more);
                    ({ version, dropped } = shown);
                    length = shown.items.length;
                    const fresh = new ErrorLines();
                    fresh.update(shown.items, 0, more);
                    for (let line = 0; line < fresh.count; line++) {
                        const [a, b] = [lines.at(line), fresh.at(line)];
                        if (a.item !== b.item || a.part !== b.part) wrong.push([step, line]);
                    }
                    if (lines.count !== fresh.count) wrong.push([step, "count"]);
                }
            }
            return wrong;
        }"""
    )
    assert wrong == []
