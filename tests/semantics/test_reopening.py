"""What a policy or a function settled, and values that fit no model, are asked again, and then wait for people."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field, create_model

from concordant import (
    DELETED,
    ConcordantError,
    Counter,
    Escalation,
    InvalidWriteError,
    Map,
    Scalar,
    Schema,
    Set,
    Text,
    Tree,
    Workspace,
    priority,
)
from concordant.merge.record import dump_record, load_record

from .support import AT, NS, only, pair, recorded, shown, sides, values, workspace

POLICIES: list[Any] = ["max", "min", "first", "latest", priority("bob", "ada")]


def plan(resolve: Any) -> type[BaseModel]:
    return create_model("Plan", budget=(Annotated[int, Scalar(resolve=resolve)], 0), note=(Annotated[str, Text()], ""))


@pytest.mark.parametrize("policy", POLICIES)
def test_what_a_policy_settles_is_asked_about(policy: Any) -> None:
    """All sides are contenders on every replica; a decision stands, and then the policy settles what comes later."""
    ws = workspace(plan(policy))
    ws.agent("eve").write(*AT, {"budget": 5})
    ada, bob = pair(ws)
    ada.write(*AT, {"budget": 1}), bob.write(*AT, {"budget": 9})
    assert ws.escalations() == []
    events = recorded(ws)
    question = ws.ask(*AT, ("budget",), by="maria")
    assert (question.state, question.reason, question.base) == ("open", "scalar", 5)
    assert sides(question) == {"ada": 1, "bob": 9} and [event.kind for event in events] == ["opened"]
    assert ws.ask(*AT, ("budget",), by="maria") == question
    other = workspace(plan(policy), replica="other")
    other.import_(ws.export())
    assert other.escalations() == [question] and shown(other) == shown(ws) == {"budget": 5}
    other.resolve(only(other), 7, by="maria")
    ws.import_(other.export())
    assert ws.escalations() == [] and shown(ws) == {"budget": 7}
    ada, bob = pair(ws)
    ada.write(*AT, {"budget": 2}), bob.write(*AT, {"budget": 3})
    assert ws.escalations() == [], "a policy is declared, and nobody has asked about these"
    again = ws.reopen(question, by="maria")
    assert again.state == "open" and set(values(again)) == {1, 9, 2, 3}


def test_a_late_contender_joins_what_is_asked() -> None:
    """A write that was made elsewhere meanwhile is one more side, and no policy decides between them."""
    ws, other = workspace(plan("max")), workspace(plan("max"), replica="other")
    ada, bob = pair(ws)
    ada.write(*AT, {"budget": 1}), bob.write(*AT, {"budget": 9})
    other.import_(ws.export())
    other.agent("zoe").write(*AT, {"note": "x"})
    elsewhere = other.agent("carl", began=None)
    ws.ask(*AT, ("budget",), by="maria")
    elsewhere.write(*AT, {"budget": 20})
    ws.exchange(other)
    assert sides(only(ws)) == {"ada": 1, "bob": 9, "carl": 20} and only(ws) == only(other)


def test_what_was_replaced_since_is_asked_beside_what_stands() -> None:
    """A policy's old choice: what it chose between, and what somebody wrote there later, having seen it all."""
    ws = workspace(plan("max"))
    ada, bob = pair(ws)
    ada.write(*AT, {"budget": 1}), bob.write(*AT, {"budget": 9})
    ws.agent("carl").write(*AT, {"budget": 4})
    assert sides(ws.ask(*AT, ("budget",), by="maria")) == {"ada": 1, "bob": 9, "carl": 4}


def test_nothing_settled_is_nothing_to_ask() -> None:
    """Where no policy settled anything, and where that is forgotten, an error says so; nothing is written."""
    ws = workspace(plan("max"))
    ws.agent("ada").write(*AT, {"budget": 1})
    for path in (("budget",), ("note",), ("no such",), ()):
        with pytest.raises(ConcordantError, match="no policy has settled anything"):
            ws.ask(*AT, path, by="maria")
    with pytest.raises(ConcordantError, match="a tuple of names"):
        ws.ask(*AT, "budget", by="maria")  # type: ignore[arg-type]
    with pytest.raises(ConcordantError, match="the document is gone"):
        ws.ask(NS, "unknown", ("budget",), by="maria")
    assert len(ws.history(*AT)) == 1


