"""What a JupyterLab of this environment would find here: the front ends of widgets, on or off."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from locus_nb._doctor.finding import Finding
from locus_nb._doctor.packages import installed
from locus_nb._optional import pip_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from locus_nb._doctor.finding import Verdict

# What a front end of widgets is called here, the extension that it is, and the distribution that brings it.
WIDGETS = (
    ("widgets in JupyterLab", "@jupyter-widgets/jupyterlab-manager", "jupyterlab_widgets"),
    ("anywidget in JupyterLab", "anywidget", "anywidget"),
)


def lab_findings(*, answered: bool) -> Iterator[Finding]:
    """Say of each front end of widgets whether it is in this environment.

    Args:
        answered: Whether a page has answered: then the server has them, wherever it is.
    """
    data, config = _folders()
    off = _turned_off(config)
    for name, extension, package in WIDGETS:
        version = next(
            filter(None, (_version(folder / "labextensions" / extension) for folder in data)), None
        )
        if version is None:
            yield _missing(name, package, answered=answered)
        elif extension in off and not answered:
            cure = f"jupyter labextension enable {extension}; then load the page again"
            yield Finding("packages", name, f"{version}, turned off", _grave(answered=answered), cure)
        else:
            yield Finding("packages", name, f"{version} here; the server may be in another environment")


def _missing(name: str, package: str, *, answered: bool) -> Finding:
    if answered:
        return Finding(
            "packages", name, "not here, but a page has answered: the server is in another environment"
        )
    said = "not in this environment"
    if not _has_server():
        said += ", and neither is JupyterLab: the server, in another one, must have it"
    return Finding("packages", name, said, _grave(answered=answered), pip_line(package))


def _grave(*, answered: bool) -> Verdict:
    """What is lacking here is lacked only by a server of this environment, and by none whose page has answered."""
    return "problem" if _has_server() and not answered else "note"


def _has_server() -> bool:
    return installed("jupyterlab") is not None or installed("notebook") is not None


def _folders() -> tuple[list[Path], list[Path]]:
    """Where Jupyter keeps its data, and what is set for JupyterLab, by what it says itself where it is there."""
    shared = Path(sys.prefix) / "share" / "jupyter"
    try:
        from jupyter_core.paths import jupyter_config_path, jupyter_path  # noqa: PLC0415 - it may not be there
    except Exception:  # noqa: BLE001 - an edge: another package's import
        return [shared], [Path(sys.prefix) / "etc" / "jupyter" / "labconfig", shared / "lab" / "settings"]
    data = [Path(folder) for folder in jupyter_path()]
    config = [Path(folder) / "labconfig" for folder in jupyter_config_path()]
    return data, [*config, *(folder / "lab" / "settings" for folder in data)]


def _turned_off(folders: Iterable[Path]) -> set[str]:
    # The first folder that says anything of an extension has its way, as in JupyterLab.
    told: dict[str, bool] = {}
    for folder in folders:
        said = _read(folder / "page_config.json").get("disabledExtensions")
        if isinstance(said, list):
            said = dict.fromkeys(map(str, cast("list[object]", said)), True)
        if isinstance(said, dict):
            told = {str(name): bool(off) for name, off in cast("dict[Any, Any]", said).items()} | told
    return {name for name, off in told.items() if off}


def _version(folder: Path) -> str | None:
    found = _read(folder / "package.json").get("version")
    return None if found is None else str(found)


def _read(path: Path) -> dict[str, Any]:
    try:
        found: Any = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}
