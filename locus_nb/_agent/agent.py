"""An agent: asks a model, calls the tools it wants, answers; and tells the bus about each step."""

from __future__ import annotations

import contextvars
import functools
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, cast

from locus_nb._agent.events import events_of
from locus_nb._agent.loop import AgentLoop
from locus_nb._agent.messages import Model, StreamingModel
from locus_nb._agent.model import get_model
from locus_nb._agent.tool import Tool
from locus_nb._agent.worker import run_on_worker

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from locus_nb._agent.result import AgentResult
    from locus_nb._event import StreamEvent


class Agent:
    """A model with tools: think, call tools, answer.

    Every step becomes an event of the current run, see `locus_nb.event_types`; outside of a run nothing is
    told, and the result is the same. The last event is always `agent.terminate`, whose `reason` is
    `complete`, `max_iterations`, `error` (the exception is then raised) or `interrupted` (likewise). What a
    tool raises, an unknown tool or arguments that do not fit end nothing: they become a failed
    `agent.tool.completed` and are told to the model. An agent keeps no conversation: one object may serve
    many runs at once.

    Args:
        model: A `Model`, a provider's name, or None for what `LOCUS_MODEL_PROVIDER` names (by default the
            mock).
        tools: What `tool` made; their names differ.
        system_prompt: First message of each conversation; None or empty for none.
        max_iterations: Model answers at most, 1 or more.
        stream: Ask the model for its text piece by piece, and tell each as `agent.model.chunk`.
        parallel_tool_calls: Whether the tools that one reply calls run at once: sync ones each in a thread,
            async ones on the loop, all of them in the agent's run. Else one after the other, for tools that
            must not meet. The model is given what came of them in its own order either way.

    Raises:
        TypeError: An argument is of the wrong type, or `stream` is asked of a model that cannot.
        ValueError: The provider is unknown, `max_iterations` below 1, or two tools have one name.

    Example:
        >>> from locus_nb import Agent, tool
        >>> @tool
        ... def add(a: int, b: int) -> int:
        ...     "Add two numbers."
        ...     return a + b
        >>> Agent(tools=[add]).run_sync("Add 2 and 3").message
        'add gave 5'
    """

    def __init__(
        self,
        model: Model | str | None = None,
        *,
        tools: Iterable[Tool[..., Any]] | None = None,
        system_prompt: str | None = None,
        max_iterations: int = 10,
        stream: bool = False,
        parallel_tool_calls: bool = True,
    ) -> None:
        self.model = _checked_model(model, stream=stream)
        self.tools = _checked_tools(tools)
        if system_prompt is not None and not isinstance(cast("object", system_prompt), str):
            raise TypeError(f"Agent(system_prompt=...) takes a str, not {type(system_prompt).__name__}")
        if isinstance(max_iterations, bool) or not isinstance(cast("object", max_iterations), int):
            raise TypeError(f"Agent(max_iterations=...) takes an int, not {type(max_iterations).__name__}")
        if max_iterations < 1:
            raise ValueError(f"Agent(max_iterations={max_iterations}) never asks its model: use 1 or more")
        self.system_prompt = system_prompt
        self.max_iterations = max_iterations
        self.stream = bool(stream)
        self.parallel_tool_calls = bool(parallel_tool_calls)

    def __repr__(self) -> str:
        tools = ", ".join(tool.name for tool in self.tools)
        return f"<Agent of {type(self.model).__name__} with tools [{tools}]>"

    async def arun(self, prompt: str) -> AgentResult:
        """Answer `prompt` on the running loop.

        Cancelled, it tells `agent.terminate` with the reason `interrupted` first, unless the model swallows the
        cancellation: then it goes on. An async tool that does so is waited for; a sync tool that is still
        running is left to itself.

        Raises:
            TypeError, ValueError: `prompt` is not a str, or has nothing but white space.
            BaseException: What the model raises.
        """
        return await self._loop(_checked_prompt(prompt)).run()

    def run_sync(self, prompt: str) -> AgentResult:
        """Answer `prompt` and wait for it: in a script, in a notebook cell, in a thread, in a sync tool.

        It runs on one worker loop that all callers of the process share, in a copy of this context, so the
        run id is kept. KeyboardInterrupt cancels it, waits for its end, and is raised. The wait takes at most
        5 s, or until the next KeyboardInterrupt: a model or a tool that has not ended by then is left to
        itself, its answer is told as `interrupted`, and nothing that the answer does later is; what a tool that
        was left behind emits by itself still comes.

        Raises:
            TypeError, ValueError: As `arun`.
            RuntimeError: Called in an async tool or model that runs on the worker loop: await `arun` there.
            BaseException: What the model raises.
        """
        loop = self._loop(_checked_prompt(prompt))
        return run_on_worker(loop.run, interrupted=loop.interrupted)

    def run(self, prompt: str) -> AsyncGenerator[StreamEvent, None]:
        """Answer `prompt` on the running loop and yield the run's events as they happen.

        Inside of a run (where `run` is called) the events are that run's and its stream stays open; outside,
        it makes a run of its own and closes its stream at the end. All that the run publishes from the first
        step to this agent's end is yielded, each event once, in order of `seq`: also what tools emit, and
        what others put into the same run meanwhile. So give each agent a run of its own where that matters.
        A slow consumer misses nothing, unless it blocks the loop itself.

        Leaving early (`break`) cancels the agent, which then tells `interrupted`; use `contextlib.aclosing`
        to wait for that, which takes at most 5 s, as with `run_sync`. What the agent raises is raised after
        its last event. After `reset_event_bus()` no further events come, and the agent still runs to its end.

        Raises:
            TypeError, ValueError: As `arun`, at the call.
            BaseException: At the end of the iteration, what the model raises.

        Example:
            >>> import asyncio
            >>> from locus_nb import Agent
            >>> async def main():
            ...     return [event.event_type async for event in Agent().run("Hello")]
            >>> asyncio.run(main())[-1]
            'agent.terminate'
        """
        made = functools.partial(self._loop, _checked_prompt(prompt))
        return events_of(made, contextvars.copy_context())

    def _loop(self, prompt: str) -> AgentLoop:
        return AgentLoop(
            self.model,
            self.tools,
            prompt=prompt,
            system_prompt=self.system_prompt,
            max_iterations=self.max_iterations,
            stream=self.stream,
            parallel_tool_calls=self.parallel_tool_calls,
        )


