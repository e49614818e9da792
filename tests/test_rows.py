from __future__ import annotations

import json
from collections import OrderedDict, defaultdict
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from locus_nb import EventBus, StreamEvent, events_df
from locus_nb._payloads.redact import redact
from locus_nb._views import head as head_module
from locus_nb._views import rows as rows_module
from locus_nb._views.row_store import RowStore
from locus_nb._views.rows import Row, encode, row_of
from locus_nb._wire import dumps, jsonable


def published(data: dict[str, Any], event_type: str = "test.event", run_id: str = "run") -> StreamEvent:
    """An event with a seq."""
    event = StreamEvent(
        run_id, event_type, data, timestamp=datetime(2026, 1, 5, 9, 30, 0, 123999, tzinfo=UTC)
    )
    EventBus().publish_nowait(event)
    return event


def told(data: dict[str, Any], event_type: str = "test.event") -> dict[str, Any]:
    """What a row says besides its detail, as far as it says anything."""
    facts = row_of(published(data, event_type))._asdict()
    return {name: facts[name] for name in Row._fields[6:] if facts[name] is not None}


class Unspeakable:
    """An object that cannot be shown."""

    def __repr__(self) -> str:
        raise RuntimeError("not to be shown")


def odd_payloads() -> list[dict[Any, Any]]:
    """Payloads that JSON does not know."""
    cycle: dict[str, Any] = {}
    cycle["self"] = cycle
    deep: Any = 0
    for _ in range(5_000):
        deep = [deep]
    return [
        {"bytes": b"\xff", "set": {1}, "nan": float("nan"), "huge": 10**5_000},
        {"surrogate": "\ud800", ("a", 1): 2, None: None},
        {"object": Unspeakable(), "cycle": cycle, "deep": deep},
    ]


def test_row_holds_what_the_event_says() -> None:
    """A row has the event's seq, its time in milliseconds, its type and run, a preview and the payload."""
    event = published({"tool_name": "weather", "arg_keys": ["city"]}, "agent.tool.started", "run-A")
    made = row_of(event)
    assert made[:4] == (1, 1_767_605_400_123.999, "agent.tool.started", "run-A")
    assert made.preview == "weather(city)"
    assert json.loads(made.detail) == {"tool_name": "weather", "arg_keys": ["city"]}
    assert made.detail.startswith('{\n  "tool_name": "weather"')


@given(
    data=st.dictionaries(
        st.text(),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
            max_leaves=5,
        ),
        max_size=4,
    )
)
def test_detail_is_indented_json(data: dict[str, Any]) -> None:
    """However a payload is nested, its detail is what `json.dumps` with an indent of two makes of it."""
    detail = row_of(published(data)).detail
    assert detail == json.dumps(redact(data), indent=2, ensure_ascii=False)


def test_secrets_are_taken_out() -> None:
    """Neither preview nor detail holds a secret, and the event itself is left as it was."""
    secret = "sk-ant-api03-" + "a1B2" * 20
    event = published({"output_preview": f"key {secret}", "api_key": "hush", "tool_name": "t", "n": 1})
    made = row_of(event)
    assert secret not in "".join(map(str, made))
    assert "hush" not in made.detail
    assert "[redacted: " in made.preview
    assert '"n": 1' in made.detail
    assert event.data["api_key"] == "hush"


def test_long_detail_is_cut_and_says_so() -> None:
    """A payload over 4,000 characters is cut there, and its last line says so."""
    for length in (4_000, 5_000, 50_000, 5_000_000):
        made = row_of(published({"text": "x" * length, "more": 1}))
        shown, _, last = made.detail.rpartition("\n")
        assert shown == json.dumps({"text": "x" * length, "more": 1}, indent=2)[:4_000]
        assert last == "... cut here: the event's data holds more"


