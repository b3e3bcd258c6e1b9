"""Gives Concordant the scope of the CrewAI task under way, and CrewAI the escalations of a workspace."""

from __future__ import annotations

import threading
from functools import partial
from typing import Literal
from weakref import WeakSet

from concordant import Workspace
from concordant.spi import AgentRun, TaskScope, free_in_child
from concordant_crewai.beginnings import listen
from concordant_crewai.context import Work, current_work
from concordant_crewai.events import announce

__all__ = ["connect", "task_scope"]

_last: tuple[Work | None, TaskScope | None] = (None, None)
_connected: WeakSet[Workspace] = WeakSet()
_lock = free_in_child(threading.Lock())


def connect(workspace: Workspace) -> None:
    """Lets a workspace know the CrewAI task of each call, and puts its escalations on CrewAI's event bus; once."""
    listen()
    with _lock:
        if workspace in _connected:
            return
        _connected.add(workspace)
    workspace.add_scope_provider(task_scope)
    workspace.on_escalation(announce)


def task_scope() -> TaskScope | None:
    """Returns the scope of the task that the calling code runs in; ``None`` where CrewAI's events name nobody."""
    global _last
    work = current_work()
    if work is None:
        return None
    known, scope = _last
    if known is work:
        return scope
    origin = "crewai:" + "/".join(work.units)
    # A task that CrewAI runs again sees what its earlier run wrote: it is one execution, whose writes all count.
    # It is also the run of its agent: what its tools have shown it counts in its later calls.
    run = AgentRun(origin, partial(owned, origin), work.turn, work.call, began=work.began)
    scope = TaskScope(f"{origin}|{work.agent}", work.agent, origin, work.units[-1], "", work.began, relation, run=run)
    _last = (work, scope)
    return scope


def relation(mine: str, theirs: str) -> Literal["same", "concurrent", "ordered"]:
    """Returns a task has seen its own writes and those of the work that it delegated; all else is a matter of time."""
    return "same" if theirs == mine or theirs.startswith(f"{mine}/") else "ordered"


def owned(mine: str, theirs: str) -> Literal["own", "below", ""]:
    """Tells whether a write is of a task itself, or of the work that it delegated."""
    if theirs == mine:
        return "own"
    return "below" if theirs.startswith(f"{mine}/") else ""
