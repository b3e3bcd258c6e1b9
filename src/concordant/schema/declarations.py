"""Reads the kinds that a model declares, and finds everything that is wrong with them."""

from __future__ import annotations

import collections
import inspect
import types
from collections.abc import Callable, Mapping, MutableMapping, MutableSequence, Sequence, Set as AbstractSet
from contextvars import ContextVar
from decimal import Decimal
from typing import Annotated, Any, ForwardRef, Union, get_args, get_origin

from pydantic import BaseModel, RootModel, TypeAdapter
from pydantic.errors import PydanticUserError
from pydantic.fields import FieldInfo

from concordant.errors import Fault
from concordant.merge.kinds import (
    POLICIES,
    Counter,
    Field,
    KeyedSet,
    Kind,
    List,
    Map,
    Nested,
    Priority,
    Scalar,
    Set,
    Text,
    Tree,
)
from concordant.schema.annotations import (
    adapter_of,
    element_of,
    hint,
    is_ranked,
    kind_name,
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
    fields_in,
    has_validators,
    is_model,
    is_state_model,
    kinds_among,
    spellings_of,
    validators_of,
)
from concordant.schema.renaming import note_aliases
from concordant.values import ABSENT, JSON, decode

__all__ = ["fields_of"]

_SETS = (set, frozenset, list, tuple, AbstractSet)
_LISTS = (list, tuple, Sequence, MutableSequence, collections.deque)
_DICTS = (dict, Mapping, MutableMapping, collections.OrderedDict)


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
            constrained = checked or any(not isinstance(item, Kind) for item in info.metadata)
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


_building: ContextVar[tuple[Any, ...]] = ContextVar("concordant_building", default=())
"""The models around the one whose fields are compiled, in this thread."""


def _known_fields(model: Any, faults: list[Fault], path: tuple[str, ...]) -> Mapping[str, FieldInfo]:
    """The fields of a model that can be used: all of whose types are known."""
    mend = f"Define the type above the model, or call {path[-1]}.model_rebuild() once it is defined"
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
    if not model.__pydantic_complete__:
        model.model_rebuild(raise_errors=False)
    unknown = {name: info for name, info in model.model_fields.items() if _is_unknown(info.annotation)}
    for name, info in unknown.items():
        problem = f"its type {type_name(info.annotation)} is not known yet (a forward reference)"
        faults.append(Fault((*path, name), problem, mend))
    if not model.__pydantic_complete__ and not unknown:
        faults.append(Fault(path, "a type that it uses is not known yet", mend))
    return _named({n: info for n, info in model.model_fields.items() if n not in unknown}, faults, path)


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
        faults.append(Fault(path, f"{kind_name(field.kind)} has no default", mend))
    whole = _whole(info.annotation, info.metadata)
    try:
        adapter, form = adapter_of(info.annotation, whole), adapter_of(whole)
    except PydanticUserError as error:
        faults.append(
            Fault(path, f"Pydantic knows no such type ({error.message})", "Give it a type that Pydantic knows")
        )
        return
    default: Any = ABSENT
    if not info.is_required():
        default = _default_of(info, form, faults, path)
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


def _whole(annotation: Any, metadata: Sequence[Any]) -> Any:
    """A type with what is declared about it but for its kind."""
    checks = [item for item in metadata if not isinstance(item, Kind)]
    return Annotated[(annotation, *checks)] if checks else annotation


def _default_of(info: FieldInfo, adapter: TypeAdapter[Any], faults: list[Fault], path: tuple[str, ...]) -> Any:
    """The default in JSON form; ``ABSENT`` if it depends on other fields."""
    factory: Any = info.default_factory
    try:
        if factory is not None and any(p.default is p.empty for p in inspect.signature(factory).parameters.values()):
            return ABSENT
    except (TypeError, ValueError):
        pass  # a built-in, which takes nothing
    try:
        value = info.get_default(call_default_factory=True, validated_data={})
        return adapter.dump_python(value, mode="json", by_alias=False, round_trip=True, warnings=False)
    except Exception as error:
        faults.append(Fault(path, f"its default cannot be made or stored ({error})", "Give it a JSON value as default"))
        return ABSENT


