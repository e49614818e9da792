from __future__ import annotations

import copy
import json
import pickle
import threading
from collections import UserDict
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest

from locus_nb import EventBus, StreamEvent
from locus_nb._event import restored
from tests.bus_kit import event, in_threads, python

NOON = datetime(2026, 1, 2, 12, 0, 0, 123456, tzinfo=UTC)


def test_positional_and_keyword_arguments_mean_the_same() -> None:
    """The five arguments may be given by position or by name."""
    by_position = StreamEvent("r", "t", {"a": 1}, NOON, "id-1")
    by_name = StreamEvent(run_id="r", event_type="t", data={"a": 1}, timestamp=NOON, event_id="id-1")
    assert by_position.to_dict() == by_name.to_dict()
    assert (by_name.run_id, by_name.event_type, dict(by_name.data)) == ("r", "t", {"a": 1})
    assert (by_name.timestamp, by_name.event_id) == (NOON, "id-1")


def test_an_event_is_slotted_and_read_only() -> None:
    """No attribute can be added or changed, for all readers share the object."""
    one = event()
    assert not hasattr(one, "__dict__")
    for name in ("run_id", "event_type", "data", "timestamp", "timestamp_ns", "event_id", "seq", "other"):
        with pytest.raises(AttributeError):
            setattr(one, name, "x")
    with pytest.raises(TypeError):
        one.data["n"] = 2  # pyright: ignore[reportIndexIssue]


def test_data_is_copied() -> None:
    """A later change of the caller's mapping does not rewrite history; the copy is shallow."""
    inner = [1]
    data: dict[str, Any] = {"a": 1, "inner": inner}
    one = StreamEvent("r", "t", data)
    data["a"] = 2
    inner.append(2)
    assert dict(one.data) == {"a": 1, "inner": [1, 2]}


def test_data_may_be_any_mapping() -> None:
    """A mapping that is no dict is taken too."""
    assert dict(StreamEvent("r", "t", UserDict({"a": 1})).data) == {"a": 1}


def test_the_default_timestamp_is_now_in_utc() -> None:
    """Without a timestamp an event carries the time it was made, aware and in UTC."""
    before = datetime.now(UTC) - timedelta(microseconds=1)
    one = event()
    assert before <= one.timestamp <= datetime.now(UTC)
    assert one.timestamp.utcoffset() == timedelta(0)
    assert one.timestamp == one.timestamp
    assert one.timestamp_ns // 1000 == round(one.timestamp.timestamp() * 1e6)


def test_a_timestamp_is_kept_as_utc_to_the_microsecond() -> None:
    """An aware timestamp of another zone becomes the same moment in UTC, also before 1970."""
    east = NOON.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert StreamEvent("r", "t", {}, east).to_dict()["timestamp"] == "2026-01-02T12:00:00.123456+00:00"
    old = datetime(1, 1, 1, 0, 0, 0, 1, tzinfo=UTC)
    assert StreamEvent("r", "t", {}, old).timestamp == old
    late = datetime.max.replace(tzinfo=UTC)
    assert StreamEvent("r", "t", {}, late).timestamp == late


def test_a_naive_timestamp_is_refused() -> None:
    """A timestamp without a zone is a ValueError that says what to do."""
    with pytest.raises(ValueError, match=r"naive.*datetime\.now\(UTC\)"):
        StreamEvent("r", "t", {}, datetime(2026, 1, 1))  # noqa: DTZ001 - what is refused


@pytest.mark.parametrize(
    "arguments, error, names",
    [
        (("r", "", {}), ValueError, "event_type"),
        (("r", 7, {}), TypeError, "event_type"),
        (("r", None, {}), TypeError, "event_type"),
        (("r", "t", None), TypeError, "mapping"),
        (("r", "t", [("a", 1)]), TypeError, "mapping"),
        (("r", "t", {}, "2026-01-01"), TypeError, "timestamp"),
        (("r", "t", {}, 1.5), TypeError, "timestamp"),
        (("r", "t", {}, None, ""), ValueError, "event_id"),
        (("r", "t", {}, None, 5), TypeError, "event_id"),
    ],
)
def test_a_bad_argument_is_refused(arguments: tuple[Any, ...], error: type[Exception], names: str) -> None:
    """A wrong type is a TypeError, an empty name a ValueError; the message names the argument."""
    with pytest.raises(error, match=names):
        StreamEvent(*arguments)


def test_an_unknown_keyword_is_named() -> None:
    """An unknown keyword is a TypeError that names it."""
    with pytest.raises(TypeError, match="colour"):
        StreamEvent("r", "t", {}, colour=1)  # pyright: ignore[reportCallIssue]


def test_event_ids_are_unique_and_lasting() -> None:
    """Ids are UUIDs made when asked for, the same at every reading."""
    events = [event() for _ in range(1_000)]
    ids = [one.event_id for one in events]
    assert len(set(ids)) == 1_000
    assert [one.event_id for one in events] == ids
    assert str(UUID(ids[0])) == ids[0]


def test_threads_that_ask_at_once_get_one_event_id() -> None:
    """The id of one event is the same for all threads that ask for it first."""
    for _ in range(50):
        one, together = event(), threading.Barrier(4)

        def ask(one: StreamEvent = one, together: threading.Barrier = together) -> str:
            together.wait()
            return one.event_id

        assert len(set(in_threads(ask, ask, ask, ask))) == 1


