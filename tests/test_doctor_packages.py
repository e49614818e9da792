"""What `doctor` finds of packages: what is needed, what is installed, and what fails on import."""

from __future__ import annotations

import re
import sys
import tomllib
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import locus_nb
from locus_nb import Diagnosis, Finding
from locus_nb._doctor import imports, packages, requirement
from locus_nb._doctor.requirement import Needs, Requirement
from tests.doctor_kit import KERNEL, SECRET, instead_of_installed, named

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize(
    "bounds, version, is_met",
    [
        (">=8.1", "8.1", True),
        (">=8.1", "8.1.0", True),
        (">=8.1", "8.10.2", True),
        (">=8.1", "8.0.9", False),
        (">=8.1", "10.0rc1", True),
        (">=2", "1.99", False),
        ("==3.0.1", "3.0.1", True),
        ("==3.0.1", "3.0.2", False),
        ("", "0.1", True),
        ("~=5.0", "1.0", True),
    ],
)
def test_versions_are_compared_as_numbers(bounds: str, version: str, is_met: bool) -> None:  # noqa: FBT001 - a case
    """A version is judged by its numbers, and bounds of a kind that this package does not use are not judged."""
    assert Requirement("some", bounds).is_met_by(version) is is_met


def test_needs_are_read_from_the_metadata(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is needed, with this Python and by which extra, is what the installed metadata says."""
    new = f"python_version >= '{sys.version_info[0]}.{sys.version_info[1]}'"
    old = f"python_version < '{sys.version_info[0]}.{sys.version_info[1]}'"
    lines = [
        "pandas>=2.2",
        f"fresh (>=1.0) ; {new}",
        f"stale>=1; {old}",
        "pyarrow[x] >= 17 ; extra == 'parquet'",
        "?",
    ]
    said = SimpleNamespace(get_all=lambda _: ["parquet"], __getitem__=None)
    monkeypatch.setattr(requirement, "requires", lambda _: lines)
    monkeypatch.setattr(requirement, "metadata", lambda _: _Metadata(vars(said)))
    assert requirement.needs() == Needs(
        "9.9",
        (
            Requirement("pandas", ">=2.2"),
            Requirement("fresh", ">=1.0"),
            Requirement("pyarrow", ">=17", "parquet"),
        ),
        ("parquet",),
    )


class _Metadata:
    def __init__(self, members: dict[str, Any]) -> None:
        self.get_all = members["get_all"]

    def __getitem__(self, key: str) -> str:
        return {"Version": "9.9"}[key]


def test_a_folder_on_the_path_needs_nothing_that_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a package that is on the path and not installed, it is said that its needs cannot be told."""

    def missing(_: str) -> None:
        raise PackageNotFoundError

    monkeypatch.setattr(requirement, "metadata", missing)
    assert requirement.needs() == Needs()
    found = named(packages.package_findings(Needs()), "locus-nb")
    assert (found.verdict, found.cure) == ("note", 'python -m pip install "locus-nb"')


def test_own_metadata_can_be_read() -> None:
    """The distribution's own metadata names what it cannot do without, and each line of it is understood."""
    needed = {each.name for each in requirement.needs().requirements if not each.extra}
    assert {"anywidget", "ipywidgets", "pandas"} < needed
    assert needed & {"nest-asyncio", "nest-asyncio2"}
    assert requirement.needs().version == locus_nb.__version__


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Which distributions are installed, and in which version."""
    return instead_of_installed(monkeypatch)


def test_each_package_is_missing_old_broken_or_fine(
    installed: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a needed package it is told that it is missing, too old, fails on import or is fine, and what to do."""
    installed |= {"old": "0.9", "json": "1.0", "broken": "2.0", "ipykernel": "5.0", "marimo": "0.1"}
    lines = ["missing>=3", "old>=1", "json>=1", "broken>=1"]
    needed = [Requirement(*re.split("(?=>)", line)) for line in lines]
    needed += [Requirement("ipykernel", ">=6.29", "lab")]

    def fail(name: str) -> ModuleType:
        if name == "broken":
            raise OSError(f"no such library {SECRET}")
        return sys.modules[name]

    monkeypatch.setattr(imports, "import_module", fail)
    found = {each.name: each for each in packages.package_findings(Needs("1", tuple(needed)))}
    assert {name: each.verdict for name, each in found.items()} == {
        "missing": "problem",
        "old": "problem",
        "json": "ok",
        "broken": "problem",
        "ipykernel": "problem",
        "marimo": "ok",
    }
    assert found["missing"].cure == 'python -m pip install "missing>=3"'
    assert found["old"] == Finding(
        "packages", "old", "0.9 is too old; needs old>=1", "problem", 'python -m pip install "old>=1"'
    )
    assert "OSError: no such library" in found["broken"].found
    assert SECRET not in repr(Diagnosis(KERNEL, [found["broken"]]))


def test_missing_extras_have_their_pip_line(installed: dict[str, str]) -> None:
    """An extra that is not there says what it is for, what it lacks, and how to get it; those of developers do not."""
    installed["pyarrow"] = "17.0"
    needed = [Requirement("pyarrow", ">=17", "parquet"), Requirement("genai-prices", ">=0.2", "cost")]
    needed += [Requirement("pytest", ">=9", "test")]
    found = {
        each.name: each
        for each in packages.extra_findings(Needs("1", tuple(needed), ("cost", "parquet", "test")))
    }
    assert set(found) == {"[cost]", "[parquet]"}
    assert found["[parquet]"].verdict == "ok"
    assert found["[cost]"].verdict == "note"
    assert found["[cost]"].found.endswith("not installed: genai-prices>=0.2")
    assert found["[cost]"].cure == 'python -m pip install "locus-nb[cost]"'


def test_each_extra_has_words() -> None:
    """What each extra is good for is said, unless it is for who works on this package."""
    about = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert set(about["project"]["optional-dependencies"]) == set(packages.EXTRAS) | packages.FOR_DEVELOPERS


def test_a_failed_import_names_the_package_to_install_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the code that failed is another package's, that is the one to install again."""
    monkeypatch.setattr(imports, "packages_distributions", lambda: {"IPython": ["ipython"]})
    failure = imports.Failure("ImportError: no", "IPython", "/env/lib/site-packages/IPython/__init__.py")
    assert failure.cure("anywidget").startswith("python -m pip install --force-reinstall ipython;")
    alone = failure._replace(at="", file="")
    assert alone.cure("anywidget").startswith("python -m pip install --force-reinstall anywidget;")
