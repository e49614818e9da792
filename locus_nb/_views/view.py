"""What every live view is: a widget in the page, and the picture that stays where no widget can be."""

from __future__ import annotations

import time
import weakref
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self, cast
from uuid import uuid4

import anywidget
import traitlets

from locus_nb._views.notebook import NOTEBOOK, NOTHING, show_object, show_output, update_output
from locus_nb._views.page import PAGE_MAKES
from locus_nb._views.pump import the_pump
from locus_nb._views.twin import Twinned, hear_displays, show_late_pictures

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from locus_nb._views.notebook import Place

_STATIC = Path(__file__).parents[1] / "static"
_BUNDLE = "live"

# So many views of cells without a name live at one time: where cells have none, a cell that was edited or that
# no page has shown cannot be told from another one.
_NAMELESS = 20

# The views that were put on a page: they live until they are stopped. Others live as long as somebody holds them.
_on_page: dict[View, None] = {}

# The views that were made in a cell, by place.
_made: weakref.WeakValueDictionary[Place, Placed] = weakref.WeakValueDictionary()


class PageSink(Protocol):
    """What a view needs of its sink, besides what the pump does."""

    @property
    def greeted(self) -> bool:
        """Whether a page has said hello."""
        ...

    def hear(self, content: object) -> None:
        """Take a message of the page's. Any thread."""
        ...

    def expect_page(self) -> None:
        """Have everything sent that a new page needs. Any thread."""
        ...

    def rest_soon(self) -> None:
        """Have the view refreshed when all that is there is worked off, and a page had its time. Any thread."""
        ...


class Placed(Protocol):
    """What is made at a place in the notebook, and replaced when its cell runs again."""

    @property
    def was_seen(self) -> bool:
        """Whether a page has shown it."""
        ...

    def stop(self) -> None:
        """End at once, and leave what is shown as it is. Idempotent."""
        ...


def take_place() -> Place | None:
    """Give the place in the notebook at which something is made; what was made there before is stopped."""
    if not NOTEBOOK.connect():
        return None
    NOTEBOOK.on_cell_end(_end_cell)
    hear_displays()
    place = NOTEBOOK.place()
    before = None if place is None else _made.get(place)
    if place is not None and before is not None and (place.named or before.was_seen):
        before.stop()
    return place


def settle(made: Placed, place: Place | None) -> None:
    """Have what was made at a place stopped when something else takes that place."""
    if place is not None:
        _made[place] = made


