"""Questions to the user in a real JupyterLab, answered while the cell that asks is blocked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.jupyter import JupyterLab
from tests.test_jupyterlab import NO_SUBSHELLS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.browser import Chromium
    from tests.jupyter import LabTab

SETUP = """
import threading
from IPython.display import display
from locus_nb import Agent, ToolCall, ask_user, run, watch
from locus_nb.testing import ScriptedModel

def agent(question, options=None, **how):
    arguments = {"question": question} | ({"options": options} if options else {})
    model = ScriptedModel([ToolCall("ask_user", arguments), "Thank you."])
    return Agent(model, tools=[ask_user.with_(**how)])
"""

BLOCKED = """
with run("trip") as r:
    display(watch(r))
    result = agent("Deploy now?", ["yes", "no"], default="no", timeout=120).run_sync("Deploy")
"""

THREAD = """
def work():
    global result
    with run("trip") as made:
        ready.append(made)
        result = agent("Deploy now?", ["yes", "no"], timeout=120).run_sync("Deploy")

ready = []
view = watch()
display(view)
threading.Thread(target=work).start()
while not ready:
    pass
(r,) = ready
"""

AWAITS = """
with run("trip") as r:
    display(watch(r), watch())
    result = await agent("Deploy now?", ["yes", "no"], timeout=120).arun("Deploy")
"""

BOTH = """
import asyncio
with run("both") as r:
    display(watch(r))
    answers = await asyncio.gather(
        ask_user.ask("First?", ["yes", "no"], timeout=120), ask_user.ask("Second?", timeout=120)
    )
"""

ANSWERED = """
[event.data["answer_preview"] + " by " + str(event.data["answered_by"])
 for event in r.events if event.event_type == "agent.interrupt.completed"], result.tool_calls[0].output
