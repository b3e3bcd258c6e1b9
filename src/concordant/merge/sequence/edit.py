"""Changes of a sequence: append, splice what was read into what it became, decide an overlap, withdraw a write."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from functools import reduce
from itertools import pairwise, zip_longest
from typing import Any, NamedTuple

from concordant.merge.causality import SeenBy, Stamp, order_of
from concordant.merge.sequence.aside import as_it_stood
from concordant.merge.sequence.diff import Hunk
from concordant.merge.sequence.layout import Layout, layout, own_layout
from concordant.merge.sequence.order import in_order
from concordant.merge.sequence.overlap import NOTHING, Analysis, Overlap, Rules, analyse
from concordant.merge.sequence.pieces import (
    EMPTIED,
    EMPTY,
    END,
    NOTHING_THERE,
    SEAL,
    START,
    Anchor,
    Content,
    Edit,
    Piece,
    RunId,
    Sequence,
    Strike,
    Strikes,
    has_twin,
    is_note,
    run_of,
    struck_by,
)
from concordant.merge.sequence.units import gap_at_end, gap_at_start, is_blank, unit_hunks, with_neighbours

__all__ = ["append", "decide", "splice", "withdraw"]

_ROUNDS = 4  # how often an edit is corrected, each time with more of what is around, before all of the text is put anew


def append(
    sequence: Sequence,
    stamp: Stamp,
    k: int,
    content: Content,
    *,
    line: bool = False,
    beside: Anchor | None = None,
) -> Sequence:
    """Adds a root run at the end: behind all root runs that are older in (time, dot)."""
    return _with_root(sequence, Piece(stamp, k, 0, content, None, line, beside=beside))


def _with_root(sequence: Sequence, piece: Piece) -> Sequence:
    if order_of(piece.stamp) >= sequence.newest_root:
        return sequence.appended(piece)
    return Sequence(in_order([*sequence, piece]), sequence.strikes, sequence.newest_root)


def splice(
    sequence: Sequence,
    stamp: Stamp,
    base: Content,
    new: Content,
    hunks: list[Hunk],
    *,
    seen: SeenBy,
    rules: Rules,
    drift_of: Callable[[Any, Any], list[Hunk]],
    separator: str = "",
    own: str | None = None,
    onto: Callable[[Any, bool], tuple[Content, Content, list[Hunk]]] | None = None,
) -> Sequence:
    """Carries the difference between ``base`` (what the writer read) and ``new`` over to ``sequence``.

    Args:
        hunks: that difference: the changes that make ``new`` out of ``base``.
        seen: which writes the writer had seen; only what those made is matched with ``base``.
        rules: how changes are weighed against those of others.
        drift_of: tells of ``base`` how it differs from what the writer was shown, if it does.
        separator: what a line begins with (texts only).
        own: the origin of the writer's own writes, where ``base`` is what it wrote itself without having read.
        onto: if ``base`` is not what the writer was shown, tells the change as one of a text that is nearer to that,
            in which nothing may be open: ``base``, ``new`` and ``hunks``.

    Returns:
        The sequence in which the change stands: to its writer it reads ``new``.
    """
    writer = _Writer(stamp, seen, rules, separator)
    if own is not None:
        writer.own = own
        shown = own_layout(sequence, own, separator, rules.unit)
        if shown.content(base[:0]) == base:
            edit = writer.edit(sequence, shown, base, hunks)
            return writer.corrected(
                sequence, edit, new, lambda text: (own_layout(text, own, separator, rules.unit), NOTHING)
            )
        writer.own = None
    shown, analysis = writer.view(sequence)
    rendered: Any = shown.content(base[:0])
    if rendered != base and onto is not None:
        base, new, hunks = onto(rendered, not analysis.overlaps)
    if rendered == base:
        edit = writer.edit(sequence, shown, base, hunks, analysis)
        return writer.corrected(sequence, edit, new, writer.view)
    return writer.edit(sequence, shown, base, hunks, analysis, drift_of(base, rendered))


class _Writer:
    """One write in the making: whose it is and what its writer had seen.

    Attributes:
        runs: how many numbers for runs and strikes have been given away.
        own: the origin of the writes that alone count as shown to it; ``None``: all that it had seen.
        part: what of the text was shown to it last.
    """

    own: str | None = None
    part = EMPTY

    def __init__(self, stamp: Stamp, seen: SeenBy, rules: Rules, separator: str) -> None:
        self.stamp = stamp
        self.rules = rules
        self.separator = separator
        self.runs = 0
        self._seen = seen

    def knows(self, piece: Piece | Strike) -> bool:
        """Whether the writer was shown a piece, or what a strike made, or it is its own."""
        stamp = piece.stamp
        if self.own is not None:
            return stamp.origin == self.own
        return stamp == self.stamp or self._seen(stamp)

    def view(self, sequence: Sequence) -> tuple[Layout, Analysis]:
        """Lays out what the writer had seen, and what this write has made of it."""
        self.part = part = self._part(sequence)
        analysis = part.analysed(self.rules, analyse)
        return layout(part, analysis, self.separator, self.rules.unit), analysis

    def _part(self, sequence: Sequence) -> Sequence:
        """What the writer had seen, and this write."""
        part = sequence.shown_to(self._seen, self.stamp)
        if part is sequence:
            return part
        part = self._with_what_was_taken_back(sequence, part)
        return as_it_stood(sequence, part, lambda stamp: stamp == self.stamp or self._seen(stamp))

    def _with_what_was_taken_back(self, sequence: Sequence, part: Sequence) -> Sequence:
        """What the writer had seen, with what was taken back since, in the place of what stands there again."""
        strikes = sequence.strikes
        unseen = {run for run in sequence.marks() if not self._seen(strikes[run].stamp)}
        if not unseen:
            return part
        back = {number for number, piece in sequence.under(unseen) if self._seen(piece.stamp)}
        runs = {run_of(sequence[number]) for number in back}.difference(strikes)
        pieces = [
            piece._replace(live=(piece.live or number in back) and runs.isdisjoint(piece.struck))
            for number, piece in enumerate(part)
        ]
        return Sequence(pieces, part.strikes, part.newest_root)

    def edit(
        self,
        sequence: Sequence,
        shown: Layout,
        base: Content,
        hunks: list[Hunk],
        analysis: Analysis = NOTHING,
        drift: list[Hunk] | None = None,
    ) -> Sequence:
        """Makes the changes ``hunks`` of what the writer was shown.

        Args:
            analysis: what was open in the writer's eyes.
            drift: how ``base`` differs from what is shown.
        """
        places = _Places(sequence, shown, drift, len(base), self.knows)
        if drift is None and not isinstance(base, str):
            hunks = [*_with_what_follows(places, base, hunks)]
        edit = _Edit(sequence, self.stamp)
        roots: list[Piece] = []
        opened = analysis.opened if analysis.overlaps else None
        for position, hunk in enumerate(hunks):
            k = self.runs + len(hunks) - position  # of two runs after one character the one with the larger k is first
            touched = places.range(hunk.start, hunk.end)
            if opened and edit.are_all(opened, touched):
                roots.append(edit.opening(hunk.content, k, self.separator, edit.drop_openings(opened)))
                continue
            edit.strike_all(touched, k)
            if not len(hunk.content):
                continue
            root = None
            if not touched and hunk.start == len(base):
                root = self._root(k, hunk.content, base, places)
            if root is not None:
                roots.append(root)
            else:
                place = places.before(hunk.end if touched else hunk.start)
                beside = None if touched else places.behind(hunk.start) if drift is None else self._alone(k)
                edit.insert(place, hunk.content, k, replaces=bool(touched), beside=beside)
        self.runs += len(hunks)
        edit.settle(analysis, places.open(analysis.overlaps), self.rules, self.part)
        result = reduce(_with_root, roots, edit.result())
        if sequence.has_layout:  # made from that one now, which whoever edits next would have to make anew
            layout(result, result.analysed(self.rules, analyse), self.separator, self.rules.unit)
        return result

    def _alone(self, k: int) -> Anchor:
        """The other neighbour of a run where that is not known: itself, so that nobody inserted at the same place."""
        return (self.stamp.replica, self.stamp.n, k, 0)

    def _root(self, k: int, content: Content, base: Content, places: _Places) -> Piece | None:
        """What is put at the end, if it is a line or an item of its own: those stand in the order of commits."""
        if not isinstance(content, str):
            return Piece(self.stamp, k, 0, content, None)
        separator, line = self.separator, False
        assert isinstance(base, str)
        if separator and not base:
            content, line = separator + content, True
        elif separator and not base.endswith(separator):
            if not content.startswith(separator):
                return None
            line = True
        elif base and not separator:
            return None
        if not base and self.rules.unit == "whole":
            return Piece(self.stamp, k, 0, content, None, line, beside=self._emptied(places.sequence))
        place = places.before(len(base))
        before = START if place is None else places.anchor(place)
        return Piece(self.stamp, k, 0, content, None, line, beside=before)

    def _emptied(self, sequence: Sequence) -> Anchor:
        """By what a text had become empty in the writer's eyes."""
        known = [strike for strike in sequence.strikes.all() if self.knows(strike) and not is_note(strike)]
        newest = max(known, key=lambda strike: (*order_of(strike.stamp), strike.k), default=None)
        return NOTHING_THERE if newest is None else (*run_of(newest), EMPTIED)

    def corrected(
        self,
        before: Sequence,
        sequence: Sequence,
        new: Content,
        view: Callable[[Sequence], tuple[Layout, Analysis]],
    ) -> Sequence:
        """Makes sure that the writer is shown what it left, where gaps or separators appear or vanish beside it.

        Args:
            before: the sequence without its change.
            sequence: the same with it.
        """
        if not isinstance(new, str):
            return sequence
        for further in range(_ROUNDS):
            shown, analysis = view(sequence)
            rendered = shown.content("")
            if rendered == new:
                return sequence
            hunks = unit_hunks(rendered, new, self.rules.unit)
            hunks = with_neighbours(rendered, new, hunks, self.rules.unit, further)
            sequence = self.edit(sequence, shown, rendered, hunks, analysis)
        if view(sequence)[0].content("") == new:
            return sequence
        anew = self._anew(before, new)
        return anew if view(anew)[0].content("") == new else self._anew(sequence, new)

    def _anew(self, sequence: Sequence, new: str) -> Sequence:
        """Puts a text in the place of all that the writer knows."""
        known = self._part(sequence)
        analysis = known.analysed(self.rules, analyse)
        edit = _Edit(sequence, self.stamp)
        self.runs += 1
        last = None
        opened = analysis.opened
        for index, piece in enumerate(known):
            if run_of(piece) in opened:
                continue
            gone = any(run in known.strikes and run not in analysis.suspended for run in piece.struck)
            if piece.live and not gone:
                edit.strike(index, 0, len(piece.content), self.runs)
                last = _Place(index, len(piece.content))
        edit.settle(analysis, analysis.overlaps, self.rules, known)
        if opened:
            root = edit.opening(new, self.runs, self.separator, edit.drop_openings(opened))
            return _with_root(edit.result(), root)
        if new:
            edit.insert(last, new, self.runs, replaces=last is not None)
        return edit.result()


