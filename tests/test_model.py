from __future__ import annotations

import asyncio
import dataclasses
import enum
import time
from typing import TYPE_CHECKING, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locus_nb import get_model, tool
from locus_nb._agent.messages import Message, Model, ModelReply, StreamingModel, ToolCall
from locus_nb.testing import ScriptedModel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from locus_nb._agent.tool import Tool


class Unit(enum.Enum):
    """Degrees."""

    CELSIUS = "celsius"
    KELVIN = "kelvin"


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@tool
def multiply(a: float, b: float) -> float:
    """Multiply two numbers."""
    return a * b


@tool
def get_weather(city: str, unit: Unit = Unit.CELSIUS, days: int = 1) -> str:
    """Say what the weather is like in a city."""
    return f"{city} {unit} {days}"


def ask(prompt: str, *tools: Tool[..., Any], after: Sequence[Message] = ()) -> ModelReply:
    """Give the mock's reply to a prompt and what came after it."""
    model = get_model("mock", latency=0)
    return asyncio.run(model.complete([Message("user", prompt), *after], tools))


def called(prompt: str, *tools: Tool[..., Any]) -> dict[str, Any]:
    """Give the name and arguments of the one tool that the mock wants for a prompt."""
    (call,) = ask(prompt, *tools).tool_calls
    return {call.name: dict(call.arguments)}


@pytest.mark.parametrize(
    "prompt,wanted",
    [
        ("Add 2 and 3", {"add": {"a": 2, "b": 3}}),
        ("What is 2 + 3?", {"add": {"a": 2, "b": 3}}),
        ("What is 2+-3?", {"add": {"a": 2, "b": -3}}),
        ("6 times 7", {"multiply": {"a": 6.0, "b": 7.0}}),
        ("The product of 1.5 and 4", {"multiply": {"a": 1.5, "b": 4.0}}),
        ("What's the weather in Paris?", {"get_weather": {"city": "Paris"}}),
        ('Weather for "New York", 3 days', {"get_weather": {"city": "New York", "days": 3}}),
        ("weather of Oslo in kelvin", {"get_weather": {"city": "Oslo", "unit": "kelvin"}}),
        ("Weather in Rio for 3 days", {"get_weather": {"city": "Rio", "days": 3}}),
    ],
)
def test_the_mock_calls_the_tool_that_fits(prompt: str, wanted: dict[str, Any]) -> None:
    """A tool whose name the prompt means is called, with arguments taken from the prompt."""
    assert called(prompt, add, multiply, get_weather) == wanted


@pytest.mark.parametrize("prompt", ["Hello", "Who are you?", "2 3", "!?", "the a of"])
def test_the_mock_calls_nothing_that_does_not_fit(prompt: str) -> None:
    """A prompt that shares no word with a tool is answered without one."""
    reply = ask(prompt, add, multiply, get_weather)
    assert not reply.tool_calls
    assert prompt in reply.content


def test_the_mock_asks_for_one_tool_after_the_other() -> None:
    """Each fitting tool is called once, in the order of the offer, then the results become the answer."""
    prompt = "Add 2 and 3 and multiply 4 by 5"
    first = ask(prompt, add, multiply)
    said = [Message("assistant", "", tuple(first.tool_calls)), Message("tool", "5", (), "call_1", "add")]
    second = ask(prompt, add, multiply, after=said)
    said += [
        Message("assistant", "", tuple(second.tool_calls)),
        Message("tool", "20", (), "call_2", "multiply"),
    ]
    last = ask(prompt, add, multiply, after=said)
    assert [call.name for call in (*first.tool_calls, *second.tool_calls)] == ["add", "multiply"]
    assert [call.id for call in (*first.tool_calls, *second.tool_calls)] == ["call_1", "call_2"]
    assert (first.stop_reason, last.stop_reason) == ("tool_use", "end_turn")
    assert last.content == "add gave 5; multiply gave 20"


