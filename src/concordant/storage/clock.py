"""A clock that all processes of a store share: that of the database, as this process's monotonic clock tells it."""

from __future__ import annotations

import threading

from concordant.storage.forking import free_in_child

__all__ = ["SharedClock"]

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
        """About what the database's clock shows at one of our times."""
        return at + (self._low + self._high) / 2

    def surely(self, at: float, now: float) -> float:
        """What it showed at one of our times, or less: by the error of the difference, drift till ``now`` included."""
        low = self._low - _DRIFT * max(now - self._at, self._at - at, 0.0)
        past = (before - _DRIFT * (until - at) for until, before in self._steps if at <= until)
        return at + min((low, *past)) - _MARGIN


def _remembered(steps: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
    """The steps, of too many the two oldest as one: with the later end and the lower difference of both."""
    if len(steps) <= _STEPS:
        return steps
    (_, one), (until, other), *rest = steps
    return ((until, min(one, other)), *rest)
