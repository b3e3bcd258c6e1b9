"""Random teams of which some may decide: whoever may not settles nothing, by whatever write."""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated, Any

from pydantic import BaseModel

from concordant import (
    DELETED,
    Counter,
    InvalidWriteError,
    List,
    Map,
    NotAllowedError,
    Scalar,
    Schema,
    Set,
    Text,
    Tree,
    Workspace,
)

from .fuzz import Act, explore
from .world import exact, picture

AT = (("plans",), "k")
NAMES = ["ada", "bob", "cyd", "lead"]


class Owner(BaseModel):
    name: Annotated[str, Scalar()] = ""


class Plan(BaseModel):
    status: Annotated[str | None, Scalar()] = None
    owners: Annotated[dict[str, int], Map()] = {}
    people: Annotated[dict[str, Owner], Map()] = {}
    known: Annotated[list[Owner], Set(by="name")] = []
    body: Annotated[dict[str, Any], Tree()] = {}
    steps: Annotated[list[str], List()] = []
    amount: Annotated[int, Counter()] = 0
    text: Annotated[str, Text()] = ""


RULES: dict[Any, Any] = {AT[0]: Schema(Plan, deciders=("lead", "human:*"))}


def teams(rnd: random.Random, steps: int) -> list[Act]:
    """Acts with the seeds of what they do."""
    names = ["write"] * 6 + ["edit"] * 6 + ["refresh"] * 5 + ["delete", "decide", "decide", "decide by others", "put"]
    return [("begin", rnd.randint(1, 2), {}), *((rnd.choice(names), rnd.randrange(2**31), {}) for _ in range(steps))]


def value(rnd: random.Random) -> dict[str, Any]:
    word, key = rnd.choice(["red", "blue", "grey"]), rnd.choice("xy")
    makers: dict[str, Any] = {
        "status": word,
        "owners": {key: rnd.randrange(3)},
        "people": {key: {"name": word}},
        "known": [{"name": word}],
        "body": {key: rnd.choice([word, {"deep": word}, [word]])},
        "steps": [word],
        "amount": rnd.choice([1, 2, "many"]),
        "text": f"The {word} fox. It jumps.",
    }
    return {name: makers[name] for name in rnd.sample([*makers], rnd.randint(1, 3))}


def check_permissions(acts: Sequence[Act]) -> None:
    """What is open stays so through every act of others, but for sides that became equal, and one's own alone."""
    spaces = [Workspace(schemas=RULES, replica=f"r{number}") for number in range(acts[0][1])]
    agents = [(ws, ws.agent(name)) for ws in spaces for name in NAMES]
    refused: list[NotAllowedError] = []
    for name, seed, _ in acts[1:]:
        rnd = random.Random(seed)
        ws, agent = rnd.choice(agents)
        before = {question.id: question for question in ws.escalations()}
        shown = picture(ws)
        try:
            act(name, ws, agent, rnd)
        except NotAllowedError as error:
            assert picture(ws) == shown, "what was refused was done all the same"
            refused.append(error)
            continue
        if agent.name != "lead" and not name.startswith("decide"):
            for question in before.values():
                after = ws.escalation(question.id)
                assert after is not None
                sides = {one for side in question.contenders for one in side.agents if side.value != question.base}
                settled = after.state not in ("open", "claimed", "agreed") and not sides <= {agent.name}
                assert not settled, f"{agent.name} settled {question}"
    assert not any(error.agent == "human:maria" for error in refused), "who may decide was refused"
    for one in spaces[1:]:
        spaces[0].exchange(one)
        assert picture(one) == picture(spaces[0])


def act(name: str, ws: Workspace, agent: Any, rnd: random.Random) -> None:
    if name == "write":
        agent.write(*AT, value(rnd))
    elif name == "put":
        with ws.acting_as(agent.name):
            ws.get(*AT)
            ws.put(*AT, value(rnd))
    elif name == "edit":
        with agent.edit(*AT) as plan:
            for field, part in value(rnd).items():
                if field == "people":
                    plan.people.update({key: Owner(**one) for key, one in part.items()})
                elif field == "known":
                    plan.known = [Owner(**one) for one in part]
                elif field == "amount":
                    plan.amount += 1
                else:
                    setattr(plan, field, part)
            for holder in (plan.owners, plan.people, plan.body):
                if holder and rnd.random() < 0.3:
                    del holder[rnd.choice([*holder])]
    elif name == "delete":
        agent.delete(*AT)
    elif name == "refresh":
        agent.refresh()
    else:
        decide(ws, rnd, rnd.choice(NAMES) if name == "decide by others" else "human:maria")


def decide(ws: Workspace, rnd: random.Random, by: str) -> None:
    found = ws.escalations()
    if not found:
        return
    question = rnd.choice(found)
    chosen = rnd.choice(question.contenders).value
    with suppress(InvalidWriteError):
        ws.resolve(question, chosen, by=by)
        assert by in ("lead", "human:maria"), (
            f"{by} decided {question} for {exact(chosen) if chosen is not DELETED else chosen}"
        )


def test_g8_who_may_not_decide_settles_nothing(seed: str) -> None:
    """Histories of all kinds; what is refused changes nothing, and replicas agree."""
    explore(check_permissions, seed, 25, 30, teams)
