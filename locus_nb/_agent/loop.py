"""One answer of an agent under way: think, call tools, answer, and an event for each step."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import AsyncIterable, Awaitable, Coroutine, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

from locus_nb import event_types as et
from locus_nb._agent.live_call import live_call
from locus_nb._agent.main_thread import loop_takes_errands
from locus_nb._agent.messages import Message, StreamingModel
from locus_nb._agent.reply import checked_reply
from locus_nb._agent.result import AgentResult, TokenMetrics, ToolUse
from locus_nb._agent.texts import error_text, preview, value_text
from locus_nb._agent.together import together
from locus_nb._emit import emit_sync
from locus_nb._interruption import is_interruption

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from locus_nb._agent.messages import Model, ModelReply, ToolCall
    from locus_nb._agent.result import Reason
    from locus_nb._agent.tool import Tool


class _Span:
    """A call under way: the id that its events share, and its duration in milliseconds so far."""

    __slots__ = ("_began", "id")

    def __init__(self) -> None:
        self.id = uuid4().hex[:16]
        self._began = time.perf_counter()

    def duration_ms(self) -> float:
        return round((time.perf_counter() - self._began) * 1000, 3)


class AgentLoop:
    """The state of one answer. `run` once; a span that was started is always completed too.

    What it tells belongs to the run that it is made in. Who cancels `run` waits for its end in `interrupted`.
    """

    def __init__(
        self,
        model: Model,
        tools: Sequence[Tool[..., Any]],
        *,
        prompt: str,
        system_prompt: str | None,
        max_iterations: int,
        stream: bool,
        parallel_tool_calls: bool,
    ) -> None:
        self._model = model
        self._tools = tuple(tools)
        self._max_iterations = max_iterations
        self._stream = stream
        self._parallel = parallel_tool_calls
        self._messages = [Message("system", system_prompt)] if system_prompt else []
        self._messages.append(Message("user", prompt))
        self._model_name = type(model).__name__
        self._context = contextvars.copy_context()
        # Held while something is told: who gives up waiting tells the end from another thread.
        self._telling = threading.RLock()
        # What tells the end of each span under way, by its id, should nobody else.
        self._break_off: dict[str, Callable[[], None]] = {}
        self._is_interrupted = False
        self._is_over = False
        self._iteration = 0
        self._prompt_tokens = 0
        self._completion_tokens = 0
        self._called = 0
        # By the number of the call, counted as the model listed them.
        self._used: dict[int, ToolUse] = {}
        self._last_text = ""

    async def run(self) -> AgentResult:
        """Answer; the last event is `agent.terminate`, also when this raises."""
        reason, text = "error", ""
        try:
            with loop_takes_errands():
                reason = await self._iterate()
            text = self._last_text
        except BaseException as error:
            reason = _reason_of(error)
            text = error_text(error) if reason == "error" else self._last_text
            raise
        finally:
            self._terminate(reason, text)
        prompt, completion = self._prompt_tokens, self._completion_tokens
        metrics = TokenMetrics(prompt, completion, prompt + completion)
        used = tuple(self._used[number] for number in sorted(self._used))
        return AgentResult(self._last_text, metrics, used, reason)

    @contextmanager
    def interrupted(self) -> Generator[None]:
        """Cancel `run` and wait for its end in here: it begins nothing new, and afterwards it is over.

        What has not ended by then (a model or a tool swallows its cancellation, or blocks) is told as
        interrupted; nothing is told of what it does later. From any thread, also before `run` has begun.
        """
        self._is_interrupted = True
        try:
            yield
        finally:
            self._terminate("interrupted", self._last_text)

    async def _iterate(self) -> Reason:
        self._model_name = _model_name(self._model)
        while self._iteration < self._max_iterations:
            self._iteration += 1
            reply = await self._ask_model()
            calls = tuple(reply.tool_calls)
            self._last_text = reply.content
            self._messages.append(Message("assistant", reply.content, calls))
            self._tell(
                et.AGENT_THINK,
                iteration=self._iteration,
                reasoning_preview=preview(reply.content),
                has_tool_calls=bool(calls),
                tool_call_count=len(calls),
            )
            self._go_on()
            if not calls:
                return "complete"
            await self._use_tools(calls)
        return "max_iterations"

    async def _ask_model(self) -> ModelReply:
        span = _Span()
        self._begin(
            partial(self._model_completed, span, "", 0, "interrupted"),
            et.AGENT_MODEL_STARTED,
            iteration=self._iteration,
            model=self._model_name,
            message_count=len(self._messages),
            tool_count=len(self._tools),
            span_id=span.id,
        )
        try:
            answer = self._streamed(span) if self._stream else self._whole()
            reply = checked_reply(await answer, model=self._model_name, streamed=self._stream)
        except BaseException as error:
            self._model_completed(span, "", 0, _reason_of(error))
            raise
        self._model_completed(span, reply.content, len(reply.tool_calls), reply.stop_reason)
        self._count(reply, span)
        return reply

    def _model_completed(self, span: _Span, content: str, calls: int, stop_reason: str) -> None:
        self._complete(
            et.AGENT_MODEL_COMPLETED,
            content_preview=preview(content),
            tool_call_count=calls,
            stop_reason=stop_reason,
            model=self._model_name,
            duration_ms=span.duration_ms(),
            span_id=span.id,
        )

    def _count(self, reply: ModelReply, span: _Span) -> None:
        self._prompt_tokens += reply.prompt_tokens
        self._completion_tokens += reply.completion_tokens
        self._tell(
            et.AGENT_TOKENS_USED,
            prompt_tokens=reply.prompt_tokens,
            completion_tokens=reply.completion_tokens,
            total_tokens=reply.prompt_tokens + reply.completion_tokens,
            cache_read_tokens=reply.cache_read_tokens,
            cache_write_tokens=reply.cache_write_tokens,
            model=self._model_name,
            span_id=span.id,
        )

    async def _whole(self) -> object:
        reply = cast("object", self._model.complete(tuple(self._messages), self._tools))
        if not isinstance(reply, Awaitable):
            raise TypeError(
                f"Model {self._model_name}: complete() must be an `async def`, it returned"
                f" a {type(reply).__name__} that cannot be awaited"
            )
        return await cast("Awaitable[object]", reply)

    async def _streamed(self, span: _Span) -> object:
        pieces = cast("StreamingModel", self._model).stream(tuple(self._messages), self._tools)
        if not isinstance(cast("object", pieces), AsyncIterable):
            if isinstance(pieces, Coroutine):
                pieces.close()
            raise TypeError(
                f"Model {self._model_name}: stream() must be an `async def` that yields, it returned"
                f" a {type(pieces).__name__}"
            )
        last: object = None
        try:
            async for piece in pieces:
                self._go_on()
                last = piece
                if isinstance(piece, str):
                    self._tell(
                        et.AGENT_MODEL_CHUNK, content_preview=preview(piece), done=False, span_id=span.id
                    )
        finally:
            close = getattr(pieces, "aclose", None)
            if close is not None:
                await close()
        self._tell(et.AGENT_MODEL_CHUNK, content_preview="", done=True, span_id=span.id)
        return last

    async def _use_tools(self, calls: Sequence[ToolCall]) -> None:
        """Call the tools of one reply; the model gets what came of each in the order of its calls."""
        uses = [partial(self._use, number, call) for number, call in enumerate(calls, self._called)]
        self._called += len(uses)
        for group in [uses] if self._parallel else [[use] for use in uses]:
            self._messages += await together(group)
            self._go_on()

    async def _use(self, number: int, call: ToolCall) -> Message:
        span = _Span()
        self._begin(
            partial(self._tool_completed, span, number, call, None, asyncio.CancelledError.__name__),
            et.AGENT_TOOL_STARTED,
            tool_name=call.name,
            span_id=span.id,
            arg_keys=_keys(call.arguments),
        )
        output: str | None = None
        error: str | None = None
        try:
            with live_call(span.id):
                output = value_text(await self._invoked(call))
        except BaseException as raised:
            error = error_text(raised)
            if not _is_the_tools_own(raised):
                self._tool_completed(span, number, call, None, error)
                raise
        self._tool_completed(span, number, call, output, error)
        content = output if error is None else f"error: {error}"
        return Message("tool", content or "", tool_call_id=call.id, tool_name=call.name)

    async def _invoked(self, call: ToolCall) -> Any:
        for tool in self._tools:
            if tool.name == call.name:
                return await tool.invoke(call.arguments)
        known = ", ".join(tool.name for tool in self._tools) or "none"
        raise LookupError(f"there is no tool {call.name!r}; the tools are: {known}")

    def _tool_completed(
        self, span: _Span, number: int, call: ToolCall, output: str | None, error: str | None
    ) -> None:
        self._used[number] = ToolUse(call.name, call.arguments, output, error)
        self._complete(
            et.AGENT_TOOL_COMPLETED,
            tool_name=call.name,
            span_id=span.id,
            success=error is None,
            duration_ms=span.duration_ms(),
            output_preview=preview(output or ""),
            error=error,
        )

    def _terminate(self, reason: Reason, text: str) -> None:
        with self._telling:
            for break_off in tuple(self._break_off.values()):
                break_off()
            self._tell(
                et.AGENT_TERMINATE,
                reason=reason,
                iterations_used=self._iteration,
                final_confidence=None,
                total_tool_calls=len(self._used),
                final_message_preview=preview(text),
            )
            self._is_over = True

    def _begin(self, break_off: Callable[[], None], event_type: str, /, **data: Any) -> None:
        """Tell the start of a span; `break_off` tells its end if the answer's end comes first."""
        with self._telling:
            self._tell(event_type, **data)
            self._break_off[data["span_id"]] = break_off

    def _complete(self, event_type: str, /, **data: Any) -> None:
        with self._telling:
            self._break_off.pop(data["span_id"], None)
            self._tell(event_type, **data)

    def _tell(self, event_type: str, /, **data: Any) -> None:
        with self._telling:
            if not self._is_over:
                self._context.run(emit_sync, event_type, **data)

    def _go_on(self) -> None:
        """Raise the cancellation that a model or a tool has swallowed."""
        if self._is_interrupted:
            raise asyncio.CancelledError


def _keys(arguments: object) -> list[str]:
    # A model may pass anything; what is no object is refused by the tool.
    return (
        [value_text(key) for key in cast("Mapping[Any, Any]", arguments)]
        if isinstance(arguments, Mapping)
        else []
    )


def _reason_of(error: BaseException) -> Reason:
    return "interrupted" if is_interruption(error) else "error"


def _is_the_tools_own(error: BaseException) -> bool:
    """Whether a tool failed, rather than that somebody ends the agent."""
    if not isinstance(error, asyncio.CancelledError):
        return isinstance(error, Exception)
    # A tool may let the cancellation of something else out; ours is marked on the task.
    task = asyncio.current_task()
    return task is not None and not task.cancelling()


def _model_name(model: object) -> str:
    try:
        name = getattr(model, "name", None)
    except Exception:  # noqa: BLE001 - an edge: the model's own code, and the class has a name too
        name = None
    return str.__str__(name) if isinstance(name, str) else type(model).__name__
