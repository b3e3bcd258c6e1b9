"""Connections to Postgres that notice when nobody answers any more."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any

import psycopg
from psycopg_pool import ConnectionPool

__all__ = ["Connection", "Pool", "try_again", "way"]

_KEPT_ALIVE = {"keepalives": 1, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}

_CHECK = 2.0
"""For how many seconds an idle connection may be silent when it is checked."""


class Connection(psycopg.Connection[Any]):
    """A connection that counts as lost when the server is silent for too long.

    The limits of the server itself (``statement_timeout``) help only where it lives and is heard: neither a machine
    that is gone nor a network that swallows what is sent ends a call.

    Attributes:
        patience: for how many seconds the server may be silent.
    """

    patience = float("inf")

    def wait(self, gen: Any, *more: Any, **options: Any) -> Any:
        return super().wait(self._patiently(gen), *more, **options)

    def _patiently(self, gen: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
        end = time.monotonic() + self.patience
        try:
            state = next(gen)
            while True:
                ready = yield state
                if not ready and time.monotonic() > end:
                    self.pgconn.finish()
                    raise psycopg.OperationalError(f"the server was silent for {self.patience:g} seconds")
                state = gen.send(ready)
        except StopIteration as done:
            return done.value


def way(seconds: float) -> dict[str, Any]:
    """How connections are made: the system looks after idle ones, and to make one takes that long at most."""
    return {"autocommit": True, "connect_timeout": max(2, round(seconds)), **_KEPT_ALIVE}


def try_again(pool: ConnectionPool[Connection]) -> None:
    """Goes on trying to connect while somebody waits for it: by itself the pool pauses twice as long each time, and a
    server that has been back for seconds would not be noticed."""
    if pool.get_stats().get("requests_waiting"):
        pool.check()


class Pool(ConnectionPool[Connection]):
    """A pool that is quick to tell which of its connections are no more."""

    @staticmethod
    def check_connection(conn: Connection) -> None:
        patience, conn.patience = conn.patience, min(_CHECK, conn.patience)
        ConnectionPool.check_connection(conn)
        conn.patience = patience
