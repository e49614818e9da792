"""Make an AI agent's run visible inside a Jupyter notebook, while it happens and afterwards.

Data goes one way:

    emit -> EventBus -> Subscription -> pump -> sink (a live view)
               |              +------> store -> history("runs.db") --+
               +-- history(run_id) ----------------------------------+-> Run, diff, events_df -> DataFrame

`_event` is the record, `_bus` what users call and `_exchange` how it works, `_history` what is kept, `_inbox` what
one reader has yet to read, `_subscription` the reader's end. `_context` and `_emit` are what an agent's code
calls; `_agent`, `_tool` and `_model` are such an agent.

`_pump` carries events to a `_row_sink`, which makes `_rows` and tells the page; `_view` is what every live view is,
`_watch` has those of runs, `_picture` is what stays of them; `_monitor` shows the bus itself by its `_samples`.

A `_source` is what holds runs: the bus; a store, which `_writer` fills in `_sqlite` or `_jsonl` and `_file_history`
reads; files of runs, by `_files`. `_frames` makes DataFrames of one, `_tables` says what is in them, `_cost` what the
calls in them cost. `_run` is a run as an object, `_run_list` has several, and `_diff` compares them.

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
    from locus_nb._diff import Diff, diff
    from locus_nb._emit import emit, emit_sync
    from locus_nb._errors import (
        LocusError,
        StoreError,
        SubscriptionBusyError,
        UnknownPriceWarning,
        UnreadableRunError,
        ViewRefusedError,
    )
    from locus_nb._event import StreamEvent
    from locus_nb._file_history import History, history
    from locus_nb._files import LoadedRuns, load
    from locus_nb._frames import events_df, model_calls_df, runs_df, spans_df, tools_df
    from locus_nb._history import RunRecord
    from locus_nb._loops import allow_nested_loops
    from locus_nb._messages import Message, Model, ModelReply, ToolCall
    from locus_nb._model import get_model
    from locus_nb._monitor import BusMonitor, monitor
    from locus_nb._readers import ReaderStats
    from locus_nb._run import Run
    from locus_nb._run_list import RunList, last_run, runs
    from locus_nb._store import Store, configure
    from locus_nb._subscription import Batch, Subscription
    from locus_nb._tool import Tool, tool
    from locus_nb._wakeup import Wakeup
    from locus_nb._watch import RunsView, RunView, watch
    from locus_nb._writer import StoreStats

__version__ = "0.1.0"

__all__ = [
    "Agent",
    "AgentResult",
    "Batch",
    "BusMonitor",
    "Dashboard",
    "Diff",
    "EventBus",
    "History",
    "LoadedRuns",
    "LocusError",
    "Message",
    "Model",
    "ModelReply",
    "ReaderStats",
    "Run",
    "RunList",
    "RunRecord",
    "RunView",
    "RunsView",
    "Store",
    "StoreError",
    "StoreStats",
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
    "configure",
    "current_run_id",
    "dashboard",
    "diff",
    "emit",
    "emit_sync",
    "events_df",
    "get_event_bus",
    "get_model",
    "history",
    "last_run",
    "load",
    "model_calls_df",
    "monitor",
    "reset_event_bus",
    "reset_run_id",
    "run_context",
    "runs",
    "runs_df",
    "set_run_id",
    "spans_df",
    "tool",
    "tools_df",
    "watch",
]

_HOMES = {
    "Agent": "_agent",
    "AgentResult": "_agent_loop",
    "Batch": "_subscription",
    "BusMonitor": "_monitor",
    "Dashboard": "_dashboard",
    "Diff": "_diff",
    "EventBus": "_bus",
    "History": "_file_history",
    "LoadedRuns": "_files",
    "LocusError": "_errors",
    "Message": "_messages",
    "Model": "_messages",
    "ModelReply": "_messages",
    "ReaderStats": "_readers",
    "Run": "_run",
    "RunList": "_run_list",
    "RunRecord": "_history",
    "RunView": "_watch",
    "RunsView": "_watch",
    "Store": "_store",
    "StoreError": "_errors",
    "StoreStats": "_writer",
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
    "configure": "_store",
    "current_run_id": "_context",
    "dashboard": "_dashboard",
    "diff": "_diff",
    "emit": "_emit",
    "emit_sync": "_emit",
    "events_df": "_frames",
    "get_event_bus": "_bus",
    "get_model": "_model",
    "history": "_file_history",
    "last_run": "_run_list",
    "load": "_files",
    "model_calls_df": "_frames",
    "monitor": "_monitor",
    "reset_event_bus": "_bus",
    "reset_run_id": "_context",
    "run_context": "_context",
    "runs": "_run_list",
    "runs_df": "_frames",
    "set_run_id": "_context",
    "spans_df": "_frames",
    "tool": "_tool",
    "tools_df": "_frames",
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
