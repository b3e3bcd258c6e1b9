from __future__ import annotations

import re
import subprocess
import sys
import unicodedata
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from unittest.mock import patch

import pytest
from hypothesis import given, settings, strategies as st

from concordant.sequence import diff
from concordant.sequence.diff import Hunk, common_prefix, common_suffix, list_hunks, text_hunks

FRAGMENTS = [
    *["a", "b", "open", "opened", "été", "d_1", "中文", "किताब", "e\u0301", "n\u0303o"],
    *[" ", " ", "  ", "\t", "\n", "\n", "\r\n", "\r", "\u00a0", " \u0308"],
    *[
        ".",
        ",",
        "(",
        "-",
        "!\ufe0f",
        "\u200d",
        "\u0301",
        "👍🏽",
        "👨\u200d👩\u200d👧",
        "🇩🇪",
        "🇫",
        "1\ufe0f\u20e3",
    ],
]
texts = st.lists(st.sampled_from(FRAGMENTS), max_size=25).map("".join) | st.text(max_size=30)
words = st.lists(st.sampled_from(["a", "b", "c", "dd"]), max_size=12).map(" ".join)
items = st.lists(st.integers(0, 4), max_size=14)


@st.composite
def edited(draw: st.DrawFn) -> tuple[str, str]:
    """A text, and the same text after some of its fragments were removed, replaced or repeated."""
    parts = draw(st.lists(st.sampled_from(FRAGMENTS), max_size=40))
    new = list(parts)
    for _ in range(draw(st.integers(0, 5))):
        start = draw(st.integers(0, len(new)))
        end = draw(st.integers(start, min(start + 4, len(new))))
        new[start:end] = draw(st.lists(st.sampled_from(FRAGMENTS), max_size=4) | st.just(new[start:end] * 2))
    return "".join(parts), "".join(new)


pairs = edited() | st.tuples(texts, texts) | st.tuples(words, words)


def applied(base: str, hunks: list[Hunk]) -> str:
    for hunk in reversed(hunks):
        base = base[: hunk.start] + hunk.content + base[hunk.end :]
    return base


def applied_to_list(base: Sequence[Hashable], hunks: list[Hunk]) -> list[Hashable]:
    result = list(base)
    for hunk in reversed(hunks):
        result[hunk.start : hunk.end] = hunk.content
    return result


def assert_well_formed(hunks: list[Hunk]) -> None:
    for hunk in hunks:
        assert hunk.start <= hunk.end
        assert hunk.start < hunk.end or len(hunk.content)
    for hunk, after in pairwise(hunks):
        assert hunk.end < after.start


def ranges_in_new(hunks: list[Hunk]) -> Iterator[tuple[int, int]]:
    drift = 0
    for hunk in hunks:
        start = hunk.start + drift
        yield start, start + len(hunk.content)
        drift += len(hunk.content) - (hunk.end - hunk.start)


def is_torn(text: str, at: int) -> bool:
    """Whether a cut here would go through a word, a run of white space, or a character and its marks."""
    if at in (0, len(text)):
        return False
    before, after = text[at - 1], text[at]
    if re.fullmatch(r"\w\w", before + after) or re.fullmatch(r"[^\S\n]{2}", before + after):
        return True
    if before == "\u200d" and after in "👩👧":
        return True
    return before != "\n" and (unicodedata.category(after).startswith("M") or after in "\u200d\ufe0f🏽")


def longest_common(a: Sequence[Hashable], b: Sequence[Hashable]) -> int:
    row = [0] * (len(b) + 1)
    for item in a:
        previous = row
        row = [0]
        for n, other in enumerate(b):
            row.append(previous[n] + 1 if item == other else max(row[n], previous[n + 1]))
    return row[-1]


@contextmanager
def never_exact() -> Iterator[None]:
    """As if every input were too large for the exact method."""
    with patch.multiple(diff, _EXACT=3, _WIDTHS=(3, 2, 1), _STEP=2):
        yield


@given(pairs)
@settings(max_examples=400)
def test_round_trip(pair: tuple[str, str]) -> None:
    """Applying the hunks from right to left to what was read gives exactly what it became."""
    base, new = pair
    assert applied(base, text_hunks(base, new)) == new


@given(pairs)
@settings(max_examples=400)
def test_disjoint(pair: tuple[str, str]) -> None:
    """Hunks are sorted, never touch one another, and none is empty."""
    assert_well_formed(text_hunks(*pair))


@given(pairs)
@settings(max_examples=600)
def test_nothing_is_torn(pair: tuple[str, str]) -> None:
    """A hunk begins and ends between words in both texts, and marks stay with their character."""
    base, new = pair
    hunks = text_hunks(base, new)
    for hunk, (start, end) in zip(hunks, ranges_in_new(hunks), strict=True):
        assert new[start:end] == hunk.content
        assert not is_torn(base, hunk.start)
        assert not is_torn(base, hunk.end)
        assert not is_torn(new, start)
        assert not is_torn(new, end)


@given(pairs)
def test_every_hunk_changes_something(pair: tuple[str, str]) -> None:
    """No hunk puts back what it removes."""
    base, new = pair
    assert all(base[hunk.start : hunk.end] != hunk.content for hunk in text_hunks(base, new))


