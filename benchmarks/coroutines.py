"""A hundred coroutines of one process that put at the same time, against LangGraph's own async stores."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

from langgraph.store.base import BaseStore

from benchmarks.brief import Brief
from benchmarks.databases import postgres
from benchmarks.measure import Note, Row
from benchmarks.subjects import Sizes, merge_store, stock_store
from benchmarks.values import SPACE, value
from concordant_langgraph import MergeStore

__all__ = ["rows"]

GROUP = "coroutines"
AT_ONCE = 100
EACH = 20

Open = Callable[[], AbstractAsyncContextManager[BaseStore]]


def rows(sizes: Sizes) -> Iterator[Row | Note]:
    """Puts on keys of their own, and on one document, in memory, SQLite and Postgres."""
    rounds = max(1, sizes.rounds // 4)
    with ExitStack() as opened:
        folder = Path(opened.enter_context(TemporaryDirectory()))
        yield from against("memory", ready(merge_store), ready(stock_store), 1 / 0.6, rounds)
        yield from against("SQLite", ours(f"sqlite:///{folder / 'ours.db'}"), sqlite(folder), 1 / 0.3, rounds)
        try:
            url = opened.enter_context(postgres())
        except ImportError as error:
            yield Note(GROUP, f"No Postgres was measured: {error}")
            return
        yield from against("Postgres", ours(url), stock_postgres(url), 1 / 0.3, rounds)


def against(name: str, ours: Open, stock: Open, budget: float, rounds: int) -> Iterator[Row]:
    """The time a put, of all that are made at once."""
    measured, hot, peer, other = asyncio.run(_measured(ours, stock, rounds))
    label = f"{name}: a put, of {AT_ONCE} coroutines with {EACH} each"
    yield Row(GROUP, f"{label}, distinct keys", measured, other, peer, budget=round(budget, 2))
    yield Row(GROUP, f"{label}, one document", hot, "distinct keys", measured)


async def _measured(ours: Open, stock: Open, rounds: int) -> tuple[float, float, float, str]:
    """The medians of ours, of ours on one document, and of the stock store, whose name comes last."""
    own: list[float] = []
    hot: list[float] = []
    peer: list[float] = []
    async with ours() as mine, stock() as other:
        for store in (mine, other):
            await _puts(store, "warm", EACH, 1)
        for turn in range(rounds):
            own.append(await _puts(mine, f"{turn}", AT_ONCE, EACH))
            peer.append(await _puts(other, f"{turn}", AT_ONCE, EACH))
            hot.append(await _hot(mine, turn))
    return median(own), median(hot), median(peer), type(other).__name__


async def _puts(store: BaseStore, turn: str, coroutines: int, each: int) -> float:
    """Puts keys that nobody has put; returns microseconds a put. All must be there."""

    async def work(one: int) -> None:
        for number in range(each):
            await store.aput(SPACE, f"{turn}.{one}.{number}", value(number))

    began = perf_counter()
    await asyncio.gather(*map(work, range(coroutines)))
    spent = perf_counter() - began
    item = await store.aget(SPACE, f"{turn}.{coroutines - 1}.{each - 1}")
    assert item is not None and item.value["status"] == f"draft {each - 1}"
    return spent * 1e6 / (coroutines * each)


async def _hot(store: BaseStore, turn: int) -> float:
    """Puts to one document that all share; every tag must be there."""

    async def work(one: int) -> None:
        for number in range(EACH):
            await store.aput(SPACE, f"hot {turn}", {"tags": [f"{one}.{number}"], "hits": 1})

    began = perf_counter()
    await asyncio.gather(*map(work, range(AT_ONCE)))
    spent = perf_counter() - began
    item = await store.aget(SPACE, f"hot {turn}")
    assert item is not None and len(item.value["tags"]) == item.value["hits"] == AT_ONCE * EACH
    return spent * 1e6 / (AT_ONCE * EACH)


def ready(make: Callable[[], BaseStore]) -> Open:
    """Opens a store that needs no opening."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[BaseStore]:
        yield make()

    return opened


def ours(url: str) -> Open:
    """Opens ours on a database."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[BaseStore]:
        with MergeStore.from_conn_string(url, {SPACE: Brief}) as store:
            yield store

    return opened


def sqlite(folder: Path) -> Open:
    """Opens LangGraph's on a file, with commits that wait for the disk."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[BaseStore]:
        from langgraph.store.sqlite.aio import AsyncSqliteStore

        async with AsyncSqliteStore.from_conn_string(str(folder / "stock.db")) as store:
            await store.setup()
            yield store

    return opened


def stock_postgres(url: str) -> Open:
    """Opens LangGraph's on a server."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[BaseStore]:
        from langgraph.store.postgres.aio import AsyncPostgresStore

        async with AsyncPostgresStore.from_conn_string(url) as store:
            await store.setup()
            yield store

    return opened
