"""Code that calls `asyncio.run` where a loop already runs."""

from __future__ import annotations

import sys


def allow_nested_loops() -> None:
    """Let `asyncio.run` and `run_until_complete` work inside a running loop, as in a notebook cell.

    An explicit opt-in, for code that cannot be changed: it patches asyncio for the whole process (with
    nest-asyncio, from Python 3.12 on its maintained fork nest-asyncio2) and cannot be undone. This package
    does not need it: `Agent.run_sync` works in a cell as it is. Calling it again changes nothing.

    Example:
        >>> from locus_nb import allow_nested_loops
        >>> allow_nested_loops()  # doctest: +SKIP
    """
    if sys.version_info >= (3, 12):
        import nest_asyncio2 as nest  # noqa: PLC0415 - patches asyncio's internals on import already
    else:
        import nest_asyncio as nest  # noqa: PLC0415 - as above
    nest.apply()
