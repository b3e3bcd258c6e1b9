"""Validates what is written: Pydantic's lax mode decides, the JSON form is stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, get_args, get_origin

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field as PydanticField,
    PlainValidator,
    ValidationError,
    WrapValidator,
    with_config,
)
from typing_extensions import TypedDict  # pydantic asks for this one before Python 3.12

from concordant.errors import Fault
from concordant.kinds import Counter, Field, Kind, List, Map, Record, Scalar, Set
from concordant.values import check_text

__all__ = ["are_distinct", "collapsed", "has_records", "incoming_type", "split_faults", "unwrapped", "validators_of"]

_KEPT = ("str_strip_whitespace", "str_to_lower", "str_to_upper", "arbitrary_types_allowed", "use_enum_values",
         "ser_json_bytes", "val_json_bytes", "ser_json_timedelta", "str_max_length", "str_min_length",
         "coerce_numbers_to_str", "regex_engine")  # fmt: skip


def incoming_type(model: type[BaseModel], fields: Mapping[str, Field]) -> Any:
    """The type of one write: a dict of the fields given, containers as lists and dicts of what is added, so that
    constraints on the merged value (``max_length``, ``ge``) do not judge the contribution."""
    config: dict[str, Any] = {key: value for key, value in model.model_config.items() if key in _KEPT}
    definitions: dict[str, Any] = {}
    for name, field in fields.items():
        info = model.model_fields[name]
        annotation: Any = info.annotation
        if isinstance(field.kind, Scalar):
            checks = [item for item in info.metadata if not isinstance(item, Kind)] + validators_of(model, name)
            annotation = Annotated[(annotation, *checks)] if checks else annotation
        definitions[name] = _contribution(annotation, field)
    settings = ConfigDict(**config, extra="forbid", strict=False, ser_json_inf_nan="constants")  # type: ignore[typeddict-item]
    return with_config(settings)(TypedDict(f"{model.__name__}Write", definitions, total=False))  # type: ignore[operator]


_WRAPPERS = {"before": BeforeValidator, "after": AfterValidator, "wrap": WrapValidator, "plain": PlainValidator}


def validators_of(model: type[BaseModel], name: str) -> list[Any]:
    """The model's own validators of one field, as parts of an annotation."""
    found = []
    for decorator in model.__pydantic_decorators__.field_validators.values():
        if name in decorator.info.fields or "*" in decorator.info.fields:
            found.append(_WRAPPERS[decorator.info.mode](decorator.func))
    return found


def unwrapped(value: Any, field: Field, *, everything: bool) -> Any:
    """A value with instances of state models as dicts, which is how a write's type has them.

    Args:
        everything: all fields of an instance (an edit's), or those that were set (a contribution's).
    """
    if isinstance(field.kind, Record):
        if isinstance(value, BaseModel):
            names = type(value).model_fields if everything else value.model_fields_set
            value = {name: getattr(value, name) for name in names}
        if isinstance(value, dict):
            return {
                name: unwrapped(item, field.fields[name], everything=everything) if name in field.fields else item
                for name, item in value.items()
            }
    elif field.child is not None:
        if isinstance(value, dict):
            return {key: unwrapped(item, field.child, everything=everything) for key, item in value.items()}
        if isinstance(value, (list, tuple, set, frozenset)):
            return [unwrapped(item, field.child, everything=everything) for item in value]
    return value


def collapsed(given: Any, stored: Any, path: tuple[Any, ...] = ()) -> tuple[Any, ...] | None:
    """The path of a dict several keys of which became one in its JSON form; ``None`` if there is none."""
    if isinstance(given, dict) and isinstance(stored, dict):
        for name in given:
            if isinstance(name, str) and not name.isascii():
                check_text(name, (*path, name))  # the JSON form would hold replacement characters
        if len(given) != len(stored):
            return path
        if all(isinstance(name, str) for name in given):
            inner: Any = ((name, one, stored.get(name)) for name, one in given.items())
        else:
            inner = ((name, one, other) for (name, one), other in zip(given.items(), stored.values(), strict=True))
    elif isinstance(given, (list, tuple)) and isinstance(stored, list) and len(given) == len(stored):
        inner = ((place, one, other) for place, (one, other) in enumerate(zip(given, stored, strict=True)))
    else:
        return None
    for name, one, other in inner:
        if isinstance(one, (dict, list, tuple)):
            found = collapsed(one, other, (*path, name))
            if found is not None:
                return found
    return None


