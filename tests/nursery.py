"""Processes that are forked from one that has imported what they need: interpreters that start and import would take
longer than what they are started for.

``python -m tests.nursery`` is the one they are forked from. It is told by its socket, and ends with whom it is for.
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, TextIO

from pydantic_core import from_json, to_json

from tests.patience import PATIENCE

__all__ = ["Spoken", "Worker"]

ROOT = Path(__file__).parents[1]
IMPORTED_LATE = ("concordant.storage.postgres", "concordant.storage.sqlite")
LONGEST = 1 << 16


class Worker:
    """A process, told of as ``subprocess.Popen`` tells of one.

    Attributes:
        pid: its number.
        returncode: how it has ended, as far as was asked; minus a signal's number if that ended it.
    """

    def __init__(self, program: str, arguments: list[str]) -> None:
        """Starts a process.

        Args:
            program: a module, whose ``main`` is called.
            arguments: what it is called with.
        """
        # Files, for a pipe that nobody reads holds up who writes to it.
        self._out, self._errors = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115
        with open(os.devnull) as nothing:
            self._start(program, arguments, [nothing.fileno(), self._out.fileno(), self._errors.fileno()])

    def _start(self, program: str, arguments: list[str], files: list[int]) -> None:
        self.returncode: int | None = None
        self.pid: int = _nursery().ask(["start", program, *arguments], files)

    def kill(self) -> None:
        """Kills it, without any farewell; its number is nobody else's until ``poll`` has told of its end."""
        if self.returncode is None:
            os.kill(self.pid, signal.SIGKILL)

    def poll(self) -> int | None:
        """Returns how it has ended, if it has."""
        if self.returncode is None:
            self.returncode = _nursery().ask(["poll", self.pid])
        return self.returncode

    def wait(self, timeout: float = PATIENCE) -> int:
        """Waits for its end, so many seconds at most; returns how it has ended."""
        end = time.monotonic() + timeout
        while (code := self.poll()) is None:
            assert time.monotonic() < end, "a process did not end"
            time.sleep(0.005)
        return code

    def communicate(self, timeout: float = PATIENCE) -> tuple[bytes, bytes]:
        """Waits for its end; returns what it has written."""
        self.wait(timeout)
        with self._out, self._errors:
            self._out.seek(0)
            self._errors.seek(0)
            return self._out.read(), self._errors.read()


class Spoken(Worker):
    """A process that is spoken with, line by line; what it says of errors is said here.

    Attributes:
        stdin: what it reads.
        stdout: what it writes.
    """

    def __init__(self, program: str, arguments: list[str]) -> None:
        (heard, said), (read, written) = os.pipe(), os.pipe()
        self.stdin: TextIO = open(said, "w", buffering=1)  # noqa: SIM115
        self.stdout: TextIO = open(read)  # noqa: SIM115
        try:
            self._start(program, arguments, [heard, written, sys.__stderr__.fileno() if sys.__stderr__ else written])
        finally:
            os.close(heard)
            os.close(written)

    def end(self, timeout: float = PATIENCE) -> str:
        """Says no more, and waits for its end; returns what it has written since."""
        with self.stdin, self.stdout:
            self.stdin.close()
            left = self.stdout.read()
        self.wait(timeout)
        return left


class Nursery:
    """The process from which workers are forked."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # One asks, the other answers, each time a few hundred bytes: they arrive in one piece.
        self._socket, theirs = socket.socketpair(socket.AF_UNIX)
        with theirs:
            command = [sys.executable, "-m", "tests.nursery", str(theirs.fileno())]
            self._process = subprocess.Popen(command, cwd=ROOT, pass_fds=[theirs.fileno()])

    def ask(self, request: list[Any], files: list[int] | None = None) -> Any:
        """Returns the answer to a request."""
        with self._lock:
            socket.send_fds(self._socket, [to_json(request)], files or [])
            return from_json(self._socket.recv(LONGEST))


@cache
def _nursery() -> Nursery:
    return Nursery()


def main(number: int) -> None:
    """Answers requests until there is nobody any more who could make one."""
    for module in IMPORTED_LATE:
        with suppress(ModuleNotFoundError):  # what needs CrewAI has no driver of Postgres
            import_module(module)
    working: set[int] = set()
    with socket.socket(fileno=number) as asked:
        while True:
            data, files, _, _ = socket.recv_fds(asked, LONGEST, 3)
            if not data:
                break
            what, subject, *arguments = from_json(data)
            if what == "start":
                started = _forked(subject, arguments, files)
                working.add(started)
                asked.send(to_json(started))
            else:
                found, status = os.waitpid(subject, os.WNOHANG)
                working -= {found}
                asked.send(to_json(os.waitstatus_to_exitcode(status) if found else None))
    for pid in working:
        os.kill(pid, signal.SIGKILL)


def _forked(program: str, arguments: list[str], files: list[int]) -> int:
    known = program in sys.modules
    module = import_module(program)
    if not known:
        gc.freeze()  # what is shared with those that are forked stays shared
    pid = os.fork()
    if pid:
        for file in files:
            os.close(file)
        return pid
    code = 1
    try:
        for place, file in enumerate(files):
            os.dup2(file, place)
            os.close(file)
        module.main(*arguments)
        sys.stdout.flush()
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


if __name__ == "__main__":
    main(int(sys.argv[1]))
