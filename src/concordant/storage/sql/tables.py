"""The tables of a database, and how they are made and brought up to date.

Written once for SQLite and Postgres: braces name what differs."""

from __future__ import annotations

import uuid
from collections.abc import Container, Mapping

from concordant.errors import ConcordantError, StorageError
from concordant.storage.sql.database import SqlTransaction
from concordant.storage.sql.migrations import MIGRATIONS

__all__ = ["HEADS", "POSTGRES", "SQLITE", "TABLES", "VERSION", "checked", "migrate", "statements"]

SQLITE = {
    "name": "sqlite",
    **{"id": "INTEGER", "number": "INTEGER", "int": "INTEGER", "float": "REAL", "bytes": "BLOB", "text": "TEXT"},
    "clock": "",
    "documents": "PRIMARY KEY (id), UNIQUE (namespace, key)",
    **{"sparse": "", "beside": ""},
}
POSTGRES = {
    "name": "postgres",
    **{"id": "BIGINT", "number": "BIGINT NOT NULL", "int": "BIGINT", "float": "DOUBLE PRECISION", "bytes": "BYTEA"},
    "text": 'TEXT COLLATE "C"',
    "clock": "clock, ",
    "documents": "PRIMARY KEY (clock, namespace, key)",
    "sparse": " WITH (fillfactor = 10)",
    "beside": "; CREATE INDEX concordant_documents_id ON concordant_documents (id)",
}

COLUMNS = {
    **dict.fromkeys(("clock", "id", "version", "open", "saved", "n", "document", "previous", "ordinal"), "int"),
    **dict.fromkeys(("kept", "whole", "tail", "base"), "int"),
    **dict.fromkeys(("created", "updated", "expires", "time", "began"), "float"),
    **dict.fromkeys(("namespace", "key", "agent", "origin", "act", "fingerprint"), "text"),
    **dict.fromkeys(("task", "execution", "settled", "met"), "text"),
    **dict.fromkeys(("value", "record", "body", "changes"), "bytes"),
}
"""Of what type the columns of documents and of the journal are."""

# What is there now. Each row is under a clock (``concordant.storage.cut``), by which the tables can be distributed, and
# on Postgres keys begin with it. SQLite has one clock, and its rows lie in the order of the number that is their whole
# key. Of what is the store's alone (its name, its version, what it knows of others, what was set aside) few rows, which
# no commit touches.
TABLES = """
CREATE TABLE concordant_store (
    one {int} PRIMARY KEY CHECK (one = 1),
    replica {text} NOT NULL
);
CREATE TABLE concordant_clocks (
    clock {int} PRIMARY KEY,
    n {int} NOT NULL,
    time {float} NOT NULL,
    forgotten {int} NOT NULL DEFAULT 0,
    exported {int} NOT NULL DEFAULT -1,
    trimmed {int} NOT NULL DEFAULT 0,
    marks {text} NOT NULL DEFAULT '[[0,""]]',
    home {int} NOT NULL DEFAULT 1,
    erased {int} NOT NULL DEFAULT 0
){sparse};
CREATE TABLE concordant_documents (
    clock {int} NOT NULL DEFAULT 0,
    id {number},
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
    kept {int},
    whole {int} NOT NULL DEFAULT 0,
    tail {int} NOT NULL DEFAULT 0,
    {documents}
);
CREATE INDEX concordant_documents_version ON concordant_documents ({clock}version);
CREATE INDEX concordant_documents_expires ON concordant_documents (expires) WHERE expires IS NOT NULL;
CREATE INDEX concordant_documents_shown ON concordant_documents (namespace, id) WHERE value IS NOT NULL;
CREATE INDEX concordant_documents_hidden ON concordant_documents (fingerprint, namespace) WHERE value IS NULL;
CREATE TABLE concordant_checkpoints (
    clock {int} NOT NULL,
    document {int} NOT NULL,
    n {int} NOT NULL,
    version {int} NOT NULL,
    record {bytes} NOT NULL,
    PRIMARY KEY (clock, document)
);
CREATE TABLE concordant_journal (
    clock {int} NOT NULL DEFAULT 0,
    n {number},
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
    changes {bytes},
    met {text},
    base {int},
    PRIMARY KEY ({clock}n)
);
CREATE INDEX concordant_journal_document ON concordant_journal ({clock}document, n);
CREATE INDEX concordant_journal_task ON concordant_journal (task, document) WHERE task IS NOT NULL;
CREATE TABLE concordant_escalations (
    clock {int} NOT NULL,
    id {text} NOT NULL,
    namespace {text} NOT NULL,
    key {text} NOT NULL,
    state {text} NOT NULL,
    n {int} NOT NULL,
    place {int} NOT NULL,
    body {bytes} NOT NULL,
    changed {float} NOT NULL,
    PRIMARY KEY (clock, id)
);
CREATE INDEX concordant_escalations_id ON concordant_escalations (id);
CREATE INDEX concordant_escalations_open ON concordant_escalations (namespace, key) WHERE state IN ('open', 'claimed');
CREATE INDEX concordant_escalations_document ON concordant_escalations (namespace, key);
CREATE INDEX concordant_escalations_state ON concordant_escalations (state);
CREATE TABLE concordant_events (
    clock {int} NOT NULL DEFAULT 0,
    n {int} NOT NULL,
    place {int} NOT NULL,
    document {int} NOT NULL,
    source {text} NOT NULL,
    time {float} NOT NULL,
    kind {text} NOT NULL,
    body {bytes} NOT NULL,
    PRIMARY KEY ({clock}n, place)
);
CREATE TABLE concordant_subscribers (
    clock {int} NOT NULL,
    name {text} NOT NULL,
    n {int} NOT NULL,
    place {int} NOT NULL,
    holder {text},
    until {float} NOT NULL DEFAULT 0,
    PRIMARY KEY (clock, name)
);
CREATE TABLE concordant_tallies (
    clock {int} NOT NULL,
    depth {int} NOT NULL,
    part {int} NOT NULL,
    counts {text} NOT NULL,
    PRIMARY KEY (clock, depth, part)
);
CREATE TABLE concordant_models (
    clock {int} NOT NULL,
    fingerprint {text} NOT NULL,
    shape {text} NOT NULL,
    PRIMARY KEY (clock, fingerprint)
);
CREATE TABLE concordant_surveys (
    clock {int} NOT NULL,
    models {text} NOT NULL,
    n {int} NOT NULL,
    PRIMARY KEY (clock, models)
);
CREATE TABLE concordant_peers (
    replica {text} PRIMARY KEY,
    n {int} NOT NULL,
    forgotten {int} NOT NULL DEFAULT 0,
    marks {text} NOT NULL DEFAULT '[]'
);
CREATE TABLE concordant_notes (
    name {text} PRIMARY KEY,
    text {text} NOT NULL
);
CREATE TABLE concordant_quarantine (
    clock {int} NOT NULL DEFAULT 0,
    document {int} NOT NULL,
    namespace {text} NOT NULL,
    key {text} NOT NULL,
    time {float} NOT NULL,
    reason {text} NOT NULL,
    content {bytes} NOT NULL
);
CREATE TABLE concordant_batches (
    id {text} PRIMARY KEY,
    committed {int} NOT NULL
){beside}
"""
"""The tables of a new store. What changes here changes the same way in ``migrations``, for stores made before."""


