"""Questions to the user in a view: what they show, what answers them, and when they go."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.bus_kit import GRACE_S
from tests.page_kit import HOSTILE, LiveView, row, tally

if TYPE_CHECKING:
    from tests.browser import Tab

NOW = 1_800_000_000_000


@pytest.fixture
def view(chromium_page: Tab) -> LiveView:
    """A view of one run, shown once."""
    view = LiveView(chromium_page, run="run-A")
    view.show()
    return view


def question(name: str = "q1", **fields: Any) -> dict[str, Any]:
    """A question as Python sends it."""
    asked = {
        "id": name,
        "run": "run-A",
        "text": "Deploy?",
        "options": ["yes", "no"],
        "default": "no",
        "free": True,
        "ends": NOW + 65_000,
        "keyboard": False,
        "heard": True,
    }
    return asked | fields


def ask(view: LiveView, *questions: dict[str, Any]) -> None:
    """Have Python say that these are open."""
    view.deliver([], questions=list(questions), now=NOW)


def sent(view: LiveView, kind: str) -> list[dict[str, Any]]:
    """What the page has sent of that kind, without the kind."""
    said = view.tab.evaluate("(kind) => widget.model.sent.filter((one) => one.kind === kind)", kind)
    return [{key: value for key, value in one.items() if key != "kind"} for one in said]


def test_a_question_is_shown_above_the_rows(view: LiveView) -> None:
    """Question, options with the default marked, a box, and the time that is left stand above the rows."""
    ask(view, question())
    assert view.texts("asked") == ["Deploy?"]
    assert view.texts("option") == ["yes", "no default"]
    assert view.texts("ask .lo-send") == ["Send"]
    (left,) = view.texts("left")
    assert left in ("1:05 left", "1:04 left")
    places = view.tab.evaluate(
        "() => ['ask', 'grid'].map((part) => document.querySelector(`.lo-${part}`).getBoundingClientRect().top)"
    )
    assert places[0] < places[1]
    assert sent(view, "asked") == [{"ids": ["q1"]}]


def test_a_default_that_is_no_option_is_told(view: LiveView) -> None:
    """What counts when nobody answers is said beside the time."""
    ask(view, question(default="later"))
    assert view.text("left").endswith(" left, else “later”")
    assert view.texts("option") == ["yes", "no"]


def test_a_strict_question_has_no_box(view: LiveView) -> None:
    """Where nothing but an option is an answer there is no box to type in."""
    ask(view, question(free=False))
    assert view.texts("answer") == []
    assert view.texts("send") == []


def test_a_button_answers_by_its_number(view: LiveView) -> None:
    """A click sends which option was picked; the form waits, and goes when Python says that it is over."""
    ask(view, question())
    view.tab.click(".lo-option:has-text('no')")
    view.drawn()
    assert sent(view, "answer") == [{"id": "q1", "option": 1}]
    assert view.tab.evaluate(
        "() => [...document.querySelectorAll('.lo-ask button')].every((one) => one.disabled)"
    )
    assert view.texts("heard") == ["Sent …"]
    ask(view)
    assert view.texts("ask") == []


@pytest.mark.parametrize("how", ["Enter", "button"])
def test_words_are_sent(view: LiveView, how: str) -> None:
    """What was typed is sent by Enter and by the button; nothing is for nothing."""
    ask(view, question())
    view.tab.click(".lo-answer")
    for text in (" ", "only staging"):
        view.tab.call(lambda page, text=text: page.fill(".lo-answer", text))
        if how == "Enter":
            view.press("Enter")
        else:
            view.tab.click(".lo-send")
        view.drawn()
    assert sent(view, "answer") == [{"id": "q1", "text": "only staging"}]


def test_it_is_answered_by_keys_alone(view: LiveView) -> None:
    """Tab leads through the buttons to the box, and the space bar presses one; the view does not pause."""
    ask(view, question())
    view.tab.evaluate("() => document.querySelector('.lo-option').focus()")
    view.press("Tab", "Tab")
    assert view.tab.evaluate("() => document.activeElement.className") == "lo-answer"
    view.press("Shift+Tab", "Space")
    assert sent(view, "answer") == [{"id": "q1", "option": 1}]
    assert view.text("pause").endswith("Pause")


def test_it_is_said_aloud_and_takes_no_focus(view: LiveView) -> None:
    """A screen reader hears the question when it comes; what somebody types elsewhere goes on."""
    view.tab.click(".lo-filter")
    ask(view, question())
    assert view.tab.evaluate("() => document.activeElement.className") == "lo-filter"
    roles = "() => ['ask', 'asked', 'answer'].map((part) => document.querySelector(`.lo-${part}`))"
    labels = f"{roles}.map((one) => [one.getAttribute('role'), one.getAttribute('aria-label')])"
    assert view.tab.evaluate(labels) == [["group", "Question to you"], ["alert", None], [None, "Answer"]]


def test_what_is_typed_stays_while_others_come_and_go(view: LiveView) -> None:
    """Each question keeps its form, whatever happens to the others and to the rows."""
    ask(view, question("q1"), question("q2", text="Which?", options=[]))
    view.tab.call(lambda page: page.fill("[data-question=q2] .lo-answer", "half an ans"))
    view.deliver([row(1)], questions=[question("q2", text="Which?"), question("q3")], now=NOW)
    forms = view.tab.evaluate(
        "() => [...document.querySelectorAll('.lo-ask')].map((one) => one.dataset.question)"
    )
    assert forms == ["q2", "q3"]
    typed = view.tab.evaluate("() => document.querySelector('[data-question=q2] .lo-answer').value")
    assert typed == "half an ans"
    assert sent(view, "asked") == [{"ids": ["q1", "q2"]}, {"ids": ["q3"]}]


def test_two_outputs_show_the_same_question(view: LiveView) -> None:
    """Each output of a view has the form; answered in one, it goes in all."""
    ask(view, question())
    view.show()
    assert len(view.texts("ask")) == 2
    assert sent(view, "asked") == [{"ids": ["q1"]}]
    ask(view)
    assert view.texts("ask") == []


def test_a_page_without_an_output_does_not_say_that_it_shows_it(chromium_page: Tab) -> None:
    """Where nobody can see the question Python is not told that somebody does, until somebody can."""
    view = LiveView(chromium_page, run="run-A")
    ask(view, question())
    assert sent(view, "asked") == []
    view.show()
    ask(view, question())
    assert sent(view, "asked") == [{"ids": ["q1"]}]


def test_an_answer_that_is_not_heard_is_sent_again(view: LiveView) -> None:
    """If the question is still open after 3 s the answer is sent again, the form says so, and can be used again."""
    ask(view, question())
    view.tab.click(".lo-option")
    view.tab.wait("() => widget.model.sent.filter(({ kind }) => kind === 'answer').length > 1")
    view.tab.wait("() => !document.querySelector('.lo-option').disabled")
    assert view.texts("heard") == ["The kernel has not taken the answer yet; it is sent again."]
    assert sent(view, "answer")[:2] == [{"id": "q1", "option": 0}] * 2


def test_an_answer_is_not_sent_again_while_another_is_typed(view: LiveView) -> None:
    """Who begins to type takes back what was sent: the form waits for what comes."""
    ask(view, question())
    view.tab.click(".lo-option")
    view.tab.wait("() => !document.querySelector('.lo-answer').disabled")
    view.tab.call(lambda page: page.type(".lo-answer", "no"))
    before = sent(view, "answer")
    view.tab.wait("() => document.querySelector('.lo-heard').textContent === ''")
    ask(view, question(), question("q2"))
    assert sent(view, "answer") == before


def test_that_a_question_is_shown_is_said_until_it_is_heard(view: LiveView) -> None:
    """What Python has not heard of the page's showing a question is said again, at most once a second."""
    deadline = time.monotonic() + GRACE_S
    while len(said := sent(view, "asked")) < 2:
        assert time.monotonic() < deadline
        ask(view, question(heard=False))
    assert said == [{"ids": ["q1"]}] * 2
    ask(view, question())
    ask(view, question())
    assert sent(view, "asked") == said


