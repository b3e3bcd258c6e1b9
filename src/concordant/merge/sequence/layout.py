"""What a sequence shows: its visible pieces, by number, and the part of each that is seen.

What several writers removed side by side may leave two gaps, or none, where there was one: a layout shows one there,
never at the beginning or the end. What is inserted into units that others removed keeps a gap to its neighbours.

A layout is remembered with its sequence. An edit makes the next layout from the last by replacing what it touched, so
that editing a large text does not go through all of its pieces again.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections.abc import Callable, Container, Iterable, Iterator, Sequence as Items
from itertools import accumulate, chain
from typing import Any, NamedTuple

from concordant.merge.causality import Stamp, order_of
from concordant.merge.sequence.overlap import NOTHING, Analysis
from concordant.merge.sequence.pieces import (
    NEVER,
    Changed,
    Content,
    Gone,
    Piece,
    RunId,
    Seed,
    Sequence,
    last_of,
    run_of,
    who,
)
from concordant.merge.sequence.units import (
    begins_a_line_only,
    ends_a_line_only,
    gap_at_end,
    gap_at_start,
    has_word,
    is_blank,
    reads_as_one,
)

__all__ = ["Layout", "layout", "own_layout", "text_of"]

WORTH_NOTING = 8
"""From how many removed pieces in a row on a layout notes what they are."""
MOST_NOTED = 8
"""At how many places."""

_SHARED = frozenset([str, int, float, bool, type(None)])
_GAPS = re.compile(r"\s+")
_BEGIN = re.compile(r"\s\S")  # whether two units read as one can be told from here on


class Passed(NamedTuple):
    """Removed pieces in a row.

    Attributes:
        first: the number of the first.
        past: the number behind the last.
        gone: what they are, in short.
        bound: whether a separator among them is hidden, for what stands in front of them.
    """

    first: int
    past: int
    gone: Gone
    bound: bool


class Layout:
    """The visible pieces in order, as parallel lists.

    Attributes:
        numbers: each piece's number in its sequence.
        pieces: the pieces. One of which a part in the middle is hidden stands here twice.
        contents: what is seen of each.
        skips: how many characters of it are hidden in front of that.
        gaps: how many characters that are not its own are shown first: a gap to what stands before it.
        passed: where many pieces are removed in front of those that edits of late were about.
    """

    __slots__ = ("_head", "_starts", "_text", "_values", "contents", "gaps", "numbers", "passed", "pieces", "skips")

    def __init__(
        self, numbers: list[int], pieces: list[Piece], contents: list[Any], skips: list[int], gaps: list[int]
    ) -> None:
        self.numbers = numbers
        self.pieces = pieces
        self.contents = contents
        self.skips = skips
        self.gaps = gaps
        self.passed: list[Passed] = []
        self._starts: list[int] | None = None
        self._text: str | None = None
        self._values: tuple[Any, ...] | None = None
        self._head: tuple[int, tuple[Any, ...]] = (0, ())

    @property
    def starts(self) -> list[int]:
        """The offset of each visible piece in what is shown, and the length of all."""
        if self._starts is None:
            self._starts = [0, *accumulate(map(len, self.contents))]
        return self._starts

    def content(self, empty: Content) -> Any:
        """Returns the text (or the tuple of items) that the pieces make."""
        if isinstance(empty, str):
            if self._text is None:
                self._text = "".join(self.contents)
            return self._text
        return tuple(chain.from_iterable(self.contents))

    def values(self, read: Callable[[Items[bytes]], list[Any]]) -> list[Any]:
        """Returns what the items of a list are as values, fresh ones.

        Args:
            read: reads several; values of which all may have the same are remembered.
        """
        if self._values is None:
            known, values = self._head
            new = read([*chain.from_iterable(self.contents[known:])])
            if not _SHARED.issuperset(map(type, new)):
                return [*values, *new]
            self._values, self._head = (*values, *new), (0, ())
        return [*self._values]

    def goes_on(self, other: Layout) -> None:
        """Takes note that the entries of another layout of a list are the first ones of this."""
        if other._values is not None:
            self._head = len(other.pieces), other._values

    def take_over(self, other: Layout, first: int, past: int | None = None, shift: int = 0) -> None:
        """Adds entries of another layout, whose pieces have a number that is larger by ``shift`` here."""
        numbers = other.numbers[first:past]
        self.numbers += [n + shift for n in numbers] if shift else numbers
        self.pieces += other.pieces[first:past]
        self.contents += other.contents[first:past]
        self.skips += other.skips[first:past]
        self.gaps += other.gaps[first:past]

    def reopen(self, doubled: Container[RunId]) -> None:
        """Makes ready to be continued: goes back to a unit, for what is shown of gaps, and hidden at the end of a unit,
        depends on what follows.

        Args:
            doubled: runs of which only parts are shown: none of them is the one to go on behind.
        """
        while self.contents and (is_blank(self.contents[-1]) or (doubled and run_of(self.pieces[-1]) in doubled)):
            self.drop_last()
        if self.contents:
            self.contents[-1] = self.whole(-1)

    def drop_last(self) -> None:
        """Takes out the last entry."""
        for entries in self.entries():
            entries.pop()

    def entries(self) -> tuple[list[Any], ...]:
        """Returns the parallel lists."""
        return self.numbers, self.pieces, self.contents, self.skips, self.gaps

    def whole(self, position: int) -> Any:
        """Returns what is seen of a piece if nothing is hidden at its end."""
        content: Any = self.pieces[position].content[self.skips[position] :]
        gap = self.gaps[position]
        return self.contents[position][:gap] + content if gap else content


def layout(sequence: Sequence, analysis: Analysis, separator: str, unit: str) -> Layout:
    """Lays out a sequence.

    Args:
        analysis: what its strikes and insertions are worth (``concordant.merge.sequence.overlap.analyse``).
        separator: what a line begins with; it shows only after something that does not end with it.
        unit: the name of the unit by which it merges.
    """

    key = (analysis, separator, unit)
    if sequence.is_short:
        return _once_more(sequence, key, lambda: _taken(sequence, analysis, separator, unit))

    def compute(seed: Seed | None) -> Layout:
        if seed is None or seed.key[1:] != (separator, unit):
            return _taken(sequence, analysis, separator, unit)
        fold = _Fold(sequence, analysis, separator, unit)
        return fold.patched(seed.layout, _with_weighed(sequence, seed, analysis))

    return sequence.laid_out(key, compute)


def _taken(sequence: Sequence, analysis: Analysis, separator: str, unit: str) -> Layout:
    fold = _Fold(sequence, analysis, separator, unit)
    fold.take(0, len(sequence))
    return fold.finished()


class _Last:
    """The layout that was made last.

    What an edit made is looked at right after it, and is what the next one begins with: nobody keeps it beside each
    short text for that.
    """

    __slots__ = ("made",)

    def __init__(self) -> None:
        self.made: tuple[Sequence | None, Any, Layout] = (None, None, Layout([], [], [], [], []))


_last = _Last()


def _once_more(sequence: Sequence, key: Any, compute: Callable[[], Layout]) -> Layout:
    """The layout that was made last, if that is the one asked for; else it is made."""
    whose, how, found = _last.made
    if whose is not sequence or how != key:
        found = compute()
        _last.made = (sequence, key, found)
    return found


def _with_weighed(sequence: Sequence, seed: Seed, analysis: Analysis) -> list[Changed]:
    """What differs from what was laid out before: also the pieces of which another part is shown now."""
    was: Analysis = seed.key[0]
    runs = was.suspended ^ analysis.suspended | was.hidden ^ analysis.hidden
    if was.doubled or analysis.doubled:
        both = was.doubled.keys() | analysis.doubled.keys()
        runs |= {run for run in both if was.doubled.get(run) != analysis.doubled.get(run)}
    if not runs:
        return [*seed.changed]
    found = [number for number, _ in sequence.touching(runs)]
    changed: list[Changed] = []
    shift = 0
    for one in (*seed.changed, None):
        while found and (one is None or found[0] < one.past):
            number = found.pop(0)
            if one is None or number < one.first:
                changed.append(Changed(number - shift, number - shift + 1, number, number + 1))
        if one is not None:
            changed.append(one)
            shift = one.past - one.was_past
    return changed


def text_of(pieces: Iterable[Piece], separator: str, unit: str) -> str:
    """Returns the text that some pieces make if nothing else stands there.

    Args:
        separator: what a line begins with.
        unit: the name of the unit by which the text merges.
    """
    fold = _Fold(Sequence([*pieces], {}, overlapping=False), NOTHING, separator, unit)
    fold.take(0, len(fold.sequence))
    text: str = fold.finished().content("")
    return text


def own_layout(sequence: Sequence, origin: str, separator: str, unit: str) -> Layout:
    """Lays out what one scope's writes alone show: the pieces it put, but for those that it struck itself."""

    def compute() -> Layout:
        fold = _Fold(sequence, NOTHING, separator, unit)
        for number, piece in sequence.standing_of(origin):
            fold.show(number, piece)
        return fold.layout

    return _once_more(sequence, (origin, separator, unit), compute)


