"""What a callable does when it is called: the function that holds its code."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable


def code_of(function: Callable[..., Any]) -> Callable[..., Any]:
    """Find the function that holds the code, behind partials, methods and callable objects."""
    function = _whole(function)
    if inspect.isroutine(function):
        return getattr(function, "__func__", function)
    return type(function).__call__


def is_async(function: Callable[..., Any]) -> bool:
    """Whether what it gives when it is called must be awaited, as far as can be told without calling it.

    So it is with an `async def`, also behind partials, as a method or as the `__call__` of an object, and with what
    `inspect.markcoroutinefunction` has marked.
    """
    return any(map(inspect.iscoroutinefunction, (_whole(function), code_of(function))))


def _whole(function: Callable[..., Any]) -> Callable[..., Any]:
    while isinstance(function, functools.partial):
        function = cast("Callable[..., Any]", function.func)
    return function
