from __future__ import annotations

import asyncio
import enum
import functools
import inspect
import threading
from typing import TYPE_CHECKING, Annotated, Any, Dict, List, Literal, Optional  # noqa: UP035 - people write these

import pytest
from hypothesis import given
from hypothesis import strategies as st

from locus_nb import current_run_id, run_context, tool

if TYPE_CHECKING:
    from decimal import Decimal as Unseen


class Unit(enum.Enum):
    """Degrees."""

    CELSIUS = "C"
    FAHRENHEIT = "F"


class Level(enum.IntEnum):
    """How loud."""

    LOW = 1
    HIGH = 2


def schema_of(hint: Any) -> Any:
    """Give the schema of a parameter of this type."""

    def take(value):  # noqa: ANN001, ANN202 - annotated below
        return value

    take.__annotations__ = {"value": hint}
    return tool(take).parameters["properties"]["value"]


def converted(hint: Any, value: Any) -> Any:
    """Pass `value` as a model would to a parameter of this type and give what arrives."""

    def take(value):  # noqa: ANN001, ANN202 - annotated below
        return value

    take.__annotations__ = {"value": hint}
    return asyncio.run(tool(take).invoke({"value": value}))


@tool
def weather(city: str, unit: Unit = Unit.CELSIUS, days: int = 1) -> str:
    """Say the weather.

    For a city.
    """
    return f"{city} {unit.name} {days}"


def test_a_tool_knows_itself() -> None:
    """Name, description and schema come from the function: its name, docstring and types."""
    assert weather.name == "weather"
    assert weather.description == inspect.cleandoc(weather.__doc__ or "")
    assert weather.parameters == {
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "unit": {"type": "string", "enum": ["C", "F"], "default": "C"},
            "days": {"type": "integer", "default": 1},
        },
        "required": ["city"],
        "additionalProperties": False,
    }


def test_a_tool_is_still_the_function() -> None:
    """Called directly it takes positional arguments, keeps name and signature, and checks nothing."""
    assert weather("Bern", Unit.FAHRENHEIT) == "Bern FAHRENHEIT 1"
    assert weather.__name__ == "weather"
    assert list(inspect.signature(weather).parameters) == ["city", "unit", "days"]
    assert repr(weather) == "<tool weather(city, unit, days)>"


def test_tool_with_arguments() -> None:
    """`@tool(name=..., description=...)` overrides what the function says; `@tool()` overrides nothing."""

    @tool(name="sum-up", description="Sums.")
    def add(a: int, b: int) -> int:
        return a + b

    @tool()
    def plain(a: int) -> int:
        return a

    assert (add.name, add.description, add(1, 2)) == ("sum-up", "Sums.", 3)
    assert (plain.name, plain.description, plain(1)) == ("plain", "", 1)


@pytest.mark.parametrize(
    "hint,schema",
    [
        (str, {"type": "string"}),
        (int, {"type": "integer"}),
        (float, {"type": "number"}),
        (bool, {"type": "boolean"}),
        (None, {"type": "null"}),
        (Any, {}),
        (list, {"type": "array"}),
        (dict, {"type": "object"}),
        (List, {"type": "array"}),  # noqa: UP006 - as above
        (Dict, {"type": "object"}),  # noqa: UP006 - as above
        (list[int], {"type": "array", "items": {"type": "integer"}}),
        (dict[str, float], {"type": "object", "additionalProperties": {"type": "number"}}),
        (Optional[int], {"anyOf": [{"type": "integer"}, {"type": "null"}]}),  # noqa: UP045 - as above
        (int | str, {"anyOf": [{"type": "integer"}, {"type": "string"}]}),
        (Literal["a", "b"], {"type": "string", "enum": ["a", "b"]}),
        (Literal["a", 1], {"type": ["integer", "string"], "enum": ["a", 1]}),
        (Unit, {"type": "string", "enum": ["C", "F"]}),
        (Level, {"type": "integer", "enum": [1, 2]}),
        (Annotated[int, "How many."], {"type": "integer", "description": "How many."}),
        ("list[Unit]", {"type": "array", "items": {"type": "string", "enum": ["C", "F"]}}),
    ],
)
def test_schema_of_a_type(hint: Any, schema: Any) -> None:
    """Each supported type has its JSON schema, also when written as a string."""
    assert schema_of(hint) == schema


