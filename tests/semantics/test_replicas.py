"""Workspaces without a common database: what was decided, settled or deleted in one holds in the other."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, create_model

from concordant import (
    DELETED,
    Counter,
    Escalation,
    List,
    Map,
    Scalar,
    Schema,
    Set,
    Text,
    Workspace,
    priority,
)

from .support import AT, kinds, only, recorded, shown, sides, values, workspace


class Brief(BaseModel):
    status: Annotated[str | None, Scalar()] = None
    tags: Annotated[set[str], Set()] = set()
    owners: Annotated[dict[str, str], Map()] = {}
    body: Annotated[str, Text()] = ""
    votes: Annotated[int, Counter()] = 0
    steps: Annotated[list[str], List()] = []


def replicas(model: Any, *names: str) -> list[Workspace]:
    return [workspace(model, replica=name) for name in names or ("one", "other")]


def exchange(*workspaces: Workspace) -> None:
    """Everybody imports what everybody has, in both orders."""
    frames = [ws.export() for ws in workspaces]
    for ws, order in zip(workspaces, itertools.cycle([frames, frames[::-1]]), strict=False):
        for frame in order:
            ws.import_(frame)


def questions(ws: Workspace) -> set[tuple[Any, ...]]:
    """All that replicas must have in common of their open escalations."""
    return {(e.id, e.version, e.path, e.reason, repr(e.base), repr(values(e))) for e in ws.escalations()}


def agree(workspaces: Sequence[Workspace]) -> None:
    """All show the same values, escalations and credits."""
    first = workspaces[0]
    for ws in workspaces[1:]:
        assert shown(ws) == shown(first)
        assert questions(ws) == questions(first)
        assert {p: [c.agents for c in cs] for p, cs in ws.blame(*AT).items()} == {
            p: [c.agents for c in cs] for p, cs in first.blame(*AT).items()
        }


def test_writes_of_every_kind_merge() -> None:
    """As concurrent writes in one workspace do."""
    workspaces = replicas(Brief, "a", "b", "c")
    for number, ws in enumerate(workspaces):
        name = f"agent{number}"
        ws.agent(name).write(
            *AT, {"tags": [name], "owners": {name: "x"}, "body": name, "votes": number, "steps": [name]}
        )
    exchange(*workspaces)
    agree(workspaces)
    value = shown(workspaces[0]) or {}
    assert set(value["tags"]) == set(value["owners"]) == set(value["body"].split()) == set(value["steps"])
    assert len(value["tags"]) == 3 and value["votes"] == 3
    assert workspaces[0].escalations() == []


def test_an_import_repeated_changes_nothing() -> None:
    """No version, no event, no entry."""
    one, other = replicas(Brief)
    one.agent("ada").write(*AT, {"status": "a", "body": "One.", "votes": 1})
    assert other.import_(one.export()) == 1
    before, rows = other.get(*AT), other.history(*AT)
    events = recorded(other)
    assert other.import_(one.export()) == 0
    assert other.get(*AT) == before and other.history(*AT) == rows and events == []


def test_what_was_imported_is_seen_by_scopes_that_begin_later() -> None:
    """And is concurrent with scopes that began before the import."""
    one, other = replicas(Brief)
    early = other.agent("early")
    one.agent("ada").write(*AT, {"status": "a"})
    other.import_(one.export())
    other.agent("late").write(*AT, {"status": "l"})
    assert other.escalations() == [] and shown(other) == {"status": "l"}
    early.write(*AT, {"status": "e"})
    assert sides(only(other)) == {"late": "l", "early": "e"}


def test_concurrent_values_are_the_same_escalation_everywhere() -> None:
    """Id, version, base and contenders."""
    workspaces = replicas(Brief, "a", "b", "c")
    workspaces[0].put(*AT, {"status": "agreed"})
    exchange(*workspaces)
    for number, ws in enumerate(workspaces):
        ws.agent(f"agent{number}").write(*AT, {"status": str(number)})
    exchange(*workspaces)
    agree(workspaces)
    assert only(workspaces[0]).base == "agreed" and len(values(only(workspaces[0]))) == 3
    assert shown(workspaces[0]) == {"status": "agreed"}


def test_equal_values_agree_across_replicas() -> None:
    """And both agents are credited."""
    one, other = replicas(Brief)
    one.agent("ada").write(*AT, {"status": "same", "tags": ["t"]})
    other.agent("bob").write(*AT, {"status": "same", "tags": ["t"]})
    exchange(one, other)
    agree([one, other])
    assert one.escalations(state="all") == []
    assert set(one.blame(*AT)[("status",)][0].agents) == {"ada", "bob"}


def test_a_decision_travels() -> None:
    """It closes the escalation where it is imported."""
    one, other = replicas(Brief)
    one.agent("ada").write(*AT, {"status": "a"})
    other.agent("bob").write(*AT, {"status": "b"})
    exchange(one, other)
    events = recorded(other)
    one.resolve(only(one), "c", by="editor")
    other.import_(one.export())
    agree([one, other])
    assert shown(other) == {"status": "c"} and other.escalations() == []
    assert len(events) == 1 and events[0].kind in ("resolved", "superseded")


def test_a_late_contender_of_another_replica_reopens() -> None:
    """With the same id on both."""
    one, other, third = replicas(Brief, "one", "other", "third")
    one.agent("ada").write(*AT, {"status": "a"})
    other.agent("bob").write(*AT, {"status": "b"})
    third.agent("late").write(*AT, {"status": "l"})
    exchange(one, other)
    id_ = only(one).id
    one.resolve(only(one), "c", by="editor")
    events = recorded(one)
    one.import_(third.export())
    third.import_(one.export())
    assert kinds(events) == ["reopened"]
    assert only(one).id == only(third).id == id_
    agree([one, third])


@pytest.mark.parametrize("resolve", ["max", "min", "first", "latest", priority("bob", "*")])
def test_policies_settle_alike_everywhere(resolve: Any) -> None:
    """They are pure functions of the live entries."""
    model = create_model("Settled", x=(Annotated[int | None, Scalar(resolve=resolve)], None))
    workspaces = replicas(model, "a", "b", "c")
    for ws, name, x in zip(workspaces, ("ada", "bob", "eve"), (5, 9, 7), strict=True):
        ws.agent(name).write(*AT, {"x": x})
    exchange(*workspaces)
    agree(workspaces)
    expected = {"max": 9, "min": 5, "first": 5, "latest": 7}
    assert shown(workspaces[0]) == {"x": expected.get(resolve, 9) if isinstance(resolve, str) else 9}
    assert workspaces[0].escalations(state="all") == []


def test_a_resolver_answers_where_the_conflict_arose() -> None:
    """Its answer travels as a decision; the other workspace does not have to ask."""
    asked: list[str] = []

    def largest(escalation: Escalation) -> Any:
        asked.append(escalation.id)
        return max(values(escalation))

    model = create_model("Settled", x=(Annotated[int | None, Scalar(resolve=largest)], None))
    one, other = replicas(model)
    one.agent("ada").write(*AT, {"x": 5})
    other.agent("bob").write(*AT, {"x": 9})
    one.import_(other.export())
    assert shown(one) == {"x": 9} and one.escalations() == [] and len(asked) == 1
    other.import_(one.export())
    assert shown(other) == {"x": 9} and other.escalations() == [] and len(asked) == 1


@pytest.mark.parametrize("policy", ["escalate", "delete", "update"])
def test_deletions_and_updates_meet(policy: Any) -> None:
    """The same outcome on both, by escalation or policy."""
    one, other = replicas(Schema(Brief, on_delete=policy))
    one.put(*AT, {"status": "old", "tags": ["t"], "votes": 1})
    exchange(one, other)
    one.agent("ada").delete(*AT)
    other.agent("bob").write(*AT, {"status": "new", "votes": 1})
    exchange(one, other)
    agree([one, other])
    updated = {"status": "new", "tags": ["t"], "votes": 2}
    assert shown(one) == (None if policy == "delete" else updated)
    if policy == "escalate":
        other.resolve(only(other), DELETED, by="editor")
        exchange(one, other)
        agree([one, other])
        assert shown(one) is None and one.escalations() == []


def test_texts_edited_apart_merge() -> None:
    """Sentence by sentence, with one escalation for the sentence that both rewrote."""
    one, other = replicas(Brief)
    one.put(*AT, {"body": "The fox is quick. It is brown. It jumps."})
    exchange(one, other)
    for ws, words in ((one, ("slow", "red", "jumps")), (other, ("fast", "brown", "leaps"))):
        with ws.agent(words[0]).edit(*AT) as brief:
            brief.body = "The fox is {}. It is {}. It {}.".format(*words)
    exchange(one, other)
    agree([one, other])
    assert shown(one) == {"body": "The fox is quick. It is red. It leaps."}
    assert sorted(values(only(one))) == ["The fox is fast.", "The fox is slow."]
    assert only(one).base == "The fox is quick."


def test_an_export_since_a_moment_has_what_changed_since() -> None:
    """And is enough for a replica that had what was before."""
    one, other = replicas(Brief)
    one.put(("t",), "old", {"status": "a"})
    other.import_(one.export())
    since = one.moment()
    one.put(*AT, {"status": "b"})
    frame = one.export(since)
    assert len(frame) < len(one.export())
    assert other.import_(frame) == 1
    assert {d.key: d.value for d in other.list()} == {"old": {"status": "a"}, "k": {"status": "b"}}


def test_imports_by_way_of_a_third_replica() -> None:
    """What a replica learned it passes on."""
    one, other, third = replicas(Brief, "one", "other", "third")
    one.agent("ada").write(*AT, {"status": "a", "body": "One.", "steps": ["s"]})
    other.import_(one.export())
    other.agent("bob").write(*AT, {"status": "b", "body": "Two.", "steps": ["t"]})
    third.import_(other.export())
    agree([other, third])
    assert shown(third) == {"status": "b", "body": "One.\nTwo.", "steps": ["s", "t"]}
    assert third.escalations() == []
