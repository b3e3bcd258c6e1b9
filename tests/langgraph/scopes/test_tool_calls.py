"""Tool calls: each is a scope of its own, though all those of a ToolNode are one task to LangGraph."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import ToolRetryMiddleware
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.config import get_store
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode

from tests.patience import PATIENCE

from .support import AT, RETRY, CallsOnce, State, chain, contenders, merging, run_node, shown, tool_calls


def call_all(store: Any, tools: list[Any], calls: list[dict[str, Any]], *, is_async: bool, **options: Any) -> None:
    """Has a ToolNode execute the calls."""
    builder = StateGraph(MessagesState).add_node("tools", ToolNode(tools, **options), retry_policy=RETRY)
    graph = builder.add_edge(START, "tools").compile(store=store)
    given: Any = {"messages": [AIMessage("", tool_calls=calls)]}
    if is_async:
        asyncio.run(graph.ainvoke(given))
    else:
        graph.invoke(given)


def calls_of(name: str, words: list[str]) -> list[dict[str, Any]]:
    return [{"name": name, "args": {"word": word}, "id": f"c{word}", "type": "tool_call"} for word in words]


WORDS = [f"w{i}" for i in range(4)]


def together(count: int) -> tuple[Any, Any]:
    """Two ways to wait until so many calls have come this far: in threads, in coroutines."""
    barrier, waiting = threading.Barrier(count, timeout=PATIENCE), []

    async def acome() -> None:
        waiting.append(1)
        while len(waiting) < count:
            await asyncio.sleep(0.001)

    return barrier.wait, acome


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_parallel_tool_calls_that_get_and_put_lose_nothing(is_async: bool) -> None:
    """Each has read for itself, so that what the others add is not what it removes."""
    store = merging()
    come, acome = together(len(WORDS))

    def edited(value: dict[str, Any], word: str) -> dict[str, Any]:
        return {
            "tags": [*value.get("tags", []), word],
            "votes": value.get("votes", 0) + 1,
            "steps": [*value.get("steps", []), word],
            "log": "\n".join([*value.get("log", "").splitlines(), word]),
            "owners": {**value.get("owners", {}), word: word},
        }

    @tool
    def note(word: str) -> str:
        """Notes a word."""
        found = get_store().get(*AT)
        come()
        get_store().put(*AT, edited(found.value if found else {}, word))
        return "noted"

    @tool("note")
    async def anote(word: str) -> str:
        """Notes a word."""
        found = await get_store().aget(*AT)
        await acome()
        await get_store().aput(*AT, edited(found.value if found else {}, word))
        return "noted"

    call_all(store, [anote if is_async else note], calls_of("note", WORDS), is_async=is_async)
    value = shown(store)
    assert sorted(value["tags"]) == sorted(value["steps"]) == sorted(value["log"].split("\n")) == WORDS
    assert value["votes"] == len(WORDS) and sorted(value["owners"]) == WORDS
    assert store.escalations(state="all") == []


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("meets", [True, False], ids=["overlapping", "one_after_the_other"])
def test_parallel_tool_calls_that_disagree_escalate(is_async: bool, meets: bool) -> None:
    """The calls of one message are concurrent, also where the first has ended before the second is begun."""
    store = merging()
    come, acome = together(2)

    @tool
    def decide(word: str) -> str:
        """Decides."""
        if meets:
            come()
        get_store().put(*AT, {"status": word})
        return "decided"

    @tool("decide")
    async def adecide(word: str) -> str:
        """Decides."""
        if meets:
            await acome()
        get_store().put(*AT, {"status": word})
        return "decided"

    call_all(store, [adecide if is_async else decide], calls_of("decide", ["no", "yes"]), is_async=is_async)
    assert contenders(store) == ["no", "yes"]


def test_tool_calls_of_a_prebuilt_agent_disagree_under_its_name() -> None:
    """create_agent's tool calls are concurrent with each other, and credited to the agent."""
    store = merging()

    @tool
    def yes() -> str:
        """Yes."""
        get_store().put(*AT, {"status": "yes"})
        return "ok"

    @tool
    def no() -> str:
        """No."""
        get_store().put(*AT, {"status": "no"})
        return "ok"

    agent = create_agent(CallsOnce(calls=tool_calls("yes", "no")), [yes, no], name="ada", store=store)
    agent.invoke({"messages": [("user", "go")]})
    assert contenders(store) == ["no", "yes"]
    assert {c.agent for e in store.escalations() for c in e.contenders} == {"ada"}


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "sync tools on a loop"])
def test_tool_calls_that_a_node_makes_one_after_the_other_are_a_sequence(is_async: bool) -> None:
    """A node's own loop over tools raises no alarm: each call has seen the one before, and what the node did."""
    store = merging()

    @tool
    def decide(word: str) -> str:
        """Decides."""
        get_store().put(*AT, {"status": word})
        return "decided"

    def node(state: State) -> State:
        store.put(*AT, {"status": "begun"})
        for call in calls_of("decide", WORDS):
            decide.invoke(call)
        assert shown(store) == {"status": WORDS[-1]}
        store.put(*AT, {"status": "ended"})
        return {}

    async def anode(state: State) -> State:
        await store.aput(*AT, {"status": "begun"})
        for call in calls_of("decide", WORDS):
            await decide.ainvoke(call)
        assert shown(store) == {"status": WORDS[-1]}
        await store.aput(*AT, {"status": "ended"})
        return {}

    run_node(store, anode if is_async else node)
    assert shown(store) == {"status": "ended"} and store.escalations(state="all") == []


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_the_turns_of_an_agent_that_is_one_node_are_a_sequence(is_async: bool) -> None:
    """A node that asks its model and has the calls executed, turn by turn, raises no alarm between turns."""
    store = merging()

    @tool
    def decide(word: str) -> str:
        """Decides."""
        store.put(*AT, {"status": word})
        return "decided"

    tools = ToolNode([decide])
    model = CallsOnce(calls=[])

    def turn(word: str) -> Any:
        return {"messages": [AIMessage("", tool_calls=calls_of("decide", [word]))]}

    def node(state: State) -> State:
        for word in WORDS:
            model.invoke("and now?")
            tools.invoke(turn(word))
        return {}

    async def anode(state: State) -> State:
        for word in WORDS:
            await model.ainvoke("and now?")
            await tools.ainvoke(turn(word))
        return {}

    run_node(store, anode if is_async else node)
    assert shown(store) == {"status": WORDS[-1]} and store.escalations(state="all") == []


