"""The calls that many events make, found at once, are those that the rule finds one by one."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from locus_nb._frames.pairs import PHASES, pairs_of
from locus_nb._sums.calls import calls_of


@given(st.lists(st.tuples(st.integers(0, 4), st.sampled_from(PHASES)), max_size=40))
def test_pairs_are_those_of_the_rule(marks: list[tuple[int, str]]) -> None:
    """Each event is of the call of which the rule says it is, and each call begins and ends with the same events."""
    keys = np.array([key for key, _ in marks], np.int64)
    pairs = pairs_of(keys, np.array([PHASES.index(phase) for _, phase in marks], np.int8))
    calls = calls_of(((key,), phase) for key, phase in marks)
    found = [(pairs.begins[call], pairs.ends[call]) for call in pairs.of_marks]
    assert found == [(calls.begins[call], calls.ends[call]) for call in calls.of_marks]
    # Nothing begins or ends a call that no event is of.
    whole = {call for call in range(len(pairs.begins)) if pairs.begins[call] >= 0 or pairs.ends[call] >= 0}
    assert whole <= set(pairs.of_marks.tolist())
    assert len(set(pairs.of_marks.tolist())) == len(calls.begins)
