"""What changed between two texts or two lists, as hunks: the input of a merge in which several edit at once.

Texts are compared by lines, then by words inside the lines that changed; words are never torn. Equal ends are
found by comparing slices, the rest by an exact longest common subsequence on bit vectors (Crochemore et al.
2001; Hyyrö 2004); what is too large for that is cut up first, so that the cost grows with the length only.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Hashable, Sequence
from itertools import accumulate, takewhile
from typing import Any, NamedTuple, TypeAlias

__all__ = ["Hunk", "common_prefix", "common_suffix", "list_hunks", "text_hunks"]


class Hunk(NamedTuple):
    """``base[start:end]`` is removed and ``content`` stands there instead (a slice of the new one)."""

    start: int
    end: int
    content: Any


Edit: TypeAlias = tuple[int, int, int, int]  # base[start:end] becomes new[low:high]
Block: TypeAlias = tuple[int, int, int]  # a[i : i + length] equals b[j : j + length]
_EXACT = 1 << 26  # up to this product of lengths the longest common subsequence is exact
_STEP = 1 << 11  # what is larger and has no anchors is compared in steps of this length
_WIDTHS = (8, 32, 1)  # how many items in a row, unique on both sides, make an anchor; tried in this order
# Combining marks, joiners, variation selectors, emoji modifiers, as ranges that also take in letters between
# (in rare scripts punctuation too). Written out so as not to depend on the interpreter's version of Unicode.
_RANGES = """
300-36f 483-489 591-5bd 5bf 5c1-5c2 5c4-5c5 5c7 610-61a 64b-65f 670 6d6-6dc 6df-6e8 6ea-6ed 711-7f3 7fd
816-82d 859-85b 898-8e1 8e3-963 981-9e3 9fe-a75 a81-ae3 afa-b63 b82-bd7 c00-c63 c81-c83 cbc-d4d d57-d63
d81-df3 e31-e3a e47-e4e eb1-ecd f18-f19 f35 f37 f39 f3e-f84 f86-fbc fc6 102b-103e 1056-109d 135d-135f
1712-1734 1752-17d3 17dd 180b-180d 180f-193b 1a17-1a1b 1a55-1a7f 1ab0-1b44 1b6b-1b73 1b80-1bf3 1c24-1c37
1cd0-1cd2 1cd4-1dff 200c-200d 20d0-20f0 2cef-2cf1 2d7f-2dff 302a-302f 3099-309a a66f-a6f1 a802-aaf6
abe3-abed fb1e fe00-fe0f fe20-fe2f 101fd-1037a 10a01-11ef6 16af0-16ff1 1bc9d-1e94a 1f3fb-1f3ff e0020-e01ef"""
_MARKS = "".join("-".join(chr(int(end, 16)) for end in span.split("-")) for span in _RANGES.split())
_FLAG = "\U0001f1e6-\U0001f1ff"
# A word; the end of a line; white space within it, a flag or any other character, with what is joined to it.
_TOKEN = re.compile(rf"\w[\w{_MARKS}]*|\n|(?:[^\S\n]+|[{_FLAG}]{{2}}|[^\w\s])(?:(?!\w)[{_MARKS}]|(?<=\u200D)[^\w\s])*")
# Where a token ends whatever stands further left or right.
_SAFE = re.compile(rf"(?<=\S)(?=\s)|(?<=\n)|(?<!\u200D)(?=[^\w\s{_FLAG}{_MARKS}])|(?<![\w{_MARKS}])(?=\w)")
_LINE = re.compile(r"[^\n]+\n?|\n")


def text_hunks(base: str, new: str) -> list[Hunk]:
    """The changes that make ``new`` out of ``base``, word by word: sorted, never touching, never empty.

    >>> text_hunks("status is open", "state is closed")
    [Hunk(start=0, end=6, content='state'), Hunk(start=10, end=14, content='closed')]
    """
    edits = [] if base == new else _settled(base, new, _compare(base, new, 0, 0, by_lines=True))
    return [Hunk(start, end, new[low:high]) for start, end, low, high in edits]


def list_hunks(base: Sequence[Hashable], new: Sequence[Hashable]) -> list[Hunk]:
    """The changes that make ``new`` out of ``base``, item by item, compared by ``==``."""
    edits = _gaps(list(base), list(new), 0, 0, size=lambda _: 1)
    return [Hunk(start, end, new[low:high]) for start, end, low, high in edits]


def common_prefix(a: Sequence[Any], b: Sequence[Any]) -> int:
    """How many items ``a`` and ``b`` (of one type) have in common at the start."""
    return _common(min(len(a), len(b)), lambda i, j: a[i:j] == b[i:j])


def common_suffix(a: Sequence[Any], b: Sequence[Any], limit: int) -> int:
    """How many items, at most ``limit``, ``a`` and ``b`` (of one type) have in common at the end."""
    return _common(min(limit, len(a), len(b)), lambda i, j: a[-j : -i or None] == b[-j : -i or None])


def _common(limit: int, same: Callable[[int, int], bool]) -> int:
    low, high = 0, min(64, limit)
    while low < high and same(low, high):
        low, high = high, min(high * 4, limit)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if same(low, middle) else (low, middle)
    return low


def _compare(base: str, new: str, old: int, fresh: int, *, by_lines: bool) -> list[Edit]:
    """The changes of a text that stands at ``old``, and as it is now at ``fresh``."""
    before = common_prefix(base, new)
    after = common_suffix(base, new, min(len(base), len(new)) - before)
    past, more = len(base) - after, len(new) - len(base)
    if by_lines and (base.find("\n", before, past) >= 0 or new.find("\n", before, past + more) >= 0):
        first = base.rfind("\n", 0, before) + 1
        past = base.find("\n", past) + 1 or len(base)
        a, b = _LINE.findall(base, first, past), _LINE.findall(new, first, past + more)
        gaps = _gaps(a, b, first, first)
        return [e for i, j, m, n in gaps for e in _compare(base[i:j], new[m:n], i, m, by_lines=False)]
    first = _safe_before(base, before)
    for mine, theirs in zip(_TOKEN.finditer(base, first), _TOKEN.finditer(new, first), strict=False):
        if mine.end() != theirs.end() or mine.end() > before:
            break
        first = mine.end()
    past = found.start() if after and (found := _SAFE.search(base, past + 1)) else len(base)
    a, b = _TOKEN.findall(base, first, past), _TOKEN.findall(new, first, past + more)
    return _gaps(a, b, old + first, fresh + first)


def _safe_before(text: str, at: int) -> int:
    """A place before ``at``, if possible not far from it, where a token ends for certain."""
    for width in (64, 512, 4096):
        if width < at and (found := _SAFE.search(text, at - width, at)):
            return found.start()
    return 0


def _gaps(a: list[Any], b: list[Any], old: int, new: int, size: Callable[[Any], int] = len) -> list[Edit]:
    """What lies between equal items; ``a`` stands at ``old``, ``b`` at ``new``."""
    blocks: list[Block] = []
    _match(a, b, 0, 0, _WIDTHS, blocks)
    old_at = list(accumulate(map(size, a), initial=old))
    new_at = list(accumulate(map(size, b), initial=new))
    edits: list[Edit] = []
    i = j = 0
    for start, low, length in [*blocks, (len(a), len(b), 0)]:
        if start > i or low > j:
            edits.append((old_at[i], old_at[start], new_at[j], new_at[low]))
        i, j = start + length, low + length
    return edits


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
        here = there = 0
        for start, low, length in [*_anchors(x, y, widths[0]), (len(x), len(y), 0)]:
            if start >= here and low >= there and (start > here or low > there):
                _match(x[here:start], y[there:low], i + here, j + there, widths[1:], blocks)
                here, there = start, low
            if start - here == low - there:  # so does an anchor that overlaps with the one before it
                blocks.append((i + here, j + there, start + length - here))
                here, there = start + length, low + length
    else:  # nothing stands out: step by step, where most of it is equal
        here = there = 0
        while here < len(x) and there < len(y):
            step = min(_STEP, len(x) - here, len(y) - there)
            common = _subsequence(x[here : here + 2 * _STEP], y[there : there + 2 * _STEP])
            kept = [block for block in common if max(block) < step]
            kept = kept if len(kept) * 4 >= step * 3 else []
            blocks.extend((i + here + start, j + there + low, 1) for start, low, _ in kept)
            start, low, _ = kept[-1] if kept else (step - 1, step - 1, 1)
            here, there = here + start + 1, there + low + 1
    blocks.append((i + len(x), j + len(y), after))


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


def _settled(base: str, new: str, edits: list[Edit]) -> list[Edit]:
    """Moves what was only inserted, or only removed, to where it reads best of all places that are equal."""
    result: list[Edit] = [(-1, -1, -1, -1)]
    ceilings = [*edits[1:], (len(base) + 1, 0, len(new) + 1, 0)]
    for (start, end, low, high), after in zip(edits, ceilings, strict=True):
        by = 0
        if start == end:
            by = _slide(new, low, high, base, start, result[-1][3] + 1, after[2] - 1)
        elif low == high:
            by = _slide(base, start, end, new, low, result[-1][1] + 1, after[0] - 1)
        result.append((start + by, end + by, low + by, high + by))
    return result[1:]


def _slide(text: str, start: int, end: int, short: str, at: int, floor: int, ceiling: int) -> int:
    """How far to move ``text[start:end]``, which ``short`` lacks at ``at``, within the bounds."""
    length, shift = end - start, at - start
    high = start + common_prefix(text[start : ceiling - length], text[end:ceiling])
    floor = max(floor, high - length)  # further left all repeats itself
    low = max(floor, start - common_suffix(text[floor:start], text[floor:end], start - floor))
    if low == high or (end == len(text) and low > 0 and text.find("\n", low - 1) < 0):
        return 0  # at the end it reads best where no line begins
    ends, others = _boundaries(text, low, high + length), _boundaries(short, low + shift, high + shift)

    def rank(place: int) -> tuple[bool | int, ...]:
        opens, at_end = place == 0 or text[place - 1] == "\n", place + length == len(text)
        line, lines = opens or text[place] == "\n", opens and text[place + length - 1] == "\n"
        word = text[place - 1].isspace() and not text[place].isspace()
        return line and at_end, lines, line, at_end, word, place

    places = [n for n in ends if low <= n <= high and n + length in ends and n + shift in others]
    return max(places, key=rank) - start if places else 0


def _boundaries(text: str, low: int, high: int) -> set[int]:
    """The places between tokens, at least all from ``low`` to ``high``; none if that takes long."""
    first = _safe_before(text, low)
    if low - first > 4096:
        return set()
    return {first, *(t.end() for t in takewhile(lambda t: t.start() < high, _TOKEN.finditer(text, first)))}
