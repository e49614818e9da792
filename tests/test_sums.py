"""What a run comes to, in `runs_df` and in `Run`, and what its parts do, in the other frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from locus_nb import EventBus, Run, events_df, model_calls_df, runs_df, spans_df, tools_df
from tests.test_spans import PRICES, SECRET, at, cells, model, published, tool

if TYPE_CHECKING:
    import pandas as pd

USED: dict[str, Any] = {"prompt_tokens": 100, "completion_tokens": 10}


def only(frame: pd.DataFrame, name: str) -> Any:
    """Give the cell of a frame that has one row."""
    ((cell,),) = cells(frame, name)
    return cell


def test_secrets_in_ids_do_not_join_calls() -> None:
    """Calls whose ids look like secrets stay apart, though the frame shows none of these ids."""
    ids = [f"{SECRET}{n}" for n in range(4)]
    events = [tool(n, "started", span) for n, span in enumerate(ids)]
    events += [tool(9 - n, "completed", span, success=True) for n, span in enumerate(ids)]
    bus = published(*events)
    for redact in (True, False):
        frame = tools_df(source=bus, redact=redact)
        assert cells(frame, "start_time", "end_time") == [(0, 9), (1, 8), (2, 7), (3, 6)]
    assert SECRET not in tools_df(source=bus).to_csv()
    assert only(runs_df(source=bus), "tool_calls") == 4


def test_calls_of_one_tool_at_once_without_an_id() -> None:
    """Two calls of one tool that name no id are two, each with an end: each end belongs to the latest open start."""
    events = [tool(0, "started", None), tool(1, "started", None), tool(3, "completed", None)]
    assert cells(spans_df(events), "start_time", "end_time") == [(0, None), (1, 3)]
    events.append(tool(4, "completed", None))
    assert cells(spans_df(events), "start_time", "end_time") == [(0, 4), (1, 3)]
    assert only(runs_df(events), "tool_calls") == Run("r", source=published(*events)).tools_df().shape[0] == 2


@pytest.mark.parametrize("odd", [np.int64(5), 5.0, type("Whole", (int,), {})(5)])
def test_numbers_of_any_type_are_read_alike(odd: Any) -> None:
    """A whole number of another type is one in a run as it is in its events."""
    events = [at(0, "agent.think", iteration=odd), model(1, "used", prompt_tokens=odd, completion_tokens=odd)]
    assert cells(events_df(events), "iteration", "input_tokens") == [(5, None), (None, 5)]
    assert cells(runs_df(events), "iterations", "input_tokens", "total_tokens") == [(5, 5, 10)]


def test_names_of_any_type_are_read_alike() -> None:
    """Calls without an id whose names are no texts are counted as they have rows."""
    events = [tool(n, what, None, tool_name=name) for n, (what, name) in enumerate(ODD_NAMES)]
    run = Run("r", source=published(*events))
    assert only(runs_df(events), "tool_calls") == len(tools_df(events)) == len(run.tools_df())


ODD_NAMES: list[tuple[str, Any]] = [
    ("started", 3),
    ("completed", None),
    ("started", b"x"),
    ("completed", "b'x'"),
    ("started", type("Name", (str,), {})("y")),
    ("completed", "y"),
    ("started", "\ud800"),
    ("completed", "\ud800"),
]


def test_counts_that_64_bits_do_not_hold() -> None:
    """A sum beyond 64 bits is missing in a frame, and right of a run; it never wraps around."""
    bus = published(*[model(n, "used", str(n), prompt_tokens=2**62, completion_tokens=1) for n in range(2)])
    assert cells(runs_df(source=bus), "input_tokens", "output_tokens", "total_tokens") == [(None, 2, None)]
    assert Run("r", source=bus).tokens[:2] == (2**63, 2)


def test_tokens_that_come_first() -> None:
    """Tokens told before their call, or before an end whose start was trimmed, are that call's."""
    used, started, completed = model(0, "used", **USED), model(1, "started"), model(2, "completed")
    for events in ([used, started, completed], [used, completed], [used, started]):
        frame = model_calls_df(events)
        assert only(frame, "input_tokens") == only(runs_df(events), "input_tokens") == 100
    bus = EventBus(history_per_run=2)
    for what in ("started", "used", "completed"):
        bus.publish_nowait(model(0, what, **USED))
    assert (
        only(model_calls_df(source=bus), "total_tokens") == only(runs_df(source=bus), "total_tokens") == 110
    )


def test_an_id_used_again_has_tokens_of_its_own() -> None:
    """Of two calls of one id each has what was told since it began, and the run has both."""
    events = [model(n, what, **told) for n, (what, told) in enumerate(TWICE)]
    assert cells(model_calls_df(events), "input_tokens", "cost_usd") == [(100, 0.5), (None, 0.25)]
    assert cells(runs_df(events), "input_tokens", "cost_usd") == [(100, 0.75)]


TWICE: list[tuple[str, dict[str, Any]]] = [
    ("started", {}),
    ("completed", {"cost_usd": 0.5}),
    ("used", USED),
    ("started", {}),
    ("completed", {"cost_usd": 0.25}),
]


def test_a_total_at_the_end_is_no_part() -> None:
    """What `agent.terminate` tells is the whole cost: it counts where that of the calls is not known, and only then."""
    told = [model(0, "used", cost_usd=0.5, **USED), model(1, "completed", cost_usd=0.5)]
    end = at(2, "agent.terminate", reason="complete", cost_usd=0.75)
    assert only(model_calls_df([*told, end]), "cost_usd") == only(runs_df([*told, end]), "cost_usd") == 0.5
    untold = [*told, model(1, "used", "n", **USED), end]
    assert only(runs_df(untold), "cost_usd") == only(runs_df(untold, prices=PRICES), "cost_usd") == 0.75
    assert only(runs_df([end]), "cost_usd") == Run("r", source=published(end)).cost == 0.75


def test_a_call_is_priced_by_the_model_it_names() -> None:
    """Tokens that name no model are priced by that of their call, in calls and in runs."""
    for events in (
        [model(0, "started"), at(1, "agent.tokens.used", span_id="m", **USED)],
        [at(0, "agent.tokens.used", span_id="m", **USED), model(1, "completed")],
    ):
        costs = [only(frame_of(events, prices=PRICES), "cost_usd") for frame_of in (model_calls_df, runs_df)]
        assert costs == [pytest.approx((100 * 10 + 10 * 50) / 1e6)] * 2


def test_a_span_is_named_by_what_it_is_of() -> None:
    """An agent's span is named after the agent, a model's after the model, whatever else they name."""
    both = {"model": "mock", "agent_name": "planner", "tool_name": "search", "span_id": "s"}
    types = [
        "multiagent.specialist.started",
        "agent.model.started",
        "agent.tool.started",
        "rag.query.started",
    ]
    named = spans_df([at(n, each, **both) for n, each in enumerate(types)])["name"]
    assert list(named) == ["planner", "mock", "search", "rag.query"]
