"""Dots, stamps, entries and version vectors: who wrote what, and what had been seen.

The vocabulary is that of dotted version vectors (Almeida et al., "Scalable and Accurate Causality Tracking for
Eventually Consistent Stores", 2014). A *dot* (replica, n) names one write; ``n`` is the replica's commit number, so
along one replica it only grows. A *version vector* maps replica to the highest ``n`` known.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, TypeAlias

from concordant.values import JSON

__all__ = [
    "ASKED",
    "Agreed",
    "Dot",
    "Dots",
    "Entry",
    "Register",
    "Seen",
    "SeenBy",
    "Stamp",
    "VersionVector",
    "are_asked",
    "dot_of",
    "has_met",
    "image_name",
    "image_of",
    "images_known",
    "is_behind",
    "is_covered",
    "may_name_replica",
    "merge_vectors",
    "order_of",
    "place_name",
    "seen_everything",
    "source_of",
]

ASKED = "reopen"
"""The act of the write that asks a settled question again: what stands by it waits for a decision."""

Dot: TypeAlias = tuple[str, int]
VersionVector: TypeAlias = dict[str, int]


class Stamp(NamedTuple):
    """One write: its dot, when it was committed, who made it, where it came from and what sort of act it was."""

    time: float
    replica: str
    n: int
    agent: str
    origin: str
    act: str


class Agreed(NamedTuple):
    """The value that stood before a disagreement, with the place in the order of the write that set it."""

    time: float
    replica: str
    n: int
    value: JSON | None


class Entry(NamedTuple):
    """One live value of an observed-remove multi-value register.

    ``value`` is ``None`` for a deletion. ``base`` is what the entry replaced. ``confirms`` holds the stamps of equal
    entries it took over, the oldest of each agent, so that a confirmation adds an agent and loses none. ``covered``
    (only in the register of a container) keeps the leaves that a deletion removed, so that they can be restored.
    ``place`` orders the elements that one write added.
    """

    stamp: Stamp
    value: JSON | None
    base: Agreed | None = None
    confirms: tuple[Stamp, ...] = ()
    covered: tuple[tuple[tuple[str | None, ...], object], ...] = ()
    place: int = 0

    @property
    def stamps(self) -> tuple[Stamp, ...]:
        """All writes that stand for this value, oldest first."""
        return (*self.confirms, self.stamp)


Register: TypeAlias = tuple[Entry, ...]
SeenBy: TypeAlias = Callable[[Stamp], bool]
"""Tells whether a writer had seen the write with this stamp."""


class Seen:
    """What a writer has seen: everything of ``replica`` up to commit ``upto``, and beyond that what ``beyond`` says.

    A ``SeenBy`` whose first part can be tested without a call, which is what makes large texts cheap to edit.

    Args:
        origin: where that is known, the one origin of writes of ``replica`` of which ``beyond`` can say yes.
        floor: up to which time all writes of ``replica`` were seen too.
        others: of other replicas up to which number all writes were seen, which ``beyond`` says as well.

    Attributes:
        known: of each replica up to which number all writes were seen.
    """

    __slots__ = ("beyond", "floor", "known", "origin", "replica", "upto")

    def __init__(
        self,
        replica: str,
        upto: int,
        beyond: SeenBy,
        origin: str | None = None,
        floor: float = 0.0,
        others: VersionVector | None = None,
    ) -> None:
        self.known = {**others, replica: upto} if others else {replica: upto}
        self.replica = replica
        self.upto = upto
        self.beyond = beyond
        self.origin = origin
        self.floor = floor

    def __call__(self, stamp: Stamp) -> bool:
        known = stamp[1] == self.replica and (stamp[2] <= self.upto or stamp[0] <= self.floor)
        return known or self.beyond(stamp)

    def missing(self, stamps: Iterable[Stamp]) -> set[Stamp]:
        """Returns those of some writes that were not seen."""
        replica, beyond, origin = self.replica, self.beyond, self.origin
        stamps = self._not_numbered(stamps)
        if origin is None:
            floor = self.floor
            return {s for s in {*stamps} if (s[1] != replica or s[0] > floor) and not beyond(s)}
        doubtful = {s for s in stamps if s[1] != replica or s[4] != origin}
        return {s for s in doubtful if s[1] == replica or not beyond(s)}

    def _not_numbered(self, stamps: Iterable[Stamp]) -> list[Stamp]:
        """Those of some writes of which the numbers do not tell that they were seen."""
        known, replica, upto = self.known, self.replica, self.upto
        if len(known) == 1:
            return [s for s in stamps if s[1] != replica or s[2] > upto]
        return [s for s in stamps if s[2] > known.get(s[1], -1)]

    def among(self, register: Register) -> list[Entry]:
        """Returns the entries of a register that were seen."""
        replica, upto, beyond, origin = self.replica, self.upto, self.beyond, self.origin
        if origin is None:
            return [entry for entry in register if self(entry.stamp)]
        return [
            entry
            for entry in register
            if ((stamp := entry[0])[1] == replica and (stamp[2] <= upto or stamp[4] == origin))
            or (stamp[1] != replica and beyond(stamp))
        ]


def seen_everything(stamp: Stamp) -> bool:
    """Answers as the ``SeenBy`` of a writer who has seen all there is."""
    return True


def are_asked(entries: Iterable[Entry]) -> bool:
    """Tells whether somebody had it asked again, so that no policy decides between them."""
    return any(entry.stamp.act == ASKED for entry in entries)


def order_of(stamp: Stamp) -> tuple[float, str, int]:
    """Returns the total order of writes that every replica agrees on: (time, dot)."""
    return stamp[:3]


def dot_of(stamp: Stamp) -> Dot:
    """Returns the dot of a stamp: (replica, n)."""
    return stamp[1:3]


_AT = "\x00"


def may_name_replica(name: str) -> bool:
    """Tells whether a replica may have this name: what separates the parts of an image's name is not in it."""
    return _AT not in name


