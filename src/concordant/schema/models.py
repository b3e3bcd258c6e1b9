"""What a state model is made of: a Pydantic model, a dataclass or a ``TypedDict``, its fields and its instances."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from copy import copy, deepcopy
from functools import lru_cache
from typing import Any, NotRequired, Required, TypeAlias, get_args, get_origin, is_typeddict

import typing_extensions
from pydantic import (
    AfterValidator,
    AliasChoices,
    AliasPath,
    BaseModel,
    BeforeValidator,
    Field as PydanticField,
    PlainValidator,
    Strict,
    StringConstraints,
    WrapValidator,
)
from pydantic.fields import FieldInfo

from concordant.merge.kinds import Kind
from concordant.schema.annotations import stands_for, unnamed, without_none

__all__ = [
    "Spellings",
    "checks_among",
    "computed_in",
    "config_of",
    "copied",
    "decorators_of",
    "fields_in",
    "has_validators",
    "is_instance",
    "is_kind",
    "is_known",
    "is_model",
    "is_state_model",
    "is_strict",
    "metadata_of",
    "model_validators_of",
    "only_constrains",
    "said_by",
    "spellings_of",
    "strays_in",
    "validators_of",
]

Spellings: TypeAlias = "tuple[str | AliasPath, ...]"
"""The aliases under which a field may be given."""

_MARKS = (Required, NotRequired, typing_extensions.Required, typing_extensions.NotRequired, typing_extensions.ReadOnly)


def is_model(annotation: Any) -> bool:
    """Tells whether a type has named fields: a Pydantic model, a dataclass or a ``TypedDict``."""
    return isinstance(annotation, type) and (
        issubclass(annotation, BaseModel) or dataclasses.is_dataclass(annotation) or is_typed_dict(annotation)
    )


def is_typed_dict(annotation: Any) -> bool:
    """Tells whether a type is a ``TypedDict``."""
    return is_typeddict(annotation) or typing_extensions.is_typeddict(annotation)


def is_instance(value: Any) -> bool:
    """Tells whether a value is an instance of a model that is no dict."""
    kind: Any = type(value)
    return _has_instances(kind)


@lru_cache(maxsize=256)  # a fifth of what it takes to ask
def _has_instances(kind: type) -> bool:
    return issubclass(kind, BaseModel) or dataclasses.is_dataclass(kind)


def fields_in(model: Any) -> Mapping[str, FieldInfo]:
    """Returns the fields of a model, by name."""
    if issubclass(model, BaseModel):
        if is_known(model):
            return _written_out(model)
        fields: Mapping[str, FieldInfo] = model.model_fields
        return fields
    return _declared(model)


def is_known(model: Any) -> bool:
    """Tells whether all types that a model uses are defined by now."""
    if issubclass(model, BaseModel):
        return bool(model is BaseModel or model.__pydantic_complete__ or model.model_rebuild(raise_errors=False))
    try:
        _declared(model)
    except NameError:
        return False
    return True


@lru_cache(maxsize=1024)
def _written_out(model: Any) -> dict[str, FieldInfo]:
    return {name: _unnamed(info) for name, info in model.model_fields.items()}


def _unnamed(info: FieldInfo) -> FieldInfo:
    """A field with what the name of its type stands for, as if it were written out."""
    annotation = unnamed(info.annotation)
    if annotation is info.annotation:
        return info
    meant: FieldInfo = FieldInfo.from_annotation(annotation)
    found = copy(info)
    found.annotation = meant.annotation
    found.metadata = [*meant.metadata, *info.metadata]
    return found


@lru_cache(maxsize=1024)
def _declared(model: Any) -> dict[str, FieldInfo]:
    known: dict[str, FieldInfo] | None = getattr(model, "__pydantic_fields__", None)
    if known is not None:
        return {name: _unnamed(info) for name, info in known.items()}
    hints = typing_extensions.get_type_hints(model, include_extras=True)
    if dataclasses.is_dataclass(model):
        parts = {part.name: part for part in dataclasses.fields(model) if part.init}
        return {name: _unnamed(_of_dataclass(hints[name], part)) for name, part in parts.items()}
    optional = model.__optional_keys__
    return {name: _unnamed(_of_key(hint, optional=name in optional)) for name, hint in hints.items()}


def _of_dataclass(annotation: Any, part: dataclasses.Field[Any]) -> FieldInfo:
    if part.default_factory is not dataclasses.MISSING:
        return FieldInfo.from_annotated_attribute(annotation, FieldInfo(default_factory=part.default_factory))
    if part.default is not dataclasses.MISSING:
        return FieldInfo.from_annotated_attribute(annotation, part.default)
    return FieldInfo.from_annotation(annotation)


def _of_key(annotation: Any, *, optional: bool) -> FieldInfo:
    while (mark := get_origin(annotation)) in _MARKS:
        optional = optional or mark in (NotRequired, typing_extensions.NotRequired)  # a text does not tell the class
        annotation = get_args(annotation)[0]
    return FieldInfo.from_annotated_attribute(annotation, None) if optional else FieldInfo.from_annotation(annotation)


def metadata_of(info: FieldInfo) -> tuple[Any, ...]:
    """Tells what is declared about a field's type: its kind, constraints, validators."""
    if info.discriminator is None:
        return tuple(info.metadata)
    return (*info.metadata, PydanticField(discriminator=info.discriminator))


