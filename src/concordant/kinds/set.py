"""``Set``: a set of JSON values; an add beats a concurrent remove, nothing ever escalates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from concordant.causal import Register, order_of
from concordant.errors import MisshapenError
from concordant.kinds.base import Field, Kind, Look
from concordant.kinds.keyed import Keyed
from concordant.kinds.map import check_keys
from concordant.kinds.nodes import node_is_shown
from concordant.kinds.reducer import Interned, Reducer, identity
from concordant.kinds.shape import check_node, check_register
from concordant.tree import Change, Path
from concordant.values import ABSENT, alike, canonical, decode, encode

__all__ = ["Set"]


@dataclass(frozen=True, slots=True)
class Set(Keyed, Kind, metaclass=Interned):
    """A set (or list without duplicates) of JSON values: concurrent adds unite, an add beats a concurrent remove.

    Args:
        by: for a list of records: the name of the field that identifies a record. Such a set merges like a
            ``Map`` of that key, record by record and field by field, and is shown as a list.
        grow_only: additions of an edit count, its removals do not.

    >>> Set(by="id").by
    'id'
    >>> sorted(Set()({"crdt"}, ["memory", "crdt"]))
    ['crdt', 'memory']
    """

    by: str | None = None
    grow_only: bool = False

    name: ClassVar[str] = "set"

    def __new__(cls, by: str | None = None, grow_only: bool = False) -> Set:  # noqa: ARG004
        return object.__new__(_Reducing if by is None else cls)

    def __reduce__(self) -> tuple[Any, ...]:
        return Set, (self.by, self.grow_only)

    def tag(self, child: str | None = None) -> str:
        return "set" if self.by is None else f"keyed[{child}]"

    def contribute(self, change: Change, field: Field, path: Path, value: Any) -> None:
        if self.by is not None:
            return self.contribute_records(change, field, path, value, self.by)
        texts: dict[str, bytes] = {}
        for item in value:
            text = encode(item, (field.name,))
            texts.setdefault(field.canon(text).decode(), text)
        for place, (key, text) in enumerate(texts.items()):
            change.replace((*path, key), text, field.canon, place=place)
        if not value:
            change.touch(path)
        return None

    def edit(self, change: Change, field: Field, path: Path, base: Any, value: Any) -> None:
        if self.by is not None:
            return self.edit_records(change, field, path, base, value, self.by, grow_only=self.grow_only)
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
        return None

    def beyond(self, field: Field, base: Any, value: Any) -> Any:
        return value if self.by is None else self.records_beyond(field, base, value, self.by)

    def alike(self, field: Field, one: Any, other: Any) -> bool:
        if self.by is not None or one is None or other is None:
            return alike(one, other)
        return {field.canon(encode(item)) for item in one} == {field.canon(encode(item)) for item in other}

    def settled(self, field: Field) -> Callable[[Any], Any] | None:
        if self.by is not None:
            inner = field.child.kind.settled(field.child) if field.child is not None else None
            return None if inner is None else lambda value: [inner(record) for record in value]

        def distinct(value: Any) -> Any:
            if len(value) < 2:
                return value
            by_key: dict[bytes, Any] = {}
            for item in value:
                by_key.setdefault(field.canon(encode(item)), item)
            return list(by_key.values())

        return distinct

    def check(self, field: Field, cell: Any) -> None:
        if self.by is not None:
            return check_keys(field, cell)

        def elements(cell: Any) -> None:
            for key, register in cell.items():
                check_register(register, deletable=False)
                if any(not _may_stand(field, entry.value, key) for entry in register):
                    raise MisshapenError(f"an element of a set stands at another's place, {key!r}")

        return check_node(cell, elements)

    def read(self, look: Look, field: Field, path: Path, public: tuple[str, ...], cell: Any) -> Any:
        if self.by is not None:
            return self.read_records(look, field, path, public, cell, self.by)

        def shown(look: Look, cell: Any) -> Any:
            elements = _elements(look, cell)
            if not elements.order and not look.entries(cell.get(None, ())):
                return ABSENT
            if field.canon is canonical:
                return elements.values()
            distinct: dict[bytes, bytes] = {}  # elements of before may stand at places of their own
            for _, text in elements.order:
                distinct.setdefault(field.canon(text), text)
            return [decode(text) for text in distinct.values()]

        if not node_is_shown(look, field, path, public, cell, shown):
            return ABSENT
        return shown(look, cell)


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


Element = tuple[tuple[Any, ...], bytes]
"""An element's place, by when it was added, and its JSON."""


class _Elements:
    """The elements of a set as they were read: by key and in order."""

    __slots__ = ("_decoded", "by_key", "order")

    def __init__(self) -> None:
        self.by_key: dict[str, Element] = {}
        self.order: list[Element] = []
        self._decoded: list[Any] = []

    def put(self, key: str, element: Element | None) -> bool:
        """Takes what stands at a key now; tells whether the order is still right."""
        before = self.by_key.pop(key, None)
        if element is None:
            return before is None
        self.by_key[key] = element
        follows = before is None and (not self.order or element > self.order[-1])
        if follows:
            self.order.append(element)
        return follows

    def sort(self) -> None:
        """Puts them in order."""
        self.order = sorted(self.by_key.values())
        self._decoded = []

    def values(self) -> list[Any]:
        """The elements in order, as values."""
        self._decoded += [decode(text) for _, text in self.order[len(self._decoded) :]]
        return list(self._decoded)


def _elements(look: Look, cell: Any) -> _Elements:
    """The elements of a set that stand, in the order in which they were added."""
    here = look.here
    if here is None or here.parts is None or here.changed is None:
        found, changed = _Elements(), cell
    else:
        found, changed = here.parts, here.changed
    follow = [found.put(key, _element(look, key, cell.get(key, ()))) for key in changed if key is not None]
    if not all(follow):
        found.sort()
    if here is not None:
        here.parts = found
    return found


def _element(look: Look, key: str, register: Register) -> Element | None:
    entries = look.entries(register)
    if not entries:
        return None
    first = min([(order_of(e.confirms[0] if e.confirms else e.stamp), e.place) for e in entries])
    return (*first, key), entries[0].value or b"null"


class _Reducing(Reducer, Set):
    """A ``Set`` of plain values: the one that is a reducer. Records hold scalars, which a fold cannot merge."""

    __slots__ = ()
    __qualname__ = "Set"  # users see one class

    def __call__(self, left: Any, right: Any) -> Any:
        for items in (left, right):
            if not isinstance(items, _CONTAINERS):
                raise self._refused(items, "a set or list")
        known: dict[bytes, Any] = {}
        for item in (*left, *right):
            known.setdefault(identity(self, item), item)
        made: Any = next(container for container in _CONTAINERS if isinstance(left, container))
        return made(known.values())

    def __reduce__(self) -> tuple[Any, ...]:
        return Set, (self.by, self.grow_only)


_CONTAINERS = (set, frozenset, list, tuple)
