"""A container that was deleted while others wrote to it: what is known of that, kept up to date with the container.

What a look at all of it finds (``concordant.merge.kinds.nodes``) is known here after a look at what has changed.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from concordant.merge.causality import ASKED, Entry, Register, Stamp
from concordant.merge.kinds.base import Contest, Field, Look, Memory
from concordant.merge.kinds.weighing import Option, digest_of
from concordant.merge.registers import PARKED, LeafChange, Path, Tree, agreed, leaf_at, leaves, place_leaf
from concordant.merge.registers.leaf import Leaf, as_register, is_sequence, stands, writes_of
from concordant.merge.registers.standing import Kept, came_and_gone
from concordant.values import ABSENT, canonical_of, encode_read

__all__ = ["Doubt", "replaced"]

_DELETION = digest_of(None)


def replaced(leaf: Leaf, counts: Callable[[Stamp], bool]) -> Register | None:
    """Tells what stood in a leaf before the writes that count, as far as they carry it."""
    found = agreed(tuple([entry for entry in as_register(leaf) if counts(entry.stamp)]))
    if found is None or found.value is None:
        return None
    return (Entry(Stamp(found.time, found.replica, found.n, "", "", ""), found.value),)


class _Writes:
    """Writes in their order, each once, and who made them."""

    __slots__ = ("_agents", "_told", "stamps")

    def __init__(self) -> None:
        self.stamps: list[Stamp] = []
        self._agents: dict[str, None] | None = {}
        self._told: tuple[tuple[Stamp, ...], tuple[str, ...]] | None = None

    def add(self, stamp: Stamp) -> None:
        """Takes one more, which is not among them."""
        self._told = None
        if self.stamps and stamp < self.stamps[-1]:
            insort(self.stamps, stamp)
            self._agents = None
            return
        self.stamps.append(stamp)
        if self._agents is not None:
            self._agents[stamp.agent] = None

    def discard(self, stamp: Stamp) -> None:
        """Takes one out that is among them."""
        del self.stamps[bisect_left(self.stamps, stamp)]
        self._agents = self._told = None

    def told(self) -> tuple[tuple[Stamp, ...], tuple[str, ...]]:
        """The writes and their agents; the same object until they change."""
        if self._told is None:
            if self._agents is None:
                self._agents = dict.fromkeys([stamp.agent for stamp in self.stamps])
            self._told = (tuple(self.stamps), tuple(self._agents))
        return self._told


class _Counts(dict[Stamp, int]):
    """How often each write is somewhere."""

    def add(self, stamps: Iterable[Stamp], more: int) -> None:
        """Counts some once more, or (-1) once less."""
        for stamp in stamps:
            count = self.get(stamp, 0) + more
            if count:
                self[stamp] = count
            else:
                del self[stamp]


class Doubt:
    """What is known of a container that was deleted: what its deletions keep, which writes they had not seen, and what
    was there before.

    Args:
        path: where it is.

    Attributes:
        changes: those in the container since it was looked at last (by whoever changes it).
        tombs: how many deletions of it there are.
        marks: the entries of its own that are no deletions.
    """

    __slots__ = (
        "_asked", "_base", "_before", "_deleted", "_deleters", "_deletions", "_depth", "_hidden", "_inside",
        "_is_new", "_kept", "_known", "_later", "_memory", "_path", "_register", "_said", "_there", "_updated",
        "_updaters", "_writes", "changes", "marks", "tombs",
    )  # fmt: skip

    def __init__(self, path: Path) -> None:
        self._path, self._depth = path, len(path)
        self._is_new = True
        self.changes: list[LeafChange] = []

    def _begin(self) -> None:
        self._kept = Kept()
        self._register: Register = ()
        self.marks: list[Entry] = []
        self.tombs = self._asked = 0
        self._deletions = _Counts()
        self._deleters = _Counts()  # those that they stand for included
        self._deleted = _Writes()
        self._said = _Counts()  # the writes of marks
        self._known = _Counts()  # the writes to what deletions keep
        self._there = _Counts()  # the writes of which something is in the container
        self._writes = _Counts()  # those of them that did more than remove something
        self._inside: dict[Path, _Counts] = {}  # the writes that deletions in the container keep
        self._hidden: dict[Path, set[Stamp]] = {}  # those that are among what is there, and do not count
        self._later: set[Stamp] = set()
        self._updaters = _Writes()
        self._before: Tree = {}
        self._memory = Memory(None)
        self._base: Any = None
        self._updated: tuple[Any, Option, int] | None = None

    def follow(self, cell: Tree) -> None:
        """Goes on with what became of the container."""
        changes, self.changes = self.changes, []
        if self._is_new or not self._goes_on(cell, changes):
            self._begin()
            self._is_new = not self._goes_on(
                cell, [LeafChange((*self._path, *p), None, leaf) for p, leaf in leaves(cell)]
            )

    def is_alive(self, cell: Tree) -> bool:
        """Tells whether updates that the deletions had not seen keep the container readable."""
        if not self._later:
            return False
        return bool(self.marks) or any(stands(leaf) for path, leaf in leaves(cell) if path[0] not in (None, PARKED))

    def contest(
        self, look: Look, field: Field, public: tuple[str, ...], shown: Any, read: Callable[[Look, Tree], Any]
    ) -> Contest:
        """Tells what is contested about the container, which shows this."""
        stamps, agents = self._updaters.told()
        value, known = encode_read(shown), self._updated
        if known is None or known[0] is not stamps or known[1].value != value:
            self._updated = known = (stamps, Option(value, stamps, agents), digest_of(canonical_of(shown, value)))
        _, updated, digest = known
        if self._base is None:
            self._base = self._read_base(read)
        options = updated, Option(None, *self._deleted.told())
        asked = bool(self._asked)
        return Contest(public, self._path, "delete", "", self._base, options, field, digest + _DELETION, asked)

    def _read_base(self, read: Callable[[Look, Tree], Any]) -> Any:
        """The JSON of what was there before; ``ABSENT`` if nothing was."""
        memory, value = self._memory, ABSENT
        if self._before:
            quiet = Look(on_delete="update", sort_keys=True, memory=memory, here=memory.known)
            value = memory.known.value = read(quiet, self._before)
            memory.done((), memory.known)
        memory.changes.clear()
        return ABSENT if value is ABSENT else encode_read(value)

    # -- going on ------------------------------------------------------------------------------------------------

    def _goes_on(self, cell: Tree, changes: Iterable[LeafChange]) -> bool:
        """Takes what has changed; tells whether that was enough."""
        stamps: dict[Stamp, bool] = {}
        places = dict.fromkeys(self._take_register(as_register(cell.get(None)), stamps))
        for path, before, after in changes:
            below = path[self._depth :]
            if below[0] is None or below[0] == PARKED:
                continue
            places[below] = None
            places |= self._take_inside(below, before, after)
            came, gone = _moved(before, after)
            for stamp, _ in (*came, *gone):
                stamps.setdefault(stamp, stamp in self._there)
            for moved, one in ((came, 1), (gone, -1)):
                self._there.add([stamp for stamp, _ in moved], one)
                self._writes.add([stamp for stamp, writes in moved if writes], one)
        if places:
            self._updated = None
            self._hide(cell, places, stamps)
        removed, is_simple = self._removed()
        return self._take_stamps(stamps) and self._take_places(cell, places, removed) and is_simple

    def _take_inside(self, below: Path, before: Leaf | None, after: Leaf | None) -> dict[Path, None]:
        """Takes what became of the deletions of a container in this one; returns the places of what they keep."""
        places: dict[Path, None] = {}
        if below[-1] is not None:
            return places
        for entries, one in zip(came_and_gone(as_register(before), as_register(after)), (1, -1), strict=True):
            for inner, leaf in (part for entry in entries if entry.value is None for part in entry.covered):
                place = (*below[:-1], *inner)
                places[place] = None
                counts = self._inside.setdefault(place, _Counts())
                counts.add(set(writes_of(leaf)), one)  # type: ignore[arg-type]
                if not counts:
                    del self._inside[place]
        return places

    def _hide(self, cell: Tree, places: Iterable[Path], stamps: dict[Stamp, bool]) -> None:
        """Tells again which writes at some places count no more, for a deletion in the container keeps them."""
        for place in places if self._inside or self._hidden else ():
            kept, leaf = self._inside.get(place), leaf_at(cell, place)
            now = {stamp for stamp in writes_of(leaf) if stamp in kept} if kept and leaf is not None else set()
            was = self._hidden.pop(place, set())
            if now:
                self._hidden[place] = now
            for moved, one in ((was - now, 1), (now - was, -1)):
                stamps |= {stamp: stamps.get(stamp, stamp in self._there) for stamp in moved}
                self._there.add(moved, one)
                self._writes.add(moved, one)

    def _take_register(self, register: Register, stamps: dict[Stamp, bool]) -> Iterable[Path]:
        """Takes the entries of its own; returns the places at which its deletions keep something else now."""
        came, gone = came_and_gone(self._register, register)
        self._register = register
        places = self._kept.follow(register)
        for below, before in places.items():
            for moved, one in zip(_moved(before, self._kept.union.get(below)), (1, -1), strict=True):
                self._known.add([stamp for stamp, writes in moved if writes], one)
                stamps |= {stamp: stamp in self._there for stamp, _ in moved}
        for entries, one in ((came, 1), (gone, -1)):
            for entry in entries:
                self._take_entry(entry, one)
                stamps |= {stamp: stamp in self._there for stamp in entry.stamps}
        return places

    def _take_entry(self, entry: Entry, one: int) -> None:
        if entry.value is not None:
            self._said.add(entry.stamps, one)
            if one > 0:
                self.marks.append(entry)
            else:
                self.marks = [mark for mark in self.marks if mark is not entry]
            return
        self.tombs += one
        self._asked += one * (entry.stamp.act == ASKED)
        self._deletions.add((entry.stamp,), one)
        for stamp in entry.stamps:
            was = stamp in self._deleters
            self._deleters.add((stamp,), one)
            if was != (stamp in self._deleters):
                (self._deleted.discard if was else self._deleted.add)(stamp)

    def _take_stamps(self, stamps: Mapping[Stamp, bool]) -> bool:
        """Tells again which writes the deletions had not seen.

        Args:
            stamps: the writes that may have changed, and whether something of them was in the container before.

        Returns:
            Whether what they did at other places tells the same as before.
        """
        is_right = True
        for stamp, was_there in stamps.items():
            was = stamp in self._later
            excluded = stamp in self._known or stamp in self._deletions
            now = stamp in self._said or (stamp in self._writes and not excluded)
            if was != now:
                (self._later.discard if was else self._later.add)(stamp)
                (self._updaters.discard if was else self._updaters.add)(stamp)
                is_right = is_right and not (was_there and stamp in self._there)
        return is_right

    def _removed(self) -> tuple[Mapping[Path, Leaf], bool]:
        """What the deletions keep; and whether nothing else in the container's register keeps anything."""
        if not any(mark.covered for mark in self.marks):
            return self._kept.union, True
        removed = Kept()
        removed.follow(tuple(entry for entry in self._register if entry.value is None))
        return removed.union, False

    def _take_places(self, cell: Tree, places: Iterable[Path], removed: Mapping[Path, Leaf]) -> bool:
        """Tells again what was at some places before the deletions."""
        for below in places:
            before, now = leaf_at(self._before, below), removed.get(below)
            if now is None and below[-1] is not None:
                leaf = leaf_at(cell, below)
                now = None if leaf is None else replaced(leaf, self._later.__contains__)
            if not _are_alike(before, now):
                place_leaf(self._before, below, now)
                self._memory.note(LeafChange(below, before, now))
                self._base = None
        return True


def _moved(before: Leaf | None, after: Leaf | None) -> tuple[list[tuple[Stamp, bool]], list[tuple[Stamp, bool]]]:
    """The stamps that came to a leaf and those that went, and of each whether it is of more than a removal."""
    if is_sequence(before) or is_sequence(after):
        came, gone = ([(stamp, True) for stamp in set(writes_of(leaf or ()))] for leaf in (after, before))
    else:
        entries = came_and_gone(as_register(before), as_register(after))
        came, gone = ([(entry.stamp, entry.value is not None) for entry in some] for some in entries)
    return came, gone


def _are_alike(one: Leaf | None, other: Leaf | None) -> bool:
    """Whether two leaves say the same, whoever wrote it."""
    if one is other:
        return True
    if not isinstance(one, tuple) or not isinstance(other, tuple) or len(one) != 1 or len(other) != 1:
        return False
    (mine,), (theirs,) = one, other
    return (*mine.stamp[:3], mine.value, mine.place) == (*theirs.stamp[:3], theirs.value, theirs.place)
