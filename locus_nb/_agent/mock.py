"""A model without a network: the same answer to the same messages, tools called when they fit."""

from __future__ import annotations

import asyncio
import math
import re
from typing import TYPE_CHECKING, Any, cast

from locus_nb._agent.messages import Message, ModelReply, ToolCall
from locus_nb._wire import dumps

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from locus_nb._agent.tool import Tool

_WORD = re.compile(r"[^\W\d_]+")
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?!\w)")
_QUOTED = re.compile(r"\"([^\"]+)\"|“([^”]+)”|(?<!\w)'([^']+)'(?!\w)")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_CHARS_PER_TOKEN = 4
_SHOWN_CHARS = 500
_FILLER_WORDS = """
a about all an and any are as at be by can could do does find for from get give has have how i in into is it
its me my of on or our please show tell that the their them then there they this to us use using want was we
were what when where which who will with would you your
"""
# Stems, as `_words` makes them.
_MEANING = {
    "plus": "add",
    "sum": "add",
    "minus": "subtract",
    "time": "multiply",
    "product": "multiply",
    "over": "divide",
}
_SYMBOLS = {"+": "add", "-": "subtract", "*": "multiply", "/": "divide"}
_OPERATION = re.compile(r"\d\s*([-+*/])\s*-?\d")


class MockModel:
    """Deterministic, offline, and it calls tools when it should.

    A tool is called, once for each user message, when its name shares a word with that message; only if no
    offered tool's name does, a word shared with a description or a parameter is enough. One tool a reply,
    in the order they are offered. Numbers of the message become number arguments, quoted texts or the
    words that remain become strings. Then it answers with what the tools gave. Tokens are a quarter of the
    characters, rounded up.

    Args:
        latency: Simulated seconds a call; 0 for none.

    Raises:
        TypeError, ValueError: `latency` is not a number, or is negative or not finite.
    """

    name = "mock"

    def __init__(self, *, latency: float = 0.02) -> None:
        if isinstance(latency, bool) or not isinstance(cast("object", latency), int | float):
            raise TypeError(f"MockModel takes seconds as latency, not {type(latency).__name__}")
        if not 0 <= latency < math.inf:
            raise ValueError(f"MockModel takes 0 or more seconds as latency, not {latency}")
        self.latency = latency

    async def complete(self, messages: Sequence[Message], tools: Sequence[Tool[..., Any]]) -> ModelReply:
        """Answer after `latency` seconds; see the class for how."""
        await asyncio.sleep(self.latency)
        return _reply(messages, tools)

    async def stream(
        self, messages: Sequence[Message], tools: Sequence[Tool[..., Any]]
    ) -> AsyncIterator[str | ModelReply]:
        """Give the same answer word by word, then whole."""
        reply = await self.complete(messages, tools)
        for piece in re.findall(r"\S+\s*", reply.content):
            yield piece
            await asyncio.sleep(0)
        yield reply


def tokens(text: str) -> int:
    """Count as the mock does: a quarter of the characters, rounded up."""
    return math.ceil(len(text) / _CHARS_PER_TOKEN)


def _reply(messages: Sequence[Message], tools: Sequence[Tool[..., Any]]) -> ModelReply:
    last = max((i for i, message in enumerate(messages) if message.role == "user"), default=-1)
    prompt = messages[last].content if last >= 0 else ""
    since = messages[last + 1 :]
    called = {call.name for message in since for call in message.tool_calls}
    tool = next((tool for tool in _fitting(prompt, tools) if tool.name not in called), None)
    prompt_tokens = sum(_message_tokens(message) for message in messages) + sum(map(_tool_tokens, tools))
    if tool is None:
        content = _answer(prompt, since)
        return ModelReply(content, prompt_tokens=prompt_tokens, completion_tokens=tokens(content))
    number = 1 + sum(len(message.tool_calls) for message in messages)
    arguments = _Filling(prompt, tool, tools).arguments()
    call = ToolCall(tool.name, arguments, f"call_{number}")
    content = f"I call {tool.name}."
    return ModelReply(
        content,
        (call,),
        stop_reason="tool_use",
        prompt_tokens=prompt_tokens,
        completion_tokens=tokens(content) + _call_tokens(call),
    )


def _message_tokens(message: Message) -> int:
    return tokens(message.content) + sum(map(_call_tokens, message.tool_calls))


def _call_tokens(call: ToolCall) -> int:
    return tokens(call.name) + tokens(dumps(call.arguments))


def _tool_tokens(tool: Tool[..., Any]) -> int:
    return tokens(tool.name) + tokens(tool.description) + tokens(dumps(tool.parameters))


def _answer(prompt: str, since: Sequence[Message]) -> str:
    results = [message for message in since if message.role == "tool"]
    if not results:
        return f"This is the mock's answer to: {prompt[:_SHOWN_CHARS]}"
    return "; ".join(f"{message.tool_name} gave {message.content[:_SHOWN_CHARS]}" for message in results)


def _words(text: str) -> set[str]:
    """Give the stems of the words of `text`, and of what its arithmetic means; fillers only if all are."""
    words = {_stem(word) for word in _WORD.findall(_CAMEL.sub(" ", text.replace("_", " ")))}
    words |= {_MEANING[word] for word in words & _MEANING.keys()}
    words |= {_SYMBOLS[symbol] for symbol in _OPERATION.findall(text)}
    return words - _FILLERS or words


