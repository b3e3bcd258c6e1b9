"""What was removed from a text is forgotten part by part, and nobody sees a difference."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from functools import partial
from itertools import cycle
from typing import TypeAlias

import pytest

from concordant.merge.causality import Stamp
from concordant.merge.sequence import trim
from concordant.merge.sequence.edit import append, splice
from concordant.merge.sequence.order import in_order
from concordant.merge.sequence.overlap import analyse
from concordant.merge.sequence.pieces import Piece, Sequence
from concordant.merge.sequence.trim import trimmed
from concordant.merge.sequence.units import is_blank, unit_hunks

from .test_histories import RULES, WRITTEN, short_texts_are_remembered as short_texts_are_remembered
from .world import World, restored

Picture: TypeAlias = tuple[object, ...]


def picture(world: World, sequence: Sequence) -> Picture:
    """What is shown of a text, what is asked about it, and who wrote what."""
    asked = [
        (overlap.anchor, overlap.strikes, contents(overlap.base), [contents(side.shown) for side in overlap.sides])
        for overlap in sequence.analysed(world.rules, analyse).overlaps
    ]
    return world.shown(sequence), asked, words(world.credits(sequence)) if world.is_text else None


def words(credits: Iterable[tuple[str, tuple[Stamp, ...]]]) -> list[tuple[str, tuple[Stamp, ...]]]:
    """Who wrote which letters. A blank between words may be that of the word before it or behind it."""
    return [(letter, stamps) for part, stamps in credits for letter in part if not letter.isspace()]


def contents(pieces: Iterable[Piece]) -> list[object]:
    """What stands in pieces."""
    return [piece.content for piece in pieces]


def check(world: World, sequence: Sequence) -> int:
    """Forgets what was removed, a window after the other; returns how many pieces went."""
    before, count, size = picture(world, sequence), 0, world.chance.choice([2, 5, 9, 1_000])
    at = 0
    while at < len(sequence):
        left = trimmed(sequence, lambda *_: True, lambda _: True, range(at, min(at + size, len(sequence))))
        at += size
        if left is None:
            continue
        assert len(left.sequence) == len(sequence) - left.pieces
        pieces = left.sequence.pieces()
        assert in_order(pieces) == pieces, "what is left stands in the order that its tree gives"
        after = picture(world, left.sequence)
        if world.is_text and after[:2] != before[:2]:  # whoever forgets looks at that, and forgets nothing there
            continue
        sequence = left.sequence
        assert after == before, "what is left was written by the same"
        again = restored(sequence)
        assert again == sequence and picture(world, again) == before
        at -= min(left.pieces, size)
        count += left.pieces
    return count


def play(name: str, seed: str, written: str, steps: int = 12) -> int:
    """Plays a history, in which at each step all may be forgotten that nobody can see; sometimes it is, for good."""
    chance = random.Random(seed)
    separator = "" if name == "item" else "\n"
    world = World(chance, RULES[name], separator, 1, natural=chance.random() < 0.7, written=written)
    (replica,) = world.replicas
    count = 0
    for _ in range(steps):
        world.step()
        count += check(world, replica.sequence)
    return count


def play_many(name: str, seed: str, histories: int) -> int:
    """Plays so many; returns how many pieces were forgotten."""
    numbers = zip(range(histories), cycle(WRITTEN), strict=False)
    return sum(play(name, f"{seed}/{number}", written) for number, written in numbers)


@pytest.mark.parametrize("name", RULES)
def test_what_is_forgotten_by_windows_is_seen_by_nobody(name: str, seed: str) -> None:
    """Whatever part of a text is looked at for what may be forgotten: what is left stands in its order, was written by
    the same, and is read back as it is."""
    assert play_many(name, seed, 5) > 10


@pytest.mark.torture
@pytest.mark.parametrize("name", RULES)
def test_thousands_of_texts_are_forgotten_by_windows(name: str, seed: str) -> None:
    """The same of thousands of histories."""
    play_many(name, seed, 2_000)


def at_once(*texts: str) -> Sequence:
    """What becomes of three sentences of which several writers, who have seen none of each other, make something."""
    base = "One.\nTwo.\nThree.\n"
    first = Stamp(1.0, "a", 1, "ada", "a/ada", "write")
    sequence = append(Sequence([], {}), first, 1, base)
    for number, text in enumerate(texts, 2):
        stamp = Stamp(float(number), "a", number, f"x{number}", f"a/x{number}", "edit")
        sequence = splice(
            sequence, stamp, base, text, unit_hunks(base, text, "sentence"), seen=lambda other: other == first,
            rules=RULES["sentence"], drift_of=partial(unit_hunks, unit="word"), separator="\n",
        )  # fmt: skip
    return sequence


@pytest.mark.parametrize(
    ("texts", "left"),
    [
        (["One.\nThree.\n", "One.\nThree.\n"], 2),
        (["One.\nThree.\n", "Three.\n", "One.\nThree.\n"], 1),
        (["One.\nThree.\n", "One.\nTwice.\nThree.\n"], None),
        (["One.\nTwice.\nThree.\n", "One.\nTwice.\nThree.\n"], None),
        (["Three.\n", "One.\n"], None),
    ],
)
def test_what_several_removed_alike_is_forgotten(texts: list[str], left: int | None) -> None:
    """A sentence that several removed at once goes once all have seen that, as one does that a single writer removed;
    what is asked about stays, and so does what is weighed by what was put or by how far each went."""
    sequence = at_once(*texts)
    found = trimmed(sequence, lambda *_: True, lambda _: True, range(len(sequence)))
    if left is None:
        assert found is None
    else:
        assert found is not None and not found.sequence.strikes
        assert len([piece for piece in found.sequence if not is_blank(piece.content)]) == left


def stands_anywhere(patch: pytest.MonkeyPatch) -> None:
    """What is anchored anew may stand anywhere."""
    patch.setattr(trim, "_held", lambda sequence, gone, moves: set())


def stands_before_all(patch: pytest.MonkeyPatch) -> None:
    """What is anchored anew counts as the first of what is behind its character."""
    patch.setattr(trim, "comes_first", lambda one, other: False)


def parts_of_strikes(patch: pytest.MonkeyPatch) -> None:
    """What one strike is over goes in parts."""
    patch.setattr(trim, "_keep_whole", lambda near, gone, marks: None)


@pytest.mark.parametrize(
    ("broken", "name", "numbers"),
    [
        (stands_anywhere, "sentence", range(400)),
        (stands_before_all, "sentence", range(400)),
        (parts_of_strikes, "word", range(477, 478)),
    ],
)
def test_what_forgets_too_much_is_noticed(
    broken: Callable[[pytest.MonkeyPatch], None], name: str, numbers: range, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Engines that forget what the order or the attribution of the rest needs are caught by these histories."""
    broken(monkeypatch)

    def plays() -> None:
        for number in numbers:
            play(name, f"mutant/{number}", WRITTEN[number % len(WRITTEN)])

    with pytest.raises((AssertionError, KeyError)):
        plays()


def test_what_forgets_questions_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that takes all strikes that meet for removals that agree forgets what is asked about."""
    monkeypatch.setattr(trim, "_disputed", lambda sequence, meetings: set())
    with pytest.raises(AssertionError):
        test_what_several_removed_alike_is_forgotten(["One.\nThree.\n", "One.\nTwice.\nThree.\n"], None)
