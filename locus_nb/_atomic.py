"""Several changes as one, for code that an interrupt may strike anywhere.

Python raises `KeyboardInterrupt` between two bytecodes, and switches threads there too, but never
inside one call of a C function that calls only C functions. What must hold together is done in one.
"""

from __future__ import annotations

import operator
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from itertools import repeat, starmap
from typing import Any, TypeVar

T = TypeVar("T")

Step = tuple[Callable[..., object], *tuple[Any, ...]]

consume = deque[object](maxlen=0).extend


def commit(steps: Iterable[Step]) -> None:
    """Carry out steps `(function of C, *arguments)`: an interrupt comes before all or after all."""
    consume(starmap(operator.call, steps))


def pour(source: deque[T], target: deque[T]) -> None:
    """Move all items of `source` to the right of `target`."""
    commit([(target.extend, source), (source.clear,)])


def pour_some(source: deque[T], target: deque[T], most: int) -> None:
    """Move up to `most` items from the left of `source` to the right of `target`."""
    with suppress(IndexError):
        target.extend(starmap(source.popleft, repeat((), most)))


def pour_back(source: deque[T], target: deque[T]) -> None:
    """Move all items of `source` to the left of `target`, keeping their order.

    They go from the right, so that somebody who takes from the left of `source` meanwhile goes on in order.
    """
    with suppress(IndexError):
        target.extendleft(starmap(source.pop, repeat(())))
