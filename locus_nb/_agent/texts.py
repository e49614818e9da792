"""The texts in an agent's events: the beginning of one, what a tool gave, and what an exception says."""

from __future__ import annotations

from locus_nb._wire import MAX_ERROR, MAX_PREVIEW, dumps, jsonable


def preview(text: str) -> str:
    """Give the first 240 characters, as an exact `str`."""
    return str.__str__(text)[:MAX_PREVIEW]


def value_text(value: object) -> str:
    """Write a value, such as a tool's output, for the model: a str as it is, anything else as JSON."""
    if isinstance(value, str):
        return str.__str__(value)
    plain = jsonable(value)
    return plain if isinstance(plain, str) else dumps(plain)


def error_text(error: BaseException) -> str:
    """Name an exception and say its text, whatever its `__str__` does; at most 2,000 characters."""
    try:
        detail = str.__str__(str(error))[:MAX_ERROR]
    except Exception as failure:  # noqa: BLE001 - an edge: the exception's own code; seen in the result
        detail = f"<its text cannot be shown: {type(failure).__name__}>"
    name = type(error).__name__
    return f"{name}: {detail}"[:MAX_ERROR] if detail else name
