"""Gives Concordant the scope of the LangGraph task under way."""

from __future__ import annotations

from concordant import TaskScope
from concordant_langgraph.context import current_task
from concordant_langgraph.lineage import Task, relation

__all__ = ["task_scope"]

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
    scope = TaskScope(key, task.name, task.token, task.task, task.execution, task.began, relation)
    _last = (task, scope)
    return scope
