from __future__ import annotations

import textwrap
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.kernel_kit import running_kernel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.kernel_kit import Kernel, Ran

SETUP = """
%load_ext locus_nb
import asyncio, json, os, subprocess, sys, threading, time
from concurrent.futures import ThreadPoolExecutor
from locus_nb import *
from locus_nb.testing import ScriptedModel

async def step(n):
    await emit("step", n=n)
    await asyncio.sleep(0)
    await emit("step", n=n + 1)

@tool
def look() -> str:
    '''Look.'''
    emit_sync("step", n=0)
    return "seen"

both = threading.Barrier(2)

@tool
def meet(n: int) -> None:
    "Meet another one."
    both.wait(30)
    emit_sync("step", n=n)

CHILD = '''
import json
from locus_nb import current_run_id, emit_sync, get_event_bus
emit_sync("step", n=0)
print(json.dumps([event.to_dict() for event in get_event_bus().history(current_run_id())]))
'''

def told(run_id):
    "What is known of a run: its cell, number and status, and what its steps say."
    known = Run(run_id)
    steps = [event.data["n"] for event in known.events if event.event_type == "step"]
    return [known.cell_id, known.execution_count, known.status, steps]
"""


def within(statement: str) -> Callable[[str], str]:
    """Makes a cell of a body: the body inside of a `with`."""
    return lambda body: f"{statement}\n{textwrap.indent(body, '    ')}"


# How a cell becomes a run, and the status of that run when the cell is over. A cell's body may begin with any
# statement, and its first line notes the run's id as `rid`.
WAYS: dict[str, tuple[Callable[[str], str], str]] = {
    "run_context": (within("with run_context():"), "running"),
    "async run_context": (within("async with run_context():"), "running"),
    "run": (within("with run():"), "ok"),
    "async run": (within("async with run():"), "ok"),
    "%%locus": ("%%locus\n{}".format, "ok"),
}

# Where in a cell something is emitted, and what the steps say, in order.
PLACES: dict[str, tuple[str, list[int]]] = {
    "sync cell": ('emit_sync("step", n=0)', [0]),
    "await cell": ("await step(0)", [0, 1]),
    "to_thread": ('await asyncio.to_thread(emit_sync, "step", n=0)', [0]),
    "ThreadPoolExecutor": (
        """
with PropagatingExecutor(ThreadPoolExecutor(2)) as pool:
    pool.submit(emit_sync, "step", n=0).result()
    list(pool.map(lambda n: emit_sync("step", n=n), [1]))
with ThreadPoolExecutor(2) as pool:
    pool.submit(propagate(emit_sync), "step", n=2).result()
    pool.submit(emit_sync, "step", n="of no run").result()
""",
        [0, 1, 2],
    ),
    "run_in_executor": (
        """
with PropagatingExecutor(ThreadPoolExecutor(2)) as pool:
    await asyncio.get_running_loop().run_in_executor(pool, lambda: emit_sync("step", n=0))
""",
        [0],
    ),
    "gather": ("await asyncio.gather(step(0), step(10))", [0, 10, 1, 11]),
    "own loop in a thread": (
        """
thread = threading.Thread(target=propagate(asyncio.run), args=[step(0)])
thread.start()
thread.join()
""",
        [0, 1],
    ),
    "subprocess": (
        """
env = os.environ | {"LOCUS_RUN_ID": current_run_id()}
child = subprocess.run([sys.executable, "-c", CHILD], env=env, capture_output=True, text=True, check=True)
for event in json.loads(child.stdout):
    assert event["run_id"] == current_run_id()
    emit_sync(event["event_type"], **event["data"])
""",
        [0],
    ),
    "agent": (
        'Agent(ScriptedModel([ToolCall("look", {}), "done"]), tools=[look]).run_sync("Go.")',
        [0],
    ),
    "awaited agent": (
        'await Agent(ScriptedModel([ToolCall("look", {}), "done"]), tools=[look]).arun("Go.")',
        [0],
    ),
    "tools of an agent that meet in threads": (
        """
calls = ModelReply("", [ToolCall("meet", {"n": 7}), ToolCall("meet", {"n": 7})])
Agent(ScriptedModel([calls, "done"]), tools=[meet]).run_sync("Go.")
""",
        [7, 7],
    ),
}


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """A kernel for all tests here, each of which has cells and runs of its own."""
    with running_kernel(tmp_path_factory.mktemp("kernel")) as running:
        running.run(SETUP)
        yield running


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("place", PLACES)
def test_what_a_cell_emits_is_in_its_run(kernel: Kernel, way: str, place: str) -> None:
    """Wherever in a cell something is emitted, it is in the cell's run, which knows its cell, and in no other."""
    make, status = WAYS[way]
    body, steps = PLACES[place]
    before = kernel.value("len(get_event_bus().run_ids())")
    cell_id = f"{way} {place}"
    ran = kernel.run(make(f"rid = current_run_id()\n{body.strip()}"), cell_id=cell_id)
    assert kernel.value("told(rid)") == [cell_id, ran.execution_count, status, steps]
    assert kernel.value("[current_run_id(), len(get_event_bus().run_ids())]") == [None, before + 1]
    # Not the shell's own state alone, but what a cell finds.
    assert kernel.run("print(current_run_id())").printed == "None\n"


