"""A Postgres of its own, and a way to it that is cut at the instant of a commit."""

from __future__ import annotations

import contextlib
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import psycopg

from tests.patience import until

MEMORY = Path("/dev/shm")


@contextlib.contextmanager
def own_server(*, prepares: bool = False, in_memory: bool = False) -> Iterator[str]:
    """The url of a server that a test may crash.

    Args:
        prepares: whether it may be one of the servers of a store.
        in_memory: whether its files lie in memory, where there is such a place. A crash loses the same, and is
            recovered from in a tenth of the time, most of which is to wait for the disk to have every file.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pgserver looks for a runtime folder that the system may not have
        import pgserver

        folder = tempfile.mkdtemp(prefix="pg", dir=MEMORY if in_memory and MEMORY.is_dir() else None)
        server = pgserver.get_server(folder, cleanup_mode="stop")
    # Only commits write the log, so that a crash is sure to lose what was not committed.
    server.psql("ALTER SYSTEM SET wal_writer_delay = '10s'; SELECT pg_reload_conf();")
    if prepares:
        server.psql("ALTER SYSTEM SET max_prepared_transactions = 64;")
        server.cleanup()
        server = pgserver.get_server(folder, cleanup_mode="stop")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        with contextlib.suppress(FileNotFoundError):
            _end(_postmaster(Path(folder)))  # one that was started since (``outage``)
        shutil.rmtree(folder, ignore_errors=True)


def outage(
    url: str, seconds: float, largest: int = resource.RLIM_INFINITY, meanwhile: Callable[[], None] = lambda: None
) -> None:
    """The whole server is gone at once, for some time, and then recovers.

    Args:
        meanwhile: called while it is gone.
        largest: the size, in bytes, that no file of it may exceed from then on.
    """
    from pgserver._commands import POSTGRES_BIN_PATH

    with psycopg.connect(url) as connection:
        ((data,),) = connection.execute("SHOW data_directory").fetchall()
        ((sockets,),) = connection.execute("SHOW unix_socket_directories").fetchall()
    folder = Path(data)
    _end(_postmaster(folder))
    time.sleep(seconds)
    meanwhile()
    program = [POSTGRES_BIN_PATH / "pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", f"-h '' -k {sockets}"]
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, resource.RLIM_INFINITY))  # for who is started
    try:
        subprocess.run([*program, "start"], user=folder.stat().st_uid, check=True, stdout=subprocess.DEVNULL)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def _postmaster(folder: Path) -> int:
    return int((folder / "postmaster.pid").read_text().split("\n")[0])


def _end(pid: int) -> None:
    """Ends a server without any care for what it does."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGQUIT)
        while True:
            os.kill(pid, 0)
            time.sleep(0.01)


def writer(url: str) -> tuple[int, str]:
    """The process of the server that has written and not committed, and the id of its transaction; what the server does
    of itself has no client."""
    query = (
        "SELECT pid, backend_xid::text FROM pg_stat_activity "
        "WHERE backend_xid IS NOT NULL AND backend_type = 'client backend'"
    )
    with psycopg.connect(url, autocommit=True) as connection:
        ((pid, xid),) = connection.execute(query).fetchall()
    return pid, xid


def crash(url: str, pid: int) -> None:
    """Kills a process of the server, upon which the server ends all others and recovers; waits until it has."""
    with contextlib.closing(psycopg.connect(url, autocommit=True)) as connection:
        os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(psycopg.OperationalError):
            while True:  # until it is thrown out, so that what follows meets the server as recovered
                connection.execute("SELECT 1")
                time.sleep(0.01)
    until(lambda: _answers(url), lambda: "no server that has recovered")


def _answers(url: str) -> bool:
    with contextlib.suppress(psycopg.OperationalError):
        psycopg.connect(url).close()
        return True
    return False


class Cut:
    """A way to a server that breaks at the next ``cuts`` commits.

    Args:
        url: of the server, at a socket in the file system.
        at: ``"before"`` the server hears of the commit, ``"after"`` it has answered, the answer being lost, or when
            the answer was ``"heard"``; ``"silent"``: nothing is passed on any more, and nobody is told, until ``heal``;
            ``"late"``: what was said is passed on after the way was cut, and after whatever is tried again at once.
        cuts: how many commits; each is the first on its connection. A document's first write by one statement is one.
        meanwhile: called at a cut before anything of the commit is passed on; nobody gets through until it returns,
            also where what it does tells the client that the connection is lost.
    """

    def __init__(self, url: str, at: str, cuts: int, meanwhile: Callable[[], None] = lambda: None) -> None:
        match = re.search(r"host=([^&]+)", url)
        assert match is not None, url
        self._target = str(Path(match[1]) / ".s.PGSQL.5432")
        self._folder = tempfile.mkdtemp(prefix="cut")
        self._at, self._meanwhile = at, meanwhile
        self.left = cuts
        self._silent = threading.Event()
        self._open = threading.Event()
        self._open.set()
        self.url = url.replace(match[1], quote(self._folder))
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(Path(self._folder) / ".s.PGSQL.5432"))
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def heal(self) -> None:
        """New connections are passed on again; those that were silent remain so."""
        self._silent = threading.Event()

    def close(self) -> None:
        self._listener.close()
        shutil.rmtree(self._folder)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                self._open.wait()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._target)
                lost = self._silent if self._at == "silent" else threading.Event()
                threading.Thread(target=self._to_server, args=(client, server, lost), daemon=True).start()
                threading.Thread(target=self._to_client, args=(client, server, lost), daemon=True).start()

    def _to_server(self, client: socket.socket, server: socket.socket, lost: threading.Event) -> None:
        named: set[bytes] = set()
        with contextlib.suppress(OSError):
            while data := client.recv(1 << 16):
                if _commits(data, named) and self.left:
                    self.left -= 1
                    lost.set()
                    self._open.clear()
                    try:
                        self._meanwhile()
                    finally:
                        self._open.set()
                    if self._at == "before":
                        break
                    if self._at == "late":
                        _hang_up(client)
                        time.sleep(0.5)
                if not (lost.is_set() and self._at == "silent"):
                    server.sendall(data)
        for end in (client, server):
            _hang_up(end)

    def _to_client(self, client: socket.socket, server: socket.socket, lost: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(1 << 16):
                answered = lost.is_set() and any(tag in data for tag in _TAGS)
                if lost.is_set() and (self._at == "before" or (answered and self._at == "after")):
                    break
                if lost.is_set() and self._at == "silent":
                    continue
                client.sendall(data)
                if answered:
                    break
        for end in (client, server):
            _hang_up(end)


_TAGS = (b"COMMIT\0", b"SELECT 1\0", b"SELECT 0\0")


def _commits(data: bytes, named: set[bytes]) -> bool:
    """Whether what is said to a server commits.

    Args:
        named: the statements so far that are prepared, and make a first write.
    """
    named.update(re.findall(rb"P.{4}(\w+)\0\nWITH head", data, re.DOTALL))
    if re.search(rb"P.{4}\0\nWITH head", data, re.DOTALL):
        return True
    return b"COMMIT\0" in data or any(b"\0" + name + b"\0" in data for name in named)


def _hang_up(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
