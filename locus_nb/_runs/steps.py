"""The steps of a run: each call of a model, a tool or an agent that has ended, in the order they began."""

# The raw values of an event, not what its properties make of them, are what is quick to read.
# ruff: noqa: SLF001
# pyright: reportPrivateUsage=false

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from locus_nb._payloads.kinds import kind_of, title_of
from locus_nb._payloads.numbers import count
from locus_nb._payloads.preview import preview_of
from locus_nb._payloads.redact import redact
from locus_nb._views.fold import fold
from locus_nb._views.rows import rows_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from locus_nb._event import StreamEvent
    from locus_nb._views.fold import Item
    from locus_nb._views.rows import Row

# Not steps of a run but its thoughts and its end.
_NO_STEPS = {"think", "end"}
# What differs from one run to the next though the same was done.
_FLEETING = {
    *("span_id", "parent_span_id", "trace_id", "run_id", "event_id", "timestamp", "duration_ms", "seq"),
    *("started_at", "ended_at", "start_time", "end_time", "iteration"),
}


class StepKey(NamedTuple):
    """What a step is of; steps of two runs with the same key may be the same step.

    Attributes:
        kind: `model`, `tool`, `agent` or `other`.
        name: Of the model or tool, else of the agent, else the event type up to its last dot.
        agent: The agent that did it; the empty text if that was not said.
    """

    kind: str
    name: str
    agent: str


class Step(NamedTuple):
    """Something that was done, and how it came out. All text is redacted.

    Attributes:
        key: What it is of.
        seq: Of the event it begins with.
        iteration: The iteration it belongs to, if that was said.
        status: `ok`, `error`, `interrupted`, or None.
        duration_ms: What its end says, else the time between its events; None if neither is known.
        input_tokens: The sum of each `agent.tokens.used` of its span, as in `model_calls_df`; None if never told,
            or beyond 64 bits.
        output_tokens: As above.
        arguments: Of a tool's call the preview of its beginning: its name and those of its arguments.
        preview: The preview of its end: what came out.
        error: What was said of its error.
    """

    key: StepKey
    seq: int
    iteration: int | None
    status: str | None
    duration_ms: float | None
    input_tokens: int | None
    output_tokens: int | None
    arguments: str
    preview: str
    error: str | None


def steps_of(events: Sequence[StreamEvent]) -> list[Step]:
    """Give the steps of one run's events; what has not ended is none. Never raises.

    An event that ends something is a step also where no `span_id` connects it with its beginning.
    """
    by_seq = {event.seq or 0: event for event in events}
    return list(_steps(fold(rows_of(events)), by_seq))


def _steps(items: Sequence[Item], events: Mapping[int, StreamEvent]) -> Iterator[Step]:
    for item in items:
        last = item.last
        if item.is_open or last.family in _NO_STEPS or kind_of(last.event_type).phase != "end":
            continue
        called = item.lead.family == "tool" and item.lead is not last
        used = item.used
        yield Step(
            key=_key(item),
            seq=item.lead.seq,
            iteration=item.lead.iteration if last.iteration is None else last.iteration,
            status=last.status,
            duration_ms=item.duration_ms,
            input_tokens=_in_64_bits(used.input_tokens) if used else None,
            output_tokens=_in_64_bits(used.output_tokens) if used else None,
            arguments=_lasting_preview(item.lead, events) if called else "",
            preview=_lasting_preview(last, events),
            error=last.error,
        )


def _in_64_bits(total: int | None) -> int | None:
    return None if total is None or count(total) < 0 else total


def _key(item: Item) -> StepKey:
    lead, last = item.lead, item.last
    kind = last.family if last.family in ("model", "tool", "agent") else "other"
    agent = last.agent or lead.agent or ""
    name = last.name or lead.name if kind in ("model", "tool") else agent if kind == "agent" else None
    return StepKey(kind, name or title_of(last.event_type), agent)


def _lasting_preview(row: Row, events: Mapping[int, StreamEvent]) -> str:
    """Give a row's preview, of a payload that is shown as a whole without what differs in each run."""
    event = events.get(row.seq)
    if event is None or not row.preview.startswith("{"):
        return row.preview
    lasting = {key: value for key, value in event._data.items() if not _is_fleeting(key)}
    return preview_of(row.event_type, redact(lasting)) if len(lasting) < len(event._data) else row.preview


def _is_fleeting(key: object) -> bool:
    return type(key) is str and key in _FLEETING
