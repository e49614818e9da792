"""A widget that is nothing to the page and the kernel until somebody puts it on a page."""

from __future__ import annotations

from typing import Any, cast

import ipywidgets  # pyright: ignore[reportMissingTypeStubs] - it has none
import traitlets


class OpensLate(ipywidgets.DOMWidget):
    """A widget whose line to the page is opened when it is displayed or a box that holds it is made.

    ipywidgets opens a line for each widget that is made, and then never lets go of it.
    """

    _model_id: str | None = None
    _wanted = False
    # No more line is opened.
    _over = False

    def __init__(self, **traits: Any) -> None:
        cast("Any", super()).__init__(**traits)
        if self.comm is not None:
            # A host without a kernel opens lines itself.
            self._on_open()

    @traitlets.default("layout")
    def _default_layout(self) -> ipywidgets.Layout:
        # In a row of widgets it takes the room that is left, or it would have no width at all.
        return ipywidgets.Layout(flex="1 1 auto", min_width="0")

    @property
    def model_id(self) -> str:
        """The name of its line to the page, which is opened for it: who asks puts the widget on a page.

        Raises:
            ValueError: It is closed and was on no page.
        """
        if self.comm is None and not self._over:
            self._wanted = True
            self.open()
            self._on_open()
        if self.comm is not None:
            return cast("Any", self.comm).comm_id
        if self._model_id is None:
            raise ValueError(
                f"{self!r} is closed, so no box can show it: display it by itself, or make a new one"
            )
        return self._model_id

    def open(self) -> None:
        """Open the line to the page, once it is wanted.

        ipykernel 7.4 hands a message to the shell that last published on this line, which for a widget
        with a pump waits until a blocking cell ends. Earlier and later ones may not have the attribute.
        """
        if not self._wanted:
            return
        super().open()
        comm: Any = self.comm
        if hasattr(comm, "_reply_subshell_for"):
            comm._reply_subshell_for = _keep_subshell  # noqa: SLF001 - there is no public way

    def _on_open(self) -> None:
        """Hear that the line was opened."""

    def _close_line(self) -> None:
        """Close the line to the page for good. Idempotent; waits for nothing."""
        self._over = True
        if self.comm is not None:
            cast("Any", self).layout.close()
        super().close()
        # ipywidgets takes it away with the line, but a closed view still has a picture.
        vars(self).pop("_repr_mimebundle_", None)

    def __del__(self) -> None:
        # Not by close(), which may wait.
        self._close_line()


def _keep_subshell(_data: object, default: object) -> object:
    return default
