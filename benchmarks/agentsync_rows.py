"""Measures agentsync in an environment of its own, LangGraph's store beside it, and prints the rows as JSON.

Run by ``benchmarks.agentsync``; needs agentsync and LangGraph, not Concordant.
"""

from __future__ import annotations

import gc
import itertools
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from agentsync import SyncedStore  # type: ignore[import-not-found]
from agentsync.models import FieldKind, Write  # type: ignore[import-not-found]
from langgraph.store.base import BaseStore
from langgraph.store.memory import InMemoryStore

from benchmarks.graphs import in_node
from benchmarks.measure import Row, each, interleaved
from benchmarks.values import PLAIN, SPACE, STOCK, value, wide

GROUP = "agentsync 0.1.0"
FULL = {"rounds": 10, "batch": 50, "history": 5_000, "fields": 1_000, "documents": 10_000}
QUICK = {"rounds": 1, "batch": 5, "history": 100, "fields": 50, "documents": 200}


def fresh(sizes: dict[str, int]) -> Row:
    """A put of a fresh key with the same four fields, in a node."""

    def batch(store: BaseStore) -> Callable[[], list[float]]:
        numbers = itertools.count()

        def puts() -> list[float]:
            arguments = [(SPACE, f"key-{n}", value(n)) for n in itertools.islice(numbers, sizes["batch"])]
            times: list[float] = in_node(store, lambda: each(store.put, arguments))
            return times

        return puts

    found = interleaved({"theirs": batch(SyncedStore()), "stock": batch(InMemoryStore())}, sizes["rounds"])
    return Row(GROUP, "put, fresh key, 4 declared fields", found["theirs"].median, STOCK, found["stock"].median)


def late_against_early(sizes: dict[str, int], name: str, make: Callable[[int], dict[str, Any]]) -> Row:
    """A put on a key with a long history against the 10th put on others.

    The history is given to the key's engine directly, as each put would, without the reading back that a put also
    does: 5,000 of those take minutes.
    """
    store = SyncedStore()
    numbers, keys = itertools.count(), itertools.count()

    def put(key: str, count: int) -> list[float]:
        arguments = [(SPACE, key, make(n)) for n in itertools.islice(numbers, count)]
        times: list[float] = in_node(store, lambda: each(store.put, arguments))
        return times

    put("old", 1)
    engine = store._engines[(SPACE, "old")]
    for number in itertools.islice(numbers, sizes["history"] - 1):
        for field, content in make(number).items():
            kind = FieldKind.append_text if field == "notes" else FieldKind.scalar
            engine.engine.apply(Write("anonymous", engine.next_op("anonymous"), field, content, kind))
    subjects = {"late": lambda: put("old", 12)[7:], "early": lambda: put(f"young-{next(keys)}", 12)[7:]}
    found = interleaved(subjects, max(1, sizes["rounds"] // 3), warm=False)
    label = f"put {sizes['history']:,} on one key, {name}"
    return Row(GROUP, label, found["late"].median, "put 10", found["early"].median)


def many_fields(sizes: dict[str, int]) -> Row:
    """A put of 1,000 fields against one of 100, fresh keys."""
    store, keys = SyncedStore(), itertools.count()
    few, many = sizes["fields"] // 10, sizes["fields"]

    def batch(fields: int) -> list[float]:
        arguments = [(PLAIN, f"wide-{next(keys)}", wide(fields, 1)) for _ in range(2)]
        times: list[float] = in_node(store, lambda: each(store.put, arguments))
        return times

    found = interleaved({"few": lambda: batch(few), "many": lambda: batch(many)}, max(1, sizes["rounds"] // 3))
    label = f"put of {many:,} fields, undeclared, fresh key"
    return Row(GROUP, label, found["many"].median, f"of {few:,} fields", found["few"].median)


def get(sizes: dict[str, int]) -> Row:
    """A get with its ``.value``."""
    wanted = [(SPACE, f"key-{n}") for n in range(sizes["batch"])]

    def batch(store: BaseStore) -> Callable[[], list[float]]:
        each(store.put, [(*place, value(n)) for n, place in enumerate(wanted)])

        def read(namespace: tuple[str, ...], key: str) -> Any:
            item = store.get(namespace, key)
            assert item is not None
            return item.value

        def gets() -> list[float]:
            times: list[float] = in_node(store, lambda: each(read, wanted))
            return times

        return gets

    found = interleaved({"theirs": batch(SyncedStore()), "stock": batch(InMemoryStore())}, sizes["rounds"])
    return Row(GROUP, "get with its .value", found["theirs"].median, STOCK, found["stock"].median)


def memory(sizes: dict[str, int]) -> Row:
    """Growth of the process per key. Loro's documents live outside Python, where tracemalloc does not see them."""
    count = sizes["documents"]
    kept: list[BaseStore] = []  # neither store may reuse what the other gave back
    stock, theirs = _growth(InMemoryStore, count, kept), _growth(SyncedStore, count, kept)
    note = f"growth of the process over {count:,} keys"
    return Row(GROUP, "a key written once", theirs, STOCK, stock, unit="B", note=note)


def _growth(make: Callable[[], BaseStore], count: int, kept: list[BaseStore]) -> float:
    store = make()
    kept.append(store)
    gc.collect()
    before = _resident()
    for number in range(count):
        store.put(SPACE, f"key-{number}", value(number))
    gc.collect()
    return (_resident() - before) / count


def _resident() -> int:
    """Bytes of this process in memory; without /proc, the most it ever had."""
    status = Path("/proc/self/status")
    if status.exists():
        lines = status.read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS"))
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def main() -> None:
    """Prints the rows as a JSON list."""
    sizes = QUICK if "--quick" in sys.argv else FULL
    held = memory(sizes)  # first, while there is no freed memory to use again
    found = [
        fresh(sizes),
        late_against_early(sizes, "scalar", lambda n: {"status": f"state {n}"}),
        late_against_early(sizes, "text, growing", lambda n: {"notes": f"Finding {n}: a line of a log."}),
        many_fields(sizes),
        get(sizes),
        held,
    ]
    json.dump([asdict(row) for row in found], sys.stdout)


if __name__ == "__main__":
    main()
