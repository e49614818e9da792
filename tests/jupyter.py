"""A real JupyterLab for the tests, on loopback, with nothing of the user's own in it."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.error import URLError
from urllib.request import urlopen

import nbformat

import locus_nb

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.browser import Chromium, Tab

START_S = 60.0
POLL_S = 0.05
# It asks whether to fetch news, in a box over the notebook.
_PAGE_CONFIG = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}

PANEL = "window.jupyterapp.shell.currentWidget"
_STATUS = f"{PANEL}?.context?.sessionContext?.kernelDisplayStatus"


def free_port() -> int:
    """A port of the loopback interface that was free just now, for a server that cannot choose one itself."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def write_notebook(path: Path, cells: Sequence[str]) -> None:
    """Write a notebook of code cells."""
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    made = [nbformat.v4.new_code_cell(source) for source in cells]
    nbformat.write(nbformat.v4.new_notebook(cells=made, metadata={"kernelspec": kernel}), path)


class JupyterLab:
    """A server with a token, a folder of notebooks and settings of its own; ends with its `with`.

    Raises:
        RuntimeError: It ended, or did not answer within a minute; says what it printed.
    """

    def __init__(self, folder: Path) -> None:
        self.notebooks = folder / "notebooks"
        self._log = folder / "log"
        self._runtime = folder / "runtime"
        self._token = secrets.token_hex(16)
        self.notebooks.mkdir(parents=True)
        config = folder / "config" / "labconfig"
        config.mkdir(parents=True)
        config.joinpath("page_config.json").write_text(json.dumps(_PAGE_CONFIG))
        self._process = self._start(folder)
        try:
            self._url = self._address()
        except BaseException:
            self.close()
            raise

    def _start(self, folder: Path) -> subprocess.Popen[bytes]:
        options = {
            "ServerApp.ip": "127.0.0.1",
            "ServerApp.port": 0,
            "ServerApp.root_dir": self.notebooks,
            "ServerApp.open_browser": False,
            "ServerApp.allow_root": True,
            "LabApp.expose_app_in_browser": True,
        }
        environment = {
            **os.environ,
            "JUPYTER_TOKEN": self._token,
            "JUPYTER_CONFIG_DIR": str(folder / "config"),
            "JUPYTER_DATA_DIR": str(folder / "data"),
            "JUPYTER_RUNTIME_DIR": str(self._runtime),
            "IPYTHONDIR": str(folder / "ipython"),
            "PYTHONPATH": str(Path(locus_nb.__file__).parents[1]),
        }
        with self._log.open("wb") as log:
            return subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "jupyterlab",
                    *(f"--{name}={value}" for name, value in options.items()),
                ],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def _address(self) -> str:
        """Wait until it answers; its address."""
        info = self._runtime / f"jpserver-{self._process.pid}.json"
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                url = str(json.loads(info.read_text())["url"])
                urlopen(f"{url}api", timeout=START_S).close()
            except (OSError, ValueError, URLError):
                # A server in another process says by nothing else that it answers.
                time.sleep(POLL_S)
            else:
                return url
        raise RuntimeError(f"JupyterLab did not start:\n{self._log.read_text()}")

    def open(
        self,
        chromium: Chromium,
        name: str,
        cells: Sequence[str] | None = None,
        *,
        idle: bool = True,
        **options: Any,
    ) -> LabTab:
        """Open a notebook in a new tab, with an `idle` kernel or any; `cells`: write it first."""
        if cells is not None:
            write_notebook(self.notebooks / name, cells)
        url = f"{self._url}lab/workspaces/{secrets.token_hex(4)}/tree/{name}?token={self._token}"
        tab = chromium.tab(url, **({"viewport": {"width": 1280, "height": 1000}} | options))
        return LabTab(tab, idle=idle)

    def close(self) -> None:
        """End the server and its kernels."""
        self._process.terminate()
        self._process.wait(START_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class LabTab:
    """A notebook open in JupyterLab; closes its tab with its `with`."""

    def __init__(self, tab: Tab, *, idle: bool = True) -> None:
        self.page = tab
        self._wait_for_kernel(idle=idle)

    def _wait_for_kernel(self, *, idle: bool) -> None:
        # Of a kernel that is busy nothing is known.
        condition = f"{_STATUS} === 'idle'" if idle else f"{PANEL}?.context?.isReady"
        self.page.wait(f"() => window.jupyterapp && {condition}", timeout=START_S)

    def start(self, cell: int) -> None:
        """Run a cell without waiting for it."""
        self.page.evaluate(
            f"""(cell) => {{
                const panel = {PANEL};
                panel.content.activeCellIndex = cell;
                panel.content.deselectAll();
                window.ran = false;
                const done = () => {{ window.ran = true; }};
                window.jupyterapp.commands.execute("notebook:run-cell").then(done, done);
            }}""",
            cell,
        )

    def finish(self, *, timeout: float = 60) -> None:
        """Wait until the started cell has run and all its messages are handled."""
        self.page.wait(f"() => window.ran && {_STATUS} === 'idle'", timeout=timeout)

    def run(self, cell: int) -> None:
        """Run a cell and wait for it."""
        self.start(cell)
        self.finish()

    @property
    def is_finished(self) -> bool:
        """Whether the started cell has run; a busy kernel may say it is idle when a subshell is."""
        return self.page.evaluate("() => window.ran")

    def outputs(self, cell: int) -> list[dict[str, Any]]:
        """The outputs of a cell as they would be saved."""
        return self.page.evaluate(
            f"(cell) => {PANEL}.content.widgets[cell].model.sharedModel.getOutputs()", cell
        )

    def save(self) -> None:
        """Save the notebook."""
        self.page.evaluate(f"() => {PANEL}.context.save()")

    def reload(self) -> None:
        """Load the page anew, with the kernel that the notebook has, which is idle."""
        self.page.call(lambda page: page.reload())
        self._wait_for_kernel(idle=True)

    def new_view(self, cell: int) -> None:
        """Show a cell's output beside the notebook too, as its context menu does."""
        self.page.evaluate(
            f"""async (cell) => {{
                const panel = {PANEL};
                panel.content.activeCellIndex = cell;
                await window.jupyterapp.commands.execute("notebook:create-output-view");
                window.jupyterapp.shell.activateById(panel.id);
            }}""",
            cell,
        )

    def interrupt_kernel(self) -> None:
        """Interrupt the cell that runs."""
        self.page.evaluate(f"() => {PANEL}.context.sessionContext.session.kernel.interrupt()")

    def restart_kernel(self) -> None:
        """Restart the kernel and wait until it is idle."""
        self.page.evaluate(f"() => {PANEL}.context.sessionContext.session.kernel.restart()")
        self.page.wait(f"() => {_STATUS} === 'idle'", timeout=START_S)

    def shut_down_kernel(self) -> None:
        """End the kernel for good."""
        self.page.evaluate(f"() => {PANEL}.context.sessionContext.shutdown()")

    def close(self) -> None:
        """Close the tab."""
        self.page.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
