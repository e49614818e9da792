"""Code that calls `asyncio.run` where a loop already runs."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any


def allow_nested_loops() -> None:
    """Let `asyncio.run` and `run_until_complete` work inside a running loop, as in a notebook cell.

    An explicit opt-in, for code that cannot be changed: it patches asyncio for the whole process (with
    nest-asyncio, from Python 3.12 on its maintained fork nest-asyncio2) and cannot be undone. This package
    does not need it: `Agent.run_sync` works in a cell as it is. Calling it again changes nothing.

    Example:
        >>> from locus_nb import allow_nested_loops
        >>> allow_nested_loops()  # doctest: +SKIP
    """
    # Patches asyncio's internals on import already. Neither has types.
    nest: Any = import_module("nest_asyncio2" if sys.version_info >= (3, 12) else "nest_asyncio")
    nest.apply()
