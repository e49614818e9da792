"""Time what taking secrets out costs per event, alone and many at once.

    python tests/benchmarks/bench_redact.py [--events 4000] [--rounds 15]

The events are whole agent runs with the payloads of the agent, every event with values of its own. All measures
alternate; of the rounds the median counts, in time of the processor, which others cannot take away. `copied` is
`jsonable`, which is in the other figures too; `asked` has a function of the user's come after.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from locus_nb import configure
from locus_nb._payloads.chunks import clean_chunks
from locus_nb._payloads.redact import redact
from locus_nb._wire import jsonable
from tests.benchmarks.bench_frames import payloads
from tests.secret_kit import places_of, secrets

if TYPE_CHECKING:
    from collections.abc import Callable

TARGET_US = 5.0


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=15)
    args = parser.parse_args()
    rng = random.Random(3)
    given: list[tuple[str, dict[str, Any]]] = []
    while len(given) < args.events:
        given += payloads(rng)
    by_type: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for event_type, data in given:
        by_type[event_type].append(data)
    raws = [data for _, data in given]
    full = [places_of(secret) for secret in secrets()]
    words = "It is sunny in Porto today, and so we go. " * 10
    cut = [
        {"output_preview": (words[:n] + end)[-240:]}
        for n in range(240, 280)
        for end in (" a.py", " 18.2", "")
    ]

    def asked() -> None:
        configure(redact=lambda _, value: value)
        each(redact, raws)
        configure(redact=True)

    measures: dict[str, tuple[Callable[[], None], int]] = {
        "copied": (lambda: each(jsonable, raws), len(raws)),
        "redact": (lambda: each(redact, raws), len(raws)),
        "chunks": (lambda: together(by_type), len(raws)),
        "asked": (asked, len(raws)),
        "cut previews": (lambda: each(redact, cut), len(cut)),
        "twelve secrets": (lambda: each(redact, full), len(full)),
    }
    times: dict[str, list[float]] = defaultdict(list)
    for _ in range(args.rounds):
        for name, (measure, count) in measures.items():
            begin = time.process_time()
            measure()
            times[name].append((time.process_time() - begin) / count * 1e6)
    for name, found in times.items():
        print(f"{name:>15}: {median(found):8.2f} us per event (least {min(found):.2f})")
    for event_type, alike in sorted(by_type.items()):
        begin = time.process_time()
        each(redact, alike)
        print(f"  {event_type}: {(time.process_time() - begin) / len(alike) * 1e6:.2f} us")
    print(f"target for redact: under {TARGET_US} us per typical event")


def each(clean: Callable[[Any], Any], raws: list[dict[str, Any]]) -> None:
    """Clean them one by one."""
    for raw in raws:
        clean(raw)


def together(by_type: dict[str, list[dict[str, Any]]]) -> None:
    """Clean them as frames and stores do."""
    for event_type, raws in by_type.items():
        for _ in clean_chunks(event_type, range(len(raws)), raws, secrets=False):
            pass


if __name__ == "__main__":
    main()
