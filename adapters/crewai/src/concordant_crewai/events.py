"""Escalations as events of CrewAI's own bus."""

from __future__ import annotations

from typing import Any

from crewai.events.base_events import BaseEvent
from crewai.events.event_bus import crewai_event_bus

from concordant import DELETED, Event
from concordant_crewai.context import current_work

__all__ = ["EscalationEvent", "announce"]


class EscalationEvent(BaseEvent):
    """One transition of an escalation, for ``@crewai_event_bus.on(EscalationEvent)``.

    Attributes:
        kind: ``opened``, ``grew``, ``claimed``, ``resolved``, ``dismissed``, ``superseded``, ``agreed``, ``reopened``.
        contenders: the values with their agents; a deletion has ``deleted`` instead of a value.
        text: the whole in one line.
        agent_role: whose work caused the transition, where CrewAI tells.
    """

    type: str = "concordant_escalation"
    kind: str
    escalation_id: str
    namespace: tuple[str, ...]
    key: str
    path: tuple[str, ...]
    reason: str
    base: Any = None
    contenders: list[dict[str, Any]]
    decision: Any = None
    by: str | None = None
    text: str


def announce(event: Event) -> None:
    """Puts one transition on the bus."""
    escalation, work = event.escalation, current_work()
    contenders = [
        {"agents": list(c.agents), **({"deleted": True} if c.value is DELETED else {"value": c.value})}
        for c in escalation.contenders
    ]
    crewai_event_bus.emit(
        escalation,
        EscalationEvent(
            agent_role=work.agent if work is not None else None,
            kind=event.kind,
            escalation_id=escalation.id,
            namespace=escalation.namespace,
            key=escalation.key,
            path=escalation.path,
            reason=escalation.reason,
            base=escalation.base,
            contenders=contenders,
            decision=None if escalation.decision is DELETED else escalation.decision,
            by=escalation.by,
            text=str(escalation),
        ),
    )
