"""A graph over a database whose processes are killed: gone on with, its nodes have their effect once."""

from __future__ import annotations

import random
import signal
from pathlib import Path

import pytest

from concordant_langgraph import MergeStore
from tests.nursery import Worker

from .scripts import SCHEMAS, outcome, person, prepare, scripts
from .test_once import alone
from .work import EXECUTIONS, opened


def process(folder: Path, seed: int, execution: int, stop: int) -> int:
    """Runs a process to its end, sudden or not; returns how it ended."""
    worker = Worker("tests.langgraph.effects.work", [str(folder), *map(str, (seed, execution, stop))])
    _, errors = worker.communicate()
    assert worker.returncode in (0, -signal.SIGKILL), errors.decode()
    return worker.returncode


def check(folder: Path, seed: int) -> None:
    rnd = random.Random(f"crashes/{seed}")
    executions, met = scripts(seed, EXECUTIONS), 0
    with opened(folder).workspace as workspace:
        prepare(MergeStore(workspace=workspace))
    for execution, steps in enumerate(executions):
        last = steps is executions[-1]
        stop = -1 if last else rnd.randint(0, len(steps))
        assert process(folder, seed, execution, stop) == (0 if last else -signal.SIGKILL)
        if not last and rnd.random() < 0.6:
            with opened(folder).workspace as workspace:
                person(MergeStore(workspace=workspace), met)
            met += 1
    with opened(folder).workspace as workspace:
        store = MergeStore(workspace=workspace)
        assert outcome(store) == alone(executions[-1], met, MergeStore(SCHEMAS)), seed
        assert store.escalations(state="all") == []


@pytest.mark.parametrize("seed", range(3))
def test_a_node_whose_process_is_killed_has_the_effect_of_its_last_execution(seed: int, tmp_path: Path) -> None:
    """Killed at random puts, resumed in other processes with other values, a person's work in between."""
    check(tmp_path, seed)


@pytest.mark.torture
@pytest.mark.parametrize("seed", range(100, 160))
def test_many_killed_processes(seed: int, tmp_path: Path) -> None:
    """The same, with other seeds."""
    check(tmp_path, seed)
