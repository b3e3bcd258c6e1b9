"""What earlier executions of a task have put to a document, and what the puts of a new execution make of that.

The n-th put of an execution takes the place of the n-th put of the one before, field by field:

- A field that it gives the same value is left as it is, with all that others have made of it meanwhile.
- A deletion that found nothing the last time changes nothing: what came after it is not what it is to delete.
- A field that it gives another value *diverges*: what the earlier n-th put did to it is taken back, and what later
  ones did to it as well, for they built on a value that is no more. If the new execution makes those puts again, they
  are edits of the new value, equal or not.

An execution that was cancelled may go on beside the next one. What it puts then stands until the next one makes that
put; what the next one has made already is not made again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Sequence, Set
from typing import Any, NamedTuple, TypeAlias

from concordant.merge.causality import Stamp
from concordant.merge.kinds.nested import split_slot
from concordant.merge.record import Earlier
from concordant.merge.record.apply import without
from concordant.merge.registers import PARKED, LeafChange, Path
from concordant.schema import Compiled
from concordant.storage import Address, Op, Row, State
from concordant.storage.cut import clock_of, highest, part
from concordant.values import alike, decode
from concordant.workspace.core import Core
from concordant.workspace.scope import Scope
from concordant.workspace.states import effect_of, expanded

__all__ = ["Effect", "Executions", "Fields", "Replay", "Retries", "field_of"]

Fields: TypeAlias = frozenset[str | None]
"""Names of top-level fields; ``None`` among them stands for the whole document."""

_NOTHING: Fields = frozenset()
_WHOLE: Fields = frozenset([None])
_NONE: frozenset[str] = frozenset()


class Effect(NamedTuple):
    """What one put did, as far as it stands: to the fields ``within`` (``None`` among them: to all), ``void`` apart."""

    row: Row
    void: Fields = _NOTHING
    within: Fields = _WHOLE

    def without(self, fields: Fields) -> Effect:
        """Returns the same apart from some fields; a deletion is no matter of single fields."""
        return self._replace(void=self.void | (_WHOLE if fields and self.row.act == "delete" else fields))

    def effect(self, schema: Compiled, replica: str) -> Earlier:
        """Returns its stamp and changes; only once nothing of the document is put off any more."""
        changes: Sequence[LeafChange] = () if None in self.void else effect_of(self.row, schema, replica)
        if self.void or None not in self.within:
            whole = None in self.within
            changes = tuple(
                c for c in changes if (f := field_of(c.path)) not in self.void and (whole or f in self.within)
            )
        return Earlier(self.row.stamp(replica), changes)


class Replay(NamedTuple):
    """What a put of a new execution makes of the earlier ones.

    Attributes:
        began: the time of the last commit when the execution began that made the put first.
        diverging: the fields in which it diverges; none: it changes nothing.
        kept: the fields that it leaves as they are.
        own: the effects of the puts whose place it takes.
        back: the effects that are taken back, newest first.
    """

    began: float
    diverging: Fields
    kept: frozenset[str]
    own: tuple[Effect, ...]
    back: tuple[Effect, ...]

    def untouched(self, schema: Compiled, replica: str) -> frozenset[str]:
        """Returns the fields whose being left out is nothing new."""
        changes = [change for part in self.own for change in part.effect(schema, replica).changes]
        fields = {field_of(change.path) for change in changes} - self.diverging
        return self.kept.union(name for name in fields if name is not None)


class _Replayed(NamedTuple):
    """What a put of the present execution did to the earlier ones, and the number of its commit."""

    diverging: Fields
    n: int


class _Made(NamedTuple):
    """The n-th put of the executions so far: the last of them, what stands of all, the time of the last commit when the
    first began, and the fields in which nothing stands, because the last execution diverged before it and came no
    further."""

    row: Row
    parts: tuple[Effect, ...]
    began: float
    void: Fields = _NOTHING

    def values(self) -> dict[str, Any] | None:
        """The values that it gave; ``None`` for a deletion."""
        return None if self.row.act == "delete" else decode(self.row.body or b"{}")


class Executions:
    """The puts to one document of one task's earlier executions.

    Args:
        rows: the journal's rows of those puts.
        open_: whether a put also changes what it leaves out (in a namespace without a model).
        later: the executions that began after the present one.
        present: what was known of the same executions before, with what the present one has put.
    """

    __slots__ = ("_later", "_made", "_open", "_replayed")

    def __init__(self, rows: Iterable[Row], *, open_: bool, later: Set[str], present: Executions | None) -> None:
        self._open = open_
        self._later: Set[str] = frozenset()
        self._made: dict[int, _Made] = {}
        executions: dict[str, dict[int, _Replayed]] = {}
        for row in sorted(rows, key=lambda row: row.n):
            assert row.op is not None
            self._replayed = executions.setdefault(row.op[1], {})
            self._take(row, row.op[2], row.op[3])
        self._replayed = present._replayed if present is not None else {}
        self._later = later

    def replay(
        self,
        ordinal: int,
        values: dict[str, Any] | None,
        n: int,
        since: float,
        parked: Collection[str] = (),
        overwritten: Callable[[Iterable[Effect]], Fields] = lambda _: _NOTHING,
    ) -> Replay | None:
        """Tells what the n-th put of the present execution makes of the earlier ones; ``None`` if there is none.

        Args:
            values: the values that it gives; ``None`` for a deletion.
            n: the number of its commit.
            since: a time; what was put before it is over.
            parked: fields for which it gives values of a wrong type.
            overwritten: in which fields what was put has given way to what is executed again before it.
        """
        made = self._made.get(ordinal)
        if made is None or made.row.time < since:
            self._replayed[ordinal] = _Replayed(_NOTHING, n)
            return self._found_nothing(ordinal) if made is None and values is None else None
        assert made.row.op is not None
        if made.row.op[1] in self._later:
            self._replayed[ordinal] = _Replayed(_NOTHING, n)
            return Replay(made.began, _NOTHING, _NONE, made.parts, ())
        before = self._diverging(ordinal) | made.void | overwritten(made.parts)
        diverging, kept = self._compared(made, values, before, parked)
        if diverging and self._open and values is not None:  # what later ones gave goes, until it is given again
            diverging |= {name for name in self._given_later(ordinal) if name not in values}
        self._replayed[ordinal] = _Replayed(diverging, n)
        back = self._back(ordinal, made, diverging, kept, since) if diverging else ()
        return Replay(made.began, diverging, kept, made.parts, back)

    def _found_nothing(self, ordinal: int) -> Replay | None:
        """What becomes of a deletion that found nothing, and so is in no journal; ``None`` if no put came after it."""
        later = [other.began for number, other in self._made.items() if number > ordinal]
        return Replay(min(later), _NOTHING, _NONE, (), ()) if later else None

    def _compared(
        self, made: _Made, values: dict[str, Any] | None, before: Fields, parked: Collection[str]
    ) -> tuple[Fields, frozenset[str]]:
        """The fields that a put gives another value than the one it takes the place of, and those it leaves as they
        are; ``before`` have diverged in any case."""
        old = made.values()
        if old is None or values is None:
            return _NOTHING if old is values and not before else _WHOLE, _NONE
        if None in before:
            return _WHOLE, _NONE
        names = {*old, *values, *parked}
        changed = {n for n in names if n not in old or n not in values or not alike(old[n], values[n])}
        changed |= {name for name in before if name is not None and (self._open or name in names)}
        return frozenset(changed), frozenset(names - changed)

    def _back(
        self, ordinal: int, made: _Made, diverging: Fields, kept: frozenset[str], since: float
    ) -> tuple[Effect, ...]:
        """The effects that a put which diverges takes back, newest first: of its earlier self, and of later puts."""
        own = [
            (part._replace(within=diverging) if kept else part).without(self._taken_back(ordinal, part) | made.void)
            for part in made.parts
        ]
        later = [
            part._replace(within=_WHOLE if part.row.act == "delete" else diverging).without(
                self._taken_back(ordinal, part)
            )
            for number, other in self._made.items()
            if number > ordinal and number not in self._replayed
            for part in other.parts
        ]
        back = [part for part in (*own, *later) if part.row.time >= since]
        return tuple(sorted(back, key=lambda part: -part.row.n))

    def _given_later(self, ordinal: int) -> set[str]:
        """The fields that later puts gave the last time, as far as they have not been made again."""
        later = (made for number, made in self._made.items() if number > ordinal and number not in self._replayed)
        return {name for made in later for name in made.values() or ()}

    def take_back(self, ordinal: int) -> None:
        """Takes note that the n-th put of the present execution was not committed."""
        self._replayed.pop(ordinal, None)

    def hidden(self, since: float) -> list[Effect]:
        """Tells what the present execution is not to read: effects of earlier ones that it has not replaced, newest
        first."""
        found = [
            part.without(self._taken_back(number, part))
            for number, made in self._made.items()
            if number not in self._replayed
            for part in made.parts
            if part.row.time >= since
        ]
        return sorted(found, key=lambda part: -part.row.n)

    def _diverging(self, ordinal: int) -> Fields:
        """The fields in which the present execution has diverged before its n-th put."""
        return self._union(ordinal, 0)

    def _taken_back(self, ordinal: int, part: Effect) -> Fields:
        """The fields of an n-th put that the present execution took back by diverging before its own n-th."""
        return self._union(ordinal, part.row.n)

    def _union(self, ordinal: int, after: int) -> Fields:
        replayed = list(self._replayed.items())
        return _NOTHING.union(*(put.diverging for number, put in replayed if number < ordinal and put.n > after))

    def _take(self, row: Row, ordinal: int, began: float) -> None:
        """A put of an earlier execution as one of those that a later one meets."""
        old = self._made.get(ordinal)
        replay = self.replay(ordinal, _Made(row, (), began).values(), row.n, 0.0)
        if replay is None or old is None:
            self._made[ordinal] = _Made(row, (Effect(row),), began)
            return
        for number, other in self._made.items():
            if number > ordinal and number not in self._replayed:
                parts = tuple(part.without(replay.diverging) for part in other.parts)
                self._made[number] = other._replace(parts=parts, void=other.void | replay.diverging)
        gone = replay.diverging if replay.kept else _WHOLE
        self._made[ordinal] = _Made(row, (*(part.without(gone) for part in old.parts), Effect(row)), began)


class Retries:
    """Knows tasks that are executed again: what their earlier executions put, and the identity of their puts."""

    __slots__ = ("_core",)

    def __init__(self, core: Core) -> None:
        self._core = core

    def executed_before(self, scope: Scope) -> bool:
        """Tells whether the scope's task has written in another execution."""
        base, task = scope.base, scope.task
        if task is not None and (base.executed_before is None or (not base.executed_before and base.overlaps)):
            base.executed_before = self._core.storage.executed_before(task.task, task.execution)
        return bool(base.executed_before)

    def earlier(self, scope: Scope, document: Address) -> Executions | None:
        """Returns the puts that earlier executions of the scope's task made to a document; ``None`` without any."""
        base = scope.base
        if scope.task is None or (base.executed_before is False and not base.overlaps):
            return None
        if not self.executed_before(scope):
            return None
        if document not in scope.earlier:
            scope.earlier.setdefault(document, self._executions(scope, document))
        elif base.successor is not None or document in base.rewritten:
            scope.earlier[document] = self._executions(scope, document, scope.earlier[document])
        found: Executions | None = scope.earlier[document]
        return found

    def _executions(self, scope: Scope, document: Address, known: Executions | None = None) -> Executions | None:
        task = scope.task
        assert task is not None
        puts = self._core.storage.puts_of(task.task, *document)
        rows = [row for row in puts if row.op is not None and row.op[1] != task.execution]
        if not rows:
            return None
        later = {s.task.execution for s in scope.successors() if s.task is not None}
        open_ = not self._core.registry.find(document[0]).declared
        return Executions(rows, open_=open_, later=later, present=known)

    def as_read_by(self, scope: Scope, document: Address, state: State, schema: Compiled) -> tuple[State, bool]:
        """Returns a document's state as a task reads it, without its own earlier execution; and whether it differs."""
        base = scope.base
        if scope.task is None or (base.executed_before is False and base.successor is None and not base.rewritten):
            return state, False
        earlier = self.earlier(scope, document)
        if earlier is None:
            return state, False
        storage = self._core.storage
        record = expanded(state, schema, storage.replica)
        hidden = [part.effect(schema, storage.replica) for part in earlier.hidden(record.reborn)]
        stamp = Stamp(record.updated_at, storage.replica, highest(storage.now()[0]) + 1, "", "", "read")
        return without(record, schema.root, hidden, stamp), True

    def identity(self, scope: Scope, document: Address) -> Op | None:
        """Returns the identity of a task's next put to a document, by which a later execution of the task finds it;
        ``None`` outside tasks. Whoever runs the task, here, has seen that it puts it."""
        task = scope.task
        if task is None:
            return None
        if self._core.scoping.has_marks:
            self._core.scoping.note_run(document, scope)
        base = scope.base
        again = base.executed_before
        if again is None:
            again = self.executed_before(scope)
        if again or base.successor is not None or base.rewritten:
            for later in scope.successors():
                later.rewritten.add(document)
            self.earlier(scope, document)
        began = scope.since.time
        if isinstance(began, tuple):
            began = part(began, clock_of(document, len(began)))
        return task.task, task.execution, scope.number(document), began


def field_of(path: Path) -> str | None:
    """Returns the top-level field of a place; ``None`` for the whole document."""
    slot = path[0]
    if slot is None:
        return None
    if slot == PARKED:
        return str(json.loads(path[1])[0]) if len(path) > 1 and path[1] is not None else None
    return split_slot(slot)[1]
