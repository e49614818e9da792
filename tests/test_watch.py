from __future__ import annotations

import gc
import json
import os
import sys
import threading
import time
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import nbformat
import pytest
from comm import DummyComm
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from ipywidgets import HBox
from nbclient import NotebookClient
from nbconvert import HTMLExporter
from traitlets.config import Config

import locus_nb
from locus_nb import (
    EventBus,
    LocusError,
    Run,
    StreamEvent,
    ViewRefusedError,
    configure,
    dashboard,
    emit_sync,
    events_df,
    get_event_bus,
    history,
    load,
    reset_event_bus,
    run_context,
    watch,
)
from locus_nb._views import row_sink as row_sink_module
from locus_nb._views import twin as twin_module
from locus_nb._views import view as view_module
from locus_nb._views import watch as watch_module
from locus_nb._views.notebook import NOTEBOOK, Notebook
from locus_nb._views.pump import the_pump
from tests.bus_kit import GRACE_S, in_threads, put

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from locus_nb import Dashboard, RunsView, RunView
    from tests.browser import Chromium

WIDGET = "application/vnd.jupyter.widget-view+json"
SECRET = "sk-ant-api03-" + "a1B2" * 20
HOSTILE = '<img src=x onerror="alert(1)"></table><script>alert(2)</script>'


class Page:
    """What an in-process shell shows; runs cells in it."""

    def __init__(self, shell: InteractiveShell, publisher: CapturingDisplayPublisher) -> None:
        self.shell = shell
        self._publisher = publisher
        self._numbers = count()

    def run(self, cell: str, *, name: str | None = None) -> list[dict[str, Any]]:
        """Run a cell, named by its text if nothing else; what it showed, raising what it raised."""
        before = len(self.outputs)
        self.answer("execute_request", {"cellId": name or cell})
        self.shell.run_cell(cell, store_history=True).raise_error()
        return self.outputs[before:]

    def answer(self, kind: str, metadata: dict[str, Any] | None = None) -> None:
        """Be about to answer another message of the front end's."""
        header = {"msg_id": f"{kind}-{next(self._numbers)}", "msg_type": kind}
        parent = {"header": header, "metadata": metadata or {}}
        vars(self.shell)["kernel"] = SimpleNamespace(get_parent=lambda: parent)

    @property
    def outputs(self) -> list[dict[str, Any]]:
        """Everything shown or updated so far."""
        return self._publisher.outputs

    def __getitem__(self, name: str) -> Any:
        return self.shell.user_ns[name]


@pytest.fixture
def no_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages need no time, and a picture may be made again at once."""
    for name in ("PAGE_MAKES", "PAGE_PAINTS", "_REPORTS_EVERY"):
        monkeypatch.setattr(row_sink_module, name, 0.0)


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    """An IPython shell in this process, whose outputs are kept, with `watch` imported; no page takes time for it."""
    monkeypatch.setattr(view_module, "PAGE_MAKES", 0.0)
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    notebook = Notebook(NOTEBOOK._find_shell)
    monkeypatch.setattr(watch_module, "NOTEBOOK", notebook)
    monkeypatch.setattr(view_module, "NOTEBOOK", notebook)
    monkeypatch.setattr(twin_module, "NOTEBOOK", notebook)
    config = Config()
    config.HistoryManager.enabled = False
    shell = InteractiveShell.instance(config=config)
    shell.display_pub = publisher = CapturingDisplayPublisher()
    made = Page(shell, publisher)
    made.run("from locus_nb import *\nfrom IPython.display import display")
    yield made
    InteractiveShell.clear_instance()


@pytest.fixture(autouse=True)
def no_views_left() -> Iterator[None]:
    """Close the views that a test made."""
    yield
    for sink in tuple(the_pump()._pairs):
        the_pump().detach(sink)
    view_module._on_page.clear()
    view_module._made.clear()


def readers(run_id: str = "run") -> int:
    """How many subscriptions the run has."""
    return len(get_event_bus().stats()["queue_depths"].get(run_id, []))


def say(count: int = 1, run_id: str = "run", **data: Any) -> None:
    """Emit events of a run, and wait until the views have them."""
    with run_context(run_id):
        for n in range(count):
            emit_sync("test.event", n=n, **data)
    assert the_pump().flush(GRACE_S)


def static_of(output: dict[str, Any]) -> str:
    """The html and the text of a picture."""
    assert set(output["data"]) == {"text/html", "text/plain"}
    return "\n".join(output["data"].values())


def test_shows_nothing_unasked(page: Page) -> None:
    """Making a view shows nothing, and so do its updates: only displaying it does."""
    assert page.run("view = watch('run')") == []
    say()
    assert page.run("1") == []


@pytest.mark.parametrize("cell", ["watch('run')", "display(watch('run'))"])
def test_view_is_a_widget_and_a_picture(page: Page, cell: str) -> None:
    """Displayed, a view is two outputs: the widget with a text beside it, and the table that stays."""
    say(3)
    live, static = page.run(cell)[:2]
    assert set(live["data"]) == {WIDGET, "text/plain"}
    assert live["data"]["text/plain"] == "<RunView of run 'run'>"
    (view,) = view_module._on_page
    assert live["data"][WIDGET]["model_id"] == view.model_id
    assert live["transient"] == {"display_id": f"{view.twin}-live"}
    assert static["transient"] == {"display_id": view.twin}
    assert f'class="locus-static {view.twin}"' in static["data"]["text/html"]


def test_picture_is_brought_up_to_date_after_each_cell_with_news(page: Page) -> None:
    """At the end of a cell in which rows changed the picture is updated; at no other's."""
    page.run("watch('run')")
    (update,) = page.run("with run_context('run'): emit_sync('agent.think', reasoning_preview='to be seen')")
    assert update["update"]
    assert "to be seen" in static_of(update)
    assert update["transient"] == page.outputs[1]["transient"]
    assert page.run("1") == []
    (ended,) = page.run("get_event_bus().close_stream_nowait('run')")
    assert "ended" in static_of(ended)


