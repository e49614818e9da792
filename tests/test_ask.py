"""Questions to the user: who answers, what is told of it, and that nothing waits for ever."""

from __future__ import annotations

import asyncio
import builtins
import contextlib
import inspect
import io
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, cast

import pytest

from locus_nb import (
    Agent,
    ModelReply,
    Question,
    ToolCall,
    UnansweredError,
    ask_user,
    current_run_id,
    emit_sync,
    events_df,
    get_event_bus,
    on_question,
    propagate,
    run,
    run_context,
    tool,
)
from locus_nb._agent import main_thread
from locus_nb._ask.inquiry import Inquiry
from locus_nb._ask.questions import QUESTIONS
from locus_nb.testing import ScriptedModel
from tests.bus_kit import GRACE_S, in_threads

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator, Iterator, Mapping

    from locus_nb import Tool


SECRET = "sk-proj-" + "a1B2c3D4" * 6


@pytest.fixture(autouse=True)
def nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No terminal answers, and no test leaves a question open, or a thread that could be handed something."""
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    yield
    assert QUESTIONS._open == {}
    assert main_thread._takers == []


@contextlib.contextmanager
def answered_yes() -> Generator[list[Question]]:
    """Have each question answered by yes meanwhile; gives them."""
    heard: list[Question] = []

    def answer(question: Question) -> None:
        heard.append(question)
        question.answer("yes")

    with on_question(answer):
        yield heard


def told(run_id: str) -> list[Mapping[str, Any]]:
    """What the bus was told of the end of each question of a run."""
    return [
        event.data
        for event in get_event_bus().history(run_id)
        if event.event_type == "agent.interrupt.completed"
    ]


def types(run_id: str) -> list[str]:
    """The event types of a run."""
    return [event.event_type for event in get_event_bus().history(run_id)]


class Asynchronous:
    """What can only be awaited."""

    async def answer(self, question: Question) -> None:
        """Answer, if it were awaited."""
        question.answer("yes")

    async def __call__(self, question: Question) -> None:
        """Do the same."""
        question.answer("yes")


def asking_agent(*questions: dict[str, Any], **how: Any) -> Agent:
    """An agent whose model asks these, one after the other, and then says what it was told last."""
    calls = [ToolCall("ask_user", question) for question in questions]
    return Agent(ScriptedModel([*calls, "done"]), tools=[ask_user.with_(**how)])


def test_code_answers() -> None:
    """A callback is given the question as it was asked, and what it answers is returned and told."""
    heard: list[tuple[Any, ...]] = []

    def answer(question: Question) -> None:
        heard.append((question.text, question.options, question.default, question.strict, question.run_id))
        assert question.is_open
        assert question.answer("blue")
        assert not question.is_open
        assert not question.answer("red")

    with on_question(answer), run_context("r"):
        assert ask_user("Which?", ["red", "blue"], default="red", timeout=60) == "blue"
    assert heard == [("Which?", ("red", "blue"), "red", False, "r")]
    asked, ended = get_event_bus().history("r")
    assert (asked.event_type, ended.event_type) == ("agent.interrupt", "agent.interrupt.completed")
    span = asked.data["span_id"]
    assert dict(asked.data) == {
        "interrupt_id": span,
        "question_preview": "Which?",
        "options": ["red", "blue"],
        "default": "red",
        "timeout_s": 60.0,
        "span_id": span,
        "parent_span_id": None,
    }
    assert dict(ended.data) | {"duration_ms": 0} == {
        "interrupt_id": span,
        "question_preview": "Which?",
        "answer_preview": "blue",
        "answered_by": "code",
        "stop_reason": "answered",
        "success": True,
        "duration_ms": 0,
        "error": None,
        "span_id": span,
    }


def test_outside_of_a_run_nothing_is_told() -> None:
    """A question outside of a run is asked and answered all the same."""
    with on_question(lambda question: question.answer("yes")):
        assert ask_user("Which?") == "yes"
    assert get_event_bus().run_ids() == ()


def test_previews_are_cut() -> None:
    """Of long texts the events hold the first 240 characters, and of many options the first 20."""
    with on_question(lambda question: question.answer("a" * 300)), run_context("r"):
        ask_user("q" * 300, ["o" * 300, *map(str, range(30))], default="d" * 300)
    asked, ended = get_event_bus().history("r")
    assert asked.data["question_preview"] == "q" * 240 == ended.data["question_preview"]
    assert [len(option) for option in asked.data["options"][:2]] == [240, 1]
    assert len(asked.data["options"]) == 20
    assert asked.data["default"] == "d" * 240
    assert ended.data["answer_preview"] == "a" * 240


@pytest.mark.parametrize("how", ["nobody", "late"])
def test_the_default_counts(how: str) -> None:
    """Where nobody can be asked, and where nobody answers in time, the default is the answer; the run says which."""
    with on_question(lambda _: None) if how == "late" else contextlib.nullcontext(), run_context("r"):
        seconds = 0.01 if how == "late" else GRACE_S
        assert ask_user("Which?", ["a"], default="none of them", timeout=seconds) == "none of them"
    why = "timeout" if how == "late" else how
    assert [
        (one["answered_by"], one["answer_preview"], one["success"], one["stop_reason"]) for one in told("r")
    ] == [("default", "none of them", True, why)]


@pytest.mark.parametrize(
    "how, why",
    [
        ("nobody", "nobody could be asked, because no page shows the run .* give a default"),
        ("late", r"nobody answered within 0\.01 s"),
    ],
)
def test_without_a_default_it_fails(how: str, why: str) -> None:
    """Without an answer and a default the error says why, and the bus is told that."""
    with (
        on_question(lambda _: None) if how == "late" else contextlib.nullcontext(),
        run_context("r"),
        pytest.raises(UnansweredError, match=rf"^ask_user\('Which\?'\) got no answer: {why}$") as caught,
    ):
        ask_user("Which?", timeout=0.01 if how == "late" else GRACE_S)
    (end,) = told("r")
    assert (end["success"], end["answered_by"], end["answer_preview"]) == (False, None, "")
    assert str(caught.value).endswith(end["error"])


def test_a_late_answer_has_no_effect() -> None:
    """Who answers a question that is over hears that it does not count."""
    kept: SimpleQueue[Question] = SimpleQueue()
    with on_question(kept.put), run_context("r"):
        assert ask_user("Which?", default="a", timeout=0.01) == "a"
    question = kept.get(timeout=GRACE_S)
    assert question.answer("b") is False
    assert question.seconds_left == 0
    assert len(told("r")) == 1


@pytest.mark.parametrize(
    "given, taken", [("YES", "yes"), (" no ", "no"), ("maybe", "maybe"), (" maybe ", " maybe ")]
)
def test_an_option_is_given_as_it_is(given: str, taken: str) -> None:
    """An option is returned as it was proposed, however it was typed; other words as they are."""
    with on_question(lambda question: question.answer(given)):
        assert ask_user("Deploy?", ["yes", "no"]) == taken


def test_each_option_can_be_chosen() -> None:
    """Of options that differ by a blank alone each is taken as it is."""
    options = ["yes", "yes ", " YES"]
    for option in options:
        with on_question(lambda question, option=option: question.answer(option)):
            assert ask_user("Which?", options, strict=True) == option


def test_options_and_defaults_are_as_long_as_answers() -> None:
    """What is proposed at its longest can be chosen, and told as the default."""
    longest = "x" * 10_000
    with on_question(lambda question: question.answer(longest)):
        assert ask_user("Which?", [longest], default=longest, strict=True) == longest


def test_of_options_that_differ_in_case_alone_none_is_guessed() -> None:
    """What could mean two options is taken as it was typed."""
    with on_question(lambda question: question.answer("YES")):
        assert ask_user("Which?", ["yes", "Yes"]) == "YES"


@pytest.mark.parametrize(
    "given, error",
    [("maybe", "'maybe' is none of the options: yes, no"), ("", "is empty"), (" ", "is empty")],
)
def test_a_strict_question_takes_options_alone(given: str, error: str) -> None:
    """Anything but an option is refused where that is asked for, and the question stays open."""

    def answer(question: Question) -> None:
        with pytest.raises(ValueError, match=error):
            question.answer(given)
        assert question.is_open
        question.answer("no")

    with on_question(answer):
        assert ask_user("Deploy?", ["yes", "no"], strict=True) == "no"


def test_what_is_refused_is_named_without_secrets() -> None:
    """The error of a wrong answer names a few of the options, each short, and none with a secret."""
    errors: list[str] = []
    options = [SECRET, "o" * 1_000, *(f"option {number}" for number in range(9))]

    def answer(question: Question) -> None:
        with pytest.raises(ValueError, match="none of the options") as caught:
            question.answer(f"no {SECRET}")
        errors.append(str(caught.value))
        question.answer(SECRET)

    with on_question(answer):
        assert ask_user("Which?", options, strict=True) == SECRET
    key, cut = "[redacted: OpenAI key]", "o" * 239 + "…"
    named = f"{key}, {cut}, option 0, option 1, option 2, and 6 more"
    assert errors == [f"'no {key}' is none of the options: {named}"]


def test_a_strict_question_takes_its_default() -> None:
    """The default is an answer also where it is no option; without options any text is."""
    with on_question(lambda question: question.answer("later")):
        assert ask_user("Deploy?", ["yes"], strict=True, default="later") == "later"
        assert ask_user("Deploy?", strict=True) == "later"


def test_an_answer_is_a_text_of_bounded_length() -> None:
    """What is no str, or longer than 10,000 characters, is refused."""

    def answer(question: Question) -> None:
        with pytest.raises(TypeError, match="is a str, not int"):
            question.answer(1)  # pyright: ignore[reportArgumentType]
        with pytest.raises(ValueError, match="at most 10,000 characters, not 10,001"):
            question.answer("x" * 10_001)
        question.answer("x" * 10_000)

    with on_question(answer):
        assert len(ask_user("Which?")) == 10_000


@pytest.mark.parametrize(
    "arguments, kind, error",
    [
        ({"question": 1}, TypeError, "the question as a str, not int"),
        ({"question": " "}, ValueError, "an empty question"),
        ({"question": "x" * 10_001}, ValueError, "takes 10,000 characters, not 10,001"),
        ({"options": "yes"}, TypeError, "a list of str, not str"),
        ({"options": 3}, TypeError, "a list of str, not int"),
        ({"options": ["yes", 3]}, TypeError, "it holds int"),
        ({"options": ["yes", ""]}, ValueError, "an empty option"),
        ({"options": map(str, range(101))}, ValueError, "100 options at the most, not 101"),
        ({"options": ["yes", "x" * 10_001]}, ValueError, r"\(options=.* 10,000 characters.* not 10,001"),
        ({"default": "x" * 10_001}, ValueError, r"\(default=.* 10,000 characters.* not 10,001"),
        ({"default": 3}, TypeError, "a str or None, not int"),
        ({"strict": "no"}, TypeError, "takes True or False, not str"),
        ({"timeout": "3"}, TypeError, "takes seconds, not str"),
        ({"timeout": True}, TypeError, "takes seconds, not bool"),
        ({"timeout": 0}, ValueError, "seconds above 0"),
        ({"timeout": float("nan")}, ValueError, "seconds above 0"),
        ({"timeout": float("inf")}, ValueError, "cannot be waited for"),
    ],
)
def test_wrong_arguments_are_refused(arguments: dict[str, Any], kind: type[Exception], error: str) -> None:
    """What cannot be asked is refused before anybody is, in words that say what to do."""
    with run_context("r"), pytest.raises(kind, match=error):
        ask_user(**{"question": "Which?", **arguments})
    assert types("r") == []


def test_options_are_asked_once() -> None:
    """An option that was given twice is proposed once."""
    with on_question(lambda question: question.answer(str(question.options))):
        assert ask_user("Which?", ["a", "b", "a"]) == "('a', 'b')"


def test_an_agent_asks() -> None:
    """A model's question is answered in its tool's result, within the span of the tool."""
    with on_question(lambda question: question.answer("Oslo")), run_context("r"):
        result = asking_agent({"question": "Where to?", "options": ["Oslo", "Rome"]}).run_sync("Book a trip")
    assert [(use.name, use.output) for use in result.tool_calls] == [("ask_user", "Oslo")]
    around = types("r")
    at = around.index("agent.interrupt")
    assert around[at - 1 : at + 3] == [
        "agent.tool.started",
        "agent.interrupt",
        "agent.interrupt.completed",
        "agent.tool.completed",
    ]


def test_a_model_says_question_and_options_alone() -> None:
    """Default, timeout and strictness are of whoever hands the tool out."""
    assert ask_user.name == "ask_user"
    assert sorted(ask_user.parameters["properties"]) == ["options", "question"]
    assert ask_user.parameters["required"] == ["question"]
    assert "the user" in ask_user.description
    with answered_yes() as heard:
        result = asking_agent(
            {"question": "Deploy?", "options": ["yes", "no"]}, default="no", timeout=60, strict=True
        ).run_sync("Deploy")
    assert result.tool_calls[0].output == "yes"
    assert [(one.default, one.timeout, one.strict) for one in heard] == [("no", 60, True)]


def test_a_model_hears_that_nobody_answered() -> None:
    """Without a default the model is told why there is no answer, and goes on."""
    result = asking_agent({"question": "Where to?"}).run_sync("Book")
    assert result.reason == "complete"
    assert (result.tool_calls[0].error or "").startswith(
        "UnansweredError: ask_user('Where to?') got no answer"
    )


def test_a_tool_keeps_its_own_name() -> None:
    """Under another name it is a tool that asks as well."""
    ask_boss = tool(name="ask_boss", description="Ask the boss.")(ask_user)
    model = ScriptedModel([ToolCall("ask_boss", {"question": "Raise?"}), "done"])
    with on_question(lambda question: question.answer("no")):
        result = Agent(model, tools=[ask_boss]).run_sync("Ask")
    assert result.tool_calls[0].output == "no"


def test_a_tool_of_ones_own_asks() -> None:
    """A function that is a tool may ask too, in the run of its agent."""

    @tool
    def deploy(where: str) -> str:
        return f"{where}: {ask_user(f'Deploy to {where}?', ['yes', 'no'])}"

    model = ScriptedModel([ToolCall("deploy", {"where": "staging"}), "done"])
    with on_question(lambda question: question.answer("yes")), run_context("r"):
        result = Agent(model, tools=[deploy]).run_sync("Deploy")
    assert result.tool_calls[0].output == "staging: yes"
    assert len(told("r")) == 1


def test_many_are_open_at_once() -> None:
    """Questions of several runs and threads wait side by side, and each gets its own answer."""
    everybody = threading.Barrier(8)
    asked: list[Question] = []

    def keep(question: Question) -> None:
        asked.append(question)
        if everybody.wait(GRACE_S) == 0:
            for one in reversed(asked):
                one.answer(f"to {one.text}")

    def ask(number: int) -> str:
        with run_context(f"r{number % 3}"):
            return ask_user(f"question {number}")

    with on_question(keep), ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(8))) == [f"to question {number}" for number in range(8)]
    assert sum(len(told(f"r{number}")) for number in range(3)) == 8


def test_the_first_answer_counts() -> None:
    """Of many who answer at once one is told that it is the answer, and that one is returned."""
    started = threading.Barrier(8)
    took: list[str] = []

    def answer(question: Question, text: str) -> None:
        started.wait(GRACE_S)
        if question.answer(text):
            took.append(text)

    with ThreadPoolExecutor(8) as pool:

        def all_answer(question: Question) -> None:
            for number in range(8):
                pool.submit(answer, question, str(number))

        with on_question(all_answer), run_context("r"):
            given = ask_user("Which?", timeout=GRACE_S)
    assert took == [given]
    assert len(told("r")) == 1


def fail(_: Question) -> None:
    """A callback that cannot answer."""
    raise ZeroDivisionError("by nothing")


def test_a_failing_callback_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    """What a callback raises is logged, and the question goes on to the others."""
    with on_question(fail), on_question(lambda question: question.answer("yes")):
        assert ask_user("Which?") == "yes"
    assert "on_question callback" in caplog.text


def test_if_all_callbacks_fail_others_are_asked(typed: Typed) -> None:
    """Where no callback is left that may answer the question is asked as without any."""
    typed.lines = ["this"]
    with on_question(fail), on_question(fail):
        assert ask_user("Which?") == "this"
    assert len(typed.prompts) == 1


def test_an_unanswered_question_names_what_failed() -> None:
    """If nobody answers the error says what a callback failed with, whether others were asked or the time was over."""
    failed = "; a callback of on_question failed: ZeroDivisionError: by nothing"
    with on_question(fail), pytest.raises(UnansweredError, match=f"nobody could be asked.*{failed}$"):
        ask_user("Which?")
    late = Inquiry("Which?", (), default=None, timeout=60, strict=False)
    late.failure = "ZeroDivisionError: by nothing"
    late.fall_back("timeout", "nobody answered within 60 s")
    assert late.outcome.result().error == f"nobody answered within 60 s{failed}"


def test_what_failed_is_named_without_its_secrets() -> None:
    """What a callback failed with is redacted before it is cut, in events and in the error."""

    def fail_by_url(_: object) -> None:
        raise ValueError("x" * 160 + " postgres://admin:hunter2secretXYZ@db.example.com/prod")

    with on_question(fail_by_url), run_context("r"), pytest.raises(UnansweredError) as caught:
        ask_user("Which?")
    (end,) = told("r")
    assert "hunter2" not in end["error"] + str(caught.value)


def test_callbacks_that_only_ask_have_an_end() -> None:
    """A question in answer to each question is asked as without callbacks, some deep."""
    asked: list[str] = []

    def relay(question: Question) -> None:
        asked.append(question.text)
        question.answer(ask_user(f"{question.text}?", default="nobody"))

    with on_question(relay):
        assert ask_user("Which") == "nobody"
    assert asked == [f"Which{'?' * n}" for n in range(10)]


def test_a_callback_that_hangs_is_left_to_itself() -> None:
    """One that waits does not keep a question open for longer than its timeout."""
    gate = threading.Event()
    with on_question(lambda _: gate.wait()):
        assert ask_user("Which?", default="this", timeout=0.01) == "this"
    gate.set()


def test_a_callback_is_called_in_a_context_like_that_of_who_asks() -> None:
    """In another thread it belongs to the run that asks; and it may ask a question of its own."""

    def answer(question: Question) -> None:
        threads.append(threading.current_thread())
        runs.append(current_run_id())
        question.answer("inner" if question.text == "Inner?" else ask_user("Inner?"))

    threads: list[threading.Thread] = []
    runs: list[str | None] = []
    with on_question(answer), run_context("r"):
        assert ask_user("Outer?") == "inner"
    assert runs == ["r", "r"]
    assert len({*threads, threading.current_thread()}) == 3


def test_a_callback_hears_questions_until_that_is_ended() -> None:
    """What `on_question` gives ends it once, called as well as left, and the callbacks of others stay."""
    heard: list[str] = []

    def keep(name: str) -> Callable[[Question], None]:
        def hear(question: Question) -> None:
            heard.append(name)
            question.answer(name)

        return hear

    with on_question(keep("outer")):
        end = on_question(keep("called"))
        with pytest.raises(ZeroDivisionError), on_question(keep("left")) as left:
            fail(cast("Any", None))
        ask_user("Which?")
        end()
        left()
        end()
        ask_user("Which?")
    assert ask_user("Which?", default="nobody") == "nobody"
    assert heard == ["outer", "called", "outer"]


@pytest.mark.parametrize(
    "callback, error",
    [
        (3, "a function that is given each question, not int"),
        (None, "not NoneType"),
        (Asynchronous.answer, "not a coroutine function"),
        (Asynchronous().answer, "not a coroutine function"),
        (Asynchronous(), "not a coroutine function"),
        (partial(Asynchronous().answer), "not a coroutine function"),
    ],
    ids=["int", "None", "function", "method", "object", "partial"],
)
def test_what_can_never_answer_is_refused(callback: Any, error: str) -> None:
    """`on_question` takes no coroutine function, which nobody would await, and nothing that cannot be called."""
    with pytest.raises(TypeError, match=error):
        on_question(callback)


def test_a_callback_that_gives_a_coroutine_has_failed() -> None:
    """What only turns out to be a coroutine when it is called cannot answer."""
    with (
        on_question(lambda question: Asynchronous().answer(question)),
        pytest.raises(UnansweredError, match="it returned a coroutine, which nobody awaits"),
    ):
        ask_user("Which?")


def test_a_question_shows_nobody_its_inside() -> None:
    """What a callback is given can be read and answered, and nothing else; what it is shown as holds no secret."""
    with answered_yes() as kept:
        ask_user(f"Use {SECRET}?")
    assert sorted(name for name in dir(kept[0]) if not name.startswith("_")) == [
        *(
            "answer",
            "default",
            "ends_at",
            "id",
            "is_open",
            "options",
            "run_id",
            "seconds_left",
            "strict",
            "text",
        ),
        "timeout",
    ]
    assert repr(kept[0]) == "<Question 'Use [redacted: OpenAI key]?'>"


def test_an_error_holds_no_secret() -> None:
    """An error may be kept in a notebook, so the question in it has its secrets taken out."""
    with pytest.raises(UnansweredError, match=r"^ask_user\('Use \[redacted: OpenAI key\]\?'\) got no answer"):
        ask_user(f"Use {SECRET}?")


def test_it_says_what_it_is_called_with() -> None:
    """The signature has what a caller may say, and the tool keeps what a model may."""
    assert list(inspect.signature(ask_user).parameters) == [
        "question",
        "options",
        "default",
        "timeout",
        "strict",
    ]
    assert sorted(ask_user.parameters["properties"]) == ["options", "question"]


def test_a_tool_keeps_what_it_is_not_given_anew() -> None:
    """`with_` changes what it is given alone, and a call can do without a default that the tool has."""
    tool = ask_user.with_(default="no", strict=True).with_(timeout=60)
    with answered_yes() as heard:
        tool("Deploy?", ["yes"])
        tool("Deploy?", ["yes"], default=None, strict=False)
        tool.with_(default=None)("Deploy?", ["yes"])
    assert [(one.default, one.timeout, one.strict) for one in heard] == [
        ("no", 60, True),
        (None, 60, False),
        (None, 60, True),
    ]


def test_a_question_belongs_to_the_tool_that_asks() -> None:
    """The span of a question has that of its tool as its parent; outside of a tool it has none."""

    @tool
    def deploy() -> str:
        return ask_user("Deploy?")

    @tool
    def delegate() -> str:
        ask_user("Delegate?")
        return (
            Agent(ScriptedModel([ToolCall("deploy", {}), "done"]), tools=[deploy]).run_sync("Deploy").message
        )

    agent = Agent(ScriptedModel([ToolCall("delegate", {}), "done"]), tools=[delegate])
    with on_question(lambda question: question.answer("yes")), run("r") as made:
        ask_user("Begin?")
        agent.run_sync("Go")
    spans = made.spans_df()
    names = dict(zip(spans["span_id"], spans["name"], strict=True))
    asked = spans[spans["name"] == "agent.interrupt"]
    assert [names.get(parent) for parent in asked["parent_id"]] == [None, "delegate", "deploy"]


def test_a_question_that_was_taken_back_is_interrupted() -> None:
    """In the frames a question whose agent was cancelled is interrupted, as the agent is."""
    cancelled_while_asking(partial(asking_agent({"question": "Where to?"}).arun, "Book"))
    events = events_df("r")
    last = events[events["event_type"].isin(["agent.interrupt.completed", "agent.terminate"])]
    assert list(last["status"]) == ["interrupted", "interrupted"]


def cancelled_while_asking(asks: Callable[[], Coroutine[Any, Any, Any]]) -> Question:
    """Run something in the run `r` until it has asked, cancel it, wait for its end, and give its question."""

    async def main() -> Question:
        kept: list[Question] = []
        asked = asyncio.Event()
        loop = asyncio.get_running_loop()

        def keep(question: Question) -> None:
            kept.append(question)
            loop.call_soon_threadsafe(asked.set)

        with on_question(keep), run_context("r"):
            running = asyncio.create_task(asks())
            await asked.wait()
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
            assert not kept[0].is_open
        return kept[0]

    return asyncio.run(main())


def test_a_tool_that_was_left_asks_nobody() -> None:
    """What a tool asks after its agent was cancelled is told to nobody, and fails at once."""
    failed: list[str] = []

    async def main() -> None:
        begun, left, over = asyncio.Event(), threading.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()

        @tool
        def book() -> str:
            loop.call_soon_threadsafe(begun.set)
            left.wait(GRACE_S)
            try:
                return ask_user("Where to?", default="home")
            except UnansweredError as error:
                failed.append(str(error))
                raise
            finally:
                loop.call_soon_threadsafe(over.set)

        agent = Agent(ScriptedModel([ToolCall("book", {}), "done"]), tools=[book])
        running = asyncio.create_task(agent.arun("Book"))
        await begun.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        left.set()
        await over.wait()

    with answered_yes() as heard, run_context("r"):
        asyncio.run(main())
    assert failed == ["ask_user('Where to?') got no answer: interrupted"]
    assert heard == []
    assert [each for each in types("r") if each.startswith("agent.interrupt")] == []


@pytest.mark.parametrize("where", ["in another thread", "in the same thread"])
def test_a_question_that_ends_while_it_is_told_of_is_told_of_first(
    monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Taken back at that moment, by the loop or by garbage collection, its end comes after it, and it is over."""
    with run_context("r"):
        inquiry = Inquiry("Which?", (), default=None, timeout=GRACE_S, strict=False)

    def take_back(event_type: str, **data: object) -> None:
        if event_type == "agent.interrupt":
            if where == "in the same thread":
                inquiry.withdraw()
            else:
                in_threads(inquiry.withdraw)
        emit_sync(event_type, **data)

    monkeypatch.setattr("locus_nb._ask.inquiry.emit_sync", take_back)
    with QUESTIONS.asking(inquiry):
        assert not inquiry.is_open
    assert types("r") == ["agent.interrupt", "agent.interrupt.completed"]
    assert inquiry.outcome.result(0).error == "interrupted"


