"""Whether what is stored of a type reads back as the same value: told by the type, else tried out."""

from __future__ import annotations

import collections.abc
import dataclasses
import enum
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, NamedTuple, TypeAlias, Union, get_args, get_origin

from pydantic import (
    FutureDate,
    FutureDatetime,
    InstanceOf,
    JsonValue,
    RootModel,
    SecretBytes,
    SecretStr,
    TypeAdapter,
    ValidationError,
)
from pydantic.errors import PydanticUserError
from pydantic.fields import FieldInfo

from concordant.errors import Fault, InvalidWriteError, told
from concordant.merge.kinds import Field
from concordant.schema.annotations import (
    adapter_of,
    annotated,
    forms_of,
    members_of,
    split_annotation,
    stands_for,
    type_name,
    without_none,
)
from concordant.schema.equality import LENIENT, are_equal, in_order, is_uuid
from concordant.schema.keys import is_key_type
from concordant.schema.models import (
    checks_among,
    config_of,
    decorators_of,
    fields_in,
    has_validators,
    is_instance,
    is_model,
    is_typed_dict,
    only_constrains,
    validators_of,
)
from concordant.schema.samples import ANYTHING, samples_of
from concordant.schema.schema import Compiled
from concordant.values import decode, encode

__all__ = ["form_of", "form_within", "is_faithful", "unfaithful"]

_FAITHFUL = (str, int, float, bool, type(None), Decimal, date, datetime, time, timedelta)
_NATIVE = (str, int, float, bool, type(None))
_HOLDERS = (list, set, frozenset, tuple, dict)
_HARMLESS = {
    "title", "extra", "frozen", "populate_by_name", "validate_by_name", "validate_by_alias", "alias_generator",
    "arbitrary_types_allowed", "validate_assignment", "validate_default", "strict", "from_attributes",
    "protected_namespaces", "json_schema_extra", "use_attribute_docstrings", "defer_build", "serialize_by_alias",
    "revalidate_instances", "hide_input_in_errors", "loc_by_alias", "str_strip_whitespace", "str_max_length",
    "str_min_length", "ignored_types", "allow_inf_nan",
}  # fmt: skip
"""What a model's configuration may say without a change of what is stored and read."""


def is_faithful(annotation: Any, metadata: tuple[Any, ...] = (), inside: tuple[Any, ...] = ()) -> bool:
    """Tells whether it can be told from a type that each value reads back as the same."""
    bare, own = split_annotation(annotation)
    if not all(map(only_constrains, (*own, *metadata))):
        return False
    return bare in (Any, object, JsonValue) or bare in inside or _is_faithful_type(bare, inside)


def _is_faithful_type(bare: Any, inside: tuple[Any, ...]) -> bool:
    named = stands_for(bare)
    if named is not None:
        return is_faithful(named, inside=(*inside, bare))
    origin, arguments = get_origin(bare), get_args(bare)
    if origin is typing.Literal:
        return _are_plain(arguments)
    if origin in (Union, types.UnionType):
        return _is_told_apart(arguments) and all(is_faithful(member, inside=inside) for member in arguments)
    if origin in _HOLDERS:
        keyed = origin is dict
        parts = [argument for argument in arguments if argument is not Ellipsis]
        return (not keyed or is_key_type(arguments[0])) and all(is_faithful(part, inside=inside) for part in parts)
    return _is_faithful_class(bare, inside)


def _are_plain(values: tuple[Any, ...]) -> bool:
    """Whether the values of a ``Literal`` are of one type that JSON has."""
    kinds = {type(value) for value in values if value is not None}
    return len(kinds) < 2 and all(kind in _NATIVE or _has_plain_members(kind) for kind in kinds)


def _is_faithful_class(bare: Any, inside: tuple[Any, ...]) -> bool:
    if not isinstance(bare, type):
        return False
    if issubclass(bare, enum.Enum):
        return _has_plain_members(bare)
    if is_model(bare):
        return _is_plain_model(bare, (*inside, bare))
    return bare in _FAITHFUL or bare in _HOLDERS[:1] or bare is dict or is_uuid(bare)


