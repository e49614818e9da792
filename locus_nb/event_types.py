"""The names of the events that agents and their surroundings put on the bus.

A constant is its wire name in capitals, dots as underscores. The set is open: any dotted name may be
emitted, and one name always carries one shape of payload. What this package's own `Agent` emits, with its
payload keys:

- `agent.model.started`: iteration, model, message_count, tool_count, span_id
- `agent.model.chunk`: content_preview, done, span_id (only when streaming is asked for)
- `agent.model.completed`: content_preview, tool_call_count, stop_reason, model, duration_ms, span_id
- `agent.tokens.used`: prompt_tokens, completion_tokens, total_tokens, cache_read_tokens,
  cache_write_tokens, model, span_id
- `agent.think`: iteration, reasoning_preview, has_tool_calls, tool_call_count
- `agent.tool.started`: tool_name, span_id, arg_keys
- `agent.tool.completed`: tool_name, span_id, success, duration_ms, output_preview, error
- `agent.interrupt`: interrupt_id, question_preview, options, default, timeout_s, span_id, parent_span_id (`ask_user`
  asks the user; the parent is the tool that asks, if one does)
- `agent.interrupt.completed`: interrupt_id, question_preview, answer_preview, answered_by, stop_reason, success,
  duration_ms, error, span_id (`answered_by`: view, input, code, default, or None without an answer; `stop_reason`:
  answered, timeout, nobody, if nobody could be asked, or interrupted)
- `agent.terminate`: reason, iterations_used, final_confidence, total_tool_calls, final_message_preview

`iteration` counts from 1, durations are milliseconds as float, a preview is the first 240 characters.
All but `agent.interrupt.completed`, which is ours, are the wire names of locus-sdk 3.0.1
(`locus.observability.emit` and `router_events`); its `agent.interrupt` has the first three keys.
"""

from __future__ import annotations

__all__ = [
    "A2A_CLIENT_RECEIVED",
    "A2A_CLIENT_SEND",
    "A2A_TASK_COMPLETED",
    "A2A_TASK_PROCESSING",
    "A2A_TASK_RECEIVED",
    "AGENT_CONTEXT_COMPACTED",
    "AGENT_GROUNDING",
    "AGENT_GUARDRAIL_TRIGGERED",
    "AGENT_INTERRUPT",
    "AGENT_INTERRUPT_COMPLETED",
    "AGENT_MODEL_CHUNK",
    "AGENT_MODEL_COMPLETED",
    "AGENT_MODEL_RETRY",
    "AGENT_MODEL_STARTED",
    "AGENT_REFLECT",
    "AGENT_STEERING_APPLIED",
    "AGENT_TERMINATE",
    "AGENT_THINK",
    "AGENT_TOKENS_USED",
    "AGENT_TOOL_COMPLETED",
    "AGENT_TOOL_STARTED",
    "COMPOSITION_FANOUT_COMPLETED",
    "COMPOSITION_FANOUT_STARTED",
    "COMPOSITION_LOOP_ITERATION_COMPLETED",
    "COMPOSITION_LOOP_ITERATION_STARTED",
    "COMPOSITION_LOOP_TERMINATED",
    "COMPOSITION_STAGE_COMPLETED",
    "COMPOSITION_STAGE_STARTED",
    "DEEPAGENT_FS_READ",
    "DEEPAGENT_FS_WRITE",
    "DEEPAGENT_SUBAGENT_COMPLETED",
    "DEEPAGENT_SUBAGENT_SPAWNED",
    "DEEPAGENT_TODO_ADDED",
    "DEEPAGENT_TODO_COMPLETED",
    "LIVE_ONLY",
    "MEMORY_CHECKPOINT_LOADED",
    "MEMORY_CHECKPOINT_SAVED",
    "MEMORY_COMPACTOR_COMPLETED",
    "MEMORY_COMPACTOR_TRIGGERED",
    "MEMORY_CONVERSATION_ADDED",
    "MEMORY_CONVERSATION_PRUNED",
    "MEMORY_MANAGER_EXTRACTED",
    "MEMORY_MANAGER_INJECTED",
    "MULTIAGENT_GRAPH_NODE_COMPLETED",
    "MULTIAGENT_GRAPH_NODE_ROUTED",
    "MULTIAGENT_GRAPH_NODE_STARTED",
    "MULTIAGENT_HANDOFF_COMPLETED",
    "MULTIAGENT_HANDOFF_INITIATED",
    "MULTIAGENT_ORCHESTRATOR_DECISION",
    "MULTIAGENT_ORCHESTRATOR_ROUTING",
    "MULTIAGENT_ORCHESTRATOR_SPECIALISTS_INVOKED",
    "MULTIAGENT_ORCHESTRATOR_SUMMARY",
    "MULTIAGENT_SPECIALIST_COMPLETED",
    "MULTIAGENT_SPECIALIST_STARTED",
    "RAG_EMBEDDING_GENERATED",
    "RAG_QUERY_COMPLETED",
    "RAG_QUERY_STARTED",
    "RAG_STORE_SEARCH",
    "RAG_STORE_UPSERT",
    "RESEARCH_CAUSAL_BUILT",
    "RESEARCH_COMPLETED",
    "RESEARCH_EXECUTE_COMPLETED",
    "RESEARCH_EXECUTE_STARTED",
    "RESEARCH_GROUNDING_EVALUATED",
    "RESEARCH_REGENERATE_COMPLETED",
    "RESEARCH_REGENERATE_STARTED",
    "RESEARCH_REPLAN",
    "RESEARCH_SUMMARIZE_COMPLETED",
    "ROUTER_FRAME_EXTRACTED",
    "ROUTER_FRAME_FAILED",
    "ROUTER_POLICY_VERDICT",
    "ROUTER_PROTOCOL_NO_MATCH",
    "ROUTER_PROTOCOL_PICKER_FALLBACK",
    "ROUTER_PROTOCOL_SELECTED",
    "ROUTER_RUNNABLE_COMPILED",
    "ROUTER_RUNNABLE_EXECUTED",
    "ROUTER_RUNNABLE_EXECUTING",
    "ROUTER_RUNNABLE_FAILED",
    "SKILLS_ACTIVATED",
    "category",
]

