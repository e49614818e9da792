from __future__ import annotations

import math
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given

from locus_nb import EventBus, Run, StreamEvent, get_event_bus, last_run, load, runs
from locus_nb._frames import frames as frames_module
from locus_nb._runs.tree import MAX_DEPTH, tree_lines, tree_of
from locus_nb._sums.sums import sums_of
from locus_nb._views.fold import fold
from locus_nb._views.rows import rows_of
from tests.run_kit import (
    HOSTILE,
    SECRET,
    bus_of,
    call_model,
    call_tool,
    counting,
    html_of,
    odd_events,
    put,
    text_of,
)
from tests.test_picture import DRAWN, TAGS, Reader

if TYPE_CHECKING:
    from pathlib import Path

    from tests.browser import Chromium

SHOWN = TAGS | DRAWN | {"pre", "span", "i"}


def crew(bus: EventBus, run_id: str = "run") -> Run:
    """A run with a subagent that works inside the planner's call, and a tool that fails."""
    bus.open_stream_nowait(run_id, name="crew", tags={"prompt": "v2"}, cell_id="c1", execution_count=7)
    call_model(bus, run_id, "large", "Plan it.", span_id="plan", iteration=1)
    facts = {"agent_name": "scout", "parent_span_id": "plan"}
    call_model(bus, run_id, "small", "Look.", span_id="look", **facts)
    call_tool(bus, run_id, "weather", "Porto: sunny", span_id="w", **facts)
    call_tool(bus, run_id, "search", "", span_id="s", error="TimeoutError: no answer", **facts)
    call_model(bus, run_id, "large", "Porto.", span_id="decide", iteration=2)
    put(bus, run_id, "agent.terminate", reason="complete", final_message_preview="Porto.")
    bus.close_stream_nowait(run_id)
    return Run(run_id, source=bus)


# What it says of itself


def test_run_tells_what_is_known_of_it() -> None:
    """A run has its record's facts, aware UTC times, and the sums of its events."""
    before = datetime.now(UTC)
    bus = EventBus()
    run = crew(bus)
    assert (run.id, run.run_id, run.name, dict(run.tags), run.status) == (
        "run",
        "run",
        "crew",
        {"prompt": "v2"},
        "ok",
    )
    assert (run.cell_id, run.execution_count, run.trimmed, run.source) == ("c1", 7, 0, bus)
    assert run.started_at is not None
    assert run.ended_at is not None
    assert before - timedelta(milliseconds=1) <= run.started_at <= run.ended_at <= datetime.now(UTC)
    assert run.duration_ms == pytest.approx(
        (run.ended_at - run.started_at) / timedelta(milliseconds=1), abs=0.01
    )
    assert run.events == bus.history("run")
    assert [event.data["span_id"] for event in run.errors] == ["s"]
    assert run.tokens == (300, 30, 0, 0, 330)


def test_run_is_read_anew_each_time() -> None:
    """A handle made before the run sees it begin, go on and end."""
    bus = EventBus()
    run = Run("run", source=bus)
    assert run.status is None
    put(bus, "run", "agent.think", iteration=1)
    assert (run.status, len(run.events), math.isnan(run.duration_ms)) == ("running", 1, True)
    assert run.ended_at is None
    put(bus, "run", "agent.terminate", reason="interrupted")
    bus.close_stream_nowait("run")
    assert (run.status, len(run.events)) == ("interrupted", 2)
    assert run.duration_ms >= 0


def test_run_that_nobody_announced_began_with_its_first_event() -> None:
    """Where the bus heard of a run late, its start is the time of its first event."""
    bus = EventBus()
    at = datetime(2026, 1, 5, 9, 30, tzinfo=UTC)
    bus.publish_nowait(StreamEvent("run", "agent.think", {}, at))
    assert Run("run", source=bus).started_at == at


def test_the_process_has_a_bus_of_its_own() -> None:
    """Without a source a run is read from the process's bus."""
    put(get_event_bus(), "run", "agent.think")
    assert len(Run("run").events) == 1
    assert Run("run") == last_run() == runs()[0]


