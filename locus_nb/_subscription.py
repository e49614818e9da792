"""The reader's end of the bus."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, NamedTuple, Self, TypeVar

from locus_nb._inbox import EndOfStream, Inbox
from locus_nb._wakeup import Wakeup

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from locus_nb._event import StreamEvent
    from locus_nb._exchange import Exchange
    from locus_nb._history import RunRecord
    from locus_nb._readers import Waiter

T = TypeVar("T")

_NOTHING: deque[StreamEvent] = deque()


class Batch(NamedTuple):
    """Everything a reader had to read at one moment. False only at the end of the stream.

    Attributes:
        events: In the bus's order.
        closed: Nothing will follow this batch.
        dropped: Events dropped for this reader since its last batch.
        runs: The present record of each run that was opened or closed since the last batch; only
            global and following readers hear of several runs.
    """

    events: tuple[StreamEvent, ...]
    closed: bool
    dropped: int
    runs: tuple[RunRecord, ...]

    def __bool__(self) -> bool:
        return not self.closed or bool(self.events or self.runs or self.dropped)


class SubscriptionStats(NamedTuple):
    """One consistent look at a subscription: `offered = delivered + dropped + discarded + backlog`."""

    offered: int
    delivered: int
    dropped: int
    discarded: int
    backlog: int
    missed: int
    peak_backlog: int
    refused: bool
    closed: bool


class Subscription:
    """The events of one run, or of all runs, for one consumer. Made by `EventBus.subscribe*`.

    Read it in one of three ways: `async for event in subscription`, `for event in subscription` (blocks;
    meant for a thread), or `await subscription.next_batch()`. It may be read in another thread or
    loop than it was made in. Cancelling a read, or its timing out, loses nothing.

    It is registered from the moment it is made, and leaves the bus when it is closed (it is a sync and
    an async context manager), when its stream ends, or when the last reference to it goes.

    A reader that falls behind has room for `max_queue_size` events; more wait up to `slow_timeout`
    seconds for room in an overflow and are then dropped for this reader alone, which `dropped` counts.
    Neither the publisher nor any other reader ever waits for it.

    Raises:
        SubscriptionBusyError: From a read, while another consumer waits in one.
    """

    __slots__ = ("__weakref__", "_bus", "_inbox", "_ready")

    def __init__(self, bus: Exchange, inbox: Inbox) -> None:
        self._bus = bus
        self._inbox = inbox
        # What is read without the lock: the inbox's, but while a consumer waits, for whom it is.
        self._ready = inbox.ready

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> StreamEvent:
        while True:
            try:
                return self._ready.popleft()
            except IndexError:
                pass
            try:
                event = await self._wait(Inbox.take)
            except EndOfStream:
                raise StopAsyncIteration from None
            if event is not None:
                return event

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> StreamEvent:
        while True:
            try:
                return self._ready.popleft()
            except IndexError:
                pass
            try:
                event = self._block()
            except EndOfStream:
                raise StopIteration from None
            if event is not None:
                return event

    async def next_batch(self) -> Batch:
        """Wait until there is something to read, and take all of it; a false batch at the end."""
        while True:
            batch = await self._wait(self._bus.take_batch)
            if batch is not None:
                return batch

    def next_batch_nowait(self) -> Batch | None:
        """Take all there is to read now; None if there is nothing, a false batch at the end."""
        return self._bus.take(self._inbox, self._bus.take_batch)

    def wake_with(self, wakeup: Wakeup) -> bool:
        """Have `wakeup` called at the next news, once; False, and no promise, if there is some already.

        For a thread that reads several subscriptions by `next_batch_nowait`.
        """
        return self._bus.alarm(self._inbox, wakeup)

    async def aclose(self) -> None:
        """Leave the bus. What was not read is discarded, and counted. Idempotent."""
        self.close()

    def close(self) -> None:
        """Leave the bus; the same as `aclose`, from anywhere."""
        self._bus.leave(self._inbox)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        # An interrupt may have struck before it was whole.
        if (inbox := getattr(self, "_inbox", None)) is not None:
            self._bus.forget(inbox)

    def __repr__(self) -> str:
        run = "all runs" if self._inbox.run_id is None else repr(self._inbox.run_id)
        return f"<Subscription to {run}, backlog {self.backlog}, dropped {self.dropped}>"

    def stats(self) -> SubscriptionStats:
        """All counts at one moment."""
        return self._bus.look(self._inbox)

    @property
    def offered(self) -> int:
        """Events meant for this reader so far, replayed ones included."""
        return self.stats().offered

    @property
    def delivered(self) -> int:
        """Events the consumer has taken."""
        return self.stats().delivered

    @property
    def dropped(self) -> int:
        """Events it never got because it was too slow."""
        return self.stats().dropped

    @property
    def discarded(self) -> int:
        """Events still unread when it left."""
        return self.stats().discarded

    @property
    def backlog(self) -> int:
        """Events waiting to be read."""
        return self.stats().backlog

    @property
    def missed(self) -> int:
        """Events from before it joined that history no longer held."""
        return self._inbox.missed

    @property
    def peak_backlog(self) -> int:
        """Highest backlog seen, sampled whenever events are added to it."""
        return self.stats().peak_backlog

    @property
    def refused(self) -> bool:
        """Whether it was one global subscription too many: it ended at once."""
        return self._inbox.refused

    @property
    def closed(self) -> bool:
        """Whether nothing more will be added to its backlog."""
        return self.stats().closed

    async def _wait(self, take: Callable[[Inbox], T | None]) -> T | None:
        """Take what there is; else wait for news, and give None: there may be something now."""
        bus, inbox = self._bus, self._inbox
        # In asyncio's debug mode a future is dear: none is made if there seems to be no need.
        if bus.is_there(inbox) and (taken := bus.take(inbox, take)) is not None:
            return taken
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        try:
            self._ready = _NOTHING
            if (taken := bus.take(inbox, take, future)) is None:
                await future
            return taken
        finally:
            self._go_on(future)

    def _block(self) -> StreamEvent | None:
        """Do what `_wait` does, in a thread, for the next event."""
        wakeup = Wakeup()
        try:
            self._ready = _NOTHING
            if (event := self._bus.take(self._inbox, Inbox.take, wakeup)) is None:
                wakeup.wait()
            return event
        finally:
            self._go_on(wakeup)

    def _go_on(self, waiter: Waiter) -> None:
        self._bus.unpark(self._inbox, waiter)
        if self._inbox.reader is None:
            self._ready = self._inbox.ready
