"""``Map``: each key merges by the kind of the values."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from concordant import DELETED, Counter, List, Map, Scalar, Schema, Set, Text

from .support import AT, only, pair, shown, sides, values, workspace


class Owners(BaseModel):
    owners: Annotated[dict[str, str], Map()] = {}


class Growing(BaseModel):
    owners: Annotated[dict[str, str], Map(grow_only=True)] = {}


class Task(BaseModel):
    title: Annotated[str | None, Scalar()] = None
    tags: Annotated[set[str], Set()] = set()


class Nested(BaseModel):
    sets: Annotated[dict[str, Annotated[set[str], Set()]], Map()] = {}
    counters: Annotated[dict[str, Annotated[int, Counter()]], Map()] = {}
    texts: Annotated[dict[str, Annotated[str, Text()]], Map()] = {}
    lists: Annotated[dict[str, Annotated[list[str], List()]], Map()] = {}
    models: Annotated[dict[str, Task], Map()] = {}
    maps: Annotated[dict[str, Annotated[dict[str, int], Map()]], Map()] = {}
    sums: Annotated[dict[str, Annotated[Decimal, Counter()]], Map()] = {}


def test_write_sets_the_keys_given() -> None:
    """Other keys are untouched."""
    ws = workspace(Owners)
    ws.agent("ada").write(*AT, {"owners": {"a": "1", "b": "1"}})
    ws.agent("bob").write(*AT, {"owners": {"b": "2", "c": "2"}})
    assert shown(ws) == {"owners": {"a": "1", "b": "2", "c": "2"}} and ws.escalations(state="all") == []


def test_edit_sets_and_removes_keys() -> None:
    """An edit carries over its difference, key by key."""
    ws = workspace(Owners)
    ws.agent("ada").write(*AT, {"owners": {"a": "1", "b": "1"}})
    with ws.agent("bob").edit(*AT) as document:
        del document.owners["a"]
        document.owners["c"] = "2"
    assert shown(ws) == {"owners": {"b": "1", "c": "2"}}


def test_concurrent_writes_of_different_keys_merge() -> None:
    """Per key."""
    ws = workspace(Owners)
    ada, bob = pair(ws)
    ada.write(*AT, {"owners": {"a": "1"}})
    bob.write(*AT, {"owners": {"b": "2"}})
    assert shown(ws) == {"owners": {"a": "1", "b": "2"}} and ws.escalations() == []


def test_concurrent_writes_of_one_key_are_contested_there() -> None:
    """Values without a kind are scalars; the path names the key, all else merges."""
    ws = workspace(Owners)
    ada, bob = pair(ws)
    ada.write(*AT, {"owners": {"x": "ada", "a": "1"}})
    bob.write(*AT, {"owners": {"x": "bob", "b": "2"}})
    escalation = only(ws)
    assert (escalation.path, escalation.reason) == (("owners", "x"), "scalar")
    assert sides(escalation) == {"ada": "ada", "bob": "bob"}
    assert shown(ws) == {"owners": {"a": "1", "b": "2"}}


def test_a_contested_key_shows_the_agreed_value() -> None:
    """A key that had a value before keeps showing it."""
    ws = workspace(Owners)
    ws.agent("eve").write(*AT, {"owners": {"x": "eve"}})
    ada, bob = pair(ws)
    ada.write(*AT, {"owners": {"x": "ada"}})
    bob.write(*AT, {"owners": {"x": "bob"}})
    assert shown(ws) == {"owners": {"x": "eve"}} and only(ws).base == "eve"
    ws.resolve(only(ws), "bob", by="editor")
    assert shown(ws) == {"owners": {"x": "bob"}}


@pytest.mark.parametrize("delete_first", [True, False])
def test_removing_a_key_against_its_update_is_contested(delete_first: bool) -> None:
    """Reason ``delete``, one contender is ``DELETED``; the key as updated stays readable."""
    ws = workspace(Owners)
    ws.agent("eve").write(*AT, {"owners": {"x": "eve", "y": "eve"}})
    ada, bob = pair(ws)
    edit = ada.edit(*AT)
    del edit.__enter__().owners["x"]
    if delete_first:
        edit.__exit__(None, None, None)
    bob.write(*AT, {"owners": {"x": "bob"}})
    if not delete_first:
        edit.__exit__(None, None, None)
    escalation = only(ws)
    assert (escalation.path, escalation.reason, escalation.base) == (("owners", "x"), "delete", "eve")
    assert sides(escalation) == {"ada": DELETED, "bob": "bob"}
    assert shown(ws) == {"owners": {"x": "bob", "y": "eve"}}


@pytest.mark.parametrize(("decision", "left"), [(DELETED, {}), ("bob", {"x": "bob"}), ("new", {"x": "new"})])
def test_deciding_about_a_removed_key(decision: Any, left: dict[str, str]) -> None:
    """For the deletion, for the update, or for a third value."""
    ws = workspace(Owners)
    ws.agent("eve").write(*AT, {"owners": {"x": "eve"}})
    ada, bob = pair(ws)
    with ada.edit(*AT) as document:
        document.owners.clear()
    bob.write(*AT, {"owners": {"x": "bob"}})
    ws.resolve(only(ws), decision, by="editor")
    assert shown(ws) == {"owners": left} and ws.escalations() == []


def test_two_removals_of_a_key_agree() -> None:
    """Nobody is asked."""
    ws = workspace(Owners)
    ws.agent("eve").write(*AT, {"owners": {"x": "eve"}})
    ada, bob = pair(ws)
    with ada.edit(*AT) as one, bob.edit(*AT) as other:
        one.owners.clear()
        other.owners.clear()
    assert shown(ws) == {"owners": {}} and ws.escalations(state="all") == []


@pytest.mark.parametrize(("policy", "left"), [("delete", {}), ("update", {"x": "bob"})])
def test_on_delete_settles_removed_keys(policy: Any, left: dict[str, str]) -> None:
    """The namespace's policy holds for keys as for documents, and is in the journal."""
    ws = workspace(Schema(Owners, on_delete=policy))
    ws.agent("eve").write(*AT, {"owners": {"x": "eve"}})
    ada, bob = pair(ws)
    with ada.edit(*AT) as document:
        document.owners.clear()
    bob.write(*AT, {"owners": {"x": "bob"}})
    assert shown(ws) == {"owners": left} and ws.escalations(state="all") == []
    assert (("owners", "x"), policy) in ws.history(*AT)[0].settled