def _place(
    name: str, annotation: Any, metadata: Sequence[Any], faults: list[Fault], path: tuple[str, ...], checked: bool
) -> Field | None:
    """A field, or the values of a map: one annotation with its metadata."""
    kinds = [item for item in metadata if isinstance(item, Kind)]
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
    check: Callable[..., Field | None] = _CHECKS.get(kind.name, _other)
    if kind.name != Map.name and not _check_inside(kind, annotation, faults, path):
        return None
    field = check(name, kind, annotation, faults, path, checked)
    if field is not None and kind.is_leaf:
        object.__setattr__(field, "canon", canon_of(annotation, _whole(annotation, metadata)))
    if field is not None and field.child is None:
        own = tuple(metadata) if kind.is_leaf else ()
        if not is_faithful(annotation, own):
            object.__setattr__(field, "form", form_of(annotation, own))
    return field


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
        bare, _ = split_annotation(record)
        one = kind_name(kinds[0])
        where = type_name(annotation)
        if isinstance(kinds[0], Scalar):
            mend = f"Write `Annotated[{type_name(bare)} | None, {one}]`: the kind around the whole type"
        else:
            mend = f"Write `Annotated[{type_name(bare)}, {one}]` without None: an empty one says that there is nothing"
        faults.append(Fault(path, f"{one} stands inside {where}, where it says nothing", mend))
        return None
    union = get_origin(annotation) in (Union, types.UnionType)
    if union and any(is_state_model(member) for member in members_of(annotation)):
        mend = "Use one model, or declare Scalar() to replace the value as a whole"
        faults.append(Fault(path, f"declares no kind (its type is {type_name(annotation)})", mend))
        return None
    mend = f"Declare one: {hint(annotation)}"
    faults.append(Fault(path, f"declares no kind (its type is {type_name(annotation)})", mend))
    return None


def _check_inside(kind: Kind, annotation: Any, faults: list[Fault], path: tuple[str, ...]) -> bool:
    """Refuses kinds that stand inside a type whose parts do not merge by themselves."""
    found = kinds_inside(annotation)
    if found:
        mend = "Leave it out, or use dict[str, ...] with Map(), whose values merge each by their own kind"
        faults.append(
            Fault(path, f"{kind_name(found[0])} stands inside {type_name(annotation)}, where it says nothing", mend)
        )
    return not found


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
    keys = _keys_of(annotation)
    return Field(name, kind, kind.tag(), rank=rank, checked=checked, keys=keys)


def _other(
    name: str, kind: Any, annotation: Any, faults: list[Fault], path: tuple[str, ...], checked: bool
) -> Field | None:
    """A field of a kind that is not one of the core's."""
    faults += [Fault(path, problem, mend) for problem, mend in kind.faults(annotation)]
    rank = rank_of(annotation) if is_ranked(annotation) else decode
    keys = _keys_of(annotation)
    return Field(name, kind, kind.tag(), canon=canon_of(annotation), rank=rank, checked=checked, keys=keys)


def _keys_of(annotation: Any) -> Keys | None:
    """How the keys of a dict are read, where JSON does not say it."""
    bare, _ = split_annotation(without_none(annotation))
    arguments = get_args(bare)
    if get_origin(bare) not in _DICTS or arguments[0] is str or not is_key_type(arguments[0]):
        return None
    return Keys(arguments[0])


def _set(
    name: str, kind: Any, annotation: Any, faults: list[Fault], path: tuple[str, ...], checked: bool
) -> Field | None:
    element = element_of(annotation, _SETS)
    if element is None:
        mend = "Set() takes set, frozenset, list or tuple[..., ...]; for one value use Scalar()"
        faults.append(_misfit(path, kind, annotation, mend))
        return None
    bare, _ = split_annotation(element)
    if is_model(bare) and (get_origin(annotation) is list or is_state_model(bare)):
        mend = 'Name the field that identifies a record: Set(by="id"); or use List() where order counts'
        faults.append(Fault(path, f"Set() on a list of records ({type_name(bare)})", mend))
    return Field(name, kind, kind.tag(), canon=canon_of(element), checked=checked)


def _keyed(
    name: str, kind: Any, annotation: Any, faults: list[Fault], path: tuple[str, ...], checked: bool
) -> Field | None:
    """A list of records that are identified by one of their fields."""
    element = element_of(annotation, _SETS)
    if element is None:
        mend = "Set() takes set, frozenset, list or tuple[..., ...]; for one value use Scalar()"
        faults.append(_misfit(path, kind, annotation, mend))
        return None
    bare, metadata = split_annotation(element)
    says = f'{kind_name(kind)[:-1]}by="{kind.by}")'
    if not is_model(bare) or kind.by not in fields_in(bare):
        mend = f"The elements must be models with a field {kind.by!r}"
        faults.append(Fault(path, f"{says} on {type_name(element)}", mend))
        return None
    merges = next((m for m in fields_in(bare)[kind.by].metadata if isinstance(m, Kind) and m.name != Scalar.name), None)
    if merges is not None:
        mend = f"Identify the records by a field that stays as it is: declare {kind.by!r} as Scalar(), or name another"
        faults.append(Fault(path, f"{says}, but {kind.by!r} is a {kind_name(merges)}, which changes", mend))
        return None
    child = _value_field(bare, metadata, faults, path, checked, key=kind.by)
    return child and Field(name, kind, kind.tag(child.tag), child=child, checked=checked or child.checked)


def _misfit(path: tuple[str, ...], kind: Kind, annotation: Any, mend: str) -> Fault:
    """A kind on a type that it does not take."""
    bare = without_none(annotation)
    if bare is not annotation and bare is not type(None):
        mend = f"Leave out None, since an empty value says that there is nothing, or use Scalar(). {mend}"
    return Fault(path, f"{kind_name(kind)} on {type_name(annotation)}", mend)


