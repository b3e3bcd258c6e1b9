"""The tables of a database, and how they came to be: one migration after the other.

Written once for SQLite and Postgres: braces name the types that differ."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from concordant.errors import ConcordantError, StorageError
from concordant.storage.sql.database import SqlTransaction

__all__ = ["MIGRATIONS", "POSTGRES", "SQLITE", "VERSION", "checked", "migrate", "statements"]

SQLITE = {"id": "INTEGER", "int": "INTEGER", "float": "REAL", "bytes": "BLOB", "text": "TEXT"}
POSTGRES = {
    "id": "BIGINT",
    "int": "BIGINT",
    "float": "DOUBLE PRECISION",
    "bytes": "BYTEA",
    "text": 'TEXT COLLATE "C"',
}

COLUMNS = {
    **dict.fromkeys(("id", "version", "open", "saved", "n", "document", "previous", "ordinal"), "int"),
    **dict.fromkeys(("created", "updated", "expires", "time", "began"), "float"),
    **dict.fromkeys(("namespace", "key", "agent", "origin", "act", "fingerprint"), "text"),
    **dict.fromkeys(("task", "execution", "settled", "met"), "text"),
    **dict.fromkeys(("value", "record", "body", "changes"), "bytes"),
}
"""Of what type the columns of documents and of the journal are."""

_FIRST = """
CREATE TABLE concordant_store (
    one {int} PRIMARY KEY CHECK (one = 1),
    replica {text} NOT NULL,
    n {int} NOT NULL,
    clock {float} NOT NULL
);
CREATE TABLE concordant_documents (
    id {id} PRIMARY KEY,
    namespace {text} NOT NULL,
    key {text} NOT NULL,
    version {int} NOT NULL,
    created {float} NOT NULL,
    updated {float} NOT NULL,
    agent {text},
    origin {text},
    act {text},
    open {int} NOT NULL,
    fingerprint {text},
    value {bytes},
    record {bytes},
    expires {float},
    saved {int} NOT NULL,
    UNIQUE (namespace, key)
);
CREATE INDEX concordant_documents_version ON concordant_documents (version);
CREATE INDEX concordant_documents_expires ON concordant_documents (expires) WHERE expires IS NOT NULL;
CREATE TABLE concordant_journal (
    n {id} PRIMARY KEY,
    document {int} NOT NULL,
    time {float} NOT NULL,
    agent {text} NOT NULL,
    origin {text} NOT NULL,
    act {text} NOT NULL,
    previous {int} NOT NULL,
    task {text},
    execution {text},
    ordinal {int},
    began {float},
    settled {text},
    body {bytes},
    changes {bytes}
);
CREATE INDEX concordant_journal_document ON concordant_journal (document, n);
CREATE INDEX concordant_journal_task ON concordant_journal (task, document) WHERE task IS NOT NULL;
CREATE TABLE concordant_escalations (
    id {text} PRIMARY KEY,
    namespace {text} NOT NULL,
    key {text} NOT NULL,
    state {text} NOT NULL,
    n {int} NOT NULL,
    place {int} NOT NULL,
    body {bytes} NOT NULL
);
CREATE INDEX concordant_escalations_open ON concordant_escalations (namespace, key) WHERE state IN ('open', 'claimed');
CREATE INDEX concordant_escalations_document ON concordant_escalations (namespace, key);
CREATE TABLE concordant_events (
    n {int} NOT NULL,
    place {int} NOT NULL,
    document {int} NOT NULL,
    source {text} NOT NULL,
    time {float} NOT NULL,
    kind {text} NOT NULL,
    body {bytes} NOT NULL,
    PRIMARY KEY (n, place)
);
CREATE TABLE concordant_subscribers (
    name {text} PRIMARY KEY,
    n {int} NOT NULL,
    place {int} NOT NULL
)
"""

_EXCHANGE = """
CREATE TABLE concordant_peers (
    replica {text} PRIMARY KEY,
    n {int} NOT NULL,
    forgotten {int} NOT NULL DEFAULT 0
);
ALTER TABLE concordant_store ADD COLUMN forgotten {int} NOT NULL DEFAULT 0;
ALTER TABLE concordant_store ADD COLUMN exported {int} NOT NULL DEFAULT -1
"""

_EVENTS = """
ALTER TABLE concordant_subscribers ADD COLUMN holder {text};
ALTER TABLE concordant_subscribers ADD COLUMN until {float} NOT NULL DEFAULT 0;
ALTER TABLE concordant_escalations ADD COLUMN changed {float} NOT NULL DEFAULT 0;
UPDATE concordant_escalations SET changed = (SELECT clock FROM concordant_store);
ALTER TABLE concordant_journal ADD COLUMN met {text}
"""

_MODELS = """
CREATE TABLE concordant_models (
    fingerprint {text} PRIMARY KEY,
    shape {text} NOT NULL
);
CREATE TABLE concordant_surveys (
    models {text} PRIMARY KEY,
    n {int} NOT NULL
)
"""

_VERIFYING = """
ALTER TABLE concordant_store ADD COLUMN trimmed {int} NOT NULL DEFAULT 0;
UPDATE concordant_store SET trimmed = n;
ALTER TABLE concordant_store ADD COLUMN marks {text} NOT NULL DEFAULT '[]';
ALTER TABLE concordant_peers ADD COLUMN marks {text} NOT NULL DEFAULT '[]';
CREATE INDEX concordant_documents_shown ON concordant_documents (namespace, id) WHERE value IS NOT NULL;
CREATE INDEX concordant_documents_hidden ON concordant_documents (fingerprint, namespace) WHERE value IS NULL;
CREATE TABLE concordant_quarantine (
    document {int} NOT NULL,
    namespace {text} NOT NULL,
    key {text} NOT NULL,
    time {float} NOT NULL,
    reason {text} NOT NULL,
    content {bytes} NOT NULL
)
"""

MIGRATIONS = (_FIRST, _EXCHANGE, _EVENTS, _MODELS, _VERIFYING)
"""Each is run once, in order; the number of those that ran is the version of the tables. Never change one that was
released: add another."""


def statements(migration: str, types: Mapping[str, str]) -> list[str]:
    """The statements of a migration for one sort of database."""
    return [part.strip() for part in migration.format(**types).split(";")]


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


def migrate(tx: SqlTransaction, exists: bool, types: Mapping[str, str], place: str, wanted: str | None) -> str:
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
