"""A person's read travels through a graph as a token, and decisions come by id."""

from __future__ import annotations

from typing import Annotated, Any, TypedDict

import pytest
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.store.base import BaseStore
from langgraph.store.memory import InMemoryStore
from langgraph.types import Command, RetryPolicy, interrupt
from pydantic import BaseModel

from concordant import Counter, InvalidTokenError, Scalar, Set
from concordant_langgraph import MergeStore, memory_tools

NS = ("briefs",)


class Brief(BaseModel):
    tags: Annotated[set[str], Set()] = set()
    views: Annotated[int, Counter()] = 0
    status: Annotated[str | None, Scalar()] = None


class State(TypedDict, total=False):
    token: str
    tags: list[str]
    status: str


def begun() -> tuple[MergeStore, str]:
    """A store with an item, and the token of that."""
    store = MergeStore({NS: Brief})
    store.put(NS, "k", {"tags": ["a", "b"], "views": 1, "status": "draft"})
    item: Any = store.get(NS, "k")
    assert item.token == store.workspace.get(NS, "k").token  # type: ignore[union-attr]
    return store, item.token


def apply(state: State, store: BaseStore) -> None:
    """A node that stores what a person made of what she had been shown."""
    assert isinstance(store, MergeStore)
    with store.acting_as("maria", seen=state["token"]):
        store.put(NS, "k", {"tags": state["tags"], "views": 3, "status": state["status"]})


def test_a_form_that_was_filled_in_before_the_graph_ran() -> None:
    """What the node stores for her is judged by what she saw: her removal works, what came since is kept or asked."""
    store, token = begun()
    store.put(NS, "k", {"tags": ["a", "b", "c"], "views": 2, "status": "ready"})
    graph = StateGraph(State).add_node(apply).add_edge(START, "apply").compile(store=store)
    graph.invoke({"token": token, "tags": ["b"], "status": "dropped"})
    item: Any = store.get(NS, "k")
    assert item.value == {"tags": ["b", "c"], "views": 4, "status": "draft"}
    [question] = store.escalations()
    assert sorted((c.agent, c.value) for c in question.contenders) == [("anonymous", "ready"), ("maria", "dropped")]


def test_a_node_that_is_retried_stores_it_once() -> None:
    """G5: the counter counts her two views once."""
    store, token = begun()
    attempts = []

    def flaky(state: State, store: BaseStore) -> None:
        apply(state, store)
        attempts.append(1)
        if len(attempts) < 3:
            raise ConnectionError

    policy = RetryPolicy(initial_interval=0.01, retry_on=ConnectionError)
    graph = StateGraph(State).add_node(flaky, retry_policy=policy).add_edge(START, "flaky").compile(store=store)
    graph.invoke({"token": token, "tags": ["b"], "status": "done"})
    assert len(attempts) == 3
    assert store.get(NS, "k").value == {"tags": ["b"], "views": 3, "status": "done"}  # type: ignore[union-attr]


def test_a_person_answers_an_interrupt_by_what_it_showed_her() -> None:
    """The token goes out with the question and comes back with the answer, over any time and in any process."""
    store, _ = begun()

    def ask(state: State, store: BaseStore) -> None:
        item: Any = store.get(NS, "k")
        answer = interrupt({"value": item.value, "token": item.token})
        apply(answer, store)

    graph = StateGraph(State).add_node(ask).add_edge(START, "ask")
    config: Any = {"configurable": {"thread_id": "1"}}
    compiled = graph.compile(store=store, checkpointer=InMemorySaver())
    compiled.invoke({}, config)
    [pause] = compiled.get_state(config).interrupts
    store.put(NS, "k", {"status": "ready", "tags": ["a", "b", "c"]})  # somebody else, meanwhile
    shown = pause.value
    compiled.invoke(Command(resume={"token": shown["token"], "tags": ["b"], "status": "dropped"}), config)
    assert store.get(NS, "k").value == {"tags": ["b", "c"], "views": 3, "status": "draft"}  # type: ignore[union-attr]
    assert [e.path for e in store.escalations()] == [("status",)]


def test_tools_act_by_what_the_token_showed() -> None:
    """An agent's tools inside ``acting_as`` with a token judge by that, not by what stands now."""
    store, token = begun()
    store.put(NS, "k", {"tags": ["a", "b", "c"], "status": "ready"})
    _, update, _, _ = memory_tools(store, Brief, NS, key="k")
    with store.acting_as("maria", seen=token):
        update.invoke({"remove_tags": ["a"], "status": "dropped"})
    assert store.get(NS, "k").value["tags"] == ["b", "c"]  # type: ignore[union-attr]
    assert [e.path for e in store.escalations()] == [("status",)]
    store.put(NS, "other", {"status": "draft"})
    with store.acting_as("maria", seen=token), pytest.raises(InvalidTokenError):
        store.workspace.amending.withdraw([(NS, "other")])
    with store.acting_as("maria", seen=token):
        store.workspace.amending.withdraw([(NS, "k")])
    assert {e.reason for e in store.escalations()} == {"delete", "scalar"}


def test_a_wrong_token_fails_in_the_node() -> None:
    """A token of another item stores nothing."""
    store, _ = begun()
    store.put(NS, "other", {"status": "draft"})
    other: Any = store.get(NS, "other")
    graph = StateGraph(State).add_node(apply).add_edge(START, "apply").compile(store=store)
    with pytest.raises(InvalidTokenError):
        graph.invoke({"token": other.token, "tags": ["b"], "status": "dropped"})
    assert store.get(NS, "k").value["status"] == "draft"  # type: ignore[union-attr]


@pytest.mark.parametrize("wrapped", [False, True])
async def test_a_store_decides_by_id(wrapped: bool) -> None:
    """As its workspace does; where another store holds the merged values it is brought up to date."""
    inner = InMemoryStore()
    store = MergeStore.wrap(inner, {NS: Brief}) if wrapped else MergeStore({NS: Brief})
    await store.aput(NS, "k", {"status": "draft"})
    for round_ in range(2):
        began = store.workspace.moment()
        for name in ("ada", "bob"):
            with store.acting_as(name, began=began):
                store.put(NS, "k", {"status": f"{name} {round_}"})
        [question] = store.escalations()
        assert store.escalation(question.id) == await store.aescalation(question.id) == question
        if round_:
            await store.aclaim(question.id, by="maria", version=question.version)
            await store.aresolve(question.id, "bob 1", by="maria", version=question.version)
        else:
            store.claim(question.id, by="maria", version=question.version)
            store.resolve(question.id, "bob 0", by="maria", version=question.version)
        assert store.get(NS, "k").value["status"] == f"bob {round_}"  # type: ignore[union-attr]
        if wrapped:
            assert inner.get(NS, "k").value["status"] == f"bob {round_}"  # type: ignore[union-attr]
