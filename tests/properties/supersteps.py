"""Random supersteps of a graph's state, merged by channels and by a workspace from the same writes."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from langgraph.graph import START, StateGraph
from pydantic import BaseModel, Field

from concordant import Counter, List, Map, Scalar, Set, Text, Update, Workspace, merge
from concordant_langgraph import StateConflictError, edited, state_schema

PLACE = (("states",), "s1")


class Source(BaseModel):
    id: Annotated[str, Scalar()]
    verdict: Annotated[str | None, Scalar()] = None
    stars: Annotated[int, Counter()] = 0
    words: Annotated[list[str], Set()] = []


class Lead(BaseModel):
    name: Annotated[str, Scalar()] = ""
    tasks: Annotated[int, Counter()] = 0
    skills: Annotated[list[str], Set()] = []


class Work(BaseModel):
    tags: Annotated[list[str], Set()] = []
    log: Annotated[str, Text()] = ""
    steps: Annotated[list[str], List()] = []
    tokens: Annotated[int, Counter()] = 0
    budget: Annotated[int, Counter(), Field(ge=0)] = 0
    owners: Annotated[dict[str, str], Map()] = {}
    votes: Annotated[dict[str, Annotated[int, Counter()]], Map()] = {}
    sources: Annotated[list[Source], Set(by="id")] = []
    lead: Lead = Lead()
    status: Annotated[str | None, Scalar()] = None
    best: Annotated[int, Scalar(resolve="max")] = 0
    last: Annotated[str, Scalar(resolve="latest")] = ""


State: Any = state_schema(Work)
Values = dict[str, Any]
LETTERS = "abcdef"
SCALARS = ("status", "best", "last")


def some(rng: random.Random, most: int = 3) -> list[str]:
    return rng.sample(LETTERS, rng.randint(0, most))


def fields(rng: random.Random, makers: dict[str, Callable[[], Any]]) -> Values:
    """A few fields, each made by its maker."""
    return {name: makers[name]() for name in rng.sample(sorted(makers), rng.randint(1, 4))}


def contribution(rng: random.Random, given: Values) -> Values:
    """What a node may return: additions, keys, values; sometimes what it was given."""
    word = "".join(rng.choices(LETTERS, k=3))
    makers: dict[str, Callable[[], Any]] = {
        "tags": lambda: some(rng),
        "log": lambda: rng.choice([word, f"{word} {word}", given["log"] or word]),
        "steps": lambda: [*rng.choice([[], given["steps"]]), *some(rng, 2)],
        "tokens": lambda: rng.randint(-3, 9),
        "budget": lambda: rng.randint(-4, 6),
        "owners": lambda: {key: rng.choice(["ann", "bob", given["owners"].get(key, "cyd")]) for key in some(rng)},
        "votes": lambda: {key: rng.randint(1, 3) for key in some(rng)},
        "sources": lambda: [{"id": key, **source(rng)} for key in some(rng)],
        "lead": lambda: rng.choice([{"name": rng.choice(["eve", "eva", given["lead"]["name"]])}, {"tasks": 2}]),
        "status": lambda: rng.choice(["new", "done", given["status"]]),
        "best": lambda: rng.randint(0, 9),
        "last": lambda: word,
    }
    return fields(rng, makers)


def source(rng: random.Random) -> Values:
    parts = {"verdict": rng.choice(["good", "bad", None]), "stars": rng.randint(0, 3), "words": some(rng, 2)}
    return {name: parts[name] for name in rng.sample(sorted(parts), rng.randint(0, 3))}


def edit(rng: random.Random, given: Values) -> Values:
    """What a node may make of what it was given: additions, removals, rewritten words."""

    def changed(items: list[str]) -> list[str]:
        kept = [item for item in items if rng.random() < 0.8]
        for item in some(rng, 2):
            kept.insert(rng.randint(0, len(kept)), item)
        return kept

    def owners() -> Values:
        kept = {key: owner for key, owner in given["owners"].items() if rng.random() < 0.8}
        return kept | {key: rng.choice(["ann", "bob"]) for key in some(rng, 1)}

    def sources() -> list[Values]:
        kept = [dict(item) for item in given["sources"] if rng.random() < 0.8]
        for item in kept:
            if rng.random() < 0.5:
                item |= {"stars": item.get("stars", 0) + 1, "verdict": rng.choice(["good", "bad", item.get("verdict")])}
        return kept

    makers: dict[str, Callable[[], Any]] = {
        "tags": lambda: list(dict.fromkeys(changed(given["tags"]))),
        "log": lambda: " ".join(rng.choice([word, word, rng.choice(LETTERS)]) for word in given["log"].split(" ")),
        "steps": lambda: changed(given["steps"]),
        "tokens": lambda: given["tokens"] + rng.randint(-3, 3),
        "budget": lambda: max(0, given["budget"] + rng.randint(-4, 3)),
        "owners": owners,
        "sources": sources,
        "lead": lambda: {
            **given["lead"],
            "tasks": given["lead"]["tasks"] + 1,
            "skills": changed(given["lead"]["skills"]),
        },
        "status": lambda: rng.choice(["new", "done", given["status"]]),
    }
    return fields(rng, makers)


def superstep(rng: random.Random, given: Values) -> list[Update]:
    """The updates of a few nodes."""
    updates = []
    for number in range(rng.randint(1, 4)):
        edits = rng.random() < 0.4
        updates.append(Update(edit(rng, given) if edits else contribution(rng, given), f"n{number}", edits))
    return updates


def returned(update: Update) -> Values:
    """What the node returns for that."""
    return edited(update.values) if update.edits else update.values


def by_graph(given: Values, updates: list[Update]) -> Values:
    """What a graph makes of a superstep."""
    builder = StateGraph(State)
    for update in updates:
        builder.add_node(update.agent, lambda state, update=update: returned(update))
        builder.add_edge(START, update.agent)
    return plain(builder.compile().invoke(given))


def by_workspace(given: Values, updates: list[Update]) -> tuple[Values, dict[Any, list[Any]]]:
    """What a workspace makes of the same writes, and the contenders by path."""
    workspace = Workspace(schemas={PLACE[0]: Work})
    before = workspace.moment()
    workspace.agent("planner").write(*PLACE, given)
    began = workspace.moment()
    drafts = {}
    for update in updates:
        if update.edits:
            drafts[update.agent] = workspace.agent(update.agent, began=began).edit(*PLACE)
            draft = drafts[update.agent].__enter__()
            for name, value in update.values.items():
                setattr(draft, name, getattr(Work.model_validate({name: value}), name))
    for update in updates:
        if update.edits:
            drafts[update.agent].__exit__(None, None, None)
            continue
        rest = news(update.values, given)
        # Who has not seen what stands there can only add to it.
        blind = {name: rest.pop(name) for name in ("log", "steps") if name in rest}
        if blind:
            workspace.agent(update.agent, began=before).write(*PLACE, blind)
        if rest:
            workspace.agent(update.agent, began=began).write(*PLACE, rest)
    document = workspace.get(*PLACE)
    assert document is not None
    contested = {e.path: [c.value for c in e.contenders] for e in workspace.escalations()}
    return document.model.model_dump(mode="json"), contested


def news(values: Values, given: Values) -> Values:
    """A contribution without the scalars that are what they were."""
    result: Values = {}
    for name, value in values.items():
        if name in SCALARS and value == given[name]:
            continue
        if name == "owners":
            value = {key: owner for key, owner in value.items() if given["owners"].get(key) != owner}
        elif name == "lead":
            value = {key: part for key, part in value.items() if key != "name" or part != given["lead"]["name"]}
        elif name == "sources":
            known = {item["id"]: item["verdict"] for item in given["sources"]}
            fresh = [
                {key: part for key, part in item.items() if key != "verdict" or known.get(item["id"], part) != part}
                if item["id"] in known
                else item
                for item in value
            ]
            value = [item for item in fresh if item["id"] not in known or len(item) > 1]
        if value or name not in ("owners", "lead", "sources"):
            result[name] = value
    return result


def plain(values: Values) -> Values:
    return Work(**values).model_dump(mode="json")


def check_superstep(rng: random.Random, given: Values) -> Values:
    """One random superstep: the channels give the workspace's value, or its conflict. Returns what to go on with."""
    updates = superstep(rng, given)
    expected, contested = by_workspace(given, updates)
    if not contested:
        assert by_graph(given, updates) == expected, (given, updates)
        return expected
    with pytest.raises(StateConflictError) as conflict:
        by_graph(given, updates)
    field = conflict.value.path[0]
    theirs = {path: values for path, values in contested.items() if path[0] == field}
    assert {e.path: [c.value for c in e.contenders] for e in conflict.value.escalations} == theirs
    return expected


