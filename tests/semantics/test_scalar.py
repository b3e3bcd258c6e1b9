"""``Scalar``: one value; a write replaces what it has seen, different concurrent values are contested."""

from __future__ import annotations

import datetime as dt
import enum
import uuid
from decimal import Decimal
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel

from concordant import Scalar

from .support import AT, only, pair, shown, sides, values, workspace


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Loose(BaseModel):
    status: Annotated[Any, Scalar()] = None


class Typed(BaseModel):
    colour: Annotated[Colour | None, Scalar()] = None
    day: Annotated[dt.date | None, Scalar()] = None
    moment: Annotated[dt.datetime | None, Scalar()] = None
    price: Annotated[Decimal | None, Scalar()] = None
    number: Annotated[int | None, Scalar()] = None
    level: Annotated[Literal["low", "high"] | None, Scalar()] = None
    identity: Annotated[uuid.UUID | None, Scalar()] = None
    record: Annotated[dict[str, Any] | None, Scalar()] = None


def test_write_and_edit_replace_what_was_seen() -> None:
    """Both replace the value that their scope has seen."""
    ws = workspace(Loose)
    ws.agent("ada").write(*AT, {"status": "a"})
    ws.agent("bob").write(*AT, {"status": "b"})
    with ws.agent("eve").edit(*AT) as document:
        assert document.status == "b"
        document.status = "c"
    assert shown(ws) == {"status": "c"} and ws.escalations(state="all") == []


@pytest.mark.parametrize("value", [None, True, 0, -1, 2**70, 1.5, "", "text", [], [1, [2]], {}, {"a": {}}])
def test_any_json_value(value: Any) -> None:
    """A scalar holds any JSON value and gives back the same."""
    ws = workspace(Loose)
    ws.agent("ada").write(*AT, {"status": value})
    found = shown(ws)
    assert found == {"status": value} and type(found["status"]) is type(value)


@pytest.mark.parametrize(
    ("field", "given", "stored"),
    [
        ("colour", Colour.RED, "red"),
        ("day", dt.date(2024, 5, 1), "2024-05-01"),
        ("moment", dt.datetime(2024, 5, 1, 12, 30), "2024-05-01T12:30:00"),
        ("price", Decimal("1.10"), "1.10"),
        ("number", 2**70, 2**70),
        ("level", "low", "low"),
        ("identity", uuid.UUID(int=7), str(uuid.UUID(int=7))),
        ("record", {"a": [1]}, {"a": [1]}),
    ],
)
def test_typed_values_are_stored_as_json_and_read_back_typed(field: str, given: Any, stored: Any) -> None:
    """``value`` holds the JSON form, ``model`` the typed value."""
    ws = workspace(Typed)
    ws.agent("ada").write(*AT, {field: given})
    document = ws.get(*AT)
    assert document is not None
    assert document.value == {field: stored}
    assert getattr(document.model, field) == given


def test_lax_mode_decides() -> None:
    """What Pydantic's lax mode converts is stored converted."""
    ws = workspace(Typed)
    ws.agent("ada").write(*AT, {"number": "5", "day": "2024-05-01"})
    assert shown(ws) == {"number": 5, "day": "2024-05-01"}


def test_different_concurrent_values_are_contested() -> None:
    """Reason ``scalar``, one contender a distinct value, with agent, time and origin."""
    ws = workspace(Loose)
    ada, bob = pair(ws)
    ada.write(*AT, {"status": "a"})
    receipt = bob.write(*AT, {"status": "b"})
    escalation = only(ws)
    assert (escalation.reason, escalation.state) == ("scalar", "open")
    assert (escalation.namespace, escalation.key, escalation.path) == (*AT, ("status",))
    assert sides(escalation) == {"ada": "a", "bob": "b"}
    assert receipt.escalations == (escalation,)
    first, second = escalation.contenders
    assert (first.agent, first.agents, second.agent) == ("ada", ("ada",), "bob")
    assert first.at < second.at and first.at.tzinfo is not None
    assert first.origin != second.origin


