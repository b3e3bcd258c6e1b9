"""Scopes: units of an agent's work, with what they have read.

A task whose code runs side by side, in coroutines that it gathers or in threads of a pool, consists of *strands*: each
has what it has read by itself, as a task has. A strand that has read nothing of a document continues the work of the
one that had started it, or of one that has ended and has not put what it read, unless the two were gathered.
"""

from __future__ import annotations

import itertools
import sys
import threading
from collections.abc import Callable, Set
from typing import Any, Literal, NamedTuple, TypeAlias

from concordant.storage import Address, Beginning, Instant
from concordant.storage.base import Column
from concordant.storage.cut import Cut, least, part
from concordant.storage.forking import free_in_child
from concordant.values import decode_whole
from concordant.workspace.coroutines import Awaited, Runner, are_gathered, awaited_by, has_ended
from concordant.workspace.token import Shown, moment_token

__all__ = [
    "AgentRun",
    "Moment",
    "Ownership",
    "ReadSnapshot",
    "Relation",
    "Scope",
    "SeenTokens",
    "Strands",
    "TaskScope",
    "Turn",
    "descends",
]


Relation: TypeAlias = Callable[[str, str], Literal["same", "concurrent", "ordered"]]
"""Tells how a write's origin stands to a scope's own: of the same unit of work, concurrent by construction, or
ordered by time."""


Turn: TypeAlias = Literal["before", "after", "around", "within", ""]
"""When a task is executed, seen from another: before or after it, around it or within it; else it is not told."""


_numbering = free_in_child(threading.Lock())
_NONE: frozenset[Any] = frozenset()
_BEFORE_ALL = Beginning()

_MOST_BODIES = 16
"""How many puts may lie over what was read before they are put together."""


class Moment(NamedTuple):
    """A point in a store's history at which scopes can begin: picklable, valid in other processes.

    ``n`` is the last commit before it in the store ``replica``, of a store with several clocks (Postgres) a tuple with
    that of each; ``time`` is in seconds since the epoch.
    """

    replica: str
    n: Cut
    time: float

    @property
    def token(self) -> str:
        """The moment as text, for ``agent(name, seen=token)`` in any process that shares the store."""
        return moment_token(self.replica, self.n, self.time)


Ownership: TypeAlias = Literal["own", "below", ""]
"""Whether a write is of a run itself, of what it ran, or neither."""


class AgentRun(NamedTuple):
    """What an adapter tells of the agent whose call is made (``TaskScope.run``).

    Args:
        key: identifies the run of the agent, which may consist of many tasks.
        owns: tells of a write's origin whether it is of the run.
        turn: orders the calls of the run by when they were decided (``Instant.tick``); those of one turn were decided
            at once, so none of them by what another was shown. ``None``: code makes the call, and knows all that was
            shown.
        call: identifies the call, where calls of one turn have the task's scope in common.
        message: identifies what decided the call together with others: a model's message. Its author knows all of it.
        began: when the run began; in seconds since the epoch where no more is known.
        named: whether the agent has a name of its own, not one that was made for the task.
    """

    key: str
    owns: Callable[[str], Ownership]
    turn: int | None = None
    call: str = ""
    message: str = ""
    began: Instant | float = 0.0
    named: bool = True


class TaskScope(NamedTuple):
    """What an adapter tells of the unit of work in which a call is made (``Workspace.add_scope_provider``).

    Args:
        key: identifies this execution of the task; scopes are kept by it.
        name: the agent's name.
        origin: stored with each write, for ``relation``; so it names the unit of work for ever, in all processes.
        task: the identity of the task, the same when it is executed again, and that of no other task, in any process
            that ever writes to the store: a put of another execution takes the place of what the one before has put.
        execution: tells one execution of the task from the next.
        began: the instant at which this execution began; its time, in seconds since the epoch, where no more is known.
        relation: compares two origins.
        kin: what the origins begin with that ``relation`` does not call ordered ("": any may be); it spares
            comparisons.
        strands: whether coroutines and threads of the task that run side by side count as writers of their own.
        run: the run of an agent that the task is part of; what tools show in it counts in its later calls.
        floor: an instant before which nobody wrote whom ``relation`` calls concurrent; it spares comparisons too.
        turn: tells of two origins, ``(mine, theirs)``, when their task is executed, seen from mine, whenever what is
            around both is. So of what they wrote it is told whether that was the last time.
    """

    key: str
    name: str
    origin: str
    task: str
    execution: str
    began: Instant | float
    relation: Relation
    kin: str = ""
    strands: bool = False
    run: AgentRun | None = None
    floor: Instant | None = None
    turn: Callable[[str, str], Turn] | None = None


