"""A store on Postgres: on one server, or on several, each with some of its clocks.

On several, each has all tables, and the documents of the clocks that are at home there. A commit to documents of one
server is that server's alone. A batch over several is committed in two phases (Gray, "Notes on Data Base Operating
Systems", 1978; presumed abort): all but the first prepare it, the first commits its part together with the row that
says so, and then the others commit. Until then they hold their clocks, so that nobody comes between. Whoever finds what
somebody left prepared asks the first for that row, and ends it.
"""

from __future__ import annotations

import hashlib
import heapq
import logging
import re
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import reduce
from itertools import chain, groupby
from typing import Any, Generic, NamedTuple, TypeVar

import psycopg

from concordant.errors import ConcordantError, StorageBusyError, StorageError, told
from concordant.escalation import Escalation, Event
from concordant.limits import Limits
from concordant.merge.causality import VersionVector
from concordant.merge.record import Record
from concordant.storage.base import (
    Address,
    Beginning,
    Cursor,
    Examined,
    Forgotten,
    Knowledge,
    Lag,
    Listener,
    Namespace,
    Position,
    Projection,
    Row,
    State,
    StoreExamined,
    Told,
    Totals,
    Update,
    together,
)
from concordant.storage.clocks import Instant
from concordant.storage.conditions import Condition
from concordant.storage.cut import MOST_CLOCKS, Cut, joined
from concordant.storage.durable import DurableEvents, DurableStorage, Head, Source, UnitOfWork
from concordant.storage.encoding import StoredDocument, StoredRow
from concordant.storage.forking import free_in_child
from concordant.storage.knowledge import Marks
from concordant.storage.opening import PostgresOptions
from concordant.storage.postgres import CHANNEL, PostgresDatabase, PostgresWriting, has_store, with_marks
from concordant.storage.sql import maintenance
from concordant.storage.sql.database import SqlTransaction
from concordant.storage.sql.storage import Numbered, SqlStorage, SqlUnit
from concordant.storage.sql.tallies import JournalCounts
from concordant.storage.tails import Checkpoint, TailRow
from concordant.storage.urls import without_password

__all__ = ["Server", "ServersStorage", "empty_place", "open_postgres"]

log = logging.getLogger("concordant")

T = TypeVar("T")

_WHICH = "SELECT system_identifier, 'concordant_clocks'::regclass::oid::bigint FROM pg_control_system()"
"""Which store it is, whatever its name."""


def open_postgres(url: str, replica: str | None, options: Any = None) -> SqlStorage | ServersStorage:
    """Opens the database of a url ``postgresql://user@host/database``; of several urls, with spaces between them, the
    store that lives on all of those servers.

    Args:
        replica: the store's name in dots, if it is to be checked, or given to a new one.
        options: ``PostgresOptions``, of each server.

    Raises:
        StorageError: the database cannot be reached, or is none of ours.
        ConcordantError: the url or the settings are of another storage, or servers of a store are missing.
    """
    if not url.startswith(("postgresql://", "postgres://")):
        raise ConcordantError(f'{told(without_password(url))} names no database. Use "postgresql://host/database"')
    settings = PostgresOptions() if options is None else options
    if not isinstance(settings, PostgresOptions):
        raise ConcordantError(f"options={told(options)} are no settings of Postgres: use PostgresOptions(...)")
    if not isinstance(settings.clocks, int) or not 1 <= settings.clocks <= MOST_CLOCKS:
        raise ConcordantError(f"clocks={told(settings.clocks)} is not a number of clocks: give 1 to {MOST_CLOCKS}")
    urls = _each(url)
    if len(urls) > settings.clocks:
        raise ConcordantError(f"clocks={settings.clocks} are fewer than the servers: give as many, or more")
    if len(urls) > 1:
        return _open_servers(urls, replica, settings)
    database = PostgresDatabase(url, replica, settings)
    if not all(database.home):
        database.close()
        raise _incomplete(database.place, database.home)
    return SqlStorage(database, cache=settings.cache)


def _each(url: str) -> list[str]:
    return re.split(r"\s+(?=postgres(?:ql)?://)", url.strip())


def empty_place(url: str) -> str | None:
    """Tells which database of a url holds no store yet; ``None``: each has one, or opening them tells what is wrong."""
    with suppress(psycopg.Error):
        for one in _each(url):
            if not has_store(one):
                return without_password(one).partition("?")[0]
    return None


