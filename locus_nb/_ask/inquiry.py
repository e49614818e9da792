"""One question to the user under way, and how it is answered: once, by whoever is first."""

from __future__ import annotations

import contextvars
import threading
import time
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from uuid import uuid4

from locus_nb import event_types as et
from locus_nb._agent.live_call import current_span_id
from locus_nb._agent.texts import preview
from locus_nb._bus import get_event_bus
from locus_nb._context import current_run_id
from locus_nb._emit import emit_sync
from locus_nb._payloads.format import clean
from locus_nb._payloads.redact import redact_text
from locus_nb._wire import MAX_PREVIEW

if TYPE_CHECKING:
    from collections.abc import Callable

    from locus_nb._bus import EventBus

Way = Literal["view", "input", "code", "default"]
# Why it is over: somebody answered, its time was, nobody could be asked, or nobody needs an answer any more.
End = Literal["answered", "timeout", "nobody", "interrupted"]

MAX_ANSWER = 10_000
_OPTIONS_TOLD = 20
_OPTIONS_NAMED = 5


class Outcome(NamedTuple):
    """How a question ended.

    Attributes:
        answer: None without one.
        way: Where the answer came from; None without one.
        error: Why there is none; None if there is one.
        end: Why it is over.
    """

    answer: str | None
    way: Way | None
    error: str | None
    end: End


class Inquiry:
    """A question that is asked. It is answered once: the first answer counts. Any thread.

    Attributes:
        id: Unique; the `interrupt_id` of its events.
        run_id: The run that asks; None outside of one.
        text: What is asked.
        options: What may be picked; empty if nothing is proposed.
        default: What counts as the answer when nobody answers; None for nothing.
        strict: Whether nothing but one of the options is an answer.
        timeout: Seconds for an answer.
        ends_at: When they are over, in Unix seconds.
        bus: Where its events go.
        outcome: Settled when it is over.
        heard: Settled when a page shows it, or it is over.
        shown: Whether a page shows it, or has.
        at_keyboard: Whether `input()` asks for the answer.
        failure: What code that was to answer failed with; None while none did.
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
        self.outcome: Future[Outcome] = Future()
        self.heard: Future[None] = Future()
        self.shown = self.at_keyboard = False
        self.failure: str | None = None
        # Whether the bus was told that it is asked, and how it ended. Reentrant, because garbage collection may end a
        # coroutine that asks in the midst of anything.
        self._told: Literal["no", "now", "yes"] = "no"
        self._ended: Outcome | None = None
        self._lock = threading.RLock()
        self._context = contextvars.copy_context()
        self._tool_span = current_span_id()
        self._began = time.perf_counter()
        self._deadline = time.monotonic() + timeout

    @property
    def is_open(self) -> bool:
        """Whether an answer still counts."""
        return self._ended is None

    @property
    def seconds_left(self) -> float:
        """Seconds in which an answer still counts; 0 when they are over."""
        return max(0.0, self._deadline - time.monotonic())

    def settle(self, text: str, way: Way) -> bool:
        """Answer it; True if that is the answer, False if it is over.

        Raises:
            TypeError: The answer is no str.
            ValueError: It is too long, empty, or, where the question is strict, none of its options.
        """
        return self._end(Outcome(self._checked(text), way, None, "answered"))

    def note_shown(self) -> None:
        """Hear that a page shows it."""
        self.shown = True
        self._settle_heard()

    def _settle_heard(self) -> None:
        with suppress(InvalidStateError):
            self.heard.set_result(None)

    def fall_back(self, end: End, reason: str) -> None:
        """End it without an answer: by the default, or else for that reason."""
        if self.default is not None:
            self._end(Outcome(self.default, "default", None, end))
        else:
            failed = "" if self.failure is None else f"; a callback of on_question failed: {self.failure}"
            self._end(Outcome(None, None, reason + failed, end))

    def withdraw(self) -> None:
        """End it; nobody needs an answer any more."""
        self._end(Outcome(None, None, "interrupted", "interrupted"))

    def when_over(self, callback: Callable[[], None]) -> None:
        """Have `callback` called once it is over, in the thread that ends it, or now if it is."""
        self.outcome.add_done_callback(lambda _: callback())

    def tell(self) -> bool:
        """Tell the bus that it is asked, and say so; nothing, and False, if it is over already."""
        with self._lock:
            if self._ended is not None:
                return False
            self._told = "now"
        try:
            self._emit(
                et.AGENT_INTERRUPT,
                options=[preview(option) for option in self.options[:_OPTIONS_TOLD]] or None,
                default=None if self.default is None else preview(self.default),
                timeout_s=self.timeout,
                parent_span_id=self._tool_span,
            )
        finally:
            with self._lock:
                self._told, ended = "yes", self._ended
            if ended is not None:
                self._tell_end(ended)
        return True

    def _emit(self, event_type: str, **data: Any) -> None:
        # In a copy: two threads cannot enter one context.
        self._context.copy().run(
            emit_sync,
            event_type,
            interrupt_id=self.id,
            question_preview=preview(self.text),
            span_id=self.id,
            **data,
        )

    def _checked(self, text: object) -> str:
        if not isinstance(text, str):
            raise TypeError(f"The answer to a question is a str, not {type(text).__name__}")
        if text == self.default or text in self.options:
            return text
        if len(text) > MAX_ANSWER:
            raise ValueError(f"An answer has at most {MAX_ANSWER:,} characters, not {len(text):,}: say less")
        given = text.strip()
        if not given:
            raise ValueError("The answer is empty: say something")
        if given in self.options:
            return given
        alike = [option for option in self.options if option.strip().casefold() == given.casefold()]
        if len(alike) == 1:
            return alike[0]
        if self.strict:
            raise ValueError(f"{_shown(given)!r} is none of the options: {self._options_named()}")
        return text

    def _options_named(self) -> str:
        named = ", ".join(map(_shown, self.options[:_OPTIONS_NAMED]))
        more = len(self.options) - _OPTIONS_NAMED
        return f"{named}, and {more} more" if more > 0 else named

    def _end(self, outcome: Outcome) -> bool:
        with self._lock:
            if self._ended is not None:
                return False
            self._ended, told = outcome, self._told
        if told == "yes":
            self._tell_end(outcome)
        elif told == "no":
            self._come_back(outcome)
        # Else who tells that it is asked goes on with its end, which comes after that.
        return True

    def _tell_end(self, outcome: Outcome) -> None:
        try:
            # Before whoever asked goes on: what comes of the answer is told after it.
            self._emit(
                et.AGENT_INTERRUPT_COMPLETED,
                answer_preview=preview(outcome.answer or ""),
                answered_by=outcome.way,
                stop_reason=outcome.end,
                success=outcome.error is None,
                duration_ms=round((time.perf_counter() - self._began) * 1000, 3),
                error=outcome.error,
            )
        finally:
            self._come_back(outcome)

    def _come_back(self, outcome: Outcome) -> None:
        self._settle_heard()
        self.outcome.set_result(outcome)


def _shown(text: str) -> str:
    # An error may end in a notebook that is saved.
    return clean(redact_text(text), MAX_PREVIEW)
