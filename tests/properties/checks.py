"""One check for each promise, deterministic: run by the properties' tests, and under every mutant."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from concordant import (
    ConcordantError,
    Counter,
    Document,
    Instant,
    InvalidWriteError,
    List,
    Scalar,
    Set,
    StaleDecisionError,
    TaskScope,
    Text,
    Workspace,
)

from .fuzz import Act, check_registers, explore
from .lives import check_lives, lives
from .team import check_team, team_history
from .world import exact, picture

PLACE = (("notes",), "n1")


class Note(BaseModel):
    status: Annotated[str, Scalar()] = ""
    tags: Annotated[set[str], Set()] = set()
    steps: Annotated[list[str], List()] = []
    text: Annotated[str, Text(unit="word")] = ""
    votes: Annotated[int, Counter()] = 0


SCHEMAS: dict[tuple[str, ...], Any] = {("notes",): Note}


def value_of(workspace: Workspace) -> dict[str, Any]:
    document = workspace.get(*PLACE)
    assert document is not None
    return document.value


def check_g1(histories: int = 10) -> None:
    """Nothing is lost, nothing escalates falsely, no conflict is missed: the model says so (G1, G2, G3, G6)."""
    workspace = Workspace(schemas=SCHEMAS)
    workspace.agent("ada").write(*PLACE, {"tags": ["a", "b"]})
    ada, bob = workspace.agent("ada"), workspace.agent("bob")
    ada.write(*PLACE, {"tags": ["a"]})
    with bob.edit(*PLACE) as note:
        ada.write(*PLACE, {"tags": ["a", "b"]})
        note.tags.clear()
    assert value_of(workspace)["tags"] == ["a", "b"]
    explore(check_registers, "g1", histories, 25, deletes=False)


def check_g2() -> None:
    """Ordered, equal and mergeable writes never escalate."""
    workspace = Workspace(schemas=SCHEMAS)
    ada, bob = workspace.agent("ada"), workspace.agent("bob")
    ada.write(*PLACE, {"status": "open", "tags": ["a"], "steps": ["x"], "text": "one", "votes": 1})
    bob.write(*PLACE, {"status": "open", "tags": ["b"], "steps": ["y"], "text": "two", "votes": 2})
    assert not workspace.escalations()
    document = workspace.get(*PLACE)
    assert document is not None
    assert document.value == {
        "status": "open", "tags": ["a", "b"], "steps": ["x", "y"], "text": "one\ntwo", "votes": 3,
    }  # fmt: skip
    ada.read(*PLACE)
    ada.write(*PLACE, {"status": "closed"})
    bob.refresh()
    bob.write(*PLACE, {"status": "done"})
    assert value_of(workspace).get("status") == "done"
    assert not workspace.escalations(state="all")


def check_g3() -> None:
    """Every incompatible concurrent pair escalates, with its contenders and their agents."""
    workspace = Workspace(schemas=SCHEMAS)
    agents = [workspace.agent(name) for name in ("ada", "bob", "cyd")]
    agents[0].write(*PLACE, {"status": "new", "text": "one two three"})
    for agent in agents:
        agent.refresh()
    drafts = [agent.edit(*PLACE) for agent in agents]
    notes = [draft.__enter__() for draft in drafts]
    for note, word in zip(notes, ("red", "blue", "red"), strict=True):
        note.status, note.text = word, note.text.replace("two", word)
    for draft in drafts:
        draft.__exit__(None, None, None)
    found = {e.reason: {c.value: set(c.agents) for c in e.contenders} for e in workspace.escalations()}
    sides = {"red": {"ada", "cyd"}, "blue": {"bob"}}
    assert found == {"scalar": sides, "text": sides}
    assert value_of(workspace) == {"status": "new", "text": "one two three"}


def check_g4(histories: int = 8) -> None:
    """Replicas converge, in whatever order and batches writes came."""
    left, right = Workspace(schemas=SCHEMAS, replica="l"), Workspace(schemas=SCHEMAS, replica="r")
    left.agent("ada").write(*PLACE, {"status": "a", "tags": ["x"], "votes": 2})
    right.agent("bob").write(*PLACE, {"status": "b", "tags": ["y"], "votes": 3})
    one, two = left.export(), right.export()
    right.import_(one)
    left.import_(two)
    assert picture(left) == picture(right)
    assert value_of(left)["votes"] == 5
    assert [c.agent for c in left.escalations()[0].contenders] == ["ada", "bob"]
    explore(check_team, "g4", histories, 15, team_history)


def check_g5() -> None:
    """A task that runs again has its effect once; so has a repeated import."""
    task: TaskScope | None = None
    workspace = Workspace(schemas=SCHEMAS, replica="l")
    workspace.add_scope_provider(lambda: task)

    def run(execution: str, amount: int = 1) -> None:
        nonlocal task
        task = TaskScope(
            f"t:{execution}",
            "worker",
            "t",
            "t",
            execution,
            Instant.now(),
            lambda a, b: "same" if a == b else "ordered",
        )
        document = workspace.read_current(*PLACE)
        votes = document.value.get("votes", 0) if document is not None else 0
        workspace.put(*PLACE, {"votes": votes + amount, "steps": ["s"], "tags": ["t"], "text": "line"})
        task = None

    for execution in ("1", "2", "3"):
        run(execution)
        assert value_of(workspace) == {"votes": 1, "steps": ["s"], "tags": ["t"], "text": "line"}
    other = Workspace(schemas=SCHEMAS, replica="r")
    frame = workspace.export()
    assert other.import_(frame) == 1
    before = (picture(other), other.moment().n)
    assert other.import_(frame) == 0
    assert (picture(other), other.moment().n) == before


def check_g6() -> None:
    """Whoever stands for a value is named: writers, confirmers, contenders, and who decided."""
    workspace = Workspace(schemas=SCHEMAS)
    ada, bob = workspace.agent("ada"), workspace.agent("bob")
    ada.write(*PLACE, {"status": "a", "tags": ["x"], "text": "by ada"})
    bob.read(*PLACE)
    bob.write(*PLACE, {"status": "a", "tags": ["x", "y"]})
    blame = {path: [(c.value, c.agents) for c in credits] for path, credits in workspace.blame(*PLACE).items()}
    assert blame == {
        ("status",): [("a", ("ada", "bob"))],
        ("tags",): [("x", ("ada", "bob")), ("y", ("bob",))],
        ("text",): [("by ada", ("ada",))],
    }


def check_g7(histories: int = 8) -> None:
    """A read never raises and its value satisfies the model, whatever is contested; a strict read raises."""
    rnd = random.Random("g7")
    for _ in range(histories):
        acts = team_history(rnd, 15)
        check_team([("begin", 1, acts[0][2] | {"agents": 5}), *acts[1:]])
    workspace = Workspace(schemas=SCHEMAS)
    for name in ("ada", "bob"):
        workspace.agent(name, began=None).write(*PLACE, {"tags": [name]})
    ada, bob = workspace.agent("ada"), workspace.agent("bob")
    ada.write(*PLACE, {"status": "a"})
    bob.write(*PLACE, {"status": "b"})
    document = workspace.get(*PLACE)
    assert isinstance(document, Document)
    assert document.value == {"tags": ["ada", "bob"]}
    assert document.model == Note(tags={"ada", "bob"})
    with pytest.raises(ConcordantError):
        ada.read(*PLACE, strict=True)


def check_g8() -> None:
    """Decisions are pinned to the contenders they saw; a late contender reopens under the same id."""
    left, right = Workspace(schemas=SCHEMAS, replica="l"), Workspace(schemas=SCHEMAS, replica="r")
    left.agent("ada").write(*PLACE, {"status": "new"})
    right.import_(left.export())
    agents = [left.agent("ada"), left.agent("bob"), right.agent("cyd")]
    for agent in agents:
        agent.write(*PLACE, {"status": agent.name})
    (first,) = left.escalations()
    late = left.agent("dan", began=left.moment())
    agents[0].refresh()
    eve = left.agent("eve", began=None)
    assert first.base == "new"
    right.import_(left.export())
    left.import_(right.export())
    (grown,) = left.escalations()
    assert grown.id == first.id
    assert grown.version != first.version
    with pytest.raises(StaleDecisionError):
        left.resolve(first, "ada", by="editor")
    assert {c.value for c in left.escalations()[0].contenders} == {"ada", "bob", "cyd"}
    left.resolve(grown, "bob", by="editor")
    right.resolve(right.escalations()[0], "cyd", by="chief")
    with pytest.raises(StaleDecisionError):
        left.resolve(grown, "bob", by="editor")
    left.import_(right.export())
    right.import_(left.export())
    assert picture(left) == picture(right)
    (again,) = left.escalations()
    assert {c.value: c.agents for c in again.contenders} == {
        "bob": ("bob", "editor"),
        "cyd": ("cyd", "chief"),
    }
    assert again.id == first.id
    left.resolve(again, "bob", by="editor")
    assert not left.escalations()
    late.write(*PLACE, {"status": "dan"})
    (reopened,) = left.escalations()
    assert reopened.id == first.id
    assert {c.value for c in reopened.contenders} == {"bob", "dan"}
    eve.read(*PLACE)
    eve.write(*PLACE, {"status": "eve"})
    assert not left.escalations()
    assert value_of(left)["status"] == "eve"


def check_g9(histories: int = 10) -> None:
    """A sequential program without a model gets what a dict of documents would give it."""
    rnd = random.Random("g9")
    for _ in range(histories):
        workspace, plain = Workspace(), dict[str, dict[str, Any]]()
        for _ in range(15):
            key = rnd.choice("kl")
            values = {
                name: rnd.choice([1, True, None, "x", [1], {"a": 1}]) for name in rnd.sample("abcd", rnd.randint(0, 3))
            }
            how = rnd.randrange(4)
            if how == 0:
                workspace.remove(("open",), key)
                plain.pop(key, None)
            elif how == 1:
                document = workspace.read_current(("open",), key)
                merged = {**(document.value if document else {}), **values}
                workspace.put(("open",), key, merged)
                plain[key] = {**plain.get(key, {}), **values}
            else:
                workspace.put(("open",), key, values)
                plain[key] = values
            found = {document.key: document.value for document in workspace.list(("open",))}
            assert exact(found) == exact(plain)
        assert not workspace.escalations(state="all")


def check_g11() -> None:
    """Bad input is refused with our own error, and nothing of it, or of what stood there, changes."""
    workspace = Workspace(schemas=SCHEMAS)
    ada = workspace.agent("ada")
    ada.write(*PLACE, {"status": "a"})
    moment = workspace.moment().n
    deep: list[Any] = []
    for _ in range(5000):
        deep = [deep]
    bad: list[tuple[tuple[str, ...], Any]] = [
        (("notes",), {"status": "b", "unknown": 1}),
        (("notes",), ["status"]),
        (("notes",), {"tags": ["\ud800"], "status": "b"}),
        (("open",), {"x": object()}),
        (("open",), {"x": deep}),
        (("open",), {"x": {1: "a", "1": "b"}}),
        (("open",), {"x": "\ud800"}),
    ]
    for namespace, value in bad:
        before = picture(workspace)
        with pytest.raises(InvalidWriteError) as raised:
            ada.write(namespace, "n1", value)
        assert raised.value.faults
        with pytest.raises(InvalidWriteError):
            workspace.put(namespace, "n1", value)
        assert picture(workspace) == before
        assert workspace.moment().n == moment
    ada.write(*PLACE, {"status": "b"})
    assert value_of(workspace) == {"status": "b"}


def check_g12(histories: int = 10) -> None:
    """What was deleted comes back only by a write that was concurrent with, or after, its deletion."""
    left, right = Workspace(schemas=SCHEMAS, replica="l"), Workspace(schemas=SCHEMAS, replica="r")
    left.agent("ada").write(*PLACE, {"status": "a", "tags": ["x", "y"], "votes": 1, "text": "one"})
    old = left.export()
    right.import_(old)
    bob = right.agent("bob")
    with bob.edit(*PLACE) as note:
        note.tags.discard("x")
    left.import_(right.export())
    assert left.import_(old) == 0
    assert value_of(left)["tags"] == ["y"]
    bob.refresh()
    bob.delete(*PLACE)
    for frame in (old, right.export(), old):
        left.import_(frame)
        right.import_(frame)
    assert left.get(*PLACE) is None
    assert right.get(*PLACE) is None
    left.agent("cyd").write(*PLACE, {"status": "c"})
    left.import_(old)
    right.import_(left.export())
    assert value_of(left) == value_of(right) == {"status": "c"}
    explore(check_registers, "g12", histories, 20)


TOUCHED_LATE: list[Act] = [
    ("begin", 0, {"replicas": 2}),
    ("put", 0, {"back": 0, "fields": ("mood",), "ttl": 35.0}),
    ("wait", 0, {"seconds": 40.0}),
    ("put", 1, {"back": 2, "fields": ("mood",), "ttl": 35.0}),
    ("exchange", 1, {"other": 0}),
    ("touch", 1, {}),
]
"""A touch of what one put still lets live, and another does no longer: one random history of a hundred has it."""


def check_expiry(histories: int = 40) -> None:
    """Documents live as long as the exact model of their lives says, on every replica (G1, G4, G12)."""
    check_lives(TOUCHED_LATE)
    explore(check_lives, "expiry", histories, 25, lives)


CHECKS: dict[str, Callable[[], None]] = {
    "g1": check_g1,
    "g2": check_g2,
    "g3": check_g3,
    "g4": check_g4,
    "g5": check_g5,
    "g6": check_g6,
    "g7": check_g7,
    "g8": check_g8,
    "g9": check_g9,
    "g11": check_g11,
    "g12": check_g12,
    "expiry": check_expiry,
}

__all__ = ["CHECKS"]
