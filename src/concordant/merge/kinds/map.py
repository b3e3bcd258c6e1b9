"""``Map``: values by key, each key merged by the kind of the values."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from concordant.errors import MisshapenError
from concordant.merge.kinds.at_once import shown_at_once, values_there
from concordant.merge.kinds.base import Declaration, Field, Holds, Kind, Look
from concordant.merge.kinds.containers import read_parts
from concordant.merge.kinds.nodes import node_value
from concordant.merge.kinds.registry import register
from concordant.merge.kinds.shape import check_node
from concordant.merge.registers import Change, Path
from concordant.values import ABSENT

__all__ = ["Map", "edit_keys", "keys_beyond", "read_keys", "remove_key", "write_key"]


@register
@dataclass(frozen=True, slots=True)
class Map(Kind):
    """A dict whose keys merge one by one; ``dict[str, Annotated[set[str], Set()]]`` gives the values a kind of their
    own, a state model as value type merges field by field, any other value is a ``Scalar``.

    Args:
        grow_only: additions and changes of an edit count, its removals of keys do not.
    """

    grow_only: bool = False

    name: ClassVar[str] = "map"
    holds: ClassVar[Holds] = "keys"
    natural: ClassVar[type[Any] | None] = dict
    merges_default: ClassVar[bool] = True

    @property
    def can_wait(self) -> bool:
        return True

    def declared(self, at: Declaration) -> Field | None:
        types = at.key_and_value()
        if types is None:
            at.misfit("Map() takes dict[str, ...]; for one value use Scalar()")
            return None
        key, value = types
        if not at.is_key(key):
            mend = "Use dict[str, ...]: JSON objects have text as keys (int, an Enum and a Literal of one type do, too)"
            at.refuse(f"Map() with keys of type {at.type_name(key)}", mend)
            return None
        child = at.inner(value)
        checked = at.checked or (child is not None and child.checked)
        return child and Field(at.name, self, self.tag(child.tag), child=child, checked=checked, keys=at.keys())

    def contribute(self, change: Change, field: Field, path: Path, value: Any) -> None:
        for key, item in value.items():
            write_key(change, field, path, key, item)
        if not value:
            change.touch(path)

    def keys_in(self, field: Field, value: Any) -> Iterable[str] | None:
        return value if isinstance(value, dict) else None

    def contribute_part(self, change: Change, field: Field, path: Path, key: str, part: Any, place: int) -> None:
        write_key(change, field, path, key, part)

    def edit(self, change: Change, field: Field, path: Path, base: Any, value: Any) -> None:
        edit_keys(change, field, path, base, value, grow_only=self.grow_only)

    def beyond(self, field: Field, base: Any, value: Any) -> Any:
        return keys_beyond(field, base, value)

    def check(self, field: Field, cell: Any) -> None:
        check_keys(field, cell)

    def settled(self, field: Field) -> Callable[[Any], Any] | None:
        inner = field.child.kind.settled(field.child) if field.child is not None else None
        return None if inner is None else lambda value: {key: inner(item) for key, item in value.items()}

    def read(self, look: Look, field: Field, path: Path, public: tuple[str, ...], cell: Any) -> Any:
        def shown(look: Look, cell: Any) -> Any:
            return read_keys(look, field, path, public, cell)

        return node_value(look, field, path, public, cell, shown)


def check_keys(field: Field, cell: Any) -> None:
    """Checks a container of such values as the field's child makes."""
    child = field.child
    if child is None:
        raise MisshapenError("a map that does not tell how its values merge")

    def values(cell: Any) -> None:
        for part in cell.values():
            child.kind.check(child, part)

    check_node(cell, values)


def write_key(change: Change, field: Field, path: Path, key: str, item: Any) -> None:
    """Contributes to one key."""
    child = field.child
    assert child is not None
    place = (*path, key)
    child.kind.enter(change, place)
    child.kind.contribute(change, child, place, item)


def remove_key(change: Change, field: Field, path: Path, key: str) -> None:
    """Deletes one key, as far as the writer has seen it."""
    child = field.child
    assert child is not None
    child.kind.remove(change, child, (*path, key))


def edit_keys(
    change: Change, field: Field, path: Path, base: dict[str, Any], value: dict[str, Any], *, grow_only: bool
) -> None:
    """Carries the difference of two dicts over, key by key."""
    child = field.child
    assert child is not None
    for key, item in value.items():
        if key not in base:
            write_key(change, field, path, key, item)
        elif base[key] != item or type(base[key]) is not type(item) or isinstance(item, (dict, list, float, int)):
            child.kind.enter(change, (*path, key))
            child.kind.edit(change, child, (*path, key), base[key], item)
    if grow_only:
        return
    gone = [key for key in base if key not in value]
    for key in gone:
        remove_key(change, field, path, key)
    if gone:
        change.touch(path)


def keys_beyond(field: Field, base: dict[str, Any], value: dict[str, Any]) -> Any:
    """Returns the keys of a contribution at which it says more than ``base``."""
    child = field.child
    assert child is not None
    news = {key: child.kind.beyond(child, base[key], item) if key in base else item for key, item in value.items()}
    return {key: item for key, item in news.items() if item is not ABSENT} or ABSENT


def read_keys(look: Look, field: Field, path: Path, public: tuple[str, ...], cell: Any) -> Any:
    """Returns the values by key; ``ABSENT`` if the map was never written."""
    child = field.child
    assert child is not None
    part = child

    def part_of(key: str) -> tuple[str, Field]:
        return key, part

    def at_once() -> tuple[dict[str, Any], list[str]] | None:
        shown = shown_at_once(look, field, path, cell)
        return None if shown is None else (values_there(cell, shown), [key for key in cell.apart if key is not None])

    result = read_parts(look, path, public, cell, lambda: look.keys(path, cell), part_of, at_once=at_once)
    if not result and not look.entries(cell.get(None, ())) and not _had_keys(look, cell):
        return ABSENT
    return result


def _had_keys(look: Look, cell: Any) -> bool:
    return any(key is not None for key in cell) and look.included is None
