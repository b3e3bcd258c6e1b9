"""Records in a list, identified by one of their fields: a map keyed by that field, shown as a list."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import repeat
from operator import contains
from typing import Any, ClassVar

from concordant.merge.causality import Register, order_of
from concordant.merge.kinds.at_once import shown_at_once
from concordant.merge.kinds.base import SETS, Declaration, Field, Holds, Kind, Look
from concordant.merge.kinds.map import check_keys, edit_keys, keys_beyond, read_keys, write_key
from concordant.merge.kinds.nodes import node_value
from concordant.merge.kinds.registry import register
from concordant.merge.registers import Change, Path
from concordant.merge.registers.bulk import Bulk, GivenAtOnce
from concordant.values import ABSENT, are_texts, canonical, decode, encode

__all__ = ["KeyedSet", "key_of"]


@register
@dataclass(frozen=True, slots=True, repr=False)
class KeyedSet(Kind):
    """Records that are known by one of their fields: what ``Set(by=...)`` is.

    Args:
        by: the name of the field that identifies a record.
        grow_only: additions and changes of an edit count, its removals do not.

    >>> from concordant import Set
    >>> Set(by="id")
    Set(by='id', grow_only=False)
    """

    by: str
    grow_only: bool = False

    name: ClassVar[str] = "keyed"
    holds: ClassVar[Holds] = "records"
    natural: ClassVar[type[Any] | None] = list
    shaped: ClassVar[tuple[str, ...]] = ("by",)

    def __repr__(self) -> str:
        return f"Set(by={self.by!r}, grow_only={self.grow_only})"  # as users write it

    @property
    def key_field(self) -> str | None:
        return self.by

    @property
    def can_wait(self) -> bool:
        return True

    @classmethod
    def as_stored(cls) -> Kind:
        return cls("\x00")

    def declared(self, at: Declaration) -> Field | None:
        element = at.element(SETS)
        if element is None:
            at.misfit("Set() takes set, frozenset, list or tuple[..., ...]; for one value use Scalar()")
            return None
        bare, says = at.bare(element), f'Set(by="{self.by}")'
        inside = at.kinds_in(bare) if at.is_model(bare) else {}
        if not isinstance(self.by, str) or self.by not in inside:
            mend = f"The elements must be models with a field {self.by!r}"
            at.refuse(f"{says} on {at.type_name(element)}", mend)
            return None
        merges = inside[self.by]
        if merges is not None and merges.name != "scalar":
            mend = (
                f"Identify the records by a field that stays as it is: declare {self.by!r} as Scalar(), or name another"
            )
            at.refuse(f"{says}, but {self.by!r} is a {merges.called()}, which changes", mend)
            return None
        child = at.inner(element, self.by)
        return child and Field(at.name, self, self.tag(child.tag), child=child, checked=at.checked or child.checked)

    def called(self) -> str:
        return "Set()"

    def contribute(self, change: Change, field: Field, path: Path, value: Any) -> None:
        self.contribute_records(change, field, path, value, self.by)

    def edit(self, change: Change, field: Field, path: Path, base: Any, value: Any) -> None:
        self.edit_records(change, field, path, base, value, self.by, grow_only=self.grow_only)

    def keys_in(self, field: Field, value: Any) -> Iterable[str] | None:
        return _keys_of(value, self.by) if isinstance(value, list) else None

    def contribute_part(self, change: Change, field: Field, path: Path, key: str, part: Any, place: int) -> None:
        self._add(change, field, path, key, part, place)

    def beyond(self, field: Field, base: Any, value: Any) -> Any:
        return self.records_beyond(field, base, value, self.by)

    def settled(self, field: Field) -> Callable[[Any], Any] | None:
        inner = field.child.kind.settled(field.child) if field.child is not None else None
        return None if inner is None else lambda value: [inner(record) for record in value]

    def check(self, field: Field, cell: Any) -> None:
        check_keys(field, cell)

    def read(self, look: Look, field: Field, path: Path, public: tuple[str, ...], cell: Any) -> Any:
        return self.read_records(look, field, path, public, cell, self.by)

    def contribute_records(self, change: Change, field: Field, path: Path, value: Any, by: str, *, at: int = 0) -> None:
        """Contributes each record at its key; ``at`` is the place of the first among those that the write adds."""
        for place, (key, record) in enumerate(_by_key(value, by).items(), at):
            self._add(change, field, path, key, record, place)
        if not value:
            change.touch(path)

    def edit_records(
        self, change: Change, field: Field, path: Path, base: Any, value: Any, by: str, *, grow_only: bool
    ) -> None:
        """Carries over the difference, record by record."""
        before, after = _by_key(base, by), _by_key(value, by)
        for place, (key, record) in enumerate(after.items()):
            if key not in before:
                self._add(change, field, path, key, record, place)
        known = {key: record for key, record in after.items() if key in before}
        edit_keys(change, field, path, before, known, grow_only=grow_only)

    def records_beyond(self, field: Field, base: Any, value: Any, by: str) -> Any:
        """Returns the records, each with what is new of it and its key."""
        after = _by_key(value, by)
        news = keys_beyond(field, _by_key(base, by), after)
        if news is ABSENT:
            return ABSENT
        return [{**record, by: after[key][by]} for key, record in news.items()]

    def _add(self, change: Change, field: Field, path: Path, key: str, record: Any, place: int) -> None:
        """Contributes a record at its key, with its place among those that the write adds."""
        child = field.child
        assert child is not None
        if child.kind.is_leaf:
            change.replace((*path, key), encode(record, (field.name,)), child.canon, place=place)
            return
        write_key(change, field, path, key, record)
        if not change.exists((*path, key)):
            change.touch((*path, key), place)

    def read_records(self, look: Look, field: Field, path: Path, public: tuple[str, ...], cell: Any, by: str) -> Any:
        """Returns the records, the one first added first."""

        def shown(look: Look, cell: Any) -> Any:
            beside = _beside_given(look, field, path, public, cell, by)
            if beside is not None:
                return beside
            records = read_keys(look, field, path, public, cell)
            if records is ABSENT:
                return ABSENT

            keys = _in_order(look, cell, records)
            ordered = [*records.values()] if [*records] == keys else list(map(records.__getitem__, keys))
            if all(map(contains, ordered, repeat(by))):
                return ordered
            return [_identified(field, by, key, records[key]) for key in keys]

        return node_value(look, field, path, public, cell, shown)


Added = tuple[tuple[Any, ...], Register | None]
"""When a record was added, and the marks that tell it; where these need not be looked at, ``None``."""


class _Order:
    """The keys of records, the one first added first, and when each was added. Of one that was given with many others
    at once only its number among them is known, until somebody asks for more."""

    __slots__ = ("_added", "_stamp")

    def __init__(self) -> None:
        self._added: dict[str, Any] = {}
        self._stamp: tuple[Any, ...] = ()

    def begin(self, cell: dict[str | None, Any]) -> Iterable[str | None]:
        """Takes the records that one write gave at once; returns the keys of the others."""
        if not isinstance(cell, Bulk):
            self._added = {}
            return cell
        self._stamp = order_of(cell.given.stamp)
        self._added = dict(cell.given.places())
        for key in cell.gone:
            del self._added[key]
        return cell.apart

    def keys(self, cell: Any, records: dict[str, Any], changed: Iterable[str | None]) -> list[str]:
        """Returns the keys, those that have changed being some."""
        last: tuple[Any, ...] = self._at(next(reversed(self._added)))[0] if self._added else ()
        is_right = True
        for key in changed:
            if key is None:
                continue
            if key not in records:
                self._added.pop(key, None)
                continue
            before = self._at(key) if key in self._added else None
            place, _ = self._added[key] = _added(cell[key], key, before)
            is_right = is_right and (place > last if before is None else place == before[0])
            last = max(last, place)
        if not is_right:
            self._added = {key: self._added[key] for key in sorted(self._added, key=self._at)}
        return list(self._added)

    def at(self, key: str) -> tuple[Any, ...]:
        """The place of a record."""
        return self._at(key)[0]

    def _at(self, key: str) -> Added:
        """When a record was added."""
        found = self._added[key]
        return ((*self._stamp, found, key), None) if type(found) is int else found


class _Beside:
    """Records that one write gave at once, all of them as it gave them, and those that came after them.

    Attributes:
        given: what the write gave.
        first: these, as they are shown.
        more: the others by key.
        order: their order.
    """

    __slots__ = ("first", "given", "more", "order")

    def __init__(self, given: GivenAtOnce, first: list[Any]) -> None:
        self.given = given
        self.first = first
        self.more: dict[str, Any] = {}
        self.order = _Order()

    @classmethod
    def begin(cls, look: Look, field: Field, path: Path, cell: Any) -> _Beside | None:
        """Takes those that were given; ``None`` where they have to be looked at one by one."""
        if not isinstance(cell, Bulk) or cell.gone or cell.changed:
            return None
        first = shown_at_once(look, field, path, cell)
        return None if first is None else cls(cell.given, first)

    def goes_on(self, cell: Any) -> bool:
        """Whether in a container the same was given, and all of it still stands so."""
        return isinstance(cell, Bulk) and cell.given is self.given and not (cell.gone or cell.changed)

    def read(
        self, look: Look, field: Field, path: Path, public: tuple[str, ...], cell: Any, changed: Iterable[str | None]
    ) -> None:
        """Reads those of the others that have changed."""
        assert field.child is not None
        for key in changed:
            if key is None:
                continue
            value: Any = ABSENT
            if key in cell:
                value = look.part(field.child, (*path, key), (*public, key), cell[key])
            else:
                look.forget((*path, key))
            if value is ABSENT:
                self.more.pop(key, None)
            else:
                self.more[key] = value

    def shown(self, cell: Any, field: Field, by: str, changed: Iterable[str | None]) -> list[Any] | None:
        """All of them, in order; ``None`` where one of the others was added before the last of those given."""
        keys = self.order.keys(cell, self.more, changed)
        if keys and self.order.at(keys[0]) < self._last():
            return None
        return [*self.first, *[_identified(field, by, key, self.more[key]) for key in keys]]

    def _last(self) -> tuple[Any, ...]:
        """The place of the last of those given."""
        return *order_of(self.given.stamp), len(self.first) - 1, self.given.keys[-1]


def _beside_given(
    look: Look, field: Field, path: Path, public: tuple[str, ...], cell: Any, by: str
) -> list[Any] | None:
    """The records of a container that one write filled, where what it gave stands as it is and others came after that:
    no look is taken at each of them then. Else ``None``."""
    here = look.here
    known: _Beside | None = None
    changed: Iterable[str | None] = ()
    if here is not None:
        if here.changed is not None and here.parts is not None:
            if type(here.parts) is not _Beside:
                return None  # all of it was read, and what has changed is
            known, changed = here.parts, here.changed
        here.parts = here.order = None  # for whoever has to read all of it
    if known is None or not known.goes_on(cell):
        known = _Beside.begin(look, field, path, cell)
        if known is None:
            return None
        look.read_all(path, cell, None)
        changed = cell.apart
    known.read(look, field, path, public, cell, changed)
    found = known.shown(cell, field, by, changed)
    if here is not None and found is not None:
        here.parts = known
    return found


def _in_order(look: Look, cell: Any, records: dict[str, Any]) -> list[str]:
    """The keys of records, the one first added first."""
    here = look.here
    known: _Order | None = here.order if here is not None and here.changed is not None else None
    order = _Order() if known is None else known
    changed = order.begin(cell) if here is None or known is None else here.changed or ()
    if here is not None:
        here.order = order
    return order.keys(cell, records, changed)


def _added(cell: Any, key: str, known: Added | None) -> Added:
    """When a record was added; ``known`` is what was known of it before a change."""
    marks: Register = cell if isinstance(cell, tuple) else cell.get(None, ())
    if known is not None and marks[:-1] == known[1] and marks:
        return min(known[0], _place(marks[-1:], key)), marks
    return _place(marks, key), marks


def _place(marks: Register, key: str) -> tuple[Any, ...]:
    places = ((*order_of(entry.stamps[0]), entry.place) for entry in marks)
    return (*min(places, default=(0.0, "", 0, 0)), key)


def _identified(field: Field, by: str, key: str, record: Any) -> Any:
    """A record with what identifies it: a deletion may have removed a part of it only, without that field."""
    assert field.child is not None
    if by in record or by not in field.child.fields:
        return record
    accepts = field.child.fields[by].accepts
    return {by: key if accepts(key) else decode(key.encode()), **record}


def _by_key(records: Any, by: str) -> dict[str, Any]:
    """Records by the text of their key; of two with one key the later wins, as in building a dict."""
    result: dict[str, Any] = {}
    for record in records:
        result[key_of(record, by)] = record
    return result


def _keys_of(records: Any, by: str) -> list[str]:
    keys = [record[by] for record in records]
    return keys if are_texts(keys) else [key_of(record, by) for record in records]


def key_of(record: Any, by: str) -> str:
    """Returns the key under which a record is kept: the text of what identifies it."""
    key = record[by]
    return key if isinstance(key, str) else canonical(encode(key)).decode()
