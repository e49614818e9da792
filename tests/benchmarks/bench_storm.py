"""Four threads with loops of their own publish 5,000 events each to a reader on the main loop, again and again.

    python tests/benchmarks/bench_storm.py

Says in how many runs something was lost, repeated or out of order: it should be none. `--runs N` (30 by default),
each once reading events and once reading batches. No test, because a machine that gives the reader no turn for a
second loses events by contract, and says so.
"""

from __future__ import annotations

import argparse
import asyncio
import time

from locus_nb import EventBus, StreamEvent

THREADS, EACH = 4, 5_000


def publish(bus: EventBus, run_id: str) -> None:
    """Publish one thread's events, in a loop of its own."""

    async def main() -> None:
        for n in range(EACH):
            await bus.publish(StreamEvent(run_id, "storm", {"n": n}))

    asyncio.run(main())


async def read(bus: EventBus, how: str) -> list[tuple[int | None, str, int]]:
    """All that a global reader gets, until the end."""
    subscription = bus.subscribe_global()
    seen: list[tuple[int | None, str, int]] = []
    if how == "events":
        async for event in subscription:
            seen.append((event.seq, event.run_id, event.data["n"]))  # noqa: PERF401 - what was read so far stays
    else:
        while batch := await subscription.next_batch():
            seen += [(event.seq, event.run_id, event.data["n"]) for event in batch.events]
    return seen


async def storm(how: str) -> str:
    """One run; what was wrong with it, empty if nothing was."""
    bus = EventBus()
    reading = asyncio.ensure_future(read(bus, how))
    await asyncio.sleep(0)
    await asyncio.gather(*(asyncio.to_thread(publish, bus, str(k)) for k in range(THREADS)))
    await bus.close_global()
    seen = await reading
    dropped = bus.stats()["dropped_events_total"]
    if dropped or len(seen) != THREADS * EACH:
        return f"{THREADS * EACH - len(seen)} lost, {dropped} of them counted"
    if [seq for seq, _, _ in seen] != list(range(1, THREADS * EACH + 1)):
        return "not in the bus's order"
    runs = [[n for _, run_id, n in seen if run_id == str(k)] for k in range(THREADS)]
    return "" if all(numbers == list(range(EACH)) for numbers in runs) else "a thread's order was not kept"


def main() -> None:
    """Run the storms."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=30)
    runs = parser.parse_args().runs
    for how in ("events", "batches"):
        began = time.perf_counter()
        wrong = [said for said in (asyncio.run(storm(how)) for _ in range(runs)) if said]
        took = (time.perf_counter() - began) / runs
        print(
            f"{how:8} {len(wrong)} of {runs} runs went wrong, {took * 1e3:.0f} ms a run", *wrong, sep="\n    "
        )


if __name__ == "__main__":
    main()
