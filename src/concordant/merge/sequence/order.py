"""Document order from the tree of runs, and the join of two replicas of a sequence.

Replicas mostly have most in common: that is taken as it is, and only the pieces are looked at in which they differ.
"""

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
    Edit,
    Piece,
    RunId,
    Sequence,
    Strikes,
    first_of,
    newest_root,
    run_of,
    struck_by,
)

__all__ = [
    "both",
    "comes_first",
    "cut",
    "grown",
    "in_order",
    "join",
    "joined_strikes",
    "paired",
    "told_of",
    "united",
]

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
    """Tells whether a run stands before another one behind the same character."""
    if one.replaces != other.replaces:
        return one.replaces
    return (_rank(one) < _rank(other)) == one.replaces


def join(one: Sequence, other: Sequence, vector: VersionVector, other_vector: VersionVector) -> Sequence | None:
    """Makes the sequence that knows all that both know: what one side knew and no longer has is gone.

    Args:
        vector: all that the replica of ``one`` knows; ``other_vector`` likewise.
    """
    strikes = joined_strikes(one, other, vector, other_vector)
    joined = grown(one, other, vector, other_vector, strikes)
    if joined is not None:
        return joined if joined.is_alive() else None
    faded: set[Anchor] = set()
    pieces = in_order(_needed(_unite(one, other, vector, other_vector, faded), strikes, faded))
    joined = Sequence(pieces, strikes, newest_root(pieces))
    return joined if joined.is_alive() else None


def joined_strikes(one: Sequence, other: Sequence, vector: VersionVector, other_vector: VersionVector) -> Strikes:
    """Returns the strikes that both have, and those that one has and the other has never known."""
    theirs, ours = other.strikes.changed_from(one.strikes)
    came = {run_of(strike): strike for strike in theirs if not is_covered(strike.stamp, vector)}
    return one.strikes.but(came, {run_of(strike) for strike in ours if is_covered(strike.stamp, other_vector)})


def grown(
    one: Sequence, other: Sequence, vector: VersionVector, other_vector: VersionVector, strikes: Strikes
) -> Sequence | None:
    """Joins two replicas of a sequence by what differs in them, if both still have all pieces that
    they knew and have anchored them alike; else ``None``.

    Args:
        vector: all that the replica of ``one`` knows; ``other_vector`` likewise.
        strikes: those that stand then.
    """
    edits: list[Edit] = []
    tree = _Tree(one, other)
    for was_first, was_past, first, past in other.changed_from(one):
        ours, theirs = one.since(was_first, was_past), other.since(first, past)
        pieces = _merged(ours, theirs, vector, other_vector, tree)
        if pieces is None:
            return None
        edits.append(Edit(was_first, was_past, pieces))
    if not edits and strikes is one.strikes:
        return one
    return one.spliced(edits, strikes, alone=not strikes.changed_from(one.strikes)[1])


def _merged(
    ours: list[Piece], theirs: list[Piece], vector: VersionVector, other_vector: VersionVector, tree: _Tree
) -> list[Piece] | None:
    """The pieces that stand at one place in two replicas, in order."""
    left, right = _cut_alike(ours, theirs)
    here, there = ({first_of(part): part for part in side} for side in (left, right))
    if _lacks(there, here, other_vector) or _lacks(here, there, vector):
        return None
    if not all(_are_anchored_alike(here[place], there[place]) for place in here.keys() & there.keys()):
        return None
    return _zipped(left, right, here, there, tree)


def _cut_alike(ours: list[Piece], theirs: list[Piece]) -> tuple[list[Piece], list[Piece]]:
    """Two lists of pieces, their runs cut at the places where either is cut."""
    bounds: dict[RunId, set[int]] = {}
    for piece in chain(ours, theirs):
        bounds.setdefault(run_of(piece), set()).update((piece.offset, piece.offset + len(piece.content)))
    cuts = {run: sorted(found) for run, found in bounds.items()}
    return (
        [part for piece in ours for part in cut(piece, cuts[run_of(piece)])],
        [part for piece in theirs for part in cut(piece, cuts[run_of(piece)])],
    )


def _lacks(one: dict[Anchor, Piece], other: dict[Anchor, Piece], vector: VersionVector) -> bool:
    """Whether one replica does not have any more what it knew and the other has."""
    return any(place not in one and is_covered(part.stamp, vector) for place, part in other.items())


def _are_anchored_alike(one: Piece, other: Piece) -> bool:
    return (one.parent, one.replaces, one.beside) == (other.parent, other.replaces, other.beside)


