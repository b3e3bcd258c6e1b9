"""Many threads, many documents, and many questions."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from tempfile import TemporaryDirectory
from time import perf_counter_ns, process_time

from langgraph.store.base import BaseStore
from starlette.testclient import TestClient

from benchmarks.brief import Brief
from benchmarks.measure import Row, Sample, each, interleaved
from benchmarks.subjects import Sizes, merge_store, stock_store
from benchmarks.values import SPACE, STOCK, value
from concordant import Workspace
from concordant.desk import app

__all__ = ["rows"]

GROUP = "crowds"


def rows(sizes: Sizes) -> Iterator[Row]:
    """All rows about threads, about the inbox of a large workspace, and about the desk's."""
    yield from threads(sizes)
    yield hot(sizes)
    yield inbox(sizes)
    yield desk(sizes)


def threads(sizes: Sizes) -> Iterator[Row]:
    """Puts of distinct keys by 8 threads against the same number by one thread; and the slowest put of a hundred."""
    puts: dict[str, Sample] = {STOCK: Sample(), "ours": Sample()}

    def batch(make: Callable[[], BaseStore], count: int, name: str) -> Callable[[], list[float]]:
        def work() -> list[float]:
            spent, times = _by_threads(make(), count, sizes.puts)
            if count > 1:
                puts[name].times.extend(times)
            return [spent]

        return work

    many = sizes.threads
    subjects = {
        "ours, one": batch(merge_store, 1, "ours"),
        "ours, many": batch(merge_store, many, "ours"),
        "stock, one": batch(stock_store, 1, STOCK),
        "stock, many": batch(stock_store, many, STOCK),
    }
    found = {name: sample.median / 1e3 for name, sample in interleaved(subjects, max(2, sizes.rounds // 3)).items()}
    label = f"{sizes.puts:,} puts by {many} threads, distinct keys"
    note = f"{STOCK}'s own: {found['stock, many'] / found['stock, one']:.2f} x"
    yield Row(GROUP, label, found["ours, many"], "by 1 thread", found["ours, one"], unit="ms", budget=1.5, note=note)
    yield Row(
        GROUP,
        f"the same {sizes.puts:,} puts",
        found["ours, many"],
        f"{STOCK}, {many} threads",
        found["stock, many"],
        unit="ms",
    )
    late = {name: (sample.quantile(0.99), sample.median) for name, sample in puts.items()}
    note = f"{STOCK}'s own: {late[STOCK][0] / late[STOCK][1]:.2f} x"
    label = f"put by {many} threads, 99th percentile"
    yield Row(GROUP, label, late["ours"][0], "its median", late["ours"][1], budget=20, note=note)


def _by_threads(store: BaseStore, count: int, total: int) -> tuple[float, list[float]]:
    """Microseconds until all threads have put their share, and the times of the puts."""
    shares = [[(SPACE, f"key-{n}", value(n)) for n in range(start, total, count)] for start in range(count)]
    times: list[list[float]] = [[] for _ in shares]
    spans: list[tuple[int, int]] = []
    ready = threading.Barrier(count)

    def work(number: int) -> None:
        ready.wait()
        start = perf_counter_ns()
        times[number] = each(store.put, shares[number])
        spans.append((start, perf_counter_ns()))

    workers = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    spent = max(end for _, end in spans) - min(start for start, _ in spans)
    return spent / 1e3, [time for share in times for time in share]


def hot(sizes: Sizes) -> Row:
    """Writes by agents in turn to one document, all of them concurrent, against as many to documents of their own;
    each document is read at the end, so that what was put off is done."""
    agents, rounds = sizes.agents, sizes.puts // (2 * sizes.agents)

    def work(together: bool) -> list[float]:
        workspace = Workspace(schemas={SPACE: Brief})
        keys = ["shared"] * agents if together else [f"own {number}" for number in range(agents)]
        writers = [(workspace.agent(f"agent {number}"), key) for number, key in enumerate(keys)]
        begun = process_time()  # of the processor: other work on the machine does not count
        for turn in range(rounds):
            for agent, key in writers:
                agent.write(SPACE, key, {"tags": [f"tag {turn % 7}"], "hits": 1})
        for key in dict.fromkeys(keys):
            document = workspace.get(SPACE, key)
            assert document is not None and document.value["hits"] == rounds * keys.count(key), "a write was lost"
        return [1e3 * (process_time() - begun)]

    subjects = {"one": lambda: work(True), "own": lambda: work(False)}
    found = interleaved(subjects, max(2, sizes.rounds // 6), gc_on=True)
    label = f"{agents * rounds:,} writes by {agents} agents in turn, one document"
    against = f"{agents} documents"
    return Row(GROUP, label, found["one"].median, against, found["own"].median, unit="ms", budget=5)


def inbox(sizes: Sizes) -> Row:
    """``escalations()`` with ten open ones, among 100,000 documents and among 100."""
    large, small = _contested(sizes.crowd), _contested(100)
    subjects = {
        "large": lambda: each(large.escalations, [()] * 20),
        "small": lambda: each(small.escalations, [()] * 20),
    }
    found = interleaved(subjects, sizes.rounds)
    label = f"escalations(), 10 open of {sizes.crowd:,} documents"
    return Row(GROUP, label, found["large"].median, "of 100 documents", found["small"].median, budget=1.3)


def desk(sizes: Sizes) -> Row:
    """The desk's first page, of a SQLite file with many open questions: from the request to the last byte of the
    answer, in one process."""
    questions = sizes.crowd // 50
    with TemporaryDirectory() as folder, Workspace(f"sqlite:///{folder}/team.db", schemas={SPACE: Brief}) as workspace:
        ada, bob = workspace.agent("ada"), workspace.agent("bob")
        for number in range(questions):
            ada.write(SPACE, f"key-{number}", value(number))
            bob.write(SPACE, f"key-{number}", {"status": "published"})
        client = TestClient(app(workspace, user=lambda _: "maria"))
        assert f"1 to 50 of {questions}" in client.get("/").text or questions <= 50
        taken = Sample([time for _ in range(sizes.rounds) for time in each(client.get, [("/",)])]).median / 1e3
    return Row(GROUP, f"the desk's first page, {questions:,} open", taken, unit="ms", budget=300, absolute=True)


def _contested(count: int) -> Workspace:
    """A workspace of ``count`` documents, ten of which two agents left contested."""
    workspace = Workspace(schemas={SPACE: Brief})
    ada, bob = workspace.agent("ada"), workspace.agent("bob")
    for number in range(count):
        ada.write(SPACE, f"key-{number}", value(number))
    for number in range(10):
        bob.write(SPACE, f"key-{number * (count // 10)}", {"status": "published"})
    assert len(workspace.escalations()) == 10, "there should be ten open escalations"
    return workspace