class _Fold:
    """Goes through the pieces of a sequence in order and collects what is seen of them.

    Attributes:
        removers: who has removed what lies between the last piece seen and this one.
        removed: what that is.
        since: when the first of them did. A gap that is there since is meant to be there.
        last: the run of the last piece seen.
        showed: whether something was met that is seen, or hidden for what stands beside it.
        hid: whether a separator was met that is hidden.
    """

    showed = hid = False

    def __init__(self, sequence: Sequence, analysis: Analysis, separator: str, unit: str) -> None:
        self.sequence = sequence
        self.analysis = analysis
        self.separator = separator
        self.unit = unit
        self.layout = Layout([], [], [], [], [])
        self.removers: set[str | tuple[str, int]] = set()
        self.since = NEVER
        self.removed: list[str] = []
        self.last: RunId | None = None

    def patched(self, old: Layout, changed: Items[Changed]) -> Layout:
        """Makes a layout of an old one, piece by piece only where it may differ.

        Args:
            changed: the pieces that are others now, or are seen otherwise, in order.
        """
        new = self.layout
        self._recall(old, changed)
        at, number, shift, settled = 0, 0, 0, True
        for one, limit in zip(changed, [*(one.first for one in changed[1:]), math.inf], strict=True):
            if settled:
                new.take_over(old, at, bisect_left(old.numbers, one.was_first), shift)
                number = self._reopen()
                if not at:
                    self._pass(number, one.first)
                    number = one.first
            self.take(number, one.past)
            number, shift = one.past, one.past - one.was_past
            at = bisect_left(old.numbers, one.was_past)
            settled = False
            while not settled and at < len(old.numbers) and old.numbers[at] + shift < limit:
                following = old.numbers[at] + shift
                if following - number >= WORTH_NOTING:
                    self._pass(number, following)
                    number = following
                self.take(number, following + 1)
                number = following + 1
                if new.numbers[-1:] == [following] and new.contents[-1] == old.whole(at) and self._stands_alone():
                    new.contents[-1] = old.contents[at]
                    settled = True
                at += 1
        if settled:
            new.take_over(old, at, shift=shift)
            return new
        self.take(number, len(self.sequence))
        return self.finished()

    def _recall(self, old: Layout, changed: Items[Changed]) -> None:
        """Takes over what an old layout has found out that still holds."""
        if self.unit == "item" and (not changed or changed[0].was_first > max(old.numbers[-1:], default=-1)):
            self.layout.goes_on(old)
        if old.passed and changed:
            self.layout.passed = [*_still_there(old.passed, changed[0], changed[-1])]

    def _reopen(self) -> int:
        """Makes ready to go on behind what has been taken over; returns the number of the piece to go on with."""
        self.layout.reopen(self.analysis.doubled)
        if not self.layout.pieces:
            self.last = None
            return 0
        self.last = run_of(self.layout.pieces[-1])
        return self.layout.numbers[-1] + 1

    def _pass(self, number: int, past: int) -> None:
        """Goes through pieces of which most are removed: those stand there as in the layout before, for mostly one
        place is edited again and again, or one of a few.

        Args:
            number: of the first.
            past: the number behind the last.
        """
        removed = (at for at, piece in enumerate(self.sequence.onward(number), number) if piece[6] or at == past)
        begin = min(next(removed, past), past)
        self.take(number, begin)
        number = begin
        alone, noted = not self.removers, self.layout.passed
        known = next((passed for passed in noted if passed.first == begin and passed.past <= past), None)
        if known is not None:
            self._remove_all(known.gone)
            number = known.past
        self.showed, self.hid = False, known is not None and known.bound
        self.take(number, past)
        if alone and past - begin >= WORTH_NOTING and number < past and not self.showed:
            gone = Gone(frozenset(), frozenset(self.removers), self.since, _in_short("".join(self.removed)))
            kept = [passed for passed in noted if passed is not known]
            self.layout.passed = [*kept[1 - MOST_NOTED :], Passed(begin, past, gone, self.hid)]

    def take(self, first: int, past: int) -> None:
        """Goes through the pieces with these numbers."""
        strikes, hidden, suspended = self.sequence.strikes, self.analysis.hidden, self.analysis.suspended
        doubled = self.analysis.doubled
        for begin, pieces, block in self.sequence.by_block(first, past):
            gone = block.gone(strikes) if block is not None and not (hidden or suspended) else None
            if gone is not None:
                self._remove_all(gone)
                continue
            for number, piece in enumerate(pieces, begin):
                if not piece[7] or (hidden and (piece[0][1], piece[0][2], piece[1]) in hidden):
                    continue
                if piece[6] and (strike := strikes.first(piece[6], suspended)) is not None:
                    self._remove(piece, strike[0])
                elif doubled and (spans := doubled.get((piece[0][1], piece[0][2], piece[1]))):
                    self._show_parts(number, piece, spans)
                else:
                    self.show(number, piece)

    def show(self, number: int, piece: Piece, start: int = 0, end: int | None = None) -> None:
        """Shows a piece, or a part of it."""
        shown = self.layout
        content: Any = piece[3] if end is None else piece[3][start:end]
        stamp = piece[0]
        run = (stamp[1], stamp[2], piece[1])
        if piece[5] and piece[2] + start == 0 and _at_line_start(shown.contents, self.separator):
            start = len(self.separator)
            content = content[start:]
        if not content:
            self.hid = True
            return
        self.showed = True
        gap, is_text = "", isinstance(content, str)
        if is_text and (self.removers or run != self.last) and self._meets_something(content):
            start, content, gap = self._joined(number, piece, start, content)
            if not content:
                return
        shown.numbers.append(number)
        shown.pieces.append(piece)
        shown.contents.append(gap + content if gap else content)
        shown.skips.append(start)
        shown.gaps.append(len(gap))
        if not (is_text and content.isspace()):
            self.last = run
            if self.removers:
                self.removers.clear()
                self.removed.clear()
                self.since = NEVER

    def finished(self) -> Layout:
        """Ends the layout: where several writers removed what stood last, no gap is left behind."""
        contents = self.layout.contents
        if len(self.removers) > 1 and contents and not self._gap_was_removed_last():
            self._trim()
        return self.layout

    def _stands_alone(self) -> bool:
        """Whether what follows depends on nothing before the last piece seen."""
        if self.removers:
            return False
        content = self.layout.contents[-1]
        if not isinstance(content, str):
            return True
        return len(content) >= len(self.separator) and _BEGIN.search(content) is not None

    def _remove(self, piece: Piece, stamp: Stamp) -> None:
        content = piece[3]
        if isinstance(content, str):
            self.removers.add(stamp[4] or who(stamp))
            if stamp[:3] < self.since:
                self.since = stamp[:3]
            self.removed.append(content)

    def _remove_all(self, gone: Gone) -> None:
        if gone.removers:
            self.removers |= gone.removers
            self.since = min(self.since, gone.since)
            self.removed.append(gone.removed)

    def _show_parts(self, number: int, piece: Piece, spans: list[tuple[int, int]]) -> None:
        """Shows what is left of a piece of which parts are there already, in an equal insertion."""
        at, length = 0, len(piece.content)
        for start, end in spans:
            low, high = max(start - piece.offset, at), min(end - piece.offset, length)
            if low >= high:
                continue
            if low > at:
                self.show(number, piece, at, low)
            at = high
            if is_blank(piece.content[low:high]) or high - low == length:
                continue  # what is there as a whole has its gaps
            self.removers |= {"one", "other"}
            self.since = min(self.since, order_of(piece.stamp))
            self.removed.append(str(piece.content[low:high]))
        if at < length:
            self.show(number, piece, at, length)

    def _meets_something(self, content: str) -> bool:
        """A quick look whether gaps between what is shown and what comes may have to change."""
        if len(self.removers) > 1:
            return True
        contents = self.layout.contents
        if not contents:
            return False
        last, first = contents[-1][-1], content[0]
        if last == "\n" or first == "\n":
            return False
        if self.unit == "word":
            return not (last.isspace() or first.isspace())
        if first == " " and last in ".!?" and self.unit == "sentence":
            return contents[-1][-2:-1].isdigit() or begins_a_line_only(content, self.unit)
        return True

    def _joined(self, number: int, piece: Piece, start: int, content: str) -> tuple[int, str, str]:
        """Where a text begins that stands behind something that is not its own, what is seen of it, and the gap that
        is put before it: without a gap too many, with one where two units would read as one."""
        lead = 0
        if content[0].isspace():
            lead = gap_at_start(content, after_break=self._is_unit_start(number, piece, start))
        if len(self.removers) > 1:
            start, content, lead = self._with_one_gap(piece, start, content, lead)
        if not self.layout.contents or not content[lead:] or not self._is_made_of_units(piece):
            return start, content, ""
        before = self._line_before()
        if self._is_left_so(piece, before, content):
            return start, content, ""
        gap = self._gap_missing(before, piece, content, lead)
        if gap is None:
            self._unindent(before, lead, piece)
            return start, content, ""
        if "\n" in gap and not lead and self._break_line_before_indentation(piece, gap):
            return start, content, ""
        return start + lead, content[lead:], gap

    def _with_one_gap(self, piece: Piece, start: int, content: str, lead: int) -> tuple[int, str, int]:
        """Of the gaps on both sides of what several writers removed the greater one; none at the beginning."""
        older = order_of(piece.stamp) < self.since
        contents = self.layout.contents
        if not contents or contents[-1][-1].isspace():
            if contents and lead and "\n" in content[:lead] and "\n" not in self._gap_before():
                self._trim()
            elif lead and older:
                if contents and "\n" in content[:lead]:
                    self._unindent(self._gap_before(), 0, None)
                return start + lead, content[lead:], 0
            elif contents and self._ends_a_clause(piece, content):
                self._trim()
        return start, content, lead

    def _is_unit_start(self, number: int, piece: Piece, start: int) -> bool:
        """Whether blanks at the beginning of a part of a piece are the indentation of a unit, not a gap before it."""
        if start:
            return piece.content[start - 1] == "\n"
        anchor = (*run_of(piece), piece.offset - 1) if piece.offset else piece.parent
        if anchor is None or (piece.replaces and not piece.offset):
            return True
        for other in self.sequence.backward(number):
            if other.offset <= anchor[3] < other.offset + len(other.content) and run_of(other) == anchor[:3]:
                last = str(other.content[anchor[3] - other.offset])
                return last == "\n" or (not piece.offset and last.isspace())  # what follows a gap begins with a unit
        return True

    def _ends_a_clause(self, piece: Piece, content: str) -> bool:
        """Whether punctuation comes that stood right behind what was removed."""
        is_own_line = piece.line and not piece.offset
        is_mark = self.unit == "word" and not is_own_line and not content[:1].isalnum()
        return is_mark and not self._gap_was_removed_last()

    def _gap_missing(self, before: str, piece: Piece, content: str, lead: int) -> str | None:
        """The gap that has to stand before a unit instead of its own, lest two units read as one."""
        gap = before[len(before) - gap_at_end(before) :] + content[:lead]
        if "\n" in gap or not before.strip():
            return None
        if self.unit == "word":
            is_missing = not gap and (self._do_words_touch(before, piece, content) or self._are_sides(piece))
            return self._gap_removed() if is_missing else None
        if ends_a_line_only(before, self.unit) or (
            begins_a_line_only(content, self.unit) and not self._was_written_here(piece)
        ):
            return self._gap_removed("\n")
        return None if gap else self._gap_removed()

    def _gap_removed(self, least: str = " ") -> str:
        """What parted units that were removed here: the greatest of the gaps, a blank line, a line break or a blank."""
        gap = _short_gap("".join(self.removed))
        return gap if gap and _line_breaks(gap) >= _line_breaks(least) else least

    def _do_words_touch(self, before: str, piece: Piece, content: str) -> bool:
        """Whether a word begins right behind another one, without a gap."""
        last, first = before.split()[-1], content.split()[0]
        begins = has_word(first) or (first[0] in "([{" and not self._was_written_here(piece))
        return begins and (has_word(last) or last.endswith("."))

    def _unindent(self, before: str, lead: int, piece: Piece | None) -> None:
        """Hides blanks that stand at the beginning of a line where a unit comes that was not written behind them.

        Args:
            piece: what the unit begins with, whose own indentation may stand before it in pieces of its own.
        """
        blanks = before.rpartition("\n")[2]
        if lead or self.unit == "word" or not blanks or blanks.strip():
            return
        own = self._own_indentation(piece)
        if not own or not own[-1][2].strip(" \t"):
            self._hide_blanks()
        self._put_back(own)

    def _break_line_before_indentation(self, piece: Piece, gap: str) -> bool:
        """Puts a gap before the blanks behind which a piece was written, if these are pieces of their own."""
        own = self._own_indentation(piece)
        is_own = bool(own) and not own[-1][2].strip(" \t")
        if is_own:
            number, shown, content, skip, before = own[-1]
            own[-1] = [number, shown, gap + content, skip, before + len(gap)]
        self._put_back(own)
        return is_own

    def _own_indentation(self, piece: Piece | None) -> list[list[Any]]:
        """Takes out the last entries, back to where the blanks begin behind which a piece was written."""
        entries = self.layout.entries()
        own: list[list[Any]] = []
        while piece is not None and entries[0] and self._was_written_behind(piece):
            own.append([entry.pop() for entry in entries])
            piece = None if own[-1][2].strip(" \t") else own[-1][1]
        return own

    def _put_back(self, own: list[list[Any]]) -> None:
        """Puts back the entries that ``_own_indentation`` has taken out."""
        for kept in reversed(own):
            for entry, value in zip(self.layout.entries(), kept, strict=True):
                entry.append(value)

    def _hide_blanks(self) -> None:
        """Hides the blanks at the end of what is shown."""
        contents = self.layout.contents
        while contents and not contents[-1].strip(" \t"):
            self.layout.drop_last()
        if contents:
            contents[-1] = contents[-1].rstrip(" \t")

    def _line_before(self) -> str:
        """What is shown last: at least the end of its last line, or all of it."""
        parts: list[str] = []
        for content in reversed(self.layout.contents):
            at = content.rfind("\n", 0, len(content.rstrip()))
            parts.append(content[at:] if at >= 0 else content)
            if at >= 0:
                break
        return "".join(reversed(parts))

    def _is_made_of_units(self, piece: Piece) -> bool:
        """Whether what stands before and what comes are whole units for certain."""
        if piece.parent is None and piece.beside is None and piece.offset == 0:
            return False  # appended: what stands between is in the separator
        if any(one.replaces or one.beside is not None for one in (*self._last_pieces(), piece)):
            return True
        if len(self.removers) > 1:
            return any(map(str.isspace, "".join(self.removed)))
        return bool(self.removers)

    def _is_left_so(self, piece: Piece, before: str, content: str) -> bool:
        """Whether one writer alone has removed what stood between two parts of one text, and may have left them so: a
        blank between two words, or what parts two other units, nobody removes who sees both."""
        if len(self.removers) != 1 or run_of(piece) != self.last:
            return False
        removed = "".join(self.removed)
        if self.unit == "word":
            return is_blank(removed) and not reads_as_one(before, content)
        return "\n" not in removed and ends_a_line_only(before, self.unit)

    def _last_pieces(self) -> Iterator[Piece]:
        """The pieces shown last, back to one that is more than a gap."""
        for piece, content in zip(reversed(self.layout.pieces), reversed(self.layout.contents), strict=True):
            yield piece
            if not is_blank(content):
                return

    def _was_written_here(self, piece: Piece) -> bool:
        """Whether its writer saw a piece stand right behind what is shown last."""
        before = self.layout.pieces[-1]
        anchor = (*run_of(piece), piece.offset - 1) if piece.offset else piece.parent
        return anchor == last_of(before)

    def _was_written_behind(self, piece: Piece) -> bool:
        """Whether a piece was written right behind what is shown last, and that was left there."""
        before = self.layout.pieces[-1]
        return self._was_written_here(piece) and not any(run[:2] == piece.stamp[1:3] for run in before.struck)

    def _are_sides(self, piece: Piece) -> bool:
        """Whether two rewrites of one unit stand side by side."""
        before = self.layout.pieces[-1]
        return before.replaces and piece.replaces and before.parent == piece.parent and before.stamp != piece.stamp

    def _gap_before(self) -> str:
        before: str = self.layout.contents[-1]
        return before[len(before) - gap_at_end(before) :]

    def _gap_was_removed_last(self) -> bool:
        return self.removed[-1:] == [] or self.removed[-1][-1].isspace()

    def _trim(self) -> None:
        """Hides the gap at the end of what is shown."""
        shown = self.layout
        while shown.contents and order_of(shown.pieces[-1].stamp) < self.since:
            shown.contents[-1] = shown.contents[-1].rstrip()
            if shown.contents[-1]:
                return
            shown.drop_last()


