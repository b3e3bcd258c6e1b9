"""How values of a type compare: a set in any order, an instant in any zone, a decimal with any zeros."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set as AbstractSet
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from typing import Any, TypeAlias

from pydantic import BaseModel

from concordant.schema.annotations import adapter_of, forms_of, members_of
from concordant.schema.models import fields_in, is_instance, is_model
from concordant.schema.sparse import holds_records, whole_records, without_defaults
from concordant.values import JSON, are_texts, canonical, decode, encode

__all__ = [
    "LENIENT",
    "are_equal",
    "are_surely_same",
    "canon_of",
    "distinct",
    "holds_sets",
    "in_order",
    "is_uuid",
    "makes_whole_numbers",
    "unordered",
]

LENIENT: dict[str, Any] = {"strict": False, "by_alias": True, "by_name": True}
"""How values are read: in lax mode, under names and aliases."""

_AS_TEXT = (str, int, float, bool, bytes, type(None), Enum, timedelta, list, tuple, dict)
_OF_ONE_VALUE = (date, time, Decimal)


def canon_of(*spellings: Any) -> Callable[[JSON], JSON]:
    """Tells how stored values of a type compare: as their JSON, but for what is equal in several forms.

    Args:
        spellings: the type, and the type with what is declared about it.
    """
    annotation = spellings[0]
    is_plain = _consists_of(annotation, _is_plain)
    if is_plain and not holds_records(annotation):
        return canonical
    adapter = adapter_of(*spellings)
    form_of = forms_of(adapter)
    is_whole = whole_records(annotation)

    @lru_cache(maxsize=4096)
    def canon(text: JSON) -> JSON:
        try:
            stored = decode(text)
            if is_plain and is_whole(stored):
                return canonical(text)
            value = adapter.validate_python(stored, **LENIENT)
            form = without_defaults(value, form_of(value), stored, made=True)
            return canonical(encode(_normal(value, form)))
        except Exception:
            return canonical(text)  # it was stored under another type, and compares as it is

    return canon


def holds_sets(annotation: Any) -> bool:
    """Tells whether values of a type may hold Python sets, which have no order."""
    return not _consists_of(annotation, lambda member: _is_plain(member) or issubclass(member, _OF_ONE_VALUE))


def makes_whole_numbers(annotation: Any) -> bool:
    """Tells whether a decimal that is given for a type may be made a whole number, all of whose digits that has."""
    return not _consists_of(annotation, lambda member: member is bool or issubclass(member, _NOT_WHOLE))


_NOT_WHOLE = (Decimal, float, str, bytes, type(None), date, time, timedelta, list, tuple, set, frozenset, dict)


def _is_plain(member: type) -> bool:
    """Whether equal values of a type have the same JSON."""
    return member is date or is_uuid(member) or (issubclass(member, _AS_TEXT) and not is_model(member))


def is_uuid(member: type) -> bool:
    """Tells whether a type is that of UUIDs, told without the module that also makes them."""
    return (member.__module__, member.__name__) == ("uuid", "UUID")


def _consists_of(annotation: Any, is_such: Callable[[type], bool], inside: tuple[Any, ...] = ()) -> bool:
    """Whether all types that a type is made of are such, those of the fields of models included."""
    for member in members_of(annotation):
        if member is Any or member in inside:
            continue
        if is_model(member):
            if not all(
                _consists_of(info.annotation, is_such, (*inside, member)) for info in fields_in(member).values()
            ):
                return False
        elif not (isinstance(member, type) and is_such(member)):
            return False
    return True


def are_equal(one: Any, other: Any) -> bool:
    """Tells whether two values are equal by type and content; NaN equals itself.

    In the fields of a model, equal values may be of two types: Pydantic takes a default unseen (``score: float = 0``).
    """
    return type(one) is type(other) and _are_equal(one, other, are_equal, _are_loosely_equal)


def _are_loosely_equal(one: Any, other: Any) -> bool:
    return _are_equal(one, other, _are_loosely_equal, _are_loosely_equal)


def _are_strictly_equal(one: Any, other: Any) -> bool:
    return type(one) is type(other) and _are_equal(one, other, _are_strictly_equal, _are_strictly_equal)


def _are_equal(one: Any, other: Any, inside: _Equality, in_models: _Equality) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(inside(item, other[key]) for key, item in one.items())
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(inside, one, other))
    if isinstance(one, BaseModel) and isinstance(other, BaseModel):
        return (
            type(one) is type(other)
            and in_models(one.__dict__, other.__dict__)
            and in_models(one.__pydantic_extra__, other.__pydantic_extra__)
        )
    return bool(one == other) or bool(one != one and other != other)


_Equality: TypeAlias = Callable[[Any, Any], bool]


def distinct(elements: Any) -> Any:
    """Returns the elements of a list without those that equal an earlier one; whatever else it is as it is."""
    if not isinstance(elements, list):
        return elements
    met: dict[Any, list[Any]] = {}
    found: list[Any] = []
    for element in elements:
        try:
            alike = met.setdefault(element, [])
        except TypeError:  # it cannot be hashed
            alike = met.setdefault(type(element), [])
        if not any(_are_strictly_equal(element, other) for other in alike):
            alike.append(element)
            found.append(element)
    return found


def are_surely_same(one: Any, other: Any) -> bool:
    """Tells whether two values of a field are stored as the same; ``False`` also where that takes a closer look."""
    if one is other:
        return True
    kind = type(one)
    if kind is not type(other):
        return False
    if isinstance(one, (str, int, float)):
        return bool(one == other)
    if isinstance(one, BaseModel):
        return are_surely_same(one.__dict__, other.__dict__) and one.__pydantic_extra__ == other.__pydantic_extra__
    if kind in (set, frozenset):
        return bool(one == other) and are_texts(one) and are_texts(other)
    if kind is dict:
        return _are_surely_same_in_turn([*one], [*other]) and _are_surely_same_in_turn(
            [*one.values()], [*other.values()]
        )
    return kind in (list, tuple) and _are_surely_same_in_turn(one, other)


def _are_surely_same_in_turn(some: Any, others: Any) -> bool:
    if len(some) != len(others):
        return False
    if are_texts(some) and are_texts(others):
        return bool(some == others)
    return all(map(are_surely_same, some, others))


def unordered(form: Any) -> JSON:
    """Returns the text of a JSON value whose lists have no order: equal for one that was a set somewhere."""
    return canonical(encode(_sorted(form)))


def _sorted(form: Any) -> Any:
    if isinstance(form, (list, tuple)):
        return sorted(map(_sorted, form), key=lambda part: canonical(encode(part)))
    return {name: _sorted(part) for name, part in form.items()} if isinstance(form, dict) else form


def in_order(value: Any, form: Any) -> Any:
    """Returns the JSON form of a value, with what comes from sets in an order that is the same in all processes."""
    return _walked(value, form, _as_is)


def _normal(value: Any, form: Any) -> Any:
    """The JSON form of a value, equal for equal values."""
    return _walked(value, form, _normal_leaf)


def _walked(value: Any, form: Any, leaf: Callable[[Any, Any], Any]) -> Any:
    """The JSON form of a value, made beside it: what the value is tells what to do with its form."""
    if isinstance(form, list) and not isinstance(value, (str, bytes)):
        return _walked_list(value, form, leaf)
    if isinstance(form, dict):
        if isinstance(value, Mapping) and len(value) == len(form):
            pairs = zip(value.items(), form.items(), strict=True)
            return {_key(key, name, leaf): _walked(item, part, leaf) for (key, item), (name, part) in pairs}
        if is_instance(value):
            return {name: _walked(getattr(value, name, None), part, leaf) for name, part in form.items()}
        return form
    return leaf(value, form)


def _walked_list(value: Any, form: list[Any], leaf: Callable[[Any, Any], Any]) -> Any:
    try:
        parts = [_walked(item, part, leaf) for item, part in zip(value, form, strict=True)]
    except (TypeError, ValueError):
        return form  # it comes from something else than the items of the value
    if isinstance(value, AbstractSet):
        parts.sort(key=lambda part: canonical(encode(part)))
    return parts


def _key(key: Any, name: str, leaf: Callable[[Any, Any], Any]) -> str:
    made = leaf(key, name)
    return made if isinstance(made, str) else name


def _as_is(value: Any, form: Any) -> Any:
    return form


def _normal_leaf(value: Any, form: Any) -> Any:
    if isinstance(value, Decimal) and isinstance(form, str):
        return format(value.normalize(), "f") if value.is_finite() else form
    if isinstance(value, datetime) and value.tzinfo is not None and isinstance(form, str):
        try:
            return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
        except OverflowError:  # at the ends of the calendar
            return form
    if isinstance(value, time) and isinstance(form, str) and (offset := value.utcoffset()) is not None:
        midnight = datetime.combine(date(2000, 1, 1), value.replace(tzinfo=None))
        return f"{(midnight - offset).isoformat()}Z"
    return form
