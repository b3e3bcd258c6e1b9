"""Points in the course of this process: what tells which commits had been made when a task began, without a clock."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable
from typing import NamedTuple
from weakref import WeakMethod

from concordant.storage.forking import free_in_child

__all__ = ["Instant", "is_looking", "look_before", "look_no_more"]

MOST_LOOKS = 16
"""At how many stores one instant looks: those that asked for it last."""

latest = 0
"""The tick of the newest instant."""


class Instant(NamedTuple):
    """A point in the course of this process; later ones are greater, whatever any clock shows.

    Attributes:
        tick: its number.
        at: its time by the monotonic clock, in seconds.
        wall: its time by the wall's clock, if stores with a look (``look_before``) were not looked at right before.
    """

    tick: int
    at: float
    wall: float | None = None

    @classmethod
    def now(cls) -> Instant:
        """Takes the present instant. Stores with a look (``look_before``) are looked at first, unless an
        event loop runs in this thread: a look may wait for a disk, and all that the loop serves would wait with it.

        >>> earlier, later = Instant.now(), Instant.now()
        >>> earlier < later
        True
        """
        global latest
        looked = not _on_a_loop()
        for ref in _looks if looked else ():
            look = ref()
            if look is not None:
                look()
        with _lock:
            latest += 1
            return cls(latest, time.monotonic(), None if looked else time.time())


def _on_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


_looks: tuple[WeakMethod[Callable[[], None]], ...] = ()
_lock = free_in_child(threading.Lock())


def look_before(look: Callable[[], None]) -> None:
    """Has a bound method called before each instant, for as long as its object lives."""
    global _looks
    with _lock:
        kept = [ref for ref in _looks if ref() not in (None, look)]
        _looks = (WeakMethod(look), *kept[: MOST_LOOKS - 1])


def is_looking(look: Callable[[], None]) -> bool:
    """Whether a method is called before each instant."""
    return any(ref() == look for ref in _looks)


def look_no_more(look: Callable[[], None]) -> None:
    """Ends ``look_before``."""
    global _looks
    with _lock:
        _looks = tuple(ref for ref in _looks if ref() not in (None, look))


def _after_fork() -> None:
    """In the child of a fork: another thread may have held the lock."""
    global _lock
    _lock = free_in_child(threading.Lock())


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
