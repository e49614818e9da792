"""Waiting for the answer to a question: who is asked, one after the other, and what if there is nobody."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from locus_nb._agent import main_thread
from locus_nb._agent.alarm import alarm
from locus_nb._agent.interruptible import interruptible
from locus_nb._ask import keyboard
from locus_nb._ask.callbacks import CALLBACKS
from locus_nb._ask.questions import QUESTIONS

if TYPE_CHECKING:
    from locus_nb._ask.inquiry import Inquiry

# Why nobody could be asked.
_NO_PAGE = "no page shows the run"
_UNHEARD = "no page has said that it shows the question (a blocked kernel may hear none)"
_REFUSED = "there is no input() here"
_CLOSED = "the input() here is at its end"
_FAILED = "the input() here failed, as logging says"
_WENT_ON = "the main thread, where input() was to ask, had to go on"
_ELSEWHERE = (
    "input() asks only from the main thread, which does not wait for an agent or an `await ask_user.ask(...)`"
)
_LATE = "nobody answered within {:g} s"
_WHY = {"refused": _REFUSED, "closed": _CLOSED, "failed": _FAILED, "over": _WENT_ON}
# Seconds between two looks whether a page is to be waited for.
_LOOK_S = 0.5


def wait_for(inquiry: Inquiry) -> None:
    """Have it answered by code, a page or `input()`, in this order, and come back when it is over."""
    if not inquiry.is_open:
        return
    with interruptible():
        try:
            is_heard = CALLBACKS.ask(inquiry) or _is_shown(inquiry)
            if not is_heard and inquiry.seconds_left > 0:
                _ask_at_keyboard(inquiry)
            main_thread.wait(inquiry.outcome, inquiry.seconds_left)
        except TimeoutError:
            inquiry.fall_back("timeout", _LATE.format(inquiry.timeout))
        except BaseException:
            inquiry.withdraw()
            raise


def _is_shown(inquiry: Inquiry) -> bool:
    """Wait a moment for a page to say that it shows the question; True also when that is over."""
    if not QUESTIONS.panels_of(inquiry):
        return False
    began = time.monotonic()
    # What there is to be waited for may change: a page that loads has its subshell made.
    while (left := began + QUESTIONS.patience.seconds - time.monotonic()) > 0:
        try:
            main_thread.wait(inquiry.heard, min(left, inquiry.seconds_left, _LOOK_S))
        except TimeoutError:
            if inquiry.seconds_left == 0:
                # No page has had its time.
                return False
        else:
            # Of one that was over before nothing is learned.
            if inquiry.shown:
                QUESTIONS.patience.learn(heard=True)
            return True
    QUESTIONS.patience.learn(heard=False)
    return False


def _ask_at_keyboard(inquiry: Inquiry) -> None:
    """Have `input()` ask: here, or, if this is another thread, where the main one waits."""
    board = keyboard.Keyboard(inquiry)
    if main_thread.is_main():
        late = partial(inquiry.fall_back, "timeout", _LATE.format(inquiry.timeout))
        with alarm(inquiry.seconds_left, late):
            _ask_here(inquiry, board)
        return

    def drop(interrupted: bool) -> None:  # noqa: FBT001 - what an errand is told
        if interrupted:
            inquiry.withdraw()
        else:
            _nobody(inquiry, _WENT_ON)

    if not main_thread.hand(main_thread.Errand(lambda: _ask_here(inquiry, board), board.stop, drop)):
        _nobody(inquiry, _ELSEWHERE)


def _ask_here(inquiry: Inquiry, board: keyboard.Keyboard) -> None:
    inquiry.at_keyboard = True
    QUESTIONS.tell_panels()
    try:
        ended = board.ask()
    finally:
        inquiry.at_keyboard = False
        QUESTIONS.tell_panels()
    # Without an answer if nobody could be asked, or the main thread had to go on.
    _nobody(inquiry, _WHY[ended])


def _nobody(inquiry: Inquiry, why: str) -> None:
    """End the question, if it is open, unless a page that has shown its run before may come back to it."""
    panels = QUESTIONS.panels_of(inquiry)
    if inquiry.shown or any(panel.was_seen for panel in panels):
        return
    ways = ["give a default"]
    if not panels:
        ways.insert(0, "show the run with watch(run) before")
    if why == _ELSEWHERE:
        ways.insert(0, "ask from the main thread (in a coroutine by `await ask_user.ask(...)`)")
    todo = ", or ".join(filter(None, (", ".join(ways[:-1]), ways[-1])))
    view = _UNHEARD if panels else _NO_PAGE
    inquiry.fall_back("nobody", f"nobody could be asked, because {view} and {why}: {todo}")
