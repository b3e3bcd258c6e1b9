"""Makes the tables of a database, or brings them up to date."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from concordant.errors import ConcordantError, StorageError
from concordant.storage.database import Writing
from concordant.storage.tables import MIGRATIONS, statements

__all__ = ["VERSION", "checked", "migrate"]

VERSION = "SELECT v.version, s.replica FROM concordant_schema v, concordant_store s"
"""What tells the version of the tables, where table ``concordant_schema`` is there."""


def checked(found: tuple[int, str], place: str, wanted: str | None) -> str | None:
    """The store's name, if its tables are up to date.

    Args:
        found: what the query ``VERSION`` found.
        wanted: the name asked for.

    Raises:
        StorageError: a later version of this library made them.
        ConcordantError: the store has another name.
    """
    version, replica = found
    if version > len(MIGRATIONS):
        reason = f"its tables are of version {version}, this version of concordant knows {len(MIGRATIONS)}"
        raise StorageError(place, reason, "Upgrade concordant")
    if wanted is not None and wanted != replica:
        raise ConcordantError(f"{place} is the store {replica!r}, not {wanted!r}: leave out replica=")
    return replica if version == len(MIGRATIONS) else None


def migrate(tx: Writing, exists: bool, types: Mapping[str, str], place: str, wanted: str | None) -> str:
    """Runs what is missing, in a transaction that nobody else migrates beside; returns the store's name.

    Args:
        exists: whether table ``concordant_schema`` is there.
    """
    version = 0
    if exists:
        ((version, name),) = tx.rows(VERSION)
        up_to_date = checked((version, name), place, wanted)
        if up_to_date is not None:
            return up_to_date
    else:
        tx.run(f"CREATE TABLE concordant_schema (version {types['int']} NOT NULL)")
        tx.run("INSERT INTO concordant_schema (version) VALUES (0)")
    for migration in MIGRATIONS[version:]:
        for statement in statements(migration, types):
            tx.run(statement)
    if not exists:
        store = (1, wanted or uuid.uuid4().hex[:12], 0, 0.0)
        tx.run("INSERT INTO concordant_store (one, replica, n, clock, marks) VALUES (?, ?, ?, ?, '[[0,\"\"]]')", store)
    tx.run("UPDATE concordant_schema SET version = ?", (len(MIGRATIONS),))
    ((_, replica),) = tx.rows(VERSION)
    return str(replica)
