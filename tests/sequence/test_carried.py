"""A change of a text carried over to another that has the same letters, in other places or with other blanks."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings, strategies as st

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
