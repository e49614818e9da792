from __future__ import annotations

import gc
import sys
import weakref
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from IPython.core.displaypub import CapturingDisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from ipywidgets import HBox
from traitlets.config import Config

from locus_nb import EventBus, get_event_bus, monitor, reset_event_bus
from locus_nb._views import monitor as monitor_module
from locus_nb._views import twin as twin_module
from locus_nb._views import view as view_module
from locus_nb._views.notebook import NOTEBOOK, Notebook
from locus_nb._views.pump import the_pump
from tests.bus_kit import GRACE_S, in_threads, put

if TYPE_CHECKING:
    from collections.abc import Iterator

    from locus_nb import BusMonitor

WIDGET = "application/vnd.jupyter.widget-view+json"
HOSTILE = '<img src=x onerror="alert(1)"></table><script>alert(2)</script>'


class Page:
    """What an in-process shell shows; runs cells in it."""

    def __init__(self, shell: InteractiveShell, publisher: CapturingDisplayPublisher) -> None:
        self.shell = shell
        self.outputs: list[dict[str, Any]] = publisher.outputs

    def run(self, cell: str) -> list[dict[str, Any]]:
        """Run a cell, named by its text; what it showed, raising what it raised."""
        before = len(self.outputs)
        vars(self.shell)["kernel"] = SimpleNamespace(get_parent=lambda: {"metadata": {"cellId": cell}})
        self.shell.run_cell(cell, store_history=True).raise_error()
        return self.outputs[before:]

    def __getitem__(self, name: str) -> Any:
        return self.shell.user_ns[name]


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    """An IPython shell in this process, whose outputs are kept, with the public names imported."""
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    notebook = Notebook(NOTEBOOK._find_shell)
    for module in (monitor_module, twin_module, view_module):
        monkeypatch.setattr(module, "NOTEBOOK", notebook)
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


