"""Deleting a document: against an update it is contested or settled; nothing deleted comes back."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from concordant import DELETED, Counter, List, Map, Scalar, Schema, Set, Text, Workspace

from .support import AT, NS, kinds, only, pair, recorded, shown, sides, values, workspace


class Brief(BaseModel):
    status: Annotated[str | None, Scalar()] = None
    tags: Annotated[set[str], Set()] = set()
    owners: Annotated[dict[str, str], Map()] = {}
    body: Annotated[str, Text()] = ""
    votes: Annotated[int, Counter()] = 0
    steps: Annotated[list[str], List()] = []


FULL: dict[str, Any] = {
    "status": "old",
    "tags": ["a"],
    "owners": {"x": "1"},
    "body": "One.",
    "votes": 3,
    "steps": ["s"],
}
MORE: dict[str, Any] = {
    "status": "new",
    "tags": ["b"],
    "owners": {"y": "2"},
    "body": "Two.",
    "votes": 2,
    "steps": ["t"],
}
BOTH: dict[str, Any] = {
    "status": "new",
    "tags": ["a", "b"],
    "owners": {"x": "1", "y": "2"},
    "body": "One.\nTwo.",
    "votes": 5,
    "steps": ["s", "t"],
}


def conflict(ws: Workspace, update: dict[str, Any], *, delete_first: bool = True) -> None:
    """ada deletes what bob updates."""
    ada, bob = pair(ws)
    if delete_first:
        ada.delete(*AT)
    bob.write(*AT, update)
    if not delete_first:
        ada.delete(*AT)


def test_a_deleted_document_is_gone() -> None:
    """From reads and lists, with its content."""
    ws = workspace(Brief)
    ws.put(*AT, FULL)
    ws.agent("ada").delete(*AT)
    assert shown(ws) is None and list(ws.list(NS)) == []
    assert ws.agent("bob").read(*AT) is None and ws.read_current(*AT) is None


def test_deleting_what_is_not_there_is_no_error() -> None:
    """And makes nothing."""
    ws = workspace(Brief)
    ws.agent("ada").delete(*AT)
    ws.remove(*AT)
    assert shown(ws) is None and ws.history(*AT) == []


@pytest.mark.parametrize("model", [Brief, None])
def test_a_write_after_a_deletion_begins_anew(model: Any) -> None:
    """Nothing of the old content comes back."""
    ws = workspace(model)
    ws.put(*AT, FULL)
    ws.agent("ada").delete(*AT)
    new = {"votes": 1, "tags": ["new"], "body": "B.", "steps": ["n"], "owners": {"n": "n"}}
    ws.agent("bob").write(*AT, new)
    assert shown(ws) == new
    assert ws.escalations(state="all") == []


@pytest.mark.parametrize("model", [Brief, None])
def test_two_deletions_agree(model: Any) -> None:
    """Nobody is asked."""
    ws = workspace(model)
    ws.put(*AT, {"status": "old"})
    ada, bob = pair(ws)
    ada.delete(*AT)
    bob.delete(*AT)
    assert shown(ws) is None and ws.escalations(state="all") == []


@pytest.mark.parametrize("delete_first", [True, False])
@pytest.mark.parametrize("model", [Brief, None])
def test_a_deletion_against_an_update_is_contested(model: Any, delete_first: bool) -> None:
    """Reason ``delete`` at the document's path; the document as updated stays readable, the rest restored."""
    ws = workspace(model)
    ws.put(*AT, {"status": "old", "votes": 3})
    conflict(ws, {"status": "new"}, delete_first=delete_first)
    assert shown(ws) == {"status": "new", "votes": 3}
    escalation = only(ws)
    assert (escalation.path, escalation.reason) == ((), "delete")
    assert escalation.base == {"status": "old", "votes": 3}
    assert sides(escalation) == {"ada": DELETED, "bob": {"status": "new", "votes": 3}}
    document = ws.get(*AT)
    assert document is not None and list(document.contested) == [()]


@pytest.mark.parametrize("delete_first", [True, False])
def test_the_content_of_every_kind_is_restored(delete_first: bool) -> None:
    """What the deletion covered merges with the update."""
    ws = workspace(Brief)
    ws.put(*AT, FULL)
    conflict(ws, MORE, delete_first=delete_first)
    assert shown(ws) == BOTH
    document = ws.get(*AT)
    assert document is not None and document.model.votes == 5


def test_deciding_for_the_deletion() -> None:
    """The document is gone for good: a later write begins anew."""
    ws = workspace(Brief)
    ws.put(*AT, FULL)
    conflict(ws, MORE)
    ws.resolve(only(ws), DELETED, by="editor")
    assert shown(ws) is None and ws.escalations() == []
    ws.agent("joe").write(*AT, {"votes": 1})
    assert shown(ws) == {"votes": 1} and ws.escalations() == []


