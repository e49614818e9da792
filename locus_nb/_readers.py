"""Who reads the bus: joining, leaving, being handed events, sleeping and being woken."""

from __future__ import annotations

import asyncio
from collections import deque
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from locus_nb._atomic import commit
from locus_nb._errors import SubscriptionBusyError
from locus_nb._inbox import Fit
from locus_nb._wakeup import Wakeup

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from locus_nb._atomic import Step
    from locus_nb._event import StreamEvent
    from locus_nb._inbox import Inbox

    Waiter = asyncio.Future[None] | Wakeup


class ReaderStats(NamedTuple):
    """One look at a reader that is registered with a bus; all counts are events.

    Attributes:
        number: Counts the bus's subscriptions from 1; no other one has the same.
        label: What `subscribe(label=...)` was given; `reader N` without one.
        run_id: The run it reads; None for all runs.
        backlog: Offered and not yet read, the overflow included.
        capacity: How many may be unread before it counts as full; replayed ones do not count.
        overflow: Those that found it full and wait for room, until they are dropped.
        peak_backlog: Highest backlog seen, sampled whenever events are added to it.
        offered: Meant for it so far, replayed ones included.
        delivered: Taken by its consumer.
        dropped: Never got because it was too slow.
        missed: From before it joined, and no longer in history.
    """

    number: int
    label: str
    run_id: str | None
    backlog: int
    capacity: int
    overflow: int
    peak_backlog: int
    offered: int
    delivered: int
    dropped: int
    missed: int


class Readers:
    """The inboxes of all subscriptions of one bus. Guarded by the bus's lock, but for `forgotten`.

    Every method may be interrupted and called again with the same arguments.
    """

    def __init__(self) -> None:
        self.of_run: dict[str, list[Inbox]] = {}
        self.of_all: list[Inbox] = []
        # Key to the readers that sleep until there is news of it; None: of any run.
        self.parked: dict[str | None, dict[Inbox, None]] = {}
        # Those whose queue was nearly full when they were last offered events.
        self.tight: dict[Inbox, None] = {}
        # Those with events in the overflow, whose time runs.
        self.lagging: dict[Inbox, None] = {}
        self.dropped_before = 0
        # Inboxes whose subscription was garbage collected; filled from any thread, without the lock.
        self.forgotten: deque[Inbox] = deque()
        # Whether consumers were let go that waited on a closed loop: their subscriptions may be garbage.
        self.stranded = False
        self._unheard: set[str | None] = set()

    def __iter__(self) -> Iterator[Inbox]:
        return chain(self.of_all, *self.of_run.values())

    @property
    def nearly_full(self) -> bool:
        """Whether the next events may find a reader full; asks only those that were tight before."""
        for inbox in tuple(self.tight):
            if not inbox.held:
                self.tight.pop(inbox, None)
        return bool(self.tight)

    @property
    def dropped(self) -> int:
        """Events dropped so far, for readers that are here and those that have left."""
        return self.dropped_before + sum(inbox.dropped for inbox in self)

    def join(self, inbox: Inbox, steps: list[Step]) -> None:
        """Add to `steps` what has `inbox` take part."""
        readers = self.of_all if inbox.run_id is None else self.of_run.setdefault(inbox.run_id, [])
        steps.append((readers.append, inbox))

    def remove(self, inbox: Inbox) -> None:
        """Have it take part no longer; what it has not read it keeps."""
        readers = self.of_all if inbox.run_id is None else self.of_run.get(inbox.run_id, [])
        if inbox in readers:
            dropped = self.dropped_before + inbox.dropped
            steps: list[Step] = [(setattr, self, "dropped_before", dropped), (readers.remove, inbox)]
            if inbox.run_id is not None and len(readers) == 1:
                steps.append((self.of_run.pop, inbox.run_id, None))
            commit(steps)

    def end(self, inboxes: Iterable[Inbox]) -> None:
        """Let these readers read what they have, and then end."""
        for inbox in tuple(inboxes):
            inbox.end()
            self._unheard.add(inbox.run_id)
            self.remove(inbox)

    def leave(self, inbox: Inbox) -> None:
        """End a reader at once."""
        inbox.leave()
        self._unheard.add(inbox.run_id)
        self.remove(inbox)

    def bury(self) -> None:
        """Remove those whose subscription is gone."""
        while self.forgotten:
            self.leave(self.forgotten[0])
            self.forgotten.popleft()

    def offer(
        self,
        groups: Mapping[str, Sequence[StreamEvent]],
        events: Sequence[StreamEvent],
        steps: list[Step],
        *,
        now: float,
    ) -> None:
        """Add to `steps` what hands out `events`, grouped by run in `groups`."""
        self._unheard.update(groups)
        for run_id, group in groups.items():
            for inbox in self.of_run.get(run_id, ()):
                self._note_fit(inbox, inbox.offer(group, steps, now))
        for inbox in self.of_all:
            self._note_fit(inbox, inbox.offer(events, steps, now))

    def _note_fit(self, inbox: Inbox, fit: Fit) -> None:
        if fit is not Fit.AMPLE:
            self.tight[inbox] = None
        if fit is Fit.OVER:
            self.lagging[inbox] = None

    def tell(self, run_id: str) -> None:
        """Let those who follow runs know that this one was opened or closed."""
        self._unheard.add(run_id)
        for inbox in chain(self.of_all, self.of_run.get(run_id, ())):
            inbox.note_run(run_id)

    def expire(self, now: float) -> None:
        """Drop what has waited too long for room."""
        for inbox in tuple(self.lagging):
            inbox.expire(now)
            if not inbox.overflow:
                self.lagging.pop(inbox, None)

    def park(self, inbox: Inbox, waiter: Waiter, *, reading: bool = True) -> None:
        """Have `waiter` woken at the next news for `inbox`; `reading`: a consumer waits in a read."""
        inbox.waiter = waiter
        if reading:
            inbox.reader = waiter
        self.parked.setdefault(inbox.run_id, {})[inbox] = None

    def unpark(self, inbox: Inbox, waiter: Waiter) -> None:
        """Undo `park`, if it is still that waiter's."""
        if inbox.waiter is waiter:
            inbox.waiter = None
            self._unlist(inbox)

    def free(self) -> None:
        """Let go of consumers that wait on a loop that was closed: they never go on."""
        for inbox in self:
            if is_stranded(inbox.reader):
                inbox.reader = inbox.waiter = None
                self.stranded = True
                self._unlist(inbox)

    def wake(self, now: float) -> None:
        """Wake those who sleep and have news, each loop once."""
        if not self._unheard:
            return
        futures: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
        woken: list[Inbox] = []
        for key in (*self._unheard, None):
            # A copy, because garbage collection may end a read that nobody waits for any more.
            for inbox in tuple(self.parked.get(key, ())):
                woken.append(inbox)
                inbox.moved_at = now
                waiter = inbox.waiter
                if isinstance(waiter, Wakeup):
                    waiter.call()
                elif waiter is not None:
                    futures.setdefault(waiter.get_loop(), []).append(waiter)
        closed = [loop for loop, waiting in futures.items() if not _wake_loop(loop, waiting)]
        for inbox in woken:
            inbox.waiter = None
            self._unlist(inbox)
        if closed:
            self.free()
        self._unheard.clear()

    def _unlist(self, inbox: Inbox) -> None:
        sleepers = self.parked.get(inbox.run_id)
        if sleepers is not None:
            sleepers.pop(inbox, None)
            if not sleepers:
                self.parked.pop(inbox.run_id, None)


