"""A rest for garbage collection, while much is made at once of which nothing is garbage."""

from __future__ import annotations

import gc
import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator


class _Rest:
    """Who wants it to rest, in all threads, and whether it was on before the first of them."""

    def __init__(self) -> None:
        # Not a plain lock: until it rests, a collection may run a `__del__` here that wants it to rest too.
        self._lock = threading.RLock()
        self._resting = 0
        self._was_on = False

    def begin(self) -> None:
        """Have it rest."""
        with self._lock:
            if self._resting == 0:
                self._was_on = gc.isenabled()
                gc.disable()
            self._resting += 1

    def end(self) -> None:
        """Let go."""
        with self._lock:
            # In a forked child there may be none.
            self._resting = max(0, self._resting - 1)
            if self._resting == 0 and self._was_on:
                gc.enable()

    def forget(self) -> None:
        """Forget who wants it to rest: a fork leaves the other threads behind, and maybe the lock with one."""
        if self._resting and self._was_on:
            gc.enable()
        self._lock = threading.RLock()
        self._resting = 0


_rest = _Rest()


@contextmanager
def gc_at_rest() -> Generator[None]:
    """Let garbage collection rest; after the last of all threads that want it to, it is as it was before the first.

    Some hundred thousand new objects set it off again and again otherwise.
    """
    _rest.begin()
    try:
        yield
    finally:
        _rest.end()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_rest.forget)
