"""A tool: a typed function with the name, description and JSON schema that a model needs to call it."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any, Generic, NamedTuple, ParamSpec, TypeVar, cast, get_type_hints, overload

from locus_nb._agent.live_call import live_call
from locus_nb._agent.own_thread import in_thread
from locus_nb._agent.schema import SUPPORTED, Kind, Mismatch, kind_of
from locus_nb._callable import code_of, is_async
from locus_nb._wire import jsonable

P = ParamSpec("P")
R = TypeVar("R")

_NAME = re.compile(r"[\w-]{1,64}")
# Of an argument's name that a model made up.
_SHOWN_CHARS = 80


class _Parameter(NamedTuple):
    kind: Kind
    required: bool


class Tool(Generic[P, R]):
    """A function that a model may call; `tool` makes one.

    It stays callable as the function it was made of, with the same name, signature and docstring.

    Attributes:
        name: What the model calls it by.
        description: What the model is told of it; empty when there is neither a docstring nor a
            description (`python -OO` removes docstrings).
        parameters: JSON schema of the arguments: an object without further properties.
    """

    __name__: str
    __wrapped__: Callable[P, R]

    def __init__(self, function: Callable[P, R], name: str | None, description: str | None) -> None:
        functools.update_wrapper(self, function, updated=())
        self._function = function
        self.name = _checked_name(function, name)
        doc = getattr(function, "__doc__", None) or ""
        self.description = inspect.cleandoc(doc) if description is None else description
        self._parameters = _parameters_of(function, self.name)
        self._is_async = _checked_async(function)
        self.parameters: dict[str, Any] = {
            "type": "object",
            "properties": _properties(function, self._parameters),
            "required": [name for name, parameter in self._parameters.items() if parameter.required],
            "additionalProperties": False,
        }

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function itself: no check, no conversion, no event."""
        return self._function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<tool {self.name}({', '.join(self._parameters)})>"

    async def invoke(self, arguments: object) -> Any:
        """Call the function with a model's JSON arguments and give what it returns.

        An async function is awaited here; any other runs in a thread of its own, with a copy of this
        context (so the run id is kept) and without blocking the loop. Cancelled meanwhile, the wait ends
        at once; the thread cannot be stopped and its result is thrown away. Then what it asks the user is over.

        Args:
            arguments: An object with a value for each required parameter and for no unknown one.

        Raises:
            TypeError: The arguments do not fit; the message names all that is wrong with them, and shows no value.
            BaseException: What the function raises.
        """
        call = functools.partial(cast("Callable[..., Any]", self._function), **self._converted(arguments))
        with live_call():
            result = call() if self._is_async else await in_thread(call, "locus_nb-tool")
            return await result if inspect.isawaitable(result) else result

    def _converted(self, arguments: object) -> dict[str, Any]:
        if not isinstance(arguments, Mapping):
            raise TypeError(f"{self.name} takes its arguments as an object, not {type(arguments).__name__}")
        given = dict(cast("Mapping[Any, Any]", arguments))
        problems = [f"unknown argument {_quoted(key)}" for key in given if key not in self._parameters]
        converted: dict[str, Any] = {}
        for name, (kind, required) in self._parameters.items():
            if name in given:
                try:
                    converted[name] = kind.convert(given[name])
                except Mismatch:
                    # Without the value: that it is a password can be told by the argument's name only.
                    problems.append(
                        f"'{name}' must be {kind.expected}, not this {type(given[name]).__name__}"
                    )
            elif required:
                problems.append(f"missing argument '{name}' ({kind.expected})")
        if problems:
            takes = ", ".join(self._parameters) or "no arguments"
            raise TypeError(f"{self.name}: {'; '.join(problems)} (it takes {takes})")
        return converted