def is_kind(item: Any) -> bool:
    """Tells whether a part of an annotation is a kind, or the class of one."""
    return isinstance(item, Kind) or (isinstance(item, type) and issubclass(item, Kind))


def checks_among(metadata: Iterable[Any]) -> list[Any]:
    """Tells what is declared about a type beside its kind: constraints, validators."""
    return [item for item in metadata if not isinstance(item, Kind)]


def only_constrains(item: Any) -> bool:
    """Tells whether a part of an annotation says only which values are allowed."""
    if isinstance(item, (Kind, Strict, StringConstraints, str)):
        return True
    return type(item).__module__ in ("annotated_types", "pydantic._internal._fields")


def config_of(model: Any) -> Mapping[str, Any]:
    """Returns the configuration of a model."""
    found: Mapping[str, Any] = getattr(model, "model_config", None) or getattr(model, "__pydantic_config__", None) or {}
    return found


def decorators_of(model: Any) -> Any:
    """Tells what Pydantic's decorators have made of methods of a model; ``None`` if it knows none."""
    return getattr(model, "__pydantic_decorators__", None)


def is_state_model(annotation: Any, inside: tuple[Any, ...] = ()) -> bool:
    """Tells whether the type is a model with at least one declared kind, its own or of a record in it."""
    if not is_model(annotation) or annotation in inside:
        return False
    infos = fields_in(annotation).values()
    if any(any(map(is_kind, info.metadata)) for info in infos):
        return True
    return any(is_state_model(without_none(info.annotation), (*inside, annotation)) for info in infos)


def has_validators(model: Any) -> bool:
    """Tells whether the model validates more than its fields' types."""
    found = decorators_of(model)
    return found is not None and bool(
        found.model_validators or found.field_validators or found.root_validators or found.validators
    )


def is_strict(annotation: Any, inside: tuple[Any, ...] = ()) -> bool:
    """Tells whether a type, or a model below it, takes some values in their own Python type only."""
    if annotation in inside:
        return False
    inside = (*inside, annotation)
    if is_model(annotation):
        infos = fields_in(annotation).values()
        return bool(config_of(annotation).get("strict")) or any(
            any(isinstance(item, Strict) for item in info.metadata) or is_strict(info.annotation, inside)
            for info in infos
        )
    named = stands_for(annotation)
    parts = (named,) if named is not None else get_args(annotation)
    return any(isinstance(part, Strict) or is_strict(part, inside) for part in parts)


_WRAPPERS: dict[str, Any] = {
    "before": BeforeValidator,
    "after": AfterValidator,
    "wrap": WrapValidator,
    "plain": PlainValidator,
}


def validators_of(model: Any, name: str) -> list[Any]:
    """Returns the model's own validators of one field, as parts of an annotation."""
    found = decorators_of(model)
    return [
        _WRAPPERS[decorator.info.mode](decorator.func)
        for decorator in (found.field_validators.values() if found is not None else ())
        if name in decorator.info.fields or "*" in decorator.info.fields
    ]


