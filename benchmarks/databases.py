"""Stores in databases, SQLite's and Postgres's, against LangGraph's own in the same database."""

from __future__ import annotations

import os
import sqlite3
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

from langgraph.store.base import BaseStore, PutOp

from benchmarks.brief import Brief
from benchmarks.measure import Note, Row, each, interleaved
from benchmarks.speed import Keys
from benchmarks.subjects import Sizes
from benchmarks.values import SPACE, value
from concordant import SqliteOptions, Workspace
from concordant_langgraph import MergeStore

__all__ = ["own_server", "postgres", "rows"]

GROUP = "databases"
FEW = 100


def rows(sizes: Sizes) -> Iterator[Row | Note]:
    """Puts and gets, what 100,000 documents change, and the room that a document takes."""
    with ExitStack() as opened:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory()))
        yield from against("SQLite", *sqlite_stores(opened, folder), sizes)
        yield from many(folder, sizes)
        yield from room(opened, folder, sizes)
        try:
            stores = opened.enter_context(postgres_stores())
        except ImportError as error:
            yield Note(GROUP, f"No Postgres was measured: {error}")
            return
        yield from against("Postgres", *stores, sizes)


def against(name: str, ours: BaseStore, stock: BaseStore, sizes: Sizes) -> Iterator[Row]:
    """Puts of fresh keys, puts on the same keys again, and gets; every commit waits for the disk."""
    count, other = max(2, sizes.batch // 4), f"{type(stock).__name__}"
    stores, keys = {"ours": ours, "stock": stock}, {"ours": Keys(), "stock": Keys()}

    def fresh(which: str) -> list[float]:
        return each(stores[which].put, keys[which].take(count))

    def again(which: str) -> list[float]:
        known = keys[which].take(count)
        for one in known:
            stores[which].put(*one)
        return each(stores[which].put, [(*one[:2], value(n)) for n, one in enumerate(known, 1_000)])

    def get(which: str) -> list[float]:
        return each(lambda key: stores[which].get(SPACE, key).value, [(f"key-{n}",) for n in range(count)])  # type: ignore[union-attr]

    for label, work, budget in (
        ("put, fresh key", fresh, 2),
        ("put on a key that is there", again, None),
        ("get with its .value", get, None),
    ):
        subjects: dict[str, Callable[[], list[float]]] = {w: lambda w=w, work=work: work(w) for w in stores}  # type: ignore[misc]
        found = interleaved(subjects, max(2, sizes.rounds // 3))
        yield Row(GROUP, f"{name}: {label}", found["ours"].median, other, found["stock"].median, budget=budget)


def many(folder: Path, sizes: Sizes) -> Iterator[Row]:
    """What a large number of documents makes of opening, getting and putting."""
    times: dict[int, tuple[float, float, float]] = {}
    for count in (FEW, sizes.crowd):
        url = f"sqlite:///{folder / f'{count}.db'}"
        with Workspace(url, schemas={SPACE: Brief}, options=SqliteOptions(synchronous="normal")) as workspace:
            for start in range(0, count, 1_000):
                numbers = range(start, min(count, start + 1_000))
                workspace.put_all([(SPACE, f"key-{n}", value(n)) for n in numbers])
        began = perf_counter()
        with Workspace(url, schemas={SPACE: Brief}) as workspace:
            opening = (perf_counter() - began) * 1e3
            store = MergeStore(workspace=workspace)
            step = max(1, count // FEW)
            gets = each(store.get, [(SPACE, f"key-{n}") for n in range(0, count, step)])
            puts = each(store.put, [(SPACE, f"new-{n}", value(n)) for n in range(FEW)])
        times[count] = (opening, sorted(gets)[len(gets) // 2], sorted(puts)[len(puts) // 2])
    (_, few_get, few_put), (opening, get, put) = times[FEW], times[sizes.crowd]
    label = f"of {sizes.crowd:,} documents"
    yield Row(GROUP, f"SQLite: opening a store {label}", opening, unit="ms", budget=100, absolute=True)
    yield Row(GROUP, f"SQLite: get {label}", get, f"of {FEW}", few_get, budget=1.3)
    yield Row(GROUP, f"SQLite: put beside {label[3:]}", put, f"beside {FEW}", few_put, budget=1.3)


def room(opened: ExitStack, folder: Path, sizes: Sizes) -> Iterator[Row]:
    """Bytes of the file per document, journal included; blindly written twice it holds the words of both writes."""
    (folder / "room").mkdir()
    ours, stock = sqlite_stores(opened, folder / "room")
    count = min(2_000, sizes.documents)
    for label, edition, budget in (("written once", 0, 4), ("written twice, blindly", 1_000, None)):
        held = []
        for store, name in ((ours, "ours"), (stock, "stock")):
            for start in range(0, count, 500):
                store.batch(
                    [PutOp(SPACE, f"key-{n}", value(n + edition)) for n in range(start, min(count, start + 500))]
                )
            path = folder / "room" / f"{name}.db"
            with sqlite3.connect(path) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.close()
            held.append(path.stat().st_size / count)
        yield Row(GROUP, f"SQLite: file, a document {label}", held[0], "SqliteStore", held[1], unit="B", budget=budget)


def sqlite_stores(opened: ExitStack, folder: Path) -> tuple[BaseStore, BaseStore]:
    """Ours and LangGraph's, each in a file with a write-ahead log and with commits that wait for the disk."""
    from langgraph.store.sqlite import SqliteStore

    connection = sqlite3.connect(folder / "stock.db", check_same_thread=False, isolation_level=None)
    opened.callback(connection.close)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    stock = SqliteStore(connection)
    stock.setup()
    ours = opened.enter_context(MergeStore.from_conn_string(f"sqlite:///{folder / 'ours.db'}", {SPACE: Brief}))
    return ours, stock


@contextmanager
def postgres_stores() -> Iterator[tuple[BaseStore, BaseStore]]:
    """Ours and LangGraph's in one server."""
    from langgraph.store.postgres import PostgresStore

    with ExitStack() as opened:
        url = opened.enter_context(postgres())
        stock = opened.enter_context(PostgresStore.from_conn_string(url))
        stock.setup()
        yield opened.enter_context(MergeStore.from_conn_string(url, {SPACE: Brief})), stock


@contextmanager
def postgres() -> Iterator[str]:
    """The url of a server: that of CONCORDANT_POSTGRES, else one that is started here.

    Raises:
        ImportError: there is neither.
    """
    url = os.environ.get("CONCORDANT_POSTGRES")
    if url is not None:
        yield url
    else:
        with own_server() as url:
            yield url


@contextmanager
def own_server(setting: str | None = None) -> Iterator[str]:
    """The url of a server that is started here.

    Args:
        setting: what is set before it is used, as ``ALTER SYSTEM`` takes it.

    Raises:
        ImportError: none can be.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pgserver

    folder = tempfile.mkdtemp(prefix="pg")
    server: Any = pgserver.get_server(folder, cleanup_mode="stop" if setting else "delete")
    if setting is not None:
        server.psql(f"ALTER SYSTEM SET {setting};")
        server.cleanup()
        server = pgserver.get_server(folder, cleanup_mode="delete")
    try:
        yield str(server.get_uri())
    finally:
        server.cleanup()
