"""The context that code was given away in, kept where it runs: in another thread, loop or task."""

from __future__ import annotations

import functools
import inspect
import sys
import types
import weakref
from concurrent.futures import Executor
from contextvars import copy_context
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
    from concurrent.futures import Future
    from contextvars import Context

P = ParamSpec("P")
R = TypeVar("R")


def propagate(function: Callable[P, R], /) -> Callable[P, R]:
    """Make a function that runs in the context that is current now, wherever and whenever it is called.

    So what it emits belongs to the run that is current now. All of the context is kept, not the run alone: other
    libraries' variables too, and in a notebook where prints go. Each call runs in a copy of its own, so any
    number of threads may call it at once, and what one call sets neither another nor the caller sees. Of a
    coroutine function, a generator function or an async generator function, every step of a call runs in that
    call's copy; the result is of the same kind. So does every step of a coroutine, generator or async generator
    that any other function gives. Another object that can be awaited stays what it is; a task that is made in the
    call has the context anyway.

    Call it inside of the run, where the function is given away: above a `def` at the top of a module there is no
    run yet. Tasks, `asyncio.gather`, `asyncio.to_thread`, `run_coroutine_threadsafe` and agents need none of this.

    Raises:
        TypeError: `function` cannot be called.

    Example:
        >>> from threading import Thread
        >>> from locus_nb import emit_sync, propagate, run
        >>> with run() as r:
        ...     thread = Thread(target=propagate(emit_sync), args=["my.step"])
        ...     thread.start()
        ...     thread.join()
        >>> [event.event_type for event in r.events]
        ['my.step']
    """
    if not callable(function):
        kind = type(cast("object", function)).__name__
        hint = " (pass the function, not what it gives)" if inspect.isawaitable(function) else ""
        raise TypeError(f"propagate() takes a function, not {kind}{hint}")
    wrapper = next(wrap for is_kind, wrap in _KINDS if is_kind(function))(function, copy_context())
    # A partial and other callable objects have no name to be taken over.
    return functools.wraps(cast("Any", function))(wrapper)


