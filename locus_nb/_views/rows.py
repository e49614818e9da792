"""Events as rows of a table: what a view shows of them, secrets taken out."""

# The raw values of an event, not what its properties make of them, are what is quick to read.
# ruff: noqa: SLF001
# pyright: reportPrivateUsage=false

from __future__ import annotations

import json
import math
from functools import cache, lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from locus_nb._payloads.kinds import LONGEST_NAME, kind_of
from locus_nb._payloads.numbers import amount, count, input_tokens
from locus_nb._payloads.outcomes import error_of, status_of
from locus_nb._payloads.preview import preview_of
from locus_nb._payloads.redact import redact, redact_name
from locus_nb._views.head import Room, is_small
from locus_nb._wire import dumps, jsonable
from locus_nb.event_types import AGENT_TOKENS_USED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from locus_nb._event import StreamEvent
    from locus_nb._payloads.kinds import Family, Phase

_LONGEST_DETAIL = 4000
_LONGEST_ERROR = 500
_CUT = "\n... cut here: the event's data holds more"
_TOKENS = ("prompt_tokens", "completion_tokens", "total_tokens", "cache_read_tokens", "cache_write_tokens")
_NO_TOKENS = (None, None)
# So many fields of a row need no payload.
_WITHOUT_PAYLOAD = 9
# Whatever a row, or what decides of its status and error, reads of a payload.
_FACTS = (
    *("span_id", "parent_span_id", "agent_name", "iteration", "tool_name", "model", "duration_ms"),
    *("success", "error", "error_type", "reason", "stop_reason", "final_message_preview"),
    *_TOKENS,
)
_encode_rows = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":")).encode
_encode_value = json.JSONEncoder(ensure_ascii=False).encode
_CONTAINERS = {dict, list}


class Row(NamedTuple):
    """One event as a view shows it; text and numbers only, safe to leave the process.

    All text is redacted and fits UTF-8. `time_ms` is the Unix epoch in milliseconds (UTC), exact to the
    microsecond. `detail` is the payload as indented JSON, cut at 4,000 characters, which its last line
    then says; `error` is cut at 500; the event type, the run's id, and the ids and names of the payload
    at 200. Making a row takes no longer for a payload of megabytes.

    `status` is what `events_df` says, and `error` also where the event type itself tells of one. `name` is that
    of the tool, else of the model. The tokens are those of `agent.tokens.used`.
    """

    seq: int
    time_ms: float
    event_type: str
    run_id: str
    preview: str
    detail: str
    phase: Phase
    family: Family
    status: str | None
    span_id: str | None
    parent_id: str | None
    agent: str | None
    iteration: int | None
    name: str | None
    duration_ms: float | None
    error: str | None
    input_tokens: int | None
    output_tokens: int | None


def row_of(event: StreamEvent) -> Row:
    """Make the row of a published event."""
    raw = event._data
    event_type = event._event_type
    room = Room()
    data: dict[str, Any] = redact(raw if is_small(raw) else room.head(raw))
    detail = _indented(data)
    if room.left <= 0 or len(detail) > _LONGEST_DETAIL:
        detail = detail[:_LONGEST_DETAIL] + _CUT
    told = data if room.left > 0 else _facts_in(raw)
    kind = kind_of(event_type)
    get = told.get
    span_id = _short(get("span_id"))
    used = _tokens(get) if event_type == AGENT_TOKENS_USED else _NO_TOKENS
    return Row(
        event.seq or 0,
        event._time / 1000,
        redact_name(kind.name),
        text_of(event._run_id),
        preview_of(event_type, data),
        detail,
        "point" if span_id is None else kind.phase,
        kind.family,
        "error" if kind.failure else status_of(event_type, told),
        span_id,
        _short(get("parent_span_id")),
        _short(get("agent_name")),
        _count(get("iteration")),
        _short(get("tool_name")) or _short(get("model")),
        _duration(get("duration_ms")),
        _error(event_type, told),
        *used,
    )


def rows_of(events: Iterable[StreamEvent]) -> list[Row]:
    """Make the rows of published events; where a payload cannot be read its row says so. Never raises."""
    return [_row_anyhow(event) for event in events]


