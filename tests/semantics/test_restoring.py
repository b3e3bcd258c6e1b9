"""Going back: a settled question is asked again, and a document gets the value of an earlier version."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from concordant import (
    DELETED,
    ConcordantError,
    Counter,
    List,
    Map,
    Scalar,
    Set,
    Text,
    UnknownEscalationError,
    Workspace,
)

NS = ("briefs",)


class Owner(BaseModel):
    name: Annotated[str | None, Scalar()] = None


class Brief(BaseModel):
    status: Annotated[str | None, Scalar()] = None
    due: Annotated[str, Scalar()] = "never"
    notes: Annotated[str, Text()] = ""
    tags: Annotated[list[str], Set()] = []
    steps: Annotated[list[str], List()] = []
    views: Annotated[int, Counter()] = 0
    owners: Annotated[dict[str, str], Map()] = {}
    people: Annotated[dict[str, Owner], Map()] = {}


FIRST = {"status": "new", "notes": "We ship. The fox jumps. Fine.", "owners": {"docs": "eve"}, "tags": ["a"]}


def team() -> tuple[Workspace, Any, Any]:
    ws = Workspace(schemas={NS: Brief})
    ws.agent("planner").write(NS, "launch", FIRST)
    return ws, ws.agent("ada"), ws.agent("bob")


def sides(question: Any) -> dict[str, Any]:
    return {agent: contender.value for contender in question.contenders for agent in contender.agents}


def disagree(ws: Workspace, ada: Any, bob: Any) -> None:
    carl = ws.agent("carl")
    with ada.edit(NS, "launch") as one, bob.edit(NS, "launch") as two, carl.edit(NS, "launch") as three:
        one.status, two.status, three.status = "draft", "final", "final"
        one.notes, two.notes = (FIRST["notes"].replace("fox", new) for new in ("red fox", "lazy fox"))
        one.owners["docs"], two.owners["docs"] = "ada", "bob"
        one.people["x"], two.people["x"] = Owner(name="one"), Owner(name="two")


@pytest.mark.parametrize("how", ["the first", "the last", "another", "dismissed"])
def test_a_decision_is_taken_back(how: str) -> None:
    """The question is open again: what was agreed stands as base and in the value, each side with its agents; it can
    be decided again."""
    ws, ada, bob = team()
    disagree(ws, ada, bob)
    questions = ws.escalations()
    assert {question.path for question in questions} == {
        ("status",),
        ("notes",),
        ("owners", "docs"),
        ("people", "x", "name"),
    }
    for question in questions:
        values = {"the first": 0, "the last": -1}
        if how == "dismissed":
            ws.dismiss(question, by="maria")
        else:
            chosen = question.contenders[values[how]].value if how in values else "The other."
            ws.resolve(question, chosen, by="maria")
    assert ws.escalations() == []
    for question in questions:
        again = ws.reopen(question, by="eve")
        assert again.state == "open" and sides(again).items() >= sides(question).items(), question.path
        if question.has_base:  # else what was decided is the base: there is nothing else to go back to
            assert (again.base, sides(again)) == (question.base, sides(question))
    document = ws.get(NS, "launch")
    assert document is not None
    assert {name: document.value[name] for name in FIRST} == FIRST
    for question in ws.escalations():
        assert ws.reopen(question.id, by="eve") == question  # open as it is
        ws.resolve(question, question.contenders[0].value, by="eve")
    assert ws.escalations() == []


def test_what_a_later_write_settled_is_asked_with_that_as_a_side() -> None:
    """A superseded question: who wrote later, having seen all, is a contender beside those before."""
    ws, ada, bob = team()
    ada.write(NS, "launch", {"status": "draft"})
    bob.write(NS, "launch", {"status": "final"})
    [question] = ws.escalations()
    ws.agent("carl").write(NS, "launch", {"status": "dropped"})
    closed = ws.escalation(question.id)
    assert closed is not None and closed.state == "superseded"
    assert sides(ws.reopen(closed, by="eve")) == {"ada": "draft", "bob": "final", "carl": "dropped"}


def test_a_deletion_that_was_decided_for_is_asked_again() -> None:
    """The document is there again, and one side is that it be deleted; so for a key of a map."""
    ws, ada, bob = team()
    ada.read(NS, "launch"), bob.read(NS, "launch")
    ada.delete(NS, "launch")
    bob.write(NS, "launch", {"status": "final"})
    [question] = ws.escalations()
    ws.resolve(question, DELETED, by="maria")
    assert ws.get(NS, "launch") is None
    again = ws.reopen(question, by="eve")
    assert (again.reason, sides(again)["ada"]) == ("delete", DELETED)
    ws, ada, bob = team()
    with ada.edit(NS, "launch") as one, bob.edit(NS, "launch") as two:
        del one.owners["docs"]
        two.owners["docs"] = "bob"
    [question] = ws.escalations()
    ws.resolve(question, DELETED, by="maria")
    again = ws.reopen(question, by="eve")
    assert sides(again) == {"ada": DELETED, "bob": "bob"} and again.base == "eve"


def test_what_cannot_be_asked_again_is_told() -> None:
    """An unknown id, and a sentence that is gone; nothing is changed."""
    ws, ada, bob = team()
    disagree(ws, ada, bob)
    text = next(question for question in ws.escalations() if question.reason == "text")
    ws.resolve(text, text.contenders[0].value, by="maria")
    with ws.agent("carl").edit(NS, "launch") as brief:
        brief.notes = "Something else."
    before = ws.get(NS, "launch")
    with pytest.raises(ConcordantError, match="not stand in the text any more"):
        ws.reopen(text, by="eve")
    with pytest.raises(UnknownEscalationError):
        ws.reopen("nonsense", by="eve")
    with pytest.raises(ConcordantError, match="an escalation, or the id"):
        ws.reopen(3, by="eve")  # type: ignore[arg-type]
    after = ws.get(NS, "launch")
    assert before is not None and after is not None and before.value == after.value


def test_a_document_gets_back_what_it_was() -> None:
    """Every field, those that were not written then included; the version before the last is another one still."""
    ws, ada, _ = team()
    ada.write(NS, "launch", {"steps": ["one"], "views": 3, "people": {"x": {"name": "y"}}})
    states = [ws.get(NS, "launch")]
    with ada.edit(NS, "launch") as brief:
        brief.status, brief.due, brief.notes = "final", "today", "Other."
        brief.tags, brief.steps, brief.views = ["b"], ["two", "one"], 10
        brief.owners, brief.people = {"code": "bob"}, {}
    states.append(ws.get(NS, "launch"))
    for state in (states[0], states[1], states[0]):
        assert state is not None
        receipt = ws.restore(NS, "launch", state.version, by="eve")
        present = ws.get(NS, "launch")
        assert present is not None and present.model == state.model and present.version == receipt.version
    assert ws.history(NS, "launch")[0].agent == "eve"
    ada.refresh()
    ada.delete(NS, "launch")
    gone = ws.history(NS, "launch")[0].version
    ws.restore(NS, "launch", states[1].version, by="eve")  # type: ignore[union-attr]
    assert ws.get(NS, "launch").model == states[1].model  # type: ignore[union-attr]
    ws.restore(NS, "launch", gone, by="eve")
    assert ws.get(NS, "launch") is None


async def test_undeclared_documents_and_coroutines() -> None:
    """Without a model it is the same: fields that came later go; coroutines have twins."""
    ws = Workspace()
    ada, bob = ws.agent("ada"), ws.agent("bob")
    first = ada.write(NS, "free", {"a": {"deep": 1}})
    ada.write(NS, "free", {"b": 2})
    await ws.arestore(NS, "free", first.version, by="eve")
    assert ws.get(NS, "free").value == {"a": {"deep": 1}}  # type: ignore[union-attr]
    ada.refresh(), bob.refresh()
    ada.write(NS, "free", {"a": 1})
    bob.write(NS, "free", {"a": 2})
    [question] = ws.escalations()
    ws.resolve(question, 1, by="maria")
    again = await ws.areopen(question, by="eve")
    assert sides(again) == {"ada": 1, "bob": 2} and again.base == {"deep": 1}


@pytest.mark.parametrize("wrong", [-1, -(10**30), 1.5, "1", b"1"])
def test_g11_what_is_no_version_restores_nothing(wrong: Any) -> None:
    """The document stays as it is: a number below all versions is none, and no wish for a deletion."""
    ws, _, _ = team()
    before = ws.get(NS, "launch")
    for call in (lambda: ws.restore(NS, "launch", wrong, by="maria"), lambda: ws.get(NS, "launch", at=wrong)):
        with pytest.raises(ConcordantError, match="at= is a version"):
            call()
    assert before is not None and ws.get(NS, "launch") == before


@pytest.mark.parametrize("past", [FIRST, {}])
def test_what_has_expired_is_restored_as_it_was(past: dict[str, Any]) -> None:
    """A document whose time is over gets the value that it had when it ended, an empty one too, and lasts."""
    ws = Workspace(schemas={NS: Brief})
    ws.put(NS, "launch", past, ttl=0.0)
    assert ws.get(NS, "launch") is None
    ws.restore(NS, "launch", 1, by="eve")
    document = ws.get(NS, "launch")
    assert document is not None and document.value == past and ws.check().ok
