"""Histories that once went wrong, as small as they get."""

from __future__ import annotations

import itertools
from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from concordant import Map, Scalar, Set, Text, Workspace

PLACE = (("notes",), "n")


class Owner(BaseModel):
    name: Annotated[str, Scalar()] = ""
    roles: Annotated[set[str], Set()] = set()


class Note(BaseModel):
    status: Annotated[Any, Scalar()] = None
    last: Annotated[str, Scalar()] = ""
    text: Annotated[str, Text()] = ""
    tags: Annotated[list[Any], Set()] = []
    owner: Owner = Owner()
    groups: Annotated[dict[str, Annotated[set[str], Set()]], Map()] = {}


def space(replica: str = "l") -> Workspace:
    return Workspace(schemas={("notes",): Note}, replica=replica)


def value(workspace: Workspace) -> Any:
    document = workspace.get(*PLACE)
    return document.value if document is not None else None


def test_g1_g3_an_unseen_first_write_is_not_overwritten_by_a_second_write() -> None:
    """A writer that has written before, but never seen the document's first write, conflicts with it."""
    workspace = space()
    ada, bob = workspace.agent("ada"), workspace.agent("bob")
    workspace.put(*PLACE, {"status": "a"}, ada.scope)
    workspace.put(*PLACE, {}, bob.scope)
    workspace.put(*PLACE, {"status": "b"}, bob.scope)
    assert {c.value for e in workspace.escalations() for c in e.contenders} == {"a", "b"}


def test_g2_a_read_inside_an_edit_still_counts_after_it() -> None:
    """Closing an edit does not forget what its scope read while it was open."""
    workspace = space()
    ada, bob = workspace.agent("ada"), workspace.agent("bob")
    with bob.edit(*PLACE) as note:
        ada.write(*PLACE, {"status": "a"})
        bob.read(*PLACE)
        note.last = "b"
    bob.write(*PLACE, {"status": "b"})
    assert value(workspace) == {"status": "b", "last": "b"}
    assert not workspace.escalations()


def test_g3_g4_a_conflict_inside_a_revived_document_is_listed_everywhere() -> None:
    """A contender that a deletion covered, and its rival on another replica, make an escalation on both."""
    left, right = space("l"), space("r")
    ada, cyd = left.agent("ada"), right.agent("cyd")
    cyd.write(*PLACE, {"status": "a"})
    left.import_(right.export())
    ada.write(*PLACE, {"status": True})
    ada.delete(*PLACE)
    ada.write(*PLACE, {"last": "x"})
    right.import_(left.export())
    assert [e.id for e in left.escalations()] == [e.id for e in right.escalations()] != []


def test_g1_g12_what_its_own_writer_replaced_does_not_return_under_a_deletion() -> None:
    """A value replaced on one replica and deleted on the other is gone, though another field of its write stands."""
    left, right = space("l"), space("r")
    cyd = right.agent("cyd")
    cyd.write(*PLACE, {"last": "a", "status": 1})
    left.import_(right.export())
    left.agent("ada").delete(*PLACE)
    cyd.write(*PLACE, {"status": -1})
    left.import_(right.export())
    assert value(left) == {"last": "a", "status": -1}
    assert {e.path for e in left.escalations()} == {()}


def test_g12_a_deletion_of_what_another_deletion_covers_counts() -> None:
    """What two deleted does not return because only one of the deletions is settled."""
    workspace = Workspace()
    ada = workspace.agent("ada")
    workspace.put(*PLACE, {"d": 1, "c": 2}, ada.scope)
    dan = workspace.agent("dan")
    dan.delete(*PLACE)
    ada.delete(*PLACE)
    with workspace.agent("bob").edit(*PLACE) as document:
        dan.delete(*PLACE)
        document["b"] = 3
    assert value(workspace) == {"b": 3}


