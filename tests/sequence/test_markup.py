"""Texts in which words stand without a gap between them, as in markup, templates and code."""

from __future__ import annotations

import random

import pytest

from concordant.merge.causality import Stamp, seen_everything
from concordant.merge.sequence import edit, overlap
from concordant.merge.sequence.edit import append
from concordant.merge.sequence.overlap import Rules, analyse
from concordant.merge.sequence.pieces import EMPTY
from concordant.merge.sequence.units import unit_hunks, with_neighbours

from .test_junctions import UNITS, edited, show

PARTS = [
    "{{", "}}", "{%", "%}", "<em>", "</em>", 'class="text"', ">", "site.url", "| strip", "Read", "more,", "[a](b)",
    "**", "v1.2", "()", "\u4f60\u597d", "x",
]  # fmt: skip


def line(chance: random.Random) -> str:
    return "".join(chance.choice(PARTS) + chance.choice(["", "", " "]) for _ in range(chance.randint(3, 8))).strip()


def changed(chance: random.Random, text: str) -> str:
    """The same line with something put in, taken out, or put in the place of something."""
    start = chance.randrange(len(text) + 1)
    end = min(start + chance.choice([0, 0, 1, 2, 5]), len(text))
    return (text[:start] + chance.choice(["", *PARTS]) + text[end:]).strip() or "x"


def merged(base: str, one: str, other: str, unit: str) -> tuple[str, bool]:
    """What is shown where two edit a text at once, and whether somebody is asked."""
    start = append(EMPTY, Stamp(1.0, "r", 1, "w1", "w1", "write"), 1, "\n" + base, line=True)
    assert show(start, unit) == base
    first = edited(start, unit, 2, one, seen_everything)
    assert show(first, unit) == one
    both = edited(first, unit, 3, other, lambda stamp: stamp.n == 1)
    return show(both, unit), bool(both.analysed(Rules(unit), analyse).overlaps)


def edits_of_lines_stand_side_by_side(unit: str, seed: str) -> None:
    for number in range(60):
        chance = random.Random(f"{seed}/{number}")
        lines = [line(chance) for _ in range(6)]
        ours, theirs = chance.sample(range(6), 2)
        if abs(ours - theirs) < 2:
            continue
        one, other, both = [*lines], [*lines], [*lines]
        one[ours] = both[ours] = changed(chance, lines[ours])
        other[theirs] = changed(chance, lines[theirs])
        if chance.random() < 0.5:
            other[theirs] += "\n" + line(chance)
        both[theirs] = other[theirs]
        texts = ["\n".join(text) for text in (lines, one, other)]
        assert merged(*texts, unit) == ("\n".join(both), False), texts


@pytest.mark.parametrize("unit", UNITS)
def test_edits_of_lines_of_markup_stand_side_by_side(unit: str, seed: str) -> None:
    """Who changes a line whose words touch changes nothing elsewhere: what others write in other lines stands there."""
    edits_of_lines_stand_side_by_side(unit, seed)


def test_who_puts_all_of_a_text_anew_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that, where a gap between words is in the way, replaces all of the text moves what others wrote."""
    monkeypatch.setattr(edit, "with_neighbours", lambda base, new, hunks, unit, many: hunks)
    with pytest.raises(AssertionError):
        edits_of_lines_stand_side_by_side("word", "mutant")


def gaps_within_rewrites() -> None:
    for base, one, other in [
        ("---\n  x", "---\n    x", "---ref"),
        ("one two three", "one  two three", "onefour three"),
        ("Use it: now", "Use it:  now", "Use it:later"),
        ("a (b) c", "a  (b) c", "a[d] c"),
        ("x y\n\n  foo\nz", "x y\n\n    foo\nz", "x ybar\nz"),
    ]:
        assert merged(base, one, other, "word") == (other, False)
        assert merged(base, other, one, "word") == (other, False)


def test_a_gap_goes_with_the_words_around_it() -> None:
    """Where one widens the gap between two words and another writes one word for both, no gap is left of it."""
    gaps_within_rewrites()


def test_a_gap_that_stays_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that leaves such a gap puts it before the new word."""
    monkeypatch.setattr(overlap._Weighing, "_is_around", lambda self, run, number: False)
    with pytest.raises(AssertionError):
        gaps_within_rewrites()


@pytest.mark.parametrize("unit", [*UNITS, "whole"])
def test_widened_changes_make_the_same(unit: str, seed: str) -> None:
    """Changes that take in what is around them, as much as it may be, make the same text, in order and apart."""
    for number in range(300):
        chance = random.Random(f"{seed}/{number}")
        base, new = (chance.choice(["", " ", "\n"]).join(line(chance) for _ in range(3)) for _ in range(2))
        for many in range(4):
            hunks = with_neighbours(base, new, unit_hunks(base, new, unit), unit, many)
            parts, here = list[str](), 0
            for start, end, content in hunks:
                assert here <= start <= end
                parts += [base[here:start], content]
                here = end
            assert "".join([*parts, base[here:]]) == new
