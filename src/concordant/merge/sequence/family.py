"""The tree of characters: what each stands behind, in its run or where its run was inserted."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import TypeAlias

from concordant.merge.sequence.pieces import START, Anchor, Piece, RunId, last_of, run_of

__all__ = ["Family", "Home", "home_of"]

Home: TypeAlias = tuple[Anchor | None, bool, Anchor | None]
"""What a run is anchored to, whether it replaces that, and what stood on its other side."""


def home_of(piece: Piece) -> Home:
    """Tells where the run of a piece was inserted."""
    return piece.parent, piece.replaces, piece.beside


class Family:
    """Pieces by the characters in them.

    Attributes:
        runs: the pieces of each run, by offset.
    """

    __slots__ = ("_offsets", "runs")

    def __init__(self, pieces: Iterable[Piece]) -> None:
        self.runs: dict[RunId, list[Piece]] = {}
        for piece in pieces:
            self.runs.setdefault(run_of(piece), []).append(piece)
        self._offsets: dict[RunId, list[int]] = {}
        for run, parts in self.runs.items():
            if len(parts) > 1:
                parts.sort(key=lambda part: part.offset)
            self._offsets[run] = [part.offset for part in parts]

    def at(self, anchor: Anchor) -> Piece | None:
        """Returns the piece that a character is in."""
        run = anchor[:3]
        place = bisect_right(self._offsets.get(run, ()), anchor[3]) - 1
        if place < 0:
            return None
        part = self.runs[run][place]
        return part if anchor[3] < part.offset + len(part.content) else None

    def before(self, piece: Piece) -> tuple[Anchor | None, bool]:
        """Returns the character before a piece in the tree, and whether the piece replaces it."""
        parts = self.runs[run_of(piece)]
        place = bisect_right(self._offsets[run_of(piece)], piece.offset) - 1
        return (last_of(parts[place - 1]), False) if place else (piece.parent, piece.replaces)

    def upwards(self, anchor: Anchor | None, replaces: bool, other: Family) -> tuple[Anchor | None, bool]:
        """Returns the nearest character before a place in the tree that another family has too, and whether the place
        replaces it.

        Args:
            anchor: what the place is right behind.
            replaces: whether it replaces that.
        """
        while anchor is not None and anchor != START:
            here, there = self.at(anchor), other.at(anchor)
            if here is None or there is not None:
                return anchor, replaces
            # Of the same run the last character before it that both have, or what the run stands behind.
            low = here.offset
            below = other.last_up_to((*anchor[:3], anchor[3]))
            if below is not None and below[3] >= low:
                return below, False
            anchor, replaces = self.before(here)
        return anchor, replaces

    def last_up_to(self, anchor: Anchor) -> Anchor | None:
        """Returns the last character of a run that is here, up to one of them."""
        run = anchor[:3]
        place = bisect_right(self._offsets.get(run, ()), anchor[3]) - 1
        if place < 0:
            return None
        part = self.runs[run][place]
        return (*run, min(anchor[3], part.offset + len(part.content) - 1))

    @staticmethod
    def moved(piece: Piece, parent: Anchor | None, replaces: bool) -> Piece:
        """Returns a piece of a run, anchored elsewhere. What stood beside it then is no place at which anything else
        can be inserted: so it counts as an edit, and is compared with nothing."""
        is_edit = isinstance(piece.content, str) and (piece.replaces or piece.beside is not None)
        beside = (*run_of(piece), -1) if is_edit else None  # no character
        return piece._replace(parent=parent, replaces=replaces, beside=beside)