AGENT_THINK = "agent.think"
AGENT_MODEL_STARTED = "agent.model.started"
AGENT_MODEL_CHUNK = "agent.model.chunk"
AGENT_MODEL_COMPLETED = "agent.model.completed"
AGENT_MODEL_RETRY = "agent.model.retry"
AGENT_TOKENS_USED = "agent.tokens.used"
AGENT_TOOL_STARTED = "agent.tool.started"
AGENT_TOOL_COMPLETED = "agent.tool.completed"
AGENT_TERMINATE = "agent.terminate"
AGENT_REFLECT = "agent.reflect"
AGENT_GROUNDING = "agent.grounding"
AGENT_INTERRUPT = "agent.interrupt"
AGENT_INTERRUPT_COMPLETED = "agent.interrupt.completed"
AGENT_CONTEXT_COMPACTED = "agent.context.compacted"
AGENT_STEERING_APPLIED = "agent.steering.applied"
AGENT_GUARDRAIL_TRIGGERED = "agent.guardrail.triggered"

MULTIAGENT_ORCHESTRATOR_ROUTING = "multiagent.orchestrator.routing"
MULTIAGENT_ORCHESTRATOR_DECISION = "multiagent.orchestrator.decision"
MULTIAGENT_ORCHESTRATOR_SPECIALISTS_INVOKED = "multiagent.orchestrator.specialists_invoked"
MULTIAGENT_ORCHESTRATOR_SUMMARY = "multiagent.orchestrator.summary"
MULTIAGENT_SPECIALIST_STARTED = "multiagent.specialist.started"
MULTIAGENT_SPECIALIST_COMPLETED = "multiagent.specialist.completed"
MULTIAGENT_HANDOFF_INITIATED = "multiagent.handoff.initiated"
MULTIAGENT_HANDOFF_COMPLETED = "multiagent.handoff.completed"
MULTIAGENT_GRAPH_NODE_STARTED = "multiagent.graph.node.started"
MULTIAGENT_GRAPH_NODE_COMPLETED = "multiagent.graph.node.completed"
MULTIAGENT_GRAPH_NODE_ROUTED = "multiagent.graph.node.routed"

