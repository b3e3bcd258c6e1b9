"""Documents, journal and escalations in the tables of a database."""

from __future__ import annotations

import logging
import math
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from itertools import chain
from typing import Any, ClassVar, TypeAlias

from pydantic_core import from_json

from concordant.causal import VersionVector
from concordant.errors import DamagedDocumentError, StorageError
from concordant.escalation import Escalation
from concordant.limits import Limits
from concordant.record import Record
from concordant.storage import clocks
from concordant.storage.base import (
    Beginning,
    Examined,
    Forgotten,
    Knowledge,
    Namespace,
    Outcomes,
    Place,
    Projection,
    Row,
    State,
    StoreExamined,
    Totals,
    Update,
    counted,
    is_present,
)
from concordant.storage.clocks import Instant, course_of
from concordant.storage.conditions import Condition
from concordant.storage.encoding import (
    DOCUMENT,
    JOURNAL,
    bounds,
    document_of,
    dump_key,
    dump_namespace,
    load_escalation,
    load_key,
    load_namespace,
    load_row,
    load_state,
)
from concordant.storage.knowledge import Marks
from concordant.storage.sql import listing, maintenance
from concordant.storage.sql.cache import RecordCache
from concordant.storage.sql.database import Columns, Database, Query, Writing
from concordant.storage.sql.events import SqlEvents
from concordant.storage.sql.saving import Saving

__all__ = ["SqlStorage"]

log = logging.getLogger("concordant")

SURVEY = 1_000
"""After how many commits it is noted anew how far the store was looked through for what another model wrote."""

_SURVEY = "SELECT s.n, v.n FROM concordant_store s LEFT JOIN concordant_surveys v ON v.models = ?"
_SURVEYED = (
    "INSERT INTO concordant_surveys (models, n) VALUES (?, ?) ON CONFLICT (models) DO UPDATE SET n = excluded.n "
    "WHERE excluded.n > concordant_surveys.n"
)
_FOUND = ", ".join("d." + name for name in DOCUMENT.split(", "))
_PEEK = (
    f"SELECT s.n, s.clock, {_FOUND.replace('d.record', 'CASE WHEN d.saved = ? THEN NULL ELSE d.record END')} "
    "FROM concordant_store s LEFT JOIN concordant_documents d ON d.namespace = ? AND d.key = ?"
)
_ID = "(SELECT id FROM concordant_documents WHERE namespace = ? AND key = ?)"
_NOT_OVER = (
    "NOT (state IN ('open', 'claimed') AND EXISTS (SELECT 1 FROM concordant_documents d "
    "WHERE d.namespace = e.namespace AND d.key = e.key AND d.expires <= ?))"
)
_STATES = {"open": "('open', 'claimed')", "all": "('open', 'claimed', 'resolved', 'dismissed', 'superseded', 'agreed')"}

Made: TypeAlias = "tuple[list[tuple[Place, Record, int, int]], range, set[str], float]"


Rows: TypeAlias = Callable[[str, Sequence[Any]], "list[Columns]"]
"""Asks the database: inside a transaction, or outside of any."""


