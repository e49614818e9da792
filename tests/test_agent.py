from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import gc
import json
import threading
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locus_nb import (
    Agent,
    current_run_id,
    emit_sync,
    get_event_bus,
    reset_event_bus,
    reset_run_id,
    run,
    run_context,
    set_run_id,
    tool,
)
from locus_nb._agent import events as agent_events_module
from locus_nb._agent import worker as worker_module
from locus_nb._agent.loop import AgentResult, TokenMetrics, ToolUse
from locus_nb._agent.messages import Message, ModelReply, ToolCall
from locus_nb._agent.worker import run_on_worker, stop_worker
from locus_nb.testing import ScriptedModel
from tests.ctrl_c import CtrlC

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from locus_nb import StreamEvent

KEYS = {
    "agent.think": ["iteration", "reasoning_preview", "has_tool_calls", "tool_call_count"],
    "agent.model.started": ["iteration", "model", "message_count", "tool_count", "span_id"],
    "agent.model.chunk": ["content_preview", "done", "span_id"],
    "agent.model.completed": [
        "content_preview",
        "tool_call_count",
        "stop_reason",
        "model",
        "duration_ms",
        "span_id",
    ],
    "agent.tokens.used": [
        "prompt_tokens",
        "completion_tokens",
        "total_tokens",
        "cache_read_tokens",
        "cache_write_tokens",
        "model",
        "span_id",
    ],
    "agent.tool.started": ["tool_name", "span_id", "arg_keys"],
    "agent.tool.completed": ["tool_name", "span_id", "success", "duration_ms", "output_preview", "error"],
    "agent.terminate": [
        "reason",
        "iterations_used",
        "final_confidence",
        "total_tool_calls",
        "final_message_preview",
    ],
}
MODEL_CALL = ["agent.model.started", "agent.model.completed", "agent.tokens.used", "agent.think"]
TOOL_CALL = ["agent.tool.started", "agent.tool.completed"]


@pytest.fixture(autouse=True)
def _no_worker_left() -> Iterator[None]:
    """Stop the worker, and with it whatever a test left under way on it."""
    yield
    stop_worker()


@pytest.fixture
def ctrl_c() -> Iterator[CtrlC]:
    """Ctrl-C, to be pressed in another thread."""
    with CtrlC() as pressed:
        yield pressed


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@tool
def fail(why: str) -> NoReturn:
    """Fail."""
    raise ValueError(why)


def types_of(events: Any) -> list[str]:
    """Give the event types."""
    return [event.event_type for event in events]


def events_in(run_id: str) -> tuple[StreamEvent, ...]:
    """Give a run's history after checking what holds for all: payload keys, closed spans, the end."""
    events = get_event_bus().history(run_id)
    open_spans: set[str] = set()
    for event in events:
        assert list(event.data) == KEYS[event.event_type]
        json.dumps(event.to_dict(), allow_nan=False)
        if event.event_type.endswith(".started"):
            open_spans.add(event.data["span_id"])
        elif event.event_type.endswith(".completed"):
            open_spans.remove(event.data["span_id"])
            assert event.data["duration_ms"] >= 0
    assert not open_spans
    assert types_of(events).count("agent.terminate") == 1
    assert events[-1].event_type == "agent.terminate"
    return events


def play(*replies: Any, tools: Any = (), **options: Any) -> tuple[AgentResult, tuple[StreamEvent, ...]]:
    """Run a script in the run "r" and give result and events."""
    with run_context("r"):
        result = Agent(ScriptedModel(replies), tools=tools, **options).run_sync("Go")
    return result, events_in("r")


def play_failing(raised: type[BaseException], *replies: Any, tools: Any = ()) -> tuple[StreamEvent, ...]:
    """Run a script that ends in an exception in the run "r" and give its events."""
    with run_context("r"), pytest.raises(raised):
        Agent(ScriptedModel(replies), tools=tools).run_sync("Go")
    return events_in("r")


def test_every_step_is_told() -> None:
    """A run with a tool tells the model call, the thought, the tool call, and the end, in this order."""
    result, events = play(
        ModelReply(
            "I add.",
            [ToolCall("add", {"a": 2, "b": 3}, "x1")],
            "tool_use",
            prompt_tokens=10,
            completion_tokens=5,
            cache_read_tokens=4,
            cache_write_tokens=3,
        ),
        ModelReply("It is 5.", prompt_tokens=20, completion_tokens=7),
        tools=[add],
    )
    assert types_of(events) == [*MODEL_CALL, *TOOL_CALL, *MODEL_CALL, "agent.terminate"]
    started, completed, used, think, tool_started, tool_completed = (dict(event.data) for event in events[:6])
    span, tool_span = started["span_id"], tool_started["span_id"]
    assert started == {
        "iteration": 1,
        "model": "scripted",
        "message_count": 1,
        "tool_count": 1,
        "span_id": span,
    }
    del completed["duration_ms"], tool_completed["duration_ms"]
    assert completed == {
        "content_preview": "I add.",
        "tool_call_count": 1,
        "stop_reason": "tool_use",
        "model": "scripted",
        "span_id": span,
    }
    assert used == {
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "total_tokens": 15,
        "cache_read_tokens": 4,
        "cache_write_tokens": 3,
        "model": "scripted",
        "span_id": span,
    }
    assert think == {
        "iteration": 1,
        "reasoning_preview": "I add.",
        "has_tool_calls": True,
        "tool_call_count": 1,
    }
    assert tool_started == {"tool_name": "add", "span_id": tool_span, "arg_keys": ["a", "b"]}
    assert tool_completed == {
        "tool_name": "add",
        "span_id": tool_span,
        "success": True,
        "output_preview": "5",
        "error": None,
    }
    assert events[6].data["iteration"] == 2
    assert dict(events[-1].data) == {
        "reason": "complete",
        "iterations_used": 2,
        "final_confidence": None,
        "total_tool_calls": 1,
        "final_message_preview": "It is 5.",
    }
    assert result == AgentResult(
        "It is 5.",
        TokenMetrics(30, 12, 42),
        (ToolUse("add", {"a": 2, "b": 3}, "5", None),),
        "complete",
    )


def test_span_ids_are_unique() -> None:
    """No two calls, of a model or a tool, share a span id."""
    _, events = play(ToolCall("add", {"a": 1, "b": 1}), ToolCall("add", {"a": 1, "b": 1}), "ok", tools=[add])
    spans = [event.data["span_id"] for event in events if event.event_type.endswith(".started")]
    assert len(set(spans)) == len(spans) == 5


