"""Tells the core in which LangGraph task, and which tool call of it, a call is made."""

from __future__ import annotations

from contextvars import ContextVar
from functools import partial
from typing import Any
from urllib.parse import quote

from langchain_core.runnables.config import var_child_runnable_config

from concordant.spi import AgentRun, Instant, TaskScope
from concordant_langgraph.attempts import invocation_of, turn_of
from concordant_langgraph.context import TaskExecution, message_of, task_of
from concordant_langgraph.lineage import belongs, packed_step, relation, segments, turn as turn_in, with_parts
from concordant_langgraph.toolcalls import ToolCall, tool_call

__all__ = ["task_scope"]

# The config and tool call that were read last in this context, with the scope and the task that they make. LangGraph
# makes a config per attempt of a task and does not change it afterwards; the reference kept here is why its identity
# cannot come back as another config's.
_last: ContextVar[tuple[object, ToolCall | None, TaskScope | None, TaskExecution | None]] = ContextVar(
    "concordant_langgraph_scope", default=(None, None, None, None)
)


def task_scope() -> TaskScope | None:
    """Returns the scope of the task that the calling code runs in, or of the tool call in it; ``None`` outside a
    graph."""
    config = var_child_runnable_config.get()
    call = tool_call()
    known, part, scope, task = _last.get()
    if known is config and part is call:
        return scope
    if known is not config:
        task = task_of(config)
    scope = _scope(task, call, config) if task is not None else None
    # No finished task's config is kept alive.
    _last.set((config, call, scope, task) if config else (None, None, None, None))
    return scope


def _scope(task: TaskExecution, call: ToolCall | None, config: Any) -> TaskScope:
    origin, identity, execution, began = task.token, task.task, task.execution, task.began
    turn: int | None = None
    message = ""
    parts: dict[int, str] = {}
    while call is not None:
        if f"{task.namespace}|".startswith(f"{call.namespace}|"):
            parts[len(segments(call.namespace)) - 1] = call.id
            if call.namespace == task.namespace:
                began = _later(task.began, call.after)
                turn = max(call.turn, turn_of(task.namespace))
                message = message_of(config, call.id) or f"{task.token} {turn}"
                execution = f"{task.execution}+{call.attempt}" if call.attempt else task.execution
        call = call.outer
    if parts:
        origin = with_parts(origin, parts)
        # Tasks of other levels are told apart by their own identities.
        identity += "".join(f"!{depth}!{quote(id_, safe='')}" for depth, id_ in sorted(parts.items()))
    key = f"{origin}|{identity}|{execution}"
    run = _run(task, origin, turn, message)
    scope = (key, task.name, origin, identity, execution, began, relation, task.kin, True, run, task.floor, turn_in)
    return tuple.__new__(TaskScope, scope)  # the class's own is slower, being Python


def _run(task: TaskExecution, origin: str, turn: int | None, message: str) -> AgentRun | None:
    """The run of the agent that the task's graph is."""
    own = task.run
    if own is None:
        return None
    path = segments(task.namespace) if "|" in task.namespace else ()
    outermost = invocation_of(path[1].caller) if len(path) > 1 else own
    if outermost is not None:
        outermost.steps.add(packed_step(origin))
    owns = partial(belongs, origin, own.steps)
    return tuple.__new__(AgentRun, (own.key, owns, turn, "", message, own.began, task.named))  # as for a scope


def _later(began: Instant | float, after: Instant | None) -> Instant | float:
    """When a part of a task began: when what came before it had ended, if anything did."""
    if after is None:
        return began
    return max(began, after) if isinstance(began, Instant) else after
