"""Where records and the journal live: in memory, in a database, or in any ordered key-value store."""

from concordant.storage.base import (
    Beginning,
    Beside,
    Deferred,
    Desk,
    Examined,
    Forgotten,
    Knowledge,
    Place,
    Result,
    Row,
    State,
    Storage,
    StoreExamined,
    Totals,
    Update,
)
from concordant.storage.clocks import Instant
from concordant.storage.conditions import Condition
from concordant.storage.keyvalue import KeyValueReader, KeyValueStorage, KeyValueStore, KeyValueWriter
from concordant.storage.memory import MemoryStorage
from concordant.storage.opening import PostgresOptions, SqliteOptions, open_storage, plugged

__all__ = [
    "Beginning",
    "Beside",
    "Condition",
    "Deferred",
    "Desk",
    "Examined",
    "Forgotten",
    "Instant",
    "KeyValueReader",
    "KeyValueStorage",
    "KeyValueStore",
    "KeyValueWriter",
    "Knowledge",
    "MemoryStorage",
    "Place",
    "PostgresOptions",
    "Result",
    "Row",
    "SqliteOptions",
    "State",
    "Storage",
    "StoreExamined",
    "Totals",
    "Update",
    "open_storage",
    "plugged",
]
