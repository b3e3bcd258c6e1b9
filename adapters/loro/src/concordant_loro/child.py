"""Child processes in which Loro works: bytes of strangers can make it abort, and then the process ends.

One keeps what the editors of live documents share. Another reads whatever comes from outside before: it keeps nothing,
so its end costs one answer. It is a copy of a process that waits to make the next one.
"""

from __future__ import annotations

import atexit
import contextlib
import mmap
import os
import select
import signal
import struct
import subprocess
import sys
import threading
from itertools import accumulate
from typing import IO, Any, ClassVar

from pydantic_core import from_json, to_json

from concordant.spi import free_in_child
from concordant_loro.errors import IncompleteUpdateError, LoroError, LostReplicaError, RefusedUpdateError, guarded
from concordant_loro.hub import Hub
from concordant_loro.replica import new_doc, read

__all__ = ["Child"]

MOST_MEMORY = {"read": 2 << 30, "keep": 4 << 30}
"""How much memory a child may take, in bytes: what the one could read the other can, whatever it keeps."""

PATIENCE = 60.0
"""For how many seconds a child may work on one question."""

_HEAD = struct.Struct(">II")  # bytes of JSON, bytes beside it


class Child:
    """A process that answers questions one at a time; one that died or does not answer is replaced by the next call.

    Args:
        role: what it does: ``keep`` the hubs of live documents, or ``read`` what strangers sent.
        patience: for how many seconds it may work on one question.
    """

    _shared: ClassVar[dict[str, Child]] = {}
    _sharing: ClassVar[threading.Lock] = free_in_child(threading.Lock())

    def __init__(self, role: str, patience: float = PATIENCE) -> None:
        self.role, self.patience = role, patience
        self.owner = os.getpid()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    def shared(cls, role: str) -> Child:
        """Returns the child of this process that has a role."""
        with cls._sharing:
            child = cls._shared.get(role)
            if child is None or child.owner != os.getpid():  # not what a fork has inherited
                child = cls._shared[role] = cls(role)
                atexit.register(child.close)
            return child

    def ask(self, what: str, data: bytes = b"", **given: Any) -> tuple[Any, bytes]:
        """Asks for something, perhaps about some bytes; returns the answer, perhaps with bytes.

        Raises:
            LostReplicaError: Loro died of it or took too long, or what was asked about has died before.
            RefusedUpdateError: what an editor sent was refused.
            LoroError: Loro could not answer.
        """
        with self._lock:
            process = self._started()
            try:
                _send(process.stdin, {"ask": what, **given}, data)
                answer, found = self._receive(process)
            except (OSError, EOFError, ValueError, struct.error) as error:
                self.close()
                said = f"exit {process.returncode}" if process.returncode is not None else str(error)
                raise LoroError(
                    f"Loro ended its process over {len(data):,} bytes ({said}): they are damaged"
                ) from error
            except BaseException:
                self.close()  # what it would answer is no answer to the next question
                raise
        if "is" in answer:
            return answer["is"], found
        raise _ERRORS[answer["error"]](*answer["said"])

    def _started(self) -> subprocess.Popen[bytes]:
        process = self._process
        if process is None or process.poll() is not None:
            self.close()
            path = os.pathsep.join(part for part in sys.path if part)
            process = self._process = subprocess.Popen(
                [sys.executable, "-m", "concordant_loro.child", self.role],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": path},
                # It and its copy end together. In a session of its own Linux would weigh it apart from this process,
                # and on a busy machine each question would wait for that.
                process_group=0 if _FORKS else None,
            )
        return process

    def _receive(self, process: subprocess.Popen[bytes]) -> tuple[Any, bytes]:
        assert process.stdout is not None
        if not select.select([process.stdout], [], [], self.patience)[0]:
            raise TimeoutError(f"no answer for {self.patience:g} seconds")
        return _read(process.stdout)

    def close(self) -> None:
        """Ends the process."""
        process, self._process = self._process, None
        if process is None or self.owner != os.getpid():
            return
        if _FORKS:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        process.kill()
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                assert pipe is not None
                pipe.close()
        process.wait()


def _send(pipe: IO[bytes] | None, said: Any, data: bytes = b"") -> None:
    assert pipe is not None
    text = to_json(said)
    pipe.write(_HEAD.pack(len(text), len(data)) + text + data)
    pipe.flush()


def _read(pipe: IO[bytes]) -> tuple[Any, bytes]:
    head = pipe.read(_HEAD.size)
    if len(head) < _HEAD.size:
        raise EOFError("it ended")
    length, beside = _HEAD.unpack(head)
    text, data = pipe.read(length), pipe.read(beside)
    if len(text) < length or len(data) < beside:
        raise EOFError("it ended")
    return from_json(text), data


_ERRORS: dict[str, type[LoroError]] = {
    error.__name__: error for error in (LoroError, LostReplicaError, IncompleteUpdateError, RefusedUpdateError)
}


