"""A store in a Postgres database, for many machines."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Container, Generator, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from secrets import token_hex
from typing import Any, TypeVar

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.types.numeric import Int8BinaryDumper
from psycopg_pool import ConnectionPool

from concordant.errors import StorageBusyError, StorageError
from concordant.storage.base import Listener
from concordant.storage.clocks import SharedClock
from concordant.storage.conditions import Condition, for_postgres
from concordant.storage.encoding import FirstWrite
from concordant.storage.forking import call_in_child
from concordant.storage.opening import PostgresOptions
from concordant.storage.sql.arrays import Packed, packed
from concordant.storage.sql.database import Columns, Query, SqlTransaction
from concordant.storage.sql.tables import COLUMNS, POSTGRES, VERSION, checked, migrate
from concordant.storage.urls import scrubbed, without_password

__all__ = ["PostgresDatabase", "has_store"]


_KEPT_ALIVE = {"keepalives": 1, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}

_TURNS = 1_000
"""Of so many uses of a pool's connections one at least ends with the pool, which closes those that are too old."""

_CHECK = 2.0
"""For how many seconds an idle connection may be silent when it is checked."""


class Connection(psycopg.Connection[Any]):
    """A connection that counts as lost when the server is silent for too long.

    The limits of the server itself (``statement_timeout``) help only where it lives and is heard: neither a machine
    that is gone nor a network that swallows what is sent ends a call.

    Attributes:
        patience: for how many seconds the server may be silent.
    """

    patience = float("inf")
    _asking: psycopg.Cursor[Any] | None = None

    def ask(self, statement: Any, parameters: Sequence[Any]) -> list[Columns]:
        """Tells what a statement finds, outside of pipelines; by a cursor that is kept, for to make one takes long."""
        if self._asking is None:
            self._asking = self.cursor(binary=True)
        return self._asking.execute(statement, parameters).fetchall()

    def wait(self, gen: Any, *more: Any, **options: Any) -> Any:
        return super().wait(self._patiently(gen), *more, **options)

    def _patiently(self, gen: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
        end = time.monotonic() + self.patience
        try:
            state = next(gen)
            while True:
                ready = yield state
                if not ready and time.monotonic() > end:
                    self.pgconn.finish()
                    raise psycopg.OperationalError(f"the server was silent for {self.patience:g} seconds")
                state = gen.send(ready)
        except StopIteration as done:
            return done.value


def way(seconds: float) -> dict[str, Any]:
    """Tells how connections are made: the system looks after idle ones, and to make one takes that long at most."""
    return {"autocommit": True, "connect_timeout": max(2, round(seconds)), **_KEPT_ALIVE}


def try_again(pool: ConnectionPool[Connection]) -> None:
    """Goes on trying to connect while somebody waits for it: by itself the pool pauses twice as long each time, and a
    server that has been back for seconds would not be noticed."""
    if pool.get_stats().get("requests_waiting"):
        pool.check()


class Pool(ConnectionPool[Connection]):
    """A pool that is quick to tell which of its connections are no more, and keeps that of a lone caller at hand: to
    take it from the others and put it back costs as much as a fifth of a write."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self._at_hand: Connection | None = None
        self._callers = 0  # who have a connection, or wait for one
        self._turns = 0
        self._is_kept = True
        self._hand = threading.Lock()
        super().__init__(*args, **options)

    def getconn(self, timeout: float | None = None) -> Connection:
        with self._hand:
            self._callers += 1
            found, self._at_hand = self._at_hand, None
        if found is not None:
            return found
        try:
            return super().getconn(timeout)
        except BaseException:
            with self._hand:
                self._callers -= 1
            raise

    def putconn(self, conn: Connection) -> None:
        is_idle = conn.pgconn.transaction_status == TransactionStatus.IDLE
        with self._hand:
            self._callers -= 1
            self._turns = (self._turns + 1) % _TURNS
            if is_idle and self._is_kept and self._callers == 0 and self._turns:
                self._at_hand = conn  # nobody waits for it
                return
        super().putconn(conn)

    def check(self) -> None:
        self._let_go()
        super().check()

    def close(self, timeout: float = 5.0) -> None:
        self._is_kept = False
        self._let_go()
        super().close(timeout)

    def _let_go(self) -> None:
        with self._hand:
            found, self._at_hand = self._at_hand, None
        if found is not None:
            super().putconn(found)

    @staticmethod
    def check_connection(conn: Connection) -> None:
        patience, conn.patience = conn.patience, min(_CHECK, conn.patience)
        ConnectionPool.check_connection(conn)
        conn.patience = patience


class PostgresWriting:
    """What is done on one connection; ``changes`` tells whether anything was written.

    Args:
        pipeline: in which its statements are sent. What is asked for ends with a sync: only then does the server note
            for how long it hears nothing, and throw out a writer that was stopped.
    """

    def __init__(self, connection: psycopg.Connection[Any], pipeline: psycopg.Pipeline | None = None) -> None:
        self._connection = connection
        self._pipeline = pipeline
        self.heads: Mapping[int, tuple[int, float]] = {}
        self.now = 0.0
        self.ahead: list[Columns] = []
        self.witness: tuple[int, float] | None = None
        self.changes = False
        self.announces = True
        self._last: list[str] = []
        self._given: list[Any] = []

    def rows(self, statement: str, parameters: Sequence[Any] = ()) -> list[Columns]:
        found = self._connection.execute(with_marks(statement), parameters, binary=True)
        if self._pipeline is not None:
            self._pipeline.sync()
        return found.fetchall()

    raw = rows  # each value is of its column's type there

    def run(self, statement: str, parameters: Sequence[Any] = ()) -> None:
        self.changes = True
        self._connection.execute(with_marks(statement), parameters)

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        if len(rows) == 1:
            self._put_off(_inserting_one(table, tuple(columns)), rows[0])
        elif rows:
            given = [*zip(*rows, strict=True)]
            alike = tuple(
                name in _ALIKE and value.count(value[0]) == len(value)
                for name, value in zip(columns, given, strict=True)
            )
            values = [
                value[0] if one else packed(COLUMNS[name], value)
                for name, one, value in zip(columns, alike, given, strict=True)
            ]
            self._put_off(_inserting(table, tuple(columns), alike), values)

    def update(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], keys: int = 2) -> None:
        if len(rows) == 1:
            self._put_off(_updating_one(table, tuple(columns), keys), rows[0])
        elif rows:
            given = _packed(columns, rows)
            clocks = packed("int", sorted({row[columns.index("clock")] for row in rows}))
            self._put_off(_updating(table, tuple(columns), keys), [*given, clocks])

    def _put_off(self, statement: str, parameters: Sequence[Any]) -> None:
        self.changes = True
        self._last.append(statement)
        self._given += parameters

    def finish(self) -> None:
        """Has all that was put off done by one statement: each would cost the driver and the server as much again."""
        if self._last:
            self._connection.execute(_together(tuple(self._last)), self._given)

    def announce(self) -> None:
        if self.announces:
            self._connection.execute(f"NOTIFY {CHANNEL}")


@lru_cache(maxsize=1024)
def with_marks(statement: str) -> Any:
    """Returns a statement with the driver's own marks for parameters."""
    return statement.replace("?", "%s")


def _arrays(columns: Sequence[str]) -> str:
    """Rows as a table: an array for each column."""
    return f"unnest({', '.join(f'%b::{POSTGRES[COLUMNS[name]]}[]' for name in columns)})".replace(' COLLATE "C"', "")


def _packed(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[Packed]:
    """What is given for them."""
    return [packed(COLUMNS[name], values) for name, values in zip(columns, zip(*rows, strict=True), strict=True)]


_ALIKE = {
    *("namespace", "agent", "origin", "act", "open", "fingerprint", "record", "expires", "kept", "whole", "tail"),
    *("previous", "task", "execution", "ordinal", "began", "settled", "changes", "met", "base"),
}
"""Columns that are often the same in all rows of a group: as one value they cost the driver a tenth of an array."""


@lru_cache
def _inserting(table: str, columns: tuple[str, ...], alike: tuple[bool, ...]) -> str:
    """The statement that adds rows; of columns that are alike in all one value is given, of others an array.

    The arrays are unnested side by side in the list of what is selected, each to as many rows as there are.
    """
    types = [POSTGRES[COLUMNS[name]].replace(' COLLATE "C"', "") for name in columns]
    given = [f"%b::{sort}" if one else f"unnest(%b::{sort}[])" for one, sort in zip(alike, types, strict=True)]
    return f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(given)}"


@lru_cache
def _inserting_one(table: str, columns: tuple[str, ...]) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join(['%b'] * len(columns))})"


