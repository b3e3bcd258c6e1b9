"""``MergeStorage``: a storage for CrewAI's ``Memory`` whose records merge."""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from crewai.events.event_context import get_current_parent_id
from crewai.memory.storage.backend import StorageBackend
from crewai.memory.types import MemoryRecord, ScopeInfo

from concordant import Document, Escalation, HistoryEntry, Receipt, Workspace
from concordant.spi import free_in_child
from concordant_crewai.memory.model import SCHEMA, MergedRecord, changes_of, check_metadata, fields_of
from concordant_crewai.memory.places import beside, lancedb
from concordant_crewai.memory.records import Criteria, FoundRecord, Records, fact_of
from concordant_crewai.memory.view import Embedder, VectorView
from concordant_crewai.provider import connect

__all__ = ["MergeStorage"]

_MOST_READS = 256


class MergeStorage:
    """A ``StorageBackend`` for ``Memory(storage=...)`` that keeps what every agent remembers, updates and forgets.

    A record is a document that merges: its content word by word, its categories, its metadata key by key; of
    importances and access times the highest counts; different scopes or sources escalate; who forgets wins over who
    updates at the same time. An update is a change of what its writer has read. The vectors lie in a storage of
    CrewAI's own.

    Args:
        path: the directory of the vectors (LanceDB), by default CrewAI's. Records that lie there are taken over.
        workspace: where the records are kept: a workspace, or its URL; by default ``concordant.db`` in that directory.
        namespace: the namespace of the documents.
        view: another storage for the vectors, instead of a path; the records are then kept in this process's memory,
            unless a workspace is given.
        embedder: the memory's embedder; what merged is embedded anew with it.
    """

    def __init__(
        self,
        path: str | Path | None = None,
        *,
        workspace: Workspace | str | None = None,
        namespace: tuple[str, ...] = ("memory",),
        view: StorageBackend | None = None,
        embedder: Embedder | None = None,
    ) -> None:
        if workspace is None and view is None:
            workspace = beside(path)
        self.workspace = workspace if isinstance(workspace, Workspace) else Workspace(workspace)
        self.namespace = namespace
        self.workspace.declare({namespace: SCHEMA})
        connect(self.workspace)
        self._records = Records(self.workspace, namespace)
        self._view = VectorView(lambda: view if view is not None else lancedb(path), self._records, embedder)
        self._reads: OrderedDict[str, dict[str, Document]] = OrderedDict()
        self._lock = free_in_child(threading.RLock())
        self.repair()

    # -- Concordant --------------------------------------------------------------------------------------------------

    def escalations(self, *, state: str = "open") -> list[Escalation]:
        """Tells what could not be merged (``Workspace.escalations``); ``key`` is the record's id."""
        return self.workspace.escalations(self.namespace, state=state)

    def resolve(self, escalation: Escalation, value: Any, *, by: str, why: str | None = None) -> Receipt:
        """Decides an escalation (``Workspace.resolve``)."""
        self._view.check_process()
        receipt = self.workspace.resolve(escalation, value, by=by, why=why)
        self._view.show(escalation.key)
        return receipt

    def history(self, record_id: str) -> list[HistoryEntry]:
        """Returns the changes of a record, the newest first: who wrote what, and when; of a forgotten one as well."""
        entry = self._find(record_id)
        return self.workspace.history(self.namespace, entry.document.key if entry is not None else record_id)

    def repair(self) -> int:
        """Brings the vectors up to the records, after a crash or a lost directory; returns how many differed.

        Records that only the vectors' storage has were there before this one: they are taken over.
        """
        self._records.follow()
        shown: dict[str, int] = {}
        stale: list[str] = []
        for row in self._view.rows():
            shown[row.id] = shown.get(row.id, 0) + 1
            entry = self._records.own(row.id)
            if (entry is None and not self._adopt(row)) or (
                entry is not None and _looks(entry.record()) != _looks(row)
            ):
                stale.append(row.id)
        missing = [entry for entry in self._records.entries() if entry.document.key not in shown]
        stale += [entry.document.key for entry in missing if self._view.can_show(entry)]
        stale += [record_id for record_id, times in shown.items() if times > 1]
        for record_id in dict.fromkeys(stale):
            self._view.show(record_id)
        self._records.follow()
        return len(stale)

    # -- StorageBackend: writing -------------------------------------------------------------------------------------

    def save(self, records: list[MemoryRecord]) -> None:
        """Stores records. One that says what another says already, in the same scope, becomes part of that one.

        Raises:
            EmbeddingDimensionMismatchError: a vector is of another length than those there are; nothing was stored.
            InvalidWriteError: a record cannot be stored; none was.
        """
        self._view.check_process()
        for record in records:
            self._view.check(record.embedding)
            check_metadata(self.namespace, record)
        with self._lock:
            self._records.follow()
            new, again = self._sorted(records)
            self._add(new)
            for found, record in again:
                entry = self._find(found) if isinstance(found, str) else found
                if entry is not None:
                    self._say_again(entry, record)

    def _sorted(
        self, records: list[MemoryRecord]
    ) -> tuple[list[MemoryRecord], list[tuple[FoundRecord | str, MemoryRecord]]]:
        """The records that say something new, and the others with what says the same: an entry, or the id of a new
        record."""
        new: dict[tuple[Any, ...], MemoryRecord] = {}
        again: list[tuple[FoundRecord | str, MemoryRecord]] = []
        for record in records:
            twin = self._records.find(record.id) or self._records.twin(record)
            if twin is not None:
                again.append((twin, record))
            elif fact_of(record) in new:
                again.append((new[fact_of(record)].id, record))
            else:
                new[fact_of(record)] = record
        return [*new.values()], again

    def _add(self, records: list[MemoryRecord]) -> None:
        """Stores records that say something new, in one transaction, and then their vectors."""
        if records:
            self.workspace.put_all([(self.namespace, record.id, fields_of(record), None) for record in records])
            self._records.follow()
        added = [(entry, r.embedding) for r in records if (entry := self._records.own(r.id)) is not None]
        if added:
            self._view.add([entry for entry, _ in added], [vector for _, vector in added])

    def update(self, record: MemoryRecord) -> None:
        """Merges what a record changes in what it was made from; one that is not there is stored.

        That is what ``get_record``, ``search`` or ``list_records`` gave: the record itself or a copy of it; for one
        that was built anew within a save of CrewAI's, what that save had found; else the record as it is now.

        Raises:
            EmbeddingDimensionMismatchError: the vector is of another length than those there are; nothing was stored.
            InvalidWriteError: the record cannot be stored.
        """
        self._view.check_process()
        self._view.check(record.embedding)
        check_metadata(self.namespace, record)
        seen = record.seen if isinstance(record, MergedRecord) else None
        found = None if seen is not None else self._reads.get(get_current_parent_id() or "", {}).get(record.id)
        current = self._find(record.id)
        seen = seen or found or (current.document if current is not None else None)
        if seen is None:
            self.save([record])
            return
        changes = changes_of(record, seen, consolidates=found is not None)
        if changes:
            self.workspace.put(self.namespace, seen.key, changes, seen=seen)
        if changes.keys() - {"last_accessed"}:
            self._view.show(seen.key, record.content, record.embedding)

    def delete(
        self,
        scope_prefix: str | None = None,
        categories: list[str] | None = None,
        record_ids: list[str] | None = None,
        older_than: datetime | None = None,
        metadata_filter: dict[str, Any] | None = None,
    ) -> int:
        """Forgets the records that meet all criteria given (an empty list of ids: none); returns how many."""
        self._view.check_process()
        with self._lock:
            self._records.follow()
            criteria = Criteria(scope_prefix, categories, metadata_filter, older_than)
            gone = [entry.document for entry in self._records.select(criteria, record_ids)]
            if gone:
                self.workspace.mark_read(gone)
                self.workspace.put_all([(d.namespace, d.key, None, None) for d in gone])
            for document in gone:
                self._view.show(document.key)
            return len(gone)

    def reset(self, scope_prefix: str | None = None) -> None:
        """Forgets everything, or everything in a scope."""
        with self._lock:
            self.delete(scope_prefix=scope_prefix)
            if scope_prefix is None or not scope_prefix.strip("/"):
                self._view.reset()

    def touch_records(self, record_ids: list[str]) -> None:
        """Notes that records were read just now; who forgets one at the same time wins."""
        now = datetime.now(UTC).replace(tzinfo=None)
        self._records.follow()
        entries = [entry for record_id in dict.fromkeys(record_ids) if (entry := self._records.find(record_id))]
        for entry in entries:
            self.workspace.put(self.namespace, entry.document.key, {"last_accessed": now}, seen=entry.document)

    # -- StorageBackend: reading -------------------------------------------------------------------------------------

    def search(
        self,
        query_embedding: list[float],
        scope_prefix: str | None = None,
        categories: list[str] | None = None,
        metadata_filter: dict[str, Any] | None = None,
        limit: int = 10,
        min_score: float = 0.0,
    ) -> list[tuple[MemoryRecord, float]]:
        """Returns the records nearest to a vector, with their scores, as they are now.

        Raises:
            EmbeddingDimensionMismatchError: the vector is of another length than those there are.
        """
        self._records.follow()
        if not self._records.entries():
            return []
        self._view.check(query_embedding)
        found = self._view.search(
            query_embedding, Criteria(scope_prefix, categories, metadata_filter), limit, min_score
        )
        self._note([record.seen for record, _ in found])
        return [*found]

    def get_record(self, record_id: str) -> MemoryRecord | None:
        """Returns a record with its vector, by its id or that of an equal fact that became part of it."""
        entry = self._find(record_id)
        return entry.record(self._view.vector(entry.document.key)) if entry is not None else None

    def list_records(self, scope_prefix: str | None = None, limit: int = 200, offset: int = 0) -> list[MemoryRecord]:
        """Returns the records in a scope with their vectors, the newest first; in the child of a fork without
        vectors."""
        self._records.follow()
        found = self._records.newest(scope_prefix, limit, offset)
        vectors = self._view.vectors(found, scope_prefix, limit, offset)
        return [entry.record(vectors.get(entry.document.key)) for entry in found]

    def get_scope_info(self, scope: str) -> ScopeInfo:
        """Tells how many records a scope has, of which categories, from when to when, and the scopes below."""
        self._records.follow()
        return self._records.info(scope)

    def list_scopes(self, parent: str = "/") -> list[str]:
        """Returns the scopes right below a scope."""
        self._records.follow()
        return self._records.below(parent)

    def list_categories(self, scope_prefix: str | None = None) -> dict[str, int]:
        """Tells how many records each category has."""
        self._records.follow()
        return self._records.categories(scope_prefix)

    def count(self, scope_prefix: str | None = None) -> int:
        """Tells how many records there are."""
        self._records.follow()
        return len(self._records.within(scope_prefix))

    # -- StorageBackend: coroutines ----------------------------------------------------------------------------------

    async def asave(self, records: list[MemoryRecord]) -> None:
        """Runs ``save`` for coroutines."""
        await asyncio.to_thread(self.save, records)

    async def asearch(
        self,
        query_embedding: list[float],
        scope_prefix: str | None = None,
        categories: list[str] | None = None,
        metadata_filter: dict[str, Any] | None = None,
        limit: int = 10,
        min_score: float = 0.0,
    ) -> list[tuple[MemoryRecord, float]]:
        """Runs ``search`` for coroutines."""
        given = (query_embedding, scope_prefix, categories, metadata_filter, limit, min_score)
        return await asyncio.to_thread(self.search, *given)

    async def adelete(
        self,
        scope_prefix: str | None = None,
        categories: list[str] | None = None,
        record_ids: list[str] | None = None,
        older_than: datetime | None = None,
        metadata_filter: dict[str, Any] | None = None,
    ) -> int:
        """Runs ``delete`` for coroutines."""
        given = (scope_prefix, categories, record_ids, older_than, metadata_filter)
        return await asyncio.to_thread(self.delete, *given)

    def close(self) -> None:
        """Closes the vectors' storage; the workspace stays open."""
        self._view.close()

    def __deepcopy__(self, memo: Any) -> MergeStorage:
        """A copied crew or agent remembers in the same storage."""
        return self

    # -- inside ------------------------------------------------------------------------------------------------------

    def _find(self, record_id: str) -> FoundRecord | None:
        self._records.follow()
        return self._records.find(record_id)

    def _note(self, documents: list[Document | None]) -> None:
        """Remembers what a save of CrewAI's has found: it builds the records anew that it updates."""
        save = get_current_parent_id()
        if save is None:
            return
        with self._lock:
            self._reads.setdefault(save, {}).update({d.key: d for d in documents if d is not None})
            if len(self._reads) > _MOST_READS:
                self._reads.popitem(last=False)

    def _say_again(self, entry: FoundRecord, record: MemoryRecord) -> None:
        """Makes a record that says what another says a part of that one: its categories, metadata and importance."""
        known = entry.record()
        changes = {
            "categories": [*dict.fromkeys([*known.categories, *record.categories])],
            "metadata": {**known.metadata, **record.metadata},
            "importance": max(known.importance, record.importance),
            "last_accessed": max(known.last_accessed, record.last_accessed),
        }
        if record.id != entry.document.key:
            changes["aliases"] = [*entry.value.get("aliases", ()), record.id]
        self.workspace.put(self.namespace, entry.document.key, changes, seen=entry.document)
        self._view.show(entry.document.key, record.content, record.embedding)

    def _adopt(self, row: MemoryRecord) -> bool:
        """Takes a record over that was there before; not one that was forgotten here."""
        times = {"created_at": _aware(row.created_at), "updated_at": _aware(row.last_accessed)}
        return self.workspace.adopt(self.namespace, row.id, fields_of(row), by="crewai", **times) > 0


def _looks(record: MemoryRecord) -> tuple[Any, ...]:
    """What the vectors' storage filters by and searches."""
    return record.content, record.scope, sorted(record.categories), record.metadata, record.private, record.source


def _aware(time: datetime) -> datetime:
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)
