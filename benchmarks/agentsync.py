"""The published LangGraph merge store, agentsync (``extodan-agentsync`` on PyPI), in an environment of its own."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from benchmarks.measure import Note, Row
from benchmarks.subjects import QUICK, Sizes

__all__ = ["GROUP", "rows"]

GROUP = "agentsync 0.1.0"
ROOT = Path(__file__).parent.parent
HOME = Path(__file__).parent / ".cache" / "agentsync-0.1.0"
PINS = ["extodan-agentsync==0.1.0", *(f"{name}=={version(name)}" for name in ("langgraph", "langchain-core", "loro"))]


def rows(sizes: Sizes) -> Iterator[Row | Note]:
    """agentsync's rows, each with its peer from the same process; a note if it cannot be had.

    The quick run uses an environment that is there, but does not install one.
    """
    quick = sizes is QUICK
    try:
        if not _ready():
            if quick:
                yield Note(GROUP, "agentsync is not installed yet: the full run installs it.")
                return
            _install()
        command = [str(_python()), "-m", "benchmarks.agentsync_rows", *(["--quick"] if quick else [])]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=600)
        for row in json.loads(done.stdout):
            yield Row(**row)
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        told = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
        yield Note(GROUP, f"agentsync could not be installed or run: {told[-1] if told else type(error).__name__}")


def _python() -> Path:
    return HOME / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def _ready() -> bool:
    stamp = HOME / "ready"
    return stamp.exists() and stamp.read_text(encoding="utf-8").split() == PINS


def _install() -> None:
    """Makes the environment, with the same LangGraph and Loro as here, so that versions make no difference."""
    if importlib.util.find_spec("uv") is not None:
        _run(sys.executable, "-m", "uv", "venv", "--quiet", "--clear", "--python", sys.executable, str(HOME))
        _run(sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", str(HOME), *PINS)
    else:
        _run(sys.executable, "-m", "venv", "--clear", str(HOME))
        _run(str(_python()), "-m", "pip", "install", "--quiet", *PINS)
    (HOME / "ready").write_text("\n".join(PINS), encoding="utf-8")


def _run(*command: str) -> None:
    subprocess.run(command, capture_output=True, text=True, check=True, timeout=600)
