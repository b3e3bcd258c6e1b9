"""A node that is executed again, by a retry or after an interrupt, has the effect of its last execution."""

from __future__ import annotations

import random
from contextvars import Context
from typing import Any, TypedDict

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.types import Command, RetryPolicy, interrupt

from concordant_langgraph import MergeStore

from .scripts import SCHEMAS, Step, make, outcome, person, prepare, scripts

POLICY = RetryPolicy(initial_interval=0.0001, max_attempts=9, jitter=False, retry_on=ConnectionError)
THREAD: Any = {"configurable": {"thread_id": "t"}}


class State(TypedDict, total=False):
    x: int


class Work:
    """A node that plays one script per execution and ends each but the last early, as ``how`` says."""

    def __init__(self, seed: int, how: str) -> None:
        rnd = random.Random(f"work/{seed}")
        self.how = how
        self.scripts = scripts(seed, rnd.randint(2, 4))
        self.last = len(self.scripts) - 1
        self.stops = [rnd.randint(0, len(script)) for script in self.scripts]
        self.persons = [rnd.random() < 0.5 for _ in self.scripts]
        self.execution = -1
        self.met = 0
        self.store = MergeStore(SCHEMAS)
        prepare(self.store)

    def __call__(self, state: State) -> State:
        self.execution += 1
        steps = self.scripts[self.execution]
        ends = self.execution == self.last
        for step in steps if ends else steps[: self.stops[self.execution]]:
            make(step, self.store)
        if not ends:
            self.stop()
        return {}

    def stop(self) -> None:
        if self.how == "retry":
            if self.persons[self.execution]:
                self.meet()
            raise ConnectionError
        for _ in range(self.execution + 1):  # the first ones have their answers by now
            interrupt("?")

    def meet(self) -> None:
        """A person's work, outside of the task."""
        Context().run(person, self.store, self.met)
        self.met += 1

    def play(self) -> None:
        builder = StateGraph(State).add_node("work", self, retry_policy=POLICY).add_edge(START, "work")
        graph = builder.compile(store=self.store, checkpointer=InMemorySaver())
        result: Any = graph.invoke({"x": 1}, THREAD)
        while "__interrupt__" in result:
            if self.persons[self.execution]:
                self.meet()
            result = graph.invoke(Command(resume="go"), THREAD)


def alone(steps: list[Step], persons: int, store: MergeStore) -> dict[str, Any]:
    """What is to come of it all: the last execution alone, after all that persons did."""
    prepare(store)
    for number in range(persons):
        person(store, number)

    def work(state: State) -> State:
        for step in steps:
            make(step, store)
        return {}

    StateGraph(State).add_node("work", work).add_edge(START, "work").compile(store=store).invoke({"x": 1})
    return outcome(store)


def check(seed: int, how: str) -> None:
    work = Work(seed, how)
    work.play()
    assert work.execution == work.last
    assert outcome(work.store) == alone(work.scripts[-1], work.met, MergeStore(SCHEMAS)), (seed, how)
    assert work.store.escalations(state="all") == []


@pytest.mark.parametrize("how", ["retry", "interrupt"])
@pytest.mark.parametrize("seed", [*range(40), 6102])
def test_the_last_execution_counts(seed: int, how: str) -> None:
    """Whatever earlier executions put and however far they came, and a person's work between them stands."""
    check(seed, how)


@pytest.mark.torture
@pytest.mark.parametrize("how", ["retry", "interrupt"])
def test_the_last_execution_counts_two_thousand_times(how: str) -> None:
    """The same, with other seeds."""
    for seed in range(1000, 3000):
        check(seed, how)
