"""What a scope has seen.

Snapshot isolation's rule: a write is concurrent with whatever was committed after its scope began and that the scope
has not read.
"""

from __future__ import annotations

from collections.abc import Iterable

from concordant.causal import Seen, SeenBy, Stamp
from concordant.kinds.record import split_slot
from concordant.record import Record
from concordant.sequence.pieces import Sequence
from concordant.tree import PARKED, leaves
from concordant.workspace.scope import Mark, Scope, descends

__all__ = ["own_writes", "seen_by", "sees_all", "task_of"]


def task_of(origin: str) -> str:
    """The origin of the task in which a handle or strand was made (``task#handle``); any other origin itself."""
    return origin.partition("#")[0] if "#" in origin else origin


def own_writes(scope: Scope, mark: Mark | None) -> str | None:
    """The origin of the writes that the scope's mark is of, if that is of a put without a read; else ``None``."""
    if mark is None or mark.at >= 0 or not scope.origin:
        return None
    return mark.put or scope.origin


def knows_of_own(scope: Scope, n: int, theirs: str) -> bool:
    """Whether a scope has seen a write of its own task, or of one that ran it or that it ran.

    Strands and handles of a task know what they and those they have started wrote, and of each other what was
    there when they began.
    """
    own = scope.origin
    if task_of(theirs) != task_of(own) or descends(theirs, own):
        return True
    return n <= scope.born if scope.born is not None else "#" not in own


def is_strange(scope: Scope, when: float, theirs: str) -> bool:
    """Whether a write is of somebody else, for a scope that has seen of others only what it was shown."""
    return scope.owns is not None and when >= scope.before and not scope.owns(task_of(theirs))


def seen_by(
    scope: Scope, mark: Mark | None, record: Record, replica: str, earlier_began: float | None = None
) -> SeenBy:
    """What the scope has seen of a record: what it read, its own writes, and what was there when it began.

    Args:
        earlier_began: when the earlier execution began, for a put that takes the place of one of its puts.
    """
    at, time = (mark.at, mark.time) if mark is not None else (-1, 0.0)
    origin, relation, began, since = scope.origin, scope.relation, scope.began_at(mark), scope.since
    took_back = scope.base.took_back
    sure, is_own, peers = scope.sure, scope.is_own, scope.peers
    if earlier_began is not None and scope.sight is None:
        began, since, sure = None, earlier_began, earlier_began - (since - sure)

    def in_time(n: int, when: float) -> bool:
        if began is not None:
            return n <= began
        return when < sure or (when < since and is_own(n))

    def seen(stamp: Stamp) -> bool:
        if stamp.replica == replica:
            n, when = stamp.n, stamp.time
        else:
            n, when = record.position(stamp, replica)
        if n <= at:
            return True
        if origin and (stamp.origin == origin or stamp.origin in peers):
            return True
        if n in took_back and when <= time:
            return True  # it was read, gave way to an earlier execution of the task, and stands again
        if relation is not None and stamp.origin:
            verdict = relation(task_of(origin), task_of(stamp.origin))
            if verdict != "ordered":
                return verdict == "same" and knows_of_own(scope, n, stamp.origin)
        return in_time(n, when) and not is_strange(scope, when, stamp.origin)

    return Seen(replica, at, seen) if at >= 0 or began is None or relation is not None else Seen(replica, began, seen)


def unseen_fields(record: Record, names: Iterable[str], seen: SeenBy) -> dict[str, bool]:
    """Of some fields those in which something stands that is not seen; and whether they are scalars."""
    found: dict[str, bool] = {}
    wanted = set(names)
    for path, leaf in leaves(record.tree):
        slot = path[0]
        if slot is None or slot == PARKED:
            continue
        tag, name = split_slot(slot)
        if name in wanted and name not in found:
            stamps = leaf.stamps() if isinstance(leaf, Sequence) else (s for entry in leaf for s in entry.stamps)
            if not all(map(seen, stamps)):
                found[name] = tag == "scalar"
    return found


def sees_all(scope: Scope, mark: Mark | None, recent: Iterable[tuple[int, float, str]], *, complete: bool) -> bool:
    """Whether a scope has seen every commit of a document.

    Args:
        recent: (n, time, origin) of the document's commits, newest first.
        complete: whether these are all; if not, an older one may be unseen.
    """
    at = mark.at if mark is not None else -1
    origin, relation, since, floor = scope.origin, scope.relation, scope.since, scope.floor
    began = scope.began_at(mark)
    for n, when, theirs in recent:
        if n <= at:
            return True
        if began is not None:
            if n <= began:
                return True
            if not origin or theirs != origin:
                return False
            continue
        if when < floor and when < since:
            return True
        if origin and (theirs == origin or theirs in scope.peers):
            continue
        verdict = relation(task_of(origin), task_of(theirs)) if relation is not None and theirs else "ordered"
        if verdict == "same" and not knows_of_own(scope, n, theirs):
            return False
        if verdict == "concurrent":
            return False
        if verdict == "ordered" and (when >= since or is_strange(scope, when, theirs)):
            return False
    return complete
