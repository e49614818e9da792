"""What went wrong while a store was written: counted each time, and told once."""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# Different errors that are reported.
_MOST_TOLD = 20
# What becomes of events, if nothing else is said.
KEPT = "They are kept in memory for now, and counted"
# It has no handler, so what goes wrong is printed: whoever only configures a store has no other way to hear of it.
_log = logging.getLogger(__name__)


class Failures:
    """The failures of one store.

    Args:
        where: Its path.
    """

    def __init__(self, where: Path) -> None:
        self._where = where
        self._told: set[str] = set()
        self.count = 0
        self.last: str | None = None
        # What the next call of the user is told.
        self.unsaid: deque[str] = deque()

    def note(self, error: BaseException, then: str = KEPT) -> None:
        """Count one, and tell it and what becomes of the events, if it is none of those before."""
        self.count += 1
        self.last = f"{type(error).__name__}: {error}"
        if self.last not in self._told and len(self._told) < _MOST_TOLD:
            self._told.add(self.last)
            self.tell(f"{self.last}. {then}")

    def tell(self, problem: str) -> None:
        """Log something, and have it told at the user's next call."""
        _log.warning("locus_nb could not store events in %s: %s", self._where, problem)
        self.unsaid.append(problem)