def delegating(delegate: Tool[..., Any]) -> Agent:
    """An agent that calls this tool with a question."""
    return Agent(ScriptedModel([ToolCall("delegate", {"task": "Where to?"}), "done"]), tools=[delegate])


def test_a_cancelled_agent_takes_its_question_back() -> None:
    """Cancelled meanwhile, the question is over before the agent is, and no answer counts any more."""
    question = cancelled_while_asking(
        partial(asking_agent({"question": "Where to?"}, default="home").arun, "Book")
    )
    assert not question.answer("Oslo")
    assert types("r")[-3:] == ["agent.interrupt.completed", "agent.tool.completed", "agent.terminate"]
    assert [(one["success"], one["error"]) for one in told("r")] == [(False, "interrupted")]


def test_a_cancelled_agent_takes_back_what_an_inner_one_asks() -> None:
    """An agent that is a tool of a cancelled one has its question taken back too."""

    @tool
    def delegate(task: str) -> str:
        return asking_agent({"question": task}).run_sync(task).message

    question = cancelled_while_asking(partial(delegating(delegate).arun, "Book"))
    assert not question.is_open
    assert [one["error"] for one in told("r")] == ["interrupted"]


def test_a_cancelled_async_tool_takes_its_question_back() -> None:
    """A question that an async tool asks in a thread is over when its agent is cancelled."""

    @tool
    async def delegate(task: str) -> str:
        return await asyncio.to_thread(ask_user, task)

    assert not cancelled_while_asking(partial(delegating(delegate).arun, "Book")).is_open


