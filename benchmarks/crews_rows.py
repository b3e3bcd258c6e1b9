"""Measures the CrewAI adapter beside CrewAI's own storage, and prints the rows as JSON.

Run by ``benchmarks.crews`` in the environment that has CrewAI.
"""

from __future__ import annotations

import itertools
import json
import logging
import os
import random
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from statistics import median
from time import perf_counter_ns
from typing import Annotated, Any

from crewai import Agent, Crew, Task
from crewai.events.utils.console_formatter import set_suppress_console_output
from crewai.memory.storage.lancedb_storage import LanceDBStorage
from crewai.memory.types import MemoryRecord
from pydantic import BaseModel

from benchmarks.measure import Row, each, interleaved
from concordant import Counter, Scalar, Set, Text, Workspace
from concordant_crewai import MergeStorage, SharedState
from concordant_crewai.tools import StateTool
from examples.crewai_script import Script

GROUP = "CrewAI"
STOCK = "LanceDBStorage"
FULL = {"rounds": 20, "batch": 15, "calls": 200}
QUICK = {"rounds": 1, "batch": 2, "calls": 4}
LENGTHS = (384, 1536)
PER_TASK = 10


class Brief(BaseModel):
    """Four declared fields, one of each common kind."""

    tags: Annotated[set[str], Set()] = set()
    status: Annotated[str | None, Scalar()] = None
    notes: Annotated[str, Text()] = ""
    hits: Annotated[int, Counter()] = 0


# -- memory ----------------------------------------------------------------------------------------------------------


def vectors(directory: Path) -> LanceDBStorage:
    """CrewAI's storage; it does not tidy up by itself while the clock runs."""
    return LanceDBStorage(directory, compact_every=0)


def records(length: int, seed: str) -> Iterator[MemoryRecord]:
    """Records as CrewAI saves them, made before the clock starts."""
    chance = random.Random(f"{seed}/{length}")
    for number in itertools.count():
        yield MemoryRecord(
            id=f"{seed}-{number}",
            content=f"Fact number {number}: the launch is in May, in room {number}.",
            scope="/team",
            categories=["date", "place"],
            metadata={"by": "ada", "number": number},
            embedding=[chance.gauss(0, 1) for _ in range(length)],
        )


def memory(sizes: dict[str, int], length: int, directory: Path) -> Iterator[Row]:
    """A save, an update of what was read, a read and a search, on both storages."""
    lances = {name: vectors(directory / name) for name in ("ours", "stock")}
    ours = MergeStorage(view=lances["ours"], workspace=f"sqlite:///{directory / 'records.db'}")
    kept: dict[str, Any] = {**lances, "ours": ours}
    fresh = {name: records(length, name) for name in kept}
    saved: dict[str, list[str]] = {name: [] for name in kept}
    where = f"vectors of {length:,}"

    def save(name: str) -> list[float]:
        batch = [([record],) for record in itertools.islice(fresh[name], sizes["batch"])]
        saved[name] += [one.id for ((one,),) in batch]
        return each(kept[name].save, batch)

    def update(name: str) -> list[float]:
        read = [kept[name].get_record(record_id) for record_id in saved[name][: sizes["batch"]]]
        changed = [one.model_copy(update={"importance": one.importance / 2, "categories": ["new"]}) for one in read]
        return each(kept[name].update, [(one,) for one in changed])

    def get(name: str) -> list[float]:
        return each(kept[name].get_record, [(record_id,) for record_id in saved[name][: sizes["batch"]]])

    def search(name: str) -> list[float]:
        return each(kept[name].search, [(one.embedding,) for one in itertools.islice(fresh[name], sizes["batch"])])

    for label, call, budget in (
        ("save", save, 1.5),
        ("update", update, None),
        ("get_record", get, None),
        ("search", search, None),
    ):
        for name, lance in lances.items():
            if saved[name]:
                lance._table.optimize()
        found = interleaved({name: lambda name=name: call(name) for name in kept}, sizes["rounds"])  # noqa: B023
        mine, theirs = (found[name].median / 1e3 for name in kept)
        yield Row(GROUP, f"MergeStorage.{label}, {where}", mine, f"{STOCK}.{label}", theirs, unit="ms", budget=budget)


