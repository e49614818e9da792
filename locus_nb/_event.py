"""The record that travels: one thing an agent did, said once and never changed."""

# `event_ids` does for many events what their own property does.
# ruff: noqa: SLF001
# pyright: reportPrivateUsage=false

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from os import urandom
from types import MappingProxyType
from typing import Any, Protocol, cast

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_FIRST = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
_LAST = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
_id_lock = threading.Lock()
# What each UUID4 has of random bits, and what it has in the place of the others (RFC 9562, section 5.4).
_RANDOM_BITS = bytes.fromhex("ffffffffffff0fff3fffffffffffffff")
_VERSION_AND_VARIANT = bytes.fromhex("00000000000040008000000000000000")
# Where its digits stand, and how long it is.
_PLACES = [place for place in range(36) if place not in {8, 13, 18, 23}]
_LENGTH = 36


class Sequencer(Protocol):
    """What an accepted event needs of its bus: to be given its place in the total order."""

    def settle(self) -> None:
        """Number every accepted event."""
        ...


class StreamEvent:
    """One event of a run.

    Args:
        run_id: The run it belongs to. A bad one (empty, not a `str`) is refused when it is published.
        event_type: Dotted name, see `locus_nb.event_types`; an open set.
        data: Payload. Copied (shallow), so a later change of the caller's mapping does not rewrite
            history; `data` gives a read-only view of the copy, because all readers share it.
        timestamp: Aware datetime, kept as UTC to the microsecond. Default: now.
        event_id: Unique string. Default: a UUID4, made when first asked for.

    Attributes are read-only. Two events are equal only if they are the same object. A copy or an
    unpickled event is a new one, not yet published, with the same id.

    Raises:
        TypeError: `event_type` is not a str, `data` not a mapping, `timestamp` not a
            datetime or `event_id` not a str.
        ValueError: `event_type` or `event_id` is empty, or `timestamp` is naive or out of range in UTC.

    Example:
        >>> event = StreamEvent("run-1", "agent.think", {"iteration": 1})
        >>> event.seq is None, event.data["iteration"]
        (True, 1)
    """

    __slots__ = ("_arrived", "_data", "_event_id", "_event_type", "_place", "_run_id", "_time")

    # How far it has come. None: not published; the bus: accepted, not yet numbered; int: its seq.
    # False: never to be published, its run id is bad.
    _place: Sequencer | int | None
    # When the bus accepted it, by the bus's own monotonic clock, in seconds; 0 where nobody needs to know.
    _arrived: float

    def __init__(
        self,
        run_id: str,
        event_type: str,
        data: Mapping[str, Any],
        timestamp: datetime | None = None,
        event_id: str | None = None,
    ) -> None:
        if event_type.__class__ is not str or not event_type:
            _check_text("event_type", event_type)
        # Exact: under the bus's lock nothing of a subclass's own may run, not even its hash.
        self._run_id = run_id if run_id.__class__ is str else exact(run_id)
        self._event_type = event_type if event_type.__class__ is str else exact(event_type)
        self._arrived = 0.0
        if data.__class__ is not dict:
            _check_mapping(data)
        self._data: dict[str, Any] = dict(data)
        self._time = time.time_ns() // 1000 if timestamp is None else _microseconds(timestamp)
        if event_id is not None:
            _check_text("event_id", event_id)
        self._event_id = event_id
        if self._run_id.__class__ is str and self._run_id:
            self._place = None
        else:
            self._place = False

    @property
    def run_id(self) -> str:
        """The run it belongs to."""
        return self._run_id

    @property
    def event_type(self) -> str:
        """Dotted name of what happened."""
        return self._event_type

    @property
    def data(self) -> Mapping[str, Any]:
        """Read-only view of the payload."""
        return MappingProxyType(self._data)

    @property
    def timestamp_ns(self) -> int:
        """When it was made, in nanoseconds since the Unix epoch (UTC); exact to the microsecond."""
        return self._time * 1000

    @property
    def timestamp(self) -> datetime:
        """When it was made: aware, UTC, to the microsecond."""
        return _EPOCH + timedelta(microseconds=self._time)

    @property
    def event_id(self) -> str:
        """Unique id; the same at every reading, from any thread."""
        if self._event_id is None:
            made = _uuid4()
            with _id_lock:
                self._event_id = self._event_id or made
        return self._event_id

    @property
    def seq(self) -> int | None:
        """Place in the bus's total order, from 1; None while it is not published."""
        place = self._place
        if place is None or place is False:
            return None
        if not isinstance(place, int):
            place.settle()
            place = self._place
        return place if isinstance(place, int) else None

    def to_dict(self) -> dict[str, Any]:
        """Wire form: `event_id run_id event_type timestamp data`, always valid strict JSON.

        `timestamp` is ISO 8601 with the offset `+00:00`. Payload values that JSON does not know are
        made into what it knows; the payload itself is left alone.
        """
        from locus_nb._wire import jsonable  # noqa: PLC0415 - only who writes events needs it

        return {
            "event_id": jsonable(self.event_id),
            "run_id": jsonable(self._run_id),
            "event_type": jsonable(self._event_type),
            "timestamp": self.timestamp.isoformat(),
            "data": jsonable(self._data),
        }

    def __repr__(self) -> str:
        return f"StreamEvent(run_id={self._run_id!r}, event_type={self._event_type!r}, seq={self.seq})"

    def __reduce__(self) -> tuple[type[StreamEvent], tuple[Any, ...]]:
        return StreamEvent, (self._run_id, self._event_type, self._data, self.timestamp, self.event_id)