def test_the_mock_runs_the_same_each_time() -> None:
    """With the default model a run is the same each time, but for ids and times."""
    told: list[Any] = []
    for run_id in ("a", "b"):
        with run_context(run_id):
            assert Agent(tools=[add]).run_sync("Add 2 and 3").message == "add gave 5"
        told.append(
            [
                {k: v for k, v in event.data.items() if k not in {"span_id", "duration_ms"}}
                for event in events_in(run_id)
            ]
        )
    assert told[0] == told[1]


def test_a_preview_is_240_characters() -> None:
    """Long texts are cut at 240 characters without a mark, the result is whole."""
    text = "x" * 1000

    @tool
    def long() -> str:
        return text

    result, events = play(ModelReply(text, [ToolCall("long")]), text, tools=[long])
    previews = [value for event in events for key, value in event.data.items() if key.endswith("_preview")]
    assert previews == ["x" * 240] * 6
    assert result.message == text
    assert result.tool_calls[0].output == text


def test_messages_to_the_model() -> None:
    """The model gets the system prompt, the prompt, its own replies and what the tools gave."""
    model = ScriptedModel([ToolCall("add", {"a": 1, "b": 2}, "x1"), "3"])
    Agent(model, tools=[add], system_prompt="Be brief.").run_sync("Go")
    call = ToolCall("add", {"a": 1, "b": 2}, "x1")
    assert model.calls[1].messages == (
        Message("system", "Be brief."),
        Message("user", "Go"),
        Message("assistant", "", (call,)),
        Message("tool", "3", (), "x1", "add"),
    )
    assert model.calls[0].tools == (add,)


def test_several_tool_calls_run_at_once() -> None:
    """Calls of one reply run side by side, in the agent's run; what came of them has the model's order."""
    ended = [threading.Event() for _ in range(4)]

    @tool
    def last_first(n: int) -> int:
        # Each waits for the one after it: one after the other they would never end.
        if n + 1 < len(ended):
            assert ended[n + 1].wait(30)
        emit_sync("note", n=n)
        ended[n].set()
        return n

    calls = [ToolCall("last_first", {"n": n}, f"call{n}") for n in range(4)]
    model = ScriptedModel([ModelReply("", calls), "ok"])
    with run_context("r"):
        result = Agent(model, tools=[last_first]).run_sync("Go")
    events = get_event_bus().history("r")
    assert [event.data["n"] for event in events if event.event_type == "note"] == [3, 2, 1, 0]
    assert types_of(events)[4:8] == ["agent.tool.started"] * 4
    assert [use.output for use in result.tool_calls] == ["0", "1", "2", "3"]
    assert [message.tool_call_id for message in model.calls[1].messages[-4:]] == [call.id for call in calls]


def test_async_tools_run_at_once() -> None:
    """Async tools of one reply meet on the loop."""
    both = asyncio.Barrier(2)

    @tool
    async def meet() -> None:
        await both.wait()

    result, _ = play(ModelReply("", [ToolCall("meet")] * 2), "ok", tools=[meet])
    assert [use.error for use in result.tool_calls] == [None, None]


def test_tool_calls_one_after_the_other() -> None:
    """Where tools must not meet, calls of one reply run in turn, as the model listed them."""
    calls = tuple(ToolCall("add", {"a": n, "b": 0}) for n in range(4))
    result, events = play(ModelReply("", calls), "ok", tools=[add], parallel_tool_calls=False)
    assert [use.output for use in result.tool_calls] == ["0", "1", "2", "3"]
    assert types_of(events)[4:12] == TOOL_CALL * 4


def test_a_tool_that_exits_ends_its_neighbours() -> None:
    """What ends the agent in one of several tools cancels the others, and each is told as completed."""
    begun = asyncio.Event()

    @tool
    async def leave() -> None:
        await begun.wait()
        raise SystemExit(3)

    @tool
    async def stay() -> None:
        begun.set()
        await asyncio.Event().wait()

    calls = ModelReply("", [ToolCall("leave"), ToolCall("stay")])
    events = play_failing(SystemExit, calls, tools=[leave, stay])
    assert [event.data["error"] for event in events[-3:-1]] == ["SystemExit: 3", "CancelledError"]
    assert (events[-1].data["reason"], events[-1].data["total_tool_calls"]) == ("error", 2)


@pytest.mark.parametrize(
    "call,error",
    [
        (ToolCall("fail", {"why": "no"}), "ValueError: no"),
        (ToolCall("gone"), "LookupError: there is no tool 'gone'; the tools are: add, fail"),
        (ToolCall("add", {"a": 1}), "TypeError: add: missing argument 'b' (an integer) (it takes a, b)"),
        (
            ToolCall("add", {"a": "x", "b": 1}),
            "TypeError: add: 'a' must be an integer, not this str (it takes a, b)",
        ),
        (ToolCall("add", "a=1"), "TypeError: add takes its arguments as an object, not str"),  # type: ignore[arg-type]  # the point
    ],
)
def test_a_tool_error_goes_back_to_the_model(call: ToolCall, error: str) -> None:
    """A tool that fails, is unknown or gets bad arguments is a failed event, and the model is told."""
    model = ScriptedModel([call, "sorry"])
    with run_context("r"):
        result = Agent(model, tools=[add, fail]).run_sync("Go")
    (completed,) = [event for event in events_in("r") if event.event_type == "agent.tool.completed"]
    assert (completed.data["success"], completed.data["error"]) == (False, error)
    assert completed.data["output_preview"] == ""
    assert model.calls[1].messages[-1].content == f"error: {error}"
    assert result.tool_calls[0].error == error
    assert result.tool_calls[0].output is None
    assert result.reason == "complete"


class Mute(Exception):  # noqa: N818 - not an error of anything
    """Cannot say what it is."""

    def __str__(self) -> str:
        raise RuntimeError

    __repr__ = __str__


class Sly(str):
    """A str whose methods misbehave."""

    __slots__ = ()

    def __getitem__(self, key: Any) -> Any:
        raise RuntimeError

    def __str__(self) -> str:
        raise RuntimeError


class Loop(dict[str, Any]):
    """Holds itself, and cannot be shown."""

    def __init__(self) -> None:
        super().__init__(me=self)

    def __repr__(self) -> str:
        raise RuntimeError


@pytest.mark.parametrize(
    "output,text",
    [
        (None, "null"),
        (3, "3"),
        ({"a": [1]}, '{"a":[1]}'),
        (Sly("sly"), "sly"),
        (float("nan"), "NaN"),
        (b"\xff", "b'\\xff'"),
        ("\udc80", "\udc80"),
        (Mute(), "<Mute: RuntimeError>"),
        (Loop(), '{"me":"<contains itself>"}'),
        ("x" * 1_000_000, "x" * 1_000_000),
    ],
)
def test_odd_outputs(output: Any, text: str) -> None:
    """Whatever a tool returns becomes text for the model: a str as it is, anything else as JSON."""

    @tool
    def odd() -> Any:
        return output

    result, _ = play(ToolCall("odd"), "ok", tools=[odd])
    assert result.tool_calls[0].output == text
    assert result.reason == "complete"


