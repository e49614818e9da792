"""Say what happens, from anywhere in an agent's code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from locus_nb._bus import get_event_bus
from locus_nb._entered import ENTERED, run_id_of
from locus_nb._event import StreamEvent

if TYPE_CHECKING:
    from locus_nb._entered import Entered

# Bound once: outside of a run this call is all that an emit costs.
_entered = ENTERED.get


async def emit(event_type: str, /, **data: Any) -> None:
    """Publish an event of the current run; nothing outside of a run.

    Any keyword is payload, `run_id=` and `event_type=` too. The event is on the bus when this
    returns; it never waits, never yields to the loop and never raises: what cannot be published is
    counted in `stats()["emit_failures_total"]`.

    Example:
        >>> import asyncio
        >>> from locus_nb import emit, get_event_bus, run_context
        >>> async def main():
        ...     async with run_context("run-1"):
        ...         await emit("agent.think", iteration=1)
        >>> asyncio.run(main())
        >>> [event.event_type for event in get_event_bus().history("run-1")]
        ['agent.think']
    """
    now = _entered()
    if now is not None:
        _put(now, event_type, data)


def emit_sync(event_type: str, /, **data: Any) -> None:
    """Do what `emit` does, without a loop: from any thread, in order with every `emit`."""
    now = _entered()
    if now is not None:
        _put(now, event_type, data)


def _put(now: Entered, event_type: str, data: dict[str, Any]) -> None:
    run_id = now.run_id if now.left is None else run_id_of(now)
    if run_id is None:
        return
    bus = get_event_bus()
    try:
        bus.publish_nowait(StreamEvent(run_id, event_type, data))
    except Exception:  # noqa: BLE001 - telling of an agent must not break it; counted, so not silent
        bus.count_emit_failure()
