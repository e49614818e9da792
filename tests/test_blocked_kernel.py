"""Everything a user does in a view, in a real JupyterLab, while the kernel sits in `time.sleep`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.blocked_kit import Blocked, blocked_kernel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.browser import Chromium

BARS = "all('span').map((one) => one.dataset.look)"


@pytest.fixture(scope="module")
def kernel(chromium: Chromium, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Blocked]:
    """Views in JupyterLab and a cell that has been blocked since."""
    with blocked_kernel(chromium, tmp_path_factory.mktemp("lab")) as kernel:
        yield kernel


@pytest.fixture
def view(kernel: Blocked) -> Blocked:
    """The same view for each test, as if nothing had been done in it."""
    kernel.reset()
    return kernel


@pytest.fixture
def timeline(view: Blocked) -> Blocked:
    """The timeline of one run that has ended, fitted."""
    view.filter("run:report")
    view.tab("Timeline")
    view.wait(f"{BARS}.length === 4 && texts('corner')[0] === 'fit'")
    return view


@pytest.fixture
def tree(view: Blocked) -> Blocked:
    """The tree of one run that has ended, all open."""
    view.filter("run:report")
    view.tab("Tree")
    view.wait("texts('name').length > 0 && texts('name')[0] === 'report'")
    while "▸" in view.texts("twisty"):
        view.press("grid", "*")
    view.wait_texts("name", *REPORT)
    return view


REPORT = ["report", "iteration 1", "mock-1", "search", "search", "iteration 2", "mock-1"]


# The table.


def test_the_filter_answers(view: Blocked) -> None:
    """A filter by tool, status and duration leaves what fits, and an error's lines stand open below it."""
    view.filter("tool:weather status:error dur>500")
    view.wait("texts('count')[0].startsWith('1 of ')")
    view.wait("texts('grid')[0].includes('no answer')")


def test_words_are_found_in_previews(view: Blocked) -> None:
    """Words alone are a search in what the rows say."""
    view.filter("b17 done")
    view.wait(
        "texts('count')[0].startsWith('1 of ') && texts('row .lo-preview').includes('weather: b17 is done')"
    )


def test_chips_choose_event_types(view: Blocked) -> None:
    """A click on a chip shows its event type alone, a second one all others, a third one everything."""
    chip = 'chip:has-text("agent.think")'
    seen = []
    for text in ("type:=agent.think", "-type:=agent.think", ""):
        view.click(chip)
        view.wait("all('filter')[0].value === argument", text)
        view.wait(f"texts('count')[0].includes(' of ') === {'true' if text else 'false'}")
        seen.append(int(view.text("count").split()[0]))
    assert seen[0] == 2
    assert seen[1] == sum(map(int, view.texts("chip-count"))) - 2


def test_columns_sort(view: Blocked) -> None:
    """A click on a column's head sorts by it, another one the other way around, a third one not at all."""
    view.filter("run:run-a -status:running -type:think")
    first = "texts('row .lo-length')[0]"
    for wanted in ("ascending", "descending", "none"):
        view.click('head [role="columnheader"]:has-text("duration") button')
        view.wait("root.querySelector('.lo-head .lo-duration').ariaSort === argument", wanted)
        view.wait(f"({first} === '4 s') === (argument === 'descending')", wanted)


@pytest.mark.parametrize("how", ["button", "key"])
def test_pausing_counts_what_is_new(view: Blocked, how: str) -> None:
    """While it is paused the view says how much is new; then it shows that too."""

    def turn() -> None:
        if how == "key":
            view.press("grid", "Space")
        else:
            view.click("pause")

    run = f"while-paused-{how}"
    view.filter(f"run:{run}")
    turn()
    view.order(f"for n in range(6): call({run!r}, f'p{{n}}')")
    view.wait_texts("fresh", "12 new")
    assert view.text("count").startswith("0 of ")
    turn()
    view.wait("texts('count')[0].startsWith('6 of ') && texts('fresh').length === 0")


def test_what_python_asks_for_is_done(view: Blocked) -> None:
    """A filter and a pause set by Python code reach the page from another thread."""
    view.order('view.filter = "agent.think"; view.pause()')
    view.wait_texts("pause", "▶ Resume")
    view.wait("texts('count')[0].startsWith('2 of ')")
    view.order('view.filter = ""; view.resume()')
    view.wait("texts('count')[0].endsWith(' events') && texts('pause')[0].endsWith('Pause')")


