"""Reads the kinds that a model declares, and finds everything that is wrong with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set as AbstractSet
from contextvars import ContextVar
from decimal import Decimal
from typing import Any, get_args, get_origin

from pydantic import BaseModel, TypeAdapter
from pydantic.fields import FieldInfo

from concordant.errors import Fault
from concordant.kinds import POLICIES, Counter, Field, Kind, List, Map, Priority, Record, Scalar, Set, Text
from concordant.schema.annotations import (
    canon_of,
    element_of,
    hint,
    is_ranked,
    kind_name,
    rank_of,
    split_annotation,
    type_name,
)
from concordant.values import ABSENT, JSON, decode

__all__ = ["NATURAL", "fields_of", "is_state_model", "kind_in"]

NATURAL: dict[str, Callable[[], Any]] = {
    kind.name: natural
    for kind, natural in ((Set, list), (Map, dict), (Text, str), (Counter, int), (List, list), (Record, dict))
}
"""What a field of a kind (by its name) holds when it was never written and declares no default."""

_SETS = (set, frozenset, list, AbstractSet)
_LISTS = (list, Sequence)
_DICTS = (dict, Mapping)


def kind_in(metadata: Sequence[Any]) -> list[Kind]:
    """The kinds among an annotation's metadata."""
    return [item for item in metadata if isinstance(item, Kind)]


def is_state_model(annotation: Any) -> bool:
    """Whether the type is a model with at least one declared kind."""
    if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        return False
    return any(
        kind_in(info.metadata) or any(isinstance(m, type) and issubclass(m, Kind) for m in info.metadata)
        for info in annotation.model_fields.values()
    )


def fields_of(
    model: type[BaseModel],
    faults: list[Fault],
    path: tuple[str, ...] = (),
    key: str | None = None,
    checked: bool = False,
) -> dict[str, Field]:
    """Compiles the fields of a model; whatever is wrong is added to ``faults``.

    Args:
        key: the field that identifies the record in a ``Set(by=...)``, which needs no default.
        checked: whether the document as a whole must satisfy validators.
    """
    if model in _building.get():
        faults.append(Fault((*path, model.__name__), "the model contains itself", "Store a key instead of the record"))
        return {}
    token = _building.set((*_building.get(), model))
    try:
        checked = checked or has_validators(model)
        return {
            name: field
            for name, info in model.model_fields.items()
            if (field := _field(name, info, faults, (*path, model.__name__, name), key, checked)) is not None
        }
    finally:
        _building.reset(token)


_building: ContextVar[tuple[type[BaseModel], ...]] = ContextVar("concordant_building", default=())
"""The models around the one whose fields are compiled, in this thread."""


def has_validators(model: type[BaseModel]) -> bool:
    """Whether the model validates more than its fields' types."""
    decorators = model.__pydantic_decorators__
    return bool(decorators.model_validators or decorators.field_validators or decorators.root_validators)


def _field(
    name: str,
    info: FieldInfo,
    faults: list[Fault],
    path: tuple[str, ...],
    key: str | None,
    checked: bool,
) -> Field | None:
    if "\x00" in name:
        faults.append(Fault(path, "the name holds a NUL character", "Rename the field"))
        return None
    annotation = info.annotation
    constrained = any(not isinstance(item, Kind) for item in info.metadata)
    field = _place(name, annotation, info.metadata, faults, path, checked or constrained)
    if field is None:
        return None
    if info.is_required() and field.kind.name not in NATURAL and name != key:
        faults.append(
            Fault(path, f"{kind_name(field.kind)} has no default", f"Give it one, such as `{name}: ... | None = None`")
        )
    default: Any = ABSENT
    if not info.is_required():
        try:
            value = info.get_default(call_default_factory=True, validated_data={})
            default = TypeAdapter(Any).dump_python(value, mode="json")
        except Exception as error:
            faults.append(
                Fault(path, f"its default cannot be made or stored ({error})", "Give it a JSON value as default")
            )
    elif field.kind.name in NATURAL:
        default = NATURAL[field.kind.name]()
    adapter: TypeAdapter[Any] = TypeAdapter(annotation)  # type: ignore[arg-type]

    def accepts(value: Any) -> bool:
        try:
            adapter.validate_python(value)
        except ValueError:
            return False
        return True

    object.__setattr__(field, "default", default)
    object.__setattr__(field, "accepts", accepts)
    return field


