"""Code that answers questions: what `on_question` was given."""

from __future__ import annotations

import contextvars
import logging
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Self, cast

from locus_nb._agent import main_thread
from locus_nb._agent.texts import error_text
from locus_nb._ask.question import Question
from locus_nb._callable import is_async
from locus_nb._payloads.format import clean
from locus_nb._payloads.redact import redact_text

if TYPE_CHECKING:
    from locus_nb._ask.inquiry import Inquiry

Callback = Callable[[Question], object]

_log = logging.getLogger(__name__)
# Without a handler of its own a logger's errors are printed, into whichever cell runs now.
_log.addHandler(logging.NullHandler())
# Seconds in which a callback may do what it does after its answer, before the one who asked goes on.
_REST_S = 1.0
_SHOWN_CHARS = 200
# One that asks a question in answer to each would never end.
_DEEPEST = 10
# How many callbacks this code is part of, each of which hears what the one before asked.
_DEPTH: ContextVar[int] = ContextVar("locus_nb_depth_of_questions", default=0)


class Registration:
    """A callback that hears of each question, until this is called, or left as a context manager; idempotent.

    Forgotten, it is silent, and the callback goes on to hear of questions.
    """

    __slots__ = ("_end",)

    def __init__(self, end: Callable[[], object]) -> None:
        self._end = end

    def __call__(self) -> None:
        self._end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()


class Callbacks:
    """The callbacks that hear of each question. Any thread."""

    def __init__(self) -> None:
        self._callbacks: dict[object, Callback] = {}

    def add(self, callback: Callback) -> Registration:
        """Have `callback` called with each question from now on; gives what ends that."""
        key = object()
        self._callbacks[key] = callback
        return Registration(lambda: self._callbacks.pop(key, None))

    def ask(self, inquiry: Inquiry) -> bool:
        """Have all of them called, and wait until they have been, or the question is over.

        Returns:
            Whether one of them may answer; False without any, and if all failed.

        Raises:
            TimeoutError: The time for an answer was over before.
            BaseException: What one of them raised that is no Exception.
        """
        callbacks = tuple(self._callbacks.values())
        if not callbacks or _DEPTH.get() >= _DEEPEST:
            return False
        hearing = _Hearing(inquiry, callbacks)
        hearing.start()
        return hearing.wait()


class _Hearing:
    """One question, heard by the callbacks one after the other, in a thread: one that hangs must not hold it up."""

    def __init__(self, inquiry: Inquiry, callbacks: tuple[Callback, ...]) -> None:
        self._inquiry = inquiry
        self._callbacks = callbacks
        # Settled when they were called, or the question is over; with whether one of them may answer.
        self._heard: Future[bool] = Future()
        context = contextvars.copy_context()
        context.run(_DEPTH.set, _DEPTH.get() + 1)
        self._thread = threading.Thread(
            target=context.run, args=(self._call_all,), name="locus_nb-on_question", daemon=True
        )

    def start(self) -> None:
        self._thread.start()

    def wait(self) -> bool:
        self._inquiry.when_over(lambda: self._settle(may_answer=True))
        may_answer = main_thread.wait(self._heard, self._inquiry.seconds_left)
        self._thread.join(min(_REST_S, self._inquiry.seconds_left))
        return may_answer

    def _call_all(self) -> None:
        question = Question(self._inquiry)
        failed = 0
        for callback in self._callbacks:
            try:
                _call(callback, question)
            except Exception as error:  # noqa: BLE001 - an edge: user code, which must not stop the one who asks
                failed += 1
                # It may end in a notebook that is saved.
                self._inquiry.failure = clean(redact_text(error_text(error)), _SHOWN_CHARS)
                _log.warning("locus_nb called an on_question callback, which failed", exc_info=True)
            except BaseException as error:  # noqa: BLE001 - raised where the question is asked
                with suppress(InvalidStateError):
                    self._heard.set_exception(error)
        self._settle(may_answer=failed < len(self._callbacks))

    def _settle(self, *, may_answer: bool) -> None:
        with suppress(InvalidStateError):
            self._heard.set_result(may_answer)


def _call(callback: Callback, question: Question) -> None:
    given = callback(question)
    if isinstance(given, Coroutine):
        cast("Coroutine[Any, Any, Any]", given).close()
        raise TypeError("it returned a coroutine, which nobody awaits: make it a sync function")


CALLBACKS = Callbacks()


def on_question(callback: Callback) -> Registration:
    """Have code answer what `ask_user` asks: `callback(question)` is called for each question from now on.

    `with on_question(callback):` ends that with the block, and calling what this gives ends it as well. Else it holds
    for the rest of the process.

    It is called in a thread of its own, in a copy of the context that asks, and several one after the other. It may
    call `question.answer(text)`, or keep the question and have it answered later, from any thread. One that waits
    is left to itself when the question is over, for which who asks waits 1 s at the most. While there is a callback
    a question waits for its whole time, and nobody is asked by `input()`, unless all of them raise: then it is asked
    as without any. What a callback raises is logged, and named in the error of a question that nobody answers. A
    callback may ask by `ask_user` itself; 10 deep, that is asked as without any.

    Args:
        callback: Takes a `Question`; no coroutine function.

    Returns:
        What ends that, when it is called, or left as a context manager.

    Raises:
        TypeError: `callback` cannot be called, or is a coroutine function.

    Example:
        >>> from locus_nb import ask_user, on_question
        >>> with on_question(lambda question: question.answer(question.options[0])):
        ...     ask_user("Which one?", ["this", "that"])
        'this'
    """
    if not callable(cast("object", callback)):
        raise TypeError(
            f"on_question() takes a function that is given each question, not {type(callback).__name__}"
        )
    if is_async(callback):
        raise TypeError(
            "on_question() takes a sync function, not a coroutine function, which nobody would await: have it keep the "
            "question, and call question.answer(...) wherever the answer is known"
        )
    return CALLBACKS.add(callback)
