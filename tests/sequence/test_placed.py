"""Changes whose places are known: which of equal units stayed is told by what was done, not by a difference."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings, strategies as st

from concordant.merge.sequence.diff import Hunk
from concordant.merge.sequence.placed import is_made_by, kept_by, pairs_kept
from concordant.merge.sequence.units import unit_hunks, units

from .test_units import applied, assert_well_formed

UNITS = ["sentence", "line", "word", "whole"]
PARTS = ["a", "a", "b", "One.", "One.", " ", " ", "\n", "\n", ".", "  ", "\n\n", "ab"]


@st.composite
def done(draw: st.DrawFn) -> tuple[str, list[Hunk]]:
    """A text of few different parts, and changes of it, letter by letter."""
    base = "".join(draw(st.lists(st.sampled_from(PARTS), max_size=30)))
    cuts = sorted(draw(st.lists(st.integers(0, len(base)), max_size=8)))
    hunks: list[Hunk] = []
    for start, end in zip(cuts[::2], cuts[1::2], strict=False):
        where = end if draw(st.booleans()) else start
        content = "".join(draw(st.lists(st.sampled_from(PARTS), max_size=3)))
        if (start < where or content) and not (hunks and hunks[-1].end == start):
            hunks.append(Hunk(start, where, content))
    return base, hunks


def check_exact(base: str, hunks: list[Hunk], unit: str) -> None:
    """The changes of units make the same text, and leave alone each unit that the letters' changes do, in its place."""
    new = applied(base, hunks)
    assert is_made_by(base, new, hunks)
    found = unit_hunks(base, new, unit, hunks)
    assert_well_formed(found)
    assert applied(base, found) == new
    later = {*units(new, unit)}
    kept = kept_by(hunks, len(base))
    for start, end in units(base, unit):
        run = next((one for one in kept if one.start <= start and end <= one.end), None)
        if run is None or (start + run.there - run.start, end + run.there - run.start) not in later:
            continue
        assert all(h.end <= start or h.start >= end for h in found), (base, hunks, found, (start, end))
        drift = sum(len(h.content) - (h.end - h.start) for h in found if h.end <= start)
        assert start + drift == start + run.there - run.start, (base, hunks, found, (start, end))


@pytest.mark.parametrize("unit", UNITS)
@given(done())
@settings(max_examples=150)
def test_what_was_left_alone_is_left_alone(unit: str, given: tuple[str, list[Hunk]]) -> None:
    """Of texts with many equal units, a unit that was not touched is in no change, and what was put before it is
    before it."""
    check_exact(*given, unit)


@pytest.mark.torture
def test_twenty_thousand_changes_are_exact(seed: str) -> None:
    """The same for 20,000 longer texts."""
    chance = random.Random(seed)
    for _ in range(20_000):
        base = "".join(chance.choice(PARTS) for _ in range(chance.randrange(80)))
        cuts = sorted({chance.randrange(len(base) + 1) for _ in range(chance.randrange(12))})
        ranges = [pair for number, pair in enumerate(pairwise(cuts)) if number % 2 == 0]
        hunks = []
        for start, end in ranges:
            where = chance.choice([start, end])
            content = "".join(chance.choice(PARTS) for _ in range(chance.randrange(4)))
            if start < where or content:
                hunks.append(Hunk(start, where, content))
        check_exact(base, hunks, chance.choice(UNITS))


@pytest.mark.parametrize("unit", ["line", "word"])
def test_where_all_units_differ_it_is_the_difference(unit: str, seed: str) -> None:
    """Of whole units, each of which is there once, the changes are those that the difference finds."""
    chance = random.Random(seed)
    gap = "\n" if unit == "line" else " "
    for _ in range(200):
        number = chance.randrange(2, 12)
        old = [f"w{n}" for n in range(number)]
        base = gap.join(old)
        first = chance.randrange(number - 1)
        start = len(gap.join(old[:first])) + len(gap) * (first > 0)
        if chance.random() < 0.5:
            hunk = Hunk(start, start, f"new{gap}")
        else:
            hunk = Hunk(start, start + len(old[first] + gap), "")
        new = applied(base, [hunk])
        assert unit_hunks(base, new, unit, [hunk]) == unit_hunks(base, new, unit) == [hunk]


def test_what_does_not_fit_does_not_count() -> None:
    """Changes that do not make the one text out of the other are passed over: the difference tells."""
    wrong = [
        [Hunk(2, 1, "")],
        [Hunk(9, 9, "x")],
        [Hunk(0, 0, "xx")],
        [Hunk(0, 1, "x")],
        [Hunk(1, 2, ""), Hunk(0, 1, "")],
    ]
    for hunks in wrong:
        assert not is_made_by("a b", "a x b", hunks)
        assert unit_hunks("a b", "a x b", "word", hunks) == unit_hunks("a b", "a x b", "word")


def test_a_unit_with_parts_of_several_goes_with_the_most() -> None:
    """Of units that were split or joined those are the same that have most in common; the time grows with their
    number."""
    kept = kept_by([], 10)
    assert pairs_kept([(0, 4), (4, 10)], [(0, 10)], kept) == [(1, 0)]
    assert pairs_kept([(0, 10)], [(0, 6), (6, 10)], kept) == [(0, 0)]
    assert pairs_kept([(0, 6), (6, 10)], [(0, 2), (2, 10)], kept) == [(0, 0), (1, 1)]
    many = [(n, n + 1) for n in range(20_000)]
    assert pairs_kept([(0, 20_000)], many, kept_by([], 20_000)) == [(0, 0)]


def test_a_paste_over_all_is_compared() -> None:
    """Of what was replaced as one, the difference tells what is new."""
    base, new = "One. Two. Three.", "One. 2. Three."
    assert unit_hunks(base, new, "sentence", [Hunk(0, len(base), new)]) == [Hunk(5, 9, "2.")]
