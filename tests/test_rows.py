from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locus_nb import EventBus, StreamEvent, _rows
from locus_nb._redact import redact
from locus_nb._rows import Row, RowStore, encode, row_of


def published(data: dict[str, Any], event_type: str = "test.event", run_id: str = "run") -> StreamEvent:
    """An event with a seq."""
    event = StreamEvent(
        run_id, event_type, data, timestamp=datetime(2026, 1, 5, 9, 30, 0, 123999, tzinfo=UTC)
    )
    EventBus().publish_nowait(event)
    return event


def row(seq: int) -> Row:
    """A short row."""
    return Row(seq, 0, "test.event", "run", "", "{}")


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
    assert made[:4] == (1, 1_767_605_400_123, "agent.tool.started", "run-A")
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
    assert "[redacted]" in made.preview
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

    monkeypatch.setattr(_rows, "redact", measured)
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
    """The page gets a JSON array of `[seq, time_ms, event_type, run_id, preview, detail]`."""
    rows = [Row(1, 2, "t", "r", "é", "{}"), Row(3, 4, "<b>", "r", "", "")]
    assert json.loads(encode(rows).decode()) == [[1, 2, "t", "r", "é", "{}"], [3, 4, "<b>", "r", "", ""]]
    assert json.loads(encode([])) == []


@given(
    seqs=st.lists(st.integers(1, 500), unique=True, max_size=40).map(sorted),
    size=st.integers(1, 20),
    count=st.integers(0, 50),
    after=st.integers(0, 500),
)
def test_store_is_the_newest_rows(seqs: list[int], size: int, count: int, after: int) -> None:
    """The store answers as a list of the newest `size` rows would, and counts all it was given."""
    store = RowStore(size)
    store.extend(map(row, seqs))
    kept = seqs[-size:]
    assert (len(store), store.total, store.last_seq) == (len(kept), len(seqs), max(kept, default=0))
    newest = [each.seq for each in store.newest(count)]
    assert newest == (kept[-count:] if count else [])
    assert store.before_newest(count) == (kept[-count - 1] if count < len(kept) else 0)
    later = [seq for seq in kept if seq > after]
    assert [each.seq for each in store.after(after, count)] == later[:count]
    assert store.count_after(after) == len(later)
