"""Questions to the user in a real kernel, whose front end shows no page: by its `input()`, or not at all."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import nbformat
import pytest
from nbclient import NotebookClient

from tests.bus_kit import GRACE_S
from tests.kernel_kit import running_kernel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.kernel_kit import Kernel

SETUP = """
import threading
from IPython.display import display
from locus_nb import Agent, ToolCall, ask_user, get_event_bus, propagate, run, watch
from locus_nb.testing import ScriptedModel

def agent(**how):
    model = ScriptedModel([ToolCall("ask_user", {"question": "Deploy?", "options": ["yes", "no"]}), "done"])
    return Agent(model, tools=[ask_user.with_(**how)])

def ends(run):
    return [[event.data["answered_by"], event.data["answer_preview"], event.data["error"]]
            for event in run.events if event.event_type == "agent.interrupt.completed"]
"""

# How a cell asks: the code that gives the answer as `took`.
WAYS = {
    "function": "took = ask_user('Deploy?', ['yes', 'no'], {how})",
    "coroutine": "import asyncio\nawait asyncio.sleep(0)\ntook = ask_user('Deploy?', ['yes', 'no'], {how})",
    "ask": "took = await ask_user.ask('Deploy?', ['yes', 'no'], {how})",
    "run_sync": "took = agent({how}).run_sync('Deploy').tool_calls[0].output",
    "await": "took = (await agent({how}).arun('Deploy')).tool_calls[0].output",
}


def cell(way: str, how: str = "timeout=60") -> str:
    """A cell that asks in a run."""
    asks = textwrap.indent(WAYS[way].format(how=how), "    ")
    return f"with run('r') as r:\n{asks}\nprint('took', took)"


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """A kernel for this file."""
    with running_kernel(tmp_path_factory.mktemp("kernel")) as kernel:
        kernel.run(SETUP)
        yield kernel


@pytest.mark.parametrize("way", WAYS)
def test_input_answers(kernel: Kernel, way: str) -> None:
    """The cell asks by `input()` and goes on with what was typed, whatever blocks it."""
    kernel.begin(cell(way), asks=True)
    assert kernel.wait_prompt() == "Deploy? [yes / no]: "
    kernel.type("YES")
    assert kernel.finish().printed == "took yes\n"
    assert kernel.value("ends(r)") == [["input", "yes", None]]


@pytest.mark.parametrize("way", WAYS)
def test_input_ends_in_time(kernel: Kernel, way: str) -> None:
    """If nobody types the default counts after the timeout, and what is typed later answers nothing."""
    kernel.begin(cell(way, "default='no', timeout=0.5"), asks=True)
    kernel.wait_prompt()
    assert kernel.finish().printed == "took no\n"
    assert kernel.value("ends(r)") == [["default", "no", None]]
    kernel.begin(cell(way), asks=True)
    kernel.wait_prompt()
    kernel.type("yes")
    assert kernel.finish().printed == "took yes\n"


@pytest.mark.parametrize("way", WAYS)
def test_an_interrupt_ends_the_question(kernel: Kernel, way: str) -> None:
    """Interrupted at the `input()`, the cell ends, the run is interrupted, and the default does not count."""
    kernel.begin(cell(way, "default='no', timeout=60"), asks=True)
    kernel.wait_prompt()
    ran = kernel.interrupt()
    assert ran.error in ("KeyboardInterrupt", "CancelledError")
    assert "took" not in ran.printed
    assert kernel.value("[ends(r), r.status]") == [[[None, "", "interrupted"]], "interrupted"]
    assert kernel.run("print('goes on')").printed == "goes on\n"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("default", ["no", None])
def test_without_input_nobody_is_waited_for(kernel: Kernel, way: str, default: str | None) -> None:
    """A front end that takes no input leaves the default, or an error that says what to do."""
    ran = kernel.fail(cell(way, f"default={default!r}, timeout=600"))
    if default:
        assert ran.printed == "took no\n"
    elif way in ("function", "coroutine", "ask"):
        assert ran.error == "UnansweredError"
        assert "show the run with watch(run) before, or give a default" in ran.traceback
    else:
        assert ran.printed == "took None\n"
    (end,) = kernel.value("ends(r)")
    assert end[0] == (default and "default")


def test_an_interrupt_is_heard_while_a_cell_awaits_an_answer(kernel: Kernel) -> None:
    """A cell that awaits an agent, whose question somebody else is to answer, ends as interrupted when it is."""
    kernel.begin(
        """
