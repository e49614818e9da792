"""How items are laid out in lanes, melted into pieces, put under an axis and hung into a tree: pure functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.page_kit import ended, row, started

if TYPE_CHECKING:
    from tests.browser import Tab

FOLDED = """
    const { Row } = await import("/page/row.js");
    const { RowStore } = await import("/page/store.js");
    const { Fold } = await import("/page/fold.js");
    const fold = (rows) => {
        const store = new RowStore();
        const folded = new Fold(store);
        store.merge(0, rows.map((fields) => new Row(fields)));
        folded.update();
        return folded.items;
    };
"""


def lay_out(tab: Tab, rows: list[Any]) -> list[str]:
    """The lines of an open waterfall: kind, label and the seqs of their items."""
    return tab.evaluate(
        f"""async (rows) => {{
            {FOLDED}
            const {{ layOut }} = await import("/page/lanes.js");
            return [...layOut(fold(rows)).lines(() => true)].map(
                ({{ kind, label, items }}) => `${{kind}} ${{label}}: ${{items.map((item) => item.seq)}}`);
        }}""",
        rows,
    )


def bands(tab: Tab, rows: list[Any]) -> list[list[float | None]]:
    """The bands of the first run: from, to, number."""
    return tab.evaluate(
        f"""async (rows) => {{
            {FOLDED}
            const {{ layOut }} = await import("/page/lanes.js");
            const [run] = layOut(fold(rows)).runs.values();
            return run.bands.map(({{ from, to, number }}) => [from, Number.isFinite(to) ? to : null, number]);
        }}""",
        rows,
    )


def test_nothing_has_no_lines(chromium_page: Tab) -> None:
    """Without an item there is no line."""
    assert lay_out(chromium_page, []) == []


def test_one_point_lies_among_the_marks(chromium_page: Tab) -> None:
    """A single event makes its run's head and a line of marks."""
    assert lay_out(chromium_page, [row(1)]) == ["run run-A: ", "marks events: 1"]


def test_parallel_spans_of_a_tool_get_lanes_of_their_own(chromium_page: Tab) -> None:
    """What overlaps lies one below the other; what follows goes back to the first free lane."""
    rows = [
        started(1, "a", time_ms=0),
        started(2, "b", time_ms=5),
        ended(3, "a", time_ms=10),
        started(4, "c", time_ms=10),
        started(5, "d", time_ms=12, name="other"),
    ]
    assert lay_out(chromium_page, rows) == [
        "run run-A: 1,2,4,5",
        "lane search: 1,4",
        "lane : 2",
        "lane other: 5",
    ]


def test_model_calls_share_lanes_whatever_the_model(chromium_page: Tab) -> None:
    """Calls of two models, one after the other, lie in one lane."""
    rows = [
        started(1, "a", family="model", name="m-1", time_ms=0),
        ended(2, "a", family="model", name="m-1", time_ms=4),
        started(3, "b", family="model", name="m-2", time_ms=6),
    ]
    assert lay_out(chromium_page, rows) == ["run run-A: 1,3", "lane model: 1,3"]


def test_runs_and_agents_have_lines_of_their_own(chromium_page: Tab) -> None:
    """Two runs with the same agents are kept apart, and so are the agents of one run."""
    rows = [
        started(1, "a", agent="planner"),
        started(2, "b", agent="critic"),
        started(3, "c", run_id="run-B", agent="planner"),
    ]
    assert lay_out(chromium_page, rows) == [
        "run run-A: 1,2",
        "agent planner: ",
        "lane search: 1",
        "agent critic: ",
        "lane search: 2",
        "run run-B: 3",
        "agent planner: ",
        "lane search: 3",
    ]


def test_an_end_without_a_start_began_as_long_before_as_it_took(chromium_page: Tab) -> None:
    """An orphan end takes the lane that was free when it began, not when it ended."""
    rows = [
        started(1, "a", time_ms=100),
        ended(2, "a", time_ms=200),
        ended(3, "lost", time_ms=300, duration=250),
        ended(4, "timeless", time_ms=400, duration=None),
    ]
    assert lay_out(chromium_page, rows) == ["run run-A: 3,1,4", "lane search: 1,4", "lane : 3"]


def test_a_trimmed_start_leaves_its_chunks_among_the_marks(chromium_page: Tab) -> None:
    """Chunks whose start has left are marked where they came, as no length is known of them."""
    rows = [row(4, event_type="agent.model.chunk", phase="chunk", family="model", span="m")]
    assert lay_out(chromium_page, rows) == ["run run-A: ", "marks events: 4"]


def test_spans_that_begin_at_once_lie_below_each_other(chromium_page: Tab) -> None:
    """Identical times never hide one span behind another, however short they are."""
    rows = [
        started(1, "a", time_ms=7),
        ended(2, "a", time_ms=7),
        started(3, "b", time_ms=7),
        ended(4, "b", time_ms=7),
    ]
    assert lay_out(chromium_page, rows)[1:] == ["lane search: 1", "lane : 3"]


