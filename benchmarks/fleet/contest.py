"""The strategies, each opened afresh for every workload, and what one of them makes of it."""

from __future__ import annotations

import itertools
import os
import tempfile
import tracemalloc
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit, urlunsplit

from benchmarks.fleet.graphs import GraphStage
from concordant.bench import Outcome, Strategy, Workload, judge

__all__ = ["Factory", "Result", "contest", "postgres_schemas"]

Factory: TypeAlias = Callable[[Workload], Strategy]


@dataclass(frozen=True)
class Result:
    """What a strategy made of a workload.

    Attributes:
        outcome: summed over all passes.
        thinks: calls of a model, in the pass in which tasks think.
        retries: how many of them were repetitions.
        times: of the store's calls in that pass, in microseconds: 50th, 95th, 99th percentile.
        thinking: tasks a second in that pass.
        bare: tasks a second where no task thinks.
        peak: the most bytes that Python held beyond what was there before, in a pass of its own.
    """

    strategy: str
    workload: str
    outcome: Outcome
    thinks: int
    retries: int
    times: tuple[float, float, float]
    thinking: float
    bare: float
    peak: int

    @classmethod
    def of(cls, found: dict[str, Any]) -> Result:
        """The result that a process of its own has printed."""
        return cls(**{**found, "outcome": Outcome(**found["outcome"]), "times": tuple(found["times"])})

    def portable(self) -> dict[str, Any]:
        """The same as JSON."""
        return asdict(self)


def contest(workload: Workload, factory: Factory, *, quick: bool = False) -> Result:
    """Plays a workload three times: with thinking, without, and while the memory is watched.

    Args:
        quick: watch the memory in the second pass, whose time counts for nothing then.
    """
    outcome, traces, peak, name = Outcome(), [], 0, ""
    for thinking, watched in ((1.0, False), (0.0, quick), (0.0, True))[: 2 if quick else 3]:
        if watched:
            tracemalloc.start()
        try:
            strategy = factory(workload)
            name = strategy.name
            try:
                before = tracemalloc.get_traced_memory()[0]
                traces.append(GraphStage(workload, strategy, thinking).play())
                peak = tracemalloc.get_traced_memory()[1] - before
                outcome += judge(workload, traces[-1], strategy)
            finally:
                strategy.close()
        finally:
            tracemalloc.stop()
    slow, fast = traces[:2]
    ordered = sorted(slow.times)
    p50, p95, p99 = (ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1e6 for share in (0.5, 0.95, 0.99))
    return Result(
        name,
        workload.name,
        outcome,
        slow.thinks,
        slow.retries,
        (p50, p95, p99),
        slow.tasks / slow.seconds,
        fast.tasks / fast.seconds,
        peak,
    )


def sqlite_urls(folder: Path) -> Callable[[], str]:
    """A function that gives the url of a file that is not there yet."""
    numbers = itertools.count()
    return lambda: f"sqlite:///{folder / f'{next(numbers)}.db'}"


@contextmanager
def postgres_schemas() -> Iterator[Callable[[], str]]:
    """A function that makes an empty schema in a Postgres and gives its url: CONCORDANT_POSTGRES, else one that is
    started here. Its commits wait for the disk."""
    import psycopg

    with ExitStack() as opened:
        url = os.environ.get("CONCORDANT_POSTGRES")
        if url is None:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                import pgserver

            server: Any = pgserver.get_server(tempfile.mkdtemp(prefix="pg"), cleanup_mode="delete")
            opened.callback(server.cleanup)
            url = str(server.get_uri())
        numbers = itertools.count()

        def fresh() -> str:
            name = f"fleet_{os.getpid()}_{next(numbers)}"
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(f"CREATE SCHEMA {name}")  # type: ignore[arg-type]
            parts = urlsplit(url)
            query = "&".join(filter(None, [parts.query, f"options=-csearch_path%3D{name}"]))
            return urlunsplit(parts._replace(query=query))

        yield fresh
