"""Reads the kinds that a model declares, and finds everything that is wrong with them."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from contextvars import ContextVar
from typing import Any, ForwardRef, Union, get_args, get_origin

from pydantic import BaseModel, RootModel, TypeAdapter, ValidationError
from pydantic.errors import PydanticUserError
from pydantic.fields import FieldInfo

from concordant.errors import Fault, told
from concordant.merge.kinds import (
    Field,
    Kind,
    Nested,
    Scalar,
)
from concordant.merge.kinds.base import DICTS
from concordant.merge.kinds.registry import is_registered
from concordant.schema.annotations import (
    adapter_of,
    annotated,
    element_of,
    forms_of,
    hint,
    is_ranked,
    kinds_inside,
    members_of,
    rank_of,
    split_annotation,
    type_name,
    without_none,
)
from concordant.schema.equality import LENIENT, canon_of
from concordant.schema.fidelity import form_of, is_faithful
from concordant.schema.keys import Keys, is_key_type
from concordant.schema.models import (
    checks_among,
    fields_in,
    has_validators,
    is_kind,
    is_known,
    is_model,
    is_state_model,
    is_typed_dict,
    spellings_of,
    validators_of,
)
from concordant.schema.renaming import note_aliases
from concordant.values import ABSENT, JSON, Canon

__all__ = ["fields_of"]


def fields_of(
    model: Any,
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
    path = (*path, model.__name__)
    if model in _building.get():
        faults.append(Fault(path, "the model contains itself", "Store a key instead of the record"))
        return {}
    infos = _known_fields(model, faults, path)
    _check_aliases(infos, faults, path)
    token = _building.set((*_building.get(), model))
    try:
        checked = checked or has_validators(model)
        found: dict[str, Field] = {}
        for name, info in infos.items():
            if is_kind(info.default):
                faults.append(_kind_as_default(name, info, (*path, name)))
                continue
            constrained = checked or bool(checks_among(info.metadata))
            field = _place(name, info.annotation, info.metadata, faults, (*path, name), constrained)
            if field is not None:
                if field.kind.is_leaf and validators_of(model, name):
                    object.__setattr__(field, "form", form_of(info.annotation, info.metadata))
                _check_default(model, name, info, field, faults, (*path, name), key)
                found[name] = field
        note_aliases(found, infos)
        return found
    finally:
        _building.reset(token)


def _kind_as_default(name: str, info: FieldInfo, path: tuple[str, ...]) -> Fault:
    called = info.default.called() if isinstance(info.default, Kind) else f"{info.default.__name__}()"
    mend = f"Write `{name}: Annotated[{type_name(info.annotation)}, {called}]`"
    return Fault(path, f"{called} stands where its default does", mend)


_building: ContextVar[tuple[Any, ...]] = ContextVar("concordant_building", default=())
"""The models around the one whose fields are compiled, in this thread."""


def _known_fields(model: Any, faults: list[Fault], path: tuple[str, ...]) -> Mapping[str, FieldInfo]:
    """The fields of a model that can be used: all of whose types are known."""
    mend = _defined(model)
    if issubclass(model, RootModel):
        faults.append(
            Fault(path, "a RootModel has no fields of its own", "Give a BaseModel with a field for the value")
        )
        return {}
    if not issubclass(model, BaseModel):
        try:
            return _named(fields_in(model), faults, path)
        except NameError as error:
            faults.append(Fault(path, f"a type that it uses is not known yet ({error})", mend))
            return {}
    fields = fields_in(model)
    unknown = {} if is_known(model) else {n: i for n, i in fields.items() if _is_unknown(i.annotation)}
    for name, info in unknown.items():
        problem = f"its type {type_name(info.annotation)} is not known yet (a forward reference)"
        faults.append(Fault((*path, name), problem, mend))
    if not model.__pydantic_complete__ and not unknown:
        faults.append(Fault(path, "a type that it uses is not known yet", mend))
    return _named({n: info for n, info in fields.items() if n not in unknown}, faults, path)


def _defined(model: Any) -> str:
    mend = "Define the type above the model"
    return (
        f"{mend}, or call {model.__name__}.model_rebuild() once it is defined"
        if hasattr(model, "model_rebuild")
        else mend
    )


def _named(infos: Mapping[str, FieldInfo], faults: list[Fault], path: tuple[str, ...]) -> Mapping[str, FieldInfo]:
    """The fields that have usable names."""
    for name in infos:
        if "\x00" in name:
            faults.append(Fault((*path, name), "the name holds a NUL character", "Rename the field"))
    return {name: info for name, info in infos.items() if "\x00" not in name}


def _is_unknown(annotation: Any) -> bool:
    return any(isinstance(member, (str, ForwardRef)) for member in members_of(annotation))


def _check_aliases(infos: Mapping[str, FieldInfo], faults: list[Fault], path: tuple[str, ...]) -> None:
    """Refuses an alias that is another field's name: what is given could be either."""
    for name, info in infos.items():
        for alias in spellings_of(info):
            first = alias if isinstance(alias, str) else alias.path[0]
            if first in infos and first != name:
                problem = f"its alias {first!r} is the name of another field"
                faults.append(Fault((*path, name), problem, "Rename the one or the other"))


