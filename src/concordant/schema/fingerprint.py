"""A digest of all in a schema that decides what a record shows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from types import CodeType
from typing import Any

from pydantic import PydanticUserError, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaWarningKind

from concordant.merge.kinds import Field

__all__ = ["Quiet", "fingerprint"]


def fingerprint(root: Field, model: Any, on_delete: str) -> str:
    """Returns the digest, equal in all processes as long as kinds, types and constraints are.

    Returns:
        Ends with ``?`` if something else decides too: a validator written in Python. It changes with the validator's
        own code, but what that calls cannot be told.
    """
    types = _types(model) if model is not None else ""
    functions = [] if model is None else [_code(function) for function in _functions(TypeAdapter(model).core_schema)]
    told = types is not None and not functions
    parts = [on_delete, *_kinds(root, ""), types or "", *functions]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16] + ("" if told else "?")


def _functions(node: Any) -> Iterator[Any]:
    """The validators written in Python in a core schema, in order."""
    waiting, met = [node], set[int]()
    while waiting:
        part = waiting.pop()
        if isinstance(part, Mapping) and id(part) not in met:
            met.add(id(part))
            found = part.get("function")
            if str(part.get("type", "")).startswith("function-") and found is not None:
                yield found.get("function", found) if isinstance(found, Mapping) else found
            waiting += [part[name] for name in sorted(part, key=str) if name not in _BESIDE]
        elif isinstance(part, (list, tuple)):
            waiting += part


_BESIDE = ("serialization", "metadata", "cls", "ref")
"""What in a core schema decides nothing about what fits."""


def _code(function: Any) -> str:
    """What a function does, as far as its own code tells."""
    while hasattr(function, "__func__") or hasattr(function, "func"):
        function = getattr(function, "__func__", None) or function.func
    code = getattr(function, "__code__", None)
    name = getattr(function, "__qualname__", type(function).__qualname__)
    if code is None:
        return name
    known = [cell.cell_contents for cell in function.__closure__ or ()] + [*(function.__defaults__ or ())]
    return f"{name} {_told(code)} {[repr(value) for value in known if isinstance(value, _PLAIN)]}"


_PLAIN = (str, int, float, bool, type(None))


def _told(code: Any) -> str:
    consts = [_told(part) if isinstance(part, CodeType) else repr(part) for part in code.co_consts]
    return f"{code.co_code.hex()} {code.co_names} {consts}"


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
    given = {option.name: getattr(kind, option.name) for option in fields(kind) if option.repr}
    return {name: "function" if callable(value) else repr(value) for name, value in given.items()}


class Quiet(GenerateJsonSchema):
    """Leaves out what JSON has no words for, without a warning: nobody is to read this schema."""

    def emit_warning(self, kind: JsonSchemaWarningKind, detail: str) -> None:
        """Emits none."""


def _types(model: Any) -> str | None:
    try:
        return json.dumps(TypeAdapter(model).json_schema(schema_generator=Quiet), sort_keys=True, default=repr)
    except PydanticUserError:  # of a type that JSON Schema has no words for
        return None
