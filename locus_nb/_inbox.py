"""What one reader has yet to read, and the rule for a reader that is slow."""

# The bus's mark on an event, when it arrived, is read here.
# ruff: noqa: SLF001
# pyright: reportPrivateUsage=false

from __future__ import annotations

from collections import deque
from enum import Enum
from itertools import repeat, starmap
from typing import TYPE_CHECKING

from locus_nb._atomic import commit, consume, pour, pour_back, pour_some

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Sequence

    from locus_nb._atomic import Step
    from locus_nb._event import StreamEvent
    from locus_nb._wakeup import Wakeup

# A reader counts as moving for this long after it last took something (seconds).
MOVING = 0.05

# A reader of a nearly full queue is given this part of it at a time. Smaller parts tell more exactly when
# room appeared, larger ones spare it the lock, for which it contends with the publishers.
_SLICES = 32

# A global reader that never asks for batches is not told of runs; it remembers no more than these.
MAX_UNTOLD_RUNS = 10_000


class Fit(Enum):
    """How events fit a reader's queue: with room for more, just so, or not all of them."""

    AMPLE = 0
    TIGHT = 1
    OVER = 2


class EndOfStream(Exception):  # noqa: N818 - a signal between this package's own parts, not an error
    """There is no next event, and there never will be."""


