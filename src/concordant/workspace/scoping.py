"""Which scope a call belongs to: a task of a framework, a name in force, or the call alone."""

from __future__ import annotations

import itertools
import os
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from concordant.storage import Storage
from concordant.workspace.reads import ReadMarks
from concordant.workspace.scope import Mark, Moment, Scope, TaskScope
from concordant.workspace.waiting import ident, running

__all__ = ["ANONYMOUS", "Scoping"]

ANONYMOUS = "anonymous"
"""The agent of a write made without framework and name."""

Provider = Callable[[], TaskScope | None]

_MOST_TASKS = 20_000


class Scoping:
    """The scopes of one workspace.

    Args:
        storage: tells the number and time of the last commit.
        read_marks: how long, in seconds, a read without framework and name makes a later put an edit of it.
    """

    def __init__(self, storage: Storage, read_marks: float) -> None:
        self._storage = storage
        self._reads = ReadMarks(read_marks)
        self._acting: ContextVar[tuple[str, Scope | None] | None] = ContextVar("concordant_acting", default=None)
        self._providers: tuple[Provider, ...] = ()
        self._tasks: dict[str, Scope] = {}
        self._latest: dict[str, Scope] = {}  # by the task's identity: its last execution
        self._here: ContextVar[Scope | None] = ContextVar("concordant_strand", default=None)
        self._session = uuid.uuid4().hex[:8]
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def add_provider(self, provider: Provider) -> None:
        """Registers a function that tells in which task of a framework a call is made (``None``: in none)."""
        self._providers = (*self._providers, provider)

    def current(self) -> Scope | None:
        """The scope of the call under way: that of the task, or of ``acting_as``; ``None`` without either."""
        acting = self._acting.get()
        for provider in self._providers:
            task = provider()
            if task is not None:
                scope = self._here.get()
                if scope is None or scope.task is not task or scope.ident != ident():
                    scope = self._scope_of(task)
                return scope if acting is None or acting[0] == scope.agent else scope.renamed(acting[0])
        return acting[1] if acting is not None else None

    def begin(self, agent: str, began: Moment | None) -> Scope:
        """A scope of its own: from ``began``, from the beginning of the task under way, or from now."""
        if began is None:
            for provider in self._providers:
                task = provider()
                if task is not None:
                    strand = self._scope_of(task)
                    # Several handles of one task are several writers: each has seen what was there when it was made.
                    origin = f"{strand.origin}#{self._fresh()}"
                    scope = Scope(agent, origin, None, task.began, task.relation, task)
                    scope.born = self._storage.now()[0]
                    scope.counts_with(strand.base)
                    return scope
            n, time = self._storage.now()
        elif began.replica == self._storage.replica:
            n, time = began.n, began.time
        else:
            return Scope(agent, self._fresh(), None, began.time)
        return Scope(agent, self._fresh(), n, time)

    def alone(self, document: tuple[tuple[str, ...], str]) -> Scope:
        """The scope of a write without framework and name: one that continues the last read of the document in this
        context, or one of the call's own, which has seen all that was committed."""
        read = self._reads.get(document)
        if read is None:
            return Scope(ANONYMOUS, "", sys.maxsize, sys.float_info.max)
        if isinstance(read, Scope):
            return read
        scope = Scope(ANONYMOUS, self._fresh(), read.at, 0.0)
        scope.set_mark(document, read)
        self._reads.put(document, scope)
        return scope

    def note_read(self, document: tuple[tuple[str, ...], str], mark: Mark) -> None:
        """Remembers a read without framework and name, for a later put in this context."""
        self._reads.put(document, mark)

    @contextmanager
    def acting_as(self, name: str) -> Iterator[None]:
        """Names the agent of all calls inside; outside a task it also begins a scope."""
        n, time = self._storage.now()
        token = self._acting.set((name, Scope(name, self._fresh(), n, time)))
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
        scope = Scope.of(task)
        scope.since, scope.sure = self._storage.beginning(task.began)
        scope.is_own = self._storage.is_own
        return scope

    def _remember(self, task: TaskScope, scope: Scope) -> Scope:
        with self._lock:
            known = self._tasks.setdefault(task.key, scope)
            if known is scope:  # another strand of the task may have been first
                self._succeed(task, scope)
            if len(self._tasks) > _MOST_TASKS:
                del self._tasks[next(iter(self._tasks))]
        return known

    def _succeed(self, task: TaskScope, scope: Scope) -> None:
        """An execution that was cancelled may go on for a while beside the next one: it is told of that one."""
        last = self._latest.get(task.task)
        if last is None or last.task is None or last.task.execution == task.execution:
            self._latest[task.task] = scope
        elif last.task.began > task.began:
            scope.successor = last
        else:
            last.successor = scope
            self._latest[task.task] = scope
        if len(self._latest) > _MOST_TASKS:
            del self._latest[next(iter(self._latest))]
