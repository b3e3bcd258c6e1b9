"""The state of a text or a list that many writers edit: pieces in document order, and strikes over them.

An insertion is a *run* of characters (or items) that never changes; runs are cut into *pieces* where others insert
or strike. A removal is a *strike* over pieces. A rewrite is a strike and an insertion with the same id. Nothing is
moved and nothing disappears while a concurrent writer may still refer to it, so every edit can be expressed by ids
and edits commute (the RGA family of sequence CRDTs: Roh et al. 2011). Two differences from the textbook form serve
logs and lists: runs appended at the end are *roots*, ordered by (time, dot), so that concurrent appends stand in
commit order; and strikes are observed-remove entries that can be weighed against each other, so that two rewrites
of the same words are found instead of both being applied (``concordant.merge.sequence.overlap``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from itertools import islice
from typing import Any, NamedTuple, TypeAlias, TypeVar

from concordant.merge.causality import Seen, SeenBy, Stamp, order_of, seen_everything
from concordant.merge.sequence.units import units

__all__ = [
    "END",
    "START",
    "Anchor",
    "Content",
    "Cut",
    "Piece",
    "RunId",
    "Seed",
    "Sequence",
    "Strike",
    "has_twin",
    "run_of",
]

R = TypeVar("R")
T = TypeVar("T")
Content: TypeAlias = "str | tuple[bytes, ...]"
RunId: TypeAlias = tuple[str, int, int]
Anchor: TypeAlias = tuple[str, int, int, int]

WORTH_REMEMBERING = 16
"""From how many pieces on a sequence remembers its layout."""

START: Anchor = ("", 0, 0, 0)
"""The place before everything."""

END: Anchor = ("", 0, 0, 1)
"""The place behind everything."""


class Piece(NamedTuple):
    """A part of a run: ``content`` begins ``offset`` characters into the run ``(stamp.replica, stamp.n, k)``.

    ``parent`` is the character that the run was inserted after (``None``: a root run, appended at the end). ``line``
    marks a run that begins with a separator which is shown only where something stands before it. ``struck`` names
    the strikes over the piece; one that is no longer in the sequence does not count. A piece that is not ``live`` is
    kept only as an anchor for others. A run that ``replaces`` stands in the place of what its strike removed, right
    behind it. ``beside`` is the other neighbour of a run that an edit inserted, as its writer saw it: the character
    behind it, of a root run the one before it. Two insertions between the same neighbours were made by writers who did
    not see each other's.
    """

    stamp: Stamp
    k: int
    offset: int
    content: Content
    parent: Anchor | None
    line: bool = False
    struck: tuple[RunId, ...] = ()
    live: bool = True
    replaces: bool = False
    beside: Anchor | None = None


class Strike(NamedTuple):
    """A removal; the run with the same id, if there is one, is what the writer put in its place."""

    stamp: Stamp
    k: int


def _stands(piece: Piece, origin: str, strikes: Mapping[RunId, Strike]) -> bool:
    """Whether a scope has put a piece and not struck it itself."""
    if piece[0][4] != origin or not piece[7]:
        return False
    return not (piece[6] and any(run in strikes and strikes[run][0][4] == origin for run in piece[6]))


def run_of(item: Piece | Strike) -> RunId:
    """The id of the run that a piece belongs to, or of a strike."""
    return (item.stamp.replica, item.stamp.n, item.k)


class Cut(NamedTuple):
    """What a later sequence has in common with an earlier one: so many pieces at the beginning and at the end; and the
    strikes that only it has, and that only the earlier one has."""

    head: int
    tail: int
    added: Iterable[RunId]
    removed: Iterable[Strike]


class Seed(NamedTuple):
    """A layout of a sequence that has most in common with another, to make that one's from it.

    Attributes:
        key: how it was laid out.
        layout: the layout.
        size: how many pieces it is of.
        changed: the ranges of numbers in which the other's pieces differ, or are seen otherwise; ``None``: it has more
            of them at the end.
    """

    key: Any
    layout: Any
    size: int
    changed: list[tuple[int, int]] | None


class Sequence:
    """An immutable text (``str`` pieces) or list (tuples of JSON bytes).

    The list of pieces is shared between versions that differ by appended pieces only: each version knows its length,
    and only the newest may append in place. So an append costs the same however long the text is.
    """

    __slots__ = (
        "_analysis",
        "_authors",
        "_cut",
        "_layout",
        "_pieces",
        "_seed",
        "_size",
        "_standing",
        "newest_root",
        "overlapping",
        "strikes",
    )

    def __init__(
        self,
        pieces: list[Piece],
        strikes: dict[RunId, Strike],
        newest_root: tuple[float, str, int] = (0.0, "", 0),
        overlapping: bool | None = None,
    ) -> None:
        self._pieces = pieces
        self.overlapping = _overlapping(pieces, strikes) if overlapping is None else overlapping
        self._layout: tuple[Any, Any] | None = None
        self._seed: Seed | None = None
        self._standing: tuple[str, list[int]] | None = None
        self._cut: tuple[int, Cut] | None = None
        self._authors: _Authors | None = None
        self._size = len(pieces)
        self.strikes = strikes
        self.newest_root = newest_root
        self._analysis: Any = None

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Piece]:
        return islice(self._pieces, self._size)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return self.pieces() == other.pieces() and self.strikes == other.strikes

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Sequence({self.pieces()!r}, {self.strikes!r})"

    def since(self, number: int, upto: int | None = None) -> list[Piece]:
        """A copy of the pieces from a number on, up to another."""
        return self._pieces[number : self._size if upto is None else min(upto, self._size)]

    def __getitem__(self, number: int) -> Piece:
        return self._pieces[number]

    def pieces(self) -> list[Piece]:
        """A copy of the pieces, in document order."""
        return self._pieces[: self._size]

    def appended(self, piece: Piece) -> Sequence:
        """Adds one more root run at the end.

        Returns:
            A sequence that shares its pieces with this one.
        """
        pieces = self._pieces if len(self._pieces) == self._size else self.pieces()
        pieces.append(piece)
        grown = Sequence.__new__(Sequence)
        grown._pieces = pieces
        grown._size = self._size + 1
        grown.strikes = self.strikes
        grown.newest_root = order_of(piece.stamp)
        grown.overlapping = self.overlapping or (piece.beside is not None and self._has_twin(piece, piece.beside))
        grown._analysis = grown._layout = grown._cut = None
        grown._authors = self._authors
        if grown._authors is not None:
            grown._authors.add(piece.stamp)
        grown._seed = self._seed if self._layout is None else Seed(*self._layout, self._size, None)
        standing = self._standing
        if standing is not None and standing[0] == piece.stamp.origin:
            standing = (standing[0], [*standing[1], self._size])
        grown._standing = standing
        return grown

    def _has_twin(self, root: Piece, before: Anchor) -> bool:
        """Whether a root that an edit appends has units in common with one that was appended there unseen."""
        number = self._size
        while number and not (run_of(self[number - 1]) == before[:3] and self[number - 1].offset <= before[3]):
            number -= 1
        return has_twin(self, root, number)

    def standing_of(self, origin: str) -> Iterator[tuple[int, Piece]]:
        """The pieces that one scope has put and has not struck itself, with their numbers. Which these are is
        remembered for the last that asked, since it mostly asks again."""
        if self._standing is None or self._standing[0] != origin:
            numbers = [number for number, piece in self._of(origin) if _stands(piece, origin, self.strikes)]
            self._standing = (origin, numbers)
        return ((number, self._pieces[number]) for number in self._standing[1])

    def _of(self, origin: str) -> list[tuple[int, Piece]]:
        return [(number, piece) for number, piece in enumerate(self) if piece[0][4] == origin]

    def cut_from(self, before: Sequence) -> Cut | None:
        """How this was made from an earlier sequence, if that is remembered."""
        if self._pieces is before._pieces and self.strikes is before.strikes and before._size <= self._size:
            return Cut(before._size, 0, (), ())
        # No other object can have had this id when this was made: ``before`` was there.
        return self._cut[1] if self._cut is not None and self._cut[0] == id(before) else None

    def only_appends_to(self, before: Sequence) -> bool:
        """Whether it is certain that this is an earlier sequence with more pieces at its end."""
        return self._pieces is before._pieces and self.strikes is before.strikes and before._size < self._size

    def continue_from(self, before: Sequence, cut: Cut, parts: Mapping[int, list[Piece]], first: list[Piece]) -> None:
        """Remembers how this was made, and of one scope's pieces what ``before`` does.

        Args:
            parts: what became of its pieces, by number; the others are as they were.
            first: pieces at the beginning that it does not have.
        """
        self._cut = (id(before), cut)
        if before._standing is None:
            return
        origin, numbers = before._standing
        strikes = self.strikes
        mine = [number for number, piece in enumerate(first) if _stands(piece, origin, strikes)]
        shift = len(first)
        for number in sorted({*numbers, *parts}):
            if number in parts:
                begun = number + shift
                mine += [n for n, piece in enumerate(parts[number], begun) if _stands(piece, origin, strikes)]
                shift += len(parts[number]) - 1
            else:
                mine.append(number + shift)
        self._standing = (origin, mine)

    def is_news(self, seen: SeenBy) -> bool:
        """Whether it is certain, without a look at each piece, that somebody has seen none of them."""
        if not isinstance(seen, Seen) or seen.origin is None:
            return False
        if self._authors is None:
            self._authors = _Authors(self)
        return self._authors.are_unknown_to(seen)

    def may_open_with(self, seen: SeenBy, fits: Callable[[Piece], bool]) -> bool:
        """Looks at the first piece that somebody is shown, without weighing; where that cannot tell which, it may.

        Args:
            fits: whether that may be the first piece.
        """
        if self.is_news(seen):
            return False
        strikes, weighed = self.strikes, self.overlapping and not self.is_list()
        for piece in self:
            if not piece.live or not seen(piece.stamp):
                continue
            if self.overlapping and (run_of(piece) in strikes or piece.beside is not None):
                return True
            if not any(run in strikes and seen(strikes[run].stamp) for run in piece.struck):
                return fits(piece)
            if weighed:
                return True
        return False

    def only(self, included: SeenBy) -> Sequence:
        """What this sequence is made of by the writes included alone."""
        return self.without(self.unseen(included))

    def unseen(self, included: SeenBy) -> frozenset[Stamp]:
        """Returns the stamps of the writes that are not included."""
        if included is seen_everything:
            return frozenset()
        stamps = [piece[0] for piece in self]
        stamps += [strike[0] for strike in self.strikes.values()]
        if isinstance(included, Seen):
            return frozenset(included.missing(stamps))
        return frozenset([stamp for stamp in set(stamps) if not included(stamp)])

    def without(self, stamps: Set[Stamp]) -> Sequence:
        """What this sequence is made of by all writes but these."""
        if not stamps:
            return self
        since = min(stamp.n for stamp in stamps)  # mostly they are the newest: few are looked up
        pieces = self.pieces()
        gone = {run for run, s in self.strikes.items() if s.stamp.n >= since and s.stamp in stamps}
        changed = _taken_out(pieces, stamps, since, gone)
        strikes = {run: strike for run, strike in self.strikes.items() if run not in gone} if gone else self.strikes
        part = Sequence(pieces, strikes, self.newest_root, None if self.overlapping else False)
        if self._layout is not None and not self.overlapping:
            part._seed = Seed(*self._layout, self._size, changed)
        return part

    def renamed(self, name: Callable[[str], str]) -> Sequence:
        """The same sequence with other names for the replicas in its dots."""

        def run(id_: RunId) -> RunId:
            return (name(id_[0]), *id_[1:])

        def piece(old: Piece) -> Piece:
            parent = old.parent
            if parent is not None and parent != START:
                parent = (name(parent[0]), *parent[1:])
            stamp = old.stamp._replace(replica=name(old.stamp.replica))
            return old._replace(stamp=stamp, parent=parent, struck=tuple(map(run, old.struck)))

        strikes = [s._replace(stamp=s.stamp._replace(replica=name(s.stamp.replica))) for s in self.strikes.values()]
        pieces = [piece(old) for old in self]
        newest = max((order_of(p.stamp) for p in pieces if p.parent is None), default=(0.0, "", 0))
        return Sequence(pieces, {run_of(strike): strike for strike in strikes}, newest)

    def is_list(self) -> bool:
        """Whether this holds items, not text."""
        return bool(self._size) and not isinstance(self._pieces[0].content, str)

    def is_alive(self) -> bool:
        """Whether any write to it still stands; if none does, the sequence can be forgotten."""
        return bool(self.strikes) or any(piece.live for piece in self)

    def stamps(self) -> Iterator[Stamp]:
        """The stamps of the writes that still stand."""
        for piece in self:
            if piece.live:
                yield piece.stamp
        for strike in self.strikes.values():
            yield strike.stamp

    def analysed(self, rules: R, compute: Callable[[Sequence, R], T]) -> T:
        """Computes what its changes are worth by some rules, remembered: a sequence never changes."""
        if not self.overlapping:
            return compute(self, rules)
        if self._analysis is None or self._analysis[0] != rules:
            self._analysis = (rules, compute(self, rules))
        return self._analysis[1]  # type: ignore[no-any-return]

    @property
    def remembered_layout(self) -> tuple[Any, Any] | None:
        """(key, layout) as ``laid_out`` remembers it."""
        return self._layout

    def remember_layout(self, key: object, layout: object) -> None:
        """Remembers a layout that was made otherwise."""
        self._layout = (key, layout)

    def laid_out(self, key: object, compute: Callable[[Seed | None], T]) -> T:
        """A layout, remembered under a key where the sequence is long enough for that to pay.

        Args:
            compute: makes it, from that of a sequence that has most in common with this one where there is one.
        """
        if self._size < WORTH_REMEMBERING:
            return compute(None)
        if self._layout is None or self._layout[0] != key:
            seed, self._seed = self._seed, None
            self._layout = (key, compute(seed if seed is not None and seed.key == key else None))
        return self._layout[1]


class _Authors:
    """Who made pieces: enough to tell that somebody has seen none of them."""

    __slots__ = ("least", "origins", "replicas")

    def __init__(self, pieces: Iterable[Piece]) -> None:
        self.least: float = math.inf
        self.origins: set[str] = set()
        self.replicas: set[str] = set()
        for piece in pieces:
            self.add(piece.stamp)

    def add(self, stamp: Stamp) -> None:
        self.least = min(self.least, stamp.n)
        self.origins.add(stamp.origin)
        self.replicas.add(stamp.replica)

    def are_unknown_to(self, seen: Seen) -> bool:
        return self.replicas == {seen.replica} and self.least > seen.upto and seen.origin not in self.origins


def _taken_out(pieces: list[Piece], stamps: Set[Stamp], since: int, gone: Set[RunId]) -> list[tuple[int, int]]:
    """Makes pieces that some writes made as if they never had been; returns where pieces are other than they were.

    Args:
        since: the least number of those writes.
        gone: the strikes that go with them.
    """
    changed: list[tuple[int, int]] = []
    for number, piece in enumerate(pieces):
        if piece[0][2] >= since and piece[0] in stamps:
            pieces[number] = piece._replace(live=False)
        elif not piece[6] or gone.isdisjoint(piece[6]):
            continue
        changed.append((number, number + 1))
    return changed


def _overlapping(pieces: list[Piece], strikes: dict[RunId, Strike]) -> bool:
    """Whether anything has to be weighed: several strikes over one piece, or insertions that have units in common."""
    if len(strikes) > 1 and any(len(p.struck) > 1 and _two_stand(p.struck, strikes) for p in pieces):
        return True
    inserted: dict[tuple[Anchor | None, Anchor], dict[RunId, list[str]]] = {}
    for piece in pieces:
        if piece.beside is not None and piece.live and isinstance(piece.content, str):
            inserted.setdefault((piece.parent, piece.beside), {}).setdefault(run_of(piece), []).append(piece.content)
    return any(len(runs) > 1 and _have_common_units(runs.values()) for runs in inserted.values())


def _two_stand(struck: Iterable[RunId], strikes: Mapping[RunId, Strike]) -> bool:
    standing = (run for run in struck if run in strikes)
    return next(standing, None) is not None and next(standing, None) is not None


def _have_common_units(contents: Iterable[list[str]]) -> bool:
    known: set[str] = set()
    for parts in contents:
        mine = _units_of("".join(parts))
        if mine & known:
            return True
        known |= mine
    return False


def _units_of(content: str) -> set[str]:
    """What insertions are compared by: the smallest units of which parts of them may be equal."""
    return {content[start:end] for start, end in units(content, "sentence")}


def has_twin(sequence: Sequence, piece: Piece, number: int) -> bool:
    """Tells whether something between the neighbours of a new insertion has units in common with it.

    Args:
        number: that of the first piece behind its left neighbour.
    """
    assert piece.beside is not None
    runs: dict[RunId, list[str]] = {}
    for other in sequence.since(number):
        if run_of(other) == piece.beside[:3] and other.offset + len(other.content) > piece.beside[3] >= other.offset:
            break
        if other.beside == piece.beside and other.parent == piece.parent and other.live:
            runs.setdefault(run_of(other), []).append(str(other.content))
    return bool(runs) and _have_common_units([*runs.values(), [str(piece.content)]])
