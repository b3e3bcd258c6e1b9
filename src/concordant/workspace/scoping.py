"""Which scope a call belongs to: a task of a framework, a name in force, or the call alone."""

from __future__ import annotations

import itertools
import os
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple, TypeAlias, overload

from concordant.errors import InvalidTokenError
from concordant.storage import Address, Beginning, Instant, Storage
from concordant.storage.cut import Cut, clock_of, cut_of, highest, is_cut, is_within, joined, part
from concordant.storage.forking import free_in_child
from concordant.workspace.coroutines import ident, running
from concordant.workspace.names import sound_name
from concordant.workspace.scope import Moment, ReadSnapshot, Scope, SeenTokens, TaskScope
from concordant.workspace.token import parse_tokens
from concordant.workspace.tool_reads import Audience, ToolRead, ToolReads

__all__ = ["ANONYMOUS", "Scoping", "Tokens"]

ANONYMOUS = "anonymous"
"""The agent of a write made without framework and name."""

Provider = Callable[[], TaskScope | None]

Tokens: TypeAlias = str | Iterable[str]

_MOST_TASKS = 20_000


class Acting(NamedTuple):
    """The ``acting_as`` in force.

    Attributes:
        scope: the scope it began.
        within: the key of the task it was entered in, where calls of that task belong to its scope, and not to the
            task's; ``None``: it only names the agent of tasks.
    """

    name: str
    scope: Scope
    within: str | None = None


def _check_moment(began: Any) -> None:
    if began is not None and not isinstance(began, Moment):
        mend = "Give workspace.moment(), or the token of a moment as seen="
        raise InvalidTokenError(began, f"a {type(began).__name__} is no moment", mend)


_Reads: TypeAlias = dict[Address, tuple[float, "ReadSnapshot | Scope", set[str]]]


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

    def get(self, document: Address) -> tuple[float, ReadSnapshot | Scope, set[str]] | None:
        """Returns the last read of a document in this context, or the scope that has continued it: since when, which,
        and the origins of what tasks have put there since that were run in this context."""
        for reads in self._var.get():
            found = reads.get(document) if reads else None
            if found is not None:
                return found if time.monotonic() - found[0] <= self.lifetime else None
        return None

    def put(self, document: Address, read: ReadSnapshot | Scope, ran: set[str]) -> None:
        """Remembers a read."""
        newest, newer, older = self._var.get()
        entry = (time.monotonic(), read, ran)
        if len(newest) >= self.FEW:
            if len(newer) >= self.MANY:
                newer, older = newest, newer
            else:
                newer = {**newer, **newest}
            newest = {}
        self._var.set(({**newest, document: entry}, newer, older))


