"""Many processes on one store: nothing lost, the same verdicts as in one process; and processes that are killed."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from concordant import Workspace
from tests.patience import PATIENCE

from .following import followed
from .processes import acknowledged, check_store, databases, start, succeed
from .work import SCHEMAS, Expected

FreshUrl = Callable[[str], str]
DURABLE = ["sqlite", "postgres"]


def many_at_once(url: str, processes: int, steps: int, documents: int) -> None:
    with Workspace(url, schemas=SCHEMAS) as workspace:
        began = workspace.moment()
    succeed([start(url, worker, 0, steps, documents, began) for worker in range(processes)])
    expected = Expected()
    for worker in range(processes):
        for number in range(steps):
            expected.add(worker, number, documents)
    check_store(url)
    with Workspace(url, schemas=SCHEMAS) as workspace:
        expected.check(workspace)


def killed(url: str, seed: str, rounds: int) -> int:
    """Kills two processes at random instants, again and again; returns how many steps they had acknowledged."""
    rnd = random.Random(seed)
    with Workspace(url, schemas=SCHEMAS) as workspace:
        began = workspace.moment()
    expected, total = Expected(), 0
    for turn in range(rounds):
        workers = (2 * turn, 2 * turn + 1)
        with Workspace(url, schemas=SCHEMAS) as workspace:
            before = workspace.moment().n
            processes = [start(url, worker, 0, 100_000, 10, began) for worker in workers]
            # Most meet writers at work, however busy the machine is; some meet them while they open the store.
            patience = time.monotonic() + (PATIENCE if rnd.random() < 0.9 else 0)
            while workspace.moment().n == before and time.monotonic() < patience:
                time.sleep(0.005)
        time.sleep(rnd.uniform(0.0, 0.3))
        for process in processes:
            process.kill()
            time.sleep(rnd.uniform(0.0, 0.05))  # the other goes on
        with Workspace(url, schemas=SCHEMAS) as workspace:
            for worker, process in zip(workers, processes, strict=True):
                steps = acknowledged(process)
                total += len(steps)
                for number in steps:
                    expected.add(worker, number, 10)
                # The step under way may have been committed without having been acknowledged; then all of it was.
                if in_journal(workspace, worker, len(steps)):
                    expected.add(worker, len(steps), 10)
            expected.check(workspace)
        check_store(url)
    return total


def in_journal(workspace: Workspace, worker: int, number: int) -> bool:
    """Whether a step was committed. Others may have made any number of commits between that and its writer's end."""
    mark = f'"{worker}.{number}"'.encode()
    line = f"line {worker}.{number}.".encode()
    query = f"SELECT body FROM concordant_journal WHERE agent IN ('w{worker}', 'anonymous')"
    bodies = [row for database in databases(workspace) for row in database.rows(query)]
    return any(mark in body or line in body or owned(body, worker, number) for (body,) in bodies)


def owned(body: bytes, worker: int, number: int) -> bool:
    return f'{{"w{worker}":{number}}}'.encode() in body


@pytest.mark.parametrize("kind", DURABLE)
def test_a_new_database_is_opened_by_many_at_once(fresh_url: FreshUrl, kind: str) -> None:
    """Who comes first makes the tables, the others wait, and all have the same store."""
    for _ in range(5):
        url = fresh_url(kind)
        gate = Barrier(6)

        def opened(url: str = url, gate: Barrier = gate) -> str:
            gate.wait()
            with Workspace(url) as workspace:
                return workspace.storage.replica

        with ThreadPoolExecutor(6) as pool:
            names = [pool.submit(opened) for _ in range(6)]
            assert len({name.result() for name in names}) == 1


@pytest.mark.parametrize("kind", DURABLE)
def test_many_processes_lose_nothing(fresh_url: FreshUrl, kind: str) -> None:
    """Four processes write all kinds to shared documents: the result is the exact model's, and no call failed."""
    many_at_once(fresh_url(kind), 4, 150, 12)


@pytest.mark.torture
@pytest.mark.parametrize("kind", DURABLE)
def test_eight_processes_with_two_thousand_writes_each(fresh_url: FreshUrl, kind: str) -> None:
    """Eight processes, 2,000 writes each, 50 documents."""
    many_at_once(fresh_url(kind), 8, 2_000, 50)


@pytest.mark.parametrize("kind", DURABLE)
def test_g10_killed_processes_leave_what_they_acknowledged(fresh_url: FreshUrl, seed: str, kind: str) -> None:
    """After kill -9 at a random instant every acknowledged write is there, and no half of one; whoever follows what
    changes is told of everything."""
    url = fresh_url(kind)
    with followed(url):
        assert killed(url, seed, 3) > 0


@pytest.mark.torture
@pytest.mark.parametrize("kind", DURABLE)
def test_g10_a_thousand_kills(fresh_url: FreshUrl, seed: str, kind: str) -> None:
    """The same a thousand times, a new store every 25 rounds of two kills."""
    for number in range(20):
        url = fresh_url(kind)
        with followed(url):
            killed(url, f"{seed}/{number}", 25)