class ReadSnapshot(NamedTuple):
    """What a scope has read of a document: up to which commit (-1: nothing), the value as JSON text or dict, the
    top-level fields that were contested then, which the read did not show, if it is what a scope has put there since,
    the origin of that, and when the commit was made."""

    at: int
    base: Any
    leave: frozenset[str] = frozenset()
    put: str = ""
    time: float = 0.0

    def values(self) -> dict[str, Any] | None:
        """Returns the value read, as a dict; ``None`` if nothing was read."""
        base = self.base
        if isinstance(base, bytes):
            return decode_whole(base)  # type: ignore[no-any-return]
        if isinstance(base, tuple):
            under, *puts = base
            values = decode_whole(under) if isinstance(under, bytes) else dict(under or {})
            for body in puts:
                values.update(decode_whole(body))
            return values
        return base  # type: ignore[no-any-return]

    def then_put(self, body: bytes, origin: str) -> ReadSnapshot:
        """Returns what was read, with fields put over it; put together when it is asked for."""
        at, base, leave, _, time = self
        base = (*base, body) if type(base) is tuple else (base, body)
        if len(base) > _MOST_BODIES:
            base = (self.values(), body)
        return tuple.__new__(ReadSnapshot, (at, base, leave, origin, time))  # the class's own is slower, being Python


class FoundSeen(NamedTuple):
    """That a scope has seen all commits of a document up to one, so that the next look begins there.

    Attributes:
        upto: the last commit of another that was looked at.
        read: up to which commit the scope had read.
        before: what was there, of that what it was not shown.
        peers_upto: as far as it saw the calls made together with it.
    """

    upto: int
    read: int
    before: Beginning
    peers_upto: int


class SeenTokens(NamedTuple):
    """What the tokens of a scope showed it (``seen=``).

    Attributes:
        given: the tokens, as they were given.
        documents: what each document showed, by its digest.
        upto: up to where it saw all there was; ``None``: it saw those documents only.
    """

    given: Any
    documents: dict[bytes, Shown]
    upto: Cut | None


class Handed(NamedTuple):
    """What one strand of a task has read of a document and not put yet, for whoever continues its work."""

    origin: str
    runner: Runner | None
    awaited: Awaited
    snapshot: ReadSnapshot


class Strands:
    """What the strands of one task share.

    Attributes:
        reads: what each document's last reader has not put yet; ``None`` as long as there is one strand.
    """

    __slots__ = ("numbers", "reads")

    def __init__(self) -> None:
        self.numbers = itertools.count(1)
        self.reads: dict[Address, Handed] | None = None


