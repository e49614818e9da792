from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from locus_nb import get_event_bus, run_context
from locus_nb._cell import current_cell
from tests.bus_kit import python


def shell(request: dict[str, Any], running: tuple[str | None, int, str] | None, *typed: str) -> Any:
    """Stands in for IPython's shell: what the kernel was asked, what runs, and what was typed before."""
    result = running and SimpleNamespace(
        execution_count=running[1], info=SimpleNamespace(cell_id=running[0], raw_cell=running[2])
    )
    return SimpleNamespace(
        kernel=SimpleNamespace(get_parent=lambda: request),
        displayhook=SimpleNamespace(exec_result=result),
        history_manager=SimpleNamespace(input_hist_raw=["", *typed]),
    )


def asked(code: str, cell_id: str | None = None) -> dict[str, Any]:
    """What a front end sends to run a cell."""
    return {"metadata": {} if cell_id is None else {"cellId": cell_id}, "content": {"code": code}}


COMM = {"metadata": {}, "content": {"comm_id": "c", "data": {}}}


@pytest.mark.parametrize(
    "found, cell",
    [
        (None, None),
        (shell(asked("a", "1"), ("1", 7, "a")), ("1", 7)),
        (shell(asked("a"), (None, 7, "a")), (None, 7)),
        (shell(asked("a\n", "1"), ("2", 3, "b"), "a", "x", "b"), ("1", 1)),
        (shell(asked("a", "1"), (None, 3, "inner"), "b", "a"), ("1", 2)),
        (shell(asked("a", "1"), None, "b"), ("1", None)),
        (shell(COMM, ("1", 7, "a")), ("1", 7)),
        (shell(COMM, None), None),
        (SimpleNamespace(displayhook=SimpleNamespace(exec_result=None)), None),
        (SimpleNamespace(), None),
    ],
)
def test_which_cell_it_is(monkeypatch: pytest.MonkeyPatch, found: Any, cell: Any) -> None:
    """The cell of the request that code runs for, with its own number; of another message, the cell that runs."""
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: found))
    assert current_cell() == cell


def test_a_shell_of_another_kind_harms_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the shell is not what is expected, a run has no cell, and that is all."""
    broken = SimpleNamespace(get_ipython=lambda: SimpleNamespace(kernel=7, displayhook=None))
    monkeypatch.setitem(sys.modules, "IPython", broken)
    with run_context("r"):
        record = get_event_bus().run_record("r")
    assert record is not None
    assert (record.cell_id, record.execution_count) == (None, None)


def test_looking_for_a_cell_loads_nothing() -> None:
    """A script that makes runs does not load IPython."""
    script = """
import sys
from locus_nb import run
with run() as r:
    pass
print(r.cell_id, "IPython" in sys.modules)
"""
    assert python(script) == "None False\n"
