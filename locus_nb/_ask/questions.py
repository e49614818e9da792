"""The questions that are open in this process, and where they are shown."""

from __future__ import annotations

import os
import threading
import weakref
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from locus_nb._ask.patience import Patience

if TYPE_CHECKING:
    from collections.abc import Generator

    from locus_nb._ask.inquiry import Inquiry


class Panel(Protocol):
    """Where questions are shown, and may be answered. Its methods are called in any thread, and must not wait."""

    @property
    def was_seen(self) -> bool:
        """Whether a page has shown it."""
        ...

    def shows(self, inquiry: Inquiry) -> bool:
        """Whether it is put on a page, and the question belongs there."""
        ...

    def hear_of_questions(self) -> None:
        """Hear that others are open now."""
        ...


class Questions:
    """The open questions, and what shows them. Any thread.

    Attributes:
        patience: How long to wait for a page to say that it shows a question.
    """

    def __init__(self) -> None:
        # Reentrant, because garbage collection may take a panel away in the midst of anything.
        self._lock = threading.RLock()
        self._open: dict[str, Inquiry] = {}
        self._panels: weakref.WeakSet[Panel] = weakref.WeakSet()
        self.patience = Patience()

    @contextmanager
    def asking(self, inquiry: Inquiry) -> Generator[None]:
        """Tell the bus of it, and have it open meanwhile; afterwards it is over.

        Of what is over before, as in a tool that was left to itself, nobody hears.
        """
        try:
            if inquiry.tell():
                with self._lock:
                    self._open[inquiry.id] = inquiry
                inquiry.when_over(lambda: self._remove(inquiry))
                self.tell_panels()
            yield
        finally:
            inquiry.withdraw()

    def _remove(self, inquiry: Inquiry) -> None:
        with self._lock:
            self._open.pop(inquiry.id, None)
        self.tell_panels()

    def get(self, inquiry_id: str) -> Inquiry | None:
        """Give the open question of that id."""
        return self._open.get(inquiry_id)

    def on(self, panel: Panel) -> tuple[Inquiry, ...]:
        """Give the open questions that a panel shows, the oldest first."""
        if not self._open:
            return ()
        with self._lock:
            inquiries = tuple(self._open.values())
        return tuple(inquiry for inquiry in inquiries if panel.shows(inquiry))

    def add_panel(self, panel: Panel) -> None:
        """Have a panel hear of questions for as long as it lives."""
        with self._lock:
            self._panels.add(panel)

    def panels_of(self, inquiry: Inquiry) -> list[Panel]:
        """Give the panels that show it."""
        with self._lock:
            panels = list(self._panels)
        return [panel for panel in panels if panel.shows(inquiry)]

    def tell_panels(self) -> None:
        """Tell all panels that others are open now."""
        with self._lock:
            panels = list(self._panels)
        for panel in panels:
            panel.hear_of_questions()

    def forget(self) -> None:
        """Begin anew, in a forked child: who asks, and the pages, stayed in the parent."""
        # A thread there perhaps held the lock.
        self._lock = threading.RLock()
        self._open.clear()
        self._panels = weakref.WeakSet()


QUESTIONS = Questions()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=QUESTIONS.forget)