def decide(sequence: Sequence, stamp: Stamp, overlap: Overlap, content: Content, separator: str = "") -> Sequence:
    """Puts ``content`` in the place of a contested range; a later contender for the same units meets it there.

    Gaps around it stay, unless nothing is put there.

    Args:
        separator: what a line begins with (texts only).
    """
    edit = _Edit(sequence, stamp)
    if not overlap.struck:
        root = edit.opening(content, 1, separator, edit.drop_openings(overlap.strikes))
        return _with_root(edit.result(), root)
    ranges = [(index, 0, len(sequence[index].content)) for index in overlap.struck if _stands(sequence[index], overlap)]
    if len(content):
        ranges = _without_gaps(sequence, overlap, ranges)
    edit.strike_all(ranges, 1)
    last, _, end = ranges[-1]
    if not len(content) and all(is_blank(piece.content) for piece in overlap.base):
        edit.insert(_Place(last, end), " ", 1, replaces=True, struck=edit.nothing())
    if len(content):
        edit.insert(_Place(last, end), content, 1, replaces=True)
    edit.set_aside(overlap.strikes)
    return edit.result()


def _stands(piece: Piece, overlap: Overlap) -> bool:
    """Whether a piece of a contested range is none that a contender stands for though it was set aside."""
    return piece.live or run_of(piece) not in overlap.strikes