class Service:
    """What a child does, by the names of what it is asked."""

    def answer(self, asked: dict[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
        """Answers one question."""
        hub = self.hub_of(asked)
        try:
            found, more = getattr(self, asked.pop("ask"))(data, **asked)
            return {"is": found}, more
        except LoroError as error:
            kind, said = type(error), [str(error)]
            if isinstance(error, RefusedUpdateError):
                said = [error.problem, error.mend]
            elif hub is not None and hub.is_lost:
                kind = LostReplicaError
            return {"error": kind.__name__, "said": said}, b""

    def hub_of(self, asked: dict[str, Any]) -> Hub | None:
        """Returns the hub that is asked about, if one is."""
        return None

    def keep_up(self) -> None:
        """Does what the answer has left to do."""


class ReadingService(Service):
    """Reads what strangers sent, and keeps nothing of it."""

    def taste(self, data: bytes) -> tuple[Any, bytes]:
        """Reads an update for no other reason than to see whether it can be read, and that survived."""
        with guarded("To read an update"):
            new_doc().import_(data)
        return None, b""

    def roots(self, data: bytes) -> tuple[Any, bytes]:
        """Reads the roots of a Loro document."""
        with guarded("To read a Loro document"):
            doc = new_doc()
            status = doc.import_(data)
            if status.pending is not None:
                raise LoroError("The Loro document is a part: it depends on what is not in it. Export all of it")
            return read(doc), b""

    def missed(
        self, data: bytes, sizes: list[int], layout: Any, name: str, starts: dict[str, int], others: list[int]
    ) -> tuple[Any, bytes]:
        """Reads what an editor of an earlier hub has done that was not committed."""
        by_peer = {int(peer): start for peer, start in starts.items()}
        ends = [*accumulate(sizes)]
        parts = [data[end - size : end] for size, end in zip(sizes, ends, strict=True)]
        return Hub(0, layout).missed(parts, name, by_peer, others), b""


class KeepingService(Service):
    """Keeps the hubs of live documents."""

    def __init__(self) -> None:
        self.hubs: dict[str, Hub] = {}
        self._asked: Hub | None = None

    def begin(self, data: bytes, hub: str, peer: int, layout: Any) -> tuple[Any, bytes]:
        """Begins a hub."""
        self.hubs[hub] = Hub(peer, layout)
        return None, b""

    def end(self, data: bytes, hub: str) -> tuple[Any, bytes]:
        """Ends a hub."""
        self.hubs.pop(hub, None)
        return None, b""

    def show(self, data: bytes, hub: str, roots: Any) -> tuple[Any, bytes]:
        """Shows what was written."""
        return _as_told(*self._hub(hub).show(roots))

    def updates(self, data: bytes, hub: str, known: dict[str, int] | None) -> tuple[Any, bytes]:
        """Gives what a replica lacks."""
        version = None if known is None else {int(peer): counter for peer, counter in known.items()}
        return _as_told(*self._hub(hub).updates(version))

    def known(self, data: bytes, hub: str) -> tuple[Any, bytes]:
        """Reads the version that an editor says it has."""
        known, is_stale = self._hub(hub).known_of(data)
        return {"known": {str(peer): counter for peer, counter in known.items()}, "stale": is_stale}, b""

    def version(self, data: bytes, hub: str) -> tuple[Any, bytes]:
        """Tells the version of what there is."""
        return None, self._hub(hub).version()

    def receive(self, data: bytes, hub: str, own: list[int], others: list[int], fresh: int) -> tuple[Any, bytes]:
        """Takes what an editor sent."""
        return self._hub(hub).receive(data, own, others, fresh), b""

    def rest(self, data: bytes, hub: str, peer: int, start: int, end: int) -> tuple[Any, bytes]:
        """Reads a part of a change that was taken."""
        return self._hub(hub).rest(peer, start, end), b""

    def hub_of(self, asked: dict[str, Any]) -> Hub | None:
        self._asked = self.hubs.get(asked.get("hub", ""))
        return self._asked

    def keep_up(self) -> None:
        if self._asked is not None:
            with contextlib.suppress(LoroError):  # it is lost: who asks for it next is told
                self._asked.keep_up()

    def _hub(self, name: str) -> Hub:
        hub = self.hubs.get(name)
        if hub is None or hub.is_lost:
            raise LostReplicaError("What the editors of this document shared is gone")
        return hub


def _as_told(version: dict[int, int], found: bytes) -> tuple[dict[str, int], bytes]:
    """A version as JSON has it, beside bytes."""
    return {str(peer): counter for peer, counter in version.items()}, found


_ROLES: dict[str, type[Service]] = {"read": ReadingService, "keep": KeepingService}
_FORKS = hasattr(os, "fork")


def serve(role: str, questions: IO[bytes], answers: IO[bytes], busy: Any = None) -> None:
    """Answers until nobody asks any more.

    Args:
        busy: a byte of memory that says whether a question is under way.
    """
    service, busy = _ROLES[role](), bytearray(1) if busy is None else busy
    while True:
        try:
            asked, data = _read(questions)
        except EOFError:
            return
        busy[0] = 1
        answer, found = service.answer(asked, data)
        busy[0] = 0
        try:
            _send(answers, answer, found)
        except (TypeError, ValueError, RecursionError) as error:
            said = f"The Loro document holds what is no JSON text ({str(error)[:200]})"
            _send(answers, {"error": "LoroError", "said": [said]})
        service.keep_up()


def serve_in_copies(role: str, questions: IO[bytes], answers: IO[bytes]) -> None:
    """Has a copy of this process answer; when that ends of a question, says so in its place, and makes the next."""
    busy = mmap.mmap(-1, 1)
    while True:
        copy = os.fork()
        if not copy:
            try:
                serve(role, questions, answers, busy)
            finally:
                os._exit(0)
        _, status = os.waitpid(copy, 0)
        if not os.WIFSIGNALED(status):
            return
        if busy[0]:
            busy[0] = 0
            said = f"Loro ended its process over these bytes (signal {os.WTERMSIG(status)}): they are damaged"
            _send(answers, {"error": "LoroError", "said": [said]})


def main() -> None:
    role = sys.argv[1]
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource  # where there is none, nothing bounds the memory of the child

        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY[role], MOST_MEMORY[role]))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    (serve_in_copies if role == "read" and _FORKS else serve)(role, sys.stdin.buffer, sys.stdout.buffer)


if __name__ == "__main__":
    main()
