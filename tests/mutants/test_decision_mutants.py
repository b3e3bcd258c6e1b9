"""Deliberately broken decisions about constraints: each must be noticed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from concordant.merge.record.apply import _clear_held
from concordant.workspace.decisions import DecisionPending

from ..semantics import test_invalid_merge as tests
from .breaking import passes, swap

Patch = pytest.MonkeyPatch


def whatever_is_decided_is_taken(patch: Patch) -> None:
    """A decision that is held back at once is taken, and its question stays."""
    swap(patch, DecisionPending._check, lambda *_: None)


def what_was_held_back_stays_beside_the_decision(patch: Patch) -> None:
    """A decision is one more amount, or a change of the text, beside the writes that it was about."""
    swap(patch, _clear_held, lambda *_: None)


def refused() -> None:
    tests.test_a_decision_that_breaks_the_constraint_is_refused("amount", 5, -7, -7)


def stays() -> None:
    tests.test_what_was_decided_stays_when_another_field_breaks("amount", 2, -5, 0)


def dropped() -> None:
    tests.test_dismissing_what_was_never_shown_drops_it({"body": "much too long for it"}, {})


@pytest.mark.parametrize(
    ("check", "mutant"),
    [
        (refused, whatever_is_decided_is_taken),
        (stays, what_was_held_back_stays_beside_the_decision),
        (dropped, what_was_held_back_stays_beside_the_decision),
    ],
)
def test_a_broken_decision_is_noticed(
    check: Callable[[], None], mutant: Callable[[Patch], None], monkeypatch: Patch
) -> None:
    """The check fails under the mutant, and holds without it."""
    passes(check)
    mutant(monkeypatch)
    with pytest.raises((AssertionError, ValueError, pytest.fail.Exception)):
        check()
