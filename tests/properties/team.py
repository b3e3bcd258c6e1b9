"""Teams on replicas that use every kind: no model computes what they show, but replicas must agree on it."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, Field

from concordant import (
    DELETED,
    Counter,
    InvalidWriteError,
    List,
    Map,
    Scalar,
    Schema,
    Set,
    StaleDecisionError,
    Text,
    Tree,
    Workspace,
    priority,
)

from .world import picture, shown_is_stored


class Mood(StrEnum):
    GOOD = "good"
    BAD = "bad"


class Owner(BaseModel):
    name: Annotated[str, Scalar()] = ""
    roles: Annotated[set[str], Set()] = set()
    notes: Annotated[str, Text()] = ""


class Task(BaseModel):
    id: Annotated[str, Scalar()] = ""
    state: Annotated[str, Scalar()] = "open"
    hours: Annotated[int, Counter()] = 0


class Plan(BaseModel):
    """Every kind, nested ones included."""

    title: Annotated[str, Scalar()] = ""
    due: Annotated[date | None, Scalar()] = None
    cost: Annotated[Decimal, Scalar(resolve="min")] = Decimal(0)
    mood: Annotated[Mood, Scalar(resolve=priority("ada", "b*"))] = Mood.GOOD
    stage: Annotated[str, Scalar(provisional="latest")] = ""
    pinned: Annotated[int, Scalar(sticky=True)] = 0
    tags: Annotated[set[str], Set()] = set()
    text: Annotated[str, Text()] = ""
    log: Annotated[str, Text(grow_only=True)] = ""
    steps: Annotated[list[str], List()] = []
    spent: Annotated[Decimal, Counter()] = Decimal(0)
    tasks: Annotated[list[Task], Set(by="id")] = []
    owner: Owner = Owner()
    staff: Annotated[dict[str, Owner], Map()] = {}
    groups: Annotated[dict[str, Annotated[set[str], Set()]], Map()] = {}
    rules: Annotated[dict[str, Any], Tree()] = {}


class Strict(BaseModel):
    """A model whose constraints a merge can break."""

    low: Annotated[int, Scalar()] = 0
    tags: Annotated[list[str], Set()] = Field(default=[], max_length=3)
    votes: Annotated[int, Counter()] = Field(default=0, ge=-2, le=4)
    text: Annotated[str, Text()] = Field(default="", max_length=30)


SCHEMAS: dict[tuple[str, ...], Any] = {
    ("plan",): Plan,
    ("drop",): Schema(Plan, on_delete="delete"),
    ("keep",): Schema(Plan, on_delete="update"),
    ("strict",): Strict,
}
SPACES = [*SCHEMAS, ("open",)]
NAMES = ["ada", "bob", "cyd", "dan", "eve"]
WORDS = ["one", "two", "six", "ten", "red"]


def words(rnd: random.Random, most: int = 3) -> list[str]:
    return rnd.sample(WORDS, rnd.randint(0, most))


def sentence(rnd: random.Random) -> str:
    return " ".join(rnd.choices(WORDS, k=rnd.randint(0, 4)))


def owner(rnd: random.Random) -> dict[str, Any]:
    return some(rnd, {"name": rnd.choice(WORDS), "roles": words(rnd), "notes": sentence(rnd)}, 3)


def rules(rnd: random.Random, depth: int = 0) -> Any:
    if rnd.random() < (1.0, 0.5, 0.0)[depth]:
        return {word: rules(rnd, depth + 1) for word in words(rnd, 2)}
    return rnd.choice([1, True, "x", None, words(rnd), {}])


def some(rnd: random.Random, values: dict[str, Any], most: int) -> dict[str, Any]:
    return {name: values[name] for name in rnd.sample(list(values), rnd.randint(0, most))}


def values(rnd: random.Random, space: tuple[str, ...], *, ill: bool = False) -> dict[str, Any]:
    """Some fields for a document of a namespace; with ``ill``, some of them of the wrong type."""
    if space == ("strict",):
        made: dict[str, Any] = {
            "low": rnd.randint(0, 3),
            "tags": words(rnd),
            "votes": rnd.randint(-3, 4),
            "text": sentence(rnd),
        }
        if ill:
            made["low"] = "none"
        return some(rnd, made, 2)
    if space == ("open",):
        return {word: rnd.choice([1, True, "x", None, {"a": [1]}, sentence(rnd)]) for word in words(rnd)}
    made = {
        "title": rnd.choice(WORDS),
        "due": rnd.choice([None, "2026-01-02", "2026-03-04"]),
        "cost": rnd.choice(["1.10", "1.1", "2"]),
        "mood": rnd.choice(["good", "bad"]),
        "stage": rnd.choice(WORDS),
        "pinned": rnd.randint(0, 2),
        "tags": words(rnd),
        "text": sentence(rnd),
        "log": sentence(rnd),
        "steps": rnd.choices(WORDS, k=rnd.randint(0, 3)),
        "spent": rnd.choice(["0.1", "-2", "3.50"]),
        "tasks": [
            {"id": i, **some(rnd, {"state": rnd.choice(WORDS), "hours": rnd.randint(-2, 2)}, 2)} for i in words(rnd, 2)
        ],
        "owner": owner(rnd),
        "staff": {word: owner(rnd) for word in words(rnd, 2)},
        "groups": {word: words(rnd, 2) for word in words(rnd, 2)},
        "rules": rules(rnd),
    }
    if ill:
        made |= {"pinned": "many", "due": "soon", "tags": 5}
    return some(rnd, made, 3)


def rewritten(rnd: random.Random, text: str) -> str:
    """A text with some words replaced, taken out or put in."""
    parts = text.split(" ")
    for _ in range(rnd.randint(1, 2)):
        at = rnd.randrange(len(parts) + 1)
        parts[at : at + rnd.randint(0, 2)] = rnd.choices(WORDS, k=rnd.randint(0, 2))
    return " ".join(parts)


def changed(rnd: random.Random, document: Any) -> None:
    """Changes a draft of an edit in place."""
    if isinstance(document, dict):
        for word in words(rnd, 2):
            document.pop(word, None)
        document.update(values(rnd, ("open",)))
        return
    for name in rnd.sample(sorted(type(document).model_fields), 2):
        value = getattr(document, name)
        if isinstance(value, str) and name in ("text", "log"):
            setattr(document, name, rewritten(rnd, value))
        elif isinstance(value, list) and name in ("steps", "tags"):
            at = rnd.randrange(len(value) + 1)
            value[at : at + rnd.randint(0, 2)] = words(rnd, 1)
            if name == "tags":
                setattr(document, name, list(dict.fromkeys(value)))
        elif isinstance(value, set):
            value ^= set(words(rnd))
        elif name == "tasks":
            if value and rnd.random() < 0.4:
                del value[rnd.randrange(len(value))]
            elif value:
                value[0].state, value[0].hours = rnd.choice(WORDS), value[0].hours + 1
        elif name == "groups" and value:
            key = rnd.choice(sorted(value))
            if rnd.random() < 0.5:
                del value[key]
            else:
                value[key] ^= set(words(rnd))
        elif name == "staff" and value:
            key = rnd.choice(sorted(value))
            if rnd.random() < 0.5:
                del value[key]
            else:
                value[key].notes, value[key].name = rewritten(rnd, value[key].notes), rnd.choice(WORDS)
        elif name == "rules":
            inner = next((item for item in value.values() if isinstance(item, dict)), value)
            for word in words(rnd, 1):
                inner.pop(word, None)
            inner[rnd.choice(WORDS)] = rules(rnd, rnd.randint(1, 2))
        elif name == "owner":
            value.notes = rewritten(rnd, value.notes)
        elif name == "votes":
            document.votes += rnd.randint(-1, 1)
        elif name == "title":
            document.title = rnd.choice(WORDS)


class Team:
    """Replicas with agents; every act is drawn from the act's own seed, so that any part of a history is one too."""

    def __init__(self, replicas: int, agents: int, skew: float) -> None:
        self.spaces = [Workspace(schemas=SCHEMAS, replica=f"r{i}") for i in range(replicas)]
        for number, workspace in enumerate(self.spaces):
            workspace.storage.advance(workspace.moment().time + skew * (replicas - number))
        self.agents = [self.spaces[i % replicas].agent(NAMES[i]) for i in range(agents)]
        self.homes = [i % replicas for i in range(agents)]
        self.frames: list[bytes] = []
        self.drafts: dict[int, Any] = {}

    def act(self, name: str, seed: str, space: tuple[str, ...]) -> None:
        rnd = random.Random(seed)
        who = rnd.randrange(len(self.agents))
        agent, workspace = self.agents[who], self.spaces[self.homes[who]]
        place = (space, rnd.choice("kkl"))
        if name == "write":
            agent.write(*place, values(rnd, space, ill=rnd.random() < 0.1))
        elif name == "put":
            workspace.put(*place, values(rnd, space), agent.scope)
        elif name == "read":
            agent.read(*place)
        elif name == "refresh":
            agent.refresh()
        elif name == "delete":
            agent.delete(*place)
        elif name == "open" and who not in self.drafts:
            manager = agent.edit(*place)
            self.drafts[who] = (manager, manager.__enter__())
        elif name == "close" and who in self.drafts:
            manager, document = self.drafts.pop(who)
            changed(rnd, document)
            manager.__exit__(None, None, None)
        elif name == "edit":
            with agent.edit(*place) as document:
                changed(rnd, document)
        elif name == "export":
            self.frames.append(workspace.export())
        elif name == "import" and self.frames:
            workspace.import_(rnd.choice(self.frames))
        elif name == "decide":
            self.decide(rnd, workspace)

    @staticmethod
    def decide(rnd: random.Random, workspace: Workspace) -> None:
        found = workspace.escalations()
        if not found:
            return
        escalation = rnd.choice(found)
        place, chosen = (escalation.namespace, escalation.key), rnd.choice(escalation.contenders).value
        before = picture(workspace)
        try:
            if rnd.random() < 0.3 or escalation.reason == "type":
                workspace.dismiss(escalation, by="editor")
                return
            workspace.resolve(escalation, chosen, by="editor")
        except InvalidWriteError:
            assert place[0] == ("strict",) and picture(workspace) == before, f"{escalation}: {chosen}"
            return
        document = workspace.get(*place)
        for other in document.contested.values() if document is not None else ():
            again = other.reason == "invalid" and other.path == escalation.path
            assert not again, f"{chosen} was taken as the decision, and {other} is held back"

    def readable(self) -> None:
        """Every document reads, its value satisfies its model, and its contests are those that are listed."""
        for workspace in self.spaces:
            listed: dict[Any, set[str]] = {}
            for escalation in workspace.escalations():
                assert len({repr(c.value) for c in escalation.contenders}) == len(escalation.contenders)
                assert all(c.agents and c.agent == c.agents[0] for c in escalation.contenders)
                listed.setdefault((escalation.namespace, escalation.key), set()).add(escalation.id)
            for document in workspace.list(()):
                _ = document.model
                ids = {escalation.id for escalation in document.contested.values()}
                assert ids == listed.pop((document.namespace, document.key), set()), f"{document} lists {ids}"
                credits = workspace.blame(document.namespace, document.key)
                assert all(credit.agents for found in credits.values() for credit in found)
            assert not listed, f"escalations of documents that are not there: {listed}"

    def converges(self) -> None:
        """Whatever the order of exchange, newcomers included, all show the same; importing twice changes nothing."""
        frames = [workspace.export() for workspace in self.spaces]
        pictures = []
        for number, order in enumerate(itertools.permutations(frames)):
            fresh = Workspace(schemas=SCHEMAS, replica=f"fresh{number}")
            for frame in (*order, order[0]):
                fresh.import_(frame)
            pictures.append(picture(fresh))
        for _ in range(2):
            frames = [workspace.export() for workspace in self.spaces]
            for workspace in self.spaces:
                for frame in frames:
                    workspace.import_(frame)
        pictures += [picture(workspace) for workspace in self.spaces]
        for other in pictures[1:]:
            apart = {name for name in {*pictures[0], *other} if pictures[0].get(name) != other.get(name)}
            assert not apart, f"{ {name: (pictures[0].get(name), other.get(name)) for name in apart} }"
        for workspace in self.spaces:
            before = workspace.moment().n
            assert [workspace.import_(frame) for frame in frames] == [0] * len(frames)
            assert workspace.moment().n == before


