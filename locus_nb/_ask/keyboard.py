"""Asking by `input()`: in a terminal, and where a kernel's front end shows a box for it. In the main thread only."""

from __future__ import annotations

import builtins
import ctypes
import logging
import os
import select
import sys
import threading
import time
from types import BuiltinFunctionType
from typing import TYPE_CHECKING, Literal

from locus_nb._payloads.format import clean_lines
from locus_nb._payloads.redact import redact_text

if TYPE_CHECKING:
    from locus_nb._ask.inquiry import Inquiry

_log = logging.getLogger(__name__)
# Without a handler of its own a logger's errors are printed, into whichever cell runs now.
_log.addHandler(logging.NullHandler())
# Seconds between two looks whether a question that a terminal asks is over.
_LOOK_S = 0.05
# Seconds in which an exception that was put into this thread strikes; it takes a few microseconds.
_STRIKES_S = 1.0


# How the asking ended: the question is over or the asking was stopped, nobody takes input, input is at its end, or it
# failed.
Ended = Literal["over", "refused", "closed", "failed"]


class _BreakOff(BaseException):
    """Ends an `input()` that nobody needs any more. Not an Exception: a kernel's input() catches those."""


class _NoTextError(Exception):
    """A terminal gave bytes that its encoding does not have."""


class Keyboard:
    """One question, asked by `input()` until it is over.

    What is typed is the answer; an empty line is the default, if there is one. What is no answer is asked again.
    """

    def __init__(self, inquiry: Inquiry) -> None:
        self._inquiry = inquiry
        self._lock = threading.Lock()
        self._thread = 0
        self._is_stopped = self._is_inside = self._is_broken_off = False

    def ask(self) -> Ended:
        """Ask until the question is over, or this is stopped, or there is nobody to be asked.

        Raises:
            KeyboardInterrupt: The user interrupts it.
        """
        inquiry = self._inquiry
        inquiry.when_over(self.stop)
        read = self._kernel_line if type(builtins.input) is not BuiltinFunctionType else self._terminal_line
        said = ""
        while not self._is_stopped:
            try:
                line = read(_shown(said) + _prompt(inquiry))
            except EOFError:
                return "closed"
            except (NotImplementedError, OSError, RuntimeError):
                # A kernel whose front end takes no input, and a script without a terminal.
                return "refused"
            except _NoTextError:
                said = "What was typed cannot be read: it is no text in the terminal's encoding\n"
                continue
            except Exception:  # noqa: BLE001 - an edge: anybody may have put another input() in its place
                _log.warning("locus_nb asked by input(), which failed", exc_info=True)
                return "failed"
            if line is None:
                continue
            try:
                inquiry.settle(line if line.strip() else inquiry.default or "", "input")
            except ValueError as error:
                said = f"{error}\n"
        return "over"

    def stop(self) -> None:
        """End the asking, and the `input()` under way with it. Any thread; idempotent."""
        with self._lock:
            self._is_stopped = True
            if self._is_inside and not self._is_broken_off:
                self._is_broken_off = True
                thread, error = ctypes.c_ulong(self._thread), ctypes.py_object(_BreakOff)
                ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, error)

    def _terminal_line(self, prompt: str) -> str | None:
        """Read a line; None if this is stopped before there is one."""
        if sys.stdin is None or sys.stdin.closed or not sys.stdin.isatty():
            raise NotImplementedError
        if sys.platform == "win32":
            # Nothing can be waited for there: the line comes whenever it comes.
            return input(prompt)
        _forget_typed()
        print(prompt, end="", flush=True)  # noqa: T201 - as input() does
        while not self._is_stopped:
            if select.select([sys.stdin], [], [], _LOOK_S)[0]:
                try:
                    line = sys.stdin.readline()
                except UnicodeDecodeError:
                    raise _NoTextError from None
                if not line:
                    raise EOFError
                return line.removesuffix("\n")
        print()  # noqa: T201 - the prompt stays without an answer
        return None

    def _kernel_line(self, prompt: str) -> str | None:
        """Do the same by the `input` that a kernel has put in the place of Python's.

        That looks up every 10 ms, and so can be broken off from another thread.
        """
        try:
            try:
                if self._enter():
                    return input(prompt)
            finally:
                self._leave()
        except _BreakOff as end:
            if isinstance(end.__context__, KeyboardInterrupt):
                raise end.__context__ from None
        return None

    def _enter(self) -> bool:
        with self._lock:
            self._thread = threading.get_ident()
            self._is_inside = not self._is_stopped
            return self._is_inside

    def _leave(self) -> None:
        """Go where nothing breaks off any more; what is on its way strikes here, unless it has struck already."""
        with self._lock:
            self._is_inside = False
        ends = time.monotonic() + _STRIKES_S
        while self._is_broken_off and not isinstance(sys.exc_info()[1], _BreakOff):
            if time.monotonic() > ends:
                # It struck, and somebody in between made another exception of it.
                return


def _forget_typed() -> None:
    """Throw away what was typed before the question was seen: it was meant for something else."""
    # A module that Windows lacks.
    import termios  # noqa: PLC0415

    try:
        is_in_background = os.tcgetpgrp(sys.stdin.fileno()) != os.getpgrp()
    except OSError:
        # It is not the terminal that this process belongs to.
        is_in_background = False
    # There it would stop the process until somebody brings it to the front.
    if not is_in_background:
        termios.tcflush(sys.stdin, termios.TCIFLUSH)


def _prompt(inquiry: Inquiry) -> str:
    options = f" [{' / '.join(inquiry.options)}]" if inquiry.options else ""
    default = "" if inquiry.default is None else f" (default: {inquiry.default})"
    return _shown(f"{inquiry.text}{options}{default}") + ": "


def _shown(text: str) -> str:
    # What a model says could repaint a terminal, so that somebody approves what is not there.
    return clean_lines(redact_text(text))
