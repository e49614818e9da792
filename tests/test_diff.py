from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from locus_nb import Diff, EventBus, Run, RunList, diff, runs
from locus_nb._diff import tables
from locus_nb._diff.align import align
from locus_nb._diff.compare import Verdict, compare
from locus_nb._diff.interval import _student  # pyright: ignore[reportPrivateUsage] - what the interval stands on
from locus_nb._runs.steps import steps_of
from tests.run_kit import HOSTILE, SECRET, bus_of, call_model, call_tool, html_of, odd_events, put, text_of
from tests.test_picture import TAGS, Reader

if TYPE_CHECKING:
    from tests.browser import Chromium

members = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 2)), max_size=14)


def two(bus: EventBus) -> Diff:
    """Two runs of which one looked at one city more, and at another place."""
    for run_id, outputs in (("a", ["Porto", "Faro"]), ("b", ["Porto", "Lisbon", "Faro"])):
        call_model(bus, run_id, "large", "Plan it.", iteration=1)
        for place, output in enumerate(outputs):
            call_tool(bus, run_id, "weather", output, ms=10.0 * (place + 1))
        call_tool(bus, run_id, "search" if run_id == "a" else "calendar", "x")
        error = "TimeoutError: no answer" if run_id == "b" else None
        call_tool(bus, run_id, "book", "done", error=error)
        bus.close_stream_nowait(run_id)
    return diff("a", "b", source=bus)


def groups(bus: EventBus, count: int = 10) -> tuple[list[str], list[str]]:
    """Two groups of runs: those of the second use fewer tokens, half of those of the first end by an error."""
    rng = np.random.default_rng(1)
    for n in range(count):
        for group, tokens in (("a", 2_000), ("b", 1_000)):
            run_id = f"{group}{n}"
            used = {
                "prompt_tokens": int(tokens + 100 * rng.standard_normal()),
                "total_tokens": 0,
                "cost_usd": 0.01,
            }
            call_model(bus, run_id, "large", used=used)
            call_tool(bus, run_id, "weather", ms=float(rng.uniform(5, 10)))
            put(bus, run_id, "agent.terminate", reason="error" if group == "a" and n % 2 else "complete")
            bus.close_stream_nowait(run_id)
    return [f"a{n}" for n in range(count)], [f"b{n}" for n in range(count)]


# Alignment


@given(members, members, st.sampled_from([4, 30, 10**6]))
def test_alignment_reproduces_both_sequences(a: list[Any], b: list[Any], cells: int) -> None:
    """Whatever is aligned, and in however many stretches, each member of both comes once, in order."""
    pairs = align(a, b, cells=cells)
    assert [left for left, _ in pairs if left is not None] == list(range(len(a)))
    assert [right for _, right in pairs if right is not None] == list(range(len(b)))
    assert all(a[left][0] == b[right][0] for left, right in pairs if left is not None and right is not None)


@given(members, members)
def test_alignment_is_the_best_there_is(a: list[Any], b: list[Any]) -> None:
    """No other alignment is worth more, at 2 for each pair of one key and 1 more if all is the same."""
    best = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, left in enumerate(a):
        for j, right in enumerate(b):
            worth = 2 * (left[0] == right[0]) + (left == right)
            best[i + 1][j + 1] = max(best[i][j + 1], best[i + 1][j], best[i][j] + worth)
    pairs = [(a[left], b[right]) for left, right in align(a, b) if left is not None and right is not None]
    assert sum(2 + (left == right) for left, right in pairs) == best[-1][-1]


@given(members)
def test_what_is_the_same_is_aligned_with_itself(a: list[Any]) -> None:
    """A sequence aligned with itself is the same throughout."""
    assert align(a, a) == [(index, index) for index in range(len(a))]


def test_alignment_of_ten_thousand_steps_is_quick() -> None:
    """Ten thousand by ten thousand members of few kinds take seconds at the most."""
    rng = np.random.default_rng(0)
    a, b = ([(int(key), 0) for key in rng.integers(0, 8, 10_000)] for _ in range(2))
    begin = time.perf_counter()
    pairs = align(a, b)
    assert time.perf_counter() - begin < 20
    assert sum(None not in pair for pair in pairs) > 4_000


# Steps