@pytest.mark.parametrize("how", ["ask", "to_thread"])
def test_a_coroutine_asks(how: str) -> None:
    """In a coroutine a question waits beside the loop, and keeps the run."""

    async def main() -> list[str]:
        asks = ask_user.ask if how == "ask" else partial(asyncio.to_thread, ask_user)
        with run_context("r"):
            return await asyncio.gather(*(asks(f"{number}?") for number in range(3)))

    with on_question(lambda question: question.answer(question.text)):
        assert asyncio.run(main()) == ["0?", "1?", "2?"]
    assert len(told("r")) == 3


@pytest.mark.parametrize("how", ["ask", "agent"])
def test_a_cancelled_coroutine_takes_its_question_back(how: str) -> None:
    """Cancelled while it asks, it ends at once, its question with it, and the loop has no thread to wait for."""

    @tool
    async def book() -> str:
        return await ask_user.ask("Where to?", default="home")

    agent = Agent(ScriptedModel([ToolCall("book", {}), "done"]), tools=[book])
    asks = book if how == "ask" else partial(agent.arun, "Book")
    assert not cancelled_while_asking(asks).answer("Oslo")
    (end,) = told("r")
    assert (end["stop_reason"], end["success"], end["answered_by"]) == ("interrupted", False, None)


def test_an_awaited_question_takes_what_the_tool_was_given() -> None:
    """`ask` knows the default, timeout and strictness of `with_`, and refuses what calling the tool does."""
    careful = ask_user.with_(default="no", timeout=60, strict=True)
    with answered_yes() as heard:
        assert asyncio.run(careful.ask("Deploy?", ["yes"])) == "yes"
        asyncio.run(careful.ask("Deploy?", ["yes"], default=None, timeout=30))
    assert [(one.default, one.timeout, one.strict) for one in heard] == [("no", 60, True), (None, 30, True)]
    with on_question(lambda _: None):
        assert asyncio.run(careful.ask("Deploy?", ["yes"], timeout=0.01)) == "no"
        with pytest.raises(UnansweredError, match=r"nobody answered within 0\.01 s"):
            asyncio.run(careful.ask("Deploy?", ["yes"], default=None, timeout=0.01))
    with pytest.raises(ValueError, match="an empty question"):
        asyncio.run(ask_user.ask(" "))


