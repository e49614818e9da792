"""Ratios of the bus against `locus-sdk` 3.0.1's bus and a bare `asyncio.Queue` fan-out.

    python -m pip install -e ".[bench]" && python tests/benchmarks/bench_bus.py

All in one process, rounds alternate between the candidates, and each figure is the median of the ratios of
the rounds. Times are wall-clock, garbage collection as it comes; events are made before the clock starts.
`--rounds N` (13 by default), `--only throughput,stalled,memory,emit,import`.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import statistics
import subprocess
import sys
import time
import tracemalloc
from typing import TYPE_CHECKING, Any

from locus.observability import EventBus as SdkBus
from locus.observability import StreamEvent as SdkEvent
from locus.observability import emit as sdk_emit

from locus_nb import EventBus, StreamEvent, emit

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

# Readers: events per round for the sdk, for the queues, for ours. The slow ones get fewer.
SIZES = {1: (5000, 20000, 20000), 10: (1000, 4000, 10000), 50: (300, 1000, 6000)}
RUN = "run"


def events_of(kind: Any, count: int) -> list[Any]:
    """Make events as both buses take them."""
    return [kind(RUN, "agent.think", {"iteration": i}) for i in range(count)]


async def timed(
    readers: list[asyncio.Task[int]], publish: Callable[[], Awaitable[None]], count: int
) -> float:
    """Seconds per event from the first publish until every reader has read all."""
    await asyncio.sleep(0.01)
    began = time.perf_counter()
    await publish()
    read = await asyncio.gather(*readers)
    took = time.perf_counter() - began
    if set(read) != {count}:
        raise SystemExit(f"readers read {sorted(set(read))} of {count} events")
    return took / count


async def fan_out_of(bus: Any, kind: Any, readers: int, count: int) -> float:
    """One publisher, `readers` readers of its run, one event at a time."""
    events = events_of(kind, count)

    async def read() -> int:
        seen = 0
        async for _ in bus.subscribe(RUN):
            seen += 1
        return seen

    async def publish() -> None:
        for event in events:
            await bus.publish(event)
        await bus.close_stream(RUN)

    return await timed([asyncio.create_task(read()) for _ in range(readers)], publish, count)


async def batches_of(bus: EventBus, readers: int, count: int) -> float:
    """As `fan_out_of`, read in batches."""
    events = events_of(StreamEvent, count)

    async def read() -> int:
        seen = 0
        with bus.subscribe(RUN) as subscription:
            while batch := await subscription.next_batch():
                seen += len(batch.events)
        return seen

    async def publish() -> None:
        for event in events:
            await bus.publish(event)
        await bus.close_stream(RUN)

    return await timed([asyncio.create_task(read()) for _ in range(readers)], publish, count)


async def queues(readers: int, count: int) -> float:
    """The least an asyncio program would do: a queue per reader, each event put into all."""
    events: list[Any] = events_of(SdkEvent, count)
    fan = [asyncio.Queue[Any](1024) for _ in range(readers)]

    async def read(queue: asyncio.Queue[Any]) -> int:
        seen = 0
        while await queue.get() is not None:
            seen += 1
        return seen

    async def publish() -> None:
        for event in [*events, None]:
            for queue in fan:
                await queue.put(event)

    return await timed([asyncio.create_task(read(queue)) for queue in fan], publish, count)


def throughput(rounds: int) -> None:
    """Time per event at 1, 10 and 50 readers."""
    print(f"throughput, time per event, median of {rounds} alternating rounds")
    print(
        f"{'readers':>8} {'sdk':>10} {'queues':>10} {'ours':>10} {'batches':>10} | ours/sdk batches/sdk ours/queues"
    )
    for readers, (for_sdk, for_queues, for_ours) in SIZES.items():
        took: list[tuple[float, float, float, float]] = []
        for _ in range(rounds):
            gc.collect()
            took.append(
                (
                    asyncio.run(fan_out_of(SdkBus(), SdkEvent, readers, for_sdk)),
                    asyncio.run(queues(readers, for_queues)),
                    asyncio.run(fan_out_of(EventBus(), StreamEvent, readers, for_ours)),
                    asyncio.run(batches_of(EventBus(), readers, for_ours)),
                )
            )
        sdk, queue, ours, batch = (statistics.median(column) * 1e6 for column in zip(*took, strict=True))
        ratios = [
            statistics.median(one / other for one, other in pairs)
            for pairs in (
                [(o, s) for s, _, o, _ in took],
                [(b, s) for s, _, _, b in took],
                [(o, q) for _, q, o, _ in took],
            )
        ]
        print(
            f"{readers:>8} {sdk:>8.2f}us {queue:>8.2f}us {ours:>8.2f}us {batch:>8.2f}us |"
            f" {ratios[0]:8.4f} {ratios[1]:11.4f} {ratios[2]:11.3f}"
        )


async def stalled_round(
    *, stall: bool, sdk: bool = False, count: int = 3000, fast: int = 3
) -> tuple[float, float, float]:
    """Publish paced events to fast readers; give publish p99, p99 of the fast readers' delay, worst publish."""
    bus: Any = SdkBus() if sdk else EventBus()
    events = events_of(SdkEvent if sdk else StreamEvent, count)
    sent: dict[int, float] = {}
    delays: list[float] = []

    async def read() -> None:
        async for event in bus.subscribe(RUN):
            late = time.perf_counter() - sent[event.data["iteration"]]
            delays.append(late)

    async def read_one_and_stall() -> None:
        async for _ in bus.subscribe(RUN):
            await asyncio.Event().wait()

    readers = [asyncio.create_task(read()) for _ in range(fast)]
    lame = [asyncio.create_task(read_one_and_stall())] if stall else []
    await asyncio.sleep(0.01)
    took: list[float] = []
    for number, event in enumerate(events):
        sent[number] = began = time.perf_counter()
        await bus.publish(event)
        took.append(time.perf_counter() - began)
        await asyncio.sleep(0)
    await bus.close_stream(RUN)
    await asyncio.gather(*readers)
    for task in lame:
        task.cancel()
    await asyncio.gather(*lame, return_exceptions=True)
    return p99(took), p99(delays), max(took)


