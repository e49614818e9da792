"""A question as code sees it that may answer it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from locus_nb._payloads.format import clean
from locus_nb._payloads.redact import redact_text
from locus_nb._wire import MAX_PREVIEW

if TYPE_CHECKING:
    from locus_nb._ask.inquiry import Inquiry


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

    def __init__(self, inquiry: Inquiry) -> None:
        self._inquiry = inquiry
        self.id = inquiry.id
        self.run_id = inquiry.run_id
        self.text = inquiry.text
        self.options = inquiry.options
        self.default = inquiry.default
        self.strict = inquiry.strict
        self.timeout = inquiry.timeout
        self.ends_at = inquiry.ends_at

    def __repr__(self) -> str:
        return f"<Question {clean(redact_text(self.text), MAX_PREVIEW)!r}>"

    @property
    def is_open(self) -> bool:
        """Whether an answer still counts."""
        return self._inquiry.is_open

    @property
    def seconds_left(self) -> float:
        """Seconds in which an answer still counts; 0 when they are over."""
        return self._inquiry.seconds_left

    def answer(self, text: str) -> bool:
        """Answer it; True if that is the answer, False if the question is over. Does not wait.

        Raises:
            TypeError: The answer is no str.
            ValueError: It is too long, empty, or, where the question is strict, none of its options.
        """
        return self._inquiry.settle(text, "code")
