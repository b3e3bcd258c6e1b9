"""What somebody removed beside words that stand again, since others had changed them unseen: they stand apart."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product

import pytest

from concordant.merge.causality import SeenBy, Stamp, seen_everything
from concordant.merge.sequence import layout as layouts
from concordant.merge.sequence.edit import append, splice, withdraw
from concordant.merge.sequence.layout import layout
from concordant.merge.sequence.overlap import Rules, analyse
from concordant.merge.sequence.pieces import EMPTY, Sequence
from concordant.merge.sequence.units import is_blank, unit_hunks, units

from .test_histories import RULES, play, short_texts_are_remembered as short_texts_are_remembered
from .world import World

WORDS = partial(unit_hunks, unit="word")
UNITS = ["word", "sentence", "line"]


def show(sequence: Sequence, unit: str) -> str:
    rules = Rules(unit)
    text: str = layout(sequence, sequence.analysed(rules, analyse), "\n", unit).content("")
    return text


def edited(sequence: Sequence, unit: str, n: int, new: str, seen: SeenBy) -> Sequence:
    """What comes of it that somebody, by whom the n-th write is, leaves ``new`` of what he has seen."""
    base, stamp = show(sequence.only(seen), unit), Stamp(float(n), "r", n, f"w{n}", f"w{n}", "edit")
    return splice(
        sequence, stamp, base, new, unit_hunks(base, new, unit), seen=seen, rules=Rules(unit), drift_of=WORDS,
        separator="\n",
    )  # fmt: skip


def without_one(text: str) -> Iterator[str]:
    """A text without one of its words, and a blank beside it."""
    parts = re.findall(r"\S+|\s+", text)
    for at in range(0, len(parts), 2):
        for first in {max(at - 1, 0), at}:
            yield "".join(parts[:first] + parts[first + 2 :])


def with_another(text: str, word: str) -> Iterator[str]:
    """A text with another word in the place of one."""
    parts = re.findall(r"\S+|\s+", text)
    for at in range(0, len(parts), 2):
        yield "".join([*parts[:at], word, *parts[at + 1 :]])


def glued(unit: str) -> Iterator[tuple[str, ...]]:
    """The histories of three edits that end with a unit that nobody wrote: what three wrote, and what is shown.

    One removes a word, a second one who has seen that another, and a third who has seen neither changes one; or the
    first write is taken back.
    """
    stop = "." if unit == "sentence" else ""

    def of(*texts: str) -> set[str]:
        return {text[start:end].strip() for text in texts for start, end in units(text, unit)}

    for gaps in product(" \n", repeat=3):
        base = "".join(f"{word}{stop}{gap}" for word, gap in zip("ABCD", (*gaps, ""), strict=True))
        start = append(EMPTY, Stamp(1.0, "r", 1, "w1", "w1", "write"), 1, base)
        for one in without_one(base):
            first = edited(start, unit, 2, one, seen_everything)
            for two in without_one(one):
                second = edited(first, unit, 3, two, seen_everything)
                back = withdraw(second, lambda stamp: stamp.n == 2)
                assert back is not None
                if not of(show(back, unit)) <= of(base, one, two):
                    yield base, one, two, show(back, unit)
                for three in with_another(base, f"X{stop}"):
                    shown = show(edited(second, unit, 4, three, lambda stamp: stamp.n in (1, 4)), unit)
                    if not of(shown) <= of(base, one, two, three):
                        yield base, one, two, three, shown


@pytest.mark.parametrize("unit", UNITS)
def test_g13_what_stands_again_stands_apart(unit: str) -> None:
    """Of all histories of three small edits none shows two units as one: who removed the gap behind a unit had not
    seen what stands there again."""
    assert next(glued(unit), None) is None


@pytest.mark.parametrize(("name", "seed"), [("word", "291129/alike/2547"), ("sentence", "431291/alike/562")])
def test_g13_words_removed_and_replaced_side_by_side(name: str, seed: str) -> None:
    """Histories in which a question keeps words, and the gap beside them was removed by one who saw none of them, or
    what was removed stood between two gaps of different writers."""
    play(name, seed, natural=True, alike=True)


class Junctions(World):
    """Histories of few words, each of them another, that are removed with a gap beside them, replaced and moved."""

    number = 0

    def word(self) -> str:
        self.number += 1
        ends = [".", ".", "."] if self.rules.unit == "sentence" else ["", "", "."]
        return f"w{self.number}{self.chance.choice([*ends, ' .', ',', ''])}"

    def rewritten(self, text: str) -> str:
        chance = self.chance
        parts = re.findall(r"\S+|\s+", text)
        at = chance.randrange(len(parts)) if parts else 0
        what = chance.random()
        if what < 0.4:
            del parts[at : at + chance.choice([1, 2, 2, 4])]
        elif what < 0.65 and parts and not parts[at].isspace():
            parts[at] = self.word()
        elif what < 0.8 and parts:
            parts[at] = chance.choice(self.gaps) if parts[at].isspace() else parts[at]
        else:
            moved = parts.pop(at) if parts and what < 0.9 else self.word()
            to = chance.randrange(len(parts) + 1)
            parts[to:to] = [chance.choice(self.gaps), moved, chance.choice(self.gaps)]
        return "".join(parts)


def junctions(name: str, seed: str) -> None:
    """Plays one history of few words."""
    chance = random.Random(seed)
    world = Junctions(chance, RULES[name], replicas=chance.choice([1, 1, 2, 3]), natural=True)
    world.late = 0.7
    text = "".join(f"{world.word()}{chance.choice([' ', chr(10)])}" for _ in range(5)).strip()
    world.append(world.replicas[0], "x", text)
    world.note(text)
    for replica in world.replicas:
        world.meet(replica, world.replicas[0])
        replica.earlier = dict(replica.vector)
    for _ in range(chance.choice([3, 5, 8])):
        world.step()
    world.settle()
    for replica in world.replicas:
        world.check(replica)


@pytest.mark.parametrize("name", UNITS)
def test_g13_few_words_and_many_who_remove_them(name: str, seed: str) -> None:
    """What holds of every history holds where words that stand side by side are removed, replaced and moved unseen."""
    for number in range(60):
        junctions(name, f"{seed}/{number}")


def test_a_gap_that_one_removes_alone_is_gone() -> None:
    """A blank before a bracket is taken out without the words beside it being written anew."""
    start = append(EMPTY, Stamp(1.0, "r", 1, "w1", "w1", "write"), 1, "one two")
    first = edited(start, "word", 2, "one f ( x ) two", seen_everything)
    second = edited(first, "word", 3, "one f( x ) two", seen_everything)
    assert show(second, "word") == "one f( x ) two"
    assert [piece.content for piece in second if any(run[1] == 3 for run in piece.struck)] == [" "]


@pytest.mark.parametrize("new", ["one b( two", "one b( x two", "one (b two", "one b) two", "one b two("])
def test_a_bracket_beside_a_word_is_put_there_alone(new: str) -> None:
    """Whoever puts a bracket right behind a word, or in front of one, strikes nothing."""
    start = append(EMPTY, Stamp(1.0, "r", 1, "w1", "w1", "write"), 1, "one b two")
    after = edited(start, "word", 2, new, seen_everything)
    assert (show(after, "word"), len(after.strikes)) == (new, 0)


def test_what_was_removed_by_words_reads_the_same_by_sentences() -> None:
    """A sentence from which words were removed one by one stays one when the text is merged by sentences."""
    start = append(EMPTY, Stamp(1.0, "r", 1, "w1", "w1", "write"), 1, "The big red fox runs.\nIt is late.")
    first = edited(start, "word", 2, "The big fox runs.\nIt is late.", seen_everything)
    assert show(first, "word") == show(first, "sentence") == "The big fox runs.\nIt is late."


def blanks_stay_removed(patch: pytest.MonkeyPatch) -> None:
    """Who removed a gap alone is taken to have seen what stands on both sides of it."""
    patch.setattr(layouts._Fold, "_is_left_so", lambda self, *_: all(map(is_blank, self.removed)))


def nothing_is_left_so(patch: pytest.MonkeyPatch) -> None:
    """A gap that is missing between two parts of one text is put back whoever removed it."""
    patch.setattr(layouts._Fold, "_is_left_so", lambda *_: False)


def words_never_meet(patch: pytest.MonkeyPatch) -> None:
    """A word is thought to end where another piece begins."""
    patch.setattr(layouts, "reads_as_one", lambda *_: False)


def brackets_stand_apart(patch: pytest.MonkeyPatch) -> None:
    """A bracket is given a blank though its writer put it right behind a word."""
    patch.setattr(layouts._Fold, "_was_written_here", lambda *_: False)


@pytest.mark.parametrize(
    ("mutant", "check"),
    [
        (blanks_stay_removed, partial(test_g13_what_stands_again_stands_apart, "sentence")),
        (nothing_is_left_so, test_a_gap_that_one_removes_alone_is_gone),
        (nothing_is_left_so, test_what_was_removed_by_words_reads_the_same_by_sentences),
        (words_never_meet, partial(test_g13_what_stands_again_stands_apart, "word")),
        (brackets_stand_apart, partial(test_a_bracket_beside_a_word_is_put_there_alone, "one b( two")),
    ],
)
def test_a_broken_junction_is_noticed(
    mutant: Callable[[pytest.MonkeyPatch], None], check: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each deliberate fault fails the test of what it breaks."""
    mutant(monkeypatch)
    with pytest.raises(AssertionError):
        check()
