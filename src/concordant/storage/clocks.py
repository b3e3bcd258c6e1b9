"""What tells which commits had been made when a task began: instants, how far a store had come, clocks."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from array import array
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple
from weakref import WeakMethod

from concordant.storage.forking import Workers, call_in_child, free_in_child

__all__ = [
    "Course",
    "Instant",
    "SharedClock",
    "SharedCourse",
    "are_looks_wanted",
    "course_of",
    "is_looking",
    "look",
    "look_before",
    "look_no_more",
]

MOST_LOOKS = 16
"""At how many stores one instant looks: those that asked for it last."""

latest = 0
"""The tick of the newest instant."""


class Instant(NamedTuple):
    """A point in the course of this process; later ones are greater, whatever any clock shows.

    Attributes:
        tick: its number.
        at: its time by the monotonic clock, in seconds.
        wall: its time by the wall's clock.
        looked: whether stores with a look (``look_before``) were looked at right before.
    """

    tick: int
    at: float
    wall: float = math.inf
    looked: bool = False

    @classmethod
    def now(cls) -> Instant:
        """Takes the present instant. Stores with a look (``look_before``) are looked at first. Where an event loop runs
        in this thread that is for the coroutine to do, right before (``look``): it may wait for a disk, and all that
        the loop serves would wait with it.

        >>> earlier, later = Instant.now(), Instant.now()
        >>> earlier < later
        True
        """
        global latest
        looked = False
        if _looks:
            looked = not _on_a_loop()
            if looked:
                _look()
            elif _looked.get():
                looked = True
                _looked.set(False)
        with _lock:
            latest += 1
            made = (latest, time.monotonic(), time.time(), looked)
            return tuple.__new__(cls, made)  # the class's own is slower, being Python


def _on_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


async def look() -> None:
    """Looks at the stores beside the event loop, for the instant that this coroutine takes next."""
    await asyncio.get_running_loop().run_in_executor(_lookers.pool(), _look)
    _looked.set(True)


def are_looks_wanted() -> bool:
    """Tells whether there are stores with a look."""
    return bool(_looks)


def _look() -> None:
    for ref in _looks:
        look = ref()
        if look is not None:
            look()


_looked: ContextVar[bool] = ContextVar("concordant_looked", default=False)
_lookers = Workers(2, "concordant-look")
"""A pool of their own: whoever fills the loop's with what waits for a task would keep that task from beginning."""
_looks: tuple[WeakMethod[Callable[[], None]], ...] = ()
_lock = free_in_child(threading.Lock())


def look_before(look: Callable[[], None]) -> None:
    """Has a bound method called before each instant, for as long as its object lives."""
    global _looks
    with _lock:
        kept = [ref for ref in _looks if ref() not in (None, look)]
        _looks = (WeakMethod(look), *kept[: MOST_LOOKS - 1])


def is_looking(look: Callable[[], None]) -> bool:
    """Tells whether a method is called before each instant."""
    return any(ref() == look for ref in _looks)


def look_no_more(look: Callable[[], None]) -> None:
    """Ends ``look_before``."""
    global _looks
    with _lock:
        _looks = tuple(ref for ref in _looks if ref() not in (None, look))


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
        """Takes note that a commit can be seen now, and is no part of what was there at any instant so far; the one of
        the time ``before`` is. To be called before the commit returns, if ``tick`` is not that of the latest
        instant."""
        self.tick = latest
        self._ticks.append(self.tick)
        self._before.append(before)
        if len(self._ticks) >= 2 * MOST:
            self._forgotten = self._ticks[MOST - 1]
            del self._ticks[:MOST], self._before[:MOST]

    def at(self, tick: int, last: float) -> float:
        """Returns the time of the last commit that was there at an instant; ``last`` is that of the last one there
        is."""
        if tick > self.tick:
            return last  # nothing was committed since
        if tick <= self._forgotten:
            return 0.0
        place = bisect_left(self._ticks, tick)
        return self._before[place] if place < len(self._ticks) else last