def test_graphs_in_parallel_tool_calls_disagree_with_the_other_calls() -> None:
    """What runs in a sub-graph that one tool call invokes is concurrent with the other calls, and what they invoke."""
    store = merging()
    come, _ = together(3)

    def deciding(word: str) -> Any:
        def node(state: State) -> State:
            come()
            store.put(*AT, {"status": word})
            return {}

        return node

    @tool
    def team(word: str) -> str:
        """Lets a team decide."""
        chain(deciding(word)).compile().invoke({"x": 0})
        return "decided"

    @tool
    def alone(word: str) -> str:
        """Decides."""
        deciding(word)({})
        return "decided"

    calls = [*calls_of("team", ["a", "b"]), *calls_of("alone", ["c"])]
    call_all(store, [team, alone], calls, is_async=False)
    assert contenders(store) == ["a", "b", "c"]


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_retried_tool_calls_have_their_effect_once(is_async: bool) -> None:
    """Each put takes the place of that of the same call, in whatever order the second execution's calls come."""
    store = merging()
    order: list[str] = []

    def effect(word: str) -> str:
        order.append(word)
        attempt = len(order) // len(WORDS)
        store.put(*AT, {"tags": [f"{word}{attempt if word == 'w1' else ''}"], "votes": 1, "log": word})
        return "ok"

    @tool
    def note(word: str) -> str:
        """Notes a word."""
        return effect(word)

    @tool("note")
    async def anote(word: str) -> str:
        """Notes a word."""
        second = len(order) >= len(WORDS)
        await asyncio.sleep(0.002 * (4 - int(word[1:]) if second else int(word[1:])))
        return effect(word)

    def flaky(state: MessagesState) -> None:
        if len(order) == len(WORDS):
            raise ConnectionError

    calls = calls_of("note", WORDS)
    tools = ToolNode([anote if is_async else note])

    def node(state: MessagesState) -> MessagesState:
        result: MessagesState = tools.invoke(state)
        flaky(state)
        return result

    async def anode(state: MessagesState) -> MessagesState:
        result: MessagesState = await tools.ainvoke(state)
        flaky(state)
        return result

    builder = StateGraph(MessagesState).add_node("tools", anode if is_async else node, retry_policy=RETRY)
    graph = builder.add_edge(START, "tools").compile(store=store)
    given: Any = {"messages": [AIMessage("", tool_calls=calls)]}
    if is_async:
        asyncio.run(graph.ainvoke(given))
    else:
        graph.invoke(given)
    assert len(order) == 2 * len(WORDS)
    value = shown(store)
    assert len(value["tags"]) == len(WORDS) == value["votes"] == len(value["log"].split("\n"))
    assert store.escalations(state="all") == []