def statements(text: str | Mapping[str, str], types: Mapping[str, str]) -> list[str]:
    """Gives the statements of the tables or of a migration for one sort of database."""
    text = text if isinstance(text, str) else text[types["name"]]
    return [part.strip() for part in text.format(**types).split(";")]


HEADS = "SELECT n, time FROM concordant_clocks ORDER BY clock"
"""Number and time of the last commit of each clock."""

VERSION = "SELECT v.version, s.replica FROM concordant_schema v, concordant_store s"
"""What tells the version of the tables, where table ``concordant_schema`` is there."""


def checked(found: tuple[int, str], place: str, wanted: str | None) -> str | None:
    """Returns the store's name, if its tables are up to date.

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
        mend = "leave out replica=, or name the servers of one store"
        raise ConcordantError(f"{place} is the store {replica!r}, not {wanted!r}: {mend}")
    return replica if version == len(MIGRATIONS) else None


def migrate(
    tx: SqlTransaction,
    exists: bool,
    types: Mapping[str, str],
    place: str,
    wanted: str | None,
    clocks: int = 1,
    home: Container[int] | None = None,
) -> str:
    """Makes the tables of a new store, or runs the migrations that one made before lacks; returns the store's name.

    The transaction is one that nobody else migrates beside.

    Args:
        exists: whether table ``concordant_schema`` is there.
        clocks: how many clocks a new store has; one that is there keeps those that it has.
        home: which of them are at home here, of a store on several servers; ``None``: all.
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
    for wanting in MIGRATIONS[version:] if exists else (TABLES,):
        for statement in statements(wanting, types):
            tx.run(statement)
    if not exists:
        tx.run("INSERT INTO concordant_store (one, replica) VALUES (1, ?)", (wanted or uuid.uuid4().hex[:12],))
        at_home = [number for clock in range(clocks) for number in (clock, int(home is None or clock in home))]
        rows = ", ".join(["(?, 0, 0, ?)"] * clocks)
        tx.run(f"INSERT INTO concordant_clocks (clock, n, time, home) VALUES {rows}", at_home)
    tx.run("UPDATE concordant_schema SET version = ?", (len(MIGRATIONS),))
    ((_, replica),) = tx.rows(VERSION)
    return str(replica)
