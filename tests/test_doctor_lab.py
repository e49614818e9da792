"""What `doctor` finds of JupyterLab's extensions, in folders that are made up."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from locus_nb._doctor import lab
from tests.doctor_kit import instead_of_installed, named

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Which distributions are installed, and in which version."""
    return instead_of_installed(monkeypatch)


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes JupyterLab's folders, with versions of extensions, and which of them are off."""
    data, config = tmp_path / "share", tmp_path / "labconfig"
    monkeypatch.setattr(lab, "_folders", lambda: ([tmp_path / "none", data], [config]))

    def make(off: object = None, **versions: str) -> None:
        for name, text in versions.items():
            extension = "@jupyter-widgets/jupyterlab-manager" if name == "widgets" else name
            path = data / "labextensions" / extension
            path.mkdir(parents=True)
            path.joinpath("package.json").write_text(text)
        if off is not None:
            config.mkdir()
            config.joinpath("page_config.json").write_text(json.dumps({"disabledExtensions": off}))

    return make


def test_extensions_that_are_here_are_fine(folders: Callable[..., None]) -> None:
    """The version of an extension is read from its files, and that the server may have another one is said."""
    folders(widgets='{"version": "5.0.1"}', anywidget='{"version": "0.9"}')
    assert {each.verdict for each in lab.lab_findings(answered=False)} == {"ok"}
    assert "5.0.1 here" in named(lab.lab_findings(answered=False), "widgets in JupyterLab").found


@pytest.mark.parametrize(
    "server, answered, verdict",
    [
        ("jupyterlab", False, "problem"),
        ("notebook", False, "problem"),
        ("", False, "note"),
        ("jupyterlab", True, "ok"),
    ],
)
def test_a_missing_extension_is_as_bad_as_its_server_is_near(
    folders: Callable[..., None],
    installed: dict[str, str],
    server: str,
    answered: bool,  # noqa: FBT001 - a case
    verdict: str,
) -> None:
    """An extension is missed where JupyterLab is, is a note elsewhere, and fine once a page spoke."""
    folders(anywidget="not json")
    installed[server] = "7"
    for found in lab.lab_findings(answered=answered):
        assert found.verdict == verdict
        assert bool(found.cure) is not answered


@pytest.mark.parametrize(
    "off, verdict",
    [
        ({"@jupyter-widgets/jupyterlab-manager": True}, "problem"),
        (["@jupyter-widgets/jupyterlab-manager"], "problem"),
        ({"@jupyter-widgets/jupyterlab-manager": False}, "ok"),
        (7, "ok"),
    ],
)
def test_an_extension_that_is_turned_off_is_told(
    folders: Callable[..., None], installed: dict[str, str], off: object, verdict: str
) -> None:
    """An extension that JupyterLab's settings turn off is a problem, with the command that turns it on."""
    installed["jupyterlab"] = "4.4"
    folders(off, widgets='{"version": "5.0.1"}', anywidget='{"version": "0.9"}')
    found = named(lab.lab_findings(answered=False), "widgets in JupyterLab")
    assert found.verdict == verdict
    assert found.cure.startswith("jupyter labextension enable @jupyter-widgets") is (verdict == "problem")


def test_folders_are_found_without_jupyter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without jupyter_core the folders of this Python are looked at."""
    before = lab._folders()
    monkeypatch.setitem(sys.modules, "jupyter_core.paths", None)
    data, config = lab._folders()
    assert data == [Path(sys.prefix) / "share" / "jupyter"]
    assert data[0] in before[0]
    assert config[0] in before[1]