@pytest.mark.parametrize("dismiss", [False, True])
def test_g7_null_decides_as_a_value(dismiss: bool) -> None:
    """A decision for null, or back to a null that stood before, stores null; only DELETED deletes."""
    workspace = Workspace()
    ada = workspace.agent("ada")
    ada.write(*PLACE, {"d": None})
    workspace.put(*PLACE, {"d": None}, ada.scope)
    bob = workspace.agent("bob")
    workspace.put(*PLACE, {}, ada.scope)
    workspace.put(*PLACE, {"d": 2}, bob.scope)
    (escalation,) = workspace.escalations()
    if dismiss:
        workspace.dismiss(escalation, by="editor")
    else:
        workspace.resolve(escalation, None, by="editor")
    assert value(workspace) == {"d": None}


def test_g12_an_edit_that_only_reorders_a_set_changes_nothing() -> None:
    """A set has no order of its own: leaving it in another one does not bring a deleted document back."""
    workspace = space()
    bob = workspace.agent("bob")
    bob.write(*PLACE, {"tags": ["b", 1]})
    with bob.edit(*PLACE) as note:
        bob.delete(*PLACE)
        note.tags = [1, "b"]
    assert value(workspace) is None


def test_g2_edits_and_writes_take_instances_of_nested_models() -> None:
    """A nested model's instance is as good as its dict, in writes and in edits."""
    workspace = space()
    ada = workspace.agent("ada")
    with ada.edit(*PLACE) as note:
        note.last = "x"
    assert value(workspace) == {"last": "x"}
    with ada.edit(*PLACE) as note:
        note.owner.name = "ada"
        note.owner.roles.add("chair")
    ada.write(*PLACE, {"owner": Owner(roles={"cook"})})
    assert value(workspace)["owner"] == {"name": "ada", "roles": ["chair", "cook"]}
    assert not workspace.escalations(state="all")


@pytest.mark.parametrize("revived", [{}, {"last": "x"}])
def test_g1_an_edit_of_a_document_kept_readable_goes_on_from_what_was_shown(revived: dict[str, Any]) -> None:
    """Whoever edits a document that outlived its deletion loses nothing of what was shown."""
    workspace = space()
    ada, bob = workspace.agent("ada"), workspace.agent("bob")
    ada.write(*PLACE, {"status": 1, "text": "one two"})
    bob.read(*PLACE)
    bob.delete(*PLACE)
    ada.write(*PLACE, revived)
    with bob.edit(*PLACE) as note:
        assert note.status == 1
        note.text = "one six"
    assert value(workspace) == {"status": 1, "text": "one six", **revived}
    other = space("r")
    other.import_(workspace.export())
    assert value(other) == value(workspace)


def test_g7_g11_an_empty_set_at_a_deleted_key_is_readable() -> None:
    """An update that leaves nothing in a map's value, concurrent with the key's deletion, reads and escalates."""
    workspace = space()
    ada, bob = workspace.agent("ada"), workspace.agent("bob")
    workspace.put(*PLACE, {"groups": {"one": ["x"]}}, ada.scope)
    with bob.edit(*PLACE) as note:
        del note.groups["one"]
    workspace.put(*PLACE, {"groups": {"one": []}}, ada.scope)
    assert value(workspace) is not None
    assert {e.reason for e in workspace.escalations()} <= {"delete"}


@pytest.mark.parametrize("writer", ["ada", "bob"])
def test_g1_g3_a_deletion_after_a_concurrent_update_escalates(writer: str) -> None:
    """Update and deletion conflict in either order of commits, though the update replaced all that the deleter knew."""
    workspace = space()
    agents = {name: workspace.agent(name) for name in ("ada", "bob")}
    ada, bob = agents["ada"], agents["bob"]
    agents[writer].write(*PLACE, {"status": "x"})
    (ada if writer == "bob" else bob).read(*PLACE)
    ada.write(*PLACE, {"status": "y"})
    bob.delete(*PLACE)
    assert [e.reason for e in workspace.escalations()] == ["delete"]


def test_g4_the_order_of_keys_converges() -> None:
    """Replicas show the keys of maps and of undeclared documents in the same order."""
    left, right = Workspace(replica="l"), Workspace(replica="r")
    left.agent("ada").write(*PLACE, {"x": 1})
    right.agent("bob").write(*PLACE, {"y": 2})
    one, two = left.export(), right.export()
    left.import_(two)
    right.import_(one)
    assert list(value(left)) == list(value(right))


