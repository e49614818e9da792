"""What this code runs in, as far as that can be told."""

from __future__ import annotations

import asyncio
import os
import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from locus_nb._cell import cell_id_of, request_of, running_shell
from locus_nb._doctor.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from locus_nb._doctor.requirement import Needs


class Host(NamedTuple):
    """What this code runs in.

    Attributes:
        kind: `script`, a `terminal` of IPython's, a Jupyter `kernel`, or `marimo`.
        told: The same in words, and what is known of its front end.
        shell: The IPython shell, if there is one.
        names_cells: Whether the front end names its cells, as those with a page do.
    """

    kind: Literal["script", "terminal", "kernel", "marimo"]
    told: str
    shell: Any = None
    names_cells: bool = False

    @property
    def kernel(self) -> Any:
        """The kernel, if there is one."""
        return getattr(self.shell, "kernel", None)


def find_host(environment: Mapping[str, str] = os.environ) -> Host:
    """Find out what this code runs in. What another library says wrong is taken for nothing."""
    shell = running_shell()
    if getattr(shell, "kernel", None) is not None:
        named = _names_cells(shell)
        return Host("kernel", _kernel_told(shell, environment, named=named), shell, named)
    if _is_in_marimo():
        return Host("marimo", "a marimo notebook")
    if shell is not None:
        return Host("terminal", "IPython in a terminal", shell)
    return Host("script", "plain Python, without a notebook")


def host_findings(host: Host, needs: Needs) -> Iterator[Finding]:
    """Say which Python, which system, which copy of this package, and what in."""
    yield Finding("here", "Python", f"{platform.python_version()}, {sys.executable}")
    yield Finding("here", "system", platform.platform(terse=True))
    yield _own(needs)
    yield Finding("here", "runs in", host.told)
    if host.shell is not None:
        yield _magics(host.shell)
    if hasattr(asyncio, "_nest_patched"):
        yield Finding("here", "asyncio.run in cells", "allowed: nest-asyncio has patched asyncio here")
    elif host.kind == "kernel":
        yield Finding(
            "here",
            "asyncio.run in cells",
            "raises, as in any notebook; Agent.run_sync works as it is, for other code: allow_nested_loops()",
        )


def own_version() -> str:
    """Give the version of this code, which the package says that is loaded."""
    return sys.modules[__name__.partition(".")[0]].__version__


def _own(needs: Needs) -> Finding:
    told = f"{own_version()}, {Path(__file__).parents[1]}"
    if needs.version not in {None, own_version()}:
        return Finding(
            "here",
            "locus_nb",
            f"{told}; but {needs.version} is what is installed: another copy is first on the path",
            "note",
            "start Python elsewhere, or take that copy off the path",
        )
    return Finding("here", "locus_nb", told)


def _magics(shell: Any) -> Finding:
    # Loaded by loading the extension alone; what it needs may be broken.
    magics: Any = sys.modules.get("locus_nb._notebook.magics")
    if magics is not None and magics.is_loaded(shell):
        return Finding("here", "%%locus", "loaded")
    return Finding("here", "%%locus", "not loaded; to have it: %load_ext locus_nb")


def _kernel_told(shell: Any, environment: Mapping[str, str], *, named: bool) -> str:
    """Say what a kernel is asked by: only what truly can be told."""
    kernel = f"a Jupyter kernel ({type(shell.kernel).__module__.partition('.')[0]})"
    notebook = environment.get("JPY_SESSION_NAME", "")
    if "google.colab" in sys.modules:
        return f"{kernel} in Colab"
    if "__vsc_ipynb_file__" in shell.user_ns:
        return f"{kernel} in VS Code"
    if named:
        asked = f", which a Jupyter server started for {Path(notebook).name}" if notebook else ""
        return f"{kernel}{asked}; its front end names cells, as JupyterLab and Notebook do"
    return (
        f"{kernel}; unknown front end, which does not name its cells: nbclient, papermill or a console, say"
    )


def _names_cells(shell: Any) -> bool:
    try:
        return cell_id_of(request_of(shell)) is not None
    except Exception:  # noqa: BLE001 - an edge: another library's objects, of any version
        return False


def _is_in_marimo() -> bool:
    marimo: Any = sys.modules.get("marimo")
    try:
        return marimo is not None and bool(marimo.running_in_notebook())
    except Exception:  # noqa: BLE001 - as above
        return False
