"""What the tests of stores share: a store that is written to, and what of it is read back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from locus_nb import EventBus, Store, StreamEvent, history
from locus_nb._payloads.redact import redact

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def stored(path: Path, events: Iterable[StreamEvent], **options: Any) -> list[StreamEvent]:
    """Publish events on a bus of their own with a store, close it, and read them back."""
    bus = EventBus()
    with Store(path, bus=bus, **options) as store:
        for event in events:
            bus.publish_nowait(event)
        assert store.flush(60)
    return history(path).events()


def as_stored(event: StreamEvent) -> dict[str, Any]:
    """What a store keeps of an event: its wire form, secrets taken out of the payload."""
    wire = event.to_dict()
    return wire | {"data": redact(wire["data"])}


def ns_of(path: Path, run_id: str) -> list[int]:
    """The numbers that the stored events of a run carry."""
    return [event.data["n"] for event in history(path).history(run_id)]
