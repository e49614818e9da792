from __future__ import annotations

from typing import Any

import pytest

from locus_nb._views.page import PageState, page_state

SAID: dict[str, Any] = {
    "kind": "view",
    "selected": [3, 1],
    "filter": "tool:search",
    "paused": True,
    "run": "r",
}


def test_state_is_read_from_a_message() -> None:
    """A view message says what is selected, the filter, whether it is paused and the run that was picked."""
    assert page_state(SAID) == PageState((3, 1), "tool:search", paused=True, run="r")


@pytest.mark.parametrize(
    "odd",
    [
        {"kind": "rows"},
        {"selected": None},
        {"selected": "12"},
        {"selected": [1, "2"]},
        {"selected": [True]},
        {"selected": [-1]},
        {"selected": [1.0]},
        {"selected": [0] * 10_001},
        {"filter": None},
        {"filter": "x" * 10_001},
        {"paused": 1},
        {"paused": None},
        {"run": 5},
        {"run": "x" * 10_001},
        {"filter": "half \ud83d of a character"},
        {"run": "run-\ud800"},
    ],
)
def test_malformed_message_is_void(odd: dict[str, Any]) -> None:
    """A message of which any part has another type or is too large says nothing at all."""
    assert page_state(SAID | odd) is None
    assert all(page_state({key: SAID[key] for key in SAID if key != name}) is None for name in odd)


def test_run_may_be_named_with_any_character() -> None:
    """A run whose id holds a null character, as the bus allows, may be picked."""
    assert page_state(SAID | {"run": "run-\x00"}) == PageState(
        (3, 1), "tool:search", paused=True, run="run-\x00"
    )


@pytest.mark.parametrize("said", [None, [], "view", 1])
def test_what_is_no_object_is_void(said: object) -> None:
    """Whatever else a page sends says nothing."""
    assert page_state(said) is None
