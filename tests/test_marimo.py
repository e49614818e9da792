from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from tests.jupyter import POLL_S, START_S, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.browser import Chromium

APP = """
import marimo

app = marimo.App()


@app.cell
def _():
    from locus_nb import emit_sync, run_context, watch

    with run_context("run-1"):
        emit_sync("agent.tool.started", tool_name="search", span_id="s1")
        emit_sync("agent.tool.completed", tool_name="search", span_id="s1", success=True, duration_ms=3.2)
    view = watch("run-1")
    view
    return (view,)


@app.cell
def _(view):
    from threading import Timer

    from locus_nb import emit_sync as emit_later, run_context as again

    def later():
        with again("run-1"):
            emit_later("agent.think", iteration=2, reasoning_preview="from a thread, when the cell was over")

    Timer(0.5, later).start()
    return


if __name__ == "__main__":
    app.run()
"""

# marimo shows a widget in a shadow root.
TYPES = (
    "[...document.querySelector('marimo-anywidget')?.shadowRoot?.querySelectorAll('.lo-grid .lo-row')"
    " ?? []].filter((row) => !row.hidden).map((row) => row.querySelector('.lo-type').textContent)"
)


@pytest.fixture
def app_url(tmp_path: Path) -> Iterator[str]:
    """A marimo app with a view in it, served on loopback to who knows its token."""
    path = tmp_path / "app.py"
    path.write_text(APP)
    port = free_port()
    log = tmp_path / "log"
    options = ["--headless", "--host", "127.0.0.1", "--port", str(port), "--token-password", "secret"]
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "marimo", "-q", "run", str(path), *options],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_for(process, f"http://127.0.0.1:{port}/health", log)
        yield f"http://127.0.0.1:{port}/?access_token=secret"
    finally:
        process.terminate()
        process.wait(START_S)


def _wait_for(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urlopen(url, timeout=START_S).close()
        except (OSError, URLError):
            time.sleep(POLL_S)
        else:
            return
    raise RuntimeError(f"marimo did not start:\n{log.read_text()}")


def test_the_same_view_runs_in_marimo(app_url: str, chromium: Chromium) -> None:
    """A view shows history and what follows in a marimo app, and its filter works there."""
    tab = chromium.tab(app_url, viewport={"width": 900, "height": 700})
    tab.wait(f"() => {TYPES}.includes('agent.tool.completed') && {TYPES}.includes('agent.think')", timeout=60)
    tab.call(lambda page: page.fill(".lo-filter", "tool:search"))
    tab.wait(f"() => {TYPES}.length === 1")
    assert tab.errors == []
    tab.close()