def test_what_a_nested_loop_emits_is_in_the_run_of_its_cell(tmp_path: Path) -> None:
    """Once nested loops are allowed, what `asyncio.run` runs in a cell, awaiting or not, is in the cell's run."""
    # A kernel of its own: its loop stays patched.
    with running_kernel(tmp_path) as kernel:
        kernel.run(SETUP)
        kernel.run("allow_nested_loops()")
        for way, (make, status) in WAYS.items():
            for body in ("asyncio.run(step(0))", "await step(0)\nasyncio.run(step(2))"):
                ran = kernel.run(make(f"rid = current_run_id()\n{body}"), cell_id=way)
                steps = [0, 1] if body.startswith("asyncio") else [0, 1, 2, 3]
                assert kernel.value("told(rid)") == [way, ran.execution_count, status, steps]
                assert kernel.value("current_run_id()") is None


@pytest.mark.parametrize("way", ["run", "run_context"])
def test_entered_in_one_cell_and_left_in_another(kernel: Kernel, way: str) -> None:
    """Entered in a plain cell it holds for the next ones until one leaves it; in an await cell for that cell only."""
    kernel.run(f"block = {way}('left-{way}')\n_ = block.__enter__()\nrid = current_run_id()", cell_id="enter")
    kernel.run('emit_sync("step", n=0)')
    kernel.run("await step(1)")
    kernel.run("block.__exit__(None, None, None)\nassert current_run_id() is None")
    kernel.run("assert current_run_id() is None")
    assert kernel.value("told(rid)[3]") == [0, 1, 2]
    kernel.run(f"block = {way}()\n_ = await block.__aenter__()\nrid = current_run_id()\nawait step(0)")
    kernel.run("assert current_run_id() is None")
    kernel.run("await block.__aexit__(None, None, None)\nassert current_run_id() is None")
    kernel.run("await asyncio.sleep(0)\nassert current_run_id() is None")
    assert kernel.value("told(rid)[2:]") == ["ok" if way == "run" else "running", [0, 1]]


@pytest.mark.parametrize("way", ["run", "run_context"])
@pytest.mark.parametrize("later", ["", "await asyncio.sleep(0)\n"])
def test_entered_in_a_plain_cell_and_left_in_one_that_awaits(kernel: Kernel, way: str, later: str) -> None:
    """It is left for all later cells, of either kind; a task that was begun inside keeps it."""
    rid = f"away-{way}-{len(later)}"
    kernel.run(f"block = {way}(run_id={rid!r})\n_ = block.__enter__()\ngate = asyncio.Event()")
    kernel.run("""
async def late():
    await gate.wait()
    await step(2)
task = asyncio.create_task(late())
await step(0)
""")
    kernel.run("await asyncio.sleep(0)\nblock.__exit__(None, None, None)\nassert current_run_id() is None")
    kernel.run(f'{later}emit_sync("step", n="of no run")\nassert current_run_id() is None')
    kernel.run(f"{later}assert current_run_id() is None\ngate.set()")
    kernel.run("await task\nassert current_run_id() is None")
    assert kernel.value(f"told({rid!r})[2:]") == ["ok" if way == "run" else "running", [0, 1, 2, 3]]


def test_generator_closed_in_a_cell_that_awaits(kernel: Kernel) -> None:
    """A generator that holds a run, begun in a plain cell and closed in one that awaits, leaves none behind."""
    kernel.run("def steps():\n    with run():\n        yield\ngenerator = steps()\nnext(generator)")
    kernel.run("assert current_run_id() is not None")
    kernel.run("await asyncio.sleep(0)\ngenerator.close()")
    kernel.run("await asyncio.sleep(0)\nassert current_run_id() is None")
    kernel.run("assert current_run_id() is None")


def test_async_generator_is_read_in_two_cells(kernel: Kernel) -> None:
    """A generator whose run was entered in one cell may be read to its end in another."""
    kernel.run("""
async def steps():
    async with run() as r:
        yield r.id
        await emit("step", n=0)
        yield "again"
generator = steps()
rid = await anext(generator)
""")
    assert "again" in kernel.run("[each async for each in generator]").shown[0]["text/plain"]
    kernel.run("assert current_run_id() is None")
    assert kernel.value("told(rid)[2:]")[0] == "ok"


# Which cell


def test_task_belongs_to_the_cell_that_made_it(kernel: Kernel) -> None:
    """A run that a task begins while a later cell runs is the run of the cell that made the task."""
    ran = kernel.run(
        """
gate = asyncio.Event()
async def later():
    await gate.wait()
    with run_context("late"):
        await step(0)
task = asyncio.create_task(later())
""",
        cell_id="makes the task",
    )
    kernel.run("gate.set()\nawait task", cell_id="runs meanwhile")
    assert kernel.value('told("late")') == ["makes the task", ran.execution_count, "running", [0, 1]]


