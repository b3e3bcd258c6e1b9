"""The records of a memory as they are now, kept at hand, and the questions that need no vector."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import UTC, datetime
from typing import Any, NamedTuple

from crewai.memory.types import MemoryRecord, ScopeInfo

from concordant import Document, Workspace
from concordant.spi import free_in_child
from concordant_crewai.memory.model import MergedRecord, record_of

__all__ = ["Criteria", "FoundRecord", "Records", "fact_of"]


class FoundRecord(NamedTuple):
    """A document with its value."""

    document: Document
    value: dict[str, Any]

    def record(self, embedding: list[float] | None = None) -> MergedRecord:
        """Returns the record that it is."""
        return record_of(self.document, self.value, embedding)


class Criteria(NamedTuple):
    """Which records are meant; all that is given must hold."""

    scope: str | None = None
    categories: list[str] | None = None
    metadata: dict[str, Any] | None = None
    older_than: datetime | None = None

    def meets(self, record: MemoryRecord) -> bool:
        """Tells whether a record is meant."""
        if not is_within(record.scope, self.scope):
            return False
        if self.categories and not any(category in record.categories for category in self.categories):
            return False
        if self.metadata and any(record.metadata.get(key) != value for key, value in self.metadata.items()):
            return False
        return self.older_than is None or _naive(record.created_at) < _naive(self.older_than)


class Records:
    """The documents of one namespace, followed through ``Workspace.changes``: whoever wrote, here or elsewhere."""

    def __init__(self, workspace: Workspace, namespace: tuple[str, ...]) -> None:
        self._workspace = workspace
        self._namespace = namespace
        self._cursor: Any = None
        self._entries: dict[str, FoundRecord] = {}
        self._aliases: dict[str, str] = {}
        self._facts: dict[tuple[Any, ...], str] = {}
        self._lock = free_in_child(threading.Lock())
        self.changes = 0
        """How many changes were taken in."""

    def follow(self) -> None:
        """Takes in what was written since the last time."""
        with self._lock:
            cursor, changed = self._workspace.changes(self._cursor)
            for namespace, key in changed:
                if namespace == self._namespace:
                    self._take(key)
                    self.changes += 1
            self._cursor = cursor  # at last: what failed half-way, or was cut off by a fork, is taken in again

    def find(self, record_id: str) -> FoundRecord | None:
        """Returns a record by its id, or by that of an equal fact that became part of it."""
        with self._lock:
            return self._entries.get(record_id) or self._entries.get(self._aliases.get(record_id, ""))

    def own(self, key: str) -> FoundRecord | None:
        """Returns a record by its own id."""
        with self._lock:
            return self._entries.get(key)

    def twin(self, record: MemoryRecord) -> FoundRecord | None:
        """Returns the record that says the same in the same scope, from the same source, just as private."""
        with self._lock:
            return self._entries.get(self._facts.get(fact_of(record), ""))

    def entries(self) -> list[FoundRecord]:
        """Returns all of them."""
        with self._lock:
            return [*self._entries.values()]

    def select(self, criteria: Criteria, record_ids: list[str] | None = None) -> list[FoundRecord]:
        """Returns the records that are meant; ids that are given limit them."""
        if record_ids is None:
            found = self.entries()
        else:
            found = [*{e.document.key: e for e in map(self.find, record_ids) if e is not None}.values()]
        return [entry for entry in found if criteria.meets(entry.record())]

    def within(self, scope: str | None) -> list[dict[str, Any]]:
        """Returns the values of the records in a scope."""
        return [e.value for e in self.entries() if is_within(e.value.get("scope", "/"), scope)]

    def categories(self, scope: str | None) -> dict[str, int]:
        """Tells how many records in a scope each category has."""
        return dict(Counter(category for value in self.within(scope) for category in value.get("categories", ())))

    def newest(self, scope: str | None, limit: int, offset: int) -> list[FoundRecord]:
        """Records in a scope, the newest first."""
        if limit <= 0 or offset < 0:
            return []
        found = [e for e in self.entries() if is_within(e.value.get("scope", "/"), scope)]
        found.sort(key=lambda entry: _naive(entry.record().created_at), reverse=True)
        return found[offset : offset + limit]

    def info(self, scope: str) -> ScopeInfo:
        """Tells how many records a scope has, of which categories, from when to when, and the scopes below."""
        path = _absolute(scope) or "/"
        found = [e.record() for e in self.entries() if is_within(e.value.get("scope", "/"), path)]
        times = sorted((record.created_at for record in found), key=_naive)
        return ScopeInfo(
            path=path,
            record_count=len(found),
            categories=sorted({category for record in found for category in record.categories}),
            oldest_record=times[0] if times else None,
            newest_record=times[-1] if times else None,
            child_scopes=self.below(path),
        )

    def below(self, parent: str) -> list[str]:
        """Returns the scopes right below a scope."""
        prefix = f"{_absolute(parent)}/"
        scopes = (value.get("scope", "/") for value in self.within(parent))
        return sorted({prefix + s[len(prefix) :].split("/", 1)[0] for s in scopes if len(s) > len(prefix)})

    def _take(self, key: str) -> None:
        self._forget(key)
        document = self._workspace.get(self._namespace, key)
        if document is None:
            return
        entry = FoundRecord(document, document.value)
        self._entries[key] = entry
        self._facts.setdefault(fact_of(entry.record()), key)
        for alias in entry.value.get("aliases", ()):
            self._aliases[alias] = key

    def _forget(self, key: str) -> None:
        entry = self._entries.pop(key, None)
        if entry is None:
            return
        fact = fact_of(entry.record())
        if self._facts.get(fact) == key:
            del self._facts[fact]
        for alias in entry.value.get("aliases", ()):
            self._aliases.pop(alias, None)


def fact_of(record: MemoryRecord) -> tuple[Any, ...]:
    """Tells what makes two records one: what they say, where, from whom, for whom."""
    return record.scope, record.source, record.private, " ".join(record.content.split())


def is_within(scope: str, prefix: str | None) -> bool:
    """Tells whether a scope is a scope, or below it."""
    wanted = _absolute(prefix or "/")
    return not wanted or scope == wanted or scope.startswith(f"{wanted}/")


def _absolute(scope: str) -> str:
    """A scope with a slash in front and none behind; nothing for the root."""
    bare = scope.strip("/")
    return f"/{bare}" if bare else ""


def _naive(time: datetime) -> datetime:
    """A time as CrewAI compares it: without a zone, in UTC."""
    return time.astimezone(UTC).replace(tzinfo=None) if time.tzinfo is not None else time
