"""Decisions on escalations: pinned to the contenders they saw, validated, committed like any write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from concordant.errors import Fault, InvalidWriteError, StaleDecisionError
from concordant.escalation import DELETED, Escalation, Event, escalation_of, id_of, is_version_of
from concordant.merge.causality import Stamp
from concordant.merge.kinds import Contest, List
from concordant.merge.record import Record, holds_back
from concordant.merge.registers import LeafChange
from concordant.schema import Compiled
from concordant.storage import Result, SideEffects, State, TransactionView
from concordant.values import ABSENT, REMOVED, Unstorable, canonical, check_numbers, decode, encode
from concordant.workspace.permission import check_party
from concordant.workspace.reasons import setting_of
from concordant.workspace.states import current_view, expanded
from concordant.workspace.transaction import Pending
from concordant.workspace.transitions import Decision

__all__ = ["Claiming", "DecisionPending", "Remarking", "leads_through_dicts"]


class Claiming:
    """A claim on its way: it changes the escalation alone.

    Attributes:
        claimed: the escalation as it is after it.
        made: the transition, if it is one. It stays so when the update is run again because the answer to its commit
            was lost: then it finds its own claim.
    """

    def __init__(self, escalation: Escalation, by: str) -> None:
        self.claimed = escalation
        self.made: Event | None = None
        self._wanted = escalation
        self._by = by

    def update(self, state: State | None, n: int, time: float, tx: TransactionView) -> Result | None:
        """Marks the open escalation as claimed, what the storage runs inside its transaction."""
        wanted, place = self._wanted, (self._wanted.namespace, self._wanted.key)
        open_ = tx.open_of(place)
        expired = isinstance(state, Record) and state.has_expired(time)
        current = None if expired else open_.get(wanted.id)
        taken = (
            current is not None and current.state == "claimed" and wanted.state != "claimed" and current.by != self._by
        )
        if current is None or current.version != wanted.version or taken:
            raise StaleDecisionError(wanted, current or tx.find_closed(wanted.id))
        self.claimed = replace(current, state="claimed", by=self._by)
        if self.claimed == current:
            return None  # claimed again by the same: no transition
        self.made = Event("claimed", self.claimed, time)
        return state, None, SideEffects({**open_, wanted.id: self.claimed}, events=(self.made,))


class Remarking:
    """A remark on its way to an open escalation, by somebody who was asked about it and does not decide.

    It is about the contenders that were looked at: on others nothing is said.
    """

    def __init__(self, escalation: Escalation, by: str, text: str) -> None:
        self._escalation = escalation
        self._by = by
        self._text = text

    def update(self, state: State | None, n: int, time: float, tx: TransactionView) -> Result | None:
        """Adds the remark to the escalation alone, what the storage runs inside its transaction."""
        wanted, open_ = self._escalation, tx.open_of((self._escalation.namespace, self._escalation.key))
        current = open_.get(wanted.id)
        if current is None or current.version != wanted.version:
            return None
        return state, None, SideEffects({**open_, wanted.id: current.remarked(self._by, self._text)})


class DecisionPending(Pending):
    """A decision on its way."""

    escalation: Escalation
    chosen: Any
    dismisses: bool
    why: str | None = None
    by_schema = False
    """Whether it is an answer of what the schema declares."""

    def _check_writer(self) -> None:
        """Who decides need not be one."""

    def update(self, state: State | None, n: int, time: float, tx: TransactionView) -> Result | None:
        if isinstance(state, Record) and state.has_expired(time):
            raise StaleDecisionError(self.escalation, None)
        record = expanded(state, self.schema, self.replica)
        contest = self._contest(record, tx)
        if not self.by_schema:
            check_party(self.schema, self.namespace, self.key, self.scope.agent, contest)
        value = self._value(contest)
        self.contest = contest
        self.decision = value
        shown = DELETED if value is REMOVED else None if value is ABSENT else value
        closed: Any = "dismissed" if self.dismisses else "resolved"
        self.deciding = Decision(self.escalation.id, closed, self.scope.agent, shown, self.why)
        self.values = {"path": list(contest.path), "decision": None if shown is DELETED else shown}
        if self.why is not None:
            self.values["why"] = self.why
        self.settings = setting_of(self.deciding, contest.path)
        return super().update(record if state is None else state, n, time, tx)

    def _contest(self, record: Record, tx: TransactionView) -> Contest:
        wanted = self.escalation
        place = (self.namespace, self.key)
        known = tx.open_of(place).get(wanted.id) or tx.find_closed(wanted.id)
        for contest in current_view(record, self.schema, self.replica).contests_near(wanted.place):
            if contest.path == wanted.path and id_of(*place, contest) == wanted.id:
                if not (is_version_of(wanted.version, contest) or _is_listed_so(wanted, known, contest)):
                    raise StaleDecisionError(wanted, known or escalation_of(*place, contest))
                return contest
        raise StaleDecisionError(wanted, known)

    def _value(self, contest: Contest) -> Any:
        """The decided value in JSON form, ``REMOVED`` for a deletion, ``ABSENT`` for no value."""
        if self.dismisses:
            return self._agreed(contest)
        value = self.chosen
        if value is DELETED:
            if contest.reason != "delete":
                raise self._refused(contest, "DELETED decides only about a deletion", value)
            return REMOVED
        if contest.reason == "text" and not isinstance(value, str):
            raise self._refused(
                contest, f"a {type(value).__name__} where the text of the contested range is meant", value
            )
        if contest.field is not None and isinstance(contest.field.kind, List) and not isinstance(value, list):
            raise self._refused(contest, f"a {type(value).__name__} where the list is meant", value)
        return _validated(self, contest, value)

    def _check(self, record: Record, changes: Sequence[LeafChange], stamp: Stamp) -> None:
        """Refuses what would be held back at once, or already is: it would answer nothing."""
        if not (self.schema.checked or record.alien):
            return
        contest = self.contest
        assert contest is not None
        trial = record.copy()
        trial.commit(changes, stamp)
        shown = current_view(trial, self.schema, self.replica)
        stands = contest.reason == "invalid" and any(
            one.reason == "invalid" and one.path == contest.path for one in shown.contests
        )
        if stands or holds_back(trial, shown, stamp):
            problem = "with this value the document breaks a constraint of its model"
            mend = "Give a value that fits what else stands there, or write first what it has to fit"
            chosen = None if self.decision in (ABSENT, REMOVED) else self.decision
            raise InvalidWriteError(self.namespace, self.key, [Fault(contest.path, problem, mend, chosen)])

    def _agreed(self, contest: Contest) -> Any:
        """What stands if all contenders are dismissed, as the present model has it."""
        parked = contest.reason == "type" and not (contest.field is not None and contest.field.kind.asks_type)
        if parked or contest.base is ABSENT or contest.base is None:
            return ABSENT
        base = decode(contest.base)  # type: ignore[arg-type]
        if contest.reason in ("schema", "invalid") and self.schema.declared:
            return self.schema.fit(contest.path, base)
        return base

    def _refused(self, contest: Contest, problem: str, value: Any) -> InvalidWriteError:
        mend = "Give one of the contenders' values, or another of the field's type"
        return InvalidWriteError(self.namespace, self.key, [Fault(contest.path, problem, mend, value)])


def _is_listed_so(wanted: Escalation, known: Escalation | None, contest: Contest) -> bool:
    """Whether a version is that under which the contenders that there are were listed by a process with another model,
    under which they compare otherwise."""
    if known is None or known.state not in ("open", "claimed") or known.version != wanted.version or known.more:
        return False
    listed = {b"" if one.value is DELETED else canonical(encode(one.value)) for one in known.contenders}
    return listed == {b"" if one.value is None else canonical(one.value) for one in contest.options}


def _validated(pending: DecisionPending, contest: Contest, value: Any) -> Any:
    """The value as the schema stores it at the contest's path."""
    schema: Compiled = pending.schema
    try:
        if contest.reason == "text":
            check_numbers(encode(value, contest.path), value, contest.path)
            return value
        if not schema.declared:
            check_numbers(encode(value, contest.path), value, contest.path)
            if contest.path == () and not isinstance(value, dict):
                raise pending._refused(contest, f"a {type(value).__name__} where a document's dict is meant", value)
            return value
        given: Any = value
        if not leads_through_dicts(schema, contest.path):
            check_numbers(encode(value, contest.path), value, contest.path)
            form = schema.fit(contest.path, value)
            if form is ABSENT:
                raise pending._refused(contest, "the value is not of the field's type", value)
            return form
        for part in reversed(contest.path):
            given = {part: given}
        body, parked = schema.incoming(pending.namespace, pending.key, given)
        if parked:
            raise pending._refused(contest, "the value is not of the field's type", value)
        stored: Any = decode(body)
        for part in contest.path:
            stored = stored[part]
    except Unstorable as error:
        raise InvalidWriteError(pending.namespace, pending.key, [error.fault]) from error
    return stored


def leads_through_dicts(schema: Compiled, path: tuple[str, ...]) -> bool:
    """Tells whether the path leads through dicts alone (not into a list of records)."""
    field = schema.root
    for part in path:
        if part in field.fields:
            field = field.fields[part]
        elif field.child is not None and not getattr(field.kind, "by", None):
            field = field.child
        else:
            return False
    return True
