"""Deliberately broken re-executions: each lets a node that is executed again have another effect than once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from concordant.errors import CorruptFrameError
from concordant.merge.causality import Dots
from concordant.merge.record.apply import _identity
from concordant.merge.registers import change as change_module
from concordant.merge.registers.change import Change
from concordant.workspace import executions, scope as scope_module
from concordant.workspace.executions import Effect, Executions
from concordant.workspace.scope import Scope
from concordant.workspace.scoping import Scoping

from ..langgraph.effects import test_once
from ..semantics import test_cancelled, test_reexecution
from .breaking import swap

Patch = pytest.MonkeyPatch
MUTANTS: dict[str, Callable[[Patch], None]] = {}


def mutant(function: Callable[[Patch], None]) -> Callable[[Patch], None]:
    MUTANTS[function.__name__] = function
    return function


@mutant
def equal_puts_never_follow_others(patch: Patch) -> None:
    """A put that is equal to the earlier one is left, though one before it was not."""
    swap(patch, Executions._diverging, lambda *_: frozenset())


@mutant
def nothing_is_hidden(patch: Patch) -> None:
    """Reads show what the earlier execution put."""
    swap(patch, Executions.hidden, lambda *_: [])


@mutant
def executions_are_not_told_apart(patch: Patch) -> None:
    """Of three executions only the first is remembered."""
    swap(patch, Executions._take, _first_only)


def _first_only(self: Executions, row: object, ordinal: int, began: float) -> None:
    if ordinal not in self._made:
        self._made[ordinal] = executions._Made(row, (Effect(row),), began)  # type: ignore[arg-type]


@mutant
def effects_leave_out_what_is_as_before(patch: Patch) -> None:
    """A put's own effect is only what differs from before it, not from what was put back for it."""
    swap(patch, Change.since, lambda self, earlier, _since=change_module.Change.since: _since(self, {}))


@mutant
def what_was_put_back_is_another_write(patch: Patch) -> None:
    """An entry under a new dot is not known again."""
    swap(patch, _identity, lambda stamp: stamp[1:3])


@mutant
def what_was_put_back_is_unseen(patch: Patch) -> None:
    """What a node read is new to it after it was put back."""
    patch.setattr(scope_module.ReadSnapshot, "time", property(lambda _: 0.0))


@mutant
def the_next_execution_is_not_known(patch: Patch) -> None:
    """What was cancelled and goes on is taken for the last execution."""
    swap(patch, Scoping._succeed, lambda *_: None)


@mutant
def late_puts_of_what_was_cancelled_are_not_met(patch: Patch) -> None:
    """An execution knows of the earlier one what it had put when this one began."""
    swap(patch, Scope.successors, lambda _: [])


@mutant
def all_that_is_cancelled_was_taken_back(patch: Patch) -> None:
    """What is put after the next execution diverged counts as taken back by that."""
    swap(patch, Executions._taken_back, lambda self, ordinal, _: self._diverging(ordinal))


@mutant
def a_deletion_reaches_what_came_after_it(patch: Patch) -> None:
    """A deletion that found nothing deletes what the earlier execution put later."""
    replay = Executions.replay

    def wrong(self: Executions, ordinal: int, values: Any, *more: Any) -> Any:
        found = replay(self, ordinal, values, *more)
        return found if found is not None and found.own else None

    swap(patch, Executions.replay, wrong)


def nodes() -> None:
    test_reexecution.test_a_deletion_that_found_nothing_deletes_nothing_the_next_time(None, 3)
    for order in test_cancelled.interleavings():
        test_cancelled.play(order, reads=True)
    for seed in (*range(60), *range(480, 490)):
        test_once.check(seed, "retry")


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under each mutant some random node differs from its last execution alone."""
    MUTANTS[name](monkeypatch)
    with pytest.raises(AssertionError):
        nodes()


def test_without_a_mutant_the_check_passes() -> None:
    """The same nodes have the effect of their last execution."""
    nodes()


def test_one_dot_for_all_that_is_put_back_is_caught(monkeypatch: Patch) -> None:
    """Several entries that are put back in one place must not be one write."""
    swap(monkeypatch, Dots.under, lambda self, path, own: own._replace(replica=self._stamp.replica, n=self._stamp.n))
    with pytest.raises(CorruptFrameError):
        test_reexecution.test_a_contest_that_is_put_back_travels({"votes": 1})
