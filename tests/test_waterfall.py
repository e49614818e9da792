from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locus_nb._views.fold import fold
from locus_nb._views.waterfall import MAX_BARS, MAX_LANES, lanes, waterfall
from tests.test_picture import call, html, make

if TYPE_CHECKING:
    from locus_nb._views.rows import Row
    from tests.browser import Chromium

BAR_HEIGHT = "12"


def drawn(rows: list[Row]) -> ET.Element:
    """The waterfall of rows, read as XML."""
    return ET.fromstring(f"<div>{waterfall(fold(rows), rows)}</div>")


def bars(picture: ET.Element) -> list[dict[str, str]]:
    """The bars, in the order they are drawn."""
    return [rect.attrib for rect in picture.iter("rect") if rect.get("height") == BAR_HEIGHT]


def labels(rows: list[Row]) -> list[str]:
    """What the lanes are called."""
    return [lane.label for lane in lanes(fold(rows), rows[-1].time_ms)]


def model(seq: int, span: str, end: int, **changes: Any) -> list[Row]:
    """A call of a model."""
    about = {"family": "model", "name": "mock", "span_id": span} | changes
    return [
        make(seq, event_type="agent.model.started", phase="start", **about),
        make(end, event_type="agent.model.completed", phase="end", **about),
    ]


def test_lanes_are_the_model_then_each_tool() -> None:
    """Calls of the model come first, then each tool in the order it was first called."""
    rows = sorted([*call(1, "a", end=2, name="search"), *model(3, "m", 4), *call(5, "b", end=6, name="add")])
    assert labels(rows) == ["model", "search", "add"]


def test_calls_at_one_time_have_lanes_of_their_own() -> None:
    """Two calls of one tool that overlap stand under each other; one after the other they share a lane."""
    together = sorted([*call(1, "a", end=5), *call(2, "b", end=6), *call(7, "c", end=8)])
    assert labels(together) == ["weather", "weather"]
    assert [len(lane.items) for lane in lanes(fold(together), 0)] == [2, 1]


def test_agents_have_lanes_of_their_own() -> None:
    """Where several agents work, each lane says whose it is."""
    rows = sorted([*model(1, "a", 4, agent="planner"), *model(2, "b", 5, agent="writer")])
    assert labels(rows) == ["planner · model", "writer · model"]
    assert labels(model(1, "a", 4, agent="planner")) == ["model"]


@given(st.lists(st.tuples(st.integers(1, 60), st.integers(1, 60), st.booleans()), min_size=1, max_size=20))
def test_no_bar_is_drawn_over_another(spans: list[tuple[int, int, bool]]) -> None:
    """Whatever goes on at the same time, the bars of one lane do not overlap, and each is in one."""
    rows: list[Row] = []
    for n, (start, length, ends) in enumerate(spans):
        started, *done = call(start, str(n), end=start + length if ends else 0)
        rows += [started, *done]
    items = fold(sorted(rows))
    end_ms = max(row.time_ms for row in rows)
    found = lanes(items, end_ms)
    for lane in found:
        at: float = 0
        for item in lane.items:
            assert item.begin_ms >= at
            at = end_ms if item.is_open else item.last.time_ms
    assert sum(len(lane.items) for lane in found) == len(items)


def test_bar_is_where_and_as_long_as_its_call() -> None:
    """A bar begins and ends, in percent of the width, where its call does."""
    rows = sorted([*call(0, "a", end=100), *call(25, "b", end=50)])
    assert [(bar["x"], bar["width"]) for bar in bars(drawn(rows))] == [
        ("0.00%", "99.00%"),
        ("24.75%", "24.75%"),
    ]


def test_error_has_a_colour_and_a_mark() -> None:
    """What failed is red and carries a cross, which nothing else does."""
    fine, failed = call(1, "a", end=9), call(1, "a", end=9, status="error")
    assert drawn(fine).find(".//circle") is None
    picture = drawn(failed)
    assert picture.find(".//circle") is not None
    assert [bar["fill"] for bar in bars(picture)] == ["#dc4c4c"]


def test_call_that_never_ends_is_open() -> None:
    """A call without an end goes on to the right edge, pale and dashed, and its title says so."""
    picture = drawn([*call(1, "a"), make(50)])
    (bar,) = bars(picture)
    assert (bar["width"], bar["stroke-dasharray"]) == ("99.00%", "3 2")
    assert "not completed" in "".join(picture.itertext())


def test_iterations_are_numbered_bands() -> None:
    """Each iteration is a band that begins with its first event, every other one shaded."""
    rows = [row for n in range(3) for row in model(100 * n, f"m{n}", 100 * n + 90, iteration=n + 1)]
    picture = drawn(rows)
    shaded = [rect.attrib for rect in picture.iter("rect") if rect.get("y") == "0"]
    assert [(band["x"], band["width"]) for band in shaded] == [("0.00%", "34.14%"), ("68.28%", "30.72%")]
    assert [text.text for text in picture.iter("text")][:3] == ["1", "2", "3"]


def test_many_iterations_are_numbered_where_there_is_room() -> None:
    """Where bands are too narrow for their numbers each number that fits stands, about every second one."""
    rows = [row for n in range(25) for row in model(100 * n, f"m{n}", 100 * n + 90, iteration=n + 1)]
    numbers = [text.text for text in drawn(rows).iter("text") if text.get("y") == "11"]
    assert numbers == [*map(str, range(1, 11)), *map(str, range(12, 25, 2))]