def test_a_new_user_message_may_call_the_tool_again() -> None:
    """A tool is called once for each user message, not once for ever."""
    earlier = [Message("assistant", "", (ToolCall("add"),)), Message("user", "Add 1 and 1")]
    (call,) = ask("Add 2 and 3", add, after=earlier).tool_calls
    assert call.arguments == {"a": 1, "b": 1}


def test_a_description_counts_when_no_name_fits() -> None:
    """With no tool named, a word of the description or of a parameter is enough."""

    @tool(name="k7", description="Look up population figures")
    def look_up(country: str) -> int:
        return len(country)

    assert called("population of Chad", look_up) == {"k7": {"country": "population Chad"}}
    assert called("this country: 'Chad'", look_up) == {"k7": {"country": "Chad"}}


def test_arguments_of_every_type() -> None:
    """Each kind of parameter is filled with something that its tool takes."""

    @tool
    def report(  # noqa: PLR0917 - one of each
        topic: str,
        author: str,
        pages: int,
        ratio: float,
        draft: bool,  # noqa: FBT001 - one of each
        tags: list[str],
        years: list[int],
        style: Literal["short", "long"],
        extra: dict[str, str],
        note: str | None,
        anything: Any,
        nothing: None,
        later: str = "",
    ) -> str:
        return str((topic, author, pages, ratio, draft, tags, years, style, extra, note, anything, nothing))

    arguments = called("A long draft report by 'Ada' on 3 pages about bees, 0.5, 1999 2000", report)["report"]
    assert asyncio.run(report.invoke(arguments)).startswith("('Ada', ")
    assert arguments["pages"] == 3
    assert arguments["ratio"] == 0.5
    assert arguments["draft"] is True
    assert arguments["years"] == [1999, 2000]
    assert arguments["style"] == "long"
    assert "later" not in arguments


@given(prompt=st.text(min_size=1))
def test_the_mock_answers_anything(prompt: str) -> None:
    """Any prompt gets a reply, the same each time, and arguments that the tool takes."""

    @tool(name="note", description=prompt)
    def note(text: str, count: int, ratio: float, tags: list[int], also: str = "") -> str:
        return f"{text}{count}{ratio}{tags}{also}"

    reply = ask(prompt, note)
    assert reply == ask(prompt, note)
    for call in reply.tool_calls:
        asyncio.run(note.invoke(call.arguments))