def test_odd_exceptions() -> None:
    """An exception that cannot say what it is, or says too much, is told all the same."""

    @tool
    def mute() -> None:
        raise Mute

    @tool
    def loud() -> None:
        raise ValueError("x" * 1_000_000)

    result, _ = play(ToolCall("mute"), ToolCall("loud"), "ok", tools=[mute, loud])
    first, second = (use.error for use in result.tool_calls)
    assert first == "Mute: <its text cannot be shown: RuntimeError>"
    assert second is not None
    assert len(second) == 2000


def test_a_cancellation_of_the_tools_own_is_its_error() -> None:
    """A CancelledError that nobody asked the agent for is the tool's failure, not the agent's end."""

    @tool
    async def inner() -> None:
        task = asyncio.create_task(asyncio.Event().wait())
        task.cancel()
        await task

    result, _ = play(ToolCall("inner"), "ok", tools=[inner])
    assert result.reason == "complete"
    assert result.tool_calls[0].error == "CancelledError"


def test_max_iterations() -> None:
    """A model that keeps wanting tools is stopped after `max_iterations` answers, with a result."""
    call = ModelReply("more", [ToolCall("add", {"a": 1, "b": 1})])
    result, events = play(call, call, call, tools=[add], max_iterations=2)
    assert types_of(events) == [*MODEL_CALL, *TOOL_CALL, *MODEL_CALL, *TOOL_CALL, "agent.terminate"]
    assert (events[-1].data["reason"], events[-1].data["iterations_used"]) == ("max_iterations", 2)
    assert (result.reason, result.message, len(result.tool_calls)) == ("max_iterations", "more", 2)


def test_a_model_that_raises() -> None:
    """The model's exception ends the run as an error, which is told and raised."""
    events = play_failing(
        ZeroDivisionError, ToolCall("add", {"a": 1, "b": 1}), ZeroDivisionError("oh"), tools=[add]
    )
    assert types_of(events)[6:] == ["agent.model.started", "agent.model.completed", "agent.terminate"]
    assert events[-2].data["stop_reason"] == "error"
    assert dict(events[-1].data) == {
        "reason": "error",
        "iterations_used": 2,
        "final_confidence": None,
        "total_tool_calls": 1,
        "final_message_preview": "ZeroDivisionError: oh",
    }


@pytest.mark.parametrize(
    "reply,raised,last",
    [
        (KeyboardInterrupt, KeyboardInterrupt, "agent.model.completed"),
        (asyncio.CancelledError, asyncio.CancelledError, "agent.model.completed"),
        (ToolCall("stop"), KeyboardInterrupt, "agent.tool.completed"),
    ],
)
def test_an_interrupt_ends_it(reply: Any, raised: type[BaseException], last: str) -> None:
    """An interrupt that a model or a tool raises is told as such and raised."""

    @tool
    def stop() -> None:
        raise KeyboardInterrupt

    events = play_failing(raised, reply, tools=[stop])
    assert events[-1].data["reason"] == "interrupted"
    assert events[-2].event_type == last


@pytest.mark.parametrize("where", ["model", "tool"])
@pytest.mark.parametrize(
    "group, reason",
    [
        (BaseExceptionGroup("", [KeyboardInterrupt(), asyncio.CancelledError()]), "interrupted"),
        (BaseExceptionGroup("", [BaseExceptionGroup("", [GeneratorExit()])]), "interrupted"),
        (BaseExceptionGroup("", [KeyboardInterrupt(), ValueError()]), "error"),
    ],
    ids=["interrupts", "nested", "interrupt and error"],
)
def test_an_agent_and_its_run_agree_about_a_group(group: BaseException, reason: str, where: str) -> None:
    """A group of nothing but interruptions is one, for `agent.terminate` as for the run."""

    @tool
    def stop() -> None:
        raise group

    agent = Agent(ScriptedModel([group if where == "model" else ToolCall("stop")]), tools=[stop])
    with pytest.raises(BaseExceptionGroup), run(run_id="r") as made:
        agent.run_sync("Go")
    assert (events_in("r")[-1].data["reason"], made.status) == (reason, reason)


def test_a_tool_that_exits() -> None:
    """SystemExit is not swallowed: it ends the run as an error and comes out."""

    @tool
    def leave() -> None:
        raise SystemExit(3)

    events = play_failing(SystemExit, ToolCall("leave"), tools=[leave])
    assert events[-1].data["reason"] == "error"
    assert events[-2].data["success"] is False


@pytest.mark.parametrize(
    "reply,message",
    [
        (None, "must return a ModelReply, not NoneType"),
        ("text", "must return a ModelReply, not str"),
        (ModelReply(None), "content is a NoneType"),  # type: ignore[arg-type]  # the point
        (ModelReply("a", prompt_tokens=None), "prompt_tokens is a NoneType"),  # type: ignore[arg-type]  # the point
        (ModelReply("a", prompt_tokens=-3), "prompt_tokens is negative: -3"),
        (ModelReply("a", tool_calls=None), "tool_calls is a NoneType"),  # type: ignore[arg-type]  # the point
        (ModelReply("a", tool_calls=["add"]), "tool_calls holds a str"),  # type: ignore[list-item]  # the point
        (ModelReply("a", [ToolCall(3)]), "tool_calls holds a ToolCall"),  # type: ignore[arg-type]  # the point
        (ModelReply("a", stop_reason=3), "stop_reason is a int"),  # type: ignore[arg-type]  # the point
    ],
)
def test_a_model_that_replies_nonsense(reply: Any, message: str) -> None:
    """A reply that is none is a TypeError that names the model and the field."""

    class Odd:
        name = 3

        async def complete(self, messages: Any, tools: Any) -> Any:
            return reply

    with run_context("r"), pytest.raises(TypeError, match=f"Model Odd.*{message}"):
        Agent(Odd()).run_sync("Go")
    assert events_in("r")[-1].data["reason"] == "error"


