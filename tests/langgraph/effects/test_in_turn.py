"""Tasks one after the other that are executed again together: the last execution counts, and they ask nothing."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from typing import Annotated, Any, TypeAlias

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.func import task
from langgraph.graph import START, StateGraph
from langgraph.store.base import BaseStore
from langgraph.store.memory import InMemoryStore
from langgraph.types import RetryPolicy
from pydantic import BaseModel

from concordant import Scalar
from concordant_langgraph import MergeStore
from tests.rounds import rounds

AT = ("jobs",), "launch"
AGAIN = RetryPolicy(max_attempts=9, initial_interval=0, jitter=False, retry_on=ConnectionError)
HOW = ["one node", "nodes of a subgraph", "nodes of an invoked subgraph", "@tasks", "around a subgraph"]

Put: TypeAlias = "dict[str, str] | None"
"""What a step puts, ``"*"`` another value at each time; ``None``: it deletes."""


class Job(BaseModel):
    status: Annotated[str | None, Scalar()] = None
    by: Annotated[str | None, Scalar()] = None


def retried(store: BaseStore, how: str, steps: list[list[Put]], fails: list[tuple[int, int]]) -> Any:
    """What the document is after steps that are executed again from the first on, as often as one fails.

    Args:
        fails: for each attempt that fails in which step, after how many of its puts.
    """
    values, left = itertools.count(), list(fails)

    def do(number: int) -> None:
        for made, put in enumerate([*steps[number], None]):
            if left and left[0][0] == number and (made == left[0][1] or made == len(steps[number])):
                left.pop(0)
                raise ConnectionError
            if made < len(steps[number]):
                store.put(*AT, put and {n: f"v{next(values)}" if v == "*" else v for n, v in put.items()})

    def step(number: int) -> Callable[[Any], Any]:
        return lambda _: do(number)

    def graph_of(numbers: list[int]) -> Any:
        inner, before = StateGraph(dict).add_node("none", lambda _: None).add_edge(START, "none"), "none"
        for number in numbers:
            inner.add_node(f"step{number}", step(number)).add_edge(before, f"step{number}")
            before = f"step{number}"
        return inner.compile()

    numbers = [*range(len(steps))]
    team, one = graph_of(numbers), task(do)

    def around(_: Any) -> None:
        do(0)
        graph_of(numbers[1:-1]).invoke({})
        if numbers[1:]:
            do(numbers[-1])

    nodes: dict[str, Any] = {
        "one node": lambda _: [do(number) for number in numbers] and None,
        "nodes of a subgraph": team,
        "nodes of an invoked subgraph": lambda _: team.invoke({}) and None,
        "@tasks": lambda _: [one(number).result() for number in numbers] and None,
        "around a subgraph": around,
    }
    graph = StateGraph(dict).add_node("node", nodes[how], retry_policy=AGAIN).add_edge(START, "node")
    graph.compile(store=store, checkpointer=InMemorySaver()).invoke({}, {"configurable": {"thread_id": "1"}})
    item = store.get(*AT)
    return item and item.value


def check(how: str, declared: bool, steps: list[list[Put]], fails: list[tuple[int, int]]) -> None:
    """As the stock store has it, without a question, not even for a moment."""
    told: list[Any] = []
    store = MergeStore({AT[0]: Job} if declared else None, on_conflict="raise")
    store.on_escalation(told.append)
    stock, ours = retried(InMemoryStore(), how, steps, fails), retried(store, how, steps, fails)
    if declared:  # fields that are left out stay
        stock, ours = stock and ours and {**ours, **stock}, stock and ours
    assert (ours, told) == (stock, [])


@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize(
    "steps",
    [
        [[{"status": "*"}], [{"status": "*"}], [{"status": "*"}]],
        [[{"status": "*"}], [{"status": "*"}], [{"status": "done"}]],
        [[{"status": "*"}], [{"status": "busy"}], [{"status": "done"}]],
        [[None], [], [{"status": "done"}]],
        [[{"by": "*"}], [{"status": "done"}]],
        [[{"by": "*"}, {"status": "done"}]],
        [[{"status": "busy"}, None, {"by": "*"}]],
    ],
    ids=["times", "a time last not", "a time first", "deleted first", "other fields", "of one step", "deleted between"],
)
def test_steps_in_turn_leave_what_the_last_attempt_put(how: str, declared: bool, steps: list[list[Put]]) -> None:
    """Whatever each attempt puts, the steps of a retried node follow each other, in this attempt and the one before."""
    check(how, declared, steps, [(len(steps) - 1, 9)] * 2)


@rounds(60, 1500)
def test_steps_that_fail_anywhere_leave_what_the_last_attempt_put(seed: str, rounds: int) -> None:
    """The same for random steps that delete nothing, which fail now here, now there."""
    for number in range(rounds):
        chance = random.Random(f"{seed}/{number}")
        how = chance.choice(HOW)

        def put(chance: random.Random = chance) -> Put:
            return {name: chance.choice("cd**") for name in chance.sample(["status", "by"], chance.randint(1, 2))}

        steps = [[put() for _ in range(chance.randint(0, 3))] for _ in range(chance.randint(1, 4))]
        fails = [(chance.randrange(len(steps)), chance.randint(0, 3)) for _ in range(chance.randint(1, 3))]
        case = how, chance.random() < 0.5, steps, fails
        try:
            check(*case)
        except BaseException as error:
            error.add_note(f"round {number}: {case}")
            raise