def test_a_loop_beside_the_main_thread_is_not_held_up() -> None:
    """Called by a coroutine on the worker's loop, which nothing could interrupt, it says how to ask there."""

    @tool
    async def deploy() -> str:
        return ask_user("Deploy?")

    model = ScriptedModel([ToolCall("deploy", {}), "done"])
    with on_question(lambda question: question.answer("yes")), run_context("r"):
        result = Agent(model, tools=[deploy]).run_sync("Deploy")
        assert "write `await ask_user.ask(...)`" in (result.tool_calls[0].error or "")
        assert told("r") == []
        # On the main thread's own loop it can be interrupted.
        model = ScriptedModel([ToolCall("deploy", {}), "done"])
        result = asyncio.run(Agent(model, tools=[deploy]).arun("Deploy"))
    assert result.tool_calls[0].output == "yes"


# By input().


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Typed:
    """A front end that shows a box for `input()`, as a kernel's does."""
    typed = Typed()
    monkeypatch.setattr(builtins, "input", typed.input)
    return typed


class Typed:
    """What is typed in answer to `input()`, and where that was called."""

    def __init__(self) -> None:
        self.lines: list[str | BaseException] = []
        self.prompts: list[str] = []
        self.threads: set[threading.Thread] = set()
        self.asked = threading.Event()

    def input(self, prompt: str = "") -> str:
        """Give the next line, or wait as `input()` does while nobody types."""
        self.prompts.append(prompt)
        self.threads.add(threading.current_thread())
        self.asked.set()
        if not self.lines:
            # As ipykernel does, it looks up again and again, so that it can be interrupted.
            never = threading.Event()
            while not never.wait(0.01):
                pass
        line = self.lines.pop(0)
        if isinstance(line, BaseException):
            raise line
        return line