@pytest.mark.parametrize("raised,reason", [(OSError, "complete"), (KeyboardInterrupt, "interrupted")])
def test_a_model_whose_name_cannot_be_read(raised: type[BaseException], reason: str) -> None:
    """A model whose `name` raises is told by its class's name; an interrupt there is one of the answer."""

    class Anonymous(ScriptedModel):
        @property
        def name(self) -> str:  # type: ignore[override]  # the point
            raise raised

    with run_context("r"), pytest.raises(raised) if reason != "complete" else contextlib.nullcontext():
        assert Agent(Anonymous(["ok"])).run_sync("Go").message == "ok"
    events = events_in("r")
    assert events[-1].data["reason"] == reason
    assert {event.data["model"] for event in events if "model" in event.data} <= {"Anonymous"}


def test_a_name_that_is_odd() -> None:
    """A model's name is told as a plain str."""

    class Odd(ScriptedModel):
        name = Sly("sly")

    with run_context("r"):
        Agent(Odd(["ok"])).run_sync("Go")
    name = events_in("r")[0].data["model"]
    assert (type(name), name) == (str, "sly")


def test_an_exception_whose_text_raises() -> None:
    """A model's exception that cannot say what it is, not even by an exception, ends the run as an error."""

    class Worse(Exception):  # noqa: N818 - not an error of anything
        def __str__(self) -> str:
            raise SystemExit

    events = play_failing(SystemExit, Worse())
    assert events[-1].data["reason"] == "error"


def test_without_a_run_nothing_is_told() -> None:
    """Outside of a run the result is the same and the bus hears nothing."""
    assert Agent(ScriptedModel(["ok"])).run_sync("Go").message == "ok"
    assert asyncio.run(Agent(ScriptedModel(["ok"])).arun("Go")).message == "ok"
    assert get_event_bus().stats()["published_events_total"] == 0


def test_streaming_tells_chunks() -> None:
    """Asked to stream, the model's pieces are told live, the last one done, and stay out of history."""
    with run_context("r"), get_event_bus().subscribe("r") as live:
        assert Agent(ScriptedModel(["one two"]), stream=True).run_sync("Go").message == "one two"
        batch = live.next_batch_nowait()
        assert batch is not None
    chunks = [event.data for event in batch.events if event.event_type == "agent.model.chunk"]
    assert [(chunk["content_preview"], chunk["done"]) for chunk in chunks] == [
        ("one ", False),
        ("two", False),
        ("", True),
    ]
    assert [list(chunk) for chunk in chunks] == [KEYS["agent.model.chunk"]] * 3
    assert {chunk["span_id"] for chunk in chunks} == {batch.events[0].data["span_id"]}
    assert types_of(events_in("r")) == [*MODEL_CALL, "agent.terminate"]


@pytest.mark.parametrize("streams", [False, True])
def test_a_model_whose_methods_are_of_the_wrong_kind(*, streams: bool) -> None:
    """A plain `complete`, or a `stream` that yields nothing, is an error that names the model and the remedy."""

    class Wrong:
        name = "wrong"

        def complete(self, messages: Any, tools: Any) -> ModelReply:
            return ModelReply("at once")

    class WrongStream(Wrong):
        async def stream(self, messages: Any, tools: Any) -> ModelReply:
            return ModelReply("at once")

    model: Any = WrongStream() if streams else Wrong()
    method = "stream" if streams else "complete"
    message = rf"Model wrong: {method}\(\) must be an `async def`"
    with run_context("r"), pytest.raises(TypeError, match=message):
        Agent(model, stream=streams).run_sync("Go")
    assert events_in("r")[-1].data["reason"] == "error"


def test_a_stream_without_its_end() -> None:
    """A stream that does not end with the whole reply is an error of the model's."""

    class Half(ScriptedModel):
        async def stream(self, messages: Any, tools: Any) -> AsyncIterator[str | ModelReply]:
            yield "half"

    with run_context("r"), pytest.raises(TypeError, match=r"stream\(\) must end with a ModelReply, not str"):
        Agent(Half([]), stream=True).run_sync("Go")
    assert events_in("r")[-1].data["reason"] == "error"


def test_run_sync_in_a_running_loop() -> None:
    """In a cell with a running loop `run_sync` works and keeps the run id."""

    async def cell() -> str:
        async with run_context("r"):
            return Agent(tools=[add]).run_sync("Add 2 and 3").message

    assert asyncio.run(cell()) == "add gave 5"
    assert events_in("r")


def test_arun_on_the_running_loop() -> None:
    """`arun` runs where it is awaited, in the same run."""
    threads: list[int] = []

    @tool
    async def where() -> None:
        threads.append(threading.get_ident())

    async def cell() -> AgentResult:
        async with run_context("r"):
            return await Agent(ScriptedModel([ToolCall("where"), "ok"]), tools=[where]).arun("Go")

    assert asyncio.run(cell()).message == "ok"
    assert threads == [threading.get_ident()]
    assert events_in("r")


def test_tools_keep_the_run() -> None:
    """What a tool emits, sync or async, is in the agent's run."""

    @tool
    def sync() -> None:
        emit_sync("mine.sync", run=current_run_id())

    @tool
    async def later() -> None:
        emit_sync("mine.async", run=current_run_id())

    with run_context("r"):
        Agent(ScriptedModel([ToolCall("sync"), ToolCall("later"), "ok"]), tools=[sync, later]).run_sync("Go")
    mine = [event for event in get_event_bus().history("r") if event.event_type.startswith("mine.")]
    assert [(event.event_type, event.data["run"]) for event in mine] == [
        ("mine.sync", "r"),
        ("mine.async", "r"),
    ]


def test_nested_agents() -> None:
    """A sync tool may run agents, to any depth and many at once, without waiting for ever."""

    def nest(depth: int) -> Agent:
        @tool
        def deeper() -> str:
            return nest(depth - 1).run_sync("Go").message

        script = [ToolCall("deeper"), f"depth {depth}"] if depth else ["bottom"]
        return Agent(ScriptedModel(script), tools=[deeper])

    async def main() -> list[AgentResult]:
        return await asyncio.gather(*(nest(12).arun("Go") for _ in range(4)))

    assert {result.message for result in asyncio.run(main())} == {"depth 12"}


def test_an_async_tool_that_blocks_on_an_agent() -> None:
    """An async tool that calls `run_sync` on the worker loop gets an error, and the model hears of it."""

    @tool
    async def nested() -> str:
        return Agent(ScriptedModel(["inner"])).run_sync("Go").message

    result, _ = play(ToolCall("nested"), "ok", tools=[nested])
    assert "await agent.arun" in (result.tool_calls[0].error or "")


