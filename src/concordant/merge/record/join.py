"""``join``: the record that knows all that two replicas of it know."""

from __future__ import annotations

from concordant.errors import MisshapenError
from concordant.merge.causality import Entry, Register, VersionVector, is_behind, is_covered, merge_vectors, order_of
from concordant.merge.record.record import Record, Setting, bounded
from concordant.merge.registers import Leaf, LeafChange, Path, Tree, leaves
from concordant.merge.registers.leaf import as_register, as_sequence, common, is_sequence, stamps_of, without
from concordant.merge.registers.register import oldest_of_each_agent
from concordant.merge.sequence.meeting import Replica, meet
from concordant.merge.sequence.order import join as join_sequences

__all__ = ["join"]


def join(record: Record, other: Record) -> tuple[LeafChange, ...]:
    """Returns the changes that bring ``record`` up to what both know; ``joined_vector`` is what it knows after them.

    Commutative, associative and idempotent: an entry stays if both have it, or if the side that lacks it has never
    known it. What one side knew and no longer has was replaced there by a write that had seen it.
    """
    mine = dict(leaves(record.tree))
    theirs = dict(leaves(other.tree))
    changes: list[LeafChange] = []
    for path in [*mine, *(path for path in theirs if path not in mine)]:
        before = mine.get(path)
        after = _join_leaf(path, before, theirs.get(path), record, other)
        if after != before:
            changes.append(LeafChange(path, before, after))
    return tuple(changes)


def joined_vector(record: Record, other: Record) -> VersionVector:
    """Returns the version vector of the joined record."""
    return merge_vectors((record.vector, other.vector))


def joined_settings(record: Record, other: Record) -> dict[str, Setting]:
    """Tells what is remembered beside the value: of each name the newest."""
    joined = dict(record.settings)
    for name, theirs in other.settings.items():
        ours = joined.get(name)
        if ours is None or ours[:3] < theirs[:3]:
            joined[name] = theirs
    return bounded(joined)


def _join_leaf(path: Path, one: Leaf | None, two: Leaf | None, record: Record, other: Record) -> Leaf | None:
    if is_sequence(one) or is_sequence(two):
        left, right = as_sequence(one), as_sequence(two)
        if two is not None and right.follows(left) and is_behind(record.vector, other.vector):
            return two
        if left == right:
            return one
        if record.floor or other.floor:
            return meet(Replica(left, record.vector, record.floor), Replica(right, other.vector, other.floor))
        return join_sequences(left, right, record.vector, other.vector)
    return _join_registers(path, as_register(one), as_register(two), record, other) or None


def _join_registers(path: Path, one: Register, two: Register, record: Record, other: Record) -> Register:
    if one == two:
        return one
    result: dict[tuple[object, ...], Entry] = {}
    for mine, theirs, known in ((one, two, other.vector), (two, one, record.vector)):
        there = {_identity(entry): entry for entry in theirs}
        for entry in mine:
            twin = there.get(_identity(entry))
            if twin is None:
                if is_covered(entry.stamp, known):
                    continue
                holder = other.tree if mine is one else record.tree
                kept = _without_replaced(path, entry, holder, known) if entry.covered else entry
            else:
                kept = _common(entry, twin) if entry.covered or twin.covered else entry
                if entry.confirms != twin.confirms:
                    kept = kept._replace(confirms=oldest_of_each_agent((*entry.confirms, *twin.confirms)))
            result[_identity(entry)] = kept
    if len({entry.stamp[1:3] for entry in result.values()}) < len(result):
        raise MisshapenError("one write has two values in one place")
    joined = tuple(sorted(result.values(), key=lambda entry: order_of(entry.stamp)))
    return one if joined == one else joined


def _identity(entry: Entry) -> tuple[object, ...]:
    return (*entry.stamp[:3], entry.stamp.agent, entry.value)


def _common(one: Entry, two: Entry) -> Entry:
    """A deletion known to both keeps what both still keep for it: what is missing was replaced meanwhile."""
    theirs = dict(two.covered)
    kept = []
    for path, leaf in one.covered:
        twin = theirs.get(path)
        part = None if twin is None else common(leaf, twin, _identity)  # type: ignore[arg-type]
        if part is not None:
            kept.append((path, part))
    return one._replace(covered=tuple(kept))


def _without_replaced(node: Path, entry: Entry, holder: Tree, known: VersionVector) -> Entry:
    """A deletion the other side has not seen keeps what still stands there or never came there."""
    standing = _standing(holder)
    kept = []
    for below, leaf in entry.covered:
        there = standing.get((*node[:-1], *below), set())
        part = without(leaf, lambda s, there=there: is_covered(s, known) and s not in there)  # type: ignore[arg-type, misc]
        if part is not None and part != ():
            kept.append((below, part))
    return entry._replace(covered=tuple(kept))


def _standing(tree: Tree) -> dict[Path, set[object]]:
    """The stamps that stand at each path of a tree, what deletions keep included."""
    found: dict[Path, set[object]] = {}
    waiting: list[tuple[Path, Leaf]] = [*leaves(tree)]
    while waiting:
        path, leaf = waiting.pop()
        found.setdefault(path, set()).update(stamps_of(leaf))
        for entry in as_register(leaf):
            waiting.extend(((*path[:-1], *below), part) for below, part in entry.covered)  # type: ignore[misc]
    return found
