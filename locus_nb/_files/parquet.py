"""Frames as Parquet files: what other tools read."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, cast

import pandas as pd

from locus_nb._files.whole_file import whole_file
from locus_nb._frames.columns import objects
from locus_nb._frames.frames import events_df
from locus_nb._optional import optional
from locus_nb._wire import dumps, jsonable

if TYPE_CHECKING:
    import os

    from locus_nb._source import Source


def to_parquet(
    source_or_frame: Source | pd.DataFrame,
    path: str | os.PathLike[str],
    *,
    redact: bool = True,
    caller: str = "to_parquet",
) -> None:
    """Write a frame, or the events of a source, as a Parquet file.

    `pandas.read_parquet` gives the same columns, dtypes and values, but for payloads and whatever else is no
    scalar: they are JSON text in the file. Texts may come in another storage, so may the names of categories. The
    file is there as a whole or not at all.

    Args:
        source_or_frame: A frame, which is left as it is; or a source, of which this is `events_df`.
        path: The file; its directory has to exist.
        redact: Take secrets out of a source's events; a frame is written as it is.
        caller: What the user called, for the error that names a missing package.

    Raises:
        ModuleNotFoundError: pyarrow is not installed.
        FileNotFoundError: The directory does not exist.
        OSError: The file cannot be written.
    """
    check_installed(caller)
    frame = (
        source_or_frame
        if isinstance(source_or_frame, pd.DataFrame)
        else _events_of(source_or_frame, redact=redact)
    )
    with whole_file(path) as file:
        _writable(frame).to_parquet(cast("Any", file), engine="pyarrow")


def check_installed(caller: str) -> None:
    """Say what to install if Parquet files cannot be written here.

    Args:
        caller: What the user called.

    Raises:
        ModuleNotFoundError: pyarrow is not installed.
    """
    with optional("pyarrow", caller=caller, extra="parquet"):
        import pyarrow  # noqa: F401, ICN001, PLC0415  # pyright: ignore[reportUnusedImport, reportMissingTypeStubs] - pandas' own message names no extra of ours


def _events_of(source: Source, *, redact: bool) -> pd.DataFrame:
    events = (event for run_id in source.run_ids() for event in source.history(run_id))
    return events_df(events, redact=redact)


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
