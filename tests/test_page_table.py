"""The table of a live view in real Chromium."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.page_kit import LiveView, row

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
        "() => [...document.querySelector('.locus-live-row').children].map((c) => c.textContent)"
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
    """The type column is as wide as the longest event type."""
    table.deliver([row(1, event_type="multiagent.handoff.candidate.completed")])
    widths = "(e) => [e.scrollWidth, e.clientWidth]"
    needed, given = table.tab.call(
        lambda page: page.eval_on_selector(".locus-live-row .locus-live-type", widths)
    )
    assert needed <= given


def test_only_rows_in_sight_are_in_the_document(table: LiveView) -> None:
    """However many rows there are, the document holds a screenful."""
    table.points(1, 20_000)
    assert table.tab.evaluate("() => document.querySelectorAll('.locus-live-row').length") < 40
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
    table.tab.call(lambda page: page.fill(".locus-live-filter", "nothing like it"))
    table.drawn()
    assert table.text("empty") == "No event matches the filter."


def test_keyboard_reaches_every_row(table: LiveView) -> None:
    """Arrows, page keys, Home and End move the selection and keep it in sight; Enter opens, Escape closes."""
    table.points(1, 500)
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


def test_accessible_names_and_counts(table: LiveView) -> None:
    """The table is a grid of rows and cells that says its size, its selection and where it stands."""
    table.points(1, 300)
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
        table.tab.call(lambda page, query=query: page.fill(".locus-live-filter", query))
        table.drawn()
        assert table.seqs() == seqs
    table.tab.call(lambda page: page.fill(".locus-live-filter", "tool"))
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
            document.querySelector(".locus-live-filter").value = "agent.think";
            document.querySelector(".locus-live-filter").dispatchEvent(new Event("input"));
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
    assert table.text("jump") == f"↓ Jump to newest · {300 - before[-1]} below"
    table.tab.click(".locus-live-jump")
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
    table.tab.call(lambda page: page.hover(".locus-live-grid"))
    table.tab.call(lambda page: page.mouse.wheel(0, -60))
    table.tab.wait("() => document.querySelector('.locus-live-grid').scrollTop < 288 * 24 - 30")
    table.points(301, 300)
    assert table.seqs()[-1] < 300


def test_filter_keeps_the_place(table: LiveView) -> None:
    """What the reader looks at stays in sight when the filter changes, even if nothing passed in between."""
    table.points(1, 1_200)
    table.scroll_to(600 * 24)
    for query, seqs in {"zzz": [], "think": range(603, 603 + 72, 6), "": range(603, 615)}.items():
        table.tab.call(lambda page, query=query: page.fill(".locus-live-filter", query))
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
            const { x, y } = [...document.querySelectorAll(".locus-live-row")].at(-4).getBoundingClientRect();
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
