"""When units of work, calls of models and of tools begin: noted as CrewAI tells of them, for its events carry times of
a clock that may step."""

from __future__ import annotations

import threading
import weakref
from functools import wraps
from typing import Any

from crewai.events.event_bus import CrewAIEventsBus

from concordant import Instant
from concordant.spi import free_in_child

__all__ = ["listen", "noted"]

_NOTED = {
    "task_started",
    "method_execution_started",
    "agent_execution_started",
    "lite_agent_execution_started",
    "llm_call_started",
    "tool_usage_started",
    "tool_usage_finished",
    "tool_usage_error",
}

_instants: dict[str, Instant] = {}
"""By the event's id, for as long as CrewAI keeps the event."""

_listening: list[bool] = []
_lock = free_in_child(threading.Lock())


def noted(event_id: str) -> Instant | None:
    """Tells when CrewAI told of an event; ``None`` where that was not noted here: it happened before anything listened,
    or in another process."""
    return _instants.get(event_id)


def listen() -> None:
    """Notes the instants of events from now on, in all of this process.

    A handler would be too late: the bus calls it in a thread of its own, when the work may have begun. So what emits
    an event notes it first.
    """
    with _lock:
        if _listening:
            return
        _listening.append(True)
    emit, aemit = CrewAIEventsBus.emit, CrewAIEventsBus.aemit

    @wraps(emit)
    def noting(self: CrewAIEventsBus, source: Any, event: Any) -> Any:
        _note(event)
        return emit(self, source, event)

    @wraps(aemit)
    async def anoting(self: CrewAIEventsBus, source: Any, event: Any) -> None:
        _note(event)
        await aemit(self, source, event)

    CrewAIEventsBus.emit, CrewAIEventsBus.aemit = noting, anoting  # type: ignore[method-assign]


def _note(event: Any) -> None:
    if event.type in _NOTED:
        _instants[event.event_id] = Instant.now()
        weakref.finalize(event, _instants.pop, event.event_id, None).atexit = False