def test_it_says_where_else_it_is_asked(view: LiveView) -> None:
    """While the cell asks by `input()` the form says so."""
    ask(view, question(keyboard=True))
    assert view.texts("heard") == ["The cell asks for it in a box of its own, too."]
    ask(view, question())
    assert view.text("heard") == ""


def test_what_cannot_be_heard_cannot_be_clicked(view: LiveView) -> None:
    """While the cell asks by `input()`, and the kernel has heard no page, the form says where to answer."""
    ask(view, question(keyboard=True, heard=False))
    assert view.text("heard").startswith("Answer in the box of the cell")
    disabled = (
        "() => [...document.querySelectorAll('.lo-ask :is(button, textarea)')].map((one) => one.disabled)"
    )
    assert view.tab.evaluate(disabled) == [True] * 4
    ask(view, question(keyboard=True))
    assert view.tab.evaluate(disabled) == [False] * 4


def test_a_form_that_has_long_heard_nothing_says_so(view: LiveView) -> None:
    """Where the kernel, which may have been restarted, has said nothing for 8 s, the form says so."""
    ask(view, question())
    assert view.text("heard") == ""
    view.tab.evaluate("() => { const now = performance.now(); performance.now = () => now + 9_000 }")
    view.tab.wait(
        "() => document.querySelector('.lo-heard').textContent === 'Nothing is heard from the kernel.'"
    )
    view.tab.evaluate("() => delete performance.now")


