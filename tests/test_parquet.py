"""What Parquet files of frames promise."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from locus_nb import (
    EventBus,
    Run,
    StreamEvent,
    events_df,
    history,
    load,
    model_calls_df,
    runs_df,
    spans_df,
    to_parquet,
    tools_df,
)
from locus_nb._optional import optional
from tests.test_frames import EVENTS

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "sk-" + "Ab3" * 8


def back(path: Path) -> pd.DataFrame:
    """Read a file, its payloads as what they were."""
    frame = pd.read_parquet(path)
    frame["data"] = pd.Series([json.loads(text) for text in frame["data"]], index=frame.index, dtype=object)
    return frame


def check_same(found: pd.DataFrame, given_frame: pd.DataFrame) -> None:
    """Hold that frames have the same columns, values and dtypes; of texts and names however they are stored."""
    assert found.columns.tolist() == given_frame.columns.tolist()
    for name, column in given_frame.items():
        again = found[name]
        assert str(again.dtype) == str(column.dtype), name
        if isinstance(column.dtype, pd.CategoricalDtype):
            assert again.cat.categories.tolist() == column.cat.categories.tolist()
        assert [None if is_na else value for value, is_na in zip(again, again.isna(), strict=True)] == [
            None if is_na else value for value, is_na in zip(column, column.isna(), strict=True)
        ]


@given(events=st.lists(EVENTS, max_size=8))
def test_any_frame_survives_a_file(
    tmp_path_factory: pytest.TempPathFactory, events: list[StreamEvent]
) -> None:
    """Whatever events hold, pandas reads the same columns, dtypes and values from the file."""
    path = tmp_path_factory.getbasetemp() / "any.parquet"
    frame = events_df(events)
    before = frame.copy()
    to_parquet(frame, path)
    check_same(back(path), frame)
    check_same(frame, before)


def test_frames_of_every_source(tmp_path: Path) -> None:
    """Each frame of a bus, a store and loaded runs can be written, also one that pandas itself cannot write."""
    bus = EventBus(store=tmp_path / "runs.db")
    assert bus.store is not None
    for n, value in enumerate([1, "one", {"a": 1}, [1]]):
        bus.publish_nowait(StreamEvent("ab"[n % 2], "my.own", {"n": n, "value": value, "api_key": SECRET}))
    bus.publish_nowait(StreamEvent("a", "agent.tool.started", {"tool_name": "t", "x": {}}))
    Run("a", source=bus).save(tmp_path / "a.jsonl")
    bus.store.close()
    for source in (bus, history(bus.store.path), load(tmp_path / "a.jsonl")):
        for make in (events_df, runs_df, spans_df, tools_df, model_calls_df):
            frame = make(source=source)
            assert to_parquet(frame, tmp_path / "x.parquet") == tmp_path / "x.parquet"
            found = pd.read_parquet(tmp_path / "x.parquet")
            assert found.columns.tolist() == frame.columns.tolist()
            assert len(found) == len(frame)
        to_parquet(events_df(source=source), tmp_path / "x.parquet")
        check_same(back(tmp_path / "x.parquet"), events_df(source=source))
        assert SECRET not in str(back(tmp_path / "x.parquet").to_dict())


def test_pandas_own_files(tmp_path: Path) -> None:
    """Pandas' own `to_parquet` writes frames of runs, calls of tools and of models, also of runs without tags."""
    bus = EventBus()
    for run, tags in (("a", None), ("b", {"prompt": "v2"})):
        bus.open_stream_nowait(run, tags=tags)
        bus.publish_nowait(StreamEvent(run, "agent.tool.started", {"tool_name": "t"}))
    for make, runs in itertools.product((runs_df, tools_df, model_calls_df), ("a", "b", ["a", "b"])):
        make(runs, source=bus).to_parquet(tmp_path / "x.parquet")
        assert len(pd.read_parquet(tmp_path / "x.parquet")) == len(make(runs, source=bus))


def test_only_frames_are_written(tmp_path: Path) -> None:
    """What is no frame is refused, and what makes one is said."""
    source: Any = EventBus()
    with pytest.raises(TypeError, match=r"events_df\(\).* not EventBus"):
        to_parquet(source, tmp_path / "x.parquet")
    assert list(tmp_path.iterdir()) == []


def test_a_frame_without_rows(tmp_path: Path) -> None:
    """A frame without rows keeps its columns and dtypes."""
    to_parquet(events_df([]), tmp_path / "x.parquet")
    check_same(pd.read_parquet(tmp_path / "x.parquet").astype({"data": object}), events_df([]))


def test_other_columns(tmp_path: Path) -> None:
    """What is no scalar is JSON text, missing stays missing, texts and attributes stay, an index too."""
    values: list[Any] = [{"a": {1}}, [1, float("nan")], None, pd.NA, float("nan"), np.array([1, 2])]
    frame = pd.DataFrame(
        {"odd": pd.Series(values, dtype=object), "text": pd.Series([*"abcde", None], dtype=object)},
    ).set_index(pd.Index([*"uvwxyz"], name="key"))
    frame["odd"] = pd.Series(values, index=frame.index, dtype=object)
    frame.attrs = {"unpriced_models": ["mock"], "odd": {1}}
    to_parquet(frame, tmp_path / "x.parquet")
    found = pd.read_parquet(tmp_path / "x.parquet")
    assert found["odd"].iloc[[0, 1, 5]].tolist() == ['{"a":[1]}', '[1,"NaN"]', "[1,2]"]
    assert found["odd"].isna().tolist() == [False, False, True, True, True, False]
    assert found["text"].iloc[:5].tolist() == [*"abcde"]
    assert found.index.tolist() == [*"uvwxyz"]
    assert found.attrs == {"unpriced_models": ["mock"], "odd": [1]}
    assert frame.attrs["odd"] == {1}
    assert frame["odd"].iloc[0] == {"a": {1}}


def test_a_failed_file_leaves_nothing(tmp_path: Path) -> None:
    """A frame that Parquet cannot hold raises, and neither makes a file nor changes one."""
    to_parquet(events_df([]), tmp_path / "x.parquet")
    before = (tmp_path / "x.parquet").read_bytes()
    with pytest.raises(ValueError, match=r"uplicate column"):
        to_parquet(pd.DataFrame([[1, 2]], columns=["a", "a"]), tmp_path / "x.parquet")
    assert (tmp_path / "x.parquet").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_the_package_is_missing() -> None:
    """Without pyarrow the error names who needs it, the package and the pip line."""
    script = """
import sys
sys.modules["pyarrow"] = None
from locus_nb import events_df
from locus_nb._files.parquet import to_parquet
try:
    to_parquet(events_df([]), "x.parquet", caller="Run.to_parquet")
except ModuleNotFoundError as error:
    print(error, error.name)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == (
        "Run.to_parquet needs the package pyarrow, which is not installed: "
        'python -m pip install "locus-nb[parquet]" pyarrow'
    )


def test_another_missing_module_is_not_blamed_on_the_package() -> None:
    """Where the optional package is there and lacks a module of its own, the error about that one passes."""
    with (
        pytest.raises(ModuleNotFoundError, match="No module named 'something_else'"),
        optional("pyarrow", caller="x", extra="parquet"),
    ):
        raise ModuleNotFoundError("No module named 'something_else'", name="something_else")
    with (
        pytest.raises(ModuleNotFoundError, match=r"x needs the package a-b.*\[c\]"),
        optional("a-b", caller="x", extra="c"),
    ):
        raise ModuleNotFoundError("No module named 'a_b.d'", name="a_b.d")