def test_steps_are_what_has_ended() -> None:
    """Calls that ended are steps in the order they began, also without a span id; open ones and thoughts are none."""
    bus = EventBus()
    put(bus, "run", "agent.tool.started", tool_name="slow", span_id="1", arg_keys=["n"])
    put(bus, "run", "agent.think", iteration=1)
    put(bus, "run", "agent.tool.started", tool_name="open", span_id="2")
    put(bus, "run", "agent.tool.completed", tool_name="bare", output_preview="x")
    put(bus, "run", "multiagent.specialist.completed", agent_name="ann", span_id="3")
    put(bus, "run", "agent.tool.completed", tool_name="slow", span_id="1", success=True)
    put(bus, "run", "agent.terminate", reason="complete")
    steps = steps_of(bus.history("run"))
    assert [step.key for step in steps] == [
        ("tool", "slow", ""),
        ("tool", "bare", ""),
        ("agent", "ann", "ann"),
    ]
    assert steps[0].arguments == "slow(n)"


def test_ids_and_times_make_no_change() -> None:
    """What differs in every run, as span ids and durations do, does not make a step a changed one."""
    bus = EventBus()
    for run_id, ms in (("a", 1.0), ("b", 2.0)):
        put(bus, run_id, "rag.query.started", span_id=f"{run_id}-1")
        put(bus, run_id, "rag.query.completed", span_id=f"{run_id}-1", hits=3, duration_ms=ms)
        call_tool(bus, run_id, "weather", ms=ms)
    assert list(diff("a", "b", source=bus).df["change"]) == ["same", "same"]


# Two runs


def test_diff_says_what_became_of_each_step() -> None:
    """Steps are the same, changed with what differs, removed or added, in order, and as many stay as can."""
    frame = two(EventBus()).df
    assert frame[["change", "name", "what"]].fillna("").to_numpy().tolist() == [
        ["same", "large", ""],
        ["same", "weather", ""],
        ["added", "weather", ""],
        ["same", "weather", ""],
        ["removed", "search", ""],
        ["added", "calendar", ""],
        ["changed", "book", "status, error"],
    ]
    assert frame["duration_ms_delta"].iloc[3] == 10.0
    assert frame["status_b"].iloc[-1] == "error"
    assert frame["seq_a"].isna().tolist() == [False, False, True, False, False, True, False]


@pytest.mark.parametrize(
    "a, b, what",
    [
        ({"args": ["city"]}, {"args": ["town"]}, "arguments"),
        ({"output": "sunny"}, {"output": "rainy"}, "output"),
        ({"error": "no"}, {"error": "never"}, "error"),
        ({}, {"error": "no"}, "status, error"),
    ],
)
def test_changed_step_says_what_differs(a: dict[str, Any], b: dict[str, Any], what: str) -> None:
    """A step is changed by its status, error, argument names or output, and the row says by which."""
    bus = EventBus()
    call_tool(bus, "a", "weather", **a)
    call_tool(bus, "b", "weather", **b)
    assert diff("a", "b", source=bus).df["what"].tolist() == [what]


def test_totals_stand_side_by_side() -> None:
    """Each metric has both values, the difference, and that in percent; what is unknown stays so."""
    totals: Any = two(EventBus()).totals.set_index("metric")
    assert totals.loc["tool_calls"].tolist() == [4.0, 5.0, 1.0, 25.0]
    assert totals.loc["tool_errors", ["a", "b", "delta"]].tolist() == [0.0, 1.0, 1.0]
    assert totals.loc["tool_errors", "percent"] is pd.NA
    assert totals.loc["cost_usd"].isna().all()
    assert totals.loc["total_tokens", "delta"] == 0.0


def test_run_compared_with_itself_is_the_same() -> None:
    """The same run twice is allowed: all is the same, and every known difference is 0."""
    bus = EventBus()
    two(bus)
    found = diff(Run("a", source=bus), "a", source=bus)
    assert set(found.df["change"]) == {"same"}
    assert set(found.totals["delta"].dropna()) == {0.0}
    assert "5 same" in text_of(found)


@pytest.mark.parametrize("one, other", [("nope", "a"), ("a", "nope"), (["a", "nope"], ["a"])])
def test_unknown_run_is_named(one: Any, other: Any) -> None:
    """A run of which nothing is known cannot be compared; the error names it."""
    bus = EventBus()
    put(bus, "a", "agent.think")
    with pytest.raises(ValueError, match="no run 'nope'"):
        diff(one, other, source=bus)


@pytest.mark.parametrize("bad", [7, None, [7]])
def test_what_is_no_run_is_refused(bad: Any) -> None:
    """What names no run is a TypeError that says what would; an empty group is a ValueError."""
    bus = EventBus()
    put(bus, "a", "agent.think")
    with pytest.raises(TypeError, match="diff, as b, takes a run's id"):
        diff("a", bad, source=bus)
    with pytest.raises(ValueError, match="no run as a"):
        diff([], "a", source=bus)
    with pytest.raises(ValueError, match="no run as b"):
        diff(bus, EventBus())