def test_tokens_are_a_quarter_of_the_characters() -> None:
    """Token counts depend on the texts alone: a quarter of the characters, rounded up."""
    reply = ask("Hello")
    assert reply.prompt_tokens == 2
    assert reply.completion_tokens == -(-len(reply.content) // 4)
    assert ask("Hello", add).prompt_tokens > reply.prompt_tokens


def test_the_mock_streams_what_it_answers() -> None:
    """Streamed, the pieces make up the whole answer, which comes last."""

    async def main() -> list[Any]:
        model = get_model("mock", latency=0)
        assert isinstance(model, StreamingModel)
        return [piece async for piece in model.stream([Message("user", "Hello you")], [])]

    *pieces, reply = asyncio.run(main())
    assert reply == ask("Hello you")
    assert "".join(pieces) == reply.content
    assert len(pieces) > 1


def test_the_latency_is_waited_for() -> None:
    """By default a call takes 20 ms of waiting, during which others run."""
    model = get_model()
    assert vars(model)["latency"] == 0.02
    began = time.monotonic()
    asyncio.run(get_model("mock", latency=0.05).complete([Message("user", "Hello")], []))
    assert time.monotonic() - began >= 0.03


@pytest.mark.parametrize(
    "latency,error", [(-1, ValueError), (float("nan"), ValueError), ("1", TypeError), (True, TypeError)]
)
def test_latency_is_seconds(latency: Any, error: type[Exception]) -> None:
    """A latency that is no number of seconds is refused."""
    with pytest.raises(error, match="latency"):
        get_model("mock", latency=latency)


def test_get_model_reads_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """`LOCUS_MODEL_PROVIDER` is read at each call; unset or empty it means the mock."""
    assert isinstance(get_model(), Model)
    monkeypatch.setenv("LOCUS_MODEL_PROVIDER", "")
    assert vars(type(get_model()))["name"] == "mock"
    monkeypatch.setenv("LOCUS_MODEL_PROVIDER", "gpt")
    with pytest.raises(ValueError, match=r"LOCUS_MODEL_PROVIDER=gpt: no such model provider; known: mock\."):
        get_model()
    assert isinstance(get_model("mock"), Model)


def test_get_model_refuses_what_it_does_not_know() -> None:
    """An unknown provider, a provider that is no name and an unknown option are told."""
    with pytest.raises(ValueError, match=r"get_model\('gpt'\): .* known: mock"):
        get_model("gpt")
    with pytest.raises(ValueError, match="known: mock"):
        get_model("")
    with pytest.raises(TypeError, match="provider's name, not int"):
        get_model(3)  # type: ignore[arg-type]  # the point
    with pytest.raises(TypeError, match="temperature"):
        get_model("mock", temperature=1)


@pytest.mark.parametrize("record", [ToolCall("a"), ModelReply("a"), Message("user", "a")])
def test_records_do_not_change(record: Any) -> None:
    """What goes to and from a model is frozen, and has no room for other fields."""
    field = dataclasses.fields(record)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(record, field, "b")
    assert not hasattr(record, "__dict__")


def test_a_script_is_played_and_recorded() -> None:
    """Each call takes the next reply and is recorded with its messages and tools."""
    model = ScriptedModel(
        ["one", ToolCall("add", {"a": 1}), ModelReply("three", prompt_tokens=9), ValueError("four")]
    )
    messages = [Message("user", "Hello")]

    async def main() -> list[ModelReply]:
        return [await model.complete(messages, [add]) for _ in range(3)]

    replies = asyncio.run(main())
    messages.append(Message("user", "later"))
    assert replies == [
        ModelReply("one"),
        ModelReply(tool_calls=(ToolCall("add", {"a": 1}),), stop_reason="tool_use"),
        ModelReply("three", prompt_tokens=9),
    ]
    assert model.remaining == 1
    with pytest.raises(ValueError, match="four"):
        asyncio.run(model.complete(messages, []))
    assert [len(call.messages) for call in model.calls] == [1, 1, 1, 2]
    assert model.calls[0].tools == (add,)
    assert model.calls[3].tools == ()


def test_an_exception_class_is_raised() -> None:
    """An exception may be scripted as a class."""
    with pytest.raises(ZeroDivisionError):
        asyncio.run(ScriptedModel([ZeroDivisionError]).complete([], []))


def test_a_script_that_is_over() -> None:
    """One call too many is a RuntimeError that says how many replies there were."""
    model = ScriptedModel(["one"])
    asyncio.run(model.complete([], []))
    with pytest.raises(RuntimeError, match="once more than its 1 replies"):
        asyncio.run(model.complete([], []))
    assert len(model.calls) == 2


def test_a_script_streams() -> None:
    """A scripted model can stream: the pieces make up the text."""

    async def main() -> list[Any]:
        return [piece async for piece in ScriptedModel([" to be  or not "]).stream([], [])]

    *pieces, reply = asyncio.run(main())
    assert "".join(pieces) == reply.content == " to be  or not "


@pytest.mark.parametrize(
    "replies,message", [("one", "not one str"), ([1], "reply 0 is a int"), (["a", int], "reply 1")]
)
def test_what_cannot_be_scripted(replies: Any, message: str) -> None:
    """A script with something else in it is refused when it is made."""
    with pytest.raises(TypeError, match=message):
        ScriptedModel(replies)
