"""What an agent and a model say to each other, and what a model is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from locus_nb._agent.tool import Tool


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A model's wish to have a tool called.

    Attributes:
        name: The tool.
        arguments: JSON values by parameter name.
        id: What the tool's answer refers to; may be empty where the model has no such thing.
    """

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict[str, Any])
    id: str = ""


@dataclass(frozen=True, slots=True)
class ModelReply:
    """One answer of a model: text, tools to call, or both; the tokens are for this call alone.

    Attributes:
        content: Text; may be empty beside tool calls.
        tool_calls: Tools to call, in this order; none for a final answer.
        stop_reason: Why the model stopped, in its own word.
        prompt_tokens: Tokens read, cached ones included.
        completion_tokens: Tokens written.
        cache_read_tokens: Those of the prompt's that came from the provider's cache.
        cache_write_tokens: Those of the prompt's that went into it.
    """

    content: str = ""
    tool_calls: Sequence[ToolCall] = ()
    stop_reason: str = "end_turn"
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the conversation that a model is given.

    Attributes:
        role: Who says it; `tool` is a tool's output.
        content: The text.
        tool_calls: Of an assistant: the tools it called.
        tool_call_id: Of a tool: the id of the call that it answers.
        tool_name: Of a tool: its name.
    """

    role: Literal["system", "user", "assistant", "tool"]
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""
    tool_name: str = ""


@runtime_checkable
class Model(Protocol):
    """What an `Agent` needs of a model. One object may serve many runs at once, on several loops.

    It may also have a `name` (a str, told in events; default, also if it cannot be read: the class's name)
    and be a `StreamingModel`.
    """

    async def complete(self, messages: Sequence[Message], tools: Sequence[Tool[..., Any]]) -> ModelReply:
        """Answer `messages`, of which the last is the user's or a tool's; may call the `tools`.

        Cancelled, it ends within 5 s, or it is left to itself. What it raises ends the agent's run.
        """
        ...


@runtime_checkable
class StreamingModel(Protocol):
    """A model that can also answer piece by piece."""

    def stream(
        self, messages: Sequence[Message], tools: Sequence[Tool[..., Any]]
    ) -> AsyncIterator[str | ModelReply]:
        """Yield the answer's text in pieces, then, last, the whole `ModelReply`."""
        ...