def p99(values: list[float]) -> float:
    """The value that 99 in 100 do not exceed."""
    return sorted(values)[int(len(values) * 0.99)]


def stalled(rounds: int) -> None:
    """What one stalled reader costs the publisher and the other readers."""
    with_, without = [], []
    for _ in range(rounds):
        without.append(asyncio.run(stalled_round(stall=False)))
        with_.append(asyncio.run(stalled_round(stall=True)))
    ratio = statistics.median(a[0] / b[0] for a, b in zip(with_, without, strict=True))
    print(f"one stalled reader among 3 fast ones, 3,000 events, median of {rounds} rounds")
    print(
        f"  publish p99 {statistics.median(a[0] for a in with_) * 1e6:.1f} us, without it"
        f" {statistics.median(b[0] for b in without) * 1e6:.1f} us, ratio {ratio:.2f}"
    )
    print(f"  fast readers' delay p99 {statistics.median(a[1] for a in with_) * 1e3:.3f} ms")
    worst = asyncio.run(stalled_round(stall=True, sdk=True, count=1030))
    print(f"  locus-sdk: worst publish {worst[2]:.2f} s")


async def fill(bus: Any, kind: Any) -> None:
    """200 runs of 500 events."""
    for run in range(200):
        for i in range(500):
            await bus.publish(kind(f"run-{run}", "agent.think", {"iteration": i}))


def memory(_rounds: int) -> None:
    """Bytes per event that history keeps, with payloads made by the caller."""
    sizes = []
    for bus, kind in ((SdkBus(), SdkEvent), (EventBus(), StreamEvent)):
        gc.collect()
        tracemalloc.start()
        asyncio.run(fill(bus, kind))
        gc.collect()
        sizes.append(tracemalloc.get_traced_memory()[0] / 100_000)
        tracemalloc.stop()
    print(
        f"memory, 200 runs x 500 events: sdk {sizes[0]:.0f}, ours {sizes[1]:.0f} bytes per event,"
        f" ratio {sizes[1] / sizes[0]:.3f}"
    )


async def emits(emit_: Any, count: int) -> float:
    """Seconds per `await emit` outside of a run."""
    began = time.perf_counter()
    for _ in range(count):
        await emit_("agent.think", iteration=1)
    return (time.perf_counter() - began) / count


def emit_outside(rounds: int) -> None:
    """What `emit` costs who does not use it."""
    pairs = [(asyncio.run(emits(emit, 20000)), asyncio.run(emits(sdk_emit, 20000))) for _ in range(rounds)]
    ratio = statistics.median(ours / sdk for ours, sdk in pairs)
    print(
        f"emit outside of a run: {statistics.median(o for o, _ in pairs) * 1e9:.0f} ns,"
        f" sdk {statistics.median(s for _, s in pairs) * 1e9:.0f} ns, ratio {ratio:.2f}"
    )


IMPORTS = (
    "import asyncio",
    "import locus_nb",
    # Names come at their first use: these bring all of the bus.
    "from locus_nb import EventBus, emit, run_context",
)


def import_time(rounds: int) -> None:
    """Time to import in a fresh interpreter; compiled before, as an installed package is."""
    took: dict[str, list[float]] = {statement: [] for statement in IMPORTS}
    for compiled in (False, *[True] * max(21, rounds)):
        for statement, times in took.items():
            code = f"import time; t = time.perf_counter(); {statement}; print(time.perf_counter() - t)"
            env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
            command = [sys.executable, "-c", code]
            seconds = float(subprocess.run(command, check=True, capture_output=True, env=env).stdout)
            if compiled:
                times.append(seconds)
    base = took["import asyncio"]
    for statement, times in took.items():
        ratio = statistics.median(ours / asyncios for ours, asyncios in zip(times, base, strict=True))
        print(
            f"{statement}: {statistics.median(times) * 1e3:.1f} ms, ratio {ratio:.2f} (median of {len(times)})"
        )


PARTS = {
    "throughput": throughput,
    "stalled": stalled,
    "memory": memory,
    "emit": emit_outside,
    "import": import_time,
}


def main() -> None:
    """Run the parts asked for."""
    parser = argparse.ArgumentParser(description="Ratios of the bus; see the head of this file.")
    parser.add_argument("--rounds", type=int, default=13)
    parser.add_argument("--only", default=",".join(PARTS))
    asked = parser.parse_args()
    for name in asked.only.split(","):
        PARTS[name](asked.rounds)


if __name__ == "__main__":
    main()
