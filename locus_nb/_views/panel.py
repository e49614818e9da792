"""The questions that a view shows, and the answers that its page sends."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from locus_nb._ask.questions import QUESTIONS
from locus_nb._payloads.redact import redact_text
from locus_nb._views.page import page_answer, page_shows
from locus_nb._views.pump import the_pump
from locus_nb._views.rows import text_of
from locus_nb._wire import jsonable

if TYPE_CHECKING:
    from collections.abc import Callable

    from locus_nb._ask.inquiry import Inquiry
    from locus_nb._bus import EventBus
    from locus_nb._views.page import Answered

_LONGEST_TEXT = 10_000
_LONGEST_OPTION = 200


class Panel:
    """Where one view shows questions: those of its run, while it is on a page.

    Args:
        bus: The view's.
        run_id: The run that it shows; None for all.
        is_on_page: Whether the view is put on a page, and goes on.
        was_seen: Whether a page has shown it.
    """

    def __init__(
        self,
        bus: EventBus,
        run_id: str | None,
        *,
        is_on_page: Callable[[], bool],
        was_seen: Callable[[], bool],
    ) -> None:
        self._bus = bus
        self._run_id = run_id
        self._is_on_page = is_on_page
        self._was_seen = was_seen
        self._written: dict[str, dict[str, Any]] = {}
        QUESTIONS.add_panel(self)

    @property
    def was_seen(self) -> bool:
        """Whether a page has shown it."""
        return self._was_seen()

    def shows(self, inquiry: Inquiry) -> bool:
        """Whether it is put on a page, and the question is asked in what it shows."""
        return inquiry.bus is self._bus and self._run_id in (None, inquiry.run_id) and self._is_on_page()

    def hear_of_questions(self) -> None:
        """Have the page told of the questions that are open now."""
        the_pump().wake()

    def told(self) -> list[dict[str, Any]]:
        """What the page is told of the open questions, secrets taken out."""
        inquiries = QUESTIONS.on(self)
        before, self._written = self._written, {}
        for inquiry in inquiries:
            self._written[inquiry.id] = before.get(inquiry.id) or _written(inquiry)
        return [
            self._written[inquiry.id] | {"keyboard": inquiry.at_keyboard, "heard": inquiry.shown}
            for inquiry in inquiries
        ]

    def hear(self, content: object) -> bool:
        """Take a message of the page's; True if the page is to be told anew how things stand.

        What comes too late, or is no answer to the question, has no effect.
        """
        for inquiry_id in page_shows(content):
            inquiry = self._open(inquiry_id)
            if inquiry is not None:
                inquiry.note_shown()
                if inquiry.at_keyboard:
                    QUESTIONS.tell_panels()
        answered = page_answer(content)
        if answered is None:
            return False
        inquiry = self._open(answered.question)
        return inquiry is None or not _settle(inquiry, answered)

    def _open(self, inquiry_id: str) -> Inquiry | None:
        inquiry = QUESTIONS.get(inquiry_id)
        return inquiry if inquiry is not None and self.shows(inquiry) else None


def _settle(inquiry: Inquiry, answered: Answered) -> bool:
    """Answer a question as the page says; False if that is no answer, or comes too late."""
    if answered.option is not None and answered.option >= len(inquiry.options):
        return False
    text = answered.text if answered.option is None else inquiry.options[answered.option]
    try:
        return inquiry.settle(text or "", "view")
    except ValueError:
        return False


def _written(inquiry: Inquiry) -> dict[str, Any]:
    options, default = inquiry.options, inquiry.default
    labels = _told_apart([_shown(option, _LONGEST_OPTION) for option in options])
    if default in options:
        default = labels[options.index(default)]
    return {
        "id": inquiry.id,
        "run": text_of(inquiry.run_id or ""),
        "text": _shown(inquiry.text, _LONGEST_TEXT),
        "options": labels,
        "default": None if default is None else _shown(default, _LONGEST_OPTION),
        "free": not inquiry.strict,
        "ends": inquiry.ends_at * 1_000,
    }


def _shown(text: str, longest: int) -> str:
    plain = redact_text(jsonable(text))
    return plain if len(plain) <= longest else f"{plain[: longest - 1]}…"


def _told_apart(labels: list[str]) -> list[str]:
    """Number those that read alike, as two secrets do."""
    counts = Counter(labels)
    numbers: Counter[str] = Counter()
    apart: list[str] = []
    for label in labels:
        numbers[label] += 1
        apart.append(f"{label} ({numbers[label]})" if counts[label] > 1 else label)
    return apart
