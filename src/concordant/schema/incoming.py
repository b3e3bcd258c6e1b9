"""Validates what is written: Pydantic's lax mode decides, the JSON form is stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache, partial
from itertools import count
from typing import Annotated, Any, Literal, TypeAlias, get_args

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field as PydanticField,
    PlainValidator,
    StringConstraints,
    ValidationError,
    WrapValidator,
    with_config,
)
from typing_extensions import TypedDict  # pydantic asks for this one before Python 3.12

from concordant.errors import Fault, told
from concordant.merge.kinds import Field
from concordant.schema.annotations import annotated, split_annotation, without_none
from concordant.schema.keys import key_text
from concordant.schema.models import (
    checks_among,
    config_of,
    fields_in,
    is_instance,
    metadata_of,
    said_by,
    strays_in,
    validators_of,
)
from concordant.values import ABSENT, check_text, encode

__all__ = [
    "are_distinct",
    "collapsed",
    "contribution",
    "has_records",
    "in_one_order",
    "incoming_type",
    "key_read_otherwise",
    "split_faults",
    "untouched_left_out",
    "unwrapped",
    "with_identity",
    "write_type",
]

_KEPT = ("str_strip_whitespace", "str_to_lower", "str_to_upper", "arbitrary_types_allowed", "use_enum_values",
         "ser_json_bytes", "val_json_bytes", "ser_json_timedelta", "str_max_length", "str_min_length",
         "coerce_numbers_to_str", "regex_engine")  # fmt: skip


Left: TypeAlias = "tuple[Literal['containers', 'scalars'], ...]"


def incoming_type(model: Any, fields: Mapping[str, Field], *, left: Left = ()) -> Any:
    """Returns the type of one write: a dict of the fields given, containers as lists and dicts of what is added, so
    that constraints on the merged value (``max_length``, ``ge``) do not judge the contribution.

    Args:
        left: to what the merged document is left to see: validators may judge the whole by what is contributed to it,
            or need to know more than that.
    """
    infos = fields_in(model)
    definitions: dict[str, Any] = {}
    for name, field in fields.items():
        metadata = (*metadata_of(infos[name]), *validators_of(model, name))
        definitions[name] = contribution(infos[name].annotation, field, metadata, left=left)
    return write_type(model, definitions)


def write_type(model: Any, definitions: Mapping[str, Any]) -> Any:
    """Returns the type of a dict of the fields given, with what a model's configuration says of their values.

    Args:
        definitions: the types of the fields by name.
    """
    config: dict[str, Any] = {key: value for key, value in config_of(model).items() if key in _KEPT}
    settings = ConfigDict(**config, extra="forbid", strict=False, ser_json_inf_nan="constants")  # type: ignore[typeddict-item]
    return with_config(settings)(TypedDict(f"{model.__name__}Write", dict(definitions), total=False))  # type: ignore[operator]


def unwrapped(value: Any, field: Field, *, everything: bool, before: Any = None, validated: bool = False) -> Any:
    """Returns a value with instances of state models as dicts, which is how a write's type has them.

    Args:
        everything: all fields of an instance (an edit's), or those that were set (a contribution's).
        before: the value as it was before an edit, where that is known: of instances that are new since (``ABSENT``)
            those fields count that were set.
        validated: whether the value comes from an instance, and so is what validation has made.
    """
    if field.kind.holds == "fields":
        if is_instance(value):
            said = said_by(value, everything=everything and before is not ABSENT)
            value, validated = {**said, **strays_in(value, before)}, True
        if not isinstance(value, dict):
            return value
        fields = field.fields
        return {
            name: item
            if name not in fields or fields[name].stays
            else unwrapped(item, fields[name], everything=everything, before=_part(before, name), validated=validated)
            for name, item in value.items()
        }
    if field.child is not None:
        return _unwrapped_children(value, field, everything=everything, before=before, validated=validated)
    return field.form(value) if field.form is not None and validated else value


def _unwrapped_children(value: Any, field: Field, *, everything: bool, before: Any, validated: bool) -> Any:
    assert field.child is not None
    inside = partial(unwrapped, field=field.child, everything=everything, validated=validated)
    if isinstance(value, Mapping):
        texts = field.keys.as_text(value) if field.keys else value
        if field.child.stays:
            return dict(zip(texts, value.values(), strict=True))
        pairs = zip(texts, value.items(), strict=True)
        return {text: inside(item, before=_part(before, key)) for text, (key, item) in pairs}
    if isinstance(value, _LISTS):
        if field.child.stays:
            return [*value]
        known = {_identity(item, field): item for item in before} if isinstance(before, _LISTS) else {}
        missing = None if before is None else ABSENT
        return [
            with_identity(item, inside(item, before=known.get(_identity(item, field), missing)), field)
            for item in value
        ]
    return value


def with_identity(record: Any, told: Any, field: Field) -> Any:
    """Returns the fields that a record in a list tells, with the identity that its model has made for it.

    Nobody has set that, but it is another one in each record, and this one is known by it.
    """
    by = field.kind.key_field or ""
    if not is_instance(record) or is_instance(told) or by in told or field.child is None:
        return told  # one that has no kinds stays an instance, with all of its fields
    declared = fields_in(type(record)).get(by)
    if declared is None or declared.default_factory is None:
        return told
    return {**told, by: unwrapped(getattr(record, by), field.child.fields[by], everything=True, validated=True)}


_LISTS = (list, tuple, set, frozenset)


def _identity(record: Any, field: Field) -> Any:
    """What identifies a record in a list."""
    found = _part(record, field.kind.key_field)  # a map that was given a list has none
    try:
        hash(found)
    except TypeError:
        return None
    return found


@lru_cache(maxsize=256)
def _is_mapping(kind: type) -> bool:
    return issubclass(kind, Mapping)


def _part(value: Any, name: Any) -> Any:
    """A field of an instance or a value of a dict; ``ABSENT`` if it has none, ``None`` if nothing is known of it."""
    if value is None:
        return None
    kind: Any = type(value)
    found = value.get(name) if _is_mapping(kind) else getattr(value, str(name), None)
    return ABSENT if found is None else found


def collapsed(given: Any, stored: Any, others: set[Any], path: tuple[Any, ...] = ()) -> tuple[Any, ...] | None:
    """Returns the path of a dict several keys of which became one in its JSON form; ``None`` if there is none.

    Args:
        others: where the names of the fields are noted that have other keys than text somewhere.
    """
    inner: Iterable[tuple[Any, Any, Any]]  # the parts of a container, each with its name or place and its JSON form
    if isinstance(given, dict) and isinstance(stored, dict):
        if not "".join([name for name in given if isinstance(name, str)]).isascii():
            _check_names(given, path)
        if len(given) != len(stored):
            return path
        inner = zip(given, given.values(), _in_order_of(given, stored, others, path), strict=True)
    elif isinstance(given, (list, tuple)) and isinstance(stored, list) and len(given) == len(stored):
        inner = zip(count(), given, stored)
    else:
        return None
    for name, one, other in inner:
        if isinstance(one, (dict, list, tuple)):
            found = collapsed(one, other, others, (*path, name))
            if found is not None:
                return found
    return None


def _in_order_of(
    given: dict[Any, Any], stored: dict[str, Any], others: set[Any], path: tuple[Any, ...]
) -> Iterable[Any]:
    if all(isinstance(name, str) for name in given):
        return map(stored.get, given)
    others.add(path[0])
    return stored.values()


def key_read_otherwise(given: Any, read: Any, path: tuple[Any, ...]) -> tuple[Any, ...] | None:
    """Returns the path of a key of a dict that is another one when its JSON form is read; ``None`` if there is none."""
    inner: Iterable[tuple[Any, Any, Any]]
    if isinstance(given, dict) and isinstance(read, dict):
        for key, other in zip(given, read, strict=False):
            if not isinstance(key, str) and (type(key) is not type(other) or key != other):
                return (*path, key)
        inner = zip(given, given.values(), read.values(), strict=False)
    elif isinstance(given, (list, tuple)) and isinstance(read, (list, tuple)):
        inner = zip(count(), given, read, strict=False)
    else:
        return None
    found = (key_read_otherwise(one, other, (*path, name)) for name, one, other in inner)
    return next((place for place in found if place is not None), None)


def _check_names(given: dict[Any, Any], path: tuple[Any, ...]) -> None:
    """Refuses names whose JSON form would hold replacement characters."""
    for name in given:
        if isinstance(name, str):
            check_text(name, (*path, name))


def are_distinct(elements: Sequence[Any]) -> bool:
    """Tells whether elements are surely different: Python's equality tells of text only, others need a closer look."""
    if len(elements) < 2:
        return True
    try:
        "".join(elements)
    except TypeError:
        return False
    return len(set(elements)) == len(elements)