@pytest.mark.parametrize("how", ["function", "ask", "run_sync", "arun", "gather"])
def test_input_asks_in_the_main_thread(typed: Typed, how: str) -> None:
    """Where nobody shows the run `input()` asks, in the main thread, whatever waits there."""
    typed.lines = ["Oslo", "Oslo"]
    agent = asking_agent({"question": "Where to?", "options": ["Oslo", "Rome"]}, default="home")

    async def both() -> list[str | None]:
        other = asking_agent({"question": "Where to?", "options": ["Oslo", "Rome"]}, default="home")
        results = await asyncio.gather(agent.arun("Book"), other.arun("Book"))
        return [result.tool_calls[0].output for result in results]

    with run_context("r"):
        if how == "function":
            assert ask_user("Where to?", ["Oslo", "Rome"], default="home") == "Oslo"
        elif how == "ask":
            assert asyncio.run(ask_user.ask("Where to?", ["Oslo", "Rome"], default="home")) == "Oslo"
        elif how == "run_sync":
            assert agent.run_sync("Book").tool_calls[0].output == "Oslo"
        elif how == "arun":
            assert asyncio.run(agent.arun("Book")).tool_calls[0].output == "Oslo"
        else:
            assert asyncio.run(both()) == ["Oslo", "Oslo"]
    assert set(typed.prompts) == {"Where to? [Oslo / Rome] (default: home): "}
    assert typed.threads == {threading.main_thread()}
    assert {one["answered_by"] for one in told("r")} == {"input"}


