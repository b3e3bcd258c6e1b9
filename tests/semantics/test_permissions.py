"""Who may write and who may decide: every way of doing so obeys what the schema says."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from concordant import (
    DELETED,
    Counter,
    Map,
    NotAllowedError,
    Scalar,
    Schema,
    SchemaError,
    Text,
    Workspace,
    priority,
)

from .support import AT, NS, only, pair, shown, sides, values, workspace


def first(question: Any) -> Any:
    """A resolver that the schema declares."""
    return question.contenders[0].value


class Brief(BaseModel):
    status: Annotated[str | None, Scalar()] = None
    notes: Annotated[str, Text()] = ""
    owners: Annotated[dict[str, str], Map()] = {}
    views: Annotated[int, Counter()] = 0
    high: Annotated[int, Scalar(resolve=priority("ada"))] = 0
    judged: Annotated[int, Scalar(resolve=first)] = 0


WRITERS = ("planner", "ada", "bob", "lead", "writer-*")
RULES = Schema(Brief, writers=WRITERS, deciders=("human:*", "lead"))
FIRST = {"status": "new", "notes": "We ship. The fox jumps. Fine.", "owners": {"docs": "eve"}}


def team() -> tuple[Workspace, Any, Any]:
    ws = workspace(RULES)
    ws.agent("planner").write(*AT, FIRST)
    return ws, *pair(ws)


def disagree(name: str = "status", one: Any = "draft", two: Any = "final") -> tuple[Workspace, Any]:
    ws, ada, bob = team()
    ada.write(*AT, {name: one}), bob.write(*AT, {name: two})
    return ws, only(ws)


def edits(ws: Workspace, name: str) -> None:
    with ws.agent(name).edit(*AT) as brief:
        brief.status = "x"


def puts(ws: Workspace, name: str) -> None:
    with ws.acting_as(name):
        ws.put(*AT, {"status": "x"})


WRITES: dict[str, Callable[[Workspace, str], object]] = {
    "write": lambda ws, name: ws.agent(name).write(*AT, {"status": "x"}),
    "first write": lambda ws, name: ws.agent(name).write(NS, "other", {"status": "x"}),
    "edit": edits,
    "put": puts,
    "delete": lambda ws, name: ws.agent(name).delete(*AT),
    "restore": lambda ws, name: ws.restore(*AT, 1, by=name),
    "put_all": lambda ws, name: ws.writing.put_all([(NS, "other", {"status": "y"}), (*AT, {"status": "x"})]),
}


@pytest.mark.parametrize("way", WRITES)
def test_others_do_not_write(way: str) -> None:
    """Each way of writing is refused to whom the schema does not name, by name or pattern; nothing is written."""
    ws, ada, _ = team()
    ada.write(*AT, {"status": "draft"})
    before, journal = shown(ws), len(ws.history(*AT))
    with pytest.raises(NotAllowedError, match="may not write") as caught:
        WRITES[way](ws, "mallory")
    assert (caught.value.act, caught.value.allowed, caught.value.key) == ("write", WRITERS, caught.value.key)
    assert isinstance(caught.value, PermissionError)
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.agent) == (str(caught.value), caught.value.agent)
    assert shown(ws) == before and len(ws.history(*AT)) == journal and ws.get(NS, "other") is None
    if way != "put_all":
        WRITES[way](ws, "writer-7")
        assert shown(ws) != before or ws.get(NS, "other") is not None
    with pytest.raises(NotAllowedError, match="'anonymous' may not write"):
        ws.put(*AT, {"status": "x"})


DECISIONS: dict[str, Callable[[Workspace, Any, str], object]] = {
    "resolve": lambda ws, question, name: ws.resolve(question, "final", by=name),
    "by id": lambda ws, question, name: ws.resolve(question.id, "final", by=name, version=question.version),
    "dismiss": lambda ws, question, name: ws.dismiss(question, by=name),
    "claim": lambda ws, question, name: ws.claim(question, by=name),
}


@pytest.mark.parametrize("way", DECISIONS)
@pytest.mark.parametrize("name", ["mallory", "ada", "writer-1", "humans"])
def test_others_do_not_decide(way: str, name: str) -> None:
    """Each way of deciding is refused to others, the author of a side among them; nothing changes."""
    ws, question = disagree()
    with pytest.raises(NotAllowedError, match="may not decide about t:k"):
        DECISIONS[way](ws, question, name)
    assert only(ws) == question
    DECISIONS[way](ws, question, "human:maria")
    assert way == "claim" or ws.escalations() == []


AGAIN: dict[str, Callable[[Workspace, Any, str], object]] = {
    "reopen": lambda ws, question, name: ws.reopen(question, by=name),
    "ask": lambda ws, question, name: ws.ask(*AT, ("high",), by=name),
}


@pytest.mark.parametrize("way", AGAIN)
def test_others_do_not_ask_again(way: str) -> None:
    """Who may not decide does not open either what was settled, by a decision or by a policy."""
    ws, question = disagree()
    ws.resolve(question, "final", by="human:maria")
    ada, lead = ws.agent("ada", began=ws.moment()), ws.agent("lead", began=ws.moment())
    lead.write(*AT, {"high": 1}), ada.write(*AT, {"high": 2})
    settled = only(ws, "resolved")
    assert not ws.escalations() and shown(ws)["high"] == 2  # type: ignore[index]
    with pytest.raises(NotAllowedError, match="may not decide about t:k"):
        AGAIN[way](ws, settled, "mallory")
    assert not ws.escalations()
    AGAIN[way](ws, settled, "human:maria")
    assert len(ws.escalations()) == 1


@pytest.mark.parametrize("name", ["mallory", "ada", "human:maria"])
def test_others_do_not_take_back(name: str) -> None:
    """To undo is to write and to decide: who may not do both is told so of each document, and nothing is changed."""
    ws = workspace(Schema(Brief, writers=("planner", "ada", "lead"), deciders=("lead", "planner")))
    ws.agent("ada").write(*AT, FIRST)
    for dry_run in (True, False):
        done = ws.undo(agent="ada", by=name, dry_run=dry_run)
        assert done.documents == () and "may not" in done.skipped[0].reason
    assert shown(ws) == FIRST and len(ws.history(*AT)) == 1
    assert ws.undo(agent="ada", by="lead", dry_run=False).documents and shown(ws) is None


async def test_coroutines_that_decide_are_judged_alike() -> None:
    """``aresolve``, ``adismiss`` and ``aclaim`` are refused as their twins are."""
    ws, question = disagree()
    for decide in (ws.aresolve(question, "final", by="ada"), ws.adismiss(question, by="ada")):
        with pytest.raises(NotAllowedError, match="may not decide about t:k"):
            await decide
    with pytest.raises(NotAllowedError, match="may not decide about t:k"):
        await ws.aclaim(question, by="ada")
    assert only(ws) == question


def test_a_decider_whose_own_side_it_is_does_not_decide() -> None:
    """Another one does; what was decided once is nobody's own side when a late contender opens it again."""
    ws, _, _ = team()
    began = ws.moment()
    ada, lead = ws.agent("ada", began=began), ws.agent("lead", began=began)
    ada.write(*AT, {"status": "draft"}), lead.write(*AT, {"status": "final"})
    for way in ("resolve", "dismiss"):
        with pytest.raises(NotAllowedError, match="one of the sides is its own") as caught:
            DECISIONS[way](ws, only(ws), "lead")
        assert caught.value.is_party and pickle.loads(pickle.dumps(caught.value)).is_party
    late = ws.agent("bob", began=began)
    ws.resolve(only(ws), "draft", by="human:maria")
    late.write(*AT, {"status": "late"})
    assert sides(only(ws)) == {"human:maria": "draft", "ada": "draft", "bob": "late"} or len(only(ws).contenders) == 2
    ws.resolve(only(ws), "late", by="human:maria")
    assert shown(ws)["status"] == "late"  # type: ignore[index]


