"""Deliberately broken engines: each breaks one promise, and the check of that promise must notice.

A mutant is a small monkeypatch of one function. A check that passes under its mutant pins nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from concordant import ConcordantError, ContestedError, StaleDecisionError
from concordant.errors import Fault, InvalidWriteError
from concordant.escalation import id_of
from concordant.merge.causality import Entry, is_covered, seen_everything
from concordant.merge.kinds import Scalar, Text
from concordant.merge.kinds.folding import add
from concordant.merge.kinds.weighing import _key
from concordant.merge.record import Record, leases
from concordant.merge.record.apply import _remove_left_out
from concordant.merge.record.join import join, joined_vector
from concordant.merge.record.leases import after_write, earlier_lives, later, over, touched
from concordant.merge.registers import change as change_module
from concordant.merge.registers.change import Change
from concordant.merge.registers.register import confirmed, same
from concordant.merge.sequence.overlap import Rules
from concordant.schema.schema import Compiled
from concordant.storage import Knowledge, SideEffects
from concordant.workspace import (
    decisions,
    reading,
    transaction,
    transitions as transitions_module,
)
from concordant.workspace.decisions import DecisionPending
from concordant.workspace.reading import Reading
from concordant.workspace.transaction import Pending
from concordant.workspace.transitions import transitions
from concordant.workspace.visibility import seen_by, sees_all

from ..properties.checks import CHECKS
from .breaking import swap

Patch = pytest.MonkeyPatch
MUTANTS: dict[str, tuple[str, Callable[[Patch], None]]] = {}


def mutant(*promises: str) -> Callable[[Callable[[Patch], None]], Callable[[Patch], None]]:
    """Registers a mutant under the promises that it breaks."""

    def register(function: Callable[[Patch], None]) -> Callable[[Patch], None]:
        for promise in promises:
            MUTANTS[f"{promise}-{function.__name__}"] = (promise, function)
        return function

    return register


@mutant("g1", "g3")
def replacing_drops_unseen_entries(patch: Patch) -> None:
    """A write of a register leaves nothing but itself."""
    swap(
        patch,
        Change._written,
        lambda self, entries, value, *_: (Entry(self.stamp, value),),
    )


@mutant("g1", "g3")
def everything_counts_as_seen(patch: Patch) -> None:
    """Every writer has seen every write: the last one wins, as on a plain store."""
    swap(patch, seen_by, lambda *_: lambda _: True)


@mutant("g1", "g2")
def nothing_counts_as_seen(patch: Patch) -> None:
    """No writer has seen anything, its own writes included."""
    swap(patch, seen_by, lambda *_: lambda _: False)
    swap(patch, Pending._is_sequel, lambda *_: False)


@mutant("g2")
def equal_values_are_different(patch: Patch) -> None:
    """Values are compared by identity of the write, so that equal ones escalate."""
    swap(patch, same, lambda one, other, canon=None: one is other)
    swap(patch, _key, lambda entry, canon: repr(entry.stamp).encode())


@mutant("g1", "g3")
def writes_are_put_off_unseen(patch: Patch) -> None:
    """Every write is put off, as if it had seen all there is."""
    swap(patch, sees_all, lambda *_, **__: True)


@mutant("g3")
def overlapping_rewrites_pass(patch: Patch) -> None:
    """Rewrites of the same words stand side by side."""
    swap(patch, Text.rules, property(lambda _: Rules("word", escalate=False)))


@mutant("g3")
def contests_are_not_reported(patch: Patch) -> None:
    """The inbox never hears of a contest."""
    swap(patch, transitions, lambda *_: transitions_module.Transitions(SideEffects(), ()))


@mutant("g12")
def joining_ignores_what_was_known(patch: Patch) -> None:
    """A join keeps what either side has: what one of them removed comes back."""
    swap(patch, is_covered, lambda *_: False)


@mutant("g4")
def identity_depends_on_the_replica(patch: Patch) -> None:
    """An escalation's id is made with what only this process knows."""
    made = id_of
    count = iter(range(10**9))

    def other(namespace: Any, key: str, contest: Any) -> Any:
        return made(namespace, key, contest._replace(anchor=str(next(count))))

    swap(patch, id_of, other)


@mutant("g4")
def joining_keeps_only_ours(patch: Patch) -> None:
    """An import changes nothing here but the version vector."""
    swap(patch, join, lambda record, other: ())


@mutant("g5")
def retries_are_not_recognised(patch: Patch) -> None:
    """The puts of an earlier execution count as another task's."""
    swap(patch, Pending._replay, lambda *_: None)


@mutant("g5")
def imports_always_commit(patch: Patch) -> None:
    """An import of what is known commits again."""
    swap(
        patch,
        joined_vector,
        lambda record, other: {**record.vector, "again": len(record.arrivals) + 1},
    )


@mutant("g6")
def confirmations_are_forgotten(patch: Patch) -> None:
    """An equal value takes the place of the one it confirms, agents and all."""
    swap(patch, confirmed, lambda _: ())


@mutant("g7")
def reading_raises_on_a_contest(patch: Patch) -> None:
    """A read of a contested document fails."""
    read = reading.Reading.document_of

    def strict(self: Any, *args: Any, **kwargs: Any) -> Any:
        found = read(self, *args, **kwargs)
        if found is not None and found.contested:
            raise ContestedError(found)
        return found

    swap(patch, Reading.document_of, strict)


