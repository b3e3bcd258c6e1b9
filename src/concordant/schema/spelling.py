"""How a write may be spelt, made into one form: dicts by the fields' names, with text as keys.

Users give instances, aliases, keys that are no text, and what validators that run before make of something else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Annotated, Any, TypeAlias, get_args

from pydantic import BaseModel, BeforeValidator, PlainValidator, TypeAdapter, WrapValidator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from concordant.merge.kinds import Field
from concordant.schema.annotations import split_annotation, without_none
from concordant.schema.equality import LENIENT
from concordant.schema.incoming import contribution, incoming_type, unwrapped, with_identity
from concordant.schema.models import (
    Spellings,
    computed_in,
    fields_in,
    is_instance,
    model_validators_of,
    said_by,
    spellings_of,
    strays_in,
    validators_of,
)
from concordant.values import Unstorable

__all__ = ["needs_spelling", "spelling_of"]

Spell: TypeAlias = Callable[[Any], Any]


def spelling_of(model: Any, field: Field, default: Any = None) -> Spell:
    """Returns a function from what somebody gives for a record to a dict by the fields' names.

    What is neither a dict nor an instance stays as it is, and so does what a validator refuses: that is judged in the
    merged document.

    Args:
        default: the instance that stands where nobody has given one.
    """
    fields = fields_in(model)
    aliases = {name: spellings for name in field.fields if (spellings := spellings_of(fields[name]))}
    computed = computed_in(model)
    inner = {name: f for name, part in field.fields.items() if (f := _part_spelling(model, name, part))}

    def by_name(value: Any) -> Any:
        if isinstance(value, Mapping):
            value = _by_name(value, aliases, fields) if aliases else dict(value)
            return {name: item for name, item in value.items() if name not in computed} if computed else value
        return of_instance(value) if is_instance(value) else value

    def of_instance(value: Any) -> dict[str, Any]:
        said = said_by(value, everything=False, default=default)
        parts = field.fields
        told = {
            n: unwrapped(v, parts[n], everything=False, validated=True) if n in parts else v for n, v in said.items()
        }
        return {**told, **strays_in(value)}

    def made(value: Any) -> Any:
        for validate in before:
            value = validate(value)
        given = judge(by_name(value))
        return model.model_construct(**given) if issubclass(model, BaseModel) else given

    judge = _Judge(lambda: incoming_type(model, field.fields))
    validators = model_validators_of(model)
    around = [_run(item, made) for item in validators if isinstance(item, WrapValidator)]
    before = [_run(item, made) for item in validators if not isinstance(item, WrapValidator)]

    def spell(value: Any) -> Any:
        if is_instance(value):
            return of_instance(value)
        for validate in (*around, *before):
            value = validate(dict(value) if isinstance(value, Mapping) else value)
        value = by_name(value)
        if isinstance(value, dict):
            for name, function in inner.items():
                if name in value:
                    value[name] = _within(name, function, value[name])
        return value

    return spell


def _within(name: str, function: Spell, value: Any) -> Any:
    """What a function makes of a part; what is wrong in it is told from where the part is."""
    try:
        return function(value)
    except Unstorable as error:
        raise Unstorable(error.fault._replace(path=(name, *error.fault.path))) from error


def needs_spelling(model: Any, field: Field) -> bool:
    """Tells whether a dict for the record can be spelt in more than one way."""
    fields = fields_in(model)
    return bool(model_validators_of(model) or computed_in(model)) or any(
        spellings_of(fields[name]) or _part_spelling(model, name, part) for name, part in field.fields.items()
    )


def _part_spelling(model: Any, name: str, field: Field) -> Spell | None:
    """The same for a field; ``None`` where there is one way to spell it, or its own type sees to that."""
    info: FieldInfo = fields_in(model)[name]
    default = None if info.default is PydanticUndefined else info.default
    validators = (*info.metadata, *validators_of(model, name))
    first = [item for item in validators if isinstance(item, _BEFORE)]
    inner = _inner_spelling(info.annotation, field, default)
    if inner is None:
        if not first or (field.child is None and field.kind.holds != "fields"):  # its own type sees to it
            return None
        inner = _as_it_is

    def made(value: Any) -> Any:
        given = judge(inner(value))
        try:
            return adapter(value)
        except ValueError:
            return given

    judge = _Judge(lambda: contribution(info.annotation, field))
    adapter = _Judge(lambda: info.annotation)
    before = [_run(item, made) for item in first]

    def spell(value: Any) -> Any:
        for validate in reversed(before):
            value = validate(value)
        return inner(value)

    return spell


def _as_it_is(value: Any) -> Any:
    return value


def _inner_spelling(annotation: Any, field: Field, default: Any = None) -> Spell | None:
    """The same for a type without the validators around it."""
    bare, _ = split_annotation(annotation)
    if field.kind.holds == "fields":
        return spelling_of(without_none(bare), field, default)
    if field.kind.is_leaf and field.keys is not None:
        return field.keys.as_values_if_keys  # type: ignore[no-any-return]
    arguments = get_args(bare)
    if field.child is None or not arguments:
        return None
    child = _inner_spelling(arguments[-1] if field.kind.holds == "keys" else arguments[0], field.child)
    if field.kind.holds != "keys":
        return child and (
            lambda value: (
                [with_identity(item, child(item), field) for item in value] if isinstance(value, _LISTS) else value
            )
        )
    keys = field.keys
    if keys is None and child is None:
        return None

    def spell(value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        value = keys.as_text(value) if keys is not None else value
        return value if child is None else {key: _within(key, child, item) for key, item in value.items()}

    return spell


_LISTS = (list, tuple, set, frozenset)
_BEFORE = (BeforeValidator, WrapValidator, PlainValidator)


def _by_name(value: Mapping[Any, Any], aliases: Mapping[str, Spellings], fields: Mapping[str, Any]) -> dict[Any, Any]:
    """A dict with the fields' names in the place of aliases, which come first where both are given."""
    result = dict(value)
    found: dict[str, Any] = {}
    for name, spellings in aliases.items():
        for alias in spellings:
            item = (
                value.get(alias, PydanticUndefined)
                if isinstance(alias, str)
                else alias.search_dict_for_path(dict(value))
            )
            if item is not PydanticUndefined:
                found[name] = item
                first = alias if isinstance(alias, str) else alias.path[0]
                if first not in fields:
                    result.pop(first, None)
                break
    return {**result, **found}