def _map(
    name: str, kind: Any, annotation: Any, faults: list[Fault], path: tuple[str, ...], checked: bool
) -> Field | None:
    origin = get_origin(annotation) or annotation
    arguments = get_args(annotation) or (str, Any)
    if origin not in _DICTS or len(arguments) != 2:
        faults.append(_misfit(path, kind, annotation, "Map() takes dict[str, ...]; for one value use Scalar()"))
        return None
    if not is_key_type(arguments[0]):
        mend = "Use dict[str, ...]: JSON objects have text as keys (int, an Enum and a Literal of one type do, too)"
        faults.append(Fault(path, f"Map() with keys of type {type_name(arguments[0])}", mend))
        return None
    keys = None if arguments[0] is str else Keys(arguments[0])
    bare, metadata = split_annotation(arguments[1])
    child = _value_field(bare, metadata, faults, path, checked)
    return child and Field(name, kind, kind.tag(child.tag), child=child, checked=checked or child.checked, keys=keys)


def _value_field(
    bare: Any,
    metadata: Sequence[Any],
    faults: list[Fault],
    path: tuple[str, ...],
    checked: bool,
    key: str | None = None,
) -> Field | None:
    """How the values of a map merge: by their kind, field by field if they are state models, else as scalars."""
    if not kinds_among(metadata):
        if is_state_model(without_none(bare)) and not is_state_model(bare):
            mend = f"Write {type_name(without_none(bare))} without None: remove the key where there is none"
            faults.append(Fault(path, f"its values are {type_name(bare)}, records that may be None", mend))
            return None
        if is_state_model(bare):
            fields = fields_of(bare, faults, path[:-2], key, checked)
            checked = checked or has_validators(bare) or any(field.checked for field in fields.values())
            return Field("", Nested(), "record", fields=fields, checked=checked)
        metadata = (*metadata, Scalar())
    constrained = any(not isinstance(item, Kind) for item in metadata)
    return _place("", bare, metadata, faults, path, checked or constrained)


def _text(
    name: str, kind: Any, annotation: Any, faults: list[Fault], path: tuple[str, ...], checked: bool
) -> Field | None:
    if annotation is not str:
        faults.append(_misfit(path, kind, annotation, f"Text() takes str; what fits: {hint(annotation)}"))
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
        mend = f"Counter() takes int, float or Decimal; what fits: {hint(annotation)}"
        faults.append(_misfit(path, kind, annotation, mend))
        return None
    return Field(name, kind, kind.tag(), checked=checked)


def _list(
    name: str, kind: Any, annotation: Any, faults: list[Fault], path: tuple[str, ...], checked: bool
) -> Field | None:
    element = element_of(annotation, _LISTS)
    if element is None:
        mend = f"List() takes list or tuple[..., ...]; what fits: {hint(annotation)}"
        faults.append(_misfit(path, kind, annotation, mend))
        return None
    bare, _ = split_annotation(element)
    if kind.by is not None:
        by = f'by="{kind.by}"'
        keyed = is_model(bare) and kind.by in fields_in(bare)
        mend = f"Use Set({by}): it merges the records one by one, in the order in which they were added"
        faults.append(
            Fault(path, f"List({by}): a list does not merge its items", mend if keyed else "Use List() for whole items")
        )
        return None
    if any(is_state_model(member) for member in members_of(element)):
        mend = 'Use Set(by="id") to merge the records field by field, or leave the kinds out of the model of the items'
        faults.append(Fault(path, f"List() on a list of {type_name(bare)}, whose kinds would say nothing", mend))
        return None
    return Field(name, kind, kind.tag(), canon=canon_of(element), checked=checked)


def _tree(
    name: str, kind: Any, annotation: Any, faults: list[Fault], path: tuple[str, ...], checked: bool
) -> Field | None:
    origin, arguments = get_origin(annotation) or annotation, get_args(annotation) or (str, Any)
    if kind.lists not in ("list", "set", "scalar"):
        faults.append(Fault(path, f"unknown lists={kind.lists!r}", 'Use "list", "set" or "scalar"'))
    if origin not in _DICTS or arguments[0] is not str:
        mend = f"Tree() takes dict[str, ...] of free JSON; what fits: {hint(annotation)}"
        faults.append(_misfit(path, kind, annotation, mend))
        return None
    if any(is_state_model(member) for member in members_of(annotation)):
        mend = "Use Map(), whose values merge field by field as their model declares"
        faults.append(Fault(path, f"Tree() on {type_name(annotation)}, whose kinds would say nothing", mend))
        return None
    return Field(name, kind, kind.tag(), checked=checked)


_CHECKS: dict[str, Callable[..., Field | None]] = {
    Scalar.name: _scalar,
    Set.name: _set,
    KeyedSet.name: _keyed,
    Map.name: _map,
    Text.name: _text,
    Counter.name: _counter,
    List.name: _list,
    Tree.name: _tree,
}