@pytest.mark.usefixtures("no_hurry")
def test_page_paints_the_view_before_it_gets_the_picture(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    """A displayed view has a line for a picture; the picture comes when a page had its time, be a cell running."""
    say(reasoning_preview="to be seen")
    monkeypatch.setattr(row_sink_module, "PAGE_MAKES", 1000.0)
    _widget, announced = page.run("view = watch('run')\nview")
    assert "&lt;RunView of run" in static_of(announced)
    assert "to be seen" not in static_of(announced)
    monkeypatch.setattr(row_sink_module, "PAGE_PAINTS", 0.0)
    page["view"]._sink.hear({"kind": "hello", "last_seq": 0})
    monkeypatch.setattr(view_module.NOTEBOOK, "_running", 1)
    the_pump().wake()
    assert the_pump().flush(GRACE_S)
    assert the_pump().flush(GRACE_S)
    (picture,) = page.outputs[2:]
    assert "to be seen" in static_of(picture)
    assert picture["transient"] == announced["transient"]


def test_cell_run_inside_a_cell_replaces_no_view(page: Page) -> None:
    """Views made before and after a cell runs another one are two, however often it is run."""
    for _ in range(2):
        page.run("one = watch('run'); get_ipython().run_cell('1 + 1'); two = watch('run')")
        assert not page["one"]._over
        assert not page["two"]._over
    assert readers() == 2


@pytest.mark.usefixtures("no_hurry")
def test_picture_is_brought_up_to_date_when_a_run_ends_between_cells(page: Page) -> None:
    """A run that ends in the background, with no cell running, leaves its last rows in the picture."""
    page.run("view = watch('run')\nview")
    page["view"]._sink.hear({"kind": "hello", "last_seq": 0})
    say(reasoning_preview="the last word")
    get_event_bus().close_stream_nowait("run")
    assert the_pump().flush(GRACE_S)
    assert "the last word" in static_of(page.outputs[-1])
    assert "ended" in static_of(page.outputs[-1])


def test_rerun_cell_leaves_one_view_and_one_reader(page: Page) -> None:
    """A cell that is run again replaces the view it made: no view and no subscription is doubled."""
    cell = "view = watch('run')\nview"
    page.run(cell)
    old = page["view"]
    for _ in range(3):
        say()
        page.run(cell)
    assert readers() == 1
    assert len(view_module._on_page) == len(view_module._made) == 1
    assert page["view"] is not old
    assert page["view"].total == 3
    assert len(the_pump()._pairs) == 1
    page.run("watch('run')")
    assert readers() == 2


def test_two_views_of_one_cell_are_two(page: Page) -> None:
    """Views of one cell are told apart by their order; run again, each replaces its own."""
    for _ in range(2):
        page.run("one, two, all_runs = watch('run'), watch('run'), watch()")
    assert readers() == 2
    assert get_event_bus().stats()["global_subscribers"] == 1
    assert page["all_runs"].run_id is None


def test_edited_cell_ends_the_views_that_it_no_longer_makes(page: Page) -> None:
    """A cell run again with fewer views, or none, leaves no reader of the others; other cells' views stay."""
    page.run("views = [watch('run'), watch('run'), watch()]\ndisplay(*views)", name="first")
    page.run("watch('run')", name="second")
    page.run("watch('run')", name="first")
    assert (readers(), get_event_bus().stats()["global_subscribers"]) == (2, 0)
    page.run("'no view at all'", name="first")
    assert readers() == 1
    assert len(view_module._on_page) == len(the_pump()._pairs) == 1


def test_view_made_by_a_background_task_takes_no_other_cell_s_place(page: Page) -> None:
    """A view made for a cell while another one runs is that cell's next one: no displayed view is replaced."""
    page.run("first = watch('run')\nfirst", name="A")
    page.shell.user_ns["as_a"] = SimpleNamespace(get_parent=lambda: {"metadata": {"cellId": "A"}})
    page.run(
        "shell = get_ipython()\nbefore, shell.kernel = shell.kernel, as_a\n"
        "later = watch('run')\nshell.kernel = before",
        name="B",
    )
    assert page["later"].place == ("A", 1, True)
    assert readers() == 2
    page.run("'neither of them any more'", name="A")
    assert readers() == 0


def test_cells_without_a_name_share_no_view_that_no_page_has_shown(page: Page) -> None:
    """Two cells of the same text, under nbclient, have a live view each; one that a page shows is replaced."""
    del vars(page.shell)["kernel"]

    def run() -> Any:
        page.shell.run_cell("view = watch('run')\nview", store_history=True).raise_error()
        return page["view"]

    first, second = run(), run()
    say()
    assert (first.total, second.total, readers()) == (1, 1, 2)
    second._sink.hear({"kind": "hello", "last_seq": 0})
    say()
    third = run()
    say()
    assert (first.total, second.total, third.total, readers()) == (3, 2, 3, 2)


def test_cells_without_a_name_keep_the_newest_views(page: Page) -> None:
    """Where nobody can tell whether a cell was run again, the newest 20 displayed views live; others are closed."""
    del vars(page.shell)["kernel"]
    for n in range(25):
        page.shell.run_cell(f"view = watch('run')\nview  # {n}", store_history=True).raise_error()
    assert readers() == len(view_module._on_page) == 20


def test_view_that_was_never_displayed_ends_with_its_last_reference(page: Page) -> None:
    """Made and let go in a loop, in a cell or a script, views leave no reader, no sink and no widget behind."""
    for _ in range(2):
        page.run("for _ in range(60): view = watch()\ndel view")
        for _ in range(60):
            watch()
    the_pump().wake()
    with watch() as last:
        assert the_pump().flush(GRACE_S)
        assert get_event_bus().stats()["global_subscribers"] == 1
        assert last.comm is None
        assert [*the_pump()._pairs] == [last._sink]
    assert page.outputs == []


def test_displayed_view_lives_without_a_reference(page: Page) -> None:
    """What the page shows goes on, whether or not the user's code holds it."""
    page.run("display(watch('run'))")
    gc.collect()
    (update,) = page.run("with run_context('run'): emit_sync('agent.think', reasoning_preview='to be seen')")
    assert "to be seen" in static_of(update)


def test_closed_view_is_displayed_as_a_picture(page: Page) -> None:
    """Displayed after its close, a view is the table of what it had, without a widget."""
    page.run(
        "with watch('run') as view, run_context('run'): emit_sync('agent.think', reasoning_preview='it was')"
    )
    (static,) = page.run("view")[:1]
    assert "it was" in static_of(static)
    assert page["view"].comm is None


def test_history_comes_first() -> None:
    """A view begins with the history of its run, says what is gone of it, and goes on live."""
    bus = EventBus(history_per_run=3)
    put(bus, range(5))
    with watch("run", bus=bus) as view:
        assert the_pump().flush(GRACE_S)
        assert (view.total, view.missing, view.status) == (3, 2, "live")
        put(bus, [5])
        assert the_pump().flush(GRACE_S)
        assert [json.loads(row.detail)["n"] for row in view._sink.store.newest(9)] == [2, 3, 4, 5]


def test_view_of_all_runs_begins_with_all_that_is_kept() -> None:
    """A view of all runs shows every event in history, of every run, in the bus's order."""
    bus = EventBus()
    for n in range(40):
        put(bus, [n], f"run-{n % 7}")
    with watch(bus=bus) as view:
        assert the_pump().flush(GRACE_S)
        rows = view._sink.store.newest(99)
        assert [row.seq for row in rows] == list(range(1, 41))
        assert {row.run_id for row in rows} == {f"run-{n}" for n in range(7)}


def test_unknown_run_is_waited_for_and_a_reopened_one_followed() -> None:
    """A run need not exist yet; when it has ended and is opened again the view goes on with it."""
    with watch("later") as view:
        statuses = [view.status]
        for _ in range(2):
            say(2, "later")
            statuses.append(view.status)
            get_event_bus().close_stream_nowait("later")
            assert the_pump().flush(GRACE_S)
            statuses.append(view.status)
    assert statuses == ["waiting", "live", "ended", "live", "ended"]
    assert view.total == 4


@pytest.mark.parametrize(
    "run", ["run", SimpleNamespace(run_id="run", name="other"), SimpleNamespace(id="run", name="other")]
)
def test_run_is_an_id_or_an_object_that_has_one(run: object) -> None:
    """A run is named by its id, or by an object with a `run_id` or an `id`; its name does not matter."""
    with watch(run) as view:
        say()
        assert view.run_id == "run"
        assert view.total == 1


def test_run_may_be_what_the_bus_knows_of_it() -> None:
    """The bus's own record of a run is such an object."""
    say()
    with watch(get_event_bus().run_record("run")) as view:
        assert view.run_id == "run"


def test_run_is_watched_on_the_bus_where_it_lives() -> None:
    """A Run is watched on the bus that it is of, an id on the process's own; a bus that is named goes before both."""
    bus, third = EventBus(), EventBus()
    put(bus, range(4))
    put(third, range(2))
    say()
    run = Run("run", source=bus)
    with (
        watch(run) as there,
        watch("run") as here,
        watch(Run("run")) as own,
        watch(run, bus=third) as said_so,
    ):
        put(bus, [4])
        assert the_pump().flush(GRACE_S)
        assert [view.total for view in (there, here, own, said_so)] == [5, 1, 1, 2]


def test_run_that_left_memory_is_watched_where_it_may_go_on(tmp_path: Path) -> None:
    """A run that only the store of the process's bus still has, read from either, is waited for on that bus."""
    configure(store=tmp_path / "runs.db")
    try:
        say()
        bus = get_event_bus()
        assert bus.store is not None
        assert bus.store.flush(GRACE_S)
        kept = [Run("run"), history(tmp_path / "runs.db").runs()[0]]
        bus.drop_history_nowait("run")
        for run in kept:
            with watch(run) as view:
                assert view.status == "waiting"
                put(bus, [1])
                assert the_pump().flush(GRACE_S)
                assert view.total == 1
            bus.drop_history_nowait("run")
    finally:
        configure(store=None)


@pytest.mark.parametrize("show", [watch, dashboard])
def test_run_of_a_file_is_not_watched_unless_a_bus_is_named(
    tmp_path: Path, show: Callable[..., RunView | RunsView | Dashboard]
) -> None:
    """A run of a file, or of another bus's store, is refused by an error that says what to do; with a bus it is not."""
    bus = EventBus(store=tmp_path / "runs.db")
    put(bus, range(3))
    assert bus.store is not None
    bus.store.close()
    Run("run", source=bus).save(tmp_path / "run.jsonl")
    before = set(the_pump()._pairs)
    for kept in (load(tmp_path / "run.jsonl"), history(tmp_path / "runs.db")):
        run = Run("run", source=kept)
        with pytest.raises(ValueError, match=rf"{show.__name__}\(\) .*{type(kept).__name__}.* cannot .*: "):
            show(run)
        assert before.issuperset(the_pump()._pairs)
        with show(run, bus=bus):
            assert the_pump().flush(GRACE_S)


@pytest.mark.parametrize(
    "run, error",
    [
        ("", ValueError),
        (3, TypeError),
        (b"run", TypeError),
        (SimpleNamespace(name="run"), TypeError),
        (SimpleNamespace(id=7), TypeError),
    ],
)
def test_what_names_no_run_is_refused(run: object, error: type[Exception]) -> None:
    """Anything else is an error that speaks of run ids, and leaves no reader behind."""
    with pytest.raises(error, match="run id"):
        watch(run)
    assert get_event_bus().stats()["active_runs"] == 0


def test_one_view_too_many_is_refused() -> None:
    """Where the bus has all the global readers it may have, the error says what to do about it."""
    bus = EventBus(max_global_subscribers=1)
    with watch(bus=bus):
        with pytest.raises(ViewRefusedError, match=r"close\(\) views") as caught:
            watch(bus=bus)
        assert isinstance(caught.value, LocusError)
        with watch("run", bus=bus):
            assert bus.stats()["global_subscribers_refused_total"] == 1
    with watch(bus=bus):
        pass


@pytest.mark.parametrize("way", ["close", "freeze"])
def test_frozen_view_leaves_one_picture_and_no_reader(
    page: Page, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """Frozen or closed, also twice, a view is one picture of all that was published, and no widget any more."""
    monkeypatch.setattr(view_module, "PAGE_MAKES", 0.0)
    page.run("view = watch('run')\nview")
    view = page["view"]
    with run_context("run"):
        emit_sync("agent.think", reasoning_preview="just before")
    shown = len(page.outputs)
    getattr(view, way)()
    getattr(view, way)()
    picture, gone = page.outputs[shown:]
    assert picture["transient"] == {"display_id": f"{view.twin}-live"}
    assert "just before" in static_of(picture)
    assert view.twin not in static_of(picture)
    assert gone["transient"] == {"display_id": view.twin}
    assert static_of(gone) == '<div class="locus-gone"></div>\n'
    assert picture["update"]
    assert gone["update"]
    assert readers() == 0
    assert the_pump().flush(GRACE_S)
    assert view.comm is None
    assert not view_module._on_page
    with run_context("run"):
        emit_sync("agent.think")
    assert page.run("1") == []
    (again,) = page.run("view")
    assert static_of(again) == static_of(picture)


def test_view_goes_on_after_its_run_has_ended(page: Page) -> None:
    """A run's end freezes nothing: the widget stays, and Python still hears what is selected in it."""
    page.run("view = watch('run')\nview")
    view = page["view"]
    say()
    get_event_bus().close_stream_nowait("run")
    page.run("1")
    assert view.comm is not None
    view._hear(said(selected=[1]))
    assert len(view.selected_df) == 1


def test_reset_ends_the_views() -> None:
    """A view whose bus is forgotten has ended, and a new one follows the new bus."""
    with watch() as old:
        reset_event_bus()
        assert the_pump().flush(GRACE_S)
        assert old.status == "ended"
        with watch() as new:
            say()
            assert (old.total, new.total) == (0, 1)


def test_views_of_two_buses_do_not_mix() -> None:
    """A view shows the bus it was given, and the process's own without one."""
    bus = EventBus()
    with watch("run", bus=bus) as theirs, watch("run") as ours:
        put(bus, range(3))
        say()
        assert (theirs.total, ours.total) == (3, 1)


@pytest.mark.parametrize("run", ["'run'", ""])
def test_picture_is_brought_up_to_date_at_a_run_s_end_though_no_page_speaks(page: Page, run: str) -> None:
    """A run that ends long after the last cell, unseen by any page, leaves its end in the table; also of all runs."""
    page.run(f"view = watch({run})\nview")
    page["view"]._sink._clock = lambda: time.monotonic() + 60
    say(reasoning_preview="the last word")
    get_event_bus().close_stream_nowait("run")
    assert the_pump().flush(GRACE_S)
    assert the_pump().flush(GRACE_S)
    assert "the last word" in static_of(page.outputs[-1])


@pytest.mark.usefixtures("no_hurry")
def test_picture_of_all_runs_knows_of_what_a_run_did_without_an_event(page: Page) -> None:
    """A run that is closed, opened again and renamed without an event is so in the picture after that cell."""
    say()
    page.run("view = watch()\nview")
    page["view"]._sink.hear({"kind": "hello", "last_seq": 0})
    assert the_pump().flush(GRACE_S)
    page.run("bus = get_event_bus()")
    for change, seen in (
        ("bus.close_stream_nowait('run')", "<td>ok</td>"),
        ("bus.open_stream_nowait('run')", "<td>running</td>"),
        ("bus.open_stream_nowait('run', name='by its new name')", "by its new name"),
    ):
        assert seen in page.run(change)[-1]["data"]["text/html"]


def test_close_counts_what_it_leaves_behind(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    """Closed before it could work everything off, a view says how many events it does not show."""
    page.run("view = watch('run')\nview")
    view = page["view"]
    monkeypatch.setattr(the_pump(), "flush", lambda: False)
    monkeypatch.setattr(view._sink, "_make_rows", list)
    with run_context("run"):
        for n in range(3_000):
            emit_sync("test.event", n=n)
    view.close()
    view.close()
    assert (view.total, view.missing) == (0, 3_000)
    assert "3,000 events missing" in static_of(page.outputs[-2])


@pytest.mark.usefixtures("no_hurry")
def test_table_that_could_not_be_finished_in_time_is_finished_later(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the end of a cell cannot wait for all its rows, the picture gets them when they are there."""
    page.run("view = watch('run')\nview")
    with monkeypatch.context() as patched:
        patched.setattr(the_pump(), "flush", lambda: False)
        page.run("with run_context('run'): emit_sync('agent.think', reasoning_preview='the late word')")
    assert the_pump().flush(GRACE_S)
    assert the_pump().flush(GRACE_S)
    assert any("the late word" in static_of(output) for output in page.outputs[2:])


def test_broken_view_does_not_stop_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """When sending fails in one view, the others go on."""
    with watch("run") as broken, watch("run") as other:

        def fail(*_: object) -> None:
            raise OSError("the line is gone")

        monkeypatch.setattr(broken._sink, "_send", fail)
        say()
        say()
        assert other.total == 2
        assert readers() == 1
        assert (broken.status, other.status) == ("failed", "live")
        assert "failed" in broken._repr_mimebundle_()[0]["text/html"]


def test_secrets_do_not_leave(page: Page) -> None:
    """No secret of a payload gets into rows, the picture, or the widget's state."""
    page.run("view = watch('run')\nview")
    sent: list[bytes] = []
    page["view"]._sink._send = lambda _, buffers: sent.extend(buffers)
    say(output_preview=f"use {SECRET}", api_key="hush-hush", headers={"Authorization": f"Bearer {SECRET}"})
    page.run("1")
    everything = b"".join(sent).decode() + json.dumps([output["data"] for output in page.outputs])
    everything += json.dumps(page["view"].get_state(), default=str)
    assert "[redacted: " in b"".join(sent).decode()
    assert SECRET not in everything
    assert "hush-hush" not in everything


def test_hostile_text_stays_text(page: Page) -> None:
    """Markup in a run id, an event type or a payload is escaped in the picture."""
    page.run("view = watch()\nview")
    get_event_bus().publish_nowait(StreamEvent(f"run {HOSTILE}", f"type {HOSTILE}", {"preview": HOSTILE}))
    (update,) = page.run("1")
    assert "<img" not in update["data"]["text/html"]
    assert "<script" not in update["data"]["text/html"]
    assert update["data"]["text/html"].count("&lt;img") == 5


def test_only_four_names_are_synced(page: Page) -> None:
    """Rows are messages, never state: what a notebook saves of the widget is its code and four names."""
    page.run("view = watch('run')\nview")
    say(50, text="not to be saved")
    state = page["view"].get_state()
    assert (state["view"], state["run"], state["twin"]) == ("run", "run", page["view"].twin)
    assert {name for name in state if not name.startswith("_")} <= {
        "view",
        "run",
        "twin",
        "tab",
        "layout",
        "tabbable",
        "tooltip",
    }
    assert "not to be saved" not in json.dumps(state, default=str)


def said(**changes: Any) -> dict[str, Any]:
    """What the page says of what the user did."""
    return {"kind": "view", "selected": [], "filter": "", "paused": False, "run": ""} | changes


def test_line_is_opened_when_the_view_is_displayed(page: Page) -> None:
    """A view that is made opens no line and stores no code in the notebook; displayed it does, once."""
    page.run("view = watch('run')")
    assert page["view"].comm is None
    page.run("view")
    line = page["view"].comm
    assert line is not None
    page.run("view")
    assert page["view"].comm is line


def test_view_sits_in_a_box(page: Page) -> None:
    """In a box of ipywidgets a view is on the page, goes on without another reference, and is sent its rows."""
    say(3)
    page.run("from ipywidgets import HBox, Tab\nbox = HBox([watch('run'), Tab([watch()])])")
    assert page.outputs == []
    several, one = cast("Any", view_module._on_page)
    assert page["box"].get_state()["children"][0] == f"IPY_MODEL_{one.model_id}"
    assert one.comm is not None
    gc.collect()
    say()
    assert (one.total, several.total) == (4, 4)
    assert page.run("1") == []
    page.run("one = box.children[0]\none.freeze()\none")
    assert "4 events" in static_of(page.outputs[-1])


@pytest.mark.parametrize("seen", [False, True])
def test_line_to_a_page_is_closed_later(page: Page, monkeypatch: pytest.MonkeyPatch, *, seen: bool) -> None:
    """Closed, a view is over at once, and its line when a page had its time to make it, and said its last."""
    monkeypatch.setattr(view_module, "PAGE_MAKES", 1000.0)
    page.run("view = watch('run')\ndisplay(view)")
    view, line = page["view"], page["view"].comm
    if seen:
        view._sink.hear({"kind": "hello", "last_seq": 0})
        assert the_pump().flush(GRACE_S)
    view.close()
    view.close()
    assert view.comm is line is not None
    assert HBox([view]).get_state()["children"] != [f"IPY_MODEL_{line.comm_id}"]
    assert readers() == 0
    (parting,) = the_pump()._pairs
    clock = time.monotonic
    monkeypatch.setattr("locus_nb._views.late.time", SimpleNamespace(monotonic=lambda: clock() + 1000))
    the_pump().wake()
    assert the_pump().flush(GRACE_S)
    assert parting not in the_pump()._pairs
    assert view.comm is None


def test_closed_view_that_was_on_no_page_is_refused_by_a_box() -> None:
    """A box cannot show a view that is over; the error says what to do instead."""
    with watch("run") as view:
        pass
    with pytest.raises(ValueError, match="display it by itself"):
        HBox([view])


def test_page_s_messages_are_handled_at_once(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a kernel would hand a page's message to the shell that last published, the view has it not do so."""

    class Line(DummyComm):
        _reply_subshell_for: Any = None

    monkeypatch.setattr("comm.create_comm", Line)
    page.run("view = watch('run')\nview")
    line: Any = page["view"].comm
    assert isinstance(line, Line)
    assert line._reply_subshell_for({"any": "data"}, "the default") == "the default"


def test_host_that_renders_objects_gets_widget_and_picture() -> None:
    """Where nothing of IPython displays, the bundle holds the widget and the picture, one of which is shown."""
    with watch("run") as view:
        say()
        data, _ = view._repr_mimebundle_()
        assert data[WIDGET]["model_id"] == view.model_id
        assert "locus-static" in data["text/html"]
        assert "1 event" in data["text/plain"]
    assert set(view._repr_mimebundle_()[0]) == {"text/html", "text/plain"}


def test_selected_rows_are_a_frame() -> None:
    """What is selected in the page is the frame of exactly these events, as far as their rows are still here."""
    with watch("run") as view:
        assert list(view.selected_df.columns) == list(events_df([]).columns)
        say(5)
        seqs = [row.seq for row in view._sink.store.newest(5)]
        view._hear(said(selected=[seqs[3], 10**9, seqs[1]]))
        assert view.selected_df["seq"].tolist() == [seqs[1], seqs[3]]
    assert view.selected_df["seq"].tolist() == [seqs[1], seqs[3]]


@pytest.mark.parametrize("run", ["run", None])
def test_selected_event_that_the_view_let_go_comes_from_history(run: str | None) -> None:
    """An event too large to be kept is in the frame all the same while the bus's history holds it."""
    with watch(run) as view:
        say(3)
        assert the_pump().flush(GRACE_S)
        seqs = [row.seq for row in view._sink.store.newest(3)]
        view._sink.store._events.popleft()
        view._hear(said(selected=[seqs[2], seqs[0]]))
        assert view.selected_df["seq"].tolist() == [seqs[0], seqs[2]]


def test_huge_run_id_is_short_wherever_a_view_says_it() -> None:
    """A run's id of a megabyte is cut on the wire, in titles and in the repr; the run is the same."""
    run_id = "r" * 1_000_000
    with watch(run_id) as view:
        with run_context(run_id):
            emit_sync("agent.think")
        assert the_pump().flush(GRACE_S)
        assert view.run_id == run_id
        assert view.run == view._sink.store.newest(1)[0].run_id == view._sink.tallies.newest()[0].run_id
        assert len(view.run) == 200
        assert len(repr(view)) < 300
        (reader,) = get_event_bus().readers()
        assert reader.label == f'watch("{view.run}")'


def test_views_are_named_among_the_readers() -> None:
    """Who looks at a bus's readers sees which of them are views, and of what."""
    with watch(), watch("run-\u00e9"):
        assert [reader.label for reader in get_event_bus().readers()] == ["watch()", 'watch("run-\u00e9")']


def test_python_knows_and_asks_for_filter_and_pause() -> None:
    """The filter and the pause are what the page said, or Python asked for, last; asking reaches the page."""
    with watch("run") as view:
        sent: list[Any] = []
        view._sink._send = lambda content, _: sent.append(content["wishes"])
        view._hear({"kind": "hello", "last_seq": 0})
        view._hear(said(filter="tool:a"))
        assert (view.filter, view.paused) == ("tool:a", False)
        view.pause()
        view.filter = "status:error"
        assert (view.filter, view.paused) == ("status:error", True)
        assert the_pump().flush(GRACE_S)
        assert sent[-1] == [
            {"n": 1, "filter": None, "paused": True},
            {"n": 2, "filter": "status:error", "paused": None},
        ]
        view.resume()
        assert not view.paused
        say(2)
        assert view.total == 2
        view._hear(said(filter="typed before", paused=True, wish=1))
        assert (view.filter, view.paused) == ("status:error", False)
        assert [wish.n for wish in view._sink.wishes] == [2, 3]
        view._hear(said(filter="typed after", paused=True, wish=2))
        assert (view.filter, view.paused) == ("typed after", False)
        assert [wish.n for wish in view._sink.wishes] == [3]
        view._hear(said(filter="typed", paused=True, wish=3))
        assert (view.filter, view.paused) == ("typed", True)
        assert view._sink.wishes == ()
        view._hear(said())
        assert (view.filter, view.paused) == ("", False)


def test_what_python_asked_for_holds_for_a_page_that_is_loaded_anew() -> None:
    """A filter and a pause that were asked for are asked of later pages too, but not what the user has undone."""
    with watch("run") as view:
        view._hear({"kind": "hello", "last_seq": 0})
        view.filter = "tool:a"
        view.pause()
        view._hear(said(filter="tool:a", paused=True, wish=2))
        view._hear(said())
        assert (view.filter, view.paused) == ("tool:a", True)
        assert [wish.n for wish in view._sink.wishes] == [1, 2]
        view._hear(said(filter="tool:a", paused=True, wish=2))
        view._hear(said(filter="", paused=True, wish=2))
        view._hear(said())
        assert (view.filter, view.paused) == ("", True)


@pytest.mark.parametrize("odd, error", [(None, TypeError), (5, TypeError), ("x" * 10_001, ValueError)])
def test_filter_that_is_none_is_refused(odd: Any, error: type[Exception]) -> None:
    """A filter is a text of bounded length; anything else is an error, and asks for nothing."""
    with watch("run") as view:
        with pytest.raises(error, match="filter"):
            view.filter = odd
        assert (view.filter, view._sink.wishes) == ("", ())


def test_selection_is_told_to_those_who_asked(caplog: pytest.LogCaptureFixture) -> None:
    """A callback is called when the selection changes, until it is ended; one that raises is logged once."""
    with watch("run") as view:
        told: list[object] = []

        def fail(_view: object) -> None:
            raise RuntimeError("no good")

        view.on_selection(fail)
        end = view.on_selection(told.append)
        view._hear(said(selected=[1]))
        view._hear(said(selected=[1], filter="other"))
        view._hear(said(selected=[2, "odd"]))
        view._hear(said())
        assert told == [view, view]
        end()
        end()
        view._hear(said(selected=[3]))
        assert len(told) == 2
        assert [record.message for record in caplog.records] == [
            "locus_nb called a view's on_selection callback, which failed"
        ]


def test_message_of_the_page_reaches_the_view(page: Page) -> None:
    """What comes over the line is heard, whatever thread the kernel handles it in."""
    page.run("view = watch('run')\nview")
    message = {"content": {"data": {"method": "custom", "content": said(filter="heard")}}, "buffers": []}
    in_threads(lambda: page["view"]._handle_msg(message))
    assert page["view"].filter == "heard"


def test_runs_that_were_there_before_have_names() -> None:
    """A view of all runs knows the names and ends of runs that were opened before it began."""
    bus = EventBus()
    bus.open_stream_nowait("run", name="first try")
    put(bus, [1])
    bus.close_stream_nowait("run")
    with watch(bus=bus) as view:
        assert the_pump().flush(GRACE_S)
        (tally,) = view._sink.tallies.newest()
        assert (tally.name, tally.status, tally.events) == ("first try", "ok", 1)


def test_works_without_a_notebook() -> None:
    """In a script a view counts and can be printed; it is no cell's, so nothing replaces it."""
    with watch("run") as one, watch("run") as two:
        say(3)
        assert one.total == two.total == 3
        assert str(one) == "<RunView of run 'run': live, 3 events, 0 missing>"
        assert "3 events" in one._repr_mimebundle_()[0]["text/plain"]
    with watch() as all_runs:
        assert str(all_runs).startswith("<RunsView of all runs: live")
    assert not view_module._made


def test_views_may_be_made_and_closed_in_threads(page: Page) -> None:
    """Threads may make, refresh and close views while others publish; none hangs and no reader stays."""
    page.run("1")
    over = threading.Event()

    def visit() -> None:
        try:
            for _ in range(5):
                with watch("run") as view:
                    view._ipython_display_()
                    say(2)
                    view.refresh()
                    assert view.total >= 2
        finally:
            over.set()

    def publish() -> None:
        while not over.is_set():
            with run_context("run"):
                emit_sync("test.event")

    in_threads(visit, visit, publish)
    assert readers() == 0


def test_end_of_a_cell_does_not_wait_for_a_run_that_goes_on(page: Page) -> None:
    """A background run that never pauses does not hold up the cells: each ends, and shows what is new."""
    page.run("watch('run')")
    over = threading.Event()

    def publish() -> None:
        while not over.is_set():
            with run_context("run"):
                emit_sync("test.event")

    def cells() -> int:
        try:
            return sum(len(page.run("1")) for _ in range(3))
        finally:
            over.set()

    assert in_threads(publish, cells)[1] == 3


CELLS = [
    """
from IPython.display import display
from locus_nb import Agent, emit_sync, get_event_bus, run_context, tool, watch

@tool
def weather(city: str) -> str:
    "The weather in a city."
    return f"Sunny in {city}"

display(watch("run-1"))
with run_context("run-1"):
    Agent("mock", tools=[weather]).run_sync("What is the weather in Paris?")
""",
    "get_event_bus().close_stream_nowait('run-1')",
    f"""
view = watch()
with run_context("run-2"):
    emit_sync("agent.think", reasoning_preview={HOSTILE!r}, api_key="hush-hush")
view
""",
    "import asyncio\nwith run_context('run-2'):\n    emit_sync('test.awaited')\n    await asyncio.sleep(0)",
    "assert view.total == 13 and view.missing == 0",
]


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> nbformat.NotebookNode:
    """A notebook that nbclient has executed: a run watched in its cell, and a view of all runs."""
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell.strip()) for cell in CELLS])
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(locus_nb.__file__).parents[1]),
        "IPYTHONDIR": str(tmp_path_factory.mktemp("ipython")),
    }
    NotebookClient(made, timeout=60).execute(env=environment)
    return made