def _zipped(
    left: list[Piece], right: list[Piece], here: dict[Anchor, Piece], there: dict[Anchor, Piece], tree: _Tree
) -> list[Piece] | None:
    """Two lists of pieces in order as one; ``None`` if what both have stands in different orders there.

    Args:
        here: the pieces of ``left`` by where they begin; ``there`` likewise.
    """
    result: list[Piece] = []
    at = 0
    for part in left:
        twin = there.get(first_of(part))
        while at < len(right) and right[at] is not twin:
            alone = first_of(right[at]) not in here
            if twin is None and not (alone and tree.is_before(right[at], part)):
                break
            if not alone:
                return None
            result.append(right[at])
            at += 1
        if twin is not None and at == len(right):
            return None
        result.append(part if twin is None else both(part, twin, either=False))
        at += twin is not None
    return [*result, *right[at:]]


class _Tree:
    """The tree of runs of two replicas: tells which of two pieces stands first.

    Args:
        sequences: the replicas; what both have is anchored alike in them.
    """

    def __init__(self, *sequences: Sequence) -> None:
        self._sequences = sequences
        self._runs: dict[RunId, Piece | None] = {}

    def is_before(self, one: Piece, other: Piece) -> bool:
        """Whether a piece stands before another one."""
        ways = zip(self._way(one), self._way(other), strict=False)
        for level, ((mine, at), (theirs, place)) in enumerate(ways):
            if run_of(mine) != run_of(theirs):
                return comes_first(mine, theirs) if level else _is_earlier_root(mine, theirs)
            if at != place:
                return at < place
        return len(self._way(one)) <= len(self._way(other))

    def _way(self, piece: Piece) -> list[tuple[Piece, int]]:
        """The runs from a root down to a piece, each with the character behind which the next one stands."""
        way = [(piece, piece.offset)]
        parent = piece.parent
        while parent is not None and parent != START:
            host = self._of(parent[:3])
            if host is None or len(way) > sum(map(len, self._sequences)):
                break
            way.append((host, parent[3]))
            parent = host.parent
        return way[::-1]

    def _of(self, run: RunId) -> Piece | None:
        """A piece of a run."""
        if run not in self._runs:
            parts = (piece for sequence in self._sequences for _, piece in sequence.touching({run}))
            self._runs[run] = next((piece for piece in parts if run_of(piece) == run), None)
        return self._runs[run]


def _is_earlier_root(one: Piece, other: Piece) -> bool:
    """Whether a run that stands behind no other one comes before another such: those at the beginning do."""
    if START in (one.parent, other.parent):
        return comes_first(one, other) if one.parent == other.parent else one.parent == START
    return _rank(one) < _rank(other)


def united(one: Sequence, other: Sequence) -> Sequence:
    """Returns everything that either side has; used to show what a deletion removed beside what was written
    meanwhile."""
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


def _needed(pieces: list[Piece], strikes: Strikes, faded: set[Anchor]) -> list[Piece]:
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
    """Gives the parts of two copies of one run, cut at the places where either is cut, beside each other; ``None``
    where one copy has nothing."""
    bounds = sorted({bound for p in chain(ours, others) for bound in (p.offset, p.offset + len(p.content))})
    here, there = _cut_at(ours, bounds), _cut_at(others, bounds)
    return ((here.get(offset), there.get(offset)) for offset in bounds)


def both(mine: Piece, theirs: Piece, *, either: bool) -> Piece:
    """Returns two copies of one part, with the strikes of both."""
    if mine.content != theirs.content:
        raise MisshapenError("one run of a sequence has two contents")
    live = mine.live or theirs.live if either else mine.live and theirs.live
    if mine.credits != theirs.credits:
        mine = mine._replace(credits=max(mine.credits, theirs.credits))
    if mine.beside != theirs.beside:
        mine = mine._replace(beside=told_of(mine.beside, theirs.beside))
    if live == mine.live and mine.struck == theirs.struck:
        return mine
    return mine._replace(struck=struck_by(mine.struck, theirs.struck), live=live)


def told_of(*beside: Anchor | None) -> Anchor | None:
    """Returns which neighbour of a run all stores are to have, of those that they tell: one that was stored by an
    earlier version may tell of none."""
    return max(filter(None, beside), default=None)


def _cut_at(parts: list[Piece], bounds: list[int]) -> dict[int, Piece]:
    """The parts of a run cut at some offsets, by where they begin."""
    return {part.offset: part for piece in parts for part in cut(piece, bounds)}


def cut(piece: Piece, offsets: list[int]) -> list[Piece]:
    """Cuts a piece at those of the offsets that lie in it; they are in order."""
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
