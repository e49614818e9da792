r"""From any Python value to strict JSON (RFC 8259, UTF-8): total, bounded and never raising.

How the values that JSON does not know are written:

- `bytes`, `bytearray`, `memoryview`: the Python literal, `"b'\\x00abc'"`; over 1,024 bytes cut, length told
- sets: a list, sorted by the JSON text of its members
- NaN and infinities: `"NaN"`, `"Infinity"`, `"-Infinity"` (as in protobuf's JSON mapping)
- an `int` of more than 2,000 bits: a text of its leading hexadecimal digits and its number of bits
- lone surrogates: the six characters of their escape, `"\\udc80"`
- `datetime`, `date`, `time`: `isoformat()`; `timedelta`: seconds as a float
- `Decimal`, `Fraction`, `UUID`, `complex`, paths: `str(value)`; an `Enum`: its `value`
- dataclass and attrs objects, namedtuples: a dict of their fields; pydantic: its `model_dump()`
- numpy scalars and arrays: numbers and (nested) lists, up to 10,000 elements
- anything else: its `repr`, at most 1,000 characters

Keys become text: `None` and booleans as JSON writes them, numbers by `str`, others as the JSON text of what
the key itself becomes. Two keys that become the same text are both kept, the second as `"key (2)"`; a key
that was text already keeps its name.

Marked in its place by a text in angle brackets: a value that contains itself, what lies deeper than 64
levels, what comes after the first 1,000,000 values, an object whose conversion and `repr` raise.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import os
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from enum import Enum
from itertools import islice
from typing import Any, cast

MAX_DEPTH = 64
MAX_VALUES = 1_000_000
MAX_BYTES = 1_024
MAX_REPR = 1_000
MAX_ARRAY = 10_000
# What is cut before it comes here: the previews that events hold, and the texts of errors.
MAX_PREVIEW = 240
MAX_ERROR = 2_000

CYCLE = "<contains itself>"
TOO_DEEP = f"<deeper than {MAX_DEPTH} levels>"
TOO_MANY = f"<more than {MAX_VALUES:,} values>"
UNREADABLE = "<cannot be shown>"

# 603 digits: below the 640 that sys.set_int_max_str_digits() always allows.
_HUGE = 1 << 2_000
_BY_STR = {("decimal", "Decimal"), ("fractions", "Fraction"), ("uuid", "UUID")}
# A metaclass may put anything at `cls.__name__`; this reads the real one.
_name_of: Callable[[type], str] = type.__dict__["__name__"].__get__
_encode = json.JSONEncoder(
    ensure_ascii=False, check_circular=False, allow_nan=False, separators=(",", ":")
).encode


def jsonable(value: object) -> Any:
    """Copy `value` into dicts with `str` keys, lists, `str`, `int`, `float`, `bool` and `None`.

    The copy is a tree of exact built-in types that shares no container with `value`; strict
    `json.dumps(copy, allow_nan=False)` succeeds, and so does encoding that to UTF-8. What becomes of
    everything else stands at the head of this module. Another thread may be changing `value` meanwhile.

    Never raises, whatever the methods of the value do; only KeyboardInterrupt passes through.

    Example:
        >>> jsonable({"n": float("nan"), (1, 2): {"b", "a"}, "raw": b"ok"})
        {'n': 'NaN', '[1,2]': ['a', 'b'], 'raw': "b'ok'"}
    """
    try:
        return _flat(cast("dict[Any, Any]", value)) if type(value) is dict else _Copy().value(value)
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001 - an edge: the interpreter's own limits; seen in the result
        return UNREADABLE


def dumps(value: object) -> str:
    """Give `jsonable(value)` as compact strict JSON text that encodes to UTF-8; never raises.

    Example:
        >>> dumps({"text": "é", "n": float("inf")})
        '{"text":"é","n":"Infinity"}'
    """
    try:
        return _encode(jsonable(value))
    except (RecursionError, MemoryError):
        return f'"{UNREADABLE}"'


def _flat(value: dict[Any, Any]) -> Any:
    """Copy a dict of ordinary values, as most payloads are; `_Copy` does all others."""
    out = value.copy()
    for key, item in out.items():
        if type(key) is not str or not key.isascii():
            return _Copy().value(value)
        kind = _type_of(item)
        if kind is str:
            plain = item.isascii() or _text(item) is item
        elif kind is int:
            plain = -_HUGE < item < _HUGE
        elif kind is float:
            plain = math.isfinite(item)
        elif kind is list:
            out[key] = members = item.copy()
            plain = all(type(member) is str and member.isascii() for member in members)
        else:
            plain = item is None or kind is bool
        if not plain:
            return _Copy().value(value)
    return out


class _Copy:
    """One copy under way: the objects it is inside of, and how many values it may still take."""

    __slots__ = ("_inside", "_left")

    def __init__(self) -> None:
        self._inside: set[int] = set()
        self._left = MAX_VALUES

    def value(self, value: Any) -> Any:
        """Copy any value; what goes wrong inside it is told in its place."""
        if self._left <= 0:
            return TOO_MANY
        self._left -= 1
        kind = _type_of(value)
        if value is None or kind is bool:
            return value
        for base, scalar in _SCALARS:
            if issubclass(kind, base):
                return scalar(value)
        return self._container(value, kind)

    def _container(self, value: Any, kind: type[Any]) -> Any:
        if id(value) in self._inside:
            return CYCLE
        if len(self._inside) >= MAX_DEPTH:
            return TOO_DEEP
        self._inside.add(id(value))
        try:
            return self._opened(value, kind)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - an edge: user code of the value; seen in the result
            return _shown(value, error)
        finally:
            self._inside.discard(id(value))

    def _opened(self, value: Any, kind: type[Any]) -> Any:
        # The built-in types' own methods: a subclass may have overridden its own with anything.
        if issubclass(kind, dict):
            return self._mapping(first_of(_dict_items, value))
        if issubclass(kind, list | tuple):
            return self._sequence(value, kind)
        if issubclass(kind, AbstractSet):
            members = list(cast("AbstractSet[Any]", value))
            return sorted((self.value(member) for member in members), key=_encode)
        if issubclass(kind, Mapping):
            mapping = cast("Mapping[Any, Any]", value)
            return self._mapping([(key, mapping[key]) for key in list(mapping)])
        for base, converted in _OBJECTS:
            if issubclass(kind, base):
                return self.value(converted(value))
        fields = _fields(value, kind)
        return self._mapping(fields) if fields is not None else self._other(value, kind)

    def _sequence(self, value: Any, kind: Any) -> Any:
        names = None if kind is list or kind is tuple else _member_names(value, kind)
        items = _list_copy(value) if issubclass(kind, list) else _tuple_items(value)
        if names is not None:
            return self._mapping(list(zip(names, items, strict=True)))
        return [self.value(item) for item in items]

    def _other(self, value: Any, kind: type[Any]) -> Any:
        if any((base.__module__, base.__name__) in _BY_STR for base in kind.__mro__):
            return _text(str(value))
        if (
            kind.__module__.partition(".")[0] == "numpy"
            and hasattr(kind, "tolist")
            and value.size <= MAX_ARRAY
        ):
            return self.value(value.tolist())
        return _shown(value)

    def _mapping(self, pairs: list[tuple[Any, Any]]) -> dict[str, Any]:
        taken = {key for key, _ in pairs if type(key) is str and _text(key) is key}
        out: dict[str, Any] = {}
        for key, item in pairs:
            name = key
            if type(key) is not str or key not in taken:
                name = _free(self._key(key), taken)
                taken.add(name)
            out[name] = self.value(item)
        return out

    def _key(self, key: Any) -> str:
        plain = self.value(key)
        return plain if isinstance(plain, str) else _encode(plain)


def first_of(items_of: Callable[[Any], Any], container: Any, count: int | None = None) -> list[Any]:
    """Read the first `count` items, or all, of a container that another thread may be changing.

    The list is made almost at once, so few tries do.

    Raises:
        RuntimeError: It was changed during each of 100 tries.
    """
    for _ in range(99):
        try:
            return list(islice(items_of(container), count))
        except RuntimeError:
            continue
    return list(islice(items_of(container), count))


def _fields(value: Any, kind: type[Any]) -> list[tuple[Any, Any]] | None:
    """Give names and values of a pydantic, dataclass or attrs object; None for any other."""
    if hasattr(kind, "model_dump") and hasattr(kind, "model_fields"):
        return list(value.model_dump().items())
    names = getattr(kind, "__dataclass_fields__", None)
    if names is None and (attributes := getattr(kind, "__attrs_attrs__", None)) is not None:
        names = [attribute.name for attribute in attributes]
    return None if names is None else [(name, getattr(value, name)) for name in names if hasattr(value, name)]


def _member_names(value: Any, kind: Any) -> tuple[Any, ...] | None:
    """Give the names of a namedtuple's members; None for any other list or tuple."""
    names: Any = getattr(kind, "_fields", None)
    return (
        names
        if issubclass(kind, tuple) and _type_of(names) is tuple and len(names) == _tuple_len(value)
        else None
    )


