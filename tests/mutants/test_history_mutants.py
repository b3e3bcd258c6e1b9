"""The short cuts of long histories, broken on purpose: the tests notice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from concordant.merge.sequence import layout
from concordant.merge.sequence.layout import Layout, _once_more, _with_weighed
from concordant.merge.sequence.pieces import Block, Sequence, Strikes
from concordant.storage.bodies import Bodies
from tests.sequence.test_histories import play, short_texts_are_remembered
from tests.storages import test_bodies

from .breaking import swap

__all__ = ["short_texts_are_remembered"]


def only_the_last_block(patch: pytest.MonkeyPatch) -> None:
    """What a writer has not seen is looked for at the end alone."""
    beyond = Sequence._beyond
    swap(patch, Sequence._beyond, lambda self, seen: [*beyond(self, seen)][-1:])


def blocks_do_not_tell_of_strikes(patch: pytest.MonkeyPatch) -> None:
    """A block does not know that something in it was struck since."""
    others = Block.others
    swap(patch, Block.others, lambda self, parts, by: others(self, parts, None))


def weighed_as_before(patch: pytest.MonkeyPatch) -> None:
    """What is shown is made of what was shown, whatever came to be contested since."""
    swap(patch, _with_weighed, lambda sequence, seed, analysis: [*seed.changed])


def the_last_layout_is_everybodys(patch: pytest.MonkeyPatch) -> None:
    """What was laid out last is shown of the next short text too."""
    again = _once_more

    def broken(sequence: Sequence, key: Any, compute: Callable[[], Layout]) -> Layout:
        whose, how, _ = layout._last.made
        return again(whose if whose is not None and how == key else sequence, key, compute)

    swap(patch, _once_more, broken)


def twins_are_forgotten(patch: pytest.MonkeyPatch) -> None:
    """An edit does not tell which insertions may be alike now."""
    replaced = Sequence.replaced
    swap(patch, Sequence.replaced, lambda self, *args: replaced(self, *args[:5]))


def notes_outlive_changes(patch: pytest.MonkeyPatch) -> None:
    """What was noted of removed pieces in a row holds whatever became of them."""
    patch.setattr(layout, "_still_there", lambda passed, first, last: [*passed])


def half_parts_go_on(patch: pytest.MonkeyPatch) -> None:
    """A layout is continued behind a run of which a part is hidden."""
    reopen = layout.Layout.reopen
    swap(patch, Layout.reopen, lambda self, doubled: reopen(self, ()))


def dropped_strikes_stand(patch: pytest.MonkeyPatch) -> None:
    """Strikes that a decision drops still count."""
    but = Strikes.but
    swap(patch, Strikes.but, lambda self, added, gone: but(self, added, frozenset()))


def touches_are_missed(patch: pytest.MonkeyPatch) -> None:
    """Strikes are looked for only where a run of theirs stands as well."""
    swap(patch, Block.struck, property(lambda self: self.runs))


MUTANTS: list[Callable[[pytest.MonkeyPatch], None]] = [
    only_the_last_block,
    blocks_do_not_tell_of_strikes,
    weighed_as_before,
    the_last_layout_is_everybodys,
    twins_are_forgotten,
    half_parts_go_on,
    notes_outlive_changes,
    dropped_strikes_stand,
    touches_are_missed,
]


FIRST = {weighed_as_before: 63, twins_are_forgotten: 52}
"""Histories before these notice nothing of a mutant, and take long."""


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_a_broken_short_cut_is_noticed(
    mutant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of them makes a history differ from what a look at all of it says."""
    mutant(monkeypatch)

    def plays() -> None:
        for number in (54, 291, 601):  # in which what is inserted alike is edited further
            play("sentence", f"seek/{number}", alike=True)
        for number in range(FIRST.get(mutant, 0), 100):
            play("sentence", f"short cut/{number}", natural=bool(number % 2))

    with pytest.raises((AssertionError, KeyError, IndexError)):
        plays()


def all_is_kept(patch: pytest.MonkeyPatch) -> None:
    """The journal keeps each text as it was given."""
    swap(patch, Bodies.kept, lambda self, place, body: body)


def nothing_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    """What was given last is held after a purge."""
    swap(patch, Bodies.forget, lambda self, place=None: None)


@pytest.mark.parametrize(
    ("mutant", "test"),
    [
        (all_is_kept, test_bodies.test_a_journal_does_not_hold_a_text_for_each_edit),
        (nothing_is_forgotten, test_bodies.test_what_was_purged_is_not_held),
    ],
)
def test_a_broken_journal_is_noticed(
    mutant: Callable[[pytest.MonkeyPatch], None], test: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is held in memory tells."""
    mutant(monkeypatch)
    with pytest.raises(AssertionError):
        test()