NAMED = ["write"] * 4 + ["put"] * 3 + ["read"] * 2 + ["refresh", "open", "open", "close", "close"] + ["edit"] * 4
NAMED += ["export"] * 3 + ["import"] * 4 + ["delete"] * 2 + ["decide"] * 2


def team_history(rnd: random.Random, steps: int, *, without: Sequence[str] = ()) -> list[Any]:
    """A random history of a team."""
    replicas = rnd.randint(1, 3)
    space = rnd.choice(SPACES)
    names = [name for name in NAMED if name not in without]
    begin = (
        "begin",
        replicas,
        {"agents": rnd.randint(max(2, replicas), 5), "skew": rnd.choice([0.0, 0.0, 60.0])},
    )
    return [begin, *((rnd.choice(names), rnd.randrange(2**32), {"space": space}) for _ in range(steps))]


def check_team(acts: Sequence[Any]) -> None:
    """Reads never fail, and replicas converge."""
    _, replicas, detail = acts[0]
    team = Team(replicas, **detail)
    for number, (name, seed, where) in enumerate(acts[1:]):
        team.act(name, str(seed), where["space"])
        team.readable()
        for workspace in team.spaces if number % 3 == 2 else ():
            shown_is_stored(workspace, SCHEMAS)  # which merges what waits: not after every step
    team.converges()


__all__ = ["DELETED", "Plan", "StaleDecisionError", "Strict", "Team", "check_team", "team_history"]
