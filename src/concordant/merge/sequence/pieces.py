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
import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence as Items, Set
from itertools import accumulate, chain
from typing import Any, Literal, NamedTuple, TypeAlias, TypeVar

from pydantic_core import to_json

from concordant.merge.causality import Seen, SeenBy, Stamp, VersionVector, is_covered, order_of, seen_everything
from concordant.merge.sequence.diff import common_prefix, common_suffix
from concordant.merge.sequence.units import units

__all__ = [
    "EMPTIED",
    "EMPTY",
    "END",
    "NEVER",
    "NOTHING_THERE",
    "SEAL",
    "START",
    "TAKEN_BACK",
    "Agreement",
    "Anchor",
    "Changed",
    "Content",
    "Credit",
    "Edit",
    "Gone",
    "Piece",
    "RunId",
    "Seed",
    "Sequence",
    "Strike",
    "Strikes",
    "Under",
    "has_twin",
    "is_mark",
    "is_note",
    "is_opening",
    "is_seal",
    "last_of",
    "newest_root",
    "run_of",
    "standing_again",
    "struck_by",
    "under_gone",
    "who",
]

R = TypeVar("R")
T = TypeVar("T")
Content: TypeAlias = "str | tuple[bytes, ...]"
RunId: TypeAlias = tuple[str, int, int]
Anchor: TypeAlias = tuple[str, int, int, int]
Credit: TypeAlias = tuple[int, int, tuple[Stamp, ...]]
_Place: TypeAlias = tuple[Anchor | None, Anchor]
"""The two neighbours of an insertion."""

WORTH_REMEMBERING = 16
"""From how many pieces on a sequence remembers its layout."""

MOST_IN_BLOCK = 128
"""How many pieces stand in one block at most."""

MOST_ASKED = 16
"""How many strikes over one piece are looked at one by one; of more those that somebody has seen are searched for."""

_NO_ROOT = (0.0, "", 0)
PRIME = 314159265358979323846264338327950288459
"""What fingerprints are taken by."""

START: Anchor = ("", 0, 0, 0)
"""The place before everything."""

END: Anchor = ("", 0, 0, 1)
"""The place behind everything."""

EMPTIED = -2
"""Stands in the place of an offset beside what an empty text became that is one unit, behind the strike by which it
had become empty."""

NOTHING_THERE: Anchor = ("", 0, 0, EMPTIED)
"""The same where nothing had been there yet."""

TAKEN_BACK = ":undone"
"""The origin of marks: strikes over what an undo has taken back, by which who has built on that elsewhere is asked."""

SEAL = -1
"""The number of seals: strikes over what a write has set aside that settled a question, by which who goes on from that
without having heard of it is asked. All other strikes have higher numbers."""

NEVER = (math.inf, "", 0)
"""The place behind all writes in their order."""


class Piece(NamedTuple):
    """A part of a run: ``content`` begins ``offset`` characters into the run ``(stamp.replica, stamp.n, k)``.

    ``parent`` is the character that the run was inserted after (``None``: a root run, appended at the end).
    ``line`` marks a run that begins with a separator which is shown only where something stands before it.
    ``struck`` names the strikes over the piece, sorted; one that is no longer in the sequence does not count. A
    piece that is not ``live`` is kept only as an anchor for others. A run that ``replaces`` stands in the place of
    what its strike removed, right behind it. ``beside`` is the other neighbour of a run that an edit inserted, as
    its writer saw it: the character behind it, of a root run the one before it; of one that an empty text became,
    which is one unit, by what that was emptied (``EMPTIED``). Two insertions between the same neighbours were made
    by writers who did not see each other's. ``credits`` tells who wrote what of the run, where what it took from
    that it replaced is forgotten: from where, up to where, and the writes.
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
    credits: tuple[Credit, ...] = ()


class Strike(NamedTuple):
    """A removal; the run with the same id, if there is one, is what the writer put in its place."""

    stamp: Stamp
    k: int


_OPENING: _Place = (None, NOTHING_THERE)
_NO_MORE: dict[RunId, Strike] = {}
_NO_RUNS: frozenset[RunId] = frozenset()
_MOST_APART = 256
"""How many strikes are kept apart from those that versions share."""


class Strikes(Mapping[RunId, Strike]):
    """Strikes by id, in the order in which they were made. Versions of a sequence share all but the newest.

    Args:
        base: what is never changed: many.
        more: others that were made since; they are not in ``base``.
        less: those of both that do not count.
    """

    __slots__ = ("_base", "_less", "_more", "_sum", "_whose")

    def __init__(
        self,
        base: dict[RunId, Strike],
        more: dict[RunId, Strike] = _NO_MORE,
        less: Set[RunId] = frozenset(),
        sum_: list[int] | None = None,
        whose: _Whose | None = None,
    ) -> None:
        self._base = base
        self._sum = [] if sum_ is None else sum_
        self._more = more
        self._less = less
        self._whose = whose or _Whose()

    def __contains__(self, run: object) -> bool:
        return (run in self._base or run in self._more) and run not in self._less

    def __getitem__(self, run: RunId) -> Strike:
        if run in self._less:
            raise KeyError(run)
        return self._more[run] if run in self._more else self._base[run]

    def __iter__(self) -> Iterator[RunId]:
        runs = chain(self._base, self._more)
        return (run for run in runs if run not in self._less) if self._less else runs

    def __len__(self) -> int:
        return len(self._base) + len(self._more) - len(self._less)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Strikes):
            return NotImplemented
        if self._base is other._base and self._less == other._less:
            return self._more == other._more
        return self._together() == other._together()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(dict(self))

    def all(self) -> list[Strike]:
        """Returns the strikes, in their order."""
        more, less = self._more, self._less
        found = [*self._base.values(), *more.values()]
        return found if not less else [strike for strike in found if run_of(strike) not in less]

    def standing(self, runs: Iterable[RunId]) -> list[RunId]:
        """Returns those of some strikes that are here: over one piece there may be very many."""
        base, more, less = self._base, self._more, self._less
        found = [run for run in runs if run in base or run in more]
        return [run for run in found if run not in less] if less else found

    def first(self, runs: Iterable[RunId], but: Set[RunId]) -> Strike | None:
        """Returns the first of some strikes that is here, and not one of others; ``None`` if there is none."""
        base, more, less = self._base, self._more, self._less
        for run in runs:
            strike = base.get(run) or more.get(run)
            if strike is not None and run not in less and run not in but:
                return strike
        return None

    def any_seen(self, runs: Iterable[RunId], seen: SeenBy) -> bool:
        """Tells whether one of some strikes is here, and seen."""
        base, more, less = self._base, self._more, self._less
        for run in runs:
            strike = base.get(run) or more.get(run)
            if strike is not None and run not in less and seen(strike[0]):
                return True
        return False

    def stamps(self, runs: Iterable[RunId]) -> list[Stamp]:
        """Returns the stamps of some strikes that are here."""
        base, more = self._base, self._more
        return [(more[run] if run in more else base[run])[0] for run in runs]

    def of(self, origin: str) -> list[RunId]:
        """Returns the strikes of one scope, among them some that are not here."""
        more = [run for run, strike in self._more.items() if strike[0][4] == origin]
        return [*self._whose.among(self._base).get(origin, ()), *more]

    def seals(self) -> list[RunId]:
        """Returns the seals, among them some that are not here."""
        return [*self._whose.seals_among(self._base), *[run for run in self._more if run[2] == SEAL]]

    def but(self, added: Mapping[RunId, Strike], gone: Set[RunId]) -> Strikes:
        """Others: without some of those that are here, and with more of them."""
        if not added and not gone:
            return self
        less = self._less | gone if gone else self._less
        apart = len(self._more) + len(added) + len(less)
        if apart <= max(_MOST_APART, len(self._base) >> 6) and less.isdisjoint(added):
            return Strikes(self._base, {**self._more, **added}, less, self._sum, self._whose)
        kept = Strikes(self._base, self._more, less)._together()
        news = chain(self._more, added.keys() - kept.keys())
        sum_ = [self._sum[0] + _sum_of(news) - _sum_of(less)] if self._sum else None
        return Strikes({**kept, **added}, sum_=sum_)

    def sum(self) -> int:
        """Returns what tells these from others, in whatever order they are."""
        if not self._sum:
            self._sum.append(_sum_of(self._base))
        gone = [run for run in self._less if run in self._base]
        return self._sum[0] - _sum_of(gone) + _sum_of(run for run in self._more if run not in self._less)

    def _added_to(self, before: Strikes) -> list[Strike] | None:
        """The strikes that an earlier mapping does not have, if that is all in which they differ: mostly it is."""
        runs, earlier = [*self._more], [*before._more]
        if self._base is not before._base or self._less is not before._less or runs[: len(earlier)] != earlier:
            return None
        return [self._more[run] for run in runs[len(earlier) :] if run not in self._less]

    def changed_from(self, before: Strikes) -> tuple[list[Strike], list[Strike]]:
        """Returns the strikes that an earlier mapping does not have, and those that only it has."""
        if self is before:
            return [], []
        added = self._added_to(before)
        if added is not None:
            return added, []
        if self._base is before._base:
            return self._changed_apart_from(before)
        ours, theirs = self._together(), before._together()
        added = [strike for run, strike in ours.items() if run not in theirs]
        return added, [strike for run, strike in theirs.items() if run not in ours]

    def _changed_apart_from(self, before: Strikes) -> tuple[list[Strike], list[Strike]]:
        """The same of an earlier mapping that shares all but what is kept apart."""
        news = self._more.keys() ^ before._more.keys()
        apart = (self._less ^ before._less) - news
        ours = [*apart, *[run for run in self._more if run in news]]
        theirs = [*apart, *[run for run in before._more if run in news]]
        added = [self[run] for run in ours if run in self and run not in before]
        return added, [before[run] for run in theirs if run in before and run not in self]

    def _together(self) -> dict[RunId, Strike]:
        """The strikes in one dictionary, for whoever looks at all of them."""
        if not self._more and not self._less:
            return self._base
        together = {**self._base, **self._more}
        for run in self._less:
            del together[run]
        return together


def _sum_of(runs: Iterable[RunId]) -> int:
    return sum([zlib.crc32(f"{replica},{n},{k}".encode("utf-8", "surrogatepass")) for replica, n, k in runs])


class _Whose:
    """Whose strikes are which: of those that versions share, found out once."""

    __slots__ = ("_by_origin", "_seals")

    def __init__(self) -> None:
        self._by_origin: dict[str, list[RunId]] | None = None
        self._seals: list[RunId] | None = None

    def among(self, strikes: dict[RunId, Strike]) -> dict[str, list[RunId]]:
        if self._by_origin is None:
            found: dict[str, list[RunId]] = {}
            for run, strike in strikes.items():
                found.setdefault(strike[0][4], []).append(run)
            self._by_origin = found
        return self._by_origin

    def seals_among(self, strikes: dict[RunId, Strike]) -> list[RunId]:
        if self._seals is None:
            self._seals = [run for run in strikes if run[2] == SEAL]
        return self._seals


def _stands(piece: Piece, origin: str, strikes: Strikes) -> bool:
    """Whether a scope has put a piece and not struck it itself."""
    if piece[0][4] != origin or not piece[7]:
        return False
    return not (piece[6] and origin in [stamp[4] for stamp in strikes.stamps(strikes.standing(piece[6]))])


def who(stamp: Stamp) -> str | tuple[str, int]:
    """Tells whose write it is: a scope's, or one of its own."""
    return stamp[4] or (stamp[1], stamp[2])


