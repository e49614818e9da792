"""A widget and its twin: the static picture that stays where no widget can be."""

from __future__ import annotations

import weakref
from html import escape
from typing import TYPE_CHECKING

import ipywidgets  # pyright: ignore[reportMissingTypeStubs] - it has none
import traitlets

from locus_nb._views.boxes import held, holds, mark_boxes_of
from locus_nb._views.late import OpensLate
from locus_nb._views.notebook import NOTEBOOK, show_output, update_output
from locus_nb._views.outputs import all_open, outside, put, taking_in
from locus_nb._views.pump import the_pump

if TYPE_CHECKING:
    from collections.abc import Sequence

    from locus_nb._views.notebook import Place

# The class of pictures that stand above a box.
_BOXED = "locus-boxed"

# The widgets that this cell has put on a page, of which it has shown no picture yet.
_lacking: weakref.WeakSet[Twinned] = weakref.WeakSet()

# Widgets that were displayed, or may have been before anybody listened.
_displayed: weakref.WeakSet[ipywidgets.DOMWidget] = weakref.WeakSet()


class Twinned(OpensLate):
    """A widget that leaves a picture of itself in the notebook, which the page hides while the widget lives there.

    The picture, its twin, is an output of its own: brought up to date after each cell, and when what is shown
    comes to rest. Of widgets in a box the twins stand above the box, and of those that are displayed in an Output
    widget by a cell, among the outputs of that cell.
    """

    twin = traitlets.Unicode().tag(sync=True)

    place: Place | None = None
    # Whether the first picture is yet to come, because a page is only just making the widget.
    _is_new = False
    # Whether that was in the cell that runs.
    _was_displayed = False
    # The twins of what it shared a box with, and its own, once it was in one that was displayed.
    _boxed: tuple[str, ...] = ()
    # What the picture in the notebook says; empty while there is none.
    _written: tuple[object, ...] = ()
    # For which message it was last displayed in an Output widget; None for none.
    _shown_for: str | None = None
    # The output that has its picture, where that is another one's.
    _taken_id = ""

    @property
    def was_seen(self) -> bool:
        """Whether a page has shown it."""
        raise NotImplementedError

    def refresh(self) -> None:
        """Bring the picture in the notebook up to date, if there is one and there is news."""
        written = self._news()
        if self._written and written != self._written:
            self._written = written
            update_output(self._picture_id, self._picture(self._twin_classes))

    def refresh_later(self) -> None:
        """Refresh when all that was published so far is worked off, and a page had time to show the view."""
        raise NotImplementedError

    def end_cell(self) -> None:
        """Bring the picture up to date after a cell; after the one that displayed it the first comes by itself."""
        displayed, self._was_displayed = self._was_displayed, False
        if not (displayed and self._is_new):
            self._is_new = False
            self.refresh()

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
        earlier = [view for output in outputs for view in held(output, Twinned)]
        before = self if self._written else next(filter(self._follows, earlier), None)
        the_pump().flush()
        picture = self._picture(self._twin_classes)
        if before is None:
            show_output(picture, display_id=self._picture_id)
            return
        self._taken_id = before._give_place()  # noqa: SLF001 - another widget's own
        self._written = self._news()
        update_output(self._picture_id, picture)

    @property
    def _picture_id(self) -> str:
        return self._taken_id or self.twin

    def _lack_picture(self) -> None:
        """Be given a picture at the end of the cell that runs, if it does not show one itself."""
        if NOTEBOOK.message()[1]:
            _lacking.add(self)

    def _give_place(self) -> str:
        self._written = ()
        return self._picture_id

    def _follows(self, other: Twinned) -> bool:
        return bool(other._written) and other._shown_for != self._shown_for

    def _announcement(self) -> dict[str, str]:
        """What stands in the place of the picture until it is made."""
        text = repr(self)
        return {
            "text/html": f'<div class="locus-static {self._twin_classes}">{escape(text)}</div>',
            "text/plain": text,
        }

    def _rest(self) -> None:
        """Refresh between cells; while one runs, its end does it, but for the first picture."""
        if self._is_new or not NOTEBOOK.is_busy():
            self._is_new = False
            self.refresh()

    def _news(self) -> tuple[object, ...]:
        """Something that changes whenever the picture would; never empty."""
        raise NotImplementedError

    def _picture(self, css_class: str) -> dict[str, str]:
        """The view as `text/html` with this class, and as `text/plain`."""
        raise NotImplementedError


def hear_displays() -> None:
    """From now on show the pictures of what a box holds when the box is displayed."""
    if NOTEBOOK.on_display(ipywidgets.DOMWidget, _show_pictures_of_held):
        _displayed.update(all_open())


def show_late_pictures() -> None:
    """Show the pictures of the views that the cell has put into a box which was displayed before."""
    for shown in tuple(_displayed) if _lacking else ():
        _show_pictures(shown, [view for view in held(shown, Twinned) if view in _lacking])
    _lacking.clear()


def _show_pictures_of_held(shown: ipywidgets.DOMWidget) -> None:
    """Show the pictures of the views in a box that is about to be displayed."""
    _displayed.add(shown)
    for output in taking_in(NOTEBOOK.message()[0]):
        put(output, shown)
    _show_pictures(shown, held(shown, Twinned))


def _show_pictures(box: ipywidgets.DOMWidget, views: Sequence[Twinned]) -> None:
    if views:
        mark_boxes_of(box, Twinned)
    twins = [view.twin for view in views]
    for view in views:
        view.show_twin_in_box(twins)
