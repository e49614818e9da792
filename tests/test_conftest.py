from __future__ import annotations

import asyncio
import threading

import pytest

from locus_nb._agent import worker as worker_module
from locus_nb._agent.worker import run_on_worker, stop_worker
from tests import conftest
from tests.bus_kit import GRACE_S


@pytest.mark.parametrize(
    "name",
    [
        "locus_nb-pump",
        "locus_nb-tool",
        "locus_nb-question",
        "locus_nb-on_question",
        "locus_nb-worker",
        "locus_nb-store a.db",
    ],
)
def test_a_thread_that_is_left_behind_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that a test leaves behind fails it, also one of the package's, and until it ends."""
    go_on = threading.Event()
    before = set(threading.enumerate())
    left = threading.Thread(target=go_on.wait, name=name, daemon=True)
    left.start()
    try:
        with monkeypatch.context() as patched:
            patched.setattr(conftest, "THREAD_GRACE_S", 0.05)
            assert conftest._still_running(before) == [left]
    finally:
        go_on.set()
    left.join(GRACE_S)
    assert conftest._still_running(before) == []


def test_the_worker_stays_and_one_that_was_given_up_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker that serves the next caller may stay; one that does not must end."""
    stop_worker()
    before = set(threading.enumerate())
    run_on_worker(lambda: asyncio.sleep(0))
    given_up = worker_module._Worker()
    with monkeypatch.context() as patched:
        patched.setattr(conftest, "THREAD_GRACE_S", 0.05)
        assert conftest._still_running(before) == [given_up._thread]
    given_up.retire()
    assert conftest._still_running(before) == []
