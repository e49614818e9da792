"""The live view of a bus."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Literal

from locus_nb._bus import get_event_bus
from locus_nb._views.monitor_sink import MonitorSink
from locus_nb._views.notebook import NOTEBOOK
from locus_nb._views.pump import the_pump
from locus_nb._views.samples import Samples
from locus_nb._views.static_monitor import monitor_html, monitor_text
from locus_nb._views.view import View, take_place

if TYPE_CHECKING:
    from locus_nb._bus import EventBus
    from locus_nb._views.samples import BusPicture


def monitor(*, bus: EventBus | None = None) -> BusMonitor:
    """Watch a bus: events per second, what its readers have yet to read and have lost, and what is kept.

    Shows what `bus.stats()` and `bus.readers()` tell, four times a second, also while its cell is blocked. It
    reads no events and adds no reader; without a page that shows it, it costs nothing. Nothing is shown until it
    is displayed, by itself or in a box of `ipywidgets`. A cell that is run again replaces the monitor it made.

    Args:
        bus: The bus to watch. None: the process's own; when that is reset the monitor says so and goes on with
            its successor.

    Example:
        >>> from locus_nb import EventBus, monitor
        >>> with monitor(bus=EventBus()) as view:
        ...     print(view)
        <BusMonitor: live, 0 published, 0 dropped>
    """
    return BusMonitor(bus)


class BusMonitor(View):
    """A bus as a picture that moves; made by `monitor`.

    In a notebook it is two outputs: the widget, and a static picture that the page hides while the widget lives,
    brought up to date after each cell. `freeze` and `close` leave the picture alone. A context manager: leaving it
    closes the view. Its methods may be called from any thread.
    """

    def __init__(self, bus: EventBus | None) -> None:
        place = take_place()
        self._left = False
        self._samples = Samples(get_event_bus if bus is None else lambda: bus)
        self._sink = self._make_sink()
        super().__init__(view="monitor", run="", sink=self._sink, place=place)
        the_pump().attach(None, self._sink)
        self._last_rites = weakref.finalize(self, _let_go, self._sink)
        self._last_rites.atexit = False

    def _make_sink(self) -> MonitorSink:
        send, rest = self._calls()
        return MonitorSink(send, self._samples, is_busy=NOTEBOOK.is_busy, at_rest=rest)

    @property
    def status(self) -> Literal["live", "closed", "failed"]:
        """`live`, `closed`, or `failed`: it raised, and the log says what."""
        if self._sink.failed:
            return "failed"
        return "closed" if self._left else "live"

    def __repr__(self) -> str:
        return "<BusMonitor>"

    def __str__(self) -> str:
        facts = self._samples.picture.facts
        return f"<BusMonitor: {self.status}, {facts['published']} published, {facts['dropped']} dropped>"

    def _leave(self) -> None:
        if self._last_rites.detach() is None:
            return
        the_pump().detach(self._sink)
        if not self._sink.failed:
            self._samples.look()
        self._left = True

    def _rest(self) -> None:
        if self._sink.failed:
            self._leave()
        super()._rest()

    def _look(self) -> BusPicture:
        return self._samples.picture if self._left else self._samples.look()

    def _news(self) -> tuple[object, ...]:
        picture = self._look()
        return self.status, picture.readers, tuple(picture.facts.values())

    def _picture(self, css_class: str) -> dict[str, str]:
        picture = self._look()
        return {
            "text/html": monitor_html(picture, css_class=css_class),
            "text/plain": monitor_text(picture),
        }


def _let_go(sink: MonitorSink) -> None:
    # Garbage collection calls this, anywhere: it takes no lock that is not reentrant.
    the_pump().forget(sink)
