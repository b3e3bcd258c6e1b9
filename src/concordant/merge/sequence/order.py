"""Document order from the tree of runs, and the join of two replicas of a sequence."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from itertools import chain, pairwise
from operator import attrgetter

from concordant.errors import MisshapenError
from concordant.merge.causality import VersionVector, is_covered, order_of
from concordant.merge.sequence.pieces import (
    START,
    Anchor,
    Content,
    Piece,
    RunId,
    Sequence,
    Strike,
    first_of,
    run_of,
    struck_by,
)

__all__ = ["both", "comes_first", "cut", "in_order", "join", "joined_strikes", "newest_root", "paired", "united"]

_OFFSET = attrgetter("offset")


def in_order(pieces: Iterable[Piece]) -> list[Piece]:
    """Sorts pieces into document order, cut wherever another run is anchored.

    Roots stand in (time, dot) order. Of several runs behind one character those that replace it stand first, the
    oldest before the others, so that what is inserted beside it stands beside its rewrite; of the insertions the newest
    stands first. That is where each of them was put when it was written.
    """
    runs: dict[RunId, list[Piece]] = {}
    for piece in pieces:
        runs.setdefault(run_of(piece), []).append(piece)
    children = _children(runs)
    cuts: dict[RunId, set[int]] = {}
    for anchor in children:
        if anchor is not None and anchor != START:
            cuts.setdefault(anchor[:3], set()).add(anchor[3] + 1)
    for run, parts in runs.items():
        parts.sort(key=_OFFSET)
        if run in cuts:
            places = sorted(cuts[run])
            runs[run] = [part for piece in parts for part in cut(piece, places)]

    result: list[Piece] = []
    waiting: list[Piece | RunId] = [*reversed(children.get(None, [])), *reversed(children.get(START, []))]
    while waiting:
        item = waiting.pop()
        if isinstance(item, Piece):
            result.append(item)
            last: Anchor = (*run_of(item), item.offset + len(item.content) - 1)
            waiting.extend(reversed(children.get(last, ())))
        else:
            waiting.extend(reversed(runs[item]))
    return result


def _children(runs: dict[RunId, list[Piece]]) -> dict[Anchor | None, list[RunId]]:
    """By the character that they were inserted after the runs behind it, in order."""
    children: dict[Anchor | None, list[RunId]] = {}
    for run, parts in runs.items():
        parent = parts[0].parent
        if parent is not None and parent != START and parent[:3] not in runs:
            parent = None  # the host was forgotten: the orphan stands where it was written, by time
        children.setdefault(parent, []).append(run)
    for anchor, siblings in children.items():
        siblings.sort(key=lambda run: _rank(runs[run][0]))
        if anchor is not None and len(siblings) > 1:
            rewrites = [run for run in siblings if runs[run][0].replaces]
            siblings[:] = [*rewrites, *(run for run in reversed(siblings) if not runs[run][0].replaces)]
    return children


def _rank(piece: Piece) -> tuple[float, str, int, int]:
    return (*order_of(piece.stamp), piece.k)


def comes_first(one: Piece, other: Piece) -> bool:
    """Whether a run stands before another one behind the same character."""
    if one.replaces != other.replaces:
        return one.replaces
    return (_rank(one) < _rank(other)) == one.replaces


def join(one: Sequence, other: Sequence, vector: VersionVector, other_vector: VersionVector) -> Sequence | None:
    """The sequence that knows all that both know: what one side knew and no longer has is gone.

    Args:
        vector: all that the replica of ``one`` knows; ``other_vector`` likewise.
    """
    strikes = joined_strikes(one, other, vector, other_vector)
    faded: set[Anchor] = set()
    pieces = in_order(_needed(_unite(one, other, vector, other_vector, faded), strikes, faded))
    joined = Sequence(pieces, strikes, newest_root(pieces))
    return joined if joined.is_alive() else None


def joined_strikes(
    one: Sequence, other: Sequence, vector: VersionVector, other_vector: VersionVector
) -> dict[RunId, Strike]:
    """The strikes that both have, and those that one has and the other has never known."""
    strikes: dict[RunId, Strike] = {}
    for mine, theirs, known in ((one, other, other_vector), (other, one, vector)):
        for run, strike in mine.strikes.items():
            if run in theirs.strikes or not is_covered(strike.stamp, known):
                strikes[run] = strike
    return strikes


def newest_root(pieces: Iterable[Piece]) -> tuple[float, str, int]:
    """The place of the newest root run in the order of writes."""
    return max((order_of(piece.stamp) for piece in pieces if piece.parent is None), default=(0.0, "", 0))


def united(one: Sequence, other: Sequence) -> Sequence:
    """Everything that either side has; used to show what a deletion removed beside what was written meanwhile."""
    pieces = _unite(one, other, {}, {}, set())
    return Sequence(in_order(pieces), {**one.strikes, **other.strikes}, newest_root(pieces))


def _unite(
    one: Sequence, other: Sequence, vector: VersionVector, other_vector: VersionVector, faded: set[Anchor]
) -> list[Piece]:
    """What either has.

    Args:
        faded: takes up what one side knew and does not have any more.
    """
    mine, theirs = _by_run(one), _by_run(other)
    result: list[Piece] = []
    for run in mine.keys() | theirs.keys():
        ours, others = mine.get(run), theirs.get(run)
        if ours is None or others is None:
            known = vector if ours is None else other_vector
            parts = others if ours is None else ours
            assert parts is not None
            # Known there and gone: kept only because others may be anchored in it.
            gone = is_covered(parts[0].stamp, known)
            result.extend(_faded(part, faded) if gone else part for part in parts)
        elif ours == others:  # most are: what one side was made of by a frame is what the other has
            result.extend(ours)
        else:
            result.extend(_zip(ours, others, faded, either=not vector and not other_vector))
    return result


def _faded(part: Piece, faded: set[Anchor]) -> Piece:
    """What one side knew and does not have any more: it is kept only where others are anchored in it."""
    faded.add(first_of(part))
    return part._replace(live=False)


def _needed(pieces: list[Piece], strikes: dict[RunId, Strike], faded: set[Anchor]) -> list[Piece]:
    """The pieces of runs that are live, struck or taken out, or that such a run is anchored in: the same on all
    replicas.

    A strike over a piece that is not live still counts, where a deletion keeps the piece and it is shown again. What
    was taken out is kept until all have heard of that (``concordant.merge.sequence.trim``): who lacks it could have
    forgotten it for having been struck, which may not stand any more.
    """
    parents = {run_of(piece): piece.parent for piece in pieces}
    needed: set[RunId] = set()
    for piece in pieces:
        run = run_of(piece)
        if first_of(piece) in faded and not any(strike in strikes for strike in piece.struck):
            continue
        while run not in needed:
            needed.add(run)
            parent = parents.get(run)
            if parent is None or parent == START or parent[:3] not in parents:
                break
            run = parent[:3]
    return [piece for piece in pieces if run_of(piece) in needed]


def _by_run(sequence: Sequence) -> dict[RunId, list[Piece]]:
    runs: dict[RunId, list[Piece]] = {}
    for piece in sequence:
        runs.setdefault(run_of(piece), []).append(piece)
    for parts in runs.values():
        parts.sort(key=_OFFSET)
    return runs


def _zip(ours: list[Piece], others: list[Piece], faded: set[Anchor], *, either: bool) -> Iterable[Piece]:
    """Two copies of one run, cut at the places where either is cut, with the strikes of both.

    Of a part that only one side has the other has forgotten that it was removed.
    """
    for mine, theirs in paired(ours, others):
        if mine is not None and theirs is not None:
            yield both(mine, theirs, either=either)
        elif (part := mine or theirs) is not None:
            yield part if either else _faded(part, faded)


def paired(ours: list[Piece], others: list[Piece]) -> Iterator[tuple[Piece | None, Piece | None]]:
    """The parts of two copies of one run, cut at the places where either is cut, beside each other; ``None`` where one
    copy has nothing."""
    bounds = sorted({bound for p in chain(ours, others) for bound in (p.offset, p.offset + len(p.content))})
    here, there = _cut_at(ours, bounds), _cut_at(others, bounds)
    return ((here.get(offset), there.get(offset)) for offset in bounds)


def both(mine: Piece, theirs: Piece, *, either: bool) -> Piece:
    """Two copies of one part, with the strikes of both."""
    if mine.content != theirs.content:
        raise MisshapenError("one run of a sequence has two contents")
    live = mine.live or theirs.live if either else mine.live and theirs.live
    if mine.credits != theirs.credits:
        mine = mine._replace(credits=max(mine.credits, theirs.credits))
    if live == mine.live and mine.struck == theirs.struck:
        return mine
    return mine._replace(struck=struck_by(mine.struck, theirs.struck), live=live)


def _cut_at(parts: list[Piece], bounds: list[int]) -> dict[int, Piece]:
    """The parts of a run cut at some offsets, by where they begin."""
    return {part.offset: part for piece in parts for part in cut(piece, bounds)}


def cut(piece: Piece, offsets: list[int]) -> list[Piece]:
    """A piece cut at those of the offsets that lie in it; they are in order."""
    end = piece.offset + len(piece.content)
    inside = offsets[bisect_right(offsets, piece.offset) : bisect_left(offsets, end)]
    if not inside:
        return [piece]
    bounds = [piece.offset, *inside, end]
    parts = []
    for low, high in pairwise(bounds):
        content: Content = piece.content[low - piece.offset : high - piece.offset]
        parts.append(piece._replace(offset=low, content=content))
    return parts
