"""A settled question on its way to be asked again, by one write: what stood when it was asked stands beside each other
anew, and waits for a decision whatever the model's policies are."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from concordant.errors import ConcordantError
from concordant.escalation import DELETED, Contender, Escalation
from concordant.merge.causality import Agreed, Entry, Register, SeenBy, Stamp, seen_everything
from concordant.merge.kinds import Contest, Field, Scalar
from concordant.merge.kinds.keyed import key_of
from concordant.merge.kinds.nested import OpenRecord, field_at, public_path
from concordant.merge.record import Record, Write
from concordant.merge.record.parked import Spot, spot_of
from concordant.merge.registers import PARKED, Path, Tree, agreed, alternatives, are_different, leaf_at, leaves
from concordant.schema import Compiled
from concordant.storage import Result, State, Storage, TransactionView
from concordant.values import ABSENT, JSON, alike, decode, encode, same
from concordant.workspace.executions import Replay
from concordant.workspace.permission import check_decider
from concordant.workspace.scope import Scope
from concordant.workspace.states import current_view, tree_of
from concordant.workspace.transaction import Pending

__all__ = ["AskingAgain", "ReopeningPending", "decided", "is_register", "refused", "registers_at", "waits_beside"]

Names = tuple[str, ...]
Plan = Callable[[Record, Compiled], tuple[Path, Register]]
"""Tells which register of a record is to hold what; raises if that cannot be."""


class ReopeningPending(Pending):
    """A question on its way to be asked again.

    Args:
        path: the public path of what it is about.
        plan: tells what is to stand.
        problem: makes the error for what cannot be asked, of why.

    Attributes:
        question: what is open once it is committed.
    """

    question: Escalation

    def __init__(
        self,
        schema: Compiled,
        storage: Storage,
        document: tuple[Names, str],
        scope: Scope,
        path: Names,
        plan: Plan,
        problem: Callable[[str], ConcordantError],
    ) -> None:
        check_decider(schema, *document, scope.agent)
        super().__init__(schema, storage, *document, scope, None, "reopen")
        self.path, self.plan, self.problem = path, plan, problem
        self.values = {"path": list(path)}

    def _check_writer(self) -> None:
        """Who decides need not be one."""

    def update(self, state: State | None, n: int, time: float, tx: TransactionView) -> Result | None:
        if state is None or (isinstance(state, Record) and state.has_expired(time)):
            raise self.problem("the document is gone")
        result = self._merge(state, n, time, tx, sets=False)
        self.question = next(one for one in self.open if one.path == self.path)
        return result

    def _visible(self, record: Record, began: float | None) -> SeenBy:
        return seen_everything

    def _unseen(self, record: Record, seen: SeenBy) -> dict[str, bool]:
        return {}

    def _as_write(
        self, record: Record, stamp: Stamp, seen: SeenBy, replay: Replay | None, began: float | None
    ) -> Write:
        return Write(stamp, "reopen", {}, seen, anew=self.plan(record, self.schema))

    def _apply(self, record: Record, write: Write, gone: SeenBy | None) -> Any:
        """Computes the changes, and makes sure that they open the question: nothing is changed in vain."""
        applied = super()._apply(record, write, gone)
        twin = record.copy()
        twin.commit(applied.changes, write.stamp)
        twin.learn(applied.known)
        if not any(_is_asked(contest, self.path) for contest in current_view(twin, self.schema, self.replica).contests):
            raise self.problem("its sides say the same by now")
        return applied


def _is_asked(contest: Contest, path: Names) -> bool:
    waits = contest.reason == "type" and contest.field is not None and not contest.field.kind.asks_type
    return contest.path == path and (contest.asked or waits)


class AskingAgain:
    """The plan for a question that was settled: its sides stand again, and what was made of it since, if it is none of
    them.

    Args:
        settled: the question as it was closed.
        by: who asks again; what was agreed before, where it has to wait too, waits under this name.
    """

    def __init__(self, settled: Escalation, by: str) -> None:
        self.settled = settled
        self.by = by

    def __call__(self, record: Record, schema: Compiled) -> tuple[Path, Register]:
        spot = spot_of(schema.root, self.settled.path)
        if spot is None or spot.rest:
            raise refused(self.settled, "the model has no such field any more")
        if waits_beside(self.settled, spot):
            return self._waiting(record, schema, spot)
        return spot.place, self._standing(record, schema, spot)

    def _standing(self, record: Record, schema: Compiled, spot: Spot) -> Register:
        """The sides as values of the register, which carry what was agreed, in its place in the order."""
        settled, canon = self.settled, spot.field.canon
        if _part(_shown(record, schema), schema.root, spot.public[:-1]) is ABSENT:
            raise refused(settled, "what it was in is gone")
        found = leaf_at(tree_of(record, schema), spot.place)
        present: Register = found if isinstance(found, tuple) else ()
        before = settled.base if settled.has_base else ABSENT
        base = _agreed(agreed(present), before)
        sides = [
            Entry(Stamp(0.0, "", 0, agent, one.origin, ""), _stored(one.value), base)
            for one in settled.contenders
            for agent in one.agents
        ]
        told = [
            *(one.value for one in sides),
            *(encode(one) for one in (decided(settled), before) if one is not ABSENT),
        ]
        later = [
            entry._replace(base=base)
            for group in alternatives(present, canon)
            if not any(same(group[0].value, value, canon) for value in told)
            for entry in group
        ]
        return (*sides, *later)

    def _waiting(self, record: Record, schema: Compiled, spot: Spot) -> tuple[Path, Register]:
        """The sides as values that wait beside what stands: the model has no place for them."""
        settled = self.settled
        place: Path = (PARKED, json.dumps(list(settled.path)))
        stands = _part(_shown(record, schema), schema.root, spot.public)
        found = leaf_at(record.tree, place)
        sides = [one for one in settled.contenders if one.value is not DELETED]
        if settled.has_base and not any(alike(settled.base, one.value) for one in sides):
            sides.insert(0, Contender(settled.base, self.by, (self.by,), settled.opened_at, ""))
        waiting = [
            Entry(Stamp(0.0, "", 0, agent, one.origin, ""), encode(one.value))
            for one in sides
            if stands is ABSENT or not alike(stands, one.value)
            for agent in one.agents
        ]
        return place, (*(found if isinstance(found, tuple) else ()), *waiting)


def waits_beside(settled: Escalation, spot: Spot) -> bool:
    """Tells whether the sides of a question are values for which the model has no place. (A dict against a list in a
    ``Tree`` is a ``type`` question too, and fits.)"""
    if settled.reason == "type":
        return not spot.rest and not spot.field.kind.asks_type
    return settled.reason in ("schema", "invalid")


def is_register(settled: Escalation, schema: Compiled) -> bool:
    """Tells whether the sides of a question are values of one register, each of them whole."""
    root = schema.root
    if settled.reason not in ("scalar", "delete") or (isinstance(root.kind, OpenRecord) and root.kind.deep):
        return False
    spot = spot_of(root, settled.path)
    return spot is not None and not spot.rest and isinstance(spot.field.kind, Scalar) and not spot.field.kind.asks_type


def registers_at(tree: Tree, schema: Compiled, path: Names) -> Iterator[tuple[Path, Register]]:
    """Iterates the registers of a public path in which something else was said as well, or that it be deleted."""
    for place, leaf in leaves(tree):
        if not isinstance(leaf, tuple) or place[0] == PARKED or public_path(schema.root, place) != path:
            continue
        is_node = place[-1] is None
        if _has_tomb(leaf) if is_node else are_different(leaf, field_at(schema.root, place).canon):
            yield place, leaf


def _has_tomb(register: Register) -> bool:
    return any(entry.value is None for entry in register)


def decided(settled: Escalation) -> Any:
    """Tells what was decided; what was agreed before, where all sides were dismissed; ``ABSENT`` for nothing."""
    if settled.state == "dismissed":
        return settled.base if settled.has_base else ABSENT
    return ABSENT if settled.decision is DELETED or settled.state != "resolved" else settled.decision


def refused(settled: Escalation, why: str) -> ConcordantError:
    """Returns the error for a question that cannot be asked again."""
    return ConcordantError(f"The question {settled.id} cannot be asked again: {why}. Write the value that is to stand.")


def _stored(value: Any) -> JSON | None:
    return None if value is DELETED else encode(value)


def _agreed(carried: Agreed | None, before: Any) -> Agreed | None:
    """What was agreed before, in the place in the order that is still carried."""
    if carried is None and before is ABSENT:
        return None
    return Agreed(*(carried or (0.0, "", 0))[:3], None if before is ABSENT else encode(before))


def _shown(record: Record, schema: Compiled) -> Any:
    body = current_view(record, schema, "").body
    return ABSENT if body is None else decode(body)


def _part(value: Any, root: Field, path: Names) -> Any:
    """What a document shows at a path; ``ABSENT`` if nothing."""
    field: Field | None = root
    for name in path:
        by = getattr(field.kind, "by", None) if field is not None else None
        if isinstance(value, dict):
            value = value.get(name, ABSENT)
        elif isinstance(value, list) and by is not None:
            value = next((one for one in value if by in one and key_of(one, by) == name), ABSENT)
        else:
            return ABSENT
        field = (field.fields.get(name) or field.child) if field is not None else None
    return value
