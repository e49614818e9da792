"""What `spans_df`, `tools_df`, `model_calls_df` and `runs_df` promise."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from locus_nb import (
    EventBus,
    Run,
    StreamEvent,
    UnknownPriceWarning,
    events_df,
    get_event_bus,
    model_calls_df,
    runs_df,
    spans_df,
    tools_df,
)
from locus_nb._frames import tables as tables_module
from locus_nb._sums.sums import sums_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FRAMES: dict[str, tuple[Callable[..., pd.DataFrame], Sequence[tables_module.Column]]] = {
    "events_df": (events_df, tables_module.EVENTS),
    "runs_df": (runs_df, tables_module.RUNS),
    "spans_df": (spans_df, tables_module.SPANS),
    "tools_df": (tools_df, tables_module.TOOLS),
    "model_calls_df": (model_calls_df, tables_module.MODEL_CALLS),
}
START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SECRET = "sk-" + "Ab3" * 8


def at(ms: float, event_type: str, /, run: str = "r", **data: Any) -> StreamEvent:
    """Make an event of that time, which was not published."""
    return StreamEvent(run, event_type, data, START + timedelta(milliseconds=ms))


def tool(ms: float, what: str, span: str | None = "s", /, run: str = "r", **data: Any) -> StreamEvent:
    """Make an event of a tool's."""
    told = {"tool_name": "search"} | ({} if span is None else {"span_id": span})
    return at(ms, f"agent.tool.{what}", run, **(told | data))


def model(ms: float, what: str, span: str = "m", /, run: str = "r", **data: Any) -> StreamEvent:
    """Make an event of a model's."""
    event_type = "agent.tokens.used" if what == "used" else f"agent.model.{what}"
    return at(ms, event_type, run, **({"model": "mock", "span_id": span} | data))


def published(*events: StreamEvent) -> EventBus:
    """Give a bus that has published these."""
    bus = EventBus()
    for event in events:
        bus.publish_nowait(event)
    return bus


def cells(frame: pd.DataFrame, *names: str) -> list[tuple[Any, ...]]:
    """Give the rows of some columns, None for what is missing, times in milliseconds since `START`."""

    def cell(value: Any) -> Any:
        if not isinstance(value, dict | list) and pd.isna(value):
            return None
        return (value - START).total_seconds() * 1000 if isinstance(value, pd.Timestamp) else value

    return [tuple(map(cell, row)) for row in frame[list(names)].itertuples(index=False)]


TIMES = ("start_time", "end_time", "duration_ms")


@pytest.mark.parametrize("name", FRAMES)
def test_columns_are_as_declared(name: str) -> None:
    """Columns, order and dtypes are the declared ones: without a row, of an unknown run, of any events."""
    frame_of, table = FRAMES[name]
    declared = [(column.name, column.dtype) for column in table]
    foreign = published(
        at(0, "x"), at(0, "my.started", span_id=3), at(1, "agent.tool.completed", success="?")
    )
    for frame in (
        frame_of(),
        frame_of("unknown"),
        frame_of([]),
        frame_of(source=foreign),
        frame_of(
            source=published(tool(0, "started"), model(0, "completed"), model(1, "used", prompt_tokens=3))
        ),
    ):
        assert [(str(each), str(dtype)) for each, dtype in frame.dtypes.items()] == declared
        for column, dtype in declared:
            if dtype == "category":
                assert frame[column].cat.categories.dtype == object


@pytest.mark.parametrize("name", FRAMES)
def test_columns_stand_in_the_docstring(name: str) -> None:
    """The docstring of a frame lists each of its columns with dtype, unit, group, meaning and OpenTelemetry's name."""
    frame_of, table = FRAMES[name]
    doc = frame_of.__doc__ or ""
    for column in table:
        told = (column.dtype, column.unit, column.group, column.meaning)
        otel = f"`{column.otel}`" if column.otel else ""
        assert f"| `{column.name}` | {' | '.join(told)} | {otel} |" in doc
    assert "{columns}" not in doc


