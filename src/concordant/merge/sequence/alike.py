"""Which letters of two texts are the same: those of whole words first, so that none lends a letter to another."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Container, Iterator, Sequence
from typing import TypeAlias

from concordant.merge.sequence.diff import Hunk, common_prefix, common_suffix
from concordant.merge.sequence.placed import kept_by
from concordant.merge.sequence.units import unit_hunks

__all__ = ["letter_hunks", "same_letters", "same_words"]

_NEAR = 32  # changes that are closer may be one, such as a word that was moved
_MOST_BY_CHANCE = 2  # so many letters in a row are the same without being a word that stands elsewhere, glued to others
_MOST_PAIRS = 10_000  # up to this product of numbers letters are looked for elsewhere than in the same order


Pairs: TypeAlias = dict[int, int]
"""Which letters are the same: where they are in either text."""


def same_letters(base: str, new: str, hunks: Sequence[Hunk]) -> Pairs | None:
    """Pairs the letters of two texts that have the same, in whatever order.

    Args:
        hunks: the words that make ``new`` out of ``base``.

    Returns:
        Where each letter is; ``None`` if there are too many in another order.
    """
    ours, theirs = _letters(base), _letters(new)
    if [base[at] for at in ours] == [new[at] for at in theirs]:
        return dict(zip(ours, theirs, strict=True))
    pairs: Pairs = {}
    if len(ours) * len(theirs) > _MOST_PAIRS:  # then the words that are the same stay
        pairs = _in_kept(base, hunks)
        ours, theirs = _without(ours, pairs), _without(theirs, {*pairs.values()})
    if len(ours) * len(theirs) > _MOST_PAIRS:
        return None
    while ours:
        a, b, size, _ = _longest(base, ours, new, theirs)
        pairs.update(zip(ours[a : a + size], theirs[b : b + size], strict=True))
        del ours[a : a + size], theirs[b : b + size]
    return pairs


def same_words(base: str, new: str, hunks: Sequence[Hunk]) -> Pairs | None:
    """Pairs the letters of the words that two texts have both, in whatever order.

    Args:
        hunks: the words that make ``new`` out of ``base``.

    Returns:
        Where each of those letters is; ``None`` if a word stands in the place of another or may be glued to others, or
        there are too many.
    """
    pairs = _in_kept(base, hunks)
    ours, theirs = _without(_letters(base), pairs), _without(_letters(new), {*pairs.values()})
    if len(ours) * len(theirs) > _MOST_PAIRS:
        return None
    while ours and theirs:
        a, b, size, is_whole = _longest(base, ours, new, theirs)
        if not is_whole:
            if size > _MOST_BY_CHANCE:
                return None
            break
        pairs.update(zip(ours[a : a + size], theirs[b : b + size], strict=True))
        del ours[a : a + size], theirs[b : b + size]
    if ours and theirs:
        pairs.update([pair for group in _groups(ours, theirs, pairs, 1) for pair in _within(base, new, *group)])
        ours, theirs = _without(ours, pairs), _without(theirs, {*pairs.values()})
    meets = any(one and other for step in (0, 1) for one, other in _groups(ours, theirs, pairs, step))
    return None if meets else pairs


def _letters(text: str) -> list[int]:
    return [at for at, letter in enumerate(text) if not letter.isspace()]


def _without(letters: list[int], taken: Container[int]) -> list[int]:
    return [at for at in letters if at not in taken]


def _in_kept(base: str, hunks: Sequence[Hunk]) -> Pairs:
    """The letters that changes leave alone."""
    pairs: Pairs = {}
    for low, high, there in kept_by(hunks, len(base)):
        pairs.update((at, there + at - low) for at in range(low, high) if not base[at].isspace())
    return pairs


def _groups(
    ours: Sequence[int], theirs: Sequence[int], pairs: Pairs, step: int
) -> Iterator[tuple[list[int], list[int]]]:
    """The letters that only the one and only the other text has, by the common one before them (1) or behind (0)."""
    groups: dict[int, tuple[list[int], list[int]]] = {}
    there = {other: at for at, other in pairs.items()}
    for side, letters, known in ((0, ours, sorted(pairs)), (1, theirs, sorted(there))):
        for at in letters:
            number = bisect_right(known, at) - step
            next_to = known[number] if 0 <= number < len(known) else -1
            groups.setdefault(there.get(next_to, -1) if side else next_to, ([], []))[side].append(at)
    yield from groups.values()


def _within(base: str, new: str, one: Sequence[int], other: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Letters that are the same if all others of a place are in the midst of those of one text."""
    was, now = "".join(base[at] for at in one), "".join(new[at] for at in other)
    most = min(len(was), len(now))
    head = common_prefix(was, now)
    tail = common_suffix(was, now, most - head)
    if head + tail == most:
        yield from zip(one[:head], other[:head], strict=True)
        yield from zip(one[len(one) - tail :], other[len(other) - tail :], strict=True)


