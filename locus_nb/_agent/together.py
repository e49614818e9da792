"""Several things done at once, of which one may end the others."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

T = TypeVar("T")


async def together(functions: Sequence[Callable[[], Awaitable[T]]]) -> list[T]:
    """Await what each of `functions` gives, all at once, each in a task; the results are in their order.

    The tasks begin in that order. What one raises cancels the others and is raised when all have ended, so
    nothing is left under way. Cancelled, this cancels all, waits for them, and is cancelled even if they
    swallow it; closed, it cancels them. Not an `asyncio.TaskGroup`: that raises groups, and a
    KeyboardInterrupt or SystemExit that leaves one of its tasks ends the loop for everybody.
    """
    raised: list[BaseException] = []

    async def done(function: Callable[[], Awaitable[T]]) -> T | None:
        try:
            return await function()
        except BaseException as error:  # noqa: BLE001 - raised again below
            raised.append(error)
            for task in tasks:
                if task is not asyncio.current_task():
                    task.cancel()
            return None

    tasks = [asyncio.create_task(done(function)) for function in functions]
    try:
        # With the exceptions returned it waits for every task, also for one that is cancelled unbegun.
        results = await asyncio.gather(*tasks, return_exceptions=True)
    finally:
        for task in tasks:
            task.cancel()
        if raised:
            try:
                raise raised[0]
            finally:
                # The exception knows this frame; the frame is not to know it, or they would keep each other.
                raised.clear()
    return cast("list[T]", results)