def has_records(field: Field) -> bool:
    """Tells whether there are state models below a field."""
    if field.kind.holds == "fields":
        return True
    return field.child is not None and has_records(field.child)


def contribution(annotation: Any, field: Field, metadata: Sequence[Any] = (), *, left: Left = ()) -> Any:
    """Returns the type of what is contributed to a field.

    Args:
        metadata: what is declared about it: the kind, constraints, validators.
        left: as for ``incoming_type``.
    """
    kind = field.kind
    checks = checks_among(metadata)
    if kind.is_leaf:
        return _of_scalar(annotation, checks, left=left)
    if kind.holds == "fields":
        bare = without_none(annotation)
        inner = incoming_type(bare, field.fields, left=left)
        return inner if bare is annotation else inner | None
    if field.child is not None:
        return _of_children(annotation, field, left=left)
    functions = _functions(checks, left=left, amount=kind.holds == "amount")
    if kind.holds == "amount" and annotation is float:
        functions = [PydanticField(allow_inf_nan=False), *functions]
    if kind.holds in ("elements", "items") and all(isinstance(item, BeforeValidator) for item in functions):
        annotation = list[(get_args(annotation) or (Any,))[0]]  # type: ignore[misc]  # in the order given
        if kind.holds == "elements":
            functions = [BeforeValidator(in_one_order), *functions]
    return annotated(annotation, functions)


