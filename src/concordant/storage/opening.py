"""From a url to a storage."""

from __future__ import annotations

import uuid
from typing import Any

from concordant.causal import may_name_replica
from concordant.errors import ConcordantError, told
from concordant.storage.base import Storage
from concordant.storage.memory import MemoryStorage
from concordant.storage.options import PostgresOptions, SqliteOptions
from concordant.storage.places import without_password
from concordant.storage.sql import SqlStorage

__all__ = ["open_storage"]


def open_storage(url: str | None, replica: str | None, journal: int, options: Any = None) -> Storage:
    """The storage that a url names; ``None`` is this process's memory.

    Args:
        replica: the store's name in dots; made up for a new one if not given.
        journal: how many changes the journal keeps in memory.
        options: settings of the database.

    Raises:
        StorageError: the database cannot be opened.
    """
    if replica is not None and not (isinstance(replica, str) and may_name_replica(replica)):
        raise ConcordantError(f"replica={told(replica)} is no name: give a string without NUL")
    if url is None:
        if options is not None:
            raise ConcordantError(f"options={told(options)} are settings of a database, and no url names one")
        return MemoryStorage(replica or uuid.uuid4().hex[:12], journal)
    if not isinstance(url, str):
        raise ConcordantError(f"a url is a string, not {told(url)}. {_EXAMPLE}")
    if url.startswith("sqlite:"):
        from concordant.storage.sqlite import SqliteDatabase

        settings = SqliteOptions() if options is None else options
        if not isinstance(settings, SqliteOptions):
            raise ConcordantError(f"options={told(options)} are no settings of a SQLite file: use SqliteOptions(...)")
        return SqlStorage(SqliteDatabase(url, replica, settings), cache=settings.cache)
    if url.startswith(("postgresql://", "postgres://")):
        from concordant.storage.postgres import PostgresDatabase

        wanted = PostgresOptions() if options is None else options
        if not isinstance(wanted, PostgresOptions):
            raise ConcordantError(f"options={told(options)} are no settings of Postgres: use PostgresOptions(...)")
        return SqlStorage(PostgresDatabase(url, replica, wanted), cache=wanted.cache)
    raise ConcordantError(f"no storage for {told(without_password(url))}. {_EXAMPLE}")


_EXAMPLE = 'Use "sqlite:///team.db" or "postgresql://host/database", or leave out the url'
