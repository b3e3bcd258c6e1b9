"""The join of two replicas of a sequence that have forgotten what was removed, each what it could
(``concordant.merge.sequence.trim``).

What one side has and the other knew, but has not any more, was forgotten there, as long as the other has forgotten that
much: then it goes here too. What stood behind it is anchored where both have something, which is where either would
have anchored it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from concordant.errors import ForgottenError
from concordant.merge.causality import Stamp, VersionVector, is_behind, is_covered, source_of
from concordant.merge.sequence.family import Family, Home, home_of
from concordant.merge.sequence.order import both, grown, in_order, joined_strikes, paired, told_of
from concordant.merge.sequence.pieces import (
    START,
    Anchor,
    Piece,
    RunId,
    Sequence,
    Strike,
    first_of,
    newest_root,
    run_of,
)

__all__ = ["Replica", "meet"]


class Replica(NamedTuple):
    """One replica of a sequence.

    Attributes:
        sequence: what it has.
        vector: all that it knows.
        floor: of each store up to where it may have forgotten what writes had put and removed.
    """

    sequence: Sequence
    vector: VersionVector
    floor: VersionVector


def meet(one: Replica, other: Replica) -> Sequence | None:
    """Makes the sequence that knows all that both know.

    Raises:
        ForgottenError: a write that one side has not seen refers to what that side has forgotten.
    """
    strikes = joined_strikes(one.sequence, other.sequence, one.vector, other.vector)
    joined = grown(one.sequence, other.sequence, one.vector, other.vector, strikes)
    if joined is None:
        pieces = _Meeting(one, other, strikes).pieces()
        joined = Sequence(pieces, strikes, newest_root(pieces))
    return joined if joined.is_alive() else None


class _Meeting:
    """Two replicas of a sequence on their way to one.

    Attributes:
        parts: what either has, by run, cut alike.
        loose: those of them that one side has forgotten.
        faded: those that one side does not have any more for another reason.
    """

    def __init__(self, one: Replica, other: Replica, strikes: Mapping[RunId, Strike]) -> None:
        self._sides = ((one, other), (other, one))
        self._strikes = strikes
        self._families = (Family(one.sequence), Family(other.sequence))
        self.parts: dict[RunId, list[Piece]] = {}
        self.loose: set[Anchor] = set()
        self.faded: set[Anchor] = set()
        ours, theirs = (family.runs for family in self._families)
        for run in ours.keys() | theirs.keys():
            self.parts[run] = [*self._united(ours.get(run, []), theirs.get(run, []))]
        self._all = Family(part for parts in self.parts.values() for part in parts)

    def pieces(self) -> list[Piece]:
        """What stands then, in order."""
        self._check()
        ordered = in_order(self._standing(self._homes(least=True)))
        if not self._is_as_before(ordered):
            ordered = in_order(self._standing(self._homes(least=False)))
        return ordered

    # -- what either has -------------------------------------------------------------------------------------------

    def _united(self, ours: list[Piece], theirs: list[Piece]) -> Iterator[Piece]:
        for mine, other in paired(ours, theirs):
            if mine is not None and other is not None:
                yield both(mine, other, either=False)
            elif mine is not None:
                yield self._alone(mine, *self._sides[0])
            elif other is not None:
                yield self._alone(other, *self._sides[1])

    def _alone(self, part: Piece, holder: Replica, other: Replica) -> Piece:
        """What one side alone has."""
        if not is_covered(part.stamp, other.vector):
            return part
        if _is_below(part.stamp, other.floor):
            if _stands_again(part, holder, other):
                return part
            self.loose.add(first_of(part))
        else:
            self.faded.add(first_of(part))
        return part._replace(live=False) if part.live else part

    def _check(self) -> None:
        """Makes sure that nothing new refers to what is forgotten."""
        for holder, other in self._sides:
            for piece in holder.sequence:
                parent = piece.parent
                is_new = not is_covered(piece.stamp, other.vector)
                if is_new and parent is not None and parent != START and self._is_loose(parent):
                    raise ForgottenError(piece.stamp)
                for run in piece.struck:
                    strike = self._strikes.get(run)
                    if strike is not None and not is_new and not is_covered(strike.stamp, other.vector):
                        self._check_struck(piece, strike)

    def _check_struck(self, piece: Piece, strike: Strike) -> None:
        run = run_of(piece)
        for part in self.parts[run]:
            if piece.offset <= part.offset < piece.offset + len(piece.content) and first_of(part) in self.loose:
                raise ForgottenError(strike.stamp)

    def _is_loose(self, anchor: Anchor) -> bool:
        part = self._all.at(anchor)
        return part is not None and first_of(part) in self.loose

    # -- where it stands -------------------------------------------------------------------------------------------

    def _homes(self, *, least: bool) -> dict[RunId, Home]:
        """What runs are anchored to that the two have anchored differently.

        Args:
            least: whether behind what both have; else as far down in the tree as either has it.
        """
        one, other = self._families
        homes: dict[RunId, Home] = {}
        for run in one.runs.keys() & other.runs.keys():
            mine, theirs = home_of(one.runs[run][0]), home_of(other.runs[run][0])
            if mine == theirs:
                continue
            if least:
                anchor, replaces = one.upwards(mine[0], mine[1], other)
                same = [home for home in (mine, theirs) if home[:2] == (anchor, replaces)]
                moved = Family.moved(one.runs[run][0], anchor, replaces)
                homes[run] = (anchor, replaces, told_of(*[home[2] for home in same])) if same else home_of(moved)
            else:
                homes[run] = mine if _has(other, theirs[0]) and not _has(other, mine[0]) else theirs
                if not _has(one, theirs[0]) and not _has(other, mine[0]):
                    homes[run] = max(mine, theirs, key=lambda home: home[0] or START)
        return homes

    def _standing(self, homes: Mapping[RunId, Home]) -> list[Piece]:
        """The parts that are left, anchored where they stand."""
        held: set[Anchor] = set()
        needed = {run for run, parts in self.parts.items() if any(map(self._stands, parts))}
        waiting = [*needed]
        while waiting:
            run = waiting.pop()
            parent = homes[run][0] if run in homes else self.parts[run][0].parent
            host = None if parent is None or parent == START else self._all.at(parent)
            if host is not None:
                held.add(first_of(host))
                if run_of(host) not in needed:
                    needed.add(run_of(host))
                    waiting.append(run_of(host))
        left = []
        for run in needed:
            for part in self.parts[run]:
                place = first_of(part)
                if place in held or place not in self.loose:
                    left.append(_moved(part, homes[run]) if run in homes else part)
        return left

    def _stands(self, part: Piece) -> bool:
        """Whether a part is live, struck or taken out."""
        place = first_of(part)
        if place in self.loose:
            return False
        return place not in self.faded or any(run in self._strikes for run in part.struck)

    def _is_as_before(self, pieces: list[Piece]) -> bool:
        """Whether what each side had stands in the order in which it had it."""
        for side, _ in self._sides:
            numbers = {first_of(piece): at for at, piece in enumerate(side.sequence)}
            last = -1
            for piece in pieces:
                at = numbers.get(first_of(piece), last)
                if at < last:
                    return False
                last = at
        return True


def _moved(piece: Piece, home: Home) -> Piece:
    return piece._replace(parent=home[0], replaces=home[1], beside=home[2])


def _has(family: Family, anchor: Anchor | None) -> bool:
    return anchor is None or anchor == START or family.at(anchor) is not None


def _is_below(stamp: Stamp, floor: VersionVector) -> bool:
    return stamp.n <= floor.get(source_of(stamp.replica), 0)


def _stands_again(part: Piece, holder: Replica, other: Replica) -> bool:
    """Whether somebody took back by what a part was removed that one side has forgotten: who has it knows of all that
    the other has forgotten."""
    if not (part.live and is_behind(other.floor, holder.vector)):
        return False
    strikes = holder.sequence.strikes
    return not any(is_covered(stamp, other.vector) for stamp in strikes.stamps(strikes.standing(part.struck)))
