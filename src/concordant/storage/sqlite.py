"""A store in one SQLite file, for many processes on one machine."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote

from concordant.errors import ConcordantError, DamagedDocumentError, StorageBusyError, StorageError, told
from concordant.storage.base import Address, Listener
from concordant.storage.conditions import Condition, for_sqlite
from concordant.storage.durable import Polling
from concordant.storage.encoding import load_key, load_namespace
from concordant.storage.forking import Gate, call_in_child
from concordant.storage.grouping import HASTE
from concordant.storage.opening import SqliteOptions
from concordant.storage.sql.database import Columns, Query, SqlTransaction
from concordant.storage.sql.storage import SqlStorage
from concordant.storage.sql.tables import COLUMNS, HEADS, SQLITE, VERSION, checked, migrate
from concordant.storage.urls import without_password

__all__ = ["SqliteDatabase", "open_sqlite"]

T = TypeVar("T")


def open_sqlite(url: str, replica: str | None, options: Any = None) -> SqlStorage:
    """Opens the file of a url ``sqlite:///team.db``.

    Args:
        replica: the store's name in dots, if it is to be checked, or given to a new one.
        options: ``SqliteOptions``.

    Raises:
        StorageError: the file cannot be opened, or is no database of ours.
        ConcordantError: the settings are of another storage.
    """
    settings = SqliteOptions() if options is None else options
    if not isinstance(settings, SqliteOptions):
        raise ConcordantError(f"options={told(options)} are no settings of a SQLite file: use SqliteOptions(...)")
    return SqlStorage(SqliteDatabase(url, replica, settings), cache=settings.cache)


_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL}
_PAUSE = 0.005


class SqliteDatabase:
    """The file: one connection writes, each read takes one of its own.

    Raises:
        StorageError: it cannot be opened, or is no database of ours.
    """

    def __init__(self, url: str, replica: str | None, options: SqliteOptions) -> None:
        self.path = _path_of(url)
        self.place = f"sqlite:///{self.path}"
        self.identity = os.path.abspath(self.path)
        self.is_near = True
        self.leaders = 1
        self.patience = options.lock_timeout
        self._options = options
        self._types = _Types(self.place)
        self._way = ""  # how a file is opened that can only be read
        self._begin()
        self.replica = self._opened(replica)
        self.heads: Any = self.rows(HEADS)
        clocks = self.rows("SELECT clock FROM concordant_clocks ORDER BY clock")
        if not clocks or clocks != [(number,) for number in range(len(clocks))]:
            reason = f"it counts its commits under the clocks {told(clocks)}, which are not numbered from 0"
            raise StorageError(self.place, reason, _MENDS[sqlite3.SQLITE_CORRUPT])
        call_in_child(self._after_fork)

    @property
    def create(self) -> None:
        """What is near has no shorter way."""

    @property
    def read_only(self) -> bool:
        """Whether the file can only be read."""
        return bool(self._way)

    def _opened(self, wanted: str | None) -> str:
        """Opens the file; one that can only be read is opened for that."""
        refusal: StorageError | None = None
        if not os.path.exists(self.path) or os.access(self.path, os.W_OK):
            try:
                return self._prepared(wanted)
            except StorageError as error:
                if not (_is_unwritable(error) and os.access(self.path, os.R_OK)):
                    raise
                refusal = error
        for way in _WAYS:
            if way == "immutable=1" and _has_content(f"{self.path}-wal"):
                break  # what is in there would be missing
            self._way = way
            try:
                with _gate, self._guarded(), self._lock:
                    tx = _Writing(self._connect_writer(), self._types)
                    name = checked(tx.rows(VERSION)[0], self.place, wanted)
            except StorageError:
                continue
            if name is not None:
                return name
            reason = "its tables are of an earlier version, and it can only be read"
            raise StorageError(self.place, reason, "Open it once where it can be written, with this version")
        self._way = ""
        if refusal is not None:
            raise refusal
        return self._prepared(wanted)

    def _prepared(self, wanted: str | None) -> str:
        """Opens the file, with its tables up to date; returns the store's name."""
        known = "SELECT 1 FROM sqlite_master WHERE name = 'concordant_schema'"
        with _gate, self._guarded(), self._lock:
            connection = self._connect_writer()
            tx = _Writing(connection, self._types)
            if self._patiently(lambda: tx.rows(known)):
                name = checked(tx.rows(VERSION)[0], self.place, wanted)
                if name is not None:
                    return name
            with self._exclusively(connection, self._options.lock_timeout):
                return migrate(tx, bool(tx.rows(known)), SQLITE, self.place, wanted)

    @contextmanager
    def _exclusively(self, connection: sqlite3.Connection, patience: float) -> Iterator[None]:
        """A transaction that no other writes beside, for whom it waits some seconds."""
        longest = self._options.lock_timeout
        if patience < longest:
            connection.execute(f"PRAGMA busy_timeout = {patience * 1000:.0f}")
        try:
            self._patiently(lambda: connection.execute("BEGIN IMMEDIATE"), patience)
        finally:
            if patience < longest:
                connection.execute(f"PRAGMA busy_timeout = {longest * 1000:.0f}")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._writer: sqlite3.Connection | None = None
        self._readers: deque[sqlite3.Connection] = deque()
        self._closed = False

    # -- connections ---------------------------------------------------------------------------------------------

    def _connect(self) -> sqlite3.Connection:
        if self._closed:
            raise StorageError(self.place, "the workspace was closed", "Open another one")
        name = f"{Path(self.path).absolute().as_uri()}?{self._way}" if self._way else self.path
        connection = sqlite3.connect(
            name,
            timeout=self._options.lock_timeout,
            isolation_level=None,
            check_same_thread=False,
            uri=bool(self._way),
        )
        if self._way:
            return connection
        try:
            self._patiently(lambda: connection.execute("PRAGMA journal_mode = WAL").fetchall())
            connection.execute(f"PRAGMA synchronous = {self._options.synchronous}")
        except UnicodeDecodeError as error:  # the names of its tables
            connection.close()
            mend = _MENDS[sqlite3.SQLITE_CORRUPT]
            raise StorageError(self.place, f"what it says of its tables is damaged ({error})", mend) from error
        except BaseException:
            connection.close()
            raise
        return connection

    def _connect_writer(self) -> sqlite3.Connection:
        if self._writer is None:
            self._writer = self._connect()
        return self._writer

    def _patiently(self, call: Callable[[], T], patience: float | None = None) -> T:
        """Repeats a call while others hold the file; SQLite itself waits in most cases, but not in all."""
        end = time.monotonic() + (self._options.lock_timeout if patience is None else patience)
        while True:
            try:
                return call()
            except sqlite3.OperationalError as error:
                if _code(error) not in _BUSY or time.monotonic() > end:
                    raise
            time.sleep(_PAUSE)

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Turns SQLite's errors into ours. After one that may be the file's fault, connections begin anew."""
        try:
            yield
        except sqlite3.Error as error:
            code = _code(error)
            if code in _BUSY:
                mend = "Write less at once, or wait longer (lock_timeout)"
                raise StorageBusyError(self.place, f"it was locked by others ({error})", mend) from error
            self._give_up()
            raise StorageError(self.place, str(error), _MENDS.get(code, _MENDS[0])) from error

    def _give_up(self) -> None:
        writer, self._writer = self._writer, None
        for connection in [*([writer] if writer else []), *self._drain()]:
            with suppress(sqlite3.Error):
                connection.close()

    def _drain(self) -> Iterator[sqlite3.Connection]:
        while self._readers:
            with suppress(IndexError):
                yield self._readers.pop()

    # -- the work ------------------------------------------------------------------------------------------------

    def rows(self, statement: str, parameters: Sequence[Any] = ()) -> list[Columns]:
        with _gate:
            return self._rows(statement, parameters)

    def _rows(self, statement: str, parameters: Sequence[Any]) -> list[Columns]:
        try:
            connection = self._readers.pop()
        except IndexError:
            with self._guarded():
                connection = self._connect()
        try:
            found = self._types.rows(connection, statement, parameters)
        except sqlite3.Error:
            with self._guarded():
                try:
                    found = self._patiently(lambda: self._types.rows(connection, statement, parameters))
                except BaseException:
                    connection.close()
                    raise
        except BaseException:
            connection.close()
            raise
        self._readers.append(connection)
        return found

    def listed(self, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Query:
        row = f"({', '.join('?' * len(columns))})"
        return f"VALUES {', '.join([row] * len(rows))}", [*chain(*rows)]

    def restriction(self, conditions: Sequence[Condition]) -> Query:
        return for_sqlite(conditions)

    def write(
        self,
        work: Callable[[SqlTransaction], T],
        clocks: Sequence[int] | None = None,
        ahead: Query | None = None,
        hasty: bool = False,
    ) -> T:
        if self._way:
            raise StorageError(self.place, "the file can only be read", _MENDS[sqlite3.SQLITE_READONLY])
        patience = min(HASTE, self._options.lock_timeout) if hasty else self._options.lock_timeout
        if not self._lock.acquire(timeout=patience):
            mend = "Write less at once, or wait longer (lock_timeout)"
            raise StorageBusyError(self.place, "other threads were writing all the time", mend)
        try:
            with _gate, self._guarded():
                connection = self._connect_writer()
                with self._exclusively(connection, patience):
                    tx = _Writing(connection, self._types)
                    tx.heads = dict(enumerate(tx.rows(HEADS)))
                    tx.now = time.time()
                    if ahead is not None:
                        tx.ahead = tx.rows(*ahead)
                    return work(tx)
        finally:
            self._lock.release()

    def damage(self) -> Sequence[str]:
        found = [line for (line,) in self.rows("PRAGMA quick_check")]
        return [] if found == ["ok"] else found

    def listener(self) -> Listener:
        return Polling(self._options.poll)

    def time(self) -> float:
        return time.time()

    def about(self, at: float) -> float:
        return time.time() - (time.monotonic() - at)

    def surely(self, at: float) -> float:
        return self.about(at)  # one machine, one clock

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._give_up()

    def _after_fork(self) -> None:
        """In the child of a fork: what belongs to the parent is left alone, never closed."""
        _abandoned.extend([self._writer, *self._readers])
        self._begin()


class _Types:
    """What queries find, once it is of the types that its columns have: SQLite stores whatever it is given, and so what
    rot makes of it."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._sound: dict[str, set[tuple[type, ...]]] = {}  # by statement the types of rows that were found

    def rows(self, connection: sqlite3.Connection, statement: str, parameters: Sequence[Any]) -> list[Columns]:
        """Runs a query.

        Raises:
            DamagedDocumentError: a row of a document is not of its types.
            StorageError: any other row.
        """
        cursor = connection.execute(statement, parameters)
        found = cursor.fetchall()
        sound = self._sound.get(statement, _NO_TYPES)
        for row in found:
            if (*map(type, row),) not in sound:
                self._look(connection, statement, [name for name, *_ in cursor.description], found)
                break
        return found

    def _look(
        self, connection: sqlite3.Connection, statement: str, names: Sequence[str], found: Sequence[Columns]
    ) -> None:
        sound = self._sound.get(statement, _NO_TYPES)
        news: set[tuple[type, ...]] = set()
        for row in found:
            types = (*map(type, row),)
            if types not in sound and types not in news:
                self._check(connection, names, row)
                news.add(types)
        if len(self._sound) > _STATEMENTS:
            self._sound.clear()
        self._sound[statement] = sound | news

    def _check(self, connection: sqlite3.Connection, names: Sequence[str], row: Columns) -> None:
        for name, value in zip(names, row, strict=True):
            wanted = _OF_TYPE.get(name)
            if value is not None and wanted is not None and not isinstance(value, wanted):
                reason = f"{name} is {told(value, 40)}, which is no {' or '.join(one.__name__ for one in wanted)}"
                known = dict(zip(names, row, strict=True))
                address = self._address(connection, known)
                if address is not None:
                    raise DamagedDocumentError(self._place, *address, reason)
                parts = [f"{part} {told(known[part], 40)}" for part in _NAMING if part in known and part != name]
                where = f" with {', '.join(parts)}" if parts else ""
                raise StorageError(self._place, f"of a row{where} {reason}", _MENDS[sqlite3.SQLITE_CORRUPT])

    def _address(self, connection: sqlite3.Connection, known: Mapping[str, Any]) -> Address | None:
        """Whose the row is; ``None``: nobody's."""
        named = known.get("namespace"), known.get("key")
        number = known.get("document", known.get("id"))
        if None in named and isinstance(number, int):
            query = "SELECT namespace, key FROM concordant_documents WHERE id = ?"
            named = connection.execute(query, (number,)).fetchone() or named
        if not all(isinstance(part, str) for part in named):
            return None
        try:
            return load_namespace(named[0]), load_key(named[1])  # type: ignore[arg-type]
        except ValueError:
            return None


