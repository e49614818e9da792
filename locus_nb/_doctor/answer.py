"""What a page has answered to the question whether it is there."""

from __future__ import annotations

from typing import NamedTuple, Self

# Seconds of an idle kernel within which a page that is there has answered, also one that loads much for it.
PAGE_DUE = 10.0


class Answer(NamedTuple):
    """What a page has answered so far.

    Attributes:
        over: Whether nothing more is waited for.
        waited: Seconds that the cell waited for it.
        after_ms: Milliseconds from showing it to the first answer; None without one.
        beside_ms: The same of the first answer that did not wait for the main thread.
        was_blocked: Whether that came while the cell was blocked.
        is_routed: Whether ipykernel was told to leave the page's messages on the page's own shell; None where it
            has no way to be told.
    """

    over: bool = False
    waited: float = 0.0
    after_ms: float | None = None
    beside_ms: float | None = None
    was_blocked: bool = False
    is_routed: bool | None = None

    @property
    def came(self) -> bool:
        """Whether a page has answered."""
        return self.after_ms is not None

    def heard(self, after_ms: float, *, beside: bool, blocked: bool) -> Self:
        """Give the answer with one more message of a page's; of its times only the first are kept.

        Args:
            after_ms: Milliseconds from showing it to this message.
            beside: Whether it did not wait for the main thread.
            blocked: Whether the cell still waited.
        """
        first = self if self.came else self._replace(after_ms=after_ms)
        if beside and first.beside_ms is None:
            return first._replace(beside_ms=after_ms, was_blocked=blocked)
        return first
