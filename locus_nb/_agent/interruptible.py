"""Ctrl-C while the main thread is blocked, also where a loop runs in it."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from locus_nb._readers import running_loop

if TYPE_CHECKING:
    from collections.abc import Generator


def is_main() -> bool:
    """Whether this is the main thread."""
    return threading.current_thread() is threading.main_thread()


@contextmanager
def interruptible() -> Generator[None]:
    """Have Ctrl-C raise KeyboardInterrupt also while a loop runs in this thread, which stands still for it."""
    if not is_main() or running_loop() is None:
        yield
        return
    before = signal.getsignal(signal.SIGINT)
    # Not one that was set outside of Python, nor where somebody wants to hear nothing.
    if before is None or before is signal.SIG_IGN:
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