def common_to_run(piece: Piece) -> tuple[object, ...]:
    """Returns what a piece has in common with all of its run: where that came from."""
    return (piece.stamp, piece.parent, piece.line, piece.replaces, piece.beside, piece.credits)


def first_of(piece: Piece) -> Anchor:
    """Returns the first character of a piece."""
    return (*run_of(piece), piece.offset)


def last_of(piece: Piece) -> Anchor:
    """Returns the last character of a piece."""
    return (*run_of(piece), piece.offset + len(piece.content) - 1)


def run_of(item: Piece | Strike) -> RunId:
    """Returns the id of the run that a piece belongs to, or of a strike."""
    return (item.stamp.replica, item.stamp.n, item.k)


def is_mark(strike: Strike) -> bool:
    """Tells whether a strike says of what it is over that it was taken back."""
    return strike[0][4] == TAKEN_BACK


def is_opening(piece: Piece) -> bool:
    """Tells whether a piece is of what an empty text became, that is one unit."""
    beside = piece[9]
    return beside is not None and beside[3] == EMPTIED


def _place_of(piece: Piece) -> _Place:
    """Between which neighbours an edit inserted a piece."""
    beside = piece[9]
    assert beside is not None
    return _OPENING if beside[3] == EMPTIED else (piece[4], beside)


def is_seal(strike: Strike) -> bool:
    """Tells whether a strike says of what it is over that it was set aside."""
    return strike[1] == SEAL


def is_note(strike: Strike) -> bool:
    """Tells whether a strike removes nothing, but says what became of that which it is over."""
    return is_mark(strike) or is_seal(strike)


def struck_by(struck: tuple[RunId, ...], more: Iterable[RunId]) -> tuple[RunId, ...]:
    """Returns the strikes over a piece, with more of them."""
    new = sorted({*more})
    return (*struck, *new) if not (struck and new) or struck[-1] < new[0] else tuple(sorted({*struck, *new}))


def newest_root(pieces: Iterable[Piece]) -> tuple[float, str, int]:
    """Returns the place of the newest root run in the order of writes."""
    return max((order_of(piece.stamp) for piece in pieces if piece.parent is None), default=_NO_ROOT)


Under: TypeAlias = dict[RunId, list[tuple[int, "Piece"]]]
"""Of strikes which pieces they are over, with their numbers."""


def under_gone(pieces: Iterable[Piece], strikes: Mapping[RunId, Strike]) -> Under:
    """Tells over which pieces those strikes are that do not stand any more."""
    under: Under = {}
    for number, piece in enumerate(pieces):
        for run in piece.struck:
            if run not in strikes:
                under.setdefault(run, []).append((number, piece))
    return under


def standing_again(under: Under, runs: Iterable[RunId]) -> list[tuple[int, Piece]]:
    """Finds the live pieces, with their numbers, in the place of which some runs stood that were taken back, or others
    that these had replaced: over them are strikes with the ids of those, which do not stand any more
    (``under_gone``)."""
    found: dict[int, Piece] = {}
    waiting = [*runs]
    known = {*waiting}
    while waiting:
        for number, piece in under.get(waiting.pop(), ()):
            if piece.live:
                found[number] = piece
            elif run_of(piece) not in known:
                known.add(run_of(piece))
                waiting.append(run_of(piece))
    return sorted(found.items())