@pytest.mark.parametrize("name", FRAMES)
def test_units_are_those_of_the_names(name: str) -> None:
    """A column whose name ends in a unit has that unit, times are UTC, and a name stands for one unit everywhere."""
    ends = {"_ms": "ms", "_usd": "USD", "_tokens": "tokens"}
    for column in FRAMES[name][1]:
        named = [unit for end, unit in ends.items() if column.name.endswith(end)]
        assert column.unit == (named[0] if named else "UTC" if "UTC" in column.dtype else column.unit)
        assert not column.unit or column.dtype[:1] in {"I", "F", "d"}
        for _, table in FRAMES.values():
            assert all(each.unit == column.unit for each in table if each.name == column.name)


@pytest.mark.parametrize("name", FRAMES)
def test_chosen_columns(name: str) -> None:
    """Columns are chosen by name or group, in that order; `otel` renames those that have a name there."""
    frame_of, table = FRAMES[name]
    time = [column.name for column in table if column.group == "time"]
    assert list(frame_of(columns="time").columns) == time
    assert list(frame_of(columns=["run_id", "time", "run_id"]).columns) == ["run_id", *time]
    assert list(frame_of(columns="otel").columns) == [column.otel or column.name for column in table]
    assert "gen_ai.conversation.id" in frame_of(columns="otel").columns
    assert list(frame_of(columns=["otel"]).columns) == list(frame_of(columns="otel").columns)
    assert list(frame_of(columns=["run_id", "otel"]).columns) == ["gen_ai.conversation.id"]
    with pytest.raises(ValueError, match=f"{name} has no column and no group 'nope'"):
        frame_of(columns=["run_id", "nope"])
    for wrong in (3, [3]):
        with pytest.raises(TypeError, match=name):
            frame_of(columns=wrong)


def test_event_types_and_times_choose_events() -> None:
    """Event types may hold stars; `since` is in the stretch of time, `until` no more."""
    bus = published(at(0, "agent.think"), tool(10, "started"), tool(20, "completed"), at(30, "agent.toolbox"))

    def types(**which: Any) -> list[str]:
        return [each.rpartition("agent.")[2] for each in events_df(source=bus, **which)["event_type"]]

    assert types(event_type="agent.tool.*") == ["tool.started", "tool.completed"]
    assert types(event_type=["agent.think", "*box"]) == ["think", "toolbox"]
    assert types(event_type="agent.tool") == []
    assert types(since=START + timedelta(milliseconds=10), until=START + timedelta(milliseconds=30)) == [
        "tool.started",
        "tool.completed",
    ]
    assert types(since="2026-01-02T03:04:05.020+00:00") == ["tool.completed", "toolbox"]
    assert types(until=pd.Timestamp(START) + pd.Timedelta(5, "ms")) == ["think"]


def test_times_may_be_finer_than_events() -> None:
    """A nanosecond after an event `until` still holds it and `since` no longer does; at its very time, reversed."""
    events = [at(0, "agent.think")]
    begin = pd.Timestamp(START)
    for nanoseconds, before, after in ((-1, 0, 1), (0, 0, 1), (1, 1, 0), (999, 1, 0)):
        time = begin + pd.Timedelta(nanoseconds, "ns")
        assert (len(events_df(events, until=time)), len(events_df(events, since=time))) == (before, after)
        assert (len(runs_df(events, until=time)), len(runs_df(events, since=time))) == (before, after)


