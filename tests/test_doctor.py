"""What `doctor` gives where there is no notebook, and what it refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest

from locus_nb import doctor, get_event_bus


def test_without_a_notebook_a_dict_has_it_all() -> None:
    """`doctor()` in a script is JSON-able, knows that there is no notebook, and leaves the process alone."""
    found = doctor()
    told = json.loads(json.dumps(found.to_dict()))
    assert set(told) == {"ok", "conclusion", "findings"}
    assert {tuple(each) for each in told["findings"]} == {("topic", "name", "found", "verdict", "cure")}
    names = [each["name"] for each in told["findings"]]
    assert len(names) == len(set(names))
    assert "no notebook" in told["conclusion"]
    assert get_event_bus().stats()["published_events_total"] == 0


@pytest.mark.parametrize(
    "wait, error", [("2", TypeError), (True, TypeError), (-1, ValueError), (61, ValueError)]
)
def test_a_wait_that_is_none_is_refused(wait: Any, error: type[Exception]) -> None:
    """The wait is a number of seconds from 0 to 60."""
    with pytest.raises(error, match=r"wait=2\.0"):
        doctor(wait=wait)
    with pytest.raises(ValueError, match="0 to 60"):
        doctor(wait=float("nan"))