def test_a_source_is_all_its_runs() -> None:
    """A bus, a store or what was loaded is the group of its runs."""
    bus = EventBus()
    two(bus)
    found = diff(bus, "a", source=bus)
    assert found.a == runs(source=bus)
    assert found.b == RunList([Run("a", source=bus)])


def test_missing_events_are_said() -> None:
    """If one of both has lost events, evicted or trimmed, the picture says so."""
    bus = EventBus(history_per_run=3)
    two(bus)
    assert "events missing in a" in text_of(diff("a", "b", source=bus))
    bus = EventBus(max_runs_retained=1)
    two(bus)
    bus = EventBus(max_runs_retained=2)
    two(bus)
    put(bus, "c", "agent.think")
    found = diff("a", "b", source=bus)
    assert "11 events missing in a" in html_of(found)
    assert set(found.df["change"]) == {"added"}


@given(odd_events, odd_events)
def test_no_payload_makes_diff_raise(a: list[tuple[str, Any]], b: list[tuple[str, Any]]) -> None:
    """Whatever payloads hold, a difference has its frames, with the same columns, and its pictures."""
    buses = bus_of(a), bus_of(b)
    for bus in buses:
        bus.open_stream_nowait("run")
    mine, theirs = (Run("run", source=bus) for bus in buses)
    for found in (diff(mine, theirs), diff([mine, theirs], [theirs])):
        assert len(found.totals) == 12
        assert (len(found.df) == 13) is isinstance(found.a, RunList)
        reader = Reader(html_of(found))
        assert reader.tags <= TAGS
        assert reader.open == []
        assert SECRET not in html_of(found) + text_of(found)
        assert max(map(len, text_of(found).splitlines())) <= 120
        html_of(found).encode()


def test_frames_have_the_same_form_when_empty() -> None:
    """A difference without any step has the columns and dtypes of one with steps."""
    bus = EventBus()
    full = two(bus)
    put(bus, "c", "their.thing")
    empty = diff("c", "c", source=bus)
    assert empty.df.dtypes.to_dict() == full.df.dtypes.to_dict()
    assert empty.steps.dtypes.to_dict() == full.steps.dtypes.to_dict()
    assert (len(empty.df), len(empty.steps)) == (0, 0)
    assert "Neither has a step" in text_of(empty)


def test_frames_of_a_difference_are_as_declared() -> None:
    """Columns, order and dtypes are the declared ones, which stand in the docstrings with unit and meaning."""
    bus = EventBus()
    call_tool(bus, "r", "search")
    two, groups = diff("r", "r", source=bus), diff(["r"], ["r"], source=bus)
    for frame, table, where in (
        (two.df, tables.STEPS, Diff.df),
        (groups.df, tables.METRICS, Diff.df),
        (two.totals, tables.TOTALS, Diff.totals),
        (groups.steps, tables.COUNTS, Diff.steps),
    ):
        declared = [(column.name, column.dtype) for column in table]
        assert [(name, str(dtype)) for name, dtype in frame.dtypes.items()] == declared
        for name, dtype, unit, _, meaning, _ in table:
            assert f"        | `{name}` | {dtype} | {unit} | {meaning} |\n" in (where.__doc__ or "")


# Groups


def test_groups_have_an_answer() -> None:
    """Of 10 runs against 10 what clearly differs is told from what does not, and by how much."""
    bus = EventBus()
    a, b = groups(bus)
    found = diff(a, b, source=bus)
    metrics: Any = found.df.set_index("metric")
    assert metrics.loc["input_tokens", "verdict"] == "lower"
    assert metrics.loc["input_tokens", "high"] < -800
    assert metrics.loc["share_ok", ["mean_a", "mean_b", "verdict"]].tolist() == [0.5, 1.0, "higher"]
    assert metrics.loc["model_calls", "verdict"] == "same"
    assert metrics.loc["iterations", ["n_a", "n_b"]].tolist() == [10, 10]
    assert "input tokens lower by" in text_of(found)
    assert found.steps[["name", "per_run_a", "errors_b"]].to_numpy().tolist() == [
        ["large", 1, 0],
        ["weather", 1, 0],
    ]


def test_groups_give_the_same_numbers_each_time() -> None:
    """Two calls for the same groups give equal frames."""
    bus = EventBus()
    a, b = groups(bus, 5)
    assert diff(a, b, source=bus).df.equals(diff(iter(a), tuple(b), source=bus).df)


