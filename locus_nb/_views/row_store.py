"""The newest rows of one view, and the newest of the events they were made of."""

from __future__ import annotations

from collections import deque
from itertools import islice
from sys import getsizeof
from typing import TYPE_CHECKING

from locus_nb._views.head import weight_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from locus_nb._event import StreamEvent
    from locus_nb._views.rows import Row


# Of the newest events as many are kept as weigh this together: characters, as far as that is known. What one
# event weighs besides its payload, and one of whose payload it is not known: so about 250 of those are kept.
_HEAVIEST = 8_000_000
_EVENT = 200
_UNKNOWN = 32_000
# The bytes of the long texts of all rows.
_LONGEST = 32_000_000


class RowStore:
    """The newest rows of one view, `size` at most, ready to be sent, and the newest of their events.

    Both are bounded by what they hold as well: rows by 32 MB of text, events by about 8 million characters; of
    payloads that are too large to be looked at as a whole the newest 250 are kept.

    One thread writes it and reads it; what says so may be asked from any.
    """

    def __init__(self, size: int = 10_000) -> None:
        self._rows: deque[Row] = deque()
        self._events: deque[StreamEvent] = deque()
        self._weights: deque[int] = deque()
        self._size = size
        # What all rows, and all events, come to.
        self._long = self._heavy = 0
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
        self._long += _length(row)
        while len(self._rows) > self._size or self._long > _LONGEST:
            self._long -= _length(self._rows.popleft())
        weight = _weight(event)
        self._events.append(event)
        self._weights.append(weight)
        self._heavy += weight
        while len(self._events) > self._size or self._heavy > _HEAVIEST:
            self._events.popleft()
            self._heavy -= self._weights.popleft()
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
        """The events of these seqs, as far as they are still here, in the bus's order. Any thread."""
        wanted = set(seqs)
        return [event for event in self._events.copy() if event.seq in wanted]


def _length(row: Row) -> int:
    # All else of a row is short.
    return getsizeof(row.detail) + getsizeof(row.preview)


def _weight(event: StreamEvent) -> int:
    try:
        weight = weight_of(event._data)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - as rows read it
    except Exception:  # noqa: BLE001 - an edge: user code in a payload, of which the row tells
        return _UNKNOWN
    return _UNKNOWN if weight is None else _EVENT + weight
