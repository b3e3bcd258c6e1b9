"""Records: a document or a nested model, whose fields merge each by its own kind."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

from concordant.errors import MisshapenError
from concordant.merge.causality import Entry, order_of
from concordant.merge.kinds.base import Contest, Field, Holds, Kind, Look
from concordant.merge.kinds.containers import read_parts
from concordant.merge.kinds.nodes import node_value
from concordant.merge.kinds.registry import kind_called, register
from concordant.merge.kinds.scalar import Scalar, shown_value
from concordant.merge.kinds.shape import check_node
from concordant.merge.kinds.tree import (
    CONTENTS,
    NODE,
    OpenTree,
    has_contents,
    node_field,
    note_contents,
    part_field,
    with_contents,
)
from concordant.merge.kinds.weighing import Option
from concordant.merge.registers import PARKED, Change, Path, leaf_at
from concordant.merge.registers.tree import supporters_below
from concordant.values import ABSENT, encode

__all__ = [
    "OPEN",
    "OPEN_TREE",
    "Nested",
    "OpenRecord",
    "field_at",
    "open_field",
    "public_path",
    "split_slot",
    "stored_path",
]


@register
@dataclass(frozen=True, slots=True)
class Nested(Kind):
    """A model whose every field declares a kind. Not written by users: a field typed as a state model has it.

    Args:
        optional: whether the whole may be ``None``: then it is deleted, as far as the writer has seen it.
    """

    optional: bool = False

    name: ClassVar[str] = "record"
    holds: ClassVar[Holds] = "fields"
    natural: ClassVar[type[Any] | None] = dict

    @property
    def can_wait(self) -> bool:
        return type(self) is Nested and not self.optional

    def contribute(self, change: Change, field: Field, path: Path, value: Any) -> None:
        if value is None:
            change.delete(path, existed=True)
            return
        if path:  # under an earlier model it may have been optional, and be deleted
            change.enter(path)
        for name, item in value.items():
            part = self.written(change, path, field, name)
            if change.apart:
                change.turn_to(path, name)
            part.kind.contribute(change, part, (*path, part.slot), item)
        change.turn_back(path)
        if not value:
            change.touch(path)

    def edit(self, change: Change, field: Field, path: Path, base: Any, value: Any) -> None:
        if value is None:
            if base is not None:
                change.delete(path, existed=True)
            return
        self._enter(change, path, base, value)
        base = base or {}
        for name, item in value.items():
            part = self.written(change, path, field, name)
            if change.apart:
                change.turn_to(path, name)
            if name in base:
                part.kind.edit(change, part, (*path, part.slot), base[name], item)
            elif type(part.kind) is Nested and item is not None and part.default is not None:
                part.kind.edit(change, part, (*path, part.slot), {}, item)
            elif part.default is ABSENT or not part.kind.alike(part, item, part.default):
                part.kind.contribute(change, part, (*path, part.slot), item)
        change.turn_back(path)

    def _enter(self, change: Change, path: Path, base: Any, value: Any) -> None:
        """Prepares an edit of a record that may have been deleted, be it under an earlier model."""
        if self.optional:
            change.enter(path)
            if base is None and not value:
                change.touch(path)
        elif path and change.covering and value != base:
            change.enter(path)

    def beyond(self, field: Field, base: Any, value: Any) -> Any:
        if base is None or value is None:
            return value if base is not value else ABSENT
        news: dict[str, Any] = {}
        for name, item in value.items():
            part = self.field(field, name)
            news[name] = part.kind.beyond(part, base[name], item) if name in base else item
        return {name: item for name, item in news.items() if item is not ABSENT} or ABSENT

    def settled(self, field: Field) -> Callable[[Any], Any] | None:
        parts = {n: function for n, part in field.fields.items() if (function := part.kind.settled(part)) is not None}
        if not parts:
            return None

        def settle(value: Any) -> Any:
            for name, function in parts.items():
                if value is not None and name in value:
                    value[name] = function(value[name])
            return value

        return settle

    def read(self, look: Look, field: Field, path: Path, public: tuple[str, ...], cell: Any) -> Any:
        def shown(look: Look, cell: Any) -> Any:
            result = self.parts(look, field, path, public, cell)
            if not result and not look.entries(cell.get(None, ())) and look.included is not None:
                return ABSENT
            return result

        if None not in cell and (look.here is None or look.here.doubt is None):
            return shown(look, cell)
        return node_value(look, field, path, public, cell, shown, None if self.optional else ABSENT)

    def below(self, field: Field, part: str) -> tuple[str, Field] | None:
        if part == PARKED:
            return None
        tag, name = split_slot(part)
        known = field.fields.get(name)
        return name, known if known is not None and known.tag == tag else open_field(name, tag)

    def check(self, field: Field, cell: Any) -> None:
        def fields(cell: Any) -> None:
            for slot, part in cell.items():
                tag, name = split_slot(slot)
                known = field.fields.get(name)
                if known is None or known.tag != tag:
                    known = stored_field(name, tag)
                known.kind.check(known, part)

        check_node(cell, fields)

    def field(self, field: Field, name: str) -> Field:
        """Returns the field with this name."""
        return field.fields[name]

    def written(self, change: Change, path: Path, field: Field, name: str) -> Field:
        """Returns the same, for a write."""
        return field.fields[name]

    def parts(self, look: Look, field: Field, path: Path, public: tuple[str, ...], cell: Any) -> dict[str, Any]:
        """Returns the values of the fields that are stored."""

        def keys() -> list[str]:
            return [part.slot for part in field.fields.values() if part.slot in cell]

        def part_of(slot: str) -> tuple[str, Field] | None:
            name = split_slot(slot)[1]
            part = field.fields.get(name)
            return (name, part) if part is not None and part.slot == slot else None

        return read_parts(look, path, public, cell, keys, part_of, by_field=True)


@dataclass(frozen=True, slots=True)
class OpenRecord(Nested):
    """A record without a model: every field is a ``Scalar``. Contested, it shows what was agreed on, else the first.

    Args:
        deep: whether dicts and lists in it merge as in a ``Tree``. What is stored so merges so in any case.
    """

    deep: bool = False

    def read(self, look: Look, field: Field, path: Path, public: tuple[str, ...], cell: Any) -> Any:
        value = Nested.read(self, look, field, path, public, cell)
        if isinstance(value, dict) and len(value) < len(cell) - (None in cell) - (PARKED in cell) and _is_mixed(cell):
            self._ask(look, field, path, public, cell, value)
        return value

    def _ask(
        self, look: Look, field: Field, path: Path, public: tuple[str, ...], cell: Any, value: dict[str, Any]
    ) -> None:
        """Asks about names under which several kinds are stored: models that differ wrote them."""
        found: dict[str, list[Option]] = {}
        quiet = Look("update", look.included)
        for slot in look.keys(path, cell):
            if slot != PARKED and not slot.startswith(CONTENTS):
                part = self.stored(slot)
                part = with_contents(quiet, (), (), cell, part) if part.tag == "scalar" else part
                inner = part.kind.read(quiet, part, (), (), cell[slot])
                if inner is not ABSENT:
                    found.setdefault(part.name, []).append(Option(encode(inner), supporters_below(cell[slot])))
        for name, options in found.items():
            if len(options) > 1:
                options.sort(key=lambda option: order_of(option.stamps[0]) if option.stamps else (0.0, "", 0))
                home, shown = self.field(field, name), encode(value[name])
                place = (*path, home.slot)
                look.contests.append(Contest((*public, name), place, "schema", "", shown, tuple(options), home))

    def field(self, field: Field, name: str) -> Field:
        return node_field(name, "list", True) if self.deep else open_field(name, "scalar")

    def written(self, change: Change, path: Path, field: Field, name: str) -> Field:
        if self.deep or has_contents(leaf_at(change.tree, path) or (), name):
            return node_field(name, "list", True)
        return open_field(name, "scalar")

    def stored(self, slot: str) -> Field:
        """Returns the field that is stored under a key of the tree."""
        tag, name = split_slot(slot)
        return node_field(name, "list", True) if self.deep and tag == "scalar" else open_field(name, tag)

    def below(self, field: Field, part: str) -> tuple[str, Field] | None:
        return None if part == PARKED else (split_slot(part)[1], self.stored(part))

    def _value_of(self, slot: str) -> tuple[str, Field] | None:
        if slot == PARKED:
            return None
        part = self.stored(slot)
        return part.name, part

    def parts(self, look: Look, field: Field, path: Path, public: tuple[str, ...], cell: Any) -> dict[str, Any]:
        def part_of(slot: str) -> tuple[str, Field] | None:
            if slot == PARKED or slot.startswith(CONTENTS):
                return None
            part = self.stored(slot)
            if part.tag == "scalar":
                part = with_contents(look, path, public, cell, part)
            return part.name, part

        here = look.here
        note_contents(look, path, cell)
        if here is None or here.changed is None or here.parts is None:
            if _is_plain(cell):
                if here is not None:
                    here.order = False
                return read_parts(look, path, public, cell, lambda: look.keys(path, cell), self._value_of)
            mixed = _is_mixed(cell)
        else:
            mixed = bool(here.order) or _is_mixed(here.changed)
        if here is not None:
            here.order = mixed
        if not mixed:
            return read_parts(look, path, public, cell, lambda: look.keys(path, cell), part_of)
        result: dict[str, Any] = {}  # where models that differ have written, of two of one name the first counts
        for slot in look.keys(path, cell):
            part = part_of(slot)
            if part is not None:
                value = look.part(part[1], (*path, slot), (*public, part[0]), cell[slot])
                if value is not ABSENT:
                    result.setdefault(part[0], value)
        look.read_all(path, cell, None)
        return result


def _is_plain(slots: Iterable[str | None]) -> bool:
    """Whether nothing is stored but values, with nothing beside them."""
    return all(slot is None or slot == PARKED or slot.startswith(NODE) for slot in slots)


def _is_mixed(slots: Iterable[str | None]) -> bool:
    """Whether something is stored as a model would, where there is none."""
    return not all(slot is None or slot == PARKED or slot.startswith(_UNMIXED) for slot in slots)


_UNMIXED = (NODE, *CONTENTS)


class _OpenScalar(Scalar):
    """A field that no model describes: where nothing was agreed before, the first contender is shown, so that a key
    which somebody just put never goes missing."""

    __slots__ = ()

    def otherwise(self, groups: Sequence[list[Entry]], field: Field) -> Any:
        return shown_value(groups[0])


_OPEN_SCALAR = _OpenScalar()


@lru_cache(maxsize=4096)
def open_field(name: str, tag: str) -> Field:
    """Returns a field as its tag tells, for what no model describes."""
    if tag == "scalar":
        return Field(name, _OPEN_SCALAR, tag)
    part = part_field(f"{tag}:{name}", OpenTree())
    if part is not None:
        return part[1]
    outer, _, inner = tag.partition("[")
    child = open_field("", inner[:-1]) if inner else None
    return Field(name, OpenRecord() if outer == Nested.name else kind_called(outer), tag, child=child)


def stored_field(name: str, tag: str) -> Field:
    """Does as ``open_field`` for a tag that came from outside.

    Raises:
        MisshapenError: there is no such kind.
    """
    try:
        return open_field(name, tag)
    except RecursionError as error:
        raise MisshapenError(f"a field of an unknown kind, {tag[:80]!r}") from error


OPEN = Field("", OpenRecord(), "record")
"""The field of a document without a model."""

OPEN_TREE = Field("", OpenRecord(deep=True), "record")
"""The same where dicts and lists in it merge as in a ``Tree``."""


def field_at(root: Field, path: Path) -> Field:
    """Returns the field that a tree path leads to or into."""
    field = root
    for part in path:
        below = field.kind.below(field, part) if part is not None else None
        if below is None:
            return field
        field = below[1]
    return field


def public_path(root: Field, path: Path) -> tuple[str, ...]:
    """Returns the path as users see it: names of fields and keys, nothing of how kinds store what is below them."""
    if path and path[0] == PARKED:
        return tuple(json.loads(path[1] or "[]"))
    result: list[str] = []
    field = root
    for part in path:
        below = field.kind.below(field, part) if part is not None else None
        if below is None:
            break
        result.append(below[0])
        field = below[1]
    return tuple(result)


def stored_path(root: Field, path: Iterable[str]) -> Path:
    """Returns where a text or list is stored whose path users know: the opposite of ``public_path``.

    Raises:
        KeyError: there is none.
    """
    result: list[str] = []
    field = root
    for name in path:
        if field.kind.holds == "fields":
            field = field.fields[name]
            result.append(field.slot)
        elif field.kind.holds == "keys" and field.child is not None:
            field = field.child
            result.append(name)
        else:
            raise KeyError(name)
    if field.kind.holds not in ("text", "items"):
        raise KeyError(path)
    return tuple(result)


def split_slot(slot: str) -> tuple[str, str]:
    """Returns a tree key's tag and field name."""
    tag, _, name = slot.partition(":")
    return tag, name
