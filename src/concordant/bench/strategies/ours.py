"""Concordant: get, think, put under a declared model; each task is a scope, the tasks of a round are concurrent."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextvars import ContextVar
from functools import partial
from typing import Any, Literal, TypeVar

from concordant.bench.steps import DELETION, Alarm, Call, Credits, Steps, Think, Together
from concordant.bench.workload import Task, Workload, changed, contributed
from concordant.escalation import DELETED
from concordant.workspace import TaskScope, Workspace

__all__ = ["Concordant", "alarms_of", "credits_of", "own_fields", "settled_by"]

T = TypeVar("T")
_task: ContextVar[TaskScope | None] = ContextVar("concordant_bench_task", default=None)


class Concordant:
    """A workspace in memory, in a SQLite file or in Postgres, told of the tasks as an adapter would."""

    def __init__(self, workload: Workload, name: str = "Concordant", workspace: Workspace | None = None) -> None:
        self.name = name
        self.workload = workload
        self.workspace = workspace if workspace is not None else Workspace()
        self.workspace.declare({workload.namespace: workload.model})
        self.workspace.add_scope_provider(_task.get)
        self._began = 0.0

    def begin_round(self) -> None:
        """The common beginning of the round's tasks."""
        self._began = time.time()

    def perform(self, task: Task, execution: int) -> Steps:
        """Reads, thinks, puts the fields that it changed."""
        origin = f"{task.round}/{task.number}"
        key = f"{origin}/{execution}"
        scope = TaskScope(key, task.agent, origin, str(task.number), str(execution), self._began, _relation)
        seen: dict[str, Any] = {}
        for doc in task.reads:
            seen[doc] = yield Call("read", doc, partial(_within, scope, partial(self._read, doc)))
        yield Together()
        yield Think()
        for doc, changes in task.by_document().items():
            yield Call("write", doc, partial(_within, scope, self._writing(doc, changes, seen)))

    def _read(self, doc: str) -> dict[str, Any] | None:
        document = self.workspace.read_current(self.workload.namespace, doc)
        return None if document is None else document.value

    def _writing(self, doc: str, changes: Any, seen: dict[str, Any]) -> Callable[[], Any]:
        fields, place = self.workload.fields, (self.workload.namespace, doc)
        value = changed(seen[doc], changes, fields) if doc in seen else contributed(changes, fields)
        if value is None:
            return partial(self.workspace.remove, *place)
        return partial(self.workspace.put, *place, own_fields(value, changes))

    def value(self, doc: str) -> dict[str, Any] | None:
        """What a reader gets."""
        document = self.workspace.get(self.workload.namespace, doc)
        return None if document is None else document.value

    def alarms(self) -> list[Alarm]:
        """All escalations, whatever became of them."""
        return alarms_of(self.workspace)

    def settled(self, doc: str) -> set[tuple[str, ...]]:
        """What the journal says."""
        return settled_by(self.workspace, self.workload.namespace, doc)

    def credits(self, doc: str) -> Credits | None:
        """What ``blame`` says."""
        return credits_of(self.workspace, self.workload.namespace, doc)

    def close(self) -> None:
        """Closes the workspace."""
        self.workspace.close()


def own_fields(value: dict[str, Any], changes: Any) -> dict[str, Any]:
    """The fields that the changes touch: the others need not be put."""
    return {change.field: value[change.field] for change in changes}


def alarms_of(workspace: Workspace) -> list[Alarm]:
    """All escalations of a workspace."""
    return [
        Alarm(
            e.key,
            e.path,
            tuple(DELETION if c.value is DELETED else c.value for c in e.contenders),
            e.state in ("open", "claimed"),
        )
        for e in workspace.escalations(state="all")
    ]


def settled_by(workspace: Workspace, namespace: tuple[str, ...], doc: str) -> set[tuple[str, ...]]:
    """The paths of a document that policies have settled, by its journal."""
    return {path for entry in workspace.history(namespace, doc) for path, _ in entry.settled}


def credits_of(workspace: Workspace, namespace: tuple[str, ...], doc: str) -> Credits:
    """Who stands for what in a document."""
    found = workspace.blame(namespace, doc)
    return {path: [(credit.value, credit.agents) for credit in credits] for path, credits in found.items()}


def _within(scope: TaskScope, call: Callable[[], T]) -> T:
    token = _task.set(scope)
    try:
        return call()
    finally:
        _task.reset(token)


def _relation(mine: str, theirs: str) -> Literal["same", "concurrent", "ordered"]:
    if mine == theirs:
        return "same"
    return "concurrent" if mine.partition("/")[0] == theirs.partition("/")[0] else "ordered"
