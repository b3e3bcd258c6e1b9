"""A contest is settled by who was shown it, and who had been shown it before it was settled still is."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from concordant.merge.causality import Stamp, seen_everything
from concordant.merge.sequence import aside, edit
from concordant.merge.sequence.aside import as_it_stood
from concordant.merge.sequence.edit import append, decide, splice
from concordant.merge.sequence.layout import layout, text_of
from concordant.merge.sequence.overlap import Overlap, Rules, analyse
from concordant.merge.sequence.pieces import Sequence
from concordant.merge.sequence.units import UnitName, unit_hunks


class Notes:
    """A text by one unit in one store, with who writes it having seen what the numbers say."""

    def __init__(self, text: str, unit: UnitName = "sentence") -> None:
        self.unit, self.rules, self.n = unit, Rules(unit), 1
        self.sequence = append(Sequence([], {}), self._stamp(), 1, f"\n{text}", line=True)

    def _stamp(self) -> Stamp:
        return Stamp(float(self.n), "r", self.n, f"agent {self.n}", f"scope {self.n}", "edit")

    def write(self, base: str, new: str, seen: set[int]) -> int:
        """Edits what somebody read who has seen some writes; returns the number of this one."""
        self.n += 1
        self.sequence = splice(
            self.sequence,
            self._stamp(),
            base,
            new,
            unit_hunks(base, new, self.unit),
            seen=lambda stamp: stamp.n in seen,
            rules=self.rules,
            drift_of=partial(unit_hunks, unit="word"),
            separator="\n",
        )
        return self.n

    def decide(self, text: str) -> None:
        (overlap,) = self.open(self.sequence)
        self.n += 1
        self.sequence = decide(self.sequence, self._stamp(), overlap, text, "\n")

    def open(self, sequence: Sequence) -> tuple[Overlap, ...]:
        return sequence.analysed(self.rules, analyse).overlaps

    def shown(self, sequence: Sequence) -> str:
        text: str = layout(sequence, sequence.analysed(self.rules, analyse), "\n", self.unit).content("")
        return text

    def sides(self, sequence: Sequence) -> list[set[str]]:
        """What is open: the sides of each question."""
        return [
            {text_of(side.shown, "\n", self.unit).strip() for side in overlap.sides} for overlap in self.open(sequence)
        ]

    def as_seen(self, seen: set[int]) -> Sequence:
        """What somebody is shown who has seen some writes only."""

        def sees(stamp: Stamp) -> bool:
            return stamp.n in seen

        return as_it_stood(self.sequence, self.sequence.only(sees), sees)


def mixed() -> None:
    notes = Notes("We go. It jumps. It ends.")
    both = notes.write("We go. It jumps. It ends.", "We run. It sings. It ends.", {1})
    notes.write("We go. It jumps. It ends.", "We go. It jumps. It naps.", {1})
    notes.write("We run. It sings. It ends.", "We go. It is so. It ends.", {1, both})
    own = notes.write("We go. It jumps. It ends.", "We go. It barks. It ends.", {1})
    assert notes.sides(notes.as_seen({1, both, own})) == [{"We run. It sings.", "We go. It barks."}]
    notes.write("We run. It barks. It ends.", "We run fast. It barks. It ends.", {1, both, own})
    left = f"{notes.sides(notes.sequence)} {notes.shown(notes.sequence)}"
    assert "It barks." in left, left


def mixed_into() -> None:
    notes = Notes("We go. It jumps far. It ends.")
    both = notes.write("We go. It jumps far. It ends.", "We run. It sings. It ends.", {1})
    notes.write("We go. It jumps far. It ends.", "We go. It jumps far. It naps.", {1})
    notes.write("We run. It sings. It ends.", "We go. It is so. It ends.", {1, both})
    own = notes.write("We go. It jumps far. It ends.", "We go. It jumps very far. It ends.", {1})
    notes.write("We go. It jumps very far. It ends.", "We go on. It jumps very far. It ends.", {1, both, own})
    left = f"{notes.sides(notes.sequence)} {notes.shown(notes.sequence)}"
    assert "It jumps very far." in left, left


def removed() -> None:
    notes = Notes("We go. It jumps. It ends.")
    gone = notes.write("We go. It jumps. It ends.", "We go. It ends.", {1})
    other = notes.write("We go. It jumps. It ends.", "We go. It sings. It ends.", {1})
    seen = {1, gone, other}
    before = notes.shown(notes.sequence), notes.sides(notes.sequence)
    assert before == ("We go. It jumps. It ends.", [{"", "It sings."}])
    notes.decide("It hums.")
    view = notes.as_seen(seen)
    assert (notes.shown(view), notes.sides(view)) == before


def removed_in_a_side() -> None:
    notes = Notes("It jumps.", "whole")
    one = notes.write("It jumps.", "It sings.", {1})
    gone = notes.write("It sings.", "", {1, one})
    other = notes.write("It jumps.", "It barks.", {1})
    before = notes.shown(notes.sequence), notes.sides(notes.sequence)
    assert before == ("It jumps.", [{"", "It barks."}])
    notes.decide("It hums.")
    view = notes.as_seen({1, one, gone, other})
    assert (notes.shown(view), notes.sides(view)) == before
    view = notes.as_seen({1, one, other})
    assert notes.sides(view) == [{"It sings.", "It barks."}]


def emptied() -> None:
    notes = Notes("It jumps.", "whole")
    gone = notes.write("It jumps.", "", {1})
    one = notes.write("", "It sings.", {1, gone})
    other = notes.write("", "It barks.", {1, gone})
    before = notes.shown(notes.sequence), notes.sides(notes.sequence)
    assert before == ("", [{"It sings.", "It barks."}])
    notes.decide("It hums.")
    view = notes.as_seen({1, gone, one, other})
    assert (notes.shown(view), notes.sides(view)) == before
    notes.write("It sings.", "It sings well.", {1, gone, one})
    assert notes.sides(notes.sequence) == [{"It sings well.", "It hums."}]


def settled_again() -> None:
    notes = Notes("We go. It jumps. It ends.")
    one = notes.write("We go. It jumps. It ends.", "We go. It sings. It ends.", {1})
    other = notes.write("We go. It jumps. It ends.", "We go. It barks. It ends.", {1})
    notes.decide("It hums.")
    late = notes.write("We go. It sings. It ends.", "We go. It sings well. It ends.", {1, one})
    before = notes.shown(notes.sequence), notes.sides(notes.sequence)
    assert before[1] == [{"It sings well.", "It hums."}]
    notes.decide("It naps.")
    view = notes.as_seen({1, one, other, 4, late})
    assert (notes.shown(view), notes.sides(view)) == before


def removed_by_many() -> None:
    notes = Notes("go it jumps far home", "word")
    one = notes.write("go it jumps far home", "go it sings home", {1})
    other = notes.write("go it jumps far home", "go it far home", {1})
    third = notes.write("go it jumps far home", "go it jumps home", {1})
    before = notes.shown(notes.sequence), notes.sides(notes.sequence)
    assert len(before[1]) == 1
    notes.decide("hums")
    view = notes.as_seen({1, one, other, third})
    assert (notes.shown(view), notes.sides(view)) == before


@pytest.mark.parametrize("case", [mixed, mixed_into])
def test_g13_who_has_mixed_the_sides_settles_nothing(case: Callable[[], None]) -> None:
    """Who goes on from a mix of two sides that she never saw beside each other takes out no words of either, though
    one of them was settled otherwise meanwhile."""
    case()


@pytest.mark.parametrize("case", [removed, removed_in_a_side, removed_by_many, emptied, settled_again])
def test_who_had_seen_the_sides_is_shown_all_of_them(case: Callable[[], None]) -> None:
    """A question that was settled since is shown with all its sides to who has not heard of that: also one that
    removed the words, or what an empty text became."""
    case()


def all_is_settled(patch: pytest.MonkeyPatch) -> None:
    """Whatever is in dispute in a writer's eyes is taken to have been shown to her."""
    patch.setattr(edit._Places, "open", lambda self, overlaps: [*overlaps])


def removals_are_forgotten(patch: pytest.MonkeyPatch) -> None:
    """A side that puts nothing does not stand again."""
    patch.setattr(aside, "_removals", lambda *_: {})


def openings_are_only_dropped(patch: pytest.MonkeyPatch) -> None:
    """What an empty text became is dropped without a seal."""
    patch.setattr(edit._Edit, "set_aside", edit._Edit.drop)


@pytest.mark.parametrize(
    ("case", "mutant"),
    [
        (mixed, all_is_settled),
        (mixed_into, all_is_settled),
        (removed, removals_are_forgotten),
        (removed_in_a_side, removals_are_forgotten),
        (emptied, openings_are_only_dropped),
    ],
)
def test_a_contest_that_is_taken_for_settled_is_noticed(
    case: Callable[[], None], mutant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each deliberate fault fails its case."""
    mutant(monkeypatch)
    with pytest.raises(AssertionError):
        case()


def test_everything_seen_is_shown_as_it_is() -> None:
    """Who has seen all is shown the text itself."""
    notes = Notes("We go.")
    assert as_it_stood(notes.sequence, notes.sequence, seen_everything) is notes.sequence