def _is_told_apart(members: tuple[Any, ...]) -> bool:
    """Whether the members of a union differ in the JSON type of their values."""
    sorts: list[str] = []
    for member in members:
        bare, _ = split_annotation(member)
        origin = get_origin(bare) or bare
        if origin in (list, set, frozenset, tuple):
            sorts.append("array")
        elif origin is dict or is_model(origin):
            sorts.append("object")
        elif bare in _NATIVE:
            sorts.append(bare.__name__)
        else:
            sorts.append("text")
    if len(set(sorts)) < len(sorts):
        return False
    return "text" not in sorts or not {"str", "int", "float", "bool"} & set(sorts)


def _has_plain_members(members: type) -> bool:
    if not issubclass(members, enum.Enum):
        return False
    kinds = {type(member.value) for member in members}
    plain = kinds in ({str}, {int}) and not issubclass(members, enum.Flag)
    return plain and "_missing_" not in vars(members) and not hasattr(members, "__get_pydantic_core_schema__")


def _makes_fields(model: Any) -> bool:
    """Whether a dataclass makes some of its fields itself."""
    return dataclasses.is_dataclass(model) and (
        "__post_init__" in vars(model) or not all(part.init for part in dataclasses.fields(model))
    )


def _is_plain_model(model: Any, inside: tuple[Any, ...]) -> bool:
    config, decorators = config_of(model), decorators_of(model)
    if (
        has_validators(model)
        or set(config) - _HARMLESS
        or config.get("extra") == "allow"
        or issubclass(model, RootModel)
    ):
        return False
    if decorators is not None and (decorators.field_serializers or decorators.model_serializers):
        return False
    if "__get_pydantic_core_schema__" in vars(model) or _makes_fields(model):
        return False
    try:
        fields = fields_in(model)
    except NameError:
        return False
    return all(_is_plain_field(info, inside) for info in fields.values())


def _is_plain_field(info: FieldInfo, inside: tuple[Any, ...]) -> bool:
    return not info.exclude and is_faithful(_whole(info), inside=inside) and _takes_default(info)


def _takes_default(info: FieldInfo, validators: Sequence[Any] = ()) -> bool:
    """Whether a default that Pydantic takes unseen can be read when it was stored with the rest of its record."""
    if info.is_required() or info.default_factory is not None:
        return True
    try:
        _read_of(info.default, info, validators)
    except Exception:
        return False
    return True


def _read_of(value: Any, info: FieldInfo, validators: Sequence[Any], *, stored: bool = True) -> Any:
    """What a value of a field is when it is read back, or given as it is."""
    whole = _whole(info)
    adapter = adapter_of(annotated(whole, validators))
    return adapter.validate_python(forms_of(adapter)(value) if stored else value, **LENIENT)


def _defaults_in(annotation: Any, inside: tuple[Any, ...] = ()) -> Iterator[tuple[str, FieldInfo, list[Any]]]:
    """The fields with a default in the records of a type: the name of each, and its validators."""
    for model in members_of(annotation):
        if not is_model(model) or is_typed_dict(model) or model in inside:
            continue
        for name, info in fields_in(model).items():
            if not info.is_required():
                yield f"{model.__name__}.{name}", info, validators_of(model, name)
            yield from _defaults_in(info.annotation, (*inside, model))


def _unread_defaults(annotation: Any) -> Iterator[tuple[str, str]]:
    """What is wrong with defaults in the records of a type that could not be read once they were stored: the problem
    and the mend of each."""
    for name, info, validators in _defaults_in(annotation):
        if not _takes_default(info, validators):
            mend = "Give it one that its type takes"
            if _is_taken(info, validators):
                mend = "Let its validators take its JSON form too, as it is stored"
            elif info.default is None:
                mend = f"Write `{type_name(info.annotation)} | None`, or leave the default out"
            yield f"the default {told(info.default, 80)} of {name} could not be read back", mend


def _is_taken(info: FieldInfo, validators: Sequence[Any]) -> bool:
    """Whether a field's validators take its default as it stands."""
    try:
        _read_of(info.default, info, validators, stored=False)
    except Exception:
        return False
    return True


