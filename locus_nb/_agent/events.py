"""The events of one agent's answer, for the one consumer that drives it."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Self

from locus_nb._agent.worker import INTERRUPT_SECONDS
from locus_nb._bus import get_event_bus
from locus_nb._context import current_run_id, run_context

if TYPE_CHECKING:
    import contextvars
    from collections.abc import AsyncGenerator, Callable

    from locus_nb._agent.loop import AgentLoop, AgentResult
    from locus_nb._bus import EventBus
    from locus_nb._event import StreamEvent


async def events_of(
    made: Callable[[], AgentLoop], context: contextvars.Context
) -> AsyncGenerator[StreamEvent, None]:
    """Run the loop that is `made` in `context`, and yield what its run publishes; `Agent.run` says how."""
    outer = context.run(current_run_id)
    run = run_context(outer)
    if outer is None:
        # Not entered here: what a generator sets, its consumer would find set in its own context.
        context.run(run.__enter__)
    loop = context.run(made)
    bus = get_event_bus()
    async with _RunReader(bus, run.run_id) as reader:
        task = asyncio.get_running_loop().create_task(loop.run(), context=context)
        task.add_done_callback(reader.wake)
        try:
            while not task.done():
                for event in await reader.next_events():
                    yield event
            for event in await reader.last_events():
                yield event
            task.result()
        finally:
            try:
                await _stop(loop, task)
            finally:
                if outer is None:
                    bus.close_stream_nowait(run.run_id)


async def _stop(loop: AgentLoop, task: asyncio.Task[AgentResult]) -> None:
    """Cancel `task` unless it has ended, and wait a while for its end."""
    task.add_done_callback(_look_at)
    with loop.interrupted():
        task.cancel()
        await asyncio.wait({task}, timeout=INTERRUPT_SECONDS)


def _look_at(task: asyncio.Task[AgentResult]) -> None:
    # Or asyncio would report an exception that nobody is left to catch.
    if not task.cancelled():
        task.exception()


class _RunReader:
    """What a run publishes from now on: read at once into memory, so that a slow consumer loses nothing."""

    def __init__(self, bus: EventBus, run_id: str) -> None:
        self._bus = bus
        self._run_id = run_id
        self._unread: deque[StreamEvent] = deque()
        self._news = asyncio.Event()
        before = bus.history(run_id)
        self._seq = before[-1].seq or 0 if before else 0
        self._subscription = bus.subscribe(run_id, follow=True)
        self._reading = asyncio.get_running_loop().create_task(self._read())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stop_reading()
        self._subscription.close()

    def wake(self, _task: asyncio.Task[AgentResult]) -> None:
        """Have `next_events` return, with what there is."""
        self._news.set()

    async def next_events(self) -> list[StreamEvent]:
        """Wait for something to read, or for `wake`."""
        await self._news.wait()
        self._news.clear()
        return self._taken()

    async def last_events(self) -> list[StreamEvent]:
        """What is left when nothing will follow; from history, what was published after a close."""
        await self._stop_reading()
        batch = self._subscription.next_batch_nowait()
        if batch is not None:
            self._unread.extend(batch.events)
        events = self._taken()
        self._unread.extend(self._bus.history(self._run_id))
        return events + self._taken()

    async def _stop_reading(self) -> None:
        self._reading.cancel()
        await asyncio.wait({self._reading})

    async def _read(self) -> None:
        while batch := await self._subscription.next_batch():
            self._unread.extend(batch.events)
            self._news.set()

    def _taken(self) -> list[StreamEvent]:
        """Unread events in order, without those from before the start and those given already."""
        taken = [event for event in self._unread if (event.seq or 0) > self._seq]
        self._unread.clear()
        if taken:
            self._seq = taken[-1].seq or 0
        return taken