def _without_gaps(
    sequence: Sequence, overlap: Overlap, ranges: list[tuple[int, int, int]]
) -> list[tuple[int, int, int]]:
    """A range of pieces without the gaps that it begins and ends with."""
    while len(ranges) > 1 and is_blank(sequence[ranges[0][0]].content):
        ranges = ranges[1:]
    while len(ranges) > 1 and is_blank(sequence[ranges[-1][0]].content):
        ranges = ranges[:-1]
    first, last = sequence[ranges[0][0]].content, sequence[ranges[-1][0]].content
    if not isinstance(first, str) or not isinstance(last, str) or is_blank(first) or is_blank(last):
        return ranges
    index, start, end = ranges[0]
    ranges[0] = index, start + gap_at_start(first, after_break=not overlap.inline), end
    index, start, end = ranges[-1]
    ranges[-1] = index, start, end - gap_at_end(last)
    return ranges


class _Place(NamedTuple):
    """Where something happens: ``at`` characters into the piece with this number."""

    number: int
    at: int


def withdraw(sequence: Sequence, gone: SeenBy) -> Sequence | None:
    """Takes out the writes for which ``gone`` holds; ``None`` if nothing stands any more."""
    strikes = {run_of(strike) for strike in sequence.strikes.all() if gone(strike.stamp)}
    others = dict(sequence.under(strikes)) if strikes else {}  # these are seen otherwise then
    mine = [(number, piece) for number, piece in enumerate(sequence) if piece.live and gone(piece.stamp)]
    others.update([(number, piece._replace(live=False)) for number, piece in mine])
    if not (others or strikes):
        return sequence if sequence.is_alive() else None
    edits = [Edit(number, number + 1, [others[number]]) for number in sorted(others)]
    result = sequence.spliced(edits, sequence.strikes.but({}, strikes), alone=True)
    return result if result.is_alive() else None