def test_python_knows_what_was_done(view: Blocked) -> None:
    """What the user types and pauses is read in Python, while the cell is blocked."""
    view.filter("dur>500")
    view.click("pause")
    once = "view.paused and view.filter == 'dur>500'"
    assert view.ask("[view.filter, view.paused]", once=once) == ["dur>500", True]
    view.click("pause")
    assert view.ask("view.paused", once="not view.paused") is False


def test_a_selection_reaches_python(view: Blocked) -> None:
    """A clicked row is a DataFrame in a callback, which the kernel runs beside the blocked cell."""
    view.filter("tool:weather status:error")
    view.wait("texts('count')[0].startsWith('1 of ')")
    view.click_row(41)
    said = view.ask("said[-1]", once="said and said[-1]['selected'] == [41, 42]")
    assert said == {"main": False, "selected": [41, 42]}


def test_a_range_says_the_time_between(view: Blocked) -> None:
    """Two rows, the second one clicked with shift, give the time between them, and Python the rows."""
    view.filter("run:report")
    view.wait("texts('count')[0].startsWith('6 of ')")
    view.click_row(85)
    view.click_row(92, "Shift")
    view.wait_texts("note", "5 rows selected · 910 ms between the ends")
    chosen = [85, 86, 87, 88, 89, 90, 91, 92, 93]
    assert (
        view.ask("view.selected_df['seq'].tolist()", once=f"len(view.selected_df) == {len(chosen)}") == chosen
    )


def test_keys_move_open_and_close(view: Blocked) -> None:
    """Arrows select, Enter opens the payload, Escape closes it, and a slash leads to the filter."""
    view.press("grid", "Home", "ArrowDown", "Enter")
    view.wait("texts('payload').length === 2")
    view.press("grid", "Escape")
    view.wait("texts('payload').length === 0")
    view.press("grid", "/")
    view.wait("document.activeElement === all('filter')[0]")


def test_arrows_with_shift_make_a_range(view: Blocked) -> None:
    """Shift and an arrow add the next row, and Escape lets go of all."""
    view.filter("run:report")
    view.wait("texts('count')[0].startsWith('6 of ')")
    view.press("grid", "Home", "Shift+ArrowDown", "Shift+ArrowDown", "Shift+ArrowUp", "Shift+ArrowDown")
    view.wait("texts('note')[0]?.startsWith('3 rows selected · 410 ms between the ends')")
    view.press("grid", "Escape", "Escape")
    view.wait("texts('note').length === 0")


@pytest.mark.parametrize("how", ["click", "keys"])
def test_an_errors_lines_close_and_open(view: Blocked, how: str) -> None:
    """A failed call shows its error by itself; its twisty, or left and right, take that away and bring it back."""
    view.filter("tool:weather status:error")
    view.wait("texts('count')[0].startsWith('1 of ')")
    parts = "all('row').filter((one) => one.dataset.part === 'error').length"
    view.wait(f"{parts} === 2")
    for key, left in (("ArrowLeft", 0), ("ArrowRight", 2)):
        if how == "keys":
            view.press("grid", "Home", key)
        else:
            view.click('twisty:text-matches("[▸▾]")')
        view.wait(f"{parts} === {left}")


def test_scrolling_stops_following(view: Blocked) -> None:
    """Who scrolls up stays there while events come, and a button leads back to the newest."""
    view.evaluate("all('grid')[0].scrollTop = 0")
    view.wait("texts('jump').length === 1")
    total = view.text("count")
    view.order("call('scrolled', 's')")
    view.wait("texts('count')[0] !== argument", total)
    assert view.evaluate("all('grid')[0].scrollTop") == 0
    view.click("jump")
    view.wait("texts('jump').length === 0")


def test_payloads_are_copied(view: Blocked) -> None:
    """The drawer copies the event as JSON, and code that gives the same event in pandas."""
    view.filter("agent.think run:run-a")
    view.wait("texts('count')[0].startsWith('1 of ')")
    view.page.call(lambda page: page.context.grant_permissions(["clipboard-read", "clipboard-write"]))
    view.click_row(83)
    read = "() => navigator.clipboard.readText()"
    view.click("copy")
    view.wait("texts('copied')[0] !== ''")
    assert json.loads(view.page.evaluate(read))["data"]["reasoning_preview"] == "so far, so good"
    view.click("pandas")
    view.page.wait(f"async () => (await ({read})()).includes('events_df')")
    assert "83" in view.page.evaluate(read)
    view.click("close")
    view.wait("texts('payload').length === 0")