def test_few_runs_are_too_few() -> None:
    """Of fewer runs than chance could not sort, nothing is concluded; a single run makes a group of one."""
    bus = EventBus()
    a, b = groups(bus, 3)
    found = diff(a, b, source=bus)
    assert set(found.df.query("n_a > 0")["verdict"]) == {"too few"}
    assert "Too few runs" in html_of(found)
    alone = diff("a0", b, source=bus)
    assert isinstance(alone.a, RunList)
    assert alone.df["low"].isna().all()


def tell_tokens(bus: EventBus, run_id: str, **tokens: int) -> None:
    """A run that ended well, and told of these tokens, if any."""
    if tokens:
        put(bus, run_id, "agent.tokens.used", **tokens)
    put(bus, run_id, "agent.terminate", reason="complete")
    bus.close_stream_nowait(run_id)


def test_unknown_tokens_are_not_zero() -> None:
    """Tokens that a run never told are NA in sums, and only the runs that tell a metric are compared."""
    bus = EventBus()
    for n in range(10):
        tell_tokens(bus, f"a{n}", prompt_tokens=100 + n, completion_tokens=5)
        tell_tokens(bus, f"b{n}")
        tell_tokens(bus, f"c{n}", **({} if n < 4 else {"prompt_tokens": 20 + n}))
    a, b, c = ([f"{group}{n}" for n in range(10)] for group in "abc")
    totals: Any = diff("a1", "b1", source=bus).totals.set_index("metric")
    assert totals.loc["total_tokens", ["a", "b", "delta"]].isna().tolist() == [False, True, True]
    nothing = diff(a, b, source=bus)
    metrics: Any = nothing.df.set_index("metric")
    assert metrics.loc["total_tokens", ["n_a", "n_b", "verdict"]].tolist() == [10, 0, "unknown"]
    assert "Not compared, as unknown in a or b: total tokens, input tokens, output tokens." in text_of(
        nothing
    )
    some = diff(a, c, source=bus)
    metrics = some.df.set_index("metric")
    assert metrics.loc["input_tokens", ["n_a", "n_b", "mean_b", "verdict"]].tolist() == [10, 6, 26.5, "lower"]
    totals = some.totals.set_index("metric")
    assert totals.loc["input_tokens"].isna().tolist() == [False, True, True, True]
    for shown in (text_of(some), html_of(some)):
        assert "input tokens lower by 78" in shown
        assert shown.count("known of 10 and 6 runs") > 2


def test_unknown_cost_is_said_to_be_unknown() -> None:
    """A cost that no run of either group knows is unknown, not of too few runs."""
    bus = EventBus()
    for n in range(20):
        tell_tokens(bus, f"r{n}", prompt_tokens=n)
    found = diff([f"r{n}" for n in range(10)], [f"r{n}" for n in range(10, 20)], source=bus)
    metrics: Any = found.df.set_index("metric")
    assert metrics.loc["cost_usd", "verdict"] == "unknown"
    for shown in (text_of(found), html_of(found)):
        assert "? unknown" in shown
        assert "too few" not in shown
        assert "Not compared" not in shown


def test_groups_of_a_list_are_its_runs() -> None:
    """A `RunList` is a group, whatever its source."""
    bus = EventBus()
    groups(bus, 4)
    found = diff(runs(source=bus).filter(name="a*"), runs(source=bus).filter(name="b*"))
    assert [len(side) for side in (found.a, found.b) if isinstance(side, RunList)] == [4, 4]


@pytest.mark.parametrize("shape", ["normal", "exponential"])
def test_interval_holds_the_truth_about_as_often_as_it_says(shape: str) -> None:
    """Over many pairs of groups that do not differ, about 95 in 100 intervals hold 0."""
    rng = np.random.default_rng(5)
    draw = getattr(rng, shape)
    found = [compare("x", draw(size=10), draw(size=10)) for _ in range(200)]
    assert 0.9 <= np.mean([each.low <= 0 <= each.high for each in found]) <= 0.99


@pytest.mark.parametrize("sizes", [(2, 8), (2, 20), (3, 20), (4, 4), (4, 40), (10, 10)])
@pytest.mark.parametrize("shape", ["normal", "lognormal", "poisson"])
def test_small_groups_are_not_told_apart_by_chance(sizes: tuple[int, int], shape: str) -> None:
    """Whatever their sizes and the shape of their values, groups that do not differ seldom seem to."""
    rng = np.random.default_rng(7)
    draw = getattr(rng, shape)
    pairs = [[draw(size=size).tolist() for size in sizes] for _ in range(200)]
    told = [compare("x", *pair).verdict for pair in pairs]
    assert sum(verdict in ("higher", "lower") for verdict in told) <= 0.08 * len(told)