@pytest.mark.parametrize("policy", ["update", "delete"])
def test_a_deletion_that_a_policy_settles_is_asked_about(policy: Any) -> None:
    """Of a document, of a record in a map and of a value in a map: one side is that it be deleted, the other stands
    meanwhile; a decision either way holds."""
    person = create_model("Person", name=(Annotated[str, Scalar()], ""))
    fields: dict[str, Any] = {
        "owners": (Annotated[dict[str, str], Map()], {}),
        "people": (Annotated[dict[str, person], Map()], {}),  # type: ignore[valid-type]
        "body": (Annotated[dict[str, Any], Tree()], {}),
    }
    model = create_model("Brief", **fields)
    first = {"owners": {"x": "eve"}, "people": {"x": {"name": "eve"}}, "body": {"x": {"y": 1}}}
    changed = {"owners": {"x": "bob"}, "people": {"x": {"name": "bob"}}, "body": {"x": {"y": 2}}}
    for path in ((), ("owners", "x"), ("people", "x"), ("body", "x", "y")):
        for chosen in ("deleted", "kept"):
            ws = workspace(Schema(model, on_delete=policy))
            ws.agent("eve").write(*AT, first)
            ada, bob = pair(ws)
            ada.read(*AT), bob.read(*AT)
            if path:
                with ada.edit(*AT) as brief:
                    holder = getattr(brief, path[0])
                    for part in path[1:-1]:
                        holder = holder[part]
                    del holder[path[-1]]
            else:
                ada.delete(*AT)
            bob.write(*AT, changed if not path else {path[0]: changed[path[0]]})
            assert ws.escalations() == []
            question = ws.ask(*AT, path, by="maria")
            assert question.reason == "delete" and DELETED in sides(question).values(), path
            value = next(one.value for one in question.contenders if one.value is not DELETED)
            assert shown(ws) is not None
            again = workspace(Schema(model, on_delete=policy), replica="again")
            again.import_(ws.export())
            assert again.escalations() == [question]
            ws.resolve(question, DELETED if chosen == "deleted" else value, by="maria")
            assert ws.escalations() == []
            found: Any = shown(ws)
            for part in path:
                found = None if found is None else found.get(part)
            assert found == (None if chosen == "deleted" else value), (path, chosen)


def test_a_function_is_not_asked_again() -> None:
    """What a function settled, once reopened, waits for people; what comes later is the function's again."""
    asked: list[Escalation] = []

    def largest(question: Escalation) -> int:
        asked.append(question)
        return max(one.value for one in question.contenders)

    ws = workspace(plan(largest))
    ada, bob = pair(ws)
    ada.write(*AT, {"budget": 1}), bob.write(*AT, {"budget": 9})
    [closed] = ws.escalations(state="all")
    assert closed.by == "resolver:largest" and shown(ws) == {"budget": 9} and len(asked) == 1
    question = ws.reopen(closed, by="maria")
    assert question.state == "open" and sides(question) == {"ada": 1, "bob": 9} and question.id == closed.id
    assert len(asked) == 1
    ws.resolve(question, 1, by="maria")
    ada, bob = pair(ws)
    ada.write(*AT, {"budget": 2}), bob.write(*AT, {"budget": 3})
    assert len(asked) == 2 and shown(ws) == {"budget": 3}


class Stock(BaseModel):
    amount: Annotated[int, Counter(), Field(ge=0)] = 0
    tags: Annotated[set[str], Set(), Field(max_length=3)] = set()
    count: Annotated[int, Scalar()] = 0
    sizes: Annotated[dict[str, int], Map()] = {}


@pytest.mark.parametrize("how", ["resolved", "dismissed", "superseded"])
@pytest.mark.parametrize("field", ["count", "sizes", "amount"])
def test_values_of_a_wrong_type_are_asked_again(field: str, how: str) -> None:
    """They wait beside what stands, under the same id, and are decided about as before."""
    ws = workspace(Stock)
    good, bad = {"count": (3, "many"), "sizes": ({"x": 3}, {"x": "many"}), "amount": (3, "many")}[field]
    ws.agent("ada").write(*AT, {field: good})
    bob = ws.agent("bob")
    bob.write(*AT, {field: bad})
    question = only(ws)
    assert question.reason == "type"
    if how == "resolved":
        ws.resolve(question, 4, by="maria")
    elif how == "dismissed":
        ws.dismiss(question, by="maria")
    else:
        bob.write(*AT, {field: {"x": 5} if field == "sizes" else 5})
    assert ws.escalations() == []
    before = shown(ws)
    again = ws.reopen(question, by="eve")
    assert again.id == question.id and {"many", 3} <= {one.value for one in again.contenders}
    assert sides(again)["bob"] == "many" or how == "superseded"
    assert shown(ws) == before, "what stands is not frozen"
    ws.resolve(again, 7, by="eve")
    assert ws.escalations() == []


