"""What `events_df` promises."""

from __future__ import annotations

import gc
import json
import math
import threading
import uuid
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from locus_nb import EventBus, StreamEvent, event_types, get_event_bus, runs_df
from locus_nb._frames import event_columns as event_columns_module
from locus_nb._frames.frames import events_df
from locus_nb._payloads import chunks as payloads_module
from locus_nb._rest import gc_at_rest
from tests.bus_kit import case_id

DTYPES = {
    "run_id": "category",
    "seq": "Int64",
    "event_id": "string",
    "timestamp": "datetime64[ns, UTC]",
    "elapsed_ms": "Float64",
    "event_type": "category",
    "category": "category",
    "span_id": "string",
    "parent_span_id": "string",
    "agent_name": "category",
    "iteration": "Int64",
    "status": "category",
    "duration_ms": "Float64",
    "model": "category",
    "tool_name": "category",
    "input_tokens": "Int64",
    "output_tokens": "Int64",
    "cost_usd": "Float64",
    "error_type": "category",
    "preview": "string",
    "data": "object",
}
SECRET = "sk-" + "Ab3" * 8
START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def event(event_type: str = "my.own", /, run_id: str = "run-1", **data: Any) -> StreamEvent:
    """Make an event that was not published."""
    return StreamEvent(run_id, event_type, data)


def value(column: str, event_type: str, /, **data: Any) -> Any:
    """Give what one event has in a column; None where that is missing."""
    found = events_df([event(event_type, **data)])[column].iloc[0]
    return None if pd.isna(found) else found


def dtypes(frame: pd.DataFrame) -> dict[str, str]:
    """Give the columns in order, each with its dtype."""
    return {str(name): str(dtype) for name, dtype in frame.dtypes.items()}


def publish(bus: EventBus, *run_ids: str) -> list[StreamEvent]:
    """Publish one event of each run."""
    events = [event(run_id=run_id, n=n) for n, run_id in enumerate(run_ids)]
    for each in events:
        bus.publish_nowait(each)
    return events


def test_columns_and_dtypes_without_rows() -> None:
    """A frame without rows has all columns, in their order, with their dtypes; so has one of an unknown run."""
    for frame in (events_df(), events_df("unknown"), events_df([])):
        assert len(frame) == 0
        assert list(dtypes(frame).items()) == list(DTYPES.items())
        for name in ("run_id", "model", "status"):
            assert frame[name].cat.categories.dtype == object