@pytest.mark.parametrize("model", [Brief, None])
def test_deciding_for_the_update(model: Any) -> None:
    """The document as updated stands, and can be edited on."""
    ws = workspace(model)
    ws.put(*AT, {"status": "old", "votes": 3})
    conflict(ws, {"status": "new"})
    update = next(value for value in values(only(ws)) if value is not DELETED)
    ws.resolve(only(ws), update, by="editor")
    assert shown(ws) == {"status": "new", "votes": 3} and ws.escalations() == []
    ws.agent("joe").write(*AT, {"status": "joe's"})
    assert shown(ws) == {"status": "joe's", "votes": 3} and ws.escalations() == []


def test_deciding_for_the_update_keeps_every_kind() -> None:
    """Sets, maps, texts, counters and lists as they were shown."""
    ws = workspace(Brief)
    ws.put(*AT, FULL)
    conflict(ws, MORE)
    ws.resolve(only(ws), BOTH, by="editor")
    assert shown(ws) == BOTH and ws.escalations() == []


def test_deciding_for_a_third_document() -> None:
    """Another value of the document's type takes the place of both."""
    ws = workspace(Brief)
    ws.put(*AT, FULL)
    conflict(ws, MORE)
    third = {"status": "third", "tags": ["a"], "owners": {}, "body": "Three.", "votes": 1, "steps": []}
    ws.resolve(only(ws), third, by="editor")
    assert shown(ws) == third and ws.escalations() == []


@pytest.mark.parametrize("model", [Brief, None])
def test_dismissing_goes_back_to_the_document_before(model: Any) -> None:
    """Neither the deletion nor the update stands."""
    ws = workspace(model)
    ws.put(*AT, {"status": "old", "votes": 3})
    conflict(ws, {"status": "new"})
    ws.dismiss(only(ws), by="editor")
    assert shown(ws) == {"status": "old", "votes": 3} and ws.escalations() == []


def test_a_deletion_after_both_supersedes() -> None:
    """Who has seen deletion and update may delete."""
    ws = workspace(Brief)
    ws.put(*AT, FULL)
    conflict(ws, MORE)
    events = recorded(ws)
    ws.agent("joe").delete(*AT)
    assert shown(ws) is None and ws.escalations() == []
    assert kinds(events) in (["superseded"], ["agreed"])


@pytest.mark.parametrize("delete_first", [True, False])
@pytest.mark.parametrize(("policy", "left"), [("update", BOTH), ("delete", None)])
def test_on_delete_settles_without_asking(policy: Any, left: Any, delete_first: bool) -> None:
    """The namespace's policy decides, and the decision is in the journal."""
    ws = workspace(Schema(Brief, on_delete=policy))
    events = recorded(ws)
    ws.put(*AT, FULL)
    conflict(ws, MORE, delete_first=delete_first)
    assert shown(ws) == left
    assert events == [] and ws.escalations(state="all") == []
    assert ((), policy) in ws.history(*AT)[0].settled


@pytest.mark.parametrize("policy", ["update", "delete", "escalate"])
def test_on_delete_does_not_judge_ordered_deletions(policy: Any) -> None:
    """A deletion that has seen all deletes; a write that has seen the deletion writes."""
    ws = workspace(Schema(Brief, on_delete=policy))
    ws.put(*AT, FULL)
    ws.agent("ada").delete(*AT)
    assert shown(ws) is None
    ws.agent("bob").write(*AT, {"votes": 1})
    assert shown(ws) == {"votes": 1} and ws.escalations(state="all") == []


def test_a_deletion_takes_only_what_its_scope_has_seen() -> None:
    """What another wrote and the deleter had not seen is contested with the deletion."""
    ws = workspace(Brief)
    ws.put(*AT, {"tags": ["a"]})
    ada, bob = pair(ws)
    bob.write(*AT, {"tags": ["b"]})
    ada.delete(*AT)
    assert shown(ws) == {"tags": ["a", "b"]}
    ws.resolve(only(ws), DELETED, by="editor")
    assert shown(ws) is None


def test_a_late_update_reopens_a_decided_deletion() -> None:
    """A writer that has seen neither the update nor the decision is a late contender."""
    ws = workspace(Brief)
    ws.put(*AT, {"status": "old"})
    began = ws.moment()
    ada, bob, late = (ws.agent(name, began=began) for name in ("ada", "bob", "late"))
    ada.delete(*AT)
    bob.write(*AT, {"tags": ["b"]})
    id_ = only(ws).id
    ws.resolve(only(ws), DELETED, by="editor")
    assert shown(ws) is None
    events = recorded(ws)
    late.write(*AT, {"tags": ["late"]})
    assert only(ws).id == id_ and kinds(events) == ["reopened"]
    assert "late" in (shown(ws) or {})["tags"]