class Changed(NamedTuple):
    """Pieces that are others in a later sequence, or are seen otherwise: by number there, and in the earlier one."""

    was_first: int
    was_past: int
    first: int
    past: int


class Edit(NamedTuple):
    """Other pieces in the place of those from a number on, and before another."""

    first: int
    past: int
    pieces: Items[Piece]


class Seed(NamedTuple):
    """A layout of a sequence that has most in common with another, to make that one's from it.

    Attributes:
        key: how it was laid out.
        layout: the layout.
        changed: what differs in the other, in order.
    """

    key: Any
    layout: Any
    changed: tuple[Changed, ...]


class Agreement(NamedTuple):
    """What comes of strikes that meet and agree.

    Attributes:
        runs: these strikes.
        hidden: the runs of them that are not shown, since others put the same.
        also: the runs that are shown in place of those, with the writes of these.
    """

    runs: tuple[RunId, ...]
    hidden: tuple[RunId, ...]
    also: tuple[tuple[RunId, tuple[Stamp, ...]], ...]


class Gone(NamedTuple):
    """What is removed of a text in a block in which nothing else is.

    Attributes:
        runs: the strikes over it.
        removers: who has removed it: of each piece the one whose strike is the first.
        since: when the first of them did.
        removed: what it is, one after the other.
    """

    runs: frozenset[RunId]
    removers: frozenset[str | tuple[str, int]]
    since: tuple[float, str, int]
    removed: str


class Fingerprint(NamedTuple):
    """The fingerprint of all that tells some pieces from others, one after the other: that of two such ends in place of
    one is told by theirs (Karp and Rabin 1987).

    Attributes:
        value: the number that its bytes are, modulo a prime.
        shift: by what that of something before it is to be multiplied.
        size: how many bytes these are.
    """

    value: int
    shift: int
    size: int


class Block:
    """Neighbouring pieces, with what tells without a look at each whether something is among them.

    A sequence consists of blocks, and versions of it share those in which nothing changed: an edit copies as many
    references as there are blocks, and pieces only where it takes place.
    """

    __slots__ = (
        "_fingerprint",
        "_gone",
        "_hosts",
        "_newest",
        "_oldest",
        "_origins",
        "_places",
        "_runs",
        "_several",
        "_struck",
        "pieces",
    )

    def __init__(self, pieces: tuple[Piece, ...], newest: dict[str, int] | None = None) -> None:
        self.pieces = pieces
        self._newest = newest
        self._oldest: float | None = None
        self._runs: frozenset[RunId] | None = None
        self._hosts: frozenset[Anchor] | None = None
        self._struck: frozenset[RunId] | None = None
        self._origins: frozenset[str] | None = None
        self._several: list[int] | None = None
        self._places: dict[_Place, list[int]] | None = None
        self._fingerprint: Fingerprint | None = None
        self._gone: Gone | Literal[False] | None = None  # ``False``: there is something that nobody struck

    def gone(self, strikes: Strikes) -> Gone | None:
        """Returns what is removed here, if that is all that is here and each strike over it stands; else ``None``."""
        if self._gone is None:
            live = [piece for piece in self.pieces if piece[7]]
            if not all(piece[6] for piece in live):
                self._gone = False
                return None
            runs = frozenset(chain.from_iterable([piece[6] for piece in live]))
            if len(strikes.standing(runs)) < len(runs):
                return None
            stamps = [strikes[piece[6][0]][0] for piece in live if isinstance(piece[3], str)]
            removed = "".join([str(piece[3]) for piece in live if isinstance(piece[3], str)])
            since = min([order_of(stamp) for stamp in stamps], default=NEVER)
            self._gone = Gone(runs, frozenset(map(who, stamps)), since, removed)
            return self._gone
        return self._gone if self._gone and len(strikes.standing(self._gone.runs)) == len(self._gone.runs) else None

    @property
    def fingerprint(self) -> Fingerprint:
        """What tells these pieces from others."""
        if self._fingerprint is None:
            told = [
                (stamp[1], stamp[2], k, offset, content, live, struck if len(struck) < 2 else sorted(struck))
                for stamp, k, offset, content, _, _, struck, live, *_ in self.pieces
            ]
            whole = to_json(told)[1:-1] + b"," if told else b""  # whatever blocks they lie in
            self._fingerprint = Fingerprint(int.from_bytes(whole) % PRIME, pow(256, len(whole), PRIME), len(whole))
        return self._fingerprint

    def prepare(self) -> None:
        """Finds out what versions of a sequence that share this ask of it when they travel."""
        _ = self.fingerprint, self.newest

    @property
    def oldest(self) -> float:
        """When the first write was made that put something here which stands."""
        if self._oldest is None:
            self._oldest = min([piece[0][0] for piece in self.pieces if piece[7]], default=math.inf)
        return self._oldest

    @property
    def newest(self) -> dict[str, int]:
        """Of each replica the number up to which its writes have inserted or struck something here, at most."""
        if self._newest is None:
            newest: dict[str, int] = {}
            for piece in self.pieces:
                _, replica, n, *_ = piece[0]
                if n > newest.get(replica, -1):
                    newest[replica] = n
                for replica, n, _ in piece[6]:
                    if n > newest.get(replica, -1):
                        newest[replica] = n
            self._newest = newest
        return self._newest

    def others(self, pieces: Items[Piece], by: Stamp | None) -> list[Block]:
        """Blocks of what has become of the pieces here.

        Args:
            by: of the write that made it; ``None``: nothing came, and nothing was struck.
        """
        if self._newest is None or len(pieces) > MOST_IN_BLOCK:
            return _blocks(pieces)
        newest = self._newest
        if by is not None and newest.get(by.replica, -1) < by.n:
            newest = {**newest, by.replica: by.n}
        return [Block(tuple(pieces), newest)]

    @property
    def runs(self) -> frozenset[RunId]:
        """The runs of which something is here."""
        if self._runs is None:
            self._runs = frozenset([run_of(piece) for piece in self.pieces])
        return self._runs

    @property
    def hosts(self) -> frozenset[Anchor]:
        """The characters behind which something here is anchored."""
        if self._hosts is None:
            self._hosts = frozenset([parent for _, _, _, _, parent, *_ in self.pieces if parent is not None])
        return self._hosts

    @property
    def origins(self) -> frozenset[str]:
        """Whose pieces are here."""
        if self._origins is None:
            self._origins = frozenset([piece[0][4] for piece in self.pieces])
        return self._origins

    @property
    def struck(self) -> frozenset[RunId]:
        """The strikes over something here."""
        if self._struck is None:
            self._struck = frozenset(chain.from_iterable([piece[6] for piece in self.pieces]))
        return self._struck

    @property
    def several(self) -> list[int]:
        """The pieces with more than one strike over them."""
        if self._several is None:
            self._several = [at for at, piece in enumerate(self.pieces) if len(piece[6]) > 1]
        return self._several

    @property
    def places(self) -> dict[_Place, list[int]]:
        """By their neighbours the live pieces of texts that an edit inserted."""
        if self._places is None:
            places: dict[_Place, list[int]] = {}
            for at, piece in enumerate(self.pieces):
                beside = piece[9]
                if beside is not None and piece[7] and isinstance(piece[3], str):
                    place = _OPENING if beside[3] == EMPTIED else (piece[4], beside)
                    places.setdefault(place, []).append(at)
            self._places = places
        return self._places


def _blocks(pieces: Items[Piece]) -> list[Block]:
    """Pieces as blocks."""
    if len(pieces) <= MOST_IN_BLOCK:
        return [Block(tuple(pieces))] if pieces else []
    size = MOST_IN_BLOCK // 2
    return [Block(tuple(pieces[at : at + size])) for at in range(0, len(pieces), size)]


