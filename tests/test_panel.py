"""Where a view shows questions: which ones, what of them, and which answers of its page count."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from queue import Queue
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from locus_nb import (
    Agent,
    EventBus,
    ModelReply,
    Question,
    ToolCall,
    UnansweredError,
    ask_user,
    get_event_bus,
    on_question,
    propagate,
    run_context,
    watch,
)
from locus_nb._ask.inquiry import Inquiry
from locus_nb._ask.patience import LONG_S, SHORT_S, USUAL_S, Patience
from locus_nb._ask.questions import QUESTIONS
from locus_nb._views.panel import Panel
from locus_nb.testing import ScriptedModel
from tests.bus_kit import GRACE_S, in_threads

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

SECRET = "sk-ant-api03-" + "a1B2" * 20


class Desk:
    """A panel of a view that a test puts on a page, or takes away."""

    def __init__(self, run_id: str | None = "r", bus: EventBus | None = None) -> None:
        self.on_page = self.seen = True
        self.panel = Panel(
            bus or get_event_bus(), run_id, is_on_page=lambda: self.on_page, was_seen=lambda: self.seen
        )

    def ids(self) -> list[str]:
        """The ids of the questions that its page is told of."""
        return [told["id"] for told in self.panel.told()]


@pytest.fixture
def inquiry() -> Iterator[Inquiry]:
    """A question of run r that is open during the test."""
    with run_context("r"):
        inquiry = made()
    with QUESTIONS.asking(inquiry):
        yield inquiry
    assert QUESTIONS._open == {}


def made(text: str = "Deploy?", *options: str, strict: bool = False) -> Inquiry:
    """A question that nobody has asked yet."""
    return Inquiry(text, options or ("yes", "no"), default="no", timeout=60.0, strict=strict)


def test_the_page_is_told_all_that_it_shows(inquiry: Inquiry) -> None:
    """Text, options, default, whether other words count, until when, and whether the cell asks too."""
    (told,) = Desk().panel.told()
    assert told == {
        "id": inquiry.id,
        "run": "r",
        "text": "Deploy?",
        "options": ["yes", "no"],
        "default": "no",
        "free": True,
        "ends": inquiry.ends_at * 1_000,
        "keyboard": False,
        "heard": False,
    }
    inquiry.at_keyboard = True
    assert Desk().panel.told()[0]["keyboard"] is True


def test_a_view_shows_the_questions_of_its_run(inquiry: Inquiry) -> None:
    """A view of one run shows its own, one of all runs all, and one of another bus none."""
    assert Desk("r").ids() == Desk(None).ids() == [inquiry.id]
    assert Desk("other").ids() == []
    assert Desk("r", EventBus()).ids() == []


def test_a_view_that_is_on_no_page_shows_none(inquiry: Inquiry) -> None:
    """Not put on a page, or frozen, a view shows no question, and is no place to answer one."""
    desk = Desk()
    desk.on_page = False
    assert desk.ids() == []
    assert desk.panel.hear({"kind": "answer", "id": inquiry.id, "option": 0})
    assert inquiry.is_open


def test_secrets_are_hidden_and_long_texts_cut() -> None:
    """What leaves the process holds no secret, and no more than a page has room for."""
    long = made(f"Use {SECRET}? " + "q" * 5_000, f"key {SECRET}", "o" * 300)
    with QUESTIONS.asking(long):
        (told,) = Desk(None).panel.told()
    assert told["text"].startswith("Use [redacted: Anthropic key]? qqq")
    assert told["options"][0] == "key [redacted: Anthropic key]"
    assert [len(told["text"]), len(told["options"][1])] == [5_031, 200]
    assert SECRET not in str(told)


def test_an_option_is_answered_by_its_number() -> None:
    """The answer is the option as it is, also where the page was shown it cut or without its secret."""
    secret = made("Which?", f"key {SECRET}")
    with QUESTIONS.asking(secret):
        assert not Desk(None).panel.hear({"kind": "answer", "id": secret.id, "option": 0})
        assert secret.outcome.result() == (f"key {SECRET}", "view", None, "answered")


def test_options_that_read_alike_are_numbered() -> None:
    """Two secrets of one kind can be told apart, and the default is still marked."""
    other = SECRET.replace("1", "2")
    with run_context("r"):
        alike = Inquiry("Which?", (SECRET, "none", other), default=other, timeout=60.0, strict=True)
    with QUESTIONS.asking(alike):
        (told,) = Desk().panel.told()
        key = "[redacted: Anthropic key]"
        assert told["options"] == [f"{key} (1)", "none", f"{key} (2)"]
        assert told["default"] == f"{key} (2)"
        Desk().panel.hear({"kind": "answer", "id": alike.id, "option": 2})
        assert alike.outcome.result().answer == other


def test_two_questions_of_one_agent_are_answered_in_the_view() -> None:
    """Both questions of one reply stand in the view at once, and each is answered by what was said of it."""
    asks = tuple(ToolCall("ask_user", {"question": f"{name}?"}, id=name) for name in ("first", "second"))
    agent = Agent(ScriptedModel([ModelReply("", tool_calls=asks), "done"]), tools=[ask_user])
    desk = Desk()
    with run_context("r"), on_both() as both, ThreadPoolExecutor(1) as pool:
        running = pool.submit(propagate(agent.run_sync), "Ask")
        assert both.wait(GRACE_S)
        told = desk.panel.told()
        assert sorted(one["text"] for one in told) == ["first?", "second?"]
        for one in told:
            desk.panel.hear({"kind": "answer", "id": one["id"], "text": f"to {one['text']}"})
        assert [use.output for use in running.result(GRACE_S).tool_calls] == ["to first?", "to second?"]


@contextmanager
def on_both() -> Generator[threading.Event]:
    """Set when two questions have been asked."""
    both = threading.Event()
    asked: list[Question] = []

    def count(question: Question) -> None:
        asked.append(question)
        if len(asked) == 2:
            both.set()

    with on_question(count):
        yield both


def test_a_form_that_cannot_be_heard_says_so(inquiry: Inquiry) -> None:
    """While `input()` asks, a page is told whether the kernel hears it; at once when it does."""
    desk = Desk()
    inquiry.at_keyboard = True
    (told,) = desk.panel.told()
    assert (told["keyboard"], told["heard"]) == (True, False)
    desk.panel.hear({"kind": "asked", "ids": [inquiry.id]})
    assert desk.panel.told()[0]["heard"] is True


def test_a_page_that_names_too_many_is_not_read_to_the_end(inquiry: Inquiry) -> None:
    """Of the ids that a page says the first 1,000 count: no page shows more."""
    Desk().panel.hear({"kind": "asked", "ids": ["another"] * 1_000 + [inquiry.id]})
    assert not inquiry.shown


def test_words_answer(inquiry: Inquiry) -> None:
    """What was typed in the page is the answer."""
    assert not Desk().panel.hear({"kind": "answer", "id": inquiry.id, "text": "only staging"})
    assert inquiry.outcome.result() == ("only staging", "view", None, "answered")


@pytest.mark.parametrize(
    "said",
    [
        {"option": 2},
        {"option": -1},
        {"option": True},
        {"option": "yes"},
        {"option": 0, "text": "yes"},
        {"text": ""},
        {"text": " "},
        {"text": 3},
        {"text": "x" * 10_001},
        {"text": None},
        {"text": "yes\x00"},
        {"text": "\ud800"},
        {"id": "another", "option": 0},
        {"id": 3, "option": 0},
        {"id": None, "option": 0},
        {"kind": "view", "option": 0},
        {"kind": "answers", "option": 0},
    ],
    ids=str,
)
def test_what_is_no_answer_has_no_effect(inquiry: Inquiry, said: dict[str, Any]) -> None:
    """A page is not trusted: what is malformed, or answers something else, leaves the question open."""
    Desk().panel.hear({"kind": "answer", "id": inquiry.id} | said)
    assert inquiry.is_open


def test_other_words_are_refused_where_the_question_is_strict() -> None:
    """A page that sends what its form does not offer is told anew how things stand."""
    strict = made(strict=True)
    with QUESTIONS.asking(strict):
        assert Desk(None).panel.hear({"kind": "answer", "id": strict.id, "text": "maybe"})
        assert strict.is_open


def test_a_late_answer_is_told_so(inquiry: Inquiry) -> None:
    """The first answer counts; a page that answers after it is to be told how things stand."""
    first, second = Desk(), Desk(None)
    answer = {"kind": "answer", "id": inquiry.id}
    assert not first.panel.hear(answer | {"option": 0})
    assert second.panel.hear(answer | {"option": 1})
    assert inquiry.outcome.result().answer == "yes"
    assert first.ids() == second.ids() == []


def test_of_many_pages_one_answers(inquiry: Inquiry) -> None:
    """Of pages that answer at once one is taken, and all others are told."""
    desks = [Desk() for _ in range(8)]

    def answer(number: int) -> None:
        refused.append(desks[number].panel.hear({"kind": "answer", "id": inquiry.id, "option": number % 2}))

    refused: list[bool] = []
    in_threads(*(partial(answer, number) for number in range(8)))
    assert sorted(refused) == [False] + [True] * 7


@pytest.mark.parametrize("ids", [None, "q", [3, None, {}], ["another"]])
def test_a_page_says_which_questions_it_shows(inquiry: Inquiry, ids: Any) -> None:
    """A question is known to be shown when a page says so, whatever else it says."""
    Desk().panel.hear({"kind": "asked", "ids": ids})
    assert not inquiry.shown
    Desk("other").panel.hear({"kind": "asked", "ids": [inquiry.id]})
    assert not inquiry.shown
    Desk().panel.hear({"kind": "asked", "ids": ["another", inquiry.id]})
    assert inquiry.shown
    assert inquiry.heard.done()


def test_a_forgotten_view_is_no_place_to_ask() -> None:
    """A view ends with its last reference, also while a question is open."""
    view = watch("r")
    assert view.model_id
    with run_context("r"):
        asked = made()
    with QUESTIONS.asking(asked):
        assert len(QUESTIONS.panels_of(asked)) == 1
        view.close()
        assert QUESTIONS.panels_of(asked) == []


@pytest.mark.parametrize("run_id", ["r", None])
def test_a_page_answers_through_a_view(run_id: str | None) -> None:
    """A view tells its page of a question, hears that it is shown, and gives the answer to whoever asks."""
    view = watch(run_id)
    assert view.model_id
    messages: Queue[dict[str, Any]] = Queue()
    cast("Any", view).send = lambda content, _buffers: messages.put(content)
    view._hear({"kind": "hello", "last_seq": 0})

    def next_questions(count: int) -> list[dict[str, Any]]:
        while len(told := messages.get(timeout=GRACE_S)["questions"]) != count:
            pass
        return told

    def ask() -> str:
        with run_context("r"):
            return ask_user("Deploy?", ["yes", "no"], timeout=GRACE_S)

    with view, ThreadPoolExecutor(1) as pool:
        answer = pool.submit(ask)
        (told,) = next_questions(1)
        view._hear({"kind": "asked", "ids": [told["id"]]})
        view._hear({"kind": "answer", "id": told["id"], "option": 0})
        assert answer.result(GRACE_S) == "yes"
        next_questions(0)
        # Another page answers too late: it is told how things stand, without any news.
        view._hear({"kind": "answer", "id": told["id"], "option": 1})
        next_questions(0)
        picture = view.picture()
    for text in picture.values():
        assert "Deploy? → yes (view)" in text


def test_the_picture_says_what_is_asked() -> None:
    """A picture of a run that waits for the user says the question, and that it is not over."""
    with run_context("r"):
        asked = made()
    with QUESTIONS.asking(asked), watch("r") as view:
        view.freeze()
        picture = view.picture()
    assert "Deploy? [yes / no]" in picture["text/plain"]
    assert "Deploy? [yes / no]" in picture["text/html"]
    assert "<button" not in picture["text/html"]


def test_a_view_that_no_page_shows_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no page says in time that it shows the question, nobody can be asked."""
    monkeypatch.setattr(QUESTIONS.patience, "_usual", 0.01)
    view = watch("r")
    assert view.model_id
    with view, run_context("r"), ThreadPoolExecutor(1) as pool:
        asked = pool.submit(propagate(ask_user), "Deploy?")
        with pytest.raises(UnansweredError, match="no page has said that it shows the question"):
            asked.result(GRACE_S)