@pytest.mark.parametrize("how", ["resolved", "dismissed"])
@pytest.mark.parametrize(("field", "chosen"), [("amount", 3), ("tags", ["a", "d"])])
def test_what_broke_a_constraint_is_asked_again(field: str, chosen: Any, how: str) -> None:
    """What was held back waits beside what stands; what is decided stands."""
    ws = workspace(Stock)
    ws.agent("eve").write(*AT, {"amount": 5, "tags": {"a", "b"}})
    ada, bob = pair(ws)
    with ada.edit(*AT) as one, bob.edit(*AT) as two:
        if field == "amount":
            one.amount -= 4
            two.amount -= 3
        else:
            one.tags.add("c"), two.tags.add("d")
    question = only(ws)
    assert question.reason == "invalid"
    if how == "resolved":
        ws.resolve(question, chosen, by="maria")
    else:
        ws.dismiss(question, by="maria")
    assert ws.escalations() == []
    before = shown(ws)
    again = ws.reopen(question, by="eve")
    sides = {repr(one.value) for one in again.contenders}
    assert again.reason == "type" and {repr(one.value) for one in question.contenders} | {repr(question.base)} <= sides
    assert shown(ws) == before
    ws.resolve(again, chosen, by="eve")
    assert shown(ws)[field] == chosen and ws.escalations() == []  # type: ignore[index]


def test_what_another_model_wrote_is_asked_again() -> None:
    """A field that became another kind: what was stored waits beside what was decided."""
    old = create_model("Brief", notes=(Annotated[Any, Scalar()], None))
    new = create_model("Brief", notes=(Annotated[int, Counter()], 0))
    ws = workspace(old)
    ws.agent("ada").write(*AT, {"notes": "seven"})
    other = workspace(new, replica="other")
    other.import_(ws.export())
    question = only(other)
    assert question.reason == "schema"
    other.resolve(question, 7, by="maria")
    again = other.reopen(question, by="eve")
    assert sides(again)["ada"] == "seven" and shown(other) == {"notes": 7}
    third = workspace(new, replica="third")
    third.import_(other.export())
    assert third.escalations() == [again]
    other.resolve(again, 8, by="eve")
    assert shown(other) == {"notes": 8} and other.escalations() == []


def test_a_text_that_a_later_write_settled_is_asked_again() -> None:
    """What the later writer made of the sentence is one side more, wherever the sentence stands by now."""
    model = create_model("Note", text=(Annotated[str, Text()], ""))
    ws = workspace(model)
    ws.agent("eve").write(*AT, {"text": "We ship. The fox jumps. Fine."})
    ada, bob = pair(ws)
    with ada.edit(*AT) as one, bob.edit(*AT) as two:
        one.text = one.text.replace("The fox", "The red fox")
        two.text = two.text.replace("The fox", "The lazy fox")
    question = only(ws)
    with ws.agent("carl").edit(*AT) as note:
        note.text = note.text.replace("The fox jumps.", "No fox at all.")
    assert ws.escalations() == [] and ws.escalation(question.id).state == "superseded"  # type: ignore[union-attr]
    with ws.agent("dora").edit(*AT) as note:
        note.text = "Hear! " + note.text
    again = ws.reopen(question.id, by="maria")
    assert sides(again) == {"ada": "The red fox jumps.", "bob": "The lazy fox jumps.", "carl": "No fox at all."}
    assert shown(ws) == {"text": "Hear! We ship. The fox jumps. Fine."}


def test_what_is_asked_again_is_taken_back_once_it_is_decided() -> None:
    """While it waits, what was said in it stands in the question; `undo` says so, of a side and of who asked."""
    ws = workspace(plan("max"))
    ws.agent("eve").write(*AT, {"budget": 5})
    ada, bob = pair(ws)
    ada.write(*AT, {"budget": 1}), bob.write(*AT, {"budget": 9})
    question = ws.ask(*AT, ("budget",), by="maria")
    for name in ("ada", "maria"):
        [skipped] = ws.undo(agent=name, by="zoe").skipped
        assert "decide that first" in skipped.reason
    ws.resolve(question, 1, by="lead")
    undone = ws.undo(agent="lead", by="zoe", dry_run=False)
    assert undone.skipped == () and only(ws).path == ("budget",)


def test_it_is_one_write() -> None:
    """One entry of the history, by who asked; one event; the same from disk; the past reads as it was."""
    ws = workspace(plan(None))
    ws.agent("eve").write(*AT, {"budget": 5})
    ada, bob = pair(ws)
    ada.write(*AT, {"budget": 1}), bob.write(*AT, {"budget": 9})
    question = only(ws)
    ws.resolve(question, 9, by="maria")
    events, version = recorded(ws), ws.history(*AT)[0].version
    again = ws.reopen(question, by="eve")
    assert (again.id, sides(again), again.base) == (question.id, sides(question), 5)
    entry = ws.history(*AT)[0]
    assert (entry.act, entry.agent, entry.paths) == ("reopen", "eve", (("budget",),)) and entry.version > version
    assert [event.kind for event in events] == ["reopened"]
    state: Any = ws.storage.load(*AT)
    assert dump_record(load_record(dump_record(state))) == dump_record(state)
    assert ws.get(*AT, at=version).value == {"budget": 9}  # type: ignore[union-attr]


