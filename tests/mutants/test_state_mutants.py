"""Broken channels and reducers: the properties of supersteps must notice each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any

import pytest
from pydantic import ValidationError

from concordant import ConcordantError
from concordant.merge.kinds import Kind, Scalar
from concordant.merge.registers import Change
from concordant.values import ABSENT
from concordant.workspace.merging import Update
from concordant_langgraph.channel import MergeChannel

from ..properties.supersteps import check_supersteps
from .breaking import swap

Patch = pytest.MonkeyPatch
merging = import_module("concordant.workspace.merging")


def updates_are_folded(patch: Patch) -> None:
    """Each update of a superstep is taken for a later one than those before it."""
    update = MergeChannel.update

    def fold(self: Any, values: Sequence[Any]) -> bool:
        return [update(self, [value]) for value in values] != [] if values else update(self, values)

    swap(patch, MergeChannel.update, fold)


def the_last_update_wins(patch: Patch) -> None:
    """Of several updates only one counts."""
    update = MergeChannel.update
    swap(patch, MergeChannel.update, lambda self, values: update(self, values[-1:]))


def repetitions_count_as_changes(patch: Patch) -> None:
    """A scalar that is returned as it was given contradicts its neighbours."""
    swap(patch, Scalar.beyond, Kind.beyond)


def changes_count_as_repetitions(patch: Patch) -> None:
    """No scalar that is returned says anything."""
    swap(patch, Scalar.beyond, lambda *_: ABSENT)


def edits_count_as_contributions(patch: Patch) -> None:
    """What a node made of the value that it was given is added to it."""
    made = merging.Update
    swap(patch, Update, lambda values, agent, edits: made(values, agent, False))


def contributions_are_taken_for_the_whole(patch: Patch) -> None:
    """A list or text that begins with what stands there adds only the rest."""
    init = Change.__init__

    def lenient(self: Any, *args: Any, adding: bool = False, **options: Any) -> None:
        init(self, *args, adding=False, **options)

    swap(patch, Change.__init__, lenient)


def conflicts_are_not_reported(patch: Patch) -> None:
    """A contested value is taken as it is shown."""
    swap(patch, MergeChannel._merged, lambda self, base, updates: merging.merge(self.part, base, updates))


MUTANTS: list[Callable[[Patch], None]] = [
    updates_are_folded,
    the_last_update_wins,
    repetitions_count_as_changes,
    changes_count_as_repetitions,
    edits_count_as_contributions,
    contributions_are_taken_for_the_whole,
    conflicts_are_not_reported,
]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_a_broken_channel_is_noticed(mutant: Callable[[Patch], None], monkeypatch: Patch) -> None:
    """The properties of supersteps fail under each mutant, and by themselves do not."""
    check_supersteps("mutants", threads=5)
    mutant(monkeypatch)
    with pytest.raises((AssertionError, ConcordantError, ValidationError, pytest.fail.Exception)) as noticed:
        check_supersteps("mutants")
    broken = ("TypeError", "AttributeError", "NameError", "KeyError")
    assert not any(name in str(noticed.value) for name in broken), "the mutant itself is broken"
