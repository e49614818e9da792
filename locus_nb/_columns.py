"""Columns of one dtype each, filled a few rows at a time; what does not fit the dtype is missing.

Where a method takes `rows` and `values`, both have the same length, and each row is put at most once.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Rows = NDArray[np.intp]
    Counts = NDArray[np.int64]

_LARGEST = 2**63 - 1


class CountColumn:
    """Int64, never negative."""

    def __init__(self, length: int) -> None:
        self._values = np.full(length, -1, np.int64)

    def put(self, rows: Rows, values: Sequence[Any]) -> None:
        """Take whole numbers from 0 below 2**63."""
        self._values[rows] = counts(values)

    def put_counts(self, rows: Rows, values: Counts) -> None:
        """Take what `counts` gave."""
        self._values[rows] = values

    def array(self) -> Any:
        """Give the finished column."""
        missing = self._values < 0
        return pd.arrays.IntegerArray(np.where(missing, 0, self._values), missing)


class AmountColumn:
    """Float64, finite and never negative."""

    def __init__(self, length: int) -> None:
        self._values = np.full(length, np.nan)

    def put(self, rows: Rows, values: Sequence[Any]) -> None:
        """Take numbers, whole or not."""
        self._values[rows] = _amounts(values)

    def array(self) -> Any:
        """Give the finished column."""
        missing = ~(np.isfinite(self._values) & (self._values >= 0))
        return pd.arrays.FloatingArray(np.where(missing, 0.0, self._values), missing)


class TextColumn:
    """Dtype string."""

    def __init__(self, length: int) -> None:
        self._values = np.full(length, pd.NA, object)

    def put(self, rows: Rows, values: Sequence[Any]) -> None:
        """Take texts."""
        self._values[rows] = _texts(values, pd.NA)

    def array(self) -> Any:
        """Give the finished column."""
        # One storage, whatever else is installed: a frame's dtypes are the same everywhere.
        return pd.array(self._values, dtype=pd.StringDtype("python"))


class NameColumn:
    """Categorical; the categories are the texts that occur, sorted."""

    def __init__(self, length: int) -> None:
        self._codes = np.full(length, -1, np.int32)
        self._code_of: dict[str, int] = {}

    def put(self, rows: Rows, values: Sequence[Any]) -> None:
        """Take texts."""
        code_of = self._code_of
        try:
            new = set(values).difference(code_of)
        except TypeError:
            # Not even hashable, so no text either.
            new = {value for value in values if isinstance(value, str)} - code_of.keys()
        for name in new:
            if isinstance(name, str):
                code_of[name] = len(code_of)
        try:
            self._codes[rows] = list(map(code_of.__getitem__, values))
        except (KeyError, TypeError):
            self._codes[rows] = [code_of[value] if isinstance(value, str) else -1 for value in values]

    def put_same(self, rows: Rows, name: str) -> None:
        """Put one text in all the rows."""
        self._codes[rows] = self._code_of.setdefault(name, len(self._code_of))

    def array(self) -> pd.Categorical:
        """Give the finished column."""
        names = sorted(self._code_of)
        place_of = np.full(len(names) + 1, -1, np.int32)
        place_of[[self._code_of[name] for name in names]] = np.arange(len(names))
        # The last one is what -1, no text, stands for.
        return pd.Categorical.from_codes(place_of[self._codes], pd.Index(names, dtype=object))


class DictColumn:
    """Dtype object, holding dicts."""

    def __init__(self, length: int) -> None:
        self._values = np.full(length, None, object)

    def put(self, rows: Rows, values: Sequence[dict[Any, Any]]) -> None:
        """Take dicts."""
        self._values[rows] = values

    def array(self) -> NDArray[np.object_]:
        """Give the finished column."""
        return self._values


def counts(values: Sequence[Any]) -> Counts:
    """Give whole numbers as an array, -1 for what is none from 0 below 2**63."""
    if set(map(type, values)) == {int}:
        try:
            return np.array(values, np.int64)
        except OverflowError:
            pass
    return np.array([_count(value) for value in values], np.int64)


def _count(value: object) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST:
        return value
    return -1


def _amounts(values: Sequence[Any]) -> NDArray[np.float64]:
    if set(map(type, values)) <= {int, float}:
        try:
            return np.array(values, np.float64)
        except OverflowError:
            pass
    return np.array([_amount(value) for value in values], np.float64)


def _amount(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.nan


def _texts(values: Sequence[Any], missing: object) -> Sequence[Any]:
    if set(map(type, values)) == {str}:
        return values
    return [value if isinstance(value, str) else missing for value in values]