from locus_nb import on_question
with on_question(lambda question: print("asked")), run("r") as r:
    await agent(timeout=600).arun("Deploy")
"""
    )
    kernel.wait_printed("asked")
    assert kernel.interrupt().error in ("KeyboardInterrupt", "CancelledError")
    assert kernel.value("[ends(r), r.status]") == [[[None, "", "interrupted"]], "interrupted"]


def test_two_agents_ask_one_after_the_other(kernel: Kernel) -> None:
    """Agents that share a cell's loop have their questions asked in turn, each with its own answer."""
    kernel.begin(
        """
import asyncio
with run("r") as r:
    results = await asyncio.gather(*(agent().arun("Deploy") for _ in range(2)))
print(*(result.tool_calls[0].output for result in results))
""",
        asks=True,
    )
    for line in ("yes", "no"):
        kernel.wait_prompt()
        kernel.type(line)
    assert sorted(kernel.finish().printed.split()) == ["no", "yes"]


def test_one_interrupt_ends_all_questions(kernel: Kernel) -> None:
    """Interrupted once, a cell that awaits several agents ends, and none of their questions is asked any more."""
    kernel.begin(
        """
import asyncio
with run("r") as r:
    await asyncio.gather(*(agent(timeout=600).arun("Deploy") for _ in range(3)))
""",
        asks=True,
    )
    kernel.wait_prompt()
    assert kernel.interrupt().error in ("KeyboardInterrupt", "CancelledError")
    assert kernel.value("[ends(r), r.status]") == [[[None, "", "interrupted"]] * 3, "interrupted"]
    assert not kernel.has_prompt()


# An agent whose tool waits for a file, and a thread that asks meanwhile. It polls: the test, in another process,
# has no other way to tell it.
WAITS_AND_ASKS = """
import time
from pathlib import Path
from locus_nb import tool

@tool
def wait_for_it() -> str:
    threading.Thread(target=propagate(other), name="other").start()
    while not Path({gate!r}).exists():
        time.sleep(0.01)
    return "ok"

took = []
def other():
    took.append(ask_user("Which?", default="this", timeout=600))

print(Agent(ScriptedModel([ToolCall("wait_for_it", {{}}), "done"]), tools=[wait_for_it]).run_sync("Wait").message)
for thread in threading.enumerate():
    if thread.name == "other":
        thread.join()
print(took)
"""


def test_another_threads_input_does_not_hold_the_cell_up(kernel: Kernel, tmp_path: Path) -> None:
    """While the main thread waits in `run_sync` it asks for a thread too, and goes on when its own agent is done."""
    gate = tmp_path / "gate"
    kernel.begin(WAITS_AND_ASKS.format(gate=str(gate)), asks=True)
    assert kernel.wait_prompt() == "Which? (default: this): "
    gate.touch()
    assert kernel.finish().printed == "done\n['this']\n"


def test_a_notebook_that_is_executed_without_a_front_end_waits_for_nobody(tmp_path: Path) -> None:
    """nbclient, as nbmake and papermill, gives the default soon, also where a view is displayed that no page shows."""
    shows = "with run('r') as r:\n    display(watch(r))\n    print(agent(default='no').run_sync('Deploy').tool_calls)"
    sources = [SETUP, cell("run_sync", "default='no'"), shows]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    NotebookClient(notebook, timeout=int(GRACE_S), resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert notebook.cells[1].outputs[0]["text"] == "took no\n"
    told = [output["text"] for output in notebook.cells[2].outputs if output["output_type"] == "stream"]
    assert "output='no'" in told[0]
    shown = [output["data"]["text/plain"] for output in notebook.cells[2].outputs if "data" in output]
    assert "Deploy? → no (default)" in "".join(shown)
