"""What a bus monitor knows of its bus: totals at moments, the readers, what is kept."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from locus_nb._bus import BusStats, EventBus
    from locus_nb._readers import ReaderStats

# A minute at four a second.
MAX_SAMPLES = 240
# Looks that are closer together make no two samples: a rate over next to no time says nothing.
_LEAST_MS = 100.0
# Readers that are told of, the worst first; of the others the monitor tells how many there are.
MAX_READERS = 100


class Sample(NamedTuple):
    """A bus's totals at one moment.

    Attributes:
        at_ms: Unix epoch in milliseconds, by a clock that never goes back.
        published: Events published so far.
        dropped: Events dropped so far, over all readers.
        backlog: Events unread now, over all readers.
    """

    at_ms: float
    published: int
    dropped: int
    backlog: int


class BusPicture(NamedTuple):
    """Everything that a monitor shows, at one moment.

    Attributes:
        samples: The newest 240, oldest first.
        readers: The worst 100: first who dropped most, then whose queue is fullest.
        facts: Counts of the whole bus, and its bounds, by the names of the wire.
    """

    samples: tuple[Sample, ...]
    readers: tuple[ReaderStats, ...]
    facts: dict[str, int]


class Samples:
    """Looks at a bus when it is told to, and keeps the newest samples. Any thread.

    Args:
        find_bus: Gives the bus; another one than before when that was reset, from when totals begin anew.
        clock: Monotonic seconds, and `wall` Unix seconds: asked once; for tests.
    """

    def __init__(
        self,
        find_bus: Callable[[], EventBus],
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._find_bus = find_bus
        self._clock = clock
        self._epoch = wall() - clock()
        # Reentrant, because garbage collection may have a view looked at in the midst of a look.
        self._lock = threading.RLock()
        self._bus: EventBus = find_bus()
        self._resets = 0
        self._kept: deque[Sample] = deque(maxlen=MAX_SAMPLES)
        self.picture = BusPicture((), (), {})
        self.look()

    def look(self) -> BusPicture:
        """Take a sample, unless the last one is less than 0.1 s old; the picture with it."""
        with self._lock:
            bus = self._find_bus()
            is_new = bus is not self._bus
            if is_new:
                self._bus = bus
                self._resets += 1
            stats, readers = bus.stats(), bus.readers()
            backlog = sum(reader.backlog for reader in readers)
            at_ms = round((self._epoch + self._clock()) * 1000, 3)
            if is_new or not self._kept or at_ms - self._kept[-1].at_ms >= _LEAST_MS:
                totals = stats["published_events_total"], stats["dropped_events_total"]
                self._kept.append(Sample(at_ms, *totals, backlog))
            worst = tuple(sorted(readers, key=_need)[:MAX_READERS])
            facts = _facts(bus, stats, readers=len(readers), resets=self._resets)
            self.picture = BusPicture(tuple(self._kept), worst, facts)
            return self.picture


def _need(reader: ReaderStats) -> tuple[int, float, int]:
    return -reader.dropped, -reader.backlog / reader.capacity, reader.number


def _facts(bus: EventBus, stats: BusStats, *, readers: int, resets: int) -> dict[str, int]:
    return {
        "active_runs": stats["active_runs"],
        "history_runs": stats["history_runs"],
        "max_runs": bus.max_runs_retained,
        "history_per_run": bus.history_per_run,
        "published": stats["published_events_total"],
        "dropped": stats["dropped_events_total"],
        "late": stats["late_events_total"],
        "refused": stats["global_subscribers_refused_total"],
        "evicted": stats["evicted_runs_total"],
        "trimmed": stats["trimmed_events_total"],
        "emit_failures": stats["emit_failures_total"],
        "readers": readers,
        "resets": resets,
    }
