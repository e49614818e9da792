"""Asking the user, as a tool of an agent and as a function."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from locus_nb._agent import main_thread
from locus_nb._agent.live_call import when_left
from locus_nb._agent.tool import Tool
from locus_nb._ask import keyboard
from locus_nb._ask.question import Question
from locus_nb._ask.questions import QUESTIONS
from locus_nb._errors import UnansweredError

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

TIMEOUT_S = 300.0
_LONGEST_TEXT = 10_000
_MOST_OPTIONS = 100

_NOBODY = (
    "nobody could be asked, because no page shows the run and there is no input() here. Show it with watch(run) "
    "before, or give a default"
)
_LATE = "nobody answered within {:g} s"
_INTERRUPTED = "interrupted"
# Seconds between two looks whether a page is to be waited for.
_LOOK_S = 0.5
_SHOWN_CHARS = 80

_FOR_MODELS = (
    "Ask the user a question and wait for the answer. `options` are proposed to the user, who may also answer in "
    "words of their own."
)


class AskUser(Tool[..., str]):
    """Ask the user a question, and wait for the answer.

    `ask_user` is both a tool to give to an agent, whose model then says the question and options, and a function to
    call in a tool of your own, or anywhere in a run.

    The question is an event of the run, `agent.interrupt`, and so is its end, `agent.interrupt.completed`, which
    says what was answered and how. Whoever shows the run by `watch` sees the question above its rows, with a button
    for each option and a box for any other answer, also while the cell is blocked. Where no page says in time
    that it shows the question (5 s; 1 s where none did before; 20 s where the kernel has subshells) `input()` asks
    it: in a terminal, and where a front end shows a box for that; the first answer counts. JupyterLab keeps a box
    that is no longer needed until something is submitted in it. `on_question` has code answer.

    It never waits for longer than `timeout`: then, or at once where nobody can be asked (as in a notebook that
    is executed without a front end), the default counts. It blocks the thread that calls it: in a coroutine write
    `await asyncio.to_thread(ask_user, ...)`. An agent that is interrupted meanwhile takes its question back.

    Args:
        question: What to ask.
        options: What to propose; None or empty for nothing.
        default: What counts as the answer when nobody answers; it need not be an option. None: then it fails.
        timeout: Seconds to wait at the most, above 0; 300 unless said otherwise.
        strict: Take nothing but one of the options, or the default, for an answer.

    Returns:
        The answer, as the option has it where it is one, in whatever case it was typed.

    Raises:
        UnansweredError: There is no answer and no default. In an agent's tool that is told to the model.
        TypeError, ValueError: An argument is of the wrong type, or empty, too long or not above 0.

    Example:
        >>> from locus_nb import Agent, ask_user, on_question, tool
        >>> @tool
        ... def deploy(where: str) -> str:
        ...     answer = ask_user(f"Deploy to {where}?", ["yes", "no"], default="no", timeout=60)
        ...     return "deployed" if answer == "yes" else "not deployed"
        >>> agent = Agent(tools=[deploy, ask_user.with_(timeout=30, default="you decide")])
        >>> end = on_question(lambda question: question.answer("yes"))
        >>> agent.run_sync("Deploy to 'staging'").message
        'deploy gave deployed'
        >>> end()
    """

    def __init__(
        self, *, default: str | None = None, timeout: float = TIMEOUT_S, strict: bool = False
    ) -> None:
        self._default = _checked_default(default)
        self._timeout = _checked_timeout(timeout)
        self._strict = bool(strict)
        super().__init__(self.ask_user, None, _FOR_MODELS)
        self.__doc__ = type(self).__doc__

    def with_(
        self, *, default: str | None = None, timeout: float = TIMEOUT_S, strict: bool = False
    ) -> AskUser:
        """Give the same tool with its own default, timeout and strictness, of which a model says nothing."""
        return type(self)(default=default, timeout=timeout, strict=strict)

    def ask_user(self, question: str, options: list[str] | None = None) -> str:
        """Ask what a model wants to know."""
        return self(question, options)

    def __call__(
        self,
        question: str,
        options: Sequence[str] | None = None,
        *,
        default: str | None = None,
        timeout: float | None = None,
        strict: bool | None = None,
    ) -> str:
        """Ask the user; see the class."""
        asked = Question(
            _checked_text(question),
            _checked_options(options),
            default=self._default if default is None else _checked_default(default),
            timeout=self._timeout if timeout is None else _checked_timeout(timeout),
            strict=self._strict if strict is None else strict,
        )
        with when_left(lambda: asked.withdraw(_INTERRUPTED)):
            _wait(asked)
        outcome = asked.outcome.result()
        if outcome.answer is None:
            raise UnansweredError(f"ask_user({question[:_SHOWN_CHARS]!r}) got no answer: {outcome.error}")
        return outcome.answer


def _wait(question: Question) -> None:
    """Come back when the question is over."""
    with QUESTIONS.asking(question), main_thread.interruptible():
        try:
            is_heard = QUESTIONS.tell_listeners(question) or _is_shown(question)
            if not is_heard and question.seconds_left > 0:
                _ask_at_keyboard(question)
            main_thread.wait(question.outcome, question.seconds_left)
        except TimeoutError:
            question.fall_back(_LATE.format(question.timeout))
        except BaseException:
            question.withdraw(_INTERRUPTED)
            raise


def _is_shown(question: Question) -> bool:
    """Wait a moment for a page to say that it shows the question; True also when that is over."""
    if not QUESTIONS.panels_of(question):
        return False
    began = time.monotonic()
    is_heard = False
    # What there is to be waited for may change: a page that loads has its subshell made.
    while not is_heard and (left := began + QUESTIONS.patience.seconds - time.monotonic()) > 0:
        try:
            main_thread.wait(question.heard, min(left, question.seconds_left, _LOOK_S))
        except TimeoutError:
            if question.seconds_left == 0:
                break
        else:
            is_heard = True
    QUESTIONS.patience.learn(heard=is_heard)
    return is_heard


def _ask_at_keyboard(question: Question) -> None:
    """Have `input()` ask: here, or, if this is another thread, where the main one waits."""
    board = keyboard.Keyboard(question)
    if main_thread.is_main():
        with _timer(question):
            _ask_here(question, board)
        return

    def drop(interrupted: bool) -> None:  # noqa: FBT001 - what an errand is told
        if interrupted:
            question.withdraw(_INTERRUPTED)
        else:
            _nobody(question)

    if not main_thread.hand(main_thread.Errand(lambda: _ask_here(question, board), board.stop, drop)):
        _nobody(question)


def _ask_here(question: Question, board: keyboard.Keyboard) -> None:
    question.at_keyboard = True
    QUESTIONS.tell_panels()
    try:
        board.ask()
    finally:
        question.at_keyboard = False
        QUESTIONS.tell_panels()
    # Without an answer if nobody could be asked, or the main thread had to go on.
    _nobody(question)


def _nobody(question: Question) -> None:
    """End the question, if it is open, unless a page that has shown its run before may come back to it."""
    if not question.shown and not any(panel.was_seen for panel in QUESTIONS.panels_of(question)):
        question.fall_back(_NOBODY)


@contextmanager
def _timer(question: Question) -> Generator[None]:
    """End the question in time, for the thread that asks by `input()` and cannot look at a clock."""
    late = threading.Timer(question.seconds_left, question.fall_back, [_LATE.format(question.timeout)])
    late.name, late.daemon = "locus_nb-question", True
    late.start()
    try:
        yield
    finally:
        late.cancel()


def _checked_text(question: object) -> str:
    if not isinstance(question, str):
        raise TypeError(f"ask_user() takes the question as a str, not {type(question).__name__}")
    if not question.strip():
        raise ValueError("ask_user() got an empty question: say what the user should answer")
    if len(question) > _LONGEST_TEXT:
        raise ValueError(
            f"ask_user() takes {_LONGEST_TEXT:,} characters, not {len(question):,}: ask for less"
        )
    return question


def _checked_options(options: object) -> tuple[str, ...]:
    if options is None:
        return ()
    if isinstance(options, str) or not isinstance(options, Iterable):
        raise TypeError(f"ask_user(options=...) takes a list of str, not {type(options).__name__}")
    given = tuple(cast("Iterable[object]", options))
    for option in given:
        if not isinstance(option, str):
            raise TypeError(f"ask_user(options=...) takes a list of str, it holds {type(option).__name__}")
        if not option.strip():
            raise ValueError("ask_user(options=...) holds an empty option: leave it out")
    if len(given) > _MOST_OPTIONS:
        raise ValueError(
            f"ask_user() takes {_MOST_OPTIONS} options at the most, not {len(given)}: ask for text"
        )
    return tuple(dict.fromkeys(cast("tuple[str, ...]", given)))


def _checked_default(default: object) -> str | None:
    if default is not None and not isinstance(default, str):
        raise TypeError(f"ask_user(default=...) takes a str or None, not {type(default).__name__}")
    return default


def _checked_timeout(timeout: object) -> float:
    if isinstance(timeout, bool) or not isinstance(timeout, int | float):
        raise TypeError(f"ask_user(timeout=...) takes seconds, not {type(timeout).__name__}")
    if not 0 < timeout <= threading.TIMEOUT_MAX:
        raise ValueError(f"ask_user(timeout={timeout}) cannot be waited for: use a number of seconds above 0")
    return float(timeout)


ask_user = AskUser()
