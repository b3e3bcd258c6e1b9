"""A change of a text carried over to another that has the same letters, in other places or with other blanks."""

from __future__ import annotations

import re
from collections import Counter

from hypothesis import given, settings, strategies as st

from concordant.merge.sequence.alike import letter_hunks
from concordant.merge.sequence.carried import carried
from concordant.merge.sequence.diff import Hunk
from concordant.merge.sequence.placed import is_made_by

from .test_units import applied

WORDS = st.lists(st.sampled_from(["a", "ab", "abc", "b", "c.", "12", "1."]), max_size=7)
GAPS = st.sampled_from(["", "", " ", " ", "  ", "\n"])


@st.composite
def glued(draw: st.DrawFn) -> tuple[str, str]:
    """The same words twice, some of them elsewhere, with other blanks between."""
    words = draw(WORDS)
    moved = [*words]
    for _ in range(draw(st.integers(0, 2))):
        if moved:
            moved.insert(draw(st.integers(0, len(moved))), moved.pop(draw(st.integers(0, len(moved) - 1))))
    return tuple("".join(word + draw(GAPS) for word in each) for each in (words, moved))  # type: ignore[return-value]


@st.composite
def changes(draw: st.DrawFn, base: str) -> list[Hunk]:
    """Changes of a text, letter by letter."""
    cuts = sorted(draw(st.lists(st.integers(0, len(base)), max_size=6)))
    hunks: list[Hunk] = []
    for start, end in zip(cuts[::2], cuts[1::2], strict=False):
        content = draw(st.sampled_from(["", "", "q", " q", "q ", " "]))
        if (start < end or content) and not (hunks and hunks[-1].end == start):
            hunks.append(Hunk(start, end, content))
    return hunks


def letters(text: str) -> Counter[str]:
    return Counter("".join(text.split()))


@given(st.data(), glued())
@settings(max_examples=150)
def test_no_letter_is_doubled_or_lost(data: st.DataObject, given: tuple[str, str]) -> None:
    """Of two texts with the same letters the change takes out as many of each, and puts as many, in either."""
    base, shown = given
    done = data.draw(changes(base))
    found = carried(base, done, shown)
    assert found.base == shown
    assert found.new == applied(found.base, found.done) and is_made_by(found.base, found.new, found.done)
    assert letters(found.new) == letters(applied(base, done))


@given(st.data(), st.text("ab. \n", max_size=30), st.text("abc. \n", max_size=30))
@settings(max_examples=150)
def test_a_change_of_another_text_is_the_same_letters(data: st.DataObject, base: str, shown: str) -> None:
    """Whatever a text shows, the change stands, and takes out and puts as many letters as it did; of a text that is
    the same it is the same change."""
    done = data.draw(changes(base))
    found = carried(base, done, shown)
    assert letters(found.base) == letters(base)
    assert found.new == applied(found.base, found.done)
    assert letters(found.new) == letters(applied(base, done))
    assert applied(base, carried(base, done, base).done) == applied(base, done)


MARK = re.compile(r"[a-f]\d+[u-z]")


@st.composite
def stale(draw: st.DrawFn) -> tuple[str, str]:
    """Words, glued and apart, and what stands: some of them are gone, others are there, and some are elsewhere."""
    words = [f"{letter}{number}{draw(st.sampled_from('uvw'))}" for number, letter in enumerate("abcdefab")]
    base, more = words[:5], words[5:]
    stands = [word for word in base if draw(st.integers(0, 3))]
    for word in more[: draw(st.integers(0, 3))]:
        stands.insert(draw(st.integers(0, len(stands))), word)
    if len(stands) > 1 and draw(st.booleans()):
        stands.append(stands.pop(0))
    return tuple("".join(word + draw(GAPS) for word in each) for each in (base, stands))  # type: ignore[return-value]


@given(st.data(), stale())
@settings(max_examples=150)
def test_what_is_gone_stays_gone_and_what_was_not_shown_stays(data: st.DataObject, given: tuple[str, str]) -> None:
    """Where nothing is open, who removes words and puts others among them removes those of what stands, whatever else
    her editor shows: the rest is there once."""
    base, shown = given
    spans = [match.span() for match in MARK.finditer(base)]
    first = data.draw(st.integers(0, len(spans) - 1))
    last = data.draw(st.integers(first, len(spans)))
    start = spans[first][0]
    end = spans[last - 1][1] if last > first else start
    found = carried(base, [Hunk(start, end, " f77z ")], shown, settled=True)
    if found.base == shown:  # it could be told which words are the same
        gone = {*MARK.findall(base[start:end])}
        assert Counter(MARK.findall(found.new)) == Counter(
            [*(word for word in MARK.findall(shown) if word not in gone), "f77z"]
        )


def test_words_that_are_gone_are_told_from_a_mix() -> None:
    """A word in the midst of another that has gone, and one that was not shown; but not what was made of a word."""
    assert carried("xbob y", [Hunk(5, 6, "z")], "x y", settled=True).new == "x z"
    assert carried("a c", [Hunk(0, 1, "")], "a b c", settled=True).new.split() == ["b", "c"]
    assert carried("Price 1215.", [Hunk(6, 10, "13")], "Price 10.", settled=True).base == "Price 1215."


def test_a_word_that_may_stand_elsewhere_glued_to_others_is_not_taken_for_gone() -> None:
    """Of words that are glued to others in both texts nobody can tell which they are: the change stays one of what its
    writer saw."""
    base, shown = "a0ub1uc2ud3ue4u", "c2ud3ue4ua6uf5ub1u"
    assert carried(base, [Hunk(0, 6, " f77z ")], shown, settled=True).base == base


@given(st.text("ab1. \n", max_size=30), st.text("ab1. \n", max_size=30))
@settings(max_examples=150)
def test_letters_that_stay_make_the_other_text(base: str, new: str) -> None:
    """The changes that keep words whole make the one text of the other, in order."""
    hunks = letter_hunks(base, new)
    assert applied(base, hunks) == new and is_made_by(base, new, hunks)
    assert letter_hunks(base, base) == []
