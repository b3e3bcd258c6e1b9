"""Storages in the tables of a database: SQLite and Postgres."""

from concordant.storage.sql.storage import SqlStorage

__all__ = ["SqlStorage"]
