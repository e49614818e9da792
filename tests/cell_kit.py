"""Drives the live views that a cell of a notebook in JupyterLab shows, in the words of the tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from playwright.sync_api import TimeoutError as NotInTimeError

if TYPE_CHECKING:
    from tests.jupyter import LabTab

WAIT_S = 30.0
CLICK_S = 5.0
CLICKS = 6

# What a test's condition may say: `root` is the cell's element.
_WORDS = """([where, argument]) => {{
    const root = document.querySelector(where) ?? document.createElement("div");
    const all = (part) => [...root.querySelectorAll(`.lo-${{part}}`)].filter((one) => one.checkVisibility());
    const texts = (part) => all(part).map((one) => one.textContent);
    return {};
}}"""
_IF_THERE = """(() => {{
    try {{
        return {};
    }} catch (error) {{
        if (error instanceof TypeError) return false;
        throw error;
    }}
}})()"""


class CellViews:
    """The views that a cell shows, in the words of the tests; `part` names an element without its prefix.

    Args:
        notebook: The notebook, open in JupyterLab.
        index: Of the cell.
    """

    def __init__(self, notebook: LabTab, index: int) -> None:
        self.notebook = notebook
        self.page = notebook.page
        self._where = f'.jp-Cell[data-windowed-list-index="{index}"] .jp-Cell-outputArea'

    def evaluate(self, script: str, argument: object = None) -> Any:
        """The value of an expression, which may use `root`, `all(part)`, `texts(part)` and `argument`."""
        return self.page.evaluate(_WORDS.format(script), [self._where, argument])

    def wait(self, condition: str, argument: object = None) -> None:
        """Wait until such an expression is true, of which parts may be missing; a failure tells what is shown."""
        try:
            self.page.wait(
                _WORDS.format(_IF_THERE.format(condition)), [self._where, argument], timeout=WAIT_S
            )
        except NotInTimeError as error:
            error.add_note(self.evaluate("root.innerText"))
            raise

    def wait_texts(self, part: str, *texts: str) -> None:
        """Wait until the visible parts of that name say just this, in order."""
        self.wait("JSON.stringify(texts(argument[0])) === JSON.stringify(argument[1])", [part, texts])

    def texts(self, part: str) -> list[str]:
        """The texts of the visible parts with that name, in order."""
        return self.evaluate("texts(argument)", part)

    def text(self, part: str) -> str:
        """The text of the first of them, "" without one."""
        return next(iter(self.texts(part)), "")

    def selector(self, part: str) -> str:
        """The selector of the visible parts with that name."""
        return f"{self._where} .lo-{part} >> visible=true"

    def click(self, part: str, *modifiers: Any, maybe: bool = False) -> None:
        """Click the first part with that name; `maybe`: if there is one."""
        selector = self.selector(part)

        def click(page: Any) -> None:
            if not maybe or page.locator(selector).count() > 0:
                page.locator(selector).first.click(modifiers=list(modifiers), timeout=CLICK_S * 1000)

        # Rows are used again for others: the one that was found may be out of sight before it is clicked.
        for tries_left in reversed(range(CLICKS)):
            try:
                self.page.call(click)
            except NotInTimeError:
                if not tries_left:
                    raise
            else:
                break

    def press(self, part: str, *keys: str) -> None:
        """Focus the first part with that name and press keys."""
        for key in keys:
            self.page.call(lambda page, key=key: page.locator(self.selector(part)).first.press(key))

    def tab(self, name: str) -> None:
        """Open a tab of the view."""
        self.click(f'tab:text-is("{name}")')

    def filter(self, text: str) -> None:
        """Type a filter."""
        self.page.call(lambda page: page.locator(self.selector("filter")).first.fill(text))

    def click_row(self, seq: int, *modifiers: Any) -> None:
        """Click the row with that seq, which must be in sight."""
        self.click(f'row:has(.lo-seq:text-is("{seq}"))', *modifiers)

    def box(self, part: str) -> dict[str, float]:
        """Where the first visible part with that name is."""
        return self.evaluate("all(argument)[0].getBoundingClientRect().toJSON()", part)

    def mouse(self, action: str, *arguments: object) -> None:
        """Move the mouse or turn its wheel."""
        self.page.call(lambda page: getattr(page.mouse, action)(*arguments))
