"""What changed between two lists."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from unittest.mock import patch

from hypothesis import given, strategies as st

from concordant.merge.sequence import diff
from concordant.merge.sequence.diff import Hunk, common_prefix, common_suffix, list_hunks

items = st.lists(st.integers(0, 4), max_size=14)


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
