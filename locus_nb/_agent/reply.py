"""What a model replied, checked before anything is built on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from locus_nb._agent.messages import ModelReply, ToolCall

if TYPE_CHECKING:
    from collections.abc import Sequence

_COUNTS = ("prompt_tokens", "completion_tokens", "cache_read_tokens", "cache_write_tokens")


def checked_reply(reply: object, *, model: str, streamed: bool) -> ModelReply:
    """Give `reply` as what it must be.

    Raises:
        TypeError: It is no ModelReply, or a field is not what its type says; names `model` and the field.
    """
    if not isinstance(reply, ModelReply):
        way = "stream() must end with" if streamed else "complete() must return"
        raise TypeError(f"Model {model}: {way} a ModelReply, not {type(reply).__name__}")
    wrong = _wrong_field(reply)
    if wrong:
        raise TypeError(f"Model {model} gave a ModelReply whose {wrong}")
    return reply


def _wrong_field(reply: ModelReply) -> str:
    """Say which field of a reply is not what its type says; empty if all are."""
    fields: dict[str, object] = {name: getattr(reply, name) for name in ModelReply.__slots__}
    for name in ("content", "stop_reason"):
        if not isinstance(fields[name], str):
            return f"{name} is a {type(fields[name]).__name__}, not a str"
    for name in _COUNTS:
        if isinstance(fields[name], bool) or not isinstance(fields[name], int):
            return f"{name} is a {type(fields[name]).__name__}, not an int"
        if cast("int", fields[name]) < 0:
            return f"{name} is negative: {fields[name]}"
    calls = fields["tool_calls"]
    if not isinstance(calls, list | tuple):
        return f"tool_calls is a {type(calls).__name__}, not a sequence of ToolCall"
    for call in cast("Sequence[object]", calls):
        if not isinstance(call, ToolCall) or not isinstance(cast("object", call.name), str):
            return f"tool_calls holds a {type(call).__name__}, not a ToolCall with a str as name"
    return ""
