"""A forked child works on what it shares with its parent, and is told how where it shares nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.patience import PATIENCE

FreshUrl = Callable[[str], str | None]

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")

SCRIPT = textwrap.dedent(
    """
    import os, signal, sys, threading, time, warnings
    warnings.simplefilter("ignore")
    from concordant import StorageError, Workspace
    from concordant_langgraph import MergeStore
    from tests.apart import each_in_a_child

    url = each_in_a_child(sys.argv[1:])
    forks = 4 if url == "memory" else 2
    url = None if url == "memory" else url
    ws = Workspace(url)
    store = MergeStore(workspace=ws)
    ws.agent("ada").write(("n",), "k", {"a": 1})
    ws.on_escalation(lambda event: None)
    done, at_work = threading.Event(), threading.Event()
    at_work.set()

    def busy(name):
        number = 0
        while not done.is_set():
            ws.agent(name).write(("busy",), name, {"n": number})
            ws.get(("busy",), name)
            store.put(("busy", "store"), name, {"n": number})
            store.search(("busy",))
            number += 1
            at_work.wait()  # they rest while a child that was forked amid their work does its own

    threads = [threading.Thread(target=busy, args=[f"t{n}"]) for n in range(3)]
    for thread in threads:
        thread.start()

    def child(number):
        assert ws.get(("n",), "k").value == {"a": 1}
        if url is None:
            for write in (
                lambda: ws.agent("eve").write(("n",), f"child{number}", {"a": number}),
                lambda: store.put(("n",), f"child{number}", {"a": number}),
                lambda: ws.put_all([(("n",), "x", {"a": number})]),
            ):
                try:
                    write()
                except StorageError as error:
                    assert "fork" in str(error) and "sqlite:///" in str(error)
                else:
                    raise AssertionError("written where nobody reads it")
            own = Workspace()
            own.agent("eve").write(("n",), "k", {"a": 2})
            assert own.get(("n",), "k").value == {"a": 2}
        else:
            ws.agent("eve").write(("n",), f"child{number}", {"a": number})
            with ws.agent("eve").edit(("n",), f"child{number}") as it:
                it["b"] = 1
            store.search(())
            assert ws.get(("n",), f"child{number}").value == {"a": number, "b": 1}

    for number in range(forks):
        at_work.set()
        time.sleep(0.1)
        pid = os.fork()
        if not pid:
            signal.alarm(40)
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
            sys.exit(f"child {number} ended with {status}")
    done.set()
    at_work.set()
    for thread in threads:
        thread.join()
    if url is not None:
        assert len([*ws.list(("n",))]) == forks + 1
    assert ws.check().ok
    ws.agent("ada").write(("n",), "k", {"a": 3})
    ws.close()
    """
)


def test_a_forked_child_works_or_is_told_how(fresh_url: FreshUrl) -> None:
    """Forked while other threads read and write, a child reads; it writes to a database, and in memory it is told that
    nobody would see that. It never hangs, and the parent works on."""
    urls = [fresh_url(storage) or storage for storage in ("memory", "sqlite", "postgres")]
    command, root = [sys.executable, "-c", SCRIPT, *urls], Path(__file__).parents[2]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, cwd=root)
    assert ran.returncode == 0 and "done" in ran.stdout, ran.stderr[-3_000:]


def test_a_program_that_closes_nothing_ends_in_silence() -> None:
    """Whatever order the interpreter takes things down in at its end, what waits for a fork tells nothing of it."""
    code = "import asyncio, concordant; ws = concordant.Workspace(); asyncio.run(ws.aput(('n',), 'k', {'a': 1}))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