@lru_cache
def _updating(table: str, columns: tuple[str, ...], keys: int) -> str:
    changes = ", ".join(f"{name} = w.{name}" for name in columns[:-keys])
    known = " AND ".join(f"t.{name} = w.{name}" for name in columns[-keys:])
    return (
        f"UPDATE {table} t SET {changes} FROM {_arrays(columns)} AS w ({', '.join(columns)}) "
        f"WHERE t.clock = ANY(%b::{POSTGRES[COLUMNS['clock']]}[]) AND {known}"
    )


@lru_cache
def _updating_one(table: str, columns: tuple[str, ...], keys: int) -> str:
    given = [f"{name} = %b" for name in columns]
    return f"UPDATE {table} SET {', '.join(given[:-keys])} WHERE {' AND '.join(given[-keys:])}"


@lru_cache
def _together(statements: tuple[str, ...]) -> Any:
    *others, last = statements
    if not others:
        return last
    return f"WITH {', '.join(f'_{n} AS ({one})' for n, one in enumerate(others))} {last}"


CHANNEL = "concordant_events"
_SLICE = 0.2


class PostgresListener:
    """A connection of its own that listens.

    Args:
        connect: makes the connection.
        error: what the driver raises.
    """

    def __init__(self, connect: Callable[[], psycopg.Connection[Any]], error: type[Exception]) -> None:
        self._connect = connect
        self._error = error
        self._connection: psycopg.Connection[Any] | None = None

    def wait(self, stop: threading.Event, seconds: float) -> None:
        end = time.monotonic() + seconds
        try:
            if self._connection is None:
                self._connection = connection = self._connect()
                connection.execute(f"LISTEN {CHANNEL}")
                return  # what was announced before is to be looked for
            while not stop.is_set() and (left := end - time.monotonic()) > 0:
                for _ in self._connection.notifies(timeout=min(_SLICE, left), stop_after=1):
                    return
        except self._error:
            self.close()
            stop.wait(min(1.0, max(end - time.monotonic(), 0.0)))

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(self._error):
                connection.close()