@pytest.mark.parametrize(
    "value",
    [
        [0] * 100_000,
        tuple(range(100_000)),
        {f"key-{n}": [n] for n in range(100_000)},
        [["x" * 300] * 300] * 300,
        ["key = x; " * 100_000],
        [[[[]]] * 9] * 100_000,
    ],
)
def test_only_the_beginning_of_a_large_payload_is_looked_at(
    value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However large a payload is, no more of it is redacted and encoded than can be seen, with some to spare."""
    seen: list[int] = []

    def measured(data: dict[str, Any]) -> dict[str, Any]:
        seen.append(len(json.dumps(data)))
        return redact(data)

    monkeypatch.setattr(rows_module, "redact", measured)
    made = row_of(published({"value": value}))
    assert seen[0] < 40_000
    assert made.detail.startswith('{\n  "value": ')
    assert made.detail.endswith("the event's data holds more")


def test_secret_at_the_end_of_what_is_seen_is_taken_out_whole() -> None:
    """Neither the cut of what is shown nor that of what is looked at leaves a part of a secret behind."""
    secret = "sk-ant-api03-" + "a1B2" * 20
    for filled in range(3_800, 4_100, 7):
        assert "a1B2" not in row_of(published({"text": "x " * (filled // 2) + secret + " y" * 9_000})).detail


@pytest.mark.parametrize("payload", odd_payloads())
def test_any_payload_makes_a_row_that_can_be_sent(payload: dict[Any, Any]) -> None:
    """Whatever a payload holds, its row is text that JSON in UTF-8 can carry."""
    made = row_of(published(payload))
    assert tuple(json.loads(encode([made]))[0]) == tuple(made)


def test_surrogates_in_names_can_be_sent() -> None:
    """A run id or an event type that is no valid Unicode does not keep the rows from being sent."""
    made = row_of(published({}, "test.\udc00", "run-\ud800"))
    seq, _, event_type, run_id, *_ = json.loads(encode([made]))[0]
    assert (seq, event_type[:5], run_id[:4]) == (1, "test.", "run-")


def test_encoded_rows_are_arrays_in_the_order_of_the_wire() -> None:
    """The page gets a JSON array of arrays, whose 18 places are those of the row's fields."""
    row = row_of(published({"text": "é"}))
    assert json.loads(encode([row, row]).decode()) == [list(row), list(row)]
    assert json.loads(encode([])) == []
    assert len(row) == 18


@pytest.mark.parametrize(
    "event_type, family",
    [
        ("agent.model.started", "model"),
        ("agent.tokens.used", "model"),
        ("agent.tool.completed", "tool"),
        ("agent.think", "think"),
        ("agent.terminate", "end"),
        ("multiagent.specialist.started", "agent"),
        ("a2a.task.received", "agent"),
        ("rag.query.started", "other"),
    ],
)
def test_family_is_read_from_the_event_type(event_type: str, family: str) -> None:
    """A row names the family that gives it its colour."""
    assert row_of(published({}, event_type)).family == family


@pytest.mark.parametrize(
    "event_type, phase",
    [
        ("agent.tool.started", "start"),
        ("agent.tool.completed", "end"),
        ("composition.loop.terminated", "end"),
        ("router.runnable.failed", "end"),
        ("agent.model.chunk", "chunk"),
        ("agent.tokens.used", "point"),
    ],
)
def test_phase_is_what_an_event_is_to_its_span(event_type: str, phase: str) -> None:
    """An event with a span starts it, ends it, is a chunk of it or a point in it; without one it is a point."""
    assert row_of(published({"span_id": "s"}, event_type)).phase == phase
    for data in ({}, {"span_id": None}, {"span_id": 7}, {"span_id": ""}):
        assert row_of(published(data, event_type)).phase == "point"


def test_row_says_what_the_payload_says_of_a_call() -> None:
    """Ids, names, iteration, duration, status and error of a payload are told apart from its detail."""
    data = {
        "span_id": "s-2",
        "parent_span_id": "s-1",
        "agent_name": "planner",
        "iteration": 3,
        "tool_name": "search",
        "model": "mock",
        "duration_ms": 12,
        "success": False,
        "error": "TimeoutError: no answer",
    }
    assert told(data, "agent.tool.completed") == {
        "phase": "end",
        "family": "tool",
        "status": "error",
        "span_id": "s-2",
        "parent_id": "s-1",
        "agent": "planner",
        "iteration": 3,
        "name": "search",
        "duration_ms": 12.0,
        "error": "TimeoutError: no answer",
    }


def test_what_has_another_type_is_not_told() -> None:
    """A payload may hold anything under any key: what does not fit is as good as absent."""
    for odd in (None, [], {}, "", "x" * 2, -1, True, float("nan"), float("inf"), 10**400, b"x"):
        numbers = told({"iteration": odd, "duration_ms": odd, "prompt_tokens": odd}, "agent.tokens.used")
        assert numbers == {"phase": "point", "family": "model"}
    for odd in (None, [], {}, "", 0, 1.5, True):
        names = told({"span_id": odd, "parent_span_id": odd, "agent_name": odd, "tool_name": odd})
        assert names == {"phase": "point", "family": "other"}


@pytest.mark.parametrize(
    "event_type, data, status",
    [
        ("agent.tool.completed", {}, "ok"),
        ("agent.tool.completed", {"success": True, "error": None}, "ok"),
        ("agent.tool.completed", {"error": {"code": 500}}, "error"),
        ("agent.terminate", {"reason": "complete"}, "ok"),
        ("agent.terminate", {"reason": "interrupted"}, "interrupted"),
        ("agent.terminate", {"reason": "error"}, "error"),
        ("router.frame.failed", {}, "error"),
        ("unfailed", {}, None),
        ("my.error", {}, "error"),
        ("my.error.retry", {"success": True}, "error"),
        ("my.terror", {}, None),
        ("my.step", {}, None),
        ("my.step", {"success": False}, "error"),
        ("my.step", {"success": "maybe"}, None),
    ],
)
def test_status_is_told_of_what_has_ended_or_failed(
    event_type: str, data: dict[str, Any], status: str | None
) -> None:
    """A row has a status where something ended; a type that names an error is one in any case."""
    assert row_of(published(data, event_type)).status == status


payloads = st.fixed_dictionaries(
    {},
    optional={
        "success": st.sampled_from([True, False, None, "yes", 0]),
        "error": st.sampled_from([None, "", "E: x", 0, {"a": 1}]),
        "reason": st.sampled_from([None, "error", "interrupted", "complete", 5]),
        "stop_reason": st.sampled_from([None, "error", "end_turn", []]),
        "prompt_tokens": st.integers(-1, 200) | st.sampled_from([2**60, 2**63, 5.0, "5"]),
        "completion_tokens": st.integers(-1, 200),
        "total_tokens": st.integers(-1, 400),
        "cache_read_tokens": st.integers(-1, 200) | st.none(),
        "cache_write_tokens": st.integers(-1, 200),
        "iteration": st.integers(-2, 5) | st.floats(allow_nan=False),
        "duration_ms": st.integers(-2, 5) | st.floats(),
    },
)


@given(
    st.lists(payloads, max_size=8), st.sampled_from(["agent.tokens.used", "agent.terminate", "a.completed"])
)
def test_rows_and_frames_agree(payloads: list[dict[str, Any]], event_type: str) -> None:
    """Status, tokens, iteration and duration of a row are what `events_df` has in its columns."""
    events = [published(data, event_type) for data in payloads]
    frame = events_df(events)
    names = ["status", "iteration", "duration_ms", "input_tokens", "output_tokens"]
    columns = [[None if pd.isna(value) else value for value in frame[name]] for name in names]
    seen = [[getattr(row_of(event), name) for event in events] for name in names]
    assert seen == columns


def test_error_is_cut_and_redacted() -> None:
    """A row tells at most 500 characters of an error, and no secret; of a failed run it is the last message."""
    secret = "sk-ant-api03-" + "a1B2" * 20
    told_of = row_of(published({"error": f"used {secret} " + "x" * 900})).error
    assert told_of is not None
    assert len(told_of) == 500
    assert "a1B2" not in told_of
    assert row_of(published({"error": {"code": 1}})).error == '{"code":1}'
    ended = {"reason": "error", "final_message_preview": "no key"}
    assert row_of(published(ended, "agent.terminate")).error == "no key"


def test_facts_behind_a_huge_text_are_told() -> None:
    """Ids, names and the outcome are read also where the payload is too large to be shown."""
    data = {"output": "x" * 1_000_000, "error": "y" * 1_000_000, "span_id": "s", "success": False}
    made = row_of(published(data, "agent.tool.completed"))
    assert (made.span_id, made.status, made.error) == ("s", "error", "y" * 500)
    long = row_of(published({"span_id": "s" * 1_000, "tool_name": "t" * 1_000}))
    assert (long.span_id, long.name) == ("s" * 200, "t" * 200)


@given(
    seqs=st.lists(st.integers(1, 500), unique=True, max_size=40).map(sorted),
    size=st.integers(1, 20),
    count=st.integers(0, 50),
    after=st.integers(0, 500),
)
def test_store_is_the_newest_rows(seqs: list[int], size: int, count: int, after: int) -> None:
    """The store answers as a list of the newest `size` rows would, and counts all it was given."""
    store = RowStore(size)
    bus = EventBus()
    for _ in range(500):
        bus.publish_nowait(StreamEvent("run", "test.event", {}))
    events = {event.seq: event for event in bus.history("run")}
    for seq in seqs:
        store.add(row_of(events[seq]), events[seq])
    kept = seqs[-size:]
    assert (len(store), store.total, store.last_seq) == (len(kept), len(seqs), max(kept, default=0))
    newest = [each.seq for each in store.newest(count)]
    assert newest == (kept[-count:] if count else [])
    assert store.before_newest(count) == (kept[-count - 1] if count < len(kept) else 0)
    later = [seq for seq in kept if seq > after]
    assert [each.seq for each in store.after(after, count)] == later[:count]
    assert store.count_after(after) == len(later)
    assert [event.seq for event in store.events(range(after))] == [seq for seq in kept if seq < after]


def test_payload_that_changes_while_it_is_read_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dict or set that another thread changes during a read is read once more, and shown."""
    event = published({"inner": {"a": 1}, "text": "x" * 20_000})
    tries = iter([True, True, False, False])

    def items_of(container: dict[Any, Any]) -> Any:
        if next(tries, False):
            raise RuntimeError("dictionary changed size during iteration")
        return dict.items(container)

    (_, *others) = head_module._CONTAINERS
    monkeypatch.setattr(head_module, "_CONTAINERS", ((dict, items_of), *others))
    assert '"inner": {' in row_of(event).detail


class Text(str):
    """A text of a class of its own."""

    __slots__ = ()


@pytest.mark.parametrize(
    "value",
    [
        defaultdict(int, {str(n): n for n in range(100_000)}),
        OrderedDict({str(n): n for n in range(100_000)}),
        set(range(100_000)),
        frozenset(range(100_000)),
        type("Items", (list,), {})(range(100_000)),
        Text("x" * 100_000),
        {("k" * 100_000,): 1},
    ],
    ids=lambda value: type(value).__name__,
)
def test_containers_of_all_kinds_are_read_as_far_as_there_is_room(value: Any) -> None:
    """Of sets and of subclasses of the built-in types no more is copied than is looked at."""
    assert len(dumps(head_module.Room().head({"value": value}))) < 3 * head_module.LOOKED_AT
    assert "cut here" in row_of(published({"value": value})).detail


def test_small_set_in_a_payload_is_shown_sorted() -> None:
    """A set is shown as `jsonable` shows it: a list, sorted by the JSON text of its members."""
    payload = {"set": {"b", "a", ("c", 1)}, "more": [{1, 2}]}
    assert json.loads(row_of(published(payload)).detail) == jsonable(payload)


def test_names_of_any_length_are_short_in_rows() -> None:
    """A run's id and an event type are cut at 200 characters; two ids that differ stay two."""
    first, second = (row_of(published({}, "t" * 1_000 + ".started", "r" * 1_000 + end)) for end in "ab")
    assert first.event_type == "t" * 199 + "…"
    assert (len(first.run_id), len(second.run_id)) == (200, 200)
    assert first.run_id != second.run_id
    assert first.run_id[:188] == "r" * 187 + "…"
    assert len(row_of(published({}, run_id="\ud800" * 100)).run_id) <= 200
    assert row_of(published({}, run_id="r" * 200)).run_id == "r" * 200
    assert row_of(published({"span_id": "s"}, "t" * 1_000 + ".started")).phase == "start"


@pytest.mark.parametrize(
    "value", [list(range(50_000)), {"inner": object()}, "x" * 50_000], ids=["list", "object", "text"]
)
def test_store_keeps_few_events_of_large_payloads(value: Any) -> None:
    """Of events whose payloads may hold anything about 250 are kept, of small ones as many as there are rows."""
    store, small = RowStore(), RowStore()
    large, row = published({"value": value}), row_of(published({}))
    for _ in range(1_000):
        store.add(row, large)
        small.add(row, published({"inner": {"text": "short"}}))
    assert len(store) == 1_000
    assert 200 < len(store.events([large.seq or 0])) <= 250
    assert len(small.events([1])) == 1_000


def test_store_keeps_fewer_rows_of_long_texts() -> None:
    """Rows leave a full store earlier where their texts are long in sum."""
    store = RowStore(size=100_000)
    event = published({})
    row = row_of(event)._replace(detail="x" * 4_000)
    for seq in range(1, 10_001):
        store.add(row._replace(seq=seq), event)
    assert (store.total, store.last_seq) == (10_000, 10_000)
    assert sum(len(row.detail) for row in store.newest(10_000)) <= 32_000_000
