"""A namespace's schema: a state model with what happens on deletions and on values of the wrong type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Literal, get_args

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import CoreConfig, SchemaSerializer

from concordant.errors import Fault, InvalidWriteError, SchemaError
from concordant.kinds import OPEN, Field, Map, Record
from concordant.schema.annotations import is_shallow, split_annotation
from concordant.schema.declarations import NATURAL, fields_of
from concordant.schema.fingerprint import fingerprint
from concordant.schema.incoming import are_distinct, collapsed, has_records, incoming_type, split_faults, unwrapped
from concordant.values import Unstorable, encode

__all__ = ["OPEN_SCHEMA", "Compiled", "Schema", "compile_schema"]


@dataclass(frozen=True, slots=True)
class Schema:
    """A state model and the policies of its namespace.

    Args:
        model: the state model.
        on_delete: a deletion concurrent with an update escalates, or one of the two wins without asking.
        on_invalid: a value of the wrong type escalates, or is refused with ``InvalidWriteError``.
    """

    model: type[BaseModel]
    on_delete: Literal["escalate", "delete", "update"] = "escalate"
    on_invalid: Literal["escalate", "raise"] = "escalate"


_NOTHING: Mapping[tuple[str, ...], bytes] = {}


class Compiled:
    """A schema ready for use. ``OPEN_SCHEMA`` is that of a namespace without a model."""

    def __init__(self, schema: Schema | None, root: Field) -> None:
        self.root = root
        self.model = schema.model if schema else None
        self.on_delete = schema.on_delete if schema else "escalate"
        self.on_invalid = schema.on_invalid if schema else "escalate"
        self.declared = schema is not None
        self.checked = root.checked
        if schema is not None:
            write = TypeAdapter(incoming_type(schema.model, root.fields))
            self._validate = write.validator.validate_python
            serializer = SchemaSerializer(write.core_schema, CoreConfig(ser_json_inf_nan="constants"))
            self._to_json, self._dump = serializer.to_json, serializer.to_python
            self._nested = any(has_records(field) for field in root.fields.values())
            self._shallow = all(is_shallow(info.annotation) for info in schema.model.model_fields.values())
            self._settle = root.kind.settled(root)
            self._sets = tuple(name for name, field in root.fields.items() if field.kind.settled(field) is not None)
            self._fill = _filler(schema.model, root.fields)

    @cached_property
    def fingerprint(self) -> str:
        """Changes with what documents show for reasons of the schema."""
        return fingerprint(self.root, self.model, self.on_delete)

    def incoming(
        self, namespace: tuple[str, ...], key: str, value: Any
    ) -> tuple[bytes, Mapping[tuple[str, ...], bytes]]:
        """Validates a write.

        Returns:
            The JSON of the fields given, and by path what has the wrong type and waits for a decision.

        Raises:
            InvalidWriteError: an unknown field, no mapping, a value that cannot be stored, or (with
                ``on_invalid="raise"``) a value of the wrong type.
        """
        if not self.declared:
            return _open_body(namespace, key, value), _NOTHING
        if type(value) is not dict:
            if isinstance(value, BaseModel):
                value = {name: getattr(value, name) for name in value.model_fields_set}
            elif not isinstance(value, Mapping):
                mend = "Give a dict of fields, or an instance of the model"
                raise InvalidWriteError(
                    namespace, key, [Fault((), f"a {type(value).__name__} is no mapping", mend, value)]
                )
        if self._nested:
            value = unwrapped(dict(value), self.root, everything=False)
        try:
            given = self._validate(value)
        except ValidationError as error:
            return self._parked(namespace, key, value, error)
        except (ValueError, RecursionError) as error:
            raise InvalidWriteError(namespace, key, [Fault((), str(error), "Give storable values")]) from error
        return self._body(namespace, key, given), _NOTHING

    def _body(self, namespace: tuple[str, ...], key: str, given: dict[str, Any]) -> bytes:
        try:
            if self._shallow:
                for name in self._sets:
                    if name in given and not are_distinct(given[name]):
                        break
                else:
                    return self._to_json(given)
            values = self._dump(given, mode="json")
            lost = collapsed(given, values)
            if lost is not None:
                fault = Fault(lost, "several of its keys become one as text", "Use strings as keys")
                raise InvalidWriteError(namespace, key, [fault])
            return encode(self._settled(values))
        except InvalidWriteError:
            raise
        except Unstorable as error:
            raise InvalidWriteError(namespace, key, [error.fault]) from error
        except ValueError as error:
            raise InvalidWriteError(namespace, key, [self._unstorable(given, error)]) from error

    def _settled(self, values: dict[str, Any]) -> Any:
        if self._settle is None:
            return values
        try:
            return self._settle(values)
        except Unstorable:
            encode(values)  # says where it is
            raise

    def _unstorable(self, given: dict[str, Any], error: Exception) -> Fault:
        """Names the field whose value has no JSON form."""
        for name, value in given.items():
            try:
                encode(self._dump({name: value}, mode="json"), ())
            except Unstorable as reason:
                return reason.fault
            except ValueError as reason:
                return Fault((name,), f"it has no JSON form ({reason})", "Give a value that can be stored")
        return Fault((), str(error), "Give storable values")

    def _parked(
        self, namespace: tuple[str, ...], key: str, value: Any, error: ValidationError
    ) -> tuple[bytes, dict[tuple[str, ...], bytes]]:
        rest: dict[str, Any] = dict(value)
        stray = [k for k in rest if not isinstance(k, str)]
        if stray:
            faults = [Fault((k,), "a field's name is a string", "Use the model's fields", rest[k]) for k in stray]
            raise InvalidWriteError(namespace, key, faults)
        parked: dict[tuple[str, ...], bytes] = {}
        while True:
            fatal, waiting = split_faults(error, rest, self.root.fields)
            if self.on_invalid == "raise":
                fatal += waiting.values()
            for wanted in () if fatal else waiting:
                path = _reachable(rest, wanted)
                if path is None:
                    continue  # taken with what holds it
                try:
                    parked[path] = encode(_take(rest, path), path)
                except Unstorable as reason:
                    fatal.append(reason.fault)
            if fatal:
                raise InvalidWriteError(namespace, key, fatal) from error
            try:
                given = self._validate(rest)
            except ValidationError as again:
                error = again
                continue
            return self._body(namespace, key, given), parked

    def build(self, value: Mapping[str, Any]) -> BaseModel:
        """The model instance that a document's value makes."""
        assert self.model is not None
        return self.model.model_validate(self._fill(value) if self._fill else value, strict=False)

    def fits(self, value: Any) -> bool:
        """Whether a value satisfies the model's constraints and validators."""
        try:
            self.build(value)
        except (ValidationError, ValueError, AssertionError):
            return False
        return True

    def values_of(self, document: Any) -> dict[str, Any]:
        """The fields of a model instance that an edit left, as they would be written."""
        return {
            name: unwrapped(getattr(document, name), field, everything=True) for name, field in self.root.fields.items()
        }


