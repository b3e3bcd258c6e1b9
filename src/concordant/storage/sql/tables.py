"""The tables of a database, and how they came to be: one migration after the other.

Written once for SQLite and Postgres: braces name the types that differ."""

from __future__ import annotations

import uuid
from collections.abc import Container, Mapping, Sequence

from concordant.errors import ConcordantError, StorageError
from concordant.storage.sql.database import SqlTransaction

__all__ = ["HEADS", "MIGRATIONS", "POSTGRES", "SQLITE", "VERSION", "checked", "migrate", "statements"]

SQLITE = {"name": "sqlite", "id": "INTEGER", "int": "INTEGER", "float": "REAL", "bytes": "BLOB", "text": "TEXT"}
POSTGRES = {
    "name": "postgres",
    "id": "BIGINT",
    "int": "BIGINT",
    "float": "DOUBLE PRECISION",
    "bytes": "BYTEA",
    "text": 'TEXT COLLATE "C"',
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

# Each row is under a clock (``concordant.storage.cut``), by which the tables can be distributed. Of what is the store's
# alone (its name, its version, what it knows of others, what was set aside) few rows, which no commit touches.
_CLOCKS = """
ALTER TABLE concordant_store RENAME TO concordant_former;
CREATE TABLE concordant_store (
    one {int} PRIMARY KEY CHECK (one = 1),
    replica {text} NOT NULL
);
INSERT INTO concordant_store (one, replica) SELECT one, replica FROM concordant_former;
CREATE TABLE concordant_clocks (
    clock {int} PRIMARY KEY,
    n {int} NOT NULL,
    time {float} NOT NULL,
    forgotten {int} NOT NULL DEFAULT 0,
    exported {int} NOT NULL DEFAULT -1,
    trimmed {int} NOT NULL DEFAULT 0,
    marks {text} NOT NULL DEFAULT '[[0,""]]'
);
INSERT INTO concordant_clocks (clock, n, time, forgotten, exported, trimmed, marks)
    SELECT 0, n, clock, forgotten, exported, trimmed, marks FROM concordant_former;
DROP TABLE concordant_former;
ALTER TABLE concordant_documents ADD COLUMN clock {int} NOT NULL DEFAULT 0;
ALTER TABLE concordant_journal ADD COLUMN clock {int} NOT NULL DEFAULT 0;
ALTER TABLE concordant_events ADD COLUMN clock {int} NOT NULL DEFAULT 0;
ALTER TABLE concordant_quarantine ADD COLUMN clock {int} NOT NULL DEFAULT 0;
ALTER TABLE concordant_escalations RENAME TO concordant_former;
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
INSERT INTO concordant_escalations (clock, id, namespace, key, state, n, place, body, changed)
    SELECT 0, id, namespace, key, state, n, place, body, changed FROM concordant_former;
DROP TABLE concordant_former;
CREATE INDEX concordant_escalations_id ON concordant_escalations (id);
CREATE INDEX concordant_escalations_open ON concordant_escalations (namespace, key) WHERE state IN ('open', 'claimed');
CREATE INDEX concordant_escalations_document ON concordant_escalations (namespace, key);
ALTER TABLE concordant_models RENAME TO concordant_former;
CREATE TABLE concordant_models (
    clock {int} NOT NULL,
    fingerprint {text} NOT NULL,
    shape {text} NOT NULL,
    PRIMARY KEY (clock, fingerprint)
);
INSERT INTO concordant_models (clock, fingerprint, shape) SELECT 0, fingerprint, shape FROM concordant_former;
DROP TABLE concordant_former;
ALTER TABLE concordant_surveys RENAME TO concordant_former;
CREATE TABLE concordant_surveys (
    clock {int} NOT NULL,
    models {text} NOT NULL,
    n {int} NOT NULL,
    PRIMARY KEY (clock, models)
);
INSERT INTO concordant_surveys (clock, models, n) SELECT 0, models, n FROM concordant_former;
DROP TABLE concordant_former;
ALTER TABLE concordant_subscribers RENAME TO concordant_former;
CREATE TABLE concordant_subscribers (
    clock {int} NOT NULL,
    name {text} NOT NULL,
    n {int} NOT NULL,
    place {int} NOT NULL,
    holder {text},
    until {float} NOT NULL DEFAULT 0,
    PRIMARY KEY (clock, name)
);
INSERT INTO concordant_subscribers (clock, name, n, place, holder, until)
    SELECT 0, name, n, place, holder, until FROM concordant_former;
DROP TABLE concordant_former
"""

# SQLite keeps its keys: it has one clock, and its rows lie in the order of the number that is their whole key.
_KEYS = """
ALTER TABLE concordant_clocks SET (fillfactor = 10);
ALTER TABLE concordant_documents DROP CONSTRAINT concordant_documents_pkey;
ALTER TABLE concordant_documents DROP CONSTRAINT concordant_documents_namespace_key_key;
ALTER TABLE concordant_documents ADD PRIMARY KEY (clock, namespace, key);
CREATE INDEX concordant_documents_id ON concordant_documents (id);
DROP INDEX concordant_documents_version;
CREATE INDEX concordant_documents_version ON concordant_documents (clock, version);
ALTER TABLE concordant_journal DROP CONSTRAINT concordant_journal_pkey;
ALTER TABLE concordant_journal ADD PRIMARY KEY (clock, n);
DROP INDEX concordant_journal_document;
CREATE INDEX concordant_journal_document ON concordant_journal (clock, document, n);
DROP INDEX concordant_journal_task;
CREATE INDEX concordant_journal_task ON concordant_journal (task, document) WHERE task IS NOT NULL;
ALTER TABLE concordant_events DROP CONSTRAINT concordant_events_pkey;
ALTER TABLE concordant_events ADD PRIMARY KEY (clock, n, place)
"""

# Of a large record the tree is stored apart, and what came after it is told by the journal.
_TAILS = """
CREATE TABLE concordant_checkpoints (
    clock {int} NOT NULL,
    document {int} NOT NULL,
    n {int} NOT NULL,
    version {int} NOT NULL,
    record {bytes} NOT NULL,
    PRIMARY KEY (clock, document)
);
ALTER TABLE concordant_documents ADD COLUMN kept {int};
ALTER TABLE concordant_documents ADD COLUMN whole {int} NOT NULL DEFAULT 0;
ALTER TABLE concordant_documents ADD COLUMN tail {int} NOT NULL DEFAULT 0;
ALTER TABLE concordant_journal ADD COLUMN base {int}
"""

# Each server of a store on several has a row for every clock, and commits under those that are at home there.
_SERVERS = """
ALTER TABLE concordant_clocks ADD COLUMN home {int} NOT NULL DEFAULT 1;
CREATE TABLE concordant_batches (
    id {text} PRIMARY KEY,
    committed {int} NOT NULL
)
"""

_TALLIES = """
CREATE TABLE concordant_tallies (
    clock {int} NOT NULL,
    depth {int} NOT NULL,
    part {int} NOT NULL,
    counts {text} NOT NULL,
    PRIMARY KEY (clock, depth, part)
);
ALTER TABLE concordant_clocks ADD COLUMN erased {int} NOT NULL DEFAULT 0;
CREATE INDEX concordant_escalations_state ON concordant_escalations (state)
"""

MIGRATIONS: Sequence[str | Mapping[str, str]] = (
    *(_FIRST, _EXCHANGE, _EVENTS, _MODELS, _VERIFYING),
    {"sqlite": _CLOCKS, "postgres": f"{_CLOCKS};{_KEYS}"},
    _TAILS,
    _SERVERS,
    _TALLIES,
)
"""Each is run once, in order; the number of those that ran is the version of the tables. Never change one that was
released: add another."""


def statements(migration: str | Mapping[str, str], types: Mapping[str, str]) -> list[str]:
    """The statements of a migration for one sort of database."""
    text = migration if isinstance(migration, str) else migration[types["name"]]
    return [part.strip() for part in text.format(**types).split(";")]


HEADS = "SELECT n, time FROM concordant_clocks ORDER BY clock"
"""Number and time of the last commit of each clock."""

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
    """Runs what is missing, in a transaction that nobody else migrates beside; returns the store's name.

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
    for migration in MIGRATIONS[version:]:
        for statement in statements(migration, types):
            tx.run(statement)
    if not exists:
        tx.run("INSERT INTO concordant_store (one, replica) VALUES (1, ?)", (wanted or uuid.uuid4().hex[:12],))
        for clock in range(clocks):
            at_home = int(home is None or clock in home)
            tx.run("INSERT INTO concordant_clocks (clock, n, time, home) VALUES (?, 0, 0, ?)", (clock, at_home))
    tx.run("UPDATE concordant_schema SET version = ?", (len(MIGRATIONS),))
    ((_, replica),) = tx.rows(VERSION)
    return str(replica)