def test_an_empty_line_is_the_default(typed: Typed) -> None:
    """Enter alone takes the default."""
    typed.lines = [""]
    assert ask_user("Which?", default="this") == "this"


def test_what_is_no_answer_is_asked_again(typed: Typed) -> None:
    """A line that is none of a strict question's options, or empty without a default, is said to be so."""
    typed.lines = ["", "maybe", "YES"]
    assert ask_user("Deploy?", ["yes", "no"], strict=True) == "yes"
    assert typed.prompts[1].startswith("The answer is empty: say something\nDeploy?")
    assert typed.prompts[2].startswith("'maybe' is none of the options: yes, no\nDeploy?")


def test_secrets_are_not_in_the_prompt(typed: Typed) -> None:
    """What `input()` shows is kept in the notebook, so it holds no secret, also where it is asked again."""
    typed.lines = ["perhaps", "yes"]
    assert ask_user(f"Use {SECRET}?", ["yes", SECRET], strict=True) == "yes"
    asked = "Use [redacted: OpenAI key]? [yes / [redacted: OpenAI key]]: "
    refused = "'perhaps' is none of the options: yes, [redacted: OpenAI key]\n"
    assert typed.prompts == [asked, refused + asked]


def test_a_prompt_repaints_nothing(typed: Typed) -> None:
    """What a model says cannot move, hide or turn around what the user sees in a terminal; its lines stay."""
    typed.lines = ["yes"]
    ask_user("rm -rf /\r\x1b[2Kls?\r\n  \u202eall\x00", ["a\nb"], default="\x9bno")
    assert typed.prompts == ["rm -rf /\ufffd\ufffd[2Kls?\n  \ufffdall\ufffd [a\nb] (default: \ufffdno): "]


def two_at_once() -> Agent:
    """An agent whose model asks two questions in one reply."""
    asks = tuple(ToolCall("ask_user", {"question": f"{name}?"}, id=name) for name in ("first", "second"))
    return Agent(
        ScriptedModel([ModelReply("", tool_calls=asks), "done"]), tools=[ask_user.with_(timeout=GRACE_S)]
    )


