"""Stores that believe too much of each other, or forget too much: the histories must tell."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from concordant.merge.sequence.trim import _held
from concordant.storage import MemoryStorage
from concordant.workspace import replicating
from concordant.workspace.frames import unpack as the_unpack
from concordant.workspace.replicating import _meet

from ..properties.fuzz import explore
from ..properties.team import team_history
from ..properties.test_exchange import (
    check_deltas,
    test_g4_compaction_keeps_the_order_that_everybody_computes as compaction_keeps_the_order,
    test_what_another_store_may_know_is_kept as what_another_store_may_know_is_kept,
)
from ..semantics.test_exchange import (
    test_g12_a_store_that_was_away_too_long_is_refused as a_store_that_was_away_too_long_is_refused,
)
from .breaking import swap

Patch = pytest.MonkeyPatch


def gaps_are_not_noticed(patch: Patch) -> None:
    """Whatever a frame leaves out is taken for known."""
    unpack = replicating.unpack
    swap(patch, the_unpack, lambda *given: unpack(*given)._replace(since={}))


def too_much_is_left_out(patch: Patch) -> None:
    """A document of which some writes are known is not sent."""
    documents = MemoryStorage.documents
    swap(
        patch, MemoryStorage.documents, lambda self, prefix, after=0: documents(self, prefix, after + 1 if after else 0)
    )


def the_order_is_not_looked_at(patch: Patch) -> None:
    """What stood behind something forgotten is anchored further in front, whatever stands there."""
    swap(patch, _held, lambda sequence, gone, moves: set())


def exported_words_are_forgotten(patch: Patch) -> None:
    """It is not noted what was given to others."""
    swap(patch, MemoryStorage.note_export, lambda self, n: None)


@pytest.mark.parametrize("mutant", [gaps_are_not_noticed, too_much_is_left_out])
def test_g4_a_mutant_that_leaves_out_too_much_is_noticed(
    mutant: Callable[[Patch], None], seed: str, monkeypatch: Patch
) -> None:
    """Stores that exchange deltas no longer end alike."""
    mutant(monkeypatch)
    with pytest.raises(AssertionError):
        explore(check_deltas, seed, 400, 30, team_history)


def test_g1_a_mutant_that_loses_the_order_is_noticed(seed: str, monkeypatch: Patch) -> None:
    """Another store would show the words in another order."""
    the_order_is_not_looked_at(monkeypatch)
    with pytest.raises(AssertionError):
        compaction_keeps_the_order(seed, 300)


def test_g3_a_mutant_that_forgets_what_others_know_is_noticed(monkeypatch: Patch) -> None:
    """Two rewrites of the same words are no conflict any more."""
    exported_words_are_forgotten(monkeypatch)
    with pytest.raises((AssertionError, IndexError)):
        what_another_store_may_know_is_kept()


def test_g12_a_mutant_that_lets_stale_stores_in_is_noticed(monkeypatch: Patch) -> None:
    """What was deleted comes back."""
    swap(monkeypatch, _meet, lambda ours, frame: None)
    with pytest.raises(pytest.fail.Exception):
        a_store_that_was_away_too_long_is_refused()
