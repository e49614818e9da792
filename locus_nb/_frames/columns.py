"""Columns of one dtype each, filled group by group; what does not fit the dtype is missing.

Every column is given the same groups: `add` its values, or `skip` those it has none for. `array` puts them
in the order of the frame: `order[i]` is the place, in the order of adding, of what comes to stand in row i.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, cast

import numpy as np
import pandas as pd

from locus_nb._payloads.numbers import amount, count
from locus_nb._wire import jsonable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Order = NDArray[np.intp]
    WholeNumbers = NDArray[np.int64]


class GrowingColumn(Protocol):
    """What all columns do."""

    def add(self, values: Sequence[Any]) -> None:
        """Take the values of a group."""
        ...

    def skip(self, length: int) -> None:
        """Leave `length` rows empty."""
        ...

    def known(self) -> NDArray[np.bool_]:
        """Say, in the order of adding, where there is a value."""
        ...

    def array(self, order: Order) -> Any:
        """Give the finished column."""
        ...


class CountColumn:
    """Int64; whole numbers from 0 below 2**63."""

    def __init__(self) -> None:
        self._parts: list[WholeNumbers] = []

    def add(self, values: Sequence[Any]) -> None:
        """Take anything."""
        self._parts.append(counts(values))

    def add_counts(self, values: WholeNumbers) -> None:
        """Take what `counts` gave."""
        self._parts.append(values)

    def skip(self, length: int) -> None:
        """Leave `length` rows empty."""
        self._parts.append(np.full(length, -1))

    def known(self) -> NDArray[np.bool_]:
        """Say, in the order of adding, where there is a value."""
        return self._all() >= 0

    def array(self, order: Order) -> Any:
        """Give the finished column."""
        values = self._all()[order]
        missing = values < 0
        values[missing] = 0
        return pd.arrays.IntegerArray(values, missing)

    def _all(self) -> WholeNumbers:
        return np.concatenate([np.empty(0, np.int64), *self._parts])


class AmountColumn:
    """Float64; finite numbers from 0."""

    def __init__(self) -> None:
        self._parts: list[NDArray[np.float64]] = []

    def add(self, values: Sequence[Any]) -> None:
        """Take anything."""
        self._parts.append(_amounts(values))

    def skip(self, length: int) -> None:
        """Leave `length` rows empty."""
        self._parts.append(np.full(length, np.nan))

    def known(self) -> NDArray[np.bool_]:
        """Say, in the order of adding, where there is a value."""
        values = self._all()
        return np.isfinite(values) & (values >= 0)

    def array(self, order: Order) -> Any:
        """Give the finished column."""
        values = self._all()[order]
        missing = ~(np.isfinite(values) & (values >= 0))
        values[missing] = 0.0
        return pd.arrays.FloatingArray(values, missing)

    def _all(self) -> NDArray[np.float64]:
        return np.concatenate([np.empty(0), *self._parts])


class TextColumn:
    """Dtype string, in the storage that pandas itself chooses: Arrow's where `pyarrow` is, else Python's."""

    def __init__(self) -> None:
        self._values: list[Any] = []
        self._places: list[Order] = []
        self._odd = False

    def add(self, values: Sequence[Any]) -> None:
        """Take anything."""
        kinds = set(map(type, values))
        if kinds == {type(None)}:
            self.skip(len(values))
            return
        plain = kinds == {str}
        self._odd |= not plain
        start = len(self._values)
        self._values += values if plain else [value if isinstance(value, str) else None for value in values]
        self._places.append(np.arange(start, len(self._values), dtype=np.intp))

    def skip(self, length: int) -> None:
        """Leave `length` rows empty."""
        self._places.append(np.full(length, -1, np.intp))

    def known(self) -> NDArray[np.bool_]:
        """Say, in the order of adding, where there is a value."""
        places = self._all()
        if self._odd:
            texts = np.array([value is not None for value in self._values], np.bool_)
            return np.append(texts, False)[places]
        return places >= 0

    def array(self, order: Order) -> Any:
        """Give the finished column."""
        return texts_array(self._values).take(self._all()[order], allow_fill=True)

    def _all(self) -> Order:
        return np.concatenate([np.empty(0, np.intp), *self._places])


class NameColumn:
    """Categorical; the categories are the texts that occur, sorted."""

    def __init__(self) -> None:
        self._parts: list[NDArray[np.int32]] = []
        self._codes = _Codes()

    def add(self, values: Sequence[Any]) -> None:
        """Take anything."""
        try:
            self._parts.append(self._codes.of(values))
        except TypeError:
            # One cannot be hashed, so it is no text.
            texts = [jsonable(value) if isinstance(value, str) else None for value in values]
            self._parts.append(self._codes.of(texts))

    def add_same(self, name: str, length: int) -> None:
        """Take one text for `length` rows."""
        self._parts.append(np.full(length, self._codes[name], np.int32))

    def skip(self, length: int) -> None:
        """Leave `length` rows empty."""
        self._parts.append(np.full(length, -1, np.int32))

    def known(self) -> NDArray[np.bool_]:
        """Say, in the order of adding, where there is a value."""
        return self._all() >= 0

    def array(self, order: Order) -> Any:
        """Give the finished column."""
        codes = self._all()[order]
        names = sorted(self._codes.names)
        # The last place is what the code -1 finds.
        place_of = np.full(len(names) + 1, -1)
        place_of[[self._codes[name] for name in names]] = np.arange(len(names))
        # Always of dtype object, which pandas would not choose for each set of names.
        categories = pd.Index(objects(names), dtype=object)
        return pd.Categorical.from_codes(place_of[codes], cast("Any", categories))

    def _all(self) -> NDArray[np.int32]:
        return np.concatenate([np.empty(0, np.int32), *self._parts])


class _Codes(dict[Any, int]):
    """The number of each text, which is given when it is first looked up; -1 for what is none."""

    def __init__(self) -> None:
        super().__init__({None: -1})
        self.names: list[str] = []

    def of(self, values: Sequence[Any]) -> NDArray[np.int32]:
        return np.fromiter(map(self.__getitem__, values), np.int32, len(values))

    def __missing__(self, value: object) -> int:
        if not isinstance(value, str):
            return -1
        # pandas cannot have as a category what UTF-8 cannot hold.
        name = value if type(value) is str and value.isascii() else jsonable(value)
        if name is value:
            self[name] = len(self.names)
            self.names.append(name)
        else:
            self[value] = self[name]
        return self[value]


class DictColumn:
    """Dtype object."""

    def __init__(self) -> None:
        self.dicts: list[dict[Any, Any]] = []

    def add(self, values: Sequence[dict[Any, Any]]) -> None:
        """Take dicts."""
        self.dicts += values

    def array(self, order: Order) -> NDArray[np.object_]:
        """Give the finished column."""
        return objects(self.dicts)[order]


def counts(values: Sequence[Any]) -> WholeNumbers:
    """Give whole numbers as an array, -1 for what is none from 0 below 2**63."""
    if set(map(type, values)) == {int}:
        try:
            return np.array(values, np.int64)
        except OverflowError:
            return np.array(list(map(count, values)), np.int64)
    return np.array(list(map(count, values)), np.int64)


def _amounts(values: Sequence[Any]) -> NDArray[np.float64]:
    if set(map(type, values)) == {float}:
        return np.array(values, np.float64)
    return np.array(list(map(amount, values)), np.float64)


def texts_array(texts: Sequence[Any]) -> Any:
    """Give texts as dtype string, None as NA."""
    return cast("Any", pd).array(objects(texts), dtype=pd.StringDtype())


def objects(values: Sequence[Any]) -> NDArray[np.object_]:
    """Give an array of these very objects, one each, also of what numpy would take apart."""
    return np.fromiter(values, object, len(values))
