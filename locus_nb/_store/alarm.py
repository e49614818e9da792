"""How a writer's thread sleeps, and how nothing is lost if the writer is forgotten meanwhile."""

from __future__ import annotations

import weakref
from typing import Generic, Protocol, TypeVar

from locus_nb._wakeup import Wakeup


class Working(Protocol):
    """What a thread goes round for."""

    def round(self) -> float | None:
        """Do what is due; seconds until the next round, -1: when it is called, None: never."""
        ...

    def fail(self, error: BaseException) -> None:
        """End after an error."""
        ...


W = TypeVar("W", bound=Working)


class Alarm(Wakeup, Generic[W]):
    """Wakes a thread, and holds what it works for from then on: a bus may be forgotten with an event in it.

    Args:
        of: What the thread works for; held only from a call to the next round.
    """

    __slots__ = ("_of", "kept")

    def __init__(self, of: W) -> None:
        super().__init__()
        self._of = weakref.ref(of)
        self.kept: W | None = None

    def call(self) -> None:
        """Let the thread go on, and find what it works for."""
        self.kept = self._of()
        super().call()

    def release(self) -> W | None:
        """Give what it works for, if it is still there, and hold it no more."""
        of = self._of()
        self.kept = None
        return of


def go_round(alarm: Alarm[Working]) -> None:
    """Work; only while the thread sleeps until it is called, what it works for may be forgotten."""
    while (worker := alarm.release()) is not None:
        try:
            pause = worker.round()
        except BaseException as error:  # noqa: BLE001 - an edge: a store that fails must not stop the agent
            worker.fail(error)
            return
        if pause is None:
            return
        if pause < 0:
            worker = None
        alarm.wait(pause)
        del worker
