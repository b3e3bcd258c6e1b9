"""The tree of a record's state, and the change that one write makes to it.

A record's state is a tree of dicts. A leaf is a *register* (a tuple of entries) or a *sequence*. The key ``None`` of a
dict holds the register of the container itself: a deletion (``value=None``), or a mark that the container exists
though it may be empty. A deletion keeps the leaves that it removed (``covered``), so that a concurrent update can be
shown beside what it was an update of, and a decision can restore it.

A ``Change`` reads the tree and collects new leaves beside it; nothing is modified before ``commit``. What it collected
is also the journal's row: each path with the leaf before and after, enough to go back in time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, TypeAlias

from concordant.causal import Agreed, Entry, Register, SeenBy, Stamp, order_of
from concordant.sequence.edit import withdraw
from concordant.sequence.order import united
from concordant.sequence.pieces import Sequence
from concordant.values import JSON, Canon, canonical, same

__all__ = [
    "PARKED",
    "PRESENT",
    "Change",
    "Leaf",
    "LeafChange",
    "Path",
    "Tree",
    "agreed",
    "alternatives",
    "is_alive",
    "leaf_at",
    "leaves",
    "place_leaf",
    "restored",
]

Path: TypeAlias = tuple[str | None, ...]
Leaf: TypeAlias = "Register | Sequence"
Tree: TypeAlias = dict[str | None, Any]

PRESENT: JSON = b"{}"
"""The value of an entry which says that a container exists."""

PARKED = "\x00parked"
"""The key at a record's root under which values of the wrong type wait for a decision; no field's key has a NUL."""


class LeafChange(NamedTuple):
    """What a write did at one path."""

    path: Path
    before: Leaf | None
    after: Leaf | None


def leaf_at(tree: Tree, path: Path) -> Leaf | None:
    """The leaf at a path, or ``None``."""
    node: Any = tree
    for part in path:
        node = node.get(part)
        if node is None:
            return None
    return node  # type: ignore[no-any-return]


def place_leaf(tree: Tree, path: Path, leaf: Leaf | None) -> None:
    """Sets (or, with ``None`` or an empty register, removes) a leaf, containers that become empty included."""
    if leaf is None or leaf == ():
        trail: list[Tree] = []
        node: Any = tree
        for part in path[:-1]:
            trail.append(node)
            node = node.get(part)
            if node is None:
                return
        node.pop(path[-1], None)
        for parent, part in zip(reversed(trail), reversed(path[:-1]), strict=True):
            if parent[part]:
                return
            del parent[part]
        return
    node = tree
    for part in path[:-1]:
        node = node.setdefault(part, {})
    node[path[-1]] = leaf


def leaves(tree: Any, prefix: Path = ()) -> Iterator[tuple[Path, Leaf]]:
    """All leaves below a container, with their paths."""
    if not isinstance(tree, dict):
        yield prefix, tree
        return
    for part, node in tree.items():
        if isinstance(node, dict):
            yield from leaves(node, (*prefix, part))
        else:
            yield (*prefix, part), node


def is_alive(tree: Any) -> bool:
    """Whether anything below a container stands that is not a deletion or a parked value."""
    for path, leaf in leaves(tree):
        if path and path[0] == PARKED:
            continue
        if isinstance(leaf, Sequence) or any(entry.value is not None for entry in leaf):
            return True
    return False


def restored(tree: Tree) -> Tree:
    """A copy of the tree in which what deletions removed stands beside what is live."""
    result: Tree = {}
    covered: list[tuple[Path, Leaf]] = []
    for path, leaf in leaves(tree):
        place_leaf(result, path, leaf)
        if path[-1] is None and isinstance(leaf, tuple):
            covered += [((*path[:-1], *below), part) for entry in leaf for below, part in entry.covered]  # type: ignore[misc]
    for path, leaf in covered:
        place_leaf(result, path, _beside(leaf_at(result, path), leaf))
    return result


def _beside(live: Leaf | None, covered: Leaf) -> Leaf:
    if live is None:
        return covered
    if isinstance(live, Sequence):
        return united(live, covered) if isinstance(covered, Sequence) else live
    known = {entry.stamp for entry in live}
    return tuple(sorted((*live, *(e for e in covered if e.stamp not in known)), key=lambda e: order_of(e.stamp)))


def alternatives(register: Register, canon: Canon = canonical) -> list[list[Entry]]:
    """The entries grouped by equal value; groups and entries in (time, dot) order of their oldest writes."""
    ordered = sorted(register, key=lambda entry: order_of(entry.stamps[0]))
    groups: list[list[Entry]] = []
    for entry in ordered:
        home = next((group for group in groups if same(group[0].value, entry.value, canon)), None)
        if home is None:
            groups.append([entry])
        else:
            home.append(entry)
    return groups


def agreed(register: Register) -> Agreed | None:
    """The newest of the values that the live entries carry from before they disagreed."""
    return max((entry.base for entry in register if entry.base), key=lambda base: base[:3], default=None)


class Change:
    """One write in the making: reads ``tree``, collects what will differ.

    Args:
        seen: which writes its writer had seen.
        deciding: whether it settles an escalation, so that sticky contenders give way too.
        on_delete: what becomes of updates concurrent with a deletion, in this namespace.
        covering: whether any deletion in the tree keeps what it removed (``False`` saves looking for it).
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
    ) -> None:
        self.tree = tree
        self.stamp = stamp
        self.seen = seen
        self.deciding = deciding
        self.on_delete = on_delete
        self.covering = covering
        self.after: dict[Path, Leaf | None] = {}
        self._runs = 0

    def next_run(self) -> int:
        """A number for a run or a strike that no other of this write has."""
        self._runs += 1
        return self._runs

    def changes(self) -> tuple[LeafChange, ...]:
        """What differs, path by path."""
        result = []
        for path, after in self.after.items():
            before = leaf_at(self.tree, path)
            after = None if after == () else after
            if before is not after:
                result.append(LeafChange(path, before, after))
        return tuple(result)

    # -- leaves, with what deletions removed beside what is live ------------------------------------------------

    def live(self, path: Path) -> Leaf | None:
        """The leaf at a path as this change leaves it."""
        if path in self.after:
            return self.after[path]
        return leaf_at(self.tree, path)

    def get(self, path: Path) -> Leaf | None:
        """The leaf at a path, what a deletion removed there included."""
        leaf = self.live(path)
        for _, entry, below in self._covering(path):
            covered = dict(entry.covered).get(below)
            if covered is not None:
                leaf = _beside(leaf, covered)  # type: ignore[arg-type]
        return leaf

    def set(self, path: Path, leaf: Leaf | None) -> None:
        """Replaces the leaf at a path; entries that a deletion keeps stay with it, as far as they are still there."""
        for node, entry, below in list(self._covering(path)):
            covered = dict(entry.covered)
            kept = covered.get(below)
            if kept is None:
                continue
            leaf, rest = _parted(leaf, kept)  # type: ignore[arg-type]
            if rest is None:
                del covered[below]
            else:
                covered[below] = rest
            register = tuple(
                e._replace(covered=tuple(covered.items())) if e is entry else e for e in self._register(node)
            )
            self.after[node] = register
        self.after[path] = leaf

    def register(self, path: Path) -> Register:
        """The register at a path, empty if there is none."""
        leaf = self.get(path)
        return leaf if isinstance(leaf, tuple) else ()

    def sequence(self, path: Path) -> Sequence:
        """The sequence at a path, empty if there is none."""
        leaf = self.get(path)
        return leaf if isinstance(leaf, Sequence) else Sequence([], {})

    def replace(
        self, path: Path, value: JSON | None, canon: Canon = canonical, *, keep: bool = False, place: int = 0
    ) -> None:
        """Writes a register: the entries seen give way to one of this write's.

        Args:
            keep: leaves all entries and adds one (a sticky contested register).
            place: the value's place among those that this write adds to a set.
        """
        self.set(path, self._written(self.register(path), value, canon, keep, place))

    def _written(self, entries: Register, value: JSON | None, canon: Canon, keep: bool, place: int) -> Register:
        if not entries:
            return (Entry(self.stamp, value, None, (), (), place),)
        seen = self.seen
        gone = [] if keep else [entry for entry in entries if seen(entry.stamp)]
        if not gone:
            return (*entries, Entry(self.stamp, value, None, (), (), place))
        contested = len(entries) > 1 and len(alternatives(entries, canon)) > 1
        if contested:
            base = agreed(tuple(gone))
        else:
            newest = max(gone, key=lambda entry: order_of(entry.stamp)) if len(gone) > 1 else gone[0]
            base = Agreed(*newest.stamp[:3], newest.value)
        if self.deciding and contested:
            base = Agreed(*(base[:3] if base else (0.0, "", 0)), value)
        confirms: tuple[Stamp, ...] = ()
        for entry in gone:
            if same(entry.value, value, canon):
                confirms += entry.stamps
        if confirms:
            confirms = _oldest_of_each_agent(confirms)
            place = min((entry.stamps[0], entry.place) for entry in gone)[1]
        kept = tuple(entry for entry in entries if entry not in gone)
        return (*kept, Entry(self.stamp, value, base, confirms, (), place))

    def remove_seen(self, path: Path) -> bool:
        """Takes the entries seen out of a register, leaving nothing in their place; tells whether there were any."""
        entries = self.register(path)
        kept = tuple(entry for entry in entries if not self.seen(entry.stamp))
        if len(kept) == len(entries):
            return False
        self.set(path, kept)
        return True

    def keys(self, path: Path) -> list[str]:
        """The names below a container, what a deletion removed included."""
        node = leaf_at(self.tree, path)
        names: dict[str, None] = dict.fromkeys(k for k in node if k is not None) if isinstance(node, dict) else {}
        depth = len(path)
        for changed in self.after:
            if len(changed) > depth and changed[:depth] == path and changed[depth] is not None:
                names[changed[depth]] = None
        for at in range(depth + 1):
            for entry in self._register((*path[:at], None)):
                for below, _ in entry.covered:
                    full = (*path[:at], *below)
                    if len(full) > depth and full[:depth] == path and full[depth] is not None:
                        names[full[depth]] = None
        return list(names)

    # -- containers ---------------------------------------------------------------------------------------------

    def touch(self, path: Path, place: int = 0) -> None:
        """Marks that the container exists, though it may be empty."""
        node = (*path, None)
        entries = self._register(node)
        carried = tuple(c for e in entries if e.value is not None and self.seen(e.stamp) for c in e.covered)
        kept = tuple(e for e in entries if e.value is None or not self.seen(e.stamp))
        self.after[node] = (*kept, Entry(self.stamp, PRESENT, covered=carried, place=place))

    def exists(self, path: Path) -> bool:
        """Whether the container is marked as existing, in the eyes of this writer."""
        return any(e.value is not None and self.seen(e.stamp) for e in self._register((*path, None)))

    def enter(self, path: Path) -> None:
        """Prepares to write below a container that may have been deleted.

        A deletion that the writer has seen gives way: the container begins anew, or, where updates concurrent with
        the deletion kept it readable, it goes on as it was shown.
        """
        node = (*path, None)
        entries = self._register(node)
        tombs = [e for e in entries if e.value is None and self.seen(e.stamp)]
        if not tombs:
            return
        kept = tuple(e for e in entries if e not in tombs)
        below = leaf_at(self.tree, path)
        readable = isinstance(below, dict) and is_alive({k: v for k, v in below.items() if k is not None})
        if readable and self.on_delete == "delete":
            for leaf_path, leaf in list(leaves(below, path)):
                if leaf_path != node:
                    self.after[leaf_path] = _unseen(leaf, self.seen)
            readable = False
        if readable:
            covered = tuple(c for e in tombs for c in e.covered)
            kept = (*kept, Entry(self.stamp, PRESENT, covered=covered))
        self.after[node] = kept

    def delete(self, path: Path) -> bool:
        """Deletes a container as far as the writer has seen it; tells whether there was anything to delete."""
        node = (*path, None)
        entries = self._register(node)
        covered: dict[Path, Leaf] = {}
        found = any(e.value is None for e in entries)
        for entry in entries:
            if self.seen(entry.stamp):
                found = True
                for below, leaf in entry.covered:
                    covered[below] = leaf  # type: ignore[assignment]
        tree = leaf_at(self.tree, path)
        paths = {p for p, _ in leaves(tree, path)} if isinstance(tree, dict) else set()
        paths |= {p for p in self.after if p[: len(path)] == path}
        for leaf_path in sorted(paths, key=repr):
            if leaf_path == node:
                continue
            leaf = self.live(leaf_path)
            if leaf is None:
                continue
            rest = _unseen(leaf, self.seen)
            if rest is leaf:
                continue
            found = True
            self.after[leaf_path] = rest
            below = leaf_path[len(path) :]
            if below[0] != PARKED:
                part = leaf.only(self.seen) if isinstance(leaf, Sequence) else tuple(e for e in leaf if self.seen(e.stamp))
                covered[below] = _beside(covered.get(below), part)
        if not found:
            return False
        self.covering = True
        confirms = tuple(s for e in entries if e.value is None and self.seen(e.stamp) for s in e.stamps)
        kept = tuple(e for e in entries if not self.seen(e.stamp))
        tomb = Entry(self.stamp, None, None, _oldest_of_each_agent(confirms), tuple(covered.items()))
        self.after[node] = (*kept, tomb)
        return True

    def restore(self, path: Path) -> None:
        """Settles a deletion in favour of what it deleted: that stands again, under this write."""
        self.covering = True
        node = (*path, None)
        covered = tuple(c for e in self._register(node) for c in e.covered)
        self.after[node] = (Entry(self.stamp, PRESENT, covered=covered),)

    def _register(self, path: Path) -> Register:
        leaf = self.live(path)
        return leaf if isinstance(leaf, tuple) else ()

    def _covering(self, path: Path) -> Iterator[tuple[Path, Entry, Path]]:
        """The container entries above a path that keep something, with what remains of the path below them."""
        if not self.covering or path[-1] is None:
            return
        node: Any = self.tree
        for depth in range(len(path)):
            holder = (*path[:depth], None)
            register = self.after[holder] if holder in self.after else node.get(None) if isinstance(node, dict) else None
            for entry in register or ():
                if entry.covered:  # type: ignore[union-attr]
                    yield holder, entry, path[depth:]  # type: ignore[misc]
            node = node.get(path[depth]) if isinstance(node, dict) else None


