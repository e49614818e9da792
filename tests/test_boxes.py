from __future__ import annotations

from typing import TYPE_CHECKING, Any

import ipywidgets
import pytest
import traitlets
from ipywidgets import HBox, IntSlider, Label, Tab, VBox

from locus_nb import dashboard, watch
from locus_nb._views import view as view_module
from locus_nb._views.boxes import OF_VIEWS, held, mark_boxes_of
from locus_nb._views.view import View
from tests.test_watch import WIDGET, no_hurry, no_views_left, page, readers, say, static_of

if TYPE_CHECKING:
    from tests.test_watch import Page

__all__ = ["no_hurry", "no_views_left", "page"]

MAKE = """
from ipywidgets import *
left, right = watch('run'), watch()
box = VBox([IntSlider(), HBox([left, Tab([right])])])
"""


class Shelf(ipywidgets.DOMWidget):
    """A container of another package, which holds its widgets in lists and by name."""

    rows: Any = traitlets.List().tag(sync=True, **ipywidgets.widget_serialization)
    named: Any = traitlets.Dict().tag(sync=True, **ipywidgets.widget_serialization)
    words: Any = traitlets.List().tag(sync=True)


def test_all_that_a_widget_holds_is_found() -> None:
    """Boxes in boxes and containers of other packages are looked through, and what is there twice is found once."""
    labels = [Label(str(n)) for n in range(4)]
    shelf = Shelf(rows=[[labels[1], labels[0]]], named={"key": labels[2]}, words=["word"])
    box = VBox([labels[0], Tab([shelf, HBox([labels[3]])])])
    found = held(box, Label)
    assert (found[0], found[-1]) == (labels[0], labels[-1])
    assert sorted(label.value for label in found) == ["0", "1", "2", "3"]
    assert held(labels[0], Label) == [labels[0]]
    assert held(box, IntSlider) == []


def test_boxes_of_nothing_but_views_are_marked() -> None:
    """A box that holds something else too is not to go with its views; its mark goes when that changes."""
    with watch("run") as view, dashboard("run") as board:
        inner = HBox([view, board])
        outer, mixed, empty = VBox([inner]), VBox([inner, Label()]), VBox()
        assert [mark_boxes_of(box, View) for box in (outer, mixed, empty, Label())] == [
            True,
            False,
            False,
            False,
        ]
        marked = [OF_VIEWS in box._dom_classes for box in (inner, outer, mixed, empty)]
        assert marked == [True, True, False, False]
        outer.children = (inner, Label())
        assert not mark_boxes_of(outer, View)
        assert OF_VIEWS not in outer._dom_classes


def test_displayed_box_has_a_picture_of_each_view_in_it(page: Page) -> None:
    """Shown in whichever cell, a box is as ever, and over it are the pictures of its views, kept up to date."""
    say()
    assert page.run(MAKE) == []
    outputs = page.run("display(box)")
    *pictures, box = outputs[:3]
    assert WIDGET in box["data"]
    assert "waiting" not in box["data"]["text/plain"]
    left, right = page["left"], page["right"]
    assert [picture["transient"] for picture in pictures] == [
        {"display_id": left.twin},
        {"display_id": right.twin},
    ]
    for picture, view, other in zip(pictures, (left, right), (right, left), strict=True):
        assert f'class="locus-static {view.twin} locus-boxed {other.twin}"' in static_of(picture)
    updates = page.run("with run_context('run'): emit_sync('agent.think', reasoning_preview='to be seen')")
    assert {update["transient"]["display_id"] for update in updates} == {left.twin, right.twin}
    assert all(update["update"] and "to be seen" in static_of(update) for update in updates)
    assert page.run("1") == []


def test_value_of_a_cell_may_be_a_box(page: Page) -> None:
    """As the last expression of a cell a box leaves the same pictures, and is the cell's value."""
    page.run(MAKE)
    assert len(page.run("box")) == 2
    assert page.shell.user_ns["_"] is page["box"]


def test_box_without_views_is_displayed_as_ever(page: Page) -> None:
    """Other widgets, and boxes of them, leave no picture and get no class."""
    page.run("from ipywidgets import *\nwatch('run')\nother = HBox([IntSlider()])")
    (only,) = [
        output for output in page.run("display(other)") if "update" not in output or not output["update"]
    ]
    assert WIDGET in only["data"]
    assert page["other"]._dom_classes == ()


def test_what_a_user_had_boxes_shown_as_is_kept(page: Page) -> None:
    """Whoever told IPython how to show widgets is still asked."""
    formatter: Any = page.shell.display_formatter
    formatter.mimebundle_formatter.for_type(ipywidgets.DOMWidget, lambda _widget: {"text/plain": "as I said"})
    page.run(MAKE)
    assert page.run("display(box)")[2]["data"]["text/plain"] == "as I said"


@pytest.mark.parametrize("way", ["close", "freeze"])
def test_frozen_view_in_a_box_leaves_its_picture(page: Page, way: str) -> None:
    """Frozen or closed, a view in a box is its picture over the box, which nothing hides any more; others go on."""
    page.run(MAKE)
    page.run("display(box)")
    say(reasoning_preview="just before")
    shown = len(page.outputs)
    getattr(page["left"], way)()
    (picture,) = page.outputs[shown:]
    assert picture["transient"] == {"display_id": page["left"].twin}
    assert 'class="locus-static locus-boxed"' in static_of(picture)
    assert "just before" in static_of(picture)
    assert page["right"].comm is not None
    assert readers() == 0
    again = page.run("display(box)")
    assert "just before" in static_of(again[0])
    assert not again[0]["transient"]


def test_view_in_a_box_and_by_itself_leaves_one_picture_in_each_place(page: Page) -> None:
    """Frozen, it is a picture wherever it was displayed, and its own widget is gone."""
    page.run(MAKE)
    page.run("display(left)", name="own")
    page.run("display(box)", name="box")
    shown = len(page.outputs)
    page["left"].freeze()
    picture, gone = page.outputs[shown:]
    assert picture["transient"] == {"display_id": page["left"].twin}
    assert gone["transient"] == {"display_id": f"{page['left'].twin}-live"}
    assert "locus-gone" in static_of(gone)


def test_box_without_a_notebook_shows_no_picture() -> None:
    """In a script a box is a box: there is nowhere to show a picture."""
    with watch("run") as view:
        assert WIDGET in (HBox([view])._repr_mimebundle_() or {})
        assert not view_module._made
