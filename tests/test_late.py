from __future__ import annotations

import gc
import weakref

import ipywidgets
import pytest
from comm import DummyComm
from ipywidgets.widgets.widget import _instances

from locus_nb._views.late import OpensLate


def test_line_is_opened_for_who_asks_for_its_name() -> None:
    """A widget that is made has no line to the page; asking for its model id opens one, which stays."""
    widget = OpensLate()
    assert widget.comm is None
    name = widget.model_id
    assert widget.comm is not None
    assert widget.model_id == name
    widget._close_line()
    assert widget.comm is None


def test_box_names_only_what_has_a_line() -> None:
    """Where a widget has been closed its box has one of which nothing is seen: it can be made anew, with the rest."""
    closed, other = OpensLate(), ipywidgets.Label()
    box = ipywidgets.HBox([closed, other])
    closed._close_line()
    name, kept = (child.removeprefix("IPY_MODEL_") for child in box.get_state()["children"])
    assert kept == other.model_id
    instead = _instances[name]
    assert isinstance(instead, ipywidgets.DOMWidget)
    assert instead.layout.display == "none"
    assert closed.model_id == name
    instead.close()
    assert _instances[closed.model_id].comm is not None
    for widget in (box, other, _instances[closed.model_id]):
        widget.close()


def test_box_opens_the_lines_of_what_it_holds() -> None:
    """A box of ipywidgets has its children on the page."""
    widget = OpensLate()
    box = ipywidgets.HBox([widget])
    assert box.get_state()["children"] == [f"IPY_MODEL_{widget.model_id}"]
    widget._close_line()
    box.close()


def test_widget_on_no_page_ends_with_its_last_reference() -> None:
    """Nothing holds a widget that no page shows."""
    widget = OpensLate()
    gone = weakref.ref(widget)
    del widget
    gc.collect()
    assert gone() is None


def test_closed_widget_leaves_nothing_behind() -> None:
    """A closed line takes the widget's layout with it, or each run of a cell would leave one."""
    before = set(_instances)
    widget = OpensLate()
    assert widget.model_id in _instances
    assert len(set(_instances) - before) == 2
    widget._close_line()
    widget._close_line()
    assert set(_instances) == before


def test_closed_widget_opens_no_line() -> None:
    """A widget that is over and was on no page cannot go on one, and says what to do instead."""
    widget = OpensLate()
    widget._close_line()
    with pytest.raises(ValueError, match="make a new one"):
        _ = widget.model_id


def test_host_that_opens_lines_itself_is_heard() -> None:
    """Where the host gives each widget its line when it is made, the widget knows that it is on a page."""
    opened: list[ipywidgets.Widget] = []

    class Told(OpensLate):
        def _on_open(self) -> None:
            opened.append(self)

    def give_line(widget: ipywidgets.Widget) -> None:
        widget.comm = DummyComm()

    ipywidgets.Widget.on_widget_constructed(give_line)
    try:
        widget = Told()
    finally:
        ipywidgets.Widget.on_widget_constructed(None)
    assert opened == [widget]
    widget._close_line()


def test_widget_takes_the_room_it_is_given() -> None:
    """In a row of widgets one that has no size of its own takes what is left, and may be as narrow as need be."""
    layout = OpensLate().layout
    assert (layout.flex, layout.min_width) == ("1 1 auto", "0")
