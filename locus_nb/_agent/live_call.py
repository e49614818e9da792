"""A call of a tool under way: who wants to know when nobody waits for its result any more."""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Generator


class LiveCall:
    """A call that may work in another thread, which cannot be stopped; it may hear that it was left to itself.

    Attributes:
        span_id: Of the events that tell of the call; None if none do.
    """

    def __init__(self, span_id: str | None = None) -> None:
        self.span_id = span_id
        # Reentrant, because garbage collection may end a coroutine that is told of it in the midst of anything.
        self._lock = threading.RLock()
        self._callbacks: dict[object, Callable[[], None]] = {}
        self._is_left = False

    def leave(self) -> None:
        """Tell whoever asked for it, in this thread, that nobody waits any more; once."""
        with self._lock:
            callbacks, self._callbacks = self._callbacks, {}
            self._is_left = True
        for callback in callbacks.values():
            callback()

    @contextmanager
    def tells(self, callback: Callable[[], None]) -> Generator[None]:
        """Have `callback` called if the call is left meanwhile, or at once if it has been."""
        key = object()
        with self._lock:
            is_left = self._is_left
            if not is_left:
                self._callbacks[key] = callback
        if is_left:
            callback()
        try:
            yield
        finally:
            with self._lock:
                self._callbacks.pop(key, None)


# The innermost call that this code is part of.
LIVE_CALL: ContextVar[LiveCall | None] = ContextVar("locus_nb_live_call", default=None)


@contextmanager
def live_call(span_id: str | None = None) -> Generator[None]:
    """Make what runs in this context a call of its own, which is left when an exception leaves this.

    A call within another one, by an agent that is a tool, is left with that one too. Without a span of its own it is
    told of by that one's.
    """
    call = LiveCall(span_id or current_span_id())
    with when_left(call.leave):
        token = LIVE_CALL.set(call)
        try:
            yield
        except BaseException:
            call.leave()
            raise
        finally:
            # A coroutine that is thrown away may be ended in another context.
            with suppress(ValueError):
                LIVE_CALL.reset(token)


def current_span_id() -> str | None:
    """Give the id of the span of the tool that this code is part of; None outside of one."""
    innermost = LIVE_CALL.get()
    return None if innermost is None else innermost.span_id


@contextmanager
def when_left(callback: Callable[[], None]) -> Generator[None]:
    """Have `callback` called if the tool that this code is part of is left to itself meanwhile; else do nothing."""
    innermost = LIVE_CALL.get()
    if innermost is None:
        yield
        return
    with innermost.tells(callback):
        yield