@pytest.mark.parametrize("frame_of", [events_df, runs_df, spans_df, tools_df, model_calls_df])
def test_bad_arguments(frame_of: Callable[..., pd.DataFrame]) -> None:
    """What is no time, no source, no event type is refused with the frame's name; a naive time too."""
    name = frame_of.__name__
    with pytest.raises(ValueError, match=f"{name} refuses a naive since"):
        frame_of(since=datetime(2026, 1, 1))  # noqa: DTZ001 - that is what is wrong
    with pytest.raises(TypeError, match=f"{name} takes an aware datetime"):
        frame_of(until=3)
    with pytest.raises(TypeError, match=f"{name} reads runs from a source"):
        frame_of(source={})
    with pytest.raises(TypeError, match="unexpected keyword argument 'evnet_type'"):
        frame_of(evnet_type="x")


@pytest.mark.parametrize("wrong", [3, [3]])
def test_bad_event_types(wrong: object) -> None:
    """An event type is a text."""
    with pytest.raises(TypeError, match="events_df takes"):
        events_df(event_type=wrong)  # type: ignore[arg-type]  # that is what is wrong


def test_a_start_has_its_end() -> None:
    """A start and the next end of its id are one span; the end's duration counts, else the time between."""
    events = [tool(0, "started", "a"), tool(5, "started", "b"), tool(30, "completed", "a", duration_ms=29.5)]
    events.append(tool(45, "completed", "b"))
    assert cells(spans_df(events), "span_id", "name", "span_kind", *TIMES, "status_code") == [
        ("a", "search", "tool", 0, 30, 29.5, "OK"),
        ("b", "search", "tool", 5, 45, 40, "OK"),
    ]


def test_unfinished_spans_have_no_end() -> None:
    """A span that never ended stays, without an end, a length and a status."""
    frame = [tool(0, "started")]
    assert cells(spans_df(frame), *TIMES, "status_code", "status_message") == [(0, None, None, "UNSET", None)]
    assert cells(tools_df(frame), *TIMES, "status") == [(0, None, None, None)]


def test_a_question_to_the_user_is_a_span() -> None:
    """`agent.interrupt` begins a span of that name, which its answer ends; one without an id, as others emit, none."""
    asked = at(0, "agent.interrupt", span_id="q", question_preview="Deploy?")
    ended = at(5, "agent.interrupt.completed", span_id="q", success=True, error=None)
    late = at(5, "agent.interrupt.completed", span_id="q", success=False, error="nobody answered within 5 s")
    assert cells(spans_df([asked, ended]), "name", *TIMES, "status_code") == [
        ("agent.interrupt", 0, 5, 5, "OK")
    ]
    assert (
        cells(spans_df([asked, late]), "status_code")
        == cells(spans_df([late]), "status_code")
        == [("ERROR",)]
    )
    assert cells(spans_df([asked]), "name", *TIMES) == [("agent.interrupt", 0, None, None)]
    assert cells(spans_df([at(0, "agent.interrupt", question_preview="Deploy?")]), "name") == []


def test_an_end_without_a_start() -> None:
    """An end whose start is not there is a span that began as long before as it says it took."""
    assert cells(spans_df([tool(50, "completed", duration_ms=20)]), *TIMES) == [(30, 50, 20)]
    assert cells(spans_df([tool(50, "completed")]), *TIMES) == [(None, 50, None)]


def test_an_id_that_comes_again() -> None:
    """A second start of an id begins another span, whether the first one ended or not; runs are kept apart."""
    ended = [tool(0, "started"), tool(1, "completed"), tool(2, "started"), tool(4, "completed")]
    assert cells(spans_df(ended), *TIMES) == [(0, 1, 1), (2, 4, 2)]
    not_ended = [tool(0, "started"), tool(2, "started"), tool(4, "completed")]
    assert cells(spans_df(not_ended), *TIMES) == [(0, None, None), (2, 4, 2)]
    two_runs = [tool(0, "started", run="a"), tool(2, "completed", run="b"), tool(4, "completed", run="a")]
    assert cells(spans_df(two_runs), "run_id", *TIMES) == [("a", 0, 4, 4), ("b", None, 2, None)]


