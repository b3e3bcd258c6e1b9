"""How far other stores have come: what was removed is forgotten once nobody can refer to it.

A store *has settled* what whoever writes in it from now on has seen: what it knew a day ago. It tells that in each
frame, and what it was told by the others that it has heard of, directly or by way of others: so all know of all (a
matrix clock: Wuu and Bernstein, "Efficient Solutions to the Replicated Log and Dictionary Problems", 1984). Who has all
that a frame tells knows every write of these stores that was made by somebody who had not seen what they have settled.
What all have settled nobody is going to refer to.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from copy import copy
from datetime import timedelta
from typing import NamedTuple, TypeAlias

from concordant.errors import StorageError, told as told_of
from concordant.merge.causality import Stamp, VersionVector
from concordant.merge.record import Record
from concordant.merge.record.record import Arrival
from concordant.storage import Address, Knowledge, Storage
from concordant.storage.cut import Cut, KnownOfDocuments, part

__all__ = [
    "DELETED_KEPT",
    "REMOVED_KEPT",
    "Frontier",
    "Heard",
    "Told",
    "bounded",
    "hear",
    "hear_of_own",
    "heard",
    "told",
]

DELETED_KEPT = timedelta(days=90)
"""For how long others are waited for, who may be gone for good."""
REMOVED_KEPT = timedelta(days=1)
"""For how long somebody may go on from what was read."""

MOST_ARRIVALS = 512
"""From how many on of the times at which writes of one store came to a document not all are remembered."""
_APART = 32
"""How finely then."""

_OWN = "settled"
_PEER = "heard:"
_STEPS = 16
"""How finely it is remembered what was known when."""


Told: TypeAlias = "Mapping[str, tuple[float, VersionVector]]"
"""By the names of stores when each told something, by its own clock, and what it had settled."""


class Heard(NamedTuple):
    """What a store told last.

    Attributes:
        at: when that became known, by the clock here.
        told: when it told that, by its own.
        settled: what it had settled.
    """

    at: float
    told: float
    settled: VersionVector


def heard(notes: Mapping[str, str]) -> dict[str, Heard]:
    """Tells what other stores have told, by their names, as a store has noted it."""
    return {name[len(_PEER) :]: _heard(name, text) for name, text in notes.items() if name and name.startswith(_PEER)}


def _heard(name: str, text: str) -> Heard:
    try:
        at, told, settled = json.loads(text)
        return Heard(float(at), float(told), dict(settled))
    except (ValueError, TypeError) as error:
        raise _rotten(name, text) from error


def _rotten(name: str, text: str) -> StorageError:
    return StorageError("the store", f"its note {name!r} is rotten ({told_of(text, 80)})", "Restore it from a back-up")


def hear(storage: Storage, replica: str, told: Told) -> None:
    """Notes what a frame has told.

    Args:
        replica: whose it is; it is waited for from now on, whatever it has told.
    """
    known, now = heard(storage.notes()), storage.now()[1]
    before = known.get(replica, Heard(now, 0.0, {}))
    news = {replica: (before.told, before.settled)} | {
        name: told for name, told in told.items() if name not in known or known[name].told < told[0]
    }
    news.pop(storage.replica, None)
    storage.note({_PEER + name: json.dumps(Heard(now, time, settled)) for name, (time, settled) in news.items()})


def hear_of_own(storage: Storage, vector: VersionVector) -> None:
    """Notes what is known here now."""
    now, age = storage.now()[1], REMOVED_KEPT.total_seconds()
    steps = _history(storage.notes())
    if len(steps) > 1 and now - steps[-2][0] < age / _STEPS:
        steps.pop()
    steps.append((now, vector))
    old = [step for step in steps if step[0] <= now - age]
    storage.note({_OWN: json.dumps([*old[-1:], *steps[len(old) :]])})


def told(storage: Storage) -> Told:
    """Tells what this store tells: what it has settled, and what others have."""
    now, notes = storage.now()[1], storage.notes()
    old = [vector for time, vector in _history(notes) if time <= now - REMOVED_KEPT.total_seconds()]
    own = (now, old[-1] if old else {})
    return {**{name: (one.told, one.settled) for name, one in heard(notes).items()}, storage.replica: own}


def _history(notes: Mapping[str, str]) -> list[tuple[float, VersionVector]]:
    text = notes.get(_OWN, "[]")
    try:
        return [(float(time), dict(vector)) for time, vector in json.loads(text)]
    except (ValueError, TypeError) as error:
        raise _rotten(_OWN, text) from error


class Frontier:
    """Who may still refer to what was removed.

    Args:
        storage: whose.
        knowledge: what it knows.
        now: the time.
        removed: for how long somebody here may go on from what was read.
        deleted: for how long others are waited for.
    """

    def __init__(
        self, storage: Storage, knowledge: Knowledge, now: float, removed: timedelta, deleted: timedelta
    ) -> None:
        self._knowledge = knowledge
        self._before = now - removed.total_seconds()
        self._since = now - deleted.total_seconds()
        self._peers = [
            (name, KnownOfDocuments(one.settled))
            for name, one in sorted(heard(storage.notes()).items())
            if one.at >= self._since
        ]

    @property
    def exported(self) -> Cut:
        """Tells up to where other stores may know of commits here."""
        return self._knowledge.exported

    def is_known_elsewhere(self, stamp: Stamp) -> bool:
        """Tells whether another store may know of a write."""
        knowledge = self._knowledge
        return stamp.replica != knowledge.replica or stamp.n <= part(knowledge.exported, stamp.n)

    def with_knowledge(self, knowledge: Knowledge) -> Frontier:
        """Returns the same, where the store knows more, or has given more away."""
        twin = copy(self)
        twin._knowledge = knowledge
        return twin

    def of(self, address: Address, record: Record) -> Waiting:
        """Gives who is waited for in one document."""
        return Waiting(self, address, record)


class Waiting:
    """Who may still refer to what was removed from one document.

    Args:
        frontier: of the store.
        address: the document.
        record: its record.
    """

    def __init__(self, frontier: Frontier, address: Address, record: Record) -> None:
        self._frontier = frontier
        self._address = address
        self._record = record
        self._known: dict[Stamp, str | None] = {}
        self._all: bool | None = None

    def goes(self, put: Stamp, struck: Stamp) -> bool:
        """Tells whether nobody can refer to what one write has put and another has struck."""
        return self.whom((put, struck)) is None

    def dropped(self, put: Stamp) -> bool:
        """Tells whether nobody can refer to what a write has put that was taken out since. Which write did is not
        known: it may be the newest."""
        if self.whom((put,)) is not None:
            return False
        return not self._frontier.is_known_elsewhere(put) or self.is_all_settled()

    def is_all_settled(self) -> bool:
        """Tells whether nobody can write any more who has not seen all that became of the document."""
        if self._all is None:
            record, address, peers = self._record, self._address, self._frontier._peers
            seen = all(known.upto(name, address) >= n for name, n in record.vector.items() for _, known in peers)
            self._all = seen and record.updated_at < (self._frontier._before if peers else self._frontier._since)
        return self._all

    def whom(self, stamps: Iterable[Stamp]) -> str | None:
        """Tells who may not have seen some writes, the first of which has put something; ``None``: all have.

        Returns:
            ``"agents"`` here, the name of a store, or ``"others"``: stores that nothing was heard of.
        """
        put, *struck = stamps
        if not self._is_old(put) or not all(map(self._is_old, struck)):
            return "agents"
        if not self._frontier.is_known_elsewhere(put):
            return None  # and neither are those that struck it
        return next((whom for stamp in (put, *struck) if (whom := self._behind(stamp)) is not None), None)

    def _is_old(self, stamp: Stamp) -> bool:
        frontier = self._frontier
        _, time = self._record.position(stamp, frontier._knowledge.replica)
        return time < frontier._before

    def _behind(self, stamp: Stamp) -> str | None:
        if stamp not in self._known:
            self._known[stamp] = self._first_behind(stamp)
        return self._known[stamp]

    def _first_behind(self, stamp: Stamp) -> str | None:
        frontier = self._frontier
        if not frontier._peers:
            return "others" if stamp.time >= frontier._since else None
        behind = (name for name, known in frontier._peers if known.upto(stamp.replica, self._address) < stamp.n)
        return next(behind, None)


def bounded(arrivals: Iterable[Arrival], now: float) -> tuple[Arrival, ...]:
    """Tells when writes of others came, as far as that matters: to nobody what is longer ago than anybody may go on
    from what was read. Where it is very many, some count as having come a little later than they did."""
    before = now - REMOVED_KEPT.total_seconds()
    found: dict[str, list[Arrival]] = {}
    for arrival in arrivals:
        same = found.setdefault(arrival[2], [])
        if same and arrival[1] <= before:
            same.clear()
        same.append(arrival)
    return tuple(sorted(arrival for same in found.values() for arrival in _thinned(same, now)))


def _thinned(same: list[Arrival], now: float) -> list[Arrival]:
    """The arrivals from one store: of very many those that are apart by a part of how long ago they were."""
    if len(same) <= MOST_ARRIVALS:
        return same
    kept = same[-1:]
    for arrival in reversed(same[1:-1]):
        if kept[-1][1] - arrival[1] >= (now - arrival[1]) / _APART:
            kept.append(arrival)
    return [same[0], *reversed(kept)]
