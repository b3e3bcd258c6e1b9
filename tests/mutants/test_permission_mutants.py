"""Deliberately deaf ears for who may write and who may decide, each of which a test must notice."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from concordant.workspace.permission import check_decider, check_party, check_writer, is_decider
from concordant.workspace.transaction import Pending

from ..semantics import test_permissions as told
from .breaking import swap

Patch = pytest.MonkeyPatch
Mutant = Callable[[Patch], None]


def deaf(check: Callable[..., None]) -> Mutant:
    """A check that finds nothing."""
    return lambda patch: swap(patch, check, lambda *_: None)


def everybody_settles(patch: Patch) -> None:
    """What a write settles is looked at by nobody."""
    swap(patch, Pending._check_settles, lambda *_: None)


def nothing_joins(patch: Patch) -> None:
    """A write by others replaces the sides that it has seen."""
    swap(patch, is_decider, lambda *_: True)
    everybody_settles(patch)


def a_stranger_asks_again(patch: Patch) -> None:
    """To ask again is nobody's business."""
    swap(patch, check_decider, lambda *_: None)
    everybody_settles(patch)


MUTANTS: list[tuple[Mutant, Callable[[], None]]] = [
    (deaf(check_writer), lambda: told.test_others_do_not_write("write")),
    (deaf(check_writer), lambda: told.test_others_do_not_write("edit")),
    (deaf(check_decider), lambda: told.test_others_do_not_decide("resolve", "mallory")),
    (deaf(check_decider), lambda: told.test_others_do_not_decide("claim", "mallory")),
    (deaf(check_party), told.test_a_decider_whose_own_side_it_is_does_not_decide),
    (everybody_settles, told.test_a_text_or_a_deletion_is_settled_by_no_others),
    (nothing_joins, told.test_a_write_by_others_settles_no_scalar),
    (a_stranger_asks_again, told.test_what_the_schema_declares_decides),
]


@pytest.mark.parametrize("number", range(len(MUTANTS)))
def test_a_deaf_ear_is_noticed(number: int, monkeypatch: Patch) -> None:
    """The test passes as it is, and fails on the mutant."""
    mutant, test = MUTANTS[number]
    test()
    mutant(monkeypatch)
    with pytest.raises((AssertionError, ValueError, pytest.fail.Exception)):
        test()