def _changed_defaults(annotation: Any) -> Iterator[tuple[str, str]]:
    """The same of defaults of which their validators make something else, to which Pydantic does not show them."""
    for name, info, validators in _defaults_in(annotation):
        try:
            default = info.get_default(call_default_factory=True, validated_data={})
            read = _read_of(default, info, validators)
            settled = are_equal(_read_of(read, info, validators), read)
        except Exception:
            continue  # one that depends on other fields, or on more than its value
        if settled and not are_equal(read, default):
            problem = f"the default {told(default, 80)} of {name} would be read back as {told(read, 80)}"
            yield problem, "Give it what its validators make of it, or show it to them: Field(validate_default=True)"


def _whole(info: FieldInfo) -> Any:
    if info.discriminator is not None:
        return object  # a union of models: tried out
    return annotated(info.annotation, info.metadata)


def form_of(annotation: Any, metadata: Any = ()) -> Callable[[Any], Any]:
    """Returns a function from a value of a type to its JSON form; what has none stays as it is."""
    dumped = forms_of(adapter_of(annotated(annotation, checks_among(metadata))))

    def form(value: Any) -> Any:
        try:
            found = dumped(value)
        except Exception:
            return value
        return in_order(value, found)

    return form


_LATER = (
    "a value that does today will not do any more when it is read later",
    "Use date or datetime, and check it where it is written",
)
_ONCE = ("a value of it can be gone through once only", "Use list, or Sequence")
_CODE = ("code has no JSON form", "Store its name as str, and look it up where it is used")
_NEVER: Mapping[Any, tuple[str, str]] = {
    FutureDate: _LATER,
    FutureDatetime: _LATER,
    collections.abc.Iterable: _ONCE,
    collections.abc.Generator: _ONCE,
    collections.abc.Callable: _CODE,
    type: _CODE,
}
"""Types no value of which can be kept: why, and the mend."""


def form_within(field: Field) -> Callable[[Any], Any] | None:
    """Returns a function from what validation has made of a field to what it takes; ``None`` where that is the same."""
    if field.form is not None or field.child is None or field.kind.holds != "keys":
        return field.form
    inner = form_within(field.child)
    return inner and (lambda value: {key: inner(item) for key, item in value.items()})


class _Place(NamedTuple):
    """A field that is tried out: its type, how a document with a value there looks, and where its model has it."""

    path: tuple[str, ...]
    annotation: Any
    wrap: Callable[[Any], dict[str, Any]]
    value: Callable[[Any], Any]


def unfaithful(compiled: Compiled) -> list[Fault]:
    """Tells what is wrong with the types of a model's fields: values that could not be stored, or be read back.

    Fields of which that cannot be told are tried out with some values.
    """
    model: Any = compiled.model
    faults: list[Fault] = []
    try:
        compiled.build({})
    except Exception as error:  # whatever its validators raise
        why = f"a document of which nothing was written yet could not be read ({_first(error)})"
        mend = "Let its validators, and model_post_init, take the defaults of its fields, or give it others"
        return [Fault((model.__name__,), why, mend)]
    for place in _places(model, compiled.root, (model.__name__,), dict, lambda document: document):
        unread = [Fault(place.path, *wrong) for wrong in _unread_defaults(place.annotation)]
        faults += unread
        problem = _problem(compiled, place)
        if problem is not None and not unread:
            typed = f"its type is {type_name(place.annotation)}: {problem}", _mend(place.annotation)
            faults += [Fault(place.path, *wrong) for wrong in [*_changed_defaults(place.annotation)] or [typed]]
    return faults


def _places(
    model: Any,
    field: Field,
    path: tuple[str, ...],
    wrap: Callable[[Any], dict[str, Any]],
    value: Callable[[Any], Any],
) -> Iterator[_Place]:
    """The fields of which it cannot be told whether they read back."""
    whole = bool(getattr(decorators_of(model), "model_validators", None))
    for name, part in field.fields.items():
        info = fields_in(model)[name]
        metadata = checks_among((*info.metadata, *validators_of(model, name)))
        doubtful = whole or not all(map(only_constrains, metadata))
        yield from _below(
            info.annotation,
            part,
            (*path, name),
            lambda item, name=name: wrap({name: item}),  # type: ignore[misc]
            lambda document, name=name: _part(value(document), name),  # type: ignore[misc]
            doubtful=doubtful,
            metadata=metadata,
        )


