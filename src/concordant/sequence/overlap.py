"""Which rewrites of a sequence touch the same words, and what is shown while that is open.

Two strikes over one piece come from writers that did not see each other, for a writer can strike only what it was
shown. Equal rewrites count once, removals of the same words agree, all else is an overlap: the smallest range that
covers it shows what both had read, and each side's text of that range is a contender.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from concordant.causal import Stamp, order_of
from concordant.sequence.pieces import Anchor, Content, Piece, RunId, Sequence, run_of

__all__ = ["NOTHING", "Analysis", "Overlap", "Side", "analyse"]


class Side(NamedTuple):
    """One reading of a contested range: the pieces shown, and the writes that stand for it."""

    shown: tuple[Piece, ...]
    stamps: tuple[Stamp, ...]


class Overlap(NamedTuple):
    """A contested range: where it begins, the strikes involved (their ids are those of the runs they inserted), the
    indices of the pieces struck, what both had read, and the sides."""

    anchor: Anchor
    strikes: frozenset[RunId]
    struck: tuple[int, ...]
    base: tuple[Piece, ...]
    sides: tuple[Side, ...]


class Analysis(NamedTuple):
    """What to leave out when showing a sequence: ``suspended`` strikes and ``hidden`` runs; the open overlaps; and
    for a run that was inserted by several writers alike, their stamps."""

    suspended: frozenset[RunId]
    hidden: frozenset[RunId]
    overlaps: tuple[Overlap, ...]
    also: dict[RunId, tuple[Stamp, ...]]

    def shows(self, piece: Piece, strikes: Iterable[RunId]) -> bool:
        """Whether the piece is visible, given the strikes that stand."""
        if not piece.live or run_of(piece) in self.hidden:
            return False
        return not any(run in strikes and run not in self.suspended for run in piece.struck)


NOTHING = Analysis(frozenset(), frozenset(), (), {})


def analyse(sequence: Sequence, *, escalate: bool = True) -> Analysis:
    """Weighs all strikes of a sequence against each other.

    Args:
        escalate: with ``False`` all rewrites of the same words are kept side by side and nothing is contested.
    """
    if not sequence.overlapping:
        return NOTHING
    strikes = sequence.strikes
    pieces = sequence.pieces()
    touched: dict[RunId, list[int]] = {}
    for index, piece in enumerate(pieces):
        for run in piece.struck:
            if run in strikes:
                touched.setdefault(run, []).append(index)
    inserted: dict[RunId, list[int]] = {}
    for index, piece in enumerate(pieces):
        run = run_of(piece)
        if run in strikes and piece.live:
            inserted.setdefault(run, []).append(index)
    return _Weighing(sequence, pieces, touched, inserted, escalate).result()


class _Weighing:
    """The work of one ``analyse`` call."""

    def __init__(
        self,
        sequence: Sequence,
        pieces: list[Piece],
        touched: dict[RunId, list[int]],
        inserted: dict[RunId, list[int]],
        escalate: bool,
    ) -> None:
        self.strikes = sequence.strikes
        self.pieces = pieces
        self.touched = touched
        self.inserted = inserted
        self.escalate = escalate
        self.sets = {run: frozenset(indices) for run, indices in touched.items()}
        self.order = sorted(touched, key=lambda run: (*order_of(self.strikes[run].stamp), run[2]))

    def result(self) -> Analysis:
        suspended: set[RunId] = set()
        hidden: set[RunId] = set()
        also: dict[RunId, tuple[Stamp, ...]] = {}
        pending: list[tuple[list[RunId], list[list[RunId]], dict[RunId, set[RunId]]]] = []
        for group in self._groups():
            sides = self._sides(group, hidden, also)
            if len(sides) < 2 or not self.escalate:
                continue
            owners = self._dependents(group)
            suspended.update(group)
            hidden.update(owners)
            pending.append((group, sides, owners))
        overlaps = tuple(self._overlap(g, s, o, suspended, hidden) for g, s, o in pending)
        return Analysis(frozenset(suspended), frozenset(hidden), overlaps, also)

    def _groups(self) -> list[list[RunId]]:
        """Strikes connected by pieces they share, each group in (time, dot) order."""
        leader = {run: run for run in self.order}

        def find(run: RunId) -> RunId:
            while leader[run] != run:
                leader[run] = leader[leader[run]]
                run = leader[run]
            return run

        for piece in self.pieces:
            standing = [run for run in piece.struck if run in leader]
            for run in standing[1:]:
                leader[find(run)] = find(standing[0])
        groups: dict[RunId, list[RunId]] = {}
        for run in self.order:
            groups.setdefault(find(run), []).append(run)
        return [group for group in groups.values() if len(group) > 1]

    def _sides(self, group: list[RunId], hidden: set[RunId], also: dict[RunId, tuple[Stamp, ...]]) -> list[list[RunId]]:
        """Puts strikes that can stand together on one side; an equal rewrite joins its twin, its text hidden."""
        sides: list[list[RunId]] = []
        for run in group:
            home = None
            for side in sides:
                twin = next((other for other in side if self._equal(run, other)), None)
                if twin is not None:
                    if run in self.inserted:
                        hidden.add(run)
                        also[twin] = (*also.get(twin, ()), self.strikes[run].stamp)
                    home = side
                    break
            if home is None:
                home = next((side for side in sides if all(self._agree(run, other) for other in side)), None)
            if home is None:
                sides.append([run])
            else:
                home.append(run)
        return sides

    def _agree(self, one: RunId, other: RunId) -> bool:
        if not self.sets[one] & self.sets[other]:
            return True
        return one not in self.inserted and other not in self.inserted

    def _equal(self, one: RunId, other: RunId) -> bool:
        return self.sets[one] == self.sets[other] and self._text(one) == self._text(other)

    def _text(self, run: RunId) -> Content:
        parts = [self.pieces[index].content for index in self.inserted.get(run, ())]
        return "".join(parts) if all(isinstance(p, str) for p in parts) else sum(parts, ())  # type: ignore[arg-type]

    def _dependents(self, group: list[RunId]) -> dict[RunId, set[RunId]]:
        """Runs that exist only because of the group (its insertions, and rewrites of those), with their owners."""
        owners: dict[RunId, set[RunId]] = {run: {run} for run in group}
        grown = True
        while grown:
            grown = False
            for run in self.order:
                if run not in owners and all(run_of(self.pieces[i]) in owners for i in self.touched[run]):
                    owners[run] = set().union(*(owners[run_of(self.pieces[i])] for i in self.touched[run]))
                    grown = True
        return owners

    def _overlap(
        self,
        group: list[RunId],
        sides: list[list[RunId]],
        owners: dict[RunId, set[RunId]],
        suspended: set[RunId],
        hidden: set[RunId],
    ) -> Overlap:
        struck = sorted({index for run in group for index in self.touched[run]})
        last = max(struck[-1], *(i for run in owners for i in self.inserted.get(run, [0])))
        span = range(struck[0], last + 1)

        def shown(standing: set[RunId]) -> tuple[Piece, ...]:
            result = []
            for index in span:
                piece = self.pieces[index]
                run = run_of(piece)
                if not piece.live or (run in owners and run not in standing) or (run in hidden and run not in owners):
                    continue
                if any(
                    s in self.strikes and (s in standing or (s not in suspended and s not in owners))
                    for s in piece.struck
                ):
                    continue
                result.append(piece)
            return tuple(result)

        readings = []
        for side in sides:
            members = set(side)
            standing = {run for run, by in owners.items() if by <= members}
            twins = {run for i, run in enumerate(side) if any(self._equal(run, other) for other in side[:i])}
            stamps = sorted({self.strikes[run].stamp for run in standing}, key=order_of)
            readings.append(Side(shown(standing - twins), tuple(stamps)))
        first = self.pieces[struck[0]]
        return Overlap(
            (*run_of(first), first.offset),
            frozenset(owners),
            tuple(struck),
            shown(set()),
            tuple(readings),
        )