def test_the_agents_own_events() -> None:
    """Each of the agent's events fills the columns its payload speaks of, and leaves the others missing."""
    bus = get_event_bus()
    span = {"span_id": "s1"}
    for event_type, data in [
        (
            "agent.model.started",
            {"iteration": 1, "model": "mock", "message_count": 2, "tool_count": 1, **span},
        ),
        (
            "agent.model.completed",
            {
                "content_preview": "It is mild",
                "tool_call_count": 0,
                "stop_reason": "end_turn",
                "model": "mock",
                "duration_ms": 20.5,
                **span,
            },
        ),
        (
            "agent.tokens.used",
            {
                "prompt_tokens": 120,
                "completion_tokens": 30,
                "total_tokens": 150,
                "cache_read_tokens": 100,
                "cache_write_tokens": 0,
                "model": "mock",
                **span,
            },
        ),
        (
            "agent.think",
            {"iteration": 1, "reasoning_preview": "Hm", "has_tool_calls": True, "tool_call_count": 1},
        ),
        ("agent.tool.started", {"tool_name": "weather", "arg_keys": ["city"], "span_id": "s2"}),
        (
            "agent.tool.completed",
            {
                "tool_name": "weather",
                "success": False,
                "duration_ms": 3,
                "output_preview": "",
                "error": "TimeoutError: no answer",
                "span_id": "s2",
            },
        ),
        (
            "agent.terminate",
            {
                "reason": "complete",
                "iterations_used": 1,
                "final_confidence": 1.0,
                "total_tool_calls": 1,
                "final_message_preview": "Mild.",
            },
        ),
    ]:
        bus.publish_nowait(StreamEvent("run-1", event_type, data))
    frame = events_df("run-1")
    assert dtypes(frame) == DTYPES
    assert frame["seq"].tolist() == list(range(1, 8))
    assert frame["category"].tolist() == ["agent"] * 7
    shown = frame.astype(object).where(frame.notna(), None)
    assert shown["iteration"].tolist() == [1, None, None, 1, None, None, None]
    assert shown["model"].tolist() == ["mock", "mock", "mock", None, None, None, None]
    assert shown["span_id"].tolist() == ["s1", "s1", "s1", None, "s2", "s2", None]
    assert shown["status"].tolist() == [None, "ok", None, None, None, "error", "ok"]
    assert shown["duration_ms"].tolist() == [None, 20.5, None, None, None, 3.0, None]
    assert shown["input_tokens"].tolist() == [None, None, 120, None, None, None, None]
    assert shown["output_tokens"].tolist() == [None, None, 30, None, None, None, None]
    assert shown["error_type"].tolist() == [None, None, None, None, None, "TimeoutError", None]
    assert shown["tool_name"].tolist() == [None, None, None, None, "weather", "weather", None]
    assert frame["preview"].tolist() == [
        "mock, 2 messages, 1 tool",
        "It is mild",
        "120 (100 cached) + 30 tokens",
        "Hm",
        "weather(city)",
        "weather: TimeoutError: no answer",
        "Mild.",
    ]
    assert frame["cost_usd"].isna().all()
    assert [dict(each.data) for each in bus.history("run-1")] == frame["data"].tolist()


def test_which_runs() -> None:
    """One run, several, all, by id or by an object that has one; each run's events once, sorted by seq."""
    bus = EventBus()
    publish(bus, "a", "b", "a", "c")
    seqs = {
        "one": events_df("a", source=bus),
        "run_id": events_df(SimpleNamespace(run_id="a", id=7), source=bus),
        "id": events_df(SimpleNamespace(id="a"), source=bus),
        "event": events_df(bus.history("a")[0], source=bus),
        "again": events_df(["a", SimpleNamespace(run_id="a")], source=bus),
        "two": events_df(("c", "b"), source=bus),
        "some unknown": events_df(iter(["b", "unknown"]), source=bus),
        "all": events_df(source=bus),
    }
    assert {name: frame["seq"].tolist() for name, frame in seqs.items()} == {
        **{name: [1, 3] for name in ("one", "run_id", "id", "event", "again")},
        "two": [2, 4],
        "some unknown": [2],
        "all": [1, 2, 3, 4],
    }
    assert events_df("a")["seq"].tolist() == []
    some = runs_df(source=bus).query("run_id != 'b'")
    assert events_df(some, source=bus)["seq"].tolist() == [1, 3, 4]


def test_events_given() -> None:
    """Events themselves are taken as they are: sorted, those not published last, also repeated."""
    published = publish(EventBus(), "a", "b")
    fresh = event(run_id="c")
    frame = events_df([fresh, published[1], published[0], published[0]])
    assert frame["run_id"].tolist() == ["a", "a", "b", "c"]
    assert frame["seq"].isna().tolist() == [False, False, False, True]
    assert frame["event_id"].tolist() == [each.event_id for each in [*published[:1] * 2, published[1], fresh]]
    assert frame.index.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "run", [3, 1.5, object(), b"run", [1], ["a", None], SimpleNamespace(run_id=3), [b"a"]], ids=case_id
)
def test_what_is_no_run(run: object) -> None:
    """What names no run is refused with its type."""
    with pytest.raises(TypeError, match=r"events_df takes a run's id.* not "):
        events_df(run)


def test_other_bad_arguments() -> None:
    """Events mixed with runs, an empty id and what is no bus are refused."""
    with pytest.raises(TypeError, match="together"):
        events_df([event(), "run-1"])
    with pytest.raises(ValueError, match="not empty"):
        events_df("")
    with pytest.raises(TypeError, match="not EventBus: pass that as source"):
        events_df(EventBus())
    with pytest.raises(TypeError, match="not DataFrame"):
        events_df(runs_df([])[["status"]])
    with pytest.raises(TypeError, match="EventBus, history"):
        events_df(source={})  # type: ignore[arg-type] # that is the point


