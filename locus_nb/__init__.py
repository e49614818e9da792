"""Make an AI agent's run visible inside a Jupyter notebook, while it happens and afterwards.

Data goes one way:

    emit -> EventBus -> Subscription -> pump -> sink (a live view)
               |              +------> store -> history("runs.db") --+
               +-- history(run_id) ----------------------------------+-> Run, diff, events_df -> DataFrame

What stands here is the bus: `_event` is the record, `_bus` what users call and `_exchange` how it works, `_history`
what is kept, `_inbox` what one reader has yet to read, `_subscription` the reader's end. `_context`, `_propagate` and
`_emit` are what an agent's code calls, and `_configure` says what holds for the whole process. Everything else is in
packages, each of which imports only from those before it:

    _agent     an agent, its tools and models
    _payloads  what events say: secrets taken out, in one line, in numbers
    _ask       questions to the user
    _sums      what events come to: calls, tokens, costs
    _store     events kept beyond the process
    _frames    DataFrames
    _views     the pump, and the live views that it feeds
    _files     runs in files
    _runs      runs as objects
    _diff      runs compared
    _notebook  magics
    _doctor    why nothing shows

Importing this loads next to nothing: each name comes, with what it needs, at its first use. The bus, contexts
and `emit` need the standard library only.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from locus_nb._agent.agent import Agent
    from locus_nb._agent.loops import allow_nested_loops
    from locus_nb._agent.messages import Message, Model, ModelReply, ToolCall
    from locus_nb._agent.model import get_model
    from locus_nb._agent.result import AgentResult
    from locus_nb._agent.tool import Tool, tool
    from locus_nb._ask.callbacks import on_question
    from locus_nb._ask.question import Question
    from locus_nb._ask.tool import AskUser, ask_user
    from locus_nb._bus import EventBus, get_event_bus, reset_event_bus
    from locus_nb._configure import configure
    from locus_nb._context import current_run_id, reset_run_id, run_context, set_run_id
    from locus_nb._diff.diff import Diff, diff
    from locus_nb._doctor.diagnosis import Diagnosis
    from locus_nb._doctor.doctor import doctor
    from locus_nb._doctor.finding import Finding
    from locus_nb._emit import emit, emit_sync
    from locus_nb._errors import (
        LocusError,
        StoreError,
        SubscriptionBusyError,
        UnansweredError,
        UnknownPriceWarning,
        UnreadableRunError,
        ViewRefusedError,
    )
    from locus_nb._event import StreamEvent
    from locus_nb._files.files import LoadedRuns, load
    from locus_nb._files.parquet import to_parquet
    from locus_nb._frames.frames import events_df, model_calls_df, runs_df, spans_df, tools_df
    from locus_nb._history import RunRecord
    from locus_nb._propagate import PropagatingExecutor, propagate
    from locus_nb._readers import ReaderStats
    from locus_nb._runs.block import run
    from locus_nb._runs.run import Run
    from locus_nb._runs.run_list import RunList, last_run, runs
    from locus_nb._store.file_history import History, history
    from locus_nb._store.stats import StoreStats
    from locus_nb._store.store import Store
    from locus_nb._subscription import Batch, Subscription
    from locus_nb._views.dashboard import Dashboard, dashboard
    from locus_nb._views.monitor import BusMonitor, monitor
    from locus_nb._views.watch import RunsView, RunView, watch
    from locus_nb._wakeup import Wakeup

__version__ = "0.1.0"

__all__ = [
    "Agent",
    "AgentResult",
    "AskUser",
    "Batch",
    "BusMonitor",
    "Dashboard",
    "Diagnosis",
    "Diff",
    "EventBus",
    "Finding",
    "History",
    "LoadedRuns",
    "LocusError",
    "Message",
    "Model",
    "ModelReply",
    "PropagatingExecutor",
    "Question",
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
    "UnansweredError",
    "UnknownPriceWarning",
    "UnreadableRunError",
    "ViewRefusedError",
    "Wakeup",
    "__version__",
    "allow_nested_loops",
    "ask_user",
    "configure",
    "current_run_id",
    "dashboard",
    "diff",
    "doctor",
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
    "on_question",
    "propagate",
    "reset_event_bus",
    "reset_run_id",
    "run",
    "run_context",
    "runs",
    "runs_df",
    "set_run_id",
    "spans_df",
    "to_parquet",
    "tool",
    "tools_df",
    "watch",
]

_HOMES = {
    "Agent": "_agent.agent",
    "AgentResult": "_agent.result",
    "AskUser": "_ask.tool",
    "Batch": "_subscription",
    "BusMonitor": "_views.monitor",
    "Dashboard": "_views.dashboard",
    "Diagnosis": "_doctor.diagnosis",
    "Diff": "_diff.diff",
    "EventBus": "_bus",
    "Finding": "_doctor.finding",
    "History": "_store.file_history",
    "LoadedRuns": "_files.files",
    "LocusError": "_errors",
    "Message": "_agent.messages",
    "Model": "_agent.messages",
    "ModelReply": "_agent.messages",
    "PropagatingExecutor": "_propagate",
    "Question": "_ask.question",
    "ReaderStats": "_readers",
    "Run": "_runs.run",
    "RunList": "_runs.run_list",
    "RunRecord": "_history",
    "RunView": "_views.watch",
    "RunsView": "_views.watch",
    "Store": "_store.store",
    "StoreError": "_errors",
    "StoreStats": "_store.stats",
    "StreamEvent": "_event",
    "Subscription": "_subscription",
    "SubscriptionBusyError": "_errors",
    "Tool": "_agent.tool",
    "ToolCall": "_agent.messages",
    "UnansweredError": "_errors",
    "UnknownPriceWarning": "_errors",
    "UnreadableRunError": "_errors",
    "ViewRefusedError": "_errors",
    "Wakeup": "_wakeup",
    "allow_nested_loops": "_agent.loops",
    "ask_user": "_ask.tool",
    "configure": "_configure",
    "current_run_id": "_context",
    "dashboard": "_views.dashboard",
    "diff": "_diff.diff",
    "doctor": "_doctor.doctor",
    "emit": "_emit",
    "emit_sync": "_emit",
    "events_df": "_frames.frames",
    "get_event_bus": "_bus",
    "get_model": "_agent.model",
    "history": "_store.file_history",
    "last_run": "_runs.run_list",
    "load": "_files.files",
    "model_calls_df": "_frames.frames",
    "monitor": "_views.monitor",
    "on_question": "_ask.callbacks",
    "propagate": "_propagate",
    "reset_event_bus": "_bus",
    "reset_run_id": "_context",
    "run": "_runs.block",
    "run_context": "_context",
    "runs": "_runs.run_list",
    "runs_df": "_frames.frames",
    "set_run_id": "_context",
    "spans_df": "_frames.frames",
    "to_parquet": "_files.parquet",
    "tool": "_agent.tool",
    "tools_df": "_frames.frames",
    "watch": "_views.watch",
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


def load_ipython_extension(shell: Any) -> None:
    """Answer `%load_ext locus_nb`: `%%locus` and `%locus` are there. Idempotent; prints nothing."""
    import_module(f"{__name__}._notebook.magics").load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """Answer `%unload_ext locus_nb`: all of that is gone. Idempotent; runs and live views stay."""
    import_module(f"{__name__}._notebook.magics").unload(shell)
