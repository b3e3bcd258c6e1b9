"""The short way of a write: one validation, one serialization, and a look at what the types do not tell.

It is for models that only declare types and kinds, and for values that are stored as they are given: what most writes
are. What it cannot tell for certain it leaves to ``Compiled``, which takes a write apart field by field.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Annotated, Any, NamedTuple, TypeAlias, Union, get_args, get_origin

from pydantic import BeforeValidator, Field as PydanticField, Strict, StringConstraints, TypeAdapter

from concordant.merge.kinds import Field, KeyedSet, Map, Nested, Set
from concordant.schema.annotations import annotated, is_shallow, members_of, split_annotation, without_none
from concordant.schema.equality import holds_sets, makes_whole_numbers
from concordant.schema.incoming import are_distinct, contribution, in_one_order, write_type
from concordant.schema.models import (
    computed_in,
    fields_in,
    metadata_of,
    model_validators_of,
    only_constrains,
    spellings_of,
    validators_of,
)
from concordant.values import MAX_DEPTH, MAX_DIGITS, NO_DECIMALS, check_exponents, has_long_run, is_json

__all__ = ["PlainWriter", "never_plain", "plain_texts", "plain_writer"]

PlainWriter: TypeAlias = Callable[[Any], "bytes | None"]
"""Gives the JSON of what a write gives; ``None`` where that takes a closer look."""

Check: TypeAlias = Callable[[Any], bool]


class Plain(NamedTuple):
    """The values of a place that are stored as they are given.

    Attributes:
        type: what a write may give for it.
        check: tells that a value of that type is stored as it is; ``None``: each is.
        is_free: whether it holds names that no type tells.
        is_whole: whether a decimal may be made a whole number there, all of whose digits that has.
    """

    type: Any
    check: Check | None = None
    is_free: bool = False
    is_whole: bool = False


MOST_FREE = MAX_DEPTH // 2
"""How deep values may be nested of which no type tells it."""

_REPLACED = "\N{REPLACEMENT CHARACTER}".encode()
"""What stands in the JSON of a name that is no valid Unicode."""


def never_plain(value: Any) -> None:
    """Leaves every write to a closer look."""


def plain_writer(model: Any, root: Field, to_json: Callable[[Any], bytes]) -> PlainWriter:
    """Makes the short way for a model.

    Args:
        to_json: gives the JSON of what was validated.
    """
    found = _parts(model, root)
    if not found or _depth(root) > MAX_DEPTH - MOST_FREE:
        return never_plain
    written = write_type(model, {name: part.type for name, part in found.items()})
    validate = TypeAdapter(written).validator.validate_python
    checks = {name: part.check for name, part in found.items() if part.check is not None}
    looked_at = frozenset(checks)
    free = frozenset(name for name, part in found.items() if part.is_free)
    others = root.fields.keys() - found.keys()
    whole = frozenset(name for name, part in found.items() if part.is_whole)

    def write(value: Any) -> bytes | None:
        if type(value) is not dict or (others and not others.isdisjoint(value)):
            return None
        try:
            for name in whole:
                if name in value and type(value[name]) not in NO_DECIMALS:
                    check_exponents(value[name])
            given = validate(value)
            for name in looked_at.intersection(given):  # as ``_of_fields``, which each write would have to call
                if not checks[name](given[name]):
                    return None
            body = to_json(given)
        except Exception:  # whatever it is, the closer look finds it again
            return None
        if free and _may_be_replaced(body) and not free.isdisjoint(value):
            return None
        if len(body) > MAX_DIGITS and has_long_run(body, MAX_DIGITS):
            return None
        return body

    return write


def _may_be_replaced(body: bytes) -> bool:
    """Whether something in a JSON text may stand for a name that is no valid Unicode."""
    return not body.isascii() and _REPLACED in body


def plain_texts(model: Any, root: Field) -> frozenset[str]:
    """Returns the texts of a model that are stored as validation leaves them."""
    return frozenset(name for name in _parts(model, root) if root.fields[name].kind.holds == "text")


def _depth(field: Field) -> int:
    """How deep a value is nested as far as the model tells."""
    return 1 + max(map(_depth, field.parts), default=0)


def _parts(model: Any, field: Field) -> dict[str, Plain]:
    """The fields of a model whose values may be stored as they are given."""
    if model_validators_of(model) or computed_in(model):
        return {}
    infos = fields_in(model)
    known = {n: i for n, i in infos.items() if n in field.fields and not (spellings_of(i) or validators_of(model, n))}
    found = {n: _place(info.annotation, field.fields[n], metadata_of(info)) for n, info in known.items()}
    return {name: part for name, part in found.items() if part is not None}


def _record(model: Any, field: Field) -> Plain | None:
    """A nested record, whose fields are all of that sort."""
    parts = _parts(model, field)
    return _record_of(model, parts) if parts.keys() == field.fields.keys() else None


def _record_of(model: Any, parts: Mapping[str, Plain]) -> Plain:
    checks = {name: part.check for name, part in parts.items() if part.check is not None}
    written = write_type(model, {name: part.type for name, part in parts.items()})
    is_free, is_whole = any(part.is_free for part in parts.values()), any(part.is_whole for part in parts.values())
    return Plain(written, _of_fields(checks) if checks else None, is_free, is_whole)


def _place(annotation: Any, field: Field, metadata: Iterable[Any] = ()) -> Plain | None:
    """A field, or what stands in a container of things that merge by themselves."""
    kind = field.kind
    if field.form is not None or field.keys is not None or not all(map(only_constrains, metadata)):
        return None
    if type(kind) not in _LIKE_THEIR_PARTS and kind.settled(field) is not None:
        return None
    if kind.holds == "fields":
        return _nested(annotation, field)
    if field.child is not None:
        return _container(annotation, field, field.child)
    if kind.holds == "elements":
        return None if any(isinstance(item, StringConstraints) for item in metadata) else _elements(annotation)
    if kind.holds == "amount":
        return Plain(_exactly(annotation, contribution(annotation, field, tuple(metadata))))
    written, is_whole = contribution(_with_integers(annotation), field, tuple(metadata)), _is_whole(annotation)
    if is_shallow(annotation):
        return None if holds_sets(annotation) else Plain(written, is_whole=is_whole)
    return Plain(written, _is_free_json, is_free=True, is_whole=is_whole) if _is_free(annotation) else None


def _exactly(annotation: Any, written: Any) -> Any:
    """The type of an amount: for a whole number Pydantic takes an enum's value, whatever it is, but where it is
    strict."""
    return written if annotation in (float, Decimal) else Annotated[written, Strict()]


_INTEGER: Any = Annotated[int, Strict()]


def _with_integers(annotation: Any, integer: Any = _INTEGER) -> Any:
    """A type that takes whole numbers where it takes what can be made one: what else there is takes a closer look."""
    bare, metadata = split_annotation(annotation)
    if bare is int:
        return annotated(integer, metadata)
    origin = get_origin(bare)
    parts = tuple(part if part is Ellipsis else _with_integers(part, integer) for part in get_args(bare))
    if origin in (Union, types.UnionType):
        bare = Union[parts]  # noqa: UP007
    elif origin in (list, set, frozenset, tuple, dict):
        bare = types.GenericAlias(origin, parts)
    return annotated(bare, metadata)


def _is_whole(annotation: Any) -> bool:
    """Whether there is something besides that makes whole numbers of decimals, such as an enum of them."""
    return makes_whole_numbers(_with_integers(annotation, str))


_LIKE_THEIR_PARTS = (Nested, Map, KeyedSet, Set)
"""Kinds that make nothing else of a value than the kinds of its parts, or what is looked at here."""


def _nested(annotation: Any, field: Field) -> Plain | None:
    bare = without_none(annotation)
    found = _record(bare, field)
    return found if found is None or bare is annotation else found._replace(type=found.type | None)


def _container(annotation: Any, field: Field, child: Field) -> Plain | None:
    of_keys = field.kind.holds == "keys"
    arguments = get_args(annotation) or (str, Any)
    bare, metadata = split_annotation(arguments[-1] if of_keys else arguments[0])
    part = _place(bare, child, metadata)
    if part is None or not (of_keys or field.kind.holds == "records"):
        return None
    inner: Any = part.type
    if of_keys:
        return Plain(dict[str, inner], part.check and _of_values(part.check), is_free=True, is_whole=part.is_whole)
    return Plain(list[inner], _of_records(field.kind.key_field or "", part.check), part.is_free, part.is_whole)


def _elements(annotation: Any) -> Plain | None:
    """A set, as a list in the order given."""
    (element, *_) = get_args(annotation) or (Any,)
    if not is_shallow(element) or holds_sets(element):
        return None
    given: Any = types.GenericAlias(list, (_with_integers(element),))
    spellings: Any = Union[Annotated[given, Strict()], Annotated[given, BeforeValidator(in_one_order)]]  # noqa: UP007
    check = _are_distinct if element in (str, int) else are_distinct
    return Plain(Annotated[spellings, PydanticField(union_mode="left_to_right")], check, is_whole=_is_whole(element))


def _is_free(annotation: Any) -> bool:
    """Whether values of the type are any JSON, or dicts of it."""
    members = [member for member in members_of(annotation) if member not in (Any, dict, list)]
    return all(is_shallow(member) and not holds_sets(member) for member in members)


# Loops and functions in functions: that Python calls faster than partial objects, generators and ``map``.


def _of_fields(checks: Mapping[str, Check]) -> Check:
    looked_at = frozenset(checks)

    def is_plain(given: dict[str, Any] | None) -> bool:
        if given is not None:
            for name in looked_at.intersection(given):
                if not checks[name](given[name]):
                    return False
        return True

    return is_plain


def _of_values(check: Check) -> Check:
    def is_plain(given: dict[str, Any]) -> bool:
        for value in given.values():  # noqa: SIM110
            if not check(value):
                return False
        return True

    return is_plain


def _of_records(by: str, check: Check | None) -> Check:
    def is_plain(given: list[dict[str, Any]]) -> bool:
        known = set()
        for record in given:
            identity = record.get(by)
            if identity is None or not (check is None or check(record)):
                return False
            known.add(identity)
        return len(known) == len(given)

    return is_plain


def _is_free_json(value: Any) -> bool:
    return is_json(value, MOST_FREE)


def _are_distinct(elements: list[Any]) -> bool:
    return len(set(elements)) == len(elements)