def test_two_agents_in_threads_interleave() -> None:
    """Two runs dispatched together take turns, and no event gets the other's run id."""
    agent = Agent(tools=[add])

    async def dispatch(run_id: str) -> str:
        async with run_context(run_id):
            return (await asyncio.to_thread(agent.run_sync, f"Add 2 and 3 for {run_id}")).message

    async def main() -> list[str]:
        return list(await asyncio.gather(dispatch("run-A"), dispatch("run-B")))

    with get_event_bus().subscribe_global() as everything:
        assert asyncio.run(main()) == ["add gave 5"] * 2
        batch = everything.next_batch_nowait()
        assert batch is not None
    order = "".join(event.run_id[-1] for event in batch.events)
    assert "AB" in order
    assert "BA" in order
    expected = [*MODEL_CALL, *TOOL_CALL, *MODEL_CALL, "agent.terminate"]
    assert types_of(events_in("run-A")) == types_of(events_in("run-B")) == expected
    spans = [
        {event.data.get("span_id") for event in events_in(run_id)} - {None} for run_id in ("run-A", "run-B")
    ]
    assert not spans[0] & spans[1]


def test_one_agent_serves_many_runs() -> None:
    """One agent object used by many tasks at once mixes nothing up."""

    @tool
    async def echo(n: int) -> int:
        await asyncio.sleep(0)
        return n

    agent = Agent(tools=[echo])

    async def one(n: int) -> str:
        with run_context(f"run-{n}"):
            return (await agent.arun(f"echo {n}")).message

    async def main() -> list[str]:
        return await asyncio.gather(*(one(n) for n in range(20)))

    assert asyncio.run(main()) == [f"echo gave {n}" for n in range(20)]
    for n in range(20):
        assert events_in(f"run-{n}")[-1].data["final_message_preview"] == f"echo gave {n}"


def test_ctrl_c_in_run_sync(ctrl_c: CtrlC) -> None:
    """KeyboardInterrupt comes out of `run_sync` only after its `agent.terminate`, which says interrupted."""

    @tool
    def press() -> None:
        ctrl_c.press()
        pressed.wait(30)

    pressed = threading.Event()
    with run_context("r"), pytest.raises(KeyboardInterrupt):
        Agent(ScriptedModel([ToolCall("press"), "ok"]), tools=[press]).run_sync("Go")
    events = events_in("r")
    pressed.set()
    assert events[-1].data["reason"] == "interrupted"
    assert events[-2].data["success"] is False


class Stubborn:
    """A model that presses Ctrl-C and does not end when it is cancelled; `way` is what it does instead."""

    def __init__(self, way: str, ctrl_c: CtrlC) -> None:
        self.way = way
        self.go_on = threading.Event()
        self.is_closed = False
        self._press = ctrl_c.press

    async def complete(self, messages: Any, tools: Any) -> ModelReply:
        self._press()
        if self.way == "blocks":
            self.go_on.wait(30)
        while not self.go_on.is_set():
            try:
                await asyncio.to_thread(self.go_on.wait, 30)
            except asyncio.CancelledError:
                if self.way == "presses again":
                    self._press()
                elif self.way.startswith("replies"):
                    self.go_on.set()
        return ModelReply("late", [ToolCall("add")] if self.way.endswith("with a call") else [])

    async def stream(self, messages: Any, tools: Any) -> AsyncIterator[str | ModelReply]:
        reply = await self.complete(messages, tools)
        try:
            while True:
                yield reply.content
                await asyncio.sleep(0)
        finally:
            self.is_closed = True


async def answers_ended() -> None:
    """Wait until every answer under way on this loop has ended."""
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        if task.get_coro().__qualname__ in {"AgentLoop.run", "_Job._run"}:  # type: ignore[union-attr]  # is one
            await asyncio.wait({task})


