"""What is folded into a call: the same in the page, in what stays of it, in steps and in frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from locus_nb import EventBus, diff, model_calls_df
from locus_nb._runs.steps import steps_of
from locus_nb._views.fold import fold
from locus_nb._views.rows import rows_of
from tests.run_kit import put

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.browser import Tab

    Tokens = tuple[int | None, int | None]

STARTED, COMPLETED, USED = "agent.model.started", "agent.model.completed", "agent.tokens.used"
IN, OUT = "prompt_tokens", "completion_tokens"
# The events of calls of a model, each with its payload; and what each call used.
CASES: dict[str, tuple[list[tuple[str, dict[str, Any]]], list[Tokens]]] = {
    "none": ([(STARTED, {}), (COMPLETED, {})], [(None, None)]),
    "once": ([(STARTED, {}), (USED, {IN: 5, OUT: 2}), (COMPLETED, {})], [(5, 2)]),
    "after its end": ([(STARTED, {}), (COMPLETED, {}), (USED, {IN: 5, OUT: 2})], [(5, 2)]),
    "twice": (
        [(STARTED, {}), (USED, {IN: 1, OUT: 0}), (COMPLETED, {}), (USED, {IN: 100, OUT: 7})],
        [(101, 7)],
    ),
    "a part each": (
        [(STARTED, {}), (USED, {IN: 4}), (USED, {OUT: 3}), (USED, {IN: 40, OUT: 30}), (COMPLETED, {})],
        [(44, 33)],
    ),
    "one part only": ([(STARTED, {}), (USED, {OUT: 3}), (USED, {OUT: 4}), (COMPLETED, {})], [(None, 7)]),
    "what is no number": (
        [(STARTED, {}), (USED, {IN: "many"}), (USED, {IN: 9, OUT: 1}), (USED, {}), (COMPLETED, {})],
        [(9, 1)],
    ),
    "cached ones besides": (
        [(STARTED, {}), (USED, {IN: 1, OUT: 1, "cache_read_tokens": 50}), (USED, {IN: 2}), (COMPLETED, {})],
        [(53, 1)],
    ),
    "streamed": ([(STARTED, {}), ("agent.model.chunk", {}), (USED, {IN: 1}), (COMPLETED, {})], [(1, None)]),
    "an id used again": (
        [
            *[(STARTED, {}), (USED, {IN: 1, OUT: 1}), (COMPLETED, {}), (USED, {IN: 2, OUT: 2})],
            *[(STARTED, {}), (USED, {IN: 30, OUT: 30}), (COMPLETED, {})],
        ],
        [(3, 3), (30, 30)],
    ),
}


def told(case: str) -> EventBus:
    """A bus with the events of a case in its run `r`, all of one id."""
    bus = EventBus()
    for event_type, payload in CASES[case][0]:
        put(bus, "r", event_type, span_id="m", **payload)
    return bus


def in_page(tab: Tab, rows: Sequence[Sequence[Any]]) -> list[Tokens]:
    """What the page says that each model call used."""
    found = tab.evaluate(
        """async (rows) => {
            const { Fold } = await import("/page/fold.js");
            const { Row } = await import("/page/row.js");
            const { RowStore } = await import("/page/store.js");
            const store = new RowStore();
            const fold = new Fold(store);
            // One by one, as they may come.
            rows.forEach((fields, index) => { store.merge(index, [new Row(fields)]); fold.update() });
            return fold.items.filter(({ phase }) => phase === "start")
                .map(({ used }) => [used?.inputTokens ?? null, used?.outputTokens ?? null]);
        }""",
        [list(row) for row in rows],
    )
    return [(prompt, completion) for prompt, completion in found]


@pytest.mark.parametrize("case", CASES)
def test_a_call_used_the_same_wherever_it_is_looked_at(case: str) -> None:
    """Of all that tells of a call's tokens frames, steps and the picture that stays give the sum."""
    bus = told(case)
    frame = model_calls_df("r", source=bus)[["input_tokens", "output_tokens"]].astype(object)
    assert [tuple(row) for row in frame.where(frame.notna(), None).to_numpy()] == CASES[case][1]
    events = bus.history("r")
    assert [(step.input_tokens, step.output_tokens) for step in steps_of(events)] == CASES[case][1]
    items = fold(rows_of(events))
    assert [item.lead.event_type for item in items] == [STARTED] * len(CASES[case][1])


@pytest.mark.parametrize("case", CASES)
def test_the_page_says_the_same(chromium_page: Tab, case: str) -> None:
    """The page folds the rows of a call into what frames say that it used."""
    assert in_page(chromium_page, rows_of(told(case).history("r"))) == CASES[case][1]


def test_a_sum_beyond_64_bits_is_unknown() -> None:
    """Counts whose sum is too large for a frame are unknown there and in a step; what else was told is not."""
    bus = EventBus()
    for event_type in (STARTED, USED, USED, COMPLETED):
        put(bus, "r", event_type, span_id="m", **({IN: 2**62, OUT: 1} if event_type == USED else {}))
    calls, steps = model_calls_df("r", source=bus), diff("r", "r", source=bus).df
    assert calls[["input_tokens", "output_tokens"]].isna().to_numpy().tolist() == [[True, False]]
    assert steps[["input_tokens_a", "output_tokens_a"]].isna().to_numpy().tolist() == [[True, False]]
    (step,) = steps_of(bus.history("r"))
    assert (step.input_tokens, step.output_tokens) == (None, 2)


def test_a_sum_is_said_as_one() -> None:
    """What one event told is said in its words, what several told as their sum."""
    (once,), (twice,) = (fold(rows_of(told(case).history("r"))) for case in ("once", "twice"))
    assert [item.used and item.used.preview for item in (once, twice)] == ["5 + 2 tokens", "101 + 7 tokens"]
