from __future__ import annotations

import gc
from typing import Any

import pytest

from locus_nb import EventBus, ReaderStats
from tests.bus_kit import Clock, drain, put


class Text(str):
    """A str with something of its own."""

    __slots__ = ()


def test_tells_every_count_of_a_reader() -> None:
    """A look at a reader tells what it was offered, took, has yet to read, lost and never saw."""
    clock = Clock()
    bus = EventBus(max_queue_size=4, overflow_queues=1, history_per_run=5, slow_timeout=1, clock=clock)
    put(bus, range(7))
    subscription = bus.subscribe("run", label="slow one")
    assert drain(subscription) == [2, 3, 4, 5, 6]
    put(bus, range(10))
    (reader,) = bus.readers()
    assert reader == ReaderStats(
        number=1,
        label="slow one",
        run_id="run",
        backlog=8,
        capacity=4,
        overflow=4,
        peak_backlog=8,
        offered=15,
        delivered=5,
        dropped=2,
        missed=2,
    )
    clock.advance(2)
    (reader,) = bus.readers()
    assert (reader.backlog, reader.overflow, reader.dropped) == (4, 0, 6)


def test_counts_what_was_just_published() -> None:
    """A look settles first: nothing that was published before it is lacking."""
    bus = EventBus()
    subscription = bus.subscribe_global()
    put(bus, range(3))
    (reader,) = bus.readers()
    assert (reader.offered, reader.backlog, reader.run_id) == (3, 3, None)
    assert drain(subscription) == [0, 1, 2]
    assert bus.readers()[0].delivered == 3


def test_only_registered_readers_are_told() -> None:
    """Readers of all runs come first, and one that left, was refused, ended or was forgotten is not there."""
    bus = EventBus(max_global_subscribers=1)
    of_run, of_all, refused = bus.subscribe("run"), bus.subscribe_global(), bus.subscribe_global()
    assert refused.refused
    assert [reader.number for reader in bus.readers()] == [2, 1]
    of_all.close()
    assert [reader.number for reader in bus.readers()] == [1]
    bus.close_stream_nowait("run")
    assert bus.readers() == ()
    forgotten = [bus.subscribe("other")]
    assert [reader.number for reader in bus.readers()] == [4]
    forgotten.clear()
    gc.collect(0)
    assert bus.readers() == ()
    assert of_run.closed


def test_readers_without_a_label_are_numbered() -> None:
    """Without a label a reader is called by the number of its subscription; an empty label stays."""
    bus = EventBus()
    subscriptions = [bus.subscribe("run"), bus.subscribe("run", label=""), bus.subscribe_global()]
    assert sorted(reader.label for reader in bus.readers()) == ["", "reader 1", "reader 3"]
    assert len(subscriptions) == 3


def test_label_is_kept_as_a_bare_str() -> None:
    """What a str's subclass adds is not kept: no code of its own is run under the bus's lock."""
    bus = EventBus()
    with bus.subscribe("run", label=Text("mine")):
        assert type(bus.readers()[0].label) is str


@pytest.mark.parametrize("label", [1, b"x", ["x"]])
def test_label_that_is_no_text_is_refused(label: Any) -> None:
    """A label that is not a str is refused by name, and nothing is registered."""
    bus = EventBus()
    with pytest.raises(TypeError, match="label is a str, not"):
        bus.subscribe("run", label=label)
    with pytest.raises(TypeError, match="label is a str, not"):
        bus.subscribe_global(label=label)
    assert bus.readers() == ()


def test_bus_tells_its_bounds() -> None:
    """The bounds on what is kept can be read from the bus."""
    bus = EventBus(history_per_run=7, max_runs_retained=3)
    assert (bus.history_per_run, bus.max_runs_retained) == (7, 3)