def test_runs_are_equal_by_id_and_source() -> None:
    """Two handles of one run in one source are equal and hash alike; another id or source makes another run."""
    bus = EventBus()
    run = Run("run", source=bus)
    assert run == Run(SimpleNamespace(run_id="run"), source=bus) == Run(run, source=bus)
    assert len({run, Run("run", source=bus)}) == 1
    assert run != Run("other", source=bus)
    assert run != Run("run", source=EventBus())
    assert run != "run"


@pytest.mark.parametrize("bad, error", [("", ValueError), (None, TypeError), (7, TypeError)])
def test_run_needs_an_id(bad: Any, error: type[Exception]) -> None:
    """What cannot name a run is refused."""
    with pytest.raises(error, match="A run id is"):
        Run(bad)


# Sums


def test_cached_tokens_are_part_of_the_input() -> None:
    """Cached tokens are told apart and not counted twice."""
    bus = EventBus()
    call_model(bus, "run", "m", used={"cache_read_tokens": 60, "cache_write_tokens": 5})
    assert Run("run", source=bus).tokens == (100, 10, 60, 5, 110)
    assert Run("run", source=bus).tokens.cache_read == 60


def test_cost_is_the_sum_of_what_was_given() -> None:
    """Costs that emitters gave add up, whichever event of a call's span says so."""
    bus = EventBus()
    call_model(bus, "run", "m", used={"cost_usd": 0.25}, span_id="a")
    call_model(bus, "run", "m", span_id="b")
    put(bus, "run", "billing.noted", span_id="b", cost_usd=0.5)
    assert Run("run", source=bus).cost == 0.75
    assert "$0.75" in text_of(Run("run", source=bus))


@pytest.mark.parametrize("odd", [None, "0.5", -1.0, math.nan, math.inf, True])
def test_unknown_cost_is_not_taken_for_nothing(odd: Any) -> None:
    """If one model call has tokens and no proper cost, the run's cost is NaN, and the picture says unknown."""
    bus = EventBus()
    call_model(bus, "run", "m", used={"cost_usd": 0.25})
    call_model(bus, "run", "m", used={"cost_usd": odd})
    assert math.isnan(Run("run", source=bus).cost)
    assert "cost unknown" in text_of(Run("run", source=bus))
    assert math.isnan(Run("none", source=bus).cost)


def test_calls_are_counted_once() -> None:
    """A call counts once, also if its beginning was trimmed, or nothing connects its end with its beginning."""
    bus = EventBus()
    call_tool(bus, "run", "weather", span_id="a")
    put(bus, "run", "agent.tool.completed", tool_name="weather", span_id="gone", success=False)
    put(bus, "run", "agent.tool.started", tool_name="weather")
    put(bus, "run", "agent.tool.completed", tool_name="weather")
    put(bus, "run", "agent.tool.started", tool_name="search", span_id="open")
    sums = sums_of(bus.history("run"))
    assert (sums.tool_calls, sums.tool_errors, len(sums.errors)) == (4, 1, 1)


@given(odd_events)
def test_no_payload_makes_a_run_raise(events: list[tuple[str, dict[str, Any]]]) -> None:
    """Whatever payloads hold, each attribute and each picture of a run can be had."""
    bus = bus_of(events)
    bus.close_stream_nowait("run")
    run = Run("run", source=bus)
    assert run.tokens.total == run.tokens.input + run.tokens.output
    assert len(run.errors) <= len(run.events) == len(events)
    assert not run.cost < 0
    for shown in (run, run.timeline(), run.tree(), runs(source=bus)):
        reader = Reader(html_of(shown))
        assert reader.tags <= SHOWN
        assert reader.open == []
        assert SECRET not in html_of(shown) + text_of(shown)
        assert max(map(len, text_of(shown).splitlines())) <= 120
        html_of(shown).encode()
        text_of(shown).encode()
    assert SECRET not in repr(run)


# Runs of which little is left


