"""A widget that is nothing to the page and the kernel until somebody puts it on a page."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, cast

import ipywidgets  # pyright: ignore[reportMissingTypeStubs] - it has none
import traitlets

from locus_nb._views.pump import the_pump

if TYPE_CHECKING:
    from collections.abc import Callable

    from locus_nb._subscription import Batch


class OpensLate(ipywidgets.DOMWidget):
    """A widget whose line to the page is opened when it is displayed or a box that holds it is made.

    ipywidgets opens a line for each widget that is made, and then never lets go of it.
    """

    _model_id: str | None = None
    _wanted = False
    # No more line is opened.
    _over = False
    # The line is about to be closed.
    _is_leaving = False

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

        Once it is over, that of a widget of which nothing is seen: a page that is loaded anew does not show a box
        at all if something in it has no line.

        Raises:
            ValueError: It is closed and was on no page.
        """
        if self.comm is None and not self._over:
            self._wanted = True
            self.open()
            self._on_open()
        # Another thread may close it now.
        line: Any = self.comm
        if line is not None and not self._is_leaving:
            return line.comm_id
        if self._model_id is None:
            raise ValueError(
                f"{self!r} is closed, so no box can show it: display it by itself, or make a new one"
            )
        return _nothing_to_see().model_id

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

    def _close_line_at(self, at: float) -> None:
        """Close the line to the page for good, not before that time on the monotonic clock. Idempotent."""
        self._over = self._is_leaving = True
        the_pump().attach(None, _Parting(self._close_line, at))

    def _close_line(self) -> None:
        """Close the line to the page for good. Idempotent; waits for nothing."""
        self._over, self._is_leaving = True, False
        if self.comm is not None:
            cast("Any", self).layout.close()
        super().close()
        # ipywidgets takes it away with the line, but a closed view still has a picture.
        vars(self).pop("_repr_mimebundle_", None)

    def __del__(self) -> None:
        # Not by close(), which may wait.
        self._close_line()


class _Parting:
    """The sink of a widget that is over: it closes its line when the time has come."""

    def __init__(self, close: Callable[[], None], at: float) -> None:
        self._close = close
        self._at = at

    @property
    def unread(self) -> int:
        """Nothing: it takes no events."""
        return 0

    def put(self, batch: Batch) -> None:
        """Take nothing: it has no subscription."""

    def tick(self) -> bool:
        """Close the line if it is time; True until then."""
        if time.monotonic() < self._at:
            return True
        the_pump().detach(self)
        self._close()
        return False

    def fail(self) -> None:
        """Leave the line as it is: it could not be closed."""


# The widget of which nothing is seen, once there is one.
_nothing: list[ipywidgets.Box] = []


def _nothing_to_see() -> ipywidgets.Box:
    # Whoever closes all widgets of the process closes it too.
    if not _nothing or _nothing[0].comm is None:
        _nothing[:] = [ipywidgets.Box(layout=ipywidgets.Layout(display="none"))]
    return _nothing[0]


def keeps_subshell(widget: OpensLate) -> bool | None:
    """Whether the page's messages to a widget stay on the page's own shell; None where ipykernel moves none."""
    route: Any = getattr(cast("Any", widget).comm, "_reply_subshell_for", None)
    return None if route is None else route is _keep_subshell


def _keep_subshell(_data: object, default: object) -> object:
    return default