_NO_TYPES: set[tuple[type, ...]] = set()
_STATEMENTS = 1_000
_NAMING = ("clock", "id", "document", "n", "namespace", "key", "replica", "name", "part")
_PYTHON = {"int": (int,), "float": (float, int), "text": (str,), "bytes": (bytes,)}
_OF_TYPE = {
    **{name: _PYTHON[kind] for name, kind in COLUMNS.items()},
    **dict.fromkeys(("place", "forgotten", "exported", "trimmed", "erased", "depth", "part", "home"), (int,)),
    **dict.fromkeys(("changed", "until"), (float, int)),
    **dict.fromkeys(
        ("state", "source", "kind", "name", "holder", "replica", "marks", "counts", "text", "shape", "fingerprint"),
        (str,),
    ),
    "id": (int, str),
}
"""By the name of a column of what types it may be; of a question the id is text."""


class _Writing:
    def __init__(self, connection: sqlite3.Connection, types: _Types) -> None:
        self._connection = connection
        self._types = types
        self.heads: Mapping[int, Any] = {}
        self.now = 0.0
        self.ahead: list[Columns] = []
        self.witness: tuple[int, float] | None = None

    def rows(self, statement: str, parameters: Sequence[Any] = ()) -> list[Columns]:
        return self._types.rows(self._connection, statement, parameters)

    def raw(self, statement: str, parameters: Sequence[Any] = ()) -> list[Columns]:
        return self._connection.execute(statement, parameters).fetchall()

    def run(self, statement: str, parameters: Sequence[Any] = ()) -> None:
        self._connection.execute(statement, parameters)

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        if rows:
            marks = ", ".join("?" * len(columns))
            self._connection.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", rows)

    def update(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], keys: int = 2) -> None:
        if rows:
            given = [f"{name} = ?" for name in columns]
            news, known = ", ".join(given[:-keys]), " AND ".join(given[-keys:])
            self._connection.executemany(f"UPDATE {table} SET {news} WHERE {known}", rows)

    def announce(self) -> None:
        """A file tells nobody: they look."""


