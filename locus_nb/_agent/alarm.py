"""A call at a certain time, for code that looks at no clock."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Generator


@contextmanager
def alarm(seconds: float, callback: Callable[[], None]) -> Generator[None]:
    """Have `callback` called, in another thread, if so many seconds pass meanwhile."""
    timer = threading.Timer(max(0.0, seconds), callback)
    timer.name, timer.daemon = "locus_nb-alarm", True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