def test_a_running_call_grows_and_its_end_fills_the_row(view: Blocked) -> None:
    """A started tool has a bar that gets longer by itself, and what ends it stands in the same row."""
    view.filter("run:growing")
    view.order("begin('growing', 'g')")
    view.wait("all('row').length === 1 && texts('row .lo-sign')[0] === '●'")
    length = view.text("row .lo-length")
    view.wait("texts('row .lo-length')[0] !== argument", length)
    width = view.evaluate("parseFloat(all('row .lo-reach')[0].style.width)")
    view.wait("parseFloat(all('row .lo-reach')[0].style.width) > argument", width)
    view.order("end('growing', 'g', ms=1234.0)")
    view.wait_texts("row .lo-length", "1.23 s")
    assert view.texts("row .lo-sign") == ["✓"]
    assert view.texts("row .lo-type") == ["agent.tool.completed"]


def test_what_never_ended_says_so_after_its_run(view: Blocked) -> None:
    """A started tool whose run ends without it is shown as one that never completed."""
    view.filter("run:orphan")
    view.order("begin('orphan', 'o')")
    view.wait("texts('row .lo-sign')[0] === '●'")
    view.order("close('orphan')")
    view.wait("texts('row .lo-preview')[0].startsWith('never completed · ')")
    assert view.texts("row .lo-sign") == ["○"]
    view.tab("Timeline")
    view.wait(f"{BARS}.join() === 'open'")
    view.tab("Tree")
    view.wait("texts('name').includes('search') && texts('branch').join().includes('never completed')")


def test_chunks_fold_into_one_row(view: Blocked) -> None:
    """A streaming answer is one row that counts its characters and how fast they come."""
    view.filter("run:stream")
    # The chunks are apart in time, because the rate at which they come is shown.
    view.order("""
with run_context("stream"):
    emit_sync("agent.model.started", iteration=1, model="mock-1", span_id="s")
    for n in range(20):
        time.sleep(0.002)
        emit_sync("agent.model.chunk", content_preview="0123456789", done=n == 19, span_id="s")
""")
    view.wait(
        r"all('row').length === 1 && /^200 characters · [\d,]+\/s · 01/.test(texts('row .lo-preview')[0])"
    )
    view.order("""
with run_context("stream"):
    emit_sync("agent.model.completed", model="mock-1", content_preview="all of it", duration_ms=40, span_id="s")
""")
    view.wait("all('row').length === 1 && texts('row .lo-preview')[0] === 'all of it'")


# The timeline.


def test_the_timeline_is_drawn(timeline: Blocked) -> None:
    """It has a lane for each tool and parallel call, and the iterations as bands behind them."""
    assert timeline.texts("lane") == ["iterations", "events", "model", "search", ""]
    assert timeline.texts("band") == ["1", "2"]


@pytest.mark.parametrize("how", ["keys", "buttons", "wheel", "drag"])
def test_the_timeline_zooms_and_fits(timeline: Blocked, how: str) -> None:
    """Keys, buttons, ctrl and wheel, and a drag over the axis zoom in, and each has its way back to all."""
    plot, axis = timeline.box("plot"), timeline.box("axis")
    x, y = plot["left"] + plot["width"] / 2, axis["top"] + 8
    if how == "keys":
        timeline.press("waterfall", "+", "+", "-")
    elif how == "buttons":
        timeline.click('zoom[title*="in"]')
    elif how == "wheel":
        timeline.mouse("move", x, plot["top"] + 30)
        timeline.page.call(lambda page: page.keyboard.down("Control"))
        timeline.mouse("wheel", 0, -300)
        timeline.page.call(lambda page: page.keyboard.up("Control"))
    else:
        timeline.mouse("move", x, y)
        timeline.mouse("down")
        timeline.mouse("move", x + 90, y)
        timeline.mouse("up")
    timeline.wait("parseFloat(texts('corner')[0]) > 1")
    if how == "keys":
        timeline.press("waterfall", "0")
    elif how == "buttons":
        timeline.click('zoom:text-is("fit")')
    else:
        timeline.mouse("dblclick", x, y)
    timeline.wait_texts("corner", "fit")


