"""Rivals that need an environment of their own: each plays the same workloads there, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

from benchmarks import agentsync
from benchmarks.environments import Environment
from benchmarks.fleet.playing import GROUP, Played
from benchmarks.measure import Note
from concordant.bench import Verdict, Workload, dump

__all__ = ["RIVALS", "rivals"]

ROOT = Path(__file__).parent.parent.parent
RIVALS = {
    "agentsync": agentsync.ENVIRONMENT,
    "agent-coherence": Environment(
        "agent-coherence-0.15.0", ["agent-coherence==0.15.0", f"pydantic=={version('pydantic')}"]
    ),
}
ABSENT = "StateFuse 0.3.0 is not on PyPI, and left out."


def rivals(workloads: Sequence[Workload], *, quick: bool) -> Iterator[Played | Note]:
    """What became of the workloads under each rival; a note for one that cannot be had.

    The quick run uses environments that are there, but installs none.
    """
    yield Note(GROUP, ABSENT)
    with tempfile.TemporaryDirectory() as folder:
        for number, workload in enumerate(workloads):
            (Path(folder) / f"{number:03}.jsonl").write_text(dump(workload), "utf-8")
        for name, environment in RIVALS.items():
            try:
                if not environment.ready:
                    if quick:
                        yield Note(GROUP, f"{name} is not installed yet: the full run installs it.")
                        continue
                    environment.install()
                command = [str(environment.python), "-m", "benchmarks.fleet.rival", name, folder]
                path = os.pathsep.join([str(ROOT), str(ROOT / "src")])
                done = subprocess.run(
                    command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=900,
                    env={**os.environ, "PYTHONPATH": path, "PYTHONWARNINGS": "ignore"},
                )  # fmt: skip
                for row in json.loads(done.stdout):
                    yield Played(**{**row, "verdict": Verdict(**row["verdict"])})
            except (OSError, subprocess.SubprocessError, ValueError) as error:
                told = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
                yield Note(GROUP, f"{name} could not be installed or run: {told[-1] if told else type(error).__name__}")