def are_distinct(elements: Sequence[Any]) -> bool:
    """Whether elements are surely different: Python's equality tells of text only, others need a closer look."""
    if len(elements) < 2:
        return True
    try:
        "".join(elements)
    except TypeError:
        return False
    return len(set(elements)) == len(elements)


def has_records(field: Field) -> bool:
    """Whether there are state models below a field."""
    if isinstance(field.kind, Record):
        return True
    return field.child is not None and has_records(field.child)


def _contribution(annotation: Any, field: Field) -> Any:
    kind = field.kind
    if isinstance(kind, Record):
        return incoming_type(annotation, field.fields)
    arguments = get_args(annotation)
    if isinstance(kind, Map):
        value = arguments[1] if arguments else Any
        assert field.child is not None
        return dict[str, _value(value, field.child)]  # type: ignore[misc]
    if isinstance(kind, Set) and kind.by is not None:
        assert field.child is not None
        return Annotated[list[_value(arguments[0], field.child)], AfterValidator(_one_each(kind.by))]  # type: ignore[misc]
    if isinstance(kind, Set):
        element = arguments[0] if arguments else Any
        return list[element]  # type: ignore[valid-type]
    if isinstance(kind, List):
        return list[arguments[0]] if arguments else list[Any]  # type: ignore[valid-type]
    if isinstance(kind, Counter) and annotation is float:
        return Annotated[float, PydanticField(allow_inf_nan=False)]
    return annotation


def _value(annotation: Any, field: Field) -> Any:
    if get_origin(annotation) is Annotated:
        bare, *metadata = get_args(annotation)
        inner = _contribution(bare, field)
        constraints = (
            [item for item in metadata if not isinstance(item, Kind)] if isinstance(field.kind, Scalar) else []
        )
        return Annotated[(inner, *constraints)] if constraints else inner
    return _contribution(annotation, field)


def _one_each(by: str) -> Any:
    def one_each(value: list[Any]) -> list[Any]:
        keyed: dict[Any, Any] = {}
        for record in value:
            identity = record.get(by) if isinstance(record, dict) else getattr(record, by)
            if identity is None:
                raise ValueError(f"every record needs its {by!r}, by which it is identified")
            if identity in keyed:
                raise ValueError(f"two records have the same {by!r}: {identity!r}")
            keyed[identity] = record
        return value

    return one_each


def split_faults(
    error: ValidationError, value: dict[str, Any], fields: Mapping[str, Field]
) -> tuple[list[Fault], dict[tuple[str, ...], Fault]]:
    """Sorts a validation's errors: unknown fields refuse the whole write, the rest can be parked by path."""
    fatal: list[Fault] = []
    parked: dict[tuple[str, ...], Fault] = {}
    for item in error.errors(include_url=False):
        location = item["loc"]
        if item["type"] == "extra_forbidden":
            known = ", ".join(fields) if len(location) == 1 else "those of its model"
            fatal.append(Fault(location, "the model has no such field", f"Known fields: {known}", item["input"]))
            continue
        if not location:
            fatal.append(Fault((), str(item["msg"]), "Give a dict of the model's fields"))
            continue
        path = _park_at(location, fields)
        parked[path] = Fault(location, str(item["msg"]), "Give a value of the declared type", item["input"])
    return fatal, parked


def _park_at(location: tuple[Any, ...], fields: Mapping[str, Field]) -> tuple[str, ...]:
    """The smallest part of a write that can wait by itself: a field, a key of a map, a field of a nested record."""
    name, *rest = location
    field = fields[name]
    path = [name]
    while rest and isinstance(rest[0], str) and rest[0] != "[key]":
        if isinstance(field.kind, Record) and rest[0] in field.fields:
            field = field.fields[rest[0]]
        elif isinstance(field.kind, Map) and field.child is not None:
            field = field.child
        else:
            break
        path.append(rest.pop(0))
    return tuple(path)
