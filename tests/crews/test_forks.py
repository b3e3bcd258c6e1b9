"""A forked child works on what it shares with its parent, and is told how where it shares nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.patience import PATIENCE

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")

SCRIPT = textwrap.dedent(
    """
    import os, signal, sys, threading, time, warnings
    warnings.simplefilter("ignore")
    from crewai.memory.types import MemoryRecord
    from concordant import StorageError, Workspace
    from concordant_crewai import MergeFlowPersistence, MergeStorage, SharedState, install
    from tests.apart import each_in_a_child
    from tests.crews.support import agent, embed, task
    from tests.crews.test_shared_state import Plan

    where, forks = sys.argv[1], int(sys.argv[2])
    url = each_in_a_child(sys.argv[3:])
    where += url[:6]
    url = None if url == "memory" else url
    ws = Workspace(url)
    state = SharedState(Plan, workspace=ws)
    flows = MergeFlowPersistence(workspace=ws)
    memory = MergeStorage(where, workspace=ws)
    done, at_work = threading.Event(), threading.Event()
    at_work.set()

    def record(text):
        return MemoryRecord(id=text.replace(" ", "-"), content=text, embedding=embed([text])[0], scope="/team")

    def busy(name):
        number = 0
        while not done.is_set():
            with state.acting_as(name):
                state.write({"tags": [f"{name}{number % 5}"]})
            flows.save_state(name, "work", {"id": name, "n": number})
            memory.save([record(f"{name} knows {number % 5}")])
            memory.search(embed([name])[0], limit=3)
            number += 1
            at_work.wait()  # they rest while a child that was forked amid their work does its own

    memory.save([record("the parent knows it all")])
    state.write({"notes": "by the parent"})
    flows.save_state("f", "begin", {"id": "f", "n": 1})
    threads = [threading.Thread(target=busy, args=[f"t{n}"]) for n in range(3)]
    for thread in threads:
        thread.start()

    def refused(words, call):
        try:
            call()
        except StorageError as error:
            assert all(word in str(error) for word in words), error
        else:
            raise AssertionError("not refused")

    def child(number):
        assert "by the parent" in state.value["notes"]
        assert flows.load_state("f")["n"] == 1
        assert memory.count() > 0 and "the parent knows it all" in [r.content for r in memory.list_records(limit=10**6)]
        text = f"child {number} was here"
        for call in (
            lambda: memory.search(embed([text])[0]),
            lambda: memory.get_record("the-parent-knows-it-all"),
            lambda: memory.save([record(text)]),
            lambda: memory.delete(record_ids=["the-parent-knows-it-all"]),
        ):
            refused(("fork", "spawn"), call)
        assert "the parent knows it all" in [r.content for r in memory.list_records(limit=10**6)]
        for write in (
            lambda: state.write({"notes": text}),
            lambda: flows.save_state(f"child{number}", "work", {"id": f"child{number}", "n": number}),
        ):
            if url is not None:
                write()
            else:
                refused(("fork", "sqlite:///"), write)
        if url is not None:
            assert text in state.value["notes"] and flows.load_state(f"child{number}")["n"] == number
        install(where + "/installed", workspace=ws)

    for number in range(forks):
        at_work.set()
        time.sleep(0.1)
        pid = os.fork()
        if not pid:
            signal.alarm(60)
            try:
                child(number)
            except BaseException:
                import traceback
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        at_work.clear()
        _, status = os.waitpid(pid, 0)
        if status:
            done.set()
            print(f"child {number} ended with {status}", file=sys.stderr)
            os._exit(1)
    done.set()
    at_work.set()
    for thread in threads:
        thread.join()
    notes = state.value["notes"]
    for number in range(forks if url is not None else 0):
        assert f"child {number} was here" in notes
        assert flows.load_state(f"child{number}")["n"] == number
    assert ws.check().ok
    os._exit(0)
    """
)


def test_a_forked_child_works_or_is_told_how(tmp_path: Path) -> None:
    """Forked while other threads remember, save flows and write a state, a child does the same: it never hangs, and the
    parent finds what it did. In memory the child is told that nobody would see that, and of vectors that they are
    the parent's."""
    environment = {**os.environ, "CREWAI_STORAGE_DIR": str(tmp_path / "crewai")}
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "vectors"), "4", "memory", f"sqlite:///{tmp_path}/team.db"]
    root = Path(__file__).parents[2]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, env=environment, cwd=root)
    assert ran.returncode == 0 and "done" in ran.stdout, ran.stderr[-3_000:]
