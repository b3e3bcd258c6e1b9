"""What a database notes about other stores, and how it forgets what is old."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from pydantic_core import from_json, to_json

from concordant.causal import VersionVector
from concordant.storage.base import Forgotten, Knowledge, Place
from concordant.storage.database import Database, Writing
from concordant.storage.lineage import BEGUN, Marks, newer, noted
from concordant.storage.sql_events import forget_events
from concordant.storage.tables import dump_key, dump_namespace

__all__ = ["forget", "knowledge", "learn", "note_export", "rename"]

Rows: TypeAlias = Callable[[str], list[tuple[Any, ...]]]

PAGE = 1_000
"""How many documents are forgotten in one transaction: other writers wait that long."""

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

    def run(tx: Writing) -> None:
        for replica, n in vector.items():
            tx.run(_LEARN, (replica, n))
        for replica, told in marks.items():
            found = tx.rows("SELECT marks FROM concordant_peers WHERE replica = ?", (replica,))
            if found and (known := _load(found[0][0])) != (best := newer(known, told)):
                tx.run("UPDATE concordant_peers SET marks = ? WHERE replica = ?", (_dump(best), replica))

    database.write(run)


def note_export(database: Database, n: int) -> None:
    """Notes what other stores may know of this one."""

    def run(tx: Writing) -> None:
        ((exported, marks),) = tx.rows("SELECT exported, marks FROM concordant_store")
        after = noted(_load(marks), tx.n, tx.clock)
        if exported < n or after != _load(marks):
            query = "UPDATE concordant_store SET exported = ?, marks = ?"
            tx.run(query, (max(exported, n), _dump(after)))

    database.write(run)


def rename(database: Database, replica: str, upto: int) -> None:
    """Gives the store another name."""

    def run(tx: Writing) -> None:
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


def _forget_documents(tx: Writing, places: Sequence[tuple[Place, int]]) -> int:
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


def _forget_rows(tx: Writing, before: float, most_events: int) -> int:
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