def letter_hunks(base: str, new: str) -> list[Hunk]:
    """Returns changes that make ``new`` out of ``base`` in which words stay whole, as far as both have them.

    >>> letter_hunks("x bob y", "xy bob")
    [Hunk(start=1, end=1, content='y'), Hunk(start=5, end=7, content='')]
    >>> letter_hunks("colour", "color")
    [Hunk(start=4, end=5, content='')]
    """
    hunks: list[Hunk] = []
    for start, end, content in _near(base, unit_hunks(base, new, "word")):
        gone = base[start:end]
        here = there = 0
        for at, other in [*_in_order(gone, _letters(gone), content, _letters(content)), (len(gone), len(content))]:
            hunks += _between(gone[here:at], content[there:other], start + here)
            here, there = at + 1, other + 1
    return hunks


def _near(base: str, hunks: Sequence[Hunk]) -> list[Hunk]:
    """Changes, as one where they are close to each other."""
    found: list[Hunk] = []
    for hunk in hunks:
        if found and hunk.start - found[-1].end <= _NEAR:
            start, end, content = found.pop()
            hunk = Hunk(start, hunk.end, content + base[end : hunk.start] + hunk.content)
        found.append(hunk)
    return found


def _in_order(base: str, ours: Sequence[int], new: str, theirs: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Letters that are the same, of whole words, in the order of both texts."""
    if not 0 < len(ours) * len(theirs) <= _MOST_PAIRS:
        return
    a, b, size, is_whole = _longest(base, ours, new, theirs)
    if is_whole:
        yield from _in_order(base, ours[:a], new, theirs[:b])
        yield from zip(ours[a : a + size], theirs[b : b + size], strict=True)
        yield from _in_order(base, ours[a + size :], new, theirs[b + size :])


def _between(gone: str, content: str, start: int) -> Iterator[Hunk]:
    """The change of what is between letters that stay. A word with more or less in its midst keeps the rest."""
    if gone != content:
        most = min(len(gone), len(content))
        head = common_prefix(gone, content)
        tail = common_suffix(gone, content, most - head)
        if head + tail < most and len(gone) * len(content) <= _MOST_PAIRS:
            head -= len(gone[:head].lstrip())
            tail = len(gone) - len(gone[len(gone) - tail :].rstrip()) - (len(gone) - tail)
        yield Hunk(start + head, start + len(gone) - tail, content[head : len(content) - tail])


def _longest(base: str, ours: Sequence[int], content: str, theirs: Sequence[int]) -> tuple[int, int, int, bool]:
    """The longest run of letters in two texts that begins and ends where a word does in either of them; if there is
    none, the longest."""
    begins, ends = _edges(base, ours)
    others_begin, others_end = _edges(content, theirs)
    best = (False, 0, 0, 0)
    below: list[tuple[int, int]] = [(0, 0)] * (len(theirs) + 1)  # how long runs are, all and those that end well
    for a in range(len(ours) - 1, -1, -1):
        row = [(0, 0)] * (len(theirs) + 1)
        for b in range(len(theirs) - 1, -1, -1):
            if base[ours[a]] == content[theirs[b]]:
                size, good = below[b + 1]
                row[b] = size + 1, good + 1 if good else int(a in ends or b in others_end)
                is_whole = row[b][1] > 0 and (a in begins or b in others_begin)
                best = max(best, (is_whole, row[b][is_whole], -a, -b))
        below = row
    return -best[2], -best[3], best[1], best[0]


def _edges(text: str, letters: Sequence[int]) -> tuple[set[int], set[int]]:
    """The numbers of those letters of a text that begin a word, or what is left of one, and of those that end one, with
    the punctuation behind it."""
    begins = {
        number
        for number, at in enumerate(letters)
        if not number or letters[number - 1] != at - 1 or text[at - 1].isalnum() < text[at].isalnum()
    }
    return begins, {number - 1 for number in begins if number} | {len(letters) - 1}
