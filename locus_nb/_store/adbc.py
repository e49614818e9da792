"""The events of an SQLite store as they stand there, read through ADBC: columns, without a Python object each."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np
import pandas as pd

from locus_nb._errors import StoreError
from locus_nb._payloads.redact import redact, redact_name, redaction
from locus_nb._store.past import payloads
from locus_nb._store.sqlite_reader import conditions, sqlite_snapshot
from locus_nb._wire import dumps

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from locus_nb._store.past import Wanted

_SELECT = "SELECT run_id, seq, event_id, time_us, event_type, data FROM events JOIN runs USING (run)"


def stored_frame(path: Path, wanted: Wanted, *, secrets: bool) -> pd.DataFrame:
    """Read the wanted events, in the order of the file.

    Args:
        path: The file.
        wanted: Which events.
        secrets: Leave secrets in.

    Raises:
        ModuleNotFoundError: The driver is not installed.
        StoreError: The file cannot be read.
    """
    try:
        adbc: Any = import_module("adbc_driver_sqlite.dbapi")
    except ImportError as error:
        raise ModuleNotFoundError(
            "History.stored_df needs adbc-driver-sqlite and pyarrow: python -m pip install 'locus-nb[adbc]'",
            name="adbc_driver_sqlite",
        ) from error
    with sqlite_snapshot(path) as snapshot:
        where, values = conditions(wanted, snapshot.keys_of(wanted))
        is_there = bool(snapshot.run_ids())
    table: Any = None
    # A file that is still empty has no tables to ask.
    if is_there:
        with adbc.connect(f"file:{quote(str(path))}?mode=ro") as connection, connection.cursor() as cursor:
            try:
                cursor.execute(f"{_SELECT} {where} ORDER BY seq", values)
                table = cursor.fetch_arrow_table()
            except adbc.Error as error:
                raise StoreError(
                    f"Cannot read the store {str(path)!r}: {error}; if it is damaged, restore it from a copy"
                ) from error
    # The driver takes the types of columns from their rows.
    df: pd.DataFrame = (table if table is not None and table.num_rows else _no_rows()).to_pandas()
    times = df.pop("time_us").to_numpy(np.int64)
    df.insert(3, "timestamp", pd.DatetimeIndex(times.view("M8[us]")).tz_localize("UTC"))
    if not secrets and redaction() != "off" and len(df):
        for name, clean in (("event_type", _clean_names), ("data", _clean_payloads)):
            df[name] = pd.Series(clean(df[name].tolist()), dtype=df[name].dtype)
    return df


def _clean_names(event_types: Sequence[str]) -> list[str]:
    return list(map(redact_name, event_types))


def _clean_payloads(texts: Sequence[str]) -> list[str]:
    """Take secrets out of JSON texts; one that holds none stays as it is."""
    found = payloads(texts)
    cleaned = map(redact, found)
    return [
        text if clean == each else dumps(clean)
        for text, each, clean in zip(texts, found, cleaned, strict=True)
    ]


def _no_rows() -> Any:
    pa: Any = import_module("pyarrow")
    text, number = pa.string(), pa.int64()
    columns = {
        "run_id": text,
        "seq": number,
        "event_id": text,
        "time_us": number,
        "event_type": text,
        "data": text,
    }
    return pa.schema(columns).empty_table()
