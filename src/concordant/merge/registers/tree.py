"""The tree of a record's state: paths and leaves.

A record's state is a tree of dicts. The key ``None`` of a dict holds the register of the container itself: a deletion
(``value=None``), or a mark that the container exists though it may be empty. A deletion keeps the leaves that it
removed (``covered``), so that a concurrent update can be shown beside what it was an update of, and a decision can
restore it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, NamedTuple, TypeAlias

from concordant.merge.causality import Entry, SeenBy, Stamp, order_of
from concordant.merge.registers.bulk import Bulk
from concordant.merge.registers.leaf import (
    Leaf,
    Path,
    as_register,
    as_sequence,
    as_writer_knows,
    beside,
    is_sequence,
    stands,
    supporters_of,
)
from concordant.merge.sequence.pieces import Sequence

__all__ = [
    "PARKED",
    "LeafChange",
    "Tree",
    "as_seen",
    "copied",
    "distinct",
    "gathered",
    "is_alive",
    "kept_by",
    "leaf_at",
    "leaves",
    "leaves_apart",
    "may_be_contested",
    "place_leaf",
    "restored",
    "sequences",
    "supporters_below",
]

Tree: TypeAlias = dict[str | None, Any]

PARKED = "\x00parked"
"""The key at a record's root under which values of the wrong type wait for a decision; no field's key has a NUL."""


class LeafChange(NamedTuple):
    """What a write did at one path. In a journal a text or list is a ``Spliced``."""

    path: Path
    before: Leaf | None
    after: Leaf | None


def leaf_at(tree: Tree, path: Path) -> Leaf | None:
    """Returns the leaf at a path, or ``None``."""
    node: Any = tree
    for part in path:
        node = node.get(part)
        if node is None:
            return None
    return node  # type: ignore[no-any-return]


def place_leaf(tree: Tree, path: Path, leaf: Leaf | None) -> None:
    """Sets (or, with ``None`` or an empty register, removes) a leaf, containers that become empty included."""
    if leaf is None or (type(leaf) is tuple and not leaf):
        trail: list[Tree] = []
        node: Any = tree
        for part in path[:-1]:
            trail.append(node)
            if type(node) is Bulk:
                node.change(part)
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
    """Iterates all leaves below a container, with their paths."""
    if not isinstance(tree, dict):
        yield prefix, tree
        return
    for part, node in tree.items():
        if isinstance(node, dict):
            yield from leaves(node, (*prefix, part))
        else:
            yield (*prefix, part), node


def leaves_apart(tree: Tree, prefix: Path = ()) -> Iterator[tuple[Path, Leaf]]:
    """Iterates all leaves below a container with their paths, but for those that stand as one write gave them at
    once."""
    for part in tree.apart if isinstance(tree, Bulk) else tree:
        node = tree[part]
        if isinstance(node, dict):
            yield from leaves_apart(node, (*prefix, part))
        else:
            yield (*prefix, part), node


def copied(tree: Tree, *, made: bool = True) -> Tree:
    """Returns a tree of its own, with the same leaves.

    Args:
        made: whether parts of what one write gave at once that somebody has looked at stay the same objects.
    """
    if isinstance(tree, Bulk):
        return tree.twin(copied, made=made)
    twin = tree.copy()
    for part, node in tree.items():
        if isinstance(node, dict):
            twin[part] = copied(node, made=made)
    return twin


def is_alive(tree: Any) -> bool:
    """Tells whether anything below a container stands that is not a deletion or a parked value."""
    return any(stands(leaf) for path, leaf in leaves(tree) if not path or path[0] != PARKED)


def may_be_contested(path: Path, leaf: Any) -> bool:
    """Tells whether a leaf may be contested: several entries in a register, several strikes in a text, a deletion."""
    if leaf is None:
        return False
    if isinstance(leaf, Sequence):
        return leaf.overlapping and not leaf.is_list()
    if path[0] == PARKED:
        return bool(leaf)
    if path[-1] is None:
        return any(entry.value is None or entry.covered for entry in leaf)
    return len(leaf) > 1


def distinct(entries: Iterable[Entry]) -> list[tuple[tuple[Path, Any], ...]]:
    """Tells what single deletions keep; what several share once."""
    found: dict[int, Any] = {}
    last: Any = ()
    for covered in [entry[4] for entry in entries]:
        if covered is not last and covered:
            last = found[id(covered)] = covered
    return list(found.values())


def kept_by(entries: Iterable[Entry]) -> Iterator[tuple[Path, Any]]:
    """Tells what deletions keep; what several share once."""
    return chain.from_iterable(distinct(entries))


def gathered(parts: Iterable[tuple[Path, Any]]) -> tuple[tuple[Path, Any], ...]:
    """Gives kept leaves, those at one path as one."""
    found: dict[Path, Leaf] = {}
    for path, leaf in parts:
        found[path] = beside(found.get(path), leaf)
    return tuple(found.items())


def restored(tree: Tree) -> Tree:
    """Returns a copy of the tree in which what deletions removed stands beside what is live."""
    result: Tree = {}
    covered: list[tuple[Path, Leaf]] = []
    for path, leaf in leaves(tree):
        place_leaf(result, path, leaf)
        if path[-1] is None:
            covered += [((*path[:-1], *below), part) for below, part in kept_by(as_register(leaf))]
    for path, leaf in covered:
        place_leaf(result, path, beside(leaf_at(result, path), leaf))
    return result


def as_seen(tree: Tree, seen: SeenBy) -> Tree:
    """Returns a tree as its writer knows it: what unseen writes made is not there, what they replaced is there again,
    as far as they tell of it."""
    result: Tree = {}
    for path, leaf in leaves(tree):
        if path[0] != PARKED:
            place_leaf(result, path, as_writer_knows(leaf, seen))
    return result


def supporters_below(cell: object) -> tuple[Stamp, ...]:
    """Returns the stamps of all writes that stand for something below a place, oldest first."""
    return tuple(sorted({stamp for _, leaf in leaves(cell) for stamp in supporters_of(leaf)}, key=order_of))


def sequences(tree: Tree) -> Iterator[tuple[Path, Sequence]]:
    """Iterates the texts and lists of a tree, with their paths."""
    return ((path, as_sequence(leaf)) for path, leaf in leaves(tree) if is_sequence(leaf))
