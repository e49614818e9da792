from __future__ import annotations

import pytest

from locus_nb import event_types

CONSTANTS = {
    name: value for name, value in vars(event_types).items() if name.isupper() and isinstance(value, str)
}
FAMILIES = {
    "a2a",
    "agent",
    "composition",
    "deepagent",
    "memory",
    "multiagent",
    "rag",
    "research",
    "router",
    "skills",
}


def test_a_constant_is_its_wire_name() -> None:
    """Whoever knows the wire name knows the constant, and the other way round."""
    assert {name: value.upper().replace(".", "_") for name, value in CONSTANTS.items()} == {
        name: name for name in CONSTANTS
    }


def test_no_wire_name_twice() -> None:
    """Two constants never mean the same event type."""
    assert len(set(CONSTANTS.values())) == len(CONSTANTS)


def test_all_is_sorted_and_complete() -> None:
    """`__all__` lists every constant and function once, sorted."""
    assert event_types.__all__ == sorted({*CONSTANTS, "LIVE_ONLY", "category"})


def test_families() -> None:
    """Every family of the contract has event types, and there is no other."""
    assert {event_types.category(value) for value in CONSTANTS.values()} == FAMILIES


@pytest.mark.parametrize(
    "wire_name",
    [
        "agent.think",
        "agent.model.started",
        "agent.model.chunk",
        "agent.model.completed",
        "agent.tokens.used",
        "agent.tool.started",
        "agent.tool.completed",
        "agent.terminate",
    ],
)
def test_what_the_agent_emits_is_named(wire_name: str) -> None:
    """Each event type of the agent's contract has a constant."""
    assert wire_name in CONSTANTS.values()


def test_only_chunks_are_live_only() -> None:
    """Streaming chunks, and nothing else, stay out of history."""
    assert frozenset({"agent.model.chunk"}) == event_types.LIVE_ONLY


@pytest.mark.parametrize(
    "event_type,family", [("agent.tool.started", "agent"), ("mine", "mine"), (".odd", ""), ("", "")]
)
def test_category_is_what_stands_before_the_first_dot(event_type: str, family: str) -> None:
    """`category` is total: a name without a dot is its own family."""
    assert event_types.category(event_type) == family
