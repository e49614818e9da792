from __future__ import annotations

import asyncio
import contextlib
import contextvars
import os
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from locus_nb._agent import worker as worker_module
from locus_nb._agent.worker import run_on_worker, stop_worker
from tests.ctrl_c import CtrlC

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NAME: contextvars.ContextVar[str] = contextvars.ContextVar("name", default="none")

PRELUDE = """
import asyncio, os, sys, threading, time
from locus_nb import Agent, get_event_bus, run_context, tool
from locus_nb._agent.messages import ToolCall
from locus_nb.testing import ScriptedModel
def last(run_id):
    data = get_event_bus().history(run_id)[-1]
    return data.event_type, data.data.get("reason")
"""


def in_fresh_python(body: str, *options: str, timeout: float = 60) -> str:
    """Run `body` in a new interpreter with all warnings as errors; give what it prints, which is all."""
    ended = subprocess.run(
        [sys.executable, "-W", "error", *options, "-c", PRELUDE + body],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert ended.stderr == ""
    assert ended.returncode == 0
    return ended.stdout


@pytest.fixture(autouse=True)
def _no_worker_left() -> Iterator[None]:
    """Stop the worker and with it the pool of threads that `asyncio.to_thread` made on its loop."""
    yield
    stop_worker()


@pytest.fixture
def ctrl_c() -> Iterator[CtrlC]:
    """Ctrl-C, to be pressed in another thread."""
    with CtrlC() as pressed:
        yield pressed


async def ident() -> int:
    """Tell the thread this runs in."""
    return threading.get_ident()


def in_thread(function: Callable[[], Any]) -> Any:
    """Call `function` in a thread of its own and give its result or raise its exception."""
    results: list[Any] = []

    def work() -> None:
        try:
            results.append(function())
        except BaseException as error:  # noqa: BLE001 - raised in the test
            results.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(30)
    assert results, "the thread hangs"
    if isinstance(results[0], BaseException):
        raise results[0]
    return results[0]


def test_one_thread_for_all_callers() -> None:
    """Callers in any thread, with a running loop or none, share one daemon thread."""

    async def from_a_loop() -> int:
        return run_on_worker(ident)

    idents = {run_on_worker(ident), in_thread(lambda: run_on_worker(ident)), asyncio.run(from_a_loop())}
    (only,) = idents
    assert only != threading.get_ident()
    (thread,) = [thread for thread in threading.enumerate() if thread.ident == only]
    assert thread.daemon


def test_the_context_is_a_copy() -> None:
    """The coroutine sees the caller's context; what it sets stays with it."""

    async def swap() -> str:
        before = NAME.get()
        NAME.set("inner")
        return before

    token = NAME.set("outer")
    try:
        assert run_on_worker(swap) == "outer"
        assert NAME.get() == "outer"
    finally:
        NAME.reset(token)


@pytest.mark.parametrize(
    "raised", [ValueError, KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError]
)
def test_exceptions_pass_and_the_worker_lives_on(raised: type[BaseException]) -> None:
    """What the coroutine raises is raised in the caller, and the worker serves the next one."""
    before = run_on_worker(ident)

    async def fail() -> NoReturn:
        raise raised("why")

    with pytest.raises(raised, match="why"):
        run_on_worker(fail)
    assert run_on_worker(ident) == before


def test_a_function_that_makes_no_coroutine() -> None:
    """An exception before there is a coroutine is the caller's too."""

    def fail() -> NoReturn:
        raise LookupError("none")

    with pytest.raises(LookupError, match="none"):
        run_on_worker(fail)


def test_callers_take_turns() -> None:
    """Two coroutines of two threads run at once: each waits for what the other does."""
    here, there = threading.Event(), threading.Event()

    async def meet(mine: threading.Event, other: threading.Event) -> None:
        mine.set()
        assert await asyncio.to_thread(other.wait, 30)

    first = threading.Thread(target=run_on_worker, args=[lambda: meet(here, there)])
    first.start()
    run_on_worker(lambda: meet(there, here))
    first.join(30)
    assert not first.is_alive()


def test_on_its_own_loop_it_refuses() -> None:
    """Called where waiting would block what is waited for, it raises at once and says what to do."""

    async def nested() -> int:
        return run_on_worker(ident)

    with pytest.raises(RuntimeError, match=r"await agent\.arun"):
        run_on_worker(nested)
    assert run_on_worker(ident)


def test_nested_through_a_thread() -> None:
    """A thread that the coroutine waits for may use the worker."""

    async def outer() -> int:
        return await asyncio.to_thread(run_on_worker, ident)

    assert run_on_worker(outer) == run_on_worker(ident)


def test_stopped_it_starts_again() -> None:
    """After a stop the next call has a new thread, and what was under way is cancelled."""
    number = run_on_worker(ident)
    (before,) = [thread for thread in threading.enumerate() if thread.ident == number]
    begun, ended = threading.Event(), threading.Event()

    async def wait() -> None:
        begun.set()
        await asyncio.Event().wait()

    def expect() -> None:
        with pytest.raises(asyncio.CancelledError):
            run_on_worker(wait)
        ended.set()

    waiting = threading.Thread(target=expect)
    waiting.start()
    assert begun.wait(30)
    stop_worker()
    waiting.join(30)
    assert ended.is_set()
    assert not before.is_alive()
    assert run_on_worker(ident)


def test_an_interrupt_waits_for_the_end(ctrl_c: CtrlC) -> None:
    """Interrupted while waiting, the caller gets its interrupt only after the coroutine has cleaned up."""
    said: list[str] = []

    async def work() -> None:
        ctrl_c.press()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.sleep(0.05)
            said.append("cleaned up")
            raise

    with pytest.raises(KeyboardInterrupt):
        run_on_worker(work)
    assert said == ["cleaned up"]


def test_an_interrupt_does_not_wait_for_ever(ctrl_c: CtrlC, monkeypatch: pytest.MonkeyPatch) -> None:
    """A coroutine that will not end holds its interrupted caller no longer than the bound."""
    monkeypatch.setattr(worker_module, "INTERRUPT_SECONDS", 0.05)
    go_on = threading.Event()

    async def stubborn() -> None:
        ctrl_c.press()
        while not go_on.is_set():
            try:
                await asyncio.to_thread(go_on.wait)
            except asyncio.CancelledError:
                continue

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_on_worker(stubborn)
    assert time.monotonic() - began < 30
    go_on.set()


def test_what_does_not_end_keeps_nobody_else_waiting(ctrl_c: CtrlC, monkeypatch: pytest.MonkeyPatch) -> None:
    """After an interrupt that a blocking coroutine did not heed, the next caller has a worker of its own."""
    monkeypatch.setattr(worker_module, "INTERRUPT_SECONDS", 0.05)
    go_on = threading.Event()

    blocked: list[int] = []

    async def blocking() -> None:
        blocked.append(threading.get_ident())
        ctrl_c.press()
        go_on.wait(60)

    try:
        with pytest.raises(KeyboardInterrupt):
            run_on_worker(blocking)
        assert run_on_worker(ident) not in blocked
    finally:
        go_on.set()


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_interrupt_while_the_worker_is_handed_the_work(when: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interrupt just before or after the loop is told to begin costs neither time nor the worker."""
    run_on_worker(ident)
    before = worker_module._worker()
    # Whoever waits for that long has lost the worker too.
    monkeypatch.setattr(worker_module, "INTERRUPT_SECONDS", 30.0)
    call = worker_module._Worker.call
    begun: list[int] = []
    told: list[int] = []

    def interrupted(worker: worker_module._Worker, function: Callable[[], None]) -> None:
        told.append(1)
        if len(told) > 1 or when == "after":
            call(worker, function)
        if len(told) == 1:
            raise KeyboardInterrupt

    async def work() -> None:
        begun.append(1)
        await asyncio.Event().wait()

    monkeypatch.setattr(worker_module._Worker, "call", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_on_worker(work)
    assert worker_module._worker() is before
    assert begun == [] or when == "after"


def test_what_was_interrupted_before_it_began_does_not_begin() -> None:
    """Work that the loop is told of only after its interruption is not begun."""
    begun: list[int] = []

    async def work() -> None:
        begun.append(1)

    job = worker_module._Job(work, contextlib.nullcontext)
    worker = worker_module._worker()
    job._worker = worker
    job.interrupt()
    job.hand_to(worker)
    assert run_on_worker(ident)
    assert isinstance(job.outcome.exception(0), asyncio.CancelledError)
    assert begun == []


def test_ctrl_c_is_heard_where_a_loop_runs() -> None:
    """In a coroutine of `asyncio.run`, whose Ctrl-C only tells its loop, a blocked run_sync is interrupted too."""
    body = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
go_on = threading.Event()
@tool
def wait() -> str:
    "Wait."
    begun.set()
    go_on.wait(60)
    return "done"
begun = threading.Event()
over = threading.Event()
def press():
    begun.wait()
    while not over.is_set():
        os.kill(os.getpid(), signal.SIGINT)
        over.wait(0.2)
threading.Thread(target=press, daemon=True).start()
async def main():
    handler = signal.getsignal(signal.SIGINT)
    try:
        with run_context("r"):
            Agent(ScriptedModel([ToolCall("wait", {}), "done"]), tools=[wait]).run_sync("Wait")
    except KeyboardInterrupt:
        over.set()
    go_on.set()
    print(signal.getsignal(signal.SIGINT) is handler, last("r"))
asyncio.run(main())
"""
    assert in_fresh_python(body) == "True ('agent.terminate', 'interrupted')\n"


@pytest.mark.parametrize("options", [(), ("-X", "dev"), ("-OO",)])
def test_an_idle_worker_leaves_no_trace(options: tuple[str, ...]) -> None:
    """A process that used the worker ends at once and silently, in debug and optimised mode too."""
    body = """
with run_context("r"):
    print(Agent().run_sync("Hello").reason, last("r"))
"""
    assert in_fresh_python(body, *options) == "complete ('agent.terminate', 'complete')\n"


def test_a_busy_worker_does_not_hold_the_process() -> None:
    """A process may end while a daemon thread of its waits in run_sync, and while a tool hangs."""
    body = """
begun = threading.Event()
@tool
def hang() -> None:
    begun.set()
    threading.Event().wait()
agent = Agent(ScriptedModel([ToolCall("hang")]), tools=[hang])
threading.Thread(target=agent.run_sync, args=["Hang"], daemon=True).start()
begun.wait()
print("done")
"""
    assert in_fresh_python(body, "-X", "dev") == "done\n"


def test_leaving_run_early_is_silent() -> None:
    """A main function that ends right after a `break` leaves nothing to warn of, and the agent says so."""
    body = """
async def main():
    with run_context("r"):
        async for event in Agent().run("Hello"):
            break
asyncio.run(main())
print(last("r"))
"""
    assert in_fresh_python(body, "-X", "dev") == "('agent.terminate', 'interrupted')\n"


FORK = """
if sys.version_info >= (3, 12):
    import warnings
    warnings.simplefilter("ignore", DeprecationWarning)
with run_context("parent"):
    Agent().run_sync("Hello")
read, write = os.pipe()
child = os.fork()
if child == 0:
    with run_context("child"):
        Agent().run_sync("Hello")
    os.write(write, repr(last("child")).encode())
    sys.exit()
os.close(write)
os.waitpid(child, 0)
print(os.read(read, 1000).decode())
os.close(read)
with run_context("again"):
    Agent().run_sync("Hello")
print(last("again"))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
@pytest.mark.parametrize("options", [(), ("-X", "dev")])
def test_a_forked_child_has_its_own(options: tuple[str, ...]) -> None:
    """In a forked child run_sync works, both processes end silently, and the parent's still works."""
    assert in_fresh_python(FORK, *options) == "('agent.terminate', 'complete')\n" * 2


def test_nested_loops_do_not_harm_it() -> None:
    """Patched by nest-asyncio before and after its start, the worker still works."""
    body = """
from locus_nb import allow_nested_loops
first = Agent().run_sync("Hello").message
async def main():
    allow_nested_loops()
    return Agent().run_sync("Hello").message
assert asyncio.run(main()) == first == Agent().run_sync("Hello").message
from locus_nb._agent.worker import stop_worker
stop_worker()
print(Agent().run_sync("Hello").message == first)
"""
    assert in_fresh_python(body) == "True\n"


def test_ctrl_c_in_a_script() -> None:
    """SIGINT during run_sync ends it as interrupted, and the script can go on."""
    body = """
import signal
# What runs this may have started us with the signal ignored, as a shell does with its background jobs.
signal.signal(signal.SIGINT, signal.default_int_handler)
@tool
def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(60)
with run_context("r"):
    try:
        Agent(ScriptedModel([ToolCall("interrupt")]), tools=[interrupt]).run_sync("Go")
    except KeyboardInterrupt:
        print(last("r"))
"""
    assert in_fresh_python(body, timeout=30) == "('agent.terminate', 'interrupted')\n"
