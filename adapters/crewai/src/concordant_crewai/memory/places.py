"""Where a memory lies: its database, and its vectors."""

from __future__ import annotations

import os
from pathlib import Path

from crewai.memory.storage.backend import StorageBackend

__all__ = ["beside", "lancedb"]


def beside(path: str | Path | None) -> str:
    """Returns the URL of the database in the directory of the vectors, by default CrewAI's."""
    if path is None:
        from crewai_core.paths import db_storage_path

        path = Path(os.environ.get("CREWAI_STORAGE_DIR") or db_storage_path()) / "memory"  # as LanceDBStorage has it
    directory = Path(path).absolute()
    directory.mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{directory / 'concordant.db'}"


def lancedb(path: str | Path | None) -> StorageBackend:
    """Returns CrewAI's own storage of vectors in a directory, by default CrewAI's; loads LanceDB."""
    from crewai.memory.storage.lancedb_storage import LanceDBStorage

    return LanceDBStorage(path)
