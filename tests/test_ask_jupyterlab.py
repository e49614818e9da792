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
        notebook.page.press("Enter")
        notebook.finish()
        assert said(notebook, 2) == "(['only to staging by view'], 'only to staging')"


def test_without_subshells_input_answers(lab: JupyterLab, chromium: Chromium) -> None:
    """Where no message gets through to the blocked kernel the cell asks in its own box."""
    with lab.open(chromium, "input.ipynb", [SETUP, BLOCKED, ANSWERED]) as notebook:
        notebook.page.evaluate(NO_SUBSHELLS)
        notebook.run(0)
        notebook.start(1)
        notebook.page.wait("() => document.querySelector('.jp-Stdin-input')")
        notebook.page.wait(f"() => {ASKS}[0]?.textContent.includes('in a box of its own')")
        notebook.page.call(lambda page: page.fill(".jp-Stdin-input", "Yes"))
        notebook.page.press("Enter")
        notebook.finish()
        wait_for_asks(notebook, 0)
        assert said(notebook, 2) == "(['yes by input'], 'yes')"
