"""Optimistic: a put is refused if the document has changed since it was read, and the task reads and thinks again."""

from __future__ import annotations

from functools import partial
from operator import itemgetter

from concordant.bench.steps import Call, Steps, Think, Together
from concordant.bench.strategies.last_write_wins import LastWriteWins
from concordant.bench.workload import Task, changed

__all__ = ["Optimistic"]


class Optimistic(LastWriteWins):
    """Compare and retry. Also a task that reads nothing of itself must read here, for the version."""

    name = "optimistic retry"

    def perform(self, task: Task, execution: int) -> Steps:
        """Reads, thinks, puts each document at the version read; what was refused again from the start."""
        left, again = task.by_document(), False
        while left or not again:
            read = {}
            for doc in left if again else {**dict.fromkeys(task.reads), **left}:
                read[doc] = yield Call("read", doc, partial(self.versioned, doc), shows=itemgetter(1))
            if not again:
                yield Together()
            yield Think(again)
            for doc, changes in [*left.items()]:
                version, value = read[doc]
                new = changed(value, changes, self.workload.fields)
                if (yield Call("write", doc, partial(self.put, doc, new, version))):
                    del left[doc]
            again = True