def _below(
    annotation: Any,
    field: Field,
    path: tuple[str, ...],
    wrap: Callable[[Any], dict[str, Any]],
    value: Callable[[Any], Any],
    *,
    doubtful: bool,
    metadata: Any = (),
) -> Iterator[_Place]:
    bare, _ = split_annotation(annotation)
    if field.kind.holds == "fields":
        yield from _places(without_none(bare), field, path, wrap, value)
        return
    if doubtful or (field.child is None and not is_faithful(annotation)):
        yield _Place(path, annotated(annotation, metadata), wrap, value)
    arguments = get_args(bare)
    if field.child is None or not arguments:
        return
    if field.kind.holds == "keys":
        inner: Any = arguments[1]
        inside = _in_map(samples_of(arguments[0])[:1], field, wrap, value)
    else:
        inner = split_annotation(arguments[0])[0]
        by = field.kind.key_field or ""
        inside = _in_list(samples_of(fields_in(inner)[by].annotation)[:1], by, wrap, value)
    if inside is not None:
        yield from _below(inner, field.child, path, *inside, doubtful=False)


_Way: TypeAlias = "tuple[Callable[[Any], dict[str, Any]], Callable[[Any], Any]]"


def _in_map(keys: list[Any], field: Field, wrap: Callable[[Any], Any], value: Callable[[Any], Any]) -> _Way | None:
    """How a value of a map is given and found."""
    if not keys:
        return None
    text = field.keys.text(keys[0]) if field.keys is not None else keys[0]
    return (lambda item: wrap({text: item})), (lambda document: value(document)[keys[0]])


def _in_list(keys: list[Any], by: str, wrap: Callable[[Any], Any], value: Callable[[Any], Any]) -> _Way | None:
    """How a record in a list is given and found."""
    if not keys:
        return None

    def given(item: Any) -> dict[str, Any]:
        record = item if is_instance(item) else {by: keys[0], **(item if isinstance(item, dict) else {})}
        return wrap([record])  # type: ignore[no-any-return]

    return given, lambda document: next(iter(value(document)))


def _part(holder: Any, name: str) -> Any:
    return holder[name] if isinstance(holder, Mapping) else getattr(holder, name)


def _problem(compiled: Compiled, place: _Place) -> str | None:
    """Why a type will not do; ``None`` if what is tried reads back."""
    never = _never(place.annotation)
    if never is not None:
        return never[0]
    honest = _is_of(place.annotation)
    binary = any(isinstance(m, type) and issubclass(m, (bytes, bytearray)) for m in members_of(place.annotation))
    last: str | None = None
    fine = False
    for sample, meant in _tried(compiled, place, binary=binary):
        problem, stored = _of_sample(compiled, place, sample, meant)
        if problem is None:
            fine = fine or not _is_empty(sample)
        elif honest(meant) and (stored or binary):
            return problem
        else:
            last = problem  # such a value is refused when it is written
    return None if fine else last or _of_instances(place.annotation)


def _tried(compiled: Compiled, place: _Place, *, binary: bool) -> Iterator[tuple[Any, Any]]:
    """Values to try a type with, and what its model makes of each."""
    more = () if is_faithful(place.annotation) else ANYTHING
    for sample in (*samples_of(place.annotation), *more):
        if isinstance(sample, bytes) and not binary:
            continue  # nobody has any to give, and a validator of texts need not know them
        try:
            meant, again = (place.value(compiled.build(place.wrap(sample))) for _ in "12")
        except Exception:
            continue  # the model does not take it
        yield (sample if are_equal(meant, again) else meant), meant  # the latter where a factory makes it anew


def _of_instances(annotation: Any) -> str | None:
    """What is wrong with a type that only instances of a class will do for, where no value of JSON was one."""
    bare, metadata = split_annotation(annotation)
    wanted = any(isinstance(item, _INSTANCE_OF) for item in metadata)
    if wanted or (not metadata and isinstance(bare, type) and not get_args(bare) and not _is_known(bare)):
        return f"only an instance of {type_name(bare)} will do, and JSON has none"
    return next(filter(None, map(_of_instances, get_args(bare))), None)


_INSTANCE_OF: Any = InstanceOf


def _is_known(annotation: Any) -> bool:
    """Whether a type is one to Pydantic by itself, and no class that a model allows (``arbitrary_types_allowed``)."""
    try:
        TypeAdapter(annotation)
    except PydanticUserError:
        return False
    return True


