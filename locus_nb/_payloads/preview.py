"""One line about an event: what a table shows of its payload."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

from locus_nb import event_types
from locus_nb._wire import MAX_PREVIEW, dumps

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Columns = Mapping[str, Sequence[Any]]


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
    return previews_of(event_type, (data,), {key: (value,) for key, value in data.items()})[0]


def previews_of(
    event_type: str, payloads: Sequence[Mapping[str, Any]], columns: Mapping[str, Sequence[Any]]
) -> list[str]:
    """Give the preview of each payload of one event type.

    `columns` are the same payloads the other way round: for each key that all of them have, the values.
    """
    form = _FORMS.get(event_type)
    previews = form(columns) if form is not None else None
    if previews is None and form is not None and len(payloads) > 1:
        return [preview_of(event_type, data) for data in payloads]
    if previews is None:
        return [_of_any(data)[:MAX_PREVIEW] for data in payloads]
    if all(previews) and max(map(len, previews)) <= MAX_PREVIEW:
        return list(previews)
    return [
        preview[:MAX_PREVIEW] or _of_any(data)[:MAX_PREVIEW]
        for preview, data in zip(previews, payloads, strict=True)
    ]


def _of_any(data: Mapping[str, Any]) -> str:
    for key, value in data.items():
        if key.endswith("preview") and isinstance(value, str) and value:
            return value
    return dumps(data) if data else ""


# A form takes the values of each key and gives a preview for each payload, an empty one where it has nothing
# to say; None if a key it needs is missing or has values of another type, or if only some of the values under
# a key it can do without are of the right one. Then each payload has to be seen alone.


def _model_started(columns: Columns) -> Sequence[str] | None:
    models, messages = _texts(columns, "model"), _counts(columns, "message_count")
    tools = _counts(columns, "tool_count")
    if models is None or messages is None or tools is None:
        return None
    counted = zip(models, _each_some(messages, "message"), _each_some(tools, "tool"), strict=True)
    return [f"{model}, {message_count}, {tool_count}" for model, message_count, tool_count in counted]


def _model_completed(columns: Columns) -> Sequence[str] | None:
    return _texts_or_calls(columns, "content_preview")


def _think(columns: Columns) -> Sequence[str] | None:
    return _texts_or_calls(columns, "reasoning_preview")


def _texts_or_calls(columns: Columns, key: str) -> Sequence[str] | None:
    texts, calls = _texts(columns, key), _counts(columns, "tool_call_count")
    if texts is None or all(texts):
        return texts
    if calls is None:
        return None if _any_of(int, columns, "tool_call_count") else texts
    return list(map(_first, texts, _each_some(calls, "tool call")))


def _tokens_used(columns: Columns) -> Sequence[str] | None:
    prompts, completions = _counts(columns, "prompt_tokens"), _counts(columns, "completion_tokens")
    if prompts is None or completions is None:
        return None
    cached = _counts(columns, "cache_read_tokens")
    if cached is None:
        if _any_of(int, columns, "cache_read_tokens"):
            return None
        cached = (0,) * len(prompts)
    return [
        f"{prompt} ({read} cached) + {completion} tokens" if read else f"{prompt} + {completion} tokens"
        for prompt, read, completion in zip(prompts, cached, completions, strict=True)
    ]


def _tool_started(columns: Columns) -> Sequence[str] | None:
    names, keys = _texts(columns, "tool_name"), columns.get("arg_keys", ())
    if names is None or set(map(type, keys)) != {list}:
        return None
    if not set(map(type, chain.from_iterable(keys))) <= {str}:
        keys = [map(str, each) for each in keys]
    return [f"{name}({', '.join(each)})" if name else "" for name, each in zip(names, keys, strict=True)]


def _tool_completed(columns: Columns) -> Sequence[str] | None:
    names, outputs = _texts(columns, "tool_name"), _texts(columns, "output_preview")
    if names is None or outputs is None:
        return None
    errors = _texts(columns, "error")
    if errors is None:
        if _any_of(str, columns, "error"):
            return None
        errors = ("",) * len(names)
    results = map(_first, errors, outputs)
    return [f"{name}: {result}" if result else name for name, result in zip(names, results, strict=True)]


def _terminate(columns: Columns) -> Sequence[str] | None:
    reasons, messages = _texts(columns, "reason"), _texts(columns, "final_message_preview")
    if reasons is None or messages is None:
        return None
    return [
        (message if reason == "complete" else f"{reason}: {message}") if message else reason
        for reason, message in zip(reasons, messages, strict=True)
    ]


def _interrupt(columns: Columns) -> Sequence[str] | None:
    questions, options = _texts(columns, "question_preview"), columns.get("options", ())
    if questions is None or not set(map(type, options)) <= {list, type(None)}:
        return None
    return [
        f"{question} [{' / '.join(map(str, each))}]" if each else question
        for question, each in zip(questions, options, strict=True)
    ]


def _interrupt_completed(columns: Columns) -> Sequence[str] | None:
    questions, answers = _texts(columns, "question_preview"), _texts(columns, "answer_preview")
    ways, errors = _texts(columns, "answered_by"), _texts(columns, "error")
    if questions is None or answers is None or ways is None or errors is None:
        return None
    return [
        f"{question} {error}" if error else f"{question} → {answer} ({way})"
        for question, answer, way, error in zip(questions, answers, ways, errors, strict=True)
    ]


def _texts(columns: Columns, key: str) -> Sequence[str] | None:
    values = columns.get(key, ())
    kinds = set(map(type, values))
    if kinds == {str}:
        return values
    return [value or "" for value in values] if kinds and kinds <= {str, type(None)} else None


def _counts(columns: Columns, key: str) -> Sequence[int] | None:
    values = columns.get(key, ())
    return values if set(map(type, values)) == {int} else None


def _any_of(kind: type, columns: Columns, key: str) -> bool:
    return kind in set(map(type, columns.get(key, ())))


def _each_some(counts: Sequence[int], what: str) -> Sequence[str]:
    # Counts repeat.
    said = {count: _some(count, what) for count in set(counts)}
    return [said[count] for count in counts]


def _some(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _first(text: str, other: str) -> str:
    return text or other


_FORMS: dict[str, Callable[[Columns], Sequence[str] | None]] = {
    event_types.AGENT_THINK: _think,
    event_types.AGENT_MODEL_STARTED: _model_started,
    event_types.AGENT_MODEL_COMPLETED: _model_completed,
    event_types.AGENT_TOKENS_USED: _tokens_used,
    event_types.AGENT_TOOL_STARTED: _tool_started,
    event_types.AGENT_TOOL_COMPLETED: _tool_completed,
    event_types.AGENT_TERMINATE: _terminate,
    event_types.AGENT_INTERRUPT: _interrupt,
    event_types.AGENT_INTERRUPT_COMPLETED: _interrupt_completed,
}