def _row_anyhow(event: StreamEvent) -> Row:
    try:
        return row_of(event)
    except Exception as error:  # noqa: BLE001 - an edge: user code in a payload; the row says so
        return row_without_payload(event, error)


def row_without_payload(event: StreamEvent, error: BaseException) -> Row:
    """Make the row of an event whose payload cannot be read: it says so, and what it says besides holds."""
    kind = kind_of(event._event_type)
    told = f"<the payload cannot be shown: {type(error).__name__}>"
    facts: tuple[Any, ...] = (None,) * (len(Row._fields) - _WITHOUT_PAYLOAD)
    status = "error" if kind.failure else None
    return Row(
        event.seq or 0,
        event._time / 1000,
        redact_name(kind.name),
        text_of(event._run_id),
        told,
        told,
        "point",
        kind.family,
        status,
        *facts,
    )


def text_of(name: str) -> str:
    """Give a run's id as rows have it: as UTF-8 can hold it, at most 200 characters.

    One that is cut ends in an ellipsis and a digest, so that two which differ do so here.
    """
    if len(name) > LONGEST_NAME:
        return _shortened(name)
    if name.isascii():
        return name
    text = jsonable(name)
    return text if len(text) <= LONGEST_NAME else _shortened(name)


@lru_cache(maxsize=16)
def _shortened(name: str) -> str:
    digest = sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{jsonable(name[:LONGEST_NAME])[: LONGEST_NAME - 13]}…{digest}"


def _facts_in(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Give what a row reads besides the detail of a payload too large to be looked at as a whole."""
    return redact({key: Room().head(raw[key]) for key in _FACTS if key in raw})


def _short(value: object) -> str | None:
    return value[:LONGEST_NAME] if isinstance(value, str) and value else None


def _count(value: object) -> int | None:
    if value is None:
        return None
    number = count(value)
    return None if number < 0 else number


def _duration(value: object) -> float | None:
    if value is None:
        return None
    number = amount(value)
    return number if 0 <= number < math.inf else None


def _error(event_type: str, told: Mapping[str, Any]) -> str | None:
    error = error_of(event_type, told)
    if not error:
        return None
    return (error if isinstance(error, str) else dumps(error))[:_LONGEST_ERROR]


def _tokens(get: Callable[[str], Any]) -> tuple[int | None, int | None]:
    prompt, completion, total, read, written = map(count, map(get, _TOKENS))
    return _count(input_tokens(prompt, completion, total, read, written)), _count(completion)


def _indented(value: Any, margin: str = "\n") -> str:
    """Give what `jsonable` gave as JSON, indented by two, as `json.dumps` does in many times the time.

    With `indent` the encoder in C is not used; here it is, for all that holds no container.
    """
    inner = f"{margin}  "
    members = _members_of(value)
    if not members:
        return _encode_value(value)
    if _CONTAINERS.isdisjoint(map(type, members)):
        body = _encode_flat(inner)(value)[1:-1]
    else:
        parts = [_indented(member, inner) for member in members]
        if isinstance(value, dict):
            names = map(_encode_value, cast("dict[str, Any]", value))
            parts = [f"{name}: {part}" for name, part in zip(names, parts, strict=True)]
        body = f",{inner}".join(parts)
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    return f"{opening}{inner}{body}{margin}{closing}"


def _members_of(value: Any) -> Sequence[Any]:
    if isinstance(value, dict):
        return list(cast("dict[str, Any]", value).values())
    return cast("list[Any]", value) if isinstance(value, list) else ()


@cache
def _encode_flat(margin: str) -> Callable[[Any], str]:
    """Give what encodes a container of scalars, each after this margin."""
    return json.JSONEncoder(ensure_ascii=False, separators=(f",{margin}", ": ")).encode


def encode(rows: Sequence[tuple[Any, ...]]) -> bytes:
    """Rows, of events or of others whose text fits UTF-8, as the page takes them: a JSON array of arrays."""
    return _encode_rows(rows).encode()