@pytest.mark.parametrize("texts", [["six", "one six"], ["six", "one two", "ten six one"], ["a", "", "b a", "c b a"]])
def test_g1_g4_sequential_edits_of_a_text_show_the_last(texts: list[str]) -> None:
    """One writer's edits, one after another, leave the text as the last one left it, on every replica."""
    left, right = space("l"), space("r")
    ada = left.agent("ada")
    for text in texts:
        with ada.edit(*PLACE) as note:
            note.text = text
    right.import_(left.export())
    assert value(left) == value(right) == {"text": texts[-1]}


def test_g1_g3_a_document_revived_under_two_deletions_keeps_both_contenders() -> None:
    """A write to a document that two deletions cover leaves the contenders of another field alone."""
    workspace = Workspace()
    ada, bob, cyd, dan = (workspace.agent(name) for name in ("ada", "bob", "cyd", "dan"))
    ada.write(*PLACE, {"x": "a", "w": 1})
    bob.write(*PLACE, {"x": "b"})
    ada.delete(*PLACE)
    bob.delete(*PLACE)
    cyd.write(*PLACE, {"y": 1})
    dan.read(*PLACE)
    dan.write(*PLACE, {"w": 2})
    assert {c.value for e in workspace.escalations() for c in e.contenders} == {"a", "b"}


def test_g11_a_valid_write_of_many_fields_is_accepted() -> None:
    """A valid write is accepted whatever order its fields come in."""
    fields: dict[str, Any] = {"owner": {"name": "x"}, "groups": {"a": ["b"], "c": []}, "tags": [], "status": {"y": 1}}
    for number, order in enumerate(itertools.permutations(fields)):
        workspace = space()
        workspace.agent("ada").write(("notes",), str(number), {name: fields[name] for name in order})
        assert not workspace.escalations()


def test_g3_a_deletion_by_one_who_saw_an_earlier_life_contests_the_new_one() -> None:
    """A writer that saw the document, but neither its end nor its new beginning, deletes: that meets the new one."""
    workspace = space()
    workspace.agent("ada").write(*PLACE, {"last": "a"})
    late, ada = workspace.agent("bob"), workspace.agent("ada")
    ada.delete(*PLACE)
    ada.write(*PLACE, {"last": "b"})
    late.delete(*PLACE)
    (escalation,) = workspace.escalations()
    assert (escalation.path, escalation.reason) == ((), "delete")
    assert value(workspace) == {"last": "b"}
    # Who began between the two lives had nothing to delete.
    workspace = space()
    workspace.agent("ada").write(*PLACE, {"last": "a"})
    workspace.agent("ada").delete(*PLACE)
    between = workspace.agent("bob")
    workspace.agent("ada").write(*PLACE, {"last": "b"})
    between.delete(*PLACE)
    assert not workspace.escalations() and value(workspace) == {"last": "b"}


@pytest.mark.parametrize("identity", ["red", 1])
def test_g6_g7_a_half_deleted_record_of_a_set_keeps_its_key(identity: Any) -> None:
    """What a deletion covered of a record names the record, though its key was confirmed by another meanwhile."""

    class Task(BaseModel):
        id: Annotated[type(identity), Scalar()]  # type: ignore[valid-type]
        state: Annotated[str, Scalar()] = ""
        hours: Annotated[int, Scalar()] = 0

    class Plan(BaseModel):
        tasks: Annotated[list[Task], Set(by="id")] = []

    workspace = Workspace(schemas={("notes",): Plan})
    workspace.agent("ada").write(*PLACE, {"tasks": [{"id": identity, "state": "a"}]})
    cyd, dan = workspace.agent("cyd"), workspace.agent("dan")
    cyd.write(*PLACE, {"tasks": [{"id": identity, "hours": 2}]})
    dan.delete(*PLACE)
    (escalation,) = workspace.escalations()
    assert escalation.base == {"tasks": [{"id": identity, "state": "a"}]}
    workspace.dismiss(escalation, by="editor")
    assert value(workspace) == {"tasks": [{"id": identity, "state": "a", "hours": 2}]}
