"""Registers of many entries: what a write did to one, and what a writer has seen of it, without a look at each."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

from concordant.errors import ConcordantError
from concordant.merge.causality import Entry, Register, Seen, SeenBy

__all__ = ["MANY", "Crowd", "Exchanged", "exchange", "first_difference", "without_places"]

MANY = 16
"""From how many entries on a register is looked at by what is known of it."""


@dataclass(frozen=True, slots=True)
class Exchanged:
    """The earlier content of a register, by its difference to the later: some entries that stood side by side went,
    and perhaps one came at the end.

    Attributes:
        head: how many entries before those that went are the same.
        gone: those that went.
        came: how many came: one or none.
    """

    head: int
    gone: Register
    came: int

    def earlier(self, later: object) -> Register:
        """Returns the earlier content.

        Raises:
            ConcordantError: ``later`` is not what came of it.
        """
        if not isinstance(later, tuple) or len(later) < self.head + self.came:
            raise ConcordantError("the journal does not fit the document: one of them is damaged")
        return (*later[: self.head], *self.gone, *later[self.head : len(later) - self.came])

    def later(self, earlier: object, came: object) -> Register:
        """Returns the later content.

        Args:
            came: the entries that came.

        Raises:
            ConcordantError: ``earlier`` is not what it was made of.
        """
        past = self.head + len(self.gone)
        if not isinstance(earlier, tuple) or earlier[self.head : past] != self.gone:
            raise ConcordantError("the journal does not fit the document: one of them is damaged")
        return (*earlier[: self.head], *earlier[past:], *(came if isinstance(came, tuple) else ()))


def exchange(before: Register, after: Register) -> Exchanged | None:
    """Tells how ``before`` differs from ``after``; ``None`` if that takes more to tell. Equal entries are taken for the
    same; mostly they are the very same objects, which tuples compare fast."""
    came = int(bool(after) and (not before or after[-1] is not before[-1]))
    kept = after[:-1] if came else after
    gone = len(before) - len(kept)
    if gone < 0:
        return None
    if gone == 0:
        return Exchanged(len(before), (), came) if kept == before else None
    head = first_difference(before, kept)
    if before[head + gone :] != kept[head:]:
        return None
    return Exchanged(head, before[head : head + gone], came)


def first_difference(one: Register, other: Register) -> int:
    """Tells where two registers begin to differ."""
    same, upto = 0, min(len(one), len(other))
    while same < upto:
        middle = (same + upto + 1) // 2
        if one[same:middle] == other[same:middle]:
            same = middle
        else:
            upto = middle - 1
    return same


def without_places(register: Register, places: Iterable[int]) -> Register:
    """Returns a register without the entries at some places, which are given in order."""
    kept: list[Entry] = []
    start = 0
    for place in places:
        kept += register[start:place]
        start = place + 1
    return (*kept, *register[start:]) if start else register


class Crowd:
    """What is known of a register whose entries were all written at one replica, in the order of its commits.

    Of another register no more is known than that it is not of this sort.
    """

    __slots__ = ("_numbers", "_origins", "_replica", "register")

    def __init__(self, register: Register) -> None:
        self.register = register
        self._numbers = [entry.stamp.n for entry in register]
        self._origins: dict[str, list[int]] = {}
        replicas = {entry.stamp.replica for entry in register}
        in_order = all(map(int.__le__, self._numbers, self._numbers[1:]))
        self._replica = replicas.pop() if len(replicas) == 1 and in_order else None
        for entry in register:
            self._origins.setdefault(entry.stamp.origin, []).append(entry.stamp.n)

    def follows(self, after: Register) -> bool:
        """Goes on with what came of the register by a write; tells whether it can."""
        before, self.register = self.register, after
        if self._replica is None:
            return True
        moved = exchange(before, after)
        if moved is None:
            return False
        for entry in moved.gone:
            self._origins[entry.stamp.origin].remove(entry.stamp.n)
        del self._numbers[moved.head : moved.head + len(moved.gone)]
        if moved.came:
            stamp = after[-1].stamp
            if stamp.replica != self._replica or (self._numbers and stamp.n < self._numbers[-1]):
                return False
            self._numbers.append(stamp.n)
            self._origins.setdefault(stamp.origin, []).append(stamp.n)
        return True

    def seen_by(self, seen: SeenBy) -> list[int] | None:
        """Returns the places of the entries that a writer has seen, in order; ``None`` if that takes a look at each."""
        if not isinstance(seen, Seen) or seen.origin is None or seen.replica != self._replica:
            return None
        places = list(range(bisect_right(self._numbers, seen.upto)))
        known = len(places)
        for n in dict.fromkeys(self._origins.get(seen.origin, ())):
            place = max(bisect_left(self._numbers, n), known)
            while place < len(self._numbers) and self._numbers[place] == n:
                if self.register[place].stamp.origin == seen.origin:
                    places.append(place)
                place += 1
        return places
