"""What `configure` says for the whole process of what is hidden."""

from __future__ import annotations

import json
import logging
import re
from typing import TYPE_CHECKING, Any

import pytest

from locus_nb import (
    EventBus,
    Run,
    StreamEvent,
    configure,
    emit_sync,
    events_df,
    get_event_bus,
    history,
    reset_event_bus,
    run_context,
    runs_df,
)
from locus_nb._payloads.redact import FAILED, redact
from locus_nb._wire import jsonable
from tests.run_kit import html_of
from tests.test_secrets import seen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SECRET = "sk-proj-" + "a1B2" * 9
HIDDEN = "[redacted: OpenAI key]"
PEOPLE = re.compile(r"ann\.lee|lee@example\.org")


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Leave the process as it was."""
    yield
    configure(redact=True)
    configure(store=None)


def hide_people(key: str, value: Any) -> Any:
    """Hide names in texts, and all of what is called `customer`."""
    if key == "customer":
        return "[someone]"
    return PEOPLE.sub("[person]", value) if isinstance(value, str) else value


def publish(bus: EventBus) -> None:
    """Make two runs that hold secrets and names of people everywhere."""
    for run_id in ("a", "b"):
        told = f"by ann.lee with {SECRET}"
        bus.open_stream_nowait(run_id, name=told, tags={"who": told}, cell_id=told)
        nested = {"deep": [{"x": told}], "customer": {"name": "Robin Doe"}, "api_key": "abc"}
        for phase in ("started", "completed"):
            data = {
                "span_id": "s",
                "tool_name": told,
                "output_preview": told,
                "error": told,
                "arg_keys": [told],
            }
            bus.publish_nowait(StreamEvent(run_id, f"agent.tool.{phase}", data | nested))
        bus.close_stream_nowait(run_id)


def test_a_function_holds_wherever_events_leave(tmp_path: Path) -> None:
    """What a function hides, and every secret too, is in no view, frame, store or file."""
    bus = EventBus()
    publish(bus)
    configure(redact=hide_people)
    everything = seen(bus, tmp_path)
    assert "[person]" in everything
    assert HIDDEN in everything
    assert not [part for part in (SECRET[8:], "ann.lee", "Robin Doe", '"abc"') if part in everything]
    assert "[someone]" in everything


def test_nothing_is_hidden_on_request(tmp_path: Path) -> None:
    """With `redact=False` secrets are in all of it and no mark is; with True they are hidden again."""
    bus = EventBus()
    publish(bus)
    configure(redact=False)
    (tmp_path / "raw").mkdir()
    everything = seen(bus, tmp_path / "raw")
    assert SECRET in everything
    assert "[redacted" not in everything
    frame = events_df(source=bus)
    assert frame["data"].iloc[0]["api_key"] == "abc"
    configure(redact=True)
    assert SECRET not in seen(bus, tmp_path)


def test_what_a_function_is_asked() -> None:
    """It is asked about containers first, then about their members, lists by their own key, after secrets went."""
    asked: list[Any] = []

    def note(key: str, value: Any) -> Any:
        asked.append((key, json.dumps(value)))
        return value

    configure(redact=note)
    data = {"n": 1, "a": {"b": [1, {"c": f"x {SECRET}"}], "api_key": "abc"}, "none": None}
    once = redact(data)
    assert once == {
        "n": 1,
        "a": {"b": [1, {"c": f"x {HIDDEN}"}], "api_key": "[redacted: api_key]"},
        "none": None,
    }
    inner = f'{{"c": "x {HIDDEN}"}}'
    assert asked == [
        ("n", "1"),
        ("a", f'{{"b": [1, {inner}], "api_key": "[redacted: api_key]"}}'),
        ("b", f"[1, {inner}]"),
        ("b", "1"),
        ("b", inner),
        ("c", f'"x {HIDDEN}"'),
        ("none", "null"),
    ]
    assert redact(once) == once


@pytest.mark.parametrize("grow", [lambda list_: list_.append(list_), lambda list_: list_.append(["x"])])
def test_a_function_may_change_what_it_is_asked_about(grow: Callable[[list[Any]], None]) -> None:
    """A function that makes a list longer each time, also by itself, is asked no more often than it is deep."""

    def change(key: str, value: Any) -> Any:
        if isinstance(value, list):
            grow(value)
        return value

    configure(redact=change)
    given = redact({"b": ["x"], "n": {"b": [1]}})
    assert given["b"][0] == "x"
    assert given["n"]["b"][0] == 1
    assert len(given["b"]) == 2
    json.dumps(given)


def test_what_a_function_gives_is_taken_as_it_is() -> None:
    """What stands in the place of a value is not looked at again, and becomes JSON whatever it is."""
    configure(redact=lambda key, value: {"set": {1}, "wrap": {"wrap": value}}.get(key, value))
    assert redact({"set": 1, "wrap": {"wrap": SECRET}, "x": 2}) == {
        "set": [1],
        "wrap": {"wrap": {"wrap": HIDDEN}},
        "x": 2,
    }


def test_a_function_may_change_what_it_gets() -> None:
    """What a function does to the copies that it gets, as putting one into itself, harms nobody."""
    data = {"a": {"b": 1}, "c": [1, 2]}

    def spoil(_: str, value: Any) -> Any:
        if isinstance(value, dict):
            value[7] = value
        elif isinstance(value, list):
            value.clear()
        return value

    configure(redact=spoil)
    made = redact(data)
    assert made["c"] == []
    assert made == jsonable(made)
    assert data == {"a": {"b": 1}, "c": [1, 2]}


def test_a_function_that_raises_hides_the_whole_value(caplog: pytest.LogCaptureFixture) -> None:
    """The value it was asked about is hidden as a whole, and only the first failure is logged, without its words."""

    def fail(key: str, value: Any) -> Any:
        if key in ("bad", "name"):
            raise ValueError(f"cannot do {value}")
        return value

    configure(redact=fail)
    bus = EventBus()
    bus.open_stream_nowait("r", name="hush one")
    for _ in range(3):
        bus.publish_nowait(StreamEvent("r", "my.step", {"bad": {"x": "hush two"}, "good": 1}))
    with caplog.at_level(logging.WARNING, logger="locus_nb"):
        frame = events_df(source=bus)
        shown = html_of(Run("r", source=bus)) + repr(Run("r", source=bus))
        assert runs_df(source=bus)["name"].tolist() == [FAILED]
    assert list(frame["data"]) == [{"bad": FAILED, "good": 1}] * 3
    assert "hush" not in shown
    (record,) = caplog.records
    assert "failed with ValueError in line" in record.getMessage()
    assert "hush" not in caplog.text


def test_an_interrupt_passes() -> None:
    """A KeyboardInterrupt that reaches the function is nobody's failure."""

    def interrupted(*_: Any) -> Any:
        raise KeyboardInterrupt

    configure(redact=interrupted)
    with pytest.raises(KeyboardInterrupt):
        redact({"a": 1})