@given(texts)
def test_identical_texts(text: str) -> None:
    """A text that did not change has no hunks."""
    assert text_hunks(text, "".join(list(text))) == []


@given(pairs)
def test_same_input_same_output(pair: tuple[str, str]) -> None:
    """The result depends on nothing but the two texts."""
    assert text_hunks(*pair) == text_hunks(*pair)


@pytest.mark.parametrize("seed", ["0", "1", "4242"])
def test_hash_seed_does_not_matter(seed: str) -> None:
    """Another seed of the string hash, as every process has one, gives the same hunks."""
    base = "the quick fox and the lazy dog met the other fox by the lake " * 3
    new = "the lazy fox and a quick dog left the other lake for the dog " * 3
    code = f"from concordant.sequence.diff import text_hunks; print(text_hunks({base!r}, {new!r}))"
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() == str(text_hunks(base, new))


@given(words, words)
def test_one_line_is_minimal(base: str, new: str) -> None:
    """Within a line as many words and spaces as possible are kept."""
    split = re.compile(r"\w+|\s+")
    kept = longest_common(split.findall(base), split.findall(new))
    removed = sum(len(split.findall(base[hunk.start : hunk.end])) for hunk in text_hunks(base, new))
    assert len(split.findall(base)) - removed == kept


@given(pairs)
@settings(max_examples=300)
def test_large_texts(pair: tuple[str, str]) -> None:
    """What is too large for the exact method keeps all promises but being minimal."""
    base, new = pair
    with never_exact():
        hunks = text_hunks(base, new)
    assert applied(base, hunks) == new
    assert_well_formed(hunks)
    assert not any(is_torn(base, hunk.start) or is_torn(base, hunk.end) for hunk in hunks)


@pytest.mark.parametrize(
    ("base", "new", "hunks"),
    [
        ("status is open", "state is closed", [(0, 6, "state"), (10, 14, "closed")]),
        ("open", "opened", [(0, 4, "opened")]),
        ("reopen", "open", [(0, 6, "open")]),
        ("red cat", "blue dog", [(0, 3, "blue"), (4, 7, "dog")]),
        ("Budget is 100.", "Budget is 250.", [(10, 13, "250")]),
        ("foo", "foo.", [(3, 3, ".")]),
        ("", "x", [(0, 0, "x")]),
        ("x", "", [(0, 1, "")]),
        ("", "", []),
    ],
)
def test_words(base: str, new: str, hunks: list[tuple[int, int, str]]) -> None:
    """Words are replaced whole, and changes with only white space between them stay separate."""
    assert text_hunks(base, new) == hunks


@pytest.mark.parametrize(
    ("base", "new", "hunk"),
    [
        ("a\nb", "a\nx\nb", (2, 2, "x\n")),
        ("a\nb", "x\na\nb", (0, 0, "x\n")),
        ("a", "a\nb", (1, 1, "\nb")),
        ("a\n", "a\nb\n", (2, 2, "b\n")),
        ("a\nb", "a\nb\nb", (3, 3, "\nb")),
        ("ab cd\nef", "ab xx\nab cd\nef", (0, 0, "ab xx\n")),
        (
            "def f\n  x\n\ndef h\n  x\n",
            "def f\n  x\n\ndef g\n  x\n\ndef h\n  x\n",
            (11, 11, "def g\n  x\n\n"),
        ),
        ("a\nx\nb", "a\nb", (2, 4, "")),
        ("a\nb", "a", (1, 3, "")),
        ("- a\n- b\n- c", "- a\n- c", (4, 8, "")),
    ],
)
def test_whole_lines(base: str, new: str, hunk: tuple[int, int, str]) -> None:
    """Lines are inserted and removed whole where a line begins; what is added at the end stays at the end."""
    assert text_hunks(base, new) == [hunk]


@pytest.mark.parametrize(
    ("base", "new", "hunk"),
    [
        ("foo bar", "foo baz bar", (4, 4, "baz ")),
        ("foo baz bar", "foo bar", (4, 8, "")),
        ("foo bar", "foo bar baz", (7, 7, " baz")),
        ("a, b", "a, c, b", (3, 3, "c, ")),
        ("a a a", "a a a a", (5, 5, " a")),
    ],
)
def test_whole_words(base: str, new: str, hunk: tuple[int, int, str]) -> None:
    """Where there is a choice, a word goes with the space after it, and at the end with the one before."""
    assert text_hunks(base, new) == [hunk]


def test_lines_that_stay_between_changes() -> None:
    """Changes in several lines are one hunk each, and the lines between them are in none."""
    base = "title\n\none two\nkept\nthree four\n"
    new = "title\n\none 2\nkept\nand more\nthree 4\n"
    assert text_hunks(base, new) == [(11, 14, "2"), (20, 20, "and more\n"), (26, 30, "4")]