def test_an_answer_may_have_lines(view: LiveView) -> None:
    """Shift+Enter makes another line, and does not reach the notebook, which would run the cell."""
    ask(view, question())
    view.tab.evaluate(
        "() => { window.heard = []; document.addEventListener('keydown', (event) => heard.push(event.key)) }"
    )
    low = view.tab.evaluate("() => document.querySelector('.lo-answer').clientHeight")
    view.tab.click(".lo-answer")
    view.press("a", "Shift+Enter", "b")
    assert view.tab.evaluate("() => document.querySelector('.lo-answer').clientHeight") > low
    view.press("Enter")
    assert sent(view, "answer") == [{"id": "q1", "text": "a\nb"}]
    assert view.tab.evaluate("() => heard.filter((key) => key === 'Enter')") == []


def type_half(view: LiveView) -> None:
    """Type an answer that is not sent."""
    view.tab.click(".lo-answer")
    view.tab.call(lambda page: page.fill(".lo-answer", "half an ans"))


def test_who_was_typing_hears_what_was_answered(view: LiveView) -> None:
    """Answered elsewhere meanwhile, the form keeps what was typed and the focus, and says the answer, until closed."""
    asked = row(1, event_type="agent.interrupt", phase="start", span="q1", preview="Deploy?")
    view.deliver([asked], questions=[question(), question("q2")], now=NOW)
    type_half(view)
    said = "Deploy? → yes (input)"
    ended = row(2, event_type="agent.interrupt.completed", phase="end", span="q1", preview=said)
    view.deliver([ended], questions=[], now=NOW)
    assert view.texts("heard") == ["Over: Deploy? → yes (input)"]
    assert view.texts("ask button") == ["Close"]
    typed = "() => [document.activeElement.className, document.activeElement.value, document.activeElement.disabled]"
    assert view.tab.evaluate(typed) == ["lo-answer", "half an ans", False]
    view.press("Enter")
    assert sent(view, "answer") == []
    view.tab.click(".lo-ask .lo-send")
    view.drawn()
    assert view.texts("ask") == []


@pytest.mark.parametrize(
    "later, why", [(0, "answered elsewhere, or no longer asked"), (66_000, "time was over")]
)
def test_who_was_typing_hears_why_it_is_over(view: LiveView, later: int, why: str) -> None:
    """Where the page has not got the answer the form says whether the time was over."""
    ask(view, question())
    type_half(view)
    view.deliver([], questions=[], now=NOW + later)
    assert view.texts("heard") == [f"Over: {why}"]
    assert view.texts("left") == []


@pytest.mark.parametrize("how", ["typing", "sent"])
def test_what_is_typed_outlasts_the_kernel(view: LiveView, how: str) -> None:
    """Where the kernel goes, what somebody was typing, or sent in vain, stays to be copied, with the word why."""
    ask(view, question())
    type_half(view)
    view.tab.evaluate("() => { widget.model.dead = true }")
    if how == "sent":
        view.press("Enter")
    else:
        # Whatever else is said finds out.
        view.deliver([row(1)], questions=[question()], now=NOW)
    view.tab.wait("() => document.querySelector('.lo-ask')?.dataset.state === 'over'")
    assert view.texts("heard") == ["Nobody hears it: the kernel cannot be reached"]
    assert view.texts("ask button") == ["Close"]
    typed = "() => [document.querySelector('.lo-answer')].map(({ value, disabled }) => [value, disabled])"
    assert view.tab.evaluate(typed) == [["half an ans", False]]


