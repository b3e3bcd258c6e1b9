"""The command that opens the desk of a store on this machine."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from concordant import Workspace
from tests.patience import PATIENCE


def disagree(url: str, key: str) -> None:
    with Workspace(url) as ws:
        ada, bob = ws.agent("ada"), ws.agent("bob")
        ada.write(("plans",), key, {"status": "draft"})
        bob.write(("plans",), key, {"status": "final"})


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A store in which somebody disagrees."""
    disagree(f"sqlite:///{tmp_path}/team.db", "launch")
    return f"sqlite:///{tmp_path}/team.db"


@pytest.fixture
def started(url: str) -> Iterator[subprocess.Popen[str]]:
    """The command, running."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # so it is in a shell's background, and children inherit it
        signal.signal(signal.SIGINT, signal.default_int_handler)
    command = [sys.executable, "-m", "concordant", "desk", url, "--no-open", "--port", "0", "--by", "maria"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)
    yield process
    process.kill()
    process.communicate()


def test_the_desk_opens_by_its_link_and_ends_by_an_interrupt(started: subprocess.Popen[str], url: str) -> None:
    """Nobody comes in without the token; what another process writes is heard; Ctrl-C ends it at once and
    in silence, also while pages listen."""
    assert started.stdout is not None
    link = started.stdout.readline().split()[-1]
    root, _, token = link.partition("?token=")
    assert root.startswith("http://127.0.0.1:") and len(token) >= 32
    with httpx.Client(follow_redirects=True, timeout=PATIENCE) as browser:
        assert browser.get(root).status_code == 401
        page = browser.get(link)
        assert page.status_code == 200 and str(page.url) == root and "You are <bdi>maria" in page.text
        with browser.stream("GET", f"{root}events") as events:
            lines = events.iter_lines()
            assert next(lines).startswith("retry")
            disagree(url, "budget")
            assert any(line == "event: change" for line in lines)
            started.send_signal(signal.SIGINT)
            assert started.wait(timeout=PATIENCE) == 0
    said = started.stdout.read()
    assert "Traceback" not in said and "ERROR" not in said, said
    assert token not in said


def test_a_port_that_is_taken_is_told(url: str) -> None:
    """In a line."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "concordant", "desk", url, "--no-open", "--port", port]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE)
    assert done.returncode == 1 and f"port {port}" in done.stderr and done.stderr.count("\n") == 1
