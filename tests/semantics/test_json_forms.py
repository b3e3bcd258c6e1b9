"""What is handed out travels: as JSON in a form that stays, and through pickle."""

from __future__ import annotations

import copy
import dataclasses
import json
import pickle
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from concordant import (
    DELETED,
    ConcordantError,
    Contender,
    Counter,
    Document,
    Escalation,
    HistoryEntry,
    Map,
    Receipt,
    Scalar,
    Set,
    Workspace,
)
from concordant.workspace.statistics import Stats

from .support import AT, NS, only, pair, workspace


def later(escalation: Escalation) -> object:
    """A resolver that is a function, which no pickle takes along from a model that is local."""
    from concordant import ABSTAIN

    return ABSTAIN


class Page(BaseModel):
    tags: Annotated[set[str], Set()] = set()
    owners: Annotated[dict[str, str], Map()] = {}
    cost: Annotated[Decimal, Counter()] = Decimal(0)
    status: Annotated[str | None, Scalar(resolve=later)] = None
    due: Annotated[datetime | None, Scalar()] = None


def contested(model: Any = Page) -> Workspace:
    """A workspace in which a document has an open and a closed question, one of them about a deletion."""
    ws = workspace(model)
    ws.agent("planner").write(*AT, {"tags": ["a"], "owners": {"x": "ada"}, "cost": "1.10", "status": "draft"})
    ada, bob = pair(ws)
    ada.write(*AT, {"status": "A", "due": datetime(2030, 1, 2, tzinfo=UTC)})
    bob.write(*AT, {"status": "B"})
    with ws.agent("eve").edit(*AT) as one, ws.agent("dan").edit(*AT) as two:
        del one.owners["x"]
        two.owners["x"] = "dan"
    [question] = [e for e in ws.escalations() if e.reason == "delete"]
    ws.resolve(question, DELETED, by="maria")
    return ws


def found(ws: Workspace) -> list[Any]:
    """One of each sort of thing that is handed out, with all that they hold."""
    document = ws.get(*AT)
    assert document is not None
    receipt = ws.agent("zoe").write(*AT, {"tags": ["z"]})
    things: list[Any] = [document, receipt, ws.stats(), *ws.history(*AT), *ws.escalations(state="all")]
    return [*things, *(contender for e in ws.escalations(state="all") for contender in e.contenders)]


def strict(value: Any) -> Any:
    """Through JSON as every reader takes it, and back."""
    return json.loads(json.dumps(value, allow_nan=False))


def test_everything_has_a_json_form() -> None:
    """``to_dict`` gives what strict JSON takes and gives back unchanged."""
    ws = contested()
    things = found(ws)
    assert {type(thing) for thing in things} == {Document, Receipt, Stats, HistoryEntry, Escalation, Contender}
    for thing in things:
        assert strict(thing.to_dict()) == thing.to_dict()


def test_the_form_of_a_document() -> None:
    """Names, values, times in ISO 8601 of UTC, the token, and the open questions."""
    ws = contested()
    document = ws.get(*AT)
    assert document is not None
    shape = document.to_dict()
    assert list(shape) == [
        *("namespace", "key", "version", "token", "value", "contested", "undeclared"),
        *("created_at", "updated_at", "expires_at"),
    ]
    assert (shape["namespace"], shape["key"], shape["version"]) == (["t"], "k", document.version)
    assert (
        shape["value"]
        == document.value
        == {
            "tags": ["a"],
            "owners": {},
            "cost": "1.10",
            "status": "draft",
            "due": "2030-01-02T00:00:00Z",
        }
    )
    assert (shape["token"], shape["undeclared"], shape["expires_at"]) == (document.token, [], None)
    assert datetime.fromisoformat(shape["created_at"]) == document.created_at
    assert shape["updated_at"].endswith("+00:00")
    assert [question["path"] for question in shape["contested"]] == [["status"]]
    ws.put(*AT, {"status": "C"}, ttl=3600.0)
    lasting = ws.get(*AT)
    assert lasting is not None and lasting.expires_at is not None
    assert datetime.fromisoformat(lasting.to_dict()["expires_at"]) == lasting.expires_at


def test_the_form_of_an_escalation() -> None:
    """Every public attribute under its own name; a deletion is told apart from a value of null."""
    ws = contested()
    question = only(ws)
    shape = question.to_dict()
    public = {field.name for field in dataclasses.fields(Escalation)} - {"field_", "place"}
    assert set(shape) == public | {"decision_deleted", "suggestion"}
    assert (shape["id"], shape["version"]) == (question.id, question.version)
    assert (shape["path"], shape["reason"], shape["state"]) == (["status"], "scalar", "open")
    assert (shape["base"], shape["has_base"], shape["by"]) == ("draft", True, None)
    assert (shape["decision"], shape["decision_deleted"]) == (None, False)
    assert [(c["value"], c["agents"], c["deleted"]) for c in shape["contenders"]] == [
        ("A", ["ada"], False),
        ("B", ["bob"], False),
    ]
    assert set(shape["contenders"][0]) == {field.name for field in dataclasses.fields(Contender)} | {"deleted"}
    closed = only(ws, "resolved").to_dict()
    assert (closed["decision"], closed["decision_deleted"], closed["by"]) == (None, True, "maria")
    assert sorted((c["value"] or "", c["deleted"]) for c in closed["contenders"]) == [("", True), ("dan", False)]