def _free(name: str, taken: set[str]) -> str:
    free, count = name, 1
    while free in taken:
        count += 1
        free = f"{name} ({count})"
    return free


def _text(text: str) -> str:
    """Give the very same text, unless UTF-8 cannot hold it."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode()
    return text


def _integer(number: int) -> int | str:
    if -_HUGE < number < _HUGE:
        return number
    bits = number.bit_length()
    return f"{'-' if number < 0 else ''}0x{abs(number) >> (bits - 64):x}... ({bits} bits)"


def _real(number: float) -> float | str:
    if math.isfinite(number):
        return number
    if math.isnan(number):
        return "NaN"
    return "Infinity" if number > 0 else "-Infinity"


def _binary(value: Any) -> str:
    # tobytes() first: only a contiguous view can be cut or cast.
    content = value.tobytes() if isinstance(value, memoryview) else bytes(value)
    literal = repr(content[:MAX_BYTES])
    return literal if len(content) <= MAX_BYTES else f"{literal}... ({len(content)} bytes)"


def _shown(value: object, error: BaseException | None = None) -> str:
    """Give the bounded `repr`, or the type's name and what went wrong."""
    try:
        text = repr(value)
        return _text(text if len(text) <= MAX_REPR else f"{text[:MAX_REPR]}... ({len(text)} characters)")
    except KeyboardInterrupt:
        raise
    except BaseException as failure:  # noqa: BLE001 - an edge: the value's own repr; seen in the result
        return f"<{_name_of(type(value))}: {_name_of(type(error or failure))}>"


_dict_items: Callable[[Any], Any] = cast("Any", dict).items
_list_copy: Callable[[Any], list[Any]] = cast("Any", list).copy
_tuple_len: Callable[[Any], int] = cast("Any", tuple).__len__
_tuple_items: Callable[[Any], Any] = cast("Any", tuple).__iter__
_type_of: Callable[[Any], type[Any]] = type

# In this order; the built-in type's own conversion gives the exact type also for a subclass.
_SCALARS: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (str, lambda value: _text(str.__str__(value))),
    (int, lambda value: _integer(int.__int__(value))),
    (float, lambda value: _real(float.__float__(value))),
)
_OBJECTS: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (Enum, lambda value: value.value),
    ((bytes, bytearray, memoryview), _binary),
    ((dt.date, dt.time), lambda value: value.isoformat()),
    (dt.timedelta, lambda value: value.total_seconds()),
    ((os.PathLike, complex), str),
)
