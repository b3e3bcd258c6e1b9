"""Values compare after validation, by type and value."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from concordant import List, Map, Scalar, Set

from .support import AT, pair, shown, values, workspace

NAN = float("nan")
DIFFERENT: list[tuple[Any, Any]] = [
    (True, 1),
    (1, 1.0),
    (True, 1.0),
    (False, 0),
    (0, 0.0),
    (0, ""),
    (None, "null"),
    (None, False),
    ("1", 1),
    ([], {}),
    ([1], [True]),
    ([1], [1.0]),
    ({"a": 1}, {"a": 1.0}),
    ({"a": 1}, {"a": 1, "b": None}),
    ([1, 2], [2, 1]),
    (2**70, 2**70 + 1),
    (2**53, float(2**53)),
    ("é", "e\u0301"),
    (NAN, None),
]
EQUAL: list[tuple[Any, Any]] = [
    (NAN, float("nan")),
    ([NAN], [float("nan")]),
    (float("inf"), float("inf")),
    ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
    ([{"a": 1, "b": 2}], [{"b": 2, "a": 1}]),
    (0.0, -0.0),
    (1.5, 1.50),
    ((1, 2), [1, 2]),
    (2**70, 2**70),
]


class Loose(BaseModel):
    x: Annotated[Any, Scalar()] = None
    elements: Annotated[list[Any], Set()] = []
    keys: Annotated[dict[str, Any], Map()] = {}
    items: Annotated[list[Any], List()] = []


class Money(BaseModel):
    x: Annotated[Decimal | None, Scalar()] = None
    elements: Annotated[set[Decimal], Set()] = set()
    keys: Annotated[dict[str, Decimal], Map()] = {}
    mixed: Annotated[dict[str, Decimal] | None, Scalar()] = None


@pytest.mark.parametrize("model", [Loose, None])
@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_different_values_are_contested(one: Any, other: Any, model: Any) -> None:
    """Two concurrent values that differ in type or content are two contenders."""
    ws = workspace(model)
    ada, bob = pair(ws)
    ada.write(*AT, {"x": one})
    bob.write(*AT, {"x": other})
    (escalation,) = ws.escalations()
    assert list(map(repr, values(escalation))) == [repr(one), repr(other)]


@pytest.mark.parametrize("model", [Loose, None])
@pytest.mark.parametrize(("one", "other"), EQUAL)
def test_equal_values_agree(one: Any, other: Any, model: Any) -> None:
    """Two concurrent values that are equal are none."""
    ws = workspace(model)
    ada, bob = pair(ws)
    ada.write(*AT, {"x": one})
    bob.write(*AT, {"x": other})
    assert ws.escalations(state="all") == []


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_different_values_are_two_elements(one: Any, other: Any) -> None:
    """A set holds both."""
    ws = workspace(Loose)
    ws.agent("ada").write(*AT, {"elements": [one]})
    ws.agent("bob").write(*AT, {"elements": [other, one]})
    assert repr(shown(ws)) == repr({"elements": [one, other]})


@pytest.mark.parametrize(("one", "other"), EQUAL)
def test_equal_values_are_one_element(one: Any, other: Any) -> None:
    """A set holds one of them."""
    ws = workspace(Loose)
    ws.agent("ada").write(*AT, {"elements": [one, other]})
    assert len((shown(ws) or {})["elements"]) == 1
    ws.agent("bob").write(*AT, {"elements": [other]})
    assert len((shown(ws) or {})["elements"]) == 1


def test_one_write_may_repeat_an_element() -> None:
    """Duplicates within one write are one element, in a document written once too."""
    ws = workspace(Loose)
    ws.agent("ada").write(*AT, {"elements": [True, 1, 1.0, 1, True, NAN, NAN, [1], [1.0], [1]]})
    assert repr(shown(ws)) == repr({"elements": [True, 1, 1.0, NAN, [1], [1.0]]})


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_an_edit_from_one_to_the_other_is_a_change(one: Any, other: Any) -> None:
    """In a scalar, a map's key, a set and a list an edit that changes the type alone is a change."""
    ws = workspace(Loose)
    everywhere: dict[str, Any] = {"x": one, "elements": [one], "keys": {"k": one}, "items": [one]}
    ws.agent("ada").write(*AT, everywhere)
    with ws.agent("bob").edit(*AT) as document:
        document.x = other
        document.elements = [other]
        document.keys = {"k": other}
        document.items = [other]
    expected = {"x": other, "elements": [other], "keys": {"k": other}, "items": [other]}
    assert repr(shown(ws)) == repr(expected)


def test_decimals_compare_as_numbers() -> None:
    """``Decimal("1.10")`` equals ``Decimal("1.1")``, as a value, an element, a map's value and inside one."""
    ws = workspace(Money)
    ada, bob = pair(ws)
    ada.write(*AT, {"x": "1.10", "elements": ["1.10"], "keys": {"k": "1.10"}, "mixed": {"a": "1.10"}})
    bob.write(*AT, {"x": "1.1", "elements": ["1.1"], "keys": {"k": "1.1"}, "mixed": {"a": "1.1"}})
    assert ws.escalations(state="all") == []
    document = ws.get(*AT)
    assert document is not None
    assert document.model == Money(
        x=Decimal("1.1"), elements={Decimal("1.1")}, keys={"k": Decimal("1.1")}, mixed={"a": Decimal("1.1")}
    )
    assert len(document.value["elements"]) == 1


def test_decimals_that_differ_are_contested() -> None:
    """As numbers, not as texts."""
    ws = workspace(Money)
    ada, bob = pair(ws)
    ada.write(*AT, {"x": "1.1"})
    bob.write(*AT, {"x": "1.11"})
    assert len(ws.escalations()) == 1


def test_values_compare_after_validation() -> None:
    """What validation makes equal is equal: the text "5" and the number 5 in a field of numbers."""

    class Number(BaseModel):
        x: Annotated[int | None, Scalar()] = None

    ws = workspace(Number)
    ada, bob = pair(ws)
    ada.write(*AT, {"x": "5"})
    bob.write(*AT, {"x": 5})
    assert shown(ws) == {"x": 5} and ws.escalations(state="all") == []
