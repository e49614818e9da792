"""A display object that is what it was when it was made: text, and html without a script."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, repr=False)
class Still:
    """Shows itself where it is the last expression of a cell, in a terminal as text.

    Attributes:
        text: Plain text, lines of at most 120 characters.
        html: The same as self-contained html: escaped, without a script.
    """

    text: str
    html: str

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        return {"text/plain": self.text, "text/html": self.html}