def test_calls_without_an_id_are_paired_by_name() -> None:
    """Model calls and tools that name no id are paired by name; whatever else has none is no span."""
    events = [tool(0, "started", None), tool(1, "started", None, tool_name="other"), at(2, "my.job.started")]
    events += [tool(5, "completed", None), at(9, "my.job.completed")]
    assert cells(spans_df(events), "name", *TIMES) == [("search", 0, 5, 5), ("other", 1, None, None)]


def test_errors_of_spans() -> None:
    """A failed span says so with its message; what was interrupted is an error to OpenTelemetry."""
    events = [
        tool(0, "completed", "a", success=False, error="TimeoutError: no answer"),
        model(1, "completed", "b", stop_reason="interrupted"),
    ]
    spans = spans_df(events)
    assert cells(spans, "status_code", "status_message") == [
        ("ERROR", "TimeoutError: no answer"),
        ("ERROR", None),
    ]
    assert cells(tools_df(events), "status", "error_type", "error") == [
        ("error", "TimeoutError", "TimeoutError: no answer")
    ]
    assert cells(model_calls_df(events), "status", "stop_reason") == [("interrupted", "interrupted")]


def test_attributes_are_both_payloads() -> None:
    """Attributes hold what start and end say, the end's word last; they are copies without secrets."""
    start, end = tool(0, "started", arg_keys=["q"], note=SECRET), tool(1, "completed", tool_name="found", n=1)
    (attributes,) = spans_df([start, end])["attributes"]
    assert attributes == {
        "tool_name": "found",
        "span_id": "s",
        "arg_keys": ["q"],
        "note": "[redacted: OpenAI key]",
        "n": 1,
    }
    attributes["n"] = 2
    assert (start.data["note"], end.data["n"]) == (SECRET, 1)
    for events in ([start], [end], [start, end]):
        (raw,) = spans_df(events * 8, redact=False)["attributes"].iloc[:1]
        raw["x"] = 1
        assert all("x" not in event.data for event in events)
    assert spans_df([start], redact=False)["attributes"].iloc[0]["note"] == SECRET


def test_what_tools_tell() -> None:
    """A tool's row has what its start and its end tell: who called it, with what arguments, what came out."""
    start = tool(
        0, "started", agent_name="planner", iteration=2, arg_keys=["city", "unit"], parent_span_id="p"
    )
    frame = tools_df([start, tool(1, "completed", output_preview="mild")])
    names = ("agent_name", "iteration", "tool_name", "parent_id", "arg_keys", "output_preview")
    assert cells(frame, *names) == [("planner", 2, "search", "p", "city, unit", "mild")]


USED: dict[str, Any] = {
    "prompt_tokens": 100,
    "completion_tokens": 20,
    "cache_read_tokens": 80,
    "cache_write_tokens": 5,
}
TOKENS = (
    *("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_write_input_tokens"),
    "total_tokens",
)


def test_model_calls_have_their_tokens() -> None:
    """A call has the tokens that are told with its id; without any they are missing, not 0."""
    events = [model(0, "started", "a", iteration=1, message_count=2, tool_count=3), model(1, "started", "b")]
    events += [
        model(5, "completed", "a", content_preview="Hi", tool_call_count=1),
        model(6, "used", "a", **USED),
    ]
    frame = model_calls_df(events)
    assert cells(frame, "span_id", "model", *TOKENS) == [
        ("a", "mock", 100, 20, 80, 5, 120),
        ("b", "mock", None, None, None, None, None),
    ]
    assert cells(frame, "iteration", "message_count", "tool_count", "tool_call_count", "output_preview") == [
        (1, 2, 3, 1, "Hi"),
        (None,) * 5,
    ]