def model_validators_of(model: Any) -> list[Any]:
    """Returns the validators that see what is given for a model before its fields do, in the order in which they
    run."""
    found = decorators_of(model)
    validators = [*reversed(found.model_validators.values())] if found is not None else []
    ordered = [v for mode in ("wrap", "before") for v in validators if v.info.mode == mode]
    return [_WRAPPERS[decorator.info.mode](decorator.func) for decorator in ordered]


def computed_in(model: Any) -> frozenset[str]:
    """Returns the names that a model's JSON has besides its fields: nobody writes them."""
    found = decorators_of(model)
    return frozenset(found.computed_fields) if found is not None else frozenset()


def spellings_of(info: FieldInfo) -> Spellings:
    """Returns the aliases under which a field may be given, in the order in which Pydantic looks for them."""
    alias = info.validation_alias or info.alias
    if alias is None:
        return ()
    return tuple(alias.choices) if isinstance(alias, AliasChoices) else (alias,)


def said_by(value: Any, *, everything: bool, default: Any = None) -> dict[str, Any]:
    """Returns the fields of an instance by name: all of them, or those that somebody has set or changed.

    Args:
        default: an instance that was there from the start; what is equal in it was not set by anybody.
    """
    fields = fields_in(type(value))
    there = _there(value, fields)
    if everything:
        return there
    known = value.model_fields_set if isinstance(value, BaseModel) else frozenset()
    found: dict[str, Any] = {}
    for name, item in there.items():
        if name in known:
            if default is None or item != getattr(default, name, _MISSING):
                found[name] = item
        elif not isinstance(value, BaseModel) or isinstance(item, _MUTABLE):  # others cannot be changed in place
            made = _default(fields[name])
            if item != made:
                alike = is_instance(item) and type(item) is type(made)
                found[name] = said_by(item, everything=False, default=made) if alike else item
    return found


def strays_in(value: Any, before: Any = None) -> dict[str, Any]:
    """Tells what an instance holds besides its fields (``extra="allow"``), but for what it held before."""
    more: dict[str, Any] = getattr(value, "__pydantic_extra__", None) or {}
    known = getattr(before, "__pydantic_extra__", None) or {}
    return {name: item for name, item in more.items() if name not in known or known[name] != item}


def _there(value: Any, fields: Mapping[str, FieldInfo]) -> dict[str, Any]:
    """The fields that an instance has."""
    kept = value.__dict__ if isinstance(value, BaseModel) else {}
    if kept.keys() >= fields.keys():
        return {name: kept[name] for name in fields}
    return {name: getattr(value, name) for name in fields if hasattr(value, name)}


def copied(value: Any) -> Any:
    """Returns a deep copy of an instance or of a part of one, in the time that its containers take.

    Raises:
        Exception: of what is in it and cannot be copied, such as a lock.
    """
    kind = type(value)
    if kind in _IMMUTABLE:
        return value
    if kind in _BUILT_IN and _IMMUTABLE.issuperset(map(type, value.values() if kind is dict else value)):
        return value.copy()
    if kind is set or kind is list:
        return kind(map(copied, value))
    if kind is dict:
        return {name: copied(part) for name, part in value.items()}
    if (
        isinstance(value, BaseModel)
        and (type(value).__copy__, type(value).__deepcopy__) == _AS_PYDANTIC
        and not value.__pydantic_private__
    ):
        twin = value.__copy__()
        parts: Any = twin.__dict__
        for name, part in parts.items():
            parts[name] = copied(part)
        return twin
    return deepcopy(value)


_BUILT_IN = frozenset([set, list, dict])
_IMMUTABLE = frozenset([str, int, float, bool, type(None), bytes])
_AS_PYDANTIC = BaseModel.__copy__, BaseModel.__deepcopy__
_MISSING = object()
_MUTABLE = (list, dict, set, bytearray, BaseModel)


def _default(info: FieldInfo) -> Any:
    if info.is_required():
        return info  # equal to nothing
    try:
        return info.get_default(call_default_factory=True, validated_data={})
    except Exception:
        return info  # a factory that wants to know other fields
