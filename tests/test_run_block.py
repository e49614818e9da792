from __future__ import annotations

import asyncio
import contextvars
import gc
from typing import TYPE_CHECKING, Any

import pytest

from locus_nb import (
    Agent,
    Run,
    ToolCall,
    configure,
    current_run_id,
    emit_sync,
    get_event_bus,
    history,
    last_run,
    load,
    reset_event_bus,
    run,
    run_context,
    runs,
    runs_df,
    tool,
)
from locus_nb.testing import ScriptedModel
from tests.bus_kit import drain, in_threads, put
from tests.run_kit import html_of, text_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path


def fail(error: BaseException, event_type: str = "agent.think", **data: Any) -> None:
    """Emit something, and raise."""
    emit_sync(event_type, **data)
    raise error


def test_run_is_read_inside_and_after() -> None:
    """What is yielded is the run: running inside with what was emitted so far, ended afterwards."""
    with run("trip", tags={"prompt": "v2"}) as trip:
        assert isinstance(trip, Run)
        assert (trip.name, dict(trip.tags), trip.status, trip.ended_at) == (
            "trip",
            {"prompt": "v2"},
            "running",
            None,
        )
        assert trip.started_at is not None
        assert current_run_id() == trip.id
        emit_sync("agent.tokens.used", prompt_tokens=3, completion_tokens=1, span_id="s")
        assert (len(trip.events), trip.tokens.total) == (1, 4)
        assert (trip.cell_id, trip.execution_count) == (None, None)
    assert (trip.status, current_run_id()) == ("ok", None)
    assert trip.ended_at is not None


def test_async_with_does_the_same() -> None:
    """`async with` yields, nests, restores and ends as `with` does."""

    async def main() -> None:
        async with run("outer") as outer:
            with run("inner") as inner:
                assert current_run_id() == inner.id != outer.id
            assert (inner.status, outer.status, current_run_id()) == ("ok", "running", outer.id)
        assert (outer.status, current_run_id()) == ("ok", None)

    asyncio.run(main())


def test_it_puts_no_event_of_its_own() -> None:
    """Entering and leaving tells readers of the run, its name, tags and end, and publishes nothing."""
    everything = get_event_bus().subscribe_global()
    with run("trip", tags={"a": "b"}, run_id="r"):
        batch = everything.next_batch_nowait()
        assert batch is not None
        (record,) = batch.runs
        assert (batch.events, record.run_id, record.name, dict(record.tags)) == ((), "r", "trip", {"a": "b"})
        reader = get_event_bus().subscribe("r")
    batch = everything.next_batch_nowait()
    assert batch is not None
    assert (batch.events, [(each.status, each.closed) for each in batch.runs]) == ((), [("ok", True)])
    assert (drain(reader), reader.closed) == ([], True)
    assert get_event_bus().stats()["published_events_total"] == 0


# How it ends


@pytest.mark.parametrize(
    "raised, status",
    [
        (ZeroDivisionError(), "error"),
        (TimeoutError(), "error"),
        (KeyboardInterrupt(), "interrupted"),
        (asyncio.CancelledError(), "interrupted"),
        (BaseExceptionGroup("", [KeyboardInterrupt(), asyncio.CancelledError()]), "interrupted"),
        (BaseExceptionGroup("", [KeyboardInterrupt(), ValueError()]), "error"),
        (SystemExit(), "ok"),
        (SystemExit(3), "error"),
        (BaseException(), "error"),
    ],
    ids=repr,
)
def test_exception_decides_the_status(raised: BaseException, status: str) -> None:
    """What leaves the block goes on, and says how the run ended, whatever its agent said before."""
    for event_type in ("agent.think", "agent.terminate"):
        with pytest.raises(type(raised)), run(run_id="r"):
            fail(raised, event_type, reason="complete")
        assert (Run("r").status, current_run_id()) == (status, None)


@pytest.mark.parametrize(
    "reason, status", [("complete", "ok"), ("error", "error"), ("interrupted", "interrupted")]
)
def test_agent_decides_where_nothing_is_raised(reason: str, status: str) -> None:
    """A block that ends by itself, or catches what its agent raised, has the status that its agent told."""
    with run() as ended:
        emit_sync("agent.terminate", reason=reason)
    assert ended.status == status