def test_the_forms_of_receipts_entries_and_counts() -> None:
    """A receipt has its questions, an entry what was given and which paths changed, the counts all fields."""
    ws = contested()
    ada, bob = pair(ws)
    ada.write(*AT, {"due": datetime(2031, 1, 2, tzinfo=UTC)})
    receipt = bob.write(*AT, {"due": datetime(2032, 1, 2, tzinfo=UTC)})
    shape = receipt.to_dict()
    assert shape["version"] == receipt.version
    assert [question["id"] for question in shape["escalations"]] == [e.id for e in receipt.escalations] != []
    entry = ws.history(*AT)[0]
    assert set(entry.to_dict()) == {field.name for field in dataclasses.fields(HistoryEntry)}
    assert entry.to_dict()["value"] == {"due": "2032-01-02T00:00:00Z"}
    assert (entry.to_dict()["paths"], entry.to_dict()["act"], entry.to_dict()["agent"]) == ([["due"]], "write", "bob")
    counts = ws.stats().to_dict()
    assert set(counts) == {field.name for field in dataclasses.fields(Stats)} | {"total"}
    assert counts["escalations"]["resolved"] == 1
    [status] = [row for row in counts["fields"] if row["field"] == "status"]
    assert (status["namespace"], status["escalated"]) == (["t"], 1)
    assert counts["total"]["escalated"] == sum(row["escalated"] for row in counts["fields"])


def test_numbers_that_are_none_go_by_their_names() -> None:
    """JSON has no NaN and no infinity: they are told as Pydantic reads them back."""
    ws = workspace()
    ws.agent("ada").write(*AT, {"x": [float("nan"), {"y": float("inf")}], "z": float("-inf"), "w": 1.5})
    document = ws.get(*AT)
    assert document is not None
    assert document.to_dict()["value"] == {"x": ["NaN", {"y": "Infinity"}], "z": "-Infinity", "w": 1.5}
    assert strict(ws.history(*AT)[0].to_dict())["value"]["z"] == "-Infinity"


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_everything_pickles(protocol: int) -> None:
    """Also where the model, or a resolver of it, is local to a function."""

    class Local(Page):
        status: Annotated[str | None, Scalar(resolve=lambda _: None)] = None

    for ws in (contested(), contested(Local)):
        for thing in found(ws):
            twin = pickle.loads(pickle.dumps(thing, protocol))
            assert twin == thing and type(twin) is type(thing)
            assert twin.to_dict() == thing.to_dict()
            if isinstance(thing, Document):
                assert (twin.value, twin.token, twin.contested) == (thing.value, thing.token, thing.contested)


def test_a_pickled_document_has_its_model_where_that_can_be_imported() -> None:
    """The class is found by its name; where it cannot be, ``value`` is still there and the error says what to do."""
    ws = contested()
    document = ws.get(*AT)
    assert document is not None
    twin = pickle.loads(pickle.dumps(document))
    assert isinstance(twin.model, BaseModel) and twin.model.model_dump() == document.model.model_dump()

    class Local(Page):
        pass

    local = contested(Local).get(*AT)
    assert local is not None and isinstance(local.model, Local)
    away = pickle.loads(pickle.dumps(local))
    with pytest.raises(ConcordantError, match=r"document\.value"):
        _ = away.model
    assert away.value == local.value
    again = pickle.loads(pickle.dumps(away))
    assert again == local
    undeclared = workspace()
    undeclared.agent("ada").write(*AT, {"x": 1})
    assert pickle.loads(pickle.dumps(undeclared.get(*AT))).model == {"x": 1}


def test_a_copy_in_the_same_process_keeps_its_model() -> None:
    """``copy`` and ``deepcopy`` give documents of their own, whose values are their own."""
    document = contested().get(*AT)
    assert document is not None
    for twin in (copy.copy(document), copy.deepcopy(document)):
        assert twin == document and twin.model == document.model
        twin.value["tags"].append("x")
        assert document.value["tags"] == ["a"]


def test_a_decision_about_a_pickled_escalation_counts() -> None:
    """What went through a queue can be decided as if it had not."""
    ws = contested()
    question = pickle.loads(pickle.dumps(only(ws)))
    ws.resolve(question, "B", by="maria")
    assert ws.get(*AT).value["status"] == "B"  # type: ignore[union-attr]
    assert ws.get(NS, "none") is None
