"""Ill-typed values for declared fields: parked as contenders, reason ``type``, or refused."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field

from concordant import Counter, InvalidWriteError, List, Map, Scalar, Schema, Set, Text

from .support import AT, kinds, only, pair, recorded, shown, sides, values, workspace


class Inner(BaseModel):
    n: Annotated[int | None, Scalar()] = None


class Brief(BaseModel):
    count: Annotated[int | None, Scalar()] = None
    title: Annotated[str, Scalar(), Field(max_length=5)] = ""
    tags: Annotated[set[str], Set()] = set()
    owners: Annotated[dict[str, int], Map()] = {}
    body: Annotated[str, Text()] = ""
    votes: Annotated[int, Counter()] = 0
    steps: Annotated[list[int], List()] = []
    inner: Inner = Inner()


ILL: list[tuple[tuple[str, ...], dict[str, Any], Any]] = [
    (("count",), {"count": "many"}, "many"),
    (("count",), {"count": [1]}, [1]),
    (("title",), {"title": "too long"}, "too long"),
    (("tags",), {"tags": "no set"}, "no set"),
    (("tags",), {"tags": [1]}, [1]),
    (("owners",), {"owners": [1]}, [1]),
    (("owners", "x"), {"owners": {"x": "many", "y": 1}}, "many"),
    (("body",), {"body": 7}, 7),
    (("body",), {"body": None}, None),
    (("votes",), {"votes": "many"}, "many"),
    (("steps",), {"steps": [1, "two"]}, [1, "two"]),
    (("inner",), {"inner": 7}, 7),
    (("inner", "n"), {"inner": {"n": "many"}}, "many"),
]


@pytest.mark.parametrize(("path", "write", "parked"), ILL)
def test_it_is_parked_and_the_rest_applies(path: Any, write: dict[str, Any], parked: Any) -> None:
    """An escalation of reason ``type`` at the field, the value a contender; nothing ill-typed is shown."""
    ws = workspace(Brief)
    rest: dict[str, Any] = {"count": 1} if path[0] != "count" else {"votes": 1}
    receipt = ws.agent("ada").write(*AT, {**write, **rest})
    escalation = only(ws)
    assert (escalation.path, escalation.reason, receipt.escalations) == (path, "type", (escalation,))
    assert sides(escalation)["ada"] == parked
    document = ws.get(*AT)
    assert document is not None
    assert all(document.value[name] == value for name, value in rest.items())
    Brief.model_validate(document.value)
    assert isinstance(document.model, Brief)


@pytest.mark.parametrize(("path", "write", "parked"), ILL)
def test_on_invalid_raise_refuses_it(path: Any, write: dict[str, Any], parked: Any) -> None:
    """``InvalidWriteError`` lists the fault with its path, and nothing of the write is applied."""
    ws = workspace(Schema(Brief, on_invalid="raise"))
    with pytest.raises(InvalidWriteError) as error:
        ws.agent("ada").write(*AT, {**write, "votes": write.get("votes", 1)})
    assert shown(ws) is None and ws.escalations(state="all") == []
    assert (error.value.namespace, error.value.key) == AT
    assert error.value.faults[0].path[: len(path)] == path
    assert ".".join(path) in str(error.value)


def test_on_invalid_raise_lists_every_fault() -> None:
    """Not only the first."""
    ws = workspace(Schema(Brief, on_invalid="raise"))
    write = {"count": "x", "body": 7, "owners": {"a": "x", "b": "y"}, "inner": {"n": []}}
    with pytest.raises(InvalidWriteError) as error:
        ws.agent("ada").write(*AT, write)
    paths = {fault.path for fault in error.value.faults}
    assert paths == {("count",), ("body",), ("owners", "a"), ("owners", "b"), ("inner", "n")}


def test_several_parked_values_are_several_escalations() -> None:
    """One a path."""
    ws = workspace(Brief)
    ws.agent("ada").write(*AT, {"count": "x", "body": 7, "votes": 1})
    assert {e.path for e in ws.escalations()} == {("count",), ("body",)}
    assert shown(ws) == {"votes": 1}


def test_it_freezes_nothing() -> None:
    """Others write the field on; their values are shown."""
    ws = workspace(Brief)
    ws.agent("ada").write(*AT, {"count": "many"})
    for count in (1, 2):
        ws.agent("bob").write(*AT, {"count": count})
        assert shown(ws) == {"count": count}
    assert sides(only(ws)) == {"ada": "many", "bob": 2}
    assert only(ws).base == 2


def test_a_later_valid_write_by_the_same_agent_closes_it() -> None:
    """It answers itself."""
    ws = workspace(Brief)
    events = recorded(ws)
    ws.agent("ada").write(*AT, {"count": "many"})
    ws.agent("ada").write(*AT, {"count": 3})
    assert shown(ws) == {"count": 3}
    assert ws.escalations() == [] and kinds(events) == ["opened", "superseded"]


def test_a_later_valid_write_of_another_field_does_not_close_it() -> None:
    """Only one of that field does."""
    ws = workspace(Brief)
    ws.agent("ada").write(*AT, {"count": "many"})
    ws.agent("ada").write(*AT, {"votes": 3})
    assert only(ws).path == ("count",)


@pytest.mark.parametrize("value", [5, "5"])
def test_a_decision_closes_it(value: Any) -> None:
    """With a value of the field's type, which is then shown."""
    ws = workspace(Brief)
    ws.agent("bob").write(*AT, {"count": 1})
    ws.agent("ada").write(*AT, {"count": "many"})
    assert shown(ws) == {"count": 1}
    ws.resolve(only(ws), value, by="editor")
    assert shown(ws) == {"count": 5} and ws.escalations() == []