def test_agent_that_is_read_no_further_interrupts_the_run() -> None:
    """It ends when its reader is collected, in the block or after it, and object, list and frame say the same."""

    @tool
    async def wait() -> None:
        """Wait."""
        await asyncio.Event().wait()

    async def main() -> list[Run]:
        found: list[Run] = []
        for is_late in (False, True):
            with run() as broken_off:
                found.append(broken_off)
                reading = Agent(ScriptedModel([ToolCall("wait", {})]), tools=[wait]).run("Go.")
                async for _ in reading:
                    break
                if not is_late:
                    await reading.aclose()
            assert broken_off.status == ("ok" if is_late else "interrupted")
            await reading.aclose()
        return found

    for broken_off in asyncio.run(main()):
        row = runs_df(broken_off).iloc[0]
        assert (row["status"], row["terminate_reason"], broken_off.status) == ("interrupted",) * 3
        assert broken_off in runs().filter(status="interrupted")


def test_cancelled_task_is_interrupted() -> None:
    """A task that is cancelled in the block leaves an interrupted run."""
    found: list[Run] = []

    async def work(begun: asyncio.Event) -> None:
        async with run() as cancelled:
            found.append(cancelled)
            begun.set()
            await asyncio.Event().wait()

    async def main() -> None:
        begun = asyncio.Event()
        task = asyncio.create_task(work(begun))
        await begun.wait()
        task.cancel()
        await asyncio.wait({task})

    asyncio.run(main())
    assert found[0].status == "interrupted"


def test_run_in_an_async_generator_is_ended_by_its_close() -> None:
    """A generator whose consumer leaves early, in whatever context, has a run that was interrupted, and no error."""
    found: list[Run] = []

    async def steps() -> AsyncGenerator[int, None]:
        async with run() as stepping:
            found.append(stepping)
            for n in range(10):
                emit_sync("step", n=n)
                yield n

    async def main() -> None:
        generator = steps()
        assert await generator.__anext__() == 0
        assert await asyncio.create_task(anext(generator)) == 1  # pyright: ignore[reportArgumentType] - a coroutine
        await asyncio.create_task(generator.aclose())

    asyncio.run(main())
    gc.collect()
    assert (found[0].status, len(found[0].events)) == ("interrupted", 2)


def test_closed_by_hand_keeps_its_status() -> None:
    """A stream that was closed inside the block stays closed, as it was."""
    with run() as closed:
        get_event_bus().close_stream_nowait(closed.id, status="interrupted")
    assert closed.status == "interrupted"


def test_close_with_a_status_it_cannot_have() -> None:
    """A run cannot be closed as running or as anything else but ok, error and interrupted."""
    with pytest.raises(ValueError, match="ends as ok, error or interrupted, not as 'running'"):
        get_event_bus().close_stream_nowait("r", status="running")
    with pytest.raises(ValueError, match="not as 'done'"):
        asyncio.run(get_event_bus().close_stream("r", status="done"))  # pyright: ignore[reportArgumentType]
    assert get_event_bus().run_record("r") is None


def test_it_ends_on_the_bus_that_it_began_on() -> None:
    """After `reset_event_bus` in the block it is the old bus's run that ends."""
    bus = get_event_bus()
    with run("trip") as trip:
        reset_event_bus()
    assert trip.source == bus
    record = bus.run_record(trip.id)
    assert record is not None
    assert record.status == "ok"
    assert Run(trip.id).status is None


# Again, and elsewhere


def test_run_that_goes_on_is_followed_live() -> None:
    """A block with the id of a closed run opens it again: who follows reads on, and its name and tags stay."""
    bus = get_event_bus()
    follower = bus.subscribe("r", follow=True)
    for turn in range(3):
        with run("trip" if turn == 0 else None, tags={"a": "b"} if turn == 0 else None, run_id="r") as again:
            put(bus, [turn], "r")
            assert drain(follower) == [turn]
            assert (again.name, dict(again.tags), again.status) == ("trip", {"a": "b"}, "running")
        assert again.status == "ok"
    assert not follower.closed
    assert bus.stats()["late_events_total"] == 0


def test_run_that_goes_on_forgets_how_it_ended() -> None:
    """A block that failed and then succeeds is ok."""
    with pytest.raises(ZeroDivisionError), run(run_id="r"):
        raise ZeroDivisionError
    with run(run_id="r") as again:
        emit_sync("agent.think")
    assert again.status == "ok"


def test_a_block_is_entered_once() -> None:
    """Entering the same object again is a RuntimeError, nested or later."""
    block = run("trip")
    with block:
        with pytest.raises(RuntimeError, match=r"run\('trip'\) was entered before"), block:
            pass
        assert current_run_id() is not None
    with pytest.raises(RuntimeError, match="entered before"):
        block.__enter__()
    assert current_run_id() is None


