"""Decisions on escalations: pinned to the contenders they saw, validated, committed like any write."""

from __future__ import annotations

from typing import Any

from concordant.errors import Fault, InvalidWriteError, StaleDecisionError
from concordant.kinds import Contest
from concordant.record import Record
from concordant.schema import Compiled
from concordant.storage import State
from concordant.values import ABSENT, REMOVED, Unstorable, decode, encode
from concordant.workspace.commits import Pending, current_view, expanded
from concordant.workspace.escalation import DELETED, Escalation, escalation_of

__all__ = ["DecisionPending"]


class DecisionPending(Pending):
    """A decision on its way."""

    escalation: Escalation
    chosen: Any
    dismisses: bool

    def update(self, state: State | None, n: int, time: float) -> tuple[State | None, Any] | None:
        record = expanded(state, self.schema, self.replica)
        contest = self._contest(record)
        value = self._value(contest)
        self.contest = contest
        self.decision = value
        shown = DELETED if value is REMOVED else None if value is ABSENT else value
        self.deciding = (self.escalation.id, "dismissed" if self.dismisses else "resolved", self.scope.agent, shown)
        self.values = {"path": list(contest.path), "decision": None if shown is DELETED else shown}
        return super().update(record if state is None else state, n, time)

    def _contest(self, record: Record) -> Contest:
        wanted = self.escalation
        document = (self.namespace, self.key)
        for contest in current_view(record, self.schema, self.replica).contests:
            current = escalation_of(*document, contest)
            if current.id == wanted.id:
                if current.version != wanted.version:
                    raise StaleDecisionError(wanted, self.inbox.find(wanted.id, document) or current)
                return contest
        raise StaleDecisionError(wanted, self.inbox.find(wanted.id, document))

    def _value(self, contest: Contest) -> Any:
        """The decided value in JSON form, ``REMOVED`` for a deletion, ``ABSENT`` for no value."""
        if self.dismisses:
            return ABSENT if contest.reason == "type" or not self.escalation.has_base else self.escalation.base
        value = self.chosen
        if value is DELETED:
            if contest.reason != "delete":
                raise self._refused(contest, "DELETED decides only about a deletion", value)
            return REMOVED
        if contest.reason == "text" and not isinstance(value, str):
            raise self._refused(
                contest, f"a {type(value).__name__} where the text of the contested range is meant", value
            )
        return _validated(self, contest, value)

    def _refused(self, contest: Contest, problem: str, value: Any) -> InvalidWriteError:
        mend = "Give one of the contenders' values, or another of the field's type"
        return InvalidWriteError(self.namespace, self.key, [Fault(contest.path, problem, mend, value)])


def _validated(pending: DecisionPending, contest: Contest, value: Any) -> Any:
    """The value as the schema stores it at the contest's path."""
    schema: Compiled = pending.schema
    try:
        if contest.reason == "text":
            encode(value, contest.path)
            return value
        if not schema.declared:
            encode(value, contest.path)
            if contest.path == () and not isinstance(value, dict):
                raise pending._refused(contest, f"a {type(value).__name__} where a document's dict is meant", value)
            return value
        given: Any = value
        if not _reachable(schema, contest.path):
            encode(value, contest.path)
            return value
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


def _reachable(schema: Compiled, path: tuple[str, ...]) -> bool:
    """Whether the path leads through dicts alone (not into a list of records)."""
    field = schema.root
    for part in path:
        if part in field.fields:
            field = field.fields[part]
        elif field.child is not None and not getattr(field.kind, "by", None):
            field = field.child
        else:
            return False
    return True
