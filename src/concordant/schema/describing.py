"""What a model says of one of its places, for whoever is to decide about a value there."""

from __future__ import annotations

import json
import types
from typing import Any, NamedTuple, Union, get_args, get_origin

from pydantic import TypeAdapter
from pydantic.errors import PydanticUserError

from concordant.schema.annotations import annotated, split_annotation, without_none
from concordant.schema.fingerprint import Quiet
from concordant.schema.models import fields_in, is_model

__all__ = ["Description", "description_of"]


class Description(NamedTuple):
    """The description of a field, and its type as JSON Schema; each empty where nothing is known."""

    description: str
    type: str


def description_of(model: Any, path: tuple[str, ...]) -> Description:
    """Tells what a model says of a public path; of an entry of a map, what it says of the map."""
    says, annotation, metadata = "", model, ()
    for part in path:
        holder = _holder_of(annotation, part)
        if holder is not None:
            info = fields_in(holder)[part]
            says, annotation, metadata = info.description or "", info.annotation, tuple(info.metadata)
        else:  # the key of an entry, or what tells a record
            arguments = get_args(without_none(split_annotation(annotation)[0]))
            annotation, metadata = arguments[-1] if arguments else Any, ()
    return Description(says, "" if annotation is None else _schema_of(annotation, metadata))


def _holder_of(annotation: Any, name: str) -> Any:
    """The model, or the one of several, that has a field of this name."""
    bare = split_annotation(annotation)[0]
    members = get_args(bare) if get_origin(bare) in (Union, types.UnionType) else (bare,)
    bares = (split_annotation(member)[0] for member in members)
    return next((member for member in bares if is_model(member) and name in fields_in(member)), None)


def _schema_of(annotation: Any, metadata: tuple[Any, ...]) -> str:
    try:
        return json.dumps(
            TypeAdapter(annotated(annotation, metadata)).json_schema(schema_generator=Quiet),
            ensure_ascii=False,
            default=repr,
        )
    except PydanticUserError:  # of a type that JSON Schema has no words for
        return str(annotation)
