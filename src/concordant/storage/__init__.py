"""Where records and the journal live: in memory, in a database, or in any ordered key-value store."""

from concordant.storage.base import (
    Address,
    Beginning,
    Cursor,
    Deferred,
    Examined,
    Forgotten,
    Knowledge,
    Op,
    Result,
    Row,
    SideEffects,
    State,
    Storage,
    StoreExamined,
    Told,
    Totals,
    TransactionView,
    Update,
)
from concordant.storage.clocks import Instant
from concordant.storage.conditions import Condition
from concordant.storage.keyvalue import KeyValueReader, KeyValueStorage, KeyValueStore, KeyValueWriter
from concordant.storage.memory import MemoryStorage
from concordant.storage.opening import PostgresOptions, SqliteOptions, open_storage, plugged

__all__ = [
    "Address",
    "Beginning",
    "Condition",
    "Cursor",
    "Deferred",
    "Examined",
    "Forgotten",
    "Instant",
    "KeyValueReader",
    "KeyValueStorage",
    "KeyValueStore",
    "KeyValueWriter",
    "Knowledge",
    "MemoryStorage",
    "Op",
    "PostgresOptions",
    "Result",
    "Row",
    "SideEffects",
    "SqliteOptions",
    "State",
    "Storage",
    "StoreExamined",
    "Told",
    "Totals",
    "TransactionView",
    "Update",
    "open_storage",
    "plugged",
]
