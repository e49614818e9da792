from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from ipywidgets import HBox, Label, Output

from locus_nb._views.boxes import held, holds
from locus_nb._views.outputs import contents, outside, put, taking_in
from tests.test_watch import WIDGET, no_hurry, no_views_left, page, say, static_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.test_watch import Page

__all__ = ["no_hurry", "no_views_left", "page"]

MAKE = """
from ipywidgets import HBox, Output
view, out = watch('run'), Output()
"""
FILL = "with out: display(view)"


@pytest.fixture
def out() -> Iterator[Output]:
    """An Output widget."""
    made = Output()
    yield made
    made.close()


class Routes:
    """Where an Output widget is asked to let outputs through: those that a page would show in the cell."""

    def __init__(self, page: Page, name: str = "out") -> None:
        self.in_cell: list[dict[str, Any]] = []
        publisher: Any = page.shell.display_pub
        publish = publisher.publish

        def note(*arguments: Any, **about: Any) -> None:
            publish(*arguments, **about)
            if not page[name].msg_id:
                self.in_cell.append(page.outputs[-1])

        publisher.publish = note


def test_output_takes_in_what_its_message_shows(out: Output) -> None:
    """An Output widget takes in outputs of the message it is told, till it is told none; other widgets never do."""
    assert taking_in("") == taking_in("m-1") == []
    out.msg_id = "m-1"
    assert taking_in("m-1") == [out]
    assert taking_in("m-2") == []
    with outside([out]):
        assert taking_in("m-1") == []
    assert taking_in("m-1") == [out]


def test_what_is_shown_in_an_output_is_in_it(out: Output) -> None:
    """What was shown in an Output widget is found as what a box holds is, through boxes on either side."""
    label = Label()
    assert contents(out) == []
    put(out, HBox([label]))
    assert held(HBox([out]), Label) == [label]
    assert holds(HBox([out]), out)
    assert not holds(label, out)


def test_view_in_an_output_has_its_picture_in_the_cell(page: Page) -> None:
    """The Output widget has the view, and the cell its picture, whole at once and kept up to date."""
    say(reasoning_preview="before")
    page.run(MAKE)
    page.run("display(out)")
    routes = Routes(page)
    shown = page.run(FILL)
    assert WIDGET in shown[0]["data"]
    (picture,) = routes.in_cell
    assert page["view"].twin in static_of(picture)
    assert "before" in static_of(picture)
    assert page["out"].msg_id == ""
    (update,) = page.run("with run_context('run'): emit_sync('agent.think', reasoning_preview='after')")
    assert update["transient"] == picture["transient"]
    assert "after" in static_of(update)
    page["view"].freeze()
    assert page.outputs[-2]["transient"] == picture["transient"]
    assert page["view"].twin not in static_of(page.outputs[-2])


@pytest.mark.parametrize("box", ["out", "HBox([out])"])
def test_picture_waits_for_the_output_to_be_displayed(page: Page, box: str) -> None:
    """Of a view in an Output widget that is on no page there is no picture; it comes with the Output widget."""
    page.run(MAKE)
    shown = page.run(FILL)
    assert len(shown) == 1
    assert WIDGET in shown[0]["data"]
    picture, widget = page.run(f"display({box})")[:2]
    assert page["view"].twin in static_of(picture)
    assert WIDGET in widget["data"]


def test_output_that_was_there_before_any_view_is_taken_to_be_displayed(page: Page) -> None:
    """Who displays an Output widget before the first view is made gets the picture, once in the cell."""
    page.run("from ipywidgets import Output\nout = Output()\ndisplay(out)")
    routes = Routes(page)
    page.run("view = watch('run')\nwith out: display(view)\ndisplay(out)")
    places = [output["transient"] for output in routes.in_cell]
    assert places.count({"display_id": page["view"].twin}) == 1


def test_outputs_inside_one_another_have_the_picture_at_the_end_of_the_cell(page: Page) -> None:
    """Which Output widget is the inner one is not known, so the picture is shown when both have let go."""
    page.run(MAKE + "outer = Output()")
    page.run("display(outer)\nwith outer: display(out)")
    routes = Routes(page)
    page.run("with outer:\n    with out: display(view)")
    (picture,) = routes.in_cell
    assert page["view"].twin in static_of(picture)


def test_view_that_a_slider_shows_takes_over_the_picture(page: Page) -> None:
    """Shown in an Output widget by no cell, each view has the picture of one that was shown there before it."""
    page.run(MAKE + "display(out)")
    page.run("with out: display(view); display(watch())")
    first, second = (output["transient"] for output in page.outputs[-3::2])
    told = []
    for run in ("one", "two"):
        page.answer("comm_msg")
        shown = len(page.outputs)
        page.shell.user_ns["run"] = run
        exec("with out: display(watch(run)); display(watch(run))", page.shell.user_ns)
        told.append([output for output in page.outputs[shown:] if output["update"]])
        assert all(run in static_of(output) for output in told[-1])
    assert [[output["transient"] for output in each] for each in told] == [[first, second]] * 2


def test_view_that_a_button_shows_first_has_a_picture_in_the_output(page: Page) -> None:
    """Where no cell has a picture to take over, the whole one is shown beside the view."""
    page.run(MAKE + "display(out)")
    say(reasoning_preview="to be seen")
    page.answer("comm_msg")
    exec(FILL, page.shell.user_ns)
    _live, picture = page.outputs[-2:]
    assert "to be seen" in static_of(picture)
    shown = len(page.outputs)
    page["view"].freeze()
    assert len(page.outputs) == shown
