"""The vectors: a storage of CrewAI's own, which is brought up to what our records say and never asked what is true."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

from crewai.memory.storage.backend import EmbeddingDimensionMismatchError, StorageBackend
from crewai.memory.types import MemoryRecord, embed_texts

from concordant import StorageError
from concordant_crewai.memory.model import MergedRecord
from concordant_crewai.memory.records import Criteria, FoundRecord, Records

__all__ = ["Embedder", "VectorView"]

log = logging.getLogger("concordant")

Embedder: TypeAlias = Callable[[list[str]], Any]

_PAGE = 500
_MOST_ROUNDS = 10


class VectorView:
    """Records with their vectors.

    Args:
        make: makes the storage; called again where another process has made its table meanwhile.
        records: what is true.
        embedder: embeds the content of records that merged.
    """

    def __init__(self, make: Callable[[], StorageBackend], records: Records, embedder: Embedder | None) -> None:
        self._make = make
        self._records = records
        self._embedder = embedder
        self._storage = make()
        self._dimension: int | None = None
        self._seen = 0
        self._process = os.getpid()

    def _is_of_a_parent(self) -> bool:
        """Whether this is a forked child, and the storage one that does not survive that."""
        return os.getpid() != self._process and hasattr(self._storage, "_record_to_row")

    def check_process(self) -> None:
        """Refuses the work in a forked child, before anything is written: CrewAI's own storage has threads that are the
        parent's, and would sometimes wait for them for ever.

        Raises:
            StorageError: so it is.
        """
        if self._is_of_a_parent():
            reason = "this process was forked from the one that opened it, and LanceDB does not survive that"
            mend = "Make the MergeStorage after the fork, or start the process with the method spawn or forkserver"
            raise StorageError("the vectors of a memory", reason, mend)

    def rows(self) -> Iterator[MemoryRecord]:
        """Iterates all that the storage has."""
        self.check_process()
        offset = 0
        while page := self._storage.list_records(limit=_PAGE, offset=offset):
            yield from page
            offset += len(page)

    def check(self, embedding: Sequence[float] | None) -> None:
        """Refuses a vector of another length than those there are, before anything is written.

        Raises:
            EmbeddingDimensionMismatchError: so it is.
        """
        if embedding is None or len(embedding) == 0:
            return
        known = self._dimension or self._length() or len(embedding)
        self._dimension = known
        if len(embedding) != known:
            raise EmbeddingDimensionMismatchError(known, len(embedding))

    def _length(self) -> int:
        """The length of the vectors there are; 0 without any."""
        some = self._ready().list_records(limit=1)
        if some:
            return len(some[0].embedding or ())
        # CrewAI's own may be made for a length.
        made = getattr(self._storage, "_table", None) is not None
        return int(getattr(self._storage, "_vector_dim", 0)) if made else 0

    def search(
        self, query: list[float], criteria: Criteria, limit: int, least: float
    ) -> list[tuple[MergedRecord, float]]:
        """Returns the records nearest to a vector with their scores, as they are now."""
        wanted = limit
        while True:
            scope, categories, metadata, _ = criteria
            hits = self._ready().search(query, scope, categories, metadata, limit=wanted, min_score=least)
            found: dict[str, tuple[MergedRecord, float]] = {}
            for row, score in hits:
                entry = self._records.own(row.id)
                record = entry.record(row.embedding) if entry is not None else None
                if record is not None and criteria.meets(record):
                    found.setdefault(row.id, (record, score))
            # Rows of records that are gone, or that a race wrote twice, take the places of others.
            if len(found) >= limit or len(hits) < wanted or wanted > 8 * limit:
                return [*found.values()][:limit]
            wanted *= 2

    def vector(self, record_id: str) -> list[float] | None:
        """Returns the vector of a record."""
        row = self._ready().get_record(record_id)
        return row.embedding if row is not None else None

    def vectors(
        self, entries: Sequence[FoundRecord], scope: str | None, limit: int, offset: int
    ) -> dict[str, list[float] | None]:
        """Returns the vectors of records by id.

        Args:
            scope, limit, offset: what they were listed by: the storage lists mostly the same rows, in one query.
        """
        if not entries or self._is_of_a_parent():
            return {}
        found = {row.id: row.embedding for row in self._ready().list_records(scope, limit, offset)}
        wanted = [entry.document.key for entry in entries]
        return {key: found[key] if key in found else self.vector(key) for key in wanted}

    def add(self, entries: Sequence[FoundRecord], vectors: Sequence[list[float] | None]) -> None:
        """Shows records that are new; one without a vector cannot be found, and would give the table another length."""
        records: list[MemoryRecord] = [e.record(vector) for e, vector in zip(entries, vectors, strict=True) if vector]
        if records:
            self._storage.save(records)
        self._records.follow()
        for entry in entries:
            if self._version(entry.document.key) != entry.document.version:
                self.show(entry.document.key)

    def show(self, record_id: str, text: str = "", vector: list[float] | None = None) -> None:
        """Brings a record up to date, until it still is so afterwards: of two writers the slower one must not win.

        Args:
            text: what ``vector`` was made of; of merged content it is made anew.
        """
        for _ in range(_MOST_ROUNDS):
            self._records.follow()
            entry = self._records.own(record_id)
            self._show(record_id, entry, text, vector)
            self._records.follow()
            if self._version(record_id) == (entry.document.version if entry is not None else 0):
                return
        log.warning("memory record %s changes faster than its vector can follow", record_id)

    def reset(self) -> None:
        """Drops everything, the length of vectors included."""
        self._storage.reset()
        self._dimension = None

    def close(self) -> None:
        """Closes the storage, if it can be closed."""
        close = getattr(self._storage, "close", None)
        if close is not None:
            close()

    def _version(self, record_id: str) -> int:
        entry = self._records.own(record_id)
        return entry.document.version if entry is not None else 0

    def _show(self, record_id: str, entry: FoundRecord | None, text: str, vector: list[float] | None) -> None:
        storage = self._ready()
        found: list[float] | None
        if entry is not None and vector and text == entry.value.get("content", ""):
            found = vector
            known = getattr(storage, "_table", self) is not None  # CrewAI's own makes no fitting table for an update
        else:
            row = storage.get_record(record_id)
            known = row is not None
            found = self._vector_for(entry, row, vector) if entry is not None else None
        if entry is None or not found:
            storage.delete(record_ids=[record_id])
        elif known:
            _replace(storage, entry.record(found))
        else:
            storage.save([entry.record(found)])

    def _vector_for(
        self, entry: FoundRecord, row: MemoryRecord | None, vector: list[float] | None
    ) -> list[float] | None:
        """The vector of content that is not that of ``vector``; without an embedder the nearest there is."""
        content = entry.value.get("content", "")
        if row is not None and row.content == content and row.embedding:
            return row.embedding
        if self._embedder is not None:
            return embed_texts(self._embedder, [content])[0] or None
        return vector or (row.embedding if row is not None else None)

    def can_show(self, entry: FoundRecord) -> bool:
        """Tells whether a record that is not shown could be."""
        return self._embedder is not None and bool(entry.value.get("content", "").strip())

    def _ready(self) -> StorageBackend:
        """The storage with what other handles and processes have written.

        CrewAI's own is a snapshot: opened before there was a table it finds nothing for ever after, and its table shows
        what others write only when told to.
        """
        self.check_process()
        if self._seen == self._records.changes:
            return self._storage
        self._seen = self._records.changes
        table: Any = getattr(self._storage, "_table", self)
        if table is None and self._records.entries():
            self._storage = self._make()
        elif table is not None and hasattr(table, "checkout_latest"):
            table.checkout_latest()
        return self._storage


def _replace(storage: StorageBackend, record: MemoryRecord) -> None:
    """Puts a record in the place of the one there is.

    CrewAI's own deletes it and adds it anew: a process that is killed in between loses the vector, which nobody may be
    able to make again. Its table can do both in one step.
    """
    lance: Any = storage
    if hasattr(storage, "_record_to_row") and record.embedding and len(record.embedding) == lance._vector_dim:
        from crewai_core.lock_store import lock as store_lock  # the lock of CrewAI's own writers

        with store_lock(lance._lock_name):
            merging = lance._ensure_table().merge_insert("id").when_matched_update_all().when_not_matched_insert_all()
            done = merging.execute([lance._record_to_row(record)])
        if done.num_updated_rows + done.num_inserted_rows == 1:
            return
    storage.update(record)
