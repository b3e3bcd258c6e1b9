"""Deliberately broken ways to ask again: each breaks one promise, which the random histories must notice."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from concordant import ConcordantError
from concordant.merge.causality import image_name
from concordant.merge.kinds.weighing import Weighed
from concordant.merge.record.apply import stand_anew
from concordant.merge.registers import Change, Path
from concordant.workspace import resolvers
from concordant.workspace.reopening import AskingAgain
from concordant.workspace.resolvers import _resolver_of

from ..properties.fuzz import explore
from ..properties.test_reopening import check_reopening, teams
from ..semantics import test_reopening
from .breaking import swap

Patch = pytest.MonkeyPatch


def histories() -> None:
    explore(check_reopening, "mutants", 60, 30, teams)


def all_sides_have_one_dot(patch: Patch) -> None:
    """They are told apart here, and not where they come to."""
    swap(patch, image_name, lambda replica, place: replica)


def nobody_knows_of_the_images(patch: Patch) -> None:
    """A replica does not note that it knows what it has put back."""
    genuine = stand_anew

    def forgetful(change: Change, place: Path, entries: tuple[object, ...]) -> dict[str, int]:
        genuine(change, place, entries)  # type: ignore[arg-type]
        return {}

    swap(patch, stand_anew, forgetful)


def one_side_stays_away(patch: Patch) -> None:
    """Not all sides come back."""
    standing = AskingAgain._standing
    swap(patch, AskingAgain._standing, lambda *args: standing(*args)[1:])


MUTANTS = [all_sides_have_one_dot, nobody_knows_of_the_images, one_side_stays_away]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: str(mutant.__name__))
def test_a_mutant_that_asks_wrongly_is_noticed(mutant: Callable[[Patch], None], monkeypatch: Patch) -> None:
    """Random histories find it."""
    mutant(monkeypatch)
    with pytest.raises(AssertionError):
        histories()


def test_policies_that_decide_all_the_same_are_noticed(monkeypatch: Patch) -> None:
    """What was asked about is settled again at the next read."""
    monkeypatch.setattr(Weighed, "asked", property(lambda self: 0, lambda self, value: None))
    with pytest.raises(ConcordantError, match="say the same"):
        test_reopening.test_what_a_policy_settles_is_asked_about("max")


def test_a_function_that_is_asked_all_the_same_is_noticed(monkeypatch: Patch) -> None:
    """A function that answers again what a person wants to be asked."""
    found = resolvers._resolver_of

    def deaf(escalation: object) -> object:
        object.__setattr__(escalation, "asked", False)
        return found(escalation)  # type: ignore[arg-type]

    swap(monkeypatch, _resolver_of, deaf)
    with pytest.raises(AssertionError):
        test_reopening.test_a_function_is_not_asked_again()