class Sequence:
    """An immutable text (``str`` pieces) or list (tuples of JSON bytes)."""

    __slots__ = (
        "_agreements",
        "_analysis",
        "_authors",
        "_blocks",
        "_crowded",
        "_cut",
        "_dirty",
        "_layout",
        "_mark",
        "_overlapping",
        "_seed",
        "_size",
        "_standing",
        "_starts",
        "_twins",
        "newest_root",
        "strikes",
    )

    def __init__(
        self,
        pieces: Items[Piece],
        strikes: Mapping[RunId, Strike],
        newest_root: tuple[float, str, int] = (0.0, "", 0),
        overlapping: bool | None = None,
    ) -> None:
        kept = strikes if isinstance(strikes, Strikes) else Strikes(dict(strikes))
        self._made_of(_blocks(pieces), len(pieces), kept, newest_root, overlapping)

    def _made_of(
        self,
        blocks: list[Block],
        size: int,
        strikes: Strikes,
        newest_root: tuple[float, str, int],
        overlapping: bool | None,
        twins: frozenset[_Place] | None = None,
    ) -> None:
        self._blocks = blocks
        self._size = size
        self._starts: list[int] | None = None
        self._overlapping = overlapping
        self._twins = twins
        self._crowded: frozenset[RunId] | None = None
        self._agreements: tuple[object, Mapping[RunId, Agreement]] | None = None
        self._dirty: frozenset[RunId] = _NO_RUNS
        self._layout: tuple[Any, Any] | None = None
        self._seed: Seed | None = None
        self._standing: tuple[str, list[int]] | None = None
        self._cut: tuple[object, tuple[Changed, ...]] | None = None
        self._mark: object = None
        self._authors: _Authors | None = None
        self.strikes = strikes
        self.newest_root = newest_root
        self._analysis: Any = None

    def _made(self, blocks: list[Block], size: int, strikes: Strikes, overlapping: bool | None) -> Sequence:
        """Another sequence, at whose beginning are the same roots, and in which no more insertions are alike."""
        other = Sequence.__new__(Sequence)
        other._made_of(blocks, size, strikes, self.newest_root, overlapping, self._twins)
        other._crowded, other._agreements, other._dirty = self._crowded, self._agreements, self._dirty
        return other

    def __len__(self) -> int:
        return self._size

    def __bool__(self) -> bool:
        return self.is_alive()  # as an empty register is nothing; strikes may stand where nothing else does

    def __iter__(self) -> Iterator[Piece]:
        return chain.from_iterable([block.pieces for block in self._blocks])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return self.pieces() == other.pieces() and (self.strikes is other.strikes or self.strikes == other.strikes)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Sequence({self.pieces()!r}, {self.strikes!r})"

    # -- pieces by number ----------------------------------------------------------------------------------------

    @property
    def _begins(self) -> list[int]:
        """The number of the first piece of each block, and that of all pieces."""
        if self._starts is None:
            self._starts = [0, *accumulate([len(block.pieces) for block in self._blocks])]
        return self._starts

    def _find(self, number: int) -> tuple[int, int]:
        """The block that a piece is in, and where."""
        begins = self._begins
        block = bisect_right(begins, number) - 1
        return block, number - begins[block]

    def __getitem__(self, number: int) -> Piece:
        if len(self._blocks) == 1:
            return self._blocks[0].pieces[number]
        block, at = self._find(number if number >= 0 else number + self._size)
        return self._blocks[block].pieces[at]

    def since(self, number: int, upto: int | None = None) -> list[Piece]:
        """Returns a copy of the pieces from a number on, up to another."""
        past = self._size if upto is None or upto > self._size else upto
        if number >= past:
            return []
        if len(self._blocks) == 1:
            return [*self._blocks[0].pieces[number:past]]
        (first, low), (last, high) = self._find(number), self._find(past - 1)
        if first == last:
            return [*self._blocks[first].pieces[low : high + 1]]
        between = [block.pieces for block in self._blocks[first + 1 : last]]
        return [
            *self._blocks[first].pieces[low:],
            *chain.from_iterable(between),
            *self._blocks[last].pieces[: high + 1],
        ]

    def by_block(self, number: int, upto: int) -> Iterable[tuple[int, Items[Piece], Block | None]]:
        """Gives the pieces from a number on, up to another: of each block the number of the first, and these; with the
        block if they are all of it, and many."""
        if len(self._blocks) == 1 and (number or self._size < WORTH_REMEMBERING):
            return ((number, self._blocks[0].pieces[number:upto], None),)
        return self._in_blocks(number, upto)

    def _in_blocks(self, number: int, upto: int) -> Iterator[tuple[int, Items[Piece], Block | None]]:
        if number >= upto:
            return
        begins = self._begins
        for at in range(self._find(number)[0], len(self._blocks)):
            begin, past = begins[at], begins[at + 1]
            if begin >= upto:
                return
            block = self._blocks[at]
            if number <= begin and past <= upto:
                yield begin, block.pieces, block
            else:
                first = max(number, begin)
                yield first, block.pieces[first - begin : upto - begin], None

    def onward(self, number: int) -> Iterator[Piece]:
        """Gives the pieces from a number on."""
        if number < self._size:
            first, low = self._find(number)
            yield from self._blocks[first].pieces[low:]
            for block in self._blocks[first + 1 :]:
                yield from block.pieces

    def backward(self, number: int) -> Iterator[Piece]:
        """Gives the pieces before a number, the last first."""
        if number > 0:
            last, high = self._find(number - 1)
            yield from reversed(self._blocks[last].pieces[: high + 1])
            for block in reversed(self._blocks[:last]):
                yield from reversed(block.pieces)

    def has_run(self, run: RunId) -> bool:
        """Tells whether anything of a run is here."""
        replica, n, _ = run
        return any(block.newest.get(replica, -1) >= n and run in block.runs for block in self._blocks)

    def digest(self) -> str:
        """Returns what tells this from every other text or list, whoever holds it, and however it came to be."""
        value = 0
        for block in self._blocks:
            here, shift, _ = block.fingerprint
            value = (value * shift + here) % PRIME
        return f"{value:x}.{self.weight():x}.{self.strikes.sum():x}"

    def prepare(self) -> None:
        """Finds out what only a look at all pieces tells, as far as it is not known: versions made of this share it."""
        for block in self._blocks:
            block.prepare()
        self.strikes.sum()

    def weight(self) -> int:
        """Estimates how much there is to tell of it, in bytes."""
        return sum([block.fingerprint.size for block in self._blocks])

    def follows(self, before: Sequence) -> bool:
        """Tells whether it is remembered that this was made of an earlier one."""
        return self._cut is not None and self._cut[0] is before._mark

    def remember(self, before: Sequence) -> None:
        """Remembers that this was made of an earlier one, in whatever steps."""
        self._cut = (before._marked(), tuple(self.changed_from(before)))

    def pieces(self) -> list[Piece]:
        """Returns a copy of the pieces, in document order."""
        return [*chain.from_iterable([block.pieces for block in self._blocks])]

    def changed_from(self, before: Sequence) -> Items[Changed]:
        """Tells where this has other pieces than an earlier sequence, in order.

        How it was made from the earlier one is mostly remembered; else most are in the very same blocks, or are the
        very same objects, which tuples compare fast.
        """
        if self._cut is not None and self._cut[0] is before._mark:
            return self._cut[1]
        found: list[Changed] = []
        ours, theirs = self._begins, before._begins
        places = {id(block): at for at, block in enumerate(before._blocks)}
        was = since = 0
        for now, block in enumerate((*self._blocks, None)):
            place = len(before._blocks) if block is None else places.get(id(block), -1)
            if place >= was:
                if (place, now) != (was, since):
                    one, two = before.since(theirs[was], theirs[place]), self.since(ours[since], ours[now])
                    found += _differences(one, two, theirs[was], ours[since])
                was, since = place + 1, now + 1
        return found

    # -- others made of it ---------------------------------------------------------------------------------------

    def appended(self, piece: Piece) -> Sequence:
        """Adds one more root run at the end.

        Returns:
            A sequence that shares its pieces with this one.
        """
        blocks = [*self._blocks]
        if blocks and len(blocks[-1].pieces) < MOST_IN_BLOCK:
            blocks[-1] = Block((*blocks[-1].pieces, piece))
        else:
            blocks.append(Block((piece,)))
        overlapping, twins = self._overlapping, self._twins
        if piece.beside is not None and has_twin(piece, self.backward(self._size)):
            overlapping, twins = True, self.twins | {_place_of(piece)}
        grown = self._made(blocks, self._size + 1, self.strikes, overlapping)
        grown._twins = twins
        size = self._size  # the class's own way to make a tuple is slower, being Python
        changed: tuple[Changed, ...] = (tuple.__new__(Changed, (size, size, size, size + 1)),)
        grown._cut = (self._marked(), changed)
        grown.newest_root = order_of(piece.stamp)
        grown._authors = self._authors
        if grown._authors is not None:
            grown._authors.add(piece.stamp)
        if self._layout is not None:
            grown._seed = Seed(*self._layout, changed)
        elif self._seed is not None and self._seed.changed[-1].past == self._size:
            last = self._seed.changed[-1]
            grown._seed = self._seed._replace(changed=(*self._seed.changed[:-1], last._replace(past=grown._size)))
        standing = self._standing
        if standing is not None and standing[0] == piece.stamp.origin:
            standing = (standing[0], [*standing[1], self._size])
        grown._standing = standing
        return grown

    def replaced(
        self,
        parts: Mapping[int, list[Piece]],
        first: list[Piece],
        by: Stamp,
        strikes: Strikes,
        overlapping: bool | None,
        twins: Iterable[_Place] = (),
    ) -> Sequence:
        """Puts other pieces in the place of some.

        Args:
            parts: what comes in the place of pieces, by number.
            first: what comes before all of them.
            by: of the write that makes it so.
            overlapping: whether anything has to be weighed then; ``None`` if that is to be found out.
            twins: between which neighbours insertions may be alike now.
        """
        blocks, begins = [*self._blocks], self._begins
        size = self._size + len(first)
        numbers = sorted(parts, reverse=True)
        at = 0
        while at < len(numbers):
            place = bisect_right(begins, numbers[at]) - 1
            pieces = [*blocks[place].pieces]
            while at < len(numbers) and numbers[at] >= begins[place]:
                new = parts[numbers[at]]
                pieces[numbers[at] - begins[place] : numbers[at] - begins[place] + 1] = new
                size += len(new) - 1
                at += 1
            blocks[place : place + 1] = blocks[place].others(pieces, by)
        if first:
            blocks[:1] = _blocks([*first, *(blocks[0].pieces if blocks else ())])
        made = self._made(blocks, size, strikes, overlapping)
        if twins:
            made._twins = self.twins.union(twins)
        if self._layout is not None:
            made._seed = Seed(*self._layout, _changed(parts, len(first)))
        if self._crowded is not None:
            made._note_changed([*[self[number] for number in parts], *chain.from_iterable(parts.values())])
        return made

    def spliced(self, edits: Items[Edit], strikes: Strikes, *, alone: bool) -> Sequence:
        """Puts other pieces in the place of some, which may be neighbours of any number.

        Args:
            edits: in order, none of which reaches into another.
            alone: whether all else is seen as before.
        """
        made = self._spliced(edits, strikes, None)
        made.newest_root = self._newest_root_of(made, edits)
        if alone and edits and self._layout is not None:
            made._seed = Seed(*self._layout, tuple(_moved(edits)))
        return made

    def without(self, edits: Items[Edit], strikes: Strikes, moved: bool) -> Sequence:
        """Leaves out pieces that nobody sees, by edits (``spliced``): what is shown stays.

        Args:
            moved: whether something stands behind another character then, maybe where something like it does.
        """
        made = self._spliced(edits, strikes, None if moved or self.overlapping else False)
        made.newest_root = self.newest_root
        if edits and self._layout is not None:
            made._seed = Seed(*self._layout, tuple(_moved(edits)))
        return made

    def _spliced(self, edits: Items[Edit], strikes: Strikes, overlapping: bool | None) -> Sequence:
        blocks, begins = [*self._blocks], self._begins
        for begin, end, together in reversed(self._edits_by_block(edits)):
            pieces = [*chain.from_iterable([block.pieces for block in blocks[begin : end + 1]])]
            for first, past, new in reversed(together):
                pieces[first - begins[begin] : past - begins[begin]] = new
            blocks[begin : end + 1] = _blocks(pieces)
        size = self._size + sum(len(edit.pieces) - (edit.past - edit.first) for edit in edits)
        made = self._made(blocks, size, strikes, overlapping)
        made._twins = None
        if self._crowded is not None:
            parts = [[*self.since(edit.first, edit.past), *edit.pieces] for edit in edits]
            came, gone = strikes.changed_from(self.strikes)
            back = {run_of(strike) for strike in came}  # one that came back may be over other pieces
            made._crowded = self._crowded | back
            made._dirty = self._dirty.union(back, map(run_of, gone))
            made._note_changed([*chain.from_iterable(parts)])
        return made

    def _note_changed(self, pieces: Items[Piece]) -> None:
        """Notes what is to be weighed anew where pieces became others.

        Args:
            pieces: the earlier ones and these.
        """
        several = {run for piece in pieces if len(piece[6]) > 1 for run in piece[6]}
        if several:
            self._crowded = self.crowd.union(self.strikes.standing(several))
        if self._agreements is not None:
            self._dirty = self._dirty.union(*[(run_of(piece), *piece[6]) for piece in pieces])

    def _newest_root_of(self, made: Sequence, edits: Items[Edit]) -> tuple[float, str, int]:
        """The newest root of a sequence that was made of this by edits."""
        gone = [piece.stamp for edit in edits for piece in self.since(edit.first, edit.past) if piece.parent is None]
        came = [piece.stamp for edit in edits for piece in edit.pieces if piece.parent is None]
        newest = max(map(order_of, came), default=_NO_ROOT)
        if newest < self.newest_root <= max(map(order_of, gone), default=_NO_ROOT):
            return newest_root(made)
        return max(newest, self.newest_root)

    def _edits_by_block(self, edits: Iterable[Edit]) -> list[tuple[int, int, list[Edit]]]:
        """Edits by the blocks in which they are: the first and the last of these, and those that have any in common."""
        groups: list[tuple[int, int, list[Edit]]] = []
        last = max(len(self._blocks) - 1, 0)
        for edit in edits:
            begin = min(self._find(edit.first)[0], last)
            end = self._find(edit.past - 1)[0] if edit.past > edit.first else begin
            if groups and begin <= groups[-1][1]:
                groups[-1] = (groups[-1][0], max(end, groups[-1][1]), [*groups[-1][2], edit])
            else:
                groups.append((begin, end, [edit]))
        return groups

    def standing_of(self, origin: str) -> list[tuple[int, Piece]]:
        """Returns the pieces that one scope has put and has not struck itself, with their numbers. Which these are is
        remembered for the last that asked, since it mostly asks again."""
        if self._standing is None or self._standing[0] != origin:
            numbers = [number for number, piece in self._of(origin) if _stands(piece, origin, self.strikes)]
            self._standing = (origin, numbers)
        numbers = self._standing[1]
        if len(self._blocks) == 1:
            pieces = self._blocks[0].pieces
            return [(number, pieces[number]) for number in numbers]
        return [(number, self[number]) for number in numbers]

    def _of(self, origin: str) -> list[tuple[int, Piece]]:
        found: list[tuple[int, Piece]] = []
        for at, block in enumerate(self._blocks):
            if origin in block.origins:
                pieces = enumerate(block.pieces, self._begins[at])
                found += [(number, piece) for number, piece in pieces if piece[0][4] == origin]
        return found

    def _marked(self) -> object:
        """What stands for this sequence, and for no other, where it is not to be kept."""
        if self._mark is None:
            self._mark = object()
        return self._mark

    def only_appends_to(self, before: Sequence) -> bool:
        """Tells whether it is certain that this is an earlier sequence with more pieces at its end."""
        if self.strikes is not before.strikes or before._size >= self._size:
            return False
        return all(changed.was_first == before._size for changed in self.changed_from(before))

    def continue_from(self, before: Sequence, parts: Mapping[int, list[Piece]], first: list[Piece]) -> None:
        """Remembers how this was made, and of one scope's pieces what ``before`` does.

        Args:
            parts: what became of its pieces, by number; the others are as they were.
            first: pieces at the beginning that it does not have.
        """
        self._cut = (before._marked(), _changed(parts, len(first)))
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
        """Tells whether it is certain, without a look at each piece, that somebody has seen none of them."""
        if not self._size or not isinstance(seen, Seen) or seen.origin is None or seen(self[0].stamp):
            return False
        if self._authors is None:
            self._authors = _Authors(self)
        return self._authors.are_unknown_to(seen)

    def may_open_with(self, seen: SeenBy, fits: Callable[[Piece], bool | None]) -> bool:
        """Looks at the first piece that somebody is shown, without weighing; where that cannot tell which, it may.

        Args:
            fits: whether that may be the first piece; ``None`` of one that shows nothing if it is.
        """
        if not self.is_short and self.is_news(seen):
            return False
        strikes, overlapping = self.strikes, self.overlapping
        weighed = overlapping and not self.is_list()
        for piece in self:
            if not piece[7] or not seen(piece[0]):
                continue
            if overlapping and (run_of(piece) in strikes or piece.beside is not None):
                return True
            if not piece[6] or not strikes.any_seen(piece[6], seen):
                verdict = fits(piece)
                if verdict is not None:
                    return verdict
            elif weighed:
                return True
        return False

    def only(self, seen: SeenBy) -> Sequence:
        """Returns what this sequence is made of by the writes alone that somebody has seen: all of it but the few
        others."""
        part = self.shown_to(seen)
        if part is self:
            return self
        strikes = self.strikes
        unseen = {
            run
            for block, seen_block in zip(self._blocks, part._blocks, strict=True)
            if block is not seen_block
            for piece, kept in zip(block.pieces, seen_block.pieces, strict=True)
            if kept[6] is not piece[6]
            for run in strikes.standing({*piece[6]}.difference(kept[6]))
        }
        part.strikes = strikes.but({}, unseen)
        part._dirty |= unseen
        return part

    def shown_to(self, seen: SeenBy, own: Stamp | None = None) -> Sequence:
        """Returns what this sequence shows to somebody who has seen not all of it: what others have put is not live,
        and what others have struck is not struck. Strikes that are over nothing then are not taken out.

        Args:
            own: a write that counts as seen as well.
        """
        if seen is seen_everything:
            return self
        blocks, changed = [*self._blocks], list[Changed]()
        sight = _Sight(self.strikes, seen, own) if isinstance(seen, Seen) and seen.origin is not None else None
        for at, block in self._beyond(seen):
            others = _without(block, self.strikes, seen, own, sight)
            if not others:
                continue
            pieces, begin = [*block.pieces], self._begins[at]
            for number, piece in others.items():
                pieces[number] = piece
                changed.append(Changed(begin + number, begin + number + 1, begin + number, begin + number + 1))
            blocks[at : at + 1] = block.others(pieces, None)
        if not changed:
            return self
        part = self._made(blocks, self._size, self.strikes, False if self._overlapping is False else None)
        if self._layout is not None:
            part._seed = Seed(*self._layout, tuple(changed))
        if part._agreements is not None:
            part._dirty = part._dirty.union(
                *[(run_of(piece), *piece[6]) for piece in (self[number] for number, *_ in changed)]
            )
        return part

    def is_seen(self, seen: SeenBy) -> bool:
        """Tells whether somebody has seen all that stands."""
        strikes = self.strikes
        for _, block in self._beyond(seen):
            for piece in block.pieces:
                if piece[7] and not seen(piece[0]):
                    return False
                for run in reversed(piece[6]):
                    if run in strikes and not seen(strikes[run][0]):
                        return False
        return True

    def begins_at(self) -> float:
        """Tells when the first write was made that put something here which stands; infinite if nothing does."""
        return min((block.oldest for block in self._blocks), default=math.inf)

    def has_beyond(self, known: VersionVector) -> bool:
        """Tells whether something is here that was put by a write which a version vector does not know."""
        for block in self._blocks:
            if any(n > known.get(replica, 0) for replica, n in block.newest.items()) and any(
                piece[7] and not is_covered(piece[0], known) for piece in block.pieces
            ):
                return True
        return False

    def _beyond(self, seen: SeenBy) -> Iterator[tuple[int, Block]]:
        """The blocks in which there may be something that somebody has not seen."""
        known: VersionVector = seen.known if isinstance(seen, Seen) else {}
        for at, block in enumerate(self._blocks):
            for replica, n in block.newest.items():
                if n > known.get(replica, -1):
                    yield at, block
                    break

    def renamed(self, name: Callable[[str], str]) -> Sequence:
        """Returns the same sequence with other names for the replicas in its dots."""

        def run(id_: RunId) -> RunId:
            return (name(id_[0]), *id_[1:])

        def piece(old: Piece) -> Piece:
            parent = old.parent
            if parent is not None and parent != START:
                parent = (name(parent[0]), *parent[1:])
            stamp = old.stamp._replace(replica=name(old.stamp.replica))
            return old._replace(stamp=stamp, parent=parent, struck=struck_by((), map(run, old.struck)))

        strikes = [s._replace(stamp=s.stamp._replace(replica=name(s.stamp.replica))) for s in self.strikes.values()]
        pieces = [piece(old) for old in self]
        newest = max((order_of(p.stamp) for p in pieces if p.parent is None), default=(0.0, "", 0))
        return Sequence(pieces, {run_of(strike): strike for strike in strikes}, newest)

    def is_list(self) -> bool:
        """Tells whether this holds items, not text."""
        return bool(self._size) and not isinstance(self[0].content, str)

    def is_alive(self) -> bool:
        """Tells whether any write to it still stands, marks and seals apart; if none does, the sequence can be
        forgotten."""
        for stamp, k in self.strikes.values():
            if k != SEAL and stamp[4] != TAKEN_BACK:  # no note: asked at each edit
                return True
        return any(piece.live for piece in self)

    def marks(self) -> frozenset[RunId]:
        """Returns the marks that stand."""
        return frozenset(self.strikes.standing(self.strikes.of(TAKEN_BACK)))

    def seals(self) -> frozenset[RunId]:
        """Returns the seals that stand."""
        return frozenset(self.strikes.standing(self.strikes.seals()))

    def stamps(self) -> Iterator[Stamp]:
        """Gives the stamps of the writes that still stand."""
        for piece in self:
            if piece.live:
                yield piece.stamp
        for strike in self.strikes.values():
            yield strike.stamp

    def writes(self) -> Iterator[Stamp]:
        """Gives the same without marks."""
        return (stamp for stamp in self.stamps() if stamp[4] != TAKEN_BACK)

    # -- what is weighed, and what is shown --------------------------------------------------------------------------

    @property
    def overlapping(self) -> bool:
        """Whether anything has to be weighed: several strikes over one piece, insertions that have units in common
        between the same neighbours, or several that are all there is."""
        if self._overlapping is None:
            met = next(self.crowded(self.crowd), None) is not None
            self._overlapping = met or bool(self.alike()) or len(self.openings()) > 1
        return self._overlapping

    def openings(self) -> dict[RunId, list[Piece]]:
        """Returns what an empty text became that is one unit, in the eyes of its writers, by run."""
        found: dict[RunId, list[Piece]] = {}
        for block in self._blocks:
            for at in block.places.get(_OPENING, ()):
                found.setdefault(run_of(block.pieces[at]), []).append(block.pieces[at])
        return found

    @property
    def twins(self) -> frozenset[_Place]:
        """The neighbours between which several insertions may have units in common."""
        if self._twins is None:
            runs: dict[_Place, set[RunId]] = {}
            for block in self._blocks:
                for place, numbers in block.places.items():
                    runs.setdefault(place, set()).update([run_of(block.pieces[at]) for at in numbers])
            self._twins = frozenset([place for place, found in runs.items() if len(found) > 1])
        return self._twins

    def alike(self) -> list[dict[RunId, list[Piece]]]:
        """Returns the insertions, by run, that have units in common between the same neighbours."""
        twins, found = self.twins, dict[_Place, dict[RunId, list[Piece]]]()
        for block in self._blocks if twins else ():
            for place in [place for place in twins if place in block.places]:
                runs = found.setdefault(place, {})
                for at in block.places[place]:
                    runs.setdefault(run_of(block.pieces[at]), []).append(block.pieces[at])
        several = [runs for runs in found.values() if len(runs) > 1]
        return [
            runs
            for runs in several
            if _have_common_units([[str(piece.content) for piece in parts] for parts in runs.values()])
        ]

    @property
    def crowd(self) -> frozenset[RunId]:
        """The strikes that stand over pieces together with others, and maybe some that do not any more.

        They are known from the versions of which this was made: what was settled is not looked at again.
        """
        if self._crowded is None:
            several = [block.pieces[at][6] for block in self._blocks for at in block.several]
            standing = map(self.strikes.standing, several)
            self._crowded = frozenset(chain.from_iterable([over for over in standing if len(over) > 1]))
        return self._crowded

    def crowded(self, runs: Iterable[RunId]) -> Iterator[tuple[Piece, list[RunId]]]:
        """Gives the pieces that some strikes stand over together with others, with all of these."""
        strikes = self.strikes
        runs = {*strikes.standing(runs)}
        for _, piece in self.under(runs) if runs else ():
            if len(piece[6]) > 1:
                standing = strikes.standing(piece[6])
                if len(standing) > 1:
                    yield piece, standing

    def agreements(self, rules: object) -> dict[RunId, Agreement]:
        """Returns what was found of strikes that meet and agree, by some rules, as long as nothing that it was found by
        is another: by strike."""
        if self._agreements is None or self._agreements[0] != rules:
            return {}
        known = dict(self._agreements[1])
        over = self.under(self._dirty) if known else ()  # who went on from one of them may part them
        for run in self._dirty.union(run_of(piece) for _, piece in over):
            for other in known[run].runs if run in known else ():
                del known[other]
        return known

    def remember_agreements(
        self, rules: object, agreements: Mapping[RunId, Agreement], others: Iterable[RunId]
    ) -> None:
        """Remembers what was found of strikes that meet and agree, for versions that are made of this.

        Args:
            others: strikes that meet others, and do not agree.
        """
        self._agreements, self._dirty = (rules, agreements), _NO_RUNS
        self._crowded = frozenset(chain(agreements, others))

    def touching(self, runs: Set[RunId]) -> Iterator[tuple[int, Piece]]:
        """Gives the pieces of some runs, and those that strikes with these ids are over, with their numbers."""
        for at, block in enumerate(self._blocks):
            if not (runs.isdisjoint(block.runs) and runs.isdisjoint(block.struck)):
                for number, piece in enumerate(block.pieces, self._begins[at]):
                    if run_of(piece) in runs or not runs.isdisjoint(piece.struck):
                        yield number, piece

    def under(self, runs: Set[RunId]) -> Iterator[tuple[int, Piece]]:
        """Gives the pieces that strikes with these ids are over, with their numbers."""
        for at, block in enumerate(self._blocks):
            if not runs.isdisjoint(block.struck):
                for number, piece in enumerate(block.pieces, self._begins[at]):
                    if not runs.isdisjoint(piece.struck):
                        yield number, piece

    def anchored(self, places: Set[Anchor]) -> Iterator[tuple[int, Piece]]:
        """Gives the pieces of what was inserted behind some characters, with their numbers."""
        for at, block in enumerate(self._blocks):
            if not places.isdisjoint(block.hosts):
                for number, piece in enumerate(block.pieces, self._begins[at]):
                    if piece.parent in places:
                        yield number, piece

    def analysed(self, rules: R, compute: Callable[[Sequence, R], T]) -> T:
        """Computes what its changes are worth by some rules, remembered: a sequence never changes."""
        if not self.overlapping:
            return compute(self, rules)
        if self._analysis is None or self._analysis[0] != rules:
            self._analysis = (rules, compute(self, rules))
        return self._analysis[1]  # type: ignore[no-any-return]

    @property
    def is_short(self) -> bool:
        """Whether it has so few pieces that no layout is remembered with it."""
        return self._size < WORTH_REMEMBERING

    @property
    def has_layout(self) -> bool:
        """Whether a layout is remembered."""
        return self._layout is not None

    def laid_out(self, key: object, compute: Callable[[Seed | None], T]) -> T:
        """Returns a layout, remembered under a key.

        Args:
            compute: makes it, from that of a sequence that has most in common with this one where there is one.
        """
        if self._layout is None or self._layout[0] != key:
            seed, self._seed = self._seed, None
            self._layout = (key, compute(seed))
        return self._layout[1]