@pytest.mark.parametrize(
    "hint,value,result",
    [
        (int, 2.0, 2),
        (float, 2, 2.0),
        (bool, True, True),
        (Unit, "F", Unit.FAHRENHEIT),
        (Level, 2, Level.HIGH),
        (list[Unit], ["C"], [Unit.CELSIUS]),
        (dict[str, int], {"a": 1.0}, {"a": 1}),
        (float | int, 3, 3),
        (int | str, "3", "3"),
        (int | None, None, None),
        (Unit | None, "C", Unit.CELSIUS),
        (Literal[1, True], True, True),
        (Any, {"x": [1]}, {"x": [1]}),
        (List, [1, "a"], [1, "a"]),  # noqa: UP006 - as above
    ],
)
def test_a_json_value_becomes_the_type(hint: Any, value: Any, result: Any) -> None:
    """The function gets what its types say: enum members, floats, and of a union the closest."""
    got = converted(hint, value)
    assert got == result
    assert type(got) is type(result)


@pytest.mark.parametrize(
    "hint,value",
    [
        (str, 1),
        (int, "1"),
        (int, True),
        (int, 1.5),
        (int, float("inf")),
        (float, "1"),
        (float, True),
        (float, 10**400),
        (bool, 1),
        (None, 0),
        (list, "abc"),
        (list[int], [1, "a"]),
        (dict, [("a", 1)]),
        (dict, {1: 2}),
        (dict[str, int], {"a": "b"}),
        (Literal["a"], "b"),
        (Literal[1], True),
        (Unit, "K"),
        (int | None, "x"),
    ],
)
def test_a_wrong_type_is_told(hint: Any, value: Any) -> None:
    """A value of another type is a TypeError that names the parameter and the type of what was given."""
    with pytest.raises(TypeError, match=rf"take: 'value' must be .*, not this {type(value).__name__} \("):
        converted(hint, value)


def test_all_that_is_wrong_is_told_at_once() -> None:
    """Missing, unknown and wrong arguments stand in one message, so that a model can mend them all."""
    with pytest.raises(TypeError) as caught:
        asyncio.run(weather.invoke({"town": "Bern", "days": "two"}))
    assert str(caught.value) == (
        "weather: unknown argument 'town'; missing argument 'city' (a string); "
        "'days' must be an integer, not this str (it takes city, unit, days)"
    )


@pytest.mark.parametrize(
    "arguments", ["hunter2", {"city": ["hunter2"]}, {"city": "Bern", "days": "hunter2"}, {("hunter2",): 1}]
)
def test_an_error_shows_no_value(arguments: Any) -> None:
    """What was given where it does not fit is not in the message: it may be a password."""
    with pytest.raises(TypeError, match="weather") as caught:
        asyncio.run(weather.invoke(arguments))
    assert "hunter2" not in str(caught.value)


class Awkward:
    """Breaks whoever looks at it."""

    def __repr__(self) -> str:
        raise RuntimeError

    __str__ = __repr__


@pytest.mark.parametrize(
    "arguments", [None, "city", ["city"], 3, Awkward(), {Awkward(): 1}, {"city": Awkward()}]
)
def test_arguments_that_are_no_object(arguments: Any) -> None:
    """Whatever a model passes, the function is not called and the error says why."""
    with pytest.raises(TypeError, match="weather"):
        asyncio.run(weather.invoke(arguments))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(value=JSON)
def test_conversion_is_total(value: Any) -> None:
    """Any JSON value is either converted or refused with a TypeError, for a type made of all others."""
    hint = list[int] | dict[str, float | Unit] | Literal["a"] | Level | None
    problem = ""
    try:
        converted(hint, value)
    except TypeError as error:
        problem = str(error)
    assert not problem or "'value' must be" in problem


def test_a_sync_tool_runs_off_the_loop_in_its_context() -> None:
    """A sync function runs in another thread with the run id kept, while the loop goes on."""
    begun, done = threading.Event(), threading.Event()

    @tool
    def wait() -> tuple[int, str | None]:
        begun.set()
        assert done.wait(10)
        return threading.get_ident(), current_run_id()

    async def main() -> tuple[int, str | None]:
        with run_context("r"):
            waiting = asyncio.create_task(wait.invoke({}))
            assert await asyncio.to_thread(begun.wait, 10)
            done.set()
            return await waiting

    ident, run_id = asyncio.run(main())
    assert ident != threading.get_ident()
    assert run_id == "r"


def test_an_async_tool_runs_on_the_loop() -> None:
    """An async function is awaited where it is called, also behind a partial or as a callable object."""

    async def where(ident: int) -> bool:
        return ident == threading.get_ident()

    class There:
        async def __call__(self, ident: int) -> bool:
            return ident == threading.get_ident()

    partial = functools.partial(where)
    for made in (tool(where), tool(name="partial")(partial), tool(name="there")(There())):
        assert asyncio.run(made.invoke({"ident": threading.get_ident()})) is True


def test_a_sync_function_that_returns_an_awaitable() -> None:
    """A function whose coroutine comes out of plain code gives the coroutine's result."""

    async def later(n: int) -> int:
        return n

    @tool
    def wrapped(n: int) -> Any:
        return later(n)

    assert asyncio.run(wrapped.invoke({"n": 3})) == 3


