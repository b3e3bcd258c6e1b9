"""A record: one document's tree under one version vector."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from concordant.merge.causality import (
    Register,
    SeenBy,
    Stamp,
    VersionVector,
    merge_vectors,
    order_of,
    seen_everything,
    source_of,
)
from concordant.merge.kinds.base import Memory
from concordant.merge.record.leases import Leases, end_of, over
from concordant.merge.registers import PARKED, LeafChange, Path, Tree, leaf_at, place_leaf
from concordant.merge.registers.crowds import MANY, Crowd, Exchanged
from concordant.merge.registers.leaf import covers
from concordant.merge.registers.standing import StandingTree
from concordant.merge.registers.tree import copied, leaves_apart, may_be_contested
from concordant.merge.sequence.splice import Former, Spliced
from concordant.values import JSON

__all__ = ["BEFORE", "OWN", "RECENT", "Arrival", "Record", "Setting", "bounded"]

BEFORE = "adopted"
"""The replica of what was there before a workspace: everybody there has seen it, whatever clock its times are of."""

LIVES = 16
"""How many turns of a document's life are remembered."""

RECENT = 256
"""How many of a record's newest commits are remembered by origin."""

Arrival = tuple[int, float, str, int]
"""(local n, local time, replica, n): from the local commit on, the writes of that replica up to n are known here."""

Setting = tuple[float, str, int, JSON | None]
"""Something remembered beside the value: the place of its write in the order of writes, and the JSON (``None``: unset).
The newest stands."""

OWN = "\0"
"""What the names begin with of what Concordant itself remembers beside a value."""

MOST_OWN = 16
"""How much of that is remembered, the newest."""


_NO_PATHS: Any = frozenset()
_EMPTY: Any = {}
"""What most records have nothing in is one object for all of them, until there is something."""


_SEVERAL: Any = object()
"""Stands for changes of several steps, or of steps that are not known."""

_BESIDE = ("vector", "floor", "version", "arrivals", "lives", "leases", "swept", "touched", "reborn", "settings")
_BESIDE += ("created_at", "updated_at", "alien")  # type: ignore[assignment]


