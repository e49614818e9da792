"""Calls: which event begins one, which ends it, and which others tell of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, cast

from locus_nb._event import exact
from locus_nb._payloads.kinds import title_of
from locus_nb._wire import jsonable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from locus_nb._payloads.kinds import Family, Kind

    # The family, the id, and more.
    Key = tuple[Any, ...]

KINDS: tuple[Family, ...] = ("model", "tool", "agent", "other")
NAMED_BY: dict[Family, str] = {"model": "model", "tool": "tool_name", "agent": "agent_name"}
# Those of the agent itself may lack an id.
_KNOWN_BY_NAME = {"model", "tool"}
# Of these types no code of a payload's own can run.
_PLAIN = {str, int, float, bool, type(None), list, dict}
_READ = frozenset(
    (
        *("prompt_tokens", "completion_tokens", "total_tokens", "cache_read_tokens", "cache_write_tokens"),
        *("tool_name", "model", "agent_name", "span_id", "iteration", "cost_usd"),
        *("success", "error", "error_type", "reason", "stop_reason"),
    )
)


class Calls(NamedTuple):
    """Calls, in the order in which they are first heard of.

    Attributes:
        keys: By what each is known.
        begins: The number of the mark that begins it; -1 for none.
        ends: The number of the mark that ends it; -1 for none. A call that has neither was only told of.
        of_marks: The call that each mark is of.
    """

    keys: list[Key]
    begins: list[int]
    ends: list[int]
    of_marks: list[int]


def calls_of(marks: Iterable[tuple[Key, str]]) -> Calls:
    """Find the calls that events make.

    A start begins a call. An end belongs to the latest start of its key that has no end yet; without one it is a call
    of its own. What else tells of a key's call is about the one that last began or ended, or else about the first
    that will.

    Args:
        marks: The events that begin, end or tell of a call, in their order: its key, and what each is to it.
    """
    keys, begins, ends, of_marks = calls = Calls([], [], [], [])
    latest: dict[Key, int] = {}
    # Those that had not ended when another one of their key began.
    outer: dict[Key, list[int]] = {}
    for mark, (key, phase) in enumerate(marks):
        call = latest.get(key)
        if call is not None and phase == "end" and ends[call] >= 0:
            call = outer[key].pop() if outer.get(key) else None
        elif call is not None and phase == "start" and (ends[call] >= 0 or begins[call] >= 0):
            if ends[call] < 0:
                outer.setdefault(key, []).append(call)
            call = None
        if call is None:
            call = len(keys)
            keys.append(key)
            begins.append(mark if phase == "start" else -1)
            ends.append(mark if phase == "end" else -1)
        elif phase == "end":
            ends[call] = mark
        elif phase == "start":
            begins[call] = mark
        latest[key] = call
        of_marks.append(call)
    return calls


def key_of(kind: Kind, event_type: str, told: Mapping[str, Any]) -> Key | None:
    """Give what a call is known by in its run that an event begins, ends or tells of; None if there is none.

    That is its family and its id. Calls of models and tools that name no id are known by their name. What neither
    begins nor ends one tells of a model's.
    """
    span = told.get("span_id")
    has_id = isinstance(span, str) and bool(span)
    if kind.phase not in ("start", "end"):
        return ("model", span) if has_id else None
    if has_id:
        return (kind.family, span) if kind.family in KINDS else None
    return (kind.family, None, name_of(kind, event_type, told)) if kind.family in _KNOWN_BY_NAME else None


def name_of(kind: Kind, event_type: str, told: Mapping[str, Any]) -> str:
    """Give the name of the tool, model or agent that a call is of, else the event type without its last part."""
    name = told.get(NAMED_BY.get(kind.family, ""))
    return name if isinstance(name, str) and name else title_of(event_type)


def told_by(raw: dict[Any, Any]) -> Mapping[str, Any]:
    """Give what calls are made of out of a payload, in which anything may stand, as frames have it. Never raises."""
    if set(map(type, raw)) <= {str} and set(map(type, raw.values())) <= _PLAIN:
        return raw
    told = {exact(key): value for key, value in raw.items() if isinstance(key, str) and exact(key) in _READ}
    return told if set(map(type, told.values())) <= _PLAIN else cast("dict[str, Any]", jsonable(raw))
