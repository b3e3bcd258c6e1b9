"""Stores that forget what somebody may still refer to: the histories must tell."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from concordant.merge.record import Record
from concordant.merge.sequence.trim import _credited, _keep_whole
from concordant.workspace.frontier import Waiting

from ..properties.fuzz import explore
from ..properties.test_vacuum import check_vacuum, shorten, vacuum_history
from ..semantics.test_vacuum import (
    test_a_rewrite_of_what_is_forgotten_by_somebody_nobody_knew_is_refused as a_rewrite_of_what_is_forgotten_is_refused,
    test_what_has_become_of_a_sentence_is_told_while_it_may_be_rewritten as a_sentence_is_told,
)
from .breaking import swap

Patch = pytest.MonkeyPatch


def nobody_elsewhere_is_waited_for(patch: Patch) -> None:
    """What no agent here goes on from is forgotten, whatever other stores have told."""
    swap(patch, Waiting._first_behind, lambda self, stamp: None)


def credits_are_forgotten(patch: Patch) -> None:
    """Who wrote the words that a rewrite has left is forgotten with what was rewritten."""
    swap(patch, _credited, lambda *given: {})


@pytest.mark.parametrize("mutant", [nobody_elsewhere_is_waited_for, credits_are_forgotten])
def test_g1_g3_a_mutant_that_forgets_too_much_is_noticed(
    mutant: Callable[[Patch], None], seed: str, monkeypatch: Patch
) -> None:
    """Values, questions or attribution are others than those of stores that never forget, or frames are refused."""
    shorten(monkeypatch)
    mutant(monkeypatch)
    with pytest.raises(AssertionError):
        explore(check_vacuum, seed, 60, 40, vacuum_history)


def test_g3_a_mutant_that_forgets_a_link_is_noticed(monkeypatch: Patch) -> None:
    """What was put in the place of something that is kept goes, once it was replaced itself."""
    shorten(monkeypatch)
    swap(monkeypatch, _keep_whole, lambda near, gone, marks: None)
    with pytest.raises(AssertionError):
        a_sentence_is_told()


def test_g3_a_mutant_that_does_not_tell_what_it_has_forgotten_is_noticed(monkeypatch: Patch) -> None:
    """A rewrite of what was removed stands as if nobody had removed it."""
    shorten(monkeypatch)
    swap(monkeypatch, Record.forget, lambda self, floor: None)
    with pytest.raises(pytest.fail.Exception):
        a_rewrite_of_what_is_forgotten_is_refused()
