"""Who is at work right now: the agent and the task that CrewAI's own events tell of, with no code in the user's tools.

CrewAI gives each unit of work a start event, keeps the ids of those under way in a context variable that crosses every
thread it starts, and records the events of a kickoff. So from the innermost start event upwards, the first that names
an agent tells who writes, and the tasks on the way tell in which unit of work.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from crewai.events.event_bus import crewai_event_bus
from crewai.events.event_context import get_current_parent_id

from concordant import Instant
from concordant_crewai.beginnings import noted

__all__ = ["Work", "current_work"]

_MOST_KNOWN = 4096
_MOST_BESIDE = 256

_known: dict[str, Work | None] = {}
"""By the id of the innermost start event, whose ancestors never change."""


class Work(NamedTuple):
    """An agent in a unit of work.

    Attributes:
        agent: the agent's role, or the flow method's name.
        units: ids of the start events of the units of work, the outermost first.
        began: when the innermost one began; in seconds since the epoch where that was not noted.
        call: the id of the start event of the tool call under way, if there is one.
        turn: orders tool calls by when the agent's model decided them (``Instant.tick``): those that it made at once
            have one.
    """

    agent: str
    units: tuple[str, ...]
    began: Instant | float
    call: str = ""
    turn: int | None = None


def current_work() -> Work | None:
    """Tells what the calling code is part of; ``None`` outside of CrewAI, and where its events name nobody."""
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
    began: Instant | float = 0.0
    event = _event(record, innermost)
    while event is not None:
        parent = _event(record, event.parent_event_id)
        agent = agent or _agent_of(event)
        if _is_unit(event, parent):
            began = began or noted(event.event_id) or event.timestamp.timestamp()
            units.append(event.event_id)
        event = parent
    if agent is None or not units:
        return None
    started = _event(record, innermost)
    if started.type != "tool_usage_started":
        return Work(agent, (*reversed(units),), began)
    return Work(agent, (*reversed(units),), began, innermost, _turn_of(record, started))


def _turn_of(record: Any, started: Any) -> int | None:
    """When a tool call was decided: with the last call of the model before it or, where the model tells of none, with
    the first of the tool calls that were under way when this one began."""
    began = noted(started.event_id)
    if began is None:
        return None
    turn = began.tick
    parent = record.get(started.parent_event_id) if started.parent_event_id else None
    ended = set()
    for event_id in reversed(parent.edges.get("child", ())[-_MOST_BESIDE:] if parent is not None else ()):
        event, at = _event(record, event_id), noted(event_id)
        if event is None or at is None or at > began:
            continue
        if event.type == "llm_call_started":
            return at.tick
        if event.type == "tool_usage_started" and event.event_id not in ended:
            turn = min(turn, at.tick)
        elif event.started_event_id:
            ended.add(event.started_event_id)
    return turn


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