def test_a_cost_is_counted_once() -> None:
    """A cost that is told with the tokens of a call and again at its end is one cost; an unknown one is missing."""
    told = [model(1, "completed", cost_usd=0.5), model(2, "used", cost_usd=0.5, **USED)]
    assert cells(model_calls_df(told), "cost_usd") == cells(runs_df(told), "cost_usd") == [(0.5,)]
    at_end = [model(1, "completed", cost_usd=0.25), model(2, "used", **USED)]
    assert cells(model_calls_df(at_end), "cost_usd") == cells(runs_df(at_end), "cost_usd") == [(0.25,)]
    unknown = [*at_end, model(3, "completed", "n"), model(4, "used", "n", **USED)]
    assert cells(model_calls_df(unknown), "cost_usd") == [(0.25,), (None,)]
    assert cells(runs_df(unknown), "cost_usd") == [(None,)]
    elsewhere = [at(0, "rag.embedded", cost_usd=0.125), *at_end]
    assert cells(runs_df(elsewhere), "cost_usd") == [(0.375,)]
    assert cells(runs_df([at(0, "agent.think")]), "cost_usd") == [(None,)]


def test_runs_in_numbers() -> None:
    """A run has its times, calls, tokens and end; one that goes on has no end."""
    bus = published(
        model(0, "started", iteration=1),
        model(40, "completed", iteration=1),
        model(41, "used", **USED),
        tool(50, "started", iteration=1),
        tool(60, "completed", success=False, error="no"),
        at(70, "agent.terminate", reason="complete"),
        at(5, "agent.think", "other", iteration=3),
    )
    bus.close_stream_nowait("r")
    frame = runs_df(["r", "other"], source=bus)
    assert cells(frame, "run_id", "status", "started_at", "ended_at", "duration_ms") == [
        ("r", "ok", 0, 70, 70),
        ("other", "running", 5, None, None),
    ]
    assert cells(frame, "iterations", "model_calls", "tool_calls", "tool_errors", "event_count") == [
        (1, 1, 1, 1, 6),
        (3, 0, 0, 0, 1),
    ]
    assert cells(frame, *TOKENS) == [(100, 20, 80, 5, 120), (None,) * 5]
    assert cells(frame, "terminate_reason", "complete", "trimmed_events", "dropped_events") == [
        ("complete", True, 0, 0),
        (None, True, 0, 0),
    ]


def test_what_only_the_bus_knows_of_a_run() -> None:
    """Name, tags and cell of a run are its record's, secrets taken out."""
    bus = EventBus()
    bus.open_stream_nowait(
        "r", name=f"trip {SECRET}", tags={"api_key": "abc"}, cell_id="c1", execution_count=7
    )
    names = ("name", "tags", "cell_id", "execution_count", "event_count")
    assert cells(runs_df("r", source=bus), *names) == [
        ("trip [redacted: OpenAI key]", {"api_key": "[redacted: api_key]"}, "c1", 7, 0)
    ]
    assert runs_df("r", source=bus, redact=False)["tags"].iloc[0] == {"api_key": "abc"}


def test_what_events_alone_do_not_tell() -> None:
    """Of events that are given nobody knows whether they are all: what is missing is NA, as is what is complete."""
    bus = EventBus(history_per_run=2)
    for n in range(5):
        bus.publish_nowait(tool(n, "started", str(n)))
    names = ["trimmed_events", "dropped_events", "complete", "tags"]
    assert runs_df(bus.history("r"))[names].isna().to_numpy().tolist() == [[True] * 4]
    assert runs_df("r", source=bus)[names].isna().to_numpy().tolist() == [[False, False, False, True]]


def test_trimmed_and_evicted_runs() -> None:
    """A run that lost events says how many and is not complete; an evicted one is still known by its id."""
    bus = EventBus(history_per_run=2, max_runs_retained=1)
    for n in range(5):
        bus.publish_nowait(tool(n, "started", str(n)))
    assert cells(runs_df(source=bus), "event_count", "trimmed_events", "complete") == [(2, 3, False)]
    bus.publish_nowait(at(0, "agent.think", "next"))
    assert cells(runs_df("r", source=bus), "run_id", "event_count", "trimmed_events") == [("r", 0, 5)]
    assert list(runs_df(source=bus)["run_id"]) == ["next"]