EMPTY = Sequence([], {}, overlapping=False)
"""A text or list to which nobody has written."""


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


class _Sight:
    """Tells of very many strikes over one piece those that somebody has seen, without a look at each: they are sorted,
    and of those of the replica that are newer than what was there when the scope began it has seen its own.

    Args:
        own: a write that counts as seen as well.
    """

    def __init__(self, strikes: Strikes, seen: Seen, own: Stamp | None) -> None:
        self.strikes = strikes
        self.seen = seen
        self.own = own
        self._newer: RunId = (seen.replica, seen.upto + 1, -1)
        self._mine: list[RunId] | None = None

    @property
    def mine(self) -> list[RunId]:
        """The scope's own strikes."""
        if self._mine is None:
            own = self.own
            self._mine = self.strikes.of(str(self.seen.origin))
            if own is not None and own.origin != self.seen.origin:
                self._mine += [run for run in self.strikes.of(own.origin) if run[:2] == own[1:3]]
        return self._mine

    def of(self, struck: tuple[RunId, ...]) -> tuple[RunId, ...]:
        replica, first, past = self.seen.replica, 0, len(struck)
        if struck[0][0] != replica or struck[-1][0] != replica:
            first = bisect_left(struck, (replica, -1, -1))
            past = bisect_left(struck, (f"{replica}\x00", -1, -1), first)
        newer = bisect_left(struck, self._newer, first, past)
        mine = self._own(struck, newer, past) if newer < past else []
        strikes = self.strikes
        elsewhere = strikes.standing(struck[:first] + struck[past:]) if past - first < len(struck) else []
        others = [run for run in elsewhere if self.seen(strikes[run][0])]
        if len(others) + newer - first + len(mine) == len(struck):
            return struck
        gone = [run for run in (*struck[:first], *struck[newer:]) if run not in strikes] if self._is_noted else ()
        return struck_by(struck[first:newer], (*others, *mine, *gone))

    @property
    def _is_noted(self) -> bool:
        """Whether it is told of something what became of it: that is found by strikes that do not stand any more."""
        return bool(self.strikes.seals() or self.strikes.of(TAKEN_BACK))

    def _own(self, struck: tuple[RunId, ...], first: int, past: int) -> list[RunId]:
        """The scope's own strikes, from one place up to another."""
        mine = self.mine
        if len(mine) > past - first:
            return [*{*mine}.intersection(struck[first:past])]
        at = [bisect_left(struck, run, first, past) for run in mine]
        return [run for run, place in zip(mine, at, strict=True) if place < past and struck[place] == run]


