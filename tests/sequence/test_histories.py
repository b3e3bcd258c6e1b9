"""Texts and lists that many edit: random histories on several replicas, restarts after every step."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import cycle
from typing import Any

import pytest

from concordant.merge.sequence import aside, edit, layout, order, pieces
from concordant.merge.sequence.overlap import Rules, analyse
from concordant.merge.sequence.units import unit_hunks

from . import world as histories
from .world import World

RULES = {
    "sentence": Rules("sentence"),
    "line": Rules("line"),
    "word": Rules("word"),
    "whole": Rules("whole"),
    "all sides": Rules("sentence", show_all=True),
    "merged": Rules("sentence", escalate=False),
    "item": Rules("item", escalate=False),
}


WRITTEN = ["prose", "markdown", "code", "cjk", "all"]


def play(
    name: str,
    seed: str,
    separators: str = "n",
    natural: bool = False,
    written: str = "prose",
    alike: bool = False,
) -> World:
    """Plays one history: what has to hold after each step is asserted by the world."""
    chance = random.Random(seed)
    separator = (
        "" if name == "item" else chance.choice(["\n", "\n", "\n", " | ", ""] if separators == "any" else ["\n"])
    )
    replicas = chance.choice([1, 2, 3])
    world = World(chance, RULES[name], separator, replicas, natural=natural, written=written, alike=alike)
    for _ in range(24 if alike else chance.choice([4, 8, 16])):
        world.step()
    world.settle()
    for replica in world.replicas:
        world.check(replica)
    return world


@pytest.fixture(autouse=True)
def short_texts_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The layout of a short text is made of an earlier one, as that of a long one is, and it has several blocks; a few
    strikes over one piece are searched as very many are, and one removed piece is noted as many in a row are."""
    monkeypatch.setattr(pieces, "WORTH_REMEMBERING", 3)
    monkeypatch.setattr(layout, "WORTH_NOTING", 1)
    monkeypatch.setattr(pieces, "MOST_IN_BLOCK", 4)
    monkeypatch.setattr(pieces, "MOST_ASKED", 1)


@pytest.mark.parametrize("name", RULES)
def test_g4_g13_what_is_shown_is_what_is_stored(name: str, seed: str) -> None:
    """After every step each replica reads the same when it is loaded anew, shows units that somebody wrote and its last
    writer what it left, and no unseen side is gone; in the end all replicas are the same."""
    for number, written in zip(range(8), cycle(WRITTEN), strict=False):
        play(name, f"{seed}/{number}", "any", written=written)
        play(name, f"{seed}/{number}", natural=True, written=written)


@pytest.mark.parametrize("name", RULES)
def test_what_many_insert_alike_is_shown_once(name: str, seed: str) -> None:
    """The same of histories in which there are but two sentences, so that writers often insert the same one."""
    for number in range(2):
        play(name, f"{seed}/alike/{number}", natural=True, alike=True)


@pytest.mark.parametrize(
    ("seed", "written"), [("3500259470/1932", "code"), ("3500259470/2947", "code"), ("new1/133", "cjk")]
)
def test_indentation_stays_with_its_line(seed: str, written: str) -> None:
    """Histories in which a line lost its indentation, or got another's: what was inserted before the first line that
    its writer knew, blanks that a deletion left, a gap that the writer of a line had replaced."""
    play("line", seed, natural=True, written=written)


def test_a_line_that_was_joined_to_another_keeps_its_indentation() -> None:
    """Histories in which the line break before a line is put back, and its indentation is a piece of its own, or was
    put in several attempts at what its writer left: of these but the last remains."""
    play("line", "301401/alike/440", natural=True, alike=True)
    play("line", "301502/alike/238", natural=True, alike=True)


def test_what_was_settled_before_is_not_in_dispute_again_for_a_late_writer() -> None:
    """Histories in which somebody goes on from what was shown before a decision, in which a side was a removal: one
    that an earlier decision had set aside, which she had seen, and one that counts; and one who replaces all sides that
    she is shown, some of which were set aside since."""
    play("line", "301702/alike/402", natural=True, alike=True)
    play("all sides", "301701/alike/479", natural=True, alike=True)
    play("whole", "301300/alike/489", natural=True, alike=True)


def test_a_seal_over_a_gap_is_no_change_of_it() -> None:
    """A history in which gaps that were set aside lie within a contested range."""
    play("word", "301501/alike/257", natural=True, alike=True)


def all_sides_are_decided() -> None:
    play("all sides", "301401/alike/419", natural=True, alike=True)


def test_a_decision_about_sides_that_are_shown_is_one() -> None:
    """A history in which a decision replaces sides that stood beside each other, some of which it sets aside: it counts
    for none that had gone on from these."""
    all_sides_are_decided()