def _check_default(
    model: Any,
    name: str,
    info: FieldInfo,
    field: Field,
    faults: list[Fault],
    path: tuple[str, ...],
    key: str | None,
) -> None:
    """Makes sure that a field has a default, and notes it with what the field accepts."""
    natural = field.kind.natural
    if info.is_required() and natural is None and name != key:
        is_class = issubclass(model, BaseModel) or hasattr(model, "__dataclass_fields__")
        mend = f"Give it one, such as `{name}: ... | None = None`" if is_class else f"Write `{name}: NotRequired[...]`"
        faults.append(Fault(path, f"{field.kind.called()} has no default", mend))
    whole = annotated(info.annotation, checks_among(info.metadata))
    try:
        adapter, form = adapter_of(info.annotation, whole), adapter_of(whole)
    except PydanticUserError as error:
        faults.append(
            Fault(path, f"Pydantic knows no such type ({error.message})", "Give it a type that Pydantic knows")
        )
        return
    default: Any = ABSENT
    if not info.is_required():
        default = _default_of(model, info, field, (adapter, form), faults, path)
    elif natural is not None:
        default = natural()

    def accepts(value: Any) -> bool:
        try:
            adapter.validate_python(value, **LENIENT)
        except Exception:
            return False
        return True

    object.__setattr__(field, "default", default)
    object.__setattr__(field, "accepts", accepts)


def _default_of(
    model: Any,
    info: FieldInfo,
    field: Field,
    adapters: tuple[TypeAdapter[Any], TypeAdapter[Any]],
    faults: list[Fault],
    path: tuple[str, ...],
) -> Any:
    """The default in JSON form; ``ABSENT`` if it depends on other fields."""
    factory: Any = info.default_factory
    adapter, form = adapters
    try:
        if factory is not None and any(p.default is p.empty for p in inspect.signature(factory).parameters.values()):
            return ABSENT
    except (TypeError, ValueError):
        pass  # a built-in, which takes nothing
    try:
        value = info.get_default(call_default_factory=True, validated_data={})
        if info.validate_default or getattr(model, "model_config", {}).get("validate_default"):
            with suppress(Exception):  # what it does not take is told where the model makes its first document
                value = adapter.validate_python(value, **LENIENT)
        elif not is_typed_dict(model):
            faults += _misfits(value, info.annotation, adapter, field, path)
        return forms_of(form)(value)
    except Exception as error:
        faults.append(Fault(path, f"its default cannot be made or stored ({error})", "Give it a JSON value as default"))
        return ABSENT


def _misfits(
    value: Any, annotation: Any, adapter: TypeAdapter[Any], field: Field, path: tuple[str, ...]
) -> Iterator[Fault]:
    """Tells a default that is of another type than its field: Pydantic takes it unseen, and so would every reader."""
    if value is None and field.kind.natural is None:
        return  # one value, of which there is none yet: as many write it
    valid: Any = ABSENT
    try:
        valid = adapter.validate_python(value, **LENIENT)
    except ValidationError as error:
        if not any(_is_of_type(one["type"]) for one in error.errors(include_url=False, include_context=False)):
            return  # a constraint, which a default may break as long as nothing is written
    except Exception:  # what a validator of theirs raises says nothing of the type
        return
    if valid is not ABSENT and (isinstance(value, type(valid)) or valid == value):
        return
    if value is None and isinstance(field.kind, Nested):
        mend = f"Write `{type_name(annotation)} | None`, or give it another default"
    elif value is None:
        mend = "Leave the default out: an empty value says that there is nothing"
    elif valid is not ABSENT:
        mend = f"Give it {told(valid, 80)}"
    else:
        mend = "Give it one of its type"
    yield Fault(path, f"its default {told(value, 80)} is no {type_name(annotation)}", mend)


def _is_of_type(code: str) -> bool:
    """Whether an error of Pydantic's is about the type of a value, rather than about what is asked of it."""
    return code.endswith(("_type", "_parsing")) or code in _OF_TYPE


_OF_TYPE = ("enum", "literal_error", "is_instance_of", "is_subclass_of", "none_required")


