"""The questions that are open in this process, and who may answer them."""

from __future__ import annotations

import logging
import threading
import weakref
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from locus_nb._ask.patience import Patience

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from locus_nb._ask.question import Question

_log = logging.getLogger(__name__)
# Without a handler of its own a logger's errors are printed, into whichever cell runs now.
_log.addHandler(logging.NullHandler())


class Panel(Protocol):
    """Where questions are shown, and may be answered. Its methods are called in any thread, and must not wait."""

    @property
    def was_seen(self) -> bool:
        """Whether a page has shown it."""
        ...

    def shows(self, question: Question) -> bool:
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
        self._open: dict[str, Question] = {}
        self._panels: weakref.WeakSet[Panel] = weakref.WeakSet()
        self.patience = Patience()
        self._listeners: dict[object, Callable[[Question], object]] = {}

    @contextmanager
    def asking(self, question: Question) -> Generator[None]:
        """Tell the bus of it, and have it open meanwhile, unless it is over earlier."""
        try:
            question.tell()
            with self._lock:
                self._open[question.id] = question
            question.when_over(lambda: self._remove(question))
            self.tell_panels()
            yield
        finally:
            question.withdraw("it was broken off")

    def _remove(self, question: Question) -> None:
        with self._lock:
            self._open.pop(question.id, None)
        self.tell_panels()

    def get(self, question_id: str) -> Question | None:
        """Give the open question of that id."""
        return self._open.get(question_id)

    def on(self, panel: Panel) -> tuple[Question, ...]:
        """Give the open questions that a panel shows, the oldest first."""
        if not self._open:
            return ()
        with self._lock:
            questions = tuple(self._open.values())
        return tuple(question for question in questions if panel.shows(question))

    def add_panel(self, panel: Panel) -> None:
        """Have a panel hear of questions for as long as it lives."""
        with self._lock:
            self._panels.add(panel)

    def panels_of(self, question: Question) -> list[Panel]:
        """Give the panels that show it."""
        with self._lock:
            panels = list(self._panels)
        return [panel for panel in panels if panel.shows(question)]

    def tell_panels(self) -> None:
        """Tell all panels that others are open now."""
        with self._lock:
            panels = list(self._panels)
        for panel in panels:
            panel.hear_of_questions()

    def listen(self, callback: Callable[[Question], object]) -> Callable[[], None]:
        """Have `callback` called with each question from now on; gives what ends that."""
        key = object()
        with self._lock:
            self._listeners[key] = callback

        def end() -> None:
            with self._lock:
                self._listeners.pop(key, None)

        return end

    def tell_listeners(self, question: Question) -> bool:
        """Have the listeners called; False without any."""
        with self._lock:
            listeners = list(self._listeners.values())
        for callback in listeners:
            try:
                callback(question)
            except Exception:  # noqa: BLE001 - an edge: user code, which must not stop the one who asks
                _log.exception("locus_nb called an on_question callback, which failed")
        return bool(listeners)


QUESTIONS = Questions()


def on_question(callback: Callable[[Question], object]) -> Callable[[], None]:
    """Have code answer what `ask_user` asks: `callback(question)` is called for each question from now on.

    It is called in the thread that asks, and must not wait; it may call `question.answer(text)`, or keep the
    question and have another thread do so. While there is such a callback a question waits for its whole time,
    and nobody is asked by `input()`. What the callback raises is logged.

    Returns:
        What ends that.

    Example:
        >>> from locus_nb import ask_user, on_question
        >>> end = on_question(lambda question: question.answer(question.options[0]))
        >>> ask_user("Which one?", ["this", "that"])
        'this'
        >>> end()
    """
    return QUESTIONS.listen(callback)