def restored(
    run_id: str, *, event_type: str, data: dict[str, Any], time_us: int, event_id: str, seq: int
) -> StreamEvent:
    """Make an event of what was kept of one, with the place that it has among those it was kept with.

    Nothing is checked or copied: all are exact built-in types, `run_id` and `event_type` not empty, and `data` is
    handed over.

    Args:
        run_id: As it was.
        event_type: As it was.
        data: Its payload.
        time_us: Microseconds since the Unix epoch (UTC).
        event_id: As it was.
        seq: Its place; such an event counts as published.
    """
    event = StreamEvent.__new__(StreamEvent)
    event._run_id, event._event_type, event._data = run_id, event_type, data
    event._time, event._event_id = time_us, event_id
    event._arrived, event._place = 0.0, seq
    return event


def restored_all(
    run_ids: Iterable[str],
    *,
    event_types: Iterable[str],
    payloads: Iterable[dict[str, Any]],
    times_us: Iterable[int],
    ids: Iterable[str],
    seqs: Iterable[int],
) -> list[StreamEvent]:
    """Make the events that `restored` makes, of columns of the same length."""
    new = StreamEvent.__new__
    events: list[StreamEvent] = []
    add = events.append
    for run_id, event_type, data, time_us, event_id, seq in zip(
        run_ids, event_types, payloads, times_us, ids, seqs, strict=True
    ):
        # What `restored` does: its call would be half of the time that a million of them take.
        event = new(StreamEvent)
        event._run_id = run_id
        event._event_type = event_type
        event._data = data
        event._time = time_us
        event._event_id = event_id
        event._arrived = 0.0
        event._place = seq
        add(event)
    return events


def _uuid4() -> str:
    # What `str(uuid.uuid4())` gives (RFC 9562, section 5.4), in half of its time and without its import.
    digits = urandom(16).hex()
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def event_ids(events: Sequence[StreamEvent]) -> list[str]:
    """Give each event's `event_id`; those that have none yet get theirs in a fraction of the time."""
    ids = [event._event_id for event in events]
    if None not in ids:
        return cast("list[str]", ids)
    without = [event for event in events if event._event_id is None]
    made = _uuid4s(len(without))
    # Some at a time, so that nobody ever waits for all.
    for start in range(0, len(without), 32):
        with _id_lock:
            for event, each in zip(without[start : start + 32], made[start : start + 32], strict=True):
                event._event_id = event._event_id or each
    return [event.event_id for event in events]


def _uuid4s(count: int) -> list[str]:
    # As one number of all their bits, and all their digits put into place column by column.
    bits = int.from_bytes(urandom(16 * count)) & int.from_bytes(_RANDOM_BITS * count)
    digits = (bits | int.from_bytes(_VERSION_AND_VARIANT * count)).to_bytes(16 * count).hex().encode()
    spelled = bytearray(b"-" * (_LENGTH * count))
    for column, place in enumerate(_PLACES):
        spelled[place::_LENGTH] = digits[column::32]
    text = spelled.decode()
    return [text[at : at + _LENGTH] for at in range(0, _LENGTH * count, _LENGTH)]


def exact(text: Any) -> Any:
    """The bare `str` of a subclass's object; anything else as it is."""
    return str.__str__(text) if isinstance(text, str) else text


def run_id_error(run_id: object) -> TypeError | ValueError | None:
    """Say what is wrong with `run_id`; None if it can name a run."""
    if not isinstance(run_id, str):
        return TypeError(f"A run id is a str, not {type(run_id).__name__}: pass one, or use run_context()")
    if not run_id:
        return ValueError("A run id is not empty: pass a name, or let run_context() make one")
    return None


def _check_text(what: str, text: object) -> None:
    if not isinstance(text, str):
        msg = f"StreamEvent needs a str as {what}, not {type(text).__name__}"
        raise TypeError(msg)
    if not text:
        msg = f"StreamEvent needs a name as {what}, not an empty str"
        raise ValueError(msg)


def _check_mapping(data: object) -> None:
    if not isinstance(data, Mapping):
        msg = f"StreamEvent needs a mapping as data, not {type(data).__name__}: pass a dict"
        raise TypeError(msg)


def _microseconds(timestamp: object) -> int:
    if not isinstance(timestamp, datetime):
        msg = f"StreamEvent needs a datetime as timestamp, not {type(timestamp).__name__}"
        raise TypeError(msg)
    if timestamp.utcoffset() is None:
        msg = "StreamEvent refuses a naive timestamp, whose zone is a guess: use datetime.now(UTC)"
        raise ValueError(msg)
    since = (timestamp - _EPOCH) // _MICROSECOND
    if not _FIRST <= since <= _LAST:
        msg = f"StreamEvent refuses {timestamp.isoformat()}, which in UTC is not in the years 1 to 9999"
        raise ValueError(msg)
    return since


def _begin_in_child() -> None:
    # The thread that may hold the parent's lock is not here.
    global _id_lock  # noqa: PLW0603 - the one lock for all events
    _id_lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_in_child)
