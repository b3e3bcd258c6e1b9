"""A field typed as another state model: its fields merge by their own kinds."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel

from concordant import Counter, Map, Scalar, Set, Text

from .support import AT, only, pair, shown, sides, workspace


class Contact(BaseModel):
    mail: Annotated[str | None, Scalar()] = None
    labels: Annotated[set[str], Set()] = set()


class Person(BaseModel):
    name: Annotated[str | None, Scalar()] = None
    contact: Contact = Contact()
    visits: Annotated[int, Counter()] = 0


class Team(BaseModel):
    lead: Person = Person()
    notes: Annotated[str, Text()] = ""
    members: Annotated[dict[str, Person], Map()] = {}


def test_nested_fields_merge_by_their_own_kinds() -> None:
    """Two levels down too; fields left out are untouched."""
    ws = workspace(Team)
    ada, bob = pair(ws)
    ada.write(*AT, {"lead": {"name": "Eve", "visits": 1, "contact": {"mail": "e@x", "labels": ["a"]}}})
    bob.write(*AT, {"lead": {"visits": 2, "contact": {"labels": ["b"]}}, "notes": "N."})
    assert shown(ws) == {
        "lead": {"name": "Eve", "visits": 3, "contact": {"mail": "e@x", "labels": ["a", "b"]}},
        "notes": "N.",
    }
    assert ws.escalations(state="all") == []


def test_a_nested_conflict_has_its_path() -> None:
    """The path leads through the fields."""
    ws = workspace(Team)
    ada, bob = pair(ws)
    ada.write(*AT, {"lead": {"contact": {"mail": "a@x"}}})
    bob.write(*AT, {"lead": {"contact": {"mail": "b@x"}}})
    assert only(ws).path == ("lead", "contact", "mail")
    assert sides(only(ws)) == {"ada": "a@x", "bob": "b@x"}
    assert shown(ws) == {"lead": {"contact": {}}}
    ws.resolve(only(ws), "c@x", by="editor")
    assert shown(ws) == {"lead": {"contact": {"mail": "c@x"}}}


def test_edits_of_nested_fields() -> None:
    """An edit's difference is taken field by field, at every level."""
    ws = workspace(Team)
    ws.agent("eve").write(*AT, {"lead": {"name": "Eve", "visits": 5, "contact": {"labels": ["a", "b"]}}})
    ada, bob = pair(ws)
    with ada.edit(*AT) as one, bob.edit(*AT) as other:
        one.lead.visits += 1
        one.lead.contact.labels.discard("a")
        other.lead.name = "Eva"
        other.lead.contact.labels.add("c")
    assert ws.escalations(state="all") == []
    assert shown(ws) == {"lead": {"name": "Eva", "visits": 6, "contact": {"labels": ["b", "c"]}}}


def test_an_edit_of_another_field_leaves_nested_records_alone() -> None:
    """Nothing of a record that was not touched is written."""
    ws = workspace(Team)
    ws.agent("eve").write(*AT, {"lead": {"name": "Eve"}, "members": {"x": {"name": "X"}}})
    with ws.agent("ada").edit(*AT) as team:
        team.notes = "N."
    assert shown(ws) == {"lead": {"name": "Eve"}, "notes": "N.", "members": {"x": {"name": "X"}}}
    assert ws.escalations(state="all") == []
    assert ws.history(*AT)[0].paths == (("notes",),)


def test_a_put_after_a_read_edits_nested_fields() -> None:
    """Read-modify-write of a nested record keeps what another did to it meanwhile."""
    ws = workspace(Team)
    ws.put(*AT, {"lead": {"name": "Eve", "contact": {"labels": ["a", "b"]}}})
    ws.read_current(*AT)
    ws.agent("ada").write(*AT, {"lead": {"visits": 1, "contact": {"labels": ["c"]}}})
    ws.put(*AT, {"lead": {"name": "Eva", "contact": {"labels": ["b"]}}})
    assert shown(ws) == {"lead": {"name": "Eva", "contact": {"labels": ["b", "c"]}, "visits": 1}}


def test_model_instances_may_be_nested() -> None:
    """A write may give a nested record as an instance, or the whole: the fields that were set count."""
    ws = workspace(Team)
    ws.agent("ada").write(*AT, {"lead": Person(name="Eve")})
    ws.agent("bob").write(*AT, Team(lead=Person(visits=2, contact=Contact(labels={"a"}))))
    assert ws.escalations(state="all") == []
    assert shown(ws) == {"lead": {"name": "Eve", "visits": 2, "contact": {"labels": ["a"]}}}


def test_the_model_has_nested_defaults() -> None:
    """What was never written has its default at every level."""
    ws = workspace(Team)
    ws.agent("ada").write(*AT, {"lead": {"name": "Eve"}, "members": {"x": {}}})
    document = ws.get(*AT)
    assert document is not None
    assert document.model == Team(lead=Person(name="Eve"), members={"x": Person()})


def test_natural_defaults_hold_below_containers() -> None:
    """A container field without a declared default is empty in a nested record, inside a map too."""

    class Inner(BaseModel):
        title: Annotated[str | None, Scalar()] = None
        tags: Annotated[set[str], Set()]
        body: Annotated[str, Text()]

    class Outer(BaseModel):
        one: Inner
        many: Annotated[dict[str, Inner], Map()]

    ws = workspace(Outer)
    ws.agent("ada").write(*AT, {"one": {"title": "x"}, "many": {"k": {"title": "y"}}})
    document = ws.get(*AT)
    assert document is not None
    model = document.model
    assert (model.one.tags, model.one.body) == (set(), "")
    assert (model.many["k"].tags, model.many["k"].body) == (set(), "")
