"""Every error of its own that the package raises, and its warnings.

```
LocusError
├── StoreError (also a RuntimeError)              a store cannot be used, or what is there is none
├── SubscriptionBusyError (also a RuntimeError)   two consumers read one subscription at once
├── UnansweredError (also a RuntimeError)         a question got no answer, and has no default
├── UnreadableRunError (also a ValueError)        a file holds no run, or not all of it
└── ViewRefusedError (also a RuntimeError)        a view of all runs found the bus's cap reached

UserWarning
└── UnknownPriceWarning                           a cost is NaN because a price, or what is priced, is unknown
```

A bad argument is a plain `TypeError` or `ValueError`, a missing file a plain `FileNotFoundError`.
"""

from __future__ import annotations

import sys
import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from locus_nb._files.files import LoadedRuns


class LocusError(Exception):
    """Root of the package's own errors: `except LocusError` catches them all and nothing else."""


class StoreError(LocusError, RuntimeError):
    """A store cannot be used: what its path leads to is foreign, damaged or of another version.

    What was found there was not changed.
    """


class SubscriptionBusyError(LocusError, RuntimeError):
    """A second consumer asked for events while the first was still waiting for them.

    Each consumer needs a subscription of its own; one subscription hands every event out once.
    """


class UnansweredError(LocusError, RuntimeError):
    """A question got no answer and has no default: its time was over, nobody could be asked, or it was broken off."""


class UnreadableRunError(LocusError, ValueError):
    """A file of runs was cut off, damaged or changed, or is of another kind.

    Attributes:
        path: The file.
        line: The number of the line at fault, from 1; None if it is the file as a whole.
        reason: What is wrong there.
        runs: What could be read, of all files; `load(path, partial=True)` gives the same. None only in an error
            that was not raised by `load`.

    Example:
        >>> from locus_nb import UnreadableRunError, load
        >>> try:
        ...     runs = load("run.jsonl")
        ... except FileNotFoundError:
        ...     runs = None
        ... except UnreadableRunError as error:
        ...     print(error)
        ...     runs = error.runs
    """

    def __init__(
        self,
        message: str = "",
        *,
        path: str = "",
        line: int | None = None,
        reason: str = "",
        runs: LoadedRuns | None = None,
    ) -> None:
        super().__init__(message)
        self.path = path
        self.line = line
        self.reason = reason
        self.runs = runs


class ViewRefusedError(LocusError, RuntimeError):
    """A view of all runs could not be made: the bus has as many global readers as it may have."""


class UnknownPriceWarning(UserWarning):
    """Some costs are NaN: a price is unknown, or the model, or the tokens; the message says which."""


# Whose lines are not those that a warning is about.
_INSIDE = {"locus_nb", "contextlib"}


def warn(message: str, category: type[Warning]) -> None:
    """Warn, at the line that called this package."""
    frame, level = sys._getframe(1), 2  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - `skip_file_prefixes` is not in every Python
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _INSIDE:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)