def _without(block: Block, strikes: Strikes, seen: SeenBy, own: Stamp | None, sight: _Sight | None) -> dict[int, Piece]:
    """The pieces of a block that are others for somebody who has seen not all of it, by their number in the block."""
    pieces = block.pieces
    over = [piece[6] for piece in pieces]
    found = _searched(over, sight)
    standing = strikes.standing(chain.from_iterable(over))
    stamps = strikes.stamps(standing)
    unseen = _unseen([piece[0] for piece in pieces] + stamps, seen)
    unseen -= {own}
    if not unseen and not found:
        return {}
    gone = {run for run, stamp in zip(standing, stamps, strict=True) if stamp in unseen}
    others: dict[int, Piece] = {}
    for at, piece in enumerate(pieces):
        struck = found[at] if at in found else piece[6]
        if not gone.isdisjoint(over[at]):
            struck = tuple([run for run in struck if run not in gone])
        if struck is not piece[6] or piece[0] in unseen:
            others[at] = piece._replace(struck=struck, live=piece[7] and piece[0] not in unseen)
    return others


def _searched(over: list[tuple[RunId, ...]], sight: _Sight | None) -> dict[int, tuple[RunId, ...]]:
    """Takes very many strikes over one piece out of those over some pieces; returns what is seen of them, by number."""
    if sight is None or sum(map(len, over)) <= MOST_ASKED:
        return {}
    many = [at for at, struck in enumerate(over) if len(struck) > MOST_ASKED]
    found = {at: sight.of(over[at]) for at in many}
    for at in many:
        over[at] = ()
    return found


