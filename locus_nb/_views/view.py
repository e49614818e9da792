"""What every live view is: a widget in the page, and the picture that stays where no widget can be."""

from __future__ import annotations

import time
import weakref
from functools import cache
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self, cast
from uuid import uuid4

import anywidget
import ipywidgets  # pyright: ignore[reportMissingTypeStubs] - it has none
import traitlets

from locus_nb._views.boxes import held, holds, mark_boxes_of
from locus_nb._views.late import OpensLate
from locus_nb._views.notebook import NOTEBOOK, NOTHING, show_object, show_output, update_output
from locus_nb._views.outputs import all_open, outside, put, taking_in
from locus_nb._views.page import PAGE_MAKES
from locus_nb._views.pump import the_pump

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from locus_nb._views.notebook import Place

_STATIC = Path(__file__).parents[1] / "static"
_BUNDLE = "live"

# So many views of cells without a name live at one time: where cells have none, a cell that was edited or that
# no page has shown cannot be told from another one.
_NAMELESS = 20

# The class of pictures that stand above a box.
_BOXED = "locus-boxed"

# The views that were put on a page: they live until they are stopped. Others live as long as somebody holds them.
_on_page: dict[View, None] = {}

# The views that this cell has put on a page, of which it has shown no picture yet.
_lacking: weakref.WeakSet[View] = weakref.WeakSet()

# Widgets that were displayed, or may have been before anybody listened.
_displayed: weakref.WeakSet[ipywidgets.DOMWidget] = weakref.WeakSet()

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
    if NOTEBOOK.on_display(ipywidgets.DOMWidget, _show_pictures_of_held):
        _displayed.update(all_open())
    place = NOTEBOOK.place()
    before = None if place is None else _made.get(place)
    if place is not None and before is not None and (place.named or before.was_seen):
        before.stop()
    return place


def settle(made: Placed, place: Place | None) -> None:
    """Have what was made at a place stopped when something else takes that place."""
    if place is not None:
        _made[place] = made


