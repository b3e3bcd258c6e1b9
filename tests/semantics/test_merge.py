"""``merge``: several updates of one value, made at once, without a workspace."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field

from concordant import (
    Counter,
    InvalidWriteError,
    List,
    Map,
    Scalar,
    Schema,
    SchemaError,
    Set,
    Text,
    Update,
    merge,
    priority,
)


class Lead(BaseModel):
    name: Annotated[str, Scalar()] = ""
    tasks: Annotated[int, Counter()] = 5


class Brief(BaseModel):
    tags: Annotated[list[str], Set()]
    notes: Annotated[str, Text()]
    steps: Annotated[list[str], List()]
    tokens: Annotated[int, Counter()]
    owners: Annotated[dict[str, str], Map()]
    lead: Lead = Lead()
    status: Annotated[str | None, Scalar()] = None
    review: Annotated[str | None, Scalar(resolve=priority("editor", "*"))] = None
    budget: Annotated[int, Counter(), Field(ge=0)] = 0


def test_contributions_and_edits_of_one_base_merge() -> None:
    """What each writer added, or made of the base, is in the result, in the order given."""
    base = {"tags": ["a", "b"], "notes": "a quick fox", "steps": ["x"], "tokens": 10, "owners": {"k": "ann"}}
    document = merge(
        Brief,
        base,
        [
            Update({"tags": ["c"], "notes": "more", "steps": ["x"], "tokens": 1, "owners": {"l": "bob"}}, "ada"),
            Update({"tags": ["b"], "notes": "a slow fox", "steps": [], "tokens": 7, "owners": {}}, "bob", edits=True),
            Update({"status": "done"}, "cyd"),
            Update({"status": "done"}, "dan"),
        ],
    )
    assert document.value == {
        "tags": ["b", "c"], "notes": "a slow fox\nmore", "steps": ["x"], "tokens": 8, "owners": {"l": "bob"},
        "status": "done",
    }  # fmt: skip
    assert document.contested == {}
    assert document.model.lead == Lead()


def test_what_cannot_be_merged_is_contested() -> None:
    """The document shows the base, and names the contenders with their agents."""
    document = merge(Brief, {"status": "draft"}, [Update({"status": "a"}, "ada"), Update({"status": "b"}, "bob")])
    assert document.value == {"status": "draft"}
    [escalation] = document.contested.values()
    assert (escalation.path, escalation.base) == (("status",), "draft")
    assert [(c.value, c.agent) for c in escalation.contenders] == [("a", "ada"), ("b", "bob")]


def test_priorities_know_the_agents() -> None:
    """Where the writers are named, ``priority`` settles by them."""
    updates = [Update({"review": "no"}, "intern"), Update({"review": "yes"}, "editor")]
    document = merge(Brief, {}, updates)
    assert (document.value, document.contested) == ({"review": "yes"}, {})


def test_repeating_a_scalar_says_nothing() -> None:
    """Scalars of a contribution that are what its writer was given, in maps and records too, meet no other's change."""
    base = {"status": "draft", "owners": {"k": "ann", "l": "bob"}, "lead": {"name": "eve"}}
    document = merge(
        Brief,
        base,
        [
            Update({"status": "done", "owners": {"k": "amy"}, "lead": {"name": "eva"}}),
            Update(base | {"owners": {"k": "ann", "l": "bob", "m": "cyd"}}),
        ],
    )
    assert document.contested == {}
    assert document.value["status"] == "done"
    assert document.value["owners"] == {"k": "amy", "l": "bob", "m": "cyd"}
    assert document.value["lead"] == {"name": "eva"}


def test_instances_are_taken_as_meant() -> None:
    """Of an instance the fields that were set contribute; in the base and in an edit all of its fields count."""
    lead = Lead(name="eve")
    assert merge(Brief, {}, [Update({"lead": lead})]).value["lead"] == {"name": "eve"}
    assert merge(Brief, {"lead": lead}, [Update({"lead": {"tasks": 2}})]).value["lead"]["tasks"] == 7
    assert merge(Brief, {"lead": lead}, [Update({"lead": Lead()}, edits=True)]).value["lead"]["name"] == ""


def test_a_merge_that_breaks_a_constraint_is_contested() -> None:
    """What each may take alone and both cannot is contested, with what did not fit as contender."""
    document = merge(Brief, {"budget": 5}, [Update({"budget": -4}, "ada"), Update({"budget": -3}, "bob")])
    [escalation] = document.contested.values()
    assert (document.value["budget"], escalation.reason) == (1, "invalid")
    assert [(c.value, c.agent) for c in escalation.contenders] == [(-3, "bob")]


def test_ill_typed_values_follow_the_schemas_policy() -> None:
    """A value of the wrong type is contested, or refused where the schema says so; an unknown field always is."""
    wrong: list[Any] = [Update({"tokens": "many", "tags": ["a"]}, "ada")]
    document = merge(Brief, {}, wrong)
    assert document.value["tags"] == ["a"]
    assert [e.reason for e in document.contested.values()] == ["type"]
    with pytest.raises(InvalidWriteError, match=r"tokens: Input should be a valid integer"):
        merge(Schema(Brief, on_invalid="raise"), {}, wrong)
    with pytest.raises(InvalidWriteError, match=r"colour: the model has no such field"):
        merge(Brief, {}, [Update({"colour": "red"})])


def test_nothing_merged_is_the_base() -> None:
    """Without updates the document is the base; without a base it is empty, and its model has the defaults."""
    assert merge(Brief, {"tags": ["b", "a", "b"]}, []).value == {"tags": ["b", "a"]}
    document = merge(Brief, {}, [])
    assert (document.value, document.model.lead.tasks) == ({}, 5)


def test_a_model_that_cannot_be_used_is_refused() -> None:
    """What is no state model raises SchemaError."""
    with pytest.raises(SchemaError):
        merge(dict, {}, [])
