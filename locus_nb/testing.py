"""What tests of agents need: a model that plays a script, and the records it plays."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from locus_nb._agent.messages import Message, ModelReply, ToolCall

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Sequence

    from locus_nb._agent.tool import Tool

__all__ = ["ScriptedCall", "ScriptedModel"]


@dataclass(frozen=True, slots=True)
class ScriptedCall:
    """What a `ScriptedModel` was called with.

    Attributes:
        messages: The conversation at that moment.
        tools: The tools that were offered.
    """

    messages: tuple[Message, ...]
    tools: tuple[Tool[..., Any], ...]


class ScriptedModel:
    """A model that plays the given replies, one a call, and records what it was called with.

    Args:
        replies: In order: a str is a final answer, a `ToolCall` is a reply that wants just this tool, a
            `ModelReply` is given as it is, an exception (object or class) is raised.
        latency: Simulated seconds a call.

    Attributes:
        calls: A `ScriptedCall` for each call so far.

    Raises:
        TypeError: A reply is none of these, or `replies` is not a series of them.

    Example:
        >>> from locus_nb import Agent, ToolCall, tool
        >>> from locus_nb.testing import ScriptedModel
        >>> @tool
        ... def double(n: int) -> int:
        ...     return 2 * n
        >>> model = ScriptedModel([ToolCall("double", {"n": 21}), "It is 42."])
        >>> Agent(model, tools=[double]).run_sync("Double 21").message
        'It is 42.'
        >>> model.calls[1].messages[-1].content
        '42'
    """

    name = "scripted"

    def __init__(
        self,
        replies: Iterable[str | ToolCall | ModelReply | BaseException | type[BaseException]],
        *,
        latency: float = 0.0,
    ) -> None:
        if isinstance(replies, str):
            raise TypeError("ScriptedModel takes a list of replies, not one str: write ScriptedModel([...])")
        self._replies = deque(_reply(position, reply) for position, reply in enumerate(replies))
        self._length = len(self._replies)
        self._latency = latency
        self.calls: list[ScriptedCall] = []

    @property
    def remaining(self) -> int:
        """Replies that have not been played yet."""
        return len(self._replies)

    async def complete(self, messages: Sequence[Message], tools: Sequence[Tool[..., Any]]) -> ModelReply:
        """Play the next reply.

        Raises:
            RuntimeError: The script is over.
            BaseException: The script says so.
        """
        self.calls.append(ScriptedCall(tuple(messages), tuple(tools)))
        try:
            reply = self._replies.popleft()
        except IndexError:
            raise RuntimeError(
                f"ScriptedModel was called once more than its {self._length} replies: add a reply, or look "
                "at `calls` for what the agent asked"
            ) from None
        await asyncio.sleep(self._latency)
        if isinstance(reply, ModelReply):
            return reply
        raise reply

    async def stream(
        self, messages: Sequence[Message], tools: Sequence[Tool[..., Any]]
    ) -> AsyncIterator[str | ModelReply]:
        """Play the next reply word by word, then whole."""
        reply = await self.complete(messages, tools)
        for piece in re.findall(r"\s*\S+\s*", reply.content):
            yield piece
            await asyncio.sleep(0)
        yield reply


def _reply(position: int, reply: object) -> ModelReply | BaseException | type[BaseException]:
    if isinstance(reply, str):
        return ModelReply(reply)
    if isinstance(reply, ToolCall):
        return ModelReply(tool_calls=(reply,), stop_reason="tool_use")
    if isinstance(reply, ModelReply | BaseException):
        return reply
    if isinstance(reply, type) and issubclass(reply, BaseException):
        return reply
    raise TypeError(
        f"ScriptedModel: reply {position} is a {type(cast('object', reply)).__name__}; it plays a str, a "
        "ToolCall, a ModelReply or an exception"
    )