def _checked_prompt(prompt: object) -> str:
    if not isinstance(prompt, str):
        raise TypeError(f"An agent's prompt is a str, not {type(prompt).__name__}")
    if not prompt.strip():
        raise ValueError("An agent's prompt is empty: say what it should answer")
    return prompt


def _checked_model(model: object, *, stream: bool) -> Model:
    if model is None or isinstance(model, str):
        model = get_model(model)
    if isinstance(model, type) or not isinstance(model, Model):
        kind = f"the class {model.__name__}" if isinstance(model, type) else type(model).__name__
        raise TypeError(
            f"Agent(model=...) takes an object with `async complete(messages, tools)`, a provider's name or "
            f"None, not {kind}"
        )
    if stream and not isinstance(model, StreamingModel):
        raise TypeError(f"Agent(stream=True) needs a model with stream(): {type(model).__name__} has none")
    return model


def _checked_tools(tools: object) -> tuple[Tool[..., Any], ...]:
    if tools is None:
        return ()
    if isinstance(tools, str) or not isinstance(tools, Iterable):
        raise TypeError(f"Agent(tools=...) takes a list of tools, not {_kind(cast('object', tools))}")
    checked: dict[str, Tool[..., Any]] = {}
    for candidate in cast("Iterable[object]", tools):
        if not isinstance(candidate, Tool):
            raise TypeError(f"Agent(tools=...) holds {_kind(candidate)}, not a tool: write @tool above it")
        known = cast("Tool[..., Any]", candidate)
        if known.name in checked:
            raise ValueError(f"Agent(tools=...) holds two tools named {known.name!r}: use tool(name=...)")
        checked[known.name] = known
    return tuple(checked.values())


def _kind(value: object) -> str:
    name = getattr(value, "__name__", None)
    return f"{name} ({type(value).__name__})" if isinstance(name, str) else type(value).__name__
