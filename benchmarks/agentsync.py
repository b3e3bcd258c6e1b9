"""The published LangGraph merge store, agentsync (``extodan-agentsync`` on PyPI), in an environment of its own."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from benchmarks.environments import Environment
from benchmarks.measure import Note, Row
from benchmarks.subjects import QUICK, Sizes

__all__ = ["ENVIRONMENT", "GROUP", "rows"]

GROUP = "agentsync 0.1.0"
ROOT = Path(__file__).parent.parent
_SAME = [f"{name}=={version(name)}" for name in ("pydantic", "langgraph", "langchain-core", "loro")]
ENVIRONMENT = Environment("agentsync-0.1.0", ["extodan-agentsync==0.1.0", *_SAME])  # versions make no difference


def rows(sizes: Sizes) -> Iterator[Row | Note]:
    """agentsync's rows, each with its peer from the same process; a note if it cannot be had.

    The quick run uses an environment that is there, but does not install one.
    """
    quick = sizes is QUICK
    try:
        if not ENVIRONMENT.ready:
            if quick:
                yield Note(GROUP, "agentsync is not installed yet: the full run installs it.")
                return
            ENVIRONMENT.install()
        command = [str(ENVIRONMENT.python), "-m", "benchmarks.agentsync_rows", *(["--quick"] if quick else [])]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=600)
        for row in json.loads(done.stdout):
            yield Row(**row)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        told = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
        yield Note(GROUP, f"agentsync could not be installed or run: {told[-1] if told else type(error).__name__}")
