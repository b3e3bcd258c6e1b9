"""The one changed line: programs that use LangGraph's store in every way it is handed out, run over each store.

Each program is given a store and returns what its user would see. All stores must show the same.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, TypedDict

import pytest
from langchain.agents import create_agent
from langchain.tools import ToolRuntime
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.tools import tool
from langgraph.config import get_store
from langgraph.func import entrypoint, task
from langgraph.graph import START, StateGraph
from langgraph.prebuilt import InjectedStore, ToolNode
from langgraph.runtime import Runtime
from langgraph.store.base import BaseStore
from langgraph.store.memory import InMemoryStore

from concordant_langgraph import MergeStore

WORDS = ["tea", "coffee", "jazz", "chess", "lyon", "paris"]


def embed(texts: Sequence[str]) -> list[list[float]]:
    return [[0.01, *(float(text.lower().count(word)) for word in WORDS)] for text in texts]


async def aembed(texts: Sequence[str]) -> list[list[float]]:
    await asyncio.sleep(0)
    return embed(texts)


def index(function: Any = embed) -> Any:
    return {"dims": 1 + len(WORDS), "embed": function, "fields": ["content"]}


STORES: dict[str, Callable[[Any], BaseStore]] = {
    "InMemoryStore": lambda embedding: InMemoryStore(index=index(embedding)),
    "MergeStore": lambda embedding: MergeStore(index=index(embedding)),
    "MergeStore.wrap": lambda embedding: MergeStore.wrap(InMemoryStore(index=index(embedding))),
}


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest) -> BaseStore:
    return STORES[request.param](embed)


@pytest.fixture(params=STORES)
def astore(request: pytest.FixtureRequest) -> BaseStore:
    return STORES[request.param](aembed)


def contents(items: Sequence[Any]) -> list[str]:
    return [item.value["content"] for item in items]


# -- an agent with tools that keep memories, as langmem's do ---------------------------------------------------------


@tool
def manage_memory(content: str, action: str = "create", id: str | None = None) -> str:
    """Create, update, or delete a memory."""
    held = get_store()
    if action == "delete":
        assert id is not None
        held.delete(("memories", "u1"), id)
        return f"Deleted memory {id}"
    name = id or str(uuid.uuid5(uuid.NAMESPACE_URL, content))
    held.put(("memories", "u1"), name, {"content": content})
    return f"{action}d memory {name}"


@tool
def search_memory(query: str, *, store: Annotated[Any, InjectedStore()], limit: int = 2) -> str:
    """Search memories."""
    return " | ".join(contents(store.search(("memories", "u1"), query=query, limit=limit)))


@tool
async def amanage_memory(content: str, runtime: ToolRuntime) -> str:
    """Create a memory."""
    assert runtime.store is not None
    await runtime.store.aput(("memories", "u1"), content.split()[-1], {"content": content})
    return "created"


@tool
async def asearch_memory(query: str, runtime: ToolRuntime) -> str:
    """Search memories."""
    assert runtime.store is not None
    return " | ".join(contents(await runtime.store.asearch(("memories", "u1"), query=query, limit=2)))


def call(name: str, **arguments: Any) -> dict[str, Any]:
    return {"name": name, "args": arguments, "id": uuid.uuid4().hex, "type": "tool_call"}


class Scripted(GenericFakeChatModel):
    """Says what it was told to say."""

    def bind_tools(self, tools: Any, **_: Any) -> Any:
        return self


def scripted(*turns: list[dict[str, Any]]) -> Scripted:
    def messages() -> Iterator[AIMessage]:
        for calls in turns:
            yield AIMessage("", tool_calls=calls)
        yield AIMessage("done")

    return Scripted(messages=messages())


def answers(result: dict[str, list[BaseMessage]]) -> list[str]:
    return [str(message.content) for message in result["messages"] if message.type == "tool"]


TEA, JAZZ, CHESS = "Likes green tea", "Plays jazz", "Plays chess"
TEA_ID = str(uuid.uuid5(uuid.NAMESPACE_URL, TEA))


def test_an_agent_that_keeps_memories(store: BaseStore) -> None:
    """An agent's tools create (in parallel), search, update and delete memories through get_store and InjectedStore."""
    model = scripted(
        [call("manage_memory", content=TEA), call("manage_memory", content=JAZZ), call("manage_memory", content=CHESS)],
        [call("search_memory", query="tea", limit=1), call("search_memory", query="chess", limit=1)],
        [call("manage_memory", content="Likes coffee now", action="update", id=TEA_ID)],
        [call("search_memory", query="coffee", limit=1), call("search_memory", query="tea", limit=3)],
        [call("manage_memory", content="", action="delete", id=TEA_ID)],
        [call("search_memory", query="coffee", limit=3)],
    )
    agent: Any = create_agent(model, [manage_memory, search_memory], store=store, name="helper")
    said = answers(agent.invoke({"messages": [("user", "hello")]}))
    assert said[3:5] == [TEA, CHESS]
    assert said[6] == "Likes coffee now"
    assert sorted(said[7].split(" | ")) == sorted(["Likes coffee now", JAZZ, CHESS])
    assert sorted(said[9].split(" | ")) == sorted([JAZZ, CHESS])
    assert sorted(contents(store.search(("memories",)))) == sorted([JAZZ, CHESS])


