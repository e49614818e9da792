"""Two sequences side by side: which members of one stand for which of the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

    from numpy.typing import NDArray

    Pair = tuple[int | None, int | None]

# Two pairs that have only their keys in common are preferred to one that is the same in all.
_ALIKE, _SAME = 2, 3
# Cells of the table at one time: two bits each stay until the way through is found, 50 MB in all.
_CELLS = 200_000_000


def align(
    a: Sequence[tuple[Hashable, Hashable]], b: Sequence[tuple[Hashable, Hashable]], *, cells: int = _CELLS
) -> list[Pair]:
    """Pair the members of two sequences that have a key in common, keeping the order of both.

    A member is a key and a content. Of all ways to do so this is one with the highest worth: 3 for a pair of one
    key and content, 2 for one of the same key only. Of those that are worth the same, it pairs earlier members
    of `b`, then of `a`. What stands at the beginning and the end of both is taken off first.

    The time grows with the product of the lengths: about a second for 10,000 by 10,000 members. Where that is
    over `cells`, both are cut into as many stretches as it takes, and the first is paired with the first, the
    second with the second.

    Returns:
        Pairs of indices in `a` and `b`, ascending, each index once; None where there is no partner. Of two
        neighbours without one that of `a` comes first.

    Example:
        >>> align([("x", 1), ("y", 1)], [("x", 2), ("z", 1)])
        [(0, 0), (1, None), (None, 1)]
    """
    head = 0
    while head < min(len(a), len(b)) and a[head] == b[head]:
        head += 1
    tail = 0
    while tail < min(len(a), len(b)) - head and a[-1 - tail] == b[-1 - tail]:
        tail += 1
    pairs: list[Pair] = [(index, index) for index in range(head)]
    for a_part, b_part in _stretches((head, len(a) - tail), (head, len(b) - tail), cells):
        pairs += _best(a[slice(*a_part)], b[slice(*b_part)], a_part[0], b_part[0])
    pairs += [(len(a) - left, len(b) - left) for left in range(tail, 0, -1)]
    return pairs


def _stretches(
    a: tuple[int, int], b: tuple[int, int], cells: int
) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    a_length, b_length = a[1] - a[0], b[1] - b[0]
    number = 1
    while (a_length // number + 1) * (b_length // number + 1) > max(cells, 4):
        number += 1

    def bound(part: tuple[int, int], which: int) -> int:
        return part[0] + (part[1] - part[0]) * which // number

    for which in range(number):
        yield (
            (bound(a, which), bound(a, which + 1)),
            (bound(b, which), bound(b, which + 1)),
        )


def _best(
    a: Sequence[tuple[Hashable, Hashable]], b: Sequence[tuple[Hashable, Hashable]], a_from: int, b_from: int
) -> Iterator[Pair]:
    """Pair two stretches; the indices begin with `a_from` and `b_from`."""
    ups, lefts = _ways(a, b)
    steps: list[Pair] = []
    row, column = len(a), len(b)
    while row or column:
        if column and (not row or _is_set(lefts[row - 1], column - 1)):
            column -= 1
            steps.append((None, b_from + column))
        elif not column or _is_set(ups[row - 1], column - 1):
            row -= 1
            steps.append((a_from + row, None))
        else:
            row, column = row - 1, column - 1
            steps.append((a_from + row, b_from + column))
    return _a_first(reversed(steps))


def _ways(
    a: Sequence[tuple[Hashable, Hashable]], b: Sequence[tuple[Hashable, Hashable]]
) -> tuple[list[NDArray[np.uint8]], list[NDArray[np.uint8]]]:
    """Say for each pair of beginnings whether it is worth no more than without a's, or b's, last member."""
    (a_keys, b_keys), (a_all, b_all) = (
        _numbered([key for key, _ in a], [key for key, _ in b]),
        _numbered(a, b),
    )
    ups: list[NDArray[np.uint8]] = []
    lefts: list[NDArray[np.uint8]] = []
    before = np.zeros(len(b) + 1, np.int32)
    for key, whole in zip(a_keys, a_all, strict=True):
        worth = _ALIKE * (b_keys == key).astype(np.int32) + (_SAME - _ALIKE) * (b_all == whole)
        now = np.zeros_like(before)
        # Leaving out costs nothing, so the best of a row is the best so far.
        np.maximum.accumulate(np.maximum(before[1:], before[:-1] + worth), out=now[1:])
        ups.append(np.packbits(now[1:] == before[1:]))
        lefts.append(np.packbits(now[1:] == now[:-1]))
        before = now
    return ups, lefts


def _numbered(a: Sequence[Hashable], b: Sequence[Hashable]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Give the same numbers for the same members."""
    numbers: dict[Hashable, int] = {}
    found = [
        np.fromiter((numbers.setdefault(each, len(numbers)) for each in part), np.int32, len(part))
        for part in (a, b)
    ]
    return found[0], found[1]


def _is_set(bits: NDArray[np.uint8], place: int) -> bool:
    return bool(bits[place >> 3] >> (7 - (place & 7)) & 1)


def _a_first(steps: Iterator[Pair]) -> Iterator[Pair]:
    """Put what only `a` has before what only `b` has, between two pairs."""
    added: list[Pair] = []
    for step in steps:
        if step[0] is None:
            added.append(step)
            continue
        if step[1] is not None:
            yield from added
            added = []
        yield step
    yield from added
