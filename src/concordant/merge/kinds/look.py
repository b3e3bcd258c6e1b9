"""Readings of a tree: what they find contested, and what they keep, so that after a change only that is read anew."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass, field as dataclass_field
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from concordant.merge.causality import ASKED, Agreed, Entry, Register, SeenBy, Stamp, order_of
from concordant.merge.registers import LeafChange, Path, agreed
from concordant.merge.registers.crowds import exchange
from concordant.merge.registers.leaf import is_sequence
from concordant.values import ABSENT, JSON, Canon, canonical

if TYPE_CHECKING:
    from concordant.merge.kinds.base import Field

__all__ = ["Contest", "Group", "Known", "Look", "Memory", "Option", "Weighed", "digest_of", "gathered", "read_parts"]

P = TypeVar("P")


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


class Contest(NamedTuple):
    """Incompatible live values at one path, as the state shows them; an escalation is a contest with a life.

    ``path`` is the public path, ``place`` the one in the tree. ``reason`` is one of ``concordant.escalation.Reason``:
    those who tell people of it have words for these alone. ``anchor`` is the dot that the contenders carry.
    ``digest`` tells one set of values from another; ``None``: it is to be made of the options. ``asked``: somebody had
    it asked again, so that only a decision or a later write settles it.
    """

    path: tuple[str, ...]
    place: Path
    reason: str
    anchor: str
    base: JSON | object | None
    options: tuple[Option, ...]
    field: Field | None
    digest: int | None = None
    asked: bool = False


def digest_of(value: bytes | None) -> int:
    """What one value adds to the digest of a set of values; ``None`` stands for a deletion."""
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
        """The group as a contender."""
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
        """The groups that are values, not deletions; whoever keeps it has to copy it."""
        if self._standing is None:
            self._standing = [group for key, group in self.groups.items() if key is not None]
        return self._standing

    def options(self) -> tuple[Option, ...]:
        """The groups as contenders."""
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


class Known:
    """What was read of one place.

    Attributes:
        value: the merged value; nobody may change it, and it stays as it is when the place changes.
        below: what was read of the places in it.
        changed: the keys in it at which something has changed since; ``None``: it is to be read as a whole.
        gone: those of them that were gone for a while, and so may stand at another place in the order.
        parts, order: what the kind keeps, to read what has changed alone.
        doubt: what is known of a deletion of it, while it may be asked about.
    """

    __slots__ = ("below", "changed", "doubt", "gone", "order", "parts", "value")

    def __init__(self) -> None:
        self.value: Any = ABSENT
        self.below: dict[str | None, Known] = {}
        self.changed: set[str | None] | None = None
        self.gone: set[str | None] = set()
        self.parts: Any = None
        self.order: Any = None
        self.doubt: Any = None


class Memory:
    """What was read of a tree, kept until it changes.

    Attributes:
        way: how it was read.
        since: the number of the last commit before.
        known: what was read of its root.
        contests: what is contested, by place.
        settled: what policies settled, by place.
        news: the places at which contests have changed since somebody was told of
            them, with what was contested there; ``None``: nobody was told.
        changes: those since the last reading, where there is a ``fitting``.
        fitting: which writes satisfy the constraints of the model (by the layer that knows them).
        parked: values of a wrong type, weighed.
        extra: the places of contests that are no matter of one place in the tree alone.
        latest: of each field the newest write that came to it, and the newest of another origin, with their places;
            ``None`` where that is not told by what stands last (a text or list has changed).
    """

    __slots__ = (
        "changes", "contests", "extra", "fitting", "known", "latest", "news", "parked", "settled", "since", "way",
    )  # fmt: skip

    def __init__(self, way: Any, since: int = 0) -> None:
        self.way = way
        self.since = since
        self.known = Known()
        self.contests: dict[Path, tuple[Contest, ...]] = {}
        self.settled: dict[Path, tuple[Any, ...]] = {}
        self.news: dict[Path, tuple[Contest, ...]] | None = None
        self.changes: list[LeafChange] = []
        self.fitting: Any = None
        self.parked: dict[str, Weighed] = {}
        self.extra: set[Path] = set()
        self.latest: dict[str | None, tuple[tuple[Stamp, Path], ...] | None] = {}

    def note(self, change: LeafChange) -> None:
        """Takes note of a change of the tree."""
        path, gone = change.path, not change.after
        if self.fitting is not None:
            self.changes.append(change)
        if is_sequence(change.before) or is_sequence(change.after):
            self.latest[path[0]] = None
        elif change.after:
            self._note_latest(path, change.after[-1].stamp)
        node: Known | None = self.known
        for part in path:
            assert node is not None
            if node.doubt is not None:
                node.doubt.changes.append(change)
            if node.changed is not None:
                node.changed.add(part)
                if gone:
                    node.gone.add(part)
                elif part in node.gone:
                    node.changed = None
            node = node.below.get(part)
            if node is None:
                return
        assert node is not None
        node.changed = None

    def _note_latest(self, path: Path, stamp: Stamp) -> None:
        known = self.latest.get(path[0], ())
        if known is None or (known and stamp.n <= known[0][0].n):
            return  # one that stood here before, and is the last now that others went
        if known and known[0][0].origin == stamp.origin:
            known = known[1:]
        self.latest[path[0]] = ((stamp, path), *known[:1])

    def take(self, path: Path, contests: Iterable[Contest], settled: Iterable[Any]) -> None:
        """What was read at a place."""
        before = self.contests.get(path, ())
        now = tuple(contests)
        if now != before:
            if self.news is not None:
                self.news.setdefault(path, before)
            if now:
                self.contests[path] = now
            else:
                del self.contests[path]
        decided = tuple(settled)
        if decided:
            self.settled[path] = decided
        else:
            self.settled.pop(path, None)

    def done(self, path: Path, known: Known) -> None:
        """A place has been read."""
        if (known.value is ABSENT or known.value is None) and not isinstance(known.parts, Weighed):
            for part, below in known.below.items():
                self.forget((*path, part), below)
            # Deleted, so that nothing in it was looked at.
            known.below, known.parts, known.order, known.changed, known.doubt = {}, None, None, None, None
        else:
            known.changed = set()
        known.gone.clear()

    def read_anew(self, path: Path) -> None:
        """Has all that is in a place read anew."""
        node: Known | None = self.known
        for part in path:
            node = node.below.get(part) if node is not None else None
        waiting = [node] if node is not None else []
        while waiting:
            one = waiting.pop()
            one.changed = one.parts = one.order = one.doubt = None
            waiting += one.below.values()

    def forget(self, path: Path, known: Known) -> None:
        """A place is no more."""
        self.take(path, (), ())
        for part, below in known.below.items():
            self.forget((*path, part), below)


@dataclass(slots=True)
class Look:
    """One reading of a tree: what to do where writers disagree, and where the disagreements found are put.

    ``sort_keys`` makes the order of keys that no model gives the same on all replicas; in containers of which a
    deletion ``keeps`` something keys have no other order. A reading with a ``memory`` reads what has changed since the
    last one; ``here`` is what is known of the place under way. ``tombs`` are the containers of the tree in which
    something is or was deleted (``None``: any may be). One that ``doubts`` remembers what is contested about them too.
    """

    on_delete: str = "escalate"
    included: SeenBy | None = None
    contests: list[Contest] = dataclass_field(default_factory=list)
    settled: list[tuple[tuple[str, ...], str]] = dataclass_field(default_factory=list)
    sort_keys: bool = False
    memory: Memory | None = None
    here: Known | None = None
    extra: dict[Path, Contest] = dataclass_field(default_factory=dict)
    tombs: Set[Path] | None = None
    keeps: Callable[[Path], bool] | None = None
    doubts: bool = False

    def keys(self, path: Path, cell: Any) -> list[str]:
        """The names in a container: as they came, or sorted where they may have come in another order elsewhere."""
        names = [name for name in cell if name is not None]
        return sorted(names) if self.sorts(path) else names

    def sorts(self, path: Path) -> bool:
        """Whether the names in a container are sorted."""
        if self.sort_keys or self.keeps is None:
            return self.sort_keys
        return any(self.keeps(path[:depth]) for depth in range(len(path) + 1))

    def entries(self, register: Register) -> Register:
        """The entries of a register that this reading takes into account."""
        if self.included is None:
            return register
        return tuple(entry for entry in register if self.included(entry.stamp))

    def part(self, field: Field, path: Path, public: tuple[str, ...], cell: Any) -> Any:
        """Reads a place in the one under way, if it has changed."""
        here, memory = self.here, self.memory
        if here is None or memory is None:
            return field.kind.read(self, field, path, public, cell)
        known = here.below.get(path[-1])
        if known is None:
            if type(cell) is tuple and len(cell) < 2:
                return field.kind.read(self, field, path, public, cell)  # of one value there is nothing to remember
            known = here.below[path[-1]] = Known()
        elif known.changed is not None and not known.changed:
            return known.value
        outer, decided = self.contests, self.settled
        self.here, self.contests, self.settled = known, [], []
        known.value = field.kind.read(self, field, path, public, cell)
        memory.take(path, self.contests, self.settled)
        memory.done(path, known)
        self.here, self.contests, self.settled = here, outer, decided
        return known.value

    def whole(self, field: Field, tree: Any) -> Any:
        """Reads a whole tree."""
        memory = self.memory
        if memory is None:
            return field.kind.read(self, field, (), (), tree)
        self.here = known = memory.known
        known.value = field.kind.read(self, field, (), (), tree)
        memory.take((), self.contests, self.settled)
        memory.done((), known)
        self.here = None
        return known.value

    def add(self, place: Path, contest: Contest) -> None:
        """Adds a contest that is no matter of one place alone; ``close`` comes after the last."""
        if self.memory is None:
            self.contests.append(contest)
        else:
            self.extra[place] = contest

    def found(self) -> Iterable[Contest]:
        """What is contested in places of the tree."""
        memory = self.memory
        if memory is None:
            return self.contests
        return (one for place, found in memory.contests.items() if place not in memory.extra for one in found)

    def close(self) -> None:
        """Ends a reading."""
        memory = self.memory
        if memory is None:
            return
        for place in memory.extra - self.extra.keys():
            memory.take(place, (), ())
        for place, contest in self.extra.items():
            memory.take(place, (contest,), ())
        memory.extra = set(self.extra)
        memory.changes.clear()

    def read_all(self, path: Path, cell: Any, parts: Any) -> None:
        """All in the place under way was read."""
        here = self.here
        if here is not None:
            for gone in [key for key in here.below if key not in cell]:
                self.forget((*path, gone))
            here.parts = parts

    def forget(self, path: Path) -> None:
        """A place in the one under way is no more."""
        known = self.here.below.pop(path[-1], None) if self.here is not None else None
        if known is not None and self.memory is not None:
            self.memory.forget(path, known)

    def weighed(self, register: Register, canon: Canon) -> Weighed:
        """A register's entries by equal value."""
        here = self.here
        if here is None:
            return Weighed(register, canon)
        known = here.parts
        if not isinstance(known, Weighed) or not known.grown(register):
            known = here.parts = Weighed(register, canon)
        return known


