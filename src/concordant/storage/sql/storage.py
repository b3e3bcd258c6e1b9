"""Documents, journal and escalations in the tables of a database."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, TypeAlias

from concordant.errors import DamagedDocumentError, StorageError
from concordant.escalation import Escalation, Event
from concordant.merge.causality import VersionVector
from concordant.merge.record import Record
from concordant.storage.base import (
    Address,
    Compact,
    Deferred,
    Examined,
    Forgotten,
    Knowledge,
    Namespace,
    Op,
    Row,
    Saved,
    State,
    StoreExamined,
    Totals,
    Update,
    is_present,
    row_of,
)
from concordant.storage.conditions import Condition
from concordant.storage.cut import Cut, cut_of, highest, is_within, joined, numbers_of
from concordant.storage.durable import SURVEY, DurableStorage, Head, Source, UnitOfWork
from concordant.storage.encoding import (
    DOCUMENT,
    JOURNAL,
    FirstWrite,
    StoredDocument,
    StoredRow,
    bounds,
    dump_escalation,
    dump_key,
    dump_namespace,
    load_escalation,
    load_key,
    load_namespace,
    load_row,
)
from concordant.storage.grouping import MOST, Request
from concordant.storage.knowledge import Marks
from concordant.storage.sql import listing, maintenance
from concordant.storage.sql.database import Columns, Database, Query, SqlTransaction, of_clocks
from concordant.storage.sql.events import SqlEvents
from concordant.storage.sql.source import GivenBodies, Rows, SqlSource
from concordant.storage.sql.tables import HEADS
from concordant.storage.sql.tallies import tally_of
from concordant.storage.tails import Checkpoint

__all__ = ["Numbered", "SqlStorage", "SqlUnit"]

log = logging.getLogger("concordant")

_MET = 20_000
"""How many documents are known to be there at most."""

_NO_OP = (None, None, None, None)
_FIELDS = DOCUMENT.split(", ")
_SAVED = ("clock", *_FIELDS)
_NEWS = (*_FIELDS[3:], "clock", "id")
_ROW = ("clock", *JOURNAL.split(", "))
_QUESTION = "namespace, key, body"
_OPEN = (
    f"SELECT id, {_QUESTION} FROM concordant_escalations "
    "WHERE clock = ? AND namespace = ? AND key = ? AND state IN ('open', 'claimed') ORDER BY n, place"
)
_CLOSED = (
    f"SELECT {_QUESTION} FROM concordant_escalations WHERE clock = ? AND id = ? AND state NOT IN ('open', 'claimed')"
)
_OPENED = (
    "INSERT INTO concordant_escalations (clock, id, namespace, key, state, n, place, body, changed) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (clock, id) DO UPDATE SET state = excluded.state, n = excluded.n, "
    "place = excluded.place, body = excluded.body, changed = excluded.changed"
)
_CHANGED = "UPDATE concordant_escalations SET state = ?, body = ?, changed = ? WHERE clock = ? AND id = ?"
_EVENT = (
    "INSERT INTO concordant_events (clock, n, place, document, source, time, kind, body) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
)

_MODEL = (
    "INSERT INTO concordant_models (clock, fingerprint, shape) VALUES (?, ?, ?) "
    "ON CONFLICT (clock, fingerprint) DO NOTHING"
)

_SURVEY = (
    "SELECT s.n, v.n FROM concordant_clocks s LEFT JOIN concordant_surveys v ON v.clock = s.clock AND v.models = ? "
    "ORDER BY s.clock"
)
_SURVEYED = (
    "INSERT INTO concordant_surveys (clock, models, n) VALUES (?, ?, ?) "
    "ON CONFLICT (clock, models) DO UPDATE SET n = excluded.n WHERE excluded.n > concordant_surveys.n"
)
_FOUND = ", ".join("d." + name for name in DOCUMENT.split(", "))
_PEEK = (
    f"SELECT s.n, s.time, {_FOUND.replace('d.record', 'CASE WHEN d.saved = ? THEN NULL ELSE d.record END')} "
    "FROM concordant_clocks s LEFT JOIN concordant_documents d ON d.clock = ? AND d.namespace = ? AND d.key = ? "
    "WHERE s.clock = ?"
)
_PEEK_ALL = (
    "WITH w (saved, clock, namespace, key) AS ({rows}) SELECT w.namespace, w.key, s.n, s.time, "
    f"{_FOUND.replace('d.record', 'CASE WHEN d.saved = w.saved THEN NULL ELSE d.record END')} "
    "FROM w JOIN concordant_clocks s ON s.clock = w.clock "
    "LEFT JOIN concordant_documents d ON d.clock = w.clock AND d.namespace = w.namespace AND d.key = w.key"
)
_ID = "(SELECT id FROM concordant_documents WHERE clock = ? AND namespace = ? AND key = ?)"
_NOT_OVER = (
    "NOT (state IN ('open', 'claimed') AND EXISTS (SELECT 1 FROM concordant_documents d "
    "WHERE d.clock = e.clock AND d.namespace = e.namespace AND d.key = e.key AND d.expires <= ?))"
)
_STATES = {"open": "('open', 'claimed')", "all": "('open', 'claimed', 'resolved', 'dismissed', 'superseded', 'agreed')"}

Shown: TypeAlias = tuple[Namespace, str, State]
Numbered: TypeAlias = tuple[int, Namespace, str, State]


class SqlStorage(DurableStorage):
    """The storage of a workspace with a database.

    Args:
        database: SQLite or Postgres.
        cache: how many bytes of records are kept decoded.
        name: that of the workspace among those that share the store; made up if not given.
    """

    def __init__(self, database: Database, *, cache: int = 32 * 1024 * 1024, name: str | None = None) -> None:
        which = (database.place, database.identity, database.replica)
        super().__init__(*which, database.heads, cache, database.patience, database.leaders)
        self.database = database
        self.events = SqlEvents(database, name or uuid.uuid4().hex[:12])
        self.is_near = database.is_near
        self._surveyed: dict[str, Cut] = {}
        self._met: dict[Address, None] = {}  # documents that are there, of those met lately
        self._source = SqlSource(database.rows, self.clocks)

    @property
    def read_only(self) -> bool:
        return self.database.read_only

    @property
    def source(self) -> Source:
        return self._source

    # -- writing -------------------------------------------------------------------------------------------------

    def create(
        self,
        namespace: Namespace,
        key: str,
        agent: str,
        origin: str,
        act: str,
        body: bytes,
        op: Op | None,
        /,
    ) -> int:
        address = (namespace, key)
        if self.database.create is None or address in self._met:
            return 0
        clock = self.clock_of(address)
        if not self._group.begin_alone(clock):
            return 0
        try:
            head = self._make_first(address, clock, agent, origin, act, body, op)
        finally:
            self._group.end_alone(clock)
        return 0 if head is None else head[0]

    def _commit(self, requests: Sequence[Request], hasty: bool) -> None:
        if len(requests) == 1 and len(requests[0].changes) == 1 and self._created(*requests[0].changes[0]):
            return
        super()._commit(requests, hasty)
        for request in requests:
            for address, _ in request.changes:
                self._meet(address)

    def _created(self, address: Address, update: Update) -> bool:
        """Commits what is the first write of a document and nothing else by one statement, which gives it its number
        and time; ``False``: nothing was done, for it is not so, or nobody knows."""
        if self.database.create is None or address in self._met:
            return False
        state = _first(update, 0, 0.0)
        if state is None:
            return False
        row = row_of(state)
        if row.settled or row.met or row.body is None:
            return False
        by = (row.agent, row.origin, row.act)
        head = self._make_first(address, self.clock_of(address), *by, row.body, row.op)
        if head is None:
            return False
        _first(update, *head)  # it is told what became of it
        return True

    def _make_first(
        self,
        address: Address,
        clock: int,
        agent: str,
        origin: str,
        act: str,
        body: bytes,
        op: Op | None,
    ) -> Head | None:
        """Commits the first write of a document; ``None``: nothing was done, for there is one, or its model is not
        known to be."""
        create, saved = self.database.create, Saved(None, self.projection.fingerprint(address[0]))
        if create is None or not self.knows_model((clock, saved.model)):
            return None
        name = (dump_namespace(address[0]), dump_key(address[1]))
        first = FirstWrite(clock, *name, agent, origin, act, saved.fingerprint, body, *(op or _NO_OP))
        with self._course.expecting(clock):
            head = create(first, self.number_after(0, clock))
            self._meet(address)
            if head is None:
                return None
            self._course.making(head[:1])
        self._course.reach(*head)
        return head

    def _meet(self, address: Address) -> None:
        if self.database.create is None:
            return  # nobody asks
        if len(self._met) >= _MET:
            self._met.clear()
        self._met[address] = None

    def transact(self, work: Callable[[UnitOfWork], Any], addresses: Sequence[Address], hasty: bool) -> Any:
        clocks = sorted({*map(self.clock_of, addresses)})
        asked = [*dict.fromkeys(addresses)][:MOST]  # of more, each is asked for when its turn comes
        if len(asked) == 1:

            def alone(tx: SqlTransaction) -> Any:
                return work(SqlUnit(self, tx, {addresses[0]: tx.ahead}))

            return self.database.write(alone, clocks, self.peeking(*asked), hasty)

        def together(tx: SqlTransaction) -> Any:
            return work(SqlUnit(self, tx, dict(map(_with_place, tx.ahead))))

        return self.database.write(together, clocks, self._peeking_all(asked), hasty)

    def advance(self, past: float) -> None:
        def run(tx: SqlTransaction) -> None:
            if any(past > time for _, time in tx.heads.values()):
                tx.run("UPDATE concordant_clocks SET time = ? WHERE time < ?", (past, past))

        self.database.write(run)
        self._clock = max(self._clock, past)

    # -- reading -------------------------------------------------------------------------------------------------

    def heads(self) -> Sequence[Head]:
        return self.database.rows(HEADS)

    def real_time(self) -> float:
        return self.database.time()

    def about(self, at: float) -> float:
        return self.database.about(at)

    def surely(self, at: float) -> float:
        return self.database.surely(at)

    def find(self, address: Address) -> tuple[Head, StoredDocument | None]:
        found = found_by(self.database.rows(*self.peeking(address)))
        if found[1] is not None:
            self._meet(address)
        return found

    def peeking(self, address: Address) -> Query:
        """Gives the query for a document, without its record where that is held decoded, beside the last commit."""
        clock = self.clock_of(address)
        return _PEEK, (self._cache.version(address), clock, dump_namespace(address[0]), dump_key(address[1]), clock)

    def _peeking_all(self, addresses: Sequence[Address]) -> Query:
        """Gives the query for several documents, each with its name before it."""
        wanted = [
            (self._cache.version(address), self.clock_of(address), dump_namespace(address[0]), dump_key(address[1]))
            for address in addresses
        ]
        rows, parameters = self.database.listed(("saved", "clock", "namespace", "key"), wanted)
        return _PEEK_ALL.format(rows=rows), parameters

    def expired(self) -> Sequence[Address]:
        query = "SELECT id, namespace, key FROM concordant_documents WHERE expires <= ? ORDER BY expires"
        return [_place(columns) for columns in self.database.rows(query, (self.now()[1],))]

    def documents(self, prefix: Namespace, after: Cut = 0) -> Iterator[Shown]:
        return (found[1:] for found in self.numbered(prefix, after))

    def numbered(self, prefix: Namespace, after: Cut = 0) -> Iterator[Numbered]:
        """Iterates what ``documents`` does, each with the number of its first commit, the lowest first."""
        later, known = self._after("saved", after) if after else ("TRUE", [])
        query = f"SELECT id FROM concordant_documents WHERE namespace >= ? AND namespace < ? AND ({later}) ORDER BY id"
        return self._load([id_ for (id_,) in self.database.rows(query, (*bounds(prefix), *known))])

    def _after(self, column: str, cut: Cut) -> Query:
        """Gives an expression that holds where a number is of a commit after a cut."""
        numbers = numbers_of(cut) if cut else (0,) * self.clocks
        return " OR ".join([f"clock = ? AND {column} > ?"] * self.clocks), [*chain(*enumerate(numbers))]

    def _name(self, address: Address) -> tuple[int, str, str]:
        """Gives what finds a document: its clock, and its name as it is stored."""
        return self.clock_of(address), dump_namespace(address[0]), dump_key(address[1])

    def showing(self, prefix: Namespace, conditions: Sequence[Condition] = ()) -> Iterator[Shown]:
        return (found[1:] for found in self.numbered_showing(prefix, conditions))

    def numbered_showing(self, prefix: Namespace, conditions: Sequence[Condition]) -> Iterator[Numbered]:
        """Iterates what ``showing`` does, each with the number of its first commit, the lowest first."""
        pages = listing.candidates(self.database, self.projection, prefix, conditions, self.time())
        return chain.from_iterable(map(self._load, pages))

    def namespaces(self, prefix: Namespace) -> Iterator[tuple[Namespace, bool | None]]:
        return listing.namespaces(self.database, self.projection, prefix, self.time())

    def _load(self, ids: Sequence[int]) -> Iterator[Numbered]:
        for start in range(0, len(ids), listing.PAGE):
            page = ids[start : start + listing.PAGE]
            marks = ", ".join("?" * len(page))  # an id is unique, whatever its clock
            query = f"SELECT {DOCUMENT} FROM concordant_documents WHERE id IN ({marks}) ORDER BY id"
            for columns in self.database.rows(query, page):
                stored = StoredDocument._make(columns)
                yield stored.id, *stored.address, self.loaded(stored, stored.address, self._source)

    def _rows(self, found: Sequence[Columns], address: Address) -> Iterator[Row]:
        stored = [StoredRow._make(columns) for columns in found]
        bodies = self._bodies(stored)
        return (self._row(one, bodies, address) for one in stored)

    def _row(self, stored: StoredRow, bodies: GivenBodies, address: Address) -> Row:
        try:
            return load_row(bodies.row(stored), address)
        except StorageError:
            raise
        except Exception as error:  # whatever rot makes of it
            raise DamagedDocumentError(self.database.place, *address, f"row {stored.n}: {error}") from error

    def _bodies(self, found: Sequence[StoredRow]) -> GivenBodies:
        return GivenBodies(self.database.rows, self.clocks, ((row.n, row.base, row.body) for row in found))

    def changes(self, after: Any = None) -> tuple[Any, Sequence[Address]]:
        upto = cut_of([n for n, _ in self.heads()])
        later, known = self._after("version", after or 0)
        query = f"SELECT id, namespace, key FROM concordant_documents WHERE {later} ORDER BY version"
        return upto, [_place(columns) for columns in self.database.rows(query, known)]

    # -- other models --------------------------------------------------------------------------------------------

    def outdated(self, models: str) -> tuple[Cut, Iterator[Shown]]:
        found = self.database.rows(_SURVEY, (models,))
        upto, after = cut_of([n for n, _ in found]), cut_of([0] * len(found))
        if any(noted is None for _, noted in found):
            self._surveyed.pop(models, None)
        else:
            noted = cut_of([noted for _, noted in found])
            after = self._surveyed[models] = joined(noted, self._surveyed.get(models, noted))
            if is_within(upto, after):
                return upto, iter(())
        later, cut = self._after("version", after)
        query = f"SELECT DISTINCT namespace, fingerprint FROM concordant_documents WHERE {later}"
        ids: list[int] = []
        for name, fingerprint in self.database.rows(query, cut):
            try:
                namespace = load_namespace(name)
            except ValueError:  # rot, which ``check`` tells
                continue
            if self.projection.shape(namespace) and not is_present(fingerprint, self.projection.fingerprint(namespace)):
                same, known = ("IS NULL", ()) if fingerprint is None else ("= ?", (fingerprint,))
                query = f"SELECT id FROM concordant_documents WHERE namespace = ? AND ({later}) AND fingerprint {same}"
                ids += [id_ for (id_,) in self.database.rows(query, (name, *cut, *known))]
        return upto, (found[1:] for found in self._load(sorted(ids)))

    def surveyed(self, models: str, upto: Cut, *, changed: bool) -> None:
        def run(tx: SqlTransaction) -> None:
            if changed:  # what others look at may be otherwise now
                tx.run("DELETE FROM concordant_surveys WHERE models <> ?", (models,))
            for clock, n in enumerate(numbers_of(upto)):
                tx.run(_SURVEYED, (clock, models, n))

        known = self._surveyed.get(models)
        if changed or known is None or highest(upto) - highest(known) >= SURVEY * self.clocks:
            self.database.write(run, hasty=not changed)
        self._surveyed[models] = upto

    # -- the journal ---------------------------------------------------------------------------------------------

    def rows(self, namespace: Namespace, key: str) -> Iterator[Row]:
        query = f"SELECT {JOURNAL} FROM concordant_journal WHERE clock = ? AND document = {_ID} ORDER BY n DESC"
        name = self._name((namespace, key))
        return self._rows(self.database.rows(query, (name[0], *name)), (namespace, key))

    def journal(self, prefix: Namespace, agent: str | None, before: int | None, limit: int) -> Sequence[Row]:
        columns = ", ".join("j." + name for name in JOURNAL.split(", "))
        only = (" AND j.agent = ?" if agent is not None else "") + (" AND j.n < ?" if before is not None else "")
        query = (
            f"SELECT d.namespace, d.key, {columns} FROM concordant_journal j JOIN concordant_documents d "
            "ON d.clock = j.clock AND d.id = j.document "
            f"WHERE j.clock = ? AND d.namespace >= ? AND d.namespace < ?{only} ORDER BY j.n DESC LIMIT ?"
        )
        narrowed = [value for value in (agent, before) if value is not None]
        given = [(clock, *bounds(prefix), *narrowed, limit) for clock in range(self.clocks)]
        found = self.database.rows(*of_clocks(query, given, "n DESC", limit))
        stored = [StoredRow._make(row[2:]) for row in found]
        bodies = self._bodies(stored)
        return [
            self._row(one, bodies, (load_namespace(row[0]), load_key(row[1])))
            for row, one in zip(found, stored, strict=True)
        ]

    def puts_of(self, task: str, namespace: Namespace, key: str) -> Iterator[Row]:
        of_task = f"clock = ? AND task = ? AND document = {_ID}"
        query = f"SELECT {JOURNAL} FROM concordant_journal WHERE {of_task} ORDER BY n DESC"
        name = self._name((namespace, key))
        return self._rows(self.database.rows(query, (name[0], task, *name)), (namespace, key))

    def executed_before(self, task: str, execution: str) -> bool:
        query = "SELECT 1 FROM concordant_journal WHERE task = ? AND execution <> ? LIMIT 1"
        return bool(self.database.rows(query, (task, execution)))

    # -- escalations ---------------------------------------------------------------------------------------------

    def open_of(self, address: Address) -> Mapping[str, Escalation]:
        return _open_of(self.database.place, self.database.rows, self._name(address))

    def find_closed(self, id_: str) -> Escalation | None:
        query = f"SELECT {_QUESTION} FROM concordant_escalations WHERE id = ? AND state NOT IN ('open', 'claimed')"
        found = self.database.rows(query, (id_,))
        return _question(self.database.place, *found[0]) if found else None

    def escalation(self, id_: str) -> Escalation | None:
        query = f"SELECT {_QUESTION} FROM concordant_escalations e WHERE id = ? AND {_NOT_OVER}"
        found = self.database.rows(query, (id_, self.time()))
        return _question(self.database.place, *found[0]) if found else None

    def escalations(self, prefix: Namespace, state: str) -> Iterator[Escalation]:
        states = _STATES.get(state) or f"('{state}')"
        query = (
            f"SELECT {_QUESTION} FROM concordant_escalations e WHERE state IN {states} "
            f"AND namespace >= ? AND namespace < ? AND {_NOT_OVER} "
            "ORDER BY state IN ('open', 'claimed') DESC, n, place"
        )
        open_: dict[Address, list[Escalation]] = {}  # those of one document stand together
        closed: list[Escalation] = []
        for stored in self.database.rows(query, (*bounds(prefix), self.time())):
            found = _question(self.database.place, *stored)
            if found.state in ("open", "claimed"):
                open_.setdefault((found.namespace, found.key), []).append(found)
            else:
                closed.append(found)
        return chain(*open_.values(), closed)

    def totals(self) -> Totals:
        rows, journal = self.database.rows, tally_of(self.database, self.clocks)
        return Totals(
            rows("SELECT count(*) FROM concordant_documents")[0][0],
            journal.acts,
            journal.settled,
            dict(rows("SELECT state, count(*) FROM concordant_escalations GROUP BY state")),
            journal.fields,
        )

    # -- other stores, upkeep ------------------------------------------------------------------------------------

    def knowledge(self) -> Knowledge:
        return maintenance.knowledge(self.database.rows)

    def learn(self, vector: VersionVector, marks: Mapping[str, Marks]) -> None:
        maintenance.learn(self.database, vector, marks)

    def notes(self) -> Mapping[str, str]:
        return dict(self.database.rows("SELECT name, text FROM concordant_notes"))

    def note(self, texts: Mapping[str, str]) -> None:
        maintenance.note(self.database, texts)

    def note_export(self, upto: Cut) -> None:
        maintenance.note_export(self.database, upto)

    def rename(self, replica: str, upto: Cut) -> None:
        maintenance.rename(self.database, replica, upto)
        self.replica = replica

    def forget(self, addresses: Sequence[tuple[Address, int]], rows_before: float) -> Forgotten:
        done = maintenance.forget(self.database, addresses, rows_before, self.limits.backlog, self.clocks)
        for address, _ in addresses:
            self._cache.drop(address)
        return done

    def examine_store(self) -> StoreExamined:
        return maintenance.examine_store(self.database)

    def examine(self, address: Address | None = None) -> Iterator[Examined]:
        return maintenance.examine(self.database, self.clocks, address)

    def set_aside(self, addresses: Sequence[tuple[Address, str]]) -> int:
        done = maintenance.set_aside(self.database, addresses, self.clocks)
        for address, _ in addresses:
            self._cache.drop(address)
        return done

    def close(self) -> None:
        self._stop_looking()
        self.events.closed = True
        self.database.close()


class SqlUnit(SqlSource, UnitOfWork):
    """A transaction of a database.

    Args:
        ahead: what was found of documents that were asked for as it began.

    Attributes:
        tx: the transaction.
        now: its time.
    """

    apart = True

    def __init__(self, storage: SqlStorage, tx: SqlTransaction, ahead: dict[Address, Sequence[Columns]]) -> None:
        SqlSource.__init__(self, tx.rows, storage.clocks)
        UnitOfWork.__init__(self, storage, tx.heads, tx.now)
        self.tx = tx
        self.now = tx.now
        self._place = storage.database.place
        self._name = storage._name
        self._peeking = storage.peeking
        self._announces = storage.events.source
        self._ahead = ahead
        self._tells = False
        self._inserted: list[StoredDocument] = []
        self._updated: list[StoredDocument] = []
        self._journal: list[StoredRow] = []

    def put_checkpoint(self, stored: StoredDocument, tree: Checkpoint | None) -> None:
        maintenance.put_checkpoint(self.tx, stored, tree, self._clocks)

    def find(self, address: Address) -> StoredDocument | None:
        return found_by(self._ahead.get(address) or self.tx.rows(*self._peeking(address)))[1]

    def put_document(self, stored: StoredDocument, before: StoredDocument | None) -> None:
        (self._inserted if before is None else self._updated).append(stored)

    def put_row(self, row: StoredRow) -> None:
        self._journal.append(row)
        self.tx.witness = (row.n, row.time)

    def put_model(self, model: str, shape: str) -> None:
        self.tx.run(_MODEL, (self.clock, model, shape))

    def open_questions(self, address: Address) -> Mapping[str, Escalation]:
        return _open_of(self._place, self.tx.rows, self._name(address))

    def find_closed(self, id_: str) -> Escalation | None:
        found = self.tx.rows(_CLOSED, (self.clock, id_))
        return _question(self._place, *found[0]) if found else None

    def knowledge(self) -> Knowledge:
        return maintenance.knowledge(self.tx.rows)

    def put_escalation(self, escalation: Escalation, number: int | None, now: float) -> None:
        e, body = escalation, dump_escalation(escalation)
        if number is None:
            self.tx.run(_CHANGED, (e.state, body, now, self.clock, e.id))
        else:
            name = (dump_namespace(e.namespace), dump_key(e.key))
            self.tx.run(_OPENED, (self.clock, e.id, *name, e.state, self.n, number, body, now))

    def put_event(self, number: int, document: int, now: float, event: Event) -> None:
        body = dump_escalation(event.escalation)
        self.tx.run(_EVENT, (self.clock, self.n, number, document, self._announces, now, event.kind, body))
        self._tells = True

    def erase(self, stored: StoredDocument) -> None:
        self._journal = [row for row in self._journal if row.document != stored.id]
        name = (stored.namespace, stored.key)
        maintenance.erase(self.tx, self.clock, self._clocks, stored.id, name, itself=False)

    def put_heads(self, heads: Mapping[int, Head]) -> None:
        rows = [(n, time, clock) for clock, (n, time) in heads.items()]
        self.tx.update("concordant_clocks", ("n", "time", "clock"), rows, keys=1)

    def end(self) -> list[tuple[Address, Record, StoredDocument]]:
        made, clocks = super().end(), self._clocks
        inserted = [(stored.id % clocks, *stored) for stored in self._inserted]
        updated = [(*stored[3:], stored.id % clocks, stored.id) for stored in self._updated]
        self.tx.insert("concordant_documents", _SAVED, inserted)
        self.tx.update("concordant_documents", _NEWS, updated)
        self.tx.insert("concordant_journal", _ROW, [(row.n % clocks, *row) for row in self._journal])
        if self._tells:
            self.tx.announce()
        return made


def _open_of(place: str, rows: Rows, name: tuple[int, str, str]) -> Mapping[str, Escalation]:
    return {id_: _question(place, *stored) for id_, *stored in rows(_OPEN, name)}


def _question(place: str, namespace: str, key: str, body: bytes) -> Escalation:
    """Loads a question; where its bytes have changed, the error names its document."""
    try:
        return load_escalation(body)
    except Exception as error:  # whatever rot makes of it
        reason = f"a question of it: {type(error).__name__}: {error}"
        raise DamagedDocumentError(place, load_namespace(namespace), load_key(key), reason) from error


class _Unasked:
    """What an update may ask, where nobody is there to answer."""

    def open_of(self, address: Address) -> Mapping[str, Escalation]:
        raise LookupError(address)

    def find_closed(self, id_: str) -> Escalation | None:
        raise LookupError(id_)

    def knowledge(self) -> Knowledge:
        raise LookupError


def _first(update: Update, n: int, time: float) -> Compact | None:
    """What an update makes of a document that is not there, if that is one row; ``None``: it is more, or refused."""
    try:
        result = update(None, n, time, _Unasked())
    except Exception as error:
        log.debug("Whether a write may be the first of its document is told by the store (%s)", error)
        return None
    if result is None:
        return None
    state, row, effects = result
    return state if state is row and effects is None and not isinstance(state, (Record, Deferred)) else None


def found_by(rows: Sequence[Columns]) -> tuple[Head, StoredDocument | None]:
    """Gives what the query of ``peeking`` found."""
    n, clock, *columns = rows[0]
    return (n, clock), None if columns[0] is None else StoredDocument._make(columns)


def _with_place(columns: Columns) -> tuple[Address, Sequence[Columns]]:
    """What the query for several documents found of one, by where it is."""
    return (load_namespace(columns[0]), load_key(columns[1])), [columns[2:]]


def _place(columns: Columns) -> Address:
    """Namespace and key of a document, from its id and its names as they are stored."""
    return load_namespace(columns[1]), load_key(columns[2])
