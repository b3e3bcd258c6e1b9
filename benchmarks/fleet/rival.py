"""Plays workloads under a rival, in the rival's own environment: ``python -m benchmarks.fleet.rival NAME FOLDER``.

Prints what came of it as JSON. Needs the rival and pydantic, and neither LangGraph (unless the rival does) nor a
driver.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

from benchmarks.fleet.playing import played
from concordant.bench import Strategy, load

RIVALS = {"agentsync": "rival_agentsync", "agent-coherence": "rival_coherence"}


def main(name: str, folder: str) -> None:
    """Plays all workloads of a folder."""
    strategy: Strategy = importlib.import_module(f"benchmarks.fleet.{RIVALS[name]}").STRATEGY
    rows = [played(load(path), strategy, watched=False) for path in sorted(Path(folder).glob("*.jsonl"))]
    json.dump([{**row._asdict(), "verdict": row.verdict._asdict()} for row in rows], sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
