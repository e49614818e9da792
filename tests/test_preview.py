"""What the one line about an event says."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locus_nb import event_types
from locus_nb._payloads.preview import preview_of
from locus_nb._wire import MAX_PREVIEW, jsonable

AGENT_TYPES = [
    event_types.AGENT_THINK,
    event_types.AGENT_MODEL_STARTED,
    event_types.AGENT_MODEL_CHUNK,
    event_types.AGENT_MODEL_COMPLETED,
    event_types.AGENT_TOKENS_USED,
    event_types.AGENT_TOOL_STARTED,
    event_types.AGENT_TOOL_COMPLETED,
    event_types.AGENT_TERMINATE,
    event_types.AGENT_INTERRUPT,
    event_types.AGENT_INTERRUPT_COMPLETED,
]


ANSWERED = {"question_preview": "Deploy?", "answer_preview": "yes", "answered_by": "view", "error": None}


@pytest.mark.parametrize(
    "event_type,data,preview",
    [
        ("agent.interrupt", {"question_preview": "Deploy?", "options": ["yes", "no"]}, "Deploy? [yes / no]"),
        ("agent.interrupt", {"question_preview": "Which?", "options": None}, "Which?"),
        (
            "agent.interrupt",
            {"interrupt_id": "i", "question_preview": "Which?", "options": [1]},
            "Which? [1]",
        ),
        (
            "agent.interrupt",
            {"question_preview": 3, "options": None},
            '{"question_preview":3,"options":null}',
        ),
        ("agent.interrupt.completed", ANSWERED, "Deploy? → yes (view)"),
        ("agent.interrupt.completed", {**ANSWERED, "error": "interrupted"}, "Deploy? interrupted"),
        ("agent.interrupt.completed", {"answered_by": 3}, '{"answered_by":3}'),
        (
            "agent.think",
            {"iteration": 1, "reasoning_preview": "I look it up", "tool_call_count": 1},
            "I look it up",
        ),
        ("agent.think", {"iteration": 1, "reasoning_preview": "", "tool_call_count": 1}, "1 tool call"),
        (
            "agent.model.started",
            {"model": "mock", "message_count": 2, "tool_count": 1},
            "mock, 2 messages, 1 tool",
        ),
        ("agent.model.chunk", {"content_preview": "It is", "done": False}, "It is"),
        ("agent.model.completed", {"content_preview": "It is mild", "tool_call_count": 0}, "It is mild"),
        ("agent.model.completed", {"content_preview": "", "tool_call_count": 2}, "2 tool calls"),
        ("agent.tokens.used", {"prompt_tokens": 120, "completion_tokens": 30}, "120 + 30 tokens"),
        (
            "agent.tokens.used",
            {"prompt_tokens": 120, "completion_tokens": 30, "cache_read_tokens": 100},
            "120 (100 cached) + 30 tokens",
        ),
        ("agent.tool.started", {"tool_name": "weather", "arg_keys": ["city", "unit"]}, "weather(city, unit)"),
        ("agent.tool.started", {"tool_name": "now", "arg_keys": []}, "now()"),
        (
            "agent.tool.completed",
            {"tool_name": "weather", "output_preview": "18", "error": None},
            "weather: 18",
        ),
        (
            "agent.tool.completed",
            {"tool_name": "weather", "output_preview": "", "error": "no"},
            "weather: no",
        ),
        ("agent.terminate", {"reason": "complete", "final_message_preview": "Mild."}, "Mild."),
        ("agent.terminate", {"reason": "error", "final_message_preview": "boom"}, "error: boom"),
        ("agent.terminate", {"reason": "max_iterations", "final_message_preview": None}, "max_iterations"),
        ("rag.query.completed", {"hits": 3, "query_preview": "rain"}, "rain"),
        ("rag.query.completed", {"hits": 3, "query_preview": ""}, '{"hits":3,"query_preview":""}'),
        ("my.own", {"a": [1, None], "b": "é"}, '{"a":[1,null],"b":"é"}'),
        ("my.own", {}, ""),
    ],
    ids=str,
)
def test_each_form(event_type: str, data: dict[str, Any], preview: str) -> None:
    """Each of the agent's events has a form of its own; any other shows its preview, or its payload."""
    assert preview_of(event_type, data) == preview


@pytest.mark.parametrize("event_type", AGENT_TYPES)
@pytest.mark.parametrize("odd", [None, 3, True, 1.5, ["x"], {"a": 1}], ids=repr)
def test_a_payload_of_another_shape_is_shown_as_json(event_type: str, odd: object) -> None:
    """Where the fields of a form are missing or of another type, the whole payload is shown."""
    names = ["reasoning_preview", "model", "content_preview", "prompt_tokens", "tool_name", "reason"]
    data = {"iteration": odd, **dict.fromkeys(names, odd)}
    if odd != 3:
        assert json.loads(preview_of(event_type, data)) == data
    assert preview_of(event_type, {}) == ""


@pytest.mark.parametrize("event_type", [*AGENT_TYPES, "my.own"])
def test_a_preview_is_cut_at_240_characters(event_type: str) -> None:
    """A preview is the first 240 characters, and says nothing about the rest."""
    names = ["reasoning_preview", "content_preview", "tool_name", "reason", "model"]
    preview = preview_of(event_type, dict.fromkeys(names, "x" * 500))
    assert len(preview) == MAX_PREVIEW
    assert preview.endswith("x")


FIELDS = st.sampled_from(
    [
        *("reasoning_preview", "content_preview", "output_preview", "final_message_preview", "other_preview"),
        *(
            "tool_name",
            "arg_keys",
            "error",
            "reason",
            "model",
            "message_count",
            "tool_count",
            "tool_call_count",
        ),
        *("prompt_tokens", "completion_tokens", "cache_read_tokens"),
    ]
)
VALUES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers() | st.text())
)


@given(st.sampled_from([*AGENT_TYPES, "my.own"]), st.dictionaries(FIELDS | st.text(), VALUES))
def test_any_payload_has_a_preview(event_type: str, data: dict[str, Any]) -> None:
    """Whatever a payload holds, there is a preview of at most 240 characters that encodes to UTF-8."""
    preview = preview_of(event_type, jsonable(data))
    assert len(preview.encode("utf-8").decode("utf-8")) <= MAX_PREVIEW
    assert bool(preview) == bool(data)