def test_a_removed_key_can_be_written_again() -> None:
    """By one who has seen the removal, without a question."""
    ws = workspace(Owners)
    ws.agent("eve").write(*AT, {"owners": {"x": "eve"}})
    with ws.agent("ada").edit(*AT) as document:
        document.owners.clear()
    assert shown(ws) == {"owners": {}}
    ws.agent("bob").write(*AT, {"owners": {"x": "bob"}})
    assert shown(ws) == {"owners": {"x": "bob"}} and ws.escalations(state="all") == []


def test_maps_of_every_kind_merge_by_that_kind() -> None:
    """Sets, counters, texts, lists, models, maps and sums as values."""
    ws = workspace(Nested)
    ada, bob = pair(ws)
    ada.write(
        *AT,
        {
            "sets": {"k": ["a"]},
            "counters": {"k": 1},
            "texts": {"k": "A."},
            "lists": {"k": ["x"]},
            "models": {"k": {"title": "T", "tags": ["a"]}},
            "maps": {"k": {"a": 1}},
            "sums": {"k": "0.1"},
        },
    )
    bob.write(
        *AT,
        {
            "sets": {"k": ["b"], "only": []},
            "counters": {"k": 2},
            "texts": {"k": "B."},
            "lists": {"k": ["x"]},
            "models": {"k": {"tags": ["b"]}},
            "maps": {"k": {"b": 2}},
            "sums": {"k": "0.2"},
        },
    )
    assert shown(ws) == {
        "sets": {"k": ["a", "b"], "only": []},
        "counters": {"k": 3},
        "texts": {"k": "A.\nB."},
        "lists": {"k": ["x", "x"]},
        "models": {"k": {"title": "T", "tags": ["a", "b"]}},
        "maps": {"k": {"a": 1, "b": 2}},
        "sums": {"k": "0.3"},
    }
    assert ws.escalations(state="all") == []


def test_a_conflict_below_a_key_has_the_whole_path() -> None:
    """Through the map's key into the nested model or map."""
    ws = workspace(Nested)
    ada, bob = pair(ws)
    ada.write(*AT, {"models": {"k": {"title": "a"}}, "maps": {"k": {"n": 1}}})
    bob.write(*AT, {"models": {"k": {"title": "b"}}, "maps": {"k": {"n": 2}}})
    assert {e.path for e in ws.escalations()} == {("models", "k", "title"), ("maps", "k", "n")}
    for escalation in ws.escalations():
        ws.resolve(escalation, values(escalation)[1], by="editor")
    assert shown(ws) == {"models": {"k": {"title": "b"}}, "maps": {"k": {"n": 2}}}