def test_unknown_run_is_empty_and_says_so() -> None:
    """A run that its source does not know has no facts, and its pictures say that it is unknown."""
    run = Run("nope", source=EventBus())
    facts = (run.name, run.status, run.started_at, run.ended_at, run.cell_id, run.execution_count)
    assert facts == (None,) * 6
    assert (run.events, run.errors, run.trimmed, run.tokens.total, dict(run.tags)) == ((), (), 0, 0, {})
    assert math.isnan(run.duration_ms)
    for shown in (run, run.timeline(), run.tree()):
        assert "No such run here" in text_of(shown)
        assert "No such run here" in html_of(shown)


def test_evicted_run_says_what_is_missing() -> None:
    """Of an evicted run the record stays: its pictures show its status, and how many events are missing."""
    bus = EventBus(max_runs_retained=1)
    crew(bus, "old")
    put(bus, "new", "agent.think")
    run = Run("old", source=bus)
    assert (run.events, run.status, run.trimmed) == ((), "ok", 14)
    assert "<b>14 events missing</b>" in html_of(run)
    assert "14 events missing" in text_of(run)
    assert "Its events are no longer here." in text_of(run)


def test_trimmed_run_shows_what_is_left() -> None:
    """A run whose beginning was trimmed has a banner and the calls that are left."""
    bus = EventBus(history_per_run=4)
    crew(bus)
    run = Run("run", source=bus)
    assert run.trimmed == 10
    assert "<b>10 events missing</b>" in html_of(run)
    assert "model large" in text_of(run.tree())


def test_foreign_events_alone_make_a_run() -> None:
    """A run with event types of others only has events, times and a picture, and no tokens or calls."""
    bus = EventBus()
    put(bus, "run", "their.thing", a=1)
    put(bus, "run", "rag.query.started", span_id="q")
    put(bus, "run", "rag.query.completed", span_id="q", hits=3)
    run = Run("run", source=bus)
    assert (len(run.events), run.tokens.total, run.errors) == (3, 0, ())
    assert "rag.query" in text_of(run.tree())
    assert "rag.query" in html_of(run.timeline())


# Pictures


def test_run_shows_itself() -> None:
    """In a page stand name, id, cell, tags, status, calls, tokens, the waterfall as SVG; in a terminal the tree."""
    run = crew(EventBus())
    markup = html_of(run)
    for said in (
        "<b>crew</b> · run · [7] · prompt=v2 · ✓ ok",
        "300 + 30 tokens",
        "cost unknown",
        "1 error",
        "<svg",
    ):
        assert said in markup
    assert "└─ ✕ tool search · 10 ms · TimeoutError: no answer" in text_of(run)
    assert repr(run).startswith("<Run 'run' 'crew': ✓ ok, ")


def test_tree_hangs_calls_below_what_called_them() -> None:
    """Iterations hold their calls, a call holds what it called, a subagent stands between."""
    lines = text_of(crew(EventBus()).tree()).splitlines()
    assert [line.partition(" · ")[0] for line in lines] == [
        "crew",
        "├─ iteration 1",
        "│  └─ ✓ model large",
        "│     └─ agent scout",
        "│        ├─ ✓ model small",
        "│        ├─ ✓ tool weather",
        "│        └─ ✕ tool search",
        "└─ iteration 2",
        "   └─ ✓ model large",
    ]


def test_interleaved_agents_stand_apart() -> None:
    """Agents whose events come in turns have a branch each, with their own iterations."""
    bus = EventBus()
    for iteration in (1, 2):
        for agent in ("ann", "bob"):
            call_model(bus, "run", "m", agent_name=agent, iteration=iteration, span_id=f"{agent}{iteration}")
    lines = text_of(Run("run", source=bus).tree()).splitlines()
    names = [line.strip("│├└─ ✓").partition(" · ")[0] for line in lines]
    branch = ["iteration 1", "model m", "iteration 2", "model m"]
    assert names == ["run", "agent ann", *branch, "agent bob", *branch]


def test_unfinished_calls_are_said_to_be_open() -> None:
    """A call without an end is not completed yet while the run goes on, and never completed afterwards."""
    bus = EventBus()
    put(bus, "run", "agent.tool.started", tool_name="weather", span_id="a", arg_keys=[])
    run = Run("run", source=bus)
    assert "not completed yet" in text_of(run.tree())
    assert "░" in text_of(run.timeline())
    bus.close_stream_nowait("run")
    assert "never completed" in html_of(run.tree())