COMPOSITION_STAGE_STARTED = "composition.stage.started"
COMPOSITION_STAGE_COMPLETED = "composition.stage.completed"
COMPOSITION_FANOUT_STARTED = "composition.fanout.started"
COMPOSITION_FANOUT_COMPLETED = "composition.fanout.completed"
COMPOSITION_LOOP_ITERATION_STARTED = "composition.loop.iteration.started"
COMPOSITION_LOOP_ITERATION_COMPLETED = "composition.loop.iteration.completed"
COMPOSITION_LOOP_TERMINATED = "composition.loop.terminated"

ROUTER_FRAME_EXTRACTED = "router.frame.extracted"
ROUTER_FRAME_FAILED = "router.frame.failed"
ROUTER_PROTOCOL_SELECTED = "router.protocol.selected"
ROUTER_PROTOCOL_NO_MATCH = "router.protocol.no_match"
ROUTER_PROTOCOL_PICKER_FALLBACK = "router.protocol.picker_fallback"
ROUTER_POLICY_VERDICT = "router.policy.verdict"
ROUTER_RUNNABLE_COMPILED = "router.runnable.compiled"
ROUTER_RUNNABLE_EXECUTING = "router.runnable.executing"
ROUTER_RUNNABLE_EXECUTED = "router.runnable.executed"
ROUTER_RUNNABLE_FAILED = "router.runnable.failed"

RAG_QUERY_STARTED = "rag.query.started"
RAG_QUERY_COMPLETED = "rag.query.completed"
RAG_EMBEDDING_GENERATED = "rag.embedding.generated"
RAG_STORE_UPSERT = "rag.store.upsert"
RAG_STORE_SEARCH = "rag.store.search"

MEMORY_CHECKPOINT_SAVED = "memory.checkpoint.saved"
MEMORY_CHECKPOINT_LOADED = "memory.checkpoint.loaded"
MEMORY_COMPACTOR_TRIGGERED = "memory.compactor.triggered"
MEMORY_COMPACTOR_COMPLETED = "memory.compactor.completed"
MEMORY_CONVERSATION_ADDED = "memory.conversation.added"
MEMORY_CONVERSATION_PRUNED = "memory.conversation.pruned"
MEMORY_MANAGER_INJECTED = "memory.manager.injected"
MEMORY_MANAGER_EXTRACTED = "memory.manager.extracted"

A2A_TASK_RECEIVED = "a2a.task.received"
A2A_TASK_PROCESSING = "a2a.task.processing"
A2A_TASK_COMPLETED = "a2a.task.completed"
A2A_CLIENT_SEND = "a2a.client.send"
A2A_CLIENT_RECEIVED = "a2a.client.received"

SKILLS_ACTIVATED = "skills.activated"

DEEPAGENT_SUBAGENT_SPAWNED = "deepagent.subagent.spawned"
DEEPAGENT_SUBAGENT_COMPLETED = "deepagent.subagent.completed"
DEEPAGENT_FS_READ = "deepagent.fs.read"
DEEPAGENT_FS_WRITE = "deepagent.fs.write"
DEEPAGENT_TODO_ADDED = "deepagent.todo.added"
DEEPAGENT_TODO_COMPLETED = "deepagent.todo.completed"

RESEARCH_EXECUTE_STARTED = "research.execute.started"
RESEARCH_EXECUTE_COMPLETED = "research.execute.completed"
RESEARCH_CAUSAL_BUILT = "research.causal.built"
RESEARCH_SUMMARIZE_COMPLETED = "research.summarize.completed"
RESEARCH_GROUNDING_EVALUATED = "research.grounding.evaluated"
RESEARCH_REGENERATE_STARTED = "research.regenerate.started"
RESEARCH_REGENERATE_COMPLETED = "research.regenerate.completed"
RESEARCH_REPLAN = "research.replan"
RESEARCH_COMPLETED = "research.completed"

LIVE_ONLY: frozenset[str] = frozenset({AGENT_MODEL_CHUNK})
"""Event types that are delivered to readers as they happen and never kept in history."""


def category(event_type: str) -> str:
    """Give the family of `event_type`: what stands before its first dot, or all of it without a dot.

    Example:
        >>> category("agent.tool.started")
        'agent'
    """
    return event_type.partition(".")[0]