def test_a_page_that_was_there_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that has shown the run before may come back to the question until its timeout."""
    monkeypatch.setattr(QUESTIONS.patience, "_usual", 0.01)
    view = watch("r")
    assert view.model_id
    view._hear({"kind": "hello", "last_seq": 0})
    while not view.was_seen:
        view._sink.tick()
    with view, run_context("r"), pytest.raises(UnansweredError, match=r"nobody answered within 0\.1 s"):
        ask_user("Deploy?", timeout=0.1)


def test_a_page_that_loads_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the kernel gets a subshell meanwhile the page that had it made is given the time that takes."""
    looks: list[float] = []
    looked_again = threading.Event()

    def seconds(_: Patience) -> float:
        # Once that is over it is more.
        looks.append(GRACE_S if looks else 0.01)
        if len(looks) > 1:
            looked_again.set()
        return looks[-1]

    def load_page() -> None:
        while not (questions := told.get(timeout=GRACE_S)["questions"]):
            pass
        assert looked_again.wait(GRACE_S)
        view._hear({"kind": "asked", "ids": [questions[0]["id"]]})
        view._hear({"kind": "answer", "id": questions[0]["id"], "option": 0})

    monkeypatch.setattr(Patience, "seconds", property(seconds))
    view = watch("r")
    assert view.model_id
    told: Queue[dict[str, Any]] = Queue()
    cast("Any", view).send = lambda content, _buffers: told.put(content)
    with view, run_context("r"), ThreadPoolExecutor(1) as pool:
        loading = pool.submit(load_page)
        assert ask_user("Deploy?", ["yes", "no"], timeout=GRACE_S) == "yes"
        loading.result(GRACE_S)


