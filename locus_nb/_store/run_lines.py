"""A run as lines of JSON, and back: the one form in which runs are in files.

A line is a head, `{"locus_nb": 1, "kind": "run", "record": {...}}` with all that is known of a run, or an event: the
five keys of its wire form and `seq`. A head that also says `events` promises that so many of the run's events are in
the file. One that says `lacks` is a store's: the run is all that there is of it in all such files, less so many events,
in addition to those that other heads say, that were gone before, and that were dropped. Of several heads of one run
the last one holds.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, TypeGuard, cast, get_args

from locus_nb._event import StreamEvent
from locus_nb._history import RunRecord, RunStatus
from locus_nb._payloads.redact import redact_name, redact_tags, redact_text, redact_tree
from locus_nb._wire import dumps, jsonable

if TYPE_CHECKING:
    from collections.abc import Callable

VERSION = 1
_KIND = "run"
_HEAD_KEYS = {"locus_nb", "kind", "record"}
_EVENT_KEYS = {"event_id", "run_id", "event_type", "timestamp", "data", "seq"}
# 64 bits, as frames keep numbers.
_BOUND = 1 << 63
_STATUSES = frozenset(get_args(RunStatus))

_encode = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, allow_nan=False, separators=(",", ":")
).encode
# What some readers take for the end of a line, though JSON does not.
_LINE_ENDS = {end: f"\\u{ord(end):04x}" for end in "\u0085\u2028\u2029"}


class BadLine(Exception):  # noqa: N818 - a signal between two functions, never seen outside
    """A line is neither a head nor an event.

    `hopeless` is that of a file nothing else of which can be read, `foreign` that of another version.
    """

    def __init__(self, reason: str, *, hopeless: bool = False, foreign: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hopeless = hopeless or foreign
        self.foreign = foreign


class Head(NamedTuple):
    """What is known of a run.

    Attributes:
        record: The run.
        events: How many of its events the file holds; None where that is not said.
        lacks: How many more it lacks: those that were gone before, and those that were dropped (fewer than none if
            they came after all). None in what is no store's.
    """

    record: RunRecord
    events: int | None
    lacks: tuple[int, int] | None = None


class KeptEvent(NamedTuple):
    """An event as it is in a file; `time_us` is microseconds since the Unix epoch (UTC)."""

    seq: int
    run_id: str
    event_type: str
    data: dict[str, Any]
    time_us: int
    event_id: str


def head_line(
    record: RunRecord,
    *,
    events: int | None = None,
    lacks: tuple[int, int] | None = None,
    secrets: bool = False,
) -> str:
    """Give the line for what is known of a run, without its end.

    Args:
        record: The run. What its name, cell and tags hold against their types is made into text.
        events: How many of its events the file holds, if that is certain.
        lacks: See `Head`.
        secrets: Leave secrets in its name and tags.
    """
    plain: dict[str, Any] = {
        **record._asdict(),
        "run_id": jsonable(record.run_id),
        "name": _text_or_none(record.name),
        "tags": {str(key): _text_of(value) for key, value in jsonable(dict(record.tags)).items()},
        "cell_id": _text_or_none(record.cell_id),
        "execution_count": record.execution_count if _is_int(record.execution_count) else None,
    }
    if not secrets:
        plain["tags"] = redact_tags(plain["tags"])
        for key in ("name", "cell_id"):
            plain[key] = None if plain[key] is None else redact_text(plain[key], key=key)
    head: dict[str, Any] = {"locus_nb": VERSION, "kind": _KIND, "record": plain}
    said = {"events": events, "lacks": lacks}
    return _line(head | {key: value for key, value in said.items() if value is not None})


def event_line(event: StreamEvent, *, secrets: bool = False) -> str:
    """Give the line for a published event, without its end.

    Args:
        event: The event.
        secrets: Leave secrets in its payload.
    """
    plain = event.to_dict()
    data = plain["data"]
    if not secrets:
        data = redact_tree(data)
        plain["event_type"] = redact_name(plain["event_type"])
    # A payload that cannot be read at all is a text.
    plain["data"] = cast("dict[str, Any]", data) if isinstance(data, dict) else {"data": data}
    return _line(plain | {"seq": event.seq})


def _line(fields: dict[str, Any]) -> str:
    text = _encode(fields)
    if not text.isascii():
        for end, escape in _LINE_ENDS.items():
            text = text.replace(end, escape)
    return text


def read_line(line: bytes) -> Head | KeptEvent:
    """Read a line; nothing that it holds is carried out, and all that it gives is as a saved run's is.

    Raises:
        BadLine: It is neither a head nor an event, and why.
    """
    try:
        value = _decode(line.decode())
    except UnicodeDecodeError:
        raise BadLine("it is not UTF-8 text") from None
    except RecursionError:
        raise BadLine("its JSON is nested too deeply") from None
    except json.JSONDecodeError as error:
        raise BadLine(f"it is not JSON: {error.msg} at column {error.colno}") from None
    except ValueError as error:
        # A constant that JSON does not know, or an integer of more digits than Python reads.
        raise BadLine(f"it is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise BadLine("it is JSON, but not an object")
    fields = cast("dict[str, Any]", value)
    return _head(fields) if "locus_nb" in fields else _event(fields)


def _refuse_constant(name: str) -> NoReturn:
    msg = f"{name} is no number"
    raise ValueError(msg)


_decode: Callable[[str], Any] = json.JSONDecoder(parse_constant=_refuse_constant).decode


def _head(fields: dict[str, Any]) -> Head:
    version = fields["locus_nb"]
    if not _is_int(version):
        raise BadLine("its 'locus_nb' is no whole number", hopeless=True)
    if version != VERSION:
        raise BadLine(
            f"it is of version {version} of this form, and version {VERSION} is the one that is known: "
            "read it with the locus_nb that wrote it"
            if abs(version) < _BOUND
            else "it is of a version of this form that is not known",
            foreign=True,
        )
    _check_keys("head", fields, _HEAD_KEYS, optional={"events", "lacks"})
    if fields["kind"] != _KIND:
        raise BadLine(f"its 'kind' is not {_KIND!r}", hopeless=True)
    record = fields["record"]
    if not isinstance(record, dict):
        raise BadLine("its 'record' is not an object")
    events = fields.get("events")
    if "events" in fields and not _is_count(events):
        raise BadLine("its 'events' is not a whole number from 0")
    return Head(
        _record(cast("dict[str, Any]", record)),
        events,
        _lacks(fields["lacks"]) if "lacks" in fields else None,
    )


def _lacks(value: Any) -> tuple[int, int]:
    match value:
        case [missed, dropped] if _is_time(missed) and _is_time(dropped):
            return missed, dropped
        case _:
            raise BadLine("its 'lacks' is not two whole numbers of 64 bits")


def _record(fields: dict[str, Any]) -> RunRecord:
    _check_keys("record", fields, set(RunRecord._fields))
    for name, (is_right, wanted) in _RECORD_FIELDS.items():
        if not is_right(fields[name]):
            raise BadLine(f"its record's {name!r} is not {wanted}")
    if fields["trimmed"] > fields["total"]:
        raise BadLine("its record's 'trimmed' is more than its 'total'")
    return RunRecord(**fields)


def _event(fields: dict[str, Any]) -> KeptEvent:
    if fields.keys() != _EVENT_KEYS:
        _check_keys("event", fields, _EVENT_KEYS)
    for name in ("event_id", "run_id", "event_type"):
        if not _is_name(fields[name]):
            raise BadLine(f"its {name!r} is not {_A_NAME}")
    seq, data = fields["seq"], fields["data"]
    if not _is_count(seq) or seq == 0:
        raise BadLine("its 'seq' is not a whole number from 1")
    if not isinstance(data, dict):
        raise BadLine("its 'data' is not an object")
    if jsonable(cast("object", data)) != data:
        raise BadLine(
            "its 'data' holds what no saved event does: a number or a text out of range, or too much nesting"
        )
    return KeptEvent(
        seq,
        fields["run_id"],
        fields["event_type"],
        cast("dict[str, Any]", data),
        _time_us(fields["timestamp"]),
        fields["event_id"],
    )


def _time_us(timestamp: object) -> int:
    if not isinstance(timestamp, str):
        raise BadLine("its 'timestamp' is not a text")
    try:
        moment = datetime.fromisoformat(timestamp)
    except ValueError:
        raise BadLine("its 'timestamp' is not a time in ISO 8601") from None
    if moment.utcoffset() is None:
        raise BadLine("its 'timestamp' has no offset from UTC")
    try:
        return StreamEvent("run", "type", {}, moment).timestamp_ns // 1_000
    except ValueError:
        raise BadLine("its 'timestamp' is not in the years 1 to 9999") from None


def _check_keys(
    what: str, fields: dict[str, Any], wanted: set[str], optional: set[str] | None = None
) -> None:
    lacking = sorted(wanted - fields.keys())
    if lacking:
        raise BadLine(f"it is no {what} of a run: it lacks {', '.join(map(repr, lacking))}")
    strange = sorted(fields.keys() - wanted - (optional or set()))
    if strange:
        raise BadLine(f"its {what} has the unknown key {jsonable(strange[0])[:_LONGEST_KEY]!r}")


_LONGEST_KEY = 100


def _is_int(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_int_or_none(value: object) -> bool:
    return value is None or (_is_int(value) and -_BOUND <= value < _BOUND)


def _is_time(value: object) -> bool:
    return value is not None and _is_int_or_none(value)


def _is_count(value: object) -> TypeGuard[int]:
    return _is_int(value) and 0 <= value < _BOUND


def _is_text(value: object) -> bool:
    # A lone surrogate has another text in JSON.
    return isinstance(value, str) and (value.isascii() or jsonable(value) == value)


def _is_name(value: object) -> bool:
    return bool(value) and _is_text(value)


def _is_text_or_none(value: object) -> bool:
    return value is None or _is_text(value)


def _are_tags(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    tags = cast("dict[str, object]", value)
    return all(map(_is_text, tags)) and all(map(_is_text, tags.values()))


def _is_status(value: object) -> bool:
    return isinstance(value, str) and value in _STATUSES


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


_A_NAME = "a text that is not empty"
_RECORD_FIELDS: dict[str, tuple[Callable[[object], bool], str]] = {
    "run_id": (_is_name, _A_NAME),
    "name": (_is_text_or_none, "a text or null"),
    "tags": (_are_tags, "an object of texts"),
    "status": (_is_status, f"one of {', '.join(sorted(_STATUSES))}"),
    "started_at_ns": (_is_time, "a whole number of 64 bits"),
    "ended_at_ns": (_is_int_or_none, "a whole number of 64 bits or null"),
    "cell_id": (_is_text_or_none, "a text or null"),
    "execution_count": (_is_int_or_none, "a whole number of 64 bits or null"),
    "closed": (_is_flag, "true or false"),
    "trimmed": (_is_count, "a whole number from 0"),
    "total": (_is_count, "a whole number from 0"),
    "dropped": (_is_count, "a whole number from 0"),
}


def _text_of(value: object) -> str:
    return value if isinstance(value, str) else dumps(value)


def _text_or_none(value: object) -> str | None:
    return None if value is None else _text_of(jsonable(value))