class SharedCourse:
    """The course of a store in a database, as far as this process knows it: by its own commits, and by what it reads.

    Commits of a clock become visible in the order of their numbers, so to know one is to know that all before it are
    there.

    Args:
        heads: of each of the store's clocks, number and time of the last commit known.

    Attributes:
        numbers: of each clock, the number of the last commit known.
        highest: the highest of them.
    """

    __slots__ = ("__weakref__", "_courses", "_expected", "_lock", "_own", "_times", "highest", "numbers")

    def __init__(self, heads: Sequence[tuple[int, float]]) -> None:
        self.numbers = [n for n, _ in heads]
        self.highest = max(self.numbers)
        self._times = [time for _, time in heads]
        self._courses = [Course() for _ in heads]
        for course in self._courses:
            course.step(0.0)  # of the instants so far nothing is known
        self._own: dict[int, None] = {}
        self._lock = free_in_child(threading.Lock())
        self.begin()
        call_in_child(self.begin)

    def begin(self) -> None:
        """Begins with no commit under way."""
        self._expected: list[tuple[int, int]] = []

    def reach(self, n: int, time: float) -> None:
        """Takes note that a clock has come to a commit, of a time."""
        clock = n % len(self.numbers)
        if n <= self.numbers[clock]:
            return
        with self._lock:
            if n > self.numbers[clock]:
                course = self._courses[clock]
                if latest != course.tick:
                    course.step(self._times[clock])
                self.numbers[clock], self._times[clock] = n, time
                self.highest = max(self.highest, n)

    def at(self, tick: int) -> float | tuple[float, ...]:
        """Tells of each clock the time of the last commit that is known to have been there at an instant; so were all
        before it."""
        with self._lock:
            times = [course.at(tick, last) for course, last in zip(self._courses, self._times, strict=True)]
        return times[0] if len(times) == 1 else tuple(times)

    def making(self, own: Iterable[int]) -> None:
        """Commits of this process are about to be made."""
        with self._lock:
            self._own.update(dict.fromkeys(own))
            while len(self._own) > OWN:
                self._own.pop(next(iter(self._own)), None)

    def unmade(self, own: Iterable[int]) -> None:
        """Takes note that they were not made, and their numbers go to others."""
        for n in own:
            self._own.pop(n, None)

    @contextmanager
    def expecting(self, clock: int) -> Iterator[None]:
        """Takes note that a commit of this process is about to be made under a clock, and the store gives it its
        number. Until that is known, whatever may be it counts as this process's own: on the side of "not seen"."""
        expected = (clock, self.numbers[clock])
        with self._lock:
            self._expected.append(expected)
        try:
            yield
        finally:
            with self._lock:
                self._expected.remove(expected)

    def is_own(self, n: int) -> bool:
        """Tells whether this process made a commit, lately."""
        if n in self._own or not self._expected:
            return n in self._own
        clock = n % len(self.numbers)
        with self._lock:
            return any(clock == one and n > known for one, known in self._expected)


_MOST_STORES = 256
_known: OrderedDict[tuple[str, str], SharedCourse] = OrderedDict()
_known_lock = free_in_child(threading.Lock())


def course_of(identity: str, replica: str, heads: Sequence[tuple[int, float]]) -> SharedCourse:
    """Returns the course of a database's store, the same for all in this process that open it, at once or one after the
    other.

    Args:
        identity: which database it is.
        replica: the store's name.
        heads: of each of its clocks, number and time of the last commit. If more are known, another store has taken the
            place of the one that was.
    """
    with _known_lock:
        found = _known.get((identity, replica))
        if (
            found is None
            or len(found.numbers) != len(heads)
            or any(known > n for known, (n, _) in zip(found.numbers, heads, strict=True))
        ):
            found = _known[identity, replica] = SharedCourse(heads)
            while len(_known) > _MOST_STORES:
                _known.popitem(last=False)
        _known.move_to_end((identity, replica))
    for head in heads:
        found.reach(*head)
    return found


_MARGIN = 0.001
_DRIFT = 0.0002
"""By how many seconds a second the two may come apart."""
_STEPS = 8
"""How many steps of the database's clock are told apart; the oldest beyond that count as one."""


class SharedClock:
    """The difference of the two clocks, within bounds.

    Each sample narrows the bounds, time widens them. A sample beyond them tells of a step of the database's clock: for
    times before it both differences are possible.
    """

    def __init__(self) -> None:
        self._low = self._high = self._at = 0.0
        self._measured = False
        self._steps: tuple[tuple[float, float], ...] = ()  # (until, low) of what was before a step
        self._lock = free_in_child(threading.Lock())

    def sample(self, before: float, there: float, after: float) -> None:
        """Learns that the database's clock showed ``there`` at some instant between two of our times."""
        low, high = there - after, there - before
        with self._lock:
            if self._measured:
                drift = _DRIFT * max(after - self._at, 0.0)
                narrow = max(low, self._low - drift), min(high, self._high + drift)
                if narrow[0] <= narrow[1]:
                    low, high = narrow
                else:
                    self._steps = _remembered((*self._steps, (after, self._low - drift)))
            self._low, self._high, self._at, self._measured = low, high, after, True

    def shared(self, at: float) -> float:
        """Tells about what the database's clock shows at one of our times."""
        return at + (self._low + self._high) / 2

    def surely(self, at: float, now: float) -> float:
        """Tells what it showed at one of our times, or less: by the error of the difference, drift till ``now``
        included."""
        low = self._low - _DRIFT * max(now - self._at, self._at - at, 0.0)
        past = (before - _DRIFT * (until - at) for until, before in self._steps if at <= until)
        return at + min((low, *past)) - _MARGIN


def _remembered(steps: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
    """The steps, of too many the two oldest as one: with the later end and the lower difference of both."""
    if len(steps) <= _STEPS:
        return steps
    (_, one), (until, other), *rest = steps
    return ((until, min(one, other)), *rest)
