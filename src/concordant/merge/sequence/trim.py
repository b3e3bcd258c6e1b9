"""Forgetting the removed parts of a text or list that nobody can refer to any more.

What stood behind a forgotten piece is anchored where the piece stood, as long as that leaves the order as it is;
otherwise the piece stays. Other stores would have to do the same at the same time to keep the same order: so what
they may know is not forgotten (docs/decisions/0031-what-is-forgotten.md).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable

from concordant.merge.causality import Stamp
from concordant.merge.sequence.order import in_order
from concordant.merge.sequence.pieces import START, Anchor, Piece, RunId, Sequence, run_of

__all__ = ["has_removed", "trimmed"]


def trimmed(sequence: Sequence, forgettable: Callable[[Stamp], bool]) -> Sequence:
    """The sequence without removed pieces; itself if none can go.

    Args:
        forgettable: whether nobody can have seen anything without this write, so that what it removed matters to
            none; and whether nobody elsewhere knows of it.
    """
    if sequence.overlapping:
        return sequence
    pieces, strikes = sequence.pieces(), sequence.strikes
    gone, over = _removed(sequence, forgettable)
    moving = True
    while gone:
        kept, blocked = _without(pieces, gone, moving)
        if not blocked and in_order(kept) != kept:
            if not moving:
                return sequence
            moving = False  # then only what holds the place of nothing
        elif not blocked:
            needed = {run for piece in kept for run in piece.struck}
            standing = {run: strike for run, strike in strikes.items() if run in needed or run not in over}
            result = Sequence(kept, standing, sequence.newest_root, overlapping=False)
            return result if result.is_alive() else sequence
        gone -= blocked
    return sequence


def has_removed(sequence: Sequence, forgettable: Callable[[Stamp], bool]) -> bool:
    """Whether there is anything to forget, though it may have to stay as the place of something."""
    return not sequence.overlapping and bool(_removed(sequence, forgettable)[0])


def _removed(sequence: Sequence, forgettable: Callable[[Stamp], bool]) -> tuple[set[int], set[RunId]]:
    """The numbers of the pieces that were removed, and the strikes that did it."""
    over = {run for run, strike in sequence.strikes.items() if forgettable(strike.stamp)}
    gone = {
        number
        for number, piece in enumerate(sequence)
        if (not piece.live or not over.isdisjoint(piece.struck)) and forgettable(piece.stamp)
    }
    return gone, over


def _without(pieces: list[Piece], gone: set[int], moving: bool) -> tuple[list[Piece], set[int]]:
    """The other pieces, anchored anew, and those of ``gone`` that hold the place of something.

    Args:
        moving: whether something may be anchored elsewhere.
    """
    at: dict[RunId, list[tuple[int, int]]] = {}  # offset and number of the parts of each run that go
    for number in gone:
        at.setdefault(run_of(pieces[number]), []).append((pieces[number].offset, number))
    for parts in at.values():
        parts.sort()

    def holder(anchor: Anchor | None) -> int | None:
        if anchor is not None and anchor != START and (parts := at.get(anchor[:3])):
            place = bisect_right(parts, (anchor[3], len(pieces))) - 1
            if place >= 0 and anchor[3] < parts[place][0] + len(pieces[parts[place][1]].content):
                return parts[place][1]
        return None

    kept: list[Piece] = []
    blocked: set[int] = set()
    begun: set[RunId] = set()
    last: Anchor = START
    for number, piece in enumerate(pieces):
        if number in gone:
            continue
        anchor, host = piece.parent, -1
        while (next_host := holder(anchor)) is not None:
            host = next_host
            gap = pieces[host]
            anchor = (*run_of(gap), gap.offset - 1) if gap.offset else gap.parent
        run = run_of(piece)
        if host >= 0 and run not in begun and (anchor is None or anchor != last or not moving):
            blocked.add(host)
        begun.add(run)
        # What it replaced is forgotten: where it stands now others may be put before it, as beside any other run.
        kept.append(piece if host < 0 else piece._replace(parent=anchor, replaces=False))
        last = (*run, piece.offset + len(piece.content) - 1)
    return kept, blocked