def _unseen(leaf: Leaf, seen: SeenBy) -> Leaf | None:
    """What remains of a leaf for a writer who takes away all it has seen."""
    if isinstance(leaf, Sequence):
        return withdraw(leaf, seen) if any(seen(stamp) for stamp in leaf.stamps()) else leaf
    kept = tuple(entry for entry in leaf if not seen(entry.stamp))
    return leaf if len(kept) == len(leaf) else kept


def _parted(leaf: Leaf | None, covered: Leaf) -> tuple[Leaf | None, Leaf | None]:
    """Splits a leaf into what is live and what belongs to a deletion that keeps ``covered``."""
    if leaf is None or leaf == ():
        return None, None
    if isinstance(leaf, Sequence):
        if not isinstance(covered, Sequence):
            return leaf, covered
        old = set(covered.stamps())
        standing = set(leaf.stamps())
        return withdraw(leaf, lambda s: s in old), withdraw(covered, lambda s: s not in standing)
    if isinstance(covered, Sequence):
        return leaf, covered
    old_entries = {entry.stamp for entry in covered}
    live = tuple(entry for entry in leaf if entry.stamp not in old_entries)
    rest = tuple(entry for entry in leaf if entry.stamp in old_entries)
    return live, rest or None


def _oldest_of_each_agent(stamps: tuple[Stamp, ...]) -> tuple[Stamp, ...]:
    oldest: dict[str, Stamp] = {}
    for stamp in sorted(stamps, key=order_of):
        oldest.setdefault(stamp.agent, stamp)
    return tuple(oldest.values())
