"""How the tables of a database came to be what they are: one migration after the other, for stores made before.

Written once for SQLite and Postgres: braces name the types that differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

__all__ = ["MIGRATIONS"]

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

# Each row is under a clock from here on.
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

# What a workspace notes for itself: how far other stores have come.
_NOTES = """
CREATE TABLE concordant_notes (
    name {text} PRIMARY KEY,
    text {text} NOT NULL
)
"""

MIGRATIONS: Sequence[str | Mapping[str, str]] = (
    *(_FIRST, _EXCHANGE, _EVENTS, _MODELS, _VERIFYING),
    {"sqlite": _CLOCKS, "postgres": f"{_CLOCKS};{_KEYS}"},
    _TAILS,
    _SERVERS,
    _TALLIES,
    _NOTES,
)
"""Each is run once, in order; the number of those that ran is the version of the tables. Never change one that was
released: add another, and change the tables of new stores (``tables``) the same way."""
