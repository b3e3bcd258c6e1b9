"""Instructions of single operations, by cachegrind: for where times are too noisy to tell.

``python -m benchmarks.instructions`` needs valgrind. Each operation runs in processes of its own, so many times and
twice as often: the difference is the operation's, whatever else the process does.
"""

from __future__ import annotations

import gc
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

from langgraph.store.base import BaseStore
from rich.console import Console
from rich.table import Table

from benchmarks.graphs import in_node, looped
from benchmarks.speed import Keys
from benchmarks.subjects import merge_store, stock_store
from benchmarks.values import SPACE, value
from concordant_langgraph import listener

__all__ = ["OPERATIONS"]

Operation = Callable[[BaseStore, int], None]


def put_fresh(store: BaseStore, count: int) -> None:
    """Puts of fresh keys, in one node."""
    arguments = Keys().take(count)
    in_node(store, lambda: [store.put(*put) for put in arguments])


def get(store: BaseStore, count: int) -> None:
    """Gets of one key with the value."""
    store.put(SPACE, "key", value(1))

    def gets() -> None:
        for _ in range(count):
            item = store.get(SPACE, "key")
            assert item is not None and item.value

    in_node(store, gets)


def superstep(store: BaseStore, count: int) -> None:
    """Supersteps of one node with one put; without our handler where the store is not ours."""
    graph, config = looped(store, Keys().take(count))
    context = copy_context()
    if type(store).__name__ == "InMemoryStore":
        context.run(listener._listener.set, None)
    context.run(graph.invoke, {"go": True}, config)


OPERATIONS: dict[str, tuple[str, Operation, int]] = {
    "put": ("put, fresh key, 4 declared fields", put_fresh, 400),
    "get": ("get with its .value", get, 1_000),
    "superstep": ("superstep of one node with one put", superstep, 100),
}
"""By name: what it is, what is done, and how often."""


def play(name: str, subject: str, count: int) -> None:
    """Does an operation, in this process."""
    gc.disable()
    store: BaseStore = merge_store() if subject == "ours" else stock_store()
    OPERATIONS[name][1](store, count)


def counted(name: str, subject: str, count: int) -> int:
    """The instructions of a process that does an operation so many times."""
    command = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null", sys.executable]
    command += ["-m", "benchmarks.instructions", name, subject, str(count)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONHASHSEED": "0"})
    found = re.search(r"I\s+refs:\s+([\d,]+)", done.stderr)
    if done.returncode or found is None:
        raise RuntimeError(done.stderr[-2_000:])
    return int(found[1].replace(",", ""))


def single(name: str, subject: str) -> float:
    """The instructions of one operation."""
    count = OPERATIONS[name][2]
    return (counted(name, subject, 2 * count) - counted(name, subject, count)) / count


def main() -> None:
    """Counts all operations on both stores and prints them as a table."""
    if shutil.which("valgrind") is None:
        raise SystemExit("This needs valgrind.")
    table = Table("operation", "Concordant", "InMemoryStore", "ratio", title="thousands of instructions")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        jobs: dict[str, Any] = {
            name: [pool.submit(single, name, subject) for subject in ("ours", "stock")] for name in OPERATIONS
        }
        for name, (ours, stock) in jobs.items():
            mine, theirs = ours.result() / 1e3, stock.result() / 1e3
            table.add_row(OPERATIONS[name][0], f"{mine:,.1f}", f"{theirs:,.1f}", f"{mine / theirs:.2f} x")
    Console().print(table)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        play(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    else:
        main()
