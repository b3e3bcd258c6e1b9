"""Gives Concordant the scope of the LangGraph task under way."""

from __future__ import annotations

from concordant import TaskScope
from concordant_langgraph.context import current_task, uuid_seconds
from concordant_langgraph.lineage import Task, decode, relation

__all__ = ["task_scope"]

_MARGIN = 0.01
"""Seconds by which the time in a superstep's id may run ahead of the clock (ids of one instant are counted up)."""

_last: tuple[Task | None, TaskScope | None] = (None, None)


def task_scope() -> TaskScope | None:
    """The scope of the task that the calling code runs in; ``None`` outside a graph."""
    global _last
    task = current_task()
    if task is None:
        return None
    known, scope = _last
    if known is task:
        return scope
    key = f"{task.token}|{task.task}|{task.execution}"
    scope = TaskScope(key, task.name, task.token, task.task, task.execution, task.began, relation, _floor(task))
    _last = (task, scope)
    return scope


def _floor(task: Task) -> float:
    """When the outermost superstep began: what was written before it is no sibling's, at any level."""
    levels = decode(task.token)
    began = uuid_seconds(levels[0].step) if levels else None
    return began - _MARGIN if began is not None else 0.0
