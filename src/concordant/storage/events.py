"""Transitions of escalations, kept with the commits that made them: for other processes, and for who was away."""

from __future__ import annotations

import threading
from typing import NamedTuple, Protocol, TypeAlias

from concordant.escalation import Event

__all__ = ["Cursor", "Events", "Listener", "Told"]

Cursor: TypeAlias = tuple[int, int]
"""A place in the order of events: the number of a commit, and that of an event in it."""


class Told(NamedTuple):
    """An event, its place in the order, and which workspace made it."""

    cursor: Cursor
    source: str
    event: Event


class Listener(Protocol):
    """Waits for events; one for each thread that does."""

    def wait(self, stop: threading.Event, seconds: float) -> None:
        """Returns when there may be new events, at once the first time and after a lost connection; soon after
        ``stop`` is set, and after so many seconds at the latest."""
        ...

    def close(self) -> None:
        """Gives up what it waits with."""
        ...


class Events(Protocol):
    """The events of a store, and how far its named subscribers have come.

    Attributes:
        source: the name of this workspace among those that share the store; empty where none can.
        closed: whether the storage was closed.
    """

    closed: bool

    @property
    def source(self) -> str: ...

    def now(self) -> Cursor:
        """The place after all events so far."""
        ...

    def first(self) -> Cursor:
        """The place before the oldest event that is kept."""
        ...

    def after(self, cursor: Cursor, limit: int) -> list[Told]:
        """The next events, in the order of their commits."""
        ...

    def listener(self) -> Listener:
        """What tells of new events."""
        ...

    def take(self, name: str, holder: str, seconds: float, start: Cursor) -> Cursor | None:
        """How far a subscriber has come, if ``holder`` may receive for it: from now on for so many seconds nobody else
        may. ``None``: somebody else does.

        Args:
            start: where a new subscriber begins.
        """
        ...

    def acknowledge(self, name: str, holder: str, seconds: float, cursor: Cursor) -> bool:
        """Notes that a subscriber has dealt with all events up to a place; ``False`` if ``holder`` may not any more."""
        ...

    def release(self, name: str, holder: str) -> None:
        """Lets others receive at once."""
        ...

    def forget(self, name: str) -> None:
        """Forgets a subscriber."""
        ...
