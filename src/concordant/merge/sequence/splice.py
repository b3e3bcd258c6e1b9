"""The difference between two versions of a text or list, small where the versions are large."""

from __future__ import annotations

from collections.abc import Sequence as Items

from concordant.errors import ConcordantError
from concordant.merge.sequence.order import newest_root
from concordant.merge.sequence.pieces import Piece, RunId, Sequence, Strike, run_of

__all__ = ["Spliced", "splice"]


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
    if cut is not None and cut.head == len(before):
        return Spliced(cut.head, 0, [], [*cut.added], [*cut.removed])  # it was appended to
    head, tail = before.common_with(after)
    added: Items[RunId] = ()
    removed: Items[RunId] = ()
    if cut is not None:
        return Spliced(head, tail, before.since(head, len(before) - tail), [*cut.added], [*cut.removed])
    if before.strikes is not after.strikes:
        added = sorted(after.strikes.keys() - before.strikes.keys())
        removed = sorted(before.strikes.keys() - after.strikes.keys())
    gone = [before.strikes[run] for run in removed]
    return Spliced(head, tail, before.since(head, len(before) - tail), added, gone)
