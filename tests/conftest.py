"""What every test runs under: a fresh bus, nothing left behind, no skipping where that is asked for."""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

import locus_nb
from locus_nb._agent.worker import _holder
from locus_nb._views.pump import the_pump

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

pytest_plugins = ["tests.browser"]

NO_SKIP = os.environ.get("LOCUS_NB_NO_SKIP") == "1"
THREAD_GRACE_S = 5.0

# A deadline would measure the machine, not the code. In CI nothing is kept between runs and a failure
# prints what reproduces it.
settings.register_profile("local", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile(
    "ci", settings.get_profile("local"), database=None, derandomize=False, print_blob=True
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "local"))


@pytest.fixture(autouse=True)
def fresh_bus(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give each test a bus of its own, and fail the test that leaves a thread behind.

    A coroutine that was never awaited warns when it is collected; the collection of the young generations
    at the end makes that happen in the test that made it.
    """
    monkeypatch.delenv("LOCUS_MODEL_PROVIDER", raising=False)
    locus_nb.reset_event_bus()
    before = set(threading.enumerate())
    yield
    locus_nb.reset_event_bus()
    gc.collect(1)
    left = _still_running(before)
    assert not left, f"the test left threads running: {left}"


def _still_running(before: set[threading.Thread]) -> list[threading.Thread]:
    """Threads that are new since `before` and do not end by themselves within the grace time."""
    deadline = time.monotonic() + THREAD_GRACE_S
    new = [thread for thread in threading.enumerate() if thread not in before and not _is_kept(thread)]
    for thread in new:
        thread.join(max(0.0, deadline - time.monotonic()))
    return [thread for thread in new if thread.is_alive()]


def _is_kept(thread: threading.Thread) -> bool:
    """Whether the package keeps this thread: the pump while there is a view, the worker unless it was given up."""
    worker = _holder.worker
    return thread is the_pump()._thread or (worker is not None and thread is worker._thread)


def pytest_configure() -> None:
    """Hear Ctrl-C also where the shell had it ignored, as for a command in the background: tests press it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what drives a browser, so that `-m "not browser"` is the quick part."""
    for item in items:
        if "chromium" in getattr(item, "fixturenames", ()):
            item.add_marker("browser")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skipped or expected failure into a failure where skipping is off."""
    report = yield
    if NO_SKIP and report.skipped:
        _fail(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Turn a file that skips itself into a failure where skipping is off."""
    report = yield
    if NO_SKIP and report.skipped:
        _fail(report)
    return report


def _fail(report: pytest.TestReport | pytest.CollectReport) -> None:
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longreprtext
    report.outcome = "failed"
    report.longrepr = f"LOCUS_NB_NO_SKIP=1 and {report.nodeid} did not run to its end: {reason}"
    # Reporters show a report that carries this as an expected failure, whatever its outcome.
    vars(report).pop("wasxfail", None)