def test_the_timeline_plays_and_comes_back(timeline: Blocked) -> None:
    """Play runs from the start to the end and then shows what is now; a second press stops it midway."""
    timeline.click("play")
    timeline.wait("texts('back').length === 1 && all('play')[0].ariaLabel.startsWith('Pause')")
    timeline.press("waterfall", "Space")
    timeline.wait("all('play')[0].ariaLabel.startsWith('Replay')")
    timeline.click("back")
    timeline.wait(f"texts('back').length === 0 && {BARS}.length === 4")
    timeline.page.call(lambda page: page.locator(timeline.selector("speed")).first.select_option("16"))
    timeline.press("waterfall", "Space")
    timeline.wait("texts('clock')[0] === '1 s of 1 s' && all('play')[0].ariaLabel.startsWith('Replay')")
    timeline.wait(f"{BARS}.length === 4")


def test_the_scrubber_shows_how_it_was(timeline: Blocked) -> None:
    """Before its end a call is seen running, and Escape leads back to now."""
    timeline.page.call(lambda page: page.locator(timeline.selector("range")).first.fill("500"))
    timeline.wait_texts("clock", "500 ms of 1 s")
    timeline.wait(f"{BARS}.filter((look) => look.includes('running')).length === 2")
    timeline.press("waterfall", "Escape")
    timeline.wait(f"{BARS}.length === 4 && !{BARS}.join().includes('running')")


def test_a_bar_opens_the_drawer(timeline: Blocked) -> None:
    """A click on a bar opens its payload, one with shift gives the time between, and Python has the rows."""
    timeline.click('span[data-family="model"]')
    timeline.wait(
        "texts('payload').length === 2 && texts('details-head')[0].includes('agent.model.completed')"
    )
    timeline.click('span[data-look~="error"]', "Shift")
    timeline.wait(r"/^\d rows selected · 420 ms between the ends/.test(texts('note')[0])")
    once = "view.selected_df['seq'].tolist()[:1] == [85] and len(view.selected_df) > 2"
    assert timeline.ask("view.selected_df['seq'].tolist()", once=once) == [85, 86, 87, 88, 89, 90, 91]


def test_keys_go_from_bar_to_bar(timeline: Blocked) -> None:
    """Arrows go along the spans and across the lanes, and Enter opens the drawer."""
    timeline.press("waterfall", "Home", "ArrowRight")
    timeline.wait("texts('said')[0].startsWith('search, 490 ms')")
    timeline.press("waterfall", "ArrowDown")
    timeline.wait("texts('said')[0].startsWith('search, 180 ms')")
    timeline.press("waterfall", "Enter")
    timeline.wait("texts('payload').length === 2")


def test_a_paused_timeline_stands_still(view: Blocked) -> None:
    """While paused it draws no new bar and lets none grow, and says how much is new; then it shows all."""
    view.filter("run:still")
    view.tab("Timeline")
    view.order("begin('still', 'open')")
    view.wait(f"{BARS}.length === 1 && {BARS}[0].includes('running')")
    view.click("pause")
    view.wait("texts('pause')[0].endsWith('Resume')")
    before = view.evaluate("all('span').map((one) => one.textContent)")
    view.order("for n in range(6): call('still', f's{n}')")
    view.wait_texts("fresh", "12 new")
    assert view.evaluate("all('span').map((one) => one.textContent)") == before
    view.click("pause")
    view.wait(f"{BARS}.length > 1 || {BARS}.join().includes('crowd')")


# The tree.


@pytest.mark.parametrize("how", ["click", "keys"])
def test_branches_close_and_open(tree: Blocked, how: str) -> None:
    """A click on its twisty, or left and right, close and open a branch; a star all of them."""
    left = [*REPORT[:2], *REPORT[5:]]
    for key, names in (("ArrowLeft", left), ("ArrowRight", REPORT)):
        if how == "keys":
            tree.press("grid", "Home", "ArrowDown", key)
        else:
            tree.click('branch:has-text("iteration 1") .lo-twisty')
        tree.wait_texts("name", *names)
    tree.press("grid", "*")
    tree.wait_texts("name", "report")
    tree.press("grid", "*")
    tree.wait_texts("name", *REPORT)


