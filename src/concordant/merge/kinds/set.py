"""``Set``: a set of JSON values; an add beats a concurrent remove, nothing ever escalates."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import compress
from typing import TYPE_CHECKING, Any, ClassVar, get_origin

from concordant.errors import MisshapenError
from concordant.merge.causality import Entry, Register, order_of
from concordant.merge.kinds.at_once import shown_at_once
from concordant.merge.kinds.base import SETS, Declaration, Field, Holds, Look
from concordant.merge.kinds.containers import gathered
from concordant.merge.kinds.keyed import KeyedSet
from concordant.merge.kinds.nodes import node_value
from concordant.merge.kinds.reducer import Interned, Reducer, identity
from concordant.merge.kinds.registry import register
from concordant.merge.kinds.shape import check_node, check_register
from concordant.merge.registers import Change, Path
from concordant.merge.registers.bulk import Bulk, GivenAtOnce
from concordant.merge.registers.crowds import MANY, exchange
from concordant.values import ABSENT, alike, are_texts, canonical, canonical_texts, decode, encode

__all__ = ["KeyedSet", "Set"]


class _SetType(Interned):
    """The type of ``Set``: to users a set of records is one, too."""

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, KeyedSet) or super().__instancecheck__(instance)


@register
@dataclass(frozen=True, slots=True)
class Set(Reducer, metaclass=_SetType):
    """A set (or list without duplicates) of JSON values: concurrent adds unite, an add beats a concurrent remove.

    Args:
        by: for a list of records: the name of the field that identifies a record. That makes a ``KeyedSet``, which
            merges like a ``Map`` of that key, record by record and field by field, and is shown as a list.
        grow_only: additions of an edit count, its removals do not.

    >>> Set(by="id").by
    'id'
    >>> sorted(Set()({"crdt"}, ["memory", "crdt"]))
    ['crdt', 'memory']
    """

    by: None = None
    grow_only: bool = False

    name: ClassVar[str] = "set"
    holds: ClassVar[Holds] = "elements"
    natural: ClassVar[type[Any] | None] = list
    merges_default: ClassVar[bool] = True
    never_asks: ClassVar[bool] = True

    if TYPE_CHECKING:

        def __init__(self, by: str | None = None, grow_only: bool = False) -> None: ...

    def __new__(cls, by: str | None = None, grow_only: bool = False) -> Any:
        return object.__new__(cls) if by is None else KeyedSet(by, grow_only)

    def __call__(self, left: Any, right: Any) -> Any:
        for items in (left, right):
            if not isinstance(items, _CONTAINERS):
                raise self._refused(items, "a set or list")
        known: dict[bytes, Any] = {}
        for item in (*left, *right):
            known.setdefault(identity(self, item), item)
        made: Any = next(container for container in _CONTAINERS if isinstance(left, container))
        return made(known.values())

    @property
    def can_wait(self) -> bool:
        return True

    def declared(self, at: Declaration) -> Field | None:
        element = at.element(SETS)
        if element is None:
            at.misfit("Set() takes set, frozenset, list or tuple[..., ...]; for one value use Scalar()")
            return None
        bare = at.bare(element)
        if at.is_model(bare) and (get_origin(at.annotation) is list or at.is_state_model(bare)):
            mend = 'Name the field that identifies a record: Set(by="id"); or use List() where order counts'
            at.refuse(f"Set() on a list of records ({at.type_name(bare)})", mend)
        return Field(at.name, self, self.tag(), canon=at.canon(element), checked=at.checked)

    def contribute(self, change: Change, field: Field, path: Path, value: Any) -> None:
        texts: dict[str, bytes] = {}
        for item in value:
            text = encode(item, (field.name,))
            texts.setdefault(field.canon(text).decode(), text)
        for place, (key, text) in enumerate(texts.items()):
            change.replace((*path, key), text, field.canon, place=place)
        if not value:
            change.touch(path)

    def keys_in(self, field: Field, value: Any) -> Iterable[str] | None:
        return canonical_texts(value) if isinstance(value, list) else None

    def contribute_part(self, change: Change, field: Field, path: Path, key: str, part: Any, place: int) -> None:
        change.replace((*path, key), encode(part, (field.name,)), field.canon, place=place)

    def edit(self, change: Change, field: Field, path: Path, base: Any, value: Any) -> None:
        if field.canon is canonical and _is_text(base) and _is_text(value):
            self._edit_texts(change, field, path, base, value)
            return
        before = {field.canon(encode(item)): item for item in base}
        after = {field.canon(encode(item, (field.name,))): item for item in value}
        for place, (key, item) in enumerate(after.items()):
            if key not in before:
                change.replace((*path, key.decode()), encode(item), field.canon, place=place)
        if not self.grow_only:
            gone = {key for key in before if key not in after}
            _remove(change, field, path, [item for item in base if field.canon(encode(item)) in gone])
            if gone:
                change.touch(path)

    def _edit_texts(self, change: Change, field: Field, path: Path, base: list[str], value: list[str]) -> None:
        """Does what ``edit`` does for texts, each of which is its own key: only those that differ are encoded."""
        before, after = set(base), dict.fromkeys(value)
        for place, item in enumerate(after):
            if item not in before:
                text = encode(item, (field.name,))
                change.replace((*path, text.decode()), text, field.canon, place=place)
        gone = before - after.keys()
        if gone and not self.grow_only:
            _remove(change, field, path, [item for item in base if item in gone])
            change.touch(path)

    def alike(self, field: Field, one: Any, other: Any) -> bool:
        if one is None or other is None:
            return alike(one, other)
        if field.canon is canonical and _is_text(one) and _is_text(other):
            return set(one) == set(other)
        return {field.canon(encode(item)) for item in one} == {field.canon(encode(item)) for item in other}

    def settled(self, field: Field) -> Callable[[Any], Any] | None:
        def distinct(value: Any) -> Any:
            if len(value) < 2:
                return value
            by_key: dict[bytes, Any] = {}
            for item in value:
                by_key.setdefault(field.canon(encode(item)), item)
            return list(by_key.values())

        return distinct

    def foreseen(self, field: Field, shown: Any, base: Any, new: Any) -> Any:
        if field.canon is not canonical or not (_is_text(shown) and _is_text(base) and _is_text(new)):
            return ABSENT
        old, now = set(shown), set(new)
        if base is not shown and set(base) != old:
            return ABSENT
        return [one for one in shown if one in now] + [one for one in new if one not in old]

    def check(self, field: Field, cell: Any) -> None:
        def elements(cell: Any) -> None:
            for key, entries in cell.items():
                check_register(entries, deletable=False)
                if any(not _may_stand(field, entry.value, key) for entry in entries):
                    raise MisshapenError(f"an element of a set stands at another's place, {key!r}")

        check_node(cell, elements)

    def read(self, look: Look, field: Field, path: Path, public: tuple[str, ...], cell: Any) -> Any:
        def shown(look: Look, cell: Any) -> Any:
            elements = _elements(look, field, path, cell)
            if not elements.order and not look.entries(cell.get(None, ())):
                return ABSENT
            if field.canon is canonical:
                return elements.values()
            distinct: dict[bytes, bytes] = {}  # elements of before may stand at places of their own
            for text in elements.texts():
                distinct.setdefault(field.canon(text), text)
            return [decode(text) for text in distinct.values()]

        return node_value(look, field, path, public, cell, shown)


_CONTAINERS = (set, frozenset, list, tuple)


def _is_text(elements: Any) -> bool:
    return isinstance(elements, list) and are_texts(elements)


def _places(field: Field, text: Any) -> set[bytes]:
    """Where an element may stand: by its value, and by its text as before values of its type compared by more."""
    return {field.canon(text), canonical(text)}


def _remove(change: Change, field: Field, path: Path, items: list[Any]) -> None:
    """Removes elements, also from where another type's way to compare had put them."""
    missed = set()
    for item in items:
        text = encode(item)
        found = [change.remove_seen((*path, key.decode())) for key in _places(field, text)]
        if not any(found):
            missed.add(canonical(text))
    for key in change.keys(path) if missed else ():
        if any(entry.value is not None and canonical(entry.value) in missed for entry in change.register((*path, key))):
            change.remove_seen((*path, key))


