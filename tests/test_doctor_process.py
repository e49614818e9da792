"""What `doctor` finds of this process: its bus, store and views, and an event sent all the way."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from locus_nb import Diagnosis, configure, emit_sync, get_event_bus, run_context, runs, watch
from locus_nb._doctor import event_probe
from locus_nb._doctor.conclusion import conclude
from locus_nb._doctor.process import process_findings
from locus_nb._views import view as view_module
from locus_nb._views.pump import Pump, the_pump
from tests.bus_kit import GRACE_S
from tests.doctor_kit import KERNEL, SECRET, named

if TYPE_CHECKING:
    from pathlib import Path


def test_a_fresh_process_is_fine() -> None:
    """Where nothing has happened nothing is wrong, and looking changes nothing."""
    before = get_event_bus().stats()
    assert {each.verdict for each in process_findings()} == {"ok"}
    assert get_event_bus().stats() == before


def test_losses_of_the_bus_are_noted() -> None:
    """Emits that failed are told, with what to look at."""
    with run_context("run"):
        emit_sync("a", text="b")
        emit_sync("")
    found = named(process_findings(), "bus")
    assert found.verdict == "note"
    assert found.found == "1 event published, 1 run kept, 1 emit failed"
    assert found.cure


@pytest.mark.parametrize(
    "number, words",
    [
        (1, "1 dropped for slow readers, 1 reader refused, 1 emit failed"),
        (2000, "2,000 dropped for slow readers, 2,000 readers refused, 2,000 emits failed"),
    ],
)
def test_losses_of_the_bus_are_told_in_words_that_fit_their_number(
    monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    """One reader, one emit, and several of them."""
    bus = get_event_bus()
    stats: Any = dict(bus.stats())
    for name in ("dropped_events_total", "global_subscribers_refused_total", "emit_failures_total"):
        stats[name] = number
    monkeypatch.setattr(bus, "stats", lambda: stats)
    found = named(process_findings(), "bus")
    assert (found.verdict, found.found) == ("note", f"0 events published, 0 runs kept, {words}")


def test_a_store_tells_how_it_does(tmp_path: Path) -> None:
    """A store says where it writes and what it has; one that is closed, that it keeps nothing any more."""
    store = configure(store=tmp_path / "runs.db")
    assert store is not None
    with run_context("run"):
        emit_sync("a")
    assert store.flush()
    found = named(process_findings(), "store")
    assert (found.verdict, found.found) == (
        "ok",
        f"sqlite, {tmp_path / 'runs.db'}: 1 written, 0 pending, none lost",
    )
    store.close()
    found = named(process_findings(), "store")
    assert found.verdict == "note"
    assert found.cure == f'configure(store="{tmp_path / "runs.db"}")'


@pytest.mark.parametrize(
    "lost, failed, words",
    [(3, 2, "0 dropped, 3 lost, 2 attempts failed"), (1, 1, "0 dropped, 1 lost, 1 attempt failed")],
)
def test_what_a_store_lost_is_a_problem(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, lost: int, failed: int, words: str
) -> None:
    """Events that a store could not write are a problem, with what its last error said."""
    store = configure(store=tmp_path / "runs.db")
    assert store is not None
    stats = store.stats()._replace(lost=lost, failed=failed, last_error=f"disk full {SECRET}")
    monkeypatch.setattr("locus_nb._doctor.process.stats_of", lambda _: stats)
    found = named(process_findings(), "store")
    assert found.verdict == "problem"
    assert f"{words}; last: disk full" in found.found
    assert SECRET not in repr(Diagnosis(KERNEL, [found]))
    store.close()


def test_secrets_that_are_not_hidden_are_noted() -> None:
    """That nothing is hidden is worth a note."""
    configure(redact=False)
    try:
        assert named(process_findings(), "secrets").verdict == "note"
    finally:
        configure(redact=True)
    assert named(process_findings(), "secrets").verdict == "ok"


def test_a_view_that_failed_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    """A view on a page that raised is named, and so are how many a page has seen."""
    with watch("run-1") as view:
        monkeypatch.setattr(view_module, "_on_page", {view: None})
        assert named(process_findings(), "views").found == "1 live view put on a page, 0 of them seen by one"
        view._sink.status = "failed"
        found = named(process_findings(), "views")
        assert found.verdict == "problem"
        assert "run-1" in found.found


def test_an_event_goes_all_the_way_and_leaves_nothing() -> None:
    """The time of each stage is told; the process's bus, its runs and its threads stay as they were."""
    (found,) = event_probe.event_findings(timeout=GRACE_S)
    assert found.verdict == "ok"
    assert re.fullmatch(r"bus \S+ \S+, pump \S+ \S+, message for the page \S+ \S+", found.found)
    assert get_event_bus().stats()["published_events_total"] == 0
    assert len(runs()) == 0
    assert not the_pump()._pairs


def test_an_event_that_gets_stuck_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the pump carries nothing, that is told, within the time."""
    dead = Pump()
    dead.end()
    monkeypatch.setattr(event_probe, "the_pump", lambda: dead)
    (found,) = event_probe.event_findings(timeout=0.01)
    assert found.verdict == "problem"
    assert "the pump's thread did not take it" in found.found
    assert conclude(KERNEL, [found], None).said.startswith("Nothing shows live here, because an event's way")
    assert not dead._pairs
