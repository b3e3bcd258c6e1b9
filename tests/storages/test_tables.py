"""The tables of a new store are those to which the migrations lead."""

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from concordant import Workspace
from concordant.storage.sql.migrations import MIGRATIONS
from concordant.storage.sql.tables import POSTGRES, SQLITE, statements

VERSION = "CREATE TABLE concordant_schema (version BIGINT NOT NULL)"
OLDEST = (
    "INSERT INTO concordant_store (one, replica, n, clock) VALUES (1, 'old', 0, 0)",
    "INSERT INTO concordant_schema (version) VALUES (1)",
)


def in_sqlite(path: Path) -> Iterator[tuple[Any, ...]]:
    """Every column and index of a file."""
    with closing(sqlite3.connect(path)) as connection:
        for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for _, name, *rest in connection.execute(f"PRAGMA table_info({table})"):
                yield "column", table, name, *rest
            for _, index, unique, origin, partial in connection.execute(f"PRAGMA index_list({table})").fetchall():
                columns = [name for _, _, name in connection.execute(f"PRAGMA index_info({index})")]
                (definition,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = ?", (index,)).fetchone()
                yield "index", table, columns, unique, origin, partial, definition


def in_postgres(url: str) -> Iterator[tuple[Any, ...]]:
    """Every column, constraint, index and setting of a schema's tables."""
    with psycopg.connect(url) as connection:
        yield from connection.execute(
            "SELECT table_name, column_name, data_type, is_nullable, column_default, collation_name"
            " FROM information_schema.columns WHERE table_schema = current_schema()"
        )
        yield from connection.execute(
            "SELECT tablename, indexname, replace(indexdef, current_schema(), '') FROM pg_indexes"
            " WHERE schemaname = current_schema()"
        )
        yield from connection.execute(
            "SELECT c.relname, pg_get_constraintdef(k.oid) FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid"
            " WHERE c.relnamespace = current_schema()::regnamespace"
        )
        yield from connection.execute(
            "SELECT relname, reloptions FROM pg_class WHERE relnamespace = current_schema()::regnamespace"
        )


def test_a_new_schema_has_the_tables_of_a_migrated_one(postgres_urls: Callable[[], str]) -> None:
    """Columns, types, defaults, keys, indexes and settings of a new store in Postgres are those of one that came
    through every migration."""
    old, new = postgres_urls(), postgres_urls()
    with psycopg.connect(old, autocommit=True) as connection:
        for statement in (VERSION, *statements(MIGRATIONS[0], POSTGRES), *OLDEST):
            connection.execute(statement)
    for url in (old, new):
        Workspace(url).close()
    # A key of a table that was made anew under the old one's name has a number in its own name.
    found = [sorted(re.sub("_pkey[0-9]", "_pkey", repr(one)) for one in in_postgres(url)) for url in (old, new)]
    assert found[0] == found[1]
    assert len(found[1]) > 100


@pytest.mark.parametrize("missing", range(1, len(MIGRATIONS)))
def test_a_file_of_any_version_is_brought_up_to_date(missing: int, tmp_path: Path) -> None:
    """From each version of the tables the migrations that are missing lead to those of a new store: to its columns,
    types, defaults, keys and indexes."""
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(VERSION.replace("BIGINT", "INTEGER"))
        for statement in statements(MIGRATIONS[0], SQLITE):
            connection.execute(statement)
        for statement in OLDEST:
            connection.execute(statement)
        for migration in MIGRATIONS[1:missing]:
            for statement in statements(migration, SQLITE):
                connection.execute(statement)
        connection.execute("UPDATE concordant_schema SET version = ?", (missing,))
    Workspace(f"sqlite:///{path}").close()
    Workspace(f"sqlite:///{tmp_path}/new.db").close()
    old, new = (sorted(map(repr, in_sqlite(one))) for one in (path, tmp_path / "new.db"))
    assert old == new
    assert len(new) > 100