@pytest.mark.parametrize("way", ["sync", "sync tool on a loop", "async"])
def test_a_tool_call_that_is_retried_by_itself_has_its_effect_once(way: str) -> None:
    """A middleware that calls a failed tool again makes a second execution of that call."""
    store = merging()
    tries: list[str] = []

    @tool
    def flaky() -> str:
        """Fails twice."""
        get_store().put(*AT, {"votes": 1, "log": f"try {len(tries)}"})
        tries.append("x")
        if len(tries) < 3:
            raise ConnectionError
        return "ok"

    @tool("flaky")
    async def aflaky() -> str:
        """Fails twice."""
        return flaky.func()  # type: ignore[attr-defined,no-any-return]

    agent = create_agent(
        CallsOnce(calls=tool_calls("flaky")),
        [aflaky if way == "async" else flaky],
        store=store,
        middleware=[ToolRetryMiddleware(max_retries=3, initial_delay=0.001, jitter=False)],
    )
    given: Any = {"messages": [("user", "go")]}
    if way == "sync":
        agent.invoke(given)
    else:
        asyncio.run(agent.ainvoke(given))
    assert len(tries) == 3
    assert shown(store) == {"votes": 1, "log": "try 2"}


def noting_graph(store: Any, word: str) -> Any:
    """A graph that adds to everything."""

    def note(state: State) -> State:
        store.put(*AT, {"votes": 1, "steps": [word], "tags": [word]})
        return {}

    return chain(note).compile()


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_graphs_in_a_tool_call_that_is_retried_have_their_effect_once(is_async: bool) -> None:
    """An agent that is the tool of another, whose call a middleware makes again."""
    store = merging()
    tries: list[str] = []

    @tool
    def research() -> str:
        """Has two graphs work, then fails twice."""
        for word in ("first", "second"):
            noting_graph(store, word).invoke({"x": 0})
        tries.append("x")
        if len(tries) < 3:
            raise ConnectionError
        return "ok"

    agent = create_agent(
        CallsOnce(calls=tool_calls("research")),
        [research],
        store=store,
        middleware=[ToolRetryMiddleware(max_retries=3, initial_delay=0.001, jitter=False)],
    )
    given: Any = {"messages": [("user", "go")]}
    if is_async:
        asyncio.run(agent.ainvoke(given))
    else:
        agent.invoke(given)
    assert len(tries) == 3
    assert shown(store) == {"votes": 2, "steps": ["first", "second"], "tags": ["first", "second"]}


def test_graphs_in_parallel_tool_calls_are_known_again_in_whatever_order_they_come() -> None:
    """LangGraph numbers them in the order in which they come, which is another one in the node's next attempt."""
    store = merging()
    attempts: list[str] = []
    done = {word: threading.Event() for word in "ab"}

    @tool
    def research(word: str) -> str:
        """Has a graph work when the other call's graph has, or lets it be first."""
        first = "ab"[len(attempts)]
        if word != first:
            done[first].wait(PATIENCE)
        noting_graph(store, word).invoke({"x": 0})
        done[word].set()
        return "ok"

    calls = calls_of("research", ["a", "b"])

    def node(state: State) -> State:
        ToolNode([research]).invoke({"messages": [AIMessage("", tool_calls=calls)]})
        if not attempts:
            attempts.append("x")
            for event in done.values():
                event.clear()
            raise ConnectionError
        return {}

    run_node(store, node, retry_policy=RETRY)
    assert shown(store)["votes"] == 2 and sorted(shown(store)["steps"]) == ["a", "b"]


def test_equal_ids_of_tool_calls_are_no_re_execution() -> None:
    """Where a model gives two calls one id, both have their effect."""
    store = merging()

    @tool
    def note(word: str) -> str:
        """Notes a word."""
        store.put(*AT, {"votes": 1, "tags": [word]})
        return "ok"

    calls = [{**call, "id": "same"} for call in calls_of("note", WORDS)]
    call_all(store, [note], calls, is_async=False)
    assert (shown(store)["votes"], sorted(shown(store)["tags"])) == (4, WORDS)
