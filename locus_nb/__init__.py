"""Make an AI agent's run visible inside a Jupyter notebook, while it happens and afterwards.

Data goes one way:

    emit -> EventBus -> Subscription -> pump -> sink (a live view)
               |
               +-- history(run_id) -> events_df -> DataFrame

`_event` is the record, `_bus` what users call and `_exchange` how it works, `_history` what is kept, `_inbox` what
one reader has yet to read, `_subscription` the reader's end. `_context` and `_emit` are what an agent's code
calls; `_agent`, `_tool` and `_model` are such an agent. `_frames` makes DataFrames, `_cost` says what the calls
in them cost, `_files` keeps runs as `_run_lines`. `_pump`
carries events to a `_row_sink`, which makes `_rows` and tells the page; `_view` is what every live view is, `_watch`
has those of runs, `_picture` is what stays of them; `_monitor` shows the bus itself by its `_samples`.

Importing this loads next to nothing: each name comes, with what it needs, at its first use. The bus, contexts
and `emit` need the standard library only.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from locus_nb._agent import Agent
    from locus_nb._agent_loop import AgentResult
    from locus_nb._bus import EventBus, get_event_bus, reset_event_bus
    from locus_nb._context import current_run_id, reset_run_id, run_context, set_run_id
    from locus_nb._dashboard import Dashboard, dashboard
    from locus_nb._emit import emit, emit_sync
    from locus_nb._errors import (
        LocusError,
        SubscriptionBusyError,
        UnknownPriceWarning,
        UnreadableRunError,
        ViewRefusedError,
    )
    from locus_nb._event import StreamEvent
    from locus_nb._files import LoadedRuns, load
    from locus_nb._frames import events_df
    from locus_nb._history import RunRecord
    from locus_nb._loops import allow_nested_loops
    from locus_nb._messages import Message, Model, ModelReply, ToolCall
    from locus_nb._model import get_model
    from locus_nb._monitor import BusMonitor, monitor
    from locus_nb._readers import ReaderStats
    from locus_nb._subscription import Batch, Subscription
    from locus_nb._tool import Tool, tool
    from locus_nb._wakeup import Wakeup
    from locus_nb._watch import RunsView, RunView, watch

__version__ = "0.1.0"

__all__ = [
    "Agent",
    "AgentResult",
    "Batch",
    "BusMonitor",
    "Dashboard",
    "EventBus",
    "LoadedRuns",
    "LocusError",
    "Message",
    "Model",
    "ModelReply",
    "ReaderStats",
    "RunRecord",
    "RunView",
    "RunsView",
    "StreamEvent",
    "Subscription",
    "SubscriptionBusyError",
    "Tool",
    "ToolCall",
    "UnknownPriceWarning",
    "UnreadableRunError",
    "ViewRefusedError",
    "Wakeup",
    "__version__",
    "allow_nested_loops",
    "current_run_id",
    "dashboard",
    "emit",
    "emit_sync",
    "events_df",
    "get_event_bus",
    "get_model",
    "load",
    "monitor",
    "reset_event_bus",
    "reset_run_id",
    "run_context",
    "set_run_id",
    "tool",
    "watch",
]

_HOMES = {
    "Agent": "_agent",
    "AgentResult": "_agent_loop",
    "Batch": "_subscription",
    "BusMonitor": "_monitor",
    "Dashboard": "_dashboard",
    "EventBus": "_bus",
    "LoadedRuns": "_files",
    "LocusError": "_errors",
    "Message": "_messages",
    "Model": "_messages",
    "ModelReply": "_messages",
    "ReaderStats": "_readers",
    "RunRecord": "_history",
    "RunView": "_watch",
    "RunsView": "_watch",
    "StreamEvent": "_event",
    "Subscription": "_subscription",
    "SubscriptionBusyError": "_errors",
    "Tool": "_tool",
    "ToolCall": "_messages",
    "UnknownPriceWarning": "_errors",
    "UnreadableRunError": "_errors",
    "ViewRefusedError": "_errors",
    "Wakeup": "_wakeup",
    "allow_nested_loops": "_loops",
    "current_run_id": "_context",
    "dashboard": "_dashboard",
    "emit": "_emit",
    "emit_sync": "_emit",
    "events_df": "_frames",
    "get_event_bus": "_bus",
    "get_model": "_model",
    "load": "_files",
    "monitor": "_monitor",
    "reset_event_bus": "_bus",
    "reset_run_id": "_context",
    "run_context": "_context",
    "set_run_id": "_context",
    "tool": "_tool",
    "watch": "_watch",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
