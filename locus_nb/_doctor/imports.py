"""Whether a package can be imported, and if not, which one is at fault."""

from __future__ import annotations

import sys
import warnings
from importlib import import_module
from importlib.metadata import packages_distributions
from pathlib import Path
from traceback import walk_tb
from typing import NamedTuple

# Not whose fault it is, but by whom the others are loaded.
_LOADERS = {"importlib", __name__.partition(".")[0]}


class Failure(NamedTuple):
    """An import that failed.

    Attributes:
        said: The error.
        at: The package whose code failed, which may be one that the imported one needs; empty if none did.
        file: That code's file.
    """

    said: str
    at: str
    file: str

    def cure(self, distribution: str) -> str:
        """Say what to do; `distribution` is what was to be imported."""
        if not self.at:
            return _reinstall(distribution)
        installed = packages_distributions().get(self.at)
        if installed is None or not {"site-packages", "dist-packages"} & set(Path(self.file).parts):
            return f"{self.file} stands in for a package of that name: rename it; then restart the kernel"
        return _reinstall(installed[0])


def failure_of(module: str) -> Failure | None:
    """Import a module, and say what is wrong with that; None if nothing is."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import_module(module)
    # An edge: another package's import, which may raise anything, and even want to end the process.
    except (Exception, SystemExit) as error:  # noqa: BLE001
        return Failure(f"{type(error).__name__}: {error}", *_place(error))
    return None


def _place(error: BaseException) -> tuple[str, str]:
    """Give the package, and its file, in whose code it was raised."""
    found = "", ""
    for frame, _ in walk_tb(error.__traceback__):
        package = str(frame.f_globals.get("__name__", "")).partition(".")[0]
        if package not in _LOADERS and package not in sys.stdlib_module_names:
            found = package, frame.f_code.co_filename
    return found


def _reinstall(distribution: str) -> str:
    return f"python -m pip install --force-reinstall {distribution}; then restart the kernel"
