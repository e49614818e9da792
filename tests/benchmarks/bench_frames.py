"""Time the frames against what pandas makes of the same events.

    python tests/benchmarks/bench_frames.py [--events 100000] [--rounds 13]

All run in this process, alternating. `json_normalize` and `DataFrame` are given what `to_dict` makes of each event,
which is part of their time, as it has to be called; the first line leaves that out. The events are whole agent runs
with the payloads of the agent, every event with values of its own; the last lines read 200 runs from a bus.
"""

from __future__ import annotations

import argparse
import gc
import random
import sys
import time
from itertools import islice
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import pandas as pd

from locus_nb import EventBus, StreamEvent
from locus_nb._frames.frames import events_df, model_calls_df, runs_df, spans_df, tools_df
from locus_nb._frames.tables import EVENTS

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


def filled_bus(runs: int, per_run: int) -> EventBus:
    """Give a bus with runs of so many events each."""
    rng = random.Random(7)
    bus = EventBus(history_per_run=per_run)
    for run in range(runs):
        told = (each for _ in range(per_run) for each in payloads(rng))
        for kind, data in islice(told, per_run):
            bus.publish_nowait(StreamEvent(f"run-{run}", kind, data))
    return bus


def medians(calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Time the calls in turn, several times."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            times[name].append(timed(call))
    return {name: median(taken) for name, taken in times.items()}


def show(times: dict[str, float], base: str) -> None:
    """Print times, and ratios to one of them."""
    for name, taken in times.items():
        print(f"  {name:24} {taken:7.3f} s   {taken / times[base]:6.3f} of {base}")


def main() -> None:
    """Print medians, ratios and bytes."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=13)
    options = parser.parse_args()
    events = published(options.events)
    dicts = [event.to_dict() for event in events]
    print(
        f"{options.events:,} events, medians of {options.rounds} alternating rounds, pandas {pd.__version__}"
    )
    times = medians(
        {
            "json_normalize, no to_dict": lambda: pd.json_normalize(dicts),
            "json_normalize": lambda: pd.json_normalize([event.to_dict() for event in events]),
            "DataFrame": lambda: pd.DataFrame([event.to_dict() for event in events]),
            "events_df": lambda: events_df(events),
            "events_df, redact=False": lambda: events_df(events, redact=False),
        },
        options.rounds,
    )
    show(times, "json_normalize")
    raw = times["events_df, redact=False"]
    print(f"  redact=False: {raw / times['json_normalize']:.3f} of json_normalize (target: at most 0.2)")
    print(f"  redact=False: {raw / times['DataFrame']:.3f} of DataFrame (target: at most 0.4)")
    frame = events_df(events)
    used = frame.memory_usage(deep=True, index=False) / len(frame)
    own = used[[column.name for column in EVENTS if column.group in {"id", "time", "kind"}]].sum()
    ids = used["event_id"]
    print(
        f"  {own:.0f} bytes a row of the events' own columns, of them {ids:.0f} for texts that the events hold too"
    )
    print(
        f"  {used.drop(['preview', 'data']).sum():.0f} bytes a row without preview and data (target: at most 100)"
    )
    bus = filled_bus(200, options.events // 200)
    frames = [events_df, spans_df, runs_df, tools_df, model_calls_df]
    print("200 runs of a bus")
    times = medians({each.__name__: lambda each=each: each(source=bus) for each in frames}, options.rounds)
    show(times, "events_df")
    print(f"  spans_df: {times['spans_df'] / times['events_df']:.3f} of events_df (target: under 0.5)")


if __name__ == "__main__":
    main()