def test_endless_nesting_is_cut() -> None:
    """Calls that hang below each other without end, or below themselves, make a tree of bounded depth."""
    bus = EventBus()
    for n in range(200):
        put(bus, "run", "agent.tool.started", tool_name=f"t{n}", span_id=str(n), parent_span_id=str(n - 1))
    put(bus, "run", "agent.tool.started", tool_name="own", span_id="own", parent_span_id="own")
    root = tree_of(fold(rows_of(bus.history("run"))), "run")
    lines = list(tree_lines(root))
    assert len(lines) == 202
    assert max(line.branch.depth for line in lines) <= MAX_DEPTH + 1


def test_long_trees_say_what_they_leave_out() -> None:
    """A tree has at most 500 lines, and says how many more there are."""
    bus = EventBus(history_per_run=5_000)
    for n in range(600):
        call_tool(bus, "run", "weather", span_id=str(n))
    assert "101 more lines not shown" in text_of(Run("run", source=bus).tree())
    assert "101 more lines not shown" in html_of(Run("run", source=bus).tree())


def test_hostile_texts_stay_texts(chromium: Chromium) -> None:
    """In a browser a run whose every text is hostile makes no element of its own and runs nothing."""
    bus = EventBus()
    bus.open_stream_nowait(HOSTILE, name=HOSTILE, tags={HOSTILE: HOSTILE, "api_key": SECRET})
    call_tool(bus, HOSTILE, HOSTILE, HOSTILE, error=HOSTILE, agent_name=HOSTILE, args=[HOSTILE])
    call_model(bus, HOSTILE, HOSTILE, SECRET, iteration=1)
    run = Run(HOSTILE, source=bus)
    tab = chromium.tab("about:blank", viewport={"width": 600, "height": 500})
    for shown in (run, run.tree(), run.timeline(), runs(source=bus)):
        assert SECRET not in html_of(shown) + text_of(shown)
        tab.evaluate("(markup) => { document.body.innerHTML = markup }", html_of(shown))
        assert tab.evaluate("() => document.querySelectorAll('script, img').length") == 0
        assert tab.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth")
    assert tab.errors == []
    tab.close()


# What is asked of others


@pytest.mark.parametrize("method", ["df", "spans_df", "tools_df", "model_calls_df"])
def test_frames_are_of_this_run(monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    """A run's frames are those of the module's functions for its id and source, with the options given."""
    calls: list[Any] = []
    name = "events_df" if method == "df" else method
    monkeypatch.setattr(frames_module, name, counting(calls, "a frame"), raising=False)
    bus = EventBus()
    assert getattr(Run("run", source=bus), method)(redact=False) == "a frame"
    assert calls == [(("run",), {"source": bus, "redact": False})]


def test_files_are_of_this_run(tmp_path: Path) -> None:
    """A saved run is the one that was saved, by its id; its page is self-contained html."""
    bus = EventBus()
    bus.publish_nowait(StreamEvent("run", "agent.think", {"reasoning_preview": "✓"}))
    bus.publish_nowait(StreamEvent("other", "agent.think", {}))
    run = Run("run", source=bus)
    run.save(tmp_path / "run.jsonl")
    loaded = load(tmp_path / "run.jsonl")
    (again,) = runs(source=loaded)
    assert [event.to_dict() for event in again.events] == [event.to_dict() for event in run.events]
    assert (again.id, again.status, again.started_at) == (run.id, run.status, run.started_at)
    run.to_html(tmp_path / "run.html")
    page = (tmp_path / "run.html").read_text("utf-8")
    assert "✓" in page
    assert "<script" not in page


def test_a_run_needs_no_dataframe_library() -> None:
    """Runs, their lists and their pictures load neither pandas nor numpy."""
    use = (
        "bus = locus_nb.EventBus(); run = locus_nb.Run('r', source=bus); run._repr_mimebundle_(); run.tree()"
    )
    script = f"import sys, locus_nb; {use}; locus_nb.runs(source=bus); print(*{{'numpy', 'pandas'}} & {{*sys.modules}})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("", "")