def test_by_default_the_author_of_a_side_decides() -> None:
    """Without deciders, as ever: by a decision, and by a write that has seen all sides."""
    ws = workspace(Brief)
    for closes in ("decision", "write"):
        ada, bob = pair(ws)
        ada.write(*AT, {"status": f"draft {closes}"}), bob.write(*AT, {"status": f"final {closes}"})
        if closes == "decision":
            ws.resolve(only(ws), "draft", by="ada")
        else:
            ws.agent("ada").write(*AT, {"status": "mine"})
        assert ws.escalations() == []


def test_a_write_by_others_settles_no_scalar() -> None:
    """Who has seen all sides, and is no decider, has one more; a decider's write settles, unless a side is its own."""
    ws, question = disagree()
    ws.agent("writer-1").write(*AT, {"status": "third", "views": 1})
    assert sorted(values(only(ws))) == ["draft", "final", "third"] and only(ws).id == question.id
    with ws.agent("ada").edit(*AT) as brief:
        brief.status = "fourth"
    assert len(only(ws).contenders) == 4
    ws.agent("lead").write(*AT, {"status": "done"})
    assert ws.escalations() == [] and shown(ws)["status"] == "done"  # type: ignore[index]
    assert ws.escalation(question.id).state == "superseded"  # type: ignore[union-attr]
    began = ws.moment()
    ws.agent("ada", began=began).write(*AT, {"status": "a"})
    ws.agent("lead", began=began).write(*AT, {"status": "b"})
    with pytest.raises(NotAllowedError, match="its own"):
        ws.agent("lead").write(*AT, {"status": "b!"})
    assert len(only(ws).contenders) == 2