def in_one_order(value: Any) -> Any:
    """Returns a Python set as a list, for its order is another in each process; any other value as it is."""
    return sorted(value, key=repr) if type(value) in (set, frozenset) else value


def _of_scalar(annotation: Any, checks: list[Any], *, left: Left) -> Any:
    kept = [item for item in checks if not isinstance(item, _JUDGING)] if "scalars" in left else checks
    return annotated(annotation, kept)


def _of_children(annotation: Any, field: Field, *, left: Left) -> Any:
    """The type of a contribution to a container of things that merge by themselves."""
    assert field.child is not None
    arguments = get_args(annotation) or (str, Any)
    bare, metadata = split_annotation(arguments[-1] if field.kind.holds == "keys" else arguments[0])
    value = contribution(bare, field.child, metadata, left=left)
    if field.kind.holds == "keys":
        key = str if field.keys is None else Annotated[str, AfterValidator(field.keys.text)]
        return dict[key, value]  # type: ignore[valid-type]
    return Annotated[list[value], AfterValidator(_one_each(field.kind.key_field or ""))]  # type: ignore[valid-type]


def _functions(metadata: Sequence[Any], *, left: Left, amount: bool) -> list[Any]:
    """Of what is declared about a container, text or number that which makes something else of it.

    A contribution is a part of the value, of which constraints cannot be told, and an amount is no value at all: those
    are for the merged document.
    """
    judging = (WrapValidator, PlainValidator) if amount else _JUDGING
    found: list[Any] = []
    for item in metadata:
        if isinstance(item, StringConstraints):
            kept = {name: getattr(item, name) for name in ("strip_whitespace", "to_lower", "to_upper")}
            found.append(StringConstraints(**kept))
        elif isinstance(item, BeforeValidator) or (isinstance(item, judging) and "containers" not in left):
            found.append(item)
    return found


