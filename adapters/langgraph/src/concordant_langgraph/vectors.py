"""Vectors kept beside a database: LangGraph's own store there, which holds the view."""

from __future__ import annotations

import hashlib
import importlib
import json
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, LiteralString, NamedTuple
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from langgraph.store.base import BaseStore

__all__ = ["Vectors", "vectors_beside"]

log = logging.getLogger("concordant")

_PATIENCE = 60.0


class Vectors(NamedTuple):
    """A store for vectors, and how to give it up."""

    store: BaseStore
    close: Callable[[], None]


def vectors_beside(url: str, index: Mapping[str, Any]) -> Vectors | None:
    """Returns the store that keeps the vectors of a database: for ``sqlite:///team.db`` in a file beside it, for
    Postgres in a schema of their own; another one for each way of making vectors (``dims``, ``fields``, ...).

    Returns:
        ``None`` where there can be none, which is logged: a driver is missing, SQLite takes no extensions in this
        Python, the server has no pgvector, or the storage is somebody else's.
    """
    try:
        if url.startswith("sqlite:"):
            return _in_file(url, index)
        if url.startswith(("postgres:", "postgresql:")):
            return _in_schema(url, index)
        raise _Unavailable("they are kept beside SQLite and Postgres alone")
    except _Unavailable as reason:
        log.warning("The vectors of %s are in this process's memory: %s", urlsplit(url).path, reason)
        return None


class _Unavailable(Exception):
    """Why there can be no vectors in a database."""


def _name(index: Mapping[str, Any], *more: str) -> str:
    """A name for what vectors depend on, as far as it can be told; a function that embeds cannot."""
    shape = {name: part for name, part in index.items() if name != "embed" or isinstance(part, str)}
    return hashlib.sha256(json.dumps([shape, *more], sort_keys=True, default=str).encode()).hexdigest()[:8]


def _in_file(url: str, index: Mapping[str, Any]) -> Vectors:
    path = f"{unquote(url.partition('///')[2])}-vectors-{_name(index)}"
    try:
        from langgraph.store.sqlite import SqliteStore
    except ImportError as error:
        raise _Unavailable(f"pip install 'concordant-langgraph[sqlite]' keeps them in {path}") from error
    connection = _sqlite().connect(path, check_same_thread=False, isolation_level=None, timeout=_PATIENCE)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")  # what is lost with the machine is made again
    connection.execute("PRAGMA foreign_keys = ON")  # so that vectors go with their item
    fields = {"text_fields": index["fields"]} if index.get("fields") else {}  # as this store calls them
    store = SqliteStore(connection, index={**index, **fields})  # type: ignore[arg-type]
    _patiently(store.setup)
    return Vectors(store, connection.close)


def _sqlite() -> Any:
    """A SQLite that takes extensions."""
    import sqlite3

    if hasattr(sqlite3.Connection, "enable_load_extension"):
        return sqlite3
    try:
        return importlib.import_module("pysqlite3")
    except ImportError as error:
        raise _Unavailable("this Python's sqlite3 takes no extensions: pip install pysqlite3") from error


def _patiently(setup: Callable[[], None]) -> None:
    """Makes tables where another process may be making them too."""
    for attempt in range(5):
        try:
            setup()
        except Exception:
            if attempt == 4:
                raise
            time.sleep(0.1 * 2**attempt)
        else:
            return


def _in_schema(url: str, index: Mapping[str, Any]) -> Vectors:
    try:
        import psycopg
        from langgraph.store.postgres import PostgresStore
        from psycopg import sql
        from psycopg.rows import dict_row
        from psycopg_pool import ConnectionPool
    except ImportError as error:
        raise _Unavailable("pip install 'concordant-langgraph[postgres]' keeps them in the database") from error
    with psycopg.connect(url, autocommit=True) as connection:

        def ask(query: LiteralString, *parameters: str) -> tuple[Any, ...] | None:
            return connection.execute(query, parameters).fetchone()

        if ask("SELECT 1 FROM pg_available_extensions WHERE name = 'vector'") is None:
            raise _Unavailable("the server has no pgvector")
        [ours] = ask("SELECT current_schema()") or ("public",)
        schema = f"concordant_vectors_{_name(index, ours)}"
        # One at a time makes tables. Whoever waits for that holds no snapshot, or the first one's index, which is built
        # beside others' work, would wait for it in turn.
        while ask("SELECT pg_try_advisory_lock(7062026100234)") != (True,):
            time.sleep(0.05)
        connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)))
        [home] = ask("SELECT extnamespace::regnamespace::text FROM pg_extension WHERE extname = 'vector'") or (ours,)
        keywords = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}
        pool = ConnectionPool(
            _with_path(url, f"{schema},{home}"), min_size=1, max_size=10, kwargs=keywords, open=True, timeout=_PATIENCE
        )
        try:
            store = PostgresStore(pool, index=index)  # type: ignore[arg-type]
            store.setup()
        except BaseException:
            pool.close()
            raise
    return Vectors(store, pool.close)


def _with_path(url: str, path: str) -> str:
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    options = f"{query.pop('options', '')} -c search_path={path}".strip()
    return urlunsplit(parts._replace(query=urlencode({**query, "options": options}, quote_via=quote)))
