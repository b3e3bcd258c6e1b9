"""Changes of a sequence: append, splice what was read into what it became, decide an overlap, withdraw a write."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

from concordant.causal import SeenBy, Stamp, order_of
from concordant.sequence.diff import Hunk
from concordant.sequence.layout import Layout, layout, own_layout, patched
from concordant.sequence.overlap import Overlap, analyse
from concordant.sequence.pieces import START, Anchor, Content, Cut, Piece, RunId, Sequence, Strike, run_of

__all__ = ["append", "decide", "splice", "withdraw"]


def append(sequence: Sequence, stamp: Stamp, k: int, content: Content, *, line: bool = False) -> Sequence:
    """Adds a root run at the end: after all root runs that are older in (time, dot)."""
    piece = Piece(stamp, k, 0, content, None, line)
    if order_of(stamp) >= sequence.newest_root:
        return sequence.appended(piece)
    from concordant.sequence.order import in_order

    return Sequence(in_order([*sequence, piece]), sequence.strikes, sequence.newest_root)


class _Place(NamedTuple):
    """Where something happens: ``at`` characters into the piece with this number."""

    number: int
    at: int


def splice(
    sequence: Sequence,
    stamp: Stamp,
    base: Content,
    new: Content,
    *,
    seen: SeenBy,
    hunks_of: Callable[[Any, Any], list[Hunk]],
    separator: str = "",
    escalate: bool = True,
    own: str | None = None,
) -> Sequence:
    """Carries the difference between ``base`` (what the writer read) and ``new`` over to ``sequence``.

    Args:
        seen: which writes the writer had seen; only what those made is matched with ``base``.
        hunks_of: gives the difference of two contents as hunks.
        separator: what a line begins with (texts only).
        escalate: whether rewrites of the same words are contested.
        own: the origin of the writer's own writes, where ``base`` is what it wrote itself without having read.
    """
    shown = own_layout(sequence, own, separator) if own is not None else None
    rendered: Any = shown.content(base[:0]) if shown is not None else None
    is_own = shown is not None and rendered == base
    if shown is None or rendered != base:
        shown, rendered = _rendered(sequence, seen, base, separator, escalate)
    hunks = hunks_of(base, new)
    if rendered == base:
        places = _Places(sequence, shown, None, len(base))
    else:
        places = _Places(sequence, shown, hunks_of(base, rendered), len(base))
    edit = _Edit(sequence, stamp)
    appended: list[tuple[int, Content, bool]] = []
    for position, hunk in enumerate(hunks):
        k = len(hunks) - position  # of two runs after one character the one with the larger k stands first
        touched = places.range(hunk.start, hunk.end)
        for index, start, end in touched:
            edit.strike(index, start, end, k)
        if not len(hunk.content):
            continue
        at_end = hunk.start == len(base) and not touched
        # A line of its own, whose separator shows only after something that does not end with one.
        is_line = (
            isinstance(hunk.content, str)
            and separator != ""
            and hunk.content.startswith(separator)
            and not (len(base) == 0 or base[-len(separator) :] == separator)
        )
        if at_end and (len(base) == 0 or is_line or not isinstance(hunk.content, str)):
            if isinstance(hunk.content, str) and not is_line and separator:
                appended.append((k, separator + hunk.content, True))
            else:
                appended.append((k, hunk.content, is_line))
        else:
            edit.insert(places.before(hunk.end if touched else hunk.start), hunk.content, k)
    edit.settle(seen, escalate)
    result = edit.result()
    for k, content, line in appended:
        result = append(result, stamp, k, content, line=line)
    if separator and rendered == base and any(_meets_line(sequence, shown, hunk) for hunk in hunks):

        def known(other: Stamp) -> bool:
            return other == stamp or seen(other)

        k = len(hunks)
        for _ in range(len(result)):  # one separator that vanishes may make the next one appear
            if own is not None and is_own:
                shown = own_layout(result, own, separator)
                rendered = shown.content(base[:0])
            else:
                shown, rendered = _rendered(result, known, base, separator, escalate)
            if rendered == new:
                break
            hunks = hunks_of(rendered, new)
            result = _with_separators(result, stamp, shown, hunks, k)
            k += len(hunks)
    return result


def _meets_line(sequence: Sequence, shown: Layout, hunk: Hunk) -> bool:
    """Whether a line begins in or right behind what an edit changes, which may show or hide its separator."""
    starts, numbers = shown.starts, shown.numbers
    first, last = bisect_left(starts, hunk.start), bisect_right(starts, hunk.end)
    low = numbers[first - 1] + 1 if first else 0
    high = numbers[last - 1] + 1 if last <= len(numbers) else len(sequence)
    return any(piece.live and piece.line and piece.offset == 0 for piece in sequence.since(low, high))


def _with_separators(sequence: Sequence, stamp: Stamp, shown: Layout, hunks: list[Hunk], k: int) -> Sequence:
    """Makes an edit show what its writer left, where it let separators of lines appear or vanish."""
    edit, places = _Edit(sequence, stamp), _Places(sequence, shown, None, shown.starts[-1])
    for number, hunk in enumerate(hunks, k + 1):
        touched = places.range(hunk.start, hunk.end)
        for index, start, end in touched:
            edit.strike(index, start, end, number)
        if len(hunk.content):
            edit.insert(places.before(hunk.end if touched else hunk.start), hunk.content, number)
    return edit.result()


def _rendered(
    sequence: Sequence, included: SeenBy, base: Content, separator: str, escalate: bool
) -> tuple[Layout, Any]:
    view = sequence.only(included)
    shown = layout(view, analyse(view, escalate=escalate), separator)
    return shown, shown.content(base[:0])


def decide(sequence: Sequence, stamp: Stamp, overlap: Overlap, content: Content) -> Sequence:
    """Puts ``content`` in the place of a contested range; a later contender for the same words meets it there."""
    edit = _Edit(sequence, stamp)
    for index in overlap.struck:
        edit.strike(index, 0, len(sequence[index].content), 1)
    last = overlap.struck[-1]
    if len(content):
        edit.insert(_Place(last, len(sequence[last].content)), content, 1)
    edit.drop(overlap.strikes)
    return edit.result()


def withdraw(sequence: Sequence, gone: SeenBy) -> Sequence | None:
    """Takes out the writes for which ``gone`` holds; ``None`` if nothing stands any more."""
    pieces = [piece._replace(live=False) if piece.live and gone(piece.stamp) else piece for piece in sequence]
    strikes = {run: strike for run, strike in sequence.strikes.items() if not gone(strike.stamp)}
    result = Sequence(pieces, strikes, sequence.newest_root, None if sequence.overlapping else False)
    return result if result.is_alive() else None


class _Places:
    """Maps offsets of what the writer read to places in the pieces it was shown."""

    def __init__(self, sequence: Sequence, shown: Layout, drift: list[Hunk] | None, length: int) -> None:
        self.sequence = sequence
        self.shown = shown
        self.starts = shown.starts
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
        if position == 0:
            # Behind a separator that is not shown, so that it stays hidden in front of what comes first.
            if not self.shown.pieces:
                return None
            hidden = self.shown.skipped(0)
            return _Place(self.shown.numbers[0], hidden) if hidden else self._behind_hidden_separator()
        index, _, end = self._pieces(position - 1, position)[0]
        return _Place(index, end)

    def _behind_hidden_separator(self) -> _Place | None:
        pieces, strikes = self.sequence.pieces(), self.sequence.strikes
        for number in range(self.shown.numbers[0] - 1, -1, -1):
            piece = pieces[number]
            if piece.live and piece.line and piece.offset == 0 and not any(run in strikes for run in piece.struck):
                return _Place(number, len(piece.content))
        return None

    def _pieces(self, start: int, end: int) -> list[tuple[int, int, int]]:
        result = []
        position = bisect_right(self.starts, start) - 1
        while position < len(self.shown.pieces) and self.starts[position] < end:
            skip = self.shown.skipped(position)
            low = max(start - self.starts[position], 0) + skip
            high = min(end - self.starts[position] + skip, len(self.shown.pieces[position].content))
            if low < high:
                result.append((self.shown.numbers[position], low, high))
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
        self.overlapping: bool | None = None if sequence.overlapping else False

    def strike(self, index: int, start: int, end: int, k: int) -> None:
        if self.sequence[index].struck:
            self.overlapping = None  # to be found out
        run = (self.stamp.replica, self.stamp.n, k)
        self.added[run] = Strike(self.stamp, k)
        self.strikes.setdefault(index, []).append((start, end, run))

    def insert(self, place: _Place | None, content: Content, k: int) -> None:
        if place is None:
            self.first.append(Piece(self.stamp, k, 0, content, START))
            return
        host = self.sequence[place.number]
        anchor: Anchor = (*run_of(host), host.offset + place.at - 1)
        piece = Piece(self.stamp, k, 0, content, anchor)
        self.inserts.setdefault(place.number, []).append((place.at, piece))

    def settle(self, seen: SeenBy, escalate: bool) -> None:
        """A strike over words that were contested replaces the contenders that its writer had seen."""
        if not self.strikes:
            return
        for overlap in analyse(self.sequence, escalate=escalate).overlaps:
            if any(index in self.strikes for index in overlap.struck):
                self.drop({run for run in overlap.strikes if seen(self.sequence.strikes[run].stamp)})

    def drop(self, runs: set[RunId] | frozenset[RunId]) -> None:
        self.dropped.update(runs)

    def result(self) -> Sequence:
        if not (self.strikes or self.inserts or self.first or self.dropped):
            return self.sequence
        parts: dict[int, list[Piece]] = {}
        if not self.dropped:
            pieces = self.sequence.pieces()
            for index in sorted({*self.strikes, *self.inserts}, reverse=True):
                parts[index] = pieces[index : index + 1] = self._parts(index)
            pieces[:0] = self.first
        else:
            pieces = [*self.first]
            for index in range(len(self.sequence)):
                pieces += self._parts(index)
        strikes = (
            {run: s for run, s in self.sequence.strikes.items() if run not in self.dropped}
            if self.dropped
            else self.sequence.strikes
        )
        if self.added:
            strikes = {**strikes, **self.added}
        result = Sequence(pieces, strikes, self.sequence.newest_root, self.overlapping)
        if not self.dropped:
            patched(self.sequence, result, parts, self.first, self.stamp)
            head = 0 if self.first else min(parts)
            tail = len(self.sequence) - 1 - max(parts) if parts else len(self.sequence)
            result.continue_from(self.sequence, Cut(head, tail, self.added, ()), parts, self.first)
        return result

    def _parts(self, index: int) -> list[Piece]:
        piece = self.sequence[index]
        if self.dropped and run_of(piece) in self.dropped:
            piece = piece._replace(live=False)
        strikes = self.strikes.get(index, ())
        inserts = self.inserts.get(index, ())
        if not strikes and not inserts:
            return [piece]
        length = len(piece.content)
        cuts = sorted({0, length, *(s for s, _, _ in strikes), *(e for _, e, _ in strikes), *(at for at, _ in inserts)})
        parts: list[Piece] = []
        for low, high in pairwise(cuts):
            over = tuple(run for start, end, run in strikes if start <= low and high <= end)
            parts.append(
                piece._replace(offset=piece.offset + low, content=piece.content[low:high], struck=piece.struck + over)
            )
            parts.extend(new for at, new in inserts if at == high)
        return parts
