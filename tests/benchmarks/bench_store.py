"""What a store costs: its writer per event, a publish, and a million events read back.

    python -m pip install -e ".[bench]" && python tests/benchmarks/bench_store.py

- writer: CPU of the writer's thread per event (`time.thread_time`), payloads of an agent, batches of 500
- publish: p99 of `publish_nowait` with a store against one without, paced as agents publish, rounds alternating
- read: a file's events as a frame against `pandas.read_sql` through ADBC of the same table, rounds alternating

`--events N` (1,000,000), `--rounds N`, `--only writer,publish,read`.
"""

from __future__ import annotations

import argparse
import gc
import random
import sys
import tempfile
import threading
import time
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parent))

from bench_frames import payloads, published

from locus_nb import EventBus, Store, StreamEvent, history
from locus_nb._store.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Iterator

# Publishes a second of one busy agent, thinking and calling tools.
RATE = 200


class Cpu:
    """CPU seconds that writers spend in their rounds."""

    def __init__(self) -> None:
        self.spent = 0.0
        original = Writer.round

        def timed(writer: Writer) -> float | None:
            before = time.thread_time()
            try:
                return original(writer)
            finally:
                self.spent += time.thread_time() - before

        Writer.round = timed


def fresh(count: int) -> list[StreamEvent]:
    """Events of whole runs, not yet published, without ids."""
    return [
        StreamEvent(event.run_id, event.event_type, dict(event.data), event.timestamp)
        for event in published(count)
    ]


def store_all(path: Path, events: list[StreamEvent], *, at_once: int) -> None:
    """Publish events so that each batch is `at_once`."""
    bus = EventBus(max_runs_retained=1000)
    with Store(path, bus=bus) as store:
        for start in range(0, len(events), at_once):
            for event in events[start : start + at_once]:
                bus.publish_nowait(event)
            store.flush(60)
        assert store.stats().written == len(events), store.stats()


def writer(folder: Path, rounds: int) -> None:
    """CPU of the writer's thread."""
    cpu = Cpu()
    taken: list[float] = []
    count = 20_000
    for turn in range(rounds):
        events = fresh(count)
        cpu.spent = 0.0
        store_all(folder / f"writer-{turn}.db", events, at_once=500)
        taken.append(cpu.spent / count * 1e6)
    print(f"writer: {median(taken):.2f} us of CPU per event (target <= 6), lowest {min(taken):.2f}")


def publish_times(store: Path | None, seconds: float) -> list[float]:
    """Seconds of each publish, in a thread of its own that paces them."""
    bus = EventBus(store=store)
    events = paced()
    times: list[float] = []

    def run() -> None:
        until = time.perf_counter() + seconds
        while (now := time.perf_counter()) < until:
            event = next(events)
            before = time.perf_counter()
            bus.publish_nowait(event)
            times.append(time.perf_counter() - before)
            # The load has a pace.
            time.sleep(max(0.0, now + 1 / RATE - time.perf_counter()))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if bus.store is not None:
        bus.store.close()
        stats = bus.store.stats()
        assert (stats.written, stats.dropped) == (len(times), 0), stats
    return times


def paced() -> Iterator[StreamEvent]:
    """Events of one run after the other."""
    rng = random.Random(3)
    run = 0
    while True:
        run += 1
        for kind, data in payloads(rng):
            yield StreamEvent(f"run-{run}", kind, data)


def publish(folder: Path, rounds: int) -> None:
    """p99 of a publish."""
    without: list[float] = []
    stored: list[float] = []
    for turn in range(rounds):
        for place, taken in ((None, without), (folder / f"publish-{turn}.db", stored)):
            gc.collect()
            taken.append(quantiles(publish_times(place, 5.0), n=100)[98] * 1e6)
    ratio = median(b / a for a, b in zip(without, stored, strict=True))
    print(
        f"publish: p99 {median(without):.1f} us without, {median(stored):.1f} us with a store: "
        f"{median(stored) / median(without):.2f} of medians, {ratio:.2f} median of ratios (target <= 1.2), "
        f"{rounds} alternating rounds at {RATE} a second"
    )


def read(folder: Path, rounds: int, count: int) -> None:
    """A million events back."""
    import adbc_driver_sqlite.dbapi as adbc  # noqa: PLC0415 - only this part needs it
    import pandas as pd  # noqa: PLC0415 - as above

    path = folder / "read.db"
    some = published(min(count, 50_000))
    count -= count % len(some)
    for turn in range(count // len(some)):
        again = [
            StreamEvent(f"{turn}-{each.run_id}", each.event_type, dict(each.data), each.timestamp)
            for each in some
        ]
        store_all(path, again, at_once=10_000)
        del again
    print(f"read: {count:,} events, {path.stat().st_size / 1e6:.0f} MB")
    frame: list[float] = []
    bulk: list[float] = []
    plain: list[float] = []
    base: list[float] = []
    for _ in range(rounds):
        gc.collect()
        began = time.perf_counter()
        found = history(path).events()
        bulk.append(time.perf_counter() - began)
        assert len(found) == count
        del found
        gc.collect()
        began = time.perf_counter()
        df = history(path).events_df()
        frame.append(time.perf_counter() - began)
        assert len(df) == count
        del df
        gc.collect()
        began = time.perf_counter()
        df = history(path).stored_df(redact=False)
        plain.append(time.perf_counter() - began)
        assert len(df) == count
        del df
        gc.collect()
        began = time.perf_counter()
        with adbc.connect(str(path)) as connection:
            df = pd.read_sql("SELECT * FROM events", connection)
        base.append(time.perf_counter() - began)
        assert len(df) == count
        del df
    print(
        f"read: medians of {rounds} alternating rounds; read_sql through ADBC {median(base):.2f} s (target < 4 times)"
    )
    for name, taken in (("events()", bulk), ("events_df()", frame), ("stored_df()", plain)):
        ratio = median(a / b for a, b in zip(taken, base, strict=True))
        print(f"  {name:12} {median(taken):6.2f} s {ratio:6.2f}")


def main() -> None:
    """Print each figure beside its target."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="writer,publish,read")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if "writer" in options.only:
            writer(folder, options.rounds)
        if "publish" in options.only:
            publish(folder, options.rounds)
        if "read" in options.only:
            read(folder, options.rounds, options.events)


if __name__ == "__main__":
    main()