def test_names_and_tags_stay_texts() -> None:
    """What a function makes of a run's name and tags is a text, also where it gives something else."""
    bus = EventBus()
    bus.open_stream_nowait("r", name="trip", tags={"a": "b"})
    configure(redact=lambda *_: [1])
    frame = runs_df("r", source=bus)
    assert (frame["name"].iloc[0], frame["tags"].iloc[0]) == ("[1]", {"a": "[1]"})
    html_of(Run("r", source=bus))


def test_settings_leave_each_other_alone(tmp_path: Path) -> None:
    """A store goes on when redaction is set, which outlives the bus; a store begins with what is set with it."""
    store = configure(store=tmp_path / "a.db", redact=hide_people)
    assert store is not None
    assert configure(redact=hide_people) is store
    assert configure(store=tmp_path / "a.db") is store
    with run_context("r"):
        emit_sync("my.step", note="ann.lee was here")
    assert store.flush()
    assert list(history(tmp_path / "a.db").events_df()["data"]) == [{"note": "[person] was here"}]
    store.close()
    reset_event_bus()
    assert redact({"note": "ann.lee"}) == {"note": "[person]"}
    assert configure(redact=True) is None
    assert get_event_bus().store is None


async def _nobody_awaits(key: str, value: object) -> object:
    return value


def test_what_cannot_be_configured_is_refused() -> None:
    """A redactor that is none, options of a store without one, and nothing at all are errors that say so."""
    with pytest.raises(TypeError, match="pass a plain function, not an `async def`"):
        configure(redact=_nobody_awaits)
    with pytest.raises(
        TypeError, match="redact is a function of a key and a value, or False or True, not str"
    ):
        configure(redact="all")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="pass store=\\.\\.\\. too"):
        configure(keep_runs=3, redact=False)
    with pytest.raises(TypeError, match="given nothing"):
        configure()
    assert redact({"api_key": "abc"}) == {"api_key": "[redacted: api_key]"}
