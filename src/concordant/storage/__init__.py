"""Where records and the journal live. One file per storage, all behind ``concordant.storage.base.Storage``."""

from concordant.storage.base import PutOff, Row, State, Storage, Update
from concordant.storage.memory import MemoryStorage

__all__ = ["MemoryStorage", "PutOff", "Row", "State", "Storage", "Update"]
