"""A child process in which Loro reads what strangers sent: bytes can make it abort, and then the child ends."""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import select
import struct
import subprocess
import sys
import threading
from typing import IO, Any, ClassVar

from concordant.spi import free_in_child
from concordant_loro.errors import LoroError, guarded
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

    def ask(self, what: str, data: bytes, **given: Any) -> Any:
        """Asks for something about some bytes.

        Raises:
            LoroError: Loro could not answer, died of it, or took too long.
        """
        with self._lock:
            process = self._started()
            try:
                _send(process.stdin, {"ask": what, **given}, data)
                answer, _ = self._receive(process)
            except (OSError, EOFError, ValueError, struct.error) as error:
                self.close()
                said = f"exit {process.returncode}" if process.returncode is not None else str(error)
                raise LoroError(
                    f"Loro ended its process over {len(data):,} bytes ({said}): they are damaged"
                ) from error
            except BaseException:
                self.close()  # what it would answer is no answer to the next question
                raise
        if "error" in answer:
            raise LoroError(answer["error"])
        return answer["is"]

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
    text = json.dumps(said).encode()
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
    return json.loads(text), data


def roots_in(data: bytes) -> Any:
    """Reads the roots of a Loro document."""
    with guarded("To read a Loro document"):
        doc = new_doc()
        status = doc.import_(data)
        if status.pending is not None:
            raise LoroError("The Loro document is a part: it depends on what is not in it. Export all of it")
        return read(doc)


def serve(questions: IO[bytes], answers: IO[bytes]) -> None:
    """Answers until nobody asks any more."""
    while True:
        try:
            _, data = _read(questions)
        except EOFError:
            return
        try:
            answer = {"is": roots_in(data)}
            json.dumps(answer)
        except LoroError as error:
            answer = {"error": str(error)}
        except (TypeError, ValueError, RecursionError) as error:
            answer = {"error": f"The Loro document holds what is no JSON text ({str(error)[:200]})"}
        _send(answers, answer)


def main() -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource  # where there is none, nothing bounds the memory of the child

        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    serve(sys.stdin.buffer, sys.stdout.buffer)


if __name__ == "__main__":
    main()