def test_edits_below_a_key_carry_their_difference() -> None:
    """An edit of one key's set, counter, text, list, map and model changes just that."""
    ws = workspace(Nested)
    ws.agent("eve").write(
        *AT,
        {
            "sets": {"k": ["a", "b"]},
            "counters": {"k": 5},
            "texts": {"k": "One two."},
            "lists": {"k": ["x", "y"]},
            "maps": {"k": {"a": 1, "b": 1}},
            "models": {"k": {"title": "T", "tags": ["a"]}},
        },
    )
    ada, bob = pair(ws)
    with ada.edit(*AT) as document:
        document.sets["k"].discard("a")
        document.counters["k"] -= 2
        document.texts["k"] = "One 2."
        document.lists["k"].remove("x")
        del document.maps["k"]["a"]
        document.models["k"].tags.add("ada")
    bob.write(
        *AT,
        {
            "sets": {"k": ["c"]},
            "counters": {"k": 1},
            "texts": {"k": "Three."},
            "lists": {"k": ["z"]},
            "maps": {"k": {"c": 1}},
            "models": {"k": {"tags": ["bob"]}},
        },
    )
    assert shown(ws) == {
        "sets": {"k": ["b", "c"]},
        "counters": {"k": 4},
        "texts": {"k": "One 2.\nThree."},
        "lists": {"k": ["y", "z"]},
        "maps": {"k": {"b": 1, "c": 1}},
        "models": {"k": {"title": "T", "tags": ["a", "ada", "bob"]}},
    }
    assert ws.escalations(state="all") == []


def test_removing_a_key_with_a_container_against_its_update() -> None:
    """The whole value below the key is contested with its deletion, what the deletion covered is readable."""
    ws = workspace(Nested)
    ws.agent("eve").write(*AT, {"models": {"k": {"title": "T", "tags": ["a"]}}})
    ada, bob = pair(ws)
    with ada.edit(*AT) as document:
        del document.models["k"]
    bob.write(*AT, {"models": {"k": {"tags": ["b"]}}})
    escalation = only(ws)
    assert (escalation.path, escalation.reason) == (("models", "k"), "delete")
    assert DELETED in values(escalation)
    assert shown(ws) == {"models": {"k": {"title": "T", "tags": ["a", "b"]}}}
    ws.resolve(escalation, DELETED, by="editor")
    assert shown(ws) == {"models": {}}


def test_grow_only_keeps_keys() -> None:
    """Changes and additions of an edit count, removed keys stay."""
    ws = workspace(Growing)
    ws.agent("ada").write(*AT, {"owners": {"a": "1", "b": "1"}})
    with ws.agent("bob").edit(*AT) as document:
        document.owners = {"b": "2", "c": "2"}
    assert shown(ws) == {"owners": {"a": "1", "b": "2", "c": "2"}}


@pytest.mark.parametrize("key", ["", "a/b", "a.b", "a\x00b", "\x00parked", "__proto__", "é", " ", "*", "0"])
def test_any_text_may_be_a_key(key: str) -> None:
    """A map's key is data: no text is special, and its conflicts are found under it."""
    ws = workspace(Owners)
    ada, bob = pair(ws)
    ada.write(*AT, {"owners": {key: "a", "other": "x"}})
    bob.write(*AT, {"owners": {key: "b"}})
    assert only(ws).path == ("owners", key)
    assert shown(ws) == {"owners": {"other": "x"}}
    ws.resolve(only(ws), "c", by="editor")
    assert shown(ws) == {"owners": {"other": "x", key: "c"}}


def test_blame_names_the_agents_of_each_key() -> None:
    """A credit for each key, under its path."""
    ws = workspace(Owners)
    ws.agent("ada").write(*AT, {"owners": {"a": "1", "b": "1"}})
    ws.agent("bob").write(*AT, {"owners": {"b": "1", "c": "2"}})
    blame = ws.blame(*AT)
    assert {path: credits[0].agents for path, credits in blame.items() if len(path) == 2} == {
        ("owners", "a"): ("ada",),
        ("owners", "b"): ("ada", "bob"),
        ("owners", "c"): ("bob",),
    }
