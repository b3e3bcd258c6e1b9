"""A child process in which Loro reads what strangers sent: bytes can make it abort, and then the child ends."""

from __future__ import annotations

import atexit
import contextlib
import os
import select
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

MOST_MEMORY = 2 << 30
"""How much memory a child may take, in bytes."""

PATIENCE = 60.0
"""For how many seconds a child may work on one question."""

_HEAD = struct.Struct(">II")  # bytes of JSON, bytes beside it


class Child:
    """A process that answers questions one at a time; one that died or does not answer is replaced by the next call.

    Args:
        patience: for how many seconds it may work on one question.
    """

    _shared: ClassVar[Child | None] = None
    _sharing: ClassVar[threading.Lock] = free_in_child(threading.Lock())

    def __init__(self, patience: float = PATIENCE) -> None:
        self.patience = patience
        self.owner = os.getpid()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    def shared(cls) -> Child:
        """Returns the child of this process that reads whole documents."""
        with cls._sharing:
            if cls._shared is None or cls._shared.owner != os.getpid():  # not what a fork has inherited
                cls._shared = cls()
                atexit.register(cls._shared.close)
            return cls._shared

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
                [sys.executable, "-m", "concordant_loro.child"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": path},
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
    """What the child does: it reads whole documents, and keeps the hubs of live ones."""

    def __init__(self) -> None:
        self.hubs: dict[str, Hub] = {}

    def roots(self, data: bytes) -> tuple[Any, bytes]:
        """Reads the roots of a Loro document."""
        with guarded("To read a Loro document"):
            doc = new_doc()
            status = doc.import_(data)
            if status.pending is not None:
                raise LoroError("The Loro document is a part: it depends on what is not in it. Export all of it")
            return read(doc), b""

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
        return self._hub(hub).show(roots), b""

    def updates(self, data: bytes, hub: str, known: dict[str, int] | None) -> tuple[Any, bytes]:
        """Gives what a replica lacks."""
        version = None if known is None else {int(peer): counter for peer, counter in known.items()}
        now, found = self._hub(hub).updates(version)
        return {str(peer): counter for peer, counter in now.items()}, found

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

    def missed(
        self, data: bytes, sizes: list[int], layout: Any, name: str, starts: dict[str, int], others: list[int]
    ) -> tuple[Any, bytes]:
        """Reads what an editor of an earlier hub has done that was not committed."""
        by_peer = {int(peer): start for peer, start in starts.items()}
        ends = [*accumulate(sizes)]
        parts = [data[end - size : end] for size, end in zip(sizes, ends, strict=True)]
        return Hub(0, layout).missed(parts, name, by_peer, others), b""

    def _hub(self, name: str) -> Hub:
        hub = self.hubs.get(name)
        if hub is None or hub.is_lost:
            raise LostReplicaError("What the editors of this document shared is gone")
        return hub

    def answer(self, asked: dict[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
        """Answers one question."""
        hub = self.hubs.get(asked.get("hub", ""))
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


def serve(questions: IO[bytes], answers: IO[bytes]) -> None:
    """Answers until nobody asks any more."""
    service = Service()
    while True:
        try:
            asked, data = _read(questions)
        except EOFError:
            return
        answer, found = service.answer(asked, data)
        try:
            _send(answers, answer, found)
        except (TypeError, ValueError, RecursionError) as error:
            said = f"The Loro document holds what is no JSON text ({str(error)[:200]})"
            _send(answers, {"error": "LoroError", "said": [said]})


def main() -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource  # where there is none, nothing bounds the memory of the child

        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    serve(sys.stdin.buffer, sys.stdout.buffer)


if __name__ == "__main__":
    main()
