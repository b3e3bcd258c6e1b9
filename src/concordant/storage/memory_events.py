"""The events of a store in memory."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Sequence

from concordant.escalation import Event
from concordant.limits import MOST_BACKLOG
from concordant.storage.events import Cursor, Listener, Told
from concordant.storage.forking import free_in_child

__all__ = ["MemoryEvents"]

log = logging.getLogger("concordant")


class MemoryEvents:
    """Events in a list; subscribers are those of this process."""

    source = ""
    closed = False

    def __init__(self) -> None:
        self._news = free_in_child(threading.Condition())
        self._kept: deque[tuple[float, Told]] = deque()
        self._last: Cursor = (0, -1)
        self._reached: dict[str, tuple[Cursor, str, float]] = {}

    def note(self, n: int, time: float, events: Sequence[Event], most: int = MOST_BACKLOG) -> None:
        """Takes the events of a commit; so many are kept for those who were away."""
        if events:
            with self._news:
                self._last = (n, len(events) - 1)
                self._kept += [(time, Told((n, number), "", event)) for number, event in enumerate(events)]
                self._drop_oldest(most)
                self._news.notify_all()

    def _drop_oldest(self, most: int) -> None:
        gone: Told | None = None
        while len(self._kept) > most:
            gone = self._kept.popleft()[1]
        if gone is not None:
            for name, (cursor, holder, until) in self._reached.items():
                if cursor < gone.cursor:
                    log.warning("events are dropped that the subscriber %s has not fetched (Limits.backlog)", name)
                    self._reached[name] = (gone.cursor, holder, until)

    def forget_before(self, time: float) -> None:
        """Forgets old events that every named subscriber has dealt with."""
        with self._news:
            waiting = min((cursor for cursor, *_ in self._reached.values()), default=None)
            dealt_with = [k for k in self._kept if k[0] >= time or (waiting is not None and k[1].cursor > waiting)]
            self._kept = deque(dealt_with)

    def erase(self, namespace: tuple[str, ...], key: str) -> None:
        """Forgets the events of a document."""
        with self._news:
            kept = [(told.event.escalation, at, told) for at, told in self._kept]
            others = [(at, told) for e, at, told in kept if (e.namespace, e.key) != (namespace, key)]
            self._kept = deque(others)

    def now(self) -> Cursor:
        with self._news:
            return self._last

    def first(self) -> Cursor:
        return (0, -1)

    def after(self, cursor: Cursor, limit: int) -> list[Told]:
        with self._news:
            return [told for _, told in self._kept if told.cursor > cursor][:limit]

    def listener(self) -> Listener:
        return _Listener(self._news, self)

    def take(self, name: str, holder: str, seconds: float, start: Cursor) -> Cursor | None:
        now = time.monotonic()
        with self._news:
            cursor, other, until = self._reached.get(name, (start, "", 0.0))
            if other not in ("", holder) and until > now:
                return None
            self._reached[name] = (cursor, holder, now + seconds)
            return cursor

    def acknowledge(self, name: str, holder: str, seconds: float, cursor: Cursor) -> bool:
        with self._news:
            known = self._reached.get(name)
            if known is None or known[1] != holder:
                return False
            self._reached[name] = (max(known[0], cursor), holder, time.monotonic() + seconds)
            return True

    def release(self, name: str, holder: str) -> None:
        with self._news:
            known = self._reached.get(name)
            if known is not None and known[1] == holder:
                self._reached[name] = (known[0], "", 0.0)
                self._news.notify_all()

    def forget(self, name: str) -> None:
        with self._news:
            self._reached.pop(name, None)


class _Listener:
    def __init__(self, news: threading.Condition, events: MemoryEvents) -> None:
        self._news = news
        self._events = events
        self._known: Cursor | None = None

    def wait(self, stop: threading.Event, seconds: float) -> None:
        end = time.monotonic() + seconds
        known, self._known = self._known, self._events.now()
        while known == self._known and not stop.is_set() and time.monotonic() < end:
            with self._news:
                self._news.wait(min(0.1, max(end - time.monotonic(), 0.0)))
            self._known = self._events.now()

    def close(self) -> None:
        """Nothing to give up."""
