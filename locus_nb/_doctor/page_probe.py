"""A view that nobody sees, by which a page is asked whether it is there."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, cast

from locus_nb._doctor.answer import PAGE_DUE, Answer
from locus_nb._doctor.event_probe import RUN, probe_bus
from locus_nb._views.late import keeps_subshell
from locus_nb._views.notebook import NOTEBOOK, NOTHING, show_output, update_output
from locus_nb._views.page import PAGE_MAKES
from locus_nb._views.pump import the_pump
from locus_nb._views.watch import RunView

if TYPE_CHECKING:
    from collections.abc import Callable

    from locus_nb._subscription import Batch

# Seconds between two tellings while it is waited: JupyterLab lets go of what comes before it has loaded the view.
_AGAIN = 0.1
# Seconds after a first answer that waited for the cell in which one comes beside it, if any does: a page says
# something at most once a second.
_ANOTHER_DUE = 3.0
# Seconds after which it is given up in any case, also while a cell runs on.
_LONGEST = 60.0
_LOOK_EVERY = 0.25


class PageProbe(RunView):
    """The view of a run with one event, which takes no room: its page answers as that of any view.

    It is not among the views on the page, and in the notebook an empty output is what stays of it: one output
    cannot be taken away without the others of its cell.

    Args:
        at_end: Called once, when nothing more is waited for; from any thread.
        clock: Monotonic seconds; for tests.
    """

    def __init__(self, at_end: Callable[[], None], *, clock: Callable[[], float] = time.monotonic) -> None:
        # A page is heard, waited for and given up in three threads, each of which adds to it under the lock.
        self.answer = Answer()
        self._lock = threading.Lock()
        self._at_end = at_end
        self._clock = clock
        self._asked_at = clock()
        self._blocks = False
        self._enough = threading.Event()
        # What waits for the page once the cell does not.
        self._patience: _Patience | None = None
        super().__init__(RUN, probe_bus())
        cast("Any", self).layout.display = "none"

    def ask(self, seconds: float) -> None:
        """Show it, and wait that long for an answer; one that comes later is heard without waiting."""
        # Another thread does not keep the main one from hearing.
        self._blocks = threading.current_thread() is threading.main_thread()
        self._asked_at = self._clock()
        try:
            self._show()
            until = self._asked_at + seconds
            while self._clock() < until and not self._enough.wait(min(_AGAIN, seconds)):
                self.tell_again()
                the_pump().wake()
        except BaseException:
            self.end()
            raise
        finally:
            self._blocks = False
        waited = self._clock() - self._asked_at
        with self._lock:
            self.answer = self.answer._replace(waited=waited)
        if self._enough.is_set():
            self.end()
        else:
            self._patience = _Patience(self, self._clock)
            the_pump().attach(None, self._patience)

    def end(self) -> None:
        """Wait for nothing more, and take it off the page. Idempotent; any thread."""
        with self._lock:
            if self.answer.over:
                return
            self.answer = self.answer._replace(over=True)
        self.stop()
        update_output(self._live_id, NOTHING)
        self._at_end()

    def stop(self) -> None:
        """Wait for nothing more, and say nothing of it, as when its cell runs again. Idempotent; any thread."""
        super().stop()
        patience, self._patience = self._patience, None
        if patience is not None:
            the_pump().detach(patience)

    def tell_again(self) -> None:
        """Have the page told once more, which it acknowledges. Any thread."""
        self._page_sink.expect_page()

    @property
    def waits_since(self) -> float:
        """When it was asked, or first answered, on its clock."""
        return self._asked_at + (self.answer.after_ms or 0.0) / 1000

    def _show(self) -> None:
        data, metadata = self._widget_bundle()
        data = {**data, **NOTHING}
        show_output(data, metadata=metadata, display_id=self._live_id)
        routed = keeps_subshell(self)
        with self._lock:
            self.answer = self.answer._replace(is_routed=routed)

    def _on_open(self) -> None:
        # It is none of the views that users have on a page, of which the oldest may have to go.
        self._made_by_page_at = time.monotonic() + PAGE_MAKES
        self._page_sink.expect_page()
        the_pump().wake()

    def _hear(self, content: object) -> None:
        took = (self._clock() - self._asked_at) * 1000
        beside = threading.current_thread() is not threading.main_thread()
        with self._lock:
            self.answer = self.answer.heard(took, beside=beside, blocked=self._blocks)
        if beside:
            self._enough.set()
        super()._hear(content)


class _Patience:
    """The sink that waits for a page once the cell does not: it ends the probe."""

    def __init__(self, probe: PageProbe, clock: Callable[[], float]) -> None:
        self._probe = probe
        self._clock = clock
        self._begun = self._idle_since = clock()

    @property
    def unread(self) -> int:
        """Nothing: it takes no events."""
        return 0

    def put(self, batch: Batch) -> None:
        """Take nothing: it has no subscription."""

    def tick(self) -> bool:
        """End the probe if all is heard, or it is time; looks again in a quarter of a second."""
        now, answer = self._clock(), self._probe.answer
        if NOTEBOOK.is_busy():
            self._idle_since = now
        heard_all = answer.beside_ms is not None or (
            answer.came and now - max(self._probe.waits_since, self._idle_since) > _ANOTHER_DUE
        )
        too_late = now - self._idle_since > PAGE_DUE or now - self._begun > _LONGEST
        if heard_all or too_late:
            self._probe.end()
        else:
            self._probe.tell_again()
            the_pump().sleep_at_most(_LOOK_EVERY)
        return False

    def fail(self) -> None:
        """Leave it: what it could not say is in the log."""
