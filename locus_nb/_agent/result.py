"""What an agent answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Reason = Literal["complete", "max_iterations", "error", "interrupted"]


@dataclass(frozen=True, slots=True)
class TokenMetrics:
    """Tokens of all model calls of one answer; prompt tokens include cached ones."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


@dataclass(frozen=True, slots=True)
class ToolUse:
    """One tool call and what became of it.

    Attributes:
        name: The tool that the model named.
        arguments: What it passed.
        output: The text that the model was given; None if the call failed.
        error: What went wrong, at most 2,000 characters; None if nothing did.
    """

    name: str
    arguments: Mapping[str, Any]
    output: str | None
    error: str | None


@dataclass(frozen=True, slots=True)
class AgentResult:
    """What an agent answered.

    Attributes:
        message: The model's last text.
        metrics: Tokens of all model calls.
        tool_calls: Every tool call, in order.
        reason: `complete`, or `max_iterations` if the model still wanted tools at its last answer.
    """

    message: str
    metrics: TokenMetrics
    tool_calls: tuple[ToolUse, ...]
    reason: Reason
