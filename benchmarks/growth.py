"""What a long history costs the next put."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.graphs import in_node
from benchmarks.measure import Patience, Row, each, interleaved
from benchmarks.subjects import Sizes, merge_store
from benchmarks.values import PLAIN, SPACE

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