def test_times_choose_runs_and_spans() -> None:
    """Runs and spans are chosen by when they began."""
    events = [tool(0, "started", "a"), tool(10, "started", "b", run="later"), tool(20, "completed", "a")]
    since = START + timedelta(milliseconds=5)
    assert list(spans_df(events, since=since)["span_id"]) == ["b"]
    assert list(tools_df(events, until=since)["span_id"]) == ["a"]
    assert list(runs_df(events, since=since)["run_id"]) == ["later"]
    assert list(spans_df(events, event_type="*.completed")["start_time"].isna()) == [True]


names = st.sampled_from(["a", "b", "c"])
counts = st.one_of(st.none(), st.integers(0, 5_000))
costs = st.one_of(st.none(), st.floats(0, 10))
payloads = st.fixed_dictionaries(
    {},
    optional={
        "span_id": st.one_of(names, st.none(), st.integers()),
        "parent_span_id": names,
        "tool_name": names,
        "model": names,
        "iteration": counts,
        "success": st.one_of(st.booleans(), st.text(max_size=2)),
        "error": st.one_of(st.none(), st.text(max_size=5)),
        "duration_ms": st.one_of(st.floats(), st.integers(-5, 5)),
        "prompt_tokens": counts,
        "completion_tokens": counts,
        "cache_read_tokens": counts,
        "cost_usd": costs,
        "reason": st.sampled_from(["complete", "error", "interrupted"]),
        "arg_keys": st.lists(st.one_of(names, st.integers()), max_size=2),
    },
)
types = st.sampled_from(
    [
        *("agent.model.started", "agent.model.completed", "agent.tokens.used", "agent.tool.started"),
        *(
            "agent.tool.completed",
            "agent.terminate",
            "agent.think",
            "rag.search.started",
            "rag.search.failed",
        ),
    ]
)
histories = st.lists(st.tuples(names, types, payloads, st.integers(0, 10**6)), max_size=40)


def made(history: list[Any]) -> list[StreamEvent]:
    """Make the events of a history that hypothesis made."""
    return [at(ms, event_type, run, **data) for run, event_type, data, ms in history]


@given(history=histories, redact=st.booleans())
def test_any_history_makes_frames(history: list[Any], redact: bool) -> None:  # noqa: FBT001 - hypothesis gives it
    """Whatever runs do, interleaved, nested, unfinished: no frame raises, all have their columns, spans pair."""
    events = made(history)
    for frame_of, table in FRAMES.values():
        frame = frame_of(events, redact=redact)
        assert [str(dtype) for dtype in frame.dtypes] == [column.dtype for column in table]
    spans = spans_df(events, redact=redact)
    ends = spans["end_time"].notna().sum()
    told = [event for event in events if event.event_type.rpartition(".")[2] in {"completed", "failed"}]
    with_id = [
        event
        for event in told
        if isinstance(event.data.get("span_id"), str) or event.event_type.startswith("agent.")
    ]
    assert ends == len(with_id)
    assert len(tools_df(events)) == (spans["span_kind"] == "tool").sum()
    assert len(model_calls_df(events)) == (spans["span_kind"] == "model").sum()


