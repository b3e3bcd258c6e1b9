"""Curves: what more documents, a longer history, more fields, more agents and more processes cost."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from langgraph.store.base import BaseStore
from langgraph.store.memory import InMemoryStore
from langgraph.store.postgres import PostgresStore

from benchmarks.brief import Brief
from benchmarks.databases import own_server, postgres
from benchmarks.measure import Note, each, machine
from benchmarks.subjects import QUICK, Sizes
from benchmarks.values import SPACE, value
from concordant import SqliteOptions, Workspace
from concordant_langgraph import MergeStore

__all__ = ["GROUP", "Curve", "curves", "dump", "rows"]

GROUP = "scaling"
WORKER = [sys.executable, "-m", "benchmarks.scaling_worker"]
SECONDS = 2.0
SINGLE = 200
TWO = "two Postgres servers"


@dataclass(frozen=True, slots=True)
class Curve:
    """One picture.

    Attributes:
        file: the name of its file.
        name: what it shows.
        x, y: what its axes are; ``y`` with its unit.
        lines: the points of each line.
    """

    file: str
    name: str
    x: str
    y: str
    group: str = GROUP
    lines: dict[str, list[tuple[float, float]]] = field(default_factory=dict)

    def add(self, line: str, x: float, y: float) -> None:
        """Adds a point."""
        self.lines.setdefault(line, []).append((x, round(y, 3)))


def rows(sizes: Sizes) -> Iterator[Curve | Note]:
    """All curves; the quick ones have two points."""
    quick = sizes is QUICK
    yield from documents([100, 1_000] if quick else [100, 1_000, 10_000, 100_000, 1_000_000])
    yield history([10, 100] if quick else [10, 100, 1_000, 10_000, 100_000])
    yield fields([1, 10] if quick else [1, 10, 100, 1_000])
    yield agents([1, 4] if quick else [1, 2, 5, 10, 20, 50, 100, 200], 200 if quick else 4_000)
    yield room([100] if quick else [1_000, 5_000, 20_000])
    yield from processes([1, 2] if quick else [1, 2, 4, 8], 0.3 if quick else SECONDS, postgres_too=not quick)


def documents(counts: Sequence[int]) -> Iterator[Curve]:
    """Puts and gets beside many documents."""
    put = Curve("documents-put", "A put beside so many documents", "documents", "µs a put")
    get = Curve("documents-get", "A get of one of so many documents", "documents", "µs a get")
    for count in counts:
        with ExitStack() as opened:
            folder = opened.enter_context(tempfile.TemporaryDirectory())
            options = SqliteOptions(synchronous="normal")
            stores: dict[str, BaseStore] = {
                "InMemoryStore": InMemoryStore(),
                "Concordant, in memory": MergeStore({SPACE: Brief}),
                "Concordant, SQLite": opened.enter_context(
                    MergeStore.from_conn_string(f"sqlite:///{folder}/a.db", {SPACE: Brief}, options=options)
                ),
            }
            for name, store in stores.items():
                _fill(store, count)
                step = max(1, count // 200)
                puts = each(store.put, [(SPACE, f"new {n}", value(n)) for n in range(200)])
                gets = each(
                    lambda key, store=store: store.get(SPACE, key).value, [(f"k{n}",) for n in range(0, count, step)]
                )
                put.add(name, count, median(puts))
                get.add(name, count, median(gets))
    yield put
    yield get


def _fill(store: BaseStore, count: int) -> None:
    if isinstance(store, MergeStore):
        for start in range(0, count, 1_000):
            numbers = range(start, min(count, start + 1_000))
            store.workspace.put_all([(SPACE, f"k{n}", value(n)) for n in numbers])
        return
    for n in range(count):
        store.put(SPACE, f"k{n}", value(n))


def history(lengths: Sequence[int]) -> Curve:
    """A write to, and a read of, a document that has been written to so often."""
    curve = Curve("history", "A write to a document with so long a history", "writes before", "µs a write")
    with ExitStack() as opened:
        folder = opened.enter_context(tempfile.TemporaryDirectory())
        options = SqliteOptions(synchronous="normal")
        workspaces = {
            "in memory": (Workspace(schemas={SPACE: Brief}), max(lengths)),
            "SQLite": (
                opened.enter_context(Workspace(f"sqlite:///{folder}/a.db", schemas={SPACE: Brief}, options=options)),
                10_000,
            ),
        }
        for name, (workspace, most) in workspaces.items():
            agents = [workspace.agent(agent) for agent in ("ada", "bob")]
            done = 0
            for length in lengths:
                if length > most:
                    break
                while done < length:
                    agents[done % 2].write(SPACE, "k", {"status": f"s{done}", "tags": ["a"], "hits": 1})
                    done += 1
                times = []
                for n in range(20):
                    begun = perf_counter()
                    agents[n % 2].write(SPACE, "k", {"status": f"t{n}", "tags": ["a"], "hits": 1})
                    workspace.get(SPACE, "k").value  # type: ignore[union-attr]  # noqa: B018
                    times.append(1e6 * (perf_counter() - begun))
                    agents[n % 2].refresh()
                curve.add(f"{name}, with a read", length, median(times))
    return curve


def fields(widths: Sequence[int]) -> Curve:
    """A put of a document of so many fields, that is there already."""
    curve = Curve("fields", "A put of so many fields, undeclared, on a key that is there", "fields", "µs a put")
    for width in widths:
        for name, store in (("InMemoryStore", InMemoryStore()), ("Concordant, in memory", MergeStore())):
            rounds = 30
            for n in range(rounds):
                store.put(("plain",), f"k{n}", {f"field {f}": f"value {f}" for f in range(width)})
            again = {f"field {f}": f"value {f} {f % 10 == 0}" for f in range(width)}
            curve.add(name, width, median(each(store.put, [(("plain",), f"k{n}", again) for n in range(rounds)])))
    return curve


def agents(counts: Sequence[int], writes: int) -> Curve:
    """Writes a second by so many agents, each in a thread, on one document and on documents of their own, each of which
    is read at the end."""
    curve = Curve("agents", "Writes a second by so many agents at once", "agents", "writes a second")
    with tempfile.TemporaryDirectory() as folder:
        for count in counts:
            for kind in ("in memory", "SQLite"):
                for where in ("one document", "own documents"):
                    url = None if kind == "in memory" else f"sqlite:///{folder}/{count}{where}.db"
                    with Workspace(url, schemas={SPACE: Brief}) as workspace:
                        total = writes if url is None else max(count, writes // 10)
                        curve.add(f"{kind}, {where}", count, _agents(workspace, count, total, where == "one document"))
    return curve


def _agents(workspace: Workspace, count: int, total: int, together: bool) -> float:
    gate = threading.Barrier(count + 1)

    def work(number: int) -> None:
        agent = workspace.agent(f"agent {number}")
        key = "shared" if together else f"own {number}"
        gate.wait()
        for n in range(total // count):
            agent.write(SPACE, key, {"tags": [f"tag {n % 7}"], "hits": 1})
        gate.wait()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    gate.wait()
    begun = perf_counter()
    gate.wait()
    for key in {"shared"} if together else {f"own {number}" for number in range(count)}:
        document = workspace.get(SPACE, key)
        assert document is not None and document.value["hits"], "a write was lost"  # what was put off is done by now
    spent = perf_counter() - begun
    for thread in threads:
        thread.join()
    return total // count * count / spent


def room(counts: Sequence[int]) -> Curve:
    """The bytes that a write takes in a file: 50 documents, each write some words and a count."""
    curve = Curve("room", "Bytes of the file for each write", "writes", "bytes a write")
    for count in counts:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "a.db"
            options = SqliteOptions(synchronous="normal")
            with Workspace(f"sqlite:///{path}", schemas={SPACE: Brief}, options=options) as workspace:
                agent = workspace.agent("ada")
                for n in range(count):
                    agent.write(SPACE, f"doc {n % 50}", {"tags": [f"tag {n % 7}"], "hits": 1, "status": f"state {n}"})
            curve.add("SQLite", count, path.stat().st_size / count)
    return curve


def processes(counts: Sequence[int], seconds: float, *, postgres_too: bool) -> Iterator[Curve | Note]:
    """Writes a second by so many processes, on 50 shared documents, on their own and on new ones, and how long one of
    these takes; LangGraph's PostgresStore too; and what a store on two servers costs."""
    curve = Curve("processes", "Writes a second by so many processes", "processes", "writes a second")
    latency = Curve("latency", "A write of a new document by one of so many processes", "processes", "ms a write")
    servers = Curve("servers", "What a store on so many Postgres servers costs", "servers", "ms")
    with ExitStack() as opened:
        folder = opened.enter_context(tempfile.TemporaryDirectory())
        urls = {"SQLite": lambda name: f"sqlite:///{folder}/{name}.db"}
        lines = [("SQLite", "50 shared documents", "shared"), ("SQLite", "own documents", "own")]
        if postgres_too:
            try:
                one = opened.enter_context(postgres())
                two = " ".join(opened.enter_context(own_server("max_prepared_transactions = 64")) for _ in range(2))
                urls.update({"Postgres": lambda _: one, "PostgresStore": lambda _: one, TWO: lambda _: two})
                lines += [(name.replace("SQLite", "Postgres"), where, how) for name, where, how in lines]
                lines += [("Postgres", "new documents", "new"), (TWO, "new documents", "new")]
                lines += [("PostgresStore", f"{which} documents", f"stock {which}") for which in ("own", "new")]
                for number, url in ((1, one), (2, two)):
                    _spread(servers, number, url)
            except ImportError as error:
                yield Note(GROUP, f"No Postgres was measured: {error}")
        for count in counts:  # the lines one after the other at each point, so that a busy moment is everybody's
            for kind, where, how in lines:
                took = _written(urls[kind](f"{count}{how}"), how, count, seconds)
                curve.add(f"{kind}, {where}", count, len(took) / seconds)
                if where == "new documents":
                    _quantiles(latency, kind, count, took)
    yield curve
    yield from (other for other in (latency, servers) if other.lines)


