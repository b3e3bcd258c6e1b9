"""The ways of sharing state that are compared: all but the rivals that need an environment of their own."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from langgraph.store.memory import InMemoryStore

from benchmarks.databases import postgres
from benchmarks.fleet.graphs import GraphSession
from benchmarks.fleet.playing import OURS, STOCK
from concordant import SqliteOptions, Workspace
from concordant.bench import STRATEGIES, Session, Strategy, Workload
from concordant.bench.strategies import schemas_of
from concordant_langgraph import MergeStore

__all__ = ["strategies"]


@contextmanager
def strategies(*, quick: bool) -> Iterator[list[Strategy]]:
    """The strategies, each with stores of its own; the quick ones need no server."""
    folder = tempfile.mkdtemp(prefix="fleet")
    numbers = iter(range(1_000_000))
    others = [one for one in STRATEGIES if one.serial]
    try:
        made = [
            Strategy(STOCK, lambda workload: GraphSession(workload, InMemoryStore())),  # type: ignore[arg-type,return-value]
            *others,
            Strategy(f"{OURS}, workspace", next(one for one in STRATEGIES if one.name == "Concordant").open),
            Strategy(f"{OURS}, in memory", _merging(lambda: None)),
            Strategy(f"{OURS}, SQLite", _merging(lambda: f"sqlite:///{folder}/{next(numbers)}.db", quick=quick)),
        ]
        if quick:
            yield made
            return
        with postgres() as server:
            yield [*made, Strategy(f"{OURS}, Postgres", _merging(lambda: _schema(server, next(numbers))))]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _schema(server: str, number: int) -> str:
    """An empty schema in the server's database: a url that leads there."""
    name = f"fleet_{os.getpid()}_{number}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}")  # type: ignore[arg-type]
    return f"{server}{'&' if '?' in server else '?'}options=-csearch_path%3D{name}"


def _merging(url: Callable[[], str | None], *, quick: bool = False) -> Callable[[Workload], Session]:
    options = SqliteOptions(synchronous="normal") if quick else None

    def opened(workload: Workload) -> Any:
        workspace = Workspace(url(), schemas=schemas_of(workload), options=options)
        return GraphSession(workload, MergeStore(workspace=workspace), workspace.close)

    return opened