class _Judge:
    """Validates by a type that is looked at when it is first asked for."""

    def __init__(self, annotation: Callable[[], Any]) -> None:
        self._annotation = annotation
        self._adapter: TypeAdapter[Any] | None = None

    def __call__(self, value: Any) -> Any:
        if self._adapter is None:
            self._adapter = TypeAdapter(self._annotation())
        return self._adapter.validate_python(value, **LENIENT)


_given: ContextVar[list[Any] | None] = ContextVar("concordant_given", default=None)
"""What a validator that wraps has handed on, in this thread."""


def _run(validator: Any, made: Callable[[Any], Any]) -> Spell:
    """Runs a validator on what is given for a record or map, for the part of it that comes before the type.

    Args:
        made: what a validator that wraps is answered when it hands a value on.
    """

    def handed_on(value: Any) -> Any:
        given = _given.get()
        assert given is not None
        given[:] = [value, False]
        found = made(value)
        given[:] = [value, True]
        return found

    inner: Any = Annotated[Any, PlainValidator(handed_on)] if isinstance(validator, WrapValidator) else Any
    adapter: TypeAdapter[Any] = TypeAdapter(Annotated[inner, validator])  # pyright: ignore

    def run(value: Any) -> Any:
        given: list[Any] = []
        token = _given.set(given)
        try:
            result = adapter.validate_python(value)
        except Exception:
            return given[0] if given else value  # the merged document tells whether it does
        finally:
            _given.reset(token)
        return given[0] if given and given[1] else result

    return run
