"""Validators and constraints of the model hold for what is written, however they are declared."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Annotated, Any

import pytest
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    StringConstraints,
    ValidationInfo,
    create_model,
    field_validator,
    model_validator,
)

from concordant import InvalidWriteError, Map, Scalar, Schema, Set, Text, Workspace

NS = ("t",)
AT = (NS, "k")


def upper(value: Any) -> Any:
    if value == "BOMB":
        raise ValueError("no bombs")
    return value.upper() if isinstance(value, str) else value


class After(BaseModel):
    x: Annotated[str | None, Scalar()] = None
    y: Annotated[str | None, Scalar()] = None

    @field_validator("x")
    @classmethod
    def up(cls, value: Any) -> Any:
        return upper(value)


class WithInfo(BaseModel):
    x: Annotated[str | None, Scalar()] = None
    y: Annotated[str | None, Scalar()] = None

    @field_validator("x")
    @classmethod
    def up(cls, value: Any, info: ValidationInfo) -> Any:
        assert info.field_name == "x"
        return upper(value)


class Before(BaseModel):
    x: Annotated[str | None, Scalar()] = None
    y: Annotated[str | None, Scalar()] = None

    @field_validator("x", mode="before")
    @classmethod
    def up(cls, value: Any) -> Any:
        return upper(value)


class Wrapped(BaseModel):
    x: Annotated[str | None, Scalar()] = None
    y: Annotated[str | None, Scalar()] = None

    @field_validator("x", mode="wrap")
    @classmethod
    def up(cls, value: Any, handler: Callable[[Any], Any]) -> Any:
        return upper(handler(value))


class Plain(BaseModel):
    x: Annotated[str | None, Scalar()] = None
    y: Annotated[str | None, Scalar()] = None

    @field_validator("x", mode="plain")
    @classmethod
    def up(cls, value: Any) -> Any:
        return upper(value)


class Static(BaseModel):
    x: Annotated[str | None, Scalar()] = None
    y: Annotated[str | None, Scalar()] = None

    @field_validator("x")
    @staticmethod
    def up(value: Any) -> Any:
        return upper(value)


class Inherited(After):
    z: Annotated[int, Scalar()] = 0


class InMetadata(BaseModel):
    x: Annotated[str | None, Scalar(), AfterValidator(upper)] = None
    y: Annotated[str | None, Scalar()] = None


class BeforeInMetadata(BaseModel):
    x: Annotated[str | None, BeforeValidator(upper), Scalar()] = None
    y: Annotated[str | None, Scalar()] = None


VALIDATED = [After, WithInfo, Before, Wrapped, Plain, Static, Inherited, InMetadata, BeforeInMetadata]


@pytest.mark.parametrize("model", VALIDATED)
def test_a_field_validator_of_a_scalar_runs_on_each_write(model: type[BaseModel]) -> None:
    """What it returns is stored, what it refuses is ill-typed, and other fields are not its business."""
    ws = Workspace(schemas={NS: Schema(model, on_invalid="raise")})
    ws.agent("ada").write(*AT, {"x": "a", "y": "b"})
    ws.agent("ada").write(*AT, {"y": "c"})
    document = ws.get(*AT)
    assert document is not None and document.value == {"x": "A", "y": "c"}
    with pytest.raises(InvalidWriteError, match="no bombs"):
        ws.agent("ada").write(*AT, {"x": "BOMB"})
    with ws.agent("bob").edit(*AT) as draft:
        draft.x = "d"
    document = ws.get(*AT)
    assert document is not None and document.value == {"x": "D", "y": "c"}


@pytest.mark.parametrize("model", VALIDATED)
def test_what_a_validator_refuses_is_parked(model: type[BaseModel]) -> None:
    """As any ill-typed value; the rest of the write applies."""
    ws = Workspace(schemas={NS: model})
    ws.agent("ada").write(*AT, {"x": "BOMB", "y": "b"})
    (escalation,) = ws.escalations()
    assert (escalation.path, escalation.reason) == (("x",), "type")
    assert [c.value for c in escalation.contenders] == ["BOMB"]
    document = ws.get(*AT)
    assert document is not None and document.value == {"y": "b"}


@pytest.mark.parametrize("model", VALIDATED)
def test_equal_after_validation_is_equal(model: type[BaseModel]) -> None:
    """Two values that the validator makes equal agree."""
    ws = Workspace(schemas={NS: model})
    began = ws.moment()
    for name, x in (("ada", "a"), ("bob", "A")):
        ws.agent(name, began=began).write(*AT, {"x": x})
    document = ws.get(*AT)
    assert document is not None and document.value == {"x": "A"} and ws.escalations() == []


def test_validators_for_all_fields() -> None:
    """``field_validator("*")`` runs on scalars as written, on merged fields as merged."""

    class Every(BaseModel):
        x: Annotated[str, Scalar()] = ""
        tags: Annotated[set[str], Set()] = set()

        @field_validator("*")
        @classmethod
        def no_bombs(cls, value: Any) -> Any:
            if "BOMB" in value:
                raise ValueError("no bombs")
            return value

    ws = Workspace(schemas={NS: Every})
    ws.agent("ada").write(*AT, {"x": "a", "tags": ["t"]})
    ws.agent("ada").write(*AT, {"tags": ["BOMB", "u"]})
    document = ws.get(*AT)
    assert document is not None
    Every.model_validate(document.value)
    assert document.value["x"] == "a" and "BOMB" not in document.value["tags"]
    (escalation,) = ws.escalations()
    assert (escalation.path, escalation.reason) == (("tags",), "invalid")


def test_constraints_in_annotations() -> None:
    """``Field`` and ``StringConstraints`` on scalars and on a map's values."""

    class Constrained(BaseModel):
        x: Annotated[str, Scalar(), StringConstraints(strip_whitespace=True, max_length=3)] = ""
        n: Annotated[int, Scalar(), Field(gt=0)] = 1
        keys: Annotated[dict[str, Annotated[int, Field(gt=0)]], Map()] = {}

    ws = Workspace(schemas={NS: Schema(Constrained, on_invalid="raise")})
    ws.agent("ada").write(*AT, {"x": "  a  ", "n": 2, "keys": {"k": 1}})
    for bad in ({"x": "long"}, {"n": 0}, {"keys": {"k": 0}}):
        with pytest.raises(InvalidWriteError):
            ws.agent("ada").write(*AT, bad)
    document = ws.get(*AT)
    assert document is not None and document.value == {"x": "a", "n": 2, "keys": {"k": 1}}