def test_equal_concurrent_values_agree() -> None:
    """Equal values do not escalate, and both writers stand for the value."""
    ws = workspace(Loose)
    ada, bob = pair(ws)
    ada.write(*AT, {"status": "same"})
    bob.write(*AT, {"status": "same"})
    assert shown(ws) == {"status": "same"} and ws.escalations(state="all") == []
    assert ws.blame(*AT)[("status",)][0].agents == ("ada", "bob")


def test_equal_contenders_are_one() -> None:
    """A contender is a distinct value; ``agents`` are all who wrote it, ``agent`` is the first."""
    ws = workspace(Loose)
    began = ws.moment()
    for name, status in (("ada", "a"), ("bob", "b"), ("eve", "a")):
        ws.agent(name, began=began).write(*AT, {"status": status})
    assert [(c.value, c.agent, c.agents) for c in only(ws).contenders] == [
        ("a", "ada", ("ada", "eve")),
        ("b", "bob", ("bob",)),
    ]


def test_three_contenders() -> None:
    """Every concurrent value is a contender."""
    ws = workspace(Loose)
    began = ws.moment()
    for name in ("ada", "bob", "eve"):
        ws.agent(name, began=began).write(*AT, {"status": name})
    assert values(only(ws)) == ["ada", "bob", "eve"]


def test_different_fields_do_not_conflict() -> None:
    """Concurrent writes of different fields merge."""
    ws = workspace(Typed)
    ada, bob = pair(ws)
    ada.write(*AT, {"level": "low"})
    bob.write(*AT, {"number": 1})
    assert shown(ws) == {"level": "low", "number": 1} and ws.escalations() == []


def test_none_is_a_value() -> None:
    """``None`` against another value is contested like any two values."""
    ws = workspace(Loose)
    ada, bob = pair(ws)
    ada.write(*AT, {"status": None})
    bob.write(*AT, {"status": "b"})
    assert values(only(ws)) == [None, "b"]


def test_values_of_different_types_are_contested() -> None:
    """A text against a list, a record against a number: cross-type writes escalate."""
    ws = workspace(Loose)
    began = ws.moment()
    for name, status in (("ada", "1"), ("bob", [1]), ("eve", {"a": 1}), ("joe", 1)):
        ws.agent(name, began=began).write(*AT, {"status": status})
    assert values(only(ws)) == ["1", [1], {"a": 1}, 1]


def test_a_record_in_a_scalar_is_one_value() -> None:
    """A dict in a scalar does not merge key by key."""
    ws = workspace(Typed)
    ada, bob = pair(ws)
    ada.write(*AT, {"record": {"a": 1}})
    bob.write(*AT, {"record": {"b": 2}})
    assert values(only(ws)) == [{"a": 1}, {"b": 2}]


def test_an_edit_of_another_field_writes_no_scalar() -> None:
    """An edit changes what it changed: the field that was left as it was read stays another's."""
    ws = workspace(Typed)
    ada, bob = pair(ws)
    with bob.edit(*AT) as document:
        document.number = 1
        ada.write(*AT, {"level": "high"})
    assert shown(ws) == {"level": "high", "number": 1} and ws.escalations() == []


def test_model_instances_contribute_the_fields_that_were_set() -> None:
    """Writing an instance writes what was given to it, not its defaults."""
    ws = workspace(Typed)
    ws.agent("ada").write(*AT, {"level": "low", "number": 1})
    ws.agent("bob").write(*AT, Typed(number=2))
    assert shown(ws) == {"level": "low", "number": 2}


def test_the_model_has_the_defaults_and_the_value_only_what_was_written() -> None:
    """``value`` has only fields that were written."""
    ws = workspace(Typed)
    ws.agent("ada").write(*AT, {"number": 2})
    document = ws.get(*AT)
    assert document is not None
    assert document.value == {"number": 2} and document.model == Typed(number=2)
