"""What stands for a reader where something was deleted: the tree with what deletions keep beside what is live.

``restored`` makes it of a whole tree. A ``StandingTree`` is the same, kept up to date change by change, so that one
more deletion, or one more update beside many, costs what it changes.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Container, Iterable
from operator import is_
from typing import Any, TypeAlias

from concordant.merge.causality import Entry, Register, Seen, SeenBy
from concordant.merge.registers.crowds import exchange
from concordant.merge.registers.leaf import Leaf, Path, as_register, beside, covers
from concordant.merge.registers.tree import LeafChange, Tree, leaf_at, leaves, may_be_contested, place_leaf

__all__ = ["Kept", "StandingTree", "came_and_gone", "keepers"]

_NO_ENTRIES: tuple[Entry, ...] = ()


def came_and_gone(before: Register, after: Register) -> tuple[Iterable[Entry], Iterable[Entry]]:
    """Returns the entries by which one register differs from an earlier one. An entry stays if it is the very same
    object: an equal one covers what it does in a tuple of its own, by which it is known later."""
    if before is after:
        return _NO_ENTRIES, _NO_ENTRIES
    moved = exchange(before, after)
    if moved is not None and all(map(is_, moved.earlier(after), before)):
        return after[len(after) - moved.came :], moved.gone
    old, new = set(map(id, before)), set(map(id, after))
    return [one for one in after if id(one) not in old], [one for one in before if id(one) not in new]


Covered: TypeAlias = tuple[tuple[Path, Any], ...]


class Kept:
    """What the deletions in one container's register keep.

    Attributes:
        union: by the place below the container, that of all deletions as one leaf.
    """

    __slots__ = ("_parts", "_register", "_sharers", "union")

    def __init__(self) -> None:
        self.union: dict[Path, Leaf] = {}
        self._register: Register = ()
        self._sharers: dict[int, int] = {}  # many deletions share one tuple
        self._parts: dict[int, tuple[Covered, dict[Path, Any]]] = {}

    def distinct(self) -> list[Covered]:
        """Tells what single deletions keep; what several share once."""
        return [covered for covered, _ in self._parts.values()]

    def follow(self, register: Register) -> dict[Path, Leaf | None]:
        """Goes on with what became of the register; returns the places at which something else is kept now, with what
        was kept there."""
        came, gone = came_and_gone(self._register, register)
        self._register = register
        if not came and not gone:
            return {}
        places = _differing(came, gone, self._sharers)
        only_more = True
        for entry in came:
            if entry.covered:
                self._share(entry.covered, 1)
        for entry in gone:
            if entry.covered:
                only_more = self._share(entry.covered, -1) and only_more
        changed: dict[Path, Leaf | None] = {}
        for below, new in places.items():
            changed[below] = self.union.get(below)
            found = beside(changed[below], new) if only_more and new is not None else self._gathered(below)
            if found is None:
                self.union.pop(below, None)
            else:
                self.union[below] = found
        return changed

    def _share(self, covered: Covered, more: int) -> bool:
        """Notes that one deletion more or less keeps this; tells whether any still does."""
        count = self._sharers.get(id(covered), 0) + more
        if count == more:
            self._parts[id(covered)] = (covered, dict(covered))
        if count:
            self._sharers[id(covered)] = count
        else:
            del self._sharers[id(covered)], self._parts[id(covered)]
        return bool(count)

    def _gathered(self, below: Path) -> Leaf | None:
        found: Leaf | None = None
        for _, parts in self._parts.values():
            leaf = parts.get(below)
            if leaf is not None:
                found = beside(found, leaf)
        return found


def _differing(came: Iterable[Entry], gone: Iterable[Entry], known: Container[int]) -> dict[Path, Leaf | None]:
    """The places at which entries that came keep something else than those that went; with what one keeps that took
    the place of none. ``known`` tells what others keep as well."""
    before = {entry.stamp: entry.covered for entry in gone}
    found: dict[Path, Any] = {}
    looked_at: set[tuple[int, int]] = set()
    pairs: list[tuple[Any, Any]] = [(before.pop(entry.stamp, ()), entry.covered) for entry in came]
    for old, new in [*pairs, *((old, ()) for old in before.values())]:
        if old is new or (id(old), id(new)) in looked_at or (not old and id(new) in known):
            continue
        looked_at.add((id(old), id(new)))
        was, now = dict(old), dict(new)
        for below in {**was, **now} if was else now:
            if was.get(below) is not now.get(below):
                found[below] = None if was or below in found else now[below]
    return found


def keepers(tree: Tree) -> Callable[[Path], bool]:
    """Tells of which containers of a tree deletions keep something."""
    return {path[:-1] for path, leaf in leaves(tree) if path[-1] is None and covers(leaf)}.__contains__


class StandingTree:
    """A record's tree with what its deletions keep beside what is live.

    Args:
        live: the record's tree.

    Attributes:
        tree: what stands.
        tombs: the registers of containers in it at which something is or was deleted.
        kept: what deletions keep, by the path of their container.
        turned: the containers of which something is kept since the last change, or nothing any more.
    """

    __slots__ = ("_live", "_whereabouts", "kept", "tombs", "tree", "turned")

    def __init__(self, live: Tree) -> None:
        self.tree: Tree = {}
        self.tombs: set[Path] = set()
        self.kept: dict[Path, Kept] = {}
        self.turned: list[Path] = []
        self._live = live
        self._whereabouts: Whereabouts | None = None
        places: dict[Path, None] = {}
        for path, leaf in leaves(live):
            places[path] = None
            if path[-1] is None:
                places |= dict.fromkeys(self._follow(path, leaf))
        for path in places:
            self._place(path)

    def move_to(self, live: Tree) -> None:
        """Goes on with a copy of the live tree."""
        self._live = live

    def keeps(self, holder: Path) -> bool:
        """Tells whether deletions of a container keep something."""
        kept = self.kept.get(holder)
        return kept is not None and bool(kept.union)

    def note(self, change: LeafChange) -> list[LeafChange]:
        """Goes on with a change that was made to the live tree; returns those that it makes to what stands."""
        path, before, after = change
        self.turned.clear()
        if self._whereabouts is not None:
            self._whereabouts.note(path, before, after)
        places = [path]
        if path[-1] is None:
            places += [place for place in self._follow(path, after) if place != path]
        return [found for place in places if (found := self._place(place)) is not None]

    def seen_places(self, seen: SeenBy) -> list[Path] | None:
        """Returns the places of live leaves in which a writer has seen something, and perhaps of others; ``None`` if
        that takes a look at each."""
        if not isinstance(seen, Seen) or seen.origin is None:
            return None
        if self._whereabouts is None:
            self._whereabouts = Whereabouts(self._live, seen.replica)
        return self._whereabouts.seen_by(seen)

    def _follow(self, path: Path, leaf: Any) -> list[Path]:
        holder = path[:-1]
        kept = self.kept.get(holder)
        if kept is None:
            kept = self.kept[holder] = Kept()
        was = bool(kept.union)
        changed = kept.follow(as_register(leaf))
        if was != bool(kept.union):
            self.turned.append(holder)
        if not leaf:
            del self.kept[holder]
        return [(*holder, *below) for below in changed]

    def _place(self, path: Path) -> LeafChange | None:
        """Puts what stands at a place there; ``None`` if that is what stood there."""
        before, leaf = leaf_at(self.tree, path), leaf_at(self._live, path)
        for depth in range(len(path)):
            kept = self.kept.get(path[:depth])
            part = kept.union.get(path[depth:]) if kept is not None else None
            if part is not None:
                leaf = beside(leaf, part)
        if leaf is before:
            return None
        place_leaf(self.tree, path, leaf)
        if path[-1] is None:
            (self.tombs.add if may_be_contested(path, leaf) else self.tombs.discard)(path)
        return LeafChange(path, before, leaf)


class Whereabouts:
    """At which places of a tree writes stand: those of one replica by number and origin."""

    __slots__ = ("_numbers", "_origins", "_others", "_places", "_replica")

    def __init__(self, tree: Tree, replica: str) -> None:
        self._replica = replica
        self._numbers: list[int] = []
        self._places: dict[int, dict[Path, int]] = {}
        self._origins: dict[str, dict[Path, int]] = {}
        self._others: dict[Path, int] = {}  # what others wrote, and texts and lists
        for path, leaf in leaves(tree):
            self.note(path, None, leaf)

    def note(self, path: Path, before: Any, after: Any) -> None:
        """Goes on with a change of the tree."""
        came, gone = came_and_gone(as_register(before), as_register(after))
        for entry in gone:
            self._count(entry, path, -1)
        for entry in came:
            self._count(entry, path, 1)
        for leaf, more in ((before, -1), (after, 1)):
            if leaf and not isinstance(leaf, tuple):
                _add(self._others, path, more)

    def seen_by(self, seen: Seen) -> list[Path] | None:
        """Returns the places in which a writer has seen something, and perhaps others."""
        if seen.replica != self._replica:
            return None
        found: dict[Path, Any] = dict.fromkeys(self._others)
        for n in self._numbers[: bisect_right(self._numbers, seen.upto)]:
            found |= self._places[n]
        found |= self._origins.get(seen.origin or "", {})
        return list(found)

    def _count(self, entry: Entry, path: Path, more: int) -> None:
        stamp = entry.stamp
        if stamp.replica != self._replica:
            _add(self._others, path, more)
            return
        places = self._places.get(stamp.n)
        if places is None:
            places = self._places[stamp.n] = {}
            self._numbers.insert(bisect_left(self._numbers, stamp.n), stamp.n)
        _add(places, path, more)
        if not places:
            del self._places[stamp.n], self._numbers[bisect_left(self._numbers, stamp.n)]
        origins = self._origins.setdefault(stamp.origin, {})
        _add(origins, path, more)
        if not origins:
            del self._origins[stamp.origin]


def _add(counts: dict[Path, int], path: Path, more: int) -> None:
    count = counts.get(path, 0) + more
    if count:
        counts[path] = count
    else:
        del counts[path]