def tables(executed: nbformat.NotebookNode, cell: int) -> list[str]:
    """The html outputs of a cell."""
    return [output.data["text/html"] for output in executed.cells[cell].outputs if "text/html" in output.data]


def test_executed_notebook_keeps_a_picture(executed: nbformat.NotebookNode) -> None:
    """Where no page is, nbclient's notebook holds one table per view, with the whole run, ended."""
    (table,) = tables(executed, 0)
    assert "ended · ok · " in table
    assert "2 model calls · 1 tool call" in table
    assert "· 11 events" in table
    assert table.count("<tr ") == 6
    for event_type in ("agent.model.completed", "agent.tool.completed", "agent.terminate"):
        assert f"<td>{event_type}</td>" in table
    outputs = executed.cells[0].outputs
    assert [WIDGET in output.data for output in outputs] == [True, False]
    assert outputs[0].data["text/plain"] == "<RunView of run 'run-1'>"


def test_executed_notebook_keeps_what_later_cells_did(executed: nbformat.NotebookNode) -> None:
    """Events of later cells, sync or awaited, get into the table of the cell that shows the view."""
    (table,) = tables(executed, 2)
    assert "test.awaited" in table
    assert "13 events" in table
    assert [len(executed.cells[cell].outputs) for cell in (1, 3, 4)] == [0, 0, 0]


