"""The life of escalations: from what a record shows as contested to transitions and events."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

from concordant.record import Record, View
from concordant.tree import leaf_at
from concordant.workspace.escalation import Escalation, Event, escalation_of

__all__ = ["Decision", "Inbox"]

Document = tuple[tuple[str, ...], str]
Decision = tuple[str, str, str, Any]
"""(escalation id, "resolved" or "dismissed", by, value)"""


class Inbox:
    """All escalations of a workspace; the open ones by document, so that the cost of listing them is their number.

    Args:
        closed: how many closed escalations are remembered.
    """

    def __init__(self, closed: int = 10_000) -> None:
        self.open: dict[Document, dict[str, Escalation]] = {}
        self.closed: OrderedDict[str, Escalation] = OrderedDict()
        self._most = closed

    def refresh(
        self, document: Document, view: View, record: Record | None, at: datetime, decision: Decision | None = None
    ) -> list[Event]:
        """Compares what is contested now with what was open, and returns the transitions, each once."""
        events: list[Event] = []
        before = self.open.get(document, {})
        now: dict[str, Escalation] = {}
        for contest in view.contests:
            fresh = escalation_of(*document, contest)
            known = before.get(fresh.id)
            if fresh.id in now:
                continue
            if known is None:
                earlier = self.closed.pop(fresh.id, None)
                fresh = replace(fresh, opened_at=at)
                events.append(Event("reopened" if earlier else "opened", fresh))
            else:
                fresh = replace(fresh, opened_at=known.opened_at, state=known.state, by=known.by)
                values = {repr(c.value) for c in known.contenders}
                if fresh.version != known.version and any(repr(c.value) not in values for c in fresh.contenders):
                    events.append(Event("grew", fresh))
            now[fresh.id] = fresh
        for id_, known in before.items():
            if id_ not in now:
                closed = self._close(known, record, decision)
                events.append(Event(closed.state, closed))  # type: ignore[arg-type]
        if now:
            self.open[document] = now
        else:
            self.open.pop(document, None)
        return events

    def _close(self, known: Escalation, record: Record | None, decision: Decision | None) -> Escalation:
        if decision is not None and decision[0] == known.id:
            closed = replace(known, state=decision[1], by=decision[2], decision=decision[3])  # type: ignore[arg-type]
        else:
            closed = replace(known, state="agreed" if _agrees(known, record) else "superseded")
        self.closed[known.id] = closed
        while len(self.closed) > self._most:
            self.closed.popitem(last=False)
        return closed

    def claim(self, escalation: Escalation, by: str) -> Escalation:
        """Marks an open escalation as claimed."""
        document = (escalation.namespace, escalation.key)
        claimed = replace(self.open[document][escalation.id], state="claimed", by=by)
        self.open[document][escalation.id] = claimed
        return claimed

    def find(self, id_: str, document: Document) -> Escalation | None:
        """The escalation with this id as it is now, open or closed."""
        return self.open.get(document, {}).get(id_) or self.closed.get(id_)

    def list(self, prefix: tuple[str, ...], state: str) -> Iterator[Escalation]:
        """The escalations under a namespace prefix; ``open`` includes claimed ones."""
        depth = len(prefix)
        if state in ("open", "claimed", "all"):
            for document, items in list(self.open.items()):
                if document[0][:depth] == prefix:
                    yield from (e for e in list(items.values()) if state != "claimed" or e.state == "claimed")
        if state not in ("open", "claimed"):
            for escalation in list(self.closed.values()):
                if escalation.namespace[:depth] == prefix and state in ("all", escalation.state):
                    yield escalation

    def forget(self, document: Document) -> None:
        """Drops all that is known of a document's escalations."""
        self.open.pop(document, None)
        for id_ in [i for i, e in self.closed.items() if (e.namespace, e.key) == document]:
            del self.closed[id_]


def _agrees(known: Escalation, record: Record | None) -> bool:
    """Whether a closed contest ended because its live entries became equal."""
    if known.reason != "scalar" or record is None or known.field_ is None:
        return False
    register = _register_at(record, known)
    return register is not None and len(register) > 1


def _register_at(record: Record, known: Escalation) -> Any:
    place = known.place
    leaf = leaf_at(record.tree, place)
    return leaf if isinstance(leaf, tuple) else None