def test_times() -> None:
    """Timestamps are UTC to the nanosecond; elapsed is milliseconds since the run's earliest event."""
    offsets = [("a", 10), ("b", 0), ("a", 0), ("a", 2500), ("b", 1)]
    events = [StreamEvent(run, "my.own", {}, START + timedelta(milliseconds=ms)) for run, ms in offsets]
    frame = events_df(events)
    assert frame["timestamp"].tolist() == [each.timestamp for each in events]
    assert frame["elapsed_ms"].tolist() == [10.0, 0.0, 0.0, 2500.0, 1.0]


def test_times_that_64_bits_do_not_hold() -> None:
    """A time far away is missing, and so is how long it was ago; times a long way apart are right."""
    times = [
        START.replace(year=9999),
        START.replace(year=1),
        START.replace(year=2262, month=1),
        START.replace(year=1700),
    ]
    frame = events_df([StreamEvent("a", "my.own", {}, time) for time in times])
    assert frame["timestamp"].isna().tolist() == [True, True, False, False]
    assert frame["elapsed_ms"].isna().tolist() == [True, True, False, False]
    assert frame["elapsed_ms"].tolist()[2:] == [(times[2] - times[3]) / timedelta(milliseconds=1), 0.0]
    assert events_df([StreamEvent("a", "my.own", {}, times[0])])["timestamp"].isna().all()


WRONG_COUNTS = ["abc", None, True, math.nan, math.inf, -1, 1.5, 1 << 63, -(1 << 70), [1], {}, b"1", "1"]


@pytest.mark.parametrize("wrong", WRONG_COUNTS, ids=repr)
def test_wrong_counts_are_missing(wrong: object) -> None:
    """What is no whole number from 0 is missing, never something else; whole floats are numbers."""
    for others in ([], [event("agent.tokens.used", iteration=3, prompt_tokens=4)]):
        bad = event("agent.tokens.used", iteration=wrong, prompt_tokens=wrong, completion_tokens=wrong)
        frame = events_df([bad, *others])
        assert dtypes(frame) == DTYPES
        for name in ("iteration", "input_tokens", "output_tokens"):
            assert frame[name].isna().tolist()[0]
        assert frame["input_tokens"].tolist()[1:] == [4] * len(others)
    assert value("iteration", "my.own", iteration=3.0) == 3
    assert value("iteration", "my.own", iteration=2**63 - 1) == 2**63 - 1


@pytest.mark.parametrize(
    "wrong", ["abc", "1.5", None, True, math.nan, math.inf, -1, -0.5, 10**400, [1], "NaN"], ids=str
)
def test_wrong_amounts_are_missing(wrong: object) -> None:
    """What is no finite number from 0 is missing: an unknown cost is never 0."""
    frame = events_df([event(cost_usd=wrong, duration_ms=wrong), event(cost_usd=0, duration_ms=2)])
    assert frame["cost_usd"].isna().tolist() == [True, False]
    assert frame["duration_ms"].isna().tolist() == [True, False]
    assert frame["cost_usd"].tolist()[1:] == [0.0]
    assert math.isnan(frame["cost_usd"].to_numpy(float, na_value=math.nan)[0])


def test_the_last_times_that_64_bits_hold() -> None:
    """Of the first and last microsecond of pandas both are there, and those beside them are missing."""
    last, microsecond = pd.Timestamp.max.floor("us").to_pydatetime(warn=False), timedelta(microseconds=1)
    first = pd.Timestamp.min.ceil("us").to_pydatetime(warn=False)
    times = [time.replace(tzinfo=UTC) for time in (first - microsecond, first, last, last + microsecond)]
    frame = events_df([StreamEvent("a", "my.own", {}, time) for time in times])
    assert frame["timestamp"].isna().tolist() == [True, False, False, True]
    assert frame["timestamp"].tolist()[1:3] == times[1:3]


