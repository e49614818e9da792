"""Time `events_df`, secrets taken out, against `pandas.json_normalize` on the same events.

    python tests/benchmarks/bench_frames.py [--events 100000] [--rounds 13]

All run in this process, alternating. The first line gives `json_normalize` the finished list of dicts, so
what making those takes is not counted; the second counts it. The events are whole agent runs with the
payloads of the agent, every event with values of its own.
"""

from __future__ import annotations

import argparse
import gc
import random
import sys
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import pandas as pd

from locus_nb import EventBus, StreamEvent
from locus_nb._frames import events_df

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TEXT = (
    "the weather in Paris is mild with a light breeze from west and rain later so I look it up first "
    "then compare both results step by step before giving an answer: it depends on what you need"
)
WORDS = TEXT.split()


def payloads(rng: random.Random) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give what one run of an agent with tools emits."""
    iterations = rng.randint(2, 6)
    for iteration in range(1, iterations + 1):
        span, model = f"{rng.getrandbits(64):016x}", rng.choice(["mock", "gpt-large", "claude-small"])
        calls = rng.randint(1, 2) if iteration < iterations else 0
        yield (
            "agent.model.started",
            {
                "iteration": iteration,
                "model": model,
                "message_count": 2 * iteration,
                "tool_count": 3,
                "span_id": span,
            },
        )
        yield (
            "agent.model.completed",
            {
                "content_preview": text(rng),
                "tool_call_count": calls,
                "stop_reason": "tool_use" if calls else "end_turn",
                "model": model,
                "duration_ms": rng.uniform(20, 900),
                "span_id": span,
            },
        )
        prompt, completion = rng.randint(50, 4000), rng.randint(5, 800)
        yield (
            "agent.tokens.used",
            {
                "prompt_tokens": prompt,
                "completion_tokens": completion,
                "total_tokens": prompt + completion,
                "cache_read_tokens": prompt // 2,
                "cache_write_tokens": 0,
                "model": model,
                "span_id": span,
            },
        )
        yield (
            "agent.think",
            {
                "iteration": iteration,
                "reasoning_preview": text(rng),
                "has_tool_calls": calls > 0,
                "tool_call_count": calls,
            },
        )
        for _ in range(calls):
            yield from tool_call(rng)
    yield (
        "agent.terminate",
        {
            "reason": "complete",
            "iterations_used": iterations,
            "final_confidence": rng.random(),
            "total_tool_calls": iterations,
            "final_message_preview": text(rng),
        },
    )


def tool_call(rng: random.Random) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give what one call of a tool emits."""
    name, span = rng.choice(["get_weather", "search_web", "add_numbers"]), f"{rng.getrandbits(64):016x}"
    yield "agent.tool.started", {"tool_name": name, "span_id": span, "arg_keys": ["city", "unit"]}
    failed = rng.random() < 0.05
    yield (
        "agent.tool.completed",
        {
            "tool_name": name,
            "span_id": span,
            "success": not failed,
            "duration_ms": rng.uniform(1, 300),
            "output_preview": ""
            if failed
            else f'{{"city": "{rng.choice(WORDS)}", "degrees": {rng.randint(-9, 40)}}}',
            "error": f"TimeoutError: no answer in {rng.randint(1, 9)} s" if failed else None,
        },
    )


def text(rng: random.Random) -> str:
    """Give a preview of ordinary prose."""
    return " ".join(rng.choices(WORDS, k=rng.randint(5, 60)))[:240]


def published(count: int) -> list[StreamEvent]:
    """Publish `count` events of runs of 20 to 50 and give them."""
    rng = random.Random(7)
    bus = EventBus(max_runs_retained=count, history_per_run=count)
    events: list[StreamEvent] = []
    run = 0
    while len(events) < count:
        run += 1
        events += [StreamEvent(f"run-{run}", kind, data) for kind, data in payloads(rng)]
    del events[count:]
    for event in events:
        bus.publish_nowait(event)
    assert events[-1].seq == count
    return events


def timed(call: Callable[[], object]) -> float:
    """Seconds one call takes, with garbage collected before it."""
    gc.collect()
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def main() -> None:
    """Print the medians and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=13)
    options = parser.parse_args()
    events = published(options.events)
    dicts = [event.to_dict() for event in events]
    calls: dict[str, Callable[[], object]] = {
        "json_normalize": lambda: pd.json_normalize(dicts),
        "to_dict, json_normalize": lambda: pd.json_normalize([event.to_dict() for event in events]),
        "events_df": lambda: events_df(events),
        "events_df, redact=False": lambda: events_df(events, redact=False),
    }
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(options.rounds):
        for name, call in calls.items():
            times[name].append(timed(call))
    base = median(times["json_normalize"])
    print(
        f"{options.events:,} events, medians of {options.rounds} alternating rounds, pandas {pd.__version__}"
    )
    for name, taken in times.items():
        print(f"  {name:24} {median(taken):7.3f} s   {median(taken) / base:6.3f} of json_normalize")


if __name__ == "__main__":
    main()