_MENDS = {
    0: "Nothing of the call was stored; make the file usable and call again",
    sqlite3.SQLITE_FULL: "Nothing of the call was stored; make room on the disk and call again",
    sqlite3.SQLITE_READONLY: "Nothing of the call was stored; allow this process to write the file and its folder",
    sqlite3.SQLITE_CANTOPEN: "Create the folder, and allow this process to write there",
    sqlite3.SQLITE_CORRUPT: "Restore the file from a back-up",
    sqlite3.SQLITE_NOTADB: "Give the path of another file, or restore this one from a back-up",
}

_WAYS = ("mode=ro", "immutable=1")
"""How to open a file that can only be read: beside others who write it, and where not even that can be seen."""


def _is_unwritable(error: StorageError) -> bool:
    cause = error.__cause__
    return isinstance(cause, sqlite3.Error) and _code(cause) in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)


def _has_content(path: str) -> bool:
    return os.path.exists(path) and os.path.getsize(path) > 0


_gate = Gate()

_abandoned: list[Any] = []


def _code(error: sqlite3.Error) -> int:
    """SQLite's primary result code."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _path_of(url: str) -> str:
    prefix, _, rest = url.partition("///")
    if prefix != "sqlite:" or not rest or rest == ":memory:" or "?" in rest:
        example = 'Write it as "sqlite:///team.db" or "sqlite:////var/lib/team.db"; leave out the url to stay in memory'
        raise ConcordantError(f"{told(without_password(url))} names no SQLite file. {example}")
    return str(Path(unquote(rest)))