"""

ASKS = "[...document.querySelectorAll('.lo-ask')].filter((one) => one.checkVisibility())"
PREVIEWS = "[...document.querySelectorAll('.lo-preview')].map((one) => one.textContent).join()"


@pytest.fixture(scope="module")
def lab(chromium: Chromium, tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterLab]:
    """One JupyterLab for this file, on loopback."""
    with JupyterLab(tmp_path_factory.mktemp("lab")) as server:
        yield server


def wait_for_asks(notebook: LabTab, count: int) -> None:
    """Wait until so many questions are on the page."""
    notebook.page.wait(f"(count) => {ASKS}.length === count", count)


def said(notebook: LabTab, cell: int) -> str:
    """Run a cell; the text of its result."""
    notebook.run(cell)
    (output,) = notebook.outputs(cell)
    return output["data"]["text/plain"]


def test_a_button_answers_a_blocked_cell(lab: JupyterLab, chromium: Chromium) -> None:
    """A click in the view resumes the run in `run_sync`; the form goes, and the row says the answer."""
    with lab.open(chromium, "button.ipynb", [SETUP, BLOCKED, ANSWERED]) as notebook:
        notebook.run(0)
        notebook.start(1)
        wait_for_asks(notebook, 1)
        assert not notebook.is_finished
        notebook.page.click(".lo-ask .lo-option:has-text('yes')")
        notebook.finish()
        wait_for_asks(notebook, 0)
        notebook.page.wait(f"() => {PREVIEWS}.includes('Deploy now? → yes (view)')")
        assert said(notebook, 2) == "(['yes by view'], 'yes')"
        assert notebook.page.errors == []


def test_words_answer_a_blocked_cell(lab: JupyterLab, chromium: Chromium) -> None:
    """What is typed into the box, with Enter, is the answer."""
    with lab.open(chromium, "words.ipynb", [SETUP, BLOCKED, ANSWERED]) as notebook:
        notebook.run(0)
        notebook.start(1)
        wait_for_asks(notebook, 1)
        notebook.page.call(lambda page: page.fill(".lo-answer", "only to staging"))
        # There, wherever the focus is: on a slow machine JupyterLab may give it to a box of the cell's meanwhile.
        notebook.page.call(lambda page: page.press(".lo-answer", "Enter"))
        notebook.finish()
        assert said(notebook, 2) == "(['only to staging by view'], 'only to staging')"


def test_an_answer_from_before_the_subshell_arrives(lab: JupyterLab, chromium: Chromium) -> None:
    """What the page said while no message got through to the blocked kernel, it says again once one does."""
    patient = SETUP + "from locus_nb._ask.questions import QUESTIONS\nQUESTIONS.patience._usual = 100"
    with lab.open(chromium, "early.ipynb", [patient, BLOCKED, ANSWERED]) as notebook:
        notebook.page.evaluate(NO_SUBSHELLS)
        notebook.run(0)
        notebook.start(1)
        wait_for_asks(notebook, 1)
        notebook.page.click(".lo-ask .lo-option:has-text('yes')")
        notebook.page.evaluate(NO_SUBSHELLS.replace("disabled", "perCommTarget"))
        notebook.finish()
        assert said(notebook, 2) == "(['yes by view'], 'yes')"


def test_without_subshells_input_answers(lab: JupyterLab, chromium: Chromium) -> None:
    """Where no message gets through to the blocked kernel the cell asks in its own box."""
    with lab.open(chromium, "input.ipynb", [SETUP, BLOCKED, ANSWERED]) as notebook:
        notebook.page.evaluate(NO_SUBSHELLS)
        notebook.run(0)
        notebook.start(1)
        notebook.page.wait("() => document.querySelector('.jp-Stdin-input')")
        notebook.page.wait(f"() => {ASKS}[0]?.textContent.includes('Answer in the box of the cell')")
        assert notebook.page.evaluate(f"() => {ASKS}[0].querySelector('button').disabled")
        notebook.page.call(lambda page: page.fill(".jp-Stdin-input", "Yes"))
        notebook.page.press("Enter")
        notebook.finish()
        wait_for_asks(notebook, 0)
        assert said(notebook, 2) == "(['yes by input'], 'yes')"


def test_a_reloaded_page_has_the_question_again(lab: JupyterLab, chromium: Chromium) -> None:
    """A page that is loaded anew shows the open question, and answers it."""
    with lab.open(chromium, "reload.ipynb", [SETUP, THREAD, ANSWERED]) as notebook:
        notebook.run(0)
        notebook.run(1)
        wait_for_asks(notebook, 1)
        notebook.save()
        notebook.reload()
        wait_for_asks(notebook, 1)
        notebook.page.click(".lo-ask .lo-option:has-text('yes')")
        wait_for_asks(notebook, 0)
        assert said(notebook, 2) == "(['yes by view'], 'yes')"


def test_a_cell_that_awaits_is_answered_in_any_view(lab: JupyterLab, chromium: Chromium) -> None:
    """A cell that awaits its agent is answered in the view of all runs; the form goes in the other view too."""
    with lab.open(chromium, "await.ipynb", [SETUP, AWAITS, ANSWERED]) as notebook:
        notebook.run(0)
        notebook.start(1)
        wait_for_asks(notebook, 2)
        notebook.page.click(".lo-ask:has(.lo-asker:not([hidden])) .lo-option:has-text('yes')")
        notebook.finish()
        wait_for_asks(notebook, 0)
        assert said(notebook, 2) == "(['yes by view'], 'yes')"


def test_a_cell_that_awaits_answers_hears_of_both(lab: JupyterLab, chromium: Chromium) -> None:
    """A cell may await two questions at once, which are answered in the view in any order, one in two lines."""
    with lab.open(chromium, "ask.ipynb", [SETUP, BOTH, "answers"]) as notebook:
        notebook.run(0)
        notebook.start(1)
        wait_for_asks(notebook, 2)
        notebook.page.click(".lo-ask:has-text('Second?') .lo-answer")
        for key in ("a", "Shift+Enter", "b", "Enter"):
            notebook.page.press(key)
        wait_for_asks(notebook, 1)
        notebook.page.click(".lo-ask .lo-option:has-text('yes')")
        notebook.finish()
        assert said(notebook, 2) == "['yes', 'a\\nb']"


def test_a_cell_that_awaits_can_be_interrupted(lab: JupyterLab, chromium: Chromium) -> None:
    """Interrupted while its question stands in the view, a cell that awaits its agent ends, and the form goes."""
    with lab.open(chromium, "stop.ipynb", [SETUP, AWAITS, "r.status"]) as notebook:
        notebook.run(0)
        notebook.start(1)
        wait_for_asks(notebook, 2)
        notebook.interrupt_kernel()
        notebook.finish()
        wait_for_asks(notebook, 0)
        assert said(notebook, 2) == "'interrupted'"


def test_an_interrupted_cell_takes_its_question_back(lab: JupyterLab, chromium: Chromium) -> None:
    """Interrupted while it waits for the user, the cell ends, and the form goes."""
    with lab.open(chromium, "interrupt.ipynb", [SETUP, BLOCKED, "r.status"]) as notebook:
        notebook.run(0)
        notebook.start(1)
        wait_for_asks(notebook, 1)
        notebook.interrupt_kernel()
        notebook.finish()
        wait_for_asks(notebook, 0)
        assert said(notebook, 2) == "'interrupted'"


def test_a_box_that_nobody_needs_does_no_harm(lab: JupyterLab, chromium: Chromium) -> None:
    """The default counts after the timeout; what is submitted in the cell's box later answers nothing."""
    blocked = BLOCKED.replace("timeout=120", "timeout=12")
    with lab.open(chromium, "late.ipynb", [SETUP, blocked, ANSWERED]) as notebook:
        notebook.page.evaluate(NO_SUBSHELLS)
        notebook.run(0)
        notebook.start(1)
        notebook.page.wait("() => document.querySelector('.jp-Stdin-input')")
        notebook.finish()
        # JupyterLab runs no other cell before that.
        notebook.page.click(".jp-Stdin-input")
        notebook.page.press("Enter")
        assert said(notebook, 2) == "(['no by default'], 'no')"
        assert notebook.page.errors == []