def _may_stand(field: Field, value: bytes, key: str) -> bool:
    """Whether an element may stand at a place: by its value, or by that of another type under another model."""
    try:
        return key.encode() in _places(field, value) or canonical(encode(decode(key.encode()))) == key.encode()
    except ValueError:
        return False


_Added = tuple[tuple[float, str, int], int]

Element = tuple[tuple[Any, ...], bytes]
"""An element's place, by when it was added, and its JSON."""


MOST_MOVED = 64
"""How many elements are put in their places one by one until all are put in order."""


class _Elements:
    """The elements of a set as they were read: by key and in order. One that was given with many others at once is
    looked for among these when somebody asks for it."""

    __slots__ = ("_apart", "_by_key", "_decoded", "_given", "_moved", "_oldest", "order")

    def __init__(self) -> None:
        self._oldest: dict[str, tuple[Register, _Added]] = {}
        self._by_key: dict[str, Element] = {}
        self._apart: set[str] = set()  # of what was given at once, those that went or are looked up by key
        self.order: list[str] = []
        self._decoded: list[Any] = []
        self._moved = MOST_MOVED
        self._given: GivenAtOnce | None = None

    def fill(self, cell: Any, shown: list[Any] | None) -> list[str | None]:
        """Takes, as the first, all elements that were added once; returns the keys of the others.

        Args:
            shown: of elements that one write gave at once, all of them as they are shown.
        """
        if shown is not None:
            return self._fill_at_once(cell, shown)
        others: list[str | None] = []
        for key, entries in cell.items():
            if key is None or len(entries) != 1 or entries[0][3]:
                others.append(key)
            else:
                stamp, value, _, _, _, place = entries[0]
                self._by_key[key] = ((stamp[:3], place, key), value or b"null")
        self.sort()
        return others

    def _fill_at_once(self, cell: Bulk, shown: list[Any]) -> list[str | None]:
        self._given = given = cell.given
        self._apart.update(cell.gone, cell.changed)
        if self._apart:
            left = [key not in self._apart for key in given.keys]
            self.order, self._decoded = [*compress(given.keys, left)], [*compress(shown, left)]
        else:
            self.order, self._decoded = [*given.keys], [*shown]
        return cell.apart

    def _is_as_given(self, key: str) -> bool:
        """Whether an element is one of those that were given at once, and as it was."""
        return self._given is not None and key in self._given.known and key not in self._apart

    def _at(self, key: str) -> Element:
        """The element that stands at a key."""
        if key in self._by_key:
            return self._by_key[key]
        given = self._given
        assert given is not None
        place = given.place(key)
        return (given.stamp[:3], place, key), encode(given.value[place])

    def put(self, key: str, element: Element | None) -> bool:
        """Takes what stands at a key now; tells whether the order is still right."""
        known = key in self._by_key or (self._given is not None and self._is_as_given(key))
        before = self._at(key) if known else None
        if element == before:
            return True
        is_last = before is None and element is not None and self._is_last(element)
        self._moved += not is_last
        if self._moved > MOST_MOVED:
            self._take(key, element)
            return False
        if before is not None:
            at = bisect_left(self.order, before, key=self._at)
            del self.order[at], self._decoded[at : at + 1]
        self._take(key, element)
        if element is not None:
            at = len(self.order) if is_last else bisect_left(self.order, element, key=self._at)
            self.order.insert(at, key)
            if at < len(self._decoded):
                self._decoded.insert(at, decode(element[1]))
        return True

    def _is_last(self, element: Element) -> bool:
        """Whether an element that is new comes after all others, as far as these are in order."""
        return self._moved <= MOST_MOVED and (not self.order or element > self._at(self.order[-1]))

    def _take(self, key: str, element: Element | None) -> None:
        if self._given is not None and self._is_as_given(key):
            self._apart.add(key)
        if element is None:
            self._by_key.pop(key, None)
        else:
            self._by_key[key] = element

    def oldest(self, key: str, entries: Register) -> _Added:
        """When the oldest entry at a key was added: of many entries told by what a write did to them."""
        if len(entries) < MANY:
            return _added(entries[0]) if len(entries) == 1 else min(map(_added, entries))
        before, first = self._oldest.get(key, ((), None))
        moved = exchange(before, entries) if first is not None else None
        came = [_added(entry) for entry in entries[len(entries) - moved.came :]] if moved is not None else []
        if first is None or moved is None or (first in map(_added, moved.gone) and first not in came):
            first = min(map(_added, entries))
        self._oldest[key] = entries, min([first, *came])
        return self._oldest[key][1]

    def sort(self) -> None:
        """Puts them in order."""
        given = () if self._given is None else filter(self._is_as_given, self._given.keys)
        self.order = [place[2] for place, _ in sorted(map(self._at, [*self._by_key, *given]))]
        self._decoded = []

    def texts(self) -> list[bytes]:
        """The elements in order, as JSON."""
        self._moved = 0
        return [self._at(key)[1] for key in self.order]

    def values(self) -> list[Any]:
        """The elements in order, as values."""
        self._moved = 0
        self._decoded += [decode(self._at(key)[1]) for key in self.order[len(self._decoded) :]]
        return list(self._decoded)


def _elements(look: Look, field: Field, path: Path, cell: Any) -> _Elements:
    """The elements of a set that stand, in the order in which they were added."""

    def put(found: _Elements, key: str) -> bool:
        entries = look.entries(cell.get(key, ()))
        if not entries:
            return found.put(key, None)
        return found.put(key, ((*found.oldest(key, entries), key), entries[0].value or b"null"))

    def begin() -> tuple[_Elements, Iterable[str | None]]:
        found = _Elements()
        return found, found.fill(cell, shown_at_once(look, field, path, cell)) if look.included is None else cell

    return gathered(look, cell, begin, put, _Elements.sort)


def _added(entry: Entry) -> _Added:
    return order_of(entry.confirms[0] if entry.confirms else entry.stamp), entry.place