def test_what_is_typed_outlasts_a_failed_view(view: LiveView) -> None:
    """Where the view has failed what was typed stays; asked again, the form that can be sent holds it."""
    ask(view, question())
    type_half(view)
    view.deliver([], questions=[question()], now=NOW, status="failed")
    assert view.texts("heard") == ["Nobody hears it: this view has failed"]
    ask(view, question())
    assert view.texts("ask button") == ["yes", "no default", "Send"]
    focused = "() => [document.activeElement.className, document.activeElement.value]"
    assert view.tab.evaluate(focused) == ["lo-answer", "half an ans"]
    view.press("Enter")
    assert sent(view, "answer") == [{"id": "q1", "text": "half an ans"}]


def test_all_runs_say_whose_question_it_is(chromium_page: Tab) -> None:
    """In a view of all runs the name of the run stands before the question."""
    view = LiveView(chromium_page)
    view.show()
    view.deliver(
        [row(1)], [tally("run-A", name="trip")], questions=[question(), question("q2", run="")], now=NOW
    )
    assert view.texts("asker") == ["trip"]


def test_a_view_that_is_cut_off_asks_nothing(view: LiveView) -> None:
    """Where the kernel is gone, or the view has failed, there is no form."""
    ask(view, question())
    view.deliver([], questions=[question()], now=NOW, status="failed")
    assert view.texts("ask") == []
    ask(view, question())
    assert len(view.texts("ask")) == 1
    view.tab.evaluate(
        "async () => { widget.model.dead = true; document.querySelector('.lo-option').click(); await drawn() }"
    )
    assert view.texts("ask") == []


def test_hostile_questions_stay_text(view: LiveView) -> None:
    """Whatever a model asks and proposes is text: it makes no element and runs nothing."""
    view.deliver(
        [],
        questions=[
            question(str(at), text=f"harmless {at}", options=["a"], default="b") for at in range(len(HOSTILE))
        ],
        now=NOW,
    )
    counted = "() => document.querySelectorAll('.lo-asks *').length"
    harmless = view.tab.evaluate(counted)
    ask(view)
    hostile = [
        question(str(at), text=text, options=[text], default=f"{text} ") for at, text in enumerate(HOSTILE)
    ]
    view.deliver([], questions=hostile, now=NOW)
    assert view.tab.evaluate(counted) == harmless
    assert view.texts("asked")[0] == HOSTILE[0]
    assert "\u202e" not in "".join(view.texts("ask"))
    assert view.tab.evaluate("() => window.struck") is None


@pytest.mark.parametrize(
    "broken",
    [
        None,
        "q",
        {},
        [],
        question(text=None),
        question(options="yes"),
        question(options=[1]),
        question(ends=None),
        question(default=3),
        question() | {"id": 3},
        question(run=None),
    ],
    ids=lambda broken: json.dumps(broken)[:40],
)
def test_what_is_no_question_is_left_out(view: LiveView, broken: Any) -> None:
    """A question that cannot be read costs neither the others nor the rows."""
    view.deliver([row(1)], questions=[broken, question("fine")], now=NOW)
    assert len(view.texts("ask")) == 1
    assert view.seqs() == [1]
    view.deliver([row(2)], questions=broken, now=NOW)
    assert view.seqs() == [1, 2]


def test_a_long_option_is_cut_in_sight(view: LiveView) -> None:
    """An option longer than the view is cut, with all of it in its title; nothing is wider than the view."""
    ask(view, question(options=["word " * 39], text="long " * 200))
    sizes = view.tab.evaluate(
        """() => {
            const width = document.querySelector('.locus-live').clientWidth;
            return [...document.querySelectorAll('.lo-ask, .lo-ask *')]
                .every((one) => one.getBoundingClientRect().right <= width + 10);
        }"""
    )
    assert sizes
    assert view.tab.evaluate("() => document.querySelector('.lo-option').title.length") == 194


def test_a_question_is_called_by_its_whole_type(chromium_page: Tab) -> None:
    """On the timeline and in the tree a question has the name of its event type, as its answer has."""
    titles = chromium_page.evaluate(
        """async () => {
            const { titleOf } = await import("/page/times.js");
            const span = (type, phase) => titleOf({ type, phase, name: null, agent: null, family: "other" });
            return [span("agent.interrupt", "start"), span("agent.interrupt.completed", "end")];
        }"""
    )
    assert titles == ["agent.interrupt", "agent.interrupt"]