def _open_body(namespace: tuple[str, ...], key: str, value: Any) -> bytes:
    """The JSON of what is written where there is no model."""
    if not isinstance(value, dict):
        if not isinstance(value, Mapping):
            fault = Fault((), f"a {type(value).__name__} is no mapping", "Give a dict of fields", value)
            raise InvalidWriteError(namespace, key, [fault])
        value = dict(value)
    try:
        return encode(value)
    except Unstorable as error:
        raise InvalidWriteError(namespace, key, [error.fault]) from error


def compile_schema(schema: Any) -> Compiled:
    """Checks and compiles a schema.

    Raises:
        SchemaError: lists every fault of the model at once.
    """
    if isinstance(schema, type) and issubclass(schema, BaseModel):
        schema = Schema(schema)
    if not isinstance(schema, Schema):
        fault = Fault((), f"{schema!r} is no state model", "Give a subclass of pydantic.BaseModel, or Schema(Model)")
        raise SchemaError(repr(schema), [fault])
    return _compile(schema)


@lru_cache(maxsize=256)
def _compile(schema: Schema) -> Compiled:
    model = schema.model
    faults: list[Fault] = []
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        raise SchemaError(repr(model), [Fault((), f"{model!r} is no model", "Give a subclass of pydantic.BaseModel")])
    if schema.on_delete not in ("escalate", "delete", "update"):
        faults.append(
            Fault(("on_delete",), f"unknown on_delete={schema.on_delete!r}", 'Use "escalate", "delete" or "update"')
        )
    if schema.on_invalid not in ("escalate", "raise"):
        faults.append(Fault(("on_invalid",), f"unknown on_invalid={schema.on_invalid!r}", 'Use "escalate" or "raise"'))
    fields = fields_of(model, faults)
    if faults:
        raise SchemaError(model.__name__, faults)
    checked = any(field.checked and _constrains_merge(field, model) for name, field in fields.items())
    root = Field(model.__name__, Record(), "record", fields=fields, checked=checked)
    return Compiled(schema, root)


