"""Get, think, put: the last write wins, as on any plain store."""

from __future__ import annotations

import copy
import threading
from functools import partial
from typing import Any

from concordant.bench.steps import Alarm, Call, Credits, Steps, Think, Together
from concordant.bench.workload import Task, Workload, changed, contributed

__all__ = ["LastWriteWins"]


class LastWriteWins:
    """A dict of documents. A task puts the whole document that it read, changed, or what it adds if it read nothing."""

    name = "last write wins"

    def __init__(self, workload: Workload) -> None:
        self.workload = workload
        self._held: dict[str, tuple[int, dict[str, Any] | None]] = {}
        self._lock = threading.Lock()

    def begin_round(self) -> None:
        """Nothing to begin."""

    def perform(self, task: Task, execution: int) -> Steps:
        """Reads, thinks, puts."""
        seen: dict[str, Any] = {}
        for doc in task.reads:
            seen[doc] = yield Call("read", doc, partial(self.value, doc))
        yield Together()
        yield Think()
        for doc, changes in task.by_document().items():
            fields = self.workload.fields
            value = changed(seen[doc], changes, fields) if doc in seen else contributed(changes, fields)
            yield Call("write", doc, partial(self.put, doc, value))

    def value(self, doc: str) -> dict[str, Any] | None:
        """The document, a copy."""
        return self.versioned(doc)[1]

    def versioned(self, doc: str) -> tuple[int, dict[str, Any] | None]:
        """The document and its version."""
        version, value = self._held.get(doc, (0, None))
        return version, copy.deepcopy(value)

    def put(self, doc: str, value: dict[str, Any] | None, version: int | None = None) -> bool:
        """Stores a document; with ``version`` only if it is still at that one."""
        with self._lock:
            now = self._held.get(doc, (0, None))[0]
            if version is not None and version != now:
                return False
            self._held[doc] = (now + 1, value)
            return True

    def alarms(self) -> list[Alarm]:
        """It tells of none."""
        return []

    def settled(self, doc: str) -> set[tuple[str, ...]]:
        """It has no policies."""
        return set()

    def credits(self, doc: str) -> Credits | None:
        """It does not know."""
        return None

    def close(self) -> None:
        """Nothing to release."""