@pytest.mark.parametrize("wrong", [None, 3, True, 1.5, ["x"], {"a": 1}, b"x"], ids=repr)
def test_wrong_names_are_missing(wrong: object) -> None:
    """What is no text is missing where a text belongs; bytes are shown as text everywhere."""
    names = ["model", "tool_name", "agent_name", "error_type", "span_id", "parent_span_id"]
    bad: dict[str, Any] = dict.fromkeys(names, wrong)
    good: dict[str, Any] = dict.fromkeys(names, "x")
    frame = events_df([event(**bad), event(**good)])
    for name in names:
        assert frame[name].isna().tolist() == [wrong != b"x", False]
        assert frame[name].tolist()[1:] == ["x"]


@pytest.mark.parametrize(
    "tokens,expected",
    [
        ({"prompt_tokens": 100, "completion_tokens": 10}, 100),
        ({"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110, "cache_read_tokens": 80}, 100),
        ({"prompt_tokens": 20, "completion_tokens": 10, "total_tokens": 110, "cache_read_tokens": 80}, 100),
        ({"prompt_tokens": 20, "cache_read_tokens": 70, "cache_write_tokens": 10}, 100),
        ({"prompt_tokens": 20, "cache_read_tokens": -1, "cache_write_tokens": None}, 20),
        ({"prompt_tokens": 20, "cache_read_tokens": "80", "total_tokens": 100}, 20),
        ({"prompt_tokens": 2**63 - 1, "cache_read_tokens": 2**63 - 1}, 2**63 - 1),
        ({"cache_read_tokens": 80}, None),
    ],
    ids=str,
)
def test_input_tokens_include_cached_ones(tokens: dict[str, Any], expected: int | None) -> None:
    """Cached tokens are part of the input, and counted once, whichever way the payload counts them."""
    assert value("input_tokens", "agent.tokens.used", **tokens) == expected
    assert value("input_tokens", "my.own", **tokens) is None


@pytest.mark.parametrize(
    "event_type,data,status",
    [
        ("agent.tool.completed", {"success": True, "error": None}, "ok"),
        ("agent.tool.completed", {"success": False}, "error"),
        ("agent.tool.completed", {"success": True, "error": "KeyError: 'x'"}, "error"),
        ("agent.tool.completed", {"success": "yes"}, None),
        ("agent.tool.completed", {}, "ok"),
        ("agent.model.completed", {"stop_reason": "end_turn"}, "ok"),
        ("agent.model.completed", {"stop_reason": "error"}, "error"),
        ("agent.model.completed", {"stop_reason": "interrupted"}, "interrupted"),
        ("agent.terminate", {"reason": "complete"}, "ok"),
        ("agent.terminate", {"reason": "max_iterations"}, "ok"),
        ("agent.terminate", {"reason": "error"}, "error"),
        ("agent.terminate", {"reason": "interrupted"}, "interrupted"),
        ("agent.terminate", {"reason": 3}, None),
        ("router.runnable.failed", {}, "error"),
        ("rag.query.completed", {"hits": 3}, "ok"),
        ("rag.query.completed", {"reason": "error"}, "ok"),
        ("composition.loop.terminated", {}, "ok"),
        ("my.step", {"success": False}, "error"),
        ("agent.tool.started", {"error": "x"}, None),
        ("agent.think", {}, None),
    ],
    ids=str,
)
def test_status(event_type: str, data: dict[str, Any], status: str | None) -> None:
    """What ended is ok, error or interrupted, by what its payload says; all else has no status."""
    assert value("status", event_type, **data) == status


@pytest.mark.parametrize(
    "event_type,data,error_type",
    [
        ("agent.tool.completed", {"error": "TimeoutError: no answer"}, "TimeoutError"),
        ("agent.tool.completed", {"error": "TimeoutError"}, "TimeoutError"),
        ("agent.tool.completed", {"error": "httpx.ReadTimeout: late"}, "httpx.ReadTimeout"),
        ("agent.tool.completed", {"error": "could not: connect"}, None),
        ("agent.tool.completed", {"error": "failed"}, None),
        ("agent.tool.completed", {"error": {"code": 3}}, None),
        ("agent.tool.completed", {"error": "KeyError: x", "error_type": "Lookup"}, "Lookup"),
        ("agent.tool.completed", {"error": "KeyError: x", "error_type": 3}, "KeyError"),
        ("agent.tool.completed", {"error": "X" * 500}, None),
        ("agent.terminate", {"reason": "error", "final_message_preview": "ValueError: no"}, "ValueError"),
        ("agent.terminate", {"reason": "complete", "final_message_preview": "ValueError: no"}, None),
    ],
    ids=str,
)
def test_error_type(event_type: str, data: dict[str, Any], error_type: str | None) -> None:
    """The class of an error is the payload's own, or the one that its text begins with."""
    assert value("error_type", event_type, **data) == error_type


def test_secrets_are_taken_out_everywhere() -> None:
    """No column holds a secret, whichever way it came in; the event itself keeps it."""
    data = {
        "api_key": "hunter2",
        "model": f"m {SECRET}",
        "tool_name": SECRET,
        "agent_name": SECRET,
        "span_id": SECRET,
        "parent_span_id": SECRET,
        "error": f"Error: {SECRET}",
        "error_type": SECRET,
        "output_preview": f"password=hunter2 {SECRET}",
        "arg_keys": [SECRET],
        "nested": {"headers": [{"Authorization": "Bearer hunter2"}]},
        "raw": SECRET.encode(),
    }
    for count in (1, 10):
        for event_type in ("agent.tool.completed", "agent.tool.started", "my.own"):
            events = [event(event_type, **data) for _ in range(count)]
            text = events_df(events).to_csv() + json.dumps(events_df(events)["data"].tolist())
            assert SECRET not in text
            assert "hunter2" not in text
            assert events[0].data["api_key"] == "hunter2"


def test_raw_payloads_on_request() -> None:
    """With `redact=False` `data` is a shallow copy of what was emitted, and nothing is taken out."""
    odd = {"api_key": SECRET, "when": START, ("a", 1): {1}}
    given = [StreamEvent("a", "my.own", odd), *(event(api_key=SECRET, keys=["k"]) for _ in range(9))]
    frame = events_df(given, redact=False)
    assert frame["data"].tolist() == [dict(each.data) for each in given]
    assert frame["data"].iloc[0]["when"] is START
    assert SECRET in frame["preview"].iloc[5]
    frame["data"].iloc[0]["api_key"] = "changed"
    frame["data"].iloc[5]["api_key"] = "changed"
    assert all(each.data["api_key"] == SECRET for each in given)


class Watching:
    """A value that notes, when it is shown, whether garbage is collected meanwhile."""

    def __init__(self) -> None:
        self.seen: list[bool] = []

    def __repr__(self) -> str:
        self.seen.append(gc.isenabled())
        return "Watching"


@pytest.mark.parametrize("collecting", [True, False])
def test_garbage_collection_rests_meanwhile(collecting: bool) -> None:  # noqa: FBT001 - pytest gives it
    """Garbage is not collected while a frame is made; afterwards, also after an error, it is as it was."""
    watching = Watching()
    before = gc.isenabled()
    try:
        (gc.enable if collecting else gc.disable)()
        events_df([event(value=watching)])
        assert gc.isenabled() is collecting
        with pytest.raises(TypeError):
            events_df(3)
        assert gc.isenabled() is collecting
    finally:
        (gc.enable if before else gc.disable)()
    assert watching.seen
    assert not any(watching.seen)


def test_garbage_collection_rests_until_the_last_thread_is_done() -> None:
    """Of frames made in several threads at once the last one to end has garbage collected again, and no other."""
    first, second = gc_at_rest(), gc_at_rest()
    with first:
        rest = threading.Thread(target=second.__enter__)
        rest.start()
        rest.join()
    assert not gc.isenabled()
    second.__exit__(None, None, None)
    assert gc.isenabled()


def test_ids_made_for_a_frame_are_the_events_own() -> None:
    """A frame gives events that were never asked for their id a UUID4 each, which stays; the others keep theirs."""
    events = [event() for _ in range(50)]
    events[7:7] = [events[0], StreamEvent("run-1", "my.own", {}, event_id="given")]
    asked = events[3].event_id
    ids = events_df(events)["event_id"].tolist()
    assert ids == [each.event_id for each in events] == events_df(events)["event_id"].tolist()
    assert (ids[3], ids[7], ids[8]) == (asked, ids[0], "given")
    made = [uuid.UUID(each) for each in ids if each != "given"]
    assert len(set(made)) == 50
    assert {each.version for each in made} == {4}
    assert {each.variant for each in made} == {uuid.RFC_4122}
    assert set(map(str, made)) == {*ids} - {"given"}


def test_frames_made_at_once_have_the_same_ids() -> None:
    """Threads that make frames of the same new events at the same time agree on their ids."""
    events = [event() for _ in range(2000)]
    together = threading.Barrier(4)
    found: list[list[str]] = []

    def make() -> None:
        together.wait()
        found.append(events_df(events)["event_id"].tolist())

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [[each.event_id for each in events]] * 4


@pytest.mark.parametrize(
    "event_type,data,key",
    [
        ("agent.tool.completed", {"tool_name": "t", "output_preview": "", "error": "KeyError: x"}, "error"),
        ("agent.model.completed", {"content_preview": None, "tool_call_count": 2}, "tool_call_count"),
        (
            "agent.tokens.used",
            {"prompt_tokens": 9, "completion_tokens": 1, "cache_read_tokens": 4},
            "cache_read_tokens",
        ),
    ],
)
def test_a_preview_does_not_depend_on_its_neighbours(event_type: str, data: dict[str, Any], key: str) -> None:
    """A payload's preview is the same beside one that has something of another type under one of its keys."""
    alone = value("preview", event_type, **data)
    payloads = [*[data] * 9, data | {key: 1.5}]
    frame = events_df([StreamEvent("run-1", event_type, payload) for payload in payloads])
    assert frame["preview"].tolist()[:-1] == [alone] * 9


def test_names_that_become_the_same() -> None:
    """A name that has to be escaped is the same category as one that reads like that; each category is once."""
    frame = events_df([event(model=name) for name in ("b", "\\udc80", "\udc80", "a", "b", "\udc80")])
    assert frame["model"].tolist() == ["b", "\\udc80", "\\udc80", "a", "b", "\\udc80"]
    assert frame["model"].cat.categories.tolist() == ["\\udc80", "a", "b"]


def test_rows_of_many_types_keep_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is looked at together, each row stands at its event's place."""
    monkeypatch.setattr(event_columns_module, "TOGETHER", 16)
    monkeypatch.setattr(payloads_module, "TOGETHER", 16)
    events = [
        event(f"type.{n * n % 7}", span_id=f"s{n}", iteration=n, keys=["k"] * (n % 3)) for n in range(500)
    ]
    for ordered in (events, events[::-1]):
        frame = events_df(ordered)
        assert frame["event_id"].tolist() == [each.event_id for each in ordered]
        for name in ("event_type", "span_id", "iteration", "data"):
            wanted = [getattr(each, name, None) or each.data.get(name) for each in ordered]
            assert frame[name].tolist() == wanted


def test_a_frame_is_the_readers_own() -> None:
    """Changing what a frame holds changes neither history nor another frame."""
    given = [event(keys=["a"], nested={"x": [1]}, n=n) for n in range(10)]
    first, second = events_df(given), events_df(given)
    for data in first["data"]:
        data["keys"].append("b")
        data["nested"]["x"].append(2)
    assert all(data["keys"] == ["a"] and data["nested"] == {"x": [1]} for data in second["data"])
    assert all(each.data["keys"] == ["a"] for each in given)


def test_an_event_with_a_bad_run_id() -> None:
    """An event that could never be published has a row too; its run is missing."""
    frame = events_df([StreamEvent(3, "my.own", {}), event(run_id="a")])  # type: ignore[arg-type] # that is the point
    assert frame["run_id"].isna().tolist() == [True, False]
    assert frame["elapsed_ms"].tolist() == [0.0, 0.0]


class Name(str):
    """A str of another type."""

    __slots__ = ()


def test_names_of_other_types_of_str() -> None:
    """Names of a subclass of str are the same names."""
    frame = events_df(
        [event(Name("my.own"), run_id=Name("a"), model=Name("m")), event(run_id="a", model="m")]
    )
    for name, names in (("run_id", ["a"]), ("event_type", ["my.own"]), ("model", ["m"])):
        assert frame[name].cat.categories.tolist() == names
        assert set(map(type, frame[name].cat.categories)) == {str}


EVENT_TYPES = st.sampled_from(
    [
        *(event_types.AGENT_THINK, event_types.AGENT_MODEL_STARTED, event_types.AGENT_MODEL_COMPLETED),
        *(event_types.AGENT_TOKENS_USED, event_types.AGENT_TOOL_STARTED, event_types.AGENT_TOOL_COMPLETED),
        *(event_types.AGENT_TERMINATE, event_types.ROUTER_RUNNABLE_FAILED, "my.own", "x", ".", "\udc80"),
    ]
)
FIELDS = st.sampled_from(
    [
        *(
            "span_id",
            "parent_span_id",
            "agent_name",
            "iteration",
            "duration_ms",
            "model",
            "tool_name",
            "cost_usd",
        ),
        *("prompt_tokens", "completion_tokens", "total_tokens", "cache_read_tokens", "cache_write_tokens"),
        *(
            "error",
            "error_type",
            "success",
            "reason",
            "stop_reason",
            "arg_keys",
            "output_preview",
            "message_count",
        ),
        *(
            "content_preview",
            "reasoning_preview",
            "final_message_preview",
            "tool_call_count",
            "value",
            "api_key",
        ),
    ]
)
ANYTHING = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.binary()
    | st.just(2**63)
    | st.just(-(10**400))
    | st.just(SECRET)
    | st.lists(st.integers() | st.text(), max_size=3)
    | st.dictionaries(st.text(), st.integers(), max_size=2)
    | st.just({1, 2})
)
EVENTS = st.builds(
    StreamEvent,
    st.sampled_from(["a", "b", "\udc80"]),
    EVENT_TYPES,
    st.dictionaries(FIELDS | st.text() | st.integers(), ANYTHING, max_size=6),
)


@given(st.lists(EVENTS, max_size=12), st.booleans())
def test_any_payloads_make_a_frame(events: list[StreamEvent], redact: bool) -> None:  # noqa: FBT001 - hypothesis gives it
    """Whatever payloads hold, the frame has a row each, the same dtypes, and shows each as it would alone."""
    frame = events_df(events, redact=redact)
    assert list(dtypes(frame).items()) == list(DTYPES.items())
    assert len(frame) == len(events)
    assert frame["preview"].str.len().le(240).all()
    if redact:
        json.dumps(frame["data"].tolist(), allow_nan=False).encode()
    for row, each in enumerate(events):
        alone = events_df([each], redact=redact).drop(columns=["elapsed_ms"]).iloc[0]
        together = frame.drop(columns=["elapsed_ms"]).iloc[row]
        assert [repr(x) for x in alone] == [repr(x) for x in together]


@given(st.lists(EVENTS, max_size=4).map(lambda events: events * 8))
def test_repeated_payloads_make_the_same_rows(events: list[StreamEvent]) -> None:
    """Payloads of one shape, looked at together, give the same rows as each of them alone."""
    frame = events_df(events).drop(columns=["elapsed_ms"])
    once = events_df(events[: len(events) // 8]).drop(columns=["elapsed_ms"])
    expected = [repr(row) for row in once.itertuples(index=False)] * 8
    assert [repr(row) for row in frame.itertuples(index=False)] == expected
