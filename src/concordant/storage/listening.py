"""Waits for what other processes announce through Postgres."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
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
        connect: makes the connection.
        error: what the driver raises.
    """

    def __init__(self, connect: Callable[[], psycopg.Connection[Any]], error: type[Exception]) -> None:
        self._connect = connect
        self._error = error
        self._connection: psycopg.Connection[Any] | None = None

    def wait(self, stop: threading.Event, seconds: float) -> None:
        end = time.monotonic() + seconds
        try:
            if self._connection is None:
                self._connection = connection = self._connect()
                connection.execute(f"LISTEN {CHANNEL}")
                return  # what was announced before is to be looked for
            while not stop.is_set() and (left := end - time.monotonic()) > 0:
                for _ in self._connection.notifies(timeout=min(_SLICE, left), stop_after=1):
                    return
        except self._error:
            self.close()
            stop.wait(min(1.0, max(end - time.monotonic(), 0.0)))

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(self._error):
                connection.close()
