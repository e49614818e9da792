"""Two agents at once, one reader per run and one of all runs: a plain script, without a notebook."""

from __future__ import annotations

import asyncio

from locus_nb import Agent, StreamEvent, get_event_bus, run_context, tool

BUS = get_event_bus()
ENOUGH = 4


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


async def dispatch(rid: str, prompt: str) -> str:
    """Run an agent in a thread, as the run `rid`, and close its stream."""
    async with run_context(rid):
        result = await asyncio.to_thread(Agent(tools=[add]).run_sync, prompt)
    await BUS.close_stream(rid)
    return result.message


async def read_run(rid: str) -> list[StreamEvent]:
    """Read one run to its end."""
    return [event async for event in BUS.subscribe(rid)]


async def read_all() -> list[StreamEvent]:
    """Read all runs, and leave at the first end of one once enough was seen."""
    seen: list[StreamEvent] = []
    async for event in BUS.subscribe_global():
        seen.append(event)
        if event.event_type == "agent.terminate" and len(seen) >= ENOUGH:
            break
    return seen


async def main() -> None:
    """Show what each reader saw, and fail if one saw too little."""
    of_a, of_b, of_all, *answers = await asyncio.gather(
        read_run("run-A"),
        read_run("run-B"),
        read_all(),
        dispatch("run-A", "Add 2 and 3"),
        dispatch("run-B", "Add 40 and 2"),
    )
    print("answers:", answers)
    for name, events in (("run-A", of_a), ("run-B", of_b), ("all", of_all)):
        print(f"{name}: {len(events)} events of runs {sorted({event.run_id for event in events})}")
    if {event.run_id for event in of_all} != {"run-A", "run-B"}:
        raise SystemExit("the global reader did not see both runs")
    if not all(events[-1].event_type == "agent.terminate" for events in (of_a, of_b)):
        raise SystemExit("a run did not end with agent.terminate")


if __name__ == "__main__":
    asyncio.run(main())