def test_of_a_question_that_was_taken_back_nothing_is_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answered before any page has said that it shows it, a question tells nothing of how long pages take."""
    monkeypatch.setattr(QUESTIONS.patience, "_usual", SHORT_S)
    view = watch("r")
    assert view.model_id

    def answer() -> None:
        while not QUESTIONS._open:
            pass
        (asked,) = QUESTIONS._open.values()
        asked.settle("yes", "code")

    with view, run_context("r"), ThreadPoolExecutor(1) as pool:
        answering = pool.submit(answer)
        assert ask_user("Deploy?") == "yes"
        answering.result(GRACE_S)
    assert QUESTIONS.patience._usual == SHORT_S


def test_of_a_short_question_nothing_is_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    """A question whose own time was over first tells nothing of pages: the next one has the usual patience."""
    monkeypatch.setattr(QUESTIONS.patience, "_usual", USUAL_S)
    view = watch("r")
    assert view.model_id
    with view, run_context("r"):
        assert ask_user("Deploy?", default="no", timeout=0.01) == "no"
    assert QUESTIONS.patience._usual == USUAL_S


def test_patience_learns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no page was heard the next one gets less time; where the kernel has subshells any gets more."""
    patience = Patience()
    seen = [patience.seconds]
    for heard in (False, True):
        patience.learn(heard=heard)
        seen.append(patience.seconds)
    assert seen == [USUAL_S, SHORT_S, USUAL_S]

    threads = [SimpleNamespace(name="MainThread"), SimpleNamespace(name="subshell-1")]
    monkeypatch.setattr("locus_nb._ask.patience.threading", SimpleNamespace(enumerate=lambda: threads))
    assert patience.seconds == LONG_S
