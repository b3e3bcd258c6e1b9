"""Waits for what other processes announce through Postgres."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg

__all__ = ["CHANNEL", "PostgresListener"]

CHANNEL = "concordant_events"
_SLICE = 0.2


class PostgresListener:
    """A connection of its own that listens.

    Args:
        driver: the module ``psycopg``.
        timeout: for how many seconds a connection is tried.
    """

    def __init__(self, url: str, driver: Any, timeout: int) -> None:
        self._url = url
        self._driver = driver
        self._timeout = timeout
        self._connection: psycopg.Connection[Any] | None = None

    def wait(self, stop: threading.Event, seconds: float) -> None:
        end = time.monotonic() + seconds
        try:
            if self._connection is None:
                connection = self._driver.connect(self._url, autocommit=True, connect_timeout=self._timeout)
                self._connection = connection
                connection.execute(f"LISTEN {CHANNEL}")
                return  # what was announced before is to be looked for
            while not stop.is_set() and (left := end - time.monotonic()) > 0:
                for _ in self._connection.notifies(timeout=min(_SLICE, left), stop_after=1):
                    return
        except self._driver.Error:
            self.close()
            stop.wait(min(1.0, max(end - time.monotonic(), 0.0)))

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(self._driver.Error):
                connection.close()
