"""What `doctor` finds of where it runs: the front end, and the variables of the environment."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

import locus_nb
from locus_nb import configure
from locus_nb._doctor import host
from locus_nb._doctor.host import Host, find_host
from locus_nb._doctor.requirement import Needs
from locus_nb._doctor.variables import variable_findings
from tests.doctor_kit import SECRET, named

if TYPE_CHECKING:
    from collections.abc import Callable


def shell(*, cell_id: str | None = None, **names: object) -> Any:
    """A shell with a kernel that runs a cell."""
    parent = {"metadata": {} if cell_id is None else {"cellId": cell_id}}
    return SimpleNamespace(kernel=SimpleNamespace(get_parent=lambda: parent), user_ns=names)


@pytest.mark.parametrize(
    "made, environment, words",
    [
        (
            shell(cell_id="1"),
            {"JPY_SESSION_NAME": "/a/trip.ipynb"},
            "server started for trip.ipynb; its front end",
        ),
        (shell(cell_id="1"), {}, "its front end names cells"),
        (shell(), {}, "unknown front end"),
        (shell(__vsc_ipynb_file__="a.ipynb"), {}, "in VS Code"),
        (SimpleNamespace(kernel=SimpleNamespace(get_parent=lambda: 7), user_ns={}), {}, "unknown front end"),
    ],
)
def test_a_kernel_says_what_can_be_told_of_its_front_end(
    monkeypatch: pytest.MonkeyPatch, made: Any, environment: dict[str, str], words: str
) -> None:
    """Of a kernel's front end it is told what is known, and no more."""
    monkeypatch.setattr(host, "running_shell", lambda: made)
    found = find_host(environment)
    assert found.kind == "kernel"
    assert words in found.told


def test_colab_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel with Google's own modules is one of Colab."""
    monkeypatch.setitem(sys.modules, "google.colab", ModuleType("google.colab"))
    monkeypatch.setattr(host, "running_shell", shell)
    assert find_host({}).told.endswith("in Colab")


@pytest.mark.parametrize(
    "answer, kind", [(lambda: True, "marimo"), (lambda: False, "script"), (None, "script")]
)
def test_marimo_is_asked(
    monkeypatch: pytest.MonkeyPatch, answer: Callable[[], bool] | None, kind: str
) -> None:
    """Code in a marimo notebook knows that; where marimo is only imported, or is broken, it is a script."""
    module: Any = ModuleType("marimo")
    module.running_in_notebook = answer
    monkeypatch.setitem(sys.modules, "marimo", module)
    monkeypatch.setattr(host, "running_shell", lambda: None)
    assert find_host({}).kind == kind


def test_ipython_in_a_terminal_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell without a kernel is a terminal."""
    monkeypatch.setattr(host, "running_shell", lambda: SimpleNamespace(user_ns={}))
    assert find_host({}).kind == "terminal"


def test_another_copy_on_the_path_is_noted() -> None:
    """Code of another version than what is installed is told, with where it is."""
    found = named(host.host_findings(Host("script", "here"), Needs("99.0")), "locus_nb")
    assert found.verdict == "note"
    assert "99.0 is what is installed" in found.found
    assert str(Path(locus_nb.__file__).parent) in found.found


def test_variables_tell_no_secret() -> None:
    """Of a variable that is ours the value is told without its secrets, of any other one only the name."""
    environment = {
        "LOCUS_API_KEY": "hunter2",
        "LOCUS_RUN_ID": f"run {SECRET}",
        "HOME": "/",
        "LOCUS_MODEL_PROVIDER": "",
    }
    found = list(variable_findings(environment))
    assert [each.name for each in found] == ["LOCUS_API_KEY", "LOCUS_MODEL_PROVIDER", "LOCUS_RUN_ID"]
    assert "hunter2" not in str(found)
    assert SECRET not in str(found)
    assert "the run that this process belongs to" in named(found, "LOCUS_RUN_ID").found
    assert {each.verdict for each in found} == {"ok", "note"}


def test_no_function_of_the_users_is_asked_about_variables() -> None:
    """A report says what it says, whatever `configure(redact=...)` was given."""
    configure(redact=lambda key, value: "changed")
    try:
        found = list(variable_findings({"LOCUS_RUN_ID": "run-1", "LOCUS_MODEL_PROVIDER": "nothing"}))
    finally:
        configure(redact=True)
    assert "changed" not in str(found)


@pytest.mark.parametrize("value, verdict", [("mock", "ok"), ("", "ok"), ("nothing", "problem")])
def test_the_models_provider_must_be_known(value: str, verdict: str) -> None:
    """A provider that nothing is known of is a problem, and those that are known are named."""
    (found,) = variable_findings({"LOCUS_MODEL_PROVIDER": value})
    assert found.verdict == verdict
    assert found.cure.endswith("mock") is (verdict == "problem")