def test_executed_notebook_holds_no_secret_no_markup_and_no_rows_in_its_state(
    executed: nbformat.NotebookNode,
) -> None:
    """What was emitted stands escaped in the table, its secrets nowhere, and rows are no widget state."""
    text = nbformat.writes(executed).replace(CELLS[2].strip(), "")
    assert "hush-hush" not in "".join(tables(executed, 2))
    assert "<img" not in "".join(tables(executed, 2))
    states = executed.metadata["widgets"]["application/vnd.jupyter.widget-state+json"]["state"]
    runs = sorted(model["state"].get("run", "-") for model in states.values() if "twin" in model["state"])
    assert runs == ["", "run-1"]
    assert "Sunny in Paris" not in json.dumps(states)
    code = sum(file.stat().st_size for file in (Path(locus_nb.__file__).parent / "static").iterdir())
    assert len(text) < 2 * code + 50_000


def test_converted_notebook_shows_the_table_without_a_network(
    executed: nbformat.NotebookNode, tmp_path: Path, chromium: Chromium
) -> None:
    """`nbconvert --to html` of it shows both tables to a browser that reaches no network."""
    html, _ = HTMLExporter().from_notebook_node(executed)
    file = tmp_path / "notebook.html"
    file.write_text(html)
    tab = chromium.tab(file.as_uri(), offline=True)
    tab.wait("() => document.querySelectorAll('.locus-static tbody tr').length === 16")
    seen = tab.evaluate(
        "() => [...document.querySelectorAll('.locus-static')].map((table) => table.checkVisibility())"
    )
    assert seen == [True, True]
    assert tab.evaluate("() => document.querySelectorAll('.locus-static img').length") == 0
    tab.close()


def test_view_names_the_tab_it_opens_on() -> None:
    """`watch(tab=...)` tells the page which tab to open first, by default the table; another name is refused."""
    for view, tab in [
        (watch("run"), "table"),
        (watch("run", tab="tree"), "tree"),
        (watch(tab="timeline"), "timeline"),
    ]:
        assert view.get_state()["tab"] == tab
        view.close()
    with pytest.raises(ValueError, match="open one of table, timeline, tree"):
        watch("run", tab="chart")
