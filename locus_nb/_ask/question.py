"""One question to the user, and how it is answered: once, by whoever is first."""

from __future__ import annotations

import contextvars
import threading
import time
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from typing import TYPE_CHECKING, Literal, NamedTuple
from uuid import uuid4

from locus_nb import event_types as et
from locus_nb._bus import get_event_bus
from locus_nb._context import current_run_id
from locus_nb._emit import emit_sync
from locus_nb._wire import MAX_PREVIEW

if TYPE_CHECKING:
    from collections.abc import Callable

    from locus_nb._bus import EventBus

Way = Literal["view", "input", "code", "default"]

MAX_ANSWER = 10_000
_OPTIONS_TOLD = 20


class Outcome(NamedTuple):
    """How a question ended.

    Attributes:
        answer: None without one.
        way: Where the answer came from; None without one.
        error: Why there is none; None if there is one.
    """

    answer: str | None
    way: Way | None
    error: str | None


class Question:
    """A question that `ask_user` asks; `on_question` gives it to code that answers.

    It is answered once: the first answer counts, wherever it comes from. All of it may be used from any thread.

    Attributes:
        id: Unique; the `interrupt_id` of its events.
        run_id: The run that asks; None outside of one.
        text: What is asked.
        options: What may be picked; empty if nothing is proposed.
        default: What counts as the answer when nobody answers; None for nothing.
        strict: Whether nothing but one of the options is an answer.
        timeout: Seconds for an answer.
        ends_at: When they are over, in Unix seconds.
    """

    def __init__(
        self, text: str, options: tuple[str, ...], *, default: str | None, timeout: float, strict: bool
    ) -> None:
        self.id = uuid4().hex[:16]
        self.run_id = current_run_id()
        self.text = text
        self.options = options
        self.default = default
        self.strict = strict and bool(options)
        self.timeout = timeout
        self.ends_at = time.time() + timeout
        self.bus: EventBus = get_event_bus()
        # Settled when the question is over.
        self.outcome: Future[Outcome] = Future()
        # Settled when a page shows it, or it is over.
        self.heard: Future[None] = Future()
        # Whether a page shows it, or has.
        self.shown = False
        # Whether `input()` asks for the answer.
        self.at_keyboard = False
        self._over = False
        self._lock = threading.Lock()
        self._context = contextvars.copy_context()
        self._began = time.perf_counter()
        self._deadline = time.monotonic() + timeout

    def __repr__(self) -> str:
        return f"<Question {self.text[:MAX_PREVIEW]!r}>"

    @property
    def is_open(self) -> bool:
        """Whether an answer still counts."""
        return not self._over

    @property
    def seconds_left(self) -> float:
        """Seconds in which an answer still counts; 0 when they are over."""
        return max(0.0, self._deadline - time.monotonic())

    def answer(self, text: str) -> bool:
        """Answer it; True if that is the answer, False if the question is over. Does not wait.

        Raises:
            TypeError: The answer is no str.
            ValueError: It is too long, empty, or, where the question is strict, none of its options.
        """
        return self.settle(text, "code")

    def settle(self, text: str, way: Way) -> bool:
        """Do what `answer` does, and say where the answer comes from."""
        return self._end(Outcome(self._checked(text), way, None))

    def note_shown(self) -> None:
        """Hear that a page shows it."""
        self.shown = True
        self._settle_heard()

    def _settle_heard(self) -> None:
        with suppress(InvalidStateError):
            self.heard.set_result(None)

    def fall_back(self, reason: str) -> None:
        """End it without an answer: by the default, or else for that reason."""
        if self.default is not None:
            self._end(Outcome(self.default, "default", None))
        else:
            self._end(Outcome(None, None, reason))

    def withdraw(self, reason: str) -> None:
        """End it for that reason; nobody needs an answer any more."""
        self._end(Outcome(None, None, reason))

    def when_over(self, call: Callable[[], None]) -> None:
        """Have `call` called once it is over, in the thread that ends it, or now if it is."""
        self.outcome.add_done_callback(lambda _: call())

    def tell(self) -> None:
        """Tell the bus that it is asked."""
        self._context.run(
            emit_sync,
            et.AGENT_INTERRUPT,
            interrupt_id=self.id,
            question_preview=self.text[:MAX_PREVIEW],
            options=[option[:MAX_PREVIEW] for option in self.options[:_OPTIONS_TOLD]] or None,
            default=None if self.default is None else self.default[:MAX_PREVIEW],
            timeout_s=self.timeout,
            span_id=self.id,
        )

    def _checked(self, text: object) -> str:
        if not isinstance(text, str):
            raise TypeError(f"The answer to a question is a str, not {type(text).__name__}")
        if len(text) > MAX_ANSWER:
            raise ValueError(f"An answer has at most {MAX_ANSWER:,} characters, not {len(text):,}: say less")
        if text == self.default:
            return text
        given = text.strip()
        if not given:
            raise ValueError("The answer is empty: say something")
        if given in self.options:
            return given
        alike = [option for option in self.options if option.strip().casefold() == given.casefold()]
        if len(alike) == 1:
            return alike[0]
        if self.strict:
            raise ValueError(f"{given[:MAX_PREVIEW]!r} is none of the options: {', '.join(self.options)}")
        return text

    def _end(self, outcome: Outcome) -> bool:
        with self._lock:
            if self._over:
                return False
            self._over = True
        try:
            # Before whoever asked goes on: what comes of the answer is told after it.
            self._context.run(self._tell_end, outcome)
        finally:
            self._settle_heard()
            self.outcome.set_result(outcome)
        return True

    def _tell_end(self, outcome: Outcome) -> None:
        emit_sync(
            et.AGENT_INTERRUPT_COMPLETED,
            interrupt_id=self.id,
            question_preview=self.text[:MAX_PREVIEW],
            answer_preview=(outcome.answer or "")[:MAX_PREVIEW],
            answered_by=outcome.way,
            success=outcome.error is None,
            duration_ms=round((time.perf_counter() - self._began) * 1000, 3),
            error=outcome.error,
            span_id=self.id,
        )
