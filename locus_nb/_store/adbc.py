"""The events of an SQLite store as they stand there, read through ADBC: columns, without a Python object each."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np
import pandas as pd

from locus_nb._store.sqlite_reader import conditions, sqlite_snapshot

if TYPE_CHECKING:
    from pathlib import Path

    from locus_nb._store.past import Wanted

_SELECT = "SELECT run_id, seq, event_id, time_us, event_type, data FROM events JOIN runs USING (run)"


def stored_frame(path: Path, wanted: Wanted) -> pd.DataFrame:
    """Read the wanted events, in the order of the file.

    Raises:
        ModuleNotFoundError: The driver is not installed.
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
    with adbc.connect(f"file:{quote(str(path))}?mode=ro") as connection, connection.cursor() as cursor:
        cursor.execute(f"{_SELECT} {where} ORDER BY seq", values)
        df: pd.DataFrame = cursor.fetch_arrow_table().to_pandas()
    times = df.pop("time_us").to_numpy(np.int64)
    df.insert(3, "timestamp", pd.DatetimeIndex(times.view("M8[us]")).tz_localize("UTC"))
    return df
