"""From a state model to its compiled schema: what is wrong with it is told here, all of it at once."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from pydantic.errors import PydanticUserError

from concordant.errors import Fault, SchemaError, told
from concordant.merge.kinds import Field, Nested
from concordant.schema.declarations import fields_of
from concordant.schema.fidelity import unfaithful
from concordant.schema.models import has_validators, is_model
from concordant.schema.renaming import note_former_names
from concordant.schema.schema import Compiled, Schema

__all__ = ["compile_schema"]


def compile_schema(schema: Any) -> Compiled:
    """Checks and compiles a schema.

    Raises:
        SchemaError: lists every fault of the model at once.
    """
    if is_model(schema):
        schema = Schema(schema)
    if not isinstance(schema, Schema):
        fault = Fault(
            (), f"{told(schema)} is no state model", "Give a subclass of pydantic.BaseModel, or Schema(Model)"
        )
        raise SchemaError(told(schema), [fault])
    try:
        hash(schema)
    except TypeError:  # an option that is nothing it may be
        return _compile.__wrapped__(schema)
    return _compile(schema)


def _wrong_names(what: str, names: Any) -> Iterator[Fault]:
    """What is wrong with names of writers or deciders."""
    sound = isinstance(names, tuple) and all(isinstance(name, str) and name for name in names)
    if names is not None and not sound:
        mend = f'Give a tuple of names or glob patterns, such as {what}=("lead", "human:*")'
        yield Fault((what,), f"{what}={told(names)} is no tuple of names", mend)


@lru_cache(maxsize=256)
def _compile(schema: Schema) -> Compiled:
    model = schema.model
    faults: list[Fault] = []
    if not is_model(model):
        raise SchemaError(
            told(model), [Fault((), f"{told(model)} is no model", "Give a subclass of pydantic.BaseModel")]
        )
    if schema.on_delete not in ("escalate", "delete", "update"):
        faults.append(
            Fault(("on_delete",), f"unknown on_delete={schema.on_delete!r}", 'Use "escalate", "delete" or "update"')
        )
    if schema.on_invalid not in ("escalate", "raise"):
        faults.append(Fault(("on_invalid",), f"unknown on_invalid={schema.on_invalid!r}", 'Use "escalate" or "raise"'))
    faults += [*_wrong_names("writers", schema.writers), *_wrong_names("deciders", schema.deciders)]
    fields = fields_of(model, faults)
    if faults:
        raise SchemaError(model.__name__, faults)
    checked = any(field.checked and _constrains_merge(field, model) for field in fields.values())
    root = Field(model.__name__, Nested(), "record", fields=fields, checked=checked)
    faults = note_former_names(root, schema.renamed)
    if faults:
        raise SchemaError(model.__name__, faults)
    try:
        compiled = Compiled(schema, root)
    except PydanticUserError as error:  # such as a ``typing.TypedDict`` before Python 3.12
        fault = Fault((model.__name__,), f"Pydantic refuses it: {error.message}", "Do as it says, or use a BaseModel")
        raise SchemaError(model.__name__, [fault]) from error
    faults = unfaithful(compiled)
    if faults:
        raise SchemaError(model.__name__, faults)
    return compiled


def _constrains_merge(field: Field, model: Any) -> bool:
    """A constraint on one scalar is checked as it is written; any other can be broken by a merge."""
    return not field.kind.is_leaf or has_validators(model)