def test_what_is_not_asked_about_is_written_beside_it() -> None:
    """An open question binds nobody in other fields."""
    ws, _ = disagree()
    with ws.agent("writer-1").edit(*AT) as brief:
        brief.views += 3
    assert only(ws).path == ("status",) and shown(ws)["views"] == 3  # type: ignore[index]


def test_a_text_or_a_deletion_is_settled_by_no_others() -> None:
    """A write that would settle one is refused as a whole; what leaves it alone is written."""
    ws, ada, bob = team()
    with ada.edit(*AT) as one, bob.edit(*AT) as two:
        one.notes = FIRST["notes"].replace("fox", "red fox")  # type: ignore[attr-defined]
        two.notes = FIRST["notes"].replace("fox", "lazy fox")  # type: ignore[attr-defined]
    question = only(ws)
    with (
        pytest.raises(NotAllowedError, match="may not decide"),
        ws.agent("writer-1").edit(*AT) as brief,
    ):
        brief.notes, brief.views = brief.notes.replace("The fox jumps.", "No fox."), 7
    with ws.agent("writer-1").edit(*AT) as brief:
        brief.notes, brief.views = f"{brief.notes} More.", 8
    assert only(ws) == question and shown(ws)["views"] == 8  # type: ignore[index]
    with pytest.raises(NotAllowedError):
        ws.agent("writer-1").delete(*AT)
    assert only(ws) == question
    ws, ada, bob = team()
    ada.read(*AT), bob.read(*AT)
    ada.delete(*AT), bob.write(*AT, {"status": "final"})
    with pytest.raises(NotAllowedError):
        ws.agent("writer-1").write(*AT, {"views": 1})
    with pytest.raises(NotAllowedError):
        ws.resolve(only(ws), DELETED, by="ada")
    ws.agent("lead").write(*AT, {"views": 1})
    assert ws.escalations() == []


def test_who_gave_a_wrong_value_takes_it_back() -> None:
    """A valid write by the same agent closes it; by another it does not."""
    ws, ada, bob = team()
    ada.write(*AT, {"views": "many"})
    bob.write(*AT, {"views": 3})
    assert only(ws).reason == "type"
    with pytest.raises(NotAllowedError):
        ws.resolve(only(ws), 3, by="bob")
    ada.write(*AT, {"views": 4})
    assert ws.escalations() == []


