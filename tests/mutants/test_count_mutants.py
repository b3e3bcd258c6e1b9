"""Deliberately broken counts and sights of strikes: each keeps what it should not, which a test must notice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from concordant.merge.sequence import pieces
from concordant.merge.sequence.pieces import _Sight, struck_by
from concordant.storage.sql import tallies
from concordant.storage.sql.tallies import _keep, dropped_of, dropped_upto

from ..sequence.test_histories import play
from ..storages import test_counts
from .breaking import swap

Patch = pytest.MonkeyPatch


def purged_is_counted(patch: Patch) -> None:
    """What is kept of a part stays when rows in it are erased."""
    swap(patch, dropped_of, lambda *_: None)


def forgotten_is_counted(patch: Patch) -> None:
    """What is kept of a part stays when old rows in it are forgotten."""
    swap(patch, dropped_upto, lambda *_: None)


def kept_whatever_was_deleted(patch: Patch) -> None:
    """Counts are kept though rows were deleted since they were made."""

    def keep(database: object, clock: int, _: int, parts: object) -> None:
        ((erased,),) = database.rows("SELECT erased FROM concordant_clocks WHERE clock = ?", (clock,))  # type: ignore[attr-defined]
        real(database, clock, erased, parts)  # type: ignore[arg-type]

    real = tallies._keep
    swap(patch, _keep, keep)


@pytest.mark.parametrize("mutant", [purged_is_counted, forgotten_is_counted, kept_whatever_was_deleted])
def test_counts_that_are_kept_too_long_are_noticed(
    mutant: Callable[[Patch], None], tmp_path: Path, monkeypatch: Patch
) -> None:
    """Each of these makes counts differ from the journal."""
    made = iter(range(99))

    def fresh(_: str) -> str:
        return f"sqlite:///{tmp_path / f'{next(made)}.db'}"

    monkeypatch.setattr(tallies, "PART", 3)
    mutant(monkeypatch)

    def looked_at() -> None:
        test_counts.test_what_is_purged_while_it_is_counted_is_not_kept(fresh, monkeypatch)
        for seed in range(4):
            test_counts.test_counts_are_those_of_the_journal("sqlite", fresh, str(seed))

    with pytest.raises(AssertionError):
        looked_at()


def own_strikes_are_forgotten(patch: Patch) -> None:
    """Of very many strikes a writer has seen what was there, and not its own."""
    swap(patch, _Sight._own, lambda *_: [])


def newer_strikes_are_seen(patch: Patch) -> None:
    """Of very many strikes a writer has seen all of its replica."""
    swap(patch, _Sight.of, lambda _, struck: struck)


def strikes_are_not_sorted(patch: Patch) -> None:
    """New strikes come first."""
    real = pieces.struck_by

    swap(patch, struck_by, lambda struck, more: (*real((), more), *struck))


@pytest.mark.parametrize("mutant", [own_strikes_are_forgotten, newer_strikes_are_seen, strikes_are_not_sorted])
def test_strikes_that_are_taken_for_others_are_noticed(mutant: Callable[[Patch], None], monkeypatch: Patch) -> None:
    """Each of these shows a writer what it struck, or hides what others did, in a random history of a text."""
    monkeypatch.setattr(pieces, "MOST_ASKED", 1)
    mutant(monkeypatch)

    def looked_at() -> None:
        for number in range(20, 60):
            play("sentence", f"strikes/{number}")

    with pytest.raises(AssertionError):
        looked_at()
