"""What a document keeps in memory."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from langgraph.store.base import BaseStore

from benchmarks.graphs import in_node
from benchmarks.measure import Row
from benchmarks.subjects import Sizes, merge_store, stock_store
from benchmarks.values import SPACE, STOCK, value

__all__ = ["per_key", "rows"]

GROUP = "memory"
PER_NODE = 100


def rows(sizes: Sizes) -> Iterator[Row]:
    """Bytes per key, four fields, by tracemalloc: written once; rewritten twice, each time after a get; no graph."""
    ours, stock = per_key(merge_store, sizes.documents), per_key(stock_store, sizes.documents)
    labels = ("a key written once", "a key rewritten twice after a get", "a key written once, outside any graph")
    for label, mine, theirs, budget in zip(labels, ours, stock, (2, 4, None), strict=True):
        yield Row(GROUP, label, mine, STOCK, theirs, unit="B", budget=budget)


def per_key(make: Callable[[], BaseStore], count: int) -> tuple[float, float, float]:
    """Bytes per key of a new store: put in nodes of 100 keys each, then rewritten twice so, and put without a graph."""
    once, twice = _traced(make, lambda store: _put(store, count), lambda store: _rewrite(store, count))
    (plain,) = _traced(make, lambda store: _puts(store, range(count)))
    return once / count, twice / count, plain / count


def _traced(make: Callable[[], BaseStore], *works: Callable[[BaseStore], Any]) -> list[int]:
    """Bytes that the store holds after each piece of work."""
    in_node(make(), lambda: None)  # what the framework itself keeps is there before the count
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        store, held = make(), []
        for work in works:
            work(store)
            gc.collect()
            held.append(tracemalloc.get_traced_memory()[0] - before)
        return held
    finally:
        tracemalloc.stop()


def _shares(count: int) -> list[range]:
    return [range(start, min(count, start + PER_NODE)) for start in range(0, count, PER_NODE)]


def _put(store: BaseStore, count: int) -> None:
    for numbers in _shares(count):
        in_node(store, partial(_puts, store, numbers))


def _puts(store: BaseStore, numbers: range) -> None:
    for number in numbers:
        store.put(SPACE, f"key-{number}", value(number))


def _rewrite(store: BaseStore, count: int) -> None:
    def rewrite(numbers: range, edition: int) -> None:
        for number in numbers:
            store.get(SPACE, f"key-{number}")
            store.put(SPACE, f"key-{number}", value(number + edition))

    for edition in (1, 2):
        for numbers in _shares(count):
            in_node(store, partial(rewrite, numbers, edition))
