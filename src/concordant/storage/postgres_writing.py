"""A transaction of a Postgres database."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from concordant.storage.database import Columns
from concordant.storage.listening import CHANNEL

if TYPE_CHECKING:
    import psycopg

__all__ = ["PostgresWriting", "with_marks"]


class PostgresWriting:
    """What is done on one connection; ``changes`` tells whether anything was written."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self.n = 0
        self.clock = self.now = 0.0
        self.ahead: list[Columns] = []
        self.witness: tuple[int, float] | None = None
        self.changes = False

    def rows(self, statement: str, parameters: Sequence[Any] = ()) -> list[Columns]:
        return self._connection.execute(with_marks(statement), parameters, binary=True).fetchall()

    def run(self, statement: str, parameters: Sequence[Any] = ()) -> None:
        self.changes = True
        self._connection.execute(with_marks(statement), parameters)

    def announce(self) -> None:
        self._connection.execute(f"NOTIFY {CHANNEL}")


@lru_cache(maxsize=1024)
def with_marks(statement: str) -> Any:
    """A statement with the driver's own marks for parameters."""
    return statement.replace("?", "%s")