def check_supersteps(seed: str, threads: int = 40, steps: int = 4) -> None:
    """Random threads of supersteps, each from where the last one ended, are merged as by a workspace."""
    for number in range(threads):
        rng = random.Random(f"{seed}/{number}")
        given = plain({})
        for _ in range(steps):
            given = check_superstep(rng, given)


def check_orders(seed: str, rounds: int = 150) -> None:
    """In whatever order a superstep's contributions come, nothing of them is missing, and what commutes is the same."""
    for number in range(rounds):
        rng = random.Random(f"{seed}/order/{number}")
        given = plain({"tags": some(rng), "steps": some(rng), "log": " ".join(some(rng)), "tokens": 5})
        names = ("tags", "log", "steps", "tokens", "votes", "best")
        updates = [
            Update({name: value for name, value in contribution(rng, given).items() if name in names}, f"n{place}")
            for place in range(4)
        ]
        results = []
        for _ in range(3):
            rng.shuffle(updates)
            value = merge(Work, given, updates).model.model_dump(mode="json")
            for update in updates:
                assert set(update.values.get("tags", [])) <= set(value["tags"])
            lines = [line for update in updates for line in update.values.get("log", "").split("\n") if line]
            before = [line for line in given["log"].split("\n") if line]
            assert sorted(value["log"].split("\n") if value["log"] else []) == sorted(before + lines)
            items = [item for update in updates for item in update.values.get("steps", [])]
            assert sorted(value["steps"]) == sorted(given["steps"] + items)
            assert value["tokens"] == given["tokens"] + sum(update.values.get("tokens", 0) for update in updates)
            results.append((sorted(value["tags"]), value["tokens"], sorted(value["votes"].items()), value["best"]))
        assert results == [results[0]] * 3