@given(history=histories)
def test_the_sum_of_the_parts(history: list[Any]) -> None:
    """What `runs_df` says of a run is what its events come to, and its tools and model calls."""
    bus = EventBus(history_per_run=25)
    for event in made(history):
        bus.publish_nowait(event)
    events, runs = events_df(source=bus), runs_df(source=bus)
    tools, calls = tools_df(source=bus), model_calls_df(source=bus)
    assert sorted(runs["run_id"]) == sorted(set(events["run_id"]))
    for run in records(runs):
        mine = events[events["run_id"] == run.run_id]
        for name in ("input_tokens", "output_tokens"):
            total = mine[name].sum(min_count=1)
            assert (pd.isna(total) and pd.isna(getattr(run, name))) or total == getattr(run, name)
        assert run.event_count == len(mine)
        assert run.iterations == (0 if mine["iteration"].isna().all() else mine["iteration"].max())
        assert run.started_at <= mine["timestamp"].min()
        assert run.tool_calls == (tools["run_id"] == run.run_id).sum()
        assert run.model_calls == (calls["run_id"] == run.run_id).sum()
        assert run.tool_errors == ((tools["run_id"] == run.run_id) & (tools["status"] == "error")).sum()
        assert run.complete == (run.trimmed_events == 0)
        assert run.trimmed_events + run.event_count == sum(each[0] == run.run_id for each in history)


@given(history=histories)
def test_durations_and_costs_are_those_of_the_events(history: list[Any]) -> None:
    """A run lasts from its earliest to its latest event; it costs what each of its calls is told to cost, once."""
    events = [*made(history), *(at(0, "agent.terminate", run, reason="complete") for run in "abc")]
    frame, runs = events_df(events), runs_df(events)
    for run in records(runs):
        mine = frame[frame["run_id"] == run.run_id]
        length = (mine["timestamp"].max() - mine["timestamp"].min()) / pd.Timedelta(1, "ms")
        assert run.duration_ms == pytest.approx(length)
        expected = cost_by_hand([event for event in events if event.run_id == run.run_id])
        assert (None if pd.isna(run.cost_usd) else run.cost_usd) == (
            None if expected is None else pytest.approx(expected)
        )


def records(frame: pd.DataFrame) -> list[Any]:
    """Give the rows as objects."""
    return [
        SimpleNamespace(**{str(name): cell for name, cell in row.items()}) for row in frame.to_dict("records")
    ]


@given(history=histories)
def test_a_run_says_what_its_row_says(history: list[Any]) -> None:
    """Tokens, cost, calls, errors and times of a `Run` are those of its row in `runs_df`."""
    bus = EventBus()
    for event in made(history):
        bus.publish_nowait(event)
    for name in "ab":
        bus.close_stream_nowait(name)
    for row in records(runs_df(source=bus)):
        run = Run(row.run_id, source=bus)
        sums = sums_of(run.events)
        told = [None if pd.isna(getattr(row, name)) else getattr(row, name) for name in TOKENS]
        assert [number or 0 for number in told] == list(run.tokens)
        assert (sums.iterations, sums.model_calls, sums.tool_calls, sums.tool_errors) == (
            row.iterations,
            row.model_calls,
            row.tool_calls,
            row.tool_errors,
        )
        assert math.isnan(run.cost) if pd.isna(row.cost_usd) else run.cost == pytest.approx(row.cost_usd)
        assert run.started_at == row.started_at
        assert run.ended_at == (None if pd.isna(row.ended_at) else row.ended_at)
        assert (run.status, run.trimmed) == (row.status, row.trimmed_events)


def cost_by_hand(events: list[StreamEvent]) -> float | None:
    """What one run cost, the plain way: call by call."""
    calls = calls_by_hand(events)
    costs: list[float | None] = []
    for told in calls:
        with_tokens: list[Any] = [e.data.get("cost_usd") for e in told if e.event_type == "agent.tokens.used"]
        others: list[Any] = [e.data.get("cost_usd") for e in told if e.event_type != "agent.tokens.used"]
        known = with_tokens and None not in with_tokens
        costs.append(sum(with_tokens) if known else others[-1] if others else None)
    if costs and None not in costs:
        return math.fsum(filter(None, costs))
    whole = [e.data.get("cost_usd") for e in events if e.event_type == "agent.terminate"]
    return next((cost for cost in reversed(whole) if cost is not None), None)


