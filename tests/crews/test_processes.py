"""Memory that several processes share: SQLite holds the records, LanceDB their vectors."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from crewai.memory.storage.lancedb_storage import LanceDBStorage
from crewai.memory.types import MemoryRecord

from tests.nursery import Spoken, Worker

from .support import embed
from .worker import MARKS, RECORDS, ours

WORKER = "tests.crews.worker"
NAMES = ("ada", "bob")


def told(what: str, directory: Path, name: str, temporary: Path | None = None, many: int = 0) -> list[str]:
    """What a worker is called with."""
    return [what, str(directory), name, str(many), str(temporary or "")]


def record(number: int) -> MemoryRecord:
    content = f"fact number {number}"
    return MemoryRecord(id=str(number), content=content, embedding=embed([content])[0], scope="/team")


def run_two(what: str, directory: Path, temporaries: tuple[Path | None, Path | None], many: int = 0) -> None:
    """Runs both workers to their ends."""
    workers = [Worker(WORKER, told(what, directory, *one, many)) for one in zip(NAMES, temporaries, strict=True)]
    try:
        for worker in workers:
            _, errors = worker.communicate()
            assert worker.returncode == 0, errors.decode()
    finally:
        for worker in workers:
            worker.kill()


@pytest.mark.parametrize(
    "containers",
    [pytest.param(False, marks=pytest.mark.torture, id="10-processes"), pytest.param(True, id="9-containers")],
)
def test_9_and_10_two_processes_on_one_record(containers: bool, tmp_path: Path) -> None:
    """Two processes, or two containers on one volume, mark one record: marks are lost, here all are there."""
    temporaries = [tmp_path / f"tmp-{name}" if containers else None for name in NAMES]
    for temporary in temporaries:
        if temporary is not None:
            temporary.mkdir()
    LanceDBStorage(tmp_path / "stock").save([record(0)])
    ours(tmp_path).save([record(0)])
    run_two("marks", tmp_path, (temporaries[0], temporaries[1]))
    lost = LanceDBStorage(tmp_path / "stock").get_record("0")
    assert lost is None or len(lost.metadata) < 2 * MARKS
    kept = ours(tmp_path).get_record("0")
    assert kept is not None
    assert kept.metadata.keys() == {f"{name}-{number}" for name in NAMES for number in range(MARKS)}


@pytest.mark.parametrize("many", [40, pytest.param(500, marks=pytest.mark.torture)])
def test_two_processes_lose_nothing(many: int, tmp_path: Path) -> None:
    """Two processes make many updates each of 20 records: every one of them is there, and every vector."""
    storage = ours(tmp_path)
    storage.save([record(number) for number in range(RECORDS)])
    run_two("updates", tmp_path, (None, None), many)
    found = {key for one in storage.list_records() for key in one.metadata}
    assert found == {f"{name}-{number}" for name in NAMES for number in range(many)}
    assert storage.escalations() == [] and ours(tmp_path).repair() == 0
    for one in storage.list_records():
        assert one.id in [r.id for r, _ in storage.search(embed([one.content])[0], limit=RECORDS, min_score=0.99)]


def test_a_record_survives_a_kill_in_an_update(tmp_path: Path) -> None:
    """Whenever a process is killed, the record is as its last acknowledged update made it, or the next, and found."""
    ours(tmp_path).save([record(0)])
    worker = Spoken(WORKER, told("forever", tmp_path, "ada"))
    first = worker.stdout.readline()
    time.sleep(0.3)
    worker.kill()
    acknowledged = int([first, *worker.end().split()][-1])
    storage = ours(tmp_path)
    found = storage.get_record("0")
    assert found is not None and found.content == "fact number 0"
    assert found.metadata["n"] in (acknowledged, acknowledged + 1)
    assert found.importance == (found.metadata["n"] % 100) / 100
    assert [r.id for r, _ in storage.search(embed(["fact number 0"])[0], limit=1)] == ["0"]