def reader_stats(inbox: Inbox) -> ReaderStats:
    """The counts of a reader now."""
    backlog = inbox.backlog
    return ReaderStats(
        number=inbox.number,
        label=inbox.label,
        run_id=inbox.run_id,
        backlog=backlog,
        capacity=inbox.size,
        overflow=len(inbox.overflow),
        peak_backlog=inbox.peak,
        offered=inbox.offered,
        delivered=inbox.offered - inbox.dropped - inbox.discarded - backlog,
        dropped=inbox.dropped,
        missed=inbox.missed,
    )


def check_free(inbox: Inbox) -> None:
    """Refuse a second consumer. One whose loop was closed will not go on: it counts no longer.

    Raises:
        SubscriptionBusyError: Another one is waiting in a read.
    """
    reader = inbox.reader
    if reader is None:
        return
    if is_stranded(reader):
        inbox.reader = None
        return
    msg = "Read a subscription that another consumer is waiting on: give each consumer its own subscribe()"
    raise SubscriptionBusyError(msg)


def is_stranded(waiter: Waiter | None) -> bool:
    """Whether whoever waits on this never goes on, because the loop was closed."""
    return waiter is not None and not isinstance(waiter, Wakeup) and waiter.get_loop().is_closed()


def running_loop() -> asyncio.AbstractEventLoop | None:
    """The loop that runs in this thread now, if one does."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _wake_loop(loop: asyncio.AbstractEventLoop, futures: list[asyncio.Future[None]]) -> bool:
    """Wake those who wait on a loop; False if it was closed under them."""
    if running_loop() is loop:
        _resolve(futures)
        return True
    try:
        loop.call_soon_threadsafe(_resolve, futures)
    except RuntimeError:
        return False
    return True


def _resolve(futures: list[asyncio.Future[None]]) -> None:
    for future in futures:
        if not future.done():
            future.set_result(None)
