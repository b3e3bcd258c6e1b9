"""Locking: a task locks all its documents before it reads, and holds them while it thinks."""

from __future__ import annotations

import threading
from collections import defaultdict
from functools import partial

from concordant.bench.steps import Call, Steps, Think
from concordant.bench.strategies.last_write_wins import LastWriteWins
from concordant.bench.workload import Task, Workload, changed

__all__ = ["Locking"]


class Locking(LastWriteWins):
    """One lock a document, taken in one order, so that nobody waits in a circle."""

    name = "locking"

    def __init__(self, workload: Workload) -> None:
        super().__init__(workload)
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)

    def perform(self, task: Task, execution: int) -> Steps:
        """Locks, reads, thinks, puts, unlocks."""
        work = task.by_document()
        docs = sorted({*task.reads, *work})
        held = []
        try:
            for doc in docs:
                yield Call("lock", doc, self._lock_of(doc).acquire)
                held.append(self._lock_of(doc))
            seen = {}
            for doc in docs:
                seen[doc] = yield Call("read", doc, partial(self.value, doc))
            yield Think()
            for doc, changes in work.items():
                value = changed(seen[doc], changes, self.workload.fields)
                yield Call("write", doc, partial(self.put, doc, value))
        finally:
            for lock in held:
                lock.release()

    def _lock_of(self, doc: str) -> threading.Lock:
        with self._lock:
            return self._locks[doc]
