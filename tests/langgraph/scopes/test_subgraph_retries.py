"""Retried nodes that hold sub-graphs: LangGraph gives the sub-graph's tasks new ids, their effects come once."""

from __future__ import annotations

import asyncio
import time
from itertools import count
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.func import entrypoint, task
from langgraph.graph import START, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import Command, Send, interrupt

from .support import AT, RETRY, State, chain, contenders, merging, shown


def fails(*on: int) -> Any:
    """A node that fails in these of its executions."""
    numbers = count()

    def node(state: State) -> State:
        if next(numbers) in on:
            raise ConnectionError
        return {}

    return node


def effects(store: Any, label: str, *, reads: bool = False) -> Any:
    """A node that adds to everything, once more than it should if it is not recognised."""
    executions = count()

    def node(state: State) -> State:
        number = next(executions)
        before: dict[str, Any] = {}
        if reads:
            item = store.get(*AT)
            before = item.value if item is not None else {}
        store.put(
            *AT,
            {
                "votes": before.get("votes", 0) + 1,
                "tags": [*before.get("tags", []), label],
                "steps": [*before.get("steps", []), f"{label}{number}"],
                "log": "\n".join([*before.get("log", "").splitlines(), f"{label}{number}"]),
            },
        )
        return {}

    return node


def check_once(store: Any, labels: list[str]) -> None:
    value = shown(store)
    assert value["votes"] == len(labels)
    for words in (value["log"].split("\n"), value["steps"]):
        assert sorted(word.rstrip("0123456789") for word in words) == sorted(labels)
    assert store.escalations(state="all") == []


SAVERS = pytest.mark.parametrize("saver", [None, InMemorySaver], ids=["bare", "checkpointer"])
READS = pytest.mark.parametrize("reads", [False, True], ids=["blind", "read"])
THREAD: Any = {"configurable": {"thread_id": "t"}}


@SAVERS
@READS
def test_a_retried_subgraph_has_its_effect_once(saver: Any, reads: bool) -> None:
    """A node that is a sub-graph runs thrice; loops, Sends and deeper graphs inside count once."""
    store = merging()
    deep = chain(effects(store, "deep", reads=reads), fails(0)).compile()
    inner = StateGraph(State)
    inner.add_node("write", effects(store, "write", reads=reads)).add_edge(START, "write")
    inner.add_node("send", effects(store, "send", reads=reads))
    inner.add_conditional_edges("write", lambda state: [Send("send", {"x": i}) for i in range(3)], ["send"])
    inner.add_node("deep", deep).add_edge("send", "deep")
    inner.add_node("check", fails(0)).add_edge("deep", "check")
    graph = chain(effects(store, "first", reads=reads), inner.compile(), retry_policy=RETRY)
    graph.compile(store=store, checkpointer=saver() if saver else None).invoke({"x": 0}, THREAD)
    check_once(store, ["first", "write", "send", "send", "send", "deep"])


@SAVERS
@READS
@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_subgraphs_that_a_retried_node_invokes_have_their_effect_once(saver: Any, reads: bool, is_async: bool) -> None:
    """However often a node invokes a graph, each call counts once, in whatever call the attempt failed."""
    store = merging()
    inner = chain(effects(store, "sub", reads=reads), fails(0, 2, 5)).compile()

    def node(state: State) -> State:
        for _ in range(3):
            inner.invoke({"x": 0})
        return {}

    async def anode(state: State) -> State:
        for _ in range(3):
            await inner.ainvoke({"x": 0})
        return {}

    builder = chain(anode if is_async else node, retry_policy=RETRY)
    graph = builder.compile(store=store, checkpointer=saver() if saver else None)
    if is_async:
        asyncio.run(graph.ainvoke({"x": 0}, THREAD))
    else:
        graph.invoke({"x": 0}, THREAD)
    check_once(store, ["sub"] * 3)


def test_a_chain_in_the_node_named_like_it_begins_no_attempt() -> None:
    """Two calls of one attempt stay two, whatever is run between them."""
    from langchain_core.runnables import RunnableLambda

    store = merging()
    inner = chain(effects(store, "sub")).compile()

    def node(state: State) -> State:
        inner.invoke({"x": 0})
        RunnableLambda(lambda x: x).with_config({"run_name": "n0"}).invoke(0)
        inner.invoke({"x": 0})
        return {}

    chain(node).compile(store=store).invoke({"x": 0})
    check_once(store, ["sub", "sub"])


def test_a_loop_through_a_subgraph_is_no_re_execution() -> None:
    """Each round of a loop is work of its own."""
    store = merging()
    builder = StateGraph(State).add_node("team", chain(effects(store, "team")).compile()).add_edge(START, "team")
    builder.add_node("next", lambda state: {"x": state["x"] + 1}).add_edge("team", "next")
    builder.add_conditional_edges("next", lambda state: "team" if state["x"] < 3 else "__end__")
    builder.compile(store=store).invoke({"x": 0})
    check_once(store, ["team"] * 3)


