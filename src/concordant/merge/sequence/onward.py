"""Texts and lists that are told by what they were, to somebody who has that."""

from __future__ import annotations

from collections.abc import Iterable, Sequence as Items

from concordant.errors import ConcordantError, MisshapenError
from concordant.merge.causality import order_of
from concordant.merge.sequence.order import in_order
from concordant.merge.sequence.pieces import Piece, Sequence, common_to_run, last_of, run_of
from concordant.merge.sequence.splice import Spliced

__all__ = ["Onward", "news"]


class Onward:
    """A text or list by what it was, for somebody who has that: what it was is told by a digest.

    Attributes:
        digests: of what it was, the oldest first, and of itself (``Sequence.digest``).
        steps: how each became the next.
    """

    __slots__ = ("digests", "steps")

    def __init__(self, digests: Items[str], steps: Items[Spliced]) -> None:
        self.digests = digests
        self.steps = steps

    def after(self, known: Sequence) -> Sequence | None:
        """Returns what it is, made of something that it was; ``None`` if it never was that.

        Raises:
            ConcordantError: what comes of it is something else.
        """
        digest = known.digest()
        if digest not in self.digests:
            return None
        made = known
        for step in self.steps[self.digests.index(digest) :]:
            made = step.later(made)
        if made.digest() != self.digests[-1]:
            raise ConcordantError("what a text or list became is not what is told")
        if made is not known:
            made.remember(known)
        return made


def news(made: Sequence, known: Sequence) -> Sequence:
    """Returns what a text or list has that one of this store, of which it was made, has not: to be looked at as what
    comes from outside. Where that cannot be told apart, it is all of it.

    Raises:
        MisshapenError: its pieces are not in order.
    """
    now: list[Piece] = []
    plain = True
    for was_first, was_past, first, past in made.changed_from(known):
        pieces, was = made.since(first, past), known.since(was_first, was_past)
        there = {run_of(piece) for piece in was}
        new = [run_of(piece) not in there and not known.has_run(run_of(piece)) for piece in pieces]
        plain = plain and _are_cut([piece for piece, is_new in zip(pieces, new, strict=True) if not is_new], was)
        plain = plain and all(_is_in_place(made, first + at) for at, is_new in enumerate(new) if is_new)
        now += pieces
    if not plain:
        pieces = made.pieces()
        if in_order(pieces) != pieces:
            raise MisshapenError("the pieces of a sequence are not in order")
        return made
    added, _ = made.strikes.changed_from(known.strikes)
    return Sequence(now, {run_of(strike): strike for strike in added})


def _are_cut(now: Iterable[Piece], was: Iterable[Piece]) -> bool:
    """Whether what is told of runs that are here is what was there, in the order in which it was, at most cut."""
    waiting = iter(was)
    host: Piece | None = None
    upto = 0
    for piece in now:
        run, end = run_of(piece), piece.offset + len(piece.content)
        while host is None or run_of(host) != run or end > host.offset + len(host.content) or piece.offset < upto:
            host = next(waiting, None)
            if host is None:
                return False
            upto = host.offset
        if common_to_run(host) != common_to_run(piece):
            return False
        upto = end
    return True


def _is_in_place(made: Sequence, number: int) -> bool:
    """Whether it is certain, without a look at all, that a new piece stands where its tree has it: right behind what it
    was inserted behind, and before all else that was inserted there."""
    piece = made[number]
    if number == 0 or piece.parent is None or piece.offset:
        return False
    host = made[number - 1]
    if last_of(host) != piece.parent:
        return False
    if number + 1 == len(made):
        return True
    after = made[number + 1]
    if after.parent != piece.parent or after.offset:
        return after.parent is None or after.parent[:3] != run_of(piece)
    return not piece.replaces and not after.replaces and order_of(after.stamp) < order_of(piece.stamp)