def calls_by_hand(events: list[StreamEvent]) -> list[list[StreamEvent]]:
    """Give, for each call that is told of tokens or of a cost, the events that do so."""
    calls: list[SimpleNamespace] = []
    for event in events:
        kind, _, last = event.event_type.rpartition(".")
        span = event.data.get("span_id")
        is_mark = last in {"started", "completed", "failed"}
        name = event.data.get({"agent.tool": "tool_name", "agent.model": "model"}.get(kind, ""), kind)
        known_by = span if isinstance(span, str) else (name,) if is_mark and kind != "rag.search" else event
        key = (kind if is_mark else "agent.model", known_by)
        mine = [call for call in calls if call.key == key]
        heard = [call for call in mine if call.marks]
        opened = [call for call in heard if call.marks == ["started"]] if last != "started" else []
        if is_mark and not opened:
            mine = [call for call in mine if not call.marks]
        elif is_mark:
            mine = opened
        elif heard:
            mine = [max(heard, key=lambda call: call.heard)]
        call = mine[-1] if mine else SimpleNamespace(key=key, marks=[], heard=0, told=[])
        calls += [] if mine else [call]
        if is_mark:
            call.marks.append(last)
            call.heard = max((each.heard for each in calls), default=0) + 1
        tells = event.event_type == "agent.tokens.used" or event.data.get("cost_usd") is not None
        if tells and event.event_type != "agent.terminate":
            call.told.append(event)
    return [call.told for call in calls if call.told]


def test_frames_of_nothing() -> None:
    """No frame raises for an empty bus, an evicted run, or a run with foreign event types only."""
    bus = EventBus(max_runs_retained=1)
    for frame_of, _ in FRAMES.values():
        assert len(frame_of(source=bus)) == 0
    bus.publish_nowait(at(0, "own.thing", "gone", what=object()))
    bus.publish_nowait(at(0, "own.thing", "here", what={1, 2}))
    for frame_of, _ in FRAMES.values():
        frame_of("gone", source=bus)
        frame_of("here", source=bus)
        frame_of(source=bus)
    assert list(runs_df(source=bus)["run_id"]) == ["here"]


def test_spans_come_from_the_process_bus() -> None:
    """Without a source frames are of the process's bus, and their attributes are JSON."""
    get_event_bus().publish_nowait(tool(0, "started", note={"b", "a"}))
    assert json.loads(json.dumps(spans_df()["attributes"].iloc[0]))["note"] == ["a", "b"]


PRICES: dict[str, Any] = {"mock": {"input": 10, "output": 50, "cache_read": 1, "cache_write": 20}}


def test_tokens_are_priced_where_no_cost_was_told() -> None:
    """With prices a call's tokens have a cost, cached ones at their own price; a cost that was told stays."""
    events = [
        *(model(1, "completed", "a"), model(2, "used", "a", **USED)),
        *(model(3, "completed", "b"), model(4, "used", "b", cost_usd=0.5, **USED)),
    ]
    priced = (15 * 10 + 20 * 50 + 80 * 1 + 5 * 20) / 1e6
    calls = model_calls_df(events, prices=PRICES)
    assert list(calls["cost_usd"]) == [pytest.approx(priced), 0.5]
    assert runs_df(events, prices=PRICES)["cost_usd"].iloc[0] == pytest.approx(priced + 0.5)


def test_a_model_without_a_price_is_said() -> None:
    """An unknown model's cost is missing, never 0, and a warning at the caller's line names it."""
    events = [model(1, "used", model="nobody-knows", **USED), model(0, "completed", model="nobody-knows")]
    for frame_of in (model_calls_df, runs_df):
        with pytest.warns(UnknownPriceWarning, match="nobody-knows") as warned:
            assert cells(frame_of(events, prices=PRICES), "cost_usd") == [(None,)]
        assert [each.filename for each in warned] == [__file__]
    with pytest.raises(TypeError):
        runs_df(events, prices=3)