def _place(
    name: str, annotation: Any, metadata: Sequence[Any], faults: list[Fault], path: tuple[str, ...], checked: bool
) -> Field | None:
    """A field, or the values of a map: one annotation with its metadata."""
    kinds = kind_in(metadata)
    classes = [item for item in metadata if isinstance(item, type) and issubclass(item, Kind)]
    for item in classes:
        faults.append(
            Fault(path, f"the class {item.__name__} stands where an instance is meant", f"Write `{item.__name__}()`")
        )
    if classes:
        return None
    if len(kinds) > 1:
        names = ", ".join(kind_name(kind) for kind in kinds)
        faults.append(Fault(path, f"declares more than one kind ({names})", "Keep one"))
        return None
    if not kinds:
        if is_state_model(annotation):
            fields = fields_of(annotation, faults, path[:-2], checked=checked)
            checked = checked or has_validators(annotation) or any(field.checked for field in fields.values())
            return Field(name, Record(), "record", fields=fields, checked=checked)
        mend = f"Declare one: {hint(annotation)}"
        faults.append(Fault(path, f"declares no kind (its type is {type_name(annotation)})", mend))
        return None
    kind = kinds[0]
    check = _CHECKS.get(kind.name)
    if check is None:
        return Field(name, kind, kind.tag(), checked=checked)
    return check(name, kind, annotation, faults, path, checked)


def _scalar(
    name: str, kind: Any, annotation: Any, faults: list[Fault], path: tuple[str, ...], checked: bool
) -> Field | None:
    resolve = kind.resolve
    if kind.provisional not in ("agreed", "first", "latest"):
        faults.append(Fault(path, f"unknown provisional={kind.provisional!r}", 'Use "agreed", "first" or "latest"'))
    rank: Callable[[JSON], Any] = decode
    if isinstance(resolve, str):
        if resolve not in POLICIES:
            known = ", ".join(f'"{policy}"' for policy in POLICIES)
            faults.append(
                Fault(path, f"unknown policy resolve={resolve!r}", f"Use {known}, priority(...) or a function")
            )
        elif resolve in ("max", "min"):
            if is_ranked(annotation):
                rank = rank_of(annotation)
            else:
                mend = 'Use "first", "latest", priority(...) or a function'
                faults.append(Fault(path, f'the policy "{resolve}" cannot order {type_name(annotation)}', mend))
    elif resolve is not None and not isinstance(resolve, Priority) and not callable(resolve):
        faults.append(
            Fault(path, f"resolve={resolve!r} is no policy", "Use a policy's name, priority(...) or a function")
        )
    return Field(name, kind, kind.tag(), canon=canon_of(annotation), rank=rank, checked=checked)


def _set(
    name: str, kind: Any, annotation: Any, faults: list[Fault], path: tuple[str, ...], checked: bool
) -> Field | None:
    element = element_of(annotation, _SETS)
    if element is None:
        faults.append(
            Fault(
                path,
                f"Set() on {type_name(annotation)}",
                "Set() takes set, frozenset or list; for one value use Scalar()",
            )
        )
        return None
    bare, metadata = split_annotation(element)
    record = isinstance(bare, type) and issubclass(bare, BaseModel)
    if kind.by is None:
        if record and get_origin(annotation) is list:
            mend = 'Name the field that identifies a record: Set(by="id"); or use List() where order counts'
            faults.append(Fault(path, f"Set() on a list of records ({type_name(bare)})", mend))
        return Field(name, kind, kind.tag(), canon=canon_of(element), checked=checked)
    if not record or kind.by not in bare.model_fields:
        faults.append(
            Fault(
                path,
                f'Set(by="{kind.by}") on {type_name(element)}',
                f"The elements must be models with a field {kind.by!r}",
            )
        )
        return None
    child = _value_field(bare, metadata, faults, path, checked, key=kind.by)
    return child and Field(name, kind, kind.tag(child.tag), child=child, checked=checked or child.checked)