def _unseen(stamps: Iterable[Stamp], seen: SeenBy) -> set[Stamp]:
    if isinstance(seen, Seen):
        return seen.missing(stamps)
    return {stamp for stamp in {*stamps} if not seen(stamp)}


def _changed(parts: Mapping[int, list[Piece]], first: int) -> tuple[Changed, ...]:
    """What differs in a sequence in which other pieces are in the place of some.

    Args:
        first: how many came before all of them.
    """
    changed = [Changed(0, 0, 0, first)] if first else []
    shift = first
    for number in sorted(parts):
        past = number + shift + len(parts[number])
        one = (number, number + 1, number + shift, past)
        changed.append(tuple.__new__(Changed, one))  # the class's own is slower, being Python
        shift = past - number - 1
    return tuple(changed)


def _moved(edits: Iterable[Edit]) -> Iterator[Changed]:
    shift = 0
    for first, past, pieces in edits:
        yield Changed(first, past, first + shift, first + shift + len(pieces))
        shift += len(pieces) - (past - first)


def _differences(one: list[Piece], two: list[Piece], was_begin: int, begin: int) -> Iterator[Changed]:
    """Where pieces are others than earlier ones.

    Args:
        one: the earlier ones, from ``was_begin`` on.
        two: the later ones, from ``begin`` on.
    """
    head = common_prefix(one, two)
    tail = common_suffix(one, two, min(len(one), len(two)) - head)
    places = {first_of(piece): at for at, piece in enumerate(one[head : len(one) - tail], head)}
    was, now = head, head
    for at, piece in enumerate(two[head : len(two) - tail], head):
        place = places.get(first_of(piece), -1)
        if place >= was and one[place] == piece:
            if (place, at) != (was, now):
                yield Changed(was_begin + was, was_begin + place, begin + now, begin + at)
            was, now = place + 1, at + 1
    if (was, now) != (len(one) - tail, len(two) - tail):
        yield Changed(was_begin + was, was_begin + len(one) - tail, begin + now, begin + len(two) - tail)