def test_deleted_fields_of_an_undeclared_document_against_their_update() -> None:
    """A put that leaves a field out removes it; concurrent with an update of that field it is contested."""
    ws = workspace()
    ws.put(*AT, {"x": 1, "y": 1})
    began = ws.moment()
    ada, bob = ws.agent("ada", began=began), ws.agent("bob", began=began)
    with ada.edit(*AT) as document:
        del document["x"]
    bob.write(*AT, {"x": 2})
    escalation = only(ws)
    assert (escalation.path, escalation.reason, escalation.base) == (("x",), "delete", 1)
    assert sides(escalation) == {"ada": DELETED, "bob": 2}
    assert shown(ws) == {"x": 2, "y": 1}


@pytest.mark.parametrize("at", ["before", "after"])
def test_reads_do_not_resurrect(at: str) -> None:
    """An edit that is open while the document is deleted is an update: contested, never brought back."""
    ws = workspace(Brief)
    ws.put(*AT, {"status": "old", "tags": ["a"]})
    with ws.agent("bob").edit(*AT) as brief:
        if at == "before":
            ws.agent("ada").delete(*AT)
        brief.tags.add("b")
    if at == "after":
        ws.agent("ada").delete(*AT)
        assert shown(ws) is None and ws.escalations() == []
    else:
        assert only(ws).reason == "delete" and shown(ws) == {"status": "old", "tags": ["a", "b"]}


def test_an_edit_without_a_change_does_not_bring_back() -> None:
    """It wrote nothing."""
    ws = workspace(Brief)
    ws.put(*AT, {"status": "old"})
    with ws.agent("bob").edit(*AT):
        ws.agent("ada").delete(*AT)
    assert shown(ws) is None and ws.escalations() == []


def test_a_replica_that_did_not_know_of_a_deletion_does_not_bring_it_back() -> None:
    """Importing old content after its deletion changes nothing."""
    one, other = (workspace(Brief, replica=name) for name in ("one", "other"))
    one.put(*AT, FULL)
    old = one.export()
    other.import_(old)
    one.agent("ada").delete(*AT)
    one.import_(other.export())
    one.import_(old)
    assert shown(one) is None and one.escalations() == []
    other.import_(one.export())
    assert shown(other) is None and other.escalations() == []


def test_who_wrote_what_was_removed_since_is_no_side() -> None:
    """Neither what the deleter had seen of it nor what another removed from the document makes its writer a side."""

    class Part(BaseModel):
        role: Annotated[str | None, Scalar()] = None
        body: Annotated[str, Text()] = ""

    class Whole(BaseModel):
        parts: Annotated[dict[str, Part], Map()] = {}
        votes: Annotated[int, Counter()] = 0

    ws = workspace(Whole)
    ws.agent("bob").write(*AT, {"parts": {"q": {"role": "clerk", "body": "One."}}})
    seen = ws.moment()
    ws.agent("zoe").write(*AT, {"parts": {"q": {"body": "Two."}}})
    with ws.agent("eve").edit(*AT) as whole:
        whole.votes += 3
        del whole.parts["q"]
    ws.agent("ada", began=seen).delete(*AT)
    other = workspace(Whole)
    other.import_(ws.export())
    for look in (ws, other):
        assert sides(only(look)) == {"eve": {"parts": {}, "votes": 3}, "ada": DELETED}


class Owner(BaseModel):
    name: Annotated[str | None, Scalar()] = None


class Part(BaseModel):
    status: Annotated[str | None, Scalar()] = None
    owner: Owner | None = None
    steps: Annotated[list[str], List()] = []


class Parts(BaseModel):
    parts: Annotated[dict[str, Part], Map()] = {}


@pytest.mark.parametrize("first", [{}, {"steps": ["one"]}, {"owner": {}}, {"status": "new"}])
def test_g2_who_has_seen_all_removes_what_a_deletion_had_kept(first: dict[str, Any]) -> None:
    """A record in a document that was kept from deletion by an update, and went on, is removed without a question."""
    one, other = (Workspace(schemas={NS: Parts}, replica=name) for name in ("one", "other"))
    one.agent("ada").write(*AT, {"parts": {"a": first}})
    one.agent("ada").delete(*AT)
    other.agent("bob").write(*AT, {"parts": {"a": {"status": "b"}}})
    one.exchange(other)
    with one.agent("bob").edit(*AT) as brief:
        brief.parts["a"].status = "bob"
    with one.agent("ada").edit(*AT) as brief:
        del brief.parts["a"]
    other.import_(one.export())
    for ws in (one, other):
        document = ws.get(*AT)
        assert document is not None and document.value == {"parts": {}} and not document.contested
        assert ws.check().ok
