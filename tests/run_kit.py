"""What the tests of runs and their differences share: calls as an agent tells them, and odd payloads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from locus_nb import EventBus, StreamEvent

if TYPE_CHECKING:
    from collections.abc import Callable

HOSTILE = '</pre></svg></style><script>alert(1)</script><img src=x onerror="alert(1)">\u202e\x00'
SECRET = "sk-proj-abcdefgh12345678"


def put(bus: EventBus, run_id: str, event_type: str, **data: Any) -> None:
    """Publish one event."""
    bus.publish_nowait(StreamEvent(run_id, event_type, data))


def call_tool(bus: EventBus, run_id: str, name: str, output: str = "sunny", **facts: Any) -> None:
    """A call of a tool, from its start to its end; `error` makes it fail, `ms` is how long it took."""
    error, ms, args = facts.pop("error", None), facts.pop("ms", 10.0), facts.pop("args", ["city"])
    facts = {"tool_name": name, "span_id": f"{run_id}-{len(bus.history(run_id))}"} | facts
    put(bus, run_id, "agent.tool.started", arg_keys=args, **facts)
    told = {"success": error is None, "duration_ms": ms, "output_preview": output, "error": error}
    put(bus, run_id, "agent.tool.completed", **told, **facts)


def call_model(bus: EventBus, run_id: str, name: str, text: str = "hm", **facts: Any) -> None:
    """A call of a model with 100 + 10 tokens; `used` changes what is said of these."""
    used, ms = facts.pop("used", {}), facts.pop("ms", 20.0)
    facts = {"model": name, "span_id": f"{run_id}-{len(bus.history(run_id))}"} | facts
    put(bus, run_id, "agent.model.started", message_count=1, tool_count=1, **facts)
    told = {"content_preview": text, "tool_call_count": 0, "stop_reason": "stop", "duration_ms": ms}
    put(bus, run_id, "agent.model.completed", **told, **facts)
    counts = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
    put(bus, run_id, "agent.tokens.used", **{**facts, **counts, **used})


def html_of(shown: Any) -> str:
    """What a display object shows in a page."""
    return shown._repr_mimebundle_()["text/html"]


def text_of(shown: Any) -> str:
    """What a display object shows in a terminal."""
    return shown._repr_mimebundle_()["text/plain"]


class Hostile:
    """An object whose every method raises."""

    def _raise(self, *_: object) -> Any:
        raise RuntimeError(HOSTILE)

    __repr__ = __str__ = __bool__ = __eq__ = __len__ = __iter__ = __float__ = __int__ = _raise
    __hash__ = object.__hash__


_types = [
    *("agent.model.started", "agent.model.completed", "agent.tokens.used", "agent.think", "agent.terminate"),
    *("agent.tool.started", "agent.tool.completed", "multiagent.specialist.started", "rag.query.failed"),
    *("multiagent.specialist.completed", "rag.query.started", "rag.query.completed", HOSTILE),
]
_keys = [
    *("span_id", "parent_span_id", "agent_name", "tool_name", "model", "iteration", "duration_ms", "success"),
    *("error", "reason", "cost_usd", "prompt_tokens", "completion_tokens", "cache_read_tokens", "arg_keys"),
    *("output_preview", "content_preview", HOSTILE),
]
_odd = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["a", "b", HOSTILE, "\ud800", SECRET])
    | st.builds(Hostile)
    | st.builds(list)
    | st.just({"deep": [HOSTILE]})
)
payloads = st.dictionaries(st.sampled_from(_keys), _odd, max_size=6)
odd_events = st.lists(st.tuples(st.sampled_from(_types), payloads), max_size=12)


def bus_of(events: list[tuple[str, dict[str, Any]]], run_id: str = "run") -> EventBus:
    """A bus that has these events of one run."""
    bus = EventBus()
    for event_type, data in events:
        bus.publish_nowait(StreamEvent(run_id, event_type, data))
    return bus


def counting(calls: list[Any], answer: Any = None) -> Callable[..., Any]:
    """A function that notes what it is called with."""

    def noted(*args: Any, **options: Any) -> Any:
        calls.append((args, options))
        return answer

    return noted
