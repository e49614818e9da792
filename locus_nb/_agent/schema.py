"""From a parameter's type hint to its JSON schema, and from a model's JSON value to the hinted type."""

from __future__ import annotations

import types
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, cast, get_args, get_origin

if TYPE_CHECKING:
    from collections.abc import Callable

SUPPORTED = "str, int, float, bool, None, list, dict with str keys, Literal, Enum, Any and unions of them"


class Mismatch(Exception):  # noqa: N818 - a signal between two functions, never seen outside
    """A value is not of the kind that is wanted."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What a parameter takes.

    Attributes:
        schema: The JSON schema that a model is shown.
        expected: The same in words, for an error message: "an integer".
        convert: From a JSON value to the hinted type; raises `Mismatch`.
    """

    schema: dict[str, Any]
    expected: str
    convert: Callable[[Any], Any]


def kind_of(hint: Any) -> Kind:
    """Compile a type hint.

    Raises:
        TypeError: The hint, or a part of it, has no JSON schema here; the message names it.
    """
    try:
        simple = _SIMPLE.get(hint)
    except TypeError:  # not hashable, as the Literal of a list
        simple = None
    if simple is not None:
        return simple
    origin, args = get_origin(hint), get_args(hint)
    if origin in _GENERIC:
        return _GENERIC[origin](args)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _enum(hint)
    raise _unsupported(hint)


def _unsupported(hint: Any) -> TypeError:
    return TypeError(f"{_hint_text(hint)} has no JSON schema here: use {SUPPORTED}")


def _hint_text(hint: Any) -> str:
    return hint.__qualname__ if isinstance(hint, type) and not get_args(hint) else repr(hint)


def _annotated(args: tuple[Any, ...]) -> Kind:
    kind = kind_of(args[0])
    notes = [extra for extra in args[1:] if isinstance(extra, str)]
    schema = {**kind.schema, "description": " ".join(notes)} if notes else kind.schema
    return Kind(schema, kind.expected, kind.convert)


def _union(args: tuple[Any, ...]) -> Kind:
    kinds = [kind_of(arg) for arg in args]

    def convert(value: Any) -> Any:
        converted: list[Any] = []
        for kind in kinds:
            try:
                converted.append(kind.convert(value))
            except Mismatch:
                continue
            # A member that takes the value as it is wins over an earlier one that changes it.
            if converted[-1] is value:
                return value
        if not converted:
            raise Mismatch
        return converted[0]

    return Kind(
        {"anyOf": [kind.schema for kind in kinds]}, " or ".join(kind.expected for kind in kinds), convert
    )


def _literal(args: tuple[Any, ...]) -> Kind:
    return _choice(list(args), list(args))


def _enum(enumeration: type[Enum]) -> Kind:
    members = list(enumeration)
    if not members:
        raise TypeError(f"{enumeration.__qualname__} has no members to choose from: give it some")
    return _choice([member.value for member in members], members)


def _choice(values: list[Any], results: list[Any]) -> Kind:
    for value in values:
        if type(value) not in _NAMES:
            raise TypeError(f"The choice {value!r} is no JSON scalar: use str, int, float, bool or None")

    def convert(value: Any) -> Any:
        for candidate, result in zip(values, results, strict=True):
            # 1 == True == 1.0: the type decides.
            if value is result or (type(value) is type(candidate) and value == candidate):
                return result
        raise Mismatch

    names = sorted({_NAMES[type(value)] for value in values})
    schema = {"type": names[0] if len(names) == 1 else names, "enum": values}
    return Kind(schema, "one of " + ", ".join(repr(value) for value in values), convert)


def _array(args: tuple[Any, ...]) -> Kind:
    if not args:
        return _SIMPLE[list]
    item = kind_of(args[0])

    def convert(value: Any) -> Any:
        if not isinstance(value, list):
            raise Mismatch
        return [item.convert(member) for member in cast("list[Any]", value)]

    return Kind({"type": "array", "items": item.schema}, f"an array, each item {item.expected}", convert)


def _object(args: tuple[Any, ...]) -> Kind:
    if not args:
        return _SIMPLE[dict]
    if args[0] is not str:
        raise _unsupported(dict[args[0], args[1]])
    item = kind_of(args[1])

    def convert(value: Any) -> Any:
        return {key: item.convert(member) for key, member in _mapping(value).items()}

    schema = {"type": "object", "additionalProperties": item.schema}
    return Kind(schema, f"an object, each value {item.expected}", convert)


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Mismatch
    mapping = cast("dict[Any, Any]", value)
    if not all(isinstance(key, str) for key in mapping):
        raise Mismatch
    return mapping


def _list(value: Any) -> Any:
    return _of(list, value)


def _string(value: Any) -> Any:
    return _of(str, value)


def _boolean(value: Any) -> Any:
    return _of(bool, value)


def _null(value: Any) -> Any:
    return _of(types.NoneType, value)


def _of(wanted: type, value: Any) -> Any:
    if not isinstance(value, wanted):
        raise Mismatch
    return value


def _integer(value: Any) -> Any:
    # JSON has one number type, so a model may write 2.0 where an integer is wanted.
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, bool):
        raise Mismatch
    return _of(int, value)


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Mismatch
    try:
        return value if isinstance(value, float) else float(value)
    except OverflowError:
        raise Mismatch from None


def _anything(value: Any) -> Any:
    return value


_NAMES: dict[type, str] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    types.NoneType: "null",
}
_SIMPLE: dict[Any, Kind] = {
    str: Kind({"type": "string"}, "a string", _string),
    int: Kind({"type": "integer"}, "an integer", _integer),
    float: Kind({"type": "number"}, "a number", _number),
    bool: Kind({"type": "boolean"}, "a boolean", _boolean),
    None: Kind({"type": "null"}, "null", _null),
    types.NoneType: Kind({"type": "null"}, "null", _null),
    list: Kind({"type": "array"}, "an array", _list),
    dict: Kind({"type": "object"}, "an object", _mapping),
    Any: Kind({}, "any value", _anything),
}
_GENERIC: dict[Any, Callable[[tuple[Any, ...]], Kind]] = {
    Annotated: _annotated,
    Union: _union,
    types.UnionType: _union,
    Literal: _literal,
    list: _array,
    dict: _object,
}
