"""The tables: strategies over all workloads, each workload's outcome, and what it cost."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from langgraph.store.memory import InMemoryStore

from benchmarks.fleet.contest import Factory, Result, contest, postgres_schemas, sqlite_urls
from benchmarks.fleet.graphs import MergeStoreStrategy, StoreStrategy
from benchmarks.fleet.workloads import all_workloads
from benchmarks.measure import Entry, Note
from benchmarks.subjects import QUICK, Sizes
from concordant.bench import Locking, Optimistic, Outcome, Workload
from concordant_langgraph import MergeStore

__all__ = ["COST", "LAST", "OURS", "OUTCOMES", "STRATEGIES", "rows", "tables"]

STRATEGIES, OUTCOMES, COST = "strategies", "outcomes", "cost of coordination"
LAST = "last write wins"
OURS = "Concordant"


def rows(sizes: Sizes) -> Iterator[Entry | Note]:
    """Every workload by every strategy."""
    workloads = [*all_workloads(sizes)]
    notes: list[Note] = []
    with ExitStack() as opened:
        factories = _ours(opened, notes)
        results = [contest(workload, factory, quick=sizes is QUICK) for workload in workloads for factory in factories]
    yield from tables(results)
    yield from notes


def _ours(opened: ExitStack, notes: list[Note]) -> list[Factory]:
    """The strategies that run in this process."""

    def last(workload: Workload) -> StoreStrategy:
        return StoreStrategy(LAST, InMemoryStore(), workload)

    def merge(name: str, workload: Workload, store: MergeStore) -> StoreStrategy:
        return MergeStoreStrategy(name, store, workload)

    def memory(workload: Workload) -> StoreStrategy:
        return merge(f"{OURS}, memory", workload, MergeStore({workload.namespace: workload.model}))

    def database(name: str, url: str, workload: Workload) -> StoreStrategy:
        store = opened.enter_context(MergeStore.from_conn_string(url, {workload.namespace: workload.model}))
        return merge(f"{OURS}, {name}", workload, store)

    files = sqlite_urls(Path(opened.enter_context(tempfile.TemporaryDirectory())))
    found: list[Factory] = [last, Optimistic, Locking, memory, lambda w: database("SQLite", files(), w)]
    try:
        schemas = opened.enter_context(postgres_schemas())
    except ImportError as error:
        notes.append(Note(STRATEGIES, f"No Postgres was measured: {error}"))
    else:
        found.append(lambda w: database("Postgres", schemas(), w))
    return found


def tables(results: Sequence[Result]) -> Iterator[Entry]:
    """What became of contributions, by strategy and by workload, and what it cost."""
    for name in dict.fromkeys(result.strategy for result in results):
        mine = [result for result in results if result.strategy == name]
        total = sum((result.outcome for result in mine), Outcome())
        thinks, retries = sum(r.thinks for r in mine), sum(r.retries for r in mine)
        cells = {**_outcome(total), "model calls": f"{thinks:,}", "of them retries": f"{retries:,}"}
        said = ""
        if name in (LAST, f"{OURS}, memory"):
            said = f"{name} lost {total.lost:,} of {total.contributions:,} contributions, with {_alarms(total)}"
        yield Entry(STRATEGIES, name, cells, "strategy", total.right if name.startswith(OURS) else None, said)
    for result in results:
        met = result.outcome.right if result.strategy.startswith(OURS) else None
        place = f"{result.workload}: {result.strategy}"
        yield Entry(OUTCOMES, place, _outcome(result.outcome), "workload: strategy", met)
    for result in results:
        p50, p95, p99 = (f"{time:,.0f}" for time in result.times)
        yield Entry(
            COST,
            f"{result.workload}: {result.strategy}",
            {
                "model calls": f"{result.thinks:,}",
                "retries": f"{result.retries:,}",
                "p50 µs": p50,
                "p95 µs": p95,
                "p99 µs": p99,
                "tasks/s, thinking": f"{result.thinking:,.0f}",
                "without": f"{result.bare:,.0f}",
                "peak kB": f"{result.peak / 1e3:,.0f}",
            },
            "workload: strategy",
        )


def _outcome(outcome: Outcome) -> dict[str, str]:
    share = outcome.attribution
    return {
        "made": f"{outcome.contributions:,}",
        "kept": f"{outcome.kept:,}",
        "merged": f"{outcome.merged:,}",
        "resolved": f"{outcome.resolved:,}",
        "escalated": f"{outcome.escalated:,}",
        "superseded": f"{outcome.superseded:,}",
        "corrupted": f"{outcome.corrupted + outcome.strange:,}",
        "lost": f"{outcome.lost:,}",
        "false": f"{outcome.false_alarms:,}",
        "missed": f"{outcome.missed_alarms:,}",
        "attributed": "" if share is None else f"{share:.0%}",
    }


def _alarms(outcome: Outcome) -> str:
    return f"{outcome.false_alarms:,} false and {outcome.missed_alarms:,} missed alarms"
