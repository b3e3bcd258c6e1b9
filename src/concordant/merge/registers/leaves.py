"""The tree of a record's state: paths, leaves, and what registers say.

A record's state is a tree of dicts. A leaf is a *register* (a tuple of entries) or a *sequence*. The key ``None`` of a
dict holds the register of the container itself: a deletion (``value=None``), or a mark that the container exists
though it may be empty. A deletion keeps the leaves that it removed (``covered``), so that a concurrent update can be
shown beside what it was an update of, and a decision can restore it.

"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, TypeAlias

from concordant.merge.causality import Agreed, Entry, Register, order_of
from concordant.merge.sequence.order import united
from concordant.merge.sequence.pieces import Sequence
from concordant.values import JSON, Canon, canonical, same

__all__ = [
    "PARKED",
    "PRESENT",
    "Leaf",
    "LeafChange",
    "Path",
    "Tree",
    "agreed",
    "alternatives",
    "are_different",
    "beside",
    "gathered",
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
    """What a write did at one path. In a journal a text or list is a ``Spliced``."""

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


def kept_by(entries: Iterable[Entry]) -> Iterator[tuple[Path, Any]]:
    """What deletions keep; what several share once."""
    last: Any = ()
    known: set[int] = set()
    for covered in [entry[4] for entry in entries]:
        if covered is not last and covered and id(covered) not in known:
            known.add(id(covered))
            last = covered
            yield from covered


def gathered(parts: Iterable[tuple[Path, Any]]) -> tuple[tuple[Path, Any], ...]:
    """Kept leaves, those at one path as one."""
    found: dict[Path, Leaf] = {}
    for path, leaf in parts:
        found[path] = beside(found.get(path), leaf)
    return tuple(found.items())


def restored(tree: Tree) -> Tree:
    """A copy of the tree in which what deletions removed stands beside what is live."""
    result: Tree = {}
    covered: list[tuple[Path, Leaf]] = []
    for path, leaf in leaves(tree):
        place_leaf(result, path, leaf)
        if path[-1] is None and isinstance(leaf, tuple):
            covered += [((*path[:-1], *below), part) for below, part in kept_by(leaf)]
    for path, leaf in covered:
        place_leaf(result, path, beside(leaf_at(result, path), leaf))
    return result


def beside(live: Leaf | None, covered: Leaf) -> Leaf:
    """What is live and what a deletion keeps, as one leaf."""
    if live is None:
        return covered
    if isinstance(live, Sequence):
        return united(live, covered) if isinstance(covered, Sequence) else live
    if isinstance(covered, Sequence) or (live is covered and len(live) == 1):
        return covered
    known = {entry.stamp for entry in live}
    return tuple(sorted((*live, *(e for e in covered if e.stamp not in known)), key=lambda e: order_of(e.stamp)))


def alternatives(register: Register, canon: Canon = canonical) -> list[list[Entry]]:
    """The entries grouped by equal value; groups and entries in (time, dot) order of their oldest writes."""
    groups: dict[bytes | None, list[Entry]] = {}
    for entry in sorted(register, key=lambda entry: order_of(entry.stamps[0])):
        groups.setdefault(None if entry.value is None else canon(entry.value), []).append(entry)
    return list(groups.values())


def are_different(register: Register, canon: Canon = canonical) -> bool:
    """Whether a register holds different values."""
    if len(register) < 2:
        return False
    value = register[0].value
    return any(entry.value is not value and not same(entry.value, value, canon) for entry in register)


def agreed(register: Register) -> Agreed | None:
    """The newest of the values that the live entries carry from before they disagreed."""
    return max((entry.base for entry in register if entry.base), key=lambda base: base[:3], default=None)