def image_of(stamp: Stamp, place: str) -> Stamp:
    """Returns the stamp of what a write is once it was converted for another model, at a place in the record.

    The conversion of a write is itself a write, which anybody can make and which is the same whoever makes it: its dot
    names the write and the place that it was converted for, and it keeps the write's author and time.
    """
    return stamp._replace(replica=image_name(stamp.replica, place))


def image_name(replica: str, place: str) -> str:
    """Returns the replica in the dots of images of one replica's writes."""
    return f"{replica}{_AT}{place}"


def place_name(path: Sequence[str | None]) -> str:
    """Returns a place in a record, as it stands in the names of images: its JSON."""
    return json.dumps(path, ensure_ascii=False, separators=(",", ":"))


class Dots:
    """Gives each entry that a write puts into one place a dot: the first has the write's own, the others are images.

    Args:
        stamp: of the write.

    Attributes:
        known: the images that were made.
    """

    def __init__(self, stamp: Stamp) -> None:
        self.known: VersionVector = {}
        self._stamp = stamp
        self._counts: dict[Sequence[str | None], int] = {}

    def under(self, path: tuple[str | None, ...], own: Stamp) -> Stamp:
        """Returns the stamp of an entry under its new dot, with its own agent and time."""
        number = self._counts[path] = self._counts.get(path, -1) + 1
        return self.numbered(path, own, number)

    def numbered(self, path: tuple[str | None, ...], own: Stamp, number: int) -> Stamp:
        """Returns the stamp of an entry under the dot with a number, of those that there are at a place and in it; the
        first is the write's own."""
        replica, n = self._stamp.replica, self._stamp.n
        if number:
            replica = image_name(replica, f"{place_name(path)}{number}")
            self.known[replica] = n
        return own._replace(replica=replica, n=n)


def source_of(replica: str) -> str:
    """Returns the replica that made a write, also where the write's image is meant."""
    return replica.partition(_AT)[0]


def has_met(vector: VersionVector) -> bool:
    """Tells whether a version vector knows writes of more than one replica."""
    return len(vector) > 1 and len({source_of(name) for name in vector}) > 1


def images_known(vector: VersionVector, former: str, place: str) -> VersionVector:
    """Tells what somebody who knows ``vector`` knows of images at a place, once all that stood at ``former`` has moved
    there: those of all writes made there, above or below, whether they still stand or not."""
    made = (name for name in vector if _AT not in name or _meet(_place_in(name), former))
    return {image_name(name, place): vector[name] for name in made}


def _place_in(name: str) -> str:
    """The place for which images of this name were made; what tells several of one place apart stands behind it."""
    told = name.rpartition(_AT)[2]
    return told[: told.rfind("]") + 1]


def _meet(one: str, other: str) -> bool:
    """Whether one of two places (JSON lists) is the other, or is in it."""
    return one == other or "[]" in (one, other) or one.startswith(f"{other[:-1]},") or other.startswith(f"{one[:-1]},")


def is_behind(vector: VersionVector, other: VersionVector) -> bool:
    """Tells whether another knows all that one does: then what it made of that is what both make of it."""
    return all(n <= other.get(name, 0) for name, n in vector.items())


def is_covered(stamp: Stamp, vector: VersionVector) -> bool:
    """Tells whether the version vector knows the write."""
    return stamp.n <= vector.get(stamp.replica, 0)


def merge_vectors(vectors: Iterable[VersionVector]) -> VersionVector:
    """Returns the least version vector that knows all that these know."""
    merged: VersionVector = {}
    for vector in vectors:
        for replica, n in vector.items():
            if n > merged.get(replica, 0):
                merged[replica] = n
    return merged