def test_run_that_was_opened_again_has_the_bands_of_both_times() -> None:
    """After its agent has terminated, an iteration of the same number is a band of its own; subagents' are none."""
    rows: list[Row] = []
    for n, start in enumerate((0, 500)):
        rows += model(start, f"a{n}", start + 90, iteration=1, agent="planner")
        rows += model(start + 95, f"s{n}", start + 99, iteration=7, agent="scout")
        rows += model(start + 100, f"b{n}", start + 190, iteration=2, agent="planner")
        rows.append(make(start + 200, event_type="agent.terminate", family="end", agent="planner"))
    picture = drawn(rows)
    shaded = [rect.attrib for rect in picture.iter("rect") if rect.get("y") == "0"]
    assert [(band["x"], band["width"]) for band in shaded] == [("0.00%", "14.14%"), ("70.71%", "14.14%")]
    assert [text.text for text in picture.iter("text")][:4] == ["1", "2", "1", "2"]


@given(st.floats(0.001, 1e12))
def test_axis_has_a_few_round_times(length: float) -> None:
    """However long a run is, its axis has two to six labels, from 0 on."""
    start, end = call(0, "a", end=1)
    rows = [start, end._replace(time_ms=start.time_ms + length)]
    texts = [text.text for text in drawn(rows).iter("text")]
    assert 1 <= len(texts) <= 6
    assert texts[0] == "0"


@pytest.mark.parametrize(
    "length, said", [(100, "0 20 ms 40 ms 60 ms 80 ms 100 ms"), (200_000, "0 1 m 00 s 2 m 00 s 3 m 00 s")]
)
def test_axis_counts_as_clocks_do(length: float, said: str) -> None:
    """Ticks of more than a second are at seconds, minutes and hours that a clock has."""
    start, end = call(0, "a", end=1)
    rows = [start, end._replace(time_ms=start.time_ms + length)]
    assert " ".join(text.text or "" for text in drawn(rows).iter("text")) == said


def test_run_without_spans_has_no_waterfall() -> None:
    """Where nothing took time there is nothing to draw."""
    assert waterfall(fold([make(1)]), [make(1)]) == ""
    assert waterfall([], []) == ""


def test_what_is_not_drawn_is_said() -> None:
    """Of very many calls or lanes the newest and the first are drawn, and the rest is counted."""
    calls = [row for n in range(300) for row in call(2 * n, f"s{n}", end=2 * n + 1)]
    picture = drawn(calls)
    assert len(bars(picture)) == MAX_BARS
    assert f"{300 - MAX_BARS} earlier spans not drawn" in "".join(picture.itertext())
    tools = [row for n in range(30) for row in call(2 * n, f"s{n}", end=2 * n + 1, name=f"tool-{n}")]
    assert f"{30 - MAX_LANES} more lanes not drawn" in "".join(drawn(tools).itertext())


@pytest.mark.parametrize("width", [600, 1200])
def test_no_label_overlaps_another(chromium: Chromium, width: int) -> None:
    """In a browser no text of the drawing lies over another one, and the lanes' names stand beside their bars."""
    rows = [row for n in range(40) for row in model(100 * n, f"m{n}", 100 * n + 90, iteration=n + 1)]
    rows += call(4_000, "t", end=4_950, name="a_tool_with_a_rather_long_name_that_must_be_cut_somewhere")
    tab = chromium.tab("about:blank", viewport={"width": width, "height": 700})
    tab.evaluate("(markup) => { document.body.innerHTML = markup }", html(rows, run="run-A"))
    boxes = tab.evaluate(
        """() => [...document.querySelectorAll("svg text, .locus-static-lanes > :first-child > div")]
            .map((node) => node.getBoundingClientRect())
            .map((box) => [box.left, box.top, box.right, box.bottom])"""
    )
    for n, (left, top, right, bottom) in enumerate(boxes):
        for other in boxes[n + 1 :]:
            apart = other[0] >= right or other[2] <= left or other[1] >= bottom - 0.5 or other[3] <= top + 0.5
            assert apart, (boxes[n], other)
    centres = tab.evaluate(
        f"""() => {{
            const centre = (node) => {{ const box = node.getBoundingClientRect(); return (box.top + box.bottom) / 2 }};
            return [[...document.querySelectorAll(".locus-static-lanes > :first-child > div")].map(centre),
                [...document.querySelectorAll("svg g")].map((group) =>
                    centre(group.querySelector("rect[height='{BAR_HEIGHT}']")))];
        }}"""
    )
    assert centres[0] == pytest.approx(centres[1], abs=1)
    tab.close()


def test_models_share_their_lanes_as_on_the_page() -> None:
    """Calls of several models, one after the other, are one lane named after none of them; points have none."""
    rows = [*model(1, "a", 2), *model(3, "b", 4, name="other")]
    assert labels(rows) == ["model"]
    assert "other" in "".join(drawn(rows).itertext())
    point = make(5, status="error")
    assert len(bars(drawn([*rows, point]))) == 2
    assert waterfall(fold([point]), [point]) == ""
