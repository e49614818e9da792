"""Ctrl-C that is heard, pressed by a test's own code in another thread."""

from __future__ import annotations

import gc
import os
import signal
import threading
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import FrameType

AGAIN_S = 0.05


class CtrlC:
    """Presses until the main thread has raised KeyboardInterrupt, once; with its `with`.

    A signal that comes after Python's last look and before the system call that waits is heard only when
    that wait ends, which may be never. A user then presses again, and so does this. Garbage collection rests
    meanwhile: out of what the collector calls, in whichever thread, no exception comes.
    """

    def __init__(self) -> None:
        self._pressed = 0
        self._heard = 0
        self._news = threading.Event()

    def press(self) -> None:
        """Have the main thread raise KeyboardInterrupt, and wait until it does."""
        self._news.clear()
        self._pressed += 1
        while self._heard < self._pressed:
            os.kill(os.getpid(), signal.SIGINT)
            self._news.wait(AGAIN_S)

    def _hear(self, _signal: int, _frame: FrameType | None) -> None:
        if self._heard < self._pressed:
            self._heard = self._pressed
            self._news.set()
            raise KeyboardInterrupt

    def __enter__(self) -> Self:
        self._collecting = gc.isenabled()
        gc.disable()
        self._before = signal.signal(signal.SIGINT, self._hear)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)
        if self._collecting:
            gc.enable()
