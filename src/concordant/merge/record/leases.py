"""How long a document lives: leases, and what of a record is over at a given time.

Each write takes a *lease*: the document lives until then. It replaces the leases its writer had seen, so of writes in
sequence the last says how long. Of concurrent ones the longest counts: nobody's write may go because somebody else's
was meant to be short. A touch moves the end of a lease and is no write. While no write has asked for an end a record
keeps no leases at all, which means that the document lives for ever.

Leases cover stretches of time, and a stretch without a gap is one *life* of the document. What lived before a gap is
over for all that came after it, whether its replica had heard of it or not.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any, NamedTuple, Protocol, TypeAlias

from concordant.merge.causality import (
    Dot,
    Entry,
    SeenBy,
    Stamp,
    VersionVector,
    dot_of,
    is_behind,
    is_covered,
    order_of,
    seen_everything,
)
from concordant.merge.registers import PARKED, Leaf, LeafChange, Path, Tree, leaf_at, leaves, place_leaf
from concordant.merge.registers.leaf import adds, as_register, begins_at, contents_of, covers, without

__all__ = [
    "KEEP",
    "Lease",
    "Leases",
    "after_sequel",
    "after_write",
    "earlier_lives",
    "end_of",
    "joined_leases",
    "living",
    "living_leaves",
    "over",
    "renewed",
    "touched",
    "with_dead",
    "without_seen",
]


KEEP: Any = float("nan")
"""Stands for a time to live where a write says nothing about it."""


class Lease(NamedTuple):
    """One write's say on how long the document lives.

    Attributes:
        stamp: the write.
        since: when the life that it continues began.
        until: when it ends, in seconds since the epoch; infinite for never.
        ttl: for how many seconds a touch renews it; ``None`` if it has no end.
    """

    stamp: Stamp
    since: float
    until: float
    ttl: float | None


Leases: TypeAlias = tuple[Lease, ...]


class HasLeases(Protocol):
    """What is wanted of a record here."""

    tree: Tree
    vector: VersionVector
    leases: Leases
    created_at: float


def end_of(leases: Leases) -> float:
    """Tells when the document expires; infinite if it does not."""
    return max((lease.until for lease in leases), default=math.inf)


def over(leases: Leases, time: float) -> SeenBy | None:
    """Tells which writes are over at a time, by their stamps; ``None`` if none are."""
    return seen_everything if end_of(leases) <= time else earlier_lives(leases)


def earlier_lives(leases: Leases) -> SeenBy | None:
    """Tells which writes belong to a life before the last one; ``None`` if there is but one."""
    if len(leases) < 2:
        return None
    begin = _beginning(leases)
    return None if begin is None else lambda stamp: stamp.time < begin


def _beginning(leases: Leases) -> float | None:
    """When the last life began, if there was one before it."""
    ordered = sorted(leases, key=lambda lease: lease.since)
    begin, reach = None, ordered[0].until
    for lease in ordered[1:]:
        if lease.since >= reach:
            begin = lease.since
        reach = max(reach, lease.until)
    return begin


def after_write(record: HasLeases, stamp: Stamp, seen: SeenBy, ttl: float | None, gone: SeenBy | None = None) -> Leases:
    """Returns the leases after a write to a living document.

    Args:
        record: the document before it.
        ttl: for how many seconds it is to live; ``None``: for ever; ``KEEP``: as long as it would have, if its
            writer knew of it.
        gone: what of it was over (``over``).
    """
    leases = record.leases
    if not leases:
        if ttl is None or ttl is KEEP:
            return ()
        leases = _without_end(record)
    elif gone is not None:
        leases = tuple(lease for lease in leases if not gone(lease.stamp))
    mine = [lease for lease in leases if seen(lease.stamp)]
    since = min((lease.since for lease in leases), default=stamp.time)
    rest = tuple(lease for lease in leases if lease not in mine)
    return _told((*rest, _own(leases if mine else (), stamp, since, ttl)), record.created_at)


def after_sequel(leases: Leases, began: float, stamp: Stamp, ttl: float | None) -> Leases:
    """Returns the same after a write that has seen all there was, in a document whose life began at ``began``."""
    since = min((lease.since for lease in leases), default=began)
    return _told((_own(leases, stamp, since, ttl),), began)


def without_seen(record: HasLeases, seen: SeenBy, gone: SeenBy | None) -> Leases:
    """Returns the leases after a deletion of what somebody has seen."""
    left = (lease for lease in record.leases if not seen(lease.stamp) and not (gone and gone(lease.stamp)))
    return _told(tuple(left), record.created_at)


def renewed(leases: Leases, dot: Dot, until: float) -> Leases:
    """Returns the leases after a write was made again that is there already: its own ends later."""
    return tuple(
        lease._replace(until=max(lease.until, until)) if dot_of(lease.stamp) == dot else lease for lease in leases
    )


def touched(leases: Leases, time: float) -> Leases:
    """Returns the leases after somebody has made use of the document: those that still run begin anew."""
    return tuple(
        lease._replace(until=max(lease.until, time + lease.ttl))
        if lease.ttl is not None and lease.until > time
        else lease
        for lease in leases
    )


def joined_leases(one: HasLeases, other: HasLeases, changes: Iterable[LeafChange]) -> tuple[Leases, float]:
    """Returns the leases of a record that knows all that two replicas of it know, as ``join`` does for entries, of one
    lease the later end; and when the document's life began (0: there is none).

    Args:
        changes: what makes the first record this one.
    """
    alike = not (one.leases or other.leases) and one.created_at == other.created_at
    if alike and (is_behind(one.vector, other.vector) or _only_add(one, changes)):
        return (), other.created_at
    ours, theirs = _by_dot(one.leases or _without_end(one)), _by_dot(other.leases or _without_end(other))
    joined: dict[Dot, Lease] = {}
    for mine, twins, known in ((ours, theirs, other.vector), (theirs, ours, one.vector)):
        for dot, lease in mine.items():
            twin = twins.get(dot)
            if twin is not None:
                joined[dot] = later(lease, twin)._replace(since=min(lease.since, twin.since))
            elif not is_covered(lease.stamp, known):
                joined[dot] = lease
    leases = tuple(joined.values())
    begin = _beginning(leases) if leases else 0.0
    if begin is None:
        begin = min(lease.since for lease in leases)
    return _told(leases, begin), begin


def _only_add(record: HasLeases, changes: Iterable[LeafChange]) -> bool:
    """Whether something comes to stand by writes that a record does not know, and nothing stands that is older than the
    document's life."""
    news = [after for path, _, after in changes if path[0] != PARKED and after is not None]
    if not any(adds(leaf, record.vector) for leaf in news):
        return False
    known = (leaf for path, leaf in leaves(record.tree) if path[0] != PARKED)
    return min(map(begins_at, chain(news, known))) >= record.created_at


