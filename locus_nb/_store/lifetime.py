"""Writers through a fork, and to the end of the process."""

from __future__ import annotations

import atexit
import os
import weakref
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import threading
    from pathlib import Path

# A fork waits for a writer's transaction, but not for ever.
_FORK_S = 5.0
_AT_EXIT_S = 10.0
_ENDING_S = 5.0


class Lasting(Protocol):
    """What has a thread and files, which a fork tears apart and the end of the process cuts off."""

    # Held while files are touched.
    io: threading.RLock
    closed: bool
    where: Path

    def begin_in_child(self) -> None:
        """Be closed in a forked child."""
        ...

    def close(self, timeout: float) -> bool:
        """Write what there is, and end."""
        ...

    def is_ending(self) -> bool:
        """Say whether it is about to end by itself."""
        ...

    def join(self, timeout: float) -> None:
        """Wait for its end."""
        ...


def outlive(writer: Lasting) -> None:
    """Have a writer, as long as somebody holds it, closed in forked children and before the process ends."""
    _writers.add(writer)


def await_ending(where: Path) -> None:
    """Wait for those who are about to end that write to the same place: what they have comes before."""
    for writer in tuple(_writers):
        if writer.where == where and writer.is_ending():
            writer.join(_ENDING_S)


_writers: weakref.WeakSet[Lasting] = weakref.WeakSet()
_held: list[Lasting] = []


def _before_fork() -> None:
    _held.extend(writer for writer in tuple(_writers) if writer.io.acquire(timeout=_FORK_S))


def _after_fork() -> None:
    while _held:
        _held.pop().io.release()


def _begin_in_child() -> None:
    _held.clear()
    for writer in tuple(_writers):
        if not writer.closed:
            writer.begin_in_child()


def _at_exit() -> None:
    for writer in tuple(_writers):
        writer.close(_AT_EXIT_S)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_begin_in_child)
atexit.register(_at_exit)