T = TypeVar("T")

_BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED"
# Not by to_regclass: while it waits for another to make the tables, a session may remember that there are none.
_KNOWN = (
    "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_tables "
    "WHERE tablename = 'concordant_schema' AND schemaname = ANY (current_schemas(false)))"
)
_MAY_WRITE = (
    "SELECT current_setting('transaction_read_only') = 'off' AND has_table_privilege('concordant_clocks', 'UPDATE')"
)
_CLOCKS = "SELECT n, time, home FROM concordant_clocks ORDER BY clock"
_CLOCK = "SELECT date_part('epoch', clock_timestamp())"
# The time is read once the rows are held: what waits for them is younger than what held them. Whoever wants several
# takes them in ascending order, so that nobody waits in a circle.
_HOLD = (
    "WITH held AS MATERIALIZED (SELECT clock, n, time FROM concordant_clocks{} ORDER BY clock FOR UPDATE) "
    "SELECT clock, n, time, date_part('epoch', clock_timestamp()), pg_current_xact_id()::text FROM held"
)
_HOLD_ONE = _HOLD.format(" WHERE clock = %s")
_HOLD_SOME = _HOLD.format(" WHERE clock = ANY(%s)")
_HOLD_ALL = _HOLD.format("")
_SETTINGS = (
    "SELECT set_config('statement_timeout', %s, false), set_config('lock_timeout', %s, false), "
    "set_config('idle_in_transaction_session_timeout', %s, false), "
    "set_config('default_transaction_isolation', 'read committed', false)"
)
# One statement is a transaction by itself. It waits for the clock like any other (an update looks again at the row that
# it waited for), and the document's own key tells whether there is one, whatever its snapshot shows.
_CREATE = """
WITH head AS (
    UPDATE concordant_clocks SET n = greatest(n + {clocks} - mod(n - clock, {clocks}), %b),
        time = greatest(date_part('epoch', clock_timestamp()), time + 1e-6)
    WHERE clock = %b RETURNING clock, n, time
), document AS (
    INSERT INTO concordant_documents
        (clock, id, namespace, key, version, created, updated, agent, origin, act, open, fingerprint, value, saved)
    SELECT clock, n, %b::text, %b::text, n, time, time, %b::text, %b::text, %b::text, 0, %b::text, %b::bytea, n
    FROM head ON CONFLICT DO NOTHING RETURNING clock, id, created, agent, origin, act, value
), journal AS (
    INSERT INTO concordant_journal
        (clock, n, document, time, agent, origin, act, previous, task, execution, ordinal, began, body)
    SELECT clock, id, id, created, agent, origin, act, 0, %b::text, %b::text, %b::bigint, %b::float8, value
    FROM document
)
SELECT id, created, date_part('epoch', clock_timestamp()) FROM document
"""
_CREATED = """
SELECT j.n, j.time, date_part('epoch', clock_timestamp())
FROM concordant_documents d JOIN concordant_journal j ON j.clock = d.clock AND j.n = d.id
WHERE d.clock = %b AND d.namespace = %b AND d.key = %b
    AND j.execution = %b AND j.task IS NOT DISTINCT FROM %b::text AND j.ordinal IS NOT DISTINCT FROM %b::bigint
"""
_HASTE = "SET LOCAL lock_timeout = '2s'"  # as HASTE says
_LEADERS = 4
"""How many connections of a process write at once: more would gather fewer writes in each transaction."""
_PAUSES = (0.0, 0.05, 0.2, 0.5, 1.0)
_PASSING = ("the database system is", "closed the connection unexpectedly", "terminating connection")
"""What is said of a connection that a server which is starting, recovering or crashing just now does not take."""


