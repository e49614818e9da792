"""What `%locus stats` shows of a bus, without a notebook."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from locus_nb import configure, emit_sync, get_event_bus, run_context
from locus_nb._notebook.stats_table import MAX_VALUE, stats_still

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locus_nb._runs.still import Still


@pytest.fixture
def changes() -> Iterator[None]:
    """A function of the user's that changes all it is asked about."""
    configure(redact=lambda _key, _value: "changed")
    yield
    configure(redact=True)


def shown(*run_ids: str) -> Still:
    """The table while one reader follows each run, and each has one event that it has not read."""
    bus = get_event_bus()
    readers = [bus.subscribe(run_id) for run_id in run_ids]
    for run_id in run_ids:
        with run_context(run_id):
            emit_sync("a")
    still = stats_still(bus.stats())
    for reader in readers:
        reader.close()
    return still


def depths(still: Still) -> str:
    """What the text says of the runs' queues."""
    said = dict(line.split(maxsplit=1) for line in still.text.splitlines())
    return said["queue_depths"]


@pytest.mark.parametrize("run_id", ["run-1", "reset-password", "api_key", "sk-proj-" + "a1B2" * 8])
def test_ids_of_runs_are_shown_as_they_are(run_id: str) -> None:
    """An id that reads like a secret, or like the name of one, is shown with its number, as in other views."""
    still = shown(run_id)
    assert json.loads(depths(still)) == {run_id: [1]}
    assert run_id in still.html


@pytest.mark.usefixtures("changes")
def test_no_function_of_the_users_is_asked_about_numbers_of_the_bus() -> None:
    """What `configure(redact=...)` was given is for payloads."""
    still = shown("run-1")
    assert json.loads(depths(still)) == {"run-1": [1]}
    assert "changed" not in still.html


def test_ids_of_runs_are_text() -> None:
    """Markup in an id is escaped, and what no page can show does not break the table."""
    still = shown("<script>alert(1)</script>", "lone \ud800")
    assert "<script" not in still.html
    still.text.encode()
    still.html.encode()


def test_many_runs_are_cut() -> None:
    """A line with many runs ends in an ellipsis."""
    still = shown(*(f"run-{number}" for number in range(30)))
    assert len(depths(still)) == MAX_VALUE
    assert depths(still).endswith("…")