class Scoping:
    """The scopes of one workspace.

    Args:
        storage: tells the number and time of the last commit.
        read_marks: how long, in seconds, a read without framework and name makes a later put an edit of it.

    Attributes:
        has_marks: whether there ever was such a read.
    """

    def __init__(self, storage: Storage, read_marks: float) -> None:
        self._storage = storage
        self._reads = ReadMarks(read_marks)
        self.has_marks = False
        self._nobody = Scope(ANONYMOUS, "", sys.maxsize)  # whose writes nobody continues, so that it remembers nothing
        self._acting: ContextVar[Acting | None] = ContextVar("concordant_acting", default=None)
        self._providers: tuple[Provider, ...] = ()
        self._tasks: dict[str, Scope] = {}
        self._latest: dict[str, Scope] = {}  # by the task's identity: its last execution
        self._shown_to: dict[tuple[str, str | None], ToolReads] = {}  # by agent run, and the name in force
        self._floor: tuple[Instant | None, Beginning] = (None, Beginning())  # the last one asked for
        self._here: ContextVar[Scope | None] = ContextVar("concordant_strand", default=None)
        self._session = uuid.uuid4().hex[:8]
        self._numbers = itertools.count(1)
        self._lock = free_in_child(threading.Lock())

    def add_provider(self, provider: Provider) -> None:
        """Registers a function that tells in which task of a framework a call is made (``None``: in none)."""
        self._providers = (*self._providers, provider)
        self._storage.expect_tasks()

    @overload
    def current(self) -> Scope | None: ...
    @overload
    def current(self, document: Address) -> Scope: ...
    def current(self, document: Address | None = None) -> Scope | None:
        """Returns the scope of the call under way: that of the task, or of ``acting_as``; without either ``None``, or
        that of a write to a document ``alone``."""
        acting = self._acting.get()
        for provider in self._providers:
            task = provider()
            if task is not None:
                if acting is not None and acting.within == task.key:
                    return acting.scope
                scope = self._here.get()
                if scope is None or scope.task is not task or scope.ident != ident():
                    scope = self._scope_of(task)
                return scope if acting is None or acting.name == scope.agent else scope.renamed(acting.name)
        if acting is not None:
            return acting.scope
        return self.alone(document) if document is not None else None

    def acting(self) -> str | None:
        """Returns the name in force, if there is one."""
        acting = self._acting.get()
        return acting.name if acting is not None else None

    def audience(self) -> Audience | None:
        """Returns the agent run of the call under way, with what its tools have shown it; ``None`` where no adapter
        tells of one. Who acts under another name is another agent."""
        task = self._task()
        if task is None or task.run is None:
            return None
        key = (task.run.key, self.acting())
        return Audience(task.run, self._shown_to.get(key) or self._showings_of(key))

    def beginning(self, began: Instant | float) -> Beginning:
        """Tells what was there when something began."""
        return self._storage.beginning(began)

    def note_shown(
        self, document: Address, scope: Scope, at: Cut, fields: frozenset[str] | None = None, value: Any = None
    ) -> None:
        """Notes what the call under way shows its agent of a document.

        Args:
            at: the commit up to which it is shown, or a moment's.
            fields: the top-level fields that are shown; ``None``: all.
            value: of the whole document, as JSON text or dict.
        """
        audience = self.audience()
        if audience is not None:
            run = audience.run
            turn = run.turn if run.turn is not None else Instant.now().tick
            upto = part(at, clock_of(document, self._storage.clocks))
            audience.tool_reads.add(document, ToolRead(scope.origin, run.call, turn, upto, fields, value))

    def moment(self) -> Moment:
        """Returns the present point in the store's history."""
        with self._storage.reading():
            return Moment(self._storage.replica, *self._storage.now())

    def opened(self, agent: str, began: Moment | None = None, seen: Tokens | None = None) -> Scope:
        """Returns a scope of its own, begun between two commits (``begin``)."""
        with self._storage.reading():
            return self.begin(agent, began, seen)

    def begin(self, agent: str, began: Moment | None = None, seen: Tokens | None = None) -> Scope:
        """Returns a scope of its own: from ``began``, from the beginning of the task under way, or from now.

        Args:
            seen: the tokens of what it has seen instead.

        Raises:
            InvalidTokenError: that is no moment, or one is no token of this store.
        """
        _check_moment(began)
        if seen is not None:
            return self._shown(agent, began, seen)
        if began is None:
            task = self._task()
            if task is not None:
                strand = self._scope_of(task)
                # Several handles of one task are several writers: each has seen what was there when it was made.
                origin = f"{strand.origin}#{self._fresh()}"
                scope = Scope(agent, origin, None, strand.since, task.relation, task)
                scope.born = self._storage.now()[0]
                scope.counts_with(strand.base)
                return scope
            return Scope(agent, self._fresh(), self._storage.now()[0])
        if began.replica == self._storage.replica and is_cut(began.n, self._storage.clocks):
            return Scope(agent, self._fresh(), began.n)
        return Scope(agent, self._fresh(), None, Beginning(began.time))

    def _shown(self, agent: str, began: Moment | None, seen: Tokens) -> Scope:
        """A scope that has seen what tokens tell, and what was there at the moment that it began, if it has one.

        In a task its puts are the task's, so that they have their effect once; what it has seen is no matter of when
        the task began.
        """
        replica, clocks = self._storage.replica, self._storage.clocks
        documents, moment = parse_tokens(seen, replica, clocks)
        n, time = (moment.n, moment.time) if moment is not None else (cut_of([0] * clocks), 0.0)
        upto = n if moment is not None else None
        if began is not None:
            if began.replica != replica or not is_cut(began.n, clocks):
                raise InvalidTokenError(began, "it is a moment of another store", "Give a moment of this one")
            n, time = joined(n, began.n), max(time, began.time)
            upto = n
        if upto is not None and not is_within(upto, self._storage.now()[0]):
            problem = (
                f"it tells of commit {highest(upto)}, which this store does not have: it was restored from a back-up"
            )
            raise InvalidTokenError(seen, problem, "Read again, and give the token of that")
        task = self._task()
        if task is None:
            scope = Scope(agent, self._fresh(), n)
        else:
            strand = self._scope_of(task)
            scope = Scope(agent, f"{strand.origin}#{self._fresh()}", n, task=task)
            scope.counts_with(strand.base)
            scope.since = Beginning(time)
        scope.seen_tokens = SeenTokens(seen, documents, upto)
        return scope

    def _task(self) -> TaskScope | None:
        """The task of a framework in which the call under way is made."""
        return next((task for provider in self._providers if (task := provider()) is not None), None)

    def alone(self, document: tuple[tuple[str, ...], str]) -> Scope:
        """Returns the scope of a write without framework and name: one that continues the last read of the document in
        this context, or one of the call's own, which has seen all that was committed."""
        found = self._reads.get(document)
        if found is None:
            return self._nobody
        _, read, ran = found
        if isinstance(read, Scope):
            return read
        scope = Scope(ANONYMOUS, self._fresh(), read.at)
        scope.peers = ran
        scope.set_snapshot(document, read)
        self._reads.put(document, scope, ran)
        return scope

    def note_run(self, document: Address, scope: Scope) -> None:
        """Notes that a task puts to a document, for the reads of the context that runs it: a program that has a graph
        run goes on after it."""
        found = self._reads.get(document)
        if found is not None:
            found[2].add(scope.origin)

    def note_read(self, document: tuple[tuple[str, ...], str], snapshot: ReadSnapshot) -> None:
        """Remembers a read without framework and name, for a later put in this context."""
        self.has_marks = True
        self._reads.put(document, snapshot, set())

    @contextmanager
    def acting_as(self, name: str, began: Moment | None = None, seen: Tokens | None = None) -> Iterator[None]:
        """Names the agent of all calls inside; outside a task, or as of ``began`` or ``seen``, also begins a scope."""
        if began is None and seen is None:
            acting = Acting(name, Scope(name, self._fresh(), self._storage.now()[0]))
        else:
            task = self._task()
            acting = Acting(name, self.begin(name, began, seen), task.key if task is not None else None)
        token = self._acting.set(acting)
        try:
            yield
        finally:
            self._acting.reset(token)

    def _fresh(self) -> str:
        """An origin that no other handle has, in this process or another that shares the store."""
        return f"{self._session}.{os.getpid()}:{next(self._numbers)}"

    def _scope_of(self, task: TaskScope) -> Scope:
        """The scope of a task, or of the strand of it that calls."""
        if not task.strands:
            return self._tasks.get(task.key) or self._remember(task, self._of_task(task))
        here = self._here.get()
        me, runner = running()
        if here is not None and here.ident == me and here.task is not None and here.task.key == task.key:
            return here
        found = base = self._tasks.get(task.key)
        if base is None:
            found = self._of_task(task)
            found.is_strand(me, runner)
            base = self._remember(task, found)
        elif runner is None or base.runner is None or base.runner() is not runner():
            found = None
        if found is None or found is not base:
            born = self._storage.now()[0]
            with self._lock:
                base.has_company(born)
            found = base.strand(me, runner, here if here is not None and here.base is base else None, born)
        self._here.set(found)
        return found

    def _of_task(self, task: TaskScope) -> Scope:
        """The scope of a task, which began when its present execution did."""
        name = sound_name(task.name, self._storage.limits.name)
        if name != task.name:
            task = task._replace(name=name)
        since = self._storage.beginning(task.began)
        if task.floor is task.began:
            return Scope.of(task, since, since)
        known, floor = self._floor
        if task.floor is not known:  # it is the same for many tasks of a run
            floor = self._storage.beginning(task.floor) if task.floor is not None else Beginning()
            self._floor = (task.floor, floor)
        return Scope.of(task, since, floor)

    def _remember(self, task: TaskScope, scope: Scope) -> Scope:
        with self._lock:
            known = self._tasks.setdefault(task.key, scope)
            if known is scope:  # another strand of the task may have been first
                self._succeed(task, scope)
            if len(self._tasks) > _MOST_TASKS:
                del self._tasks[next(iter(self._tasks))]
        return known

    def _showings_of(self, key: tuple[str, str | None]) -> ToolReads:
        with self._lock:
            found = self._shown_to.setdefault(key, ToolReads())
            if len(self._shown_to) > _MOST_TASKS:
                del self._shown_to[next(iter(self._shown_to))]
        return found

    def _succeed(self, task: TaskScope, scope: Scope) -> None:
        """An execution that was cancelled may go on for a while beside the next one: it is told of that one."""
        last = self._latest.get(task.task)
        if last is None or last.task is None or last.task.execution == task.execution:
            self._latest[task.task] = scope
        elif _is_later(last.task.began, task.began):
            scope.successor = last
        else:
            last.successor = scope
            self._latest[task.task] = scope
        if len(self._latest) > _MOST_TASKS:
            del self._latest[next(iter(self._latest))]


def _is_later(one: Instant | float, other: Instant | float) -> bool:
    """Whether an execution began after another; where one instant is not known, whoever came later did."""
    if isinstance(one, Instant) and isinstance(other, Instant):
        return one > other
    return not isinstance(one, Instant) and not isinstance(other, Instant) and one > other
