"""Changes of a text that nobody else was shown, carried over to the text that has the same letters.

An editor that has mixed what its writer and others did may show a word glued to its neighbour that stands apart from it
in the merge, or on the other side of it. What its writer does there is done to letters: each is carried to the same
letter, and the blanks that keep words apart stay. So no word is doubled, and none is lost.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from concordant.merge.sequence.alike import same_letters, same_words
from concordant.merge.sequence.diff import Hunk, common_prefix, common_suffix
from concordant.merge.sequence.units import unit_hunks

__all__ = ["Carried", "carried"]

_FAR = 2048  # letters are not looked for farther away than this
_CLOSE = 256  # differences farther apart have nothing to do with each other


class Carried(NamedTuple):
    """A change of a text that is nearer to another: ``base`` became ``new`` by ``done``."""

    base: str
    new: str
    done: list[Hunk]


class _Part(NamedTuple):
    """A part of each of two texts, and which letters are the same: where they are in either part."""

    start: int
    end: int
    content: str
    pairs: dict[int, int]


def carried(base: str, done: Sequence[Hunk], shown: str, *, settled: bool = False) -> Carried:
    """Carries a change over to another text, as far as that has the same letters close by.

    Args:
        base: the text before the change.
        done: what was done, in order.
        shown: the other text.
        settled: whether nothing of that is open: then words that it has not are gone, and those that only it has stay.

    Returns:
        The change, of a text that is ``shown`` where the letters are the same, and ``base`` elsewhere.

    >>> carried("xbob y", [Hunk(0, 1, "q")], "x bob y")
    Carried(base='x bob y', new='q bob y', done=[Hunk(start=0, end=1, content='q')])
    >>> carried("xbob y", [Hunk(0, 1, "q")], "xy bob").new
    'qy bob'
    >>> carried("a bob b", [Hunk(0, 1, "q")], "a b", settled=True).new
    'q b'
    """
    base, done, parts = _without_gone(base, done, list(_parts(base, shown, settled=settled)))
    letters = _Letters(base, parts)
    found = sorted(hunk for one in _apart(base, done) for hunk in letters.carry(one))
    there = _joined(found)
    return Carried(letters.shown, _made(letters.shown, there), there)


def _apart(base: str, done: Sequence[Hunk]) -> list[Hunk]:
    """Changes, as one where only blanks are between them."""
    found: list[Hunk] = []
    for hunk in done:
        if found and not base[found[-1].end : hunk.start].strip():
            start, end, content = found.pop()
            hunk = Hunk(start, hunk.end, content + base[end : hunk.start] + hunk.content)
        found.append(hunk)
    return found


def _joined(hunks: Sequence[Hunk]) -> list[Hunk]:
    """Changes in order, as one where they touch."""
    found: list[Hunk] = []
    for hunk in hunks:
        if found and found[-1].end >= hunk.start:
            start, end, content = found.pop()
            hunk = Hunk(start, max(end, hunk.end), content + hunk.content)
        found.append(hunk)
    return found


def _made(base: str, hunks: Sequence[Hunk]) -> str:
    parts, here = list[str](), 0
    for start, end, content in hunks:
        parts += [base[here:start], content]
        here = end
    return "".join([*parts, base[here:]])


def _parts(base: str, shown: str, *, settled: bool) -> Iterator[_Part]:
    """The parts in which two texts differ in blanks, or in the order of their letters; the shortest there are. In what
    is settled also those in which they differ in words."""
    hunks = unit_hunks(base, shown, "word")
    drifts = [0, *accumulate(len(content) - (end - start) for start, end, content in hunks)]
    nearest, close = _nearest(_sums(base, hunks)), _close(hunks) if settled else [0] * len(hunks)
    at = low = 0  # up to where there is something else
    while at < len(hunks):
        part, stop = None, at + 1
        for past, pairs_of in ((nearest[at], same_letters), (close[at], same_words)):
            if part is None and past and hunks[past - 1].end - hunks[at].start <= _FAR:
                high = hunks[past].start if past < len(hunks) else len(base)
                start = hunks[at].start - _ends_with(base[low : hunks[at].start])
                end = hunks[past - 1].end + _ends_with(base[hunks[past - 1].end : high][::-1])
                content = shown[start + drifts[at] : end + drifts[past]]
                here = [Hunk(a - start, b - start, c) for a, b, c in hunks[at:past]]
                pairs = pairs_of(base[start:end], content, here)
                if pairs is not None:
                    part, stop = _Part(start, end, content, pairs), past
        if part is not None:
            yield part
        low = part.end if part is not None else hunks[at].end
        at = stop


def _close(hunks: Sequence[Hunk]) -> list[int]:
    """By number of a change that behind those that follow close by."""
    found = [len(hunks)] * len(hunks)
    for at in range(len(hunks) - 2, -1, -1):
        found[at] = found[at + 1] if hunks[at + 1].start - hunks[at].end <= _CLOSE else at + 1
    return found


def _sums(base: str, hunks: Sequence[Hunk]) -> list[frozenset[tuple[str, int]]]:
    """How many more of which letters a text has up to each of the places where another differs, and behind the last."""
    owing: dict[str, int] = {}
    sums = [frozenset[tuple[str, int]]()]
    for start, end, content in hunks:
        for text, sign in ((base[start:end], 1), (content, -1)):
            for letter in "".join(text.split()):
                owing[letter] = owing.get(letter, 0) + sign
        owing = {letter: count for letter, count in owing.items() if count}
        sums.append(frozenset(owing.items()))
    return sums


def _ends_with(text: str) -> int:
    """How many letters a text ends with, up to a blank."""
    parts = text[-_FAR:].split()
    return len(parts[-1]) if parts and not text[-1].isspace() else 0


def _nearest(sums: Sequence[frozenset[tuple[str, int]]]) -> list[int]:
    """By number of a sum that of the next equal one; 0 if there is none."""
    last: dict[frozenset[tuple[str, int]], int] = {}
    found: list[int] = []
    for at in range(len(sums) - 1, -1, -1):
        found.append(last.get(sums[at], 0))
        last[sums[at]] = at
    return found[::-1]


def _without_gone(base: str, done: Sequence[Hunk], parts: list[_Part]) -> tuple[str, Sequence[Hunk], list[_Part]]:
    """A text, a change of it and parts of it, without the letters that only it has."""
    gone = [at for part in parts for at in _gone_in(base, part)]
    if not gone:
        return base, done, parts

    def now(at: int) -> int:
        return at - bisect_left(gone, at)

    left = [Hunk(now(start), now(end), content) for start, end, content in done]
    kept = [
        _Part(first := now(start), now(end), content, {now(start + at) - first: there for at, there in pairs.items()})
        for start, end, content, pairs in parts
    ]
    return (
        _made(base, [Hunk(at, at + 1, "") for at in gone]),
        [one for one in left if one.end > one.start or one.content],
        kept,
    )


def _gone_in(base: str, part: _Part) -> list[int]:
    """The letters of a part that only the first text has, and behind those that are whole words a blank."""
    found: list[int] = []
    begin = 0
    for at in range(part.start, part.end):
        if base[at].isspace() or at - part.start in part.pairs:
            continue
        if not found or found[-1] < at - 1:
            begin = at
        found.append(at)
        is_word = not begin or base[begin - 1].isspace()
        if is_word and at + 1 < part.end and base[at + 1].isspace() and base[at + 1] != "\n":
            found.append(at + 1)
    return found


class _Letters:
    """Which letter of a text is which of another.

    Attributes:
        shown: the other text.
    """

    def __init__(self, base: str, parts: Sequence[_Part]) -> None:
        self.base, self.parts = base, parts
        self.shown = _made(base, [Hunk(part.start, part.end, part.content) for part in parts])
        self._starts = [part.start for part in parts]
        self._drifts = [0]
        for part in parts:
            self._drifts.append(self._drifts[-1] + len(part.content) - (part.end - part.start))

    def at(self, offset: int) -> int:
        """Where a letter is."""
        number = bisect_right(self._starts, offset)
        part = self.parts[number - 1] if number else None
        if part is not None and offset < part.end:
            return part.start + self._drifts[number - 1] + part.pairs[offset - part.start]
        return offset + self._drifts[number]

    def carry(self, hunk: Hunk) -> list[Hunk]:
        """A change of letters, made in the other text."""
        base, (start, end, _) = self.base, hunk
        before, behind = len(base[:start].rstrip()), len(base) - len(base[end:].lstrip())
        if not any(part.start <= behind and before <= part.end for part in self.parts):
            drift = self._drifts[bisect_right(self._starts, start)]
            return [Hunk(start + drift, end + drift, hunk.content)]
        gone = [self.at(at) for at in range(start, end) if not base[at].isspace()]
        low = self.at(before - 1) + 1 if before else 0
        high = self.at(behind) if behind < len(base) else len(self.shown)
        here = self.shown[low:high] if low <= high else ""
        if low <= high and gone == [at for at, one in enumerate(here, low) if not one.isspace()]:
            return [self._between(hunk, before, behind, low, high)]
        return self._scattered(hunk, before, behind, low, gone)

    def _between(self, hunk: Hunk, before: int, behind: int, low: int, high: int) -> Hunk:
        """A change between two letters that have the same ones between them in the other text."""
        was, now = self.base[before:behind], self.shown[low:high]
        content = self.base[before : hunk.start] + hunk.content + self.base[hunk.end : behind]
        (head, tail), (our_head, our_tail) = _gaps(was), _gaps(now)
        if was.strip() and not head and our_head and not content[:1].isspace():
            content = our_head + content
        if not tail and our_tail and not _ends_as(content, our_tail):
            content = content.rstrip() + our_tail
        first = common_prefix(our_head, _gaps(content)[0])
        last = common_suffix(our_tail, _gaps(content)[1], min(len(now), len(content)) - first)
        return Hunk(low + first, high - last, content[first : len(content) - last])

    def _scattered(self, hunk: Hunk, before: int, behind: int, place: int, gone: Sequence[int]) -> list[Hunk]:
        """A change of letters that are not beside each other in the other text."""
        shown, content = self.shown, hunk.content
        hunks = [Hunk(at, at + 1, "") for at in gone]
        if content.strip() and before < hunk.start and not content[0].isspace():
            content = " " + content
        if content.strip() and hunk.end < behind and not (content[-1].isspace() or shown[place : place + 1].isspace()):
            content += " "
        if content.strip() or (content and not shown[place : place + 1].isspace()):
            hunks.append(Hunk(place, place, content))
        return hunks


def _gaps(text: str) -> tuple[str, str]:
    """The blanks that a text begins and ends with."""
    return text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]


def _ends_as(content: str, gap: str) -> bool:
    """Whether a text ends with a gap that keeps as much apart."""
    end = _gaps(content)[1]
    return bool(end) and ("\n" in end or "\n" not in gap)
