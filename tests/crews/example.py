"""Runs an example as a program, in a process that is forked from one that has imported CrewAI."""

from __future__ import annotations

import os
import runpy
import sys
import warnings
from pathlib import Path

import crewai  # noqa: F401

EXAMPLES = Path(__file__).parents[2] / "examples"


def main(name: str, home: str) -> None:
    """Runs it in a folder of its own, which is all that it has."""
    os.environ.update(CREWAI_STORAGE_DIR=home, COLUMNS="120")
    os.chdir(home)
    sys.argv, sys.path[0] = [name], str(EXAMPLES)
    warnings.simplefilter("ignore")
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")
