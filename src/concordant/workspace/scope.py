"""Scopes: units of an agent's work, with what they have seen.

Snapshot isolation's rule: a write is concurrent with whatever was committed after its scope began and that the scope
has not read.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from typing import Any, Literal, NamedTuple, TypeAlias

from concordant.causal import Seen, SeenBy, Stamp
from concordant.record import Record
from concordant.values import decode

__all__ = ["Document", "Mark", "Moment", "ReadMarks", "Relation", "Scope", "TaskScope", "seen_by"]

Document: TypeAlias = tuple[tuple[str, ...], str]

Relation: TypeAlias = Callable[[str, str], Literal["same", "concurrent", "ordered"]]
"""Tells how a write's origin stands to a scope's own: of the same unit of work, concurrent by construction, or
ordered by time."""


class Moment(NamedTuple):
    """A point in a store's history at which scopes can begin: picklable, valid in other processes.

    ``n`` is the last commit before it in the store ``replica``; ``time`` is in seconds since the epoch.
    """

    replica: str
    n: int
    time: float


class TaskScope(NamedTuple):
    """What an adapter tells of the unit of work in which a call is made (``Workspace.add_scope_provider``).

    Args:
        key: identifies this execution of the task; scopes are kept by it.
        name: the agent's name.
        origin: stored with each write, for ``relation``.
        task: the identity of the task, the same when it is executed again.
        execution: tells one execution of the task from the next.
        began: when this execution began, in seconds since the epoch.
        relation: compares two origins.
        floor: a time before which no write can be one that ``relation`` calls concurrent (0: unknown); it spares
            comparisons.
    """

    key: str
    name: str
    origin: str
    task: str
    execution: str
    began: float
    relation: Relation
    floor: float = 0.0


class Mark(NamedTuple):
    """What a scope has read of a document: up to which commit (-1: nothing), the value as JSON text or dict, and the
    top-level fields that were contested then, which the read did not show."""

    at: int
    base: Any
    leave: frozenset[str] = frozenset()

    def values(self) -> dict[str, Any] | None:
        """The value read, as a dict; ``None`` if nothing was read."""
        base = self.base
        if isinstance(base, bytes):
            return decode(base)  # type: ignore[no-any-return]
        if isinstance(base, tuple):
            under, over = base
            return {**(decode(under) if isinstance(under, bytes) else under or {}), **decode(over)}
        return base  # type: ignore[no-any-return]

    def then_put(self, body: bytes) -> Mark:
        """What was read, with fields put over it; put together when it is asked for."""
        base = self.values() if isinstance(self.base, tuple) else self.base
        return Mark(self.at, (base, body), self.leave)


class Scope:
    """A unit of work: who, since when, and what it has read."""

    __slots__ = (
        "_marks",
        "agent",
        "base",
        "began",
        "born",
        "earlier",
        "executed_before",
        "floor",
        "ordinals",
        "origin",
        "relation",
        "since",
        "task",
        "written",
    )

    def __init__(
        self,
        agent: str,
        origin: str,
        began: int | None,
        since: float,
        relation: Relation | None = None,
        task: TaskScope | None = None,
    ) -> None:
        self.agent = agent
        self.origin = origin
        self.began = began
        self.since = since
        self.relation = relation
        self.task = task
        self._marks: dict[Document, Mark | bytes] = {}
        self.ordinals: dict[Document, int] = {}
        self.earlier: dict[Document, dict[int, Any]] = {}
        self.executed_before: bool | None = None
        self.base = self  # the task's own scope, where this one is another name or handle of it
        self.written: dict[Document, bool] = {}  # what it wrote (True) or deleted since its last mark
        self.floor = task.floor if task is not None else 0.0
        self.born: int | None = None  # for a handle made in a task: the last commit before it was made

    def mark(self, document: Document) -> Mark | None:
        """What the scope has read of a document."""
        mark = self._marks.get(document)
        return Mark(-1, mark) if isinstance(mark, bytes) else mark

    def set_mark(self, document: Document, mark: Mark | bytes | None) -> None:
        """Remembers a read, or (as its bare JSON text) a put without one; ``None`` forgets."""
        if mark is None:
            self._marks.pop(document, None)
        else:
            self._marks[document] = mark
            if self.written:
                self.written.pop(document, None)  # the mark tells from now on

    def shares(self, base: Scope) -> None:
        """Makes this scope another name for ``base``: the same marks and puts."""
        self._marks, self.written = base._marks, base.written
        self.counts_with(base)

    def counts_with(self, base: Scope) -> None:
        """Numbers puts together with those of ``base``: a retried task finds them whoever makes them."""
        self.ordinals, self.earlier, self.base = base.ordinals, base.earlier, base


def task_of(origin: str) -> str:
    """The origin of the task in which a handle was made (``task#handle``); any other origin itself."""
    return origin.partition("#")[0] if "#" in origin else origin


def own_writes(scope: Scope, mark: Mark | None) -> str | None:
    """The origin of the scope's own writes, where its mark is of a put without a read; else ``None``."""
    if mark is None or mark.at >= 0 or not scope.origin:
        return None
    return scope.origin


def seen_by(
    scope: Scope, mark: Mark | None, record: Record, replica: str, earlier_began: float | None = None
) -> SeenBy:
    """What the scope has seen of a record: what it read, its own writes, and what was there when it began.

    Args:
        earlier_began: when the earlier execution began, for a put that takes the place of one of its puts.
    """
    at = mark.at if mark is not None else -1
    origin, relation, began, since, born = scope.origin, scope.relation, scope.began, scope.since, scope.born
    if earlier_began is not None:
        began, since = None, earlier_began

    def seen(stamp: Stamp) -> bool:
        if stamp.replica == replica:
            n, when = stamp.n, stamp.time
        else:
            n, when = record.position(stamp, replica)
        if n <= at:
            return True
        if origin and stamp.origin == origin:
            return True
        if relation is not None and stamp.origin:
            verdict = relation(task_of(origin), task_of(stamp.origin))
            if verdict == "same" and born is not None:
                return n <= born
            if verdict != "ordered":
                return verdict == "same"
        return n <= began if began is not None else when < since

    return Seen(replica, at, seen) if at >= 0 or began is None or relation is not None else Seen(replica, began, seen)


def sees_all(scope: Scope, mark: Mark | None, recent: Iterable[tuple[int, float, str]], *, complete: bool) -> bool:
    """Whether a scope has seen every commit of a document.

    Args:
        recent: (n, time, origin) of the document's commits, newest first.
        complete: whether these are all; if not, an older one may be unseen.
    """
    at = mark.at if mark is not None else -1
    origin, relation, began, since, floor = scope.origin, scope.relation, scope.began, scope.since, scope.floor
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
        if origin and theirs == origin:
            continue
        verdict = relation(task_of(origin), task_of(theirs)) if relation is not None and theirs else "ordered"
        if verdict == "same" and scope.born is not None and n > scope.born:
            return False
        if verdict == "concurrent" or (verdict == "ordered" and when >= since):
            return False
    return complete


class ReadMarks:
    """Reads made without framework and name, by document, in the present context.

    They live in a ContextVar as immutable dicts (so a task's reads stay its own), expire, because server threads are
    reused for strangers, and are bounded in number.
    """

    FEW = 32
    MANY = 1024

    def __init__(self, lifetime: float) -> None:
        self.lifetime = lifetime
        # Newest, newer and older reads: the small dict is copied at every read, the others seldom.
        self._var: ContextVar[tuple[_Reads, _Reads, _Reads]] = ContextVar("concordant_reads", default=({}, {}, {}))

    def get(self, document: Document) -> Mark | Scope | None:
        """The last read of a document in this context, if it is still valid, or the scope that has continued it."""
        for reads in self._var.get():
            found = reads.get(document)
            if found is not None:
                return found[1] if time.monotonic() - found[0] <= self.lifetime else None
        return None

    def put(self, document: Document, read: Mark | Scope) -> None:
        """Remembers a read."""
        newest, newer, older = self._var.get()
        entry = (time.monotonic(), read)
        if len(newest) >= self.FEW:
            if len(newer) >= self.MANY:
                newer, older = newest, newer
            else:
                newer = {**newer, **newest}
            newest = {}
        self._var.set(({**newest, document: entry}, newer, older))


_Reads: TypeAlias = dict[Document, tuple[float, "Mark | Scope"]]
