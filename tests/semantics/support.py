"""What the tests of the semantics share: a document, two agents with a common beginning, a framework."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Literal

from concordant import Agent, Escalation, Event, Instant, TaskScope, Workspace

NS = ("t",)
KEY = "k"
AT = (NS, KEY)


def workspace(model: Any = None, **options: Any) -> Workspace:
    """A workspace in memory, with a model (or ``Schema``) for the namespace of ``AT``."""
    return Workspace(schemas={NS: model} if model is not None else None, **options)


def pair(ws: Workspace) -> tuple[Agent, Agent]:
    """Two agents with a common beginning: what each writes is concurrent with what the other writes."""
    began = ws.moment()
    return ws.agent("ada", began=began), ws.agent("bob", began=began)


def shown(ws: Workspace) -> dict[str, Any] | None:
    """The value of the document, ``None`` if there is none."""
    document = ws.get(*AT)
    return None if document is None else document.value


def only(ws: Workspace, state: str = "open") -> Escalation:
    """The one escalation there is."""
    (escalation,) = ws.escalations(state=state)
    return escalation


def values(escalation: Escalation) -> list[Any]:
    """The contenders' values, in the order in which they came."""
    return [contender.value for contender in escalation.contenders]


def sides(escalation: Escalation) -> dict[str, Any]:
    """The contenders' values by agent."""
    return {agent: contender.value for contender in escalation.contenders for agent in contender.agents}


def wait(seconds: float, *workspaces: Workspace) -> None:
    """Lets time pass."""
    for ws in workspaces:
        ws.storage.advance(ws.storage.time() + seconds)


def recorded(ws: Workspace) -> list[Event]:
    """A list to which every later event of the workspace is added."""
    events: list[Event] = []
    ws.on_escalation(events.append)
    return events


def kinds(events: list[Event]) -> list[str]:
    """What happened, in order."""
    return [event.kind for event in events]


class Tasks:
    """A framework for tests: supersteps of tasks, which can be executed again.

    Tasks of one superstep are concurrent; against everything else a task began when its execution began.
    """

    def __init__(self, ws: Workspace) -> None:
        self._current: ContextVar[TaskScope | None] = ContextVar("task", default=None)
        self._begun: dict[str, TaskScope] = {}
        ws.add_scope_provider(self._current.get)

    @contextmanager
    def run(self, name: str, *, step: int = 1, execution: int = 1) -> Iterator[None]:
        """Makes the calls inside those of a task; entering the same execution again continues it."""
        key = f"{step}/{name}/{execution}"
        scope = self._begun.get(key)
        if scope is None:
            origin = f"{step}/{name}"
            scope = TaskScope(key, name, origin, origin, str(execution), Instant.now(), relation)
            self._begun[key] = scope
        token = self._current.set(scope)
        try:
            yield
        finally:
            self._current.reset(token)


def relation(own: str, other: str) -> Literal["same", "concurrent", "ordered"]:
    """How the origins of two tasks of ``Tasks`` stand to each other."""
    if own == other:
        return "same"
    return "concurrent" if "/" in other and own.split("/")[0] == other.split("/")[0] else "ordered"
