"""Events as rows of a table: what a view shows of them, secrets taken out."""

# The raw values of an event, not what its properties make of them, are what is quick to read.
# ruff: noqa: SLF001
# pyright: reportPrivateUsage=false

from __future__ import annotations

import json
import math
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from locus_nb._kinds import kind_of
from locus_nb._numbers import amount, count, input_tokens
from locus_nb._outcomes import error_of, status_of
from locus_nb._preview import preview_of
from locus_nb._redact import redact
from locus_nb._wire import dumps, jsonable
from locus_nb.event_types import AGENT_TOKENS_USED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from locus_nb._event import StreamEvent
    from locus_nb._kinds import Family, Phase

_LONGEST_DETAIL = 4000
_LONGEST_NAME = 200
_LONGEST_ERROR = 500
_CUT = "\n... cut here: the event's data holds more"
# As much of a payload as is looked at: enough that a secret which begins in sight is there as a whole.
_LOOKED_AT = 3 * _LONGEST_DETAIL
_DEEP = 64
# What one value that is no text takes of it, and the keys and brackets around.
_EACH = 16
_TOKENS = ("prompt_tokens", "completion_tokens", "total_tokens", "cache_read_tokens", "cache_write_tokens")
_NO_TOKENS = (None, None)
# Whatever a row, or what decides of its status and error, reads of a payload.
_FACTS = (
    *("span_id", "parent_span_id", "agent_name", "iteration", "tool_name", "model", "duration_ms"),
    *("success", "error", "error_type", "reason", "stop_reason", "final_message_preview"),
    *_TOKENS,
)
_encode_rows = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":")).encode
_encode_flat = json.JSONEncoder(ensure_ascii=False, separators=(",\n  ", ": ")).encode


class Row(NamedTuple):
    """One event as a view shows it; text and numbers only, safe to leave the process.

    All text is redacted and fits UTF-8. `time_ms` is the Unix epoch in milliseconds (UTC), exact to the
    microsecond. `detail` is the payload as indented JSON, cut at 4,000 characters, which its last line then
    says; `error` is cut at 500, the ids and names of the payload at 200. Making a row takes no longer for a
    payload of megabytes.

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
    room = _Room()
    data: dict[str, Any] = redact(raw if _is_small(raw) else room.head(raw))
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
        kind.name,
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


def text_of(name: str) -> str:
    """Give a run's id as rows have it: as UTF-8 can hold it."""
    return name if name.isascii() else jsonable(name)


def _facts_in(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Give what a row reads besides the detail of a payload too large to be looked at as a whole."""
    return redact({key: _Room().head(raw[key]) for key in _FACTS if key in raw})


def _short(value: object) -> str | None:
    return value[:_LONGEST_NAME] if isinstance(value, str) and value else None


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


def _is_small(raw: dict[Any, Any]) -> bool:
    """Say whether a payload is flat, and nothing of it would be left out: most are, and need no copy."""
    size = 0
    for key, value in raw.items():
        kind = _type_of(value)
        if kind is str:
            size += len(value)
        elif kind not in _SCALARS:
            return False
        if _type_of(key) is not str:
            return False
        size += len(key) + _EACH
    return size < _LOOKED_AT


class _Room:
    """What is left of the characters that are looked at."""

    def __init__(self) -> None:
        self.left = _LOOKED_AT

    def head(self, value: Any, depth: int = 0) -> Any:
        """Copy the beginning of `value`, as far as there is room; of other types than JSON's all."""
        kind = _type_of(value)
        if kind is str:
            text = value[: max(0, self.left)]
            self.left -= len(value)
            return text
        self.left -= _EACH
        if depth >= _DEEP or kind not in _CONTAINERS:
            return value
        # In one call, because another thread may change what it published.
        items: tuple[Any, ...] = tuple(islice(value.items() if kind is dict else value, max(0, self.left)))
        if kind is dict:
            return {self._key(key): self.head(item, depth + 1) for key, item in items if self.left > 0}
        return [self.head(item, depth + 1) for item in items if self.left > 0]

    def _key(self, key: Any) -> Any:
        return self.head(key) if type(key) is str else key


_type_of: Callable[[Any], type[Any]] = type
_SCALARS = {bool, float, int, type(None)}
# A set is left to those who sort it.
_CONTAINERS = {dict, list, tuple}


def _indented(data: dict[str, Any]) -> str:
    """Give `data` as JSON, indented by two."""
    if data and not any(isinstance(value, dict | list) for value in data.values()):
        # The same text, several times faster: with `indent` the encoder in C is not used.
        return f"{{\n  {_encode_flat(data)[1:-1]}\n}}"
    return json.dumps(data, indent=2, ensure_ascii=False)


def encode(rows: Sequence[tuple[Any, ...]]) -> bytes:
    """Rows, of events or of others whose text fits UTF-8, as the page takes them: a JSON array of arrays."""
    return _encode_rows(rows).encode()
