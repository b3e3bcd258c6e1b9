"""What the processes of test_processes.py do. They are forked: to import CrewAI takes longer than what each does."""

from __future__ import annotations

import os
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

os.environ.update(CREWAI_DISABLE_TELEMETRY="true", CREWAI_TRACING_ENABLED="false", OTEL_SDK_DISABLED="true")
warnings.simplefilter("ignore")

from crewai.memory.storage.lancedb_storage import LanceDBStorage  # noqa: E402

from concordant_crewai import MergeStorage  # noqa: E402

RECORDS = 20
MARKS = 15


def ours(directory: Path) -> MergeStorage:
    return MergeStorage(directory / "ours")


def mark(storage: Any, record_id: str, key: str) -> None:
    """Adds a key to a record's metadata."""
    read = storage.get_record(record_id)
    storage.update(read.model_copy(update={"metadata": {**read.metadata, key: True}}))


def meet(directory: Path, name: str, where: str) -> None:
    """Waits until both workers are here."""
    (directory / f"{where}-{name}").touch()
    while len([*directory.glob(f"{where}-*")]) < 2:
        time.sleep(0.005)


def marks(directory: Path, name: str, _: int) -> None:
    """Each of two processes leaves its marks on one record, on CrewAI's storage and then on ours."""
    for where, storage in (("stock", LanceDBStorage(directory / "stock")), ("ours", ours(directory))):
        meet(directory, name, where)
        for number in range(MARKS):
            mark(storage, "0", f"{name}-{number}")


def updates(directory: Path, name: str, many: int) -> None:
    """Each of two processes makes many updates of 20 records."""
    storage = ours(directory)
    meet(directory, name, "updates")
    for number in range(many):
        mark(storage, str(number % RECORDS), f"{name}-{number}")


def forever(directory: Path, name: str, _: int) -> None:
    """Rewrites one record until it is killed; tells each rewrite that was acknowledged."""
    storage = ours(directory)
    number = 0
    while True:
        number += 1
        read = storage.get_record("0")
        assert read is not None
        storage.update(read.model_copy(update={"importance": (number % 100) / 100, "metadata": {"n": number}}))
        print(number, flush=True)


def main(what: str, directory: str, name: str, many: str, temporary: str) -> None:
    """Does what is asked for; as in a container, where a folder is named for what is temporary."""
    if temporary:
        os.environ["TMPDIR"], tempfile.tempdir = temporary, None
    {"marks": marks, "updates": updates, "forever": forever}[what](Path(directory), name, int(many))