def test_a_decision_cannot_choose_the_ill_typed_value() -> None:
    """It is still ill-typed."""
    ws = workspace(Brief)
    ws.agent("ada").write(*AT, {"count": "many"})
    with pytest.raises(InvalidWriteError):
        ws.resolve(only(ws), "many", by="editor")
    assert values(only(ws)) == ["many"]


@pytest.mark.parametrize("before", [{}, {"count": 1}])
def test_dismissing_drops_it(before: dict[str, Any]) -> None:
    """The field stays as it is."""
    ws = workspace(Brief)
    ws.agent("bob").write(*AT, {"votes": 1, **before})
    ws.agent("ada").write(*AT, {"count": "many"})
    ws.dismiss(only(ws), by="editor")
    assert shown(ws) == {"votes": 1, **before} and ws.escalations() == []


def test_two_agents_parked_values_are_contenders_of_one_escalation() -> None:
    """Of one path."""
    ws = workspace(Brief)
    ada, bob = pair(ws)
    ada.write(*AT, {"count": "many"})
    bob.write(*AT, {"count": "few"})
    assert sides(only(ws)) == {"ada": "many", "bob": "few"}
    ada.write(*AT, {"count": 7})
    assert sides(only(ws)) == {"ada": 7, "bob": "few"}


def test_an_ill_typed_value_alone_makes_a_document() -> None:
    """It was accepted, so it can be found."""
    ws = workspace(Brief)
    ws.agent("ada").write(*AT, {"count": "many"})
    document = ws.get(*AT)
    assert document is not None
    assert document.value == {} and document.model == Brief()
    assert list(document.contested) == [("count",)]


def test_a_parked_value_against_a_conflict_of_the_same_field() -> None:
    """Two questions about one field have an id each, and close each by itself."""
    ws = workspace(Brief)
    began = ws.moment()
    for name, count in (("ada", 1), ("bob", 2), ("joe", "many")):
        ws.agent(name, began=began).write(*AT, {"count": count})
    assert sorted(e.reason for e in ws.escalations()) == ["scalar", "type"]
    assert len({e.id for e in ws.escalations()}) == 2
    scalar = next(e for e in ws.escalations() if e.reason == "scalar")
    ws.resolve(scalar, 1, by="editor")
    assert [e.reason for e in ws.escalations()] == ["type"] and shown(ws) == {"count": 1}


def test_an_ill_typed_edit_is_parked_too() -> None:
    """What an edit leaves in a field is checked as what a write gives."""
    ws = workspace(Brief)
    ws.agent("bob").write(*AT, {"count": 1, "votes": 1})
    with ws.agent("ada").edit(*AT) as brief:
        brief.count = "many"
        brief.votes += 1
    assert only(ws).reason == "type" and sides(only(ws))["ada"] == "many"
    assert shown(ws) == {"count": 1, "votes": 2}


def test_a_deletion_covers_parked_values() -> None:
    """With the document its open questions are gone."""
    ws = workspace(Brief)
    ws.agent("ada").write(*AT, {"count": "many", "votes": 1})
    ws.agent("bob").delete(*AT)
    assert shown(ws) is None and ws.escalations() == []