class Inbox:
    """The private half of a subscription: its backlog and its counts. Guarded by the bus's lock.

    The backlog stands in three places, oldest first:

    - `ready`: the reader takes from it without the lock. Only while there is ample room, because
      nobody sees when it does.
    - `held`: the same queue once it is nearly full. It moves to `ready` under the lock; without ample room
      a little at a time, so that the moment at which room appears is known.
    - `overflow`: events that found the queue full, each for `timeout` seconds after its arrival.

    `ready` and `held` together hold at most `size` events, replayed ones not counted.
    """

    __slots__ = (
        "closed",
        "discarded",
        "dropped",
        "dropped_told",
        "follow",
        "held",
        "joined",
        "label",
        "left",
        "loop",
        "margin",
        "missed",
        "moved_at",
        "number",
        "offered",
        "overflow",
        "overflow_size",
        "peak",
        "reader",
        "ready",
        "refused",
        "replayed",
        "run_id",
        "seen",
        "size",
        "stirred_runs",
        "timeout",
        "waiter",
    )

    def __init__(
        self,
        run_id: str | None,
        *,
        size: int,
        overflow: int,
        timeout: float,
        margin: int,
        now: float,
        number: int = 0,
        label: str = "",
    ) -> None:
        self.run_id = run_id
        self.number = number
        self.label = label
        self.size = size
        self.overflow_size = overflow
        self.timeout = timeout
        self.margin = margin
        self.ready: deque[StreamEvent] = deque()
        self.held: deque[StreamEvent] = deque()
        self.overflow: deque[StreamEvent] = deque()
        self.offered = self.dropped = self.dropped_told = self.discarded = 0
        self.replayed = self.missed = self.peak = self.seen = 0
        self.refused = self.closed = self.left = self.follow = self.joined = False
        self.stirred_runs: dict[str, None] = {}
        # Where it was read last, or made: None is a thread without a loop.
        self.loop: asyncio.AbstractEventLoop | None = None
        # What the next news wakes, and what a consumer waits on in a read until it goes on.
        self.waiter: asyncio.Future[None] | Wakeup | None = None
        self.reader: asyncio.Future[None] | Wakeup | None = None
        self.moved_at = now

    @property
    def backlog(self) -> int:
        """Events offered and not yet read."""
        return len(self.ready) + len(self.held) + len(self.overflow)

    @property
    def behind(self) -> int:
        """Events not yet read, but for those it began with: nobody has to wait for these."""
        return self.backlog - max(0, self.replayed - self.delivered)

    @property
    def delivered(self) -> int:
        """Events the reader has taken."""
        return self.offered - self.dropped - self.discarded - self.backlog

    def has_news(self) -> bool:
        """Whether there is anything for a batch to tell."""
        untold = self.stirred_runs or self.dropped > self.dropped_told
        return bool(self.ready or self.held or self.closed or untold)

    def replay(self, events: Sequence[StreamEvent], steps: list[Step], *, missed: int) -> None:
        """Add to `steps` what begins this reader with history, which does not count against the queue."""
        # Held, so that the first read comes by the lock and tells where it is read.
        steps.append((self.held.extend, events))
        counts = {"offered": len(events), "replayed": len(events), "peak": len(events), "missed": missed}
        steps.extend((setattr, self, name, count) for name, count in counts.items())

    def offer(self, events: Sequence[StreamEvent], steps: list[Step], now: float) -> Fit:
        """Add to `steps` what hands `events` to this reader, and say how they will fit."""
        count = len(events)
        steps.append((setattr, self, "offered", self.offered + count))
        if not self.held and not self.overflow and count + self.margin <= self._room():
            steps.append((self.ready.extend, events))
            self._note_peak(count)
            return Fit.AMPLE
        if self.ready:
            pour_back(self.ready, self.held)
        self._refill()
        fits = 0 if self.overflow else max(0, self._room())
        if count <= fits:
            steps.append((self.held.extend, events))
            self._note_peak(count)
            return Fit.TIGHT
        waits = fits + self.overflow_size - len(self.overflow)
        steps.append((self.held.extend, events[:fits]))
        late = events[fits:waits]
        for event in late:
            # Unstamped, it came in together with the one that filled the queue: just now.
            event._arrived = event._arrived or now
        steps.append((self.overflow.extend, late))
        if count > waits:
            steps.append((setattr, self, "dropped", self.dropped + count - waits))
        self._note_peak(min(count, waits))
        return Fit.OVER

    def note_run(self, run_id: str) -> None:
        """Remember to tell of this run in the next batch; the longest untold go when there are too many."""
        if self.run_id is None or self.follow:
            self.stirred_runs[run_id] = None
            if len(self.stirred_runs) > MAX_UNTOLD_RUNS:
                self.stirred_runs.pop(next(iter(self.stirred_runs)), None)

    def expire(self, now: float) -> None:
        """Drop what has waited in the overflow for its time and found no room."""
        # The reader may have taken from `ready` since, which makes room that nobody has used yet.
        self._refill()
        due = 0
        for event in self.overflow:
            if event._arrived + self.timeout > now:
                break
            due += 1
        if due:
            gone = starmap(self.overflow.popleft, repeat((), due))
            commit([(consume, gone), (setattr, self, "dropped", self.dropped + due)])

    def take(self) -> StreamEvent | None:
        """Hand out the next event; None if there is none now.

        Raises:
            EndOfStream: There will be none.
        """
        if self.held and not self.overflow and (self.closed or self._room() >= self.margin):
            pour(self.held, self.ready)
        elif self.held and not self.ready:
            pour_some(self.held, self.ready, max(1, self.size // _SLICES))
        try:
            event = self.ready.popleft()
        except IndexError:
            if self.closed:
                raise EndOfStream from None
            return None
        self._refill()
        return event

    def take_all(self) -> tuple[StreamEvent, ...]:
        """Everything in the queue; the overflow moves up."""
        events: list[StreamEvent] = []
        # In one call: somebody else may take from `ready` at the same time.
        queues = (self.ready, self.held)
        commit([step for queue in queues for step in ((events.extend, queue), (queue.clear,))])
        self._refill()
        return tuple(events)

    def end(self) -> None:
        """Nothing will be added; what waits in the overflow waits for the reader from now on."""
        pour_back(self.ready, self.held)
        pour(self.overflow, self.held)
        self.closed = True

    def leave(self) -> None:
        """The reader has gone: what it has not read is discarded, and counted."""
        pour_back(self.ready, self.held)
        pour(self.overflow, self.held)
        self.left = self.closed = True
        unread = len(self.held)
        commit([(self.held.clear,), (setattr, self, "discarded", self.discarded + unread)])
        self.stirred_runs.clear()

    def moving(self, now: float) -> bool:
        """Whether the reader has taken something in the last `MOVING` seconds."""
        delivered = self.delivered
        if delivered != self.seen:
            self.seen = delivered
            self.moved_at = now
        return now - self.moved_at <= MOVING

    def _note_peak(self, added: int) -> None:
        self.peak = max(self.peak, self.backlog + added)

    def _room(self) -> int:
        room = self.size - len(self.ready) - len(self.held)
        return room + max(0, self.replayed - self.delivered) if self.replayed else room

    def _refill(self) -> None:
        if self.overflow:
            pour_some(self.overflow, self.held, max(0, self._room()))
