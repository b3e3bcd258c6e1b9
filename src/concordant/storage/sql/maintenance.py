"""What a database notes about other stores, how it forgets what is old, and how it is verified."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from pydantic_core import from_json, to_json

from concordant.errors import DamagedDocumentError, told
from concordant.merge.causality import VersionVector
from concordant.merge.record import Record
from concordant.storage.base import Address, Examined, Forgotten, Knowledge, Row, StoreExamined
from concordant.storage.cut import Cut, as_vector, clock_names, clock_of, cut_of, part
from concordant.storage.durable import load_whole
from concordant.storage.encoding import (
    DOCUMENT,
    JOURNAL,
    RottenError,
    StoredDocument,
    StoredRow,
    dump_key,
    dump_namespace,
    load_escalation,
    load_row,
    pack,
)
from concordant.storage.knowledge import BEGUN, Marks, newer, noted
from concordant.storage.sql.database import Columns, Database, SqlTransaction
from concordant.storage.sql.events import forget_events
from concordant.storage.sql.source import GivenBodies, Rows, SqlSource
from concordant.storage.sql.tallies import dropped_of, dropped_upto
from concordant.storage.tails import Checkpoint, folded
from concordant.values import ABSENT

__all__ = [
    "erase",
    "examine",
    "examine_store",
    "forget",
    "knowledge",
    "learn",
    "note",
    "note_export",
    "put_checkpoint",
    "rename",
    "rename_in",
    "set_aside",
]

PAGE = 1_000
"""How many documents are forgotten in one transaction, or looked at in one step: others wait that long."""

_LEARN = (
    "INSERT INTO concordant_peers (replica, n) VALUES (?, ?) "
    "ON CONFLICT (replica) DO UPDATE SET n = excluded.n WHERE excluded.n > concordant_peers.n"
)
_PUT_TREE = (
    "INSERT INTO concordant_checkpoints (clock, document, n, version, record) VALUES (?, ?, ?, ?, ?) ON CONFLICT "
    "(clock, document) DO UPDATE SET n = excluded.n, version = excluded.version, record = excluded.record"
)


def knowledge(rows: Rows) -> Knowledge:
    """Tells what the store knows.

    Args:
        rows: what asks the database: from inside a transaction its own, which needs no other connection.
    """
    ((replica,),) = rows("SELECT replica FROM concordant_store")
    clocks = rows("SELECT n, forgotten, exported, marks FROM concordant_clocks ORDER BY clock")
    vector: VersionVector = {}
    gone: VersionVector = {}
    marks: dict[str, Marks] = {}
    for name, known, then, text in rows("SELECT replica, n, forgotten, marks FROM concordant_peers"):
        vector[name] = known
        gone[name] = then
        marks[name] = _load(text, name)
    for name, (known, then, _, text) in zip(clock_names(replica, len(clocks)), clocks, strict=True):
        vector[name] = known
        gone[name] = then
        marks[name] = _load(text)
    forgotten = {name: upto for name, upto in gone.items() if upto}
    exported = cut_of([n for _, _, n, _ in clocks])
    return Knowledge(replica, vector, forgotten, exported, marks, len(clocks))


def learn(database: Database, vector: VersionVector, marks: Mapping[str, Marks]) -> None:
    """Notes what is known of other stores."""

    def run(tx: SqlTransaction) -> None:
        for replica, n in vector.items():
            tx.run(_LEARN, (replica, n))
        for replica, news in marks.items():
            found = tx.rows("SELECT marks FROM concordant_peers WHERE replica = ?", (replica,))
            if found and (known := _load(found[0][0], replica)) != (best := newer(known, news)):
                tx.run("UPDATE concordant_peers SET marks = ? WHERE replica = ?", (_dump(best), replica))

    database.write(run)


def note(database: Database, texts: Mapping[str, str]) -> None:
    """Notes texts under their names."""
    query = (
        "INSERT INTO concordant_notes (name, text) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET text = excluded.text"
    )

    def run(tx: SqlTransaction) -> None:
        for named in texts.items():
            tx.run(query, named)

    database.write(run)


def note_export(database: Database, upto: Cut) -> None:
    """Notes what other stores may know of this one."""

    def run(tx: SqlTransaction) -> None:
        for clock, exported, marks in tx.rows("SELECT clock, exported, marks FROM concordant_clocks"):
            n, after = part(upto, clock), noted(_load(marks), *tx.heads[clock])
            if exported < n or after != _load(marks):
                query = "UPDATE concordant_clocks SET exported = ?, marks = ? WHERE clock = ?"
                tx.run(query, (max(exported, n), _dump(after), clock))

    database.write(run)


def rename(database: Database, replica: str, upto: Cut) -> None:
    """Gives the store another name."""
    database.write(lambda tx: rename_in(tx, replica, upto))


def rename_in(tx: SqlTransaction, replica: str, upto: Cut) -> None:
    """Gives the store another name in a transaction."""
    ((old,),) = tx.rows("SELECT replica FROM concordant_store")
    for name, n in as_vector(old, upto).items():
        tx.run(_LEARN, (name, n))
        tx.run("UPDATE concordant_peers SET marks = '[]' WHERE replica = ?", (name,))
    tx.run("UPDATE concordant_store SET replica = ?", (replica,))
    tx.run("UPDATE concordant_clocks SET marks = ?", (_dump(BEGUN),))


def forget(
    database: Database, addresses: Sequence[tuple[Address, int]], rows_before: float, most_events: int, clocks: int
) -> Forgotten:
    """Deletes deleted documents, old journal rows, old events and those beyond so many, a page in each transaction."""
    documents = 0
    for start in range(0, len(addresses), PAGE):
        page = addresses[start : start + PAGE]
        documents += database.write(lambda tx, page=page: _forget_documents(tx, page, clocks))  # type: ignore[misc]
    return Forgotten(documents, database.write(lambda tx: _forget_rows(tx, rows_before, most_events, clocks)))


def _forget_documents(tx: SqlTransaction, addresses: Sequence[tuple[Address, int]], clocks: int) -> int:
    newest: dict[int, int] = {}
    gone = 0
    for (namespace, key), version in addresses:
        clock, name = version % clocks, (dump_namespace(namespace), dump_key(key))
        query = "SELECT id FROM concordant_documents WHERE clock = ? AND namespace = ? AND key = ? AND version = ?"
        for (id_,) in tx.rows(query, (clock, *name, version)):
            erase(tx, clock, clocks, id_, name)
            newest[clock] = max(newest.get(clock, 0), version)
            gone += 1
    for clock, n in newest.items():
        tx.run("UPDATE concordant_clocks SET forgotten = ? WHERE clock = ? AND forgotten < ?", (n, clock, n))
    if gone:
        tx.run("UPDATE concordant_peers SET forgotten = n")
    return gone


def _free_rows(tx: SqlTransaction, before: float, clocks: int) -> None:
    """Stores anew what only rows of before a time tell: trees of documents, and what later rows were given."""
    query = (
        f"SELECT {DOCUMENT} FROM concordant_documents d WHERE kept IS NOT NULL AND EXISTS (SELECT 1 FROM "
        "concordant_journal j WHERE j.clock = d.clock AND j.document = d.id AND j.n > d.kept AND j.time < ?)"
    )
    source = SqlSource(tx.rows, clocks)
    for columns in tx.rows(query, (before,)):
        stored = StoredDocument._make(columns)
        old = source.checkpoint(stored)
        if old is None:
            continue  # it is damaged: whoever reads it is told
        tree = folded(stored, old, source.tail(stored, old.version))
        put_checkpoint(tx, stored, tree, clocks)
        tx.run(
            "UPDATE concordant_documents SET kept = ?, whole = ?, tail = 0 WHERE clock = ? AND id = ?",
            (tree.n, len(tree.record), stored.id % clocks, stored.id),
        )
    query = (
        "SELECT j.n, j.base, j.body FROM concordant_journal j JOIN concordant_journal b ON b.clock = j.clock "
        "AND b.n = j.base WHERE j.time >= ? AND b.time < ?"
    )
    found = tx.rows(query, (before, before))
    bodies = GivenBodies(tx.rows, clocks, found)
    for n, base, body in found:
        whole = bodies.body(n, base, body)
        assert whole is not None
        tx.run(
            "UPDATE concordant_journal SET body = ?, base = 0 WHERE clock = ? AND n = ?",
            (pack(whole, None), n % clocks, n),
        )


def _forget_rows(tx: SqlTransaction, before: float, most_events: int, clocks: int) -> int:
    query = "SELECT clock, count(*), max(n) FROM concordant_journal WHERE time < ? GROUP BY clock"
    found = tx.rows(query, (before,))
    for clock, _, upto in found:
        dropped_upto(tx, clock, clocks, upto)
        tx.run("UPDATE concordant_clocks SET trimmed = ? WHERE clock = ? AND trimmed < ?", (upto, clock, upto))
    if found:
        _free_rows(tx, before, clocks)
        tx.run("DELETE FROM concordant_journal WHERE time < ?", (before,))
    forget_events(tx, before, most_events)
    return sum(int(count) for _, count, _ in found)


def _load(text: str, name: str | None = None) -> Marks:
    try:
        return tuple((n, digest) for n, digest in from_json(text))
    except (ValueError, TypeError) as error:
        whose = "of the store's own commits" if name is None else f"of the commits of the store {told(name)}"
        what = f"the marks {whose} are rotten ({told(text, 80)})"
        raise RottenError(f"{what}: restore the database from a back-up") from error


def _dump(marks: Marks) -> str:
    return to_json(marks).decode()


def examine_store(database: Database) -> StoreExamined:
    """Looks at what does not belong to one document."""
    newest = database.rows(
        "SELECT (SELECT coalesce(max(n), 0) FROM (SELECT max(version) AS n FROM concordant_documents d "
        "WHERE d.clock = c.clock UNION ALL SELECT max(saved) FROM concordant_documents d WHERE d.clock = c.clock "
        "UNION ALL SELECT max(n) FROM concordant_journal j WHERE j.clock = c.clock) numbers) "
        "FROM concordant_clocks c ORDER BY c.clock"
    )
    ((strays,),) = database.rows(
        "SELECT (SELECT count(*) FROM concordant_journal j WHERE NOT EXISTS "
        "(SELECT 1 FROM concordant_documents d WHERE d.clock = j.clock AND d.id = j.document)) + "
        "(SELECT count(*) FROM concordant_escalations e WHERE e.state IN ('open', 'claimed') AND NOT EXISTS "
        "(SELECT 1 FROM concordant_documents d "
        "WHERE d.clock = e.clock AND d.namespace = e.namespace AND d.key = e.key))"
    )
    found = database.rows("SELECT n, trimmed FROM concordant_clocks ORDER BY clock")
    n, trimmed = (cut_of(each) for each in zip(*found, strict=True))
    numbers = [number if isinstance(number, int) else 0 for (number,) in newest]  # what is none is told at its row
    return StoreExamined(n, cut_of(numbers), trimmed, strays, database.damage())


def examine(database: Database, clocks: int, address: Address | None = None) -> Iterator[Examined]:
    """Tells what is stored of all documents, oldest first, or of one: of that as it is between two commits."""
    if address is not None:
        clock = clock_of(address, clocks)
        where, name = (
            "clock = ? AND namespace = ? AND key = ?",
            (clock, dump_namespace(address[0]), dump_key(address[1])),
        )
        yield from database.write(lambda tx: list(_page(tx.rows, where, name, clocks)), [clock])
        return
    last = -1
    while page := database.rows(f"SELECT id FROM concordant_documents WHERE id > ? ORDER BY id LIMIT {PAGE}", (last,)):
        for (id_,) in page:
            yield from _page(database.rows, "id = ?", (id_,), clocks)
        last = page[-1][0]


def _page(rows: Rows, where: str, parameters: Sequence[Any], clocks: int) -> Iterator[Examined]:
    try:
        found = rows(f"SELECT clock, {DOCUMENT} FROM concordant_documents WHERE {where}", parameters)
    except DamagedDocumentError as error:
        yield Examined((error.namespace, error.key), None, ABSENT, None, 0, 0, frozenset(), None, error.reason)
        return
    for clock, *columns in found:
        yield _examined(rows, clock, StoredDocument._make(columns), clocks)


def _examined(rows: Rows, clock: int, stored: StoredDocument, clocks: int) -> Examined:
    troubles: list[str] = []
    address: Address = ((), "")
    state = None
    with _noting("its name", troubles):
        address = stored.address
    with _noting("it", troubles):
        _, state = load_whole(stored, address, SqlSource(rows, clocks))
    query = f"SELECT {JOURNAL} FROM concordant_journal WHERE clock = ? AND document = ? ORDER BY n DESC"
    journal: list[Row] | None = None
    with _noting("its journal", troubles):
        kept = [StoredRow._make(row) for row in rows(query, (clock, stored.id))]
        bodies = GivenBodies(rows, clocks, ((row.n, row.base, row.body) for row in kept))
        journal = [_row(row, address, bodies) for row in kept]
    query = (
        "SELECT id, body FROM concordant_escalations "
        "WHERE clock = ? AND namespace = ? AND key = ? AND state IN ('open', 'claimed')"
    )
    questions: list[Columns] = []
    with _noting("an open question of it", troubles):
        questions = rows(query, (clock, stored.namespace, stored.key))
        for _, body in questions:
            load_escalation(body)
    return Examined(
        address,
        state,
        stored.value if isinstance(state, Record) and stored.kept is None else ABSENT,
        stored.fingerprint if isinstance(state, Record) else None,
        stored.version,
        stored.open or 0,
        frozenset(id_ for id_, _ in questions),
        journal,
        "; ".join(troubles) or None,
    )


def _row(stored: StoredRow, address: Address, bodies: GivenBodies) -> Row:
    try:
        return load_row(bodies.row(stored), address)
    except Exception as error:
        raise ValueError(f"row {stored.n}: {error}") from error


@contextmanager
def _noting(what: str, troubles: list[str]) -> Iterator[None]:
    """Notes why something cannot be read, whatever the reason is, and goes on."""
    try:
        yield
    except Exception as error:
        troubles.append(f"{what} cannot be read ({type(error).__name__}: {error})"[:300])


def put_checkpoint(tx: SqlTransaction, stored: StoredDocument, tree: Checkpoint | None, clocks: int) -> None:
    """Stores the tree of a document apart; ``None``: it is not apart any more."""
    address = (stored.id % clocks, stored.id)
    if tree is None:
        tx.run("DELETE FROM concordant_checkpoints WHERE clock = ? AND document = ?", address)
    else:
        tx.run(_PUT_TREE, (*address, *tree))


def set_aside(database: Database, addresses: Sequence[tuple[Address, str]], clocks: int) -> int:
    """Moves documents, with all that is stored of them, to a table where nobody reads; returns how many."""

    def run(tx: SqlTransaction, clock: int, address: Address, reason: str) -> int:
        name = (dump_namespace(address[0]), dump_key(address[1]))
        query = "SELECT id FROM concordant_documents WHERE clock = ? AND namespace = ? AND key = ?"
        moved = 0
        for (id_,) in tx.rows(query, (clock, *name)):
            kept = {
                table: [[_plain(one) for one in row] for row in tx.raw(f"SELECT * FROM {table} WHERE {where}", of)]
                for table, where, of in _parts(clock, id_, name)
            }
            row = (clock, id_, *name, tx.now, reason, to_json(kept))
            tx.run(
                "INSERT INTO concordant_quarantine (clock, document, namespace, key, time, reason, content) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                row,
            )
            erase(tx, clock, clocks, id_, name)
            moved += 1
        return moved

    clocked = [(clock_of(address, clocks), address, reason) for address, reason in addresses]
    return sum(database.write(lambda tx, one=one: run(tx, *one), [one[0]]) for one in clocked)  # type: ignore[misc]


def erase(tx: SqlTransaction, clock: int, clocks: int, id_: int, name: tuple[str, str], *, itself: bool = True) -> None:
    """Deletes all that is stored of a document, ``itself`` too or not."""
    dropped_of(tx, clock, clocks, id_)
    for table, where, of in _parts(clock, id_, name):
        if itself or table != "concordant_documents":
            tx.run(f"DELETE FROM {table} WHERE {where}", of)


def _parts(clock: int, id_: int, name: tuple[str, str]) -> list[tuple[str, str, tuple[Any, ...]]]:
    """Gives the tables that have something of a document, with what finds it there."""
    return [
        ("concordant_journal", "clock = ? AND document = ?", (clock, id_)),
        ("concordant_checkpoints", "clock = ? AND document = ?", (clock, id_)),
        ("concordant_events", "clock = ? AND document = ?", (clock, id_)),
        ("concordant_escalations", "clock = ? AND namespace = ? AND key = ?", (clock, *name)),
        ("concordant_documents", "clock = ? AND namespace = ? AND key = ?", (clock, *name)),
    ]


def _plain(given: Any) -> Any:
    if isinstance(given, (bytes, bytearray, memoryview)):
        return {"base64": base64.b64encode(bytes(given)).decode()}
    return given
