"""Numbers out of payloads, where anything may stand: whole ones, amounts, tokens."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

# The largest that 64 bits hold.
_LARGEST = 2**63 - 1
# Sums of up to eight counts below this fit 64 bits.
_SUMMABLE = 1 << 60


def count(value: object) -> int:
    """Give a whole number from 0 below 2**63; -1 for anything else."""
    if type(value) is int:
        return value if 0 <= value <= _LARGEST else -1
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST:
        return value
    return -1


def amount(value: object) -> float:
    """Give any number as a float; NaN for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.nan


def summed(values: Iterable[float]) -> float:
    """Give the sum of numbers, exact to the last digit; infinite if that is too large for a float."""
    numbers = list(values)
    try:
        return math.fsum(numbers)
    except OverflowError:
        return math.inf


def input_tokens(prompt: Any, completion: Any, total: Any, read: Any, written: Any) -> Any:
    """Give the tokens that a model read, those from or into a cache included; -1 where unknown.

    `prompt` includes the cached ones, unless the numbers say otherwise (the total contains them besides, or
    they are more than the prompt): then they are added.

    All are whole numbers, or all are arrays of such; -1 stands for one that is missing.
    """
    cached = sum(part * ((part > 0) & (part < _SUMMABLE)) for part in (read, written))
    summable = (prompt >= 0) & (prompt < _SUMMABLE) & (completion < _SUMMABLE)
    whole = prompt + completion * (completion > 0) + cached
    return prompt + cached * (summable & (cached > 0) & ((cached > prompt) | (total == whole)))
