"""What became of the steps of one run in another: the same, changed, added, removed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from locus_nb._diff.align import align

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

    from locus_nb._runs.steps import Step

Change = Literal["same", "changed", "added", "removed"]
CHANGES: tuple[Change, ...] = ("same", "changed", "added", "removed")


class StepChange(NamedTuple):
    """A step of `a`, of `b`, or of both.

    Attributes:
        change: `same`, `changed`, `added` (only `b` has it) or `removed` (only `a` has it).
        what: For a changed step, which of `status`, `arguments`, `error` and `output` differ; `output` only if
            the errors do not.
        a: The step in `a`.
        b: The step in `b`.
    """

    change: Change
    what: tuple[str, ...]
    a: Step | None
    b: Step | None

    @property
    def either(self) -> Step:
        """The step as `b` has it, else as `a` does."""
        step = self.b or self.a
        if step is None:
            raise ValueError("A StepChange is of at least one step")
        return step


def step_changes(a: Sequence[Step], b: Sequence[Step]) -> list[StepChange]:
    """Align the steps of two runs, as `diff` promises, and say what became of each."""
    pairs = align([_member(step) for step in a], [_member(step) for step in b])
    return [
        _change(None if left is None else a[left], None if right is None else b[right])
        for left, right in pairs
    ]


def _member(step: Step) -> tuple[Hashable, Hashable]:
    return step.key, (step.status, step.error, step.arguments, step.preview)


def _change(a: Step | None, b: Step | None) -> StepChange:
    if a is None or b is None:
        return StepChange("added" if a is None else "removed", (), a, b)
    what = tuple(_differences(a, b))
    return StepChange("changed" if what else "same", what, a, b)


def _differences(a: Step, b: Step) -> Iterator[str]:
    if a.status != b.status:
        yield "status"
    if a.arguments != b.arguments:
        yield "arguments"
    if a.error != b.error:
        # What came out of a call that failed is its error.
        yield "error"
    elif a.preview != b.preview:
        yield "output"