@overload
def tool(function: Callable[P, R], /) -> Tool[P, R]: ...
@overload
def tool(
    *, name: str | None = None, description: str | None = None
) -> Callable[[Callable[P, R]], Tool[P, R]]: ...
def tool(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
) -> Any:
    """Make a tool of a typed function, sync or async; with or without arguments.

    Types that a parameter may have: str, int, float, bool, None, list, dict with str keys, Literal, Enum,
    Any and unions of them; `Annotated[T, "text"]` describes one parameter to the model. A method becomes a
    tool when it is bound: `tool(obj.method)`.

    Args:
        function: The function, or any callable with a readable signature.
        name: What the model calls it by; letters, digits, `_` and `-`, at most 64. Default: its `__name__`.
        description: What the model is told of it. Default: its docstring.

    Raises:
        TypeError: `function` is not callable or yields, or a parameter is untyped, `*args`, `**kwargs`,
            positional-only or of a type without a schema; the message names it.
        ValueError: The name cannot be used as one.

    Example:
        >>> @tool
        ... def add(a: int, b: int = 1) -> int:
        ...     "Add two numbers."
        ...     return a + b
        >>> add(2, 3), add.name, add.parameters["required"]
        (5, 'add', ['a'])
    """
    for what, text in (("name", name), ("description", description)):
        if text is not None and not isinstance(cast("object", text), str):
            raise TypeError(f"tool({what}=...) takes a str, not {type(text).__name__}")
    if function is None:
        return functools.partial(_make, name=name, description=description)
    return _make(function, name=name, description=description)


def _make(function: Any, *, name: str | None, description: str | None) -> Tool[..., Any]:
    if isinstance(function, Tool):
        function = cast("Tool[..., Any]", function).__wrapped__
    if not callable(function):
        raise TypeError(
            f"@tool takes a function, not {type(function).__name__}: write @tool above the function, "
            'or @tool(name="...") for another name'
        )
    return Tool(function, name, description)


def _checked_name(function: Callable[..., Any], name: str | None) -> str:
    text = getattr(function, "__name__", "") if name is None else name
    if not isinstance(text, str) or not _NAME.fullmatch(text):
        raise ValueError(
            f"{text!r} cannot be a tool's name (letters, digits, _ and -, 1 to 64): pass tool(name=...)"
        )
    return text


def _checked_async(function: Callable[..., Any]) -> bool:
    code = code_of(function)
    if inspect.isasyncgenfunction(code) or inspect.isgeneratorfunction(code):
        raise TypeError(f"{function!r} yields, and a tool returns: collect the values and return a list")
    return is_async(function)


def _parameters_of(function: Callable[..., Any], name: str) -> dict[str, _Parameter]:
    try:
        signature = inspect.signature(function)
    except ValueError:
        raise TypeError(f"Tool {name} has no readable signature: wrap it in a typed function") from None
    scope: dict[str, Any] = getattr(inspect.unwrap(code_of(function)), "__globals__", {})
    found: dict[str, _Parameter] = {}
    for parameter in signature.parameters.values():
        where = f"Tool {name}, parameter '{parameter.name}'"
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise TypeError(f"{where} is {parameter.kind.description}: a model passes arguments by name only")
        if parameter.annotation is parameter.empty:
            hint = "; of a method, bind it first: tool(obj.method)" if parameter.name == "self" else ""
            raise TypeError(f"{where} has no type: annotate it with {SUPPORTED}{hint}")
        try:
            kind = kind_of(_resolved(parameter.annotation, scope))
        except (NameError, AttributeError, SyntaxError) as error:
            raise TypeError(
                f"{where}: its type {parameter.annotation!r} cannot be resolved where the function's module "
                f"is ({error}): define the type at module level"
            ) from error
        except TypeError as error:
            raise TypeError(f"{where}: {error}") from error
        found[parameter.name] = _Parameter(kind, parameter.default is parameter.empty)
    return found


def _resolved(annotation: Any, scope: dict[str, Any]) -> Any:
    # One at a time: the return type may be a name that only the type checker knows.
    holder = type("holder", (), {"__annotations__": {"it": annotation}})()
    return get_type_hints(holder, globalns=scope, include_extras=True)["it"]


def _properties(function: Callable[..., Any], parameters: dict[str, _Parameter]) -> dict[str, Any]:
    declared = inspect.signature(function).parameters
    properties: dict[str, Any] = {}
    for name, (kind, required) in parameters.items():
        schema = dict(kind.schema)
        if not required:
            schema["default"] = jsonable(declared[name].default)
        properties[name] = schema
    return properties


def _quoted(key: object) -> str:
    return (
        f"'{key[:_SHOWN_CHARS]}'"
        if isinstance(key, str)
        else f"(its name is of type {type(key).__name__}, not str)"
    )