class Record:
    """The state of one document.

    A record changes by ``commit`` alone, with changes that ``apply`` or ``join`` computed without touching it; the
    changes are enough to go back.

    Attributes:
        tree: the leaves (``concordant.merge.registers``).
        vector: the writes known, whether they still stand or not.
        version: the number of the last local commit to it.
        arrivals: when writes of other replicas came here.
        suspects: the paths at which something may be contested.
        tombs: those of them that are containers.
        crowds: what is known of registers of many entries, by place.
        memory: what was read of the tree, kept up to date with it (``concordant.merge.record.view``).
        standing: the tree with what deletions keep beside what is live, kept up to date with it, where there is any.
        recent: (n, time, origin) of the newest commits.
        covering: whether a deletion in the tree keeps what it removed.
        floor: of each store up to where writes are of which something is forgotten that was removed from texts and
            lists (``concordant.merge.sequence.trim``).
        lives: the newest writes made here that brought the document to life (``True``) or ended it.
        leases: how long the document lives (``concordant.merge.record.leases``); none: for ever.
        swept: whether it had expired and the sweep has been here since.
        reborn: when it was written again here after it had expired, in seconds since the epoch; 0: never.
        touched: the number of the last local commit that did no more than move the end of leases.
        settings: what is remembered about the document beside its value, by name; it never makes a conflict.
        cache: what it shows, as long as that does not change (by the layer that keeps the record).
        later: writes that are to be applied later (by a storage that puts writes off).
        untold: what was changed and no row of the journal tells of yet; ``None``: nothing.
        alien: whether it may hold what the present model does not make: it was written under another one, or elsewhere.
        shared: whether others may read it meanwhile, so that a reading keeps nothing with it.
        created_at, updated_at: times of the first and the last write, in seconds since the epoch.
    """

    __slots__ = (
        "alien",
        "arrivals",
        "cache",
        "covering",
        "created_at",
        "crowds",
        "floor",
        "later",
        "leases",
        "lives",
        "memory",
        "reborn",
        "recent",
        "settings",
        "shared",
        "standing",
        "suspects",
        "swept",
        "tombs",
        "touched",
        "tree",
        "untold",
        "updated_at",
        "vector",
        "version",
    )

    def __init__(self) -> None:
        self.tree: Tree = {}
        self.vector: VersionVector = {}
        self.floor: VersionVector = _EMPTY
        self.version = 0
        self.arrivals: tuple[Arrival, ...] = ()
        self.suspects: set[Path] = _NO_PATHS
        self.tombs: set[Path] = _NO_PATHS
        self.memory: Memory | None = None
        self.standing: StandingTree | None = None
        self.crowds: dict[Path, Crowd] = _EMPTY
        self.later: Any = None
        self.recent: list[tuple[int, float, str]] = []
        self.covering = False
        self.created_at = 0.0
        self.lives: tuple[tuple[Stamp, bool], ...] = ()
        self.updated_at = 0.0
        self.settings: dict[str, Setting] = _EMPTY
        self.leases: Leases = ()
        self.swept = False
        self.reborn = 0.0
        self.touched = 0
        self.cache: Any = None
        self.untold: Any = None
        self.alien = False
        self.shared = False

    def commit(self, changes: Iterable[LeafChange], stamp: Stamp | None = None) -> None:
        """Takes over changes; ``stamp`` is that of the write that made them."""
        if changes:
            self.untold = changes if self.untold is None else _SEVERAL
        for change in changes:
            path, before, after = change
            place_leaf(self.tree, path, after)
            if self.standing is not None:
                self._keep_standing(self.standing, change)
            elif self.memory is not None:
                self.memory.note(change)
            if path in self.crowds:
                self._follow(path, after)
            self._suspect(path, before, after)
            if path[-1] is None:
                self._node(before, after)
        if stamp is not None:
            if stamp.n > self.vector.get(stamp.replica, 0):
                self.vector[stamp.replica] = stamp.n
            self.version = max(self.version, stamp.n)
            if not self.created_at:
                self.created_at = stamp.time
            self.updated_at = max(self.updated_at, stamp.time)
        self.cache = None

    def tell(self, changes: Iterable[LeafChange]) -> None:
        """Notes that a row of the journal tells of changes: if they are all that were made, nothing is untold."""
        self.untold = None if self.untold is changes or self.untold is None else _SEVERAL

    def untell(self) -> None:
        """Notes that others commit to it: of what that makes contested nobody here is told."""
        if self.memory is not None:
            self.memory.news = None

    def take_over(self, other: Record) -> None:
        """Becomes another one in all but its tree, and what was made of that."""
        for name in _BESIDE:
            setattr(self, name, getattr(other, name))
        self.recent = []
        self.cache = None

    def _keep_standing(self, standing: StandingTree, change: LeafChange) -> None:
        shown = standing.note(change)
        if self.memory is not None:
            for one in shown:
                self.memory.note(one)
            for holder in standing.turned:
                self.memory.read_anew(holder)

    def _follow(self, path: Path, after: Any) -> None:
        if not (isinstance(after, tuple) and len(after) >= MANY and self.crowds[path].follows(after)):
            del self.crowds[path]

    def learn(self, vector: VersionVector) -> None:
        """Notes that more writes are known."""
        if vector:
            self.vector = merge_vectors((self.vector, vector))

    def forget(self, floor: VersionVector) -> None:
        """Notes of which writes something is forgotten."""
        if floor:
            self.floor = merge_vectors((self.floor, floor))

    def _suspect(self, path: Path, before: Any, leaf: Any) -> None:
        if path[-1] is None and path not in self.tombs and isinstance(before, tuple) and leaf and leaf[:-1] == before:
            leaf = leaf[-1:]  # of what was there nothing was
        if may_be_contested(path, leaf):
            self.suspects = self.suspects or set()
            self.suspects.add(path)
            if path[-1] is None:
                self.tombs = self.tombs or set()
                self.tombs.add(path)
        elif path in self.suspects:
            self.suspects.discard(path)
            if path in self.tombs:
                self.tombs.discard(path)

    def crowd_at(self, path: Path, register: Register) -> Crowd | None:
        """Tells what is known of a register of many entries; ``None`` of one that is not what stands at the place."""
        known = self.crowds.get(path)
        if known is None or known.register is not register:
            if leaf_at(self.tree, path) is not register:
                return None
            if self.crowds is _EMPTY:
                self.crowds = {}
            known = self.crowds[path] = Crowd(register)
        return known

    def remember(self, settings: Mapping[str, JSON | None], stamp: Stamp) -> None:
        """Takes over what a write says about the document beside its value."""
        for name, value in settings.items():
            if self.settings is _EMPTY:
                self.settings = {}
            self.settings[name] = (*order_of(stamp), value)
        self.settings = bounded(self.settings)

    def setting(self, name: str) -> JSON | None:
        """Tells what is remembered under a name; ``None`` if nothing is."""
        found = self.settings.get(name)
        return found[3] if found is not None else None

    @property
    def is_undisputed(self) -> bool:
        """Whether nothing in it can be contested, parked, or such as the present model does not make."""
        return not (self.alien or self.suspects or PARKED in self.tree)

    def gone(self, time: float) -> SeenBy | None:
        """Tells which writes are over at a time, in seconds since the epoch; ``None`` if none are."""
        return seen_everything if self.swept else over(self.leases, time)

    def has_expired(self, time: float) -> bool:
        """Tells whether the document is over at a time."""
        return self.swept or end_of(self.leases) <= time

    def note_commit(self, n: int, time: float, origin: str) -> None:
        """Remembers a commit among the newest; of several in a row by one writer the last: who has seen that has seen
        all, for whoever has not there is no need to know which."""
        recent = self.recent
        if recent and recent[-1][2] == origin:
            recent[-1] = (n, time, origin)
            return
        recent.append((n, time, origin))
        if len(recent) >= 2 * RECENT:
            del recent[:RECENT]

    def note_life(self, stamp: Stamp, alive: bool) -> None:
        """Remembers a write that brought the document to life, or ended it."""
        self.lives = (*self.lives[1 - LIVES :], (stamp, alive))

    def lived(self, seen: SeenBy) -> bool:
        """Tells whether the document was there in the eyes of somebody who has seen certain writes."""
        return next((alive for stamp, alive in reversed(self.lives) if seen(stamp)), False)

    def undo(self, changes: Iterable[LeafChange]) -> None:
        """Goes back before changes (on a copy made for reading the past)."""
        steps: list[tuple[Path, Any]] = [(change.path, change.before) for change in changes]
        for path, before in reversed(steps):
            if isinstance(before, (Spliced, Former, Exchanged)):
                before = before.earlier(leaf_at(self.tree, path))
            place_leaf(self.tree, path, before)
        self.recount()

    def copy(self) -> Record:
        """Returns a copy that shares only immutable parts."""
        twin = Record()
        twin.tree = copied(self.tree, made=self.covering)  # what stands beside deletions is told by the very objects
        twin.vector = dict(self.vector)
        twin.floor = self.floor
        twin.arrivals = self.arrivals
        twin.version = self.version
        twin.lives = self.lives
        twin.recent = list(self.recent)
        twin.suspects, twin.tombs = set(self.suspects) or _NO_PATHS, set(self.tombs) or _NO_PATHS
        twin.covering = self.covering
        twin.created_at, twin.updated_at = self.created_at, self.updated_at
        twin.settings = dict(self.settings) or _EMPTY
        twin.leases, twin.swept, twin.touched, twin.reborn = self.leases, self.swept, self.touched, self.reborn
        twin.alien, twin.untold = self.alien, self.untold
        return twin

    def hand_over(self, twin: Record) -> None:
        """Gives what was made of the tree to a copy, which goes on with it."""
        twin.memory, self.memory = self.memory, None
        twin.standing, self.standing = self.standing, None
        twin.crowds, self.crowds = self.crowds, _EMPTY
        if twin.standing is not None:
            twin.standing.move_to(twin.tree)
        if twin.memory is not None and twin.memory.fitting is not None:
            twin.memory.fitting.move_to(twin.tree)

    def recount(self) -> None:
        """Finds suspects and kept leaves anew, for a tree that was not made by ``commit``."""
        self.suspects, self.tombs = _NO_PATHS, _NO_PATHS
        self.covering = False
        self.memory = self.standing = None
        self.untold = _SEVERAL
        self.crowds = _EMPTY
        for path, leaf in leaves_apart(self.tree):
            self._suspect(path, None, leaf)
            if path[-1] is None:
                self._node(None, leaf)
        self.cache = None

    def _node(self, before: Any, after: Any) -> None:
        if covers(after if self.covering else _news(before, after)):
            self.covering = True
        elif self.covering and covers(before):
            self.covering = covers(after) or any(
                covers(leaf) for path, leaf in leaves_apart(self.tree) if path[-1] is None
            )
        if not self.covering and self.standing is not None:
            self.standing = self.memory = None

    def position(self, stamp: Stamp, replica: str) -> tuple[int, float]:
        """Returns the local commit by which a write became known here: (n, time)."""
        source = source_of(stamp.replica)
        if source == replica:
            return stamp.n, stamp.time
        for n, time, origin, upto in self.arrivals:
            if origin == source and stamp.n <= upto:
                return n, time
        return 0, 0.0 if source == BEFORE else stamp.time


def bounded(settings: dict[str, Setting]) -> dict[str, Setting]:
    """Returns settings, of what Concordant itself remembers the newest: whoever leaves out the others, all keep the
    same."""
    own = sorted((name for name in settings if name.startswith(OWN)), key=lambda name: (settings[name][:3], name))
    for name in own[:-MOST_OWN]:
        del settings[name]
    return settings


def _news(before: Any, after: Any) -> Any:
    """A register, or what is new in it where that is an entry more."""
    return after[-1:] if after and isinstance(before, tuple) and after[:-1] == before else after