@pytest.mark.parametrize("how", ["run_sync", "arun"])
def test_two_questions_of_one_agent_are_asked_one_after_the_other(typed: Typed, how: str) -> None:
    """By `input()` the questions of one reply are asked in turn, and each gets its own answer."""
    typed.lines = ["a", "b"]
    agent = two_at_once()
    with run_context("r"):
        result = agent.run_sync("Ask") if how == "run_sync" else asyncio.run(agent.arun("Ask"))
    given = dict(zip(typed.prompts, "ab", strict=True))
    assert [use.output for use in result.tool_calls] == [given["first?: "], given["second?: "]]
    assert [one["answered_by"] for one in told("r")] == ["input", "input"]


def test_two_questions_of_one_agent_are_open_at_once() -> None:
    """Code hears of both questions of one reply before it answers either, and each gets its own answer."""
    both: list[Question] = []

    def answer(question: Question) -> None:
        both.append(question)
        if len(both) == 2:
            for one in reversed(both):
                assert one.answer(f"to {one.text}")

    with on_question(answer), run_context("r"):
        result = two_at_once().run_sync("Ask")
    assert [use.output for use in result.tool_calls] == ["to first?", "to second?"]
    assert len(told("r")) == 2


@pytest.mark.parametrize(
    "error, why",
    [
        (NotImplementedError, r"there is no input\(\) here"),
        (EOFError, r"the input\(\) here is at its end"),
        (ZeroDivisionError, r"the input\(\) here failed, as logging says"),
        (
            partial(UnicodeDecodeError, "ascii", b"\xe9", 0, 1, "no"),
            r"the input\(\) here failed, as logging says",
        ),
    ],
)
def test_a_front_end_without_input_is_nobody(typed: Typed, error: Callable[[], Exception], why: str) -> None:
    """Where `input()` is refused, at its end, or fails, nobody can be asked, and the error says which."""
    typed.lines = [error(), error()]
    assert ask_user("Which?", default="this") == "this"
    todo = r": show the run with watch\(run\) before, or give a default$"
    with pytest.raises(
        UnansweredError, match=f"nobody could be asked, because no page shows the run and {why}{todo}"
    ):
        ask_user("Which?")


@pytest.mark.parametrize("how", ["function", "ask", "run_sync", "arun"])
def test_an_input_that_fails_ends_no_agent(typed: Typed, how: str, caplog: pytest.LogCaptureFixture) -> None:
    """What an `input()` raises is logged, and whoever asks has the default, or goes on, as without it."""
    typed.lines = [ZeroDivisionError()]
    agent = asking_agent({"question": "Where to?"}, default="home")
    ways: dict[str, Callable[[], object]] = {
        "function": lambda: ask_user("Where to?", default="home"),
        "ask": lambda: asyncio.run(ask_user.ask("Where to?", default="home")),
        "run_sync": lambda: agent.run_sync("Book").tool_calls[0].output,
        "arun": lambda: asyncio.run(agent.arun("Book")).tool_calls[0].output,
    }
    assert ways[how]() == "home"
    assert "input(), which failed" in caplog.text


@pytest.mark.parametrize("how", ["function", "ask", "run_sync", "arun"])
def test_input_ends_in_time(typed: Typed, how: str) -> None:
    """Nobody types: after its timeout the question ends, and the `input()` with it."""
    agent = asking_agent({"question": "Where to?"}, default="home", timeout=0.05)
    if how == "function":
        assert ask_user("Where to?", default="home", timeout=0.05) == "home"
    elif how == "ask":
        assert asyncio.run(ask_user.ask("Where to?", default="home", timeout=0.05)) == "home"
    elif how == "run_sync":
        assert agent.run_sync("Book").tool_calls[0].output == "home"
    else:
        assert asyncio.run(agent.arun("Book")).tool_calls[0].output == "home"
    assert len(typed.prompts) <= 1


def test_another_answer_ends_the_input(typed: Typed) -> None:
    """An answer from elsewhere, as from a page that loads late, ends the `input()` that asks too."""

    def answer() -> None:
        typed.asked.wait(GRACE_S)
        (inquiry,) = QUESTIONS._open.values()
        inquiry.settle("Oslo", "view")

    with run_context("r"):
        elsewhere = threading.Thread(target=answer)
        elsewhere.start()
        assert ask_user("Where to?") == "Oslo"
        elsewhere.join(GRACE_S)
    assert [one["answered_by"] for one in told("r")] == ["view"]


@pytest.mark.parametrize("how", ["function", "ask", "run_sync", "arun"])
def test_an_interrupt_at_the_input_interrupts_the_run(typed: Typed, how: str) -> None:
    """Ctrl-C at the `input()` ends the question, and the agent as interrupted; the default does not count."""
    typed.lines = [KeyboardInterrupt()]
    agent = asking_agent({"question": "Where to?"}, default="home")
    ways: dict[str, Callable[[], object]] = {
        "function": lambda: ask_user("Where to?", default="home"),
        "ask": lambda: asyncio.run(ask_user.ask("Where to?", default="home")),
        "run_sync": lambda: agent.run_sync("Book"),
        "arun": lambda: asyncio.run(agent.arun("Book")),
    }
    with pytest.raises(KeyboardInterrupt), run("r", run_id="r"):
        ways[how]()
    assert [one["error"] for one in told("r")] == ["interrupted"]
    if how in ("run_sync", "arun"):
        last = get_event_bus().history("r")[-1]
        assert (last.event_type, last.data["reason"]) == ("agent.terminate", "interrupted")
    record = get_event_bus().run_record("r")
    assert record is not None
    assert record.status == "interrupted"


def test_an_interrupt_that_stops_the_loop_takes_the_question_back(typed: Typed) -> None:
    """Where Ctrl-C stops the loop, as in IPython, and not the task, the question is over all the same."""
    typed.lines = [KeyboardInterrupt()]
    with contextlib.closing(asyncio.new_event_loop()) as loop:
        asking = loop.create_task(ask_user.ask("Where to?", default="home"))
        with pytest.raises(KeyboardInterrupt):
            loop.run_until_complete(asking)
        assert QUESTIONS._open == {}
        with pytest.raises(UnansweredError, match="interrupted"):
            loop.run_until_complete(asking)