def test_sends_of_a_subgraph_are_told_apart() -> None:
    """Several runs of one sub-graph side by side have each their effect, and are retried each by itself."""
    store = merging()
    inner = chain(effects(store, "team"), fails(1, 3)).compile()
    builder = StateGraph(State).add_node("plan", lambda state: {}).add_edge(START, "plan")
    builder.add_node("team", inner, retry_policy=RETRY)
    builder.add_conditional_edges("plan", lambda state: [Send("team", {"x": i}) for i in range(4)], ["team"])
    builder.compile(store=store).invoke({"x": 0})
    check_once(store, ["team"] * 4)


@pytest.mark.parametrize("deep", [False, True])
def test_what_stood_beside_in_an_earlier_attempt_is_not_seen(deep: bool) -> None:
    """A task that first writes in the second attempt disagrees with its neighbour, who wrote the same in both."""
    store = merging()
    tries: list[str] = []

    def ann(state: State) -> State:
        store.put(*AT, {"status": "ann's"})
        return {}

    def bob(state: State) -> State:
        tries.append("")
        if len(tries) == 1:
            while "status" not in shown(store):
                time.sleep(0.001)
            raise ConnectionError
        store.put(*AT, {"status": "bob's"})
        return {}

    team: Any = StateGraph(State).add_node("ann", ann).add_node("bob", bob).add_edge(START, "ann")
    team = team.add_edge(START, "bob").compile()
    if deep:
        team = chain(team).compile()
    chain(team, retry_policy=RETRY).compile(store=store).invoke({"x": 0})
    assert contenders(store) == ["ann's", "bob's"]


def test_a_resumed_node_that_invokes_a_graph_has_its_effect_once() -> None:
    """After an interrupt of the node, the graph it invoked runs again, and changes nothing."""
    store = merging()
    inner = chain(effects(store, "sub")).compile(checkpointer=False)

    def node(state: State) -> State:
        inner.invoke({"x": 0})
        interrupt("?")
        inner.invoke({"x": 0})
        return {}

    graph = chain(node).compile(store=store, checkpointer=InMemorySaver())
    graph.invoke({"x": 0}, THREAD)
    graph.invoke(Command(resume=1), THREAD)
    check_once(store, ["sub", "sub"])


def test_time_travel_is_work_of_its_own() -> None:
    """Going on from an earlier checkpoint executes a sub-graph's tasks once more, and counts once more."""
    store = merging()
    graph = chain(lambda state: {}, chain(effects(store, "sub")).compile())
    compiled = graph.compile(store=store, checkpointer=InMemorySaver())
    compiled.invoke({"x": 0}, THREAD)
    past = next(s for s in compiled.get_state_history(THREAD) if s.next == ("n1",))
    compiled.invoke(None, past.config)
    assert shown(store)["votes"] == 2


@READS
def test_retried_functional_tasks_have_their_effect_once(reads: bool) -> None:
    """An entrypoint that fails after its @tasks, one of which invokes a graph, runs them again without effect."""
    store = merging()
    inner = chain(effects(store, "sub", reads=reads)).compile()
    flaky = fails(0, 1)
    write = effects(store, "task", reads=reads)

    @task
    def step() -> None:
        write({})
        inner.invoke({"x": 0})

    @entrypoint(store=store, retry_policy=RETRY)
    def flow(_: Any) -> None:
        inner.invoke({"x": 0})
        for _number in range(2):
            step().result()
        inner.invoke({"x": 0})
        flaky({})

    flow.invoke(0)
    check_once(store, ["sub", "task", "sub", "task", "sub", "sub"])


@pytest.mark.parametrize("by", ["node", "async node", "tool", "task"])
def test_what_was_taken_from_a_checkpoint_and_is_then_retried_counts_once(by: str) -> None:
    """A node, a tool or a flow makes calls, is resumed after an interrupt, which does not execute them again, and then
    fails and executes all of them anew."""
    store = merging()
    inner = [chain(effects(store, label)).compile() for label in ("one", "two")]
    steps = [task(effects(store, label)) for label in ("one", "two")]
    goes_on = fails(0, 1)

    @tool
    def work(number: int) -> str:
        """Works."""
        for graph in inner:
            graph.invoke({"x": number})
        return str(interrupt("go on?"))

    def node(state: State) -> State:
        if by == "tool":
            call = {"name": "work", "args": {"number": 1}, "id": "c", "type": "tool_call"}
            ToolNode([work], handle_tool_errors=False).invoke({"messages": [AIMessage("", tool_calls=[call])]})
        elif by == "task":
            for step in steps:
                step(state).result()
            interrupt("go on?")
        else:
            for graph in inner:
                graph.invoke(state)
            interrupt("go on?")
        return dict(goes_on(state))  # type: ignore[return-value]

    async def anode(state: State) -> State:
        for graph in inner:
            await graph.ainvoke(state)
        interrupt("go on?")
        return dict(goes_on(state))  # type: ignore[return-value]

    graph = chain(anode if by == "async node" else node, retry_policy=RETRY).compile(
        store=store, checkpointer=InMemorySaver()
    )
    for given in ({"x": 1}, Command(resume="yes")):
        if by == "async node":
            asyncio.run(graph.ainvoke(given, THREAD))
        else:
            graph.invoke(given, THREAD)
    check_once(store, ["one", "two"])
