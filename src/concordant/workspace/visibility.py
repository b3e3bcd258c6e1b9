"""What a scope has seen.

Snapshot isolation's rule: a write is concurrent with whatever was committed after its scope began and that the scope
has not read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from concordant.merge.causality import Seen, SeenBy, Stamp, VersionVector
from concordant.merge.kinds import Field
from concordant.merge.record import Record
from concordant.merge.record.record import RECENT
from concordant.merge.registers import leaf_at
from concordant.merge.registers.bulk import Bulk
from concordant.merge.registers.leaf import as_register, is_seen
from concordant.storage import Address, Beginning
from concordant.storage.cut import part
from concordant.workspace.scope import FoundSeen, ReadSnapshot, Scope, descends

__all__ = ["own_writes", "reached", "seen_by", "sees_all", "task_of"]


def task_of(origin: str) -> str:
    """Returns the origin of the task in which a handle or strand was made (``task#handle``); any other origin
    itself."""
    return origin.partition("#")[0] if "#" in origin else origin


def own_writes(scope: Scope, snapshot: ReadSnapshot | None) -> str | None:
    """Returns the origin of the writes that the scope's snapshot is of, if that is of a put without a read; else
    ``None``."""
    if snapshot is None or snapshot.at >= 0 or not scope.origin:
        return None
    return snapshot.put or scope.origin


def knows_of_own(scope: Scope, n: int, theirs: str) -> bool:
    """Tells whether a scope has seen a write of its own task, or of one that ran it or that it ran.

    Strands and handles of a task know what they and those they have started wrote, and of each other what was
    there when they began.
    """
    own = scope.origin
    if task_of(theirs) != task_of(own) or descends(theirs, own):
        return True
    return n <= part(scope.born, n) if scope.born is not None else "#" not in own


def _told_by_tasks(scope: Scope, n: int, theirs: str) -> bool | None:
    """Whether a scope has seen another's commit by how their tasks stand to each other; ``None``: time decides."""
    relation = scope.relation
    if relation is None or not theirs or not theirs.startswith(scope.kin):
        return None
    verdict = relation(task_of(scope.origin), task_of(theirs))
    return None if verdict == "ordered" else verdict == "same" and knows_of_own(scope, n, theirs)


def is_strange(scope: Scope, n: int, when: float, theirs: str) -> bool:
    """Tells whether a write is of somebody else, for a scope that has seen of others only what it was shown."""
    return scope.owns is not None and not scope.before.covers(n, when) and not scope.owns(task_of(theirs))


def seen_by(
    scope: Scope, snapshot: ReadSnapshot | None, record: Record, replica: str, earlier_began: float | None = None
) -> SeenBy:
    """Tells what the scope has seen of a record: what it read, its own writes, and what was there when it began.

    Args:
        earlier_began: the time of the last commit when the earlier execution began, for a put that takes the place of
            one of its puts.
    """
    at, time = (snapshot.at, snapshot.time) if snapshot is not None else (-1, 0.0)
    version = record.version
    origin, relation, began, since = scope.origin, scope.relation, scope.began_at(snapshot, version), scope.since
    took_back, is_own = scope.base.took_back, scope.is_own
    floor = part(scope.floor, version) if scope.owns is None else 0.0
    turn = None
    if earlier_began is not None and scope.seen_tokens is None:
        began, since, floor = None, Beginning(earlier_began), 0.0
        turn = scope.task.turn if scope.task is not None else None

    def seen(stamp: Stamp) -> bool:
        if stamp.replica == replica:
            n, when = stamp.n, stamp.time
        else:
            n, when = record.position(stamp, replica)
        if n <= at:
            return True
        if is_own(n, stamp.origin):
            return True
        if n in took_back and when <= time:
            return True  # it was read, gave way to an earlier execution of the task, and stands again
        told = _told_by_tasks(scope, n, stamp.origin)
        if told is not None:
            return told
        if turn is not None and turn(task_of(origin), task_of(stamp.origin)):
            return scope.since.covers(n, when)  # what came before or after the last time is older than this time
        there = n <= began if began is not None else since.covers(n, when)
        return there and not is_strange(scope, n, when, stamp.origin)

    others = _arrived(record, at)
    if relation is None and began is not None and scope.owns is None and not scope.peers and not took_back:
        return Seen(replica, max(at, began), seen, origin or "\x00", others=others)
    if at >= 0 or began is None or relation is not None:
        return Seen(replica, at, seen, floor=floor, others=others)
    return Seen(replica, began, seen)


def _arrived(record: Record, at: int) -> VersionVector:
    """Of other stores up to which number their writes were here by a commit: whoever read it has seen them."""
    return {source: upto for n, _, source, upto in record.arrivals if n <= at}


def reached(scope: Scope, time: float, commits: Iterable[tuple[int, float, str]]) -> float:
    """Returns the time of the last commit of a document that was there when the scope began, or of one of another after
    it.

    Args:
        time: of the last commit of the document's clock that is known to have been there.
        commits: (n, time, origin) of those of the document, oldest first.
    """
    beyond = scope.since.beyond
    if beyond is not None:
        for n, when, _ in commits:
            if when > time:
                if not beyond(n, when):
                    break
                time = when
    return time


def unseen_fields(record: Record, fields: Iterable[Field], seen: SeenBy) -> dict[str, bool]:
    """Tells of some fields those in which something stands that is not seen; and whether they are scalars."""
    return {
        field.name: field.kind.is_leaf
        for field in fields
        if field.slot in record.tree and not _is_all_seen(record, field.slot, seen)
    }


def _is_all_seen(record: Record, slot: str, seen: SeenBy) -> bool:
    """Whether all that stands in a field is seen: by what came to it last, where that is known, or by all of it."""
    memory = record.memory
    latest = memory.latest.get(slot, ()) if memory is not None else None
    if memory is not None and latest is not None:
        for stamp, place in latest:
            if not seen(stamp) and stamp in [entry.stamp for entry in as_register(leaf_at(record.tree, place))[-1:]]:
                return False
        upto, own = -1, None
        if isinstance(seen, Seen) and len(record.vector) == 1 and seen.replica in record.vector:
            upto, own = seen.upto, seen.origin  # all was written here: numbers tell
        if upto >= memory.since and all(stamp.n <= upto or stamp.origin == own for stamp, _ in latest):
            return True
    return _is_seen(record.tree[slot], seen)


def _is_seen(cell: Any, seen: SeenBy) -> bool:
    """Whether all that stands in a place is seen. What was written last is looked at first."""
    if isinstance(cell, Bulk):
        return (not cell.has_rest or seen(cell.given.stamp)) and all(_is_seen(cell[part], seen) for part in cell.apart)
    if isinstance(cell, dict):
        return all(_is_seen(part, seen) for part in reversed(cell.values()))
    return is_seen(cell, seen)


def sees_all(
    scope: Scope,
    snapshot: ReadSnapshot | None,
    document: Address,
    recent: Sequence[tuple[int, float, str]],
) -> bool:
    """Tells whether a scope has seen every commit of a document.

    Args:
        recent: (n, time, origin) of the document's newest commits, the last one last.
    """
    read = at = snapshot.at if snapshot is not None else -1
    if scope.began is not None:
        began = scope.began_at(snapshot, recent[-1][0] if recent else 0) or 0
        return _sees_from(scope, began if began > at else at, recent)
    if not recent:
        return True
    floor = scope.floor if scope.owns is None else -1.0
    if isinstance(floor, tuple):
        floor = part(floor, recent[-1][0])
    if recent[-1][1] <= floor:
        return True
    if scope.found_seen:
        at = max(at, scope.seen_before(document, read))
    newest = _newest_seen(scope, at, floor, recent)
    if newest is None:
        return False
    if newest > at:
        scope.found_seen[document] = FoundSeen(newest, read, scope.before, scope.peers_upto)
    return True


def _sees_from(scope: Scope, at: int, recent: Sequence[tuple[int, float, str]]) -> bool:
    """Whether all of a document's commits after one are a scope's own."""
    own = scope.origin or None
    for n, _, theirs in reversed(recent):
        if n <= at:
            return True
        if theirs != own and not scope.is_own(n, theirs):
            return False
    return len(recent) < RECENT  # if these are not all, an older one may be unseen


def _newest_seen(scope: Scope, at: int, floor: float, recent: Sequence[tuple[int, float, str]]) -> int | None:
    """The newest of a document's commits after one that are of others than a task, if the task has seen all of these
    (-1: there is none); ``None`` if it has not.

    Args:
        floor: up to which time there are none that its ``relation`` calls concurrent.
    """
    own = scope.origin or None
    newest = -1
    before: float | None = None
    for n, when, theirs in reversed(recent):
        if n <= at or when <= floor:  # what is older than the floor was there too, and is of none of its siblings
            return newest
        if theirs == own or scope.is_own(n, theirs):
            continue
        if before is None:  # most writes are of documents that the task alone has written to
            before = part(scope.since.time, n) if scope.kin and scope.owns is None else floor
        # What is older and of no kin is seen: by far the most are, so that is not left to ``_sees``.
        if (when > before or theirs.startswith(scope.kin)) and not _sees(scope, n, when, theirs):
            return None
        if n > newest:
            newest = n
    return newest if len(recent) < RECENT else None


def _sees(scope: Scope, n: int, when: float, theirs: str) -> bool:
    """Whether the scope of a task has seen another's commit without having read it."""
    told = _told_by_tasks(scope, n, theirs)
    if told is not None:
        return told
    return scope.since.covers(n, when) and not is_strange(scope, n, when, theirs)
