"""The tables of a database, and how they came to be: one migration after the other.

Written once for SQLite and Postgres: braces name the types that differ. Names of documents are text that every
database can hold and whose order is that of its bytes: a namespace is its JSON (`["users","ada"]`), so that all below
`["users"` is one range of an index, and a key is its JSON without the quotes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache

__all__ = [
    "MIGRATIONS",
    "POSTGRES",
    "SQLITE",
    "bounds",
    "dump_key",
    "dump_namespace",
    "load_key",
    "load_namespace",
    "statements",
]

SQLITE = {"id": "INTEGER", "int": "INTEGER", "float": "REAL", "bytes": "BLOB", "text": "TEXT"}
POSTGRES = {
    "id": "BIGINT",
    "int": "BIGINT",
    "float": "DOUBLE PRECISION",
    "bytes": "BYTEA",
    "text": 'TEXT COLLATE "C"',
}

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


@lru_cache(maxsize=10_000)
def dump_namespace(namespace: tuple[str, ...]) -> str:
    """A namespace as stored."""
    return json.dumps(namespace, ensure_ascii=False, separators=(",", ":"))


@lru_cache(maxsize=10_000)
def load_namespace(text: str) -> tuple[str, ...]:
    """The namespace that was stored."""
    return tuple(json.loads(text))


def dump_key(key: str) -> str:
    """A key as stored."""
    return json.dumps(key, ensure_ascii=False)[1:-1]


def load_key(text: str) -> str:
    """The key that was stored."""
    return json.loads(f'"{text}"') if "\\" in text else text


def bounds(prefix: tuple[str, ...]) -> tuple[str, str]:
    """The first stored namespace under a prefix, and the first after all of them.

    What follows the text of a prefix is a comma or the closing bracket, and both are smaller than ``^``.
    """
    begin = dump_namespace(prefix)[:-1]
    return begin, begin + "^"
