"""Counts over the journal: they are right whatever is deleted, and what they cost does not grow with it."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from concordant import Scalar, Set, Workspace
from concordant.storage.sql import SqlStorage, tallies
from concordant.storage.sql.tallies import JournalCounts, tally_of

SPACE = ("board",)
DATABASES = pytest.mark.parametrize("database", ["sqlite", "postgres"])


class Board(BaseModel):
    tags: Annotated[set[str], Set()] = set()
    rank: Annotated[int, Scalar(resolve="max")] = 0
    status: Annotated[str | None, Scalar()] = None


def opened(url: str | None) -> tuple[Workspace, SqlStorage]:
    ws = Workspace(url, schemas={SPACE: Board})
    assert isinstance(ws.storage, SqlStorage)
    return ws, ws.storage


def written(ws: Workspace, count: int, keys: int = 7) -> None:
    """So many writes, of which some meet others."""
    agents = [ws.agent(name) for name in ("ada", "bob")]
    for number in range(count):
        value: dict[str, Any] = {"tags": [f"e{number % 5}"], "rank": number % 3}
        agents[number % 2].write(SPACE, f"k{number % keys}", value)


def from_the_journal(storage: SqlStorage) -> tuple[Any, ...]:
    """The counts by a look at each row."""
    query = (
        "SELECT d.namespace, j.act, j.body, j.met, j.settled FROM concordant_journal j "
        "LEFT JOIN concordant_documents d ON d.clock = j.clock AND d.id = j.document"
    )
    tally = JournalCounts()
    tally.count(storage.database.rows(query))
    return tally.acts, tally.settled, tally.fields


def counts(storage: SqlStorage) -> tuple[Any, ...]:
    tally = tally_of(storage.database, storage.clocks)
    return tally.acts, tally.settled, tally.fields


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few rows fill parts of several sizes."""
    monkeypatch.setattr(tallies, "PART", 3)


@DATABASES
@pytest.mark.usefixtures("small_parts")
def test_counts_are_those_of_the_journal(database: str, fresh_url: Callable[[str], str | None], seed: str) -> None:
    """After writes, purges, deletions, vacuum of documents and of old rows, in any order, counted at any time."""
    ws, storage = opened(fresh_url(database))
    chance = random.Random(seed)
    with ws:
        for _ in range(30):
            key, act = f"k{chance.randrange(7)}", chance.random()
            if act < 0.6:
                written(ws, chance.randrange(12))
            elif act < 0.7:
                ws.purge(SPACE, key)
            elif act < 0.8:
                ws.agent("ada").delete(SPACE, key)
            elif act < 0.9:
                ws.vacuum(journal=timedelta(days=1), deleted=timedelta(0), removed=timedelta(0))
            else:
                middle = storage.database.rows("SELECT time FROM concordant_journal ORDER BY n")
                age = ws.storage.time() - middle[len(middle) // 2][0] if middle else 1.0
                ws.vacuum(journal=timedelta(seconds=age), deleted=timedelta(days=1), removed=timedelta(days=1))
            if chance.random() < 0.7:
                assert counts(storage) == from_the_journal(storage), seed
        assert counts(storage) == from_the_journal(storage), seed


@DATABASES
def test_counting_reads_what_is_new(
    database: str, fresh_url: Callable[[str], str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a journal that is eight times as long, a count reads as many rows as it is asked again."""
    monkeypatch.setattr(tallies, "PART", 6)
    ws, storage = opened(fresh_url(database))
    asked: list[int] = []
    rows = storage.database.rows

    def counting(statement: str, parameters: Any = ()) -> Any:
        found = rows(statement, parameters)
        asked.append(len(found))
        return found

    spent = []
    with ws:
        for more in (70, 490):
            written(ws, more, keys=1)
            ws.stats()
            monkeypatch.setattr(storage.database, "rows", counting)
            assert sum(ws.stats().writes.values()) == (70 if more == 70 else 560)
            monkeypatch.setattr(storage.database, "rows", rows)
            spent.append((len(asked), sum(asked)))
            asked.clear()
    most = 6 * tallies.DEPTH + 2 * storage.clocks + 20
    assert all(statements <= 4 * storage.clocks + 30 and read <= most for statements, read in spent), spent


def test_no_count_goes_through_the_journal(fresh_url: Callable[[str], str | None]) -> None:
    """Whatever statement a count asks SQLite, it searches the journal by number and scans it never."""
    ws, storage = opened(fresh_url("sqlite"))
    with ws:
        written(ws, 600)
        asked: list[tuple[str, Any]] = []
        rows = storage.database.rows
        storage.database.rows = lambda s, p=(): asked.append((s, p)) or rows(s, p)  # type: ignore[method-assign, func-returns-value]
        ws.stats()
        plans = [line for statement, p in asked for *_, line in rows(f"EXPLAIN QUERY PLAN {statement}", p)]
    assert any("concordant_journal" in plan or "SEARCH j " in plan for plan in plans)
    assert [plan for plan in plans if plan.startswith(("SCAN concordant_journal", "SCAN j", "SCAN e"))] == []


@pytest.mark.usefixtures("small_parts")
def test_what_is_purged_while_it_is_counted_is_not_kept(
    fresh_url: Callable[[str], str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that somebody deletes between the count and its keeping are counted no more afterwards."""
    ws, storage = opened(fresh_url("sqlite"))
    with ws:
        written(ws, 50)
        keep = tallies._keep

        def later(*given: Any) -> None:
            monkeypatch.setattr(tallies, "_keep", keep)
            ws.purge(SPACE, "k0")
            keep(*given)

        monkeypatch.setattr(tallies, "_keep", later)
        ws.stats()
        assert counts(storage) == from_the_journal(storage)


def test_a_store_made_before_is_counted(tmp_path: Path) -> None:
    """The tables of a version that kept no counts are migrated, and what is there is counted."""
    url = f"sqlite:///{tmp_path / 'old.db'}"
    with Workspace(url, schemas={SPACE: Board}) as ws:
        written(ws, 600)
        before = ws.stats()
    with sqlite3.connect(tmp_path / "old.db") as old:
        old.executescript(
            "DROP TABLE concordant_tallies; DROP INDEX concordant_escalations_state; DROP TABLE concordant_notes;"
            "ALTER TABLE concordant_clocks DROP COLUMN erased; UPDATE concordant_schema SET version = version - 2"
        )
    old.close()
    with Workspace(url, schemas={SPACE: Board}) as ws:
        assert ws.stats() == before and ws.stats() == before
