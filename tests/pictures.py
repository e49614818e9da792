"""Takes the README's pictures in a real JupyterLab: the run view, the view of all runs, and the monitor.

    python tests/pictures.py

Runs the notebook about live views and writes notebooks/{run-view,all-runs,monitor}.png.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.browser import Chromium
from tests.jupyter import JupyterLab

if TYPE_CHECKING:
    from tests.browser import Tab

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
NOTEBOOK = NOTEBOOKS / "02_live_views.ipynb"
SIZE = {"width": 1240, "height": 1000}

# Picture to the start of the cell whose view it shows, and the tab that is opened for it.
PICTURES = {
    "run-view": ("trip = watch(", "Timeline"),
    "all-runs": ("crew = watch(", ""),
    "monitor": ("bus_monitor = monitor(", ""),
}


def sources() -> list[str]:
    """The code cells of the notebook."""
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def take(page: Tab, name: str, cell: int, tab: str) -> None:
    """Write the picture of one cell's view."""
    output = f".jp-Notebook-cell >> nth={cell} >> .locus-live"
    page.wait(
        "(cell) => document.querySelectorAll('.jp-Notebook-cell')[cell].querySelector('.locus-live')", cell
    )
    if tab:
        page.click(f'{output} >> role=tab[name="{tab}"]')
    page.call(lambda playwright: playwright.mouse.move(0, 0))
    page.call(lambda playwright: playwright.wait_for_timeout(1000))
    page.screenshot(NOTEBOOKS / f"{name}.png", output)


def main() -> None:
    """Takes all pictures."""
    cells = sources()
    with (
        tempfile.TemporaryDirectory() as folder,
        JupyterLab(Path(folder)) as lab,
        Chromium() as chromium,
        lab.open(chromium, "pictures.ipynb", cells, viewport=SIZE) as notebook,
    ):
        notebook.page.evaluate("() => window.jupyterapp.commands.execute('application:toggle-left-area')")
        for index, source in enumerate(cells):
            notebook.run(index)
            for name, (start, tab) in PICTURES.items():
                if source.startswith(start):
                    take(notebook.page, name, index, tab)


if __name__ == "__main__":
    main()
