"""Who is told of the transitions of escalations: callbacks, of commits of this and other processes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Container, Iterable, Sequence
from typing import Any
from weakref import WeakMethod

from concordant.errors import StorageError
from concordant.escalation import Escalation, Event
from concordant.storage.base import Events, advanced
from concordant.storage.forking import free_in_child

__all__ = ["Subscribers"]

PAGE = 100
SAFETY = 30.0
"""After how many seconds the store is asked at the latest, whatever it has told."""

log = logging.getLogger("concordant")


class Subscribers:
    """The callbacks of a workspace, told after the commit and outside all locks.

    Args:
        events: the transitions that other processes with the same store make.
    """

    def __init__(self, events: Events) -> None:
        self._events = events
        self._callbacks: dict[int, Callable[[Event], Any]] = {}
        self._next = 0
        self._lock = free_in_child(threading.Lock())
        self._ask: Callable[[Escalation, bool], None] | None = None
        self._follower: _Follower | None = None
        self._following = free_in_child(threading.Lock())

    def add(self, callback: Callable[[Event], Any]) -> Callable[[], None]:
        """Subscribes; returns a function that ends it."""
        with self._lock:
            number = self._next
            self._next += 1
            self._callbacks = {**self._callbacks, number: callback}

        def stop() -> None:
            with self._lock:
                self._callbacks = {n: c for n, c in self._callbacks.items() if n != number}

        return stop

    def ask_with(self, ask: Callable[[Escalation, bool], None]) -> None:
        """Has every escalation that opens, grows or reopens here given to ``ask``, once all callbacks were told, and
        whether the latest of its sides was written elsewhere."""
        self._ask = ask

    def deliver(self, events: Iterable[Event], elsewhere: Container[str] = ()) -> None:
        """Tells every subscriber of every event of a commit made here, then asks about what is open.

        Args:
            elsewhere: the ids of escalations of which the latest side was written in another store.
        """
        events = list(events)
        self.tell(events)
        for event in events:
            if self._ask is not None and event.kind in ("opened", "grew", "reopened"):
                self._ask(event.escalation, event.escalation.id in elsewhere)

    def tell(self, events: Iterable[Event]) -> None:
        """Tells every subscriber of every event; a callback that fails is logged and harms nothing."""
        for event in events:
            for callback in self._callbacks.values():
                try:
                    callback(event)
                except Exception:
                    log.exception("a callback failed on %s of %s", event.kind, event.escalation)

    def follow(self) -> None:
        """Begins to listen for events of other processes, where there can be any."""
        with self._following:
            if self._events.source and (self._follower is None or not self._follower.is_alive):
                self._follower = _Follower(self._events, self.tell)

    def close(self) -> None:
        """Ends listening."""
        follower, self._follower = self._follower, None
        if follower is not None:
            follower.close()


class _Follower:
    """A thread that hears of the events of others, each once, in the order of their commits.

    Args:
        tell: a bound method that is called with events, outside all locks.
    """

    def __init__(self, events: Events, tell: Callable[[Sequence[Event]], None]) -> None:
        self._events = events
        self._tell = WeakMethod(tell)  # the thread is not to keep the workspace alive
        self._stop = threading.Event()
        self._position = events.now()
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
            found = self._events.after(self._position, PAGE)
            if not found:
                break
            for told in found:  # first, so that whatever fails later none is told twice
                self._position = advanced(self._position, told.cursor)
            tell = self._tell()
            if tell is not None:
                tell([told.event for told in found if told.source != self._events.source])

    def close(self) -> None:
        """Ends it; a callback that is running is waited for, a second at most."""
        self._stop.set()
        if threading.current_thread() is not self._thread:
            self._thread.join(1.0)
