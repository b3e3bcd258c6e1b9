"""The units that a text merges by, and what changed between two texts, unit by unit.

Two changes of one unit that nobody has seen both of are a question; units are never torn. White space between units
(a *gap*) belongs to none, so that it is no matter of dispute. Units in turn:

- ``sentence``: ends at a line break, or after ``. ! ? …`` (and their full-width forms) with closing quotes, before
  white space.
- ``line``: ends at a line break. Indentation is part of it.
- ``word``: what stands between white space, without the punctuation around it, so that a number, date, version, price,
  address or identifier is one word.
- ``whole``: all of the text.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple, TypeAlias

from concordant.merge.sequence.diff import Hunk, common_prefix, common_runs, common_suffix
from concordant.merge.sequence.placed import is_made_by, kept_by, pairs_kept

__all__ = [
    "Span",
    "UnitName",
    "begins_a_line_only",
    "ends_a_line_only",
    "gap_at_end",
    "gap_at_start",
    "has_word",
    "is_blank",
    "reads_as_one",
    "unit_hunks",
    "units",
    "with_neighbours",
]

UnitName: TypeAlias = Literal["sentence", "line", "word", "whole"]
Span: TypeAlias = tuple[int, int]
Pair: TypeAlias = tuple[int, int]

_STOPS = ".!?\u2026\u3002\uff01\uff1f"
_CLOSING = "\"'\u201d\u2019)\\]`*_"
_ENDS = {*_STOPS}
_CLOSING_MARKS = _CLOSING.replace("\\]", "]")
_LINE = re.compile(r"(?m)^[^\n]*\S")
_WHOLE = re.compile(r"(?s).+")
_END_OF_SENTENCE = re.compile(rf"[{_STOPS}]+[{_CLOSING}]*(?=[^\S\n])")
_BETWEEN_SENTENCES = re.compile(rf"[{_STOPS}]+[{_CLOSING}]*([^\S\n]+)")
_BEGIN_OF_SENTENCE = re.compile(rf"[{_STOPS}][{_CLOSING}]*[^\S\n]+(?=\S)")
# The number or letter of an item, as in "2. Buy milk", ends no sentence.
_MARKER = re.compile(r"[^\S\n]*(?:[-*+>#]+[^\S\n]+)*(?:\d{1,4}[.)]|[A-Za-z]\))[^\S\n]+")
_AROUND = r".,;:!?()\[\]{}"
_WORD = re.compile(rf"(?:\.(?=\w))?[^\s{_AROUND}](?:\S*[^\s{_AROUND}])?|[{_AROUND}]+")
_CORE = re.compile(rf"[^\s{_AROUND}]")
_BEGIN_OF_WORD = re.compile(r"(?<=\s)\S")
_END_OF_WORD = re.compile(r"(?<=\S)(?=\s)")
_PART = re.compile(r"\w+")

_BLANKS = re.compile(r"\s*")
_NEAR = 2048  # how far a boundary is looked for before the whole line is read
_MOST_PAIRS = 10_000  # up to this product of lengths, rewritten units are paired by likeness
_ALIKE = 0.5  # from which share of common words on a new unit is an old one rewritten


def units(text: str, unit: str) -> Iterator[Span]:
    """Finds the units of a text.

    Args:
        unit: the name of a unit.

    Returns:
        Where each begins and ends; what lies between are gaps.

    >>> [("One. Two"[start:end]) for start, end in units("One. Two", "sentence")]
    ['One.', 'Two']
    """
    if unit == "sentence":
        return _sentences(text)
    pattern = {"line": _LINE, "word": _WORD, "whole": _WHOLE}[unit]
    return (match.span() for match in pattern.finditer(text))


def _sentences(text: str) -> Iterator[Span]:
    for line in _LINE.finditer(text):
        start, end = line.span()
        marker = _MARKER.match(text, start, end)
        for stop in _BETWEEN_SENTENCES.finditer(text, marker.end() if marker else start, end):
            past, following = stop.span(1)
            yield start, past
            start = following
        yield start, end


def is_blank(content: object) -> bool:
    """Tells whether a content is a text of white space alone."""
    return isinstance(content, str) and content.isspace()


def ends_a_line_only(text: str, unit: str) -> bool:
    """Tells whether what a text ends with is a unit only if a line break follows."""
    if unit != "sentence":
        return unit in ("line", "whole")
    bare = text.rstrip()
    is_mark = _MARKER.fullmatch(bare[bare.rfind("\n") + 1 :] + " ") is not None
    return bool(bare) and (is_mark or bare.rstrip(_CLOSING_MARKS)[-1:] not in _ENDS)


def begins_a_line_only(text: str, unit: str) -> bool:
    """Tells whether a text begins with the mark of an item, which would be a unit of its own within a line."""
    return unit == "sentence" and _MARKER.match(text) is not None


def has_word(text: str) -> bool:
    """Tells whether a text holds more than gaps and the punctuation around words."""
    return _CORE.search(text) is not None


def reads_as_one(before: str, after: str) -> bool:
    """Tells whether one word would reach from what a text ends with into what another begins with, if they touched.

    >>> reads_as_one("One,", "two"), reads_as_one("f", "(x)"), reads_as_one("f", "( x)")
    (True, True, False)
    """
    if before[-1:].isspace() or after[:1].isspace():
        return False
    last, first = before.rsplit(None, 1)[-1], after.split(None, 1)[0]
    return any(start < len(last) < end for start, end in units(last + first, "word"))


def gap_at_start(text: str, *, after_break: bool) -> int:
    """Measures the gap that a text begins with, in characters.

    Args:
        after_break: whether the text begins a line; then blanks are indentation, which belongs to the unit.
    """
    bare = text.lstrip()
    blanks = text[: len(text) - len(bare)]
    at = blanks.rfind("\n")
    return at + 1 if bare and (at >= 0 or after_break) else len(blanks)


def gap_at_end(text: str) -> int:
    """Measures the gap that a text ends with, in characters."""
    return len(text) - len(text.rstrip())


def unit_hunks(base: str, new: str, unit: str, done: Sequence[Hunk] = ()) -> list[Hunk]:
    """Compares two texts unit by unit.

    Args:
        base: the earlier text.
        new: the later one.
        unit: the name of a unit.
        done: the changes that were made, letter by letter, where that is known: which of equal units stayed is told by
            them then. They count if they make ``new`` out of ``base``.

    Returns:
        The changes that make ``new`` out of ``base``, in order and never overlapping: a unit rewritten (a number of
        neighbours where no old one is like a new one), inserted or removed together with one gap, or a gap changed.

    >>> unit_hunks("One. Two. Three.", "One. 2. Three.", "sentence")
    [Hunk(start=5, end=9, content='2.')]
    >>> unit_hunks("One. Three.", "One. Two. Three.", "sentence")
    [Hunk(start=5, end=5, content='Two. ')]
    >>> unit_hunks("Ha. Ha.", "Ha.", "sentence", [Hunk(0, 4, "")])
    [Hunk(start=0, end=4, content='')]
    """
    if base == new:
        return []
    if not (done and is_made_by(base, new, done)):
        done = ()
    outer = _outer(base, new, done)
    if unit == "word" and not done and (only := _in_one_word(base, new, outer)) is not None:
        return [only]
    first, past = _window(base, outer, unit)
    more = len(new) - len(base)
    old = _Side(base[first:past], unit)
    fresh = _Side(new[first : past + more], unit)
    if done:
        here = [Hunk(h.start - first, h.end - first, h.content) for h in done]
        hunks = _as_done(old, fresh, unit, here)
    else:
        hunks = _compared(old, fresh, unit)
    if not first:
        return hunks
    return [Hunk(h.start + first, h.end + first, h.content) for h in hunks]


def with_neighbours(base: str, new: str, hunks: Sequence[Hunk], unit: str, many: int) -> list[Hunk]:
    """Widens the changes that make ``new`` out of ``base`` by the units around them.

    Args:
        unit: the name of a unit.
        many: how many stretches of units with no gap between them each is to take in on either side.

    >>> with_neighbours("One two three four", "One two 3 four", [Hunk(8, 13, "3")], "word", 1)
    [Hunk(start=4, end=18, content='two 3 four')]
    """
    if not many:
        return [*hunks]
    starts, ends = _stretches(base, unit)
    ranges: list[tuple[int, int, int, int]] = []  # where each begins and ends, in both texts
    drift = 0
    for start, end, content in hunks:
        before, behind = bisect_left(starts, start), bisect_right(ends, end)
        low = min(start, starts[max(before - many, 0)])
        high = max(end, ends[min(behind + many, len(ends)) - 1])
        there = low + drift
        if ranges and low <= ranges[-1][1]:
            low, past, there, _ = ranges.pop()
            high = max(high, past)
        drift += len(content) - (end - start)
        ranges.append((low, high, there, high + drift))
    return [Hunk(low, high, new[there:past]) for low, high, there, past in ranges]


def _stretches(text: str, unit: str) -> tuple[list[int], list[int]]:
    """Where the units of a text with no gap between them begin, and where they end."""
    starts, ends = [0], [0]
    for start, end in units(text, unit):
        if start > ends[-1]:
            starts.append(start)
            ends.append(end)
        else:
            ends[-1] = end
    return starts, ends


def _outer(base: str, new: str, done: Sequence[Hunk]) -> Span:
    """From where to where two texts differ."""
    if done:
        return done[0].start, done[-1].end
    before = common_prefix(base, new)
    return before, len(base) - common_suffix(base, new, min(len(base), len(new)) - before)


def _in_one_word(base: str, new: str, outer: Span) -> Hunk | None:
    """The change of the one word in which two texts differ, if that is all: told without a look at the others."""
    before, past = outer
    first = max(base.rfind(" ", 0, before), base.rfind("\n", 0, before)) + 1
    end = min((at for at in (base.find(" ", past), base.find("\n", past)) if at >= 0), default=len(base))
    was, now = base[first:end], new[first : end + len(new) - len(base)]
    if was.split() != [was] or now.split() != [now]:
        return None
    old, fresh = _Side(was, "word"), _Side(now, "word")
    only = _only_rewritten(old, fresh) if len(old.items) == len(fresh.items) else None
    return None if only is None else Hunk(only.start + first, only.end + first, only.content)


def _window(base: str, outer: Span, unit: str) -> Span:
    """The part of ``base`` outside of which two texts are the same, widened to where units end for certain."""
    before, past = outer
    if unit == "whole":
        return 0, len(base)
    line = base.rfind("\n", 0, before) + 1
    end = base.find("\n", past) + 1 or len(base)
    if before - line > _NEAR:
        line = _before(base, line, before, unit)
    if end - past > _NEAR:
        end = _behind(base, past, end, unit)
    return _with_gaps(base, line, end)


def _with_gaps(text: str, first: int, past: int) -> Span:
    """A part of a text with the whole gaps before and behind it."""
    while first and text[first - 1].isspace():
        first -= 1
    blanks = _BLANKS.match(text, past)
    assert blanks is not None
    if blanks.end() == len(text):
        return first, len(text)
    return first, max(past, text.rfind("\n", past, blanks.end()) + 1)


def _before(text: str, line: int, at: int, unit: str) -> int:
    """The last place before ``at`` where a unit begins whatever comes later, or the beginning of the line."""
    if unit == "line":
        return line
    pattern = _BEGIN_OF_WORD if unit == "word" else _BEGIN_OF_SENTENCE
    near = max(line, at - _NEAR)
    found = [match.end() if unit == "sentence" else match.start() for match in pattern.finditer(text, near, at)]
    marker = _MARKER.match(text, line)
    return found[-1] if found and found[-1] > (marker.end() if marker else line) else line


def _behind(text: str, at: int, end: int, unit: str) -> int:
    """The first place from ``at`` on where a unit ends whatever came before, or the end of the line."""
    if unit == "line":
        return end
    pattern = _END_OF_WORD if unit == "word" else _END_OF_SENTENCE
    match = pattern.search(text, at + 1, end)
    return match.end() if match else end


class _Side:
    """One of two texts that are compared: its units, and the gaps between them."""

    def __init__(self, text: str, unit: str) -> None:
        self.text = text
        self.spans = list(units(text, unit))
        self.items = [text[start:end] for start, end in self.spans]

    def gap(self, number: int) -> Span:
        """Where the gap is that stands before the unit of this number (before the end, for their count)."""
        start = self.spans[number - 1][1] if number else 0
        return start, self.spans[number][0] if number < len(self.spans) else len(self.text)

    def gap_text(self, number: int) -> str:
        start, end = self.gap(number)
        return self.text[start:end]

    def between(self, first: int, past: int) -> str:
        """The text of the units from one number up to another, with the gaps inside."""
        return self.text[self.gap(first)[1] : self.gap(past)[0]]


def _compared(old: _Side, new: _Side, unit: str) -> list[Hunk]:
    if len(old.items) == len(new.items) and (only := _only_rewritten(old, new)) is not None:
        return [only]
    return _between(old, new, _pairs(old.items, new.items, unit))


def _as_done(old: _Side, new: _Side, unit: str, done: Sequence[Hunk]) -> list[Hunk]:
    """The changes of units that some changes of letters are. Of what was replaced as one the difference tells."""
    pairs: list[Pair] = []
    i = j = 0
    kept = pairs_kept(old.spans, new.spans, kept_by(done, len(old.text)))
    for x, y in [*kept, (len(old.items), len(new.items))]:
        if x > i and y > j:
            pairs += [(i + a, j + b) for a, b in _pairs(old.items[i:x], new.items[j:y], unit)]
        pairs.append((x, y))
        i, j = x + 1, y + 1
    return _between(old, new, pairs[:-1])


def _between(old: _Side, new: _Side, pairs: Sequence[Pair]) -> list[Hunk]:
    """The changes from one text to another, of whose units these are the same or rewritten."""
    hunks: list[Hunk] = []
    i = j = 0
    for x, y in [*pairs, (len(old.items), len(new.items))]:
        hunks += _unpaired(old, new, i, x, j, y)
        if x < len(old.items) and old.items[x] != new.items[y]:
            hunks.append(Hunk(*old.spans[x], new.items[y]))
        i, j = x + 1, y + 1
    return hunks


def _only_rewritten(old: _Side, new: _Side) -> Hunk | None:
    """The change of the one unit in which two texts differ, if that is all."""
    for number, item in enumerate(new.items):
        if item != old.items[number]:
            (start, end), (begin, past) = old.spans[number], new.spans[number]
            before = start == begin and old.text[:start] == new.text[:begin]
            if before and old.text[end:] == new.text[past:] and old.items[number + 1 :] == new.items[number + 1 :]:
                return Hunk(start, end, item)
            return None
    return None


def _unpaired(old: _Side, new: _Side, i: int, x: int, j: int, y: int) -> list[Hunk]:
    """The changes between two pairs of units: old[i:x] and new[j:y] have no partner."""
    left, right = old.gap(i), old.gap(x)
    l_old, r_old, l_new, r_new = old.gap_text(i), old.gap_text(x), new.gap_text(j), new.gap_text(y)
    if i == x and j == y:
        return _changed(left, l_old, l_new)
    if i == x:
        if l_new == l_old:
            return [Hunk(left[1], left[1], new.between(j, y) + r_new)]
        if r_new == l_old:
            return [Hunk(left[0], left[0], l_new + new.between(j, y))]
        if not l_old:
            return [Hunk(*left, l_new + new.between(j, y) + r_new)]
        return [Hunk(*left, l_new), Hunk(left[1], left[1], new.between(j, y) + r_new)]
    if j == y:
        if l_new == r_old and l_new != l_old:
            return [Hunk(left[0], right[0], "")]
        return [*_changed(left, l_old, l_new), Hunk(left[1], right[1], "")]
    rewritten = Hunk(left[1], right[0], new.between(j, y))
    return [*_changed(left, l_old, l_new), rewritten, *_changed(right, r_old, r_new)]


def _changed(place: Span, old: str, new: str) -> list[Hunk]:
    return [Hunk(*place, new)] if old != new else []


def _pairs(old: list[str], new: list[str], unit: str) -> list[Pair]:
    """The units that are the same, and between those the ones that were rewritten, in order."""
    pairs: list[Pair] = []
    i = j = 0
    for x, y, length in [*common_runs(old, new), (len(old), len(new), 0)]:
        if x > i and y > j:
            here = _in_turn if unit == "word" else _by_likeness
            pairs += [(i + a, j + b) for a, b in here(old[i:x], new[j:y])]
        pairs += [(x + n, y + n) for n in range(length)]
        i, j = x + length, y + length
    return pairs


def _in_turn(old: list[str], new: list[str]) -> list[tuple[int, int]]:
    """One or two words written anew are that many rewrites; more are one, lest a question become as many as words."""
    return [(n, n) for n in range(len(old))] if len(old) == len(new) <= 2 else []


def _by_likeness(old: list[str], new: list[str]) -> list[tuple[int, int]]:
    """Pairs of units that have most of their words in common: the heaviest chain in order of both."""
    if len(old) * len(new) > _MOST_PAIRS:
        return []
    words, others = [_words(item) for item in old], [_words(item) for item in new]
    best = [[0.0] * (len(new) + 1) for _ in range(len(old) + 1)]
    likeness: dict[tuple[int, int], float] = {}
    for i in range(len(old) - 1, -1, -1):
        for j in range(len(new) - 1, -1, -1):
            best[i][j] = max(best[i + 1][j], best[i][j + 1])
            like = _likeness(words[i], others[j])
            if like >= _ALIKE:
                likeness[i, j] = like
                best[i][j] = max(best[i][j], best[i + 1][j + 1] + like)
    pairs: list[tuple[int, int]] = []
    i = j = 0
    while i < len(old) and j < len(new):
        if (i, j) in likeness and best[i][j] == best[i + 1][j + 1] + likeness[i, j]:
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            i += 1
        else:
            j += 1
    return pairs


class _Words(NamedTuple):
    found: Counter[str]
    total: int


@lru_cache(maxsize=4096)
def _words(unit: str) -> _Words:
    """What a unit is compared by: its words, or pairs of letters where it has hardly any (or no blanks between)."""
    found = _PART.findall(unit)
    if len(found) < 3:
        bare = unit.strip()
        found = [bare[n : n + 2] for n in range(max(len(bare) - 1, 1))]
    return _Words(Counter(found), len(found))


def _likeness(one: _Words, other: _Words) -> float:
    common = sum((one.found & other.found).values())
    return 2 * common / (one.total + other.total)