class SqlStorage:
    """The storage of a workspace with a database: every read asks the database, every commit is a transaction.

    Args:
        database: SQLite or Postgres.
        cache: how many bytes of records are kept decoded; what is kept is used only as long as it is the newest.
    """

    live: ClassVar[bool] = False
    limits = Limits()

    _projection: Projection

    def __init__(self, database: Database, *, cache: int = 32 * 1024 * 1024) -> None:
        self.database = database
        self.replica = database.replica
        self.events = SqlEvents(database, uuid.uuid4().hex[:12])
        self._cache = RecordCache(cache)
        self._clock = 0.0
        self._models: set[str] = set()  # those whose shapes are stored
        self._shapes: dict[str, str] = {}
        self._surveyed: dict[str, int] = {}
        self._course = course_of(database.identity, database.replica, *database.last)
        self._looking_since = -1

    @property
    def read_only(self) -> bool:
        return self.database.read_only

    def attach(self, projection: Projection) -> None:
        self._projection = projection

    # -- writing -------------------------------------------------------------------------------------------------

    def commit(self, namespace: Namespace, key: str, update: Update) -> None:
        self.commit_all([(namespace, key, update)])

    def commit_all(self, updates: Sequence[tuple[Namespace, str, Update]]) -> None:
        if not updates:
            return
        tried: list[range] = []
        try:
            made, own, models, clock = self.database.write(
                lambda tx: self._run(tx, updates, tried), self._peek(updates[0][:2])
            )
        except BaseException:
            for numbers in tried:
                self._course.unmade(numbers)
            raise
        self._models |= models
        if own:
            self._course.reach(own[-1], clock)
        for place, record, saved, size in made:
            self._cache.put(place, saved, record, size)

    def _run(self, tx: Writing, updates: Sequence[tuple[Namespace, str, Update]], tried: list[range]) -> Made:
        """Runs updates in a transaction; returns the records that they made, as ``Saving.end`` does, the numbers of the
        commits (noted in ``tried`` as well), the models whose shapes were stored, and the time of the last commit."""
        for numbers in tried:  # of a transaction that was not committed
            self._course.unmade(numbers)
        saving = Saving(tx, self._projection, self.events.source, self._models)
        found = tx.ahead
        for namespace, key, update in updates:
            place = (namespace, key)
            if not saving.has(place):
                columns = (found or tx.rows(*self._peek(place)))[0]
                saving.begin(place, columns[2:], self._state(columns, place, tx.rows, private=True))
            found = []
            saving.apply(place, update)
        own = range(tx.n + 1, saving.n + 1)
        tried[:] = [own]
        self._course.making(own)
        return saving.end(), own, saving.models, saving.clock

    def advance(self, past: float) -> None:
        def run(tx: Writing) -> None:
            if past > tx.clock:
                tx.run("UPDATE concordant_store SET clock = ?", (past,))

        self.database.write(run)
        self._clock = max(self._clock, past)

    # -- reading -------------------------------------------------------------------------------------------------

    def create(self, *_: Any) -> int:
        return 0  # there is no shorter way

    def load(self, namespace: Namespace, key: str) -> State | None:
        return self.peek(namespace, key)[1]

    def peek(self, namespace: Namespace, key: str) -> tuple[int, State | None]:
        place = (namespace, key)
        columns = self.database.rows(*self._peek(place))[0]
        self._course.reach(columns[0], columns[1])
        return columns[0], self._state(columns, place, self.database.rows)

    def _peek(self, place: Place) -> Query:
        return _PEEK, (self._cache.version(place), dump_namespace(place[0]), dump_key(place[1]))

    def _state(self, columns: Columns, place: Place, rows: Rows, *, private: bool = False) -> State | None:
        """The state in what ``_PEEK`` found; a ``private`` one may be changed."""
        self._clock = max(self._clock, columns[1])
        columns = columns[2:]
        if columns[0] is None:
            return None
        if columns[6] is not None:
            return self._loaded(columns, place, rows)
        held = self._cache.get(place, columns[14])
        if held is not None:
            return held.copy() if private else held
        data = columns[12]
        if data is None:  # it was held when the query was made, and has been given up since
            found = rows(f"SELECT {DOCUMENT} FROM concordant_documents WHERE id = ?", (columns[0],))
            columns = found[0]
            data = columns[12]
        state = self._loaded(columns, place, rows)
        assert isinstance(state, Record)
        if not private:
            self._cache.put(place, columns[14], state, len(data))
        return state

    def _loaded(self, columns: Columns, place: Place, rows: Rows) -> State:
        """The state in the columns of a document, whatever model it was saved under.

        Raises:
            DamagedDocumentError: it cannot be read.
        """
        try:
            state, fingerprint = load_state(columns, *place), columns[10]
        except ValueError as error:
            raise DamagedDocumentError(self.database.place, *place, str(error)) from error
        if fingerprint == self._projection.fingerprint(place[0]):
            return state  # what cannot be told of a model between processes is looked at in each
        if isinstance(state, Record):
            state.alien = True
            return state
        return self._projection.written_under(self._shape(fingerprint, rows), state)

    def _shape(self, fingerprint: str | None, rows: Rows) -> str | None:
        """The shape of the model with this fingerprint; ``None`` if it is not known."""
        if fingerprint is None:
            return None
        model = fingerprint.partition("?")[0]
        if model not in self._shapes:
            found = rows("SELECT shape FROM concordant_models WHERE fingerprint = ?", (model,))
            if not found:
                return None
            self._shapes[model] = found[0][0]
        return self._shapes[model]

    def reading(self) -> Any:
        return nullcontext()

    def beginning(self, began: Instant | float) -> Beginning:
        """What was committed by others between what is known of the store and the beginning is told by the database's
        clock, on the side of "not yet"; if it was looked at in the beginning, nothing was."""
        course, about, surely = self._course, self.database.about, self.database.surely
        if not isinstance(began, Instant):
            at = time.monotonic() - (time.time() - began)
            return Beginning(beyond=lambda n, when: when < (about(at) if course.is_own(n) else surely(at)))
        if began.wall is None and began.tick > self._looking_since >= 0 and clocks.is_looking(self._look):
            return Beginning(course.at(began.tick))
        # The wall's clock may have stepped since: the lower of what it showed and would have shown decides.
        most = began.wall if began.wall is not None and self.database.is_near else math.inf
        return Beginning(
            course.at(began.tick), lambda n, when: when < min(surely(began.at), most) and not course.is_own(n)
        )

    def expect_tasks(self) -> None:
        if self.database.is_near and self._looking_since < 0:
            self._looking_since = clocks.latest
            clocks.look_before(self._look)

    def _look(self) -> None:
        try:
            ((n, clock),) = self.database.rows("SELECT n, clock FROM concordant_store")
        except StorageError as error:
            log.debug("What was committed when a task began is told by what was known before (%s)", error)
        else:
            self._course.reach(n, clock)

    def now(self) -> tuple[int, float]:
        ((n, clock),) = self.database.rows("SELECT n, clock FROM concordant_store")
        self._clock = max(self._clock, clock)
        self._course.reach(n, clock)
        return n, self.time()

    def time(self) -> float:
        return max(self._clock, self.database.time())

    def real_time(self) -> float:
        return self.database.time()

    def expired(self) -> Sequence[Place]:
        query = "SELECT id, namespace, key FROM concordant_documents WHERE expires <= ? ORDER BY expires"
        return [document_of(columns) for columns in self.database.rows(query, (self.now()[1],))]

    def documents(self, prefix: Namespace, after: int = 0) -> Iterator[tuple[Namespace, str, State]]:
        query = (
            "SELECT id FROM concordant_documents WHERE namespace >= ? AND namespace < ? "
            f"{'AND saved > ? ' if after else ''}ORDER BY id"
        )
        return self._load([id_ for (id_,) in self.database.rows(query, (*bounds(prefix), *([after] if after else [])))])

    def showing(
        self, prefix: Namespace, conditions: Sequence[Condition] = ()
    ) -> Iterator[tuple[Namespace, str, State]]:
        pages = listing.candidates(self.database, self._projection, prefix, conditions, self.time())
        return chain.from_iterable(map(self._load, pages))

    def namespaces(self, prefix: Namespace) -> Iterator[tuple[Namespace, bool | None]]:
        return listing.namespaces(self.database, self._projection, prefix, self.time())

    def _load(self, ids: Sequence[int]) -> Iterator[tuple[Namespace, str, State]]:
        for start in range(0, len(ids), listing.PAGE):
            page = ids[start : start + listing.PAGE]
            marks = ", ".join("?" * len(page))
            query = f"SELECT {DOCUMENT} FROM concordant_documents WHERE id IN ({marks}) ORDER BY id"
            for columns in self.database.rows(query, page):
                place = document_of(columns)
                yield *place, self._loaded(columns, place, self.database.rows)

    def _rows(self, found: Sequence[Columns], place: Place) -> Iterator[Row]:
        for columns in found:
            try:
                row = load_row(columns, *place)
            except (ValueError, TypeError) as error:
                raise DamagedDocumentError(self.database.place, *place, f"row {columns[0]}: {error}") from error
            yield row

    def changes(self, after: Any = None) -> tuple[Any, Sequence[Place]]:
        ((n,),) = self.database.rows("SELECT n FROM concordant_store")
        query = "SELECT id, namespace, key FROM concordant_documents WHERE version > ? ORDER BY version"
        return n, [document_of(columns) for columns in self.database.rows(query, (after or 0,))]

    # -- other models --------------------------------------------------------------------------------------------

    def outdated(self, models: str) -> tuple[int, Iterator[tuple[Namespace, str, State]]]:
        ((n, noted),) = self.database.rows(_SURVEY, (models,))
        after = 0
        if noted is None:
            self._surveyed.pop(models, None)
        else:
            after = self._surveyed[models] = max(noted, self._surveyed.get(models, 0))
            if n <= after:
                return n, iter(())
        query = "SELECT DISTINCT namespace, fingerprint FROM concordant_documents WHERE version > ?"
        ids: list[int] = []
        for name, fingerprint in self.database.rows(query, (after,)):
            namespace = load_namespace(name)
            if self._projection.shape(namespace) and not is_present(
                fingerprint, self._projection.fingerprint(namespace)
            ):
                same, known = ("IS NULL", ()) if fingerprint is None else ("= ?", (fingerprint,))
                query = (
                    f"SELECT id FROM concordant_documents WHERE namespace = ? AND version > ? AND fingerprint {same}"
                )
                ids += [id_ for (id_,) in self.database.rows(query, (name, after, *known))]
        return n, self._load(sorted(ids))

    def surveyed(self, models: str, n: int, *, changed: bool) -> None:
        def run(tx: Writing) -> None:
            if changed:  # what others look at may be otherwise now
                tx.run("DELETE FROM concordant_surveys WHERE models <> ?", (models,))
            tx.run(_SURVEYED, (models, n))

        known, self._surveyed[models] = self._surveyed.get(models), n
        if changed or known is None or n - known >= SURVEY:
            self.database.write(run)

    def redeclared(self, recast: Callable[[Namespace, State], State]) -> None:
        self._cache.clear()

    # -- the journal ---------------------------------------------------------------------------------------------

    def rows(self, namespace: Namespace, key: str) -> Iterator[Row]:
        query = f"SELECT {JOURNAL} FROM concordant_journal WHERE document = {_ID} ORDER BY n DESC"
        found = self.database.rows(query, (dump_namespace(namespace), dump_key(key)))
        return self._rows(found, (namespace, key))

    def journal(self, prefix: Namespace, agent: str | None, before: int | None, limit: int) -> Sequence[Row]:
        columns = ", ".join("j." + name for name in JOURNAL.split(", "))
        only = (" AND j.agent = ?" if agent is not None else "") + (" AND j.n < ?" if before is not None else "")
        query = (
            f"SELECT d.namespace, d.key, {columns} FROM concordant_journal j JOIN concordant_documents d "
            f"ON d.id = j.document WHERE d.namespace >= ? AND d.namespace < ?{only} ORDER BY j.n DESC LIMIT ?"
        )
        narrowed = [value for value in (agent, before) if value is not None]
        found = self.database.rows(query, (*bounds(prefix), *narrowed, limit))
        return [load_row(row[2:], load_namespace(row[0]), load_key(row[1])) for row in found]

    def puts_of(self, task: str, namespace: Namespace, key: str) -> Iterator[Row]:
        query = f"SELECT {JOURNAL} FROM concordant_journal WHERE task = ? AND document = {_ID} ORDER BY n DESC"
        found = self.database.rows(query, (task, dump_namespace(namespace), dump_key(key)))
        return self._rows(found, (namespace, key))

    def executed_before(self, task: str, execution: str) -> bool:
        query = "SELECT 1 FROM concordant_journal WHERE task = ? AND execution <> ? LIMIT 1"
        return bool(self.database.rows(query, (task, execution)))

    # -- escalations ---------------------------------------------------------------------------------------------

    def open_of(self, place: Place) -> Mapping[str, Escalation]:
        query = (
            "SELECT id, body FROM concordant_escalations "
            "WHERE namespace = ? AND key = ? AND state IN ('open', 'claimed') ORDER BY n, place"
        )
        found = self.database.rows(query, (dump_namespace(place[0]), dump_key(place[1])))
        return {id_: load_escalation(body) for id_, body in found}

    def find_closed(self, id_: str) -> Escalation | None:
        query = "SELECT body FROM concordant_escalations WHERE id = ? AND state NOT IN ('open', 'claimed')"
        found = self.database.rows(query, (id_,))
        return load_escalation(found[0][0]) if found else None

    def escalation(self, id_: str) -> Escalation | None:
        query = f"SELECT body FROM concordant_escalations e WHERE id = ? AND {_NOT_OVER}"
        found = self.database.rows(query, (id_, self.time()))
        return load_escalation(found[0][0]) if found else None

    def escalations(self, prefix: Namespace, state: str) -> Iterator[Escalation]:
        states = _STATES.get(state) or f"('{state}')"
        query = (
            f"SELECT body FROM concordant_escalations e WHERE state IN {states} "
            f"AND namespace >= ? AND namespace < ? AND {_NOT_OVER} "
            "ORDER BY state IN ('open', 'claimed') DESC, n, place"
        )
        open_: dict[Place, list[Escalation]] = {}  # those of one document stand together
        closed: list[Escalation] = []
        for (body,) in self.database.rows(query, (*bounds(prefix), self.time())):
            found = load_escalation(body)
            if found.state in ("open", "claimed"):
                open_.setdefault((found.namespace, found.key), []).append(found)
            else:
                closed.append(found)
        return chain(*open_.values(), closed)

    def totals(self) -> Totals:
        rows = self.database.rows
        settled: dict[str, int] = {}
        for (policies,) in rows("SELECT settled FROM concordant_journal WHERE settled IS NOT NULL"):
            for _, policy in from_json(policies):
                settled[policy] = settled.get(policy, 0) + 1
        return Totals(
            rows("SELECT count(*) FROM concordant_documents")[0][0],
            dict(rows("SELECT act, count(*) FROM concordant_journal GROUP BY act")),
            settled,
            dict(rows("SELECT state, count(*) FROM concordant_escalations GROUP BY state")),
            self._outcomes(),
        )

    def _outcomes(self) -> Outcomes:
        found: Outcomes = {}
        query = (
            "SELECT j.n, d.namespace, j.act, j.body, j.met FROM concordant_journal j "
            "JOIN concordant_documents d ON d.id = j.document WHERE j.n > ? ORDER BY j.n LIMIT 10000"
        )
        last = -1
        while page := self.database.rows(query, (last,)):
            last = page[-1][0]
            counted(
                ((load_namespace(name), act, body, from_json(met or "{}")) for _, name, act, body, met in page), found
            )
        return found

    # -- other stores, upkeep ------------------------------------------------------------------------------------

    def knowledge(self) -> Knowledge:
        return maintenance.knowledge(self.database.rows)

    def learn(self, vector: VersionVector, marks: Mapping[str, Marks]) -> None:
        maintenance.learn(self.database, vector, marks)

    def note_export(self, n: int) -> None:
        maintenance.note_export(self.database, n)

    def rename(self, replica: str, upto: int) -> None:
        maintenance.rename(self.database, replica, upto)
        self.replica = replica

    def forget(self, places: Sequence[tuple[Place, int]], rows_before: float) -> Forgotten:
        done = maintenance.forget(self.database, places, rows_before, self.limits.backlog)
        for place, _ in places:
            self._cache.drop(place)
        return done

    def examine_store(self) -> StoreExamined:
        return maintenance.examine_store(self.database)

    def examine(self, place: Place | None = None) -> Iterator[Examined]:
        return maintenance.examine(self.database, place)

    def set_aside(self, places: Sequence[tuple[Place, str]]) -> int:
        done = maintenance.set_aside(self.database, places)
        for place, _ in places:
            self._cache.drop(place)
        return done

    def close(self) -> None:
        clocks.look_no_more(self._look)
        self.events.closed = True
        self.database.close()
