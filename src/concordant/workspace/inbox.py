"""The life of escalations: from what a record shows as contested to transitions and events."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from concordant.escalation import Escalation, Event, escalation_of
from concordant.record import Record, View
from concordant.storage import Beside, Desk, Place
from concordant.tree import leaf_at

__all__ = ["Decision", "as_known", "transitions"]

Decision = tuple[str, str, str, Any]
"""(escalation id, "resolved" or "dismissed", by, value)"""


def transitions(
    place: Place, view: View, record: Record, at: datetime, desk: Desk, decision: Decision | None = None
) -> Beside:
    """Compares what is contested now with what was open, and returns the transitions, each once."""
    events: list[Event] = []
    before = desk.open_of(place)
    now: dict[str, Escalation] = {}
    for contest in view.contests:
        fresh = escalation_of(*place, contest)
        known = before.get(fresh.id)
        if fresh.id in now:
            continue
        if known is None:
            fresh = replace(fresh, opened_at=at)
            events.append(Event("reopened" if desk.find_closed(fresh.id) else "opened", fresh))
        else:
            fresh = as_known(fresh, known)
            values = {repr(c.value) for c in known.contenders}
            if fresh.version != known.version and any(repr(c.value) not in values for c in fresh.contenders):
                events.append(Event("grew", fresh))
        now[fresh.id] = fresh
    closed = [_closed(known, record, decision) for id_, known in before.items() if id_ not in now]
    events += [Event(escalation.state, escalation) for escalation in closed]  # type: ignore[arg-type]
    oldest_first = {id_: now[id_] for id_ in before if id_ in now} | now
    return Beside(oldest_first, closed, events)


def as_known(fresh: Escalation, known: Escalation) -> Escalation:
    """What is contested now, with what the open escalation of that id says beside it."""
    return replace(fresh, opened_at=known.opened_at, state=known.state, by=known.by)


def _closed(known: Escalation, record: Record, decision: Decision | None) -> Escalation:
    if decision is not None and decision[0] == known.id:
        return replace(known, state=decision[1], by=decision[2], decision=decision[3])  # type: ignore[arg-type]
    return replace(known, state="agreed" if _agrees(known, record) else "superseded")


def _agrees(known: Escalation, record: Record) -> bool:
    """Whether a closed contest ended because its live entries became equal."""
    leaf = leaf_at(record.tree, known.place)
    return known.reason == "scalar" and isinstance(leaf, tuple) and len(leaf) > 1
