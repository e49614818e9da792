"""Which exceptions say that somebody stopped the code, rather than that it failed."""

from __future__ import annotations

import asyncio
from typing import cast

_INTERRUPTIONS = (KeyboardInterrupt, asyncio.CancelledError, GeneratorExit)


def is_interruption(error: BaseException | None) -> bool:
    """Whether it is KeyboardInterrupt, a cancellation, the closing of a generator, or a group of nothing else."""
    if isinstance(error, BaseExceptionGroup):
        return all(map(is_interruption, cast("BaseExceptionGroup[BaseException]", error).exceptions))
    return isinstance(error, _INTERRUPTIONS)
