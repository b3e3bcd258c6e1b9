"""Where records and the journal live. One file per storage, all behind ``concordant.storage.base.Storage``."""

from concordant.storage.base import (
    Beginning,
    Beside,
    Desk,
    Examined,
    Forgotten,
    Knowledge,
    Place,
    PutOff,
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
from concordant.storage.memory import MemoryStorage
from concordant.storage.opening import PostgresOptions, SqliteOptions, open_storage

__all__ = [
    "Beginning",
    "Beside",
    "Condition",
    "Desk",
    "Examined",
    "Forgotten",
    "Instant",
    "Knowledge",
    "MemoryStorage",
    "Place",
    "PostgresOptions",
    "PutOff",
    "Result",
    "Row",
    "SqliteOptions",
    "State",
    "Storage",
    "StoreExamined",
    "Totals",
    "Update",
    "open_storage",
]
