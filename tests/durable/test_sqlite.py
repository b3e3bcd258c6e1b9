"""A SQLite file that is reopened, shared, forked, locked, full, read-only, damaged."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from concordant import ConcordantError, Counter, Moment, SqliteOptions, StorageBusyError, StorageError, Workspace
from concordant_langgraph import MergeStore
from tests.patience import PATIENCE

from .processes import check_store, start, succeed
from .work import SCHEMAS, SPACE, Expected

PLAN = (SPACE, "launch")


@pytest.fixture
def ws(url: str) -> Iterator[Workspace]:
    with Workspace(url, schemas=SCHEMAS) as workspace:
        yield workspace


def in_child(work: Callable[[], Any]) -> str:
    """Runs a function in a fork of this process; returns what it printed with ``os.write(1, ...)``, or its error."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        try:
            answer = str(work())
        except BaseException:
            answer = traceback.format_exc()
        os.write(writing, answer.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as out:
        answer = out.read()
    os.waitpid(child, 0)
    return answer


def votes(workspace: Workspace) -> int:
    document = workspace.get(*PLAN)
    assert document is not None
    count: int = document.value["votes"]
    return count


def test_all_is_there_after_reopening(url: str) -> None:
    """Values, contests, credits, the journal, the past and the time of the last commit survive the workspace."""
    with Workspace(url, schemas=SCHEMAS) as before:
        ada, bob = before.agent("ada"), before.agent("bob")
        ada.write(*PLAN, {"tags": ["a"], "votes": 1, "status": "draft", "notes": "one two"})
        bob.write(*PLAN, {"tags": ["b"], "votes": 2, "status": "final", "notes": "three"})
        document, blame, moment = before.get(*PLAN), before.blame(*PLAN), before.moment()
        history, questions = before.history(*PLAN), before.escalations()
        past = before.get(*PLAN, at=1)
    with Workspace(url, schemas=SCHEMAS) as after:
        assert after.get(*PLAN) == document and after.blame(*PLAN) == blame
        assert after.history(*PLAN) == history and after.escalations() == questions
        assert after.get(*PLAN, at=1) == past
        assert after.moment()[:2] == moment[:2] and after.moment().time >= moment.time
        after.resolve(after.escalations()[0], "final", by="eve")
        assert after.get(*PLAN).value["status"] == "final"  # type: ignore[union-attr]


def test_handles_of_two_workspaces_are_two_writers(url: str) -> None:
    """Handles made in different processes never take each other's writes for their own."""
    with Workspace(url, schemas=SCHEMAS) as one, Workspace(url, schemas=SCHEMAS) as two:
        ada, bob = one.agent("ada"), two.agent("bob")
        ada.write(*PLAN, {"status": "draft"})
        bob.write(*PLAN, {"status": "final"})
        (question,) = one.escalations()
        assert [c.value for c in question.contenders] == ["draft", "final"] and two.escalations() == [question]


def test_reads_are_fresh(url: str) -> None:
    """What one workspace committed another reads at once, records that it had read before included."""
    with Workspace(url, schemas=SCHEMAS) as one, Workspace(url, schemas=SCHEMAS) as two:
        ada, bob = one.agent("ada"), two.agent("bob")
        for number in range(1, 6):
            ada.write(*PLAN, {"votes": 1})
            assert votes(two) == 2 * number - 1
            bob.write(*PLAN, {"votes": 1})
            assert votes(one) == 2 * number


def test_a_moment_is_valid_in_other_processes(url: str, ws: Workspace) -> None:
    """A scope that another workspace begins at a moment has seen what was committed by then, and nothing later."""
    ws.agent("ada").write(*PLAN, {"status": "draft"})
    began = Moment(*ws.moment())
    ws.agent("eve").write(("plans",), "other", {"status": "x"})
    with Workspace(url, schemas=SCHEMAS) as other:
        bob = other.agent("bob", began=began)
        bob.write(("plans",), "other", {"status": "y"})
        assert len(ws.escalations()) == 1
        bob.write(*PLAN, {"status": "final"})
        assert len(ws.escalations()) == 1


def test_processes_open_a_new_file_at_once(url: str) -> None:
    """Several processes that open a store which is not there yet make it together."""
    succeed([start(url, worker, 0, 3, 4) for worker in range(5)])
    check_store(url)


def test_one_store_has_one_name(url: str) -> None:
    """The name given first is the store's; another one is refused."""
    with Workspace(url, replica="here") as one, Workspace(url) as two:
        assert one.moment().replica == two.moment().replica == "here"
    with pytest.raises(ConcordantError, match="'here', not 'there'"):
        Workspace(url, replica="there")


def test_tables_of_a_later_version_are_refused(url: str, path: Path) -> None:
    """Older code does not touch what newer code has made."""
    Workspace(url).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE concordant_schema SET version = 1000")
    connection.close()
    with pytest.raises(StorageError, match="Upgrade concordant"):
        Workspace(url)


@pytest.mark.parametrize("wrong", ["sqlite://", "sqlite:///", "sqlite:///:memory:", "mysql://host/db", "team.db"])
def test_a_wrong_url_is_told(wrong: str) -> None:
    """A url that names no storage is refused with what would."""
    with pytest.raises(ConcordantError, match=r'"sqlite:///team\.db"'):
        Workspace(wrong)


def test_a_fork_writes_beside_its_parent(ws: Workspace) -> None:
    """A forked child uses connections of its own; parent and child lose nothing."""
    ada = ws.agent("ada")
    ada.write(*PLAN, {"votes": 1})

    def child() -> str:
        bob = ws.agent("bob")
        for _ in range(30):
            bob.write(*PLAN, {"votes": 1})
        return "done"

    assert in_child(child) == "done"
    for _ in range(30):
        ada.write(*PLAN, {"votes": 1})
    assert votes(ws) == 61


def test_threads_write_and_read_at_once(ws: Workspace) -> None:
    """Threads of one process lose nothing, and reads meanwhile show whole writes."""
    failed: list[BaseException] = []

    def work(name: str) -> None:
        try:
            agent = ws.agent(name)
            for number in range(40):
                agent.write(*PLAN, {"votes": 1, "tags": [name], "notes": f"{number} by {name}"})
                document = ws.get(*PLAN)
                assert document is not None
                assert document.value["votes"] == len(document.value["notes"].split("\n"))
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(f"w{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed and votes(ws) == 160


def test_a_lock_held_too_long_is_told(url: str, path: Path) -> None:
    """Only after ``lock_timeout`` a writer gives up, with our error; nothing was written, and it works again."""
    with Workspace(url, schemas=SCHEMAS, options=SqliteOptions(lock_timeout=0.1)) as ws:
        ada = ws.agent("ada")
        ada.write(*PLAN, {"votes": 1})
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageBusyError, match="lock_timeout"):
            ada.write(*PLAN, {"votes": 1})
        assert votes(ws) == 1
        other.execute("ROLLBACK")
        other.close()
        ada.write(*PLAN, {"votes": 1})
        assert votes(ws) == 2


class Counted(BaseModel):
    """What a plan is under a model that has taken its text for a number."""

    notes: Annotated[int, Counter()] = 0


def test_what_can_wait_is_given_up_soon_on_a_locked_file(url: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts, the questions that another model leaves, and reads of what has a time to live are answered long before
    ``lock_timeout``; what was left out is made up for once the file is free."""
    monkeypatch.setattr("concordant.storage.sqlite.HASTE", 0.05)
    with Workspace(url, schemas=SCHEMAS) as ws:
        ws.agent("ada").write(*PLAN, {"notes": "Begin. "})
    with (
        Workspace(url, schemas={SPACE: Counted}, options=SqliteOptions(lock_timeout=PATIENCE)) as ws,
        closing(sqlite3.connect(path, isolation_level=None)) as other,
    ):
        store = MergeStore(workspace=ws, ttl={"default_ttl": 60})
        store.put(("codes",), "ada", {"digits": "1"})
        began = time.monotonic()
        other.execute("BEGIN IMMEDIATE")
        counted = ws.stats()
        [question] = ws.escalations()
        item = store.get(("codes",), "ada")
        other.execute("ROLLBACK")
        assert time.monotonic() - began < PATIENCE / 2
        assert question.path == ("notes",) and ws.escalation(question.id) is None
        assert counted.writes == ws.stats().writes and item is not None
        assert [e.id for e in ws.escalations()] == [question.id] and ws.escalation(question.id) is not None


def test_g10_a_full_disk_is_told(url: str, ws: Workspace) -> None:
    """A write that finds no room fails with our error and leaves nothing; with room it works again."""
    ada = ws.agent("ada")
    ada.write(*PLAN, {"votes": 1, "notes": "short"})
    writer = ws.storage.database._writer  # type: ignore[attr-defined]
    ((pages,),) = writer.execute("PRAGMA page_count").fetchall()
    writer.execute(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(StorageError, match="make room on the disk"):
        ada.write(*PLAN, {"votes": 1, "notes": "long " * 10_000})
    assert votes(ws) == 1
    ada.write(*PLAN, {"votes": 1})  # connections begin anew after an error, without the limit
    assert votes(ws) == 2
    check_store(url)


def test_g10_a_file_that_may_not_grow_is_told(url: str, ws: Workspace) -> None:
    """The same where the system refuses to write: in a process with a limit on the size of files."""
    ada = ws.agent("ada")
    ada.write(*PLAN, {"votes": 1})

    def child() -> str:
        import resource
        import signal

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        size = os.path.getsize(url.removeprefix("sqlite:///") + "-wal")
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 100_000, resource.RLIM_INFINITY))
        bob, count, told = ws.agent("bob"), 0, ""
        while not told:
            try:
                bob.write(*PLAN, {"votes": 1, "notes": "a line of some length " * 100})
                count += 1
            except StorageError as error:
                told = str(error)
        assert "Nothing of the call was stored" in told
        assert votes(ws) == count + 1
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        bob.write(*PLAN, {"votes": 1})
        return str(count + 2)

    answer = in_child(child)
    assert answer == str(votes(ws)) and votes(ws) > 2
    check_store(url)


def test_g10_a_file_that_is_read_only_is_told() -> None:
    """Where the file may only be read, reads work and writes fail with our error."""
    with tempfile.TemporaryDirectory() as folder:
        read_only(Path(folder) / "team.db")


def read_only(path: Path) -> None:
    url = f"sqlite:///{path}"
    with Workspace(url, schemas=SCHEMAS) as ws:
        ws.agent("ada").write(*PLAN, {"votes": 1})
    path.parent.chmod(0o777)

    def child() -> str:
        path.chmod(0o444)
        if not os.getuid():
            os.setuid(65534)  # root may write anywhere
        with Workspace(url, schemas=SCHEMAS) as ws:
            try:
                ws.agent("bob").write(*PLAN, {"votes": 1})
            except StorageError as error:
                return f"{votes(ws)} {error}"
        return "no error"

    answer = in_child(child)
    assert answer.startswith("1 sqlite:///") and "allow this process to write" in answer, answer
    path.chmod(0o644)
    with Workspace(url, schemas=SCHEMAS) as ws:
        ws.agent("bob").write(*PLAN, {"votes": 1})
        assert votes(ws) == 2


def test_g10_a_damaged_file_is_told(url: str, path: Path, tmp_path: Path) -> None:
    """What is no database is refused; a damaged one fails with our error, and works again once it is restored."""
    with Workspace(url, schemas=SCHEMAS) as ws:
        for number in range(200):
            ws.agent("ada").write(SPACE, f"d{number}", {"votes": 1, "notes": "some text " * 20})
    shutil.copy(path, tmp_path / "back-up")
    ws = Workspace(url, schemas=SCHEMAS)
    try:
        content = bytearray(path.read_bytes())
        content[8192:-8192] = os.urandom(len(content) - 16384)
        path.write_bytes(content)
        with pytest.raises(ConcordantError):
            [ws.get(SPACE, f"d{number}") for number in range(200)]
        with pytest.raises(ConcordantError):
            [ws.put(SPACE, f"d{number}", {"votes": 1}) for number in range(200)]
    finally:
        shutil.copy(tmp_path / "back-up", path)
        for end in ("-wal", "-shm"):
            path.with_name(path.name + end).unlink(missing_ok=True)
    found = ws.get(SPACE, "d7")
    assert found is not None and found.value["votes"] == 1
    ws.agent("ada").write(SPACE, "d7", {"votes": 1})
    ws.close()
    check_store(url)
    path.write_bytes(b"this is no database, but it is long enough" * 50)
    with pytest.raises(StorageError, match="not a database"):
        Workspace(url)


def test_a_closed_workspace_says_so(url: str) -> None:
    """Calls after ``close`` fail with our error, and closing twice is no error."""
    ws = Workspace(url, schemas=SCHEMAS)
    ws.close()
    ws.close()
    with pytest.raises(StorageError, match="was closed"):
        ws.get(*PLAN)
    with pytest.raises(StorageError, match="was closed"):
        ws.agent("ada")


def test_the_exact_model_of_one_process(url: str, ws: Workspace) -> None:
    """The steps that processes are tested with, by one agent after the other in this process."""
    expected = Expected()
    from .work import PAIRS, step

    began = ws.moment()
    for worker in range(3):
        agent = ws.agent(f"w{worker}", began=began)
        for number in range(40):
            expected.add(worker, number, 5)
            key, values = step(worker, number, 5)
            if key is None:
                ws.put_all([(PAIRS, f"{worker}.{number}.{side}", values, None) for side in "ab"])
            else:
                agent.write(SPACE, key, values)
    expected.check(ws)
    check_store(url)
