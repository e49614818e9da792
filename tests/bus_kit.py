"""What the tests of the bus share: a clock that stands still, short events, threads that must end, names of cases."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import locus_nb
from locus_nb import StreamEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from locus_nb import EventBus, Subscription

# Far more than anything here needs: to be waited for only where a test would hang for ever.
GRACE_S = 60.0


class Clock:
    """Seconds that pass only when told to."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds


def event(n: int = 0, run_id: str = "run", event_type: str = "test.event") -> StreamEvent:
    """Make a numbered event."""
    return StreamEvent(run_id, event_type, {"n": n})


def put(bus: EventBus, numbers: Iterable[int], run_id: str = "run") -> None:
    """Publish numbered events, without stepping aside."""
    for n in numbers:
        bus.publish_nowait(event(n, run_id))


def ns(events: Iterable[StreamEvent]) -> list[int]:
    """The numbers that events carry."""
    return [each.data["n"] for each in events]


def drain(subscription: Subscription) -> list[int]:
    """Read all that can be read now."""
    numbers: list[int] = []
    while batch := subscription.next_batch_nowait():
        numbers += ns(batch.events)
    return numbers


def check_counts(subscription: Subscription) -> None:
    """Hold the one equation every subscription keeps at every moment."""
    stats = subscription.stats()
    assert stats.offered == stats.delivered + stats.dropped + stats.discarded + stats.backlog
    assert min(stats.delivered, stats.dropped, stats.discarded, stats.backlog, stats.missed) >= 0


def in_threads(*works: Callable[[], Any]) -> list[Any]:
    """Run each piece of work in a thread of its own; their results, in order. Raises what one raised."""
    results: dict[int, Any] = {}
    errors: list[BaseException] = []

    def carry_out(place: int, work: Callable[[], Any]) -> None:
        try:
            results[place] = work()
        except BaseException as error:  # noqa: BLE001 - raised again in the test's own thread
            errors.append(error)

    threads = [
        threading.Thread(target=carry_out, args=each, daemon=True, name="test") for each in enumerate(works)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(GRACE_S)
    if errors:
        raise errors[0]
    assert not any(thread.is_alive() for thread in threads), "a thread hangs"
    return [results[place] for place in range(len(works))]


def python(script: str, *options: str) -> str:
    """Run a script in a fresh interpreter; what it printed. Fails with what it said on stderr."""
    root = Path(locus_nb.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, *options, "-c", script],
        capture_output=True,
        check=False,
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        text=True,
        timeout=GRACE_S,
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr, done.stderr
    return done.stdout


def case_id(value: object) -> str:
    """Name a test's case by its repr, without what differs each time: an address, the order of a set."""
    text = f"{{{', '.join(sorted(map(repr, value)))}}}" if isinstance(value, set | frozenset) else repr(value)
    return re.sub(r" at 0x[0-9a-f]+", "", text)
