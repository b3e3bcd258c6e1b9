"""The JSON schemas of the tools' arguments: precise, and of what every provider takes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, BeforeValidator, Field, GetPydanticSchema
from pydantic_core import core_schema

from concordant import Counter, List, Map, Scalar, SchemaError, Set
from concordant.tooling import Toolkit
from tests.tooling.support import Brief


class Level(Enum):
    LOW = "low"
    HIGH = "high"


class Cat(BaseModel):
    sort: Literal["cat"]
    lives: int = 9


class Dog(BaseModel):
    sort: Literal["dog"]


class Odd(BaseModel):
    pets: Annotated[list[Annotated[Cat | Dog, Field(discriminator="sort")]], List()] = []
    pair: Annotated[tuple[int, str] | None, Scalar()] = None
    spot: Annotated[tuple[float, float] | None, Scalar()] = None
    cost: Annotated[Decimal, Counter()] = Decimal(0)
    names: Annotated[frozenset[str] | None, Scalar()] = None
    level: Annotated[Level | None, Scalar()] = None
    when: Annotated[datetime | None, Scalar()] = None
    days: Annotated[dict[str, Annotated[set[date], Set()]], Map()] = {}
    code: Annotated[str, Field(pattern="^[A-Z]+$", max_length=4), BeforeValidator(str.upper), Scalar()] = "A"


def schemas(part: Any) -> Iterator[dict[str, Any]]:
    """Every schema inside a schema."""
    if isinstance(part, list):
        for item in part:
            yield from schemas(item)
    elif isinstance(part, dict):
        yield part
        for name, value in part.items():
            if name in ("properties", "$defs"):
                for inner in value.values():
                    yield from schemas(inner)
            else:
                yield from schemas(value)


@pytest.mark.parametrize("model", [Brief, Odd])
def test_schemas_keep_to_what_every_provider_takes(model: type[BaseModel]) -> None:
    """No argument's schema has a word that strict providers refuse, and every object tells all of its names."""
    for tool in Toolkit(model):
        schema = tool.arguments.model_json_schema()
        assert "title" not in schema
        for part in schemas(schema):
            refused = {"oneOf", "allOf", "discriminator", "prefixItems", "uniqueItems", "patternProperties", "not"}
            assert not refused & part.keys(), part
            assert "(?" not in part.get("pattern", "")
            if part.get("type") == "object" and "sort" not in part["properties"]:  # those are the user's own
                assert part["additionalProperties"] is False
                assert not any("default" in argument for argument in part["properties"].values())
        for name, argument in schema["properties"].items():
            assert argument["description"], name
            assert name in schema.get("required", ()) or {"type": "null"} in argument["anyOf"], name


def test_a_schema_says_what_each_argument_is_for() -> None:
    """An argument has the field's own description and what its kind makes of it, the type of its values, and the
    choices of those that have some."""
    _, update, _, resolve = Toolkit(Brief, key="launch")
    assert 'the shared brief "launch"' in update.description
    assert update.description.endswith("The brief: What a launch needs.")
    arguments = update.arguments.model_json_schema()["properties"]
    assert arguments["tags"] == {
        "anyOf": [{"items": {"type": "string"}, "type": "array"}, {"type": "null"}],
        "description": "What it is about. Elements to add; those that are there stay.",
    }
    assert arguments["tokens"]["description"].startswith("The amount to add to the number")
    assert arguments["notes"]["description"].startswith("Text to append, on a new line")
    assert arguments["size"]["anyOf"] == [{"minimum": 0, "type": "integer"}, {"type": "null"}]
    assert arguments["status"]["anyOf"][0]["enum"] == ["draft", "review", "done"]
    assert arguments["clear"]["anyOf"][0]["items"] == {"const": "status", "type": "string"}
    assert resolve.arguments.model_json_schema()["required"] == ["id"]


OPAQUE = GetPydanticSchema(lambda *_: core_schema.no_info_plain_validator_function(lambda value: value))


def test_a_type_that_has_no_schema_is_an_error_at_once() -> None:
    """A field whose type cannot be described to a calling model is named when the tools are made."""

    class Opaque(BaseModel):
        hook: Annotated[str | None, OPAQUE, Scalar()] = None

    with pytest.raises(SchemaError, match="Opaque: it cannot be described to a calling model"):
        Toolkit(Opaque)
