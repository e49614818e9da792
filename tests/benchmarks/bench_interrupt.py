"""Interrupts an agent that answers in a notebook's cell, and prints how long that takes.

    python tests/benchmarks/bench_interrupt.py

In a real kernel, under a live view, `run_sync` waits for a tool: one that awaits, one that waits in a thread, one
that computes in a thread, in Python. From the sending of the interrupt to `agent.terminate` (`told`), until
`run_sync` has raised (`raised`), and until the cell is over, its traceback included (`over`). `--tries N` (10 by
default) for each tool, in turn; the first of each is told apart, since more is loaded in it.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.front_end import FrontEnd, front_end

PROMISED_MS = 500
TOOLS = ("awaits", "waits", "computes")
MOMENTS = ("told", "raised", "over")

SETUP = """
import asyncio, threading, time
from locus_nb import Agent, last_run, tool

stop = threading.Event()

@tool
async def awaits() -> None:
    "Wait on the loop."
    print("begun")
    await asyncio.Event().wait()

@tool
def waits() -> None:
    "Wait in a thread."
    print("begun")
    stop.wait()

@tool
def computes() -> None:
    "Count in a thread."
    print("begun")
    n = 0
    while not stop.is_set():
        n += 1
"""

CELL = """
%%locus {tool} --live table
stop.clear()
try:
    Agent(tools=[{tool}]).run_sync("call {tool}")
finally:
    raised = time.time()
"""


def measure(kept: FrontEnd, tool: str) -> list[float]:
    """Interrupt one answer; milliseconds to each moment."""
    cell = kept.start(CELL.format(tool=tool).lstrip())
    kept.wait(cell, lambda said: said["content"].get("text", "").startswith("begun"))
    # Nobody interrupts at once, and a view tells nobody that it has taken rows in: let it be at rest.
    time.sleep(0.3)
    sent = time.time()
    kept.interrupt(cell)
    over = time.time()
    assert cell.error == "KeyboardInterrupt", cell.said
    kept.run("stop.set()")
    told, raised, reason = kept.ask(
        "[(end := last_run().events[-1]).timestamp.timestamp(), raised, end.data['reason']]"
    )
    assert reason == "interrupted"
    return [1_000 * (moment - sent) for moment in (told, raised, over)]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tries", type=int, default=10)
    tries = parser.parse_args().tries
    with tempfile.TemporaryDirectory() as folder, front_end(Path(folder)) as kept:
        kept.run("%load_ext locus_nb")
        assert kept.run(SETUP).status == "ok"
        taken = {tool: [] for tool in TOOLS}
        for _ in range(tries):
            for tool in TOOLS:
                taken[tool].append(measure(kept, tool))
    print(f"milliseconds from the interrupt: first, median, worst of {tries}; {PROMISED_MS} are promised")
    for tool, all_of_it in taken.items():
        for moment, times in zip(MOMENTS, zip(*all_of_it, strict=True), strict=True):
            print(f"{tool:9} {moment:7} {times[0]:7.0f} {statistics.median(times):7.0f} {max(times):7.0f}")


if __name__ == "__main__":
    main()