def gathered(
    look: Look,
    cell: Any,
    begin: Callable[[], tuple[P, Iterable[str | None]]],
    put: Callable[[P, str], bool],
    anew: Callable[[P], None],
) -> P:
    """What a kind makes of all keys of the place under way: after a change, of those that have changed.

    Args:
        begin: makes it of some keys, or none, and tells the others.
        put: takes what stands at a key now; tells whether what was made of all is still right.
        anew: makes that of all keys again.
    """
    here = look.here
    if here is None or here.parts is None or here.changed is None:
        found, changed = begin()
    else:
        found, changed = here.parts, here.changed
    right = [put(found, key) for key in changed if key is not None]
    if not all(right):
        anew(found)
    if here is not None:
        here.parts = found
    return found


def read_parts(
    look: Look,
    path: Path,
    public: tuple[str, ...],
    cell: Any,
    keys: Callable[[], Iterable[str]],
    part_of: Callable[[str], tuple[str, Field] | None],
    *,
    by_field: bool = False,
    at_once: Callable[[], tuple[dict[str, Any], Iterable[str]] | None] = lambda: None,
) -> dict[str, Any]:
    """The values in a container by name, as far as there are any.

    Args:
        at_once: where much of it can be read at once, gives the values by key, and the keys that are still to be read.
        by_field: whether the order of keys is that of a model's fields, not that in which they came.
        keys: gives the keys to read, in order.
        part_of: gives a key's name and field; ``None`` if it is not to be read.
    """
    here = look.here
    if here is None or here.parts is None or here.changed is None:
        parts = _read_whole(look, path, public, cell, keys, part_of, at_once())
        look.read_all(path, cell, parts)
    else:
        parts = here.parts.own()
        changed = [key for key in here.changed if key is not None]
        new = sum([_read_part(look, path, public, cell, key, part_of, parts) for key in changed])
        if new > (0 if by_field or look.sorts(path) else 1):
            parts.put_in_order([part[0] for part in map(part_of, keys()) if part is not None])
    return parts.present()