def test_seq_is_none_until_published_and_then_counts_up() -> None:
    """`seq` is the bus's total order over all runs, from 1, known when publish returns."""
    bus = EventBus()
    first, second = event(1, "a"), event(2, "b")
    assert first.seq is None
    bus.publish_nowait(first)
    bus.publish_nowait(second)
    assert (second.seq, first.seq) == (2, 1)
    assert event().seq is None


def test_an_event_is_published_once() -> None:
    """Publishing an event again, on any bus and in either way, is a ValueError and records nothing."""
    bus, other, one = EventBus(), EventBus(), event()
    bus.publish_nowait(one)
    for target in (bus, other):
        with pytest.raises(ValueError, match="published before"):
            target.publish_nowait(one)
        with pytest.raises(ValueError, match="published before"):
            target.publish(one).send(None)
    assert bus.history("run") == (one,)
    assert other.stats()["published_events_total"] == 0


def test_a_copy_is_a_new_event_with_the_same_id() -> None:
    """A copied or unpickled event is not yet published and gets a new place, the id stays."""
    bus, one = EventBus(), event(3)
    bus.publish_nowait(one)
    for twin in (copy.copy(one), copy.deepcopy(one), pickle.loads(pickle.dumps(one))):
        assert twin.seq is None
        assert twin.to_dict() == one.to_dict()
        bus.publish_nowait(twin)
    assert [each.seq for each in bus.history("run")] == [1, 2, 3, 4]


def test_events_are_equal_only_to_themselves() -> None:
    """Identity is equality: events can be put in sets whatever their payload."""
    one = StreamEvent("r", "t", {"a": []}, NOON, "id")
    two = StreamEvent("r", "t", {"a": []}, NOON, "id")
    assert one != two
    assert len({one, two}) == 2


def test_to_dict_is_the_wire_form() -> None:
    """`to_dict` has exactly five keys in order, an ISO timestamp with `+00:00`, and no `seq`."""
    wire = StreamEvent("r", "t", {"a": 1}, NOON.replace(microsecond=0), "id").to_dict()
    assert list(wire) == ["event_id", "run_id", "event_type", "timestamp", "data"]
    assert wire["timestamp"] == "2026-01-02T12:00:00+00:00"
    assert wire == {
        "event_id": "id",
        "run_id": "r",
        "event_type": "t",
        "timestamp": wire["timestamp"],
        "data": {"a": 1},
    }


class _Unspeakable:
    def __repr__(self) -> str:
        raise RuntimeError("no")


def _cycle() -> dict[str, Any]:
    data: dict[str, Any] = {}
    data["self"] = data
    return data


@pytest.mark.parametrize(
    "payload",
    [
        {"raw": b"\xff\x00"},
        {"set": {1, "b"}},
        {"nan": float("nan"), "inf": [float("-inf")]},
        _cycle(),
        {(1, 2): "tuple key", None: 1, 3: 4},
        {"lone": "\ud800"},
        {"object": _Unspeakable()},
        {"huge": 10**5000},
    ],
    ids=["bytes", "set", "nan", "cycle", "keys", "surrogate", "repr", "huge"],
)
def test_to_dict_is_strict_json_whatever_the_payload_holds(payload: dict[Any, Any]) -> None:
    """The wire form can be written as strict JSON and UTF-8; the payload itself stays as it was."""
    one = StreamEvent("r\udc80", "t", payload)
    text = json.dumps(one.to_dict(), allow_nan=False, ensure_ascii=False)
    text.encode()
    assert json.loads(text)["event_id"] == one.event_id
    assert next(iter(one.data.values())) is next(iter(payload.values()))


def test_the_repr_names_run_type_and_seq() -> None:
    """The repr tells which event it is and does not show the payload, which may hold secrets."""
    one = StreamEvent("run-1", "agent.think", {"key": "hunter2"})
    assert repr(one) == "StreamEvent(run_id='run-1', event_type='agent.think', seq=None)"


def test_a_forked_child_can_make_ids() -> None:
    """A fork while another thread makes an id does not leave the child waiting for it."""
    python(
        """
import os, warnings
from locus_nb import StreamEvent, _event
warnings.simplefilter("ignore", DeprecationWarning)
with _event._id_lock:
    child = os.fork()
    if child == 0:
        os._exit(0 if StreamEvent("r", "t", {}).event_id else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""
    )


@pytest.mark.parametrize("hours, year", [(-5, 9999), (5, 1)])
def test_a_time_that_utc_cannot_hold_is_refused(hours: int, year: int) -> None:
    """A timestamp whose UTC is outside the years 1 to 9999 is refused when the event is made."""
    zone = timezone(timedelta(hours=hours))
    moment = datetime(year, 12 if year > 1 else 1, 31 if year > 1 else 1, 23 if year > 1 else 1, tzinfo=zone)
    with pytest.raises(ValueError, match="1 to 9999"):
        StreamEvent("run", "test.event", {}, moment)


def test_a_restored_event_is_as_it_was() -> None:
    """An event made of what was kept of one says the same, has the given place, and is not published again."""
    kept = StreamEvent("r", "t", {"a": 1}, NOON, "id-1")
    event = restored(
        "r",
        event_type="t",
        data={"a": 1},
        time_us=kept.timestamp_ns // 1000,
        event_id="id-1",
        seq=7,
    )
    assert (event.to_dict(), event.seq) == (kept.to_dict(), 7)
    with pytest.raises(ValueError, match="published before"):
        EventBus().publish_nowait(event)
