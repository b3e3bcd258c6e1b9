"""Random work of a node that is executed several times: its effect must be that of its last execution."""

from __future__ import annotations

import random
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel

from concordant import Counter, List, Map, Scalar, Set, Text
from concordant_langgraph import MergeStore

NS = ("plans",)
KEY = "plan"
KEYS = ("one", "two")
FIELDS = ("tags", "owners", "body", "votes", "steps")


class Plan(BaseModel):
    tags: Annotated[set[str], Set()] = set()
    owners: Annotated[dict[str, str], Map()] = {}
    body: Annotated[str, Text()] = ""
    votes: Annotated[int, Counter()] = 0
    steps: Annotated[list[str], List()] = []
    status: Annotated[str | None, Scalar()] = None


SCHEMAS: dict[tuple[str, ...], Any] = {(*NS, "*"): Plan}


class Step(NamedTuple):
    """One put: how (``blind``, after a ``read`` or ``search``, or as an ``edit``), to which document, and of what."""

    how: str
    key: str
    word: str
    votes: int
    fields: frozenset[str]


def scripts(seed: int, executions: int) -> list[list[Step]]:
    """What the executions of one node do: puts to the same documents in the same way, some with other values."""
    rnd = random.Random(f"scripts/{seed}")
    ways = {
        key: rnd.choice([["edit"], ["edit", "blind", "read", "search"], ["blind", "read", "search"]]) for key in KEYS
    }
    keys = [rnd.choice(KEYS) for _ in range(rnd.randint(1, 5))]
    places = [(rnd.choice(ways[key]), key) for key in keys]
    made: list[list[Step]] = []
    for execution in range(executions):
        steps: list[Step] = []
        for number, (how, key) in enumerate(places):
            # An equal put over what was read is left as it is, with what a person made of it since it was read first.
            over = how == "blind" and any(known in ("read", "search") for known, at in places[:number] if at == key)
            if made and not over and rnd.random() < 0.4:
                steps.append(made[-1][number])
                continue
            votes = rnd.randint(1, 9) * 10 ** (execution + 1)
            fields = frozenset(rnd.sample(FIELDS, rnd.randint(1, len(FIELDS))))
            steps.append(Step(how, key, f"e{execution}n{number}", votes, fields))
        made.append(steps)
    return made


def make(step: Step, store: MergeStore) -> None:
    """Makes one put."""
    if step.how == "edit":
        with store.workspace.agent("helper").edit((*NS, step.key), KEY) as plan:
            for field, value in added(step, plan.model_dump()).items():
                setattr(plan, field, value)
        return
    old: dict[str, Any] = {}
    if step.how == "read":
        item = store.get((*NS, step.key), KEY)
        old = dict(item.value) if item is not None else {}
    elif step.how == "search":
        found = store.search((*NS, step.key))
        old = dict(found[0].value) if found else {}
    store.put((*NS, step.key), KEY, added(step, old))


def added(step: Step, old: dict[str, Any]) -> dict[str, Any]:
    """The fields of a step, with its word or votes added to what was there."""
    word, body = step.word, old.get("body", "")
    values: dict[str, Any] = {
        "tags": [*old.get("tags", []), word],
        "owners": {**old.get("owners", {}), word: word},
        "body": f"{body}\n{word}" if body else word,
        "votes": old.get("votes", 0) + step.votes,
        "steps": [*old.get("steps", []), word],
    }
    return {field: values[field] for field in FIELDS if field in step.fields}


def person(store: MergeStore, number: int) -> None:
    """What a person does between two executions."""
    name = f"person{number}"
    for key in KEYS:
        with store.workspace.agent(name).edit((*NS, key), KEY) as plan:
            plan.tags.add(name)
            plan.body = f"{name}\n{plan.body}" if plan.body else name
            plan.votes += 1
            plan.steps.insert(0, name)
            plan.status = name


def prepare(store: MergeStore) -> None:
    """What stands before."""
    store.workspace.agent("base").write(
        (*NS, KEYS[0]), KEY, {"tags": ["base"], "body": "base", "votes": 7, "steps": ["base"], "status": "base"}
    )


def outcome(store: MergeStore) -> dict[str, Any]:
    """The documents, without the order of what was concurrent, and without fields that are empty."""

    def shown(found: Any) -> Any:
        if isinstance(found, str):
            return sorted(line for line in found.split("\n") if line)
        return sorted(found) if isinstance(found, list) else found

    return {
        document.namespace[-1]: {field: value for field, found in document.value.items() if (value := shown(found))}
        for document in store.workspace.list(NS)
    }
