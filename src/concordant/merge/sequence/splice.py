"""The difference between two versions of a text or list, small where the versions are large."""

from __future__ import annotations

from collections.abc import Iterable, Sequence as Items
from itertools import chain, pairwise
from typing import Any, NamedTuple, TypeAlias

from concordant.errors import ConcordantError
from concordant.merge.sequence.pieces import Content, Edit, Piece, RunId, Sequence, Strike, run_of

__all__ = ["Contents", "Former", "Spliced", "Swap", "content_in", "contents_of", "joined", "splice"]


class Swap(NamedTuple):
    """Pieces that are others in the later content.

    Attributes:
        at: the number of the first in the earlier content.
        was: the earlier ones.
        now: the later ones. As content a piece of either may have its length alone: then it is what the other side has
            there.
    """

    at: int
    was: Items[Piece]
    now: Items[Piece]


class Spliced:
    """How a text or list became another: enough to make either of the other one.

    Attributes:
        hunks: the pieces that differ, in order.
        added: the strikes that only the later content has.
        removed: those that only the earlier one has.
    """

    __slots__ = ("added", "hunks", "removed")

    def __init__(self, hunks: Items[Swap], added: Items[Strike], removed: Items[Strike]) -> None:
        self.hunks = hunks
        self.added = added
        self.removed = removed

    def earlier(self, later: object) -> Sequence:
        """Returns the earlier content.

        Raises:
            ConcordantError: ``later`` is not what came of it.
        """
        edits: list[Edit] = []
        shift = 0
        for at, was, now in self.hunks:
            edits.append(Edit(at + shift, at + shift + len(now), was))
            shift += len(now) - len(was)
        return _made(later, edits, self.removed, self.added, alone=not self.removed)

    def later(self, earlier: object) -> Sequence:
        """Returns the later content.

        Raises:
            ConcordantError: ``earlier`` is not what it was made of.
        """
        edits = [Edit(at, at + len(was), now) for at, was, now in self.hunks]
        return _made(earlier, edits, self.added, self.removed, alone=not self.removed)


class Former:
    """The earlier content of a text or list by its difference to the later, as journals kept it before.

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
        """Returns the earlier content.

        Raises:
            ConcordantError: ``later`` is not what came of it.
        """
        if not isinstance(later, Sequence) or len(later) < self.head + self.tail:
            raise _unfit()
        edit = Edit(self.head, len(later) - self.tail, self.pieces)
        added = [later.strikes[run] for run in self.added if run in later.strikes]
        return _made(later, [edit], self.removed, added, alone=False)


def splice(before: Sequence, after: Sequence) -> Spliced:
    """Tells how ``before`` became ``after``."""
    changed = after.changed_from(before)
    hunks = [
        Swap(was_first, before.since(was_first, was_past), after.since(first, past))
        for was_first, was_past, first, past in changed
    ]
    added, removed = after.strikes.changed_from(before.strikes)
    return Spliced(hunks, added, removed)


def _made(
    known: object,
    edits: Items[Edit],
    added: Items[Strike],
    removed: Items[Strike],
    *,
    alone: bool,
) -> Sequence:
    """A content that has other pieces, and other strikes, than a known one.

    Args:
        alone: whether no strike over other pieces went or came back.
    """
    if not isinstance(known, Sequence) or not _fit(edits, len(known)):
        raise _unfit()
    there = contents_of(piece for edit in edits for piece in known.since(edit.first, edit.past))
    ready = [edit._replace(pieces=[_filled(piece, there) for piece in edit.pieces]) for edit in edits]
    gone = {run_of(strike) for strike in removed}
    strikes = known.strikes.but({run_of(strike): strike for strike in added}, gone & known.strikes.keys())
    return known.spliced(ready, strikes, alone=alone)


Contents: TypeAlias = dict[RunId, dict[int, Content]]
"""What stands where in runs: by run and offset."""


def contents_of(pieces: Iterable[Piece]) -> Contents:
    """Returns what stands where in the runs of some pieces."""
    found: Contents = {}
    for piece in pieces:
        found.setdefault(run_of(piece), {})[piece.offset] = piece.content
    return found


def content_in(contents: Contents, piece: Piece, length: int) -> Content | None:
    """Returns what stands from where a piece begins, so many characters or items; ``None`` if that is not known."""
    parts = contents.get(run_of(piece), {})
    offset, end = piece.offset, piece.offset + length
    found: list[Content] = []
    for begin in sorted(parts):
        part = parts[begin]
        if offset < end and begin <= offset < begin + len(part):
            found.append(part[offset - begin : end - begin])
            offset += len(found[-1])
    return joined(found) if found and offset == end else None


def joined(contents: Items[Content]) -> Content:
    """Contents of one sequence, one after the other."""
    if isinstance(contents[0], str):
        return "".join(contents)  # type: ignore[arg-type]
    return tuple(chain.from_iterable(contents))  # type: ignore[arg-type]


def _filled(piece: Piece, there: Contents) -> Piece:
    """A piece with its content, of which it may have the length alone."""
    length: Any = piece.content
    if not isinstance(length, int):
        return piece
    content = content_in(there, piece, length)
    if content is None:
        raise _unfit()
    return piece._replace(content=content)


def _fit(edits: Items[Edit], size: int) -> bool:
    """Whether edits are in order and in so many pieces."""
    places = [0, *chain.from_iterable([(edit.first, edit.past) for edit in edits]), size]
    return all(low <= high for low, high in pairwise(places))


def _unfit() -> ConcordantError:
    return ConcordantError("the journal does not fit the document: one of them is damaged")