def _place(
    name: str, annotation: Any, metadata: Sequence[Any], faults: list[Fault], path: tuple[str, ...], checked: bool
) -> Field | None:
    """A field, or the values of a map: one annotation with its metadata."""
    unknown = next((member for member in members_of(annotation) if is_model(member) and not is_known(member)), None)
    if unknown is not None:
        problem = f"{type_name(unknown)} uses a type that is not known yet (a forward reference)"
        faults.append(Fault(path, problem, _defined(unknown)))
        return None
    kinds = [item for item in metadata if isinstance(item, Kind)]
    classes = [item for item in metadata if isinstance(item, type) and issubclass(item, Kind)]
    for item in classes:
        faults.append(
            Fault(path, f"the class {item.__name__} stands where an instance is meant", f"Write `{item.__name__}()`")
        )
    if classes:
        return None
    if len(kinds) > 1:
        names = ", ".join(kind.called() for kind in kinds)
        faults.append(Fault(path, f"declares more than one kind ({names})", "Keep one"))
        return None
    if not kinds:
        return _undeclared(name, annotation, faults, path, checked)
    return _declared(name, kinds[0], annotation, metadata, faults, path, checked)


def _declared(
    name: str,
    kind: Kind,
    annotation: Any,
    metadata: Sequence[Any],
    faults: list[Fault],
    path: tuple[str, ...],
    checked: bool,
) -> Field | None:
    """A field with the kind that it declares."""
    if kind.holds != "keys" and not _check_inside(kind, annotation, faults, path):
        return None
    if not is_registered(kind):
        mend = f"Decorate {type(kind).__name__} with `@register`: what it stores is read elsewhere by its name"
        faults.append(Fault(path, f"{kind.called()} is of a kind that is not registered", mend))
    faults += _odd_switches(kind, path)
    field = kind.declared(Declared(kind, name, annotation, faults, path, checked=checked))
    if field is not None and kind.is_leaf:
        object.__setattr__(field, "canon", canon_of(annotation, annotated(annotation, checks_among(metadata))))
    if field is not None and field.child is None:
        own = tuple(metadata) if kind.is_leaf else ()
        if not is_faithful(annotation, own):
            object.__setattr__(field, "form", form_of(annotation, own))
    return field


def _odd_switches(kind: Kind, path: tuple[str, ...]) -> Iterator[Fault]:
    """Tells options that are on or off and were given something else, such as the kind of a map's values."""
    for option in getattr(kind, "__dataclass_fields__", {}).values():
        given = getattr(kind, option.name)
        if isinstance(option.default, bool) and not isinstance(given, bool):
            what, mend = told(given, 80), "Use True or False"
            if isinstance(given, Kind):
                what = given.called()
                mend = f"The kind of a value stands beside its type: `dict[str, Annotated[..., {what}]]`"
            yield Fault(path, f"{kind.called()} with {option.name}={what}", mend)


def _undeclared(name: str, annotation: Any, faults: list[Fault], path: tuple[str, ...], checked: bool) -> Field | None:
    """A field without a kind of its own: a nested record, or a fault."""
    record = without_none(annotation)
    if is_state_model(record):
        fields = fields_of(record, faults, path[:-2], checked=checked)
        checked = checked or has_validators(record) or any(field.checked for field in fields.values())
        optional = record is not annotation
        return Field(name, Nested(optional=optional), "record", fields=fields, checked=checked)
    kinds = kinds_inside(annotation)
    if kinds:
        faults.append(_kind_inside(kinds, annotation, record, path))
        return None
    union = get_origin(annotation) in (Union, types.UnionType)
    if union and any(is_state_model(member) for member in members_of(annotation)):
        mend = "Use one model, or declare Scalar() to replace the value as a whole"
        faults.append(Fault(path, f"declares no kind (its type is {type_name(annotation)})", mend))
        return None
    mend = f"Declare one: {hint(annotation)}"
    if is_model(record):
        mend = f"Declare Scalar() for one value, or kinds for the fields of {type_name(record)}, which merge one by one"
    faults.append(Fault(path, f"declares no kind (its type is {type_name(annotation)})", mend))
    return None


