"""A process that writes for some seconds: ``python -m benchmarks.scaling_worker URL SECONDS shared|own|stock NUMBER``.

Says that it is ready, waits for a line, writes, and prints how often it did.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from time import perf_counter
from typing import Any

from langgraph.store.postgres import PostgresStore

from benchmarks.brief import Brief
from benchmarks.values import SPACE
from concordant import Workspace


def main(url: str, seconds: str, where: str, number: str) -> None:
    """Writes until the time is over; ``stock``: with LangGraph's own store."""
    if where == "stock":
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
    end, done = perf_counter() + float(seconds), 0
    while perf_counter() < end:
        key = f"doc {done % 50}" if where == "shared" else f"doc {number} {done % 50}"
        put(key, {"tags": [f"tag {done % 7}"], "hits": 1})
        done += 1
    print(done)


if __name__ == "__main__":
    main(*sys.argv[1:])
