"""Another process that writes: each line of its input is a key and by how many seconds to step its clock before."""

from __future__ import annotations

import sys
import time

from concordant import Workspace

from .support import NS, Brief


def main(url: str) -> None:
    real, off = time.time, 0.0
    with Workspace(url, schemas={NS: Brief}) as workspace:
        print("ready", flush=True)
        for line in sys.stdin:
            key, seconds = line.split()
            off += float(seconds)
            time.time = lambda: real() + off  # type: ignore[assignment]  # noqa: B023
            workspace.agent("other").write(NS, key, {"status": "other"})
            print("written", flush=True)
