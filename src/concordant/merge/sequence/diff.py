"""What two lists have in common, and so what changed between them: the input of a merge in which several edit at once.

Equal ends are found by comparing slices, the rest by an exact longest common subsequence on bit vectors (Crochemore
et al. 2001; Hyyrö 2004); what is too large for that is cut up first, so that the cost grows with the length only.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable, Sequence
from itertools import compress, count
from operator import ne
from typing import Any, NamedTuple, TypeAlias

__all__ = ["Hunk", "common_prefix", "common_runs", "common_suffix", "list_hunks"]


class Hunk(NamedTuple):
    """``base[start:end]`` is removed and ``content`` stands there instead (a slice of the new one)."""

    start: int
    end: int
    content: Any


Block: TypeAlias = tuple[int, int, int]  # a[i : i + length] equals b[j : j + length]
_EXACT = 1 << 26  # up to this product of lengths the longest common subsequence is exact
_STEP = 1 << 11  # what is larger and has no anchors is compared in steps of this length
_STRETCH = 64  # where in so many items two lists differ, all are compared to find the first
_WIDTHS = (8, 32, 1)  # how many items in a row, unique on both sides, make an anchor; tried in this order


def list_hunks(base: Sequence[Hashable], new: Sequence[Hashable]) -> list[Hunk]:
    """Compares two lists item by item, by ``==``: the changes that make ``new`` out of ``base``, in order.

    >>> list_hunks(["a", "b"], ["a", "x", "b"])
    [Hunk(start=1, end=1, content=['x'])]
    """
    hunks: list[Hunk] = []
    i = j = 0
    for x, y, length in [*common_runs(list(base), list(new)), (len(base), len(new), 0)]:
        if x > i or y > j:
            hunks.append(Hunk(i, x, new[j:y]))
        i, j = x + length, y + length
    return hunks


def common_prefix(a: Sequence[Any], b: Sequence[Any]) -> int:
    """Counts how many items ``a`` and ``b`` (of one type) have in common at the start."""
    low, high, limit = 0, _STRETCH, min(len(a), len(b))
    while high < limit and a[low:high] == b[low:high]:
        low, high = high, high * 4
    if high >= limit:
        if a[low:limit] == b[low:limit]:
            return limit
        high = limit
    while high - low > _STRETCH:  # they differ between these
        middle = (low + high) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle
    return next(compress(count(low), map(ne, a[low:high], b[low:high])))


def common_suffix(a: Sequence[Any], b: Sequence[Any], limit: int) -> int:
    """Counts how many items, at most ``limit``, ``a`` and ``b`` (of one type) have in common at the end."""
    m, n = len(a), len(b)
    low, high, limit = 0, _STRETCH, min(limit, m, n)
    while high < limit and a[m - high : m - low] == b[n - high : n - low]:
        low, high = high, high * 4
    if high >= limit:
        if a[m - limit : m - low] == b[n - limit : n - low]:
            return max(limit, 0)
        high = limit
    while high - low > _STRETCH:
        middle = (low + high) // 2
        if a[m - middle : m - low] == b[n - middle : n - low]:
            low = middle
        else:
            high = middle
    return next(compress(count(low), map(ne, reversed(a[m - high : m - low]), reversed(b[n - high : n - low]))))


def common_runs(a: list[Any], b: list[Any]) -> list[Block]:
    """Finds runs of equal items in two lists, in order of both: (place in ``a``, place in ``b``, length)."""
    blocks: list[Block] = []
    _match(a, b, 0, 0, _WIDTHS, blocks)
    return [block for block in blocks if block[2]]


def _match(a: list[Any], b: list[Any], i: int, j: int, widths: tuple[int, ...], blocks: list[Block]) -> None:
    """Collects blocks of equal items, in order; ``a`` stands at ``i`` and ``b`` at ``j``."""
    before = common_prefix(a, b)
    after = common_suffix(a, b, min(len(a), len(b)) - before)
    blocks.append((i, j, before))
    x, y = a[before : len(a) - after], b[before : len(b) - after]
    i, j = i + before, j + before
    if len(x) * len(y) <= _EXACT:
        blocks.extend((i + start, j + low, 1) for start, low, _ in _subsequence(x, y))
    elif widths:
        _match_between_anchors(x, y, i, j, widths, blocks)
    else:
        _match_by_steps(x, y, i, j, blocks)
    blocks.append((i + len(x), j + len(y), after))


def _match_between_anchors(
    a: list[Any], b: list[Any], i: int, j: int, widths: tuple[int, ...], blocks: list[Block]
) -> None:
    """Collects blocks where something stands out: it stays, and what is between is compared by itself."""
    here = there = 0
    for start, low, length in [*_anchors(a, b, widths[0]), (len(a), len(b), 0)]:
        if start >= here and low >= there and (start > here or low > there):
            _match(a[here:start], b[there:low], i + here, j + there, widths[1:], blocks)
            here, there = start, low
        if start - here == low - there:  # so does an anchor that overlaps with the one before it
            blocks.append((i + here, j + there, start + length - here))
            here, there = start + length, low + length


def _match_by_steps(a: list[Any], b: list[Any], i: int, j: int, blocks: list[Block]) -> None:
    """Collects blocks where nothing stands out: step by step, where most of it is equal."""
    here = there = 0
    while here < len(a) and there < len(b):
        step = min(_STEP, len(a) - here, len(b) - there)
        common = _subsequence(a[here : here + 2 * _STEP], b[there : there + 2 * _STEP])
        kept = [block for block in common if max(block) < step]
        kept = kept if len(kept) * 4 >= step * 3 else []
        blocks.extend((i + here + start, j + there + low, 1) for start, low, _ in kept)
        start, low, _ = kept[-1] if kept else (step - 1, step - 1, 1)
        here, there = here + start + 1, there + low + 1


def _subsequence(a: list[Any], b: list[Any]) -> list[Block]:
    """The longest common subsequence: in a row, bit ``n`` is 0 where item ``n`` of ``b`` makes it longer."""
    if len(a) < len(b):
        return [(i, j, 1) for j, i, _ in _subsequence(b, a)]
    masks: dict[Any, int] = {}
    for n, item in enumerate(b):
        masks[item] = masks.get(item, 0) | 1 << n
    rows = [(1 << len(b)) - 1]
    for item in a:
        hit = rows[-1] & masks.get(item, 0)
        rows.append(((rows[-1] + hit) | (rows[-1] - hit)) & rows[0] if hit else rows[-1])
    found: list[Block] = []
    i, j = len(a), len(b)
    while i and j:
        if rows[i] >> (j - 1) & 1:
            j -= 1
        elif not rows[i - 1] >> (j - 1) & 1:
            i -= 1
        else:
            i, j = i - 1, j - 1
            found.append((i, j, 1))
    return found[::-1]


def _anchors(a: list[Any], b: list[Any], width: int) -> list[Block]:
    """Runs of items that are unique in ``a`` and in ``b``: as many as keep their order (patience)."""
    here, there = dict[Any, int](), dict[Any, int]()  # where each run stands; -1 if in several places
    for items, places in ((a, here), (b, there)):
        for place, run in enumerate(zip(*(items[n:] for n in range(width)), strict=False)):
            places[run] = -1 if run in places else place
    pairs: list[tuple[int, int, int]] = []  # place in a, place in b, the pair before it in the longest chain
    tops: list[int] = []  # for every length the pair, of those that end a chain of it, that is first in b
    for run, start in here.items():
        low = there.get(run, -1)
        if start >= 0 and low >= 0:
            follows = not tops or pairs[tops[-1]][1] < low
            at = len(tops) if follows else bisect_left(tops, low, key=lambda top: pairs[top][1])
            tops[at : at + 1] = [len(pairs)]
            pairs.append((start, low, tops[at - 1] if at else -1))
    chain: list[Block] = []
    link = tops[-1] if tops else -1
    while link >= 0:
        start, low, link = pairs[link]
        chain.append((start, low, width))
    return chain[::-1]