def test_a_validator_that_changes_what_is_read_does_not_make_an_edit() -> None:
    """A model validator that normalises shows its result in ``model``; an edit left as it was is none."""

    class Normal(BaseModel):
        x: Annotated[int, Scalar()] = 0
        double: Annotated[int, Scalar()] = 0

        @model_validator(mode="after")
        def computed(self) -> Normal:
            self.double = 2 * self.x
            return self

    ws = Workspace(schemas={NS: Normal})
    version = ws.agent("ada").write(*AT, {"x": 2}).version
    document = ws.get(*AT)
    assert document is not None and document.model.double == 4
    with ws.agent("ada").edit(*AT):
        pass
    document = ws.get(*AT)
    assert document is not None and document.version == version and ws.escalations() == []


@pytest.mark.parametrize(
    "config",
    [
        ConfigDict(extra="allow"),
        ConfigDict(extra="ignore"),
        ConfigDict(extra="forbid"),
        ConfigDict(strict=True),
        ConfigDict(frozen=True),
        ConfigDict(validate_assignment=True),
        ConfigDict(validate_default=True),
        ConfigDict(use_enum_values=True),
        ConfigDict(populate_by_name=True),
        ConfigDict(from_attributes=True),
    ],
    ids=repr,
)
def test_model_configurations(config: ConfigDict) -> None:
    """Lax mode decides and unknown fields are refused, whatever the model's own configuration says."""
    namespace: dict[str, Any] = {
        "__annotations__": {"x": Annotated[int, Scalar()], "body": Annotated[str, Text()]},
        "__module__": __name__,
        "x": 0,
        "body": "",
        "model_config": config,
    }
    model: Any = type("Configured", (BaseModel,), namespace)
    ws = Workspace(schemas={NS: model})
    ws.agent("ada").write(*AT, {"x": "1", "body": "a"})
    ws.agent("ada").write(*AT, {"body": "b"})
    with pytest.raises(InvalidWriteError, match="no such field"):
        ws.agent("ada").write(*AT, {"other": 1})
    document = ws.get(*AT)
    assert document is not None
    assert document.value == {"x": 1, "body": "a\nb"} and document.model.x == 1
    assert ws.escalations() == []


class Dated(BaseModel):
    model_config = ConfigDict(strict=True)
    id: Annotated[str, Scalar()] = ""
    day: Annotated[date | None, Scalar()] = None


class Exact(BaseModel):
    id: Annotated[str, Scalar()] = ""
    day: Annotated[Annotated[date, Strict()] | None, Scalar()] = None


@pytest.mark.parametrize("record", [Dated, Exact])
def test_what_was_read_is_written_back_into_strict_types_at_any_depth(record: Any) -> None:
    """The JSON form of a strict type's value stands for it in records, in maps and lists of them, and in decisions."""
    fields: dict[str, Any] = {
        "r": (record, record()),
        "m": (Annotated[dict[str, record], Map()], {}),
        "k": (Annotated[list[record], Set(by="id")], []),
    }
    ws = Workspace(schemas={NS: create_model("M", **fields)})
    day = date(2026, 1, 31)
    whole = {"r": {"day": day}, "m": {"a": {"day": day}}, "k": [{"id": "i", "day": day}]}
    began = ws.moment()
    for name, at in (("ada", day), ("bob", date(2026, 2, 1))):
        part = {"day": at}
        ws.agent(name, began=began).write(*AT, {"r": part, "m": {"a": part}, "k": [{"id": "i", **part}]})
    assert len(ws.escalations()) == 3
    for escalation in ws.escalations():
        ws.resolve(escalation, escalation.contenders[0].value, by="eve")
    document = ws.get(*AT)
    assert document is not None and document.model == type(document.model).model_validate(whole)
    eve = ws.agent("eve")
    eve.read(*AT)
    ws.put(*AT, document.value, eve.scope)
    after = ws.get(*AT)
    assert after is not None and after.value == document.value and not after.contested