def test_left_in_another_context() -> None:
    """Entered in one cell with top-level await and left in another, which is in no run: it ends, and that stays so."""
    first, second = contextvars.copy_context(), contextvars.copy_context()
    block = run()
    with run_context("outer"):
        entered = contextvars.copy_context().run(block.__enter__)
        second.run(block.__exit__, None, None, None)
    assert first.run(current_run_id) is None
    assert (second.run(current_run_id), entered.status) == (None, "ok")
    block.__exit__(None, None, None)
    assert current_run_id() is None


def test_many_threads_have_runs_of_their_own() -> None:
    """Runs of threads do not meet: each has its own events and ends by itself."""

    def work(name: str) -> list[int]:
        with run(name) as mine:
            for n in range(50):
                emit_sync("step", n=n)
        return [event.data["n"] for event in mine.events]

    assert in_threads(*(lambda name=name: work(name) for name in "abcd")) == [list(range(50))] * 4


# What is no name and no tag


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ({"name": 7}, TypeError, "A run's name is a str, not int"),
        ({"name": " "}, ValueError, "A run's name is not empty"),
        ({"tags": "prompt=v2"}, TypeError, "A run's tags are a mapping, not str"),
        ({"tags": {1: "x"}}, TypeError, "A tag's name is a str, not int"),
        ({"tags": {"": "x"}}, ValueError, "A tag's name is not empty"),
        ({"tags": {"heat": 0.2}}, TypeError, "The tag 'heat' is a str, not float: pass str"),
        ({"run_id": ""}, ValueError, "A run id is not empty"),
        ({"run_id": 7}, TypeError, "A run id is a str, not int"),
    ],
)
def test_what_cannot_be_is_refused(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    """A bad name, tag or id is refused before anything is begun, and what to do is said."""
    with pytest.raises(error, match=message):
        run(**arguments)
    assert (current_run_id(), len(runs())) == (None, 0)


def test_tags_are_kept_as_they_were() -> None:
    """A later change of the caller's dict does not rewrite the run's tags."""
    tags = {"a": "b"}
    with run(tags=tags) as tagged:
        tags["a"] = "c"
        assert dict(tagged.tags) == {"a": "b"}


# Where name and tags are shown


def test_lists_pictures_and_frames_show_name_and_tags() -> None:
    """The last run, the list of runs and its filters, their pictures and the frame know the name and the tags."""
    with run("trip", tags={"prompt": "v2"}) as trip:
        emit_sync("agent.think", iteration=1)
    assert last_run() == trip
    assert [each.id for each in runs().filter(name="trip", tag="prompt=v2", status="ok")] == [trip.id]
    assert "trip" in text_of(trip)
    assert "prompt=v2" in html_of(trip)
    assert "trip · run-" in text_of(runs())
    (row,) = runs_df().to_dict("records")
    assert (row["name"], row["tags"], row["status"]) == ("trip", {"prompt": "v2"}, "ok")


def test_files_keep_name_tags_and_status(tmp_path: Path) -> None:
    """A run that is saved and loaded has its name, its tags and the status that its exception gave it."""
    with pytest.raises(ZeroDivisionError), run("trip", tags={"prompt": "v2"}, run_id="r") as trip:
        fail(ZeroDivisionError())
    trip.save(tmp_path / "trip.jsonl")
    loaded = Run("r", source=load(tmp_path / "trip.jsonl"))
    assert (loaded.name, dict(loaded.tags), loaded.status) == ("trip", {"prompt": "v2"}, "error")


@pytest.mark.parametrize("name", ["runs.db", "runs.jsonl"])
def test_stores_keep_name_tags_and_status(tmp_path: Path, name: str) -> None:
    """A store has the run's name, its tags and its status, also when the bus has forgotten the run."""
    store = configure(store=tmp_path / name)
    assert store is not None
    with pytest.raises(KeyboardInterrupt), run("trip", tags={"prompt": "v2"}, run_id="r") as trip:
        fail(KeyboardInterrupt())
    assert store.flush()
    get_event_bus().drop_history_nowait("r")
    assert (trip.name, dict(trip.tags), trip.status) == ("trip", {"prompt": "v2"}, "interrupted")
    configure(store=None)
    (stored,) = history(tmp_path / name).runs()
    assert (stored.name, dict(stored.tags), stored.status) == ("trip", {"prompt": "v2"}, "interrupted")