def _still_there(passed: Iterable[Passed], first: Changed, last: Changed) -> Iterator[Passed]:
    """What was noted of removed pieces in front of all that has changed, or behind it."""
    shift = last.past - last.was_past
    for one in passed:
        if one.past <= first.was_first:
            yield one
        elif one.first >= last.was_past and not one.bound:
            yield Passed(one.first + shift, one.past + shift, one.gone, False)


def _in_short(text: str) -> str:
    """A text with the same gaps as a longer one, in short: at its beginning, the greatest within, and at its end."""
    core = text.strip()
    if not core:
        return _short_gap(text)
    start = text.index(core)
    return f"{_short_gap(text[:start])}x{_short_gap(core)}x{_short_gap(text[start + len(core) :])}"


def _short_gap(text: str) -> str:
    """The greatest gap in a text, in short: a blank line, a line break, or a blank."""
    gap = max(_GAPS.findall(text), key=_line_breaks, default="")
    return "\n" * min(_line_breaks(gap), 2) or gap[:1]


def _line_breaks(gap: str) -> int:
    return gap.count("\n")


def _at_line_start(contents: list[Any], separator: str) -> bool:
    """Whether what is shown so far is empty or ends with the separator."""
    if contents and len(contents[-1]) >= len(separator):
        return bool(contents[-1].endswith(separator))
    tail = ""
    for content in reversed(contents):
        tail = content[-len(separator) :] + tail
        if len(tail) >= len(separator):
            return bool(tail.endswith(separator))
    return not contents