def _is_empty(sample: Any) -> bool:
    """Whether a value says nothing of a type: containers of whatever may be empty."""
    return sample is None or (isinstance(sample, (list, dict, tuple, set, frozenset)) and not sample)


def _is_of(annotation: Any) -> Callable[[Any], bool]:
    """Tells values of a type from what its validators make of something else."""
    adapter = adapter_of(_bare(annotation), annotation)
    anything = any(member in (Any, object) for member in members_of(annotation))

    def is_of(value: Any) -> bool:
        try:
            if anything and not are_equal(decode(encode(value)), value):
                return False
            return are_equal(adapter.validate_python(value, strict=True), value)
        except Exception:
            return False

    return is_of


def _bare(annotation: Any) -> Any:
    """A type without its constraints and validators, the members of a union and what a container holds too."""
    bare, _ = split_annotation(annotation)
    origin, parts = get_origin(bare), tuple(map(_bare, get_args(bare)))
    if origin in (Union, types.UnionType):
        return Union[parts]  # noqa: UP007
    return types.GenericAlias(origin, parts) if origin in _HOLDERS and parts else bare


def _of_sample(compiled: Compiled, place: _Place, sample: Any, meant: Any) -> tuple[str | None, bool]:
    """Why a value will not do, and whether it was stored for all that."""
    try:
        body, parked = compiled.incoming((), "", place.wrap(sample))
    except InvalidWriteError as error:
        return error.faults[0].problem, "read back" in error.faults[0].problem
    if parked:
        return "it is not of the field's type", False
    try:
        document = compiled.build(decode(body))
        read = place.value(document)
        if not are_equal(read, meant):
            return f"{meant!r} would be stored as {_stored(place, body)} and read back as {read!r}", True
        again = compiled.incoming((), "", decode(body))[0], compiled.incoming((), "", compiled.values_of(document))[0]
        for text in again:
            twice = place.value(compiled.build(decode(text)))
            if not are_equal(twice, meant):
                return f"{meant!r}, read and written back, would become {twice!r}", True
    except Exception as error:
        return f"{meant!r} would be stored as {_stored(place, body)}, which cannot be read back ({_first(error)})", True
    return None, True


def _stored(place: _Place, body: bytes) -> str:
    found = decode(body)
    return repr(next(iter(found.values()), found) if isinstance(found, dict) else found)


def _first(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return str(error.errors(include_url=False)[0]["msg"])[:160]
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160]


def _never(annotation: Any) -> tuple[str, str] | None:
    members = members_of(annotation)
    return next((told for kind, told in _NEVER.items() if any(member is kind for member in members)), None)


def _mend(annotation: Any) -> str:
    members = members_of(annotation)
    never = _never(annotation)
    if never is not None:
        return never[1]
    classes = [member for member in members if isinstance(member, type)]
    found = next((mend for is_such, mend in _OF_VALUES if any(map(is_such, classes))), None)
    if found is not None:
        return found
    bare, _ = split_annotation(annotation)
    if get_origin(without_none(bare)) in (Union, types.UnionType):
        return "Use one of the types, or types that differ in their JSON"
    found = next((mend for is_such, mend in _OF_MODELS if any(map(is_such, classes))), None)
    if found is None and _of_instances(annotation) is not None:
        found = "Add a BeforeValidator and a PlainSerializer that make it of JSON and back, or use another type"
    return found or "Let its validators take, and leave as it is, what its serializers give, or use another type"


_Mends: TypeAlias = tuple[tuple[Callable[[type], bool], str], ...]

_OF_VALUES: _Mends = (
    (
        lambda kind: issubclass(kind, (SecretStr, SecretBytes)),
        "Keep secrets elsewhere and store their names, or use str: whoever reads the document reads it",
    ),
    (lambda kind: issubclass(kind, (bytes, bytearray)), "Use Base64Bytes, which is stored as text, or str"),
    (lambda kind: issubclass(kind, enum.Enum), "Give the members of the enum strings, or numbers, as values"),
)

_OF_MODELS: _Mends = (
    (_makes_fields, "Leave out init=False and what __post_init__ changes, or give a BaseModel in its place"),
    (
        lambda kind: is_model(kind) and not is_typed_dict(kind),
        "Remove its serializers and exclude=True, or let its validators take what is stored, and leave it as it is",
    ),
)