@pytest.mark.parametrize("sizes, share", [((4, 4), 0.7), ((3, 20), 0.7), ((4, 40), 0.9), ((10, 10), 0.99)])
def test_clear_differences_are_seen(sizes: tuple[int, int], share: float) -> None:
    """Means that are three standard deviations apart are told apart, either way round, in most cases."""
    rng = np.random.default_rng(9)
    pairs = [(rng.normal(size=sizes[0]).tolist(), rng.normal(3, size=sizes[1]).tolist()) for _ in range(100)]
    assert np.mean([compare("x", a, b).verdict == "higher" for a, b in pairs]) >= share
    assert np.mean([compare("x", b, a).verdict == "lower" for a, b in pairs]) >= share


@pytest.mark.parametrize(
    "freedom, quantile", [(1, 12.7062), (2, 4.30265), (4.5, 2.65913), (18, 2.10092), (1e9, 1.95996)]
)
def test_students_quantile(freedom: float, quantile: float) -> None:
    """The quantile of Student's t is that of the tables, also for a fraction of a degree of freedom."""
    assert _student(freedom) == pytest.approx(quantile, rel=2e-4)


def test_groups_without_any_chance_differ() -> None:
    """Groups that are constant, each in itself, differ by just that; what is constant in both is the same."""
    assert compare("x", [0.1] * 4, [0.3] * 4)[-3:] == pytest.approx((0.2, 0.2, "higher"))
    assert compare("x", [0.1] * 9, [0.1] * 4)[-3:] == (0, 0, "same")


def test_large_groups_are_compared_quickly() -> None:
    """A metric of 2,000 runs against 2,000 takes seconds at the most."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=2_000).tolist(), rng.normal(1, size=2_000).tolist()
    begin = time.perf_counter()
    assert compare("x", a, b).verdict == "higher"
    assert time.perf_counter() - begin < 20


@given(st.lists(st.floats(), max_size=6), st.lists(st.floats(), max_size=6))
def test_no_number_makes_a_comparison_raise(a: list[float], b: list[float]) -> None:
    """Whatever the numbers, unknown, infinite or as large as there are, there is a verdict and no warning."""
    assert compare("x", a, b).verdict in get_args(Verdict)


# Pictures


def test_change_is_shown_by_sign_and_word() -> None:
    """Each changed, added or removed step has its sign and its word, in a page and in a terminal."""
    found = two(EventBus())
    first = [cells[0] for cells in Reader(html_of(found)).cells]
    for said in ("= same", "~ changed", "+ added", "\N{MINUS SIGN} removed"):
        assert said in first
        assert said in text_of(found)
    assert repr(found) == text_of(found)


def test_long_stretches_of_the_same_are_folded() -> None:
    """Of many steps those that are the same are counted, not shown; more than 200 lines are cut, and that is said."""
    bus = EventBus(history_per_run=10_000)
    for run_id in "ab":
        for n in range(300):
            call_tool(bus, run_id, "weather", "odd" if (n, run_id) == (150, "b") else "same", span_id=str(n))
    markup = html_of(diff("a", "b", source=bus))
    assert "… 149 steps the same" in markup
    assert "… 148 steps the same" in markup
    for n in range(300):
        call_tool(bus, "c", f"t{n}", span_id=str(n))
    markup = html_of(diff("a", "c", source=bus))
    assert "… 400 more steps not shown" in markup


@pytest.mark.parametrize("width", [600, 1200])
def test_hostile_texts_stay_texts(chromium: Chromium, width: int) -> None:
    """In a browser hostile names and outputs make no element, run nothing, and fit the page; secrets are out."""
    bus = EventBus()
    for run_id in (HOSTILE, f"{HOSTILE}2"):
        bus.open_stream_nowait(run_id, name=HOSTILE)
        call_tool(
            bus, run_id, HOSTILE, f"{run_id} {SECRET}", error=run_id, args=[HOSTILE], agent_name=HOSTILE
        )
        call_model(bus, run_id, run_id, HOSTILE)
    sides = HOSTILE, f"{HOSTILE}2"
    tab = chromium.tab("about:blank", viewport={"width": width, "height": 500})
    for found in (diff(*sides, source=bus), diff([sides[0]], [sides[1]], source=bus)):
        assert SECRET not in html_of(found) + text_of(found)
        tab.evaluate("(markup) => { document.body.innerHTML = markup }", html_of(found))
        assert tab.evaluate("() => document.querySelectorAll('script, img').length") == 0
        assert tab.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth")
    assert tab.errors == []
    tab.close()