async def test_an_async_agent_that_keeps_memories(astore: BaseStore) -> None:
    """The same for coroutines, through the runtime that tools are given, with an embedding for coroutines."""
    model = scripted(
        [call("amanage_memory", content=TEA), call("amanage_memory", content=JAZZ)],
        [call("asearch_memory", query="jazz"), call("asearch_memory", query="tea")],
    )
    agent: Any = create_agent(model, [amanage_memory, asearch_memory], store=astore)
    said = answers(await agent.ainvoke({"messages": [("user", "hello")]}))
    assert said == ["created", "created", f"{JAZZ} | {TEA}", f"{TEA} | {JAZZ}"]


class Messages(TypedDict):
    messages: list[Any]


def test_a_tool_node(store: BaseStore) -> None:
    """Tools in a ToolNode are given the store of the graph."""
    builder = StateGraph(Messages)
    builder.add_node("tools", ToolNode([manage_memory, search_memory])).add_edge(START, "tools")
    graph = builder.compile(store=store)
    graph.invoke({"messages": [AIMessage("", tool_calls=[call("manage_memory", content=TEA)])]})
    graph.invoke({"messages": [AIMessage("", tool_calls=[call("manage_memory", content=JAZZ)])]})
    result = graph.invoke({"messages": [AIMessage("", tool_calls=[call("search_memory", query="jazz", limit=1)])]})
    assert [message.content for message in result["messages"]] == [JAZZ]


# -- graphs ----------------------------------------------------------------------------------------------------------


@dataclass
class Context:
    user: str


class State(TypedDict, total=False):
    query: str
    found: list[str]


def graph_over(store: BaseStore) -> Any:
    """Nodes that get the store by its parameter, by get_store, by the runtime, in a sub-graph and one after another."""

    def injected(state: State, *, store: BaseStore) -> None:
        store.put(("memories", "a"), "injected", {"content": "tea in lyon"})

    def asked(state: State) -> None:
        get_store().put(("memories", "b"), "asked", {"content": "coffee in paris"})

    def runtime(state: State, runtime: Runtime[Context]) -> None:
        assert runtime.store is not None
        runtime.store.put(
            ("memories", runtime.context.user), "runtime", {"content": "jazz in paris"}, index=["content"]
        )

    def below(state: State, *, store: BaseStore) -> None:
        store.put(("memories", "c"), "below", {"content": "chess"}, index=False)

    def search(state: State, *, store: BaseStore) -> State:
        found = store.search(("memories",), query=state["query"], limit=10)
        return {"found": [f"{item.namespace[-1]}/{item.key}:{item.score is not None}" for item in found]}

    inside = StateGraph(State)
    inside.add_node(below).add_edge(START, "below")
    builder = StateGraph(State, context_schema=Context)
    for node in (injected, asked, runtime):
        builder.add_node(node).add_edge(START, node.__name__)
    builder.add_node("team", inside.compile()).add_edge(START, "team")
    builder.add_node(search).add_edge(["injected", "asked", "runtime", "team"], "search")
    return builder.compile(store=store)


