"""Calls: which event begins one, which ends it, and which others tell of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from locus_nb._event import exact
from locus_nb._wire import jsonable

if TYPE_CHECKING:
    from collections.abc import Mapping

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


class Calls:
    """The calls that events make, each known by a key; they are numbered as they are first heard of.

    A start begins a call. An end belongs to the latest start of its key that has no end yet; without one it is a call
    of its own. What else tells of a key's call is about the one that last began or ended, or else about the first
    that will.

    Attributes:
        keys: By what each call is known.
        begins: The place of what begins it; -1 for none.
        ends: The place of what ends it; -1 for none. One that has neither was only told of.
    """

    def __init__(self) -> None:
        self.keys: list[Key] = []
        self.begins: list[int] = []
        self.ends: list[int] = []
        self._open: dict[Key, list[int]] = {}
        self._latest: dict[Key, int] = {}
        self._only_told: dict[Key, int] = {}

    def start(self, key: Key, place: int) -> int:
        """Begin a call, and give its number."""
        call = self._latest[key] = self._heard_of(key)
        self.begins[call] = place
        self._open.setdefault(key, []).append(call)
        return call

    def end(self, key: Key, place: int) -> int:
        """End a call, and give its number."""
        started = self._open.get(key)
        call = self._latest[key] = started.pop() if started else self._heard_of(key)
        self.ends[call] = place
        return call

    def tell(self, key: Key) -> int:
        """Give the number of the call that is told of."""
        call = self._latest.get(key, self._only_told.get(key))
        if call is None:
            call = self._only_told[key] = self._new(key)
        return call

    def number_of(self, family: Family) -> int:
        """Count the calls of a family that begin or end."""
        return sum(
            key[0] == family and max(begin, end) >= 0
            for key, begin, end in zip(self.keys, self.begins, self.ends, strict=True)
        )

    def _heard_of(self, key: Key) -> int:
        call = self._only_told.pop(key, None) if self._only_told else None
        return self._new(key) if call is None else call

    def _new(self, key: Key) -> int:
        self.keys.append(key)
        self.begins.append(-1)
        self.ends.append(-1)
        return len(self.keys) - 1


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


def title_of(event_type: str) -> str:
    """Give an event type without its last part."""
    return event_type.rpartition(".")[0] or event_type


def told_by(raw: dict[Any, Any]) -> Mapping[str, Any]:
    """Give what calls are made of out of a payload, in which anything may stand, as frames have it. Never raises."""
    if set(map(type, raw)) <= {str} and set(map(type, raw.values())) <= _PLAIN:
        return raw
    told = {exact(key): value for key, value in raw.items() if isinstance(key, str) and exact(key) in _READ}
    return told if set(map(type, told.values())) <= _PLAIN else cast("dict[str, Any]", jsonable(raw))
