"""The life of escalations: from what a record shows as contested to transitions and events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from concordant.escalation import Escalation, Event, Remark, State, escalation_of, id_of, when
from concordant.limits import MOST_CONTENDERS
from concordant.merge.kinds import Contest
from concordant.merge.record import Record, View, by_path
from concordant.merge.registers import as_register, leaf_at
from concordant.storage import Address, SideEffects, TransactionView

__all__ = ["Decision", "Transitions", "as_known", "transitions"]

_NO_REASONS: Mapping[str, Remark] = {}


class Decision(NamedTuple):
    """What was decided on an escalation: ``resolved`` or ``dismissed``, by whom, for which value, and why."""

    id: str
    state: State
    by: str
    value: Any
    why: str | None = None


class Transitions(NamedTuple):
    """What became of a document's questions: what is saved of that, and the open ones that may have changed."""

    effects: SideEffects
    touched: Sequence[Escalation]


def transitions(
    address: Address,
    view: View,
    record: Record,
    time: float,
    tx: TransactionView,
    decision: Decision | None = None,
    most: int = MOST_CONTENDERS,
    reasons: Mapping[str, Remark] = _NO_REASONS,
) -> Transitions:
    """Compares what is contested now with what was open, and returns the transitions, each once.

    Args:
        time: that of the commit.
        most: how many contenders an escalation shows.
        reasons: why questions were decided elsewhere, by their ids.
    """
    at = when(time)
    before = tx.open_of(address)
    fresh, gone = _news(address, view, before, most)
    events: list[Event] = []
    now = dict(before)
    for id_, escalation in fresh.items():
        known = before.get(id_)
        if known is None:
            now[id_] = replace(escalation, opened_at=at)
            events.append(Event("reopened" if tx.find_closed(id_) else "opened", now[id_], time))
        else:
            now[id_] = as_known(escalation, known)
            if _has_grown(escalation, known):
                events.append(Event("grew", now[id_], time))
    for id_ in gone:
        del now[id_]
    closed = [replace(_closed(before[id_], record, decision), closed_at=at) for id_ in gone]
    if reasons:
        closed = [one.remarked(*reasons[one.id]) if one.id in reasons else one for one in closed]
    events += [Event(escalation.state, escalation, time) for escalation in closed]  # type: ignore[arg-type]
    touched = [now[id_] for id_ in fresh]
    if not view.is_of(record.memory):
        record.memory = None  # what it knows of as told is not what is open now
    view.told()
    return Transitions(SideEffects(now, closed, events), touched)


def _news(
    address: Address, view: View, before: Mapping[str, Escalation], most: int
) -> tuple[dict[str, Escalation], list[str]]:
    """The escalations that are new or may have changed, by id, and the ids of those that are over."""
    news = view.news
    if news is None:
        fresh = _by_id(address, view.contests, most)
        return fresh, [id_ for id_ in before if id_ not in fresh]
    fresh = _by_id(address, by_path(contest for _, found in news.values() for contest in found), most)
    were = dict.fromkeys(id_of(*address, contest) for found, _ in news.values() for contest in found)
    return fresh, [id_ for id_ in were if id_ not in fresh and id_ in before]


def _by_id(address: Address, contests: Iterable[Contest], most: int) -> dict[str, Escalation]:
    found: dict[str, Escalation] = {}
    for contest in contests:
        escalation = escalation_of(*address, contest, most)
        found.setdefault(escalation.id, escalation)
    return found


def _has_grown(fresh: Escalation, known: Escalation) -> bool:
    """Whether there are contenders that there were not before."""
    if fresh.version == known.version:
        return False
    if (fresh.contenders, fresh.more) == (known.contenders, known.more):
        return False
    if len(fresh.contenders) + fresh.more >= len(known.contenders) + known.more:
        return True  # they are distinct, and not the same
    values = {repr(contender.value) for contender in known.contenders}
    return not (fresh.more or known.more) and any(repr(one.value) not in values for one in fresh.contenders)


def as_known(fresh: Escalation, known: Escalation) -> Escalation:
    """Tells what is contested now, with what the open escalation of that id says beside it."""
    return replace(fresh, opened_at=known.opened_at, state=known.state, by=known.by, remarks=known.remarks)


def _closed(known: Escalation, record: Record, decision: Decision | None) -> Escalation:
    if decision is not None and decision.id == known.id:
        closed = replace(known, state=decision.state, by=decision.by, decision=decision.value)
        return closed if decision.why is None else closed.remarked(decision.by, decision.why)
    return replace(known, state="agreed" if _agrees(known, record) else "superseded")


def _agrees(known: Escalation, record: Record) -> bool:
    """Whether a closed contest ended because its live entries became equal."""
    leaf = leaf_at(record.tree, known.place)
    return known.reason == "scalar" and len(as_register(leaf)) > 1