def _stem(word: str) -> str:
    folded = word.casefold()
    return folded[:-1] if len(folded) > 3 and folded.endswith("s") and not folded.endswith("ss") else folded  # noqa: PLR2004 - "is", "bus" are no plurals


def _fitting(prompt: str, tools: Sequence[Tool[..., Any]]) -> list[Tool[..., Any]]:
    words = _words(prompt)
    by_name = [tool for tool in tools if words & _words(tool.name)]
    return by_name or [
        tool
        for tool in tools
        if words & (_words(tool.description) | _words(" ".join(tool.parameters["properties"])))
    ]


class _Filling:
    """The parts of a prompt that have not become an argument yet."""

    def __init__(self, prompt: str, tool: Tool[..., Any], offered: Sequence[Tool[..., Any]]) -> None:
        self._prompt = prompt
        self._schema = tool.parameters
        quoted = list(_QUOTED.finditer(prompt))
        self._quoted = [next(text for text in match.groups() if text) for match in quoted]
        rest = _QUOTED.sub(" ", prompt)
        self._numbers = [float(number) for number in _NUMBER.findall(rest)]
        self._spent = self._numbers[-1] if self._numbers else 1.0
        # What names a tool, a parameter or a choice is an order and not itself an argument.
        properties: dict[str, dict[str, Any]] = tool.parameters["properties"]
        schemas = map(_member, properties.values())
        choices = [str(choice) for schema in schemas for choice in schema.get("enum", ())]
        names = [*properties, *choices, *(other.name for other in offered)]
        known = _FILLERS.union(*map(_words, names))
        self._words = [word for word in re.findall(r"\w[\w'-]*", rest) if self._is_free(word, known)]

    @staticmethod
    def _is_free(word: str, known: frozenset[str]) -> bool:
        bare = word.partition("'")[0]
        return not _NUMBER.fullmatch(word) and _stem(bare) not in known

    def arguments(self) -> dict[str, Any]:
        properties: dict[str, dict[str, Any]] = self._schema["properties"]
        required: list[str] = self._schema["required"]
        texts = sum(_type(properties[name]) == "string" for name in required)
        filled: dict[str, Any] = {}
        for name, schema in properties.items():
            if name in required:
                texts -= _type(schema) == "string"
                filled[name] = self._value(name, schema, texts)
            elif self._has(schema):
                filled[name] = self._value(name, schema, 0)
        return filled

    def _has(self, schema: dict[str, Any]) -> bool:
        """Whether the prompt says something that an optional parameter would take."""
        schema = _member(schema)
        if "enum" in schema:
            return self._mentioned(schema["enum"]) is not None
        wanted = _type(schema)
        return bool(self._quoted if wanted == "string" else wanted in ("integer", "number") and self._numbers)

    def _value(self, name: str, schema: dict[str, Any], later: int) -> Any:
        schema = _member(schema)
        if "enum" in schema:
            mentioned = self._mentioned(schema["enum"])
            return schema["enum"][0] if mentioned is None else mentioned
        fill: dict[str, Callable[[], Any]] = {
            "string": lambda: self._text(later),
            "integer": lambda: int(self._number()),
            "number": self._number,
            "boolean": lambda: bool(_words(name) & _words(self._prompt)),
            "array": lambda: self._array(_member(schema.get("items", {}))),
            "object": dict[str, Any],
            "null": lambda: None,
        }
        return fill.get(_type(schema), lambda: self._text(0))()

    def _mentioned(self, choices: list[Any]) -> Any:
        words = {word.casefold() for word in re.findall(r"[\w.-]+", self._prompt)}
        return next((choice for choice in choices if str(choice).casefold() in words), None)

    def _number(self) -> float:
        return self._numbers.pop(0) if self._numbers else self._spent

    def _text(self, later: int) -> str:
        """Take a quoted text, else words; leaves one word for each of the `later` strings."""
        if self._quoted:
            return self._quoted.pop(0)
        count = max(1, len(self._words) - later)
        taken, self._words = self._words[:count], self._words[count:]
        return " ".join(taken) or self._prompt

    def _array(self, items: dict[str, Any]) -> list[Any]:
        wanted = _type(items)
        if wanted in ("integer", "number"):
            numbers, self._numbers = self._numbers, []
            return [int(number) if wanted == "integer" else number for number in numbers]
        if wanted not in ("string", ""):
            return []
        texts, self._quoted = self._quoted, []
        if not texts:
            texts, self._words = self._words, []
        return list(texts)


def _member(schema: dict[str, Any]) -> dict[str, Any]:
    """Give the schema itself, or of a union the first member that is not null."""
    members: list[dict[str, Any]] = schema.get("anyOf", [])
    return next((_member(member) for member in members if member.get("type") != "null"), schema)


def _type(schema: dict[str, Any]) -> str:
    kind = _member(schema).get("type", "")
    return kind if isinstance(kind, str) else str(kind[0])


_FILLERS = frozenset(map(_stem, _FILLER_WORDS.split()))