def hear(view: BusMonitor, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The messages that the monitor sends from now on, when a page has said hello."""
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(view, "send", lambda content, _buffers: sent.append(content))
    view._hear({"kind": "hello", "last_seq": 0})
    assert the_pump().flush(GRACE_S)
    return sent


def text_of(output: dict[str, Any]) -> str:
    """The plain text of an output."""
    return output["data"]["text/plain"]


def test_page_that_says_hello_gets_the_bus(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that says hello is told of the bus on the pump's thread: totals, readers by label, facts."""
    bus = EventBus()
    with bus.subscribe("run", label="mine"), monitor(bus=bus) as view:
        put(bus, range(3))
        sent = hear(view, monkeypatch)
        assert sent[0]["kind"] == "stats"
        assert sent[0]["facts"]["published"] == 3
        assert sent[0]["readers"] == [[1, "mine", "run", 3, 1024, 0, 3, 3, 0, 0]]


def test_reads_no_events_and_adds_no_reader() -> None:
    """A monitor is no reader: it takes no event and none of the bus's places for global readers."""
    bus = EventBus(max_global_subscribers=0)
    with monitor(bus=bus):
        put(bus, range(10))
        assert bus.readers() == ()
        assert bus.stats()["global_subscribers_refused_total"] == 0


def test_nothing_is_sampled_while_no_page_is_there() -> None:
    """A monitor that is on no page takes no samples and lets the pump rest."""
    with monitor(bus=EventBus()) as view:
        assert the_pump().flush(GRACE_S)
        assert len(view._samples.picture.samples) == 1
        assert view.comm is None


def test_is_a_widget_and_a_twin(page: Page) -> None:
    """Displayed, it is the widget and a static picture of the same class beside it."""
    widget, twin = page.run("view = monitor()\nview")
    assert WIDGET in widget["data"]
    assert text_of(widget) == "<BusMonitor>"
    assert page["view"].twin in twin["data"]["text/html"]
    assert page["view"].picture()["text/plain"].startswith("Bus monitor · as of ")
    assert page["view"].view == "monitor"


def test_sits_in_boxes(page: Page) -> None:
    """A monitor in a box of ipywidgets opens its line when the box asks for it."""
    page.run("view = monitor()")
    view = page["view"]
    assert view.comm is None
    box = HBox([view])
    assert box.get_state()["children"] == [f"IPY_MODEL_{view.model_id}"]
    assert view.comm is not None
    view.close()
    box.close()


def test_picture_is_brought_up_to_date_after_each_cell(page: Page) -> None:
    """After a cell in which something happened the picture tells of it; after one without, it stays."""
    page.run("monitor()")
    updates = page.run("emit_sync('a')\nwith run_context('run'):\n    emit_sync('t')")
    assert "1 published" in text_of(updates[-1])
    assert page.run("1 + 1;") == []


def test_freeze_leaves_one_picture(page: Page) -> None:
    """Freezing takes the widget away and leaves one static picture of how things are, once."""
    page.run("view = monitor()\nview")
    put(get_event_bus(), range(5))
    with get_event_bus().subscribe("run", label=HOSTILE):
        picture, gone = page.run("view.freeze()")
    assert WIDGET not in picture["data"]
    assert "5 published" in text_of(picture)
    assert "&lt;img src=x" in picture["data"]["text/html"]
    assert "<script" not in picture["data"]["text/html"]
    assert text_of(gone) == ""
    put(get_event_bus(), range(5))
    assert page.run("view.freeze()\nview.close()") == []
    (again,) = page.run("view")
    assert "5 published" in text_of(again)
    assert page["view"].status == "closed"


def test_leaving_its_with_closes_it() -> None:
    """A monitor is a context manager; closed, it is at rest, and closing it again does nothing."""
    with monitor(bus=EventBus()) as view:
        assert view.status == "live"
        assert view._sink in the_pump()._pairs
    assert view.status == "closed"
    assert view._sink not in the_pump()._pairs
    view.close()


def test_rerun_cell_replaces_its_monitor(page: Page) -> None:
    """A cell that is run again stops the monitor it made before."""
    page.run("view = monitor()\nview")
    first = page["view"]
    page.run("view = monitor()\nview")
    assert first.status == "closed"
    assert page["view"].status == "live"


def test_bus_that_is_reset_is_followed(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reset ends no monitor of the process's bus: it goes on with the new one and says so."""
    page.run("view = monitor()\nview")
    put(get_event_bus(), range(5))
    reset_event_bus()
    put(get_event_bus(), range(2))
    sent = hear(page["view"], monkeypatch)
    assert sent[0]["facts"]["resets"] == 1
    assert sent[0]["facts"]["published"] == 2
    (picture, _) = page.run("view.close()")
    assert "The bus was reset" in text_of(picture)


def test_other_bus_is_not_the_processs(page: Page) -> None:
    """A monitor of a given bus is not touched by a reset of the process's."""
    page.run("bus = EventBus()\nview = monitor(bus=bus)\nview")
    put(page["bus"], range(3))
    reset_event_bus()
    (picture, _) = page.run("view.close()")
    assert "3 published" in text_of(picture)
    assert "reset" not in text_of(picture)


def test_failure_is_said_and_ends_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A monitor whose look at the bus fails is stopped alone, says so, and keeps the figures it had."""
    with monitor(bus=EventBus()) as view, monkeypatch.context() as broken:
        broken.setattr(view._samples, "look", lambda: 1 // 0)
        hear(view, monkeypatch)
        assert view.status == "failed"
        assert "MonitorSink failed" in caplog.text
        assert "0 published" in view._picture("")["text/plain"]


def test_unshown_monitor_ends_with_its_last_reference() -> None:
    """A monitor that was on no page and that nobody holds is collected, and the pump forgets it."""
    made = [monitor(bus=EventBus())]
    gone = weakref.ref(made[0])
    sink = made[0]._sink
    made.clear()
    gc.collect()
    assert gone() is None
    assert the_pump().flush(GRACE_S)
    assert sink not in the_pump()._pairs


def test_may_be_closed_in_any_thread(page: Page) -> None:
    """Closing from several threads at once leaves one picture."""
    page.run("view = monitor()\nview")
    in_threads(*[page["view"].close] * 4)
    assert page["view"].status == "closed"
    assert WIDGET not in page.outputs[-1]["data"]
    assert page["view"]._sink not in the_pump()._pairs


def test_unknown_keyword_is_refused() -> None:
    """A keyword that monitor does not know is refused by name."""
    with pytest.raises(TypeError, match="speed"):
        monitor(speed=2)  # type: ignore[call-arg] # pyright: ignore[reportCallIssue]
