"""The price of a put and of a write."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextvars import copy_context
from functools import partial
from typing import Any

from langgraph.store.base import BaseStore

from benchmarks.brief import Brief
from benchmarks.graphs import in_node, looped, run
from benchmarks.measure import Row, each, interleaved
from benchmarks.subjects import Sizes, merge_store, stock_store
from benchmarks.values import KINDS, PLAIN, SPACE, STOCK, every_kind, value
from concordant import Workspace
from concordant_langgraph import listener
from concordant_langgraph.provider import task_scope

__all__ = ["GROUP", "Keys", "rows"]

GROUP = "speed"


def rows(sizes: Sizes) -> Iterator[Row]:
    """All rows about single puts and writes."""
    yield from fresh(sizes)
    yield first_in_node(sizes)
    yield context(sizes)
    yield superstep(sizes)
    yield core_write(sizes)
    yield from again(sizes)
    yield contested(sizes)


class Keys:
    """Fresh keys with fresh values, made before the clock starts."""

    def __init__(self, namespace: tuple[str, ...] = SPACE, make: Callable[[int], dict[str, Any]] = value) -> None:
        self.namespace = namespace
        self.make = make
        self.numbers = itertools.count()

    def take(self, count: int) -> list[tuple[tuple[str, ...], str, dict[str, Any]]]:
        """Arguments of ``count`` puts, each of another key."""
        return [(self.namespace, f"key-{n}", self.make(n)) for n in itertools.islice(self.numbers, count)]


def fresh(sizes: Sizes) -> Iterator[Row]:
    """A put of a fresh key in a real node: four declared fields, all kinds together, each kind; and what garbage
    collection adds."""

    def batch(store: BaseStore, make: Callable[[int], dict[str, Any]] = value) -> Callable[[], list[float]]:
        keys = Keys(make=make)

        def puts() -> list[float]:
            arguments = keys.take(sizes.batch)
            times: list[float] = in_node(store, lambda: each(store.put, arguments))
            return times

        return puts

    variants = {"4 declared fields": value, "a field of every kind": every_kind, **KINDS}
    for name, make in variants.items():
        found = interleaved(
            {"ours": batch(merge_store(), make), "stock": batch(stock_store(), make)}, max(2, sizes.rounds // 2)
        )
        yield Row(GROUP, f"put, fresh key, {name}", found["ours"].median, STOCK, found["stock"].median, budget=2)
    found = interleaved({"ours": batch(merge_store()), "stock": batch(stock_store())}, sizes.rounds, gc_on=True)
    theirs = found["stock"].mean / found["stock"].median
    mean, middle = found["ours"].mean, found["ours"].median
    note = f"{STOCK}'s own: {theirs:.2f} x"
    yield Row(GROUP, "put, fresh key: mean, garbage collection on", mean, "its median", middle, budget=2, note=note)


def first_in_node(sizes: Sizes) -> Row:
    """The first put of a node, which also finds out who writes; the rows above are the puts after it."""

    def batch(store: BaseStore) -> Callable[[], list[float]]:
        keys = Keys()

        def puts() -> list[float]:
            times: list[float] = []
            for _ in range(max(2, sizes.batch // 20)):
                arguments = keys.take(1)
                times += in_node(store, partial(each, store.put, arguments))
            return times

        return puts

    found = interleaved({"ours": batch(merge_store()), "stock": batch(stock_store())}, sizes.rounds)
    return Row(GROUP, "put, the first of a node", found["ours"].median, STOCK, found["stock"].median)


def context(sizes: Sizes) -> Row:
    """What the first put of a node spends on finding out who writes, by LangGraph's context; later ones remember it."""
    store, count = merge_store(), max(2, sizes.batch // 4)

    def supersteps() -> list[float]:
        times: list[float] = []
        run(store, *[[lambda: times.extend(each(task_scope, [()]))]] * count)
        return times

    found = interleaved({"ours": supersteps}, sizes.rounds)
    return Row(GROUP, "reading LangGraph's context, once a node", found["ours"].median, budget=15, absolute=True)


def superstep(sizes: Sizes) -> Row:
    """A superstep of one node that puts a fresh key, all of LangGraph's own work included.

    The stock store's supersteps run as in a process without a ``MergeStore``: without its handler.
    """

    def batch(store: BaseStore, handler: Any) -> Callable[[], list[float]]:
        keys, count = Keys(), max(20, sizes.batch // 2)

        def supersteps() -> list[float]:
            graph, config = looped(store, keys.take(count))
            context = copy_context()
            context.run(listener._listener.set, handler)
            [whole] = context.run(each, graph.invoke, [({"go": True}, config)])
            return [whole / count]

        return supersteps

    subjects = {"ours": batch(merge_store(), listener._LISTENER), "stock": batch(stock_store(), None)}
    found = interleaved(subjects, sizes.rounds)
    ours, stock = found["ours"].median, found["stock"].median
    return Row(GROUP, "superstep of one node with one put", ours, f"with {STOCK.split('.')[0]}", stock, budget=1.15)


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
    count = max(2, sizes.batch // 4)
    variants = {
        "2nd to 5th put, same node": (SPACE, blind),
        "2nd to 5th put, each after a get in a later superstep": (SPACE, read_then_put),
        "2nd to 5th put, undeclared, same node": (PLAIN, blind),
        "2nd to 5th put, undeclared, each after a get in a later superstep": (PLAIN, read_then_put),
    }
    for name, (namespace, puts) in variants.items():
        ours, stock = merge_store(), stock_store()
        mine, theirs = Keys(namespace), Keys(namespace)
        subjects = {"ours": lambda: puts(ours, mine, count), "stock": lambda: puts(stock, theirs, count)}  # noqa: B023
        found = interleaved(subjects, sizes.rounds)
        yield Row(GROUP, name, found["ours"].median, STOCK, found["stock"].median, budget=4)
    ours, stock, mine, theirs = merge_store(), stock_store(), Keys(), Keys()
    subjects = {
        "ours": lambda: blind_then_read(ours, mine, count),
        "stock": lambda: blind_then_read(stock, theirs, count),
    }
    found = interleaved(subjects, sizes.rounds)
    name = "2nd to 5th put, same node, and one get with its .value"
    yield Row(GROUP, name, found["ours"].median, STOCK, found["stock"].median)


def contested(sizes: Sizes) -> Row:
    """A put of another field on a document that two parallel nodes left with an open question, in a later node."""

    def batch(store: BaseStore) -> Callable[[], list[float]]:
        keys = Keys()

        def puts() -> list[float]:
            arguments = keys.take(sizes.batch)
            later = [(namespace, key, {"hits": 1}) for namespace, key, _ in arguments]
            times: list[float] = []

            def one(status: str) -> None:
                for namespace, key, _ in arguments:
                    store.put(namespace, key, {"status": status})

            run(store, [lambda: one("A"), lambda: one("B")], [lambda: times.extend(each(store.put, later))])
            return times

        return puts

    found = interleaved({"ours": batch(merge_store()), "stock": batch(stock_store())}, max(2, sizes.rounds // 3))
    name = "put on a contested document, another field"
    return Row(GROUP, name, found["ours"].median, STOCK, found["stock"].median)


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


def blind_then_read(store: BaseStore, keys: Keys, count: int) -> list[float]:
    """Four puts and a get together, in one node on keys that are there."""
    arguments = keys.take(count)

    def four(namespace: tuple[str, ...], key: str, values: list[dict[str, Any]]) -> None:
        for one in values:
            store.put(namespace, key, one)
        item = store.get(namespace, key)
        assert item is not None
        assert item.value

    def node() -> list[float]:
        for one in arguments:
            store.put(*one)
        return each(four, [(*one[:2], [value(n) for n in range(1000, 1004)]) for one in arguments])

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
