"""What questions read: not what was deleted, and of the journal what they ask for, however much there is of both.

``stats`` also tells how many documents a store holds, deleted ones included: that one number is a count of them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Any

import psycopg
import pytest
from pydantic import BaseModel

from benchmarks.writers import calls
from concordant import Scalar, Set
from concordant.storage.encoding import DOCUMENT, JOURNAL
from concordant.storage.postgres import with_marks
from concordant_langgraph import MergeStore

SPACE = ("board", "one")
LIVE, GONE, PAST = 60, 8_000, 12_000
ALL = "SELECT count(*) FROM concordant_documents"


class Board(BaseModel):
    tags: Annotated[set[str], Set()] = set()
    status: Annotated[str | None, Scalar()] = None


SCHEMAS: Mapping[tuple[str, ...], Any] = {SPACE: Board}

QUESTIONS: Mapping[str, Callable[[MergeStore], Any]] = {
    "stats": lambda store: store.workspace.stats(),
    "a search": lambda store: store.search(SPACE, limit=5),
    "a search by a field": lambda store: store.search(SPACE, filter={"status": "draft 7"}),
    "a search everywhere": lambda store: store.search((), filter={"status": "draft 7"}, limit=100),
    "namespaces": lambda store: store.list_namespaces(),
    "a listing": lambda store: list(store.workspace.list(SPACE[:1])),
    "open questions": lambda store: store.workspace.escalations(),
    "the newest of the journal": lambda store: list(store.workspace.log(limit=5)),
    "a document's history": lambda store: list(store.workspace.history(SPACE, "k7")),
}


def begin(store: MergeStore) -> None:
    """Some documents, a question, and one document that was deleted."""
    ws = store.workspace
    for number in range(LIVE):
        store.put(SPACE, f"k{number}", {"status": f"draft {number}", "tags": ["a"]})
        if number % 3 == 0:
            store.put(SPACE, f"k{number}", {"tags": ["a", "b"]})
    began = ws.moment()
    for name in ("ada", "bob"):
        ws.agent(name, began=began).write(SPACE, "k1", {"status": name})
    for _ in range(2):
        store.put(SPACE, "gone", {"status": "old"})
    store.put(("past",), "busy", {"n": 1})
    store.delete(SPACE, "gone")


def age(run: Callable[[str], Any]) -> None:
    """Thousands of documents deleted like the one, and thousands of old rows of the journal."""
    later = "16 * (1000 + g.g)"  # under the same clock
    fields, columns = DOCUMENT.split(", "), JOURNAL.split(", ")
    other = {name: f"d.{name} + {later}" for name in ("id", "version", "saved")} | {"key": "d.key || g.g"}
    given = ", ".join(other.get(name, f"d.{name}") for name in fields)
    run(
        f"INSERT INTO concordant_documents (clock, {', '.join(fields)}) {numbers(GONE)} SELECT d.clock, {given} "
        "FROM concordant_documents d CROSS JOIN g WHERE d.value IS NULL"
    )
    given = ", ".join({"n": f"j.n + {later}"}.get(name, f"j.{name}") for name in columns)
    run(
        f"INSERT INTO concordant_journal (clock, {', '.join(columns)}) {numbers(PAST)} SELECT j.clock, {given} "
        "FROM concordant_journal j JOIN concordant_documents d ON d.clock = j.clock AND d.id = j.document CROSS JOIN g "
        "WHERE d.key = 'busy'"
    )
    run(f"UPDATE concordant_clocks SET n = n + {16 * (1_000 + PAST)}")
    run("ANALYZE")


def numbers(count: int) -> str:
    return f"WITH RECURSIVE g(g) AS (SELECT 1 UNION ALL SELECT g + 1 FROM g WHERE g < {count})"


class Sqlite:
    """Counts the steps that SQLite makes for a statement."""

    def __init__(self, url: str) -> None:
        self.connection = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)

    def run(self, statement: str) -> None:
        self.connection.execute(statement)

    def cost(self, statement: str, parameters: Any) -> int:
        steps = 0

        def step() -> None:
            nonlocal steps
            steps += 1

        self.connection.set_progress_handler(step, 1)
        self.connection.execute(statement, parameters).fetchall()
        self.connection.set_progress_handler(None, 1)
        return steps


class Postgres:
    """Counts the rows that a server looks at for a statement, those that do not fit included."""

    def __init__(self, url: str) -> None:
        self.connection = psycopg.connect(url, autocommit=True)

    def run(self, statement: str) -> None:
        self.connection.execute(statement)

    def cost(self, statement: str, parameters: Any) -> int:
        explained = f"EXPLAIN (ANALYZE, FORMAT JSON) {with_marks(statement)}"
        (((found,),),) = self.connection.execute(explained, parameters).fetchall()
        return looked_at(found["Plan"])


def looked_at(plan: Any) -> int:
    """How many rows of tables a plan looked at."""
    own = 0
    if "Relation Name" in plan:
        seen = ("Actual Rows", "Rows Removed by Filter", "Rows Removed by Index Recheck")
        own = sum(plan.get(name, 0) for name in seen) * plan["Actual Loops"]
    return int(own) + sum(map(looked_at, plan.get("Plans", ())))


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_no_question_reads_what_was_deleted_or_all_of_the_journal(
    kind: str, fresh_url: Callable[[str], str | None]
) -> None:
    """Beside thousands of deleted documents and of old rows of the journal, each question has the database look at as
    much as without them, by the database's own count."""
    url = fresh_url(kind)
    assert url is not None
    server = Sqlite(url) if kind == "sqlite" else Postgres(url)
    found: list[dict[str, int]] = []
    with MergeStore.from_conn_string(url, SCHEMAS) as store:
        begin(store)
        server.run("ANALYZE")
        found.append(spent(store, server))
    age(server.run)
    with MergeStore.from_conn_string(url, SCHEMAS) as store:
        found.append(spent(store, server))
    server.connection.close()
    few, many = found
    for name, before in few.items():
        assert many[name] <= 3 * before + (3_000 if kind == "sqlite" else 800), (name, before, many[name])


def spent(store: MergeStore, server: Sqlite | Postgres) -> dict[str, int]:
    """What each question costs, when it is asked again."""
    database: Any = store.workspace.storage.database  # type: ignore[attr-defined]
    rows, costs = database.rows, dict[str, int]()
    for name, ask in QUESTIONS.items():
        asked: list[tuple[str, Any]] = []
        ask(store)

        def noting(statement: str, given: Any = (), into: list[tuple[str, Any]] = asked) -> Any:
            into.append((statement, given))
            return rows(statement, given)

        database.rows = noting
        ask(store)
        database.rows = rows
        assert asked, name
        costs[name] = sum(server.cost(*one) for one in asked if one[0] != ALL)
    return costs


def test_in_memory_no_listing_passes_what_was_deleted() -> None:
    """Beside thousands of deleted documents each question calls as many functions as without them; counts look at the
    journal, which has a bound there."""
    stores = []
    for gone in (0, 2_000):
        store = MergeStore(SCHEMAS)
        begin(store)
        for number in range(gone):
            store.put(SPACE, f"g{number}", {"status": "old"})
            store.delete(SPACE, f"g{number}")
        stores.append(store)
    for name, ask in QUESTIONS.items():
        if name == "stats":
            continue
        few, many = (calls(partial(ask, store)) for store in stores)
        assert many <= 1.2 * few + 50, (name, few, many)
