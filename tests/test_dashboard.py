from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from locus_nb import EventBus, Run, ViewRefusedError, dashboard, emit_sync, get_event_bus, run_context
from locus_nb._views import view as view_module
from locus_nb._views.pump import the_pump
from tests.bus_kit import GRACE_S, put
from tests.test_watch import WIDGET, no_views_left, page, readers, static_of

if TYPE_CHECKING:
    from tests.test_watch import Page

__all__ = ["no_views_left", "page"]


def test_shows_all_runs_and_the_newest(page: Page) -> None:
    """Without a run it shows all runs and the one that was published to last; nothing shows itself unasked."""
    for run_id in ("first", "second", "first"):
        with run_context(run_id):
            emit_sync("test.event")
    assert page.run("board = dashboard()") == []
    board = page["board"]
    assert board.all_runs.run_id is None
    assert board.one_run.run_id == "first"
    assert [view.comm for view in board.views] == [None, None, None]
    assert board.comm is None


def test_run_may_be_named_and_there_may_be_none() -> None:
    """A run that is named is shown, also before it begins; without any run there is the view of all alone."""
    bus = EventBus()
    with dashboard(bus=bus) as board:
        assert board.one_run is None
        assert board.views == (board.bus, board.all_runs)
    put(bus, range(3), "other")
    with dashboard("later", bus=bus) as board:
        assert board.one_run is not None
        assert board.one_run.run_id == "later"
        assert the_pump().flush(GRACE_S)
        assert board.all_runs.total == 3


def test_board_shows_the_bus_where_its_run_lives() -> None:
    """With a Run of another bus all its views are of that bus; with one of the process's bus, of that one."""
    bus = EventBus()
    put(bus, range(4))
    put(bus, range(2), "other")
    with run_context("own"):
        emit_sync("test.event")
    for run, totals in ((Run("run", source=bus), (6, 4)), (Run("own"), (1, 1))):
        with dashboard(run) as board:
            assert board.one_run is not None
            assert the_pump().flush(GRACE_S)
            assert (board.all_runs.total, board.one_run.total) == totals
            assert f"{totals[0]} published" in str(board.bus)


def test_display_is_the_box_and_the_pictures_of_its_views(page: Page) -> None:
    """Displayed it is a box with the views in it, and below a picture of each that the page hides."""
    live, *pictures = page.run("board = dashboard('run')\nboard")
    board = page["board"]
    assert live["data"][WIDGET]["model_id"] == board.model_id
    assert board.get_state()["children"] == [f"IPY_MODEL_{view.model_id}" for view in board.views]
    twins = [output["transient"]["display_id"] for output in pictures]
    assert twins == [view.twin for view in board.views]
    assert all(twin in static_of(output) for twin, output in zip(twins, pictures, strict=True))
    updates = page.run("with run_context('run'): emit_sync('agent.think', reasoning_preview='to be seen')")
    assert [update["transient"]["display_id"] for update in updates] == twins
    assert all("to be seen" in static_of(update) for update in updates[1:])


def test_frozen_board_leaves_its_pictures(page: Page) -> None:
    """Frozen, also twice, it leaves the pictures of its views in their places, and no box and no reader."""
    page.run("board = dashboard('run')\nboard")
    board = page["board"]
    page.run("with run_context('run'): emit_sync('agent.think', reasoning_preview='just before')")
    shown = len(page.outputs)
    board.freeze()
    board.close()
    *pictures, box = page.outputs[shown:]
    for view, picture in zip(board.views, pictures, strict=True):
        assert picture["transient"] == {"display_id": view.twin}
        assert view.twin not in static_of(picture)
    assert all("just before" in static_of(picture) for picture in pictures[1:])
    assert "locus-gone" in static_of(box)
    assert board.comm is None
    assert readers() == 0
    assert not view_module._on_page
    again = page.run("board")
    assert [static_of(output) for output in again] == [static_of(picture) for picture in pictures]


def test_rerun_cell_leaves_one_board(page: Page) -> None:
    """A cell that is run again replaces the board and its views: no subscription is doubled."""
    page.run("board = dashboard('run')\nboard", name="cell")
    before = page["board"]
    page.run("board = dashboard('run')\nboard", name="cell")
    assert before.comm is None
    assert readers() == get_event_bus().stats()["global_subscribers"] == 1
    page.run("1", name="cell")
    assert page["board"].comm is None
    assert readers() == 0


def test_host_that_renders_objects_gets_box_and_pictures() -> None:
    """Where nothing of IPython displays, the bundle holds the box and the pictures of its views."""
    with dashboard("run") as board:
        data = board._repr_mimebundle_()
        assert data[WIDGET]["model_id"] == board.model_id
        assert data["text/html"].count("<style>") == 3
        assert "all runs · " in data["text/plain"]
        assert repr(board) == "<Dashboard of <BusMonitor>, <RunsView of all runs>, <RunView of run 'run'>>"
        assert str(board).startswith(
            "<Dashboard of <BusMonitor: live, 0 published, 0 dropped>, <RunsView of all"
        )
    assert set(board._repr_mimebundle_()) == {"text/html", "text/plain"}


def test_board_that_is_refused_leaves_nothing() -> None:
    """Where the bus has all the global readers it may have, no view of the board stays."""
    bus = EventBus(max_global_subscribers=1)
    with dashboard("run", bus=bus):
        with pytest.raises(ViewRefusedError):
            dashboard("run", bus=bus)
        assert bus.stats()["active_runs"] == 1
    with pytest.raises(TypeError, match="run id"):
        dashboard(5, bus=bus)
