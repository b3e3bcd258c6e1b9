"""Entries weighed against each other: which are of equal value, and which options that makes."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from concordant.merge.causality import ASKED, Agreed, Entry, Register, Stamp, order_of
from concordant.merge.registers import agreed
from concordant.merge.registers.crowds import exchange
from concordant.values import JSON, Canon, canonical

__all__ = ["Group", "Option", "Weighed", "digest_of"]


class Option:
    """One of several incompatible values: its JSON (``None``: a deletion), the writes that stand for it, and by whom.

    ``shown`` is for the layer that tells people of it, to keep what it makes of this.
    """

    __slots__ = ("agents", "shown", "stamps", "value")

    def __init__(self, value: JSON | None, stamps: tuple[Stamp, ...], agents: tuple[str, ...] | None = None) -> None:
        self.value = value
        self.stamps = stamps
        self.agents = agents if agents is not None else tuple(dict.fromkeys([stamp.agent for stamp in stamps]))
        self.shown: Any = None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Option):
            return NotImplemented
        return self is other or (self.value, self.stamps) == (other.value, other.stamps)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Option({self.value!r}, {self.stamps!r})"


def digest_of(value: bytes | None) -> int:
    """Tells what one value adds to the digest of a set of values; ``None`` stands for a deletion."""
    return int.from_bytes(sha256(b"\x00" if value is None else value).digest()[:16])


class Group(list[Entry]):
    """Entries of equal value, the oldest first, with their writes and agents."""

    __slots__ = ("agents", "number", "option", "stamps")

    def __init__(self, number: int) -> None:
        self.number = number
        self.stamps: list[Stamp] = []
        self.agents: dict[str, None] = {}
        self.option: Option | None = None

    def add(self, entry: Entry) -> None:
        """Takes one more entry, younger than the others."""
        self.append(entry)
        self.option = None
        if entry.confirms or (self.stamps and entry.stamp <= self.stamps[-1]):
            self.stamps = sorted({*self.stamps, *entry.stamps}, key=order_of)
            self.agents = dict.fromkeys(stamp.agent for stamp in self.stamps)
        else:
            self.stamps.append(entry.stamp)
            self.agents[entry.stamp.agent] = None

    def as_option(self) -> Option:
        """Returns the group as a contender."""
        if self.option is None:
            self.option = Option(self[0].value, tuple(self.stamps), tuple(self.agents))
        return self.option


class Weighed:
    """A register's entries by equal value: groups and entries in (time, dot) order of their oldest writes.

    Attributes:
        base: the newest of the values that the entries carry from before they disagreed.
        digest: tells one set of values from another.
        winner: what the policy asked last has found (by whom it was asked).
        asked: of how many entries somebody had it asked again what stands.
    """

    __slots__ = (
        "_canon", "_carried", "_group", "_last", "_options", "_register", "_stale", "_standing", "asked", "base",
        "digest", "groups", "winner",
    )  # fmt: skip

    def __init__(self, register: Register, canon: Canon = canonical) -> None:
        self._canon = canon
        self._last: tuple[Any, ...] = ()
        self._register = register
        self._carried: dict[Agreed, int] = {}
        self.base: Agreed | None = agreed(register)
        self.digest = 0
        self.groups: dict[bytes | None, Group] = {}
        self.winner: Any = None
        self.asked = 0
        self._options: list[Option] | None = None
        self._stale: list[Group] = []
        self._standing: list[Group] | None = None
        for entry in sorted(register, key=_oldest):
            self._add(entry)

    def grown(self, register: Register) -> bool:
        """Takes the register that came of the one before by a write: one entry more, younger than all in it, and
        perhaps one less; tells whether it is that."""
        old = self._register
        if register is old:
            return True
        if not old or not register or _oldest(register[-1]) < self._last:
            return False
        moved, entry = exchange(old, register), register[-1]
        if moved is None or not moved.came or len(moved.gone) > 1 or not all(map(self._drop, moved.gone)):
            return False
        self._register = register
        self._add(entry)
        if entry.base is not None and (self.base is None or entry.base[:3] > self.base[:3]):
            self.base = entry.base
        if self.winner is not None:
            self.winner[2].append(self._group)
        return True

    def _drop(self, entry: Entry) -> bool:
        """Takes an entry out that is alone with its value, and the base of which others carry too; tells whether it
        is that."""
        key = _key(entry, self._canon)
        alone = len(self.groups[key]) == 1
        if not alone or (entry.base is not None and not self._is_carried(entry.base)):
            return False
        del self.groups[key]
        self.asked -= entry.stamp.act == ASKED
        self._options = self._standing = None
        self._stale.clear()
        self.digest -= digest_of(key)
        self.winner = None
        return True

    def _is_carried(self, base: Agreed) -> bool:
        """Whether all entries carry one base, one of them this one, and there is another that does."""
        carried = self._carried
        if len(carried) != 1 or carried.get(base, 0) < 2:
            return False
        carried[base] -= 1
        return True

    def _add(self, entry: Entry) -> None:
        self._last = _oldest(entry)
        key = _key(entry, self._canon)
        group = self.groups.get(key)
        if group is None:
            group = self.groups[key] = Group(len(self.groups))
            if self._standing is not None and key is not None:
                self._standing.append(group)
            self.digest += digest_of(key)
        group.add(entry)
        self._stale.append(group)
        self.asked += entry.stamp.act == ASKED
        self._group = group
        if entry.base is not None:
            self._carried[entry.base] = self._carried.get(entry.base, 0) + 1

    def standing(self) -> list[Group]:
        """Returns the groups that are values, not deletions; whoever keeps it has to copy it."""
        if self._standing is None:
            self._standing = [group for key, group in self.groups.items() if key is not None]
        return self._standing

    def options(self) -> tuple[Option, ...]:
        """Returns the groups as contenders."""
        if self._options is None:
            self._options = []
            for number, group in enumerate(self.groups.values()):
                group.number = number
                self._options.append(group.as_option())
        for group in self._stale:
            self._options[group.number : group.number + 1] = (group.as_option(),)
        self._stale.clear()
        return tuple(self._options)


def _key(entry: Entry, canon: Canon) -> bytes | None:
    """What equal entries have in common."""
    return None if entry.value is None else canon(entry.value)


def _oldest(entry: Entry) -> tuple[Any, ...]:
    return entry.confirms[0][:3] if entry.confirms else entry.stamp[:3]