def _kind_inside(kinds: Sequence[Kind], annotation: Any, record: Any, path: tuple[str, ...]) -> Fault:
    """Tells of a kind that stands in a type, and not beside it."""
    where, bare = type_name(annotation), type_name(split_annotation(record)[0])
    for kind in kinds:
        if kind == type(kind)():
            where, bare = (text.replace(repr(kind), kind.called()) for text in (where, bare))
    one = kinds[0].called()
    if get_origin(record) is dict:
        mend = f"Write `Annotated[{bare}, Map()]`: its values then merge by the kind that stands there"
    elif record is annotation:
        mend = f"Take it out, and declare one around the whole type: {hint(annotation)}"
    elif kinds[0].is_leaf:
        mend = f"Write `Annotated[{bare} | None, {one}]`: the kind around the whole type"
    else:
        mend = f"Write `Annotated[{bare}, {one}]` without None: an empty one says that there is nothing"
    return Fault(path, f"{one} stands inside {where}, where it says nothing", mend)


def _check_inside(kind: Kind, annotation: Any, faults: list[Fault], path: tuple[str, ...]) -> bool:
    """Refuses kinds that stand inside a type whose parts do not merge by themselves."""
    found = kinds_inside(annotation)
    if found:
        mend = "Leave it out, or use dict[str, ...] with Map(), whose values merge each by their own kind"
        faults.append(
            Fault(path, f"{found[0].called()} stands inside {type_name(annotation)}, where it says nothing", mend)
        )
    return not found


class Declared:
    """A field that a model declares with a kind; what that may ask is ``merge.kinds.base.Declaration``."""

    def __init__(
        self, kind: Kind, name: str, annotation: Any, faults: list[Fault], path: tuple[str, ...], *, checked: bool
    ) -> None:
        self.kind = kind
        self.name = name
        self.annotation = annotation
        self.checked = checked
        self._faults = faults
        self._path = path

    def refuse(self, problem: str, mend: str) -> None:
        self._faults.append(Fault(self._path, problem, mend))

    def misfit(self, mend: str) -> None:
        bare = without_none(self.annotation)
        if bare is not self.annotation and bare is not type(None):
            mend = f"Leave out None, since an empty value says that there is nothing, or use Scalar(). {mend}"
        self.refuse(f"{self.kind.called()} on {type_name(self.annotation)}", mend)

    def hint(self) -> str:
        return hint(self.annotation)

    def type_name(self, annotation: Any) -> str:
        return type_name(annotation)

    def bare(self, annotation: Any) -> Any:
        return split_annotation(annotation)[0]

    def members(self, annotation: Any) -> list[Any]:
        return members_of(annotation)

    def element(self, containers: Sequence[Any]) -> Any:
        return element_of(self.annotation, tuple(containers))

    def key_and_value(self) -> tuple[Any, Any] | None:
        origin, arguments = get_origin(self.annotation) or self.annotation, get_args(self.annotation) or (str, Any)
        return arguments if origin in DICTS and len(arguments) == 2 else None

    def is_key(self, annotation: Any) -> bool:
        return is_key_type(annotation)

    def keys(self) -> Keys | None:
        bare = self.bare(without_none(self.annotation))
        arguments = get_args(bare)
        if get_origin(bare) not in DICTS or arguments[0] is str or not is_key_type(arguments[0]):
            return None
        return Keys(arguments[0])

    def is_model(self, annotation: Any) -> bool:
        return is_model(annotation)

    def is_state_model(self, annotation: Any) -> bool:
        return is_state_model(annotation)

    def kinds_in(self, model: Any) -> dict[str, Kind | None]:
        infos = fields_in(model)
        return {name: next((m for m in info.metadata if isinstance(m, Kind)), None) for name, info in infos.items()}

    def canon(self, annotation: Any) -> Canon:
        return canon_of(annotation)

    def rank(self, annotation: Any) -> Callable[[JSON], Any] | None:
        return rank_of(annotation) if is_ranked(annotation) else None

    def inner(self, annotation: Any, key: str | None = None) -> Field | None:
        bare, metadata = split_annotation(annotation)
        return _value_field(bare, metadata, self._faults, self._path, self.checked, key)


def _value_field(
    bare: Any,
    metadata: Sequence[Any],
    faults: list[Fault],
    path: tuple[str, ...],
    checked: bool,
    key: str | None,
) -> Field | None:
    """How the values of a map merge: by their kind, field by field if they are state models, else as scalars."""
    if not any(map(is_kind, metadata)):
        if is_state_model(without_none(bare)) and not is_state_model(bare):
            mend = f"Write {type_name(without_none(bare))} without None: remove the key where there is none"
            faults.append(Fault(path, f"its values are {type_name(bare)}, records that may be None", mend))
            return None
        if is_state_model(bare):
            fields = fields_of(bare, faults, path[:-2], key, checked)
            checked = checked or has_validators(bare) or any(field.checked for field in fields.values())
            return Field("", Nested(), "record", fields=fields, checked=checked)
        metadata = (*metadata, Scalar())
    return _place("", bare, metadata, faults, path, checked or bool(checks_among(metadata)))
