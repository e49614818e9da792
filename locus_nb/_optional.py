"""What is installed only on request: said clearly when it is missing."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Generator


@contextmanager
def optional(package: str, *, caller: str, extra: str) -> Generator[None]:
    """Stand around the import of an optional package, and say what to install if it is missing.

    Args:
        package: The name of the distribution; its module has the same, with `_` for `-`.
        caller: What the user called that needs it.
        extra: The extra of this package that brings it.

    Raises:
        ModuleNotFoundError: The package is not installed; the message names the caller, the package and the pip
            line. The error of another missing module passes through.

    Example:
        >>> with optional("pyarrow", caller="Run.to_parquet", extra="parquet"):
        ...     import pyarrow  # doctest: +SKIP
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != package.replace("-", "_"):
            raise
        raise ModuleNotFoundError(
            f"{caller} needs the package {package}, which is not installed: {pip_line(f'locus-nb[{extra}]')}",
            name=error.name,
        ) from error


def pip_line(wanted: str) -> str:
    """Give the line that installs a requirement.

    Example:
        >>> pip_line("locus-nb[parquet]")
        'python -m pip install "locus-nb[parquet]"'
    """
    return f'python -m pip install "{wanted}"'