def test_thread_belongs_to_the_cell_that_runs(kernel: Kernel) -> None:
    """A run that a bare thread begins is the run of the cell that runs meanwhile."""
    ran = kernel.run(
        """
def work():
    with run(run_id="threaded"):
        emit_sync("step", n=0)
thread = threading.Thread(target=work)
thread.start()
thread.join()
""",
        cell_id="threads",
    )
    assert kernel.value('told("threaded")') == ["threads", ran.execution_count, "ok", [0]]


def test_run_that_goes_on_keeps_the_cell_it_began_in(kernel: Kernel) -> None:
    """Entered in other cells an open run keeps its cell; run again, that cell's new number; closed, it begins anew."""
    code = 'with run_context("chat"):\n    emit_sync("step", n=0)'

    def cell() -> list[Any]:
        return kernel.value('told("chat")')[:2]

    first = kernel.run(code, cell_id="first")
    kernel.run(code, cell_id="second")
    assert cell() == ["first", first.execution_count]
    again = kernel.run(code, cell_id="first")
    assert cell() == ["first", again.execution_count]
    kernel.run('get_event_bus().close_stream_nowait("chat")')
    third = kernel.run(code, cell_id="third")
    assert cell() == ["third", third.execution_count]


def test_cell_without_an_id_has_its_number(kernel: Kernel) -> None:
    """Where the front end names no cells, a run has the number of its cell."""
    ran = kernel.run("with run() as r:\n    pass\nrid = r.id")
    assert kernel.value("told(rid)[:2]") == [None, ran.execution_count]


def test_frames_and_lists_know_the_cell(kernel: Kernel) -> None:
    """The frame of runs has the cell's id and number, and so has the run as an object."""
    ran = kernel.run(
        'with run("framed", tags={"a": "b"}) as r:\n    emit_sync("step", n=0)', cell_id="framed"
    )
    expected = ["framed", "framed", ran.execution_count]
    assert kernel.value("[last_run().name, last_run().cell_id, last_run().execution_count]") == expected
    row = 'runs_df(r.id)[["name", "cell_id", "execution_count"]].iloc[0].tolist()'
    assert kernel.value(f"[str(each) for each in {row}]") == [str(each) for each in expected]


# How it ends


def test_cell_that_fails(kernel: Kernel) -> None:
    """What a cell raises inside of a run is shown as ever, the run has failed, and the next cell is clean."""
    ran = kernel.fail("with run() as r:\n    1 / 0")
    assert ran.error == "ZeroDivisionError"
    kernel.run("assert current_run_id() is None")
    assert kernel.value("r.status") == "error"


BEGUN = 'print("begun", flush=True)'


def interrupt(kernel: Kernel, code: str) -> Ran:
    """Begin a cell, and interrupt it once it says so."""
    kernel.begin(code)
    kernel.wait_printed("begun")
    return kernel.interrupt()


@pytest.mark.parametrize(
    "wait, error",
    [
        ("threading.Event().wait()", "KeyboardInterrupt"),
        ("while True:\n        pass", "KeyboardInterrupt"),
        # The kernel's loop must turn to hear it: ipykernel 7.4 does not wake one that sleeps.
        ("while True:\n        await asyncio.sleep(0.01)", "CancelledError"),
    ],
)
def test_cell_that_is_interrupted(kernel: Kernel, wait: str, error: str) -> None:
    """A cell that is interrupted while it waits, works or awaits leaves an interrupted run, and the next is clean."""
    ran = interrupt(kernel, f"with run() as r:\n    {BEGUN}\n    {wait}")
    assert ran.error == error
    kernel.run("assert current_run_id() is None")
    assert kernel.value("r.status") == "interrupted"


BLOCKS = {
    "async tool": f"async def block() -> str:\n    {BEGUN}\n    await asyncio.Event().wait()",
    "sync tool": f"def block() -> str:\n    {BEGUN}\n    free.wait()",
}


@pytest.mark.parametrize("where", ["cell", "await cell"])
@pytest.mark.parametrize("kind", BLOCKS)
def test_interrupted_agent_stops_soon(kernel: Kernel, kind: str, where: str) -> None:
    """`run_sync` in a cell stops within 0.5 s of the interrupt, and the run says so: agent, span and status."""
    agent = 'Agent(ScriptedModel([ToolCall("block", {})]), tools=[tool(block)])'
    first = "" if where == "cell" else "await asyncio.sleep(0)\n"
    code = f"""
{first}free = threading.Event()
{BLOCKS[kind]}
try:
    with run() as r:
        {agent}.run_sync("Go.")
finally:
    stopped = time.time()
    free.set()
"""
    took: list[float] = []
    # A busy machine may make some of them late, but not most.
    while len(took) < 5 and sum(each <= 0.5 for each in took) < 3:
        kernel.begin(code)
        kernel.wait_printed("begun")
        began = time.time()
        assert kernel.interrupt().error == "KeyboardInterrupt"
        took.append(kernel.value("stopped") - began)
        said = "[[each.event_type, each.data.get('reason')] for each in r.events[-2:]]"
        assert kernel.value(said) == [["agent.tool.completed", None], ["agent.terminate", "interrupted"]]
        assert kernel.value("r.status") == "interrupted"
    assert sum(each <= 0.5 for each in took) >= 3, took