def _with_what_follows(places: _Places, base: tuple[bytes, ...], hunks: list[Hunk]) -> Iterator[Hunk]:
    """Changes of a list, in which items behind what is inserted are put again with it where they would change places.

    What is inserted stands behind the rewrites of the item before it. Where one of these was taken back and a rewrite
    of it was not, that item is shown again, and the rewrite behind it. In a text ``corrected`` sees to that.
    """
    for hunk, following in zip_longest(hunks, hunks[1:]):
        start, end, content = hunk
        limit = following.start if following is not None else len(base)
        while content and end < limit and places.are_parted(end):
            content, end = (*content, base[end]), end + 1
        yield hunk if end == hunk.end else Hunk(start, end, content)


class _Places:
    """Maps offsets of what the writer read to places in the pieces it was shown."""

    def __init__(
        self,
        sequence: Sequence,
        shown: Layout,
        drift: list[Hunk] | None,
        length: int,
        knows: Callable[[Piece], bool],
    ) -> None:
        self.sequence = sequence
        self.knows = knows
        self.shown = shown
        self.starts = shown.starts
        self.has_drifted = drift is not None
        self.kept: list[tuple[int, int, int]] = []  # base start, base end, offset of the same in what is shown
        here = there = 0
        for hunk in drift or ():
            if hunk.start > here:
                self.kept.append((here, hunk.start, there))
            there += hunk.start - here + len(hunk.content)
            here = hunk.end
        if length > here:
            self.kept.append((here, length, there))

    def range(self, start: int, end: int) -> list[tuple[int, int, int]]:
        """The pieces, with offsets in them, that hold base[start:end], as far as they are still there."""
        result: list[tuple[int, int, int]] = []
        for low, high, there in self.kept:
            first, last = max(low, start), min(high, end)
            if first < last:
                result.extend(self._pieces(first - low + there, last - low + there))
        return result

    def before(self, offset: int) -> _Place | None:
        """The place after the last character before base offset ``offset``; ``None`` is the very beginning."""
        position = 0
        for low, high, there in self.kept:
            if low < offset:
                position = there + min(high, offset) - low
        found: list[tuple[int, int, int]] = []
        while position and not found:
            found = self._pieces(position - 1, position)
            position -= not found  # a gap that is only shown belongs to no piece
        if position == 0:
            # Behind a separator that is not shown, so that it stays hidden in front of what comes first.
            if not self.shown.pieces:
                return None
            hidden = self.shown.skips[0]
            return _Place(self.shown.numbers[0], hidden) if hidden else self._behind_hidden_separator()
        index, _, end = found[0]
        return _Place(index, end)

    def behind(self, offset: int) -> Anchor:
        """The first character that was shown behind an offset."""
        position = bisect_right(self.starts, offset) - 1
        while position < len(self.shown.pieces) and self.starts[position + 1] <= offset:
            position += 1
        if position >= len(self.shown.pieces):
            return END
        piece, skip, gap = self.shown.pieces[position], self.shown.skips[position], self.shown.gaps[position]
        return (*run_of(piece), piece.offset + max(offset - self.starts[position] - gap, 0) + skip)

    def are_parted(self, offset: int) -> bool:
        """Whether an insertion would stand behind what was shown behind an offset, instead of before it."""
        place = self.before(offset)
        if place is None or place.at < len(self.sequence[place.number].content):
            return False
        following = self.shown.numbers[bisect_right(self.starts, offset) - 1]
        moved = following > place.number + 1
        return moved and following <= _behind_rewrites(self.sequence, place.number, self.anchor(place))

    def open(self, overlaps: Iterable[Overlap]) -> list[Overlap]:
        """Those of the contests in the writer's eyes of which she has read the range as it is shown: who had mixed the
        sides with each other, before she heard of the second, was shown no contest."""
        return [one for one in overlaps if not self.has_drifted or self._is_kept(one)]

    def _is_kept(self, overlap: Overlap) -> bool:
        """Whether the writer has read a contested range as it was shown, with nothing else in it."""
        shown, starts = self.shown, self.starts
        at = [
            position
            for position, piece in enumerate(shown.pieces)
            if shown.numbers[position] in overlap.struck or run_of(piece) in overlap.strikes
        ]
        if not at:
            return True
        start, end = starts[at[0]] + shown.gaps[at[0]], starts[at[-1] + 1]
        return any(there <= start and end - there <= high - low for low, high, there in self.kept)

    def anchor(self, place: _Place) -> Anchor:
        """The last character before a place."""
        host = self.sequence[place.number]
        return (*run_of(host), host.offset + place.at - 1)

    def _behind_hidden_separator(self) -> _Place | None:
        """The place behind the separator of a line that is not shown, for nothing stands before it."""
        strikes, first = self.sequence.strikes, self.shown.numbers[0]
        for back, piece in enumerate(self.sequence.backward(first), 1):
            number = first - back
            is_separator = piece.live and piece.line and piece.offset == 0
            if is_separator and not any(run in strikes for run in piece.struck) and self.knows(piece):
                return _Place(number, len(piece.content))
        return None

    def _pieces(self, start: int, end: int) -> list[tuple[int, int, int]]:
        result = []
        shown, starts = self.shown, self.starts
        position = bisect_right(starts, start) - 1
        following, past = starts[position], len(shown.pieces)
        while position < past and following < end:
            begun, following = following + shown.gaps[position], starts[position + 1]
            low, high = start if start > begun else begun, end if end < following else following
            if low < high:
                skip = shown.skips[position] - begun
                result.append((shown.numbers[position], low + skip, high + skip))
            position += 1
        return result