def shown(found: list[str]) -> list[str]:
    """The best, and the rest in any order, since equal scores have none."""
    return [found[0], *sorted(found[1:])]


ALL = {
    "tea": ["a/injected:True", "b/asked:True", "c/below:False", "u1/runtime:True"],
    "jazz": ["u1/runtime:True", "a/injected:True", "b/asked:True", "c/below:False"],
}


@pytest.mark.parametrize("query", ALL)
def test_a_graph(store: BaseStore, query: str) -> None:
    """Parallel nodes and a sub-graph put, a later node searches: the same is found over every store."""
    result = graph_over(store).invoke({"query": query}, context=Context("u1"))
    assert shown(result["found"]) == ALL[query]


@pytest.mark.parametrize("query", ALL)
async def test_a_graph_run_async(store: BaseStore, query: str) -> None:
    """The same graph of sync nodes, run by a loop."""
    result = await graph_over(store).ainvoke({"query": query}, context=Context("u1"))
    assert shown(result["found"]) == ALL[query]


async def test_async_nodes(astore: BaseStore) -> None:
    """Async nodes put and search beside each other."""

    async def write(state: State, *, store: BaseStore) -> None:
        await asyncio.gather(*(store.aput(("m",), word, {"content": word}) for word in WORDS))

    async def read(state: State) -> State:
        found = await asyncio.gather(*(get_store().asearch(("m",), query=word, limit=1) for word in WORDS))
        return {"found": [item.key for [item] in found]}

    builder = StateGraph(State)
    builder.add_node(write).add_edge(START, "write")
    builder.add_node(read).add_edge("write", "read")
    assert (await builder.compile(store=astore).ainvoke({"query": ""}))["found"] == WORDS


def test_the_functional_api(store: BaseStore) -> None:
    """An entrypoint's store parameter and get_store in its tasks are the store."""

    @task
    def remember(word: str) -> None:
        get_store().put(("m",), word, {"content": word})

    @entrypoint(store=store)
    def flow(words: list[str], *, store: BaseStore) -> list[str]:
        for waiting in [remember(word) for word in words]:
            waiting.result()
        return [item.key for item in store.search(("m",), query=words[-1], limit=1)]

    assert flow.invoke(WORDS) == ["paris"]
    assert flow.invoke(WORDS[:2]) == ["coffee"]


async def test_the_functional_api_for_coroutines(astore: BaseStore) -> None:
    """The same with coroutines."""

    @task
    async def remember(word: str) -> None:
        await get_store().aput(("m",), word, {"content": word})

    @entrypoint(store=astore)
    async def flow(words: list[str], *, store: BaseStore) -> list[str]:
        await asyncio.gather(*(remember(word) for word in words))
        return [item.key for item in await store.asearch(("m",), query=words[-1], limit=1)]

    assert await flow.ainvoke(WORDS) == ["paris"]


def test_what_two_nodes_do_to_one_memory() -> None:
    """Where LangGraph's own store keeps the last of two parallel writes, both are found after the swap."""

    def one(state: State, *, store: BaseStore) -> None:
        store.put(("m",), "k", {"content": "tea"})

    def two(state: State, *, store: BaseStore) -> None:
        store.put(("m",), "k", {"place": "lyon"})

    found: dict[str, bool] = {}
    for name, make in STORES.items():
        builder = StateGraph(State)
        builder.add_node(one).add_edge(START, "one")
        builder.add_node(two).add_edge(START, "two")
        store = make(embed)
        builder.compile(store=store).invoke({"query": ""})
        [item] = store.search(("m",), query="tea")
        found[name] = item.value == {"content": "tea", "place": "lyon"} and (item.score or 0) > 0.9
    assert found == {"InMemoryStore": False, "MergeStore": True, "MergeStore.wrap": True}
