"""A clock that all processes of a store share: that of the database, as far as its difference to ours is known."""

from __future__ import annotations

__all__ = ["SharedClock"]

_MARGIN = 0.001
_JUMP = 0.05


class SharedClock:
    """The difference of two clocks, measured.

    It stays as it is once measured, so that times of this process compare exactly with each other; only a jump of
    either clock changes it.
    """

    def __init__(self) -> None:
        self._offset = 0.0
        self._error: float | None = None

    @property
    def error(self) -> float:
        """By how many seconds the shared times of two processes may differ at most."""
        return 2 * (self._error or 0.0) + _MARGIN

    def shared(self, local: float) -> float:
        """The shared time of a time of this process."""
        return local + self._offset

    def sample(self, before: float, there: float, after: float) -> None:
        """Learns that the other clock showed ``there`` at some instant between two of our times."""
        error = (after - before) / 2
        offset = there - before - error
        if self._error is None or error < self._error or abs(offset - self._offset) > self._error + error + _JUMP:
            self._offset, self._error = offset, error

    def watch(self, before: float, there: float, after: float) -> None:
        """The same for an instant that is not measured with care: only a jump counts."""
        error = (after - before) / 2
        if abs(there - before - error - self._offset) > (self._error or 0.0) + error + _JUMP:
            self._offset, self._error = there - before - error, error
