"""The events of an SQLite store as they stand there, read through ADBC: columns, without a Python object each."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np
import pandas as pd

from locus_nb._errors import StoreError
from locus_nb._payloads.chunks import clean_chunks
from locus_nb._payloads.redact import redact_name, redaction
from locus_nb._store.past import payloads
from locus_nb._store.sqlite_reader import conditions, sqlite_snapshot
from locus_nb._wire import dumps

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from locus_nb._store.past import Wanted

# Texts parsed and looked at together: few enough to be near at hand still when they are looked at.
_TOGETHER = 1024
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
        types, texts = df["event_type"].tolist(), df["data"].tolist()
        df["event_type"] = pd.Series(list(map(redact_name, types)), dtype=df["event_type"].dtype)
        df["data"] = pd.Series(_clean_texts(types, texts), dtype=df["data"].dtype)
    return df


def _clean_texts(event_types: Sequence[str], texts: Sequence[str]) -> list[str]:
    """Take secrets out of payloads as JSON texts; one that holds none stays as it is."""
    clean: list[str] = []
    for start in range(0, len(texts), _TOGETHER):
        some = slice(start, start + _TOGETHER)
        clean += _cleaned(event_types[some], texts[some])
    return clean


def _cleaned(event_types: Sequence[str], texts: Sequence[str]) -> list[str]:
    clean, found = list(texts), payloads(texts)
    rows: dict[str, list[int]] = {}
    for row, event_type in enumerate(event_types):
        rows.setdefault(event_type, []).append(row)
    for event_type, alike in rows.items():
        for chunk in clean_chunks(event_type, alike, found, secrets=False, copy=False):
            # Nothing was taken out of ordinary ones.
            changed = () if chunk.ordinary else zip(chunk.rows, chunk.payloads, strict=True)
            for row, payload in changed:
                if payload != found[row]:
                    clean[row] = dumps(payload)
    return clean


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
