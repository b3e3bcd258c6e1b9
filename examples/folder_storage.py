"""A storage of one's own: a folder with an append-only journal, for processes on one machine. Run as a program, it
plays a short story of two processes that write one note.

All that it takes is ``KeyValueStore``: transactions over ordered keys. What a key or a value means is not its business.

Run: python examples/folder_storage.py
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import subprocess
import sys
import tempfile
import threading
import zlib
from bisect import bisect_left, insort
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar
from urllib.parse import unquote

from pydantic import BaseModel

from concordant import Scalar, Set, StorageError, Workspace
from concordant.storage import KeyValueReader, KeyValueStore, KeyValueWriter

T = TypeVar("T")


class Contents:
    """What a store holds: keys in order, and their values."""

    def __init__(self) -> None:
        self.keys: list[bytes] = []
        self.values: dict[bytes, bytes] = {}

    def get(self, key: bytes) -> bytes | None:
        return self.values.get(key)

    def scan(self, begin: bytes, end: bytes) -> Iterator[tuple[bytes, bytes]]:
        for key in self.keys[bisect_left(self.keys, begin) : bisect_left(self.keys, end)]:
            yield key, self.values[key]

    def set(self, key: bytes, value: bytes | None) -> None:
        if key not in self.values:
            if value is not None:
                insort(self.keys, key)
        elif value is None:
            del self.keys[bisect_left(self.keys, key)]
        if value is None:
            self.values.pop(key, None)
        else:
            self.values[key] = value


class Transaction:
    """Works on the contents at once, and knows how to go back."""

    def __init__(self, contents: Contents) -> None:
        self._contents = contents
        self.before: dict[bytes, bytes | None] = {}
        self.get, self.scan = contents.get, contents.scan

    def put(self, key: bytes, value: bytes | None) -> None:
        self.before.setdefault(key, self._contents.get(key))
        self._contents.set(key, value)

    def delete(self, key: bytes) -> None:
        self.put(key, None)

    def roll_back(self) -> None:
        for key, value in self.before.items():
            self._contents.set(key, value)


class FolderStore(KeyValueStore):
    """A folder in which a journal has one line for each transaction.

    A line counts once it is whole: it begins with its checksum and ends with a line break. So a crash leaves every
    transaction or nothing of it, whoever reads need not wait for whoever writes, and writers take turns by a lock.

    Args:
        path: of the folder; made if there is none.
        most: how many bytes the journal may have beyond twice its contents, before it is written anew.
    """

    def __init__(self, path: str | Path, most: int = 1_000_000) -> None:
        self._folder = Path(path).absolute()
        self._folder.mkdir(parents=True, exist_ok=True)
        self._journal = self._folder / "journal"
        self._most = most
        self._threads = threading.Lock()
        self._forget()
        self.place = f"folder://{self._folder}"

    def _forget(self) -> None:
        self._contents = Contents()
        self._file: tuple[int, int] | None = None  # which file was read
        self._at = 0  # and how far

    def read(self, work: Callable[[KeyValueReader], T]) -> T:
        with self._threads:
            self._catch_up()
            return work(self._contents)

    def write(self, work: Callable[[KeyValueWriter], T]) -> T:
        with self._threads, self._locked():
            self._catch_up()
            transaction = Transaction(self._contents)
            try:
                result = work(transaction)
                if transaction.before:
                    self._append({key: self._contents.get(key) for key in transaction.before})
            except BaseException:
                transaction.roll_back()
                raise
            return result

    def close(self) -> None:
        with self._threads:
            self._forget()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One writer at a time, of all processes; the lock of a process that dies is free."""
        with open(self._folder / "lock", "w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _catch_up(self) -> None:
        """Reads what was written since."""
        if not self._journal.exists():
            return
        with open(self._journal, "rb") as file:
            which = os.fstat(file.fileno())
            if self._file != (which.st_dev, which.st_ino):  # it was written anew
                self._forget()
                self._file = (which.st_dev, which.st_ino)
            file.seek(self._at)
            for line in file:
                if not line.endswith(b"\n"):
                    break  # somebody is writing it, or died doing so
                try:
                    changes = parsed(line)
                except ValueError as error:
                    mend = "Restore the folder from a back-up"
                    raise StorageError(self.place, f"its journal is damaged at byte {self._at}", mend) from error
                for key, value in changes.items():
                    self._contents.set(key, value)
                self._at += len(line)

    def _append(self, changes: dict[bytes, bytes | None]) -> None:
        size = sum(len(key) + len(value) for key, value in self._contents.values.items())
        anew = self._at > 2 * size + self._most
        path = self._folder / "journal.new" if anew else self._journal
        text = line_of(dict(self._contents.values) if anew else changes)
        with open(path, "wb" if anew else "ab") as file:
            if not anew:
                file.truncate(self._at)  # what a writer who died has left
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            if anew:
                os.replace(path, self._journal)
            which = os.fstat(file.fileno())
        self._file = (which.st_dev, which.st_ino)
        self._at = len(text) if anew else self._at + len(text)


def line_of(changes: dict[bytes, bytes | None]) -> bytes:
    """A transaction as a line of the journal."""
    plain = [[text(key), None if value is None else text(value)] for key, value in changes.items()]
    body = json.dumps(plain).encode()
    return b"%08x %s\n" % (zlib.crc32(body), body)


def parsed(line: bytes) -> dict[bytes, bytes | None]:
    """The transaction in a line of the journal; ``ValueError`` if it is not what was written."""
    body = line[9:-1]
    if int(line[:8], 16) != zlib.crc32(body):
        raise ValueError("the checksum differs")
    found: Any = json.loads(body)
    return {base64.b64decode(key): None if value is None else base64.b64decode(value) for key, value in found}


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def open_folder(url: str, replica: str | None, options: Any) -> KeyValueStore:
    """Opens ``folder:///var/lib/team``; what the entry point of a package names:
    ``[project.entry-points."concordant.storages"]`` with ``folder = "folder_storage:open_folder"``."""
    return FolderStore(unquote(url.partition("://")[2]), **(options or {}))


# -- the story -----------------------------------------------------------------------------------------------------


class Note(BaseModel):
    tags: Annotated[set[str], Set()]
    status: Annotated[str | None, Scalar()] = None


def workspace(path: str) -> Workspace:
    return Workspace(storage=FolderStore(path), schemas={("notes",): Note})


def main() -> None:
    with tempfile.TemporaryDirectory() as path:
        with workspace(path) as ws:
            ada = ws.agent("ada")
            program = f"import folder_storage as f; f.workspace({path!r}).agent('bob').write(('notes',), 'n', {{}} | "
            program += "{'tags': ['from bob'], 'status': 'final'})"
            here = str(Path(__file__).parent)
            subprocess.run([sys.executable, "-c", program], check=True, cwd=here)
            ada.write(("notes",), "n", {"tags": ["from ada"], "status": "draft"})
            [question] = ws.escalations()
            print("both are kept:", sorted(ws.get(("notes",), "n").model.tags))
            print("asked:", [(c.agent, c.value) for c in question.contenders])
            ws.resolve(question, "final", by="maria")
        with workspace(path) as ws:  # opened anew
            print("decided:", ws.get(("notes",), "n").value["status"], [e.act for e in ws.history(("notes",), "n")])


if __name__ == "__main__":
    main()