# -- tools -----------------------------------------------------------------------------------------------------------


def tool_calls(sizes: dict[str, int], directory: Path) -> Iterator[Row]:
    """What our tool takes of each call that an agent makes in a crew's task, who-writes included."""
    for where, url in {"in memory": None, "SQLite": f"sqlite:///{directory / 'state.db'}"}.items():
        with Workspace(url) as workspace:
            times = _timed_calls(SharedState(Brief, workspace=workspace), sizes["calls"])
        bare = bare_commit(directory, sizes["calls"]) if url is not None else None
        for name, taken in times.items():
            label, writes = f"tool call, {name.replace('_brief', '')}, {where}", name.startswith("update")
            against, peer = ("a bare commit of 1 kB", bare) if bare is not None and writes else ("", None)
            yield Row(GROUP, label, taken, against, peer, unit="ms", budget=2, absolute=True)


def bare_commit(directory: Path, count: int) -> float:
    """What the disk alone takes of a write, in milliseconds: SQLite's own commit of one row, waited for."""
    connection = sqlite3.connect(directory / "bare.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = full")
    connection.execute("CREATE TABLE rows (content BLOB)")
    times = each(connection.execute, [("INSERT INTO rows VALUES (?)", (bytes(1000),))] * count)
    connection.close()
    return median(times) / 1e3


def _timed_calls(state: SharedState[Brief], count: int) -> dict[str, float]:
    """Medians by tool, in milliseconds, of real agents' calls in tasks of ten updates and ten reads each."""
    times: dict[str, list[float]] = {}
    run: Callable[..., str] = StateTool._run

    def timed(self: StateTool, **arguments: Any) -> str:
        start = perf_counter_ns()
        answer = run(self, **arguments)
        times.setdefault(self.name, []).append((perf_counter_ns() - start) / 1e6)
        assert answer.startswith(("Written to", "brief")), answer
        return answer

    StateTool._run = timed  # type: ignore[method-assign]
    try:
        for first in range(0, count, PER_TASK):
            _work(state, range(first, min(count, first + PER_TASK)))
    finally:
        StateTool._run = run  # type: ignore[method-assign]
    assert state.value["hits"] == count and {credit.agent for credit in state.blame()["tags",]} == {"ada"}
    return {name: median(taken) for name, taken in times.items()}


def _work(state: SharedState[Brief], numbers: range) -> None:
    """One crew, whose agent updates and reads the state again and again in one task."""
    turns: list[Any] = []
    for number in numbers:
        given = {"tags": [f"tag-{number % 20}"], "status": f"state {number}", "hits": 1, "notes": f"Line {number}."}
        turns += [[("update_brief", given)], [("read_brief", {})]]
    ada = Agent(role="ada", goal="a brief", backstory="a story", llm=Script(turns), tools=state.tools(), max_iter=50)
    Crew(agents=[ada], tasks=[Task(description="Write.", expected_output="done", agent=ada)]).kickoff()


def main() -> None:
    """Prints the rows as a JSON list."""
    sizes = QUICK if "--quick" in sys.argv else FULL
    set_suppress_console_output(True)
    logging.getLogger("crewai").setLevel(logging.ERROR)  # CrewAI tells of each call that it counts tokens roughly
    found: list[Row] = []
    with tempfile.TemporaryDirectory() as name:
        os.environ["CREWAI_STORAGE_DIR"] = name
        for length in LENGTHS:
            found += memory(sizes, length, Path(name) / str(length))
        found += tool_calls(sizes, Path(name))
    json.dump([asdict(row) for row in found], sys.stdout)


if __name__ == "__main__":
    main()
