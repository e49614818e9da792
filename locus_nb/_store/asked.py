"""What is asked for: which runs, which types of events, which stretch of time. Everywhere in the same forms."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from locus_nb._event import exact, run_id_error
from locus_nb._source import is_source

if TYPE_CHECKING:
    from locus_nb._source import Source

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# Microseconds; beyond any datetime, and within 64 bits.
_FOREVER = 1 << 62


# Runs


def run_id_of(run: object) -> str | None:
    """Give the id that names a run: a text, or an object's `run_id` or `id` that is one; None if it names none."""
    for run_id in (run, getattr(run, "run_id", None), getattr(run, "id", None)):
        if isinstance(run_id, str):
            return run_id
    return None


def several(run: object) -> list[object] | None:
    """Give what is asked for one by one, if that is several, also as a table with a column `run_id`; else None."""
    if run_id_of(run) is not None:
        return None
    # A table goes through the names of its columns, none of which is meant.
    members = getattr(run, "run_id", None if hasattr(run, "columns") else run)
    if not isinstance(members, Iterable) or isinstance(members, bytes | bytearray):
        return None
    return list(cast("Iterable[object]", members))


def checked_run_id(run: object, caller: str, *, also: str = "") -> str:
    """Give the id of a run, or of an object that stands for one.

    Args:
        run: What was given for a run.
        caller: The function that was called, for the messages.
        also: What else it takes.

    Raises:
        TypeError: It is neither.
        ValueError: The id is empty.
    """
    run_id = run_id_of(run)
    if run_id is None:
        hint = ": pass that as source" if is_source(run) else ""
        raise TypeError(
            f"{caller} takes a run's id, an object with one as run_id or id, or several of those{also}; not "
            f"{type(run).__name__}{hint}"
        )
    if (error := run_id_error(run_id)) is not None:
        raise error
    return exact(run_id)


def asked_run_ids(run: object, caller: str) -> list[str] | None:
    """Give the ids of what is one run or several; None for None.

    Raises:
        TypeError, ValueError: As `checked_run_id`.
    """
    if run is None:
        return None
    members = several(run)
    return [checked_run_id(each, caller) for each in ([run] if members is None else members)]


def checked_source(source: object, caller: str) -> Source:
    """Give a source that was passed to `caller`.

    Raises:
        TypeError: It is none.
    """
    if not is_source(source):
        raise TypeError(
            f"{caller} reads runs from a source: an EventBus, history('runs.db'), or what load() gives; not from "
            f"{type(source).__name__}"
        )
    return source


# Names


def asked_types(event_type: object, caller: str) -> list[str] | None:
    """Give the patterns of event types that are asked for; None: all.

    Raises:
        TypeError: `event_type` is neither a str nor an iterable of such.
    """
    if event_type is None:
        return None
    patterns = [event_type] if isinstance(event_type, str) else event_type
    if not isinstance(patterns, Iterable):
        raise TypeError(f"{caller} takes a name or names as event_type, not {type(event_type).__name__}")
    names = list(cast("Iterable[Any]", patterns))
    if not all(isinstance(name, str) for name in names):
        raise TypeError(f"{caller} takes names of event types, in which * stands for anything, not {names!r}")
    return names


# Times


def between(since: object, until: object, caller: str) -> tuple[int, int] | None:
    """Give a stretch of time in microseconds since the Unix epoch, its end excluded; None for all time.

    Raises:
        TypeError: One is neither an aware datetime nor a text.
        ValueError: One is naive, or a text that is no time in ISO 8601 with an offset.
    """
    if since is None and until is None:
        return None
    first = -_FOREVER if since is None else _microseconds(since, "since", caller)
    return first, _FOREVER if until is None else _microseconds(until, "until", caller)


def _microseconds(time: object, name: str, caller: str) -> int:
    if isinstance(time, str):
        try:
            time = datetime.fromisoformat(time)
        except ValueError as error:
            raise ValueError(f"{caller} takes a time in ISO 8601 as {name}: {error}") from None
    # pandas' NaT is a datetime too, and equal to nothing.
    if not isinstance(time, datetime) or time != time:  # noqa: PLR0124
        raise TypeError(
            f"{caller} takes an aware datetime, or one as text, as {name}, not {type(time).__name__}"
        )
    if time.utcoffset() is None:
        raise ValueError(f"{caller} refuses a naive {name}, whose zone is a guess: use datetime.now(UTC)")
    # The next whole one, as events have only such: pandas' times may be finer.
    return -((_EPOCH - time) // _MICROSECOND)
