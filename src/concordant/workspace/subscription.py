"""Named subscribers: whoever receives for one hears of each transition, also of those while nobody did."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Self

from concordant.errors import ConcordantError, told
from concordant.escalation import Event
from concordant.storage.base import Cursor, Events
from concordant.workspace.names import check_name

__all__ = ["LEASE", "Subscription"]

LEASE = 30.0
LONGEST = 1e9
_STEP = 0.5

log = logging.getLogger("concordant")


class Subscription:
    """The events of a named subscriber (``Workspace.subscribe``), in the order of their commits: where a store has
    several clocks, of those under each (a document is under one for ever).

    Each event is received again and again until it is acknowledged: after a crash by the next who receives under the
    name. One at a time may receive; others under the name wait, and go on when it closes or has not been heard of for
    ``lease`` seconds. Iterating acknowledges each event when the next one is asked for.

    >>> from concordant import Workspace
    >>> ws = Workspace()
    >>> with ws.subscribe("slack-bot") as inbox:
    ...     ada, bob = ws.agent("ada"), ws.agent("bob")
    ...     _ = ada.write(("plans",), "launch", {"status": "draft"})
    ...     _ = bob.write(("plans",), "launch", {"status": "final"})
    ...     event = inbox.receive(timeout=1.0)
    ...     done = inbox.acknowledge()
    >>> event.kind, done
    ('opened', True)
    """

    def __init__(self, events: Events, name: str, lease: float, *, from_start: bool) -> None:
        check_name(name, "a subscriber's name")
        if not isinstance(lease, (int, float)) or not 0 < lease < LONGEST:
            raise ConcordantError(f"lease= is a number of seconds above 0, not {told(lease)}")
        if not isinstance(from_start, bool):
            raise ConcordantError(f"from_start= is True or False, not {told(from_start)}")
        self.name = name
        self._events = events
        self._lease = lease
        self._holder = uuid.uuid4().hex
        self._start = events.first() if from_start else events.now()
        self._pending: Cursor | None = None
        self._stop = threading.Event()
        self._listener = events.listener()
        events.take(name, self._holder, lease, self._start)

    def receive(self, timeout: float | None = None) -> Event | None:
        """Returns the oldest event that has not been acknowledged.

        Args:
            timeout: for how many seconds to wait for one; ``None``: until there is one, or the subscription is closed.

        Returns:
            The event; ``None`` if there was none in time.

        Raises:
            StorageError: the store cannot be read.
        """
        if timeout is not None and not isinstance(timeout, (int, float)):
            raise ConcordantError(f"timeout= is a number of seconds, not {told(timeout)}")
        end = None if timeout is None else time.monotonic() + timeout
        while not self._stop.is_set():
            cursor = self._events.take(self.name, self._holder, self._lease, self._start)
            if cursor is not None:
                found = self._events.after(cursor, 1)
                if found:
                    self._pending = found[0].cursor
                    return found[0].event
            left = _STEP if end is None else min(_STEP, end - time.monotonic())
            if left <= 0:
                return None
            self._listener.wait(self._stop, left)
        return None

    def acknowledge(self) -> bool:
        """Says that the event that was received last has been dealt with.

        Returns:
            Whether that is noted. Not if another receives under the name by now: it receives the event as well.
        """
        if self._pending is None:
            return False
        done = self._events.acknowledge(self.name, self._holder, self._lease, self._pending)
        if not done:
            log.warning("subscriber %s took longer than its lease: the event is delivered again", self.name)
        self._pending = None
        return done

    def __iter__(self) -> Iterator[Event]:
        while (event := self.receive()) is not None:
            yield event
            self.acknowledge()

    async def __aiter__(self) -> AsyncIterator[Event]:
        while not self._stop.is_set():
            event = await asyncio.to_thread(self.receive, _STEP)
            if event is not None:
                yield event
                await asyncio.to_thread(self.acknowledge)

    def close(self) -> None:
        """Ends waiting, and lets others receive under the name; what was not acknowledged is theirs."""
        if not self._stop.is_set():
            self._stop.set()
            self._events.release(self.name, self._holder)
            self._listener.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
