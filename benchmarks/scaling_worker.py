"""A process that writes for some seconds: ``python -m benchmarks.scaling_worker URL SECONDS WHERE NUMBER``.

WHERE is ``shared`` (50 documents of all processes), ``own`` (50 of its own) or ``new`` (each document once); with
``stock`` before it they are LangGraph's own store's. Says that it is ready, waits for a line, writes, and prints how
many microseconds each write took.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from time import perf_counter
from typing import Any

from benchmarks.brief import Brief
from benchmarks.values import SPACE
from concordant import Workspace


def main(url: str, seconds: str, where: str, number: str) -> None:
    """Writes until the time is over."""
    if where.startswith("stock"):
        from langgraph.store.postgres import PostgresStore  # the others begin without it

        with PostgresStore.from_conn_string(url) as store:
            _write(lambda key, value: store.put(SPACE, key, value), seconds, where, number)
        return
    with Workspace(url, schemas={SPACE: Brief}) as workspace:
        agent = workspace.agent(f"worker {number}")
        _write(lambda key, value: agent.write(SPACE, key, value), seconds, where, number)


def _write(put: Callable[[str, dict[str, Any]], object], seconds: str, where: str, number: str) -> None:
    put(f"warm {number}", {"hits": 1})
    print("ready", flush=True)
    sys.stdin.readline()
    end, took = perf_counter() + float(seconds), list[int]()
    name = "doc" if where == "shared" else f"doc {number}"
    if where.endswith("new"):
        name = f"new {os.getpid()} {number}"
    now = perf_counter()
    while now < end:
        done = len(took)
        put(
            f"{name} {done}" if where.endswith("new") else f"{name} {done % 50}",
            {"tags": [f"tag {done % 7}"], "hits": 1},
        )
        began, now = now, perf_counter()
        took.append(round(1e6 * (now - began)))
    print(json.dumps(took))


if __name__ == "__main__":
    main(*sys.argv[1:])
