"""A digest of all in a schema that decides what a record shows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from pydantic import PydanticUserError, TypeAdapter

from concordant.kinds import Field

__all__ = ["fingerprint"]


def fingerprint(root: Field, model: Any, on_delete: str) -> str:
    """The digest, equal in all processes as long as kinds, types and constraints are.

    Returns:
        Ends with ``?`` if something else decides too, that cannot be told: a validator written in Python.
    """
    types = _types(model) if model is not None else ""
    told = types is not None and (model is None or "'function-" not in repr(TypeAdapter(model).core_schema))
    parts = [on_delete, *_kinds(root, ""), types or ""]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16] + ("" if told else "?")


def _kinds(field: Field, prefix: str) -> Iterator[str]:
    yield f"{prefix}{field.tag}{_options(field.kind)}{' '.join(field.former)}"
    for name in sorted(field.fields):
        yield from _kinds(field.fields[name], f"{prefix}{name}.")
    if field.child:
        yield from _kinds(field.child, f"{prefix}*.")


def _options(kind: Any) -> dict[str, str]:
    """The options of a kind. A function that resolves is asked once, and its answer is a write: it shows nothing."""
    if not is_dataclass(kind):
        return {}
    given = {option.name: getattr(kind, option.name) for option in fields(kind)}
    return {name: "function" if callable(value) else repr(value) for name, value in given.items()}


def _types(model: Any) -> str | None:
    try:
        return json.dumps(TypeAdapter(model).json_schema(), sort_keys=True, default=repr)
    except PydanticUserError:  # of a type that JSON Schema has no words for
        return None
