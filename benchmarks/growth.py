"""What a long history costs the next put."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Iterator
from statistics import median
from time import process_time
from typing import Any

from benchmarks.graphs import in_node
from benchmarks.measure import Patience, Row, each, interleaved
from benchmarks.subjects import Sizes, merge_store
from benchmarks.values import PLAIN, SPACE
from benchmarks.writers import Board, calls
from concordant import Workspace

__all__ = ["VARIANTS", "rows"]

GROUP = "growth"
WINDOW = 100
"""Puts in a row whose mean counts work that a store puts off, which a median of single puts does not show."""

VARIANTS: dict[str, tuple[tuple[str, ...], Callable[[int], dict[str, Any]]]] = {
    "scalar": (SPACE, lambda n: {"status": f"state {n}"}),
    "set, same elements": (SPACE, lambda n: {"tags": ["agents", "crdt", "merge"]}),  # noqa: ARG005
    "counter": (SPACE, lambda n: {"hits": 1}),  # noqa: ARG005
    "text, growing": (SPACE, lambda n: {"notes": f"Finding {n}: a line of a log."}),
    "undeclared": (PLAIN, lambda n: {"status": f"state {n}", "step": n}),
}


def rows(sizes: Sizes) -> Iterator[Row]:
    """The 5,000th put on one key against the 10th on others, by kind: within a node, and as the first of a node."""
    for name, (namespace, make) in VARIANTS.items():
        yield from late_against_early(sizes, name, namespace, make)
    yield from large(sizes)


def large(sizes: Sizes) -> Iterator[Row]:
    """One more element, which nobody has seen, beside many; and then a read with its value: in memory, on SQLite."""
    yield from _beside_many(sizes, None)
    with tempfile.TemporaryDirectory() as folder:
        yield from _beside_many(sizes, f"sqlite:///{folder}/large.db")


def _beside_many(sizes: Sizes, url: str | None) -> Iterator[Row]:
    place = "" if url is None else ", SQLite"
    for name, field, value, more in (
        ("set", "tags", lambda n: [f"e{k}" for k in range(n)], lambda n: [f"new {n}"]),
        ("map", "owners", lambda n: {f"k{k}": "v" for k in range(n)}, lambda n: {f"new {n}": "v"}),
        ("set of records", "lines", lambda n: [{"id": f"k{k}"} for k in range(n)], lambda n: [{"id": f"new {n}"}]),
    ):
        ws, count = Workspace(url, schemas={SPACE: Board}), sizes.crowd
        ws.agent("first").write(SPACE, name, {field: value(count)})
        began = ws.moment()
        numbers = itertools.count()

        def work(
            ws: Any = ws,
            began: Any = began,
            name: str = name,
            field: str = field,
            numbers: Any = numbers,
            more: Any = more,
        ) -> Any:
            number = next(numbers)
            ws.agent(f"agent {number}", began=began).write(SPACE, name, {field: more(number)})
            document = ws.get(SPACE, name)
            assert document is not None
            return document.value

        spent = []
        for _ in range(2 + max(3, sizes.rounds // 10)):
            begun = process_time()  # of the processor: other work on the machine does not count
            work()
            spent.append(1e3 * (process_time() - begun))
        of = f"addition to a {name} of {count:,}, and a read{place}"
        first, note = "what was written at once is read", f"calls, which no noise changes: {calls(work):,}"
        yield Row(GROUP, f"the first unseen {of}", spent[0], unit="ms", budget=100, absolute=True, note=first)
        yield Row(GROUP, f"an unseen {of}", median(spent[2:]), unit="ms", budget=100, absolute=True, note=note)
        ws.close()


def late_against_early(
    sizes: Sizes, name: str, namespace: tuple[str, ...], make: Callable[[int], Any]
) -> Iterator[Row]:
    """Puts on a key with a long history, in turn with the 10th put on fresh keys.

    Both are timed in the same place of a node: after seven others, or alone in it.
    """
    store, patience = merge_store(), Patience()
    numbers, keys = itertools.count(), itertools.count()

    def put(key: str, count: int) -> list[float]:
        arguments = [(namespace, key, make(n)) for n in itertools.islice(numbers, count)]
        times: list[float] = in_node(store, lambda: each(store.put, arguments))
        return times

    def tenth(key: str) -> list[float]:
        put(key, 9)
        return put(key, 1)

    reached = 0
    while reached < sizes.history and patience.left():
        count = min(50, sizes.history - reached)
        put("old", count)
        reached += count
    note = patience.note(reached, sizes.history)
    subjects = {
        "late": lambda: put("old", 12)[7:],
        "early": lambda: put(f"young-{next(keys)}", 12)[7:],
        "late alone": lambda: put("old", 1) + put("old", 1),
        "early alone": lambda: tenth(f"alone-{next(keys)}") + tenth(f"alone-{next(keys)}"),
    }
    found = interleaved(subjects, sizes.rounds)
    for place, late, early in (("", "late", "early"), (", alone in its node", "late alone", "early alone")):
        label = f"put {reached:,} on one key, {name}{place}"
        mine, theirs = found[late].median, found[early].median
        yield Row(GROUP, label, mine, f"put 10{place}", theirs, budget=1.3, note=note, complete=not note)
    windows = {"late": lambda: put("old", WINDOW), "early": lambda: put(f"window-{next(keys)}", WINDOW)}
    found = interleaved(windows, max(3, sizes.rounds // 10), warm=False)
    label = f"{WINDOW} puts from {reached:,} on, {name}: mean"
    mine, theirs = found["late"].mean, found["early"].mean
    yield Row(GROUP, label, mine, f"mean of the first {WINDOW}", theirs, budget=1.3, note=note, complete=not note)