def later(one: Lease, other: Lease) -> Lease:
    """Returns that of two copies of one lease which ends later."""
    return max(one, other, key=lambda lease: lease.until)


def living(tree: Tree, gone: SeenBy) -> Tree:
    """Returns a copy of the tree without what is over."""
    result: Tree = {}
    if gone is seen_everything:
        return result
    for path, leaf in leaves(tree):
        left = without(leaf, gone)
        if covers(left):
            left = tuple(entry._replace(covered=_living_parts(entry, gone)) for entry in as_register(left))
        place_leaf(result, path, left)
    return result


def living_leaves(found: Mapping[Path, Leaf | None], gone: SeenBy) -> dict[Path, Leaf | None]:
    """Leaves by path without what is over."""
    tree: Tree = {}
    for path, leaf in found.items():
        place_leaf(tree, path, leaf)
    alive = living(tree, gone)
    return {path: leaf_at(alive, path) for path in found}


def with_dead(tree: Tree, alive: Tree, changes: tuple[LeafChange, ...]) -> tuple[LeafChange, ...]:
    """Changes that were computed on another form of a tree (what is alive of it), as changes of the tree itself."""
    after: dict[Path, Leaf | None] = {path: leaf for path, leaf in leaves(alive) if leaf_at(tree, path) is None}
    after |= {path: leaf for path, _, leaf in changes}
    result = []
    for path, leaf in leaves(tree):
        left = after.pop(path) if path in after else leaf_at(alive, path)
        if left is not leaf:
            result.append(LeafChange(path, leaf, left))
    return (*result, *(LeafChange(path, None, leaf) for path, leaf in after.items() if leaf is not None))


def _living_parts(entry: Entry, gone: SeenBy) -> tuple[tuple[Path, object], ...]:
    """What a deletion keeps, without what is over."""
    parts = ((path, without(leaf, gone)) for path, leaf in entry.covered)  # type: ignore[arg-type]
    return tuple((path, leaf) for path, leaf in parts if leaf)


def _own(kept: Leases, stamp: Stamp, since: float, ttl: float | None) -> Lease:
    until = math.inf
    if ttl is KEEP:
        longest = max(kept, key=lambda lease: lease.until, default=None)
        until, ttl = (longest.until, longest.ttl) if longest is not None else (math.inf, None)
    elif ttl is not None:
        until = stamp.time + max(ttl, 0.0)
    return Lease(stamp, min(since, stamp.time), until, ttl)


def _told(leases: Leases, began: float) -> Leases:
    """Leases in order; none where it goes without saying what they say, in a document whose life began at ``began``."""
    if all(lease.until == math.inf and lease.since == began for lease in leases):
        return ()
    return tuple(sorted(leases, key=lambda lease: order_of(lease.stamp)))


def _by_dot(leases: Leases) -> dict[Dot, Lease]:
    return {dot_of(lease.stamp): lease for lease in leases}


def _without_end(record: HasLeases) -> Leases:
    """The leases that go without saying in a record that keeps none: those of all writes that stand."""
    began, tree = record.created_at, record.tree
    standing = {stamp for path, leaf in leaves(tree) if path[0] != PARKED for stamp in contents_of(leaf)}
    return tuple(Lease(stamp, min(began, stamp.time), math.inf, None) for stamp in standing)
