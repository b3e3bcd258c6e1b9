"""Who is at work right now: the agent and the task that CrewAI's own events tell of, with no code in the user's tools.

CrewAI gives each unit of work a start event, keeps the ids of those under way in a context variable that crosses every
thread it starts, and records the events of a kickoff. So from the innermost start event upwards, the first that names
an agent tells who writes, and the tasks on the way tell in which unit of work.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from crewai.events.event_bus import crewai_event_bus
from crewai.events.event_context import get_current_parent_id

__all__ = ["Work", "current_work"]

_MOST_KNOWN = 4096

_known: dict[str, Work | None] = {}
"""By the id of the innermost start event, whose ancestors never change."""


class Work(NamedTuple):
    """An agent in a unit of work.

    Attributes:
        agent: the agent's role, or the flow method's name.
        units: ids of the start events of the units of work, the outermost first.
        began: when the innermost one began, in seconds since the epoch.
    """

    agent: str
    units: tuple[str, ...]
    began: float


def current_work() -> Work | None:
    """What the calling code is part of; ``None`` outside of CrewAI, and where its events name nobody."""
    innermost = get_current_parent_id()
    if innermost is None:
        return None
    try:
        return _known[innermost]
    except KeyError:
        pass
    state: Any = crewai_event_bus.runtime_state
    if state is None:
        return None
    work = _read(state.event_record, innermost)
    if len(_known) >= _MOST_KNOWN:
        _known.clear()
    _known[innermost] = work
    return work


def _read(record: Any, innermost: str) -> Work | None:
    agent: str | None = None
    units: list[str] = []
    began = 0.0
    event = _event(record, innermost)
    while event is not None:
        parent = _event(record, event.parent_event_id)
        agent = agent or _agent_of(event)
        if _is_unit(event, parent):
            began = began or event.timestamp.timestamp()
            units.append(event.event_id)
        event = parent
    if agent is None or not units:
        return None
    return Work(agent, (*reversed(units),), began)


def _event(record: Any, event_id: str | None) -> Any:
    node = record.get(event_id) if event_id else None
    return node.event if node is not None else None


def _agent_of(event: Any) -> str | None:
    """The role that an event names, or the flow method."""
    if event.agent_role:
        return str(event.agent_role)
    if event.type == "agent_execution_started":
        return str(event.agent.role)
    if event.type == "lite_agent_execution_started":
        role = event.agent_info.get("role")
        return str(role) if role else None
    return str(event.method_name) if event.type == "method_execution_started" else None


def _is_unit(event: Any, parent: Any) -> bool:
    """A task, a flow's method, an agent's own kickoff; and work that an agent delegates, a unit within its task."""
    if event.type == "agent_execution_started":
        return parent is None or parent.type != "task_started"
    return event.type in ("task_started", "lite_agent_execution_started", "method_execution_started")
