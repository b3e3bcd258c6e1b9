"""A process that writes for some seconds: ``python -m benchmarks.scaling_worker URL SECONDS shared|own NUMBER``.

Says that it is ready, waits for a line, writes, and prints how often it did.
"""

from __future__ import annotations

import sys
from time import perf_counter

from benchmarks.brief import Brief
from benchmarks.values import SPACE
from concordant import Workspace


def main(url: str, seconds: str, where: str, number: str) -> None:
    """Writes until the time is over."""
    with Workspace(url, schemas={SPACE: Brief}) as workspace:
        agent = workspace.agent(f"worker {number}")
        agent.write(SPACE, f"warm {number}", {"hits": 1})
        print("ready", flush=True)
        sys.stdin.readline()
        end, done = perf_counter() + float(seconds), 0
        while perf_counter() < end:
            key = f"doc {done % 50}" if where == "shared" else f"doc {number} {done % 50}"
            agent.write(SPACE, key, {"tags": [f"tag {done % 7}"], "hits": 1})
            done += 1
    print(done)


if __name__ == "__main__":
    main(*sys.argv[1:])