def test_another_thread_cannot_ask_by_input(typed: Typed) -> None:
    """A thread of one's own, for which the main one does not wait, asks nobody."""
    with ThreadPoolExecutor(1) as pool, run_context("r"):
        assert pool.submit(propagate(ask_user), "Which?", default="this").result(GRACE_S) == "this"
        with pytest.raises(
            UnansweredError, match=r"input\(\) asks only from the main thread.*: ask from the main"
        ):
            pool.submit(propagate(ask_user), "Which?").result(GRACE_S)
    assert typed.prompts == []


def test_a_script_without_a_terminal_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is piped into a script is not taken for an answer."""
    piped = io.StringIO("yes\n")
    monkeypatch.setattr(sys, "stdin", piped)
    assert ask_user("Which?", default="this") == "this"
    assert piped.read() == "yes\n"
    monkeypatch.setattr(sys, "stdin", None)
    assert ask_user("Which?", default="this") == "this"


SCRIPT = """
from locus_nb import Agent, ToolCall, ask_user
from locus_nb.testing import ScriptedModel
model = ScriptedModel([ToolCall("ask_user", {{"question": "Deploy?", "options": ["yes", "no"]}}), "done"])
agent = Agent(model, tools=[ask_user.with_(default="no", timeout={timeout})])
print("took", repr(agent.run_sync("Deploy").tool_calls[0].output))
"""

TWICE = """
from locus_nb import ask_user
print("took", [ask_user(f"{number}?", ["yes", "no"], timeout=60) for number in range(2)])
"""


FORKS = """
import os, sys, threading, warnings
from locus_nb import Agent, ToolCall, ask_user, on_question, propagate, run, tool, watch
from locus_nb._agent import main_thread
from locus_nb._ask.questions import QUESTIONS
from locus_nb.testing import ScriptedModel
warnings.simplefilter("ignore", DeprecationWarning)

def in_child():
    if QUESTIONS._open or main_thread._takers or main_thread._queues:
        return "the parent's"
    asked = []
    with run("child") as made:
        ask = propagate(lambda: asked.append(ask_user("Deploy?", default="no", timeout=60)))
        thread = threading.Thread(target=ask)
        thread.start()
        thread.join(50)
    return asked, [event.data["stop_reason"] for event in made.events if "stop_reason" in event.data]

@tool
def fork() -> str:
    read, write = os.pipe()
    # A child begins also where these are held.
    with main_thread._lock, QUESTIONS._lock:
        child = os.fork()
        if child == 0:
            os.write(write, repr(in_child()).encode())
            os._exit(0)
    os.close(write)
    os.waitpid(child, 0)
    said = os.read(read, 1000).decode()
    os.close(read)
    return said

agent = Agent(ScriptedModel([ToolCall("fork", {}), "done"]), tools=[fork])
with run("parent") as parent, watch(parent) as view:
    view.model_id
    print(agent.run_sync("Fork").tool_calls[0].output)
"""


# As with the terminals below, nothing of it is skipped where the gate runs, which is Linux.
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
def test_a_forked_child_asks_nobody_of_the_parent() -> None:
    """In a child that a tool forks no main thread waits, no page shows and no question is open of the parent's."""
    said = subprocess.run(
        [sys.executable, "-c", FORKS], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True
    ).stdout
    assert said == "(['no'], ['nobody'])\n"


def in_terminal(script: str, *typed: bytes, early: bytes = b"") -> str:
    """What a script prints in a terminal, where `early` is typed before its first prompt and `typed` after each."""
    ours, theirs = os.openpty()
    command = [sys.executable, "-c", script]
    # As in most terminals; where the locale is C Python would take any byte.
    strict = os.environ | {"PYTHONIOENCODING": "utf-8:strict"}
    with subprocess.Popen(command, stdin=theirs, stdout=subprocess.PIPE, env=strict) as running:
        os.close(theirs)
        try:
            os.write(ours, early)
            assert running.stdout is not None
            said = b""
            for line in typed:
                while not said.endswith(b": "):
                    said += (read := os.read(running.stdout.fileno(), 1_000))
                    assert read, said
                os.write(ours, line)
                said += b"\n"
            return (said + running.communicate(timeout=GRACE_S)[0]).decode()
        finally:
            os.close(ours)
            running.kill()


# Nothing of it is skipped where the gate runs, which is Linux.
in_a_terminal = pytest.mark.skipif(sys.platform == "win32", reason="there are no such terminals")


@in_a_terminal
@pytest.mark.parametrize(
    "line, timeout, taken",
    [
        ("YES", 60, "yes"),
        ("", 60, "no"),
        ("maybe", 60, "maybe"),
        (" maybe ", 60, " maybe "),
        (None, 0.2, "no"),
    ],
)
def test_a_terminal_asks(line: str | None, timeout: float, taken: str) -> None:
    """In a terminal the question is asked there, and a silent one is left in time; an answer has no line end."""
    typed = [] if line is None else [f"{line}\n".encode()]
    said = in_terminal(SCRIPT.format(timeout=timeout), *typed)
    assert said.startswith("Deploy? [yes / no] (default: no): ")
    assert said.endswith(f"took {taken!r}\n")


@in_a_terminal
def test_what_was_typed_ahead_answers_nothing() -> None:
    """A line that was typed before the question was shown is not taken for its answer."""
    said = in_terminal(TWICE, b"no\nyes\n", b"no\n", early=b"yes\n")
    assert said.endswith("took ['no', 'no']\n")


@in_a_terminal
def test_what_is_no_text_is_asked_again() -> None:
    """A byte that the terminal's encoding does not have is said to be so, and ends nothing."""
    said = in_terminal(SCRIPT.format(timeout=60), b"Ren\xe9\n", b"yes\n")
    assert said.splitlines()[1].startswith("What was typed cannot be read")
    assert said.endswith("took 'yes'\n")