def test_a_clock_that_goes_back_never_makes_spans_overlap(chromium_page: Tab) -> None:
    """A span that begins before the one before it gets another lane, and ends no sooner than it begins."""
    rows = [
        started(1, "a", time_ms=100),
        ended(2, "a", time_ms=90),
        started(3, "b", time_ms=50),
        row(4, time_ms=40),
        row(5, time_ms=30),
    ]
    assert lay_out(chromium_page, rows) == [
        "run run-A: 3,1",
        "marks events: 5,4",
        "lane search: 1",
        "lane : 3",
    ]


def test_spans_that_never_end_take_a_dozen_lanes_at_most(chromium_page: Tab) -> None:
    """A thousand open spans of one tool do not make a thousand lines."""
    lines = lay_out(chromium_page, [started(seq, f"s{seq}", time_ms=seq) for seq in range(1, 1001)])
    assert len(lines) == 13
    assert lines[-1].endswith(",999,1000")


def test_tokens_are_no_mark_of_their_own(chromium_page: Tab) -> None:
    """What a span used is told with the span."""
    used = row(2, event_type="agent.tokens.used", family="model", span="a", input_tokens=1, output_tokens=1)
    assert lay_out(chromium_page, [started(1, "a"), used])[1] == "lane search: 1"


def test_iterations_are_bands_of_the_first_agent(chromium_page: Tab) -> None:
    """Each iteration lasts until the next one; another agent's iterations make no bands."""
    rows = [
        row(1, time_ms=0, family="think", iteration=1, agent="planner"),
        row(2, time_ms=5, family="think", iteration=1, agent="critic"),
        row(3, time_ms=9, family="think", iteration=2, agent="critic"),
        row(4, time_ms=20, family="think", iteration=2, agent="planner"),
        row(5, time_ms=30, family="think", iteration=2, agent="planner"),
        row(6, time_ms=40, event_type="agent.terminate", family="end", agent="planner"),
    ]
    assert bands(chromium_page, rows) == [[0, 20, 1], [20, 40, 2]]


def test_a_run_that_begins_again_begins_its_bands_again(chromium_page: Tab) -> None:
    """After the agent's end iteration 1 is a new band, and a clock that went back makes none of negative length."""
    rows = [
        row(1, time_ms=10, family="think", iteration=1),
        row(2, time_ms=20, event_type="agent.terminate", family="end"),
        row(3, time_ms=5, family="think", iteration=1),
    ]
    assert bands(chromium_page, rows) == [[10, 20, 1], [10, None, 1]]


def test_what_is_too_close_melts_into_a_crowd(chromium_page: Tab) -> None:
    """Bars under two pixels apart are one piece with a count, led by an error if there is one."""
    pieces = chromium_page.evaluate(
        f"""async (rows) => {{
            {FOLDED}
            const {{ meltLine }} = await import("/page/lanes.js");
            const how = {{ from: 0, scale: 1, width: 500, melt: 2, most: 100, until: 400,
                endOf: (item) => item.end, stopOf: () => 400, weigh: (item, width) => width,
                isChosen: ({{ seq }}) => seq === 1 }};
            return meltLine(fold(rows), how).map(
                (one) => [one.x, one.end, one.item.seq, one.count, one.error, one.chosen]);
        }}""",
        [
            started(1, "a", time_ms=10),
            ended(2, "a", time_ms=11),
            started(3, "b", time_ms=11),
            ended(4, "b", time_ms=11.5, status="error"),
            started(5, "c", time_ms=20),
            ended(6, "c", time_ms=60),
            started(7, "late", time_ms=450),
        ],
    )
    assert pieces == [[10, 11.5, 3, 2, True, True], [20, 60, 5, 1, False, False]]


def test_clocks_that_go_back_cost_no_more(chromium_page: Tab) -> None:
    """Each of ten thousand spans, told the latest first, finds its place by looking at a few dozen others."""
    looks = chromium_page.evaluate(
        f"""async () => {{
            {FOLDED}
            const {{ wireRow }} = await import("/page.js");
            const {{ layOut }} = await import("/page/lanes.js");
            const count = 10_000;
            const items = fold(Array.from({{ length: count }}, (_, at) => wireRow(at + 1, "t.completed",
                {{ time: count - at, phase: "end", span: `s${{at}}`, duration: 0.5 }})));
            let looks = 0;
            for (const item of items) {{
                const {{ time }} = item;
                Object.defineProperty(item, "time", {{ get: () => (looks++, time) }});
            }}
            const {{ head }} = layOut(items).runs.values().next().value;
            const isSorted = head.items.every(({{ seq }}, at) => seq === count - at);
            return isSorted ? looks / count : null;
        }}"""
    )
    assert looks is not None
    assert looks < 100