def _quantiles(curve: Curve, name: str, x: float, took: Sequence[float]) -> None:
    """Adds the median of times, and what one of a hundred takes at least; in milliseconds."""
    ordered = sorted(took)
    curve.add(f"{name}, median", x, ordered[len(ordered) // 2] / 1e3)
    curve.add(f"{name}, 99th percentile", x, ordered[len(ordered) * 99 // 100] / 1e3)


def _spread(curve: Curve, servers: int, url: str) -> None:
    """A write of one document, a batch of ten, and a moment, by one who is alone."""
    with Workspace(url, schemas={SPACE: Brief}) as workspace:
        puts = [(SPACE, f"one {n}", {"hits": 1}) for n in range(SINGLE)]
        batches = [([(SPACE, f"{n} {k}", {"hits": 1}) for k in range(10)],) for n in range(SINGLE)]
        for work, given in ((workspace.put, puts), (workspace.put_all, batches)):
            each(work, [given.pop()])  # connections are made
        _quantiles(curve, "a write", servers, each(workspace.put, puts))
        _quantiles(curve, "a batch of ten documents", servers, each(workspace.put_all, batches))
        _quantiles(curve, "a moment", servers, each(workspace.moment, [()] * SINGLE))


def _written(url: str, how: str, count: int, seconds: float) -> list[int]:
    """How many microseconds each write took of those that so many processes make."""
    if how.startswith("stock"):
        with PostgresStore.from_conn_string(url) as store:
            store.setup()
    else:
        Workspace(url).close()
    command = [*WORKER, url, str(seconds), how]
    workers = [
        subprocess.Popen([*command, str(n)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for n in range(count)
    ]
    for worker in workers:
        assert worker.stdout is not None
        worker.stdout.readline()  # it is ready
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    return [one for worker in workers for one in json.loads(worker.communicate()[0])]


def dump(found: Sequence[Curve], command: str, where: str = "") -> str:
    """The points, with where and how they were measured."""
    points = {curve.file: {"x": curve.x, "y": curve.y, "name": curve.name, "lines": curve.lines} for curve in found}
    return (
        json.dumps({"machine": where or machine(), "command": command, "curves": points}, indent=1, ensure_ascii=False)
        + "\n"
    )


def curves(data: Mapping[str, Any]) -> list[Curve]:
    """The curves of what ``dump`` wrote."""
    return [
        Curve(file, one["name"], one["x"], one["y"], lines={k: [tuple(p) for p in v] for k, v in one["lines"].items()})
        for file, one in data["curves"].items()
    ]