def has_store(url: str) -> bool:
    """Looks whether the database of a url has the tables of a store; nothing is made there.

    Raises:
        psycopg.Error: it cannot be reached.
    """
    with psycopg.connect(url, **way(_CHECK)) as connection:
        return bool(PostgresWriting(connection).rows(_KNOWN)[0][0])


class PostgresDatabase:
    """The database, by a pool of connections.

    Args:
        home: of a new store on several servers, which clocks are at home here; ``None``: all.

    Attributes:
        home: of each clock, whether it is at home here.
        read_only: whether it was so for this role when it was opened: on a standby, or without the right to write.

    Raises:
        StorageError: it cannot be reached, or is no database of ours.
    """

    def __init__(
        self, url: str, replica: str | None, options: PostgresOptions, home: Container[int] | None = None
    ) -> None:
        self._url = url
        self.place, self.identity = without_password(url).partition("?")[0], url
        self.is_near = False
        self.leaders = max(1, min(_LEADERS, options.pool_size // 2))
        self.patience = options.lock_timeout
        self._options = options
        self._clock = SharedClock()
        self._lock = threading.Lock()
        self._pool: Pool | None = None
        self._closed = False
        try:
            self.replica, self.read_only, found = self._patiently(replica, home)
        except BaseException:
            self.close()
            raise
        self.heads: Sequence[tuple[int, float]] = [(n, at) for n, at, _ in found]
        self._create = _CREATE.format(clocks=len(found))
        self.home = [bool(here) for *_, here in found]
        call_in_child(self._after_fork)

    # -- connections ---------------------------------------------------------------------------------------------

    def _connections(self) -> Pool:
        with self._lock:
            if self._closed:
                raise StorageError(self.place, "the workspace was closed", "Open another one")
            if self._pool is None:
                self._pool = Pool(
                    self._url,
                    connection_class=Connection,
                    min_size=1,
                    max_size=self._options.pool_size,
                    timeout=self._options.connect_timeout,
                    reconnect_timeout=1.0,
                    reconnect_failed=try_again,
                    kwargs=way(self._options.connect_timeout),
                    configure=self._configure,
                    open=True,
                    name="concordant",
                )
            return self._pool

    def _configure(self, connection: Connection) -> None:
        connection.adapters.register_dumper(int, Int8BinaryDumper)  # by size, each would be a statement of its own
        options = self._options
        longest = options.lock_timeout + options.statement_timeout
        connection.patience = longest + options.connect_timeout
        limits = (longest, options.lock_timeout, options.idle_timeout)
        connection.execute(_SETTINGS, [f"{round(1000 * seconds)}ms" for seconds in limits])

    def _patiently(self, wanted: str | None, home: Container[int] | None) -> tuple[str, bool, Sequence[Columns]]:
        """Prepares the database; waits for a server that is starting, or recovering from a crash."""
        end = time.monotonic() + self._options.connect_timeout
        while True:
            connected = False
            try:
                with self._connect() as connection:
                    connected = True
                    name = self._prepared(connection, wanted, home)
                    tx = PostgresWriting(connection)
                    return name, not tx.rows(_MAY_WRITE)[0][0], tx.rows(_CLOCKS)
            except psycopg.Error as error:
                passes = self._is_loss(error) if connected else any(text in str(error) for text in _PASSING)
                if not passes or time.monotonic() > end:
                    raise self._ours(error) from self._cause(error)
            time.sleep(_PAUSES[2])

    def _connect(self) -> Connection:
        """A connection that is not one of the pool's."""
        connection = Connection.connect(self._url, **way(self._options.connect_timeout))
        connection.patience = self._options.lock_timeout + self._options.connect_timeout
        return connection

    def _prepared(self, connection: psycopg.Connection[Any], wanted: str | None, home: Container[int] | None) -> str:
        """Brings the tables up to date; returns the store's name."""
        tx = PostgresWriting(connection)
        for _ in range(5):
            before = time.monotonic()
            ((there,),) = tx.rows(_CLOCK)
            self._clock.sample(before, there, time.monotonic())
        if tx.rows(_KNOWN)[0][0]:
            name = checked(tx.rows(VERSION)[0], self.place, wanted)
            if name is not None:
                return name
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(7062026100233)")  # one at a time makes tables
            return migrate(tx, tx.rows(_KNOWN)[0][0], POSTGRES, self.place, wanted, self._options.clocks, home)

    def _call(self, work: Callable[[Connection], T]) -> T:
        """Runs work on a connection; again on another if the connection is lost, which work must bear."""
        end = time.monotonic() + self._options.connect_timeout
        attempt = 0
        while True:
            try:
                return self._on_connection(work)
            except _Unknown as unknown:
                if self._committed(unknown, end):
                    return unknown.result  # type: ignore[no-any-return]
                if time.monotonic() > end:
                    raise self._ours(unknown.error) from self._cause(unknown.error)
            except psycopg.Error as error:
                if not self._may_repeat(error) or time.monotonic() > end:
                    raise self._ours(error) from self._cause(error)
            time.sleep(_PAUSES[min(attempt, len(_PAUSES) - 1)])
            attempt += 1
            self._drop_broken()

    def _on_connection(self, work: Callable[[Connection], T]) -> T:
        """Runs work on a connection of the pool, and nothing more where it succeeds: every transaction has ended."""
        pool = self._connections()
        connection = pool.getconn()
        try:
            return work(connection)
        except BaseException:
            with suppress(psycopg.Error):
                connection.rollback()
            raise
        finally:
            pool.putconn(connection)

    def _drop_broken(self) -> None:
        with self._lock:
            pool = self._pool
        if pool is not None:
            pool.check()

    def _may_repeat(self, error: Exception) -> bool:
        """Whether nothing of the call was committed and another attempt may succeed."""
        errors = psycopg.errors
        return isinstance(error, (errors.SerializationFailure, errors.DeadlockDetected)) or self._is_loss(error)

    def _is_loss(self, error: Exception) -> bool:
        """Whether the connection is gone, which the driver may not have noticed yet."""
        errors = psycopg.errors
        gone = (errors.AdminShutdown, errors.CrashShutdown, errors.CannotConnectNow)
        if isinstance(error, (*gone, errors.IdleInTransactionSessionTimeout)):
            return True
        return isinstance(error, psycopg.OperationalError) and error.sqlstate is None

    def _ours(self, error: Exception) -> StorageError:
        errors = psycopg.errors
        said = str(error).strip()
        reason = scrubbed(said.splitlines()[0], self._url) if said else type(error).__name__
        if isinstance(error, errors.LockNotAvailable):
            mend = "Nothing of the call was stored; write less at once, or wait longer (lock_timeout)"
            return StorageBusyError(self.place, f"it was locked by others ({reason})", mend)
        mend = "Nothing of the call was stored; make the database usable and call again"
        if isinstance(error, errors.QueryCanceled):
            mend = "Nothing of the call was stored; wait longer (statement_timeout)"
        elif isinstance(error, errors.ObjectNotInPrerequisiteState):
            mend = "Nothing of the call was stored; a batch over several servers needs max_prepared_transactions there"
        elif isinstance(error, errors.InsufficientPrivilege):
            mend = "Grant the role what it needs: tables of its own, or CREATE once to make them"
        elif isinstance(error, errors.ReadOnlySqlTransaction):
            mend = "Nothing of the call was stored; name a writable server in the url"
        return StorageError(self.place, reason, mend)

    def _cause(self, error: Exception) -> Exception | None:
        """The driver's error, to be shown with ours unless it tells a secret."""
        return error if scrubbed(str(error), self._url) == str(error) else None

    def _committed(self, unknown: _Unknown, end: float) -> bool:
        """What became of a transaction whose connection was lost while it was being committed.

        Raises:
            StorageError: it cannot be found out.
        """
        if unknown.witness is None:
            return False  # what writes no row of the journal may be done twice
        error: Exception = unknown.error
        asked = False
        while not asked or time.monotonic() < end:
            asked = True
            self._drop_broken()
            try:
                with self._connections().connection() as connection:
                    if not self._may_have_committed(connection, unknown.xid):
                        return False
                    known = self._witnessed(connection, unknown.witness)
                if known is not None:
                    return known
            except psycopg.Error as lost:
                error = lost
            time.sleep(0.05)
        raise self._unsure(unknown.error) from error

    def _unsure(self, lost: Exception) -> StorageError:
        mend = "It is not known whether the call was stored: look, before you call again"
        reason = scrubbed(f"the connection was lost at the commit ({lost})", self._url)
        return StorageError(self.place, reason, mend)

    def _may_have_committed(self, connection: psycopg.Connection[Any], xid: str) -> bool:
        query = "SELECT pg_xact_status(%s::text::xid8)"
        try:
            ((status,),) = connection.execute(query, (xid,)).fetchall()
        except psycopg.errors.InvalidParameterValue:  # not given to anybody yet: a crash has undone it
            return False
        return bool(status != "aborted")

    def _witnessed(self, connection: psycopg.Connection[Any], witness: tuple[int, float]) -> bool | None:
        """Whether the journal has the row of a transaction; None: that does not tell, or not yet.

        A server that crashed gives the id of a transaction that it lost to the next one, so that the id alone would
        call a lost write committed.
        """
        n, at = witness
        clock = n % len(self.heads)
        query = "SELECT time FROM concordant_journal WHERE clock = %s AND n = %s"
        found = connection.execute(query, (clock, n), binary=True).fetchall()
        if found:
            return bool(found[0][0] == at)
        # Whoever holds the clock's row may be this very transaction, whose end is then waited for.
        query = "SELECT n FROM concordant_clocks WHERE clock = %s FOR UPDATE"
        ((last,),) = connection.execute(query, (clock,)).fetchall()
        return False if last < n else None

    # -- the work ------------------------------------------------------------------------------------------------

    def rows(self, statement: str, parameters: Sequence[Any] = ()) -> list[Columns]:
        return self._call(lambda connection: PostgresWriting(connection).rows(statement, parameters))

    def listed(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Query:
        return f"SELECT * FROM {_arrays(columns)}", _packed(columns, rows)

    def restriction(self, conditions: Sequence[Condition]) -> Query:
        return for_postgres(conditions)

    def write(
        self,
        work: Callable[[SqlTransaction], T],
        clocks: Sequence[int] | None = None,
        ahead: Query | None = None,
        hasty: bool = False,
    ) -> T:
        return self._call(lambda connection: self._transaction(connection, work, clocks, ahead, hasty))

    def _transaction(
        self,
        connection: psycopg.Connection[Any],
        work: Callable[[SqlTransaction], T],
        clocks: Sequence[int] | None,
        ahead: Query | None,
        hasty: bool,
        ending: str = "COMMIT",
    ) -> T:
        """Runs work in a transaction on a connection; ``ending`` ends it, where anything was written."""
        committing: _Unknown | None = None
        try:
            with connection.pipeline() as pipeline:
                tx = PostgresWriting(connection, pipeline)
                tx.announces = ending == "COMMIT"  # no other may have told anybody anything
                connection.execute(_BEGIN)
                if hasty:
                    connection.execute(_HASTE)
                before = time.monotonic()
                held = connection.execute(*_holding(clocks), binary=True)
                first = connection.execute(with_marks(ahead[0]), ahead[1], binary=True) if ahead else None
                pipeline.sync()
                found = held.fetchall()
                tx.heads = {clock: (n, at) for clock, n, at, _, _ in found}
                *_, tx.now, xid = found[0]
                self._clock.sample(before, tx.now, time.monotonic())
                if first is not None:
                    tx.ahead = first.fetchall()
                result = work(tx)
                tx.finish()
                committing = _Unknown(xid, tx.witness, result) if ending == "COMMIT" else None
                connection.execute(with_marks(ending if tx.changes else "ROLLBACK"))
            # Only here the server was heard: a pipeline sends and hears what is left when it ends.
        except psycopg.OperationalError as error:
            if committing is not None and (connection.broken or connection.closed or self._is_loss(error)):
                raise committing from error
            raise
        return result

    def create(self, first: FirstWrite, least: int) -> tuple[int, float] | None:
        """Commits the first write of a document by one statement (``Database``).

        If the connection is lost nobody knows what became of the statement, which may even be under way still. It is
        sent again: there is one first write, whichever of the two comes later does nothing, and the name that it has in
        the journal tells whose it is.
        """
        execution = first.execution if first.task is not None else token_hex(8)
        given = (least, *first[:9], execution, *first[10:])
        lost: Exception | None = None

        def run(connection: Connection) -> tuple[int, float] | None:
            nonlocal lost
            before = time.monotonic()
            try:
                found = connection.ask(self._create, given)
                if not found and lost is not None:
                    witness = (*first[:3], execution, first.task, first.ordinal)
                    found = connection.ask(_CREATED, witness)
            except psycopg.Error as error:
                if self._is_loss(error):
                    lost = error
                raise
            if not found:
                return None
            ((n, at, now),) = found
            self._clock.sample(before, now, time.monotonic())
            return n, at

        try:
            return self._call(run)
        except StorageError as error:
            if lost is None:
                raise
            raise self._unsure(lost) from error

    def damage(self) -> Sequence[str]:
        return []  # a server looks after its files itself (pg_amcheck)

    def listener(self) -> Listener:
        return PostgresListener(self._connect, psycopg.Error)

    def time(self) -> float:
        return self._clock.shared(time.monotonic())

    def about(self, at: float) -> float:
        return self._clock.shared(at)

    def surely(self, at: float) -> float:
        return self._clock.surely(at, time.monotonic())

    def close(self) -> None:
        with self._lock:
            self._closed = True
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.close()

    def _after_fork(self) -> None:
        """In the child of a fork: what belongs to the parent is left alone, never closed."""
        _abandoned.append(self._pool)
        self._lock = threading.Lock()
        self._pool = None


def _holding(clocks: Sequence[int] | None) -> tuple[Any, Sequence[Any]]:
    """The query that takes clocks."""
    if clocks is None:
        return _HOLD_ALL, ()
    return (_HOLD_ONE, clocks) if len(clocks) == 1 else (_HOLD_SOME, [[*clocks]])


class _Unknown(Exception):
    """The connection was lost while a transaction was being committed."""

    def __init__(self, xid: str, witness: tuple[int, float] | None, result: Any) -> None:
        self.xid = xid
        self.witness = witness
        self.result = result
        super().__init__(xid)

    @property
    def error(self) -> Exception:
        """What was raised at the commit."""
        return self.__cause__ if isinstance(self.__cause__, Exception) else self


_abandoned: list[Any] = []
