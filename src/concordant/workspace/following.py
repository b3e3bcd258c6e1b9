"""Tells this process's callbacks of what other processes with the same store did."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from weakref import WeakMethod

from concordant.errors import StorageError
from concordant.escalation import Event
from concordant.storage.base import Events

__all__ = ["Follower"]

PAGE = 100
SAFETY = 30.0
"""After how many seconds the store is asked at the latest, whatever it has told."""

log = logging.getLogger("concordant")


class Follower:
    """A thread that hears of the events of others, each once, in the order of their commits.

    Args:
        tell: a bound method that is called with events, outside all locks.
    """

    def __init__(self, events: Events, tell: Callable[[Sequence[Event]], None]) -> None:
        self._events = events
        self._tell = WeakMethod(tell)  # the thread is not to keep the workspace alive
        self._stop = threading.Event()
        self._cursor = events.now()
        self._thread = threading.Thread(target=self._run, name="concordant-events", daemon=True)
        self._thread.start()

    @property
    def is_alive(self) -> bool:
        """Whether it still listens: not in the child of a fork, which has none of its parent's threads."""
        return self._thread.is_alive()

    def _run(self) -> None:
        listener = self._events.listener()
        try:
            while not (self._stop.is_set() or self._events.closed or self._tell() is None):
                try:
                    self._catch_up()
                    listener.wait(self._stop, SAFETY)
                except StorageError as error:
                    if not (self._stop.is_set() or self._events.closed):
                        log.warning("events of other processes wait until the store can be read: %s", error)
                        self._stop.wait(1.0)
        finally:
            listener.close()

    def _catch_up(self) -> None:
        while not self._stop.is_set():
            found = self._events.after(self._cursor, PAGE)
            if not found:
                break
            self._cursor = found[-1].cursor  # first, so that whatever fails later none is told twice
            tell = self._tell()
            if tell is not None:
                tell([told.event for told in found if told.source != self._events.source])

    def close(self) -> None:
        """Ends it; a callback that is running is waited for, a second at most."""
        self._stop.set()
        if threading.current_thread() is not self._thread:
            self._thread.join(1.0)
