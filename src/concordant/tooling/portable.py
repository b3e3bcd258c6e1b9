"""JSON schemas that every provider of models accepts.

Providers take a part of JSON Schema each: no ``uniqueItems``, no tuples by position, no look-ahead in patterns, no
``oneOf`` with a discriminator, no object with arbitrary keys. What Pydantic makes of a type is put into their common
part; what is lost by that, validation still checks.
"""

from __future__ import annotations

from typing import Any

from pydantic import GetJsonSchemaHandler
from pydantic_core import CoreSchema

__all__ = ["Portable", "untitled"]

_DROPPED = ("title", "default", "uniqueItems", "discriminator", "examples", "contentMediaType")


class Portable:
    """A mark on a type, ``Annotated[T, Portable()]``: its JSON schema is put into the common part.

    >>> from typing import Annotated
    >>> from pydantic import TypeAdapter
    >>> TypeAdapter(Annotated[set[int], Portable()]).json_schema()
    {'items': {'type': 'integer'}, 'type': 'array'}
    """

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return _plain(handler(core))  # type: ignore[no-any-return]


def untitled(schema: dict[str, Any]) -> None:
    """Takes the titles that Pydantic makes up out of a model's schema: they only cost tokens."""
    schema.pop("title", None)
    for part in schema.get("properties", {}).values():
        part.pop("title", None)


def _plain(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_plain(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {
        name: {key: _plain(part) for key, part in value.items()} if name == "properties" else _plain(value)
        for name, value in schema.items()
        if name not in _DROPPED
    }
    if "oneOf" in plain:
        plain["anyOf"] = plain.pop("oneOf")
    if "(?" in str(plain.get("pattern", "")):
        del plain["pattern"]
    places = plain.pop("prefixItems", None)
    if places is not None:
        kinds = [place for at, place in enumerate(places) if place not in places[:at]]
        plain["items"] = kinds[0] if len(kinds) == 1 else {"anyOf": kinds}
    return plain