def _constrains_merge(field: Field, model: type[BaseModel]) -> bool:
    """A constraint on one scalar is checked as it is written; any other can be broken by a merge."""
    from concordant.kinds import Scalar
    from concordant.schema.declarations import has_validators

    return not isinstance(field.kind, Scalar) or has_validators(model)


def _filler(model: Any, fields: Mapping[str, Field]) -> Callable[[Any], Any] | None:
    """A function that adds the natural values of fields without a default; ``None`` if all have one."""
    natural = {
        name: NATURAL[field.kind.name]
        for name, field in fields.items()
        if model.model_fields[name].is_required() and field.kind.name in NATURAL
    }
    inner = {
        name: f for name, field in fields.items() if (f := _part_filler(model.model_fields[name].annotation, field))
    }
    if not natural and not inner:
        return None

    def fill(value: Any) -> Any:
        value = {**{name: make() for name, make in natural.items() if name not in value}, **value}
        for name, function in inner.items():
            if name in value:
                value[name] = function(value[name])
        return value

    return fill


def _part_filler(annotation: Any, field: Field) -> Callable[[Any], Any] | None:
    bare, _ = split_annotation(annotation)
    if isinstance(field.kind, Record):
        return _filler(bare, field.fields)
    arguments = get_args(bare)
    if field.child is None or not arguments:
        return None
    function = _part_filler(arguments[-1], field.child)
    if function is None:
        return None
    if isinstance(field.kind, Map):
        return lambda value: {key: function(item) for key, item in value.items()}
    return lambda value: [function(item) for item in value]


def _reachable(value: dict[str, Any], path: tuple[str, ...]) -> tuple[str, ...] | None:
    """As much of a path as leads to something: a key that is no text is known to errors as its text only."""
    holder: Any = value
    for place, part in enumerate(path):
        if isinstance(holder, BaseModel):
            holder = {name: getattr(holder, name) for name in holder.model_fields_set}
        if not isinstance(holder, Mapping) or part not in holder:
            return path[:place] or None
        holder = holder[part]
    return path


def _take(value: dict[str, Any], path: tuple[str, ...]) -> Any:
    """Takes one part out of nested dicts, copying those it changes."""
    holder = value
    for part in path[:-1]:
        inner = holder[part]
        inner = {n: getattr(inner, n) for n in inner.model_fields_set} if isinstance(inner, BaseModel) else dict(inner)
        holder[part] = inner
        holder = inner
    return holder.pop(path[-1])


OPEN_SCHEMA = Compiled(None, OPEN)