def test_what_the_schema_declares_decides() -> None:
    """A policy, and a function: the schema names them itself."""
    ws, ada, bob = team()
    ada.write(*AT, {"high": 1, "judged": 1}), bob.write(*AT, {"high": 2, "judged": 2})
    assert ws.escalations() == [] and {"high": 1, "judged": 1}.items() <= shown(ws).items()  # type: ignore[union-attr]
    for again in (
        lambda name: ws.ask(*AT, ("high",), by=name),
        lambda name: ws.reopen(ws.escalations(state="all")[-1], by=name),
    ):
        with pytest.raises(NotAllowedError):
            again("writer-1")
    question = ws.ask(*AT, ("high",), by="human:maria")
    assert sides(question) == {"ada": 1, "bob": 2}


def test_a_text_is_asked_again_in_the_names_of_others() -> None:
    """By a decider, though she is no writer."""
    ws, ada, bob = team()
    with ada.edit(*AT) as one, bob.edit(*AT) as two:
        one.notes = FIRST["notes"].replace("fox", "red fox")  # type: ignore[attr-defined]
        two.notes = FIRST["notes"].replace("fox", "lazy fox")  # type: ignore[attr-defined]
    question = only(ws)
    ws.resolve(question, question.contenders[0].value, by="human:maria")
    with pytest.raises(NotAllowedError):
        ws.reopen(question, by="ada")
    assert sides(ws.reopen(question, by="human:eve")) == sides(question)


def test_a_frame_is_what_another_store_let_through() -> None:
    """What an import brings was decided elsewhere: it is taken as it is (named in the documentation)."""
    ws, question = disagree()
    free = workspace(Brief, replica="free")
    free.import_(ws.export())
    free.resolve(only(free), "final", by="mallory")
    free.agent("mallory").write(*AT, {"views": 5})
    ws.import_(free.export())
    assert ws.escalations() == [] and shown(ws)["views"] == 5  # type: ignore[index]
    assert ws.escalation(question.id).state == "superseded"  # type: ignore[union-attr]


@pytest.mark.parametrize("names", ["lead", ("",), (3,), 7, {"lead": 1}])
def test_names_that_are_none_are_a_fault_of_the_schema(names: Any) -> None:
    """A string would be its letters; the error says what to write."""
    for what in ("writers", "deciders"):
        with pytest.raises(SchemaError, match=f"{what}=.* is no tuple of names"):
            workspace(Schema(Brief, **{what: names}))
    assert Schema(Brief, writers=["a"]).writers == ("a",)
    nobody = workspace(Schema(Brief, writers=()))
    with pytest.raises(NotAllowedError, match="its schema names nobody"):
        nobody.agent("ada").write(*AT, {"views": 1})


async def test_coroutines_that_write_together_are_judged_each_by_itself() -> None:
    """What is refused to one, by name or because it would settle a question, is no matter of the others."""
    ws, ada, bob = team()
    with ada.edit(*AT) as one, bob.edit(*AT) as two:
        one.notes, two.notes = FIRST["notes"].replace("fox", "cat"), FIRST["notes"].replace("fox", "cow")  # type: ignore[attr-defined]
    document = ws.get(*AT)
    assert document is not None

    async def settles() -> None:
        with ws.acting_as("writer-1"):
            await ws.aput(*AT, {"notes": "No animal."}, seen=document)

    calls = [
        ws.agent("writer-2").awrite(*AT, {"views": 1}),
        settles(),
        ws.agent("mallory").awrite(*AT, {"views": 10}),
        ws.agent("writer-3").awrite(*AT, {"views": 100}),
    ]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert [isinstance(one, NotAllowedError) for one in outcomes] == [False, True, True, False]
    assert shown(ws)["views"] == 101 and only(ws).reason == "text"  # type: ignore[index]
