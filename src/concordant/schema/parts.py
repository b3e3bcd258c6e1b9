"""One field of a state model as a state model of its own, for frameworks that keep each field by itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pydantic import create_model
from pydantic.fields import FieldInfo

from concordant.schema.annotations import annotated
from concordant.schema.models import validators_of
from concordant.schema.schema import Schema

__all__ = ["part_of"]

# What belongs to the model as a whole, or to how users spell its fields.
_LEFT_OUT = ("alias_generator", "title", "json_schema_extra")


def part_of(schema: Schema, name: str) -> Schema:
    """Returns the schema of one field alone: its type, kind, default, constraints and validators.

    What concerns several fields (a model's validators) is no part of it.
    """
    model = schema.model
    info = model.model_fields[name]
    config: Any = {option: value for option, value in model.model_config.items() if option not in _LEFT_OUT}
    annotation = annotated(info.annotation, (*info.metadata, *validators_of(model, name)))
    default: Any = ... if info.is_required() else info.default
    if info.default_factory is not None:
        default = FieldInfo(default_factory=info.default_factory)
    definition: Any = {name: (annotation, default)}
    part = create_model(model.__name__, __config__=config, __module__=model.__module__, **definition)
    renamed = {old: new for old, new in schema.renamed.items() if new.partition(".")[0] == name}
    return replace(schema, model=part, renamed=renamed)