def _read_whole(
    look: Look,
    path: Path,
    public: tuple[str, ...],
    cell: Any,
    keys: Callable[[], Iterable[str]],
    part_of: Callable[[str], tuple[str, Field] | None],
    found: tuple[dict[str, Any], Iterable[str]] | None,
) -> _Parts:
    """The values in a container, of which some may have been found by key; then keys are names."""
    parts = _Parts() if found is None else _Parts(found[0])
    for key in keys() if found is None else found[1]:
        _read_part(look, path, public, cell, key, part_of, parts)
    if found is not None and look.sorts(path):
        parts.put_in_order(keys())
    return parts


class _Parts:
    """The values in a container by name, and the names at which there is none."""

    __slots__ = ("absent", "values")

    def __init__(self, values: dict[str, Any] | None = None) -> None:
        self.values = {} if values is None else values
        self.absent: set[str] = set()

    def own(self) -> _Parts:
        """The same with a dict of its own: what was shown before stays as it was."""
        self.values = self.values.copy()
        return self

    def put(self, name: str, value: Any) -> bool:
        """Takes the value at a name; tells whether the name is new."""
        is_new = name not in self.values
        self.values[name] = value
        if value is ABSENT:
            self.absent.add(name)
        else:
            self.absent.discard(name)
        return is_new

    def drop(self, name: str) -> None:
        """Forgets a name."""
        self.values.pop(name, None)
        self.absent.discard(name)

    def put_in_order(self, names: Iterable[str]) -> None:
        """Puts the names in order."""
        self.values = {name: self.values[name] for name in names}

    def present(self) -> dict[str, Any]:
        """The values that there are."""
        if not self.absent:
            return self.values
        if len(self.absent) == len(self.values):
            return {}
        if 2 * len(self.absent) > len(self.values):
            return {name: value for name, value in self.values.items() if value is not ABSENT}
        found = self.values.copy()
        for name in self.absent:
            del found[name]
        return found


def _read_part(
    look: Look,
    path: Path,
    public: tuple[str, ...],
    cell: Any,
    key: str,
    part_of: Callable[[str], tuple[str, Field] | None],
    parts: _Parts,
) -> bool:
    """Reads one part of a container; tells whether it is new there."""
    part = part_of(key)
    if part is None:
        return False
    name, field = part
    if key not in cell:
        look.forget((*path, key))
        parts.drop(name)
        return False
    return parts.put(name, look.part(field, (*path, key), (*public, name), cell[key]))
