"""Lines and paragraphs: what one inserts beside those that another removes stands in a line of its own."""

from __future__ import annotations

import random

import pytest

from concordant.merge.sequence import layout

from .test_junctions import UNITS
from .test_markup import merged


def parts(text: str, gap: str) -> list[str]:
    return [part.strip() for part in text.split(gap) if part.strip()]


def history(chance: random.Random) -> tuple[str, list[str], list[str], list[str], list[str]]:
    """What stands between lines, the lines, and what two make of them and both: one puts others in, and the other
    removes some in a row."""
    gap = chance.choice(["\n", "\n\n"])
    lines = [f"{name}1 {name}2 {name}3." for name in "ABCDE"[: chance.randint(2, 5)]]
    put = chance.randrange(len(lines) + 1)
    first = chance.randrange(len(lines))
    past = chance.randint(first + 1, len(lines))
    new = chance.choice([["This is new."], ["This is new."], ["This is new.", "So that one."]])
    one = [*lines[:put], *new, *lines[put:]]
    other = [*lines[:first], *lines[past:]]
    both = [line for number, line in enumerate(lines) if not first <= number < past]
    at = sum(not first <= number < past for number in range(put))
    return gap, lines, one, other, [*both[:at], *new, *both[at:]]


def lines_stay_apart(unit: str, seed: str) -> None:
    for number in range(150):
        gap, *made, both = history(random.Random(f"{seed}/{number}"))
        base, one, other = (gap.join(lines) for lines in made)
        for texts in ((base, one, other), (base, other, one)):
            shown, asked = merged(*texts, unit)
            assert (parts(shown, gap), asked) == (both, False), (*texts, shown)


@pytest.mark.parametrize("unit", UNITS)
def test_lines_and_paragraphs_stay_apart(unit: str, seed: str) -> None:
    """What one inserts, and what is left beside what another removes, are the lines, or paragraphs, that they were."""
    lines_stay_apart(unit, seed)


def test_who_joins_lines_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that puts a blank wherever a gap is missing makes one line of two."""
    monkeypatch.setattr(layout._Fold, "_gap_removed", lambda self, least=" ": least)
    for unit in UNITS:
        with pytest.raises(AssertionError):
            lines_stay_apart(unit, "mutant")