class PropagatingExecutor(Executor):
    """An executor whose calls run in the context they were submitted in, so that their events find the run.

    It gives each call, with a copy of the context that is current at `submit` or `map`, to the executor that it
    is made of. Wherever an executor is taken it can be, as by `loop.run_in_executor`, but not where asyncio wants a
    ThreadPoolExecutor and nothing else (`loop.set_default_executor`). It owns nothing: `shutdown`,
    and leaving its `with`, is the other one's, which may have several of these. Any thread.

    Args:
        executor: Runs the calls, in threads of this process.

    Raises:
        TypeError: It is no executor, or one of processes, which share neither a context nor a bus.

    Example:
        >>> from concurrent.futures import ThreadPoolExecutor
        >>> from locus_nb import PropagatingExecutor, current_run_id, run_context
        >>> with PropagatingExecutor(ThreadPoolExecutor()) as pool, run_context("run-1"):
        ...     pool.submit(current_run_id).result()
        'run-1'
    """

    def __init__(self, executor: Executor) -> None:
        if not isinstance(executor, Executor):  # pyright: ignore[reportUnnecessaryIsInstance] - said to those without
            raise TypeError(
                f"PropagatingExecutor takes an executor, not {type(executor).__name__}: pass a ThreadPoolExecutor()"
            )
        processes = sys.modules.get("concurrent.futures.process")
        if processes is not None and isinstance(executor, processes.ProcessPoolExecutor):
            raise TypeError(
                "PropagatingExecutor takes no executor of processes: each has a bus of its own. Pass current_run_id()"
                " along, and enter run_context() with it there"
            )
        self._executor = executor

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Have `fn` called in a copy of this context.

        Raises:
            RuntimeError: The executor was shut down.
        """
        return self._executor.submit(copy_context().run, fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002 - its form
        """Shut the executor down."""
        self._executor.shutdown(wait, cancel_futures=cancel_futures)

    def __repr__(self) -> str:
        return f"<PropagatingExecutor of {self._executor!r}>"


def _plain(function: Callable[..., Any], kept: Context) -> Callable[..., Any]:
    def call(*args: Any, **options: Any) -> Any:
        context = kept.copy()
        return _carried(context.run(function, *args, **options), context)

    return call


def _coroutine(function: Callable[..., Coroutine[Any, Any, Any]], kept: Context) -> Callable[..., Any]:
    async def call(*args: Any, **options: Any) -> Any:
        context = kept.copy()
        return await _awaited(context.run(function, *args, **options), context)

    return call


def _generator(function: Callable[..., Generator[Any, Any, Any]], kept: Context) -> Callable[..., Any]:
    def call(*args: Any, **options: Any) -> Generator[Any, Any, Any]:
        context = kept.copy()
        return (yield from _steps(context.run(function, *args, **options), context))

    return call


def _async_generator(function: Callable[..., AsyncGenerator[Any, Any]], kept: Context) -> Callable[..., Any]:
    async def call(*args: Any, **options: Any) -> AsyncGenerator[Any, Any]:
        context = kept.copy()
        inner = context.run(function, *args, **options)
        step: Any = inner.asend(None)
        try:
            while True:
                try:
                    value = await _awaited(step, context)
                except StopAsyncIteration:
                    return
                try:
                    step = inner.asend((yield value))
                except GeneratorExit:
                    raise
                except BaseException as error:  # noqa: BLE001 - raised again in the generator
                    step = inner.athrow(error)
        finally:
            await _awaited(inner.aclose(), context)

    return call


def _is_generator_function(function: object) -> bool:
    # `types.coroutine` makes generators that can be awaited; those are known by what they are, see `_carried`.
    flags: int = getattr(getattr(function, "__code__", None), "co_flags", 0)
    return inspect.isgeneratorfunction(function) and not flags & inspect.CO_ITERABLE_COROUTINE


# What is none of the others is a plain function.
_KINDS: tuple[tuple[Callable[[object], bool], Callable[..., Callable[..., Any]]], ...] = (
    (inspect.isasyncgenfunction, _async_generator),
    (_is_generator_function, _generator),
    (inspect.iscoroutinefunction, _coroutine),
    (callable, _plain),
)


# What a function may give that runs later, in steps.
_STEPWISE: tuple[tuple[type, Callable[..., Callable[..., Any]]], ...] = (
    (types.CoroutineType, _coroutine),
    (types.GeneratorType, _generator),
    (types.AsyncGeneratorType, _async_generator),
)


def _carried(made: Any, context: Context) -> Any:
    """Give what a function gave; if it runs in steps, as one of the same kind whose steps run in the context."""
    carry = next((carry for kind, carry in _STEPWISE if isinstance(made, kind)), None)
    if carry is None:
        return made
    call = carry(lambda: made, context)
    is_awaitable = inspect.isawaitable(cast("object", made))
    carried: Any = (types.coroutine(call) if is_awaitable and carry is _generator else call)()
    carried.__name__, carried.__qualname__ = made.__name__, made.__qualname__
    if carry is _coroutine:
        # One that is cancelled before its first step never gets to the one inside, which would complain.
        weakref.finalize(carried, made.close).atexit = False
    return carried


def _steps(inner: Any, context: Context) -> Generator[Any, Any, Any]:
    """Do what `yield from inner` does, each step of it in a context; `inner` may be what can be awaited, too."""
    step, given = inner.send, None
    while True:
        try:
            value = context.run(step, given)
        except StopIteration as stop:
            return stop.value
        try:
            step, given = inner.send, (yield value)
        except GeneratorExit:
            context.run(inner.close)
            raise
        except BaseException as error:  # noqa: BLE001 - raised again in the generator
            step, given = inner.throw, error


_awaited = types.coroutine(_steps)
