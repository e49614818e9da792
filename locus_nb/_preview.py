"""One line about an event: what a table shows of its payload."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from locus_nb import event_types
from locus_nb._wire import dumps

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LONGEST_PREVIEW = 240


def preview_of(event_type: str, data: Mapping[str, Any]) -> str:
    """Say in at most 240 characters what an event is about, without an ellipsis where it is cut.

    The agent's own events have a form each: a tool's call as `name(argument, ...)`, its result as
    `name: output`, an answer as its text, used tokens as counts. Of any other payload it is the first text
    under a key that ends in `preview`, else the payload as compact JSON; of an empty one the empty text. A
    payload that lacks what its form needs, or has it in another type, is shown as any other.

    Secrets are not taken out here: give it a payload that has been redacted. Never raises for a payload
    that `jsonable` gave.

    Example:
        >>> preview_of("agent.tool.started", {"tool_name": "weather", "arg_keys": ["city"]})
        'weather(city)'
        >>> preview_of("rag.store.search", {"hits": 3})
        '{"hits":3}'
    """
    form = _FORMS.get(event_type)
    preview = form(data) if form is not None else ""
    return (preview or _of_any(data))[:LONGEST_PREVIEW]


def _of_any(data: Mapping[str, Any]) -> str:
    for key, value in data.items():
        if key.endswith("preview") and isinstance(value, str) and value:
            return value
    return dumps(data) if data else ""


def _text(data: Mapping[str, Any], key: str) -> str:
    value = data.get(key)
    return value if isinstance(value, str) else ""


def _count(data: Mapping[str, Any], key: str, what: str) -> str:
    """Give `3 whats`, and nothing for a count that is none."""
    value = data.get(key)
    if type(value) is not int:
        return ""
    return f"{value} {what}" if value == 1 else f"{value} {what}s"


def _listed(*parts: str) -> str:
    return ", ".join(filter(None, parts))


def _think(data: Mapping[str, Any]) -> str:
    return _text(data, "reasoning_preview") or _count(data, "tool_call_count", "tool call")


def _model_started(data: Mapping[str, Any]) -> str:
    counts = (_count(data, "message_count", "message"), _count(data, "tool_count", "tool"))
    return _listed(_text(data, "model"), *counts)


def _model_completed(data: Mapping[str, Any]) -> str:
    return _text(data, "content_preview") or _count(data, "tool_call_count", "tool call")


def _tokens_used(data: Mapping[str, Any]) -> str:
    prompt, completion = data.get("prompt_tokens"), data.get("completion_tokens")
    if type(prompt) is not int or type(completion) is not int:
        return ""
    cached = data.get("cache_read_tokens")
    note = f" ({cached} cached)" if type(cached) is int and cached else ""
    return f"{prompt}{note} + {completion} tokens"


def _tool_started(data: Mapping[str, Any]) -> str:
    name, keys = _text(data, "tool_name"), data.get("arg_keys")
    if not name or not isinstance(keys, list):
        return name
    return f"{name}({', '.join(map(str, cast('list[object]', keys)))})"


def _tool_completed(data: Mapping[str, Any]) -> str:
    name = _text(data, "tool_name")
    result = _text(data, "error") or _text(data, "output_preview")
    return f"{name}: {result}" if name and result else name or result


def _terminate(data: Mapping[str, Any]) -> str:
    reason, message = _text(data, "reason"), _text(data, "final_message_preview")
    if reason == "complete" and message:
        return message
    return f"{reason}: {message}" if reason and message else reason or message


_FORMS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    event_types.AGENT_THINK: _think,
    event_types.AGENT_MODEL_STARTED: _model_started,
    event_types.AGENT_MODEL_COMPLETED: _model_completed,
    event_types.AGENT_TOKENS_USED: _tokens_used,
    event_types.AGENT_TOOL_STARTED: _tool_started,
    event_types.AGENT_TOOL_COMPLETED: _tool_completed,
    event_types.AGENT_TERMINATE: _terminate,
}
