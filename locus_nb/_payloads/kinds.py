"""What an event type alone tells a view: of which family it is, and whether it begins or ends a span."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, NamedTuple

from locus_nb._payloads.outcomes import is_end, names_failure
from locus_nb._wire import jsonable
from locus_nb.event_types import AGENT_INTERRUPT, AGENT_MODEL_CHUNK

Family = Literal["model", "tool", "think", "end", "agent", "other"]
Phase = Literal["start", "end", "chunk", "point"]

# Characters of an event type, a run's id, and the names in a payload that rows have.
LONGEST_NAME = 200

_FAMILIES: tuple[tuple[str, Family], ...] = (
    ("agent.model.", "model"),
    ("agent.tokens.", "model"),
    ("agent.tool.", "tool"),
    ("agent.think", "think"),
    ("agent.terminate", "end"),
    ("multiagent.", "agent"),
    ("composition.", "agent"),
    ("a2a.", "agent"),
    ("deepagent.", "agent"),
)


class Kind(NamedTuple):
    """What all events of one type have in common.

    Attributes:
        name: The event type, as UTF-8 can hold it, cut at 200 characters.
        family: What its colour stands for.
        phase: What one with a `span_id` is to its span; one without is a point.
        failure: Whether the type itself tells of an error.
    """

    name: str
    family: Family
    phase: Phase
    failure: bool


def kind_of(event_type: str) -> Kind:
    """Give the kind of an event type.

    Example:
        >>> kind_of("agent.tool.started")
        Kind(name='agent.tool.started', family='tool', phase='start', failure=False)
    """
    # What is kept for the next time is short.
    return _known(event_type) if len(event_type) <= LONGEST_NAME else _kind_of(event_type)


def title_of(event_type: str) -> str:
    """Give what a span is called after the type of an event of it: that type without its last part.

    Example:
        >>> title_of("rag.query.started"), title_of("agent.interrupt")
        ('rag.query', 'agent.interrupt')
    """
    return event_type if event_type == AGENT_INTERRUPT else event_type.rpartition(".")[0] or event_type


def _kind_of(event_type: str) -> Kind:
    name = jsonable(event_type)
    if len(name) > LONGEST_NAME:
        name = f"{name[: LONGEST_NAME - 1]}…"
    return Kind(name, _family(event_type), _phase(event_type), names_failure(event_type))


_known = lru_cache(maxsize=1024)(_kind_of)


def _family(event_type: str) -> Family:
    for prefix, family in _FAMILIES:
        if event_type.startswith(prefix):
            return family
    return "other"


def _phase(event_type: str) -> Phase:
    if event_type == AGENT_MODEL_CHUNK:
        return "chunk"
    if event_type == AGENT_INTERRUPT or event_type.rpartition(".")[2] == "started":
        return "start"
    return "end" if is_end(event_type) else "point"
