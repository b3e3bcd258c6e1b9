"""How far a store has come: of each of its clocks the number of the last commit.

A store has one clock or several, fixed when it is made, and a document lives under one of them for ever. Commits under
one clock are strictly one after the other; those under different clocks run side by side. A commit's number tells its
clock: the clock ``c`` of ``k`` gives numbers that leave the remainder ``c`` when they are divided by ``k``, so numbers
are unique in the store. Each is higher than whatever its maker knew of (Lamport, "Time, Clocks, and the Ordering of
Events in a Distributed System", 1978), so an effect has a higher number than its cause. But a lower number of another
clock may be committed later; so what was there at some time is told by one number for each clock, a consistent cut.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeAlias, TypeVar

from concordant.merge.causality import VersionVector, source_of

__all__ = [
    "MOST_CLOCKS",
    "Address",
    "Cut",
    "KnownOfDocuments",
    "as_vector",
    "clock_names",
    "clock_of",
    "cut_of",
    "following",
    "highest",
    "is_cut",
    "is_within",
    "joined",
    "least",
    "numbers_of",
    "part",
]

Cut: TypeAlias = "int | tuple[int, ...]"
"""The number of the last commit; of a store with several clocks one for each."""

N = TypeVar("N", int, float)

Address: TypeAlias = tuple[tuple[str, ...], str]
"""Where a document is: namespace and key."""


@lru_cache(maxsize=8_192)
def clock_of(address: Address, clocks: int) -> int:
    """Gives the clock, of so many, under which a document lives; a commit of several asks for each five times."""
    if clocks == 1:
        return 0
    namespace, key = address
    sum_ = zlib.crc32("\0".join((*namespace, "", key)).encode("utf-8", "surrogatepass"))
    return (sum_ * 0x9E3779B1 & 0xFFFFFFFF) * clocks >> 32  # Fibonacci hashing: sums of like names are alike


def following(n: int, clock: int, clocks: int) -> int:
    """Gives the lowest number of a clock that is higher than ``n``."""
    return n + 1 + (clock - n - 1) % clocks


def cut_of(numbers: Sequence[int]) -> Cut:
    """Gives the cut with these numbers, one for each clock."""
    return numbers[0] if len(numbers) == 1 else tuple(numbers)


def numbers_of(cut: Cut) -> tuple[int, ...]:
    """Gives the numbers of a cut, one for each clock."""
    return cut if isinstance(cut, tuple) else (cut,)


def part(cut: N | tuple[N, ...], n: int) -> N:
    """Gives what a cut (or a list of times) says of the clock that gave the number ``n``."""
    return cut[n % len(cut)] if isinstance(cut, tuple) else cut


def highest(cut: Cut) -> int:
    """Gives the highest number in a cut."""
    return max(cut) if isinstance(cut, tuple) else cut


def joined(one: Cut, other: Cut) -> Cut:
    """Gives the cut that has all that either has."""
    if isinstance(one, tuple) and isinstance(other, tuple):
        return tuple(map(max, one, other))
    return max(numbers_of(one) + numbers_of(other))


def least(one: float | tuple[float, ...], other: float | tuple[float, ...]) -> float | tuple[float, ...]:
    """Gives the lower of two times, clock by clock."""
    if isinstance(one, tuple):
        return tuple(min(time, part(other, clock)) for clock, time in enumerate(one))
    return tuple(min(one, time) for time in other) if isinstance(other, tuple) else min(one, other)


def is_within(one: Cut, other: Cut) -> bool:
    """Tells whether another cut has all that this one has."""
    return all(n <= upto for n, upto in zip(numbers_of(one), numbers_of(other), strict=True))


# -- among other stores: a clock is a replica of its own, in what stores tell of themselves ---------------------------

_NAME = re.compile(r"(.*)#\d+/(\d+)", re.DOTALL)

MOST_CLOCKS = 1024
"""How many clocks a store may have."""


def clock_names(replica: str, clocks: int) -> tuple[str, ...]:
    """Gives the names that the clocks of a store have in version vectors of stores: its own, if there is one."""
    return tuple(_name(replica, clock, clocks) for clock in range(clocks))


def _name(replica: str, clock: int, clocks: int) -> str:
    return replica if clocks == 1 else f"{replica}#{clock}/{clocks}"


def as_vector(replica: str, cut: Cut) -> VersionVector:
    """Gives the version vector of who knows a store up to a cut."""
    numbers = numbers_of(cut)
    return dict(zip(clock_names(replica, len(numbers)), numbers, strict=True))


class KnownOfDocuments:
    """What a version vector of a store says of one document, in whose record a store has one name.

    Args:
        vector: of a store.
    """

    def __init__(self, vector: Mapping[str, int]) -> None:
        self._vector = vector
        self._clocks: dict[str, int] = {}
        for name in vector:
            found = _NAME.fullmatch(name)
            if found is not None and found[1] not in vector and len(found[2]) < 5:
                self._clocks[found[1]] = min(max(int(found[2]), 1), MOST_CLOCKS)

    def upto(self, replica: str, address: Address) -> int:
        """Gives the number of a store's commit up to which all of a document is known; 0 if nothing is."""
        replica = source_of(replica)
        clocks = self._clocks.get(replica, 1)
        return self._vector.get(_name(replica, clock_of(address, clocks), clocks), 0)

    def names(self, replica: str) -> tuple[str, ...]:
        """Gives the names under which the vector knows a store."""
        return clock_names(replica, self._clocks.get(replica, 1))


def is_cut(given: Any, clocks: int) -> bool:
    """Tells whether something is a cut of a store with so many clocks; a list counts as a tuple, for JSON."""
    numbers: Iterable[Any] = given if isinstance(given, (tuple, list)) and clocks > 1 else (given,)
    found = [*numbers]
    return len(found) == clocks and all(isinstance(n, int) and not isinstance(n, bool) for n in found)