def _open_servers(urls: Sequence[str], replica: str | None, settings: PostgresOptions) -> ServersStorage:
    """Opens several servers; of a new store each gets as many clocks as the next, in the order given."""
    found: list[Server] = []
    try:
        for number, url in enumerate(urls):
            clocks = len(found[0].home) if found else settings.clocks
            home = range(number * clocks // len(urls), (number + 1) * clocks // len(urls))
            found.append(Server(url, found[0].replica if found else replica, settings, home))
        addresses = " ".join(server.place for server in found)
        at_home = [sum(homes) for homes in zip(*(server.home for server in found), strict=False)]
        if len({len(server.home) for server in found}) > 1 or max(at_home) > 1:
            raise ConcordantError(f"{addresses}: these are servers of different stores, or one was named twice")
        if not all(at_home):
            raise _incomplete(addresses, at_home)
        return ServersStorage(found, " ".join(urls), cache=settings.cache)
    except BaseException:
        for server in found:
            server.close()
        raise


def _incomplete(place: str, home: Sequence[int]) -> ConcordantError:
    mend = 'Name all of its servers: "postgresql://one/database postgresql://other/database"'
    return ConcordantError(f"{place} has {sum(map(bool, home))} of the {len(home)} clocks of its store. {mend}")


class Server(PostgresDatabase):
    """One of the servers of a store."""

    def prepare(self, work: Callable[[SqlTransaction], T], clocks: Sequence[int], batch: str) -> T:
        """Runs work in a transaction that is then prepared: it holds its clocks until somebody says how it ends.

        Raises:
            Exception: what the driver raised if the connection was lost; nobody knows whether it is prepared then.
            StorageError: the server refused.
        """
        try:
            with self._connections().connection() as connection:
                ending = f"PREPARE TRANSACTION '{batch}'"
                return self._transaction(connection, work, clocks, None, hasty=False, ending=ending)
        except psycopg.Error as error:
            if self._may_repeat(error):
                raise
            raise self._ours(error) from self._cause(error)

    def end(self, batch: str, committed: bool) -> None:
        """Ends what was prepared, if nobody has; wakes who listens."""

        def run(connection: psycopg.Connection[Any]) -> None:
            try:
                connection.execute(with_marks(f"{'COMMIT' if committed else 'ROLLBACK'} PREPARED '{batch}'"))
            except psycopg.errors.UndefinedObject:
                return
            connection.execute(with_marks(f"NOTIFY {CHANNEL}"))

        self._call(run)

    def decides(self, batch: str) -> bool:
        """Tells whether a batch of which this is the first server was committed; waits for whoever is about to. What
        was not is never going to be: the row that would say so is taken."""
        query = "INSERT INTO concordant_batches (id, committed) VALUES (%s, 0) ON CONFLICT (id) DO NOTHING"

        def run(connection: psycopg.Connection[Any]) -> bool:
            connection.execute(query, (batch,))
            found = connection.execute("SELECT committed FROM concordant_batches WHERE id = %s", (batch,)).fetchone()
            return bool(found is not None and found[0])

        return self._call(run)

    def state(self, prefix: str, tx: PostgresWriting | None = None) -> tuple[Sequence[Head], list[str]]:
        """Tells the heads, and which batches with this prefix are prepared here."""
        query = (
            "SELECT n, time, ARRAY(SELECT gid FROM pg_prepared_xacts "
            "WHERE database = current_database() AND starts_with(gid, ?)) FROM concordant_clocks ORDER BY clock"
        )
        found = self.rows(query, (prefix,)) if tx is None else tx.rows(query, (prefix,))
        return [(n, at) for n, at, _ in found], found[0][2]

    def beside(self, lock: int, work: Callable[[PostgresWriting], T]) -> T:
        """Runs work while no batch over several servers is under way."""

        def run(connection: psycopg.Connection[Any]) -> T:
            with connection.transaction():
                connection.execute("SELECT pg_advisory_xact_lock_shared(%s)", (lock,))
                return work(PostgresWriting(connection))

        return self._call(run)

    @contextmanager
    def turn(self, lock: int) -> Iterator[None]:
        """Gives a context in which no other batch over several servers is under way, and nobody looks at all
        servers."""
        try:
            with self._connect() as connection:
                connection.execute(
                    "SELECT set_config('lock_timeout', %s, false)", (f"{round(1000 * self.patience)}ms",)
                )
                connection.execute("SELECT pg_advisory_lock(%s)", (lock,))
                yield
        except psycopg.Error as error:
            raise self._ours(error) from self._cause(error)


class ServersStorage(DurableStorage):
    """The storage of a workspace whose clocks are at home on several servers: what is about one document is asked of
    its server, what is about all of each.

    Args:
        servers: with every clock at home on one.
        identity: the same for all in this process that use the same servers.
        cache: how many bytes of records are kept decoded, of each server.
    """

    is_near = False

    def __init__(self, servers: Sequence[Server], identity: str, *, cache: int) -> None:
        self._servers = sorted(servers, key=lambda server: server.home.index(True))
        self._home = [
            next(at for at, one in enumerate(self._servers) if one.home[c]) for c in range(len(servers[0].home))
        ]
        heads = _highest(server.heads for server in self._servers)
        for server in self._servers:
            server.heads, server.identity = heads, identity
        first, address = self._servers[0], " ".join(server.place for server in self._servers)
        super().__init__(address, identity, first.replica, heads, 0, first.patience)
        name = uuid.uuid4().hex[:12]
        self._parts = [SqlStorage(server, cache=cache, name=name) for server in self._servers]
        self.events = ServersEvents(self._parts, self._home, name)
        digest = hashlib.sha256(repr(first.rows(_WHICH)).encode()).digest()
        self._prefix = f"concordant/{digest[:8].hex()}/"
        self._lock_of_batches = int.from_bytes(digest[8:16], "big", signed=True)
        self._asking = free_in_child(threading.Lock())
        self._settle()

    @property
    def limits(self) -> Limits:
        return self._parts[0].limits

    @limits.setter
    def limits(self, limits: Limits) -> None:
        for part in self._parts:
            part.limits = limits

    def _of(self, address: Address) -> SqlStorage:
        return self._parts[self._home[self.clock_of(address)]]

    def _apart(self, addresses: Sequence[tuple[Address, T]]) -> dict[int, list[tuple[Address, T]]]:
        """Gives the numbers of the servers that have some of the documents, in order, with those."""
        found: dict[int, list[tuple[Address, T]]] = {}
        for one in addresses:
            found.setdefault(self._home[self.clock_of(one[0])], []).append(one)
        return dict(sorted(found.items()))

    # -- writing -------------------------------------------------------------------------------------------------

    def attach(self, projection: Projection) -> None:
        super().attach(projection)
        for part in self._parts:
            part.attach(projection)

    def commit(self, namespace: Namespace, key: str, update: Update) -> None:
        part = self._of((namespace, key))
        try:
            part.commit(namespace, key, update)
        except StorageBusyError:
            if not self._settle():
                raise
            part.commit(namespace, key, update)

    def commit_each(self, updates: Sequence[tuple[Namespace, str, Update]]) -> Sequence[Exception | None]:
        failed: dict[int, Exception | None] = {}
        numbered = [((namespace, key), (number, update)) for number, (namespace, key, update) in enumerate(updates)]
        for at, mine in self._apart(numbered).items():
            errors = self._parts[at].commit_each([(*address, update) for address, (_, update) in mine])
            failed.update((number, error) for (_, (number, _)), error in zip(mine, errors, strict=True))
        return [failed[number] for number in range(len(updates))]

    def commit_all(self, updates: Sequence[tuple[Namespace, str, Update]], *, hasty: bool = False) -> None:
        homes = {self._home[self.clock_of((namespace, key))] for namespace, key, _ in updates}
        if len(homes) == 1:
            self._parts[homes.pop()].commit_all(updates, hasty=hasty)
        else:
            super().commit_all(updates, hasty=hasty)

    def transact(self, work: Callable[[UnitOfWork], Any], addresses: Sequence[Address], hasty: bool) -> Any:
        clocks: dict[int, set[int]] = {}
        for clock in map(self.clock_of, addresses):
            clocks.setdefault(self._home[clock], set()).add(clock)
        return self._jointly(lambda units: work(ServersUnit(self, self._home, units)), clocks)

    def _jointly(self, work: Callable[[Mapping[int, SqlUnit]], T], clocks: Mapping[int, Iterable[int]]) -> T:
        """Runs work in a transaction over servers, those with these numbers, under these of their clocks."""
        parts = [
            _Part(at, self._servers[at], self._parts[at], sorted(of_server)) for at, of_server in sorted(clocks.items())
        ]
        with self._servers[0].turn(self._lock_of_batches):
            self._settle()
            return _Batch(self._prefix, work, parts).run()

    def _settle(self) -> bool:
        """Ends what somebody left prepared; tells whether there was anything."""
        left = [(server, batch) for server in self._servers for batch in server.state(self._prefix)[1]]
        for server, batch in left:
            first = self._servers[int(batch.split("/")[2])]
            server.end(batch, first.decides(batch))
        return bool(left)

    def advance(self, past: float) -> None:
        for part in self._parts:
            part.advance(past)
        self._clock = max(self._clock, past)

    # -- reading -------------------------------------------------------------------------------------------------

    @property
    def read_only(self) -> bool:
        return any(part.read_only for part in self._parts)

    @property
    def source(self) -> Source:
        return self._parts[0].source

    def heads(self) -> Sequence[Head]:
        """Reads those of all servers while no batch over several is under way, so that none is seen half."""

        def run(tx: PostgresWriting) -> tuple[Sequence[Head], list[str]]:
            found = [server.state(self._prefix) for server in self._servers[1:]]
            found.append(self._servers[0].state(self._prefix, tx))
            return _highest(heads for heads, _ in found), [*chain.from_iterable(left for _, left in found)]

        with self._asking:  # who waits holds a connection, of which a batch needs one
            heads, left = self._servers[0].beside(self._lock_of_batches, run)
            while left and self._settle():
                heads, left = self._servers[0].beside(self._lock_of_batches, run)
        return heads

    def find(self, address: Address) -> tuple[Head, StoredDocument | None]:
        return self._of(address).find(address)

    def peek(self, namespace: Namespace, key: str) -> tuple[int, State | None]:
        return self._of((namespace, key)).peek(namespace, key)

    def real_time(self) -> float:
        return max(part.real_time() for part in self._parts)

    def about(self, at: float) -> float:
        return self._parts[0].about(at)

    def surely(self, at: float) -> float:
        return min(part.surely(at) for part in self._parts)

    def beginning(self, began: Instant | float) -> Beginning:
        found = [part.beginning(began) for part in self._parts]  # each by the clock of its own server

        def beyond(n: int, when: float) -> bool:
            judge = found[self._home[n % self.clocks]].beyond
            return judge is not None and judge(n, when)

        return Beginning(found[0].time, beyond)

    def redeclared(self, recast: Callable[[Namespace, State], State]) -> None:
        for part in self._parts:
            part.redeclared(recast)

    def expired(self) -> Sequence[Address]:
        return [*chain.from_iterable(part.expired() for part in self._parts)]

    def documents(self, prefix: Namespace, after: Cut = 0) -> Iterator[tuple[Namespace, str, State]]:
        return _in_order([part.numbered(prefix, after) for part in self._parts])

    def showing(
        self, prefix: Namespace, conditions: Sequence[Condition] = ()
    ) -> Iterator[tuple[Namespace, str, State]]:
        return _in_order([part.numbered_showing(prefix, conditions) for part in self._parts])

    def namespaces(self, prefix: Namespace) -> Iterator[tuple[Namespace, bool | None]]:
        found = sorted(chain.from_iterable(part.namespaces(prefix) for part in self._parts), key=lambda one: one[0])
        for namespace, told_ in groupby(found, key=lambda one: one[0]):
            there = [one for _, one in told_]
            yield namespace, True if True in there else None if None in there else False

    def changes(self, after: Any = None) -> tuple[Any, Sequence[Address]]:
        found = [part.changes(after) for part in self._parts]
        return reduce(joined, (upto for upto, _ in found)), [*chain.from_iterable(addresses for _, addresses in found)]

    def outdated(self, models: str) -> tuple[Cut, Iterator[tuple[Namespace, str, State]]]:
        found = [part.outdated(models) for part in self._parts]
        return reduce(joined, (upto for upto, _ in found)), chain.from_iterable(states for _, states in found)

    def surveyed(self, models: str, upto: Cut, *, changed: bool) -> None:
        for part in self._parts:
            part.surveyed(models, upto, changed=changed)

    # -- the journal, escalations --------------------------------------------------------------------------------

    def rows(self, namespace: Namespace, key: str) -> Iterator[Row]:
        return self._of((namespace, key)).rows(namespace, key)

    def journal(self, prefix: Namespace, agent: str | None, before: int | None, limit: int) -> Sequence[Row]:
        found = [part.journal(prefix, agent, before, limit) for part in self._parts]
        return [*heapq.merge(*found, key=lambda row: row.n, reverse=True)][:limit]

    def puts_of(self, task: str, namespace: Namespace, key: str) -> Iterator[Row]:
        return self._of((namespace, key)).puts_of(task, namespace, key)

    def executed_before(self, task: str, execution: str) -> bool:
        return any(part.executed_before(task, execution) for part in self._parts)

    def open_of(self, address: Address) -> Mapping[str, Escalation]:
        return self._of(address).open_of(address)

    def find_closed(self, id_: str) -> Escalation | None:
        found = (part.find_closed(id_) for part in self._parts)
        return next((escalation for escalation in found if escalation is not None), None)

    def escalation(self, id_: str) -> Escalation | None:
        found = (part.escalation(id_) for part in self._parts)
        return next((escalation for escalation in found if escalation is not None), None)

    def escalations(self, prefix: Namespace, state: str) -> Iterator[Escalation]:
        found = chain.from_iterable(part.escalations(prefix, state) for part in self._parts)
        return iter(sorted(found, key=lambda escalation: escalation.state not in ("open", "claimed")))

    def totals(self) -> Totals:
        found = [part.totals() for part in self._parts]
        journal, states = JournalCounts(), Counter[str]()
        for totals in found:
            journal.add(totals)
            states.update(totals.escalations)
        return Totals(
            sum(totals.documents for totals in found),
            journal.acts,
            journal.settled,
            states,
            journal.fields,
        )

    # -- other stores, upkeep ------------------------------------------------------------------------------------

    def knowledge(self) -> Knowledge:
        found = [part.knowledge() for part in self._parts]
        own = {name: found[at].marks[name] for name, at in zip(found[0].own, self._home, strict=True)}
        return Knowledge(
            self.replica,
            _joined(one.vector for one in found),
            _joined(one.forgotten for one in found),
            reduce(joined, (one.exported for one in found)),
            {**found[0].marks, **own},
            self.clocks,
        )

    def learn(self, vector: VersionVector, marks: Mapping[str, Marks]) -> None:
        for part in self._parts:
            part.learn(vector, marks)

    def notes(self) -> Mapping[str, str]:
        return self._parts[0].notes()

    def note(self, texts: Mapping[str, str]) -> None:
        self._parts[0].note(texts)

    def note_export(self, upto: Cut) -> None:
        for part in self._parts:
            part.note_export(upto)

    def rename(self, replica: str, upto: Cut) -> None:
        def run(units: Mapping[int, SqlUnit]) -> None:
            for unit in units.values():
                maintenance.rename_in(unit.tx, replica, upto)

        self._jointly(run, {at: range(self.clocks) for at in range(len(self._servers))})
        self.replica = replica
        for part in self._parts:
            part.replica = replica

    def forget(self, addresses: Sequence[tuple[Address, int]], rows_before: float) -> Forgotten:
        self._settle()
        mine = self._apart(addresses)
        done = [part.forget(mine.get(at, []), rows_before) for at, part in enumerate(self._parts)]
        return Forgotten(sum(one.documents for one in done), sum(one.rows for one in done))

    def examine_store(self) -> StoreExamined:
        found = [part.examine_store() for part in self._parts]
        n, newest, trimmed = (reduce(joined, cuts) for cuts in zip(*(one[:3] for one in found), strict=True))
        damage = [*chain.from_iterable(one.damage for one in found)]
        return StoreExamined(n, newest, trimmed, sum(one.strays for one in found), damage)

    def examine(self, address: Address | None = None) -> Iterator[Examined]:
        parts = self._parts if address is None else [self._of(address)]
        return chain.from_iterable(part.examine(address) for part in parts)

    def set_aside(self, addresses: Sequence[tuple[Address, str]]) -> int:
        return sum(self._parts[at].set_aside(mine) for at, mine in self._apart(addresses).items())

    def close(self) -> None:
        self.events.closed = True
        for part in self._parts:
            part.close()


class _Part(NamedTuple):
    """What a batch does at one server."""

    at: int
    server: Server
    storage: SqlStorage
    clocks: Sequence[int]


class _Batch(Generic[T]):
    """A transaction over several servers.

    Args:
        prefix: of the names of batches.
        work: what is done in it, given the transactions of the servers by number.
        parts: what is about each server; the first decides.
    """

    def __init__(self, prefix: str, work: Callable[[Mapping[int, SqlUnit]], T], parts: Sequence[_Part]) -> None:
        self._prefix = prefix
        self._work = work
        self._first, *self._others = parts
        self._tried: list[tuple[str, T]] = []  # the attempts that others may have prepared, with what came of them

    def run(self) -> T:
        """Commits it on all servers, or on none; again as long as it was on none and another attempt may succeed."""
        try:
            result = self._first.server.write(self._attempt, self._first.clocks)
        except BaseException:
            self._undone()
            raise
        self._end(self._tried[-1][0], committed=True)
        return result

    def _attempt(self, tx: SqlTransaction) -> T:
        """In the first server's transaction: has the others prepare theirs."""
        if not self._undone():
            return self._tried[-1][1]  # of an attempt of which nobody knew what became
        first, batch = self._first, f"{self._prefix}{self._first.at}/{uuid.uuid4().hex}"
        tx.run("INSERT INTO concordant_batches (id, committed) VALUES (?, 1)", (batch,))
        tx.rows("SELECT 1")  # by now it is there, for whoever asks what becomes of the batch
        return self._prepared(batch, {first.at: SqlUnit(first.storage, tx, {})}, self._others)

    def _prepared(self, batch: str, units: Mapping[int, SqlUnit], others: Sequence[_Part]) -> T:
        if not others:
            result = self._work(units)
            self._tried.append((batch, result))
            return result
        part, *rest = others

        def run(tx: SqlTransaction) -> T:
            return self._prepared(batch, {**units, part.at: SqlUnit(part.storage, tx, {})}, rest)

        return part.server.prepare(run, part.clocks, batch)

    def _undone(self) -> bool:
        """Undoes the last attempt where it was prepared, unless it was committed after all."""
        for batch, _ in self._tried[-1:]:
            if self._first.server.decides(batch):
                return False
            self._end(batch, committed=False)
        return True

    def _end(self, batch: str, committed: bool) -> None:
        """Has all other servers end what they prepared.

        Raises:
            StorageError: one cannot be reached; it is ended once that is back.
        """
        for part in self._others:
            try:
                part.server.end(batch, committed)
            except StorageError as error:
                if not committed:
                    log.warning("what was prepared at %s is undone once that is back (%s)", part.server.place, error)
                    continue
                reason = f"it cannot be reached ({error.reason})"
                mend = "The batch is stored; what is kept there is seen once that is back. Do not call again"
                raise StorageError(part.server.place, reason, mend) from error
        with suppress(StorageError):  # nobody asks any more
            self._first.server.rows("DELETE FROM concordant_batches WHERE id = ? RETURNING id", (batch,))


class ServersUnit(UnitOfWork):
    """One transaction over several servers.

    Args:
        home: on which server each clock is at home.
        units: the transactions of the servers, by number.
    """

    apart = SqlUnit.apart

    def __init__(self, storage: ServersStorage, home: Sequence[int], units: Mapping[int, SqlUnit]) -> None:
        heads = {clock: head for unit in units.values() for clock, head in unit.heads.items()}
        super().__init__(storage, heads, 0.0)
        self._home = home
        self._units = units

    def _unit(self) -> SqlUnit:
        """The one of the document at hand."""
        unit = self._units[self._home[self.clock]]
        unit.clock, unit.n = self.clock, self.n
        return unit

    def apply(self, address: Address, update: Update) -> None:
        self._now = self._units[self._home[self._storage.clock_of(address)]].now
        super().apply(address, update)

    def whole(self, stored: StoredDocument) -> StoredDocument:
        return self._unit().whole(stored)

    def shape(self, model: str) -> str | None:
        return self._unit().shape(model)

    def checkpoint(self, stored: StoredDocument) -> Checkpoint | None:
        return self._unit().checkpoint(stored)

    def tail(self, stored: StoredDocument, after: int) -> Sequence[TailRow]:
        return self._unit().tail(stored, after)

    def put_checkpoint(self, stored: StoredDocument, tree: Checkpoint | None) -> None:
        self._unit().put_checkpoint(stored, tree)

    def find(self, address: Address) -> StoredDocument | None:
        return self._unit().find(address)

    def put_document(self, stored: StoredDocument, before: StoredDocument | None) -> None:
        self._unit().put_document(stored, before)

    def put_row(self, row: StoredRow) -> None:
        self._unit().put_row(row)

    def put_model(self, model: str, shape: str) -> None:
        self._unit().put_model(model, shape)

    def open_questions(self, address: Address) -> Mapping[str, Escalation]:
        return self._unit().open_questions(address)

    def find_closed(self, id_: str) -> Escalation | None:
        return self._unit().find_closed(id_)

    def knowledge(self) -> Knowledge:
        return self._unit().knowledge()

    def put_escalation(self, escalation: Escalation, number: int | None, now: float) -> None:
        self._unit().put_escalation(escalation, number, now)

    def put_event(self, number: int, document: int, now: float, event: Event) -> None:
        self._unit().put_event(number, document, now, event)

    def erase(self, stored: StoredDocument) -> None:
        self._unit().erase(stored)

    def put_heads(self, heads: Mapping[int, Head]) -> None:
        for at, unit in self._units.items():
            unit.put_heads({clock: head for clock, head in heads.items() if self._home[clock] == at})

    def end(self) -> list[tuple[Address, Record, StoredDocument]]:
        made = super().end()
        for unit in self._units.values():
            unit.end()
        return made


class ServersEvents(DurableEvents):
    """The events of all servers. A subscriber is known on each; who receives has all of them."""

    def __init__(self, parts: Sequence[SqlStorage], home: Sequence[int], name: str) -> None:
        super().__init__(name)
        self._events = [part.events for part in parts]
        self._home = home

    def now(self) -> Position:
        return _highest(events.now() for events in self._events)

    def first(self) -> Position:
        return self._events[0].first()

    def after(self, position: Position, limit: int) -> list[Told]:
        found = [events.after(position, limit) for events in self._events]
        return [*heapq.merge(*found, key=lambda told: (told.event.time, told.cursor))][:limit]

    def listener(self) -> Listener:
        return _Listener([events.listener() for events in self._events])

    def take(self, name: str, holder: str, seconds: float, start: Position) -> Position | None:
        taken: list[Position] = []
        for number, events in enumerate(self._events):
            position = events.take(name, holder, seconds, start)
            if position is None:
                for other in self._events[:number]:
                    other.release(name, holder)
                return None
            taken.append(position)
        return tuple(taken[at][clock] for clock, at in enumerate(self._home))

    def acknowledge(self, name: str, holder: str, seconds: float, cursor: Cursor) -> bool:
        return self._events[self._home[cursor[0] % len(self._home)]].acknowledge(name, holder, seconds, cursor)

    def release(self, name: str, holder: str) -> None:
        for events in self._events:
            events.release(name, holder)

    def forget(self, name: str) -> None:
        for events in self._events:
            events.forget(name)

    def lags(self) -> list[Lag]:
        return together(chain.from_iterable(events.lags() for events in self._events))


_SLICE = 0.2


class _Listener:
    """Waits for what any of several servers tells, at one after the other."""

    def __init__(self, listeners: Sequence[Listener]) -> None:
        self._listeners = listeners

    def wait(self, stop: threading.Event, seconds: float) -> None:
        end = time.monotonic() + seconds
        for listener in self._listeners:
            left = end - time.monotonic()
            if left > 0 and not stop.is_set():
                listener.wait(stop, min(_SLICE, left))

    def close(self) -> None:
        for listener in self._listeners:
            listener.close()


def _highest(found: Iterable[Sequence[T]]) -> tuple[T, ...]:
    """Of each clock the highest of what servers tell: only the one where it is at home knows more than nothing."""
    return tuple(max(of_clock) for of_clock in zip(*found, strict=True))


def _joined(found: Iterable[VersionVector]) -> VersionVector:
    """What any of several vectors knows."""
    known: VersionVector = {}
    for name, n in chain.from_iterable(vector.items() for vector in found):
        known[name] = max(n, known.get(name, n))
    return known


def _in_order(found: Iterable[Iterator[Numbered]]) -> Iterator[tuple[Namespace, str, State]]:
    """Documents, by the numbers of their first commits."""
    return (one[1:] for one in heapq.merge(*found, key=lambda one: one[0]))
