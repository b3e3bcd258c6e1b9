"""The price of a put, a write and a get."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

from langgraph.store.base import BaseStore

from benchmarks.measure import Row, each, interleaved
from benchmarks.subjects import (
    PLAIN,
    SPACE,
    STOCK,
    Brief,
    Sizes,
    in_node,
    merge_store,
    run,
    stock_store,
    value,
)
from concordant import Workspace

__all__ = ["rows"]

GROUP = "speed"


def rows(sizes: Sizes) -> Iterator[Row]:
    """All rows about single puts, writes and gets."""
    yield from fresh(sizes)
    yield first_in_node(sizes)
    yield core_write(sizes)
    yield from again(sizes)
    yield from gets(sizes)
    yield from many_fields(sizes)


class Keys:
    """Fresh keys with fresh values, made before the clock starts."""

    def __init__(self, namespace: tuple[str, ...] = SPACE) -> None:
        self.namespace = namespace
        self.numbers = itertools.count()

    def take(self, count: int) -> list[tuple[tuple[str, ...], str, dict[str, Any]]]:
        """Arguments of ``count`` puts, each of another key."""
        return [(self.namespace, f"key-{n}", value(n)) for n in itertools.islice(self.numbers, count)]


def fresh(sizes: Sizes) -> Iterator[Row]:
    """A put of a fresh key, four declared fields, in a real node; and what garbage collection adds."""

    def batch(store: BaseStore) -> Callable[[], list[float]]:
        keys = Keys()

        def puts() -> list[float]:
            arguments = keys.take(sizes.batch)
            times: list[float] = in_node(store, lambda: each(store.put, arguments))
            return times

        return puts

    found = interleaved({"ours": batch(merge_store()), "stock": batch(stock_store())}, sizes.rounds)
    ours, stock = found["ours"].median, found["stock"].median
    yield Row(GROUP, "put, fresh key, 4 declared fields", ours, STOCK, stock, budget=2)
    found = interleaved(
        {"ours": batch(merge_store()), "stock": batch(stock_store())}, sizes.rounds, gc_on=True
    )
    theirs = found["stock"].mean / found["stock"].median
    mean, middle = found["ours"].mean, found["ours"].median
    note = f"{STOCK}'s own: {theirs:.2f} x"
    yield Row(
        GROUP, "put, fresh key: mean, garbage collection on", mean, "its median", middle, budget=2, note=note
    )


def first_in_node(sizes: Sizes) -> Row:
    """The first put of a node, which also finds out who writes; the rows above are the puts after it."""

    def batch(store: BaseStore) -> Callable[[], list[float]]:
        keys = Keys()

        def puts() -> list[float]:
            times: list[float] = []
            for _ in range(max(2, sizes.batch // 20)):
                arguments = keys.take(1)
                times += in_node(store, lambda these=arguments: each(store.put, these))
            return times

        return puts

    found = interleaved({"ours": batch(merge_store()), "stock": batch(stock_store())}, sizes.rounds)
    return Row(GROUP, "put, the first of a node", found["ours"].median, STOCK, found["stock"].median)


def core_write(sizes: Sizes) -> Row:
    """``agent.write`` of a fresh key with four declared fields, without any framework."""
    keys, others, stock = Keys(), Keys(), stock_store()
    ada = Workspace(schemas={SPACE: Brief}).agent("ada")
    subjects = {
        "ours": lambda: each(ada.write, keys.take(sizes.batch)),
        "stock": lambda: each(stock.put, others.take(sizes.batch)),
    }
    found = interleaved(subjects, sizes.rounds)
    return Row(
        GROUP,
        "agent.write, fresh key",
        found["ours"].median,
        f"{STOCK}.put",
        found["stock"].median,
        budget=1.5,
    )


def again(sizes: Sizes) -> Iterator[Row]:
    """The 2nd to 5th put on a key: blind in one node, after a get in later supersteps, and without a model."""
    variants = {
        "2nd to 5th put, same node": (SPACE, blind),
        "2nd to 5th put, each after a get in a later superstep": (SPACE, read_then_put),
        "2nd to 5th put, undeclared, same node": (PLAIN, blind),
        "2nd to 5th put, undeclared, each after a get in a later superstep": (PLAIN, read_then_put),
    }
    for name, (namespace, puts) in variants.items():
        ours, stock = merge_store(), stock_store()
        mine, theirs = Keys(namespace), Keys(namespace)
        count = max(2, sizes.batch // 4)
        subjects = {"ours": lambda: puts(ours, mine, count), "stock": lambda: puts(stock, theirs, count)}  # noqa: B023
        found = interleaved(subjects, sizes.rounds)
        yield Row(GROUP, name, found["ours"].median, STOCK, found["stock"].median, budget=4)


def blind(store: BaseStore, keys: Keys, count: int) -> list[float]:
    """Five puts on each key in one node, other values each time; the first is not timed."""
    arguments = keys.take(count)

    def node() -> list[float]:
        times: list[float] = []
        for namespace, key, first in arguments:
            store.put(namespace, key, first)
            later = [(namespace, key, value(n)) for n in range(1000, 1004)]
            times += each(store.put, later)
        return times

    times: list[float] = in_node(store, node)
    return times


def read_then_put(store: BaseStore, keys: Keys, count: int) -> list[float]:
    """Five supersteps, each reads every key and puts it back changed; the first is not timed, nor are the gets."""
    arguments = keys.take(count)
    times: list[float] = []

    def first() -> None:
        for one in arguments:
            store.put(*one)

    def later() -> None:
        for namespace, key, _ in arguments:
            item = store.get(namespace, key)
            assert item is not None
            old = item.value
            new = {
                "tags": [*old["tags"], f"more-{len(old['tags'])}"],
                "status": old["status"] + "!",
                "notes": old["notes"] + " Checked.",
                "hits": old["hits"] + 1,
            }
            times.extend(each(store.put, [(namespace, key, new)]))

    run(store, [first], [later], [later], [later], [later])
    return times


def gets(sizes: Sizes) -> Iterator[Row]:
    """A get with its ``.value`` of a document put once; and the first get after two parallel nodes wrote it."""
    ours, stock = merge_store(), stock_store()
    for store in (ours, stock):
        in_node(store, lambda into=store: each(into.put, Keys().take(sizes.batch)))

    def read(store: BaseStore) -> list[float]:
        wanted = [(SPACE, f"key-{n}") for n in range(sizes.batch)]
        times: list[float] = in_node(store, lambda: each(lambda ns, key: _item(store, ns, key).value, wanted))
        return times

    found = interleaved({"ours": lambda: read(ours), "stock": lambda: read(stock)}, sizes.rounds)
    yield Row(GROUP, "get with its .value", found["ours"].median, STOCK, found["stock"].median, budget=2.5)

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
        budget=6,
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


def wide(fields: int, edition: int) -> dict[str, Any]:
    """A flat document of many fields, every tenth of which differs between editions."""
    return {f"field_{n}": f"value {n} {edition if n % 10 == 0 else 0}" for n in range(fields)}