class _Edit:
    """Collects strikes and insertions by place, then makes them in one pass."""

    def __init__(self, sequence: Sequence, stamp: Stamp) -> None:
        self.sequence = sequence
        self.stamp = stamp
        self.strikes: dict[int, list[tuple[int, int, RunId]]] = {}
        self.inserts: dict[int, list[tuple[int, Piece]]] = {}
        self.first: list[Piece] = []
        self.added: dict[RunId, Strike] = {}
        self.dropped: set[RunId] = set()
        self.kept: set[RunId] = set()
        self.overlapping: bool | None = sequence.overlapping
        self.twins: set[Any] = set()
        self.moved: set[int] = set()
        self.unordered = False

    def strike(self, index: int, start: int, end: int, k: int) -> None:
        if not self.overlapping and self.sequence[index].struck:
            self.overlapping = None  # to be found out
        run = (self.stamp.replica, self.stamp.n, k)
        self.added[run] = Strike(self.stamp, k)
        self.strikes.setdefault(index, []).append((start, end, run))

    def strike_all(self, ranges: Iterable[tuple[int, int, int]], k: int) -> None:
        """Strikes parts of pieces, each from one place in it to another."""
        for index, start, end in ranges:
            self.strike(index, start, end, k)

    def are_all(self, runs: frozenset[RunId], ranges: Iterable[tuple[int, int, int]]) -> bool:
        """Whether parts of pieces are of some runs, if there are any."""
        return runs.issuperset([run_of(self.sequence[index]) for index, *_ in ranges])

    def insert(
        self,
        place: _Place | None,
        content: Content,
        k: int,
        *,
        replaces: bool = False,
        beside: Anchor | None = None,
        struck: tuple[RunId, ...] = (),
    ) -> None:
        beside = beside if isinstance(content, str) else None
        if place is None:
            piece = Piece(self.stamp, k, 0, content, START, replaces=replaces, beside=beside)
            self.first.append(piece)
            self._look_for_twin(piece, 0)
            return
        host = self.sequence[place.number]
        anchor: Anchor = (*run_of(host), host.offset + place.at - 1)
        piece = Piece(self.stamp, k, 0, content, anchor, struck=struck, replaces=replaces, beside=beside)
        number, at = place
        if at == len(host.content):
            number = _behind_rewrites(self.sequence, number, anchor)
            if number != place.number:
                at = len(self.sequence[number].content)
                self.moved.add(number)
        self.unordered = self.unordered or (number in self.moved and number in self.inserts)
        self.inserts.setdefault(number, []).append((at, piece))
        self._look_for_twin(piece, number + 1)

    def _look_for_twin(self, piece: Piece, number: int) -> None:
        if piece.beside is not None and has_twin(piece, self.sequence.onward(number)):
            self.overlapping = True
            self.twins.add((piece.parent, piece.beside))

    def opening(self, content: Content, k: int, separator: str, beside: Anchor) -> Piece:
        """What an empty text is to become that is one unit."""
        if len(content):
            assert isinstance(content, str)
            return Piece(self.stamp, k, 0, separator + content, None, bool(separator), beside=beside)
        return Piece(self.stamp, k, 0, " ", None, struck=self.nothing(), beside=beside)

    def nothing(self) -> tuple[RunId, ...]:
        """Takes out what this edit puts in the place of nothing, to say that it stay so."""
        run = (self.stamp.replica, self.stamp.n, 0)
        self.added[run] = Strike(self.stamp, 0)
        return (run,)

    def drop_openings(self, opened: frozenset[RunId]) -> Anchor:
        """Sets aside what is in dispute in the place of an empty text; returns by what that was emptied before."""
        if not opened <= self.dropped:
            self.set_aside(opened)
        there = [parts[0].beside for run, parts in self.sequence.openings().items() if run in opened]
        return max([beside for beside in there if beside and beside[:3] not in opened], default=NOTHING_THERE)

    def settle(self, analysis: Analysis, overlaps: Iterable[Overlap], rules: Rules, part: Sequence) -> None:
        """A strike over units that were contested in its writer's eyes replaces the contenders.

        Args:
            analysis: how what the writer was shown is weighed.
            overlaps: what of that she was shown as open: contests of which she had seen all sides.
            part: what of the text she was shown: what was set aside since stands there.
        """
        if rules.unit == "whole":
            self.drop(analysis.agreed)  # what was put alike goes with that which stands for it
        if not self.strikes:
            return
        for overlap in overlaps:
            if not rules.show_all:
                if any(index in self.strikes for index in overlap.struck):
                    self.set_aside(overlap.strikes)
            elif any(run_of(self.sequence[index]) in overlap.strikes for index in self.strikes):
                k = min(self.added)[2]
                for index in overlap.struck:  # the sides stand as the writer leaves them, and the base is gone for good
                    if _stands(part[index], overlap):
                        self.strike(index, 0, len(self.sequence[index].content), k)
                    sides = overlap.strikes.intersection(self.sequence[index].struck)
                    self.drop(sides)
                    self.kept |= sides

    def drop(self, runs: set[RunId] | frozenset[RunId]) -> None:
        self.dropped.update(runs)

    def set_aside(self, runs: frozenset[RunId]) -> None:
        """Drops the contenders of a contest, under a seal; what they had set aside themselves comes under it too. What
        of them somebody has rewritten together with something else was gone before, and comes under none."""
        earlier = {*self.sequence.strikes.standing([(*run[:2], SEAL) for run in runs])}
        self.drop(runs | earlier)
        for index, piece in self.sequence.touching(runs | earlier):
            if (run_of(piece) in runs or not earlier.isdisjoint(piece.struck)) and not self._was_gone(piece):
                self.strike(index, 0, len(piece.content), SEAL)

    def _was_gone(self, piece: Piece) -> bool:
        """Whether something that goes on standing is over a piece."""
        strikes = self.sequence.strikes
        over = strikes.standing(piece.struck) if piece.live else ()
        return any(run not in self.dropped and not is_note(strikes[run]) for run in over)

    def result(self) -> Sequence:
        if not (self.strikes or self.inserts or self.first or self.dropped or self.added):
            return self.sequence
        parts = {index: self._parts(index) for index in {*self.strikes, *self.inserts}}
        for index, piece in self.sequence.touching(self.dropped) if self.dropped else ():
            parts.setdefault(index, [self._without_dropped(piece)])
        overlapping = None if self.dropped else self.overlapping
        result = self.sequence.replaced(parts, self.first, self.stamp, self._strikes(), overlapping, self.twins)
        if self.unordered:
            return Sequence(in_order(result), result.strikes, result.newest_root, overlapping)
        if not self.dropped:
            result.continue_from(self.sequence, parts, self.first)
        return result

    def _strikes(self) -> Strikes:
        return self.sequence.strikes.but(self.added, {run for run in self.dropped if run in self.sequence.strikes})

    def _without_dropped(self, piece: Piece) -> Piece:
        """A piece, not live any more if it is of what is dropped."""
        if self.dropped and run_of(piece) in self.dropped and run_of(piece) not in self.kept:
            return piece._replace(live=False)
        return piece

    def _parts(self, index: int) -> list[Piece]:
        piece = self._without_dropped(self.sequence[index])
        strikes = self.strikes.get(index, ())
        inserts = self.inserts.get(index, ())
        if not strikes and not inserts:
            return [piece]
        stamp, k, offset, content, parent, line, struck, *more = piece
        beginning: dict[int, list[tuple[int, int, RunId]]] = {}
        for number, (start, end, run) in enumerate(strikes):
            if start < end:
                beginning.setdefault(start, []).append((number, end, run))
        behind: dict[int, list[Piece]] = {}
        for at, new in inserts:
            behind.setdefault(at, []).append(new)
        parts: list[Piece] = []
        over: list[tuple[int, int, RunId]] = []
        for low, high in pairwise(_cuts(len(content), strikes, inserts)):
            if over:
                over = [one for one in over if one[1] > low]
            if low in beginning:
                over = sorted([*over, *beginning[low]])
            all_over = struck_by(struck, [run for _, _, run in over]) if over else struck
            part = (stamp, k, offset + low, content[low:high], parent, line, all_over, *more)
            parts.append(tuple.__new__(Piece, part))  # its own ways are slower, being Python
            if high in behind:
                parts += behind[high]
        return parts


def _behind_rewrites(sequence: Sequence, number: int, anchor: Anchor) -> int:
    """The last piece of what stands in the place of the character at an anchor, with all that follows from it."""
    family: set[RunId] = set()
    for following in range(number + 1, len(sequence)):
        piece = sequence[following]
        run = run_of(piece)
        rewrites = piece.parent == anchor and piece.replaces  # its beginning may be forgotten
        if not rewrites and run not in family and (piece.parent is None or piece.parent[:3] not in family):
            break
        family.add(run)
        number = following
    return number


def _cuts(length: int, strikes: Iterable[tuple[int, int, RunId]], inserts: Iterable[tuple[int, Piece]]) -> list[int]:
    """Where a content is cut, both ends included."""
    cuts = {0, length}
    for start, end, _ in strikes:
        cuts.add(start)
        cuts.add(end)
    for at, _ in inserts:
        cuts.add(at)
    return sorted(cuts)
