"""The columns of each frame: declared once, for what makes them, what checks them and what documents them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

T = TypeVar("T")

_CATEGORY, _COUNT, _AMOUNT, _TEXT = "category", "Int64", "Float64", "string"
_TIME = "datetime64[ns, UTC]"


class Column(NamedTuple):
    """One column of a frame.

    Attributes:
        name: How it is called.
        dtype: Its dtype, as pandas writes it.
        unit: What its numbers count or measure, or the zone of its times; "" where there is none.
        group: The name under which `columns=` takes it together with others; "" in a table without that.
        meaning: What it holds, and where it comes from.
        otel: Its name in OpenTelemetry's semantic conventions for generative AI (of release 1.38, in which they are
            still under development), under which `columns="otel"` gives it; "" if it has none there.
    """

    name: str
    dtype: str
    unit: str
    group: str
    meaning: str
    otel: str = ""


_INPUT = "gen_ai.usage.input_tokens"
_OUTPUT = "gen_ai.usage.output_tokens"
_READ = "gen_ai.usage.cache_read.input_tokens"
_WRITTEN = "gen_ai.usage.cache_creation.input_tokens"
_RUN = "gen_ai.conversation.id"
_AGENT = "gen_ai.agent.name"
_TOOL = "gen_ai.tool.name"
_MODEL = "gen_ai.request.model"
_ERROR = "error.type"

EVENTS = (
    Column("run_id", _CATEGORY, "", "id", "the run", _RUN),
    Column(
        "seq", _COUNT, "", "id", "place in its source's total order; NA for an event that was not published"
    ),
    Column("event_id", _TEXT, "", "id", "unique id"),
    Column("timestamp", _TIME, "UTC", "time", "when it was made; NaT outside the years 1678 to 2262"),
    Column("elapsed_ms", _AMOUNT, "ms", "time", "since the earliest event of its run in this frame"),
    Column("event_type", _CATEGORY, "", "kind", "dotted name"),
    Column("category", _CATEGORY, "", "kind", "family: the event type up to its first dot"),
    Column("span_id", _TEXT, "", "span", "payload"),
    Column("parent_span_id", _TEXT, "", "span", "payload"),
    Column("agent_name", _CATEGORY, "", "span", "payload", _AGENT),
    Column("iteration", _COUNT, "", "span", "payload, from 1"),
    Column("status", _CATEGORY, "", "outcome", "of what has ended: `ok`, `error` or `interrupted`; else NA"),
    Column("duration_ms", _AMOUNT, "ms", "time", "payload"),
    Column("model", _CATEGORY, "", "call", "payload", _MODEL),
    Column("tool_name", _CATEGORY, "", "call", "payload", _TOOL),
    Column(
        "input_tokens",
        _COUNT,
        "tokens",
        "usage",
        "`agent.tokens.used`: prompt tokens, cached ones included",
        _INPUT,
    ),
    Column("output_tokens", _COUNT, "tokens", "usage", "`agent.tokens.used`: completion tokens", _OUTPUT),
    Column(
        "cost_usd",
        _AMOUNT,
        "USD",
        "usage",
        "payload; NA where unknown, never 0 for that. Several events may tell of one cost",
    ),
    Column(
        "error_type",
        _CATEGORY,
        "",
        "outcome",
        "payload, or the class named at the start of its error",
        _ERROR,
    ),
    Column("preview", _TEXT, "", "payload", "one line about the event, at most 240 characters"),
    Column("data", "object", "", "payload", "the payload, a dict"),
)

_BEGAN = Column(
    "start_time", _TIME, "UTC", "time", "when it began; NaT if neither its start nor its duration is known"
)
_ENDED = Column("end_time", _TIME, "UTC", "time", "when it ended; NaT while it goes on, or if it never did")
_TOOK = Column("duration_ms", _AMOUNT, "ms", "time", "payload of its end, else from start to end")
_PLACED = (
    Column("run_id", _CATEGORY, "", "id", "the run", _RUN),
    Column("span_id", _TEXT, "", "id", "payload; NA where start and end were paired by name"),
    Column("parent_id", _TEXT, "", "id", "payload: the span it is part of"),
)
_OF_AGENT = (
    Column("agent_name", _CATEGORY, "", "call", "payload", _AGENT),
    Column("iteration", _COUNT, "", "call", "payload, from 1"),
)
_OUTCOME = (
    Column("status", _CATEGORY, "", "outcome", "`ok`, `error` or `interrupted`; NA while it goes on"),
    Column(
        "error_type",
        _CATEGORY,
        "",
        "outcome",
        "payload, or the class named at the start of its error",
        _ERROR,
    ),
    Column("error", _TEXT, "", "outcome", "what its end says of its error"),
)
_USAGE = (
    Column(
        "input_tokens",
        _COUNT,
        "tokens",
        "usage",
        "prompt tokens, cached ones included; NA if never told",
        _INPUT,
    ),
    Column("output_tokens", _COUNT, "tokens", "usage", "completion tokens", _OUTPUT),
    Column("cache_read_input_tokens", _COUNT, "tokens", "usage", "of the input: read from a cache", _READ),
    Column(
        "cache_write_input_tokens", _COUNT, "tokens", "usage", "of the input: written into a cache", _WRITTEN
    ),
    Column("total_tokens", _COUNT, "tokens", "usage", "input and output"),
    Column(
        "cost_usd",
        _AMOUNT,
        "USD",
        "usage",
        "told or by `prices`; NA if any of it is unknown, never 0 for that",
    ),
)

SPANS = (
    *_PLACED,
    Column(
        "name",
        _CATEGORY,
        "",
        "kind",
        "of the tool, model or agent, else the event type without its last part",
    ),
    Column("span_kind", _CATEGORY, "", "kind", "`model`, `tool`, `agent` or `other`"),
    _BEGAN,
    _ENDED,
    _TOOK,
    Column(
        "status_code",
        _CATEGORY,
        "",
        "outcome",
        "`OK`, `ERROR` (also of what was interrupted), `UNSET` without an end",
    ),
    Column("status_message", _TEXT, "", "outcome", "what its end says of its error"),
    Column(
        "attributes",
        "object",
        "",
        "payload",
        "the payloads of start and end in one dict; the end's values win",
    ),
)

TOOLS = (
    *_PLACED,
    *_OF_AGENT,
    Column("tool_name", _CATEGORY, "", "call", "payload", _TOOL),
    _BEGAN,
    _ENDED,
    _TOOK,
    *_OUTCOME,
    Column("arg_keys", _TEXT, "", "payload", "names of the arguments, with commas"),
    Column("output_preview", _TEXT, "", "payload", "payload"),
)

MODEL_CALLS = (
    *_PLACED,
    *_OF_AGENT,
    Column("model", _CATEGORY, "", "call", "payload", _MODEL),
    _BEGAN,
    _ENDED,
    _TOOK,
    *_OUTCOME,
    Column("stop_reason", _CATEGORY, "", "outcome", "payload"),
    Column("message_count", _COUNT, "messages", "payload", "messages sent"),
    Column("tool_count", _COUNT, "tools", "payload", "tools offered"),
    Column("tool_call_count", _COUNT, "calls", "payload", "tools that the answer calls"),
    *_USAGE,
    Column("output_preview", _TEXT, "", "payload", "the answer's `content_preview`"),
)

RUNS = (
    Column("run_id", _CATEGORY, "", "id", "the run", _RUN),
    Column("name", _TEXT, "", "id", "its name; NA if it has none"),
    Column("status", _CATEGORY, "", "outcome", "`running`, `ok`, `error` or `interrupted`"),
    Column(
        "started_at",
        _TIME,
        "UTC",
        "time",
        "when it was first heard of, or its earliest event if that is earlier",
    ),
    Column(
        "ended_at",
        _TIME,
        "UTC",
        "time",
        "its latest event, without one when it was closed; NaT while it goes on",
    ),
    Column("duration_ms", _AMOUNT, "ms", "time", "from start to end; NA while it goes on"),
    Column("iterations", _COUNT, "", "calls", "the highest told; 0 if none was"),
    Column("model_calls", _COUNT, "calls", "calls", "rows it has in `model_calls_df`"),
    Column("tool_calls", _COUNT, "calls", "calls", "rows it has in `tools_df`"),
    Column("tool_errors", _COUNT, "calls", "calls", "those of them with the status `error`"),
    *_USAGE,
    Column("terminate_reason", _CATEGORY, "", "outcome", "of its last `agent.terminate`"),
    Column("event_count", _COUNT, "events", "events", "events that are here"),
    Column(
        "dropped_events",
        _COUNT,
        "events",
        "events",
        "that the store had to drop; NA if only events were given",
    ),
    Column(
        "trimmed_events",
        _COUNT,
        "events",
        "events",
        "that history no longer holds; NA if only events were given",
    ),
    Column(
        "complete", "boolean", "", "events", "whether no event of it is missing; NA if only events were given"
    ),
    Column("cell_id", _TEXT, "", "id", "the notebook cell it was made in"),
    Column("execution_count", _COUNT, "", "id", "that cell's number at the time"),
    Column("tags", "object", "", "id", "its tags, a dict; None without any"),
)


def documented(**tables: Sequence[Column]) -> Callable[[T], T]:
    """Put the columns of a frame into the docstring of what makes it, where the name of a table stands in braces."""

    def write(function: T) -> T:
        for name, table in tables.items() if function.__doc__ else ():
            function.__doc__ = _filled(function.__doc__ or "", f"{{{name}}}", table)
        return function

    return write


def _filled(doc: str, place: str, table: Sequence[Column]) -> str:
    margin = next((line[: -len(place)] for line in doc.splitlines() if line.endswith(place)), "")
    head = ["column", "dtype", "unit", "group", "what, and where from", "as `otel`"]
    rows = [
        [f"`{each.name}`", each.dtype, each.unit, each.group, each.meaning, each.otel and f"`{each.otel}`"]
        for each in table
    ]
    # Groups and names of OpenTelemetry's are not in every table.
    shown = [place for place in range(len(head)) if place not in (3, 5) or any(row[place] for row in rows)]
    lines = [f"| {' | '.join(row[place] for place in shown)} |" for row in (head, ["---"] * len(head), *rows)]
    return doc.replace(place, f"\n{margin}".join(lines))


def chosen(table: Sequence[Column], columns: object, caller: str) -> list[tuple[str, str]]:
    """Say which columns a caller of a frame asks for: each one's name, and the name it is to have.

    Args:
        table: The columns of the frame.
        columns: None for all; a name or a group, or several; "otel", alone or among others, gives those that have
            one their name of OpenTelemetry's, and is alone all of them.
        caller: The function that was called, for the messages.

    Raises:
        ValueError: The frame has neither column nor group of that name.
        TypeError: `columns` is none of these.
    """
    wanted = None if columns is None else _names(columns, caller)
    is_otel = wanted is not None and "otel" in wanted
    if wanted is None or set(wanted) == {"otel"}:
        wanted = [each.name for each in table]
    found: dict[str, None] = {}
    for name in [name for name in wanted if name != "otel"]:
        of_name = [each.name for each in table if name in (each.name, each.group)]
        if not of_name:
            groups = ", ".join(dict.fromkeys(each.group for each in table))
            raise ValueError(
                f"{caller} has no column and no group {name!r}: its groups are {groups}, or otel; its columns are "
                f"{', '.join(each.name for each in table)}"
            )
        exact = [each for each in of_name if each == name]
        found.update(dict.fromkeys(exact or of_name))
    return [(each.name, (is_otel and each.otel) or each.name) for each in _by_name(table, found)]


def _by_name(table: Sequence[Column], names: Iterable[str]) -> list[Column]:
    of = {each.name: each for each in table}
    return [of[name] for name in names]


def _names(columns: object, caller: str) -> Collection[str]:
    names: list[object] = [columns] if isinstance(columns, str) else list(_iterable(columns, caller))
    if not all(isinstance(name, str) for name in names):
        raise TypeError(f"{caller} takes the names of columns or groups as columns, not {columns!r}")
    return [name for name in names if isinstance(name, str)]


def _iterable(columns: object, caller: str) -> Iterable[object]:
    try:
        return iter(columns)  # pyright: ignore[reportCallIssue, reportArgumentType, reportUnknownVariableType] - TypeError if not
    except TypeError:
        raise TypeError(f"{caller} takes a name or names as columns, not {type(columns).__name__}") from None