def test_who_settled_it_counts_as_late_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that takes whoever set something aside for somebody who had gone on from it fails that history."""
    monkeypatch.setattr(aside, "_unaware", aside._others_over)
    with pytest.raises(AssertionError):
        all_sides_are_decided()


def test_what_stands_again_has_its_gap_back() -> None:
    """A history in which one writer removed a gap and the words behind it, and another changed these: they are asked
    about, and stand behind their gap meanwhile."""
    play("sentence", "3738026717/4710", "any")


def test_a_contest_in_which_a_gap_was_set_aside_is_one_of_words() -> None:
    """A history in which somebody rewrites words together with a gap that was set aside: no side goes unasked."""
    play("word", "301130/alike/320", natural=True, alike=True)


def one_goes_on_from_an_agreement() -> None:
    play("word", "301902/alike/84", natural=True, alike=True)


def test_an_agreement_is_weighed_anew_where_somebody_went_on_from_it() -> None:
    """A history in which whoever had changed one of two equal rewrites is gone from the past: they agree there."""
    one_goes_on_from_an_agreement()


def test_who_went_on_and_is_forgotten_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that asks of what changed alone, and not what that was over, fails that history."""
    agreements = pieces.Sequence.agreements

    def of_what_changed(self: pieces.Sequence, rules: object) -> dict[pieces.RunId, pieces.Agreement]:
        with monkeypatch.context() as patch:
            patch.setattr(pieces.Sequence, "under", lambda *_: iter(()))
            return agreements(self, rules)

    monkeypatch.setattr(pieces.Sequence, "agreements", of_what_changed)
    with pytest.raises(AssertionError):
        one_goes_on_from_an_agreement()


@pytest.mark.torture
@pytest.mark.parametrize("name", RULES)
def test_half_a_million_steps(name: str, seed: str) -> None:
    """The same for half a million steps in all."""
    steps = 0
    for number, written in zip(range(5_000), cycle(WRITTEN), strict=False):
        steps += len(play(name, f"{seed}/{number}", "any", written=written).log)
        steps += len(play(name, f"{seed}/{number}", natural=True, written=written).log)
        steps += len(play(name, f"{seed}/alike/{number}", natural=True, alike=True).log)
    assert steps > 60_000


def words_for_sentences(patch: pytest.MonkeyPatch) -> None:
    """Sentences are merged word by word."""
    patch.setattr(histories, "unit_hunks", lambda base, new, unit: unit_hunks(base, new, "word"))


def units_touch(patch: pytest.MonkeyPatch) -> None:
    """Nothing is put between units that are none of one text."""
    patch.setattr(layout._Fold, "_gap_missing", lambda *_: None)


def no_correction(patch: pytest.MonkeyPatch) -> None:
    """Nobody looks whether an edit shows what its writer left."""
    patch.setattr(edit._Writer, "corrected", lambda self, before, sequence, new, show: sequence)


def rewrites_anywhere(patch: pytest.MonkeyPatch) -> None:
    """A rewrite stands among what was inserted beside it by age alone."""
    patch.setattr(edit, "_behind_rewrites", lambda sequence, number, anchor: number)


def no_overlap_is_seen(patch: pytest.MonkeyPatch) -> None:
    """After a restart nobody looks whether changes meet."""
    patch.setattr(pieces.Sequence, "crowded", lambda self, runs: iter(()))
    patch.setattr(pieces, "_have_common_units", lambda *_: False)


def agreed_for_good(patch: pytest.MonkeyPatch) -> None:
    """What agreed once is not weighed anew where it changed."""
    patch.setattr(
        pieces.Sequence,
        "agreements",
        lambda self, rules: dict(self._agreements[1]) if self._agreements is not None else {},
    )


def no_more_meet(patch: pytest.MonkeyPatch) -> None:
    """A strike that comes to another one over a piece is not noted."""
    patch.setattr(pieces.Sequence, "_note_changed", lambda self, pieces: None)


def the_unseen_is_decided(patch: pytest.MonkeyPatch) -> None:
    """A change of a contested unit settles the contest, whatever its writer had seen of it."""
    settle = edit._Edit.settle

    def all_of_it(self: Any, _: Any, __: Any, rules: Rules, part: Any) -> None:
        analysis = self.sequence.analysed(rules, analyse)
        settle(self, analysis, analysis.overlaps, rules, part)

    patch.setattr(edit._Edit, "settle", all_of_it)


def ours_stands_first(patch: pytest.MonkeyPatch) -> None:
    """What two replicas have put at one place stands in whatever order they are joined."""
    patch.setattr(order._Tree, "is_before", lambda self, one, other: False)


MUTANTS: list[Callable[[pytest.MonkeyPatch], None]] = [
    words_for_sentences,
    units_touch,
    no_correction,
    rewrites_anywhere,
    no_overlap_is_seen,
    agreed_for_good,
    no_more_meet,
    the_unseen_is_decided,
    ours_stands_first,
]


FIRST = {units_touch: 4, no_correction: 6, agreed_for_good: 34, the_unseen_is_decided: 49}
"""Histories before these notice nothing of a mutant, and take long."""


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_a_broken_engine_is_noticed(
    mutant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each deliberate fault breaks a history."""
    mutant(monkeypatch)
    first = FIRST.get(mutant, 0)

    def plays() -> None:
        for number in range(first, first + 400):
            play("sentence", f"mutant/{number}")
            play("sentence", f"mutant/{number}", natural=True, alike=True)

    with pytest.raises(AssertionError):
        plays()
