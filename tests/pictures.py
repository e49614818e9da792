"""Takes pictures of the views in a real JupyterLab, running the notebook about live views.

python tests/pictures.py          the README's: notebooks/{run-view,all-runs,monitor}.png
python tests/pictures.py FOLDER   each view and tab at 600 and 1200 px, light and dark, to be looked at
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.browser import Chromium
from tests.jupyter import JupyterLab

if TYPE_CHECKING:
    from collections.abc import Generator

    from playwright.sync_api import Page

    from tests.browser import Tab
    from tests.jupyter import LabTab

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
NOTEBOOK = NOTEBOOKS / "02_live_views.ipynb"
SIZE = {"width": 1240, "height": 1000}
# The views' own width to that of the window around them.
WINDOWS = {600: 716, 1200: 1316}
THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}
TABS = ("Table", "Timeline", "Tree")

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


def take(page: Tab, path: Path, cell: int, tab: str, *, drawer: bool = False) -> None:
    """Write the picture of one cell's view; `drawer`: with the details of a row."""
    output = f".jp-Notebook-cell >> nth={cell} >> .locus-live"
    page.wait(
        "(cell) => document.querySelectorAll('.jp-Notebook-cell')[cell].querySelector('.locus-live')", cell
    )
    if tab:
        page.click(f'{output} >> role=tab[name="{tab}"]')
    if drawer:
        open_drawer(page, output)
    page.call(lambda playwright: playwright.mouse.move(0, 0))
    page.call(lambda playwright: playwright.wait_for_timeout(1000))
    page.screenshot(path, output)


def open_drawer(page: Tab, output: str) -> None:
    """Click a row in sight, and wait for its details. A row that had to be scrolled to could move away again."""

    def click(playwright: Page) -> None:
        grid = playwright.locator(f"{output} >> .lo-panel [role=grid]")
        grid.scroll_into_view_if_needed()
        grid.click(position={"x": 60, "y": 100})
        playwright.locator(f"{output} >> .lo-close").wait_for()

    page.call(click)


@contextmanager
def opened(lab: JupyterLab, chromium: Chromium, width: int) -> Generator[LabTab]:
    """The notebook in a window of that width, without the side bar."""
    size = {"width": width, "height": SIZE["height"]}
    with lab.open(chromium, f"pictures-{width}.ipynb", sources(), viewport=size) as notebook:
        # In a narrow window JupyterLab has closed it already.
        notebook.page.evaluate(
            """() => document.querySelector(".jp-SideBar .lm-mod-current")
                && window.jupyterapp.commands.execute("application:toggle-left-area")"""
        )
        yield notebook


def take_for_readme(lab: JupyterLab, chromium: Chromium) -> None:
    """Write the README's pictures."""
    with opened(lab, chromium, SIZE["width"]) as notebook:
        for index, source in enumerate(sources()):
            notebook.run(index)
            for name, (start, tab) in PICTURES.items():
                if source.startswith(start):
                    take(notebook.page, NOTEBOOKS / f"{name}.png", index, tab)


def take_to_look_at(lab: JupyterLab, chromium: Chromium, folder: Path) -> None:
    """Write a picture of each view and tab, at each width and in each theme."""
    folder.mkdir(parents=True, exist_ok=True)
    for width, window in WINDOWS.items():
        with opened(lab, chromium, window) as notebook:
            for index, source in enumerate(sources()):
                notebook.run(index)
                names = [name for name, (start, _) in PICTURES.items() if source.startswith(start)]
                for name, (theme, title) in product(names, THEMES.items()):
                    set_theme(notebook.page, title)
                    take_tabs(notebook.page, f"{folder / name}-{{}}-{width}-{theme}.png", index)


def take_tabs(page: Tab, path: str, cell: int) -> None:
    """Write a picture of each tab, and of a row's details, of a view that has them."""
    if Path(path).name.startswith("monitor"):
        take(page, Path(path.format("view")), cell, "")
        return
    for tab in TABS:
        take(page, Path(path.format(tab.lower())), cell, tab)
    take(page, Path(path.format("details")), cell, "Table", drawer=True)
    page.click(f".jp-Notebook-cell >> nth={cell} >> .lo-close")


def set_theme(page: Tab, title: str) -> None:
    """Have JupyterLab change to that theme."""
    page.evaluate("(theme) => window.jupyterapp.commands.execute('apputils:change-theme', { theme })", title)
    page.wait("(theme) => document.body.dataset.jpThemeName === theme", title)


def main() -> None:
    """Takes all pictures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", nargs="?", type=Path, metavar="FOLDER")
    looked_at = parser.parse_args().folder
    with tempfile.TemporaryDirectory() as folder, JupyterLab(Path(folder)) as lab, Chromium() as chromium:
        if looked_at:
            take_to_look_at(lab, chromium, looked_at)
        else:
            take_for_readme(lab, chromium)


if __name__ == "__main__":
    main()
