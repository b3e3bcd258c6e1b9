"""The examples with CrewAI run as they are, without a network, and show what they say."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(name: str, home: Path) -> str:
    """Runs an example as a program; returns what it printed."""
    environment = {**os.environ, "CREWAI_STORAGE_DIR": str(home), "COLUMNS": "120"}
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name)], env=environment, cwd=home, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return " ".join(done.stdout.split())


def test_every_example_is_tested() -> None:
    """No example with CrewAI is without a test in this file."""
    here = Path(__file__).read_text(encoding="utf-8")
    assert [path.name for path in EXAMPLES.glob("crewai_*.py") if f'"{path.name}"' not in here] == []


def test_the_demo_shows_what_merges_and_what_is_lost(tmp_path: Path) -> None:
    """Both agents' contributions, the conflict and its settling; the lost update and the kept one. The model that
    follows a script ("crewai_script.py") has no network to ask."""
    shown = run("crewai_demo.py", tmp_path).replace("writer, researcher", "researcher, writer")  # whoever came first
    for part in (
        "In conflict: - status: different values",
        "Merged with what others wrote meanwhile",
        "spent 1300 researcher, writer",
        "status in conflict researcher, writer",
        "status 'ready' writer, editor",
        "the first is lost, nobody is told both are there",
    ):
        assert part in shown, f"{part!r} is not in: {shown}"