@mutant("g7")
def a_marker_stands_in_the_value(patch: Patch) -> None:
    """A contested scalar shows a marker."""
    read = Scalar.read

    def marked(self: Any, look: Any, field: Any, path: Any, public: Any, cell: Any) -> Any:
        return {"contested": True} if len(cell) > 1 else read(self, look, field, path, public, cell)

    swap(patch, Scalar.read, marked)


@mutant("g8")
def decisions_are_not_pinned(patch: Patch) -> None:
    """A decision stands whatever contenders there are by now."""
    found = decisions.DecisionPending._contest

    def lenient(self: Any, record: Record, tx: Any) -> Any:
        try:
            return found(self, record, tx)
        except StaleDecisionError:
            contests = transaction.current_view(record, self.schema, self.replica).contests
            if not contests:
                raise
            return contests[0]

    swap(patch, DecisionPending._contest, lenient)


@mutant("g8")
def decisions_forget_what_was_agreed(patch: Patch) -> None:
    """A decision passes no dot on, so that a late contender opens another escalation."""
    written = change_module.Change._written

    def fresh(self: Any, entries: Any, *args: Any) -> Any:
        result = written(self, entries, *args)
        return tuple(e._replace(base=None) if self.deciding and e.stamp == self.stamp else e for e in result)

    swap(patch, Change._written, fresh)


@mutant("g9")
def puts_merge_without_a_model(patch: Patch) -> None:
    """A put of an undeclared document keeps the fields that it leaves out."""
    swap(patch, _remove_left_out, lambda *_: None)


@mutant("g11")
def unknown_fields_are_dropped(patch: Patch) -> None:
    """What the model does not know is ignored."""
    closely = Compiled.closely

    def lenient(self: Any, namespace: Any, key: str, value: Any, spelt: bool = False) -> Any:
        known = {n: v for n, v in value.items() if n in self.root.fields} if isinstance(value, dict) else value
        return closely(self, namespace, key, known, spelt)

    swap(patch, Compiled.closely, lenient)


@mutant("g11")
def refusals_are_bare(patch: Patch) -> None:
    """A refused write names no faults."""
    made = InvalidWriteError.__init__

    def bare(self: Any, namespace: Any, key: str, faults: list[Fault]) -> None:
        made(self, namespace, key, [])

    swap(patch, InvalidWriteError.__init__, bare)


@mutant("g12")
def deletions_are_forgotten(patch: Patch) -> None:
    """A deletion takes the content away and leaves no mark that it did."""
    delete = change_module.Change.delete

    def forgetful(self: Any, path: Any, **options: Any) -> bool:
        found: bool = delete(self, path, **options)
        self.after[(*path, None)] = None
        return found

    swap(patch, Change.delete, forgetful)


@mutant("g2")
def counters_keep_the_last(patch: Patch) -> None:
    """A counter shows one agent's amounts."""
    swap(patch, add, lambda one, other: one)


@mutant("g1")
def removals_take_unseen_adds(patch: Patch) -> None:
    """An edit's removal from a set takes adds with it that its writer has not seen."""

    def all_of(self: Any, path: Any) -> bool:
        found = bool(self.register(path))
        self.set(path, ())
        return found

    swap(patch, Change.remove_seen, all_of)


@mutant("expiry")
def the_last_put_says_how_long(patch: Patch) -> None:
    """A put ends what others wrote at the same time, as its own."""
    write = leases.after_write

    def last(record: Any, stamp: Any, seen: Any, ttl: Any, gone: Any = None) -> Any:
        return write(record, stamp, seen_everything, ttl, gone)

    swap(patch, after_write, last)


@mutant("expiry")
def joins_take_the_earlier_end(patch: Patch) -> None:
    """A replica that has not heard of a refresh ends the document for all."""
    swap(patch, later, lambda one, other: min(one, other, key=lambda lease: lease.until))


@mutant("expiry")
def touches_wake_the_dead(patch: Patch) -> None:
    """A touch moves the end of leases that have run out as well."""

    def woken(given: Any, time: float) -> Any:
        return tuple(one._replace(until=time + one.ttl) if one.ttl is not None else one for one in given)

    swap(patch, touched, woken)


@mutant("expiry")
def a_new_life_keeps_the_old_one(patch: Patch) -> None:
    """A write to an expired document adds to what is there."""
    swap(patch, over, lambda *_: None)


@mutant("expiry")
def lives_are_mixed(patch: Patch) -> None:
    """What expired before another replica began anew is shown beside it."""
    swap(patch, earlier_lives, lambda _: None)


@mutant("expiry")
def the_sweep_forgets_what_others_know(patch: Patch) -> None:
    """The sweep drops content that another store may still bring back to life."""
    swap(patch, Knowledge.has_met, False)


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_noticed(name: str, monkeypatch: Patch) -> None:
    """The check of the promise that a mutant breaks fails under that mutant."""
    promise, apply_patch = MUTANTS[name]
    apply_patch(monkeypatch)
    with pytest.raises((AssertionError, ConcordantError, ValidationError, pytest.fail.Exception)) as noticed:
        CHECKS[promise]()
    broken = ("TypeError", "AttributeError", "NameError", "KeyError")
    assert not any(name in str(noticed.value) for name in broken), "the mutant itself is broken"


@pytest.mark.parametrize("promise", CHECKS)
def test_every_promise_has_a_mutant(promise: str) -> None:
    """No promise's check goes untested."""
    assert promise == "g10" or any(name.startswith(f"{promise}-") for name in MUTANTS)
