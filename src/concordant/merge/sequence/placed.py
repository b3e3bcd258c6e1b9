"""Where a change was made, as who made it says, instead of by the difference of what was there before and after.

An editor knows which of two equal lines somebody removed, and before which of them another was put; a difference can
only guess. What it says comes as hunks: what they leave alone is the same text, or the same items, before and after.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

from concordant.merge.sequence.diff import Hunk

__all__ = ["Untouched", "is_made_by", "kept_by", "pairs_kept"]

Spans: TypeAlias = Sequence[tuple[int, int]]


class Untouched(NamedTuple):
    """What stands at ``start`` up to ``end`` of the earlier one, and from ``there`` on in the later one."""

    start: int
    end: int
    there: int


def kept_by(hunks: Sequence[Hunk], length: int) -> list[Untouched]:
    """Returns what changes leave alone of a text or list so long, in order."""
    kept: list[Untouched] = []
    here = there = 0
    for start, end, content in hunks:
        if start > here:
            kept.append(Untouched(here, start, there))
        there += start - here + len(content)
        here = end
    if length > here:
        kept.append(Untouched(here, length, there))
    return kept


def is_made_by(base: Any, new: Any, hunks: Sequence[Hunk]) -> bool:
    """Tells whether changes, in order and apart from each other, make ``new`` out of ``base``; of what they put there
    only how long it is.

    >>> is_made_by("aa", "aba", [Hunk(1, 1, "b")]), is_made_by("aa", "baa", [Hunk(1, 1, "b")])
    (True, False)
    """
    here = 0
    for start, end, _ in hunks:
        if not here <= start <= end <= len(base):
            return False
        here = end
    if len(base) + sum(len(content) - (end - start) for start, end, content in hunks) != len(new):
        return False
    return all(base[start:end] == new[there : there + end - start] for start, end, there in kept_by(hunks, len(base)))


def pairs_kept(old: Spans, new: Spans, kept: Sequence[Untouched]) -> list[tuple[int, int]]:
    """Pairs the units of two texts that are the same ones: at least half of the shorter was left alone.

    Args:
        old, new: where the units are, in order.
        kept: what was left alone.

    Returns:
        The numbers of each pair, in order of both; where one unit has parts of several, as many as can be of what was
        left alone are in pairs.
    """
    return _heaviest(
        [(pair, size) for pair, size in _common(old, new, kept).items() if _is_enough(old, new, pair, size)]
    )


def _is_enough(old: Spans, new: Spans, pair: tuple[int, int], size: int) -> bool:
    (start, end), (low, high) = old[pair[0]], new[pair[1]]
    return 2 * size >= min(end - start, high - low)


def _common(old: Spans, new: Spans, kept: Sequence[Untouched]) -> dict[tuple[int, int], int]:
    """How much two units have in common that was left alone: by their numbers, neither of which ever goes down."""
    found: dict[tuple[int, int], int] = {}
    i = j = 0
    for here, past, there in kept:
        shift = there - here
        while i < len(old) and j < len(new):
            start, end = max(here, old[i][0], new[j][0] - shift), min(past, old[i][1], new[j][1] - shift)
            if start < end:
                found[i, j] = found.get((i, j), 0) + end - start
            if past <= min(old[i][1], new[j][1] - shift):
                break
            if old[i][1] <= new[j][1] - shift:
                i += 1
            else:
                j += 1
    return found


def _heaviest(pairs: list[tuple[tuple[int, int], int]]) -> list[tuple[int, int]]:
    """Of pairs whose numbers never go down the heaviest in which both go up."""
    best: list[tuple[int, int]] = [(0, -1)]  # of the first so many pairs: the weight, and the last pair of those taken
    before: list[int] = []  # by pair how many there are that may come before it
    rows, columns = dict[int, int](), dict[int, int]()  # where the pairs begin that have a number
    for at, ((i, j), size) in enumerate(pairs):
        first = min(rows.setdefault(i, at), columns.setdefault(j, at))
        before.append(first)
        taken = (best[first][0] + size, at)
        best.append(taken if taken[0] > best[at][0] else best[at])
    chain: list[tuple[int, int]] = []
    last = best[-1][1]
    while last >= 0:
        chain.append(pairs[last][0])
        last = best[before[last]][1]
    return chain[::-1]