@pytest.mark.parametrize("how", ["click", "keys"])
def test_a_call_in_the_tree_opens_the_drawer(tree: Blocked, how: str) -> None:
    """A click on a call, or Enter, opens its payload."""
    if how == "keys":
        tree.press("grid", "Home", "ArrowDown", "ArrowDown", "Enter")
    else:
        tree.click('branch:has-text("mock-1")')
    tree.wait("texts('payload').length === 2 && texts('details-head')[0].includes('agent.model.completed')")


# The list of runs.


def test_a_click_follows_a_run(view: Blocked) -> None:
    """A click on a run shows that run alone, and one on all runs shows all again."""
    view.click('run-line:has-text("run-b")')
    view.wait_texts("title", "run-b")
    view.wait("texts('count')[0].startsWith('20 of ')")
    view.click('run-line:has-text("all runs")')
    view.wait_texts("title", "all runs")
    view.wait("texts('count')[0].endsWith(' events')")


def test_keys_follow_a_run(view: Blocked) -> None:
    """Arrows go through the runs, Enter follows the one that is reached, Escape shows all again."""
    view.press("run-list", "Home", "ArrowDown", "Enter")
    view.wait("texts('title')[0] !== 'all runs' && texts('count')[0].includes(' of ')")
    name = view.text("title")
    assert view.evaluate(
        "all('run-line').find((one) => one.ariaSelected === 'true').textContent.includes(argument)", name
    )
    view.press("run-list", "Escape")
    view.wait_texts("title", "all runs")


def test_runs_are_sorted(view: Blocked) -> None:
    """A click on a head sorts the runs by it, a third one no longer."""
    for wanted in ("descending", "ascending", "none"):
        view.click("run-head .lo-run-events button")
        view.wait("root.querySelector('.lo-run-head .lo-run-events').ariaSort === argument", wanted)
        view.page.call(lambda page: page.mouse.move(0, 0))
        if wanted == "descending":
            falls = "(text, at, all) => at === 0 || +text <= +all[at - 1]"
            view.wait(f"texts('run-line .lo-run-events').slice(2).every({falls})")


# The monitor, the dashboard, and the end of views.


def test_the_monitor_lives(kernel: Blocked) -> None:
    """In a dashboard the bus monitor counts on, four times a second, while the cell is blocked."""
    board = kernel.cell(1)
    board.wait("texts('figures').length === 1")
    before = board.evaluate("texts('figures')[0]")
    kernel.order("for n in range(50): call('monitored', f'm{n}')")
    board.wait("texts('figures')[0] !== argument", before)
    board.wait("parseFloat(texts('chart-head')[0]) > 0")


def test_the_dashboard_is_used(kernel: Blocked) -> None:
    """In a dashboard each view has its own filter, tabs and runs, while the cell is blocked."""
    board = kernel.cell(1)
    board.click('run-line:has-text("run-b")')
    board.wait("texts('title').includes('run-b') && texts('title').includes('report')")
    board.click('run-line:has-text("all runs")')
    board.filter("dur>3000")
    board.wait("texts('tools .lo-count').map((text) => text.includes(' of ')).join() === 'true,false'")
    board.filter("")
    board.tab("Timeline")
    board.wait("all('timeline').length === 1 && all('grid').length >= 1")
    board.tab("Table")


@pytest.mark.parametrize("end, index", [("freeze", 0), ("close", 1)])
def test_a_view_is_ended_by_a_thread(kernel: Blocked, end: str, index: int) -> None:
    """Frozen or closed while the cell is blocked, a view is its picture at once, and its readers are gone."""
    cell = kernel.cell(2)
    title = "[...root.querySelectorAll('.jp-OutputArea-child')].filter((one) => one.offsetHeight > 0)"
    cell.wait(f"{title}.length === 2")
    before = cell.evaluate("root.querySelectorAll('.locus-live').length")
    kernel.order(f"leaving[{index}].{end}()")
    cell.wait("root.querySelectorAll('.locus-live').length === argument - 1", before)
    cell.wait(
        f"{title}.length === 2 && {title}.filter((one) => one.querySelector('.locus-static svg')).length === argument",
        3 - before,
    )
    assert kernel.ask(f"leaving[{index}].status") == "ended"