def test_what_it_was_in_may_be_gone() -> None:
    """A key whose record was deleted since, a field that the model lost, a document that was deleted: an error, nothing
    is written."""
    person = create_model("Person", name=(Annotated[str, Scalar()], ""))
    model = create_model("Brief", people=(Annotated[dict[str, person], Map()], {}))  # type: ignore[valid-type]
    ws = workspace(model)
    ws.agent("eve").write(*AT, {"people": {"x": {"name": "eve"}}})
    ada, bob = pair(ws)
    ada.write(*AT, {"people": {"x": {"name": "ada"}}}), bob.write(*AT, {"people": {"x": {"name": "bob"}}})
    question = only(ws)
    ws.resolve(question, "ada", by="maria")
    with ws.agent("eve").edit(*AT) as brief:
        brief.people.clear()
    with pytest.raises(ConcordantError, match="what it was in is gone"):
        ws.reopen(question, by="eve")
    ws.agent("eve").delete(*AT)
    version = ws.history(*AT)[0].version
    with pytest.raises(ConcordantError, match="gone"):
        ws.reopen(question, by="eve")
    assert ws.history(*AT)[0].version == version


def test_what_a_policy_chose_between_long_ago_is_told_as_forgotten() -> None:
    """Once the journal has forgotten, that is what the error says."""
    ws = workspace(plan("max"))
    ada, bob = pair(ws)
    ada.write(*AT, {"budget": 1}), bob.write(*AT, {"budget": 9})
    ws.agent("carl").write(*AT, {"budget": 4})
    ws.vacuum(journal=timedelta(0))
    with pytest.raises(ConcordantError, match="as far as the journal reaches"):
        ws.ask(*AT, ("budget",), by="maria")


@pytest.mark.parametrize(
    ("base", "one", "two", "reason"),
    [
        ("text", {"z": 1}, [1, 2], "type"),
        ("text", "red", "blue", "scalar"),
        (["a", "b"], ["a", "red"], ["a", "blue"], "scalar"),
        ({"deep": {"x": 1}}, {"deep": {"x": 2}}, {"deep": {"x": 3}}, "scalar"),
    ],
)
@pytest.mark.parametrize("how", ["the first", "another", "dismissed"])
def test_what_stood_in_a_tree_is_asked_again(base: Any, one: Any, two: Any, reason: str, how: str) -> None:
    """At any depth: a value, an item of a list, a dict against a list (a ``type`` question, and the sides fit)."""
    ws = workspace(create_model("Page", body=(Annotated[dict[str, Any], Tree()], {})))
    ws.agent("eve").write(*AT, {"body": {"k": base, "other": 1}})
    ada, bob = pair(ws)
    with ada.edit(*AT) as mine, bob.edit(*AT) as theirs:
        mine.body["k"], theirs.body["k"] = one, two
    question = only(ws)
    assert question.reason == reason
    if how == "dismissed":
        ws.dismiss(question, by="maria")
    else:
        other: Any = ["other"] if isinstance(base, list) else 77
        if isinstance(base, list):
            with pytest.raises(InvalidWriteError, match="a int where the list is meant"):
                ws.resolve(question, 77, by="maria")
        ws.resolve(question, question.contenders[0].value if how == "the first" else other, by="maria")
    again = ws.reopen(question, by="eve")
    assert sides(again) == sides(question) and (again.reason, again.base) == (reason, question.base)
    assert shown(ws) == {"body": {"k": base, "other": 1}}
    ws.resolve(again, question.contenders[1].value, by="eve")
    assert ws.escalations() == []


@pytest.mark.parametrize("model", [None, "tree"])
def test_a_deletion_without_a_model_is_asked_about_again(model: Any) -> None:
    """A question about a whole document has no field; it is asked again all the same."""
    ws = workspace(None) if model is None else Workspace(undeclared=model)
    ws.agent("first").write(*AT, {"a": 1})
    ada, bob = pair(ws)
    ada.delete(*AT)
    bob.write(*AT, {"b": 2})
    ws.resolve(only(ws), DELETED, by="judge")
    again = ws.reopen(only(ws, "all"), by="judge")
    assert again.reason == "delete" and {one.agent for one in again.contenders} == {"ada", "bob"}
