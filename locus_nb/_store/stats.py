"""What became of the events of a store, in numbers."""

from __future__ import annotations

from typing import NamedTuple


class StoreStats(NamedTuple):
    """What became of the events that a store was to keep; those that are live only are not counted.

    Attributes:
        written: Committed.
        pending: Not yet written; those that are live only are counted as long as the writer has not looked at them.
        dropped: Never taken, because the writer was too slow or could not write for too long.
        lost: Given up: they could not be written until the store was closed, or never could.
        failed: Tries to write that failed, each of them counted.
        last_error: What the last of these said; None if none failed.
    """

    written: int
    pending: int
    dropped: int
    lost: int
    failed: int
    last_error: str | None
