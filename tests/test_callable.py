from __future__ import annotations

import asyncio
import inspect
from functools import partial
from typing import Any

import pytest

from locus_nb import configure, on_question, tool
from locus_nb._callable import code_of, is_async


async def later(first: str, second: str = "") -> str:
    """Say something, later."""
    return first + second


def now(first: str, second: str = "") -> str:
    """Say something."""
    return first + second


class Later:
    """Something that is called as a coroutine function is."""

    async def __call__(self, first: str, second: str = "") -> str:
        return first + second

    method = __call__
    static = staticmethod(later)

    @classmethod
    async def on_class(cls, first: str) -> str:
        return first


class Now:
    """Something that is called as a function is, whatever else it has."""

    def __init__(self) -> None:
        self.__call__ = later  # pyright: ignore[reportAttributeAccessIssue] - an object's own is not called

    def __call__(self, first: str, second: str = "") -> str:
        return first + second

    method = __call__


ASYNC = [later, partial(later), partial(partial(later)), Later(), partial(Later()), Later().method]
ASYNC += [Later.on_class, Later().static, Later.__call__]
SYNC = [now, partial(now), Now(), partial(Now()), Now().method, Now, Later, len, "".join]


@pytest.mark.parametrize("function", ASYNC)
def test_what_must_be_awaited_is_known(function: Any) -> None:
    """A coroutine function is one behind partials, as a method, and as what an object is called by."""
    assert is_async(function)
    assert inspect.iscoroutinefunction(code_of(function))


@pytest.mark.parametrize("function", SYNC)
def test_what_gives_a_value_is_known(function: Any) -> None:
    """A function, a method, a class and an object that is called as a function need not be awaited."""
    assert not is_async(function)


@pytest.mark.parametrize("function", [later, partial(later), Later(), partial(Later()), Later().method])
def test_all_who_take_functions_agree(function: Any) -> None:
    """What `configure` and `on_question` refuse because nobody would await it, a tool awaits."""
    with pytest.raises(TypeError, match="not an `async def`"):
        configure(redact=function)
    with pytest.raises(TypeError, match="not a coroutine function"):
        on_question(function)
    made = tool(name="say")(function)
    assert asyncio.run(made.invoke({"first": "a"})) == "a"
    assert made._is_async
