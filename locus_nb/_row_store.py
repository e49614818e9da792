"""The newest rows of one view, each with the event it was made of."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from locus_nb._event import StreamEvent
    from locus_nb._rows import Row


class RowStore:
    """The newest rows of one view, `size` at most, ready to be sent, and their events.

    One thread writes it and reads it; what says so may be asked from any.
    """

    def __init__(self, size: int = 10_000) -> None:
        self._rows: deque[Row] = deque(maxlen=size)
        self._events: deque[StreamEvent] = deque(maxlen=size)
        self.total = 0

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def last_seq(self) -> int:
        """The newest row's seq; 0 without rows. Any thread."""
        return self._rows[-1].seq if self._rows else 0

    def add(self, row: Row, event: StreamEvent) -> None:
        """Add a row and its event, in the bus's order."""
        self._rows.append(row)
        self._events.append(event)
        self.total += 1

    def newest(self, count: int) -> list[Row]:
        """The newest `count` rows, oldest first. Any thread."""
        # Copied in one call, because the thread that writes may be another one.
        rows = self._rows.copy()
        return list(islice(rows, max(0, len(rows) - count), None))

    def before_newest(self, count: int) -> int:
        """The seq of the row just before the newest `count`; 0 if there is none."""
        start = len(self._rows) - count
        return self._rows[start - 1].seq if start > 0 else 0

    def after(self, seq: int, count: int) -> list[Row]:
        """The `count` oldest of the rows after `seq`."""
        start = len(self._rows) - self.count_after(seq)
        return list(islice(self._rows, start, start + count))

    def count_after(self, seq: int) -> int:
        """How many rows come after `seq`."""
        count = 0
        for row in reversed(self._rows):
            if row.seq <= seq:
                break
            count += 1
        return count

    def events(self, seqs: Collection[int]) -> list[StreamEvent]:
        """The events of these rows, as far as the rows are still here, in the bus's order. Any thread."""
        wanted = set(seqs)
        return [event for event in self._events.copy() if event.seq in wanted]
