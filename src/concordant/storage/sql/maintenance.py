"""What a database notes about other stores, how it forgets what is old, and how it is verified."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from pydantic_core import from_json, to_json

from concordant.merge.causality import VersionVector
from concordant.merge.record import Record
from concordant.storage.base import Examined, Forgotten, Knowledge, Place, Row, StoreExamined
from concordant.storage.encoding import (
    DOCUMENT,
    JOURNAL,
    StoredDocument,
    StoredRow,
    dump_key,
    dump_namespace,
    load_escalation,
    load_row,
    load_state,
)
from concordant.storage.knowledge import BEGUN, Marks, newer, noted
from concordant.storage.sql.database import Database, SqlTransaction
from concordant.storage.sql.events import forget_events
from concordant.values import ABSENT

__all__ = ["examine", "examine_store", "forget", "knowledge", "learn", "note_export", "rename", "set_aside"]

Rows: TypeAlias = Callable[..., list[tuple[Any, ...]]]

PAGE = 1_000
"""How many documents are forgotten in one transaction, or looked at in one step: others wait that long."""

_LEARN = (
    "INSERT INTO concordant_peers (replica, n) VALUES (?, ?) "
    "ON CONFLICT (replica) DO UPDATE SET n = excluded.n WHERE excluded.n > concordant_peers.n"
)


def knowledge(rows: Rows) -> Knowledge:
    """What the store knows.

    Args:
        rows: what asks the database: from inside a transaction its own, which needs no other connection.
    """
    ((replica, n, forgotten, exported, own),) = rows(
        "SELECT replica, n, forgotten, exported, marks FROM concordant_store"
    )
    vector: VersionVector = {}
    gone: VersionVector = {}
    marks: dict[str, Marks] = {}
    for name, known, then, told in rows("SELECT replica, n, forgotten, marks FROM concordant_peers"):
        vector[name] = known
        gone[name] = then
        marks[name] = _load(told)
    vector[replica] = n
    gone[replica] = forgotten
    marks[replica] = _load(own)
    return Knowledge(replica, vector, {name: upto for name, upto in gone.items() if upto}, exported, marks)


def learn(database: Database, vector: VersionVector, marks: Mapping[str, Marks]) -> None:
    """Notes what is known of other stores."""

    def run(tx: SqlTransaction) -> None:
        for replica, n in vector.items():
            tx.run(_LEARN, (replica, n))
        for replica, told in marks.items():
            found = tx.rows("SELECT marks FROM concordant_peers WHERE replica = ?", (replica,))
            if found and (known := _load(found[0][0])) != (best := newer(known, told)):
                tx.run("UPDATE concordant_peers SET marks = ? WHERE replica = ?", (_dump(best), replica))

    database.write(run)


def note_export(database: Database, n: int) -> None:
    """Notes what other stores may know of this one."""

    def run(tx: SqlTransaction) -> None:
        ((exported, marks),) = tx.rows("SELECT exported, marks FROM concordant_store")
        after = noted(_load(marks), tx.n, tx.clock)
        if exported < n or after != _load(marks):
            query = "UPDATE concordant_store SET exported = ?, marks = ?"
            tx.run(query, (max(exported, n), _dump(after)))

    database.write(run)


def rename(database: Database, replica: str, upto: int) -> None:
    """Gives the store another name."""

    def run(tx: SqlTransaction) -> None:
        ((old,),) = tx.rows("SELECT replica FROM concordant_store")
        tx.run(_LEARN, (old, upto))
        tx.run("UPDATE concordant_peers SET marks = '[]' WHERE replica = ?", (old,))
        tx.run("UPDATE concordant_store SET replica = ?, marks = ?", (replica, _dump(BEGUN)))

    database.write(run)


def forget(database: Database, places: Sequence[tuple[Place, int]], rows_before: float, most_events: int) -> Forgotten:
    """Deletes deleted documents, old journal rows, old events and those beyond so many, a page in each transaction."""
    documents = 0
    for start in range(0, len(places), PAGE):
        page = places[start : start + PAGE]
        documents += database.write(lambda tx, page=page: _forget_documents(tx, page))  # type: ignore[misc]
    return Forgotten(documents, database.write(lambda tx: _forget_rows(tx, rows_before, most_events)))


def _forget_documents(tx: SqlTransaction, places: Sequence[tuple[Place, int]]) -> int:
    newest = gone = 0
    for (namespace, key), version in places:
        name = (dump_namespace(namespace), dump_key(key))
        query = "SELECT id FROM concordant_documents WHERE namespace = ? AND key = ? AND version = ?"
        for (id_,) in tx.rows(query, (*name, version)):
            tx.run("DELETE FROM concordant_journal WHERE document = ?", (id_,))
            tx.run("DELETE FROM concordant_events WHERE document = ?", (id_,))
            tx.run("DELETE FROM concordant_escalations WHERE namespace = ? AND key = ?", name)
            tx.run("DELETE FROM concordant_documents WHERE id = ?", (id_,))
            newest = max(newest, version)
            gone += 1
    if gone:
        tx.run("UPDATE concordant_store SET forgotten = ? WHERE forgotten < ?", (newest, newest))
        tx.run("UPDATE concordant_peers SET forgotten = n")
    return gone


def _forget_rows(tx: SqlTransaction, before: float, most_events: int) -> int:
    ((count, upto),) = tx.rows("SELECT count(*), max(n) FROM concordant_journal WHERE time < ?", (before,))
    if count:
        tx.run("UPDATE concordant_store SET trimmed = ? WHERE trimmed < ?", (upto, upto))
        tx.run("DELETE FROM concordant_journal WHERE time < ?", (before,))
    forget_events(tx, before, most_events)
    return int(count)


def _load(text: str) -> Marks:
    return tuple((n, digest) for n, digest in from_json(text))


def _dump(marks: Marks) -> str:
    return to_json(marks).decode()


def examine_store(database: Database) -> StoreExamined:
    """Looks at what does not belong to one document."""
    ((newest,),) = database.rows(
        "SELECT coalesce(max(n), 0) FROM (SELECT max(version) AS n FROM concordant_documents UNION ALL "
        "SELECT max(saved) FROM concordant_documents UNION ALL SELECT max(n) FROM concordant_journal) numbers"
    )
    ((strays,),) = database.rows(
        "SELECT (SELECT count(*) FROM concordant_journal j WHERE NOT EXISTS "
        "(SELECT 1 FROM concordant_documents d WHERE d.id = j.document)) + "
        "(SELECT count(*) FROM concordant_escalations e WHERE e.state IN ('open', 'claimed') AND NOT EXISTS "
        "(SELECT 1 FROM concordant_documents d WHERE d.namespace = e.namespace AND d.key = e.key))"
    )
    ((n, trimmed),) = database.rows("SELECT n, trimmed FROM concordant_store")
    return StoreExamined(n, newest, trimmed, strays, database.damage())


def examine(database: Database, place: Place | None = None) -> Iterator[Examined]:
    """What is stored of all documents, oldest first, or of one: of that as it is between two commits."""
    if place is not None:
        where, name = "namespace = ? AND key = ?", (dump_namespace(place[0]), dump_key(place[1]))
        yield from database.write(lambda tx: list(_page(tx.rows, where, name)))
        return
    last = -1
    while page := database.rows(f"SELECT id FROM concordant_documents WHERE id > ? ORDER BY id LIMIT {PAGE}", (last,)):
        for (id_,) in page:
            yield from _page(database.rows, "id = ?", (id_,))
        last = page[-1][0]


def _page(rows: Rows, where: str, parameters: Sequence[Any]) -> Iterator[Examined]:
    for columns in rows(f"SELECT {DOCUMENT} FROM concordant_documents WHERE {where}", parameters):
        yield _examined(rows, StoredDocument._make(columns))


def _examined(rows: Rows, stored: StoredDocument) -> Examined:
    troubles: list[str] = []
    place: Place = ((), "")
    state = None
    with _noting("its name", troubles):
        place = stored.place
    with _noting("it", troubles):
        state = load_state(stored, place)
    found = rows(f"SELECT {JOURNAL} FROM concordant_journal WHERE document = ? ORDER BY n DESC", (stored.id,))
    journal: list[Row] | None = None
    with _noting("its journal", troubles):
        journal = [_row(StoredRow._make(part), place) for part in found]
    query = (
        "SELECT id, body FROM concordant_escalations WHERE namespace = ? AND key = ? AND state IN ('open', 'claimed')"
    )
    questions = rows(query, (stored.namespace, stored.key))
    with _noting("an open question of it", troubles):
        for _, body in questions:
            load_escalation(body)
    return Examined(
        place,
        state,
        stored.value if isinstance(state, Record) else ABSENT,
        stored.fingerprint if isinstance(state, Record) else None,
        stored.version,
        stored.open or 0,
        frozenset(id_ for id_, _ in questions),
        journal,
        "; ".join(troubles) or None,
    )


def _row(stored: StoredRow, place: Place) -> Row:
    try:
        return load_row(stored, place)
    except Exception as error:
        raise ValueError(f"row {stored.n}: {error}") from error


class _noting:
    """Notes why something cannot be read, whatever the reason is, and goes on."""

    def __init__(self, what: str, troubles: list[str]) -> None:
        self._what = what
        self._troubles = troubles

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> bool:
        if not isinstance(error, Exception):
            return False
        self._troubles.append(f"{self._what} cannot be read ({type(error).__name__}: {error})"[:300])
        return True


def set_aside(database: Database, places: Sequence[tuple[Place, str]]) -> int:
    """Moves documents, with all that is stored of them, to a table where nobody reads; returns how many."""

    def run(tx: SqlTransaction, place: Place, reason: str) -> int:
        name = (dump_namespace(place[0]), dump_key(place[1]))
        moved = 0
        for (id_,) in tx.rows("SELECT id FROM concordant_documents WHERE namespace = ? AND key = ?", name):
            kept = {
                table: [[_plain(part) for part in row] for row in tx.rows(f"SELECT * FROM {table} WHERE {where}", of)]
                for table, where, of in _parts(id_, name)
            }
            row = (id_, *name, tx.now, reason, to_json(kept))
            tx.run(
                "INSERT INTO concordant_quarantine (document, namespace, key, time, reason, content) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                row,
            )
            for table, where, of in _parts(id_, name):
                tx.run(f"DELETE FROM {table} WHERE {where}", of)
            moved += 1
        return moved

    return sum(database.write(lambda tx, one=one: run(tx, *one)) for one in places)  # type: ignore[misc]


def _parts(id_: int, name: tuple[str, str]) -> list[tuple[str, str, tuple[Any, ...]]]:
    """The tables that have something of a document, with what finds it there."""
    return [
        ("concordant_journal", "document = ?", (id_,)),
        ("concordant_events", "document = ?", (id_,)),
        ("concordant_escalations", "namespace = ? AND key = ?", name),
        ("concordant_documents", "id = ?", (id_,)),
    ]


def _plain(part: Any) -> Any:
    if isinstance(part, (bytes, bytearray, memoryview)):
        return {"base64": base64.b64encode(bytes(part)).decode()}
    return part