class View(OpensLate, anywidget.AnyWidget):
    """A live view: an ordinary widget, shown when it is displayed or sits in a box that is.

    Until then there is nothing of it in the page or the notebook, and it ends with its last reference. In a
    notebook it is two outputs: the widget, and a static picture that the page hides while the widget lives,
    brought up to date after each cell, and when a run ends. The picture is what a saved notebook shows, and
    nbconvert, and a page without the kernel. Of views in a box the pictures stand above the box, and of those that
    are displayed in an Output widget by a cell, among the outputs of that cell.

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
    twin = traitlets.Unicode().tag(sync=True)

    def __init__(self, *, view: str, run: str, sink: PageSink, place: Place | None, **traits: str) -> None:
        self.place = place
        self._page_sink = sink
        self._frozen = False
        # Whether the first picture is yet to come, because a page is only just making the view.
        self._is_new = False
        # Whether that was in the cell that runs.
        self._was_displayed = False
        # Whether it is an output of its own, and not in a box alone.
        self._is_output = False
        # The twins of what it shared a box with, and its own, once it was in one that was displayed.
        self._boxed: tuple[str, ...] = ()
        # What the picture in the notebook says; empty while there is none.
        self._written: tuple[object, ...] = ()
        settle(self, place)
        twin = f"locus-nb-twin-{uuid4().hex[:12]}"
        # For which message it was last displayed in an Output widget; None for none.
        self._shown_for: str | None = None
        # The output that has its picture.
        self._picture_id = twin
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

    def refresh(self) -> None:
        """Bring the picture in the notebook up to date, if there is one and there is news."""
        written = self._news()
        if self._written and written != self._written:
            self._written = written
            update_output(self._picture_id, self._picture(self._twin_classes))

    def refresh_later(self) -> None:
        """Refresh when all that was published so far is worked off, and a page had time to show the view."""
        self._page_sink.rest_soon()
        the_pump().wake()

    def end_cell(self) -> None:
        """Bring the picture up to date after a cell; after the one that displayed it the first comes by itself."""
        displayed, self._was_displayed = self._was_displayed, False
        if not (displayed and self._is_new):
            self._is_new = False
            self.refresh()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def picture(self) -> dict[str, str]:
        """The view as it is now: `text/html`, self-contained and without script, and `text/plain`."""
        return self._picture("")

    def show_twin(self) -> None:
        """Show the picture that the page hides while the view is live there, and keep it up to date till the end."""
        if self._over:
            show_output(self._picture(self._still_class))
            return
        message, in_cell = NOTEBOOK.message()
        outputs = taking_in(message)
        if not outputs:
            self._show_first_picture()
            return
        self._boxed, self._shown_for = self._boxed or (self.twin,), message
        for output in outputs:
            put(output, self)
        if not in_cell:
            self._show_picture_at_once(outputs)
        elif len(outputs) == 1 and any(holds(shown, outputs[0]) for shown in tuple(_displayed)):
            # Until the Output widget lets go nothing else gets by it, also nothing that is brought up to date.
            with outside(outputs):
                self._show_first_picture(is_whole=True)

    def show_twin_in_box(self, twins: Sequence[str]) -> None:
        """Show the picture for a box that is about to be displayed; it is hidden while any of the `twins` is live.

        A box may make only that of its views which is seen.
        """
        self._boxed = tuple(dict.fromkeys((*self._boxed, *twins)))
        if not self._written or self._shown_for != NOTEBOOK.message()[0]:
            self.show_twin()

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

    @property
    def _still_class(self) -> str:
        return _BOXED if self._boxed else ""

    @property
    def _twin_classes(self) -> str:
        """By which the page finds the picture that it is to hide."""
        others = (twin for twin in self._boxed if twin != self.twin)
        return " ".join([self.twin, *([_BOXED, *others] if self._boxed else [])])

    def _show_first_picture(self, *, is_whole: bool = False) -> None:
        # A front end that names its cells shows widgets: its page is not given the picture, which it hides, to
        # lay out before it has painted the view. One that names none may be gone after the last cell.
        named = self.place is not None and self.place.named
        self._is_new = named and not is_whole and not self.was_seen
        if is_whole:
            the_pump().flush()
        self._written = (None,) if self._is_new else self._news()
        _lacking.discard(self)
        picture = self._announcement() if self._is_new else self._picture(self._twin_classes)
        show_output(picture, display_id=self._picture_id)
        if self._is_new:
            self._was_displayed = True
            self.refresh_later()

    def _show_picture_at_once(self, outputs: Sequence[ipywidgets.Output]) -> None:
        """Show the picture where no cell runs, as when a slider was moved: in the place of an earlier one of a cell's.

        What stands in an Output widget is never brought up to date.
        """
        earlier = [view for output in outputs for view in held(output, View)]
        before = self if self._written else next(filter(self._follows, earlier), None)
        the_pump().flush()
        picture = self._picture(self._twin_classes)
        if before is None:
            show_output(picture, display_id=self._picture_id)
            return
        self._picture_id = before._give_place()  # noqa: SLF001 - another view's own
        self._written = self._news()
        update_output(self._picture_id, picture)

    def _give_place(self) -> str:
        self._written = ()
        return self._picture_id

    def _follows(self, other: View) -> bool:
        return bool(other._written) and other._shown_for != self._shown_for

    def _announcement(self) -> dict[str, str]:
        """What stands in the place of the picture until it is made."""
        text = repr(self)
        return {
            "text/html": f'<div class="locus-static {self._twin_classes}">{escape(text)}</div>',
            "text/plain": text,
        }

    def _on_open(self) -> None:
        _on_page[self] = None
        if NOTEBOOK.message()[1]:
            _lacking.add(self)
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

    def _rest(self) -> None:
        """Refresh between cells; while one runs, its end does it, but for the first picture."""
        if self._is_new or not NOTEBOOK.is_busy():
            self._is_new = False
            self.refresh()

    def _leave(self) -> None:
        """Let go of whatever is followed; once or more often."""
        raise NotImplementedError

    def _news(self) -> tuple[object, ...]:
        """Something that changes whenever the picture would; never empty."""
        raise NotImplementedError

    def _picture(self, css_class: str) -> dict[str, str]:
        """The view as `text/html` with this class, and as `text/plain`."""
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
    _show_late_pictures()
    through = not _on_page or the_pump().flush()
    for view in tuple(_on_page):
        view.end_cell()
        if not through:
            view.refresh_later()


def _show_pictures_of_held(shown: ipywidgets.DOMWidget) -> None:
    """Show the pictures of the views in a box that is about to be displayed."""
    _displayed.add(shown)
    for output in taking_in(NOTEBOOK.message()[0]):
        put(output, shown)
    _show_pictures(shown, held(shown, View))


def _show_late_pictures() -> None:
    """Show the pictures of the views that the cell has put into a box which was displayed before."""
    for shown in tuple(_displayed) if _lacking else ():
        _show_pictures(shown, [view for view in held(shown, View) if view in _lacking])
    _lacking.clear()


def _show_pictures(box: ipywidgets.DOMWidget, views: Sequence[View]) -> None:
    if views:
        mark_boxes_of(box, View)
    twins = [view.twin for view in views]
    for view in views:
        view.show_twin_in_box(twins)


def _close_the_oldest() -> None:
    """Keep to the bound on views of cells without a name."""
    nameless = [view for view in _on_page if view.place is not None and not view.place.named]
    for view in nameless[:-_NAMELESS]:
        view.close()
