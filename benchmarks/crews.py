"""CrewAI: its memory's storage against ours, and what our tools take of an agent's call, in its own environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import Note, Row
from benchmarks.subjects import QUICK, Sizes

__all__ = ["GROUP", "rows"]

GROUP = "CrewAI"
ROOT = Path(__file__).parent.parent
OFFLINE = {
    "CREWAI_DISABLE_TELEMETRY": "true",
    "CREWAI_DISABLE_VERSION_CHECK": "true",
    "CREWAI_TRACING_ENABLED": "false",
    "OTEL_SDK_DISABLED": "true",
}
PYTHON = ROOT / ".venv-crewai" / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def rows(sizes: Sizes) -> Iterator[Row | Note]:
    """The rows that ``benchmarks.crews_rows`` measures; a note where CrewAI's environment is not set up."""
    if not PYTHON.exists():
        yield Note(GROUP, "CrewAI's environment is not set up: make bench does it, on Python 3.11 to 3.13.")
        return
    command = [str(PYTHON), "-m", "benchmarks.crews_rows", *(["--quick"] if sizes is QUICK else [])]
    environment = {**os.environ, **OFFLINE}
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True, timeout=600
        )
        yield from (Row(**row) for row in json.loads(done.stdout))
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        told = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
        yield Note(GROUP, f"CrewAI could not be measured: {told[-1] if told else type(error).__name__}")
