"""How what an event tells of ended: its status, and the class of its error."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from locus_nb._wire import dumps
from locus_nb.event_types import AGENT_TERMINATE

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence

    from locus_nb._payloads.chunks import Chunk

_ENDS = {"completed", "terminate", "terminated", "failed"}
_FAILURE = re.compile(r"(^|[._])(error|failed|failure|exception)([._]|$)")
# As the status of a run is read from its last `agent.terminate`.
_ABNORMAL = {"error", "interrupted"}
_LONGEST_CLASS = 100


def statuses(chunk: Chunk) -> Sequence[str | None] | None:
    """Give `ok`, `error` or `interrupted` for each event that ends something; None if none of them does.

    An event ends something if its type's last part says so, or it has a `success`. It failed if that part is
    `failed`, `success` is false or there is an `error`; a `reason` or `stop_reason` of `error` or
    `interrupted` names the status itself. A `success` or `reason` of another type than it has by contract
    tells nothing.
    """
    columns = chunk.columns
    if not ends_something(chunk.event_type, columns):
        return None
    nothing = (None,) * len(chunk.rows)
    reasons = columns.get(_reason_key(chunk.event_type), nothing)
    successes, errors = columns.get("success", nothing), columns.get("error", nothing)
    if _last_part(chunk.event_type) == "failed":
        return ["error"] * len(chunk.rows)
    if set(map(type, successes)) <= {bool, type(None)} and not _any_abnormal(reasons):
        return [
            "error" if error or success is False else "ok"
            for success, error in zip(successes, errors, strict=True)
        ]
    return list(map(_status, successes, errors, reasons))


def status_of(event_type: str, data: Mapping[str, Any]) -> str | None:
    """Give the status of one event, as `statuses` does; None if it ends nothing."""
    if not ends_something(event_type, data):
        return None
    if _last_part(event_type) == "failed":
        return "error"
    return _status(data.get("success"), data.get("error"), data.get(_reason_key(event_type)))


def ends_something(event_type: str, keys: Container[str]) -> bool:
    """Say whether an event of this type, with a payload of these keys, ends something."""
    return is_end(event_type) or "success" in keys


def is_end(event_type: str) -> bool:
    """Say whether the last part of an event type says that something ended."""
    return _last_part(event_type) in _ENDS


def names_failure(event_type: str) -> bool:
    """Say whether an event type tells of an error, wherever in it that is said."""
    return _FAILURE.search(event_type) is not None


def error_types(chunk: Chunk) -> Sequence[str | None] | None:
    """Give the class of each event's error, None where there is none; None if no event can have one.

    That is `error_type`, else the class named at the start of `error` (`TimeoutError: no answer`), or of the
    last message of a run that ended by an error.
    """
    columns = chunk.columns
    nothing = (None,) * len(chunk.rows)
    named, errors = columns.get("error_type", nothing), columns.get("error", nothing)
    if chunk.event_type == AGENT_TERMINATE and "error" not in columns:
        messages = columns.get("final_message_preview", nothing)
        reasons = columns.get("reason", nothing)
        errors = [
            message if reason == "error" else None for message, reason in zip(messages, reasons, strict=True)
        ]
    if not any(named) and not any(errors):
        return None
    return [
        (name if isinstance(name, str) and name else _class_in(error)) if name or error else None
        for name, error in zip(named, errors, strict=True)
    ]


def error_texts(chunk: Chunk) -> Sequence[str | None] | None:
    """Give what each event says of its error, as text; None if none of them says anything."""
    columns = chunk.columns
    if not any(any(columns.get(key, ())) for key in ("error", "error_type", "reason")):
        return None
    are_texts = set(map(type, columns.get("error", ()))) <= {str, type(None)}
    if are_texts and "error_type" not in columns and chunk.event_type != AGENT_TERMINATE:
        return columns.get("error")
    errors = [error_of(chunk.event_type, payload) for payload in chunk.payloads]
    return [error if isinstance(error, str) else dumps(error) if error else None for error in errors]


def error_of(event_type: str, data: Mapping[str, Any]) -> object:
    """Give what one event says of its error, which `error_types` takes the class from; None without one."""
    error = data.get("error") or data.get("error_type")
    if event_type == AGENT_TERMINATE and "error" not in data and data.get("reason") == "error":
        return data.get("final_message_preview") or error
    return error


def _last_part(event_type: str) -> str:
    return event_type.rpartition(".")[2]


def _reason_key(event_type: str) -> str:
    return "reason" if event_type == AGENT_TERMINATE else "stop_reason"


def _any_abnormal(reasons: Sequence[Any]) -> bool:
    if not set(map(type, reasons)) <= {str, type(None)}:
        return True
    return not _ABNORMAL.isdisjoint(reasons)


def _status(success: object, error: object, reason: object) -> str | None:
    if isinstance(reason, str) and reason in _ABNORMAL:
        return reason
    if error or success is False:
        return "error"
    known = success in (None, True) and isinstance(reason, str | None)
    return "ok" if known else None


def _class_in(error: object) -> str | None:
    if not isinstance(error, str):
        return None
    name = error[: _LONGEST_CLASS + 1].partition(":")[0]
    looks_so = name.replace(".", "").isidentifier() and name.rpartition(".")[2][:1].isupper()
    return name if looks_so and len(name) <= _LONGEST_CLASS else None
