"""The price of a get, and of a document with many fields."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import partial
from typing import Any

from langgraph.store.base import BaseStore

from benchmarks.graphs import in_node, run
from benchmarks.measure import Row, each, interleaved
from benchmarks.speed import GROUP, Keys
from benchmarks.subjects import Sizes, merge_store, stock_store
from benchmarks.values import PLAIN, SPACE, STOCK, wide

__all__ = ["rows"]


def rows(sizes: Sizes) -> Iterator[Row]:
    """All rows about gets and wide documents."""
    yield from gets(sizes)
    yield from many_fields(sizes)


def gets(sizes: Sizes) -> Iterator[Row]:
    """A get with its ``.value`` of a document put once; and the first get after two parallel nodes wrote it."""
    ours, stock = merge_store(), stock_store()
    for store in (ours, stock):
        in_node(store, partial(each, store.put, Keys().take(sizes.batch)))

    def read(store: BaseStore) -> list[float]:
        wanted = [(SPACE, f"key-{n}") for n in range(sizes.batch)]
        times: list[float] = in_node(store, lambda: each(lambda ns, key: _item(store, ns, key).value, wanted))
        return times

    found = interleaved({"ours": lambda: read(ours), "stock": lambda: read(stock)}, sizes.rounds)
    yield Row(GROUP, "get with its .value", found["ours"].median, STOCK, found["stock"].median, budget=2)

    def after_merge(store: BaseStore, keys: Keys) -> list[float]:
        arguments, others = keys.take(sizes.batch), Keys().take(sizes.batch)
        times: list[float] = []

        def one() -> None:
            for put in arguments:
                store.put(*put)

        def another() -> None:
            for (namespace, key, mine), (_, _, other) in zip(arguments, others, strict=True):
                store.put(namespace, key, {**other, "status": mine["status"]})

        def reader() -> None:
            wanted = [put[:2] for put in arguments]
            times.extend(each(lambda ns, key: _item(store, ns, key).value, wanted))

        run(store, [one, another], [reader])
        return times

    mine, theirs = Keys(), Keys()
    subjects = {"ours": lambda: after_merge(ours, mine), "stock": lambda: after_merge(stock, theirs)}
    found = interleaved(subjects, sizes.rounds)
    yield Row(
        GROUP,
        "get with its .value, first after a merge",
        found["ours"].median,
        STOCK,
        found["stock"].median,
        budget=5,
    )


def _item(store: BaseStore, namespace: tuple[str, ...], key: str) -> Any:
    item = store.get(namespace, key)
    assert item is not None
    return item


def many_fields(sizes: Sizes) -> Iterator[Row]:
    """A put of 1,000 undeclared fields against one of 100: of a fresh key, and of a key that has them already."""
    store, keys = merge_store(), itertools.count()

    def batch(fields: int, *, rewritten: bool) -> list[float]:
        def node() -> list[float]:
            times: list[float] = []
            for _ in range(5):
                key = f"wide-{next(keys)}"
                if rewritten:
                    store.put(PLAIN, key, wide(fields, 0))
                times += each(store.put, [(PLAIN, key, wide(fields, 1))])
            return times

        times: list[float] = in_node(store, node)
        return times

    for name, rewritten in (("fresh key", False), ("2nd put", True)):
        few, many = sizes.fields // 10, sizes.fields
        subjects = {
            "few": lambda: batch(few, rewritten=rewritten),  # noqa: B023
            "many": lambda: batch(many, rewritten=rewritten),  # noqa: B023
        }
        found = interleaved(subjects, sizes.rounds)
        label = f"put of {many:,} fields, undeclared, {name}"
        yield Row(GROUP, label, found["many"].median, f"of {few:,} fields", found["few"].median, budget=12)