def _have_common_units(contents: Iterable[list[str]]) -> bool:
    known: set[str] = set()
    for parts in contents:
        mine = _units_of("".join(parts))
        if mine & known:
            return True
        known |= mine
    return False


def _units_of(content: str) -> set[str]:
    """What insertions are compared by: the smallest units of which parts of them may be equal; a gap is one."""
    return {content[start:end] for start, end in units(content, "sentence")} or {content}


def has_twin(piece: Piece, onward: Iterable[Piece]) -> bool:
    """Tells whether something between the neighbours of a new insertion has units in common with it, or is a change of
    the same empty text.

    Args:
        onward: the pieces from its left neighbour on; of a root those before it, the last first.
    """
    parent, beside, opens = piece.parent, piece.beside, is_opening(piece)
    assert beside is not None
    found: list[Piece] = []
    for other in onward:  # as many as there are writers at that place
        near = other[9]
        if near is not None and other[7] and (is_opening(other) if opens else near == beside and other[4] == parent):
            found.append(other)
        elif _is_in(beside, other):
            break
    if opens or not found:
        return bool(found)
    return _has_units_of(piece, found if parent is not None else found[::-1])


def _has_units_of(piece: Piece, others: list[Piece]) -> bool:
    """Whether a piece has units in common with what one of some runs says, whose pieces are in order."""
    mine, text = _units_of(str(piece.content)), "".join([str(other[3]) for other in others])
    return any(unit in text for unit in mine) and any(not mine.isdisjoint(_units_of(text)) for text in _runs_of(others))


def _runs_of(pieces: Iterable[Piece]) -> list[str]:
    """The texts of some pieces, by run."""
    runs: dict[RunId, list[str]] = {}
    for piece in pieces:
        runs.setdefault(run_of(piece), []).append(str(piece.content))
    return ["".join(parts) for parts in runs.values()]


def _is_in(anchor: Anchor, piece: Piece) -> bool:
    """Whether a character is in a piece."""
    return run_of(piece) == anchor[:3] and piece.offset <= anchor[3] < piece.offset + len(piece.content)
