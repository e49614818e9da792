"""Why costs are unknown: what was missing to price tokens, and how that is said."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from locus_nb._payloads.format import cut

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# Models named in a sentence, and of each name so much.
_NAMED = 10
_LONGEST_NAME = 100
_ADVICE = (
    "pass prices= with a table that has them, such as {'my-model': {'input': 3, 'output': 15, 'cache_read': 0.3}} "
    "(US dollars per million tokens)"
)


class Gap(NamedTuple):
    """What was missing to price a call.

    Attributes:
        missing: Its model's price, the one price for its cached or its output tokens, a number of its tokens, or its
            model.
        model: The model; empty where that is what is missing.
    """

    missing: Literal["price", "part", "tokens", "model"]
    model: str = ""


def said_of(gaps: Iterable[Gap]) -> list[str]:
    """Say what was missing, in a sentence each without its full stop.

    Example:
        >>> said_of([Gap("price", "b"), Gap("model"), Gap("price", "a")])
        ["No price is known for 'a', 'b'", 'There are tokens of which nobody said the model']
    """
    found = set(gaps)
    said: list[str] = []
    for missing, sentence in (
        ("price", "No price is known for {}"),
        ("part", "No price for cached tokens, or none for output, is known for {}"),
        (
            "tokens",
            "The input or the output tokens are not known, or not how many were cached, of calls of {}",
        ),
    ):
        if models := sorted(gap.model for gap in found if gap.missing == missing):
            said.append(sentence.format(_listed(models)))
    if Gap("model") in found:
        said.append("There are tokens of which nobody said the model")
    return said


def warning_of(gaps: Iterable[Gap]) -> str:
    """Say why costs are NaN, and what to do where prices are missing; the empty text for nothing."""
    found = set(gaps)
    if not found:
        return ""
    is_price = any(gap.missing in ("price", "part") for gap in found)
    return f"{'. '.join(said_of(found))}. These costs are NaN{f': {_ADVICE}' if is_price else ''}"


def _listed(names: Sequence[str]) -> str:
    """Give names as text, the first ten of them."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(cut(repr(name), _LONGEST_NAME) for name in names[:_NAMED]) + more
