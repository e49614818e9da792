"""Asking the user, as a tool of an agent and as a function."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, cast

from locus_nb._agent import main_thread
from locus_nb._agent.live_call import when_left
from locus_nb._agent.own_thread import in_thread
from locus_nb._agent.tool import Tool
from locus_nb._ask.asking import wait_for
from locus_nb._ask.inquiry import MAX_ANSWER, Inquiry
from locus_nb._ask.questions import QUESTIONS
from locus_nb._errors import UnansweredError
from locus_nb._payloads.format import clean
from locus_nb._payloads.redact import redact_text
from locus_nb._readers import running_loop

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import EllipsisType

TIMEOUT_S = 300.0
_LONGEST_TEXT = 10_000
_MOST_OPTIONS = 100

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

    It never waits for longer than `timeout`: then the default counts, or at once where nobody can be asked, as
    in a notebook that is executed without a front end (after those seconds if a view is displayed there). An
    agent that is interrupted meanwhile takes its question back.

    It blocks the thread that calls it. In a coroutine, and in a cell, write `await ask_user.ask(...)`, which takes
    the same arguments: other tasks go on, and one that is cancelled takes its question back at once. But where
    `input()` asks, the loop stands still, and nothing is cancelled before it ends: give a `timeout`, rather than use
    `asyncio.wait_for`. `input()` asks in the main thread alone: for what is called there, and for a thread while the
    main one waits in `run_sync` or its loop awaits an agent or `ask_user.ask`. So a thread of your own is answered
    in a view or by code.

    JupyterLab does not show a view again that is closed, or whose page is loaded anew, before the cell has ended: a
    question that it showed is then answered in another view or by code, or its timeout ends it. In a terminal of
    Windows nothing but a line ends an `input()`, and so the timeout is not seen before there is one.

    Args:
        question: What to ask.
        options: What to propose; None or empty for nothing.
        default: What counts as the answer when nobody answers; it need not be an option. None: then it fails.
            `...`, as it is if left out: what `with_` said, or None.
        timeout: Seconds to wait at the most, above 0. None: what `with_` said, or 300.
        strict: Take nothing but one of the options, or the default, for an answer. None: what `with_` said, or False.

    Returns:
        The answer, as the option has it where it is one, in whatever case it was typed.

    Raises:
        UnansweredError: There is no answer and no default. In an agent's tool that is told to the model.
        TypeError, ValueError: An argument is of the wrong type, or empty, too long or not above 0.
        RuntimeError: Called by a coroutine in another thread than the main one, whose loop would stand still.

    Example:
        >>> from locus_nb import Agent, ask_user, on_question, tool
        >>> @tool
        ... def deploy(where: str) -> str:
        ...     answer = ask_user(f"Deploy to {where}?", ["yes", "no"], default="no", timeout=60)
        ...     return "deployed" if answer == "yes" else "not deployed"
        >>> agent = Agent(tools=[deploy, ask_user.with_(timeout=30, default="you decide")])
        >>> with on_question(lambda question: question.answer("yes")):
        ...     agent.run_sync("Deploy to 'staging'").message
        'deploy gave deployed'
    """

    def __init__(
        self, *, default: str | None = None, timeout: float = TIMEOUT_S, strict: bool = False
    ) -> None:
        self._default = _checked_default(default)
        self._timeout = _checked_timeout(timeout)
        self._strict = _checked_strict(strict)
        super().__init__(self.ask_user, None, _FOR_MODELS)
        self.__doc__ = type(self).__doc__
        # What it is called with, not what a model says.
        self.__signature__ = inspect.signature(self.__call__)

    def with_(
        self,
        *,
        default: str | EllipsisType | None = ...,
        timeout: float | None = None,
        strict: bool | None = None,
    ) -> AskUser:
        """Give the same tool with another default, timeout or strictness, of which a model says nothing."""
        return type(self)(
            default=self._default if default is ... else default,
            timeout=self._timeout if timeout is None else timeout,
            strict=self._strict if strict is None else strict,
        )

    def ask_user(self, question: str, options: list[str] | None = None) -> str:
        """Ask what a model wants to know."""
        return self(question, options)

    def __call__(
        self,
        question: str,
        options: Sequence[str] | None = None,
        *,
        default: str | EllipsisType | None = ...,
        timeout: float | None = None,
        strict: bool | None = None,
    ) -> str:
        """Ask the user; see the class."""
        if running_loop() is not None and not main_thread.is_main():
            raise RuntimeError(
                "ask_user() was called by a coroutine in a thread whose loop would stand still until the answer, and "
                "could not be interrupted: write `await ask_user.ask(...)`"
            )
        inquiry = self._inquiry(question, options, default, timeout, strict)
        with when_left(inquiry.withdraw), QUESTIONS.asking(inquiry):
            wait_for(inquiry)
        return _answer(inquiry)

    async def ask(
        self,
        question: str,
        options: Sequence[str] | None = None,
        *,
        default: str | EllipsisType | None = ...,
        timeout: float | None = None,  # noqa: ASYNC109 - the user's time, which the question tells
        strict: bool | None = None,
    ) -> str:
        """Ask the user while the loop goes on; for coroutines, and cells that await.

        Takes, gives and raises what calling the tool does. Cancelled, it takes the question back at once. On the main
        thread's loop `input()` can ask too, for which that loop stands still.

        Example:
            >>> import asyncio
            >>> from locus_nb import ask_user, on_question
            >>> async def main():
            ...     return await asyncio.gather(ask_user.ask("Where to?"), ask_user.ask("When?"))
            >>> with on_question(lambda question: question.answer("Rome" if "Where" in question.text else "now")):
            ...     asyncio.run(main())
            ['Rome', 'now']
        """
        inquiry = self._inquiry(question, options, default, timeout, strict)
        with main_thread.loop_takes_errands(), when_left(inquiry.withdraw), QUESTIONS.asking(inquiry):
            await in_thread(partial(wait_for, inquiry), "locus_nb-question")
        return _answer(inquiry)

    def _inquiry(
        self,
        question: object,
        options: object,
        default: str | EllipsisType | None,
        timeout: float | None,
        strict: bool | None,  # noqa: FBT001 - as it was given
    ) -> Inquiry:
        return Inquiry(
            _checked_text(question),
            _checked_options(options),
            default=self._default if default is ... else _checked_default(default),
            timeout=self._timeout if timeout is None else _checked_timeout(timeout),
            strict=self._strict if strict is None else _checked_strict(strict),
        )


