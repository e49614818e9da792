"""The calls that many events make: most of them at once, the few that overlap by `calls_of`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from locus_nb._sums.calls import calls_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Places = NDArray[np.intp]

Phase = Literal["start", "end", "point"]
PHASES: tuple[Phase, ...] = ("start", "end", "point")


class Pairs(NamedTuple):
    """Calls, in no order, as `calls_of` finds them.

    Attributes:
        begins: The number of the mark that begins it; -1 for none.
        ends: The number of the mark that ends it; -1 for none. What has neither is no call that began or ended.
        of_marks: The call that each mark is of.
    """

    begins: Places
    ends: Places
    of_marks: Places


def pairs_of(keys: NDArray[np.int64], phases: NDArray[np.int8]) -> Pairs:
    """Find the calls that events make.

    A key that begins once, then ends once, as nearly all do, is one call with all that is told of it, and needs none
    of the rules of `calls_of`; nor does one that begins only, or ends only.

    Args:
        keys: Of the events that begin, end or tell of a call, in their order: a number for what it is known by.
        phases: What each is to its call, as its place in `PHASES`.
    """
    known, of_marks = np.unique(keys, return_inverse=True)
    begins, begin_often = _only(of_marks, np.flatnonzero(phases == PHASES.index("start")), len(known))
    ends, end_often = _only(of_marks, np.flatnonzero(phases == PHASES.index("end")), len(known))
    odd = begin_often | end_often | ((begins >= 0) & (ends >= 0) & (ends < begins))
    begins[odd] = ends[odd] = -1
    left = np.flatnonzero(odd[of_marks])
    if len(left):
        numbers: list[int] = keys[left].tolist()
        codes: list[int] = phases[left].tolist()
        calls = calls_of(((key,), PHASES[phase]) for key, phase in zip(numbers, codes, strict=True))
        # One more, of no event: what the mark -1 finds.
        marks = np.append(left, -1)
        begins = np.append(begins, marks[np.array(calls.begins, np.intp)])
        ends = np.append(ends, marks[np.array(calls.ends, np.intp)])
        of_marks[left] = len(known) + np.array(calls.of_marks, np.intp)
    return Pairs(begins, ends, of_marks)


def _only(of_marks: Places, marks: Places, count: int) -> tuple[Places, NDArray[np.bool_]]:
    """Give for each of so many keys the one of these marks that is of it, -1 for none, and whether there are more."""
    mark_of = np.full(count, -1, np.intp)
    mark_of[of_marks[marks]] = marks
    return mark_of, np.bincount(of_marks[marks], minlength=count) > 1