@pytest.mark.parametrize(
    ("base", "new"),
    [
        ("e\u0301", "e"),
        ("👨\u200d👩\u200d👧", "👨\u200d👩"),
        ("👍", "👍🏽"),
        ("❤", "❤\ufe0f"),
        ("🇩🇪", "🇩🇰"),
        ("कि", "की"),
        ("1\ufe0f\u20e3", "1"),
    ],
)
def test_characters_stay_whole(base: str, new: str) -> None:
    """A character that consists of several code points is replaced as one."""
    assert text_hunks(f"x {base} y", f"x {new} y") == [(2, 2 + len(base), new)]


def test_line_ends_may_change() -> None:
    """Other line ends are small changes at the end of each line, which leave the words alone."""
    assert text_hunks("x\r\ny\r\n", "x\ny\n") == [(1, 2, ""), (4, 5, "")]


@pytest.mark.parametrize("unit", ["a ", "a\n", "a", " ", "\n", ".", "a b\n", "🇩🇪", "\u0301", "👍\u200d"])
def test_repetitive_texts_do_not_blow_up(unit: str) -> None:
    """Texts that repeat themselves thousands of times are compared in reasonable time."""
    base = unit * 5000
    for new in (
        unit * 5001,
        "b " + unit * 5001 + " b",
        unit * 1000 + "x\n" + unit * 3000 + " y " + unit * 1200,
        "b\n" + unit * 2000 + "b" + unit * 1000 + "b\n" + unit * 2001 + "b",
    ):
        for before, after in ((base, new), (new, base)):
            hunks = text_hunks(before, after)
            assert applied(before, hunks) == after
            assert_well_formed(hunks)


@pytest.mark.parametrize("join", [" ", "\n", ""])
def test_large_rewrite(join: str) -> None:
    """A large text that was rewritten altogether is compared in reasonable time."""
    base = join.join(f"<{n * n % 997}>" for n in range(20000))
    new = join.join(f"<{n * n % 991}>" for n in range(20000))
    assert applied(base, text_hunks(base, new)) == new


@pytest.mark.parametrize("join", [" ", "\n"])
@pytest.mark.parametrize("period", [1009, 30011])
def test_scattered_changes_in_a_large_text(join: str, period: int) -> None:
    """In a large text, also in one that repeats itself, every changed word is found by itself."""
    old = [f"w{n * n % period}" for n in range(30000)]
    new = [f"new{n}" if n % 500 == 7 else word for n, word in enumerate(old)]
    hunks = text_hunks(join.join(old), join.join(new))
    assert [hunk.content for hunk in hunks] == [f"new{n}" for n in range(7, 30000, 500)]


def test_one_word_in_a_long_line() -> None:
    """One changed word is one hunk, however long the text and its lines are."""
    before, after = "lorem ipsum dolor " * 5000, " sit amet" * 5000
    assert text_hunks(f"{before}old{after}", f"{before}new{after}") == [(len(before), len(before) + 3, "new")]


@given(items, items)
def test_lists_round_trip(base: list[int], new: list[int]) -> None:
    """Applying the hunks of two lists gives the new list; they never touch, and keep as much as possible."""
    hunks = list_hunks(base, new)
    assert applied_to_list(base, hunks) == new
    assert_well_formed(hunks)
    assert len(base) - sum(hunk.end - hunk.start for hunk in hunks) == longest_common(base, new)


@given(items, items)
def test_large_lists(base: list[int], new: list[int]) -> None:
    """Lists too large for the exact method are still turned into one another."""
    with never_exact():
        hunks = list_hunks(base, new)
    assert applied_to_list(base, hunks) == new
    assert_well_formed(hunks)


def test_list_content_is_a_slice() -> None:
    """The content of a hunk is a slice of the new list, of the type that was given."""
    assert list_hunks([1, 2], [1, 3, 2]) == [(1, 1, [3])]
    assert list_hunks((b"a", b"b"), (b"a", b"c")) == [(1, 2, (b"c",))]
    assert list_hunks(["a"], ("a", "b")) == [(1, 1, ("b",))]


def test_list_items_are_compared_by_equality() -> None:
    """Items that are equal count as the same."""
    assert list_hunks([1, 2.0], [1.0, 2]) == []


def test_one_item_against_very_many() -> None:
    """A short list against a very long one is compared in reasonable time."""
    many = list(range(1, 100_000))
    assert list_hunks([0, 5000, 0], many) == [(0, 1, many[:4999]), (2, 3, many[5000:])]


@given(st.text("ab", max_size=400), st.text("ab", max_size=5), st.text("ab", max_size=5))
def test_common_prefix(start: str, a: str, b: str) -> None:
    """The common prefix is as long as the two texts agree."""
    one, other = start + a, start + b
    length = common_prefix(one, other)
    assert one[:length] == other[:length]
    assert length == min(len(one), len(other)) or one[length] != other[length]


@given(st.text("ab", max_size=400), st.text("ab", max_size=5), st.text("ab", max_size=5), st.integers(0, 500))
def test_common_suffix(end: str, a: str, b: str, limit: int) -> None:
    """The common suffix is as long as the two texts agree, up to the limit."""
    one, other = a + end, b + end
    length = common_suffix(one, other, limit)
    assert one[len(one) - length :] == other[len(other) - length :]
    assert length == min(len(one), len(other), limit) or one[-length - 1] != other[-length - 1]