def _answer(inquiry: Inquiry) -> str:
    outcome = inquiry.outcome.result()
    if outcome.answer is None:
        # It may end in a notebook that is saved.
        text = clean(redact_text(inquiry.text), _SHOWN_CHARS)
        raise UnansweredError(f"ask_user({text!r}) got no answer: {outcome.error}")
    return outcome.answer


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
        _check_length(option, "options")
    if len(given) > _MOST_OPTIONS:
        raise ValueError(
            f"ask_user() takes {_MOST_OPTIONS} options at the most, not {len(given)}: ask for text"
        )
    return tuple(dict.fromkeys(cast("tuple[str, ...]", given)))


def _checked_default(default: object) -> str | None:
    if default is not None and not isinstance(default, str):
        raise TypeError(f"ask_user(default=...) takes a str or None, not {type(default).__name__}")
    _check_length(default or "", "default")
    return default


def _check_length(text: str, what: str) -> None:
    if len(text) > MAX_ANSWER:
        raise ValueError(
            f"ask_user({what}=...) takes texts of {MAX_ANSWER:,} characters, as an answer has at the most, "
            f"not {len(text):,}: say less"
        )


def _checked_timeout(timeout: object) -> float:
    if isinstance(timeout, bool) or not isinstance(timeout, int | float):
        raise TypeError(f"ask_user(timeout=...) takes seconds, not {type(timeout).__name__}")
    if not 0 < timeout <= threading.TIMEOUT_MAX:
        raise ValueError(f"ask_user(timeout={timeout}) cannot be waited for: use a number of seconds above 0")
    return float(timeout)


def _checked_strict(strict: object) -> bool:
    if not isinstance(strict, bool):
        raise TypeError(f"ask_user(strict=...) takes True or False, not {type(strict).__name__}")
    return strict


ask_user = AskUser()