_JUDGING = (AfterValidator, WrapValidator, PlainValidator)


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
    error: ValidationError, value: dict[str, Any], fields: Mapping[str, Field], *, shown: bool
) -> tuple[list[Fault], dict[tuple[str, ...], list[Fault]]]:
    """Sorts a validation's errors: unknown fields refuse the whole write, the rest can be parked by path.

    Args:
        shown: whether the faults may show what was given.
    """
    fatal: list[Fault] = []
    parked: dict[tuple[str, ...], dict[Any, Fault]] = {}
    spellings: _Spellings = {}
    for item in error.errors(include_url=False):
        location, given = item["loc"], item["input"]
        path = _path_in(value, location, spellings, missing=item["type"] == "missing")
        if item["type"] == "extra_forbidden":
            known = _known_at(path[:-1], fields)
            fatal.append(Fault(path, "the model has no such field", f"Known fields: {known}", given))
            continue
        if not location:
            fatal.append(Fault((), str(item["msg"]), "Give a dict of the model's fields"))
            continue
        problem = f"its key: {item['msg']}" if location[-1] == _KEY else str(item["msg"])
        mend = f"Give a value of the declared type, not {told(given, 80)}" if shown else "Give one of the declared type"
        faults = parked.setdefault(_park_at(location, fields), {})
        before = faults.get(path)  # what another member of a union says of it
        faults[path] = Fault(path, problem if before is None else f"{before.problem}; or: {problem}", mend, given)
    return fatal, {path: [*faults.values()] for path, faults in parked.items()}


_KEY = "[key]"
"""What Pydantic adds to the location of an error in a key."""

_Spellings: TypeAlias = "dict[int, tuple[Mapping[Any, Any], dict[str, Any]]]"
"""By its id a dict, and those of its keys that are neither text nor numbers, by what Pydantic calls them."""


def _path_in(value: Any, location: tuple[Any, ...], spellings: _Spellings, *, missing: bool) -> tuple[Any, ...]:
    """Where in a value an error is: its location without what stands in no value, such as a member of a union."""
    path: list[Any] = []
    for step in location[:-1] if missing else location:
        if is_instance(value):
            value = said_by(value, everything=True)
        key = step
        if isinstance(value, Mapping) and step not in value:
            key = _spelt_so(value, spellings).get(step, ABSENT)
        if isinstance(value, Mapping) and key is not ABSENT:
            path.append(key_text(key))
            value = value[key]
        elif isinstance(step, int):
            path.append(step)
            value = value[step] if isinstance(value, Sequence) and step < len(value) else None
    return (*path, location[-1]) if missing else tuple(path)


def _spelt_so(value: Mapping[Any, Any], spellings: _Spellings) -> dict[str, Any]:
    if id(value) not in spellings:
        spellings[id(value)] = value, {repr(key): key for key in value if not isinstance(key, (str, int))}
    return spellings[id(value)][1]


def _known_at(path: tuple[Any, ...], fields: Mapping[str, Field]) -> str:
    """The names of the fields that there are at a place."""
    field: Field | None = None
    for step in path:
        field = fields.get(step) if fields else field and field.child
        fields = field.fields if field is not None else {}
    return ", ".join(fields) or "those of its model"


def _park_at(location: tuple[Any, ...], fields: Mapping[str, Field]) -> tuple[str, ...]:
    """The smallest part of a write that can wait by itself: a field, a key of a map, a field of a nested record."""
    name, *rest = location
    field = fields[name]
    path = [name]
    while rest and isinstance(rest[0], str) and rest[0] != _KEY:
        if field.kind.holds == "fields" and rest[0] in field.fields:
            field = field.fields[rest[0]]
        elif field.kind.holds == "keys" and field.child is not None:
            field = field.child
        else:
            break
        path.append(rest.pop(0))
    return tuple(path)


def untouched_left_out(field: Field, before: Any, after: Any) -> Any:
    """Returns the value of a field after an edit, without the fields of records that are as they were before it.

    So a default that a reader was shown, and left, is not written. Keys of maps and identities of records stay: one
    that is missing says that it was removed.
    """
    if field.kind.holds == "fields":
        if not isinstance(after, dict) or not isinstance(before, dict):
            return after
        found: dict[str, Any] = {}
        for name, item in after.items():
            part = field.fields[name]
            if name not in before or not part.kind.alike(part, item, before[name]):
                found[name] = untouched_left_out(part, before.get(name, ABSENT), item)
        return found
    child = field.child
    if child is None or child.kind.holds != "fields" or before is ABSENT:
        return after
    if field.kind.holds == "keys":
        return {key: untouched_left_out(child, before.get(key, ABSENT), item) for key, item in after.items()}
    by = field.kind.key_field or ""
    known = {encode(record[by]): record for record in before}
    return [
        {by: record[by], **untouched_left_out(child, known.get(encode(record[by]), ABSENT), record)} for record in after
    ]
