"""Something that blocks, done in a thread of its own while a loop goes on."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


async def in_thread(function: Callable[[], T], name: str) -> T:
    """Call `function` in a thread of that name, in a copy of this context, and give what it returns.

    Cancelled, this ends at once; the thread goes on, and what comes of it is thrown away. Not
    `asyncio.to_thread`: its pool is small, so nested agents would wait for each other for ever, and a process
    waits for its threads at exit, also for one that an interrupt has left behind.

    Raises:
        BaseException: What `function` raises.
    """
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[Callable[[], T]] = loop.create_future()
    context = contextvars.copy_context()

    def settle(outcome: Callable[[], T]) -> None:
        if not ended.done():
            ended.set_result(outcome)

    def work() -> None:
        outcome = _outcome(lambda: context.run(function))
        # A loop that has closed meanwhile has nobody left who waits.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, outcome)

    threading.Thread(target=work, name=name, daemon=True).start()
    return (await ended)()


def _outcome(function: Callable[[], T]) -> Callable[[], T]:
    """Call, and give what does the same again: returns that, or raises it."""
    try:
        value = function()
    except BaseException as error:  # noqa: BLE001 - raised again where it is awaited
        raised = error

        def fail() -> T:
            raise raised

        return fail
    return lambda: value