class Scope:
    """A unit of work: who, since when, and what it has read.

    Args:
        began: up to where it has seen what was there when it began; ``None`` where that is told by times.
        since: what was there when it began.
    """

    __slots__ = (
        "_snapshots",
        "agent",
        "awaited",
        "base",
        "before",
        "began",
        "born",
        "earlier",
        "executed_before",
        "floor",
        "found_seen",
        "ident",
        "kin",
        "names",
        "ordinals",
        "origin",
        "owns",
        "parent",
        "peers",
        "peers_upto",
        "relation",
        "rewritten",
        "runner",
        "seen_tokens",
        "since",
        "strands",
        "successor",
        "task",
        "took_back",
        "written",
    )

    def __init__(
        self,
        agent: str,
        origin: str,
        began: Cut | None,
        since: Beginning = _BEFORE_ALL,
        relation: Relation | None = None,
        task: TaskScope | None = None,
    ) -> None:
        self.agent = agent
        self.origin = origin
        self.began = began
        self.since = since
        # Up to which time there are no commits that ``relation`` calls concurrent.
        self.floor: float | tuple[float, ...] = 0.0
        self.relation = relation
        self.owns: Callable[[str], object] | None = None  # of others it has seen what it was shown,
        self.before = _BEFORE_ALL  # and what was there then
        self.peers: Set[str] = _NONE  # origins of calls that its author decided together with this one,
        self.peers_upto = sys.maxsize  # as far as they are seen: up to this commit
        self.task = task
        self._snapshots: dict[Address, ReadSnapshot | bytes | tuple[Any, ...]] = {}
        self.ordinals: dict[Address, int] = {}
        self.earlier: dict[Address, Any] = {}  # what earlier executions of the task put (``Executions``)
        self.executed_before: bool | None = None
        self.successor: Scope | None = None  # the task's next execution, begun while this one may go on
        self.rewritten: set[Address] = set()  # documents that earlier executions have put to since this one began
        self.took_back: set[int] = set()  # its commits that took back what an earlier execution had put
        self.seen_tokens: SeenTokens | None = None  # what tokens showed it
        self.base = self  # the task's own scope, where this one is another name or handle of it
        self.found_seen: dict[Address, FoundSeen] = {}
        self.written: dict[Address, bool] = {}  # what it wrote (True) or deleted since its last snapshot
        self.kin = task.kin if task is not None else ""
        self.born: Cut | None = None  # for a handle or strand of a task: how far the store had come when it was made
        self.strands: Strands | None = None
        self.ident = 0  # of the coroutine or thread that a strand is
        self.runner: Runner | None = None
        self.awaited: Awaited = ()  # what waits for that
        self.parent: Scope | None = None  # the strand that had started this one
        self.names: dict[str, Scope] | None = None  # the same scope under other names

    @classmethod
    def of(cls, task: TaskScope, since: Beginning = _BEFORE_ALL, floor: Beginning = _BEFORE_ALL) -> Scope:
        """Returns the scope of a task of a framework."""
        scope = cls(task.name, task.origin, None, since, task.relation, task)
        scope.floor = since.time if floor is since else least(floor.time, since.time)
        if task.strands:
            scope.strands = Strands()
        return scope

    def snapshot(self, document: Address) -> ReadSnapshot | None:
        """Returns what the scope has read of a document, or the one that had started it."""
        snapshot = self._snapshots.get(document)
        if snapshot is None:
            return self.parent.snapshot(document) if self.parent is not None else None
        return self._as_snapshot(snapshot)

    def _as_snapshot(self, snapshot: ReadSnapshot | bytes | tuple[Any, ...]) -> ReadSnapshot:
        if type(snapshot) is ReadSnapshot:
            return snapshot
        if type(snapshot) is bytes:
            return ReadSnapshot(-1, snapshot, _NONE, self.origin)
        row: Any = snapshot
        return ReadSnapshot(row[Column.N], row[Column.BODY], _NONE, "", row[Column.TIME])

    def basis(self, document: Address) -> ReadSnapshot | None:
        """Returns what a put is based on: the last read here, or one that was made for whoever puts: by a strand
        started here, or, if nothing was read here, by any that has ended and did not run beside this one."""
        strands = self.strands
        if strands is not None and strands.reads:
            handed = strands.reads.get(document)
            if (
                handed is not None
                and handed.origin != self.origin
                and (document not in self._snapshots or descends(handed.origin, self.origin))
                and has_ended(handed.runner)
                and not are_gathered(handed.awaited, self.awaited)
            ):
                return handed.snapshot
        known = self._snapshots.get(document)
        if known is None and self.parent is None:
            return None
        return known if type(known) is ReadSnapshot else self.snapshot(document)

    def set_snapshot(
        self,
        document: Address,
        snapshot: ReadSnapshot | bytes | tuple[Any, ...] | None,
        basis: ReadSnapshot | None = None,
    ) -> None:
        """Remembers a read, or a put based on ``basis``; ``None`` forgets.

        Args:
            snapshot: of what was written once, its row; of a put based on nothing, its bare JSON text.
        """
        if snapshot is None:
            self._snapshots.pop(document, None)
            return
        self._snapshots[document] = snapshot
        if self.written:
            self.written.pop(document, None)  # the snapshot tells from now on
        if self.strands is not None and self.strands.reads is not None:
            self._hand_on(self.strands.reads, document, self._as_snapshot(snapshot), basis)

    def note_put(self, document: Address, body: bytes, basis: ReadSnapshot | None, leaves_rest: bool) -> None:
        """Takes note after a put that the scope has read what it put, beside what it had read of the fields it left
        out.

        Args:
            basis: what the put was based on.
            leaves_rest: whether fields that are left out stay.
        """
        if basis is None:
            self.set_snapshot(document, body)
        elif leaves_rest:
            self.set_snapshot(document, basis.then_put(body, self.origin), basis)
        else:
            put = ReadSnapshot(basis.at, body, basis.leave, self.origin, basis.time)
            self.set_snapshot(document, put, basis)

    def note_written(self, document: Address, there: bool) -> None:
        """Remembers that the scope wrote (or deleted) a document; a call's own scope (without origin) ends with it."""
        if self.origin:
            self.written[document] = there

    def _hand_on(
        self, reads: dict[Address, Handed], document: Address, snapshot: ReadSnapshot, basis: ReadSnapshot | None
    ) -> None:
        if not snapshot.put:
            reads[document] = Handed(self.origin, self.runner, self.awaited, snapshot)
            return
        handed = reads.get(document)
        if handed is None:
            return
        if handed.origin == self.origin and not handed.snapshot.put:
            reads.pop(document, None)  # put by its reader, so it was nobody else's
        elif handed.origin == self.origin or handed.snapshot is basis:
            last = self.snapshot(document)
            assert last is not None
            reads[document] = Handed(self.origin, self.runner, self.awaited, last)

    def number(self, document: Address) -> int:
        """Returns the number of the task's next put to a document, whichever of its strands and handles makes it."""
        with _numbering:
            ordinal = self.ordinals.get(document, 0)
            self.ordinals[document] = ordinal + 1
        return ordinal

    def take_number_back(self, document: Address, ordinal: int) -> None:
        """Gives back the number of a put that was not committed: the next one has it, unless there has been one
        since."""
        with _numbering:
            if self.ordinals.get(document) == ordinal + 1:
                self.ordinals[document] = ordinal

    def began_at(self, snapshot: ReadSnapshot | None, n: int) -> int | None:
        """Tells up to which commit the scope has seen all there was of a document of which it has a snapshot.

        What a token showed is what was seen of a document, however late the scope began beside it.

        Args:
            n: the number of a commit of the document, which tells its clock.
        """
        began = self.began
        if began is None:
            return None
        if isinstance(began, tuple):
            began = part(began, n)
        return began if self.seen_tokens is None or snapshot is None or snapshot.at < 0 else min(began, snapshot.at)

    def is_own(self, n: int, origin: str) -> bool:
        """Tells whether a commit is the scope's own, or of a call that its author decided together with it, as far as
        it has seen those."""
        if origin == self.origin:
            return origin != ""
        return origin in self.peers and n <= self.peers_upto and self.origin != ""

    def seen_before(self, document: Address, read: int) -> int:
        """Tells up to which commit it was found before that it has seen all of a document; -1 if that is not known.

        Args:
            read: up to which commit it has read.
        """
        known = self.found_seen.get(document)
        if known is None or known.read > read:
            return -1
        return known.upto if known.before is self.before and known.peers_upto == self.peers_upto else -1

    @property
    def overlaps(self) -> bool:
        """Whether another execution of the task goes on beside this one, as far as this process knows."""
        return self.successor is not None or bool(self.rewritten)

    def successors(self) -> list[Scope]:
        """Returns the later executions of the task, as far as this process knows them."""
        found, scope = [], self.base.successor
        while scope is not None:
            found.append(scope)
            scope = scope.successor
        return found

    def renamed(self, name: str) -> Scope:
        """Returns the same scope under another name."""
        if self.names is None:
            self.names = {}
        found = self.names.get(name)
        if found is None:
            found = self.names.setdefault(name, self._twin(name))
        return found

    def _twin(self, name: str) -> Scope:
        """Another view of the same scope: what it has read and written is one."""
        twin = Scope(name, self.origin, self.began, self.since, self.relation, self.task)
        twin._snapshots, twin.written, twin.seen_tokens = self._snapshots, self.written, self.seen_tokens
        twin.born, twin.parent, twin.strands = self.born, self.parent, self.strands
        twin.runner, twin.awaited = self.runner, self.awaited
        twin.counts_with(self.base)
        return twin

    def judged_by_reads(
        self,
        owns: Callable[[str], object] | None,
        peers: Set[str],
        before: Beginning = _BEFORE_ALL,
    ) -> Scope:
        """Returns the same scope for a write whose writer was shown what is there: that it has seen, and what it wrote
        itself (``owns``), and no more.

        Args:
            owns: ``None`` where it was shown nothing.
            peers: the origins of what it wrote beside this.
            before: what was there then it has seen too.
        """
        found = self._twin(self.agent)
        found.owns, found.peers, found.before = owns, peers, before
        return found

    def up_to(self, n: int) -> Scope:
        """Returns the same scope for a change of what was seen at a commit: what its author decided beside it and came
        later it leaves alone."""
        if not self.peers:
            return self
        found = self.judged_by_reads(self.owns, self.peers, self.before)
        found.peers_upto = n
        return found

    def is_strand(self, ident: int, runner: Runner | None) -> None:
        """Makes the scope that of a coroutine or thread of its task."""
        self.ident, self.runner, self.awaited = ident, runner, awaited_by(runner)

    def has_company(self, born: Cut) -> None:
        """Takes note that another strand of the task than this first one begins: what this has read and not put is also
        for it."""
        strands = self.strands
        assert strands is not None
        if strands.reads is not None:
            return
        self.born = born
        for name in (self.names or {}).values():
            name.born = born
        read = [(document, self._as_snapshot(snapshot)) for document, snapshot in list(self._snapshots.items())]
        strands.reads = {
            document: Handed(self.origin, self.runner, self.awaited, snapshot)
            for document, snapshot in read
            if not snapshot.put
        }

    def strand(self, ident: int, runner: Runner | None, parent: Scope | None, born: Cut) -> Scope:
        """Returns another strand of the task whose scope this is.

        Args:
            parent: the strand that has started it, where that is known.
            born: how far the store had come when it began.
        """
        assert self.strands is not None
        number = next(self.strands.numbers)
        origin = f"{self.origin}#~{number}" if parent is None else f"{parent.origin}#{number}"
        scope = Scope(self.agent, origin, None, self.since, self.relation, self.task)
        scope.born, scope.parent, scope.strands = born, parent, self.strands
        scope.counts_with(self)
        scope.is_strand(ident, runner)
        return scope

    def counts_with(self, base: Scope) -> None:
        """Counts puts together with those of ``base``: a retried task finds them whoever makes them. It began as that
        did."""
        self.ordinals, self.earlier, self.base = base.ordinals, base.earlier, base
        self.since, self.floor = base.since, base.floor


def descends(origin: str, above: str) -> bool:
    """Tells whether a handle or strand was made by another, or by one that this had made (``above#handle``, but not
    ``above#~strand``, which nobody is known to have started)."""
    return origin.startswith(above + "#") and origin[len(above) + 1] != "~"