@pytest.mark.parametrize("raised", [ValueError, KeyboardInterrupt, SystemExit, asyncio.CancelledError])
def test_what_a_tool_raises_comes_out(raised: type[BaseException]) -> None:
    """An exception in the tool's thread is raised where the tool is awaited."""

    @tool
    def fail() -> None:
        raise raised

    async def main() -> None:
        with pytest.raises(raised):
            await fail.invoke({})

    asyncio.run(main())


def test_stop_iteration_does_not_hang() -> None:
    """StopIteration, which no future can hold, comes out as RuntimeError."""

    @tool
    def fail() -> None:
        next(iter(()))

    with pytest.raises(RuntimeError, match="StopIteration"):
        asyncio.run(fail.invoke({}))


def test_cancelled_while_a_thread_works() -> None:
    """Cancelling ends the wait at once; the thread's late result disturbs nobody, even a closed loop."""
    begun, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    @tool
    def slow() -> None:
        begun.set()
        go_on.wait(10)
        ended.set()

    async def main() -> None:
        waiting = asyncio.create_task(slow.invoke({}))
        assert await asyncio.to_thread(begun.wait, 10)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(main())
    assert not ended.is_set()
    go_on.set()
    assert ended.wait(10)


def test_a_bound_method_is_a_tool() -> None:
    """`tool(obj.method)` leaves `self` out; the unbound method says how to do it."""

    class Shop:
        def price(self, item: str) -> int:
            return len(item)

    assert asyncio.run(tool(Shop().price).invoke({"item": "pear"})) == 4
    with pytest.raises(TypeError, match=r"bind it first: tool\(obj\.method\)"):
        tool(Shop.price)


def test_a_tool_of_a_tool() -> None:
    """Making a tool of a tool makes another of the same function."""
    again = tool(name="forecast")(weather)
    assert again.name == "forecast"
    assert again("Bern") == weather("Bern")


def test_the_return_type_need_not_exist() -> None:
    """Only parameters' types are looked up: a return type may be known to the type checker alone."""

    @tool
    def give(a: int) -> Unseen:
        return a  # type: ignore[return-value]  # the type is not there to be made

    assert give.parameters["required"] == ["a"]


def untyped(a) -> None:  # noqa: ANN001 - the point
    """Has no type."""


def unknown_type(a: Unseen) -> None:
    """Has a type that is not there at run time."""


def odd_type(a: set[int]) -> None:
    """Has a type without a schema."""


def odd_keys(a: dict[int, str]) -> None:
    """Has keys that JSON does not have."""


def odd_member(a: list[object]) -> None:
    """Has a part without a schema."""


def odd_choice(a: Literal[b"x"]) -> None:
    """Has a choice that JSON does not have."""


def star(*a: int) -> None:
    """Takes any number."""


def star_star(**a: int) -> None:
    """Takes any name."""


def positional(a: int, /) -> None:
    """Takes no name."""


def yields(a: int) -> Any:
    """Is a generator."""
    yield a


async def yields_async(a: int) -> Any:
    """Is an async generator."""
    yield a


@pytest.mark.parametrize(
    "function,message",
    [
        (untyped, "'a' has no type"),
        (unknown_type, "cannot be resolved"),
        (odd_type, r"parameter 'a': set\[int\] has no JSON schema"),
        (odd_keys, r"dict\[int, str\] has no JSON schema"),
        (odd_member, "object has no JSON schema"),
        (odd_choice, "no JSON scalar"),
        (star, "variadic positional"),
        (star_star, "variadic keyword"),
        (positional, "positional-only"),
        (yields, "yields"),
        (yields_async, "yields"),
        ("weather", "takes a function, not str"),
        (3, "takes a function, not int"),
    ],
)
def test_what_cannot_be_a_tool(function: Any, message: str) -> None:
    """A function that no model could call is refused when it is made a tool, with the reason."""
    with pytest.raises(TypeError, match=message):
        tool(function)


@pytest.mark.parametrize("name", ["", "two words", "x" * 65, "<lambda>"])
def test_a_name_that_is_none(name: str) -> None:
    """A name that models' interfaces refuse is a ValueError."""
    with pytest.raises(ValueError, match=r"pass tool\(name="):
        tool(name=name)(weather)


def test_names_are_text() -> None:
    """Name and description are str."""
    with pytest.raises(TypeError, match=r"tool\(name="):
        tool(name=3)  # type: ignore[call-overload]  # the point
    with pytest.raises(TypeError, match=r"tool\(description="):
        tool(description=3)  # type: ignore[call-overload]  # the point
