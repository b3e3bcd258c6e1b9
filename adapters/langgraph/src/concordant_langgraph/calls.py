"""Which calls of `@task`s came after which: a call is after those whose results its caller had taken by then."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from contextvars import ContextVar
from typing import NamedTuple

from concordant.spi import free_in_child

__all__ = ["Calls", "TaskCall", "call", "is_among"]


class TaskCall(NamedTuple):
    """One call of a `@task`."""

    caller: str
    """The `checkpoint_ns` of the task that makes it."""
    number: int
    """Its place among the calls of the caller's attempt."""
    after: str
    """The numbers of the calls whose results had been taken, as `is_among` reads them."""


class Calls:
    """The calls of `@task`s that one attempt of a task makes."""

    __slots__ = ("_made", "_taken")

    def __init__(self) -> None:
        self._made = 0
        self._taken: set[int] = set()

    def make(self, caller: str) -> TaskCall:
        """Returns another call."""
        with _lock:
            number, self._made = self._made, self._made + 1
            return TaskCall(caller, number, _ranges(self._taken))

    def take(self, number: int) -> None:
        """Takes note that the result of a call is in its caller's hands."""
        with _lock:
            self._taken.add(number)


call: ContextVar[TaskCall | None] = ContextVar("concordant_langgraph_call", default=None)
"""The call under way; what it begins inherits it."""

_lock = free_in_child(threading.Lock())


def _ranges(numbers: Iterable[int]) -> str:
    """Numbers as text: `0-3_5-5`."""
    found: list[list[int]] = []
    for number in sorted(numbers):
        if found and found[-1][1] == number - 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return "_".join(f"{first}-{last}" for first, last in found)


def is_among(number: int, ranges: str) -> bool:
    """Tells whether a number is among those that `_ranges` wrote."""
    pairs = (part.split("-") for part in ranges.split("_") if part)
    return any(int(first) <= number <= int(last) for first, last in pairs)
