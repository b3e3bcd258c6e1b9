"""Records without kinds as they are stored: with the fields that were written, whatever has become of their model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel, RootModel

from concordant.merge.kinds import Field
from concordant.schema.annotations import members_of, split_annotation, without_none
from concordant.schema.models import fields_in, is_instance, is_model
from concordant.values import ABSENT, alike, canonical, encode

__all__ = [
    "STEADY",
    "are_identified",
    "as_it_was",
    "holds_records",
    "makes_parts",
    "overlaid",
    "whole_records",
    "without_defaults",
]

STEADY = (None, list, dict, set, frozenset, tuple, str, int, float)
"""Factories that make the same each time (``None``: there is none)."""


def holds_records(annotation: Any) -> bool:
    """Tells whether values of a type may be, or hold, records: dicts of which a model knows the fields."""
    return any(map(is_model, members_of(annotation)))


def whole_records(annotation: Any, inside: tuple[Any, ...] = ()) -> Callable[[Any], bool]:
    """Returns a function that tells whether the records in a stored value surely have all the fields of their models,
    and no others."""
    bare, _ = split_annotation(annotation)
    record = without_none(bare)
    if record is not bare:
        found = whole_records(record, inside)
        return lambda value: value is None or found(value)
    if not holds_records(bare):
        return _always
    if is_model(bare):
        return _never if bare in inside or issubclass(bare, RootModel) else _whole_record(bare, (*inside, bare))
    if get_origin(bare) not in (list, dict):
        return _never
    part = whole_records(get_args(bare)[-1], inside)
    return lambda value: all(map(part, value.values() if isinstance(value, dict) else value))


def _whole_record(model: Any, inside: tuple[Any, ...]) -> Callable[[Any], bool]:
    infos = fields_in(model)
    inner = {name: whole_records(info.annotation, inside) for name, info in infos.items()}
    parts = [(name, is_whole) for name, is_whole in inner.items() if is_whole is not _always]
    names = infos.keys()
    return lambda value: (
        isinstance(value, dict) and value.keys() == names and all(is_whole(value[name]) for name, is_whole in parts)
    )


def _always(_: Any) -> bool:
    return True


def _never(_: Any) -> bool:
    return False


def makes_parts(annotation: Any, inside: tuple[Any, ...] = ()) -> bool:
    """Tells whether in a record of a type there may be what a factory has made: another thing each time it is read."""
    return any(
        info.default_factory not in STEADY or makes_parts(info.annotation, (*inside, member))
        for member in members_of(annotation)
        if is_model(member) and member not in inside
        for info in fields_in(member).values()
    )


def without_defaults(value: Any, form: Any, stored: Any, *, made: bool = False) -> Any:
    """Returns the JSON form of a value, without the fields of records that are not stored but have a default.

    Args:
        value: what was validated.
        stored: of what.
        made: leave out only what a factory makes, which is another thing each time.
    """
    if isinstance(form, list):
        if not isinstance(value, (list, tuple)) or not isinstance(stored, (list, tuple)) or len(stored) != len(form):
            return form
        return [without_defaults(*parts, made=made) for parts in zip(value, form, stored, strict=True)]
    if not isinstance(form, dict):
        return form
    inside = stored if isinstance(stored, Mapping) else {}
    if is_instance(value):
        return {
            name: without_defaults(getattr(value, name, None), part, inside.get(name), made=made)
            for name, part in form.items()
            if name in inside or not _is_default(value, name, made)
        }
    if not isinstance(value, Mapping):
        return form
    return {name: without_defaults(value.get(name), part, inside.get(name), made=made) for name, part in form.items()}


def _is_default(record: Any, name: str, made: bool) -> bool:
    """Whether a field of a record that is not stored by its name is there because it has a default."""
    info = fields_in(type(record)).get(name)
    if info is None or info.is_required():
        return False
    if isinstance(record, BaseModel) and name in record.model_fields_set:
        return False  # it is stored by another name, or a validator has made it
    return not made or info.default_factory not in STEADY


def overlaid(stored: Any, told: Any) -> Any:
    """Tells what is stored, with what the present model makes of it in its place; what that does not know stays."""
    if isinstance(stored, dict) and isinstance(told, dict):
        return {**stored, **{name: overlaid(stored.get(name), part) for name, part in told.items()}}
    if isinstance(stored, list) and isinstance(told, list) and len(stored) == len(told):
        return [overlaid(one, other) for one, other in zip(stored, told, strict=True)]
    return told


def are_identified(field: Field | None, value: Any) -> bool:
    """Tells whether all records in a value that are known by one of their fields have that."""
    if field is None:
        return True
    if isinstance(value, list):
        by = field.kind.key_field
        return by is None or all(by in record and are_identified(field.child, record) for record in value)
    if not isinstance(value, dict):
        return True
    return all(are_identified(field.fields.get(name, field.child), part) for name, part in value.items())


def as_it_was(field: Field, base: Any, before: Any, after: Any, stored: Any) -> Any:
    """Tells what is to be stored of a field, where those parts that nobody has changed are stored as they were.

    Args:
        base: what is stored of it.
        before: what whoever writes was given for that.
        after: what is given for it now.
        stored: how that would be stored by itself.
    """
    if base is ABSENT or before is ABSENT:
        return stored
    if _are_alike(before, after):
        return base
    if not all(isinstance(part, Mapping) for part in (base, before, after, stored)):
        return _items_as_they_were(field, base, before, after, stored)
    if field.kind.holds not in ("fields", "keys"):
        return stored
    found = dict(stored)
    for name, item in stored.items():
        part = field.fields.get(name, field.child)
        if part is not None:
            found[name] = as_it_was(
                part, base.get(name, ABSENT), before.get(name, ABSENT), after.get(name, ABSENT), item
            )
    return found


def _items_as_they_were(field: Field, base: Any, before: Any, after: Any, stored: Any) -> Any:
    """The items of a list, or the records of a set of them, each as it was if it is one that was there."""
    if field.kind.holds not in ("items", "records") or not all(isinstance(one, list) for one in (base, before)):
        return stored
    if not isinstance(after, list) or len(after) != len(stored) or len(base) != len(before):
        return stored
    known = {_text(item): kept for item, kept in zip(before, base, strict=True)}
    return [known.get(_text(item), made) for item, made in zip(after, stored, strict=True)]


def _are_alike(one: Any, other: Any) -> bool:
    try:
        return alike(one, other)
    except Exception:  # what is given may be no JSON yet, and then it is not what was read
        return False


def _text(value: Any) -> bytes:
    try:
        return canonical(encode(value))
    except Exception:  # as above
        return b""
