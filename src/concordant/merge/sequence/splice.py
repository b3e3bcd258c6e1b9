"""The difference between two versions of a text or list, small where the versions are large."""

from __future__ import annotations

from collections.abc import Sequence as Items

from concordant.errors import ConcordantError
from concordant.merge.sequence.order import newest_root
from concordant.merge.sequence.pieces import Piece, RunId, Sequence, Strike, run_of

__all__ = ["Spliced", "splice"]


_CHUNK = 256


class Spliced:
    """The earlier content of a text or list, by its difference to the later.

    Attributes:
        head, tail: how many pieces are the same at the beginning and at the end.
        pieces: the earlier ones between.
        added: the strikes that the earlier content does not have.
        removed: those that only it has.
    """

    __slots__ = ("added", "head", "pieces", "removed", "tail")

    def __init__(self, head: int, tail: int, pieces: Items[Piece], added: Items[RunId], removed: Items[Strike]) -> None:
        self.head = head
        self.tail = tail
        self.pieces = pieces
        self.added = added
        self.removed = removed

    def earlier(self, later: object) -> Sequence:
        """The earlier content.

        Raises:
            ConcordantError: ``later`` is not what came of it.
        """
        if not isinstance(later, Sequence) or len(later) < self.head + self.tail:
            raise ConcordantError("the journal does not fit the document: one of them is damaged")
        known = later.pieces()
        pieces = [*known[: self.head], *self.pieces, *known[len(known) - self.tail :]]
        strikes = {run: strike for run, strike in later.strikes.items() if run not in self.added}
        strikes.update((run_of(strike), strike) for strike in self.removed)
        return Sequence(pieces, strikes, newest_root(pieces))


def splice(before: Sequence, after: Sequence) -> Spliced:
    """How ``before`` differs from ``after``."""
    cut = after.cut_from(before)
    if cut is not None:
        pieces = before.since(cut.head, len(before) - cut.tail)
        return Spliced(cut.head, cut.tail, pieces, [*cut.added], [*cut.removed])
    old, new = before.pieces(), after.pieces()
    head = _common(old, new)
    tail = _common(old[: head - 1 if head else None : -1], new[: head - 1 if head else None : -1])
    added: list[RunId] = []
    removed: list[RunId] = []
    if before.strikes is not after.strikes:
        added = sorted(after.strikes.keys() - before.strikes.keys())
        removed = sorted(before.strikes.keys() - after.strikes.keys())
    return Spliced(head, tail, old[head : len(old) - tail], added, [before.strikes[run] for run in removed])


def _common(one: list[Piece], other: list[Piece]) -> int:
    """How many pieces at the beginning are the same. Most are the very same objects, which lists compare fast."""
    upto = min(len(one), len(other))
    for start in range(0, upto, _CHUNK):
        end = min(start + _CHUNK, upto)
        if one[start:end] != other[start:end]:
            return next(number for number in range(start, end) if one[number] != other[number])
    return upto