def _map(
    name: str, kind: Any, annotation: Any, faults: list[Fault], path: tuple[str, ...], checked: bool
) -> Field | None:
    origin = get_origin(annotation) or annotation
    arguments = get_args(annotation) or (str, Any)
    if origin not in _DICTS or len(arguments) != 2:
        faults.append(
            Fault(path, f"Map() on {type_name(annotation)}", "Map() takes dict[str, ...]; for one value use Scalar()")
        )
        return None
    if arguments[0] is not str:
        faults.append(
            Fault(
                path,
                f"Map() with keys of type {type_name(arguments[0])}",
                "Use dict[str, ...]: JSON objects have strings as keys",
            )
        )
        return None
    bare, metadata = split_annotation(arguments[1])
    child = _value_field(bare, metadata, faults, path, checked)
    return child and Field(name, kind, kind.tag(child.tag), child=child, checked=checked or child.checked)


def _value_field(
    bare: Any,
    metadata: Sequence[Any],
    faults: list[Fault],
    path: tuple[str, ...],
    checked: bool,
    key: str | None = None,
) -> Field | None:
    """How the values of a map merge: by their kind, field by field if they are state models, else as scalars."""
    if not any(isinstance(m, Kind) or (isinstance(m, type) and issubclass(m, Kind)) for m in metadata):
        if is_state_model(bare):
            fields = fields_of(bare, faults, path[:-2], key, checked)
            checked = checked or has_validators(bare) or any(field.checked for field in fields.values())
            return Field("", Record(), "record", fields=fields, checked=checked)
        metadata = (*metadata, Scalar())
    constrained = any(not isinstance(item, Kind) for item in metadata)
    return _place("", bare, metadata, faults, path, checked or constrained)


def _text(
    name: str, kind: Any, annotation: Any, faults: list[Fault], path: tuple[str, ...], checked: bool
) -> Field | None:
    if annotation is not str:
        faults.append(
            Fault(path, f"Text() on {type_name(annotation)}", f"Text() takes str; what fits: {hint(annotation)}")
        )
        return None
    if kind.overlap not in ("escalate", "merge"):
        faults.append(Fault(path, f"unknown overlap={kind.overlap!r}", 'Use "escalate" or "merge"'))
    if not isinstance(kind.separator, str):
        faults.append(Fault(path, f"separator={kind.separator!r} is no text", "Give a string"))
    return Field(name, kind, kind.tag(), checked=checked)


def _counter(
    name: str, kind: Any, annotation: Any, faults: list[Fault], path: tuple[str, ...], checked: bool
) -> Field | None:
    if annotation not in (int, float, Decimal):
        faults.append(
            Fault(
                path,
                f"Counter() on {type_name(annotation)}",
                f"Counter() takes int, float or Decimal; what fits: {hint(annotation)}",
            )
        )
        return None
    return Field(name, kind, kind.tag(), checked=checked)


def _list(
    name: str, kind: Any, annotation: Any, faults: list[Fault], path: tuple[str, ...], checked: bool
) -> Field | None:
    element = element_of(annotation, _LISTS)
    if element is None:
        faults.append(
            Fault(path, f"List() on {type_name(annotation)}", f"List() takes list; what fits: {hint(annotation)}")
        )
        return None
    return Field(name, kind, kind.tag(), canon=canon_of(element), checked=checked)


_CHECKS: dict[str, Callable[..., Field | None]] = {
    Scalar.name: _scalar,
    Set.name: _set,
    Map.name: _map,
    Text.name: _text,
    Counter.name: _counter,
    List.name: _list,
}