@pytest.mark.parametrize(
    "way,seconds", [("waits on", 0.05), ("blocks", 0.05), ("blocks", 0), ("presses again", 30)]
)
def test_an_interrupted_model_that_does_not_end(
    way: str, seconds: float, ctrl_c: CtrlC, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who gives up waiting for an interrupted answer tells its end; what it does later is not told."""
    monkeypatch.setattr(worker_module, "INTERRUPT_SECONDS", seconds)
    model = Stubborn(way, ctrl_c)
    with run_context("r"), pytest.raises(KeyboardInterrupt):
        Agent(model, tools=[add]).run_sync("Go")
    events = events_in("r")
    assert types_of(events) == ["agent.model.started", "agent.model.completed", "agent.terminate"]
    assert events[-2].data["stop_reason"] == events[-1].data["reason"] == "interrupted"
    model.go_on.set()
    run_on_worker(answers_ended)
    assert get_event_bus().history("r") == events


@pytest.mark.parametrize("way", ["replies", "replies with a call"])
def test_an_interrupted_model_that_replies(way: str, ctrl_c: CtrlC) -> None:
    """A model that swallows its cancellation and replies is heard, and nothing more is done for it."""
    with run_context("r"), pytest.raises(KeyboardInterrupt):
        Agent(Stubborn(way, ctrl_c), tools=[add]).run_sync("Go")
    events = events_in("r")
    assert types_of(events) == [*MODEL_CALL, "agent.terminate"]
    assert (events[-1].data["reason"], events[-1].data["final_message_preview"]) == ("interrupted", "late")


def test_an_interrupted_model_that_streams_on(ctrl_c: CtrlC) -> None:
    """A stream that swallows its cancellation is closed at its next piece."""
    model = Stubborn("replies", ctrl_c)
    with run_context("r"), pytest.raises(KeyboardInterrupt):
        Agent(model, stream=True).run_sync("Go")
    assert model.is_closed
    events = events_in("r")
    assert types_of(events) == ["agent.model.started", "agent.model.completed", "agent.terminate"]
    assert events[-2].data["stop_reason"] == events[-1].data["reason"] == "interrupted"


@pytest.mark.parametrize("parallel", [False, True])
@pytest.mark.parametrize("ends", [False, True])
def test_an_interrupted_tool_that_swallows_it(
    ctrl_c: CtrlC, monkeypatch: pytest.MonkeyPatch, *, ends: bool, parallel: bool
) -> None:
    """A tool that swallows its cancellation is told as failed if it does not end, and none follows it."""
    monkeypatch.setattr(worker_module, "INTERRUPT_SECONDS", 30 if ends else 0.05)
    go_on = threading.Event()

    @tool
    async def stubborn(*, presses: bool) -> str:
        if presses:
            ctrl_c.press()
        while not go_on.is_set():
            try:
                await asyncio.to_thread(go_on.wait, 30)
            except asyncio.CancelledError:
                if ends:
                    go_on.set()
        return "done"

    # At once, the first waits already when the second presses.
    calls = ModelReply("", [ToolCall("stubborn", {"presses": presses}) for presses in (not parallel, True)])
    agent = Agent(ScriptedModel([calls, "late"]), tools=[stubborn], parallel_tool_calls=parallel)
    with run_context("r"), pytest.raises(KeyboardInterrupt):
        agent.run_sync("Go")
    events = events_in("r")
    go_on.set()
    run_on_worker(answers_ended)
    assert get_event_bus().history("r") == events
    count = 1 + parallel
    told = [TOOL_CALL[0]] * count + [TOOL_CALL[1]] * count
    assert types_of(events) == [*MODEL_CALL, *told, "agent.terminate"]
    for event in events[-1 - count : -1]:
        assert (event.data["success"], event.data["error"]) == (ends, None if ends else "CancelledError")
    assert (events[-1].data["reason"], events[-1].data["total_tool_calls"]) == ("interrupted", count)


def test_an_interrupt_before_it_began(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that is interrupted while the worker is too busy to begin it still tells its end."""
    monkeypatch.setattr(worker_module, "INTERRUPT_SECONDS", 0)
    begun, go_on = threading.Event(), threading.Event()
    hand_to = worker_module._Job.hand_to

    async def block() -> None:
        begun.set()
        go_on.wait(30)

    def interrupted(job: Any, worker: worker_module._Worker) -> None:
        hand_to(job, worker)
        raise KeyboardInterrupt

    blocking = threading.Thread(target=run_on_worker, args=[block])
    blocking.start()
    assert begun.wait(30)
    monkeypatch.setattr(worker_module._Job, "hand_to", interrupted)
    with run_context("r"), pytest.raises(KeyboardInterrupt):
        Agent(ScriptedModel([])).run_sync("Go")
    go_on.set()
    blocking.join(30)
    monkeypatch.setattr(worker_module._Job, "hand_to", hand_to)
    run_on_worker(answers_ended)
    (terminate,) = events_in("r")
    assert (terminate.data["reason"], terminate.data["iterations_used"]) == ("interrupted", 0)


def test_an_interrupt_between_two_calls(ctrl_c: CtrlC, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given up between two calls, nothing is told but the end: what was completed is completed once."""
    monkeypatch.setattr(worker_module, "INTERRUPT_SECONDS", 0)
    go_on = threading.Event()

    class Calls(list[ToolCall]):
        """Takes its time once the reply was told."""

        def __iter__(self) -> Iterator[ToolCall]:
            if types_of(get_event_bus().history("r"))[-1] == "agent.tokens.used":
                ctrl_c.press()
                go_on.wait(30)
            return super().__iter__()

    with run_context("r"), pytest.raises(KeyboardInterrupt):
        Agent(ScriptedModel([ModelReply("", Calls())])).run_sync("Go")
    events = events_in("r")
    go_on.set()
    run_on_worker(answers_ended)
    assert get_event_bus().history("r") == events
    assert types_of(events) == [*MODEL_CALL[:3], "agent.terminate"]
    assert events[-1].data["reason"] == "interrupted"


def test_giving_up_while_it_ends(ctrl_c: CtrlC, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the answer or who gives it up is first, its end is told once and is the last."""
    monkeypatch.setattr(worker_module, "INTERRUPT_SECONDS", 0)

    class Press:
        async def complete(self, messages: Any, tools: Any) -> ModelReply:
            ctrl_c.press()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            return ModelReply("late")

    for n in range(100):
        with run_context(f"r{n}"), pytest.raises(KeyboardInterrupt):
            Agent(Press()).run_sync("Go")
        run_on_worker(answers_ended)
        assert events_in(f"r{n}")[-1].data["reason"] == "interrupted"


@pytest.mark.parametrize("doing", ["model", "tools"])
@pytest.mark.parametrize("where", ["inside", "outside"])
def test_a_closed_coroutine(where: str, doing: str) -> None:
    """An answer whose coroutine is closed, wherever that is, says interrupted, in its own run."""

    @tool
    async def wait() -> None:
        await asyncio.Event().wait()

    replies = {"model": ["late"], "tools": [ModelReply("", [ToolCall("wait")] * 2)]}[doing]
    model = ScriptedModel(replies, latency=60 if doing == "model" else 0)
    answer = Agent(model, tools=[wait]).arun("Go")

    async def main() -> None:
        with run_context("r"):
            answer.send(None)
            if where == "inside":
                answer.close()

    asyncio.run(main())
    answer.close()
    events = events_in("r")
    assert types_of(events) == ["agent.model.started", "agent.model.completed", "agent.terminate"]
    assert events[-2].data["stop_reason"] == events[-1].data["reason"] == "interrupted"


def test_a_model_that_enters_another_run() -> None:
    """What an agent tells belongs to the run it was started in, whatever run its model is in meanwhile."""

    class Elsewhere:
        async def complete(self, messages: Any, tools: Any) -> ModelReply:
            set_run_id("elsewhere")
            return ModelReply("ok")

    with run_context("r"):
        Agent(Elsewhere()).run_sync("Go")
    assert types_of(events_in("r")) == [*MODEL_CALL, "agent.terminate"]
    assert get_event_bus().history("elsewhere") == ()


@pytest.mark.parametrize("where", ["model", "sync tool", "async tool"])
def test_cancelled_it_says_interrupted(where: str) -> None:
    """A cancelled `arun` tells `interrupted`, wherever it was, and raises CancelledError."""
    go_on = threading.Event()

    @tool(name="sync")
    def sync_wait() -> None:
        emit_sync("agent.think", **dict.fromkeys(KEYS["agent.think"]))
        go_on.wait(30)

    @tool(name="async")
    async def async_wait() -> None:
        await asyncio.Event().wait()

    async def main() -> None:
        script = ["late"] if where == "model" else [ToolCall(where.split(maxsplit=1)[0])]
        agent = Agent(
            ScriptedModel(script, latency=60 if where == "model" else 0), tools=[sync_wait, async_wait]
        )
        with run_context("r"), get_event_bus().subscribe("r") as reader:
            running = asyncio.create_task(agent.arun("Go"))
            awaited = "agent.model.started" if where == "model" else "agent.tool.started"
            async for event in reader:
                if event.event_type == awaited:
                    break
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running

    try:
        asyncio.run(main())
    finally:
        go_on.set()
    events = events_in("r")
    assert events[-1].data["reason"] == "interrupted"
    assert events[-2].event_type.endswith(".completed")


def test_a_timeout_around_it() -> None:
    """`asyncio.timeout` around `arun` ends it as interrupted, and is a TimeoutError outside."""

    async def main() -> None:
        with run_context("r"):
            async with asyncio.timeout(0.01):
                await Agent(ScriptedModel(["late"], latency=60)).arun("Go")

    with pytest.raises(TimeoutError):
        asyncio.run(main())
    assert events_in("r")[-1].data["reason"] == "interrupted"


def test_run_yields_a_run_of_its_own() -> None:
    """Outside of a run `run` makes one, yields all of it live, closes it, and leaves the context alone."""

    @tool
    def progress() -> None:
        emit_sync("mine.progress")

    async def main() -> list[StreamEvent]:
        agent = Agent(ScriptedModel([ToolCall("progress"), "ok now"]), tools=[progress], stream=True)
        seen: list[StreamEvent] = []
        async for event in agent.run("Go"):
            assert current_run_id() is None
            seen.append(event)
        return seen

    events = asyncio.run(main())
    assert "mine.progress" in types_of(events)
    assert "agent.model.chunk" in types_of(events)
    (run_id,) = {event.run_id for event in events}
    assert get_event_bus().history(run_id) == tuple(e for e in events if e.event_type != "agent.model.chunk")
    seqs = [event.seq or 0 for event in events]
    assert seqs == sorted(set(seqs))
    record = get_event_bus().run_record(run_id)
    assert record is not None
    assert (record.closed, record.status) == (True, "ok")


def test_run_yields_while_it_runs() -> None:
    """An event is yielded when it happens, not when the agent is done."""
    go_on = asyncio.Event()

    @tool
    async def wait() -> None:
        await go_on.wait()

    async def main() -> list[str]:
        seen: list[str] = []
        async for event in Agent(ScriptedModel([ToolCall("wait"), "ok"]), tools=[wait]).run("Go"):
            seen.append(event.event_type)
            if event.event_type == "agent.tool.started":
                go_on.set()
        return seen

    assert asyncio.run(main()) == [*MODEL_CALL, *TOOL_CALL, *MODEL_CALL, "agent.terminate"]


def test_run_inside_a_run() -> None:
    """Inside of a run `run` yields what happens from now on, keeps the id, and leaves the stream open."""

    async def main() -> list[StreamEvent]:
        async with run_context("r"):
            emit_sync("mine.before")
            return [event async for event in Agent(ScriptedModel(["ok"])).run("Go")]

    events = asyncio.run(main())
    assert types_of(events) == [*MODEL_CALL, "agent.terminate"]
    assert {event.run_id for event in events} == {"r"}
    record = get_event_bus().run_record("r")
    assert record is not None
    assert not record.closed


@pytest.mark.parametrize("when", ["before", "during"])
def test_run_in_a_closed_stream(when: str) -> None:
    """Its run's stream closed by somebody else, `run` yields everything all the same and does not open it."""

    async def main() -> list[str]:
        seen: list[str] = []
        async with run_context("r"):
            if when == "before":
                await get_event_bus().close_stream("r")
            async for event in Agent(ScriptedModel([ToolCall("add", {}), "ok"]), tools=[add]).run("Go"):
                seen.append(event.event_type)
                if when == "during":
                    await get_event_bus().close_stream("r")
        return seen

    assert asyncio.run(main()) == [*MODEL_CALL, *TOOL_CALL, *MODEL_CALL, "agent.terminate"]
    record = get_event_bus().run_record("r")
    assert record is not None
    assert record.closed


def test_run_with_others_in_the_same_run() -> None:
    """Two agents that share a run: each iteration yields both agents' events, and ends with its own agent."""
    quick_ended = asyncio.Event()

    @tool
    async def wait() -> None:
        await quick_ended.wait()

    async def consume(*replies: Any) -> list[str]:
        run = Agent(ScriptedModel(replies), tools=[wait]).run("Go")
        return [str(event.data.get("final_message_preview")) async for event in run]

    async def main() -> tuple[list[str], list[str]]:
        async with run_context("r"):
            slow = asyncio.create_task(consume(ToolCall("wait"), "slow"))
            quick = await consume("quick")
            quick_ended.set()
            return quick, await slow

    quick, slow = asyncio.run(main())
    assert "quick" in quick
    assert "slow" not in quick
    assert "quick" in slow
    assert slow[-1] == "slow"


def test_run_with_a_slow_consumer() -> None:
    """A consumer that waits while thousands of events happen gets every one of them."""

    @tool
    async def chatter() -> None:
        for n in range(20_000):
            emit_sync("mine.word", n=n)
            if n % 100 == 0:
                await asyncio.sleep(0)
        done.set()

    done = asyncio.Event()

    async def main() -> list[StreamEvent]:
        seen: list[StreamEvent] = []
        async for event in Agent(ScriptedModel([ToolCall("chatter"), "ok"]), tools=[chatter]).run("Go"):
            if event.event_type == "agent.tool.started":
                await done.wait()
            seen.append(event)
        return seen

    events = asyncio.run(main())
    assert [event.data["n"] for event in events if event.event_type == "mine.word"] == list(range(20_000))
    assert events[-1].event_type == "agent.terminate"


def test_run_raises_at_the_end() -> None:
    """What the agent raises is raised after its last event was yielded."""
    seen: list[StreamEvent] = []

    async def main() -> None:
        async for event in Agent(ScriptedModel([ValueError("oh")])).run("Go"):
            assert len(events_in(event.run_id)) == 3
            seen.append(event)

    with pytest.raises(ValueError, match="oh"):
        asyncio.run(main())
    assert types_of(seen) == ["agent.model.started", "agent.model.completed", "agent.terminate"]
    (run_id,) = get_event_bus().run_ids()
    record = get_event_bus().run_record(run_id)
    assert record is not None
    assert record.status == "error"


def test_leaving_run_early() -> None:
    """Left early, the agent is cancelled and says so, and nothing stays on the bus."""

    async def main() -> None:
        async with contextlib.aclosing(Agent(ScriptedModel(["late"], latency=60)).run("Go")) as events:
            async for _ in events:
                break
        (run_id,) = get_event_bus().run_ids()
        assert events_in(run_id)[-1].data["reason"] == "interrupted"
        assert get_event_bus().stats()["queue_depths"] == {}
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


@pytest.mark.parametrize("within", [None, "r"])
def test_leaving_run_early_with_a_model_that_does_not_end(
    within: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Left early, `run` waits a while for its agent, then tells its end, and nothing is told after it."""
    monkeypatch.setattr(agent_events_module, "INTERRUPT_SECONDS", 0.01)

    class Deaf:
        async def complete(self, messages: Any, tools: Any) -> ModelReply:
            while not go_on.is_set():
                with contextlib.suppress(asyncio.CancelledError):
                    await go_on.wait()
            raise ValueError("late")

    go_on = asyncio.Event()
    unseen: list[object] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, problem: unseen.append(problem))
        token = set_run_id(within)
        async with contextlib.aclosing(Agent(Deaf()).run("Go")) as events:
            async for _ in events:
                break
        reset_run_id(token)
        (run_id,) = get_event_bus().run_ids()
        told = events_in(run_id)
        assert types_of(told) == ["agent.model.started", "agent.model.completed", "agent.terminate"]
        assert told[-1].data["reason"] == "interrupted"
        go_on.set()
        await answers_ended()
        assert get_event_bus().history(run_id) == told
        record = get_event_bus().run_record(run_id)
        assert record is not None
        assert record.closed is (within is None)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        gc.collect()

    asyncio.run(main())
    assert unseen == []


def test_break_cancels_too() -> None:
    """A plain `break` cancels the agent as soon as the loop has its turn."""

    async def main() -> str:
        bus = get_event_bus()
        with bus.subscribe_global() as everything:
            async for _ in Agent(ScriptedModel(["late"], latency=60)).run("Go"):
                break
            async for event in everything:
                if event.event_type == "agent.terminate":
                    return event.data["reason"]
        return ""

    assert asyncio.run(main()) == "interrupted"


def test_a_cancelled_consumer_cancels_the_agent() -> None:
    """A consumer task that is cancelled takes its agent with it."""

    async def consume(first: asyncio.Event) -> None:
        async for _ in Agent(ScriptedModel(["late"], latency=60)).run("Go"):
            first.set()

    async def main() -> None:
        first = asyncio.Event()
        consumer = asyncio.create_task(consume(first))
        await first.wait()
        consumer.cancel()
        with pytest.raises(asyncio.CancelledError):
            await consumer
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())
    (run_id,) = get_event_bus().run_ids()
    assert events_in(run_id)[-1].data["reason"] == "interrupted"


def test_the_bus_is_reset_meanwhile() -> None:
    """With the bus reset under it, `run` still comes to its end."""

    async def main() -> list[str]:
        seen: list[str] = []
        async for event in Agent(ScriptedModel(["ok"])).run("Go"):
            seen.append(event.event_type)
            reset_event_bus()
        return seen

    assert asyncio.run(main())[0] == "agent.model.started"


def test_run_that_is_never_iterated() -> None:
    """Calling `run` alone starts nothing and leaves nothing."""
    Agent(ScriptedModel([])).run("Go")
    assert get_event_bus().stats()["published_events_total"] == 0


@pytest.mark.parametrize(
    "prompt,error", [("", ValueError), (" \n", ValueError), (None, TypeError), (b"x", TypeError)]
)
def test_prompts(prompt: Any, error: type[Exception]) -> None:
    """An empty prompt or one that is no str is refused by each way to run, before anything is told."""
    agent = Agent(ScriptedModel(["ok"]))
    with run_context("r"):
        with pytest.raises(error, match="prompt"):
            agent.run_sync(prompt)
        with pytest.raises(error, match="prompt"):
            asyncio.run(agent.arun(prompt))
        with pytest.raises(error, match="prompt"):
            agent.run(prompt)
    assert get_event_bus().history("r") == ()


@pytest.mark.parametrize(
    "arguments,error,message",
    [
        ({"model": 3}, TypeError, r"Agent\(model=\.\.\.\) .* not int"),
        ({"model": ScriptedModel}, TypeError, "not the class ScriptedModel"),
        ({"model": "gpt"}, ValueError, "known: mock"),
        ({"max_iterations": 0}, ValueError, "1 or more"),
        ({"max_iterations": 1.5}, TypeError, "takes an int, not float"),
        ({"max_iterations": True}, TypeError, "takes an int, not bool"),
        ({"system_prompt": 3}, TypeError, "takes a str, not int"),
        ({"tools": add}, TypeError, "list of tools, not add"),
        ({"tools": "add"}, TypeError, "list of tools, not str"),
        ({"tools": 3}, TypeError, "list of tools, not int"),
        ({"tools": [add, add]}, ValueError, "two tools named 'add'"),
        ({"tools": [len]}, TypeError, "holds len .*write @tool"),
        ({"tools": [None]}, TypeError, "holds NoneType"),
        ({"temperature": 1}, TypeError, "temperature"),
    ],
)
def test_what_makes_no_agent(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    """A bad argument is told when the agent is made, with what to do."""
    with pytest.raises(error, match=message):
        Agent(**arguments)


def test_streaming_needs_a_model_that_can() -> None:
    """`stream=True` with a model that cannot stream is refused at once."""

    class Plain:
        async def complete(self, messages: Any, tools: Any) -> ModelReply:
            return ModelReply("ok")

    assert Agent(Plain()).run_sync("Go").message == "ok"
    with pytest.raises(TypeError, match=r"stream\(\)"):
        Agent(Plain(), stream=True)


def test_tools_may_come_from_any_iterable() -> None:
    """`tools` is read once: a generator will do, and later changes of a list do not count."""
    tools = [add]
    agent = Agent(ScriptedModel([]), tools=(each for each in tools))
    other = Agent(ScriptedModel([]), tools=tools)
    tools.clear()
    assert agent.tools == other.tools == (add,)
    assert repr(other) == "<Agent of ScriptedModel with tools [add]>"


@pytest.mark.parametrize("record", [TokenMetrics(1, 2, 3), ToolUse("a", {}, "b", None)])
def test_results_do_not_change(record: Any) -> None:
    """Results are frozen records."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(record, dataclasses.fields(record)[0].name, 1)
    assert not hasattr(record, "__dict__")


ARGUMENTS = st.dictionaries(st.sampled_from(["a", "b", "c"]), st.none() | st.integers() | st.text())
REPLIES = st.lists(
    st.text(max_size=300)
    | st.builds(ToolCall, st.sampled_from(["add", "fail", "gone"]), ARGUMENTS)
    | st.sampled_from(
        [ValueError, KeyboardInterrupt, asyncio.CancelledError, ModelReply("", [ToolCall("add")] * 3)]
    ),
    max_size=5,
)


@given(replies=REPLIES, stream=st.booleans())
def test_it_always_ends_with_terminate(replies: list[Any], *, stream: bool) -> None:
    """Whatever model and tools do: known payloads, every span closed, one `agent.terminate`, the last."""
    reset_event_bus()
    agent = Agent(ScriptedModel(replies), tools=[add, fail], max_iterations=3, stream=stream)
    raised: BaseException | None = None
    with run_context("r"):
        try:
            agent.run_sync("Go")
        except BaseException as error:  # noqa: BLE001 - what is raised is compared with what is told
            raised = error
    reason = events_in("r")[-1].data["reason"]
    if raised is None:
        assert reason in {"complete", "max_iterations"}
    elif isinstance(raised, KeyboardInterrupt | asyncio.CancelledError):
        assert reason == "interrupted"
    else:
        assert reason == "error"
