"""Random teams that disagree, decide, ask again and exchange: what was asked again is open everywhere until it is
decided."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field

from concordant import (
    DELETED,
    ConcordantError,
    Counter,
    Escalation,
    InvalidWriteError,
    Map,
    Scalar,
    Schema,
    Set,
    Text,
    Workspace,
    priority,
)
from concordant.merge.record import Record, dump_record, load_record

from .fuzz import Act, explore
from .world import exact, picture, shown_is_stored

KeepOn = Callable[[str], None]
NAMES = ["ada", "bob", "cyd"]
ASKING = ("the document is gone", "what it was in is gone", "no policy has settled", "say the same by now")
TEXT = ("does not stand in the text", "its range of the text", "is about a part of a list", "not all of its sides")


def largest(question: Escalation) -> Any:
    """A resolver that people may not agree with."""
    return max((one.value for one in question.contenders if one.value is not DELETED), default=None)


class Person(BaseModel):
    name: Annotated[str, Scalar()] = ""
    rank: Annotated[int, Scalar(resolve="max")] = 0


class Plan(BaseModel):
    status: Annotated[str | None, Scalar()] = None
    high: Annotated[int, Scalar(resolve="max")] = 0
    first: Annotated[int, Scalar(resolve="first", provisional="latest")] = 0
    chief: Annotated[int, Scalar(resolve=priority("cyd", "b*"))] = 0
    judged: Annotated[int, Scalar(resolve=largest)] = 0
    stuck: Annotated[int, Scalar(sticky=True)] = 0
    owners: Annotated[dict[str, int], Map()] = {}
    people: Annotated[dict[str, Person], Map()] = {}
    amount: Annotated[int, Counter(), Field(ge=0)] = 0
    tags: Annotated[set[str], Set(), Field(max_length=3)] = set()
    text: Annotated[str, Text()] = ""


HOW: dict[tuple[str, ...], Any] = {("asks",): "escalate", ("updates",): "update", ("deletes",): "delete"}
SCHEMAS: dict[Any, Any] = {place: Schema(Plan, on_delete=how) for place, how in HOW.items()}


class Unjudged(Plan):
    """The same for who only looks: no function decides what he finds."""

    judged: Annotated[int, Scalar()] = 0


TO_LOOK: dict[Any, Any] = {place: Schema(Unjudged, on_delete=how) for place, how in HOW.items()}
NUMBERS = ("high", "first", "chief", "judged", "stuck")


def teams(rnd: random.Random, steps: int) -> list[Act]:
    """Acts with the seeds of what they do, so that any part of a history is one."""
    names = ["write"] * 8 + ["change"] * 6 + ["decide"] * 3 + ["reopen"] * 5 + ["ask"] * 5 + ["exchange"] * 3
    names += ["delete", "refresh", "refresh"]
    acts: list[Act] = [("begin", rnd.randint(1, 3), {"place": (rnd.choice([*SCHEMAS]), "k")})]
    return [*acts, *((rnd.choice(names), rnd.randrange(2**31), {}) for _ in range(steps))]


class Team:
    """Replicas of one document, with agents that each work in one of them."""

    def __init__(self, replicas: int, place: tuple[Any, str]) -> None:
        self.place = place
        self.spaces = [Workspace(schemas=SCHEMAS, replica=f"r{number}") for number in range(replicas)]
        self.agents = [(home, ws.agent(name)) for home, ws in enumerate(self.spaces) for name in NAMES]
        self.asked = 0

    def act(self, name: str, rnd: random.Random) -> None:
        home, agent = rnd.choice(self.agents)
        ws = self.spaces[home]
        if name == "write":
            agent.write(*self.place, value(rnd))
        elif name == "change":
            self.change(agent, rnd)
        elif name == "delete":
            agent.delete(*self.place)
        elif name == "refresh":
            agent.refresh()
        elif name == "exchange":
            ws.exchange(rnd.choice(self.spaces))
        elif name == "decide":
            found = ws.escalations()
            if found:
                self.decide(ws, rnd.choice(found), rnd)
        elif name == "reopen":
            found = [one for one in ws.escalations(state="all") if one.state not in ("open", "claimed")]
            if found:
                self.reopen(ws, rnd.choice(found))
        else:
            self.ask(ws, rnd)

    def change(self, agent: Any, rnd: random.Random) -> None:
        with agent.edit(*self.place) as plan:
            for name, part in value(rnd, fits=True).items():
                setattr(plan, name, part)
            if plan.owners and rnd.random() < 0.3:
                del plan.owners[rnd.choice([*plan.owners])]
            if plan.people and rnd.random() < 0.3:
                del plan.people[rnd.choice([*plan.people])]

    def decide(self, ws: Workspace, question: Escalation, rnd: random.Random) -> None:
        with suppress(InvalidWriteError):
            if rnd.random() < 0.3:
                ws.dismiss(question, by="maria")
            else:
                ws.resolve(question, rnd.choice(question.contenders).value, by="maria")

    def reopen(self, ws: Workspace, settled: Escalation) -> None:
        try:
            again = ws.reopen(settled, by="maria")
        except ConcordantError as error:
            if not any(why in str(error) for why in (*ASKING, *TEXT)):
                raise
            return
        self.is_asked(ws, again)
        if again.reason != "text" and not (again.reason == "delete" and not again.path) and again != settled:
            sides = {exact(one.value) for one in again.contenders if one.value is not DELETED}
            told = {exact(one.value) for one in settled.contenders if one.value is not DELETED}
            assert told <= sides or settled.reason == "delete", f"{settled} was reopened as {again}"

    def ask(self, ws: Workspace, rnd: random.Random) -> None:
        found = [path for entry in ws.history(*self.place) for path, _ in entry.settled]
        if not found:
            return
        try:
            self.is_asked(ws, ws.ask(*self.place, rnd.choice(found), by="maria"))
        except ConcordantError as error:
            if not any(why in str(error) for why in ASKING):
                raise

    def is_asked(self, ws: Workspace, question: Escalation) -> None:
        open_ = [one for one in ws.escalations() if one.id == question.id]  # a function may have decided beside it
        assert question.state == "open" and open_ == [ws.escalation(question.id)], f"{question} is not open"
        self.asked += 1

    def keeps(self) -> None:
        """What is stored is what is shown, and its bytes are those of what they are read as."""
        for ws in self.spaces:
            shown_is_stored(ws, TO_LOOK)
            state = ws.storage.load(*self.place)
            if isinstance(state, Record):
                data = dump_record(state)
                assert dump_record(load_record(data)) == data

    def converges(self) -> None:
        for _ in range(2):
            for one in self.spaces:
                for other in self.spaces:
                    if one is not other:
                        one.exchange(other)
        for ws in self.spaces[1:]:
            assert picture(ws) == picture(self.spaces[0]), "replicas differ"


def value(rnd: random.Random, *, fits: bool = False) -> dict[str, Any]:
    number = rnd.randrange(1, 9)
    makers: dict[str, Any] = {
        **dict.fromkeys(NUMBERS, number),
        "status": rnd.choice(["draft", "final", "late"]),
        "owners": {rnd.choice("xy"): number},
        "people": {rnd.choice("xy"): {"name": rnd.choice("abc"), "rank": number}},
        "amount": number if fits else rnd.choice([number, number, "many"]),
        "tags": {rnd.choice("abcdef")},
        "text": f"We {rnd.choice(['ship', 'wait', 'sell'])} it. Fine.",
    }
    if not fits and rnd.random() < 0.15:
        makers["high"] = "very"
    names = rnd.sample([*makers], rnd.choice([1, 1, 2, 3]))
    if fits and "people" in names:
        makers["people"] = {name: Person(**part) for name, part in makers["people"].items()}
    return {name: makers[name] for name in names}


def check_reopening(acts: Sequence[Act]) -> None:
    """After every act what is stored is what is shown; in the end all replicas show the same."""
    team = Team(acts[0][1], **acts[0][2])
    for name, seed, _ in acts[1:]:
        team.act(name, random.Random(seed))
        team.keeps()
    team.converges()


def test_g4_g8_what_was_asked_again_is_open_everywhere(seed: str) -> None:
    """Histories in memory."""
    explore(check_reopening, seed, 5, 30, teams)


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_g4_g8_and_in_a_database(seed: str, keep_on: KeepOn, kind: str) -> None:
    """The same on SQLite and Postgres."""
    keep_on(kind)
    explore(check_reopening, seed, 2, 25, teams)


@pytest.mark.torture
@pytest.mark.parametrize("kind", ["memory", "sqlite", "postgres"])
def test_g4_g8_long_histories_of_asking_again(seed: str, keep_on: KeepOn, kind: str) -> None:
    """The same for thousands of histories."""
    keep_on(kind)
    explore(check_reopening, seed, {"memory": 3_000}.get(kind, 150), 50, teams)
