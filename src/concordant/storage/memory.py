"""Documents and journal in this process's memory."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

from concordant.record import Record
from concordant.storage.base import Namespace, Row, State, Update

__all__ = ["MemoryStorage"]


class MemoryStorage:
    """The storage of ``Workspace()``: dicts under one lock.

    Args:
        replica: this replica's name in dots.
        journal: how many changes the journal keeps.
    """

    def __init__(self, replica: str, journal: int = 10_000) -> None:
        self.replica = replica
        self.lock = threading.RLock()
        self.spaces: dict[Namespace, dict[str, State]] = {}
        self.rows_kept: deque[Any] = deque(maxlen=journal)
        self.tasks: dict[str, str] = {}
        self.n = 0
        self.clock = 0.0
        self._journal = journal
        self._changed: dict[tuple[Namespace, str], int] | None = None  # in the order of n, once somebody has asked

    def commit(self, namespace: Namespace, key: str, update: Update) -> None:
        with self.lock:
            space = self.spaces.get(namespace)
            state = space.get(key) if space is not None else None
            n = self.n + 1
            # The clock never stands still or goes back, so that the order of times is the order of commits.
            now = time.time()
            if now <= self.clock:
                now = self.clock + 1e-6
            result = update(state, n, now)
            if result is None:
                return
            after, row = result
            if after is not state:
                if after is None:
                    self._put(namespace, key, None)
                elif space is None:
                    self.spaces[namespace] = {key: after}
                else:
                    space[key] = after
            self.n, self.clock = n, now  # after the state, so that peek never tells of a commit not yet to be seen
            self.rows_kept.append(row)
            if self._changed is not None:
                self._changed.pop((namespace, key), None)
                self._changed[namespace, key] = n
            op = row[10]
            if op is not None:
                if self.tasks.setdefault(op[0], op[1]) != op[1]:
                    self.tasks[op[0]] = ""  # more than one
                if len(self.tasks) > 2 * self._journal:
                    for task in list(self.tasks)[: self._journal]:
                        del self.tasks[task]

    def commit_all(self, updates: Sequence[tuple[Namespace, str, Update]]) -> None:
        with self.lock:
            undo: list[tuple[Namespace, str, State | None]] = []
            n, clock, rows = self.n, self.clock, list(self.rows_kept)
            try:
                for namespace, key, update in updates:
                    state = self.load(namespace, key)
                    undo.append((namespace, key, state.copy() if isinstance(state, Record) else state))
                    self.commit(namespace, key, update)
            except BaseException:
                self.n, self.clock = n, clock
                self.rows_kept = deque(rows, maxlen=self._journal)
                for namespace, key, state in reversed(undo):
                    self._put(namespace, key, state)
                raise

    def _put(self, namespace: Namespace, key: str, state: State | None) -> None:
        if state is not None:
            self.spaces.setdefault(namespace, {})[key] = state
        elif namespace in self.spaces:
            self.spaces[namespace].pop(key, None)
            if not self.spaces[namespace]:
                del self.spaces[namespace]

    def load(self, namespace: Namespace, key: str) -> State | None:
        space = self.spaces.get(namespace)
        return space.get(key) if space is not None else None

    def peek(self, namespace: Namespace, key: str) -> tuple[int, State | None]:
        n = self.n
        space = self.spaces.get(namespace)
        return n, space.get(key) if space is not None else None

    def reading(self) -> Any:
        return self.lock

    def now(self) -> tuple[int, float]:
        return self.n, max(self.clock, time.time())

    def advance(self, past: float) -> None:
        """Moves the clock past a time met in another replica's writes, so that later commits are later there too."""
        with self.lock:
            self.clock = max(self.clock, past)

    def documents(self, prefix: Namespace) -> Iterator[tuple[Namespace, str, State]]:
        depth = len(prefix)
        with self.lock:
            found = [
                (namespace, key, state)
                for namespace, space in self.spaces.items()
                if namespace[:depth] == prefix
                for key, state in space.items()
            ]
        return iter(found)

    def rows(self, namespace: Namespace, key: str) -> Iterator[Row]:
        with self.lock:
            found = [row for row in self.rows_kept if row[1] == key and row[0] == namespace]
        return (Row(*row) for row in reversed(found))

    def journal(self) -> Iterator[Row]:
        with self.lock:
            found = list(self.rows_kept)
        return (Row(*row) for row in reversed(found))

    def changes(self, after: Any = None) -> tuple[Any, Sequence[tuple[Namespace, str]]]:
        with self.lock:
            if self._changed is None:
                self._changed = {}
            if after is None:
                return self.n, [(namespace, key) for namespace, space in self.spaces.items() for key in space]
            found = []
            for document, n in reversed(self._changed.items()):
                if n <= after:
                    break
                found.append(document)
            return self.n, found[::-1]

    def executed_before(self, task: str, execution: str) -> bool:
        return self.tasks.get(task, execution) != execution

    def forget(self, namespace: Namespace, key: str) -> None:
        with self.lock:
            kept = [row for row in self.rows_kept if row[0] != namespace or row[1] != key]
            self.rows_kept = deque(kept, maxlen=self._journal)

    def close(self) -> None:
        """Nothing to release."""
