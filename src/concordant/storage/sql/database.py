"""What a storage in tables needs of a database; ``sqlite`` and ``postgres`` give it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any, Protocol, TypeAlias, TypeVar

from concordant.storage.base import Listener
from concordant.storage.conditions import Condition
from concordant.storage.encoding import FirstWrite

__all__ = ["Columns", "Database", "Query", "SqlTransaction", "of_clocks"]

T = TypeVar("T")

Columns: TypeAlias = tuple[Any, ...]

Query: TypeAlias = tuple[str, Sequence[Any]]
"""A statement with ``?`` for each parameter, and the parameters."""


def of_clocks(query: str, parameters: Sequence[Sequence[Any]], order: str, limit: int) -> Query:
    """Gives the query for the first rows of several clocks, of which each has an index of its own.

    Args:
        query: for those of one clock, in order and limited.
        parameters: its parameters, for each clock.
        order: in which they are together.
        limit: how many rows at most.
    """
    if len(parameters) == 1:
        return query, parameters[0]
    one = f"SELECT * FROM ({query}) part"
    together = " UNION ALL ".join([one] * len(parameters))
    return f"SELECT * FROM ({together}) whole ORDER BY {order} LIMIT ?", [*chain(*parameters), limit]


class SqlTransaction(Protocol):
    """A transaction that no other writer with one of its clocks runs beside.

    Attributes:
        heads: of each of its clocks, number and time of the last commit.
        now: the time.
        ahead: what the query that was given with the transaction found.
        witness: number and time of its last row in the journal, by which it is found again.
    """

    heads: Mapping[int, tuple[int, float]]
    now: float
    ahead: list[Columns]
    witness: tuple[int, float] | None

    def rows(self, statement: str, parameters: Sequence[Any] = ()) -> list[Columns]:
        """Tells what a query finds."""
        ...

    def raw(self, statement: str, parameters: Sequence[Any] = ()) -> list[Columns]:
        """Returns the same of what may be rotten."""
        ...

    def run(self, statement: str, parameters: Sequence[Any] = ()) -> None:
        """Runs a statement now, or with others before the commit."""
        ...

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Adds rows to a table, now or at the commit; there may be none."""
        ...

    def update(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], keys: int = 2) -> None:
        """Changes rows of a table, now or at the commit; there may be none.

        Args:
            keys: how many of the columns, the last ones, tell which row it is; one of them is its clock.
        """
        ...

    def announce(self) -> None:
        """Wakes those who listen for events, once this is committed."""
        ...


class Database(Protocol):
    """A database with the tables of one store.

    Attributes:
        place: which one, for messages; without passwords.
        identity: the same for all in this process that use the same database.
        replica: the store's name in dots.
        heads: of each of its clocks, number and time of the last commit when it was opened.
        is_near: whether to read a number from it is a matter of microseconds, and waits for nobody.
        patience: for how many seconds a write waits for others at most.
        leaders: how many writes of this process may be under way at once, each under other clocks.
    """

    place: str
    identity: str
    replica: str
    heads: Sequence[tuple[int, float]]
    is_near: bool
    patience: float
    leaders: int

    @property
    def create(self) -> Callable[[FirstWrite, int], tuple[int, float] | None] | None:
        """Commits the first write of a document by one statement, where that is a shorter way than ``write``.

        It takes the write, and the least number that it may be given. It returns number and time; ``None`` if there is
        such a document: then nothing was done.
        """
        ...

    def rows(self, statement: str, parameters: Sequence[Any] = ()) -> list[Columns]:
        """Tells what a query finds in all that is committed."""
        ...

    def listed(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Query:
        """Gives rows as a table to select from: a query, for ``WITH name (columns) AS (query)``."""
        ...

    def restriction(self, conditions: Sequence[Condition]) -> Query:
        """Returns an expression that holds for each document whose column ``value`` may meet all conditions."""
        ...

    def write(
        self,
        work: Callable[[SqlTransaction], T],
        clocks: Sequence[int] | None = None,
        ahead: Query | None = None,
        hasty: bool = False,
    ) -> T:
        """Runs ``work`` in a transaction, commits, and returns what it returned.

        Only if nothing of it was committed may ``work`` be run again. When this returns, what was committed survives
        a crash.

        Args:
            clocks: those that it commits under, in ascending order; ``None``: all.
            ahead: a query that is sent along.
            hasty: whether to give up soon (``StorageBusyError``) if others hold one of the clocks.

        Raises:
            StorageError: the database cannot be used; nothing was committed.
        """
        ...

    @property
    def read_only(self) -> bool:
        """Whether it is known that nothing can be written."""
        ...

    def damage(self) -> Sequence[str]:
        """Tells what the database says is wrong with itself; nothing if it does not tell, or all is well."""
        ...

    def listener(self) -> Listener:
        """Waits for what other processes announce."""
        ...

    def about(self, at: float) -> float:
        """Returns the time, of those that commits have, at a time of this process's monotonic clock."""
        ...

    def surely(self, at: float) -> float:
        """Returns a time, of those that commits have, before a time of this process's monotonic clock: what other
        processes committed before the one was committed before the other, whatever the error of clocks."""
        ...

    def time(self) -> float:
        """Returns the time, by the clock that all processes with this store share."""
        ...

    def close(self) -> None:
        """Gives up all connections."""
        ...
