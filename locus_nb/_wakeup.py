"""How a thread sleeps until there is news."""

from __future__ import annotations

import threading


class Wakeup:
    """Wakes one thread that waits for it. A call that comes first is kept, until the next `wait`.

    It may be called anywhere, also by a `__del__` or a signal handler in the midst of its own `wait`: a
    `threading.Event` has a lock inside that is not reentrant, and would never return from there.
    """

    __slots__ = ("_asleep",)

    def __init__(self) -> None:
        self._asleep = threading.Lock()
        self._asleep.acquire()

    def call(self) -> None:
        """Let the thread that waits, or the next that will, go on. Any thread; idempotent."""
        try:
            self._asleep.release()
        except RuntimeError:
            # It was called before, and nobody has waited since.
            return

    def wait(self, timeout: float = -1) -> bool:
        """Wait for a call, and take it; False if none comes within `timeout` seconds (-1: wait for ever)."""
        return self._asleep.acquire(timeout=timeout)
