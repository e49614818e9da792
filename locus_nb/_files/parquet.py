"""Frames as Parquet files: what other tools read."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pandas as pd

from locus_nb._files.whole_file import whole_file
from locus_nb._frames.columns import objects
from locus_nb._optional import optional
from locus_nb._wire import dumps, jsonable

if TYPE_CHECKING:
    import os


def to_parquet(frame: pd.DataFrame, path: str | os.PathLike[str], *, caller: str = "to_parquet") -> Path:
    """Write a frame as a Parquet file, whatever its payloads hold; of memory, a store or files, it is all the same.

    `pandas.read_parquet` gives the same columns, dtypes and values, but for payloads, tags and whatever else is no
    scalar: they are JSON text in the file, which `json.loads` reads. (pandas' own `frame.to_parquet` makes one
    structure of all payloads, and fails where they differ.) Texts may come in another storage, so may the names of
    categories. The file is there as a whole or not at all, and takes the place of one that is there.

    Args:
        frame: The frame, which is left as it is; secrets were taken out when it was made, or not.
        path: The file; its directory has to exist.
        caller: What the user called, for the error that names a missing package.

    Returns:
        The file.

    Raises:
        ModuleNotFoundError: pyarrow is not installed (extra `parquet`).
        TypeError: `frame` is no DataFrame.
        FileNotFoundError: The directory does not exist.
        StoreError: `path` is the file of a store.
        OSError: The file cannot be written.

    Example:
        >>> from locus_nb import events_df, to_parquet
        >>> to_parquet(events_df(), "events.parquet")  # doctest: +SKIP
        PosixPath('events.parquet')
    """
    check_installed(caller)
    if not isinstance(frame, pd.DataFrame):  # pyright: ignore[reportUnnecessaryIsInstance] - said to those without pyright
        raise TypeError(
            f"{caller} writes a DataFrame, such as events_df() or runs_df(source=...), not {type(frame).__name__}"
        )
    with whole_file(path) as file:
        _writable(frame).to_parquet(cast("Any", file), engine="pyarrow")
    return Path(path)


def check_installed(caller: str) -> None:
    """Say what to install if Parquet files cannot be written here.

    Args:
        caller: What the user called.

    Raises:
        ModuleNotFoundError: pyarrow is not installed.
    """
    with optional("pyarrow", caller=caller, extra="parquet"):
        import pyarrow  # noqa: F401, ICN001, PLC0415  # pyright: ignore[reportUnusedImport, reportMissingTypeStubs] - pandas' own message names no extra of ours


def _writable(frame: pd.DataFrame) -> pd.DataFrame:
    out = frame.copy(deep=False)
    for name, column in frame.items():
        if isinstance(column.dtype, pd.CategoricalDtype):
            if not len(column.cat.categories):
                # Of none at all, Parquet would not know that they are texts.
                out[name] = column.cat.set_categories(cast("Any", pd.Index([], dtype="string")))
        elif column.dtype == object and not _are_texts(column):
            out[name] = pd.array(objects([_text(value) for value in column]), dtype="string")
    # pandas writes these as JSON too, and fails where that cannot be.
    out.attrs = jsonable(frame.attrs)
    return out


def _are_texts(column: pd.Series[Any]) -> bool:
    return pd.api.types.infer_dtype(column, skipna=True) in {"string", "empty"}


def _text(value: object) -> object:
    is_missing = value is None or value is pd.NA or value is pd.NaT
    return pd.NA if is_missing or (isinstance(value, float) and math.isnan(value)) else dumps(value)
