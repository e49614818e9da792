"""How what an event tells of ended: its status, and the class of its error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from locus_nb.event_types import AGENT_TERMINATE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from locus_nb._payloads import Chunk

_ENDS = {"completed", "terminate", "terminated", "failed"}
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
    end = chunk.event_type.rpartition(".")[2]
    if end not in _ENDS and "success" not in columns:
        return None
    if end == "failed":
        return ["error"] * len(chunk.rows)
    nothing = (None,) * len(chunk.rows)
    reasons = columns.get("reason" if chunk.event_type == AGENT_TERMINATE else "stop_reason", nothing)
    successes, errors = columns.get("success", nothing), columns.get("error", nothing)
    if set(map(type, successes)) <= {bool, type(None)} and not _any_abnormal(reasons):
        return [
            "error" if error or success is False else "ok"
            for success, error in zip(successes, errors, strict=True)
        ]
    return list(map(_status, successes, errors, reasons))


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
