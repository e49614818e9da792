"""The beginning of a payload: as much of it as a view looks at, however much there is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from locus_nb._wire import MAX_DEPTH, dumps, first_of, jsonable

if TYPE_CHECKING:
    from collections.abc import Callable

# Enough that a secret which begins within the 4,000 characters that are shown is there as a whole.
LOOKED_AT = 12_000
# What one value that is no text takes of it, and the keys and brackets around.
_EACH = 16
# A list with more members is no longer looked at as a whole without a copy.
_MANY = 100


def is_small(raw: dict[Any, Any]) -> bool:
    """Say whether a payload is flat, but for lists of texts, and nothing of it would be left out.

    Most are so, and need no copy.
    """
    size = _flat_size(raw)
    return size is not None and size < LOOKED_AT


def weight_of(raw: dict[Any, Any]) -> int | None:
    """Estimate how many characters a payload holds; None if it is too large, or too odd, to be looked at.

    Raises:
        RuntimeError: It was changed at every try.
    """
    size = _flat_size(raw)
    if size is None:
        room = Room()
        room.head(raw)
        size = LOOKED_AT - room.left if room.is_plain else LOOKED_AT
    return size if size < LOOKED_AT else None


def _flat_size(raw: dict[Any, Any]) -> int | None:
    """The characters of a payload, or of its beginning; None if it is not flat, but for lists of texts."""
    size = 0
    for key, value in first_of(_dict_items, raw, LOOKED_AT):
        kind = _type_of(value)
        if kind is str:
            size += len(value)
        elif kind is list:
            if len(value) > _MANY or not set(map(_type_of, value)) <= {str}:
                return None
            size += sum(map(_length, value)) + _EACH * len(value)
        elif kind not in _SCALARS:
            return None
        if _type_of(key) is not str:
            return None
        size += len(key) + _EACH
    return size


class Room:
    """What is left of the characters that are looked at.

    Attributes:
        left: Negative, or 0, when something was left out.
        is_plain: Whether all that was seen was of the types that JSON and Python's sets are made of.
    """

    def __init__(self) -> None:
        self.left = LOOKED_AT
        self.is_plain = True

    def head(self, value: Any, depth: int = 0) -> Any:
        """Copy the beginning of `value`, as far as there is room; of types unlike JSON's, and sets, all.

        Read by the built-in types' own methods, as `jsonable` does. Another thread may be changing it.

        Raises:
            RuntimeError: It was changed at every try.
        """
        kind = _type_of(value)
        if issubclass(kind, str):
            text = _cut(value, slice(max(0, self.left)))
            self.left -= _length(value)
            return text
        self.left -= _EACH
        if kind in _SCALARS or depth >= MAX_DEPTH:
            return value
        for base, items_of in _CONTAINERS:
            if issubclass(kind, base):
                return self._opened(base, first_of(items_of, value, max(0, self.left)), depth + 1)
        self.is_plain = False
        return value

    def _opened(self, base: type, items: list[Any], depth: int) -> Any:
        if base is dict:
            return {self._key(key): self.head(item, depth) for key, item in items if self.left > 0}
        heads = [self.head(item, depth) for item in items if self.left > 0]
        # Sorted as `jsonable` sorts a set: what its members become may be of types that no set can hold.
        return sorted(map(jsonable, heads), key=dumps) if base in _SETS else heads

    def _key(self, key: Any) -> Any:
        kind = _type_of(key)
        if issubclass(kind, str):
            return self.head(key)
        return dumps(self.head(key)) if issubclass(kind, tuple | frozenset) else key


_cut: Callable[[Any, slice], str] = cast("Any", str).__getitem__
_length: Callable[[Any], int] = cast("Any", str).__len__
_dict_items: Callable[[Any], Any] = cast("Any", dict).items
_type_of: Callable[[Any], type[Any]] = type
_SCALARS = {bool, float, int, type(None)}
_SETS = {set, frozenset}
_CONTAINERS: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (dict, _dict_items),
    (list, cast("Any", list).__iter__),
    (tuple, cast("Any", tuple).__iter__),
    (set, cast("Any", set).__iter__),
    (frozenset, cast("Any", frozenset).__iter__),
)
