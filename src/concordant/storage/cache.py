"""Records kept decoded, by the version that they were read at."""

from __future__ import annotations

import threading
from collections import OrderedDict

from concordant.merge.record import Record
from concordant.storage.base import Address
from concordant.storage.forking import free_in_child

__all__ = ["RecordCache"]


class RecordCache:
    """The records used last. What is in here never changes: a writer works on a copy, an heir.

    Args:
        size: how many bytes the records may have together, as they are stored.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._held = 0
        self._records: OrderedDict[Address, tuple[int, Record, int]] = OrderedDict()
        self._lock = free_in_child(threading.Lock())

    def version(self, address: Address) -> int:
        """Returns the version that is held of a document; -1 if none is."""
        found = self._records.get(address)
        return found[0] if found is not None else -1

    def get(self, address: Address, version: int) -> Record | None:
        """Returns the record at that version."""
        with self._lock:
            found = self._records.get(address)
            if found is None or found[0] != version:
                return None
            self._records.move_to_end(address)
            return found[1]

    def since(self, address: Address, version: int) -> Record | None:
        """Returns the record at that version, or a later one."""
        with self._lock:
            found = self._records.get(address)
            return found[1] if found is not None and found[0] >= version else None

    def heir(self, record: Record) -> Record:
        """Returns a copy that a writer may change, and that goes on with what was made of the record: of two writers
        one does."""
        twin = record.copy()
        with self._lock:
            record.hand_over(twin)
        return twin

    def give_back(self, address: Address, version: int, twin: Record) -> None:
        """Takes back what the heir of the record at that version was given: nothing was written."""
        with self._lock:
            found = self._records.get(address)
            if found is not None and found[0] == version and found[1].memory is None and found[1].standing is None:
                twin.hand_over(found[1])

    def put(self, address: Address, version: int, record: Record, size: int) -> None:
        """Keeps a record; of two versions the later."""
        if not record.shared:
            if record.cache is not None:
                record.cache = record.cache.alone()
            record.shared = True
        with self._lock:
            found = self._records.get(address)
            if found is not None:
                if found[0] > version:
                    return
                self._held -= found[2]
            self._records[address] = (version, record, size)
            self._records.move_to_end(address)
            self._held += size
            while self._held > self._size:
                _, (_, _, gone) = self._records.popitem(last=False)
                self._held -= gone

    def drop(self, address: Address) -> None:
        """Forgets what is held of a document."""
        with self._lock:
            found = self._records.pop(address, None)
            if found is not None:
                self._held -= found[2]

    def clear(self) -> None:
        """Forgets all."""
        with self._lock:
            self._records.clear()
            self._held = 0
