"""The widget of a live table: the shipped page code, and a line to it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import anywidget
import traitlets

if TYPE_CHECKING:
    from collections.abc import Callable

_STATIC = Path(__file__).parent / "static"


class TableWidget(anywidget.AnyWidget):
    """One live table in the page.

    Only what does not change is a trait: rows travel as messages, which a notebook does not save.

    Args:
        run: The run that is shown; empty for all.
        twin: Css class of the static table that the page hides while this one lives.
        hear: Is given each message of the page's, in whatever thread the kernel handles it.
    """

    _esm = _STATIC / "live.js"
    _css = _STATIC / "live.css"
    run = traitlets.Unicode().tag(sync=True)
    twin = traitlets.Unicode().tag(sync=True)

    def __init__(self, *, run: str, twin: str, hear: Callable[[object], None]) -> None:
        super().__init__(run=run, twin=twin)

        def on_message(_widget: object, content: object, _buffers: object) -> None:
            hear(content)

        cast("Any", self).on_msg(on_message)

    def open(self) -> None:
        """Open the line, and have the page's messages handled at once.

        ipykernel 7.4 hands a message to the shell that last published on this line, which for a widget
        with a pump waits until a blocking cell ends. Earlier and later ones may not have the attribute.
        """
        super().open()
        comm: Any = self.comm
        if hasattr(comm, "_reply_subshell_for"):
            comm._reply_subshell_for = _keep_subshell  # noqa: SLF001 - there is no public way


def _keep_subshell(_data: object, default: object) -> object:
    return default
