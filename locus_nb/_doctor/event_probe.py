"""An event sent all the way that events go, on a bus of its own."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from locus_nb._bus import EventBus
from locus_nb._doctor.finding import Finding
from locus_nb._event import StreamEvent
from locus_nb._payloads.format import duration
from locus_nb._views.pump import the_pump
from locus_nb._views.row_sink import RowSink

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from locus_nb._subscription import Batch

RUN = "locus_nb doctor"
EVENT = "doctor.probe"
TIMEOUT = 2.0


class _TimedSink(RowSink):
    """The sink of a view whose page is this module: notes when the event was taken, and when it was told."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.taken_at: float | None = None
        self.told_at: float | None = None
        self.told = threading.Event()
        self._now = clock
        super().__init__(self._note, run_id=RUN)

    def put(self, batch: Batch) -> None:
        super().put(batch)
        if batch.events and self.taken_at is None:
            self.taken_at = self._now()

    def _note(self, content: dict[str, Any], _buffers: list[bytes]) -> None:
        if content["total"] and self.told_at is None:
            self.told_at = self._now()
            self.told.set()


def probe_bus() -> EventBus:
    """Make a bus that holds one event of one run."""
    bus = EventBus()
    bus.publish_nowait(StreamEvent(RUN, EVENT, {}))
    return bus


def event_findings(
    *, timeout: float = TIMEOUT, clock: Callable[[], float] = time.perf_counter
) -> Iterator[Finding]:
    """Publish an event and say how long it took through bus, pump and sink; waits for it that many seconds.

    Bus and sink are its own, and gone afterwards; the pump is the process's.
    """
    bus, sink = EventBus(), _TimedSink(clock)
    subscription = bus.subscribe(RUN, follow=True, label="doctor()")
    the_pump().attach(subscription, sink)
    try:
        begun = clock()
        bus.publish_nowait(StreamEvent(RUN, EVENT, {}))
        published = clock()
        sink.told.wait(timeout)
    finally:
        the_pump().detach(sink)
    if sink.told_at is None or sink.taken_at is None:
        where = (
            "the pump's thread did not take it" if sink.taken_at is None else "its sink made no message of it"
        )
        said = f"published, but {where} within {timeout:g} s"
        cure = "restart the kernel; if it comes again, report this, and what logging.basicConfig() prints"
        yield Finding("events", "an event's way", said, "problem", cure)
        return
    stages = {
        "bus": published - begun,
        "pump": sink.taken_at - published,
        "message for the page": sink.told_at - sink.taken_at,
    }
    # It may be taken before publishing it has returned.
    said = ", ".join(f"{name} {duration(max(0.0, took) * 1000)}" for name, took in stages.items())
    yield Finding("events", "an event's way", said)
