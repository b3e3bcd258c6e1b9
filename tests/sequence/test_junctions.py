"""What somebody removed beside words that stand again, since others had changed them unseen: they stand apart."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product

import pytest

from concordant.merge.causality import SeenBy, Stamp, seen_everything
from concordant.merge.sequence import layout as layouts, overlap, pieces
from concordant.merge.sequence.edit import append, splice, withdraw
from concordant.merge.sequence.layout import layout
from concordant.merge.sequence.overlap import Rules, analyse
from concordant.merge.sequence.pieces import EMPTY, Sequence
from concordant.merge.sequence.units import is_blank, unit_hunks, units
from tests.rounds import rounds

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


@rounds(20, 60)
@pytest.mark.parametrize("name", UNITS)
def test_g13_few_words_and_many_who_remove_them(name: str, seed: str, rounds: int) -> None:
    """What holds of every history holds where words that stand side by side are removed, replaced and moved unseen."""
    for number in range(rounds):
        junctions(name, f"{seed}/{number}")


GAPS = [" ", "\n", "\n\n"]


def started(text: str) -> Sequence:
    """A text that somebody wrote."""
    return append(EMPTY, Stamp(1.0, "r", 1, "w1", "w1", "write"), 1, f"\n{text}", line=True) if text else EMPTY


def by_two(text: str, unit: str, one: str, other: str) -> str:
    """What is shown where two who have seen a text left these."""
    first = edited(started(text), unit, 2, one, lambda stamp: stamp.n == 1)
    return show(edited(first, unit, 3, other, lambda stamp: stamp.n == 1), unit)


def short_texts(stop: str) -> list[str]:
    """Texts of no word, of one, and of two, with all gaps around them."""
    blank = ["", *GAPS]
    one = [f"{first}A{stop}{last}" for first in blank for last in blank]
    around = ["", "\n"]
    gapped = product(around, GAPS, "BC", around)
    two = [f"{first}A{stop}{gap}{word}{stop}{last}" for first, gap, word, last in gapped]
    return [*blank, *one, *two]


@pytest.mark.parametrize("unit", [*UNITS, "whole"])
def test_g2_what_two_leave_alike_is_left_once(unit: str, seed: str) -> None:
    """Two who make the same of a text at once leave what one of them leaves, blanks included: of all pairs of short
    texts, a quarter of them in one run."""
    texts = short_texts("." if unit == "sentence" else "")
    pairs = [pair for pair in product(texts, texts) if pair[0] != pair[1]]
    for base, new in random.Random(seed).sample(pairs, len(pairs) // 4):
        assert by_two(base, unit, new, new) == new, (base, new)


@pytest.mark.parametrize("unit", ["sentence", "word"])
def test_of_two_gaps_in_the_place_of_one_the_greater_stays(unit: str) -> None:
    """Of what two made of one gap at once the one with more line breaks is shown, else the longer one, whoever came
    first; who is alone in changing it has it."""
    gaps = [" ", "  ", "\n", "\n\n"]
    stop = "." if unit == "sentence" else ""
    for base, one, other in product(gaps, gaps, gaps):
        changed = [gap for gap in (one, other) if gap != base] or [base]
        wanted = max(changed, key=lambda gap: (gap.count("\n"), len(gap)))
        texts = [f"A{stop}{gap}B{stop}" for gap in (base, one, other, wanted)]
        assert by_two(texts[0], unit, texts[1], texts[2]) == texts[3], (base, one, other)


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


def gaps_never_meet(patch: pytest.MonkeyPatch) -> None:
    """Two changes of one gap both count."""
    patch.setattr(overlap._Weighing, "_changes_of_a_gap", lambda *_: [])


def the_first_gap_stays(patch: pytest.MonkeyPatch) -> None:
    """Of two gaps the first one is shown, however small."""
    patch.setattr(overlap, "max", lambda group, key=None: group[0] if key else max(group), raising=False)


def blanks_are_no_insertions(patch: pytest.MonkeyPatch) -> None:
    """A blank that two inserted at one place is there twice."""
    patch.setattr(pieces, "_units_of", lambda text: {text[start:end] for start, end in units(text, "sentence")})


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
        (gaps_never_meet, partial(test_g2_what_two_leave_alike_is_left_once, "word", "mutant")),
        (the_first_gap_stays, partial(test_of_two_gaps_in_the_place_of_one_the_greater_stays, "sentence")),
        (blanks_are_no_insertions, partial(test_g2_what_two_leave_alike_is_left_once, "line", "mutant")),
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
