"""The examples with CrewAI run as they are, without a network, and show what they say."""

from __future__ import annotations

from pathlib import Path

from tests.nursery import Worker

from .example import EXAMPLES


def run(name: str, home: Path) -> str:
    """Runs an example as a program; returns what it printed."""
    worker = Worker("tests.crews.example", [name, str(home)])
    said, errors = worker.communicate()
    assert worker.returncode == 0, errors.decode()
    return " ".join(said.decode().split())


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