def test_a_tree_is_two_hundred_deep_and_says_what_hangs_deeper(chromium_page: Tab) -> None:
    """Six thousand calls, each called by the one before, all have a line and a sum, and no walk goes too deep."""
    rows = [
        started(seq, f"s{seq}", agent=f"a{seq}", iteration=1, parent=f"s{seq - 1}") for seq in range(1, 6001)
    ]
    deepest, calls, deeper, running, key = chromium_page.evaluate(
        f"""async (rows) => {{
            {FOLDED}
            const {{ Tree, linesOf }} = await import("/page/branches.js");
            const {{ Times }} = await import("/page/times.js");
            const tree = new Tree();
            for (const item of fold(rows)) tree.take(item);
            const link = {{ status: "live", tallies: new Map(), store: {{ rows: [] }} }};
            tree.root.sum(new Times({{ endOf: (item) => item.end, now: () => 9, link, state: {{ paused: false }} }}));
            const lines = linesOf(tree.root, () => true);
            const calls = lines.filter(({{ branch }}) => branch.item);
            const deeper = calls.filter(({{ branch }}) => branch.isDeeper);
            return [Math.max(...lines.map(({{ level }}) => level)), calls.length, deeper.length,
                tree.root.running, lines.at(-1).branch.parent.key.length];
        }}""",
        rows,
    )
    assert deepest <= 205
    assert calls == running == 6000
    assert 5700 < deeper < 6000
    assert key < 5000


def test_never_more_pieces_than_asked_for(chromium_page: Tab) -> None:
    """Fifty thousand spans melt into as many bars as there is room for, and none is lost from the counts."""
    most, total = chromium_page.evaluate(
        f"""async () => {{
            {FOLDED}
            const {{ wireRow }} = await import("/page.js");
            const {{ meltLine }} = await import("/page/lanes.js");
            const items = fold(Array.from({{ length: 50_000 }}, (_, at) => wireRow(at + 1, "t.completed",
                {{ time: at, phase: "end", span: `s${{at}}`, duration: 0.5 }})));
            const pieces = meltLine(items, {{ from: -1, scale: 0.02, width: 1_001, melt: 2, most: 90, until: Infinity,
                endOf: (item) => item, stopOf: () => 0, weigh: () => 1, isChosen: () => false }});
            return [pieces.length, pieces.reduce((sum, piece) => sum + piece.count, 0)];
        }}"""
    )
    assert most <= 90
    assert total == 50_000


@pytest.mark.parametrize(
    "length, most, labels",
    [
        (1_000, 5, ["0", "200 ms", "400 ms", "600 ms", "800 ms", "1 s"]),
        (2.5, 5, ["0", "500 µs", "1 ms", "1.5 ms", "2 ms", "2.5 ms"]),
        (2_600, 6, ["0", "500 ms", "1 s", "1.5 s", "2 s", "2.5 s"]),
        (150_000, 5, ["0", "30 s", "1:00", "1:30", "2:00", "2:30"]),
        (7_200_000, 4, ["0", "30:00", "1:00:00", "1:30:00", "2:00:00"]),
        (0.02, 2, ["0", "10 µs", "20 µs"]),
    ],
)
def test_ticks_are_round(chromium_page: Tab, length: float, most: int, labels: list[str]) -> None:
    """Ticks fall on round times of a fitting unit, counted from the start."""
    told = chromium_page.evaluate(
        """async ([length, most]) => {
            const { Window } = await import("/page/axis.js");
            const window = new Window();
            window.all = [1_000_000, 1_000_000 + length];
            return window.ticks(1_000_000, most).map(({ label }) => label);
        }""",
        [length, most],
    )
    assert told == labels


def test_ticks_far_in_tell_neighbours_apart(chromium_page: Tab) -> None:
    """An hour in, ticks of a millisecond have different labels."""
    told = chromium_page.evaluate(
        """async () => {
            const { Window } = await import("/page/axis.js");
            const window = new Window();
            window.all = [0, 4_000_000];
            window.set(3_725_000, 3_725_003);
            return window.ticks(0, 3).map(({ label }) => label);
        }"""
    )
    assert told == ["1:02:05.000", "1:02:05.001", "1:02:05.002", "1:02:05.003"]


def test_the_window_never_leaves_what_there_is(chromium_page: Tab) -> None:
    """Panning stops at both ends, zooming out ends fitted, and zooming in stops at twenty microseconds."""
    told = chromium_page.evaluate(
        """async () => {
            const { Window } = await import("/page/axis.js");
            const window = new Window();
            window.all = [0, 1_000];
            const told = [];
            const tell = () => told.push(window.part && window.part.map(Math.round));
            window.zoom(4, 0); tell();
            window.pan(-5); tell();
            window.pan(50); tell();
            window.zoom(0.001); tell();
            window.zoom(1e12, 500);
            told.push(window.length.toPrecision(2));
            return told;
        }"""
    )
    assert told == [[0, 250], [0, 250], [750, 1000], None, "0.020"]
