"""How far a store had come at the instants of this process.

A store's times of commits only grow, with the number of the commit, whatever the clock does that they are taken from.
So the time of its last commit says how far it has come.
"""

from __future__ import annotations

import os
import threading
from array import array
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Iterable

from concordant.storage import instants
from concordant.storage.forking import free_in_child

__all__ = ["Course", "SharedCourse", "course_of"]

MOST = 100_000
"""How many steps are remembered: of tasks that began before, nothing counts as seen but what they read."""

OWN = 100_000
"""How many of this process's newest commits to a database are told from those of other processes."""


class Course:
    """The time of the last commit that was there at each instant.

    It is written down at the first commit after an instant alone, so a course costs nothing where no tasks begin.

    Attributes:
        tick: of the newest instant that is told from what was committed after it.
    """

    __slots__ = ("_before", "_forgotten", "_ticks", "tick")

    def __init__(self) -> None:
        self.tick = -1
        self._ticks = array("q")
        self._before = array("d")
        self._forgotten = -1

    def step(self, before: float) -> None:
        """A commit can be seen now, and is no part of what was there at any instant so far; the one of the time
        ``before`` is. To be called before the commit returns, if ``tick`` is not that of the latest instant."""
        self.tick = instants.latest
        self._ticks.append(self.tick)
        self._before.append(before)
        if len(self._ticks) >= 2 * MOST:
            self._forgotten = self._ticks[MOST - 1]
            del self._ticks[:MOST], self._before[:MOST]

    def at(self, tick: int, last: float) -> float:
        """The time of the last commit that was there at an instant; ``last`` is that of the last one there is."""
        if tick <= self._forgotten:
            return 0.0
        place = bisect_left(self._ticks, tick)
        return self._before[place] if place < len(self._ticks) else last


class SharedCourse:
    """The course of a store in a database, as far as this process knows it: by its own commits, and by what it reads.

    Commits become visible in the order of their numbers, so to know one is to know that all before it are there.

    Args:
        n: the number of the last commit known.
        clock: its time.
    """

    __slots__ = ("_clock", "_course", "_lock", "_own", "n")

    def __init__(self, n: int, clock: float) -> None:
        self.n, self._clock = n, clock
        self._course = Course()
        self._course.step(0.0)  # of the instants so far nothing is known
        self._own: dict[int, None] = {}
        self._lock = free_in_child(threading.Lock())

    def renew(self) -> None:
        """In the child of a fork, where nobody else is at work."""
        self._lock = threading.Lock()

    def reach(self, n: int, clock: float) -> None:
        """The store has come to a commit, of a time."""
        if n <= self.n:
            return
        with self._lock:
            if n > self.n:
                if instants.latest != self._course.tick:
                    self._course.step(self._clock)
                self.n, self._clock = n, clock

    def at(self, tick: int) -> float:
        """The time of the last commit that is known to have been there at an instant; so were all before it."""
        with self._lock:
            return self._course.at(tick, self._clock)

    def making(self, own: Iterable[int]) -> None:
        """Commits of this process are about to be made."""
        self._own.update(dict.fromkeys(own))
        while len(self._own) > OWN:
            self._own.pop(next(iter(self._own)), None)

    def unmade(self, own: Iterable[int]) -> None:
        """They were not made, and their numbers go to others."""
        for n in own:
            self._own.pop(n, None)

    def is_own(self, n: int) -> bool:
        """Whether this process made a commit, lately."""
        return n in self._own


_MOST_STORES = 256
_known: OrderedDict[tuple[str, str], SharedCourse] = OrderedDict()
_lock = free_in_child(threading.Lock())


def course_of(identity: str, replica: str, n: int, clock: float) -> SharedCourse:
    """The course of a database's store, the same for all in this process that open it, at once or one after the other.

    Args:
        identity: which database it is.
        replica: the store's name.
        n: the number of its last commit. If more are known, another store has taken the place of the one that was.
        clock: the time of that.
    """
    with _lock:
        found = _known.get((identity, replica))
        if found is None or found.n > n:
            found = _known[identity, replica] = SharedCourse(n, clock)
            while len(_known) > _MOST_STORES:
                _known.popitem(last=False)
        _known.move_to_end((identity, replica))
    found.reach(n, clock)
    return found


def _after_fork() -> None:
    """In the child of a fork: another thread may have held a lock."""
    global _lock
    _lock = threading.Lock()
    for course in _known.values():
        course.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
