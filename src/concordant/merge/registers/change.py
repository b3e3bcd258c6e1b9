"""The change that one write makes to a tree.

A ``Change`` reads the tree and collects new leaves beside it; nothing is modified before the record commits them. What
it collected is also the journal's row: each path with the leaf before and after, enough to go back in time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence as Items
from itertools import islice
from typing import Any

from concordant.merge.causality import Agreed, Entry, Register, SeenBy, Stamp, are_asked, order_of
from concordant.merge.registers.crowds import MANY, Crowd, without_places
from concordant.merge.registers.keeping import Keeping, NamesBelow
from concordant.merge.registers.leaf import (
    Leaf,
    Path,
    beside,
    replaced_what_was_seen,
    split_by,
    stands,
    uncovered,
    without,
)
from concordant.merge.registers.register import (
    PRESENT,
    agreed,
    are_different,
    confirmed,
    oldest_of_each_agent,
    parted_by,
)
from concordant.merge.registers.standing import StandingTree
from concordant.merge.registers.tree import (
    PARKED,
    LeafChange,
    Tree,
    distinct,
    gathered,
    is_alive,
    kept_by,
    leaf_at,
    leaves,
)
from concordant.merge.sequence.diff import Hunk
from concordant.merge.sequence.pieces import EMPTY, Sequence
from concordant.values import JSON, Canon, canonical, same

__all__ = ["Change"]

_ALIKE: Mapping[str, SeenBy] = {}
_UNKNOWN: Mapping[Path, Items[Hunk]] = {}


class Change:
    """One write in the making: reads ``tree``, collects what will differ.

    Args:
        seen: which writes its writer had seen.
        deciding: whether it settles an escalation, so that sticky contenders give way too.
        on_delete: what becomes of updates concurrent with a deletion, in this namespace.
        covering: whether there is any deletion in the tree, or what one removed (``False`` saves looking for it).
        own: the origin of the writer's own writes, where what it edits is what it wrote without having read.
        adding: whether a contributed text or list is all new, and never what the writer read with more at its end.
        joining: whether its writer settles nothing: where a scalar is contested, what it writes joins the contenders.
        replacing: whether a contributed dict or list of a ``Tree`` is all that is to be there.
        runs: how many runs and strikes of this write there are already.
        apart: which writes its writer had seen of single top-level fields, where that is not the same for all.
        crowd_at: tells what is known of a register of many entries, by its place and itself.
        standing: what stands in ``tree`` beside what deletions keep, where that is known.
        places: of texts and lists that are edited, by place, what was done there, where that is known.
        editing: whether its writer had read what it changes: that there was nothing, of what is given first.
    """

    def __init__(
        self,
        tree: Tree,
        stamp: Stamp,
        seen: SeenBy,
        *,
        deciding: bool = False,
        on_delete: str = "escalate",
        covering: bool = True,
        own: str | None = None,
        adding: bool = False,
        replacing: bool = False,
        joining: bool = False,
        runs: int = 0,
        apart: Mapping[str, SeenBy] = _ALIKE,
        crowd_at: Callable[[Path, Register], Crowd | None] | None = None,
        standing: StandingTree | None = None,
        places: Mapping[Path, Items[Hunk]] = _UNKNOWN,
        editing: bool = False,
    ) -> None:
        self.apart = apart
        self.places = places
        self._seen = seen
        self.tree = tree
        self.stamp = stamp
        self.seen = seen
        self.deciding = deciding
        self.on_delete = on_delete
        self.covering = covering
        self.own = own
        self.adding = adding
        self.editing = editing
        self.replacing = replacing
        self._crowd_at = crowd_at
        self._standing = standing
        self.joining = joining
        self._after: dict[Path, Leaf | None] = {}
        self._before: dict[Path, Leaf | None] = {}
        self._names: NamesBelow | None = None
        self._keepings: dict[Path, Keeping] = {}
        self._untold: dict[Path, Keeping] = {}  # of which the register is not yet among what differs
        self._empty = not tree
        self._runs = runs

    @property
    def after(self) -> dict[Path, Leaf | None]:
        """Returns what differs, by place: the leaves as this write leaves them."""
        for holder in [*self._untold]:
            self._tell(holder)
        return self._after

    def _tell(self, holder: Path) -> None:
        self._after[(*holder, None)] = self._untold.pop(holder).register()

    def turn_to(self, path: Path, name: str) -> None:
        """Says that what follows is about a field of a record; of one of the document something else may have been
        seen."""
        if not path:
            self.seen = self.apart.get(name, self._seen)

    def turn_back(self, path: Path) -> None:
        """Says that what follows is about that record again."""
        if not path:
            self.seen = self._seen

    def next_run(self) -> int:
        """Returns a number for a run or a strike that no other of this write has."""
        self._runs += 1
        return self._runs

    def changes(self) -> tuple[LeafChange, ...]:
        """Returns what differs, path by path."""
        return self.since({})

    def since(self, earlier: Mapping[Path, Leaf | None]) -> tuple[LeafChange, ...]:
        """Returns what differs from a state of ``after`` that was taken down earlier."""
        result = []
        known = self._before
        for path, after in self.after.items():
            if path in earlier:
                before = earlier[path]
                before = None if type(before) is tuple and not before else before
            else:
                before = known[path] if path in known else leaf_at(self.tree, path)
            if type(after) is tuple and not after:
                after = None
            if before is not after:
                result.append(tuple.__new__(LeafChange, (path, before, after)))  # its own way is slower, being Python
        return tuple(result)

    # -- leaves, with what deletions removed beside what is live ------------------------------------------------

    def live(self, path: Path) -> Leaf | None:
        """Returns the leaf at a path as this change leaves it."""
        if path in self._after:
            if path[-1] is None and path[:-1] in self._untold:
                self._tell(path[:-1])
            return self._after[path]
        found = self._before[path] = None if self._empty else leaf_at(self.tree, path)
        return found

    def get(self, path: Path) -> Leaf | None:
        """Returns the leaf at a path, what a deletion removed there included."""
        leaf = self.live(path)
        if not self.covering:
            return leaf
        for holder, below in self._holders(path):
            leaf = self._kept(holder, below, leaf)
        return leaf

    def set(self, path: Path, leaf: Leaf | None) -> None:
        """Replaces the leaf at a path; entries that a deletion keeps stay with it, as far as they are still there."""
        for holder, below in self._holders(path) if self.covering else ():
            leaf = self._part_from(holder, below, leaf)
        self._after[path] = leaf

    def _part_from(self, holder: Path, below: Path, leaf: Leaf | None) -> Leaf | None:
        """Has the deletions of a container keep of a leaf what they kept and is still there; returns the rest."""
        if not any(below in covered for covered in self._covered(holder, below)):
            return leaf
        keeping = self._untold[holder] = self._keeping(holder)
        self._after.setdefault((*holder, None))
        return keeping.part_from(below, leaf)

    def _keeping(self, holder: Path) -> Keeping:
        """What the deletions of a container keep."""
        keeping = self._untold.get(holder)
        if keeping is None:
            register = self._register((*holder, None))
            keeping = self._keepings.get(holder)
            if keeping is None or not keeping.is_of(register):
                keeping = self._keepings[holder] = Keeping(register)
        return keeping

    def register(self, path: Path) -> Register:
        """Returns the register at a path, empty if there is none."""
        leaf = self.get(path)
        return leaf if type(leaf) is tuple else ()  # as ``as_register`` does, without a call

    def sequence(self, path: Path) -> Sequence:
        """Returns the sequence at a path, empty if there is none."""
        leaf = self.get(path)
        return leaf if isinstance(leaf, Sequence) else EMPTY

    def replace(
        self, path: Path, value: JSON | None, canon: Canon = canonical, *, keep: bool = False, place: int = 0
    ) -> None:
        """Writes a register: the entries seen give way to one of this write's.

        Args:
            keep: leaves all entries and adds one (a sticky contested register).
            place: the value's place among those that this write adds to a set.
        """
        if self._empty and path not in self._after:  # so it is with all of a document's first write
            self._after[path] = (Entry(self.stamp, value, None, (), (), place),)
            return
        entries = self.register(path)
        gone, kept = ([], entries) if keep else self._parted(path, entries)
        self.set(path, self._written(entries, value, gone, kept, canon, place))

    def _written(
        self, entries: Register, value: JSON | None, gone: list[Entry], kept: Register, canon: Canon, place: int
    ) -> Register:
        if not entries:
            return (Entry(self.stamp, value, None, (), (), place),)
        if not gone:
            return (*entries, Entry(self.stamp, value, None, (), (), place))
        contested = are_different(entries, canon)
        if contested:
            base = agreed(tuple(gone))
        else:
            newest = max(gone, key=lambda entry: order_of(entry.stamp)) if len(gone) > 1 else gone[0]
            base = Agreed(*newest.stamp[:3], newest.value)
        if self.deciding and contested:
            base = Agreed(*(base[:3] if base else (0.0, "", 0)), value)
        confirms = confirmed([entry for entry in gone if same(entry.value, value, canon)])
        if confirms:
            place = min((entry.stamps[0], entry.place) for entry in gone)[1]
        return (*kept, Entry(self.stamp, value, base, confirms, (), place))

    def _parted(self, path: Path, register: Register) -> tuple[list[Entry], Register]:
        """The entries of a register that the writer has seen, and the rest."""
        if len(register) >= MANY and self._crowd_at is not None:
            crowd = self._crowd_at(path, register)
            places = crowd.seen_by(self.seen) if crowd is not None else None
            if places is not None:
                return [register[place] for place in places], without_places(register, places)
        return parted_by(register, self.seen)

    def remove_seen(self, path: Path) -> bool:
        """Takes the entries seen out of a register, leaving nothing in their place; tells whether there were any."""
        entries = self.register(path)
        gone, kept = self._parted(path, entries)
        if not gone:
            return False
        self.set(path, kept)
        return True

    def keys(self, path: Path) -> list[str]:
        """Returns the names below a container, what a deletion removed included."""
        node: Any = leaf_at(self.tree, path)
        found: dict[str | None, None] = dict.fromkeys(node) if isinstance(node, dict) else {}
        found.update(self._written_names().below(path))
        for depth in range(len(path) + 1) if self.covering else ():
            found.update(self._keeping(path[:depth]).names().below(path[depth:]))
        return [name for name in found if name is not None]

    def _written_names(self) -> NamesBelow:
        """The names at which this write has put anything."""
        if self._names is None:
            self._names = NamesBelow()
        self._names.add_all([*islice(reversed(self._after), len(self._after) - self._names.count)][::-1])
        return self._names

    def marks(self, path: Path) -> Iterator[tuple[Entry, Mapping[Path, Any]]]:
        """Iterates the entries of a container's own register, each with what it keeps, by place below it."""
        return self._keeping(path).marks()

    def let_go(self, path: Path) -> None:
        """Has the deletions of the containers that a path is in keep nothing there, nor below it."""
        for depth in range(len(path)) if self.covering else ():
            node, below = (*path[:depth], None), path[depth:]
            register = self._register(node)
            if any(place[: len(below)] == below for place, _ in kept_by(register)):
                self.after[node] = tuple(
                    entry._replace(covered=tuple(one for one in entry.covered if one[0][: len(below)] != below))
                    for entry in register
                )

    # -- containers ---------------------------------------------------------------------------------------------

    def touch(self, path: Path, place: int = 0) -> None:
        """Marks that the container exists, though it may be empty."""
        node = (*path, None)
        entries = self._register(node)
        mine, kept = self._parted(node, entries)
        carried = gathered(kept_by(e for e in mine if e.value is not None))
        if any(e.value is None for e in mine):
            gone = {id(e) for e in mine if e.value is not None}
            kept = tuple(e for e in entries if id(e) not in gone)
        self.after[node] = (*kept, Entry(self.stamp, PRESENT, covered=carried, place=place))

    def exists(self, path: Path) -> bool:
        """Tells whether the container is marked as existing, in the eyes of this writer."""
        return any(e.value is not None for e in self._parted((*path, None), self._register((*path, None)))[0])

    def enter(self, path: Path) -> None:
        """Prepares to write below a container that may have been deleted.

        A deletion that the writer has seen gives way: the container begins anew, or, where updates concurrent with
        the deletion kept it readable, it goes on as it was shown.
        """
        if not self.covering:
            return
        node = (*path, None)
        entries = self._register(node)
        tombs = [e for e in self._parted(node, entries)[0] if e.value is None]
        if not tombs:
            return
        gone = set(map(id, tombs))
        kept = tuple(e for e in entries if id(e) not in gone)
        readable = self._is_readable(path, kept)
        if readable and self.on_delete == "delete" and not are_asked(tombs):
            for leaf_path, leaf in list(leaves(leaf_at(self.tree, path), path)):
                if leaf_path != node:
                    self.after[leaf_path] = without(leaf, self.seen)
            readable = False
        covered = gathered(kept_by(tombs))
        kept = tuple(uncovered(entry, covered) for entry in kept)
        if readable:
            kept = (*kept, Entry(self.stamp, PRESENT, covered=covered))
        self.after[node] = kept

    def _is_readable(self, path: Path, marks: Register) -> bool:
        """Whether a container stands though somebody deleted it: by other marks of its own, or by what is in it."""
        if any(entry.value is not None for entry in marks):
            return True
        below: Any = leaf_at(self.tree, path)
        standing = {part: node for part, node in (below or {}).items() if part is not None}
        if all(place[-1] is None for place in self._written_names().places(path)):
            return is_alive(standing)
        left = (self.live((*path, *place)) for place, _ in leaves(standing) if place[0] != PARKED)
        return any(leaf is not None and stands(leaf) for leaf in left)

    def delete(self, path: Path, *, existed: bool | None = None) -> bool:
        """Deletes a container as far as the writer has seen it; tells whether there was anything to delete.

        Args:
            existed: whether the writer knows that it was there, though all it had seen of it may have been replaced
                since (``None``: to be told by what has replaced what it had seen).
        """
        node = (*path, None)
        entries = self._register(node)
        gone, kept = self._parted(node, entries)
        found = bool(existed) or bool(gone) or any(e.value is None for e in entries)
        others = self._distinct(path) if kept is entries else distinct(kept)
        covered: dict[Path, Leaf] = dict(gathered(kept_by(gone)))
        found = self._take_from(others, covered) or found
        found = self._take_marks(path) or found
        found = self._take_out(path, covered, replaced_counts=existed is None and not found) or found
        if not found:
            return False
        self.covering = True
        confirms = tuple(s for e in gone if e.value is None for s in e.stamps)
        items: tuple[tuple[Path, Any], ...] = tuple(covered.items())
        items = next((parts for parts in others if parts == items), items)  # many who delete the same share one
        self.after[node] = (*kept, Entry(self.stamp, None, None, oldest_of_each_agent(confirms), items))
        return True

    def _take_from(self, others: Iterable[Iterable[tuple[Path, Any]]], covered: dict[Path, Leaf]) -> bool:
        """What another deletion keeps, and this writer has seen as well, is deleted by both; tells whether there is
        any."""
        found = False
        for below, leaf in (part for parts in others for part in parts):
            mine, _ = split_by(leaf, self.seen)
            if mine is not None:
                found = True
                covered[below] = beside(covered.get(below), mine)
        return found

    def _distinct(self, path: Path) -> list[tuple[tuple[Path, Any], ...]]:
        """What the single deletions of a container keep; what several share once."""
        node = (*path, None)
        if self._standing is None or node in self._after:
            return distinct(self._register(node))
        kept = self._standing.kept.get(path)
        return [] if kept is None else kept.distinct()

    def _take_out(self, path: Path, covered: dict[Path, Leaf], *, replaced_counts: bool) -> bool:
        """Takes out of a container what the writer has seen, into ``covered``; tells whether there was anything.

        Args:
            replaced_counts: whether something counts that has replaced what the writer had seen.
        """
        found = False
        for leaf_path in self._leaf_paths(path, all_of_them=replaced_counts):
            leaf, above = self.live(leaf_path), self._holders_above(path, leaf_path)
            for holder, below in above:
                leaf = self._kept(holder, below, leaf)
            if leaf is None:
                continue
            found = found or (replaced_counts and replaced_what_was_seen(leaf, self.seen))
            mine, rest = split_by(leaf, self.seen)
            if mine is None:
                continue
            found = True
            for holder, below in above:
                rest = self._part_from(holder, below, rest)
            self._after[leaf_path] = rest
            below = leaf_path[len(path) :]
            if below[0] != PARKED:
                covered[below] = beside(covered.get(below), mine)
        return found

    def _take_marks(self, path: Path) -> bool:
        """Takes the marks of a container that the writer has seen out of what the deletions of those above it keep;
        tells whether there were any."""
        found = False
        for depth in range(len(path)) if self.covering else ():
            holder, below = path[:depth], (*path[depth:], None)
            mark = self._kept(holder, below, None)
            mine, rest = split_by(mark, self.seen) if mark is not None else (None, None)
            if mine is not None:
                self._part_from(holder, below, rest)
                found = True
        return found

    def _leaf_paths(self, path: Path, *, all_of_them: bool) -> list[Path]:
        """The places of leaves in a container, its own mark apart, in one order everywhere: all of them, or at least
        those in which the writer has seen something."""
        places = self._standing.seen_places(self.seen) if self._standing is not None and not all_of_them else None
        if places is None:
            tree: Any = leaf_at(self.tree, path)
            places = [p for p, _ in leaves(tree, path)] if isinstance(tree, dict) else []
        paths = {p for p in places if p[: len(path)] == path}.union(self._written_names().places(path))
        for depth in range(len(path)) if self.covering else ():
            kept = self._keeping(path[:depth]).names().places(path[depth:])
            paths.update((*path[:depth], *place) for place in kept)
        return sorted(paths - {(*path, None)}, key=repr)

    def _holders_above(self, path: Path, leaf_path: Path) -> list[tuple[Path, Path]]:
        """The containers above one whose deletions may keep something of a leaf in it, with what remains of its path
        below them."""
        return [(leaf_path[:depth], leaf_path[depth:]) for depth in range(len(path))] if self.covering else []

    def _kept(self, holder: Path, below: Path, leaf: Leaf | None) -> Leaf | None:
        """A leaf with what the deletions of a container keep of it."""
        for parts in self._covered(holder, below):
            leaf = beside(leaf, parts[below]) if below in parts else leaf
        return leaf

    def restore(self, path: Path) -> None:
        """Settles a deletion in favour of what it deleted: that stands again, under this write."""
        self.covering = True
        node = (*path, None)
        covered = gathered(kept_by(self._register(node)))
        self.after[node] = (Entry(self.stamp, PRESENT, covered=covered),)

    def _register(self, path: Path) -> Register:
        leaf = self.live(path)
        return leaf if type(leaf) is tuple else ()

    def _holders(self, path: Path) -> Iterator[tuple[Path, Path]]:
        """The containers above a path whose deletions may keep something, with what remains of the path below them."""
        if path[-1] is not None:
            for depth in range(len(path)):
                yield path[:depth], path[depth:]

    def _covered(self, holder: Path, below: Path) -> Iterable[Mapping[Path, Leaf]]:
        """What the deletions of a container keep, by place; as one where that is known."""
        if self._standing is None or (*holder, None) in self._after:
            return self._keeping(holder).parts
        kept = self._standing.kept.get(holder)
        return () if kept is None else (kept.union,)