class View(Twinned, anywidget.AnyWidget):
    """A live view: an ordinary widget, shown when it is displayed or sits in a box that is.

    Until then there is nothing of it in the page or the notebook, and it ends with its last reference. In a
    notebook it is two outputs: the widget, and its twin, which is what a saved notebook shows, and nbconvert, and a
    page without the kernel.

    Its repr, which a saved notebook has beside the widget, says only what never changes; `print` says how it stands.

    A context manager: leaving it closes the view. Its methods may be called from any thread. Only what does
    not change is a trait; all else travels as messages, which a notebook does not save.

    Args:
        view: Which of its views the page is to make.
        run: The run that is shown; empty for all.
        sink: Where its messages come from and go to.
        place: What `take_place` gave.
        **traits: What else the page is told of it once.
    """

    _esm = traitlets.Unicode().tag(sync=True)
    _css = traitlets.Unicode().tag(sync=True)
    view = traitlets.Unicode().tag(sync=True)
    run = traitlets.Unicode().tag(sync=True)

    def __init__(self, *, view: str, run: str, sink: PageSink, place: Place | None, **traits: str) -> None:
        self.place = place
        self._page_sink = sink
        self._frozen = False
        # Whether it is an output of its own, and not in a box alone.
        self._is_output = False
        settle(self, place)
        twin = f"locus-nb-twin-{uuid4().hex[:12]}"
        super().__init__(view=view, run=run, twin=twin, _esm=_asset("js"), _css=_asset("css"), **traits)
        me = weakref.ref(self)

        def on_message(_widget: object, content: object, _buffers: object) -> None:
            view = me()
            if view is not None:
                view._hear(content)  # noqa: SLF001 - this view's own

        cast("Any", self).on_msg(on_message)

    @property
    def was_seen(self) -> bool:
        """Whether a page has shown it."""
        return self._page_sink.greeted

    @property
    def is_on_page(self) -> bool:
        """Whether it is put on a page, and still follows."""
        return self in _on_page

    def freeze(self) -> None:
        """Stop following, and leave a picture instead of the widget: self-contained html without script, and text.

        The picture holds all that was published before; a frozen view that is displayed shows it again. In a box
        the widget leaves its place empty, and its picture is above the box; a box that held nothing but views
        goes with the last of them. Waits while there is progress; what the view still has not taken in is counted
        as missing. Idempotent.
        """
        before: tuple[object, ...] = ()
        while not self._over and not the_pump().flush() and self._news() != before:
            before = self._news()
        self.stop()
        if self._frozen or not self._written:
            return
        self._frozen = True
        self._written = ()
        # The live output is where it was looked at, unless that was a box.
        moves = self._is_output and not self._boxed
        update_output(self._live_id if moves else self._picture_id, self._picture(self._still_class))
        if self._is_output:
            update_output(self._picture_id if moves else self._live_id, NOTHING)

    def close(self) -> None:
        """Freeze the view. Idempotent."""
        self.freeze()

    def stop(self) -> None:
        """Stop following at once, and leave the picture as it was last written. Idempotent.

        The line to the page is closed a second later.
        """
        was_over, self._over = self._over, True
        _on_page.pop(self, None)
        self._leave()
        if was_over:
            return
        if self.comm is None or self.place is None:
            self._close_line()
        else:
            # anywidget takes a line that is closed while it makes the view for a failure. And with the last line
            # goes JupyterLab's subshell, where what the page has just sent may still wait: that ends in the cell as
            # "Task was destroyed but it is pending!".
            self._close_line_at(time.monotonic() + PAGE_MAKES)

    def refresh_later(self) -> None:
        """Refresh when all that was published so far is worked off, and a page had time to show the view."""
        self._page_sink.rest_soon()
        the_pump().wake()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ipython_display_(self) -> None:
        if not self._over:
            data, metadata = self._widget_bundle()
            self._is_output = True
            show_output({**data, "text/plain": repr(self)}, metadata=metadata, display_id=self._live_id)
        self.show_twin()

    def _repr_mimebundle_(  # pyright: ignore[reportIncompatibleMethodOverride] - AnyWidget's gives a pair too
        self, **_which: object
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        # For those that render objects themselves; IPython calls _ipython_display_.
        if self._over:
            return dict(self.picture()), {}
        data, metadata = self._widget_bundle()
        return {**data, **self._picture(self.twin)}, metadata

    def _widget_bundle(self) -> tuple[dict[str, Any], dict[str, Any]]:
        bundle = cast("Any", super())._repr_mimebundle_()
        return cast("Any", bundle if isinstance(bundle, tuple) else (bundle, {}))

    @property
    def _live_id(self) -> str:
        return f"{self.twin}-live"

    def _on_open(self) -> None:
        _on_page[self] = None
        self._lack_picture()
        _close_the_oldest()
        self._page_sink.expect_page()
        the_pump().wake()

    def _calls(self) -> tuple[Callable[[dict[str, Any], list[bytes]], None], Callable[[], None]]:
        """What a sink calls to send to the page, and when it rests; neither holds the view."""
        me = weakref.ref(self)

        def send(content: dict[str, Any], buffers: list[bytes]) -> None:
            view = me()
            if view is not None:
                cast("Any", view).send(content, buffers)

        def rest() -> None:
            view = me()
            if view is not None:
                view._rest()  # noqa: SLF001 - this view's own

        return send, rest

    def _hear(self, content: object) -> None:
        self._page_sink.hear(content)
        the_pump().wake()

    def _leave(self) -> None:
        """Let go of whatever is followed; once or more often."""
        raise NotImplementedError


@cache
def _asset(suffix: str) -> str:
    # anywidget would read a path for each widget, and hold every widget for as long as the class.
    return (_STATIC / f"{_BUNDLE}.{suffix}").read_text("utf-8")


def views_on_page() -> list[View]:
    """Give the views that were put on a page and still follow, the oldest first."""
    return list(_on_page)


def show_view(view: View) -> None:
    """Show a view as an output of the cell that runs."""
    show_object(view)


def _end_cell() -> None:
    for place, view in tuple(_made.items()):
        if NOTEBOOK.is_left_over(place):
            view.stop()
    show_late_pictures()
    through = not _on_page or the_pump().flush()
    for view in tuple(_on_page):
        view.end_cell()
        if not through:
            view.refresh_later()


def _close_the_oldest() -> None:
    """Keep to the bound on views of cells without a name."""
    nameless = [view for view in _on_page if view.place is not None and not view.place.named]
    for view in nameless[:-_NAMELESS]:
        view.close()
